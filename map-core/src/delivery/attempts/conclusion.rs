//! What a conversation came to for each of its recipients, and what follows for each.

use super::conversation::{Conversation, Session};
use super::ladder::{Attempted, Next, Opening};
use super::{Delivery, Host, Trail};
use crate::delivery::advice;
use crate::delivery::report::{Line, Stage};
use crate::delivery::verdict::{Cause, Circumstances, is_refusal_of_our_address, settles, verdict};
use crate::smtp::{self, Loss, Outcome, Severity, TlsUse};

/// What was found for one recipient.
struct Finding {
    /// Its index in the group.
    recipient: usize,
    cause: Cause,
    next: Next,
}

impl Delivery<'_> {
    pub(super) fn conclude(
        &mut self,
        trail: Trail,
        host: &Host,
        opening: Opening,
        mut conversation: Conversation,
    ) -> Attempted {
        let index = self.attempts.len();
        let findings = self.findings(host, opening, &mut conversation);
        for finding in &findings {
            if let Some(recipient) = self.recipients.get_mut(finding.recipient) {
                recipient.settled = finding.next == Next::Stop;
                recipient.causes.push((finding.cause.clone(), Some(index)));
            }
        }
        let settled_nobody = findings.iter().all(|finding| finding.next != Next::Stop);
        self.futile_attempts += usize::from(settled_nobody);
        // What is tried again at the same address is not another address.
        let is_slow = |finding: &Finding| is_slow(&finding.cause) && finding.next != Next::ClearHere;
        self.slow_addresses += usize::from(findings.iter().any(is_slow));

        let telling = findings.iter().rev().max_by_key(|finding| weight(&finding.cause));
        let internal = Cause::Internal {
            content_begun: self.meter.content_begun(),
        };
        let cause = telling.map_or(&internal, |finding| &finding.cause);
        let mut dialogue = conversation.dialogue;
        dialogue.extend(advice::no_session(cause).map(Line::NoTls));
        let mut attempt = trail.attempt(cause, conversation.tls, dialogue);
        let taken = findings.iter().filter(|finding| is_taken(&finding.cause)).count();
        if taken > 0 && taken < findings.len() {
            attempt.stage = Stage::Content;
            attempt.detail = format!(
                "took it for {taken} of {} recipients, and for another: {}",
                findings.len(),
                attempt.detail
            );
        }
        self.record(attempt);
        Attempted {
            index,
            past_hello: conversation.past_hello,
            wants_tls: matches!(cause, Cause::TlsDemanded(_)),
            injected: matches!(
                cause,
                Cause::Exchange(Outcome::Lost {
                    why: Loss::Injected,
                    ..
                })
            ),
            next: findings
                .into_iter()
                .map(|finding| (finding.recipient, finding.next))
                .collect(),
        }
    }

    fn findings(&self, host: &Host, opening: Opening, conversation: &mut Conversation) -> Vec<Finding> {
        let is_tls = conversation.tls.is_some();
        let session = Session { opening, is_tls };
        let is_opportunistic = host.protection.tls == TlsUse::Opportunistic;
        let mut circumstances = Circumstances {
            crowded: false,
            relayed: self.environment.relay.is_some(),
            tls_left_out: conversation.offers_starttls && !is_tls && is_opportunistic,
            no_roots: conversation.no_roots,
        };
        conversation.outcomes.sort_by_key(|(recipient, _)| *recipient);
        let mut first_accepted = None;
        let mut findings = Vec::new();
        let mut in_vain_together = Vec::new();
        for (recipient, outcome) in conversation.outcomes.drain(..) {
            let next = session.step_after(&outcome);
            let domain = self
                .recipients
                .get(recipient)
                .map(|recipient| recipient.mailbox.domain());
            if passed_rcpt(&outcome) {
                first_accepted = first_accepted.or(domain);
            }
            if is_deferred_at_rcpt(&outcome) && first_accepted.is_some_and(|first| Some(first) != domain) {
                in_vain_together.push(findings.len());
            }
            circumstances.crowded = first_accepted.is_some();
            let cause = Cause::of_exchange(outcome, circumstances);
            let next = if !next.is_here() && is_refusal_of_our_address(&cause) {
                Next::OtherFamily
            } else if settles(&cause) {
                Next::Stop
            } else {
                next
            };
            findings.push(Finding {
                recipient,
                cause,
                next,
            });
        }
        ask_again(&mut findings, &in_vain_together);
        findings
    }
}

/// A host that served somebody may serve others in a transaction of their own: those that it had no room for, and
/// those of another domain than the first, since some large receivers take one domain at a time and defer the rest.
/// It is asked again only if it settled somebody, so this ends.
fn ask_again(findings: &mut [Finding], in_vain_together: &[usize]) {
    if findings.iter().all(|finding| finding.next != Next::Stop) {
        return;
    }
    for (place, finding) in findings.iter_mut().enumerate() {
        let had_no_room = matches!(finding.cause, Cause::TooManyRecipients(_));
        if finding.next == Next::Host && (had_no_room || in_vain_together.contains(&place)) {
            finding.next = Next::Again;
        }
    }
}

fn is_slow(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::Exchange(Outcome::Lost {
            why: Loss::TimedOut,
            ..
        })
    )
}

fn is_taken(cause: &Cause) -> bool {
    matches!(cause, Cause::Exchange(Outcome::Accepted(_)) | Cause::Relayed(_))
}

/// How much a cause tells of an attempt that had several: an uncertain one first, then the failure that came furthest.
fn weight(cause: &Cause) -> (u8, Stage) {
    let class = match cause {
        Cause::Exchange(Outcome::Uncertain(_)) => 2,
        cause if is_taken(cause) => 0,
        _ => 1,
    };
    (class, verdict(cause, "").stage)
}

/// The host had accepted this recipient, whatever came behind.
fn passed_rcpt(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Accepted(_) | Outcome::Uncertain(_) => true,
        Outcome::Lost { stage, .. } | Outcome::Refused { stage, .. } | Outcome::Unexpected { stage, .. } => {
            matches!(stage, smtp::Stage::Data | smtp::Stage::Content)
        }
        Outcome::NoBdat(_) => true,
        Outcome::NoTls(_) | Outcome::Unfit(_) | Outcome::Unserved => false,
    }
}

fn is_deferred_at_rcpt(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused { stage: smtp::Stage::Rcpt, reply }
        if reply.severity() == Severity::TransientNegative)
}
