//! The replies of MAP 3.5 and ours.

use crate::smtp::ReplyCode;
use std::fmt;

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
}

/// One reply of MAP with what it carries. `Display` prints it as MAP does: `RE_BADREPLY: <554>.`
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
    /// A reply code that was not the expected one.
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
}

/// Which of the four fields are empty.
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
        }
    }
}

impl MapReplyCode {
    /// Every code, in the order of the numbers.
    pub const ALL: [Self; 12] = [
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
        }
    }
}

impl fmt::Display for MapReply {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
