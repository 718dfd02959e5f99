//! `mapagent_sandbox._native`: the mail world of `map-sandbox` for Python. Nothing but translation.

#![forbid(unsafe_code)]
#![allow(
    clippy::doc_markdown,
    reason = "docstrings are read in Python, where backticks are no markup"
)]

use std::time::{Duration, Instant};

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyType};

/// How long a signal may wait until its Python handler runs.
const SLICE: Duration = Duration::from_millis(100);

pyo3::create_exception!(
    mapagent_sandbox,
    WorldError,
    PyValueError,
    "A script that cannot be read; `line` says where."
);

/// The private half of `mapagent_sandbox`; import that instead.
// Sound without the GIL: the classes are frozen, and what they hold is `Sync` by Rust's own check.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use super::{Authentication, Mail, PolicyFetch, Sandbox, Session, WorldError};

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("EXAMPLE_WORLD", map_sandbox::World::example_script())?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

/// A running mail world on loopback: a DNS server, mail hosts at one port, and what they took.
///
/// `world` is its script; EXAMPLE_WORLD is started when none is given. It ends with `close()`, or with its `with`
/// block, and belongs to the process that started it.
#[pyclass(frozen, module = "mapagent_sandbox")]
#[derive(Debug)]
struct Sandbox(map_sandbox::Sandbox);

#[pymethods]
impl Sandbox {
    #[new]
    #[pyo3(signature = (world=None))]
    fn new(py: Python<'_>, world: Option<&str>) -> PyResult<Self> {
        let world = match world {
            Some(script) => read(py, script)?,
            None => map_sandbox::World::example(),
        };
        let sandbox = py.detach(|| map_sandbox::Sandbox::start(&world));
        sandbox.map(Self).map_err(PyOSError::new_err)
    }

    /// Where its DNS listens, "127.0.0.1:port" (UDP and TCP).
    #[getter]
    fn dns_server(&self) -> String {
        self.0.dns_server().to_string()
    }

    /// The one port of all its mail hosts.
    #[getter]
    fn smtp_port(&self) -> u16 {
        self.0.smtp_port()
    }

    /// The one port of all its policy hosts of MTA-STS, on 127.0.0.1.
    #[getter]
    fn https_port(&self) -> u16 {
        self.0.https_port()
    }

    /// The key of the root, as a DNSKEY record in the form of a zone file; it signs a world that has a `signed` line.
    #[getter]
    fn trust_anchor(&self) -> String {
        self.0.trust_anchor()
    }

    /// The connections to policy hosts of MTA-STS so far.
    #[getter]
    fn policy_fetches(&self) -> Vec<PolicyFetch> {
        self.0.policy_fetches().into_iter().map(PolicyFetch).collect()
    }

    /// The certificate of its own authority, in PEM: whoever trusts it trusts the hosts whose certificates are good.
    #[getter]
    fn certificate_authority(&self) -> &str {
        self.0.certificate_authority()
    }

    /// The mails taken so far, in order.
    #[getter]
    fn mails(&self) -> Vec<Mail> {
        self.0.mails().into_iter().map(Mail).collect()
    }

    /// The connections so far, in the order in which they were made.
    #[getter]
    fn sessions(&self) -> Vec<Session> {
        self.0.sessions().into_iter().map(Session).collect()
    }

    /// Wait until at least `count` mails were taken; the mails there are then, or when `timeout` seconds are over.
    #[pyo3(signature = (count=1, timeout=Some(10.0)), text_signature = "($self, count=1, timeout=10.0)")]
    fn wait_for_mails(&self, py: Python<'_>, count: usize, timeout: Option<f64>) -> PyResult<Vec<Mail>> {
        let enough = |mails: &Vec<_>| mails.len() >= count || !self.0.is_running();
        let mails = wait(py, timeout, |slice| self.0.wait_for_mails(count, slice), enough)?;
        Ok(mails.into_iter().map(Mail).collect())
    }

    /// Wait until every connection is over; the connections when they are, or when `timeout` seconds are over.
    #[pyo3(signature = (timeout=Some(10.0)), text_signature = "($self, timeout=10.0)")]
    fn wait_for_quiet(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Vec<Session>> {
        let quiet = |sessions: &Vec<map_sandbox::Session>| {
            sessions.iter().all(|session| session.closed) || !self.0.is_running()
        };
        let sessions = wait(py, timeout, |slice| self.0.wait_for_quiet(slice), quiet)?;
        Ok(sessions.into_iter().map(Session).collect())
    }

    /// Put another world in the place of this one, at the same ports. Connections are counted from 1 again.
    fn set_world(&self, py: Python<'_>, world: &str) -> PyResult<()> {
        let world = read(py, world)?;
        py.detach(|| self.0.set_world(&world)).map_err(PyOSError::new_err)
    }

    /// Forget mails, sessions and policy fetches.
    fn clear(&self) {
        self.0.clear();
    }

    /// End the world. What was recorded stays.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.stop());
    }

