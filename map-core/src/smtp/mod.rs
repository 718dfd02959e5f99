//! The exchange: a machine without I/O.

mod capabilities;
mod codes;
mod command;
mod connection;
mod parser;
mod ready;
mod reply;
mod stuffing;
mod transaction;
mod transmit;

pub use capabilities::Capabilities;
pub use connection::Connection;
pub use parser::{ReplyError, ReplyParser};
pub use reply::{EnhancedStatusCode, Reply, ReplyCode, Severity};

use crate::address::{ForwardPath, MailboxDomain, ReversePath};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Names a mail transaction on a connection; chosen by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(pub u64);

/// `MAIL` and `RCPT`.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// `MAIL FROM:`
    pub reverse_path: ReversePath,
    /// `RCPT TO:`, in order.
    pub forward_paths: Vec<ForwardPath>,
}

/// What the machine must know of a body before it moves.
#[derive(Clone, Copy, Debug, Default)]
pub struct BodyInfo {
    /// Octets before dot-stuffing, if known (RFC 1870).
    pub size: Option<u64>,
}

/// What a connection is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name behind EHLO or HELO.
    pub hello_name: MailboxDomain,
    /// EHLO first, or HELO only (a new connection after the peer closed on EHLO).
    pub hello: Hello,
    /// How long each reply may take.
    pub deadlines: Deadlines,
}

/// How the session is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hello {
    /// EHLO, and HELO when that is refused.
    Ehlo,
    /// HELO at once.
    Helo,
}

/// How long each step may take (RFC 5321 section 4.5.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Greeting.
    pub greeting: Duration,
    /// EHLO and HELO.
    pub hello: Duration,
    /// MAIL.
    pub mail: Duration,
    /// RCPT.
    pub rcpt: Duration,
    /// DATA.
    pub data: Duration,
    /// Content without progress.
    pub content: Duration,
    /// The final reply.
    pub final_reply: Duration,
    /// QUIT.
    pub quit: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Self {
            greeting: minutes(5),
            hello: minutes(5),
            mail: minutes(5),
            rcpt: minutes(5),
            data: minutes(2),
            content: minutes(3),
            final_reply: minutes(10),
            quit: Duration::from_secs(2),
        }
    }
}

/// A step of the exchange: what was sent, or what a reply answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The server's greeting; nothing is sent for it.
    Greeting,
    /// EHLO
    Ehlo,
    /// HELO
    Helo,
    /// MAIL
    Mail,
    /// RCPT
    Rcpt,
    /// DATA
    Data,
    /// The content with its end mark, and the final reply.
    Content,
    /// RSET
    Rset,
    /// QUIT
    Quit,
}

/// What became of one recipient of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 2yz to the content.
    Accepted(Arc<Reply>),
    /// A 4yz or 5yz decided.
    Refused {
        /// What it answered.
        stage: Stage,
        /// The reply.
        reply: Arc<Reply>,
    },
    /// Before the commit point, a reply that cannot stand where it stood: 1yz, 6yz, a 2yz or 3yz nobody asked for.
    Unexpected {
        /// What was awaited.
        stage: Stage,
        /// The reply.
        reply: Arc<Reply>,
    },
    /// Decided here: the host cannot take this message.
    Unfit(Unfit),
    /// The conversation ended before the commit point, and no reply decides.
    Lost {
        /// What was awaited.
        stage: Stage,
        /// How it ended.
        why: Loss,
    },
    /// Behind the commit point, and no final reply that can be believed (RFC 1047).
    Uncertain(Loss),
}

/// Why a host cannot take a message, found before asking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// An address is not ASCII and SMTPUTF8 is not offered.
    NeedsSmtpUtf8,
    /// Larger than the host's SIZE.
    TooLarge {
        /// The message, in octets.
        size: u64,
        /// What the host announced, in octets.
        limit: u64,
    },
}

/// How a conversation ended without a reply that decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The driver gave up: the caller cancelled, the total deadline passed, the content could not be read.
    Aborted(Abort),
    /// The peer closed.
    Closed,
    /// A reply that is one, but cannot be believed there.
    Nonsense(Arc<Reply>),
    /// What came is not SMTP, or breaks a limit.
    NotSmtp,
    /// The system reported an error.
    Reset(io::ErrorKind),
    /// No answer in time.
    TimedOut,
}

/// Why the driver gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Abort {
    /// The caller cancelled.
    Cancelled,
    /// The content could not be read.
    ContentUnreadable,
    /// The caller's total deadline, or the one to the first octet of content.
    Deadline,
}

/// What the driver learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A command, or the content with its end mark, was given to the system whole.
    Sent {
        /// Which.
        stage: Stage,
        /// The transaction it belongs to, if any.
        tx: Option<TransactionId>,
    },
    /// A reply was read whole.
    Received {
        /// What it answers.
        stage: Stage,
        /// The transaction it belongs to, if any.
        tx: Option<TransactionId>,
        /// The reply.
        reply: Arc<Reply>,
    },
    /// EHLO or HELO was accepted.
    Ready(Capabilities),
    /// Call [`Connection::handle_content`] once.
    NeedContent(TransactionId),
    /// One recipient's outcome; exactly one for each before `Finished`.
    Recipient {
        /// The transaction.
        tx: TransactionId,
        /// Its index in the envelope.
        index: usize,
        /// What became of it.
        outcome: Outcome,
    },
    /// Every recipient of the transaction has its outcome.
    Finished(TransactionId),
    /// Nothing more will happen: close the transport.
    Closed,
}
