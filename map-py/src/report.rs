//! `Report` and its parts.

use crate::port25::Port25Evidence;
use crate::text::shown;
use crate::tls::TlsSession;
use map_core::{MapReply, TlsPolicy};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple, PyType};

/// What became of a mail: what a Report and each RecipientReport have in common.
#[pyclass(frozen, subclass, module = "mapagent")]
pub(crate) struct Outcome(map_core::delivery::RecipientReport);

#[pymethods]
impl Outcome {
    /// The MAP reply.
    #[getter]
    fn reply<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        reply(py, self.0.reply())
    }

    /// The reply as MAP prints it: "RE_BADREPLY: <554>."
    #[getter]
    fn text(&self) -> String {
        self.0.reply().to_string()
    }

    /// Whether the mail is with the recipient's server: "yes", "no" or "unknown"; of a report also "some".
    #[getter]
    fn delivered(&self) -> &'static str {
        self.0.delivered().as_str()
    }

    /// Whether the same mail is worth sending again later.
    #[getter]
    fn transient(&self) -> bool {
        self.0.transient()
    }

    /// Seconds to wait before that, where there is a hint.
    #[getter]
    fn retry_after(&self) -> Option<f64> {
        self.0.retry_after().map(|wait| wait.as_secs_f64())
    }

    /// The SMTP reply code that decided, if one did.
    #[getter]
    fn code(&self) -> Option<u16> {
        self.0.code().map(|code| code.0)
    }

    /// The enhanced status code, such as "5.1.1": the server's, or ours for a local failure.
    #[getter]
    fn enhanced(&self) -> Option<String> {
        self.0.enhanced().map(|code| code.to_string())
    }

    /// What the server said, lines joined by "\n"; what is not UTF-8 is shown as \xNN. Untrusted.
    #[getter]
    fn server_text<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyString>>> {
        self.0.server_text().map(|text| shown(py, text)).transpose()
    }

    /// The same as it came.
    #[getter]
    fn server_octets<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.server_text().map(|text| PyBytes::new(py, text))
    }

    /// How far it came: "check", "route", "connect", "greeting", "hello", "tls", "auth", "mail", "rcpt", "data" or
    /// "content".
    #[getter]
    fn stage(&self) -> &'static str {
        self.0.stage().as_str()
    }

    /// The mail host that decided.
    #[getter]
    fn host(&self) -> Option<&str> {
        self.0.host()
    }

    /// Its IP address.
    #[getter]
    fn address(&self) -> Option<String> {
        self.0.address().map(|address| address.to_string())
    }

    /// How the session with that host was protected; None for one in the clear.
    #[getter]
    fn tls(&self) -> Option<TlsSession> {
        self.0.tls().map(TlsSession::new)
    }

    /// What demanded TLS of that host: "dane", "mta-sts", "relay" or "required"; None where nothing did.
    #[getter]
    fn tls_policy(&self) -> Option<&'static str> {
        self.0.policy().map(TlsPolicy::as_str)
    }

    /// A relay has it and passes it on; `delivered` is "unknown" then, since the recipient's own server was not asked.
    #[getter]
    fn relayed(&self) -> bool {
        self.0.relayed()
    }

    /// A sentence for a person: what happened and what to do next.
    #[getter]
    fn advice(&self) -> &str {
        self.0.advice()
    }

    /// All of it in plain types, ready for json.dumps.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("reply", self.0.reply().code().name())?;
        dict.set_item("number", self.0.reply().code() as i32)?;
        dict.set_item("text", self.text())?;
        dict.set_item("delivered", self.delivered())?;
        dict.set_item("transient", self.transient())?;
        dict.set_item("retry_after", self.retry_after())?;
        dict.set_item("code", self.code())?;
        dict.set_item("enhanced", self.enhanced())?;
        dict.set_item("server_text", self.server_text(py)?)?;
        dict.set_item("stage", self.stage())?;
        dict.set_item("host", self.host())?;
        dict.set_item("address", self.address())?;
        dict.set_item("tls", tls_dict(py, self.tls())?)?;
        dict.set_item("tls_policy", self.tls_policy())?;
        dict.set_item("relayed", self.relayed())?;
        dict.set_item("advice", self.advice())?;
        Ok(dict)
    }

    fn __str__(&self) -> String {
        self.text()
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let (class, text) = (slf.get_type().name()?, slf.get().text());
        Err(PyTypeError::new_err(format!(
            "a {class} cannot be pickled: pass on what its to_dict() gives (this one says {text})"
        )))
    }
}

