//! Parts: what messages are made of.

use super::body::content;
use super::reader::{Callbacks, map_close_fn, map_open_fn, map_read_fn, map_release_fn};
use super::{Refusing, change, chosen, copied, map_message, octets, parse, text};
use crate::boundary::{Answer, guarded, making};
use crate::pointer;
use crate::reply::map_reply;
use map_core::message::{Disposition, Multipart, Part, TransferEncoding};
use std::ffi::{OsStr, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A part of a message: a text, data, a whole message, or a number of parts. Made by map_part_text_new() and its kin, freed
/// by map_part_free().
///
/// One thread at a time may use it. A message takes a copy, so it can be freed at once. As a message does, it remembers
/// what was refused, and no message takes such a part.
#[derive(Debug)]
pub struct map_part {
    matter: Matter,
    /// What is said about it, in the order in which it was said.
    said: Vec<Said>,
    refused: Option<Answer>,
}

#[derive(Debug)]
enum Matter {
    One(Part),
    Several(Multipart, Vec<Part>),
}

#[derive(Debug)]
enum Said {
    ContentId(map_core::message::ContentId),
    Description(map_core::message::Subject),
    Disposition(Disposition),
    FileName(map_core::message::FileName),
    MediaType(map_core::message::MediaType),
    TransferEncoding(TransferEncoding),
}

/// How parts belong together, for map_part_multipart_new(). Later versions may add some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum map_multipart {
    /// In order: a text and its attachments.
    MAP_MULTIPART_MIXED = 1,
    /// The same in several forms, the best last.
    MAP_MULTIPART_ALTERNATIVE = 2,
    /// A first part, and what it refers to: HTML and its pictures.
    MAP_MULTIPART_RELATED = 3,
    /// In no order.
    MAP_MULTIPART_PARALLEL = 4,
    /// Messages, one after the other.
    MAP_MULTIPART_DIGEST = 5,
}

/// How a part is made fit for its way, for map_part_set_transfer_encoding(). Later versions may add some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum map_transfer_encoding {
    /// The text itself: ASCII, in lines of at most 998 octets.
    MAP_ENCODING_7BIT = 1,
    /// The text itself, in such lines, for a host with 8BITMIME.
    MAP_ENCODING_8BIT = 2,
    /// The data itself, for a host with BINARYMIME and CHUNKING.
    MAP_ENCODING_BINARY = 3,
    /// A text that a person can still read on the wire.
    MAP_ENCODING_QUOTED_PRINTABLE = 4,
    /// Four characters for three octets.
    MAP_ENCODING_BASE64 = 5,
}

/// How a reader presents a part, for map_part_set_disposition(). Later versions may add some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum map_disposition {
    /// In its place in the message.
    MAP_DISPOSITION_INLINE = 1,
    /// As a file to open or to store.
    MAP_DISPOSITION_ATTACHMENT = 2,
}

const MULTIPARTS: [(i32, Multipart); 5] = [
    (map_multipart::MAP_MULTIPART_MIXED as i32, Multipart::Mixed),
    (
        map_multipart::MAP_MULTIPART_ALTERNATIVE as i32,
        Multipart::Alternative,
    ),
    (map_multipart::MAP_MULTIPART_RELATED as i32, Multipart::Related),
    (map_multipart::MAP_MULTIPART_PARALLEL as i32, Multipart::Parallel),
    (map_multipart::MAP_MULTIPART_DIGEST as i32, Multipart::Digest),
];

const TRANSFER_ENCODINGS: [(i32, TransferEncoding); 5] = [
    (
        map_transfer_encoding::MAP_ENCODING_7BIT as i32,
        TransferEncoding::SevenBit,
    ),
    (
        map_transfer_encoding::MAP_ENCODING_8BIT as i32,
        TransferEncoding::EightBit,
    ),
    (
        map_transfer_encoding::MAP_ENCODING_BINARY as i32,
        TransferEncoding::Binary,
    ),
    (
        map_transfer_encoding::MAP_ENCODING_QUOTED_PRINTABLE as i32,
        TransferEncoding::QuotedPrintable,
    ),
    (
        map_transfer_encoding::MAP_ENCODING_BASE64 as i32,
        TransferEncoding::Base64,
    ),
];

const DISPOSITIONS: [(i32, Disposition); 2] = [
    (
        map_disposition::MAP_DISPOSITION_INLINE as i32,
        Disposition::Inline,
    ),
    (
        map_disposition::MAP_DISPOSITION_ATTACHMENT as i32,
        Disposition::Attachment,
    ),
];

/// Makes a part of a plain text.
///
/// @param text   UTF-8 without a NUL; may be NULL if the length is 0.
/// @param length its length in octets.
/// @return free with map_part_free(); NULL with the reason in map_last_reply().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_part_text_new(text: *const c_char, length: usize) -> *mut map_part {
    making(|| {
        // SAFETY: as many octets as said.
        let octets = unsafe { octets(text, length, "text") }?;
        Ok(map_part::one(Part::text(content(octets, "text")?)))
    })
}

