//! What stands in the header, and with it whom a message goes to.

use super::{change, map_message, optional_text, parse, text};
use crate::boundary::Answer;
use crate::reply::map_reply;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use map_core::Mailbox;
use map_core::message::{
    Address, AddressList, AddressListError, Builder, DisplayName, Field, OriginationDate, ReferenceId, Resent,
};
use std::ffi::c_char;

/// Adds to From: who has written it. Several need a map_message_set_sender().
///
/// @param message   required.
/// @param addresses as a person writes them: "Anna <anna@example.com>, bob@example.com", names in any language. A name with
///                  a comma in it needs quotation marks: "\"Doe, John\" <john@example.com>".
/// @return RE_SUCCESS; RE_INVALID_FORMAT, and map_last_advice() says what is wrong; RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_add_from(
    message: *mut map_message,
    addresses: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe { add_addresses(message, "From", addresses, Builder::from) }
}

/// Sets Sender: who sends it for those who have written it.
///
/// @param message required.
/// @param address one address.
/// @return as map_message_add_from().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_sender(
    message: *mut map_message,
    address: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        change(message, |message| {
            let sender = one_address(text(address, "address")?, "Sender")?;
            message.compose(|builder| builder.sender(sender))
        })
    }
}

/// Adds to Reply-To: whom to answer.
///
/// @param message   required.
/// @param addresses as for map_message_add_from().
/// @return as map_message_add_from().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_add_reply_to(
    message: *mut map_message,
    addresses: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe { add_addresses(message, "Reply-To", addresses, Builder::reply_to) }
}

/// Adds to To: whom it is for.
///
/// @param message   required.
/// @param addresses as for map_message_add_from(); groups, too: "Team: anna@example.com, bob@example.com;"
/// @return as map_message_add_from().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_add_to(
    message: *mut map_message,
    addresses: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe { add_addresses(message, "To", addresses, Builder::to) }
}

/// Adds to Cc: who gets a copy.
///
/// @param message   required.
/// @param addresses as for map_message_add_to().
/// @return as map_message_add_from().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_add_cc(
    message: *mut map_message,
    addresses: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe { add_addresses(message, "Cc", addresses, Builder::cc) }
}

/// Adds those who get a copy without the others' knowing. They are not named in the message.
///
/// @param message   required.
/// @param addresses as for map_message_add_to().
/// @return as map_message_add_from().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_add_bcc(
    message: *mut map_message,
    addresses: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe { add_addresses(message, "Bcc", addresses, Builder::bcc) }
}

/// Sets whom the mail hosts tell when they cannot deliver it (the address in MAIL FROM). Without it: the sender.
///
/// @param message required; made by map_message_new().
/// @param mailbox an address without a name.
/// @return as map_message_add_from().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_envelope_from(
    message: *mut map_message,
    mailbox: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        change(message, |message| {
            let mailbox = self::mailbox(text(mailbox, "mailbox")?, "the envelope's sender")?;
            message.compose(|builder| builder.envelope_from(mailbox))
        })
    }
}

/// Sets the subject, in any language.
///
/// @param message required.
/// @param subject one line.
/// @return as map_message_add_from().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_subject(
    message: *mut map_message,
    subject: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        change(message, |message| {
            let subject = parse(text(subject, "Subject")?, "Subject")?;
            message.compose(|builder| builder.subject(subject))
        })
    }
}

/// Sets Date: when it was written. Without it: when it is first sent, built or written.
///
/// @param message        required.
/// @param seconds        since 1970-01-01 00:00 UTC, as time() counts them.
/// @param offset_minutes of the zone it was written in, east of Greenwich: 60 is +0100.
/// @return RE_SUCCESS, or RE_MISUSE for a date that no message can carry.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_date(
    message: *mut map_message,
    seconds: i64,
    offset_minutes: i32,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe {
        change(message, |message| {
            let date = date(seconds, offset_minutes)?;
            message.compose(|builder| builder.date(date))
        })
    }
}

/// Sets Message-ID. Without it one is made.
///
/// @param message required.
/// @param id      "<report.17@example.com>", with or without the angle brackets.
/// @return as map_message_add_from().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_message_id(
    message: *mut map_message,
    id: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        change(message, |message| {
            let id = parse(text(id, "Message-ID")?, "Message-ID")?;
            message.compose(|builder| builder.message_id(id))
        })
    }
}

/// Adds to In-Reply-To: the Message-ID of what it answers.
///
/// @param message required.
/// @param ids     one or more: "<1@example.com> <2@example.com>". Between angle brackets may stand whatever another program
///                has made: printable ASCII without blanks travels as it is. Around one with an @ they may be left away.
/// @return as map_message_add_from().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_add_in_reply_to(
    message: *mut map_message,
    ids: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        change(message, |message| {
            let ids = references(text(ids, "In-Reply-To")?, "In-Reply-To")?;
            message.compose(|builder| builder.in_reply_to(ids))
        })
    }
}

/// Adds to References: the thread it belongs to, which are the references of what it answers and that one's Message-ID
/// last.
///
/// @param message required.
/// @param ids     one or more: "<1@example.com> <2@example.com>". Between angle brackets may stand whatever another program
///                has made: printable ASCII without blanks travels as it is. Around one with an @ they may be left away.
/// @return as map_message_add_from().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_add_references(
    message: *mut map_message,
    ids: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        change(message, |message| {
            let ids = references(text(ids, "References")?, "References")?;
            message.compose(|builder| builder.references(ids))
        })
    }
}

