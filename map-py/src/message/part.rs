//! `Part`.

use super::keywords::parsed;
use super::source::opener;
use super::{Message, chosen, content};
use crate::config::{of_keyword, unless_none, value_error};
use crate::text::text;
use map_core::message::SourceError;
use map_core::message::{Disposition, FileName, Multipart, TransferEncoding};
use pyo3::exceptions::{PyMemoryError, PyOSError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyString, PyTuple};
use std::io;
use std::path::{Path, PathBuf};

/// A part of a message: made by text, html, data, file, reader, message and multipart.
///
/// What can be said of each:
///
/// media_type: what it is, such as "text/calendar; method=REQUEST"; told by the file's name when None.
/// filename: in any language.
/// content_id: by which HTML names it: `<img src="cid:logo@example.com">`. One without @ is taken with a warning.
/// disposition: "inline" or "attachment": how a reader presents it.
/// transfer_encoding: "7bit", "8bit", "binary", "quoted-printable" or "base64"; the best for it when None.
/// description: in words.
///
/// Raises ValueError for what no mail can carry.
#[pyclass(frozen, module = "mapagent")]
pub(crate) struct Part {
    part: map_core::message::Part,
}

const MULTIPARTS: [(&str, Multipart); 5] = [
    ("mixed", Multipart::Mixed),
    ("alternative", Multipart::Alternative),
    ("related", Multipart::Related),
    ("parallel", Multipart::Parallel),
    ("digest", Multipart::Digest),
];

const TRANSFER_ENCODINGS: [(&str, TransferEncoding); 5] = [
    ("7bit", TransferEncoding::SevenBit),
    ("8bit", TransferEncoding::EightBit),
    ("binary", TransferEncoding::Binary),
    ("quoted-printable", TransferEncoding::QuotedPrintable),
    ("base64", TransferEncoding::Base64),
];

const DISPOSITIONS: [(&str, Disposition); 2] = [
    ("inline", Disposition::Inline),
    ("attachment", Disposition::Attachment),
];

#[pymethods]
impl Part {
    /// A plain text.
    #[staticmethod]
    #[pyo3(signature = (text, **keywords), text_signature = "(text, *, media_type=None, filename=None, content_id=None, disposition=None, \
        transfer_encoding=None, description=None)")]
    fn text(text: &Bound<'_, PyAny>, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        Self::described(map_core::message::Part::text(content(text)?), keywords)
    }

    /// A text in HTML.
    #[staticmethod]
    #[pyo3(signature = (html, **keywords), text_signature = "(html, *, media_type=None, filename=None, content_id=None, disposition=None, \
        transfer_encoding=None, description=None)")]
    fn html(html: &Bound<'_, PyAny>, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        Self::described(map_core::message::Part::html(content(html)?), keywords)
    }

    /// Data in memory: bytes, a bytearray.
    #[staticmethod]
    #[pyo3(signature = (data, **keywords), text_signature = "(data, *, media_type=None, filename=None, content_id=None, disposition=None, \
        transfer_encoding=None, description=None)")]
    fn data(data: &Bound<'_, PyAny>, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        Self::described(map_core::message::Part::octets(octets(data)?), keywords)
    }

    /// A file of any size, read while it is sent. It has its name of now, and the media type that the name tells.
    #[staticmethod]
    #[pyo3(signature = (path, **keywords), text_signature = "(path, *, media_type=None, filename=None, content_id=None, disposition=None, \
        transfer_encoding=None, description=None)")]
    fn file(path: PathBuf, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        Self::described(file_part(path)?, keywords)
    }

    /// Data that is made while it is sent: open() gives a binary file, or anything with a read(size) that gives bytes; it is
    /// closed if it has a close(). open() is called each time that the message is read, for each host that is tried, for each
    /// further hundred recipients and for a signature, and gives the same each time. It is called in the thread that waits
    /// for the send, or that calls as_bytes(), write_to() or makes a signature.
    ///
    /// Keep no reference to the message in open: Python could never free the two.
    ///
    /// size: how many bytes, exactly, so that the size of the message is known before it is sent.
    #[staticmethod]
    #[pyo3(signature = (open, size=None, **keywords), text_signature = "(open, size=None, *, media_type=None, filename=None, content_id=None, \
        disposition=None, transfer_encoding=None, description=None)")]
    fn reader(
        open: &Bound<'_, PyAny>,
        size: Option<u64>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        if !open.is_callable() {
            return Err(PyTypeError::new_err(
                "open is to be called, and gives a binary file",
            ));
        }
        Self::described(map_core::message::Part::reader(size, opener(open)), keywords)
    }

    /// A message, to forward it as it is or for a digest.
    #[staticmethod]
    #[pyo3(signature = (message, **keywords), text_signature = "(message, *, content_id=None, disposition=None, description=None)")]
    fn message(message: &Bound<'_, Message>, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let part = map_core::message::Part::message(message.get().message().clone());
        Self::described(part, keywords)
    }

    /// Several parts as one: "mixed", "alternative", "related", "parallel" or "digest". Parts and messages may be nested 50
    /// deep.
    #[staticmethod]
    #[pyo3(signature = (kind, parts, **keywords), text_signature = "(kind, parts, *, content_id=None, disposition=None, description=None)")]
    fn multipart(
        kind: &str,
        parts: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let kind = chosen(kind, "multipart", &MULTIPARTS)?;
        let mut inner = Vec::new();
        for part in parts.try_iter()? {
            inner.push(part?.cast::<Self>()?.get().part.clone());
        }
        Self::described(map_core::message::Part::multipart(kind, inner), keywords)
    }

    #[expect(clippy::unused_self, reason = "Python calls it on an instance")]
    fn __reduce__(&self) -> PyResult<Py<PyAny>> {
        Err(PyTypeError::new_err("a Part cannot be pickled"))
    }
}

