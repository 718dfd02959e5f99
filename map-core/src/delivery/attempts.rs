//! Hosts and addresses in order, until every recipient is settled.

use super::report::{Asked, Attempt, AttemptOutcome, Findings, Line, Report, Stage, worst};
use super::verdict::{Cause, ConnectFailure, is_refusal_of_our_address, settles, verdict};
use super::{Environment, advice, port25};
use crate::address::{ForwardPath, Mailbox, ReversePath};
use crate::message::Message;
use crate::net::{
    ConnectByName, ConnectError, Limits, Observer, Port25Evidence, ProxyError, Transport, converse,
    is_localhost,
};
use crate::route::{self, Dropped, HostName, LookupError, MxHost, Route, RouteError, Target};
use crate::smtp::{
    self, Abort, BodyInfo, Connection, Envelope, Event, Hello, Loss, Outcome, TlsUse, TransactionId,
};
use std::collections::VecDeque;
use std::io::{self, Read};
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

/// Delivers `message` to its recipients, who share the domain of the first.
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

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
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

/// How one conversation went.
struct Conversation {
    outcomes: Vec<(usize, Outcome)>,
    dialogue: Vec<Line>,
    past_hello: bool,
}

impl Delivery<'_> {
    async fn run(&mut self) {
        let Some(domain) = self
            .recipients
            .first()
            .map(|recipient| recipient.mailbox.domain().clone())
        else {
            return;
        };
        let resolver = self.environment.resolver.as_ref();
        match self
            .limits
            .bound(route::find(resolver, &domain, &self.environment.policy))
            .await
        {
            Err(why) => self.note(&Cause::GivenUp(Stage::Route, why), None),
            Ok(Err(error)) => self.note(&Cause::Route(error), None),
            Ok(Ok(route)) => self.try_hosts(route).await,
        }
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

    async fn try_hosts(&mut self, route: Route) {
        self.leave_out(&route.dropped, "");
        for host in route.hosts {
            if self.hosts_past_hello >= MAX_HOSTS_PAST_HELLO || self.has_tried_enough() {
                self.untried = true;
                return;
            }
            if self.try_host(&host).await == Next::Stop {
                return;
            }
        }
    }

    async fn try_host(&mut self, host: &MxHost) -> Next {
        let name: Arc<str> = host.target.to_string().into();
        if let (Target::Name(target), Some(_)) = (&host.target, self.environment.connector.by_name()) {
            return self.try_name(&name, target).await;
        }
        let resolver = self.environment.resolver.as_ref();
        let found = self
            .limits
            .bound(route::addresses(resolver, host, &self.environment.policy))
            .await;
        let found = match found {
            Err(why) => {
                self.note(&Cause::GivenUp(Stage::Route, why), None);
                return Next::Stop;
            }
            Ok(found) => found,
        };
        self.leave_out(&found.dropped, &format!(" of {name}"));
        match found.found {
            Err(error) => {
                // A DNS that is silent about one host would take its time over each of them.
                self.slow_addresses += usize::from(error == RouteError::Lookup(LookupError::NoAnswer));
                self.note_without_address(&name, error);
                Next::Host
            }
            Ok(addresses) => {
                let destinations = addresses.into_iter().map(Destination::Address).collect();
                self.try_destinations(&name, destinations).await
            }
        }
    }

    /// Of the targets that are not allowed, only those that are named so can be told here.
    async fn try_name(&mut self, host: &Arc<str>, name: &HostName) -> Next {
        if is_localhost(name.as_ascii()) && !self.environment.policy.allow_loopback {
            self.note_without_address(host, RouteError::ForbiddenTarget);
            return Next::Host;
        }
        self.try_destinations(host, [Destination::Name(name.clone())].into())
            .await
    }

    async fn try_destinations(&mut self, host: &Arc<str>, mut destinations: VecDeque<Destination>) -> Next {
        let mut hello = Hello::Ehlo;
        let mut other_family_tried = false;
        let mut past_hello = false;
        let first_attempt = self.attempts.len();
        while let Some(destination) = destinations.pop_front() {
            if self.has_tried_enough() {
                self.untried = true;
                return Next::Stop;
            }
            let attempt = self.attempt(host, &destination, hello).await;
            if attempt.past_hello && !past_hello {
                past_hello = true;
                self.hosts_past_hello += 1;
            }
            hello = Hello::Ehlo;
            match attempt.next {
                Next::Stop => return Next::Stop,
                Next::Address => {}
                Next::HeloHere => {
                    hello = Hello::Helo;
                    destinations.push_front(destination);
                }
                Next::OtherFamily if !other_family_tried => {
                    other_family_tried = true;
                    destinations.retain(|other| other.is_of_other_family_than(&destination));
                    destinations.truncate(1);
                }
                Next::OtherFamily | Next::Host => break,
            }
        }
        if self.settle_refusals(first_attempt) {
            Next::Stop
        } else {
            Next::Host
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

    async fn attempt(&mut self, host: &Arc<str>, destination: &Destination, hello: Hello) -> Attempted {
        let started = Instant::now();
        let connecting = timeout(self.environment.connect_timeout, self.connect(destination));
        let trail = Trail {
            host: Arc::clone(host),
            address: destination.address(),
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
        let conversation = self.converse(&trail, transport, hello, &pending).await;
        self.conclude(trail, hello, conversation)
    }

    async fn connect(&self, destination: &Destination) -> Result<Box<dyn Transport>, ConnectError> {
        let (connector, port) = (&self.environment.connector, self.environment.smtp_port);
        match (destination, connector.by_name()) {
            (Destination::Address(address), _) => connector.connect(SocketAddr::new(*address, port)).await,
            (Destination::Name(name), Some(connector)) => ConnectByName::connect(connector, name, port).await,
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
        self.record(trail.attempt(cause, Vec::new()));
        self.note(cause, Some(index));
        Attempted {
            next,
            past_hello: false,
        }
    }

    /// Indices of the recipients that still need a host.
    fn pending(&self) -> Vec<usize> {
        let unsettled = |(index, recipient): (usize, &Recipient)| (!recipient.settled).then_some(index);
        self.recipients.iter().enumerate().filter_map(unsettled).collect()
    }

    async fn converse(
        &mut self,
        trail: &Trail,
        transport: Box<dyn Transport>,
        hello: Hello,
        pending: &[usize],
    ) -> Conversation {
        let chosen = self.environment.hello_name.choose(transport.local_addr());
        if let Some(warning) = chosen.warning.filter(|warning| !self.warnings.contains(warning)) {
            self.warnings.push(warning);
        }
        let config = smtp::Config {
            hello_name: chosen.name,
            hello,
            deadlines: self.environment.deadlines,
            tls: TlsUse::Clear,
            auth: None,
        };
        let forward_paths = pending
            .iter()
            .filter_map(|&index| self.recipients.get(index))
            .map(|recipient| ForwardPath(recipient.mailbox.clone()))
            .collect();
        let envelope = Envelope {
            reverse_path: ReversePath::Mailbox(self.message.from().clone()),
            forward_paths,
        };
        let mut observer = Notes {
            trail,
            progress: self.progress,
            message: self.message,
            conversation: Conversation {
                outcomes: Vec::new(),
                dialogue: Vec::new(),
                past_hello: false,
            },
        };
        let now = Instant::now().into_std();
        let mut connection = Connection::new(config, now);
        connection.submit(
            TransactionId(0),
            envelope,
            BodyInfo {
                size: self.message.size(),
            },
            now,
        );
        connection.quit(now);
        converse(&mut connection, transport, None, &mut observer, self.limits).await;
        let mut conversation = observer.conversation;
        for (index, _) in &mut conversation.outcomes {
            *index = pending.get(*index).copied().unwrap_or(usize::MAX);
        }
        conversation
    }

    fn conclude(&mut self, trail: Trail, hello: Hello, conversation: Conversation) -> Attempted {
        let index = self.attempts.len();
        let Conversation {
            mut outcomes,
            dialogue,
            past_hello,
        } = conversation;
        outcomes.sort_by_key(|(recipient, _)| *recipient);
        let mut crowded = false;
        let mut next = Next::Stop;
        let mut worst_cause = None;
        for (recipient, outcome) in outcomes {
            let passed_rcpt = !matches!(
                outcome,
                Outcome::Refused {
                    stage: smtp::Stage::Rcpt,
                    ..
                }
            );
            let step = step_after(&outcome, hello);
            let cause = Cause::of_exchange(outcome, crowded);
            crowded |= passed_rcpt;
            let other_family = step != Next::HeloHere && is_refusal_of_our_address(&cause);
            if other_family {
                next = next.or(Next::OtherFamily);
            } else if !settles(&cause) {
                next = next.or(step);
            }
            if let Some(recipient) = self.recipients.get_mut(recipient) {
                recipient.settled = settles(&cause) && !other_family;
                recipient.causes.push((cause.clone(), Some(index)));
            }
            if worst_cause.is_none() || !matches!(cause, Cause::Exchange(Outcome::Accepted(_))) {
                worst_cause = Some(cause);
            }
        }
        let cause = worst_cause.unwrap_or(Cause::Internal { content_begun: false });
        let is_slow = matches!(
            cause,
            Cause::Exchange(Outcome::Lost {
                why: Loss::TimedOut,
                ..
            })
        );
        self.slow_addresses += usize::from(is_slow);
        self.record(trail.attempt(&cause, dialogue));
        Attempted { next, past_hello }
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

    fn note_without_address(&mut self, host: &Arc<str>, error: RouteError) {
        let index = self.attempts.len();
        let cause = Cause::Route(error);
        self.record(Attempt {
            host: Arc::clone(host),
            address: None,
            stage: Stage::Route,
            outcome: AttemptOutcome::Failed,
            detail: advice::detail(&cause),
            code: None,
            duration: std::time::Duration::ZERO,
            tls: None,
            policy: None,
            dialogue: Vec::new(),
        });
        self.note(&cause, Some(index));
    }

    async fn ask_about_port25(&mut self) {
        let Some(failures) = self.failures_to_connect() else {
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
                Cause::Route(_) => continue,
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
    next: Next,
    past_hello: bool,
}

/// Where and since when an attempt is made.
struct Trail {
    host: Arc<str>,
    address: Option<IpAddr>,
    started: Instant,
}

impl Trail {
    fn attempt(self, cause: &Cause, dialogue: Vec<Line>) -> Attempt {
        let verdict = verdict(cause, "");
        let outcome = match cause {
            Cause::Exchange(Outcome::Accepted(_)) => AttemptOutcome::Accepted,
            Cause::Exchange(Outcome::Uncertain(_)) => AttemptOutcome::Uncertain,
            _ => AttemptOutcome::Failed,
        };
        Attempt {
            host: self.host,
            address: self.address,
            stage: verdict.stage,
            outcome,
            detail: advice::detail(cause),
            code: verdict.server.as_ref().map(|reply| reply.code),
            duration: self.started.elapsed(),
            tls: None,
            policy: None,
            dialogue,
        }
    }
}

/// What one host's outcome for one recipient asks for next, while the recipient is not settled.
fn step_after(outcome: &Outcome, hello: Hello) -> Next {
    match outcome {
        // RFC 5321 section 3.2, https://www.rfc-editor.org/rfc/rfc5321#section-3.2: servers that know only HELO may
        // answer EHLO by closing; one that refuses it and then closes could not be asked with HELO there.
        Outcome::Lost {
            stage: smtp::Stage::Ehlo | smtp::Stage::Helo,
            why: Loss::Closed | Loss::Reset(_),
        } if hello == Hello::Ehlo => Next::HeloHere,
        Outcome::Refused {
            stage: smtp::Stage::Ehlo,
            reply,
        } if hello == Hello::Ehlo && reply.severity() == smtp::Severity::PermanentNegative => Next::HeloHere,
        Outcome::Accepted(_)
        | Outcome::Uncertain(_)
        | Outcome::Lost {
            why: Loss::Aborted(_),
            ..
        } => Next::Stop,
        Outcome::Lost { .. } => Next::Address,
        Outcome::Refused { .. } | Outcome::Unexpected { .. } | Outcome::Unfit(_) | Outcome::NoTls(_) => {
            Next::Host
        }
    }
}

impl Next {
    /// The first reason to go on wins: all recipients of one conversation share its end.
    fn or(self, other: Self) -> Self {
        if self == Self::Stop { other } else { self }
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

/// Takes down what happens in a conversation.
struct Notes<'a> {
    #[cfg_attr(
        not(feature = "tracing"),
        expect(dead_code, reason = "only listeners ask where it happens")
    )]
    trail: &'a Trail,
    progress: &'a Progress,
    message: &'a Message,
    conversation: Conversation,
}

impl Observer for Notes<'_> {
    fn event(&mut self, event: Event) {
        #[cfg(feature = "tracing")]
        super::trace::exchange(&self.trail.host, self.trail.address, &event);
        match event {
            Event::Sent { stage, .. } => self.conversation.dialogue.push(Line::Sent(stage)),
            Event::Received { stage, reply, .. } => {
                self.conversation.dialogue.push(Line::Received(stage, reply));
            }
            Event::Recipient { index, outcome, .. } => self.conversation.outcomes.push((index, outcome)),
            Event::Ready(_) => self.conversation.past_hello = true,
            Event::Finished(_) | Event::NeedContent(_) | Event::StartTls | Event::Closed => {}
        }
    }

    fn open_content(&mut self, _tx: TransactionId) -> io::Result<Box<dyn Read + Send>> {
        self.progress.begin_content();
        self.message.open()
    }
}
