//! The same messages made by four libraries: ours, Python's `email`, lettre and nodemailer. Each must open as the same in
//! Python's `email` and in mail-parser.

use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use map_core::message::{Address, AddressList, Builder, Part};
use map_tests::built::{assert_none, compare, read_by_mail_parser, read_by_python};
use map_tests::python::{frames, python, run, source};
use map_tests::samples::Draw;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::process::{Command, Stdio};

const COUNT: usize = 40;

const NAMES: &[&str] = &[
    "",
    "Bob",
    "Bob Bee",
    "Doe, John",
    "John Q. Public",
    "Анна",
    "日本 太郎",
    "مرحبا",
    "Zoë O'Neil",
];
/// Not in a list: Python 3.11 encodes the comma before such a name with it, and the list loses an address.
const LONG_NAME: &str =
    "Übermäßig langer Name, der aus so vielen Wörtern besteht, dass er nicht in eine Zeile passt";
const MAILBOXES: &[&str] = &[
    "a@b.example",
    "first.last+tag@c.example",
    "x@sub.sub.domain.example",
];
const SUBJECTS: &[&str] = &[
    "test",
    "Grüße aus Köln: schön war's, nicht wahr? Und nächstes Jahr sind wir wieder da",
    "Привет, мир! Это длинная тема письма, которая не помещается в одну строку заголовка",
    "日本語の件名、とても長いので、いくつもの符号化語に分けなければならない件名",
    "👩‍👩‍👧‍👦 family 🇩🇪 flag",
    "[ticket #17] Re: \"quoted\" <angle> (comment), semi; colon: @ back",
    "many words that go on until they need more than one line of a header to be said, in plain letters",
];
const TEXTS: &[&str] = &[
    "Hello.\n",
    ".\n..\n...\n.leading dots\n",
    "\nempty lines before and after\n\n\n",
    "From the start\n>From there\nFrom: not a field\n",
    "=\n=3D\na=\n",
    "Viele Grüße aus dem schönen alten Köln am Rhein, wo es meistens regnet.\n-- \nMüller\n",
    "Привет, мир!\nВторая строка.\n",
    "日本語\n한국어\nشלום مرحبا 👍🏽\n",
    "<long>\n",
];
const FILE_NAMES: &[&str] = &[
    "report.pdf",
    "Отчёт за март.pdf",
    "日本語のとても長いファイル名、いくつもの区切りに分けなければならないもの.png",
    "semi;colon, comma.bin",
    "Résumé (final), version 2; really.docx",
    "a-long-plain-name-that-does-not-fit-into-one-line-of-a-header-and-is-given-in-sections.bin",
];

