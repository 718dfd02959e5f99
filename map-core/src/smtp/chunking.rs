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
use crate::envelope::BodyType;
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
pub(super) struct Chunker {
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

impl Chunker {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is sent for a content in these blocks, chunk by chunk.
    fn chunks(body_type: BodyType, length: usize, blocks: &[&[u8]]) -> Result<Vec<Vec<u8>>, BareLineEnd> {
        let mut chunker = Chunker::new(body_type, length);
        let mut chunks = Vec::new();
        let mut take = |chunker: &mut Chunker| {
            while let Some((chunk, place)) = chunker.next() {
                let (command, parts) = chunk.into_parts(place);
                let octets = parts.iter().flat_map(|part| match part {
                    Part::Content(octets) | Part::Ours(octets) => octets.to_vec(),
                });
                let octets: Vec<u8> = octets.collect();
                let last = if place == Place::Last { " LAST" } else { "" };
                assert_eq!(command, format!("BDAT {}{last}\r\n", octets.len()));
                chunks.push(octets);
                if place == Place::Last {
                    return;
                }
            }
        };
        for block in blocks {
            chunker.add(&Bytes::copy_from_slice(block))?;
            take(&mut chunker);
        }
        chunker.complete()?;
        take(&mut chunker);
        Ok(chunks)
    }

    #[test]
    fn a_chunk_is_full_only_when_something_follows() {
        type Row = (&'static [&'static [u8]], &'static [&'static [u8]]);
        let table: [Row; 6] = [
            (&[], &[b""]),
            (&[b"a\r\n"], &[b"a\r\n"]),
            (&[b"abcd\r\n"], &[b"abc", b"d\r\n"]),
            (&[b"a", b"b", b"c", b"d", b"\r", b"\n"], &[b"abc", b"d\r\n"]),
            // A CR waits for its LF.
            (&[b"ab\r", b"\nc"], &[b"ab\r", b"\nc\r", b"\n"]),
            (&[b"abcdefgh\r\n."], &[b"abc", b"def", b"gh\r", b"\n.\r", b"\n"]),
        ];
        for (blocks, expected) in table {
            let expected: Vec<Vec<u8>> = expected.iter().map(|chunk| chunk.to_vec()).collect();
            assert_eq!(chunks(BodyType::SevenBit, 3, blocks), Ok(expected), "{blocks:?}");
        }
    }

    #[test]
    fn only_a_binary_body_may_have_bare_line_ends() {
        for content in [&b"a\nb"[..], b"a\rb", b"a\r"] {
            assert_eq!(chunks(BodyType::EightBit, 9, &[content]), Err(BareLineEnd));
            assert_eq!(
                chunks(BodyType::Binary, 9, &[content]),
                Ok(vec![content.to_vec()])
            );
        }
    }

    proptest! {
        #[test]
        fn the_chunks_are_the_content(
            content in proptest::collection::vec(any::<u8>(), 0..60),
            length in 1_usize..10,
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(content.len() + 1)).collect();
            cuts.sort_unstable();
            let mut blocks = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([content.len()]) {
                blocks.push(&content[from..cut]);
                from = cut;
            }
            let chunks = chunks(BodyType::Binary, length, &blocks).unwrap();
            prop_assert_eq!(chunks.concat(), content.clone());
            let (last, others) = chunks.split_last().unwrap();
            prop_assert!(others.iter().all(|chunk| chunk.len() == length));
            prop_assert!(last.len() <= length && (content.is_empty() || !last.is_empty()));
        }
    }
}
