//! `Mailbox`.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A mailbox of RFC 5321: holding one is the proof that it is well formed.
///
/// Raises ValueError with the reason when the text is none.
#[pyclass(frozen, eq, hash, module = "mapagent")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Mailbox(map_core::Mailbox);

#[pymethods]
impl Mailbox {
    #[new]
    fn new(text: &str) -> PyResult<Self> {
        text.parse()
            .map(Self)
            .map_err(|error: map_core::address::MailboxError| PyValueError::new_err(error.to_string()))
    }

    /// What stands left of the @.
    #[getter]
    fn local_part(&self) -> String {
        self.0.local_part().to_string()
    }

    /// What stands right of the @: a domain in its own script, or an address literal such as [192.0.2.1].
    #[getter]
    fn domain(&self) -> String {
        self.0.domain().to_string()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let text = pyo3::types::PyString::new(py, &self.0.to_string()).repr()?;
        Ok(format!("Mailbox({text})"))
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> (Py<PyAny>, (String,)) {
        (slf.get_type().into_any().unbind(), (slf.get().__str__(),))
    }
}

impl Mailbox {
    /// The core's mailbox.
    pub(crate) fn mailbox(&self) -> &map_core::Mailbox {
        &self.0
    }
}
