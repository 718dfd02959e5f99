//! What a script makes a host do, and what is recorded of it.

mod support;

use std::time::{Duration, Instant};

use support::{Client, PATIENCE, sandbox};

const PAUSE: Duration = Duration::from_millis(60);

/// A host with one rule.
fn with(line: &str) -> String {
    format!("host mx.example.com 127.0.0.2\n  {line}\n")
}

/// The script of a whole mail, and how many replies it brings.
const DIALOGUE: [(&str, &str); 6] = [
    ("ehlo", "EHLO c.example\r\n"),
    ("mail", "MAIL FROM:<a@b.example>\r\n"),
    ("rcpt", "RCPT TO:<d@e.example>\r\n"),
    ("data", "DATA\r\n"),
    ("content", "x\r\n.\r\n"),
    ("quit", "QUIT\r\n"),
];

/// Plays the dialogue up to and with `stage`, but does not read the last reply.
fn until(client: &mut Client, stage: &str) {
    if stage == "greeting" {
        return;
    }
    client.reply();
    for (name, octets) in DIALOGUE {
        client.send(octets);
        if name == stage {
            return;
        }
        client.reply();
    }
}

const STAGES: [&str; 7] = ["greeting", "ehlo", "mail", "rcpt", "data", "content", "quit"];

#[test]
fn a_reply_stands_at_any_stage() {
    for stage in STAGES {
        let sandbox = sandbox(&with(&format!("on {stage} reply 450 4.2.1 Not now | really not")));
        let mut client = Client::connect(&sandbox, "127.0.0.2");
        until(&mut client, stage);
        assert_eq!(client.reply(), "450-4.2.1 Not now | 450 really not", "{stage}");
        assert!(sandbox.mails().is_empty() || stage == "quit");
        assert!(
            client
                .say("HELP mail")
                .starts_with(if stage == "greeting" { "503" } else { "214" }),
            "{stage}"
        );
    }
}

#[test]
fn a_stop_comes_at_any_stage() {
    for stage in STAGES {
        for stop in ["close", "reset", "silent", "stall"] {
            let sandbox = sandbox(&with(&format!("on {stage} {stop}")));
            let mut client = Client::connect(&sandbox, "127.0.0.2");
            until(&mut client, stage);
            match stop {
                "close" => assert_eq!(client.rest(), (String::new(), false), "{stage}"),
                "reset" => assert_eq!(client.rest(), (String::new(), true), "{stage}"),
                _ => assert_eq!(client.silence(PAUSE), "", "{stage} {stop}"),
            }
            assert_eq!(sandbox.mails().len(), usize::from(stage == "quit"));
            drop(client);
            let session = sandbox.wait_for_quiet(PATIENCE).remove(0);
            assert!(session.closed, "{stage} {stop}");
            let complete = usize::from(matches!(stage, "content" | "quit"));
            assert_eq!(session.contents_complete, complete, "{stage} {stop}");
            assert_eq!(
                session.contents_accepted,
                usize::from(stage == "quit"),
                "{stage} {stop}"
            );
        }
    }
}

#[test]
fn a_stop_may_follow_a_reply() {
    for stage in STAGES {
        for (stop, reset) in [("close", false), ("reset", true)] {
            let sandbox = sandbox(&with(&format!("on {stage} reply 250 then what then {stop}")));
            let mut client = Client::connect(&sandbox, "127.0.0.2");
            until(&mut client, stage);
            assert_eq!(
                client.rest(),
                ("250 then what\r\n".to_owned(), reset),
                "{stage} {stop}"
            );
        }
    }
}

#[test]
fn a_421_closes() {
    let sandbox = sandbox(&with("on mail reply 421 4.3.2 Going down"));
    let mut client = Client::connect(&sandbox, "127.0.0.2");
    until(&mut client, "mail");
    assert_eq!(client.rest(), ("421 4.3.2 Going down\r\n".to_owned(), false));
}

#[test]
fn a_stalling_host_does_not_read() {
    let sandbox = sandbox(&with("on data reply 354 Go then stall"));
    let mut client = Client::connect(&sandbox, "127.0.0.2");
    until(&mut client, "data");
    assert_eq!(client.reply(), "354 Go");
    client.send("never read");
    drop(client);
    assert!(
        sandbox.wait_for_quiet(PATIENCE)[0]
            .received
            .ends_with(b"DATA\r\n")
    );
}

#[test]
fn raw_octets_are_said_as_they_are() {
    let sandbox = sandbox(&with(r"on greeting raw 2\x320 a\tb\\\r\n2\n\xff then close"));
    let mut client = Client::connect(&sandbox, "127.0.0.2");
    assert_eq!(client.reply(), "220 a\tb\\");
    assert_eq!(sandbox.sessions()[0].sent, b"220 a\tb\\\r\n2\n\xff");
}

