use super::super::outcome::Cause;
use super::super::report::Findings;
use super::*;
use crate::route::{LookupError, RouteError};
use crate::smtp::{Abort, ConnectionFailure, ExchangeStage, Outcome, Reply, ReplyCode};
use std::sync::Arc;
use std::time::Duration;

fn came_to(recipient: &str, cause: Cause) -> RecipientReport {
    let findings = Findings {
        recipient: recipient.to_owned(),
        domain: "example.org".to_owned(),
        causes: &[(cause, None)],
        untried: false,
        relay: false,
        content_begun: false,
        port25: None,
        has_others: true,
    };
    findings.report(&[])
}

fn reply(code: u16, text: &str) -> Arc<Reply> {
    Arc::new(Reply::new(ReplyCode(code), vec![text.into()]))
}

fn refused(code: u16, text: &str) -> Cause {
    let (stage, reply) = (ExchangeStage::Rcpt, reply(code, text));
    Cause::Exchange(Outcome::Refused { stage, reply })
}

fn accepted() -> Cause {
    Cause::Exchange(Outcome::Accepted(reply(250, "2.0.0 ok")))
}

fn relayed() -> Cause {
    Cause::Relayed(reply(250, "2.0.0 ok"))
}

fn greylisted() -> Cause {
    refused(451, "4.7.1 greylisted")
}

fn unknown_mailbox() -> Cause {
    refused(550, "5.1.1 no such user")
}

fn unreachable() -> Cause {
    Cause::Route(LookupError::NoAnswer.into())
}

fn cancelled() -> Cause {
    Cause::GivenUp(Stage::Content, Abort::Cancelled)
}

fn uncertain() -> Cause {
    Cause::Exchange(Outcome::Uncertain(ConnectionFailure::TimedOut))
}

fn faulty() -> Cause {
    Cause::Internal { content_begun: true }
}

/// The recipients a@, b@, c@ … with their reports.
fn recipients(causes: &[Cause]) -> Vec<RecipientReport> {
    ('a'..='z')
        .zip(causes)
        .map(|(name, cause)| came_to(&format!("{name}@example.org"), cause.clone()))
        .collect()
}

fn summary_of(causes: &[Cause]) -> RecipientReport {
    summarize(&mut recipients(causes)).expect("there are some")
}

#[test]
fn a_summary_is_of_all_and_not_of_the_unluckiest() {
    use Delivered::{No, Some, Unknown, Yes};
    let minutes = |minutes: u64| Option::Some(Duration::from_secs(minutes * 60));
    #[rustfmt::skip]
    let rows = [
        (vec![accepted(), accepted()], "RE_SUCCESS.", Yes, None),
        (vec![relayed(), relayed()], "RE_SUCCESS.", Unknown, None),
        (vec![accepted(), greylisted()], "RE_PARTIAL: <1 of 2>.", Some, None),
        (vec![greylisted(), accepted()], "RE_PARTIAL: <1 of 2>.", Some, None),
        (vec![accepted(), unknown_mailbox(), accepted()], "RE_PARTIAL: <2 of 3>.", Some, None),
        (vec![relayed(), unknown_mailbox()], "RE_PARTIAL: <1 of 2>.", Some, None),
        (vec![accepted(), cancelled()], "RE_PARTIAL: <1 of 2>.", Some, None),
        (vec![accepted(), unreachable()], "RE_PARTIAL: <1 of 2>.", Some, None),
        (vec![accepted(), uncertain(), greylisted()], "RE_UNCERTAIN.", Unknown, None),
        (vec![greylisted(), uncertain()], "RE_UNCERTAIN.", Unknown, None),
        (vec![relayed(), uncertain()], "RE_UNCERTAIN.", Unknown, None),
        (vec![accepted(), faulty()], "RE_INTERNAL.", Unknown, None),
        (vec![greylisted(), faulty()], "RE_INTERNAL.", Unknown, None),
        (vec![greylisted(), unknown_mailbox()], "RE_SERVICE_DENIED.", No, None),
        (vec![unknown_mailbox(), greylisted()], "RE_SERVICE_DENIED.", No, None),
        (vec![greylisted(), cancelled()], "RE_CANCELLED.", No, None),
        (vec![greylisted(), greylisted()], "RE_BADREPLY: <451>.", No, minutes(15)),
        // The longest wait, so that it is long enough for all.
        (vec![greylisted(), unreachable()], "RE_SERVER_UNREACH.", No, minutes(30)),
        (vec![unreachable(), greylisted()], "RE_SERVER_UNREACH.", No, minutes(30)),
    ];
    for (causes, text, delivered, retry_after) in rows {
        let summary = summary_of(&causes);
        assert_eq!(summary.reply().to_string(), text, "{causes:?}");
        assert_eq!(summary.delivered(), delivered, "{causes:?}");
        assert_eq!(summary.retry_after(), retry_after, "{causes:?}");
        assert_eq!(summary.transient(), retry_after.is_some(), "{causes:?}");
    }
    assert!(summarize(&mut []).is_none());
}

