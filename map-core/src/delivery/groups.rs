//! Recipients in groups that are served by the same hosts, and one report of them all.
//!
//! ```text
//! recipients ──by domain──> hosts of each, found at the same time ──the same hosts, the same demands──> groups
//!     groups, some at the same time ──> Served ──> one Report, the recipients in their order
//! ```
//!
//! With a relay there is one group. A group is independent of the others: it has limits, attempts and a clock of its own,
//! and nothing that happens to one changes the verdict of another.

use super::attempts::{Delivery, GroupResult, Path};
use super::host_security::{self, DomainRoute, RouteKey};
use super::kept::Kept;
use super::outcome::{Attempt, Cause};
use super::progress::{GroupMeter, Meter};
use super::report::{Asked, RecipientReport, Report};
use super::summary::summarize;
use super::warnings::Warnings;
use super::{Environment, rejected};
use crate::address::MailboxDomain;
use crate::message::Message;
use crate::net::{GivenUp, Limits, PlacesOfSend, Port25Evidence};
use futures_util::future::try_join;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

/// Groups that are delivered to at the same time. More connections than this gain little, and a receiver with many names
/// takes them for an attack.
const MAX_GROUPS: usize = 8;
/// Domains whose hosts are looked for at the same time.
const MAX_LOOK_UPS: usize = 16;
/// Groups that wait for their turn while others are looked for. Each holds what a stranger's DNS says of its hosts: up to
/// 64 names, and a policy of 64 KiB.
const MAX_WAITING: usize = 64;
/// How long the domains whose hosts are found wait for the others, which may have the same.
const GATHERING: Duration = Duration::from_secs(5);

/// Delivers `message` to its recipients.
pub(crate) async fn deliver(
    message: &Message,
    asked: Arc<Asked>,
    environment: &Environment,
    limits: &Limits,
    meter: &Meter,
) -> Report {
    let patience = limits.content_start.saturating_duration_since(Instant::now());
    let kept = Kept::default();
    let places = environment.places.of_a_send();
    let serve = async |mut group: Group<'_>| {
        // In the order in which the message names them.
        group.recipients.sort_unstable();
        // Time that a group waits for others is not its own.
        let limits = Limits {
            content_start: Instant::now() + group.time_left,
            ..limits.clone()
        };
        let delivery = Delivery::new(
            message,
            &group.recipients,
            environment,
            limits,
            group.meter,
            &kept,
            &places,
        );
        let served = delivery.run(group.path).await;
        group.meter.end();
        served
    };

    let mut domains = by_domain(message, environment).into_iter();
    let mut gathering = domains.len() > 1;
    let gathered_at = Instant::now() + GATHERING;
    let mut look_ups = FuturesUnordered::new();
    let mut all_found = false;
    let mut waiting = Waiting::default();
    let mut under_way = FuturesUnordered::new();
    let mut merged = Merged::new(message);
    loop {
        while look_ups.len() < MAX_LOOK_UPS && waiting.len() + look_ups.len() < MAX_WAITING {
            let Some(recipients) = domains.next() else { break };
            let limits = Limits {
                content_start: Instant::now() + patience,
                ..limits.clone()
            };
            look_ups.push(find_path(message, recipients, environment, limits, &places));
        }
        gathering &= !look_ups.is_empty();
        if look_ups.is_empty() && domains.len() == 0 && !all_found {
            all_found = true;
            meter.complete();
        }
        while !gathering && under_way.len() < MAX_GROUPS {
            let Some(group) = waiting.pop() else { break };
            under_way.push(serve(group));
        }
        tokio::select! {
            biased;
            Some(served) = under_way.next(), if !under_way.is_empty() => merged.add(served, &kept),
            Some(found) = look_ups.next(), if !look_ups.is_empty() => {
                waiting.add(found, || meter.add_group(message.size()));
            }
            () = sleep_until(gathered_at), if gathering => gathering = false,
            else => break,
        }
        // Many may be ready at once, and other deliveries want their turn.
        yield_now().await;
    }
    merged.report(message, asked, &kept)
}

/// Recipients of one domain.
struct DomainLookup {
    /// Their places in the message.
    recipients: Vec<usize>,
    path: Path,
    /// Until the first octet of content must have left.
    time_left: Duration,
}

/// Recipients that are served by the same hosts.
struct Group<'a> {
    recipients: Vec<usize>,
    path: Path,
    key: Option<RouteKey>,
    time_left: Duration,
    meter: GroupMeter<'a>,
}

/// The places of the recipients of each domain, or of all where there is a relay.
fn by_domain(message: &Message, environment: &Environment) -> Vec<Vec<usize>> {
    let recipients = message.recipients();
    if environment.relay.is_some() {
        return vec![(0..recipients.len()).collect()];
    }
    let mut domains: Vec<Vec<usize>> = Vec::new();
    let mut known: HashMap<&MailboxDomain, usize> = HashMap::new();
    for (place, recipient) in recipients.iter().enumerate() {
        let domain = *known.entry(recipient.domain()).or_insert(domains.len());
        match domains.get_mut(domain) {
            Some(places) => places.push(place),
            None => domains.push(vec![place]),
        }
    }
    domains
}

