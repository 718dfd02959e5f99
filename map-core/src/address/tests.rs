//! Tables of (text, expected), and what must hold for any text.

use super::{AddressLiteral, AddressPart, Domain, LocalPart, Mailbox, MailboxDomain, MailboxError};
use super::{ForwardPath, ReversePath};
use proptest::prelude::*;
use std::hash::{BuildHasher, RandomState};

fn error(text: &str) -> MailboxError {
    text.parse::<Mailbox>().expect_err(text)
}

fn smtp(text: &str) -> String {
    text.parse::<Mailbox>()
        .unwrap_or_else(|error| panic!("{text:?}: {error}"))
        .to_smtp()
}

#[test]
fn mailboxes_and_what_they_are_on_the_wire() {
    let a64 = "a".repeat(64);
    let label63 = "d".repeat(63);
    let longest = format!("{a64}@{label63}.{label63}.{}", "e".repeat(61));
    assert_eq!(longest.len(), 254);
    // Return paths and reply tokens: more than 64 octets are for the recipient's host to judge.
    let token = format!("bounces+{}@c.example", "0".repeat(230));
    let longest_local = format!("{}@b", "a".repeat(252));
    let quoted = format!("\"{}\"@b", " ".repeat(250));
    for (text, expected) in [
        ("cxw@apple.com", "cxw@apple.com"),
        ("407184933@qq.com", "407184933@qq.com"),
        (" \tcxw@apple.com\t ", "cxw@apple.com"),
        ("a@b", "a@b"),
        ("root@localhost", "root@localhost"),
        ("John.Smith@EXAMPLE.Com", "John.Smith@example.com"),
        (
            "!#$%&'*+-/=?^_`{|}~@example.com",
            "!#$%&'*+-/=?^_`{|}~@example.com",
        ),
        ("-@example.com", "-@example.com"),
        ("a@1.example", "a@1.example"),
        ("a@1-2.3com", "a@1-2.3com"),
        ("a@r3---sn.example", "a@r3---sn.example"),
        ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        ("a@XN--Bcher-KVA.example", "a@xn--bcher-kva.example"),
        // Quoted strings: least quoting on the wire.
        ("\"john\"@example.com", "john@example.com"),
        ("\"j\\ohn\"@example.com", "john@example.com"),
        ("\"john smith\"@example.com", "\"john smith\"@example.com"),
        ("\"john..smith\"@example.com", "\"john..smith\"@example.com"),
        ("\".\"@example.com", "\".\"@example.com"),
        ("\"\"@example.com", "\"\"@example.com"),
        ("\" \"@example.com", "\" \"@example.com"),
        ("\"a@b\"@example.com", "\"a@b\"@example.com"),
        ("\"\\a\\@\\b\"@example.com", "\"a@b\"@example.com"),
        ("\"a\\\"b\"@example.com", "\"a\\\"b\"@example.com"),
        ("\"a\\\\\"@example.com", "\"a\\\\\"@example.com"),
        ("\"<>,;:()[]\"@example.com", "\"<>,;:()[]\"@example.com"),
        // Literals.
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
        ("a@[IPv6:2001:DB8::1]", "a@[IPv6:2001:db8::1]"),
        // Limits.
        (&format!("{a64}@example.com"), &format!("{a64}@example.com")),
        (&format!("a@{label63}.example"), &format!("a@{label63}.example")),
        (&longest, &longest),
        (&token, &token),
        (&longest_local, &longest_local),
        (&quoted, &quoted),
    ] {
        assert_eq!(smtp(text), expected, "{text:?}");
    }
}

