//! What a message needs of a host, and what for.

use crate::envelope::{BodyType, Needs};
use crate::text::named;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// What makes a message more than ASCII in lines of at most 998 octets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// An address whose local part is not ASCII.
    Address(Arc<str>),
    /// A header field that is not ASCII.
    Field {
        /// Its name.
        name: Arc<str>,
        /// Its line, from 1.
        line: u64,
    },
    /// A line of a message that travels unchanged.
    Line {
        /// Which, from 1.
        line: u64,
        /// What it is about it.
        trouble: LineTrouble,
    },
    /// A part that the caller wants to go as it stands: its media type, or the name of its file.
    Part(Arc<str>),
}

/// What a line of 7 bits has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineTrouble {
    /// A CR without an LF after it.
    BareCr,
    /// An LF without a CR before it.
    BareLf,
    /// Octets beyond ASCII.
    EightBit,
    /// A NUL octet.
    Nul,
    /// More than 998 octets.
    TooLong,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "the address <{address}>"),
            Self::Field { name, line } => write!(f, "the header field {} in line {line}", named(name)),
            Self::Line { line, trouble } => write!(f, "{trouble} in line {line}"),
            Self::Part(name) => write!(f, "the part {}, which is not to be encoded", named(name)),
        }
    }
}

impl LineTrouble {
    /// Which setting helps, where one does; its name is the same in Rust, C and Python.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::BareLf => "; unix_line_ends takes such lines, and sends them with CR LF",
            Self::BareCr | Self::EightBit | Self::Nul | Self::TooLong => "",
        }
    }
}

impl fmt::Display for LineTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BareCr => "a CR without an LF",
            Self::BareLf => "an LF without a CR",
            Self::EightBit => "an octet beyond ASCII",
            Self::Nul => "a NUL octet",
            Self::TooLong => "more than 998 octets",
        })
    }
}

/// What is odd about a message and yet no reason not to send it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// The `Content-ID` of a part has no `@`, which RFC 2392 wants. Readers find it all the same.
    #[error("the content identifier <{0}> has no @, as it should; readers find it all the same")]
    ContentIdWithoutAt(Arc<str>),
    /// A field that no message should lack is not there. Some hosts refuse such a message, some add the field.
    #[error("the message has no header field {0}")]
    FieldMissing(&'static str),
    /// A field that must stand once stands several times. Readers differ in which of them they show.
    #[error("the message has the header field {0} more than once")]
    FieldTwice(&'static str),
    /// Others than its owner can read the file with a private key that the message is signed with, and so sign in the
    /// domain's name.
    #[error(
        "others on this machine can read the private key {}, and sign with it: let only its owner read it (chmod 600)",
        named(&.0.to_string_lossy())
    )]
    KeyExposed(PathBuf),
    /// The last line has no end, and gets one on the way, as RFC 5321 section 4.1.1.4 has it.
    #[error("the last line of the message has no end, and is sent with one")]
    NoLineEnd,
}

pub(crate) const SMTPUTF8: &str = "SMTPUTF8";

/// Why a host cannot be given a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the host does not offer {keyword}, which is needed for {reason}")]
pub struct Unmet {
    /// The keyword of the extension: `8BITMIME`, `BINARYMIME`, `SMTPUTF8`.
    pub keyword: &'static str,
    /// What for.
    pub reason: Reason,
}

/// Needs and the reason of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Demands {
    pub(super) body: Option<(BodyType, Reason)>,
    pub(super) smtputf8: Option<Reason>,
}

impl Demands {
    pub(super) fn needs(&self) -> Needs {
        Needs {
            body_type: self.body_type(),
            smtputf8: self.smtputf8.is_some(),
        }
    }

    pub(super) fn body_type(&self) -> BodyType {
        self.body
            .as_ref()
            .map_or(BodyType::SevenBit, |(body_type, _)| *body_type)
    }

    /// Adds a body; the first of the most demanding is the reason.
    pub(super) fn add_body(&mut self, body_type: BodyType, reason: impl FnOnce() -> Reason) {
        if body_type > self.body_type() {
            self.body = Some((body_type, reason()));
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        if let Some((body_type, reason)) = other.body {
            self.add_body(body_type, || reason);
        }
        self.smtputf8 = self.smtputf8.take().or(other.smtputf8);
    }

    /// What of it a host lacks.
    pub(super) fn unmet(&self, offered: Needs) -> Option<Unmet> {
        if let Some(reason) = self.smtputf8.as_ref().filter(|_| !offered.smtputf8) {
            return Some(Unmet {
                keyword: SMTPUTF8,
                reason: reason.clone(),
            });
        }
        let (body_type, reason) = self.body.as_ref()?;
        (*body_type > offered.body_type).then(|| Unmet {
            keyword: match body_type {
                BodyType::Binary => "BINARYMIME",
                BodyType::EightBit | BodyType::SevenBit => "8BITMIME",
            },
            reason: reason.clone(),
        })
    }
}
