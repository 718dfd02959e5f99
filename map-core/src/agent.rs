//! What a caller holds: an agent, its configuration, its jobs.
//!
//! An [`Agent`] owns one worker thread with a single-threaded runtime, started with a job when there is none, and ended
//! when it has had nothing to do for two seconds. To send is to submit a [`Job`] and to wait for its [`Report`]; a job can
//! also be awaited by any executor, and cancelled from any thread.
//!
//! # Signals
//!
//! The threads of an agent take none of the program's signals: whoever waits for them by `sigwait` or `signalfd` gets
//! them all.
//!
//! # Fork
//!
//! Threads do not survive `fork`. An agent remembers the process in which it was first used; in a child of that its jobs
//! answer `RE_MISUSE` at once, no lock is taken on that path, and nothing of the parent's runtime is touched or joined.
//! One that was made before `fork`, or before `daemon`, and not used belongs to whoever uses it first. The [default
//! agent](default_agent) is made anew in the child.

mod config;
mod default;
mod deferred;
mod job;
mod queue;
mod signing;
mod worker;

#[cfg(test)]
mod tests;

pub use config::{Config, ConfigError, Timeout};
pub use default::{close_default, configure_default, default_agent, send};
pub use deferred::OwnedFields;
pub use job::{Job, JobWatch, PROGRESS_INTERVAL};
pub use queue::{Completion, NotQueued, Queue};

use crate::delivery::{Asked, Cause, Report, rejected};
use crate::message::{Message, Options};
use crate::protocol::{self, Fields};
use job::{Task, TaskContent};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
pub(crate) use worker::THREAD_NAME;
use worker::Workshop;

/// Delivers mail. Cheap to clone, safe to use from any thread.
///
/// # Example
///
/// ```no_run
/// let agent = map_core::Agent::new(map_core::Config::new());
/// let report = agent.send("cxw@apple.com", "407184933@qq.com", "test", "test content.");
/// println!("{}\n{}", report.reply(), report.summary().advice());
/// ```
#[derive(Clone, Debug)]
pub struct Agent {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Config,
    /// In which it was first used; [`NOT_USED`] before that. Set before the lock is taken for the first time, so that a
    /// child finds the lock held by nobody where it finds no other process.
    process: AtomicU32,
    workshop: Mutex<Workshop>,
}

const NOT_USED: u32 = 0;

impl Agent {
    /// An agent; it starts nothing before its first job.
    pub fn new(config: Config) -> Self {
        Self {
            inner: Arc::new(Inner {
                config,
                process: AtomicU32::new(NOT_USED),
                workshop: Mutex::default(),
            }),
        }
    }

    /// Sends one mail and waits for what became of it (MAP 4). Blocks the calling thread: from async code, `await`
    /// the job that [`Self::submit`] gives.
    pub fn send(&self, from: &str, to: &str, subject: &str, content: &str) -> Report {
        self.submit(Fields {
            from: from.as_bytes(),
            to: to.as_bytes(),
            subject: subject.as_bytes(),
            content: content.as_bytes(),
        })
        .wait()
    }

    /// Makes the client's checks (MAP 4.1), composes the message and starts the delivery. Does not wait for anything;
    /// a large content is looked through here, on the caller's thread. What fails is in the job's report.
    pub fn submit(&self, fields: Fields<'_>) -> Job {
        self.submit_with(fields, Options::default())
    }

    /// The same with a `Date:` or `Message-ID:` of the caller's, so that a repeat after `RE_UNCERTAIN` can be
    /// recognised by who receives both.
    pub fn submit_with(&self, fields: Fields<'_>, options: Options) -> Job {
        if !self.belongs_here() {
            return Job::done(rejected(
                Asked::new(fields).into(),
                &Cause::Misuse(CARRIED_OVER_A_FORK.to_owned()),
            ));
        }
        let started = Instant::now();
        let asked = Arc::new(Asked::new(fields));
        match protocol::check(fields) {
            Err(failure) => Job::done(rejected(asked, &failure.into())),
            Ok(checked) => {
                let message = Message::text(
                    checked.from,
                    checked.to,
                    &checked.subject,
                    checked.content,
                    options,
                );
                // Counted here and remembered: the worker has other deliveries to look after.
                let _ = message.size();
                self.start(TaskContent::Message(message), asked, started)
            }
        }
    }

    /// Sends a message to all of its recipients and waits for what became of it. Blocks the calling thread, as
    /// [`Self::send`] does.
    ///
    /// # Example
    /// ```no_run
    /// use map_core::message::{AddressList, Builder};
    ///
    /// let message = Builder::new()
    ///     .from("anna@example.com".parse::<AddressList>()?)
    ///     .to("bob@example.net, Carol <carol@example.org>".parse::<AddressList>()?)
    ///     .subject("Grüße".parse()?)
    ///     .text("Schön war's.\n".parse()?)
    ///     .build()?;
    /// let report = map_core::Agent::new(map_core::Config::new()).send_message(message);
    /// for recipient in report.recipients() {
    ///     println!("{}: {}", recipient.recipient(), recipient.reply());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_message(&self, message: Message) -> Report {
        self.submit_message(message).wait()
    }

    /// Starts the delivery of a message to all of its recipients, each once. Does not wait for anything; a large content
    /// in memory may be looked through here, on the caller's thread. What fails is in the job's report.
    pub fn submit_message(&self, message: Message) -> Job {
        let started = Instant::now();
        // Its size is counted here and remembered: the worker has other deliveries to look after.
        let asked = Arc::new(Asked::of(&message));
        if self.belongs_here() {
            self.start(TaskContent::Message(message), asked, started)
        } else {
            Job::done(rejected(asked, &Cause::Misuse(CARRIED_OVER_A_FORK.to_owned())))
        }
    }

    fn start(&self, content: TaskContent, asked: Arc<Asked>, started: Instant) -> Job {
        let (task, job) = Task::new(content, asked, started, self.inner.config.deadline());
        let mut workshop = self.inner.workshop.lock().unwrap_or_else(PoisonError::into_inner);
        workshop.run(task, &self.inner.config);
        job
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// False in a child of the process that first used it: its jobs answer `RE_MISUSE` there.
    pub fn is_of_this_process(&self) -> bool {
        let process = self.inner.process.load(Ordering::Acquire);
        process == NOT_USED || process == std::process::id()
    }

    /// Makes it one of this process, unless it is one of another.
    fn belongs_here(&self) -> bool {
        let here = std::process::id();
        let claimed =
            self.inner
                .process
                .compare_exchange(NOT_USED, here, Ordering::AcqRel, Ordering::Acquire);
        claimed.is_ok() || claimed == Err(here)
    }
}

pub(crate) const CARRIED_OVER_A_FORK: &str =
    "this agent was used before a fork; make a new one in the child process";

impl Drop for Inner {
    fn drop(&mut self) {
        let process = *self.process.get_mut();
        if process != NOT_USED && process != std::process::id() {
            let workshop = self.workshop.get_mut().unwrap_or_else(PoisonError::into_inner);
            // The thread is not in this process, and the channel to it may be locked for ever.
            std::mem::forget(std::mem::take(workshop));
        }
    }
}
