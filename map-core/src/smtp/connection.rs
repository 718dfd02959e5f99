//! The connection: its phases before and after [`Ready`], and the verbs that lead to them.

use super::command::Command;
use super::opening::{
    ExpectAuthReply, ExpectEhloReply, ExpectGreeting, ExpectHeloReply, ExpectStartTlsReply, ExpectTls,
};
use super::ready::Ready;
use super::scram::DerivedKey;
use super::session_end::SessionEnd;
use super::submission::Submission;
use super::transmit::{ExpectedReply, Outbox};
use super::{
    Abort, BodyInfo, ConnectionFailure, Event, ExchangeStage, Outcome, Reply, ReplyParser, SessionConfig,
    Severity, SubmissionId, TlsSession, TlsUse,
};
use crate::envelope::Envelope;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One transport connection and the mail transactions queued on it.
///
/// # Calling order
/// 1. [`Connection::new`] when the transport is connected; [`submit`](Self::submit) as many submissions as
///    there are, at any time; [`quit`](Self::quit) when there will be no more.
/// 2. Then in a loop: take every event from [`poll_event`](Self::poll_event), begin the content anew at each
///    `OpenContent`, and answer each `NeedContent` with one [`handle_content`](Self::handle_content); write what [`poll_transmit`](Self::poll_transmit) shows and
///    say with [`transmitted`](Self::transmitted) how much the system took; wait for octets, for room to write
///    or for [`poll_deadline`](Self::poll_deadline), and hand over what came with
///    [`handle_bytes`](Self::handle_bytes), [`handle_closed`](Self::handle_closed) or
///    [`handle_timeout`](Self::handle_timeout). At `StartTls` make the handshake instead, and say with
///    [`handle_tls`](Self::handle_tls) how it ended. At `DeriveKey` compute the key meanwhile, and hand it over with
///    [`handle_key`](Self::handle_key).
/// 3. `Closed` is the last event. After it every verb does nothing.
///
/// `transmitted` has to be called before anything that was read after the write is handed over, and all that
/// can be read is handed over before more is written: only so is a reply that nobody asked for told from one
/// that was asked for. After a failed write, what can still be read is handed over before `handle_closed`.
///
/// Any other order is harmless to the program, and an outcome is never better than what happened.
///
/// # Example
/// ```
/// use map_core::envelope::{BodyForm, Envelope, EnvelopeParameters};
/// use map_core::smtp::{CHUNK_OCTETS, SessionConfig, Connection, Deadlines, Event, Hello, Outcome, TlsUse, SubmissionId};
/// use std::time::Instant;
///
/// /// Takes what the machine wants to write, as a socket would.
/// fn written(connection: &mut Connection) -> String {
///     let mut slices = Vec::new();
///     connection.poll_transmit(&mut slices);
///     let octets: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
///     connection.transmitted(octets.len(), Instant::now());
///     String::from_utf8(octets).unwrap()
/// }
///
/// let now = Instant::now();
/// let config = SessionConfig {
///     hello_name: "client.example".parse().unwrap(),
///     hello: Hello::Ehlo,
///     deadlines: Deadlines::default(),
///     tls: TlsUse::Clear,
///     auth: None,
///     chunk_octets: CHUNK_OCTETS,
/// };
/// let envelope = Envelope {
///     reverse_path: map_core::Mailbox::try_from("a@client.example").unwrap().into(),
///     recipients: vec![map_core::Mailbox::try_from("b@mx.example").unwrap().into()],
///     parameters: EnvelopeParameters::default(),
/// };
/// let mut connection = Connection::new(config, now);
/// let form = BodyForm { size: Some(4), ..BodyForm::default() };
/// connection.submit(SubmissionId(1), envelope, form.into(), now);
/// connection.quit(now);
///
/// connection.handle_bytes(b"220 mx.example\r\n", now);
/// assert_eq!(written(&mut connection), "EHLO client.example\r\n");
/// connection.handle_bytes(b"250-mx.example\r\n250 PIPELINING\r\n", now);
/// assert_eq!(
///     written(&mut connection),
///     "MAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n"
/// );
/// connection.handle_bytes(b"250 ok\r\n250 ok\r\n354 go on\r\n", now);
/// connection.handle_content(SubmissionId(1), "hi\r\n".into(), true, now);
/// assert_eq!(written(&mut connection), "hi\r\n.\r\nQUIT\r\n");
/// connection.handle_bytes(b"250 queued as 42\r\n221 bye\r\n", now);
///
/// let events: Vec<Event> = std::iter::from_fn(|| connection.poll_event()).collect();
/// assert!(events.iter().any(|event| {
///     matches!(event, Event::Recipient { index: 0, outcome: Outcome::Accepted(reply), .. }
///         if reply.text() == "queued as 42")
/// }));
/// assert_eq!(events.last(), Some(&Event::Closed));
/// ```
#[derive(Debug)]
pub struct Connection {
    core: Core,
    parser: ReplyParser,
    phase: Phase,
}

