//! Hosts and addresses in order, until every recipient of a group is settled.

mod conclusion;
mod conversation;
mod host_attempt;

use super::host_security::{DomainRoute, HostSecurity, TlsRequirements};
use super::kept::Kept;
use super::outcome::{Attempt, AttemptOutcome, Cause, ConnectFailure, HostExcluded, Line, Stage};
use super::progress::GroupMeter;
use super::report::{Findings, RecipientReport};
use super::verdict::{deciding, verdict};
use super::warnings::Warnings;
use super::{Environment, Relay, TlsPolicy, advice, port25};
use crate::address::Mailbox;
use crate::message::Message;
use crate::net::tls::TlsFacts;
use crate::net::{Limits, PlacesOfSend, Port25Evidence, is_localhost};
use crate::route::{self, Dropped, LookupError, MxHost, Route, RouteError, Target};
use crate::smtp::{Abort, Outcome};
use crate::text::one_line;
use futures_util::future::try_join;
use host_attempt::Destination;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::Instant;

/// Addresses that answered slowly or not at all, before the rest is left for another day.
const MAX_SLOW_ADDRESSES: usize = 5;
/// Attempts of any kind: what is refused at once costs little, but a stranger's DNS can name thousands of addresses.
const MAX_ATTEMPTS: usize = 20;
/// Beyond the hour that all replies to a group, and what is slow of its contents, may take, each of its recipients may take
/// so long. A host that takes one at a time, and as long as it may over each reply, would be waited for through days.
const MORE_FOR_A_RECIPIENT: Duration = Duration::from_secs(1);
/// Hosts that came past EHLO, whatever they then took.
const MAX_HOSTS_PAST_HELLO: usize = 2;

/// Recipients that are looked at in one go: other deliveries wait for their turn meanwhile.
const RECIPIENTS_OF_A_TURN: usize = 64;

/// A recipient and what was found for it so far.
struct Recipient {
    /// Its place in the message.
    place: usize,
    mailbox: Mailbox,
    causes: Vec<(Cause, Option<usize>)>,
    /// The last of them is that of a session after which another one with the same address follows.
    is_asked_again: bool,
    settled: bool,
    state: TryState,
}

/// Where at the host that is being tried a recipient still wants to be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TryState {
    /// At any of its addresses.
    AnyAddress,
    /// At one address of the other family than this one's.
    OtherFamilyThan(IpAddr),
    /// Nowhere: the next host is its hope.
    Over,
}

impl Recipient {
    fn new(place: usize, mailbox: &Mailbox) -> Self {
        Self {
            place,
            mailbox: mailbox.clone(),
            causes: Vec::new(),
            is_asked_again: false,
            settled: false,
            state: TryState::AnyAddress,
        }
    }
}

impl Recipient {
    /// What a session came to. Of several with one address that left it over, the one that decides among them is kept: a
    /// host may need many for all of its recipients.
    fn take(&mut self, cause: Cause, attempt: usize, is_asked_again: bool) {
        let mut cause = (cause, Some(attempt));
        if is_asked_again
            && self.is_asked_again
            && let Some(prior) = self.causes.pop()
        {
            let both = [prior.0.clone(), cause.0.clone()];
            if deciding(&both, "") == Some(0) {
                cause = prior;
            }
        }
        self.is_asked_again = is_asked_again;
        self.causes.push(cause);
    }

    /// The host gets no other session, which is the last word about this one.
    fn leave_over(&mut self) {
        if let Some((cause, _)) = self.causes.last_mut() {
            *cause = Cause::LeftOver(verdict(cause, "").server);
        }
    }
}

/// The delivery of a message to recipients that are served by the same hosts.
pub(super) struct Delivery<'a> {
    message: &'a Message,
    environment: &'a Environment,
    limits: Limits,
    /// From the start of the group to its first octet of content.
    patience: Duration,
    /// How long replies and slow contents may still be waited for, over all sessions.
    replies_left: Duration,
    meter: GroupMeter<'a>,
    kept: &'a Kept,
    places: &'a PlacesOfSend,
    recipients: Vec<Recipient>,
    attempts: Vec<Attempt>,
    warnings: Warnings,
    /// Attempts that settled nobody.
    futile_attempts: usize,
    slow_addresses: usize,
    hosts_past_hello: usize,
    untried: bool,
    port25: Option<Arc<Port25Evidence>>,
}

