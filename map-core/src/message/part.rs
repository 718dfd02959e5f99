//! Parts: what a message is made of.

use super::charset::Charset;
use super::encode::{DataBody, TextBody, TransferEncoding};
use super::error::{BuildError, MAX_NESTING};
use super::multipart::{Multipart, compose_multipart};
use super::needs::{Demands, Reason};
use super::origin::{Open, Origin};
use super::parameter::{Parameter, write_parameters};
use super::reference::write_ids;
use super::unstructured::write_text;
use super::{Content, ContentId, FileName, MediaType, Message, Source, Subject, Warning};
use crate::envelope::BodyType;
use bytes::Bytes;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// A part of a message: a text, data, a whole message, or a number of parts.
///
/// What it is made of comes first ([`text`](Self::text), [`html`](Self::html), [`octets`](Self::octets),
/// [`file`](Self::file), [`reader`](Self::reader), [`message`](Self::message), [`multipart`](Self::multipart)), and what
/// is to be said about it after that.
///
/// # Example
/// ```
/// use map_core::message::{Part, TransferEncoding};
///
/// let logo = Part::octets(&b"\x89PNG..."[..])
///     .file_name("logo.png".parse()?)
///     .content_id("logo@example.com".parse()?);
/// let log = Part::octets(&b"all is well\r\n"[..])
///     .media_type("text/plain; charset=us-ascii".parse()?)
///     .transfer_encoding(TransferEncoding::SevenBit)
///     .description("What the device said".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Part {
    matter: Matter,
    media_type: Option<MediaType>,
    transfer_encoding: Option<TransferEncoding>,
    pub(super) disposition: Option<Disposition>,
    file_name: Option<FileName>,
    pub(super) content_id: Option<ContentId>,
    description: Option<Subject>,
    /// How many parts and messages are nested in it.
    depth: usize,
    /// Of data that is a text; found out once for all forms and copies.
    charset: Arc<OnceLock<Option<Charset>>>,
}

#[derive(Clone, Debug)]
enum Matter {
    Data(Origin),
    Message(Box<Message>),
    Multipart(Multipart, Vec<Part>),
    Text(Content),
    /// In place of parts or a message nested deeper than [`MAX_NESTING`]: they are let go at once, since already to drop
    /// them takes a stack as deep as they are.
    TooDeep,
}

/// `Content-Disposition` ([RFC 2183](https://www.rfc-editor.org/rfc/rfc2183)): how a reader presents a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// As a file to open or to store.
    Attachment,
    /// In its place in the message.
    Inline,
}

impl Part {
    fn new(matter: Matter, media_type: Option<MediaType>) -> Self {
        Self {
            matter,
            media_type,
            transfer_encoding: None,
            disposition: None,
            file_name: None,
            content_id: None,
            description: None,
            depth: 0,
            charset: Arc::default(),
        }
    }

    /// With parts or a message in it, the deepest of them `inner` deep.
    fn nesting(matter: Matter, inner: usize) -> Self {
        let depth = inner.saturating_add(1);
        let matter = if depth > MAX_NESTING {
            Matter::TooDeep
        } else {
            matter
        };
        Self {
            depth,
            ..Self::new(matter, None)
        }
    }

    /// A plain text: `text/plain`, in UTF-8.
    pub fn text(content: Content) -> Self {
        Self::new(Matter::Text(content), Some(MediaType::known("text/plain")))
    }

    /// A text in HTML: `text/html`, in UTF-8.
    pub fn html(content: Content) -> Self {
        Self::new(Matter::Text(content), Some(MediaType::known("text/html")))
    }

    /// Data in memory. A `Vec<u8>` is taken over, not copied.
    pub fn octets(octets: impl Into<Bytes>) -> Self {
        Self::new(Matter::Data(Origin::Memory(octets.into())), None)
    }

    /// A file, opened for each host that is tried and read while it is sent, a block at a time.
    ///
    /// The part has the name of the file, its length of now, and the media type that its extension tells. A file that
    /// is shorter or longer when it is sent fails the delivery: see [`SourceError`](super::SourceError).
    ///
    /// # Errors
    /// What looking the file up gives: it does not exist, or is not a regular file.
    pub fn file(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let mut part = Self::new(Matter::Data(Origin::file(path)?), None);
        part.file_name = FileName::of_path(path);
        Ok(part)
    }

