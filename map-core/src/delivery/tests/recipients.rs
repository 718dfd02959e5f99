//! One message to several recipients: one verdict each.

use super::*;
use crate::message::{AddressList, Builder};

/// A message to these, as a person writes them.
fn message_to(recipients: &str) -> Message {
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
    assert_eq!(sent.report.reply().to_string(), "RE_SERVICE_DENIED.");
    assert_eq!(sent.report.summary().recipient(), "dave@example.org");
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
S: RE_SERVICE_DENIED.
";
    assert!(transcript.ends_with(end), "{transcript}");
}
