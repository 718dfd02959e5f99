//! Octets to replies, whatever the pieces in which they arrive.
//!
//! RFC 5321 section 4.2, <https://www.rfc-editor.org/rfc/rfc5321#section-4.2>:
//!
//! ```text
//! Reply-line     = *( Reply-code "-" [ textstring ] CRLF )
//!                  Reply-code [ SP textstring ] CRLF
//! Reply-code     = %x32-35 %x30-35 %x30-39
//! textstring     = 1*(%d09 / %d32-126) ; HT, SP, Printable US-ASCII
//! ```
//!
//! Read more widely than that where it cannot lie:
//! - any three digits are a code: a 1yz or 6yz is a reply, and what it is worth is decided by who awaits it;
//! - a text may hold any octet but LF;
//! - lines with different codes are a reply if the last one is negative, and then it is what the last one says: servers
//!   that change their mind while they greet write so, and nobody reads a yes in it;
//! - LF without CR ends a line too, as some small servers write it. The code stands before it, so the verdict
//!   of the line is the same in either reading; what a stray LF inside a text would split off is no reply or
//!   one that nobody asked for, and both end the session.
//!
//! Everything else is not SMTP, and is found at the first octet that shows it.

use super::{Reply, ReplyCode, ReplyLine};

/// Octets of a line, its end included.
const MAX_LINE: usize = 2_048;
/// Lines of a reply.
const MAX_LINES: usize = 128;
/// Octets of a reply, line ends included.
const MAX_REPLY: usize = 16_384;
/// Octets of a code and its separator.
const PREFIX: usize = 4;

/// Puts replies together from the octets of a connection.
///
/// # Example
/// ```
/// use map_core::smtp::{ReplyCode, ReplyParser};
/// let mut parser = ReplyParser::default();
/// let mut octets: &[u8] = b"250-mx.example\r\n250 SIZE\r\n354 ";
/// let reply = parser.parse(&mut octets)?.expect("a whole reply");
/// assert_eq!(reply.code, ReplyCode::OK);
/// assert_eq!(reply.lines, [b"mx.example".to_vec(), b"SIZE".to_vec()]);
/// assert_eq!(parser.parse(&mut octets)?, None);
/// # Ok::<(), map_core::smtp::ReplyError>(())
/// ```
#[derive(Debug, Default)]
pub struct ReplyParser {
    /// The lines before the one that is being read.
    lines: Vec<ReplyLine>,
    /// The line that is being read, from its code on.
    line: Vec<u8>,
    /// Octets of this reply so far.
    octets: usize,
}

/// Why octets are no SMTP reply. Nothing that follows them can be trusted: the connection has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The last line of a reply is not negative, and has another code than a line before it.
    #[error("two codes in one reply")]
    CodeChanged,
    /// A line of more than 2,048 octets.
    #[error("a reply line of more than 2048 octets")]
    LineTooLong,
    /// A line that does not begin with three digits and then a blank, a hyphen or its end.
    #[error("a line without a reply code")]
    NoCode,
    /// More than 16,384 octets.
    #[error("a reply of more than 16384 octets")]
    ReplyTooLong,
    /// More than 128 lines.
    #[error("a reply of more than 128 lines")]
    TooManyLines,
}

