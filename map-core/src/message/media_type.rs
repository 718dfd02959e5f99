//! `Content-Type`: what the data is.

use super::parameter::{Parameter, write_parameters};
use crate::text::{named, quoted};
use std::fmt;
use std::str::FromStr;

/// A media type with its parameters: `text/calendar; method=REQUEST`.
///
/// ```abnf
/// content   =  type "/" subtype *(";" parameter)
/// parameter =  attribute "=" value
/// value     =  token / quoted-string
/// ```
/// [RFC 2045 section 5.1](https://www.rfc-editor.org/rfc/rfc2045#section-5.1), without comments. A value may hold any
/// text of one line; the message writes it as RFC 2231 has it. Case counts in values alone.
///
/// # Example
/// ```
/// use map_core::message::MediaType;
///
/// let calendar: MediaType = "text/calendar; method=REQUEST".parse()?;
/// assert_eq!(calendar.essence(), "text/calendar");
/// assert_eq!(calendar.to_string(), "text/calendar; method=REQUEST");
/// assert_eq!(MediaType::of_file_name("Bericht.PDF").essence(), "application/pdf");
/// assert_eq!(MediaType::of_file_name("unknown.xyzzy").essence(), "application/octet-stream");
/// # Ok::<(), map_core::message::MediaTypeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MediaType {
    /// Type and subtype, in small letters.
    essence: String,
    /// Names in small letters.
    parameters: Vec<(String, String)>,
}

/// Why a text is no media type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MediaTypeError {
    /// Something else than `type/subtype`, both of letters, digits and signs such as `-`, `+` and `.`.
    #[error("{} is not a media type such as text/plain", quoted(.0))]
    Essence(String),
    /// A parameter that is not `name=value`, or whose value holds control characters or needs quotation marks.
    #[error("{} is not a parameter such as charset=utf-8", quoted(.0))]
    Parameter(String),
    /// A parameter twice.
    #[error("the parameter {} stands twice", named(.0))]
    Twice(String),
}

impl MediaType {
    pub(super) fn known(essence: &str) -> Self {
        Self {
            essence: essence.to_owned(),
            parameters: Vec::new(),
        }
    }

    /// By the extension of the name of a file; `application/octet-stream` when it tells nothing.
    pub fn of_file_name(name: &str) -> Self {
        let guess = mime_guess::from_path(name).first_raw();
        let known = guess.and_then(|guess| guess.parse::<Self>().ok());
        match known {
            // A message or a multipart in a file is data like any other: nobody has looked into it.
            Some(known) if !known.is_composite() => known,
            _ => Self::known("application/octet-stream"),
        }
    }

    /// Type and subtype, in small letters, without parameters.
    pub fn essence(&self) -> &str {
        &self.essence
    }

    /// The value of a parameter, by its name in small letters.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// True for what has parts or a message in it.
    // https://www.rfc-editor.org/rfc/rfc2045#section-6.4
    // > it is EXPRESSLY FORBIDDEN to use any encodings other than "7bit", "8bit", or "binary" with any composite media
    // > type
    pub(super) fn is_composite(&self) -> bool {
        self.essence.starts_with("multipart/") || self.essence.starts_with("message/")
    }

    pub(super) fn is_text(&self) -> bool {
        self.essence.starts_with("text/")
    }

    /// The same with a parameter, in place of the one of this name.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.parameters.retain(|(known, _)| known != name);
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes the field, with the name of the file in the form that old readers know.
    pub(super) fn write(&self, out: &mut Vec<u8>, file_name: Option<&str>) {
        let own = self
            .parameters
            .iter()
            .filter(|(name, _)| file_name.is_none() || name != "name")
            .map(|(name, value)| Parameter::extended(name, value));
        let name = file_name.map(|value| Parameter::with_encoded_words("name", value));
        let parameters: Vec<_> = own.chain(name).collect();
        write_parameters(out, "Content-Type", &self.essence, &parameters);
    }
}

impl FromStr for MediaType {
    type Err = MediaTypeError;

