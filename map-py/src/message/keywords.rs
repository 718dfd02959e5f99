//! Keywords of Python as a message.

use super::part::{Part, attachment};
use super::writer::display_name;
use super::{BODY_TYPES, chosen, content};
use crate::config::{flag, of_keyword, unless_none, value_error};
use crate::dkim::DkimSigner;
use crate::text::text;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use map_core::Mailbox;
use map_core::address::MailboxError;
use map_core::dkim::DkimError;
use map_core::envelope::{EnvelopeId, Notify, OriginalRecipient, Ret};
use map_core::message::{
    Address, AddressList, BlindCopies, Builder, DisplayName, Entry, Field, Group, Message, OriginationDate,
    Raw, ReferenceId, Resent,
};
use map_core::text::quoted;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{
    IntoPyDict, PyByteArray, PyBytes, PyDateTime, PyDict, PyIterator, PyMapping, PyString, PyTuple,
};
use std::str::FromStr;

/// What is done to a message once it is put together.
pub(super) enum Wish {
    EnvelopeId(EnvelopeId),
    Notify(Notify),
    NullReversePath,
    OriginalRecipient(Mailbox, OriginalRecipient),
    RequireTls,
    Ret(Ret),
    Sign(map_core::dkim::DkimSigner),
}

const RETS: [(&str, Ret); 2] = [("full", Ret::Full), ("headers", Ret::Headers)];

const BLIND_COPIES: [(&str, BlindCopies); 3] = [
    ("refuse", BlindCopies::Refuse),
    ("remove", BlindCopies::Remove),
    ("keep", BlindCopies::Keep),
];

impl Wish {
    pub(super) fn grant(&self, message: Message) -> Result<Message, DkimError> {
        Ok(match self {
            Self::EnvelopeId(id) => message.envelope_id(id.clone()),
            Self::Notify(notify) => message.notify(*notify),
            Self::NullReversePath => message.null_reverse_path(),
            Self::OriginalRecipient(recipient, original) => {
                message.original_recipient(recipient, original.clone())
            }
            Self::RequireTls => message.require_tls(),
            Self::Ret(ret) => message.ret(*ret),
            Self::Sign(signer) => message.sign(signer)?,
        })
    }
}

/// The builder that the keywords of `Message` make.
///
/// # Errors
/// `ValueError` for a value that cannot be, `TypeError` for one of another type and for a keyword that there is not.
pub(super) fn builder(keywords: Option<&Bound<'_, PyDict>>, wishes: &mut Vec<Wish>) -> PyResult<Builder> {
    let mut builder = Builder::new();
    each(keywords, |name, value| {
        builder = set(std::mem::take(&mut builder), name, value, wishes)?;
        Ok(())
    })?;
    Ok(builder)
}

/// The same for octets.
///
/// # Errors
/// As [`builder`].
pub(super) fn raw(raw: Raw, keywords: Option<&Bound<'_, PyDict>>, wishes: &mut Vec<Wish>) -> PyResult<Raw> {
    let mut raw = raw;
    let (mut from, mut to) = (None, None);
    each(keywords, |name, value| {
        match name {
            "blind_copies" => {
                raw = raw
                    .clone()
                    .blind_copies(chosen(text(value)?, "blind_copies", &BLIND_COPIES)?);
            }
            "from_" => from = Some(mailbox(text(value)?)?),
            "resent" => {
                for resent in all_resent(value)? {
                    raw = raw.clone().resent(resent);
                }
            }
            "strict" => {
                if flag(value)? {
                    raw = raw.clone().strict();
                }
            }
            "to" => to = Some(addresses(value)?.mailboxes().cloned().collect::<Vec<_>>()),
            "unix_line_ends" => {
                if flag(value)? {
                    raw = raw.clone().unix_line_ends();
                }
            }
            _ => return wish(name, value, wishes),
        }
        Ok(())
    })?;
    match (from, to) {
        (None, None) => Ok(raw),
        (Some(from), Some(to)) => Ok(raw.envelope(from, to)),
        _ => Err(value_error("an envelope is from_ and to, or neither")),
    }
}

