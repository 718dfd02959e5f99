use super::*;
use crate::smtp::{ConnectionFailure, NoTls, Outcome, SecretKind};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use proptest::prelude::*;

fn redaction(user: &str, secret: &str) -> Redaction {
    Redaction::new(&Authentication {
        user: user.to_owned(),
        secret: secret.into(),
        kind: SecretKind::Password,
        nonce: "n".to_owned(),
    })
}

fn seen(secret: &str, stage: ExchangeStage, code: u16, said: &str) -> String {
    let reply = Arc::new(Reply::new(ReplyCode(code), vec![said.as_bytes().to_vec()]));
    let lines = redaction("alice", secret)
        .reply(Some(stage), reply)
        .lines
        .concat();
    String::from_utf8(lines).expect("text")
}

/// How servers, and those who look into their logs, write a line down.
fn forms(octets: &[u8]) -> Vec<String> {
    let each = |write: &dyn Fn(u8) -> String| octets.iter().map(|octet| write(*octet)).collect::<String>();
    let padded = BASE64_STANDARD.encode(octets);
    vec![
        padded.replace('=', "%3D").replace('+', "%2B").replace('/', "%2f"),
        padded.trim_end_matches('=').to_owned(),
        padded.to_ascii_uppercase(),
        padded.to_ascii_lowercase(),
        padded,
        BASE64_URL_SAFE_NO_PAD.encode(octets),
        BASE64_STANDARD.encode([b"x".as_slice(), octets].concat()),
        BASE64_STANDARD.encode([b"xy".as_slice(), octets, b"z"].concat()),
        each(&|octet| format!("{octet:02x}")),
        each(&|octet| format!("{octet:02X}")),
        each(&|octet| format!("{octet:02x}:")),
        each(&|octet| format!("{octet:02X} ")),
        each(&|octet| format!("%{octet:02x}")),
        each(&|octet| format!("={octet:02X}")),
        each(&|octet| format!("\\x{octet:02x}")),
        each(&|octet| format!("&#{octet};")),
        each(&|octet| format!("\\{octet:03o}")),
        each(&|octet| format!("0x{octet:02x},")),
        each(&|octet| format!("0x{octet:02X}, ")),
        each(&|octet| format!("{octet:02x}, ")),
        each(&|octet| match octet {
            b'&' => "&amp;".to_owned(),
            b'<' => "&lt;".to_owned(),
            b'>' => "&gt;".to_owned(),
            b'"' => "&quot;".to_owned(),
            b'\'' => "&apos;".to_owned(),
            octet => char::from(octet).to_string(),
        }),
        each(&|octet| match octet {
            b'"' | b'\\' => format!("\\{}", char::from(octet)),
            octet => char::from(octet).to_string(),
        }),
        each(&|octet| match octet {
            b' ' => "+".to_owned(),
            octet if octet.is_ascii_alphanumeric() => char::from(octet).to_string(),
            octet => format!("%{octet:02X}"),
        }),
        each(&|octet| {
            if octet.is_ascii_alphanumeric() {
                char::from(octet).to_string()
            } else {
                format!("%{octet:02X}")
            }
        }),
    ]
}

const STAGES: [ExchangeStage; 6] = [
    ExchangeStage::Greeting,
    ExchangeStage::Ehlo,
    ExchangeStage::Auth,
    ExchangeStage::Rcpt,
    ExchangeStage::Content,
    ExchangeStage::Quit,
];

#[test]
fn two_kinds_of_escape_at_once() {
    for spelled in [
        "p%40ss&#39;wd",
        "p=40ss\\'wd",
        "p\\u0040ss%27wd",
        "p&commat;ss\\x27wd",
    ] {
        let said = seen(
            "p@ss'wd",
            ExchangeStage::Mail,
            550,
            &format!("no: {spelled} here"),
        );
        assert_eq!(said, "no: *** here", "{spelled}");
    }
}

#[test]
fn a_server_that_repeats_a_secret_is_not_repeated() {
    let plain = BASE64_STANDARD.encode("\0alice\0s3cret");
    let rows = [
        (
            format!("5.5.1 Command unrecognized: \"AUTH PLAIN {plain}\""),
            "5.5.1 Command unrecognized: \"AUTH PLAIN ***\"",
        ),
        (format!("{plain}{plain}"), "***"),
        (format!("{plain} {plain}"), "*** ***"),
        ("no s3cret, S3CRET".to_owned(), "no ***, ***"),
        (BASE64_STANDARD.encode("s3cret"), "***"),
        (
            BASE64_STANDARD.encode("user=alice\u{1}auth=Bearer s3cret\u{1}\u{1}"),
            "***",
        ),
        ("nothing of it".to_owned(), "nothing of it"),
    ];
    for (said, written) in rows {
        for stage in STAGES {
            assert_eq!(seen("s3cret", stage, 500, &said), written, "{stage:?}");
        }
    }
}

