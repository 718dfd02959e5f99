//! One mail transaction on the wire: how far it is, and what its replies decide.

use super::chunking::Chunker;
use super::command::Command;
use super::parameters::MailParameters;
use super::session_end::SessionEnd;
use super::stuffing::Stuffing;
use super::submission::{Submission, does_not_know_bdat, names_a_parameter, says_too_many_recipients};
use super::transmit::ExpectedReply;
use super::{ConnectionFailure, Event, ExchangeStage, Outcome, Reply, ReplyCode, Severity, SubmissionId};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// MAIL, the RCPT of some recipients of a submission, and the content for those who were accepted.
#[derive(Debug)]
pub(super) struct MailTransaction {
    tx: SubmissionId,
    /// RCPT commands, as indices of the envelope.
    recipients: Vec<usize>,
    parameters: MailParameters,
    /// The refusal of a MAIL with parameters, while the one without is not answered.
    refusal: Option<Arc<Reply>>,
    transfer: Transfer,
    pub(super) phase: TransactionPhase,
}

/// How the content goes.
#[derive(Debug)]
enum Transfer {
    Bdat(Chunks),
    Data,
}

/// What the server has said of the chunks so far.
#[derive(Debug, Default)]
struct Chunks {
    /// How many replies were read.
    answered: usize,
    /// What the first refusal means. RFC 3030 section 2, <https://www.rfc-editor.org/rfc/rfc3030#section-2>, lets nothing
    /// that follows it succeed.
    refusal: Option<Outcome>,
}

/// How far a transaction is.
#[derive(Debug)]
pub(super) enum TransactionPhase {
    /// MAIL, RCPT and DATA are sent, or still to be sent, and their replies come in order.
    Envelope(EnvelopeState),
    /// 354 was read, or a recipient was accepted and BDAT comes next: blocks of content are taken.
    Content(TakingContent),
    /// The content is queued to its end, and not all of it is sent.
    EndMark,
    /// Everything is sent: after the commit point.
    FinalReply,
    /// A chunk was refused before the last was begun: no other follows, and the replies to those that were sent are
    /// awaited.
    ChunkRefused,
    /// 354 was read and nobody accepted: a dot alone is queued.
    LoneDot(AfterLoneDot),
    /// The dot is sent.
    LoneDotReply(AfterLoneDot),
    /// No reply to this transaction is owed any more.
    Over {
        /// The server may still hold its MAIL: RSET before the next.
        stale: bool,
    },
}

/// Where the envelope stands: what to send next, and what the replies so far were.
#[derive(Debug)]
pub(super) struct EnvelopeState {
    next: NextCommand,
    mail: MailReply,
    /// Of the recipients, how many were answered.
    answered: usize,
    /// Of them, how many were answered 2yz.
    accepted: usize,
    /// One was put off as one too many.
    crowded: bool,
    /// One was put off for its parameters.
    parameters_refused: bool,
    domains: Domains,
}

/// What a transaction has shown of how many domains the host takes at once.
#[derive(Debug, Default)]
struct Domains {
    /// Of each domain with an accepted recipient, the first such one.
    accepted: Vec<usize>,
    /// Others were put off after them.
    deferred: bool,
    /// And yet others were accepted after these.
    mixed: bool,
}

#[derive(Clone, Copy, Debug)]
enum NextCommand {
    Mail,
    /// The RCPT at this place of `MailTransaction::recipients`.
    Rcpt(usize),
    Data,
    Nothing,
}

#[derive(Debug)]
enum MailReply {
    Accepted,
    Owed,
    Refused,
    /// Refused with a code that may mean a parameter: once more without, when all replies are read.
    RefusedForParameters,
}

/// What follows the reply to a dot in place of content.
#[derive(Clone, Copy, Debug)]
pub(super) enum AfterLoneDot {
    /// MAIL once more, without parameters.
    Again,
    /// The transaction is over.
    Over,
}

/// The content being taken from the driver.
#[derive(Debug)]
pub(super) struct TakingContent {
    pub(super) form: ContentForm,
    /// The driver was asked for a block and has not given it.
    pub(super) asked: bool,
}

/// What becomes of a block.
#[derive(Debug)]
pub(super) enum ContentForm {
    Chunks(Chunker),
    Lines(Stuffing),
}

