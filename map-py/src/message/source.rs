//! Data that Python gives while a message is sent.
//!
//! A worker never touches Python: it leaves what it asks for in a queue and waits, and whoever waits for the send in Python
//! serves the queue. So callables run where their program expects it, and an interpreter that ends has no thread in it.

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

/// The callables of a message.
#[derive(Clone, Default)]
pub(crate) struct Sources(Vec<Arc<Source>>);

struct Source {
    open: Py<PyAny>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asked: VecDeque<Asked>,
    /// Who waits for a send of the message, and serves what is asked.
    waiting: Vec<Thread>,
    /// What a callable raised.
    raised: Option<PyErr>,
}

/// What a worker asks for.
enum Asked {
    Open(SyncSender<io::Result<Py<PyAny>>>),
    Read(Arc<Py<PyAny>>, usize, SyncSender<io::Result<Vec<u8>>>),
    Close(Arc<Py<PyAny>>),
}

thread_local! {
    /// This thread belongs to Python and may call it.
    static DIRECTLY: Cell<bool> = const { Cell::new(false) };
    /// This thread is inside a callable that gives data.
    static SERVING: Cell<bool> = const { Cell::new(false) };
}

/// Sets a flag of this thread for as long as it lives.
struct Flagged(&'static thread::LocalKey<Cell<bool>>, bool);

impl Flagged {
    fn set(flag: &'static thread::LocalKey<Cell<bool>>) -> Self {
        Self(flag, flag.replace(true))
    }
}

impl Drop for Flagged {
    fn drop(&mut self) {
        self.0.set(self.1);
    }
}

/// Reads in a thread of Python: callables are called here and now.
pub(super) fn directly<T>(read: impl FnOnce() -> T) -> T {
    let _directly = Flagged::set(&DIRECTLY);
    read()
}

/// A callable that sends would wait for its own end, if by the same agent.
///
/// # Errors
/// `RuntimeError` inside of one.
pub(crate) fn not_inside_a_callable() -> PyResult<()> {
    if SERVING.get() {
        return Err(PyRuntimeError::new_err(
            "a callable that gives data for a message cannot send another one",
        ));
    }
    Ok(())
}

impl Sources {
    /// The source of one callable, and what begins its streams.
    pub(super) fn of(
        open: &Bound<'_, PyAny>,
    ) -> (
        Self,
        impl Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'static,
    ) {
        let source = Arc::new(Source {
            open: open.clone().unbind(),
            state: Mutex::default(),
        });
        let sources = Self(vec![Arc::clone(&source)]);
        (sources, move || Stream::open(&source))
    }

    pub(super) fn add(&mut self, others: &Self) {
        for other in &others.0 {
            if !self.0.iter().any(|source| Arc::ptr_eq(source, other)) {
                self.0.push(Arc::clone(other));
            }
        }
    }

    /// What a callable raised since this was asked last.
    pub(crate) fn raised(&self) -> Option<PyErr> {
        self.0.iter().find_map(|source| source.lock().raised.take())
    }

    /// Makes this thread one that serves them until what this gives is dropped.
    pub(crate) fn attend(&self) -> Attendance<'_> {
        for source in &self.0 {
            source.lock().waiting.push(thread::current());
        }
        Attendance(self)
    }
}

/// A thread that waits for a send and gives its data meanwhile.
pub(crate) struct Attendance<'a>(&'a Sources);

impl Attendance<'_> {
    /// Gives what is asked for.
    pub(crate) fn serve(&self, py: Python<'_>) {
        let _serving = Flagged::set(&SERVING);
        for source in &self.0.0 {
            loop {
                // A statement of its own: a callable must not run under the lock.
                let asked = source.lock().asked.pop_front();
                let Some(asked) = asked else { break };
                source.serve(py, asked);
            }
        }
    }
}

