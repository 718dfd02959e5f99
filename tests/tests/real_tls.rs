//! TLS with Postfix (OpenSSL) and Exim (`GnuTLS`), DANE by a really signed zone, and a relay that Dovecot logs in to.

use map_core::delivery::{AttemptOutcome, Delivered, Report, Stage};
use map_core::net::tls::Verified;
use map_core::protocol::MapReplyCode;
use map_core::smtp::SecretKind;
use map_core::{Agent, Config, Relay, RelaySecurity, TlsPolicy};
use map_sandbox::{Sandbox, World};
use map_tests::certificates::{Authority, Identity};
use map_tests::mail_server::{Kind, MailServer, RELAY_PASSWORD, RELAY_USER};
use map_tests::signed_dns_lab::{SignedDnsLab, StrippingForwarder};
use std::net::SocketAddr;
use std::time::Duration;

const HOST: &str = "mx.example.test";

fn config(dns: SocketAddr, port: u16) -> Config {
    let mut config = Config::new();
    config.set_dns_servers(vec![dns]);
    config.set_smtp_port(port).unwrap();
    config.set_hello_name(Some("client.test")).unwrap();
    config.set_deadline(Some(Duration::from_secs(60))).unwrap();
    config.set_allow_loopback(true);
    config.set_platform_roots(false);
    config
}

fn send(config: Config, to: &str, subject: &str) -> Report {
    Agent::new(config).send("a@sender.test", to, subject, "content")
}

fn told(report: &Report) -> String {
    let attempts: Vec<String> = report
        .attempts()
        .iter()
        .map(|attempt| format!("{}: {} ({:?})", attempt.host(), attempt.detail(), attempt.tls()))
        .collect();
    format!(
        "{}\n{}\n{:?}\n{}",
        report.summary().advice(),
        attempts.join("\n"),
        report.warnings(),
        report.transcript()
    )
}

/// A server for `example.test` below a zone that nobody signed.
struct Post {
    server: MailServer,
    zone: Sandbox,
}

impl Post {
    fn open(kind: Kind, identity: &Identity) -> Option<Self> {
        let server = MailServer::start_with_tls(kind, identity)?;
        let world = format!(
            "domain example.test\n mx 10 {HOST}\ndomain {HOST}\n a {}\n",
            server.address().ip()
        );
        let zone = Sandbox::start(&world.parse::<World>().unwrap()).unwrap();
        Some(Self { server, zone })
    }

    fn config(&self) -> Config {
        config(self.zone.dns_server(), self.server.address().port())
    }

    /// The one mail that it has delivered, as text.
    fn mail(&self) -> String {
        let mails = self.server.wait_for_mails("alice", 1);
        assert_eq!(mails.len(), 1);
        String::from_utf8_lossy(&mails[0]).into_owned()
    }
}

fn assert_tls(report: &Report, verified: Verified, policy: Option<TlsPolicy>) {
    assert_eq!(report.reply().code(), MapReplyCode::Success, "{}", told(report));
    let tls = report
        .summary()
        .tls()
        .unwrap_or_else(|| panic!("no TLS: {}", told(report)));
    assert_eq!(
        (tls.version, tls.verified),
        ("TLSv1.3", verified),
        "{}",
        told(report)
    );
    assert_eq!(report.summary().policy(), policy, "{}", told(report));
}

fn assert_nothing_sent(report: &Report, server: &MailServer) {
    let summary = report.summary();
    assert_eq!(
        report.reply().code(),
        MapReplyCode::ServerUnreach,
        "{}",
        told(report)
    );
    assert_eq!(summary.delivered(), Delivered::No);
    assert!(summary.transient(), "{}", told(report));
    assert_eq!(
        summary.enhanced().map(|status| status.to_string()),
        Some("4.7.5".to_owned()),
        "{}",
        told(report)
    );
    assert!(
        report
            .attempts()
            .iter()
            .all(|attempt| attempt.outcome() == AttemptOutcome::Failed && attempt.stage() <= Stage::Tls),
        "{}",
        told(report)
    );
    assert!(server.mails("alice").is_empty(), "{}", told(report));
    assert!(
        !report.transcript().contains("CMD_SMTP_FROM."),
        "{}",
        told(report)
    );
}

