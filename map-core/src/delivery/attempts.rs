//! Hosts and addresses in order, until every recipient is settled.

mod conversation;

use super::protection::{self, Demands, Protection, Skip};
use super::report::{Asked, Attempt, AttemptOutcome, Findings, Line, Report, Stage, worst};
use super::verdict::{Cause, ConnectFailure, is_refusal_of_our_address, settles, verdict};
use super::{Environment, Relay, TlsPolicy, advice, port25};
use crate::address::{Mailbox, MailboxDomain};
use crate::message::Message;
use crate::net::tls::TlsFacts;
use crate::net::{ConnectByName, ConnectError, Limits, Port25Evidence, ProxyError, Transport, is_localhost};
use crate::route::{self, Dropped, HostName, LookupError, MxHost, Route, RouteError, Target};
use crate::smtp::{Abort, Hello, Outcome, TlsUse};
use futures_util::future::try_join;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::time::{Instant, timeout};

/// Addresses that answered slowly or not at all, before the rest is left for another day.
const MAX_SLOW_ADDRESSES: usize = 5;
/// Attempts of any kind: what is refused at once costs little, but a stranger's DNS can name thousands of addresses.
const MAX_ATTEMPTS: usize = 20;
/// Hosts that came past EHLO and took nothing.
const MAX_HOSTS_PAST_HELLO: usize = 2;

/// Delivers `message` to its recipients, who share the domain of the first unless there is a relay.
pub(crate) async fn deliver(
    message: &Message,
    asked: Arc<Asked>,
    environment: &Environment,
    limits: &Limits,
    progress: &Progress,
) -> Report {
    let recipients = message.recipients().iter().map(Recipient::new).collect();
    let mut delivery = Delivery {
        message,
        environment,
        limits,
        progress,
        recipients,
        attempts: Vec::new(),
        warnings: Vec::new(),
        slow_addresses: 0,
        hosts_past_hello: 0,
        untried: false,
        port25: None,
    };
    delivery.run().await;
    delivery.ask_about_port25().await;
    delivery.report(asked)
}

/// How far a delivery is, for whoever must give a report when it cannot go on by itself.
#[derive(Debug, Default)]
pub(crate) struct Progress(AtomicBool);

impl Progress {
    fn begin_content(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// A content has been opened for a host, so it may have left.
    pub(crate) fn content_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A recipient and what was found for it so far.
struct Recipient {
    mailbox: Mailbox,
    causes: Vec<(Cause, Option<usize>)>,
    settled: bool,
}

impl Recipient {
    fn new(mailbox: &Mailbox) -> Self {
        Self {
            mailbox: mailbox.clone(),
            causes: Vec::new(),
            settled: false,
        }
    }
}

struct Delivery<'a> {
    message: &'a Message,
    environment: &'a Environment,
    limits: &'a Limits,
    progress: &'a Progress,
    recipients: Vec<Recipient>,
    attempts: Vec<Attempt>,
    warnings: Vec<String>,
    slow_addresses: usize,
    hosts_past_hello: usize,
    untried: bool,
    port25: Option<Arc<Port25Evidence>>,
}

/// Where an attempt goes.
#[derive(Clone, Debug)]
enum Destination {
    Address(IpAddr),
    /// The connector finds the address.
    Name(HostName),
}

impl Destination {
    fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Name(_) => None,
        }
    }

    /// An address of the other family; a name is of neither.
    fn is_of_other_family_than(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Address(one), Self::Address(other)) => one.is_ipv4() != other.is_ipv4(),
            _ => false,
        }
    }
}

/// A mail host that is being tried.
#[derive(Debug)]
struct Host {
    name: Arc<str>,
    port: u16,
    protection: Protection,
}

/// What is known of a host before it is connected to.
struct Prepared {
    destinations: VecDeque<Destination>,
    protection: Protection,
}

/// How a connection is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Opening {
    hello: Hello,
    tls: TlsUse,
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The same address, without TLS.
    ClearHere,
    /// The same address, opened with HELO.
    HeloHere,
    /// Another address of the same host.
    Address,
    /// An address of the other family of the same host, if it has one; else another host.
    OtherFamily,
    /// Another host.
    Host,
    /// Nothing: all is settled, or given up.
    Stop,
}

