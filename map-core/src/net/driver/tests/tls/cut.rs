//! Connections that are cut after every octet of ours.

use super::{Client, ROOM, Smtp, Told, unverified};
use crate::net::Transport;
use crate::net::tls::testing::Server;
use crate::smtp::{Outcome, TlsUse};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// What becomes of a connection when it is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
enum AfterCut {
    /// Writing fails, and what the server says is still read.
    Hears,
    /// Reading and writing fail.
    Reset,
    /// What is written vanishes, and nothing comes.
    Vanishes,
}

/// A connection that breaks after some of our octets.
#[derive(Debug)]
struct Cut {
    inner: DuplexStream,
    left: usize,
    after: AfterCut,
    sent: Arc<AtomicUsize>,
}

impl AsyncRead for Cut {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.after {
            AfterCut::Reset if self.left == 0 => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            AfterCut::Vanishes if self.left == 0 => Poll::Pending,
            _ => Pin::new(&mut self.inner).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Cut {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.left == 0 {
            let _ = Pin::new(&mut self.inner).poll_shutdown(context);
            return Poll::Ready(match self.after {
                AfterCut::Vanishes => Ok(octets.len()),
                AfterCut::Hears | AfterCut::Reset => Err(io::ErrorKind::BrokenPipe.into()),
            });
        }
        let upto = octets.len().min(self.left);
        let polled = Pin::new(&mut self.inner).poll_write(context, &octets[..upto]);
        if let Poll::Ready(Ok(written)) = polled {
            self.left -= written;
            self.sent.fetch_add(written, Ordering::SeqCst);
            if self.left == 0 {
                let _ = Pin::new(&mut self.inner).poll_shutdown(context);
            }
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl Transport for Cut {
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }
}

/// A conversation from the first octet on in TLS, cut after some of our octets: what was told, whether the server
/// had the whole content, and how many octets left.
async fn cut_after(
    server: &Server,
    left: usize,
    after: AfterCut,
    content: Option<usize>,
) -> (Told, bool, usize) {
    let peer = unverified(server);
    let (inner, theirs) = tokio::io::duplex(ROOM);
    let sent = Arc::new(AtomicUsize::new(0));
    let ours = Cut {
        inner,
        left,
        after,
        sent: Arc::clone(&sent),
    };
    let notes = Arc::default();
    let serve = async {
        let Ok(stream) = server.acceptor().accept(theirs).await else {
            return;
        };
        let mut tls = Smtp::over(stream, &notes);
        if tls.say("220 mx.example\r\n").await.is_ok() {
            let _ = tls.whole_session().await;
        }
    };
    let mut client = Client::of(TlsUse::Implicit, &peer);
    if let Some(octets) = content {
        client = client.with_content(octets);
    }
    let (told, ()) = tokio::join!(client.sends(ours), serve);
    let had_all = notes.lock().expect("notes").content.is_some();
    (told, had_all, sent.load(Ordering::SeqCst))
}

/// The one rule: a host that had the whole content is never one that lost it, and the other way round.
fn assert_sound(told: &Told, had_all: bool, row: &str) {
    match told.outcome() {
        Outcome::Accepted(_) => assert!(had_all, "{row}: never had it"),
        Outcome::Uncertain(_) => {}
        other => assert!(!had_all, "{row}: {other:?}, and it has it"),
    }
}

#[tokio::test(start_paused = true)]
async fn wherever_it_is_cut_a_host_that_had_everything_is_never_passed_over() {
    let server = Server::good();
    let (told, had_all, whole) = cut_after(&server, usize::MAX, AfterCut::Reset, None).await;
    assert!(told.is_accepted() && had_all);
    for after in [AfterCut::Hears, AfterCut::Reset, AfterCut::Vanishes] {
        let mut seen = [0; 3];
        for left in 0..whole {
            let (told, had_all, _) = cut_after(&server, left, after, None).await;
            assert_sound(&told, had_all, &format!("{after:?} after {left} of {whole}"));
            seen[match told.outcome() {
                Outcome::Accepted(_) => 0,
                Outcome::Uncertain(_) => 1,
                _ => 2,
            }] += 1;
        }
        assert!(
            seen[2] > whole / 2,
            "most of it comes before the content: {seen:?}"
        );
        assert!(seen[0] + seen[1] > 10, "the end mark is passed: {seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_between_the_end_mark_and_what_follows_it_is_after_the_end_mark() {
    // A record holds 16,384 octets: the end mark is the last of one, and QUIT is in the next.
    let server = Server::good();
    let content = Some(16 * 1024 - 3);
    let (told, had_all, whole) = cut_after(&server, usize::MAX, AfterCut::Reset, content).await;
    assert!(told.is_accepted() && had_all);
    for after in [AfterCut::Hears, AfterCut::Reset, AfterCut::Vanishes] {
        let mut had = 0;
        for left in whole - 100..whole {
            let (told, had_all, _) = cut_after(&server, left, after, content).await;
            assert_sound(&told, had_all, &format!("{after:?} after {left} of {whole}"));
            had += usize::from(had_all);
        }
        assert!((20..80).contains(&had), "the edge is among them: {had}");
    }
}
