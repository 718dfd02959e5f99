//! Connections through a SOCKS5 proxy ([RFC 1928], and [RFC 1929] for user and password).
//!
//! ```text
//! we: methods          proxy: one of them
//! we: user, password   proxy: yes or no             only if it chose that
//! we: CONNECT          proxy: 0, or why not
//! ```
//!
//! After that the octets are the mail host's. No more is read than an answer has, since the host speaks first.
//!
//! [RFC 1928]: https://www.rfc-editor.org/rfc/rfc1928
//! [RFC 1929]: https://www.rfc-editor.org/rfc/rfc1929

use super::{ConnectByName, ConnectError, Connecting, Connector, Transport};
use crate::local::LocalError;
use crate::route::{HostName, HostNames, Target};
use std::fmt;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

/// The port of proxies where none is said (RFC 1928 section 3).
const SOCKS_PORT: u16 = 1080;
/// How long the proxy itself may take, before it is asked for the host.
const PROXY_WAIT: Duration = Duration::from_secs(10);

const VERSION: u8 = 5;
const LOGIN_VERSION: u8 = 1;
const NO_LOGIN: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
const RESERVED: u8 = 0;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// A SOCKS5 proxy, read from a URL:
///
/// ```text
/// socks5://[user:password@]host[:port]     names of mail hosts are looked up here, the proxy is given addresses
/// socks5h://[user:password@]host[:port]    the proxy is given names and looks them up
/// ```
///
/// The MX record of the recipient's domain is looked up here in either case. The port is 1080 unless it is said; `%`
/// and two hexadecimal digits stand for an octet of user or password. The password is in no output.
///
/// # Example
/// ```
/// use map_core::net::Proxy;
/// let proxy: Proxy = "socks5h://alice:s3cret@proxy.example.net".parse()?;
/// assert_eq!(proxy.to_string(), "socks5h://alice:***@proxy.example.net:1080");
/// assert!(!format!("{proxy:?}").contains("s3cret"));
/// # Ok::<(), map_core::net::ProxyUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    host: Target,
    port: u16,
    login: Option<Login>,
    names: NameResolution,
}

/// Who looks up the addresses of mail hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NameResolution {
    /// The proxy.
    ByProxy,
    /// This library.
    Here,
}

#[derive(Clone, PartialEq, Eq)]
struct Login {
    user: Vec<u8>,
    password: Vec<u8>,
}

/// Why a text is no proxy. It does not repeat the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyUrlError {
    /// Neither a name nor an IP address, or a port that is none.
    #[error("the proxy's host or port cannot be read: write socks5://host:port")]
    Host,
    /// User or password empty, longer than 255 octets, or with a `%` that is not followed by two hexadecimal digits.
    #[error("the proxy's user and password cannot be read: write socks5://user:password@host:port")]
    Login,
    /// Neither `socks5://` nor `socks5h://`.
    #[error("only socks5:// and socks5h:// proxies are known")]
    Scheme,
}

/// What the proxy itself did instead of making a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// It closed, or the connection to it was lost, before it had answered.
    #[error("closed the connection before it had answered")]
    Closed,
    /// It did not take user and password.
    #[error("refused the user or the password")]
    LoginRefused,
    /// Its name has no address.
    #[error("has a name that was not found")]
    NoAddress,
    /// It takes none of the ways to log in that are offered.
    #[error("wants a way to log in that is not offered: most likely a user and a password")]
    NoMethod,
    /// What it said is not SOCKS5.
    #[error("did not speak SOCKS5")]
    NotSocks,
    /// Its reply code, where that blames the proxy or its rules.
    #[error("refused the connection: {}", reason(*.0))]
    Refused(u8),
    /// It did not answer in time.
    #[error("did not answer in time")]
    Silent,
    /// It could not be connected to.
    #[error("could not be connected to ({0})")]
    Unreachable(io::ErrorKind),
}

/// RFC 1928 section 6.
fn reason(code: u8) -> &'static str {
    match code {
        1 => "it gave no reason (general failure)",
        2 => "its rules do not allow it",
        7 => "it does not make such connections",
        8 => "it does not take this kind of address",
        _ => "for a reason that SOCKS does not know",
    }
}

impl FromStr for Proxy {
    type Err = ProxyUrlError;

    /// # Errors
    /// What keeps it from being a proxy.
    fn from_str(text: &str) -> Result<Self, ProxyUrlError> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(ProxyUrlError::Scheme)?;
        let names = match scheme.to_ascii_lowercase().as_str() {
            "socks5" => NameResolution::Here,
            "socks5h" => NameResolution::ByProxy,
            _ => return Err(ProxyUrlError::Scheme),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, host) = match rest.rsplit_once('@') {
            Some((login, host)) => (Some(login.parse()?), host),
            None => (None, rest),
        };
        let (host, port) = parse_host(host).ok_or(ProxyUrlError::Host)?;
        Ok(Self {
            host,
            port,
            login,
            names,
        })
    }
}