/// What a reply leads to.
pub(super) enum Action {
    /// Go on.
    Continue,
    /// A chunk was refused: nothing more of the content is to leave.
    ChunkRefused {
        /// A block was asked for and has not come.
        asked: bool,
    },
    /// 354 to an envelope whose MAIL was refused but a RCPT accepted. A dot alone might deliver an empty
    /// message there: close.
    Contradiction,
    /// 354, and nobody accepted: a dot alone.
    LoneDot,
    /// The server does not know BDAT, and may take what stands in a chunk for commands: close.
    NoBdat(Arc<Reply>),
    /// The content comes next.
    OpenContent,
    /// The session is refused.
    Refused,
    /// The reply cannot stand where it stands.
    Unexpected,
}

impl MailTransaction {
    /// With at least one recipient.
    pub(super) fn new(submission: &Submission, recipients: Vec<usize>) -> Self {
        let parameters = submission.mail_parameters(&recipients);
        Self {
            tx: submission.id(),
            recipients,
            parameters,
            refusal: None,
            transfer: if submission.goes_by_bdat() {
                Transfer::Bdat(Chunks::default())
            } else {
                Transfer::Data
            },
            phase: TransactionPhase::Envelope(EnvelopeState::new()),
        }
    }

    /// The submission whose recipients these are.
    pub(super) fn tx(&self) -> SubmissionId {
        self.tx
    }

    /// True when a block was asked for and has not come.
    fn has_asked(&self) -> bool {
        matches!(
            self.phase,
            TransactionPhase::Content(TakingContent { asked: true, .. })
        )
    }

    /// The command to send next, if one may be sent without another reply.
    pub(super) fn next_command(&self, submission: &Submission) -> Option<(Bytes, ExpectedReply)> {
        let TransactionPhase::Envelope(envelope) = &self.phase else {
            return None;
        };
        match envelope.next {
            NextCommand::Mail => {
                let command = Command::Mail(submission.reverse_path(), &self.parameters);
                Some((command.to_octets(), ExpectedReply::Mail(self.tx)))
            }
            NextCommand::Rcpt(place) => {
                let index = *self.recipients.get(place)?;
                let path = submission.forward_path(index)?;
                let command = Command::Rcpt(path, submission.rcpt_parameters(index));
                Some((command.to_octets(), ExpectedReply::Rcpt(self.tx, index)))
            }
            NextCommand::Data => Some((Command::Data.to_octets(), ExpectedReply::Data(self.tx))),
            NextCommand::Nothing => None,
        }
    }

    /// The command of [`Self::next_command`] was queued.
    pub(super) fn advance(&mut self) {
        let TransactionPhase::Envelope(envelope) = &mut self.phase else {
            return;
        };
        envelope.next = match (envelope.next, &self.transfer) {
            (NextCommand::Mail, _) => NextCommand::Rcpt(0),
            (NextCommand::Rcpt(place), _) if place + 1 < self.recipients.len() => {
                NextCommand::Rcpt(place + 1)
            }
            (NextCommand::Rcpt(_), Transfer::Data) => NextCommand::Data,
            // RFC 3030 would let BDAT fly ahead of the replies to RCPT; a server that refused them all would have had
            // the content then, and a loss would be one nobody can judge.
            (NextCommand::Rcpt(_), Transfer::Bdat(_)) | (NextCommand::Data | NextCommand::Nothing, _) => {
                NextCommand::Nothing
            }
        };
    }

    /// True when another envelope, or QUIT, may stand after what was queued of this one.
    ///
    /// After chunks it waits until the last is sent: should one be refused, nothing may stand after those that are
    /// held back.
    pub(super) fn lets_others_follow(&self) -> bool {
        match self.transfer {
            Transfer::Bdat(_) => matches!(self.phase, TransactionPhase::FinalReply),
            Transfer::Data => matches!(
                self.phase,
                TransactionPhase::EndMark | TransactionPhase::FinalReply
            ),
        }
    }

    /// True when the server may hold on to it if its content is refused.
    ///
    /// A refused chunk does not end a transaction as a refused end mark does, so RSET does: with what is sent ahead of the
    /// final reply in any case.
    pub(super) fn may_leave_remains(&self) -> bool {
        matches!(self.transfer, Transfer::Bdat(_))
    }

