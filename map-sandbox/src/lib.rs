//! A mail world in one process on loopback: DNS, mail hosts, faults, and a mailbox to look into. A test double.

#![forbid(unsafe_code)]

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

/// The script of a world: its DNS and its mail hosts.
#[derive(Clone, Debug, Default)]
pub struct World {}

/// A script that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct WorldError {
    /// Line of the script, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl FromStr for World {
    type Err = WorldError;
    fn from_str(_script: &str) -> Result<Self, WorldError> {
        todo!()
    }
}

/// A running world; dropping it stops it.
#[derive(Debug)]
pub struct Sandbox {}

/// A mail that a host took: it answered 2yz to its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The host's name in the script.
    pub host: String,
    /// What came behind EHLO or HELO.
    pub hello: String,
    /// What stood in `MAIL FROM:<…>`.
    pub reverse_path: String,
    /// What stood in each accepted `RCPT TO:<…>`.
    pub forward_paths: Vec<String>,
    /// The content, octets exact, dot-stuffing undone.
    pub content: Vec<u8>,
}

/// One connection that a host saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The host's name in the script.
    pub host: String,
    /// Where it listened.
    pub address: IpAddr,
    /// Every octet the client sent.
    pub received: Vec<u8>,
    /// Every octet the host sent.
    pub sent: Vec<u8>,
    /// Contents whose end mark arrived here, whatever was answered: what may have been delivered.
    pub contents_complete: usize,
    /// Contents answered with 2yz (given to the system to send).
    pub contents_accepted: usize,
    /// The connection is over.
    pub closed: bool,
}

impl Sandbox {
    /// Starts the world on free ports.
    ///
    /// # Errors
    /// When a socket cannot be bound.
    pub fn start(_world: &World) -> std::io::Result<Self> {
        todo!()
    }
    /// Where its DNS listens (UDP and TCP).
    pub fn dns_server(&self) -> SocketAddr {
        todo!()
    }
    /// The one port of all its mail hosts.
    pub fn smtp_port(&self) -> u16 {
        todo!()
    }
    /// The mails taken so far, in order.
    pub fn mails(&self) -> Vec<Mail> {
        todo!()
    }
    /// Waits until at least `count` mails were taken; what there is when the time is over.
    pub fn wait_for_mails(&self, _count: usize, _timeout: Duration) -> Vec<Mail> {
        todo!()
    }
    /// The connections so far, in the order in which they were made.
    pub fn sessions(&self) -> Vec<Session> {
        todo!()
    }
    /// Waits until every connection is over; the connections when they are, or when the time is over.
    pub fn wait_for_quiet(&self, _timeout: Duration) -> Vec<Session> {
        todo!()
    }
    /// Forgets mails and sessions.
    pub fn clear(&self) {}
}
