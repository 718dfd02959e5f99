use super::*;
use proptest::prelude::*;

fn message(from: &str, to: &str, subject: &str, content: &str) -> Message {
    Message::text(
        from.parse().unwrap(),
        to.parse().unwrap(),
        &Subject::parse(subject.as_bytes()).unwrap(),
        Content::parse(content.as_bytes()).unwrap(),
        Options::default(),
    )
}

fn octets(message: &Message) -> Vec<u8> {
    let mut octets = Vec::new();
    message.open().unwrap().read_to_end(&mut octets).unwrap();
    octets
}

/// The header fields, unfolded, in their order.
fn fields(octets: &[u8]) -> Vec<(String, String)> {
    let text = std::str::from_utf8(octets).unwrap();
    let (header, _) = text.split_once("\r\n\r\n").unwrap();
    header
        .replace("\r\n ", " ")
        .split("\r\n")
        .map(|field| field.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

const NAMES: [&str; 8] = [
    "Date",
    "From",
    "To",
    "Subject",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];

/// What must hold of every message, whatever the four texts.
fn check(message: &Message) -> Vec<(String, String)> {
    let octets = octets(message);
    assert_eq!(message.size(), Some(octets.len() as u64));
    for line in octets
        .strip_suffix(b"\r\n")
        .unwrap()
        .split(|&octet| octet == b'\n')
    {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        assert!(line.len() <= 998);
        let line = std::str::from_utf8(line).unwrap();
        let beyond_ascii = message.needs().smtputf8;
        let stands = |c: char| matches!(c, '\t' | ' '..='~') || beyond_ascii && !c.is_ascii();
        assert!(line.chars().all(stands), "{line:?}");
    }
    let fields = fields(&octets);
    assert_eq!(fields.iter().map(|(name, _)| name).collect::<Vec<_>>(), NAMES);
    fields
}

#[test]
fn a_second_opening_gives_the_same_octets() {
    for content in ["plain", "all plain but for one é", "привет"] {
        let message = message("a@b.example", "c@d.example", "s", content);
        assert_eq!(octets(&message), octets(&message.clone()));
        check(&message);
    }
}

#[test]
fn the_caller_may_fix_date_and_message_id() {
    let date: jiff::Zoned = "2026-11-22T01:40:00-03:30[-03:30]".parse().unwrap();
    let message = Message::text(
        "a@b.example".parse().unwrap(),
        "c@d.example".parse().unwrap(),
        &Subject::parse(b"s").unwrap(),
        Content::parse(b"c").unwrap(),
        Options {
            date: Some(date.try_into().unwrap()),
            message_id: Some("<again.1@b.example>".parse().unwrap()),
        },
    );
    assert_eq!(message.message_id(), "again.1@b.example");
    let fields = check(&message);
    assert_eq!(fields[0].1, "Sun, 22 Nov 2026 01:40:00 -0330");
    assert_eq!(fields[4].1, "<again.1@b.example>");
}

#[test]
fn the_longest_message_id_fills_its_line() {
    let given =
        |octets: usize| format!("{}@b.example", "i".repeat(octets - "@b.example".len())).parse::<MessageId>();
    let field = "Message-ID: <>".len();
    assert_eq!(given(998 - field + 1), Err(MessageIdError::Length));
    let message = Message::text(
        "a@b.example".parse().unwrap(),
        "c@d.example".parse().unwrap(),
        &Subject::parse(b"s").unwrap(),
        Content::parse(b"c").unwrap(),
        Options {
            message_id: Some(given(998 - field).unwrap()),
            ..Options::default()
        },
    );
    assert_eq!(check(&message)[4].1.len(), 998 - "Message-ID: ".len());
}

#[test]
fn addresses_stand_as_they_go_into_the_envelope() {
    for (from, shown, right) in [
        ("a.b+c@Example.COM", "<a.b+c@example.com>", "example.com"),
        (
            "a@bücher.example",
            "<a@xn--bcher-kva.example>",
            "xn--bcher-kva.example",
        ),
        ("a@[192.0.2.1]", "<a@[192.0.2.1]>", "[192.0.2.1]"),
        (
            "a@[IPv6:2001:db8::1]",
            "<a@[IPv6:2001:db8::1]>",
            "[IPv6:2001:db8::1]",
        ),
        (
            r#""a b@c, <d>; \" (e)"@f.example"#,
            r#"<"a b@c, <d>; \" (e)"@f.example>"#,
            "f.example",
        ),
    ] {
        let message = message(from, from, "s", "c");
        let fields = check(&message);
        assert_eq!((fields[1].1.as_str(), fields[2].1.as_str()), (shown, shown));
        assert_eq!(message.message_id().rsplit('@').next(), Some(right));
        assert_eq!(message.from(), &message.recipients()[0]);
    }
}

#[test]
fn local_parts_beyond_ascii_need_smtputf8() {
    let (ascii, other) = ("bob@bücher.example", "用户.ü@例え.テスト");
    assert!(!message(ascii, ascii, "Grüße", "ü").needs().smtputf8);
    for (from, to) in [(ascii, other), (other, ascii), (other, other)] {
        let message = message(from, to, "Grüße", "ü");
        let needs = Needs {
            body_type: BodyType::SevenBit,
            smtputf8: true,
        };
        assert_eq!(message.needs(), needs);
        assert_eq!(
            message.for_host(Needs::default()).unwrap_err().to_string(),
            format!("the host does not offer SMTPUTF8, which is needed for the address <{other}>")
        );
        let fields = check(&message);
        let shown = |text: &str| format!("<{}>", text.parse::<Mailbox>().unwrap().to_smtp());
        assert_eq!((&fields[1].1, &fields[2].1), (&shown(from), &shown(to)));
        // Nothing else in the header needs it.
        assert_eq!(fields[3].1, "=?utf-8?B?R3LDvMOfZQ==?=");
        assert!(fields[4].1.is_ascii());
    }
}

#[test]
fn the_longest_addresses_stay_on_one_line() {
    let label = "d".repeat(60);
    let longest = format!("{}@{label}.{label}.{label}.example", "l".repeat(62));
    assert_eq!(longest.len(), 253);
    let longest_of_all = longest.replace(&"l".repeat(62), &"ü".repeat(31));
    for longest in [longest, longest_of_all] {
        let fields = check(&message(&longest, &longest, "s", "c"));
        assert_eq!(fields[1].1, format!("<{longest}>"));
    }
}

/// The characters that others have taken for a line end, and some that end other things.
const TRICKS: [&str; 16] = [
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{560a}",
    "\u{760d}",
    "\u{b}",
    "\u{c}",
    "\u{1c}",
    "\u{1b}",
    "\u{7f}",
    "=0D=0A",
    "=?utf-8?Q?=0D=0A?=",
    "\\r\\n",
    "%0d%0a",
    "\u{10a}\u{10d}",
    "\u{feff}",
];

#[test]
fn nothing_in_a_subject_or_a_content_begins_a_field() {
    for trick in TRICKS {
        for injected in ["Bcc: x@y.example", " Bcc: x@y.example", "", "\t", "."] {
            let text = format!("a{trick}{injected}");
            check(&message("a@b.example", "c@d.example", &text, &text));
        }
    }
    for line_end in ["\r", "\n", "\r\n", "\n\r"] {
        let content = format!("a{line_end}{line_end}.{line_end}Bcc: x@y.example");
        check(&message("a@b.example", "c@d.example", "s", &content));
        assert!(Subject::parse(format!("a{line_end}b").as_bytes()).is_err());
    }
}

proptest! {
    #[test]
    fn the_header_parses_back_into_our_fields(
        subject in "[^\r\n\0]{0,100}",
        content in "[^\0]{0,200}",
        local_part in "[a-zäöüßжщあ中👍]{1,20}|\"([ !#-\\[\\]-~]|\\\\\\\\[ -~]){0,20}\"",
    ) {
        prop_assume!(!content.is_empty());
        let address = format!("{local_part}@b.example");
        if let Ok(mailbox) = address.parse::<Mailbox>() {
            let fields = check(&message(&address, "c@d.example", &subject, &content));
            prop_assert_eq!(&fields[1].1, &format!("<{}>", mailbox.to_smtp()));
        }
    }
}
