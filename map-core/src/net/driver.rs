//! Moves octets between one transport and one machine. Everything that is decided is decided in the machine.

use super::content::{ContentSource, OpenContent};
use super::limits::passed;
use super::tls::{self, TlsError, TlsFacts, TlsPeer, Verified};
use super::{Limits, Transport, blocking};
use crate::smtp::{Abort, Connection, DerivedKey, Event, SubmissionId, TlsSession};
use bytes::Bytes;
use std::future::{Future, pending, poll_fn};
use std::io::{self, IoSlice};
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How much is read from a peer at a time, in octets; a reply is at most 16 KiB.
const READ_BLOCK: usize = 4 * 1024;
/// How long to listen to a peer that takes nothing more from us. What it said before is its verdict.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// More slices than this in one `writev` gain nothing.
const MAX_SLICES: usize = 64;

/// Listens to a conversation and supplies the contents of its transactions.
pub trait Observer: Send {
    /// Something happened. Never called with [`Event::DeriveKey`], [`Event::OpenContent`], [`Event::NeedContent`],
    /// [`Event::StartTls`] or [`Event::Closed`].
    fn event(&mut self, event: Event);

    /// A TLS handshake ended in a session, or in a failure that has a reason; not called where time ran out, the caller
    /// gave up, or it was not begun. Called before the machine learns of it.
    fn tls(&mut self, handshake: &Result<TlsFacts, TlsError>) {
        let _ = handshake;
    }

    /// Opens the content of a transaction, from its beginning, in the form with this index. One with many recipients may
    /// be opened more than once on one connection.
    ///
    /// # Errors
    /// What reading a source gives; the transaction is then given up.
    fn open_content(&mut self, tx: SubmissionId, form: usize) -> io::Result<ContentSource>;

    /// The content could not be read to its end, or gave nothing for as long as it may: its transaction is given up.
    fn content_failed(&mut self, error: &io::Error) {
        let _ = error;
    }

    /// So many octets of the content were given to the system since it was opened, 0 when it has just been: as they were
    /// read, without what the transfer adds. It never falls while a content is open, and ends at the content's size.
    fn content_sent(&mut self, tx: SubmissionId, octets: u64) {
        let _ = (tx, octets);
    }
}

/// Why the wait of one turn ended.
enum DriverEvent {
    /// With what the peer had said already, in octets.
    Limit(Abort, usize),
    /// Nothing more can be read, and nothing that was read waits.
    Lost(io::Error),
    Read(usize),
    ReadFailed(io::Error),
    /// A block of the content, empty at its end.
    Supplied(io::Result<Bytes>),
    TimedOut,
    Derived(DerivedKey),
    WriteFailed(io::Error),
    Wrote(usize),
}

/// Why the machine's events stop for a while.
enum Pause {
    /// For good.
    Closed,
    /// Until there is a TLS session.
    StartTls,
    /// Until something moves.
    Wait,
}

/// What came of a handshake.
enum Handshake {
    Ended(Result<(Box<dyn Transport>, TlsFacts), TlsError>),
    /// Octets came before our first one: they were said in the clear.
    Injected(usize),
    Limit(Abort),
    TimedOut,
}

/// Drives `connection` over `transport` until it closes; nothing is returned because everything is told to `observer`.
///
/// Where the machine asks for TLS, `tls` says with whom; `None` is right for a machine that never asks.
///
/// Cancel safety: dropping the future drops the conversation without a verdict. Give [`Limits`] instead.
pub async fn converse(
    connection: &mut Connection,
    mut transport: Box<dyn Transport>,
    tls: Option<&TlsPeer>,
    observer: &mut dyn Observer,
    limits: &Limits,
) {
    let mut driver = Driver {
        connection,
        input: vec![0; READ_BLOCK],
        content: None,
        content_wanted: None,
        content_asked: false,
        content_sent: 0,
        derivation: None,
        unflushed: false,
        read_failed: None,
        write_failed: None,
        has_heard: false,
        has_read: false,
    };
    let mut is_tls = false;
    loop {
        match driver.pass_events_on(observer) {
            Pause::Closed => break,
            Pause::StartTls => match driver.start_tls(transport, tls, observer, limits).await {
                Some(session) => {
                    transport = session;
                    is_tls = true;
                }
                None => return driver.conclude(observer),
            },
            Pause::Wait if driver.feed(observer) => {}
            Pause::Wait => {
                let turn = driver.turn(transport.as_mut(), limits).await;
                driver.handle(turn, observer);
                driver.tell_progress(observer);
            }
        }
    }
    if is_tls {
        take_leave(transport.as_mut()).await;
    }
}