    /// Data of whatever can be read. `open` is called each time that the message is sent, and gives the same octets: for
    /// each host that is tried, again for each hundred of its recipients, and for a signature. It is called and read in a
    /// thread of its own, and may wait; who gives nothing until the deadline of the content ends its delivery.
    ///
    /// With `octets`, their number, the size of the message is known before it is sent; if the reader gives fewer or
    /// more, the delivery fails.
    ///
    /// # Example
    /// ```
    /// use map_core::message::Part;
    ///
    /// let zeros = Part::reader(Some(1000), || Ok(Box::new(std::io::Read::take(std::io::repeat(0), 1000))));
    /// ```
    pub fn reader(
        octets: Option<u64>,
        open: impl Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'static,
    ) -> Self {
        let open: Open = Arc::new(open);
        Self::new(Matter::Data(Origin::Reader { open, octets }), None)
    }

    /// A message in the message: `message/rfc822`, or `message/global` if its header is not ASCII.
    ///
    /// Nested deeper than [`MAX_NESTING`] it is none: see [`check_nesting`](Self::check_nesting).
    pub fn message(message: Message) -> Self {
        let depth = message.depth;
        Self::nesting(Matter::Message(Box::new(message)), depth)
    }

    /// Several parts as one.
    ///
    /// Nested deeper than [`MAX_NESTING`] they are none: see [`check_nesting`](Self::check_nesting).
    pub fn multipart(kind: Multipart, parts: impl IntoIterator<Item = Part>) -> Self {
        let parts: Vec<Part> = parts.into_iter().collect();
        let depth = parts.iter().map(|part| part.depth).max().unwrap_or_default();
        Self::nesting(Matter::Multipart(kind, parts), depth)
    }

    /// Says now what [`Builder::build`](super::Builder::build) would say of a part that is nested too deeply.
    ///
    /// # Errors
    /// [`BuildError::TooDeep`]: it is nested deeper than [`MAX_NESTING`].
    pub fn check_nesting(&self) -> Result<(), BuildError> {
        if self.depth > MAX_NESTING {
            return Err(BuildError::TooDeep);
        }
        Ok(())
    }

    /// How many parts and messages are nested in it.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Says what it is, if it is a text or data. For data it is else told by the name of the file, and
    /// `application/octet-stream` where that tells nothing. A text is UTF-8, whatever `charset` is given.
    ///
    /// Data of a type `text/…` in memory or in a file gets `charset=utf-8` if it is UTF-8 and not ASCII; a file is looked
    /// through for that when the message is built. For another character set, and for a reader, say it here:
    /// `text/csv; charset=iso-8859-1`.
    pub fn media_type(mut self, media_type: MediaType) -> Self {
        self.media_type = Some(media_type);
        self
    }

    /// Fixes how it is encoded. Else a text takes the best encoding for it, and data base64.
    ///
    /// [`EightBit`](TransferEncoding::EightBit) and [`Binary`](TransferEncoding::Binary) are wishes: for a host that
    /// does not offer what they need, the part is encoded all the same.
    pub fn transfer_encoding(mut self, transfer_encoding: TransferEncoding) -> Self {
        self.transfer_encoding = Some(transfer_encoding);
        self
    }

    /// Says how a reader should present it.
    pub fn disposition(mut self, disposition: Disposition) -> Self {
        self.disposition = Some(disposition);
        self
    }

    /// Names it.
    pub fn file_name(mut self, file_name: FileName) -> Self {
        self.file_name = Some(file_name);
        self
    }

    /// Gives it the identifier by which HTML refers to it: `<img src="cid:logo@example.com">`.
    pub fn content_id(mut self, content_id: ContentId) -> Self {
        self.content_id = Some(content_id);
        self
    }

    /// Describes it in words: `Content-Description`.
    pub fn description(mut self, description: Subject) -> Self {
        self.description = Some(description);
        self
    }

    /// Its media type, without parameters.
    pub(super) fn essence(&self) -> String {
        match (&self.matter, &self.media_type) {
            (Matter::Multipart(kind, _), _) => kind.essence().to_owned(),
            (Matter::Message(_) | Matter::TooDeep, _) => "message/rfc822".to_owned(),
            (_, Some(media_type)) => media_type.essence().to_owned(),
            (_, None) => self.media_type_by_name().essence().to_owned(),
        }
    }

    fn media_type_by_name(&self) -> MediaType {
        MediaType::of_file_name(self.file_name.as_ref().map_or("", FileName::as_str))
    }

    /// What it is called where it gives a reason.
    fn label(&self, media_type: &MediaType) -> Reason {
        let name = self
            .file_name
            .as_ref()
            .map_or(media_type.essence(), FileName::as_str);
        Reason::Part(name.into())
    }

