//! Text that is safe to show on one line: the only definition, for everything that is printed of what somebody else wrote.
//!
//! A character is unsafe if it can end a line, drive a terminal, change the direction of what stands beside it, or is not
//! seen. The Unicode properties of the character decide ([`is_unsafe`]), so a character that Unicode adds is covered by
//! the next version of its tables. An unsafe character is printed as its number, `\u{202e}`.
//!
//! There are three forms: [`one_line`] for what a person reads, [`quoted`] for an argument in an error, and `OneLine`,
//! which can be read back, for what stands between the angle brackets of a MAP reply.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};
use std::fmt::{self, Write as _};

/// More characters of an argument than this are not repeated in an error. The longest address has 254 octets.
pub const MAX_QUOTED: usize = 320;

/// Control characters, format characters (among them all that change the direction of writing), separators of lines and
/// paragraphs, and whatever is displayed as nothing at all.
///
/// Characters that are not assigned are safe, except those that Unicode keeps for future ones without a visible form:
/// to escape the others would only hide the newest letters and emoji from a person with a newer font.
pub fn is_unsafe(character: char) -> bool {
    const UNSAFE: GeneralCategoryGroup = GeneralCategoryGroup::Control
        .union(GeneralCategoryGroup::Format)
        .union(GeneralCategoryGroup::LineSeparator)
        .union(GeneralCategoryGroup::ParagraphSeparator);
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    UNSAFE.contains(CodePointMapData::<GeneralCategory>::new().get(character))
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

/// The same text without anything that could end its line or steer a terminal.
pub fn one_line(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    push_safe(&mut safe, text.chars());
    safe
}

/// Octets that a stranger chose, as [`one_line`] shows them and at most so many characters of them.
pub fn excerpt(octets: &[u8], characters: usize) -> String {
    // Whatever the octets are, they make no fewer characters than a fourth of their count.
    let within = octets.get(..characters.saturating_add(1).saturating_mul(4));
    let text = String::from_utf8_lossy(within.unwrap_or(octets));
    let mut safe = String::new();
    push_safe(&mut safe, text.chars().take(characters));
    if text.chars().nth(characters).is_some() {
        safe.push('…');
    }
    safe
}

fn push_safe(safe: &mut String, characters: impl Iterator<Item = char>) {
    for character in characters {
        if is_unsafe(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
}

/// An argument of the caller's for an error that says what is wrong with it: in quotation marks, escaped, and cut after
/// [`MAX_QUOTED`] characters: `"aaa"… (1048576 octets)`.
pub fn quoted(text: &str) -> impl fmt::Display {
    Quoted(text)
}

/// The same without quotation marks, for a name.
pub fn named(text: &str) -> impl fmt::Display {
    Named(text)
}

struct Quoted<'a>(&'a str);

struct Named<'a>(&'a str);

/// The beginning of an argument, and what is said of its length if that is not all.
fn beginning(text: &str) -> (&str, Option<usize>) {
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => (text.get(..end).unwrap_or_default(), Some(text.len())),
        None => (text, None),
    }
}

fn write_length(length: Option<usize>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match length {
        Some(octets) => write!(f, "… ({octets} octets)"),
        None => Ok(()),
    }
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, length) = beginning(self.0);
        // `Debug` knows how to write quotation marks within quotation marks, and leaves some unsafe characters as they are.
        f.write_str(&one_line(&format!("{shown:?}")))?;
        write_length(length, f)
    }
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, length) = beginning(self.0);
        f.write_str(&one_line(shown))?;
        write_length(length, f)
    }
}

