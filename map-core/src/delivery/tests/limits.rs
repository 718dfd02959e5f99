//! How long, how often and how far: the bounds of a delivery, its deadlines, and cancelling.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_address_without_a_route_counts_for_nothing() {
    let no_route = Peer::Immediate(io::ErrorKind::NetworkUnreachable);
    let sixes = [
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8::3",
        "2001:db8::4",
        "2001:db8::5",
        "2001:db8::6",
    ];
    let mut host: Vec<(&str, Peer)> = sixes.iter().map(|six| (*six, no_route.clone())).collect();
    host.push((A, Peer::Later(io::ErrorKind::ConnectionRefused)));
    let sent = World::new(&[&host, &[(B, GOOD)]]).send().await;
    sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
}

#[tokio::test(start_paused = true)]
async fn five_slow_addresses_are_enough() {
    let addresses = [
        "192.0.2.11",
        "192.0.2.12",
        "192.0.2.13",
        "192.0.2.14",
        "192.0.2.15",
        "192.0.2.16",
    ];
    let host: Vec<(&str, Peer)> = addresses.iter().map(|address| (*address, Peer::Silent)).collect();
    let sent = World::new(&[&host, &[(B, GOOD)]]).send().await;
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.4.1"));
    assert_eq!(sent.connected.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn two_hosts_past_ehlo_are_enough_and_what_was_not_tried_keeps_it_transient() {
    let small = Peer::Says(&["220 r", "250-h|250 SIZE 10", "221 b"]);
    let hosts: [&[(&str, Peer)]; 3] = [&[(A, small.clone())], &[(B, small.clone())], &[(C, GOOD)]];
    let sent = World::new(&hosts).send().await;
    assert_eq!(sent.connected, [A, B]);
    assert_eq!(sent.report.reply(), &MapReply::BadReply(ReplyCode(552)));
    assert!(
        sent.report.summary().transient(),
        "the third host might have taken it"
    );

    let sent = World::new(&[&[(A, small)]]).send().await;
    sent.assert("RE_BADREPLY: <552>.", Delivered::No, false, Some("5.3.4"));
    assert_eq!(sent.report.summary().server_text(), None, "it was decided here");
}

#[tokio::test(start_paused = true)]
async fn the_callers_deadline_rules_over_all() {
    let hang = |says: &'static [&'static str]| Peer::Says(says);
    let cases = [
        (
            Peer::Silent,
            "RE_SERVER_UNREACH.",
            Delivered::No,
            true,
            Some("4.4.1"),
        ),
        (
            hang(&["hang"]),
            "RE_SERVER_UNREACH.",
            Delivered::No,
            true,
            Some("4.4.1"),
        ),
        (
            hang(&["220 r", "250 h", "hang"]),
            "RE_SERVER_UNREACH.",
            Delivered::No,
            true,
            Some("4.4.2"),
        ),
        (
            hang(&["220 r", "250 h", "250 m", "250 r", "354 d", "hang"]),
            "RE_UNCERTAIN.",
            Delivered::Unknown,
            false,
            Some("4.4.2"),
        ),
    ];
    for (peer, reply, delivered, transient, enhanced) in cases {
        let mut world = World::new(&[&[(A, peer)], &[(B, Peer::Silent)]]);
        world.deadline = Some(Duration::from_secs(10));
        let started = Instant::now();
        let sent = world.send().await;
        assert_eq!(started.elapsed(), Duration::from_secs(10));
        sent.assert(reply, delivered, transient, enhanced);
    }
}

#[tokio::test(start_paused = true)]
async fn the_dns_is_inside_the_deadline() {
    let mut world = World::new(&[]);
    world.zone.records.insert(
        ("example.org".to_owned(), RecordType::Mx),
        Err(LookupError::NoAnswer),
    );
    world.deadline = Some(Duration::from_secs(10));
    world
        .send()
        .await
        .assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.4.3"));
}

#[tokio::test(start_paused = true)]
async fn without_a_deadline_of_the_callers_content_starts_within_five_minutes_or_never() {
    let slow: Vec<(&str, Peer)> = ["192.0.2.21", "192.0.2.22", "192.0.2.23"]
        .iter()
        .map(|address| (*address, Peer::Says(&["hang"])))
        .collect();
    let started = Instant::now();
    let sent = World::new(&[&slow]).send().await;
    assert_eq!(started.elapsed(), Duration::from_secs(300));
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.4.1"));
}

#[tokio::test(start_paused = true)]
async fn cancel_ends_it_at_once_on_either_side_of_the_commit_point() {
    let cases = [
        (Peer::Silent, "RE_CANCELLED.", Delivered::No),
        (Peer::Says(&["hang"]), "RE_CANCELLED.", Delivered::No),
        (
            Peer::Says(&["220 r", "250 h", "250 m", "hang"]),
            "RE_CANCELLED.",
            Delivered::No,
        ),
        (
            Peer::Says(&["220 r", "250 h", "250 m", "250 r", "354 d", "hang"]),
            "RE_UNCERTAIN.",
            Delivered::Unknown,
        ),
        (
            Peer::Says(&["220 r", "250 h", "250 m", "250 r", "354 d", "250 ok", "hang"]),
            "RE_SUCCESS.",
            Delivered::Yes,
        ),
    ];
    for (peer, reply, delivered) in cases {
        let world = World::new(&[&[(A, peer)], &[(B, GOOD)]]);
        let cancel = world.cancel.clone();
        let started = Instant::now();
        let (sent, ()) = tokio::join!(world.send(), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            cancel.cancel();
        });
        assert_eq!(started.elapsed(), Duration::from_secs(1), "{reply}");
        assert_eq!(sent.report.reply().to_string(), reply);
        assert_eq!(sent.report.summary().delivered(), delivered);
        assert_eq!(sent.connected, [A]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_dns_has_the_last_word_where_there_is_no_host() {
    let cases = [
        (
            LookupError::NxDomain,
            "RE_DNS_FAIL: <example.org>.",
            false,
            "5.1.2",
        ),
        (
            LookupError::Failed("SERVFAIL".to_owned()),
            "RE_DNS_FAIL: <example.org>.",
            true,
            "4.4.3",
        ),
        (LookupError::Bogus, "RE_DNS_FAIL: <example.org>.", true, "4.4.3"),
        (
            LookupError::AliasLoop,
            "RE_DNS_FAIL: <example.org>.",
            true,
            "4.4.3",
        ),
    ];
    for (error, reply, transient, enhanced) in cases {
        let mut world = World::new(&[]);
        world
            .zone
            .records
            .insert(("example.org".to_owned(), RecordType::Mx), Err(error));
        let sent = world.send().await;
        sent.assert(reply, Delivered::No, transient, Some(enhanced));
        assert!(sent.connected.is_empty());
    }
    let mut world = World::new(&[]);
    let null_mx = Record::Mx {
        preference: 0,
        exchange: String::new(),
    };
    world
        .zone
        .records
        .insert(("example.org".to_owned(), RecordType::Mx), Ok(vec![null_mx]));
    world.send().await.assert(
        "RE_DNS_FAIL: <example.org>.",
        Delivered::No,
        false,
        Some("5.1.10"),
    );
}

#[tokio::test(start_paused = true)]
async fn hosts_without_a_usable_address_never_fall_back_to_the_domain() {
    let mut world = World::new(&[&[("127.0.0.1", GOOD)]]);
    let own = vec![Record::Address(B.parse().expect("an address"))];
    world
        .zone
        .records
        .insert(("example.org".to_owned(), RecordType::A), Ok(own));
    let sent = world.send().await;
    sent.assert("RE_DNS_FAIL: <example.org>.", Delivered::No, false, Some("5.4.6"));
    assert!(sent.connected.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_host_whose_addresses_cannot_be_looked_up_keeps_it_transient() {
    let mut world = World::new(&[&[("127.0.0.1", GOOD)], &[(B, GOOD)]]);
    for record_type in [RecordType::A, RecordType::Aaaa] {
        let servfail = Err(LookupError::Failed("SERVFAIL".to_owned()));
        world
            .zone
            .records
            .insert(("mx2.example.org".to_owned(), record_type), servfail);
    }
    world
        .send()
        .await
        .assert("RE_DNS_FAIL: <example.org>.", Delivered::No, true, Some("4.4.3"));
}

#[tokio::test(start_paused = true)]
async fn a_dns_that_is_silent_about_each_host_is_not_asked_for_ever() {
    let hosts: [&[(&str, Peer)]; 7] = [&[], &[], &[], &[], &[], &[], &[(B, GOOD)]];
    let mut world = World::new(&hosts);
    for number in 1..=6 {
        for record_type in [RecordType::A, RecordType::Aaaa] {
            let name = format!("mx{number}.example.org");
            world
                .zone
                .records
                .insert((name, record_type), Err(LookupError::NoAnswer));
        }
    }
    let sent = world.send().await;
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.4.3"));
    assert_eq!(sent.report.attempts().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_the_other_family_came_to_behind_mail_overrules_the_refusal_of_our_address() {
    let refuses = Peer::Says(&["220 r", "250 h", "550 5.7.25 no reverse name", "221 b"]);
    let greylists = Peer::Says(&["220 r", "250 h", "250 m", "451 4.7.1 later", "221 b"]);
    let sent = World::new(&[&[(A, refuses.clone()), (A6, greylists)], &[(B, Peer::Silent)]])
        .send()
        .await;
    sent.assert("RE_BADREPLY: <451>.", Delivered::No, true, Some("4.7.1"));
    assert_eq!(sent.connected, [A, A6, B], "the next host has its turn");

    let lost = Peer::Later(io::ErrorKind::ConnectionRefused);
    let sent = World::new(&[&[(A, refuses), (A6, lost)], &[(B, GOOD)]])
        .send()
        .await;
    sent.assert("RE_SERVICE_DENIED.", Delivered::No, false, Some("5.7.25"));
}

#[tokio::test(start_paused = true)]
async fn attempts_that_cost_nothing_are_counted_all_the_same() {
    let addresses: Vec<String> = (1..=30).map(|last| format!("198.51.100.{last}")).collect();
    let refused = Peer::Later(io::ErrorKind::ConnectionRefused);
    let host: Vec<(&str, Peer)> = addresses
        .iter()
        .map(|address| (address.as_str(), refused.clone()))
        .collect();
    let sent = World::new(&[&host]).send().await;
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.4.1"));
    assert_eq!(sent.connected.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn quick_closers_do_not_count_as_slow() {
    let closers = [
        "192.0.2.31",
        "192.0.2.32",
        "192.0.2.33",
        "192.0.2.34",
        "192.0.2.35",
        "192.0.2.36",
    ];
    let host: Vec<(&str, Peer)> = closers
        .iter()
        .map(|address| (*address, Peer::Says(&["close"])))
        .collect();
    World::new(&[&host, &[(B, GOOD)]])
        .send()
        .await
        .assert("RE_SUCCESS.", Delivered::Yes, false, None);
}

#[tokio::test(start_paused = true)]
async fn exchangers_beyond_those_looked_at_keep_it_transient() {
    let mut world = World::new(&[]);
    let exchange = |number: u16| Record::Mx {
        preference: number,
        exchange: format!("gone{number}.example.org"),
    };
    let exchanges = (0..=64).map(exchange).collect();
    world
        .zone
        .records
        .insert(("example.org".to_owned(), RecordType::Mx), Ok(exchanges));
    let sent = world.send().await;
    assert!(
        sent.report.summary().transient(),
        "the sixty-fifth might have an address"
    );
}

#[tokio::test(start_paused = true)]
async fn a_verdict_that_is_there_already_beats_the_cancel() {
    let says: &[&str] = &["220 r", "250 h", "250 m", "250 r", "354 d", "250 ok", "hang"];
    for cancelled_after_turns in 0..40 {
        let world = World::new(&[&[(A, Peer::Says(says))]]);
        let cancel = world.cancel.clone();
        let heard = Arc::clone(&world.network.heard);
        let (sent, ()) = tokio::join!(world.send(), async {
            for _ in 0..cancelled_after_turns {
                tokio::task::yield_now().await;
            }
            cancel.cancel();
        });
        let took_it = heard
            .lock()
            .expect("unpoisoned")
            .iter()
            .any(|command| command == ".");
        let reply = sent.report.reply().to_string();
        let possible: &[&str] = if took_it {
            &["RE_SUCCESS.", "RE_UNCERTAIN."]
        } else {
            &["RE_CANCELLED.", "RE_UNCERTAIN."]
        };
        assert!(
            possible.contains(&reply.as_str()),
            "{reply} after {cancelled_after_turns} turns"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_left_behind_a_slow_content_has_the_time_to_start_anew() {
    let slow: &[&str] = &[
        "220 r",
        "250 h",
        "250 m",
        "250 r",
        "451 4.2.0 later",
        "354 d",
        "after 400 s 250 ok",
        "221 b",
    ];
    let mut world = World::new(&[&[(A, Peer::Says(slow))], &[(B, GOOD)]]);
    world.deadlines = Deadlines::default();
    let message = super::recipients::message_to("bob@example.org, dave@example.org");
    let sent = world.send_message(&message).await;
    assert_eq!(
        sent.report.reply(),
        &MapReply::Success,
        "{}",
        sent.report.transcript()
    );
    assert_eq!(sent.connected, [A, B]);
}

#[tokio::test(start_paused = true)]
async fn a_second_session_that_comes_less_far_takes_nothing_back() {
    let crowded: &[&str] = &[
        "220 r",
        "250 h",
        "250 m",
        "250 r",
        "452 4.5.3 too many",
        "354 d",
        "250 ok",
        "close",
    ];
    let closes: &[&str] = &["220 r", "250 h", "close"];
    let world = World::new(&[&[(A, Peer::Says(crowded)), (A, Peer::Says(closes))]]);
    let message = super::recipients::message_to("bob@example.org, dave@example.org");
    let sent = world.send_message(&message).await;
    let replies: Vec<String> = sent
        .report
        .recipients()
        .iter()
        .map(|recipient| recipient.reply().to_string())
        .collect();
    assert_eq!(replies, ["RE_SUCCESS.", "RE_BADREPLY: <452>."]);
    assert_eq!(sent.connected[..2], [A, A]);
}

/// A host that takes one recipient at a time, and says this to what belongs to each.
fn one_at_a_time(recipients: usize, mail: &str, rcpt: &str, data: &str, content: &str) -> Peer {
    let mut says = vec!["220 r".to_owned(), "250-h|250 LIMITS RCPTMAX=1".to_owned()];
    for _ in 0..recipients {
        says.extend([mail, rcpt, data, content].map(str::to_owned));
    }
    says.push("221 b".to_owned());
    Peer::Says(
        says.into_iter()
            .map(|line| &*line.leak())
            .collect::<Vec<_>>()
            .leak(),
    )
}

fn delivered(report: &Report) -> Vec<Delivered> {
    report
        .recipients()
        .iter()
        .map(RecipientReport::delivered)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn each_mail_transaction_comes_to_its_content_in_time() {
    let slow = Peer::Says(&[
        "220 r",
        "250-h|250 LIMITS RCPTMAX=1",
        "250 m",
        "250 r",
        "354 d",
        "250 ok",
        // Each in less time than it may take.
        "after 299 s 250 m",
        "after 299 s 250 r",
        "after 119 s 354 d",
        "250 ok",
        "221 b",
    ]);
    for start in [300, 30] {
        let mut world = World::new(&[&[(A, slow.clone())]]);
        world.deadlines.start = Duration::from_secs(start);
        let started = Instant::now();
        let sent = world
            .send_message(&recipients::message_to("bob@example.org, carol@example.org"))
            .await;
        // And the wait for the answer to QUIT.
        assert_eq!(started.elapsed(), Duration::from_secs(start + 2));
        assert_eq!(delivered(&sent.report), [Delivered::Yes, Delivered::No]);
        let carol = &sent.report.recipients()[1];
        assert_eq!(carol.reply().to_string(), "RE_SERVER_UNREACH.");
        assert!(carol.transient());
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_slow_with_each_of_many_is_left_in_the_end() {
    const RECIPIENTS: usize = 200;
    let to: Vec<String> = (0..RECIPIENTS)
        .map(|number| format!("r{number}@example.org"))
        .collect();
    let message = recipients::message_to(&to.join(", "));
    let slow = one_at_a_time(
        RECIPIENTS,
        "after 90 s 250 m",
        "after 90 s 250 r",
        "after 90 s 354 d",
        "after 590 s 250 ok",
    );
    let started = Instant::now();
    let sent = World::new(&[&[(A, slow.clone()), (B, slow)]])
        .send_message(&message)
        .await;
    assert!(
        started.elapsed() < Duration::from_secs(2 * 60 * 60),
        "{:?}",
        started.elapsed()
    );
    let delivered = delivered(&sent.report);
    let taken = delivered
        .iter()
        .filter(|delivered| **delivered == Delivered::Yes)
        .count();
    assert!((3..10).contains(&taken), "{taken}");
    assert!(!delivered.contains(&Delivered::Unknown));
    let is_transient = |place: usize| sent.report.recipients()[place].transient();
    assert!((0..RECIPIENTS).all(|place| delivered[place] == Delivered::Yes || is_transient(place)));

    // One that answers at once takes all of them.
    let quick = one_at_a_time(RECIPIENTS, "250 m", "250 r", "354 d", "after 10 s 250 ok");
    let sent = World::new(&[&[(A, quick)]]).send_message(&message).await;
    assert_eq!(sent.report.reply(), &MapReply::Success);
}

/// A message of so many lines of 25 octets.
fn letter_to(recipients: &str, lines: usize) -> Message {
    crate::message::Builder::new()
        .from(
            "alice@example.com"
                .parse::<crate::message::AddressList>()
                .expect("a sender"),
        )
        .to(recipients
            .parse::<crate::message::AddressList>()
            .expect("recipients"))
        .text(
            "A line of a long letter.\n"
                .repeat(lines)
                .parse()
                .expect("a text"),
        )
        .build()
        .expect("a message")
}

/// Of four hundred recipients, each in a mail transaction of its own, how many have it, and in what time.
async fn slow_reader(lines: usize, sip: &str) -> (usize, Duration, Report) {
    const RECIPIENTS: usize = 400;
    let mut says = vec!["220 r", "250-h|250 LIMITS RCPTMAX=1"];
    let sip: &'static str = sip.to_owned().leak();
    for _ in 0..RECIPIENTS {
        says.extend(["250 m", "250 r", "354 d", sip, "250 ok"]);
    }
    says.push("221 b");
    let to: Vec<String> = (0..RECIPIENTS)
        .map(|number| format!("r{number}@example.org"))
        .collect();
    let started = Instant::now();
    let sent = World::new(&[&[(A, Peer::Says(says.leak())), (A6, GOOD)], &[(B, GOOD)]])
        .send_message(&letter_to(&to.join(", "), lines))
        .await;
    let delivered = delivered(&sent.report);
    assert!(!delivered.contains(&Delivered::Unknown));
    let taken = delivered.iter().filter(|one| **one == Delivered::Yes).count();
    (taken, started.elapsed(), sent.report)
}

/// Within the least rate of content, and within all deadlines of replies.
#[tokio::test(start_paused = true)]
async fn a_host_that_reads_slowly_for_each_of_many_is_left_in_the_end() {
    let (taken, time, report) = slow_reader(40_000, "sip 40000 140").await;
    assert!((1..4).contains(&taken), "{taken}");
    assert!(time < Duration::from_secs(3 * 60 * 60), "{time:?}");
    let left = report.recipients().iter();
    for recipient in left.filter(|recipient| recipient.delivered() == Delivered::No) {
        assert!(recipient.transient());
        let told =
            "mx1.example.org had not finished when the time that one mail may take was over. Try again";
        assert!(recipient.advice().contains(told), "{}", recipient.advice());
    }

    // 64 kbit/s, and a message of a megabyte for each: half a day.
    let (taken, time, _) = slow_reader(40_000, "sip 16384 2").await;
    assert_eq!(taken, 400);
    assert!(time > Duration::from_secs(12 * 60 * 60), "{time:?}");
}

#[tokio::test(start_paused = true)]
async fn a_content_has_to_move_at_a_least_rate() {
    let message = || letter_to("bob@example.org", 40_000);
    let trickle = Peer::Says(&[
        "220 r",
        "250 h",
        "250 m",
        "250 r",
        "354 d",
        "sip 1000 179",
        "250 ok",
        "221 b",
    ]);
    let started = Instant::now();
    let sent = World::new(&[&[(A, trickle)]]).send_message(&message()).await;
    assert_eq!(started.elapsed(), Duration::from_secs(300));
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.4.2"));

    // The link of a satellite: 2.4 kbit/s, and an hour.
    let slow = Peer::Says(&[
        "220 r",
        "250 h",
        "250 m",
        "250 r",
        "354 d",
        "sip 3000 10",
        "250 ok",
        "221 b",
    ]);
    let started = Instant::now();
    let sent = World::new(&[&[(A, slow)]]).send_message(&message()).await;
    sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
    assert!(started.elapsed() > Duration::from_secs(3000));
}
