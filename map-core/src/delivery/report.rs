//! What a delivery tells its caller.

use crate::protocol::MapReply;
use crate::smtp::{EnhancedStatusCode, ReplyCode};
use std::net::IpAddr;
use std::time::Duration;

/// Whether the message is with the recipient's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivered {
    /// It is not.
    No,
    /// Only the server knows.
    Unknown,
    /// It is.
    Yes,
}

impl Delivered {
    /// `no`, `unknown`, `yes`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Unknown => "unknown",
            Self::Yes => "yes",
        }
    }
}

/// How far a delivery came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stage {
    /// The client's checks.
    Check,
    /// The DNS.
    Route,
    /// TCP.
    Connect,
    /// The server's greeting.
    Greeting,
    /// EHLO or HELO.
    Hello,
    /// MAIL
    Mail,
    /// RCPT
    Rcpt,
    /// DATA
    Data,
    /// The content and its final reply.
    Content,
}

impl Stage {
    /// A word for it: `check`, `route`, `connect`, `greeting`, `hello`, `mail`, `rcpt`, `data`, `content`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Route => "route",
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Hello => "hello",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Content => "content",
        }
    }
}

/// What became of the message for one recipient.
#[derive(Clone, Debug)]
pub struct RecipientReport {}

impl RecipientReport {
    /// The recipient as the caller gave it, trimmed.
    pub fn recipient(&self) -> &str {
        todo!()
    }
    /// The MAP reply.
    pub fn reply(&self) -> &MapReply {
        todo!()
    }
    /// Whether the message is with the recipient's server.
    pub fn delivered(&self) -> Delivered {
        todo!()
    }
    /// Worth sending again later, unchanged.
    pub fn transient(&self) -> bool {
        todo!()
    }
    /// A hint how long to wait before that.
    pub fn retry_after(&self) -> Option<Duration> {
        todo!()
    }
    /// The SMTP reply code that decided, if one did.
    pub fn code(&self) -> Option<ReplyCode> {
        todo!()
    }
    /// The enhanced status code: the server's, or ours for a local failure.
    pub fn enhanced(&self) -> Option<EnhancedStatusCode> {
        todo!()
    }
    /// The server's text, unaltered octets, lines joined by LF; untrusted.
    pub fn server_text(&self) -> Option<&[u8]> {
        todo!()
    }
    /// How far it came.
    pub fn stage(&self) -> Stage {
        todo!()
    }
    /// The mail host that decided.
    pub fn host(&self) -> Option<&str> {
        todo!()
    }
    /// Its address.
    pub fn address(&self) -> Option<IpAddr> {
        todo!()
    }
    /// The sentence for a person: what happened and what to do next.
    pub fn advice(&self) -> &str {
        todo!()
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// The host took the message.
    Accepted,
    /// The host, or the network, did not: the next was tried or the verdict fell.
    Failed,
    /// Nobody knows.
    Uncertain,
}

/// One try at one address.
#[derive(Clone, Debug)]
pub struct Attempt {}

impl Attempt {
    /// The mail host.
    pub fn host(&self) -> &str {
        todo!()
    }
    /// Its address; none when no address was found.
    pub fn address(&self) -> Option<IpAddr> {
        todo!()
    }
    /// How far it came.
    pub fn stage(&self) -> Stage {
        todo!()
    }
    /// How it ended.
    pub fn outcome(&self) -> AttemptOutcome {
        todo!()
    }
    /// The same for a person: a phrase.
    pub fn detail(&self) -> &str {
        todo!()
    }
    /// The reply code that ended it.
    pub fn code(&self) -> Option<ReplyCode> {
        todo!()
    }
    /// How long it took.
    pub fn duration(&self) -> Duration {
        todo!()
    }
}

/// What became of a message: a summary and, per recipient, the same.
#[derive(Clone, Debug)]
pub struct Report {}

impl Report {
    /// The worst of the recipients: uncertain, then failures, then success.
    pub fn summary(&self) -> &RecipientReport {
        todo!()
    }
    /// Each recipient in the order given; at least one.
    pub fn recipients(&self) -> &[RecipientReport] {
        todo!()
    }
    /// The summary's reply.
    pub fn reply(&self) -> &MapReply {
        self.summary().reply()
    }
    /// Every attempt in order.
    pub fn attempts(&self) -> &[Attempt] {
        todo!()
    }
    /// `Message-ID` without its angle brackets, once the fields were in order.
    pub fn message_id(&self) -> Option<&str> {
        todo!()
    }
    /// What is odd but did not decide: a private EHLO address, dropped MX records.
    pub fn warnings(&self) -> &[String] {
        todo!()
    }
    /// The MAP dialogue as appendix A prints it, `C:`, `S:`, `SS:`, rendered now.
    pub fn transcript(&self) -> String {
        todo!()
    }
}
