//! Where data comes from: memory, a file, or whatever can be read.

use crate::local::in_words;
use crate::text::named;
use bytes::{Buf, Bytes};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Opens a reader from its beginning, each time that the message is sent.
pub(super) type Open = Arc<dyn Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync>;

/// Octets that can be read more than once. Cheap to clone.
#[derive(Clone)]
pub(super) enum Origin {
    File { path: Arc<Path>, octets: u64 },
    Memory(Bytes),
    Reader { open: Open, octets: Option<u64> },
}

/// Why data is not what it was when the message was made. It comes as the inner error of an [`io::Error`], and ends
/// the delivery before the content has been sent whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A file cannot be opened or read: it vanished, or may not be read.
    #[error("{}: {reason}", named(&.path.to_string_lossy()))]
    File {
        /// Which file.
        path: PathBuf,
        /// The system's number of the error, where it has one.
        number: Option<i32>,
        /// The system's words for it.
        reason: String,
    },
    /// More octets than there were, or than were announced.
    #[error("{} has more than the {expected} octets that it had when the message was made", named(.name))]
    Longer {
        /// The file, or what the reader is for.
        name: String,
        /// How many there should be.
        expected: u64,
    },
    /// A directory, a pipe or a device, which cannot be read again for the next host. A reader can.
    #[error("{} is not a regular file", named(&.0.to_string_lossy()))]
    NotAFile(PathBuf),
    /// A reader failed.
    #[error("the program's own reader failed: {reason}")]
    Reader {
        /// The system's number of the error, where it has one.
        number: Option<i32>,
        /// What the reader said.
        reason: String,
    },
    /// Fewer octets than there were, or than were announced.
    #[error("{} ends after {seen} octets, and had {expected} when the message was made", named(.name))]
    Shorter {
        /// The file, or what the reader is for.
        name: String,
        /// How many there should be.
        expected: u64,
        /// How many there are.
        seen: u64,
    },
}

impl Origin {
    /// A file, by what it is now. A relative path counts from the directory of now.
    pub(super) fn file(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path).map_err(|error| of_file(path, &error))?;
        let metadata = std::fs::metadata(&path).map_err(|error| of_file(&path, &error))?;
        if !metadata.is_file() {
            return Err(not_a_file(&path));
        }
        Ok(Self::File {
            octets: metadata.len(),
            path: path.into(),
        })
    }

    pub(super) fn is_in_memory(&self) -> bool {
        matches!(self, Self::Memory(_))
    }

    pub(super) fn octets(&self) -> Option<u64> {
        match self {
            Self::File { octets, .. } => Some(*octets),
            Self::Memory(octets) => u64::try_from(octets.len()).ok(),
            Self::Reader { octets, .. } => *octets,
        }
    }

    pub(super) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Self::File { path, octets } => {
                // Opening a pipe would wait for somebody who writes into it.
                let of_file = |error| of_file(path, &error);
                if !std::fs::metadata(path).map_err(of_file)?.is_file() {
                    return Err(not_a_file(path));
                }
                let file = File::open(path).map_err(of_file)?;
                let name = path.display().to_string();
                // At once, where it can be seen before anything has been sent.
                let seen = file.metadata().map_err(of_file)?.len();
                if seen < *octets {
                    let expected = *octets;
                    return Err(changed(SourceError::Shorter { name, expected, seen }));
                }
                if seen > *octets {
                    let expected = *octets;
                    return Err(changed(SourceError::Longer { name, expected }));
                }
                let path = Arc::clone(path);
                let file = Named::new(file, move |error| self::of_file(&path, &error));
                Ok(Box::new(Exactly::new(file, name, *octets)))
            }
            Self::Memory(octets) => Ok(Box::new(octets.clone().reader())),
            Self::Reader { open, octets } => {
                let reader = Named::new(open().map_err(of_reader)?, of_reader);
                Ok(match octets {
                    Some(octets) => Box::new(Exactly::new(reader, "the reader".to_owned(), *octets)),
                    None => Box::new(reader),
                })
            }
        }
    }
}

