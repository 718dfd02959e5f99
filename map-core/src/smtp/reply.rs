//! Replies of RFC 5321 section 4.2 and the enhanced status codes of RFC 3463.

use std::borrow::Cow;
use std::fmt;

/// A three-digit reply code, 000 to 999 as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplyCode(pub u16);

/// What the first digit of a reply code says (RFC 5321 section 4.2.1), in the order of the digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// 1yz; SMTP has no command that may be answered so.
    PositivePreliminary,
    /// 2yz: done.
    PositiveCompletion,
    /// 3yz: go on.
    PositiveIntermediate,
    /// 4yz: not now.
    TransientNegative,
    /// 5yz: no.
    PermanentNegative,
    /// A first digit without a meaning: 0, 6 to 9.
    Undefined,
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

/// A whole reply, one line or many.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reply {
    /// The code of its last line, which decides.
    pub code: ReplyCode,
    /// The enhanced status code that the text begins with, if its class equals the code's first digit.
    pub enhanced: Option<EnhancedStatusCode>,
    /// The text of each line with that code, after code and separator, unaltered: all lines, or where some before them
    /// had another code, those that follow.
    pub lines: Vec<Vec<u8>>,
    /// Lines that came before these, up to the last with another code. They decide nothing; there are none in a reply as
    /// RFC 5321 wants it.
    pub overruled: Vec<ReplyLine>,
}

/// A line of a reply.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReplyLine {
    /// Its code.
    pub code: ReplyCode,
    /// The text after code and separator, unaltered.
    pub text: Vec<u8>,
}

impl ReplyCode {
    /// What the first digit says.
    ///
    /// ```
    /// use map_core::smtp::{ReplyCode, Severity};
    /// assert_eq!(ReplyCode(421).severity(), Severity::TransientNegative);
    /// assert_eq!(ReplyCode(99).severity(), Severity::Undefined);
    /// ```
    pub fn severity(self) -> Severity {
        match self.0 / 100 {
            1 => Severity::PositivePreliminary,
            2 => Severity::PositiveCompletion,
            3 => Severity::PositiveIntermediate,
            4 => Severity::TransientNegative,
            5 => Severity::PermanentNegative,
            _ => Severity::Undefined,
        }
    }
}

impl Severity {
    /// 4yz and 5yz.
    pub fn is_negative(self) -> bool {
        matches!(self, Self::TransientNegative | Self::PermanentNegative)
    }
}

impl EnhancedStatusCode {
    /// `class.subject.detail`
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        Self {
            class,
            subject,
            detail,
        }
    }

    /// Reads the code at the beginning of a reply's text: `status-code SP text`, or the code alone.
    ///
    /// `None` when there is none, and when its class is not the first digit of `code`.
    ///
    /// ```
    /// use map_core::smtp::{EnhancedStatusCode, ReplyCode};
    /// let code = EnhancedStatusCode::at_start_of(b"5.1.1 no such user", ReplyCode(550));
    /// assert_eq!(code, Some(EnhancedStatusCode::BAD_MAILBOX));
    /// assert_eq!(EnhancedStatusCode::at_start_of(b"2.1.5 ok", ReplyCode(550)), None);
    /// ```
    pub fn at_start_of(text: &[u8], code: ReplyCode) -> Option<Self> {
        let word = text.split(|octet| *octet == b' ').next()?;
        let mut numbers = word.split(|octet| *octet == b'.');
        let class = number(numbers.next()?)?;
        let subject = number(numbers.next()?)?;
        let detail = number(numbers.next()?)?;
        if numbers.next().is_some() || class != code.0 / 100 || !matches!(class, 2 | 4 | 5) {
            return None;
        }
        Some(Self {
            class: u8::try_from(class).ok()?,
            subject,
            detail,
        })
    }
}

