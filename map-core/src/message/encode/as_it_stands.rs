//! Bodies that are not encoded at all, looked at on their way.

use super::{MAX_LINE, TransferEncoding};
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
pub(super) struct LineCheck {
    eight_bit: bool,
    column: usize,
    after_cr: bool,
}

impl LineCheck {
    pub(super) fn new(encoding: TransferEncoding) -> Self {
        Self {
            eight_bit: encoding == TransferEncoding::EightBit,
            column: 0,
            after_cr: false,
        }
    }

    pub(super) fn look(&mut self, octets: &[u8]) -> Result<(), Unfit> {
        for &octet in octets {
            if self.after_cr && octet != b'\n' {
                return Err(Unfit::BareLineEnd);
            }
            match octet {
                b'\n' if !self.after_cr => return Err(Unfit::BareLineEnd),
                b'\n' => self.column = 0,
                b'\r' => {}
                0 => return Err(Unfit::Nul),
                0x80.. if !self.eight_bit => return Err(Unfit::EightBit),
                _ => {
                    self.column += 1;
                    if self.column > MAX_LINE {
                        return Err(Unfit::LongLine);
                    }
                }
            }
            self.after_cr = octet == b'\r';
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
pub(super) struct Checked<R> {
    pub(super) inner: R,
    pub(super) check: LineCheck,
    /// The end of the data is the end of the message.
    pub(super) whole: bool,
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
