//! How any text stands on one line between angle brackets, and comes back as it was.

use std::fmt::{self, Write as _};

/// Prints a text so that it stays on one line and hides nothing: see [`super::MapReply`].
pub(super) struct OneLine<'a>(pub(super) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.chars();
        while let Some(character) = rest.next() {
            let escape = match character {
                // A reader drops blanks before ">", because MAP A.4 prints one that belongs to nothing.
                ' ' => rest.as_str().is_empty(),
                '\\' => rest.as_str().starts_with("u{"),
                _ => is_unfit(character),
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
pub(super) fn parse_one_line(printed: &str) -> Option<String> {
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

/// Characters that end a line, drive a terminal, turn the direction of what follows, or are not seen.
fn is_unfit(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        )
}
