//! Address lists written: for the wire, and for people.

use super::super::encoded_word::{Folded, MAX_LINE, looks_encoded};
use super::{Address, AddressList, DisplayName, Entry, Group};
use crate::address::Mailbox;
use std::fmt;

/// Writes a field of addresses, with its line ends. An empty list writes nothing.
pub(in super::super) fn write_addresses(out: &mut Vec<u8>, name: &str, list: &AddressList) {
    if list.is_empty() {
        return;
    }
    let mut field = Folded::new(out, name);
    let final_entry = list.0.len() - 1;
    for (index, entry) in list.0.iter().enumerate() {
        let comma = if index < final_entry { "," } else { "" };
        match entry {
            Entry::Address(address) => write_address(&mut field, address, comma),
            Entry::Group(group) => write_group(&mut field, group, comma),
        }
    }
    field.finish();
}

/// Writes a field of phrases, divided by commas.
pub(in super::super) fn write_phrases(out: &mut Vec<u8>, name: &str, phrases: &[DisplayName]) {
    if phrases.is_empty() {
        return;
    }
    let mut field = Folded::new(out, name);
    let last = phrases.len() - 1;
    for (index, phrase) in phrases.iter().enumerate() {
        write_phrase(&mut field, phrase.as_str(), if index < last { "," } else { "" });
    }
    field.finish();
}

fn write_group(field: &mut Folded<'_>, group: &Group, comma: &str) {
    let Some(last) = group.members.len().checked_sub(1) else {
        return write_phrase(field, group.name.as_str(), &format!(":;{comma}"));
    };
    write_phrase(field, group.name.as_str(), ":");
    for (index, member) in group.members.iter().enumerate() {
        if index < last {
            write_address(field, member, ",");
        } else {
            write_address(field, member, &format!(";{comma}"));
        }
    }
}

fn write_address(field: &mut Folded<'_>, address: &Address, tail: &str) {
    if let Some(name) = &address.name {
        write_phrase(field, name.as_str(), "");
    }
    field.word(&format!("<{}>{tail}", addr_spec(&address.mailbox)));
}

/// With the domain as A-labels: a quoted local part of RFC 5321 is a `quoted-string` of RFC 5322, and an address
/// literal a `domain-literal`.
fn addr_spec(mailbox: &Mailbox) -> String {
    mailbox.to_smtp()
}

/// Writes a `phrase`: atoms or a quoted string where every reader gives back exactly this text, else encoded words.
fn write_phrase(field: &mut Folded<'_>, text: &str, tail: &str) {
    if is_atoms(text) {
        let mut atoms = text.split(' ').peekable();
        while let Some(atom) = atoms.next() {
            if atoms.peek().is_some() {
                field.word(atom);
            } else {
                field.word(&format!("{atom}{tail}"));
            }
        }
    } else if is_quotable(text) {
        field.word(&format!("{}{tail}", quoted(text)));
    } else {
        field.encoded(text);
        // https://www.rfc-editor.org/rfc/rfc2047#section-5
        // > an 'encoded-word' […] MUST be separated from any adjacent 'word', 'text' or 'special' by
        // > 'linear-white-space'.
        if !tail.is_empty() {
            field.word(tail);
        }
    }
}

/// Octets of a word or a quoted string that a line has room for, with what may stand after it. Neither is encoded only
/// because the line grows beyond 78 octets.
const LONGEST: usize = MAX_LINE - 10;

/// True for words of `atext` with single blanks between them.
fn is_atoms(text: &str) -> bool {
    !looks_encoded(text)
        && text
            .split(' ')
            .all(|atom| !atom.is_empty() && atom.len() < LONGEST && atom.bytes().all(is_atext))
}

/// RFC 5322 section 3.2.3.
fn is_atext(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet)
}

/// True when a quoted string says it, on one line: some readers keep the line end in one that is folded. Several blanks
/// in a row are one to some readers.
fn is_quotable(text: &str) -> bool {
    let printable = text
        .bytes()
        .all(|octet| octet == b' ' || octet.is_ascii_graphic());
    let blanks = text.starts_with(' ') || text.ends_with(' ') || text.contains("  ");
    printable && !blanks && !looks_encoded(text) && quoted(text).len() < LONGEST
}

pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// As a person reads and writes it. Parsed again, it is an equal list.
impl fmt::Display for AddressList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_joined(f, &self.0)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Group(group) => group.fmt(f),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(f, &self.name)?;
        f.write_str(if self.members.is_empty() { ":" } else { ": " })?;
        write_joined(f, &self.members)?;
        f.write_str(";")
    }
}

/// As a person reads and writes it. Parsed again, it is an equal address.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => {
                write_name(f, name)?;
                write!(f, " <{}>", self.mailbox)
            }
            None => self.mailbox.fmt(f),
        }
    }
}

fn write_joined(f: &mut fmt::Formatter<'_>, items: &[impl fmt::Display]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

fn write_name(f: &mut fmt::Formatter<'_>, name: &DisplayName) -> fmt::Result {
    let stands = |character: char| !character.is_ascii() || u8::try_from(character).is_ok_and(is_atext);
    let bare = name
        .as_str()
        .split(' ')
        .all(|word| !word.is_empty() && word.chars().all(stands));
    if bare {
        f.write_str(name.as_str())
    } else {
        f.write_str(&quoted(name.as_str()))
    }
}