/// What became of a mail for one of its recipients.
#[pyclass(frozen, extends = Outcome, module = "mapagent")]
pub(crate) struct RecipientReport;

#[pymethods]
impl RecipientReport {
    /// The recipient as given.
    #[getter]
    fn recipient(slf: &Bound<'_, Self>) -> String {
        slf.as_super().get().0.recipient().to_owned()
    }

    /// All of it in plain types, ready for json.dumps.
    fn to_dict<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let outcome = slf.as_super().get();
        let dict = outcome.to_dict(slf.py())?;
        dict.set_item("recipient", outcome.0.recipient())?;
        Ok(dict)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> String {
        let outcome = &slf.as_super().get().0;
        let (recipient, reply) = (outcome.recipient(), outcome.reply());
        format!(
            "<mapagent.RecipientReport {recipient:?}: {reply} delivered: {}>",
            outcome.delivered().as_str()
        )
    }
}

/// One try at one address of a mail host.
#[pyclass(frozen, module = "mapagent")]
pub(crate) struct Attempt(map_core::delivery::Attempt);

#[pymethods]
impl Attempt {
    /// The mail host.
    #[getter]
    fn host(&self) -> &str {
        self.0.host()
    }

    /// Its IP address; None when it has none.
    #[getter]
    fn address(&self) -> Option<String> {
        self.0.address().map(|address| address.to_string())
    }

    /// How far the attempt came, as Report.stage.
    #[getter]
    fn stage(&self) -> &'static str {
        self.0.stage().as_str()
    }

    /// "accepted", "failed", "partial" or "uncertain".
    #[getter]
    fn outcome(&self) -> &'static str {
        self.0.outcome().as_str()
    }

    /// How it ended, in words.
    #[getter]
    fn detail(&self) -> &str {
        self.0.detail()
    }

    /// The SMTP reply code that ended it, if one did.
    #[getter]
    fn code(&self) -> Option<u16> {
        self.0.code().map(|code| code.0)
    }

    /// How the session was protected, as Report.tls.
    #[getter]
    fn tls(&self) -> Option<TlsSession> {
        self.0.tls().map(TlsSession::new)
    }

    /// What demanded TLS, as Report.tls_policy.
    #[getter]
    fn tls_policy(&self) -> Option<&'static str> {
        self.0.policy().map(TlsPolicy::as_str)
    }

    /// Seconds that it took.
    #[getter]
    fn duration(&self) -> f64 {
        self.0.duration().as_secs_f64()
    }

    /// All of it in plain types, ready for json.dumps.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("host", self.host())?;
        dict.set_item("address", self.address())?;
        dict.set_item("stage", self.stage())?;
        dict.set_item("outcome", self.outcome())?;
        dict.set_item("detail", self.detail())?;
        dict.set_item("code", self.code())?;
        dict.set_item("tls", tls_dict(py, self.tls())?)?;
        dict.set_item("tls_policy", self.tls_policy())?;
        dict.set_item("duration", self.duration())?;
        Ok(dict)
    }

    fn __repr__(&self) -> String {
        let address = self.address().unwrap_or_else(|| "no address".to_owned());
        format!(
            "<mapagent.Attempt {} [{address}] {}: {:?}>",
            self.host(),
            self.stage(),
            self.detail()
        )
    }

    #[expect(clippy::unused_self, reason = "Python calls it on an instance")]
    fn __reduce__(&self) -> PyResult<Py<PyAny>> {
        Err(PyTypeError::new_err(
            "an Attempt cannot be pickled: pass on what its to_dict() gives",
        ))
    }
}

