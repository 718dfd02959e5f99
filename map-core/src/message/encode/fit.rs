//! Bodies of any octets made fit for every host.

use super::base64::Base64;
use super::line_ends::lines;
use super::quoted_printable::QuotedPrintable;
use super::{Blocks, Findings, MAX_LINE, TransferEncoding};
use crate::message::Content;
use std::io::{Cursor, Read};

/// What the octets of a body are, which another library holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyKind {
    /// Data whose every octet counts.
    Data,
    /// Data in lines: LF and CRLF end one.
    Lines,
    /// A text in a character set that has ASCII in it: CR, LF and CRLF end a line.
    Text,
}

/// The body as 7-bit lines ended by CRLF, encoded if it must be. Nothing is added at its end.
///
/// # Example
/// ```
/// use map_core::message::{BodyKind, TransferEncoding, seven_bit};
///
/// let (encoding, octets) = seven_bit(b"a\nb", BodyKind::Text);
/// assert_eq!((encoding, &octets[..]), (TransferEncoding::SevenBit, &b"a\r\nb"[..]));
/// let (encoding, octets) = seven_bit("Grüße\n".as_bytes(), BodyKind::Text);
/// assert_eq!((encoding, &octets[..]), (TransferEncoding::Base64, &b"R3LDvMOfZQ0K\r\n"[..]));
/// ```
pub fn seven_bit(octets: &[u8], kind: BodyKind) -> (TransferEncoding, Vec<u8>) {
    let has_cr = || memchr::memchr_iter(b'\r', octets).any(|at| octets.get(at + 1) != Some(&b'\n'));
    let has_nul = memchr::memchr(0, octets).is_some();
    match kind {
        _ if has_nul => encoded(octets),
        BodyKind::Data => encoded(octets),
        BodyKind::Lines if has_cr() => encoded(octets),
        BodyKind::Lines | BodyKind::Text => {
            let normalised = normalised(octets);
            let fits = lines(octets).all(|line| line.len() <= MAX_LINE && line.is_ascii());
            if fits {
                (TransferEncoding::SevenBit, normalised)
            } else if kind == BodyKind::Lines {
                encoded(octets)
            } else {
                text(octets, &normalised)
            }
        }
    }
}

/// A text that a person can still read on the wire where that is the shorter way.
fn text(octets: &[u8], normalised: &[u8]) -> (TransferEncoding, Vec<u8>) {
    let content = Content::parse(octets);
    match (Findings::of(octets).encoding(), content) {
        (TransferEncoding::QuotedPrintable, Ok(content)) => {
            let mut out = read(Blocks::new(QuotedPrintable::new(content)));
            if !normalised.ends_with(b"\n") {
                // The encoder ends the last line.
                out.truncate(out.len().saturating_sub(2));
            }
            (TransferEncoding::QuotedPrintable, out)
        }
        _ => encoded(normalised),
    }
}

fn encoded(octets: &[u8]) -> (TransferEncoding, Vec<u8>) {
    let all = Blocks::new(Base64::new(Cursor::new(octets)));
    (TransferEncoding::Base64, read(all))
}

fn normalised(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + octets.len() / 32);
    for line in lines(octets) {
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    if !octets.ends_with(b"\n") && !octets.ends_with(b"\r") {
        out.truncate(out.len().saturating_sub(2));
    }
    out
}

fn read(mut encoder: impl Read) -> Vec<u8> {
    let mut out = Vec::new();
    // Nothing that is read from memory fails.
    let _ = encoder.read_to_end(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_that_fits() {
        let long = [&[b'x'; 999][..], b"\n"].concat();
        let soft = [&[b'x'; 75][..], b"=\r\n"].concat();
        let long_encoded = [&soft.repeat(13)[..], &[b'x'; 24][..], b"\r\n"].concat();
        for (octets, kind, encoding, expected) in [
            (&b""[..], BodyKind::Text, TransferEncoding::SevenBit, &b""[..]),
            (
                b"a\nb\r\n\rc",
                BodyKind::Text,
                TransferEncoding::SevenBit,
                b"a\r\nb\r\n\r\nc",
            ),
            (
                b"a\n\n",
                BodyKind::Lines,
                TransferEncoding::SevenBit,
                b"a\r\n\r\n",
            ),
            (b"a\rb", BodyKind::Lines, TransferEncoding::Base64, b"YQ1i\r\n"),
            (b"a\n", BodyKind::Data, TransferEncoding::Base64, b"YQo=\r\n"),
            (b"a\0\n", BodyKind::Text, TransferEncoding::Base64, b"YQAK\r\n"),
            (b"\xff\n", BodyKind::Text, TransferEncoding::Base64, b"/w0K\r\n"),
            (b"\xff\n", BodyKind::Lines, TransferEncoding::Base64, b"/wo=\r\n"),
            (
                b"the caf\xc3\xa9 at the corner\nis open",
                BodyKind::Text,
                TransferEncoding::QuotedPrintable,
                b"the caf=C3=A9 at the corner\r\nis open",
            ),
            (
                b"the caf\xc3\xa9 at the corner\n",
                BodyKind::Text,
                TransferEncoding::QuotedPrintable,
                b"the caf=C3=A9 at the corner\r\n",
            ),
            (
                &long,
                BodyKind::Text,
                TransferEncoding::QuotedPrintable,
                &long_encoded,
            ),
        ] {
            assert_eq!(
                seven_bit(octets, kind),
                (encoding, expected.to_vec()),
                "{octets:?} {kind:?}"
            );
        }
    }
}
