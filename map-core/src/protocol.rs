//! The Mail Agent Protocol: commands, replies, the client's checks, the session.
//!
//! This module knows no socket, no clock and no DNS: it reads and writes the protocol's texts and holds what a
//! client has said so far.

mod check;
mod command;
mod reply;
mod session;
mod stream;

#[cfg(test)]
mod tests;

pub use check::{CheckFailure, CheckedFields, Fields, check};
pub use command::{Command, CommandError, Keyword, ServerCommand};
pub use reply::{EmptyFields, MapReply, MapReplyCode, MapReplyError};
pub use session::{Session, Step};
pub use stream::{CommandReader, MAX_COMMAND, StreamError};
