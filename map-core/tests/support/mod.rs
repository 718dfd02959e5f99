//! A driver without a network: it moves octets and content by hand, and checks what must hold for every
//! sequence of events, whatever the peer does.

// Each test that includes this file uses a part of it.
#![allow(dead_code)]

pub(crate) mod storm;

use bytes::Bytes;
use map_core::Mailbox;
use map_core::address::MailboxDomain;
use map_core::envelope::{BodyForm, Envelope, EnvelopeParameters};
use map_core::message::BodyType;
use map_core::smtp::{
    BodyInfo, CHUNK_OCTETS, Connection, ConnectionFailure, Deadlines, Event, ExchangeStage, Hello, NoTls,
    Outcome, Reply, SessionConfig, Severity, SubmissionId, TlsSession, TlsUse, Unsupported,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// What recipients are called, by index.
pub(crate) const NAMES: [&str; 5] = ["one", "two", "three", "four", "five"];

/// One message to submit.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) envelope: Envelope,
    pub(crate) body: BodyInfo,
    /// Of every form.
    pub(crate) content: Bytes,
}

impl Mail {
    /// To so many, whose names are [`NAMES`].
    pub(crate) fn new(recipients: usize, size: Option<u64>, content: Bytes) -> Self {
        let recipient = |index: usize| match RECIPIENTS.get(index) {
            Some(known) => known.clone().into(),
            None => mailbox(&format!("r{index}@mx.example")).into(),
        };
        Self {
            envelope: Envelope {
                reverse_path: SENDER.clone().into(),
                recipients: (0..recipients).map(recipient).collect(),
                parameters: EnvelopeParameters::default(),
            },
            body: BodyForm {
                size,
                ..BodyForm::default()
            }
            .into(),
            content,
        }
    }

    pub(crate) fn recipients(&self) -> usize {
        self.envelope.recipients.len()
    }
}

/// Small numbers without order, the same on every run.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `sides`; 0 for no sides.
    pub(crate) fn below(&mut self, sides: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap() % sides.max(1)
    }
}

/// In which pieces octets move.
#[derive(Clone, Debug)]
pub(crate) enum Pieces {
    Whole,
    Octets,
    Random(Dice),
}

impl Pieces {
    /// How many of `available` octets move next: at least one, if there is one.
    pub(crate) fn next(&mut self, available: usize) -> usize {
        match self {
            Self::Whole => available,
            Self::Octets => available.min(1),
            Self::Random(dice) => available.min(1 + dice.below(available.min(40))),
        }
    }
}

/// A connection, its driver, and what was told so far.
#[derive(Debug)]
pub(crate) struct Harness {
    pub(crate) connection: Connection,
    pub(crate) now: Instant,
    pub(crate) pieces: Pieces,
    mails: Vec<Mail>,
    /// Octets of each content that were handed over.
    handed: Vec<usize>,
    outcomes: BTreeMap<(usize, usize), Outcome>,
    finished: Vec<usize>,
    closed: bool,
    /// False when somebody else hands over the content.
    hands_over: bool,
    trail: Vec<String>,
    tls: TlsUse,
    handshake: Handshake,
    /// What was written before the peer was known.
    untrusted: Vec<u8>,
    /// What must not be seen.
    secrets: Vec<String>,
    /// Contents of which at least one block was asked for.
    asked: Vec<usize>,
    /// The form of each content that was opened, in order.
    opened: Vec<usize>,
    /// Contents whose end was told as sent and not yet as answered.
    contents_sent: BTreeSet<usize>,
    /// The final reply to each of the others, until the next MAIL of the same transaction is answered.
    final_replies: BTreeMap<usize, Severity>,
    /// Transactions of which a recipient may have been put off to another round: what holds for one content holds for
    /// some of the recipients only.
    put_off: BTreeSet<usize>,
    /// The same for every transaction, since the server has named limits.
    has_limits: bool,
    chunking: bool,
    /// Octets of the open content that were sent.
    sent: u64,
}

/// How far the one handshake of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    NotAsked,
    Asked,
    Done { verified: bool },
    Failed,
}

/// What may be said in the clear where TLS is required, up to its LF.
const INNOCENT: [&[u8]; 4] = [
    b"EHLO client.example\r",
    b"HELO client.example\r",
    b"QUIT\r",
    b"STARTTLS\r",
];

