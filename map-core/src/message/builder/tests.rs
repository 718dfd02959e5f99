use super::super::{
    Disposition, FieldError, MAX_NESTING, MediaType, Needs, TransferEncoding, Unfit, Warning,
};
use super::*;
use std::io::Read;

fn list(text: &str) -> AddressList {
    text.parse().unwrap()
}

/// From `a` to `b`, at a fixed time.
fn plain() -> Builder {
    let date: jiff::Zoned = "2026-11-22T01:40:00+01:00[+01:00]".parse().unwrap();
    Builder::new()
        .from(list("a@x.example"))
        .to(list("b@y.example"))
        .date(date.try_into().unwrap())
        .message_id("1@x.example".parse().unwrap())
}

fn read(message: &Message) -> String {
    let mut octets = Vec::new();
    message.open().unwrap().read_to_end(&mut octets).unwrap();
    if let Some(size) = message.size() {
        assert_eq!(size, octets.len() as u64);
    }
    for line in octets.split_inclusive(|&octet| octet == b'\n') {
        assert!(line.ends_with(b"\r\n") && line.len() <= 1000, "{line:?}");
        assert!(
            !line[..line.len() - 2]
                .iter()
                .any(|octet| b"\r\n\0".contains(octet)),
            "{line:?}"
        );
    }
    String::from_utf8(octets).unwrap()
}

/// The message with `B1`, `B2` … in place of its boundaries.
fn shown(builder: Builder) -> String {
    let mut text = read(&builder.build().unwrap());
    for number in 1.. {
        let Some(start) = text.find("\"=_") else {
            break;
        };
        let boundary = text[start + 1..].split('"').next().unwrap().to_owned();
        assert!(boundary.len() > 20, "{boundary}");
        text = text.replace(&boundary, &format!("B{number}"));
    }
    text.replace("\r\n", "\n")
}

/// The header fields between From and Content-Type, unfolded.
fn header(builder: Builder) -> String {
    let text = shown(builder.text("c".parse().unwrap()));
    let (header, _) = text.split_once("\nMIME-Version: 1.0\n").unwrap();
    let header = header
        .split_once("Date: Sun, 22 Nov 2026 01:40:00 +0100\n")
        .unwrap();
    format!("{}{}", header.0, header.1)
}

#[test]
fn the_fields_in_their_order() {
    let builder = plain()
        .from(list("\"C.\" <c@x.example>"))
        .sender("Sec <s@x.example>".parse::<Address>().unwrap())
        .reply_to(list("r@x.example"))
        .to(list("T: d@y.example;"))
        .cc(list("e@y.example"))
        .bcc(list("f@y.example"))
        .subject("Grüße".parse().unwrap())
        .in_reply_to(["q@z".parse().unwrap()])
        .references(["p@z".parse().unwrap(), "q@z".parse().unwrap()])
        .comments("none".parse().unwrap())
        .comments("ни одного".parse().unwrap())
        .keywords(["a b", "c, d", "é"].map(|word| word.parse().unwrap()))
        .field(Field::new("X-One", "1").unwrap())
        .field(Field::new("X-One", "2").unwrap());
    assert_eq!(
        header(builder.clone()),
        "From: <a@x.example>, \"C.\" <c@x.example>\n\
         Sender: Sec <s@x.example>\n\
         Reply-To: <r@x.example>\n\
         To: <b@y.example>, T: <d@y.example>;\n\
         Cc: <e@y.example>\n\
         Subject: =?utf-8?B?R3LDvMOfZQ==?=\n\
         Message-ID: <1@x.example>\n\
         In-Reply-To: <q@z>\n\
         References: <p@z> <q@z>\n\
         Comments: none\n\
         Comments: =?utf-8?B?0L3QuCDQvtC00L3QvtCz0L4=?=\n\
         Keywords: a b, \"c, d\", =?utf-8?B?w6k=?=\n\
         X-One: 1\n\
         X-One: 2"
    );
    let message = builder.build().unwrap();
    assert_eq!(message.from().to_string(), "s@x.example");
    assert_eq!(message.message_id(), "1@x.example");
    let recipients: Vec<_> = message.recipients().iter().map(ToString::to_string).collect();
    assert_eq!(
        recipients,
        ["b@y.example", "d@y.example", "e@y.example", "f@y.example"]
    );
    assert!(message.warnings().is_empty());
    assert_eq!(message.needs(), Needs::default());
}

