//! Replies that are not as RFC 5321 wants them.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_last_line_decides_and_the_transcript_shows_them_all() {
    const SAYS: &[&str] = &["220-mx.example.org ESMTP|521-5.7.1 blocked|521 ask us", "221 b"];
    let sent = World::new(&[&[(A, Peer::Says(SAYS))]]).send().await;
    let summary = sent.report.summary();
    assert_eq!(summary.reply().to_string(), "RE_SERVICE_DENIED.");
    assert_eq!(summary.server_text(), Some(&b"5.7.1 blocked\nask us"[..]));
    let transcript = sent.report.transcript();
    let shown = "SS: 220-mx.example.org ESMTP\nSS: 521-5.7.1 blocked\nSS: 521 ask us\n";
    assert!(transcript.contains(shown), "{transcript}");
}

#[tokio::test(start_paused = true)]
async fn a_content_that_two_lines_refuse_was_refused() {
    const CONTENT: &str = "550-5.1.1 no|554 5.6.0 no";
    const SAYS: &[&str] = &["220 r", "250 h", "250 m", "250 r", "354 d", CONTENT, "221 b"];
    let world = World::new(&[&[(A, Peer::Says(SAYS)), (B, GOOD)]]);
    let sent = world.send().await;
    sent.assert("RE_BADREPLY: <554>.", Delivered::No, false, Some("5.6.0"));
    assert_eq!(sent.connected, [A]);
}

#[tokio::test(start_paused = true)]
async fn of_a_reply_of_many_lines_the_one_that_decides_is_shown() {
    let greeting = ["220-mx"; 40].join("|") + "|521 not you";
    let says: &'static [&'static str] = vec![&*greeting.leak(), "221 b"].leak();
    let sent = World::new(&[&[(A, Peer::Says(says))]]).send().await;
    let transcript = sent.report.transcript();
    let shown = "SS: 220-mx\nSS: … (8 more lines)\nSS: 521 not you\n";
    assert!(transcript.contains(shown), "{transcript}");
}