#[test]
fn no_form_of_a_secret_is_repeated_at_any_stage() {
    for secret in [
        "s3cret",
        "hunter2!",
        "correct horse battery staple",
        "p+/=?%&\"<x>",
    ] {
        let wire = [
            secret.to_owned(),
            format!("\0alice\0{secret}"),
            format!("user=alice\u{1}auth=Bearer {secret}\u{1}\u{1}"),
        ];
        for message in &wire {
            for form in forms(message.as_bytes()) {
                for stage in STAGES {
                    let said = seen(secret, stage, 500, &format!("5.5.1 what is {form} to me"));
                    assert!(said.contains("***"), "{secret} {stage:?} {form}: {said}");
                    assert!(
                        said.starts_with("5.5.1 what is ") && said.ends_with(" to me"),
                        "{said}"
                    );
                    for other in forms(secret.as_bytes()) {
                        assert!(
                            !said.contains(other.trim_end_matches([':', ' ', ','])),
                            "{form}: {said}"
                        );
                    }
                }
            }
        }
        for spelled in [secret.to_ascii_uppercase(), secret.to_ascii_lowercase()] {
            let said = seen(secret, ExchangeStage::Rcpt, 550, &format!("5.1.1 {spelled}?"));
            assert_eq!(said, "5.1.1 ***?");
        }
    }
}

#[test]
fn a_piece_of_a_long_secret_is_not_repeated() {
    let token = "ya29.A0ARrdaM-8cD3fGh1jKlMn0pQrStUvWxYz_0123456789abcdefghijklmnopqrstuvw";
    let message = BASE64_STANDARD.encode(format!("user=alice\u{1}auth=Bearer {token}\u{1}\u{1}"));
    for piece in [
        &token[..20],
        &token[30..50],
        &token[52..],
        &message[..40],
        &message[44..77],
    ] {
        for stage in STAGES {
            assert_eq!(
                seen(token, stage, 500, &format!("what: {piece}...")),
                "what: ***...",
                "{piece}"
            );
        }
    }
}

