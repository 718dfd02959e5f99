//! The phases before [`Ready`]: who the two are.

use super::capabilities::Capabilities;
use super::command::Command;
use super::connection::{Core, Ending, Phase};
use super::ready::Ready;
use super::transmit::Owed;
use super::{Hello, Loss, Outcome, Reply, Severity, Stage};
use std::sync::Arc;
use std::time::Instant;

/// Nothing may be sent yet.
#[derive(Debug)]
pub(super) struct ExpectGreeting;

#[derive(Debug)]
pub(super) struct ExpectEhloReply;

#[derive(Debug)]
pub(super) struct ExpectHeloReply {
    /// The refusal of EHLO, if that was tried.
    ehlo: Option<Arc<Reply>>,
}

impl ExpectGreeting {
    pub(super) fn handle_reply(self, reply: Arc<Reply>, core: &mut Core, now: Instant) -> Phase {
        let stage = Stage::Greeting;
        match (reply.severity(), core.config.hello) {
            (Severity::PositiveCompletion, Hello::Ehlo) => {
                core.wire.send(
                    Command::Ehlo(&core.config.hello_name).to_octets(),
                    Owed::Ehlo,
                    now,
                );
                Phase::ExpectEhloReply(ExpectEhloReply)
            }
            (Severity::PositiveCompletion, Hello::Helo) => ExpectHeloReply::send(None, core, now),
            (severity, _) if severity.is_negative() => {
                Phase::ExpectGreeting(self).end(&Ending::Refused { stage, reply }, core, now)
            }
            _ => Phase::ExpectGreeting(self).end(&Ending::Unexpected { stage, reply }, core, now),
        }
    }
}

impl ExpectEhloReply {
    pub(super) fn handle_reply(self, reply: Arc<Reply>, core: &mut Core, now: Instant) -> Phase {
        let stage = Stage::Ehlo;
        match reply.severity() {
            Severity::PositiveCompletion => Ready::begin(Capabilities::of_ehlo(&reply), core, now),
            // RFC 5321 section 3.2, https://www.rfc-editor.org/rfc/rfc5321#section-3.2: a server that does not
            // know EHLO still knows HELO.
            Severity::PermanentNegative => ExpectHeloReply::send(Some(reply), core, now),
            Severity::TransientNegative => {
                Phase::ExpectEhloReply(self).end(&Ending::Refused { stage, reply }, core, now)
            }
            _ => Phase::ExpectEhloReply(self).end(&Ending::Unexpected { stage, reply }, core, now),
        }
    }
}

impl ExpectHeloReply {
    /// What an ending here means for everybody.
    pub(super) fn outcome(self, ending: &Ending) -> Outcome {
        match (ending, self.ehlo) {
            // The server refused EHLO; that it did not go on to answer HELO decides nothing else.
            (Ending::Lost(why), Some(reply)) if !matches!(why, Loss::Aborted(_)) => Outcome::Refused {
                stage: Stage::Ehlo,
                reply,
            },
            _ => ending.outcome(Stage::Helo),
        }
    }

    fn send(ehlo: Option<Arc<Reply>>, core: &mut Core, now: Instant) -> Phase {
        core.wire.send(
            Command::Helo(&core.config.hello_name).to_octets(),
            Owed::Helo,
            now,
        );
        Phase::ExpectHeloReply(Self { ehlo })
    }

    pub(super) fn handle_reply(self, reply: Arc<Reply>, core: &mut Core, now: Instant) -> Phase {
        let stage = Stage::Helo;
        match reply.severity() {
            Severity::PositiveCompletion => Ready::begin(Capabilities::default(), core, now),
            Severity::TransientNegative | Severity::PermanentNegative => {
                Phase::ExpectHeloReply(self).end(&Ending::Refused { stage, reply }, core, now)
            }
            _ => Phase::ExpectHeloReply(self).end(&Ending::Unexpected { stage, reply }, core, now),
        }
    }
}