impl Part {
    /// The core's part.
    pub(super) fn part(&self) -> &map_core::message::Part {
        &self.part
    }

    fn described(part: map_core::message::Part, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        part.check_nesting()
            .map_err(|error| value_error(error.to_string()))?;
        let mut part = part;
        for (name, value) in keywords.into_iter().flatten() {
            let name: String = name.extract()?;
            if let Some(value) = unless_none(&value) {
                part = describe(part, &name, value).map_err(|error| of_keyword(value.py(), &name, error))?;
            }
        }
        Ok(Self { part })
    }
}

/// Says of it what one keyword says.
fn describe(
    part: map_core::message::Part,
    name: &str,
    value: &Bound<'_, PyAny>,
) -> PyResult<map_core::message::Part> {
    let said = text(value)?;
    Ok(match name {
        "content_id" => part.content_id(parsed(said, name)?),
        "description" => part.description(parsed(said, name)?),
        "disposition" => part.disposition(chosen(said, name, &DISPOSITIONS)?),
        "filename" => part.file_name(parsed(said, name)?),
        "media_type" => part.media_type(parsed(said, name)?),
        "transfer_encoding" => part.transfer_encoding(chosen(said, name, &TRANSFER_ENCODINGS)?),
        _ => return Err(PyTypeError::new_err("there is no such keyword")),
    })
}

/// What stands in `attachments`: a part, a path, or a name with data.
pub(super) fn attachment(value: &Bound<'_, PyAny>) -> PyResult<map_core::message::Part> {
    if let Ok(part) = value.cast::<Part>() {
        return Ok(part.get().part.clone());
    }
    if let Ok(pair) = value.cast::<PyTuple>() {
        let (name, data): (Bound<'_, PyString>, Bound<'_, PyAny>) = pair.extract()?;
        let name: FileName = parsed(text(name.as_any())?, "filename")?;
        return Ok(map_core::message::Part::octets(octets(&data)?).file_name(name));
    }
    if value.is_instance_of::<PyBytes>() || value.is_instance_of::<PyByteArray>() {
        return Err(value_error(
            "attached data needs a name: a pair of a file's name and its bytes, or a Part",
        ));
    }
    let path: PathBuf = value.extract()?;
    file_part(path)
}

/// A part of a file whose name was just given.
fn file_part(path: PathBuf) -> PyResult<map_core::message::Part> {
    let part = map_core::message::Part::file(&path);
    part.map_err(move |error| os_error(&error, Some(&path)))
}

/// The exception of a file that cannot be read: with its number, so that Python makes a `FileNotFoundError` of it or what
/// else it is, and with its name; that which the program gave, where it has just given it.
pub(super) fn os_error(error: &io::Error, given: Option<&Path>) -> PyErr {
    let named = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<SourceError>());
    match named {
        Some(SourceError::File {
            path,
            number: Some(number),
            reason,
        }) => of_file(*number, reason, given.unwrap_or(path)),
        Some(SourceError::NotAFile(path)) if path.is_dir() => {
            of_file(IS_A_DIRECTORY, "Is a directory", given.unwrap_or(path))
        }
        _ => PyOSError::new_err(error.to_string()),
    }
}

/// What `OSError` makes of a number, the words for it, and the name of a file.
pub(crate) fn of_file(number: i32, reason: &str, path: &Path) -> PyErr {
    // The standard library's own have the words without the number.
    let reason = reason.split(" (os error ").next().unwrap_or(reason);
    PyOSError::new_err((number, reason.to_owned(), path.as_os_str().to_owned()))
}

/// `EISDIR`, on all systems that Python runs on.
const IS_A_DIRECTORY: i32 = 21;

/// The bytes of a bytearray, by Python's own copy, which raises `MemoryError` where there is no memory for it.
pub(super) fn fixed<'py>(octets: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    octets.py().get_type::<PyBytes>().call1((octets,))
}

/// A copy of octets of any length.
///
/// # Errors
/// `MemoryError`, where the default of Rust would end the program.
pub(super) fn copied(octets: &[u8]) -> PyResult<Vec<u8>> {
    let mut copy = Vec::new();
    add(&mut copy, octets)?;
    Ok(copy)
}

/// Adds octets to others, as [`copied`] does.
pub(super) fn add(all: &mut Vec<u8>, octets: &[u8]) -> PyResult<()> {
    all.try_reserve(octets.len())
        .map_err(|_| PyMemoryError::new_err(format!("there is no memory for {} bytes more", octets.len())))?;
    all.extend_from_slice(octets);
    Ok(())
}

fn octets(data: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(octets) = data.cast::<PyBytes>() {
        return copied(octets.as_bytes());
    }
    if data.is_instance_of::<PyByteArray>() {
        return octets(&fixed(data)?);
    }
    Err(PyTypeError::new_err(format!(
        "data is bytes, not {}",
        data.get_type().name()?
    )))
}
