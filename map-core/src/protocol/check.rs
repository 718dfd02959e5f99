//! The client's checks (MAP 4.1).

use super::{EmptyFields, MapReply};
use crate::address::Mailbox;
use crate::content::{Content, Subject, TextError};

/// The four strings of a call as they came from the caller: any octets.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    /// `CMD_FROM`
    pub from: &'a [u8],
    /// `CMD_TO`
    pub to: &'a [u8],
    /// `CMD_SUBJECT`
    pub subject: &'a [u8],
    /// `CMD_CONTENT`
    pub content: &'a [u8],
}

/// The four fields after the client's checks.
#[derive(Clone, Debug)]
pub struct CheckedFields {
    /// The sender.
    pub from: Mailbox,
    /// The recipient.
    pub to: Mailbox,
    /// The subject.
    pub subject: Subject,
    /// The content.
    pub content: Content,
}

/// A check of the client that failed (MAP 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckFailure {
    /// `RE_NO_EMPTY` or `RE_INVALID_FORMAT`; `RE_LOCAL` where there is no memory for a field.
    pub reply: MapReply,
    /// What is wrong, for a person: a lower-case phrase.
    pub reason: String,
}

/// How much of an address that is none is given back, in characters: more than a valid one can have.
const MAX_SHOWN: usize = 320;

/// The client's checks: empty fields all named in order, then the formats (From, To, Subject, Content).
///
/// A field is empty when it holds nothing but blanks, tabs and line ends. The reply about an address carries the
/// address without the blanks and tabs around it; the one about a subject or a content the word `Subject` or
/// `Content`.
///
/// # Errors
/// The reply that the client gives instead of sending.
///
/// # Example
/// ```
/// use map_core::protocol::{check, Fields};
///
/// let fields = Fields { from: b"cxw@apple.com", to: b"", subject: b"test", content: b" \r\n" };
/// let failure = check(fields).unwrap_err();
/// assert_eq!(failure.reply.to_string(), "RE_NO_EMPTY: <To, Content,>.");
/// ```
pub fn check(fields: Fields<'_>) -> Result<CheckedFields, CheckFailure> {
    let empty = EmptyFields {
        from: is_empty(fields.from),
        to: is_empty(fields.to),
        subject: is_empty(fields.subject),
        content: is_empty(fields.content),
    };
    if empty.any() {
        return Err(CheckFailure {
            reply: MapReply::NoEmpty(empty),
            reason: are_empty(empty),
        });
    }
    Ok(CheckedFields {
        from: address("From", fields.from)?,
        to: address("To", fields.to)?,
        subject: Subject::parse(fields.subject).map_err(|error| text_failure("Subject", error))?,
        content: Content::parse(fields.content).map_err(|error| text_failure("Content", error))?,
    })
}

fn is_empty(field: &[u8]) -> bool {
    field
        .iter()
        .all(|octet| matches!(octet, b' ' | b'\t' | b'\r' | b'\n'))
}

/// "To is empty", "From, Subject and Content are empty"
fn are_empty(empty: EmptyFields) -> String {
    let names: Vec<&str> = empty.names().collect();
    match names.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} and {last} are empty", first.join(", ")),
        _ => format!("{} is empty", names.concat()),
    }
}

fn address(field: &str, octets: &[u8]) -> Result<Mailbox, CheckFailure> {
    let parsed = match std::str::from_utf8(octets) {
        Ok(text) => text.parse::<Mailbox>().map_err(|error| error.to_string()),
        Err(error) => Err(format!("octet {} is not UTF-8", error.valid_up_to() + 1)),
    };
    parsed.map_err(|reason| CheckFailure {
        reply: MapReply::InvalidFormat(shown(octets)),
        reason: format!("the address in {field} is not valid: {reason}"),
    })
}

fn text_failure(field: &str, error: TextError) -> CheckFailure {
    let reply = match error {
        TextError::NoMemory(octets) => MapReply::Local(no_memory(field, octets)),
        _ => MapReply::InvalidFormat(field.into()),
    };
    CheckFailure {
        reply,
        reason: format!("{field} cannot be sent: {error}"),
    }
}

/// What `RE_LOCAL` prints of something of the caller's that there is no memory for.
pub(super) fn no_memory(of: &str, octets: usize) -> String {
    format!("no memory for the {octets} octets of {of}")
}

/// The address given, without the blanks around it, as text and not without end.
fn shown(octets: &[u8]) -> String {
    let is_blank = |octet: &u8| matches!(octet, b' ' | b'\t');
    let start = octets
        .iter()
        .position(|octet| !is_blank(octet))
        .unwrap_or(octets.len());
    let end = octets
        .iter()
        .rposition(|octet| !is_blank(octet))
        .map_or(start, |last| last + 1);
    let given = octets.get(start..end).unwrap_or_default();
    // A character has at most four octets, so this holds one more than are shown.
    let beginning = String::from_utf8_lossy(given.get(..4 * (MAX_SHOWN + 1)).unwrap_or(given)).into_owned();
    match beginning.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", beginning.get(..end).unwrap_or_default()),
        None => beginning,
    }
}
