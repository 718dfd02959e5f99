//! Submitting from a thread that must not wait: the library's threads put the message together.

use super::job::{Job, Prepare, TaskContent};
use super::{Agent, CARRIED_OVER_A_FORK};
use crate::delivery::{Asked, Cause, rejected};
use crate::message::{Message, Options};
use crate::protocol::{self, CheckFailure, Fields};
use std::sync::Arc;
use std::time::Instant;

/// The four strings of a call, owned. Any octets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnedFields {
    /// `CMD_FROM`
    pub from: Vec<u8>,
    /// `CMD_TO`
    pub to: Vec<u8>,
    /// `CMD_SUBJECT`
    pub subject: Vec<u8>,
    /// `CMD_CONTENT`
    pub content: Vec<u8>,
}

impl OwnedFields {
    /// The same, borrowed.
    pub fn as_fields(&self) -> Fields<'_> {
        Fields {
            from: &self.from,
            to: &self.to,
            subject: &self.subject,
            content: &self.content,
        }
    }
}

impl Agent {
    /// Submits as [`Agent::submit`] does, with the checks and the composing in the library's threads. Takes the same time for
    /// a content of any size.
    pub fn submit_deferred(&self, fields: OwnedFields) -> Job {
        let asked = Asked::new(fields.as_fields());
        self.start_deferred(
            asked,
            Box::new(move || {
                let checked = protocol::check(fields.as_fields())?;
                drop(fields);
                let message = Message::text(
                    checked.from,
                    checked.to,
                    &checked.subject,
                    checked.content,
                    Options::default(),
                );
                // Counted here and remembered: the worker has other deliveries to look after.
                let _ = message.size();
                Ok((message, None))
            }),
        )
    }

    /// Submits the message that `build` returns, which runs in a thread of the library and may wait there. A failure is told
    /// by the report, with the reply and the reason that `build` gave.
    pub fn submit_built(
        &self,
        build: impl FnOnce() -> Result<Message, CheckFailure> + Send + 'static,
    ) -> Job {
        self.start_deferred(
            Asked::default(),
            Box::new(move || {
                let message = build()?;
                let asked = Asked::of(&message);
                Ok((message, Some(asked)))
            }),
        )
    }

    fn start_deferred(&self, asked: Asked, prepare: Prepare) -> Job {
        let asked = Arc::new(asked);
        if self.belongs_here() {
            self.start(TaskContent::Deferred(prepare), asked, Instant::now())
        } else {
            Job::done(rejected(asked, &Cause::Misuse(CARRIED_OVER_A_FORK.to_owned())))
        }
    }
}