    /// The reply to MAIL.
    pub(super) fn mail_answered(
        &mut self,
        reply: &Arc<Reply>,
        submission: &mut Submission,
        events: &mut VecDeque<Event>,
    ) -> Action {
        let TransactionPhase::Envelope(envelope) = &mut self.phase else {
            return Action::Unexpected;
        };
        let without = self.parameters.indispensable();
        match reply.severity() {
            Severity::PositiveCompletion => {
                envelope.mail = MailReply::Accepted;
                self.refusal = None;
                submission.begin_turns(&self.recipients);
            }
            Severity::PermanentNegative if without != self.parameters && names_a_parameter(reply.code) => {
                envelope.mail = MailReply::RefusedForParameters;
                self.parameters = without;
                submission.drop_optional_parameters(events);
                self.refusal = Some(Arc::clone(reply));
            }
            Severity::TransientNegative | Severity::PermanentNegative => {
                envelope.mail = MailReply::Refused;
                self.refusal = None;
                submission.refuse_mail(reply, events);
            }
            _ => return Action::Unexpected,
        }
        Action::Continue
    }

    /// The reply to one RCPT.
    pub(super) fn rcpt_answered(
        &mut self,
        index: usize,
        reply: &Arc<Reply>,
        submission: &mut Submission,
        events: &mut VecDeque<Event>,
    ) -> Action {
        let TransactionPhase::Envelope(envelope) = &mut self.phase else {
            return Action::Unexpected;
        };
        envelope.answered += 1;
        match reply.severity() {
            // RFC 5321 section 4.3.2 lists 250 and 251 for RCPT, and 252 has been seen: the first digit decides.
            Severity::PositiveCompletion => {
                envelope.accepted += 1;
                if matches!(envelope.mail, MailReply::Accepted) {
                    submission.mark_recipient_accepted();
                    if submission.is_of_other_domain(index, &envelope.domains.accepted) {
                        envelope.domains.accepted.push(index);
                        envelope.domains.mixed |= envelope.domains.deferred;
                    }
                }
            }
            Severity::TransientNegative | Severity::PermanentNegative => {
                // After a refused MAIL it says nothing about the recipient.
                if matches!(envelope.mail, MailReply::Accepted) {
                    let had_parameters = !submission.rcpt_parameters(index).is_empty();
                    let is_one_too_many = submission.is_welcome() && says_too_many_recipients(reply);
                    if is_one_too_many && envelope.accepted > 0 {
                        envelope.crowded = true;
                        submission.put_off_as_one_too_many(index, reply);
                    } else if is_one_too_many {
                        // No transaction can be smaller: the host counts those of the session.
                        submission.decide(index, Outcome::TooManyRecipients(Arc::clone(reply)), events);
                    } else if had_parameters && names_a_parameter(reply.code) {
                        envelope.parameters_refused = true;
                        submission.put_off_for_parameters(index, events);
                    } else if envelope.domains.may_be_why(index, reply, submission) {
                        envelope.domains.deferred = true;
                        submission.put_off_for_its_domain(index, reply);
                    } else {
                        let outcome = Outcome::Refused {
                            stage: ExchangeStage::Rcpt,
                            reply: Arc::clone(reply),
                        };
                        submission.decide(index, outcome, events);
                    }
                }
            }
            _ => return Action::Unexpected,
        }
        if envelope.crowded {
            submission.limit_room(envelope.accepted);
        }
        if envelope.answered == self.recipients.len() {
            // Not before: the others were sent with theirs.
            if envelope.parameters_refused {
                submission.drop_optional_parameters(events);
            }
            envelope.domains.conclude(submission);
        }
        Action::Continue
    }