/// How a group of recipients is reached.
pub(super) enum Path {
    /// By their own mail hosts.
    Mx(DomainRoute),
    /// Not at all.
    Unroutable(Cause),
    /// By the relay of the settings.
    Relay,
}

/// What became of a group of recipients.
pub(super) struct GroupResult {
    /// Each with its place in the message.
    pub(super) recipients: Vec<(usize, RecipientReport)>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) warnings: Warnings,
    pub(super) port25: Option<Arc<Port25Evidence>>,
}

/// A mail host that is being tried.
#[derive(Debug)]
struct Host {
    name: Arc<str>,
    port: u16,
    security: HostSecurity,
}

/// What is known of a host before it is connected to.
struct Prepared {
    destinations: VecDeque<Destination>,
    security: HostSecurity,
}

impl<'a> Delivery<'a> {
    /// `group` are the places of its recipients in the message.
    pub(super) fn new(
        message: &'a Message,
        group: &[usize],
        environment: &'a Environment,
        limits: Limits,
        meter: GroupMeter<'a>,
        kept: &'a Kept,
        places: &'a PlacesOfSend,
    ) -> Self {
        let recipient = |&place: &usize| Some(Recipient::new(place, message.recipients().get(place)?));
        Self {
            message,
            environment,
            patience: limits.content_start.saturating_duration_since(Instant::now()),
            limits,
            replies_left: environment.deadlines.replies.saturating_add(
                MORE_FOR_A_RECIPIENT.saturating_mul(u32::try_from(group.len()).unwrap_or(u32::MAX)),
            ),
            meter,
            kept,
            places,
            recipients: group.iter().filter_map(recipient).collect(),
            attempts: Vec::new(),
            warnings: Warnings::default(),
            futile_attempts: 0,
            slow_addresses: 0,
            hosts_past_hello: 0,
            untried: false,
            port25: None,
        }
    }

    pub(super) async fn run(mut self, path: Path) -> GroupResult {
        let environment = self.environment;
        match (path, &environment.relay) {
            (Path::Mx(domain_route), _) => {
                self.warnings.merge(&domain_route.warnings);
                self.try_hosts(domain_route.route, &domain_route.requirements)
                    .await;
            }
            (Path::Unroutable(cause), _) => self.note_for_all(&cause, None),
            (Path::Relay, Some(relay)) => self.try_relay(relay).await,
            (Path::Relay, None) => {}
        }
        self.ask_about_port25().await;
        self.conclude_all().await
    }

    /// No MX record is looked up, and no target is forbidden: who set the relay chose it.
    async fn try_relay(&mut self, relay: &Relay) {
        let host = Host {
            name: relay.host().to_string().into(),
            port: relay.port(),
            security: HostSecurity::of_relay(relay),
        };
        let destinations = match (
            relay.addresses(),
            relay.host(),
            self.environment.connector.by_name(),
        ) {
            (Some(addresses), ..) => addresses.into_iter().map(Destination::Address).collect(),
            (None, Target::Name(name), Some(_)) => [Destination::Name(name.clone())].into(),
            (None, Target::Name(name), None) => {
                let host_names = &self.environment.host_names;
                let ask = |_| host_names.addresses(name, relay.is_absolute());
                match self.places.look_up(&mut self.limits, ask).await {
                    Err(why) => return self.note_for_all(&why.into(), None),
                    Ok(Err(error)) => return self.note_unused(&host.name, &Cause::RelayNotFound(error)),
                    Ok(Ok(addresses)) => addresses.into_iter().map(Destination::Address).collect(),
                }
            }
            (None, Target::Address(address), _) => [Destination::Address(*address)].into(),
        };
        let _ = self.try_destinations(&host, destinations, None).await;
    }

    fn has_tried_enough(&self) -> bool {
        self.slow_addresses >= MAX_SLOW_ADDRESSES
            || self.futile_attempts >= MAX_ATTEMPTS
            || self.replies_left.is_zero()
    }

    /// What the route left out, for the report; what it did not look at stays untried.
    fn leave_out(&mut self, dropped: &[Dropped], host: &str) {
        self.untried |= is_cut_short(dropped);
        self.warnings
            .leave_out(dropped, &format!(" of {host}"), &format!("addresses of {host}"));
    }

    async fn try_hosts(&mut self, route: Route, requirements: &TlsRequirements) {
        self.untried |= is_cut_short(&route.dropped);
        for host in route.hosts {
            if self.hosts_past_hello >= MAX_HOSTS_PAST_HELLO || self.has_tried_enough() {
                self.untried = true;
                return;
            }
            if self.try_host(&host, requirements).await.is_break() {
                return;
            }
        }
    }

