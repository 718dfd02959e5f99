//! The four scenarios of `examples/scenarios`, with a mail server of the sender's (Postfix, by a log-in) and one of the
//! recipient's (Postfix and Dovecot).

use map_sandbox::{Sandbox, World};
use map_tests::certificates::Authority;
use map_tests::mail_server::{MailServer, READER_PASSWORD, RELAY_PASSWORD, RELAY_USER};
use map_tests::python::{python_with_mapagent, source};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;

const RELAY: &str = "relay.example.test";

/// What the program prints.
fn run(program: &str, settings: &Path) -> String {
    let output = Command::new(python_with_mapagent())
        .arg(source("../examples/scenarios").join(program))
        .arg(settings)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

fn read(way: &str, subject: &str, text: &str) -> String {
    format!("way:     {way}\nfrom:    ann@sender.test\nsubject: {subject}\ntext:    {text}\n")
}

#[test]
fn each_scenario_takes_its_way() {
    let authority = Authority::new();
    let Some((server, access)) = MailServer::start_with_access(&authority) else {
        return;
    };
    let identity = authority.certify(&[RELAY]);
    let (relay, _) = MailServer::start_relay_to(&server, &identity).expect("it was possible before");
    let world = format!(
        "domain example.test\n mx 10 mx.example.test\ndomain mx.example.test\n a {}\ndomain {RELAY}\n a {}\n",
        server.address().ip(),
        relay.address().ip()
    );
    let zone = Sandbox::start(&world.parse::<World>().unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let trusted = directory.path().join("authority.pem");
    fs::write(&trusted, authority.pem()).unwrap();
    let reader = |address: std::net::SocketAddr| json!({ "host": address.ip(), "port": address.port(), "user": "bob", "password": READER_PASSWORD });
    let settings = json!({
        "from": "ann@sender.test",
        "to": "bob@example.test",
        "agent": {
            "deadline": 120,
            "hello_name": "client.test",
            "dns_servers": [zone.dns_server().to_string()],
            "smtp_port": server.address().port(),
            "allow_loopback": true,
            "tls_roots": authority.pem(),
        },
        "this_machine": {
            "host": server.address().ip(), "port": server.address().port(), "security": "clear",
        },
        "relay": {
            "host": RELAY, "port": relay.address().port(), "user": RELAY_USER, "password": RELAY_PASSWORD,
        },
        "maildir": server.maildir("bob"),
        "imap": reader(access.imap),
        "pop3": reader(access.pop3),
        "authority": trusted,
    });
    let file = directory.path().join("settings.json");
    fs::write(&file, settings.to_string()).unwrap();

    let direct = "client.test -> mx.example.test";
    let relayed = "client.test -> relay.example.test -> mx.example.test";
    let first = read(direct, "First scenario", "On one machine.");
    let second = read(direct, "Second scenario", "From one system to another.");
    let third = read(relayed, "Third scenario", "Through a server of mine.");
    let fourth = read(relayed, "Fourth scenario", "Wherever you are.");
    for (program, expected) in [
        ("first.py", first),
        ("second.py", second),
        ("third.py", third),
        // Once by IMAP and once by POP3.
        ("fourth.py", fourth.repeat(2)),
    ] {
        let printed = run(program, &file);
        assert_eq!(
            printed,
            format!("RE_SUCCESS.\n{expected}"),
            "{}{}",
            relay.logs(),
            server.logs()
        );
    }
}

/// The pattern has what the programs ask for.
#[test]
fn the_settings_are_a_pattern() {
    let pattern = fs::read(source("../examples/scenarios/settings.json")).unwrap();
    let pattern: serde_json::Value = serde_json::from_slice(&pattern).unwrap();
    for name in [
        "from",
        "to",
        "agent",
        "this_machine",
        "relay",
        "maildir",
        "imap",
        "pop3",
    ] {
        assert!(!pattern[name].is_null(), "{name}");
    }
}
