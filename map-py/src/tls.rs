//! `TlsSession`.

use map_core::net::tls::TlsFacts;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// How a session with a mail host was protected.
#[pyclass(frozen, eq, module = "mapagent")]
#[derive(PartialEq)]
pub(crate) struct TlsSession(TlsFacts);

impl TlsSession {
    pub(crate) fn new(facts: &TlsFacts) -> Self {
        Self(facts.clone())
    }
}

#[pymethods]
impl TlsSession {
    /// "TLSv1.3" or "TLSv1.2".
    #[getter]
    fn version(&self) -> &'static str {
        self.0.version
    }

    /// The cipher suite as IANA names it.
    #[getter]
    fn cipher_suite(&self) -> &str {
        &self.0.cipher_suite
    }

    /// How the mail host proved who it is: "dane", by the signed records of its zone; "pkix", by a certificate authority;
    /// "none", not at all.
    #[getter]
    fn verified(&self) -> &'static str {
        self.0.verified.as_str()
    }

    /// Why certificate authorities would have refused its certificate, where that was only observed (MTA-STS in its testing
    /// mode): the session was made all the same. None where there is nothing to say.
    #[getter]
    fn problem(&self) -> Option<&str> {
        self.0.problem.as_deref()
    }

    /// All of it in plain types, ready for json.dumps.
    pub(crate) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("version", self.version())?;
        dict.set_item("cipher_suite", self.cipher_suite())?;
        dict.set_item("verified", self.verified())?;
        dict.set_item("problem", self.problem())?;
        Ok(dict)
    }

    fn __repr__(&self) -> String {
        let Self(facts) = self;
        format!(
            "<mapagent.TlsSession {} {} verified: {}>",
            facts.version,
            facts.cipher_suite,
            facts.verified.as_str()
        )
    }
}
