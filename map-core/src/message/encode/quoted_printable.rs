//! Quoted-printable (RFC 2045 section 6.7) of a text.

use super::line_ends::{line_end_octets, line_octets};
use super::{BLOCK, Encode};
use crate::message::Content;
use std::io;
use std::ops::Range;

// https://www.rfc-editor.org/rfc/rfc2045#section-6.7
// > The Quoted-Printable encoding REQUIRES that encoded lines be no more than 76 characters long.
/// Octets of an encoded line before its soft line break, which takes one more.
pub(super) const MAX_COLUMN: usize = 75;

/// Encodes a text; its line ends become CRLF, and a missing last one is added.
pub(super) struct QuotedPrintable {
    content: Content,
    /// The line under way; none after the last.
    line: Option<Line>,
    /// Octets written to the encoded line so far.
    column: usize,
}

struct Line {
    /// What is still to be encoded of it.
    rest: Range<usize>,
    /// Where the next one begins.
    next: usize,
}

/// What a line goes on with.
enum Piece {
    Escaped(u8),
    LineEnd,
    Literal(usize),
    SoftLineBreak,
}

impl QuotedPrintable {
    pub(super) fn new(content: Content) -> Self {
        let line = line_at(content.as_str().as_bytes(), 0);
        Self {
            content,
            line,
            column: 0,
        }
    }

    /// How many octets it makes.
    pub(super) fn count(mut self) -> u64 {
        let mut block = Vec::with_capacity(2 * BLOCK);
        let mut octets = 0;
        loop {
            self.fill(&mut block);
            if block.is_empty() {
                return octets;
            }
            octets += block.len() as u64;
            block.clear();
        }
    }

    fn fill(&mut self, block: &mut Vec<u8>) {
        let text = self.content.as_str().as_bytes();
        while block.len() < BLOCK
            && let Some(line) = &mut self.line
        {
            let rest = &text[line.rest.clone()];
            match piece(rest, self.column) {
                Piece::Escaped(octet) => {
                    block.extend_from_slice(&escape(octet));
                    self.column += 3;
                    line.rest.start += 1;
                }
                Piece::LineEnd => {
                    block.extend_from_slice(b"\r\n");
                    self.column = 0;
                    self.line = line_at(text, line.next);
                }
                Piece::Literal(octets) => {
                    block.extend_from_slice(&rest[..octets]);
                    self.column += octets;
                    line.rest.start += octets;
                }
                Piece::SoftLineBreak => {
                    block.extend_from_slice(b"=\r\n");
                    self.column = 0;
                }
            }
        }
    }
}

impl Encode for QuotedPrintable {
    fn encode(&mut self, block: &mut Vec<u8>) -> io::Result<()> {
        self.fill(block);
        Ok(())
    }
}

fn line_at(text: &[u8], start: usize) -> Option<Line> {
    let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
    let end = start + line_octets(rest);
    Some(Line {
        rest: start..end,
        next: end + line_end_octets(&text[end..]),
    })
}

fn piece(rest: &[u8], column: usize) -> Piece {
    let Some(&first) = rest.first() else {
        return Piece::LineEnd;
    };
    let room = MAX_COLUMN - column;
    if !is_literal(first) || is_last_blank(rest) || (column == 0 && is_fragile_at_start(rest)) {
        return if room < 3 {
            Piece::SoftLineBreak
        } else {
            Piece::Escaped(first)
        };
    }
    if room == 0 {
        return Piece::SoftLineBreak;
    }
    let window = &rest[..rest.len().min(room)];
    let mut octets = window
        .iter()
        .position(|&octet| !is_literal(octet))
        .unwrap_or(window.len());
    if octets > 1 && is_last_blank(&rest[octets - 1..]) {
        octets -= 1;
    }
    Piece::Literal(octets)
}

pub(super) fn is_literal(octet: u8) -> bool {
    matches!(octet, b'\t' | b' '..=b'<' | b'>'..=b'~')
}

// https://www.rfc-editor.org/rfc/rfc2045#section-6.7
// > (White Space) Octets with values of 9 and 32 MAY be represented as US-ASCII TAB (HT) and SPACE characters,
// > respectively, but MUST NOT be so represented at the end of an encoded line.
fn is_last_blank(rest: &[u8]) -> bool {
    matches!(rest, [b' ' | b'\t'])
}

/// A line that begins with a dot or like a line of an mbox is what relays and mailboxes are known to change, and
/// here the escape costs nothing.
fn is_fragile_at_start(rest: &[u8]) -> bool {
    rest.starts_with(b".") || rest.starts_with(b"From ")
}

pub(super) fn escape(octet: u8) -> [u8; 3] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    [
        b'=',
        DIGITS[usize::from(octet >> 4)],
        DIGITS[usize::from(octet & 15)],
    ]
}
