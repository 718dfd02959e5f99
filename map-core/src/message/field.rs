//! Header fields of a caller's own.

use super::own_field::compose;
use crate::content::{TextError, line_of_text};
use crate::text::{named, quoted};
use std::sync::Arc;

/// A header field of a caller's own: `X-Mailer`, `List-Unsubscribe`, `Auto-Submitted`.
///
/// The value is one line of text. ASCII goes as it is, folded where a blank allows it. Beyond ASCII, words are encoded
/// (RFC 2047), and of a field with a grammar, such as `List-Id` or `Disposition-Notification-To`, only names and comments;
/// what is encoded already is not encoded again.
///
/// # Example
/// ```
/// use map_core::message::{Field, FieldError};
///
/// let field = Field::new("List-Unsubscribe", "<mailto:leave@list.example>")?;
/// assert_eq!(field.name(), "List-Unsubscribe");
/// assert_eq!(Field::new("bcc", "x@y.example"), Err(FieldError::Reserved("bcc".into())));
/// # Ok::<(), FieldError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    name: Arc<str>,
    value: Arc<str>,
    /// The whole field as it goes.
    composed: Arc<[u8]>,
}

/// Why a header field cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// Not 1 to 76 printable ASCII characters without a colon or a blank.
    #[error("{} is not the name of a header field", quoted(.0))]
    Name(String),
    /// What is beyond ASCII in a place where nothing can be encoded: an address, a link, an identifier. Give a link
    /// percent-encoded (`%C3%BC`), and a domain in its ASCII form.
    #[error(
        "{} in the header field {} is beyond ASCII, and only names and comments can be encoded there",
        quoted(.token),
        named(.name)
    )]
    NotEncodable {
        /// The name of the field.
        name: String,
        /// What cannot be encoded.
        token: String,
    },
    /// A field that the message writes itself, or one of transport. [`Builder`](super::Builder) has methods for the
    /// former, but for those that MIME needs.
    #[error("the header field {} is not free for a value of one's own", named(.0))]
    Reserved(String),
    /// A word that no line can hold, with no blank in it to fold at. A shorter link will do.
    #[error(
        "{} in the header field {} is {octets} octets long, and a line of a header has 998",
        quoted(.token),
        named(.name)
    )]
    TooLong {
        /// The name of the field.
        name: String,
        /// How the word begins.
        token: String,
        /// How long it is.
        octets: usize,
    },
    /// The value holds what none can.
    #[error("the value of the header field {}: {error}", named(.name))]
    Value {
        /// The name of the field.
        name: String,
        /// What is wrong with its value.
        error: TextError,
    },
}

/// So that name and colon fit on a line of 78 octets with its blank.
const MAX_NAME: usize = 76;

/// The fields that we write, and those that only transport may.
const RESERVED: [&str; 17] = [
    "Bcc",
    "Cc",
    "Comments",
    "Date",
    "From",
    "In-Reply-To",
    "Keywords",
    "Message-ID",
    "MIME-Version",
    "Received",
    "References",
    "Reply-To",
    "Return-Path",
    "Sender",
    "Subject",
    "To",
    "Delivered-To",
];
const RESERVED_BEGINS: [&str; 2] = ["Content-", "Resent-"];

impl Field {
    /// Takes a name and a value.
    ///
    /// # Errors
    /// When one of them cannot stand in a header, or the name is one of those that the message has already.
    pub fn new(name: &str, value: &str) -> Result<Self, FieldError> {
        // https://www.rfc-editor.org/rfc/rfc5322#section-2.2
        // > A field name MUST be composed of printable US-ASCII characters (i.e., characters that have values between 33
        // > and 126, inclusive), except colon.
        let of_name = |octet: u8| octet.is_ascii_graphic() && octet != b':';
        if !(1..=MAX_NAME).contains(&name.len()) || !name.bytes().all(of_name) {
            return Err(FieldError::Name(name.to_owned()));
        }
        let is = |known: &&str| name.eq_ignore_ascii_case(known);
        let begins = |known: &&str| {
            name.get(..known.len())
                .is_some_and(|begin| begin.eq_ignore_ascii_case(known))
        };
        if RESERVED.iter().any(is) || RESERVED_BEGINS.iter().any(begins) {
            return Err(FieldError::Reserved(name.to_owned()));
        }
        line_of_text(value.as_bytes()).map_err(|error| FieldError::Value {
            name: name.to_owned(),
            error,
        })?;
        Ok(Self {
            composed: compose(name, value)?.into(),
            name: name.into(),
            value: value.into(),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value, as it was given.
    pub fn value(&self) -> &str {
        &self.value
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.composed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in [
            "X-Mailer",
            "x",
            "List-Unsubscribe-Post",
            "Tofu",
            "X-To",
            "Contents",
            &"n".repeat(76),
        ] {
            assert_eq!(Field::new(name, "v").unwrap().name(), name);
        }
        for name in ["", "a b", "a:", "a\r\nb", "é", "a\0", "a\t", &"n".repeat(77)] {
            assert_eq!(Field::new(name, "v"), Err(FieldError::Name(name.to_owned())));
        }
        for name in [
            "to",
            "TO",
            "Bcc",
            "from",
            "Subject",
            "message-id",
            "Content-Type",
            "content-x",
            "Resent-To",
            "resent-x",
            "Received",
            "MIME-version",
            "Return-Path",
            "Date",
            "Sender",
        ] {
            assert_eq!(Field::new(name, "v"), Err(FieldError::Reserved(name.to_owned())));
        }
    }

    #[test]
    fn values() {
        for (value, error) in [
            ("a\r\nBcc: x@y.example", TextError::LineEnd(1)),
            ("a\n", TextError::LineEnd(1)),
            ("a\0", TextError::Nul(1)),
        ] {
            let name = "X-A".to_owned();
            assert_eq!(Field::new("X-A", value), Err(FieldError::Value { name, error }));
        }
        let written = |value: &str| {
            let mut out = Vec::new();
            Field::new("X-A", value).unwrap().write(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written("<mailto:a@b.example>"), "X-A: <mailto:a@b.example>\r\n");
        assert_eq!(written("Grüße"), "X-A: =?utf-8?B?R3LDvMOfZQ==?=\r\n");
        assert_eq!(written(""), "X-A: \r\n");
        assert_eq!(written("a\u{7}"), "X-A: =?utf-8?Q?a=07?=\r\n");
    }
}
