//! Identifiers that others have made, or that need no `@`: what `In-Reply-To`, `References` and `Content-ID` name.

use super::MessageId;
use super::encoded_word::{Folded, MAX_LINE};
use crate::text::quoted;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The `Message-ID` of another message, as it stands between `<` and `>` there.
///
/// Real mail has many that the grammar of RFC 5322 has not: nothing after the `@`, none or two of them, two dots in a
/// row, brackets. A reader finds the thread only if it is named exactly so: whatever is printable ASCII without blanks and
/// angle brackets travels as it is.
///
/// # Example
/// ```
/// use map_core::message::ReferenceId;
///
/// let id: ReferenceId = "<[17@abc].@>".parse()?;
/// assert_eq!(id.as_str(), "[17@abc].@");
/// assert!("<a b@c>".parse::<ReferenceId>().is_err());
///
/// let thread = ReferenceId::list("<1@x.example><2@x.example>,\r\n <3>")?;
/// assert_eq!(thread.len(), 3);
/// # Ok::<(), map_core::message::ReferenceIdError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReferenceId(Arc<str>);

/// The `Content-ID` of a part, by which HTML names it: `<img src="cid:logo@example.com">`.
///
/// It should have an `@` (RFC 2392), and every reader takes one without: the message has a
/// [warning](super::Message::warnings) then.
///
/// # Example
/// ```
/// use map_core::message::ContentId;
///
/// let id: ContentId = "logo@example.com".parse()?;
/// assert_eq!(id.as_str(), "logo@example.com");
/// assert!("logo".parse::<ContentId>().is_ok());
/// # Ok::<(), map_core::message::ReferenceIdError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContentId(Arc<str>);

/// Why a text is no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceIdError {
    /// A blank, a control character, an angle bracket or a character beyond ASCII, none of which can stand in a header
    /// field of identifiers.
    #[error("the character {character:?} cannot stand in the identifier {}", quoted(.id))]
    Character {
        /// Which.
        character: char,
        /// The identifier.
        id: String,
    },
    /// Nothing.
    #[error("an identifier is empty")]
    Empty,
    /// An identifier must fit on one line.
    #[error("an identifier is at most {MAX_OCTETS} octets long, and one has {0}")]
    Length(usize),
    /// A word without an `@` and without angle brackets: more likely text than an identifier. Put it in angle brackets if it
    /// is one.
    #[error("{} has no @; if it is an identifier, put it in angle brackets", quoted(.0))]
    NoAt(String),
    /// A `<` without its `>`.
    #[error("the angle bracket around the identifier {} is not closed", quoted(.0))]
    NotClosed(String),
}

/// What a line of 998 octets has room for after a blank, in angle brackets.
const MAX_OCTETS: usize = MAX_LINE - " <>".len();

impl ReferenceId {
    /// Several, as the fields of a message have them: one after the other or with blanks, line ends or commas between
    /// them. Angle brackets may be left away around one that has an `@`.
    ///
    /// # Errors
    /// What is wrong with one of them. None at all is no error.
    pub fn list(text: &str) -> Result<Vec<Self>, ReferenceIdError> {
        let between = [' ', '\t', '\r', '\n', ','];
        let mut ids = Vec::new();
        let mut rest = text.trim_start_matches(between);
        while !rest.is_empty() {
            let (id, behind) = if let Some(inside) = rest.strip_prefix('<') {
                let closed = inside.split_once('>');
                closed.ok_or_else(|| ReferenceIdError::NotClosed(excerpt(inside)))?
            } else {
                let (id, behind) = rest.split_at(rest.find(between).unwrap_or(rest.len()));
                (with_at(id)?, behind)
            };
            ids.push(Self(checked(id)?));
            rest = behind.trim_start_matches(between);
        }
        Ok(ids)
    }

    /// The text, without angle brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ContentId {
    /// The text, without angle brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn has_at(&self) -> bool {
        self.0.contains('@')
    }
}

/// With its angle brackets, or without them if it has an `@`.
impl FromStr for ReferenceId {
    type Err = ReferenceIdError;

    /// # Errors
    /// What is wrong with it.
    fn from_str(text: &str) -> Result<Self, ReferenceIdError> {
        let id = bare(text);
        checked(if id == text { with_at(id)? } else { id }).map(Self)
    }
}

/// With or without its angle brackets.
impl FromStr for ContentId {
    type Err = ReferenceIdError;

    /// # Errors
    /// What is wrong with it.
    fn from_str(text: &str) -> Result<Self, ReferenceIdError> {
        checked(bare(text)).map(Self)
    }
}

impl From<MessageId> for ReferenceId {
    fn from(id: MessageId) -> Self {
        Self(id.as_str().into())
    }
}

impl From<MessageId> for ContentId {
    fn from(id: MessageId) -> Self {
        Self(id.as_str().into())
    }
}

