//! When to ask whether outgoing port 25 is blocked.

use super::Environment;
use super::outcome::ConnectFailure;
use crate::net::{FailedAddress, Limits, NotAsked, Port25Evidence, WayOut};
use crate::smtp::Abort;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

/// The only port that providers block for the sake of others.
const SMTP_PORT: u16 = 25;

/// Asks why none of these addresses could be connected to; `None` where the question makes no sense: off the direct
/// road to port 25, or in a world of loopback.
///
/// # Errors
/// The caller cancelled meanwhile.
pub(super) async fn ask(
    failures: &[(IpAddr, ConnectFailure)],
    environment: &Environment,
    limits: &Limits,
) -> Result<Option<Arc<Port25Evidence>>, Abort> {
    let not_asked = |why| Ok(Some(Arc::new(Port25Evidence::not_asked(why))));
    let direct = environment.smtp_port == SMTP_PORT && environment.connector.is_direct();
    let failed = worth_asking(failures);
    if !direct || environment.policy.allow_loopback || failed.is_empty() {
        return Ok(None);
    }
    let Some(port25) = &environment.port25 else {
        return not_asked(NotAsked::SwitchedOff);
    };
    if let Some(evidence) = port25.recall(&failed) {
        return Ok(Some(Arc::new(evidence)));
    }
    let way = WayOut {
        resolver: Arc::clone(&environment.resolver),
        connector: Arc::clone(&environment.connector),
        policy: environment.policy,
    };
    let asking = port25.ask(&failed, &way, &environment.places.port25);
    match limits.bound(asking).await {
        Ok(evidence) => Ok(Some(Arc::new(evidence))),
        Err(Abort::Cancelled) => Err(Abort::Cancelled),
        // A port that swallows everything takes the probe hosts' whole time to show.
        Err(_) => not_asked(NotAsked::NoTime),
    }
}

/// Not the family that this machine does not have, unless there is no other; and nothing where it is a setting that
/// keeps the mail from leaving.
fn worth_asking(failures: &[(IpAddr, ConnectFailure)]) -> Vec<FailedAddress> {
    let is_setting = |failure: &ConnectFailure| matches!(failure, ConnectFailure::NotOurs(_));
    if failures.iter().any(|(_, failure)| is_setting(failure)) {
        return Vec::new();
    }
    let is_no_route = |failure: &ConnectFailure| matches!(failure, ConnectFailure::NoRoute(_));
    let all_without_route = failures.iter().all(|(_, failure)| is_no_route(failure));
    failures
        .iter()
        .filter(|(_, failure)| all_without_route || !is_no_route(failure))
        .map(|(address, failure)| FailedAddress {
            address: *address,
            forbidden_here: *failure == ConnectFailure::RefusedHere(io::ErrorKind::PermissionDenied),
        })
        .collect()
}
