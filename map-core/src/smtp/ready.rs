//! The phase in which mail moves: transactions in order, and the plan by which they are sent.

use super::capabilities::Capabilities;
use super::command::Command;
use super::connection::{Core, Ending, Phase};
use super::transaction::{Step, Transaction, Verdict};
use super::transmit::Owed;
use super::{Abort, Event, Loss, Reply, ReplyCode, Severity, Stage, TransactionId};
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
    /// Begun and not over, oldest first. Two at most: one whose final reply is owed, and the next, whose
    /// envelope is sent with the first one's content. Replies that name no other are for the first.
    transactions: VecDeque<Transaction>,
    /// The server may still hold a MAIL: RSET before the next.
    stale: bool,
}

impl Ready {
    pub(super) fn begin(capabilities: Capabilities, core: &mut Core, now: Instant) -> Phase {
        core.events.push_back(Event::Ready(capabilities.clone()));
        let mut ready = Self {
            capabilities,
            transactions: VecDeque::new(),
            stale: false,
        };
        ready.send_more(core, now);
        Phase::Ready(ready)
    }

    /// Queues all that the plan allows to be sent now.
    ///
    /// Without PIPELINING that is one command, when nothing else is on its way. With it, a whole envelope; and
    /// behind the end mark of a content the next envelope, or QUIT. RFC 2920 section 3.1,
    /// <https://www.rfc-editor.org/rfc/rfc2920#section-3.1>:
    /// > The actual transfer of message content is explicitly allowed to be the first "command" in a group.
    pub(super) fn send_more(&mut self, core: &mut Core, now: Instant) {
        while self.capabilities.pipelining || core.wire.is_quiet() {
            if let Some(last) = self.transactions.back_mut() {
                if let Some((octets, owed)) = last.next_command() {
                    core.wire.send(octets, owed, now);
                    last.advance();
                    continue;
                }
                let has_all_sent = matches!(last.step, Step::EndMark | Step::FinalReply);
                if !has_all_sent || self.transactions.len() > 1 {
                    return;
                }
            }
            if let Some(next) = core.waiting.pop_front() {
                self.begin_transaction(next, core, now);
            } else {
                if core.no_more && !core.is_quitting() {
                    core.wire.send(Command::Quit.to_octets(), Owed::Quit, now);
                }
                return;
            }
        }
    }

    fn begin_transaction(&mut self, mut next: Transaction, core: &mut Core, now: Instant) {
        next.plan(&self.capabilities, &mut core.events);
        if matches!(next.step, Step::Over { .. }) {
            return;
        }
        if std::mem::take(&mut self.stale) {
            core.wire.send(Command::Rset.to_octets(), Owed::Rset, now);
        }
        self.transactions.push_back(next);
    }

    /// A reply to `owed`.
    pub(super) fn handle_reply(
        mut self,
        owed: Owed,
        reply: &Arc<Reply>,
        core: &mut Core,
        now: Instant,
    ) -> Phase {
        let stage = match owed {
            Owed::LoneDot(_) => self.awaits(core),
            _ => owed.stage(),
        };
        let verdict = match (owed, self.transactions.front_mut()) {
            (Owed::Quit, _) => return Phase::close(core),
            // The final reply is a verdict on the content, whatever else it says of the session.
            (Owed::Content(_), Some(first)) => first.content_answered(reply, &mut core.events),
            _ if reply.code == ReplyCode::SERVICE_NOT_AVAILABLE => Verdict::Refused,
            (Owed::Mail(_), Some(first)) => first.mail_answered(reply, &mut core.events),
            (Owed::Rcpt(_, index), Some(first)) => first.rcpt_answered(index, reply, &mut core.events),
            (Owed::Data(_), Some(first)) => first.data_answered(reply, &mut core.events),
            (Owed::LoneDot(_), Some(first)) => first.lone_dot_answered(),
            (Owed::Rset, _) => rset_answered(reply),
            _ => Verdict::Unexpected,
        };
        let reply = Arc::clone(reply);
        let ending = match verdict {
            Verdict::Continue => return self.go_on(core, now),
            Verdict::Content { tx, form } => {
                core.wire.open_content(tx);
                core.events.push_back(Event::OpenContent { tx, form });
                return self.go_on(core, now);
            }
            Verdict::LoneDot => {
                core.wire.send(Bytes::from_static(b".\r\n"), lone_dot(owed), now);
                return self.go_on(core, now);
            }
            Verdict::Contradiction => Ending::Lost(Loss::Closed),
            Verdict::Refused => Ending::Refused { stage, reply },
            Verdict::Unexpected => Ending::Unexpected { stage, reply },
        };
        self.end(&ending, core, now)
    }

    fn go_on(mut self, core: &mut Core, now: Instant) -> Phase {
        self.retire(core);
        self.ask_for_content(core);
        self.send_more(core, now);
        Phase::Ready(self)
    }

    /// Lets go of the first transaction when nothing of it is on its way any more and nothing is to come.
    fn retire(&mut self, core: &Core) {
        let Some(first) = self.transactions.front_mut() else {
            return;
        };
        if !core
            .wire
            .pending()
            .any(|owed| owed.transaction() == Some(first.id()))
        {
            first.envelope_at_rest();
        }
        if let Step::Over { stale } = first.step {
            self.stale = stale;
            self.transactions.pop_front();
        }
    }