#[test]
fn a_recipient_gets_it_once() {
    let message = plain()
        .to(list("B@y.example, b@Y.EXAMPLE, c@bücher.example"))
        .cc(list("\"b\"@y.example, G: c@xn--bcher-kva.example, d@y.example;"))
        .bcc(list("d@y.example, a@x.example"))
        .build()
        .unwrap();
    let recipients: Vec<_> = message.recipients().iter().map(Mailbox::to_smtp).collect();
    // A local part in capitals is another one for all that we know.
    assert_eq!(
        recipients,
        [
            "b@y.example",
            "B@y.example",
            "c@xn--bcher-kva.example",
            "d@y.example",
            "a@x.example"
        ]
    );
    // The header says what was said.
    assert!(
        read(&message)
            .contains("\r\nTo: <b@y.example>, <B@y.example>, <b@y.example>, <c@xn--bcher-kva.example>\r\n")
    );
}

#[test]
fn blind_copies_are_in_the_envelope_alone() {
    let message = Builder::new()
        .from(list("a@x.example"))
        .bcc(list("Secret Person <secret@y.example>"))
        .text("c".parse().unwrap())
        .build()
        .unwrap();
    let text = read(&message);
    assert!(
        !text.to_lowercase().contains("bcc") && !text.to_lowercase().contains("secret"),
        "{text}"
    );
    assert!(text.contains("\r\nTo: undisclosed-recipients:;\r\n"));
    assert_eq!(message.recipients().len(), 1);
    // With a Cc there is no need of it.
    let text = read(&plain_cc());
    assert!(
        !text.contains("\r\nTo:") && text.contains("\r\nCc: <b@y.example>\r\n"),
        "{text}"
    );
}

fn plain_cc() -> Message {
    let builder = Builder::new().from(list("a@x.example")).cc(list("b@y.example"));
    builder.build().unwrap()
}

#[test]
fn the_sender_is_named_where_he_is_not_the_author() {
    let sender = |text: &str| plain().sender(text.parse::<Address>().unwrap());
    assert!(!header(sender("Anna <a@X.example>")).contains("Sender"));
    assert!(header(sender("s@x.example")).contains("\nSender: <s@x.example>\n"));
    assert!(header(sender("a@x.example").from(list("c@x.example"))).contains("\nSender: <a@x.example>\n"));
    let message = sender("s@x.example").envelope_from("bounces@x.example".parse().unwrap());
    assert_eq!(message.build().unwrap().from().to_string(), "bounces@x.example");
}

#[test]
fn resent_sets_stand_in_front() {
    let resent = |from: &str, to: &str, id: &str| Resent {
        from: list(from),
        to: list(to),
        cc: list("cc@z.example"),
        bcc: list("bcc@z.example"),
        date: plain().date,
        message_id: Some(id.parse().unwrap()),
        ..Resent::default()
    };
    let builder = plain()
        .resent(resent("b@y.example", "c@z.example", "2@y.example"))
        .resent(Resent {
            sender: Some("s@z.example".parse().unwrap()),
            ..resent("Ça <c@z.example>, e@z.example", "d@z.example", "3@z.example")
        });
    let message = builder.clone().build().unwrap();
    assert_eq!(message.from().to_string(), "s@z.example");
    let recipients: Vec<_> = message.recipients().iter().map(ToString::to_string).collect();
    assert_eq!(recipients, ["d@z.example", "cc@z.example", "bcc@z.example"]);
    let text = read(&message);
    let expected = "Resent-Date: Sun, 22 Nov 2026 01:40:00 +0100\r\n\
        Resent-From: =?utf-8?B?w4dh?= <c@z.example>, <e@z.example>\r\n\
        Resent-Sender: <s@z.example>\r\n\
        Resent-To: <d@z.example>\r\n\
        Resent-Cc: <cc@z.example>\r\n\
        Resent-Message-ID: <3@z.example>\r\n\
        Resent-Date: Sun, 22 Nov 2026 01:40:00 +0100\r\n\
        Resent-From: <b@y.example>\r\n\
        Resent-To: <c@z.example>\r\n\
        Resent-Cc: <cc@z.example>\r\n\
        Resent-Message-ID: <2@y.example>\r\n\
        Date: ";
    assert!(text.starts_with(expected), "{text}");
    assert!(!text.contains("bcc@"));
    for (wrong, error) in [
        (
            Resent {
                from: AddressList::default(),
                ..resent("b@y.example", "c@z.example", "2@y")
            },
            BuildError::NoFrom("Resent-From"),
        ),
        (
            resent("b@y.example, c@y.example", "c@z.example", "2@y"),
            BuildError::NoSender("Resent-From"),
        ),
        (
            Resent {
                from: list("b@y.example"),
                ..Resent::default()
            },
            BuildError::NoRecipient,
        ),
    ] {
        assert_eq!(plain().resent(wrong.clone()).build().unwrap_err(), error);
        assert_eq!(builder.clone().resent(wrong).build().unwrap_err(), error);
    }
}

