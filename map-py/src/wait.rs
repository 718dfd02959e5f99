//! Waiting for a delivery without holding up Python.

use crate::report::Report;
use map_core::Job;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyType};
use std::time::Duration;

/// How long a signal may wait until its Python handler runs.
const SLICE: Duration = Duration::from_millis(100);

/// Waits for the report of a mail from `sender` with the GIL released, and lets signal handlers run meanwhile.
///
/// # Errors
/// What a signal handler raised, with the report: the delivery was cancelled, and only the report can say whether the
/// mail had gone out before.
pub(crate) fn wait(py: Python<'_>, mut job: Job, sender: &Bound<'_, PyString>) -> PyResult<Py<Report>> {
    loop {
        match py.detach(|| job.wait_timeout(SLICE)) {
            Ok(report) => {
                let report = Report::new(py, report, sender)?;
                // A signal of the last slice would be raised right behind this call, and the report be lost with it.
                return match py.check_signals() {
                    Ok(()) => Ok(report),
                    Err(raised) => Err(with_report(py, raised, report)),
                };
            }
            Err(unfinished) => job = unfinished,
        }
        if let Err(raised) = py.check_signals() {
            job.cancel();
            let report = Report::new(py, py.detach(|| job.wait()), sender)?;
            return Err(with_report(py, raised, report));
        }
    }
}

/// The exception of a signal handler, carrying the report. Ctrl-C becomes `mapagent.SendInterrupted`, which is a
/// `KeyboardInterrupt`; another exception stays what it is.
fn with_report(py: Python<'_>, raised: PyErr, report: Py<Report>) -> PyErr {
    static INTERRUPTED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    if raised.get_type(py).is(py.get_type::<PyKeyboardInterrupt>()) {
        let interrupted = INTERRUPTED
            .import(py, "mapagent._errors", "SendInterrupted")
            .and_then(|class| class.call1((report,)));
        match interrupted {
            Ok(exception) => PyErr::from_value(exception),
            Err(error) => error,
        }
    } else {
        // A class without room for another attribute loses the report and stays the exception that was raised.
        let _ = raised.value(py).setattr("report", report);
        raised
    }
}
