//! Making a transport connection.

use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A connection that octets move over.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug {
    /// Our end of it, for the EHLO name and the report.
    fn local_addr(&self) -> Option<SocketAddr>;
}

impl Transport for TcpStream {
    fn local_addr(&self) -> Option<SocketAddr> {
        Self::local_addr(self).ok()
    }
}

/// The future of a connection.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Transport>, ConnectError>> + Send + 'a>>;

/// Makes connections. A trait so that tests need no network.
pub trait Connector: Send + Sync + fmt::Debug {
    /// Connects to one address. The caller sets the time limit and drops the future when it is over.
    fn connect(&self, address: SocketAddr) -> Connecting<'_>;
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// `connect()` itself said no: this machine's routes, filters or limits, before anything was sent.
    #[error("this machine refused to connect: {0}")]
    Immediate(#[source] io::Error),
    /// The attempt was made and failed: the peer or a router on the way said no.
    #[error("{0}")]
    Later(#[source] io::Error),
}

impl ConnectError {
    /// What the system said.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Immediate(error) | Self::Later(error) => error.kind(),
        }
    }

    /// `connect()` itself said EACCES or EPERM.
    pub fn is_forbidden_here(&self) -> bool {
        matches!(self, Self::Immediate(error) if error.kind() == io::ErrorKind::PermissionDenied)
    }

    /// This machine has no way to that address; no packet left, so it says nothing about the host.
    pub fn is_no_route(&self) -> bool {
        matches!(self, Self::Immediate(error) if matches!(
            error.kind(),
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::AddrNotAvailable
        ))
    }
}

/// TCP by the system's sockets, with `TCP_NODELAY`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpConnector;

impl Connector for TcpConnector {
    fn connect(&self, address: SocketAddr) -> Connecting<'_> {
        Box::pin(async move { Ok(Box::new(connect_tcp(address).await?) as Box<dyn Transport>) })
    }
}

/// tokio's own `connect` merges what `connect()` answers at once with what `SO_ERROR` says later; only the first
/// proves that the local system refuses, so the two steps are made here.
async fn connect_tcp(address: SocketAddr) -> Result<TcpStream, ConnectError> {
    let stream = begin_connect(address).map_err(ConnectError::Immediate)?;
    stream.writable().await.map_err(ConnectError::Later)?;
    match stream.take_error() {
        Ok(None) => Ok(stream),
        Ok(Some(error)) | Err(error) => Err(ConnectError::Later(error)),
    }
}

fn begin_connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Without it the end mark of a content waits for a delayed acknowledgement of what went before it.
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if is_in_progress(&error) => {}
        Err(error) => return Err(error),
    }
    TcpStream::from_std(socket.into())
}

fn is_in_progress(error: &io::Error) -> bool {
    // Windows says that it would block; `EINPROGRESS` has no stable `ErrorKind`.
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::EINPROGRESS) {
        return true;
    }
    error.kind() == io::ErrorKind::WouldBlock
}
