//! Octets read as a storm: replies, writes, content, time, losses and commands in any order. Shared by the
//! property tests and the fuzz targets.

use super::{Harness, Mail, Pieces};
use bytes::Bytes;
use map_core::smtp::{Abort, Hello, Outcome, Reply, ReplyError, ReplyParser, TransactionId};
use std::collections::VecDeque;
use std::time::Duration;

/// What a server may say at the wrong time as well as at the right one.
const REPLIES: [&[u8]; 16] = [
    b"220 mx\r\n",
    b"250 ok\r\n",
    b"250-mx\r\n250-PIPELINING\r\n250 SIZE\r\n",
    b"250-mx\r\n250 SIZE 5\r\n",
    b"354 go on\r\n",
    b"221 bye\r\n",
    b"421 bye\r\n",
    b"450 4.7.1 not now\r\n",
    b"500 what\r\n",
    b"501 what\r\n",
    b"550 5.1.1 no\r\n",
    b"555 what\r\n",
    b"150 what\r\n",
    b"650 what\r\n",
    b"250-",
    b"\n",
];

/// Runs the storm and checks what holds in any: one outcome for each recipient, `Finished` and `Closed` once and in
/// order, nothing uncertain before the commit point, nothing accepted without it, no bare CR or LF on the wire.
///
/// What became of the recipients is returned, so that a test can see how far the storms go.
pub(crate) fn operations(data: &[u8]) -> Vec<Outcome> {
    Storm::new(data).run()
}

/// Reads replies whole and octet by octet: both must agree, and every reply keeps within the limits.
pub(crate) fn replies(data: &[u8]) {
    let whole = read_all(data, data.len());
    assert_eq!(whole, read_all(data, 1), "the pieces make a difference");
    let third = data.len() / 3 + 1;
    assert_eq!(whole, read_all(data, third), "the pieces make a difference");
    for reply in &whole.0 {
        assert!(reply.code.0 <= 999 && !reply.lines.is_empty() && reply.lines.len() <= 128);
        assert!(
            reply
                .lines
                .iter()
                .all(|line| line.len() <= 2044 && !line.contains(&b'\n'))
        );
        let class = reply
            .enhanced
            .map_or(reply.code.0 / 100, |enhanced| u16::from(enhanced.class));
        assert_eq!(class, reply.code.0 / 100);
        // What is printed is read again as what it was, unless its text plays with line ends.
        let printed = print(reply);
        if !reply.lines.iter().any(|line| line.ends_with(b"\r")) && printed.len() <= 16_384 {
            assert_eq!(read_all(&printed, printed.len()), (vec![reply.clone()], None));
        }
    }
}

fn read_all(data: &[u8], piece: usize) -> (Vec<Reply>, Option<ReplyError>) {
    let mut parser = ReplyParser::default();
    let mut replies = Vec::new();
    for mut octets in data.chunks(piece.max(1)) {
        while !octets.is_empty() {
            match parser.parse(&mut octets) {
                Ok(reply) => replies.extend(reply),
                Err(error) => return (replies, Some(error)),
            }
        }
    }
    (replies, None)
}

fn print(reply: &Reply) -> Vec<u8> {
    let last = reply.lines.len() - 1;
    let line = |(place, text): (usize, &Vec<u8>)| {
        let separator: &[u8] = if place == last { b" " } else { b"-" };
        [
            reply.code.to_string().as_bytes(),
            separator,
            text.as_slice(),
            b"\r\n",
        ]
        .concat()
    };
    reply.lines.iter().enumerate().flat_map(line).collect()
}

struct Storm<'a> {
    harness: Harness,
    octets: &'a [u8],
    /// Everything that was written.
    wire: Vec<u8>,
    server: Server,
}

/// A server that would go on, if it were let: the replies it owes.
struct Server {
    line: Vec<u8>,
    within_content: bool,
    /// To EHLO.
    offer: &'static [u8],
    replies: VecDeque<&'static [u8]>,
}

impl<'a> Storm<'a> {
    fn new(octets: &'a [u8]) -> Self {
        let kind = octets.first().map_or(0, |octet| octet % 8);
        let hello = if kind == 7 { Hello::Helo } else { Hello::Ehlo };
        let mut harness = Harness::new(hello, Pieces::Whole);
        harness.leave_content_alone();
        let offer = if kind == 6 { REPLIES[3] } else { REPLIES[2] };
        let replies = VecDeque::from([REPLIES[0]]);
        let server = Server {
            line: Vec::new(),
            within_content: false,
            offer,
            replies,
        };
        Self {
            harness,
            octets,
            wire: Vec::new(),
            server,
        }
    }

    fn run(mut self) -> Vec<Outcome> {
        // The beginning that every storm needs to be more than a refused greeting.
        self.submit(1);
        while let Some(operation) = self.take() {
            self.operation(operation);
            self.harness.take_events();
        }
        self.harness.connection.handle_closed(None, self.harness.now);
        self.harness.take_events();
        assert!(self.harness.is_closed(), "a lost transport ends everything");
        self.check_wire();
        self.check_silence();
        self.harness.outcomes().values().cloned().collect()
    }

