use super::super::{Needs, SourceError};
use super::*;
use proptest::prelude::*;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

const HEADER: &str = "From: a@x.example\r\nTo: b@y.example\r\nDate: Sun, 22 Nov 2026 01:40:00 +0100\r\n";

fn with_body(body: &[u8]) -> Vec<u8> {
    [HEADER.as_bytes(), b"\r\n", body].concat()
}

fn built(octets: &[u8]) -> Message {
    Raw::octets(octets.to_vec())
        .build()
        .unwrap_or_else(|error| panic!("{error}: {octets:?}"))
}

fn read(message: &Message) -> Vec<u8> {
    let mut octets = Vec::new();
    message.open().unwrap().read_to_end(&mut octets).unwrap();
    assert_eq!(message.size(), Some(octets.len() as u64));
    octets
}

fn error(octets: &[u8]) -> String {
    match Raw::octets(octets.to_vec()).build() {
        Ok(message) => panic!("{message:?}"),
        Err(error) => error.to_string(),
    }
}

fn envelope(message: &Message) -> String {
    let recipients: Vec<_> = message.recipients().iter().map(Mailbox::to_smtp).collect();
    format!("{} > {}", message.from().to_smtp(), recipients.join(" "))
}

#[test]
fn it_travels_unchanged_and_says_what_it_needs() {
    let long = [b'x'; 999];
    for (body, body_type, why) in [
        (&b""[..], BodyType::SevenBit, ""),
        (b"hello\r\n.\r\n\r\n", BodyType::SevenBit, ""),
        (&[&long[1..], b"\r\n"].concat(), BodyType::SevenBit, ""),
        (
            b"\r\n\xe9\r\n",
            BodyType::EightBit,
            "8BITMIME, which is needed for an octet beyond ASCII in line 6",
        ),
        (
            b"a\xe9b\r\n",
            BodyType::EightBit,
            "8BITMIME, which is needed for an octet beyond ASCII in line 5",
        ),
        (
            &long,
            BodyType::Binary,
            "BINARYMIME, which is needed for more than 998 octets in line 5",
        ),
        (
            &[b"\xe9\r\n\r\n", &long[..], b"\r\n"].concat(),
            BodyType::Binary,
            "BINARYMIME, which is needed for more than 998 octets in line 7",
        ),
        (
            b"a\r\n\0",
            BodyType::Binary,
            "BINARYMIME, which is needed for a NUL octet in line 6",
        ),
        (
            b"a\nb\r\n",
            BodyType::Binary,
            "BINARYMIME, which is needed for an LF without a CR in line 5",
        ),
        (
            b"a\rb\r\n",
            BodyType::Binary,
            "BINARYMIME, which is needed for a CR without an LF in line 5",
        ),
        (
            b"a\r\r\n",
            BodyType::Binary,
            "BINARYMIME, which is needed for a CR without an LF in line 5",
        ),
        (
            b"a\r\nb\r",
            BodyType::Binary,
            "BINARYMIME, which is needed for a CR without an LF in line 6",
        ),
        (
            b"a\n.\nb",
            BodyType::Binary,
            "BINARYMIME, which is needed for an LF without a CR in line 5",
        ),
    ] {
        let octets = with_body(body);
        let message = built(&octets);
        assert_eq!(read(&message), octets);
        let needs = Needs {
            body_type,
            smtputf8: false,
        };
        assert_eq!(message.needs(), needs, "{body:?}");
        assert_eq!(message.for_host(needs).unwrap().needs(), needs);
        let unmet = message.for_host(Needs::default()).err();
        let unmet = unmet.map(|unmet| unmet.to_string()).unwrap_or_default();
        assert_eq!(
            unmet.strip_prefix("the host does not offer ").unwrap_or_default(),
            why,
            "{body:?}"
        );
        assert_eq!(envelope(&message), "a@x.example > b@y.example");
    }
}