/// Read once: the tests make very many connections.
static HELLO_NAME: LazyLock<MailboxDomain> = LazyLock::new(|| "client.example".parse().unwrap());
static SENDER: LazyLock<Mailbox> = LazyLock::new(|| mailbox("sender@client.example"));
static RECIPIENTS: LazyLock<Vec<Mailbox>> = LazyLock::new(|| {
    NAMES
        .iter()
        .map(|name| mailbox(&format!("{name}@mx.example")))
        .collect()
});

pub(crate) fn config(hello: Hello) -> SessionConfig {
    SessionConfig {
        hello_name: HELLO_NAME.clone(),
        hello,
        deadlines: Deadlines::default(),
        tls: TlsUse::Clear,
        auth: None,
        chunk_octets: CHUNK_OCTETS,
    }
}

pub(crate) fn mailbox(name: &str) -> Mailbox {
    Mailbox::try_from(name).unwrap()
}

impl Harness {
    pub(crate) fn new(hello: Hello, pieces: Pieces) -> Self {
        Self::with(config(hello), pieces)
    }

    pub(crate) fn with(config: SessionConfig, pieces: Pieces) -> Self {
        let now = Instant::now();
        let tls = config.tls;
        Self {
            connection: Connection::new(config, now),
            now,
            pieces,
            mails: Vec::new(),
            handed: Vec::new(),
            outcomes: BTreeMap::new(),
            finished: Vec::new(),
            closed: false,
            hands_over: true,
            trail: Vec::new(),
            tls,
            handshake: Handshake::NotAsked,
            untrusted: Vec::new(),
            secrets: Vec::new(),
            asked: Vec::new(),
            opened: Vec::new(),
            contents_sent: BTreeSet::new(),
            final_replies: BTreeMap::new(),
            put_off: BTreeSet::new(),
            has_limits: false,
            chunking: false,
            sent: 0,
        }
    }

    /// Transactions are numbered from 1.
    pub(crate) fn submit(&mut self, mail: Mail) {
        let (envelope, body) = (mail.envelope.clone(), mail.body.clone());
        self.mails.push(mail);
        self.handed.push(0);
        let tx = SubmissionId(self.mails.len() as u64);
        self.connection.submit(tx, envelope, body, self.now);
        self.take_events();
    }

    pub(crate) fn quit(&mut self) {
        self.connection.quit(self.now);
        self.take_events();
    }

