//! `Message`.

mod keywords;
mod part;
mod progress;
mod source;
mod writer;

pub(crate) use part::{Part, of_file};
pub(crate) use progress::{Progress, wait};
pub(crate) use source::{Attendance, not_inside_a_callable};
pub(crate) use writer::{HeaderWriter, parse_addresses, seven_bit};

use crate::config::{of_keyword, value_error};
use crate::text::octets as octets_of;
use keywords::{Wish, builder, raw, words};
use map_core::dkim::DkimError;
use map_core::message::{BodyType, RawError, TextError};
use map_core::text::quoted;
use part::{add, copied, fixed, os_error};
use pyo3::exceptions::{PyMemoryError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyString, PyTuple};
use source::directly;
use std::io::Read;
use std::path::PathBuf;

/// A message: from whom, to whom, about what, with texts, pictures and files.
///
/// Addresses are what a person writes, any number in one str: "Anna <anna@example.com>, bob@example.com"; or a sequence of
/// them, or of Mailbox or email.headerregistry.Address. Texts may be in any language.
///
/// from_, to, cc, reply_to: the fields of these names.
/// bcc: who gets a copy without being named in the message.
/// sender: who sends it for several in from_.
/// envelope_from: whom mail hosts tell when they cannot deliver it; the sender when None.
/// subject: one line.
/// date: a datetime; now when None.
/// message_id: made when None.
/// in_reply_to, references: the Message-IDs of what it answers and of its thread, a str or a sequence. Those that other
///     programs have made travel as they are.
/// comments, keywords: a str or a sequence.
/// headers: fields of your own, a mapping or pairs. ASCII is not encoded, only folded at blanks.
/// resent: sends it once more in somebody's name: mappings with "from", "to", "cc", "bcc" and "sender", the oldest first.
///
/// text, html: the text, and the same in HTML.
/// inline: what the HTML shows: Parts with a content_id.
/// attachments: Parts, paths of files, or pairs of a file's name and its bytes.
/// body: a Part in place of text and html.
/// body_type: "8bit" or "binary" lets bodies go as they are to hosts that take it; "7bit" else.
///
/// null_reverse_path: sends it from nobody, as notifications are sent.
/// notify: asks hosts for notifications: "NEVER", or one to three of "SUCCESS,FAILURE,DELAY".
/// ret: how much these bring back: "full" or "headers".
/// envelope_id: names the message for them.
/// original_recipients: which address was written for a recipient: {"bob@example.com": "rfc822;list@example.com"}.
/// require_tls: demands verified TLS on the whole way (REQUIRETLS).
/// sign: a DkimSigner, or several.
///
/// Raises ValueError for what no mail can carry and for what does not fit together, and OSError for a file that cannot be
/// looked at. Files are read while the message is sent.
#[pyclass(frozen, module = "mapagent")]
pub(crate) struct Message {
    message: map_core::message::Message,
}

/// The sender and the recipients of a message of Python's email package.
type Envelope<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// Every body type with its word.
const BODY_TYPES: [(&str, BodyType); 3] = [
    ("7bit", BodyType::SevenBit),
    ("8bit", BodyType::EightBit),
    ("binary", BodyType::Binary),
];