#[test]
fn domains_beyond_ascii() {
    for (text, ascii, shown) in [
        ("bücher.example", "xn--bcher-kva.example", "bücher.example"),
        ("BÜCHER.Example", "xn--bcher-kva.example", "bücher.example"),
        // Decomposed, as macOS types it.
        ("bu\u{308}cher.example", "xn--bcher-kva.example", "bücher.example"),
        // Non-transitional: not strasse.
        ("straße.example", "xn--strae-oqa.example", "straße.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah", "例え.テスト"),
        // The full stops of East Asian keyboards, and full width letters.
        ("例え。テスト", "xn--r8jz45g.xn--zckzah", "例え.テスト"),
        ("ｅｘａｍｐｌｅ．ｃｏｍ", "example.com", "example.com"),
        ("example｡com", "example.com", "example.com"),
        ("مثال.إختبار", "xn--mgbh0fb.xn--kgbechtv", "مثال.إختبار"),
        // A middle dot where Catalan has one, and one where Japanese has one.
        (
            "Col·lecció.example",
            "xn--collecci-ioa91d.example",
            "col·lecció.example",
        ),
        ("カ・カ.example", "xn--lcka3v.example", "カ・カ.example"),
        // U+560A and U+760D end in the octets of LF and CR; cut down to eight bits they would be them.
        (
            "a\u{560a}b\u{760d}.example",
            "xn--ab-9v7c472j.example",
            "a\u{560a}b\u{760d}.example",
        ),
        // Hyphens in the third and fourth place are not IDNA's alone.
        (
            "r3---sn.bücher.example",
            "r3---sn.xn--bcher-kva.example",
            "r3---sn.bücher.example",
        ),
        // ASCII stays as it was typed.
        (
            "XN--BCHER-kva.example",
            "xn--bcher-kva.example",
            "XN--BCHER-kva.example",
        ),
    ] {
        let domain: Domain = text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(
            (domain.as_ascii(), domain.to_string().as_str()),
            (ascii, shown),
            "{text:?}"
        );
        assert!(
            domain
                .as_ascii()
                .bytes()
                .all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
        );
    }
}

