//! The phase in which mail moves: submissions in order, and the plan by which they are sent.

use super::capabilities::Capabilities;
use super::chunking::{Chunker, Place};
use super::command::Command;
use super::connection::{Core, Phase};
use super::mail_transaction::{Action, ContentForm, MailTransaction, TakingContent, TransactionPhase};
use super::session_end::SessionEnd;
use super::stuffing::{BareLineEnd, Stuffing};
use super::submission::Submission;
use super::transmit::ExpectedReply;
use super::{Abort, ConnectionFailure, Event, ExchangeStage, Reply, ReplyCode, Severity, SubmissionId};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// Blocks of content are asked for while fewer octets than this wait to be sent.
const LOW_WATER: usize = 256 * 1024;

/// EHLO or HELO was accepted.
#[derive(Debug)]
pub(super) struct Ready {
    capabilities: Capabilities,
    /// Those of the transactions, in their order; the last may have more transactions to come.
    submissions: VecDeque<Submission>,
    /// Begun and not over, oldest first. Two at most: one whose final reply is owed, and the next, whose
    /// envelope is sent with the first one's content. Replies that name no other are for the first.
    transactions: VecDeque<MailTransaction>,
    /// How often MAIL was said.
    mails: u32,
    /// The server may still hold a MAIL: RSET before the next.
    stale: bool,
    /// Since when the first transaction has been the first.
    first_since: Instant,
}

impl Ready {
    pub(super) fn begin(capabilities: Capabilities, core: &mut Core, now: Instant) -> Phase {
        core.events.push_back(Event::Ready(capabilities.clone()));
        let mut ready = Self {
            capabilities,
            submissions: VecDeque::new(),
            transactions: VecDeque::new(),
            mails: 0,
            stale: false,
            first_since: now,
        };
        ready.send_more(core, now);
        Phase::Ready(ready)
    }

    /// Queues all that the plan allows to be sent now.
    ///
    /// Without PIPELINING that is one command, when nothing else is on its way. With it, a whole envelope; and
    /// after the end mark of a content the next envelope, or QUIT. RFC 2920 section 3.1,
    /// <https://www.rfc-editor.org/rfc/rfc2920#section-3.1>:
    /// > The actual transfer of message content is explicitly allowed to be the first "command" in a group.
    pub(super) fn send_more(&mut self, core: &mut Core, now: Instant) {
        while self.capabilities.pipelining || core.outbox.is_quiet() {
            if let (Some(last), Some(submission)) = (self.transactions.back_mut(), self.submissions.back()) {
                if let Some((octets, owed)) = last.next_command(submission) {
                    self.mails += u32::from(matches!(owed, ExpectedReply::Mail(_)));
                    core.outbox.send(octets, owed, now);
                    last.advance();
                    continue;
                }
                if !last.lets_others_follow() || self.transactions.len() > 1 {
                    return;
                }
            }
            let may_begin = !core.is_quitting() && self.begin_transaction(core, now);
            if !may_begin {
                if core.no_more && !core.is_quitting() {
                    core.outbox
                        .send(Command::Quit.to_octets(), ExpectedReply::Quit, now);
                }
                return;
            }
        }
    }

    /// The next transaction of the last submission, or the first of the next one; false if there is none.
    fn begin_transaction(&mut self, core: &mut Core, now: Instant) -> bool {
        // RFC 9422 section 4.1, https://www.rfc-editor.org/rfc/rfc9422#section-4.1, counts each MAIL, whatever came of it.
        let mail_max = self.capabilities.limits.mail_max;
        let is_exhausted = mail_max.is_some_and(|limit| self.mails >= limit.get());
        loop {
            if let Some(last) = self.submissions.back_mut() {
                if is_exhausted {
                    last.leave_unserved(&mut core.events);
                }
                let recipients = last.next_transaction();
                if !recipients.is_empty() {
                    let transaction = MailTransaction::new(last, recipients);
                    let may_be_stale = self.transactions.iter().any(MailTransaction::may_leave_remains);
                    if std::mem::take(&mut self.stale) || may_be_stale {
                        core.outbox
                            .send(Command::Rset.to_octets(), ExpectedReply::Rset, now);
                    }
                    if self.transactions.is_empty() {
                        self.first_since = now;
                    }
                    self.transactions.push_back(transaction);
                    return true;
                }
                if self
                    .transactions
                    .back()
                    .is_none_or(|transaction| transaction.tx() != last.id())
                {
                    self.submissions.pop_back();
                }
            }
            let Some(mut next) = core.waiting.pop_front() else {
                return false;
            };
            next.plan(&self.capabilities, &mut core.events);
            self.submissions.push_back(next);
        }
    }

