//! RFC 2047 encoded words, and the folding of a field that is made of words.
//!
//! Both are ours. mail-builder 2.0 leaves ASCII text as it stands when it should not: what looks like an encoded word
//! arrives as what that word says, and outer blanks are lost; and it folds inside quoted strings, where some readers
//! keep the line end.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const PREFIX_Q: &str = "=?utf-8?Q?";
const PREFIX_B: &str = "=?utf-8?B?";
const SUFFIX: &str = "?=";

// https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1
// > Each line of characters MUST be no more than 998 characters, and SHOULD be no more than 78 characters,
// > excluding the CRLF.
/// Octets of a line that nothing forces to be longer.
pub(super) const LINE: usize = 78;
/// Octets of any line.
pub(super) const MAX_LINE: usize = 998;

// https://www.rfc-editor.org/rfc/rfc2047#section-2
// > An 'encoded-word' may not be more than 75 characters long, […] each line of a header field that contains one
// > or more 'encoded-word's is limited to 76 characters.
const ENCODED_LINE: usize = 76;

/// True for text in which a reader sees an encoded word. Many are lenient: they find one in the middle of a word, and
/// with blanks in it.
pub(super) fn looks_encoded(text: &str) -> bool {
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once("=?") {
        let encoded = behind.split_once('?').and_then(|(_charset, encoding)| {
            let text = encoding.strip_prefix(['B', 'b', 'Q', 'q'])?;
            text.strip_prefix('?')
        });
        if encoded.is_some_and(|text| text.contains("?=")) {
            return true;
        }
        rest = behind;
    }
    false
}

/// A field under way: words with a blank before each, or a line end where the line would grow too long.
pub(super) struct Folded<'a> {
    out: &'a mut Vec<u8>,
    column: usize,
    /// How long this line may grow.
    line: usize,
    /// Nothing stands after the name yet.
    first: bool,
}

impl<'a> Folded<'a> {
    /// Begins the field.
    pub(super) fn new(out: &'a mut Vec<u8>, name: &str) -> Self {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        Self {
            out,
            column: name.len() + 1,
            line: LINE,
            first: true,
        }
    }

    /// Writes a word that no line end may divide.
    pub(super) fn word(&mut self, word: &str) {
        // The first one stays with the name: a line of nothing but a name is what some readers stumble over.
        let line = if self.first { MAX_LINE } else { self.line };
        if self.column + 1 + word.len() > line {
            self.fold();
        } else {
            self.blank();
        }
        self.raw(word);
    }

    /// Writes a text as encoded words, by the shorter of the two encodings.
    ///
    /// The blanks and line ends between encoded words are not part of the text, so nothing is lost or added.
    pub(super) fn encoded(&mut self, text: &str) {
        /// Worth beginning a word for that goes on in the next line.
        const WORTH: usize = 24;

        let preferred = Encoding::shorter(text);
        let mut rest = text;
        while !rest.is_empty() {
            let overhead = self.column + 1 + PREFIX_Q.len() + SUFFIX.len();
            let room = ENCODED_LINE.saturating_sub(overhead);
            let (mut encoding, mut fitting) = preferred.next_word(rest, room);
            let divides = fitting < rest.len() && room < WORTH;
            if fitting == 0 || divides && !self.first {
                self.fold();
                let overhead = self.column + PREFIX_Q.len() + SUFFIX.len();
                (encoding, fitting) = preferred.next_word(rest, ENCODED_LINE - overhead);
            } else {
                self.blank();
            }
            let (word, behind) = rest.split_at(fitting);
            self.raw(&encoding.word(word));
            self.line = ENCODED_LINE;
            rest = behind;
        }
    }

    /// Ends the field.
    pub(super) fn finish(self) {
        self.out.extend_from_slice(b"\r\n");
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
        self.column += text.len();
        self.first = false;
    }

    /// Goes on in this line.
    fn blank(&mut self) {
        self.out.push(b' ');
        self.column += 1;
    }

    /// Goes on in the next line, after a blank.
    fn fold(&mut self) {
        self.out.extend_from_slice(b"\r\n ");
        self.column = 1;
        self.line = LINE;
    }
}

