//! The Mail Agent Protocol: commands, replies, the client's checks, the session.
//!
//! This module knows no socket, no clock and no DNS: it reads and writes the protocol's texts and holds what a
//! client has said so far.

mod check;
mod quote;
mod reply;

#[cfg(test)]
mod tests;

pub use check::{CheckFailure, CheckedFields, Fields, check};
pub use reply::{EmptyFields, MapReply, MapReplyCode, MapReplyError};