#[test]
fn a_sender_beyond_ascii_asks_it_of_every_host_and_a_recipient_of_his_own() {
    let octets = format!("{HEADER}\r\nhello\r\n");
    let with = |from: &str, to: &str| {
        Raw::octets(octets.clone())
            .envelope(from.parse().unwrap(), [to.parse().unwrap()])
            .build()
            .unwrap()
            .needs()
            .smtputf8
    };
    assert!(!with("a@x.example", "почта@y.example"));
    assert!(with("почта@x.example", "b@y.example"));
}

#[test]
fn a_header_beyond_ascii_needs_smtputf8() {
    let octets = format!("{HEADER}X-A: b\r\n c\r\nSubject: Re:\r\n Grüße\r\n\r\nhello\r\n");
    let message = built(octets.as_bytes());
    assert_eq!(
        message.needs(),
        Needs {
            body_type: BodyType::SevenBit,
            smtputf8: true
        }
    );
    assert_eq!(read(&message), octets.as_bytes());
    let offered = Needs {
        body_type: BodyType::Binary,
        smtputf8: false,
    };
    assert_eq!(
        message.for_host(offered).unwrap_err().to_string(),
        "the host does not offer SMTPUTF8, which is needed for the header field Subject in line 6"
    );
}

#[test]
fn a_header_that_is_none() {
    let long = format!("Subject: {}\r\n", "x".repeat(990));
    for (octets, expected) in [
        (&b""[..], "there is no header"),
        (b"\r\nFrom: a@x.example\r\n", "there is no header"),
        (
            b"From a@x.example Sun Nov 22\r\nTo: b\r\n",
            "the message begins with a line \"From \" of a mailbox file",
        ),
        (b" From: a@x.example\r\n", "line 1 is no header field"),
        (b"From: a@x.example\r\nnonsense\r\n", "line 2 is no header field"),
        (b"From: a@x.example\r\n: b\r\n", "line 2 is no header field"),
        (b"From: a@x.example\r\nF rom: b\r\n", "line 2 is no header field"),
        (
            b"From: a@x.example\r\n\xc3\xa9: b\r\n",
            "line 2 is no header field",
        ),
        (
            b"To: b@y.example\nFrom: a\n",
            "an LF without a CR in line 1, which is in the header, where no host can take it; unix_line_ends takes such \
             lines, and sends them with CR LF",
        ),
        (
            b"To: b@y.example\r\nFrom: a\r\rb\r\n",
            "a CR without an LF in line 2, which is in the header, where no host can take it",
        ),
        (
            b"To: b@y.example\0\r\n",
            "a NUL octet in line 1, which is in the header, where no host can take it",
        ),
        (
            long.as_bytes(),
            "more than 998 octets in line 1, which is in the header, where no host can take it",
        ),
        (
            b"To: b@y.example\r\nSubject: x\r\n \xe9\r\n",
            "the header field Subject in line 3 is not UTF-8",
        ),
        (
            b"To: b@y.example\r\n\r\n",
            "there is no address in the header field From",
        ),
        (
            b"From: a@x.example\r\nTo: nobody:;\r\n\r\n",
            "there is no recipient",
        ),
        (b"From: a@x.example\r\nTo: \r\n\r\n", "there is no recipient"),
        (
            b"From: a@x.example, c@x.example\r\nTo: b@y.example\r\n\r\n",
            "there are several addresses in the header field From, and the one who sends the message is not named",
        ),
        (
            b"From: a@x.example\r\nTo: b@y.example,\r\n Bob\r\n\r\n",
            "the header field To in line 2: \"Bob\", which ends at position 17, is a name without an address (a name with a comma in it needs quotation marks)",
        ),
        (
            b"From: a@x.example\r\nTo: b@y.example\r\nBCC: c@y.example\r\n\r\n",
            "the message has a header field BCC, which every recipient would see; it can be removed or kept",
        ),
    ] {
        assert_eq!(error(octets), expected, "{:?}", String::from_utf8_lossy(octets));
    }
    let endless = "X: y\r\n".repeat(scan::MAX_HEADER / 6 + 1);
    assert_eq!(
        error(endless.as_bytes()),
        "the header has more than 1,048,576 octets"
    );
    let last = endless.len() / 6 - 1;
    let longest = format!("{HEADER}\r\n{endless}");
    assert_eq!(
        read(&built(longest.as_bytes())).len(),
        HEADER.len() + 2 + (last + 1) * 6
    );
}