    async fn try_host(&mut self, host: &MxHost, requirements: &TlsRequirements) -> ControlFlow<()> {
        let name: Arc<str> = host.target.to_string().into();
        let mut limits = self.limits.clone();
        let prepare = |_| self.prepare(host, requirements);
        let found = self.places.look_up(&mut limits, prepare).await;
        self.limits = limits;
        let (dropped, prepared) = match found {
            Err(why) => {
                self.note_for_all(&why.into(), None);
                return ControlFlow::Break(());
            }
            Ok(prepared) => prepared,
        };
        self.leave_out(&dropped, &name);
        match prepared {
            Err(cause) => {
                // A DNS that is silent about one host would take its time over each of them.
                self.slow_addresses += usize::from(matches!(
                    cause,
                    Cause::Route(RouteError::Lookup(LookupError::NoAnswer))
                        | Cause::HostExcluded(HostExcluded::Dane(LookupError::NoAnswer))
                ));
                self.note_unused(&name, &cause);
                if cause.local().is_some() {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            }
            Ok(Prepared {
                destinations,
                security,
            }) => {
                for warning in &security.warnings {
                    self.warn(Some(warning.clone()));
                }
                let host = Host {
                    name,
                    port: self.environment.smtp_port,
                    security,
                };
                self.try_destinations(&host, destinations, Some(requirements))
                    .await
            }
        }
    }

    /// Finds the addresses of a host and how it is protected, at the same time; or why it cannot be used. Nothing is
    /// waited for about a host without an address.
    async fn prepare(
        &self,
        host: &MxHost,
        requirements: &TlsRequirements,
    ) -> (Vec<Dropped>, Result<Prepared, Cause>) {
        let mut dropped = Vec::new();
        let destinations = async {
            let (destinations, left_out) = self.destinations(host).await;
            dropped = left_out;
            destinations.map_err(Cause::Route)
        };
        let security = async { Ok(requirements.security(self.environment, host).await) };
        let prepared = try_join(destinations, security).await;
        let prepared = prepared.and_then(|(destinations, security)| {
            Ok(Prepared {
                destinations,
                security: security?,
            })
        });
        (dropped, prepared)
    }

    async fn destinations(&self, host: &MxHost) -> (Result<VecDeque<Destination>, RouteError>, Vec<Dropped>) {
        let Environment {
            resolver,
            connector,
            policy,
            ..
        } = self.environment;
        match (&host.target, connector.by_name()) {
            // Of the targets that are not allowed, only those that are named so can be told here.
            (Target::Name(name), Some(_)) if is_localhost(name.as_ascii()) && !policy.allow_loopback => {
                (Err(RouteError::ForbiddenTarget), Vec::new())
            }
            (Target::Name(name), Some(_)) => (Ok([Destination::Name(name.clone())].into()), Vec::new()),
            _ => {
                let found = route::addresses(resolver.as_ref(), host, policy).await;
                let found = connector.leave_out_own(found, *policy);
                let destinations = found
                    .found
                    .map(|addresses| addresses.into_iter().map(Destination::Address).collect());
                (destinations, found.dropped)
            }
        }
    }

    /// The recipients that need a host and want to be tried at this address; as indices.
    fn wanting(&self, destination: &Destination) -> Vec<usize> {
        let wants = |(index, recipient): (usize, &Recipient)| {
            let wants = !recipient.settled
                && match recipient.state {
                    TryState::AnyAddress => true,
                    TryState::OtherFamilyThan(address) => destination.is_of_other_family_than(address),
                    TryState::Over => false,
                };
            wants.then_some(index)
        };
        self.recipients.iter().enumerate().filter_map(wants).collect()
    }

    fn is_over(&self) -> bool {
        self.recipients.iter().all(|recipient| recipient.settled)
    }

    fn warn(&mut self, warning: Option<String>) {
        if let Some(warning) = warning {
            self.warnings.add(&warning);
        }
    }

    fn record(&mut self, attempt: Attempt) {
        #[cfg(feature = "tracing")]
        super::trace::attempt(&attempt);
        self.attempts.push(attempt);
    }

    /// The same cause for everybody who still needs a host.
    fn note_for_all(&mut self, cause: &Cause, attempt: Option<usize>) {
        for recipient in self.recipients.iter_mut().filter(|recipient| !recipient.settled) {
            recipient.causes.push((cause.clone(), attempt));
        }
    }

    /// The same cause for some who need a host, by their indices.
    fn note(&mut self, recipients: &[usize], cause: &Cause, attempt: usize) {
        for &index in recipients {
            if let Some(recipient) = self.recipients.get_mut(index) {
                recipient.causes.push((cause.clone(), Some(attempt)));
            }
        }
    }

    /// A host that was not connected to.
    fn note_unused(&mut self, host: &Arc<str>, cause: &Cause) {
        let index = self.attempts.len();
        let header = AttemptHeader {
            host: Arc::clone(host),
            address: None,
            policy: match cause {
                Cause::HostExcluded(skip) => Some(skip.policy()),
                _ => None,
            },
            started: Instant::now(),
        };
        self.record(header.attempt(cause, None, Vec::new()));
        self.futile_attempts += 1;
        self.note_for_all(cause, Some(index));
    }

    async fn ask_about_port25(&mut self) {
        let failures = self.failures_to_connect();
        let Some(failures) = failures.filter(|_| self.environment.relay.is_none()) else {
            return;
        };
        match port25::ask(&failures, self.environment, &self.limits).await {
            Ok(evidence) => self.port25 = evidence,
            Err(why) => self.note_for_all(&Cause::GivenUp(Stage::Connect, why), None),
        }
    }

    /// The addresses that could not be connected to, if that is all that happened.
    fn failures_to_connect(&self) -> Option<Vec<(IpAddr, ConnectFailure)>> {
        // All that need a host have seen the same; one that was refused by a reply shows that somebody was there.
        let recipient = self.recipients.iter().find(|recipient| !recipient.settled)?;
        let mut failures = Vec::new();
        for (cause, attempt) in &recipient.causes {
            let failure = match cause {
                // What this machine lacks says nothing about the network.
                cause if cause.local().is_some() => return None,
                Cause::Connect(failure) => *failure,
                Cause::GivenUp(Stage::Connect, Abort::Deadline) => ConnectFailure::TimedOut,
                Cause::Route(_) | Cause::HostExcluded(_) => continue,
                _ => return None,
            };
            let attempt = attempt.and_then(|index| self.attempts.get(index));
            failures.push((attempt?.address?, failure));
        }
        Some(failures).filter(|failures| !failures.is_empty())
    }

    async fn conclude_all(self) -> GroupResult {
        let mut recipients = Vec::with_capacity(self.recipients.len());
        let mut texts = HashMap::new();
        for recipient in &self.recipients {
            let findings = Findings {
                domain: recipient.mailbox.domain().to_string(),
                recipient: recipient.mailbox.to_string(),
                causes: &recipient.causes,
                untried: self.untried,
                relay: self.environment.relay.is_some(),
                content_begun: self.meter.content_begun(),
                port25: self.port25.as_ref(),
                has_others: self.message.recipients().len() > 1,
            };
            let mut report = findings.report(&self.attempts);
            report.share_text(&mut texts);
            recipients.push((recipient.place, report));
            if recipients.len().is_multiple_of(RECIPIENTS_OF_A_TURN) {
                yield_now().await;
            }
        }
        GroupResult {
            recipients,
            attempts: self.attempts,
            warnings: self.warnings,
            port25: self.port25,
        }
    }
}

/// There are more of them than are looked at.
fn is_cut_short(dropped: &[Dropped]) -> bool {
    dropped.iter().any(|dropped| dropped.why == RouteError::TooMany)
}

/// Where and since when an attempt is made.
struct AttemptHeader {
    host: Arc<str>,
    address: Option<IpAddr>,
    policy: Option<TlsPolicy>,
    started: Instant,
}

impl AttemptHeader {
    fn attempt(self, cause: &Cause, tls: Option<TlsFacts>, dialogue: Vec<Line>) -> Attempt {
        let verdict = verdict(cause, "");
        let outcome = match cause {
            Cause::Exchange(Outcome::Accepted(_)) | Cause::Relayed(_) => AttemptOutcome::Accepted,
            Cause::Exchange(Outcome::Uncertain(_)) => AttemptOutcome::Uncertain,
            _ => AttemptOutcome::Failed,
        };
        Attempt {
            host: self.host,
            address: self.address,
            stage: verdict.stage,
            outcome,
            detail: one_line(&advice::detail(cause, self.policy)),
            code: verdict.server.as_ref().map(|reply| reply.code),
            started: self.started,
            duration: self.started.elapsed(),
            tls,
            policy: self.policy,
            dialogue,
        }
    }
}
