//! Through Postfix into a mailbox, and by IMAP and POP3 from Dovecot to a reader.

use map_core::delivery::Delivered;
use map_core::message::{BodyType, Needs};
use map_core::protocol::MapReplyCode;
use map_core::{Agent, Config};
use map_sandbox::{Sandbox, World};
use map_tests::built::{Given, assert_mail_parser_sees, assert_python_sees, generate};
use map_tests::certificates::Authority;
use map_tests::fetching::{fetch, without_trace};
use map_tests::mail_server::MailServer;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Read;
use std::time::Duration;

/// How many messages there are, and where they begin.
const COUNT: usize = 300;
const SEED: u64 = 1939;

/// Where the generated messages go to.
const DOMAINS: &[&str] = &[
    "example.test",
    "b.example",
    "xn--bcher-kva.example",
    "c.example",
    "sub.sub.domain.example",
    "a-rather-long-domain-name.example",
    "secret.example",
];

/// What Postfix offers.
const OFFERED: Needs = Needs {
    body_type: BodyType::EightBit,
    smtputf8: true,
};

/// An agent that finds this server for every domain.
fn agent(server: &MailServer) -> (Agent, Sandbox) {
    let mut world = format!("domain mx.example.test\n a {}\n", server.address().ip());
    for domain in DOMAINS {
        let _ = writeln!(world, "domain {domain}\n mx 10 mx.example.test");
    }
    let zone = Sandbox::start(&world.parse::<World>().unwrap()).unwrap();
    let mut config = Config::new();
    config.set_dns_servers(vec![zone.dns_server()]);
    config.set_smtp_port(server.address().port()).unwrap();
    config.set_hello_name(Some("client.test")).unwrap();
    config.set_deadline(Some(Duration::from_secs(120))).unwrap();
    config.set_allow_loopback(true);
    (Agent::new(config), zone)
}

#[test]
fn what_is_sent_can_be_fetched() {
    let authority = Authority::new();
    let Some((server, access)) = MailServer::start_with_access(&authority) else {
        return;
    };
    let (agent, _zone) = agent(&server);
    for user in ["alice", "bob", "alice"] {
        let report = agent.send(
            "a@sender.test",
            &format!("{user}@example.test"),
            user,
            "Hi\n.\n..",
        );
        let told = || format!("{}\n{}", report.transcript(), server.logs());
        assert_eq!(report.reply().code(), MapReplyCode::Success, "{}", told());
    }
    for (user, count) in [("alice", 2), ("bob", 1)] {
        let delivered = server.wait_for_mails(user, count);
        let fetched = fetch(access, &authority, user);
        assert_eq!(fetched.by_imap.len(), count);
        assert_eq!(fetched.by_imap, fetched.by_pop3, "{}", server.logs());
        for mail in &fetched.by_imap {
            let mail = without_trace(mail);
            assert!(mail.starts_with(b"Date:") && mail.ends_with(b"\r\n\r\nHi\r\n.\r\n..\r\n"));
        }
        assert_eq!(delivered.len(), count);
    }
}

/// Sends all, several at once, and says what could not be sent.
fn send(agent: &Agent, given: &[Given]) {
    for some in given.chunks(8) {
        let jobs: Vec<_> = some
            .iter()
            .map(|given| agent.submit_message(given.message.clone()))
            .collect();
        for (job, given) in jobs.into_iter().zip(some) {
            let report = job.wait();
            let told = || format!("{}\n{}", report.summary().advice(), report.transcript());
            assert_eq!(report.reply().code(), MapReplyCode::Success, "{}", told());
            assert_eq!(report.recipients().len(), given.message.recipients().len());
            for recipient in report.recipients() {
                assert_eq!(recipient.delivered(), Delivered::Yes, "{}", told());
            }
        }
    }
}

/// What was fetched, each after the number of what was given: by the Message-ID, and octet for octet as it was sent.
/// Postfix takes no binary body: such a message has another form for it.
fn numbered(given: &[Given], fetched: Vec<Vec<u8>>) -> Vec<(usize, Vec<u8>)> {
    let mut expected: HashMap<&str, (usize, Vec<u8>)> = HashMap::new();
    for (number, given) in given.iter().enumerate() {
        let mut octets = Vec::new();
        let form = given.message.for_host(OFFERED).unwrap();
        form.open().unwrap().read_to_end(&mut octets).unwrap();
        let before = expected.insert(given.message.message_id(), (number, octets));
        assert!(before.is_none(), "two of {}", given.message.message_id());
    }
    let numbered: Vec<_> = fetched
        .into_iter()
        .map(|mail| {
            let text = String::from_utf8_lossy(&mail);
            let (_, id) = text.split_once("\r\nMessage-ID: ").expect("a Message-ID");
            let id = id.split('\r').next().unwrap().trim_matches(['<', '>']);
            let (number, octets) = expected
                .remove(id)
                .unwrap_or_else(|| panic!("{id} came twice, or never left"));
            assert_same(id, &octets, without_trace(&mail));
            (number, mail)
        })
        .collect();
    assert!(expected.is_empty(), "never came: {:?}", expected.keys());
    numbered
}

fn assert_same(id: &str, sent: &[u8], fetched: &[u8]) {
    let text = String::from_utf8_lossy;
    for (number, (sent, fetched)) in text(sent).lines().zip(text(fetched).lines()).enumerate() {
        assert_eq!(sent, fetched, "{id}, line {}", number + 1);
    }
    assert!(sent == fetched, "{id}");
}

#[test]
fn messages_of_all_kinds_reach_their_readers() {
    let authority = Authority::new();
    let Some((server, access)) = MailServer::start_with_access(&authority) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let given = generate(COUNT, SEED, directory.path());
    let (agent, _zone) = agent(&server);
    send(&agent, &given);
    server.wait_for_mails("alice", COUNT);
    let fetched = fetch(access, &authority, "alice");
    assert_eq!((fetched.by_imap.len(), fetched.by_pop3.len()), (COUNT, COUNT));
    assert!(fetched.by_imap == fetched.by_pop3);
    let mails = numbered(&given, fetched.by_imap);
    assert_mail_parser_sees(&given, &mails);
    assert_python_sees(&given, &mails);
}
