//! A mail host at work: accepts connections and plays each by its rules.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};

use crate::certificates::Authority;
use crate::log::Log;
use crate::smtp::{Next, Smtp, Stage, Turn};
use crate::wire::{End, Wire};
use crate::world::{Action, Cut, Host, Rule, Stop, TlsFault, TlsHow};

/// The alert `protocol_version`, fatal, in a record of TLS 1.0: what a server says that knows no newer version.
/// <https://www.rfc-editor.org/rfc/rfc5246#section-7.2>
const PROTOCOL_VERSION: &[u8] = &[21, 3, 1, 0, 2, 2, 70];
/// What a server says that takes a `ClientHello` for a command.
const NO_SERVER_HELLO: &[u8] = b"500 5.5.2 Command unrecognized\r\n";

/// A host of the world that is set, with what it counts.
#[derive(Debug)]
pub(crate) struct LiveHost {
    host: Host,
    /// One for each `tls` line.
    tls: Vec<Handshake>,
    connections: AtomicUsize,
}

/// What a host does with a `ClientHello`.
#[derive(Clone, Debug)]
enum Handshake {
    Fail(TlsFault),
    Make(Arc<ServerConfig>),
}

impl LiveHost {
    /// # Errors
    /// When a certificate for it cannot be made.
    pub(crate) fn new(host: Host, authority: &Authority) -> io::Result<Self> {
        let mut tls = Vec::new();
        for line in &host.tls {
            tls.push(match &line.how {
                TlsHow::Fault(fault) => Handshake::Fail(*fault),
                TlsHow::Session(shown) => {
                    let identity = authority.identity(&host.wanted(shown))?;
                    Handshake::Make(identity.server(shown.versions)?)
                }
            });
        }
        Ok(Self {
            host,
            tls,
            connections: AtomicUsize::new(0),
        })
    }
}

/// Who answers at an address; another may be put in its place.
#[derive(Clone, Debug)]
pub(crate) struct Seat(Arc<Mutex<Arc<LiveHost>>>);

impl Seat {
    pub(crate) fn new(host: Arc<LiveHost>) -> Self {
        Self(Arc::new(Mutex::new(host)))
    }

    pub(crate) fn set(&self, host: Arc<LiveHost>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = host;
    }

    fn host(&self) -> Arc<LiveHost> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Accepts connections until it is dropped.
pub(crate) async fn listen(listener: TcpListener, address: IpAddr, seat: Seat, log: Log) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let host = seat.host();
                let number = host.connections.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                let session = OpenSession {
                    log: log.clone(),
                    id: log.open(&host.host.name, address),
                };
                tokio::spawn(serve(stream, host, number, session));
            }
            // Out of descriptors, or a client that left at once. Without a pause the first would spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Marks its session closed, even when the sandbox stops in the middle of it.
#[derive(Debug)]
struct OpenSession {
    log: Log,
    id: u64,
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.log.close(self.id);
    }
}

async fn serve(stream: TcpStream, live: Arc<LiveHost>, number: usize, session: OpenSession) {
    let for_this = |cut: &&Cut| cut.connection == Some(number);
    let for_all = |cut: &&Cut| cut.connection.is_none();
    let cuts = &live.host.cuts;
    let cut = cuts
        .iter()
        .find(for_this)
        .or_else(|| cuts.iter().find(for_all))
        .copied();
    let tls = live
        .host
        .tls(number)
        .and_then(|index| live.host.tls.get(index).zip(live.tls.get(index)));
    let is_implicit = tls.is_some_and(|(line, _)| line.implicit);
    let mut connection = Connection {
        wire: Wire::new(stream, session.log.clone(), session.id, cut),
        smtp: Smtp::new(&live.host, tls.is_some() && !is_implicit),
        handshake: tls.map(|(_, handshake)| handshake),
        is_implicit,
        host: &live.host,
        number,
        turns: HashMap::new(),
        session: &session,
    };
    let mut end = connection.run().await;
    if end == End::Stop(Stop::Close) && connection.wire.is_mute() {
        end = End::Stop(Stop::Silent);
    }
    connection.wire.finish(end).await;
}

/// One session of a host.
struct Connection<'h> {
    wire: Wire,
    smtp: Smtp,
    handshake: Option<&'h Handshake>,
    /// TLS begins before the greeting.
    is_implicit: bool,
    host: &'h Host,
    /// Which connection of the host this is, from 1.
    number: usize,
    /// How often each stage came so far.
    turns: HashMap<Stage, usize>,
    session: &'h OpenSession,
}