struct Driver<'a> {
    connection: &'a mut Connection,
    input: Vec<u8>,
    content: Option<OpenContent>,
    /// Whose content the next block is wanted of.
    content_wanted: Option<SubmissionId>,
    /// A content has been asked for on this connection: the limit on its first octet has been kept.
    content_asked: bool,
    /// Octets of the open content that the observer was told of.
    content_sent: u64,
    /// A key that is being computed, in a thread of its own: it takes as long as the peer wants.
    derivation: Option<JoinHandle<DerivedKey>>,
    /// The transport has taken octets that it may still hold.
    unflushed: bool,
    /// Nothing more comes from the peer; what came with the failure is read first.
    read_failed: Option<io::Error>,
    /// The system takes nothing more: only what the peer said before is still of interest, until then.
    write_failed: Option<(io::Error, Instant)>,
    /// The peer has said something on this transport.
    has_heard: bool,
    /// The last turn read something.
    has_read: bool,
}

impl Driver<'_> {
    fn pass_events_on(&mut self, observer: &mut dyn Observer) -> Pause {
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::OpenContent { tx, form } => {
                    self.content_sent = 0;
                    self.content = Some(OpenContent::new(tx, form));
                }
                Event::NeedContent(tx) => self.content_wanted = Some(tx),
                Event::DeriveKey(derivation) => {
                    let here = derivation.clone();
                    match blocking::start(move || derivation.derive()) {
                        Ok(elsewhere) => self.derivation = Some(elsewhere),
                        // Better that others wait some milliseconds than that this mail does not go.
                        Err(_no_thread) => self.connection.handle_key(here.derive(), now()),
                    }
                }
                Event::StartTls => return Pause::StartTls,
                Event::Closed => return Pause::Closed,
                event => observer.event(event),
            }
        }
        Pause::Wait
    }

    /// There is no transport any more, and the machine knows it: what it has to say is its last.
    fn conclude(&mut self, observer: &mut dyn Observer) {
        while !matches!(self.pass_events_on(observer), Pause::Closed) {
            self.connection.handle_closed(None, now());
        }
    }

    fn tell_progress(&mut self, observer: &mut dyn Observer) {
        if let Some((tx, octets)) = self.connection.content_sent()
            && octets > self.content_sent
        {
            self.content_sent = octets;
            observer.content_sent(tx, octets);
        }
    }

    /// Gives the machine the block that it wants, if one is there at once; else it is read meanwhile.
    fn feed(&mut self, observer: &mut dyn Observer) -> bool {
        let Some(tx) = self.content_wanted.take() else {
            return false;
        };
        self.content_asked = true;
        let block = match self.content.as_mut().filter(|content| content.tx() == tx) {
            Some(content) => content.ask(observer),
            None => Some(Err(io::Error::other("the content is not open"))),
        };
        match block {
            Some(block) => self.handle_block(block, observer),
            None => return false,
        }
        true
    }

    fn handle_block(&mut self, block: io::Result<Bytes>, observer: &mut dyn Observer) {
        if let Err(error) = &block {
            observer.content_failed(error);
        }
        match (block, &self.content) {
            (Ok(block), Some(content)) => {
                let tx = content.tx();
                let last = block.is_empty();
                if last {
                    self.content = None;
                }
                self.connection.handle_content(tx, block, last, now());
            }
            _ => self.connection.abort(Abort::ContentUnreadable, now()),
        }
    }

    /// All that could be sent is sent, and what comes next is not here.
    fn is_starved(&self) -> bool {
        let mut slices = Vec::new();
        self.connection.poll_transmit(&mut slices);
        slices.is_empty() && self.content.as_ref().is_some_and(OpenContent::is_being_read)
    }

    /// Makes a TLS session of the transport, and tells the machine; `None` when there is none, nor a transport.
    async fn start_tls(
        &mut self,
        transport: Box<dyn Transport>,
        peer: Option<&TlsPeer>,
        observer: &mut dyn Observer,
        limits: &Limits,
    ) -> Option<Box<dyn Transport>> {
        let Some(peer) = peer else {
            let words = Arc::from("nothing is known here of whom to speak TLS with");
            self.connection.handle_tls(Err(words), now());
            return None;
        };
        match self.shake_hands(transport, peer, limits).await {
            Handshake::Ended(Ok((session, facts))) => {
                let verified = facts.verified != Verified::No;
                observer.tls(&Ok(facts));
                self.has_heard = false;
                self.connection.handle_tls(Ok(TlsSession { verified }), now());
                return Some(session);
            }
            Handshake::Ended(Err(error)) => self.handle_no_session(error, observer),
            Handshake::Injected(octets) => self.handle_octets(octets),
            Handshake::Limit(why) => self.connection.abort(why, now()),
            Handshake::TimedOut => self.connection.handle_timeout(now()),
        }
        None
    }

    async fn shake_hands(
        &mut self,
        mut transport: Box<dyn Transport>,
        peer: &TlsPeer,
        limits: &Limits,
    ) -> Handshake {
        // A server that was asked for TLS waits for our first octet. What came before it was written by somebody who
        // sees the clear text, and hopes that it is believed after the handshake.
        if self.has_heard {
            let octets = self.read_what_waits(transport.as_mut()).await;
            if octets > 0 {
                return Handshake::Injected(octets);
            }
        }
        let deadline = self.connection.poll_deadline().map(Instant::from_std);
        tokio::select! {
            biased;
            why = limits.reached(!self.content_asked) => Handshake::Limit(why),
            // Before the handshake, lest a peer that never stops talking hold time up.
            () = passed(deadline) => Handshake::TimedOut,
            ended = tls::handshake(transport, &peer.server_name, &peer.verification, &peer.settings) => {
                Handshake::Ended(ended)
            }
        }
    }

    fn handle_no_session(&mut self, error: TlsError, observer: &mut dyn Observer) {
        let error = Err(error);
        observer.tls(&error);
        match error {
            Ok(_) => {}
            Err(TlsError::Lost(error)) => self.handle_closed(&error),
            Err(error) => self.connection.handle_tls(Err(error.to_string().into()), now()),
        }
    }

    async fn turn(&mut self, transport: &mut dyn Transport, limits: &Limits) -> DriverEvent {
        if let Some(error) = self.read_failed.take() {
            // A TLS session reports a broken record before it gives out what came in the records before it: the
            // verdict may be there.
            let octets = self.read_what_waits(transport).await;
            if octets == 0 {
                return DriverEvent::Lost(error);
            }
            self.read_failed = Some(error);
            return DriverEvent::Read(octets);
        }
        let machine_deadline = self.connection.poll_deadline().map(Instant::from_std);
        let last_words = self.write_failed.as_ref().map(|(_, until)| *until);
        let deadline = match (machine_deadline, last_words) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        // A peer that never stops talking must not hold time up: one read after the deadline, and no more.
        if self.has_read && deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return DriverEvent::TimedOut;
        }
        let mut slices = Vec::new();
        if self.write_failed.is_none() {
            self.connection.poll_transmit(&mut slices);
            slices.truncate(MAX_SLICES);
        }
        let mut timer = pin!(passed(deadline));
        let input = &mut self.input;
        let unflushed = &mut self.unflushed;
        let content = self.content.as_mut();
        let derivation = self.derivation.as_mut();
        let exchange = poll_fn(|context| {
            // The clock is asked first: what a peer says without end uses up the turns that the runtime grants.
            let is_late = timer.as_mut().poll(context).is_ready();
            match poll_exchange(transport, context, input, &slices, unflushed) {
                Poll::Pending if is_late => Poll::Ready(DriverEvent::TimedOut),
                turn => turn,
            }
        });
        let turn = tokio::select! {
            biased;
            why = limits.reached(!self.content_asked) => Err(why),
            turn = exchange => Ok(turn),
            block = next_block(content) => Ok(DriverEvent::Supplied(block)),
            key = derived(derivation) => Ok(DriverEvent::Derived(key)),
        };
        match turn {
            Ok(turn) => turn,
            Err(why) => DriverEvent::Limit(why, self.read_what_waits(transport).await),
        }
    }

    /// What the peer has said already, without waiting for more: it may be the verdict.
    async fn read_what_waits(&mut self, transport: &mut dyn Transport) -> usize {
        let mut buffer = ReadBuf::new(&mut self.input);
        poll_fn(|context| {
            // An error, or nothing: then nothing waits.
            let _ = Pin::new(&mut *transport).poll_read(context, &mut buffer);
            Poll::Ready(buffer.filled().len())
        })
        .await
    }

    fn handle(&mut self, turn: DriverEvent, observer: &mut dyn Observer) {
        self.has_read = matches!(turn, DriverEvent::Read(_));
        match turn {
            DriverEvent::Limit(why, octets) => {
                self.handle_octets(octets);
                self.connection.abort(why, now());
            }
            DriverEvent::Lost(error) => self.handle_closed(&error),
            DriverEvent::Read(0) => {
                let error = self.write_failed.take().map(|(error, _)| error.kind());
                self.connection.handle_closed(error, now());
            }
            DriverEvent::Read(octets) => {
                self.has_heard = true;
                // A TLS session may have made an answer to what it read.
                self.unflushed = self.write_failed.is_none();
                self.handle_octets(octets);
            }
            DriverEvent::ReadFailed(error) => self.read_failed = Some(error),
            DriverEvent::Supplied(block) => self.handle_block(block, observer),
            DriverEvent::Derived(key) => {
                self.derivation = None;
                self.connection.handle_key(key, now());
            }
            DriverEvent::TimedOut => match self.write_failed.take() {
                Some((error, _)) => self.connection.handle_closed(Some(error.kind()), now()),
                // Not the host is slow.
                None if self.is_starved() => {
                    let silent = "it gave nothing for as long as a content may";
                    observer.content_failed(&io::Error::new(io::ErrorKind::TimedOut, silent));
                    self.connection.abort(Abort::ContentUnreadable, now());
                }
                None => self.connection.handle_timeout(now()),
            },
            DriverEvent::WriteFailed(error) => {
                self.unflushed = false;
                self.write_failed = Some((error, Instant::now() + LAST_WORDS));
            }
            DriverEvent::Wrote(octets) => {
                self.unflushed = true;
                self.connection.transmitted(octets, now());
            }
        }
    }

    fn handle_octets(&mut self, octets: usize) {
        let octets = self.input.get(..octets).unwrap_or_default();
        self.connection.handle_bytes(octets, now());
    }

    fn handle_closed(&mut self, error: &io::Error) {
        let kind = Some(error.kind()).filter(|_| !is_end_of_file(error));
        self.connection.handle_closed(kind, now());
    }
}