    /// All of `octets`, in pieces.
    pub(crate) fn receive(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(self.pieces.next(rest.len()));
            self.connection.handle_bytes(piece, self.now);
            self.take_events();
            rest = after;
        }
        self.check_print();
    }

    /// What would be written now.
    pub(crate) fn offered(&self) -> Vec<u8> {
        let mut slices = Vec::new();
        self.connection.poll_transmit(&mut slices);
        slices.iter().flat_map(|slice| slice.iter().copied()).collect()
    }

    pub(crate) fn transmit(&mut self, octets: usize) {
        self.check_secrecy(octets);
        self.connection.transmitted(octets, self.now);
        self.check_progress();
        self.take_events();
    }

    /// What is told of a content's octets never falls, and never runs ahead of those that were handed over.
    fn check_progress(&mut self) {
        if let Some((tx, octets)) = self.connection.content_sent() {
            let handed = self.handed[number(tx) - 1] as u64;
            assert!(
                self.sent <= octets && (octets <= handed || !self.hands_over),
                "{octets} octets sent, {} before, of {handed}",
                self.sent
            );
            self.sent = octets;
        }
    }

    /// The server has offered CHUNKING.
    pub(crate) fn offers_chunking(&self) -> bool {
        self.chunking
    }

    /// Which forms of the contents were opened, in order.
    pub(crate) fn opened(&self) -> &[usize] {
        &self.opened
    }

    /// The handshake that was asked for ends.
    pub(crate) fn handle_tls(&mut self, handshake: Result<TlsSession, Arc<str>>) {
        assert_eq!(self.handshake, Handshake::Asked, "nobody asked for a handshake");
        assert!(
            self.offered().is_empty(),
            "octets to write while a handshake is made"
        );
        self.handshake = match handshake {
            Ok(TlsSession { verified }) => Handshake::Done { verified },
            Err(_) => Handshake::Failed,
        };
        self.connection.handle_tls(handshake, self.now);
        self.take_events();
    }

    pub(crate) fn handshake(&self) -> Handshake {
        self.handshake
    }

    /// What must not be seen where it should not from now on.
    pub(crate) fn guard(&mut self, secrets: Vec<String>) {
        self.secrets = secrets;
    }

    /// Where TLS is wanted, nothing but what asks for it is written before there is some; nothing at all during a
    /// handshake; and nothing of AUTH before the peer has proved who it is.
    fn check_secrecy(&mut self, octets: usize) {
        let is_known = self.handshake == Handshake::Done { verified: true };
        if is_known || (self.tls == TlsUse::Clear && self.secrets.is_empty()) {
            return;
        }
        let offered = self.offered();
        let written = offered.get(..octets).unwrap_or(&offered);
        if matches!(self.handshake, Handshake::Asked | Handshake::Failed) {
            assert!(written.is_empty(), "octets to write while a handshake is made");
        }
        self.untrusted.extend(written);
        let mut lines = self.untrusted.split(|octet| *octet == b'\n');
        assert!(
            !lines.clone().any(|line| line.starts_with(b"AUTH")),
            "AUTH to nobody knows whom"
        );
        let in_clear = !matches!(self.handshake, Handshake::Done { .. });
        if in_clear && matches!(self.tls, TlsUse::Implicit | TlsUse::Required) {
            let innocent = |line: &[u8]| INNOCENT.iter().any(|known| known.starts_with(line));
            assert!(
                lines.all(innocent),
                "in the clear: {}",
                self.untrusted.escape_ascii()
            );
        }
        let untrusted = String::from_utf8_lossy(&self.untrusted);
        let told = |secret: &String| untrusted.contains(secret.as_str());
        assert!(!self.secrets.iter().any(told), "the secret to nobody knows whom");
    }

    /// Whatever is queued or kept, no secret is ever printed.
    fn check_print(&self) {
        if !self.secrets.is_empty() {
            let printed = format!("{:?}", self.connection);
            let shown = |secret: &String| printed.contains(secret.as_str());
            assert!(
                !self.secrets.iter().any(shown),
                "the secret is printed: {printed}"
            );
        }
    }

    pub(crate) fn wait_for_timeout(&mut self) -> Duration {
        let deadline = self.connection.poll_deadline().expect("something is waited for");
        let waited = deadline.saturating_duration_since(self.now);
        if let Some(early) = deadline
            .checked_sub(Duration::from_millis(1))
            .filter(|early| *early > self.now)
        {
            self.connection.handle_timeout(early);
            assert_eq!(
                self.connection.poll_deadline(),
                Some(deadline),
                "a time-out before its time does nothing"
            );
        }
        self.now = deadline;
        self.connection.handle_timeout(deadline);
        self.take_events();
        waited
    }

    pub(crate) fn outcome(&self, tx: usize, index: usize) -> Option<&Outcome> {
        self.outcomes.get(&(tx, index))
    }

    pub(crate) fn outcomes(&self) -> &BTreeMap<(usize, usize), Outcome> {
        &self.outcomes
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Commands and reply codes in the order in which they were told.
    pub(crate) fn trail(&self) -> String {
        self.trail.join(" ")
    }

    /// Every event, checked as it comes; content is handed over as it is asked for.
    pub(crate) fn take_events(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            assert!(!self.closed, "{event:?} after Closed");
            match event {
                Event::Sent { stage, tx } => {
                    let tx = tx.map(number);
                    self.trail.push(command(stage).to_owned());
                    match (stage, tx) {
                        // What was not asked for was a dot alone.
                        (ExchangeStage::Content, Some(tx)) if self.asked.contains(&tx) => {
                            self.contents_sent.insert(tx);
                        }
                        _ => {}
                    }
                }
                Event::DeriveKey(derivation) => self.connection.handle_key(derivation.derive(), self.now),
                Event::StartTls => {
                    assert_eq!(self.handshake, Handshake::NotAsked, "a second handshake");
                    self.handshake = Handshake::Asked;
                    self.trail.push("(TLS)".to_owned());
                }
                Event::Received { stage, tx, reply } => {
                    let tx = tx.map(number);
                    self.trail.push(reply.code.to_string());
                    match (stage, tx) {
                        (ExchangeStage::Content, Some(tx)) if self.contents_sent.remove(&tx) => {
                            self.final_replies.insert(tx, reply.severity());
                        }
                        (ExchangeStage::Mail, Some(tx)) => {
                            self.final_replies.remove(&tx);
                            self.asked.retain(|asked| *asked != tx);
                        }
                        (ExchangeStage::Rcpt, Some(tx))
                            if matches!(reply.code.0, 400..=499 | 501 | 504 | 552 | 555) =>
                        {
                            self.put_off.insert(tx);
                        }
                        (ExchangeStage::Ehlo, _) => {
                            self.has_limits |= reply.lines.iter().any(|line| line.starts_with(b"LIMITS"));
                        }
                        _ => {}
                    }
                }
                Event::OpenContent { tx, form } => {
                    self.handed[number(tx) - 1] = 0;
                    self.opened.push(form);
                    self.sent = 0;
                }
                Event::NeedContent(tx) => {
                    self.asked.push(number(tx));
                    if self.hands_over {
                        self.hand_over(number(tx));
                    }
                }
                Event::Recipient { tx, index, outcome } => {
                    let tx = number(tx);
                    self.check(tx, index, &outcome);
                    let before = self.outcomes.insert((tx, index), outcome);
                    assert_eq!(before, None, "a second outcome for recipient {index} of {tx}");
                }
                Event::Finished(tx) => {
                    let tx = number(tx);
                    let told = self.outcomes.range((tx, 0)..(tx + 1, 0)).count();
                    assert_eq!(
                        told,
                        self.mails[tx - 1].recipients(),
                        "Finished({tx}) before its outcomes"
                    );
                    assert!(!self.finished.contains(&tx), "Finished({tx}) twice");
                    self.finished.push(tx);
                }
                Event::Closed => {
                    self.closed = true;
                    assert_eq!(
                        self.finished.len(),
                        self.mails.len(),
                        "Closed before every transaction finished"
                    );
                    assert!(self.offered().is_empty(), "octets to write after Closed");
                    assert_eq!(self.connection.poll_deadline(), None, "a deadline after Closed");
                }
                Event::DsnDropped(_) => self.trail.push("(no DSN)".to_owned()),
                Event::Ready(capabilities) => self.chunking = capabilities.chunking,
            }
        }
    }

    /// Content is handed over by the test.
    pub(crate) fn leave_content_alone(&mut self) {
        self.hands_over = false;
    }

    /// The transaction that was the last to ask for content, if it has more.
    pub(crate) fn wants_content(&self) -> Option<usize> {
        let tx = *self.asked.last()?;
        (self.handed[tx - 1] < self.mails[tx - 1].content.len()).then_some(tx)
    }

    /// A transaction of which nothing is to be heard.
    pub(crate) fn submit_nothing(&mut self) {
        let envelope = Envelope {
            reverse_path: SENDER.clone().into(),
            recipients: Vec::new(),
            parameters: EnvelopeParameters::default(),
        };
        self.connection
            .submit(SubmissionId(0), envelope, BodyInfo::default(), self.now);
    }

    /// What must hold for an outcome in any case.
    fn check(&self, tx: usize, index: usize, outcome: &Outcome) {
        assert!(
            index < self.mails[tx - 1].recipients(),
            "no such recipient: {index} of {tx}"
        );
        assert!(!self.finished.contains(&tx), "an outcome after Finished({tx})");
        let awaited = self.contents_sent.contains(&tx);
        let answered = self.final_replies.get(&tx);
        match outcome {
            Outcome::Accepted(reply) => {
                assert_eq!(
                    answered,
                    Some(&Severity::PositiveCompletion),
                    "accepted without its content"
                );
                assert_eq!(reply.severity(), Severity::PositiveCompletion);
            }
            Outcome::Uncertain(_) => {
                assert!(awaited || answered.is_some(), "uncertain before the commit point");
            }
            Outcome::Lost { .. } | Outcome::Unexpected { .. } => {
                let past = awaited || answered.is_some();
                let in_rounds = self.has_limits || self.put_off.contains(&tx);
                assert!(!past || in_rounds, "{outcome:?} after the commit point");
            }
            Outcome::Refused { reply, .. } | Outcome::NoBdat(reply) | Outcome::TooManyRecipients(reply) => {
                assert!(reply.severity().is_negative(), "{outcome:?}");
            }
            Outcome::NoTls(_) | Outcome::Unsupported(_) | Outcome::NotAttempted => {}
        }
    }

    /// The next piece of the content.
    pub(crate) fn hand_over(&mut self, tx: usize) {
        let place = tx - 1;
        let content = &self.mails[place].content;
        let from = self.handed[place];
        let to = from + self.pieces.next(content.len() - from);
        self.handed[place] = to;
        let block = content.slice(from..to);
        self.connection
            .handle_content(SubmissionId(tx as u64), block, to == content.len(), self.now);
    }
}