    /// The reply to DATA.
    pub(super) fn data_answered(
        &mut self,
        reply: &Arc<Reply>,
        submission: &mut Submission,
        events: &mut VecDeque<Event>,
    ) -> Action {
        let TransactionPhase::Envelope(envelope) = &mut self.phase else {
            return Action::Unexpected;
        };
        let mail_accepted = matches!(envelope.mail, MailReply::Accepted);
        match reply.severity() {
            Severity::PositiveIntermediate if envelope.accepted == 0 => {
                let again = matches!(envelope.mail, MailReply::RefusedForParameters);
                self.phase = TransactionPhase::LoneDot(if again {
                    AfterLoneDot::Again
                } else {
                    AfterLoneDot::Over
                });
                Action::LoneDot
            }
            Severity::PositiveIntermediate if mail_accepted => {
                self.phase = TransactionPhase::Content(TakingContent {
                    form: ContentForm::Lines(Stuffing::new()),
                    asked: false,
                });
                Action::OpenContent
            }
            Severity::PositiveIntermediate => {
                // The MAIL without parameters cannot be said any more: a refusal of a parameter decides nothing.
                self.refusal = None;
                Action::Contradiction
            }
            Severity::TransientNegative | Severity::PermanentNegative => {
                if mail_accepted {
                    let outcome = Outcome::Refused {
                        stage: ExchangeStage::Data,
                        reply: Arc::clone(reply),
                    };
                    submission.decide_transaction(&outcome, events);
                }
                Action::Continue
            }
            _ => Action::Unexpected,
        }
    }

    /// Nothing of this transaction is on its way and no reply to it is owed: where it leads, unless another command comes
    /// next.
    pub(super) fn at_rest(&mut self, submission: &mut Submission, chunk_octets: usize) -> Action {
        let envelope = match &self.phase {
            TransactionPhase::Envelope(envelope) => envelope,
            TransactionPhase::ChunkRefused => {
                self.phase = TransactionPhase::Over { stale: true };
                return Action::Continue;
            }
            _ => return Action::Continue,
        };
        let all_answered = envelope.answered == self.recipients.len();
        let nobody = all_answered && envelope.accepted == 0;
        let all_sent = matches!(envelope.next, NextCommand::Nothing);
        match (&envelope.mail, &self.transfer) {
            (MailReply::Refused, _) => self.phase = TransactionPhase::Over { stale: false },
            (MailReply::RefusedForParameters, _) => {
                self.phase = TransactionPhase::Envelope(EnvelopeState::new());
            }
            (MailReply::Accepted, Transfer::Bdat(_)) if all_answered && !nobody => {
                self.phase = TransactionPhase::Content(TakingContent {
                    form: ContentForm::Chunks(Chunker::new(submission.body_type(), chunk_octets)),
                    asked: false,
                });
                return Action::OpenContent;
            }
            // DATA was answered too, and not by 354, or is not worth sending.
            (MailReply::Accepted, _) if nobody || all_sent => {
                self.phase = TransactionPhase::Over { stale: true };
                submission.set_served();
            }
            (MailReply::Accepted | MailReply::Owed, _) => {}
        }
        Action::Continue
    }

    /// The reply to a lone dot, which says nothing that is not known.
    ///
    /// No RSET is needed after it. RFC 5321 section 4.1.1.4,
    /// <https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.4>:
    /// > Receipt of the end of mail data indication requires the server to process the stored mail transaction
    /// > information.
    pub(super) fn lone_dot_answered(&mut self, submission: &mut Submission) -> Action {
        self.phase = match self.phase {
            TransactionPhase::LoneDot(AfterLoneDot::Again)
            | TransactionPhase::LoneDotReply(AfterLoneDot::Again) => {
                TransactionPhase::Envelope(EnvelopeState::new())
            }
            _ => {
                submission.set_served();
                TransactionPhase::Over { stale: false }
            }
        };
        Action::Continue
    }

    /// The last octet of the content, or of the dot in its place, was sent.
    pub(super) fn end_mark_sent(&mut self) {
        match self.phase {
            TransactionPhase::EndMark => self.phase = TransactionPhase::FinalReply,
            TransactionPhase::LoneDot(then) => self.phase = TransactionPhase::LoneDotReply(then),
            _ => {}
        }
    }

