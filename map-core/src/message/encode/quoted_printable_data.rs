//! Quoted-printable (RFC 2045 section 6.7) of data: no octet is taken for a line end.

use super::quoted_printable::{MAX_COLUMN, escape, is_literal};
use super::{BLOCK, Encode};
use std::io::{self, Read};

/// Encodes what `inner` gives; it ends in a soft line break, which is no octet of the data.
pub(super) struct QuotedPrintableData<R> {
    inner: R,
    read: Vec<u8>,
    /// Octets written to the encoded line so far.
    column: usize,
}

impl<R: Read> QuotedPrintableData<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            read: Vec::new(),
            column: 0,
        }
    }
}

impl<R: Read> Encode for QuotedPrintableData<R> {
    fn encode(&mut self, block: &mut Vec<u8>) -> io::Result<()> {
        self.read.clear();
        self.inner
            .by_ref()
            .take(BLOCK as u64)
            .read_to_end(&mut self.read)?;
        for &octet in &self.read {
            // A dot or an F at the start of a line is what relays and mailboxes are known to change.
            let stands = is_literal(octet) && !(self.column == 0 && matches!(octet, b'.' | b'F'));
            let width = if stands { 1 } else { 3 };
            if self.column + width > MAX_COLUMN {
                block.extend_from_slice(b"=\r\n");
                self.column = 0;
                // What begins a line may need its escape after all.
                if matches!(octet, b'.' | b'F') {
                    block.extend_from_slice(&escape(octet));
                    self.column = 3;
                    continue;
                }
            }
            if stands {
                block.push(octet);
            } else {
                block.extend_from_slice(&escape(octet));
            }
            self.column += width;
        }
        if self.read.is_empty() && self.column > 0 {
            block.extend_from_slice(b"=\r\n");
            self.column = 0;
        }
        Ok(())
    }
}
