//! The road to a domain, as a test wants to read it.

use map_core::route::{Policy, Resolver, RouteError, addresses, find};

/// Each host of the domain as `preference name [addresses]`, in order, without those that have no address; or why
/// there is none at all.
///
/// # Errors
/// As [`find`], and the joined errors of all hosts.
///
/// # Panics
/// When `domain` is no domain and no address literal.
pub async fn route_summary(
    resolver: &dyn Resolver,
    domain: &str,
    policy: Policy,
) -> Result<Vec<String>, RouteError> {
    let domain = domain.parse().expect("a domain or an address literal");
    let route = find(resolver, &domain, &policy).await?;
    let mut hosts = Vec::new();
    let mut errors = Vec::new();
    for host in &route.hosts {
        match addresses(resolver, host, &policy).await.found {
            Ok(addresses) => hosts.push(format!("{} {} {addresses:?}", host.preference, host.target)),
            Err(why) => errors.push(why),
        }
    }
    match RouteError::most_relevant(&errors) {
        Some(why) if hosts.is_empty() => Err(why),
        _ => Ok(hosts),
    }
}
