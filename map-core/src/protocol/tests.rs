//! Tables and round trips of the replies and the client's checks.

use super::{EmptyFields, Fields, MapReply, MapReplyCode, MapReplyError, check};
use crate::smtp::ReplyCode;
use proptest::prelude::*;

fn fields<'a>(from: &'a str, to: &'a str, subject: &'a str, content: &'a str) -> Fields<'a> {
    Fields {
        from: from.as_bytes(),
        to: to.as_bytes(),
        subject: subject.as_bytes(),
        content: content.as_bytes(),
    }
}

#[test]
fn replies_print_as_map_does() {
    let empty = EmptyFields {
        to: true,
        content: true,
        ..EmptyFields::default()
    };
    let all = EmptyFields {
        from: true,
        to: true,
        subject: true,
        content: true,
    };
    let invalid = |text: &str| MapReply::InvalidFormat(text.into());
    for (reply, printed) in [
        (MapReply::Success, "RE_SUCCESS."),
        (MapReply::NoEmpty(empty), "RE_NO_EMPTY: <To, Content,>."),
        (
            MapReply::NoEmpty(all),
            "RE_NO_EMPTY: <From, To, Subject, Content,>.",
        ),
        (MapReply::NoEmpty(EmptyFields::default()), "RE_NO_EMPTY: <>."),
        (
            invalid("407184933qq.com"),
            "RE_INVALID_FORMAT: <407184933qq.com>.",
        ),
        (
            MapReply::DnsFail("qqqqq12372.com".into()),
            "RE_DNS_FAIL: <qqqqq12372.com>.",
        ),
        (MapReply::ServerUnreach, "RE_SERVER_UNREACH."),
        (MapReply::PortBlocked, "RE_PORT_BLOCKED."),
        (MapReply::BadReply(ReplyCode(554)), "RE_BADREPLY: <554>."),
        (MapReply::BadReply(ReplyCode(7)), "RE_BADREPLY: <007>."),
        (MapReply::ServiceDenied, "RE_SERVICE_DENIED."),
        (MapReply::Uncertain, "RE_UNCERTAIN."),
        (MapReply::Cancelled, "RE_CANCELLED."),
        (MapReply::Internal, "RE_INTERNAL."),
        (MapReply::Misuse("no agent".into()), "RE_MISUSE: <no agent>."),
        (partial(1, 2), "RE_PARTIAL: <1 of 2>."),
        (partial(100, 1_000), "RE_PARTIAL: <100 of 1000>."),
        (
            MapReply::Local("report.pdf: no such file".into()),
            "RE_LOCAL: <report.pdf: no such file>.",
        ),
        (MapReply::Local("a\nb".into()), r"RE_LOCAL: <a\u{a}b>."),
        // What would break the line, or be mistaken for an escape.
        (invalid(""), "RE_INVALID_FORMAT: <>."),
        (invalid("a\r\nb\0"), r"RE_INVALID_FORMAT: <a\u{d}\u{a}b\u{0}>."),
        (
            invalid("a>.\nRE_SUCCESS."),
            r"RE_INVALID_FORMAT: <a>.\u{a}RE_SUCCESS.>.",
        ),
        (invalid("a "), r"RE_INVALID_FORMAT: <a\u{20}>."),
        (invalid("a b"), "RE_INVALID_FORMAT: <a b>."),
        (invalid(r"a\b\"), r"RE_INVALID_FORMAT: <a\b\>."),
        (invalid(r"\u{a}"), r"RE_INVALID_FORMAT: <\u{5c}u{a}>."),
        (invalid(r"\\u{a}"), r"RE_INVALID_FORMAT: <\\u{5c}u{a}>."),
        (
            invalid("\u{85}\u{2028}\u{202e}\u{1b}"),
            r"RE_INVALID_FORMAT: <\u{85}\u{2028}\u{202e}\u{1b}>.",
        ),
        (invalid("ü@例え"), "RE_INVALID_FORMAT: <ü@例え>."),
    ] {
        assert_eq!(reply.to_string(), printed);
        assert_eq!(printed.parse(), Ok(reply), "{printed}");
    }
}

#[test]
fn replies_are_read_as_what_they_mean() {
    for (text, reply) in [
        (" RE_SUCCESS. \r\n", MapReply::Success),
        ("RE_SEVICE_DENIED.", MapReply::ServiceDenied),
        (
            "RE_DNS_FAIL: <407184933@qqqqq12372.com >.",
            MapReply::DnsFail("407184933@qqqqq12372.com".into()),
        ),
        ("RE_BADREPLY:<554>.", MapReply::BadReply(ReplyCode(554))),
        ("RE_BADREPLY: <554 >.", MapReply::BadReply(ReplyCode(554))),
        ("RE_DNS_FAIL: <a: <b>.>.", MapReply::DnsFail("a: <b>.".into())),
        ("RE_PARTIAL: <1 of 2 >.", partial(1, 2)),
    ] {
        assert_eq!(text.parse(), Ok(reply), "{text}");
    }
}

#[test]
fn texts_that_are_no_reply() {
    let form = |text: &str| MapReplyError::Form(text.into());
    let argument = |name, text: &str| MapReplyError::Argument(name, text.into());
    for (text, error) in [
        ("", form("")),
        ("RE_SUCCESS", form("RE_SUCCESS")),
        ("RE_SUCCESS..", MapReplyError::Name("RE_SUCCESS.".into())),
        ("RE_SUCCESS: <>.", form("RE_SUCCESS: <>.")),
        ("RE_BADREPLY.", form("RE_BADREPLY.")),
        ("RE_BADREPLY: 554.", form("RE_BADREPLY: 554.")),
        ("RE_BADREPLY: <554.", form("RE_BADREPLY: <554.")),
        ("RE_DNS_FAIL: <.", form("RE_DNS_FAIL: <.")),
        ("RE_OTHER.", MapReplyError::Name("RE_OTHER".into())),
        ("re_success.", MapReplyError::Name("re_success".into())),
        ("RE_BADREPLY: <>.", argument("RE_BADREPLY", "")),
        ("RE_BADREPLY: <55>.", argument("RE_BADREPLY", "55")),
        ("RE_BADREPLY: <+54>.", argument("RE_BADREPLY", "+54")),
        ("RE_BADREPLY: <5544>.", argument("RE_BADREPLY", "5544")),
        (
            "RE_NO_EMPTY: <To, Content>.",
            argument("RE_NO_EMPTY", "To, Content"),
        ),
        ("RE_NO_EMPTY: <Cc,>.", argument("RE_NO_EMPTY", "Cc,")),
        ("RE_PARTIAL.", form("RE_PARTIAL.")),
        ("RE_PARTIAL: <>.", argument("RE_PARTIAL", "")),
        ("RE_PARTIAL: <1>.", argument("RE_PARTIAL", "1")),
        ("RE_PARTIAL: <1 of>.", argument("RE_PARTIAL", "1 of")),
        ("RE_PARTIAL: < of 2>.", argument("RE_PARTIAL", " of 2")),
        ("RE_PARTIAL: <+1 of 2>.", argument("RE_PARTIAL", "+1 of 2")),
        ("RE_PARTIAL: <1 of -2>.", argument("RE_PARTIAL", "1 of -2")),
        (
            "RE_PARTIAL: <1 of 99999999999999999999999>.",
            argument("RE_PARTIAL", "1 of 99999999999999999999999"),
        ),
        ("RE_LOCAL.", form("RE_LOCAL.")),
        ("RE_NO_EMPTY: <,>.", argument("RE_NO_EMPTY", ",")),
        (r"RE_DNS_FAIL: <\u{>.", argument("RE_DNS_FAIL", r"\u{")),
        (r"RE_DNS_FAIL: <\u{}>.", argument("RE_DNS_FAIL", r"\u{}")),
        (r"RE_DNS_FAIL: <\u{+a}>.", argument("RE_DNS_FAIL", r"\u{+a}")),
        (r"RE_DNS_FAIL: <\u{d800}>.", argument("RE_DNS_FAIL", r"\u{d800}")),
        (
            r"RE_DNS_FAIL: <\u{110000}>.",
            argument("RE_DNS_FAIL", r"\u{110000}"),
        ),
        (
            r"RE_DNS_FAIL: <\u{0000041}>.",
            argument("RE_DNS_FAIL", r"\u{0000041}"),
        ),
        (
            r"RE_DNS_FAIL: <\u{1000000000}>.",
            argument("RE_DNS_FAIL", r"\u{1000000000}"),
        ),
    ] {
        assert_eq!(text.parse::<MapReply>(), Err(error), "{text}");
    }
}

#[test]
fn codes_have_numbers_names_and_sentences() {
    for code in MapReplyCode::ALL {
        assert_eq!(MapReplyCode::from_i32(code as i32), Some(code));
        assert_eq!(MapReplyCode::from_name(code.name()), Some(code));
        assert!(code.description().ends_with('.') && code.description().len() > 20);
    }
    let numbers: Vec<i32> = MapReplyCode::ALL.iter().map(|code| *code as i32).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 64, 65, 66, 67, 68, 69]);
    for number in [-1, 8, 63, 70, i32::MIN, i32::MAX] {
        assert_eq!(MapReplyCode::from_i32(number), None);
    }
    assert_eq!(
        MapReplyCode::from_name("RE_SEVICE_DENIED"),
        Some(MapReplyCode::ServiceDenied)
    );
    assert_eq!(MapReplyCode::from_name("RE_"), None);
}

