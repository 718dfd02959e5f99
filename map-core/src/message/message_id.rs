//! `Message-ID`: the name by which a message sent twice is recognised.

use super::random::{self, base32};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// `msg-id` without its angle brackets: `id-left "@" id-right`.
///
/// ```abnf
/// msg-id   =  [CFWS] "<" id-left "@" id-right ">" [CFWS]
/// id-left  =  dot-atom-text
/// id-right =  dot-atom-text / no-fold-literal
/// ```
/// [RFC 5322 section 3.6.4](https://www.rfc-editor.org/rfc/rfc5322#section-3.6.4); the obsolete forms are refused.
/// The identifiers of others are [`ReferenceId`](super::ReferenceId)s, which may be anything.
///
/// # Example
/// ```
/// use map_core::message::MessageId;
///
/// let id: MessageId = "<report.17@example.com>".parse()?;
/// assert_eq!(id.as_str(), "report.17@example.com");
/// assert!("report 17@example.com".parse::<MessageId>().is_err());
/// # Ok::<(), map_core::message::MessageIdError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageId(Arc<str>);

/// Why a text is no `msg-id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageIdError {
    /// Left of the `@` must stand a `dot-atom-text`: letters, digits, most signs, single dots inside.
    #[error("left of the @ of a message identifier stands something else than words joined by dots")]
    Left,
    /// A `msg-id` must fit on one line.
    #[error("a message identifier is at most {MAX_OCTETS} octets long")]
    Length,
    /// An `@` divides a `msg-id`.
    #[error("there is no @ in the message identifier")]
    NoAt,
    /// Right of the `@` must stand a `dot-atom-text` or `[…]`.
    #[error("right of the @ of a message identifier stands neither a domain nor a literal in brackets")]
    Right,
}

/// What is left of the 998 octets of a line after `Message-ID: <` and before `>`.
const MAX_OCTETS: usize = 998 - "Message-ID: <>".len();

impl MessageId {
    /// A new one for a message from `addr_spec`, whose domain or address literal becomes its right side.
    pub(super) fn generate(addr_spec: &str) -> Self {
        let id_right = addr_spec.rsplit_once('@').map_or(addr_spec, |(_, domain)| domain);
        let now = jiff::Timestamp::now().as_microsecond().unsigned_abs();
        Self(format!("{}.{}@{id_right}", base32(now), base32(random::number())).into())
    }

    /// The text, without angle brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// With or without its angle brackets.
impl FromStr for MessageId {
    type Err = MessageIdError;

    fn from_str(text: &str) -> Result<Self, MessageIdError> {
        let id = text
            .strip_prefix('<')
            .and_then(|rest| rest.strip_suffix('>'))
            .unwrap_or(text);
        if id.len() > MAX_OCTETS {
            return Err(MessageIdError::Length);
        }
        let (left, right) = id.split_once('@').ok_or(MessageIdError::NoAt)?;
        if !is_dot_atom_text(left) {
            return Err(MessageIdError::Left);
        }
        if !is_dot_atom_text(right) && !is_no_fold_literal(right) {
            return Err(MessageIdError::Right);
        }
        Ok(Self(id.into()))
    }
}

fn is_dot_atom_text(text: &str) -> bool {
    let is_atext = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet);
    text.split('.')
        .all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

fn is_no_fold_literal(text: &str) -> bool {
    let is_dtext = |octet: u8| octet.is_ascii_graphic() && !b"[\\]".contains(&octet);
    text.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|inner| inner.bytes().all(is_dtext))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_grammar_of_rfc_5322() {
        let longest = format!("{}@b", "a".repeat(MAX_OCTETS - 2));
        for good in [
            "a@b",
            "a.b!#$%&'*+-/=?^_`{|}~@c.d",
            "1@[192.0.2.1]",
            "1@[IPv6:2001:db8::1]",
            longest.as_str(),
        ] {
            assert_eq!(good.parse::<MessageId>().unwrap().as_str(), good);
            assert_eq!(format!("<{good}>").parse::<MessageId>().unwrap().as_str(), good);
        }
        for (bad, why) in [
            ("", MessageIdError::NoAt),
            ("a.b", MessageIdError::NoAt),
            ("@b", MessageIdError::Left),
            ("a..b@c", MessageIdError::Left),
            ("a b@c", MessageIdError::Left),
            ("a\tb@c", MessageIdError::Left),
            ("a\r\nBcc: x@y", MessageIdError::Left),
            ("\u{560a}@c", MessageIdError::Left),
            ("<<a@b>>", MessageIdError::Left),
            ("<a@b", MessageIdError::Left),
            ("\"a\"@b", MessageIdError::Left),
            ("a@", MessageIdError::Right),
            ("a@b@c", MessageIdError::Right),
            ("a@b>", MessageIdError::Right),
            ("a@b\n", MessageIdError::Right),
            ("a@[b\r]", MessageIdError::Right),
            ("a@[[b]", MessageIdError::Right),
            ("a@b.", MessageIdError::Right),
            (&format!("{longest}c"), MessageIdError::Length),
        ] {
            assert_eq!(bad.parse::<MessageId>(), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn made_ones_differ_and_are_right() {
        let mut seen = HashSet::new();
        for addr_spec in ["a@b.example", "\"a@b\"@b.example", "a@[192.0.2.1]"] {
            for _ in 0..1000 {
                let made = MessageId::generate(addr_spec);
                assert_eq!(made.as_str().parse::<MessageId>().unwrap(), made);
                assert!(made.as_str().ends_with(addr_spec.rsplit('@').next().unwrap()));
                assert!(seen.insert(made));
            }
        }
    }
}
