//! The thread that delivers.

use super::config::Config;
use super::job::Task;
use super::signing::signed;
use crate::delivery::{BrokenTls, Environment, StsSource, deliver, rejected};
use crate::dkim::DkimSigner;
use crate::net::{HttpsFetcher, Limits, Port25};
use crate::route::mta_sts::MtaSts;
use crate::route::{HickoryResolver, Resolver};
use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

const THREAD_NAME: &str = "mapagent";

thread_local! {
    /// This thread is a worker: it cannot wait for itself.
    static ON_A_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// A thread with a runtime. When this is dropped it finishes what it was given, and ends: an idle one at once, and
/// whoever drops it sees it gone; one that is busy by itself, and nobody waits for it.
#[derive(Debug)]
pub(super) struct Worker {
    tasks: Option<mpsc::UnboundedSender<Task>>,
    thread: Option<JoinHandle<()>>,
    /// Shared with every task that is not finished.
    busy: Arc<()>,
}

impl Worker {
    pub(super) fn start(config: &Config) -> io::Result<Self> {
        let environment = Arc::new(environment(config));
        let start_timeout = config.start_timeout;
        let signers = config.dkim_signers.as_slice().into();
        let (tasks, queue) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new()
            .name(THREAD_NAME.to_owned())
            .spawn(move || {
                ON_A_WORKER.set(true);
                // Made here and not by the caller: the thread of a C program that makes a runtime keeps a handle of
                // Rust's for ever. Where the system gives none, the queue is gone, and its jobs end with a fault.
                let runtime = runtime::Builder::new_current_thread()
                    .enable_io()
                    // As this one's: what is printed of a panic in it is known by the name.
                    .thread_name(THREAD_NAME)
                    .enable_time()
                    .build();
                if let Ok(runtime) = runtime {
                    runtime.block_on(work(queue, environment, signers, start_timeout));
                    // A thread that signs or reads a content may be held up by its source, and nobody is to wait for that.
                    runtime.shutdown_timeout(Duration::from_secs(1));
                }
            })?;
        Ok(Self {
            tasks: Some(tasks),
            thread: Some(thread),
            busy: Arc::default(),
        })
    }

    /// Its thread has ended, which only a fault of ours can do.
    pub(super) fn is_gone(&self) -> bool {
        self.tasks.as_ref().is_none_or(mpsc::UnboundedSender::is_closed)
    }

    pub(super) fn run(&self, mut task: Task) {
        task.keep_busy(Arc::clone(&self.busy));
        // A worker that is gone drops the task, which ends its job.
        if let Some(tasks) = &self.tasks {
            drop(tasks.send(task));
        }
    }
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

fn environment(config: &Config) -> Environment {
    let resolver = match (&config.resolver, &config.dns_servers[..]) {
        (Some(resolver), _) => Arc::clone(resolver),
        (None, []) => hickory(HickoryResolver::system(), config),
        (None, servers) => hickory(HickoryResolver::with_servers(servers), config),
    };
    let connector = config.connector(&resolver);
    let tls = config.tls_settings();
    Environment {
        mta_sts: config.mta_sts.then(|| StsSource {
            known: Arc::new(MtaSts::new()),
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
        chunking: config.chunking,
        port25: config
            .port25_check
            .then(|| Arc::new(Port25::new(config.port25_witnesses.clone()))),
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
            task = queue.recv() => match task {
                Some(task) => {
                    let (environment, signers) = (Arc::clone(&environment), Arc::clone(&signers));
                    running.spawn(run(task, environment, signers, start_timeout));
                }
                None => break,
            },
            // A task that panicked was dropped while unwinding, which ended its job with RE_INTERNAL.
            Some(_) = running.join_next() => {}
        }
    }
    while running.join_next().await.is_some() {}
}

async fn run(task: Task, environment: Arc<Environment>, signers: Arc<[DkimSigner]>, start_timeout: Duration) {
    let mut limits = Limits {
        cancel: task.cancel_signal(),
        total: task.deadline.map(Instant::from_std),
        content_start: Instant::from_std(task.started) + start_timeout,
    };
    let asked = Arc::clone(&task.asked);
    let report = match signed(&task.message, &signers, &limits).await {
        Ok(message) => {
            // A large message takes its time to be signed, and no host is to blame for that.
            if !signers.is_empty() {
                limits.content_start = Instant::now() + start_timeout;
            }
            deliver(&message, asked, &environment, &limits, &task.meter).await
        }
        Err(cause) => rejected(asked, &cause),
    };
    task.finish(report);
}
