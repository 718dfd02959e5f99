//! What `mapagent._email` writes messages of Python's email package with.

use super::chosen;
use super::keywords::mailbox;
use crate::config::value_error;
use map_core::message::{Address, AddressList, BodyKind, DisplayName, Entry, Group};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A name, if there is one, and an address.
type NameAndAddress = (Option<String>, String);
/// The name of a group, if it is one, and its members; an address by itself is one member without a group.
type NamedGroup = (Option<String>, Vec<NameAndAddress>);

const BODY_KINDS: [(&str, BodyKind); 3] = [
    ("data", BodyKind::Data),
    ("lines", BodyKind::Lines),
    ("text", BodyKind::Text),
];

/// A header under way. Private: for `mapagent._email`.
#[pyclass(module = "mapagent._native")]
pub(crate) struct HeaderWriter {
    header: map_core::message::HeaderWriter,
}

#[pymethods]
impl HeaderWriter {
    /// A header; one of another's keeps the lines of its sources.
    #[new]
    #[pyo3(signature = (*, of_another))]
    fn new(of_another: bool) -> Self {
        Self {
            header: if of_another {
                map_core::message::HeaderWriter::of_another()
            } else {
                map_core::message::HeaderWriter::new()
            },
        }
    }

    /// Addresses and groups.
    fn addresses(&mut self, name: &str, groups: Vec<NamedGroup>) -> PyResult<()> {
        let list = list(groups)?;
        self.header.addresses(name, &list).map_err(value_error)
    }

    /// A text for people.
    fn text(&mut self, name: &str, text: &str) -> PyResult<()> {
        self.header.text(name, text).map_err(value_error)
    }

    /// A value for programs.
    fn structured(&mut self, name: &str, text: &str) -> PyResult<()> {
        self.header.structured(name, text).map_err(value_error)
    }

    /// A value with parameters.
    #[expect(clippy::needless_pass_by_value, reason = "it is made of objects of Python")]
    fn parameters(&mut self, name: &str, value: &str, parameters: Vec<(String, String)>) -> PyResult<()> {
        let parameters = parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        self.header
            .parameters(name, value, parameters)
            .map_err(value_error)
    }

    /// What follows the colon, as it stands in a message.
    fn source(&mut self, name: &str, source: &str) -> PyResult<()> {
        self.header.source(name, source).map_err(value_error)
    }

    /// Date, with the time of this call.
    fn date(&mut self) {
        self.header.date();
    }

    /// A new Message-ID for what this author sends.
    fn message_id(&mut self, author: &str) -> PyResult<()> {
        self.header.message_id(&mailbox(author)?);
        Ok(())
    }

    /// What has been written.
    fn octets<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.header.octets())
    }
}

/// The groups and addresses that a text names. Private: for `mapagent._email`.
#[pyfunction]
pub(crate) fn parse_addresses(text: &str) -> PyResult<Vec<NamedGroup>> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let list: AddressList = text.parse().map_err(value_error)?;
    let parts = |address: &Address| {
        let name = address.name.as_ref().map(|name| name.as_str().to_owned());
        (name, address.mailbox.to_string())
    };
    Ok(list
        .0
        .iter()
        .map(|entry| match entry {
            Entry::Address(address) => (None, vec![parts(address)]),
            Entry::Group(group) => (
                Some(group.name.as_str().to_owned()),
                group.members.iter().map(parts).collect(),
            ),
        })
        .collect())
}

/// A body as 7-bit lines, with the name of its encoding. Private: for `mapagent._email`.
#[pyfunction]
pub(crate) fn seven_bit<'py>(
    py: Python<'py>,
    octets: &[u8],
    kind: &str,
) -> PyResult<(&'static str, Bound<'py, PyBytes>)> {
    let kind = chosen(kind, "kind", &BODY_KINDS)?;
    let (encoding, octets) = py.detach(|| map_core::message::seven_bit(octets, kind));
    Ok((encoding.name(), PyBytes::new(py, &octets)))
}

fn list(groups: Vec<NamedGroup>) -> PyResult<AddressList> {
    let mut list = AddressList::default();
    for (name, members) in groups {
        let members = members
            .iter()
            .map(|(name, address)| {
                Ok(Address {
                    name: name.as_deref().map(display_name).transpose()?,
                    mailbox: mailbox(address)?,
                })
            })
            .collect::<PyResult<Vec<_>>>()?;
        match name {
            Some(name) => list.0.push(Entry::Group(Group {
                name: display_name(&name)?,
                members,
            })),
            None => list.0.extend(members.into_iter().map(Entry::Address)),
        }
    }
    Ok(list)
}

pub(super) fn display_name(text: &str) -> PyResult<DisplayName> {
    text.parse()
        .map_err(|error| value_error(format_args!("the name {text:?}: {error}")))
}
