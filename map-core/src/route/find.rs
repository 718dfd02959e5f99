//! The rules of a route: what the records of a domain and of a host mean for mail.

use super::{
    Answer, Dropped, HostAddresses, HostName, LookupError, MxHost, Policy, Proof, Record, RecordType,
    Resolver, Route, RouteError, Target,
};
use crate::address::{AddressLiteral, Domain, MailboxDomain};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use std::net::IpAddr;

/// How many mail hosts of a domain are looked at. Real domains have a handful; a hostile zone may have thousands, and
/// each would cost look-ups and time.
pub const MAX_HOSTS: usize = 64;

/// How many addresses of one host are looked at, for the same reason.
pub const MAX_ADDRESSES: usize = 32;

/// Finds the mail hosts of a domain, in the order in which to try them. Nothing is proved of them.
///
/// Equal preferences are shuffled by the operating system's randomness: "the sender-SMTP MUST randomize them to spread
/// the load across multiple mail exchangers for a specific organization" ([RFC 5321 section 5.1]).
///
/// [RFC 5321 section 5.1]: https://www.rfc-editor.org/rfc/rfc5321#section-5.1
///
/// # Errors
/// Why the domain has no host to try: permanent if the DNS said so, transient if it could not be asked
/// ([`RouteError::is_transient`]).
pub async fn find(
    resolver: &dyn Resolver,
    domain: &MailboxDomain,
    policy: &Policy,
) -> Result<Route, RouteError> {
    find_with(resolver, domain, policy, &mut rand::make_rng::<StdRng>()).await
}

/// As [`find`], and the MX set is validated by DNSSEC: [`MxHost::proof`] says what was proved.
///
/// # Errors
/// As [`find`]; an MX set that should be signed and is not is [`LookupError::Bogus`].
pub async fn find_validated(
    resolver: &dyn Resolver,
    domain: &MailboxDomain,
    policy: &Policy,
) -> Result<Route, RouteError> {
    let domain = match domain {
        MailboxDomain::Literal(literal) => return Ok(literal_route(*literal)),
        MailboxDomain::Domain(domain) => domain,
    };
    let answer = resolver.query_validated(domain.as_ascii(), RecordType::Mx).await;
    route_of(domain, answer, *policy, &mut rand::make_rng::<StdRng>())
}

/// As [`find`], shuffled by the given generator.
///
/// # Errors
/// As [`find`].
pub async fn find_with(
    resolver: &dyn Resolver,
    domain: &MailboxDomain,
    policy: &Policy,
    rng: &mut (impl Rng + Send),
) -> Result<Route, RouteError> {
    let domain = match domain {
        MailboxDomain::Literal(literal) => return Ok(literal_route(*literal)),
        MailboxDomain::Domain(domain) => domain,
    };
    let answer = resolver.query(domain.as_ascii(), RecordType::Mx).await;
    route_of(domain, answer, *policy, rng)
}

fn route_of(
    domain: &Domain,
    answer: Result<Answer, LookupError>,
    policy: Policy,
    rng: &mut impl Rng,
) -> Result<Route, RouteError> {
    match answer {
        Ok(answer) => mx_route(&answer, rng),
        Err(LookupError::NoData) if policy.require_mx => Err(RouteError::NoMx),
        // https://www.rfc-editor.org/rfc/rfc5321#section-5.1
        // > If an empty list of MXs is returned, the address is treated as if it was associated with an implicit MX
        // > RR with a preference of 0, pointing to that host.
        Err(LookupError::NoData) => Ok(implicit_route(domain)),
        // An error is not an empty list: no fall back to the domain's own address, neither here nor below. Its web
        // server may well accept a connection on port 25, and the mail would be lost there.
        Err(error) => Err(error.into()),
    }
}

/// Finds the addresses of a mail host, in the order in which to try them.
///
/// Nothing is proved of them: a forged address leads to a host that cannot show the certificate that [`super::dane`]
/// asks for, and one of a host that has none is [`super::Dane::NoAddress`]. Both families are asked for at once, and are
/// interleaved with IPv4 first: most senders' IPv6 addresses have no reverse name, and large receivers refuse mail for
/// that.
pub async fn addresses(resolver: &dyn Resolver, host: &MxHost, policy: &Policy) -> HostAddresses {
    let name = match &host.target {
        Target::Address(address) => return literal_addresses(*address, *policy),
        Target::Name(name) => name,
    };
    let (v4, v6) = tokio::join!(
        resolver.query(name.as_ascii(), RecordType::A),
        resolver.query(name.as_ascii(), RecordType::Aaaa),
    );
    host_addresses(host.implicit, [("A", v4), ("AAAA", v6)], |address| {
        policy.check(address)
    })
}

/// As [`addresses`], of a host that somebody chose: any address of it may be connected to.
pub(super) async fn chosen_addresses(resolver: &dyn Resolver, name: &HostName) -> HostAddresses {
    let (v4, v6) = tokio::join!(
        resolver.query(name.as_ascii(), RecordType::A),
        resolver.query(name.as_ascii(), RecordType::Aaaa),
    );
    host_addresses(false, [("A", v4), ("AAAA", v6)], |_| Ok(()))
}

fn literal_route(AddressLiteral(address): AddressLiteral) -> Route {
    single_host(Target::Address(address), false)
}

fn implicit_route(domain: &Domain) -> Route {
    single_host(Target::Name(domain.into()), true)
}

