//! The octets of one connection: recorded both ways, under TLS where it began, stopped where a cut says.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use rustls::server::Acceptor;
use rustls::{ServerConfig, ServerConnection};
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::log::{Log, Session};
use crate::world::{After, Cut, Stop};

/// One connection of a host.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    log: Log,
    session: u64,
    cut: Option<Cut>,
    tls: Option<Box<Tls>>,
    /// Octets given to the system so far, and octets read.
    sent: usize,
    received: usize,
    /// What is to leave with the next flush.
    pending: Vec<u8>,
    /// For each reply that accepts a content: how many octets were sent when it is complete.
    acceptances: VecDeque<usize>,
    /// A pause before each octet.
    drip: Option<Duration>,
    /// Nothing is said any more.
    mute: bool,
}

/// The session that wraps what is said. It is driven by hand, so that a cut can count its octets.
#[derive(Debug)]
struct Tls {
    connection: ServerConnection,
    /// What came, unwrapped, and was not asked for yet.
    heard: Vec<u8>,
    /// For each thing said: how many octets were sent when it is complete.
    said: VecDeque<(usize, Vec<u8>)>,
    /// The client has ended the session.
    ended: bool,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client left.
    Gone,
    /// The host stops.
    Stop(Stop),
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, log: Log, session: u64, cut: Option<Cut>) -> Self {
        // Without it the kernel would hold small replies back; an error only makes it slower.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            log,
            session,
            cut,
            tls: None,
            sent: 0,
            received: 0,
            pending: Vec::new(),
            acceptances: VecDeque::new(),
            drip: None,
            mute: false,
        }
    }

    /// Puts octets in front of the next flush.
    pub(crate) fn say(&mut self, octets: &[u8]) {
        if self.mute {
            return;
        }
        let Some(tls) = &mut self.tls else {
            self.pending.extend_from_slice(octets);
            return;
        };
        // Its buffer has no limit, and a vector takes everything.
        let _ = tls.connection.writer().write_all(octets);
        tls.wrap(&mut self.pending);
        let end = self.sent.saturating_add(self.pending.len());
        tls.said.push_back((end, octets.to_vec()));
    }

    /// What was said last accepts a content.
    pub(crate) fn mark_acceptance(&mut self) {
        if !self.mute {
            self.acceptances
                .push_back(self.sent.saturating_add(self.pending.len()));
        }
    }

    pub(crate) fn set_drip(&mut self, pause: Option<Duration>) {
        self.drip = pause;
    }

    pub(crate) fn is_mute(&self) -> bool {
        self.mute
    }

    /// From here on the host says nothing, but goes on listening.
    pub(crate) fn silence(&mut self) {
        self.mute = true;
        self.pending.clear();
        if let Some(tls) = &mut self.tls {
            tls.said.clear();
        }
    }

    /// A cut that waits for no octet.
    pub(crate) fn check_start(&mut self) -> Result<(), End> {
        match self.cut {
            Some(Cut {
                after: After::Received(0) | After::Sent(0),
                stop,
                ..
            }) => self.stop_at_cut(stop),
            _ => Ok(()),
        }
    }

    /// Whether the last octet before a cut is here: it may change the host's mind, but is never answered.
    pub(crate) fn is_cut_received(&self) -> Option<Stop> {
        match self.cut {
            Some(Cut {
                after: After::Received(limit),
                stop,
                ..
            }) if self.received >= limit => Some(stop),
            _ => None,
        }
    }

    /// Gives to the system what was said.
    pub(crate) async fn flush(&mut self) -> Result<(), End> {
        let octets = std::mem::take(&mut self.pending);
        let mut rest = octets.as_slice();
        while !rest.is_empty() {
            let mut count = rest.len();
            if let Some(pause) = self.drip {
                tokio::time::sleep(pause).await;
                count = 1;
            }
            if let Some(Cut {
                after: After::Sent(limit),
                ..
            }) = self.cut
            {
                count = count.min(limit.saturating_sub(self.sent));
            }
            let written = self
                .write(rest.get(..count).unwrap_or(rest))
                .await
                .map_err(|_| End::Gone)?;
            rest = rest.get(written..).unwrap_or_default();
            if let Some(Cut {
                after: After::Sent(limit),
                stop,
                ..
            }) = self.cut
                && self.sent >= limit
            {
                return self.stop_at_cut(stop);
            }
        }
        Ok(())
    }

    /// The octets that came, at least one; under TLS what was in them.
    pub(crate) async fn receive(&mut self) -> Result<Vec<u8>, End> {
        loop {
            let Some(tls) = &mut self.tls else {
                let octets = self.read().await?;
                self.record(|session| {
                    session.received.extend_from_slice(&octets);
                    session.received_in_clear.extend_from_slice(&octets);
                });
                return Ok(octets);
            };
            let heard = std::mem::take(&mut tls.heard);
            if !heard.is_empty() {
                self.record(|session| session.received.extend_from_slice(&heard));
                return Ok(heard);
            }
            if tls.ended {
                return Err(End::Gone);
            }
            self.exchange().await?;
        }
    }

    /// Makes the handshake of TLS; the version it came to.
    pub(crate) async fn secure(&mut self, config: Arc<ServerConfig>) -> Result<String, End> {
        let mut connection =
            ServerConnection::new(config).map_err(|error| self.failed(&error.to_string()))?;
        connection.set_buffer_limit(None);
        self.tls = Some(Box::new(Tls {
            connection,
            heard: Vec::new(),
            said: VecDeque::new(),
            ended: false,
        }));
        loop {
            if let Some(version) = self.tls.as_ref().and_then(|tls| tls.version()) {
                self.record(|session| session.tls = Some(version.clone()));
                return Ok(version);
            }
            self.exchange().await?;
        }
    }

    /// Waits for the `ClientHello` of a handshake that comes to nothing.
    pub(crate) async fn hear_client_hello(&mut self) -> Result<(), End> {
        let mut acceptor = Acceptor::default();
        loop {
            let octets = self.read().await?;
            let mut rest = octets.as_slice();
            while matches!(acceptor.read_tls(&mut rest), Ok(count) if count > 0) {
                match acceptor.accept() {
                    Ok(None) => {}
                    Ok(Some(accepted)) => {
                        let name = accepted.client_hello().server_name().map(str::to_owned);
                        self.record(|session| session.server_name = name);
                        return Ok(());
                    }
                    Err((error, _)) => return Err(self.failed(&error.to_string())),
                }
            }
            self.check_received()?;
        }
    }

    /// Reads once, and lets TLS make of it what it can.
    async fn exchange(&mut self) -> Result<(), End> {
        let octets = self.read().await?;
        let Some(tls) = &mut self.tls else {
            return Ok(());
        };
        let outcome = tls.take(&octets);
        let name = tls.connection.server_name().map(str::to_owned);
        let ended = tls.ended;
        // Also the alert that says why it failed.
        if !self.mute {
            tls.wrap(&mut self.pending);
        }
        self.record(|session| {
            session.server_name = name;
            session.close_notify = ended;
        });
        if let Err(error) = outcome {
            let end = self.failed(&error.to_string());
            self.flush().await?;
            return Err(end);
        }
        self.flush().await?;
        if self.tls.as_ref().is_some_and(|tls| tls.heard.is_empty()) {
            self.check_received()?;
        }
        Ok(())
    }

    /// Why TLS came to nothing; the host hangs up then.
    fn failed(&self, why: &str) -> End {
        self.record(|session| session.tls_error = Some(why.to_owned()));
        End::Stop(Stop::Close)
    }

    fn record(&self, what: impl FnOnce(&mut Session)) {
        if let Some(session) = self.log.lock().session(self.session) {
            what(session);
        }
    }

    fn check_received(&self) -> Result<(), End> {
        self.is_cut_received().map_or(Ok(()), |stop| Err(End::Stop(stop)))
    }

    /// The octets that came on the wire, at least one.
    async fn read(&mut self) -> Result<Vec<u8>, End> {
        let mut buffer = vec![0; self.read_size()];
        loop {
            self.stream.readable().await.map_err(|_| End::Gone)?;
            match self.stream.try_read(&mut buffer) {
                Ok(0) => return Err(End::Gone),
                Ok(count) => {
                    buffer.truncate(count);
                    self.received = self.received.saturating_add(count);
                    let received = self.received;
                    self.record(|session| session.wire_received = received);
                    return Ok(buffer);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Err(End::Gone),
            }
        }
    }

    /// Ends the connection in the way asked for; returns when the client has left, too.
    pub(crate) async fn finish(mut self, end: End) {
        if matches!(end, End::Gone | End::Stop(Stop::Close)) {
            self.end_tls().await;
        }
        match end {
            End::Gone => {}
            End::Stop(Stop::Reset) => {
                // A lingering time of zero makes a reset of the close that follows.
                let _ = self.stream.set_zero_linger();
            }
            End::Stop(Stop::Close) => {
                // Closing with unread octets would be a reset. The end of the stream goes out alone, and what
                // still comes is read and forgotten.
                if SockRef::from(&self.stream).shutdown(Shutdown::Write).is_ok() {
                    self.hear_end_of_tls().await;
                    drain(&self.stream).await;
                }
            }
            End::Stop(Stop::Silent) => drain(&self.stream).await,
            End::Stop(Stop::Stall) => stall(&self.stream).await,
        }
    }

    /// Says `close_notify`, as a server does that leaves by its own will.
    async fn end_tls(&mut self) {
        let is_cut = matches!(self.cut, Some(Cut { after: After::Sent(limit), .. }) if self.sent >= limit);
        if self.mute || is_cut || self.is_cut_received().is_some() {
            return;
        }
        if let Some(tls) = &mut self.tls {
            tls.connection.send_close_notify();
            tls.wrap(&mut self.pending);
            // The client may be gone.
            let _ = self.flush().await;
        }
    }

    /// Listens only for how the client ends TLS.
    async fn hear_end_of_tls(&mut self) {
        while let Some(tls) = &self.tls
            && !tls.ended
            && let Ok(octets) = self.read().await
        {
            let Some(Ok(())) = self.tls.as_mut().map(|tls| tls.take(&octets)) else {
                return;
            };
            let ended = self.tls.as_ref().is_some_and(|tls| tls.ended);
            self.record(|session| session.close_notify = ended);
        }
    }

    /// Stopping by silence leaves the session going, without a voice.
    fn stop_at_cut(&mut self, stop: Stop) -> Result<(), End> {
        if stop == Stop::Silent && self.is_cut_received().is_none() {
            self.silence();
            return Ok(());
        }
        Err(End::Stop(stop))
    }

    /// How much may be read at once: the last octet before a cut comes alone, so that all before it is answered.
    fn read_size(&self) -> usize {
        const MOST: usize = 64 * 1024;
        match self.cut {
            Some(Cut {
                after: After::Received(limit),
                ..
            }) => match limit.saturating_sub(self.received) {
                0 | 1 => 1,
                left => left.saturating_sub(1).min(MOST),
            },
            _ => MOST,
        }
    }

    /// Writes and records under one lock: who sees the octets arrive finds them recorded.
    async fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        loop {
            self.stream.writable().await?;
            let mut log = self.log.lock();
            match self.stream.try_write(octets) {
                Ok(count) => {
                    self.sent = self.sent.saturating_add(count);
                    let mut accepted = 0_usize;
                    while self.acceptances.front().is_some_and(|&mark| mark <= self.sent) {
                        self.acceptances.pop_front();
                        accepted = accepted.saturating_add(1);
                    }
                    if let Some(session) = log.session(self.session) {
                        match &mut self.tls {
                            None => session
                                .sent
                                .extend_from_slice(octets.get(..count).unwrap_or(octets)),
                            Some(tls) => tls.sent_up_to(self.sent, &mut session.sent),
                        }
                        session.wire_sent = self.sent;
                        session.contents_accepted = session.contents_accepted.saturating_add(accepted);
                    }
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Tls {
    /// Once the handshake is complete.
    fn version(&self) -> Option<String> {
        if self.connection.is_handshaking() {
            return None;
        }
        let version = self.connection.protocol_version()?;
        Some(version.as_str()?.replace('_', "."))
    }

    /// Unwraps what came.
    fn take(&mut self, octets: &[u8]) -> Result<(), rustls::Error> {
        let mut rest = octets;
        // It takes nothing any more after the client's `close_notify`.
        while matches!(self.connection.read_tls(&mut rest), Ok(count) if count > 0) {
            let state = self.connection.process_new_packets()?;
            self.ended = state.peer_has_closed();
            let mut heard = vec![0; state.plaintext_bytes_to_read()];
            let count = self.connection.reader().read(&mut heard).unwrap_or(0);
            self.heard
                .extend_from_slice(heard.get(..count).unwrap_or_default());
        }
        Ok(())
    }

    /// What is to be sent next.
    fn wrap(&mut self, pending: &mut Vec<u8>) {
        while self.connection.wants_write() {
            // A vector takes everything.
            let _ = self.connection.write_tls(pending);
        }
    }

    /// So many octets were sent: what was said with them is recorded.
    fn sent_up_to(&mut self, sent: usize, record: &mut Vec<u8>) {
        while self.said.front().is_some_and(|&(end, _)| end <= sent) {
            record.extend(self.said.pop_front().map(|(_, said)| said).unwrap_or_default());
        }
    }
}

/// Reads until the client leaves.
async fn drain(stream: &TcpStream) {
    let mut buffer = [0; 4096];
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        match stream.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// Reads nothing until the client leaves.
async fn stall(stream: &TcpStream) {
    // Readiness to read stays as long as nothing is read, so the end of the client can only be asked for.
    let mut looks = tokio::time::interval(Duration::from_millis(10));
    loop {
        looks.tick().await;
        match stream.ready(tokio::io::Interest::READABLE).await {
            Ok(ready) if !ready.is_read_closed() => {}
            _ => return,
        }
    }
}
