//! The addresses of one host, and how each is opened: with TLS, in the clear, with HELO.

use super::{AttemptHeader, Delivery, Environment, Host, TryState};
use crate::delivery::host_security::TlsRequirements;
use crate::delivery::outcome::{Cause, ConnectFailure, MAX_SESSIONS, Stage};
use crate::delivery::verdict::{is_refusal_of_our_address, settles, verdict};
use crate::local::LocalError;
use crate::net::{ConnectByName, ConnectError, Peer, ProxyError, Transport};
use crate::route::{HostName, RouteError};
use crate::smtp::{Abort, Chunking, Hello, TlsUse};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::sync::Arc;
use tokio::time::{Instant, timeout};

/// Where an attempt goes.
#[derive(Clone, Debug)]
pub(super) enum Destination {
    Address(IpAddr),
    /// The connector finds the address.
    Name(HostName),
}

impl Destination {
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Name(_) => None,
        }
    }

    fn peer(&self, port: u16) -> Peer {
        match self {
            Self::Address(address) => Peer::Address(SocketAddr::new(*address, port)),
            Self::Name(name) => Peer::Name(name.clone(), port),
        }
    }

    /// An address of the other family; a name is of neither.
    pub(super) fn is_of_other_family_than(&self, other: IpAddr) -> bool {
        self.address()
            .is_some_and(|address| address.is_ipv4() != other.is_ipv4())
    }
}

/// How a connection is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SessionProfile {
    pub(super) hello: Hello,
    pub(super) tls: TlsUse,
    pub(super) chunking: Chunking,
    /// What is wished of notifications is said where the host offers them.
    pub(super) dsn: bool,
}

/// What follows an attempt for one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RetryAction {
    /// The same address, opened in the same way: the session ended before this recipient's turn.
    Again,
    /// The same address, without TLS.
    ClearHere,
    /// The same address, without BDAT.
    DataHere,
    /// The same address, opened with HELO.
    HeloHere,
    /// The same address, and nothing is asked of notifications.
    WithoutDsnHere,
    /// Another address of the same host.
    Address,
    /// An address of the other family of the same host, if it has one; else another host.
    OtherFamily,
    /// Another host.
    Host,
    /// Nothing: all is settled, or given up.
    Stop,
}

impl RetryAction {
    pub(super) fn is_here(self) -> bool {
        matches!(
            self,
            Self::Again | Self::ClearHere | Self::DataHere | Self::HeloHere | Self::WithoutDsnHere
        )
    }

    /// The same address in another way: what came of this one says nothing of the mail.
    fn is_new_profile(self) -> bool {
        self.is_here() && self != Self::Again
    }
}

/// An attempt is over.
pub(super) struct Attempted {
    /// Its place among the attempts.
    pub(super) index: usize,
    /// What follows for each recipient that it was made for, by index.
    pub(super) next: Vec<(usize, RetryAction)>,
    pub(super) past_hello: bool,
    /// A content was opened.
    pub(super) content_begun: bool,
    /// Somebody wrote in the clear into the beginning of TLS.
    pub(super) injected: bool,
    /// The host takes mail only over TLS, and was spoken with in the clear.
    pub(super) wants_tls: bool,
}

/// How one address was tried before the opening it is tried with now.
#[derive(Default)]
struct PriorAttempts {
    /// Those with another opening: where it is the same, what came further counts.
    attempts: Vec<usize>,
    /// TLS broke, and it may well have taken its time.
    tls_broke: bool,
}

/// What is known of a host while its addresses are tried.
struct HostVisit<'a> {
    host: &'a Host,
    /// Those of the recipients' domain; a relay has none.
    requirements: Option<&'a TlsRequirements>,
    first_profile: SessionProfile,
    past_hello: bool,
    /// Sessions so far.
    sessions: usize,
}

