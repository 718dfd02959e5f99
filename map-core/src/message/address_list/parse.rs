//! Address lists read from text.

use super::{Address, AddressList, AddressListError, DisplayName, Enclosure, Entry, Group};
use crate::address::Mailbox;
use std::str::FromStr;

impl FromStr for AddressList {
    type Err = AddressListError;

    /// # Errors
    /// What is wrong with it, and where.
    fn from_str(text: &str) -> Result<Self, AddressListError> {
        let list = Parser::new(text).list()?;
        if list.is_empty() {
            Err(AddressListError::Empty)
        } else {
            Ok(list)
        }
    }
}

impl FromStr for Address {
    type Err = AddressListError;

    /// # Errors
    /// What is wrong with it, and where.
    fn from_str(text: &str) -> Result<Self, AddressListError> {
        match <[Entry; 1]>::try_from(text.parse::<AddressList>()?.0) {
            Ok([Entry::Address(address)]) => Ok(address),
            _ => Err(AddressListError::NotOne),
        }
    }
}

/// Goes through the characters once, item by item.
struct Parser<'a> {
    rest: std::str::Chars<'a>,
    /// How many characters have been taken.
    taken: usize,
    /// The group under way, and where it began.
    group: Option<(Group, usize)>,
    list: AddressList,
}

