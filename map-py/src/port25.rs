//! `Port25Evidence`.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// What was found when it was asked whether outgoing port 25 is blocked, and what it rests on.
#[pyclass(frozen, eq, module = "mapagent")]
#[derive(PartialEq)]
pub(crate) struct Port25Evidence(map_core::net::Port25Evidence);

impl Port25Evidence {
    pub(crate) fn new(evidence: &map_core::net::Port25Evidence) -> Self {
        Self(evidence.clone())
    }
}

#[pymethods]
impl Port25Evidence {
    /// "blocked here", "blocked on the way out", "probably blocked on the way out", "no network", "open", or "not asked"
    /// with the reason.
    #[getter]
    fn finding(&self) -> &'static str {
        self.0.finding().as_str()
    }

    /// What each host that was asked said.
    #[getter]
    fn probes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.probes().iter().map(ToString::to_string))
    }

    /// How many seconds old the answer was when it was used: an agent keeps one for ten minutes.
    #[getter]
    fn age(&self) -> f64 {
        self.0.age().as_secs_f64()
    }

    /// All of it in plain types, ready for json.dumps.
    pub(crate) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("finding", self.finding())?;
        dict.set_item("probes", self.probes(py)?)?;
        dict.set_item("age", self.age())?;
        Ok(dict)
    }

    /// All of it in a line for a person.
    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<mapagent.Port25Evidence {}>", self.0)
    }
}
