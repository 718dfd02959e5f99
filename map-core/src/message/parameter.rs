//! Parameters of `Content-Type` and `Content-Disposition`, file names above all.
//!
//! A short plain text stands between quotation marks. Anything else stands as RFC 2231 has it, percent-encoded and in
//! sections, which every current reader knows. Old ones read encoded words between quotation marks in `name`, against
//! the letter of RFC 2047; nothing else tells them the name of a file.

use super::encoded_word::{Folded, MAX_LINE, encoded_words, looks_encoded};
use std::fmt::Write;

/// A parameter as the pieces between which a line may end.
pub(super) struct Parameter {
    pieces: Vec<String>,
}

/// Octets of a piece, so that a line has room for its blank and a semicolon.
const PIECE: usize = 74;

impl Parameter {
    /// In the form of RFC 2231 unless a plain one will do.
    pub(super) fn extended(name: &str, value: &str) -> Self {
        plain(name, value).unwrap_or_else(|| Self {
            pieces: sections(name, value),
        })
    }

    /// With encoded words unless a plain one will do.
    pub(super) fn with_encoded_words(name: &str, value: &str) -> Self {
        plain(name, value).unwrap_or_else(|| {
            let mut pieces = encoded_words(value, PIECE - name.len() - "=\"\"".len());
            if let Some(first) = pieces.first_mut() {
                first.insert_str(0, &format!("{name}=\""));
            }
            if let Some(last) = pieces.last_mut() {
                last.push('"');
            }
            Self { pieces }
        })
    }
}

/// Writes the field, with its line end.
pub(super) fn write_parameters(out: &mut Vec<u8>, name: &str, value: &str, parameters: &[Parameter]) {
    let mut field = Folded::new(out, name);
    let semicolon = |more: bool| if more { ";" } else { "" };
    field.word(&format!("{value}{}", semicolon(!parameters.is_empty())));
    for (index, parameter) in parameters.iter().enumerate() {
        let more = index + 1 < parameters.len();
        for (piece, text) in parameter.pieces.iter().enumerate() {
            let ends = piece + 1 == parameter.pieces.len();
            field.word(&format!("{text}{}", semicolon(ends && more)));
        }
    }
    field.finish();
}

/// `name="value"` where every reader gives back exactly this value, on one line. Some read a backslash as it stands,
/// some take several blanks in a row for one.
fn plain(name: &str, value: &str) -> Option<Parameter> {
    let printable = value
        .bytes()
        .all(|octet| octet == b' ' || octet.is_ascii_graphic() && !matches!(octet, b'"' | b'\\'));
    let blanks = value.starts_with(' ') || value.ends_with(' ') || value.contains("  ");
    // ASCII stays plain as long as a line can hold it: old readers know nothing else.
    let fits = name.len() + " =\"\";".len() + value.len() <= MAX_LINE;
    (printable && !blanks && !looks_encoded(value) && fits).then(|| Parameter {
        pieces: vec![format!("{name}=\"{value}\"")],
    })
}

/// `name*=UTF-8''…`, or where that is too long `name*0*=UTF-8''…; name*1*=…`, each of whole characters.
// https://www.rfc-editor.org/rfc/rfc2231#section-4.1
// > Character set and language information may be combined with the parameter continuation mechanism.
fn sections(name: &str, value: &str) -> Vec<String> {
    const CHARSET: &str = "UTF-8''";
    let whole = format!("{name}*={CHARSET}{}", percent(value));
    if whole.len() <= PIECE {
        return vec![whole];
    }
    let mut sections = Vec::new();
    let mut section = format!("{name}*0*={CHARSET}");
    for character in value.chars() {
        let encoded = percent(character.encode_utf8(&mut [0; 4]));
        if section.len() + encoded.len() + ";".len() > PIECE {
            let next = format!("{name}*{}*=", sections.len() + 1);
            sections.push(std::mem::replace(&mut section, next) + ";");
        }
        section.push_str(&encoded);
    }
    sections.push(section);
    sections
}