    /// What is odd about it and what is in it.
    pub(super) fn warnings(&self, warnings: &mut Vec<Warning>) {
        if let Some(id) = self.content_id.as_ref().filter(|id| !id.has_at()) {
            warnings.push(Warning::ContentIdWithoutAt(id.as_str().into()));
        }
        if let Matter::Multipart(_, parts) = &self.matter {
            for part in parts {
                part.warnings(warnings);
            }
        }
    }

    /// The header fields that describe it, and its body.
    pub(super) fn compose(&self, target: ComposeTarget) -> Result<Composed, BuildError> {
        match &self.matter {
            Matter::Data(origin) => self.compose_data(origin, target),
            Matter::Message(message) => Ok(self.compose_message(message, target)),
            Matter::Multipart(kind, parts) => {
                let composed = compose_multipart(*kind, parts, target)?;
                let encoding = as_it_stands(composed.demands.body_type());
                Ok(Composed {
                    header: self.header(&composed.media_type, encoding),
                    body: composed.body,
                    demands: composed.demands,
                    plain: composed.plain,
                })
            }
            Matter::Text(content) => self.compose_text(content, target),
            Matter::TooDeep => Err(BuildError::TooDeep),
        }
    }

    fn compose_text(&self, content: &Content, target: ComposeTarget) -> Result<Composed, BuildError> {
        let media_type = self.given_media_type()?;
        let label = self.label(&media_type);
        let media_type = if media_type.is_text() {
            // UTF-8 even where US-ASCII would do, for the reason given in `header`.
            media_type.with("charset", "utf-8")
        } else {
            media_type
        };
        let body = match self.wished_encoding(target) {
            Some(encoding) => {
                TextBody::encoded(content.clone(), encoding).map_err(|why| BuildError::Unfit {
                    part: label.to_string(),
                    why,
                })?
            }
            None => TextBody::for_hosts(content.clone(), target.body_type),
        };
        let encoding = body.encoding();
        let mut demands = Demands::default();
        demands.add_body(encoding.body_type(), || label);
        Ok(Composed {
            header: self.header(&media_type, encoding),
            body: Arc::new(body),
            demands,
            plain: vec![Plain::Text(content.clone())],
        })
    }

    fn compose_data(&self, origin: &Origin, target: ComposeTarget) -> Result<Composed, BuildError> {
        let media_type = self.with_charset(self.given_media_type()?, origin);
        let label = self.label(&media_type);
        let wished = self.wished_encoding(target);
        let encoding = match wished {
            // No encoding may hide what is in a `message/…`.
            None if media_type.is_composite() => TransferEncoding::SevenBit,
            Some(TransferEncoding::Base64 | TransferEncoding::QuotedPrintable)
                if media_type.is_composite() =>
            {
                return Err(BuildError::Composite(media_type.essence().to_owned()));
            }
            Some(encoding) => encoding,
            None if target.body_type == BodyType::Binary => TransferEncoding::Binary,
            None => TransferEncoding::Base64,
        };
        let body =
            DataBody::new(origin.clone(), encoding, target.depth == 0).map_err(|why| BuildError::Unfit {
                part: label.to_string(),
                why,
            })?;
        let mut demands = Demands::default();
        demands.add_body(encoding.body_type(), || label);
        let plain = match origin {
            Origin::Memory(octets) => vec![Plain::Octets(octets.clone())],
            Origin::File { .. } | Origin::Reader { .. } => Vec::new(),
        };
        Ok(Composed {
            header: self.header(&media_type, encoding),
            body: Arc::new(body),
            demands,
            plain,
        })
    }

    fn compose_message(&self, message: &Message, target: ComposeTarget) -> Composed {
        let form = message.form_for(target.body_type);
        let needs = form.demands.needs();
        // https://www.rfc-editor.org/rfc/rfc6532#section-3.5
        // > it allows content-transfer-encoding for message/global
        let (media_type, encoding) = if needs.smtputf8 {
            ("message/global", TransferEncoding::Base64)
        } else {
            ("message/rfc822", as_it_stands(needs.body_type))
        };
        let inner = Arc::clone(&form);
        let open = move || inner.open();
        let octets = form.octets();
        let (body, demands): (Arc<dyn Source>, _) = if needs.smtputf8 {
            let origin = Origin::Reader {
                open: Arc::new(open),
                octets,
            };
            (Arc::new(DataBody::of(origin, encoding)), Demands::default())
        } else {
            let demands = form.demands.clone();
            (form, demands)
        };
        Composed {
            header: self.header(&MediaType::known(media_type), encoding),
            body,
            demands,
            plain: Vec::new(),
        }
    }

