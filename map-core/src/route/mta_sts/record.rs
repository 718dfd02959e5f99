//! The TXT record that says that a domain has a policy, and which.

use super::super::{HostName, LookupError, Record, RecordType, Resolver};

/// The version of a policy; it changes when the policy does.
///
/// ```text
/// sts-id = %s"id=" 1*32(ALPHA / DIGIT)
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StsId(Box<str>);

impl StsId {
    fn parse(value: &[u8]) -> Option<Self> {
        let fits = (1..=32).contains(&value.len()) && value.iter().all(u8::is_ascii_alphanumeric);
        let text = str::from_utf8(value).ok().filter(|_| fits)?;
        Some(Self(text.into()))
    }
}

/// Why there is no record to go by; a phrase about the policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RecordError {
    /// The domain does not take part, or not any more: told only where it did.
    #[error("it has no record any more")]
    Absent,
    /// Nobody knows.
    #[error("its record could not be looked up: {0}")]
    Lookup(LookupError),
    /// By the grammar it says nothing.
    #[error("its record cannot be read")]
    Malformed,
    /// More than one, and none counts.
    #[error("it has more than one record, so that none counts")]
    Several,
}

impl From<LookupError> for RecordError {
    fn from(error: LookupError) -> Self {
        if error.is_transient() {
            Self::Lookup(error)
        } else {
            Self::Absent
        }
    }
}

/// Asks the DNS for the record with this name.
pub(super) async fn find(resolver: &dyn Resolver, name: &HostName) -> Result<StsId, RecordError> {
    // Not validated: what a forged record could do, a policy host that cannot be reached does as well.
    let answer = resolver.query(name.as_ascii(), RecordType::Txt).await?;
    let texts = answer.records.iter().filter_map(|record| match record {
        Record::Txt(text) => Some(text.as_slice()),
        _ => None,
    });
    choose(&texts.collect::<Vec<_>>())
}

// https://www.rfc-editor.org/rfc/rfc8461#section-3.1
// > records that do not begin with "v=STSv1;" are discarded. If the number of resulting records is not one, or if the
// > resulting record is syntactically invalid, senders MUST assume the recipient domain does not have an available
// > MTA-STS Policy
fn choose(texts: &[&[u8]]) -> Result<StsId, RecordError> {
    let mut records = texts.iter().copied().filter_map(fields_behind_version);
    match (records.next(), records.next()) {
        (Some(fields), None) => id_of(fields).ok_or(RecordError::Malformed),
        (Some(_), Some(_)) => Err(RecordError::Several),
        // Meant as one, and worth a warning.
        (None, _) if texts.iter().any(|text| text.starts_with(VERSION)) => Err(RecordError::Malformed),
        (None, _) => Err(RecordError::Absent),
    }
}

const VERSION: &[u8] = b"v=STSv1";

/// What follows the first delimiter, of a record that begins with the version.
///
/// ```text
/// sts-text-record = sts-version 1*(sts-field-delim sts-field) [sts-field-delim]
/// sts-field-delim = *WSP ";" *WSP
/// sts-version     = %s"v=STSv1"
/// ```
fn fields_behind_version(text: &[u8]) -> Option<&[u8]> {
    trim(text.strip_prefix(VERSION)?).strip_prefix(b";")
}

/// ```text
/// sts-field = sts-id / sts-extension
/// ```
fn id_of(fields: &[u8]) -> Option<StsId> {
    // The last delimiter may stand without a field after it.
    let fields = trim(fields);
    let fields = fields.strip_suffix(b";").unwrap_or(fields);
    let mut id = None;
    for field in fields.split(|&octet| octet == b';') {
        let mut parts = trim(field).splitn(2, |&octet| octet == b'=');
        let (name, value) = (parts.next()?, parts.next()?);
        if !is_extension_name(name) || !is_extension_value(value) {
            return None;
        }
        // https://www.rfc-editor.org/rfc/rfc8461#section-3.2
        // > If any non-repeated field -- i.e., all fields excepting "mx" -- is duplicated, all entries except for the
        // > first SHALL be ignored.
        if name == b"id" && id.is_none() {
            id = Some(StsId::parse(value)?);
        }
    }
    id
}

/// ```text
/// sts-ext-name = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".")
/// ```
pub(super) fn is_extension_name(name: &[u8]) -> bool {
    name.len() <= 32
        && name.first().is_some_and(u8::is_ascii_alphanumeric)
        && name
            .iter()
            .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-' | b'.'))
}

/// ```text
/// sts-ext-value = 1*(%x21-3A / %x3C / %x3E-7E)     ; chars excluding "=", ";", SP, and CTLs
/// ```
fn is_extension_value(value: &[u8]) -> bool {
    !value.is_empty()
        && value
            .iter()
            .all(|octet| octet.is_ascii_graphic() && !matches!(octet, b'=' | b';'))
}

/// Without blanks (`WSP`) at its ends.
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests;