fn number(SubmissionId(tx): SubmissionId) -> usize {
    usize::try_from(tx).unwrap()
}

pub(crate) fn command(stage: ExchangeStage) -> &'static str {
    match stage {
        ExchangeStage::Greeting => "greeting",
        ExchangeStage::Ehlo => "EHLO",
        ExchangeStage::Helo => "HELO",
        ExchangeStage::StartTls => "STARTTLS",
        ExchangeStage::Tls => "TLS",
        ExchangeStage::Auth => "AUTH",
        ExchangeStage::Mail => "MAIL",
        ExchangeStage::Rcpt => "RCPT",
        ExchangeStage::Data => "DATA",
        ExchangeStage::Chunk => "chunk",
        ExchangeStage::Content => "content",
        ExchangeStage::Rset => "RSET",
        ExchangeStage::Quit => "QUIT",
    }
}

/// An outcome as the transcripts write it.
pub(crate) fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted(reply) => format!("accepted ({})", codes(reply)),
        Outcome::Refused { stage, reply } => format!("refused at {} ({})", command(*stage), codes(reply)),
        Outcome::Unexpected { stage, reply } => {
            format!("unexpected at {} ({})", command(*stage), codes(reply))
        }
        Outcome::Unsupported(unfit) => format!("unfit ({})", lack(*unfit)),
        Outcome::NoBdat(reply) => format!("no BDAT ({})", codes(reply)),
        Outcome::TooManyRecipients(reply) => format!("crowded ({})", codes(reply)),
        Outcome::NotAttempted => "unserved".to_owned(),
        Outcome::NoTls(NoTls::NotOffered) => "no TLS (not offered)".to_owned(),
        Outcome::NoTls(NoTls::Refused(reply)) => format!("no TLS ({})", codes(reply)),
        Outcome::Lost { stage, why } => format!("lost at {} ({})", command(*stage), loss(why)),
        Outcome::Uncertain(why) => format!("uncertain ({})", loss(why)),
    }
}