/// Without the octets, which may be of any length and are nobody else's business.
impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, octets } => f
                .debug_struct("File")
                .field("path", path)
                .field("octets", octets)
                .finish(),
            Self::Memory(octets) => f.debug_struct("Memory").field("octets", &octets.len()).finish(),
            Self::Reader { octets, .. } => f
                .debug_struct("Reader")
                .field("octets", octets)
                .finish_non_exhaustive(),
        }
    }
}

/// An error of the system with the name of the file.
fn of_file(path: &Path, error: &io::Error) -> io::Error {
    let (path, number, reason) = (path.to_owned(), error.raw_os_error(), in_words(error));
    io::Error::new(error.kind(), SourceError::File { path, number, reason })
}

/// What a reader of the caller's said. Taken by value, as `map_err` gives it.
fn of_reader(error: io::Error) -> io::Error {
    // A message in a message is read by a reader, and has named what failed.
    let inner = error.get_ref();
    if inner
        .and_then(|inner| inner.downcast_ref::<SourceError>())
        .is_some()
    {
        return error;
    }
    let (number, reason) = (error.raw_os_error(), in_words(&error));
    io::Error::new(error.kind(), SourceError::Reader { number, reason })
}

/// Whose errors say what failed.
struct Named<R, F> {
    inner: R,
    name: F,
}

impl<R: Read, F: Fn(io::Error) -> io::Error> Named<R, F> {
    fn new(inner: R, name: F) -> Self {
        Self { inner, name }
    }
}

impl<R: Read, F: Fn(io::Error) -> io::Error> Read for Named<R, F> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.inner.read(out).map_err(&self.name)
    }
}

fn not_a_file(path: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        SourceError::NotAFile(path.to_owned()),
    )
}

