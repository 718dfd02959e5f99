//! A TLS session as a transport.

use crate::net::Transport;
use std::io::{self, IoSlice, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

/// Octets move over it as over any transport, but what is written is counted otherwise than [`TlsStream`] does: what a
/// write took has become records of the session, and nothing was given to the system yet. A write that also sends can
/// take a message, send all of it, fail at what follows, and report the failure alone; who believes that delivers the
/// message once more elsewhere.
///
/// So everything that this says it took may be with the peer, and all the rest cannot.
#[derive(Debug)]
pub(super) struct TlsTransport(TlsStream<Box<dyn Transport>>);

impl TlsTransport {
    pub(super) fn new(stream: TlsStream<Box<dyn Transport>>) -> Self {
        Self(stream)
    }

    /// Gives the system some of the records that wait; how many octets it took.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let (transport, session) = self.0.get_mut();
        let sent = session.write_tls(&mut Outgoing { transport, context });
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            sent => Poll::Ready(sent),
        }
    }
}

impl Transport for TlsTransport {
    fn local_addr(&self) -> Option<SocketAddr> {
        self.0.get_ref().0.local_addr()
    }
}

impl AsyncRead for TlsTransport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for TlsTransport {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(octets)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if slices.iter().all(|slice| slice.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        loop {
            let (_, session) = self.0.get_mut();
            let taken = session.writer().write_vectored(slices)?;
            if taken > 0 {
                return Poll::Ready(Ok(taken));
            }
            // The session holds as much as it may: room comes only from sending.
            if ready!(self.poll_send(context))? == 0 {
                return Poll::Ready(Ok(0));
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// The transport below, as rustls writes to it.
struct Outgoing<'a, 'b> {
    transport: &'a mut Box<dyn Transport>,
    context: &'a mut Context<'b>,
}

impl Outgoing<'_, '_> {
    fn now<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
        match polled {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Outgoing<'_, '_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        Self::now(Pin::new(&mut *self.transport).poll_write(self.context, octets))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Self::now(Pin::new(&mut *self.transport).poll_write_vectored(self.context, slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Self::now(Pin::new(&mut *self.transport).poll_flush(self.context))
    }
}
