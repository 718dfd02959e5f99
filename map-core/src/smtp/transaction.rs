//! One mail transaction: its recipients, how far it is, and what its replies decide.

use super::capabilities::Capabilities;
use super::command::{Command, Parameters};
use super::stuffing::Stuffing;
use super::transmit::Owed;
use super::{
    BodyInfo, Envelope, Event, Loss, Outcome, Reply, ReplyCode, Severity, Stage, TransactionId, Unfit,
};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// A transaction and the recipients that have no outcome yet.
#[derive(Debug)]
pub(super) struct Transaction {
    id: TransactionId,
    envelope: Envelope,
    body: BodyInfo,
    /// By index in the envelope: true until the recipient's outcome is told.
    open: Vec<bool>,
    parameters: Parameters,
    /// The refusal of a MAIL with parameters, while the one without is not answered.
    refusal: Option<Arc<Reply>>,
    pub(super) step: Step,
}

/// How far a transaction is.
#[derive(Debug)]
pub(super) enum Step {
    /// MAIL, RCPT and DATA are sent, or still to be sent, and their replies come in order.
    Envelope(Progress),
    /// 354 was read: blocks of content are taken.
    Content(TakingContent),
    /// The content is queued with its end mark, and not all of it is sent.
    EndMark,
    /// Everything is sent: behind the commit point.
    FinalReply,
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
pub(super) struct Progress {
    next: Next,
    mail: MailReply,
    /// RCPT commands of this attempt, as indices of the envelope.
    recipients: Vec<usize>,
    /// Of them, how many were answered.
    answered: usize,
    /// Of them, how many were answered 2yz.
    accepted: usize,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    Mail,
    /// The RCPT at this place of `Progress::recipients`.
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
    pub(super) stuffing: Stuffing,
    /// The driver was asked for a block and has not given it.
    pub(super) asked: bool,
}

/// What a reply within an envelope leads to.
pub(super) enum Verdict {
    /// Go on.
    Continue,
    /// The content comes next.
    Content {
        tx: TransactionId,
        /// Which of its forms.
        form: usize,
    },
    /// 354, and nobody accepted: a dot alone.
    LoneDot,
    /// 354 to an envelope whose MAIL was refused but a RCPT accepted. A dot alone might deliver an empty
    /// message there: close.
    Contradiction,
    /// The session is refused.
    Refused,
    /// The reply cannot stand where it stands.
    Unexpected,
}

impl Transaction {
    pub(super) fn new(id: TransactionId, envelope: Envelope, body: BodyInfo) -> Self {
        let open = vec![true; envelope.recipients.len()];
        Self {
            id,
            envelope,
            body,
            open,
            parameters: Parameters::default(),
            refusal: None,
            step: Step::Over { stale: false },
        }
    }

    pub(super) fn id(&self) -> TransactionId {
        self.id
    }

    /// The transaction ends without having begun.
    pub(super) fn end(&mut self, outcome: &Outcome, events: &mut VecDeque<Event>) {
        self.finish_if_empty(events);
        self.decide_all(outcome, events);
    }

    /// A transaction without recipients is finished as soon as it is looked at.
    fn finish_if_empty(&self, events: &mut VecDeque<Event>) {
        if self.open.is_empty() {
            events.push_back(Event::Finished(self.id));
        }
    }

