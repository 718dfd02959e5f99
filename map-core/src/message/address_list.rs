//! Address lists: who stands in `From`, `To` and their kin, by name and address, alone or in groups.

mod parse;
mod write;

use crate::address::{Mailbox, MailboxError};
use crate::content::{TextError, line_of_text};
use crate::text::quoted;
use std::sync::Arc;

pub(super) use write::{write_addresses, write_phrases};

/// The name of a person or a group, in any language: one line of text, with a character that is not a blank.
///
/// # Example
/// ```
/// use map_core::message::DisplayName;
///
/// assert_eq!("Анна Müller, Jr.".parse::<DisplayName>()?.as_str(), "Анна Müller, Jr.");
/// assert!("two\nlines".parse::<DisplayName>().is_err());
/// # Ok::<(), map_core::message::TextError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DisplayName(Arc<str>);

/// A mailbox and the name that goes with it: `Anna <anna@example.com>`.
///
/// Its text is what a person writes; see [`AddressList`] for the rules.
///
/// # Example
/// ```
/// use map_core::message::Address;
///
/// let address: Address = "\"Doe, John\" <john@Example.com>".parse()?;
/// assert_eq!(address.name.as_ref().map(|name| name.as_str()), Some("Doe, John"));
/// assert_eq!(address.mailbox.to_smtp(), "john@example.com");
/// assert_eq!(address.to_string(), "\"Doe, John\" <john@Example.com>");
/// # Ok::<(), map_core::message::AddressListError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Whose mailbox it is.
    pub name: Option<DisplayName>,
    /// The mailbox.
    pub mailbox: Mailbox,
}

/// A named group of addresses, or of none: `undisclosed-recipients:;`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// What the group is called.
    pub name: DisplayName,
    /// Who is in it.
    pub members: Vec<Address>,
}

/// One entry of an [`AddressList`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// An address.
    Address(Address),
    /// A group of addresses.
    Group(Group),
}

/// Addresses and groups, in one string as a person writes them or made of their parts.
///
/// ```text
/// address-list =  (address *("," address)) / obs-addr-list
/// address      =  mailbox / group
/// mailbox      =  [display-name] "<" addr-spec ">" / addr-spec
/// group        =  display-name ":" [mailbox-list] ";"
/// display-name =  phrase                          ; or any characters between quotation marks
/// ```
/// [RFC 5322 section 3.4](https://www.rfc-editor.org/rfc/rfc5322#section-3.4), with what people write beside it:
///
/// - names in any script, with dots, and brackets, need no quotation marks; a comma, a colon or an `@` in a name does;
/// - a semicolon outside a group separates as a comma does, and separators too many count for nothing;
/// - line ends count as blanks;
/// - comments (in parentheses) are left out, but for the old form `anna@example.com (Anna)`, which gives the name. As a
///   blank does, a comment ends a word: inside one of an address it is an error, beside a dot, the `@` and at the ends it
///   is none;
/// - a name that is the address once more, `bob@example.com <bob@example.com>`, needs no quotation marks;
/// - an encoded word (`=?utf-8?…?=`) is taken for the text it is: names are encoded on the way out, not here.
///
/// What stands between the brackets, or alone, is judged by [`Mailbox`]. Two lists are equal when all their parts are.
///
/// # Example
/// ```
/// use map_core::message::AddressList;
///
/// let list: AddressList = "a@x.example, Bob <b@y.example>, Team: c@z.example, d@z.example;".parse()?;
/// let all: Vec<String> = list.mailboxes().map(|mailbox| mailbox.to_string()).collect();
/// assert_eq!(all, ["a@x.example", "b@y.example", "c@z.example", "d@z.example"]);
///
/// let error = "Anna, Bob <b@y.example>".parse::<AddressList>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "\"Anna\", which ends at position 4, is a name without an address (a name with a comma in it needs quotation marks)"
/// );
/// # Ok::<(), map_core::message::AddressListError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AddressList(pub Vec<Entry>);

