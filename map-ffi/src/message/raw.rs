//! Messages that are octets already: signed ones, ones made elsewhere, ones from a file.

use super::header::{addresses, mailbox};
use super::part::path;
use super::reader::{Callbacks, map_close_fn, map_open_fn, map_read_fn, map_release_fn};
use super::{Draft, change, chosen, copied, map_message, text};
use crate::boundary::{Answer, making};
use crate::reply::map_reply;
use map_core::message::{BlindCopies, Raw};
use std::ffi::{c_char, c_void};

/// What becomes of a Bcc in the header of a message that is octets already, for map_message_set_blind_copies(). Later
/// versions may add some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum map_blind_copies {
    /// The message is refused: say what you want. The default.
    MAP_BCC_REFUSE = 0,
    /// The field is taken out, and nothing else is changed. Its addresses are recipients all the same.
    MAP_BCC_REMOVE = 1,
    /// It stays, and every recipient sees whom else the message went to.
    MAP_BCC_KEEP = 2,
}

const BLIND_COPIES: [(i32, BlindCopies); 3] = [
    (map_blind_copies::MAP_BCC_REFUSE as i32, BlindCopies::Refuse),
    (map_blind_copies::MAP_BCC_REMOVE as i32, BlindCopies::Remove),
    (map_blind_copies::MAP_BCC_KEEP as i32, BlindCopies::Keep),
];

/// Takes a message that is in memory: RFC 5322, lines ended by CRLF. It travels unchanged, so that a signature on it stays
/// good. What no host can carry is said when it is built or sent.
///
/// @param data   copied.
/// @param length its length in octets.
/// @return free with map_message_free(); NULL with the reason in map_last_reply().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_raw_new(data: *const c_char, length: usize) -> *mut map_message {
    making(|| {
        // SAFETY: as many octets as said.
        let octets = unsafe { copied(data, length, "data") }?;
        Ok(map_message::raw(Raw::octets(octets)))
    })
}

/// Takes a message that is in a file, which is read while it is sent.
///
/// @param path of a regular file, as the system's calls take it.
/// @return as map_message_raw_new().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_raw_file_new(path: *const c_char) -> *mut map_message {
    making(|| {
        // SAFETY: a string.
        let path = unsafe { self::path(path) }?;
        let raw = Raw::file(path).map_err(|error| Answer::unreadable(&error, "the message"))?;
        Ok(map_message::raw(raw))
    })
}

/// Takes a message that functions of yours give, once to look it through and each time that it is sent. For them holds
/// what map_part_reader_new() says: they must not use the message.
///
/// @param open      as for map_part_reader_new().
/// @param read      as for map_part_reader_new().
/// @param close     as for map_part_reader_new().
/// @param user_data as for map_part_reader_new().
/// @param release   as for map_part_reader_new().
/// @return as map_message_raw_new().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_raw_reader_new(
    open: map_open_fn,
    read: map_read_fn,
    close: map_close_fn,
    user_data: *mut c_void,
    release: map_release_fn,
) -> *mut map_message {
    making(|| {
        let callbacks = Callbacks::new(open, read, close, user_data, release)?;
        Ok(map_message::raw(Raw::reader(callbacks.opener())))
    })
}

/// Sets whom octets are from and to, whatever their header says.
///
/// Without it the header says it: Sender or the only one in From, and all in To, Cc and Bcc.
///
/// @param message    required; made by map_message_raw_new() or its kin.
/// @param from       an address without a name.
/// @param recipients addresses; their names do not matter.
/// @return RE_SUCCESS; RE_INVALID_FORMAT, and map_last_advice() says what is wrong; RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_envelope(
    message: *mut map_message,
    from: *const c_char,
    recipients: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and two strings.
    unsafe {
        change(message, |message| {
            let from = mailbox(text(from, "from")?, "the envelope's sender")?;
            let recipients = addresses(text(recipients, "recipients")?, "the envelope")?;
            let recipients: Vec<_> = recipients.mailboxes().cloned().collect();
            message.take_raw(|raw| raw.envelope(from, recipients))
        })
    }
}

/// Sets what becomes of a Bcc in the header of octets.
///
/// @param message required; made by map_message_raw_new() or its kin.
/// @param which   one of enum map_blind_copies.
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_blind_copies(message: *mut map_message, which: i32) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe {
        change(message, |message| {
            let which = chosen(which, "map_blind_copies", &BLIND_COPIES)?;
            message.take_raw(|raw| raw.blind_copies(which))
        })
    }
}

/// Takes an LF alone in octets for a line end and sends it as CRLF: for a file that was written on Unix. Signatures by
/// S/MIME, PGP and DKIM stay good.
///
/// @param message required; made by map_message_raw_new() or its kin.
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_unix_line_ends(message: *mut map_message) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe { change(message, |message| message.take_raw(Raw::unix_line_ends)) }
}

/// Refuses octets for what would else be a warning: see map_message_warning().
///
/// @param message required; made by map_message_raw_new() or its kin.
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_strict(message: *mut map_message) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe { change(message, |message| message.take_raw(Raw::strict)) }
}

impl map_message {
    fn raw(raw: Raw) -> Self {
        Self::new(Draft::Raw(Box::new(raw)))
    }
}
