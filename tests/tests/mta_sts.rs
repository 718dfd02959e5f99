//! Policies of MTA-STS from an agent to policy hosts of a sandbox, and what comes of those that cannot be had.

use map_core::delivery::Report;
use map_core::net::tls::Verified;
use map_core::{Agent, Config, TlsPolicy};
use map_sandbox::{Sandbox, World};

/// A domain with these lines about its policy, and a mail host whose certificate is good or not.
fn world(policy: &str, certificate: &str) -> World {
    let text = format!(
        "domain example.com\n mx 10 mx.example.com\n{policy}\nhost mx.example.com 127.0.0.2\n tls {certificate}\n"
    );
    text.parse().unwrap()
}

fn agent(sandbox: &Sandbox) -> Agent {
    let mut config = Config::new();
    config.set_dns_servers(vec![sandbox.dns_server()]);
    config.set_smtp_port(sandbox.smtp_port()).unwrap();
    config.set_https_port(sandbox.https_port()).unwrap();
    config.set_hello_name(Some("client.example")).unwrap();
    config.set_allow_loopback(true);
    config.set_platform_roots(false);
    config.add_tls_roots(sandbox.certificate_authority()).unwrap();
    Agent::new(config)
}

fn send(agent: &Agent) -> Report {
    agent.send("ann@client.example", "bob@example.com", "greeting", "Hello.")
}

#[test]
fn a_policy_that_cannot_be_had_is_no_policy_and_told() {
    let rows = [
        ("down", "could not be connected to: connection refused"),
        ("status 404", "answered 404"),
        ("status 301", "answered 301, and a redirect must not be followed"),
        ("huge", "sent more than 64 KiB"),
        (
            "certificate expired",
            "cannot be trusted: its certificate expired on ",
        ),
        (
            "certificate self-signed",
            "cannot be trusted: its certificate is self-signed",
        ),
        (
            "certificate untrusted",
            "cannot be trusted: its certificate is vouched for by no authority",
        ),
        (
            "certificate wrong-name",
            "cannot be trusted: its certificate is for ",
        ),
    ];
    for (fault, told) in rows {
        let policy = format!(" mta-sts enforce\n mta-sts {fault}");
        let sandbox = Sandbox::start(&world(&policy, "expired")).unwrap();
        let agent = agent(&sandbox);
        // What failed is not tried again with the next mail, and is told again.
        for number in 1..=2 {
            let report = send(&agent);
            assert_eq!(report.reply().to_string(), "RE_SUCCESS.", "{fault}: {report:#?}");
            assert_eq!(
                report.summary().tls().map(|facts| facts.verified),
                Some(Verified::No)
            );
            let [warning] = report.warnings() else {
                panic!("{fault}: {:?}", report.warnings());
            };
            let expected =
                format!("the MTA-STS policy of example.com could not be had: the policy host {told}");
            assert!(warning.starts_with(&expected), "{fault}: {warning}");
            assert_eq!(sandbox.mails().len(), number);
        }
        let fetches = sandbox.policy_fetches().len();
        assert!(fetches <= 1, "{fault}: {fetches} fetches");
    }
}

#[test]
fn a_policy_is_fetched_once_and_outlives_its_record() {
    let policy = " mta-sts enforce";
    let sandbox = Sandbox::start(&world(policy, "good")).unwrap();
    let agent = agent(&sandbox);
    for _ in 0..2 {
        let report = send(&agent);
        assert_eq!(report.reply().to_string(), "RE_SUCCESS.", "{report:#?}");
        assert_eq!(
            report.summary().tls().map(|facts| facts.verified),
            Some(Verified::Pkix)
        );
        assert_eq!(report.summary().policy(), Some(TlsPolicy::MtaSts));
        assert_eq!(report.warnings(), [""; 0]);
    }
    assert_eq!(sandbox.policy_fetches().len(), 1);

    // Somebody strips the record, and stands in for the mail host.
    sandbox.set_world(&world("", "self-signed")).unwrap();
    let report = send(&agent);
    assert_eq!(report.reply().to_string(), "RE_SERVER_UNREACH.", "{report:#?}");
    assert_eq!(report.summary().policy(), Some(TlsPolicy::MtaSts));
    assert_eq!(
        report.warnings(),
        [
            "the remembered MTA-STS policy of example.com was followed, the current one could not be had: \
         it has no record any more; the policy that is remembered still holds"
        ]
    );
    assert_eq!(sandbox.mails().len(), 2);
    // An agent that never had it cannot know.
    let report = send(&self::agent(&sandbox));
    assert_eq!(report.reply().to_string(), "RE_SUCCESS.", "{report:#?}");
}