#[test]
fn a_form_that_was_cut_short_is_not_repeated() {
    let plain = BASE64_STANDARD.encode("\0alice\0s3cret-and-more");
    let client_final = BASE64_STANDARD.encode("c=biws,r=nonce,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
    for form in [plain, client_final] {
        let cut = form.get(..RUN).expect("long enough");
        let said = format!("what is \"AUTH {cut}...\"?");
        for stage in STAGES {
            assert_eq!(
                seen("s3cret-and-more", stage, 500, &said),
                "what is \"AUTH ***...\"?"
            );
        }
    }
    let other = "id AAAABBBBCCCCDDDDEEEE";
    assert_eq!(seen("s3cret", ExchangeStage::Auth, 500, other), other);
}

#[test]
fn no_proof_of_scram_is_repeated() {
    let proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    let client_final = format!("c=biws,r=nonce,p={proof}");
    for form in forms(client_final.as_bytes())
        .into_iter()
        .chain([client_final.clone()])
    {
        let said = seen(
            "s3cret",
            ExchangeStage::Mail,
            500,
            &format!("unknown: \"{form}\""),
        );
        assert!(said.starts_with("unknown: \"***"), "{form}: {said}");
        assert!(said.len() < "unknown: \"***\"".len() + 12, "{form}: {said}");
    }
    assert_eq!(
        seen("s3cret", ExchangeStage::Mail, 500, &format!("r=x,p={proof}")),
        "r=x,p=***"
    );
}

#[test]
fn no_challenge_is_repeated() {
    assert_eq!(
        seen("s3cret", ExchangeStage::Auth, 334, "cj1uLHM9QUFBQSxpPTQwOTY="),
        ""
    );
}

#[test]
fn a_short_secret_garbles_no_other_reply() {
    let rows = [
        ("ok", ExchangeStage::Auth, "ok is wrong", "*** is wrong"),
        ("ok", ExchangeStage::Rcpt, "2.1.5 ok", "2.1.5 ok"),
        // Not in every other word.
        (
            "a",
            ExchangeStage::Auth,
            "5.7.8 authentication failed: a",
            "5.7.8 authentication failed: ***",
        ),
        (
            "a",
            ExchangeStage::Rcpt,
            "5.1.1 not a mailbox",
            "5.1.1 not a mailbox",
        ),
        (
            "x7",
            ExchangeStage::Quit,
            "bye, X7 or eDc or 7837",
            "bye, *** or *** or ***",
        ),
        ("x7", ExchangeStage::Quit, "queued as 0x7F", "queued as 0x7F"),
        (
            "x7",
            ExchangeStage::Quit,
            "78 37, 0x78,0x37; 78:37, 78, 37 or &#120;7",
            "***, ***; ***, *** or ***",
        ),
        (
            "x7",
            ExchangeStage::Quit,
            "at 178 37, 78 370, 783 7",
            "at 178 37, 78 370, 783 7",
        ),
        ("pear", ExchangeStage::Mail, "pear? appear", "***? appear"),
        ("pear", ExchangeStage::Auth, "xpearx cGVhcg", "x***x ***"),
        // What the verdict rests on.
        ("5", ExchangeStage::Rcpt, "5.1.1 5", "5.1.1 ***"),
        ("5.7.1", ExchangeStage::Auth, "5.7.1 refused", "5.7.1 refused"),
        ("", ExchangeStage::Auth, "5.7.8 no", "5.7.8 no"),
    ];
    for (secret, stage, said, written) in rows {
        assert_eq!(seen(secret, stage, 500, said), written, "{secret}");
    }
}

#[test]
fn every_reply_of_an_outcome_is_looked_through() {
    let reply = Arc::new(Reply::new(ReplyCode(535), vec![b"s3cret".to_vec()]));
    let stage = ExchangeStage::Auth;
    let outcomes = [
        Outcome::Accepted(Arc::clone(&reply)),
        Outcome::Refused {
            stage,
            reply: Arc::clone(&reply),
        },
        Outcome::Unexpected {
            stage,
            reply: Arc::clone(&reply),
        },
        Outcome::NoTls(NoTls::Refused(Arc::clone(&reply))),
        Outcome::NoBdat(Arc::clone(&reply)),
        Outcome::TooManyRecipients(Arc::clone(&reply)),
        Outcome::Lost {
            stage,
            why: ConnectionFailure::ImplausibleReply(Arc::clone(&reply)),
        },
        Outcome::Uncertain(ConnectionFailure::ImplausibleReply(Arc::clone(&reply))),
    ];
    for outcome in outcomes {
        let redaction = redaction("alice", "s3cret");
        let redacted = outcome
            .clone()
            .map_replies(&mut |stage, reply| redaction.reply(stage, reply));
        // "s3cret" as the octets that `Debug` shows.
        let octets = format!("{:?}", b"s3cret");
        assert!(format!("{outcome:?}").contains(octets.trim_matches(['[', ']'])));
        assert!(!format!("{redacted:?}").contains(octets.trim_matches(['[', ']'])));
    }
}

proptest! {
    #[test]
    fn whatever_stands_around_it_a_secret_is_not_repeated(
        secret in "[!-~]{6,40}",
        before in "[ -~]{0,30}",
        behind in "[ -~]{0,30}",
        stage in prop::sample::select(STAGES.to_vec()),
    ) {
        // What adds digits to those of the secret makes other octets of them: a form is a word.
        for form in forms(secret.as_bytes()).into_iter().chain([secret.clone()]) {
            let said = seen(&secret, stage, 550, &format!("{before} <{form}> {behind}"));
            let small = said.to_ascii_lowercase();
            prop_assert!(!small.contains(&secret.to_ascii_lowercase()), "{form}: {said}");
            prop_assert!(!said.contains(form.trim_end_matches([':', ' ', ','])), "{form}: {said}");
        }
    }

    #[test]
    fn other_texts_are_left_as_they_are(said in "[ -~]{0,200}") {
        prop_assert_eq!(seen("Tr0ub4dor&3-long-one", ExchangeStage::Rcpt, 550, &said), said);
    }

    #[test]
    fn any_octets_can_be_looked_through(line in prop::collection::vec(any::<u8>(), 0..300), secret in any::<String>()) {
        let reply = Arc::new(Reply::new(ReplyCode(550), vec![line]));
        for stage in STAGES {
            let redacted = redaction("alice", &secret).reply(Some(stage), Arc::clone(&reply));
            prop_assert_eq!(redacted.lines.len(), 1);
        }
    }
}

/// A line that is made of what is looked for is no more work than another.
#[test]
fn the_work_grows_with_the_line_alone() {
    for piece in ["p=", "c=biws,", "s3cret", "%73", "7333", "AGFsaWNl", "biws"] {
        let said = piece.repeat(50_000 / piece.len());
        assert!(seen("s3cret-and-more-of-it", ExchangeStage::Auth, 500, &said).len() <= said.len());
    }
}

#[test]
fn the_lines_that_decide_nothing_are_looked_through_too() {
    let line = |code, text: &[u8]| ReplyLine {
        code: ReplyCode(code),
        text: text.to_vec(),
    };
    let mut reply = Reply::new(ReplyCode(535), vec![b"no".to_vec()]);
    reply.overruled = vec![
        line(334, b"cj1uLHM9QUFBQSxpPTQwOTY="),
        line(235, b"s3cret, welcome"),
    ];
    let seen = redaction("alice", "s3cret").reply(Some(ExchangeStage::Auth), Arc::new(reply));
    assert_eq!(seen.overruled, [line(334, b""), line(235, b"***, welcome")]);
}
