//! In which character set a text is that comes as data: found out by looking it through, a block at a time.

use super::origin::Origin;
use std::io::{self, Read};

/// What the octets of a text can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    Ascii,
    /// UTF-8, and more than ASCII.
    Utf8,
    /// Something else: only whoever has written it knows.
    Other,
}

impl Charset {
    /// `None` if it cannot be known now: a reader is read when the message is sent, in a thread that may wait, and a file
    /// that cannot be read says so then.
    pub(super) fn of(origin: &Origin) -> Option<Self> {
        match origin {
            Origin::Reader { .. } => None,
            Origin::File { .. } | Origin::Memory(_) => Self::of_reader(origin.open().ok()?).ok(),
        }
    }

    fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        let mut block = vec![0; 64 * 1024];
        let mut found = Self::Ascii;
        // Octets of a character that the last block ended inside of.
        let mut begun = 0;
        loop {
            let read = match reader.read(block.get_mut(begun..).unwrap_or_default()) {
                Ok(0) if begun > 0 => return Ok(Self::Other),
                Ok(0) => return Ok(found),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let octets = block.get(..begun + read).unwrap_or_default();
            if octets.is_ascii() {
                begun = 0;
                continue;
            }
            found = Self::Utf8;
            let whole = match std::str::from_utf8(octets) {
                Ok(_) => octets.len(),
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                Err(_) => return Ok(Self::Other),
            };
            begun = octets.len() - whole;
            block.copy_within(whole..whole + begun, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::io::Write;

    /// Gives a few octets at a time.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(out.len());
            self.0.read(&mut out[..length])
        }
    }

    #[test]
    fn whatever_the_blocks() {
        let large = "日本語é😀a".repeat(40_000);
        let cut = &large.as_bytes()[..large.len() - 2];
        for (octets, expected) in [
            (&b""[..], Charset::Ascii),
            (b"plain\r\n", Charset::Ascii),
            ("Grüße".as_bytes(), Charset::Utf8),
            ("😀".as_bytes(), Charset::Utf8),
            (b"Gr\xfc\xdfe", Charset::Other),
            (b"ends inside \xc3", Charset::Other),
            (b"\xff\xfea\0", Charset::Other),
            (b"\xc0\xaf", Charset::Other),
            (large.as_bytes(), Charset::Utf8),
            (&cut[..cut.len() - 1], Charset::Other),
        ] {
            assert_eq!(
                Charset::of(&Origin::Memory(Bytes::copy_from_slice(octets))),
                Some(expected)
            );
            for piece in [1, 2, 3, 5, 4096, usize::MAX] {
                assert_eq!(
                    Charset::of_reader(Pieces(octets, piece)).unwrap(),
                    expected,
                    "{piece}"
                );
            }
        }
    }

    #[test]
    fn files_are_read_and_readers_are_not() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all("é".repeat(100_000).as_bytes()).unwrap();
        let origin = Origin::file(file.path()).unwrap();
        assert_eq!(Charset::of(&origin), Some(Charset::Utf8));
        file.as_file().set_len(1).unwrap();
        assert_eq!(Charset::of(&origin), None);
        let reader = Origin::Reader {
            open: std::sync::Arc::new(|| panic!("it is read")),
            octets: None,
        };
        assert_eq!(Charset::of(&reader), None);
    }
}
