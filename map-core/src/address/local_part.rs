//! What stands left of the `@`.

use super::error::{AddressPart, MailboxError};
use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::sync::Arc;

/// What stands left of the `@`, freed of its quoting.
///
/// ```text
/// Local-part        = Dot-string / Quoted-string
/// Dot-string        = Atom *("." Atom)
/// Atom              = 1*atext
/// Quoted-string     = DQUOTE *QcontentSMTP DQUOTE
/// QcontentSMTP      = qtextSMTP / quoted-pairSMTP
/// quoted-pairSMTP   = %d92 %d32-126
/// qtextSMTP         = %d32-33 / %d35-91 / %d93-126 / UTF8-non-ascii
/// atext             =/ UTF8-non-ascii
/// ```
///
/// With `UTF8-non-ascii` ([RFC 6531 section 3.3](https://www.rfc-editor.org/rfc/rfc6531#section-3.3)) a local part may
/// be in any script, and then needs SMTPUTF8. It goes as it was typed, not normalised: only the recipient's host knows
/// which spellings it takes for one. Characters that nobody can see, or that are none, are refused: see
/// [`MailboxError::Invisible`].
///
/// `"john"`, `"j\ohn"` and `john` are one local part and compare equal; upper and lower case differ, because only
/// the recipient's host knows what they mean there. `Display` prints the form with the least quoting, as
/// [RFC 5321 section 4.1.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2) has it:
///
/// > all quoted forms MUST be treated as equivalent, and the sending system SHOULD transmit the form that uses the
/// > minimum quoting possible.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocalPart(Arc<str>);

/// What 254 octets of an address leave beside the `@` and a domain of one letter.
///
/// RFC 5321 section 4.5.3.1.1 says 64, and lets a client try more: return paths and reply tokens have more, and their
/// hosts take them.
// https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1
// > To the maximum extent possible, implementation techniques that impose no limits on the length of these objects should
// > be used.
const MAX: usize = 252;

impl LocalPart {
    /// The text freed of its quoting. Printed, it may need quoting again: use `Display` for that.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes a local part and the `@` after it off the front of `text`; gives the rest of it as well.
    ///
    /// `before` is how many characters precede `text`, for the positions in errors.
    pub(super) fn take(text: &str, before: usize) -> Result<(Self, &str), MailboxError> {
        if text.starts_with('"') {
            let (value, rest) = quoted_string(text, before)?;
            let quoted = text.len() - rest.len();
            return match rest.chars().next() {
                None => Err(MailboxError::NoAt),
                Some('@') if quoted > MAX => Err(MailboxError::LocalPartTooLong(quoted)),
                Some('@') => Ok((Self(value.into()), rest.get(1..).unwrap_or_default())),
                Some(character) => Err(MailboxError::Character {
                    character,
                    position: before + text.chars().count() - rest.chars().count() + 1,
                    part: AddressPart::LocalPart,
                }),
            };
        }
        let (local_part, rest) = text.split_once('@').ok_or(MailboxError::NoAt)?;
        dot_string(local_part, before)?;
        Ok((Self(local_part.into()), rest))
    }
}

impl FromStr for LocalPart {
    type Err = MailboxError;

    /// Takes a local part without its `@`.
    ///
    /// # Errors
    /// What is wrong with it.
    fn from_str(text: &str) -> Result<Self, MailboxError> {
        if !text.starts_with('"') {
            dot_string(text, 0)?;
            return Ok(Self(text.into()));
        }
        match Self::take(&format!("{text}@"), 0)? {
            (local_part, "") => Ok(local_part),
            // The text has an @ of its own after the quoted string.
            (_, rest) => Err(MailboxError::Character {
                character: '@',
                position: text.chars().count() - rest.chars().count() + 1,
                part: AddressPart::LocalPart,
            }),
        }
    }
}

impl fmt::Display for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if dot_string(&self.0, 0).is_ok() {
            return f.write_str(&self.0);
        }
        f.write_char('"')?;
        for character in self.0.chars() {
            if matches!(character, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(character)?;
        }
        f.write_char('"')
    }
}

/// Checks for a `Dot-string`.
fn dot_string(text: &str, before: usize) -> Result<(), MailboxError> {
    if text.is_empty() {
        return Err(MailboxError::EmptyLocalPart);
    }
    let mut after_dot = true;
    for (position, character) in (before + 1..).zip(text.chars()) {
        match character {
            '.' if after_dot => return Err(MailboxError::LocalPartDot(position)),
            '.' => {}
            _ if is_invisible(character) => return Err(MailboxError::Invisible { character, position }),
            _ if is_atext(character) => {}
            _ => {
                return Err(MailboxError::Character {
                    character,
                    position,
                    part: AddressPart::LocalPart,
                });
            }
        }
        after_dot = character == '.';
    }
    if after_dot {
        return Err(MailboxError::LocalPartDot(before + text.chars().count()));
    }
    if text.len() > MAX {
        Err(MailboxError::LocalPartTooLong(text.len()))
    } else {
        Ok(())
    }
}

/// Takes a `Quoted-string` off the front of `text`: what it means, and the rest after the closing quote.
fn quoted_string(text: &str, before: usize) -> Result<(String, &str), MailboxError> {
    let mut value = String::new();
    let mut characters = (before + 1..).zip(text.char_indices()).skip(1);
    while let Some((position, (index, character))) = characters.next() {
        let (position, character) = match character {
            '"' => return Ok((value, text.get(index + 1..).unwrap_or_default())),
            '\\' => match characters.next() {
                // https://www.rfc-editor.org/rfc/rfc6531#section-3.3
                // It extends qtextSMTP, and not quoted-pairSMTP.
                Some((position, (_, character))) if !character.is_ascii() && !is_invisible(character) => {
                    return Err(MailboxError::Backslash { character, position });
                }
                Some((position, (_, escaped))) => (position, escaped),
                None => break,
            },
            _ => (position, character),
        };
        match character {
            _ if is_invisible(character) => return Err(MailboxError::Invisible { character, position }),
            ' '..='~' | '\u{80}'.. => value.push(character),
            _ => {
                return Err(MailboxError::Character {
                    character,
                    position,
                    part: AddressPart::QuotedString,
                });
            }
        }
    }
    Err(MailboxError::QuoteNotClosed(before + 1))
}

/// RFC 5322 section 3.2.3, with the extension of RFC 6532 section 3.2.
fn is_atext(character: char) -> bool {
    !character.is_ascii() || character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(character)
}

/// Characters beyond ASCII that `UTF8-non-ascii` has and no address: C1 controls, blanks and line separators, what sets
/// the direction of writing, zero width characters, noncharacters. The joiners (U+200C, U+200D) are not among them:
/// words of some scripts, and many an emoji, are spelt with them.
fn is_invisible(character: char) -> bool {
    if character.is_ascii() {
        return false;
    }
    // Each plane ends in two noncharacters; the others are a block of their own.
    let ends_plane = u32::from(character) & 0xfffe == 0xfffe;
    character.is_control()
        || character.is_whitespace()
        || ends_plane
        || matches!(character, '\u{fdd0}'..='\u{fdef}')
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        )
}