/// Each keyword that is not None; an error says which it is about.
fn each(
    keywords: Option<&Bound<'_, PyDict>>,
    mut set: impl FnMut(&str, &Bound<'_, PyAny>) -> PyResult<()>,
) -> PyResult<()> {
    let Some(keywords) = keywords else {
        return Ok(());
    };
    for (name, value) in keywords {
        let name: String = name.extract()?;
        if unless_none(&value).is_some() {
            set(&name, &value).map_err(|error| of_keyword(keywords.py(), &name, error))?;
        }
    }
    Ok(())
}

/// Sets what one keyword says.
fn set(builder: Builder, name: &str, value: &Bound<'_, PyAny>, wishes: &mut Vec<Wish>) -> PyResult<Builder> {
    Ok(match name {
        "attachments" => {
            let mut builder = builder;
            for item in several(value)? {
                builder = builder.attach(attachment(&item?)?);
            }
            builder
        }
        "bcc" => builder.bcc(addresses(value)?),
        "body" => builder.body(part(value)?),
        "body_type" => builder.body_type(chosen(text(value)?, "body_type", &BODY_TYPES)?),
        "cc" => builder.cc(addresses(value)?),
        "comments" => strings(value)?.iter().try_fold(builder, |builder, comments| {
            Ok::<_, PyErr>(builder.comments(parsed(comments, "comments")?))
        })?,
        "date" => builder.date(date(value)?),
        "envelope_from" => builder.envelope_from(mailbox(&as_text(value)?)?),
        "from_" => builder.from(addresses(value)?),
        "headers" => {
            let pairs: Vec<(String, String)> = match value.cast::<PyMapping>() {
                Ok(mapping) => mapping.items()?.extract()?,
                Err(_) => value.extract()?,
            };
            pairs.iter().try_fold(builder, |builder, (name, value)| {
                Field::new(name, value)
                    .map(|field| builder.field(field))
                    .map_err(value_error)
            })?
        }
        "html" => builder.html(content(value)?),
        "in_reply_to" => builder.in_reply_to(references(value, name)?),
        "inline" => {
            let mut builder = builder;
            for item in several(value)? {
                builder = builder.inline(part(&item?)?);
            }
            builder
        }
        "keywords" => {
            let words = strings(value)?;
            let words = words.iter().flat_map(|words| words.split(','));
            let words: PyResult<Vec<DisplayName>> = words.map(|word| parsed(word.trim(), name)).collect();
            builder.keywords(words?)
        }
        "message_id" => builder.message_id(parsed(text(value)?, name)?),
        "references" => builder.references(references(value, name)?),
        "reply_to" => builder.reply_to(addresses(value)?),
        "resent" => all_resent(value)?.into_iter().fold(builder, Builder::resent),
        "sender" => builder.sender(sender(value)?),
        "subject" => {
            let octets = crate::text::octets(value.cast::<PyString>()?)?;
            let subject = map_core::message::Subject::parse(&octets);
            builder.subject(subject.map_err(|error| value_error(format_args!("subject: {error}")))?)
        }
        "text" => builder.text(content(value)?),
        "to" => builder.to(addresses(value)?),
        _ => {
            wish(name, value, wishes)?;
            builder
        }
    })
}

/// What messages of both kinds can wish for.
fn wish(name: &str, value: &Bound<'_, PyAny>, wishes: &mut Vec<Wish>) -> PyResult<()> {
    match name {
        "envelope_id" => wishes.push(Wish::EnvelopeId(parsed(text(value)?, name)?)),
        "notify" => wishes.push(Wish::Notify(parsed(text(value)?, name)?)),
        "null_reverse_path" => {
            if flag(value)? {
                wishes.push(Wish::NullReversePath);
            }
        }
        "original_recipients" => {
            for item in value.cast::<PyMapping>()?.items()? {
                let (recipient, original): (Bound<'_, PyAny>, String) = item.extract()?;
                let recipient = mailbox(&as_text(&recipient)?)?;
                wishes.push(Wish::OriginalRecipient(recipient, parsed(&original, name)?));
            }
        }
        "require_tls" => {
            if flag(value)? {
                wishes.push(Wish::RequireTls);
            }
        }
        "ret" => wishes.push(Wish::Ret(chosen(text(value)?, "ret", &RETS)?)),
        "sign" => {
            let signers = match value.cast::<DkimSigner>() {
                Ok(signer) => vec![signer.clone()],
                Err(_) => value.extract()?,
            };
            wishes.extend(
                signers
                    .iter()
                    .map(|signer| Wish::Sign(signer.get().signer().clone())),
            );
        }
        _ => return Err(PyTypeError::new_err("there is no such keyword")),
    }
    Ok(())
}

/// The items of a sequence. One thing alone is a slip, even if it can be iterated: a path has letters, and a pair of a name
/// and data has two items that could be paths.
fn several<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyIterator>> {
    let pair = value.cast::<PyTuple>().is_ok_and(|pair| {
        let second = pair.get_item(1);
        pair.len() == 2 && second.is_ok_and(|second| is_octets(&second))
    });
    if pair || is_octets(value) || value.is_instance_of::<PyString>() || value.hasattr("__fspath__")? {
        return Err(PyTypeError::new_err(format!(
            "a sequence is wanted, not one {} alone: put it in a list",
            value.get_type().name()?
        )));
    }
    value.try_iter()
}

fn is_octets(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyBytes>() || value.is_instance_of::<PyByteArray>()
}

fn part(value: &Bound<'_, PyAny>) -> PyResult<map_core::message::Part> {
    Ok(value.cast::<Part>()?.get().part().clone())
}

/// Addresses as a person writes them, in one text or in several.
pub(super) fn addresses(value: &Bound<'_, PyAny>) -> PyResult<AddressList> {
    if let Some(list) = objects(value)? {
        return Ok(list);
    }
    if let Ok(one) = as_text(value) {
        return parsed_plainly(&one);
    }
    if value.is_instance_of::<PyBytes>() {
        return Err(PyTypeError::new_err("addresses are str, not bytes"));
    }
    let mut all = AddressList::default();
    for item in value.try_iter()? {
        let item = item?;
        all.extend(match objects(&item)? {
            Some(list) => list,
            None => parsed_plainly(&as_text(&item)?)?,
        });
    }
    Ok(all)
}

fn sender(value: &Bound<'_, PyAny>) -> PyResult<Address> {
    match object(value)? {
        Some(address) => Ok(address),
        None => parsed_plainly(&as_text(value)?),
    }
}

/// The addresses of an object that has them: a field of Python's email package, or what is one address.
fn objects(value: &Bound<'_, PyAny>) -> PyResult<Option<AddressList>> {
    if !value.hasattr("groups")? {
        return Ok(object(value)?.map(AddressList::from));
    }
    let mut list = AddressList::default();
    for group in value.getattr("groups")?.try_iter()? {
        let group = group?;
        let mut members = Vec::new();
        for address in group.getattr("addresses")?.try_iter()? {
            members.extend(object(&address?)?);
        }
        match group.getattr("display_name")?.extract::<Option<String>>()? {
            Some(name) => list.extend(AddressList::from(Group {
                name: display_name(&name)?,
                members,
            })),
            None => list.extend(members.into_iter().map(Entry::Address)),
        }
    }
    Ok(Some(list))
}

/// An object that is one address, whatever stands in it. It is never read back from its text, where a comma could make two
/// of it.
fn object(value: &Bound<'_, PyAny>) -> PyResult<Option<Address>> {
    if let Ok(mailbox) = value.cast::<crate::mailbox::Mailbox>() {
        return Ok(Some(mailbox.get().mailbox().clone().into()));
    }
    if value.is_instance_of::<PyString>() || !value.hasattr("addr_spec")? {
        return Ok(None);
    }
    let addr_spec: String = value.getattr("addr_spec")?.extract()?;
    let name: String = value.getattr("display_name")?.extract()?;
    Ok(Some(Address {
        name: (!name.trim().is_empty())
            .then(|| display_name(&name))
            .transpose()?,
        mailbox: mailbox(&addr_spec)?,
    }))
}

/// The text of what is an address: a `str`, a `Mailbox`, an address of Python's email package.
fn as_text(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(self::text(text)?.to_owned());
    }
    if value.is_instance_of::<crate::mailbox::Mailbox>() || value.hasattr("addr_spec")? {
        return value.str()?.extract();
    }
    Err(PyTypeError::new_err(format!(
        "an address is a str, a Mailbox or an email.headerregistry.Address, not {}",
        value.get_type().name()?
    )))
}

pub(super) fn mailbox(text: &str) -> PyResult<Mailbox> {
    let parsed: Result<Mailbox, MailboxError> = text.parse();
    parsed.map_err(|error| value_error(format_args!("{}: {error}", quoted(text))))
}

fn references(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<ReferenceId>> {
    let mut ids = Vec::new();
    for text in strings(value)? {
        let listed = ReferenceId::list(&text);
        ids.extend(listed.map_err(|error| value_error(format_args!("{name}: {error}")))?);
    }
    Ok(ids)
}

/// One text or several.
fn strings(value: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    match value.cast::<PyString>() {
        Ok(one) => Ok(vec![text(one)?.to_owned()]),
        Err(_) => value.extract(),
    }
}

fn all_resent(value: &Bound<'_, PyAny>) -> PyResult<Vec<Resent>> {
    let mut all = Vec::new();
    for set in value.try_iter()? {
        let mut resent = Resent::default();
        for item in set?.cast::<PyMapping>()?.items()? {
            let (name, value): (String, Bound<'_, PyAny>) = item.extract()?;
            match name.as_str() {
                "from" => resent.from = addresses(&value)?,
                "sender" => resent.sender = Some(sender(&value)?),
                "to" => resent.to = addresses(&value)?,
                "cc" => resent.cc = addresses(&value)?,
                "bcc" => resent.bcc = addresses(&value)?,
                "date" => resent.date = Some(date(&value)?),
                "message_id" => resent.message_id = Some(parsed(text(&value)?, "message_id")?),
                _ => {
                    return Err(value_error(format_args!(
                        "there is no {} in resent",
                        quoted(&name)
                    )));
                }
            }
        }
        all.push(resent);
    }
    Ok(all)
}

/// A `datetime`; one without a zone is in local time, as Python has it.
fn date(value: &Bound<'_, PyAny>) -> PyResult<OriginationDate> {
    let Ok(date) = value.cast::<PyDateTime>() else {
        return Err(PyTypeError::new_err(format!(
            "a date is a datetime.datetime, not {}",
            value.get_type().name()?
        )));
    };
    // As Python has it: naive is also what has a tzinfo that knows no offset.
    let mut aware = date.as_any().clone();
    let mut offset = aware.call_method0("utcoffset")?;
    if offset.is_none() {
        aware = aware
            .call_method(
                "replace",
                (),
                Some(&[("tzinfo", value.py().None())].into_py_dict(value.py())?),
            )?
            .call_method0("astimezone")?;
        offset = aware.call_method0("utcoffset")?;
    }
    let seconds: f64 = aware.call_method0("timestamp")?.extract()?;
    let offset: f64 = offset.call_method0("total_seconds")?.extract()?;
    let impossible = || value_error(format_args!("no message can carry the date {value}"));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole seconds are what is wanted, and a datetime is far from the ends of i64"
    )]
    let (seconds, offset) = (seconds.floor() as i64, offset as i32);
    let time = Timestamp::from_second(seconds).map_err(|_| impossible())?;
    let zone = TimeZone::fixed(Offset::from_seconds(offset).map_err(|_| impossible())?);
    OriginationDate::try_from(time.to_zoned(zone)).map_err(value_error)
}

pub(super) fn parsed<T: FromStr>(text: &str, name: &str) -> PyResult<T>
where
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error| value_error(format_args!("{name}: {error}")))
}

fn parsed_plainly<T: FromStr>(text: &str) -> PyResult<T>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(value_error)
}

/// "a, b and c"
pub(super) fn words(all: &[&str]) -> String {
    match all.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => all.concat(),
    }
}