#[test]
fn local_parts_beyond_ascii() {
    for (text, wire) in [
        ("jürgen@example.com", "jürgen@example.com"),
        // Decomposed: what was typed, octet by octet.
        ("ju\u{308}rgen@example.com", "ju\u{308}rgen@example.com"),
        ("用户@例え.テスト", "用户@xn--r8jz45g.xn--zckzah"),
        (
            "чебурашка.а@ящик-с-апельсинами.рф",
            "чебурашка.а@xn-----8kcayoeblonkwzf2jqc1b.xn--p1ai",
        ),
        ("\"ü b\"@example.com", "\"ü b\"@example.com"),
        ("\"ü\"@example.com", "ü@example.com"),
        ("\"ü@\"@example.com", "\"ü@\"@example.com"),
        // Octets of LF and CR once they are cut down to eight bits; full width signs are letters like others.
        ("a\u{560a}\u{760d}@example.com", "a\u{560a}\u{760d}@example.com"),
        ("a＠b＞@example.com", "a＠b＞@example.com"),
        // Joiners: Persian, and an emoji of a family.
        ("می\u{200c}خواهم@example.com", "می\u{200c}خواهم@example.com"),
        (
            "👨\u{200d}👩\u{200d}👧@example.com",
            "👨\u{200d}👩\u{200d}👧@example.com",
        ),
        (
            &format!("{}@example.com", "ü".repeat(32)),
            &format!("{}@example.com", "ü".repeat(32)),
        ),
    ] {
        assert_eq!(smtp(text), wire);
        assert!(text.parse::<Mailbox>().unwrap().needs_smtputf8(), "{text}");
    }
    assert_ne!(
        "jürgen@example.com".parse::<Mailbox>(),
        "ju\u{308}rgen@example.com".parse()
    );
    // A domain has another form for the wire.
    assert!(!"anna@bücher.example".parse::<Mailbox>().unwrap().needs_smtputf8());
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn texts_that_are_no_mailbox() {
    use MailboxError as E;
    let character = |character, position, part| E::Character {
        character,
        position,
        part,
    };
    let invisible = |character, position| E::Invisible { character, position };
    let domain_character = |character, label: &str| E::DomainCharacter {
        character,
        label: label.into(),
    };
    let a253 = "a".repeat(253);
    let label63 = "d".repeat(63);
    let label64 = "d".repeat(64);
    let too_long = format!("{}@{label63}.{label63}.{}", "a".repeat(64), "e".repeat(62));
    for (text, expected) in [
        ("", E::Empty),
        (" \t ", E::Empty),
        ("407184933qq.com", E::NoAt),
        ("a", E::NoAt),
        ("a＠example.com", E::NoAt),
        ("@example.com", E::EmptyLocalPart),
        ("@", E::EmptyLocalPart),
        ("@a,@b:c@d", E::EmptyLocalPart),
        ("a@", E::EmptyDomain),
        // Dots.
        (".a@example.com", E::LocalPartDot(1)),
        ("a.@example.com", E::LocalPartDot(2)),
        (" a..b@example.com", E::LocalPartDot(4)),
        ("a@.example.com", E::EmptyLabel(3)),
        ("a@example..com", E::EmptyLabel(11)),
        ("a@example.com.", E::TrailingDot),
        ("a@.", E::EmptyLabel(3)),
        ("a@example。", E::TrailingDot),
        // Characters.
        ("a b@example.com", character(' ', 2, AddressPart::LocalPart)),
        (
            "a\u{7f}@example.com",
            character('\u{7f}', 2, AddressPart::LocalPart),
        ),
        (
            "a\r\nRCPT TO:<x>@example.com",
            character('\r', 2, AddressPart::LocalPart),
        ),
        ("a\0@example.com", character('\0', 2, AddressPart::LocalPart)),
        (
            "(comment)a@example.com",
            character('(', 1, AddressPart::LocalPart),
        ),
        ("a@(comment)example.com", character('(', 3, AddressPart::Domain)),
        ("a@example.com(comment)", character('(', 14, AddressPart::Domain)),
        ("a@example.com\n", character('\n', 14, AddressPart::Domain)),
        ("\na@example.com", character('\n', 1, AddressPart::LocalPart)),
        ("a@exa mple.com", character(' ', 6, AddressPart::Domain)),
        ("a @example.com", character(' ', 2, AddressPart::LocalPart)),
        ("a@ example.com", character(' ', 3, AddressPart::Domain)),
        ("a@b@example.com", character('@', 4, AddressPart::Domain)),
        (
            "a@example.com,b@example.com",
            character(',', 14, AddressPart::Domain),
        ),
        ("a@exam_ple.com", character('_', 7, AddressPart::Domain)),
        ("a@bü_cher.example", character('_', 5, AddressPart::Domain)),
        ("a:b@example.com", character(':', 2, AddressPart::LocalPart)),
        ("a\\@b@example.com", character('\\', 2, AddressPart::LocalPart)),
        ("a\"b\"@example.com", character('"', 2, AddressPart::LocalPart)),
        ("a@\"example\".com", character('"', 3, AddressPart::Domain)),
        ("mailto:a@example.com", character(':', 7, AddressPart::LocalPart)),
        // Quoted strings.
        ("\"a@example.com", E::QuoteNotClosed(1)),
        (" \"a\\\"@example.com", E::QuoteNotClosed(2)),
        ("\"", E::QuoteNotClosed(1)),
        ("\"\\", E::QuoteNotClosed(1)),
        ("\"a\"", E::NoAt),
        ("\"a\"b@example.com", character('b', 4, AddressPart::LocalPart)),
        ("\"a\".b@example.com", character('.', 4, AddressPart::LocalPart)),
        ("\"a\" @example.com", character(' ', 4, AddressPart::LocalPart)),
        (
            "\"a\tb\"@example.com",
            character('\t', 3, AddressPart::QuotedString),
        ),
        (
            "\"a\\\nb\"@example.com",
            character('\n', 4, AddressPart::QuotedString),
        ),
        (
            "\"a\r\n b\"@example.com",
            character('\r', 3, AddressPart::QuotedString),
        ),
        (
            "\"\0\"@example.com",
            character('\0', 2, AddressPart::QuotedString),
        ),
        // Beyond ASCII.
        ("a\u{85}@example.com", invisible('\u{85}', 2)),
        ("\u{feff}a@example.com", invisible('\u{feff}', 1)),
        ("\u{a0}a@example.com", invisible('\u{a0}', 1)),
        ("ü\u{3000}b@example.com", invisible('\u{3000}', 2)),
        ("a\u{2028}@example.com", invisible('\u{2028}', 2)),
        ("a\u{202e}b@example.com", invisible('\u{202e}', 2)),
        ("a\u{200b}b@example.com", invisible('\u{200b}', 2)),
        ("a\u{ad}b@example.com", invisible('\u{ad}', 2)),
        ("a\u{fdd0}@example.com", invisible('\u{fdd0}', 2)),
        ("a\u{ffff}@example.com", invisible('\u{ffff}', 2)),
        ("a\u{10fffe}@example.com", invisible('\u{10fffe}', 2)),
        ("\"a \u{9f}\"@example.com", invisible('\u{9f}', 4)),
        ("\"a\\\u{2029}\"@example.com", invisible('\u{2029}', 4)),
        ("ü..b@example.com", E::LocalPartDot(3)),
        ("ü b@example.com", character(' ', 2, AddressPart::LocalPart)),
        (
            &format!("{}a@example.com", "ü".repeat(126)),
            E::LocalPartTooLong(253),
        ),
        (
            "\"a\\ü\"@example.com",
            E::Backslash {
                character: 'ü',
                position: 4,
            },
        ),
        // What IDNA 2008 forbids (RFC 5891 section 5.4).
        ("foo@bar.com’", domain_character('’', "com’")),
        ("a@❤\u{fe0f}.example", domain_character('❤', "❤")),
        ("a@x☕.example", domain_character('☕', "x☕")),
        // UTS 46 makes three characters of it.
        ("a@½.example", domain_character('⁄', "1⁄2")),
        ("a@١۱.example", E::Idna("١۱.example".into())),
        ("a@a·b.example", domain_character('·', "a·b")),
        ("a@ab--ü.example", E::Idna("ab--ü".into())),
        ("a@xn--a.example", E::FalseALabel("xn--a".into())),
        ("a@b.XN--a", E::FalseALabel("xn--a".into())),
        ("a@xn--.example", E::Hyphen("xn--".into())),
        ("a@xn--bcher-.example", E::Hyphen("xn--bcher-".into())),
        // Punycode of "abc", of a capital letter, and not the shortest of "ü".
        ("a@xn--abc-.example", E::Hyphen("xn--abc-".into())),
        ("a@xn--wca.example", E::FalseALabel("xn--wca".into())),
        ("a@xn--99zzzz9.example", E::FalseALabel("xn--99zzzz9".into())),
        ("a@xn--com-to0a", domain_character('’', "com’")),
        ("a@xn--qei.example", domain_character('❤', "❤")),
        ("a@exam\u{ad}ple.com", invisible('\u{ad}', 7)),
        ("a@example.com\u{200b}", invisible('\u{200b}', 14)),
        ("a@\u{2028}example.com", E::Idna("\u{2028}example.com".into())),
        ("a@\u{85}.com", E::Idna("\u{85}.com".into())),
        ("a@\u{202e}moc.elpmaxe", E::Idna("\u{202e}moc.elpmaxe".into())),
        ("a@\u{a0}example.com", E::Idna("\u{a0}example.com".into())),
        ("a@℀.example", E::Idna("℀.example".into())),
        ("a@b＠example.com", E::Idna("b＠example.com".into())),
        ("a@［192.0.2.1］", E::Idna("［192.0.2.1］".into())),
        ("a@\u{fffd}.example", E::Idna("\u{fffd}.example".into())),
        // Labels and lengths.
        ("a@-example.com", E::Hyphen("-example".into())),
        ("a@example-.com", E::Hyphen("example-".into())),
        ("a@example.-", E::Hyphen("-".into())),
        ("a@example.123", E::NumericTopLevel("123".into())),
        ("a@123", E::NumericTopLevel("123".into())),
        ("a@1.2.3", E::NumericTopLevel("3".into())),
        ("a@999.0.0.1", E::NumericTopLevel("1".into())),
        (&format!("{a253}@b"), E::LocalPartTooLong(253)),
        (&format!("\"{}\"@b", "a".repeat(251)), E::LocalPartTooLong(253)),
        (&format!("{}@example.com", "a".repeat(243)), E::TooLong(255)),
        (&format!("a@{label64}.example"), E::LabelTooLong(label64.clone())),
        (&too_long, E::TooLong(255)),
        (&format!("a@{}e", "d.".repeat(128)), E::DomainTooLong(257)),
        (&"@".repeat(1_000_000), E::TooLong(1_000_000)),
        // An IP address without brackets.
        ("a@1.2.3.4", E::BareAddress([1, 2, 3, 4].into())),
        ("a@１.２.３.４", E::BareAddress([1, 2, 3, 4].into())),
        ("a@2001:db8::1", E::BareAddress("2001:db8::1".parse().unwrap())),
        // Names and brackets around it.
        ("<a@example.com>", E::DisplayName),
        ("Anna <a@example.com>", E::DisplayName),
        ("<>", E::DisplayName),
    ] {
        assert_eq!(error(text), expected, "{text:?}");
    }
}

#[test]
fn lengths_count_what_the_wire_carries() {
    // 60 umlauts are 120 octets of UTF-8, and as an A-label more than 63.
    let long = error(&format!("a@{}.example", "ü".repeat(60)));
    assert!(
        matches!(&long, MailboxError::LabelTooLong(label) if label.starts_with("xn--")),
        "{long:?}"
    );
    let label = "d".repeat(63);
    let longest = format!("{label}.{label}.{label}.{label}");
    assert!(longest.parse::<Domain>().is_ok());
    let too_long = format!("{label}.{label}.{label}.{}.e", "d".repeat(62));
    assert_eq!(too_long.parse::<Domain>(), Err(MailboxError::DomainTooLong(256)));
    // 50 of them are 100 octets of UTF-8, and few enough as an A-label.
    assert!(smtp(&format!("a@{}.example", "ü".repeat(50))).len() < 80);
}

#[test]
fn address_literals() {
    for (text, printed) in [
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("[0.0.0.0]", "[0.0.0.0]"),
        ("[255.255.255.255]", "[255.255.255.255]"),
        // Snum is decimal with up to three digits.
        ("[010.001.00.9]", "[10.1.0.9]"),
        // IPv6-full
        ("[IPv6:1:2:3:4:5:6:7:8]", "[IPv6:1:2:3:4:5:6:7:8]"),
        ("[ipv6:0001:0002:3:4:5:6:7:ABCD]", "[IPv6:1:2:3:4:5:6:7:abcd]"),
        // IPv6-comp
        ("[IPv6:::]", "[IPv6:::]"),
        ("[IPV6:::1]", "[IPv6:::1]"),
        ("[IPv6:1::]", "[IPv6:1::]"),
        ("[IPv6:1:2:3::6:7:8]", "[IPv6:1:2:3::6:7:8]"),
        ("[IPv6:1:2:3:4:5:6::]", "[IPv6:1:2:3:4:5:6::]"),
        ("[IPv6:::3:4:5:6:7:8]", "[IPv6:::3:4:5:6:7:8]"),
        // IPv6v4-full
        ("[IPv6:1:2:3:4:5:6:192.0.2.1]", "[IPv6:1:2:3:4:5:6:c000:201]"),
        // IPv6v4-comp
        ("[IPv6:::192.0.2.1]", "[IPv6:::c000:201]"),
        ("[IPv6:::ffff:192.0.2.1]", "[IPv6:::ffff:192.0.2.1]"),
        ("[IPv6:1::192.0.2.1]", "[IPv6:1::c000:201]"),
        ("[IPv6:1:2:3:4::192.0.2.1]", "[IPv6:1:2:3:4::c000:201]"),
        ("[IPv6:::1:2:3:4:192.0.2.1]", "[IPv6:::1:2:3:4:c000:201]"),
    ] {
        let literal: AddressLiteral = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(literal.to_string(), printed, "{text}");
        assert_eq!(literal.to_string().parse(), Ok(literal), "{text}");
        assert_eq!(smtp(&format!("a@{text}")), format!("a@{literal}"));
    }
}

#[test]
fn texts_that_are_no_address_literal() {
    let malformed = [
        "[]",
        "[",
        "[192.0.2.1",
        "[192.0.2]",
        "[192.0.2.1.1]",
        "[192.0.2.256]",
        "[192.0.2.0001]",
        "[192.0.2.]",
        "[192.0.2.+1]",
        "[192.0.2. 1]",
        "[ 192.0.2.1]",
        "[192.0.2.1] ",
        "[192.0.2.1].example",
        "[192.0.2.1]x",
        "[IPv6:]",
        "[IPv6::]",
        "[IPv6:::: ]",
        "[IPv6:1]",
        "[IPv6:1:2:3:4:5:6:7]",
        "[IPv6:1:2:3:4:5:6:7:8:9]",
        "[IPv6:12345::]",
        "[IPv6:00001::]",
        "[IPv6::1.2.3.4]",
        "[IPv6:g::]",
        "[IPv6:1::2::3]",
        "[IPv6::::]",
        "[IPv6:1:]",
        "[IPv6::1]",
        // "::" for a single group.
        "[IPv6:1:2:3:4:5:6:7::]",
        "[IPv6:::2:3:4:5:6:7:8]",
        "[IPv6:1:2:3::5:6:7:8]",
        "[IPv6:1:2:3:4:5::192.0.2.1]",
        "[IPv6:1:2:3:4:5:192.0.2.1]",
        "[IPv6:1:2:3:4:5:6:7:192.0.2.1]",
        "[IPv6:192.0.2.1]",
        "[IPv6:192.0.2.1::]",
        "[IPv6:::192.0.2.256]",
        "[IPv6:::192.0.2.1:1]",
        "[IPv6:fe80::1%eth0]",
        "[IPv6: ::1]",
        "[IPv6 :::1]",
        "[IPv6-:x]",
        "[x:]",
        "[:x]",
        "[x:a b]",
        "[x:a\\b]",
        "[[192.0.2.1]]",
        "[example.com]",
        "[127.1]",
        "[0x7f.0.0.1]",
        "[١.2.3.4]",
    ];
    for text in malformed {
        match text.parse::<AddressLiteral>() {
            Err(MailboxError::AddressLiteral(given)) => assert_eq!(given, text),
            other => panic!("{text}: {other:?}"),
        }
    }
    let tagged = "[x400:c=de]".parse::<AddressLiteral>();
    assert_eq!(tagged, Err(MailboxError::GeneralAddressLiteral("x400".into())));
    let untagged = error("a@[2001:db8::1]");
    assert_eq!(
        untagged,
        MailboxError::UntaggedIpv6("2001:db8::1".parse().unwrap())
    );
    assert_eq!(
        untagged.to_string(),
        "the IPv6 address lacks its tag; write [IPv6:2001:db8::1]"
    );
}

#[test]
fn host_names_of_the_dns() {
    for (name, expected) in [
        ("mx1.qq.com", "mx1.qq.com"),
        ("MX1.QQ.com.", "mx1.qq.com"),
        ("_mx.example.com", "_mx.example.com"),
        ("mx-.example.com", "mx-.example.com"),
        ("localhost", "localhost"),
        ("mx.1", "mx.1"),
    ] {
        assert_eq!(Domain::from_dns(name).expect(name).as_ascii(), expected);
    }
    let longest = format!("{0}.{0}.{0}.{1}", "d".repeat(63), "e".repeat(61));
    assert!(Domain::from_dns(&longest).is_ok());
    assert!(Domain::from_dns(&format!("{longest}.")).is_ok());
    assert_eq!(
        Domain::from_dns(&format!("{longest}e")),
        Err(MailboxError::DomainTooLong(254))
    );
    let empty = Err(MailboxError::EmptyLabel(1));
    assert_eq!(
        (Domain::from_dns(""), Domain::from_dns(".")),
        (empty.clone(), empty)
    );
    assert_eq!(
        Domain::from_dns("192.0.2.1"),
        Err(MailboxError::BareAddress([192, 0, 2, 1].into()))
    );
    for name in [
        "a..b",
        ".a",
        "a b",
        "a\\046b",
        "a\0b",
        "bücher.example",
        "2001:db8::1",
        &"d".repeat(64),
    ] {
        assert!(Domain::from_dns(name).is_err(), "{name}");
    }
}

#[test]
fn equal_means_the_same_mailbox() {
    let parse = |text: &str| text.parse::<Mailbox>().unwrap();
    let hasher = RandomState::new();
    for (one, other) in [
        ("a@example.com", "a@EXAMPLE.com"),
        ("a@example.com", "\"a\"@example.com"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("a@[IPv6:::1]", "a@[ipv6:0:0:0:0:0:0:0:1]"),
    ] {
        assert_eq!(parse(one), parse(other));
        assert_eq!(hasher.hash_one(parse(one)), hasher.hash_one(parse(other)));
    }
    assert_ne!(parse("a@example.com"), parse("A@example.com"));
    assert_ne!(parse("a@[192.0.2.1]"), parse("a@[IPv6:::ffff:192.0.2.1]"));
}

#[test]
fn local_parts_alone() {
    assert_eq!("a.b".parse::<LocalPart>().unwrap().as_str(), "a.b");
    assert_eq!("\"a b\"".parse::<LocalPart>().unwrap().as_str(), "a b");
    // The positions of an @ after a quoted string.
    for text in ["\"a\"@", "\"a\"@b"] {
        let part = AddressPart::LocalPart;
        let expected = MailboxError::Character {
            character: '@',
            position: 4,
            part,
        };
        assert_eq!(text.parse::<LocalPart>(), Err(expected));
    }
    for text in ["", "a@b", "\"a\"@", "\"a\"b", "\"a", "a.", "\"a\"@b"] {
        assert!(text.parse::<LocalPart>().is_err(), "{text}");
    }
}

#[test]
fn paths_have_their_brackets() {
    let mailbox: Mailbox = "a@bücher.example".parse().unwrap();
    assert_eq!(ReversePath::Null.to_smtp(), "<>");
    assert_eq!(
        ReversePath::from(mailbox.clone()).to_smtp(),
        "<a@xn--bcher-kva.example>"
    );
    assert_eq!(
        ForwardPath::from(mailbox.clone()).to_smtp(),
        "<a@xn--bcher-kva.example>"
    );
    assert_eq!(ForwardPath(mailbox).to_string(), "<a@bücher.example>");
    assert_eq!(ReversePath::Null.to_string(), "<>");
}

#[test]
fn errors_stay_one_line_whatever_was_typed() {
    for text in [
        "a\n@b",
        "a@b\r\nc",
        "a@\u{2028}x",
        "a@\u{202e}x",
        "a@[\r\n]",
        "\"\n\"@b",
        "a@\u{85}",
    ] {
        let said = error(text).to_string();
        assert!(
            !said.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{202e}')),
            "{said:?}"
        );
    }
    assert!(error(&format!("a@[{}]", "x".repeat(1_000))).to_string().len() < 300);
}

/// Texts made of what a parser trips over.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "@", ".", "..", "\"", "\\", "[", "]", "[IPv6:", "::", ":", "1.2.3.4", "xn--", "-", " ", "\t", "\r\n",
            "\0", "<", ">", "a", "Example", "ü", "ß", "。", "\u{ad}", "\u{200d}", "ffff", "[192.0.2.1]", "例え",
        ]).prop_map(String::from),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Texts that mostly are mailboxes.