/// Adds a Comments field: a remark about the message.
///
/// @param message  required.
/// @param comments one line.
/// @return as map_message_add_from().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_add_comments(
    message: *mut map_message,
    comments: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        change(message, |message| {
            let comments = parse(text(comments, "Comments")?, "Comments")?;
            message.compose(|builder| builder.comments(comments))
        })
    }
}

/// Adds to Keywords: words to find the message by.
///
/// @param message  required.
/// @param keywords separated by commas.
/// @return as map_message_add_from().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_add_keywords(
    message: *mut map_message,
    keywords: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        change(message, |message| {
            let words = text(keywords, "Keywords")?.split(',').map(str::trim);
            let keywords: Vec<DisplayName> = words
                .map(|word| parse(word, "Keywords"))
                .collect::<Result<_, _>>()?;
            message.compose(|builder| builder.keywords(keywords))
        })
    }
}

/// Adds a header field of your own, such as List-Unsubscribe or X-Mailer.
///
/// ASCII goes as it is, folded at blanks. Beyond ASCII words are encoded, and of a field with a grammar of its own, such as
/// List-Id, only names and comments. What is encoded already is not encoded again.
///
/// @param message required.
/// @param name    one that the message does not write itself: not To, not Content-Type.
/// @param value   one line.
/// @return as map_message_add_from().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_add_field(
    message: *mut map_message,
    name: *const c_char,
    value: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and two strings.
    unsafe {
        change(message, |message| {
            let (name, value) = (text(name, "name")?, text(value, "value")?);
            let field = Field::new(name, value).map_err(|error| Answer::unfit(name, error.to_string()))?;
            message.compose(|builder| builder.field(field))
        })
    }
}

/// Sends the message once more in somebody's name: a set of Resent- fields stands before its header, and it goes to those
/// who are named here and to nobody else. Called again, it goes on from there.
///
/// @param message required; of either kind.
/// @param from    who resends it: addresses as for map_message_add_from().
/// @param sender  who does it for them, one address; required when they are several, else NULL.
/// @param to      to whom; NULL: nobody in To.
/// @param cc      who gets a copy, or NULL.
/// @param bcc     who gets a copy that the others do not know of, or NULL.
/// @return as map_message_add_from().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_add_resent(
    message: *mut map_message,
    from: *const c_char,
    sender: *const c_char,
    to: *const c_char,
    cc: *const c_char,
    bcc: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and strings.
    unsafe {
        change(message, |message| {
            let list = |string, argument: &str, field: &str| -> Result<AddressList, Answer> {
                match optional_text(string, argument)? {
                    Some(text) => addresses(text, field),
                    None => Ok(AddressList::default()),
                }
            };
            let sender = optional_text(sender, "sender")?;
            let resent = Resent {
                from: addresses(text(from, "from")?, "Resent-From")?,
                sender: sender
                    .map(|text| one_address(text, "Resent-Sender"))
                    .transpose()?,
                to: list(to, "to", "Resent-To")?,
                cc: list(cc, "cc", "Resent-Cc")?,
                bcc: list(bcc, "bcc", "Resent-Bcc")?,
                ..Resent::default()
            };
            message.resend(resent)
        })
    }
}

impl map_message {
    fn resend(&mut self, resent: Resent) -> Result<(), Answer> {
        match self.draft {
            super::Draft::Composed(_) | super::Draft::Made(_) => {
                self.compose(|builder| builder.resent(resent))
            }
            super::Draft::Raw(_) => self.take_raw(|raw| raw.resent(resent)),
        }
    }
}

/// Adds addresses to a field.
///
/// # Safety
/// As [`change`]; `string` is NULL or points to a NUL-terminated string that nobody changes meanwhile.
unsafe fn add_addresses(
    message: *mut map_message,
    field: &str,
    string: *const c_char,
    add: impl FnOnce(Builder, AddressList) -> Builder,
) -> map_reply {
    // SAFETY: as the caller vouches.
    unsafe {
        change(message, |message| {
            let list = addresses(text(string, "addresses")?, field)?;
            message.compose(|builder| add(builder, list))
        })
    }
}

pub(super) fn addresses(text: &str, field: &str) -> Result<AddressList, Answer> {
    text.parse().map_err(|error| no_addresses(text, field, &error))
}

fn one_address(text: &str, field: &str) -> Result<Address, Answer> {
    text.parse().map_err(|error| no_addresses(text, field, &error))
}

fn no_addresses(text: &str, field: &str, error: &AddressListError) -> Answer {
    Answer::unfit(text, format!("the address in {field} is not valid: {error}"))
}

pub(super) fn mailbox(text: &str, field: &str) -> Result<Mailbox, Answer> {
    let parsed: Result<Mailbox, _> = text.parse();
    parsed.map_err(|error| Answer::unfit(text, format!("the address of {field} is not valid: {error}")))
}

fn references(text: &str, field: &str) -> Result<Vec<ReferenceId>, Answer> {
    ReferenceId::list(text).map_err(|error| Answer::unfit(field, format!("{field} cannot be sent: {error}")))
}

fn date(seconds: i64, offset_minutes: i32) -> Result<OriginationDate, Answer> {
    let impossible = || {
        Answer::misuse(format!(
            "{seconds} s since 1970 at {offset_minutes} min from Greenwich is not a date that a message can carry"
        ))
    };
    let offset = offset_minutes.checked_mul(60).ok_or_else(impossible)?;
    let offset = Offset::from_seconds(offset).map_err(|_| impossible())?;
    let time = Timestamp::from_second(seconds).map_err(|_| impossible())?;
    OriginationDate::try_from(time.to_zoned(TimeZone::fixed(offset))).map_err(|_| impossible())
}