#[test]
fn the_envelope_by_the_header() {
    for (header, expected) in [
        (
            "From: Anna <a@x.example>\r\nTo: b@y.example\r\n",
            "a@x.example > b@y.example",
        ),
        (
            "FROM: a@x.example,\r\n\tc@x.example\r\nsender: \"S.\" <s@x.example>\r\nTo: T: b@y.example, b@Y.example;\r\nCC: c@y.example (C),\r\n =?utf-8?Q?D=C3=A9?= <d@y.example>\r\n",
            "s@x.example > b@y.example c@y.example d@y.example",
        ),
        (
            "From : a@x.example\r\nCc: b@y.example\r\nTo:\r\n",
            "a@x.example > b@y.example",
        ),
        (
            "To: b@y.example\r\nTo: c@y.example\r\nFrom: a@x.example\r\n",
            "a@x.example > b@y.example c@y.example",
        ),
        (
            "Resent-From: r@y.example\r\nResent-To: c@z.example\r\nFrom: a@x.example\r\nTo: b@y.example\r\n",
            "r@y.example > c@z.example",
        ),
        (
            "resent-sender: s@y.example\r\nResent-From: r@y.example, q@y.example\r\nResent-Cc: c@z.example\r\nFrom: broken\r\n",
            "s@y.example > c@z.example",
        ),
    ] {
        let octets = format!("{header}\r\nhello\r\n");
        assert_eq!(envelope(&built(octets.as_bytes())), expected, "{header}");
    }
    let twice = "Resent-From: r@y.example\r\nResent-To: c@z.example\r\n".repeat(2);
    assert!(matches!(
        Raw::octets(format!("{twice}{HEADER}\r\n")).build(),
        Err(RawError::SeveralResent)
    ));
}

#[test]
fn a_name_that_reads_like_addresses_gets_nothing() {
    for name in [
        "\"m@evil.example, Bob\"",
        "\"<m@evil.example>, Bob\"",
        "\"\\\"<m@evil.example>, \\\"Bob\"",
        "\"m@evil.example,\r\n Bob\"",
        "=?utf-8?Q?m=40evil.example=2C_Bob?=",
        "=?utf-8?Q?=3Cm=40evil.example=3E=2C?= Bob",
        "=?utf-8?B?bUBldmlsLmV4YW1wbGUs?=",
        "(m@evil.example, \"<m@evil.example>,) Bob",
    ] {
        for field in ["To", "Cc", "Bcc", "Sender"] {
            let octets = format!(
                "{field}: {name} <b@y.example>\r\nFrom: {name} <a@x.example>\r\nTo: c@y.example\r\n\r\n"
            );
            let message = Raw::octets(octets.clone())
                .blind_copies(BlindCopies::Remove)
                .build();
            let envelope = envelope(&message.unwrap_or_else(|error| panic!("{error}: {octets}")));
            assert!(!envelope.contains("evil"), "{envelope}: {octets}");
            assert!(envelope.contains("b@y.example"), "{envelope}: {octets}");
        }
    }
}

#[test]
fn a_given_envelope_rules() {
    let mailbox = |text: &str| text.parse::<Mailbox>().unwrap();
    let to = [
        mailbox("b@z.example"),
        mailbox("b@Z.EXAMPLE"),
        mailbox("c@z.example"),
    ];
    let message = Raw::octets("From: nobody at all\r\nSubject: x\r\n\r\n")
        .envelope(mailbox("bounces@x.example"), to)
        .build()
        .unwrap();
    assert_eq!(envelope(&message), "bounces@x.example > b@z.example c@z.example");
    let missing = ["Date", "Message-ID"].map(Warning::FieldMissing);
    assert_eq!(message.warnings(), missing);
    let nobody = Raw::octets(with_body(b"")).envelope(mailbox("a@x.example"), []);
    assert!(matches!(nobody.build(), Err(RawError::NoRecipient)));
}