/// `attribute-char` of RFC 2231 section 7 stand as they are, and the fewer the safer.
fn percent(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_') {
            encoded.push(char::from(octet));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{octet:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::super::encoded_word::tests::decoded_word;
    use super::*;
    use proptest::prelude::*;

    fn field(parameters: &[Parameter]) -> String {
        let mut out = Vec::new();
        write_parameters(&mut out, "Content-Disposition", "attachment", parameters);
        String::from_utf8(out).unwrap()
    }

    fn extended(value: &str) -> String {
        let field = field(&[Parameter::extended("filename", value)]);
        let value = field.strip_prefix("Content-Disposition: attachment;").unwrap();
        value.replace("\r\n", "\n").trim().to_owned()
    }

    #[test]
    fn the_simplest_form_that_will_do() {
        let x = |octets: usize| "x".repeat(octets);
        for (value, expected) in [
            ("a.txt", "filename=\"a.txt\"".to_owned()),
            (
                "a b; c=d (e), 'f'%41.txt",
                "filename=\"a b; c=d (e), 'f'%41.txt\"".to_owned(),
            ),
            ("é.txt", "filename*=UTF-8''%C3%A9.txt".to_owned()),
            ("a\"b\\.txt", "filename*=UTF-8''a%22b%5C.txt".to_owned()),
            ("a  b", "filename*=UTF-8''a%20%20b".to_owned()),
            (
                "=?utf-8?Q?a?=",
                "filename*=UTF-8''%3D%3Futf-8%3FQ%3Fa%3F%3D".to_owned(),
            ),
            ("a\u{7}\t\u{7f}", "filename*=UTF-8''a%07%09%7F".to_owned()),
            (&x(63), format!("filename=\"{}\"", x(63))),
            (&x(985), format!("filename=\"{}\"", x(985))),
            (
                &format!("{}%é", x(62)),
                format!("filename*0*=UTF-8''{};\n filename*1*={}%25%C3%A9", x(54), x(8)),
            ),
            ("=?x", "filename=\"=?x\"".to_owned()),
        ] {
            assert_eq!(extended(value), expected, "{value:?}");
        }
        assert_eq!(
            field(&[
                Parameter::extended("a", "b"),
                Parameter::with_encoded_words("name", "é")
            ]),
            "Content-Disposition: attachment; a=\"b\"; name=\"=?utf-8?B?w6k=?=\"\r\n"
        );
    }

    /// What a reader by RFC 2231 makes of a value in sections, or of a plain one.
    fn decoded(extended: &str) -> String {
        if let Some(plain) = extended.strip_prefix("filename=\"") {
            return plain.strip_suffix('"').unwrap().to_owned();
        }
        let mut octets = Vec::new();
        for (number, section) in extended.split(';').map(str::trim).enumerate() {
            let (name, value) = section.split_once('=').unwrap();
            assert!(
                name == "filename*" || name == format!("filename*{number}*"),
                "{name:?}"
            );
            let value = if number == 0 {
                value.strip_prefix("UTF-8''").unwrap()
            } else {
                value
            };
            let mut pieces = value.split('%');
            let mut whole = pieces.next().unwrap().as_bytes().to_vec();
            for piece in pieces {
                whole.push(u8::from_str_radix(&piece[..2], 16).unwrap());
                whole.extend_from_slice(&piece.as_bytes()[2..]);
            }
            // Each section by itself: none may end inside a character.
            octets.push(String::from_utf8(whole).unwrap());
        }
        octets.concat()
    }

    proptest! {
        #[test]
        fn every_value_comes_back(value in "[^\r\n\0]{1,120}|[ -~]{1,200}|(日本|é|\"|\\\\|;| |%|'|\\*|=\\?){1,60}") {
            prop_assert_eq!(decoded(&extended(&value)), value.clone());
            let words = field(&[Parameter::with_encoded_words("name", &value)]);
            // RFC 2047 section 2 wants lines with encoded words shorter than RFC 5322 wants others.
            let longest = if words.contains("\"=?utf-8?") && !extended(&value).contains("filename=\"") { 76 } else { 998 };
            for line in words.lines().chain(extended(&value).lines()) {
                prop_assert!(line.len() <= longest && line.bytes().all(|octet| (b' '..=b'~').contains(&octet)), "{line:?}");
            }
            let words = words.strip_prefix("Content-Disposition: attachment;").unwrap().replace("\r\n", "");
            let inner = words.trim().strip_prefix("name=\"").unwrap().strip_suffix('"').unwrap();
            let seen = if looks_encoded(inner) {
                inner.split(' ').map(decoded_word).collect()
            } else {
                inner.to_owned()
            };
            prop_assert_eq!(seen, value);
        }
    }
}
