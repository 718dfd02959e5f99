//! The header of a message that another library holds as objects: read there, written here.

use super::address_list::write_addresses;
use super::encoded_word::{Folded, LINE, MAX_LINE, looks_encoded};
use super::own_field;
use super::parameter::{Parameter, write_parameters};
use super::reference::write_ids;
use super::{AddressList, MessageId, OriginationDate};
use crate::address::Mailbox;

/// Writes a header field by field.
///
/// A library that reads e-mail has its fields as objects. Read what they say there, and have it written here: what a
/// library prints may say something else than its objects, for example where it drops quotation marks while it folds.
///
/// # Example
/// ```
/// use map_core::message::HeaderWriter;
///
/// let mut header = HeaderWriter::new();
/// header.addresses("To", &"\"Doe, John\" <john@example.com>".parse()?)?;
/// header.text("Subject", "Grüße")?;
/// header.structured("References", "<one@example.com> <two@example.com>")?;
/// assert_eq!(
///     header.octets(),
///     "To: \"Doe, John\" <john@example.com>\r\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\r\n\
///      References: <one@example.com> <two@example.com>\r\n".as_bytes(),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct HeaderWriter {
    out: Vec<u8>,
    /// Octets of a line of a source that is kept.
    kept: usize,
}

/// Why a field cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderWriterError {
    /// A line end that does not fold the field: what follows it would be a field of its own.
    #[error("the header field {0} has a line end in it, behind which another field would begin")]
    LineEnd(String),
    /// A word that no line can hold, in a field whose words cannot be encoded.
    #[error("a word of the header field {0} is longer than the 998 octets of a line")]
    LongWord(String),
    /// Not 1 to 255 printable ASCII characters without a colon or a blank.
    #[error("{0:?} is not the name of a header field")]
    Name(String),
    /// Octets beyond ASCII where only ASCII can stand.
    #[error("the header field {0} holds a character beyond ASCII where none can stand")]
    NotAscii(String),
    /// A NUL.
    #[error("the header field {0} holds a NUL, which no e-mail can carry")]
    Nul(String),
}

impl Default for HeaderWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl HeaderWriter {
    /// Begins a header. A field given as its source is folded anew where a line has more than 78 octets.
    pub fn new() -> Self {
        Self {
            out: Vec::new(),
            kept: LINE,
        }
    }

    /// Begins the header of a message that is passed on: a field given as its source stays as it is where that is legal.
    pub fn of_another() -> Self {
        Self {
            kept: MAX_LINE,
            ..Self::new()
        }
    }

    /// Writes a field of addresses. An empty list writes nothing.
    ///
    /// # Errors
    /// When the name is none.
    pub fn addresses(&mut self, name: &str, list: &AddressList) -> Result<(), HeaderWriterError> {
        check_name(name)?;
        write_addresses(&mut self.out, name, list);
        Ok(())
    }

    /// Writes a field of text for people, which is encoded where it must be.
    ///
    /// # Errors
    /// When the name is none, or the text holds NUL.
    pub fn text(&mut self, name: &str, text: &str) -> Result<(), HeaderWriterError> {
        check_name(name)?;
        check_nul(name, text)?;
        let plain = is_printable(text) && text.trim() == text && !looks_encoded(text);
        if !plain || self.folded(name, text).is_err() {
            let mut field = Folded::new(&mut self.out, name);
            field.encoded(text);
            field.finish();
        }
        Ok(())
    }

    /// Writes a field for programs, such as `References`: folded at its blanks, with only phrases and comments encoded,
    /// and these only beyond ASCII.
    ///
    /// # Errors
    /// When the name is none, the text is not printable, something beyond ASCII stands where it cannot be encoded, or a
    /// word is longer than a line.
    pub fn structured(&mut self, name: &str, text: &str) -> Result<(), HeaderWriterError> {
        check_name(name)?;
        check_nul(name, text)?;
        if text.contains(['\r', '\n']) {
            return Err(HeaderWriterError::LineEnd(name.to_owned()));
        }
        if !text.is_ascii() {
            let field =
                own_field::compose(name, text).map_err(|_| HeaderWriterError::NotAscii(name.to_owned()))?;
            self.out.extend(field);
            return Ok(());
        }
        self.folded(name, text)
    }

