//! One delivery under way, seen from both ends: the worker's [`Task`] and the caller's [`Job`].

use super::CARRIED_OVER_A_FORK;
use crate::delivery::{Asked, Cause, Meter, Progress, Report, rejected};
use crate::message::Message;
use crate::net::CancelSignal;
use crate::protocol::CheckFailure;
use arc_swap::ArcSwap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// A delivery under way. It is a future of its report, for any executor. Dropping it lets the delivery go on.
#[derive(Debug)]
#[must_use = "a job tells what became of the mail"]
pub struct Job {
    shared: Arc<Shared>,
    process: u32,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    done: Condvar,
    cancel: CancelSignal,
    meter: Arc<Meter>,
}

/// How often [`Job::wait_with`] calls its function, and the callbacks of C and Python are called, while a send is under way.
pub const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug)]
enum State {
    Done(Box<Report>),
    Taken,
    UnderWay(Option<Waker>),
}

impl Shared {
    fn new(state: State) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(state),
            done: Condvar::new(),
            cancel: CancelSignal::default(),
            meter: Arc::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Option<Report> {
        match std::mem::replace(self, Self::Taken) {
            Self::Done(report) => Some(*report),
            other => {
                *self = other;
                None
            }
        }
    }
}

impl Job {
    /// A job that is over before it began.
    pub(super) fn done(report: Report) -> Self {
        Self {
            shared: Shared::new(State::Done(Box::new(report))),
            process: std::process::id(),
        }
    }

    /// Waits for the report.
    pub fn wait(self) -> Report {
        let mut job = self;
        loop {
            match job.wait_timeout(Duration::MAX) {
                Ok(report) => return report,
                Err(under_way) => job = under_way,
            }
        }
    }

    /// Waits for at most `timeout`.
    ///
    /// # Errors
    /// The job itself, when it is still under way.
    pub fn wait_timeout(self, timeout: Duration) -> Result<Report, Self> {
        if self.process != std::process::id() {
            return Ok(carried_over_a_fork());
        }
        // A time beyond the clock's end never comes.
        let until = Instant::now().checked_add(timeout);
        let mut state = self.shared.lock();
        loop {
            if let Some(report) = state.take() {
                return Ok(report);
            }
            let left = until.map_or(Duration::MAX, |until| {
                until.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                drop(state);
                return Err(self);
            }
            state = self
                .shared
                .done
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// How far it is. Cheap enough to be asked with every frame that a window draws.
    pub fn progress(&self) -> Progress {
        if self.process == std::process::id() {
            self.shared.meter.progress()
        } else {
            Meter::default().progress()
        }
    }

    /// What cancels it, as [`Self::cancel`] does, for whoever does not hold the job: another thread, or the function that
    /// [`Self::wait_with`] calls.
    pub fn cancel_signal(&self) -> CancelSignal {
        self.shared.cancel.clone()
    }

    /// Whether it has ended. If not, `waker` is woken when it ends.
    pub(super) fn has_ended(&self, waker: &Waker) -> bool {
        let mut state = self.shared.lock();
        match &mut *state {
            State::UnderWay(waiting) => {
                *waiting = Some(waker.clone());
                false
            }
            State::Done(_) | State::Taken => true,
        }
    }

    /// Cancels and watches it, while the job itself is elsewhere: in a [`Queue`](super::Queue).
    pub fn watch(&self) -> JobWatch {
        JobWatch {
            shared: Arc::clone(&self.shared),
            process: self.process,
            last: ArcSwap::from_pointee(self.progress()),
        }
    }

    /// Waits for the report, and calls `observe` with the progress, in this thread: at once, then every
    /// [`PROGRESS_INTERVAL`] whether it has changed or not, and once more at the end if it has changed since. So the
    /// function can cancel at any time, by [`Self::cancel_signal`], while a host is silent too.
    ///
    /// # Example
    /// ```no_run
    /// # fn send(agent: &map_core::Agent, message: map_core::message::Message) {
    /// let report = agent.submit_message(message).wait_with(|progress| {
    ///     println!("{}: {} of {:?} octets", progress.stage.as_str(), progress.sent, progress.total);
    /// });
    /// println!("{}", report.reply());
    /// # }
    /// ```
    pub fn wait_with(self, mut observe: impl FnMut(&Progress)) -> Report {
        let mut job = self;
        loop {
            let at_end = Self {
                shared: Arc::clone(&job.shared),
                process: job.process,
            };
            let told = job.progress();
            observe(&told);
            match job.wait_timeout(PROGRESS_INTERVAL) {
                Ok(report) => {
                    let progress = at_end.progress();
                    if progress != told {
                        observe(&progress);
                    }
                    return report;
                }
                Err(under_way) => job = under_way,
            }
        }
    }

    /// Cancels the delivery, from any thread. The report still comes, at once: `RE_CANCELLED` while the content has
    /// not been sent whole, after that `RE_UNCERTAIN`, or the server's verdict if it is already there.
    pub fn cancel(&self) {
        if self.process == std::process::id() {
            self.shared.cancel.cancel();
        }
    }
}

impl Future for Job {
    type Output = Report;

    /// # Panics
    /// When polled again after it gave its report.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Report> {
        if self.process != std::process::id() {
            return Poll::Ready(carried_over_a_fork());
        }
        let mut state = self.shared.lock();
        if let Some(report) = state.take() {
            return Poll::Ready(report);
        }
        match &mut *state {
            State::UnderWay(waker) => *waker = Some(context.waker().clone()),
            State::Done(_) | State::Taken => panic!("a job was polled after it gave its report"),
        }
        Poll::Pending
    }
}

/// Cancels and watches a job without holding it. No method waits.
#[derive(Debug)]
pub struct JobWatch {
    shared: Arc<Shared>,
    process: u32,
    /// The progress that was read last.
    last: ArcSwap<Progress>,
}

impl JobWatch {
    /// Cancels the delivery as [`Job::cancel`] does. In a forked child it does nothing.
    pub fn cancel(&self) {
        if self.process == std::process::id() {
            self.shared.cancel.cancel();
        }
    }

    /// The progress of the delivery, or what was read of it before while it is being written down. In a forked child it
    /// stays as it was.
    pub fn progress(&self) -> Progress {
        let here = self.process == std::process::id();
        if let Some(progress) = here.then(|| self.shared.meter.try_progress()).flatten() {
            self.last.store(Arc::new(progress));
        }
        **self.last.load()
    }
}

impl Drop for JobWatch {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // Freeing it takes locks, which a thread of the parent may have held.
            std::mem::forget(Arc::clone(&self.shared));
        }
    }
}