impl Drop for Attendance<'_> {
    fn drop(&mut self) {
        let this = thread::current().id();
        for source in &self.0.0 {
            let mut state = source.lock();
            if let Some(place) = state.waiting.iter().position(|thread| thread.id() == this) {
                state.waiting.swap_remove(place);
            }
            if state.waiting.is_empty() {
                // Nobody would answer: who asks learns it by the end of the channel.
                state.asked.clear();
            }
        }
    }
}

impl Source {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, py: Python<'_>, asked: Asked) {
        // Who asked may have gone.
        match asked {
            Asked::Open(answer) => {
                let opened = self.open.call0(py);
                let _ = answer.send(self.answer(py, opened));
            }
            Asked::Read(stream, size, answer) => {
                let read = read(stream.bind(py), size);
                let _ = answer.send(self.answer(py, read));
            }
            Asked::Close(stream) => {
                let closed = close(stream.bind(py));
                let _ = self.answer(py, closed);
            }
        }
    }

    /// The exception is kept for who sends.
    fn answer<T>(&self, py: Python<'_>, result: PyResult<T>) -> io::Result<T> {
        result.map_err(|raised| {
            let error = io::Error::other(raised.value(py).to_string());
            self.lock().raised.get_or_insert(raised);
            error
        })
    }

    /// Leaves a question for those who wait; it is dropped if there is nobody.
    fn ask(&self, asked: Asked) {
        let mut state = self.lock();
        if !state.waiting.is_empty() {
            state.asked.push_back(asked);
            for thread in &state.waiting {
                thread.unpark();
            }
        }
    }
}

/// A stream that is open.
struct Stream {
    source: Arc<Source>,
    /// `None` only while it is dropped.
    stream: Option<Arc<Py<PyAny>>>,
}

impl Stream {
    fn open(source: &Arc<Source>) -> io::Result<Box<dyn Read + Send>> {
        let stream = if DIRECTLY.get() {
            Python::attach(|py| source.answer(py, source.open.call0(py)))
        } else {
            let (answer, answered) = mpsc::sync_channel(1);
            source.ask(Asked::Open(answer));
            answered.recv().unwrap_or_else(|_| Err(nobody_waits()))
        };
        Ok(Box::new(Self {
            source: Arc::clone(source),
            stream: Some(Arc::new(stream?)),
        }))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(stream) = &self.stream else { return Ok(0) };
        let octets = if DIRECTLY.get() {
            Python::attach(|py| self.source.answer(py, read(stream.bind(py), buffer.len())))
        } else {
            let (answer, answered) = mpsc::sync_channel(1);
            self.source
                .ask(Asked::Read(Arc::clone(stream), buffer.len(), answer));
            answered.recv().unwrap_or_else(|_| Err(nobody_waits()))
        }?;
        let Some(place) = buffer.get_mut(..octets.len()) else {
            return Err(io::Error::other("read() gave more than it was asked for"));
        };
        place.copy_from_slice(&octets);
        Ok(octets.len())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let Some(stream) = self.stream.take() else { return };
        if DIRECTLY.get() {
            Python::attach(|py| {
                let _ = close(stream.bind(py));
            });
        } else {
            self.source.ask(Asked::Close(stream));
        }
    }
}

fn nobody_waits() -> io::Error {
    io::Error::other("nobody waits for this send any more, and its data cannot be read")
}

fn read(stream: &Bound<'_, PyAny>, size: usize) -> PyResult<Vec<u8>> {
    let given = stream.call_method1("read", (size,))?;
    match given.cast::<PyBytes>() {
        Ok(octets) => Ok(octets.as_bytes().to_vec()),
        Err(_) => Err(PyTypeError::new_err(format!(
            "read() gives bytes, not {}",
            given.get_type().name()?
        ))),
    }
}

/// Only what can be closed is closed.
fn close(stream: &Bound<'_, PyAny>) -> PyResult<()> {
    if stream.hasattr("close")? {
        stream.call_method0("close")?;
    }
    Ok(())
}