fn tls_is_used_where_it_is_offered(kind: Kind, received: &str) {
    // Nobody vouches for it, and it is for another name.
    let identity = Authority::new().certify_expired(&["other.test"]);
    let Some(post) = Post::open(kind, &identity) else {
        return;
    };
    let report = send(post.config(), "alice@example.test", "opportunistic");
    assert_tls(&report, Verified::No, None);
    assert!(report.transcript().contains("CMD_SMTP_TLS."), "{}", told(&report));
    let mail = post.mail();
    assert!(mail.contains(received), "{mail}");
}

#[test]
fn tls_is_used_where_postfix_offers_it() {
    tls_is_used_where_it_is_offered(Kind::Postfix, "(using TLSv1.3 with cipher");
}

#[test]
fn tls_is_used_where_exim_offers_it() {
    tls_is_used_where_it_is_offered(Kind::Exim, "with esmtps  (TLS1.3)");
}

#[test]
fn required_tls_is_verified_or_nothing() {
    let authority = Authority::new();
    let good = authority.certify(&[HOST]);
    let Some(post) = Post::open(Kind::Postfix, &good) else {
        return;
    };
    let mut config = post.config();
    config.set_require_tls(true);
    config.add_tls_roots(&Authority::new().pem()).unwrap();
    let report = send(config.clone(), "alice@example.test", "untrusted");
    assert_nothing_sent(&report, &post.server);
    config.add_tls_roots(&authority.pem()).unwrap();
    let report = send(config.clone(), "alice@example.test", "trusted");
    assert_tls(&report, Verified::Pkix, Some(TlsPolicy::Required));
    assert!(post.mail().contains("Subject: trusted"));

    for (identity, words) in [
        (authority.certify(&["other.test"]), "other.test"),
        (authority.certify_expired(&[HOST]), "expired"),
        (Authority::new().certify(&[HOST]), "authority"),
    ] {
        let post = Post::open(Kind::Exim, &identity).expect("it was possible before");
        let mut config = post.config();
        config.set_require_tls(true);
        config.add_tls_roots(&authority.pem()).unwrap();
        let report = send(config, "alice@example.test", "unverified");
        assert_nothing_sent(&report, &post.server);
        let detail = report.attempts()[0].detail();
        assert!(detail.contains(words), "{words}: {detail}");
    }
}

#[test]
fn a_server_without_tls_gets_nothing_where_tls_is_required() {
    let Some(server) = MailServer::start(Kind::OpenSmtpd) else {
        return;
    };
    let world = format!(
        "domain example.test\n mx 10 {HOST}\ndomain {HOST}\n a {}\n",
        server.address().ip()
    );
    let zone = Sandbox::start(&world.parse::<World>().unwrap()).unwrap();
    let mut config = config(zone.dns_server(), server.address().port());
    config.set_require_tls(true);
    assert_nothing_sent(&send(config, "alice@example.test", "clear"), &server);
}

/// The records of a signed zone whose hosts are all one server.
fn zone(server: &MailServer, identity: &Identity, authority: &Authority) -> String {
    let address = server.address().ip();
    let tlsa = format!("_{}._tcp", server.address().port());
    format!(
        "
@              MX     10 mx1
mx1            A      {address}
{tlsa}.mx1     TLSA   {match_key}
key            MX     10 mx1
certificate    MX     10 mx2
mx2            A      {address}
{tlsa}.mx2     TLSA   {match_certificate}
authority      MX     10 mx3
mx3            A      {address}
{tlsa}.mx3     TLSA   {match_authority}
mismatch       MX     10 mx4
mx4            A      {address}
{tlsa}.mx4     TLSA   3 1 1 {zeros}
unusable       MX     10 mx5
mx5            A      {address}
{tlsa}.mx5     TLSA   1 1 1 {zeros}
failing        MX     10 mx6
mx6            A      {address}
{tlsa}.mx6     CNAME  {tlsa}.mx1.bogus.test.
none           MX     10 mx7
mx7            A      {address}
alias          MX     10 mx8
mx8            CNAME  mx1
*.wild         MX     10 mx1
*.hosts        MX     10 mx9
mx9            A      {address}
*._tcp.mx9     TLSA   {match_key}
",
        match_key = identity.tlsa(1),
        match_certificate = identity.tlsa(0),
        match_authority = authority.tlsa(0),
        zeros = "00".repeat(32),
    )
}

