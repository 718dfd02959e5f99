//! Several parts as one body.

use super::error::BuildError;
use super::needs::Demands;
use super::part::{ComposeTarget, Composed, Part, Plain};
use super::{MediaType, Source, random};
use memchr::memmem;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Cursor, Read};
use std::sync::Arc;

/// How parts belong together.
///
/// [RFC 2046 section 5.1](https://www.rfc-editor.org/rfc/rfc2046#section-5.1), and
/// [RFC 2387](https://www.rfc-editor.org/rfc/rfc2387) for `related`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Multipart {
    /// The same in several forms, the best last: a reader shows the last one it knows.
    Alternative,
    /// Messages, one after the other.
    Digest,
    /// Parts in order: a text and its attachments.
    Mixed,
    /// Parts in no order.
    Parallel,
    /// A first part, and what it refers to: HTML and its pictures.
    Related,
}

impl Multipart {
    pub(super) fn essence(self) -> &'static str {
        match self {
            Self::Alternative => "multipart/alternative",
            Self::Digest => "multipart/digest",
            Self::Mixed => "multipart/mixed",
            Self::Parallel => "multipart/parallel",
            Self::Related => "multipart/related",
        }
    }
}

/// Parts joined.
pub(super) struct Joined {
    pub(super) media_type: MediaType,
    pub(super) body: Arc<dyn Source>,
    pub(super) demands: Demands,
    pub(super) plain: Vec<Plain>,
}

pub(super) fn compose_multipart(
    kind: Multipart,
    parts: &[Part],
    target: ComposeTarget,
) -> Result<Joined, BuildError> {
    let Some(first) = parts.first() else {
        return Err(BuildError::NoParts);
    };
    let mut composed = Vec::with_capacity(parts.len());
    for part in parts {
        composed.push(part.compose(target.inside())?);
    }
    let mut plain = Vec::new();
    let mut demands = Demands::default();
    for part in &mut composed {
        plain.append(&mut part.plain);
        demands.add(std::mem::take(&mut part.demands));
    }
    let boundary = boundary(&plain, random::base32_128);
    let mut media_type = MediaType::known(kind.essence());
    if kind == Multipart::Related {
        // https://www.rfc-editor.org/rfc/rfc2387#section-3.1
        // > The type parameter must be specified and its value is the MIME media type of the "root" body part.
        media_type = media_type.with("type", &first.essence());
    }
    Ok(Joined {
        media_type: media_type.with("boundary", &boundary),
        body: Arc::new(segments(&boundary, composed)),
        demands,
        plain,
    })
}

/// A boundary that occurs in none of the parts: drawn from 2^128, and drawn again if it does occur in a part that is in
/// memory. No encoded part has `=_` in it: after the equals sign of quoted-printable stand digits or a line end, and
/// base64 has no underscore.
pub(super) fn boundary(plain: &[Plain], mut draw: impl FnMut() -> String) -> String {
    loop {
        let boundary = format!("=_{}", draw());
        let occurs = |part: &Plain| memmem::find(part.octets(), boundary.as_bytes()).is_some();
        if !plain.iter().any(occurs) {
            return boundary;
        }
    }
}

fn segments(boundary: &str, parts: Vec<Composed>) -> Segments {
    let mut segments = Vec::with_capacity(2 * parts.len() + 1);
    let mut between = Vec::new();
    for part in parts {
        between.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        between.extend_from_slice(&part.header);
        between.extend_from_slice(b"\r\n");
        segments.push(Segment::Fixed(std::mem::take(&mut between).into()));
        segments.push(Segment::Body(part.body));
        // https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1
        // > The CRLF preceding the boundary delimiter line is conceptually attached to the boundary
        between.extend_from_slice(b"\r\n");
    }
    between.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    segments.push(Segment::Fixed(between.into()));
    Segments(segments)
}

/// Bodies and what stands between them, one after the other.
struct Segments(Vec<Segment>);

enum Segment {
    Body(Arc<dyn Source>),
    Fixed(Arc<[u8]>),
}

impl Source for Segments {
    /// Opens all at once: what cannot be opened is better known before anything has been sent.
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let mut readers = VecDeque::with_capacity(self.0.len());
        for segment in &self.0 {
            readers.push_back(match segment {
                Segment::Body(body) => body.open()?,
                Segment::Fixed(octets) => Box::new(Cursor::new(Arc::clone(octets))),
            });
        }
        Ok(Box::new(Sequence(readers)))
    }

    fn is_in_memory(&self) -> bool {
        self.0.iter().all(|segment| match segment {
            Segment::Body(body) => body.is_in_memory(),
            Segment::Fixed(_) => true,
        })
    }

    fn octets(&self) -> Option<u64> {
        self.0.iter().try_fold(0_u64, |sum, segment| {
            sum.checked_add(match segment {
                Segment::Body(body) => body.octets()?,
                Segment::Fixed(octets) => u64::try_from(octets.len()).ok()?,
            })
        })
    }
}

impl fmt::Debug for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bodies = self.0.iter().filter_map(|segment| match segment {
            Segment::Body(body) => Some(body),
            Segment::Fixed(_) => None,
        });
        f.debug_list().entries(bodies).finish()
    }
}

/// Readers, each closed when it has been read.
struct Sequence(VecDeque<Box<dyn Read + Send>>);

impl Read for Sequence {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while let Some(reader) = self.0.front_mut() {
            match reader.read(out)? {
                0 => drop(self.0.pop_front()),
                read => return Ok(read),
            }
        }
        Ok(0)
    }
}