/// What the libraries are told, in JSON: `[name, address]` of each address, octets in hexadecimal digits.
fn cases() -> Vec<Value> {
    let mut draw = Draw(2045);
    let long = "many words on one line of a text ".repeat(60);
    let addresses = |draw: &mut Draw, count: usize| -> Value {
        (0..count)
            .map(|_| json!([draw.piece(NAMES), draw.piece(MAILBOXES)]))
            .collect()
    };
    let data = |draw: &mut Draw, number: usize| {
        let length = draw.below(2000);
        let octets = (0..length).fold(String::new(), |mut octets, _| {
            write!(octets, "{:02x}", draw.below(256)).unwrap();
            octets
        });
        let mut part =
            json!({ "name": draw.piece(FILE_NAMES), "type": "application/x-own", "octets": octets });
        if number > 0 {
            part["id"] = json!(format!("{number}.{length}@inline.example"));
        }
        part
    };
    (0..COUNT)
        .map(|number| {
            let references: Vec<String> = (0..draw.below(4))
                .map(|one| format!("{one}.{number}@b.example"))
                .collect();
            let to = 1 + draw.below(3);
            let cc = draw.below(3);
            let html = draw.below(2) == 0;
            let inline = if html { draw.below(3) } else { 0 };
            let text = draw.piece(TEXTS).replace("<long>", &long);
            json!({
                "message_id": format!("{number}@b.example"),
                "from": if number % 5 == 0 {
                    json!([[LONG_NAME, "a@b.example"]])
                } else {
                    addresses(&mut draw, 1)
                },
                "to": addresses(&mut draw, to),
                "cc": addresses(&mut draw, cc),
                "subject": draw.piece(SUBJECTS),
                "references": references,
                "text": text,
                "html": html.then(|| draw.piece(TEXTS).replace("<long>", &long)),
                "inline": (1..=inline).map(|number| data(&mut draw, number)).collect::<Vec<_>>(),
                "attachments": (0..draw.below(3)).map(|_| data(&mut draw, 0)).collect::<Vec<_>>(),
            })
        })
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn octets(part: &Value) -> Vec<u8> {
    let digits = text(&part["octets"]).as_bytes();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// What a reader must see.
fn expected(case: &Value) -> Value {
    let joined = |kind: &str, mut parts: Vec<Value>| match parts.len() {
        1 => parts.remove(0),
        _ => json!({ "type": kind, "parts": parts }),
    };
    let addresses = |entries: &Value| -> Value {
        let entries = list(entries).iter();
        entries.map(|entry| json!(["", entry[0], entry[1]])).collect()
    };
    let data = |parts: &Value| list(parts).to_vec();
    let mut alternatives = vec![json!({ "type": "text/plain", "text": case["text"] })];
    if !case["html"].is_null() {
        let mut related = vec![json!({ "type": "text/html", "text": case["html"] })];
        related.extend(data(&case["inline"]));
        alternatives.push(joined("multipart/related", related));
    }
    let mut parts = vec![joined("multipart/alternative", alternatives)];
    parts.extend(data(&case["attachments"]));
    json!({
        "message_id": case["message_id"],
        "subject": case["subject"],
        "from": addresses(&case["from"]),
        "to": addresses(&case["to"]),
        "cc": addresses(&case["cc"]),
        "references": case["references"],
        "in_reply_to": list(&case["references"]).last().into_iter().collect::<Vec<_>>(),
        "body": joined("multipart/mixed", parts),
    })
}

/// Without what the libraries were not told to set.
fn reduced(seen: &Value) -> Value {
    match seen {
        Value::Object(fields) => {
            let extra = [
                "sender",
                "reply_to",
                "comments",
                "keywords",
                "fields",
                "disposition",
                "description",
            ];
            let is_data = fields.contains_key("octets");
            fields
                .iter()
                .filter(|(name, value)| {
                    // Some give every attachment an identifier.
                    let is_own = name.as_str() == "id" && !value.to_string().contains("@inline.example");
                    !extra.contains(&name.as_str()) && !is_own && (is_data || name.as_str() != "name")
                })
                .map(|(name, value)| (name.clone(), reduced(value)))
                .collect()
        }
        Value::Array(values) => values.iter().map(reduced).collect(),
        other => other.clone(),
    }
}

/// Both parsers see in what a library has made what it was told.
fn assert_seen(cases: &[Value], messages: &[Vec<u8>]) {
    assert_eq!(cases.len(), messages.len());
    let all: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    let mut differences = Vec::new();
    for ((number, case), by_python) in cases.iter().enumerate().zip(read_by_python(&all)) {
        let expected = expected(case);
        let by_mail_parser = read_by_mail_parser(all[number]);
        for (parser, seen) in [("Python", &by_python["seen"]), ("mail-parser", &by_mail_parser)] {
            let place = format!("{parser}, message {number}");
            compare(&expected, &reduced(seen), &place, &mut differences);
        }
    }
    assert_none(&differences);
}

fn by_ours(case: &Value) -> Vec<u8> {
    let addresses = |entries: &Value| -> AddressList {
        let address = |entry: &Value| {
            let mailbox = text(&entry[1]).parse().unwrap();
            match text(&entry[0]) {
                "" => Address::from(mailbox),
                name => Address::named(name.parse().unwrap(), mailbox),
            }
        };
        list(entries).iter().map(address).collect()
    };
    let data = |part: &Value| {
        let data = Part::octets(octets(part)).file_name(text(&part["name"]).parse().unwrap());
        data.media_type(text(&part["type"]).parse().unwrap())
    };
    let references = list(&case["references"])
        .iter()
        .map(|id| text(id).parse().unwrap());
    let mut builder = Builder::new()
        .from(addresses(&case["from"]))
        .to(addresses(&case["to"]))
        .cc(addresses(&case["cc"]))
        .subject(text(&case["subject"]).parse().unwrap())
        .message_id(text(&case["message_id"]).parse().unwrap())
        .in_reply_to(references.clone().next_back())
        .references(references)
        .text(text(&case["text"]).parse().unwrap());
    if let Some(html) = case["html"].as_str() {
        builder = builder.html(html.parse().unwrap());
    }
    for part in list(&case["inline"]) {
        builder = builder.inline(data(part).content_id(text(&part["id"]).parse().unwrap()));
    }
    for part in list(&case["attachments"]) {
        builder = builder.attach(data(part));
    }
    let mut octets = Vec::new();
    let message = builder.build().unwrap();
    message.open().unwrap().read_to_end(&mut octets).unwrap();
    octets
}

fn by_lettre(case: &Value) -> Vec<u8> {
    let mailbox = |entry: &Value| {
        let name = Some(text(&entry[0]).to_owned()).filter(|name| !name.is_empty());
        Mailbox::new(name, text(&entry[1]).parse().unwrap())
    };
    let content_type = |part: &Value| ContentType::parse(text(&part["type"])).unwrap();
    let ids: Vec<String> = list(&case["references"])
        .iter()
        .map(|id| format!("<{}>", text(id)))
        .collect();
    let mut builder = lettre::Message::builder()
        .from(mailbox(&case["from"][0]))
        .subject(text(&case["subject"]))
        .message_id(Some(format!("<{}>", text(&case["message_id"]))));
    for entry in list(&case["to"]) {
        builder = builder.to(mailbox(entry));
    }
    for entry in list(&case["cc"]) {
        builder = builder.cc(mailbox(entry));
    }
    if let Some(last) = ids.last() {
        builder = builder.in_reply_to(last.clone()).references(ids.join(" "));
    }
    let plain = SinglePart::plain(text(&case["text"]).to_owned());
    let mut mixed = match case["html"].as_str() {
        None => MultiPart::mixed().singlepart(plain.clone()),
        Some(html) => {
            let html = SinglePart::html(html.to_owned());
            let inline = list(&case["inline"]);
            let alternative = MultiPart::alternative().singlepart(plain.clone());
            let alternative = if inline.is_empty() {
                alternative.singlepart(html)
            } else {
                let related = MultiPart::related().singlepart(html);
                alternative.multipart(inline.iter().fold(related, |related, part| {
                    let (id, name) = (text(&part["id"]).to_owned(), text(&part["name"]).to_owned());
                    let attachment = Attachment::new_inline_with_name(id, name);
                    related.singlepart(attachment.body(octets(part), content_type(part)))
                }))
            };
            if list(&case["attachments"]).is_empty() {
                return builder.multipart(alternative).unwrap().formatted();
            }
            MultiPart::mixed().multipart(alternative)
        }
    };
    if list(&case["attachments"]).is_empty() {
        // A line end that it puts after a lone part would be one of the text, were the text not in base64.
        let plain = SinglePart::builder()
            .header(ContentType::TEXT_PLAIN)
            .header(ContentTransferEncoding::Base64)
            .body(text(&case["text"]).to_owned());
        return builder.singlepart(plain).unwrap().formatted();
    }
    for part in list(&case["attachments"]) {
        let attachment = Attachment::new(text(&part["name"]).to_owned());
        mixed = mixed.singlepart(attachment.body(octets(part), content_type(part)));
    }
    builder.multipart(mixed).unwrap().formatted()
}

#[test]
fn ours_open_as_what_they_are() {
    let cases = cases();
    let messages: Vec<_> = cases.iter().map(by_ours).collect();
    assert_seen(&cases, &messages);
}

#[test]
fn those_of_lettre_open_the_same() {
    let cases = cases();
    let messages: Vec<_> = cases.iter().map(by_lettre).collect();
    assert_seen(&cases, &messages);
}

#[test]
fn those_of_python_open_the_same() {
    let cases = cases();
    let input = json!(cases).to_string().into_bytes();
    let messages = frames(&run::<&str>(&python(), "build_messages.py", [], input));
    assert_seen(&cases, &messages);
}

#[test]
#[ignore = "needs Node.js and nodemailer: make compare"]
fn those_of_nodemailer_open_the_same() {
    let cases = cases();
    let mut child = Command::new("node")
        .arg(source("node/build_messages.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Node.js is needed for this test");
    let mut stdin = child.stdin.take().unwrap();
    // It reads all before it writes anything; if it does not, its status tells.
    let _ = stdin.write_all(json!(cases).to_string().as_bytes());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_seen(&cases, &frames(&output.stdout));
}
