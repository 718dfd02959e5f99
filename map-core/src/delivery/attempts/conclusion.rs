//! What a conversation came to for each of its recipients, and what follows for each.

use super::conversation::{Conversation, Session};
use super::host_attempt::{Attempted, RetryAction, SessionProfile};
use super::{AttemptHeader, Delivery, Host, RECIPIENTS_OF_A_TURN};
use crate::delivery::advice;
use crate::delivery::outcome::{AttemptOutcome, Cause, Line, Stage};
use crate::delivery::verdict::{Circumstances, is_refusal_of_our_address, settles, verdict};
use crate::message::{BodyType, Needs, SMTPUTF8, Unmet};
use crate::smtp::{
    Abort, Capabilities, ConnectionFailure, ExchangeStage, Outcome, Severity, TlsUse, Unsupported,
};
use tokio::task::yield_now;

/// What was found for one recipient.
struct Finding {
    /// Its index in the group.
    recipient: usize,
    cause: Cause,
    next: RetryAction,
    /// If the host settles others, it may take this one in a session of its own.
    is_for_another_session: bool,
}

impl Delivery<'_> {
    pub(super) async fn conclude(
        &mut self,
        header: AttemptHeader,
        host: &Host,
        profile: SessionProfile,
        mut conversation: Conversation,
    ) -> Attempted {
        let index = self.attempts.len();
        let findings = self.findings(host, profile, &mut conversation).await;
        for some in findings.chunks(RECIPIENTS_OF_A_TURN) {
            for finding in some {
                if let Some(recipient) = self.recipients.get_mut(finding.recipient) {
                    recipient.settled = finding.next == RetryAction::Stop;
                    recipient.take(finding.cause.clone(), index, finding.next == RetryAction::Again);
                }
            }
            let_others_go_on(some.len()).await;
        }
        let settled_nobody = findings.iter().all(|finding| finding.next != RetryAction::Stop);
        self.futile_attempts += usize::from(settled_nobody);
        // What is tried again at the same address is not another address.
        let is_slow = |finding: &Finding| is_slow(&finding.cause) && finding.next != RetryAction::ClearHere;
        self.slow_addresses += usize::from(findings.iter().any(is_slow));

        let telling = most_telling(&findings).await;
        let internal = Cause::Internal {
            content_begun: self.meter.content_begun(),
        };
        let cause = telling.map_or(&internal, |finding| &finding.cause);
        let mut dialogue = conversation.dialogue;
        dialogue.extend(advice::no_session(cause).map(Line::NoTls));
        let mut attempt = header.attempt(cause, conversation.tls, dialogue);
        let taken = findings.iter().filter(|finding| is_taken(&finding.cause)).count();
        if taken > 0 && taken < findings.len() {
            attempt.stage = Stage::Content;
            if attempt.outcome == AttemptOutcome::Failed {
                attempt.outcome = AttemptOutcome::Partial;
            }
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
            content_begun: conversation.content_begun,
            wants_tls: matches!(cause, Cause::TlsDemanded(_)),
            injected: matches!(
                cause,
                Cause::Exchange(Outcome::Lost {
                    why: ConnectionFailure::Injected,
                    ..
                })
            ),
            next: findings
                .into_iter()
                .map(|finding| (finding.recipient, finding.next))
                .collect(),
        }
    }

    async fn findings(
        &self,
        host: &Host,
        profile: SessionProfile,
        conversation: &mut Conversation,
    ) -> Vec<Finding> {
        let is_tls = conversation.tls.is_some();
        let session = Session {
            profile,
            is_tls,
            dsn_dropped: conversation.dsn_dropped,
        };
        let is_opportunistic = host.security.tls == TlsUse::Opportunistic;
        let circumstances = Circumstances {
            relayed: self.environment.relay.is_some(),
            tls_left_out: conversation.capabilities.starttls && !is_tls && is_opportunistic,
            no_roots: conversation.no_roots,
        };
        conversation.outcomes.sort_by_key(|(recipient, _)| *recipient);
        let unmet = self.message.for_host(offered(&conversation.capabilities)).err();
        let mut first_accepted = None;
        let mut findings = Vec::new();
        for (recipient, outcome) in conversation.outcomes.drain(..) {
            let next = session.step_after(&outcome);
            let domain = self
                .recipients
                .get(recipient)
                .map(|recipient| recipient.mailbox.domain());
            if passed_rcpt(&outcome) {
                first_accepted = first_accepted.or(domain);
            }
            let is_of_other_domain = first_accepted.is_some_and(|first| Some(first) != domain);
            let is_for_another_session =
                matches!(outcome, Outcome::TooManyRecipients(_) | Outcome::NotAttempted)
                    || (is_of_other_domain && is_deferred_at_rcpt(&outcome));
            let cause = match (Cause::of_exchange(outcome, circumstances), &unmet) {
                (Cause::Exchange(Outcome::Unsupported(unsupported)), Some(unmet))
                    if is_about(unmet, unsupported) =>
                {
                    Cause::Unmet(unmet.clone())
                }
                (cause, _) => cause,
            };
            let cause = match (cause, &conversation.unreadable) {
                (
                    Cause::Exchange(Outcome::Lost {
                        stage,
                        why: ConnectionFailure::Aborted(Abort::ContentUnreadable),
                    }),
                    Some(unreadable),
                ) => Cause::Local(stage.into(), unreadable.clone()),
                (cause, _) => cause,
            };
            let next = if !next.is_here() && is_refusal_of_our_address(&cause) {
                RetryAction::OtherFamily
            } else if settles(&cause) {
                RetryAction::Stop
            } else {
                next
            };
            findings.push(Finding {
                recipient,
                cause,
                next,
                is_for_another_session,
            });
            if findings.len().is_multiple_of(RECIPIENTS_OF_A_TURN) {
                yield_now().await;
            }
        }
        ask_again(&mut findings).await;
        findings
    }
}

