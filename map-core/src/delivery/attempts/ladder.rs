//! The addresses of one host, and how each is opened: with TLS, in the clear, with HELO.

use super::{Delivery, Host, Trail};
use crate::delivery::protection::Demands;
use crate::delivery::report::Stage;
use crate::delivery::verdict::{Cause, ConnectFailure, is_refusal_of_our_address, settles, verdict};
use crate::net::{ConnectByName, ConnectError, ProxyError, Transport};
use crate::route::HostName;
use crate::smtp::{Hello, TlsUse};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
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

    /// An address of the other family; a name is of neither.
    fn is_of_other_family_than(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Address(one), Self::Address(other)) => one.is_ipv4() != other.is_ipv4(),
            _ => false,
        }
    }
}

/// How a connection is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) hello: Hello,
    pub(super) tls: TlsUse,
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
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

/// An attempt is over.
pub(super) struct Attempted {
    /// Its place among the attempts.
    pub(super) index: usize,
    pub(super) next: Next,
    pub(super) past_hello: bool,
    /// Somebody wrote in the clear into the beginning of TLS.
    pub(super) injected: bool,
    /// The host takes mail only over TLS, and was spoken with in the clear.
    pub(super) wants_tls: bool,
}

/// How one address was tried before the opening it is tried with now.
#[derive(Default)]
struct Before {
    attempts: Vec<usize>,
    /// TLS broke, and it may well have taken its time.
    tls_broke: bool,
}

impl Delivery<'_> {
    /// `demands` are those of the recipient's domain; a relay has none.
    pub(super) async fn try_destinations(
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
                self.supersede(&before);
                if before.tls_broke {
                    self.environment.broken_tls.remember(&host.name);
                }
                self.hosts_past_hello += usize::from(!past_hello);
                past_hello = true;
            }
            if attempt.wants_tls {
                // Without it there is nothing to be had: the next mail is worth another handshake.
                self.environment.broken_tls.forget(&host.name);
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
    /// the mail any more.
    fn supersede(&mut self, before: &Before) {
        for recipient in &mut self.recipients {
            recipient
                .causes
                .retain(|(_, attempt)| !attempt.is_some_and(|attempt| before.attempts.contains(&attempt)));
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
        self.meter.reach(Stage::Connect);
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
        self.meter.reach(Stage::Greeting);
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
            wants_tls: false,
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
