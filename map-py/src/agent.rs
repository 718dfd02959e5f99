//! `Agent`, and the default agent behind `mapagent.send`.

use crate::config::config;
use crate::message::{Message, not_inside_a_callable, wait};
use crate::report::Report;
use crate::text::octets;
use arc_swap::ArcSwapOption;
use map_core::protocol::Fields;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use std::sync::Arc;

/// Delivers mail by a configuration of its own. Safe to use from many threads at once.
///
/// The road:
/// dns_servers: the DNS servers to ask, such as `["127.0.0.1:5300"]`; the system's when None.
/// dns_trust_anchor: the DNSKEY records of the root to trust for DNSSEC, as `dig . DNSKEY` prints them; those of the
///     Internet when None.
/// smtp_port: the port of mail hosts.
/// hello_name: the name in EHLO; the machine's own when None or empty.
/// source_address: the address of this machine that connections come from, or one of each family; the system's choice
///     when None.
/// proxy: a SOCKS5 proxy: `"socks5://user:password@host:1080"`, which is given addresses, or `"socks5h://..."`, which is
///     given names and looks them up; none when None or empty.
/// relay: a Relay that all mail is handed to instead of the recipients' own mail hosts.
/// dkim_signers: DkimSigners that sign what is sent from their domains.
/// chunking: when a content goes in chunks (BDAT) to a host that offers it: "auto", for large and binary ones, "prefer" or
///     "avoid".
/// allow_loopback: take mail hosts on loopback: tests and the sandbox.
/// public_only: refuse mail hosts in private networks.
/// require_mx: take no domain without an MX record.
///
/// Protection:
/// require_tls: send only over TLS, and only to a mail host that has proved who it is. Much of the Internet's mail cannot
///     be delivered with it.
/// dane: verify mail hosts by DANE, the signed records of their zones.
/// mta_sts: follow the MTA-STS policies of recipients' domains.
/// tls_roots: certificate authorities to trust, too: the text of certificates in PEM, not the name of a file.
/// platform_roots: trust the certificate authorities of the platform.
/// https_port: the port where MTA-STS policies are fetched, for tests.
///
/// Time:
/// deadline: seconds that one send may take in all, the DNS included; None for no limit but those of the exchange.
/// timeouts: seconds for single steps, such as `{"connect": 5}`; the names are connect, greeting, hello, starttls, tls,
///     auth, mail, rcpt, data, content, content_block, final_reply, quit, replies (all of them together, and slow contents)
///     and start.
///
/// Port 25:
/// port25_check: ask hosts of large providers, when no mail host could be connected to, whether outgoing port 25 is
///     blocked; without it RE_PORT_BLOCKED never comes.
/// port25_probe_hosts: ask these instead: `{"mail": ["mx.example.net"], "web": ["www.example.net:443"]}`.
///
/// Raises ValueError for a setting that cannot be.
#[pyclass(frozen, module = "mapagent")]
pub(crate) struct Agent {
    /// None once it is closed. Swapped without a lock: a lock that another thread held at the moment of a fork would
    /// stay locked in the child for ever.
    agent: ArcSwapOption<map_core::Agent>,
}

#[pymethods]
impl Agent {
    #[new]
    #[pyo3(signature = (**keywords), text_signature = "(*, dns_servers=None, dns_trust_anchor=None, smtp_port=25, hello_name=None, source_address=None, \
        proxy=None, relay=None, dkim_signers=None, chunking='auto', allow_loopback=False, public_only=False, require_mx=False, require_tls=False, dane=True, \
        mta_sts=True, tls_roots=None, platform_roots=True, https_port=443, deadline=None, timeouts=None, port25_check=True, \
        port25_probe_hosts=None)")]
    fn new(keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let config = config(keywords)?;
        Ok(Self {
            agent: ArcSwapOption::from_pointee(map_core::Agent::new(config)),
        })
    }

    /// Sends one mail and waits for its report.
    ///
    /// progress: is called with a Progress, in this thread: at once, then every PROGRESS_INTERVAL seconds whether that has
    ///     changed or not, and once more at the end if it has changed since.
    ///
    /// It does not raise for what becomes of a mail: the report says that. Ctrl-C cancels the send and raises
    /// SendInterrupted, which carries the report; what progress raises cancels it as well, at once, and has the report as
    /// its attribute.
    #[pyo3(signature = (from_, to, subject, content, *, progress=None))]
    fn send(
        &self,
        py: Python<'_>,
        from_: &Bound<'_, PyString>,
        to: &Bound<'_, PyString>,
        subject: &Bound<'_, PyString>,
        content: &Bound<'_, PyString>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<Report>> {
        let agent = self.here()?;
        send_texts(py, &agent, [from_, to, subject, content], progress)
    }

    /// Sends a message to all of its recipients, each once, and waits for its report, which has a part for each.
    ///
    /// message: a Message, or one of Python's email package, which Message.from_email() takes.
    /// progress: is called with a Progress, in this thread: at once, then every PROGRESS_INTERVAL seconds whether that has
    ///     changed or not, and once more at the end if it has changed since.
    ///
    /// It does not raise for what becomes of a mail: the report says that. Ctrl-C cancels the send and raises
    /// SendInterrupted, which carries the report; what progress or a callable of the message raises cancels it as well, and
    /// has the report as its attribute.
    #[pyo3(signature = (message, *, progress=None))]
    fn send_message(
        &self,
        message: &Bound<'_, PyAny>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<Report>> {
        deliver(&*self.here()?, message, progress)
    }

    /// Takes no more mail. A send under way in another thread goes on to its report.
    fn close(&self, py: Python<'_>) {
        let agent = self.agent.swap(None);
        py.detach(|| drop(agent));
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, pyo3::types::PyTuple>) {
        self.close(py);
    }

    fn __repr__(&self) -> &'static str {
        match *self.agent.load() {
            Some(_) => "<mapagent.Agent>",
            None => "<mapagent.Agent, closed>",
        }
    }

    #[expect(clippy::unused_self, reason = "Python calls it on an instance")]
    fn __reduce__(&self) -> PyResult<Py<PyAny>> {
        Err(PyTypeError::new_err(
            "an Agent cannot be pickled: make one in each process",
        ))
    }
}

