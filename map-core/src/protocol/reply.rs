//! The replies of MAP 3.5 and ours.

use crate::smtp::ReplyCode;
use crate::text::{OneLine, parse_one_line, quoted};
use std::fmt;
use std::str::FromStr;

/// The number of a reply, as C and Python see it. Numbers never change; 0 is success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(i32)]
pub enum MapReplyCode {
    /// `RE_SUCCESS`
    Success = 0,
    /// `RE_NO_EMPTY`
    NoEmpty = 1,
    /// `RE_INVALID_FORMAT`
    InvalidFormat = 2,
    /// `RE_DNS_FAIL`
    DnsFail = 3,
    /// `RE_SERVER_UNREACH`
    ServerUnreach = 4,
    /// `RE_PORT_BLOCKED`
    PortBlocked = 5,
    /// `RE_BADREPLY`
    BadReply = 6,
    /// `RE_SERVICE_DENIED`
    ServiceDenied = 7,
    /// `RE_UNCERTAIN`
    Uncertain = 64,
    /// `RE_CANCELLED`
    Cancelled = 65,
    /// `RE_INTERNAL`
    Internal = 66,
    /// `RE_MISUSE`
    Misuse = 67,
    /// `RE_PARTIAL`
    Partial = 68,
    /// `RE_LOCAL`
    Local = 69,
}

/// One reply of MAP with what it carries.
///
/// `Display` prints it as MAP does, `RE_BADREPLY: <554>.`, always on one line: in what stands between the angle
/// brackets, control characters, line separators, characters that turn or hide text and a blank at the end are
/// written `\\u{…}` with their number in hexadecimal, and so is a backslash that stands before `u{`. Nothing else
/// is changed. `FromStr` reads it back as an equal value; it takes the scan's `RE_SEVICE_DENIED` and the blank
/// before `>` in MAP A.4 for what they mean, and does not mind blanks and line ends around the reply.
///
/// # Example
/// ```
/// use map_core::MapReply;
///
/// let reply = MapReply::InvalidFormat("a\nb".into());
/// assert_eq!(reply.to_string(), r"RE_INVALID_FORMAT: <a\u{a}b>.");
/// assert_eq!(reply.to_string().parse(), Ok(reply));
/// assert_eq!("RE_SEVICE_DENIED.".parse(), Ok(MapReply::ServiceDenied));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MapReply {
    /// The server accepted the content.
    Success,
    /// Fields are empty.
    NoEmpty(EmptyFields),
    /// A field cannot be mailed; the address, or the name of the field.
    InvalidFormat(String),
    /// The recipient's domain takes no mail or could not be looked up; the domain.
    DnsFail(String),
    /// Nobody to talk to.
    ServerUnreach,
    /// Outgoing port 25 is blocked.
    PortBlocked,
    /// A reply code that was not the expected one; printed with three digits.
    BadReply(ReplyCode),
    /// 550, or another 5yz for a reason of policy.
    ServiceDenied,
    /// The content may have reached the server and no final reply came.
    Uncertain,
    /// The caller cancelled before the content was sent.
    Cancelled,
    /// A fault inside the library.
    Internal,
    /// The interface was used wrongly; how.
    Misuse(String),
    /// Some recipients have the message and the others do not, for certain; printed `<1 of 2>`.
    Partial {
        /// Recipients who have it.
        accepted: usize,
        /// All recipients.
        recipients: usize,
    },
    /// This machine or the caller's data failed; what.
    Local(String),
}

/// Which of the four fields are empty. `Display` names them as MAP A.2 does, each followed by a comma: `To, Content,`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EmptyFields {
    /// From
    pub from: bool,
    /// To
    pub to: bool,
    /// Subject
    pub subject: bool,
    /// Content
    pub content: bool,
}

impl MapReply {
    /// The number.
    pub fn code(&self) -> MapReplyCode {
        match self {
            Self::Success => MapReplyCode::Success,
            Self::NoEmpty(_) => MapReplyCode::NoEmpty,
            Self::InvalidFormat(_) => MapReplyCode::InvalidFormat,
            Self::DnsFail(_) => MapReplyCode::DnsFail,
            Self::ServerUnreach => MapReplyCode::ServerUnreach,
            Self::PortBlocked => MapReplyCode::PortBlocked,
            Self::BadReply(_) => MapReplyCode::BadReply,
            Self::ServiceDenied => MapReplyCode::ServiceDenied,
            Self::Uncertain => MapReplyCode::Uncertain,
            Self::Cancelled => MapReplyCode::Cancelled,
            Self::Internal => MapReplyCode::Internal,
            Self::Misuse(_) => MapReplyCode::Misuse,
            Self::Partial { .. } => MapReplyCode::Partial,
            Self::Local(_) => MapReplyCode::Local,
        }
    }
}

