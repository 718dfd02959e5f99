//! The content on its way from its source to the machine.

use super::{Observer, blocking};
use crate::smtp::SubmissionId;
use bytes::Bytes;
use std::future::pending;
use std::io::{self, Read};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// How much content is read ahead at a time, in octets.
const CONTENT_BLOCK: usize = 64 * 1024;

type Reader = Box<dyn Read + Send>;
type Open = Box<dyn FnOnce() -> io::Result<Reader> + Send>;

/// A content from its beginning.
pub enum ContentSource {
    /// Whoever opens and reads it may have to wait: a file on a far machine, a reader of the caller's. That is done in a
    /// thread of its own, so that neither other deliveries nor deadlines wait with it.
    Elsewhere(Open),
    /// It is in memory, and reading it never waits.
    InMemory(Reader),
}

/// The content that is being sent.
pub(super) struct OpenContent {
    tx: SubmissionId,
    state: State,
}

enum State {
    /// The first block has not been asked for.
    Unopened {
        form: usize,
    },
    InMemory(Reader),
    /// Nothing is being read.
    Elsewhere(Open),
    Reading(JoinHandle<io::Result<(Bytes, Reader)>>),
    /// The last block was given, or there is none to be had.
    Over,
}

impl OpenContent {
    pub(super) fn new(tx: SubmissionId, form: usize) -> Self {
        Self {
            tx,
            state: State::Unopened { form },
        }
    }

    /// Whose content it is.
    pub(super) fn tx(&self) -> SubmissionId {
        self.tx
    }

    /// True while a block is waited for.
    pub(super) fn is_being_read(&self) -> bool {
        matches!(self.state, State::Reading(_))
    }

    /// Asks for the next block, which is empty at the end; `None` when it comes by [`Self::block`].
    pub(super) fn ask(&mut self, observer: &mut dyn Observer) -> Option<io::Result<Bytes>> {
        if let State::Unopened { form } = self.state {
            self.state = match observer.open_content(self.tx, form) {
                Ok(ContentSource::Elsewhere(open)) => State::Elsewhere(open),
                Ok(ContentSource::InMemory(reader)) => State::InMemory(reader),
                Err(error) => return Some(Err(error)),
            };
            observer.content_sent(self.tx, 0);
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::InMemory(mut reader) => {
                let block = next_block(&mut reader);
                self.state = State::InMemory(reader);
                Some(block)
            }
            State::Elsewhere(open) => {
                let reading = blocking::start(move || {
                    let mut reader = open()?;
                    Ok((next_block(&mut reader)?, reader))
                });
                match reading {
                    Ok(reading) => {
                        self.state = State::Reading(reading);
                        None
                    }
                    Err(no_thread) => Some(Err(io::Error::other(no_thread))),
                }
            }
            // One block is asked for at a time.
            State::Unopened { .. } | State::Reading(_) | State::Over => {
                Some(Err(io::Error::other("the content is not open")))
            }
        }
    }

    /// The block that is being read; for ever, while none is. Cancel safe.
    pub(super) async fn block(&mut self) -> io::Result<Bytes> {
        let State::Reading(reading) = &mut self.state else {
            return pending().await;
        };
        let read = reading.await;
        self.state = State::Over;
        // A panic of the caller's reader ends this delivery only.
        let (block, reader) = read.map_err(io::Error::other)??;
        self.state = State::Elsewhere(Box::new(move || Ok(reader)));
        Ok(block)
    }
}

/// To let go of a reader may have to wait as well.
impl Drop for OpenContent {
    fn drop(&mut self) {
        let State::Elsewhere(open) = std::mem::replace(&mut self.state, State::Over) else {
            // One that is being read is let go of where it is read.
            return;
        };
        match Handle::try_current() {
            // Where there is no thread for it, it waits in a queue for one, or for the end of the runtime.
            Ok(_) => drop(blocking::start(move || drop(open))),
            Err(_) => drop(open),
        }
    }
}

fn next_block(reader: &mut Reader) -> io::Result<Bytes> {
    let mut block = Vec::with_capacity(CONTENT_BLOCK);
    reader
        .by_ref()
        .take(CONTENT_BLOCK as u64)
        .read_to_end(&mut block)?;
    Ok(block.into())
}

#[cfg(test)]
mod tests;
