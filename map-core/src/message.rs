//! Messages: what is to be sent, as RFC 5322 and MIME have it.
//!
//! A [`Message`] has an envelope and a content. It is composed once and opened each time that it is sent. Its
//! header is a short block of octets; its body is a [`Source`], which encodes on the way out, so that neither a text
//! nor a file nor its encoded form is ever held whole. [`Message::text`] makes the one of `map_send`; a [`Builder`]
//! makes all others.
//!
//! # A first message
//!
//! Every piece has a type of its own and is parsed from text: an [`AddressList`] from what a person writes after
//! `To:`, a [`Subject`], a [`Content`]. What is wrong with a piece is said there, by its own error. Names, subjects and
//! texts may be in any language.
//!
//! ```
//! use map_core::message::{AddressList, Builder};
//!
//! let team: AddressList = "Bob Bee <bob@example.net>, \"Doe, Carol\" <carol@example.net>".parse()?;
//! let message = Builder::new()
//!     .from("Анна <anna@example.com>".parse::<AddressList>()?)
//!     .to(team)
//!     .bcc("archive@example.com".parse::<AddressList>()?)
//!     .subject("Grüße aus Köln".parse()?)
//!     .text("Schön war's.\n".parse()?)
//!     .build()?;
//!
//! // The envelope has everybody, and each once; the message does not name those in Bcc.
//! assert_eq!(message.recipients().len(), 3);
//! let mut octets = String::new();
//! std::io::Read::read_to_string(&mut message.open()?, &mut octets)?;
//! assert!(octets.contains("\r\nTo: Bob Bee <bob@example.net>, \"Doe, Carol\" <carol@example.net>\r\n"));
//! assert!(!octets.contains("archive@example.com"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # HTML, pictures and files
//!
//! A text and its HTML form become two alternatives, of which a reader shows the one it can. What the HTML shows is
//! given with [`Builder::inline`] and has the identifier that the HTML names; all else is attached. A [`Part`] is data
//! in memory, a file, or whatever can be read; a file is read while it is sent, a block at a time.
//!
//! ```
//! use map_core::message::{AddressList, Builder, Part};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("Отчёт.pdf");
//! # std::fs::write(&path, "%PDF")?;
//! let message = Builder::new()
//!     .from("anna@example.com".parse::<AddressList>()?)
//!     .to("bob@example.net".parse::<AddressList>()?)
//!     .subject("The report".parse()?)
//!     .text("Please find it attached.".parse()?)
//!     .html("<p>Please find it attached.</p><img src=\"cid:logo@example.com\">".parse()?)
//!     .inline(
//!         Part::octets(&b"\x89PNG..."[..])
//!             .file_name("logo.png".parse()?)
//!             .content_id("logo@example.com".parse()?),
//!     )
//!     .attach(Part::file(&path)?)
//!     .build()?;
//!
//! // The size is known before anything is sent.
//! assert_eq!(message.size(), Some(std::io::copy(&mut message.open()?, &mut std::io::sink())?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Answers, threads, lists
//!
//! ```
//! use map_core::message::{AddressList, Builder, Field, ReferenceId};
//!
//! let question: ReferenceId = "<question.1@example.net>".parse()?;
//! let message = Builder::new()
//!     .from("anna@example.com".parse::<AddressList>()?)
//!     .to("bob@example.net".parse::<AddressList>()?)
//!     .subject("Re: How are you?".parse()?)
//!     .in_reply_to([question.clone()])
//!     .references([question])
//!     .field(Field::new("Auto-Submitted", "auto-replied")?)
//!     .text("I am away until Monday.".parse()?)
//!     .build()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A structure of one's own
//!
//! [`Part::multipart`] and [`Part::message`] nest to any structure, which [`Builder::body`] takes: here three messages
//! as a digest.
//!
//! ```
//! use map_core::message::{AddressList, Builder, Message, Multipart, Part};
//!
//! let note = |text: &str| -> Result<Message, Box<dyn std::error::Error>> {
//!     let builder = Builder::new().from("anna@example.com".parse::<AddressList>()?);
//!     Ok(builder.to("list@example.net".parse::<AddressList>()?).text(text.parse()?).build()?)
//! };
//! let digest = [note("one")?, note("two")?, note("three")?].map(Part::message);
//! let message = Builder::new()
//!     .from("list@example.net".parse::<AddressList>()?)
//!     .to("bob@example.net".parse::<AddressList>()?)
//!     .body(Part::multipart(Multipart::Digest, digest))
//!     .build()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Messages that are ready
//!
//! What has been signed, or written by another program, is a [`Raw`] message: it is looked through once and travels
//! unchanged.
//!
//! ```
//! use map_core::message::Raw;
//!
//! let signed = "From: anna@example.com\r\nTo: bob@example.net\r\nDate: Sun, 22 Nov 2026 01:40:00 +0100\r\n\r\nHi\r\n";
//! let message = Raw::octets(signed).build()?;
//! assert_eq!(message.recipients()[0].to_string(), "bob@example.net");
//! # Ok::<(), map_core::message::RawError>(())
//! ```
//!
//! # Signatures and notifications
//!
//! A finished message can be [signed by DKIM](Message::sign), may [ask for notifications](Message::notify) of what became
//! of it, and can [demand TLS](Message::require_tls) on its whole way.
//!
//! # What a host must offer
//!
//! Left to itself a message has 7-bit lines, which every host takes. Who asks for 8-bit or binary bodies
//! ([`Builder::body_type`], [`Part::transfer_encoding`]) gets a message that says what it [needs](Message::needs), and
//! for any other host [the encoded form of the same](Message::for_host). An address with a local part beyond ASCII
//! needs SMTPUTF8, and there is no other form.

