//! A message put together: what it is, and its octets.

use super::body::map_body_type;
use super::envelope::Wish;
use super::file::replace;
use super::header::mailbox;
use super::part::path;
use super::{Draft, map_message, text};
use crate::boundary::{Answer, guarded, replying};
use crate::guest::without_sigpipe;
use crate::pointer;
use crate::reply::map_reply;
use crate::text::{c_text, pointer_or_null};
use map_core::message::{BuildError, Message, RawError};
use map_core::protocol::EmptyFields;
use map_core::{Mailbox, MapReply};
use std::ffi::{CString, c_char, c_void};
use std::io::{self, Read, Write};
use std::ptr;

/// Takes the next octets of a message, for map_message_write(): returns 0 to go on, anything else to stop.
pub type map_write_fn =
    Option<unsafe extern "C" fn(data: *const c_char, length: usize, user_data: *mut c_void) -> i32>;

/// A message put together, with its texts for C.
#[derive(Debug)]
pub(super) struct Built {
    message: Message,
    id: Option<CString>,
    recipients: Vec<CString>,
    warnings: Vec<CString>,
}

/// Puts a message together, and says what is missing or does not fit together. Sending and writing it do it as well.
///
/// @param message required.
/// @return RE_SUCCESS; RE_NO_EMPTY if nobody is named that it is from or to; RE_INVALID_FORMAT if no host can carry it; the
///         first refusal of a piece; RE_MISUSE if it does not fit together; RE_LOCAL if it cannot be read.
///         map_last_advice() says more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_build(message: *mut map_message) -> map_reply {
    replying(|| {
        // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
        match unsafe { built(message) } {
            Ok(_) => Answer::done(),
            Err(answer) => answer,
        }
    })
}

/// How many recipients it has: those in To, Cc and Bcc, each once.
///
/// @param message NULL has none, and neither has one that is not built.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_recipient_count(message: *const map_message) -> usize {
    // SAFETY: NULL or a handle that is not freed or changed meanwhile.
    unsafe { of_built(message, 0, |built| built.recipients.len()) }
}

/// The address of a recipient, in the order in which they were given.
///
/// @param message   that was built, sent or written.
/// @param recipient 0 to map_message_recipient_count() - 1.
/// @return NULL if there is no such recipient. Borrowed until the message is changed or freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_recipient(
    message: *const map_message,
    recipient: usize,
) -> *const c_char {
    // SAFETY: NULL or a handle that is not freed or changed meanwhile.
    unsafe {
        of_built(message, ptr::null(), |built| {
            pointer_or_null(built.recipients.get(recipient))
        })
    }
}

/// Its Message-ID, without angle brackets.
///
/// @param message that was built, sent or written.
/// @return NULL if it has none. Borrowed until the message is changed or freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_id(message: *const map_message) -> *const c_char {
    // SAFETY: NULL or a handle that is not freed or changed meanwhile.
    unsafe { of_built(message, ptr::null(), |built| pointer_or_null(built.id.as_ref())) }
}

/// How many octets it has as it is sent.
///
/// @param message that was built, sent or written.
/// @return MAP_SIZE_UNKNOWN if it cannot be told before it is sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_size(message: *const map_message) -> u64 {
    // SAFETY: NULL or a handle that is not freed or changed meanwhile.
    unsafe {
        of_built(message, u64::MAX, |built| {
            built.message.size().unwrap_or(u64::MAX)
        })
    }
}

/// What a host must offer for the message as it is; one that offers less may get it in another form.
///
/// @param message that was built, sent or written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_body_type(message: *const map_message) -> map_body_type {
    // SAFETY: NULL or a handle that is not freed or changed meanwhile.
    unsafe {
        of_built(message, map_body_type::MAP_BODY_7BIT, |built| {
            built.message.needs().body_type.into()
        })
    }
}

/// Whether a host must offer SMTPUTF8, because an address has a local part beyond ASCII or the header of octets is in
/// UTF-8.
///
/// @param message that was built, sent or written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_needs_smtputf8(message: *const map_message) -> bool {
    // SAFETY: NULL or a handle that is not freed or changed meanwhile.
    unsafe { of_built(message, false, |built| built.message.needs().smtputf8) }
}

/// How many oddities were found that are no reason not to send it.
///
/// @param message NULL has none, and neither has one that is not built.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_warning_count(message: *const map_message) -> usize {
    // SAFETY: NULL or a handle that is not freed or changed meanwhile.
    unsafe { of_built(message, 0, |built| built.warnings.len()) }
}

