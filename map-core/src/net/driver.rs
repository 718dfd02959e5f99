//! Moves octets between one transport and one machine. Everything that is decided is decided in the machine.

use super::tls::{TlsError, TlsFacts, TlsPeer};
use super::{Limits, Transport};
use crate::smtp::{Abort, Connection, Event, TransactionId};
use bytes::Bytes;
use std::future::poll_fn;
use std::io::{self, IoSlice, Read};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::time::{Instant, sleep_until};

/// How much content is read ahead at a time, in octets.
const CONTENT_BLOCK: usize = 64 * 1024;
/// How much is read from a peer at a time, in octets; a reply is at most 16 KiB.
const READ_BLOCK: usize = 4 * 1024;
/// How long to listen to a peer that takes nothing more from us. What it said before is its verdict.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// More slices than this in one `writev` gain nothing.
const MAX_SLICES: usize = 64;

/// Listens to a conversation and supplies the contents of its transactions.
pub trait Observer: Send {
    /// Something happened. Never called with [`Event::NeedContent`], [`Event::StartTls`] or [`Event::Closed`].
    fn event(&mut self, event: Event);

    /// A TLS handshake ended. Called before the machine learns of it.
    fn tls(&mut self, handshake: &Result<TlsFacts, TlsError>) {
        let _ = handshake;
    }

    /// Opens the content of a transaction, from its beginning.
    ///
    /// # Errors
    /// What reading a source gives; the transaction is then given up.
    fn open_content(&mut self, tx: TransactionId) -> io::Result<Box<dyn Read + Send>>;
}

/// Why the wait of one turn ended.
enum Turn {
    Failed(io::Error),
    /// With what the peer had said already, in octets.
    Limit(Abort, usize),
    Read(usize),
    TimedOut,
    WriteFailed(io::Error),
    Wrote(usize),
}

/// The content that is being sent.
struct OpenContent {
    tx: TransactionId,
    reader: Box<dyn Read + Send>,
}

/// Drives `connection` over `transport` until it closes; nothing is returned because everything is told to `observer`.
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
        transport: transport.as_mut(),
        content: None,
        content_asked: false,
        write_failed: None,
        has_read: false,
    };
    let mut input = vec![0; READ_BLOCK];
    while driver.pass_events_on(observer) {
        let turn = driver.turn(&mut input, limits).await;
        driver.handle(turn, &input);
    }
}

struct Driver<'a> {
    connection: &'a mut Connection,
    transport: &'a mut dyn Transport,
    content: Option<OpenContent>,
    /// A content has been asked for on this connection: the limit on its first octet has been kept.
    content_asked: bool,
    /// The system takes nothing more: only what the peer said before is still of interest, until then.
    write_failed: Option<(io::Error, Instant)>,
    /// The last turn read something.
    has_read: bool,
}