/// Why a text is no address list. A position counts characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressListError {
    /// An `@` in a name. Mostly a comma is missing before the address in brackets; if it is a name after all, put it
    /// in quotation marks.
    #[error(
        "{} before an address in angle brackets has an @: a comma is missing, or the name needs quotation marks",
        quoted(.0)
    )]
    AtInName(String),
    /// Something stands after an address in angle brackets. Mostly a comma is missing.
    #[error("a comma is missing before position {0}, after an address in angle brackets")]
    Behind(usize),
    /// A character that has no meaning there. In a name, put it in quotation marks.
    #[error(
        "the character {character:?} at position {position} needs quotation marks around the name it stands in"
    )]
    Character {
        /// Which.
        character: char,
        /// Where.
        position: usize,
    },
    /// A comment inside a word of an address: `jo(x)hn@example.com` could be read as two words or as one. Leave the
    /// comment out, or move it to the end.
    #[error("the comment that begins at position {0} divides a word of an address")]
    CommentInWord(usize),
    /// No address at all.
    #[error("there is no address")]
    Empty,
    /// A group among the members of another. Groups cannot be nested: end the first one with a semicolon.
    #[error("a group begins at position {0} before the one around it has ended with a semicolon")]
    GroupInGroup(usize),
    /// An address is wrong in itself.
    #[error("{}: {error}", quoted(.text))]
    Mailbox {
        /// The address as it was given.
        text: String,
        /// What is wrong with it; positions count in `text`.
        error: MailboxError,
    },
    /// A name and no address. Add the address in angle brackets, or put the name in quotation marks if a comma
    /// divided it.
    #[error(
        "{}, which ends at position {position}, is a name without an address (a name with a comma in it needs \
         quotation marks)",
        quoted(.name)
    )]
    NoAddress {
        /// The name.
        name: String,
        /// Where it ends.
        position: usize,
    },
    /// More than one address, or a group, where one address belongs.
    #[error("there is more than one address where one belongs")]
    NotOne,
    /// A bracket, a quotation mark, a parenthesis or a group that does not end.
    #[error("the {what} that begins at position {position} does not end")]
    NotClosed {
        /// What.
        what: Enclosure,
        /// Where it begins.
        position: usize,
    },
    /// A name holds what none may.
    #[error("the name {} cannot stand in an e-mail: {error}", quoted(.name))]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        error: TextError,
    },
}

/// What has a begin and an end in an address list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Enclosure {
    /// `<…>`
    AngleBrackets,
    /// `(…)`
    Comment,
    /// `name: …;`
    Group,
    /// `[…]`
    Literal,
    /// `"…"`
    QuotedString,
}

impl std::fmt::Display for Enclosure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AngleBrackets => "angle bracket",
            Self::Comment => "comment",
            Self::Group => "group",
            Self::Literal => "address literal",
            Self::QuotedString => "quotation mark",
        })
    }
}

impl DisplayName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for DisplayName {
    type Err = TextError;

    /// # Errors
    /// NUL, a line end, or nothing but blanks.
    fn from_str(text: &str) -> Result<Self, TextError> {
        line_of_text(text.as_bytes())?;
        if text.trim().is_empty() {
            Err(TextError::Blank)
        } else {
            Ok(Self(text.into()))
        }
    }
}

impl Address {
    /// A mailbox with a name.
    pub fn named(name: DisplayName, mailbox: Mailbox) -> Self {
        Self {
            name: Some(name),
            mailbox,
        }
    }
}

impl From<Mailbox> for Address {
    /// Without a name.
    fn from(mailbox: Mailbox) -> Self {
        Self { name: None, mailbox }
    }
}

impl AddressList {
    /// True when there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every mailbox, those in groups included, in order.
    pub fn mailboxes(&self) -> impl Iterator<Item = &Mailbox> {
        self.addresses().map(|address| &address.mailbox)
    }

    /// Every address, those in groups included, in order.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.0.iter().flat_map(|entry| match entry {
            Entry::Address(address) => std::slice::from_ref(address),
            Entry::Group(group) => &group.members,
        })
    }
}

impl From<Mailbox> for AddressList {
    fn from(mailbox: Mailbox) -> Self {
        Address::from(mailbox).into()
    }
}

impl From<Address> for AddressList {
    fn from(address: Address) -> Self {
        Self(vec![Entry::Address(address)])
    }
}

impl From<Group> for AddressList {
    fn from(group: Group) -> Self {
        Self(vec![Entry::Group(group)])
    }
}

impl FromIterator<Address> for AddressList {
    fn from_iter<I: IntoIterator<Item = Address>>(addresses: I) -> Self {
        Self(addresses.into_iter().map(Entry::Address).collect())
    }
}

impl FromIterator<Mailbox> for AddressList {
    fn from_iter<I: IntoIterator<Item = Mailbox>>(mailboxes: I) -> Self {
        mailboxes.into_iter().map(Address::from).collect()
    }
}

impl Extend<Entry> for AddressList {
    fn extend<I: IntoIterator<Item = Entry>>(&mut self, entries: I) {
        self.0.extend(entries);
    }
}

impl IntoIterator for AddressList {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests;