    /// Fits the transaction to what the server offers: some recipients, or all, may get their outcome here.
    pub(super) fn plan(&mut self, capabilities: &Capabilities, events: &mut VecDeque<Event>) {
        self.finish_if_empty(events);
        let size = self.body.forms.first().and_then(|form| form.size);
        if let (Some(size), Some(limit)) = (size, capabilities.size_limit())
            && size > limit
        {
            // RFC 1870 section 4, https://www.rfc-editor.org/rfc/rfc1870#section-4
            // > Any attempt by a client to transfer a message which is larger than this fixed upper limit will
            // > fail.
            self.decide_all(&Outcome::Unfit(Unfit::TooLarge { size, limit }), events);
        }
        let sender_needs_utf8 = match &self.envelope.reverse_path {
            super::ReversePath::Mailbox(mailbox) => mailbox.needs_smtputf8(),
            super::ReversePath::Null => false,
        };
        let mut smtputf8 = sender_needs_utf8;
        for index in 0..self.open.len() {
            let needs = self
                .envelope
                .recipients
                .get(index)
                .is_some_and(|recipient| recipient.forward_path.0.needs_smtputf8());
            if (sender_needs_utf8 || needs) && !capabilities.smtputf8 {
                self.decide(index, Outcome::Unfit(Unfit::NeedsSmtpUtf8), events);
            }
            smtputf8 |= needs;
        }
        self.parameters = Parameters {
            size: capabilities.size.and(size),
            smtputf8: smtputf8 && capabilities.smtputf8,
        };
        self.begin();
    }

    /// MAIL comes next, or nothing if nobody is left.
    fn begin(&mut self) {
        let recipients: Vec<usize> = self
            .open
            .iter()
            .enumerate()
            .filter_map(|(index, open)| open.then_some(index))
            .collect();
        self.step = if recipients.is_empty() {
            Step::Over { stale: false }
        } else {
            Step::Envelope(Progress {
                next: Next::Mail,
                mail: MailReply::Owed,
                recipients,
                answered: 0,
                accepted: 0,
            })
        };
    }

    /// The command to send next, if one may be sent without another reply.
    pub(super) fn next_command(&self) -> Option<(Bytes, Owed)> {
        let Step::Envelope(progress) = &self.step else {
            return None;
        };
        match progress.next {
            Next::Mail => {
                let command = Command::Mail(&self.envelope.reverse_path, self.parameters);
                Some((command.to_octets(), Owed::Mail(self.id)))
            }
            Next::Rcpt(place) => {
                let index = *progress.recipients.get(place)?;
                let command = Command::Rcpt(&self.envelope.recipients.get(index)?.forward_path);
                Some((command.to_octets(), Owed::Rcpt(self.id, index)))
            }
            Next::Data => Some((Command::Data.to_octets(), Owed::Data(self.id))),
            Next::Nothing => None,
        }
    }

    /// The command of [`Self::next_command`] was queued.
    pub(super) fn advance(&mut self) {
        let Step::Envelope(progress) = &mut self.step else {
            return;
        };
        progress.next = match progress.next {
            Next::Mail => Next::Rcpt(0),
            Next::Rcpt(place) if place + 1 < progress.recipients.len() => Next::Rcpt(place + 1),
            Next::Rcpt(_) => Next::Data,
            Next::Data | Next::Nothing => Next::Nothing,
        };
    }

    /// The reply to MAIL.
    pub(super) fn mail_answered(&mut self, reply: &Arc<Reply>, events: &mut VecDeque<Event>) -> Verdict {
        let Step::Envelope(progress) = &mut self.step else {
            return Verdict::Unexpected;
        };
        let without = self.parameters.indispensable();
        match reply.severity() {
            Severity::PositiveCompletion => {
                progress.mail = MailReply::Accepted;
                self.refusal = None;
            }
            Severity::PermanentNegative if without != self.parameters && names_a_parameter(reply.code) => {
                progress.mail = MailReply::RefusedForParameters;
                self.parameters = without;
                self.refusal = Some(Arc::clone(reply));
            }
            Severity::TransientNegative | Severity::PermanentNegative => {
                progress.mail = MailReply::Refused;
                self.refusal = None;
                self.decide_all(
                    &Outcome::Refused {
                        stage: Stage::Mail,
                        reply: Arc::clone(reply),
                    },
                    events,
                );
            }
            _ => return Verdict::Unexpected,
        }
        Verdict::Continue
    }