/// Makes a part of a text in HTML.
///
/// @param html   UTF-8 without a NUL; may be NULL if the length is 0.
/// @param length its length in octets.
/// @return as map_part_text_new().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_part_html_new(html: *const c_char, length: usize) -> *mut map_part {
    making(|| {
        // SAFETY: as many octets as said.
        let octets = unsafe { octets(html, length, "html") }?;
        Ok(map_part::one(Part::html(content(octets, "html")?)))
    })
}

/// Makes a part of data in memory.
///
/// @param data   any octets, which are copied; may be NULL if the length is 0.
/// @param length how many.
/// @return as map_part_text_new().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_part_octets_new(data: *const c_char, length: usize) -> *mut map_part {
    making(|| {
        // SAFETY: as many octets as said.
        let octets = unsafe { copied(data, length, "data") }?;
        Ok(map_part::one(Part::octets(octets)))
    })
}

/// Makes a part of a file, as map_message_attach_file() does.
///
/// @param path of a regular file, as the system's calls take it.
/// @return as map_part_text_new().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_part_file_new(path: *const c_char) -> *mut map_part {
    making(|| {
        // SAFETY: a string.
        unsafe { of_file(path) }.map(map_part::one)
    })
}

/// Makes a part of data that functions of yours give while it is sent.
///
/// The functions are called in threads of the library, from several at once for streams of their own; and, while a message
/// is built, written, signed or made a part, in the thread that does so. They must not use a message or a part that they
/// give data for, not even to ask for its size. They may wait, which holds up this message only, but for release; one that
/// gives nothing for as long as map_config_set_timeout_ms() allows a content ends its delivery.
///
/// @param octets    how many octets a stream gives, exactly, so that the size of the message is known before it is sent; or
///                  MAP_SIZE_UNKNOWN.
/// @param open      required; begins a stream, each time that the message is sent: to each host that is tried, again for
///                  each hundred of its recipients, and to be signed. Each gives the same octets.
/// @param read      required; reads from one.
/// @param close     ends one, however far it was read; may be NULL.
/// @param user_data handed to open and to release.
/// @param release   called once, when nothing will ask for user_data any more: after the last free of the part, of every
///                  message that has it, and of every send. It may be a thread of the library that other mails wait
///                  for: release must not wait, and not send by the same agent. May be NULL. Called also if this
///                  function returns NULL.
/// @return as map_part_text_new().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_part_reader_new(
    octets: u64,
    open: map_open_fn,
    read: map_read_fn,
    close: map_close_fn,
    user_data: *mut c_void,
    release: map_release_fn,
) -> *mut map_part {
    making(|| {
        // Before anything can fail, so that `release` is called in any case.
        let callbacks = Callbacks::new(open, read, close, user_data, release);
        let octets = (octets != u64::MAX).then_some(octets);
        Ok(map_part::one(Part::reader(octets, callbacks?.opener())))
    })
}

/// Makes a part of a whole message: to forward it as it is, or for a digest.
///
/// @param message required; put together now, as map_message_build() does. Yours to free.
/// @return as map_part_text_new().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_part_message_new(message: *mut map_message) -> *mut map_part {
    making(|| {
        // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
        let message = unsafe { pointer::exclusive(message) }.ok_or_else(|| Answer::missing("message"))?;
        let part = Part::message(message.build()?);
        part.check_nesting()?;
        Ok(map_part::one(part))
    })
}

/// Makes a part of parts, without any yet: see map_part_add(). Parts and messages may be nested 50 deep.
///
/// @param kind one of enum map_multipart.
/// @return as map_part_text_new().
#[unsafe(no_mangle)]
pub extern "C" fn map_part_multipart_new(kind: i32) -> *mut map_part {
    making(|| {
        let kind = chosen(kind, "map_multipart", &MULTIPARTS)?;
        Ok(map_part::new(Matter::Several(kind, Vec::new())))
    })
}

/// Frees a part.
///
/// @param part may be NULL: nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_part_free(part: *mut map_part) {
    guarded((), || {
        // SAFETY: the caller passes NULL or a handle that it has not freed and no other thread uses.
        drop(unsafe { pointer::take(part) });
    });
}

/// Adds a part to a part of parts.
///
/// @param multipart required; made by map_part_multipart_new().
/// @param part      required; copied, and yours to free.
/// @return RE_SUCCESS, or why not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_part_add(multipart: *mut map_part, part: *const map_part) -> map_reply {
    // SAFETY: handles of the caller's, used by this thread alone, as the header asks. The part is read before the
    // multipart is borrowed, because they may be the same.
    let added = unsafe { guarded(None, || Some(whole(part))) };
    // SAFETY: as above.
    unsafe {
        change(multipart, |multipart| {
            let part = added.unwrap_or_else(|| Err(Answer::misuse("the part could not be read")))?;
            match &mut multipart.matter {
                Matter::Several(_, parts) => {
                    parts.push(part);
                    Ok(())
                }
                Matter::One(_) => Err(Answer::misuse("only a multipart has parts")),
            }
        })
    }
}