    fn __enter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    #[pyo3(signature = (exception_type, exception, traceback))]
    fn __exit__(
        &self,
        py: Python<'_>,
        exception_type: Option<&Bound<'_, PyType>>,
        exception: Option<&Bound<'_, PyAny>>,
        traceback: Option<&Bound<'_, PyAny>>,
    ) {
        let _ = (exception_type, exception, traceback);
        self.close(py);
    }

    fn __repr__(&self) -> String {
        format!(
            "Sandbox(dns_server='{}', smtp_port={})",
            self.0.dns_server(),
            self.0.smtp_port()
        )
    }
}

/// A mail that a host took: it decided for a 2yz to its content.
#[pyclass(frozen, eq, module = "mapagent_sandbox")]
#[derive(PartialEq)]
struct Mail(map_sandbox::Mail);

#[pymethods]
impl Mail {
    /// The host's name in the script.
    #[getter]
    fn host(&self) -> &str {
        &self.0.host
    }

    /// What came after EHLO or HELO.
    #[getter]
    fn hello(&self) -> &str {
        &self.0.hello
    }

    /// What stood in `MAIL FROM:<…>`.
    #[getter]
    fn reverse_path(&self) -> &str {
        &self.0.reverse_path
    }

    /// What stood in each accepted `RCPT TO:<…>`.
    #[getter]
    fn forward_paths(&self) -> Vec<String> {
        self.0.forward_paths.clone()
    }

    /// The content, octets exact, dot-stuffing undone.
    #[getter]
    fn content<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.content)
    }

    /// The version of TLS it came over, like "TLSv1.3"; None in the clear.
    #[getter]
    fn tls(&self) -> Option<&str> {
        self.0.tls.as_deref()
    }

    /// Who had logged in, or None.
    #[getter]
    fn user(&self) -> Option<&str> {
        self.0.user.as_deref()
    }

    /// The content as an email.message.EmailMessage, read with email.policy.default.
    #[getter]
    fn message<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let policy = py.import("email.policy")?.getattr("default")?;
        let arguments = [("policy", policy)];
        let keywords = pyo3::types::IntoPyDict::into_py_dict(arguments, py)?;
        py.import("email")?
            .call_method("message_from_bytes", (self.content(py),), Some(&keywords))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let quoted = |text: &str| -> PyResult<String> { Ok(PyString::new(py, text).repr()?.to_string()) };
        let (host, from) = (quoted(&self.0.host)?, quoted(&self.0.reverse_path)?);
        let to = self.forward_paths().into_pyobject(py)?.repr()?.to_string();
        let octets = self.0.content.len();
        Ok(format!(
            "<Mail host={host} reverse_path={from} forward_paths={to} content of {octets} octets>"
        ))
    }
}

/// One AUTH command and what came of it.
#[pyclass(frozen, eq, module = "mapagent_sandbox")]
#[derive(PartialEq)]
struct Authentication(map_sandbox::Authentication);

#[pymethods]
impl Authentication {
    /// As the client named it, in capitals.
    #[getter]
    fn mechanism(&self) -> &str {
        &self.0.mechanism
    }

    /// Who the client said it is, if it came so far; else None.
    #[getter]
    fn user(&self) -> Option<&str> {
        self.0.user.as_deref()
    }

    /// It was not under TLS.
    #[getter]
    fn in_clear(&self) -> bool {
        self.0.in_clear
    }

    /// It ended with 235.
    #[getter]
    fn accepted(&self) -> bool {
        self.0.accepted
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mechanism = PyString::new(py, &self.0.mechanism).repr()?.to_string();
        let user = self.user().into_pyobject(py)?.repr()?.to_string();
        let outcome = if self.0.accepted { "accepted" } else { "refused" };
        Ok(format!(
            "<Authentication mechanism={mechanism} user={user} {outcome}>"
        ))
    }
}

/// One connection to a policy host of MTA-STS.
#[pyclass(frozen, eq, module = "mapagent_sandbox")]
#[derive(PartialEq)]
struct PolicyFetch(map_sandbox::PolicyFetch);

#[pymethods]
impl PolicyFetch {
    /// The name the client asked for in its ClientHello (SNI).
    #[getter]
    fn host(&self) -> &str {
        &self.0.host
    }

    /// What it asked for, if it came so far; else None.
    #[getter]
    fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// The status of the answer, if there was one; else None.
    #[getter]
    fn status(&self) -> Option<u16> {
        self.0.status
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let host = PyString::new(py, &self.0.host).repr()?.to_string();
        let path = self.path().into_pyobject(py)?.repr()?.to_string();
        let status = self.status().into_pyobject(py)?.repr()?.to_string();
        Ok(format!("<PolicyFetch host={host} path={path} status={status}>"))
    }
}

