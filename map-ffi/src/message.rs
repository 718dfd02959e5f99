//! A message of more than four fields.

pub mod part;

pub mod reader;

pub mod header;

pub mod body;

pub mod raw;

pub mod envelope;

pub mod output;

pub mod send;

mod file;
mod later;

use crate::boundary::{Answer, guarded, making, replying};
use crate::pointer::{self, Counted};
use crate::refusal::{Refusing, change};
use crate::reply::map_reply;
use envelope::Wish;
use map_core::message::{Builder, Message, Raw};
use output::Built;
use std::ffi::c_char;

/// A message: from whom, to whom, about what, with texts, pictures and files. Made by map_message_new() from its pieces, or
/// by map_message_raw_new() and its kin from octets that are a message already. Freed by map_message_free().
///
/// A piece is checked when it is given. What was refused is remembered: such a message cannot be sent, lest a mail go
/// that lacks something, and the call that was to send it answers with the first refusal. So a program may look at the
/// reply of every call, or only at the last one. map_message_clear_errors() lets the message go without what was refused.
///
/// One thread at a time may use it. A message can be sent any number of times and is the same each time, its Date and
/// Message-ID too, until it is changed.
#[derive(Debug)]
pub struct map_message {
    draft: Draft,
    wishes: Vec<Wish>,
    refused: Option<Answer>,
    /// Put together, until a change.
    built: Option<Built>,
    /// The pieces with their Date and Message-ID, once another thread puts them together, until a change.
    settled: Option<Box<Builder>>,
}

#[derive(Clone, Debug)]
enum Draft {
    Composed(Box<Builder>),
    /// Made of another message, and the same as that.
    Made(Box<Message>),
    Raw(Box<Raw>),
}

/// Begins a message that says nothing yet.
///
/// @return free with map_message_free(); NULL only with RE_INTERNAL in map_last_reply().
#[unsafe(no_mangle)]
pub extern "C" fn map_message_new() -> *mut map_message {
    making(|| Ok(map_message::new(Draft::Composed(Box::default()))))
}

/// Frees a message.
///
/// @param message may be NULL: nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_free(message: *mut map_message) {
    guarded((), || {
        // SAFETY: the caller passes NULL or a handle that it has not freed and no other thread uses.
        drop(unsafe { pointer::take(message) });
    });
}

/// Forgets what was refused so far, so that the message can be sent without it.
///
/// @param message required.
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_clear_errors(message: *mut map_message) -> map_reply {
    replying(|| {
        // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
        let Some(message) = (unsafe { pointer::exclusive(message) }) else {
            return Answer::missing("message");
        };
        message.refused = None;
        Answer::done()
    })
}

impl map_message {
    fn new(draft: Draft) -> Self {
        Self {
            draft,
            wishes: Vec::new(),
            refused: None,
            built: None,
            settled: None,
        }
    }

    /// Adds to a message that is made of its pieces.
    fn compose(&mut self, add: impl FnOnce(Builder) -> Builder) -> Result<(), Answer> {
        match &mut self.draft {
            Draft::Composed(builder) => {
                **builder = add(std::mem::take(builder));
                Ok(())
            }
            Draft::Made(_) => Err(made_of_another()),
            Draft::Raw(_) => Err(Answer::misuse(
                "the message is octets already, and has its header and its body",
            )),
        }
    }

    /// Sets how octets that are a message already are taken.
    fn take_raw(&mut self, set: impl FnOnce(Raw) -> Raw) -> Result<(), Answer> {
        match &mut self.draft {
            Draft::Raw(raw) => {
                **raw = set(Raw::clone(raw));
                Ok(())
            }
            Draft::Made(_) => Err(made_of_another()),
            Draft::Composed(_) => Err(Answer::misuse(
                "the message is made of its pieces, and not of octets",
            )),
        }
    }
}

fn made_of_another() -> Answer {
    Answer::misuse("the message is the same as another for some of its recipients, and cannot be changed")
}

impl Refusing for map_message {
    const NAME: &'static str = "message";

    fn refused(&mut self) -> &mut Option<Answer> {
        &mut self.refused
    }

    fn changed(&mut self) {
        self.built = None;
        self.settled = None;
    }
}

/// The text of an argument that is there.
///
/// # Safety
/// `string` is NULL or points to a NUL-terminated string that nobody changes while `'a` lasts.
unsafe fn text<'a>(string: *const c_char, argument: &str) -> Result<&'a str, Answer> {
    // SAFETY: as the caller vouches.
    let octets = unsafe { pointer::string(string) }.ok_or_else(|| Answer::missing(argument))?;
    std::str::from_utf8(octets).map_err(|error| ill_formed(argument, error.valid_up_to()))
}

/// The same for an argument that may be absent.
///
/// # Safety
/// As [`text`].
unsafe fn optional_text<'a>(string: *const c_char, argument: &str) -> Result<Option<&'a str>, Answer> {
    if string.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller vouches.
    unsafe { text(string, argument) }.map(Some)
}

/// The octets that a length counts.
///
/// # Safety
/// `data` is NULL or points to `length` octets that nobody changes while `'a` lasts.
unsafe fn octets<'a>(data: *const c_char, length: usize, argument: &str) -> Result<&'a [u8], Answer> {
    // SAFETY: as the caller vouches.
    match unsafe { pointer::counted(data, length) } {
        Counted::Octets(octets) => Ok(octets),
        Counted::Null => Err(Answer::misuse(format!(
            "{argument} is NULL and its length is {length}"
        ))),
        Counted::TooLong => Err(Answer::misuse(format!(
            "{argument} cannot be {length} octets long"
        ))),
    }
}

/// A copy of the octets that a length counts: a program that gives more than there is memory for is told so, and not ended.
///
/// # Safety
/// As [`octets`].
unsafe fn copied(data: *const c_char, length: usize, argument: &str) -> Result<Vec<u8>, Answer> {
    // SAFETY: as the caller vouches.
    let octets = unsafe { self::octets(data, length, argument) }?;
    let mut copy = Vec::new();
    copy.try_reserve_exact(length)
        .map_err(|_| Answer::no_memory(argument, length))?;
    copy.extend_from_slice(octets);
    Ok(copy)
}

fn ill_formed(argument: &str, position: usize) -> Answer {
    Answer::unfit(
        argument,
        format!("{argument} cannot be sent: the octet at position {position} is not UTF-8"),
    )
}

/// Parses what an argument holds; what is wrong with it is said of the field it is for.
fn parse<T: std::str::FromStr>(text: &str, field: &str) -> Result<T, Answer>
where
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error| Answer::unfit(field, format!("{field} cannot be sent: {error}")))
}

/// What a number from C stands for; an enumeration is never taken from C, because it may hold any number.
fn chosen<T: Copy>(number: i32, enumeration: &str, all: &[(i32, T)]) -> Result<T, Answer> {
    all.iter()
        .find(|(known, _)| *known == number)
        .map(|(_, meant)| *meant)
        .ok_or_else(|| Answer::misuse(format!("{number} is not a {enumeration}")))
}