    /// Writes `Content-Type`, `Content-Disposition` and their kin: a value, and parameters of any text.
    ///
    /// # Errors
    /// When the name is none, or something is not of printable ASCII but the values of the parameters.
    pub fn parameters<'a>(
        &mut self,
        name: &str,
        value: &str,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), HeaderWriterError> {
        check_name(name)?;
        let is_word = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic());
        let mut written = Vec::new();
        for (attribute, value) in parameters {
            if !is_word(attribute) {
                return Err(HeaderWriterError::NotAscii(name.to_owned()));
            }
            check_nul(name, value)?;
            written.push(Parameter::extended(attribute, value));
        }
        if !is_word(value) {
            return Err(HeaderWriterError::NotAscii(name.to_owned()));
        }
        write_parameters(&mut self.out, name, value, &written);
        Ok(())
    }

    /// Writes a field as it stands in a source, which may be folded: what follows its colon, in ASCII. Where a line is too
    /// long it is folded anew, and says the same.
    ///
    /// # Errors
    /// When the name is none, the source is not ASCII, it holds a line end that does not fold it, or a word of it is longer
    /// than a line.
    pub fn source(&mut self, name: &str, source: &str) -> Result<(), HeaderWriterError> {
        check_name(name)?;
        check_nul(name, source)?;
        if !source.is_ascii() {
            return Err(HeaderWriterError::NotAscii(name.to_owned()));
        }
        let source = source.trim_end_matches(['\r', '\n']).replace("\r\n", "\n");
        let mut lines = source.split('\n');
        let first = lines.next().unwrap_or_default();
        let mut longest = name.len() + ": ".len() + first.len();
        let mut blank = false;
        for line in lines {
            if !line.starts_with([' ', '\t']) {
                return Err(HeaderWriterError::LineEnd(name.to_owned()));
            }
            longest = longest.max(line.len());
            blank |= line.trim().is_empty();
        }
        if source.contains('\r') {
            return Err(HeaderWriterError::LineEnd(name.to_owned()));
        }
        if longest > self.kept || blank {
            return self.folded(name, &source.replace('\n', ""));
        }
        self.begin(name);
        self.out
            .extend_from_slice(source.replace('\n', "\r\n").as_bytes());
        self.out.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Writes `Date`, with the time of this call.
    pub fn date(&mut self) {
        self.begin("Date");
        self.out
            .extend_from_slice(format!("{}\r\n", OriginationDate::now()).as_bytes());
    }

    /// Writes a new `Message-ID` for what this author sends.
    pub fn message_id(&mut self, author: &Mailbox) {
        let id = MessageId::generate(&author.to_smtp());
        write_ids(&mut self.out, "Message-ID", &[id]);
    }

    /// What has been written: whole fields, each with its line end.
    pub fn octets(&self) -> &[u8] {
        &self.out
    }

    fn begin(&mut self, name: &str) {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
    }

    /// Folds before blanks, all of which stay: unfolded, it is the same text. Nothing is written where that is impossible.
    fn folded(&mut self, name: &str, text: &str) -> Result<(), HeaderWriterError> {
        let start = self.out.len();
        self.begin(name);
        let mut column = name.len() + ": ".len();
        let mut first = true;
        for piece in pieces(text.trim_start_matches([' ', '\t'])) {
            // The first one stays with the name: a line of nothing but a name is what some readers stumble over.
            if !first && column + piece.len() > LINE {
                self.out.extend_from_slice(b"\r\n");
                column = 0;
            }
            column += piece.len();
            if column > MAX_LINE {
                self.out.truncate(start);
                return Err(HeaderWriterError::LongWord(name.to_owned()));
            }
            self.out.extend_from_slice(piece.as_bytes());
            first = false;
        }
        self.out.extend_from_slice(b"\r\n");
        Ok(())
    }
}

/// The words of a text, each with the blanks before it; the last one with those after it.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let word = rest.find(|character| !is_blank(character)).unwrap_or(rest.len());
        let behind = rest.get(word..).unwrap_or_default();
        let blank = behind.find(is_blank).unwrap_or(behind.len());
        let trailing = behind
            .get(blank..)
            .is_none_or(|behind| behind.trim_start_matches(is_blank).is_empty());
        let end = if trailing { rest.len() } else { word + blank };
        let (piece, behind) = rest.split_at(end);
        rest = behind;
        Some(piece)
    })
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

fn is_printable(text: &str) -> bool {
    text.bytes()
        .all(|octet| matches!(octet, b' ' | b'\t') || octet.is_ascii_graphic())
}

fn check_name(name: &str) -> Result<(), HeaderWriterError> {
    // https://www.rfc-editor.org/rfc/rfc5322#section-2.2
    // > A field name MUST be composed of printable US-ASCII characters (i.e., characters that have values between 33 and
    // > 126, inclusive), except colon.
    let of_name = |octet: u8| octet.is_ascii_graphic() && octet != b':';
    if (1..=255).contains(&name.len()) && name.bytes().all(of_name) {
        Ok(())
    } else {
        Err(HeaderWriterError::Name(name.to_owned()))
    }
}