    /// The reply to a chunk that is not the last.
    ///
    /// RFC 3030 section 2, <https://www.rfc-editor.org/rfc/rfc3030#section-2>:
    /// > If a 5XX or 4XX code is received by the sender-SMTP in response to a BDAT chunk, the transaction should be
    /// > considered failed and the sender-SMTP MUST NOT send any additional BDAT segments.
    pub(super) fn chunk_answered(
        &mut self,
        reply: &Arc<Reply>,
        submission: &mut Submission,
        events: &mut VecDeque<Event>,
    ) -> Action {
        let Transfer::Bdat(chunks) = &mut self.transfer else {
            return Action::Unexpected;
        };
        let outcome = chunks.meaning(reply);
        chunks.answered += 1;
        match reply.severity() {
            Severity::PositiveCompletion => Action::Continue,
            // It is known already that the content is refused; this only says that nothing can follow.
            Severity::TransientNegative | Severity::PermanentNegative if chunks.refusal.is_some() => {
                Action::Continue
            }
            Severity::TransientNegative | Severity::PermanentNegative => {
                chunks.refusal = Some(outcome.clone());
                match (&self.phase, outcome) {
                    // The last chunk was sent: what the server makes of it is still to be heard.
                    (TransactionPhase::FinalReply, _) => Action::Continue,
                    (_, Outcome::NoBdat(reply)) => Action::NoBdat(reply),
                    (_, outcome) => {
                        let asked = self.has_asked();
                        self.phase = TransactionPhase::ChunkRefused;
                        submission.decide_transaction(&outcome, events);
                        submission.set_served();
                        Action::ChunkRefused { asked }
                    }
                }
            }
            _ => Action::Unexpected,
        }
    }

    /// A reply that nobody asked for, while the first chunk is being written: a server that does not know BDAT answers
    /// the command at once, and reads what follows as others.
    pub(super) fn lacks_bdat(&self, unasked: &Arc<Reply>) -> bool {
        match (&self.transfer, &self.phase) {
            (Transfer::Bdat(chunks), TransactionPhase::Content(_) | TransactionPhase::EndMark) => {
                matches!(chunks.meaning(unasked), Outcome::NoBdat(_))
            }
            _ => false,
        }
    }

    /// The final reply.
    pub(super) fn content_answered(
        &mut self,
        reply: &Arc<Reply>,
        submission: &mut Submission,
        events: &mut VecDeque<Event>,
    ) -> Action {
        let severity = reply.severity();
        let is_taken = severity == Severity::PositiveCompletion;
        let outcome = match (self.chunk_refusal(), &self.transfer) {
            // A server that takes a content of which it has refused a part: nobody knows what it has.
            (Some(_), _) if is_taken => {
                Outcome::Uncertain(ConnectionFailure::ImplausibleReply(Arc::clone(reply)))
            }
            (Some(refusal), _) => refusal.clone(),
            _ if is_taken => Outcome::Accepted(Arc::clone(reply)),
            (None, Transfer::Bdat(chunks)) if severity.is_negative() => chunks.meaning(reply),
            _ if severity.is_negative() => refused(reply),
            _ => Outcome::Uncertain(ConnectionFailure::ImplausibleReply(Arc::clone(reply))),
        };
        let stale = !is_taken && matches!(self.transfer, Transfer::Bdat(_));
        self.phase = TransactionPhase::Over { stale };
        submission.decide_transaction(&outcome, events);
        match (outcome, severity) {
            (Outcome::NoBdat(reply), _) => return Action::NoBdat(reply),
            _ if reply.code == ReplyCode::SERVICE_NOT_AVAILABLE => return Action::Refused,
            _ => submission.set_served(),
        }
        if is_taken || severity.is_negative() {
            Action::Continue
        } else {
            Action::Unexpected
        }
    }

    fn chunk_refusal(&self) -> Option<&Outcome> {
        match &self.transfer {
            Transfer::Bdat(chunks) => chunks.refusal.as_ref(),
            Transfer::Data => None,
        }
    }

    /// What the end of the session means for those whose transaction this is.
    pub(super) fn outcome(&self, stage: ExchangeStage, end: &SessionEnd) -> Outcome {
        if let Some(refusal) = self.chunk_refusal() {
            return refusal.clone();
        }
        match (&self.phase, end, &self.refusal) {
            (TransactionPhase::FinalReply, SessionEnd::Lost(why), _) => Outcome::Uncertain(why.clone()),
            (TransactionPhase::FinalReply, SessionEnd::Unexpected { reply, .. }, _) => {
                Outcome::Uncertain(ConnectionFailure::ImplausibleReply(Arc::clone(reply)))
            }
            // The server refused MAIL; that it did not go on to answer the second one decides nothing else.
            (_, SessionEnd::Lost(why), Some(refusal)) if !matches!(why, ConnectionFailure::Aborted(_)) => {
                Outcome::Refused {
                    stage: ExchangeStage::Mail,
                    reply: Arc::clone(refusal),
                }
            }
            _ => end.outcome(stage),
        }
    }