/// What all phases share.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) config: SessionConfig,
    pub(super) events: VecDeque<Event>,
    pub(super) outbox: Outbox,
    /// Submitted and not begun.
    pub(super) waiting: VecDeque<Submission>,
    /// The caller has said so: QUIT when there is nothing else to do.
    pub(super) no_more: bool,
}

/// Where the session is.
#[derive(Debug)]
pub(super) enum Phase {
    ExpectTls(ExpectTls),
    ExpectGreeting(ExpectGreeting),
    ExpectEhloReply(ExpectEhloReply),
    ExpectHeloReply(ExpectHeloReply),
    ExpectStartTlsReply(ExpectStartTlsReply),
    ExpectAuthReply(ExpectAuthReply),
    Ready(Ready),
    ExpectLastReply(ExpectLastReply),
    ExpectQuitReply(ExpectQuitReply),
    /// Over, and the event that says so is not taken.
    Closed,
    /// Over, and told.
    Gone,
}

/// The session has failed while a reply is owed that may make the server read something else than commands: that to
/// a DATA sent ahead, or to a step of AUTH. QUIT waits for it: after a 354 it would be content.
#[derive(Debug)]
pub(super) struct ExpectLastReply {
    until: Option<Instant>,
}

/// The session has failed, and QUIT is queued or sent.
#[derive(Debug)]
pub(super) struct ExpectQuitReply {
    until: Option<Instant>,
    /// Replies so far that answer nothing.
    unasked: usize,
}

/// A peer that says more than this to nobody is left without waiting for its answer to QUIT.
const MAX_UNASKED: usize = 16;

impl Connection {
    /// A connection that has just been made. It awaits its greeting, or with [`TlsUse::Implicit`] its handshake.
    pub fn new(config: SessionConfig, now: Instant) -> Self {
        let mut core = Core {
            config,
            events: VecDeque::new(),
            outbox: Outbox::new(now),
            waiting: VecDeque::new(),
            no_more: false,
        };
        let phase = match core.config.tls {
            TlsUse::Implicit => ExpectTls::begin_implicit(&mut core, now),
            TlsUse::Clear | TlsUse::Opportunistic | TlsUse::Required => ExpectGreeting::begin(&mut core, now),
        };
        Self {
            core,
            parser: ReplyParser::default(),
            phase,
        }
    }

    /// Queues a submission. If the session is already ending, its recipients are `Lost` at once.
    pub fn submit(&mut self, tx: SubmissionId, envelope: Envelope, body: BodyInfo, now: Instant) {
        let mut submission = Submission::new(tx, envelope, body);
        match &mut self.phase {
            Phase::Gone => {}
            Phase::ExpectTls(_)
            | Phase::ExpectGreeting(_)
            | Phase::ExpectEhloReply(_)
            | Phase::ExpectHeloReply(_)
            | Phase::ExpectStartTlsReply(_)
            | Phase::ExpectAuthReply(_) => {
                self.core.waiting.push_back(submission);
            }
            Phase::Ready(ready) if !self.core.is_quitting() => {
                self.core.waiting.push_back(submission);
                ready.send_more(&mut self.core, now);
            }
            Phase::Ready(_) | Phase::ExpectLastReply(_) | Phase::ExpectQuitReply(_) | Phase::Closed => {
                let outcome = Outcome::Lost {
                    stage: ExchangeStage::Mail,
                    why: ConnectionFailure::Closed,
                };
                submission.end(&outcome, &mut self.core.events);
            }
        }
    }