/// What became of a mail: a summary, and the same for each recipient.
#[pyclass(frozen, extends = Outcome, module = "mapagent")]
pub(crate) struct Report {
    report: map_core::Report,
    sender: Py<PyString>,
}

impl Report {
    pub(crate) fn new(
        py: Python<'_>,
        report: map_core::Report,
        sender: &Bound<'_, PyString>,
    ) -> PyResult<Py<Self>> {
        let summary = PyClassInitializer::from(Outcome(report.summary().clone()));
        Py::new(
            py,
            summary.add_subclass(Self {
                report,
                sender: sender.clone().unbind(),
            }),
        )
    }
}

#[pymethods]
impl Report {
    /// The sender as given.
    #[getter]
    fn sender(&self) -> &Py<PyString> {
        &self.sender
    }

    /// What became of it for each recipient, in the order given.
    #[getter]
    fn recipients<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let recipients = self.report.recipients().iter().map(|recipient| {
            let outcome = PyClassInitializer::from(Outcome(recipient.clone()));
            Py::new(py, outcome.add_subclass(RecipientReport))
        });
        PyTuple::new(py, recipients.collect::<PyResult<Vec<_>>>()?)
    }

    /// Every attempt, in order.
    #[getter]
    fn attempts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let attempts = self
            .report
            .attempts()
            .iter()
            .map(|attempt| Py::new(py, Attempt(attempt.clone())));
        PyTuple::new(py, attempts.collect::<PyResult<Vec<_>>>()?)
    }

    /// The Message-ID without its angle brackets; None when the mail was not composed.
    #[getter]
    fn message_id(&self) -> Option<&str> {
        self.report.message_id()
    }

    /// What is odd but did not decide.
    #[getter]
    fn warnings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.report.warnings())
    }

    /// What was found when it was asked whether outgoing port 25 is blocked; None when there was no reason to ask.
    #[getter]
    fn port25(&self) -> Option<Port25Evidence> {
        self.report.port25().map(Port25Evidence::new)
    }

    /// The dialogue as appendix A of the MAP document prints it, C:, S: and SS:.
    #[getter]
    fn transcript(&self) -> String {
        self.report.transcript()
    }

    /// Raises a MapError unless the reply is RE_SUCCESS.
    fn raise_for_reply(slf: &Bound<'_, Self>) -> PyResult<()> {
        static ERROR_FOR: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        if matches!(slf.get().report.reply(), MapReply::Success) {
            return Ok(());
        }
        let error_for = ERROR_FOR.import(slf.py(), "mapagent._errors", "error_for")?;
        Err(PyErr::from_value(error_for.call1((slf,))?))
    }

    /// All of it in plain types, ready for json.dumps; without the transcript.
    fn to_dict<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let (py, report) = (slf.py(), slf.get());
        let dict = slf.as_super().get().to_dict(py)?;
        dict.set_item("sender", report.sender())?;
        dict.set_item("message_id", report.message_id())?;
        dict.set_item("warnings", report.report.warnings())?;
        let port25 = report.port25().map(|evidence| evidence.to_dict(py));
        dict.set_item("port25", port25.transpose()?)?;
        dict.set_item("recipients", dicts(&report.recipients(py)?)?)?;
        dict.set_item("attempts", dicts(&report.attempts(py)?)?)?;
        Ok(dict)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> String {
        let report = &slf.get().report;
        let delivered = report.summary().delivered().as_str();
        format!("<mapagent.Report {} delivered: {delivered}>", report.reply())
    }
}

fn tls_dict(py: Python<'_>, tls: Option<TlsSession>) -> PyResult<Option<Bound<'_, PyDict>>> {
    tls.map(|tls| tls.to_dict(py)).transpose()
}

fn dicts<'py>(parts: &Bound<'py, PyTuple>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    parts.iter().map(|part| part.call_method0("to_dict")).collect()
}

fn reply<'py>(py: Python<'py>, reply: &MapReply) -> PyResult<Bound<'py, PyAny>> {
    static REPLY: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    REPLY
        .import(py, "mapagent._reply", "Reply")?
        .call1((reply.code() as i32,))
}
