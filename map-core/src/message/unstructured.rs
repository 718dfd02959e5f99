//! Fields of free text: `Subject`, `Comments`, `Content-Description`.

use super::encoded_word::{Folded, MAX_LINE, looks_encoded};

/// Writes a field for people, with its line ends: as it stands where it can, else as encoded words.
///
/// ASCII is folded at blanks. A word that is longer than the 78 octets a line should have stands on a line of its own:
/// receivers count encoded ASCII against a mail, and a long line they do not.
pub(super) fn write_text(out: &mut Vec<u8>, name: &str, text: &str) {
    let mut field = Folded::new(out, name);
    if goes_as_it_stands(name, text) {
        for piece in pieces(text) {
            field.word(piece);
        }
    } else {
        field.encoded(text);
    }
    field.finish();
}

/// True when every reader gives back exactly this text, folded at single blanks: where a line begins, several blanks are
/// one to some.
fn goes_as_it_stands(name: &str, text: &str) -> bool {
    let printable = text
        .bytes()
        .all(|octet| octet == b' ' || octet.is_ascii_graphic());
    let outer_blanks = text.starts_with(' ') || text.ends_with(' ');
    let mut before = name.len() + ": ".len();
    let fits = pieces(text).all(|piece| std::mem::replace(&mut before, " ".len()) + piece.len() <= MAX_LINE);
    printable && !outer_blanks && !looks_encoded(text) && fits
}

/// A text divided at its single blanks.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let octets = text.as_bytes();
        let single = |&at: &usize| {
            let blank = |index: Option<usize>| index.and_then(|index| octets.get(index)) == Some(&b' ');
            !blank(at.checked_sub(1)) && !blank(at.checked_add(1))
        };
        let found = memchr::memchr_iter(b' ', octets).find(single);
        let (piece, behind) = match found.and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?))) {
            Some((piece, behind)) => (piece, Some(behind)),
            None => (text, None),
        };
        rest = behind;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::super::encoded_word::tests::decoded_word;
    use super::*;
    use proptest::prelude::*;

    fn field(text: &str) -> String {
        let mut out = Vec::new();
        write_text(&mut out, "Subject", text);
        String::from_utf8(out).unwrap()
    }

    /// What a reader by RFC 5322 and RFC 2047 sees. Strict: what the rules do not allow fails the test.
    fn seen(field: &str) -> String {
        let lines = field.strip_suffix("\r\n").unwrap().split("\r\n");
        let encoded = field.starts_with("Subject: =?utf-8?") || field.starts_with("Subject:\r\n =?utf-8?");
        for (number, line) in lines.clone().enumerate() {
            // Only what has no blank to fold at is longer.
            let value = line
                .strip_prefix(if number == 0 { "Subject: " } else { " " })
                .unwrap();
            let long = !encoded && line.len() <= MAX_LINE && pieces(value).count() == 1;
            assert!(line.len() <= if encoded { 76 } else { 78 } || long, "{line:?}");
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
        if !words.peek().unwrap().starts_with("=?utf-8?") || !looks_encoded(value) {
            assert!(!looks_encoded(value), "{value:?}");
            return value.to_owned();
        }
        words.map(decoded_word).collect()
    }

    #[test]
    fn plain_ones_stand_as_they_are() {
        for text in [
            "test",
            "a  b   c",
            "100% = 1?",
            "(comment) \"quoted\" <a@b>, [x]; y: z",
            "?= =",
            "=?x",
            "a =?b",
            "what does https://x.example/?q=?a=?b mean",
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
            field(&format!("a   {}", x(65))),
            format!("Subject: a   {}\r\n", x(65))
        );
        assert_eq!(field(&x(70)), format!("Subject: {}\r\n", x(70)));
        assert_eq!(field(&x(989)), format!("Subject: {}\r\n", x(989)));
        assert_eq!(
            field(&format!("see {} now", x(200))),
            format!("Subject: see\r\n {}\r\n now\r\n", x(200))
        );
        assert_eq!(
            field("several  blanks where the line might have to end, which is not where this one  has to"),
            "Subject: several  blanks where the line might have to end, which is not where\r\n this one  has to\r\n"
        );
    }

    #[test]
    fn what_would_not_come_back_is_encoded() {
        for (text, encoded) in [
            ("Grüße", "=?utf-8?B?R3LDvMOfZQ==?="),
            ("Menu of the café", "=?utf-8?Q?Menu_of_the_caf=C3=A9?="),
            ("привет", "=?utf-8?B?0L/RgNC40LLQtdGC?="),
            ("=?utf-8?Q?a?=", "=?utf-8?B?PT91dGYtOD9RP2E/PQ==?="),
            ("a =?x?b??=", "=?utf-8?B?YSA9P3g/Yj8/PQ==?="),
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
        // No line can hold these.
        for text in [x(990), format!("a {}", x(998)), format!("a{}b", "  ".repeat(500))] {
            assert!(field(&text).starts_with("Subject: =?utf-8?Q?"));
            assert_eq!(seen(&field(&text)), text);
        }
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
