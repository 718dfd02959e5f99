//! The four strings as an RFC 5322 message.
//!
//! A [`Message`] is composed once and opened once for every host that is tried. Its header is a short block of
//! octets; its body is a [`Source`], which encodes on the way out, so that neither the text nor its encoded form
//! is ever held a second time.

mod address_list;
mod date;
mod encode;
mod encoded_word;
mod header;
mod message_id;
mod text;
mod unstructured;
mod zone;

pub use address_list::{Address, AddressList, AddressListError, DisplayName, Enclosure, Entry, Group};
pub use date::{DateError, OriginationDate};
pub use message_id::{MessageId, MessageIdError};
pub use text::{Content, Subject, TextError};

use crate::address::Mailbox;
use encode::TextBody;
use std::io::{self, Cursor, Read};
use std::sync::Arc;

/// A message with its envelope, ready to be opened once for every host that is tried. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Message {
    from: Mailbox,
    to: Vec<Mailbox>,
    id: MessageId,
    /// The header section with the empty line behind it.
    header: Arc<[u8]>,
    body: Arc<dyn Source>,
}

/// What the caller may fix instead of leaving it to us, so that a message sent again can be recognised.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The `Date:` field; now, in the local zone, when absent.
    pub date: Option<OriginationDate>,
    /// The `Message-ID:`; made when absent.
    pub message_id: Option<MessageId>,
}

/// A body that can be opened more than once, because another host may offer less than the first.
///
/// What is read is already encoded: every line ended by CRLF, and no CR or LF elsewhere.
pub trait Source: Send + Sync + std::fmt::Debug {
    /// Opens it from its beginning.
    ///
    /// # Errors
    /// What opening a file gives.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;
    /// Its length in octets as it is read, when it can be known without opening a file or asking a reader.
    fn octets(&self) -> Option<u64>;
}

impl Message {
    /// The message of one `map_send` call (MAP 2.4): plain text, 7 bit, with the header fields that RFC 5322
    /// requires and those that every recipient expects.
    ///
    /// # Example
    /// ```
    /// use map_core::message::{Content, Message, Options, Subject};
    /// use std::io::Read;
    ///
    /// let message = Message::text(
    ///     "cxw@apple.com".parse()?,
    ///     "407184933@qq.com".parse()?,
    ///     &Subject::parse(b"test")?,
    ///     Content::parse(b"test content.")?,
    ///     Options::default(),
    /// );
    /// let mut octets = String::new();
    /// message.open()?.read_to_string(&mut octets)?;
    /// assert!(octets.contains("\r\nFrom: <cxw@apple.com>\r\nTo: <407184933@qq.com>\r\nSubject: test\r\n"));
    /// assert!(octets.ends_with("\r\n\r\ntest content.\r\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn text(from: Mailbox, to: Mailbox, subject: &Subject, content: Content, options: Options) -> Self {
        let from_addr_spec = from.to_smtp();
        let id = options
            .message_id
            .unwrap_or_else(|| MessageId::generate(&from_addr_spec));
        let body = TextBody::new(content);
        let header = header::Fields {
            date: &options.date.unwrap_or_else(OriginationDate::now),
            from: &from_addr_spec,
            to: &to.to_smtp(),
            subject,
            message_id: &id,
            content_transfer_encoding: body.encoding(),
        }
        .compose();
        Self {
            from,
            to: vec![to],
            id,
            header: header.into(),
            body: Arc::new(body),
        }
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
        self.id.as_str()
    }

    /// The octets of the message as sent (before dot-stuffing), exactly, when they can be known ahead: the value
    /// of the `SIZE=` parameter (RFC 1870).
    ///
    /// The first call may have to encode a quoted-printable body once to count it; later ones, of clones too, do
    /// not.
    pub fn size(&self) -> Option<u64> {
        let header = u64::try_from(self.header.len()).ok()?;
        self.body.octets()?.checked_add(header)
    }

    /// Opens the encoded message: RFC 5322 octets, every line ended by CRLF, 7 bit, no bare CR or LF.
    ///
    /// # Errors
    /// What opening a source gives; a message made of texts gives none.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(
            Cursor::new(Arc::clone(&self.header)).chain(self.body.open()?),
        ))
    }
}

#[cfg(test)]
mod tests;
