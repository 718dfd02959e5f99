//! Commands on a stream, such as standard input: where one ends, and how a field may hold that end.
//!
//! A command stands on a line of its own and a field may go on over many lines. A command with a field ends with the
//! first line that ends in `>.`; blanks and tabs after that and a CR before the LF do not count. A command without a
//! field is one line. Blank lines between commands are skipped.
//!
//! A line inside a field that ends in `>.` would end the field too early, so such a line is escaped: one backslash is
//! put before the full stop, and one more where there are some already.
//!
//! ```text
//! in the field      on the stream
//! the end >.        the end >\.
//! the end >\.       the end >\\.
//! ```
//!
//! Nothing else is escaped: neither a `>.` within a line, nor one at the very end of a field, where the closing `>.`
//! follows on the same line. Every field comes back octet by octet.

use super::Command;
use std::collections::VecDeque;

/// How large one command on a stream may be, unless the reader is told otherwise: 64 MiB.
pub const MAX_COMMAND: usize = 64 << 20;

/// Takes a stream apart into commands.
///
/// Give it what arrives with [`push`](Self::push), in pieces of any size; take commands with
/// [`pop`](Self::pop) until there is none; at the end of the stream call [`finish`](Self::finish) and take once more.
/// What comes out is a command as it stands in a call, for [`Command::parse`] or
/// [`Session::command`](super::Session::command): unknown words come out as well, for the session to answer.
///
/// # Example
/// ```
/// use map_core::protocol::{Command, CommandReader};
///
/// let mut reader = CommandReader::new();
/// reader.push(b"CMD_TO: <a@example.com>.\nCMD_CONTENT: <one >\\.\ntw");
/// reader.push(b"o>.\nCMD_END.\n");
/// assert_eq!(reader.pop(), Some(Ok(b"CMD_TO: <a@example.com>.".to_vec())));
/// assert_eq!(reader.pop(), Some(Ok(b"CMD_CONTENT: <one >.\ntwo>.".to_vec())));
/// assert_eq!(reader.pop(), Some(Ok(b"CMD_END.".to_vec())));
/// assert_eq!(reader.pop(), None);
/// ```
#[derive(Debug)]
pub struct CommandReader {
    limit: usize,
    place: Place,
    text: Vec<u8>,
    ready: VecDeque<Result<Vec<u8>, StreamError>>,
}

/// Why a stream holds no command where one should be. The reader can go on with the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// A command longer than the limit, in octets. It was skipped to its end. An overlong one mostly lacks its `>.` at
    /// the end of a line.
    #[error("a command is longer than {0} octets")]
    TooLong(usize),
    /// The stream ended within a field: the closing `>.` is missing.
    #[error("the input ended before the field was closed by >. at the end of a line")]
    Unended,
}

/// Where in a command the next octet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before it.
    Between,
    /// In its first line; no `<` yet.
    Word,
    /// In a line that opens no field.
    Line,
    /// In its field.
    Field(Closing),
    /// In one that is too long, in a line that opens no field.
    SkippedLine,
    /// In one that is too long, in its field.
    SkippedField(Closing),
}

/// How much of `">." *WSP [CR]` the octets before this one are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    Nothing,
    Bracket,
    Stop,
    Cr,
}

impl Closing {
    /// The state after one more octet of a field, unless it is the LF that ends the command.
    fn behind(self, octet: u8) -> Option<Self> {
        match (self, octet) {
            (Self::Stop | Self::Cr, b'\n') => None,
            (Self::Bracket, b'.') | (Self::Stop, b' ' | b'\t') => Some(Self::Stop),
            (Self::Stop, b'\r') => Some(Self::Cr),
            (_, b'>') => Some(Self::Bracket),
            _ => Some(Self::Nothing),
        }
    }
}

impl Default for CommandReader {
    fn default() -> Self {
        Self::new()
    }
}

impl CommandReader {
    /// A reader with a limit of [`MAX_COMMAND`].
    pub fn new() -> Self {
        Self::with_limit(MAX_COMMAND)
    }

    /// A reader that takes commands of at most so many octets, as they stand on the stream, their line end left out.
    pub fn with_limit(octets: usize) -> Self {
        Self {
            limit: octets,
            place: Place::Between,
            text: Vec::new(),
            ready: VecDeque::new(),
        }
    }

    /// Takes what arrived.
    pub fn push(&mut self, octets: &[u8]) {
        for &octet in octets {
            self.push_octet(octet);
        }
    }

    /// The next command, or what is wrong with it; `None` when more must arrive first.
    pub fn pop(&mut self) -> Option<Result<Vec<u8>, StreamError>> {
        self.ready.pop_front()
    }

