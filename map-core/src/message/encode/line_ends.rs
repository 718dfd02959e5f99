//! Line ends made CRLF.

use crate::message::Content;
use std::io::{self, Read, Write};

const CRLF: &[u8] = b"\r\n";

/// The lines of a text without their ends, which are CRLF, a bare CR or a bare LF. What stands after the last
/// line end is a line too unless it is nothing.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, behind) = rest.split_at(line_octets(rest));
        rest = &behind[line_end_octets(behind)..];
        Some(line)
    })
}

/// The octets before the first line end.
pub(super) fn line_octets(text: &[u8]) -> usize {
    memchr::memchr2(b'\r', b'\n', text).unwrap_or(text.len())
}

/// The octets of the line end that the text begins with; none at its end.
pub(super) fn line_end_octets(text: &[u8]) -> usize {
    match text {
        [] => 0,
        [b'\r', b'\n', ..] => 2,
        _ => 1,
    }
}

/// Reads a text with every line ended by CRLF, the last one too.
pub(super) struct LineEnds {
    content: Content,
    position: usize,
    /// What is left of a line end under way.
    line_end: &'static [u8],
}

impl LineEnds {
    pub(super) fn new(content: Content) -> Self {
        Self {
            content,
            position: 0,
            line_end: b"",
        }
    }
}

impl Read for LineEnds {
    fn read(&mut self, mut out: &mut [u8]) -> io::Result<usize> {
        let text = self.content.as_str().as_bytes();
        let all = out.len();
        while !out.is_empty() {
            if !self.line_end.is_empty() {
                let written = out.write(self.line_end)?;
                self.line_end = &self.line_end[written..];
                continue;
            }
            let rest = &text[self.position..];
            if rest.is_empty() {
                break;
            }
            // No further than there is room, so that a long line is not searched again at every call.
            let window = &rest[..rest.len().min(out.len())];
            let line = line_octets(window);
            out.write_all(&window[..line])?;
            self.position += line;
            let behind = &rest[line..];
            if line < window.len() || behind.is_empty() {
                self.position += line_end_octets(behind);
                self.line_end = CRLF;
            }
        }
        Ok(all - out.len())
    }
}
