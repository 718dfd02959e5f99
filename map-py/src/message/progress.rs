//! Waiting for a delivery without holding up Python.

use super::source::Attendance;
use crate::report::Report;
use map_core::Job;
use map_core::agent::PROGRESS_INTERVAL;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyType};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

/// How far a send is.
#[pyclass(frozen, eq, module = "mapagent")]
#[derive(PartialEq, Eq)]
pub(crate) struct Progress(map_core::Progress);

#[pymethods]
impl Progress {
    /// What is being done now: the stages of a Report.
    #[getter]
    fn stage(&self) -> &'static str {
        self.0.stage.as_str()
    }

    /// Bytes of the message that were given to the system to send, over all hosts that it goes to. Fewer than before when it
    /// has to begin anew with another host.
    #[getter]
    fn sent(&self) -> u64 {
        self.0.sent
    }

    /// Bytes that it will be in all; None while that cannot be told.
    #[getter]
    fn total(&self) -> Option<u64> {
        self.0.total
    }

    fn __repr__(&self) -> String {
        let total = self
            .0
            .total
            .map_or_else(|| "?".to_owned(), |total| total.to_string());
        format!("<mapagent.Progress {}: {} of {total}>", self.stage(), self.sent())
    }
}

/// Starts a delivery and waits for the report of a mail from `sender` with the GIL released. Meanwhile signal handlers run, and what the message
/// has callables for is read; `progress` is told how far it is, at once and then at every interval.
///
/// # Errors
/// What a signal handler or a callable raised, with the report: the delivery was cancelled, and only the report can say
/// whether the mail had gone out before.
pub(crate) fn wait(
    py: Python<'_>,
    sender: &Bound<'_, PyString>,
    progress: Option<&Bound<'_, PyAny>>,
    start: impl FnOnce(&Attendance) -> Job + Send,
) -> PyResult<Py<Report>> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let attendance = Attendance::new();
    let mut job = pin!(py.detach(|| start(&attendance)));
    let mut last = None;
    let mut due = Instant::now();
    let mut raised = None;
    loop {
        let polled = job.as_mut().poll(&mut context);
        let served = match (&polled, &raised) {
            (Poll::Pending, None) => attendance.serve(py),
            // Its data is of no use any more.
            _ => attendance.leave(py),
        };
        let told = progress.map_or(Ok(()), |progress| {
            let now = job.progress();
            // What is told at the end is how far it came.
            let is_due = Instant::now() >= due || polled.is_ready() && last != Some(now);
            if raised.is_some() || !is_due {
                return Ok(());
            }
            last = Some(now);
            due = Instant::now() + PROGRESS_INTERVAL;
            progress.call1((Progress(now),)).map(drop)
        });
        // A signal of the last slice would be raised right after this call, and the report be lost with it.
        let happened = told.and(served).err().or_else(|| py.check_signals().err());
        if let (None, Some(error)) = (&raised, happened) {
            raised = Some(error);
            job.cancel();
        }
        if let Poll::Ready(report) = polled {
            let report = Report::new(py, report, sender)?;
            return match raised {
                None => Ok(report),
                Some(raised) => Err(with_report(py, raised, report)),
            };
        }
        // So long may a signal wait until its Python handler runs.
        let slice = match progress {
            Some(_) if raised.is_none() => due.saturating_duration_since(Instant::now()),
            _ => PROGRESS_INTERVAL,
        };
        py.detach(|| thread::park_timeout(slice.min(PROGRESS_INTERVAL)));
    }
}

/// What was raised, carrying the report. Ctrl-C becomes `mapagent.SendInterrupted`, which is a `KeyboardInterrupt`; another
/// exception stays what it is.
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