/// A text as encoded words that each fill at most `line` octets, for where no [`Folded`] field is.
pub(super) fn encoded_words(text: &str, line: usize) -> Vec<String> {
    let preferred = Encoding::shorter(text);
    let room = line.saturating_sub(PREFIX_Q.len() + SUFFIX.len());
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (encoding, fitting) = preferred.next_word(rest, room);
        // One character at least, so that this ends.
        let fitting = fitting.max(rest.chars().next().map_or(1, char::len_utf8));
        let (word, behind) = rest.split_at(fitting);
        words.push(encoding.word(word));
        rest = behind;
    }
    words
}

#[derive(Clone, Copy)]
enum Encoding {
    B,
    Q,
}

impl Encoding {
    fn shorter(text: &str) -> Self {
        let by_q: usize = text.bytes().map(q_width).sum();
        if by_q <= text.len().div_ceil(3) * 4 {
            Self::Q
        } else {
            Self::B
        }
    }

    /// The encoding of the next word, and how many octets of `text` it holds: whole characters only, none if no
    /// character fits into `room`.
    ///
    /// A word in base64 that another one follows ends on a multiple of three octets: readers that put a run together
    /// before they decode it stop at padding. Where no character ends there, quoted-printable takes one character, which
    /// moves the next multiple.
    // https://www.rfc-editor.org/rfc/rfc2047#section-5
    // > Each 'encoded-word' MUST represent an integral number of characters.
    fn next_word(self, text: &str, room: usize) -> (Self, usize) {
        let first = text.chars().next().map_or(0, char::len_utf8);
        match (self, fitting_b(text, room)) {
            (Self::Q, _) => (Self::Q, fitting_q(text, room)),
            (Self::B, 0) if fitting_q(text, room) > 0 => (Self::Q, first),
            (Self::B, fitting) => (Self::B, fitting),
        }
    }

    fn word(self, text: &str) -> String {
        match self {
            Self::B => format!("{PREFIX_B}{}{SUFFIX}", STANDARD.encode(text)),
            Self::Q => format!("{PREFIX_Q}{}{SUFFIX}", q(text)),
        }
    }
}

fn fitting_q(text: &str, room: usize) -> usize {
    let mut width = 0_usize;
    for (start, character) in text.char_indices() {
        let mut octets = [0; 4];
        let encoded = character.encode_utf8(&mut octets).bytes().map(q_width);
        width = width.saturating_add(encoded.sum());
        if width > room {
            return start;
        }
    }
    text.len()
}

