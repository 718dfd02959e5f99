//! Worlds that begin, change and end, and what is at their addresses.

mod support;

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use map_sandbox::{Sandbox, World};
use support::{Client, PATIENCE, sandbox};

fn connect(sandbox: &Sandbox, address: &str, patience: Duration) -> Result<(), ErrorKind> {
    let at = SocketAddr::new(address.parse().expect("an address"), sandbox.smtp_port());
    TcpStream::connect_timeout(&at, patience)
        .map(drop)
        .map_err(|error| error.kind())
}

#[test]
fn the_example_world_starts() {
    let sandbox = Sandbox::start(&World::example()).expect("free ports");
    let mut client = Client::connect(&sandbox, "127.0.0.5");
    assert_eq!(client.reply(), "220 newusamx48.qq.com MX QQ Mail Server");
    for (command, expected) in [
        ("EHLO client.example", "250 newusamx48.qq.com"),
        ("MAIL FROM:<cxw@apple.com>", "250 Ok"),
        ("RCPT TO:<407184933@qq.com>", "250 Ok"),
        ("DATA", "354 End data with <CR><LF>.<CR><LF>"),
        ("test content.\r\n.", "250 Ok: queued as"),
        ("QUIT", "221 Bye."),
    ] {
        assert_eq!(client.say(command), expected);
    }
    assert_eq!(sandbox.mails()[0].content, b"test content.\r\n");
    assert_eq!(
        Client::connect(&sandbox, "127.0.0.6").reply(),
        "554 mailprdadmz2-mx.es.gwu.edu"
    );
}

#[test]
fn refused_and_unanswered_addresses_are_so() {
    let sandbox =
        sandbox("host a.example 127.0.0.2 refused\nhost b.example 127.0.0.3 unanswered\nhost c.example ::1");
    assert_eq!(
        connect(&sandbox, "127.0.0.2", PATIENCE),
        Err(ErrorKind::ConnectionRefused)
    );
    assert_eq!(
        connect(&sandbox, "127.0.0.3", Duration::from_millis(200)),
        Err(ErrorKind::TimedOut)
    );
    assert_eq!(connect(&sandbox, "::1", PATIENCE), Ok(()));
    assert_eq!(
        connect(&sandbox, "127.0.0.4", PATIENCE),
        Err(ErrorKind::ConnectionRefused)
    );
}

#[test]
fn a_world_is_changed_at_the_same_ports() {
    let sandbox = sandbox("host a.example 127.0.0.2\nhost b.example 127.0.0.3\nhost c.example 127.0.0.4");
    let mut old = Client::greeted(&sandbox, "127.0.0.2");
    old.say("HELO c.example");
    let ports = (sandbox.dns_server(), sandbox.smtp_port());
    for (script, expected) in [
        (
            "host x.example 127.0.0.2 127.0.0.5\n on greeting reply 220 new",
            [Ok(()), refused(), refused(), Ok(())],
        ),
        (
            "host x.example 127.0.0.2 refused",
            [refused(), refused(), refused(), refused()],
        ),
        ("", [refused(), refused(), refused(), refused()]),
        (
            "host c.example 127.0.0.3 127.0.0.4 127.0.0.5 127.0.0.2",
            [Ok(()), Ok(()), Ok(()), Ok(())],
        ),
    ] {
        sandbox
            .set_world(&script.parse().expect("a world"))
            .expect("the port is reserved");
        let found = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"];
        assert_eq!(
            found.map(|address| connect(&sandbox, address, PATIENCE)),
            expected,
            "{script}"
        );
        if script.contains("new") {
            assert_eq!(Client::connect(&sandbox, "127.0.0.5").reply(), "220 new");
        }
    }
    assert_eq!(ports, (sandbox.dns_server(), sandbox.smtp_port()));
    // What is open goes on by the old rules.
    assert!(old.say("MAIL FROM:<>").starts_with("250"));
}

fn refused() -> Result<(), ErrorKind> {
    Err(ErrorKind::ConnectionRefused)
}

#[test]
fn connections_are_counted_from_1_in_each_world_and_over_all_addresses() {
    let world = "host a.example 127.0.0.2 127.0.0.3\n on connection 2 greeting reply 554 second";
    let sandbox = sandbox(world);
    for _ in 0..2 {
        assert!(Client::connect(&sandbox, "127.0.0.2").reply().starts_with("220"));
        assert_eq!(Client::connect(&sandbox, "127.0.0.3").reply(), "554 second");
        assert!(Client::connect(&sandbox, "127.0.0.3").reply().starts_with("220"));
        sandbox
            .set_world(&world.parse().expect("a world"))
            .expect("the same addresses");
    }
}

#[test]
fn hundreds_of_hosts_share_one_port() {
    let host = |n| format!("host h{n}.example 127.0.1.{n}");
    let script = (1..=250).map(host).collect::<Vec<_>>().join(
        "
",
    );
    let sandbox = sandbox(&script);
    for n in [1, 100, 250] {
        assert!(
            Client::connect(&sandbox, &format!("127.0.1.{n}"))
                .reply()
                .contains(&format!("h{n}.example"))
        );
    }
}

#[test]
fn sandboxes_do_not_meet() {
    let sandboxes: Vec<_> = (0..8).map(|_| sandbox("host a.example 127.0.0.2")).collect();
    let mut ports: Vec<_> = sandboxes.iter().map(Sandbox::smtp_port).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 8);
}

#[test]
fn stopping_ends_connections_and_waits() {
    let sandbox = sandbox("host a.example 127.0.0.2\n on greeting delay 60s");
    let mut client = Client::connect(&sandbox, "127.0.0.2");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| sandbox.wait_for_mails(1, Duration::MAX));
        let start = Instant::now();
        while sandbox.sessions().is_empty() {
            std::thread::yield_now();
        }
        assert!(sandbox.is_running());
        sandbox.stop();
        assert!(!sandbox.is_running());
        assert!(waits.join().expect("no panic").is_empty());
        assert!(start.elapsed() < PATIENCE);
    });
    assert_eq!(client.rest().0, "");
    assert!(sandbox.sessions()[0].closed);
    assert_eq!(
        connect(&sandbox, "127.0.0.2", PATIENCE),
        Err(ErrorKind::ConnectionRefused)
    );
    let error = sandbox.set_world(&World::default()).expect_err("nobody is there");
    assert_eq!(error.to_string(), "the sandbox is not running");
    sandbox.stop();
}

#[test]
fn waiting_ends_with_the_mail_or_with_the_time() {
    let sandbox = sandbox("host a.example 127.0.0.2");
    assert!(sandbox.wait_for_mails(1, Duration::from_millis(20)).is_empty());
    let mut client = Client::greeted(&sandbox, "127.0.0.2");
    assert_eq!(sandbox.wait_for_quiet(Duration::from_millis(20)).len(), 1);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| sandbox.wait_for_mails(1, PATIENCE));
        client.send("HELO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n.\r\n");
        assert_eq!(waits.join().expect("no panic").len(), 1);
    });
}