#[test]
fn what_does_not_fit_together() {
    let part = || Part::octets(&b"data"[..]);
    let id = |part: Part| part.content_id("i@x".parse().unwrap());
    let html = || plain().html("<p>".parse().unwrap());
    let to = |builder: Builder| builder.to(list("b@y.example"));
    let nested = (0..60).fold(part(), |part, _| Part::multipart(Multipart::Mixed, [part]));
    let typed = |text: &str| part().media_type(text.parse::<MediaType>().unwrap());
    for (builder, error) in [
        (Builder::new(), BuildError::NoFrom("From")),
        (to(Builder::new().from(list("g:;"))), BuildError::Group("From")),
        (
            to(Builder::new().from(list("a@x.example, b@x.example"))),
            BuildError::NoSender("From"),
        ),
        (Builder::new().from(list("a@x.example")), BuildError::NoRecipient),
        (
            Builder::new().from(list("a@x.example")).to(list("nobody:;")),
            BuildError::NoRecipient,
        ),
        (plain().inline(id(part())), BuildError::InlineWithoutHtml),
        (html().inline(part()), BuildError::NoContentId),
        (
            html().inline(id(part())).inline(id(part())),
            BuildError::ContentIdTwice("i@x".to_owned()),
        ),
        (html().body(part()), BuildError::TwoBodies),
        (
            plain().body(Part::multipart(Multipart::Mixed, [])),
            BuildError::NoParts,
        ),
        (plain().body(nested), BuildError::TooDeep),
        (
            plain().attach(typed("multipart/mixed")),
            BuildError::Composite("multipart/mixed".to_owned()),
        ),
        (
            plain().attach(typed("Message/RFC822")),
            BuildError::Composite("message/rfc822".to_owned()),
        ),
        (
            plain().attach(typed("message/delivery-status").transfer_encoding(TransferEncoding::Base64)),
            BuildError::Composite("message/delivery-status".to_owned()),
        ),
    ] {
        assert_eq!(builder.build().unwrap_err(), error);
    }
    assert!(matches!(Field::new("To", "b"), Err(FieldError::Reserved(_))));
}

/// As deep as a program in a loop can nest them: it takes neither a stack nor time that grows with the square.
#[test]
fn parts_and_messages_nested_without_end_are_refused_and_let_go() {
    let in_multipart = |part: Part| Part::multipart(Multipart::Mixed, [part]);
    let nested = |levels| {
        (0..levels).fold(Part::text("inside".parse().unwrap()), |part, _| {
            in_multipart(part)
        })
    };
    assert_eq!(nested(20_000).check_nesting(), Err(BuildError::TooDeep));
    assert_eq!(
        plain().body(nested(20_000)).build().unwrap_err(),
        BuildError::TooDeep
    );
    let deepest = nested(MAX_NESTING);
    assert_eq!(deepest.check_nesting(), Ok(()));
    let whole = plain().body(deepest.clone()).build().unwrap();
    assert!(read(&whole).contains("inside"));
    assert_eq!(
        plain().body(in_multipart(deepest)).build().unwrap_err(),
        BuildError::TooDeep
    );

    let mut message = plain().body(nested(1)).build().unwrap();
    let mut levels = 1;
    let error = loop {
        match plain().body(Part::message(message)).build() {
            Ok(around) => message = around,
            Err(error) => break error,
        }
        levels += 1;
    };
    assert_eq!((error, levels), (BuildError::TooDeep, MAX_NESTING));
}