fn fitting_b(text: &str, room: usize) -> usize {
    let most = room / 4 * 3;
    if text.len() <= most {
        return text.len();
    }
    let mut aligned = (1..=most / 3).rev().map(|groups| groups * 3);
    aligned.find(|end| text.is_char_boundary(*end)).unwrap_or(0)
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

fn q(text: &str) -> String {
    text.bytes()
        .map(|octet| match octet {
            b' ' => "_".to_owned(),
            _ if is_q_literal(octet) => char::from(octet).to_string(),
            _ => format!("={octet:02X}"),
        })
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What an encoded word says. Strict: what the rules do not allow fails the test.
    pub(in crate::message) fn decoded_word(word: &str) -> String {
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

    fn words(name: &str, words: &[&str]) -> String {
        let mut out = Vec::new();
        let mut field = Folded::new(&mut out, name);
        for word in words {
            field.word(word);
        }
        field.finish();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn words_fold_where_the_line_ends() {
        let x = |octets: usize| "x".repeat(octets);
        assert_eq!(words("A", &["b", "c"]), "A: b c\r\n");
        assert_eq!(
            words("A", &[&x(73), "c"]),
            format!("A: {} c\r\n ", x(73)).trim_end_matches(' ')
        );
        assert_eq!(words("A", &[&x(74), "c"]), format!("A: {}\r\n c\r\n", x(74)));
        assert_eq!(words("A", &[&x(995)]), format!("A: {}\r\n", x(995)));
        assert_eq!(words("A", &[&x(996)]), format!("A:\r\n {}\r\n", x(996)));
    }

    #[test]
    fn what_readers_take_for_an_encoded_word() {
        for text in [
            "=?utf-8?Q?a?=",
            "=?UTF-8?b?YQ==?=",
            "x=?utf-8?q?a?=y",
            "a =?utf-8*en?Q?a b?= c",
            "=?=?utf-8?Q?a?=",
            "=?utf-8?Q??=",
            "=?a =?utf-8?Q?a?=",
            "=??Q?a?=",
        ] {
            assert!(looks_encoded(text), "{text:?}");
        }
        for text in [
            "",
            "=?",
            "?=",
            "=?x",
            "a =?b",
            "https://x.example/?a=?b=?c&d?=",
            "=?utf-8?Q?a",
            "=?utf-8?Q?=",
            "=?utf-8?X?a?=",
            "=? =? ?= ?=",
        ] {
            assert!(!looks_encoded(text), "{text:?}");
        }
    }

    /// What a reader sees that joins the base64 of a run before it decodes it, and stops at padding.
    fn joined(words: &[&str]) -> String {
        let mut octets = Vec::new();
        let mut run = String::new();
        let end_run = |run: &mut String, octets: &mut Vec<u8>| {
            let text = std::mem::take(run);
            let end = text
                .find('=')
                .map_or(text.len(), |padding| padding.next_multiple_of(4));
            octets.extend(STANDARD.decode(&text[..end]).unwrap());
        };
        for word in words {
            if let Some(text) = word.strip_prefix(PREFIX_B) {
                run.push_str(text.strip_suffix(SUFFIX).unwrap());
            } else {
                end_run(&mut run, &mut octets);
                octets.extend(decoded_word(word).into_bytes());
            }
        }
        end_run(&mut run, &mut octets);
        String::from_utf8(octets).unwrap()
    }

    #[test]
    fn only_the_last_word_of_a_run_has_padding() {
        for text in [
            "é".repeat(100),
            "日本語".repeat(40),
            format!("a{}", "日本語".repeat(40)),
            format!("ab{}", "日本語".repeat(40)),
            format!("é{}😀{}", "日".repeat(30), "本".repeat(30)),
            "😀".repeat(60),
            "a日é😀".repeat(30),
        ] {
            let words = encoded_words(&text, 75);
            assert!(words.len() > 2);
            let (last, others) = words.split_last().unwrap();
            assert!(others.iter().all(|word| !word.ends_with("=?=")), "{words:?}");
            assert!(last.len() <= 75);
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            assert_eq!(joined(&words), text);
            let mut out = Vec::new();
            let mut field = Folded::new(&mut out, "Subject");
            field.encoded(&text);
            field.finish();
            let field = String::from_utf8(out).unwrap();
            let words: Vec<_> = field.split_whitespace().skip(1).collect();
            assert_eq!(joined(&words), text);
        }
    }

    proptest! {
        #[test]
        fn words_and_encoded_words_mix(
            texts in prop::collection::vec(("[a-z]{1,80}", prop::option::of("\\PC{1,60}")), 1..8),
            name in "[A-Z][a-z-]{0,75}",
        ) {
            let mut out = Vec::new();
            let mut field = Folded::new(&mut out, &name);
            let mut expected = String::new();
            for (word, text) in &texts {
                if let Some(text) = text {
                    field.encoded(text);
                    expected.push_str(text);
                }
                field.word(word);
                expected.push_str(word);
            }
            field.finish();
            let out = String::from_utf8(out).unwrap();
            let mut seen = String::new();
            for (number, line) in out.strip_suffix("\r\n").unwrap().split("\r\n").enumerate() {
                let longest = if line.contains("=?") { 76 } else { 78 };
                prop_assert!(line.len() <= longest || line.trim().split(' ').count() <= 2, "{line:?}");
                prop_assert_eq!(line.starts_with(' '), number > 0);
                let line = if number == 0 { line.split_once(':').unwrap().1 } else { line };
                for word in line.split(' ').filter(|word| !word.is_empty()) {
                    seen.push_str(&if word.starts_with("=?") { decoded_word(word) } else { word.to_owned() });
                }
            }
            prop_assert_eq!(seen, expected);
        }

        #[test]
        fn loose_words_say_the_text(text in "\\PC{0,200}", line in 30_usize..=75) {
            let words = encoded_words(&text, line);
            prop_assert!(words.iter().all(|word| word.len() <= line));
            let all: Vec<_> = words.iter().map(String::as_str).collect();
            prop_assert_eq!(&joined(&all), &text);
            prop_assert_eq!(words.iter().map(|word| decoded_word(word)).collect::<String>(), text);
        }
    }
}
