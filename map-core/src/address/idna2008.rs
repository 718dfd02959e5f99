//! Which characters a domain name may have: RFC 5892, by the properties of the Unicode version that icu has.
//!
//! UTS 46 takes more, so that names of the older IDNA 2003 can still be looked up; no registry gives them out.

use icu_properties::props::{
    DefaultIgnorableCodePoint, GeneralCategory, HangulSyllableType, NoncharacterCodePoint, Script, WhiteSpace,
};
use icu_properties::{CodePointMapData, CodePointSetData};

/// The first character of a label that IDNA 2008 forbids there. The label is one that UTS 46 has mapped: what RFC 5892
/// section 2.2 calls unstable is not in it any more, and joiners and marks have been looked at.
pub(super) fn forbidden(label: &str) -> Option<char> {
    let characters: Vec<char> = label.chars().collect();
    let forbidden = |(index, &character): (usize, &char)| match derived(character) {
        Derived::Valid => false,
        Derived::Contextual => !fits_context(&characters, index),
        Derived::Disallowed => true,
    };
    characters
        .iter()
        .enumerate()
        .find(|&item| forbidden(item))
        .map(|(_, character)| *character)
}

enum Derived {
    Valid,
    Contextual,
    Disallowed,
}

/// [RFC 5892 section 3](https://www.rfc-editor.org/rfc/rfc5892#section-3).
fn derived(character: char) -> Derived {
    match character {
        // Exceptions with a rule, section 2.6.
        '\u{b7}'
        | '\u{375}'
        | '\u{5f3}'
        | '\u{5f4}'
        | '\u{30fb}'
        | '\u{660}'..='\u{669}'
        | '\u{6f0}'..='\u{6f9}' => Derived::Contextual,
        _ if is_valid_exception(character) => Derived::Valid,
        _ if is_disallowed_exception(character) || is_ignorable(character) || is_old_jamo(character) => {
            Derived::Disallowed
        }
        _ if is_letter_or_digit(character) => Derived::Valid,
        // Unassigned ones are among these.
        _ => Derived::Disallowed,
    }
}

/// LDH; `Exceptions` of section 2.6; and `Join_Control`, which UTS 46 has judged by the rules of appendices A.1 and A.2.
fn is_valid_exception(character: char) -> bool {
    matches!(
        character,
        '-' | '0'..='9' | 'a'..='z' | '\u{df}' | '\u{3c2}' | '\u{6fd}' | '\u{6fe}' | '\u{f0b}' | '\u{3007}' | '\u{200c}'
            | '\u{200d}'
    )
}

/// `Exceptions` of section 2.6, and `IgnorableBlocks` of section 2.4.
fn is_disallowed_exception(character: char) -> bool {
    matches!(
        character,
        '\u{640}' | '\u{7fa}' | '\u{302e}' | '\u{302f}' | '\u{3031}'..='\u{3035}' | '\u{303b}'
            | '\u{20d0}'..='\u{20ff}' | '\u{1d100}'..='\u{1d1ff}' | '\u{1d200}'..='\u{1d24f}'
    )
}

/// `IgnorableProperties`, section 2.3.
fn is_ignorable(character: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
        || CodePointSetData::new::<WhiteSpace>().contains(character)
        || CodePointSetData::new::<NoncharacterCodePoint>().contains(character)
}

/// `OldHangulJamo`, section 2.9.
fn is_old_jamo(character: char) -> bool {
    matches!(
        CodePointMapData::<HangulSyllableType>::new().get(character),
        HangulSyllableType::LeadingJamo | HangulSyllableType::VowelJamo | HangulSyllableType::TrailingJamo
    )
}

/// `LetterDigits`, section 2.1.
fn is_letter_or_digit(character: char) -> bool {
    matches!(
        CodePointMapData::<GeneralCategory>::new().get(character),
        GeneralCategory::LowercaseLetter
            | GeneralCategory::UppercaseLetter
            | GeneralCategory::OtherLetter
            | GeneralCategory::DecimalNumber
            | GeneralCategory::ModifierLetter
            | GeneralCategory::NonspacingMark
            | GeneralCategory::SpacingMark
    )
}

/// The rules of [RFC 5892 appendix A](https://www.rfc-editor.org/rfc/rfc5892#appendix-A) for what stands at `index`.
fn fits_context(label: &[char], index: usize) -> bool {
    let before = index.checked_sub(1).and_then(|index| label.get(index)).copied();
    let behind = index.checked_add(1).and_then(|index| label.get(index)).copied();
    let script = |character: char| CodePointMapData::<Script>::new().get(character);
    let is = |character: Option<char>, expected| character.map(script) == Some(expected);
    match label.get(index) {
        // A.3: in Catalan, between two l.
        Some('\u{b7}') => before == Some('l') && behind == Some('l'),
        // A.4: before a Greek letter.
        Some('\u{375}') => is(behind, Script::Greek),
        // A.5, A.6: after a Hebrew letter.
        Some('\u{5f3}' | '\u{5f4}') => is(before, Script::Hebrew),
        // A.7: with a letter of Japanese.
        Some('\u{30fb}') => label.iter().any(|&character| {
            matches!(
                script(character),
                Script::Hiragana | Script::Katakana | Script::Han
            )
        }),
        // A.8, A.9: not with digits of the other kind.
        Some('\u{660}'..='\u{669}') => !label.iter().any(|digit| ('\u{6f0}'..='\u{6f9}').contains(digit)),
        Some('\u{6f0}'..='\u{6f9}') => !label.iter().any(|digit| ('\u{660}'..='\u{669}').contains(digit)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_by_rfc_5892() {
        for label in [
            "bücher",
            "straße",
            "λόγος",
            "例え",
            "مثال",
            "ящик-с-апельсинами",
            "ไทย",
            "한국",
            "〇",
            "ལ་བ",
            "a\u{560a}",
            "col·lecció",
            "͵α",
            "א׳",
            "א״",
            "カ・カ",
            "あ・",
            "中・",
            "٠١",
            "۰۱",
            "क\u{94d}\u{200d}ष",
        ] {
            assert_eq!(forbidden(label), None, "{label:?}");
        }
        for (label, character) in [
            ("com’", '’'),
            ("❤", '❤'),
            ("a☕b", '☕'),
            ("👩", '👩'),
            ("√x", '√'),
            ("a_ü", '_'),
            ("a ü", ' '),
            ("ـ", 'ـ'),
            ("〳", '〳'),
            ("ᄀ", 'ᄀ'),
            ("ü\u{2028}", '\u{2028}'),
            ("ü\u{fe0f}", '\u{fe0f}'),
            ("ü\u{20dd}", '\u{20dd}'),
            ("\u{378}", '\u{378}'),
            ("\u{e000}", '\u{e000}'),
            ("1⁄2", '⁄'),
            ("\u{2160}", '\u{2160}'),
            ("€", '€'),
            ("a·l", '·'),
            ("l·", '·'),
            ("·", '·'),
            ("͵a", '͵'),
            ("a׳", '׳'),
            ("׳א", '׳'),
            ("ab・", '・'),
            ("٠۰", '٠'),
        ] {
            assert_eq!(forbidden(label), Some(character), "{label:?}");
        }
    }
}