/// `name`, `name:port`, `192.0.2.1:port`, `[2001:db8::1]:port`
fn parse_host(text: &str) -> Option<(Target, u16)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (text, SOCKS_PORT),
    };
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let target = if let Some(address) = bracketed {
        Target::Address(IpAddr::V6(address.parse().ok()?))
    } else if let Ok(address) = host.parse::<Ipv4Addr>() {
        Target::Address(address.into())
    } else {
        Target::Name(HostName::parse(host.strip_suffix('.').unwrap_or(host)).ok()?)
    };
    (port != 0).then_some((target, port))
}

impl FromStr for Login {
    type Err = ProxyUrlError;

    fn from_str(text: &str) -> Result<Self, ProxyUrlError> {
        let (user, password) = text.split_once(':').ok_or(ProxyUrlError::Login)?;
        let decoded = |part: &str| {
            // > PLEN [...] PASSWD 1 to 255
            // https://www.rfc-editor.org/rfc/rfc1929#section-2
            let octets = percent_decoded(part).filter(|octets| (1..=255).contains(&octets.len()));
            octets.ok_or(ProxyUrlError::Login)
        };
        Ok(Self {
            user: decoded(user)?,
            password: decoded(password)?,
        })
    }
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut pieces = text.split('%');
    let mut octets = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let digits = piece.get(..2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        octets.push(u8::from_str_radix(digits, 16).ok()?);
        octets.extend_from_slice(piece.get(2..)?.as_bytes());
    }
    Some(octets)
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.names {
            NameResolution::ByProxy => "socks5h",
            NameResolution::Here => "socks5",
        };
        write!(f, "{scheme}://")?;
        if let Some(login) = &self.login {
            write!(f, "{}:***@", login.user.escape_ascii())?;
        }
        match &self.host {
            Target::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            Target::Address(address) => address.fmt(f)?,
            Target::Name(name) => name.fmt(f)?,
        }
        write!(f, ":{}", self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// Connects through a SOCKS5 proxy.
///
/// Where the proxy looks up names, nothing here sees the address that is connected to in the end: which targets are
/// allowed is checked for address literals and for names of the machine itself (`localhost`), and all else is up to the
/// rules of the proxy.
#[derive(Clone, Debug)]
pub struct SocksConnector {
    proxy: Proxy,
    /// The way to the proxy.
    connector: Arc<dyn Connector>,
    /// Who knows the proxy's own address.
    names: HostNames,
}

impl SocksConnector {
    /// Reaches `proxy` by `connector`; `names` knows the address of the proxy, but for `localhost`, which is this machine.
    pub fn new(proxy: Proxy, connector: Arc<dyn Connector>, names: HostNames) -> Self {
        Self {
            proxy,
            connector,
            names,
        }
    }
}

impl Connector for SocksConnector {
    fn connect(&self, address: SocketAddr) -> Connecting<'_> {
        let mut destination = Vec::new();
        match address.ip().to_canonical() {
            IpAddr::V4(address) => {
                destination.push(IPV4);
                destination.extend(address.octets());
            }
            IpAddr::V6(address) => {
                destination.push(IPV6);
                destination.extend(address.octets());
            }
        }
        Box::pin(self.connect_to(destination, address.port()))
    }

    fn by_name(&self) -> Option<&dyn ConnectByName> {
        match self.proxy.names {
            NameResolution::ByProxy => Some(self),
            NameResolution::Here => None,
        }
    }

    fn is_direct(&self) -> bool {
        false
    }
}

impl ConnectByName for SocksConnector {
    fn connect<'a>(&'a self, host: &'a HostName, port: u16) -> Connecting<'a> {
        let name = host.as_ascii().as_bytes();
        let mut destination = vec![NAME];
        // A `HostName` has at most 253 octets.
        destination.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        destination.extend(name);
        Box::pin(self.connect_to(destination, port))
    }
}

impl SocksConnector {
    async fn connect_to(
        &self,
        mut destination: Vec<u8>,
        port: u16,
    ) -> Result<Box<dyn Transport>, ConnectError> {
        destination.extend(port.to_be_bytes());
        let mut transport = timeout(PROXY_WAIT, self.connect_to_proxy())
            .await
            .unwrap_or(Err(ProxyError::Silent.into()))?;
        let mut request = vec![VERSION, CONNECT, RESERVED];
        request.extend(destination);
        send(&mut transport, &request).await?;
        let bound = connect_reply(&mut transport).await?;
        Ok(Box::new(Proxied { transport, bound }))
    }

    /// A proxy that knows us.
    async fn connect_to_proxy(&self) -> Result<Box<dyn Transport>, ConnectError> {
        let mut last = ProxyError::NoAddress;
        for address in self.addresses().await {
            match self
                .connector
                .connect(SocketAddr::new(address, self.proxy.port))
                .await
            {
                Ok(mut transport) => {
                    self.log_in(&mut transport).await?;
                    return Ok(transport);
                }
                // It is not the proxy that lacks something.
                Err(ConnectError::Immediate(error))
                    if LocalError::of_connecting(&error, Some(address)).is_some() =>
                {
                    return Err(ConnectError::Immediate(error));
                }
                Err(error) => last = ProxyError::Unreachable(error.kind()),
            }
        }
        Err(last.into())
    }