    /// The reply to one RCPT.
    pub(super) fn rcpt_answered(
        &mut self,
        index: usize,
        reply: &Arc<Reply>,
        events: &mut VecDeque<Event>,
    ) -> Verdict {
        let Step::Envelope(progress) = &mut self.step else {
            return Verdict::Unexpected;
        };
        progress.answered += 1;
        match reply.severity() {
            // RFC 5321 section 4.3.2 lists 250 and 251 for RCPT, and 252 has been seen: the first digit decides.
            Severity::PositiveCompletion => progress.accepted += 1,
            Severity::TransientNegative | Severity::PermanentNegative => {
                // Behind a refused MAIL it says nothing about the recipient.
                if matches!(progress.mail, MailReply::Accepted) {
                    let outcome = Outcome::Refused {
                        stage: Stage::Rcpt,
                        reply: Arc::clone(reply),
                    };
                    self.decide(index, outcome, events);
                }
            }
            _ => return Verdict::Unexpected,
        }
        Verdict::Continue
    }

    /// The reply to DATA.
    pub(super) fn data_answered(&mut self, reply: &Arc<Reply>, events: &mut VecDeque<Event>) -> Verdict {
        let Step::Envelope(progress) = &mut self.step else {
            return Verdict::Unexpected;
        };
        let mail_accepted = matches!(progress.mail, MailReply::Accepted);
        match reply.severity() {
            Severity::PositiveIntermediate if progress.accepted == 0 => {
                let again = matches!(progress.mail, MailReply::RefusedForParameters);
                self.step = Step::LoneDot(if again {
                    AfterLoneDot::Again
                } else {
                    AfterLoneDot::Over
                });
                Verdict::LoneDot
            }
            Severity::PositiveIntermediate if mail_accepted => {
                self.step = Step::Content(TakingContent {
                    stuffing: Stuffing::new(),
                    asked: false,
                });
                Verdict::Content { tx: self.id, form: 0 }
            }
            Severity::PositiveIntermediate => {
                // The MAIL without parameters cannot be said any more: a refusal of a parameter decides nothing.
                self.refusal = None;
                Verdict::Contradiction
            }
            Severity::TransientNegative | Severity::PermanentNegative => {
                if mail_accepted {
                    self.decide_all(
                        &Outcome::Refused {
                            stage: Stage::Data,
                            reply: Arc::clone(reply),
                        },
                        events,
                    );
                }
                Verdict::Continue
            }
            _ => Verdict::Unexpected,
        }
    }

    /// Nothing of this transaction is on its way and no reply to it is owed: where its envelope leads, unless
    /// another command comes next.
    pub(super) fn envelope_at_rest(&mut self) {
        let Step::Envelope(progress) = &self.step else {
            return;
        };
        let nobody = progress.answered == progress.recipients.len() && progress.accepted == 0;
        match progress.mail {
            MailReply::Refused => self.step = Step::Over { stale: false },
            MailReply::RefusedForParameters => self.begin(),
            // DATA was answered too, and not by 354, or is not worth sending.
            MailReply::Accepted if nobody || matches!(progress.next, Next::Nothing) => {
                self.step = Step::Over { stale: true };
            }
            MailReply::Accepted | MailReply::Owed => {}
        }
    }

    /// The reply to a lone dot, which says nothing that is not known.
    ///
    /// No RSET is needed behind it. RFC 5321 section 4.1.1.4,
    /// <https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.4>:
    /// > Receipt of the end of mail data indication requires the server to process the stored mail transaction
    /// > information.
    pub(super) fn lone_dot_answered(&mut self) -> Verdict {
        match self.step {
            Step::LoneDot(AfterLoneDot::Again) | Step::LoneDotReply(AfterLoneDot::Again) => self.begin(),
            _ => self.step = Step::Over { stale: false },
        }
        Verdict::Continue
    }

    /// The last octet of the content, or of the dot in its place, was sent.
    pub(super) fn end_mark_sent(&mut self) {
        match self.step {
            Step::EndMark => self.step = Step::FinalReply,
            Step::LoneDot(then) => self.step = Step::LoneDotReply(then),
            _ => {}
        }
    }

