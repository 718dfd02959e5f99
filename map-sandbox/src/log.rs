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
    /// What came after EHLO or HELO.
    pub hello: String,
    /// What stood in `MAIL FROM:<…>`.
    pub reverse_path: String,
    /// What stood in each accepted `RCPT TO:<…>`.
    pub forward_paths: Vec<String>,
    /// The content, octets exact, dot-stuffing undone.
    pub content: Vec<u8>,
    /// The version of TLS it came over, like `TLSv1.3`; `None` in the clear.
    pub tls: Option<String>,
    /// Who had logged in.
    pub user: Option<String>,
}

/// One AUTH command and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Authentication {
    /// As the client named it, in capitals.
    pub mechanism: String,
    /// Who the client said it is, if it came so far.
    pub user: Option<String>,
    /// It was not under TLS.
    pub in_clear: bool,
    /// It ended with 235.
    pub accepted: bool,
}

/// One connection to a policy host of MTA-STS.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyFetch {
    /// The name the client asked for in its `ClientHello` (SNI).
    pub host: String,
    /// What it asked for, if it came so far.
    pub path: Option<String>,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
}

/// One connection that a host saw.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// The host's name in the script.
    pub host: String,
    /// Where it listened.
    pub address: IpAddr,
    /// Every octet the client said, as long as the host listened: in the clear, and under TLS without its wrapping.
    pub received: Vec<u8>,
    /// What of it was said in the clear.
    pub received_in_clear: Vec<u8>,
    /// Every octet the host said, without what TLS adds.
    pub sent: Vec<u8>,
    /// Octets of the client's on the wire, as a cut counts them: with the handshake and the wrapping of TLS.
    pub wire_received: usize,
    /// Octets of the host's on the wire.
    pub wire_sent: usize,
    /// The name the client asked for in its `ClientHello` (SNI).
    pub server_name: Option<String>,
    /// The version of TLS, like `TLSv1.3`, when a handshake was completed.
    pub tls: Option<String>,
    /// Why a handshake failed, or the session after it, as far as the host can tell.
    pub tls_error: Option<String>,
    /// The client ended TLS in good order, by its alert `close_notify`.
    pub close_notify: bool,
    /// Each AUTH that was decided, in order.
    pub authentications: Vec<Authentication>,
    /// Contents for at least one accepted recipient whose end mark arrived here, whatever was answered: what may
    /// have been delivered.
    pub contents_complete: usize,
    /// Contents answered with 2yz, the whole reply given to the system to send.
    pub contents_accepted: usize,
    /// How often the client sent on although it had to wait for a reply first: without PIPELINING, or after a
    /// command that must be the last of its group (<https://www.rfc-editor.org/rfc/rfc2920#section-3.1>).
    pub sent_ahead: usize,
    /// The connection is over.
    pub closed: bool,
}

impl Session {
    /// Whether a MAIL command came in the clear, answered or not.
    pub fn mail_in_clear(&self) -> bool {
        self.received_in_clear
            .split(|&octet| octet == b'\n')
            .filter_map(|line| line.get(..5))
            .any(|verb| verb.eq_ignore_ascii_case(b"MAIL "))
    }
}

/// Octets are shown as text: a test that fails is read by a person.
impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("host", &self.host)
            .field("hello", &self.hello)
            .field("reverse_path", &self.reverse_path)
            .field("forward_paths", &self.forward_paths)
            .field("content", &Text(&self.content))
            .field("tls", &self.tls)
            .field("user", &self.user)
            .finish()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("host", &self.host)
            .field("address", &self.address)
            .field("received", &Text(&self.received))
            .field("received_in_clear", &Text(&self.received_in_clear))
            .field("sent", &Text(&self.sent))
            .field("wire_received", &self.wire_received)
            .field("wire_sent", &self.wire_sent)
            .field("server_name", &self.server_name)
            .field("tls", &self.tls)
            .field("tls_error", &self.tls_error)
            .field("close_notify", &self.close_notify)
            .field("authentications", &self.authentications)
            .field("contents_complete", &self.contents_complete)
            .field("contents_accepted", &self.contents_accepted)
            .field("sent_ahead", &self.sent_ahead)
            .field("closed", &self.closed)
            .finish()
    }
}

struct Text<'o>(&'o [u8]);

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
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
    fetches: BTreeMap<u64, PolicyFetch>,
    next_fetch: u64,
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

    pub(crate) fn fetches(&self) -> Vec<PolicyFetch> {
        self.fetches.values().cloned().collect()
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
            received_in_clear: Vec::new(),
            sent: Vec::new(),
            wire_received: 0,
            wire_sent: 0,
            server_name: None,
            tls: None,
            tls_error: None,
            close_notify: false,
            authentications: Vec::new(),
            contents_complete: 0,
            contents_accepted: 0,
            sent_ahead: 0,
            closed: false,
        };
        state.sessions.insert(id, session);
        id
    }

    pub(crate) fn open_fetch(&self, host: &str) -> u64 {
        let mut state = self.lock();
        let id = state.next_fetch;
        state.next_fetch = id.wrapping_add(1);
        let fetch = PolicyFetch {
            host: host.to_owned(),
            path: None,
            status: None,
        };
        state.fetches.insert(id, fetch);
        id
    }

    pub(crate) fn fetch(&self, id: u64, change: impl FnOnce(&mut PolicyFetch)) {
        if let Some(fetch) = self.lock().fetches.get_mut(&id) {
            change(fetch);
        }
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
        state.fetches.clear();
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