#[test]
fn two_replies_leave_together_and_the_first_counts() {
    let sandbox = sandbox(&with("on data reply 354 Go then reply 250 Ok"));
    let mut client = Client::connect(&sandbox, "127.0.0.2");
    until(&mut client, "data");
    assert_eq!(
        (client.reply(), client.reply()),
        ("354 Go".to_owned(), "250 Ok".to_owned())
    );
    assert!(sandbox.mails().is_empty());
    assert_eq!(sandbox.sessions()[0].contents_accepted, 0);
    assert!(client.say("x\r\n.").starts_with("250"));
    assert_eq!(sandbox.mails()[0].content, b"x\r\n");
}

#[test]
fn a_reply_of_the_script_decides_like_one_of_the_host() {
    // The second EHLO finds the first one refused; the recipient that is taken without need counts.
    let sandbox = sandbox(&with(
        "on ehlo 1 reply 502 No\n on rcpt reply 251 Will forward\n on content reply 554 No",
    ));
    let mut client = Client::connect(&sandbox, "127.0.0.2");
    client.reply();
    assert_eq!(client.say("EHLO c.example"), "502 No");
    assert!(client.say("MAIL FROM:<>").starts_with("503"));
    assert!(client.say("EHLO c.example").starts_with("250"));
    client.say("MAIL FROM:<>");
    assert_eq!(client.say("RCPT TO:<somebody>"), "251 Will forward");
    assert!(client.say("DATA").starts_with("354"));
    assert_eq!(client.say("."), "554 No");
    assert!(sandbox.mails().is_empty());
    assert!(client.say("DATA").starts_with("503"));
}

#[test]
fn the_rule_with_the_most_conditions_counts() {
    let sandbox = sandbox(&with(
        "on rcpt reply 550 any
         on rcpt 2 reply 551 second
         on rcpt BOB@qq.com reply 552 bob
         on rcpt *@example.com reply 553 domain
         on rcpt <carol@*> reply 554 carol
         on connection 2 rcpt 2 reply 450 both
         on mail <> reply 550 no bounces
         on connection 2 rcpt 2 bob@qq.com reply 451 all",
    ));
    let mut client = Client::greeted(&sandbox, "127.0.0.2");
    client.say("HELO c.example");
    assert_eq!(client.say("MAIL FROM:<>"), "550 no bounces");
    assert!(client.say("MAIL FROM:<a@b.example>").starts_with("250"));
    for (path, expected) in [
        ("x@y.example", "550 any"),
        ("x@y.example", "551 second"),
        ("bob@QQ.com", "552 bob"),
        ("x@example.com", "553 domain"),
        ("carol@y.example", "554 carol"),
    ] {
        assert_eq!(client.say(&format!("RCPT TO:<{path}>")), expected);
    }
    for (path, expected) in [("x@y.example", "450 both"), ("bob@qq.com", "451 all")] {
        if expected == "451 all" {
            sandbox
                .set_world(&WORLD_AGAIN.parse().expect("a world"))
                .expect("the same address");
            Client::greeted(&sandbox, "127.0.0.2");
        }
        let mut client = Client::greeted(&sandbox, "127.0.0.2");
        client.say("HELO c.example");
        client.say("MAIL FROM:<a@b.example>");
        client.say("RCPT TO:<x@y.example>");
        assert_eq!(client.say(&format!("RCPT TO:<{path}>")), expected);
    }
}

const WORLD_AGAIN: &str = "host mx.example.com 127.0.0.2
    on connection 2 rcpt 2 reply 450 both
    on connection 2 rcpt 2 bob@qq.com reply 451 all";

#[test]
fn of_equal_rules_the_first_counts() {
    let sandbox = sandbox(&with("on mail reply 550 first\n on mail reply 551 second"));
    let mut client = Client::greeted(&sandbox, "127.0.0.2");
    client.say("HELO c.example");
    assert_eq!(client.say("MAIL FROM:<>"), "550 first");
}

#[test]
fn without_a_command_it_gets_502() {
    let sandbox = sandbox(&with("without EHLO"));
    let mut client = Client::greeted(&sandbox, "127.0.0.2");
    assert_eq!(client.say("EHLO c.example"), "502 5.5.1 Command not implemented");
    assert_eq!(client.say("HELO c.example"), "250 mx.example.com");
}