impl fmt::Display for ReferenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes a field of identifiers, with its line ends. None writes nothing.
pub(super) fn write_ids(out: &mut Vec<u8>, name: &str, ids: &[impl fmt::Display]) {
    if ids.is_empty() {
        return;
    }
    let mut field = Folded::new(out, name);
    for id in ids {
        field.word(&format!("<{id}>"));
    }
    field.finish();
}

fn bare(text: &str) -> &str {
    let inside = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    inside.unwrap_or(text)
}

fn with_at(id: &str) -> Result<&str, ReferenceIdError> {
    if id.is_empty() || id.contains('@') {
        Ok(id)
    } else {
        Err(ReferenceIdError::NoAt(excerpt(id)))
    }
}

fn checked(id: &str) -> Result<Arc<str>, ReferenceIdError> {
    if id.is_empty() {
        return Err(ReferenceIdError::Empty);
    }
    if id.len() > MAX_OCTETS {
        return Err(ReferenceIdError::Length(id.len()));
    }
    let stands = |character: &char| character.is_ascii_graphic() && !matches!(character, '<' | '>');
    match id.chars().find(|character| !stands(character)) {
        Some(character) => Err(ReferenceIdError::Character {
            character,
            id: excerpt(id),
        }),
        None => Ok(id.into()),
    }
}

/// Enough of a text to recognise it by.
fn excerpt(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_real_mail_has() {
        let longest = "a".repeat(MAX_OCTETS);
        for id in [
            "a@b.example",
            "17@",
            "@b.example",
            "17",
            "a@b@c",
            "a..b@c",
            "[17@abc]",
            "a@b.example.",
            "\"a\"@b",
            "a,b;c@d",
            "!&!AAAA(x)/+=$#@mail",
            longest.as_str(),
        ] {
            assert_eq!(id.parse::<ReferenceId>().is_ok(), id.contains('@'), "{id}");
            assert_eq!(format!("<{id}>").parse::<ReferenceId>().unwrap().as_str(), id);
            assert_eq!(format!("<{id}>").parse::<ContentId>().unwrap().as_str(), id);
            let mut out = Vec::new();
            write_ids(
                &mut out,
                "References",
                &ReferenceId::list(&format!(" <{id}>")).unwrap(),
            );
            let out = String::from_utf8(out).unwrap();
            assert_eq!(
                out.replace("\r\n", "").replace(' ', ""),
                format!("References:<{id}>")
            );
            assert!(out.lines().all(|line| line.len() <= 998));
        }
        for (text, error) in [
            ("", "an identifier is empty"),
            ("<>", "an identifier is empty"),
            (
                "a @b",
                "the character ' ' cannot stand in the identifier \"a @b\"",
            ),
            (
                "<a\tb>",
                "the character '\\t' cannot stand in the identifier \"a\\tb\"",
            ),
            (
                "a\r\nBcc: x@y",
                "the character '\\r' cannot stand in the identifier \"a\\r\\nBcc: x@y\"",
            ),
            ("<a@", "the character '<' cannot stand in the identifier \"<a@\""),
            (
                "a>@b",
                "the character '>' cannot stand in the identifier \"a>@b\"",
            ),
            ("é@b", "the character 'é' cannot stand in the identifier \"é@b\""),
            (
                "@\0",
                "the character '\\0' cannot stand in the identifier \"@\\0\"",
            ),
        ] {
            assert_eq!(
                text.parse::<ReferenceId>().unwrap_err().to_string(),
                error,
                "{text:?}"
            );
            assert_eq!(
                text.parse::<ContentId>().unwrap_err().to_string(),
                error,
                "{text:?}"
            );
        }
        assert_eq!(
            format!("<{longest}a>").parse::<ReferenceId>(),
            Err(ReferenceIdError::Length(MAX_OCTETS + 1))
        );
    }

    #[test]
    fn several_in_a_field() {
        for (text, expected) in [
            ("", ""),
            (" ,\r\n ", ""),
            ("<1@x>", "1@x"),
            ("<1@x><2@x>", "1@x 2@x"),
            ("<1@x> , <2@x>\r\n\t<3>", "1@x 2@x 3"),
            ("1@x 2@x,3@x", "1@x 2@x 3@x"),
            ("<a,b@x> c@x", "a,b@x c@x"),
        ] {
            let ids = ReferenceId::list(text).unwrap();
            let ids: Vec<_> = ids.iter().map(ReferenceId::as_str).collect();
            assert_eq!(ids.join(" "), expected, "{text:?}");
        }
        assert_eq!(
            ReferenceId::list("<1@x> <2@x"),
            Err(ReferenceIdError::NotClosed("2@x".to_owned()))
        );
        assert_eq!(
            ReferenceId::list("<1@x> nonsense").unwrap_err().to_string(),
            "\"nonsense\" has no @; if it is an identifier, put it in angle brackets"
        );
        assert!(ReferenceId::list("<1@x> <2 @x>").is_err());
        assert!(ReferenceId::list("<1@x>2@x>").is_err());
    }
}
