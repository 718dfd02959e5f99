//! Data that Python gives while a message is read.
//!
//! A worker never touches Python: it leaves what it asks for at the desk of its send and waits, and whoever waits for that
//! send in Python serves the desk. So callables run where their program expects it, and an interpreter that ends has no
//! thread in it.

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};

/// Where data for one reading of a message, a send mostly, is asked for. The next reading has another, so that none meets
/// what an earlier one, another thread's or a forked process's has left.
pub(crate) struct Desk {
    /// Who serves it.
    waiting: Thread,
    /// `None` once it is closed. What Python owns is dropped outside of the lock: that may run anything.
    asked: Mutex<Option<Vec<Asked>>>,
    /// Used by threads of Python only.
    streams: Mutex<Streams>,
}

#[derive(Default)]
struct Streams {
    open: HashMap<u64, Arc<Py<PyAny>>>,
    last: u64,
    /// What a callable raised.
    raised: Option<PyErr>,
}

/// What a worker asks for. Streams have numbers.
enum Asked {
    Open(Arc<Py<PyAny>>, SyncSender<io::Result<u64>>),
    Read(u64, usize, SyncSender<io::Result<Vec<u8>>>),
    Close(u64),
}

thread_local! {
    /// This thread belongs to Python and may call it.
    static DIRECTLY: Cell<bool> = const { Cell::new(false) };
    /// This thread is inside a callable that gives data for a send.
    static SERVING: Cell<bool> = const { Cell::new(false) };
    /// The desk of the message that this thread opens.
    static DESK: RefCell<Option<Arc<Desk>>> = const { RefCell::new(None) };
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

/// A thread of Python at a desk. All streams that are still open are closed when it leaves.
pub(crate) struct Attendance(Arc<Desk>);

impl Attendance {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Desk {
            waiting: thread::current(),
            asked: Mutex::new(Some(Vec::new())),
            streams: Mutex::default(),
        }))
    }

    /// The message, to be read at this desk.
    pub(crate) fn at_desk(&self, message: &map_core::message::Message) -> map_core::message::Message {
        struct Restored(Option<Arc<Desk>>);
        impl Drop for Restored {
            fn drop(&mut self) {
                DESK.set(self.0.take());
            }
        }
        let desk = Arc::clone(&self.0);
        message.with_open_hook(move |open| {
            // A signed or a forwarded message may name the desk where it was signed: the outermost counts.
            let outer = DESK.with_borrow(Clone::clone);
            let here = outer.clone().unwrap_or_else(|| Arc::clone(&desk));
            DESK.set(Some(here));
            let _restored = Restored(outer);
            open()
        })
    }

    /// Gives what has been asked for until now.
    ///
    /// # Errors
    /// What a callable raised. What is asked for after it is not answered.
    pub(crate) fn serve(&self, py: Python<'_>) -> PyResult<()> {
        let _serving = Flagged::set(&SERVING);
        // In statements of their own: a callable must not run under the lock.
        let all = lock(&self.0.asked).as_mut().map(std::mem::take);
        for asked in all.unwrap_or_default() {
            self.0.serve(py, asked);
            self.raised()?;
        }
        Ok(())
    }

    /// Closes the desk: what is asked for fails from now on.
    ///
    /// # Errors
    /// What a callable or a close() raised.
    pub(crate) fn leave(&self, py: Python<'_>) -> PyResult<()> {
        let asked = lock(&self.0.asked).take();
        // Who asked learns it by the end of the channel.
        drop(asked);
        let open = std::mem::take(&mut lock(&self.0.streams).open);
        for stream in open.into_values() {
            let closed = close(stream.bind(py));
            let _ = self.0.noted(py, closed);
        }
        self.raised()
    }

    /// What a callable raised since this was asked last.
    pub(crate) fn raised(&self) -> PyResult<()> {
        let raised = lock(&self.0.streams).raised.take();
        raised.map_or(Ok(()), Err)
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        Python::attach(|py| {
            let _ = self.leave(py);
        });
    }
}

impl Desk {
    fn serve(&self, py: Python<'_>, asked: Asked) {
        // Who asked may have gone.
        match asked {
            Asked::Open(open, answer) => drop(answer.send(self.open(py, &open))),
            Asked::Read(stream, size, answer) => drop(answer.send(self.read(py, stream, size))),
            Asked::Close(stream) => self.close(py, stream),
        }
    }

    fn open(&self, py: Python<'_>, open: &Py<PyAny>) -> io::Result<u64> {
        let stream = Arc::new(self.noted(py, open.call0(py))?);
        let mut streams = lock(&self.streams);
        streams.last += 1;
        let number = streams.last;
        streams.open.insert(number, stream);
        Ok(number)
    }

    fn read(&self, py: Python<'_>, stream: u64, size: usize) -> io::Result<Vec<u8>> {
        let open = lock(&self.streams).open.get(&stream).cloned();
        let stream = open.ok_or_else(nobody_waits)?;
        self.noted(py, read(stream.bind(py), size))
    }

    fn close(&self, py: Python<'_>, stream: u64) {
        let open = lock(&self.streams).open.remove(&stream);
        if let Some(stream) = open {
            let _ = self.noted(py, close(stream.bind(py)));
        }
    }

    /// The first exception is kept for who reads.
    fn noted<T>(&self, py: Python<'_>, result: PyResult<T>) -> io::Result<T> {
        result.map_err(|raised| {
            let error = io::Error::other(raised.value(py).to_string());
            let mut raised = Some(raised);
            let mut streams = lock(&self.streams);
            if streams.raised.is_none() {
                streams.raised = raised.take();
            }
            drop(streams);
            error
        })
    }

    /// Leaves a question; it is dropped if nobody serves any more.
    fn ask(&self, question: Asked) {
        let mut asked = lock(&self.asked);
        if let Some(asked) = asked.as_mut() {
            asked.push(question);
            self.waiting.unpark();
        }
    }
}

/// A stream that is open.
struct Stream {
    desk: Arc<Desk>,
    number: u64,
}

/// What opens the streams of a callable.
pub(super) fn opener(
    open: &Bound<'_, PyAny>,
) -> impl Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'static {
    let open = Arc::new(open.clone().unbind());
    move || {
        let desk = DESK.with_borrow(Clone::clone).ok_or_else(nobody_waits)?;
        let number = if DIRECTLY.get() {
            Python::attach(|py| desk.open(py, &open))
        } else {
            let (answer, answered) = mpsc::sync_channel(1);
            desk.ask(Asked::Open(Arc::clone(&open), answer));
            answered.recv().unwrap_or_else(|_| Err(nobody_waits()))
        }?;
        Ok(Box::new(Stream { desk, number }))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let octets = if DIRECTLY.get() {
            Python::attach(|py| self.desk.read(py, self.number, buffer.len()))
        } else {
            let (answer, answered) = mpsc::sync_channel(1);
            self.desk.ask(Asked::Read(self.number, buffer.len(), answer));
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
        if DIRECTLY.get() {
            Python::attach(|py| self.desk.close(py, self.number));
        } else {
            self.desk.ask(Asked::Close(self.number));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