#[test]
fn good_fields_pass() {
    let checked = check(fields(
        " cxw@apple.com\t",
        "407184933@qq.com",
        "test",
        "test content.",
    ))
    .unwrap();
    assert_eq!(checked.from.to_smtp(), "cxw@apple.com");
    assert_eq!(checked.to.to_smtp(), "407184933@qq.com");
    assert_eq!(
        (checked.subject.as_str(), checked.content.as_str()),
        ("test", "test content.")
    );
}

#[test]
fn checks_fail_in_their_order() {
    let (good, bad) = ("a@b", "a.b");
    for (given, printed, reason) in [
        (
            fields("", "", "", ""),
            "RE_NO_EMPTY: <From, To, Subject, Content,>.",
            "From, To, Subject and Content are empty",
        ),
        (
            fields("a@b", "", "test", ""),
            "RE_NO_EMPTY: <To, Content,>.",
            "To and Content are empty",
        ),
        (
            fields("a@b", " \t\r\n", "test", "x"),
            "RE_NO_EMPTY: <To,>.",
            "To is empty",
        ),
        // Empties before formats.
        (
            fields(bad, bad, "\r\n", "\0"),
            "RE_NO_EMPTY: <Subject,>.",
            "Subject is empty",
        ),
        // Formats: From, To, Subject, Content.
        (
            fields("a.a", bad, "\0", "\0"),
            "RE_INVALID_FORMAT: <a.a>.",
            "the address in From is not valid: there is no @",
        ),
        (
            fields(good, bad, "\0", "\0"),
            "RE_INVALID_FORMAT: <a.b>.",
            "the address in To is not valid: there is no @",
        ),
        (
            fields(good, good, "\0", "\0"),
            "RE_INVALID_FORMAT: <Subject>.",
            "Subject cannot be sent",
        ),
        (
            fields(good, good, "a\nb", "\0"),
            "RE_INVALID_FORMAT: <Subject>.",
            "Subject cannot be sent",
        ),
        (
            fields(good, good, "a", "\0"),
            "RE_INVALID_FORMAT: <Content>.",
            "Content cannot be sent",
        ),
        // The address as it was given, trimmed and on one line.
        (
            fields(" a \t", good, "a", "b"),
            "RE_INVALID_FORMAT: <a>.",
            "the address in From",
        ),
        (
            fields(good, "a@b\r\nDATA", "a", "b"),
            r"RE_INVALID_FORMAT: <a@b\u{d}\u{a}DATA>.",
            r"'\r' at position 4",
        ),
        (
            fields(good, "\0", "a", "b"),
            r"RE_INVALID_FORMAT: <\u{0}>.",
            "the address in To",
        ),
        (
            fields(good, "a@b\n", "a", "b"),
            r"RE_INVALID_FORMAT: <a@b\u{a}>.",
            r"'\n' at position 4",
        ),
    ] {
        let failure = check(given).unwrap_err();
        assert_eq!(failure.reply.to_string(), printed);
        assert!(failure.reason.contains(reason), "{}", failure.reason);
    }
}

