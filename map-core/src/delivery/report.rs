//! What a delivery tells its caller.

use super::advice;
use super::outcome::{Attempt, Cause, ConnectFailure, Delivered, Stage, TlsPolicy};
use super::verdict::{Verdict, deciding, verdict};
use crate::message::Message;
use crate::net::Port25Evidence;
use crate::net::tls::TlsFacts;
use crate::protocol::{Fields, MapReply};
use crate::smtp::{Abort, EnhancedStatusCode, Reply, ReplyCode};
use crate::text::one_line;
use std::collections::HashMap;
use std::iter;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// What became of the message for one recipient, or in summary for all.
#[derive(Clone, Debug)]
pub struct RecipientReport {
    pub(super) recipient: String,
    pub(super) verdict: Verdict,
    pub(super) server_text: Option<Arc<[u8]>>,
    pub(super) host: Option<Arc<str>>,
    pub(super) address: Option<IpAddr>,
    pub(super) tls: Option<TlsFacts>,
    pub(super) policy: Option<TlsPolicy>,
    pub(super) relayed: bool,
    pub(super) advice: String,
    /// So many octets of the advice say what happened; what follows is about another try.
    pub(super) what_happened: usize,
}

impl RecipientReport {
    /// The recipient as the caller gave it, without outer blanks. In a [summary](Report::summary) the one that decided;
    /// empty in that of `RE_PARTIAL`, which is nobody's alone.
    pub fn recipient(&self) -> &str {
        &self.recipient
    }

    /// The MAP reply.
    pub fn reply(&self) -> &MapReply {
        &self.verdict.reply
    }

    /// Whether the message is with the recipient's server. Unknown for one that a [relay](Self::relayed) took.
    pub fn delivered(&self) -> Delivered {
        self.verdict.delivered
    }

    /// Worth sending again later, unchanged. False where a decision is wanted first (`RE_UNCERTAIN`,
    /// `RE_PORT_BLOCKED`). In a [summary](Report::summary) it is about the whole: false as soon as one recipient has or
    /// may have the message, or cannot get it.
    pub fn transient(&self) -> bool {
        self.verdict.transient
    }

    /// A hint how long to wait before that; what the [advice](Self::advice) says about waiting is the same.
    pub fn retry_after(&self) -> Option<Duration> {
        self.verdict.retry_after
    }

    /// The SMTP reply code that decided: the server's, or the one a server gives for what was decided here.
    pub fn code(&self) -> Option<ReplyCode> {
        match (&self.verdict.server, &self.verdict.reply) {
            (Some(reply), _) => Some(reply.code),
            (None, MapReply::BadReply(code)) => Some(*code),
            (None, _) => None,
        }
    }

    /// The enhanced status code (RFC 3463): the server's, or ours for a failure found here.
    pub fn enhanced(&self) -> Option<EnhancedStatusCode> {
        self.verdict.enhanced
    }

    /// The text of the server's reply that decided, unaltered octets, lines joined by LF; untrusted. For a message
    /// that was accepted it holds the server's queue identifier as a rule. `None` when no server decided. Where hosts say
    /// more than a report keeps, which a warning tells, it is the beginning.
    pub fn server_text(&self) -> Option<&[u8]> {
        self.server_text.as_deref()
    }

    /// How far it came.
    pub fn stage(&self) -> Stage {
        self.verdict.stage
    }

    /// The mail host that decided.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Its address.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The TLS session with the host that decided; `None` for one in the clear.
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.tls.as_ref()
    }

    /// What demanded TLS of that host; `None` where nothing did.
    pub fn policy(&self) -> Option<TlsPolicy> {
        self.policy
    }

    /// A relay accepted it, and passes it on: `delivered` is unknown, since the recipient's own server was not asked. In
    /// the summary of `RE_PARTIAL`: a relay did so for some.
    pub fn relayed(&self) -> bool {
        self.relayed
    }

    /// The sentence for a person: what happened and what to do next.
    pub fn advice(&self) -> &str {
        &self.advice
    }

    /// Keeps what a server said to many recipients once.
    pub(super) fn share_text(&mut self, texts: &mut HashMap<Arc<Reply>, Arc<[u8]>>) {
        if let (Some(reply), Some(text)) = (&self.verdict.server, &mut self.server_text) {
            *text = Arc::clone(texts.entry(Arc::clone(reply)).or_insert_with(|| Arc::clone(text)));
        }
    }
}

