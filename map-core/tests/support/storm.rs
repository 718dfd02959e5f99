//! Octets read as a storm: replies, writes, content, time, losses and commands in any order. Shared by the
//! property tests and the fuzz targets.

use super::{Handshake, Harness, Mail, Pieces, config};
use bytes::Bytes;
use map_core::smtp::{
    Abort, Authentication, Chunking, Hello, Outcome, Reply, ReplyCode, ReplyError, ReplyParser, SecretKind,
    SessionConfig, SubmissionId, TlsSession, TlsUse,
};
use std::collections::VecDeque;
use std::time::Duration;

/// What a server may say at the wrong time as well as at the right one.
const REPLIES: [&[u8]; 37] = [
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
    b"220 go ahead\r\n",
    b"250-mx\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n250 PIPELINING\r\n",
    b"250-mx\r\n250-AUTH SCRAM-SHA-256 LOGIN XOAUTH2\r\n250 PIPELINING\r\n",
    b"250-mx\r\n250-AUTH=PLAIN\r\n250 SIZE 5\r\n",
    b"250-mx\r\n250 XXXXXXXA\r\n",
    b"220 go ahead\r\n250-mx\r\n250 AUTH PLAIN\r\n",
    b"454 4.7.0 no TLS now\r\n",
    b"235 welcome\r\n",
    b"334 \r\n",
    b"334 VXNlcm5hbWU6\r\n",
    b"334-\r\n334 what\r\n",
    b"504 no such mechanism\r\n",
    b"535 no\r\n",
    b"220 mx\r\n250-mx\r\n250 PIPELINING\r\n",
    b"250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 LIMITS RCPTMAX=2 MAILMAX=3\r\n",
    b"250-mx\r\n250-CHUNKING\r\n250 LIMITS RCPTDOMAINMAX=1 RCPTMAX=1\r\n",
    b"452 4.5.3 too many\r\n",
    b"503 what\r\n",
    b"552 too much\r\n",
    b"250-not you\r\n554 5.7.1 no\r\n",
    b"550-no\r\n250 yes\r\n",
];

/// Index in [`REPLIES`].
const GREETING: usize = 0;
const OK: usize = 1;
const OFFER: usize = 2;
const SMALL_OFFER: usize = 3;
const START: usize = 4;
const BYE: usize = 5;
const SHUTDOWN: usize = 6;
const UNKNOWN: usize = 8;
const GO_AHEAD: usize = 16;
const OFFER_TLS: usize = 17;
const OFFER_AUTH: usize = 18;
const OFFER_PLAIN: usize = 19;
const NO_TLS: usize = 22;
const WELCOME: usize = 23;
const CHALLENGE: usize = 24;
const NO_MECHANISM: usize = 27;
const OFFER_CHUNKS: usize = 30;
const OFFER_CHUNKS_ONE_BY_ONE: usize = 31;

/// Few, so that every content has many.
const CHUNK_OCTETS: usize = 4;

/// Of the sessions that have one; and all there can be of it in base64, wherever it stands.
const SECRET: &str = "correct horse";
const SECRET_IN_BASE64: [&str; 3] = ["Y29ycmVjdCBob3Jz", "NvcnJlY3QgaG9yc2", "jb3JyZWN0IGhvcnNl"];

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
        assert!(reply.code.0 <= 999 && !reply.lines.is_empty());
        assert!(reply.lines.len() + reply.overruled.len() <= 128);
        let differs = reply.overruled.last().is_some_and(|line| line.code != reply.code);
        assert_eq!(differs, !reply.overruled.is_empty());
        assert!(
            !differs || reply.severity().is_negative(),
            "a yes after another word"
        );
        let overruled = || reply.overruled.iter().map(|line| &line.text);
        assert!(
            reply
                .lines
                .iter()
                .chain(overruled())
                .all(|line| line.len() <= 2044 && !line.contains(&b'\n'))
        );
        let class = reply
            .enhanced
            .map_or(reply.code.0 / 100, |enhanced| u16::from(enhanced.class));
        assert_eq!(class, reply.code.0 / 100);
        // What is printed is read again as what it was, unless its text plays with line ends.
        let printed = print(reply);
        let mut lines = reply.lines.iter().chain(overruled());
        if !lines.any(|line| line.ends_with(b"\r")) && printed.len() <= 16_384 {
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
    let line = |code: ReplyCode, separator: &str, text: &[u8]| {
        [code.to_string().as_bytes(), separator.as_bytes(), text, b"\r\n"].concat()
    };
    let last = reply.lines.len() - 1;
    let overruled = reply
        .overruled
        .iter()
        .flat_map(|overruled| line(overruled.code, "-", &overruled.text));
    let lines = reply.lines.iter().enumerate().flat_map(|(place, text)| {
        let separator = if place == last { " " } else { "-" };
        line(reply.code, separator, text)
    });
    overruled.chain(lines).collect()
}

