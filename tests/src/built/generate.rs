//! Messages of every structure, with names and texts of the kinds that mail systems are known to change, and what a
//! reader must see in them.

use crate::samples::{Draw, Sample, normalised, samples};
use map_core::Mailbox;
use map_core::message::{
    Address, AddressList, BodyType, Builder, DisplayName, Entry, Field, Group, Message, Multipart, Part,
    TransferEncoding,
};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// A message and what was put into it.
#[derive(Clone, Debug)]
pub struct Given {
    /// The message.
    pub message: Message,
    /// What a reader must see in it, told as in `python/read_built.py`.
    pub seen: Value,
}

/// As many messages, the same at every run. Their files are in `directory`.
///
/// # Panics
/// When these cannot be written, or the builder takes no such message.
pub fn generate(count: usize, seed: u64, directory: &Path) -> Vec<Given> {
    let mut generator = Generator {
        draw: Draw(seed),
        samples: samples(count * 4, seed),
        taken: 0,
        directory: directory.to_owned(),
        files: 0,
    };
    (0..count).map(|number| generator.message(number, 0)).collect()
}

const NAMES: &[&str] = &[
    "Bob",
    "Bob Bee",
    "John Q. Public",
    "Doe, John",
    "Анна",
    "日本 太郎",
    "مرحبا",
    "Zoë \"Z\" O'Neil",
    "back\\slash",
    "a  b",
    " outer ",
    "bob@example.com",
    "<b@x.example>",
    "Team: a; b",
    "(comment)",
    "=?utf-8?Q?=C3=A9?=",
    "=?",
    "👩‍👩‍👧‍👦",
    "bell \u{7} escape \u{1b}[31m",
    "\u{202e}gpj.exe",
    "next\u{85}line \u{2028}end",
    "Bcc: x@y.example",
    "A name of many words that goes on until it needs more than one line of a header to be said",
    "Übermäßig langer Name, der aus so vielen Wörtern besteht, dass er nicht in eine Zeile passt, wie man es auch dreht",
    "one_word_without_a_blank_that_is_much_longer_than_any_line_of_a_header_should_be_and_goes_on_and_on_and_on",
];
const MAILBOXES: &[&str] = &[
    "a@b.example",
    "first.last+tag@Bücher.example",
    "\"a b\"@c.example",
    "x@sub.sub.domain.example",
    "a-rather-long-name-of-a-mailbox.with-dots@a-rather-long-domain-name.example",
];
/// These do not stand among the recipients: mail goes to whatever has such an address.
const LITERALS: &[&str] = &["postmaster@[192.0.2.25]", "postmaster@[IPv6:2001:db8::25]"];
/// A message to or from one of these needs SMTPUTF8.
const INTERNATIONAL: &[&str] = &["анна@b.example", "用户.名@Bücher.example", "zoë+tag@c.example"];
const GROUPS: &[&str] = &["Team", "Büro", "A, B & C", "x:y;", "undisclosed-recipients"];
const FILE_NAMES: &[&str] = &[
    "report.pdf",
    "Отчёт за март.pdf",
    "日本語のとても長いファイル名、いくつもの区切りに分けなければならないもの.png",
    "a \"quoted\" name.bin",
    "semi;colon, comma.bin",
    "back\\slash.bin",
    "100% 'sure' *.bin",
    "../../etc/passwd",
    "=?utf-8?Q?looks=20encoded?=.bin",
    "two  blanks.bin",
    "\u{202e}fdp.exe",
    "bell\u{7}.bin",
    "no-extension",
    "👍🏽.gif",
    "a-long-plain-name-that-does-not-fit-into-one-line-of-a-header-and-is-given-in-sections.bin",
    "é",
    "Résumé (final), version 2; really.docx",
];
const FIELDS: &[&str] = &[
    "plain",
    "<https://list.example/unsubscribe?user=a-very-long-identifier-that-nothing-may-divide-0123456789012345678901234>",
    "Grüße",
    "=?utf-8?Q?looks=20encoded?=",
    " outer ",
    "tab\tinside",
    "many words that go on until they need more than one line of a header to be said, in plain letters",
];
const KEYWORDS: &[&str] = &["one", "two words", "Schlüssel", "ключ", "=?x"];
const ENCODINGS: [TransferEncoding; 5] = [
    TransferEncoding::Base64,
    TransferEncoding::Binary,
    TransferEncoding::EightBit,
    TransferEncoding::QuotedPrintable,
    TransferEncoding::SevenBit,
];