    /// The final reply.
    pub(super) fn content_answered(&mut self, reply: &Arc<Reply>, events: &mut VecDeque<Event>) -> Verdict {
        let stage = Stage::Content;
        let said = Arc::clone(reply);
        let (outcome, verdict) = match reply.severity() {
            Severity::PositiveCompletion => (Outcome::Accepted(said), Verdict::Continue),
            _ if reply.code == ReplyCode::SERVICE_NOT_AVAILABLE => {
                (Outcome::Refused { stage, reply: said }, Verdict::Refused)
            }
            Severity::TransientNegative | Severity::PermanentNegative => {
                (Outcome::Refused { stage, reply: said }, Verdict::Continue)
            }
            _ => (Outcome::Uncertain(Loss::Nonsense(said)), Verdict::Unexpected),
        };
        self.decide_all(&outcome, events);
        self.step = Step::Over { stale: false };
        verdict
    }

    /// The session ends without a reply to what this transaction awaits.
    pub(super) fn lose(&mut self, stage: Stage, why: &Loss, events: &mut VecDeque<Event>) {
        let outcome = match (&self.step, &self.refusal) {
            (Step::FinalReply, _) => Outcome::Uncertain(why.clone()),
            // The server refused MAIL; that it did not go on to answer the second one decides nothing else.
            (_, Some(refusal)) if !matches!(why, Loss::Aborted(_)) => Outcome::Refused {
                stage: Stage::Mail,
                reply: Arc::clone(refusal),
            },
            _ => Outcome::Lost {
                stage,
                why: why.clone(),
            },
        };
        self.decide_all(&outcome, events);
    }

    /// True while the server takes what is sent for content.
    pub(super) fn is_within_content(&self) -> bool {
        matches!(self.step, Step::Content(_) | Step::EndMark | Step::LoneDot(_))
    }

    /// What is awaited, as far as the replies tell.
    pub(super) fn awaits(&self) -> Stage {
        match &self.step {
            Step::Envelope(progress) => match progress.mail {
                MailReply::Owed | MailReply::Refused | MailReply::RefusedForParameters => Stage::Mail,
                MailReply::Accepted if progress.answered < progress.recipients.len() => Stage::Rcpt,
                MailReply::Accepted => Stage::Data,
            },
            // Nobody is left, or MAIL comes once more.
            Step::LoneDot(_) | Step::LoneDotReply(_) => Stage::Mail,
            Step::Content(_) | Step::EndMark | Step::FinalReply | Step::Over { .. } => Stage::Content,
        }
    }

    /// True when every recipient has its outcome.
    pub(super) fn is_decided(&self) -> bool {
        !self.open.contains(&true)
    }

    /// Every recipient without an outcome gets this one.
    pub(super) fn decide_all(&mut self, outcome: &Outcome, events: &mut VecDeque<Event>) {
        for index in 0..self.open.len() {
            self.decide(index, outcome.clone(), events);
        }
    }

    /// The one place where an outcome is told, so that it is told once, and `Finished` behind the last.
    fn decide(&mut self, index: usize, outcome: Outcome, events: &mut VecDeque<Event>) {
        let Some(open) = self.open.get_mut(index) else {
            return;
        };
        if !std::mem::replace(open, false) {
            return;
        }
        events.push_back(Event::Recipient {
            tx: self.id,
            index,
            outcome,
        });
        if self.is_decided() {
            events.push_back(Event::Finished(self.id));
        }
    }
}

/// RFC 5321 section 4.1.1.11, <https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.11>, names 555; servers
/// that do not know a parameter at all answer 501 or 504.
fn names_a_parameter(code: ReplyCode) -> bool {
    matches!(
        code,
        ReplyCode::PARAMETER_SYNTAX | ReplyCode::PARAMETER_NOT_IMPLEMENTED | ReplyCode::MAIL_PARAMETERS
    )
}
