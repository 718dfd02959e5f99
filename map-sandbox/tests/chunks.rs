//! BDAT, and what comes with it.

mod support;

use map_sandbox::Sandbox;
use support::{Client, PATIENCE, sandbox};

const ADDRESS: &str = "127.0.0.2";

fn host(lines: &str) -> Sandbox {
    sandbox(&format!("host mx.example.com {ADDRESS}\n{lines}"))
}

/// A client with a recipient, and the replies so far were good.
fn client(sandbox: &Sandbox, parameters: &str) -> Client {
    let mut client = Client::connect(sandbox, ADDRESS);
    client.reply();
    client.say("EHLO a.example");
    let mail = client.say(&format!("MAIL FROM:<a@a.example>{parameters}"));
    assert!(mail.starts_with("250 "), "{mail}");
    let rcpt = client.say("RCPT TO:<b@example.com>");
    assert!(rcpt.starts_with("250 "), "{rcpt}");
    client
}

#[test]
fn chunks_become_one_content_as_they_are() {
    let sandbox = host("offer CHUNKING, BINARYMIME, 8BITMIME");
    let mut client = client(&sandbox, " BODY=BINARYMIME");
    assert_eq!(client.say("DATA"), "503 Say BDAT");
    client.send(b"BDAT 7\r\n.\r\nQUIT");
    assert_eq!(client.reply(), "250 Ok");
    client.send(b"BDAT 0\r\nBDAT 5 LAST\r\n\r\n\0\n.");
    assert_eq!(client.reply(), "250 Ok");
    assert_eq!(client.reply(), "250 Ok: queued as sandbox");
    assert_eq!(client.say("QUIT"), "221 Bye");
    drop(client);
    sandbox.wait_for_quiet(PATIENCE);
    let [mail] = &sandbox.mails()[..] else {
        panic!("one mail")
    };
    assert_eq!(mail.content, b".\r\nQUIT\r\n\0\n.");
}

#[test]
fn behind_a_refused_chunk_nothing_is_taken() {
    let sandbox = host("offer CHUNKING, SIZE 10\non bdat 1 reply 452 4.3.1 Full");
    let mut client = client(&sandbox, "");
    client.send(b"BDAT 1\r\naBDAT 1 LAST\r\nb");
    assert_eq!(client.reply(), "452 4.3.1 Full");
    assert_eq!(client.reply(), "503 Say RSET first");
    client.say("RSET");
    assert_eq!(client.say("MAIL FROM:<>"), "250 Ok");
    client.send(b"BDAT 1 LAST\r\nb");
    assert_eq!(client.reply(), "503 No valid recipients");
    client.say("RSET");
    client.say("MAIL FROM:<>");
    client.say("RCPT TO:<b@example.com>");
    client.send(b"BDAT 11 LAST\r\n0123456789a");
    assert_eq!(client.reply(), "552 Message size exceeds the fixed maximum");
    drop(client);
    sandbox.wait_for_quiet(PATIENCE);
    assert!(sandbox.mails().is_empty());
}

#[test]
fn who_does_not_know_bdat_reads_commands() {
    for lines in ["offer PIPELINING", "offer CHUNKING\nwithout bdat"] {
        let sandbox = host(lines);
        let mut client = client(&sandbox, "");
        client.send(b"BDAT 6 LAST\r\nNOOP\r\n");
        assert!(client.reply().starts_with("502 "), "{lines}");
        assert_eq!(client.reply(), "250 Ok");
    }
}
