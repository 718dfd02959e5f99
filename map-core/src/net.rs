//! Sockets and deadlines: what drives the machine of [`crate::smtp`].
//!
//! - [`Connector`] makes a transport connection and tells a refusal by the local system from a later one;
//! - [`SocksConnector`] connects through a SOCKS5 proxy;
//! - [`Limits`] is when to give up: the caller's cancel signal and the deadlines of the whole delivery;
//! - [`converse`] moves octets between one transport and one machine until the machine closes;
//! - [`tls`] makes a TLS session of a transport and verifies the peer;
//! - [`HttpsFetcher`] fetches MTA-STS policies;
//! - [`Port25Evidence`] is the answer to the question whether outgoing port 25 is blocked, with what it rests on.
//!

pub(crate) mod blocking;
mod connect;
mod content;
mod driver;
mod https;
mod limits;
mod places;
mod port25;
mod socks;
pub mod tls;

pub use connect::{ConnectByName, ConnectError, Connecting, Connector, TcpConnector, Transport};
pub use content::ContentSource;
pub use driver::{Observer, converse};
pub use https::HttpsFetcher;
pub use limits::{CancelSignal, Limits};
pub use port25::{
    Family, NotAsked, Port25Evidence, Port25Finding, ProbeHost, ProbeHostError, ProbeHosts, ProbeReport,
    ProbeResult,
};

pub use socks::{NameResolution, Proxy, ProxyError, ProxyUrlError, SocksConnector};

pub(crate) use https::HTTPS_PORT;
pub(crate) use places::{GivenUp, Peer, Places, PlacesOfSend};
pub(crate) use port25::{FailedAddress, Port25, WayOut};
pub(crate) use socks::is_localhost;
#[cfg(test)]
pub(crate) use tls::testing::{TlsRefusals, tls_refusals};
