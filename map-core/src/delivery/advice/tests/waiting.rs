//! What a person is told about waiting is what a program reads.

use crate::delivery::advice::{Case, advice, spelled};
use crate::delivery::outcome::{Cause, Stage, TlsPolicy};
use crate::delivery::verdict::{Verdict, verdict};
use crate::smtp::{Abort, ConnectionFailure, ExchangeStage, Outcome, Reply, ReplyCode};
use std::sync::Arc;
use std::time::Duration;

/// Words that promise something of waiting.
const WAITING: [&str; 11] = [
    "again later",
    "try again",
    "again in",
    "minute",
    "hour",
    " day",
    "tomorrow",
    "a while",
    "wait",
    "later",
    "at the moment",
];

fn told(
    cause: &Cause,
    verdict: &Verdict,
    policy: Option<TlsPolicy>,
    relay: bool,
    has_others: bool,
) -> (String, Option<String>) {
    let advice = advice(&Case {
        verdict,
        cause,
        recipient: "bob@example.org",
        domain: "example.org",
        host: Some("mx.example.org"),
        relay,
        policy,
        attempts: 1,
        has_others,
    });
    (advice.what, advice.later)
}

fn assert_consistent(cause: &Cause, policy: Option<TlsPolicy>, relay: bool) {
    let mut verdicts = vec![verdict(cause, "example.org")];
    let mut left = verdicts[0].clone();
    left.leave_to_an_untried_host();
    verdicts.push(left);
    for verdict in verdicts {
        for has_others in [false, true] {
            let (what, later) = told(cause, &verdict, policy, relay, has_others);
            assert_eq!(verdict.transient, verdict.retry_after.is_some(), "{cause:?}");
            assert_eq!(later.is_some(), verdict.transient, "{cause:?}: {what} {later:?}");
            let lower = what.to_lowercase();
            // "greylisting: lets strangers wait", "takes no mail at the moment" say what the host does, not what to do.
            let allowed = ["wait", "at the moment"];
            for word in WAITING {
                let is_harmless = verdict.transient && allowed.contains(&word);
                let is_before = lower.contains("before you try again");
                assert!(
                    is_harmless || is_before || !lower.contains(word),
                    "{cause:?} says {word:?}, transient: {}\n{what}",
                    verdict.transient
                );
            }
            if let (Some(later), Some(pause)) = (later, verdict.retry_after) {
                assert_eq!(later.matches(&spelled(pause)).count(), 1, "{later}");
                let digits = later.matches(|c: char| c.is_ascii_digit()).count();
                assert_eq!(
                    digits,
                    spelled(pause).matches(|c: char| c.is_ascii_digit()).count(),
                    "{later}"
                );
            }
        }
    }
}

/// Every code × enhanced status code × stage, with a relay and without: 4yz and 5yz, of which some are transient.
#[test]
fn no_refusal_contradicts_itself() {
    use crate::smtp::ExchangeStage::{
        Auth, Chunk, Content, Data, Ehlo, Greeting, Helo, Mail, Rcpt, Rset, StartTls,
    };
    let stages = [
        Auth, Chunk, Content, Data, Ehlo, Greeting, Helo, Mail, Rcpt, Rset, StartTls,
    ];
    let mut statuses: Vec<Option<(u16, u16)>> = vec![None];
    for subject in 0..7 {
        statuses.extend((0..12).map(|detail| Some((subject, detail))));
    }
    statuses.extend((0..31).map(|detail| Some((7, detail))));
    statuses.extend([500, 509, 606, 650, 708, 999].map(|detail| Some((7, detail))));
    let codes = [
        421, 450, 451, 452, 454, 499, 500, 501, 504, 521, 530, 535, 550, 551, 552, 553, 554, 556,
    ];
    for code in codes {
        for status in &statuses {
            let class = code / 100;
            let text = status.map_or("no".to_owned(), |(subject, detail)| {
                format!("{class}.{subject}.{detail} no")
            });
            for text in [text.clone(), format!("{text}, blocked using zen.example.org")] {
                let reply = Arc::new(Reply::new(ReplyCode(code), vec![text.into_bytes()]));
                for stage in stages {
                    let reply = Arc::clone(&reply);
                    let cause = Cause::Exchange(Outcome::Refused { stage, reply });
                    assert_consistent(&cause, None, false);
                    assert_consistent(&cause, Some(TlsPolicy::Relay), true);
                }
            }
        }
    }
}

#[test]
fn no_other_cause_contradicts_itself() {
    for (cause, policy, relay) in super::guide::rows() {
        assert_consistent(&cause, policy, relay);
    }
    for stage in [Stage::Route, Stage::Connect, Stage::Content] {
        assert_consistent(&Cause::GivenUp(stage, Abort::Deadline), None, false);
        assert_consistent(&Cause::GivenUp(stage, Abort::Cancelled), None, false);
    }
    for why in [
        ConnectionFailure::Closed,
        ConnectionFailure::TimedOut,
        ConnectionFailure::NotSmtp,
        ConnectionFailure::Injected,
    ] {
        let stage = ExchangeStage::StartTls;
        assert_consistent(&Cause::Exchange(Outcome::Lost { stage, why }), None, false);
    }
}

#[test]
fn a_class_is_a_different_sentence() {
    let said = |code: u16, text: &str| {
        let reply = Arc::new(Reply::new(ReplyCode(code), vec![text.into()]));
        let stage = ExchangeStage::Rcpt;
        let cause = Cause::Exchange(Outcome::Refused { stage, reply });
        let verdict = verdict(&cause, "example.org");
        let (what, later) = told(&cause, &verdict, None, false, false);
        // Without what the host said.
        (what.rsplit('"').next().unwrap_or_default().to_owned(), later)
    };
    for detail in [0, 1, 3, 28, 29] {
        let (soft, later) = said(450, &format!("4.7.{detail} no"));
        let (hard, never) = said(550, &format!("5.7.{detail} no"));
        assert!(later.is_some() && never.is_none());
        assert_ne!(soft, hard, "X.7.{detail}");
    }
}

#[test]
fn a_pause_is_spelled_as_a_person_says_it() {
    for (seconds, text) in [
        (1, "1 minute"),
        (900, "15 minutes"),
        (1800, "30 minutes"),
        (3600, "1 hour"),
        (5400, "90 minutes"),
        (86_400, "24 hours"),
    ] {
        assert_eq!(spelled(Duration::from_secs(seconds)), text);
    }
}