/// Where a domain's mail is to come to.
#[derive(Clone, Copy, Debug)]
enum Comes {
    /// Over TLS, verified by DANE.
    ByDane,
    /// Over TLS, which the records demand, unverified since none of them is usable.
    ByDaneUnverified,
    /// Over TLS because it is offered.
    ByChance,
    /// Not at all.
    Nowhere,
}

#[test]
fn dane_decides_by_a_really_signed_zone() {
    let authority = Authority::new();
    // For every host of every zone; nobody trusts the authority but DANE.
    let names: Vec<String> = ["nsec.test", "nsec3.test"]
        .iter()
        .flat_map(|zone| ["mx1", "mx2", "mx3", "mx9"].map(|host| format!("{host}.{zone}")))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let identity = authority.certify(&names);
    let Some(server) = MailServer::start_with_tls(Kind::Postfix, &identity) else {
        return;
    };
    let lab = SignedDnsLab::start(&zone(&server, &identity, &authority));
    let forwarder = StrippingForwarder::start(lab.resolver());
    let rows = [
        ("", Comes::ByDane),
        ("key.", Comes::ByDane),
        ("certificate.", Comes::ByDane),
        ("authority.", Comes::ByDane),
        ("mismatch.", Comes::Nowhere),
        ("unusable.", Comes::ByDaneUnverified),
        ("failing.", Comes::Nowhere),
        ("none.", Comes::ByChance),
        ("alias.", Comes::ByDane),
        ("any.wild.", Comes::ByDane),
        ("own.hosts.", Comes::ByDane),
    ];
    let mut count = 0;
    for (dns, validates) in [
        (lab.authority(), true),
        (lab.resolver(), true),
        (forwarder.address(), false),
    ] {
        let mut config = config(dns, server.address().port());
        config.set_dns_trust_anchor(lab.anchors()).unwrap();
        let agent = Agent::new(config);
        for zone in ["nsec.test", "nsec3.test", "plain.test"] {
            for (domain, comes) in rows {
                let comes = if validates && zone != "plain.test" {
                    comes
                } else {
                    // An unsigned domain, or an environment without signatures, binds nobody and loses nothing.
                    Comes::ByChance
                };
                let to = format!("alice@{domain}{zone}");
                let report = agent.send("a@sender.test", &to, "dane", "content");
                let row = format!("{to} by {dns}: {comes:?}\n{}", told(&report));
                let expected = match comes {
                    Comes::ByDane => (MapReplyCode::Success, Some(Verified::Dane), Some(TlsPolicy::Dane)),
                    Comes::ByDaneUnverified => {
                        (MapReplyCode::Success, Some(Verified::No), Some(TlsPolicy::Dane))
                    }
                    Comes::ByChance => (MapReplyCode::Success, Some(Verified::No), None),
                    Comes::Nowhere => (MapReplyCode::ServerUnreach, None, Some(TlsPolicy::Dane)),
                };
                let summary = report.summary();
                let seen = (
                    report.reply().code(),
                    summary.tls().map(|tls| tls.verified),
                    summary.policy(),
                );
                assert_eq!(seen, expected, "{row}");
                match comes {
                    Comes::Nowhere => {
                        assert!(summary.transient(), "{row}");
                        assert!(!report.transcript().contains("CMD_SMTP_FROM."), "{row}");
                    }
                    _ => count += 1,
                }
                let warned = report.warnings().iter().any(|warning| warning.contains("DNSSEC"));
                assert_eq!(warned, !validates, "{row}");
            }
        }
    }
    assert_eq!(server.wait_for_mails("alice", count).len(), count);
}

#[test]
fn a_domain_that_should_be_signed_and_is_not_gets_nothing() {
    let authority = Authority::new();
    let identity = authority.certify(&["mx1.bogus.test"]);
    let Some(server) = MailServer::start_with_tls(Kind::Postfix, &identity) else {
        return;
    };
    let lab = SignedDnsLab::start(&zone(&server, &identity, &authority));
    for dns in [lab.authority(), lab.resolver()] {
        let mut config = config(dns, server.address().port());
        config.set_dns_trust_anchor(lab.anchors()).unwrap();
        let report = send(config, "alice@bogus.test", "bogus");
        assert_eq!(report.reply().code(), MapReplyCode::DnsFail, "{}", told(&report));
        assert!(report.summary().transient(), "{}", told(&report));
    }
    assert!(server.mails("alice").is_empty());
}

