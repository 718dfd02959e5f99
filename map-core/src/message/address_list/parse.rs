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
    /// The same as an `addr-spec`.
    addr_spec: AddrSpec,
    /// What stood in angle brackets.
    bracketed: Option<AddrSpec>,
    /// The last comment, unless something stands after it.
    comment: Option<String>,
    /// A blank or a comment has been seen and not written yet.
    gap: bool,
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
                item.gap = true;
                item.addr_spec.blank();
                continue;
            }
            match character {
                '(' => {
                    item.comment = Some(self.comment(position)?);
                    item.gap = true;
                    item.addr_spec.comment(position);
                }
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
                '[' if item.addr_spec.text.ends_with('@') => {
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
            Some(addr_spec) => {
                let mailbox = addr_spec.mailbox()?;
                // `bob@x.example <bob@x.example>` says the same twice, and no comma is missing.
                let alike = |other: &Mailbox| other.to_smtp().eq_ignore_ascii_case(&mailbox.to_smtp());
                if item.has_at && !item.addr_spec.mailbox().as_ref().is_ok_and(alike) {
                    return Err(AddressListError::AtInName(item.name));
                }
                Address {
                    // A name of nothing is none.
                    name: match item.name.trim() {
                        "" => None,
                        _ => Some(display_name(&item.name)?),
                    },
                    mailbox,
                }
            }
            None if item.addr_spec.text.is_empty() => return Ok(()),
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
                    mailbox: item.addr_spec.mailbox()?,
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
                '\r' | '\n' if self.fold(character) => continue,
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
    // https://www.rfc-editor.org/rfc/rfc5322#section-3.2.4
    // > the CRLF in any FWS/CFWS that appears within the quoted-string [is] semantically "invisible" and therefore not
    // > part of the quoted-string either.
    fn quoted_string(&mut self, position: usize) -> Result<(String, String), AddressListError> {
        let (mut raw, mut text) = ("\"".to_owned(), String::new());
        while let Some(character) = self.next() {
            if matches!(character, '\r' | '\n') && self.fold(character) {
                continue;
            }
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

    /// True when a line end that begins with `first` is that of a folded line; then it is taken.
    fn fold(&mut self, first: char) -> bool {
        let after = self.rest.as_str();
        let after = match first {
            '\r' => after.strip_prefix('\n'),
            _ => Some(after),
        };
        let folds = after.is_some_and(|after| after.starts_with([' ', '\t']));
        if folds && first == '\r' {
            self.next();
        }
        folds
    }

    /// What stands up to the closing angle bracket.
    fn bracketed(&mut self, position: usize) -> Result<AddrSpec, AddressListError> {
        let mut addr_spec = AddrSpec::default();
        while let Some(character) = self.next() {
            let begin = self.taken;
            match character {
                '>' => return Ok(addr_spec),
                '"' => addr_spec.push(&self.quoted_string(begin)?.0),
                '(' => {
                    self.comment(begin)?;
                    addr_spec.comment(begin);
                }
                '[' if addr_spec.text.ends_with('@') => addr_spec.push(&self.literal(begin)?),
                _ if is_blank(character) => addr_spec.blank(),
                _ => addr_spec.push(character.encode_utf8(&mut [0; 4])),
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

    /// Goes on with a piece, after a blank if there was one.
    fn push(&mut self, position: usize, raw: &str, text: &str) {
        self.begin(position);
        self.end = position;
        self.comment = None;
        if std::mem::take(&mut self.gap) && !self.addr_spec.text.is_empty() {
            self.name.push(' ');
        }
        self.addr_spec.push(raw);
        self.name.push_str(text);
    }
}

/// An `addr-spec` under way, its quoting kept. What stands between its words is legal beside a dot, the `@` and at both
/// ends; elsewhere it ends a word, and no address goes on after it.
// https://www.rfc-editor.org/rfc/rfc5322#section-4.4
// > obs-local-part = word *("." word)
// > obs-domain = atom *("." atom)
#[derive(Default)]
struct AddrSpec {
    text: String,
    gap: Option<Gap>,
    /// The first comment inside a word.
    divided: Option<usize>,
}

/// What has been seen between two pieces.
#[derive(Clone, Copy)]
enum Gap {
    Blank,
    /// A comment, and where it begins.
    Comment(usize),
}

impl AddrSpec {
    fn blank(&mut self) {
        self.gap.get_or_insert(Gap::Blank);
    }

    fn comment(&mut self, position: usize) {
        self.gap = Some(Gap::Comment(position));
    }

    fn push(&mut self, raw: &str) {
        let gap = self.gap.take();
        let joint = |end: Option<char>| matches!(end, None | Some('.' | '@'));
        if !joint(self.text.chars().next_back()) && !joint(raw.chars().next()) {
            match gap {
                Some(Gap::Blank) => self.text.push(' '),
                Some(Gap::Comment(position)) => {
                    self.text.push(' ');
                    self.divided.get_or_insert(position);
                }
                None => {}
            }
        }
        self.text.push_str(raw);
    }

    fn mailbox(&self) -> Result<Mailbox, AddressListError> {
        if let Some(position) = self.divided {
            return Err(AddressListError::CommentInWord(position));
        }
        let text = self.text.as_str();
        let parsed = match joined_local_part(text) {
            Some(joined) => joined.parse(),
            None => text.parse(),
        };
        parsed.map_err(|error| AddressListError::Mailbox {
            text: text.to_owned(),
            error,
        })
    }
}

/// `"a".b@c`, the old form of a local part with quoted words between dots, as the one of today: `"a.b"@c`. `None` where
/// the text is anything else.
fn joined_local_part(text: &str) -> Option<String> {
    let mut words = String::new();
    let (mut quoted_words, mut dots) = (0, 0);
    let mut rest = text;
    loop {
        if let Some(inside) = rest.strip_prefix('"') {
            let mut escaped = false;
            let end = inside.find(|character| {
                let ends = character == '"' && !escaped;
                escaped = character == '\\' && !escaped;
                ends
            })?;
            words.push_str(inside.get(..end)?);
            rest = inside.get(end + 1..)?;
            quoted_words += 1;
        } else {
            let end = rest.find(['.', '@', '"'])?;
            if end == 0 {
                return None;
            }
            words.push_str(rest.get(..end)?);
            rest = rest.get(end..)?;
        }
        if let Some(domain) = rest.strip_prefix('@') {
            return (quoted_words > 0 && dots > 0).then(|| format!("\"{words}\"@{domain}"));
        }
        rest = rest.strip_prefix('.')?;
        words.push('.');
        dots += 1;
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
