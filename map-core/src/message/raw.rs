//! Messages that are RFC 5322 already: signed ones, ones made elsewhere, ones from a file.

mod fields;
mod scan;
mod source;

use self::fields::Fields;
use self::scan::{Scan, Scanned};
use self::source::{RawContent, RawSource};
use super::encode::TransferEncoding;
use super::needs::{Demands, LineTrouble, Reason, Warning};
use super::origin::{Open, Origin};
use super::resent::unique;
use super::sign::domains;
use super::{AddressListError, BuildError, Form, Message, Resent};
use crate::address::Mailbox;
use crate::envelope::BodyType;
use crate::text::named;
use bytes::Bytes;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// A message that travels unchanged, octet by octet, so that a signature on it stays good.
///
/// [`build`](Self::build) looks it through once, from its beginning to its end, in constant memory. What no host could
/// carry is an error that names the line; what some hosts carry is a [need](Message::needs) with its reason:
///
/// | in the message | needs |
/// | --- | --- |
/// | ASCII in lines of at most 998 octets that end in CRLF | nothing |
/// | octets beyond ASCII in the body | 8BITMIME |
/// | a longer line, NUL, a CR or LF alone in the body | BINARYMIME and CHUNKING |
/// | a header field in UTF-8 | SMTPUTF8 |
/// | any of it in the header but UTF-8; a line of the header that is no field | nothing helps |
///
/// The one thing that is added is a line end after a last line that has none; a [warning](Message::warnings) says so.
///
/// # Example
/// ```
/// use map_core::message::{BodyType, Needs, Raw};
/// use std::io::Read;
///
/// let octets = "From: Anna <anna@example.com>\r\nTo: bob@example.net\r\nDate: Sun, 22 Nov 2026 01:40:00 +0100\r\n\
///               Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n";
/// let message = Raw::octets(octets).build()?;
/// assert_eq!(message.from().to_smtp(), "anna@example.com");
/// assert_eq!(message.needs(), Needs { body_type: BodyType::EightBit, smtputf8: false });
///
/// let mut sent = String::new();
/// message.open()?.read_to_string(&mut sent)?;
/// assert_eq!(sent, octets);
///
/// let unmet = message.for_host(Needs::default()).unwrap_err();
/// assert_eq!(
///     unmet.to_string(),
///     "the host does not offer 8BITMIME, which is needed for an octet beyond ASCII in line 7"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Raw {
    content: RawContent,
    envelope: Option<(Mailbox, Vec<Mailbox>)>,
    blind_copies: BlindCopies,
    /// The oldest first.
    resent: Vec<Resent>,
    strict: bool,
}

/// What becomes of a `Bcc` in the header of a message that is given as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlindCopies {
    /// It stays, and every recipient sees whom else the message went to.
    Keep,
    /// It is an error: the caller is to say what he wants.
    #[default]
    Refuse,
    /// It is taken out, and nothing else is changed. Its mailboxes are recipients all the same.
    Remove,
}