impl MapReplyCode {
    /// Every code, in the order of the numbers.
    pub const ALL: [Self; 14] = [
        Self::Success,
        Self::NoEmpty,
        Self::InvalidFormat,
        Self::DnsFail,
        Self::ServerUnreach,
        Self::PortBlocked,
        Self::BadReply,
        Self::ServiceDenied,
        Self::Uncertain,
        Self::Cancelled,
        Self::Internal,
        Self::Misuse,
        Self::Partial,
        Self::Local,
    ];

    /// `RE_SUCCESS`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "RE_SUCCESS",
            Self::NoEmpty => "RE_NO_EMPTY",
            Self::InvalidFormat => "RE_INVALID_FORMAT",
            Self::DnsFail => "RE_DNS_FAIL",
            Self::ServerUnreach => "RE_SERVER_UNREACH",
            Self::PortBlocked => "RE_PORT_BLOCKED",
            Self::BadReply => "RE_BADREPLY",
            Self::ServiceDenied => "RE_SERVICE_DENIED",
            Self::Uncertain => "RE_UNCERTAIN",
            Self::Cancelled => "RE_CANCELLED",
            Self::Internal => "RE_INTERNAL",
            Self::Misuse => "RE_MISUSE",
            Self::Partial => "RE_PARTIAL",
            Self::Local => "RE_LOCAL",
        }
    }

    /// The code with this name; `RE_SEVICE_DENIED`, as MAP 3.5 heads its seventh reply, is one of them.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = if name == "RE_SEVICE_DENIED" {
            Self::ServiceDenied.name()
        } else {
            name
        };
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    /// The code with this number.
    pub fn from_i32(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| *code as i32 == number)
    }

    /// What it means: a sentence for a person who knows no more than this code.
    pub fn description(self) -> &'static str {
        match self {
            Self::Success => "The recipient's mail server, or the relay that was set, accepted the message.",
            Self::NoEmpty => {
                "Sender, recipient, subject and content must all be filled in; nothing was sent."
            }
            Self::InvalidFormat => {
                "An address is not a valid one, or a text holds what no e-mail can carry; nothing was sent."
            }
            Self::DnsFail => {
                "The recipient's domain takes no mail, or its name could not be looked up; nothing was sent."
            }
            Self::ServerUnreach => {
                "No mail server of the recipient's domain could be talked to; nothing was sent."
            }
            Self::PortBlocked => {
                "This computer or its Internet provider blocks outgoing mail (TCP port 25); nothing was sent."
            }
            Self::BadReply => {
                "The recipient's mail server did not accept the message; its reply code says why."
            }
            Self::ServiceDenied => {
                "The recipient's mail server refused the message, mostly for a reason of policy: an unknown \
                 mailbox, or a sending address it does not trust."
            }
            Self::Uncertain => {
                "The whole message may have reached the recipient's mail server, which then fell silent; \
                 sending it again may deliver it twice."
            }
            Self::Cancelled => {
                "The sending was cancelled before the message was handed over; nothing was sent."
            }
            Self::Internal => "There is a fault in the mail library itself; the report says where.",
            Self::Misuse => "The library was called in a way it does not allow; nothing was sent.",
            Self::Partial => {
                "Some of the recipients have the message and the others do not; send it again to the others only, \
                 or some receive it twice."
            }
            Self::Local => {
                "Something on this computer failed, not the network and not the recipient: a file could not be read, \
                 or no memory, space, thread or open file was left; nothing was delivered."
            }
        }
    }
}

/// Why a text is no reply of MAP.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapReplyError {
    /// What stands between the angle brackets does not fit the reply.
    #[error("{0} cannot carry {argument}", argument = quoted(.1))]
    Argument(&'static str, String),
    /// No final full stop, or angle brackets missing or too many.
    #[error("{} does not have the form RE_NAME. or RE_NAME: <…>.", quoted(.0))]
    Form(String),
    /// A name that no reply has.
    #[error("there is no reply {}", quoted(.0))]
    Name(String),
}

impl fmt::Display for MapReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.code().name();
        match self {
            Self::NoEmpty(fields) => write!(f, "{name}: <{fields}>."),
            Self::BadReply(code) => write!(f, "{name}: <{code}>."),
            Self::Partial { accepted, recipients } => write!(f, "{name}: <{accepted} of {recipients}>."),
            Self::InvalidFormat(text) | Self::DnsFail(text) | Self::Misuse(text) | Self::Local(text) => {
                write!(f, "{name}: <{}>.", OneLine(text))
            }
            Self::Success
            | Self::ServerUnreach
            | Self::PortBlocked
            | Self::ServiceDenied
            | Self::Uncertain
            | Self::Cancelled
            | Self::Internal => write!(f, "{name}."),
        }
    }
}

