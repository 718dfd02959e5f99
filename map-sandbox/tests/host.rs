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

#[test]
fn every_command_has_its_code() {
    let sandbox = sandbox(PLAIN);
    let mut client = Client::greeted(&sandbox, "127.0.0.2");
    let long_line = format!("NOOP {}", "x".repeat(2042));
    let long_local = format!("MAIL FROM:<{}@b.example>", "a".repeat(246));
    let long_path = format!("MAIL FROM:<a@{}example>", "b.".repeat(125));
    let table = [
        // before the client said its name
        ("MAIL FROM:<a@b.example>", "503 5.5.1"),
        ("RCPT TO:<a@b.example>", "503 5.5.1"),
        ("DATA", "503 5.5.1"),
        ("RSET", "250 2.0.0"),
        ("RSET now", "501 5.5.4"),
        ("NOOP", "250 2.0.0"),
        ("NOOP whatever", "250 2.0.0"),
        ("VRFY smith", "252 2.5.2"),
        ("VRFY", "501 5.5.4"),
        ("EXPN list", "252 2.5.2"),
        ("EXPN", "501 5.5.4"),
        ("HELP mail", "214 2.0.0 MAIL"),
        ("HELP everything", "504 5.5.4"),
        ("QUIT now", "501 5.5.4"),
        ("TURN", "502 5.5.1"),
        ("SEND FROM:<a@b.example>", "502 5.5.1"),
        ("SOML FROM:<a@b.example>", "502 5.5.1"),
        ("SAML FROM:<a@b.example>", "502 5.5.1"),
        ("SMOL FROM:<a@b.example>", "502 5.5.1"),
        ("SMAL FROM:<a@b.example>", "502 5.5.1"),
        ("AUTH PLAIN", "502 5.5.1"),
        ("BDAT 0 LAST", "502 5.5.1"),
        ("ETRN x", "502 5.5.1"),
        ("STARTTLS", "502 5.5.1"),
        ("", "500 5.5.2"),
        ("XYZZY", "500 5.5.2"),
        (" NOOP", "500 5.5.2"),
        (&long_line, "500 5.5.2"),
        ("HELO", "501 5.5.4"),
        ("EHLO", "501 5.5.4"),
        ("EHLO two names", "501 5.5.4"),
        ("HELO client.example", "250 mx.example.com"),
        ("DATA", "503 5.5.1"),
        // arguments of MAIL
        ("MAIL", "501 5.5.4"),
        ("MAIL TO:<a@b.example>", "501 5.5.4"),
        ("MAIL FROM: <a@b.example>", "501 5.5.4"),
        ("MAIL FROM:a@b.example", "501 5.5.4"),
        ("MAIL FROM:<a@b.example", "501 5.5.4"),
        ("MAIL FROM:<a b@b.example>", "501 5.5.4"),
        ("MAIL FROM:<a@b.example>SIZE=1", "501 5.5.4"),
        ("MAIL FROM:<a>", "501 5.1.7"),
        ("MAIL FROM:<@b.example>", "501 5.1.7"),
        ("MAIL FROM:<a@b..example>", "501 5.1.7"),
        ("MAIL FROM:<a@-b.example>", "501 5.1.7"),
        ("MAIL FROM:<ä@b.example>", "501 5.1.7"),
        (&long_local, "501 5.1.7"),
        (&long_path, "501 5.1.7"),
        ("MAIL FROM:<a@b.example> SIZE=x", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> SIZE=10240001", "552 5.3.4"),
        ("MAIL FROM:<a@b.example> BODY=9BIT", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> SMTPUTF8", "555 5.5.4"),
        ("MAIL FROM:<a@b.example> RET=FULL", "555 5.5.4"),
        ("MAIL FROM:<> size=10240000 body=7bit", "250 2.1.0"),
        ("MAIL FROM:<>", "503 5.5.1"),
        // arguments of RCPT, and DATA without one
        ("DATA", "503 5.5.1"),
        ("RCPT FROM:<a@b.example>", "501 5.5.4"),
        ("RCPT TO:<a>", "501 5.1.3"),
        ("RCPT TO:<>", "501 5.1.3"),
        ("RCPT TO:<a@b.example> NOTIFY=NEVER", "555 5.5.4"),
        ("DATA", "554 5.5.1"),
        ("RCPT TO:<a@[192.0.2.1]>", "250 2.1.5"),
        ("RCPT TO:<@relay.example:a@b.example>", "250 2.1.5"),
        ("DATA now", "501 5.5.4"),
        // EHLO and RSET end a transaction
        ("EHLO client.example", "250-mx.example.com"),
        ("RCPT TO:<a@b.example>", "503 5.5.1"),
        ("MAIL FROM:<a@[IPv6:2001:db8::1]>", "250 2.1.0"),
        ("RSET", "250 2.0.0"),
        ("RCPT TO:<a@b.example>", "503 5.5.1"),
        ("QUIT", "221 2.0.0"),
    ];
    for (command, expected) in table {
        let reply = client.say(command);
        assert!(reply.starts_with(expected), "{command}: {reply}");
    }
    assert_eq!(client.rest(), (String::new(), false));
    assert_eq!(sandbox.sessions()[0].sent_ahead, 0);
}

#[test]
fn help_is_a_reply_of_two_lines() {
    let sandbox = sandbox(PLAIN);
    let mut client = Client::greeted(&sandbox, "127.0.0.2");
    let help = client.say("HELP");
    assert!(
        help.starts_with("214-This is a test double") && help.contains(" | 214 AUTH BDAT"),
        "{help}"
    );
}

#[test]
fn a_host_without_extensions_refuses_their_parameters_and_codes() {
    let sandbox = sandbox("host mx.example.com 127.0.0.2\n offer nothing");
    let mut client = Client::greeted(&sandbox, "127.0.0.2");
    assert_eq!(client.say("EHLO client.example"), "250 mx.example.com");
    for parameter in ["SIZE=1", "BODY=7BIT", "SMTPUTF8"] {
        let reply = client.say(&format!("MAIL FROM:<a@b.example> {parameter}"));
        assert_eq!(reply, "555 Parameter not recognized or not implemented");
    }
    assert_eq!(client.say("MAIL FROM:<a@b.example>"), "250 Ok");
}

#[test]
fn utf8_addresses_need_the_extension() {
    let sandbox = sandbox("host mx.example.com 127.0.0.2\n offer SMTPUTF8, STARTTLS");
    let mut client = Client::greeted(&sandbox, "127.0.0.2");
    assert_eq!(
        client.say("EHLO c.example"),
        "250-mx.example.com | 250-SMTPUTF8 | 250 STARTTLS"
    );
    assert_eq!(client.say("STARTTLS"), "454 TLS not available");
    assert_eq!(client.say("MAIL FROM:<ä@b.example> SMTPUTF8"), "250 Ok");
    assert_eq!(client.say("RCPT TO:<ö@bücher.example>"), "250 Ok");
}

#[test]
fn limits_are_those_of_the_standard() {
    let sandbox = sandbox("host mx.example.com 127.0.0.2\n offer SIZE 100, PIPELINING");
    let mut client = Client::greeted(&sandbox, "127.0.0.2");
    client.say("EHLO c.example");
    client.say("MAIL FROM:<>");
    for n in 0..100 {
        assert_eq!(client.say(&format!("RCPT TO:<r{n}@b.example>")), "250 Ok");
    }
    assert_eq!(client.say("RCPT TO:<r100@b.example>"), "452 Too many recipients");
    client.say("DATA");
    client.send(format!("{}\r\n.\r\n", "x".repeat(98)));
    assert_eq!(client.reply(), "250 Ok: queued as sandbox");
    assert_eq!(sandbox.mails()[0].forward_paths.len(), 100);

    for (content, expected) in [
        ("x".repeat(99), "552 Message size"),
        ("x".repeat(1000), "552 Message size"),
    ] {
        client.say("MAIL FROM:<>");
        client.say("RCPT TO:<a@b.example>");
        client.say("DATA");
        client.send(format!("{content}\r\n.\r\n"));
        let reply = client.reply();
        assert!(reply.starts_with(expected), "{reply}");
    }
    assert_eq!(sandbox.mails().len(), 1);
    let session = &sandbox.sessions()[0];
    assert_eq!((session.contents_complete, session.contents_accepted), (3, 1));
}

#[test]
fn a_line_of_content_may_have_1000_octets() {
    let sandbox = sandbox("host mx.example.com 127.0.0.2\n offer SIZE");
    let mut client = Client::greeted(&sandbox, "127.0.0.2");
    client.say("EHLO c.example");
    for (length, expected) in [
        (998, "250 Ok: queued as sandbox"),
        (999, "554 A line is longer than 1000 octets"),
    ] {
        client.say("MAIL FROM:<a@b.example> SIZE=99999999");
        client.say("RCPT TO:<a@b.example>");
        client.say("DATA");
        client.send(format!("{}\r\n.\r\n", "x".repeat(length)));
        assert_eq!(client.reply(), expected);
    }
}

#[test]
fn a_flight_is_answered_by_a_flight() {
    let sandbox = sandbox(PLAIN);
    let mut client = Client::greeted(&sandbox, "127.0.0.2");
    client.say("EHLO c.example");
    client.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<b>\r\nDATA\r\n");
    let replies: Vec<_> = (0..4).map(|_| client.reply()[..3].to_owned()).collect();
    assert_eq!(replies, ["250", "250", "501", "354"]);
    client.send("x\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<c@b.example>\r\nDATA\r\n");
    let replies: Vec<_> = (0..4).map(|_| client.reply()[..3].to_owned()).collect();
    assert_eq!(replies, ["250", "250", "250", "354"]);
    client.send("y\r\n.\r\nQUIT\r\n");
    assert!(client.rest().0.ends_with("221 2.0.0 Bye\r\n"));
    drop(client);
    let sessions = sandbox.wait_for_quiet(PATIENCE);
    assert_eq!((sessions[0].contents_accepted, sessions[0].sent_ahead), (2, 0));
}

#[test]
fn who_sends_ahead_without_leave_is_noted() {
    let sandbox = sandbox("host a.example 127.0.0.2\n offer nothing\nhost b.example 127.0.0.3");
    let mut client = Client::greeted(&sandbox, "127.0.0.2");
    client.say("EHLO c.example");
    client.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n");
    client.reply();
    client.reply();
    // Nothing may be sent after DATA before the 354 is there, whatever is offered.
    let mut other = Client::greeted(&sandbox, "127.0.0.3");
    other.say("EHLO c.example");
    other.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nx\r\n.\r\n");
    for _ in 0..4 {
        other.reply();
    }
    let ahead: Vec<_> = sandbox
        .sessions()
        .iter()
        .map(|session| session.sent_ahead)
        .collect();
    assert_eq!(ahead, [1, 1]);
}

#[test]
fn content_for_nobody_is_refused() {
    let sandbox = sandbox("host mx.example.com 127.0.0.2\n on data reply 354 Go on");
    let mut client = Client::greeted(&sandbox, "127.0.0.2");
    client.say("EHLO c.example");
    client.say("MAIL FROM:<>");
    assert!(client.say("RCPT TO:<a>").starts_with("501"));
    assert_eq!(client.say("DATA"), "354 Go on");
    assert_eq!(client.say("."), "554 5.5.1 No valid recipients");
    assert!(sandbox.mails().is_empty());
    assert_eq!(sandbox.sessions()[0].contents_complete, 0);
    assert!(client.say("NOOP").starts_with("250"));
}

#[test]
fn a_large_content_arrives_whole() {
    let sandbox = sandbox("host mx.example.com 127.0.0.2\n offer SIZE 0");
    let mut client = Client::greeted(&sandbox, "127.0.0.2");
    client.say("EHLO c.example");
    client.say("MAIL FROM:<>");
    client.say("RCPT TO:<a@b.example>");
    client.say("DATA");
    let content = "..stuffed and long enough to be many segments\r\n".repeat(400_000);
    client.send(&content);
    assert!(client.say(".").starts_with("250"));
    assert_eq!(sandbox.mails()[0].content.len(), content.len() - 400_000);
}
