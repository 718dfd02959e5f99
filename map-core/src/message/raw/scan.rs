//! The one look at a raw message before it is sent: where its header ends, and what its lines hold.

use super::super::encode::MAX_LINE;
use super::super::needs::{LineTrouble, Reason};
use super::RawError;
use crate::envelope::BodyType;
use memchr::{memchr2, memchr3};

/// More than this is no header of a message. It is the most that is held of a message at a time.
pub(super) const MAX_HEADER: usize = 1024 * 1024;

/// Goes through a message once, in blocks of any size.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The header section, with the empty line after it.
    header: Vec<u8>,
    /// Past the header.
    in_body: bool,
    /// Whole lines so far.
    lines: u64,
    /// Octets of the line under way.
    column: usize,
    after_cr: bool,
    octets: u64,
    /// A NUL has been seen, and there is nothing worse: more of them are not looked for.
    has_nul: bool,
    body: Option<(BodyType, Reason)>,
}

/// What was seen.
pub(super) struct Scanned {
    pub(super) header: Vec<u8>,
    pub(super) octets: u64,
    /// The last line has its end.
    pub(super) ended: bool,
    /// What the body needs of a host, and why.
    pub(super) body: Option<(BodyType, Reason)>,
}

impl Scan {
    /// Looks at the next octets.
    pub(super) fn look(&mut self, octets: &[u8]) -> Result<(), RawError> {
        self.octets = self.octets.saturating_add(octets.len() as u64);
        let mut rest = octets;
        while !rest.is_empty() {
            // A piece of a line, or what ends or troubles one.
            let found = if self.has_nul {
                memchr2(b'\r', b'\n', rest)
            } else {
                memchr3(b'\r', b'\n', 0, rest)
            };
            let length = match found {
                Some(0) => 1,
                Some(length) => length,
                None => rest.len(),
            };
            let (piece, behind) = rest.split_at(length);
            let in_header = !self.in_body;
            if in_header {
                if self.header.len() + piece.len() > MAX_HEADER {
                    return Err(RawError::HeaderTooLong);
                }
                self.header.extend_from_slice(piece);
            }
            self.piece(piece)?;
            rest = behind;
        }
        Ok(())
    }

    /// The end of the message.
    pub(super) fn end(mut self) -> Result<Scanned, RawError> {
        if self.after_cr {
            self.trouble(LineTrouble::BareCr)?;
        }
        Ok(Scanned {
            header: self.header,
            octets: self.octets,
            ended: self.column == 0,
            body: self.body,
        })
    }

    fn piece(&mut self, piece: &[u8]) -> Result<(), RawError> {
        let after_cr = std::mem::replace(&mut self.after_cr, piece == b"\r");
        match piece {
            b"\n" => {
                if !after_cr {
                    self.trouble(LineTrouble::BareLf)?;
                }
                self.in_body |= self.column == 0;
                self.column = 0;
                self.lines += 1;
                return Ok(());
            }
            _ if after_cr => self.trouble(LineTrouble::BareCr)?,
            _ => {}
        }
        match piece {
            b"\r" => return Ok(()),
            b"\0" => {
                self.has_nul = true;
                self.trouble(LineTrouble::Nul)?;
            }
            _ if !piece.is_ascii() && self.in_body => self.trouble(LineTrouble::EightBit)?,
            _ => {}
        }
        self.column = self.column.saturating_add(piece.len());
        if self.column > MAX_LINE {
            self.trouble(LineTrouble::TooLong)?;
        }
        Ok(())
    }

    /// In a header it is an error, in a body something to ask of the host (RFC 6152, RFC 3030).
    fn trouble(&mut self, trouble: LineTrouble) -> Result<(), RawError> {
        let line = self.lines + 1;
        if !self.in_body {
            return Err(RawError::HeaderLine { line, trouble });
        }
        let needed = match trouble {
            LineTrouble::EightBit => BodyType::EightBit,
            LineTrouble::BareCr | LineTrouble::BareLf | LineTrouble::Nul | LineTrouble::TooLong => {
                BodyType::Binary
            }
        };
        if self.body.as_ref().is_none_or(|(known, _)| *known < needed) {
            self.body = Some((needed, Reason::Line { line, trouble }));
        }
        Ok(())
    }
}
