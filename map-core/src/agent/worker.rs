//! The thread that delivers.

use super::config::Config;
use super::job::{Task, TaskContent};
use super::signing::signed;
use crate::delivery::{BrokenTls, Cause, Environment, Stage, StsSource, deliver, rejected};
use crate::dkim::DkimSigner;
use crate::local::LocalError;
use crate::message::Message;
use crate::net::{HttpsFetcher, Limits, Places, Port25, blocking};
use crate::protocol::{CheckFailure, MapReply};
use crate::route::mta_sts::MtaSts;
use crate::route::{HickoryResolver, HostNames, Resolver};
use crate::signals::without_signals;
use std::cell::Cell;
use std::io;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Of every thread of the library.
pub(crate) const THREAD_NAME: &str = "mapagent";

thread_local! {
    /// This thread is a worker: it cannot wait for itself.
    static ON_A_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// How long a worker without work stays. A program whose `main` leaves by `pthread_exit` ends with its last thread, so an
/// idle one must not stay for ever. A new one costs a fraction of a millisecond, and what is known is kept by the agent.
const IDLE: Duration = if cfg!(test) {
    Duration::from_millis(20)
} else {
    Duration::from_secs(2)
};

/// Where an agent's work is done: the worker, while there is one, and what outlives it.
#[derive(Debug, Default)]
pub(super) struct Workshop {
    /// With what was learnt of the DNS, of policies and of hosts; made for the first job.
    environment: Option<Arc<Environment>>,
    worker: Option<Worker>,
}

impl Workshop {
    /// Hands a task to the worker, which is started where there is none.
    ///
    /// The one that is there may be ending at this moment, of idleness or of a fault. Then it gives the task back, for a
    /// new one. Where the system gives no thread, that is the end of its job.
    pub(super) fn run(&mut self, mut task: Task, config: &Config) {
        if let Some(worker) = self.worker.take() {
            let Some(given_back) = worker.run(task) else {
                self.worker = Some(worker);
                return;
            };
            task = given_back;
            worker.leave();
        }
        let environment = self
            .environment
            .get_or_insert_with(|| Arc::new(environment(config)));
        match Worker::start(config, Arc::clone(environment)) {
            Ok(worker) => {
                // It gives it back only if it could not even begin, and has said why then.
                if let Some(task) = worker.run(task) {
                    let why = worker.refusal.get().cloned();
                    fall_short(task, why.unwrap_or(LocalError::Threads));
                }
                self.worker = Some(worker);
            }
            Err(error) => fall_short(task, LocalError::of_thread(&error)),
        }
    }

    #[cfg(test)]
    pub(super) fn has_worker(&self) -> bool {
        self.worker.is_some()
    }

    /// The thread of the worker has ended, or there was none.
    #[cfg(test)]
    pub(super) fn is_deserted(&self) -> bool {
        self.worker
            .as_ref()
            .and_then(|worker| worker.thread.as_ref())
            .is_none_or(JoinHandle::is_finished)
    }
}

/// A thread with a runtime. When this is dropped it finishes what it was given, and ends: an idle one at once, and
/// whoever drops it sees it gone; one that is busy by itself, and nobody waits for it. One that has nothing to do for
/// [`IDLE`] ends by itself, too.
#[derive(Debug)]
struct Worker {
    tasks: Option<mpsc::UnboundedSender<Task>>,
    thread: Option<JoinHandle<()>>,
    /// Shared with every task that is not finished.
    busy: Arc<()>,
    /// Why it could not begin.
    refusal: Arc<OnceLock<LocalError>>,
}

impl Worker {
    fn start(config: &Config, environment: Arc<Environment>) -> io::Result<Self> {
        let start_timeout = config.deadlines.start;
        let signers = config.dkim_signers.as_slice().into();
        let (tasks, queue) = mpsc::unbounded_channel();
        let refusal = Arc::<OnceLock<LocalError>>::default();
        let refused = Arc::clone(&refusal);
        let thread = std::thread::Builder::new().name(THREAD_NAME.to_owned());
        let work = move || {
            ON_A_WORKER.set(true);
            // Made here and not by the caller: the thread of a C program that makes a runtime keeps a handle of
            // Rust's for ever.
            match runtime() {
                Ok(runtime) => {
                    runtime.block_on(self::work(queue, environment, signers, start_timeout));
                    // A thread that signs or reads a content may be held up by its source, and nobody is to wait for
                    // that.
                    runtime.shutdown_timeout(Duration::from_secs(1));
                }
                Err(error) => refuse(queue, &error, &refused),
            }
        };
        // The threads that the runtime starts for files and readers are started by this one, and inherit from it.
        let thread = without_signals(|| thread.spawn(work))?;
        Ok(Self {
            tasks: Some(tasks),
            thread: Some(thread),
            busy: Arc::default(),
            refusal,
        })
    }

    /// Gives it a task; the task comes back if it takes no more.
    fn run(&self, mut task: Task) -> Option<Task> {
        let Some(tasks) = &self.tasks else {
            return Some(task);
        };
        task.keep_busy(Arc::clone(&self.busy));
        tasks.send(task).err().map(|given_back| given_back.0)
    }

    /// Lets go of one that is ending: nobody waits for it.
    fn leave(mut self) {
        self.thread = None;
    }
}

/// Ends the jobs of a worker for which the system gives no descriptors.
fn refuse(mut queue: mpsc::UnboundedReceiver<Task>, error: &io::Error, refusal: &OnceLock<LocalError>) {
    let why = LocalError::shortage(error).unwrap_or(LocalError::Descriptors);
    let why = refusal.get_or_init(|| why);
    // From here on a task goes back to whoever hands it over.
    queue.close();
    while let Some(task) = queue.blocking_recv() {
        fall_short(task, why.clone());
    }
}

fn fall_short(task: Task, why: LocalError) {
    let report = rejected(Arc::clone(&task.asked), &Cause::Local(Stage::Check, why));
    task.finish(report);
}

impl Drop for Worker {
    fn drop(&mut self) {
        let is_idle = Arc::strong_count(&self.busy) == 1;
        self.tasks = None;
        if let Some(thread) = self.thread.take().filter(|_| is_idle && !ON_A_WORKER.get()) {
            // It has nothing to do but to end. A panic of its own is told to nobody: there is no job that it was for.
            drop(thread.join());
        }
    }
}

/// Files and readers of the caller's that are read at the same time, each in a thread of its own. A reader may never give
/// anything, and its thread cannot be taken from it: where few are enough to fill the pool, no file is read beside them any
/// more. So there are as many as a machine has threads to give; one that is done with is used again or ends.
const MAX_READING_THREADS: usize = 32 * 1024;

fn runtime() -> io::Result<runtime::Runtime> {
    runtime::Builder::new_current_thread()
        .enable_io()
        // As the worker's: what is printed of a panic in it is known by the name.
        .thread_name(THREAD_NAME)
        .enable_time()
        .max_blocking_threads(MAX_READING_THREADS)
        .build()
}

fn environment(config: &Config) -> Environment {
    let resolver = match (&config.resolver, &config.dns_servers[..]) {
        (Some(resolver), _) => Arc::clone(resolver),
        (None, []) => hickory(HickoryResolver::system(), config),
        (None, servers) => hickory(HickoryResolver::with_servers(servers), config),
    };
    // A relay and a proxy are what every program takes their names for, unless somebody is named who knows them.
    let host_names = match (&config.resolver, &config.dns_servers[..]) {
        (None, []) => HostNames::system(),
        _ => HostNames::from(Arc::clone(&resolver)),
    };
    let connector = config.connector(&host_names);
    let places = Places::of_this_process();
    let tls = config.tls_settings();
    Environment {
        mta_sts: config.mta_sts.then(|| StsSource {
            known: Arc::new(MtaSts::with_places(places.policies.clone())),
            fetcher: Arc::new(HttpsFetcher::new(
                Arc::clone(&resolver),
                Arc::clone(&connector),
                config.policy,
                tls.clone(),
                config.https_port,
            )),
        }),
        connector,
        resolver,
        host_names,
        tls,
        require_tls: config.require_tls,
        dane: config.dane,
        broken_tls: BrokenTls::default(),
        relay: config.relay.clone(),
        policy: config.policy,
        smtp_port: config.smtp_port,
        hello_name: config.hello_name.clone(),
        connect_timeout: config.connect_timeout,
        deadlines: config.deadlines,
        places,
        chunking: config.chunking,
        port25: config
            .port25_check
            .then(|| Arc::new(Port25::new(config.port25_probe_hosts.clone()))),
    }
}

fn hickory(resolver: HickoryResolver, config: &Config) -> Arc<dyn Resolver> {
    Arc::new(resolver.with_trust_anchors(config.dns_trust_anchors.clone()))
}

async fn work(
    mut queue: mpsc::UnboundedReceiver<Task>,
    environment: Arc<Environment>,
    signers: Arc<[DkimSigner]>,
    start_timeout: Duration,
) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            // What has come is looked at before the time: a job may be handed over as the time ends.
            biased;
            task = queue.recv() => match task {
                Some(task) => {
                    let (environment, signers) = (Arc::clone(&environment), Arc::clone(&signers));
                    running.spawn(run(task, environment, signers, start_timeout));
                }
                None => break,
            },
            // A task that panicked was dropped while unwinding, which ended its job with RE_INTERNAL.
            Some(_) = running.join_next() => {}
            // Asked each time anew: nobody is woken when a look-up that is no delivery's ends.
            () = tokio::time::sleep(IDLE), if running.is_empty() => if !environment.learns() {
                // From here on a task goes back to whoever hands it over. One that came before is still done.
                queue.close();
            },
        }
    }
    while running.join_next().await.is_some() {}
}

