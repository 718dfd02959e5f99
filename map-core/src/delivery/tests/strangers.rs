//! What a stranger's DNS and mail host say, wherever it is printed.

use super::*;
use crate::text::is_unsafe;

/// A screen is cleared, the direction of writing turned, and the rest is not seen.
const HOSTILE: &str = "\u{1b}[2J\u{9b}0m\u{202e}\u{61c}\u{200b}\u{feff}\u{e0041}\u{2028}S: RE_SUCCESS.";

#[tokio::test(start_paused = true)]
async fn nothing_that_is_printed_steers_a_terminal() {
    let says: &'static [&'static str] = Vec::leak(vec![
        format!("220 {HOSTILE}").leak(),
        format!("250-{HOSTILE}|250 {HOSTILE}").leak(),
        "250 ok",
        format!("550 5.1.1 {HOSTILE}").leak(),
        "503 no",
        "221 bye",
    ]);
    let mut world = World::new(&[&[(A, Peer::Says(says))]]);
    let records = world
        .zone
        .records
        .get_mut(&("example.org".to_owned(), RecordType::Mx));
    let Some(Ok(records)) = records else {
        panic!("the MX records");
    };
    records.push(Record::Mx {
        preference: 1,
        exchange: format!("{HOSTILE}.example"),
    });
    let sent = world.send().await;
    let report = &sent.report;
    let summary = report.summary();
    let mut printed = vec![summary.advice(), summary.reply().code().name()];
    printed.extend(report.warnings().iter().map(String::as_str));
    for attempt in report.attempts() {
        printed.extend([attempt.host(), attempt.detail()]);
    }
    let transcript = report.transcript();
    printed.extend(transcript.lines());
    let reply = report.reply().to_string();
    printed.push(&reply);
    assert!(
        report
            .warnings()
            .iter()
            .any(|warning| warning.contains("\\u{1b}[2J")),
        "{:?}",
        report.warnings()
    );
    assert!(transcript.contains("SS: 220 \\u{1b}[2J"), "{transcript}");
    for text in printed {
        assert!(!text.contains(is_unsafe), "{text:?}");
    }
}