#[test]
fn delays_and_drips_take_their_time() {
    let sandbox = sandbox(&with(
        "on greeting delay 80ms\n on ehlo drip 100ms then reply 250",
    ));
    let start = Instant::now();
    let mut client = Client::greeted(&sandbox, "127.0.0.2");
    assert!(start.elapsed() >= Duration::from_millis(80));
    let start = Instant::now();
    assert_eq!(client.say("EHLO c.example"), "250");
    assert!(start.elapsed() >= Duration::from_millis(500), "five octets");
    // The drip is over with its rule, or this would take longer than anybody waits.
    let start = Instant::now();
    assert!(client.say("HELP").len() * 100 > 10_000);
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn replies_before_a_delay_do_not_wait_for_it() {
    let sandbox = sandbox(&with("on rcpt delay 10s"));
    let mut client = Client::greeted(&sandbox, "127.0.0.2");
    client.say("EHLO c.example");
    let start = Instant::now();
    client.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n");
    assert!(client.reply().starts_with("250"));
    assert!(start.elapsed() < Duration::from_secs(5));
    // And a sandbox that waits stops at once.
    drop(sandbox);
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// The dialogue with all octets that the host sends in it.
fn whole_dialogue() -> (usize, usize) {
    let sandbox = sandbox(&with("offer PIPELINING"));
    let mut client = Client::connect(&sandbox, "127.0.0.2");
    until(&mut client, "quit");
    client.rest();
    drop(client);
    let session = sandbox.wait_for_quiet(PATIENCE).remove(0);
    (session.sent.len(), session.received.len())
}

/// Plays the dialogue as long as the host answers; what is left of it.
fn play(client: &mut Client, stop: &str) -> bool {
    let mut replies = 0;
    for octets in std::iter::once("").chain(DIALOGUE.map(|(_, octets)| octets)) {
        client.send_if_open(octets);
        match client.reply_if_any(stop == "silent") {
            Some(_) => replies += 1,
            None => break,
        }
    }
    replies == 7
}

#[test]
fn a_cut_is_exact_to_the_octet() {
    let (sent, received) = whole_dialogue();
    let sandbox = sandbox("");
    let mut cuts = 0;
    for stop in ["close", "reset", "silent"] {
        for (what, count) in [("sent", sent), ("received", received)] {
            for octets in 0..count {
                // A silent host shows itself by a time-out only: a sample is enough.
                if stop == "silent" && octets % 16 != 0 {
                    continue;
                }
                let script = with(&format!("offer PIPELINING\n cut {stop} after {what} {octets}"));
                sandbox
                    .set_world(&script.parse().expect("a world"))
                    .expect("the same address");
                sandbox.clear();
                let mut client = Client::connect(&sandbox, "127.0.0.2");
                assert!(!play(&mut client, stop), "{script} did not stop");
                drop(client);
                let session = sandbox.wait_for_quiet(PATIENCE).remove(0);
                let (limited, length) = match what {
                    "sent" => (octets, session.sent.len()),
                    _ => (octets, session.received.len()),
                };
                assert_eq!(length, limited, "{script}");
                check_contents(&session, sandbox.mails().len());
                cuts += 1;
            }
        }
    }
    println!("{cuts} cuts");
    assert!(cuts > 500);
}

/// What was complete, taken and accepted, told from the recorded octets alone.
fn check_contents(session: &map_sandbox::Session, mails: usize) {
    let complete = usize::from(session.received.windows(5).any(|octets| octets == b"\r\n.\r\n"));
    let accepted = session.sent.windows(12).any(|octets| octets == b"as sandbox\r\n");
    assert_eq!(session.contents_complete, complete);
    assert_eq!(mails, complete, "what is complete was taken");
    assert_eq!(session.contents_accepted, usize::from(accepted), "{session:?}");
}

#[test]
fn all_before_the_last_octet_received_is_answered() {
    let flight = "NOOP\r\nRSET\r\n";
    let sandbox = sandbox(&with(&format!("cut close after received {}", flight.len())));
    let mut client = Client::greeted(&sandbox, "127.0.0.2");
    client.send(flight);
    assert_eq!(client.rest(), ("250 2.0.0 Ok\r\n".to_owned(), false));
}

#[test]
fn a_cut_may_be_for_one_connection() {
    let sandbox = sandbox(&with(
        "cut connection 2 close after sent 3\n cut reset after sent 5",
    ));
    for (expected, reset) in [("220 m", true), ("220", false), ("220 m", true)] {
        let mut client = Client::connect(&sandbox, "127.0.0.2");
        assert_eq!(client.rest(), (expected.to_owned(), reset));
    }
}

#[test]
fn a_host_that_is_cut_off_by_silence_goes_on_listening() {
    // 3 octets of the greeting, and never more: but the client's mail is complete, and was taken.
    let sandbox = sandbox(&with("cut silent after sent 3"));
    let mut client = Client::connect(&sandbox, "127.0.0.2");
    client.send("HELO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n");
    let mails = sandbox.wait_for_mails(1, PATIENCE);
    assert_eq!(mails[0].content, b"x\r\n");
    assert_eq!(client.silence(PAUSE), "220");
    let session = sandbox.sessions().remove(0);
    assert_eq!(
        (
            session.contents_complete,
            session.contents_accepted,
            session.closed
        ),
        (1, 0, false)
    );
}
