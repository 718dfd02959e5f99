//! Hosts of many domains that take one of them at a time. Some large receivers do.

use super::recipients::{message_to, rcpts};
use super::*;
use crate::delivery::outcome::MAX_SESSIONS;

const OTHER_DOMAIN: &str = "451 4.3.0 Multiple destination domains per transaction is unsupported";

/// Recipients who each have a domain of their own, all with the mail host `mx1.example.org`; these are its sessions.
fn world(recipients: usize, sessions: &[Peer]) -> (World, Message) {
    let sessions: Vec<(&str, Peer)> = sessions.iter().map(|peer| (A, peer.clone())).collect();
    let mut world = World::new(&[&sessions]);
    let exchanges = world.zone.records[&("example.org".to_owned(), RecordType::Mx)].clone();
    let mut names = Vec::new();
    for number in 0..recipients {
        let domain = format!("d{number}.example");
        world.zone.insert(&domain, RecordType::Mx, exchanges.clone());
        names.push(format!("bob@{domain}"));
    }
    (world, message_to(&names.join(", ")))
}

/// What a host says: a mail transaction for each of these numbers of recipients, of which it takes the first.
fn one_of_each(
    opening: &[&'static str],
    transactions: impl IntoIterator<Item = usize>,
    end: &'static str,
) -> Peer {
    let mut says = opening.to_vec();
    for recipients in transactions {
        says.extend(["250 m", "250 r"]);
        says.extend(std::iter::repeat_n(OTHER_DOMAIN, recipients - 1));
        says.extend(["354 d", "250 ok"]);
    }
    says.push(end);
    Peer::Says(says.leak())
}

#[tokio::test(start_paused = true)]
async fn the_others_follow_in_the_same_session() {
    let host = one_of_each(&["220 r", "250 h"], [2, 1], "221 b");
    let (world, message) = world(2, &[host]);
    let sent = world.send_message(&message).await;
    assert_eq!(
        sent.report.reply(),
        &MapReply::Success,
        "{}",
        sent.report.transcript()
    );
    assert_eq!(sent.connected, [A]);
    assert_eq!(
        rcpts(&sent),
        ["bob@d0.example", "bob@d1.example", "bob@d1.example"]
    );
}

#[tokio::test(start_paused = true)]
async fn three_hundred_domains_need_one_session() {
    let transactions = std::iter::once(100).chain(std::iter::repeat_n(1, 299));
    let (world, message) = world(300, &[one_of_each(&["220 r", "250 h"], transactions, "221 b")]);
    let sent = world.send_message(&message).await;
    assert_eq!(sent.report.reply(), &MapReply::Success);
    assert_eq!(sent.connected, [A]);
    assert_eq!(rcpts(&sent).len(), 399, "nobody is named again and again");
}

/// It ends each session after fifty mails, as many do.
#[tokio::test(start_paused = true)]
async fn three_hundred_domains_go_on_in_the_next_session() {
    let sessions: Vec<Peer> = (0..6)
        .map(|session| {
            let first: usize = (300 - session * 50).min(100);
            let transactions = std::iter::once(first).chain(std::iter::repeat_n(1, 49));
            one_of_each(&["220 r", "250 h"], transactions, "421 enough for now")
        })
        .collect();
    let (world, message) = world(300, &sessions);
    let sent = world.send_message(&message).await;
    assert_eq!(sent.report.reply(), &MapReply::Success);
    assert_eq!(sent.connected, [A; 6]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_takes_one_domain_in_a_session_gets_another() {
    let first = Peer::Says(&[
        "220 r",
        "250 h",
        "250 m",
        "250 r",
        OTHER_DOMAIN,
        "354 d",
        "250 ok",
        "250 m",
        OTHER_DOMAIN,
        "221 b",
    ]);
    let (world, message) = world(2, &[first, GOOD]);
    let sent = world.send_message(&message).await;
    assert_eq!(
        sent.report.reply(),
        &MapReply::Success,
        "{}",
        sent.report.transcript()
    );
    assert_eq!(sent.connected, [A, A]);
    assert_eq!(
        sent.report.attempts()[0].detail(),
        "took it for 1 of 2 recipients, and for another: said \"451 4.3.0 Multiple destination domains per transaction \
         is unsupported\" to RCPT"
    );
}

#[tokio::test(start_paused = true)]
async fn a_host_that_takes_one_mail_for_one_domain_in_each_session_gets_a_hundred() {
    let opening = ["220 r", "250-h|250 LIMITS MAILMAX=1"];
    for end in ["221 b", "421 enough"] {
        let opening = if end == "221 b" {
            opening
        } else {
            ["220 r", "250 h"]
        };
        let sessions: Vec<Peer> = (0..MAX_SESSIONS)
            .map(|session| one_of_each(&opening, [(MAX_SESSIONS + 20 - session).min(100)], end))
            .collect();
        let (world, message) = world(MAX_SESSIONS + 20, &sessions);
        let sent = world.send_message(&message).await;
        assert_eq!(sent.connected, vec![A; MAX_SESSIONS]);
        let (served, left): (Vec<_>, Vec<_>) = sent
            .report
            .recipients()
            .iter()
            .partition(|recipient| recipient.delivered() == Delivered::Yes);
        assert_eq!((served.len(), left.len()), (MAX_SESSIONS, 20));
        for recipient in left {
            assert!(recipient.transient());
            assert_eq!(recipient.code(), Some(ReplyCode(451)));
            assert!(
                recipient
                    .advice()
                    .contains("in each of 100 sessions and said \"451 4.3.0 Multiple"),
                "{}",
                recipient.advice()
            );
        }
    }
}
