//! Through Postfix into a mailbox, and by IMAP and POP3 from Dovecot to a reader.

use map_core::protocol::MapReplyCode;
use map_core::{Agent, Config};
use map_sandbox::{Sandbox, World};
use map_tests::certificates::Authority;
use map_tests::fetching::{fetch, without_trace};
use map_tests::mail_server::MailServer;
use std::time::Duration;

/// An agent that finds the server for every domain.
fn agent(server: &MailServer) -> (Agent, Sandbox) {
    let world = format!(
        "domain example.test\n mx 10 mx.example.test\ndomain mx.example.test\n a {}\n",
        server.address().ip()
    );
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
            assert!(mail.starts_with(b"Date: ") && mail.ends_with(b"\r\n\r\nHi\r\n.\r\n..\r\n"));
        }
        assert_eq!(delivered.len(), count);
    }
}