    /// The stream has ended: a last command may lack its line end. The reader is then as new.
    pub fn finish(&mut self) {
        // A field cut off right after a ">." of its own passes for whole here. Nothing is sent for that: the CMD_END that
        // would send it was cut off as well.
        match self.place {
            Place::Word | Place::Line | Place::Field(Closing::Stop | Closing::Cr) => self.complete(),
            Place::Field(_) => self.ready.push_back(Err(StreamError::Unended)),
            Place::Between | Place::SkippedLine | Place::SkippedField(_) => {}
        }
        self.text = Vec::new();
        self.place = Place::Between;
    }

    fn push_octet(&mut self, octet: u8) {
        let next = match (self.place, octet) {
            (Place::Between, b' ' | b'\t' | b'\r' | b'\n') => return,
            (Place::Word | Place::Line, b'\n') => return self.complete(),
            (Place::SkippedLine, b'\n') => Place::Between,
            (Place::Word, b'<') => {
                if opens_field(&self.text) {
                    Place::Field(Closing::Nothing)
                } else {
                    Place::Line
                }
            }
            (Place::Between, b'<') => Place::Line,
            (Place::Between, _) => Place::Word,
            (Place::Field(closing), _) => match closing.behind(octet) {
                Some(closing) => Place::Field(closing),
                None => return self.complete(),
            },
            (Place::SkippedField(closing), _) => {
                closing.behind(octet).map_or(Place::Between, Place::SkippedField)
            }
            (place @ (Place::Word | Place::Line | Place::SkippedLine), _) => place,
        };
        self.place = match next {
            Place::Between | Place::SkippedLine | Place::SkippedField(_) => next,
            // A CR may yet turn out to be part of the line end.
            _ if self.text.len() < self.limit || (self.text.len() == self.limit && octet == b'\r') => {
                self.text.push(octet);
                next
            }
            _ => {
                self.text = Vec::new();
                self.ready.push_back(Err(StreamError::TooLong(self.limit)));
                if let Place::Field(closing) = next {
                    Place::SkippedField(closing)
                } else {
                    Place::SkippedLine
                }
            }
        };
    }

    /// Puts the command that has been read into the queue.
    fn complete(&mut self) {
        let mut text = std::mem::take(&mut self.text);
        let end = text
            .iter()
            .rposition(|octet| !matches!(octet, b' ' | b'\t' | b'\r'))
            .map_or(0, |last| last + 1);
        text.truncate(end);
        self.ready.push_back(Ok(if matches!(self.place, Place::Field(_)) {
            unescape(&text)
        } else {
            text
        }));
        self.place = Place::Between;
    }
}

/// True when what stands before a `<` makes it the opening of a field.
fn opens_field(before: &[u8]) -> bool {
    before.iter().rfind(|octet| !matches!(octet, b' ' | b'\t')) == Some(&b':')
}

impl Command {
    /// As it stands on a stream, its line end included.
    pub fn to_stream(&self) -> Vec<u8> {
        let mut stream = escape(&self.to_bytes());
        stream.push(b'\n');
        stream
    }
}

fn escape(text: &[u8]) -> Vec<u8> {
    edit_closings(text, |line, backslashes| {
        line.extend(std::iter::repeat_n(b'\\', backslashes + 1));
    })
}

fn unescape(text: &[u8]) -> Vec<u8> {
    edit_closings(text, |line, backslashes| {
        line.extend(std::iter::repeat_n(b'\\', backslashes.saturating_sub(1)));
    })
}

/// Copies a text; in each line that is ended by LF and ends in `">" *"\" "." *WSP [CR]`, `write` puts the backslashes,
/// told how many there are.
fn edit_closings(text: &[u8], write: fn(&mut Vec<u8>, usize)) -> Vec<u8> {
    let mut edited = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        match closing_backslashes(line) {
            Some((head, backslashes, tail)) => {
                edited.extend_from_slice(head);
                write(&mut edited, backslashes.len());
                edited.extend_from_slice(tail);
            }
            None => edited.extend_from_slice(line),
        }
    }
    edited
}

/// Takes a line apart before and after the backslashes of what looks like a closing.
fn closing_backslashes(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let ended = line.strip_suffix(b"\n")?;
    let ended = ended.strip_suffix(b"\r").unwrap_or(ended);
    let stop = ended.iter().rposition(|octet| !matches!(octet, b' ' | b'\t'))?;
    let (before, tail) = line.split_at_checked(stop)?;
    if tail.first() != Some(&b'.') {
        return None;
    }
    let bracket = before.iter().rposition(|octet| *octet != b'\\')?;
    let (head, backslashes) = before.split_at_checked(bracket + 1)?;
    (head.last() == Some(&b'>')).then_some((head, backslashes, tail))
}
