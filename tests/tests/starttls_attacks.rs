//! Somebody on the way changes what is said before TLS begins. Where a policy forbids the clear, no mail and no secret
//! leaves in it; and no reply that he slipped in is ever believed.
//!
//! The classes are those of "Why TLS Is Better Without STARTTLS" (Poddebniak and others, USENIX Security 2021), and
//! CVE-2021-38371.

use map_core::delivery::Report;
use map_core::protocol::MapReplyCode;
use map_core::smtp::SecretKind;
use map_core::{Agent, Config, Relay, RelaySecurity};
use map_sandbox::{Sandbox, Session, World};
use std::time::Duration;

const USER: &str = "app";
const SECRET: &str = "correct-horse";

/// What he does, as lines of the host.
const ATTACKS: [(&str, &str); 22] = [
    ("no attack", ""),
    (
        "STARTTLS is not in the list",
        "offer PIPELINING, AUTH PLAIN LOGIN",
    ),
    ("nothing is in the list", "offer nothing"),
    (
        "the keyword is mangled",
        "on ehlo raw 250-mx\\r\\n250-XTARTTLS\\r\\n250 AUTH PLAIN LOGIN\\r\\n",
    ),
    (
        "the keyword stands in the first line",
        "on ehlo raw 250 STARTTLS\\r\\n",
    ),
    (
        "the list is AUTH alone",
        "on ehlo raw 250-mx\\r\\n250 AUTH PLAIN LOGIN SCRAM-SHA-256\\r\\n",
    ),
    ("EHLO is refused, HELO is not", "on ehlo reply 502 5.5.1 Unknown"),
    ("EHLO is refused by 421", "on ehlo reply 421 4.3.2 Later"),
    (
        "STARTTLS is refused for now",
        "on starttls reply 454 4.7.0 TLS not available",
    ),
    ("STARTTLS is unknown", "on starttls reply 502 5.5.1 Unknown"),
    ("STARTTLS gets 250", "on starttls raw 250 Ok\\r\\n"),
    ("STARTTLS gets 354", "on starttls raw 354 Go on\\r\\n"),
    ("STARTTLS closes", "on starttls close"),
    (
        "a list after the 220",
        "on starttls raw 220 Go\\r\\n250-mx\\r\\n250 AUTH PLAIN LOGIN\\r\\n",
    ),
    (
        "a whole dialogue after the 220",
        "on starttls raw 220 Go\\r\\n250 mx\\r\\n235 Ok\\r\\n250 Ok\\r\\n250 Ok\\r\\n354 Go\\r\\n250 Queued\\r\\n221 Bye\\r\\n",
    ),
    ("half a line after the 220", "on starttls raw 220 Go\\r\\n250"),
    (
        "a list after the greeting",
        "on greeting raw 220 mx\\r\\n250-mx\\r\\n250 AUTH PLAIN LOGIN\\r\\n",
    ),
    (
        "a whole dialogue after the greeting",
        "on greeting raw 220 mx\\r\\n250 mx\\r\\n250 Ok\\r\\n250 Ok\\r\\n354 Go\\r\\n250 Queued\\r\\n221 Bye\\r\\n",
    ),
    (
        "a whole dialogue after the list",
        "on ehlo 1 raw 250 mx\\r\\n250 Ok\\r\\n250 Ok\\r\\n354 Go\\r\\n250 Queued\\r\\n221 Bye\\r\\n",
    ),
    (
        "the greeting says that TLS is done",
        "on greeting raw 220-mx\\r\\n220-TLS established\\r\\n220 AUTH PLAIN LOGIN\\r\\n",
    ),
    (
        "the greeting is that of another protocol",
        "on greeting raw * PREAUTH hello\\r\\n",
    ),
    ("the handshake is text", "tls garbage"),
];

struct Road {
    sandbox: Sandbox,
}

impl Road {
    fn open(attack: &str) -> Self {
        let script = format!(
            "
domain example.test
  mx 10 mx.example.test
host mx.example.test 127.0.0.2
  {tls}
  auth {USER} {SECRET}
  {attack}
",
            tls = if attack.starts_with("tls ") {
                ""
            } else {
                "tls good"
            },
        );
        let world: World = script.parse().unwrap_or_else(|error| panic!("{attack}: {error}"));
        Self {
            sandbox: Sandbox::start(&world).unwrap(),
        }
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        config.set_dns_servers(vec![self.sandbox.dns_server()]);
        config.set_smtp_port(self.sandbox.smtp_port()).unwrap();
        config.set_hello_name(Some("client.test")).unwrap();
        config.set_allow_loopback(true);
        config.set_platform_roots(false);
        config
            .add_tls_roots(self.sandbox.certificate_authority())
            .unwrap();
        config
    }

