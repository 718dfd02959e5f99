//! The content on its way to the wire: a dot doubled at the beginning of a line, the end mark, and no line end
//! that is not CRLF.
//!
//! RFC 5321 section 4.5.2, <https://www.rfc-editor.org/rfc/rfc5321#section-4.5.2>:
//! > Before sending a line of mail text, the SMTP client checks the first character of the line. If it is a
//! > period, one additional period is inserted at the beginning of the line.
//!
//! A bare CR or bare LF is refused here and not repaired: the two ends of a connection may not agree whether
//! LF . LF ends the content, and what follows would then be read as commands (SMTP smuggling). RFC 5321
//! section 2.3.8, <https://www.rfc-editor.org/rfc/rfc5321#section-2.3.8>:
//! > Conforming implementations MUST NOT recognize or generate any other character or character sequence as a
//! > line terminator.

use bytes::Bytes;

/// Where in the content the next block begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// Behind a CR that is held back until the LF is seen.
    AfterCr,
    /// At the very beginning, or behind a CRLF.
    LineStart,
    /// Anywhere else.
    WithinLine,
}

/// A CR without LF, or an LF without CR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bare CR or LF in the content")]
pub(super) struct BareLineEnd;

/// Follows one content through its blocks.
#[derive(Debug)]
pub(super) struct Stuffing {
    position: Position,
}

impl Stuffing {
    pub(super) fn new() -> Self {
        Self {
            position: Position::LineStart,
        }
    }

    /// Hands on what has to be written for a block, as slices of it with dots between them.
    ///
    /// Nothing of a block with a bare CR or LF is handed on, and nothing may follow it.
    pub(super) fn block(&mut self, block: &Bytes, mut write: impl FnMut(Bytes)) -> Result<(), BareLineEnd> {
        if block.is_empty() {
            return Ok(());
        }
        let scan = Scan::of(block, self.position)?;
        if self.position == Position::AfterCr {
            write(Bytes::from_static(b"\r"));
        }
        let mut from = 0;
        for dot in scan.dots {
            if dot > from {
                write(block.slice(from..dot));
            }
            write(Bytes::from_static(b"."));
            from = dot;
        }
        if scan.end > from {
            write(block.slice(from..scan.end));
        }
        self.position = scan.position;
        Ok(())
    }

    /// The end mark, on a line of its own.
    pub(super) fn end_mark(&self) -> Result<Bytes, BareLineEnd> {
        match self.position {
            Position::AfterCr => Err(BareLineEnd),
            Position::LineStart => Ok(Bytes::from_static(b".\r\n")),
            Position::WithinLine => Ok(Bytes::from_static(b"\r\n.\r\n")),
        }
    }
}

/// What one pass over a block finds.
struct Scan {
    /// Where a dot has to be inserted.
    dots: Vec<usize>,
    /// Where the octets end that can be written now: before a CR that is the last one.
    end: usize,
    /// Where the next block begins.
    position: Position,
}

impl Scan {
    fn of(block: &[u8], start: Position) -> Result<Self, BareLineEnd> {
        let mut dots = Vec::new();
        let mut at = 0;
        let mut line_start = start == Position::LineStart;
        if start == Position::AfterCr {
            if block.first() != Some(&b'\n') {
                return Err(BareLineEnd);
            }
            at = 1;
            line_start = true;
        }
        loop {
            let rest = block.get(at..).unwrap_or_default();
            if line_start && rest.first() == Some(&b'.') {
                dots.push(at);
            }
            let Some(found) = memchr::memchr2(b'\r', b'\n', rest) else {
                let position = if line_start && rest.is_empty() {
                    Position::LineStart
                } else {
                    Position::WithinLine
                };
                return Ok(Self {
                    dots,
                    end: block.len(),
                    position,
                });
            };
            match rest.get(found..).unwrap_or_default() {
                [b'\r'] => {
                    return Ok(Self {
                        dots,
                        end: block.len() - 1,
                        position: Position::AfterCr,
                    });
                }
                [b'\r', b'\n', ..] => at += found + 2,
                _ => return Err(BareLineEnd),
            }
            line_start = true;
        }
    }
}