struct Storm<'a> {
    harness: Harness,
    octets: &'a [u8],
    /// Everything that was written.
    wire: Vec<u8>,
    server: Server,
    /// Whether the peer of a handshake proves who it is.
    verified: bool,
}

/// A server that would go on, if it were let: the replies it owes.
struct Server {
    line: Vec<u8>,
    reads: Reads,
    /// To EHLO.
    offer: &'static [u8],
    /// To EHLO within TLS.
    offer_within: &'static [u8],
    /// To STARTTLS.
    on_starttls: &'static [u8],
    /// To BDAT, when its chunk is read.
    on_chunk: &'static [u8],
    /// To another MAIL than the first.
    on_more_mail: &'static [u8],
    mails: usize,
    replies: VecDeque<&'static [u8]>,
}

/// What a server takes the next line for.
enum Reads {
    Commands,
    Content,
    /// So many octets of a chunk.
    Chunk(usize),
    /// So many lines of an exchange.
    Responses(usize),
}

/// What the first octet of a storm says of its session: the low half is an operation, too.
struct Kind {
    low: u8,
    high: u8,
}

impl Kind {
    fn hello(&self) -> Hello {
        if self.low % 8 == 7 {
            Hello::Helo
        } else {
            Hello::Ehlo
        }
    }

    fn tls(&self) -> TlsUse {
        match self.high {
            0..=4 => TlsUse::Clear,
            5 | 6 | 13 => TlsUse::Opportunistic,
            7..=9 | 11 | 15 => TlsUse::Required,
            _ => TlsUse::Implicit,
        }
    }

    fn verified(&self) -> bool {
        !matches!(self.high, 6 | 15)
    }

    fn auth(&self) -> Option<Authentication> {
        let kind = match self.high {
            11..=13 | 15 => SecretKind::Password,
            14 => SecretKind::Token,
            _ => return None,
        };
        Some(Authentication {
            user: "user".to_owned(),
            secret: SECRET.into(),
            kind,
            nonce: "rOprNGfwEbeRWgbNEkqO".to_owned(),
        })
    }

    fn config(&self) -> SessionConfig {
        SessionConfig {
            tls: self.tls(),
            auth: self.auth(),
            chunk_octets: CHUNK_OCTETS,
            ..config(self.hello())
        }
    }

    fn server(&self) -> Server {
        let (offer, offer_within) = match (self.tls(), self.low % 8) {
            (TlsUse::Clear, _) if matches!(self.low, 8..=10) => (OFFER_CHUNKS, OFFER_CHUNKS),
            (TlsUse::Clear, _) if matches!(self.low, 11 | 12) => {
                (OFFER_CHUNKS_ONE_BY_ONE, OFFER_CHUNKS_ONE_BY_ONE)
            }
            (TlsUse::Clear, 6) => (SMALL_OFFER, SMALL_OFFER),
            (TlsUse::Clear, _) | (TlsUse::Opportunistic | TlsUse::Required, 5) => (OFFER, OFFER),
            (_, 6) => (OFFER_TLS, OFFER_PLAIN),
            (_, 0..=3) => (OFFER_TLS, OFFER_AUTH),
            _ => (OFFER_TLS, OFFER_TLS),
        };
        Server {
            line: Vec::new(),
            reads: Reads::Commands,
            offer: REPLIES[if self.tls() == TlsUse::Implicit {
                offer_within
            } else {
                offer
            }],
            offer_within: REPLIES[offer_within],
            on_starttls: REPLIES[if self.low % 8 == 4 { NO_TLS } else { GO_AHEAD }],
            on_chunk: REPLIES[if self.low == 10 { UNKNOWN } else { OK }],
            on_more_mail: REPLIES[if self.low == 12 { SHUTDOWN } else { OK }],
            mails: 0,
            replies: VecDeque::from([REPLIES[GREETING]]),
        }
    }
}