fn lack(unfit: Unsupported) -> String {
    match unfit {
        Unsupported::NeedsBodyType(BodyType::Binary) => "BINARYMIME".to_owned(),
        Unsupported::NeedsBodyType(_) => "8BITMIME".to_owned(),
        Unsupported::NeedsRequireTls => "REQUIRETLS".to_owned(),
        Unsupported::NeedsSmtpUtf8 => "SMTPUTF8".to_owned(),
        Unsupported::NoAuthMechanism => "no AUTH mechanism".to_owned(),
        Unsupported::NotVerified => "not verified".to_owned(),
        Unsupported::TooLarge { size, limit } => format!("{size} octets, limit {limit}"),
    }
}

fn loss(why: &ConnectionFailure) -> String {
    use map_core::smtp::Abort;
    match why {
        ConnectionFailure::Aborted(Abort::Cancelled) => "cancelled".to_owned(),
        ConnectionFailure::Aborted(Abort::ContentUnreadable) => "unreadable content".to_owned(),
        ConnectionFailure::Aborted(Abort::Deadline) => "deadline".to_owned(),
        ConnectionFailure::Closed => "closed".to_owned(),
        ConnectionFailure::ImplausibleReply(reply) => format!("nonsense {}", codes(reply)),
        ConnectionFailure::NotSmtp => "not SMTP".to_owned(),
        ConnectionFailure::Reset(_) => "reset".to_owned(),
        ConnectionFailure::TimedOut => "timed out".to_owned(),
        ConnectionFailure::Injected => "injected".to_owned(),
        ConnectionFailure::Tls(why) => format!("TLS: {why}"),
        ConnectionFailure::OutOfTime => "out of time".to_owned(),
        ConnectionFailure::ServerNotAuthenticated => "unproved".to_owned(),
    }
}

fn codes(reply: &Reply) -> String {
    match reply.enhanced {
        Some(enhanced) => format!("{} {enhanced}", reply.code),
        None => reply.code.to_string(),
    }
}