    async fn addresses(&self) -> Vec<IpAddr> {
        let name = match &self.proxy.host {
            Target::Address(address) => return vec![*address],
            Target::Name(name) => name,
        };
        if is_localhost(name.as_ascii()) {
            return vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        }
        self.names.addresses(name, false).await.unwrap_or_default()
    }

    async fn log_in(&self, transport: &mut Box<dyn Transport>) -> Result<(), ProxyError> {
        let methods: &[u8] = match self.proxy.login {
            Some(_) => &[VERSION, 2, NO_LOGIN, USER_AND_PASSWORD],
            None => &[VERSION, 1, NO_LOGIN],
        };
        send(transport, methods).await?;
        match (receive(transport).await?, &self.proxy.login) {
            ([VERSION, NO_LOGIN], _) => Ok(()),
            ([VERSION, USER_AND_PASSWORD], Some(login)) => {
                send(transport, &login.request()).await?;
                // > If the server returns a `failure' (STATUS value other than X'00') status, it MUST close the
                // > connection.
                // https://www.rfc-editor.org/rfc/rfc1929#section-2
                match receive(transport).await? {
                    [LOGIN_VERSION, 0] => Ok(()),
                    [LOGIN_VERSION, _] => Err(ProxyError::LoginRefused),
                    _ => Err(ProxyError::NotSocks),
                }
            }
            ([VERSION, NO_METHOD], _) => Err(ProxyError::NoMethod),
            _ => Err(ProxyError::NotSocks),
        }
    }
}

/// Names that are this machine, whoever looks them up.
///
/// > The domain "localhost." and any names falling within ".localhost." are special
///
/// <https://www.rfc-editor.org/rfc/rfc6761#section-6.3>
pub(crate) fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

impl Login {
    fn request(&self) -> Vec<u8> {
        let mut request = vec![LOGIN_VERSION];
        for part in [&self.user, &self.password] {
            // At most 255 octets, as read.
            request.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
            request.extend(part);
        }
        request
    }
}

/// The address from which the proxy connects, where it says so; or why it does not.
async fn connect_reply(transport: &mut Box<dyn Transport>) -> Result<Option<SocketAddr>, ConnectError> {
    let [version, code, _reserved, kind] = receive(transport).await?;
    if version != VERSION {
        return Err(ProxyError::NotSocks.into());
    }
    match code {
        0 => {}
        3 => return Err(ConnectError::Later(io::ErrorKind::NetworkUnreachable.into())),
        4 => return Err(ConnectError::Later(io::ErrorKind::HostUnreachable.into())),
        5 => return Err(ConnectError::Later(io::ErrorKind::ConnectionRefused.into())),
        6 => return Err(ConnectError::Later(io::ErrorKind::TimedOut.into())),
        code => return Err(ProxyError::Refused(code).into()),
    }
    let address: Option<IpAddr> = match kind {
        IPV4 => Some(IpAddr::from(receive::<4>(transport).await?)),
        IPV6 => Some(IpAddr::from(receive::<16>(transport).await?)),
        NAME => {
            let [length] = receive(transport).await?;
            let mut name = vec![0; length.into()];
            let read = transport.read_exact(&mut name).await;
            read.map_err(|_| ProxyError::Closed)?;
            None
        }
        _ => return Err(ProxyError::NotSocks.into()),
    };
    let port = u16::from_be_bytes(receive(transport).await?);
    let address = address.map(|address| SocketAddr::new(address, port));
    Ok(address.filter(|address| !address.ip().is_unspecified()))
}

async fn send(transport: &mut Box<dyn Transport>, octets: &[u8]) -> Result<(), ProxyError> {
    let sent = async {
        transport.write_all(octets).await?;
        transport.flush().await
    };
    sent.await.map_err(|_| ProxyError::Closed)
}

async fn receive<const N: usize>(transport: &mut Box<dyn Transport>) -> Result<[u8; N], ProxyError> {
    let mut octets = [0; N];
    let read = transport.read_exact(&mut octets).await;
    read.map_err(|_| ProxyError::Closed)?;
    Ok(octets)
}

/// A connection by way of a proxy.
#[derive(Debug)]
struct Proxied {
    transport: Box<dyn Transport>,
    bound: Option<SocketAddr>,
}

impl Transport for Proxied {
    /// As the mail host sees it, where the proxy says so.
    fn local_addr(&self) -> Option<SocketAddr> {
        self.bound.or_else(|| self.transport.local_addr())
    }
}

impl AsyncRead for Proxied {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_read(context, buffer)
    }
}

impl AsyncWrite for Proxied {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }
}

#[cfg(test)]
mod tests;
