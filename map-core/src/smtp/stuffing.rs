//! The content on its way to the wire: a dot doubled at the beginning of a line, the end mark, and no line end
//! that is not CRLF. Under BDAT only the last of the three.
//!
//! RFC 5321 section 4.5.2, <https://www.rfc-editor.org/rfc/rfc5321#section-4.5.2>:
//! > Before sending a line of mail text, the SMTP client checks the first character of the line. If it is a
//! > period, one additional period is inserted at the beginning of the line.
//!
//! A bare CR or bare LF is refused here and not repaired: the two ends of a connection may not agree whether
//! LF . LF ends the content, and what follows would then be read as commands (SMTP smuggling). RFC 5321
//! section 2.3.8, <https://www.rfc-editor.org/rfc/rfc5321#section-2.3.8>:
//! > Conforming implementations MUST NOT recognize or generate any other character or character sequence as a
//! > line terminator.

use super::transmit::Part;
use bytes::Bytes;

/// Where in the content the next block begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// After a CR that is held back until the LF is seen.
    AfterCr,
    /// At the very beginning, or after a CRLF.
    LineStart,
    /// Anywhere else.
    WithinLine,
}

/// A CR without LF, or an LF without CR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bare CR or LF in the content")]
pub(super) struct BareLineEnd;

/// Follows one content through its blocks.
#[derive(Debug)]
pub(super) struct Stuffing {
    position: Position,
    dots: Dots,
}

#[derive(Clone, Copy, Debug)]
enum Dots {
    Doubled,
    AsTheyAre,
}

impl Stuffing {
    /// For DATA.
    pub(super) fn new() -> Self {
        Self {
            position: Position::LineStart,
            dots: Dots::Doubled,
        }
    }

    /// For BDAT, where a dot means nothing: line ends alone are followed.
    pub(super) fn of_lines() -> Self {
        Self {
            position: Position::LineStart,
            dots: Dots::AsTheyAre,
        }
    }

    /// Hands on what has to be written for a block, as slices of it with dots between them.
    ///
    /// Nothing of a block with a bare CR or LF is handed on, and nothing may follow it.
    pub(super) fn block(&mut self, block: &Bytes, mut write: impl FnMut(Part)) -> Result<(), BareLineEnd> {
        if block.is_empty() {
            return Ok(());
        }
        let scan = Scan::of(block, self.position)?;
        if self.position == Position::AfterCr {
            write(Part::Content(Bytes::from_static(b"\r")));
        }
        let mut from = 0;
        let dots = match self.dots {
            Dots::Doubled => scan.dots.as_slice(),
            Dots::AsTheyAre => &[],
        };
        for &dot in dots {
            if dot > from {
                write(Part::Content(block.slice(from..dot)));
            }
            write(Part::Ours(Bytes::from_static(b".")));
            from = dot;
        }
        if scan.end > from {
            write(Part::Content(block.slice(from..scan.end)));
        }
        self.position = scan.position;
        Ok(())
    }

    /// What the last line lacks of its end.
    pub(super) fn line_end(&self) -> Result<&'static [u8], BareLineEnd> {
        match self.position {
            Position::AfterCr => Err(BareLineEnd),
            Position::LineStart => Ok(b""),
            Position::WithinLine => Ok(b"\r\n"),
        }
    }

    /// The end mark, on a line of its own.
    pub(super) fn end_mark(&self) -> Result<Bytes, BareLineEnd> {
        match self.position {
            Position::AfterCr => Err(BareLineEnd),
            Position::LineStart => Ok(Bytes::from_static(b".\r\n")),
            Position::WithinLine => Ok(Bytes::from_static(b"\r\n.\r\n")),
        }
    }
}

/// What one pass over a block finds.
struct Scan {
    /// Where a dot has to be inserted.
    dots: Vec<usize>,
    /// Where the octets end that can be written now: before a CR that is the last one.
    end: usize,
    /// Where the next block begins.
    position: Position,
}