#[test]
fn a_content_id_without_at_is_taken_with_a_warning() {
    let part = |id: &str| Part::octets(&b"PNG"[..]).content_id(id.parse().unwrap());
    let html = || plain().html("<img src=\"cid:logo\">".parse().unwrap());
    let message = html().inline(part("logo")).inline(part("a@x")).build().unwrap();
    assert_eq!(message.warnings(), [Warning::ContentIdWithoutAt("logo".into())]);
    assert_eq!(
        message.warnings()[0].to_string(),
        "the content identifier <logo> has no @, as it should; readers find it all the same"
    );
    assert!(shown(html().inline(part("logo"))).contains("\nContent-ID: <logo>\n"));
    assert!(html().inline(part("a@x")).build().unwrap().warnings().is_empty());
}

#[test]
fn identifiers_of_others_travel_as_they_are() {
    let ids = || ReferenceId::list("<17@> <a..b@c.> <[17@abc]> <no-at> <a@b@c>").unwrap();
    let text = shown(plain().references(ids()).in_reply_to(ids().pop()));
    assert!(text.contains("\nReferences: <17@> <a..b@c.> <[17@abc]> <no-at> <a@b@c>\n"));
    assert!(text.contains("\nIn-Reply-To: <a@b@c>\n"));
}

#[test]
fn texts_as_data_have_their_character_set() {
    let types = |part: Part| {
        let text = shown(plain().attach(part));
        let mut all = text
            .lines()
            .filter_map(|line| line.strip_prefix("Content-Type: "));
        all.next_back().unwrap().to_owned()
    };
    let data = |media_type: &str, octets: &'static [u8]| {
        Part::octets(octets).media_type(media_type.parse().unwrap())
    };
    let umlaut = "ü".as_bytes();
    for (part, expected) in [
        (data("text/csv", umlaut), "text/csv; charset=\"utf-8\""),
        (data("text/csv", b"a,b"), "text/csv"),
        (data("text/csv", b"\xfc"), "text/csv"),
        (
            data("text/csv; charset=latin1", umlaut),
            "text/csv; charset=\"latin1\"",
        ),
        (data("text/markdown", b"# a"), "text/markdown; charset=\"utf-8\""),
        (data("text/markdown", umlaut), "text/markdown; charset=\"utf-8\""),
        (data("text/markdown", b"\xfc"), "text/markdown"),
        (data("application/json", umlaut), "application/json"),
        (
            Part::octets(umlaut).file_name("a.txt".parse().unwrap()),
            "text/plain; charset=\"utf-8\"; name=\"a.txt\"",
        ),
    ] {
        assert_eq!(types(part), expected);
    }
    let mut file = tempfile::Builder::new().suffix(".md").tempfile().unwrap();
    std::io::Write::write_all(&mut file, umlaut).unwrap();
    let message = plain().attach(Part::file(file.path()).unwrap()).build().unwrap();
    assert_eq!(
        message.size(),
        Some(std::io::copy(&mut message.open().unwrap(), &mut std::io::sink()).unwrap())
    );
    let mut octets = String::new();
    std::io::Read::read_to_string(&mut message.open().unwrap(), &mut octets).unwrap();
    assert!(octets.contains("Content-Type: text/markdown; charset=\"utf-8\";"));
}

#[test]
fn without_a_body_there_is_an_empty_text() {
    assert!(shown(plain()).ends_with(
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=\"utf-8\"\nContent-Transfer-Encoding: 7bit\n\n"
    ));
}

#[test]
fn text_html_pictures_and_attachments() {
    let picture = Part::octets(&b"PNG"[..])
        .file_name("logo.png".parse().unwrap())
        .content_id("logo@x".parse().unwrap());
    let report = Part::octets(vec![0, 1, 2])
        .file_name("Отчёт \"1\".pdf".parse().unwrap())
        .description("Über alles".parse().unwrap());
    let text = shown(
        plain()
            .text("hello".parse().unwrap())
            .html("<img src=\"cid:logo@x\">".parse().unwrap())
            .inline(picture)
            .attach(report),
    );
    let (_, body) = text.split_once("MIME-Version: 1.0\n").unwrap();
    assert_eq!(
        body,
        "Content-Type: multipart/mixed; boundary=\"B1\"
Content-Transfer-Encoding: 7bit

--B1
Content-Type: multipart/alternative; boundary=\"B2\"
Content-Transfer-Encoding: 7bit

--B2
Content-Type: text/plain; charset=\"utf-8\"
Content-Transfer-Encoding: 7bit

hello

--B2
Content-Type: multipart/related; type=\"text/html\";
 boundary=\"B3\"
Content-Transfer-Encoding: 7bit

--B3
Content-Type: text/html; charset=\"utf-8\"
Content-Transfer-Encoding: 7bit

<img src=\"cid:logo@x\">

--B3
Content-Type: image/png; name=\"logo.png\"
Content-Transfer-Encoding: base64
Content-ID: <logo@x>
Content-Disposition: inline; filename=\"logo.png\"

UE5H

--B3--

--B2--

--B1
Content-Type: application/pdf; name=\"=?utf-8?B?0J7RgtGH0ZHRgiAiMSIucGRm?=\"
Content-Transfer-Encoding: base64
Content-Description: =?utf-8?Q?=C3=9Cber_alles?=
Content-Disposition: attachment;
 filename*=UTF-8''%D0%9E%D1%82%D1%87%D1%91%D1%82%20%221%22.pdf

AAEC

--B1--
"
    );
}

