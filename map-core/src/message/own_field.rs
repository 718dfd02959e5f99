//! The value of a header field of a caller's own, as it goes.
//!
//! ASCII is never encoded, only folded at blanks: a program that reads a link or an identifier does not decode it first.
//! Beyond ASCII, whole words are encoded where a field has free text, and only phrases and comments where it has a
//! grammar (RFC 2047 section 5). What is encoded already stays as it is.

use super::FieldError;
use super::address_list::{AddressList, write_addresses};
use super::encoded_word::{Folded, LINE, MAX_LINE, looks_encoded};

/// What the value of a field is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grammar {
    /// Addresses, with names in any script.
    Addresses,
    /// Words, links in angle brackets, quoted strings and comments.
    Structured,
    /// Text.
    Unstructured,
}

const OF_ADDRESSES: [&str; 8] = [
    "Apparently-To",
    "Disposition-Notification-To",
    "Errors-To",
    "Mail-Followup-To",
    "Mail-Reply-To",
    "Original-From",
    "Return-Receipt-To",
    "X-Confirm-Reading-To",
];
const STRUCTURED: [&str; 14] = [
    "Accept-Language",
    "Archived-At",
    "Authentication-Results",
    "Auto-Submitted",
    "Autocrypt",
    "DKIM-Signature",
    "Disposition-Notification-Options",
    "Expires",
    "Obsoletes",
    "Original-Message-ID",
    "Original-Recipient",
    "Received-SPF",
    "Require-Recipient-Valid-Since",
    "Supersedes",
];
const STRUCTURED_BEGINS: [&str; 2] = ["ARC-", "List-"];

impl Grammar {
    fn of(name: &str) -> Self {
        let is = |known: &&str| name.eq_ignore_ascii_case(known);
        let begins = |known: &&str| {
            name.get(..known.len())
                .is_some_and(|begin| begin.eq_ignore_ascii_case(known))
        };
        if OF_ADDRESSES.iter().any(is) {
            Self::Addresses
        } else if STRUCTURED.iter().any(is) || STRUCTURED_BEGINS.iter().any(begins) {
            Self::Structured
        } else {
            Self::Unstructured
        }
    }
}

/// The field with its line ends. The value is one line of text.
pub(super) fn compose(name: &str, value: &str) -> Result<Vec<u8>, FieldError> {
    let value = value.trim_matches([' ', '\t']);
    let grammar = Grammar::of(name);
    let mut out = Vec::with_capacity(name.len() + value.len() + 32);
    if value.bytes().all(is_plain) {
        let mut field = Folded::new(&mut out, name);
        for word in foldable(name, value, grammar)? {
            field.word(word);
        }
        field.finish();
        return Ok(out);
    }
    if grammar == Grammar::Addresses
        && let Ok(list) = value.parse::<AddressList>()
    {
        if let Some(mailbox) = list.mailboxes().find(|mailbox| mailbox.needs_smtputf8()) {
            return Err(not_encodable(name, &mailbox.to_string()));
        }
        write_addresses(&mut out, name, &list);
        return Ok(out);
    }
    let words = match grammar {
        Grammar::Unstructured => value
            .split(' ')
            .map(|word| {
                if word.bytes().all(is_plain) {
                    Word::AsItIs(word.to_owned())
                } else {
                    Word::Encoded(word.to_owned())
                }
            })
            .collect(),
        Grammar::Addresses | Grammar::Structured => words(name, value)?,
    };
    write_words(&mut out, name, joined(words))?;
    Ok(out)
}

/// Printable ASCII and what stands between words.
fn is_plain(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t') || octet.is_ascii_graphic()
}