/// One of them, in words.
///
/// @param message that was built, sent or written.
/// @param warning 0 to map_message_warning_count() - 1.
/// @return NULL if there is no such warning. Borrowed until the message is changed or freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_warning(message: *const map_message, warning: usize) -> *const c_char {
    // SAFETY: NULL or a handle that is not freed or changed meanwhile.
    unsafe {
        of_built(message, ptr::null(), |built| {
            pointer_or_null(built.warnings.get(warning))
        })
    }
}

/// The same message for some of its recipients: the same octets and Message-ID, and an envelope that names these alone. So it
/// is sent again to those who do not have it, and nobody gets a second copy: take those for whom map_report_is_transient()
/// is true.
///
/// @param message    required; put together as map_message_build() does.
/// @param recipients as map_report_recipient() and map_message_recipient() give them; required. One that is named twice
///                   counts once.
/// @param count      how many there are; at least one.
/// @param rest       required; written only on success: free it with map_message_free(). It can be sent and written, not
///                   changed.
/// @return RE_SUCCESS; RE_INVALID_FORMAT for what is no address; RE_MISUSE for one who is no recipient of the message; what
///         map_message_build() says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_for_recipients(
    message: *mut map_message,
    recipients: *const *const c_char,
    count: usize,
    rest: *mut *mut map_message,
) -> map_reply {
    replying(|| {
        if rest.is_null() {
            return Answer::missing("rest");
        }
        // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and so many strings.
        let made = unsafe {
            built(message).and_then(|built| {
                let made = built.message.for_recipients(&mailboxes(recipients, count)?);
                made.map_err(|error| Answer::misuse(error.to_string()))
            })
        };
        match made {
            Ok(made) => {
                let made = map_message::new(Draft::Made(Box::new(made)));
                // SAFETY: the caller's place for a handle.
                unsafe { pointer::write(rest, pointer::give(made)) };
                Answer::done()
            }
            Err(answer) => answer,
        }
    })
}

/// The mailboxes of an array of strings.
///
/// # Safety
/// `strings` is NULL or points to `count` pointers, each NULL or to a NUL-terminated string.
unsafe fn mailboxes(strings: *const *const c_char, count: usize) -> Result<Vec<Mailbox>, Answer> {
    if count == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: as the caller vouches.
    let strings = unsafe { pointer::array(strings, count) }.ok_or_else(|| Answer::missing("recipients"))?;
    strings
        .iter()
        // SAFETY: as the caller vouches.
        .map(|&string| mailbox(unsafe { text(string, "a recipient") }?, "a recipient"))
        .collect()
}

/// Gives the octets of a message to a function of yours: what a host gets that offers all it needs, lines ended by CRLF.
///
/// @param message   required.
/// @param write     required; called in this thread, with blocks of any length.
/// @param user_data handed to it.
/// @return RE_SUCCESS; RE_CANCELLED if the function stopped it; RE_LOCAL if a file or a function cannot be read; what
///         map_message_build() says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_write(
    message: *mut map_message,
    write: map_write_fn,
    user_data: *mut c_void,
) -> map_reply {
    replying(|| {
        let Some(write) = write else {
            return Answer::missing("write");
        };
        // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
        let message = match unsafe { built(message) } {
            Ok(built) => built.message.clone(),
            Err(answer) => return answer,
        };
        let mut stopped = false;
        let passed_on = pass_on(&message, |block| {
            // SAFETY: the program vouches for its function.
            stopped = unsafe { write(block.as_ptr().cast(), block.len(), user_data) } != 0;
            if stopped {
                Err(io::ErrorKind::Other.into())
            } else {
                Ok(())
            }
        });
        match passed_on {
            _ if stopped => Answer::with_advice(
                MapReply::Cancelled,
                "the function that took the message stopped it",
            ),
            Ok(()) => Answer::done(),
            Err(error) => Answer::unreadable(&error, "the message"),
        }
    })
}

