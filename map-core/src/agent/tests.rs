//! Jobs and the worker, over a resolver that is made up.

use super::*;
use crate::delivery::{Delivered, RecipientReport, Stage};
use crate::protocol::MapReply;
use crate::route::{Lookup, LookupError, RecordType, Resolver};
use std::future::{Future, pending};
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

/// How the DNS behaves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dns {
    Missing,
    Panics,
    Silent,
}

impl Resolver for Dns {
    fn query<'a>(&'a self, _name: &'a str, _record_type: RecordType) -> Lookup<'a> {
        match self {
            Self::Missing => Box::pin(async { Err(LookupError::NxDomain) }),
            Self::Panics => Box::pin(async { panic!("a resolver of the caller's panicked") }),
            Self::Silent => Box::pin(pending()),
        }
    }
}

pub(super) fn agent(dns: Dns) -> Agent {
    let mut config = Config::new();
    config.set_resolver(Arc::new(dns));
    Agent::new(config)
}

fn submit(agent: &Agent) -> Job {
    agent.submit(Fields {
        from: b"a@example.com",
        to: b"b@example.org",
        subject: b"s",
        content: b"c",
    })
}

const SOON: Duration = Duration::from_secs(60);

#[track_caller]
fn finish(job: Job) -> MapReply {
    job.wait_timeout(SOON).expect("the job ends").reply().clone()
}

fn dns_fail() -> MapReply {
    MapReply::DnsFail("example.org".to_owned())
}

#[test]
fn what_the_client_refuses_never_reaches_the_worker() {
    let agent = agent(Dns::Panics);
    let report = agent.send("a@example.com", " \t", "s", "\r\n");
    assert_eq!(report.reply().to_string(), "RE_NO_EMPTY: <To, Content,>.");
    assert_eq!(report.message_id(), None);
    assert_eq!(report.recipients().len(), 1);
    let report = agent.send("a@example.com", " 407184933qq.com ", "s", "c");
    assert_eq!(
        report.reply().to_string(),
        "RE_INVALID_FORMAT: <407184933qq.com>."
    );
    assert!(
        !agent.inner.workshop.lock().expect("unpoisoned").has_worker(),
        "no thread was started"
    );
}