    /// A text with the character set that it is in, if that can be told.
    fn with_charset(&self, media_type: MediaType, origin: &Origin) -> MediaType {
        if !media_type.is_text() || media_type.parameter("charset").is_some() {
            return media_type;
        }
        let found = *self.charset.get_or_init(|| Charset::of(origin));
        // https://www.rfc-editor.org/rfc/rfc7763#section-2
        // > Required parameters: charset
        let required = media_type.essence() == "text/markdown";
        match found {
            Some(Charset::Utf8) => media_type.with("charset", "utf-8"),
            Some(Charset::Ascii) if required => media_type.with("charset", "utf-8"),
            _ => media_type,
        }
    }

    /// The media type of the caller's, which must be one that a single part can have, or that of the file's name.
    fn given_media_type(&self) -> Result<MediaType, BuildError> {
        let Some(given) = &self.media_type else {
            return Ok(self.media_type_by_name());
        };
        let essence = given.essence();
        if essence.starts_with("multipart/") || matches!(essence, "message/rfc822" | "message/global") {
            Err(BuildError::Composite(essence.to_owned()))
        } else {
            Ok(given.clone())
        }
    }

    /// The encoding of the caller's, unless it is a wish that this way does not allow.
    fn wished_encoding(&self, target: ComposeTarget) -> Option<TransferEncoding> {
        self.transfer_encoding.filter(|wished| {
            let needed = wished.body_type();
            needed <= target.wished
        })
    }

    fn header(&self, media_type: &MediaType, encoding: TransferEncoding) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let file_name = self.file_name.as_ref().map(FileName::as_str);
        media_type.write(&mut out, file_name);
        out.extend_from_slice(b"Content-Transfer-Encoding: ");
        out.extend_from_slice(encoding.name().as_bytes());
        out.extend_from_slice(b"\r\n");
        write_ids(&mut out, "Content-ID", self.content_id.as_slice());
        if let Some(description) = &self.description {
            write_text(&mut out, "Content-Description", description.as_str());
        }
        let disposition = match self.disposition {
            Some(Disposition::Attachment) => Some("attachment"),
            Some(Disposition::Inline) => Some("inline"),
            // A name has no other place to stand.
            None => file_name.map(|_| "attachment"),
        };
        if let Some(disposition) = disposition {
            let parameters: Vec<_> = file_name
                .map(|name| Parameter::extended("filename", name))
                .into_iter()
                .collect();
            write_parameters(&mut out, "Content-Disposition", disposition, &parameters);
        }
        out
    }
}

/// For what kind of host a part is composed.
#[derive(Clone, Copy, Debug)]
pub(super) struct ComposeTarget {
    /// What may be left unencoded of what the caller left to us.
    pub(super) body_type: BodyType,
    /// What may be left unencoded because the caller wished it.
    pub(super) wished: BodyType,
    /// How many parts are around it.
    pub(super) depth: usize,
}

impl ComposeTarget {
    /// Of what is inside.
    pub(super) fn inside(self) -> Self {
        Self {
            depth: self.depth + 1,
            ..self
        }
    }
}

/// A part as it goes.
pub(super) struct Composed {
    /// `Content-Type` and its kin.
    pub(super) header: Vec<u8>,
    pub(super) body: Arc<dyn Source>,
    pub(super) demands: Demands,
    /// What boundaries must not occur in.
    pub(super) plain: Vec<Plain>,
}

/// What is in memory and may go as it stands.
#[derive(Clone)]
pub(super) enum Plain {
    Octets(Bytes),
    Text(Content),
}

impl Plain {
    pub(super) fn octets(&self) -> &[u8] {
        match self {
            Self::Octets(octets) => octets,
            Self::Text(content) => content.as_str().as_bytes(),
        }
    }
}

/// The encoding of what has parts.
// https://www.rfc-editor.org/rfc/rfc2045#section-6.4
// > If an entity is of type "multipart" the Content-Transfer-Encoding is not permitted to have any value other than
// > "7bit", "8bit" or "binary".
fn as_it_stands(body_type: BodyType) -> TransferEncoding {
    match body_type {
        BodyType::Binary => TransferEncoding::Binary,
        BodyType::EightBit => TransferEncoding::EightBit,
        BodyType::SevenBit => TransferEncoding::SevenBit,
    }
}