impl<'a> Storm<'a> {
    fn new(octets: &'a [u8]) -> Self {
        let first = octets.first().copied().unwrap_or(0);
        let kind = Kind {
            low: first % 16,
            high: first / 16,
        };
        let mut harness = Harness::with(kind.config(), Pieces::Whole);
        harness.leave_content_alone();
        if kind.auth().is_some() {
            let secrets = std::iter::once(SECRET).chain(SECRET_IN_BASE64);
            harness.guard(secrets.map(str::to_owned).collect());
        }
        harness.take_events();
        Self {
            harness,
            octets,
            wire: Vec::new(),
            server: kind.server(),
            verified: kind.verified(),
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
                let what = self.number() % 4;
                // Rare, or no storm would last.
                let now = self.number() > 200;
                match what {
                    _ if !now => {}
                    0 => self.harness.connection.handle_closed(None, self.harness.now),
                    1 => {
                        let error = Some(std::io::ErrorKind::ConnectionReset);
                        self.harness.connection.handle_closed(error, self.harness.now);
                    }
                    2 if self.harness.handshake() == Handshake::Asked => {
                        self.harness.handle_tls(Err("no shared cipher".into()));
                    }
                    _ => self.handshake_that_nobody_asked_for(),
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

    /// The handshake is made, content that was asked for is given, and everything is written.
    fn go_on(&mut self) {
        if self.harness.handshake() == Handshake::Asked && !self.harness.is_closed() {
            let verified = self.verified;
            self.harness.handle_tls(Ok(TlsSession { verified }));
        }
        if let Some(tx) = self.harness.wants_content() {
            self.harness.hand_over(tx);
        }
        self.write(usize::MAX);
    }

    fn handshake_that_nobody_asked_for(&mut self) {
        if self.harness.handshake() != Handshake::Asked {
            let session = TlsSession { verified: true };
            self.harness.connection.handle_tls(Ok(session), self.harness.now);
        }
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
        let mut mail = Mail::new(recipients, size, content);
        mail.body.chunking = Chunking::Prefer;
        self.harness.submit(mail);
    }

    fn content(&mut self) {
        let tx = SubmissionId(self.number() as u64 % 5);
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
        let by_bdat = self.harness.offers_chunking();
        let (lines, ends) = if by_bdat {
            without_chunks(&self.wire)
        } else {
            let ends = self.wire.windows(5).filter(|window| window == b"\r\n.\r\n");
            (vec![self.wire.clone()], ends.count())
        };
        for stream in lines {
            let mut before = b' ';
            for &octet in &stream {
                assert_eq!(
                    before == b'\r',
                    octet == b'\n',
                    "a bare CR or LF: {}",
                    self.wire.escape_ascii()
                );
                before = octet;
            }
        }
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
            committed.len() <= ends,
            "{committed:?} with {ends} ends of contents on the wire: {}",
            self.wire.escape_ascii()
        );
    }

    /// After `Closed` every verb does nothing.
    fn check_silence(&mut self) {
        self.harness.submit_nothing();
        let (connection, now) = (&mut self.harness.connection, self.harness.now);
        connection.quit(now);
        connection.abort(Abort::Cancelled, now);
        connection.handle_bytes(b"250 ok\r\n", now);
        connection.handle_content(SubmissionId(1), Bytes::new(), true, now);
        connection.handle_timeout(now + Duration::from_secs(10_000));
        connection.handle_closed(None, now);
        connection.handle_tls(Ok(TlsSession { verified: true }), now);
        connection.transmitted(10, now);
        assert_eq!(connection.poll_event(), None);
        assert_eq!(connection.poll_deadline(), None);
        assert!(self.harness.offered().is_empty());
    }
}

/// The commands, then each content without its chunks, as far as it was sent; and how many of them were sent to the end.
fn without_chunks(wire: &[u8]) -> (Vec<Vec<u8>>, usize) {
    let mut streams = vec![Vec::new()];
    let mut content = Vec::new();
    let mut ends = 0;
    let mut rest = wire;
    while let Some(end) = rest.iter().position(|octet| *octet == b'\n') {
        let (line, behind) = rest.split_at(end + 1);
        rest = behind;
        streams[0].extend(line);
        match chunk_of(line) {
            Some((octets, is_last)) => {
                let (chunk, behind) = rest.split_at(octets.min(rest.len()));
                rest = behind;
                content.extend(chunk);
                ends += usize::from(is_last && chunk.len() == octets);
            }
            // A content that was refused may have been cut within a line end.
            None if line == b"MAIL FROM:<sender@client.example>\r\n" => content.clear(),
            None => {}
        }
        if chunk_of(line).is_some_and(|(_, is_last)| is_last) {
            streams.push(std::mem::take(&mut content));
        }
    }
    (streams, ends)
}

/// How long the chunk is that follows this line, and whether it is the last.
fn chunk_of(line: &[u8]) -> Option<(usize, bool)> {
    let argument = std::str::from_utf8(line.strip_prefix(b"BDAT ")?).ok()?.trim_end();
    let (octets, is_last) = match argument.strip_suffix(" LAST") {
        Some(octets) => (octets, true),
        None => (argument, false),
    };
    Some((octets.parse().ok()?, is_last))
}

impl Server {
    fn read(&mut self, octets: &[u8]) {
        for &octet in octets {
            if let Reads::Chunk(left) = &mut self.reads {
                *left -= 1;
                if *left == 0 {
                    self.reads = Reads::Commands;
                    self.replies.push_back(self.on_chunk);
                }
                continue;
            }
            self.line.push(octet);
            if octet == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.answer(&line);
            }
        }
    }

    fn answer(&mut self, line: &[u8]) {
        let reply = match (&mut self.reads, line.get(..4)) {
            // Octets of a chunk are no lines.
            (Reads::Chunk(_), _) => return,
            (Reads::Content, _) if line != b".\r\n" => return,
            (Reads::Content, _) => {
                self.reads = Reads::Commands;
                OK
            }
            (Reads::Responses(0), _) => {
                self.reads = Reads::Commands;
                WELCOME
            }
            (Reads::Responses(left), _) => {
                *left -= 1;
                CHALLENGE
            }
            (Reads::Commands, Some(b"EHLO")) => {
                self.replies.push_back(self.offer);
                return;
            }
            (Reads::Commands, Some(b"STAR")) => {
                self.offer = self.offer_within;
                self.replies.push_back(self.on_starttls);
                return;
            }
            (Reads::Commands, Some(b"MAIL")) => {
                self.mails += 1;
                self.replies.push_back(if self.mails == 1 {
                    REPLIES[OK]
                } else {
                    self.on_more_mail
                });
                return;
            }
            (Reads::Commands, Some(b"AUTH")) => self.begin_exchange(line),
            (Reads::Commands, Some(b"BDAT")) => {
                let octets = chunk_of(line).map_or(0, |(octets, _)| octets);
                if octets > 0 {
                    self.reads = Reads::Chunk(octets);
                    return;
                }
                OK
            }
            (Reads::Commands, Some(b"DATA")) => {
                self.reads = Reads::Content;
                START
            }
            (Reads::Commands, Some(b"QUIT")) => BYE,
            _ => OK,
        };
        self.replies.push_back(REPLIES[reply]);
    }

    fn begin_exchange(&mut self, line: &[u8]) -> usize {
        match line.split(|octet| *octet == b' ').nth(1) {
            Some(b"LOGIN\r\n") => {
                self.reads = Reads::Responses(1);
                CHALLENGE
            }
            Some(b"SCRAM-SHA-256") => NO_MECHANISM,
            _ => WELCOME,
        }
    }
}
