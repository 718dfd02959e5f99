//! No field of a call becomes a command or a header field: seen from the octets that the mail host received.

use map_core::delivery::Report;
use map_core::protocol::Fields;
use map_core::{Agent, Config, Mailbox, MapReplyCode};
use map_sandbox::{Mail, Sandbox, Session, World};
use std::time::Duration;

/// One host that invites to send much at once and to send 8-bit, and one that offers nothing.
const WORLD: &str = "
domain plan.example
  mx 10 mx.plan.example
host mx.plan.example 127.0.0.2
  offer PIPELINING, SIZE 10240000, 8BITMIME, SMTPUTF8, ENHANCEDSTATUSCODES

domain bare.example
  mx 10 mx.bare.example
host mx.bare.example 127.0.0.3
  offer nothing
";
const DOMAINS: [&str; 2] = ["plan.example", "bare.example"];

/// What has been taken for a line end somewhere, or ends other things: each C0, DEL, the line ends of Unicode,
/// characters whose last octet is CR or LF once they are cut down to eight bits, and both in disguise.
fn tricks() -> Vec<String> {
    let controls = (0..0x20_u8)
        .chain([0x7f])
        .map(|octet| char::from(octet).to_string());
    let others = [
        "\r\n",
        "\n\r",
        "\r\r\n",
        "\r\n\r\n",
        "\r\n.\r\n",
        "\n.\n",
        "\r.\r",
        "\r\n.\n",
        "\n.\r\n",
        "\0\r\n",
        "\u{85}",
        "\u{2028}",
        "\u{2029}",
        "\u{560a}",
        "\u{760d}",
        "\u{760d}\u{560a}",
        "\u{10d}\u{10a}",
        "\u{feff}",
        "\u{ff0e}",
        "\u{ff1e}",
        "%0d%0a",
        "\\r\\n",
        "=0D=0A",
        "=?utf-8?Q?=0D=0A?=",
        "&#13;&#10;",
        "\\\r\n",
        "\r\n ",
        "\r\n\t",
        "> ",
        ">\r\n",
        "\">",
    ];
    controls.chain(others.map(str::to_owned)).collect()
}

/// Octets that a careless decoder makes a line end of; none is UTF-8.
const ILL_FORMED: [&[u8]; 6] = [
    b"\xc0\x8a",
    b"\xc0\x8d\xc0\x8a",
    b"\xe0\x80\x8a",
    b"\x8d\x8a",
    b"\x85",
    b"\xed\xa0\x8a",
];

struct Lab {
    sandbox: Sandbox,
    agent: Agent,
}

impl Lab {
    fn start() -> Self {
        let sandbox = Sandbox::start(&WORLD.parse::<World>().unwrap()).unwrap();
        let mut config = Config::new();
        config.set_dns_servers(vec![sandbox.dns_server()]);
        config.set_smtp_port(sandbox.smtp_port()).unwrap();
        config.set_hello_name(Some("client.example")).unwrap();
        config.set_allow_loopback(true);
        Self {
            sandbox,
            agent: Agent::new(config),
        }
    }