impl ReplyParser {
    /// Takes octets up to the end of one reply from the front of `input`; `None` when all were taken and the
    /// reply is not whole yet.
    ///
    /// # Errors
    /// When the octets are no SMTP reply, or more than the limits allow. The parser is of no use afterwards.
    pub fn parse(&mut self, input: &mut &[u8]) -> Result<Option<Reply>, ReplyError> {
        while let Some((&octet, rest)) = input.split_first() {
            if self.line.len() < PREFIX {
                *input = rest;
                self.take_of_prefix(octet)?;
            } else {
                let length = memchr::memchr(b'\n', input).map_or(input.len(), |at| at + 1);
                let (taken, rest) = input.split_at(length);
                *input = rest;
                self.take_of_text(taken)?;
            }
            if self.line.last() == Some(&b'\n')
                && let Some(reply) = self.end_line()
            {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    /// True when a reply has begun and is not whole.
    pub fn is_within_reply(&self) -> bool {
        self.octets > 0
    }

    fn take_of_prefix(&mut self, octet: u8) -> Result<(), ReplyError> {
        if self.lines.len() >= MAX_LINES {
            return Err(ReplyError::TooManyLines);
        }
        let at = self.line.len();
        if at + 1 < PREFIX {
            if !octet.is_ascii_digit() {
                return Err(ReplyError::NoCode);
            }
        } else if !matches!(octet, b' ' | b'-' | b'\r' | b'\n') {
            return Err(ReplyError::NoCode);
        } else if octet != b'-' {
            self.check_last_code()?;
        }
        self.count(1)?;
        self.line.push(octet);
        Ok(())
    }

    /// The code of the last line is there.
    ///
    /// RFC 5321 section 4.2.1, <https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1>:
    /// > In a multiline reply, the reply code on each of the lines MUST be the same.
    ///
    /// It is not where Postfix's postscreen greets `220-…` and then says `521 …`, and others refuse a content by `550-…` and
    /// `554 …`. Every reader takes the last line there. A last line that says yes after another that did not is
    /// believed by nobody.
    fn check_last_code(&self) -> Result<(), ReplyError> {
        let code = code_of(&self.line);
        let is_same = self.lines.iter().all(|line| line.code == code);
        if is_same || code.severity().is_negative() {
            Ok(())
        } else {
            Err(ReplyError::CodeChanged)
        }
    }

    fn take_of_text(&mut self, octets: &[u8]) -> Result<(), ReplyError> {
        // After a bare code only its line end may stand.
        if self.line.len() == PREFIX && self.line.last() == Some(&b'\r') && octets.first() != Some(&b'\n') {
            return Err(ReplyError::NoCode);
        }
        if self.line.len().saturating_add(octets.len()) > MAX_LINE {
            return Err(ReplyError::LineTooLong);
        }
        self.count(octets.len())?;
        self.line.extend_from_slice(octets);
        Ok(())
    }

    fn count(&mut self, octets: usize) -> Result<(), ReplyError> {
        self.octets = self.octets.saturating_add(octets);
        if self.octets > MAX_REPLY {
            Err(ReplyError::ReplyTooLong)
        } else {
            Ok(())
        }
    }

    /// The line that is being read has its end; the reply, if it was the last.
    fn end_line(&mut self) -> Option<Reply> {
        let line = std::mem::take(&mut self.line);
        let code = code_of(&line);
        let more = line.get(3) == Some(&b'-');
        let text = line.get(PREFIX..).unwrap_or_default();
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = text.strip_suffix(b"\r").unwrap_or(text).to_vec();
        self.lines.push(ReplyLine { code, text });
        if more {
            return None;
        }
        let mut overruled = std::mem::take(&mut self.lines);
        *self = Self::default();
        let before = overruled.iter().rposition(|line| line.code != code);
        let lines = overruled.split_off(before.map_or(0, |last| last + 1));
        let mut reply = Reply::new(code, lines.into_iter().map(|line| line.text).collect());
        reply.overruled = overruled;
        Some(reply)
    }
}

/// The code that a line begins with: three digits, as read.
fn code_of(line: &[u8]) -> ReplyCode {
    let digits = line.iter().take(3);
    ReplyCode(digits.fold(0, |sum, digit| sum * 10 + u16::from(digit.saturating_sub(b'0'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The replies in some octets, or the error, and what is left behind either.
    fn read(octets: &[u8]) -> (Vec<(u16, usize)>, Option<ReplyError>, &[u8]) {
        let mut rest = octets;
        let mut parser = ReplyParser::default();
        let mut replies = Vec::new();
        loop {
            match parser.parse(&mut rest) {
                Ok(Some(reply)) => replies.push((reply.code.0, reply.lines.len())),
                Ok(None) => return (replies, None, rest),
                Err(error) => return (replies, Some(error), rest),
            }
        }
    }

    #[test]
    fn replies_and_what_is_none() {
        use ReplyError::{CodeChanged, NoCode};
        type Row = (&'static [u8], &'static [(u16, usize)], Option<ReplyError>);
        let table: [Row; 33] = [
            (b"", &[], None),
            (b"250", &[], None),
            (b"250 o", &[], None),
            (b"250 ok\r", &[], None),
            (b"250 ok\r\n", &[(250, 1)], None),
            (b"250\r\n", &[(250, 1)], None),
            (b"250\n", &[(250, 1)], None),
            (b"250 \r\n", &[(250, 1)], None),
            (b"250 ok\n", &[(250, 1)], None),
            (b"250-\r\n250\r\n", &[(250, 2)], None),
            (b"250-a\n250-b\r\n250 c\n", &[(250, 3)], None),
            (b"250 ok\r\n354 go on\r\n", &[(250, 1), (354, 1)], None),
            (b"000 x\r\n999 y\r\n", &[(0, 1), (999, 1)], None),
            (b"250-a\r\n", &[], None),
            (b"250-a\r\n251", &[], None),
            (b"250-a\r\n251 ", &[], Some(CodeChanged)),
            (b"250-a\r\n251\n", &[], Some(CodeChanged)),
            (b"250-a\r\n354 b\r\n", &[], Some(CodeChanged)),
            (b"550-a\r\n250 b\r\n", &[], Some(CodeChanged)),
            (b"550-a\r\n554-b\r\n250 c\r\n", &[], Some(CodeChanged)),
            (b"450-a\r\n650 b\r\n", &[], Some(CodeChanged)),
            (b"250-a\r\n550 b\r\n", &[(550, 1)], None),
            (b"250-a\r\n550\r\n", &[(550, 1)], None),
            (b"550-a\r\n450-b\r\n450 c\r\n", &[(450, 2)], None),
            (b"554-a\r\n220-b\r\n554 c\n250 d\n", &[(554, 1), (250, 1)], None),
            (b"250-a\r\nb\r\n", &[], Some(NoCode)),
            (b"25\r\n", &[], Some(NoCode)),
            (b"2500\r\n", &[], Some(NoCode)),
            (b"250_ok\r\n", &[], Some(NoCode)),
            (b"250\rok\r\n", &[], Some(NoCode)),
            (b" 250 ok\r\n", &[], Some(NoCode)),
            (b"\r\n", &[], Some(NoCode)),
            (b"220 a\r\nHTTP/1.1 400\r\n", &[(220, 1)], Some(NoCode)),
        ];
        for (octets, replies, error) in table {
            let (found, why, _) = read(octets);
            assert_eq!(
                (found.as_slice(), why),
                (replies, error),
                "{}",
                octets.escape_ascii()
            );
        }
    }

    #[test]
    fn what_follows_a_reply_is_left() {
        let mut octets: &[u8] = b"250 ok\r\n354 ";
        let mut parser = ReplyParser::default();
        assert_eq!(parser.parse(&mut octets).unwrap().unwrap().code, ReplyCode::OK);
        assert_eq!(octets, b"354 ");
        assert!(!parser.is_within_reply());
        assert_eq!(parser.parse(&mut octets), Ok(None));
        assert!(parser.is_within_reply() && octets.is_empty());
    }

    #[test]
    fn texts_are_unaltered() {
        let mut octets: &[u8] = b"550-5.1.1 \x00\xff \t\r\n550-\r\n550 b\rc \r\r\n";
        let reply = ReplyParser::default().parse(&mut octets).unwrap().unwrap();
        assert_eq!(
            reply.lines,
            [b"5.1.1 \x00\xff \t".to_vec(), b"".to_vec(), b"b\rc \r".to_vec()]
        );
        assert_eq!(reply.enhanced, Some(crate::smtp::EnhancedStatusCode::BAD_MAILBOX));
    }

    #[test]
    fn the_last_line_decides_and_the_others_are_kept() {
        let mut octets: &[u8] = b"220-hello\r\n550-5.1.1 a\r\n521-5.7.1 not\r\n521 5.3.2 you\r\n";
        let reply = ReplyParser::default().parse(&mut octets).unwrap().unwrap();
        assert_eq!(reply.code, ReplyCode(521));
        assert_eq!(
            reply.enhanced,
            Some(crate::smtp::EnhancedStatusCode::new(5, 7, 1))
        );
        assert_eq!(reply.text(), "5.7.1 not\n5.3.2 you");
        let line = |code, text: &[u8]| ReplyLine {
            code: ReplyCode(code),
            text: text.to_vec(),
        };
        assert_eq!(reply.overruled, [line(220, b"hello"), line(550, b"5.1.1 a")]);
    }

    #[test]
    fn the_limits_are_exact() {
        let line = |length: usize| [b"250 ", "x".repeat(length - 6).as_bytes(), b"\r\n"].concat();
        assert_eq!(read(&line(MAX_LINE)).0, [(250, 1)]);
        assert_eq!(read(&line(MAX_LINE + 1)).1, Some(ReplyError::LineTooLong));
        assert_eq!(
            read(&line(MAX_LINE + 1)[..=MAX_LINE]).1,
            Some(ReplyError::LineTooLong)
        );
        assert_eq!(read(&line(MAX_LINE + 1)[..MAX_LINE]).1, None);

        let lines = |count: usize| ["250-\r\n".repeat(count - 1).as_bytes(), b"250 \r\n"].concat();
        assert_eq!(read(&lines(MAX_LINES)).0, [(250, MAX_LINES)]);
        assert_eq!(read(&lines(MAX_LINES + 1)).1, Some(ReplyError::TooManyLines));

        let long = |octets: usize| {
            let mut reply = [b"250-", "x".repeat(1018).as_bytes(), b"\r\n"]
                .concat()
                .repeat(15);
            reply.extend(line(octets - reply.len()));
            reply
        };
        assert_eq!(read(&long(MAX_REPLY)).0, [(250, 16)]);
        assert_eq!(read(&long(MAX_REPLY + 1)).1, Some(ReplyError::ReplyTooLong));
    }
}
