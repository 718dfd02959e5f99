//! What happened in a world: mails and sessions, for whoever looks or waits.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A mail that a host took: it decided for a 2yz to its content.
///
/// It is here before the reply leaves, and also when a cut or a mute host keeps the reply back: then a mail was
/// delivered of which the client cannot know (<https://www.rfc-editor.org/rfc/rfc1047>).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail {
    /// The host's name in the script.
    pub host: String,
    /// What came behind EHLO or HELO.
    pub hello: String,
    /// What stood in `MAIL FROM:<…>`.
    pub reverse_path: String,
    /// What stood in each accepted `RCPT TO:<…>`.
    pub forward_paths: Vec<String>,
    /// The content, octets exact, dot-stuffing undone.
    pub content: Vec<u8>,
}

/// One connection that a host saw.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// The host's name in the script.
    pub host: String,
    /// Where it listened.
    pub address: IpAddr,
    /// Every octet the client sent, as long as the host listened.
    pub received: Vec<u8>,
    /// Every octet the host sent.
    pub sent: Vec<u8>,
    /// Contents for at least one accepted recipient whose end mark arrived here, whatever was answered: what may
    /// have been delivered.
    pub contents_complete: usize,
    /// Contents answered with 2yz, the whole reply given to the system to send.
    pub contents_accepted: usize,
    /// How often the client sent on although it had to wait for a reply first: without PIPELINING, or behind a
    /// command that must be the last of its group (<https://www.rfc-editor.org/rfc/rfc2920#section-3.1>).
    pub sent_ahead: usize,
    /// The connection is over.
    pub closed: bool,
}

/// Octets are shown as text: a test that fails is read by a person.
impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("host", &self.host)
            .field("hello", &self.hello)
            .field("reverse_path", &self.reverse_path)
            .field("forward_paths", &self.forward_paths)
            .field("content", &format_args!("b\"{}\"", self.content.escape_ascii()))
            .finish()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("host", &self.host)
            .field("address", &self.address)
            .field("received", &format_args!("b\"{}\"", self.received.escape_ascii()))
            .field("sent", &format_args!("b\"{}\"", self.sent.escape_ascii()))
            .field("contents_complete", &self.contents_complete)
            .field("contents_accepted", &self.contents_accepted)
            .field("sent_ahead", &self.sent_ahead)
            .field("closed", &self.closed)
            .finish()
    }
}

/// The log of one world. Clones are the same log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) mails: Vec<Mail>,
    sessions: BTreeMap<u64, Session>,
    next_session: u64,
    stopped: bool,
}

impl State {
    /// `None` when the log was cleared while the connection went on.
    pub(crate) fn session(&mut self, id: u64) -> Option<&mut Session> {
        self.sessions.get_mut(&id)
    }

    pub(crate) fn sessions(&self) -> Vec<Session> {
        self.sessions.values().cloned().collect()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped
    }

    fn is_quiet(&self) -> bool {
        self.sessions.values().all(|session| session.closed)
    }
}

impl Log {
    /// For a look, or for a change nobody waits for.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn open(&self, host: &str, address: IpAddr) -> u64 {
        let mut state = self.lock();
        let id = state.next_session;
        state.next_session = id.wrapping_add(1);
        let session = Session {
            host: host.to_owned(),
            address,
            received: Vec::new(),
            sent: Vec::new(),
            contents_complete: 0,
            contents_accepted: 0,
            sent_ahead: 0,
            closed: false,
        };
        state.sessions.insert(id, session);
        id
    }

    pub(crate) fn take(&self, mail: Mail) {
        self.lock().mails.push(mail);
        self.0.changed.notify_all();
    }

    pub(crate) fn close(&self, id: u64) {
        if let Some(session) = self.lock().session(id) {
            session.closed = true;
        }
        self.0.changed.notify_all();
    }

    /// Nothing comes any more: nobody needs to wait.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.0.changed.notify_all();
    }

    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        state.mails.clear();
        state.sessions.clear();
    }

    pub(crate) fn wait_for_mails(&self, count: usize, timeout: Duration) -> Vec<Mail> {
        self.wait(timeout, |state| state.mails.len() >= count)
            .mails
            .clone()
    }

    pub(crate) fn next_mail(&self, seen: usize, timeout: Duration) -> Option<Mail> {
        self.wait(timeout, |state| state.mails.len() > seen)
            .mails
            .get(seen)
            .cloned()
    }

    pub(crate) fn wait_for_quiet(&self, timeout: Duration) -> Vec<Session> {
        self.wait(timeout, State::is_quiet).sessions()
    }

    fn wait(&self, timeout: Duration, done: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        // A time that no clock can show is for ever.
        let end = Instant::now().checked_add(timeout);
        let mut state = self.lock();
        while !state.stopped && !done(&state) {
            let left = end.map_or(Duration::from_secs(3600), |end| {
                end.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                break;
            }
            (state, _) = self
                .0
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state
    }
}
