//! What a host does about TLS, by what is demanded of it: whether a MAIL was sent, over what, and the reply.
//!
//! One row for each way in which a host begins TLS or does not, one column for each policy. The cells are asserted
//! whole; the table below is printed by the test that fails.

use map_core::agent::Timeout;
use map_core::delivery::{Delivered, Report};
use map_core::protocol::MapReplyCode;
use map_core::{Agent, Config};
use map_sandbox::{Sandbox, Session, World};
use std::fmt::Write as _;
use std::time::Duration;

/// How a host begins TLS: a name, and the lines of its script.
const HOSTS: [(&str, &str); 8] = [
    ("no-starttls", ""),
    (
        "refused",
        "tls good\n  on starttls reply 454 4.7.0 TLS not available",
    ),
    ("stalls", "tls stall"),
    ("breaks", "tls break"),
    ("self-signed", "tls self-signed"),
    ("wrong-name", "tls wrong-name"),
    ("expired", "tls expired"),
    ("good", "tls good"),
];

/// What is demanded: a name, and for each host in the order above what becomes of the mail.
///
/// `clear`, `tls` (unverified), `pkix`, `dane`: accepted over that. `-`: no MAIL, though the host was connected to.
/// `skip`: not even connected to. With `!`: the report warns.
const TABLE: [(&str, [&str; 8]); 9] = [
    (
        "opportunistic",
        ["clear", "clear", "clear!", "clear!", "tls", "tls", "tls", "tls"],
    ),
    ("required", ["-", "-", "-", "-", "-", "-", "-", "pkix"]),
    ("dane-match", ["-", "-", "-", "-", "dane", "dane", "dane", "dane"]),
    ("dane-mismatch", ["-", "-", "-", "-", "-", "-", "-", "-"]),
    ("dane-unusable", ["-", "-", "-", "-", "tls", "tls", "tls", "tls"]),
    ("tlsa-servfail", ["skip"; 8]),
    ("enforce-match", ["-", "-", "-", "-", "-", "-", "-", "pkix"]),
    ("enforce-mismatch", ["skip"; 8]),
    (
        "testing",
        [
            "clear!", "clear!", "clear!", "clear!", "tls!", "tls!", "tls!", "pkix",
        ],
    ),
];

/// One world for all cells: a domain and a host each.
fn script() -> String {
    let mut script = String::new();
    for (column, (policy, _)) in TABLE.iter().enumerate() {
        for (row, (host, lines)) in HOSTS.iter().enumerate() {
            let domain = format!("{host}.{policy}.test");
            let mx = format!("mx.{domain}");
            let (of_domain, of_host, beside) = match *policy {
                "dane-match" => ("signed", "tlsa 3 1 1", String::new()),
                "dane-mismatch" => ("signed", "tlsa 3 1 1 wrong", String::new()),
                "dane-unusable" => ("signed", "tlsa 1 1 1", String::new()),
                "tlsa-servfail" => ("signed", "", format!("domain *._tcp.{mx}\n  servfail TLSA\n")),
                "enforce-match" => ("mta-sts enforce", "", String::new()),
                "enforce-mismatch" => ("mta-sts enforce mx other.test", "", String::new()),
                "testing" => ("mta-sts testing", "", String::new()),
                _ => ("", "", String::new()),
            };
            let address = format!("127.9.{}.{}", column + 1, row + 1);
            write!(
                script,
                "domain {domain}\n  mx 10 {mx}\n  {of_domain}\n{beside}host {mx} {address}\n  {lines}\n  {of_host}\n"
            )
            .expect("text");
        }
    }
    script
}

struct Lab {
    sandbox: Sandbox,
}

impl Lab {
    fn config(&self) -> Config {
        let mut config = Config::new();
        config.set_dns_servers(vec![self.sandbox.dns_server()]);
        config.set_dns_trust_anchor(&self.sandbox.trust_anchor()).unwrap();
        config.set_smtp_port(self.sandbox.smtp_port()).unwrap();
        config.set_https_port(self.sandbox.https_port()).unwrap();
        config.set_hello_name(Some("client.test")).unwrap();
        config.set_allow_loopback(true);
        config.set_platform_roots(false);
        config
            .add_tls_roots(self.sandbox.certificate_authority())
            .unwrap();
        config
    }