fn single_host(target: Target, implicit: bool) -> Route {
    let host = MxHost {
        target,
        implicit,
        preference: 0,
        proof: Proof::Insecure,
    };
    Route {
        hosts: vec![host],
        dropped: Vec::new(),
        canonical_name: None,
    }
}

fn mx_route(answer: &Answer, rng: &mut impl Rng) -> Result<Route, RouteError> {
    let mut records: Vec<(u16, &str)> = answer.records.iter().filter_map(mx).collect();
    // https://www.rfc-editor.org/rfc/rfc7505#section-3
    // > To indicate that a domain does not accept email, it advertises a single MX RR
    if !records.is_empty() && records.iter().all(|(_, exchange)| exchange.is_empty()) {
        return Err(RouteError::NullMx);
    }
    records.shuffle(rng);
    records.sort_by_key(|(preference, _)| *preference);

    let mut route = Route {
        hosts: Vec::new(),
        dropped: Vec::new(),
        canonical_name: HostName::parse(&answer.canonical_name).ok(),
    };
    let total = records.len();
    records.truncate(MAX_HOSTS);
    for (preference, exchange) in records {
        match HostName::parse(exchange) {
            Ok(name)
                if route
                    .hosts
                    .iter()
                    .any(|host| host.target == Target::Name(name.clone())) => {}
            Ok(name) => route.hosts.push(MxHost {
                target: Target::Name(name),
                implicit: false,
                preference,
                proof: answer.proof,
            }),
            Err(why) => route.dropped.push(Dropped {
                what: shown(exchange),
                why,
            }),
        }
    }
    if let Some(more) = more_than(MAX_HOSTS, total) {
        let what = format!("{more} more mail exchangers");
        route.dropped.push(Dropped {
            what,
            why: RouteError::TooMany,
        });
    }
    if route.hosts.is_empty() {
        // https://www.rfc-editor.org/rfc/rfc5321#section-5.1
        // > If MX records are present, but none of them are usable, or the implicit MX is unusable, this situation
        // > MUST be reported as an error.
        return Err(
            RouteError::most_relevant(route.dropped.iter().map(|dropped| &dropped.why)).unwrap_or(
                RouteError::Lookup(LookupError::Failed("without an MX record".to_owned())),
            ),
        );
    }
    Ok(route)
}

fn mx(record: &Record) -> Option<(u16, &str)> {
    match record {
        Record::Mx { preference, exchange } => Some((*preference, exchange)),
        _ => None,
    }
}

/// The root is an empty text in a [`Record`], which a person would not see.
fn shown(exchange: &str) -> String {
    if exchange.is_empty() {
        ".".to_owned()
    } else {
        exchange.to_owned()
    }
}

fn literal_addresses(address: IpAddr, policy: Policy) -> HostAddresses {
    let found = policy.check(address).map(|()| vec![address]);
    HostAddresses {
        found,
        dropped: Vec::new(),
    }
}

fn host_addresses(
    implicit: bool,
    families: [(&str, Result<Answer, LookupError>); 2],
    check: impl Fn(IpAddr) -> Result<(), RouteError>,
) -> HostAddresses {
    let mut dropped = Vec::new();
    let allowed = families.map(|(record_type, result)| match result {
        Ok(answer) => allowed_addresses(&answer, &check, &mut dropped),
        Err(error) => {
            if error.is_transient() {
                let what = format!("any {record_type} record");
                dropped.push(Dropped {
                    what,
                    why: error.into(),
                });
            }
            Vec::new()
        }
    });
    let addresses = interleave(allowed);
    let found = if addresses.is_empty() {
        let none = RouteError::without_address(implicit);
        Err(RouteError::most_relevant(dropped.iter().map(|dropped| &dropped.why)).unwrap_or(none))
    } else {
        Ok(addresses)
    };
    HostAddresses { found, dropped }
}

/// The addresses of one family that may be connected to.
fn allowed_addresses(
    answer: &Answer,
    check: impl Fn(IpAddr) -> Result<(), RouteError>,
    dropped: &mut Vec<Dropped>,
) -> Vec<IpAddr> {
    let mut allowed = Vec::new();
    for address in answer.records.iter().filter_map(address).take(MAX_ADDRESSES) {
        match check(address) {
            Ok(()) if allowed.contains(&address) => {}
            Ok(()) => allowed.push(address),
            Err(why) => dropped.push(Dropped {
                what: address.to_string(),
                why,
            }),
        }
    }
    if let Some(more) = more_than(MAX_ADDRESSES, answer.records.len()) {
        dropped.push(Dropped {
            what: format!("{more} more addresses"),
            why: RouteError::TooMany,
        });
    }
    allowed
}

/// How many there are beyond the limit, if any.
fn more_than(limit: usize, count: usize) -> Option<usize> {
    count.checked_sub(limit).filter(|more| *more > 0)
}

fn address(record: &Record) -> Option<IpAddr> {
    match record {
        Record::Address(address) => Some(*address),
        _ => None,
    }
}

/// The first of the first, the first of the second, the second of the first, …
fn interleave([first, second]: [Vec<IpAddr>; 2]) -> Vec<IpAddr> {
    let mut first = first.into_iter();
    let mut second = second.into_iter();
    let mut all = Vec::new();
    loop {
        let before = all.len();
        all.extend(first.next());
        all.extend(second.next());
        if all.len() == before {
            return all;
        }
    }
}

#[cfg(test)]
mod tests;