/// What is read of a field of one's own: what is encoded already goes as it is, and blanks around a value are none of it.
fn read_field(value: &str) -> &str {
    match value {
        "=?utf-8?Q?looks=20encoded?=" => "looks encoded",
        _ => value.trim_matches(' '),
    }
}

struct Generator {
    draw: Draw,
    samples: Vec<Sample>,
    taken: usize,
    directory: PathBuf,
    files: usize,
}

impl Generator {
    fn one_in(&mut self, bound: usize) -> bool {
        self.draw.below(bound) == 0
    }

    fn sample(&mut self) -> Sample {
        self.taken += 1;
        self.samples[(self.taken - 1) % self.samples.len()].clone()
    }

    fn message(&mut self, number: usize, depth: usize) -> Given {
        let id = format!("{number}.{depth}.{}@b.example", self.taken);
        let subject = self.sample().subject;
        let mut builder = Builder::new()
            .message_id(id.parse().unwrap())
            .subject(subject.parse().unwrap());
        let mut seen = json!({ "message_id": id, "subject": subject });

        let authors = 1 + self.draw.below(8) / 7;
        let from: AddressList = (0..authors).map(|_| self.address()).collect();
        seen["from"] = shown(&from);
        builder = builder.from(from);
        seen["sender"] = json!([]);
        if authors > 1 {
            let sender = Address::named("S. Sender".parse().unwrap(), "sender@b.example".parse().unwrap());
            seen["sender"] = shown(&sender.clone().into());
            builder = builder.sender(sender);
        }
        let (mut to, cc) = (self.list(3), self.list(2));
        if depth == 0 && self.one_in(12) {
            let mailbox = self.draw.piece(INTERNATIONAL);
            to.0.push(Entry::Address(self.named(mailbox)));
        }
        seen["to"] = shown(&to);
        seen["cc"] = shown(&cc);
        let reply_to = if self.one_in(3) {
            let kind = if self.one_in(2) { LITERALS } else { MAILBOXES };
            let mailbox = self.draw.piece(kind);
            self.named(mailbox).into()
        } else {
            AddressList::default()
        };
        seen["reply_to"] = shown(&reply_to);
        let blind: Mailbox = "blind.copy@secret.example".parse().unwrap();
        builder = builder.to(to).cc(cc).reply_to(reply_to).bcc(blind);

        let ids: Vec<String> = (0..self.draw.below(6))
            .map(|number| format!("{number}.{}@thread.example", "x".repeat(number * 12 + 1)))
            .collect();
        seen["references"] = json!(ids);
        seen["in_reply_to"] = json!(ids.last().into_iter().collect::<Vec<_>>());
        builder = builder
            .references(ids.iter().map(|id| id.parse().unwrap()))
            .in_reply_to(ids.last().map(|id| id.parse().unwrap()));
        let comments: Vec<_> = (0..self.draw.below(3)).map(|_| self.sample().subject).collect();
        seen["comments"] = json!(comments);
        for text in comments {
            builder = builder.comments(text.parse().unwrap());
        }
        let keywords: Vec<_> = (0..self.draw.below(4))
            .map(|_| self.draw.piece(KEYWORDS))
            .collect();
        seen["keywords"] = json!(keywords);
        builder = builder.keywords(keywords.iter().map(|word| word.parse().unwrap()));
        let fields: Vec<_> = (0..self.draw.below(3)).map(|_| self.draw.piece(FIELDS)).collect();
        let read: Vec<_> = fields.iter().map(|value| read_field(value)).collect();
        seen["fields"] = json!(read);
        for value in fields {
            builder = builder.field(Field::new("X-Own", value).unwrap());
        }
        builder = match self.draw.below(6) {
            0 => builder.body_type(BodyType::EightBit),
            1 => builder.body_type(BodyType::Binary),
            _ => builder,
        };
        let (builder, body) = self.body(builder, depth);
        seen["body"] = body;
        Given {
            message: builder.build().unwrap(),
            seen,
        }
    }

