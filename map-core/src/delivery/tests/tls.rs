//! STARTTLS where nobody demands it: the ladder from TLS down to the clear.

use super::*;

const OFFER: &str = "250-h|250 STARTTLS";

/// A host that offers STARTTLS, goes on so, and takes the mail over that.
pub(super) fn offers(how: &str) -> Peer {
    let mut says = vec!["220 r", OFFER, "220 go"];
    says.push(format!("tls {how}").leak());
    says.extend(["250 h", "250 m", "250 r", "354 d", "250 queued as 9", "221 b"]);
    Peer::Says(says.leak())
}

/// A host that speaks with these lines after its answer to EHLO, which offers STARTTLS.
fn after_offer(lines: &[&'static str]) -> Peer {
    let mut says = vec!["220 r", OFFER];
    says.extend(lines);
    Peer::Says(says.leak())
}

/// What does not come to a session: no handshake, or no answer to STARTTLS.
fn broken() -> Vec<Peer> {
    let mut peers: Vec<Peer> = ["breaks", "closes", "hangs", "nonsense"].map(offers).into();
    peers.extend([
        after_offer(&["hang"]),
        after_offer(&["close"]),
        after_offer(&["not smtp"]),
        after_offer(&["250 what for?"]),
        after_offer(&["220 go", "tls good", "close"]),
    ]);
    peers
}

fn in_the_clear(sent: &Sent) -> bool {
    sent.report.summary().tls().is_none() && sent.mails() == [1, 0]
}

#[tokio::test(start_paused = true)]
async fn starttls_is_used_whatever_the_certificate() {
    for how in ["good", "self-signed", "wrong-name", "expired"] {
        let sent = World::new(&[&[(A, offers(how))]]).send().await;
        sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
        assert_eq!(sent.mails(), [0, 1], "{how}");
        let summary = sent.report.summary();
        let facts = summary.tls().expect("TLS");
        assert_eq!((facts.version, facts.verified), ("TLSv1.3", Verified::No));
        assert_eq!(summary.policy(), None);
        assert_eq!(sent.report.attempts()[0].tls(), Some(facts));
        assert_eq!(sent.report.warnings(), [""; 0]);
        let ehlos = ["EHLO client.example.com", "TLS EHLO client.example.com"];
        assert!(
            ehlos.iter().all(|ehlo| sent.heard.contains(&(*ehlo).to_owned())),
            "{:?}",
            sent.heard
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_transcript_shows_starttls() {
    let sent = World::new(&[&[(A, offers("good"))]]).send().await;
    let transcript = sent.report.transcript();
    let tls = "S: CMD_SMTP_HELO.\nSS: 250-h\nSS: 250 STARTTLS\nS: CMD_SMTP_TLS.\nSS: 220 go\nS: CMD_SMTP_HELO.\nSS: 250 h\n";
    assert!(transcript.contains(tls), "{transcript}");
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_starttls_the_clear_will_do() {
    let rest = ["250 m", "250 r", "354 d", "250 ok", "221 b"];
    let refuses = |reply| after_offer(&[&[reply], &rest[..]].concat());
    for host in [GOOD, refuses("454 not now"), refuses("502 what?")] {
        let sent = World::new(&[&[(A, host)]]).send().await;
        sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
        assert!(in_the_clear(&sent), "{:?}", sent.heard);
        assert_eq!(sent.connected, [A]);
        assert_eq!(sent.report.warnings(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_does_not_come_about_is_followed_by_the_clear() {
    for peer in broken() {
        let sent = World::new(&[&[(A, peer.clone()), (A, GOOD)], &[(B, GOOD)]])
            .send()
            .await;
        sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
        assert!(in_the_clear(&sent), "{peer:?}");
        assert_eq!(sent.connected, [A, A], "{peer:?}");
        let attempts = sent.report.attempts();
        assert_eq!(attempts.len(), 2);
        assert_eq!(attempts[0].outcome(), AttemptOutcome::Failed);
        assert!(
            [Stage::Tls, Stage::Hello].contains(&attempts[0].stage()),
            "{peer:?}"
        );
        let warning = format!(
            "mx1.example.org {}, so it was tried again in the clear",
            attempts[0].detail()
        );
        assert_eq!(sent.report.warnings(), [warning]);
        assert!(
            !sent.heard.iter().any(|line| line.contains("HELO")),
            "{:?}",
            sent.heard
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_stalls_costs_its_deadline_once() {
    let world = |broken_tls: &BrokenTls| {
        let mut world = World::new(&[&[(A, offers("hangs")), (A, GOOD)]]);
        world.broken_tls = broken_tls.clone();
        world
    };
    let broken_tls = BrokenTls::default();
    let started = Instant::now();
    let sent = world(&broken_tls).send().await;
    assert!(in_the_clear(&sent));
    assert_eq!(started.elapsed(), Duration::from_secs(15));

    // The next mail does not try, until the host is forgotten.
    let mut second = world(&broken_tls);
    second
        .network
        .peers
        .insert(A.parse().expect("an address"), [GOOD].into());
    let sent = second.send().await;
    assert_eq!(started.elapsed(), Duration::from_secs(15));
    assert!(in_the_clear(&sent));
    assert_eq!(sent.connected, [A]);
    let warnings = sent.report.warnings();
    assert!(
        warnings[0].contains("TLS with mx1.example.org failed within the last ten minutes"),
        "{warnings:?}"
    );
    tokio::time::advance(Duration::from_secs(600)).await;
    let sent = world(&broken_tls).send().await;
    assert_eq!(sent.connected, [A, A]);
}

#[tokio::test(start_paused = true)]
async fn a_memory_of_broken_tls_does_not_weaken_a_demand() {
    let broken_tls = BrokenTls::default();
    broken_tls.remember(&"mx1.example.org".into());
    let mut world = World::new(&[&[(A, offers("good"))]]);
    world.require_tls = true;
    world.broken_tls = broken_tls;
    let sent = world.send().await;
    sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
    assert_eq!(sent.mails(), [0, 1]);
    assert_eq!(sent.report.warnings(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_gone_in_the_clear_too_is_not_remembered() {
    let mut world = World::new(&[
        &[(A, offers("breaks")), (A, Peer::Says(&["close"]))],
        &[(B, GOOD)],
    ]);
    let broken_tls = BrokenTls::default();
    world.broken_tls = broken_tls.clone();
    let sent = world.send().await;
    sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
    assert_eq!(sent.connected, [A, A, B]);
    assert!(!broken_tls.knows("mx1.example.org"));
}

#[tokio::test(start_paused = true)]
async fn octets_before_the_handshake_fail_the_session_and_no_more() {
    let injects = after_offer(&["220 go|250 injected", "hang"]);
    let mut world = World::new(&[&[(A, injects), (A, GOOD)]]);
    let broken_tls = BrokenTls::default();
    world.broken_tls = broken_tls.clone();
    let sent = world.send().await;
    sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
    assert!(in_the_clear(&sent));
    assert_eq!(sent.connected, [A, A]);
    assert_eq!(
        sent.report.attempts()[0].detail(),
        "said something in the clear before the TLS handshake"
    );
    // It took no time, so there is none to be saved.
    assert!(!broken_tls.knows("mx1.example.org"));
}

#[tokio::test(start_paused = true)]
async fn ehlo_refused_within_tls_is_never_followed_by_helo() {
    let refuses = after_offer(&["220 go", "tls good", "502 no", "221 b"]);
    let sent = World::new(&[&[(A, refuses), (A, GOOD)], &[(B, GOOD)]])
        .send()
        .await;
    sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
    assert_eq!(sent.connected, [A, B]);
    assert!(
        !sent.heard.iter().any(|line| line.contains("HELO")),
        "{:?}",
        sent.heard
    );
}

#[tokio::test(start_paused = true)]
async fn a_host_that_wants_tls_after_it_failed_is_left_for_the_next() {
    let wants: &[&str] = &[
        "220 r",
        OFFER,
        "530 5.7.0 Must issue a STARTTLS command first",
        "221 b",
    ];
    let wants = Peer::Says(wants);
    let host: &[(&str, Peer)] = &[(A, offers("breaks")), (A, wants.clone())];
    let sent = World::new(&[host, &[(B, GOOD)]]).send().await;
    sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
    assert_eq!(sent.connected, [A, A, B]);

    let broken_tls = BrokenTls::default();
    let mut world = World::new(&[host]);
    world.broken_tls = broken_tls.clone();
    let sent = world.send().await;
    assert!(
        !broken_tls.knows("mx1.example.org"),
        "the next mail has no other way than TLS"
    );
    sent.assert("RE_BADREPLY: <530>.", Delivered::No, true, Some("4.7.5"));
    let summary = sent.report.summary();
    assert_eq!(
        summary.server_text(),
        Some(&b"5.7.0 Must issue a STARTTLS command first"[..])
    );
    assert!(
        summary.advice().contains("takes mail only over TLS"),
        "{}",
        summary.advice()
    );

    let refuses = after_offer(&["454 not now", "530 5.7.0 TLS first", "221 b"]);
    let sent = World::new(&[&[(A, refuses)]]).send().await;
    sent.assert("RE_BADREPLY: <530>.", Delivered::No, true, Some("4.7.5"));

    // One that offers none means somebody who logs in.
    let strangers = Peer::Says(&["220 r", "250 h", "530 5.7.0 Authentication required", "221 b"]);
    let sent = World::new(&[&[(A, strangers)]]).send().await;
    sent.assert("RE_SERVICE_DENIED.", Delivered::No, false, Some("5.7.0"));
}

#[tokio::test(start_paused = true)]
async fn what_a_host_says_in_the_clear_is_its_word() {
    let small = Peer::Says(&["220 r", "250-h|250 SIZE 10", "221 b"]);
    let sent = World::new(&[&[(A, offers("breaks")), (A, small)]]).send().await;
    sent.assert("RE_BADREPLY: <552>.", Delivered::No, false, Some("5.3.4"));
}

#[tokio::test(start_paused = true)]
async fn when_both_fail_it_is_tls_that_is_told() {
    let gone = Peer::Later(io::ErrorKind::ConnectionRefused);
    let sent = World::new(&[&[(A, offers("breaks")), (A, gone)]]).send().await;
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.7.5"));
    assert_eq!(sent.report.summary().stage(), Stage::Tls);
    let transcript = sent.report.transcript();
    let remark = "S: CMD_SMTP_TLS.\nSS: 220 go\nS: (no TLS session: ";
    assert!(transcript.contains(remark), "{transcript}");
}

#[tokio::test(start_paused = true)]
async fn a_second_try_in_the_clear_is_not_another_slow_address() {
    let addresses = [
        "192.0.2.11",
        "192.0.2.12",
        "192.0.2.13",
        "192.0.2.14",
        "192.0.2.15",
        "192.0.2.16",
    ];
    let busy = Peer::Says(&["421 busy"]);
    let hosts: Vec<Vec<(&str, Peer)>> = addresses
        .iter()
        .map(|address| vec![(*address, offers("hangs")), (*address, busy.clone())])
        .chain([vec![(B, GOOD)]])
        .collect();
    let hosts: Vec<&[(&str, Peer)]> = hosts.iter().map(Vec::as_slice).collect();
    let sent = World::new(&hosts).send().await;
    sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
}

#[tokio::test(start_paused = true)]
async fn the_callers_deadline_and_cancel_hold_within_a_handshake() {
    let mut world = World::new(&[&[(A, offers("hangs")), (A, GOOD)], &[(B, GOOD)]]);
    world.deadline = Some(Duration::from_secs(10));
    let started = Instant::now();
    let sent = world.send().await;
    assert_eq!(started.elapsed(), Duration::from_secs(10));
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.4.2"));
    assert_eq!(
        (sent.report.summary().stage(), sent.connected.as_slice()),
        (Stage::Tls, &[A.to_owned()][..])
    );

    let world = World::new(&[&[(A, offers("hangs")), (A, GOOD)], &[(B, GOOD)]]);
    let cancel = world.cancel.clone();
    let started = Instant::now();
    let (sent, ()) = tokio::join!(world.send(), async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        cancel.cancel();
    });
    assert_eq!(started.elapsed(), Duration::from_secs(3));
    sent.assert("RE_CANCELLED.", Delivered::No, false, None);
    assert_eq!(sent.connected, [A]);
}

#[tokio::test(start_paused = true)]
async fn behind_the_commit_point_nothing_is_tried_in_the_clear() {
    let lost = after_offer(&["220 go", "tls good", "250 h", "250 m", "250 r", "354 d", "close"]);
    let sent = World::new(&[&[(A, lost), (A, GOOD)], &[(B, GOOD)]]).send().await;
    sent.assert("RE_UNCERTAIN.", Delivered::Unknown, false, Some("4.4.2"));
    assert_eq!(sent.connected, [A]);
    assert_eq!(sent.mails(), [0, 1]);
    assert!(sent.report.summary().tls().is_some());
}