#[test]
fn octets_that_are_not_utf8_are_named() {
    let good = fields("a@b", "a@b", "s", "c");
    for (given, printed, reason) in [
        (
            Fields {
                from: b"a\xff@b",
                ..good
            },
            "RE_INVALID_FORMAT: <a\u{fffd}@b>.",
            "octet 2 is not UTF-8",
        ),
        (
            Fields { to: b"\xc3", ..good },
            "RE_INVALID_FORMAT: <\u{fffd}>.",
            "octet 1 is not UTF-8",
        ),
        (
            Fields {
                subject: b"\xff",
                ..good
            },
            "RE_INVALID_FORMAT: <Subject>.",
            "not UTF-8",
        ),
        (
            Fields {
                content: b"\xed\xa0\x80",
                ..good
            },
            "RE_INVALID_FORMAT: <Content>.",
            "not UTF-8",
        ),
    ] {
        let failure = check(given).unwrap_err();
        assert_eq!(failure.reply.to_string(), printed);
        assert!(failure.reason.contains(reason), "{}", failure.reason);
    }
}

#[test]
fn an_absurd_address_is_cut() {
    let shown = |address: &str| match check(fields(address, "a@b", "s", "c")).unwrap_err().reply {
        MapReply::InvalidFormat(shown) => shown,
        other => panic!("{other}"),
    };
    assert_eq!(shown(&"a".repeat(320)), "a".repeat(320));
    assert_eq!(shown(&"a".repeat(321)), format!("{}…", "a".repeat(320)));
    assert_eq!(shown(&"例".repeat(1_000_000)), format!("{}…", "例".repeat(320)));
    assert_eq!(shown(&"😀".repeat(2_000)), format!("{}…", "😀".repeat(320)));
}

