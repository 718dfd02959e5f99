//! Several recipients in one: the summary of a report, and what each must know of the others.
//!
//! Whoever follows the advice must never send a second copy to somebody who has the message: where anybody has it, or may
//! have it, no sentence speaks of sending the whole again.

#[cfg(test)]
mod tests;

use super::advice::spelled;
use super::outcome::{Delivered, Stage};
use super::report::RecipientReport;
use super::verdict::Verdict;
use crate::protocol::MapReply;
use crate::text::one_line;

/// More names than this do not stand in one sentence.
const NAMES: usize = 5;
/// More reasons than this do not stand in a summary; each recipient has its own.
const REASONS: usize = 3;

/// What a recipient's report says about the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    /// It is with the recipient's server, or with the relay.
    Yes,
    /// Only the server knows.
    Perhaps,
    No,
}

fn holds(report: &RecipientReport) -> Holds {
    match report.delivered() {
        _ if *report.reply() == MapReply::Success => Holds::Yes,
        Delivered::No => Holds::No,
        Delivered::Some | Delivered::Unknown | Delivered::Yes => Holds::Perhaps,
    }
}

/// The summary of some recipients, who are told of the others; `None` of none.
pub(super) fn summarize(recipients: &mut [RecipientReport]) -> Option<RecipientReport> {
    let mut summary = decide(recipients)?;
    if recipients.len() > 1 {
        summary.advice = Several::new(recipients).advice(&summary);
        summary.what_happened = summary.advice.len();
        tell_of_the_others(recipients);
    }
    Some(summary)
}

fn decide(recipients: &[RecipientReport]) -> Option<RecipientReport> {
    let count = |wanted| recipients.iter().filter(|report| holds(report) == wanted).count();
    let accepted = count(Holds::Yes);
    if count(Holds::Perhaps) > 0 {
        let perhaps = || recipients.iter().filter(|report| holds(report) == Holds::Perhaps);
        let uncertain = perhaps().find(|report| *report.reply() == MapReply::Uncertain);
        uncertain.or_else(|| perhaps().next()).cloned()
    } else if accepted == 0 {
        worst_failure(recipients).cloned()
    } else if accepted == recipients.len() {
        recipients.first().cloned()
    } else {
        Some(partial(recipients, accepted))
    }
}

/// A lasting one before one that another try may help; of those the one that wants the longest wait; the earliest of
/// equals.
fn worst_failure(recipients: &[RecipientReport]) -> Option<&RecipientReport> {
    let badness = |report: &&RecipientReport| (!report.transient(), report.retry_after());
    recipients.iter().rev().max_by_key(badness)
}

fn partial(recipients: &[RecipientReport], accepted: usize) -> RecipientReport {
    RecipientReport {
        recipient: String::new(),
        verdict: Verdict {
            reply: MapReply::Partial {
                accepted,
                recipients: recipients.len(),
            },
            delivered: Delivered::Some,
            transient: false,
            retry_after: None,
            enhanced: None,
            // As far as the furthest came.
            stage: Stage::Content,
            server: None,
        },
        server_text: None,
        host: None,
        address: None,
        tls: None,
        policy: None,
        relayed: recipients.iter().any(RecipientReport::relayed),
        advice: String::new(),
        what_happened: 0,
    }
}

fn tell_of_the_others(recipients: &mut [RecipientReport]) {
    let somebody_has_it = recipients.iter().any(|report| holds(report) == Holds::Yes);
    let perhaps = recipients
        .iter()
        .filter(|report| holds(report) == Holds::Perhaps)
        .count();
    for report in recipients {
        let others_may_have_it = match holds(report) {
            Holds::Yes => continue,
            Holds::Perhaps => perhaps > 1,
            Holds::No => perhaps > 0,
        };
        let others = match (somebody_has_it, others_may_have_it) {
            (true, false) => "Others have the mail",
            (true, true) => "Others have the mail or may have it",
            (false, true) => "Others may have the mail",
            (false, false) => continue,
        };
        let told = format!(
            " {others}: if you send it again, send it to {} alone.",
            name(report)
        );
        report.advice.push_str(&told);
    }
}

