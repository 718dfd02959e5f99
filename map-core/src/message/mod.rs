//! The four strings as an RFC 5322 message.

mod text;

pub use text::{Content, Subject, TextError};

use crate::address::Mailbox;
use std::io::{self, Read};

/// A message with its envelope, ready to be opened once for every host that is tried.
#[derive(Clone, Debug)]
pub struct Message {
    from: Mailbox,
    to: Vec<Mailbox>,
}

/// What the caller may fix instead of leaving it to us.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The `Date:` field; now, in the local zone, when absent.
    pub date: Option<jiff::Zoned>,
    /// The `Message-ID:` without its angle brackets; made when absent.
    pub message_id: Option<String>,
}

/// A body that can be opened more than once, because another host may offer less than the first.
pub trait Source: Send + Sync + std::fmt::Debug {
    /// Opens it from its beginning.
    ///
    /// # Errors
    /// What opening a file gives.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;
    /// Its length in octets, when it can be known without reading it.
    fn len(&self) -> Option<u64>;
}

impl Message {
    /// The message of one `map_send` call.
    pub fn text(
        from: Mailbox,
        to: Mailbox,
        _subject: &Subject,
        _content: Content,
        _options: Options,
    ) -> Self {
        Self { from, to: vec![to] }
    }
    /// The sender.
    pub fn from(&self) -> &Mailbox {
        &self.from
    }
    /// The recipients, in the order in which they were given.
    pub fn recipients(&self) -> &[Mailbox] {
        &self.to
    }
    /// `Message-ID` without its angle brackets.
    pub fn message_id(&self) -> &str {
        todo!()
    }
    /// The octets of the message as sent (before dot-stuffing), when known without encoding it.
    pub fn size(&self) -> Option<u64> {
        todo!()
    }
    /// Opens the encoded message: RFC 5322 octets, every line ended by CRLF, 7 bit, no bare CR or LF.
    ///
    /// # Errors
    /// What reading a source gives.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        todo!()
    }
}