fn likely() -> impl Strategy<Value = String> {
    let local_part = prop_oneof![
        "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~.-]{1,20}",
        "[a-zäöüßéαβγжщあい例中한.]{1,12}",
        "\"([ !#-\\[\\]-~]|\\\\[ -~]){0,20}\""
    ];
    let domain = prop_oneof![
        "[a-zA-Z0-9][a-z0-9-]{0,10}(\\.[a-z]{1,8}){0,3}",
        "[a-zäöüßéαβγжщあい例中한]{1,8}(\\.[a-zé中]{1,8}){1,2}",
        any::<[u8; 4]>().prop_map(|octets| AddressLiteral(octets.into()).to_string()),
        any::<[u16; 8]>().prop_map(|groups| AddressLiteral(groups.into()).to_string()),
        prop::collection::vec(prop::sample::select(vec![0_u16, 0, 1, 0xffff]), 8)
            .prop_map(|groups| { AddressLiteral(<[u16; 8]>::try_from(groups).unwrap().into()).to_string() }),
    ];
    (local_part, domain).prop_map(|(local_part, domain)| format!("{local_part}@{domain}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn likely_mailboxes_often_are_some(texts in prop::collection::vec(likely(), 100)) {
        prop_assert!(texts.iter().filter(|text| text.parse::<Mailbox>().is_ok()).count() > 20);
    }
}

proptest! {
    #[test]
    fn what_parses_prints_and_parses_again_as_the_same(text in prop_oneof![nasty(), likely()]) {
        if let Ok(mailbox) = text.parse::<Mailbox>() {
            prop_assert_eq!(mailbox.to_string().parse(), Ok(mailbox.clone()));
            let wire = mailbox.to_smtp();
            prop_assert_eq!(wire.parse(), Ok(mailbox));
            prop_assert!(wire.len() <= 254);
            let stands = |c: char| matches!(c, ' '..='~') || !c.is_ascii() && !c.is_control() && !c.is_whitespace();
            prop_assert!(wire.chars().all(stands), "{:?}", wire);
            let (_, domain) = wire.rsplit_once('@').unwrap_or_default();
            prop_assert!(domain.is_ascii(), "{:?}", wire);
        }
    }

    #[test]
    fn nothing_panics(text in any::<String>(), nasty in nasty()) {
        for text in [text, nasty] {
            let _ = text.parse::<Mailbox>();
            let _ = text.parse::<LocalPart>();
            let _ = text.parse::<AddressLiteral>();
            if let Ok(domain) = text.parse::<MailboxDomain>() {
                prop_assert_eq!(domain.to_string().parse(), Ok(domain.clone()));
                prop_assert_eq!(domain.to_smtp().parse(), Ok(domain));
            }
            if let Ok(domain) = Domain::from_dns(&text) {
                prop_assert_eq!(Domain::from_dns(domain.as_ascii()), Ok(domain));
            }
        }
    }

    #[test]
    fn the_standard_librarys_ipv6_agrees(text in "[0-9a-fA-F:.]{0,40}") {
        // Ours takes zeros in front of an IPv4 number, and no "::" that stands for one group.
        let ours = super::literal::ipv6(&text);
        if let (Some(ours), Ok(theirs)) = (ours, text.parse::<std::net::Ipv6Addr>()) {
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn every_ipv6_address_is_read_as_printed(
        groups in prop::collection::vec(prop_oneof![Just(0_u16), any::<u16>()], 8),
    ) {
        let address = std::net::Ipv6Addr::from(<[u16; 8]>::try_from(groups).unwrap());
        prop_assert_eq!(super::literal::ipv6(&address.to_string()), Some(address));
    }
}
