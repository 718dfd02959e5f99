//! Bodies as they go over the wire: which transfer encoding a text takes, and encoders that are read from.
//!
//! An encoder pulls from the caller's text and holds one block of a few thousand octets, whatever the text's
//! length.

mod as_it_stands;
mod base64;
mod data;
mod fit;
mod line_ends;
mod quoted_printable;
mod quoted_printable_data;

pub use self::as_it_stands::Unfit;
pub(super) use self::as_it_stands::{Checked, LineCheck};
use self::base64::Base64;
pub(super) use self::data::DataBody;
pub use self::fit::{BodyKind, seven_bit};
use self::line_ends::{LineEnds, lines};
use self::quoted_printable::QuotedPrintable;
use super::{Content, Source};
use crate::envelope::BodyType;
use std::fmt;
use std::io::{self, Read};
use std::sync::OnceLock;

/// How a body is made fit for its way: `Content-Transfer-Encoding`.
///
/// [RFC 2045 section 6](https://www.rfc-editor.org/rfc/rfc2045#section-6) and, for `binary`,
/// [RFC 3030](https://www.rfc-editor.org/rfc/rfc3030). Left to itself a message has bodies of 7-bit lines, so that no
/// host has to offer anything for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransferEncoding {
    /// Four characters for three octets: any data.
    Base64,
    /// The data itself, any octets in lines of any length: a host needs BINARYMIME and CHUNKING for it.
    Binary,
    /// The text itself, in lines of at most 998 octets: a host needs 8BITMIME for it.
    EightBit,
    /// A text that a person can still read on the wire, what is not printable ASCII written as `=` and its code.
    QuotedPrintable,
    /// The text itself: ASCII, in lines of at most 998 octets.
    SevenBit,
}

impl TransferEncoding {
    /// As the header field names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Binary => "binary",
            Self::EightBit => "8bit",
            Self::QuotedPrintable => "quoted-printable",
            Self::SevenBit => "7bit",
        }
    }

    /// What a host must be asked for in MAIL.
    pub(super) fn body_type(self) -> BodyType {
        match self {
            Self::Base64 | Self::QuotedPrintable | Self::SevenBit => BodyType::SevenBit,
            Self::Binary => BodyType::Binary,
            Self::EightBit => BodyType::EightBit,
        }
    }
}

/// A text as a body: its line ends made CRLF, a missing last one added, in the encoding it needs.
pub(super) struct TextBody {
    content: Content,
    encoding: TransferEncoding,
    normalised: u64,
    octets: OnceLock<u64>,
}

impl TextBody {
    /// Looks the text through once and chooses its encoding, 7 bit.
    pub(super) fn new(content: Content) -> Self {
        Self::for_hosts(content, BodyType::SevenBit)
    }

    /// The same, where the text may go as it stands if a host takes `body_type`.
    pub(super) fn for_hosts(content: Content, body_type: BodyType) -> Self {
        let findings = Findings::of(content.as_str().as_bytes());
        let as_it_stands = findings.as_it_stands();
        let encoding = if as_it_stands.body_type() <= body_type && body_type > BodyType::SevenBit {
            as_it_stands
        } else {
            findings.encoding()
        };
        Self::with_findings(content, encoding, &findings)
    }

    /// The encoding that was asked for, if the text fits into it.
    pub(super) fn encoded(content: Content, encoding: TransferEncoding) -> Result<Self, Unfit> {
        let text = content.as_str().as_bytes();
        let findings = Findings::of(text);
        let eight_bit = || !text.is_ascii();
        match encoding {
            TransferEncoding::SevenBit if eight_bit() => Err(Unfit::EightBit),
            TransferEncoding::SevenBit | TransferEncoding::EightBit if findings.longest_line > MAX_LINE => {
                Err(Unfit::LongLine)
            }
            _ => Ok(Self::with_findings(content, encoding, &findings)),
        }
    }

    fn with_findings(content: Content, encoding: TransferEncoding, findings: &Findings) -> Self {
        Self {
            encoding,
            normalised: findings.normalised,
            content,
            octets: OnceLock::new(),
        }
    }

    /// The encoding it takes.
    pub(super) fn encoding(&self) -> TransferEncoding {
        self.encoding
    }
}

impl Source for TextBody {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let content = self.content.clone();
        Ok(match self.encoding {
            TransferEncoding::Binary | TransferEncoding::EightBit | TransferEncoding::SevenBit => {
                Box::new(LineEnds::new(content))
            }
            TransferEncoding::QuotedPrintable => Box::new(Blocks::new(QuotedPrintable::new(content))),
            TransferEncoding::Base64 => Box::new(Blocks::new(Base64::new(LineEnds::new(content)))),
        })
    }

    fn is_in_memory(&self) -> bool {
        true
    }

    fn octets(&self) -> Option<u64> {
        Some(*self.octets.get_or_init(|| match self.encoding {
            TransferEncoding::Binary | TransferEncoding::EightBit | TransferEncoding::SevenBit => {
                self.normalised
            }
            TransferEncoding::QuotedPrintable => QuotedPrintable::new(self.content.clone()).count(),
            TransferEncoding::Base64 => base64::encoded_octets(self.normalised),
        }))
    }
}