    /// A reply that nobody asked for: it stands for what is being sent, or would be.
    pub(super) fn handle_unasked(self, reply: Arc<Reply>, core: &mut Core, now: Instant) -> Phase {
        let stage = self.awaits(core);
        let ending = if reply.severity().is_negative() {
            Ending::Refused { stage, reply }
        } else {
            Ending::Unexpected { stage, reply }
        };
        self.end(&ending, core, now)
    }

    /// What is awaited, for the first transaction.
    pub(super) fn awaits(&self, core: &Core) -> Stage {
        match (core.wire.awaited(), self.transactions.front()) {
            (Some(Owed::Rset), _) => Stage::Rset,
            (_, Some(first)) => first.awaits(),
            (Some(Owed::Quit), None) => Stage::Quit,
            (_, None) => Stage::Mail,
        }
    }

    pub(super) fn first_transaction(&self) -> Option<TransactionId> {
        self.transactions.front().map(Transaction::id)
    }

    pub(super) fn is_taking_content(&self) -> bool {
        self.transactions
            .front()
            .is_some_and(|first| matches!(first.step, Step::Content(_)))
    }

    /// A command or content is sent whole.
    pub(super) fn handle_sent(&mut self, owed: Owed) {
        if let (Owed::Content(_) | Owed::LoneDot(_), Some(first)) = (owed, self.transactions.front_mut()) {
            first.end_mark_sent();
        }
    }

    /// Asks the driver for one block, if there is room and none was asked for.
    pub(super) fn ask_for_content(&mut self, core: &mut Core) {
        let Some(first) = self.transactions.front_mut() else {
            return;
        };
        let id = first.id();
        if let Step::Content(taking) = &mut first.step
            && !taking.asked
            && core.wire.queued() < LOW_WATER
        {
            taking.asked = true;
            core.events.push_back(Event::NeedContent(id));
        }
    }

    /// A block of content.
    ///
    /// One for a transaction that has not asked yet is a fault of the caller's. It cannot be kept, and without
    /// it the message would be another one: the transaction ends before its commit point. One for a transaction
    /// that has ended in the meantime is dropped.
    pub(super) fn handle_content(
        mut self,
        tx: TransactionId,
        block: &Bytes,
        last: bool,
        core: &mut Core,
        now: Instant,
    ) -> Phase {
        let unreadable = Ending::Lost(Loss::Aborted(Abort::ContentUnreadable));
        let first = self.transactions.front_mut().filter(|first| first.id() == tx);
        let Some(Transaction { step, .. }) = first else {
            let early = self.transactions.iter().any(|other| other.id() == tx) || core.is_waiting(tx);
            return if early {
                self.end(&unreadable, core, now)
            } else {
                Phase::Ready(self)
            };
        };
        match step {
            Step::Content(taking) => {
                taking.asked = false;
                let written = taking
                    .stuffing
                    .block(block, |part| core.wire.send_part(part, now));
                let end_mark = if last {
                    taking.stuffing.end_mark().map(Some)
                } else {
                    Ok(None)
                };
                let (Ok(()), Ok(end_mark)) = (written, end_mark) else {
                    return self.end(&unreadable, core, now);
                };
                if let Some(end_mark) = end_mark {
                    *step = Step::EndMark;
                    core.wire.send(end_mark, Owed::Content(tx), now);
                }
                core.wire.progressed(now);
            }
            Step::Envelope(_) => return self.end(&unreadable, core, now),
            _ => {}
        }
        self.ask_for_content(core);
        self.send_more(core, now);
        Phase::Ready(self)
    }

    /// The session is over: every recipient without an outcome gets it now.
    pub(super) fn end(mut self, ending: &Ending, core: &mut Core, now: Instant) -> Phase {
        core.wire.announce_all(&mut core.events);
        let stage = self.awaits(core);
        let within_content = self
            .transactions
            .front()
            .is_some_and(Transaction::is_within_content);
        let bystander = ending.for_bystander();
        let mut transactions = self.transactions.drain(..);
        if let Some(mut first) = transactions.next() {
            match ending {
                Ending::Lost(why) => first.lose(stage, why, &mut core.events),
                _ => first.decide_all(&ending.outcome(stage), &mut core.events),
            }
        }
        for mut other in transactions {
            other.decide_all(&bystander, &mut core.events);
        }
        core.end_waiting(&bystander);
        if within_content || !ending.allows_quit() {
            Phase::close(core)
        } else {
            Phase::take_leave(core, now)
        }
    }
}

fn rset_answered(reply: &Reply) -> Verdict {
    match reply.severity() {
        Severity::PositiveCompletion => Verdict::Continue,
        Severity::TransientNegative | Severity::PermanentNegative => Verdict::Refused,
        _ => Verdict::Unexpected,
    }
}

/// The dot that answers the 354 to this DATA.
fn lone_dot(data: Owed) -> Owed {
    data.transaction().map_or(data, Owed::LoneDot)
}