/// An ASCII value divided where a line may end: at single blanks, so that what is unfolded is what was given. What stands
/// in quotation marks or angle brackets stays whole if a line can hold it.
fn foldable<'a>(name: &str, value: &'a str, grammar: Grammar) -> Result<Vec<&'a str>, FieldError> {
    let mut words = Vec::new();
    for word in divided(value, grammar != Grammar::Unstructured, true) {
        if " ".len() + word.len() <= MAX_LINE {
            words.push(word);
        } else {
            words.extend(divided(word, false, false));
        }
    }
    match words.iter().find(|word| " ".len() + word.len() > MAX_LINE) {
        Some(word) => Err(too_long(name, word)),
        None => Ok(words),
    }
}

/// Divides a value before blanks; the blank is left out.
fn divided(value: &str, keep_enclosed: bool, single: bool) -> Vec<&str> {
    let octets = value.as_bytes();
    let blank = |index: usize| matches!(octets.get(index), Some(b' '));
    let mut words = Vec::new();
    let (mut quoted, mut bracketed, mut escaped) = (false, false, false);
    let mut start = 0;
    for (index, octet) in octets.iter().enumerate() {
        let was_escaped = std::mem::take(&mut escaped);
        match octet {
            b'\\' if quoted && !was_escaped => escaped = true,
            b'"' if !bracketed && !was_escaped => quoted = !quoted,
            b'<' if !quoted => bracketed = true,
            b'>' if !quoted => bracketed = false,
            b' ' if !(keep_enclosed && (quoted || bracketed)) => {
                let behind_blank = index.checked_sub(1).is_none_or(&blank);
                let one_of_several = behind_blank || single && blank(index + 1);
                if !one_of_several {
                    words.extend(value.get(start..index));
                    start = index + 1;
                }
            }
            _ => {}
        }
    }
    words.extend(value.get(start..));
    words
}

enum Word {
    AsItIs(String),
    Encoded(String),
}

/// A value beyond ASCII in a field with a grammar: its phrases and comments are encoded.
fn words(name: &str, value: &str) -> Result<Vec<Word>, FieldError> {
    let mut words = Vec::new();
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        let Some(first) = rest.chars().next() else {
            return Ok(words);
        };
        let end = match first {
            '<' => rest.find('>').map(|end| end + 1),
            '"' => enclosed(rest, '"', '"'),
            '(' => enclosed(rest, '(', ')'),
            ',' | ';' | ':' => Some(1),
            _ => rest.find([' ', '\t', '<', '"', '(', ',', ';']),
        };
        let (token, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        if token.bytes().all(is_plain) {
            words.push(Word::AsItIs(token.to_owned()));
            continue;
        }
        match first {
            '"' if token.len() > 1 && token.ends_with('"') => {
                let inside = token.get(1..token.len() - 1).unwrap_or_default();
                words.push(Word::Encoded(unquoted(inside)));
            }
            '(' if token.ends_with(')') => {
                let inside = token.get(1..token.len() - 1).unwrap_or_default();
                words.push(Word::AsItIs("(".to_owned()));
                words.push(Word::Encoded(unquoted(inside)));
                words.push(Word::AsItIs(")".to_owned()));
            }
            '<' | '"' | '(' => return Err(not_encodable(name, token)),
            _ if token.contains(['@', '\\']) || token.contains("://") => {
                return Err(not_encodable(name, token));
            }
            _ => match token.strip_suffix(':') {
                Some(phrase) => {
                    words.push(Word::Encoded(phrase.to_owned()));
                    words.push(Word::AsItIs(":".to_owned()));
                }
                None => words.push(Word::Encoded(token.to_owned())),
            },
        }
    }
}

/// Where what begins with `open` ends, the sign that closes it included.
fn enclosed(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_usize;
    let mut escaped = false;
    for (index, character) in text.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        if character == '\\' {
            escaped = true;
        } else if character == close && depth > 0 {
            depth -= 1;
            if depth == 0 {
                return Some(index + close.len_utf8());
            }
        } else if character == open {
            depth += 1;
        }
    }
    None
}

/// Quoted pairs as what they stand for.
fn unquoted(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.extend(characters.next()),
            _ => plain.push(character),
        }
    }
    plain
}

