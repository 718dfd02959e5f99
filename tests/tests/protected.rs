//! The settings about TLS, policies and relays, from an agent to mail hosts that know TLS.

use map_core::delivery::{Delivered, Report};
use map_core::net::tls::Verified;
use map_core::smtp::SecretKind;
use map_core::{Agent, Config, Relay, RelaySecurity, TlsPolicy};
use map_sandbox::{Sandbox, World};

const WORLD: &str = "
domain plain.example
  mx 10 mx.plain.example
host mx.plain.example 127.0.0.2

domain tls.example
  mx 10 mx.tls.example
host mx.tls.example 127.0.0.3
  tls good

domain expired.example
  mx 10 mx.expired.example
host mx.expired.example 127.0.0.4
  tls expired

domain enforced.example
  mx 10 mx.enforced.example
  mta-sts enforce
host mx.enforced.example 127.0.0.5
  tls expired

domain signed.example
  signed
  mx 10 mx.signed.example
  mx 20 mx2.signed.example
host mx.signed.example 127.0.0.7
  tls self-signed
  tlsa 3 1 1 wrong
host mx2.signed.example 127.0.0.8
  tls self-signed
  tlsa 3 1 1

host relay.example 127.0.0.6
  tls good
  auth ann s3cret
  require auth
";

struct Lab {
    sandbox: Sandbox,
    config: Config,
}

impl Lab {
    fn start() -> Self {
        let sandbox = Sandbox::start(&WORLD.parse::<World>().unwrap()).unwrap();
        let mut config = Config::new();
        config.set_dns_servers(vec![sandbox.dns_server()]);
        config.set_smtp_port(sandbox.smtp_port()).unwrap();
        config.set_https_port(sandbox.https_port()).unwrap();
        config.set_hello_name(Some("client.example")).unwrap();
        config.set_allow_loopback(true);
        config.set_platform_roots(false);
        config.add_tls_roots(sandbox.certificate_authority()).unwrap();
        config.set_dns_trust_anchor(&sandbox.trust_anchor()).unwrap();
        Self { sandbox, config }
    }

    fn send(&self, to: &str) -> Report {
        let agent = Agent::new(self.config.clone());
        agent.send("ann@client.example", to, "greeting", "Hello.")
    }

    /// The secret is in nothing that the library tells.
    fn set_relay(&mut self, security: RelaySecurity, secret: &str) {
        let relay = Relay::new("relay.example", self.sandbox.smtp_port(), security)
            .and_then(|relay| relay.with_login("ann", secret, SecretKind::Password));
        self.config.set_relay(Some(relay.unwrap()));
        assert!(!format!("{:?}", self.config).contains(secret));
    }
}

#[track_caller]
fn assert_came_to(report: &Report, reply: &str, verified: Option<Verified>, policy: Option<TlsPolicy>) {
    let summary = report.summary();
    let shown = format!("{}\n{report:#?}", report.transcript());
    assert_eq!(report.reply().to_string(), reply, "{shown}");
    assert_eq!(summary.tls().map(|facts| facts.verified), verified, "{shown}");
    assert_eq!(summary.policy(), policy, "{shown}");
}

#[test]
fn tls_is_used_where_it_is_offered_and_nobody_is_warned() {
    let lab = Lab::start();
    let rows = [
        ("bob@plain.example", None),
        ("bob@tls.example", Some(Verified::No)),
        ("bob@expired.example", Some(Verified::No)),
    ];
    for (to, verified) in rows {
        let report = lab.send(to);
        assert_came_to(&report, "RE_SUCCESS.", verified, None);
        assert_eq!(report.warnings(), [""; 0]);
    }
}

#[test]
fn required_tls_is_verified_by_the_roots_that_were_given() {
    let mut lab = Lab::start();
    lab.config.set_require_tls(true);
    let required = Some(TlsPolicy::Required);
    let report = lab.send("bob@tls.example");
    assert_came_to(&report, "RE_SUCCESS.", Some(Verified::Pkix), required);
    for to in ["bob@plain.example", "bob@expired.example"] {
        assert_came_to(&lab.send(to), "RE_SERVER_UNREACH.", None, required);
    }
    assert!(
        lab.sandbox
            .sessions()
            .iter()
            .all(|session| !session.mail_in_clear())
    );
    assert_eq!(lab.sandbox.mails().len(), 1);
}

#[test]
fn a_policy_is_fetched_and_followed_unless_that_is_switched_off() {
    let mut lab = Lab::start();
    let report = lab.send("bob@enforced.example");
    assert_came_to(&report, "RE_SERVER_UNREACH.", None, Some(TlsPolicy::MtaSts));
    assert_eq!(lab.sandbox.policy_fetches().len(), 1);
    assert!(lab.sandbox.mails().is_empty());
    lab.config.set_mta_sts(false);
    let report = lab.send("bob@enforced.example");
    assert_came_to(&report, "RE_SUCCESS.", Some(Verified::No), None);
    assert_eq!(lab.sandbox.policy_fetches().len(), 1);
}

#[test]
fn a_signed_domain_is_verified_by_its_records_unless_that_is_switched_off() {
    let mut lab = Lab::start();
    let report = lab.send("bob@signed.example");
    assert_came_to(
        &report,
        "RE_SUCCESS.",
        Some(Verified::Dane),
        Some(TlsPolicy::Dane),
    );
    assert_eq!(report.summary().host(), Some("mx2.signed.example"));
    assert_eq!(
        report.attempts().len(),
        2,
        "the first has another certificate than its record says"
    );
    assert_eq!(report.warnings(), [""; 0]);
    lab.config.set_dane(false);
    let report = lab.send("bob@signed.example");
    assert_came_to(&report, "RE_SUCCESS.", Some(Verified::No), None);
    assert_eq!(report.summary().host(), Some("mx.signed.example"));
}

#[test]
fn a_relay_takes_mail_for_anybody_who_logs_in() {
    let mut lab = Lab::start();
    lab.set_relay(RelaySecurity::StartTls, "s3cret");
    let report = lab.send("bob@elsewhere.example");
    assert_came_to(
        &report,
        "RE_SUCCESS.",
        Some(Verified::Pkix),
        Some(TlsPolicy::Relay),
    );
    assert!(report.summary().relayed());
    assert_eq!(report.summary().delivered(), Delivered::Unknown);
    assert_eq!(lab.sandbox.mails()[0].forward_paths, ["bob@elsewhere.example"]);

    lab.set_relay(RelaySecurity::StartTls, "wrong-s3cret");
    let report = lab.send("bob@elsewhere.example");
    assert_came_to(
        &report,
        "RE_SERVICE_DENIED.",
        Some(Verified::Pkix),
        Some(TlsPolicy::Relay),
    );
    let shown = format!("{report:?}{}", report.transcript());
    assert!(!shown.contains("s3cret"), "{shown}");
    let sessions = lab.sandbox.sessions();
    let authentications: Vec<_> = sessions
        .iter()
        .flat_map(|session| &session.authentications)
        .collect();
    assert_eq!(authentications.len(), 2);
    assert!(authentications.iter().all(|auth| !auth.in_clear));
}