    /// Sends, and has the octets of every session looked at. Returns true when the mail arrived.
    fn sent(&self, fields: Fields<'_>) -> bool {
        self.sandbox.clear();
        let report = self.agent.submit(fields).wait();
        let sessions = self.sandbox.wait_for_quiet(Duration::from_secs(20));
        let mails = self.sandbox.mails();
        let shown = format!("{fields:?}\n{report:#?}");
        check_printed(&report, &shown);
        match report.reply().code() {
            MapReplyCode::Success => {
                let [session] = &sessions[..] else {
                    panic!("{} sessions for {shown}", sessions.len())
                };
                let [mail] = &mails[..] else {
                    panic!("{} mails for {shown}", mails.len())
                };
                check_session(session, fields, &shown);
                check_mail(mail, fields, &shown);
                true
            }
            MapReplyCode::InvalidFormat | MapReplyCode::NoEmpty => {
                assert!(sessions.is_empty(), "a mail host heard of {shown}");
                false
            }
            // A domain name in another script, which nobody has.
            MapReplyCode::DnsFail => {
                assert!(mailbox(fields.to).contains("xn--"), "{shown}");
                assert!(sessions.is_empty(), "a mail host heard of {shown}");
                false
            }
            // The bare host is not told of an address that it could not take.
            MapReplyCode::BadReply => {
                assert_eq!(report.reply().to_string(), "RE_BADREPLY: <553>.", "{shown}");
                assert!(needs_smtputf8(fields) && mails.is_empty(), "{shown}");
                for session in &sessions {
                    let received = String::from_utf8_lossy(&session.received);
                    assert!(session.host.contains("bare"), "{shown}");
                    assert_eq!(received, "EHLO client.example\r\nQUIT\r\n", "{shown}");
                }
                false
            }
            other => panic!("{other:?} for {shown}"),
        }
    }

    /// Tries an address in both fields; `right` says whether it may be taken, or must be.
    fn check_address(&self, address: &str, to: &str, right: impl Fn(bool) -> bool) {
        let octets = address.as_bytes();
        for fields in [
            Fields {
                from: octets,
                ..good(to)
            },
            Fields {
                to: octets,
                ..good(to)
            },
        ] {
            let taken = self.sent(fields);
            assert!(right(taken), "taken is {taken} for {fields:?}, {address:?}");
        }
    }

    fn refused(&self, fields: Fields<'_>) {
        assert!(!self.sent(fields), "taken: {fields:?}");
    }
}

/// The reply is one line, whatever the field held: a MAP dialogue has its own injections.
fn check_printed(report: &Report, shown: &str) {
    for text in [report.reply().to_string(), report.summary().advice().to_owned()] {
        assert!(
            !text.contains(|c: char| c.is_control() || "\u{2028}\u{2029}".contains(c)),
            "{text:?} for {shown}"
        );
    }
    for line in report.transcript().lines() {
        assert!(
            !line.contains(|c: char| c.is_control() && c != '\t'),
            "{line:?} for {shown}"
        );
    }
}

/// `atext` of RFC 5321 and RFC 6531, which may stand in a local part.
fn is_atext(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_letter_beyond_ascii(c))
}

/// Of the characters beyond ASCII that are tried, those that people see.
fn is_letter_beyond_ascii(c: char) -> bool {
    !c.is_ascii() && !"\u{85}\u{2028}\u{2029}\u{feff}".contains(c)
}

/// True when an address can only go to a host that offers SMTPUTF8.
fn needs_smtputf8(fields: Fields<'_>) -> bool {
    !mailbox(fields.from).is_ascii() || !mailbox(fields.to).is_ascii()
}

fn mailbox(field: &[u8]) -> String {
    std::str::from_utf8(field)
        .unwrap()
        .parse::<Mailbox>()
        .unwrap()
        .to_smtp()
}