/// Writes the octets of a message into a file: under another name in the same folder, and it takes its name when it is
/// whole. So the message may be read from the very file that is written, and a failure leaves what was there.
///
/// @param message required.
/// @param path    of a file, which is made, or replaced by one of the same permissions; a symbolic link is followed. What
///                is no regular file, a pipe or a device, is written to as it is.
/// @return RE_SUCCESS; RE_LOCAL if it cannot be read or written; what map_message_build() says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_write_file(message: *mut map_message, path: *const c_char) -> map_reply {
    replying(|| {
        // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
        let (message, path) = unsafe {
            (
                built(message).map(|built| built.message.clone()),
                self::path(path),
            )
        };
        match message.and_then(|message| Ok((message, path?))) {
            Ok((message, path)) => {
                let written = replace(path, |file| {
                    pass_on(&message, |block| without_sigpipe(|| file.write_all(block)))
                });
                match written {
                    Ok(()) => Answer::done(),
                    // What was to be read is named by the error.
                    Err(error) if error.get_ref().is_some() => Answer::unreadable(&error, "the message"),
                    Err(error) => Answer::unwritable(&error, path),
                }
            }
            Err(answer) => answer,
        }
    })
}

/// Puts a message together and does to it what was asked for.
pub(super) fn put_together(draft: Draft, wishes: &[Wish]) -> Result<Message, Answer> {
    let message = match draft {
        Draft::Composed(builder) => builder.build()?,
        Draft::Made(message) => *message,
        Draft::Raw(raw) => raw.build()?,
    };
    let granted = wishes
        .iter()
        .try_fold(message, |message, wish| wish.grant(message));
    Ok(granted?)
}

impl map_message {
    /// The message, put together unless it has been; nothing that was refused is sent.
    pub(crate) fn build(&mut self) -> Result<Message, Answer> {
        self.built().map(|built| built.message.clone())
    }

    /// The message, if it has been put together.
    pub(super) fn already_built(&self) -> Option<Message> {
        self.built.as_ref().map(|built| built.message.clone())
    }

    fn built(&mut self) -> Result<&Built, Answer> {
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        let built = if let Some(built) = self.built.take() {
            built
        } else {
            Built::new(put_together(self.draft_to_build(), &self.wishes)?)
        };
        Ok(self.built.insert(built))
    }
}

impl Built {
    fn new(message: Message) -> Self {
        let id = Some(message.message_id()).filter(|id| !id.is_empty());
        let recipients = message.recipients().iter();
        Self {
            id: id.map(c_text),
            recipients: recipients.map(|mailbox| c_text(mailbox.to_string())).collect(),
            warnings: message
                .warnings()
                .iter()
                .map(|warning| c_text(warning.to_string()))
                .collect(),
            message,
        }
    }
}

impl From<BuildError> for Answer {
    fn from(error: BuildError) -> Self {
        let empty = match error {
            BuildError::NoFrom(_) => EmptyFields {
                from: true,
                ..EmptyFields::default()
            },
            BuildError::NoRecipient => EmptyFields {
                to: true,
                ..EmptyFields::default()
            },
            _ => return Self::misuse(error.to_string()),
        };
        Self::with_advice(MapReply::NoEmpty(empty), error.to_string())
    }
}

impl From<RawError> for Answer {
    fn from(error: RawError) -> Self {
        match error {
            RawError::NoFrom(_) => BuildError::NoFrom("From").into(),
            RawError::NoRecipient => BuildError::NoRecipient.into(),
            RawError::Resent(error) => error.into(),
            RawError::Read(error) => Self::unreadable(&error, "the message"),
            RawError::BlindCopies(_) | RawError::SeveralResent => Self::misuse(error.to_string()),
            _ => Self::unfit("message", error.to_string()),
        }
    }
}

/// The message behind a handle, put together.
///
/// # Safety
/// `message` is NULL or a handle that is used by this thread alone while `'a` lasts.
unsafe fn built<'a>(message: *mut map_message) -> Result<&'a Built, Answer> {
    // SAFETY: as the caller vouches.
    let message = unsafe { pointer::exclusive(message) }.ok_or_else(|| Answer::missing("message"))?;
    message.built()
}

/// Reads of a message that was put together.
///
/// # Safety
/// `message` is NULL or a handle that is not freed or changed meanwhile.
unsafe fn of_built<T>(message: *const map_message, fallback: T, read: impl FnOnce(&Built) -> T) -> T {
    let mut answer = fallback;
    guarded((), || {
        // SAFETY: as the caller vouches.
        let message = unsafe { pointer::shared(message) };
        if let Some(built) = message.and_then(|message| message.built.as_ref()) {
            answer = read(built);
        }
    });
    answer
}

/// Reads the octets of a message to their end.
fn pass_on(message: &Message, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut reader = message.open()?;
    let mut block = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(read) => take(block.get(..read).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