async fn next_block(content: Option<&mut OpenContent>) -> io::Result<Bytes> {
    match content {
        Some(content) => content.block().await,
        None => pending().await,
    }
}

async fn derived(derivation: Option<&mut JoinHandle<DerivedKey>>) -> DerivedKey {
    match derivation {
        Some(derivation) => match derivation.await {
            Ok(key) => key,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The runtime is being shut down.
                Err(_) => pending().await,
            },
        },
        None => pending().await,
    }
}

/// Reads before it writes: what the peer said decides what may still be said.
fn poll_exchange(
    transport: &mut dyn Transport,
    context: &mut Context<'_>,
    input: &mut [u8],
    slices: &[IoSlice<'_>],
    unflushed: &mut bool,
) -> Poll<DriverEvent> {
    let mut buffer = ReadBuf::new(input);
    match Pin::new(&mut *transport).poll_read(context, &mut buffer) {
        Poll::Ready(Ok(())) => return Poll::Ready(DriverEvent::Read(buffer.filled().len())),
        Poll::Ready(Err(error)) if is_interrupted(&error) => context.waker().wake_by_ref(),
        Poll::Ready(Err(error)) if is_end_of_file(&error) => return Poll::Ready(DriverEvent::Read(0)),
        Poll::Ready(Err(error)) => return Poll::Ready(DriverEvent::ReadFailed(error)),
        Poll::Pending => {}
    }
    let written = if slices.iter().any(|slice| !slice.is_empty()) {
        Pin::new(transport)
            .poll_write_vectored(context, slices)
            .map_ok(Some)
    } else if *unflushed {
        Pin::new(transport).poll_flush(context).map_ok(|()| None)
    } else {
        Poll::Pending
    };
    match written {
        Poll::Ready(Ok(Some(0))) => Poll::Ready(DriverEvent::WriteFailed(io::ErrorKind::WriteZero.into())),
        Poll::Ready(Ok(Some(octets))) => Poll::Ready(DriverEvent::Wrote(octets)),
        Poll::Ready(Ok(None)) => {
            *unflushed = false;
            Poll::Pending
        }
        Poll::Ready(Err(error)) if is_interrupted(&error) => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
        Poll::Ready(Err(error)) => Poll::Ready(DriverEvent::WriteFailed(error)),
        Poll::Pending => Poll::Pending,
    }
}

/// Says the `close_notify` alert, if the system takes it at once.
///
/// <https://www.rfc-editor.org/rfc/rfc8446#section-6.1>
/// > Each party MUST send a "close_notify" alert before closing its write side of the connection, unless it has already
/// > sent some error alert.
async fn take_leave(transport: &mut dyn Transport) {
    poll_fn(|context| {
        // Whatever comes of it, the conversation is over.
        let _ = Pin::new(&mut *transport).poll_shutdown(context);
        Poll::Ready(())
    })
    .await;
}

/// A TLS session that ends without `close_notify` is one that ends: what SMTP leaves open is told by its replies.
fn is_end_of_file(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}

fn is_interrupted(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

#[cfg(test)]
mod tests;