/// What the client said, line by line, is exactly what a mail of one recipient needs.
fn check_session(session: &Session, fields: Fields<'_>, shown: &str) {
    let text = std::str::from_utf8(&session.received).expect(shown);
    let stands = |c| {
        matches!(c, '\t' | '\r' | '\n' | ' '..='~') || needs_smtputf8(fields) && is_letter_beyond_ascii(c)
    };
    assert!(text.chars().all(stands), "not 7-bit text: {shown}");
    let lines: Vec<_> = text.strip_suffix("\r\n").expect(shown).split("\r\n").collect();
    assert!(
        !lines.iter().any(|line| line.contains(['\r', '\n'])),
        "a bare CR or LF: {shown}"
    );

    let data = lines.iter().position(|line| *line == "DATA").expect(shown);
    let end = lines.iter().position(|line| *line == ".").expect(shown);
    let content = &lines[data + 1..end];
    let octets: usize = content
        .iter()
        .map(|line| line.strip_prefix('.').unwrap_or(line).len() + 2)
        .sum();
    let mut parameters = if session.host.contains("plan") {
        format!(" SIZE={octets}")
    } else {
        String::new()
    };
    if needs_smtputf8(fields) {
        parameters.push_str(" SMTPUTF8");
    }
    let expected = [
        "EHLO client.example".to_owned(),
        format!("MAIL FROM:<{}>{parameters}", mailbox(fields.from)),
        format!("RCPT TO:<{}>", mailbox(fields.to)),
        "DATA".to_owned(),
    ];
    assert_eq!(lines[..=data], expected, "{shown}");
    assert_eq!(lines[end..], [".", "QUIT"], "{shown}");
    assert!(
        content.iter().all(|line| line.len() <= 998),
        "a long line: {shown}"
    );
}

/// The header of the mail that arrived holds our fields and no others, with the addresses of the envelope.
fn check_mail(mail: &Mail, fields: Fields<'_>, shown: &str) {
    let text = std::str::from_utf8(&mail.content).unwrap();
    let (header, _) = text.split_once("\r\n\r\n").expect(shown);
    let header = header.replace("\r\n ", " ");
    let fields_seen: Vec<_> = header
        .split("\r\n")
        .map(|field| field.split_once(": ").expect(shown))
        .collect();
    let names: Vec<_> = fields_seen.iter().map(|(name, _)| *name).collect();
    let expected = [
        "Date",
        "From",
        "To",
        "Subject",
        "Message-ID",
        "MIME-Version",
        "Content-Type",
    ];
    assert_eq!(names[..7], expected, "{shown}");
    assert_eq!(names[7..], ["Content-Transfer-Encoding"], "{shown}");
    assert_eq!(fields_seen[1].1, format!("<{}>", mailbox(fields.from)), "{shown}");
    assert_eq!(fields_seen[2].1, format!("<{}>", mailbox(fields.to)), "{shown}");
    assert_eq!(mail.reverse_path, mailbox(fields.from), "{shown}");
    assert_eq!(mail.forward_paths, [mailbox(fields.to)], "{shown}");
}

/// A call in which nothing is wrong, for one field to be replaced.
fn good(to: &str) -> Fields<'_> {
    Fields {
        from: b"from@sender.example",
        to: to.as_bytes(),
        subject: b"subject",
        content: b"content",
    }
}

/// What an attacker puts after the trick.
const COMMANDS: &str = "RCPT TO:<evil@plan.example>";
const HEADER: &str = "Bcc: evil@plan.example";

#[test]
fn subjects_are_one_field() {
    let lab = Lab::start();
    for domain in DOMAINS {
        let to = format!("to@{domain}");
        for trick in tricks() {
            for subject in [
                format!("a{trick}{HEADER}"),
                format!("{trick} {HEADER}"),
                format!("a{trick}"),
            ] {
                let taken = lab.sent(Fields {
                    subject: subject.as_bytes(),
                    ..good(&to)
                });
                assert_eq!(taken, !subject.contains(['\r', '\n', '\0']), "{subject:?}");
            }
        }
        for octets in ILL_FORMED {
            let subject = [b"a", octets, HEADER.as_bytes()].concat();
            lab.refused(Fields {
                subject: &subject,
                ..good(&to)
            });
        }
    }
}