    /// A reply to `owed`.
    pub(super) fn handle_reply(
        mut self,
        owed: ExpectedReply,
        reply: &Arc<Reply>,
        core: &mut Core,
        now: Instant,
    ) -> Phase {
        let stage = match owed {
            ExpectedReply::LoneDot(_) => self.awaits(core),
            ExpectedReply::Chunk(_) => ExchangeStage::Content,
            _ => owed.stage(),
        };
        let events = &mut core.events;
        let verdict = match (owed, self.transactions.front_mut(), self.submissions.front_mut()) {
            (ExpectedReply::Quit, ..) => return Phase::close(core),
            // The final reply is a verdict on the content, whatever else it says of the session.
            (ExpectedReply::Content(_), Some(transaction), Some(submission)) => {
                transaction.content_answered(reply, submission, events)
            }
            _ if reply.code == ReplyCode::SERVICE_NOT_AVAILABLE => Action::Refused,
            (ExpectedReply::Rset, ..) => rset_answered(reply),
            (_, Some(transaction), Some(submission)) => match owed {
                ExpectedReply::Mail(_) => transaction.mail_answered(reply, submission, events),
                ExpectedReply::Rcpt(_, index) => transaction.rcpt_answered(index, reply, submission, events),
                ExpectedReply::Data(_) => transaction.data_answered(reply, submission, events),
                ExpectedReply::Chunk(_) => transaction.chunk_answered(reply, submission, events),
                ExpectedReply::LoneDot(_) => transaction.lone_dot_answered(submission),
                _ => Action::Unexpected,
            },
            _ => Action::Unexpected,
        };
        let reply = Arc::clone(reply);
        let end = match verdict {
            Action::Continue => return self.go_on(core, now),
            Action::ChunkRefused { asked } if self.holds_back(asked, core) => return self.go_on(core, now),
            Action::LoneDot => {
                core.outbox
                    .send(Bytes::from_static(b".\r\n"), lone_dot(owed), now);
                return self.go_on(core, now);
            }
            Action::OpenContent => {
                self.open_content(core);
                return self.go_on(core, now);
            }
            Action::ChunkRefused { .. } | Action::Contradiction => {
                SessionEnd::Lost(ConnectionFailure::Closed)
            }
            Action::NoBdat(reply) => SessionEnd::NoBdat(reply),
            Action::Refused => SessionEnd::Refused { stage, reply },
            Action::Unexpected => SessionEnd::Unexpected { stage, reply },
        };
        self.end(&end, core, now)
    }

    /// Keeps back what was not begun of a content that is refused. False if its last chunk was begun, for sent to its end
    /// it might deliver the message after all; and if a block of it is still to come, for it might be taken for one of
    /// the next content.
    fn holds_back(&self, asked: bool, core: &mut Core) -> bool {
        core.outbox.drop_unbegun();
        let Some(tx) = self.first_submission() else {
            return true;
        };
        // What the driver has not taken, it shall not answer.
        let events = core.events.len();
        core.events.retain(|event| *event != Event::NeedContent(tx));
        let is_unanswered = asked && core.events.len() == events;
        !is_unanswered && !core.outbox.is_sending(ExpectedReply::Content(tx))
    }

    fn open_content(&self, core: &mut Core) {
        if let Some(submission) = self.submissions.front() {
            let tx = submission.id();
            let form = submission.form();
            core.outbox.open_content(tx);
            core.events.push_back(Event::OpenContent { tx, form });
        }
    }

    fn go_on(mut self, core: &mut Core, now: Instant) -> Phase {
        self.retire(core, now);
        self.handle_room(core, now);
        Phase::Ready(self)
    }

    /// Something has moved: what can be asked for, and sent, now?
    pub(super) fn handle_room(&mut self, core: &mut Core, now: Instant) {
        self.send_chunks(core, now);
        self.ask_for_content(core);
        self.send_more(core, now);
    }

    /// Lets go of the first transaction when nothing of it is on its way any more and nothing is to come.
    fn retire(&mut self, core: &mut Core, now: Instant) {
        let (Some(transaction), Some(submission)) =
            (self.transactions.front_mut(), self.submissions.front_mut())
        else {
            return;
        };
        let tx = transaction.tx();
        let is_at_rest = !core.outbox.pending().any(|owed| owed.submission() == Some(tx));
        if is_at_rest
            && matches!(
                transaction.at_rest(submission, core.config.chunk_octets),
                Action::OpenContent
            )
        {
            return self.open_content(core);
        }
        if let TransactionPhase::Over { stale } = transaction.phase {
            self.transactions.pop_front();
            self.first_since = now;
            // What was sent ahead has its RSET.
            self.stale = stale && self.transactions.is_empty();
            // Without a next transaction it stays, to be asked for one.
            if self.transactions.front().is_some_and(|next| next.tx() != tx) {
                self.submissions.pop_front();
            }
        }
    }