    /// No more submissions will come: QUIT goes with the last content.
    pub fn quit(&mut self, now: Instant) {
        self.core.no_more = true;
        if let Phase::Ready(ready) = &mut self.phase {
            ready.send_more(&mut self.core, now);
        }
    }

    /// Gives up: every open transaction ends now, by the side of the commit point it stands on. `Closed` follows
    /// at once; a QUIT would make whoever cancels wait.
    pub fn abort(&mut self, why: Abort, now: Instant) {
        self.step(|phase, core| phase.end(&SessionEnd::Lost(ConnectionFailure::Aborted(why)), core, now));
    }

    /// Octets arrived.
    ///
    /// Between [`Event::StartTls`] and [`Self::handle_tls`] none may. What stands after the 220 in the same read,
    /// or comes in the clear before the handshake is done, was put there by somebody who wants it to be taken for
    /// the first words within TLS (CVE-2021-38371): the session is lost.
    pub fn handle_bytes(&mut self, octets: &[u8], now: Instant) {
        let mut rest = octets;
        while !self.is_over() {
            if matches!(self.phase, Phase::ExpectTls(_)) {
                if !rest.is_empty() {
                    self.step(|phase, core| {
                        phase.end(&SessionEnd::Lost(ConnectionFailure::Injected), core, now)
                    });
                }
                return;
            }
            match self.parser.parse(&mut rest) {
                Ok(Some(reply)) => self.step(|phase, core| phase.handle_reply(Arc::new(reply), core, now)),
                Ok(None) => return,
                Err(_) => self
                    .step(|phase, core| phase.end(&SessionEnd::Lost(ConnectionFailure::NotSmtp), core, now)),
            }
        }
    }