#[test]
fn alone_attached_or_inside() {
    let data = || Part::octets(&b"data"[..]);
    let types = |builder: Builder| -> Vec<String> {
        let text = shown(builder);
        let types = text
            .lines()
            .filter_map(|line| line.strip_prefix("Content-Type: "));
        types
            .map(|line| line.split(';').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(types(plain().html("h".parse().unwrap())), ["text/html"]);
    assert_eq!(
        types(plain().attach(data())),
        ["multipart/mixed", "application/octet-stream"]
    );
    assert_eq!(types(plain().body(data())), ["application/octet-stream"]);
    assert_eq!(
        types(plain().body(data()).attach(data())),
        [
            "multipart/mixed",
            "application/octet-stream",
            "application/octet-stream"
        ]
    );
    let inner = plain().text("inner".parse().unwrap()).build().unwrap();
    let parts = [Part::message(inner), Part::text("t".parse().unwrap())];
    for (kind, essence) in [
        (Multipart::Parallel, "multipart/parallel"),
        (Multipart::Digest, "multipart/digest"),
        (Multipart::Alternative, "multipart/alternative"),
    ] {
        assert_eq!(
            types(plain().body(Part::multipart(kind, parts.clone()))),
            [essence, "message/rfc822", "text/plain", "text/plain"]
        );
    }
    let shown = shown(plain().attach(data().disposition(Disposition::Inline)));
    assert!(shown.contains("\nContent-Disposition: inline\n"), "{shown}");
}

#[test]
fn the_media_type_of_data() {
    let of = |part: Part| {
        let text = shown(plain().body(part));
        let (_, behind) = text.split_once("Content-Type: ").unwrap();
        behind.split("\nContent-").next().unwrap().to_owned()
    };
    let data = || Part::octets(&b"data"[..]);
    let named = |name: &str| data().file_name(name.parse().unwrap());
    assert_eq!(of(data()), "application/octet-stream");
    assert_eq!(of(named("a.PDF")), "application/pdf; name=\"a.PDF\"");
    assert_eq!(of(named("a.eml")), "application/octet-stream; name=\"a.eml\"");
    let typed = named("a.txt").media_type("Text/Calendar; method=REQUEST; name=other".parse().unwrap());
    assert_eq!(of(typed), "text/calendar; method=\"REQUEST\"; name=\"a.txt\"");
    // Our text is UTF-8, whatever is said about it.
    let text = Part::text("é".parse().unwrap())
        .media_type("text/csv; charset=latin1; header=absent".parse().unwrap());
    assert_eq!(of(text), "text/csv; header=\"absent\"; charset=\"utf-8\"");
    let json = Part::text("{}".parse().unwrap()).media_type("application/json".parse().unwrap());
    assert_eq!(of(json), "application/json");
}

#[test]
fn every_transfer_encoding_of_a_text_and_of_data() {
    use TransferEncoding::{Base64, Binary, EightBit, QuotedPrintable, SevenBit};
    let body = |part: Part, encoding: TransferEncoding| {
        let message = plain().body(part.transfer_encoding(encoding)).build();
        message.map(|message| {
            let text = read(&message);
            let (header, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(
                header.contains(&format!("\r\nContent-Transfer-Encoding: {}", encoding.name())),
                "{header}"
            );
            body.to_owned()
        })
    };
    let text = |text: &str, encoding| body(Part::text(text.parse().unwrap()), encoding);
    let data = |octets: &'static [u8], encoding| body(Part::octets(octets), encoding);
    let unfit = |part: &str, why| {
        Err(BuildError::Unfit {
            part: format!("the part {part}, which is not to be encoded"),
            why,
        })
    };
    let long = "x".repeat(999);
    assert_eq!(text("a\nb", SevenBit).unwrap(), "a\r\nb\r\n");
    assert_eq!(text("é", SevenBit), unfit("text/plain", Unfit::EightBit));
    assert_eq!(text("é", EightBit).unwrap(), "é\r\n");
    assert_eq!(text(&long, EightBit), unfit("text/plain", Unfit::LongLine));
    assert_eq!(text("é", QuotedPrintable).unwrap(), "=C3=A9\r\n");
    assert_eq!(text("a", Base64).unwrap(), "YQ0K\r\n");
    assert_eq!(text("a", Binary).unwrap(), "a\r\n");
    assert_eq!(data(b"a\r\n\tb\r\n", SevenBit).unwrap(), "a\r\n\tb\r\n");
    for (octets, why) in [
        (&b"a\nb\r\n"[..], Unfit::BareLineEnd),
        (b"a\rb\r\n", Unfit::BareLineEnd),
        (b"a\r", Unfit::BareLineEnd),
        (b"a\r\r\n", Unfit::BareLineEnd),
        (b"a\0\r\n", Unfit::Nul),
        (b"\xe9\r\n", Unfit::EightBit),
        (b"a", Unfit::NoLineEnd),
        (&[b'x'; 999], Unfit::LongLine),
    ] {
        assert_eq!(
            data(octets, SevenBit),
            unfit("application/octet-stream", why),
            "{octets:?}"
        );
    }
    assert_eq!(data("é\r\n".as_bytes(), EightBit).unwrap(), "é\r\n");
    assert_eq!(
        data(b"a\0\r\n", EightBit),
        unfit("application/octet-stream", Unfit::Nul)
    );
    assert_eq!(
        data(b"a \n.F=\x00\xff", QuotedPrintable).unwrap(),
        "a =0A.F=3D=00=FF=\r\n"
    );
    assert_eq!(data(b".", QuotedPrintable).unwrap(), "=2E=\r\n");
    assert_eq!(data(b"", QuotedPrintable).unwrap(), "");
    assert_eq!(data(b"a\n", Base64).unwrap(), "YQo=\r\n");
    // Within others it needs no end of its own.
    let attached = Part::octets(&b"a"[..]).transfer_encoding(SevenBit);
    assert!(shown(plain().attach(attached)).ends_with("\n\na\n--B1--\n"));
}

#[test]
fn binary_goes_as_it_is() {
    let octets: Vec<u8> = (0..=255).cycle().take(3000).collect();
    let part = Part::octets(octets.clone()).transfer_encoding(TransferEncoding::Binary);
    let message = plain().body(part).build().unwrap();
    let mut seen = Vec::new();
    message.open().unwrap().read_to_end(&mut seen).unwrap();
    assert_eq!(message.size(), Some(seen.len() as u64));
    assert!(seen.ends_with(&octets));
    assert_eq!(message.needs().body_type, BodyType::Binary);
}

/// The transfer encodings in their order, and what the message needs.
fn encodings(message: &Message) -> (BodyType, Vec<String>) {
    let mut octets = Vec::new();
    message.open().unwrap().read_to_end(&mut octets).unwrap();
    assert_eq!(message.size(), Some(octets.len() as u64));
    let text = String::from_utf8_lossy(&octets);
    let encodings = text
        .lines()
        .filter_map(|line| line.strip_prefix("Content-Transfer-Encoding: "));
    (message.needs().body_type, encodings.map(str::to_owned).collect())
}

#[test]
fn who_is_not_shown_asks_nothing_of_the_hosts_of_others() {
    let hidden: AddressList = "почта@example.org".parse().unwrap();
    let blind = plain().bcc(hidden.clone()).build().unwrap();
    assert_eq!(blind.recipients().len(), 2);
    assert!(!blind.needs().smtputf8);
    assert!(plain().cc(hidden.clone()).build().unwrap().needs().smtputf8);
    let resent = |bcc: &AddressList, to: &AddressList| Resent {
        from: "bob@example.com".parse().unwrap(),
        to: to.clone(),
        bcc: bcc.clone(),
        ..Resent::default()
    };
    let seen: AddressList = "carol@example.com".parse().unwrap();
    for (resent, needed) in [(resent(&hidden, &seen), false), (resent(&seen, &hidden), true)] {
        assert_eq!(plain().resent(resent).build().unwrap().needs().smtputf8, needed);
    }
}

#[test]
fn a_host_gets_what_it_takes() {
    let offers = |body_type| Needs {
        body_type,
        smtputf8: false,
    };
    let forms = |builder: Builder| {
        let message = builder.build().unwrap();
        [BodyType::Binary, BodyType::EightBit, BodyType::SevenBit].map(|body_type| {
            let (needs, encodings) = encodings(&message.for_host(offers(body_type)).unwrap());
            assert!(needs <= body_type);
            encodings.join(" ")
        })
    };
    let with = |body_type| {
        plain()
            .body_type(body_type)
            .text("é".parse().unwrap())
            .attach(Part::octets(&b"\x00"[..]))
            .attach(Part::text("a".parse().unwrap()))
    };
    let (seven, eight) = ("7bit base64 base64 7bit", "8bit 8bit base64 7bit");
    assert_eq!(forms(with(BodyType::SevenBit)), [seven; 3]);
    assert_eq!(forms(with(BodyType::EightBit)), [eight, eight, seven]);
    assert_eq!(
        forms(with(BodyType::Binary)),
        ["binary 8bit binary 7bit", eight, seven]
    );
    let long = format!("é{}", "x".repeat(1000));
    assert_eq!(
        forms(plain().body_type(BodyType::Binary).text(long.parse().unwrap())),
        ["binary", "quoted-printable", "quoted-printable"]
    );
    // A wish for one part, the others left to us.
    let wishes = |encoding| Part::octets(&b"\xe9\r\n"[..]).transfer_encoding(encoding);
    let with = |encoding| plain().text("é".parse().unwrap()).attach(wishes(encoding));
    assert_eq!(
        forms(with(TransferEncoding::EightBit)),
        [
            "8bit base64 8bit",
            "8bit base64 8bit",
            seven.strip_suffix(" 7bit").unwrap()
        ]
    );
    assert_eq!(
        forms(with(TransferEncoding::Binary).attach(wishes(TransferEncoding::EightBit))),
        [
            "binary base64 binary 8bit",
            "8bit base64 base64 8bit",
            "7bit base64 base64 base64"
        ]
    );
    // A message inside is taken in the form that fits.
    let inner = with(TransferEncoding::EightBit).build().unwrap();
    let outer = |body_type| {
        plain()
            .body_type(body_type)
            .attach(Part::message(inner.clone()))
            .build()
            .unwrap()
    };
    assert_eq!(encodings(&outer(BodyType::SevenBit)).0, BodyType::SevenBit);
    let eight = outer(BodyType::EightBit);
    assert_eq!(encodings(&eight).1.join(" "), "8bit 8bit 8bit base64 8bit");
    assert_eq!(
        encodings(&eight.for_host(Needs::default()).unwrap()).1.join(" "),
        "7bit 7bit 7bit base64 base64"
    );
    let same = eight.for_host(Needs::default()).unwrap();
    assert_eq!(
        (same.message_id(), same.recipients()),
        (eight.message_id(), eight.recipients())
    );
}

#[test]
fn boundaries_occur_in_nothing_that_is_in_memory() {
    use super::super::multipart::boundary;
    use super::super::part::Plain;
    let drawn = std::cell::Cell::new(0);
    let draw = || {
        drawn.set(drawn.get() + 1);
        format!("{}", drawn.get())
    };
    let plain = [
        Plain::Text("a\n--=_1\n".parse().unwrap()),
        Plain::Octets("x=_2".into()),
        Plain::Octets("=_ 3".into()),
    ];
    assert_eq!(boundary(&plain, draw), "=_3");
    let message = super::tests::plain()
        .text("a".parse().unwrap())
        .html("b".parse().unwrap());
    assert_ne!(
        read(&message.clone().build().unwrap()),
        read(&message.build().unwrap())
    );
}

#[test]
fn debug_does_not_show_what_it_says() {
    let builder = plain().attach(Part::octets(&b"quite private"[..]));
    assert!(!format!("{:?}", builder.clone().build().unwrap()).contains("private"));
    assert!(!format!("{builder:?}").contains("private"));
}