/// Says what a text or data is. For data it is else told by the file's name. Data of a type text/... in memory or in a
/// file gets charset=utf-8 if it is UTF-8 and not ASCII; for another one, and for a reader, say it here.
///
/// @param part       required.
/// @param media_type with parameters, if it has any: "text/calendar; method=REQUEST".
/// @return RE_SUCCESS; RE_INVALID_FORMAT, and map_last_advice() says what is wrong; RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_part_set_media_type(
    part: *mut map_part,
    media_type: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        change(part, |part| {
            part.say(parse(text(media_type, "media_type")?, "media_type").map(Said::MediaType))
        })
    }
}

/// Fixes how a part is encoded. MAP_ENCODING_8BIT and MAP_ENCODING_BINARY are wishes: for a host that does not offer what
/// they need, the part is encoded all the same.
///
/// @param part     required.
/// @param encoding one of enum map_transfer_encoding.
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_part_set_transfer_encoding(part: *mut map_part, encoding: i32) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe {
        change(part, |part| {
            let encoding = chosen(encoding, "map_transfer_encoding", &TRANSFER_ENCODINGS);
            part.say(encoding.map(Said::TransferEncoding))
        })
    }
}

/// Says how a reader should present a part.
///
/// @param part        required.
/// @param disposition one of enum map_disposition.
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_part_set_disposition(part: *mut map_part, disposition: i32) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe {
        change(part, |part| {
            let disposition = chosen(disposition, "map_disposition", &DISPOSITIONS);
            part.say(disposition.map(Said::Disposition))
        })
    }
}

/// Names a part, in any language.
///
/// @param part      required.
/// @param file_name one line.
/// @return as map_part_set_media_type().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_part_set_file_name(part: *mut map_part, file_name: *const c_char) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        change(part, |part| {
            part.say(parse(text(file_name, "file_name")?, "file_name").map(Said::FileName))
        })
    }
}

/// Gives a part the identifier by which HTML names it: <img src="cid:logo@example.com">.
///
/// @param part       required.
/// @param content_id "logo@example.com", unique in the message. One without @ is taken with a warning: see
///                   map_message_warning().
/// @return as map_part_set_media_type().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_part_set_content_id(
    part: *mut map_part,
    content_id: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        change(part, |part| {
            part.say(parse(text(content_id, "content_id")?, "content_id").map(Said::ContentId))
        })
    }
}

/// Describes a part in words.
///
/// @param part        required.
/// @param description one line.
/// @return as map_part_set_media_type().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_part_set_description(
    part: *mut map_part,
    description: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        change(part, |part| {
            part.say(parse(text(description, "description")?, "description").map(Said::Description))
        })
    }
}

impl map_part {
    fn new(matter: Matter) -> Self {
        Self {
            matter,
            said: Vec::new(),
            refused: None,
        }
    }

    fn one(part: Part) -> Self {
        Self::new(Matter::One(part))
    }

    fn say(&mut self, said: Result<Said, Answer>) -> Result<(), Answer> {
        self.said.push(said?);
        Ok(())
    }

    fn whole(&self) -> Part {
        let part = match &self.matter {
            Matter::One(part) => part.clone(),
            Matter::Several(kind, parts) => Part::multipart(*kind, parts.iter().cloned()),
        };
        self.said.iter().fold(part, |part, said| match said {
            Said::ContentId(id) => part.content_id(id.clone()),
            Said::Description(description) => part.description(description.clone()),
            Said::Disposition(disposition) => part.disposition(*disposition),
            Said::FileName(name) => part.file_name(name.clone()),
            Said::MediaType(media_type) => part.media_type(media_type.clone()),
            Said::TransferEncoding(encoding) => part.transfer_encoding(*encoding),
        })
    }
}

impl Refusing for map_part {
    const NAME: &'static str = "part";

    fn refused(&mut self) -> &mut Option<Answer> {
        &mut self.refused
    }
}

/// The part behind a handle, unless something of it was refused.
///
/// # Safety
/// `part` is NULL or a handle that nobody changes meanwhile.
pub(super) unsafe fn whole(part: *const map_part) -> Result<Part, Answer> {
    // SAFETY: as the caller vouches.
    let part = unsafe { pointer::shared(part) }.ok_or_else(|| Answer::missing("part"))?;
    if let Some(refused) = &part.refused {
        return Err(refused.clone());
    }
    let part = part.whole();
    part.check_nesting()?;
    Ok(part)
}

/// A part of a file.
///
/// # Safety
/// `path` is NULL or points to a NUL-terminated string that nobody changes meanwhile.
pub(super) unsafe fn of_file(path: *const c_char) -> Result<Part, Answer> {
    // SAFETY: as the caller vouches.
    let path = unsafe { self::path(path) }?;
    Part::file(path).map_err(|error| Answer::unreadable(&error, "the part"))
}

/// A path as the system takes it: any octets.
///
/// # Safety
/// `string` is NULL or points to a NUL-terminated string that nobody changes while `'a` lasts.
pub(super) unsafe fn path<'a>(string: *const c_char) -> Result<&'a Path, Answer> {
    // SAFETY: as the caller vouches.
    let octets = unsafe { pointer::string(string) }.ok_or_else(|| Answer::missing("path"))?;
    Ok(Path::new(OsStr::from_bytes(octets)))
}
