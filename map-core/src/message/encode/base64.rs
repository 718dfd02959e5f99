//! Base64 (RFC 2045 section 6.8) of whatever can be read.

use super::{BLOCK, Encode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::{self, Read};

/// Octets that make one line of 76 characters, the longest allowed.
const LINE: usize = 57;

/// Encodes what `inner` gives.
pub(super) struct Base64<R> {
    inner: R,
    read: Vec<u8>,
}

/// How many octets the encoding of so many octets has, line ends included.
pub(super) fn encoded_octets(octets: u64) -> u64 {
    let characters = octets.div_ceil(3) * 4;
    characters + octets.div_ceil(LINE as u64) * 2
}

impl<R: Read> Base64<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            read: Vec::new(),
        }
    }
}

impl<R: Read> Encode for Base64<R> {
    fn encode(&mut self, block: &mut Vec<u8>) -> io::Result<()> {
        // Whole lines, so that only the very last one can be short.
        const WHOLE_LINES: usize = BLOCK / 78 * LINE;
        self.read.clear();
        self.inner
            .by_ref()
            .take(WHOLE_LINES as u64)
            .read_to_end(&mut self.read)?;
        for line in self.read.chunks(LINE) {
            let start = block.len();
            block.resize(start + line.len().div_ceil(3) * 4, 0);
            STANDARD
                .encode_slice(line, &mut block[start..])
                .map_err(io::Error::other)?;
            block.extend_from_slice(b"\r\n");
        }
        Ok(())
    }
}