impl<'h> Connection<'h> {
    async fn run(&mut self) -> End {
        match self.play().await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn play(&mut self) -> Result<std::convert::Infallible, End> {
        self.wire.check_start()?;
        if self.is_implicit {
            self.secure().await?;
        }
        let greeting = self.smtp.greet();
        self.turn(greeting).await?;
        loop {
            // Replies leave when no complete command waits any more, so that a flight is answered by a flight:
            // https://www.rfc-editor.org/rfc/rfc2920#section-3.2
            while let Some(turn) = self.smtp.poll() {
                self.turn(turn).await?;
            }
            self.wire.flush().await?;
            let octets = self.wire.receive().await?;
            self.smtp.push(&octets);
            if let Some(stop) = self.wire.is_cut_received() {
                return Err(self.last_octet(stop));
            }
        }
    }

    /// The octet before a cut was read: the host decides as ever, and cannot say so.
    fn last_octet(&mut self, stop: Stop) -> End {
        while let Some(turn) = self.smtp.poll() {
            let actions = self.begin(&turn);
            self.decide(actions, turn);
        }
        End::Stop(stop)
    }

    async fn turn(&mut self, turn: Turn) -> Result<(), End> {
        let actions = self.begin(&turn);
        let answer = turn.answer.clone();
        let decision = self.decide(actions, turn);
        let mut accepts = decision == Decision::Accept;
        for action in actions {
            match action {
                Action::Answer | Action::Raw(_) | Action::Reply(_) => {
                    self.wire.say(spoken(action, &answer).unwrap_or_default());
                    // What is said after the first reply nobody asked for, and nothing follows from it.
                    if std::mem::take(&mut accepts) {
                        self.wire.mark_acceptance();
                    }
                }
                Action::Delay(time) => {
                    self.wire.flush().await?;
                    tokio::time::sleep(*time).await;
                }
                Action::Drip(pause) => {
                    self.wire.flush().await?;
                    self.wire.set_drip(Some(*pause));
                }
                Action::Stop(Stop::Silent) => {
                    self.wire.flush().await?;
                    self.wire.silence();
                }
                Action::Stop(stop) => {
                    self.wire.flush().await?;
                    return Err(End::Stop(*stop));
                }
            }
        }
        if actions.iter().any(|action| matches!(action, Action::Drip(_))) {
            self.wire.flush().await?;
            self.wire.set_drip(None);
        }
        match decision {
            Decision::Accept | Decision::Go => Ok(()),
            Decision::Leave => {
                self.wire.flush().await?;
                Err(End::Stop(Stop::Close))
            }
            Decision::Secure => {
                self.wire.flush().await?;
                self.secure().await
            }
        }
    }

    /// The handshake, or what is in its place.
    async fn secure(&mut self) -> Result<(), End> {
        match self.handshake {
            None => {}
            Some(Handshake::Make(config)) => {
                let version = self.wire.secure(Arc::clone(config)).await?;
                self.smtp.secured(version);
            }
            Some(Handshake::Fail(fault)) => {
                self.wire.hear_client_hello().await?;
                let (answer, stop): (&[u8], _) = match fault {
                    TlsFault::Break => (b"", Stop::Close),
                    TlsFault::Garbage => (NO_SERVER_HELLO, Stop::Silent),
                    TlsFault::Old => (PROTOCOL_VERSION, Stop::Close),
                    TlsFault::Reset => (b"", Stop::Reset),
                    TlsFault::Stall => (b"", Stop::Silent),
                };
                self.wire.say(answer);
                self.wire.flush().await?;
                return Err(End::Stop(stop));
            }
        }
        Ok(())
    }

    /// Counts the turn and finds what is to be done.
    fn begin(&mut self, turn: &Turn) -> &'h [Action] {
        let times = self.turns.entry(turn.stage).or_default();
        *times = times.saturating_add(1);
        let times = *times;
        // The end mark of nobody's mail delivers nothing.
        let complete = turn.stage == Stage::Content && self.smtp.has_recipients();
        let ahead = self.smtp.is_ahead(turn);
        if let Some(session) = self.session.log.lock().session(self.session.id) {
            session.contents_complete = session.contents_complete.saturating_add(usize::from(complete));
            session.sent_ahead = session.sent_ahead.saturating_add(usize::from(ahead));
        }
        let fits = |rule: &&Rule| {
            rule.stage == turn.stage
                && rule.connection.is_none_or(|number| number == self.number)
                && rule.nth.is_none_or(|nth| nth == times)
                && rule
                    .argument
                    .as_ref()
                    .is_none_or(|pattern| pattern.fits(&turn.argument))
        };
        // Of rules with the same weight `max_by_key` takes the last, and the first shall count.
        let rule = self
            .host
            .rules
            .iter()
            .rev()
            .filter(fits)
            .max_by_key(|rule| rule.weight());
        rule.map_or(ANSWER, |rule| &rule.actions)
    }

    /// What follows from the first reply of `actions`.
    fn decide(&mut self, actions: &[Action], turn: Turn) -> Decision {
        let answer = turn.answer.clone();
        let said = actions
            .iter()
            .find_map(|action| spoken(action, &answer))
            .unwrap_or_default();
        let next = self.smtp.replied(turn, said);
        let authentications = self.smtp.authentications();
        if let Some(session) = self.session.log.lock().session(self.session.id) {
            session.authentications.extend(authentications);
        }
        match next {
            Next::Go => Decision::Go,
            Next::Leave => Decision::Leave,
            Next::Secure => Decision::Secure,
            Next::Take(mail) => {
                self.session.log.take(mail);
                Decision::Accept
            }
        }
    }
}

/// What a host does where no rule fits.
const ANSWER: &[Action] = &[Action::Answer];

/// What follows from a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Accept,
    Go,
    Leave,
    Secure,
}

fn spoken<'a>(action: &'a Action, answer: &'a [u8]) -> Option<&'a [u8]> {
    match action {
        Action::Answer => Some(answer),
        Action::Raw(octets) | Action::Reply(octets) => Some(octets),
        Action::Delay(_) | Action::Drip(_) | Action::Stop(_) => None,
    }
}
