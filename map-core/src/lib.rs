//! Deliver an e-mail straight to the recipient's own mail server and say what happened.
//!
//! The modules stand in the order in which a message passes through them.

#![forbid(unsafe_code)]

pub mod address;
pub mod agent;
pub mod delivery;
pub mod dkim;
pub mod envelope;
pub mod message;
pub mod net;
pub mod protocol;
pub mod route;
pub mod smtp;
#[doc(hidden)]
pub mod text;

mod content;
mod local;
mod signals;
mod wanted;

pub use address::Mailbox;
pub use agent::{Agent, Config, Job, send};
pub use delivery::{Progress, Relay, RelayError, RelaySecurity, Report, TlsPolicy};
pub use local::LocalError;
pub use protocol::{MapReply, MapReplyCode};