/// What was asked for, kept for the transcript.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(super) from: String,
    /// Whom it goes to; at least one, except in the report of nothing.
    pub(super) to: Vec<String>,
    pub(super) what: What,
}

/// What was to be sent.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// The fields of one MAP call.
    Fields { subject: String, content: String },
    /// A message, in a phrase: its content is not kept.
    Message(String),
}

impl Default for What {
    fn default() -> Self {
        Self::Fields {
            subject: String::new(),
            content: String::new(),
        }
    }
}

/// More of a field than this does not go into a transcript, in octets.
const SHOWN_OF_FIELD: usize = 4096;

impl Asked {
    pub(crate) fn new(fields: Fields<'_>) -> Self {
        Self {
            from: excerpt(fields.from),
            to: vec![excerpt(fields.to)],
            what: What::Fields {
                subject: excerpt(fields.subject),
                content: excerpt(fields.content),
            },
        }
    }

    pub(crate) fn of(message: &Message) -> Self {
        // The others are counted and remembered: whoever delivers it will want them at once.
        let size = message.body_forms().first().and_then(|form| form.size);
        let octets = size.map_or("a message".to_owned(), |size| {
            format!("a message of {size} octets")
        });
        let id = match message.message_id() {
            "" => String::new(),
            id => format!(" with the Message-ID <{id}>"),
        };
        Self {
            from: message.from().to_string(),
            to: message.recipients().iter().map(ToString::to_string).collect(),
            what: What::Message(octets + &id),
        }
    }
}

/// A field, or its beginning and how long it was: a report does not hold a large content a second time.
fn excerpt(octets: &[u8]) -> String {
    match octets.get(..SHOWN_OF_FIELD) {
        Some(beginning) if octets.len() > SHOWN_OF_FIELD => {
            let shown = String::from_utf8_lossy(beginning);
            format!(
                "{}… ({} octets)",
                shown.trim_end_matches('\u{fffd}'),
                octets.len()
            )
        }
        _ => String::from_utf8_lossy(octets).into_owned(),
    }
}

/// What became of a message: a summary and, per recipient, the same.
#[derive(Clone, Debug)]
pub struct Report {
    pub(super) asked: Arc<Asked>,
    pub(super) recipients: Vec<RecipientReport>,
    pub(super) summary: RecipientReport,
    pub(super) attempts: Vec<Attempt>,
    pub(super) message_id: Option<String>,
    pub(super) warnings: Vec<String>,
    pub(super) port25: Option<Arc<Port25Evidence>>,
}

impl Report {
    /// All recipients in one: uncertain if one is; a success if all are; `RE_PARTIAL` if some have it and the others do
    /// not; else the worst of the failures, transient only if every one of them is.
    pub fn summary(&self) -> &RecipientReport {
        &self.summary
    }

    /// Each recipient in the order given; at least one.
    pub fn recipients(&self) -> &[RecipientReport] {
        &self.recipients
    }

    /// The summary's reply.
    pub fn reply(&self) -> &MapReply {
        self.summary.reply()
    }

    /// Every attempt, for whichever of the recipients, in order of time.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// `Message-ID` without its angle brackets, once the fields were in order.
    pub fn message_id(&self) -> Option<&str> {
        self.message_id.as_deref()
    }

    /// What is odd but did not decide: a private name in EHLO, MX records that were left out, a TLS handshake that
    /// failed before the clear was tried, a policy that could not be asked for.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What was found when it was asked whether outgoing port 25 is blocked, and what it rests on. That is asked on the
    /// way to port 25 of the recipient's own hosts, when no address of theirs could be connected to and loopback is not
    /// allowed.
    pub fn port25(&self) -> Option<&Port25Evidence> {
        self.port25.as_deref()
    }
}