#[test]
fn oddities_are_told_or_refused() {
    let named = |body: &[u8]| [b"Message-ID: <m@x.example>\r\n", &with_body(body)[..]].concat();
    for (octets, warnings) in [
        (named(b"x\r\n"), vec![]),
        (with_body(b"x\r\n"), vec![Warning::FieldMissing("Message-ID")]),
        (named(b"x"), vec![Warning::NoLineEnd]),
        (named(b"\0"), vec![]),
        (
            b"From: a@x.example\r\nTo: b@y.example\r\nsubject: x\r\nSubject: y\r\n\r\n".to_vec(),
            vec![
                Warning::FieldMissing("Date"),
                Warning::FieldMissing("Message-ID"),
                Warning::FieldTwice("Subject"),
            ],
        ),
        (
            b"Sender: a@x.example\r\nTo: b@y.example".to_vec(),
            vec![
                Warning::FieldMissing("Date"),
                Warning::FieldMissing("From"),
                Warning::FieldMissing("Message-ID"),
                Warning::NoLineEnd,
            ],
        ),
    ] {
        let message = built(&octets);
        assert_eq!(message.warnings(), warnings);
        let added: &[u8] = if warnings.contains(&Warning::NoLineEnd) {
            b"\r\n"
        } else {
            b""
        };
        assert_eq!(read(&message), [&octets, added].concat());
        let strict = Raw::octets(octets).strict().build();
        match warnings.first() {
            None => assert!(strict.is_ok()),
            Some(first) => assert_eq!(strict.unwrap_err().to_string(), first.to_string()),
        }
    }
}

#[test]
fn blind_copies_are_removed_or_kept_as_asked() {
    let octets = "bcc: c@y.example,\r\n\td@y.example\r\nFrom: a@x.example\r\nBcc:\r\nTo: b@y.example\r\n\
                  Date: Sun, 22 Nov 2026 01:40:00 +0100\r\nX-Last: 1\r\nBCC : e@y.example\r\n\r\nbcc: body\r\n\u{e9}\r\n";
    let octets = octets.as_bytes();
    let kept = Raw::octets(octets)
        .blind_copies(BlindCopies::Keep)
        .build()
        .unwrap();
    assert_eq!(read(&kept), octets);
    let removed = Raw::octets(octets)
        .blind_copies(BlindCopies::Remove)
        .build()
        .unwrap();
    assert_eq!(
        String::from_utf8(read(&removed)).unwrap(),
        "From: a@x.example\r\nTo: b@y.example\r\nDate: Sun, 22 Nov 2026 01:40:00 +0100\r\nX-Last: 1\r\n\r\nbcc: body\r\n\u{e9}\r\n"
    );
    for message in [kept, removed] {
        assert_eq!(
            envelope(&message),
            "a@x.example > b@y.example c@y.example d@y.example e@y.example"
        );
    }
    let plain = with_body(b"x\r\n");
    let nothing = Raw::octets(plain.clone())
        .blind_copies(BlindCopies::Remove)
        .build()
        .unwrap();
    assert_eq!(read(&nothing), plain);
}

#[test]
fn resent_sets_stand_before_what_is_unchanged() {
    let octets = with_body(b"signed\r\n");
    let resent = || Resent {
        from: "r@y.example".parse().unwrap(),
        bcc: "c@z.example".parse().unwrap(),
        ..Resent::default()
    };
    let message = Raw::octets(octets.clone()).resent(resent()).build().unwrap();
    assert_eq!(envelope(&message), "r@y.example > c@z.example");
    let sent = read(&message);
    let ahead = sent.strip_suffix(octets.as_slice()).unwrap();
    let ahead = std::str::from_utf8(ahead).unwrap();
    assert!(
        ahead.starts_with("Resent-Date: ") && ahead.contains("\r\nResent-From: <r@y.example>\r\n"),
        "{ahead}"
    );
    assert!(!ahead.contains("c@z.example"));
    let wrong = Raw::octets(octets).resent(Resent::default()).build();
    assert!(matches!(
        wrong,
        Err(RawError::Resent(BuildError::NoFrom("Resent-From")))
    ));
}