    /// By the builder's own ways, or made of parts.
    fn body(&mut self, mut builder: Builder, depth: usize) -> (Builder, Value) {
        let mut body = None;
        match self.draw.below(6) {
            0 => {
                let (part, seen) = self.multipart(depth + 1);
                builder = builder.body(part);
                body = Some(seen);
            }
            1 if depth == 0 => {}
            way => {
                let (text, html) = (self.sample().content, self.sample().content);
                let plain = (way != 2).then(|| text_seen("text/plain", &text));
                if plain.is_some() {
                    builder = builder.text(text.parse().unwrap());
                }
                let mut formatted = None;
                if (2..5).contains(&way) {
                    builder = builder.html(html.parse().unwrap());
                    let mut parts = vec![text_seen("text/html", &html)];
                    for number in 0..self.draw.below(3) {
                        let (part, mut seen) = self.data();
                        let id = format!("{number}.{}@inline.example", self.files);
                        seen["id"] = json!(id);
                        seen["disposition"] = json!("inline");
                        parts.push(seen);
                        builder = builder.inline(part.content_id(id.parse().unwrap()));
                    }
                    formatted = Some(joined("multipart/related", parts));
                }
                body = match (plain, formatted) {
                    (Some(plain), Some(html)) => Some(joined("multipart/alternative", vec![plain, html])),
                    (plain, html) => plain.or(html),
                };
            }
        }
        let mut parts: Vec<Value> = body.into_iter().collect();
        let attached = self.draw.below(4) + usize::from(parts.is_empty());
        for _ in 0..attached {
            let (part, mut seen) = self.part(depth + 1);
            seen["disposition"] = json!("attachment");
            parts.push(seen);
            builder = builder.attach(part);
        }
        let body = if attached > 0 {
            json!({ "type": "multipart/mixed", "parts": parts })
        } else {
            joined("multipart/mixed", parts)
        };
        (builder, body)
    }

    fn multipart(&mut self, depth: usize) -> (Part, Value) {
        let (kind, essence) = [
            (Multipart::Alternative, "multipart/alternative"),
            (Multipart::Digest, "multipart/digest"),
            (Multipart::Mixed, "multipart/mixed"),
            (Multipart::Parallel, "multipart/parallel"),
        ][self.draw.below(4)];
        let (parts, seen): (Vec<_>, Vec<_>) = (0..=self.draw.below(3)).map(|_| self.part(depth + 1)).unzip();
        (
            Part::multipart(kind, parts),
            json!({ "type": essence, "parts": seen }),
        )
    }

    fn part(&mut self, depth: usize) -> (Part, Value) {
        match self.draw.below(8) {
            0 if depth < 4 => self.multipart(depth),
            1 if depth < 4 => {
                let given = self.message(depth, depth);
                let seen = json!({ "type": "message/rfc822", "message": given.seen });
                (Part::message(given.message), seen)
            }
            2 | 3 => self.text(),
            _ => self.data(),
        }
    }

    fn text(&mut self) -> (Part, Value) {
        let text = self.sample().content;
        let (essence, part) = [
            ("text/plain", Part::text(text.parse().unwrap())),
            ("text/html", Part::html(text.parse().unwrap())),
        ][self.draw.below(2)]
        .clone();
        let encoding = ENCODINGS[self.draw.below(ENCODINGS.len())];
        let fits = match encoding {
            TransferEncoding::SevenBit => text.is_ascii() && longest_line(&text) <= 998,
            TransferEncoding::EightBit => longest_line(&text) <= 998,
            _ => true,
        };
        let part = if fits && self.one_in(2) {
            part.transfer_encoding(encoding)
        } else {
            part
        };
        (part, text_seen(essence, &text))
    }