    /// A block of content, as asked by [`Event::NeedContent`]; `last` if nothing follows it. An empty block is
    /// one too.
    ///
    /// Lines end in CRLF, unless the form that was opened is a binary one. A bare CR or LF never leaves: the submission
    /// ends as `Lost` with [`Abort::ContentUnreadable`], and so does the connection, for the server waits for content.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the block is given away: slices of it are queued"
    )]
    pub fn handle_content(&mut self, tx: SubmissionId, block: Bytes, last: bool, now: Instant) {
        self.step(|phase, core| match phase {
            Phase::Ready(ready) => ready.handle_content(tx, &block, last, core, now),
            other if core.is_waiting(tx) => other.end(
                &SessionEnd::Lost(ConnectionFailure::Aborted(Abort::ContentUnreadable)),
                core,
                now,
            ),
            other => other,
        });
    }

    /// The handshake that [`Event::StartTls`] asked for ended: in a session, or why there is none, for a person.
    ///
    /// What the server said before is forgotten. In any other phase nothing happens.
    pub fn handle_tls(&mut self, handshake: Result<TlsSession, Arc<str>>, now: Instant) {
        self.step(|phase, core| match (phase, handshake) {
            (Phase::ExpectTls(phase), Ok(session)) => phase.handle_session(session, core, now),
            (phase @ Phase::ExpectTls(_), Err(why)) => {
                phase.end(&SessionEnd::Lost(ConnectionFailure::Tls(why)), core, now)
            }
            (phase, _) => phase,
        });
    }

    /// The key that [`Event::DeriveKey`] asked for. In any other phase nothing happens.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a secret is given away, and overwritten here"
    )]
    pub fn handle_key(&mut self, key: DerivedKey, now: Instant) {
        self.step(|phase, core| match phase {
            Phase::ExpectAuthReply(phase) => phase.handle_key(&key, core, now),
            phase => phase,
        });
    }

    /// [`Self::poll_deadline`] has passed. Before that, nothing happens.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_deadline().is_some_and(|deadline| now >= deadline) {
            self.step(|phase, core| phase.handle_timeout(core, now));
        }
    }

    /// The transport is gone: `None` for a plain end of file.
    pub fn handle_closed(&mut self, error: Option<io::ErrorKind>, now: Instant) {
        let why = error.map_or(ConnectionFailure::Closed, ConnectionFailure::Reset);
        self.step(|phase, core| phase.end(&SessionEnd::Lost(why), core, now));
    }

    /// The submission whose content was opened last, and how many octets of it, dots and end mark not counted, were
    /// given to the system since.
    pub fn content_sent(&self) -> Option<(SubmissionId, u64)> {
        self.core.outbox.content_sent()
    }

    /// How long replies were waited for so far, all together, and content beyond what [`CONTENT_RATE`](super::CONTENT_RATE)
    /// allows.
    pub fn waited(&self) -> Duration {
        self.core.outbox.waited()
    }

    /// What to write next, for one `writev`; empty when there is nothing.
    pub fn poll_transmit<'a>(&'a self, slices: &mut Vec<IoSlice<'a>>) {
        self.core.outbox.slices(slices);
    }

    /// So many octets of it were given to the system. With the last of a content's end mark the commit point
    /// is passed.
    pub fn transmitted(&mut self, octets: usize, now: Instant) {
        let mut left = octets;
        while let Some(owed) = self
            .core
            .outbox
            .transmitted(&mut left, now, &mut self.core.events)
        {
            if let Phase::Ready(ready) = &mut self.phase {
                ready.handle_sent(owed);
            }
        }
        if let Phase::Ready(ready) = &mut self.phase {
            ready.handle_room(&mut self.core, now);
        }
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(event) = self.core.events.pop_front() {
            return Some(event);
        }
        if matches!(self.phase, Phase::Closed) {
            self.phase = Phase::Gone;
            return Some(Event::Closed);
        }
        None
    }

    /// When to call [`Self::handle_timeout`]; `None` when nothing is waited for.
    pub fn poll_deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::ExpectLastReply(ExpectLastReply { until })
            | Phase::ExpectQuitReply(ExpectQuitReply { until, .. }) => *until,
            Phase::Closed | Phase::Gone => None,
            Phase::ExpectTls(_) => self.core.outbox.after(self.core.config.deadlines.tls),
            Phase::Ready(ready) => {
                let deadlines = &self.core.config.deadlines;
                let reply = self.core.outbox.deadline(deadlines, ready.is_taking_content());
                earliest(reply, ready.start_deadline(&self.core))
            }
            Phase::ExpectGreeting(_)
            | Phase::ExpectEhloReply(_)
            | Phase::ExpectHeloReply(_)
            | Phase::ExpectStartTlsReply(_)
            | Phase::ExpectAuthReply(_) => self.core.outbox.deadline(&self.core.config.deadlines, false),
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Closed | Phase::Gone)
    }

    /// Every transition goes through here.
    fn step(&mut self, transition: impl FnOnce(Phase, &mut Core) -> Phase) {
        if self.is_over() {
            return;
        }
        // What stands here meanwhile would end the session if a transition were ever cut short.
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        self.phase = transition(phase, &mut self.core);
    }
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl Phase {
    fn handle_reply(self, reply: Arc<Reply>, core: &mut Core, now: Instant) -> Self {
        let owed = core.outbox.answered(now);
        let (stage, tx) = match (owed, &self) {
            (Some(owed), _) => (owed.stage(), owed.submission()),
            (None, Self::Ready(ready)) => (ready.awaits(core), ready.first_submission()),
            (None, phase) => (phase.awaits(core), None),
        };
        core.events.push_back(Event::Received {
            stage,
            tx,
            reply: Arc::clone(&reply),
        });
        core.outbox.announce_front(&mut core.events);
        match (self, owed) {
            (Self::ExpectGreeting(phase), Some(_)) => phase.handle_reply(reply, core, now),
            (Self::ExpectEhloReply(phase), Some(_)) => phase.handle_reply(reply, core, now),
            (Self::ExpectHeloReply(phase), Some(_)) => phase.handle_reply(reply, core, now),
            (Self::ExpectStartTlsReply(phase), Some(_)) => phase.handle_reply(reply, core, now),
            (Self::ExpectAuthReply(phase), Some(_)) => phase.handle_reply(reply, core, now),
            (Self::Ready(ready), Some(owed)) => ready.handle_reply(owed, &reply, core, now),
            (Self::Ready(ready), None) => ready.handle_unasked(reply, core, now),
            (Self::ExpectLastReply(phase), Some(owed)) => phase.handle_reply(owed, &reply, core, now),
            (Self::ExpectQuitReply(_), Some(ExpectedReply::Quit)) | (Self::ExpectLastReply(_), None) => {
                Self::close(core)
            }
            (Self::ExpectQuitReply(phase), None) => phase.handle_unasked(core),
            // The verdict stands, whatever else is said.
            (phase @ Self::ExpectQuitReply(_), _) => phase,
            (phase, _) if reply.severity().is_negative() => {
                phase.end(&SessionEnd::Refused { stage, reply }, core, now)
            }
            (phase, _) => phase.end(&SessionEnd::Unexpected { stage, reply }, core, now),
        }
    }

    fn handle_timeout(self, core: &mut Core, now: Instant) -> Self {
        match self {
            Self::Ready(_) if core.outbox.awaited() == Some(ExpectedReply::Quit) => Self::close(core),
            Self::Ready(ready) => {
                let why = ready.why_late(core, now);
                Self::Ready(ready).end(&SessionEnd::Lost(why), core, now)
            }
            phase => phase.end(&SessionEnd::Lost(ConnectionFailure::TimedOut), core, now),
        }
    }

    /// The session is over, whatever the phase.
    pub(super) fn end(self, end: &SessionEnd, core: &mut Core, now: Instant) -> Self {
        core.outbox.stop_waiting(now);
        match self {
            Self::Ready(ready) => ready.end(end, core, now),
            Self::ExpectGreeting(_) => {
                Self::end_before_ready(&end.outcome(ExchangeStage::Greeting), end, core, now)
            }
            Self::ExpectEhloReply(_) => {
                Self::end_before_ready(&end.outcome(ExchangeStage::Ehlo), end, core, now)
            }
            Self::ExpectHeloReply(phase) => Self::end_before_ready(&phase.outcome(end), end, core, now),
            Self::ExpectStartTlsReply(_) => {
                Self::end_before_ready(&end.outcome(ExchangeStage::StartTls), end, core, now)
            }
            Self::ExpectAuthReply(_) => {
                Self::end_before_ready(&end.outcome(ExchangeStage::Auth), end, core, now)
            }
            Self::ExpectTls(_) => ExpectTls::end(end, core),
            Self::ExpectLastReply(_) | Self::ExpectQuitReply(_) | Self::Closed => Self::close(core),
            Self::Gone => Self::Gone,
        }
    }

    fn end_before_ready(outcome: &Outcome, end: &SessionEnd, core: &mut Core, now: Instant) -> Self {
        core.outbox.announce_all(&mut core.events);
        // RFC 5321 section 3.1, https://www.rfc-editor.org/rfc/rfc5321#section-3.1: the client speaks after the
        // greeting. A host that has not greeted is not told QUIT.
        let greeted = core.outbox.awaited() != Some(ExpectedReply::Greeting);
        core.end_waiting(outcome);
        if greeted && end.allows_quit() {
            Self::take_leave(core, now)
        } else {
            Self::close(core)
        }
    }

    /// The server is of no use to us: everybody who waits gets this outcome, and QUIT is said.
    pub(super) fn leave(outcome: &Outcome, core: &mut Core, now: Instant) -> Self {
        core.end_waiting(outcome);
        Self::take_leave(core, now)
    }

    /// Nothing more is said: the transport is to be closed.
    pub(super) fn close(core: &mut Core) -> Self {
        core.outbox.announce_all(&mut core.events);
        core.outbox.drop_unsent();
        Self::Closed
    }

    /// QUIT, and a short wait.
    ///
    /// RFC 5321 section 4.1.1.10, <https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.10>:
    /// > The sender MUST NOT intentionally close the transmission channel until it sends a QUIT command, and it
    /// > SHOULD wait until it receives the reply (even if there was an error response to a previous command).
    pub(super) fn take_leave(core: &mut Core, now: Instant) -> Self {
        core.outbox.drop_unbegun();
        core.outbox.restart(now);
        let until = core.outbox.after(core.config.deadlines.quit);
        Self::take_leave_until(until, core, now)
    }

    /// The same, after a last line that is no command.
    pub(super) fn take_leave_after(last: Bytes, owed: ExpectedReply, core: &mut Core, now: Instant) -> Self {
        core.outbox.drop_unbegun();
        core.outbox.restart(now);
        core.outbox.send(last, owed, now);
        let until = core.outbox.after(core.config.deadlines.quit);
        Self::take_leave_until(until, core, now)
    }

    fn take_leave_until(until: Option<Instant>, core: &mut Core, now: Instant) -> Self {
        if core.outbox.pending().any(ExpectedReply::may_ask_for_more) {
            return Self::ExpectLastReply(ExpectLastReply { until });
        }
        if !core.is_quitting() {
            core.outbox
                .send(Command::Quit.to_octets(), ExpectedReply::Quit, now);
        }
        Self::ExpectQuitReply(ExpectQuitReply { until, unasked: 0 })
    }

    fn awaits(&self, core: &Core) -> ExchangeStage {
        match self {
            Self::ExpectTls(_) => ExchangeStage::Tls,
            Self::ExpectGreeting(_) => ExchangeStage::Greeting,
            Self::ExpectEhloReply(_) => ExchangeStage::Ehlo,
            Self::ExpectHeloReply(_) => ExchangeStage::Helo,
            Self::ExpectStartTlsReply(_) => ExchangeStage::StartTls,
            Self::ExpectAuthReply(_) => ExchangeStage::Auth,
            Self::Ready(ready) => ready.awaits(core),
            Self::ExpectLastReply(_) | Self::ExpectQuitReply(_) | Self::Closed | Self::Gone => {
                ExchangeStage::Quit
            }
        }
    }
}

