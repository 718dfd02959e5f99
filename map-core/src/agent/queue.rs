//! A queue of finished jobs, for a program whose own loop waits for everything.
//!
//! A [`Queue`] holds jobs of any agents and, for each, a tag of the caller's. Its descriptor is readable while finished jobs
//! wait, so the loop polls it beside its own descriptors, and takes what is finished with [`Queue::take`], which never
//! waits. A loop that polls no descriptors is told by [`Queue::set_wakeup`].
//!
//! # Fork
//!
//! A queue belongs to the process that made it. In a child of that it accepts no job and gives none, and its descriptor,
//! which parent and child share, is neither read nor written nor closed.

mod descriptor;

#[cfg(test)]
mod tests;

use super::job::{Job, JobWatch};
use crate::delivery::Report;
use descriptor::Descriptor;
use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

thread_local! {
    /// This thread is inside a wakeup function.
    static IN_WAKEUP: Cell<bool> = const { Cell::new(false) };
}

/// A job that ended, and the tag it was added with.
#[derive(Debug)]
pub struct Completion<T> {
    /// The caller's.
    pub tag: T,
    /// What became of the mail.
    pub report: Report,
}

/// Why a queue did not accept a job: it is closed, or belongs to the parent process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this queue was made before a fork, or is closed; make a new one")]
pub struct NotQueued;

/// Holds jobs, and hands them out when they have ended. Any thread may use it; each completion goes to one of them.
///
/// Dropping it closes it: see [`Self::close`]. A tag is dropped by the thread that takes the completion or closes the queue,
/// never by a thread of the library.
///
/// # Example
/// ```no_run
/// use map_core::agent::{OwnedFields, Queue, default_agent};
///
/// # fn poll(_: &Queue<&str>) {}
/// let queue = Queue::new()?;
/// let fields = OwnedFields { from: b"cxw@apple.com".into(), ..OwnedFields::default() };
/// queue.add("first", || default_agent().submit_deferred(fields))?;
/// while queue.pending() > 0 {
///     poll(&queue); // until `queue.descriptor()` is readable
///     while let Some(done) = queue.take() {
///         println!("{}: {}", done.tag, done.report.reply());
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Queue<T> {
    shared: Arc<Shared<T>>,
    process: u32,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Notified when a job ends or is taken, and when the queue is closed.
    changed: Condvar,
    descriptor: Descriptor,
    /// Locked while it is called, so that nobody calls a function that was replaced.
    wakeup: Mutex<Option<Box<dyn Fn() + Send>>>,
}

struct State<T> {
    /// Every job that has not been taken.
    jobs: HashMap<u64, (Job, T)>,
    /// The keys of those that have ended, oldest first.
    ended: VecDeque<u64>,
    next_key: u64,
    is_closed: bool,
    /// The wakeup function need not be called again: nobody has looked since.
    is_announced: bool,
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A job has ended. Returns whether the wakeup function is to be called.
    fn announce(&self, state: &mut State<T>, key: u64) -> bool {
        if !state.jobs.contains_key(&key) {
            return false;
        }
        if state.ended.is_empty() {
            self.descriptor.raise();
        }
        state.ended.push_back(key);
        self.changed.notify_all();
        !std::mem::replace(&mut state.is_announced, true)
    }

    fn call_wakeup(&self) {
        let wakeup = self.wakeup.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wake) = &*wakeup {
            let outer = IN_WAKEUP.replace(true);
            wake();
            IN_WAKEUP.set(outer);
        }
    }
}

/// Announces the end of one job.
struct JobEnd<T> {
    queue: Weak<Shared<T>>,
    key: u64,
}

impl<T: Send + 'static> Wake for JobEnd<T> {
    fn wake(self: Arc<Self>) {
        if let Some(queue) = self.queue.upgrade() {
            let call = queue.announce(&mut queue.lock(), self.key);
            if call {
                queue.call_wakeup();
            }
        }
    }
}