#[pymethods]
impl Message {
    #[new]
    #[pyo3(signature = (**keywords), text_signature = "(*, from_=None, to=None, cc=None, bcc=None, reply_to=None, sender=None, \
        envelope_from=None, subject=None, date=None, message_id=None, in_reply_to=None, references=None, comments=None, \
        keywords=None, headers=None, resent=None, text=None, html=None, inline=None, attachments=None, body=None, \
        body_type='7bit', null_reverse_path=False, notify=None, ret=None, envelope_id=None, original_recipients=None, \
        require_tls=False, sign=None)")]
    fn new(py: Python<'_>, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let mut wishes = Vec::new();
        let builder = builder(keywords, &mut wishes)?;
        let message = py.detach(|| builder.build()).map_err(value_error)?;
        Self::wishing(py, message, &wishes)
    }

    /// Takes a message that is octets already, a signed one for example: bytes, or the path of a file. It travels
    /// unchanged; what no host can carry raises ValueError.
    ///
    /// from_, to: the envelope; what its header says when None.
    /// blind_copies: what becomes of a Bcc in its header: "refuse" raises, "remove" takes it out, "keep" shows it to all.
    /// unix_line_ends: takes a line feed alone for a line end.
    /// strict: raises for what would else be a warning.
    ///
    /// The others are those of Message.
    #[staticmethod]
    #[pyo3(name = "raw", signature = (content, **keywords), text_signature = "(content, *, from_=None, to=None, blind_copies='refuse', \
        unix_line_ends=False, strict=False, resent=None, null_reverse_path=False, notify=None, ret=None, envelope_id=None, \
        original_recipients=None, require_tls=False, sign=None)")]
    fn of_octets(
        py: Python<'_>,
        content: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let raw = if let Ok(octets) = content.cast::<PyBytes>() {
            map_core::message::Raw::octets(copied(octets.as_bytes())?)
        } else if content.is_instance_of::<PyByteArray>() {
            return Self::of_octets(py, &fixed(content)?, keywords);
        } else {
            let path: PathBuf = content.extract()?;
            map_core::message::Raw::file(&path).map_err(|error| os_error(&error, Some(&path)))?
        };
        let mut wishes = Vec::new();
        let raw = self::raw(raw, keywords, &mut wishes)?;
        let message = py.detach(|| raw.build()).map_err(|error| match error {
            RawError::Read(error) => os_error(&error, None),
            error => value_error(error),
        })?;
        Self::wishing(py, message, &wishes)
    }

    /// Takes a message of Python's email package, which stays as it was. It goes to whom smtplib's send_message would send it;
    /// who is in its Bcc gets it and is not named. Its bodies become 7 bit, and it gets a Date and a Message-ID if it has none,
    /// unless it is signed.
    ///
    /// The keywords are those of raw, without unix_line_ends.
    #[staticmethod]
    #[pyo3(signature = (message, **keywords), text_signature = "(message, *, from_=None, to=None, blind_copies='remove', strict=False, \
        resent=None, null_reverse_path=False, notify=None, ret=None, envelope_id=None, original_recipients=None, \
        require_tls=False, sign=None)")]
    pub(crate) fn from_email(
        py: Python<'_>,
        message: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        static TAKEN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let given = match keywords {
            Some(keywords) => keywords.copy()?,
            None => PyDict::new(py),
        };
        // Python has made the line ends.
        if given.contains("unix_line_ends")? {
            let error = PyTypeError::new_err("there is no such keyword");
            return Err(of_keyword(py, "unix_line_ends", error));
        }
        let mut addressed = false;
        for keyword in ["from_", "to", "resent"] {
            addressed |= given.get_item(keyword)?.is_some_and(|value| !value.is_none());
        }
        let taken = TAKEN.import(py, "mapagent._email", "taken")?;
        let (octets, envelope): (Bound<'_, PyAny>, Option<Envelope<'_>>) = taken
            .call1((message, addressed, given.get_item("from_")?))?
            .extract()?;
        if let Some((from, to)) = envelope {
            given.set_item("from_", from)?;
            given.set_item("to", to)?;
        }
        if !given.contains("blind_copies")? {
            given.set_item("blind_copies", "remove")?;
        }
        Self::of_octets(py, &octets, Some(&given))
    }

    /// The same message for some of its recipients, as bytes and Message-ID go, so that those who do not have it can get it
    /// and nobody gets it twice: [one.recipient for one in report.recipients if one.transient].
    ///
    /// ValueError for one who is no recipient of it, and for none at all.
    fn for_recipients(&self, py: Python<'_>, recipients: &Bound<'_, PyAny>) -> PyResult<Self> {
        let named = keywords::addresses(recipients).map_err(|error| of_keyword(py, "recipients", error))?;
        let message = self
            .message
            .for_recipients(named.mailboxes())
            .map_err(value_error)?;
        Ok(Self { message })
    }

    /// The message as Python's email package reads it.
    fn to_email<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static OF_OCTETS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let octets = self.as_bytes(py)?;
        OF_OCTETS
            .import(py, "mapagent._email", "of_octets")?
            .call1((octets,))
    }

    /// Its octets, lines ended by CRLF: what a host gets that offers all it needs.
    fn as_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut octets = Vec::new();
        self.read(py, |block| add(&mut octets, block))?;
        // Python's own allocation raises MemoryError; `PyBytes::new` would panic.
        PyBytes::new_with(py, octets.len(), |place| {
            place.copy_from_slice(&octets);
            Ok(())
        })
    }

    /// Writes its octets to a binary file, a block at a time.
    fn write_to(&self, py: Python<'_>, file: &Bound<'_, PyAny>) -> PyResult<()> {
        self.read(py, |block| {
            file.call_method1("write", (PyBytes::new(py, block),))?;
            Ok(())
        })
    }

    /// The sender in the envelope; None for a message from nobody.
    #[getter]
    pub(crate) fn envelope_from(&self) -> Option<String> {
        match self.message.reverse_path() {
            map_core::address::ReversePath::Mailbox(mailbox) => Some(mailbox.to_string()),
            map_core::address::ReversePath::Null => None,
        }
    }

    /// The recipients in the envelope, each once, in the order given.
    #[getter]
    fn recipients<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.message.recipients().iter().map(ToString::to_string))
    }

    /// The Message-ID without its angle brackets; None for a raw message that has none.
    #[getter]
    fn message_id(&self) -> Option<&str> {
        Some(self.message.message_id()).filter(|id| !id.is_empty())
    }

    /// How many octets it has as it is sent; None if that cannot be told before.
    #[getter]
    fn size(&self, py: Python<'_>) -> Option<u64> {
        py.detach(|| directly(|| self.message.size()))
    }

    /// What a host must offer for it as it is: "7bit", "8bit" (8BITMIME) or "binary" (BINARYMIME and CHUNKING).
    #[getter]
    fn body_type(&self) -> &'static str {
        let needs = self.message.needs().body_type;
        let known = BODY_TYPES.iter().find(|(_, body_type)| *body_type == needs);
        known.map_or("binary", |(word, _)| word)
    }

    /// Whether a host must offer SMTPUTF8.
    #[getter]
    fn needs_smtputf8(&self) -> bool {
        self.message.needs().smtputf8
    }

    /// What is odd about it and yet no reason not to send it.
    #[getter]
    fn warnings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.message.warnings().iter().map(ToString::to_string))
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.as_bytes(py)
    }

    fn __repr__(&self) -> String {
        format!(
            "<mapagent.Message <{}> to {}>",
            self.message.message_id(),
            self.message.recipients().len()
        )
    }

    #[expect(clippy::unused_self, reason = "Python calls it on an instance")]
    fn __reduce__(&self) -> PyResult<Py<PyAny>> {
        Err(PyTypeError::new_err(
            "a Message cannot be pickled: pass on what its as_bytes() gives",
        ))
    }
}