/// An entry under way.
#[derive(Default)]
struct Item {
    /// What stands outside angle brackets and comments as a name: quoting resolved, one blank for several.
    name: String,
    /// The same as an `addr-spec`: quoting kept.
    addr_spec: String,
    /// What stood in angle brackets.
    bracketed: Option<String>,
    comment: Option<String>,
    /// A blank has been seen and not written yet.
    blank: bool,
    has_at: bool,
    /// Where it begins.
    start: usize,
    /// Where what has been seen of it ends.
    end: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.chars(),
            taken: 0,
            group: None,
            list: AddressList::default(),
        }
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest.next()?;
        self.taken += 1;
        Some(character)
    }

    fn list(mut self) -> Result<AddressList, AddressListError> {
        let mut item = Item::default();
        while let Some(character) = self.next() {
            let position = self.taken;
            if is_blank(character) {
                item.blank = true;
                continue;
            }
            match character {
                '(' => item.comment = Some(self.comment(position)?),
                ',' => self.end_item(std::mem::take(&mut item))?,
                ';' => {
                    self.end_item(std::mem::take(&mut item))?;
                    if let Some((group, _)) = self.group.take() {
                        self.list.0.push(Entry::Group(group));
                    }
                }
                _ if item.bracketed.is_some() => return Err(AddressListError::Behind(position)),
                ':' => self.begin_group(std::mem::take(&mut item), position)?,
                '<' => {
                    item.begin(position);
                    item.bracketed = Some(self.bracketed(position)?);
                }
                '"' => {
                    let (raw, text) = self.quoted_string(position)?;
                    item.push(position, &raw, &text);
                    item.end = self.taken;
                }
                '[' if item.addr_spec.ends_with('@') && !item.blank => {
                    let literal = self.literal(position)?;
                    item.push(position, &literal, &literal);
                }
                ')' | '>' | '\\' => return Err(AddressListError::Character { character, position }),
                _ if character.is_ascii_control() => {
                    return Err(AddressListError::Character { character, position });
                }
                _ => {
                    item.has_at |= character == '@';
                    let text = character.encode_utf8(&mut [0; 4]).to_owned();
                    item.push(position, &text, &text);
                }
            }
        }
        self.end_item(item)?;
        match self.group {
            Some((_, position)) => Err(AddressListError::NotClosed {
                what: Enclosure::Group,
                position,
            }),
            None => Ok(self.list),
        }
    }

    fn begin_group(&mut self, item: Item, position: usize) -> Result<(), AddressListError> {
        if item.name.is_empty() {
            return Err(AddressListError::Character {
                character: ':',
                position,
            });
        }
        if self.group.is_some() {
            return Err(AddressListError::GroupInGroup(item.start));
        }
        if item.has_at {
            return Err(AddressListError::AtInName(item.name));
        }
        let name = display_name(&item.name)?;
        let members = Vec::new();
        self.group = Some((Group { name, members }, item.start));
        Ok(())
    }

    fn end_item(&mut self, item: Item) -> Result<(), AddressListError> {
        let address = match item.bracketed {
            Some(_) if item.has_at => return Err(AddressListError::AtInName(item.name)),
            Some(addr_spec) => Address {
                // A name of nothing is none.
                name: (!item.name.trim().is_empty())
                    .then(|| display_name(&item.name))
                    .transpose()?,
                mailbox: mailbox(&addr_spec)?,
            },
            None if item.addr_spec.is_empty() => return Ok(()),
            None if !item.has_at => {
                return Err(AddressListError::NoAddress {
                    name: item.name,
                    position: item.end,
                });
            }
            None => {
                let comment = item.comment.filter(|comment| !comment.trim().is_empty());
                Address {
                    name: comment.map(|comment| display_name(comment.trim())).transpose()?,
                    mailbox: mailbox(&item.addr_spec)?,
                }
            }
        };
        match &mut self.group {
            Some((group, _)) => group.members.push(address),
            None => self.list.0.push(Entry::Address(address)),
        }
        Ok(())
    }

    /// What stands up to the closing parenthesis; comments in it stay in it.
    fn comment(&mut self, position: usize) -> Result<String, AddressListError> {
        let mut text = String::new();
        let mut depth = 0_usize;
        while let Some(character) = self.next() {
            match character {
                '\\' => {
                    text.extend(self.next());
                    continue;
                }
                '(' => depth += 1,
                ')' if depth == 0 => return Ok(text),
                ')' => depth -= 1,
                _ => {}
            }
            text.push(if is_blank(character) { ' ' } else { character });
        }
        Err(AddressListError::NotClosed {
            what: Enclosure::Comment,
            position,
        })
    }

    /// What stands up to the closing quotation mark: as it stands, with both marks, and what it means.
    fn quoted_string(&mut self, position: usize) -> Result<(String, String), AddressListError> {
        let (mut raw, mut text) = ("\"".to_owned(), String::new());
        while let Some(character) = self.next() {
            raw.push(character);
            match character {
                '"' => return Ok((raw, text)),
                '\\' => {
                    if let Some(escaped) = self.next() {
                        raw.push(escaped);
                        text.push(escaped);
                    }
                }
                _ => text.push(character),
            }
        }
        Err(AddressListError::NotClosed {
            what: Enclosure::QuotedString,
            position,
        })
    }

    /// What stands up to the closing angle bracket, without comments.
    fn bracketed(&mut self, position: usize) -> Result<String, AddressListError> {
        let mut addr_spec = String::new();
        while let Some(character) = self.next() {
            let begin = self.taken;
            match character {
                '>' => return Ok(addr_spec),
                '"' => addr_spec.push_str(&self.quoted_string(begin)?.0),
                '(' => drop(self.comment(begin)?),
                _ => addr_spec.push(character),
            }
        }
        Err(AddressListError::NotClosed {
            what: Enclosure::AngleBrackets,
            position,
        })
    }

    fn literal(&mut self, position: usize) -> Result<String, AddressListError> {
        let mut literal = "[".to_owned();
        while let Some(character) = self.next() {
            literal.push(character);
            if character == ']' {
                return Ok(literal);
            }
        }
        Err(AddressListError::NotClosed {
            what: Enclosure::Literal,
            position,
        })
    }
}

impl Item {
    fn begin(&mut self, position: usize) {
        if self.start == 0 {
            self.start = position;
        }
    }

    /// Goes on with a piece, behind a blank if there was one.
    fn push(&mut self, position: usize, raw: &str, text: &str) {
        self.begin(position);
        self.end = position;
        if std::mem::take(&mut self.blank) && !self.addr_spec.is_empty() {
            self.name.push(' ');
            self.addr_spec.push(' ');
        }
        self.addr_spec.push_str(raw);
        self.name.push_str(text);
    }
}

/// What may stand between words.
fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

fn display_name(name: &str) -> Result<DisplayName, AddressListError> {
    name.parse().map_err(|error| AddressListError::Name {
        name: name.to_owned(),
        error,
    })
}

fn mailbox(text: &str) -> Result<Mailbox, AddressListError> {
    text.parse().map_err(|error| AddressListError::Mailbox {
        text: text.to_owned(),
        error,
    })
}
