//! Octets as they come, cut into command lines and contents.

use memchr::{memchr, memmem};

/// Octets of a command line with its end. 512 and what the parameters of extensions add:
/// <https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.4>
const MAX_COMMAND_LINE: usize = 2048;
/// Octets of a response to AUTH with its end: <https://www.rfc-editor.org/rfc/rfc4954#section-4>
const MAX_RESPONSE: usize = 12288;
/// Octets of a line of the content with its end.
const MAX_TEXT_LINE: usize = 1000;

/// What arrived whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// A command, without its line end.
    Line(Vec<u8>),
    /// A command that is longer than any host reads.
    LongLine,
    Content(Content),
    /// The octets after BDAT, as they came.
    Chunk(Vec<u8>),
}

/// What came after DATA, without its end mark and with the dot-stuffing undone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) octets: Vec<u8>,
    /// A line is longer than the standard allows.
    pub(crate) long_line: bool,
}

/// The octets that were not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Input {
    buffer: Vec<u8>,
    /// So far the buffer was searched for the end in vain.
    searched: usize,
    content: bool,
    response: bool,
    /// Octets of the chunk that comes.
    chunk: Option<usize>,
}

impl Input {
    pub(crate) fn push(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// From here on content comes, until its end mark.
    pub(crate) fn expect_content(&mut self) {
        self.content = true;
    }

    /// From here on a chunk of so many octets comes.
    pub(crate) fn expect_chunk(&mut self, octets: usize) {
        self.chunk = Some(octets);
    }

    /// Whether the lines that come are responses to AUTH.
    pub(crate) fn expect_responses(&mut self, response: bool) {
        self.response = response;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    pub(crate) fn poll(&mut self) -> Option<Arrival> {
        if let Some(octets) = self.chunk {
            self.poll_chunk(octets)
        } else if self.content {
            self.poll_content()
        } else {
            self.poll_line()
        }
    }

    fn poll_chunk(&mut self, octets: usize) -> Option<Arrival> {
        if self.buffer.len() < octets {
            return None;
        }
        self.chunk = None;
        Some(Arrival::Chunk(self.take(octets)))
    }

    fn poll_line(&mut self) -> Option<Arrival> {
        // > Conforming implementations MUST NOT recognize or generate any other character or character sequence as
        // > a line terminator.
        // https://www.rfc-editor.org/rfc/rfc5321#section-2.3.8
        let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(found) = memmem::find(unsearched, b"\r\n") else {
            self.searched = self.buffer.len().saturating_sub(1);
            return None;
        };
        let end = self.searched.saturating_add(found);
        let mut line: Vec<u8> = self.take(end.saturating_add(2));
        let most = if self.response {
            MAX_RESPONSE
        } else {
            MAX_COMMAND_LINE
        };
        if line.len() > most {
            return Some(Arrival::LongLine);
        }
        line.truncate(end);
        Some(Arrival::Line(line))
    }

    fn poll_content(&mut self) -> Option<Arrival> {
        // The line end of DATA is the one before the first line: a content may be empty.
        let end = if self.buffer.starts_with(b".\r\n") {
            0
        } else {
            // > The mail data are terminated by a line containing only a period, that is, the character sequence
            // > "<CRLF>.<CRLF>"
            // https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.4
            let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(found) = memmem::find(unsearched, b"\r\n.\r\n") else {
                self.searched = self.buffer.len().saturating_sub(4);
                return None;
            };
            self.searched.saturating_add(found).saturating_add(2)
        };
        let mut stuffed = self.take(end.saturating_add(3));
        stuffed.truncate(end);
        self.content = false;
        Some(Arrival::Content(unstuff(&stuffed)))
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        self.searched = 0;
        let rest = self.buffer.split_off(count.min(self.buffer.len()));
        std::mem::replace(&mut self.buffer, rest)
    }
}

/// Takes the first dot from every line that begins with one.
fn unstuff(stuffed: &[u8]) -> Content {
    let mut octets = Vec::with_capacity(stuffed.len());
    let mut long_line = false;
    let mut rest = stuffed;
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(line_length(rest));
        octets.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        long_line |= line.len() > MAX_TEXT_LINE;
        rest = behind;
    }
    Content { octets, long_line }
}

/// Octets up to and with the next CRLF.
fn line_length(octets: &[u8]) -> usize {
    let mut from = 0;
    while let Some(found) = octets.get(from..).and_then(|rest| memchr(b'\n', rest)) {
        let end = from.saturating_add(found);
        from = end.saturating_add(1);
        if octets.get(..end).is_some_and(|line| line.ends_with(b"\r")) {
            return from;
        }
    }
    octets.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(content: bool, octets: &[u8], step: usize) -> Vec<Arrival> {
        let mut input = Input {
            content,
            ..Input::default()
        };
        let mut all = Vec::new();
        for part in octets.chunks(step) {
            input.push(part);
            while let Some(arrival) = input.poll() {
                all.push(arrival);
            }
        }
        all
    }

    fn content(octets: &[u8]) -> Arrival {
        Arrival::Content(Content {
            octets: octets.to_vec(),
            long_line: false,
        })
    }

    fn line(octets: &[u8]) -> Arrival {
        Arrival::Line(octets.to_vec())
    }

    #[test]
    fn only_crlf_ends_a_command() {
        for step in [1, 2, 3, 100] {
            let got = arrivals(false, b"NOOP\r\nA\nB\rC\r\n\r\nrest", step);
            assert_eq!(got, [line(b"NOOP"), line(b"A\nB\rC"), line(b"")]);
        }
    }

    #[test]
    fn a_chunk_is_as_long_as_it_says() {
        for step in [1, 2, 100] {
            let mut input = Input::default();
            input.expect_chunk(9);
            let mut all = Vec::new();
            for part in b"a\r\n.\r\n\0\nbNOOP\r\n".chunks(step) {
                input.push(part);
                while let Some(arrival) = input.poll() {
                    all.push(arrival);
                }
            }
            assert_eq!(all, [Arrival::Chunk(b"a\r\n.\r\n\0\nb".to_vec()), line(b"NOOP")]);
        }
    }

    #[test]
    fn only_crlf_dot_crlf_ends_a_content() {
        let octets = b"a\n.\nb\n.\r\nc\r.\rd\r\n.\ne\r\n.\rf\r\n..\r\n...g\r\n.\r\nQUIT\r\n";
        for step in 1..octets.len() {
            let got = arrivals(true, octets, step);
            let expected = b"a\n.\nb\n.\r\nc\r.\rd\r\n\ne\r\n\rf\r\n.\r\n..g\r\n";
            assert_eq!(got, [content(expected), line(b"QUIT")], "in steps of {step}");
        }
    }

    #[test]
    fn a_content_may_be_empty() {
        for step in 1..4 {
            assert_eq!(arrivals(true, b".\r\n", step), [content(b"")]);
            assert_eq!(arrivals(true, b"\r\n.\r\n", step), [content(b"\r\n")]);
        }
    }

    #[test]
    fn the_very_first_line_is_stuffed_too() {
        assert_eq!(arrivals(true, b"..\r\n.\r\n", 1), [content(b".\r\n")]);
        assert_eq!(arrivals(true, b"..x\r\n.\r\n", 100), [content(b".x\r\n")]);
    }

    #[test]
    fn a_long_line_of_content_is_seen() {
        for (length, long) in [(998, false), (999, true)] {
            let mut octets = vec![b'x'; length];
            octets.extend(b"\r\n.\r\n");
            let got = arrivals(true, &octets, 7);
            let [Arrival::Content(content)] = got.as_slice() else {
                panic!("{got:?}")
            };
            assert_eq!(content.long_line, long, "{length} octets");
        }
    }

    #[test]
    fn a_long_command_is_seen() {
        let mut octets = vec![b'x'; MAX_COMMAND_LINE - 2];
        octets.extend(b"\r\n");
        assert!(matches!(
            arrivals(false, &octets, 100).as_slice(),
            [Arrival::Line(_)]
        ));
        octets.insert(0, b'x');
        assert_eq!(arrivals(false, &octets, 100), [Arrival::LongLine]);
    }
}