    fn take(&mut self) -> Option<u8> {
        let (first, rest) = self.octets.split_first()?;
        self.octets = rest;
        Some(*first)
    }

    fn number(&mut self) -> usize {
        usize::from(self.take().unwrap_or(0))
    }

    fn operation(&mut self, operation: u8) {
        match operation % 16 {
            0..=4 => {
                self.go_on();
                if let Some(reply) = self.server.replies.pop_front() {
                    self.harness.receive(reply);
                }
            }
            5 => {
                let reply = REPLIES[self.number() % REPLIES.len()];
                self.harness.receive(reply);
            }
            6 => {
                let octets = self.block();
                self.harness.receive(&octets);
            }
            7 => self.go_on(),
            8 => {
                let octets = self.number();
                self.write(octets);
            }
            9 => {
                let recipients = self.number() % 4;
                self.submit(recipients);
            }
            10 => self.harness.quit(),
            11 | 12 => self.content(),
            13 => self.pass_time(),
            14 => {
                let error = [None, Some(std::io::ErrorKind::ConnectionReset)][self.number() % 2];
                // Rare, or no storm would last.
                if self.number() > 200 {
                    self.harness.connection.handle_closed(error, self.harness.now);
                }
            }
            _ => {
                let whys = [Abort::Cancelled, Abort::ContentUnreadable, Abort::Deadline];
                let why = whys[self.number() % whys.len()];
                if self.number() > 200 {
                    self.harness.connection.abort(why, self.harness.now);
                }
            }
        }
    }

    /// Content that was asked for is given, and everything is written.
    fn go_on(&mut self) {
        if let Some(tx) = self.harness.wants_content() {
            self.harness.hand_over(tx);
        }
        self.write(usize::MAX);
    }

    fn write(&mut self, octets: usize) {
        let offered = self.harness.offered();
        let taken = &offered[..octets.min(offered.len())];
        self.wire.extend(taken);
        self.server.read(taken);
        self.harness.transmit(taken.len());
    }

    fn submit(&mut self, recipients: usize) {
        let content = Bytes::from_static(b".line\r\n.\r\nno end");
        let size = [None, Some(15)][recipients % 2];
        self.harness.submit(Mail {
            recipients,
            size,
            content,
        });
    }

    fn content(&mut self) {
        let tx = TransactionId(self.number() as u64 % 5);
        let last = self.number().is_multiple_of(2);
        let block = self.block();
        self.harness
            .connection
            .handle_content(tx, block.into(), last, self.harness.now);
    }

    fn pass_time(&mut self) {
        let wait = Duration::from_secs(self.number() as u64);
        self.harness.now += wait;
        self.harness.connection.handle_timeout(self.harness.now);
    }

    /// Some of the storm's own octets.
    fn block(&mut self) -> Vec<u8> {
        let length = (self.number() % 24).min(self.octets.len());
        let (block, rest) = self.octets.split_at(length);
        self.octets = rest;
        block.to_vec()
    }

    fn check_wire(&self) {
        let mut before = b' ';
        for &octet in &self.wire {
            assert_eq!(
                before == b'\r',
                octet == b'\n',
                "a bare CR or LF: {}",
                self.wire.escape_ascii()
            );
            before = octet;
        }
        let end_marks = self
            .wire
            .windows(5)
            .filter(|window| window == b"\r\n.\r\n")
            .count();
        let passed = |outcome: &Outcome| matches!(outcome, Outcome::Accepted(_) | Outcome::Uncertain(_));
        let mut committed: Vec<usize> = Vec::new();
        committed.extend(
            self.harness
                .outcomes()
                .iter()
                .filter(|(_, outcome)| passed(outcome))
                .map(|(who, _)| who.0),
        );
        committed.dedup();
        assert!(
            committed.len() <= end_marks,
            "{committed:?} with {end_marks} end marks on the wire"
        );
    }

    /// Behind `Closed` every verb does nothing.
    fn check_silence(&mut self) {
        self.harness.submit_nothing();
        let (connection, now) = (&mut self.harness.connection, self.harness.now);
        connection.quit(now);
        connection.abort(Abort::Cancelled, now);
        connection.handle_bytes(b"250 ok\r\n", now);
        connection.handle_content(TransactionId(1), Bytes::new(), true, now);
        connection.handle_timeout(now + Duration::from_secs(10_000));
        connection.handle_closed(None, now);
        connection.transmitted(10, now);
        assert_eq!(connection.poll_event(), None);
        assert_eq!(connection.poll_deadline(), None);
        assert!(self.harness.offered().is_empty());
    }
}

impl Server {
    fn read(&mut self, octets: &[u8]) {
        for &octet in octets {
            self.line.push(octet);
            if octet == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.answer(&line);
            }
        }
    }

    fn answer(&mut self, line: &[u8]) {
        let reply = match line.get(..4) {
            _ if self.within_content && line != b".\r\n" => return,
            _ if self.within_content => {
                self.within_content = false;
                REPLIES[1]
            }
            Some(b"EHLO") => self.offer,
            Some(b"DATA") => {
                self.within_content = true;
                REPLIES[4]
            }
            Some(b"QUIT") => REPLIES[5],
            _ => REPLIES[1],
        };
        self.replies.push_back(reply);
    }
}
