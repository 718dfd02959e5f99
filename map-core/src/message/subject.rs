//! The `Subject:` field.
//!
//! The encoded words are ours. mail-builder 2.0 leaves ASCII text as it stands when it should not: a subject that
//! looks like an encoded word arrives as what that word says, and leading blanks are lost; and it encodes every
//! subject of more than 77 characters, where folding would keep it readable on the wire.

use super::header::write_field;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail_builder::headers::raw::Raw;

const NAME: &str = "Subject";
const PREFIX_Q: &[u8] = b"=?utf-8?Q?";
const PREFIX_B: &[u8] = b"=?utf-8?B?";
const SUFFIX: &[u8] = b"?=";

// https://www.rfc-editor.org/rfc/rfc2047#section-2
// > An 'encoded-word' may not be more than 75 characters long, […] each line of a header field that contains one
// > or more 'encoded-word's is limited to 76 characters.
const MAX_LINE: usize = 76;

/// Writes the field, with its line ends.
pub(super) fn write_subject(out: &mut Vec<u8>, text: &str) {
    if goes_as_it_stands(text) {
        write_field(out, NAME, &Raw::new(text));
    } else {
        write_encoded_words(out, text);
    }
}

/// True when every reader gives back exactly this text, and every line stays within 78 characters.
fn goes_as_it_stands(text: &str) -> bool {
    let printable = text
        .bytes()
        .all(|octet| octet == b' ' || octet.is_ascii_graphic());
    let outer_blanks = text.starts_with(' ') || text.ends_with(' ');
    printable && !outer_blanks && !text.contains("=?") && folds(text)
}

/// True when folding before blanks keeps every line within 78 characters.
// https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1
// > Each line of characters MUST be no more than 998 characters, and SHOULD be no more than 78 characters,
// > excluding the CRLF.
fn folds(text: &str) -> bool {
    let mut blanks = NAME.len() + ": ".len();
    for word in text.split(' ') {
        if word.is_empty() {
            blanks += 1;
        } else if blanks + word.len() > 78 {
            return false;
        } else {
            blanks = 1;
        }
    }
    true
}

/// Writes the text as RFC 2047 encoded words, one a line, by the shorter of the two encodings.
///
/// The blanks and line ends between encoded words are not part of the text, so nothing is lost or added.
// https://www.rfc-editor.org/rfc/rfc2047#section-5
// > Each 'encoded-word' MUST represent an integral number of characters.
fn write_encoded_words(out: &mut Vec<u8>, text: &str) {
    let q_octets: usize = text.bytes().map(q_width).sum();
    let by_q = q_octets <= text.len().div_ceil(3) * 4;
    let (prefix, write_word): (_, fn(&mut Vec<u8>, &str)) = if by_q {
        (PREFIX_Q, write_q)
    } else {
        (PREFIX_B, write_b)
    };

    out.extend_from_slice(NAME.as_bytes());
    out.extend_from_slice(b": ");
    let mut column = NAME.len() + ": ".len();
    let mut rest = text;
    while !rest.is_empty() {
        let room = MAX_LINE - column - prefix.len() - SUFFIX.len();
        let (word, behind) = rest.split_at(fitting(rest, room, by_q));
        out.extend_from_slice(prefix);
        write_word(out, word);
        out.extend_from_slice(SUFFIX);
        out.extend_from_slice(b"\r\n");
        if !behind.is_empty() {
            out.push(b' ');
        }
        column = 1;
        rest = behind;
    }
}

/// How many octets of `text`, whole characters only, fit into `room` when encoded.
fn fitting(text: &str, room: usize, by_q: bool) -> usize {
    let mut width = 0;
    for (start, character) in text.char_indices() {
        let end = start + character.len_utf8();
        width = if by_q {
            width
                + text.as_bytes()[start..end]
                    .iter()
                    .copied()
                    .map(q_width)
                    .sum::<usize>()
        } else {
            end.div_ceil(3) * 4
        };
        if width > room {
            return start;
        }
    }
    text.len()
}

/// The characters that stand for themselves in any kind of encoded word (RFC 2047 section 5, rule 3).
fn is_q_literal(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!*+-/".contains(&octet)
}

fn q_width(octet: u8) -> usize {
    if octet == b' ' || is_q_literal(octet) {
        1
    } else {
        3
    }
}

fn write_q(out: &mut Vec<u8>, word: &str) {
    for octet in word.bytes() {
        match octet {
            b' ' => out.push(b'_'),
            _ if is_q_literal(octet) => out.push(octet),
            _ => out.extend_from_slice(format!("={octet:02X}").as_bytes()),
        }
    }
}

