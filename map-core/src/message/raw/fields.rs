//! The header of a raw message, field by field.

use super::super::address_list::AddressList;
use super::super::needs::{Reason, Warning};
use super::super::resent::recipients;
use super::RawError;
use crate::address::Mailbox;
use std::ops::Range;

/// One field.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    /// Unfolded.
    value: String,
    /// Its first line, from 1.
    line: u64,
    /// Where it stands in the header section, its line end included.
    pub(super) place: Range<usize>,
}

/// The fields in their order.
#[derive(Debug)]
pub(super) struct Fields<'a>(pub(super) Vec<Field<'a>>);

// https://www.rfc-editor.org/rfc/rfc5322#section-3.6
/// Fields that stand once at most.
const ONCE: [&str; 9] = [
    "Date",
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Message-ID",
    "Subject",
];
/// Fields that stand once at least. A message without `Message-ID` is legal, and large receivers refuse it.
const EXPECTED: [&str; 3] = ["Date", "From", "Message-ID"];

impl<'a> Fields<'a> {
    /// Takes a header section apart: lines that end in CRLF, but perhaps for the last one.
    pub(super) fn parse(header: &'a [u8]) -> Result<Self, RawError> {
        if header.is_empty() || header == b"\r\n" {
            return Err(RawError::NoHeader);
        }
        let mut fields: Vec<Field<'a>> = Vec::new();
        let mut start = 0;
        for (index, line) in header.split_inclusive(|&octet| octet == b'\n').enumerate() {
            let number = index as u64 + 1;
            let place = start..start + line.len();
            start = place.end;
            let text = line.strip_suffix(b"\r\n").unwrap_or(line);
            if text.is_empty() {
                break;
            }
            let unfit = || RawError::NotAField { line: number };
            if text.starts_with(b" ") || text.starts_with(b"\t") {
                let field = fields.last_mut().ok_or_else(unfit)?;
                field.value.push_str(utf8(text, field.name, number)?);
                field.place.end = place.end;
                continue;
            }
            let behind_from = text.strip_prefix(b"From ").map(<[u8]>::trim_ascii_start);
            if index == 0 && behind_from.is_some_and(|behind| !behind.starts_with(b":")) {
                return Err(RawError::Mbox);
            }
            let colon = memchr::memchr(b':', text).ok_or_else(unfit)?;
            let (name, value) = text.split_at(colon);
            // Blanks before the colon are an old form (RFC 5322 section 4.5).
            let name = name.trim_ascii_end();
            let name = std::str::from_utf8(name)
                .ok()
                .filter(|name| is_name(name))
                .ok_or_else(unfit)?;
            let value = value.get(1..).unwrap_or_default();
            fields.push(Field {
                name,
                value: utf8(value, name, number)?.to_owned(),
                line: number,
                place,
            });
        }
        Ok(Self(fields))
    }

    /// What makes it a message for SMTPUTF8.
    pub(super) fn beyond_ascii(&self) -> Option<Reason> {
        let field = self.0.iter().find(|field| !field.value.is_ascii())?;
        Some(Reason::Field {
            name: field.name.into(),
            line: field.line,
        })
    }

    pub(super) fn warnings(&self) -> Vec<Warning> {
        let missing = EXPECTED
            .into_iter()
            .filter(|name| self.named(name).next().is_none());
        let twice = ONCE.into_iter().filter(|name| self.named(name).nth(1).is_some());
        missing
            .map(Warning::FieldMissing)
            .chain(twice.map(Warning::FieldTwice))
            .collect()
    }

    /// What stands between the angle brackets of `Message-ID`; nothing if that is not one identifier.
    pub(super) fn message_id(&self) -> Option<&str> {
        let value = self.named("Message-ID").next()?.value.trim();
        let id = value.strip_prefix('<')?.strip_suffix('>')?;
        let strange = |character: char| character.is_control() || matches!(character, '<' | '>' | ' ');
        (!id.contains(strange)).then_some(id)
    }

    /// Who stands in `From`; nobody if that cannot be read.
    pub(super) fn authors(&self) -> Vec<Mailbox> {
        let lists = self.named("From").filter_map(|field| field.addresses().ok());
        lists
            .flat_map(|list| list.mailboxes().cloned().collect::<Vec<_>>())
            .collect()
    }

    pub(super) fn blind_copies(&self) -> impl Iterator<Item = &Field<'a>> {
        self.named("Bcc").chain(self.named("Resent-Bcc"))
    }

    /// Who sends it and who gets it, by the last `Resent-…` set if there is one.
    pub(super) fn envelope(&self) -> Result<(Mailbox, Vec<Mailbox>), RawError> {
        let resent = self.0.iter().any(|field| {
            field
                .name
                .get(..7)
                .is_some_and(|begin| begin.eq_ignore_ascii_case("Resent-"))
        });
        let [from, sender, to, cc, bcc] = if resent {
            [
                "Resent-From",
                "Resent-Sender",
                "Resent-To",
                "Resent-Cc",
                "Resent-Bcc",
            ]
        } else {
            ["From", "Sender", "To", "Cc", "Bcc"]
        };
        if resent
            && [from, to, "Resent-Date"]
                .iter()
                .any(|name| self.named(name).nth(1).is_some())
        {
            return Err(RawError::SeveralResent);
        }
        let lists = [to, cc, bcc]
            .into_iter()
            .flat_map(|name| self.named(name))
            .map(Field::addresses)
            .collect::<Result<Vec<_>, _>>()?;
        let to = recipients(&lists);
        if to.is_empty() {
            return Err(RawError::NoRecipient);
        }
        Ok((self.originator(from, sender)?, to))
    }

    fn originator(&self, from: &'static str, sender: &'static str) -> Result<Mailbox, RawError> {
        let field = |name| self.named(name).next().map(Field::addresses).transpose();
        let authors = field(from)?.unwrap_or_default();
        let sender = field(sender)?.unwrap_or_default();
        if let Some(sender) = sender.mailboxes().next() {
            return Ok(sender.clone());
        }
        let mut authors = authors.mailboxes();
        match (authors.next(), authors.next()) {
            (Some(author), None) => Ok(author.clone()),
            (Some(_), Some(_)) => Err(RawError::NoSender(from)),
            (None, _) => Err(RawError::NoFrom(from)),
        }
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Field<'a>> {
        self.0
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
    }
}

impl Field<'_> {
    /// The addresses in it; a field of nothing has none.
    fn addresses(&self) -> Result<AddressList, RawError> {
        if self.value.trim().is_empty() {
            return Ok(AddressList::default());
        }
        self.value.parse().map_err(|error| RawError::Addresses {
            name: self.name.to_owned(),
            line: self.line,
            error,
        })
    }
}

fn utf8<'a>(octets: &'a [u8], name: &str, line: u64) -> Result<&'a str, RawError> {
    std::str::from_utf8(octets).map_err(|_| RawError::NotUtf8 {
        name: name.to_owned(),
        line,
    })
}

/// `field-name` of RFC 5322 section 2.2.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|octet| octet.is_ascii_graphic() && octet != b':')
}
