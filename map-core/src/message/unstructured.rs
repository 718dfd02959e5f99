//! Fields of free text: `Subject`, `Comments`, a caller's own.

use super::encoded_word::{Folded, LINE, MAX_LINE, looks_encoded};
use super::header::write_field;
use mail_builder::headers::raw::Raw;

/// Writes a field for people, with its line ends: what does not fit into lines of 78 octets is encoded.
pub(super) fn write_text(out: &mut Vec<u8>, name: &str, text: &str) {
    if goes_as_it_stands(name, text) && longest_line(name, text) <= LINE {
        write_field(out, name, &Raw::new(text));
    } else {
        write_encoded(out, name, text);
    }
}

/// Writes a field that may be for programs: a long word (an address of the Web) stays whole, as long as a line can
/// hold it.
pub(super) fn write_field_of_words(out: &mut Vec<u8>, name: &str, text: &str) {
    if goes_as_it_stands(name, text) && longest_line(name, text) <= MAX_LINE {
        write_field(out, name, &Raw::new(text));
    } else {
        write_encoded(out, name, text);
    }
}

fn write_encoded(out: &mut Vec<u8>, name: &str, text: &str) {
    let mut field = Folded::new(out, name);
    field.encoded(text);
    field.finish();
}

/// True when every reader gives back exactly this text, folded before blanks. Where a line begins, several blanks are
/// one to some.
fn goes_as_it_stands(name: &str, text: &str) -> bool {
    let printable = text
        .bytes()
        .all(|octet| octet == b' ' || octet.is_ascii_graphic());
    let outer_blanks = text.starts_with(' ') || text.ends_with(' ');
    let on_one_line = name.len() + ": ".len() + text.len() <= LINE;
    printable && !outer_blanks && !looks_encoded(text) && (on_one_line || !text.contains("  "))
}

/// The octets of the longest line when it is folded before blanks wherever 78 are exceeded.
fn longest_line(name: &str, text: &str) -> usize {
    let mut longest = 0;
    let mut blanks = name.len() + ": ".len();
    for word in text.split(' ') {
        if word.is_empty() {
            blanks += 1;
        } else {
            longest = longest.max(blanks + word.len());
            blanks = 1;
        }
    }
    longest
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
            field(&format!("a   {}", x(65))),
            format!("Subject: a   {}\r\n", x(65))
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
            (
                "several  blanks where the line might have to end, which is not where this would have to",
                "=?utf-8?Q?several__blanks_where_the_line_might_have_to_end=2C_whi?=\r\n \
                 =?utf-8?Q?ch_is_not_where_this_would_have_to?=",
            ),
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

    #[test]
    fn a_field_for_programs_keeps_its_words() {
        let written = |text: &str| {
            let mut out = Vec::new();
            write_field_of_words(&mut out, "List-Unsubscribe", text);
            String::from_utf8(out).unwrap()
        };
        let link = |octets: usize| format!("<https://list.example/{}>", "x".repeat(octets - 23));
        assert_eq!(
            written(&link(100)),
            format!("List-Unsubscribe: {}\r\n", link(100))
        );
        assert_eq!(
            written(&format!("{}, {}", link(70), link(900))),
            format!("List-Unsubscribe: {},\r\n {}\r\n", link(70), link(900))
        );
        assert!(written(&link(980)).lines().all(|line| line.len() <= 998));
        assert!(written(&link(981)).starts_with("List-Unsubscribe: =?utf-8?"));
        assert_eq!(written("é"), "List-Unsubscribe: =?utf-8?B?w6k=?=\r\n");
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