fn write_b(out: &mut Vec<u8>, word: &str) {
    out.extend_from_slice(STANDARD.encode(word).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn field(text: &str) -> String {
        let mut out = Vec::new();
        write_subject(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    /// What a reader by RFC 5322 and RFC 2047 sees. Strict: what the rules do not allow fails the test.
    fn seen(field: &str) -> String {
        let lines = field.strip_suffix("\r\n").unwrap().split("\r\n");
        for (number, line) in lines.clone().enumerate() {
            assert!(
                line.len() <= if line.contains("=?") { 76 } else { 78 },
                "{line:?}"
            );
            assert!(
                line.bytes().all(|octet| (b' '..=b'~').contains(&octet)),
                "{line:?}"
            );
            assert_eq!(line.starts_with(' '), number > 0, "{line:?}");
            assert!(!line.trim().is_empty());
        }
        let unfolded = lines.collect::<String>();
        let value = unfolded.strip_prefix("Subject:").unwrap().trim();
        let mut words = value.split(' ').peekable();
        if !words.peek().unwrap().starts_with("=?") {
            assert!(!value.contains("=?"));
            return value.to_owned();
        }
        words.map(decoded_word).collect()
    }

    fn decoded_word(word: &str) -> String {
        assert!(word.len() <= 75);
        let parts: Vec<_> = word
            .strip_prefix("=?")
            .unwrap()
            .strip_suffix("?=")
            .unwrap()
            .split('?')
            .collect();
        let octets = match parts[..] {
            ["utf-8", "B", text] => STANDARD.decode(text).unwrap(),
            ["utf-8", "Q", text] => {
                let text = text.replace('_', " ");
                let mut pieces = text.split('=');
                let mut octets = pieces.next().unwrap().as_bytes().to_vec();
                for piece in pieces {
                    octets.push(u8::from_str_radix(&piece[..2], 16).unwrap());
                    octets.extend_from_slice(&piece.as_bytes()[2..]);
                }
                octets
            }
            _ => panic!("{word:?} is no encoded word"),
        };
        // Each word by itself: none may end inside a character.
        String::from_utf8(octets).unwrap()
    }

    #[test]
    fn plain_ones_stand_as_they_are() {
        for text in [
            "test",
            "a  b   c",
            "100% = 1?",
            "(comment) \"quoted\" <a@b>, [x]; y: z",
            "?= =",
            "",
        ] {
            assert_eq!(field(text), format!("Subject: {text}\r\n"));
        }
        let x = |octets: usize| "x".repeat(octets);
        assert_eq!(field(&x(69)), format!("Subject: {}\r\n", x(69)));
        assert_eq!(
            field(&format!("{} {}", x(69), x(77))),
            format!("Subject: {}\r\n {}\r\n", x(69), x(77))
        );
        assert_eq!(
            field(&format!("{}   {}", x(69), x(75))),
            format!("Subject: {}\r\n   {}\r\n", x(69), x(75))
        );
    }

    #[test]
    fn what_would_not_come_back_is_encoded() {
        for (text, encoded) in [
            ("Grüße", "=?utf-8?B?R3LDvMOfZQ==?="),
            ("Menu of the café", "=?utf-8?Q?Menu_of_the_caf=C3=A9?="),
            ("привет", "=?utf-8?B?0L/RgNC40LLQtdGC?="),
            ("=?utf-8?Q?a?=", "=?utf-8?B?PT91dGYtOD9RP2E/PQ==?="),
            ("a =?b", "=?utf-8?B?YSA9P2I=?="),
            (" leading", "=?utf-8?Q?_leading?="),
            ("trailing ", "=?utf-8?Q?trailing_?="),
            ("tab\tinside", "=?utf-8?Q?tab=09inside?="),
            ("bell \u{7}", "=?utf-8?Q?bell_=07?="),
            ("delete \u{7f}", "=?utf-8?Q?delete_=7F?="),
            ("next\u{85}line", "=?utf-8?Q?next=C2=85line?="),
            ("\u{2028}a separator", "=?utf-8?Q?=E2=80=A8a_separator?="),
            ("\u{560a}\u{760d}", "=?utf-8?B?5ZiK55iN?="),
        ] {
            assert_eq!(field(text), format!("Subject: {encoded}\r\n"));
            assert_eq!(seen(&field(text)), text);
        }
        let x = |octets: usize| "x".repeat(octets);
        assert_eq!(
            field(&x(70)),
            format!("Subject: =?utf-8?Q?{}?=\r\n =?utf-8?Q?{}?=\r\n", x(55), x(15))
        );
        assert_eq!(
            field(&format!("a {}", x(78))),
            format!("Subject: =?utf-8?Q?a_{}?=\r\n =?utf-8?Q?{}?=\r\n", x(53), x(25))
        );
    }

    proptest! {
        #[test]
        fn every_subject_comes_back(text in prop_oneof![
            "[^\r\n\0]{1,200}",
            "[ -~]{1,300}",
            "([a-z]{1,90}|[ ]{1,3}){1,20}",
            "([ =?_é😀ж\t]|utf-8|Q|B|=\\?|\\?=){1,80}",
        ]) {
            // A subject of nothing but blanks is encoded too, and its words hold the blanks.
            prop_assert_eq!(seen(&field(&text)), text);
        }
    }
}
