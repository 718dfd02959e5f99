//! The octets of a raw message on their way.

use super::super::Source;
use super::super::encode::{Blocks, Checked, Encode, LineCheck, TransferEncoding};
use super::super::origin::{Exactly, Origin};
use std::io::{self, Cursor, Read};

/// A message as it is, or what stands after its header.
#[derive(Debug)]
pub(super) struct RawSource {
    pub(super) content: RawContent,
    /// How many octets it had when it was looked through.
    pub(super) octets: u64,
    /// How many of them are the header that goes in another form.
    pub(super) skipped: u64,
    /// What was found in its lines.
    pub(super) lines: TransferEncoding,
    /// The last line gets an end.
    pub(super) end_line: bool,
}

/// Where it comes from.
#[derive(Clone, Debug)]
pub(super) struct RawContent {
    pub(super) origin: Origin,
    /// An LF alone ends a line, and leaves as CRLF.
    pub(super) unix_line_ends: bool,
}

impl RawContent {
    pub(super) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let origin = self.origin.open()?;
        Ok(if self.unix_line_ends {
            Box::new(Blocks::new(UnixLineEnds::new(origin)))
        } else {
            origin
        })
    }
}

impl Source for RawSource {
    /// What has been looked through is looked at again on its way: a file can have become another since, and lines that
    /// the host does not expect could end the content where it does not end.
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let all = Exactly::new(self.content.open()?, "the message".to_owned(), self.octets);
        let mut reader: Box<dyn Read + Send> = if self.lines == TransferEncoding::Binary {
            Box::new(all)
        } else {
            Box::new(Checked {
                inner: all,
                check: LineCheck::new(self.lines),
                whole: !self.end_line,
            })
        };
        io::copy(&mut reader.by_ref().take(self.skipped), &mut io::sink())?;
        Ok(if self.end_line {
            Box::new(reader.chain(Cursor::new(b"\r\n")))
        } else {
            reader
        })
    }

    fn is_in_memory(&self) -> bool {
        self.content.origin.is_in_memory()
    }

    fn octets(&self) -> Option<u64> {
        let end = if self.end_line { 2 } else { 0 };
        self.octets.checked_sub(self.skipped)?.checked_add(end)
    }
}

/// Writes CRLF for an LF alone.
struct UnixLineEnds<R> {
    inner: R,
    read: Vec<u8>,
    after_cr: bool,
}

impl<R: Read> UnixLineEnds<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            read: Vec::new(),
            after_cr: false,
        }
    }
}

impl<R: Read> Encode for UnixLineEnds<R> {
    fn encode(&mut self, block: &mut Vec<u8>) -> io::Result<()> {
        const BLOCK: u64 = 8 * 1024;
        self.read.clear();
        self.inner.by_ref().take(BLOCK).read_to_end(&mut self.read)?;
        for piece in self.read.split_inclusive(|&octet| octet == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(line) if line.ends_with(b"\r") || line.is_empty() && self.after_cr => {
                    block.extend_from_slice(piece);
                }
                Some(line) => {
                    block.extend_from_slice(line);
                    block.extend_from_slice(b"\r\n");
                }
                None => block.extend_from_slice(piece),
            }
            self.after_cr = piece.ends_with(b"\r");
        }
        Ok(())
    }
}