    /// A reply that nobody asked for: it stands for what is being sent, or would be.
    pub(super) fn handle_unasked(self, reply: Arc<Reply>, core: &mut Core, now: Instant) -> Phase {
        let stage = self.awaits(core);
        let end = if self
            .transactions
            .front()
            .is_some_and(|first| first.lacks_bdat(&reply))
        {
            SessionEnd::NoBdat(reply)
        } else if reply.severity().is_negative() {
            SessionEnd::Refused { stage, reply }
        } else {
            SessionEnd::Unexpected { stage, reply }
        };
        self.end(&end, core, now)
    }

    /// What is awaited, for the first transaction.
    pub(super) fn awaits(&self, core: &Core) -> ExchangeStage {
        match (core.outbox.awaited(), self.transactions.front()) {
            (Some(ExpectedReply::Rset), _) => ExchangeStage::Rset,
            (_, Some(first)) => first.awaits(),
            (Some(ExpectedReply::Quit), None) => ExchangeStage::Quit,
            (_, None) => ExchangeStage::Mail,
        }
    }

    pub(super) fn first_submission(&self) -> Option<SubmissionId> {
        self.transactions.front().map(MailTransaction::tx)
    }

    pub(super) fn is_taking_content(&self) -> bool {
        self.transactions
            .front()
            .is_some_and(|first| matches!(first.phase, TransactionPhase::Content(_)))
    }

    /// When the first transaction must have come to its content, if it has not.
    ///
    /// Each of its replies has a time of its own, and there may be a hundred: a host that takes as long as it may over each
    /// would hold a mail for a day.
    pub(super) fn start_deadline(&self, core: &Core) -> Option<Instant> {
        self.transactions
            .front()
            .filter(|first| first.is_before_content())?;
        let deadlines = &core.config.deadlines;
        let start = self.first_since.checked_add(deadlines.start);
        start.into_iter().chain(Self::end_of_replies(core)).min()
    }

    /// When all that was waited for will have taken as long as it may.
    fn end_of_replies(core: &Core) -> Option<Instant> {
        let left = core.config.deadlines.replies.saturating_sub(core.outbox.waited());
        core.outbox.after(left)
    }

    /// A deadline has passed: which.
    pub(super) fn why_late(&self, core: &Core, now: Instant) -> ConnectionFailure {
        let is_before_content = self
            .transactions
            .front()
            .is_some_and(MailTransaction::is_before_content);
        if is_before_content && Self::end_of_replies(core).is_some_and(|end| now >= end) {
            ConnectionFailure::OutOfTime
        } else {
            ConnectionFailure::TimedOut
        }
    }

    /// A command or content is sent whole.
    pub(super) fn handle_sent(&mut self, owed: ExpectedReply) {
        if let (ExpectedReply::Content(_) | ExpectedReply::LoneDot(_), Some(first)) =
            (owed, self.transactions.front_mut())
        {
            first.end_mark_sent();
        }
    }

    /// Asks the driver for one block, if there is room and none was asked for.
    fn ask_for_content(&mut self, core: &mut Core) {
        let Some(first) = self.transactions.front_mut() else {
            return;
        };
        let tx = first.tx();
        if let TransactionPhase::Content(taking) = &mut first.phase
            && !taking.asked
        {
            taking.asked = match &taking.form {
                ContentForm::Chunks(chunker) => chunker.wants_more(),
                ContentForm::Lines(_) => core.outbox.queued() < LOW_WATER,
            };
            if taking.asked {
                core.events.push_back(Event::NeedContent(tx));
            }
        }
    }

    /// Queues the chunks that are ready, while there is room: without PIPELINING one, when nothing else is on its way.
    fn send_chunks(&mut self, core: &mut Core, now: Instant) {
        let Some(first) = self.transactions.front_mut() else {
            return;
        };
        let tx = first.tx();
        while core.outbox.is_quiet() || (self.capabilities.pipelining && core.outbox.queued() < LOW_WATER) {
            let TransactionPhase::Content(TakingContent {
                form: ContentForm::Chunks(chunker),
                ..
            }) = &mut first.phase
            else {
                return;
            };
            let Some((chunk, place)) = chunker.next() else {
                return;
            };
            let owed = match place {
                Place::Within => ExpectedReply::Chunk(tx),
                Place::Last => ExpectedReply::Content(tx),
            };
            let (command, parts) = chunk.into_parts(place);
            core.outbox.send_chunk(command, parts, owed, now);
            if place == Place::Last {
                first.phase = TransactionPhase::EndMark;
            }
        }
    }