/// Without the text, which may be of any length and is nobody else's business.
impl fmt::Debug for TextBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextBody")
            .field("encoding", &self.encoding)
            .field("normalised", &self.normalised)
            .finish_non_exhaustive()
    }
}

/// What a text holds that bears on its encoding.
#[derive(Debug, Default)]
struct Findings {
    /// Octets of the text after its line ends were made CRLF and a missing last one was added.
    normalised: u64,
    /// Octets that 7bit must not carry, or should not.
    unfit: usize,
    /// Octets that quoted-printable must escape.
    escaped: usize,
    /// Octets that it need not.
    literal: usize,
    longest_line: usize,
    /// A line that something on the way may change: one that ends in blanks, or begins like a line of an mbox.
    fragile: bool,
}

// https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1
// > Each line of characters MUST be no more than 998 characters
pub(super) const MAX_LINE: usize = 998;

impl Findings {
    fn of(text: &[u8]) -> Self {
        let mut findings = Self::default();
        let mut octets_in_lines = 0;
        for line in lines(text) {
            octets_in_lines += line.len();
            findings.normalised += (line.len() + 2) as u64;
            findings.longest_line = findings.longest_line.max(line.len());
            findings.fragile |= matches!(line.last(), Some(b' ' | b'\t')) || line.starts_with(b"From ");
        }
        let line_ends = text.len() - octets_in_lines;
        let tabs = memchr::memchr_iter(b'\t', text).count();
        let equals_signs = memchr::memchr_iter(b'=', text).count();
        findings.unfit = unprintable(text) - line_ends - tabs;
        findings.escaped = findings.unfit + equals_signs;
        findings.literal = octets_in_lines - findings.escaped;
        findings
    }

    /// Three things are legal in 7bit and yet not sent so. Control characters: a terminal that shows the mail obeys
    /// them. Blanks at the end of a line: some relays cut them off. `From ` at its start: it becomes `>From ` in a
    /// mailbox file (both in <https://www.rfc-editor.org/rfc/rfc2049#section-3>).
    ///
    /// An escaped octet takes three in quoted-printable, and every octet four thirds in base64: they are equal when
    /// one octet in six is escaped.
    fn encoding(&self) -> TransferEncoding {
        if self.unfit == 0 && self.longest_line <= MAX_LINE && !self.fragile {
            TransferEncoding::SevenBit
        } else if self.escaped.saturating_mul(5) <= self.literal {
            TransferEncoding::QuotedPrintable
        } else {
            TransferEncoding::Base64
        }
    }

    /// What the text is when nothing is encoded. Here what may be changed on the way is the choice of the caller, who
    /// asked for it as it stands.
    fn as_it_stands(&self) -> TransferEncoding {
        if self.longest_line > MAX_LINE {
            TransferEncoding::Binary
        } else if self.unfit > 0 {
            TransferEncoding::EightBit
        } else {
            TransferEncoding::SevenBit
        }
    }
}

/// How many octets are not from blank to tilde. Eight at a time: every content is looked through whole.
fn unprintable(text: &[u8]) -> usize {
    const fn each(octet: u8) -> u64 {
        u64::from_ne_bytes([octet; 8])
    }
    let unprintable_in = |word: &[u8; 8]| {
        let word = u64::from_ne_bytes(*word);
        let low = word & each(0x7f);
        // No sum carries into the next octet. The top bit of each tells: not ASCII, or below blank, or DEL.
        let found = (word | !(low + each(0x80 - b' ')) | (low + each(0x01))) & each(0x80);
        found.count_ones() as usize
    };
    let (words, rest) = text.as_chunks();
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    words.iter().map(unprintable_in).sum::<usize>() + unprintable_in(&last)
}

/// An encoder that works block by block.
pub(super) trait Encode {
    /// Appends the next octets to `block`, or nothing at the end.
    fn encode(&mut self, block: &mut Vec<u8>) -> io::Result<()>;
}

/// About how many octets an encoder makes at a time.
const BLOCK: usize = 8 * 1024;

/// An encoder that can be read from.
pub(super) struct Blocks<E> {
    encoder: E,
    block: Vec<u8>,
    taken: usize,
    /// What the encoder had read was lost with an error: nothing that follows can be right.
    failed: bool,
}

impl<E> Blocks<E> {
    pub(super) fn new(encoder: E) -> Self {
        Self {
            encoder,
            block: Vec::new(),
            taken: 0,
            failed: false,
        }
    }
}

impl<E: Encode> Read for Blocks<E> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.block.len() && !out.is_empty() {
            self.block.clear();
            self.taken = 0;
            if self.failed {
                return Err(io::Error::other("the encoder has failed before"));
            }
            self.failed = true;
            self.encoder.encode(&mut self.block)?;
            self.failed = false;
        }
        let read = self.block[self.taken..].as_ref().read(out)?;
        self.taken += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
