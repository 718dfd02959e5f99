use super::super::tests::{Dns, agent};
use super::super::{Agent, OwnedFields};
use super::*;
use crate::protocol::MapReply;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

const SOON: Duration = Duration::from_secs(60);

fn fields(to: &str) -> OwnedFields {
    OwnedFields {
        from: b"a@example.com".into(),
        to: to.into(),
        subject: b"s".into(),
        content: b"c".into(),
    }
}

fn add<T: Send + 'static>(queue: &Queue<T>, agent: &Agent, tag: T) -> JobWatch {
    queue
        .add(tag, || agent.submit_deferred(fields("b@example.org")))
        .expect("it is accepted")
}

#[track_caller]
fn take<T: Send + 'static>(queue: &Queue<T>) -> Completion<T> {
    assert!(queue.wait(Some(Instant::now() + SOON)), "a job ends");
    queue.take().expect("a completion waits")
}

#[cfg(target_os = "linux")]
fn is_readable<T: Send + 'static>(queue: &Queue<T>) -> bool {
    use std::io::Read;
    // Reading it changes it: what was read is written again.
    let copy = queue
        .descriptor()
        .expect("it is of this process")
        .try_clone_to_owned();
    let mut copy = std::fs::File::from(copy.expect("a descriptor"));
    let read = copy.read(&mut [0; 8]).is_ok();
    if read {
        queue.shared.descriptor.raise();
    }
    read
}

/// Counts its own drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_failed_check_comes_as_a_completion() {
    let queue = Queue::new().expect("a queue");
    let agent = agent(Dns::Panics);
    let empty = queue.add("empty", || agent.submit_deferred(OwnedFields::default()));
    assert!(empty.is_ok());
    let done = take(&queue);
    assert_eq!(done.tag, "empty");
    assert_eq!(
        done.report.reply().to_string(),
        "RE_NO_EMPTY: <From, To, Subject, Content,>."
    );
    let bad = queue.add("bad", || agent.submit_deferred(fields("bexample.org")));
    assert!(bad.is_ok());
    let done = take(&queue);
    assert_eq!(
        done.report.reply().to_string(),
        "RE_INVALID_FORMAT: <bexample.org>."
    );
    assert!(done.report.transcript().contains("C: CMD_SUBJECT: <s>."));
    assert!(queue.take().is_none());
    assert_eq!(queue.pending(), 0);
}

#[test]
fn a_message_that_cannot_be_built_is_told_with_its_reason() {
    use crate::protocol::CheckFailure;
    let queue = Queue::new().expect("a queue");
    let agent = agent(Dns::Panics);
    for reply in [
        MapReply::Misuse("no".to_owned()),
        MapReply::InvalidFormat("to".to_owned()),
        MapReply::Internal,
    ] {
        let failure = CheckFailure {
            reply: reply.clone(),
            reason: "the reason".to_owned(),
        };
        let added = queue.add((), || agent.submit_built(|| Err(failure)));
        assert!(added.is_ok());
        let report = take(&queue).report;
        assert_eq!(report.reply(), &reply);
        if matches!(reply, MapReply::InvalidFormat(_)) {
            assert!(report.summary().advice().contains("the reason"), "{report:?}");
        }
    }
}

#[test]
fn a_build_that_panics_ends_its_job() {
    let queue = Queue::new().expect("a queue");
    let agent = agent(Dns::Panics);
    let added = queue.add((), || agent.submit_built(|| panic!("a builder of the caller's")));
    assert!(added.is_ok());
    assert_eq!(take(&queue).report.reply(), &MapReply::Internal);
}

#[test]
fn a_build_that_waits_keeps_nobody_and_is_cancelled_at_once() {
    let queue = Queue::new().expect("a queue");
    let slow = agent(Dns::Panics);
    let (release, until) = channel::<()>();
    let build = move || {
        let _ = until.recv();
        panic!("nobody wants it any more")
    };
    let watch = queue
        .add("slow", || slow.submit_built(build))
        .expect("it is accepted");
    assert_eq!(watch.progress().stage, crate::delivery::Stage::Check);
    add(&queue, &agent(Dns::Missing), "quick");
    assert_eq!(take(&queue).tag, "quick");
    watch.cancel();
    let done = take(&queue);
    assert_eq!((done.tag, done.report.reply()), ("slow", &MapReply::Cancelled));
    drop(release);
}