/// A text as it stands between the angle brackets of a MAP reply, so that it comes back as it was: see
/// [`MapReply`](crate::MapReply).
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.chars();
        while let Some(character) = rest.next() {
            let escape = match character {
                // A reader drops blanks before ">", because MAP A.4 prints one that belongs to nothing.
                ' ' => rest.as_str().is_empty(),
                '\\' => rest.as_str().starts_with("u{"),
                _ => is_unsafe(character),
            };
            if escape {
                write!(f, "\\u{{{:x}}}", u32::from(character))?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// Reads what [`OneLine`] printed. `None` when a `\u{` is not followed by the number of a character and `}`.
pub(crate) fn parse_one_line(printed: &str) -> Option<String> {
    let mut pieces = printed.trim_end_matches(' ').split("\\u{");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (number, rest) = piece.split_once('}')?;
        let hex = (1..=6).contains(&number.len()) && number.bytes().all(|octet| octet.is_ascii_hexdigit());
        let number = hex.then(|| u32::from_str_radix(number, 16).ok())??;
        text.push(char::from_u32(number)?);
        text.push_str(rest);
    }
    Some(text)
}

/// More characters of one line of a server than this are not printed.
const SHOWN_CHARACTERS: usize = 512;

/// A line of a server's, safe to show and not longer than a person reads.
pub(crate) fn shown_line(octets: &[u8]) -> String {
    excerpt(octets, SHOWN_CHARACTERS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_seen_or_steers_is_unsafe() {
        let unsafe_ones = [
            '\0',
            '\n',
            '\r',
            '\t',
            '\u{1b}',
            '\u{7f}', // C0 and DEL
            '\u{80}',
            '\u{85}',
            '\u{9b}', // C1
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{17b4}',
            '\u{180e}',
            '\u{200b}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2065}',
            '\u{2066}',
            '\u{2069}',
            '\u{206f}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff0}',
            '\u{fff9}',
            '\u{1d173}',
            '\u{e0000}',
            '\u{e0001}',
            '\u{e0020}',
            '\u{e007f}',
            '\u{e0100}',
            '\u{e01ef}',
            '\u{e0fff}',
        ];
        for character in unsafe_ones {
            assert!(is_unsafe(character), "U+{:04X}", u32::from(character));
            let text = format!("a{character}b");
            for shown in [
                one_line(&text),
                excerpt(text.as_bytes(), 10),
                quoted(&text).to_string(),
                named(&text).to_string(),
                OneLine(&text).to_string(),
            ] {
                assert!(!shown.contains(is_unsafe), "{shown:?}");
            }
        }
        // Letters, marks, emoji, blanks, private use, what is not assigned (yet).
        for character in [
            ' ', '~', '\u{a0}', 'é', '\u{301}', '例', 'ש', 'ا', '😀', '\u{e000}', '\u{fffd}', '\u{378}',
        ] {
            assert!(!is_unsafe(character), "U+{:04X}", u32::from(character));
            assert_eq!(one_line(&character.to_string()), character.to_string());
        }
    }

    #[test]
    fn what_could_forge_a_line_is_escaped() {
        let cases: [(&[u8], &str); 8] = [
            (b"plain text, as sent", "plain text, as sent"),
            (b"x\r\nS: RE_SUCCESS.", "x\\r\\nS: RE_SUCCESS."),
            (b"\x1b[2Jclear", "\\u{1b}[2Jclear"),
            ("\u{2028}S: x".as_bytes(), "\\u{2028}S: x"),
            ("\u{202e}drowssap".as_bytes(), "\\u{202e}drowssap"),
            ("\u{61c}\u{200b}\u{feff}".as_bytes(), "\\u{61c}\\u{200b}\\u{feff}"),
            ("\u{e0041}\u{e0042}".as_bytes(), "\\u{e0041}\\u{e0042}"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
        ];
        for (octets, expected) in cases {
            assert_eq!(excerpt(octets, 100), expected);
        }
        assert_eq!(excerpt(&[b'a'; 600], 512).chars().count(), 513);
        assert_eq!(excerpt(&[0xff; 600], 512).chars().count(), 513);
        assert_eq!(excerpt("😀".repeat(600).as_bytes(), 512).chars().count(), 513);
        assert_eq!(excerpt("😀".repeat(512).as_bytes(), 512).chars().count(), 512);
    }

    #[test]
    fn an_argument_is_repeated_up_to_a_limit() {
        assert_eq!(quoted("a\"b\\").to_string(), r#""a\"b\\""#);
        let long = "a".repeat(1_048_576);
        let beginning = "a".repeat(MAX_QUOTED);
        assert_eq!(
            quoted(&long).to_string(),
            format!("\"{beginning}\"… (1048576 octets)")
        );
        assert_eq!(named(&long).to_string(), format!("{beginning}… (1048576 octets)"));
        assert_eq!(quoted(&beginning).to_string(), format!("\"{beginning}\""));
        assert!(quoted(&"\u{10fffd}".repeat(1_000_000)).to_string().len() < 5_000);
    }

    proptest! {
        #[test]
        fn every_form_is_safe_and_bounded(text in any::<String>()) {
            for shown in [one_line(&text), quoted(&text).to_string(), named(&text).to_string(), OneLine(&text).to_string()] {
                prop_assert!(!shown.contains(is_unsafe));
            }
            prop_assert!(quoted(&text).to_string().len() <= MAX_QUOTED * 12 + 40);
            prop_assert_eq!(one_line(&one_line(&text)), one_line(&text));
            prop_assert_eq!(parse_one_line(&OneLine(&text).to_string()), Some(text));
        }

        #[test]
        fn every_octet_can_be_shown(octets in prop::collection::vec(any::<u8>(), 0..400), limit in 0_usize..100) {
            let shown = excerpt(&octets, limit);
            prop_assert!(!shown.contains(is_unsafe));
            prop_assert!(shown.chars().count() <= limit * 10 + 1);
        }
    }
}
