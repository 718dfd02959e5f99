//! What is to be sent, and which replies what was sent has made the server owe us.
//!
//! The two queues are kept apart. A command waits in the first until its last octet was given to the system;
//! only then may a reply to it be awaited, and it moves to the second. So a reply that arrives while the second
//! queue is empty is one that nobody asked for, however near its command may be, and is never taken for the
//! answer to something the server cannot have read.
//!
//! With PIPELINING the sender runs ahead of the replies. It may, because the server answers in order
//! (RFC 2920 section 3.2, <https://www.rfc-editor.org/rfc/rfc2920#section-3.2>) and because nothing is sent
//! ahead whose sending depends on a reply that is still owed: the content waits for every reply before it.

use super::{CONTENT_BLOCK_OCTETS, CONTENT_RATE, Deadlines, Event, ExchangeStage, SubmissionId};
use bytes::Bytes;
use std::collections::VecDeque;
use std::fmt;
use std::io::IoSlice;
use std::time::{Duration, Instant};

/// Slices of one write; the system takes 1,024 at most.
const MAX_SLICES: usize = 256;

/// A reply the server owes, by what it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExpectedReply {
    /// The connection itself.
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    /// AUTH, or a line of its exchange.
    Auth,
    /// RSET, for the transaction after it.
    Rset,
    Mail(SubmissionId),
    /// RCPT, with the recipient's index in the envelope.
    Rcpt(SubmissionId, usize),
    Data(SubmissionId),
    /// A chunk of the content that is not the last.
    Chunk(SubmissionId),
    /// The content with its end mark, or the last chunk: the final reply.
    Content(SubmissionId),
    /// A dot alone, where DATA was answered 354 and no recipient was accepted.
    LoneDot(SubmissionId),
    Quit,
}

impl ExpectedReply {
    pub(super) fn stage(self) -> ExchangeStage {
        match self {
            Self::Greeting => ExchangeStage::Greeting,
            Self::Ehlo => ExchangeStage::Ehlo,
            Self::Helo => ExchangeStage::Helo,
            Self::StartTls => ExchangeStage::StartTls,
            Self::Auth => ExchangeStage::Auth,
            Self::Rset => ExchangeStage::Rset,
            Self::Mail(_) => ExchangeStage::Mail,
            Self::Rcpt(..) => ExchangeStage::Rcpt,
            Self::Data(_) => ExchangeStage::Data,
            Self::Chunk(_) => ExchangeStage::Chunk,
            Self::Content(_) | Self::LoneDot(_) => ExchangeStage::Content,
            Self::Quit => ExchangeStage::Quit,
        }
    }

    pub(super) fn submission(self) -> Option<SubmissionId> {
        match self {
            Self::Greeting
            | Self::Ehlo
            | Self::Helo
            | Self::StartTls
            | Self::Auth
            | Self::Rset
            | Self::Quit => None,
            Self::Mail(tx)
            | Self::Rcpt(tx, _)
            | Self::Data(tx)
            | Self::Chunk(tx)
            | Self::Content(tx)
            | Self::LoneDot(tx) => Some(tx),
        }
    }

    /// True when the server may answer 3yz, and then reads content or a line of an exchange, not commands.
    pub(super) fn may_ask_for_more(self) -> bool {
        matches!(self, Self::Auth | Self::Data(_))
    }
}

/// Octets to send.
struct Segment {
    octets: Bytes,
    /// What is sent whole with the last of them.
    completes: Option<ExpectedReply>,
    /// They are the caller's, and not ours.
    is_content: bool,
}

/// Octets within a content.
pub(super) enum Part {
    /// The caller's.
    Content(Bytes),
    /// Such that only the transfer needs.
    Ours(Bytes),
}

impl Part {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Content(octets) | Self::Ours(octets) => octets.len(),
        }
    }

    /// Takes so many octets from its beginning, or all there are.
    pub(super) fn split_to(&mut self, octets: usize) -> Self {
        let octets = octets.min(self.len());
        match self {
            Self::Content(all) => Self::Content(all.split_to(octets)),
            Self::Ours(all) => Self::Ours(all.split_to(octets)),
        }
    }
}

/// How many octets, and not which.
impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets", self.len())
    }
}

/// How many octets, and not which: they may be a mail, or a password.
impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment")
            .field("octets", &self.octets.len())
            .field("completes", &self.completes)
            .finish_non_exhaustive()
    }
}