    /// A block of content.
    ///
    /// One for a submission that has not asked yet is a fault of the caller's. It cannot be kept, and without
    /// it the message would be another one: the submission ends before its commit point. One for a content that was
    /// refused in the meantime, or for a submission that has ended, is dropped.
    pub(super) fn handle_content(
        mut self,
        tx: SubmissionId,
        block: &Bytes,
        last: bool,
        core: &mut Core,
        now: Instant,
    ) -> Phase {
        let unreadable = SessionEnd::Lost(ConnectionFailure::Aborted(Abort::ContentUnreadable));
        let Some(first) = self.transactions.front_mut().filter(|first| first.tx() == tx) else {
            let early = self.submissions.iter().any(|other| other.id() == tx) || core.is_waiting(tx);
            return if early {
                self.end(&unreadable, core, now)
            } else {
                Phase::Ready(self)
            };
        };
        match &mut first.phase {
            TransactionPhase::Content(taking) => {
                taking.asked = false;
                let taken = match &mut taking.form {
                    ContentForm::Chunks(chunker) => take_into_chunks(chunker, block, last),
                    ContentForm::Lines(stuffing) => take_lines(stuffing, block, last, tx, core, now),
                };
                match taken {
                    Err(BareLineEnd) => return self.end(&unreadable, core, now),
                    Ok(Taken::ToTheEnd) => first.phase = TransactionPhase::EndMark,
                    Ok(Taken::ForNow) => {}
                }
                core.outbox.progressed(now);
            }
            TransactionPhase::Envelope(_) => return self.end(&unreadable, core, now),
            _ => {}
        }
        self.handle_room(core, now);
        Phase::Ready(self)
    }

    /// The session is over: every recipient without an outcome gets it now.
    pub(super) fn end(self, end: &SessionEnd, core: &mut Core, now: Instant) -> Phase {
        core.outbox.announce_all(&mut core.events);
        let stage = self.awaits(core);
        let first = self.transactions.front();
        let within_content = first.is_some_and(|first| first.is_within_content(core.outbox.is_within_one()));
        let bystander = end.for_bystander();
        for mut submission in self.submissions {
            match first.filter(|first| first.tx() == submission.id()) {
                Some(transaction) => {
                    let outcome = transaction.outcome(stage, end);
                    submission.end_session(end, &outcome, transaction.is_past_mail(), &mut core.events);
                }
                None => submission.end_session(end, &bystander, true, &mut core.events),
            }
        }
        core.end_waiting(&bystander);
        if within_content || !end.allows_quit() {
            Phase::close(core)
        } else {
            Phase::take_leave(core, now)
        }
    }
}

/// Where a block leaves a content.
enum Taken {
    ForNow,
    /// All that there is of it waits to be sent.
    ToTheEnd,
}

/// A block for DATA. Nothing of one that holds a bare CR or LF is sent.
fn take_lines(
    stuffing: &mut Stuffing,
    block: &Bytes,
    last: bool,
    tx: SubmissionId,
    core: &mut Core,
    now: Instant,
) -> Result<Taken, BareLineEnd> {
    stuffing.block(block, |part| core.outbox.send_part(part, now))?;
    if !last {
        return Ok(Taken::ForNow);
    }
    core.outbox
        .send(stuffing.end_mark()?, ExpectedReply::Content(tx), now);
    Ok(Taken::ToTheEnd)
}

/// A block for BDAT. It is sent when its chunk is.
fn take_into_chunks(chunker: &mut Chunker, block: &Bytes, last: bool) -> Result<Taken, BareLineEnd> {
    chunker.add(block)?;
    if last {
        chunker.complete()?;
    }
    Ok(Taken::ForNow)
}

fn rset_answered(reply: &Reply) -> Action {
    match reply.severity() {
        Severity::PositiveCompletion => Action::Continue,
        Severity::TransientNegative | Severity::PermanentNegative => Action::Refused,
        _ => Action::Unexpected,
    }
}

/// The dot that answers the 354 to this DATA.
fn lone_dot(data: ExpectedReply) -> ExpectedReply {
    data.submission().map_or(data, ExpectedReply::LoneDot)
}