fn check_nul(name: &str, text: &str) -> Result<(), HeaderWriterError> {
    if text.contains('\0') {
        Err(HeaderWriterError::Nul(name.to_owned()))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut HeaderWriter) -> Result<(), HeaderWriterError>) -> String {
        let mut header = HeaderWriter::new();
        write(&mut header).unwrap();
        String::from_utf8(header.octets().to_vec()).unwrap()
    }

    fn unfolded(field: &str) -> String {
        field.replace("\r\n", "")
    }

    #[test]
    fn a_source_stays_or_is_folded() {
        let x = |octets: usize| "x".repeat(octets);
        for (source, expected) in [
            ("a", "T: a\r\n".to_owned()),
            ("", "T: \r\n".to_owned()),
            ("a\r\n b\r\n", "T: a\r\n b\r\n".to_owned()),
            ("a\n\tb\n", "T: a\r\n\tb\r\n".to_owned()),
            ("a\n  \n b", "T: a   b\r\n".to_owned()),
            (&format!("a  {}", x(75)), format!("T: a\r\n  {}\r\n", x(75))),
            (&format!("{} b", x(995)), format!("T: {}\r\n b\r\n", x(995))),
        ] {
            assert_eq!(
                written(|header| header.source("T", source)),
                expected,
                "{source:?}"
            );
        }
        let long = format!("a  {}", x(75));
        let mut header = HeaderWriter::of_another();
        header.source("T", &long).unwrap();
        assert_eq!(header.octets(), format!("T: {long}\r\n").as_bytes());
    }

    #[test]
    fn what_no_field_can_hold() {
        let name = || "T".to_owned();
        let mut header = HeaderWriter::new();
        for (source, why) in [
            ("a\nBcc: b@x.example", HeaderWriterError::LineEnd(name())),
            ("a\r\n\r\nb", HeaderWriterError::LineEnd(name())),
            ("a\rb", HeaderWriterError::LineEnd(name())),
            ("a\r\n\r\n b", HeaderWriterError::LineEnd(name())),
            ("a\0", HeaderWriterError::Nul(name())),
            ("é", HeaderWriterError::NotAscii(name())),
            (&"x".repeat(996), HeaderWriterError::LongWord(name())),
        ] {
            assert_eq!(header.source("T", source), Err(why), "{source:?}");
        }
        assert_eq!(
            header.structured("T", "a\n b"),
            Err(HeaderWriterError::LineEnd(name()))
        );
        assert_eq!(header.text("T", "\0"), Err(HeaderWriterError::Nul(name())));
        let list: AddressList = "a@x.example".parse().unwrap();
        for name in ["", "T:", "T\r\nBcc", "T o", "é", &"n".repeat(256)] {
            assert_eq!(
                header.addresses(name, &list),
                Err(HeaderWriterError::Name(name.to_owned()))
            );
        }
        assert!(header.parameters("T", "a b", []).is_err());
        assert!(header.parameters("T", "a/b", [("c d", "e")]).is_err());
        assert_eq!(header.octets(), b"");
    }

    #[test]
    fn texts_and_parameters() {
        for (text, expected) in [
            ("a\tb", "T: a\tb\r\n"),
            ("a ", "T: =?utf-8?Q?a_?=\r\n"),
            ("=?utf-8?Q?a?=", "T: =?utf-8?B?PT91dGYtOD9RP2E/PQ==?=\r\n"),
            ("a\nBcc: b", "T: =?utf-8?Q?a=0ABcc=3A_b?=\r\n"),
        ] {
            assert_eq!(written(|header| header.text("T", text)), expected, "{text:?}");
        }
        assert!(written(|header| header.text("T", &"x".repeat(2000))).contains("=?utf-8?Q?xx"));
        assert_eq!(
            written(|header| header.parameters("T", "a/b", [("c", "d"), ("n", "é")])),
            "T: a/b; c=\"d\"; n*=UTF-8''%C3%A9\r\n"
        );
    }

    proptest! {
        #[test]
        fn folding_changes_nothing(text in "[!-~]([ -~\t]{0,300}[!-~])?") {
            let field = written(|header| header.structured("Name", &text));
            prop_assert!(field.lines().all(|line| !line.trim().is_empty()));
            let unfolded = unfolded(&field);
            prop_assert_eq!(unfolded.strip_prefix("Name: "), Some(text.as_str()));
        }
    }
}
