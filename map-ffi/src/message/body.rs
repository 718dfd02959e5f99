//! What a message says, shows and brings along.

use super::part::{map_part, whole};
use super::{change, chosen, copied, map_message, octets, parse, text};
use crate::boundary::Answer;
use crate::reply::map_reply;
use map_core::message::{BodyType, Builder, Content, Part, TextError};
use std::ffi::c_char;

/// What bodies may go as they are, for map_message_set_body_type(), and what map_message_body_type() says that a message
/// needs. Later versions may add some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum map_body_type {
    /// ASCII in lines of at most 998 octets, which every host takes.
    MAP_BODY_7BIT = 0,
    /// Any octet but NUL in such lines, for hosts with 8BITMIME.
    MAP_BODY_8BIT = 1,
    /// Anything, for hosts with BINARYMIME and CHUNKING.
    MAP_BODY_BINARY = 2,
}

const BODY_TYPES: [(i32, BodyType); 3] = [
    (map_body_type::MAP_BODY_7BIT as i32, BodyType::SevenBit),
    (map_body_type::MAP_BODY_8BIT as i32, BodyType::EightBit),
    (map_body_type::MAP_BODY_BINARY as i32, BodyType::Binary),
];

impl From<BodyType> for map_body_type {
    fn from(body_type: BodyType) -> Self {
        match body_type {
            BodyType::SevenBit => Self::MAP_BODY_7BIT,
            BodyType::EightBit => Self::MAP_BODY_8BIT,
            BodyType::Binary => Self::MAP_BODY_BINARY,
        }
    }
}

/// Sets the plain text.
///
/// @param message required.
/// @param text    UTF-8, with any line ends.
/// @return RE_SUCCESS; RE_INVALID_FORMAT for what is not UTF-8; RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_text(message: *mut map_message, text: *const c_char) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        change(message, |message| {
            let content = content(self::text(text, "text")?.as_bytes(), "text")?;
            message.compose(|builder| builder.text(content))
        })
    }
}

/// As map_message_set_text(), with the length of the text in octets.
///
/// @param message required.
/// @param text    UTF-8 without a NUL; may be NULL if the length is 0.
/// @param length  its length.
/// @return as map_message_set_text().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_text_n(
    message: *mut map_message,
    text: *const c_char,
    length: usize,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and as many octets as said.
    unsafe {
        change(message, |message| {
            let content = content(octets(text, length, "text")?, "text")?;
            message.compose(|builder| builder.text(content))
        })
    }
}

/// Sets the same in HTML. With a plain text beside it a reader shows what it can.
///
/// @param message required.
/// @param html    UTF-8. What it shows is given with map_message_add_inline(): <img src="cid:logo@example.com">.
/// @return as map_message_set_text().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_html(message: *mut map_message, html: *const c_char) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        change(message, |message| {
            let content = content(text(html, "html")?.as_bytes(), "html")?;
            message.compose(|builder| builder.html(content))
        })
    }
}

/// As map_message_set_html(), with the length of the HTML in octets.
///
/// @param message required.
/// @param html    UTF-8 without a NUL; may be NULL if the length is 0.
/// @param length  its length.
/// @return as map_message_set_text().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_html_n(
    message: *mut map_message,
    html: *const c_char,
    length: usize,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and as many octets as said.
    unsafe {
        change(message, |message| {
            let content = content(octets(html, length, "html")?, "html")?;
            message.compose(|builder| builder.html(content))
        })
    }
}

/// Attaches a file. It is opened for each host that is tried and read while it is sent, so it can be of any size; one that
/// has become another length by then is not sent. It has its name of now, and the media type that the name tells; for
/// others make a part.
///
/// @param message required.
/// @param path    of a regular file, as the system's calls take it.
/// @return RE_SUCCESS; RE_LOCAL if there is no such file, or it is not a regular one; RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_attach_file(
    message: *mut map_message,
    path: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        change(message, |message| {
            let part = super::part::of_file(path)?;
            message.compose(|builder| builder.attach(part))
        })
    }
}

/// Attaches data in memory.
///
/// @param message   required.
/// @param data      any octets, which are copied; may be NULL if the length is 0.
/// @param length    how many.
/// @param file_name in any language. It tells the media type.
/// @return RE_SUCCESS; RE_INVALID_FORMAT for a name that no mail can carry; RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_attach_octets(
    message: *mut map_message,
    data: *const c_char,
    length: usize,
    file_name: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; as many octets as said; and a string.
    unsafe {
        change(message, |message| {
            let name = parse(text(file_name, "file_name")?, "file_name")?;
            let part = Part::octets(copied(data, length, "data")?).file_name(name);
            message.compose(|builder| builder.attach(part))
        })
    }
}

/// Attaches a part.
///
/// @param message required.
/// @param part    required; copied, and yours to free. What was refused of it is refused here.
/// @return RE_SUCCESS, or why not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_attach(message: *mut map_message, part: *const map_part) -> map_reply {
    // SAFETY: handles of the caller's, used by this thread alone, as the header asks.
    unsafe { add_part(message, part, Builder::attach) }
}

/// Adds what the HTML shows, such as a picture. It needs a map_part_set_content_id() by which the HTML names it.
///
/// @param message required.
/// @param part    required; copied, and yours to free.
/// @return RE_SUCCESS, or why not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_add_inline(
    message: *mut map_message,
    part: *const map_part,
) -> map_reply {
    // SAFETY: handles of the caller's, used by this thread alone, as the header asks.
    unsafe { add_part(message, part, Builder::inline) }
}

/// Sets a body of your own making, in place of text and HTML: a part with parts in it, for one.
///
/// @param message required.
/// @param part    required; copied, and yours to free.
/// @return RE_SUCCESS, or why not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_body(message: *mut map_message, part: *const map_part) -> map_reply {
    // SAFETY: handles of the caller's, used by this thread alone, as the header asks.
    unsafe { add_part(message, part, Builder::body) }
}

/// Sets what bodies may go as they are where a host takes it: with MAP_BODY_8BIT texts, with MAP_BODY_BINARY data, too. For
/// any other host they are encoded all the same. Without it every body is encoded to 7 bits.
///
/// @param message   required; made by map_message_new().
/// @param body_type one of enum map_body_type.
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_body_type(message: *mut map_message, body_type: i32) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe {
        change(message, |message| {
            let body_type = chosen(body_type, "map_body_type", &BODY_TYPES)?;
            message.compose(|builder| builder.body_type(body_type))
        })
    }
}

/// Gives a message a part that is there and in order.
///
/// # Safety
/// As [`change`], for both handles.
unsafe fn add_part(
    message: *mut map_message,
    part: *const map_part,
    add: impl FnOnce(Builder, Part) -> Builder,
) -> map_reply {
    // SAFETY: as the caller vouches.
    unsafe {
        change(message, |message| {
            let part = whole(part)?;
            message.compose(|builder| add(builder, part))
        })
    }
}

pub(super) fn content(octets: &[u8], argument: &str) -> Result<Content, Answer> {
    Content::parse(octets).map_err(|error| match error {
        TextError::NoMemory(octets) => Answer::no_memory(argument, octets),
        error => Answer::unfit(argument, format!("{argument} cannot be sent: {error}")),
    })
}