/// A relay, and a zone that knows its name.
struct RelayPost {
    server: MailServer,
    implicit: SocketAddr,
    zone: Sandbox,
    authority: Authority,
}

impl RelayPost {
    fn open() -> Option<Self> {
        let authority = Authority::new();
        let (server, implicit) = MailServer::start_relay(&authority.certify(&["relay.test"]))?;
        let world = format!("domain relay.test\n a {}\n", server.address().ip());
        let zone = Sandbox::start(&world.parse::<World>().unwrap()).unwrap();
        Some(Self {
            server,
            implicit,
            zone,
            authority,
        })
    }

    /// Mail for everybody goes to the relay.
    fn config(&self, security: RelaySecurity, password: &str) -> Config {
        let port = match security {
            RelaySecurity::Implicit => self.implicit.port(),
            _ => self.server.address().port(),
        };
        let relay = Relay::new("relay.test", port, security)
            .unwrap()
            .with_login(RELAY_USER, password, SecretKind::Password)
            .unwrap();
        let mut config = config(self.zone.dns_server(), 25);
        config.set_allow_loopback(false);
        config.set_relay(Some(relay));
        config
    }

    fn trusting(&self, security: RelaySecurity, password: &str) -> Config {
        let mut config = self.config(security, password);
        config.add_tls_roots(&self.authority.pem()).unwrap();
        config
    }
}

#[test]
fn a_relay_takes_mail_from_those_who_log_in() {
    let Some(post) = RelayPost::open() else {
        return;
    };
    for (count, security) in [(1, RelaySecurity::StartTls), (2, RelaySecurity::Implicit)] {
        let report = send(
            post.trusting(security, RELAY_PASSWORD),
            "alice@example.test",
            "relayed",
        );
        assert_tls(&report, Verified::Pkix, Some(TlsPolicy::Relay));
        let summary = report.summary();
        assert!(
            summary.relayed() && summary.delivered() == Delivered::Unknown,
            "{}",
            told(&report)
        );
        assert!(summary.advice().contains("relay"), "{}", told(&report));
        assert!(
            report.transcript().contains("CMD_SMTP_AUTH."),
            "{}",
            told(&report)
        );
        for mail in post.server.wait_for_mails("alice", count) {
            let mail = String::from_utf8_lossy(&mail).into_owned();
            assert!(mail.contains("(Authenticated sender: app)"), "{mail}");
        }
    }
    let log = post.server.logs();
    assert_eq!(log.matches("sasl_method=SCRAM-SHA-256").count(), 2, "{log}");
}

#[test]
fn a_wrong_password_is_told_and_nothing_is_sent() {
    let Some(post) = RelayPost::open() else {
        return;
    };
    let report = send(
        post.trusting(RelaySecurity::StartTls, "wrong"),
        "alice@example.test",
        "refused",
    );
    let summary = report.summary();
    assert_eq!(summary.code().map(|code| code.0), Some(535), "{}", told(&report));
    assert_eq!(
        (summary.stage(), summary.delivered()),
        (Stage::Auth, Delivered::No),
        "{}",
        told(&report)
    );
    assert!(!summary.transient() && !summary.relayed(), "{}", told(&report));
    assert!(summary.advice().contains("password"), "{}", told(&report));
    assert!(post.server.mails("alice").is_empty());
}

#[test]
fn a_relay_that_is_not_verified_hears_no_password() {
    let Some(post) = RelayPost::open() else {
        return;
    };
    for security in [RelaySecurity::StartTls, RelaySecurity::Implicit] {
        let mut config = post.config(security, RELAY_PASSWORD);
        config.add_tls_roots(&Authority::new().pem()).unwrap();
        let report = send(config, "alice@example.test", "unverified");
        assert_nothing_sent(&report, &post.server);
        assert_eq!(
            report.summary().policy(),
            Some(TlsPolicy::Relay),
            "{}",
            told(&report)
        );
        assert!(
            !report.transcript().contains("CMD_SMTP_AUTH."),
            "{}",
            told(&report)
        );
    }
    assert!(!post.server.logs().contains("sasl"), "{}", post.server.logs());
}
