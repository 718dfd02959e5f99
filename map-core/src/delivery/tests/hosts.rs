//! One mail and its hosts in order: what each says, and when the next is asked.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_mail_is_delivered() {
    let sent = World::new(&[&[(A, GOOD)]]).send().await;
    sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
    let summary = sent.report.summary();
    assert_eq!(summary.host(), Some("mx1.example.org"));
    assert_eq!(summary.address(), A.parse().ok());
    assert_eq!(summary.server_text(), Some(&b"queued as 7"[..]));
    assert_eq!(summary.code(), Some(ReplyCode(250)));
    assert_eq!(summary.recipient(), "bob@example.org");
    assert_eq!(sent.report.attempts().len(), 1);
    assert_eq!(sent.report.attempts()[0].outcome(), AttemptOutcome::Accepted);
    assert!(
        sent.report
            .message_id()
            .is_some_and(|id| id.ends_with("@example.com"))
    );
    assert!(
        sent.heard.contains(&"EHLO client.example.com".to_owned()),
        "{:?}",
        sent.heard
    );
    assert!(
        sent.heard.contains(&"RCPT TO:<bob@example.org>".to_owned()),
        "{:?}",
        sent.heard
    );
}

#[tokio::test(start_paused = true)]
async fn the_transcript_is_the_dialogue_of_appendix_a() {
    let sent = World::new(&[&[(A, GOOD)]]).send().await;
    let expected = "\
C: CMD_FROM: <alice@example.com>.
C: CMD_TO: <bob@example.org>.
C: CMD_SUBJECT: <greeting>.
C: CMD_CONTENT: <Hello.>.
S: CMD_SMTP_CONN.
SS: 220 ready
S: CMD_SMTP_HELO.
SS: 250 hello
S: CMD_SMTP_FROM.
SS: 250 ok
S: CMD_SMTP_TO.
SS: 250 ok
S: CMD_SMTP_DATA.
SS: 354 go
SS: 250 queued as 7
S: CMD_SMTP_QUIT.
SS: 221 bye
S: RE_SUCCESS.
";
    assert_eq!(sent.report.transcript(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_missing_221_does_not_turn_success_into_failure() {
    let says: &[&str] = &[
        "220 ready",
        "250 hello",
        "250 ok",
        "250 ok",
        "354 go",
        "250 queued",
        "hang",
    ];
    World::new(&[&[(A, Peer::Says(says))]])
        .send()
        .await
        .assert("RE_SUCCESS.", Delivered::Yes, false, None);
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_host_is_followed_by_the_next() {
    for peer in [
        Peer::Silent,
        Peer::Later(io::ErrorKind::ConnectionRefused),
        Peer::Says(&["close"]),
    ] {
        let sent = World::new(&[&[(A, peer.clone())], &[(B, GOOD)]]).send().await;
        sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
        assert_eq!(sent.connected, [A, B], "{peer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_host_unreachable_is_transient() {
    let sent = World::new(&[
        &[(A, Peer::Silent)],
        &[(B, Peer::Later(io::ErrorKind::ConnectionRefused))],
    ])
    .send()
    .await;
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.4.1"));
    assert_eq!(sent.report.summary().stage(), Stage::Connect);
    assert_eq!(sent.report.attempts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_greeting_that_refuses_is_printed_and_transient() {
    // MAP A.5
    let sent = World::new(&[&[(A, Peer::Says(&["554 mailprdadmz2-mx.es.gwu.edu"]))]])
        .send()
        .await;
    sent.assert("RE_BADREPLY: <554>.", Delivered::No, true, None);
    assert!(
        sent.report
            .transcript()
            .ends_with("SS: 554 mailprdadmz2-mx.es.gwu.edu\nS: CMD_SMTP_QUIT.\nS: RE_BADREPLY: <554>.\n")
    );
}

#[tokio::test(start_paused = true)]
async fn a_550_is_a_denial_at_every_stage() {
    let stages: [&[&str]; 4] = [
        &["220 r", "250 h", "550 no", "221 b"],
        &["220 r", "250 h", "250 m", "550 no", "221 b"],
        &["220 r", "250 h", "250 m", "250 r", "550 no", "221 b"],
        &["220 r", "250 h", "250 m", "250 r", "354 d", "550 no", "221 b"],
    ];
    for (says, stage) in stages
        .into_iter()
        .zip([Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Content])
    {
        let sent = World::new(&[&[(A, Peer::Says(says))], &[(B, GOOD)]]).send().await;
        sent.assert("RE_SERVICE_DENIED.", Delivered::No, false, None);
        assert_eq!(sent.report.summary().stage(), stage);
        assert_eq!(sent.connected, [A], "a permanent refusal is not taken elsewhere");
    }
}

#[tokio::test(start_paused = true)]
async fn another_5yz_is_a_denial_only_for_a_reason_of_policy() {
    let cases = [
        (
            &["220 r", "250 h", "250 m", "554 5.7.1 spam", "221 b"][..],
            "RE_SERVICE_DENIED.",
            Some("5.7.1"),
        ),
        (
            &["220 r", "250 h", "250 m", "554 5.1.1 nobody", "221 b"],
            "RE_BADREPLY: <554>.",
            Some("5.1.1"),
        ),
        (
            &["220 r", "250 h", "250 m", "554 4.7.1 mixed", "221 b"],
            "RE_BADREPLY: <554>.",
            None,
        ),
    ];
    for (says, reply, enhanced) in cases {
        let sent = World::new(&[&[(A, Peer::Says(says))]]).send().await;
        sent.assert(reply, Delivered::No, false, enhanced);
    }
}

#[tokio::test(start_paused = true)]
async fn a_4yz_goes_to_the_next_host_and_a_backups_554_does_not_make_it_permanent() {
    let greylists = Peer::Says(&["220 r", "250 h", "250 m", "451 4.7.1 greylisted", "221 b"]);
    let sent = World::new(&[&[(A, greylists)], &[(B, Peer::Says(&["554 go away"]))]])
        .send()
        .await;
    sent.assert("RE_BADREPLY: <451>.", Delivered::No, true, Some("4.7.1"));
    assert_eq!(
        sent.report.summary().retry_after(),
        Some(Duration::from_secs(15 * 60))
    );
    assert_eq!(sent.report.summary().host(), Some("mx1.example.org"));
    assert_eq!(sent.connected, [A, B]);
}

#[tokio::test(start_paused = true)]
async fn behind_the_commit_point_no_other_host_is_tried() {
    for end in [
        "close",
        "hang",
        "150 what",
        "354 what",
        "650 what",
        "not smtp at all",
    ] {
        let says: Vec<&'static str> = vec!["220 r", "250 h", "250 m", "250 r", "354 d", end];
        let sent = World::new(&[&[(A, Peer::Says(says.leak()))], &[(B, GOOD)]])
            .send()
            .await;
        sent.assert("RE_UNCERTAIN.", Delivered::Unknown, false, Some("4.4.2"));
        assert_eq!(sent.connected, [A], "{end}");
        assert_eq!(sent.report.attempts()[0].outcome(), AttemptOutcome::Uncertain);
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_closes_on_ehlo_gets_helo_on_a_new_connection() {
    let host: &[(&str, Peer)] = &[
        (A, Peer::Says(&["220 r", "close"])),
        (
            A,
            Peer::Says(&["220 r", "250 h", "250 m", "250 r", "354 d", "250 ok", "221 b"]),
        ),
    ];
    let sent = World::new(&[host]).send().await;
    sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
    assert_eq!(sent.connected, [A, A]);
    assert!(
        sent.heard.contains(&"HELO client.example.com".to_owned()),
        "{:?}",
        sent.heard
    );
}
