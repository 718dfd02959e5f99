//! One message to several recipients: one verdict each.

use super::*;
use crate::delivery::RelaySecurity;
use crate::envelope::{Notify, Ret};
use crate::message::{AddressList, BodyType, Builder, Part, Raw};

/// A message to these, as a person writes them.
pub(super) fn message_to(recipients: &str) -> Message {
    Builder::new()
        .from("alice@example.com".parse::<AddressList>().expect("a sender"))
        .to(recipients.parse::<AddressList>().expect("recipients"))
        .subject("greeting".parse().expect("a subject"))
        .text("Hello.".parse().expect("a text"))
        .build()
        .expect("a message")
}

/// Recipient, reply, delivered, worth a repeat.
fn verdicts(report: &Report) -> Vec<(&str, String, Delivered, bool)> {
    let mut verdicts = Vec::new();
    for recipient in report.recipients() {
        let reply = recipient.reply().to_string();
        verdicts.push((
            recipient.recipient(),
            reply,
            recipient.delivered(),
            recipient.transient(),
        ));
    }
    verdicts
}

const REFUSES_THE_SECOND: Peer = Peer::Says(&[
    "220 r",
    "250 h",
    "250 m",
    "250 r",
    "550 5.1.1 nobody",
    "354 d",
    "250 ok",
    "221 b",
]);

