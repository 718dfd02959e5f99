//! The two texts of a call: what no e-mail can carry is refused here, once.

use std::str::FromStr;
use std::sync::Arc;

/// A subject: well-formed UTF-8 without NUL, CR or LF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(Arc<String>);

/// A content: well-formed UTF-8 without NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content(Arc<String>);

/// What makes a text unfit for an e-mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Nothing, or nothing but blanks, where a name belongs.
    #[error("there is nothing but blanks")]
    Blank,
    /// Not UTF-8.
    #[error("the octet at position {0} is not UTF-8")]
    IllFormed(usize),
    /// CR or LF in a subject or a name.
    #[error("there is a line end at position {0}, and this is one line")]
    LineEnd(usize),
    /// No room in this machine's memory, or in what the process may take of it, for a copy of so many octets.
    #[error("there is no memory for its {0} octets")]
    NoMemory(usize),
    /// NUL.
    #[error("there is a NUL octet at position {0}, which no e-mail can carry")]
    Nul(usize),
}

fn utf8_without_nul(octets: &[u8]) -> Result<&str, TextError> {
    let text = std::str::from_utf8(octets).map_err(|error| TextError::IllFormed(error.valid_up_to()))?;
    match memchr::memchr(0, octets) {
        Some(position) => Err(TextError::Nul(position)),
        None => Ok(text),
    }
}

/// A copy of a text of any length: a program that hands over more than there is memory for is told so, and not ended.
fn copied(text: &str) -> Result<Arc<String>, TextError> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len())
        .map_err(|_| TextError::NoMemory(text.len()))?;
    copy.push_str(text);
    Ok(Arc::new(copy))
}

/// A text of one line: well-formed UTF-8 without NUL, CR or LF.
pub(crate) fn line_of_text(octets: &[u8]) -> Result<&str, TextError> {
    let text = utf8_without_nul(octets)?;
    match memchr::memchr2(b'\r', b'\n', octets) {
        Some(position) => Err(TextError::LineEnd(position)),
        None => Ok(text),
    }
}

impl Subject {
    /// Takes a subject as it came from the caller.
    ///
    /// # Errors
    /// When it holds what a subject cannot, or there is no memory for it.
    pub fn parse(octets: &[u8]) -> Result<Self, TextError> {
        line_of_text(octets).and_then(copied).map(Self)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Content {
    /// A content without a character.
    pub(crate) fn empty() -> Self {
        Self(Arc::default())
    }

    /// Takes a content as it came from the caller.
    ///
    /// # Errors
    /// When it holds what no e-mail can carry, or there is no memory for it.
    pub fn parse(octets: &[u8]) -> Result<Self, TextError> {
        utf8_without_nul(octets).and_then(copied).map(Self)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Subject {
    type Err = TextError;

    /// # Errors
    /// When it holds what a subject cannot.
    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::parse(text.as_bytes())
    }
}

impl FromStr for Content {
    type Err = TextError;

    /// # Errors
    /// When it holds what no e-mail can carry.
    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::parse(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_one_line() {
        assert_eq!(Subject::parse(b"test").unwrap().as_str(), "test");
        assert_eq!(
            Subject::parse("\u{7}\u{85}\u{2028}é".as_bytes())
                .unwrap()
                .as_str(),
            "\u{7}\u{85}\u{2028}é"
        );
        for (octets, why) in [
            (b"a\rb".as_slice(), TextError::LineEnd(1)),
            (b"\nab", TextError::LineEnd(0)),
            (b"ab\r\n", TextError::LineEnd(2)),
            (b"ab\0", TextError::Nul(2)),
            (b"a\r\0", TextError::Nul(2)),
            (b"abc\xff", TextError::IllFormed(3)),
            (b"\xc0\x8a", TextError::IllFormed(0)),
        ] {
            assert_eq!(Subject::parse(octets), Err(why), "{octets:?}");
        }
    }

    #[test]
    fn a_content_has_any_line_ends() {
        assert_eq!(Content::parse(b"\r\n\r\n.\n").unwrap().as_str(), "\r\n\r\n.\n");
        assert_eq!(Content::parse(b"a\0"), Err(TextError::Nul(1)));
        assert_eq!(Content::parse(b"a\x80"), Err(TextError::IllFormed(1)));
        assert_eq!(
            TextError::Nul(1).to_string(),
            "there is a NUL octet at position 1, which no e-mail can carry"
        );
    }
}