/// Makes one run of neighbours that are encoded. The blank between two encoded words is no part of the text, so that it
/// stands inside a run, and inside our word where the neighbour was encoded by another.
fn joined(words: Vec<Word>) -> Vec<Word> {
    let mut all: Vec<Word> = Vec::with_capacity(words.len());
    for word in words {
        match (all.last_mut(), word) {
            (Some(Word::Encoded(before)), Word::Encoded(text)) => {
                before.push(' ');
                before.push_str(&text);
            }
            (Some(Word::Encoded(before)), Word::AsItIs(text)) => {
                if looks_encoded(&text) {
                    before.push(' ');
                }
                all.push(Word::AsItIs(text));
            }
            (Some(Word::AsItIs(before)), Word::Encoded(text)) if looks_encoded(before) => {
                all.push(Word::Encoded(format!(" {text}")));
            }
            (_, word) => all.push(word),
        }
    }
    all
}

fn write_words(out: &mut Vec<u8>, name: &str, words: Vec<Word>) -> Result<(), FieldError> {
    let mut field = Folded::new(out, name);
    for word in words {
        match word {
            Word::AsItIs(word) if " ".len() + word.len() > MAX_LINE => return Err(too_long(name, &word)),
            Word::AsItIs(word) => field.word(&word),
            Word::Encoded(text) => field.encoded(&text),
        }
    }
    field.finish();
    Ok(())
}

fn too_long(name: &str, token: &str) -> FieldError {
    FieldError::TooLong {
        name: name.to_owned(),
        token: excerpt(token),
        octets: token.len(),
    }
}

fn not_encodable(name: &str, token: &str) -> FieldError {
    FieldError::NotEncodable {
        name: name.to_owned(),
        token: excerpt(token),
    }
}

