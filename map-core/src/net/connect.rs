//! Making a transport connection.

use super::socks::ProxyError;
use crate::route::{Dropped, HostAddresses, HostName, Policy, RouteError};
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
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

    /// The way to connect to a name, for a connector behind which names are looked up. Where there is one, no address
    /// of a mail host is looked up here.
    fn by_name(&self) -> Option<&dyn ConnectByName> {
        None
    }

    /// The addresses of this machine, as they are now: what listens there may trust who comes from it. None of a
    /// connector whose connections begin elsewhere.
    fn own_addresses(&self) -> Vec<IpAddr> {
        Vec::new()
    }

    /// Connects from this machine's own network, so that a failure says something about that.
    fn is_direct(&self) -> bool {
        true
    }
}

impl dyn Connector {
    /// Leaves this machine's own addresses out, unless it may be connected to, as loopback addresses are left out.
    pub(crate) fn leave_out_own(&self, mut found: HostAddresses, policy: Policy) -> HostAddresses {
        if policy.allow_loopback {
            return found;
        }
        let Ok(addresses) = &mut found.found else {
            return found;
        };
        let own = self.own_addresses();
        let dropped = &mut found.dropped;
        addresses.retain(|address| {
            let is_own = own.contains(&address.to_canonical());
            if is_own {
                dropped.push(Dropped {
                    what: address.to_string(),
                    why: RouteError::ForbiddenTarget,
                });
            }
            !is_own
        });
        if addresses.is_empty() {
            let why = RouteError::most_relevant(dropped.iter().map(|dropped| &dropped.why));
            found.found = Err(why.unwrap_or(RouteError::ForbiddenTarget));
        }
        found
    }

    /// Whether a connection came out at this machine, which may have come to that address since. To be asked before
    /// anything is said: the system gives such a connection the address that was asked for on both of its ends.
    pub(crate) fn leads_here(&self, transport: &dyn Transport, address: IpAddr, policy: Policy) -> bool {
        let ours = transport.local_addr().map(|ours| ours.ip().to_canonical());
        !policy.allow_loopback && self.is_direct() && ours == Some(address.to_canonical())
    }
}

/// Makes connections to hosts whose addresses it finds itself.
pub trait ConnectByName: Send + Sync {
    /// Connects to a host. The caller sets the time limit and drops the future when it is over.
    fn connect<'a>(&'a self, host: &'a HostName, port: u16) -> Connecting<'a>;
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
    /// The proxy did not make the connection, for a reason of its own.
    #[error("the proxy {0}")]
    Proxy(#[from] ProxyError),
    /// The source address that was set is not one of this machine's.
    #[error("cannot send from {address}: {error}")]
    SourceAddress {
        /// As it was set.
        address: IpAddr,
        /// What the system said.
        #[source]
        error: io::Error,
    },
}

impl ConnectError {
    /// What the system said.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Immediate(error) | Self::Later(error) | Self::SourceAddress { error, .. } => error.kind(),
            Self::Proxy(_) => io::ErrorKind::Other,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpConnector {
    source_v4: Option<Ipv4Addr>,
    source_v6: Option<Ipv6Addr>,
}

impl TcpConnector {
    /// Connects from this address where the target is of the same family; the other family keeps its own, or the
    /// system's choice.
    #[must_use]
    pub fn from_source(mut self, source: IpAddr) -> Self {
        match source.to_canonical() {
            IpAddr::V4(source) => self.source_v4 = Some(source),
            IpAddr::V6(source) => self.source_v6 = Some(source),
        }
        self
    }

    fn source_for(self, target: SocketAddr) -> Option<IpAddr> {
        match target {
            SocketAddr::V4(_) => self.source_v4.map(IpAddr::V4),
            SocketAddr::V6(_) => self.source_v6.map(IpAddr::V6),
        }
    }
}

impl Connector for TcpConnector {
    fn connect(&self, address: SocketAddr) -> Connecting<'_> {
        let source = self.source_for(address);
        Box::pin(async move { Ok(Box::new(connect_tcp(address, source).await?) as Box<dyn Transport>) })
    }

    fn own_addresses(&self) -> Vec<IpAddr> {
        // Where the system does not tell, it has no descriptor for a connection, either.
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        interfaces
            .iter()
            .map(|interface| interface.ip().to_canonical())
            .collect()
    }
}

/// tokio's own `connect` merges what `connect()` answers at once with what `SO_ERROR` says later; only the first
/// proves that the local system refuses, so the two steps are made here.
async fn connect_tcp(address: SocketAddr, source: Option<IpAddr>) -> Result<TcpStream, ConnectError> {
    let stream = begin_connect(address, source)?;
    stream.writable().await.map_err(ConnectError::Later)?;
    match stream.take_error() {
        Ok(None) => Ok(stream),
        Ok(Some(error)) | Err(error) => Err(ConnectError::Later(error)),
    }
}

fn begin_connect(address: SocketAddr, source: Option<IpAddr>) -> Result<TcpStream, ConnectError> {
    let socket = new_socket(address).map_err(ConnectError::Immediate)?;
    if let Some(source) = source {
        let bound = socket.bind(&SocketAddr::new(source, 0).into());
        bound.map_err(|error| ConnectError::SourceAddress {
            address: source,
            error,
        })?;
    }
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if is_in_progress(&error) => {}
        Err(error) => return Err(ConnectError::Immediate(error)),
    }
    TcpStream::from_std(socket.into()).map_err(ConnectError::Immediate)
}

fn new_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Without it the end mark of a content waits for a delayed acknowledgement of what went before it.
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

fn is_in_progress(error: &io::Error) -> bool {
    // Windows says that it would block; `EINPROGRESS` has no stable `ErrorKind`.
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::EINPROGRESS) {
        return true;
    }
    error.kind() == io::ErrorKind::WouldBlock
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("its number");
        (listener, address)
    }

    #[tokio::test]
    async fn a_connection_comes_from_the_source_address_of_its_family() {
        let (listener, address) = listener().await;
        let sources = [
            (TcpConnector::default(), "127.0.0.1"),
            (
                TcpConnector::default().from_source([127, 0, 0, 9].into()),
                "127.0.0.9",
            ),
            (
                TcpConnector::default().from_source("::ffff:127.0.0.8".parse().expect("an address")),
                "127.0.0.8",
            ),
            // The other family's does not count.
            (
                TcpConnector::default().from_source("2001:db8::1".parse().expect("an address")),
                "127.0.0.1",
            ),
        ];
        for (connector, source) in sources {
            let (connected, accepted) = tokio::join!(connector.connect(address), listener.accept());
            let (_, peer) = accepted.expect("a connection");
            assert_eq!(peer.ip().to_string(), source);
            let ours = connected.expect("a connection").local_addr();
            assert_eq!(ours, Some(peer));
        }
    }

    #[tokio::test]
    async fn an_address_of_somebody_elses_is_named() {
        let (_listener, address) = listener().await;
        let source: IpAddr = [192, 0, 2, 7].into();
        let error = TcpConnector::default()
            .from_source(source)
            .connect(address)
            .await
            .expect_err("not ours");
        assert!(
            matches!(&error, ConnectError::SourceAddress { address, .. } if *address == source),
            "{error:?}"
        );
        assert!(!error.is_no_route() && !error.is_forbidden_here());
    }
}
