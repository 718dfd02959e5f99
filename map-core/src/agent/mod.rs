//! What a caller holds: an agent, its configuration, its jobs.
//!
//! An [`Agent`] owns one worker thread with a single-threaded runtime, started with its first job. To send is to
//! submit a [`Job`] and to wait for its [`Report`]; a job can also be awaited by any executor, and cancelled from
//! any thread.
//!
//! # Fork
//!
//! Threads do not survive `fork`. An agent remembers the process it was made in; in a child its jobs answer
//! `RE_MISUSE` at once, no lock is taken on that path, and nothing of the parent's runtime is touched or joined. The
//! [default agent](default_agent) is made anew in the child.

mod config;
mod default;
mod job;
mod signing;
mod worker;

#[cfg(test)]
mod tests;

pub use config::{Config, ConfigError, Timeout};
pub use default::{close_default, configure_default, default_agent, send};
pub use job::Job;

use crate::delivery::{Asked, Cause, Report, rejected};
use crate::message::{Message, Options};
use crate::protocol::{self, Fields};
use job::Task;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use worker::Worker;

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
    process: u32,
    worker: Mutex<Option<Worker>>,
}

impl Agent {
    /// An agent; its worker starts with the first job.
    pub fn new(config: Config) -> Self {
        Self {
            inner: Arc::new(Inner {
                config,
                process: std::process::id(),
                worker: Mutex::new(None),
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
        if !self.is_of_this_process() {
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
                self.start(message, asked, started)
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
    /// whose length is not known may be read through here, on the caller's thread. What fails is in the job's report.
    pub fn submit_message(&self, message: Message) -> Job {
        let started = Instant::now();
        // Its size is counted here and remembered: the worker has other deliveries to look after.
        let asked = Arc::new(Asked::of(&message));
        if self.is_of_this_process() {
            self.start(message, asked, started)
        } else {
            Job::done(rejected(asked, &Cause::Misuse(CARRIED_OVER_A_FORK.to_owned())))
        }
    }

    fn start(&self, message: Message, asked: Arc<Asked>, started: Instant) -> Job {
        let (task, job) = Task::new(message, asked, started, self.inner.config.deadline());
        let mut worker = self.inner.worker.lock().unwrap_or_else(PoisonError::into_inner);
        if worker.as_ref().is_none_or(Worker::is_gone) {
            *worker = Worker::start(&self.inner.config).ok();
        }
        // Without a worker (the system gives no thread) the task is dropped here, which ends its job.
        if let Some(worker) = worker.as_ref() {
            worker.run(task);
        }
        job
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// False in a child of the process that made it: its jobs answer `RE_MISUSE` there.
    pub fn is_of_this_process(&self) -> bool {
        self.inner.process == std::process::id()
    }
}

pub(crate) const CARRIED_OVER_A_FORK: &str =
    "this agent was made before a fork; make a new one in the child process";

impl Drop for Inner {
    fn drop(&mut self) {
        let worker = self
            .worker
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if self.process != std::process::id() {
            // The thread is not in this process, and the channel to it may be locked for ever.
            std::mem::forget(worker);
        }
    }
}
