//! Sockets and deadlines: what drives the machine of [`crate::smtp`].
//!
//! - [`Connector`] makes a transport connection and tells a refusal by the local system from a later one;
//! - [`Limits`] is when to give up: the caller's cancel signal and the deadlines of the whole delivery;
//! - [`converse`] moves octets between one transport and one machine until the machine closes.
//!
//! The port-25 question and TLS find their places here, beside the connector.

mod connect;
mod driver;
mod limits;

pub use connect::{ConnectError, Connecting, Connector, TcpConnector, Transport};
pub use driver::{Observer, converse};
pub use limits::{CancelSignal, Limits};
