//! What strangers can make a report hold.

use super::recipients::message_to;
use super::*;
use crate::delivery::outcome::MAX_SESSIONS;

fn names(count: usize) -> String {
    let names: Vec<String> = (1..=count)
        .map(|number| format!("name{number}@example.org"))
        .collect();
    names.join(", ")
}

/// What one host says: leaked, since peers say what stands in the program as a rule.
fn says(lines: Vec<String>) -> Peer {
    let lines: Vec<&'static str> = lines.into_iter().map(|line| &*line.leak()).collect();
    Peer::Says(lines.leak())
}

#[tokio::test(start_paused = true)]
async fn a_host_that_wants_a_session_for_each_recipient_gets_a_hundred() {
    let one_mail: &[&str] = &[
        "220 r",
        "250-h|250 LIMITS MAILMAX=1 RCPTMAX=1",
        "250 m",
        "250 r",
        "354 d",
        "250 ok",
        "221 b",
    ];
    let world = World::new(&[&[(A, Peer::Says(one_mail)), ("2001:db8::1", GOOD)]]);
    let sent = world.send_message(&message_to(&names(MAX_SESSIONS + 20))).await;
    assert_eq!(sent.connected, vec![A; MAX_SESSIONS]);
    let (served, left): (Vec<_>, Vec<_>) = sent
        .report
        .recipients()
        .iter()
        .partition(|recipient| recipient.delivered() == Delivered::Yes);
    assert_eq!((served.len(), left.len()), (MAX_SESSIONS, 20));
    for recipient in left {
        assert_eq!(recipient.delivered(), Delivered::No);
        assert!(recipient.transient());
        let advice = format!(
            "mx1.example.org takes few recipients at a time, and left this one over in each of 100 sessions. No more are \
             opened for one mail. Nothing was delivered to it. Try again in 30 minutes. Others have the mail: if you \
             send it again, send it to {} alone.",
            recipient.recipient()
        );
        assert_eq!(recipient.advice(), advice);
    }
}

/// A host that serves one recipient in each session, and has sixteen thousand octets to say to every other.
#[tokio::test(start_paused = true)]
async fn what_a_host_says_to_those_it_refuses_is_kept_once_and_within_bounds() {
    const RECIPIENTS: usize = 120;
    let sessions: Vec<(&str, Peer)> = (0..RECIPIENTS)
        .map(|session| {
            let mut lines = vec![
                "220 r".to_owned(),
                "250-h|250 LIMITS MAILMAX=1".to_owned(),
                "250 m".to_owned(),
                "250 r".to_owned(),
            ];
            for recipient in 1..(RECIPIENTS - session).min(100) {
                let text = format!("452-{session} {recipient} {}|", "x".repeat(1900));
                lines.push(format!("{}452 4.5.3 too many", text.repeat(8)));
            }
            lines.extend(["354 d", "250 ok", "221 b"].map(str::to_owned));
            (A, says(lines))
        })
        .collect();
    let sent = World::new(&[&sessions])
        .send_message(&message_to(&names(RECIPIENTS)))
        .await;
    let served = sent.report.recipients().iter();
    let served = served
        .filter(|recipient| recipient.delivered() == Delivered::Yes)
        .count();
    assert_eq!(served, MAX_SESSIONS);
    let warnings = sent.report.warnings();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.starts_with("the hosts said more than a report keeps: of ")),
        "{warnings:?}"
    );
    let told: usize = sent
        .report
        .recipients()
        .iter()
        .filter_map(|recipient| recipient.server_text())
        .map(<[u8]>::len)
        .sum();
    assert!(told < RECIPIENTS * 16 * 1024, "{told}");
    let transcript = sent.report.transcript();
    assert!(transcript.len() < 16 * 1024 * 1024, "{} octets", transcript.len());
}

#[tokio::test(start_paused = true)]
async fn hosts_that_cannot_be_used_are_named_by_the_handful() {
    let mut world = World::new(&[&[(A, GOOD)]]);
    let exchange = |number: u16| Record::Mx {
        preference: 10 + number,
        exchange: format!("192.0.2.{number}"),
    };
    let good = Record::Mx {
        preference: 1,
        exchange: "mx1.example.org".to_owned(),
    };
    let exchanges = std::iter::once(good).chain((0..62).map(exchange)).collect();
    world.zone.insert("example.org", RecordType::Mx, Ok(exchanges));
    let sent = world.send().await;
    let warnings = sent.report.warnings();
    assert_eq!(warnings.len(), 5, "{warnings:?}");
    assert_eq!(
        warnings[4],
        "… and 58 more mail exchangers of example.org were left out"
    );
}

/// As many domains as recipients, each with hosts that nobody can use.
#[tokio::test(start_paused = true)]
async fn thousands_of_domains_are_few_warnings() {
    const DOMAINS: usize = 1000;
    let mut world = World::new(&[]);
    let mut recipients = Vec::new();
    for number in 0..DOMAINS {
        let domain = format!("d{number}.example.org");
        let exchanges = (0..64).map(|exchange| Record::Mx {
            preference: exchange,
            exchange: if exchange == 0 {
                format!("mx{number}.example.org")
            } else {
                format!("192.0.2.{exchange}")
            },
        });
        world
            .zone
            .insert(&domain, RecordType::Mx, Ok(exchanges.collect()));
        recipients.push(format!("bob@{domain}"));
    }
    let sent = world.send_message(&message_to(&recipients.join(", "))).await;
    assert_eq!(sent.report.recipients().len(), DOMAINS);
    assert!(
        sent.report.warnings().len() <= 65,
        "{}",
        sent.report.warnings().len()
    );
    let last = sent.report.warnings().last().expect("a warning");
    assert!(last.ends_with(" more warnings were left out"), "{last}");
}