impl Delivery<'_> {
    async fn run(&mut self) {
        let environment = self.environment;
        let domain = self
            .recipients
            .first()
            .map(|recipient| recipient.mailbox.domain().clone());
        match (&environment.relay, domain) {
            (Some(relay), Some(_)) => self.try_relay(relay).await,
            (None, Some(domain)) => self.try_domain(&domain).await,
            (_, None) => {}
        }
    }

    async fn try_domain(&mut self, domain: &MailboxDomain) {
        match self
            .limits
            .bound(protection::directions(self.environment, domain))
            .await
        {
            Err(why) => self.note(&Cause::GivenUp(Stage::Route, why), None),
            Ok(Err(error)) => self.note(&Cause::Route(error), None),
            Ok(Ok(directions)) => {
                self.warnings.extend(directions.warnings);
                self.try_hosts(directions.route, &directions.demands).await;
            }
        }
    }

    /// No MX record is looked up, and no target is forbidden: who set the relay chose it.
    async fn try_relay(&mut self, relay: &Relay) {
        let host = Host {
            name: relay.host().to_string().into(),
            port: relay.port(),
            protection: Protection::of_relay(relay),
        };
        let destinations = match (
            relay.addresses(),
            relay.host(),
            self.environment.connector.by_name(),
        ) {
            (Some(addresses), ..) => addresses.into_iter().map(Destination::Address).collect(),
            (None, Target::Name(name), Some(_)) => [Destination::Name(name.clone())].into(),
            (None, Target::Name(name), None) => {
                let resolver = self.environment.resolver.as_ref();
                let found = self.limits.bound(route::addresses_of_relay(resolver, name)).await;
                match found.map(|found| found.found) {
                    Err(why) => return self.note(&Cause::GivenUp(Stage::Route, why), None),
                    Ok(Err(error)) => return self.note_unused(&host.name, &Cause::RelayNotFound(error)),
                    Ok(Ok(addresses)) => addresses.into_iter().map(Destination::Address).collect(),
                }
            }
            (None, Target::Address(address), _) => [Destination::Address(*address)].into(),
        };
        self.try_destinations(&host, destinations, None).await;
    }

    fn has_tried_enough(&self) -> bool {
        self.slow_addresses >= MAX_SLOW_ADDRESSES || self.attempts.len() >= MAX_ATTEMPTS
    }

    /// What the route left out, for the report; what it did not look at stays untried.
    fn leave_out(&mut self, dropped: &[Dropped], of: &str) {
        self.untried |= dropped.iter().any(|dropped| dropped.why == RouteError::TooMany);
        let warnings = dropped
            .iter()
            .map(|dropped| format!("{}{of} was left out: {}", dropped.what, dropped.why));
        self.warnings.extend(warnings);
    }

    async fn try_hosts(&mut self, route: Route, demands: &Demands) {
        self.leave_out(&route.dropped, "");
        for host in route.hosts {
            if self.hosts_past_hello >= MAX_HOSTS_PAST_HELLO || self.has_tried_enough() {
                self.untried = true;
                return;
            }
            if self.try_host(&host, demands).await == Next::Stop {
                return;
            }
        }
    }

    async fn try_host(&mut self, host: &MxHost, demands: &Demands) -> Next {
        let name: Arc<str> = host.target.to_string().into();
        let (dropped, prepared) = match self.limits.bound(self.prepare(host, demands)).await {
            Err(why) => {
                self.note(&Cause::GivenUp(Stage::Route, why), None);
                return Next::Stop;
            }
            Ok(prepared) => prepared,
        };
        self.leave_out(&dropped, &format!(" of {name}"));
        match prepared {
            Err(cause) => {
                // A DNS that is silent about one host would take its time over each of them.
                self.slow_addresses += usize::from(matches!(
                    cause,
                    Cause::Route(RouteError::Lookup(LookupError::NoAnswer))
                        | Cause::Skipped(Skip::Dane(LookupError::NoAnswer))
                ));
                self.note_unused(&name, &cause);
                Next::Host
            }
            Ok(Prepared {
                destinations,
                protection,
            }) => {
                let warning = protection.warning.clone();
                self.warn(warning);
                let host = Host {
                    name,
                    port: self.environment.smtp_port,
                    protection,
                };
                self.try_destinations(&host, destinations, Some(demands)).await
            }
        }
    }

    /// Finds the addresses of a host and how it is protected, at the same time; or why it cannot be used. Nothing is
    /// waited for about a host without an address.
    async fn prepare(&self, host: &MxHost, demands: &Demands) -> (Vec<Dropped>, Result<Prepared, Cause>) {
        let mut dropped = Vec::new();
        let destinations = async {
            let (destinations, left_out) = self.destinations(host).await;
            dropped = left_out;
            destinations.map_err(Cause::Route)
        };
        let protection = async { Ok(demands.protection(self.environment, host).await) };
        let prepared = try_join(destinations, protection).await;
        let prepared = prepared.and_then(|(destinations, protection)| {
            Ok(Prepared {
                destinations,
                protection: protection.map_err(Cause::Skipped)?,
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
                let destinations = found
                    .found
                    .map(|addresses| addresses.into_iter().map(Destination::Address).collect());
                (destinations, found.dropped)
            }
        }
    }

    /// `demands` are those of the recipient's domain; a relay has none.
    async fn try_destinations(
        &mut self,
        host: &Host,
        mut destinations: VecDeque<Destination>,
        demands: Option<&Demands>,
    ) -> Next {
        let first = self.first_opening(host);
        let mut opening = first;
        let mut before = Before::default();
        let mut other_family_tried = false;
        let mut past_hello = false;
        let first_attempt = self.attempts.len();
        while let Some(destination) = destinations.pop_front() {
            if self.has_tried_enough() {
                self.untried = true;
                return Next::Stop;
            }
            let attempt = self.attempt(host, &destination, opening, demands).await;
            if attempt.past_hello {
                self.supersede(host, &before);
                self.hosts_past_hello += usize::from(!past_hello);
                past_hello = true;
            }
            match attempt.next {
                Next::Stop => return Next::Stop,
                Next::ClearHere => {
                    self.warn(self.attempts.last().map(|attempt| {
                        format!(
                            "{} {}, so it was tried again in the clear",
                            host.name, attempt.detail
                        )
                    }));
                    before.tls_broke = !attempt.injected;
                    before.attempts.push(attempt.index);
                    opening = Opening {
                        tls: TlsUse::Clear,
                        ..first
                    };
                    destinations.push_front(destination);
                    continue;
                }
                Next::HeloHere => {
                    before.attempts.push(attempt.index);
                    opening.hello = Hello::Helo;
                    destinations.push_front(destination);
                    continue;
                }
                Next::Address => {}
                Next::OtherFamily if !other_family_tried => {
                    other_family_tried = true;
                    destinations.retain(|other| other.is_of_other_family_than(&destination));
                    destinations.truncate(1);
                }
                Next::OtherFamily | Next::Host => break,
            }
            opening = first;
            before = Before::default();
        }
        if self.settle_refusals(first_attempt) {
            Next::Stop
        } else {
            Next::Host
        }
    }

    fn first_opening(&mut self, host: &Host) -> Opening {
        let mut tls = host.protection.tls;
        if tls == TlsUse::Opportunistic && self.environment.broken_tls.knows(&host.name) {
            tls = TlsUse::Clear;
            self.warn(Some(format!(
                "TLS with {} failed within the last ten minutes, so it was tried in the clear at once",
                host.name
            )));
        }
        Opening {
            hello: Hello::Ehlo,
            tls,
        }
    }

    /// An address was spoken with by another opening than it was tried with before: what came of those says nothing of
    /// the mail any more, and a TLS that broke is known to be the host's and not the network's.
    fn supersede(&mut self, host: &Host, before: &Before) {
        for recipient in &mut self.recipients {
            recipient
                .causes
                .retain(|(_, attempt)| !attempt.is_some_and(|attempt| before.attempts.contains(&attempt)));
        }
        if before.tls_broke {
            self.environment.broken_tls.remember(&host.name);
        }
    }

    /// A permanent refusal of our address is the verdict once the host's other family had its turn, unless that came
    /// further: then the host does not mind us, and what it said there is its word. `first_attempt` is this host's.
    fn settle_refusals(&mut self, first_attempt: usize) -> bool {
        for recipient in &mut self.recipients {
            let of_this_host =
                |attempt: &Option<usize>| attempt.is_some_and(|attempt| attempt >= first_attempt);
            let came_past_mail = recipient
                .causes
                .iter()
                .any(|(cause, attempt)| of_this_host(attempt) && verdict(cause, "").stage > Stage::Mail);
            if came_past_mail {
                recipient
                    .causes
                    .retain(|(cause, attempt)| !(of_this_host(attempt) && is_refusal_of_our_address(cause)));
            }
            recipient.settled |= recipient.causes.iter().any(|(cause, _)| settles(cause));
        }
        self.recipients.iter().all(|recipient| recipient.settled)
    }

    async fn attempt(
        &mut self,
        host: &Host,
        destination: &Destination,
        opening: Opening,
        demands: Option<&Demands>,
    ) -> Attempted {
        let started = Instant::now();
        let connecting = timeout(self.environment.connect_timeout, self.connect(host, destination));
        let trail = Trail {
            host: Arc::clone(&host.name),
            address: destination.address(),
            policy: host.protection.policy,
            started,
        };
        let transport = match self.limits.bound(connecting).await {
            Err(why) => return self.no_connection(trail, &Cause::GivenUp(Stage::Connect, why)),
            Ok(Err(_elapsed)) => return self.no_connection(trail, &Cause::Connect(ConnectFailure::TimedOut)),
            Ok(Ok(Err(error))) => return self.no_connection(trail, &Cause::Connect((&error).into())),
            Ok(Ok(Ok(transport))) => transport,
        };
        if let (Some(port25), Some(address)) = (&self.environment.port25, trail.address) {
            port25.connected(address);
        }
        let pending = self.pending();
        let conversation = self
            .converse(&trail, &host.protection, transport, opening, &pending)
            .await;
        if let Some(demands) = demands.filter(|_| conversation.past_hello) {
            self.warn(demands.remark(&host.protection, &host.name, conversation.tls.as_ref()));
        }
        self.conclude(trail, host, opening, conversation)
    }

    async fn connect(
        &self,
        host: &Host,
        destination: &Destination,
    ) -> Result<Box<dyn Transport>, ConnectError> {
        let connector = &self.environment.connector;
        match (destination, connector.by_name()) {
            (Destination::Address(address), _) => {
                connector.connect(SocketAddr::new(*address, host.port)).await
            }
            (Destination::Name(name), Some(connector)) => {
                ConnectByName::connect(connector, name, host.port).await
            }
            // A connector that changed its mind.
            (Destination::Name(_), None) => Err(ConnectError::Immediate(io::ErrorKind::Unsupported.into())),
        }
    }

    fn no_connection(&mut self, trail: Trail, cause: &Cause) -> Attempted {
        let next = match cause {
            Cause::GivenUp(..) => Next::Stop,
            // No other host is nearer by a proxy that cannot be used at all.
            Cause::Connect(ConnectFailure::Proxy(why)) if !matches!(why, ProxyError::Refused(_)) => {
                Next::Stop
            }
            _ => Next::Address,
        };
        // A way that this machine does not have, and a refusal that came at once, cost nothing.
        let cheap = matches!(
            cause,
            Cause::Connect(
                ConnectFailure::NoRoute(_)
                    | ConnectFailure::NotOurs(_)
                    | ConnectFailure::RefusedHere(_)
                    | ConnectFailure::Failed(io::ErrorKind::ConnectionRefused)
            )
        );
        self.slow_addresses += usize::from(!cheap);
        let index = self.attempts.len();
        self.record(trail.attempt(cause, None, Vec::new()));
        self.note(cause, Some(index));
        Attempted {
            index,
            next,
            past_hello: false,
            injected: false,
        }
    }

    /// Indices of the recipients that still need a host.
    fn pending(&self) -> Vec<usize> {
        let unsettled = |(index, recipient): (usize, &Recipient)| (!recipient.settled).then_some(index);
        self.recipients.iter().enumerate().filter_map(unsettled).collect()
    }

    fn warn(&mut self, warning: Option<String>) {
        let new = warning.filter(|warning| !self.warnings.contains(warning));
        self.warnings.extend(new);
    }

    fn record(&mut self, attempt: Attempt) {
        #[cfg(feature = "tracing")]
        super::trace::attempt(&attempt);
        self.attempts.push(attempt);
    }

    /// The same cause for everybody who still needs a host.
    fn note(&mut self, cause: &Cause, attempt: Option<usize>) {
        for recipient in self.recipients.iter_mut().filter(|recipient| !recipient.settled) {
            recipient.causes.push((cause.clone(), attempt));
        }
    }

    /// A host that was not connected to.
    fn note_unused(&mut self, host: &Arc<str>, cause: &Cause) {
        let index = self.attempts.len();
        let trail = Trail {
            host: Arc::clone(host),
            address: None,
            policy: match cause {
                Cause::Skipped(skip) => Some(skip.policy()),
                _ => None,
            },
            started: Instant::now(),
        };
        self.record(trail.attempt(cause, None, Vec::new()));
        self.note(cause, Some(index));
    }

    async fn ask_about_port25(&mut self) {
        let failures = self.failures_to_connect();
        let Some(failures) = failures.filter(|_| self.environment.relay.is_none()) else {
            return;
        };
        match port25::ask(&failures, self.environment, self.limits).await {
            Ok(evidence) => self.port25 = evidence,
            Err(why) => self.note(&Cause::GivenUp(Stage::Connect, why), None),
        }
    }

    /// The addresses that could not be connected to, if that is all that happened.
    fn failures_to_connect(&self) -> Option<Vec<(IpAddr, ConnectFailure)>> {
        // All that need a host have seen the same; one that was refused by a reply shows that somebody was there.
        let recipient = self.recipients.iter().find(|recipient| !recipient.settled)?;
        let mut failures = Vec::new();
        for (cause, attempt) in &recipient.causes {
            let failure = match cause {
                Cause::Connect(failure) => *failure,
                Cause::GivenUp(Stage::Connect, Abort::Deadline) => ConnectFailure::TimedOut,
                Cause::Route(_) | Cause::Skipped(_) => continue,
                _ => return None,
            };
            let attempt = attempt.and_then(|index| self.attempts.get(index));
            failures.push((attempt?.address?, failure));
        }
        Some(failures).filter(|failures| !failures.is_empty())
    }

    fn report(self, asked: Arc<Asked>) -> Report {
        let Self {
            message,
            environment,
            progress,
            recipients,
            attempts,
            warnings,
            untried,
            port25,
            ..
        } = self;
        let recipients: Vec<_> = recipients
            .into_iter()
            .map(|recipient| {
                let findings = Findings {
                    domain: recipient.mailbox.domain().to_string(),
                    recipient: recipient.mailbox.to_string(),
                    causes: &recipient.causes,
                    untried,
                    relay: environment.relay.is_some(),
                    content_begun: progress.content_begun(),
                    port25: port25.as_ref(),
                };
                findings.report(&attempts)
            })
            .collect();
        let summary = worst(&recipients).cloned();
        match summary {
            Some(summary) => Report {
                asked,
                summary,
                recipients,
                attempts,
                message_id: Some(message.message_id().to_owned()),
                warnings,
                port25,
            },
            None => super::rejected(asked, Cause::Misuse("a message without a recipient".to_owned())),
        }
    }
}

/// An attempt is over.
struct Attempted {
    /// Its place among the attempts.
    index: usize,
    next: Next,
    past_hello: bool,
    /// Somebody wrote in the clear into the beginning of TLS.
    injected: bool,
}

/// How one address was tried before the opening it is tried with now.
#[derive(Default)]
struct Before {
    attempts: Vec<usize>,
    /// TLS broke, and it may well have taken its time.
    tls_broke: bool,
}

/// Where and since when an attempt is made.
struct Trail {
    host: Arc<str>,
    address: Option<IpAddr>,
    policy: Option<TlsPolicy>,
    started: Instant,
}

impl Trail {
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
            detail: advice::detail(cause, self.policy),
            code: verdict.server.as_ref().map(|reply| reply.code),
            duration: self.started.elapsed(),
            tls,
            policy: self.policy,
            dialogue,
        }
    }
}

impl From<&ConnectError> for ConnectFailure {
    fn from(error: &ConnectError) -> Self {
        match error {
            error if error.is_no_route() => Self::NoRoute(error.kind()),
            ConnectError::Immediate(error) => Self::RefusedHere(error.kind()),
            ConnectError::Later(error) if error.kind() == io::ErrorKind::TimedOut => Self::TimedOut,
            ConnectError::Later(error) => Self::Failed(error.kind()),
            ConnectError::Proxy(why) => Self::Proxy(*why),
            ConnectError::SourceAddress { address, .. } => Self::NotOurs(*address),
        }
    }
}
