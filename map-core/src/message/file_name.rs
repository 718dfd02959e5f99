//! The names of attachments.

use crate::content::{TextError, line_of_text};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a file, in any language: one line of text, with a character that is not a blank.
///
/// It is a proposal to the reader, who may store the file under it: whether a `/` in it leads anywhere is for his
/// program to judge, and nothing is taken away here.
///
/// # Example
/// ```
/// use map_core::message::FileName;
///
/// assert_eq!("Отчёт за март.pdf".parse::<FileName>()?.as_str(), "Отчёт за март.pdf");
/// assert!("a\r\nBcc: b@example.com".parse::<FileName>().is_err());
/// # Ok::<(), map_core::message::TextError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileName(Arc<str>);

impl FileName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands last in a path, without its directories. What is no UTF-8 in it becomes U+FFFD, and a name that no
    /// mail can carry is left out.
    pub(super) fn of_path(path: &Path) -> Option<Self> {
        path.file_name()?.to_string_lossy().parse().ok()
    }
}

impl FromStr for FileName {
    type Err = TextError;

    /// # Errors
    /// NUL, a line end, or nothing but blanks.
    fn from_str(text: &str) -> Result<Self, TextError> {
        line_of_text(text.as_bytes())?;
        if text.trim().is_empty() {
            Err(TextError::Blank)
        } else {
            Ok(Self(text.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_line() {
        for (name, error) in [
            ("", TextError::Blank),
            (" \t\u{a0}", TextError::Blank),
            ("a\rb", TextError::LineEnd(1)),
            ("ab\n", TextError::LineEnd(2)),
            ("\0", TextError::Nul(0)),
        ] {
            assert_eq!(name.parse::<FileName>(), Err(error), "{name:?}");
        }
        for name in [" a ", "../etc/passwd", "a\u{7}\u{202e}gpj.exe", "日本"] {
            assert_eq!(name.parse::<FileName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn of_a_path_it_is_the_last_part() {
        let of = |path: &str| FileName::of_path(Path::new(path)).map(|name| name.as_str().to_owned());
        assert_eq!(of("/srv/Отчёт.pdf").as_deref(), Some("Отчёт.pdf"));
        assert_eq!(of("a"), Some("a".to_owned()));
        assert_eq!(of("/"), None);
        assert_eq!(of("a/two\nlines"), None);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_text_is_replaced() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(OsStr::from_bytes(b"caf\xe9.txt"));
        assert_eq!(FileName::of_path(path).unwrap().as_str(), "caf\u{fffd}.txt");
    }
}