/// RFC 3463 section 2, <https://www.rfc-editor.org/rfc/rfc3463#section-2>:
/// > subject = 1*3digit
/// > detail = 1*3digit
///
/// and without leading zeros.
fn number(digits: &[u8]) -> Option<u16> {
    let well_formed = match digits {
        [b'0'..=b'9'] => true,
        [b'1'..=b'9', rest @ ..] => rest.len() <= 2 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !well_formed {
        return None;
    }
    Some(
        digits
            .iter()
            .fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')),
    )
}

impl Reply {
    /// A reply from its code and the text of its lines; the enhanced status code is read from the first.
    pub fn new(code: ReplyCode, lines: Vec<Vec<u8>>) -> Self {
        let enhanced = lines
            .first()
            .and_then(|text| EnhancedStatusCode::at_start_of(text, code));
        Self {
            code,
            enhanced,
            lines,
            overruled: Vec::new(),
        }
    }

    /// What the first digit says.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// The same with no more than so many octets of its text; what its beginning said of the status stays said. The lines
    /// that decide nothing are there if all have room beside it.
    pub(crate) fn beginning(&self, octets: usize) -> Self {
        let mut left = octets;
        let mut lines = Vec::new();
        for line in &self.lines {
            let mut kept = line.len().min(left);
            // Not within a character.
            while kept < line.len() && line.get(kept).is_some_and(|octet| octet & 0xc0 == 0x80) && kept > 0 {
                kept -= 1;
            }
            lines.push(line.get(..kept).unwrap_or_default().to_vec());
            left -= kept;
            if kept < line.len() || left == 0 {
                break;
            }
        }
        let overruled: usize = self.overruled.iter().map(|line| line.text.len() + 1).sum();
        let has_room = lines == self.lines && overruled <= left;
        Self {
            code: self.code,
            enhanced: self.enhanced,
            lines,
            overruled: if has_room {
                self.overruled.clone()
            } else {
                Vec::new()
            },
        }
    }

    /// The text of its [`lines`](Self::lines), joined by LF, unaltered otherwise; untrusted octets.
    pub fn octets(&self) -> Vec<u8> {
        self.lines.join(&b'\n')
    }

    /// The text of its [`lines`](Self::lines), joined by LF; octets that are not UTF-8 become U+FFFD. Untrusted: escape it
    /// where it is shown.
    ///
    /// ```
    /// use map_core::smtp::{Reply, ReplyCode};
    /// let reply = Reply::new(ReplyCode(250), vec![b"mx.example".to_vec(), b"SIZE".to_vec()]);
    /// assert_eq!(reply.text(), "mx.example\nSIZE");
    /// ```
    pub fn text(&self) -> String {
        match String::from_utf8_lossy(&self.octets()) {
            Cow::Borrowed(text) => text.to_owned(),
            Cow::Owned(text) => text,
        }
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

impl fmt::Display for EnhancedStatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enhanced_status_code_counts_only_in_its_own_class() {
        let table: [(&[u8], u16, Option<EnhancedStatusCode>); 15] = [
            (b"5.1.1 no", 550, Some(EnhancedStatusCode::new(5, 1, 1))),
            (b"5.1.1", 550, Some(EnhancedStatusCode::new(5, 1, 1))),
            (b"4.7.999 wait", 451, Some(EnhancedStatusCode::new(4, 7, 999))),
            (
                b"2.0.0 Ok: queued as 42",
                250,
                Some(EnhancedStatusCode::new(2, 0, 0)),
            ),
            (b"2.1.5 ok", 550, None),
            (b"5.1.1 no", 450, None),
            (b"3.0.0 go", 354, None),
            (b"5.1", 550, None),
            (b"5.1.1.1", 550, None),
            (b"5.01.1", 550, None),
            (b"5.1.1000", 550, None),
            (b"5..1", 550, None),
            (b" 5.1.1", 550, None),
            (b"5.1.1\tno", 550, None),
            (b"", 550, None),
        ];
        for (text, code, expected) in table {
            let found = EnhancedStatusCode::at_start_of(text, ReplyCode(code));
            assert_eq!(found, expected, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn codes_print_three_digits() {
        assert_eq!(ReplyCode(7).to_string(), "007");
        assert_eq!(ReplyCode(550).to_string(), "550");
        assert_eq!(EnhancedStatusCode::NULL_MX.to_string(), "5.1.10");
    }

    #[test]
    fn a_beginning_is_the_reply_or_less_of_it() {
        let reply = Reply::new(
            ReplyCode(550),
            vec![b"5.1.1 caf\xc3\xa9".to_vec(), Vec::new(), b"no".to_vec()],
        );
        assert_eq!(reply.beginning(100), reply);
        let mut with_others = reply.clone();
        with_others.overruled = vec![
            ReplyLine {
                code: ReplyCode(250),
                text: b"ok".to_vec(),
            };
            2
        ];
        assert_eq!(with_others.beginning(19), with_others);
        assert_eq!(with_others.beginning(18), reply);
        let beginnings = [
            (13, "5.1.1 caf\u{e9}\n\nno"),
            (12, "5.1.1 caf\u{e9}\n\nn"),
            (10, "5.1.1 caf"),
            (0, ""),
        ];
        for (octets, text) in beginnings {
            let beginning = reply.beginning(octets);
            assert_eq!(beginning.text(), text, "{octets}");
            assert_eq!((beginning.code, beginning.enhanced), (reply.code, reply.enhanced));
        }
    }

    #[test]
    fn text_keeps_what_is_utf8_and_marks_what_is_not() {
        let reply = Reply::new(ReplyCode(550), vec![b"caf\xe9".to_vec(), "né".into()]);
        assert_eq!(reply.text(), "caf\u{fffd}\nné");
        assert_eq!(reply.octets(), b"caf\xe9\nn\xc3\xa9");
    }
}
