//! The hash of a body.

use ring::digest::{Context, Digest, SHA256};

/// Takes a body in pieces, in the `relaxed` form of
/// [RFC 6376 section 3.4.4](https://www.rfc-editor.org/rfc/rfc6376#section-3.4.4), and gives the hash of it.
///
/// Blanks and line ends are held back, as a number of them, until it is known whether anything follows; nothing else
/// is. A CR or LF alone, which only a binary body has, is an octet like others.
pub(crate) struct BodyHash {
    digest: Context,
    /// What has been canonicalised and not hashed yet.
    block: Vec<u8>,
    /// Line ends held back: those at the end of the body count for nothing.
    line_ends: u64,
    /// A blank or more, held back: those at the end of a line count for nothing.
    blank: bool,
    /// A CR, held back until it is known whether an LF follows.
    cr: bool,
    empty: bool,
}

const BLOCK: usize = 16 * 1024;

impl BodyHash {
    pub(crate) fn new() -> Self {
        Self {
            digest: Context::new(&SHA256),
            block: Vec::with_capacity(BLOCK),
            line_ends: 0,
            blank: false,
            cr: false,
            empty: true,
        }
    }

    pub(crate) fn update(&mut self, mut octets: &[u8]) {
        while let Some((&octet, rest)) = octets.split_first() {
            match octet {
                b'\n' if self.cr => {
                    self.cr = false;
                    self.blank = false;
                    self.line_ends += 1;
                    octets = rest;
                    continue;
                }
                _ if std::mem::take(&mut self.cr) => self.text(b"\r"),
                _ => {}
            }
            match octet {
                b'\r' => self.cr = true,
                b' ' | b'\t' => self.blank = true,
                _ => {
                    let end = memchr::memchr3(b' ', b'\t', b'\r', octets).unwrap_or(octets.len());
                    let (text, behind) = octets.split_at(end);
                    self.text(text);
                    octets = behind;
                    continue;
                }
            }
            octets = rest;
        }
    }

    pub(crate) fn finish(mut self) -> Digest {
        if std::mem::take(&mut self.cr) {
            self.text(b"\r");
        }
        // Blanks and empty lines at the end are not part of it, and the last line has an end whether it had one or not.
        if !self.empty {
            self.block.extend_from_slice(b"\r\n");
        }
        self.digest.update(&self.block);
        self.digest.finish()
    }

    /// Neither blanks nor line ends.
    fn text(&mut self, text: &[u8]) {
        for _ in 0..std::mem::take(&mut self.line_ends) {
            self.push(b"\r\n");
        }
        if std::mem::take(&mut self.blank) {
            self.push(b" ");
        }
        self.push(text);
        self.empty = false;
    }

    fn push(&mut self, octets: &[u8]) {
        if self.block.len() + octets.len() > BLOCK {
            self.digest.update(&self.block);
            self.block.clear();
        }
        if octets.len() > BLOCK {
            self.digest.update(octets);
        } else {
            self.block.extend_from_slice(octets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hash(body: &[u8], piece: usize) -> Vec<u8> {
        let mut hash = BodyHash::new();
        for piece in body.chunks(piece) {
            hash.update(piece);
        }
        hash.finish().as_ref().to_vec()
    }

    fn sha256(octets: &[u8]) -> Vec<u8> {
        ring::digest::digest(&SHA256, octets).as_ref().to_vec()
    }

    /// The rules one after the other, on the whole.
    fn relaxed(body: &[u8]) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> = vec![Vec::new()];
        let mut rest = body;
        while let Some((&octet, behind)) = rest.split_first() {
            if let Some(behind) = rest.strip_prefix(b"\r\n") {
                lines.push(Vec::new());
                rest = behind;
                continue;
            }
            let line = lines.last_mut().unwrap();
            match octet {
                b' ' | b'\t' if line.last() == Some(&b' ') => {}
                b' ' | b'\t' => line.push(b' '),
                _ => line.push(octet),
            }
            rest = behind;
        }
        for line in &mut lines {
            if line.last() == Some(&b' ') {
                line.pop();
            }
        }
        while lines.last().is_some_and(Vec::is_empty) {
            lines.pop();
        }
        lines
            .into_iter()
            .flat_map(|line| [line, b"\r\n".to_vec()].concat())
            .collect()
    }

    #[test]
    fn bodies_in_their_relaxed_form() {
        for (body, expected) in [
            // RFC 6376 section 3.4.5
            (&b" C \r\nD \t E\r\n\r\n\r\n"[..], &b" C\r\nD E\r\n"[..]),
            (b"", b""),
            (b"\r\n\r\n", b""),
            (b" \t\r\n \r\n", b""),
            (b"a", b"a\r\n"),
            (b"a  ", b"a\r\n"),
            (b"a\r\n", b"a\r\n"),
            // A line of blanks at the end is an empty one.
            (b"a\r\n \t\r\n\r\n", b"a\r\n"),
            (b"a\r\n \t\r\nb", b"a\r\n\r\nb\r\n"),
            (b"\r\n\r\na", b"\r\n\r\na\r\n"),
            (b"  a", b" a\r\n"),
            (b"a \t \tb\t\r\n", b"a b\r\n"),
            // Neither is a line end.
            (b"a \nb\r", b"a \nb\r\r\n"),
            (b"a\r\r\n\n", b"a\r\r\n\n\r\n"),
            (b" \r \n", b" \r \n\r\n"),
            (b"\xff\0\xfe", b"\xff\0\xfe\r\n"),
        ] {
            assert_eq!(relaxed(body), expected, "{body:?}");
            for piece in 1..=body.len().max(1) {
                assert_eq!(hash(body, piece), sha256(expected), "{body:?} by {piece}");
            }
        }
    }

    #[test]
    fn what_is_larger_than_a_block() {
        for body in [
            vec![b'x'; 3 * BLOCK + 1],
            b"\r\n".repeat(BLOCK),
            [b"\r\n".repeat(BLOCK), b"a".to_vec()].concat(),
            b"word and word \r\n".repeat(BLOCK / 4),
        ] {
            for piece in [7, 4096, BLOCK, body.len()] {
                assert_eq!(hash(&body, piece), sha256(&relaxed(&body)), "{piece}");
            }
        }
    }

    proptest! {
        #[test]
        fn in_any_pieces(body in prop::collection::vec(prop::sample::select(b" \t\r\nab".to_vec()), 0..60)) {
            let expected = sha256(&relaxed(&body));
            for piece in [1, 2, 3, 7, 60] {
                prop_assert_eq!(&hash(&body, piece), &expected);
            }
        }
    }
}
