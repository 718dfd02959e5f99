//! Replies of RFC 5321 section 4.2 and the enhanced status codes of RFC 3463.

use std::fmt;

/// A three-digit reply code, 000 to 999 as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplyCode(pub u16);

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

/// `class.subject.detail` of RFC 3463.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnhancedStatusCode {
    /// 2, 4 or 5
    pub class: u8,
    /// 0 to 999
    pub subject: u16,
    /// 0 to 999
    pub detail: u16,
}

impl fmt::Display for EnhancedStatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// A whole reply, one line or many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The code on every line.
    pub code: ReplyCode,
    /// The enhanced status code that the text begins with, if its class equals the code's first digit.
    pub enhanced: Option<EnhancedStatusCode>,
    /// The text of each line behind code and separator, unaltered.
    pub lines: Vec<Vec<u8>>,
}