/// The one that tells most of an attempt, the first of equals.
async fn most_telling(findings: &[Finding]) -> Option<&Finding> {
    let mut most: Option<(&Finding, (u8, Stage))> = None;
    for some in findings.chunks(RECIPIENTS_OF_A_TURN) {
        for finding in some {
            let weight = weight(&finding.cause);
            if most.is_none_or(|(_, other)| weight > other) {
                most = Some((finding, weight));
            }
        }
        let_others_go_on(some.len()).await;
    }
    most.map(|(finding, _)| finding)
}

/// A host that served somebody may serve others in a session of their own: those whose turn had not come, those that it
/// had no room for, and those of another domain than the first, since some large receivers take one domain in a session
/// and defer the rest. It is asked again only if it settled somebody, or is to be spoken with otherwise, so this ends.
async fn ask_again(findings: &mut [Finding]) {
    if !findings
        .iter()
        .any(|finding| matches!(finding.next, RetryAction::DataHere | RetryAction::Stop))
    {
        return;
    }
    for some in findings.chunks_mut(RECIPIENTS_OF_A_TURN) {
        for finding in some.iter_mut() {
            if finding.is_for_another_session
                && matches!(finding.next, RetryAction::Address | RetryAction::Host)
            {
                finding.next = RetryAction::Again;
            }
        }
        let_others_go_on(some.len()).await;
    }
}

/// Yields to other deliveries, if so many recipients were a turn's.
async fn let_others_go_on(looked_at: usize) {
    if looked_at == RECIPIENTS_OF_A_TURN {
        yield_now().await;
    }
}

/// The machine says what the host lacks, the message what it is needed for.
fn is_about(unmet: &Unmet, unsupported: Unsupported) -> bool {
    match unsupported {
        Unsupported::NeedsBodyType(_) => unmet.keyword != SMTPUTF8,
        Unsupported::NeedsSmtpUtf8 => unmet.keyword == SMTPUTF8,
        Unsupported::NeedsRequireTls
        | Unsupported::NoAuthMechanism
        | Unsupported::NotVerified
        | Unsupported::TooLarge { .. } => false,
    }
}

/// What a message may need of a host, as far as the host offers it.
fn offered(capabilities: &Capabilities) -> Needs {
    let body_types = [BodyType::Binary, BodyType::EightBit];
    let fitting = body_types
        .into_iter()
        .find(|body_type| capabilities.takes(*body_type));
    Needs {
        body_type: fitting.unwrap_or_default(),
        smtputf8: capabilities.smtputf8,
    }
}

fn is_slow(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::Exchange(Outcome::Lost {
            why: ConnectionFailure::TimedOut | ConnectionFailure::OutOfTime,
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

/// The host had accepted this recipient, whatever came after.
fn passed_rcpt(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Accepted(_) | Outcome::NoBdat(_) | Outcome::Uncertain(_) => true,
        Outcome::Lost { stage, .. } | Outcome::Refused { stage, .. } | Outcome::Unexpected { stage, .. } => {
            matches!(
                stage,
                ExchangeStage::Data | ExchangeStage::Chunk | ExchangeStage::Content
            )
        }
        Outcome::TooManyRecipients(_)
        | Outcome::NoTls(_)
        | Outcome::Unsupported(_)
        | Outcome::NotAttempted => false,
    }
}

fn is_deferred_at_rcpt(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused { stage: ExchangeStage::Rcpt, reply }
        if reply.severity() == Severity::TransientNegative)
}