fn changed(error: SourceError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Reads so many octets and fails, now and ever after, if `inner` has fewer or more.
pub(super) struct Exactly<R> {
    inner: R,
    name: String,
    expected: u64,
    seen: u64,
}

impl<R: Read> Exactly<R> {
    pub(super) fn new(inner: R, name: String, expected: u64) -> Self {
        Self {
            inner,
            name,
            expected,
            seen: 0,
        }
    }

    fn shorter(&self) -> io::Error {
        changed(SourceError::Shorter {
            name: self.name.clone(),
            expected: self.expected,
            seen: self.seen,
        })
    }

    fn longer(&self) -> io::Error {
        changed(SourceError::Longer {
            name: self.name.clone(),
            expected: self.expected,
        })
    }
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        if self.seen > self.expected {
            return Err(self.longer());
        }
        // Whatever is after the end is not given out: whoever reads on learns that there is too much of it.
        let left = usize::try_from(self.expected - self.seen).unwrap_or(usize::MAX);
        if left == 0 {
            if self.inner.read(&mut [0])? == 0 {
                return Ok(0);
            }
            self.seen = self.expected.saturating_add(1);
            return Err(self.longer());
        }
        let room = out.len().min(left);
        let read = self.inner.read(out.get_mut(..room).unwrap_or_default())?;
        if read == 0 {
            return Err(self.shorter());
        }
        self.seen = self.seen.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn read(origin: &Origin) -> io::Result<Vec<u8>> {
        let mut octets = Vec::new();
        origin.open()?.read_to_end(&mut octets)?;
        Ok(octets)
    }

    fn cause(error: &io::Error) -> SourceError {
        let inner = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<SourceError>());
        inner.unwrap_or_else(|| panic!("{error:?}")).clone()
    }

    #[test]
    fn a_file_is_opened_anew_and_must_stay_what_it_was() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"0123456789").unwrap();
        let origin = Origin::file(file.path()).unwrap();
        let name = file.path().display().to_string();
        assert_eq!(origin.octets(), Some(10));
        assert_eq!(read(&origin).unwrap(), b"0123456789");
        assert_eq!(read(&origin).unwrap(), b"0123456789");

        file.as_file().set_len(9).unwrap();
        let shorter = SourceError::Shorter {
            name: name.clone(),
            expected: 10,
            seen: 9,
        };
        assert_eq!(cause(&read(&origin).unwrap_err()), shorter);
        file.as_file().set_len(11).unwrap();
        let longer = SourceError::Longer {
            name: name.clone(),
            expected: 10,
        };
        assert_eq!(cause(&read(&origin).unwrap_err()), longer);
        assert!(
            longer
                .to_string()
                .ends_with(" has more than the 10 octets that it had when the message was made")
        );

        // While it is read.
        file.as_file().set_len(10).unwrap();
        let mut reader = origin.open().unwrap();
        reader.read_exact(&mut [0; 5]).unwrap();
        file.as_file().set_len(7).unwrap();
        let seen = 7;
        let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(
            cause(&error),
            SourceError::Shorter {
                name: name.clone(),
                expected: 10,
                seen
            }
        );
        file.as_file().set_len(10).unwrap();
        let mut reader = origin.open().unwrap();
        reader.read_exact(&mut [0; 5]).unwrap();
        file.as_file().set_len(100).unwrap();
        let mut octets = Vec::new();
        assert_eq!(cause(&reader.read_to_end(&mut octets).unwrap_err()), longer);
        assert_eq!(octets.len(), 5, "more than belongs to it is given out");
        assert!(
            reader.read(&mut [0]).is_err(),
            "it ends as if nothing had happened"
        );

        let path = file.path().to_owned();
        drop(file);
        std::fs::create_dir(&path).unwrap();
        assert_eq!(
            cause(&read(&origin).unwrap_err()),
            SourceError::NotAFile(path.clone())
        );
        std::fs::remove_dir(&path).unwrap();
        assert_eq!(read(&origin).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn only_files_are_files() {
        let directory = tempfile::tempdir().unwrap();
        let error = Origin::file(directory.path()).unwrap_err();
        assert_eq!(cause(&error), SourceError::NotAFile(directory.path().to_owned()));
        let missing = Origin::file(&directory.path().join("none")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert_eq!(
            Origin::file(Path::new("")).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }

    #[test]
    fn a_reader_gives_what_it_announced() {
        let opened = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&opened);
        let with = move |octets: Option<u64>, gives: usize| {
            let counted = Arc::clone(&counted);
            Origin::Reader {
                open: Arc::new(move || {
                    counted.fetch_add(1, Ordering::Relaxed);
                    Ok(Box::new(io::Cursor::new(vec![b'x'; gives])))
                }),
                octets,
            }
        };
        let name = "the reader".to_owned();
        let exact = with(Some(3), 3);
        assert_eq!(
            (read(&exact).unwrap(), read(&exact).unwrap()),
            (b"xxx".to_vec(), b"xxx".to_vec())
        );
        assert_eq!(opened.load(Ordering::Relaxed), 2);
        assert_eq!(read(&with(None, 5)).unwrap(), b"xxxxx");
        assert_eq!(with(None, 5).octets(), None);
        assert_eq!(
            cause(&read(&with(Some(3), 2)).unwrap_err()),
            SourceError::Shorter {
                name: name.clone(),
                expected: 3,
                seen: 2
            }
        );
        assert_eq!(
            cause(&read(&with(Some(3), 4)).unwrap_err()),
            SourceError::Longer { name, expected: 3 }
        );
        assert!(read(&with(Some(0), 1)).is_err());
    }

    #[test]
    fn memory_is_shared_and_not_shown() {
        let octets = Bytes::from_static(b"quite private");
        let origin = Origin::Memory(octets.clone());
        assert_eq!(read(&origin).unwrap(), octets);
        assert!(!format!("{origin:?}").contains("private"));
    }
}