/// Both queues, and since when the server, or the way to it, is being waited for.
#[derive(Debug)]
pub(super) struct Outbox {
    unsent: VecDeque<Segment>,
    /// Octets of the first segment that are already sent.
    written: usize,
    /// Segments before the first one belong to the same command or content, and are sent.
    is_within: bool,
    /// Octets in `unsent`, those of `written` not counted.
    queued: usize,
    owed: VecDeque<ExpectedReply>,
    /// How many at the front of `owed` were told as [`Event::Sent`].
    announced: usize,
    /// The content that was opened last, and how many octets of it were sent.
    content: Option<(SubmissionId, u64)>,
    since: Instant,
    /// How long replies were waited for, those to chunks left out: they come while content moves.
    waited: Duration,
    /// How long content waited to be sent, or for the reply to a chunk.
    content_time: Duration,
    /// Since when it does so now, as far as `content_time` does not count it.
    content_since: Option<Instant>,
    /// Octets of all contents that were sent.
    content_octets: u64,
    /// Octets of content in `unsent`, those of `written` not counted.
    content_queued: usize,
    /// The block of content that is being sent: since when, and how many octets of it were.
    block: Option<(Instant, u64)>,
}

impl Outbox {
    /// Nothing was sent, and nothing is owed.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            unsent: VecDeque::new(),
            written: 0,
            is_within: false,
            queued: 0,
            owed: VecDeque::new(),
            announced: 0,
            content: None,
            since: now,
            waited: Duration::ZERO,
            content_time: Duration::ZERO,
            content_since: None,
            content_octets: 0,
            content_queued: 0,
            block: None,
        }
    }

    /// The greeting is owed from now on. No command asks for it, so there is none to be told.
    pub(super) fn expect_greeting(&mut self, now: Instant) {
        self.owed.push_back(ExpectedReply::Greeting);
        self.announced = self.owed.len();
        self.since = now;
    }

    /// Queues a command, or the end mark of a content.
    pub(super) fn send(&mut self, octets: Bytes, completes: ExpectedReply, now: Instant) {
        self.push(Part::Ours(octets), Some(completes), now);
    }

    /// Queues octets of a content that do not end it.
    pub(super) fn send_part(&mut self, part: Part, now: Instant) {
        self.push(part, None, now);
    }

    /// Queues a chunk, its command first.
    pub(super) fn send_chunk(
        &mut self,
        command: Bytes,
        mut parts: VecDeque<Part>,
        completes: ExpectedReply,
        now: Instant,
    ) {
        let last = parts.pop_back();
        let first = Part::Ours(command);
        let Some(last) = last else {
            return self.push(first, Some(completes), now);
        };
        self.push(first, None, now);
        for part in parts {
            self.push(part, None, now);
        }
        self.push(last, Some(completes), now);
    }

    /// The octets of a content are counted from here on.
    pub(super) fn open_content(&mut self, tx: SubmissionId) {
        self.content = Some((tx, 0));
    }

    fn push(&mut self, part: Part, completes: Option<ExpectedReply>, now: Instant) {
        let (octets, is_content) = match part {
            Part::Content(octets) => (octets, true),
            Part::Ours(octets) => (octets, false),
        };
        if self.is_quiet() {
            self.since = now;
        }
        self.queued = self.queued.saturating_add(octets.len());
        if is_content && !octets.is_empty() {
            self.content_queued = self.content_queued.saturating_add(octets.len());
            self.block = self.block.or(Some((now, 0)));
        }
        self.unsent.push_back(Segment {
            octets,
            completes,
            is_content,
        });
        self.count_content_time(now);
    }

    /// What to write next.
    pub(super) fn slices<'a>(&'a self, slices: &mut Vec<IoSlice<'a>>) {
        let mut skip = self.written;
        for segment in self.unsent.iter().take(MAX_SLICES) {
            slices.push(IoSlice::new(segment.octets.get(skip..).unwrap_or_default()));
            skip = 0;
        }
    }

    /// Takes from `octets`, which were sent, up to the end of a command or content; that one, when it is whole
    /// now and its reply is owed.
    pub(super) fn transmitted(
        &mut self,
        octets: &mut usize,
        now: Instant,
        events: &mut VecDeque<Event>,
    ) -> Option<ExpectedReply> {
        let completed = self.take_sent(octets, now, events);
        self.count_content_time(now);
        completed
    }

    fn take_sent(
        &mut self,
        octets: &mut usize,
        now: Instant,
        events: &mut VecDeque<Event>,
    ) -> Option<ExpectedReply> {
        // A chunk that moves shows that the server reads, although it owes an answer to one before.
        if *octets > 0 && matches!(self.owed.front(), None | Some(ExpectedReply::Chunk(_))) {
            self.since = now;
        }
        while let Some(segment) = self.unsent.front() {
            let left = segment.octets.len().saturating_sub(self.written);
            let step = left.min(*octets);
            *octets -= step;
            self.written += step;
            self.queued = self.queued.saturating_sub(step);
            let is_content = segment.is_content;
            if let Some((_, sent)) = self.content.as_mut().filter(|_| is_content) {
                *sent = sent.saturating_add(step as u64);
            }
            if is_content {
                self.content_left(step, now);
            }
            if step < left {
                return None;
            }
            self.written = 0;
            let completes = self.unsent.pop_front().and_then(|segment| segment.completes);
            self.is_within = completes.is_none();
            if let Some(completed) = completes {
                self.owed.push_back(completed);
                self.announce_front(events);
                return Some(completed);
            }
        }
        None
    }

    /// So many octets of content were sent, in less time than a block of it may take.
    fn content_left(&mut self, octets: usize, now: Instant) {
        self.content_queued = self.content_queued.saturating_sub(octets);
        self.content_octets = self.content_octets.saturating_add(octets as u64);
        self.block = match self.block {
            // Whoever is to supply what follows may take his time.
            _ if self.content_queued == 0 => None,
            Some((since, sent)) => {
                let sent = sent.saturating_add(octets as u64);
                Some(if sent >= CONTENT_BLOCK_OCTETS {
                    (now, 0)
                } else {
                    (since, sent)
                })
            }
            None => Some((now, 0)),
        };
    }

    /// A reply was read: what it answers, unless nobody asked for it.
    pub(super) fn answered(&mut self, now: Instant) -> Option<ExpectedReply> {
        let owed = self.owed.pop_front()?;
        self.announced = self.announced.saturating_sub(1);
        if !matches!(owed, ExpectedReply::Chunk(_)) {
            let waited = now.saturating_duration_since(self.since);
            self.waited = self.waited.saturating_add(waited);
        }
        self.since = now;
        self.count_content_time(now);
        Some(owed)
    }

    /// Content waits to be sent, or a chunk to be answered: not the caller is waited for.
    fn is_moving_content(&self) -> bool {
        let is_of_content = |segment: &Segment| {
            matches!(
                segment.completes,
                None | Some(ExpectedReply::Chunk(_) | ExpectedReply::Content(_) | ExpectedReply::LoneDot(_))
            )
        };
        matches!(self.owed.front(), Some(ExpectedReply::Chunk(_)))
            || self.unsent.front().is_some_and(is_of_content)
    }

    /// Something has changed, up to which content was waited for or was not.
    fn count_content_time(&mut self, now: Instant) {
        if let Some(since) = self.content_since {
            let passed = now.saturating_duration_since(since);
            self.content_time = self.content_time.saturating_add(passed);
        }
        self.content_since = self.is_moving_content().then_some(now);
    }

    /// Nothing more is waited for: what has been so far counts.
    pub(super) fn stop_waiting(&mut self, now: Instant) {
        if !matches!(self.owed.front(), None | Some(ExpectedReply::Chunk(_))) {
            let waited = now.saturating_duration_since(self.since);
            self.waited = self.waited.saturating_add(waited);
            self.since = now;
        }
        self.count_content_time(now);
    }

    /// Tells what was sent in the order command, reply, command, reply, whatever was sent ahead: a command is
    /// told when the replies before it were read.
    pub(super) fn announce_front(&mut self, events: &mut VecDeque<Event>) {
        if self.announced == 0 {
            self.announce(1, events);
        }
    }

    /// Tells everything that was sent, since no more replies will count.
    pub(super) fn announce_all(&mut self, events: &mut VecDeque<Event>) {
        self.announce(self.owed.len(), events);
    }

    fn announce(&mut self, upto: usize, events: &mut VecDeque<Event>) {
        for owed in self.owed.iter().take(upto).skip(self.announced) {
            events.push_back(Event::Sent {
                stage: owed.stage(),
                tx: owed.submission(),
            });
        }
        self.announced = self.announced.max(upto.min(self.owed.len()));
    }

    /// Drops what was not begun. A command or chunk that was begun is sent to its end, or the next would be a part of it.
    pub(super) fn drop_unbegun(&mut self) {
        let kept = if self.is_within_one() {
            let end = self.unsent.iter().position(|segment| segment.completes.is_some());
            end.map_or(self.unsent.len(), |end| end + 1)
        } else {
            0
        };
        self.unsent.truncate(kept);
        let octets: usize = self.unsent.iter().map(|segment| segment.octets.len()).sum();
        self.queued = octets.saturating_sub(self.written);
        self.count_content();
    }

    /// Content may have been dropped.
    fn count_content(&mut self) {
        let mut written = self.written;
        let mut queued = 0_usize;
        for segment in &self.unsent {
            let left = segment.octets.len().saturating_sub(std::mem::take(&mut written));
            if segment.is_content {
                queued = queued.saturating_add(left);
            }
        }
        self.content_queued = queued;
        self.content_since = self.content_since.filter(|_| self.is_moving_content());
        self.block = self.block.filter(|_| queued > 0);
    }

    /// A command or content is sent in part.
    pub(super) fn is_within_one(&self) -> bool {
        self.is_within || self.written > 0
    }

    /// The last octet of it waits to be sent.
    pub(super) fn is_sending(&self, what: ExpectedReply) -> bool {
        self.unsent.iter().any(|segment| segment.completes == Some(what))
    }

    /// Drops everything that was not sent.
    pub(super) fn drop_unsent(&mut self) {
        self.unsent.clear();
        self.written = 0;
        self.is_within = false;
        self.queued = 0;
        self.count_content();
    }

    /// How long replies were waited for, all together, and content beyond what [`CONTENT_RATE`] allows.
    pub(super) fn waited(&self) -> Duration {
        let allowed = Duration::from_millis(self.content_octets.saturating_mul(1000) / CONTENT_RATE);
        self.waited
            .saturating_add(self.content_time.saturating_sub(allowed))
    }

    /// The content that was opened last, and how many octets of it were given to the system.
    pub(super) fn content_sent(&self) -> Option<(SubmissionId, u64)> {
        self.content
    }

    /// Nothing to send and no reply owed.
    pub(super) fn is_quiet(&self) -> bool {
        self.unsent.is_empty() && self.owed.is_empty()
    }

    /// Octets that wait to be sent.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// What is waited for: the first reply owed, or else what is being sent.
    pub(super) fn awaited(&self) -> Option<ExpectedReply> {
        self.pending().next()
    }

    /// Every reply that is owed or will be, in order.
    pub(super) fn pending(&self) -> impl Iterator<Item = ExpectedReply> {
        self.owed
            .iter()
            .copied()
            .chain(self.unsent.iter().filter_map(|segment| segment.completes))
    }

    /// When waiting is over, if something is waited for. `taking_content`: the content has the word, even if
    /// none of it is here to be sent.
    pub(super) fn deadline(&self, deadlines: &Deadlines, taking_content: bool) -> Option<Instant> {
        let patience = match (self.owed.front(), self.unsent.front()) {
            (Some(ExpectedReply::Content(_) | ExpectedReply::LoneDot(_)), _) => deadlines.final_reply,
            // The whole content is on its way, and what is waited for is as much the final reply.
            (Some(ExpectedReply::Chunk(_)), None)
                if self
                    .owed
                    .iter()
                    .any(|owed| matches!(owed, ExpectedReply::Content(_))) =>
            {
                deadlines.final_reply
            }
            (Some(owed), _) => deadlines.of(owed.stage()),
            (None, Some(_)) => deadlines.of(self
                .awaited()
                .map_or(ExchangeStage::Content, ExpectedReply::stage)),
            (None, None) if taking_content => deadlines.content,
            (None, None) => return None,
        };
        let block = self
            .block
            .and_then(|(since, _)| since.checked_add(deadlines.content_block));
        self.after(patience).into_iter().chain(block).min()
    }

    /// That much later than the last progress.
    pub(super) fn after(&self, patience: Duration) -> Option<Instant> {
        self.since.checked_add(patience)
    }

    /// Something moved: waiting begins anew, unless a reply is owed, which has one deadline as a whole.
    pub(super) fn progressed(&mut self, now: Instant) {
        if self.owed.is_empty() {
            self.since = now;
        }
    }

    /// Waiting begins anew.
    pub(super) fn restart(&mut self, now: Instant) {
        self.since = now;
    }
}

impl Deadlines {
    /// How long the reply to a step may take, or the step itself to be written.
    fn of(&self, stage: ExchangeStage) -> Duration {
        match stage {
            ExchangeStage::Greeting => self.greeting,
            ExchangeStage::Ehlo | ExchangeStage::Helo => self.hello,
            ExchangeStage::StartTls => self.starttls,
            ExchangeStage::Tls => self.tls,
            ExchangeStage::Auth => self.auth,
            // RSET has no time of its own in RFC 5321; it opens the transaction as MAIL does.
            ExchangeStage::Mail | ExchangeStage::Rset => self.mail,
            ExchangeStage::Rcpt => self.rcpt,
            ExchangeStage::Data => self.data,
            ExchangeStage::Chunk | ExchangeStage::Content => self.content,
            ExchangeStage::Quit => self.quit,
        }
    }
}