impl ExpectLastReply {
    fn handle_reply(self, owed: ExpectedReply, reply: &Reply, core: &mut Core, now: Instant) -> Phase {
        match (owed.may_ask_for_more(), reply.severity()) {
            (true, Severity::PositiveIntermediate) => Phase::close(core),
            _ => Phase::take_leave_until(self.until, core, now),
        }
    }
}

impl ExpectQuitReply {
    fn handle_unasked(mut self, core: &mut Core) -> Phase {
        self.unasked += 1;
        if self.unasked > MAX_UNASKED {
            Phase::close(core)
        } else {
            Phase::ExpectQuitReply(self)
        }
    }
}

impl Core {
    /// QUIT is queued, sent or waiting for its answer.
    pub(super) fn is_quitting(&self) -> bool {
        self.outbox.pending().any(|owed| owed == ExpectedReply::Quit)
    }

    pub(super) fn is_waiting(&self, tx: SubmissionId) -> bool {
        self.waiting.iter().any(|submission| submission.id() == tx)
    }

    /// Every recipient of the submissions that were not begun gets this outcome.
    pub(super) fn end_waiting(&mut self, outcome: &Outcome) {
        for mut submission in std::mem::take(&mut self.waiting) {
            submission.end(outcome, &mut self.events);
        }
    }
}
