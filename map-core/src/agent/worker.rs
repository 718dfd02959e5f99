//! The thread that delivers.

use super::config::Config;
use super::job::Task;
use crate::delivery::{Environment, deliver};
use crate::net::{Limits, Port25};
use crate::route::{HickoryResolver, Resolver};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A thread with a runtime. When this is dropped it finishes what it was given, and ends.
#[derive(Debug)]
pub(super) struct Worker {
    tasks: mpsc::UnboundedSender<Task>,
}

impl Worker {
    pub(super) fn start(config: &Config) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let environment = Arc::new(environment(config));
        let start_timeout = config.start_timeout;
        let (tasks, queue) = mpsc::unbounded_channel();
        std::thread::Builder::new()
            .name("mapagent".to_owned())
            .spawn(move || runtime.block_on(work(queue, environment, start_timeout)))?;
        Ok(Self { tasks })
    }

    pub(super) fn run(&self, task: Task) {
        // A worker that is gone drops the task, which ends its job.
        drop(self.tasks.send(task));
    }
}

fn environment(config: &Config) -> Environment {
    let resolver = match (&config.resolver, &config.dns_servers[..]) {
        (Some(resolver), _) => Arc::clone(resolver),
        (None, []) => hickory(HickoryResolver::system(), config),
        (None, servers) => hickory(HickoryResolver::with_servers(servers), config),
    };
    Environment {
        connector: config.connector(&resolver),
        resolver,
        policy: config.policy,
        smtp_port: config.smtp_port,
        hello_name: config.hello_name.clone(),
        connect_timeout: config.connect_timeout,
        deadlines: config.deadlines,
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
    start_timeout: Duration,
) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            task = queue.recv() => match task {
                Some(task) => {
                    running.spawn(run(task, Arc::clone(&environment), start_timeout));
                }
                None => break,
            },
            // A task that panicked was dropped while unwinding, which ended its job with RE_INTERNAL.
            Some(_) = running.join_next() => {}
        }
    }
    while running.join_next().await.is_some() {}
}

async fn run(mut task: Task, environment: Arc<Environment>, start_timeout: Duration) {
    let limits = Limits {
        cancel: task.cancel_signal(),
        total: task.deadline.map(Instant::from_std),
        content_start: Instant::from_std(task.started) + start_timeout,
    };
    let asked = std::mem::take(&mut task.asked);
    let report = deliver(&task.message, asked, &environment, &limits).await;
    task.finish(report);
}