    /// # Errors
    /// What is wrong with it.
    fn from_str(text: &str) -> Result<Self, MediaTypeError> {
        let (essence, mut rest) = text.split_once(';').unwrap_or((text, ""));
        let essence = essence.trim();
        match essence.split_once('/') {
            Some((kind, subtype)) if is_token(kind) && is_token(subtype) => {}
            _ => return Err(MediaTypeError::Essence(essence.to_owned())),
        }
        let mut media_type = Self::known(&essence.to_ascii_lowercase());
        while !rest.trim().is_empty() {
            let wrong = || MediaTypeError::Parameter(rest.trim().to_owned());
            let (name, behind) = rest.split_once('=').ok_or_else(wrong)?;
            let name = name.trim().to_ascii_lowercase();
            let (value, behind) = value(behind.trim_start()).ok_or_else(wrong)?;
            if !is_token(&name) || value.chars().any(char::is_control) {
                return Err(wrong());
            }
            if media_type.parameter(&name).is_some() {
                return Err(MediaTypeError::Twice(name));
            }
            media_type.parameters.push((name, value));
            rest = match behind.trim_start() {
                "" => "",
                behind => behind.strip_prefix(';').ok_or_else(wrong)?,
            };
        }
        Ok(media_type)
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.essence)?;
        for (name, value) in &self.parameters {
            if is_token(value) {
                write!(f, "; {name}={value}")?;
            } else {
                let value = value.replace('\\', "\\\\").replace('"', "\\\"");
                write!(f, "; {name}=\"{value}\"")?;
            }
        }
        Ok(())
    }
}

/// A value off the front of `text`, freed of its quoting, and the rest.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text
            .find(|character: char| character == ';' || character.is_whitespace())
            .unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        return is_token(value).then(|| (value.to_owned(), after));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((value, quoted.get(index + 1..).unwrap_or_default())),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

/// `token` of RFC 2045 section 5.1.
fn is_token(text: &str) -> bool {
    let of_token = |octet: u8| octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&octet);
    !text.is_empty() && text.bytes().all(of_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar() {
        for (text, shown) in [
            ("text/plain", "text/plain"),
            (" Text/HTML ; Charset=\"UTF-8\" ;", "text/html; charset=UTF-8"),
            ("a/b;c=\"d e\";f=g", "a/b; c=\"d e\"; f=g"),
            ("a/b; c=\"\\\"\\\\\"", "a/b; c=\"\\\"\\\\\""),
            ("a/b; c=\"\"", "a/b; c=\"\""),
            ("image/svg+xml", "image/svg+xml"),
            ("a/b; c=\"é;=\"", "a/b; c=\"é;=\""),
        ] {
            let parsed: MediaType = text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!(parsed.to_string(), shown);
            assert_eq!(shown.parse(), Ok(parsed));
        }
        for text in [
            "",
            "text",
            "text/",
            "/plain",
            "a/b/c",
            "te xt/plain",
            "text/pl\r\nain",
            "é/b",
        ] {
            assert!(
                matches!(text.parse::<MediaType>(), Err(MediaTypeError::Essence(_))),
                "{text:?}"
            );
        }
        for text in [
            "a/b; c",
            "a/b; =d",
            "a/b; c=",
            "a/b; c=d e",
            "a/b; c=\"d",
            "a/b; c=\"d\"e",
            "a/b; c d=e",
            "a/b; c=é",
            "a/b; c=\"d\r\ne: f\"",
            "a/b; c=\"\0\"",
        ] {
            assert!(
                matches!(text.parse::<MediaType>(), Err(MediaTypeError::Parameter(_))),
                "{text:?}"
            );
        }
        assert_eq!(
            "a/b; c=d; C=e".parse::<MediaType>(),
            Err(MediaTypeError::Twice("c".to_owned()))
        );
    }

    #[test]
    fn extensions() {
        for (name, essence) in [
            ("a.txt", "text/plain"),
            ("a.b.JPEG", "image/jpeg"),
            (
                "отчёт.docx",
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            ),
            ("a.tar.gz", "application/gzip"),
            ("mail.eml", "application/octet-stream"),
            ("Makefile", "application/octet-stream"),
            (".txt", "application/octet-stream"),
            ("", "application/octet-stream"),
        ] {
            assert_eq!(MediaType::of_file_name(name).essence(), essence, "{name:?}");
        }
    }
}