/// One connection that a host saw.
#[pyclass(frozen, eq, module = "mapagent_sandbox")]
#[derive(PartialEq)]
struct Session(map_sandbox::Session);

#[pymethods]
impl Session {
    /// The host's name in the script.
    #[getter]
    fn host(&self) -> &str {
        &self.0.host
    }

    /// The IP address where it listened.
    #[getter]
    fn address(&self) -> String {
        self.0.address.to_string()
    }

    /// Every octet the client said, as long as the host listened: in the clear, and under TLS without its wrapping.
    #[getter]
    fn received<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.received)
    }

    /// What of it was said in the clear.
    #[getter]
    fn received_in_clear<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.received_in_clear)
    }

    /// Whether a MAIL command came in the clear, answered or not.
    #[getter]
    fn mail_in_clear(&self) -> bool {
        self.0.mail_in_clear()
    }

    /// Every octet the host said, without what TLS adds.
    #[getter]
    fn sent<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.sent)
    }

    /// Octets of the client's on the wire, as a cut counts them.
    #[getter]
    fn wire_received(&self) -> usize {
        self.0.wire_received
    }

    /// Octets of the host's on the wire.
    #[getter]
    fn wire_sent(&self) -> usize {
        self.0.wire_sent
    }

    /// The name the client asked for in its ClientHello (SNI), or None.
    #[getter]
    fn server_name(&self) -> Option<&str> {
        self.0.server_name.as_deref()
    }

    /// The version of TLS, like "TLSv1.3", when a handshake was completed; else None.
    #[getter]
    fn tls(&self) -> Option<&str> {
        self.0.tls.as_deref()
    }

    /// Why a handshake failed, or the session after it, as far as the host can tell; else None.
    #[getter]
    fn tls_error(&self) -> Option<&str> {
        self.0.tls_error.as_deref()
    }

    /// The client ended TLS in good order, by its alert close_notify.
    #[getter]
    fn close_notify(&self) -> bool {
        self.0.close_notify
    }

    /// Each AUTH that was decided, in order.
    #[getter]
    fn authentications(&self) -> Vec<Authentication> {
        self.0
            .authentications
            .iter()
            .cloned()
            .map(Authentication)
            .collect()
    }

    /// Contents for at least one accepted recipient whose end mark arrived, whatever was answered.
    #[getter]
    fn contents_complete(&self) -> usize {
        self.0.contents_complete
    }

    /// Contents answered with 2yz, the whole reply given to the system to send.
    #[getter]
    fn contents_accepted(&self) -> usize {
        self.0.contents_accepted
    }

    /// How often the client sent on although it had to wait for a reply first.
    #[getter]
    fn sent_ahead(&self) -> usize {
        self.0.sent_ahead
    }

    /// The connection is over.
    #[getter]
    fn closed(&self) -> bool {
        self.0.closed
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let host = PyString::new(py, &self.0.host).repr()?.to_string();
        let state = if self.0.closed { "closed" } else { "open" };
        let (received, sent) = (self.0.received.len(), self.0.sent.len());
        Ok(format!(
            "<Session host={host} {state}, {received} octets received, {sent} sent>"
        ))
    }
}

/// # Errors
/// A `WorldError` that names the line.
fn read(py: Python<'_>, script: &str) -> PyResult<map_sandbox::World> {
    script.parse().map_err(|error: map_sandbox::WorldError| {
        let raised = WorldError::new_err(error.to_string());
        // An exception takes attributes; if it did not, its text would still name the line.
        let _ = raised.value(py).setattr("line", error.line);
        raised
    })
}

/// Waits in slices without holding up Python, and lets signal handlers run between them.
///
/// # Errors
/// A time that is none, and what a signal handler raises.
fn wait<T: Send>(
    py: Python<'_>,
    timeout: Option<f64>,
    look: impl Fn(Duration) -> T + Send + Sync,
    done: impl Fn(&T) -> bool,
) -> PyResult<T> {
    let timeout = match timeout {
        None => Duration::MAX,
        Some(seconds) => Duration::try_from_secs_f64(seconds)
            .map_err(|error| PyValueError::new_err(format!("timeout: {error}")))?,
    };
    // A time that no clock can show is for ever.
    let end = Instant::now().checked_add(timeout);
    loop {
        let left = end.map_or(SLICE, |end| end.saturating_duration_since(Instant::now()));
        let found = py.detach(|| look(left.min(SLICE)));
        py.check_signals()?;
        if done(&found) || left.is_zero() {
            return Ok(found);
        }
    }
}
