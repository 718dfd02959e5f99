//! From a domain to mail hosts and their addresses, in order.
//!
//! [`find`] asks the DNS for the mail exchangers of a domain and gives a [`Route`]: the hosts to try, in order.
//! [`addresses`] does the same for one of those hosts. Both see the DNS through the trait [`Resolver`], so that the
//! rules are tested without a network; [`HickoryResolver`] is the real one. [`mta_sts`] is what a domain says
//! of the TLS of its hosts.
//!
//! What the DNS says falls into three: it answered and there is something to try; it answered and there is nothing
//! (permanent: NXDOMAIN, null MX, no address); it could not be asked (transient: [`RouteError::is_transient`]). The
//! third is never taken for the second: a name server that is down must not bounce a mail.

mod cache;
mod dane;
mod dnssec;
mod find;
mod hickory;
mod host_name;
mod host_names;
pub mod mta_sts;
mod question;
mod servers;
mod system;
mod target;
mod tlsa;
mod trust;
mod wildcard;

#[cfg(test)]
pub(crate) mod dns_server;
#[cfg(test)]
pub(crate) mod fake;

pub use dane::{Dane, dane};
pub use find::{MAX_ADDRESSES, MAX_HOSTS, addresses, find, find_validated, find_with};
pub use hickory::HickoryResolver;
pub use host_name::HostName;
pub use host_names::HostNames;
pub use tlsa::Tlsa;
pub use trust::{NotValidating, TrustAnchorError, TrustAnchors, Validation};

use crate::local::LocalError;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

/// What the DNS is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordType {
    /// IPv4 address
    A,
    /// IPv6 address
    Aaaa,
    /// Mail exchanger
    Mx,
    /// Which certificate a TLS server must show
    Tlsa,
    /// Text
    Txt,
}

/// One record of the type that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Record {
    /// An address, of either family.
    Address(IpAddr),
    /// A mail exchanger.
    Mx {
        /// Lowest first.
        preference: u16,
        /// The host as in the DNS, without the final dot; empty for the root (a null MX).
        exchange: String,
    },
    /// Which certificate or key a TLS server must show.
    Tlsa(Tlsa),
    /// The strings of one TXT record, joined; any octets.
    Txt(Vec<u8>),
}

/// What DNSSEC proved of an answer (RFC 4033 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Proof {
    /// Validated.
    Secure,
    /// Provably unsigned, or not validated at all.
    Insecure,
}

/// A positive answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The records; at least one.
    pub records: Vec<Record>,
    /// The name behind all CNAMEs.
    pub canonical_name: String,
    /// What was proved of all of it, aliases included.
    pub proof: Proof,
    /// What was proved of the first step: of the alias that the name itself is, or of the records if it is none.
    pub first_proof: Proof,
    /// How long it may be kept.
    pub ttl: Duration,
}

/// A look-up without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// By DNSSEC it should be proved, and it is not: a signature that is missing or does not verify.
    #[error("the DNS answer has a bad signature")]
    Bogus,
    /// A CNAME loop, or a chain longer than 8.
    #[error("the name is an alias that leads nowhere")]
    AliasLoop,
    /// This machine's DNS configuration cannot be read, or names no server; the reason.
    #[error("the system's DNS configuration cannot be used: {0}")]
    Configuration(String),
    /// The server said so: SERVFAIL, REFUSED or another code; or what it sent was no answer to the question.
    #[error("the DNS server answered {0}")]
    Failed(String),
    /// This machine lacks what a question needs: it was not asked.
    #[error("this machine has {0}")]
    Local(LocalError),
    /// Nobody answered.
    #[error("no DNS server answered")]
    NoAnswer,
    /// The name exists, without records of this type.
    #[error("there is no such record")]
    NoData,
    /// The name does not exist.
    #[error("the name does not exist")]
    NxDomain,
    /// The operating system, which was asked for the name of a relay or a proxy, could not look it up; the reason.
    #[error("the system could not look it up: {0}")]
    System(String),
}

/// The future of a look-up.
pub type Lookup<'a> = Pin<Box<dyn Future<Output = Result<Answer, LookupError>> + Send + 'a>>;

/// The future of [`Resolver::validation`].
pub type ValidationLookup<'a> = Pin<Box<dyn Future<Output = Validation> + Send + 'a>>;

/// The DNS, as the rules of this module see it.
pub trait Resolver: Send + Sync + std::fmt::Debug {
    /// Asks for the records of a fully qualified name in A-labels, without a final dot; CNAMEs are followed.
    ///
    /// Nothing is proved: [`Proof::Insecure`].
    fn query<'a>(&'a self, name: &'a str, record_type: RecordType) -> Lookup<'a>;

    /// The same, validated by DNSSEC: an answer that should be signed and is not is [`LookupError::Bogus`]. Where
    /// validation cannot work ([`Self::validation`]) it is as [`Self::query`].
    ///
    /// A resolver that does not validate needs not write this.
    fn query_validated<'a>(&'a self, name: &'a str, record_type: RecordType) -> Lookup<'a> {
        self.query(name, record_type)
    }

    /// Whether [`Self::query_validated`] validates; found out now if that is not known yet.
    fn validation(&self) -> ValidationLookup<'_> {
        Box::pin(std::future::ready(Validation::Off(NotValidating::Unsupported)))
    }
}