mod address_list;
mod builder;
mod charset;
mod date;
mod encode;
mod encoded_word;
mod envelope;
mod error;
mod field;
mod file_name;
mod header;
mod header_writer;
mod media_type;
mod message_id;
mod multipart;
mod needs;
mod open_hook;
mod origin;
mod own_field;
mod parameter;
mod part;
mod random;
mod raw;
mod reference;
mod resent;
mod sign;
mod unstructured;
mod zone;

pub use address_list::{Address, AddressList, AddressListError, DisplayName, Enclosure, Entry, Group};
pub use builder::Builder;
pub use date::{DateError, OriginationDate};
pub use encode::{BodyKind, TransferEncoding, Unfit, seven_bit};
pub use envelope::RecipientsError;
pub use error::{BuildError, MAX_NESTING};
pub use field::{Field, FieldError};
pub use file_name::FileName;
pub use header_writer::{HeaderWriter, HeaderWriterError};
pub use media_type::{MediaType, MediaTypeError};
pub use message_id::{MessageId, MessageIdError};
pub use multipart::Multipart;
pub(crate) use needs::SMTPUTF8;
pub use needs::{LineTrouble, Reason, Unmet, Warning};
pub use origin::SourceError;
pub use part::{Disposition, Part};
pub use raw::{BlindCopies, Raw, RawError};
pub use reference::{ContentId, ReferenceId, ReferenceIdError};
pub use resent::Resent;

pub use crate::content::{Content, Subject, TextError};
pub use crate::envelope::{BodyType, Needs};

use crate::address::{Domain, Mailbox};
use crate::envelope::BodyForm;
use encode::TextBody;
use envelope::Wishes;
use needs::Demands;
use std::io::{self, Cursor, Read};
use std::sync::Arc;

/// A message with its envelope, ready to be opened each time that it is sent. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Message {
    from: Mailbox,
    to: Arc<[Mailbox]>,
    id: Arc<str>,
    /// Of those who have written it.
    author_domains: Arc<[Domain]>,
    form: Arc<Form>,
    /// The same for hosts that offer less, the most demanding first.
    lesser: Arc<[Arc<Form>]>,
    warnings: Arc<[Warning]>,
    wishes: Arc<Wishes>,
    /// How many parts and messages are nested in it.
    depth: usize,
}