impl Scan {
    fn of(block: &[u8], start: Position) -> Result<Self, BareLineEnd> {
        let mut dots = Vec::new();
        let mut at = 0;
        let mut line_start = start == Position::LineStart;
        if start == Position::AfterCr {
            if block.first() != Some(&b'\n') {
                return Err(BareLineEnd);
            }
            at = 1;
            line_start = true;
        }
        loop {
            let rest = block.get(at..).unwrap_or_default();
            if line_start && rest.first() == Some(&b'.') {
                dots.push(at);
            }
            let Some(found) = memchr::memchr2(b'\r', b'\n', rest) else {
                let position = if line_start && rest.is_empty() {
                    Position::LineStart
                } else {
                    Position::WithinLine
                };
                return Ok(Self {
                    dots,
                    end: block.len(),
                    position,
                });
            };
            match rest.get(found..).unwrap_or_default() {
                [b'\r'] => {
                    return Ok(Self {
                        dots,
                        end: block.len() - 1,
                        position: Position::AfterCr,
                    });
                }
                [b'\r', b'\n', ..] => at += found + 2,
                _ => return Err(BareLineEnd),
            }
            line_start = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Everything that is written for a content in these blocks, or that it must not be.
    fn written(blocks: &[&[u8]]) -> Result<Vec<u8>, BareLineEnd> {
        let mut octets = Vec::new();
        let mut stuffing = Stuffing::new();
        for block in blocks {
            stuffing.block(&Bytes::copy_from_slice(block), |part| match part {
                Part::Content(slice) | Part::Ours(slice) => octets.extend_from_slice(&slice),
            })?;
        }
        octets.extend_from_slice(&stuffing.end_mark()?);
        Ok(octets)
    }

    #[test]
    fn dots_line_ends_and_the_end_mark() {
        let table: [(&[&[u8]], &[u8]); 16] = [
            (&[], b".\r\n"),
            (&[b""], b".\r\n"),
            (&[b"a"], b"a\r\n.\r\n"),
            (&[b"a\r\n"], b"a\r\n.\r\n"),
            (&[b"."], b"..\r\n.\r\n"),
            (&[b".\r\n"], b"..\r\n.\r\n"),
            (&[b"..\r\n.a\r\n"], b"...\r\n..a\r\n.\r\n"),
            (&[b"a.\r\n"], b"a.\r\n.\r\n"),
            (&[b"\r\n.\r\n"], b"\r\n..\r\n.\r\n"),
            (&[b"a\r\n", b".b"], b"a\r\n..b\r\n.\r\n"),
            (&[b"a", b".b\r\n"], b"a.b\r\n.\r\n"),
            (&[b"a\r", b"\n.b\r\n"], b"a\r\n..b\r\n.\r\n"),
            (&[b"a\r", b"\n", b".b\r\n"], b"a\r\n..b\r\n.\r\n"),
            (&[b"a\r", b"", b"\nb"], b"a\r\nb\r\n.\r\n"),
            (&[b"\r", b"\n", b"", b"."], b"\r\n..\r\n.\r\n"),
            (&[b"a\r\n", b"", b".\r\n"], b"a\r\n..\r\n.\r\n"),
        ];
        for (blocks, expected) in table {
            assert_eq!(written(blocks).as_deref(), Ok(expected), "{blocks:?}");
        }
    }

    #[test]
    fn a_bare_cr_or_lf_is_refused_wherever_the_blocks_end() {
        let table: [&[&[u8]]; 14] = [
            &[b"\n"],
            &[b"\r"],
            &[b"a\nb"],
            &[b"a\rb"],
            &[b"a\r\r\n"],
            &[b"a\r\n\n"],
            &[b"a\r", b"\r\n"],
            &[b"a\r", b"b"],
            &[b"a\r", b"b\n"],
            &[b"a", b"\nb"],
            &[b"a\r\n", b"\n"],
            &[b"a\r\n", b"b\r"],
            &[b"\n.\r\n"],
            &[b"\r.\r\n"],
        ];
        for blocks in table {
            assert_eq!(written(blocks), Err(BareLineEnd), "{blocks:?}");
        }
    }

    #[test]
    fn nothing_of_a_refused_block_is_written() {
        let mut stuffing = Stuffing::new();
        let block = Bytes::from_static(b"good line\r\n.dot\r\nbad\nline");
        assert_eq!(stuffing.block(&block, |_| panic!("wrote")), Err(BareLineEnd));
    }

    #[test]
    fn the_body_is_not_copied() {
        let block = Bytes::from(b".first\r\nsecond\r\n.third\r\n".repeat(100));
        let own = block.as_ptr_range();
        let mut slices = 0;
        let write = |part: Part| {
            match part {
                Part::Content(slice) => assert!(own.contains(&slice.as_ptr()), "a copy: {slice:?}"),
                Part::Ours(slice) => assert_eq!(slice, "."),
            }
            slices += 1;
        };
        Stuffing::new().block(&block, write).unwrap();
        assert!(slices <= 401, "{slices} slices for 200 dots");
    }

    /// RFC 5321 section 4.5.2 from the other side: the receiver takes the added dots away.
    fn received(wire: &[u8]) -> Vec<u8> {
        let body = wire.strip_suffix(b".\r\n").unwrap();
        assert!(body.is_empty() || body.ends_with(b"\r\n"));
        let lines = body.split_inclusive(|octet| *octet == b'\n');
        lines
            .flat_map(|line| line.strip_prefix(b".").unwrap_or(line).to_vec())
            .collect()
    }

    proptest! {
        #[test]
        fn the_receiver_reads_what_was_given(
            words in proptest::collection::vec(prop_oneof!["\r\n", "[.]", "[.]\r\n", "[a-z.]{1,5}"], 0..40),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let content = words.concat().into_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(content.len() + 1)).collect();
            cuts.sort_unstable();
            let mut blocks = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([content.len()]) {
                blocks.push(&content[from..cut]);
                from = cut;
            }
            let wire = written(&blocks).unwrap();
            prop_assert_eq!(&wire, &written(&[&content]).unwrap());
            prop_assert_eq!(wire.windows(5).filter(|five| five == b"\r\n.\r\n").count(), usize::from(wire.len() > 3));
            let mut expected = content.clone();
            if !content.is_empty() && !content.ends_with(b"\r\n") {
                expected.extend_from_slice(b"\r\n");
            }
            prop_assert_eq!(received(&wire), expected);
        }
    }
}