impl Agent {
    /// The core's agent of this process: made anew, by the same configuration, in a forked child.
    pub(crate) fn here(&self) -> PyResult<Arc<map_core::Agent>> {
        loop {
            let agent = self
                .agent
                .load_full()
                .ok_or_else(|| PyRuntimeError::new_err("this Agent is closed"))?;
            if agent.is_of_this_process() {
                return Ok(agent);
            }
            let anew = Arc::new(map_core::Agent::new(agent.config().clone()));
            // Another thread may have closed it meanwhile, or made one as well: look again.
            self.agent.compare_and_swap(&agent, Some(anew));
        }
    }
}

/// Sends one mail by the default agent and waits for its report, as Agent.send does.
#[pyfunction]
#[pyo3(signature = (from_, to, subject, content, *, progress=None))]
pub(crate) fn send_report(
    py: Python<'_>,
    from_: &Bound<'_, PyString>,
    to: &Bound<'_, PyString>,
    subject: &Bound<'_, PyString>,
    content: &Bound<'_, PyString>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Py<Report>> {
    let agent = map_core::agent::default_agent();
    send_texts(py, &agent, [from_, to, subject, content], progress)
}

/// Sends a message by the default agent, as Agent.send_message does.
#[pyfunction]
#[pyo3(signature = (message, *, progress=None))]
pub(crate) fn send_message(
    message: &Bound<'_, PyAny>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Py<Report>> {
    deliver(&map_core::agent::default_agent(), message, progress)
}

/// Sets how the default agent sends from now on; takes the keywords of Agent. Without any: the defaults again.
#[pyfunction]
#[pyo3(signature = (**keywords), text_signature = "(*, dns_servers=None, dns_trust_anchor=None, smtp_port=25, hello_name=None, source_address=None, \
    proxy=None, relay=None, dkim_signers=None, chunking='auto', allow_loopback=False, public_only=False, require_mx=False, require_tls=False, dane=True, \
    mta_sts=True, tls_roots=None, platform_roots=True, https_port=443, deadline=None, timeouts=None, port25_check=True, \
    port25_probe_hosts=None)")]
pub(crate) fn configure(keywords: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
    let config = config(keywords)?;
    map_core::agent::configure_default(config);
    Ok(())
}

/// How the default agent sends now, to be handed to `restore_default`. Private: for the pytest plugin of the sandbox.
#[pyfunction]
pub(crate) fn saved_default() -> Agent {
    let config = map_core::agent::default_agent().config().clone();
    Agent {
        agent: ArcSwapOption::from_pointee(map_core::Agent::new(config)),
    }
}

/// Has the default agent send again as it did when this was saved.
#[pyfunction]
pub(crate) fn restore_default(saved: &Agent) -> PyResult<()> {
    map_core::agent::configure_default(saved.here()?.config().clone());
    Ok(())
}

/// Sends a message, or one of Python's email package.
fn deliver(
    agent: &map_core::Agent,
    message: &Bound<'_, PyAny>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Py<Report>> {
    not_inside_a_callable()?;
    check_callable(progress)?;
    let py = message.py();
    let message = match message.cast::<Message>() {
        Ok(message) => message.clone(),
        Err(_) => Bound::new(py, Message::from_email(py, message, None)?)?,
    };
    let message = message.get();
    let sender = PyString::new(py, &message.envelope_from().unwrap_or_default());
    wait(py, &sender, progress, |attendance| {
        message.submit(agent, attendance)
    })
}

fn check_callable(progress: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    if progress.is_some_and(|progress| !progress.is_callable()) {
        return Err(PyTypeError::new_err("progress is to be called"));
    }
    Ok(())
}

/// Sends by an agent; the texts are from, to, subject and content, as Python gave them.
fn send_texts(
    py: Python<'_>,
    agent: &map_core::Agent,
    texts: [&Bound<'_, PyString>; 4],
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Py<Report>> {
    check_callable(progress)?;
    let [sender, to, subject, content] = texts;
    let (from, to, subject, content) = (octets(sender)?, octets(to)?, octets(subject)?, octets(content)?);
    let fields = Fields {
        from: &from,
        to: &to,
        subject: &subject,
        content: &content,
    };
    send_fields(py, agent, fields, sender, progress)
}

/// The same, from octets.
pub(crate) fn send_fields(
    py: Python<'_>,
    agent: &map_core::Agent,
    fields: Fields<'_>,
    sender: &Bound<'_, PyString>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Py<Report>> {
    not_inside_a_callable()?;
    wait(py, sender, progress, |_| agent.submit(fields))
}