    /// Data from memory, from a file or from a reader, mostly named.
    fn data(&mut self) -> (Part, Value) {
        let length = match self.draw.below(12) {
            0 => 0,
            1 => 57 * 107 + self.draw.below(3),
            2 => 20_000,
            _ => self.draw.below(300),
        };
        let octets: Vec<u8> = (0..length)
            .map(|_| u8::try_from(self.draw.below(256)).unwrap())
            .collect();
        self.files += 1;
        let mut part = match self.draw.below(3) {
            0 => {
                let path = self.directory.join(format!("{}.bin", self.files));
                std::fs::write(&path, &octets).unwrap();
                Part::file(path).unwrap()
            }
            1 => {
                let given = octets.clone();
                let announced = self.one_in(2).then_some(octets.len() as u64);
                Part::reader(announced, move || Ok(Box::new(Cursor::new(given.clone()))))
            }
            _ => Part::octets(octets.clone()),
        };
        let name = self.draw.piece(FILE_NAMES);
        let essence = if self.one_in(2) {
            "application/x-own"
        } else {
            "image/x-own"
        };
        part = part
            .file_name(name.parse().unwrap())
            .media_type(essence.parse().unwrap());
        if self.one_in(4) {
            part = part.transfer_encoding(TransferEncoding::QuotedPrintable);
        }
        let mut seen = json!({
            "type": essence, "octets": hex(&octets), "name": name, "disposition": "attachment",
            "id": null, "description": null,
        });
        if self.one_in(3) {
            let description = self.sample().subject;
            part = part.description(description.parse().unwrap());
            seen["description"] = json!(description);
        }
        (part, seen)
    }

    fn list(&mut self, bound: usize) -> AddressList {
        let entries = (0..=self.draw.below(bound)).map(|_| {
            if self.one_in(5) {
                let name: DisplayName = self.draw.piece(GROUPS).parse().unwrap();
                let members = (0..=self.draw.below(3)).map(|_| self.address()).collect();
                Entry::Group(Group { name, members })
            } else {
                Entry::Address(self.address())
            }
        });
        AddressList(entries.collect())
    }

    fn address(&mut self) -> Address {
        let mailbox = self.draw.piece(MAILBOXES);
        self.named(mailbox)
    }

    fn named(&mut self, mailbox: &str) -> Address {
        let mailbox: Mailbox = mailbox.parse().unwrap();
        if self.one_in(3) {
            mailbox.into()
        } else {
            Address::named(self.draw.piece(NAMES).parse().unwrap(), mailbox)
        }
    }
}

/// One part is itself, several are joined.
fn joined(essence: &str, mut parts: Vec<Value>) -> Value {
    if parts.len() == 1 {
        parts.remove(0)
    } else {
        json!({ "type": essence, "parts": parts })
    }
}

fn text_seen(essence: &str, text: &str) -> Value {
    json!({
        "type": essence, "text": normalised(text), "name": null, "disposition": null, "id": null, "description": null,
    })
}

/// `[group, name, addr-spec]` of each.
fn shown(list: &AddressList) -> Value {
    let one = |group: &str, address: &Address| {
        let name = address.name.as_ref().map_or("", DisplayName::as_str);
        json!([group, name, address.mailbox.to_smtp()])
    };
    let mut all = Vec::new();
    for entry in &list.0 {
        match entry {
            Entry::Address(address) => all.push(one("", address)),
            Entry::Group(group) => {
                all.extend(
                    group
                        .members
                        .iter()
                        .map(|member| one(group.name.as_str(), member)),
                );
            }
        }
    }
    Value::Array(all)
}

fn longest_line(text: &str) -> usize {
    text.split(['\r', '\n']).map(str::len).max().unwrap_or_default()
}

pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut hex, octet| {
        write!(hex, "{octet:02x}").unwrap();
        hex
    })
}