    /// True when MAIL was accepted.
    pub(super) fn is_past_mail(&self) -> bool {
        match &self.phase {
            TransactionPhase::Envelope(envelope) => matches!(envelope.mail, MailReply::Accepted),
            TransactionPhase::LoneDot(_) | TransactionPhase::LoneDotReply(_) => false,
            TransactionPhase::Content(_)
            | TransactionPhase::EndMark
            | TransactionPhase::FinalReply
            | TransactionPhase::ChunkRefused
            | TransactionPhase::Over { .. } => true,
        }
    }

    /// True while replies to the envelope are awaited.
    pub(super) fn is_before_content(&self) -> bool {
        matches!(self.phase, TransactionPhase::Envelope(_))
    }

    /// True while the server takes what is sent for content. `within_one`: a command or chunk is sent in part.
    pub(super) fn is_within_content(&self, within_one: bool) -> bool {
        match (&self.phase, &self.transfer) {
            (TransactionPhase::LoneDot(_), _)
            | (TransactionPhase::Content(_) | TransactionPhase::EndMark, Transfer::Data) => true,
            (
                TransactionPhase::Content(_) | TransactionPhase::EndMark | TransactionPhase::ChunkRefused,
                Transfer::Bdat(_),
            ) => within_one,
            _ => false,
        }
    }

    /// What is awaited, as far as the replies tell.
    pub(super) fn awaits(&self) -> ExchangeStage {
        match &self.phase {
            TransactionPhase::Envelope(envelope) => match envelope.mail {
                MailReply::Owed | MailReply::Refused | MailReply::RefusedForParameters => ExchangeStage::Mail,
                MailReply::Accepted if envelope.answered < self.recipients.len() => ExchangeStage::Rcpt,
                MailReply::Accepted => ExchangeStage::Data,
            },
            // Nobody is left, or MAIL comes once more.
            TransactionPhase::LoneDot(_) | TransactionPhase::LoneDotReply(_) => ExchangeStage::Mail,
            TransactionPhase::Content(_)
            | TransactionPhase::EndMark
            | TransactionPhase::FinalReply
            | TransactionPhase::ChunkRefused
            | TransactionPhase::Over { .. } => ExchangeStage::Content,
        }
    }
}

impl Chunks {
    /// What a negative reply to the next chunk means.
    fn meaning(&self, reply: &Arc<Reply>) -> Outcome {
        if self.answered == 0 && does_not_know_bdat(reply) {
            Outcome::NoBdat(Arc::clone(reply))
        } else {
            refused(reply)
        }
    }
}

impl Domains {
    /// A refusal of a recipient may mean that it is of another domain than those before it.
    ///
    /// Some large receivers take the recipients of one domain at a time: "451 4.3.0 Multiple destination domains per
    /// submission is unsupported".
    fn may_be_why(&self, index: usize, refusal: &Reply, submission: &Submission) -> bool {
        refusal.severity() == Severity::TransientNegative
            && !self.accepted.is_empty()
            && submission.may_count_domains()
            && submission.is_of_other_domain(index, &self.accepted)
    }

    /// All recipients of the transaction were answered.
    fn conclude(&self, submission: &mut Submission) {
        if self.mixed {
            submission.set_domains_do_not_count();
        } else if self.deferred {
            submission.limit_domains(self.accepted.len());
        } else if self.accepted.is_empty() {
            submission.doubt_limit_of_domains();
        }
    }
}

impl EnvelopeState {
    /// MAIL comes next.
    fn new() -> Self {
        Self {
            next: NextCommand::Mail,
            mail: MailReply::Owed,
            answered: 0,
            accepted: 0,
            crowded: false,
            parameters_refused: false,
            domains: Domains::default(),
        }
    }
}

fn refused(reply: &Arc<Reply>) -> Outcome {
    Outcome::Refused {
        stage: ExchangeStage::Content,
        reply: Arc::clone(reply),
    }
}