fn carried_over_a_fork() -> Report {
    rejected(Arc::default(), &Cause::Misuse(CARRIED_OVER_A_FORK.to_owned()))
}

/// What a task sends.
pub(super) enum TaskContent {
    Message(Message),
    /// Put together by the worker, in a thread that may wait.
    Deferred(Prepare),
}

/// Puts a message together, and says what was asked for where that is not known before.
pub(super) type Prepare = Box<dyn FnOnce() -> Result<(Message, Option<Asked>), CheckFailure> + Send>;

impl fmt::Debug for TaskContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Message(_) => "Message",
            Self::Deferred(_) => "Deferred",
        })
    }
}

/// The worker's end of a job. However it is dropped, the job ends in a report.
#[derive(Debug)]
pub(super) struct Task {
    /// Taken by the worker.
    pub(super) content: Option<TaskContent>,
    pub(super) asked: Arc<Asked>,
    pub(super) meter: Arc<Meter>,
    /// The caller's deadline runs from the call, not from when the worker comes to it.
    pub(super) deadline: Option<Instant>,
    pub(super) started: Instant,
    shared: Arc<Shared>,
    process: u32,
    /// Tells the worker's owner that it is not idle.
    busy: Option<Arc<()>>,
}

impl Task {
    /// `started` is when the caller called, `deadline` what it gave from there.
    pub(super) fn new(
        content: TaskContent,
        asked: Arc<Asked>,
        started: Instant,
        deadline: Option<Duration>,
    ) -> (Self, Job) {
        let shared = Shared::new(State::UnderWay(None));
        let process = std::process::id();
        let deadline = deadline.and_then(|deadline| started.checked_add(deadline));
        shared
            .meter
            .set_preparing(matches!(content, TaskContent::Deferred(_)));
        let task = Self {
            content: Some(content),
            asked,
            meter: Arc::clone(&shared.meter),
            deadline,
            started,
            shared: Arc::clone(&shared),
            process,
            busy: None,
        };
        (task, Job { shared, process })
    }

    pub(super) fn cancel_signal(&self) -> CancelSignal {
        self.shared.cancel.clone()
    }

    pub(super) fn keep_busy(&mut self, busy: Arc<()>) {
        self.busy = Some(busy);
    }

    pub(super) fn finish(mut self, report: Report) {
        self.complete(report);
    }

    fn complete(&mut self, report: Report) {
        // Before the report: who has it may find the worker idle.
        self.busy = None;
        let mut state = self.shared.lock();
        if let State::UnderWay(waker) = &mut *state {
            let waker = waker.take();
            *state = State::Done(Box::new(report));
            drop(state);
            self.shared.done.notify_all();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // In a forked child the state may be locked for ever by a thread that is not there.
        if self.process == std::process::id() {
            let unfinished = matches!(*self.shared.lock(), State::UnderWay(_));
            if unfinished {
                let fault = Cause::Internal {
                    content_begun: self.meter.content_begun(),
                };
                self.complete(rejected(Arc::clone(&self.asked), &fault));
            }
        }
    }
}