impl Message {
    /// The core's message.
    pub(crate) fn message(&self) -> &map_core::message::Message {
        &self.message
    }

    /// Starts its delivery. What has to be looked through for it is read here, in a thread of Python.
    pub(crate) fn submit(&self, agent: &map_core::Agent, attendance: &Attendance) -> map_core::Job {
        directly(|| agent.submit_message(attendance.at_desk(&self.message)))
    }

    fn wishing(py: Python<'_>, message: map_core::message::Message, wishes: &[Wish]) -> PyResult<Self> {
        if wishes.is_empty() {
            return Ok(Self { message });
        }
        let attendance = Attendance::new();
        let mut granted = Ok(attendance.at_desk(&message));
        for wish in wishes {
            // A signature reads the whole message.
            granted = granted.and_then(|message| py.detach(|| directly(|| wish.grant(message))));
        }
        // What was raised is the reason of an error.
        attendance.leave(py)?;
        let message = granted.map_err(|error| match error {
            DkimError::Read(error) => os_error(&error, None),
            error => value_error(error),
        })?;
        Ok(Self { message })
    }

    fn read(&self, py: Python<'_>, mut take: impl FnMut(&[u8]) -> PyResult<()>) -> PyResult<()> {
        let attendance = Attendance::new();
        let failed = |error: std::io::Error| {
            attendance
                .raised()
                .err()
                .unwrap_or_else(|| os_error(&error, None))
        };
        let message = attendance.at_desk(&self.message);
        let mut reader = py.detach(|| directly(|| message.open())).map_err(failed)?;
        let mut block = vec![0; 64 * 1024];
        loop {
            let read = py.detach(|| directly(|| reader.read(&mut block)));
            match read {
                Ok(0) => return attendance.leave(py),
                Ok(read) => take(block.get(..read).unwrap_or_default())?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }
}

/// A text of a message: what no mail can carry is a `ValueError` here.
fn content(value: &Bound<'_, PyAny>) -> PyResult<map_core::message::Content> {
    let text = value.cast::<PyString>()?;
    map_core::message::Content::parse(&octets_of(text)?).map_err(|error| match error {
        TextError::NoMemory(_) => PyMemoryError::new_err(error.to_string()),
        error => value_error(error),
    })
}

/// What a word stands for.
fn chosen<T: Copy>(word: &str, what: &str, all: &[(&str, T)]) -> PyResult<T> {
    all.iter()
        .find(|(known, _)| *known == word)
        .map(|(_, meant)| *meant)
        .ok_or_else(|| {
            let known: Vec<_> = all.iter().map(|(known, _)| *known).collect();
            value_error(format_args!(
                "there is no {what} {}; there are {}",
                quoted(word),
                words(&known)
            ))
        })
}