impl LookupError {
    /// The server knows who would know, and does not ask.
    fn referral() -> Self {
        Self::Failed("with a referral to other servers".to_owned())
    }

    /// Worth asking again later: the DNS could not be asked, or did not answer the question.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::AliasLoop
            | Self::Bogus
            | Self::Configuration(_)
            | Self::Failed(_)
            | Self::Local(_)
            | Self::NoAnswer
            | Self::System(_) => true,
            Self::NoData | Self::NxDomain => false,
        }
    }
}

/// A mail host of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MxHost {
    /// Where to find its addresses.
    pub target: Target,
    /// The domain itself, because it has no MX record (RFC 5321 section 5.1).
    pub implicit: bool,
    /// The preference of its MX record; 0 for an implicit one.
    pub preference: u16,
    /// What was proved of the MX set.
    pub proof: Proof,
}

/// How a host is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// By an address literal.
    Address(IpAddr),
    /// By name.
    Name(HostName),
}

/// As the report and the transcript name the host.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V4(address)) => write!(f, "[{address}]"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[IPv6:{address}]"),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// The hosts to try, in order; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// In the order in which to try them: sorted by preference, equal ones shuffled.
    pub hosts: Vec<MxHost>,
    /// MX records that were left out, and why, for the report.
    pub dropped: Vec<Dropped>,
    /// The domain behind all aliases, if it has MX records; [`MxHost::proof`] covers the aliases.
    pub canonical_name: Option<HostName>,
}

/// What [`addresses`] found for one host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostAddresses {
    /// The addresses in the order in which to try them, at least one; or why there is none.
    pub found: Result<Vec<IpAddr>, RouteError>,
    /// Addresses of the host that were left out, or a family that could not be asked for, and why, for the report.
    pub dropped: Vec<Dropped>,
}

/// An MX record, or an address, that was not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// What it was, as text.
    pub what: String,
    /// Why.
    pub why: RouteError,
}

/// Why there is no host, or no address, to try. One place (`delivery::verdict`) turns it into a MAP reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// The exchange of an MX record is an IP address.
    #[error("its mail exchanger is an IP address, which is not allowed")]
    AddressAsExchange,
    /// The exchange of an MX record is no host name.
    #[error("its mail exchanger is not a host name")]
    BadExchange,
    /// Loopback, link-local and the like: never a target.
    #[error("its address is not one that mail may be sent to")]
    ForbiddenTarget,
    /// A look-up failed.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The host of an MX record has no address, or does not exist.
    #[error("its mail exchanger has no address")]
    NoAddress,
    /// Neither MX nor address.
    #[error("it has neither a mail exchanger nor an address")]
    NoMailHost,
    /// `require_mx`, and there is none.
    #[error("it has no MX record")]
    NoMx,
    /// RFC 7505.
    #[error("it declares that it accepts no mail")]
    NullMx,
    /// More MX records, or more addresses, than are looked at.
    #[error("there are more of them than are tried")]
    TooMany,
}

impl RouteError {
    /// Of a host without an address, by whether an MX record names it.
    pub(crate) fn without_address(implicit: bool) -> Self {
        if implicit {
            Self::NoMailHost
        } else {
            Self::NoAddress
        }
    }

    /// Worth sending again later, unchanged: a look-up that failed says nothing about the domain.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Lookup(error) => error.is_transient(),
            Self::AddressAsExchange
            | Self::BadExchange
            | Self::ForbiddenTarget
            | Self::NoAddress
            | Self::NoMailHost
            | Self::NoMx
            | Self::NullMx
            | Self::TooMany => false,
        }
    }

    /// The one error of a domain none of whose hosts can be tried: what this machine lacked, since nobody else is to
    /// blame then; else the first transient one, since another try may find that host; else, when an address was there
    /// and was refused, that; else the first.
    ///
    /// `None` for no errors at all.
    ///
    /// ```
    /// use map_core::route::{LookupError, RouteError};
    ///
    /// let errors = [RouteError::NoAddress, RouteError::Lookup(LookupError::NoAnswer)];
    /// assert!(RouteError::most_relevant(&errors).unwrap().is_transient());
    /// assert_eq!(RouteError::most_relevant(&errors[..1]), Some(RouteError::NoAddress));
    /// ```
    pub fn most_relevant<'a>(errors: impl IntoIterator<Item = &'a RouteError>) -> Option<RouteError> {
        let weight = |error: &RouteError| match error {
            Self::Lookup(LookupError::Local(_)) => 0,
            error if error.is_transient() => 1,
            Self::ForbiddenTarget => 2,
            _ => 3,
        };
        // `min_by_key` gives the first of equals: the host that was preferred.
        errors.into_iter().min_by_key(|error| weight(error)).cloned()
    }
}

/// Which addresses are allowed and what counts as a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// This machine may be connected to (tests, the sandbox): loopback addresses, and those of its interfaces.
    pub allow_loopback: bool,
    /// Private ranges, and whatever else is not reached over the Internet, are refused too.
    pub public_only: bool,
    /// No implicit MX: the letter of MAP 3.5.
    pub require_mx: bool,
}
