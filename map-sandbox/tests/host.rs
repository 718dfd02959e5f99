//! What a host does by itself: every command, in and out of order, and what is recorded of it.

mod support;

use support::{Client, PATIENCE, sandbox};

const PLAIN: &str = "host mx.example.com 127.0.0.2";

#[test]
fn a_mail_arrives_octet_for_octet() {
    let sandbox = sandbox(PLAIN);
    let mut client = Client::greeted(&sandbox, "127.0.0.2");
    let ehlo = client.say("EHLO client.example");
    assert_eq!(
        ehlo,
        "250-mx.example.com | 250-PIPELINING | 250-SIZE 10240000 | 250-8BITMIME | 250 ENHANCEDSTATUSCODES"
    );
    assert_eq!(
        client.say("MAIL FROM:<a@example.org> SIZE=12 BODY=8BITMIME"),
        "250 2.1.0 Ok"
    );
    assert_eq!(client.say("RCPT TO:<\"b>c d\"@example.com>"), "250 2.1.5 Ok");
    assert_eq!(client.say("rcpt to:<postmaster>"), "250 2.1.5 Ok");
    assert_eq!(client.say("DATA"), "354 End data with <CR><LF>.<CR><LF>");
    client.send(b"Subject: x\r\n\r\n..\r\n\n.\n\xFF\r.\r\n..dots\r\n.\r\n");
    assert_eq!(client.reply(), "250 2.0.0 Ok: queued as sandbox");
    let mails = sandbox.mails();
    assert_eq!(client.say("QUIT"), "221 2.0.0 Bye");
    assert_eq!(client.rest(), (String::new(), false));
    drop(client);

    let [mail] = mails.as_slice() else {
        panic!("{mails:?}")
    };
    assert_eq!(mail.host, "mx.example.com");
    assert_eq!(mail.hello, "client.example");
    assert_eq!(mail.reverse_path, "a@example.org");
    assert_eq!(mail.forward_paths, ["\"b>c d\"@example.com", "postmaster"]);
    assert_eq!(mail.content, b"Subject: x\r\n\r\n.\r\n\n.\n\xFF\r.\r\n.dots\r\n");

    let sessions = sandbox.wait_for_quiet(PATIENCE);
    let [session] = sessions.as_slice() else {
        panic!("{sessions:?}")
    };
    assert!(session.closed);
    assert_eq!((session.contents_complete, session.contents_accepted), (1, 1));
    assert_eq!(session.address, std::net::Ipv4Addr::new(127, 0, 0, 2));
    assert!(session.received.starts_with(b"EHLO client.example\r\nMAIL"));
    assert!(session.received.ends_with(b"\r\n.\r\nQUIT\r\n"));
    assert!(session.sent.starts_with(b"220 mx.example.com "));
    assert!(session.sent.ends_with(b"\r\n221 2.0.0 Bye\r\n"));

    sandbox.clear();
    assert!(sandbox.mails().is_empty() && sandbox.sessions().is_empty());
}