/// Why octets are no message that can be sent. Lines count from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RawError {
    /// A field of addresses cannot be read. Give the envelope, and it need not be.
    #[error("the header field {} in line {line}: {error}", named(.name))]
    Addresses {
        /// The field.
        name: String,
        /// Its line.
        line: u64,
        /// What is wrong in it.
        error: AddressListError,
    },
    /// There is a `Bcc`, which everybody would see: see [`BlindCopies`].
    #[error("the message has a header field {}, which every recipient would see; it can be removed or kept", named(.0))]
    BlindCopies(String),
    /// A warning, where there are to be none.
    #[error("{0}")]
    Defect(Warning),
    /// A line of the header that no host can carry. Lines that end in LF alone are those of a file of Unix: see
    /// [`Raw::unix_line_ends`].
    #[error(
        "{trouble} in line {line}, which is in the header, where no host can take it{}",
        .trouble.remedy()
    )]
    HeaderLine {
        /// Which.
        line: u64,
        /// What it is about it.
        trouble: LineTrouble,
    },
    /// More than 1 MiB without the empty line that ends a header.
    #[error("the header has more than 1,048,576 octets")]
    HeaderTooLong,
    /// A line of a mailbox file, which is no header field. Leave it away.
    #[error("the message begins with a line \"From \" of a mailbox file")]
    Mbox,
    /// Nobody in `From`. Give the envelope, or the field.
    #[error("there is no address in the header field {0}")]
    NoFrom(&'static str),
    /// Nothing, or an empty line first.
    #[error("there is no header")]
    NoHeader,
    /// Nobody in `To`, `Cc` and `Bcc`. Give the envelope, or the fields.
    #[error("there is no recipient")]
    NoRecipient,
    /// Several in `From`, and no `Sender`. Give the envelope, or the field.
    #[error(
        "there are several addresses in the header field {0}, and the one who sends the message is not named"
    )]
    NoSender(&'static str),
    /// A line of the header that is neither a field nor goes on with one.
    #[error("line {line} is no header field")]
    NotAField {
        /// Which.
        line: u64,
    },
    /// A field in another character set than UTF-8, which nothing allows.
    #[error("the header field {} in line {line} is not UTF-8", named(.name))]
    NotUtf8 {
        /// The field.
        name: String,
        /// The line.
        line: u64,
    },
    /// It could not be read.
    #[error("the message cannot be read: {0}")]
    Read(#[from] io::Error),
    /// A [`Resent`] set is wrong in itself.
    #[error("resending the message: {0}")]
    Resent(BuildError),
    /// It has been resent more than once, and which of the sets is the last cannot be told for sure. Give the envelope.
    #[error("the message has several sets of Resent- fields, and whom to send it to must be said")]
    SeveralResent,
}

impl Raw {
    fn new(origin: Origin) -> Self {
        Self {
            content: RawContent {
                origin,
                unix_line_ends: false,
            },
            envelope: None,
            blind_copies: BlindCopies::default(),
            resent: Vec::new(),
            strict: false,
        }
    }

    /// A message in memory. A `Vec<u8>` is taken over, not copied.
    pub fn octets(octets: impl Into<Bytes>) -> Self {
        Self::new(Origin::Memory(octets.into()))
    }

    /// A message in a file, opened for each host that is tried and read while it is sent. A file that has become another
    /// length by then fails the delivery: see [`SourceError`](super::SourceError).
    ///
    /// # Errors
    /// What looking the file up gives: it does not exist, or is not a regular file.
    pub fn file(path: impl AsRef<Path>) -> io::Result<Self> {
        Origin::file(path.as_ref()).map(Self::new)
    }

    /// A message of whatever can be read. `open` is called once to look it through and each time that it is sent, as with
    /// [`Part::reader`](super::Part::reader), and gives the same octets each time.
    pub fn reader(open: impl Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'static) -> Self {
        let open: Open = Arc::new(open);
        Self::new(Origin::Reader { open, octets: None })
    }

    /// Whom it is from and to in the envelope, whatever its header says.
    ///
    /// Without this the header says it: `Sender` or the only one in `From`, and all in `To`, `Cc` and `Bcc`; of a message
    /// that was resent, the `Resent-…` fields of the same names.
    pub fn envelope(mut self, from: Mailbox, to: impl IntoIterator<Item = Mailbox>) -> Self {
        self.envelope = Some((from, unique(to)));
        self
    }

    /// What becomes of a `Bcc` in its header; an error unless this is called.
    pub fn blind_copies(mut self, blind_copies: BlindCopies) -> Self {
        self.blind_copies = blind_copies;
        self
    }

    /// Sends it once more in somebody's name: the set stands before its header, and says who gets it. Called again, it
    /// goes on from there.
    pub fn resent(mut self, resent: Resent) -> Self {
        self.resent.push(resent);
        self
    }

    /// Takes an LF alone for a line end, and sends it as CRLF: for a file that was written on Unix. Signatures by S/MIME,
    /// PGP and DKIM are made over CRLF, and stay good.
    pub fn unix_line_ends(mut self) -> Self {
        self.content.unix_line_ends = true;
        self
    }

    /// Takes what would be a warning for an error.
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Looks it through.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn build(self) -> Result<Message, RawError> {
        let Scanned {
            header,
            octets,
            ended,
            body,
        } = self.scan()?;
        let fields = Fields::parse(&header)?;
        let mut warnings = fields.warnings();
        // What goes by BDAT needs no line to end in.
        let end_line = !ended
            && body
                .as_ref()
                .is_none_or(|(body_type, _)| *body_type < BodyType::Binary);
        if end_line {
            warnings.push(Warning::NoLineEnd);
        }
        if let Some(warning) = warnings.first().filter(|_| self.strict) {
            return Err(RawError::Defect(warning.clone()));
        }
        let blind_copies: Vec<_> = fields.blind_copies().collect();
        if let (Some(field), BlindCopies::Refuse) = (blind_copies.first(), self.blind_copies) {
            return Err(RawError::BlindCopies(field.name.to_owned()));
        }

        let mut ahead = Vec::new();
        for resent in self.resent.iter().rev() {
            resent.envelope().map_err(RawError::Resent)?;
            resent.write(&mut ahead);
        }
        let (from, to) = match (&self.envelope, self.resent.last()) {
            (Some(envelope), _) => envelope.clone(),
            (None, Some(resent)) => resent.envelope().map_err(RawError::Resent)?,
            (None, None) => fields.envelope()?,
        };
        if to.is_empty() {
            return Err(RawError::NoRecipient);
        }
        let mut skipped = 0;
        if self.blind_copies == BlindCopies::Remove && !blind_copies.is_empty() {
            skipped = header.len() as u64;
            let mut places: Vec<_> = blind_copies.iter().map(|field| field.place.clone()).collect();
            places.sort_by_key(|place| place.start);
            let mut kept = 0;
            for place in places {
                ahead.extend_from_slice(header.get(kept..place.start).unwrap_or_default());
                kept = place.end;
            }
            ahead.extend_from_slice(header.get(kept..).unwrap_or_default());
        }
        // A recipient that the header does not show needs it of its own host only.
        let needs_utf8 = std::iter::once(&from)
            .chain(self.resent.iter().flat_map(Resent::addresses))
            .find(|mailbox| mailbox.needs_smtputf8())
            .map(|mailbox| Reason::Address(mailbox.to_string().into()));
        let demands = Demands {
            smtputf8: fields.beyond_ascii().or(needs_utf8),
            body,
        };
        let id = fields.message_id().unwrap_or_default().into();
        Ok(Message {
            from,
            to: to.into(),
            id,
            author_domains: domains(&fields.authors()),
            form: Arc::new(Form {
                header: ahead.into(),
                body: Arc::new(RawSource {
                    octets,
                    skipped,
                    lines: lines(&demands),
                    end_line,
                    content: self.content,
                }),
                demands,
            }),
            lesser: Arc::default(),
            warnings: warnings.into(),
            wishes: Arc::default(),
            depth: 0,
        })
    }

    fn scan(&self) -> Result<Scanned, RawError> {
        let mut reader = self.content.open()?;
        let mut scan = Scan::default();
        let mut block = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut block) {
                Ok(0) => return scan.end(),
                Ok(read) => scan.look(block.get(..read).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What its lines are known to be.
fn lines(demands: &Demands) -> TransferEncoding {
    match demands.body_type() {
        BodyType::Binary => TransferEncoding::Binary,
        BodyType::SevenBit if demands.smtputf8.is_none() => TransferEncoding::SevenBit,
        BodyType::EightBit | BodyType::SevenBit => TransferEncoding::EightBit,
    }
}

#[cfg(test)]
mod tests;