#[tokio::test(start_paused = true)]
async fn each_recipient_has_a_verdict_of_its_own() {
    let mut world = World::new(&[&[(A, REFUSES_THE_SECOND)]]);
    world.add_domain("example.net", &[(B, GOOD)]);
    let sent = world
        .send_message(&message_to(
            "bob@example.org, carol@example.net, dave@example.org",
        ))
        .await;
    assert_eq!(
        verdicts(&sent.report),
        [
            ("bob@example.org", "RE_SUCCESS.".to_owned(), Delivered::Yes, false),
            (
                "carol@example.net",
                "RE_SUCCESS.".to_owned(),
                Delivered::Yes,
                false
            ),
            (
                "dave@example.org",
                "RE_SERVICE_DENIED.".to_owned(),
                Delivered::No,
                false
            ),
        ]
    );
    assert_eq!(sent.report.reply().to_string(), "RE_PARTIAL: <2 of 3>.");
    let summary = sent.report.summary();
    assert_eq!(
        (summary.delivered(), summary.transient()),
        (Delivered::Some, false)
    );
    let of_host = |host| {
        let mut attempts = sent.report.attempts().iter();
        attempts
            .find(|attempt| attempt.host() == host)
            .map(Attempt::outcome)
    };
    assert_eq!(of_host("mx1.example.org"), Some(AttemptOutcome::Partial));
    assert_eq!(of_host("mx1.example.net"), Some(AttemptOutcome::Accepted));
    let transcript = sent.report.transcript();
    let beginning = "\
C: CMD_FROM: <alice@example.com>.
C: CMD_TO: <bob@example.org>.
C: CMD_TO: <carol@example.net>.
C: CMD_TO: <dave@example.org>.
C: (a message of ";
    assert!(transcript.starts_with(beginning), "{transcript}");
    let end = "\
S: (<bob@example.org>: RE_SUCCESS.)
S: (<carol@example.net>: RE_SUCCESS.)
S: (<dave@example.org>: RE_SERVICE_DENIED.)
S: RE_PARTIAL: <2 of 3>.
";
    assert!(transcript.ends_with(end), "{transcript}");
}

/// The recipients that were named to each host, in the order of the connections to it.
pub(super) fn rcpts(sent: &Sent) -> Vec<&str> {
    let rcpts = sent
        .heard
        .iter()
        .filter_map(|line| line.strip_prefix("RCPT TO:<"));
    rcpts.map(|rest| rest.trim_end_matches('>')).collect()
}

const TAKES_TWO: Peer = Peer::Says(&[
    "220 r", "250 h", "250 m", "250 r", "250 r", "354 d", "250 ok", "221 b",
]);

fn lead_example_net_to(world: &mut World, exchanges: [(u16, &str); 2]) {
    let records = exchanges.map(|(preference, exchange)| Record::Mx {
        preference,
        exchange: exchange.to_owned(),
    });
    world
        .zone
        .insert("example.net", RecordType::Mx, Ok(records.to_vec()));
}

#[tokio::test(start_paused = true)]
async fn domains_with_the_same_hosts_share_a_transaction() {
    let mut world = World::new(&[&[(A, TAKES_TWO)], &[(B, GOOD)]]);
    // Other numbers, and the same order.
    lead_example_net_to(&mut world, [(10, "mx1.example.org"), (20, "mx2.example.org")]);
    let sent = world
        .send_message(&message_to("bob@example.org, carol@example.net"))
        .await;
    assert_eq!(sent.report.reply(), &MapReply::Success);
    assert_eq!(sent.connected, [A]);
    assert_eq!(rcpts(&sent), ["bob@example.org", "carol@example.net"]);
}

#[tokio::test(start_paused = true)]
async fn domains_with_the_same_hosts_in_another_order_do_not() {
    let mut world = World::new(&[&[(A, GOOD)], &[(B, GOOD)]]);
    lead_example_net_to(&mut world, [(20, "mx1.example.org"), (10, "mx2.example.org")]);
    let sent = world
        .send_message(&message_to("bob@example.org, carol@example.net"))
        .await;
    assert_eq!(sent.report.reply(), &MapReply::Success);
    assert_eq!(sent.connected, [A, B]);
}

#[tokio::test(start_paused = true)]
async fn who_was_deferred_goes_to_the_next_host_alone() {
    let mixed: &[&str] = &[
        "220 r",
        "250 h",
        "250 m",
        "250 r",
        "550 5.1.1 nobody",
        "451 4.7.1 later",
        "354 d",
        "250 ok",
        "221 b",
    ];
    let sent = World::new(&[&[(A, Peer::Says(mixed)), ("192.0.2.9", GOOD)], &[(B, GOOD)]])
        .send_message(&message_to(
            "bob@example.org, carol@example.org, dave@example.org",
        ))
        .await;
    assert_eq!(
        verdicts(&sent.report),
        [
            ("bob@example.org", "RE_SUCCESS.".to_owned(), Delivered::Yes, false),
            (
                "carol@example.org",
                "RE_SERVICE_DENIED.".to_owned(),
                Delivered::No,
                false
            ),
            (
                "dave@example.org",
                "RE_SUCCESS.".to_owned(),
                Delivered::Yes,
                false
            ),
        ]
    );
    assert_eq!(sent.connected, [A, B]);
    assert_eq!(rcpts(&sent)[3..], ["dave@example.org"]);
}

#[tokio::test(start_paused = true)]
async fn who_is_uncertain_is_left_alone_while_others_go_on() {
    let vanishes: &[&str] = &[
        "220 r",
        "250 h",
        "250 m",
        "250 r",
        "451 4.7.1 later",
        "354 d",
        "close",
    ];
    let sent = World::new(&[&[(A, Peer::Says(vanishes)), ("192.0.2.9", GOOD)], &[(B, GOOD)]])
        .send_message(&message_to("bob@example.org, carol@example.org"))
        .await;
    assert_eq!(
        verdicts(&sent.report),
        [
            (
                "bob@example.org",
                "RE_UNCERTAIN.".to_owned(),
                Delivered::Unknown,
                false
            ),
            (
                "carol@example.org",
                "RE_SUCCESS.".to_owned(),
                Delivered::Yes,
                false
            ),
        ]
    );
    assert_eq!(sent.connected, [A, B], "no other address of the host, either");
    assert_eq!(rcpts(&sent)[2..], ["carol@example.org"]);
    assert_eq!(sent.report.attempts()[0].outcome(), AttemptOutcome::Uncertain);
    assert_eq!(sent.report.reply(), &MapReply::Uncertain);
}

#[tokio::test(start_paused = true)]
async fn who_lost_the_connection_goes_to_the_next_address_without_who_was_deferred() {
    let lost: &[&str] = &["220 r", "250 h", "250 m", "451 4.7.1 later", "250 r", "close"];
    let sent = World::new(&[&[(A, Peer::Says(lost)), ("192.0.2.9", GOOD)], &[(B, GOOD)]])
        .send_message(&message_to("bob@example.org, carol@example.org"))
        .await;
    assert_eq!(
        sent.report.reply(),
        &MapReply::Success,
        "{}",
        sent.report.transcript()
    );
    assert_eq!(sent.connected, [A, "192.0.2.9", B]);
    assert_eq!(rcpts(&sent)[2..], ["carol@example.org", "bob@example.org"]);
}

#[tokio::test(start_paused = true)]
async fn too_many_recipients_are_brought_in_another_transaction() {
    let twice: &[&str] = &[
        "220 r",
        "250 h",
        "250 m",
        "250 r",
        "552 too many",
        "354 d",
        "250 ok",
        "250 m",
        "250 r",
        "354 d",
        "250 ok",
        "221 b",
    ];
    let once: &[&str] = &[
        "220 r",
        "250 h",
        "250 m",
        "250 r",
        "552 too many",
        "354 d",
        "250 ok",
        "close",
    ];
    let still_full: &[&str] = &["220 r", "250 h", "250 m", "552 no room", "221 b"];
    for (first, second, connections, reply) in [
        (twice, Peer::Silent, 1, "RE_SUCCESS."),
        (once, GOOD, 2, "RE_SUCCESS."),
        (once, Peer::Says(still_full), 2, "RE_PARTIAL: <1 of 2>."),
    ] {
        let sent = World::new(&[&[(A, Peer::Says(first)), (A, second)], &[(B, Peer::Silent)]])
            .send_message(&message_to("bob@example.org, carol@example.org"))
            .await;
        assert_eq!(
            sent.connected,
            [A, A][..connections],
            "{}",
            sent.report.transcript()
        );
        assert_eq!(sent.report.reply().to_string(), reply);
    }
}

/// Nothing but the host's reply to another recipient tells that it is not for good.
#[tokio::test(start_paused = true)]
async fn one_too_many_stays_so_if_the_connection_is_lost_among_the_recipients() {
    let lost: &[&str] = &["220 r", "250 h", "250 m", "250 r", "552 too many", "close"];
    let takes_three: &[&str] = &[
        "220 r", "250 h", "250 m", "250 r", "250 r", "250 r", "354 d", "250 ok", "221 b",
    ];
    let message = message_to("bob@example.org, carol@example.org, dave@example.org");
    let sent = World::new(&[&[(A, Peer::Says(lost))], &[(B, Peer::Says(takes_three))]])
        .send_message(&message)
        .await;
    assert_eq!(
        sent.report.reply(),
        &MapReply::Success,
        "{}",
        sent.report.transcript()
    );
    let sent = World::new(&[&[(A, Peer::Says(lost))]])
        .send_message(&message)
        .await;
    let [_, carol, _] = sent.report.recipients() else {
        panic!("three recipients")
    };
    assert_eq!(
        (carol.reply(), carol.transient()),
        (&MapReply::BadReply(ReplyCode(552)), true)
    );
}

#[tokio::test(start_paused = true)]
async fn domains_are_served_at_the_same_time_and_not_all_at_once() {
    let silent: Vec<String> = (1..=9).map(|last| format!("198.51.100.{last}")).collect();
    let mut world = World::new(&[&[(A, GOOD)]]);
    let mut recipients = Vec::new();
    for (number, address) in silent.iter().enumerate() {
        let domain = format!("silent{number}.example");
        world.add_domain(&domain, &[(address, Peer::Silent)]);
        recipients.push(format!("someone@{domain}"));
    }
    recipients.push("bob@example.org".to_owned());
    let started = Instant::now();
    let sent = world.send_message(&message_to(&recipients.join(", "))).await;
    assert_eq!(started.elapsed(), Duration::from_secs(30), "eight, then two");
    let reports = sent.report.recipients();
    assert_eq!(reports.len(), 10);
    assert_eq!(reports[9].reply(), &MapReply::Success);
    assert!(
        reports[..9]
            .iter()
            .all(|report| report.reply() == &MapReply::ServerUnreach)
    );
    let begun: Vec<_> = sent
        .report
        .attempts()
        .iter()
        .map(|attempt| attempt.started)
        .collect();
    assert!(begun.is_sorted());
}

#[tokio::test(start_paused = true)]
async fn a_domain_whose_dns_is_slow_does_not_hold_the_others_up_for_long() {
    let mut world = World::new(&[&[(A, GOOD)]]);
    world
        .zone
        .insert("slow.example", RecordType::Mx, Err(LookupError::NoAnswer));
    let started = Instant::now();
    let sent = world
        .send_message(&message_to("eve@slow.example, bob@example.org"))
        .await;
    assert_eq!(
        started.elapsed(),
        Duration::from_secs(10),
        "that is how long the DNS is asked"
    );
    let [eve, bob] = sent.report.recipients() else {
        panic!("two recipients")
    };
    assert_eq!((eve.reply(), eve.transient()), (&MapReply::ServerUnreach, true));
    assert_eq!(bob.reply(), &MapReply::Success);
    let [attempt] = sent.report.attempts() else {
        panic!("one attempt")
    };
    assert_eq!(attempt.started - started, Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_group_that_waited_for_its_turn_has_its_whole_time() {
    let mut world = World::new(&[]);
    let mut recipients = Vec::new();
    // Eight that never greet, for as long as they may, and one that would be late by then.
    for number in 1..=9 {
        let domain = format!("domain{number}.example");
        let peer = if number == 9 { GOOD } else { Peer::Says(&["hang"]) };
        world.add_domain(&domain, &[(&format!("198.51.100.{number}"), peer)]);
        recipients.push(format!("someone@{domain}"));
    }
    let sent = world.send_message(&message_to(&recipients.join(", "))).await;
    assert_eq!(sent.report.recipients()[8].reply(), &MapReply::Success);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_what_is_under_way_and_what_waits() {
    let mut world = World::new(&[&[(A, GOOD)]]);
    let mut recipients = vec!["bob@example.org".to_owned()];
    for number in 1..=20 {
        let domain = format!("domain{number}.example");
        world.add_domain(&domain, &[(&format!("198.51.100.{number}"), Peer::Silent)]);
        recipients.push(format!("someone@{domain}"));
    }
    let cancel = world.cancel.clone();
    let message = message_to(&recipients.join(", "));
    let started = Instant::now();
    let (sent, ()) = tokio::join!(world.send_message(&message), async {
        // Time is paused, and goes on when all are waiting.
        tokio::time::sleep(Duration::from_secs(1)).await;
        cancel.cancel();
    });
    assert_eq!(started.elapsed(), Duration::from_secs(1));
    let [bob, others @ ..] = sent.report.recipients() else {
        panic!("recipients")
    };
    assert_eq!(bob.reply(), &MapReply::Success);
    assert_eq!(others.len(), 20);
    assert!(others.iter().all(|other| other.reply() == &MapReply::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_notifications_learns_where_there_are_none() {
    let offers_dsn: &[&str] = &[
        "220 r",
        "250-h|250 DSN",
        "250 m",
        "250 r",
        "354 d",
        "250 ok",
        "221 b",
    ];
    let wishes = message_to("bob@example.org").ret(Ret::Headers);
    let silent = message_to("bob@example.org");
    for (peer, message, warned) in [
        (GOOD, &wishes, true),
        (GOOD, &silent, false),
        (Peer::Says(offers_dsn), &wishes, false),
    ] {
        let sent = World::new(&[&[(A, peer)]]).send_message(message).await;
        assert_eq!(sent.report.reply(), &MapReply::Success);
        let warning =
            "mx1.example.org does not offer delivery status notifications (DSN), so none could be asked for";
        let warnings: &[&str] = if warned { &[warning] } else { &[] };
        assert_eq!(sent.report.warnings(), warnings);
    }
}

/// A host that takes one mail in a session would refuse the same parameters in each.
#[tokio::test(start_paused = true)]
async fn what_refused_notifications_is_asked_without_them_in_the_next_session() {
    let one_mail: &[&str] = &[
        "220 r",
        "250-h|250-DSN|250 LIMITS MAILMAX=1",
        "250 m",
        "555 what is NOTIFY",
        "221 b",
    ];
    let closes: &[&str] = &["220 r", "250-h|250 DSN", "250 m", "555 what is NOTIFY", "close"];
    let takes: &[&str] = &[
        "220 r",
        "250-h|250 DSN",
        "250 m",
        "250 r",
        "354 d",
        "250 ok",
        "221 b",
    ];
    let message = message_to("bob@example.org").ret(Ret::Full).notify(Notify::Never);
    for first in [one_mail, closes] {
        let peers = &[(A, Peer::Says(first)), (A, Peer::Says(takes))];
        let sent = World::new(&[peers, &[(B, Peer::Silent)]])
            .send_message(&message)
            .await;
        assert_eq!(
            sent.report.reply(),
            &MapReply::Success,
            "{}",
            sent.report.transcript()
        );
        assert_eq!(sent.connected, [A, A]);
        let commands: Vec<&str> = sent
            .heard
            .iter()
            .map(String::as_str)
            .filter(|line| line.starts_with("MAIL ") || line.starts_with("RCPT "))
            .collect();
        assert_eq!(
            commands,
            [
                "MAIL FROM:<alice@example.com> RET=FULL",
                "RCPT TO:<bob@example.org> NOTIFY=NEVER",
                "MAIL FROM:<alice@example.com>",
                "RCPT TO:<bob@example.org>",
            ]
        );
        assert_eq!(
            sent.report.warnings(),
            [
                "mx1.example.org refused the parameters of a command, so no delivery status notifications (DSN) were asked \
                 for when it was sent again"
            ]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn requiretls_wants_a_host_that_is_proved() {
    let message = message_to("bob@example.org").require_tls();
    let sent = World::new(&[&[(A, GOOD)]]).send_message(&message).await;
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, false, Some("5.7.30"));
    assert!(sent.connected.is_empty());
    let summary = sent.report.summary();
    assert_eq!(summary.policy(), Some(TlsPolicy::Required));
    assert!(
        summary
            .advice()
            .contains("neither DNSSEC nor an MTA-STS policy proves"),
        "{}",
        summary.advice()
    );

    let mut world = World::new(&[&[(A, GOOD)]]);
    world.zone.secure.insert("example.org".to_owned());
    let sent = world.send_message(&message).await;
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.7.5"));
    assert_eq!(
        (sent.connected.as_slice(), sent.mails()),
        (&[A.to_owned()][..], [0, 0])
    );
}

/// A message with a text that is not ASCII, sent as it stands where a host takes it.
fn eight_bit_message() -> Builder {
    Builder::new()
        .from("alice@example.com".parse::<AddressList>().expect("a sender"))
        .to("bob@example.org".parse::<AddressList>().expect("recipients"))
        .text("Hello there, and Grüße".parse().expect("a text"))
        .body_type(BodyType::EightBit)
}

#[tokio::test(start_paused = true)]
async fn each_host_has_the_form_that_it_can_take() {
    let message = eight_bit_message().build().expect("a message");
    let defers: &[&str] = &[
        "220 r",
        "250-h|250 8BITMIME",
        "250 m",
        "250 r",
        "354 d",
        "451 later",
        "221 b",
    ];
    let sent = World::new(&[&[(A, Peer::Says(defers))], &[(B, GOOD)]])
        .send_message(&message)
        .await;
    assert_eq!(sent.report.reply(), &MapReply::Success);
    let mails: Vec<&str> = sent
        .heard
        .iter()
        .map(String::as_str)
        .filter(|line| line.starts_with("MAIL ") || line.starts_with("Hello"))
        .collect();
    assert_eq!(
        mails,
        [
            "MAIL FROM:<alice@example.com> BODY=8BITMIME",
            "Hello there, and Grüße",
            "MAIL FROM:<alice@example.com>",
            "Hello there, and Gr=C3=BC=C3=9Fe",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_host_lacks_is_said_with_what_needs_it() {
    let raw = "From: alice@example.com\r\nTo: bob@example.org\r\nDate: Sun, 22 Nov 2026 01:40:00 +0100\r\n\r\nGr\u{fc}\r\n";
    let raw = Raw::octets(raw).build().expect("a message");
    let utf8 = Builder::new()
        .from("alice@example.com".parse::<AddressList>().expect("a sender"))
        .to("bob@example.org, пётр@example.org"
            .parse::<AddressList>()
            .expect("recipients"))
        .text("Hello.".parse().expect("a text"))
        .build()
        .expect("a message");
    let rows = [
        (
            raw,
            "RE_BADREPLY: <554>.",
            "5.6.3",
            "mx1.example.org cannot take the message as it is: the host does not offer 8BITMIME, which is needed for an octet \
             beyond ASCII in line 5.",
        ),
        (
            utf8,
            "RE_BADREPLY: <553>.",
            "5.6.7",
            "mx1.example.org takes only addresses in ASCII, and пётр@example.org is not one. Send the message with an ASCII \
             address in its place.",
        ),
    ];
    for (message, reply, enhanced, advice) in rows {
        let lacks: &[&str] = &["220 r", "250 h", "221 b"];
        let lacks = Peer::Says(lacks);
        let sent = World::new(&[&[(A, lacks.clone())], &[(B, lacks)]])
            .send_message(&message)
            .await;
        sent.assert(reply, Delivered::No, false, Some(enhanced));
        assert_eq!(sent.connected, [A, B], "the next host may have more to offer");
        assert_eq!(sent.mails(), [0, 0]);
        let given = sent.report.summary().advice();
        assert!(given.contains(advice), "{given}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_know_its_bdat_is_given_data() {
    let offers: &[&str] = &[
        "220 r",
        "250-h|250 CHUNKING",
        "250 m",
        "250 r",
        "502 what?",
        "close",
    ];
    let mut world = World::new(&[&[(A, Peer::Says(offers)), (A, GOOD)], &[(B, Peer::Silent)]]);
    world.chunking = Chunking::Prefer;
    let sent = world.send().await;
    sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
    assert_eq!(sent.connected, [A, A]);
    let commands: Vec<&str> = sent
        .heard
        .iter()
        .filter_map(|line| line.split(' ').next())
        .filter(|verb| matches!(*verb, "BDAT" | "DATA"))
        .collect();
    assert_eq!(commands, ["BDAT", "DATA"]);
}

#[tokio::test(start_paused = true)]
async fn who_had_no_turn_in_a_session_has_one_in_the_next() {
    let one_mail: &[&str] = &[
        "220 r",
        "250-h|250 LIMITS MAILMAX=1 RCPTMAX=1",
        "250 m",
        "250 r",
        "354 d",
        "250 ok",
        "221 b",
    ];
    let names: Vec<String> = (1..=30)
        .map(|number| format!("name{number}@example.org"))
        .collect();
    let mut world = World::new(&[&[(A, Peer::Says(one_mail))], &[(B, Peer::Silent)]]);
    // Longer than all of it may take until its first content.
    world.deadlines = Deadlines::default();
    let sent = world.send_message(&message_to(&names.join(", "))).await;
    assert_eq!(
        sent.report.reply(),
        &MapReply::Success,
        "{}",
        sent.report.transcript()
    );
    assert_eq!(
        sent.connected,
        vec![A; 30],
        "one session each, and more than there may be attempts in vain"
    );
    assert_eq!(rcpts(&sent), names);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_serves_nobody_more_is_left_for_the_next() {
    let one_mail: &[&str] = &[
        "220 r",
        "250-h|250 LIMITS RCPTMAX=1",
        "250 m",
        "250 r",
        "354 d",
        "250 ok",
        "close",
    ];
    let sent = World::new(&[
        &[(A, Peer::Says(one_mail)), (A, Peer::Says(&["421 busy"]))],
        &[(B, GOOD)],
    ])
    .send_message(&message_to("bob@example.org, carol@example.org"))
    .await;
    assert_eq!(
        sent.report.reply(),
        &MapReply::Success,
        "{}",
        sent.report.transcript()
    );
    assert_eq!(sent.connected, [A, A, B]);
    assert_eq!(rcpts(&sent), ["bob@example.org", "carol@example.org"]);
}

#[tokio::test(start_paused = true)]
async fn a_relay_has_all_recipients_in_one_transaction() {
    let mut world = super::relay::world(RelaySecurity::Clear, &[TAKES_TWO]);
    world.add_domain("example.net", &[(C, Peer::Silent)]);
    let sent = world
        .send_message(&message_to("bob@example.org, carol@example.net"))
        .await;
    assert_eq!(sent.report.reply(), &MapReply::Success);
    assert_eq!(sent.connected, [A]);
    assert!(
        sent.report
            .recipients()
            .iter()
            .all(|recipient| { recipient.relayed() && recipient.delivered() == Delivered::Unknown })
    );
}

#[tokio::test(start_paused = true)]
async fn progress_follows_the_octets_and_a_cancel_in_mid_content_delivers_nothing() {
    // It reads the beginning of the content, and no more.
    let stops: &[&str] = &["220 r", "250 h", "250 m", "250 r", "354 d", "stop reading"];
    let text = "0123456789\r\n".repeat(100_000);
    let message = Builder::new()
        .from("alice@example.com".parse::<AddressList>().expect("a sender"))
        .to("bob@example.org".parse::<AddressList>().expect("recipients"))
        .text(text.parse().expect("a text"))
        .build()
        .expect("a message");
    let world = World::new(&[&[(A, Peer::Says(stops))], &[(B, GOOD)]]);
    let (cancel, meter) = (world.cancel.clone(), Arc::clone(&world.meter));
    let (sent, ()) = tokio::join!(world.send_message(&message), async {
        // Time is paused, and goes on when all are waiting.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let progress = meter.progress();
        assert_eq!((progress.stage, progress.total), (Stage::Content, message.size()));
        assert!((1..1_000_000).contains(&progress.sent), "{progress:?}");
        cancel.cancel();
    });
    sent.assert("RE_CANCELLED.", Delivered::No, false, None);
    assert_eq!(sent.connected, [A]);

    let world = World::new(&[&[(A, GOOD)]]);
    let meter = Arc::clone(&world.meter);
    world
        .send_message(&message)
        .await
        .assert("RE_SUCCESS.", Delivered::Yes, false, None);
    assert_eq!(Some(meter.progress().sent), message.size());
}

#[tokio::test(start_paused = true)]
async fn a_content_that_cannot_be_read_is_not_sent_and_the_report_says_why() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("report.pdf");
    std::fs::write(&path, [b'x'; 1000]).expect("a file");
    let message = Builder::new()
        .from("alice@example.com".parse::<AddressList>().expect("a sender"))
        .to("bob@example.org, carol@example.org"
            .parse::<AddressList>()
            .expect("recipients"))
        .attach(Part::file(&path).expect("a file"))
        .build()
        .expect("a message");
    for shorten in [true, false] {
        if shorten {
            std::fs::write(&path, "x").expect("a file");
        } else {
            std::fs::remove_file(&path).expect("a file");
        }
        let takes_two: &[&str] = &["220 r", "250 h", "250 m", "250 r", "250 r", "354 d", "250 ok"];
        let sent = World::new(&[&[(A, Peer::Says(takes_two))], &[(B, GOOD)]])
            .send_message(&message)
            .await;
        let what = if shorten {
            "ends after 1 octets, and had 1000 when the message was made"
        } else {
            "No such file or directory"
        };
        let separator = if shorten { " " } else { ": " };
        let reply = format!("RE_LOCAL: <{}{separator}{what}>.", path.display());
        sent.assert(&reply, Delivered::No, false, Some("5.3.0"));
        assert_eq!(sent.connected, [A]);
        assert!(!sent.heard.contains(&".".to_owned()), "{:?}", sent.heard);
        let advice = sent.report.summary().advice();
        let why = if shorten { "report.pdf" } else { "No such file" };
        assert!(advice.contains(why), "{advice}");
    }
}