impl Driver<'_> {
    /// False when the machine has closed.
    fn pass_events_on(&mut self, observer: &mut dyn Observer) -> bool {
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::NeedContent(tx) => self.feed(tx, observer),
                Event::Closed => return false,
                event => observer.event(event),
            }
        }
        true
    }

    fn feed(&mut self, tx: TransactionId, observer: &mut dyn Observer) {
        self.content_asked = true;
        match self.next_block(tx, observer) {
            Ok(block) => {
                let last = block.is_empty();
                if last {
                    self.content = None;
                }
                self.connection.handle_content(tx, block, last, now());
            }
            Err(_) => self.connection.abort(Abort::ContentUnreadable, now()),
        }
    }

    fn next_block(&mut self, tx: TransactionId, observer: &mut dyn Observer) -> io::Result<Bytes> {
        if self.content.as_ref().is_none_or(|content| content.tx != tx) {
            self.content = Some(OpenContent {
                tx,
                reader: observer.open_content(tx)?,
            });
        }
        let Some(content) = &mut self.content else {
            return Ok(Bytes::new());
        };
        let mut block = Vec::with_capacity(CONTENT_BLOCK);
        content
            .reader
            .by_ref()
            .take(CONTENT_BLOCK as u64)
            .read_to_end(&mut block)?;
        Ok(block.into())
    }

    async fn turn(&mut self, input: &mut [u8], limits: &Limits) -> Turn {
        let machine_deadline = self.connection.poll_deadline().map(Instant::from_std);
        let last_words = self.write_failed.as_ref().map(|(_, until)| *until);
        let deadline = match (machine_deadline, last_words) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        // A peer that never stops talking must not hold time up: one read behind the deadline, and no more.
        if self.has_read && deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Turn::TimedOut;
        }
        let mut slices = Vec::new();
        if self.write_failed.is_none() {
            self.connection.poll_transmit(&mut slices);
            slices.truncate(MAX_SLICES);
        }
        let transport = &mut *self.transport;
        let exchange = poll_fn(|context| poll_exchange(transport, context, input, &slices));
        let timer = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let turn = tokio::select! {
            biased;
            why = limits.reached(!self.content_asked) => Err(why),
            turn = exchange => Ok(turn),
            () = timer => Ok(Turn::TimedOut),
        };
        match turn {
            Ok(turn) => turn,
            Err(why) => Turn::Limit(why, self.read_what_waits(input).await),
        }
    }

    /// What the peer has said already, without waiting for more: it may be the verdict.
    async fn read_what_waits(&mut self, input: &mut [u8]) -> usize {
        let mut buffer = ReadBuf::new(input);
        poll_fn(|context| {
            // An error, or nothing: then nothing waits.
            let _ = Pin::new(&mut *self.transport).poll_read(context, &mut buffer);
            Poll::Ready(buffer.filled().len())
        })
        .await
    }

    fn handle(&mut self, turn: Turn, input: &[u8]) {
        self.has_read = matches!(turn, Turn::Read(_));
        match turn {
            Turn::Failed(error) => self.connection.handle_closed(Some(error.kind()), now()),
            Turn::Limit(why, octets) => {
                self.connection
                    .handle_bytes(input.get(..octets).unwrap_or_default(), now());
                self.connection.abort(why, now());
            }
            Turn::Read(0) => {
                let error = self.write_failed.take().map(|(error, _)| error.kind());
                self.connection.handle_closed(error, now());
            }
            Turn::Read(octets) => {
                self.connection
                    .handle_bytes(input.get(..octets).unwrap_or_default(), now());
            }
            Turn::TimedOut => match self.write_failed.take() {
                Some((error, _)) => self.connection.handle_closed(Some(error.kind()), now()),
                None => self.connection.handle_timeout(now()),
            },
            Turn::WriteFailed(error) => self.write_failed = Some((error, Instant::now() + LAST_WORDS)),
            Turn::Wrote(octets) => self.connection.transmitted(octets, now()),
        }
    }
}

/// Reads before it writes: what the peer said decides what may still be said.
fn poll_exchange(
    transport: &mut dyn Transport,
    context: &mut Context<'_>,
    input: &mut [u8],
    slices: &[IoSlice<'_>],
) -> Poll<Turn> {
    let mut buffer = ReadBuf::new(input);
    match Pin::new(&mut *transport).poll_read(context, &mut buffer) {
        Poll::Ready(Ok(())) => return Poll::Ready(Turn::Read(buffer.filled().len())),
        Poll::Ready(Err(error)) if is_interrupted(&error) => context.waker().wake_by_ref(),
        Poll::Ready(Err(error)) => return Poll::Ready(Turn::Failed(error)),
        Poll::Pending => {}
    }
    if slices.iter().all(|slice| slice.is_empty()) {
        return Poll::Pending;
    }
    match Pin::new(transport).poll_write_vectored(context, slices) {
        Poll::Ready(Ok(0)) => Poll::Ready(Turn::WriteFailed(io::ErrorKind::WriteZero.into())),
        Poll::Ready(Ok(octets)) => Poll::Ready(Turn::Wrote(octets)),
        Poll::Ready(Err(error)) if is_interrupted(&error) => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
        Poll::Ready(Err(error)) => Poll::Ready(Turn::WriteFailed(error)),
        Poll::Pending => Poll::Pending,
    }
}

fn is_interrupted(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