    fn required(&self) -> Report {
        let mut config = self.config();
        config.set_require_tls(true);
        send(config)
    }

    fn relayed(&self) -> Report {
        let relay = Relay::new(
            "mx.example.test",
            self.sandbox.smtp_port(),
            RelaySecurity::StartTls,
        )
        .and_then(|relay| relay.with_login(USER, SECRET, SecretKind::Password))
        .unwrap();
        let mut config = self.config();
        config.set_relay(Some(relay));
        send(config)
    }

    fn sessions(&self) -> Vec<Session> {
        self.sandbox.wait_for_quiet(Duration::from_secs(60))
    }
}

fn send(config: Config) -> Report {
    Agent::new(config).send(
        "a@sender.test",
        "b@example.test",
        "secret subject",
        "secret content",
    )
}

fn told(attack: &str, report: &Report, sessions: &[Session]) -> String {
    format!(
        "{attack}: {}\n{}\n{sessions:?}",
        report.summary().advice(),
        report.transcript()
    )
}

/// The commands that were said in the clear, in capitals.
fn verbs_in_clear(session: &Session) -> Vec<String> {
    let text = String::from_utf8_lossy(&session.received_in_clear).to_ascii_uppercase();
    text.lines()
        .map(|line| line.split(' ').next().unwrap_or_default().to_owned())
        .collect()
}

fn assert_nothing_in_clear(attack: &str, report: &Report, sessions: &[Session]) {
    for session in sessions {
        for verb in verbs_in_clear(session) {
            assert!(
                ["EHLO", "HELO", "STARTTLS", "QUIT"].contains(&verb.as_str()),
                "{verb} in the clear: {}",
                told(attack, report, sessions)
            );
        }
    }
}

/// The reply is true: success when, and only when, a host took the mail.
fn assert_true(attack: &str, report: &Report, route_summary: &Road, sessions: &[Session]) {
    let taken = route_summary.sandbox.mails().len();
    let success = report.reply().code() == MapReplyCode::Success;
    assert_eq!(taken, usize::from(success), "{}", told(attack, report, sessions));
}

#[test]
fn required_tls_is_not_talked_away() {
    for (attack, lines) in ATTACKS {
        let route_summary = Road::open(lines);
        let report = route_summary.required();
        let sessions = route_summary.sessions();
        assert_nothing_in_clear(attack, &report, &sessions);
        assert_true(attack, &report, &route_summary, &sessions);
        assert!(
            route_summary
                .sandbox
                .mails()
                .iter()
                .all(|mail| mail.tls.is_some()),
            "{}",
            told(attack, &report, &sessions)
        );
        let harmless = lines.is_empty() || lines.starts_with("on greeting raw 220-");
        assert_eq!(
            report.reply().code() == MapReplyCode::Success,
            harmless,
            "{}",
            told(attack, &report, &sessions)
        );
        assert!(
            harmless || report.summary().transient(),
            "{}",
            told(attack, &report, &sessions)
        );
    }
}

#[test]
fn no_secret_is_talked_out_of_the_client() {
    for (attack, lines) in ATTACKS {
        let route_summary = Road::open(lines);
        let report = route_summary.relayed();
        let sessions = route_summary.sessions();
        assert_nothing_in_clear(attack, &report, &sessions);
        assert_true(attack, &report, &route_summary, &sessions);
        if lines.is_empty() {
            let logged_in = sessions.iter().any(|session| !session.authentications.is_empty());
            assert!(
                logged_in && report.reply().code() == MapReplyCode::Success,
                "{}",
                told(attack, &report, &sessions)
            );
        }
        for session in &sessions {
            let clear = String::from_utf8_lossy(&session.received_in_clear);
            assert!(!clear.contains(SECRET), "{}", told(attack, &report, &sessions));
        }
    }
}

#[test]
fn nothing_slipped_in_is_believed_where_the_clear_is_allowed() {
    for (attack, lines) in ATTACKS {
        let route_summary = Road::open(lines);
        let report = send(route_summary.config());
        let sessions = route_summary.sessions();
        assert_true(attack, &report, &route_summary, &sessions);
        for session in &sessions {
            let verbs = verbs_in_clear(session);
            assert!(
                !verbs.contains(&"AUTH".to_owned()),
                "{}",
                told(attack, &report, &sessions)
            );
        }
    }
}