/// The message of a task, put together first where that was left to the worker.
async fn prepared(task: &mut Task, limits: &Limits) -> Result<Message, Cause> {
    const FAULT: Cause = Cause::Internal { content_begun: false };
    let prepare = match task.content.take().ok_or(FAULT)? {
        TaskContent::Message(message) => return Ok(message),
        TaskContent::Deferred(prepare) => prepare,
    };
    let preparing = blocking::start(prepare).map_err(|no_thread| Cause::Local(Stage::Check, no_thread))?;
    match limits.bound(preparing).await {
        Ok(Ok(Ok((message, asked)))) => {
            task.meter.set_preparing(false);
            if let Some(asked) = asked {
                task.asked = Arc::new(asked);
            }
            Ok(message)
        }
        Ok(Ok(Err(failure))) => Err(refusal(failure)),
        // It panicked.
        Ok(Err(_)) => Err(FAULT),
        Err(why) => Err(Cause::GivenUp(Stage::Check, why)),
    }
}

/// A message that is not put together may have been refused as misuse, or for a fault of ours.
fn refusal(failure: CheckFailure) -> Cause {
    match failure.reply {
        MapReply::Misuse(what) => Cause::Misuse(what),
        MapReply::Internal => Cause::Internal { content_begun: false },
        _ => failure.into(),
    }
}

