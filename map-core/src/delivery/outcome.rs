//! What a delivery can come to: the words that verdict, advice, report and transcript have in common.

use crate::local::LocalError;
use crate::message::Unmet;
use crate::net::tls::TlsFacts;
use crate::net::{Port25Evidence, ProxyError};
use crate::protocol::CheckFailure;
use crate::route::{LookupError, RouteError};
use crate::smtp::{Abort, ExchangeStage, Outcome, Reply, ReplyCode};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Sessions with one host for one message. A host that takes one recipient at a time is served so far, and one that wants
/// thousands of sessions for a message, with a refusal for everybody in each, gets no more.
pub(super) const MAX_SESSIONS: usize = 100;

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
    /// STARTTLS and the TLS handshake.
    Tls,
    /// AUTH
    Auth,
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
    /// A word for it: `check`, `route`, `connect`, `greeting`, `hello`, `tls`, `auth`, `mail`, `rcpt`, `data`, `content`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Route => "route",
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Hello => "hello",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Content => "content",
        }
    }
}

/// Whether the message is with the recipient's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivered {
    /// It is not.
    No,
    /// Only of a summary: some recipients have it and the others do not, for certain (`RE_PARTIAL`). With a relay it says
    /// so of what the relay accepted.
    Some,
    /// Only the server knows.
    Unknown,
    /// It is.
    Yes,
}

impl Delivered {
    /// `no`, `some`, `unknown`, `yes`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Some => "some",
            Self::Unknown => "unknown",
            Self::Yes => "yes",
        }
    }
}

/// Why a delivery to one recipient ended, or one attempt at it.
#[derive(Clone, Debug)]
pub(crate) enum Cause {
    /// The client's checks.
    Check(CheckFailure),
    /// No connection to one address.
    Connect(ConnectFailure),
    /// What the exchange with one host came to.
    Exchange(Outcome),
    /// The caller, or a limit on the whole delivery, ended it before or between conversations.
    GivenUp(Stage, Abort),
    /// A fault inside the library. A host may have the message if its content had begun to leave.
    Internal {
        /// The content had been opened for a host.
        content_begun: bool,
    },
    /// A host was given as many sessions as one message has for it, and left the recipient over in each; with the reply
    /// that did so last, if it was one.
    LeftOver(Option<Arc<Reply>>),
    /// This machine, or the data of the caller, did not suffice: at which stage, and what.
    Local(Stage, LocalError),
    /// The interface was used wrongly; how.
    Misuse(String),
    /// A certificate had to be verified, and this machine trusts no authority; why.
    NoRoots(Arc<str>),
    /// A relay accepted it, which passes it on.
    Relayed(Arc<Reply>),
    /// The relay has no address.
    RelayNotFound(RouteError),
    /// A host that must not be used now.
    HostExcluded(HostExcluded),
    /// The host wants TLS, which it offers and which did not come about.
    TlsDemanded(Arc<Reply>),
    /// No host, or no address of a host, to try.
    Route(RouteError),
    /// The message needs more than a host offers, and there is no other form of it.
    Unmet(Unmet),
    /// The message could not be signed as the settings want; why.
    Unsigned(Arc<str>),
    /// No connection to any address, the last word about one of them, and what is known about port 25.
    Unreachable(ConnectFailure, Arc<Port25Evidence>),
}

impl From<CheckFailure> for Cause {
    fn from(failure: CheckFailure) -> Self {
        Self::Check(failure)
    }
}

/// Why one address could not be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectFailure {
    /// The peer, or somebody on the way, said no.
    Failed(io::ErrorKind),
    /// This machine has no way to that address.
    NoRoute(io::ErrorKind),
    /// The source address that was set is not one of this machine's.
    NotOurs(IpAddr),
    /// The proxy, for a reason of its own.
    Proxy(ProxyError),
    /// This machine refused.
    RefusedHere(io::ErrorKind),
    /// No answer in time.
    TimedOut,
}

/// Why a host must not be used now, found before it was connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostExcluded {
    /// What DANE demands of it cannot be found out.
    Dane(LookupError),
    /// The MTA-STS policy of the recipient's domain does not name it.
    NotInPolicy,
    /// The message demands REQUIRETLS, and nothing proves that it is a host of the recipient's domain.
    NotProved,
}

impl HostExcluded {
    pub(super) fn policy(&self) -> TlsPolicy {
        match self {
            Self::Dane(_) => TlsPolicy::Dane,
            Self::NotInPolicy => TlsPolicy::MtaSts,
            Self::NotProved => TlsPolicy::Required,
        }
    }
}

/// What demanded a protected session with a mail host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsPolicy {
    /// The TLSA records of the host (RFC 7672).
    Dane,
    /// The MTA-STS policy of the recipient's domain (RFC 8461).
    MtaSts,
    /// The settings of the relay.
    Relay,
    /// [`Config::set_require_tls`](crate::Config::set_require_tls), or the
    /// [message](crate::message::Message::require_tls).
    Required,
}

impl TlsPolicy {
    /// `dane`, `mta-sts`, `relay`, `required`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dane => "dane",
            Self::MtaSts => "mta-sts",
            Self::Relay => "relay",
            Self::Required => "required",
        }
    }
}

/// One try at one address of one mail host.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub(super) host: Arc<str>,
    pub(super) address: Option<IpAddr>,
    pub(super) stage: Stage,
    pub(super) outcome: AttemptOutcome,
    pub(super) detail: String,
    pub(super) code: Option<ReplyCode>,
    pub(super) started: Instant,
    pub(super) duration: Duration,
    pub(super) tls: Option<TlsFacts>,
    pub(super) policy: Option<TlsPolicy>,
    pub(super) dialogue: Vec<Line>,
}

#[cfg(test)]
impl Attempt {
    /// One at a host, of which nothing else is known.
    pub(super) fn at(host: &str) -> Self {
        Self {
            host: host.into(),
            address: None,
            stage: Stage::Content,
            outcome: AttemptOutcome::Partial,
            detail: String::new(),
            code: None,
            started: Instant::now(),
            duration: Duration::ZERO,
            tls: None,
            policy: None,
            dialogue: Vec::new(),
        }
    }
}

impl Attempt {
    /// The mail host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its address; `None` when no address of the host was found or asked for: where a policy left the host out, and where
    /// a proxy looks names up.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// How far it came.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// How it ended.
    pub fn outcome(&self) -> AttemptOutcome {
        self.outcome
    }

    /// The same for a person: a phrase.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The reply code that ended it; where several did, that of a recipient who was not served.
    pub fn code(&self) -> Option<ReplyCode> {
        self.code
    }

    /// How long it took.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// The TLS session with the host; `None` for one in the clear.
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.tls.as_ref()
    }

    /// What demanded TLS of it; `None` where nothing did.
    pub fn policy(&self) -> Option<TlsPolicy> {
        self.policy
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// The host took the message for every recipient it was asked for.
    Accepted,
    /// It did not: the next was tried, or the verdict fell.
    Failed,
    /// It took the message for some of the recipients it was asked for, and not for the others.
    Partial,
    /// Nobody knows, of one recipient at least.
    Uncertain,
}

impl AttemptOutcome {
    /// `accepted`, `failed`, `partial`, `uncertain`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Failed => "failed",
            Self::Partial => "partial",
            Self::Uncertain => "uncertain",
        }
    }
}

/// One line of a dialogue, as it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A command, or a content with its end mark, left whole.
    Sent(ExchangeStage),
    /// A reply came whole.
    Received(ExchangeStage, Arc<Reply>),
    /// There was to be a TLS session, and there is none; why, for a person.
    NoTls(String),
}