impl Delivery<'_> {
    /// `demands` are those of the recipients' domain; a relay has none. Breaks when no other host is to be tried.
    pub(super) async fn try_destinations(
        &mut self,
        host: &Host,
        destinations: VecDeque<Destination>,
        requirements: Option<&TlsRequirements>,
    ) -> ControlFlow<()> {
        let first_attempt = self.attempts.len();
        let mut visit = HostVisit {
            host,
            requirements,
            first_profile: self.first_profile(host),
            past_hello: false,
            sessions: 0,
        };
        for recipient in &mut self.recipients {
            recipient.state = TryState::AnyAddress;
        }
        for destination in destinations {
            let recipients = self.wanting(&destination);
            if !recipients.is_empty() {
                self.try_destination(&mut visit, &destination, recipients).await?;
            }
        }
        self.settle_refusals(first_attempt);
        if self.is_over() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// One address, opened in whatever way is needed, until it has done for each of these recipients what it can.
    async fn try_destination(
        &mut self,
        visit: &mut HostVisit<'_>,
        destination: &Destination,
        mut recipients: Vec<usize>,
    ) -> ControlFlow<()> {
        let host = visit.host;
        let mut profile = visit.first_profile;
        let mut prior = PriorAttempts::default();
        loop {
            if self.has_tried_enough() {
                self.untried = true;
                return ControlFlow::Break(());
            }
            let mut attempt = self.attempt(visit, destination, profile, &recipients).await?;
            if attempt.past_hello {
                visit.sessions += 1;
                if visit.sessions >= MAX_SESSIONS {
                    self.leave_over(&mut attempt);
                }
                self.supersede(&recipients, &prior);
                if prior.tls_broke {
                    self.environment.broken_tls.remember(&host.name);
                }
                self.hosts_past_hello += usize::from(!visit.past_hello);
                visit.past_hello = true;
            }
            if attempt.wants_tls {
                // Without it there is nothing to be had: the next mail is worth another handshake.
                self.environment.broken_tls.forget(&host.name);
            }
            self.take_turns(&attempt.next, destination);
            if self.is_over() {
                return ControlFlow::Break(());
            }
            if attempt.content_begun || attempt.next.iter().any(|(_, next)| *next == RetryAction::Again) {
                // For those who are left it is their first content that has to start in time, not that of the others.
                self.limits.content_start = Instant::now() + self.patience;
            }
            recipients.clear();
            let here = attempt.next.iter().filter(|(_, next)| next.is_here());
            recipients.extend(here.map(|(recipient, _)| recipient));
            if recipients.is_empty() {
                return ControlFlow::Continue(());
            }
            let asked_for = |next| attempt.next.iter().any(|(_, other)| *other == next);
            if asked_for(RetryAction::ClearHere) {
                self.warn(self.attempts.last().map(|attempt| {
                    format!(
                        "{} {}, so it was tried again in the clear",
                        host.name, attempt.detail
                    )
                }));
                prior.tls_broke = !attempt.injected;
                profile.tls = TlsUse::Clear;
            }
            if asked_for(RetryAction::HeloHere) {
                profile.hello = Hello::Helo;
            }
            if asked_for(RetryAction::DataHere) {
                profile.chunking = Chunking::Avoid;
            }
            if asked_for(RetryAction::WithoutDsnHere) {
                visit.first_profile.dsn = false;
                profile.dsn = false;
            }
            if attempt.next.iter().any(|(_, next)| next.is_new_profile()) {
                prior.attempts.push(attempt.index);
            }
        }
    }

    /// Whoever would be tried in another session with this host is not.
    fn leave_over(&mut self, attempt: &mut Attempted) {
        for (index, next) in attempt
            .next
            .iter_mut()
            .filter(|(_, next)| *next == RetryAction::Again)
        {
            *next = RetryAction::Host;
            if let Some(recipient) = self.recipients.get_mut(*index) {
                recipient.leave_over();
            }
        }
    }

    /// Takes down where each recipient wants to be tried from here on.
    fn take_turns(&mut self, next: &[(usize, RetryAction)], destination: &Destination) {
        for &(index, next) in next {
            let Some(recipient) = self.recipients.get_mut(index) else {
                continue;
            };
            recipient.state = match (next, recipient.state, destination.address()) {
                (next, turn, _) if next.is_here() => turn,
                (RetryAction::Address, TryState::AnyAddress, _) => TryState::AnyAddress,
                (RetryAction::OtherFamily, TryState::AnyAddress, Some(address)) => {
                    TryState::OtherFamilyThan(address)
                }
                _ => TryState::Over,
            };
        }
    }

    fn first_profile(&mut self, host: &Host) -> SessionProfile {
        let mut tls = host.security.tls;
        if tls == TlsUse::Opportunistic && self.environment.broken_tls.knows(&host.name) {
            tls = TlsUse::Clear;
            self.warn(Some(format!(
                "TLS with {} failed within the last ten minutes, so it was tried in the clear at once",
                host.name
            )));
        }
        SessionProfile {
            hello: Hello::Ehlo,
            tls,
            chunking: self.environment.chunking,
            dsn: true,
        }
    }

    /// An address was spoken with by another opening than it was tried with before: what came of those says nothing of
    /// the mail any more.
    fn supersede(&mut self, recipients: &[usize], prior: &PriorAttempts) {
        for &index in recipients {
            if let Some(recipient) = self.recipients.get_mut(index) {
                let is_before =
                    |attempt: Option<usize>| attempt.is_some_and(|attempt| prior.attempts.contains(&attempt));
                recipient.causes.retain(|(_, attempt)| !is_before(*attempt));
            }
        }
    }

    /// A permanent refusal of our address is the verdict once the host's other family had its turn, unless that came
    /// further: then the host does not mind us, and what it said there is its word. `first_attempt` is this host's.
    fn settle_refusals(&mut self, first_attempt: usize) {
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
    }

    /// Breaks when nobody is to be tried anywhere any more.
    async fn attempt(
        &mut self,
        visit: &HostVisit<'_>,
        destination: &Destination,
        profile: SessionProfile,
        recipients: &[usize],
    ) -> ControlFlow<(), Attempted> {
        let host = visit.host;
        // It is held until the session is over.
        let peer = destination.peer(host.port);
        let _place = match self.places.session(&mut self.limits, peer).await {
            Ok(place) => place,
            Err(why) => {
                self.note_for_all(&why.into(), None);
                return ControlFlow::Break(());
            }
        };
        let started = Instant::now();
        self.meter.reach(Stage::Connect);
        let connecting = timeout(self.environment.connect_timeout, self.connect(host, destination));
        let header = AttemptHeader {
            host: Arc::clone(&host.name),
            address: destination.address(),
            policy: host.security.policy,
            started,
        };
        let transport = match self.limits.bound(connecting).await {
            Err(why) => {
                self.give_up(header, why);
                return ControlFlow::Break(());
            }
            Ok(Err(_elapsed)) => return self.no_connection(header, recipients, ConnectFailure::TimedOut),
            Ok(Ok(Err(error))) => {
                if let Some(shortage) = shortage(&error, header.address) {
                    return self.fall_short(header, shortage);
                }
                return self.no_connection(header, recipients, (&error).into());
            }
            Ok(Ok(Ok(transport))) => transport,
        };
        if let (Some(address), Some(_)) = (header.address, visit.requirements) {
            let Environment {
                connector, policy, ..
            } = self.environment;
            if connector.leads_here(transport.as_ref(), address, *policy) {
                let cause = Cause::Route(RouteError::ForbiddenTarget);
                return ControlFlow::Continue(self.not_spoken_with(header, recipients, &cause));
            }
        }
        if let (Some(port25), Some(address)) = (&self.environment.port25, header.address) {
            port25.connected(address);
        }
        self.meter.reach(Stage::Greeting);
        let conversation = self
            .converse(&header, &host.security, transport, profile, recipients)
            .await;
        if let Some(requirements) = visit.requirements.filter(|_| conversation.past_hello) {
            self.warn(requirements.remark(&host.security, &host.name, conversation.tls.as_ref()));
        }
        ControlFlow::Continue(self.conclude(header, host, profile, conversation).await)
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

    /// The limits ended it for everybody.
    fn give_up(&mut self, header: AttemptHeader, why: Abort) {
        let cause = Cause::GivenUp(Stage::Connect, why);
        let index = self.attempts.len();
        self.record(header.attempt(&cause, None, Vec::new()));
        self.slow_addresses += 1;
        self.note_for_all(&cause, Some(index));
    }

    /// This machine lacks what every connection needs: nobody is to blame, and nobody else is tried.
    fn fall_short(&mut self, header: AttemptHeader, shortage: LocalError) -> ControlFlow<(), Attempted> {
        let cause = Cause::Local(Stage::Connect, shortage);
        let index = self.attempts.len();
        self.record(header.attempt(&cause, None, Vec::new()));
        self.note_for_all(&cause, Some(index));
        ControlFlow::Break(())
    }

    fn no_connection(
        &mut self,
        header: AttemptHeader,
        recipients: &[usize],
        failure: ConnectFailure,
    ) -> ControlFlow<(), Attempted> {
        // A way that this machine does not have, and a refusal that came at once, cost nothing.
        let cheap = matches!(
            failure,
            ConnectFailure::NoRoute(_)
                | ConnectFailure::NotOurs(_)
                | ConnectFailure::RefusedHere(_)
                | ConnectFailure::Failed(io::ErrorKind::ConnectionRefused)
        );
        self.slow_addresses += usize::from(!cheap);
        let attempted = self.not_spoken_with(header, recipients, &Cause::Connect(failure));
        // No other host is nearer by a proxy that cannot be used at all.
        if matches!(failure, ConnectFailure::Proxy(why) if !matches!(why, ProxyError::Refused(_))) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(attempted)
    }

    /// Nothing was said to this address; another one follows.
    fn not_spoken_with(&mut self, header: AttemptHeader, recipients: &[usize], cause: &Cause) -> Attempted {
        self.futile_attempts += 1;
        let index = self.attempts.len();
        self.record(header.attempt(cause, None, Vec::new()));
        self.note(recipients, cause, index);
        Attempted {
            index,
            next: recipients
                .iter()
                .map(|&recipient| (recipient, RetryAction::Address))
                .collect(),
            past_hello: false,
            content_begun: false,
            injected: false,
            wants_tls: false,
        }
    }
}

/// What this machine lacked for a connection, if that is why there is none.
fn shortage(error: &ConnectError, to: Option<IpAddr>) -> Option<LocalError> {
    match error {
        ConnectError::Proxy(_) => None,
        // That it is none of ours is not what the others say.
        ConnectError::SourceAddress { error, .. } if error.kind() == io::ErrorKind::AddrNotAvailable => None,
        ConnectError::Immediate(error)
        | ConnectError::Later(error)
        | ConnectError::SourceAddress { error, .. } => LocalError::of_connecting(error, to),
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