#[test]
fn its_message_id_is_told() {
    for (field, expected) in [
        ("Message-ID: <a.1@x.example>\r\n", "a.1@x.example"),
        ("message-id:\r\n\t<[odd]..@@x>\r\n", "[odd]..@@x"),
        ("Message-ID: a.1@x.example\r\n", ""),
        ("Message-ID: <a@x> <b@x>\r\n", ""),
        ("", ""),
    ] {
        let octets = format!("{field}{HEADER}\r\n");
        assert_eq!(built(octets.as_bytes()).message_id(), expected);
    }
}

#[test]
fn a_file_of_unix_gets_its_line_ends() {
    let unix = "From: a@x.example\nTo: b@y.example\nDate: x\n\nline\r\n\n\nlast";
    let message = Raw::octets(unix).unix_line_ends().build().unwrap();
    assert_eq!(
        String::from_utf8(read(&message)).unwrap(),
        "From: a@x.example\r\nTo: b@y.example\r\nDate: x\r\n\r\nline\r\n\r\n\r\nlast\r\n"
    );
    assert_eq!(message.needs(), Needs::default());
    // A CR alone is no line end of Unix.
    let message = Raw::octets(unix.replace("last", "la\rst"))
        .unix_line_ends()
        .build()
        .unwrap();
    assert_eq!(message.needs().body_type, BodyType::Binary);
    // Where the blocks meet.
    for before in 8 * 1024 - 100..8 * 1024 - 20 {
        let body = format!("{}\r\nb\nc\n", "x".repeat(50).repeat(before / 50));
        let octets = format!("{}\n{body}", HEADER.replace("\r\n", "\n"));
        let octets = octets.replace("xx", "x\n");
        let expected = octets.replace("\r\n", "\n").replace('\n', "\r\n");
        let message = Raw::octets(octets).unix_line_ends().build().unwrap();
        assert_eq!(read(&message), expected.as_bytes());
    }
}

#[test]
fn what_changes_after_the_look_is_not_sent() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&with_body(b"0123456789\r\n")).unwrap();
    let message = Raw::file(file.path()).unwrap().build().unwrap();
    assert_eq!(read(&message), with_body(b"0123456789\r\n"));

    let sent = |message: &Message| {
        message
            .open()
            .and_then(|mut reader| reader.read_to_end(&mut Vec::new()))
    };
    let write = |octets: &[u8]| std::fs::write(file.path(), with_body(octets)).unwrap();
    // Of the same length, and yet the end of a content to some.
    write(b"0123\n.\n789\r\n");
    let error = sent(&message).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a CR or LF stands alone, and 7bit and 8bit have lines that end in both"
    );
    write(b"012345678\xe9\r\n");
    assert!(sent(&message).is_err());
    write(b"0123456789ab");
    assert!(sent(&message).is_err());
    write(b"short\r\n");
    let error = sent(&message).unwrap_err();
    assert!(matches!(
        error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<SourceError>()),
        Some(SourceError::Shorter { .. })
    ));
}

