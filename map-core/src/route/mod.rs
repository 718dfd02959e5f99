//! From a domain to mail hosts and their addresses, in order.

use crate::address::Domain;
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
    /// What was proved.
    pub proof: Proof,
    /// How long it may be kept.
    pub ttl: Duration,
}

/// A look-up without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// A signature that does not verify.
    #[error("the DNS answer has a bad signature")]
    Bogus,
    /// A CNAME loop, or a chain longer than 8.
    #[error("the name is an alias that leads nowhere")]
    AliasLoop,
    /// The server said so: SERVFAIL, REFUSED or another code.
    #[error("the DNS server answered {0}")]
    Failed(String),
    /// Nobody answered.
    #[error("no DNS server answered")]
    NoAnswer,
    /// The name exists, without records of this type.
    #[error("there is no such record")]
    NoData,
    /// The name does not exist.
    #[error("the name does not exist")]
    NxDomain,
}

/// The future of a look-up.
pub type Lookup<'a> = Pin<Box<dyn Future<Output = Result<Answer, LookupError>> + Send + 'a>>;

/// The DNS, as the rules of this module see it.
pub trait Resolver: Send + Sync + std::fmt::Debug {
    /// Asks for the records of a fully qualified name in A-labels, without a final dot; CNAMEs are followed.
    fn query<'a>(&'a self, name: &'a str, record_type: RecordType) -> Lookup<'a>;
}

/// A mail host of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MxHost {
    /// Where to find its addresses.
    pub target: Target,
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
    Name(Domain),
}

/// The hosts to try, in order; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// In the order in which to try them: sorted by preference, equal ones shuffled.
    pub hosts: Vec<MxHost>,
    /// MX records that were left out, and why, for the report.
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
    /// Neither MX nor address.
    #[error("it has neither a mail exchanger nor an address")]
    NoMailHost,
    /// `require_mx`, and there is none.
    #[error("it has no MX record")]
    NoMx,
    /// RFC 7505.
    #[error("it declares that it accepts no mail")]
    NullMx,
}

/// Which addresses are allowed and what counts as a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Loopback and the like may be connected to (tests, the sandbox).
    pub allow_loopback: bool,
    /// Private ranges are refused too.
    pub public_only: bool,
    /// No implicit MX: the letter of MAP 3.5.
    pub require_mx: bool,
}
