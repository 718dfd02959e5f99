//! Recipients in groups that are served by the same hosts, and one report of them all.
//!
//! ```text
//! recipients ──by domain──> hosts of each, found at the same time ──the same hosts, the same demands──> groups
//!     groups, some at the same time ──> Served ──> one Report, the recipients in their order
//! ```
//!
//! With a relay there is one group. A group is independent of the others: it has limits, attempts and a clock of its own,
//! and nothing that happens to one changes the verdict of another.

use super::attempts::{Delivery, Served, Way};
use super::progress::{GroupMeter, Meter};
use super::protection::{self, Directions};
use super::report::{Asked, RecipientReport, Report, Stage, worst};
use super::verdict::Cause;
use super::{Environment, rejected};
use crate::address::MailboxDomain;
use crate::message::Message;
use crate::net::Limits;
use crate::text::one_line;
use futures_util::stream::{self, FuturesUnordered, StreamExt};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Groups that are delivered to at the same time. More connections than this gain little, and a receiver with many names
/// takes them for an attack.
const MAX_GROUPS: usize = 8;
/// Domains whose hosts are looked for at the same time.
const MAX_LOOK_UPS: usize = 16;
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
    let serve = async |group: Group<'_>| {
        // Time that a group waits for others is not its own.
        let limits = Limits {
            content_start: Instant::now() + group.time_left,
            ..limits.clone()
        };
        let delivery = Delivery::new(message, &group.recipients, environment, limits, group.meter);
        let served = delivery.run(group.way).await;
        group.meter.end();
        served
    };

    let domains = by_domain(message, environment);
    let mut gathering = domains.len() > 1;
    let gathered_at = Instant::now() + GATHERING;
    let look_up = |recipients| find_way(message, recipients, environment, limits, patience);
    let mut look_ups = stream::iter(domains).map(look_up).buffer_unordered(MAX_LOOK_UPS);
    let mut all_found = false;
    let mut waiting: VecDeque<Group<'_>> = VecDeque::new();
    let mut under_way = FuturesUnordered::new();
    let mut merged = Merged::default();
    loop {
        while !gathering && under_way.len() < MAX_GROUPS {
            let Some(group) = waiting.pop_front() else { break };
            under_way.push(serve(group));
        }
        tokio::select! {
            biased;
            Some(served) = under_way.next(), if !under_way.is_empty() => merged.add(served),
            found = look_ups.next(), if !all_found => {
                all_found = found.is_none();
                gathering &= !all_found;
                match found {
                    Some(found) => add(&mut waiting, found, || meter.add_group(message.size())),
                    None => meter.complete(),
                }
            }
            () = sleep_until(gathered_at), if gathering => gathering = false,
            else => break,
        }
    }
    merged.report(message, asked)
}

/// Recipients of one domain.
struct Found {
    /// Their places in the message.
    recipients: Vec<usize>,
    way: Way,
    /// Until the first octet of content must have left.
    time_left: Duration,
}

/// Recipients that are served by the same hosts.
struct Group<'a> {
    recipients: Vec<usize>,
    way: Way,
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
async fn find_way(
    message: &Message,
    recipients: Vec<usize>,
    environment: &Environment,
    limits: &Limits,
    patience: Duration,
) -> Found {
    let limits = Limits {
        content_start: Instant::now() + patience,
        ..limits.clone()
    };
    let first = recipients
        .first()
        .and_then(|&place| message.recipients().get(place));
    let way = match first {
        Some(first) if environment.relay.is_none() => {
            let directions = protection::directions(environment, &limits, first.domain());
            match limits.bound(directions).await {
                Err(why) => Way::None(Cause::GivenUp(Stage::Route, why)),
                Ok(Err(error)) => Way::None(Cause::Route(error)),
                Ok(Ok(mut directions)) => {
                    if message.envelope_parameters().require_tls {
                        directions.require_tls_on_the_whole_way();
                    }
                    Way::Direct(directions)
                }
            }
        }
        _ => Way::Relay,
    };
    Found {
        recipients,
        way,
        time_left: limits.content_start.saturating_duration_since(Instant::now()),
    }
}

/// Adds recipients to those that wait for the same hosts, if there are such.
fn add<'a>(waiting: &mut VecDeque<Group<'a>>, found: Found, meter: impl FnOnce() -> GroupMeter<'a>) {
    let same = |other: &&mut Group<'_>| match (&other.way, &found.way) {
        (Way::Direct(one), Way::Direct(other)) => one.are_the_same_as(other),
        _ => false,
    };
    match waiting.iter_mut().find(same) {
        Some(group) => group.join(found),
        None => waiting.push_back(Group {
            recipients: found.recipients,
            way: found.way,
            time_left: found.time_left,
            meter: meter(),
        }),
    }
}

impl Group<'_> {
    fn join(&mut self, other: Found) {
        self.recipients.extend(other.recipients);
        self.recipients.sort_unstable();
        self.time_left = self.time_left.min(other.time_left);
        if let (Way::Direct(Directions { route, warnings, .. }), Way::Direct(other)) =
            (&mut self.way, other.way)
        {
            route.dropped.extend(other.route.dropped);
            warnings.extend(other.warnings);
        }
    }
}

/// What became of the groups so far.
#[derive(Default)]
struct Merged(Vec<Served>);

impl Merged {
    fn add(&mut self, served: Served) {
        self.0.push(served);
    }

    fn report(self, message: &Message, asked: Arc<Asked>) -> Report {
        let mut recipients: Vec<(usize, RecipientReport)> = Vec::new();
        let mut attempts = Vec::new();
        let mut warnings: Vec<String> = message.warnings().iter().map(ToString::to_string).collect();
        let mut port25 = None;
        for served in self.0 {
            recipients.extend(served.recipients);
            attempts.extend(served.attempts);
            for warning in served.warnings {
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
            port25 = port25.or(served.port25);
        }
        // A name that a DNS gave may hold anything.
        let warnings = warnings.iter().map(|warning| one_line(warning)).collect();
        recipients.sort_by_key(|(place, _)| *place);
        // Stable: those of a group are in order already.
        attempts.sort_by_key(|attempt| attempt.started);
        let recipients: Vec<_> = recipients.into_iter().map(|(_, report)| report).collect();
        let Some(summary) = worst(&recipients).cloned() else {
            return rejected(asked, &Cause::Misuse("a message without a recipient".to_owned()));
        };
        Report {
            asked,
            recipients,
            summary,
            attempts,
            message_id: Some(message.message_id().to_owned()).filter(|id| !id.is_empty()),
            warnings,
            port25,
        }
    }
}