/// Finds the way to recipients of one domain.
async fn find_path(
    message: &Message,
    recipients: Vec<usize>,
    environment: &Environment,
    mut limits: Limits,
    places: &PlacesOfSend,
) -> DomainLookup {
    let first = recipients
        .first()
        .and_then(|&place| message.recipients().get(place));
    let path = match first {
        Some(first) if environment.relay.is_none() => {
            match find_domain_route(environment, &mut limits, places, first.domain()).await {
                Err(cause) => Path::Unroutable(cause),
                Ok(mut domain_route) => {
                    if message.envelope_parameters().require_tls {
                        domain_route.require_tls_on_the_whole_way();
                    }
                    Path::Mx(domain_route)
                }
            }
        }
        _ => Path::Relay,
    };
    DomainLookup {
        recipients,
        path,
        time_left: limits.content_start.saturating_duration_since(Instant::now()),
    }
}

/// Finds the hosts of a domain, and beside that its policy: a look-up that has a place of its own, and must not wait for
/// that with the place of another.
async fn find_domain_route(
    environment: &Environment,
    limits: &mut Limits,
    places: &PlacesOfSend,
    domain: &MailboxDomain,
) -> Result<DomainRoute, Cause> {
    let of_policy = limits.clone();
    let find_hosts = async {
        let find = |_| host_security::find_hosts(environment, domain);
        let found = places.look_up(limits, find).await.map_err(Cause::from)?;
        found.map_err(Cause::Route)
    };
    let find_policy = async {
        let finding = host_security::sts_finding(environment, of_policy.left(), domain);
        let finding = of_policy.bound(finding).await;
        finding.map_err(|why| Cause::from(GivenUp::Reached(why)))
    };
    // A domain without hosts needs no policy for them.
    let (found, finding) = try_join(find_hosts, find_policy).await?;
    Ok(host_security::domain_route(
        environment,
        domain,
        found,
        finding.as_ref(),
    ))
}

/// Groups that wait for their turn, by what a domain must have in common with one to join it.
#[derive(Default)]
struct Waiting<'a> {
    groups: VecDeque<Group<'a>>,
    /// The place of each that may be joined, counted from the first that ever waited.
    places: HashMap<RouteKey, usize>,
    /// Those that have left.
    left: usize,
}

impl<'a> Waiting<'a> {
    fn len(&self) -> usize {
        self.groups.len()
    }

    fn pop(&mut self) -> Option<Group<'a>> {
        let group = self.groups.pop_front()?;
        self.left += 1;
        if let Some(key) = &group.key {
            self.places.remove(key);
        }
        Some(group)
    }

    /// Adds recipients to those that wait for the same hosts, if there are such.
    fn add(&mut self, found: DomainLookup, meter: impl FnOnce() -> GroupMeter<'a>) {
        let key = match &found.path {
            Path::Mx(domain_route) => domain_route.key(),
            Path::Unroutable(_) | Path::Relay => None,
        };
        let place = key.as_ref().and_then(|key| self.places.get(key));
        let group = place.and_then(|place| self.groups.get_mut(place.checked_sub(self.left)?));
        if let Some(group) = group {
            return group.join(found);
        }
        if let Some(key) = &key {
            self.places.insert(key.clone(), self.left + self.groups.len());
        }
        self.groups.push_back(Group {
            recipients: found.recipients,
            path: found.path,
            key,
            time_left: found.time_left,
            meter: meter(),
        });
    }
}

impl Group<'_> {
    fn join(&mut self, other: DomainLookup) {
        self.recipients.extend(other.recipients);
        self.time_left = self.time_left.min(other.time_left);
        if let (Path::Mx(DomainRoute { warnings, .. }), Path::Mx(other)) = (&mut self.path, other.path) {
            warnings.merge(&other.warnings);
        }
    }
}

/// What became of the groups so far.
struct Merged {
    recipients: Vec<(usize, RecipientReport)>,
    attempts: Vec<Attempt>,
    warnings: Warnings,
    port25: Option<Arc<Port25Evidence>>,
}

impl Merged {
    fn new(message: &Message) -> Self {
        let mut warnings = Warnings::default();
        for warning in message.warnings() {
            warnings.add(&warning.to_string());
        }
        Self {
            recipients: Vec::new(),
            attempts: Vec::new(),
            warnings,
            port25: None,
        }
    }

    fn add(&mut self, served: GroupResult, kept: &Kept) {
        self.recipients.extend(served.recipients);
        self.attempts.extend(kept.attempts(served.attempts));
        self.warnings.merge(&served.warnings);
        if self.port25.is_none() {
            self.port25 = served.port25;
        }
    }

    fn report(self, message: &Message, asked: Arc<Asked>, kept: &Kept) -> Report {
        let Self {
            mut recipients,
            mut attempts,
            warnings,
            port25,
        } = self;
        recipients.sort_by_key(|(place, _)| *place);
        // Stable: those of a group are in order already.
        attempts.sort_by_key(|attempt| attempt.started);
        let mut recipients: Vec<_> = recipients.into_iter().map(|(_, report)| report).collect();
        let Some(summary) = summarize(&mut recipients) else {
            return rejected(asked, &Cause::Misuse("a message without a recipient".to_owned()));
        };
        Report {
            asked,
            recipients,
            summary,
            attempts,
            message_id: Some(message.message_id().to_owned()).filter(|id| !id.is_empty()),
            warnings: warnings.into_vec().into_iter().chain(kept.remarks()).collect(),
            port25,
        }
    }
}