fn partial(accepted: usize, recipients: usize) -> MapReply {
    MapReply::Partial { accepted, recipients }
}

fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            ">", ".", ">.", "\\", "\\u{", "u{", "}", " ", "\n", "\r\n", "a", "<", "5c", "5c}", ":"
        ])
        .prop_map(String::from),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

fn any_reply() -> impl Strategy<Value = MapReply> {
    prop_oneof![
        prop::sample::select(MapReplyCode::ALL.to_vec())
            .prop_filter_map("carries something", MapReply::plain),
        any::<[bool; 4]>().prop_map(|[from, to, subject, content]| {
            MapReply::NoEmpty(EmptyFields {
                from,
                to,
                subject,
                content,
            })
        }),
        any_text().prop_map(MapReply::InvalidFormat),
        any_text().prop_map(MapReply::DnsFail),
        any_text().prop_map(MapReply::Misuse),
        any_text().prop_map(MapReply::Local),
        any::<(usize, usize)>().prop_map(|(accepted, recipients)| partial(accepted, recipients)),
        (0_u16..1_000).prop_map(|code| MapReply::BadReply(ReplyCode(code))),
    ]
}

proptest! {
    #[test]
    fn every_reply_comes_back_from_its_one_line(reply in any_reply()) {
        let printed = reply.to_string();
        prop_assert!(!printed.contains(char::is_control), "{:?}", printed);
        prop_assert_eq!(printed.parse(), Ok(reply.clone()));
        prop_assert_eq!(format!("\t{printed} \r\n").parse(), Ok(reply));
    }

    #[test]
    fn reading_a_reply_never_panics(text in any_text(), name in prop::sample::select(MapReplyCode::ALL.to_vec())) {
        let _ = text.parse::<MapReply>();
        let _ = format!("{}{text}", name.name()).parse::<MapReply>();
        let _ = format!("{}: <{text}>.", name.name()).parse::<MapReply>();
    }

    #[test]
    fn checking_never_panics_and_never_passes_what_it_must_not(
        from in prop::collection::vec(any::<u8>(), 0..40),
        subject in any_text(),
        content in any_text(),
    ) {
        if let Ok(checked) = check(Fields { from: &from, ..fields("", "a@b", &subject, &content) }) {
            prop_assert!(!checked.from.to_smtp().contains(['\r', '\n', '\0']));
            prop_assert!(!checked.subject.as_str().contains(['\r', '\n', '\0']));
            prop_assert!(!checked.content.as_str().contains('\0'));
        }
        if let Ok(checked) = check(fields("a@b", "a@b", &subject, &content)) {
            prop_assert_eq!(checked.content.as_str(), content);
            prop_assert_eq!(checked.subject.as_str(), subject);
        }
    }
}