#[test]
fn a_partial_delivery_is_nobody_s_alone() {
    let summary = summary_of(&[accepted(), greylisted()]);
    assert_eq!(summary.recipient(), "");
    assert_eq!(
        (summary.code(), summary.enhanced(), summary.host()),
        (None, None, None)
    );
    assert_eq!((summary.server_text(), summary.stage()), (None, Stage::Content));
    assert!(!summary.relayed());
    assert!(summary_of(&[relayed(), greylisted()]).relayed());
}

#[test]
fn the_advice_says_who_has_it_and_what_to_do_for_the_others() {
    let advice = summary_of(&[accepted(), greylisted(), unknown_mailbox()])
        .advice()
        .to_owned();
    for sentence in [
        "1 of 3 recipients has the mail: a@example.org.",
        "Not delivered to b@example.org, c@example.org: if you send it again, send it there alone.",
        "b@example.org: The mail host did not take the mail now and said \"451 4.7.1 greylisted\".",
        "c@example.org: The mail host refused the mail and said \"550 5.1.1 no such user\". There is no such mailbox",
        "Another try may help with b@example.org; the report says for each when.",
    ] {
        assert!(advice.contains(sentence), "{sentence}\n{advice}");
    }

    let advice = summary_of(&[accepted(), uncertain(), greylisted()])
        .advice()
        .to_owned();
    for sentence in [
        "1 of 3 recipients has the mail: a@example.org.",
        "Nobody can say whether b@example.org has it",
        "Not delivered to c@example.org",
    ] {
        assert!(advice.contains(sentence), "{sentence}\n{advice}");
    }

    let advice = summary_of(&[greylisted(), greylisted()]).advice().to_owned();
    assert!(
        advice.starts_with("None of the 2 recipients has the mail."),
        "{advice}"
    );
    assert!(advice.ends_with("Try again in 15 minutes."), "{advice}");
    assert_eq!(advice.matches("greylisted").count(), 1, "{advice}");

    let relayed = summary_of(&[relayed(), unknown_mailbox()]).advice().to_owned();
    assert!(
        relayed.contains("accepted the mail for 1 of 2 recipients: a@example.org"),
        "{relayed}"
    );
    assert!(!relayed.contains("has the mail"), "{relayed}");
}

/// Every mixture of what can become of three recipients.
#[test]
fn whoever_obeys_sends_no_second_copy() {
    let fates = [
        accepted(),
        relayed(),
        greylisted(),
        unknown_mailbox(),
        unreachable(),
        Cause::Route(RouteError::NullMx),
        cancelled(),
        uncertain(),
        faulty(),
    ];
    for first in &fates {
        for second in &fates {
            for third in &fates {
                let mut reports = recipients(&[first.clone(), second.clone(), third.clone()]);
                let summary = summarize(&mut reports).expect("there are some");
                let anybody = reports.iter().any(|report| holds(report) != Holds::No);
                assert_eq!(anybody, summary.delivered() != Delivered::No);
                if !anybody {
                    continue;
                }
                assert!(!summary.transient() && summary.retry_after().is_none());
                let told = summary.advice().to_lowercase();
                for word in ["minute", "hour", "try again", "again later", "nothing was sent:"] {
                    assert!(!told.contains(word), "{word}: {told}");
                }
                for (place, report) in reports.iter().enumerate() {
                    let others = reports.iter().enumerate().filter(|(other, _)| *other != place);
                    let others_hold = others.into_iter().any(|(_, other)| holds(other) != Holds::No);
                    let is_warned = report.advice().ends_with(&format!(
                        "if you send it again, send it to {} alone.",
                        report.recipient()
                    ));
                    assert_eq!(
                        is_warned,
                        others_hold && holds(report) != Holds::Yes,
                        "{}",
                        report.advice()
                    );
                }
            }
        }
    }
}

#[test]
fn many_recipients_make_a_short_sentence_all_the_same() {
    let mut reports: Vec<_> = (0..10_000)
        .map(|number| {
            let cause = match number % 3 {
                0 => accepted(),
                1 => refused(550, &format!("5.1.1 no such user {number}")),
                _ => uncertain(),
            };
            came_to(&format!("user{number}@example.org"), cause)
        })
        .collect();
    let advice = summarize(&mut reports)
        .expect("there are some")
        .advice()
        .to_owned();
    assert!(advice.len() < 3_000, "{} octets: {advice}", advice.len());
    assert!(advice.contains("and 3329 more"), "{advice}");
}
