//! The content in chunks (RFC 3030).
//!
//! A chunk is gathered whole before its command is written, for the command says how long it is. One is gathered while
//! another waits for room and a third is being written, so that what is held stays below four of them.
//!
//! RFC 3030 section 2, <https://www.rfc-editor.org/rfc/rfc3030#section-2>, about the argument of BDAT:
//! > The message data is sent immediately after the trailing `<CR>` `<LF>` of the BDAT command line.
//!
//! There is no end mark to be imitated and nothing is stuffed. A body of lines still has no bare CR or LF, since the
//! next host may be given it by DATA; a binary one is nobody's business.

use super::stuffing::{BareLineEnd, Stuffing};
use super::transmit::Part;
use crate::message::BodyType;
use bytes::Bytes;
use std::collections::VecDeque;

/// Octets that go with one BDAT.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    parts: VecDeque<Part>,
    octets: usize,
}

impl Chunk {
    /// The command line, and what follows it.
    pub(super) fn into_parts(self, place: Place) -> (Bytes, VecDeque<Part>) {
        let command = match place {
            Place::Within => format!("BDAT {}\r\n", self.octets),
            Place::Last => format!("BDAT {} LAST\r\n", self.octets),
        };
        (command.into(), self.parts)
    }
}

/// Where in the content a chunk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Within,
    Last,
}

/// The chunks of one content, as far as they are not queued to be sent.
#[derive(Debug)]
pub(super) struct Gathering {
    lines: Lines,
    chunks: Chunks,
    /// Nothing more comes: the current chunk is the last.
    is_complete: bool,
}

#[derive(Debug)]
enum Lines {
    /// Those of a binary body are not looked at.
    Any,
    Checked(Stuffing),
}

/// Octets cut into chunks, of one length but for the last.
#[derive(Debug)]
struct Chunks {
    /// Octets of one, at least 1.
    length: usize,
    full: VecDeque<Chunk>,
    /// A chunk counts as full only when something follows it: so the last one is not empty, unless the content is.
    current: Chunk,
}

impl Gathering {
    /// `length`: octets of a chunk.
    pub(super) fn new(body_type: BodyType, length: usize) -> Self {
        Self {
            lines: match body_type {
                BodyType::Binary => Lines::Any,
                BodyType::SevenBit | BodyType::EightBit => Lines::Checked(Stuffing::of_lines()),
            },
            chunks: Chunks {
                length: length.max(1),
                full: VecDeque::new(),
                current: Chunk::default(),
            },
            is_complete: false,
        }
    }

    /// True when there is room for a block, and one can follow.
    pub(super) fn wants_more(&self) -> bool {
        !self.is_complete && (self.chunks.full.is_empty() || self.chunks.room() > 0)
    }

    /// Adds a block.
    pub(super) fn add(&mut self, block: &Bytes) -> Result<(), BareLineEnd> {
        match &mut self.lines {
            Lines::Any => self.chunks.push(Part::Content(block.clone())),
            Lines::Checked(lines) => lines.block(block, |part| self.chunks.push(part))?,
        }
        Ok(())
    }

    /// Nothing follows. A last line without an end gets one, as under DATA.
    pub(super) fn complete(&mut self) -> Result<(), BareLineEnd> {
        if let Lines::Checked(lines) = &self.lines {
            self.chunks
                .push(Part::Ours(Bytes::from_static(lines.line_end()?)));
        }
        self.is_complete = true;
        Ok(())
    }

    /// The next chunk, if there is one that can be sent.
    pub(super) fn next(&mut self) -> Option<(Chunk, Place)> {
        if let Some(full) = self.chunks.full.pop_front() {
            return Some((full, Place::Within));
        }
        let last = self
            .is_complete
            .then(|| std::mem::take(&mut self.chunks.current))?;
        Some((last, Place::Last))
    }
}

impl Chunks {
    fn room(&self) -> usize {
        self.length.saturating_sub(self.current.octets)
    }

    fn push(&mut self, mut part: Part) {
        while part.len() > 0 {
            if self.room() == 0 {
                self.full.push_back(std::mem::take(&mut self.current));
            }
            let first = part.split_to(self.room());
            self.current.octets += first.len();
            self.current.parts.push_back(first);
        }
    }
}
