//! Mailbox addresses by the grammar of RFC 5321 section 4.1.2. Holding the type is the proof.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// `Mailbox = Local-part "@" ( Domain / address-literal )`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mailbox {
    local_part: LocalPart,
    domain: MailboxDomain,
}

/// What stands left of the `@`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocalPart(Arc<str>);

/// What stands right of the `@`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MailboxDomain {
    /// `Domain`
    Domain(Domain),
    /// `address-literal`
    Literal(AddressLiteral),
}

/// A domain name: what a person reads and what the DNS and the wire get (A-labels, lower case, no final dot).
#[derive(Clone, Debug)]
pub struct Domain {
    ascii: Arc<str>,
    shown: Arc<str>,
}

/// `[192.0.2.1]` or `[IPv6:2001:db8::1]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressLiteral(pub IpAddr);

/// `Reverse-path = Path / "<>"`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// The sender's mailbox.
    Mailbox(Mailbox),
    /// `<>`: notifications.
    Null,
}

/// `Forward-path = Path`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ForwardPath(pub Mailbox);

/// Why a text is no mailbox.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MailboxError {
    /// No `@`.
    #[error("there is no @ between a name and a domain")]
    NoAt,
}

impl Mailbox {
    /// Left of the `@`.
    pub fn local_part(&self) -> &LocalPart {
        &self.local_part
    }
    /// Right of the `@`.
    pub fn domain(&self) -> &MailboxDomain {
        &self.domain
    }
    /// As it goes into `MAIL FROM:<…>`: ASCII domain.
    pub fn to_smtp(&self) -> String {
        todo!()
    }
    /// True when the local part needs SMTPUTF8 (RFC 6531).
    pub fn needs_smtputf8(&self) -> bool {
        !self.local_part.0.is_ascii()
    }
}

/// As a person typed it (trimmed), the domain in its own script.
impl fmt::Display for Mailbox {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

impl FromStr for Mailbox {
    type Err = MailboxError;
    fn from_str(_text: &str) -> Result<Self, MailboxError> {
        todo!()
    }
}

impl Domain {
    /// The A-label form, lower case, without a final dot.
    pub fn as_ascii(&self) -> &str {
        &self.ascii
    }
}

impl PartialEq for Domain {
    fn eq(&self, other: &Self) -> bool {
        self.ascii == other.ascii
    }
}

impl Eq for Domain {}

impl std::hash::Hash for Domain {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.ascii.hash(state);
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl FromStr for Domain {
    type Err = MailboxError;
    fn from_str(_text: &str) -> Result<Self, MailboxError> {
        todo!()
    }
}