impl<T: Send + 'static> Queue<T> {
    /// An empty queue.
    ///
    /// # Errors
    /// The system gives no descriptor.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    jobs: HashMap::new(),
                    ended: VecDeque::new(),
                    next_key: 0,
                    is_closed: false,
                    is_announced: false,
                }),
                changed: Condvar::new(),
                descriptor: Descriptor::new()?,
                wakeup: Mutex::new(None),
            }),
            process: std::process::id(),
        })
    }

    /// False in a child of the process that made it.
    pub fn is_of_this_process(&self) -> bool {
        self.process == std::process::id()
    }

    /// The descriptor that is readable while completions wait. Only poll it; do not read, write or close it. `None` in a
    /// forked child.
    #[cfg(unix)]
    pub fn descriptor(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.is_of_this_process().then(|| self.shared.descriptor.as_fd())
    }

    /// Submits a job by `submit`, and holds it with its tag until it has ended and is taken. `submit` is not called when the
    /// queue accepts nothing.
    ///
    /// # Errors
    /// The queue is closed, or belongs to the parent process. The tag is dropped.
    pub fn add(&self, tag: T, submit: impl FnOnce() -> Job) -> Result<JobWatch, NotQueued> {
        if !self.is_of_this_process() || self.shared.lock().is_closed {
            return Err(NotQueued);
        }
        let job = submit();
        let watch = job.watch();
        let mut state = self.shared.lock();
        if state.is_closed {
            drop(state);
            job.cancel();
            return Err(NotQueued);
        }
        let key = state.next_key;
        state.next_key = key.wrapping_add(1);
        let waker = Waker::from(Arc::new(JobEnd {
            queue: Arc::downgrade(&self.shared),
            key,
        }));
        // The worker tells the queue when it ends, and waits for this lock before it does.
        let ended = job.has_ended(&waker);
        state.jobs.insert(key, (job, tag));
        let call = ended && self.shared.announce(&mut state, key);
        drop(state);
        if call {
            self.shared.call_wakeup();
        }
        Ok(watch)
    }

    /// Calls `wake` when completions begin to wait, for a loop that cannot poll the descriptor; `None` stops that. It is not
    /// called again until [`Self::begin_round`], or until [`Self::take`] has taken all. The call comes from a thread of the
    /// library, or from the one that submits where the system gives no thread; and from this method if completions wait
    /// already. `wake` may only post an event to the loop: it must neither call the queue nor wait. After this returns, the
    /// previous function is not called any more.
    ///
    /// Returns false, and changes nothing, inside a wakeup function and in a forked child.
    pub fn set_wakeup(&self, wake: Option<Box<dyn Fn() + Send>>) -> bool {
        if !self.is_of_this_process() || IN_WAKEUP.get() {
            return false;
        }
        let before = std::mem::replace(
            &mut *self.shared.wakeup.lock().unwrap_or_else(PoisonError::into_inner),
            wake,
        );
        drop(before);
        let waits = {
            let mut state = self.shared.lock();
            state.is_announced = !state.ended.is_empty();
            state.is_announced
        };
        if waits {
            self.shared.call_wakeup();
        }
        true
    }

    /// How many completions wait. Jobs that end after this call the wakeup function again, so that a loop may take as many
    /// and go back to its other work.
    pub fn begin_round(&self) -> usize {
        if !self.is_of_this_process() {
            return 0;
        }
        let mut state = self.shared.lock();
        state.is_announced = false;
        state.ended.len()
    }

    /// The completion that waits longest. Does not wait; `None` in a forked child.
    pub fn take(&self) -> Option<Completion<T>> {
        if !self.is_of_this_process() {
            return None;
        }
        let (mut job, tag) = {
            let mut state = self.shared.lock();
            let key = state.ended.pop_front();
            if key.is_some() && state.ended.is_empty() {
                self.shared.descriptor.lower();
            }
            state.is_announced &= !state.ended.is_empty();
            let taken = key.and_then(|key| state.jobs.remove(&key));
            self.shared.changed.notify_all();
            taken?
        };
        match Pin::new(&mut job).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(report) => Some(Completion { tag, report }),
            // It has ended, or its key would not have been there.
            Poll::Pending => None,
        }
    }

    /// How many jobs have been added and not taken, ended or not. Does not wait; 0 in a forked child.
    pub fn pending(&self) -> usize {
        if self.is_of_this_process() {
            self.shared.lock().jobs.len()
        } else {
            0
        }
    }

    /// Waits until a completion waits. False when `until` came before, and when there is no job to wait for.
    pub fn wait(&self, until: Option<Instant>) -> bool {
        if !self.is_of_this_process() {
            return false;
        }
        let mut state = self.shared.lock();
        loop {
            if !state.ended.is_empty() {
                return true;
            }
            let left = until.map_or(Duration::MAX, |until| {
                until.saturating_duration_since(Instant::now())
            });
            if left.is_zero() || state.jobs.is_empty() {
                return false;
            }
            state = self
                .shared
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Cancels every job, drops its tag in this thread and gives no completion any more. The wakeup function is not called
    /// after this returns.
    ///
    /// In a forked child it drops the tags, unless a thread of the parent was inside the queue at the fork, and nothing else.
    pub fn close(&self) {
        self.shut();
    }
}

impl<T> Queue<T> {
    fn shut(&self) {
        if self.process != std::process::id() {
            return self.abandon();
        }
        let jobs = {
            let mut state = self.shared.lock();
            state.is_closed = true;
            state.ended.clear();
            self.shared.descriptor.lower();
            self.shared.changed.notify_all();
            std::mem::take(&mut state.jobs)
        };
        for (job, _) in jobs.values() {
            job.cancel();
        }
        // Inside the function it cannot be waited for, and is not called again.
        if !IN_WAKEUP.get() {
            let wakeup = self
                .shared
                .wakeup
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            drop(wakeup);
        }
        drop(jobs);
    }

    /// Gives the tags back in a forked child. The jobs are the parent's.
    fn abandon(&self) {
        let mut state = match self.shared.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(state)) => state.into_inner(),
            // By a thread that is not in this process.
            Err(TryLockError::WouldBlock) => return,
        };
        state.is_closed = true;
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        for (job, tag) in jobs.into_values() {
            std::mem::forget(job);
            drop(tag);
        }
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        self.shut();
        if self.process != std::process::id() {
            // The number of the descriptor may be another file's by now.
            std::mem::forget(Arc::clone(&self.shared));
        }
    }
}