/// Enough of a text to recognise it by.
fn excerpt(text: &str) -> String {
    match text.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(name: &str, value: &str) -> String {
        let out = compose(name, value).unwrap_or_else(|error| panic!("{name}: {value}: {error}"));
        String::from_utf8(out).unwrap()
    }

    fn link(octets: usize) -> String {
        format!("<https://list.example/{}>", "x".repeat(octets - 23))
    }

    #[test]
    fn ascii_is_only_folded() {
        for (name, value, expected) in [
            ("X-A", "", "X-A: \r\n".to_owned()),
            ("X-A", "  ", "X-A: \r\n".to_owned()),
            ("X-A", " a  b\t ", "X-A: a  b\r\n".to_owned()),
            ("X-A", "a\tb", "X-A: a\tb\r\n".to_owned()),
            (
                "X-A",
                "=?utf-8?B?w6k=?= =?x",
                "X-A: =?utf-8?B?w6k=?= =?x\r\n".to_owned(),
            ),
            (
                "List-Unsubscribe",
                "<https://list.example/a?b=?c>,  <mailto:leave@list.example?subject=a b> ",
                "List-Unsubscribe: <https://list.example/a?b=?c>,  <mailto:leave@list.example?subject=a b>\r\n"
                    .to_owned(),
            ),
            (
                "List-Id",
                "The \"list\" of lists <lists.example>",
                "List-Id: The \"list\" of lists <lists.example>\r\n".to_owned(),
            ),
            (
                "Disposition-Notification-To",
                "Anna <anna@example.com>",
                "Disposition-Notification-To: Anna <anna@example.com>\r\n".to_owned(),
            ),
            (
                "List-Unsubscribe",
                &format!("{}, {}", link(70), link(900)),
                format!("List-Unsubscribe: {},\r\n {}\r\n", link(70), link(900)),
            ),
            (
                "List-Unsubscribe",
                &link(997),
                format!("List-Unsubscribe:\r\n {}\r\n", link(997)),
            ),
            (
                "X-A",
                &format!("{}  {}", "a".repeat(700), "b".repeat(700)),
                format!("X-A: {}\r\n  {}\r\n", "a".repeat(700), "b".repeat(700)),
            ),
        ] {
            assert_eq!(written(name, value), expected, "{name}: {value:?}");
        }
        for (name, value, octets) in [
            ("List-Unsubscribe", link(998), 998),
            ("X-A", format!("a {} b", "x".repeat(2000)), 2000),
        ] {
            let error = compose(name, &value).unwrap_err();
            assert!(
                matches!(&error, FieldError::TooLong { octets: seen, .. } if *seen == octets),
                "{error:?}"
            );
            assert!(error.to_string().contains(name));
        }
    }

    #[test]
    fn beyond_ascii_a_phrase_is_encoded() {
        for (name, value, expected) in [
            ("X-A", "Grüße", "=?utf-8?B?R3LDvMOfZQ==?="),
            (
                "X-A",
                "Grüße aus Köln am Rhein",
                "=?utf-8?B?R3LDvMOfZQ==?= aus =?utf-8?B?S8O2bG4=?= am Rhein",
            ),
            ("X-A", "ü ö x", "=?utf-8?B?w7wgw7Y=?= x"),
            ("X-A", "a\u{7} b", "=?utf-8?Q?a=07?= b"),
            // Encoded once.
            ("X-A", "=?utf-8?B?w6k=?= ü", "=?utf-8?B?w6k=?= =?utf-8?B?IMO8?="),
            (
                "X-A",
                "ü =?utf-8?B?w6k=?= x",
                "=?utf-8?B?w7wg?= =?utf-8?B?w6k=?= x",
            ),
            (
                "List-Id",
                "Büro <a.b.example>",
                "=?utf-8?B?QsO8cm8=?= <a.b.example>",
            ),
            (
                "List-Id",
                "\"Büro, \\\"A\\\"\" <a.b.example>",
                "=?utf-8?B?QsO8cm8sICJBIg==?= <a.b.example>",
            ),
            (
                "List-Post",
                "<mailto:a@b.example> (für alle)",
                "<mailto:a@b.example> ( =?utf-8?B?ZsO8ciBhbGxl?= )",
            ),
            (
                "Disposition-Notification-To",
                "Jürgen <j@Bücher.example>, bob@x.example",
                "=?utf-8?Q?J=C3=BCrgen?=\r\n <j@xn--bcher-kva.example>, <bob@x.example>",
            ),
        ] {
            assert_eq!(
                written(name, value),
                format!("{name}: {expected}\r\n"),
                "{value:?}"
            );
        }
        for (name, value, token) in [
            (
                "List-Unsubscribe",
                "<https://list.example/ü>",
                "<https://list.example/ü>",
            ),
            (
                "List-Unsubscribe",
                "https://list.example/ü x",
                "https://list.example/ü",
            ),
            ("List-Id", "Büro <ü.example>", "<ü.example>"),
            ("List-Id", "\"Büro <a.example>", "\"Büro <a.example>"),
            ("Return-Receipt-To", "Anna <jürgen@b.example>", "jürgen@b.example"),
        ] {
            let error = compose(name, value).unwrap_err();
            let expected = FieldError::NotEncodable {
                name: name.to_owned(),
                token: token.to_owned(),
            };
            assert_eq!(error, expected, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn lines_are_ascii_and_not_too_long(
            name in prop::sample::select(vec!["X-A", "List-Id", "Errors-To"]),
            value in "[^\r\n\0]{0,200}|[ -~]{0,1500}|([a-zé<>\"(),:;@ \\\\]|=\\?utf-8\\?Q\\?a\\?=){0,40}",
        ) {
            if let Ok(out) = compose(name, &value) {
                let out = String::from_utf8(out).unwrap();
                for line in out.strip_suffix("\r\n").unwrap().split("\r\n") {
                    prop_assert!(line.len() <= 998 && line.bytes().all(is_plain), "{line:?}");
                }
                if value.bytes().all(is_plain) {
                    let unfolded = out.replace("\r\n", "");
                    let seen = unfolded.split_once(':').unwrap().1;
                    prop_assert_eq!(seen.trim_matches([' ', '\t']), value.trim_matches([' ', '\t']));
                }
            }
        }
    }
}
