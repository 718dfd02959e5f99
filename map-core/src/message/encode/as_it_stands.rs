//! Bodies that are not encoded at all, looked at on their way.

use super::{MAX_LINE, TransferEncoding};
use memchr::memchr3;
use std::io::{self, Read};

/// Why a body cannot go in the encoding that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// A CR or LF that is no line end. Data with such octets can be sent as base64, quoted-printable or binary.
    #[error("a CR or LF stands alone, and 7bit and 8bit have lines that end in both")]
    BareLineEnd,
    /// An octet beyond ASCII in 7bit.
    #[error("an octet is not ASCII, and 7bit has no other")]
    EightBit,
    /// A line of more than 998 octets. Only base64, quoted-printable and binary take any length.
    #[error("a line is longer than 998 octets, the most of 7bit and 8bit")]
    LongLine,
    /// The last line does not end, where the end of the message is the end of the data.
    #[error("the last line has no end, and nothing but the whole message is there to give it one")]
    NoLineEnd,
    /// NUL.
    #[error("there is a NUL octet, which neither 7bit nor 8bit has")]
    Nul,
}

/// Looks lines through that are to go as 7bit or 8bit.
// https://www.rfc-editor.org/rfc/rfc2045#section-2.7
// > No octets with decimal values greater than 127 are allowed and neither are NULs (octets with decimal value 0).
// > CR (decimal value 13) and LF (decimal value 10) octets only occur as part of CRLF line separation sequences.
#[derive(Debug)]
pub(in crate::message) struct LineCheck {
    eight_bit: bool,
    column: usize,
    after_cr: bool,
}

impl LineCheck {
    pub(in crate::message) fn new(encoding: TransferEncoding) -> Self {
        Self {
            eight_bit: encoding == TransferEncoding::EightBit,
            column: 0,
            after_cr: false,
        }
    }

    pub(super) fn look(&mut self, octets: &[u8]) -> Result<(), Unfit> {
        let mut rest = octets;
        while let Some(first) = rest.first() {
            if std::mem::take(&mut self.after_cr) {
                if *first != b'\n' {
                    return Err(Unfit::BareLineEnd);
                }
                self.column = 0;
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let length = memchr3(b'\r', b'\n', 0, rest).unwrap_or(rest.len());
            let (piece, behind) = rest.split_at(length);
            if !self.eight_bit && !piece.is_ascii() {
                return Err(Unfit::EightBit);
            }
            self.column = self.column.saturating_add(length);
            if self.column > MAX_LINE {
                return Err(Unfit::LongLine);
            }
            match behind.first() {
                Some(b'\r') => self.after_cr = true,
                Some(b'\n') => return Err(Unfit::BareLineEnd),
                Some(_) => return Err(Unfit::Nul),
                None => {}
            }
            rest = behind.get(1..).unwrap_or_default();
        }
        Ok(())
    }

    pub(super) fn end(&self) -> Result<(), Unfit> {
        if self.after_cr {
            Err(Unfit::BareLineEnd)
        } else {
            Ok(())
        }
    }

    /// True when the last line has its end, or there is none.
    pub(super) fn ended(&self) -> bool {
        self.column == 0 && !self.after_cr
    }
}

/// Reads what `inner` gives, or fails at what the encoding does not allow.
pub(in crate::message) struct Checked<R> {
    pub(in crate::message) inner: R,
    pub(in crate::message) check: LineCheck,
    /// The end of the data is the end of the message.
    pub(in crate::message) whole: bool,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        if read > 0 {
            let octets = out.get(..read).unwrap_or_default();
            self.check.look(octets).map_err(io::Error::other)?;
        } else if !out.is_empty() {
            self.check.end().map_err(io::Error::other)?;
            if self.whole && !self.check.ended() {
                return Err(io::Error::other(Unfit::NoLineEnd));
            }
        }
        Ok(read)
    }
}