/// Everything that was found for one recipient, from which its report is made.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    pub(super) recipient: String,
    /// As `RE_DNS_FAIL` prints it.
    pub(super) domain: String,
    /// In the order in which they were found, each with the attempt it belongs to.
    pub(super) causes: &'a [(Cause, Option<usize>)],
    /// A candidate host or address was left untried.
    pub(super) untried: bool,
    /// It was handed to a relay, or was to be.
    pub(super) relay: bool,
    /// A content has been opened for a host.
    pub(super) content_begun: bool,
    /// What was found about port 25 when no address could be connected to.
    pub(super) port25: Option<&'a Arc<Port25Evidence>>,
    /// The message has other recipients as well.
    pub(super) has_others: bool,
}

impl Findings<'_> {
    pub(super) fn report(&self, attempts: &[Attempt]) -> RecipientReport {
        let causes: Vec<Cause> = self.causes.iter().map(|(cause, _)| cause.clone()).collect();
        let decided = deciding(&causes, &self.domain).and_then(|index| self.causes.get(index));
        let (cause, attempt) = if let Some((cause, attempt)) = decided {
            (cause.clone(), attempt.and_then(|index| attempts.get(index)))
        } else {
            let content_begun = self.content_begun;
            (Cause::Internal { content_begun }, None)
        };
        let cause = match (cause, self.port25) {
            (Cause::Connect(failure), Some(evidence)) => Cause::Unreachable(failure, Arc::clone(evidence)),
            (Cause::GivenUp(Stage::Connect, Abort::Deadline), Some(evidence)) => {
                Cause::Unreachable(ConnectFailure::TimedOut, Arc::clone(evidence))
            }
            (cause, _) => cause,
        };
        let mut verdict = verdict(&cause, &self.domain);
        if self.untried {
            verdict.leave_to_an_untried_host();
        }
        let host = attempt.map(|attempt| Arc::clone(&attempt.host));
        let mut advice = advice::advice(&advice::Case {
            verdict: &verdict,
            cause: &cause,
            recipient: &self.recipient,
            domain: &self.domain,
            host: host.as_deref(),
            relay: self.relay,
            policy: attempt.and_then(|attempt| attempt.policy),
            attempts: attempts.len(),
            has_others: self.has_others,
        });
        advice.what = one_line(&advice.what);
        let what_happened = advice.what.len();
        if let Some(later) = &advice.later {
            advice.what.push(' ');
            advice.what.push_str(&one_line(later));
        }
        RecipientReport {
            recipient: self.recipient.clone(),
            server_text: verdict.server.as_ref().map(|reply| reply.octets().into()),
            verdict,
            host,
            address: attempt.and_then(|attempt| attempt.address),
            tls: attempt.and_then(|attempt| attempt.tls.clone()),
            policy: attempt.and_then(|attempt| attempt.policy),
            relayed: matches!(cause, Cause::Relayed(_)),
            advice: advice.what,
            what_happened,
        }
    }
}

/// The report of a call that never came to a delivery: the client's checks, misuse, a fault of ours.
pub(crate) fn rejected(asked: Arc<Asked>, cause: &Cause) -> Report {
    let causes = [(cause.clone(), None)];
    let report = |to: &str| {
        let findings = Findings {
            recipient: to.trim_matches([' ', '\t', '\r', '\n']).to_owned(),
            domain: String::new(),
            causes: &causes,
            untried: false,
            relay: false,
            content_begun: false,
            port25: None,
            // What is wrong here is wrong for all.
            has_others: false,
        };
        findings.report(&[])
    };
    let summary = report(asked.to.first().map_or("", String::as_str));
    let others = asked.to.iter().skip(1).map(|to| report(to));
    Report {
        recipients: iter::once(summary.clone()).chain(others).collect(),
        asked,
        summary,
        attempts: Vec::new(),
        message_id: None,
        warnings: Vec::new(),
        port25: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_any_cause_it_depends_on_whether_content_had_begun() {
        for (content_begun, delivered) in [(false, Delivered::No), (true, Delivered::Unknown)] {
            let findings = Findings {
                recipient: String::new(),
                domain: String::new(),
                causes: &[],
                untried: false,
                relay: false,
                content_begun,
                port25: None,
                has_others: false,
            };
            let report = findings.report(&[]);
            assert_eq!(
                (report.reply(), report.delivered()),
                (&MapReply::Internal, delivered)
            );
        }
    }
}