async fn run(
    mut task: Task,
    environment: Arc<Environment>,
    signers: Arc<[DkimSigner]>,
    start_timeout: Duration,
) {
    let mut limits = Limits {
        cancel: task.cancel_signal(),
        total: task.deadline.map(Instant::from_std),
        content_start: Instant::from_std(task.started) + start_timeout,
    };
    let was_deferred = matches!(task.content, Some(TaskContent::Deferred(_)));
    let message = match prepared(&mut task, &limits).await {
        Ok(message) => signed(&message, &signers, &limits).await,
        Err(cause) => Err(cause),
    };
    let asked = Arc::clone(&task.asked);
    let report = match message {
        Ok(message) => {
            // A large message takes its time to be put together and signed, and no host is to blame for that.
            if was_deferred || !signers.is_empty() {
                limits.content_start = Instant::now() + start_timeout;
            }
            deliver(&message, asked, &environment, &limits, &task.meter).await
        }
        Err(cause) => rejected(asked, &cause),
    };
    task.finish(report);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    /// By then the thread is there on any machine; a thread that there is none of is waited for no longer.
    const PLENTY: Duration = Duration::from_secs(30);

    /// More than the runtime's own number of such threads, 512.
    #[test]
    fn readers_that_give_nothing_keep_no_file_from_being_read() {
        let runtime = runtime().expect("a runtime");
        let (release, until) = channel::<()>();
        let until = Arc::new(std::sync::Mutex::new(until));
        for _ in 0..600 {
            let until = Arc::clone(&until);
            runtime.spawn_blocking(move || {
                // Until the test is over.
                let _ = until.lock().map(|until| until.recv());
            });
        }
        let read = runtime.spawn_blocking(|| "a block");
        let in_time = runtime.block_on(async { tokio::time::timeout(PLENTY, read).await });
        // Before anything can fail: the runtime waits for its threads.
        drop(release);
        let read = in_time.expect("a thread is free for it");
        assert_eq!(read.expect("it is read"), "a block");
    }
}