#[test]
fn a_reader_is_opened_for_the_look_and_for_each_host() {
    let opened = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&opened);
    let message = Raw::reader(move || {
        // Another length each time but the first two.
        let times = counted.fetch_add(1, Ordering::Relaxed);
        let body = "x\r\n".repeat(if times < 2 { 1 } else { times });
        Ok(Box::new(io::Cursor::new(with_body(body.as_bytes()))))
    })
    .build()
    .unwrap();
    assert_eq!(message.size(), Some(with_body(b"x\r\n").len() as u64));
    assert_eq!(read(&message), with_body(b"x\r\n"));
    assert!(message.open().unwrap().read_to_end(&mut Vec::new()).is_err());
    assert_eq!(opened.load(Ordering::Relaxed), 3);
    let broken = Raw::reader(|| Err(io::Error::other("no such thing"))).build();
    assert_eq!(
        broken.unwrap_err().to_string(),
        "the message cannot be read: the program's own reader failed: no such thing"
    );
}

#[test]
fn a_signed_message_inside_of_another_is_unchanged() {
    let octets = with_body(b"--sig\r\n\xe9\r\n-----BEGIN PGP SIGNATURE-----\r\n");
    let outer = super::super::Builder::new()
        .from("a@x.example".parse::<Mailbox>().unwrap())
        .to("b@y.example".parse::<Mailbox>().unwrap())
        .attach(super::super::Part::message(built(&octets)))
        .build()
        .unwrap();
    let sent = read(&outer);
    assert!(memchr::memmem::find(&sent, &octets).is_some());
    // It cannot be encoded, so that its need is that of the whole.
    assert_eq!(outer.needs().body_type, BodyType::EightBit);
    assert!(outer.for_host(Needs::default()).is_err());
    let utf8 = format!("Subject: é\r\n{HEADER}\r\n");
    let outer = super::super::Builder::new()
        .from("a@x.example".parse::<Mailbox>().unwrap())
        .to("b@y.example".parse::<Mailbox>().unwrap())
        .attach(super::super::Part::message(built(utf8.as_bytes())))
        .build()
        .unwrap();
    assert_eq!(outer.needs(), Needs::default());
    let text = String::from_utf8(read(&outer)).unwrap();
    assert!(
        text.contains("Content-Type: message/global\r\nContent-Transfer-Encoding: base64\r\n"),
        "{text}"
    );
}

proptest! {
    #[test]
    fn the_blocks_in_which_it_is_read_make_no_difference(
        body in "([a-zé\r\n\0]|\r\n|x{300}){0,40}",
        blocks in prop::collection::vec(1_usize..50, 1..20),
    ) {
        let octets = with_body(body.as_bytes());
        let whole = built(&octets);
        let shared = Bytes::from(octets.clone());
        let pieces = Raw::reader(move || {
            let (mut rest, blocks) = (shared.clone(), blocks.clone());
            let mut sizes = blocks.into_iter().cycle();
            let blocks = std::iter::from_fn(move || {
                let size = sizes.next()?.min(rest.len());
                (size > 0).then(|| rest.split_to(size))
            });
            Ok(Box::new(Pieces { blocks, block: Bytes::new() }))
        })
        .build()
        .unwrap();
        prop_assert_eq!(whole.needs(), pieces.needs());
        let offered = Needs::default();
        prop_assert_eq!(whole.for_host(offered).err(), pieces.for_host(offered).err());
        prop_assert_eq!(read(&whole), read(&pieces));
        let sent = read(&whole);
        prop_assert!(sent == octets || sent == [octets, b"\r\n".to_vec()].concat());
    }

    #[test]
    fn any_octets_are_a_message_or_an_error(octets in "(From:|To:|Bcc:|[a-c@<>,; é]|\r\n|\n|\r\n ){0,40}") {
        let raw = Raw::octets(octets).blind_copies(BlindCopies::Remove);
        if let Ok(message) = raw.build() {
            read(&message);
        }
    }
}

/// Gives one block at a time.
struct Pieces<I> {
    blocks: I,
    block: Bytes,
}

impl<I: Iterator<Item = Bytes>> Read for Pieces<I> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.block.is_empty() {
            self.block = self.blocks.next().unwrap_or_default();
        }
        let taken = self.block.split_to(self.block.len().min(out.len()));
        out[..taken.len()].copy_from_slice(&taken);
        Ok(taken.len())
    }
}