#[test]
fn contents_end_where_they_end() {
    let lab = Lab::start();
    for domain in DOMAINS {
        let to = format!("to@{domain}");
        for trick in tricks() {
            for content in [
                format!("a{trick}.{trick}MAIL FROM:<evil@plan.example>{trick}{COMMANDS}{trick}DATA{trick}b"),
                format!(".{trick}QUIT{trick}"),
                format!("{trick}{HEADER}{trick}{trick}b"),
                format!("a{trick}.\r\n{COMMANDS}\r\n"),
                format!("a\r\n.{trick}{COMMANDS}\r\n"),
            ] {
                let taken = lab.sent(Fields {
                    content: content.as_bytes(),
                    ..good(&to)
                });
                assert_eq!(taken, !content.contains('\0'), "{content:?}");
            }
        }
        for octets in ILL_FORMED {
            let content = [b"a", octets, b".", octets, COMMANDS.as_bytes()].concat();
            lab.refused(Fields {
                content: &content,
                ..good(&to)
            });
        }
    }
}

#[test]
fn addresses_hold_no_line_end() {
    let lab = Lab::start();
    for domain in DOMAINS {
        let to = format!("to@{domain}");
        for trick in tricks() {
            let control = trick.contains(|c: char| c.is_control() && c != '\t');
            for address in [
                format!("a{trick}{COMMANDS}@{domain}"),
                format!("a{trick}@{domain}"),
                format!("a{trick}.b@{domain}"),
                format!("a@{domain}>{trick}{COMMANDS}"),
                format!("a@{domain}{trick}{COMMANDS}"),
                format!("a@[127.0.0.2{trick}]"),
                format!("a@[127.0.0.2{trick}{COMMANDS}]"),
            ] {
                let carried = trick.is_ascii() || domain == "plan.example";
                let harmless = address.starts_with(&format!("a{trick}")) && is_atext(&trick) && carried;
                lab.check_address(&address, &to, |taken| {
                    taken == (harmless && !address.contains(COMMANDS))
                });
            }
            for address in [
                format!("\"a{trick}b\"@{domain}"),
                format!("\"a\\{trick}b\"@{domain}"),
            ] {
                let unseen = trick.contains(|c: char| !c.is_ascii() && !is_letter_beyond_ascii(c));
                lab.check_address(&address, &to, |taken| !taken || !control && !unseen);
            }
            // Outer blanks and tabs are taken away, and some of the others may stand in a domain name of another
            // script. What is taken has no control character, and its session has been looked at.
            for address in [
                format!("{trick}a@{domain}"),
                format!("a@{trick}{domain}"),
                format!("a@{domain}{trick}"),
            ] {
                lab.check_address(&address, &to, |taken| !taken || !control);
            }
        }
        for octets in ILL_FORMED {
            let address = [b"a", octets, b"@", domain.as_bytes()].concat();
            lab.refused(Fields {
                from: &address,
                ..good(&to)
            });
            lab.refused(Fields {
                to: &address,
                ..good(&to)
            });
        }
    }
}

#[test]
fn quoted_strings_stay_quoted() {
    let lab = Lab::start();
    for domain in DOMAINS {
        let to = format!("to@{domain}");
        for (local_part, taken) in [
            (r#""a@b> SIZE=1 RCPT TO:<evil""#, true),
            (r#""> NOTIFY=NEVER""#, true),
            (r#""\"> BODY=8BITMIME""#, true),
            (r#""\\""#, true),
            (r#""a\"@evil.example>,<b""#, true),
            (r#""Bcc: evil" "#, false),
            (r#""\\"> SIZE=1 <""#, false),
            (r#""a""b""#, false),
            (r#""a"#, false),
            (r#""a\""#, false),
            (r#"a"b"c"#, false),
            ("<a", false),
            ("a> SIZE=1 <b", false),
            ("a,b", false),
            ("@relay.example:a", false),
            ("a%b!c", true),
        ] {
            let address = format!("{local_part}@{domain}");
            assert_eq!(
                lab.sent(Fields {
                    from: address.as_bytes(),
                    ..good(&to)
                }),
                taken,
                "{address}"
            );
            assert_eq!(
                lab.sent(Fields {
                    to: address.as_bytes(),
                    ..good(&to)
                }),
                taken,
                "{address}"
            );
        }
    }
}