#[test]
fn one_worker_serves_many_jobs_and_threads() {
    let agent = agent(Dns::Missing);
    let threads: Vec<_> = (0..32)
        .map(|_| {
            let agent = agent.clone();
            thread::spawn(move || {
                agent
                    .send("a@example.com", "b@example.org", "s", "c")
                    .reply()
                    .clone()
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().expect("no panic"), dns_fail());
    }
}

#[test]
fn a_panic_ends_its_own_job_only() {
    let agent = agent(Dns::Panics);
    let jobs = [submit(&agent), submit(&agent)];
    for job in jobs {
        let report = job.wait_timeout(SOON).expect("the job ends");
        assert_eq!(report.reply(), &MapReply::Internal);
        assert_eq!(report.summary().delivered(), Delivered::No);
        assert_eq!(report.summary().recipient(), "b@example.org");
        assert!(
            report.transcript().contains("C: CMD_SUBJECT: <s>."),
            "{}",
            report.transcript()
        );
    }
}

/// A connection over which the whole exchange is made, and that panics when the final reply is read.
#[derive(Debug)]
struct Trap {
    replies: std::collections::VecDeque<&'static [u8]>,
}

impl tokio::io::AsyncRead for Trap {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.replies.front() {
            // One reply is read for each write: see below.
            Some(&b"") => Poll::Pending,
            Some(reply) => {
                buffer.put_slice(reply);
                self.replies.pop_front();
                Poll::Ready(Ok(()))
            }
            None => panic!("a transport of the caller's panicked"),
        }
    }
}

impl tokio::io::AsyncWrite for Trap {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if self.replies.front() == Some(&&b""[..]) {
            self.replies.pop_front();
        }
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl crate::net::Transport for Trap {
    fn local_addr(&self) -> Option<std::net::SocketAddr> {
        None
    }
}

#[derive(Debug)]
struct Trapper;

impl crate::net::Connector for Trapper {
    fn connect(&self, _: std::net::SocketAddr) -> crate::net::Connecting<'_> {
        let replies: [&'static [u8]; 9] = [
            b"220 r\r\n",
            b"",
            b"250 h\r\n",
            b"",
            b"250 m\r\n",
            b"",
            b"250 r\r\n",
            b"",
            b"354 d\r\n",
        ];
        let trap = Trap {
            replies: replies.into_iter().chain([&b""[..]]).collect(),
        };
        Box::pin(async { Ok(Box::new(trap) as Box<dyn crate::net::Transport>) })
    }
}

#[test]
fn a_panic_behind_the_content_does_not_say_that_nothing_was_delivered() {
    let mut config = Config::new();
    config.set_connector(Arc::new(Trapper));
    let fields = Fields {
        from: b"a@example.com",
        to: b"b@[192.0.2.1]",
        subject: b"s",
        content: b"c",
    };
    let report = Agent::new(config)
        .submit(fields)
        .wait_timeout(SOON)
        .expect("the job ends");
    assert_eq!(report.reply(), &MapReply::Internal);
    assert_eq!(report.summary().delivered(), Delivered::Unknown);
}

#[test]
fn waiting_for_ever_is_a_time_too() {
    let report = submit(&agent(Dns::Missing))
        .wait_timeout(Duration::MAX)
        .expect("the job ends");
    assert_eq!(report.reply(), &dns_fail());
}

#[test]
fn a_job_outlives_its_agent() {
    let agent = agent(Dns::Missing);
    let job = submit(&agent);
    drop(agent);
    assert_eq!(finish(job), dns_fail());
}

#[test]
fn cancel_comes_from_any_thread_and_twice_does_no_harm() {
    let agent = agent(Dns::Silent);
    let job = submit(&agent);
    let job = job
        .wait_timeout(Duration::from_millis(1))
        .expect_err("the DNS is silent");
    thread::scope(|scope| {
        scope.spawn(|| job.cancel());
        scope.spawn(|| job.cancel());
    });
    assert_eq!(finish(job), MapReply::Cancelled);
}

#[test]
fn a_deadline_ends_a_silent_look_up() {
    let mut config = Config::new();
    config.set_resolver(Arc::new(Dns::Silent));
    config
        .set_deadline(Some(Duration::from_millis(10)))
        .expect("a deadline");
    let report = submit(&Agent::new(config))
        .wait_timeout(SOON)
        .expect("the job ends");
    assert_eq!(report.reply(), &MapReply::ServerUnreach);
    assert!(report.summary().transient());
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The smallest executor there is: a job needs no particular one.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_job_is_a_future_for_any_executor() {
    let agent = agent(Dns::Missing);
    assert_eq!(block_on(submit(&agent)).reply(), &dns_fail());

    let job = submit(&self::agent(Dns::Silent));
    let canceller = Arc::new(job);
    let other = Arc::clone(&canceller);
    thread::spawn(move || other.cancel()).join().expect("no panic");
    let job = Arc::into_inner(canceller).expect("the other thread is over");
    assert_eq!(block_on(job).reply(), &MapReply::Cancelled);
}

#[test]
fn the_default_agent_is_made_once_and_follows_its_configuration() {
    let first = default_agent();
    assert!(Arc::ptr_eq(&first.inner, &default_agent().inner));
    let mut config = Config::new();
    config.set_resolver(Arc::new(Dns::Missing));
    configure_default(config);
    assert!(!Arc::ptr_eq(&first.inner, &default_agent().inner));
    assert_eq!(
        send("a@example.com", "b@example.org", "s", "c").reply(),
        &dns_fail()
    );
}

/// A resolver that says when the last of it is gone: with the worker, which owns it.
#[derive(Debug)]
struct Mourned(std::sync::mpsc::Sender<()>, Dns);

impl Drop for Mourned {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

impl Resolver for Mourned {
    fn query<'a>(&'a self, name: &'a str, record_type: RecordType) -> Lookup<'a> {
        self.1.query(name, record_type)
    }
}

fn mourned(dns: Dns) -> (Agent, std::sync::mpsc::Receiver<()>) {
    let (sender, gone) = std::sync::mpsc::channel();
    let mut config = Config::new();
    config.set_resolver(Arc::new(Mourned(sender, dns)));
    (Agent::new(config), gone)
}

#[test]
fn an_idle_worker_is_gone_with_its_agent() {
    let (agent, gone) = mourned(Dns::Missing);
    assert_eq!(finish(submit(&agent)), dns_fail());
    drop(agent);
    assert!(gone.try_recv().is_ok(), "the worker was waited for");
}

#[test]
fn a_busy_worker_is_not_waited_for() {
    let (agent, gone) = mourned(Dns::Silent);
    let job = submit(&agent);
    drop(agent);
    assert!(gone.try_recv().is_err(), "the delivery goes on");
    job.cancel();
    assert_eq!(finish(job), MapReply::Cancelled);
    assert!(
        gone.recv_timeout(SOON).is_ok(),
        "it ends when it has nothing to do"
    );
}

#[test]
fn whoever_waits_sees_the_progress_and_may_cancel() {
    let agent = agent(Dns::Silent);
    let job = submit(&agent);
    let observed = job.progress();
    assert_eq!((observed.stage, observed.sent), (Stage::Route, 0));
    let cancel = job.cancel_signal();
    let mut seen = Vec::new();
    let report = job.wait_with(|progress| {
        seen.push(*progress);
        cancel.cancel();
    });
    assert_eq!(report.reply(), &MapReply::Cancelled);
    assert!(!seen.is_empty(), "it is called at least once");
}

#[test]
fn whoever_waits_is_called_while_nothing_changes() {
    let job = submit(&agent(Dns::Silent));
    let cancel = job.cancel_signal();
    let mut seen = Vec::new();
    let report = job.wait_with(|progress| {
        seen.push(*progress);
        if seen.ends_with(&[*progress; 4]) {
            cancel.cancel();
        }
    });
    assert_eq!(report.reply(), &MapReply::Cancelled);
    assert!(seen.len() >= 4, "{seen:?}");
}

#[test]
fn whoever_waits_for_what_is_over_is_told_once() {
    let job = agent(Dns::Silent).submit(Fields {
        from: b"a@example.com",
        to: b"b@example.org",
        subject: b"s",
        content: b"",
    });
    let mut calls = 0;
    let report = job.wait_with(|_| calls += 1);
    assert_eq!(
        (report.reply().to_string().as_str(), calls),
        ("RE_NO_EMPTY: <Content,>.", 1)
    );
}

#[test]
fn a_message_reaches_each_of_its_recipients_or_none_is_forgotten() {
    let message = crate::message::Builder::new()
        .from("a@example.com".parse::<crate::Mailbox>().expect("a sender"))
        .to("b@example.org, c@example.net"
            .parse::<crate::message::AddressList>()
            .expect("recipients"))
        .text("c".parse().expect("a text"))
        .build()
        .expect("a message");
    for (dns, replies) in [
        (
            Dns::Missing,
            ["RE_DNS_FAIL: <example.org>.", "RE_DNS_FAIL: <example.net>."],
        ),
        (Dns::Panics, ["RE_INTERNAL.", "RE_INTERNAL."]),
    ] {
        let report = agent(dns).send_message(message.clone());
        let given: Vec<String> = report
            .recipients()
            .iter()
            .map(|one| one.reply().to_string())
            .collect();
        assert_eq!(given, replies);
        let recipients: Vec<&str> = report
            .recipients()
            .iter()
            .map(RecipientReport::recipient)
            .collect();
        assert_eq!(recipients, ["b@example.org", "c@example.net"]);
    }
}

/// Whether the threads of this process with that name take one of the signals that a process is sent.
#[cfg(target_os = "linux")]
fn take_signals(name: &str) -> Vec<bool> {
    let mut found = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").expect("procfs").flatten() {
        let read = |file: &str| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
        if read("comm").trim() != name {
            continue;
        }
        let status = read("status");
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
        let blocked = blocked.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        // All of 1 to 31 but KILL and STOP, which nobody can block, and those that a fault of the thread raises.
        let own: u64 = [libc::SIGKILL, libc::SIGSTOP]
            .iter()
            .chain(&[
                libc::SIGBUS,
                libc::SIGFPE,
                libc::SIGILL,
                libc::SIGSEGV,
                libc::SIGSYS,
                libc::SIGTRAP,
            ])
            .map(|signal| 1 << (signal - 1))
            .sum();
        found.push(blocked.expect("a mask") & 0x7fff_ffff != 0x7fff_ffff & !own);
    }
    found
}

/// A reader of the caller's is read in a thread beside the worker.
#[cfg(target_os = "linux")]
#[test]
fn no_thread_takes_the_programs_signals() {
    let (looked, look) = std::sync::mpsc::channel();
    let part = crate::message::Part::reader(None, move || {
        looked.send(take_signals("mapagent")).expect("somebody waits");
        Ok(Box::new(std::io::empty()))
    });
    let message = crate::message::Builder::new()
        .from("a@example.com".parse::<crate::Mailbox>().expect("a sender"))
        .to("b@[192.0.2.1]".parse::<crate::Mailbox>().expect("a recipient"))
        .body(part)
        .build()
        .expect("a message");
    let mut config = Config::new();
    config.set_connector(Arc::new(Trapper));
    drop(Agent::new(config).send_message(message));
    let taking = look.recv_timeout(SOON).expect("the content was opened");
    assert!(taking.len() >= 2, "the worker and who reads: {taking:?}");
    assert!(!taking.contains(&true), "{taking:?}");
}

#[test]
fn a_worker_without_work_ends_and_what_is_known_stays() {
    let (agent, gone) = mourned(Dns::Missing);
    assert_eq!(finish(submit(&agent)), dns_fail());
    let started = Instant::now();
    while !agent.inner.workshop.lock().expect("unpoisoned").is_deserted() {
        assert!(started.elapsed() < SOON, "it stays");
        thread::sleep(Duration::from_millis(1));
    }
    assert!(gone.try_recv().is_err(), "the resolver outlives the worker");
    assert_eq!(finish(submit(&agent)), dns_fail());
    drop(agent);
    assert!(gone.try_recv().is_ok());
}

/// Each comes at about the time at which the worker ends for lack of work, a little earlier or later.
#[test]
fn no_job_is_lost_at_the_end_of_a_worker() {
    let agent = agent(Dns::Missing);
    for round in 0..100 {
        thread::sleep(Duration::from_micros(19_000 + round * 30));
        assert_eq!(finish(submit(&agent)), dns_fail());
    }
}