/// The octets of a message for one kind of host.
#[derive(Debug)]
struct Form {
    /// The header section with the empty line after it.
    header: Arc<[u8]>,
    body: Arc<dyn Source>,
    demands: Demands,
}

/// What the caller may fix instead of leaving it to us, so that a message sent again can be recognised.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The `Date:` field; now, in the local zone, when absent.
    pub date: Option<OriginationDate>,
    /// The `Message-ID:`; made when absent.
    pub message_id: Option<MessageId>,
}

/// A body that can be opened more than once, because another host may offer less than the first.
///
/// What is read is already encoded: every line ended by CRLF, and no CR or LF elsewhere.
pub trait Source: Send + Sync + std::fmt::Debug {
    /// Opens it from its beginning.
    ///
    /// # Errors
    /// What opening a file gives.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;
    /// Its length in octets as it is read, when it can be known without opening a file or asking a reader.
    fn octets(&self) -> Option<u64>;

    /// True when nothing that is read of it comes from a file or a reader, for which one may have to wait.
    fn is_in_memory(&self) -> bool;
}

impl Message {
    /// The message of one `map_send` call (MAP 2.4): plain text, 7 bit, with the header fields that RFC 5322
    /// requires and those that every recipient expects.
    ///
    /// # Example
    /// ```
    /// use map_core::message::{Content, Message, Options, Subject};
    /// use std::io::Read;
    ///
    /// let message = Message::text(
    ///     "cxw@apple.com".parse()?,
    ///     "407184933@qq.com".parse()?,
    ///     &Subject::parse(b"test")?,
    ///     Content::parse(b"test content.")?,
    ///     Options::default(),
    /// );
    /// let mut octets = String::new();
    /// message.open()?.read_to_string(&mut octets)?;
    /// assert!(octets.contains("\r\nFrom: <cxw@apple.com>\r\nTo: <407184933@qq.com>\r\nSubject: test\r\n"));
    /// assert!(octets.ends_with("\r\n\r\ntest content.\r\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn text(from: Mailbox, to: Mailbox, subject: &Subject, content: Content, options: Options) -> Self {
        let from_addr_spec = from.to_smtp();
        let id = options
            .message_id
            .unwrap_or_else(|| MessageId::generate(&from_addr_spec));
        let body = TextBody::new(content);
        let header = header::Fields {
            date: &options.date.unwrap_or_else(OriginationDate::now),
            from: &from_addr_spec,
            to: &to.to_smtp(),
            subject,
            message_id: &id,
            content_transfer_encoding: body.encoding(),
        }
        .compose();
        let needs_utf8 = [&from, &to].into_iter().find(|mailbox| mailbox.needs_smtputf8());
        let demands = Demands {
            body: None,
            smtputf8: needs_utf8.map(|mailbox| Reason::Address(mailbox.to_string().into())),
        };
        Self {
            author_domains: sign::domains([&from]),
            from,
            to: [to].into(),
            id: id.as_str().into(),
            form: Arc::new(Form {
                header: header.into(),
                body: Arc::new(body),
                demands,
            }),
            lesser: Arc::default(),
            warnings: Arc::default(),
            wishes: Arc::default(),
            depth: 0,
        }
    }

    /// The sender in the envelope, who is told when the message cannot be delivered, unless it has a [null
    /// reverse-path](Self::null_reverse_path).
    pub fn from(&self) -> &Mailbox {
        &self.from
    }

    /// The recipients in the envelope (To, Cc and Bcc), each once, in the order in which they were given.
    pub fn recipients(&self) -> &[Mailbox] {
        &self.to
    }

    /// `Message-ID` without its angle brackets; empty for a [`Raw`] message that has none.
    pub fn message_id(&self) -> &str {
        &self.id
    }

    /// What is odd about it and yet no reason not to send it.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// What a host must offer for the message as it is. A host that offers less may do all the same: see
    /// [`for_host`](Self::for_host). A recipient whose local part is not ASCII needs SMTPUTF8 of the own host besides.
    pub fn needs(&self) -> Needs {
        self.form.demands.needs()
    }

    /// The message for a host that offers so much, encoded further where it must be and can be.
    ///
    /// # Errors
    /// What the host lacks, and what needs it.
    ///
    /// # Example
    /// ```
    /// use map_core::message::{BodyType, Builder, Needs};
    ///
    /// let message = Builder::new()
    ///     .from("anna@example.com".parse::<map_core::Mailbox>()?)
    ///     .to("bob@example.net".parse::<map_core::Mailbox>()?)
    ///     .text("Grüße".parse()?)
    ///     .body_type(BodyType::EightBit)
    ///     .build()?;
    /// assert_eq!(message.needs().body_type, BodyType::EightBit);
    /// let offers_nothing = Needs::default();
    /// assert_eq!(message.for_host(offers_nothing)?.needs(), offers_nothing);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn for_host(&self, offered: Needs) -> Result<Self, Unmet> {
        let Some(unmet) = self.form.demands.unmet(offered) else {
            return Ok(self.clone());
        };
        let fitting = self
            .lesser
            .iter()
            .position(|form| form.demands.needs().met_by(offered));
        match fitting {
            Some(index) => Ok(Self {
                form: Arc::clone(&self.lesser[index]),
                lesser: self.lesser[index + 1..].into(),
                ..self.clone()
            }),
            // What the least demanding form lacks is what there is no way around.
            None => Err(self
                .lesser
                .last()
                .and_then(|form| form.demands.unmet(offered))
                .unwrap_or(unmet)),
        }
    }

    /// The ways to send it, the most demanding first: what each needs of a host, and its size.
    pub(crate) fn body_forms(&self) -> Vec<BodyForm> {
        let body_form = |form: &Arc<Form>| BodyForm {
            needs: form.demands.needs(),
            size: form.octets(),
        };
        self.forms().map(body_form).collect()
    }

    /// Opens it in one of its [forms](Self::body_forms), by index.
    pub(crate) fn open_form(&self, index: usize) -> io::Result<Box<dyn Read + Send>> {
        let form = self.forms().nth(index);
        form.ok_or(io::ErrorKind::InvalidInput)?.open()
    }

    /// True when reading it never waits for a file or a reader.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.form.is_in_memory()
    }

    fn forms(&self) -> impl Iterator<Item = &Arc<Form>> {
        std::iter::once(&self.form).chain(self.lesser.iter())
    }

    /// The octets for a host that takes such bodies, or the least demanding ones there are.
    fn form_for(&self, body_type: BodyType) -> Arc<Form> {
        let fitting = self.forms().find(|form| form.demands.body_type() <= body_type);
        Arc::clone(fitting.or(self.lesser.last()).unwrap_or(&self.form))
    }

    /// The octets of the message as sent (before dot-stuffing), exactly, when they can be known ahead: the value
    /// of the `SIZE=` parameter (RFC 1870).
    ///
    /// The first call may have to encode quoted-printable bodies once to count them; later ones, of clones too, do
    /// not.
    pub fn size(&self) -> Option<u64> {
        self.form.octets()
    }

    /// Opens the encoded message: RFC 5322 octets, every line ended by CRLF. Unless it [needs](Self::needs) more of a
    /// host, they are ASCII in lines of at most 998 octets, without a bare CR or LF.
    ///
    /// # Errors
    /// What opening a source gives; a message made of texts gives none. What is read later may fail as well, when a
    /// file or a reader does or is not what it was: then the message is not whole, and must not be sent.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        self.form.open()
    }
}

impl Source for Form {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(
            Cursor::new(Arc::clone(&self.header)).chain(self.body.open()?),
        ))
    }

    fn octets(&self) -> Option<u64> {
        let header = u64::try_from(self.header.len()).ok()?;
        self.body.octets()?.checked_add(header)
    }

    fn is_in_memory(&self) -> bool {
        self.body.is_in_memory()
    }
}

#[cfg(test)]
mod tests;