impl FromStr for MapReply {
    type Err = MapReplyError;

    /// # Errors
    /// What keeps it from being a reply.
    fn from_str(text: &str) -> Result<Self, MapReplyError> {
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        let form = || MapReplyError::Form(text.into());
        let body = text.strip_suffix('.').ok_or_else(form)?;
        let (name, argument) = match body.split_once(':') {
            None => (body, None),
            Some((name, rest)) => {
                let bracketed = rest.trim_start_matches([' ', '\t']).strip_prefix('<');
                (
                    name,
                    Some(
                        bracketed
                            .and_then(|rest| rest.strip_suffix('>'))
                            .ok_or_else(form)?,
                    ),
                )
            }
        };
        let code = MapReplyCode::from_name(name).ok_or_else(|| MapReplyError::Name(name.into()))?;
        let Some(argument) = argument else {
            return Self::plain(code).ok_or_else(form);
        };
        let unfit = || MapReplyError::Argument(code.name(), argument.into());
        let text = || parse_one_line(argument).ok_or_else(unfit);
        match code {
            MapReplyCode::NoEmpty => EmptyFields::parse(argument).map(Self::NoEmpty).ok_or_else(unfit),
            MapReplyCode::InvalidFormat => text().map(Self::InvalidFormat),
            MapReplyCode::DnsFail => text().map(Self::DnsFail),
            MapReplyCode::Misuse => text().map(Self::Misuse),
            MapReplyCode::Local => text().map(Self::Local),
            MapReplyCode::Partial => partial(argument).ok_or_else(unfit),
            MapReplyCode::BadReply => reply_code(argument).map(Self::BadReply).ok_or_else(unfit),
            _ => Err(form()),
        }
    }
}

impl MapReply {
    /// The reply of a code that carries nothing.
    pub(super) fn plain(code: MapReplyCode) -> Option<Self> {
        Some(match code {
            MapReplyCode::Success => Self::Success,
            MapReplyCode::ServerUnreach => Self::ServerUnreach,
            MapReplyCode::PortBlocked => Self::PortBlocked,
            MapReplyCode::ServiceDenied => Self::ServiceDenied,
            MapReplyCode::Uncertain => Self::Uncertain,
            MapReplyCode::Cancelled => Self::Cancelled,
            MapReplyCode::Internal => Self::Internal,
            MapReplyCode::NoEmpty
            | MapReplyCode::InvalidFormat
            | MapReplyCode::DnsFail
            | MapReplyCode::BadReply
            | MapReplyCode::Misuse
            | MapReplyCode::Partial
            | MapReplyCode::Local => return None,
        })
    }
}

fn partial(text: &str) -> Option<MapReply> {
    // `parse` would take a sign as well.
    let count = |digits: &str| {
        let is_number = digits.bytes().all(|octet| octet.is_ascii_digit());
        is_number.then(|| digits.parse().ok())?
    };
    let (accepted, recipients) = text.trim_end_matches(' ').split_once(" of ")?;
    Some(MapReply::Partial {
        accepted: count(accepted)?,
        recipients: count(recipients)?,
    })
}

fn reply_code(text: &str) -> Option<ReplyCode> {
    let text = text.trim_end_matches(' ');
    let digits = text.len() == 3 && text.bytes().all(|octet| octet.is_ascii_digit());
    digits.then(|| text.parse().ok().map(ReplyCode))?
}

impl EmptyFields {
    /// True when at least one is.
    pub fn any(self) -> bool {
        self != Self::default()
    }

    /// The names of those that are, in the order of MAP A.2.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let fields = [
            ("From", self.from),
            ("To", self.to),
            ("Subject", self.subject),
            ("Content", self.content),
        ];
        fields
            .into_iter()
            .filter_map(|(name, empty)| empty.then_some(name))
    }
}

impl fmt::Display for EmptyFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().enumerate() {
            write!(f, "{}{name},", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl EmptyFields {
    fn parse(text: &str) -> Option<Self> {
        let mut empty = Self::default();
        let text = text.trim_matches(' ');
        if text.is_empty() {
            return Some(empty);
        }
        for name in text.strip_suffix(',')?.split(',') {
            let field = match name.trim_start_matches(' ') {
                "From" => &mut empty.from,
                "To" => &mut empty.to,
                "Subject" => &mut empty.subject,
                "Content" => &mut empty.content,
                _ => return None,
            };
            *field = true;
        }
        Some(empty)
    }
}