    /// Patience is short only where it has to end: with a host that never says a word of TLS.
    fn agent(&self, host: &str, policy: &str) -> Agent {
        let mut config = self.config();
        config.set_require_tls(policy == "required");
        if host == "stalls" {
            config.set_timeout(Timeout::Tls, Duration::from_secs(1)).unwrap();
        }
        Agent::new(config)
    }

    /// What became of a mail, as the table says it.
    fn cell(&self, domain: &str, report: &Report, sessions: &[Session]) -> String {
        let host = format!("mx.{domain}");
        let mail = self.sandbox.mails().into_iter().find(|mail| mail.host == host);
        let accepted = report.reply().code() == MapReplyCode::Success;
        assert_eq!(mail.is_some(), accepted, "{}", told(report));
        let here: Vec<&Session> = sessions.iter().filter(|session| session.host == host).collect();
        let in_clear = here.iter().any(|session| session.mail_in_clear());
        let verified = report.summary().tls().map(|tls| tls.verified.as_str());
        let over = match (mail.map(|mail| mail.tls.is_some()), verified) {
            (Some(false), None) => "clear",
            (Some(true), Some("none")) => "tls",
            (Some(true), Some("pkix")) => "pkix",
            (Some(true), Some("dane")) => "dane",
            (None, _) if here.is_empty() => "skip",
            (None, _) => "-",
            other => panic!(
                "the host saw something else than the report says: {other:?}\n{}",
                told(report)
            ),
        };
        assert_eq!(in_clear, over == "clear", "a MAIL in the clear: {}", told(report));
        let warning = if report.warnings().is_empty() { "" } else { "!" };
        format!("{over}{warning}")
    }
}

fn told(report: &Report) -> String {
    format!(
        "{}\n{:?}\n{}",
        report.summary().advice(),
        report.warnings(),
        report.transcript()
    )
}

/// The reply, its status and who demanded TLS, which follow from the cell.
fn check_reply(policy: &str, cell: &str, report: &Report) {
    let summary = report.summary();
    let demanded_by = match policy {
        "required" => Some("required"),
        "enforce-match" | "enforce-mismatch" => Some("mta-sts"),
        "opportunistic" | "testing" => None,
        _ => Some("dane"),
    };
    let policy = summary.policy().map(map_core::TlsPolicy::as_str);
    assert_eq!(policy, demanded_by, "{}", told(report));
    if cell.starts_with(['-', 's']) {
        assert_eq!(
            report.reply().code(),
            MapReplyCode::ServerUnreach,
            "{}",
            told(report)
        );
        assert_eq!(summary.delivered(), Delivered::No, "{}", told(report));
        assert!(summary.transient(), "{}", told(report));
        let status = summary.enhanced().map(|status| status.to_string());
        assert_eq!(status.as_deref(), Some("4.7.5"), "{}", told(report));
        let named = match demanded_by {
            Some("dane") => "DANE",
            Some("mta-sts") => "MTA-STS",
            _ => "TLS",
        };
        assert!(summary.advice().contains(named), "{}", told(report));
    } else {
        assert_eq!(report.reply().code(), MapReplyCode::Success, "{}", told(report));
        assert_eq!(summary.delivered(), Delivered::Yes, "{}", told(report));
    }
}

#[test]
fn every_host_under_every_policy() {
    let world: World = script().parse().unwrap();
    let lab = Lab {
        sandbox: Sandbox::start(&world).unwrap(),
    };
    let mut wrong = String::new();
    for (policy, cells) in TABLE {
        for ((host, _), expected) in HOSTS.iter().zip(cells) {
            let domain = format!("{host}.{policy}.test");
            let report =
                lab.agent(host, policy)
                    .send("a@sender.test", &format!("b@{domain}"), "table", "content");
            let sessions = lab.sandbox.wait_for_quiet(Duration::from_secs(60));
            let seen = lab.cell(&domain, &report, &sessions);
            if seen == expected {
                check_reply(policy, expected, &report);
            } else {
                writeln!(
                    wrong,
                    "{host} × {policy}: {seen}, not {expected}\n{}",
                    told(&report)
                )
                .expect("text");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