/// The recipients by what they have.
struct Several<'a> {
    all: usize,
    have: Vec<&'a RecipientReport>,
    perhaps: Vec<&'a RecipientReport>,
    have_not: Vec<&'a RecipientReport>,
}

impl<'a> Several<'a> {
    fn new(recipients: &'a [RecipientReport]) -> Self {
        let those = |wanted| {
            recipients
                .iter()
                .filter(|report| holds(report) == wanted)
                .collect()
        };
        Self {
            all: recipients.len(),
            have: those(Holds::Yes),
            perhaps: those(Holds::Perhaps),
            have_not: those(Holds::No),
        }
    }

    fn advice(&self, summary: &RecipientReport) -> String {
        let mut sentences = vec![self.headline()];
        if !self.perhaps.is_empty() {
            sentences.push(format!(
                "Nobody can say whether {} {} it: ask before you send it there again, or it may arrive twice.",
                names(&self.perhaps),
                if self.perhaps.len() == 1 { "has" } else { "have" },
            ));
        }
        let must_not_be_repeated = !self.have.is_empty() || !self.perhaps.is_empty();
        if must_not_be_repeated && !self.have_not.is_empty() {
            sentences.push(format!(
                "Not delivered to {}: if you send it again, send it there alone.",
                names(&self.have_not)
            ));
        }
        sentences.extend(self.reasons());
        sentences.extend(self.another_try(summary));
        sentences.retain(|sentence| !sentence.is_empty());
        sentences.join(" ")
    }

    fn headline(&self) -> String {
        let (have, all) = (self.have.len(), self.all);
        let relay = self.have.iter().find(|report| report.relayed());
        match (relay, self.perhaps.len()) {
            (_, 0) if have == 0 => format!("None of the {all} recipients has the mail."),
            (_, _) if have == 0 => String::new(),
            (None, _) if have == all => {
                format!("The mail servers of all {all} recipients accepted the mail.")
            }
            (Some(relay), _) => format!(
                "The relay {} accepted the mail for {} of {all} recipients: {}. It was accepted by a relay, not yet by \
                 their own servers: if it cannot be delivered from there, a notice comes by mail to the sender's address.",
                relay.host().unwrap_or("of the settings"),
                have,
                names(&self.have)
            ),
            (None, _) => format!(
                "{have} of {all} recipients {} the mail: {}.",
                if have == 1 { "has" } else { "have" },
                names(&self.have)
            ),
        }
    }

    /// Why the others have it not, each reason once.
    fn reasons(&self) -> Vec<String> {
        let mut reasons: Vec<(&str, Vec<&RecipientReport>)> = Vec::new();
        for report in self.perhaps.iter().chain(&self.have_not).copied() {
            let what = report
                .advice
                .get(..report.what_happened)
                .unwrap_or(&report.advice);
            if let Some((_, whose)) = reasons.iter_mut().find(|(known, _)| *known == what) {
                whose.push(report);
            } else if reasons.len() <= REASONS {
                reasons.push((what, vec![report]));
            }
        }
        let more = reasons.len() > REASONS;
        reasons.truncate(REASONS);
        let mut told: Vec<String> = reasons
            .iter()
            .map(|(what, whose)| format!("{}: {what}", names(whose)))
            .collect();
        if more {
            told.push("The report has the other reasons, one for each recipient.".to_owned());
        }
        told
    }

    /// Whom another try may help. How long to wait is said only where one time holds for the whole.
    fn another_try(&self, summary: &RecipientReport) -> Option<String> {
        if let Some(pause) = summary.retry_after().filter(|_| summary.transient()) {
            return Some(format!("Try again in {}.", spelled(pause)));
        }
        let hopeful: Vec<_> = self
            .have_not
            .iter()
            .copied()
            .filter(|report| report.transient())
            .collect();
        match hopeful.len() {
            0 => None,
            _ => Some(format!(
                "Another try may help with {}; the report says for each when.",
                names(&hopeful)
            )),
        }
    }
}

/// `a@example.org, b@example.org and 7 more`
fn names(reports: &[&RecipientReport]) -> String {
    let named: Vec<String> = reports.iter().take(NAMES).map(|report| name(report)).collect();
    let (more, named) = (reports.len().saturating_sub(NAMES), named.join(", "));
    match more {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn name(report: &RecipientReport) -> String {
    one_line(report.recipient())
}
