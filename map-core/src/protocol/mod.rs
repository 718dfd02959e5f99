//! The Mail Agent Protocol: commands, replies, the client's checks, the session.

mod reply;

pub use reply::{EmptyFields, MapReply, MapReplyCode};

use crate::address::Mailbox;
use crate::message::{Content, Subject};

/// The four strings of a call as they came from the caller: any octets.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    /// `CMD_FROM`
    pub from: &'a [u8],
    /// `CMD_TO`
    pub to: &'a [u8],
    /// `CMD_SUBJECT`
    pub subject: &'a [u8],
    /// `CMD_CONTENT`
    pub content: &'a [u8],
}

/// The four fields after the client's checks.
#[derive(Clone, Debug)]
pub struct CheckedFields {
    /// The sender.
    pub from: Mailbox,
    /// The recipient.
    pub to: Mailbox,
    /// The subject.
    pub subject: Subject,
    /// The content.
    pub content: Content,
}

/// A check of the client that failed (MAP 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckFailure {
    /// `RE_NO_EMPTY` or `RE_INVALID_FORMAT`.
    pub reply: MapReply,
    /// What is wrong, for a person: a lower-case phrase.
    pub reason: String,
}

/// The client's checks: empty fields all named in order, then the formats.
///
/// # Errors
/// The reply that the client gives instead of sending.
pub fn check(_fields: Fields<'_>) -> Result<CheckedFields, CheckFailure> {
    todo!()
}