#[test]
#[cfg(target_os = "linux")]
fn the_descriptor_is_readable_while_completions_wait() {
    let queue = Queue::new().expect("a queue");
    let agent = agent(Dns::Missing);
    assert!(!is_readable(&queue));
    add(&queue, &agent, 1);
    add(&queue, &agent, 2);
    while queue.begin_round() < 2 {
        thread::yield_now();
    }
    assert!(is_readable(&queue));
    assert!(queue.take().is_some() && is_readable(&queue));
    assert!(queue.take().is_some() && !is_readable(&queue));
    add(&queue, &agent, 3);
    assert!(queue.wait(None) && is_readable(&queue));
    queue.close();
    assert!(!is_readable(&queue));
}

#[test]
fn the_wakeup_is_called_once_a_round() {
    let queue = Queue::new().expect("a queue");
    let agent = agent(Dns::Missing);
    let (calls, called) = channel();
    let tell = |calls: &Sender<()>| {
        let calls = calls.clone();
        Some(Box::new(move || calls.send(()).expect("it is heard")) as Box<dyn Fn() + Send>)
    };
    assert!(queue.set_wakeup(tell(&calls)));
    add(&queue, &agent, 1);
    called.recv_timeout(SOON).expect("the first is told");
    add(&queue, &agent, 2);
    while queue.shared.lock().ended.len() < 2 {
        thread::yield_now();
    }
    assert!(called.try_recv().is_err(), "it was told");
    assert_eq!(queue.begin_round(), 2);
    add(&queue, &agent, 3);
    called.recv_timeout(SOON).expect("one that came later is told");
    while queue.take().is_some() {}
    add(&queue, &agent, 4);
    called
        .recv_timeout(SOON)
        .expect("so is one after the last was taken");
    assert!(queue.set_wakeup(tell(&calls)));
    called.try_recv().expect("what waits already is told at once");
    assert!(queue.set_wakeup(None));
    drop(calls);
    assert!(called.recv().is_err(), "the functions are gone");
}

#[test]
fn closing_cancels_and_drops_every_tag_here() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let queue = Queue::new().expect("a queue");
    let (silent, missing) = (agent(Dns::Silent), agent(Dns::Missing));
    for agent in [&silent, &missing, &silent] {
        add(&queue, agent, Counted(Arc::clone(&dropped)));
    }
    assert!(queue.wait(None));
    queue.close();
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
    assert!(queue.take().is_none() && queue.pending() == 0 && !queue.wait(None));
    let late = queue.add(Counted(Arc::clone(&dropped)), || unreachable!("it is closed"));
    assert_eq!(late.err(), Some(NotQueued));
    assert_eq!(dropped.load(Ordering::Relaxed), 4);
}

#[test]
fn a_job_without_its_watch_goes_on() {
    let queue = Queue::new().expect("a queue");
    drop(add(&queue, &agent(Dns::Missing), ()));
    assert_eq!(take(&queue).report.reply().code().name(), "RE_DNS_FAIL");
}

#[test]
fn a_wait_ends_with_its_time_or_the_last_job() {
    let queue = Queue::new().expect("a queue");
    assert!(!queue.wait(None), "there is nothing to wait for");
    add(&queue, &agent(Dns::Silent), ());
    assert!(!queue.wait(Some(Instant::now() + Duration::from_millis(5))));
    assert_eq!(queue.pending(), 1);
}

#[test]
fn another_process_gets_nothing_and_its_tags_back() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let mut queue = Queue::new().expect("a queue");
    add(&queue, &agent(Dns::Missing), Counted(Arc::clone(&dropped)));
    assert!(queue.wait(None));
    queue.process = 0;
    assert!(queue.take().is_none() && queue.begin_round() == 0 && queue.pending() == 0);
    assert!(!queue.wait(None) && !queue.set_wakeup(None));
    let refused = queue.add(Counted(Arc::clone(&dropped)), || {
        unreachable!("it is the parent's")
    });
    assert_eq!(refused.err(), Some(NotQueued));
    let shared = Arc::downgrade(&queue.shared);
    drop(queue);
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
    assert!(shared.strong_count() > 0, "the descriptor is not closed");
}

#[test]
fn threads_add_take_and_cancel_at_once() {
    const EACH: usize = 250;
    let dropped = Arc::new(AtomicUsize::new(0));
    let queue = Queue::new().expect("a queue");
    let (silent, missing) = (agent(Dns::Silent), agent(Dns::Missing));
    let mut ended = 0;
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..EACH {
                    let agent = if number % 2 == 0 { &silent } else { &missing };
                    let watch = add(&queue, agent, Counted(Arc::clone(&dropped)));
                    if number % 2 == 0 || number % 3 == 0 {
                        watch.cancel();
                    }
                }
            });
        }
        while ended < 4 * EACH {
            match queue.take() {
                Some(_) => ended += 1,
                None => thread::yield_now(),
            }
        }
    });
    assert_eq!(dropped.load(Ordering::Relaxed), 4 * EACH);
    assert_eq!(queue.pending(), 0);
}
