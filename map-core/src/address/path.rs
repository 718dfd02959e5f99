//! The arguments of MAIL and RCPT.

use super::Mailbox;
use std::fmt;

/// The argument of MAIL: whom a server tells when it cannot deliver after all.
///
/// ```text
/// Reverse-path = Path / "<>"
/// Path         = "<" Mailbox ">"    ; without the source route, which RFC 5321 advises against
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// The sender's mailbox.
    Mailbox(Mailbox),
    /// `<>`: notifications, which nobody is to be told about.
    Null,
}

/// The argument of RCPT: a recipient.
///
/// ```text
/// Forward-path = Path
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ForwardPath(pub Mailbox);

impl ReversePath {
    /// As it goes over the wire, angle brackets included.
    pub fn to_smtp(&self) -> String {
        match self {
            Self::Mailbox(mailbox) => format!("<{}>", mailbox.to_smtp()),
            Self::Null => "<>".into(),
        }
    }
}

impl ForwardPath {
    /// As it goes over the wire, angle brackets included.
    pub fn to_smtp(&self) -> String {
        format!("<{}>", self.0.to_smtp())
    }
}

impl From<Mailbox> for ReversePath {
    fn from(mailbox: Mailbox) -> Self {
        Self::Mailbox(mailbox)
    }
}

impl From<Mailbox> for ForwardPath {
    fn from(mailbox: Mailbox) -> Self {
        Self(mailbox)
    }
}

/// As a person reads it, angle brackets included.
impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
            Self::Null => f.write_str("<>"),
        }
    }
}

/// As a person reads it, angle brackets included.
impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}
