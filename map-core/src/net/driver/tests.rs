//! Peers that never stop talking, over the driver alone.

mod content;
mod tls;

use crate::net::Transport;
use crate::net::{CancelSignal, ContentSource, Limits, Observer, converse};
use crate::smtp::{Connection, Deadlines, Event, Hello, SessionConfig, SubmissionId, TlsUse};
use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::time::Instant;

/// Says a line without end, and never hears.
#[derive(Debug)]
struct Flood {
    said: bool,
    line: &'static [u8],
}

impl tokio::io::AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let line: &[u8] = if std::mem::replace(&mut self.said, true) {
            self.line
        } else {
            b"220 ready\r\n"
        };
        buffer.put_slice(&line[..line.len().min(buffer.remaining())]);
        Poll::Ready(Ok(()))
    }
}

impl tokio::io::AsyncWrite for Flood {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Transport for Flood {
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }
}

/// Time passes while it talks: every read takes a second of the made-up clock.
#[derive(Debug)]
struct Talker(Flood);

impl tokio::io::AsyncRead for Talker {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut second = std::pin::pin!(tokio::time::advance(Duration::from_secs(1)));
        let _ = second.as_mut().poll(context);
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl tokio::io::AsyncWrite for Talker {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Transport for Talker {
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }
}

/// A TLS session that reads records without end and finds no word in them, a second each: it uses up all the turns
/// that the runtime grants a task before others get theirs.
#[derive(Debug)]
struct Wordless {
    greeted: bool,
    reads: u32,
}

impl tokio::io::AsyncRead for Wordless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.greeted, true) {
            buffer.put_slice(b"220 ready\r\n");
            return Poll::Ready(Ok(()));
        }
        self.reads += 1;
        assert!(self.reads < 1000, "time is held up");
        let mut second = std::pin::pin!(tokio::time::advance(Duration::from_secs(1)));
        let _ = second.as_mut().poll(context);
        while let Poll::Ready(turn) = tokio::task::coop::poll_proceed(context) {
            turn.made_progress();
        }
        Poll::Pending
    }
}

impl tokio::io::AsyncWrite for Wordless {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Transport for Wordless {
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }
}

/// Takes everything at once, and never gets it out.
#[derive(Debug)]
struct Clogged {
    greeted: bool,
    polls: Arc<AtomicUsize>,
}

impl tokio::io::AsyncRead for Clogged {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        if std::mem::replace(&mut self.greeted, true) {
            return Poll::Pending;
        }
        buffer.put_slice(b"220 ready\r\n");
        Poll::Ready(Ok(()))
    }
}

impl tokio::io::AsyncWrite for Clogged {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl Transport for Clogged {
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }
}

async fn converse_with(transport: Box<dyn Transport>) -> Vec<Event> {
    struct Listener(Vec<Event>);
    impl Observer for Listener {
        fn event(&mut self, event: Event) {
            self.0.push(event);
        }
        fn open_content(&mut self, _: SubmissionId, _form: usize) -> io::Result<ContentSource> {
            Ok(ContentSource::InMemory(Box::new(io::empty())))
        }
    }
    let limits = Limits {
        cancel: CancelSignal::default(),
        total: None,
        content_start: Instant::now() + Duration::from_secs(3600),
    };
    let mut listener = Listener(Vec::new());
    let now = Instant::now().into_std();
    let config = SessionConfig {
        hello_name: "client.example.com".parse().expect("a name"),
        hello: Hello::Ehlo,
        deadlines: Deadlines::default(),
        tls: TlsUse::Clear,
        auth: None,
        chunk_octets: crate::smtp::CHUNK_OCTETS,
    };
    let mut connection = Connection::new(config, now);
    connection.quit(now);
    converse(&mut connection, transport, None, &mut listener, &limits).await;
    listener.0
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_talks_without_end_is_left() {
    // Replies that nobody asked for, and one reply that never ends: before and after its limits.
    for line in [&b"354 go on\r\n"[..], b"250-more\r\n", b"2"] {
        let started = Instant::now();
        let events = converse_with(Box::new(Flood { said: false, line })).await;
        assert!(
            events.len() < 20,
            "what it says is not kept: {} events",
            events.len()
        );
        assert!(started.elapsed() < Duration::from_secs(300));
    }
    // Slowly: a continuation line a second keeps no deadline up.
    let started = Instant::now();
    converse_with(Box::new(Talker(Flood {
        said: false,
        line: b"2",
    })))
    .await;
    assert!(
        started.elapsed() <= Duration::from_secs(303),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_that_never_finds_a_word_is_left_in_time() {
    let started = Instant::now();
    converse_with(Box::new(Wordless {
        greeted: false,
        reads: 0,
    }))
    .await;
    assert!(
        started.elapsed() <= Duration::from_secs(305),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_cannot_be_flushed_is_waited_for_without_haste() {
    let polls = Arc::default();
    converse_with(Box::new(Clogged {
        greeted: false,
        polls: Arc::clone(&polls),
    }))
    .await;
    assert!(polls.load(Ordering::SeqCst) < 20, "{polls:?}");
}
