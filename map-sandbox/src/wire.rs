//! The octets of one connection: recorded both ways, stopped where a cut says.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::log::Log;
use crate::world::{After, Cut, Stop};

/// One connection of a host.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    log: Log,
    session: u64,
    cut: Option<Cut>,
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
        if !self.mute {
            self.pending.extend_from_slice(octets);
        }
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

    /// The octets that came, at least one.
    pub(crate) async fn receive(&mut self) -> Result<Vec<u8>, End> {
        let mut buffer = vec![0; self.read_size()];
        loop {
            self.stream.readable().await.map_err(|_| End::Gone)?;
            match self.stream.try_read(&mut buffer) {
                Ok(0) => return Err(End::Gone),
                Ok(count) => {
                    buffer.truncate(count);
                    self.received = self.received.saturating_add(count);
                    if let Some(session) = self.log.lock().session(self.session) {
                        session.received.extend_from_slice(&buffer);
                    }
                    return Ok(buffer);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Err(End::Gone),
            }
        }
    }

    /// Ends the connection in the way asked for; returns when the client has left, too.
    pub(crate) async fn finish(self, end: End) {
        match end {
            End::Gone => {}
            End::Stop(Stop::Reset) => {
                // A lingering time of zero makes a reset of the close that follows.
                let _ = self.stream.set_zero_linger();
            }
            End::Stop(Stop::Close) => {
                // Closing with unread octets would be a reset. The end of the stream goes out alone, and what
                // still comes is read and forgotten.
                let stream = self.stream;
                let Ok(stream) = stream.into_std() else { return };
                if stream.shutdown(std::net::Shutdown::Write).is_ok()
                    && let Ok(stream) = TcpStream::from_std(stream)
                {
                    drain(&stream).await;
                }
            }
            End::Stop(Stop::Silent) => drain(&self.stream).await,
            End::Stop(Stop::Stall) => stall(&self.stream).await,
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
                        session
                            .sent
                            .extend_from_slice(octets.get(..count).unwrap_or(octets));
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
