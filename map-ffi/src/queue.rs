//! Sending without blocking: a queue of jobs that a program's own loop looks after.

use crate::agent::map_agent;
use crate::boundary::{Answer, guarded, making, remember, replying};
use crate::message::map_message;
use crate::pointer;
use crate::reply::map_reply;
use crate::report::{map_report, map_stage};
use crate::send::{any_agent, fields};
use map_core::agent::{Completion, JobWatch, OwnedFields, Queue};
use map_core::protocol::{CheckFailure, Fields};
use map_core::{Agent, Job, Progress};
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Sends without blocking, for programs with a loop of their own. map_submit() starts a send and returns at once. When the
/// send has ended, the descriptor of map_queue_fd() becomes readable, and map_queue_dispatch() calls the function that was
/// submitted with it, in the thread that dispatches. Made by map_queue_new(), freed by map_queue_free().
///
/// Any thread may use it at any time, but for map_queue_free(), which is for one thread, after the others are done with
/// it. A child that fork() makes must make a queue of its own. One of the parent's is dead there: map_submit() returns NULL
/// with RE_MISUSE, map_queue_fd() returns -1, map_queue_dispatch(), map_queue_pending() and map_queue_drain() return 0,
/// and the descriptor, which the child shares with its parent, is left alone.
#[derive(Debug)]
pub struct map_queue {
    queue: Arc<Queue<Callback>>,
}

/// One send that was submitted, to be cancelled and watched. Freed by map_job_free(), also long before or after the send
/// has ended. Any thread may use it at any time, but for map_job_free(). None of its functions waits.
#[derive(Debug)]
pub struct map_job {
    watch: JobWatch,
}

/// Is told how a send ended, by map_queue_dispatch() or map_queue_drain(), in their thread. The report is yours: free it
/// with map_report_free(). map_last_reply() and map_last_advice() say the same as the report here. The function may
/// call everything, submit and dispatch included, and may free every handle: the queue that is being dispatched, too. It
/// must not leave by longjmp() or an exception.
pub type map_done_fn =
    Option<unsafe extern "C" fn(reply: map_reply, report: *mut map_report, user_data: *mut c_void)>;

/// Frees the user_data of a send. It must not leave by longjmp() or an exception.
pub type map_release_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// Tells a loop that map_queue_dispatch() has something to do. It may only post an event to the loop: it must neither
/// call the library, nor wait, nor leave by longjmp() or an exception.
pub type map_wakeup_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// The program's data of one send. When this is dropped it is released.
#[derive(Debug)]
struct UserData {
    data: *mut c_void,
    release: map_release_fn,
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the program vouches for its function, and this is dropped once.
            unsafe { release(self.data) };
        }
    }
}

/// What a job is queued with.
#[derive(Debug)]
struct Callback {
    done: unsafe extern "C" fn(map_reply, *mut map_report, *mut c_void),
    user_data: UserData,
}

// SAFETY: the pointer is only handed to the program's functions, in threads that the program chose: the one that dispatches,
// frees the queue or is refused. A queue's threads never drop it.
unsafe impl Send for UserData {}

/// A wakeup function and its argument.
struct Wakeup {
    wake: unsafe extern "C" fn(*mut c_void),
    user_data: *mut c_void,
}

// SAFETY: the header says that the function is called in threads of the library.
unsafe impl Send for Wakeup {}

impl Wakeup {
    fn call(&self) {
        // SAFETY: the program vouches for its function.
        unsafe { (self.wake)(self.user_data) };
    }
}

/// Makes a queue. It starts no thread.
///
/// @return free with map_queue_free(); NULL with RE_LOCAL in map_last_reply() when the system gives no descriptor.
#[unsafe(no_mangle)]
pub extern "C" fn map_queue_new() -> *mut map_queue {
    making(|| {
        let queue = Queue::new().map_err(|error| Answer::unreadable(&error, "a queue"))?;
        Ok(map_queue {
            queue: Arc::new(queue),
        })
    })
}

/// Frees a queue. It cancels the sends that have not ended, calls no map_done_fn any more, and releases the user_data of
/// every send before it returns. Its map_wakeup_fn is not called after that, and its descriptor is closed: take it
/// out of your loop first.
///
/// In a child that fork() made, the parent's sends go on, and the child's copies of the user_data are released, unless
/// another thread was inside a function of the queue at the moment of fork(): then they stay.
///
/// @param queue may be NULL: nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_queue_free(queue: *mut map_queue) {
    guarded((), || {
        // SAFETY: the caller passes NULL or a handle that it has not freed and no other thread uses. A dispatch that is under
        // way in this thread has a reference of its own to what is behind the handle.
        if let Some(queue) = unsafe { pointer::take(queue) } {
            queue.queue.close();
        }
    });
}

/// The descriptor that is readable while map_queue_dispatch() has something to do, for poll(), epoll, kqueue and the loops
/// of toolkits. Only wait until it is readable: never read, write or close it.
///
/// @param queue NULL: -1.
/// @return -1 in a child that fork() made, and on Windows, where map_queue_set_wakeup() serves instead. Borrowed until the
///         queue is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_queue_fd(queue: *const map_queue) -> i32 {
    guarded(-1, || {
        // SAFETY: NULL or a handle that is not freed meanwhile.
        unsafe { behind(queue) }.map_or(-1, |queue| descriptor(&queue))
    })
}

#[cfg(unix)]
fn descriptor(queue: &Queue<Callback>) -> i32 {
    use std::os::fd::AsRawFd;
    queue.descriptor().map_or(-1, |descriptor| descriptor.as_raw_fd())
}

#[cfg(not(unix))]
fn descriptor(_queue: &Queue<Callback>) -> i32 {
    -1
}

/// Sets a function that is called when map_queue_dispatch() begins to have something to do, for loops that cannot wait
/// for a descriptor. It is called in a thread of the library, or in the one that submits where the system gives no thread;
/// and by this call if something waits already. It is called again only after the next map_queue_dispatch(). After this
/// returns, the previous function is not called any more.
///
/// @param queue     required.
/// @param wake      NULL: none.
/// @param user_data handed to it.
/// @return RE_SUCCESS; RE_MISUSE inside a wakeup function and in a child that fork() made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_queue_set_wakeup(
    queue: *mut map_queue,
    wake: map_wakeup_fn,
    user_data: *mut c_void,
) -> map_reply {
    replying(|| {
        // SAFETY: NULL or a handle that is not freed meanwhile.
        let Some(queue) = (unsafe { behind(queue) }) else {
            return Answer::missing("queue");
        };
        if !queue.is_of_this_process() {
            return carried_over_a_fork("queue");
        }
        let wakeup = wake.map(|wake| {
            let wakeup = Wakeup { wake, user_data };
            Box::new(move || wakeup.call()) as Box<dyn Fn() + Send>
        });
        if queue.set_wakeup(wakeup) {
            Answer::done()
        } else {
            Answer::misuse("a wakeup function cannot be set inside one")
        }
    })
}

/// Calls the map_done_fn of the sends that have ended, in this thread, and never waits. It calls as many as waited when it
/// was called; the descriptor stays readable for those that end meanwhile. Inside a map_done_fn it does the same for the
/// others.
///
/// @param queue NULL: nothing happens.
/// @return how many were called by this call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_queue_dispatch(queue: *mut map_queue) -> usize {
    guarded(0, || {
        // SAFETY: NULL or a handle that was not freed before this call.
        unsafe { behind(queue) }.map_or(0, |queue| dispatch(&queue))
    })
}

/// How many sends were submitted whose map_done_fn has not been called. Never waits.
///
/// @param queue NULL: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_queue_pending(queue: *const map_queue) -> usize {
    guarded(0, || {
        // SAFETY: NULL or a handle that is not freed meanwhile.
        unsafe { behind(queue) }.map_or(0, |queue| queue.pending())
    })
}

/// Dispatches until no send is left or the time is over, for the end of a program. It waits for that long at most, and
/// for the functions that it calls.
///
/// @param queue NULL: 0.
/// @param ms    how long to wait, in milliseconds.
/// @return how many sends are left, as map_queue_pending() counts them: 0 when all have ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_queue_drain(queue: *mut map_queue, ms: u32) -> usize {
    guarded(0, || {
        // SAFETY: NULL or a handle that was not freed before this call.
        let Some(queue) = (unsafe { behind(queue) }) else {
            return 0;
        };
        let until = Instant::now().checked_add(Duration::from_millis(ms.into()));
        loop {
            dispatch(&queue);
            let is_over = until.is_some_and(|until| Instant::now() >= until);
            if is_over || !queue.wait(until) {
                return queue.pending();
            }
        }
    })
}

/// Starts to send one e-mail, as map_send() does, and returns at once: it never waits for the network, a file or another
/// send, and calls none of your functions but release, and that only if it returns NULL. The strings are copied; the checks,
/// composing and signing happen in the library's threads. Every failure comes by done, that of an empty field or a bad
/// address included.
///
/// @param agent     NULL: the agent of map_send(). It may be freed at once.
/// @param from      the sender's address; NULL is an empty field, as in map_send().
/// @param to        the recipient's address.
/// @param subject   one line.
/// @param content   plain text.
/// @param queue     required.
/// @param done      required; called once by map_queue_dispatch() or map_queue_drain(), unless the queue is freed before.
/// @param user_data handed to done and release.
/// @param release   called exactly once with user_data: after done, when the queue is freed, or by this call when it returns
///                  NULL. NULL: nothing is to be released.
/// @return free with map_job_free(), at once if you like. NULL only for misuse (no queue, no done, a child that fork() made)
///         and when there is no memory; map_last_reply() says which.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_submit(
    agent: *const map_agent,
    from: *const c_char,
    to: *const c_char,
    subject: *const c_char,
    content: *const c_char,
    queue: *mut map_queue,
    done: map_done_fn,
    user_data: *mut c_void,
    release: map_release_fn,
) -> *mut map_job {
    let user_data = UserData {
        data: user_data,
        release,
    };
    making(|| {
        // SAFETY: handles that are not freed meanwhile; NULL or NUL-terminated strings, which the caller leaves alone until
        // this call returns.
        unsafe {
            submit(agent, queue, done, user_data, |agent| {
                let fields = owned(fields(from, to, subject, content))?;
                Ok(move || agent.submit_deferred(fields))
            })
        }
    })
}

/// Starts to send a message to all of its recipients, as map_send_message() does, and returns at once, as map_submit() does.
/// The message is put together in the library's threads: what is wrong with it comes by done, with the reply of
/// map_message_build().
///
/// @param agent     as for map_submit().
/// @param message   required; NULL comes by done, too. It may be changed, sent again or freed at once.
/// @param queue     as for map_submit().
/// @param done      as for map_submit().
/// @param user_data as for map_submit().
/// @param release   as for map_submit().
/// @return as map_submit().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_submit_message(
    agent: *const map_agent,
    message: *const map_message,
    queue: *mut map_queue,
    done: map_done_fn,
    user_data: *mut c_void,
    release: map_release_fn,
) -> *mut map_job {
    let user_data = UserData {
        data: user_data,
        release,
    };
    making(|| {
        // SAFETY: handles that are not freed meanwhile, the message used by this thread alone, as the header asks. It was made
        // mutable, and what changes is how it is remembered, not what it is.
        unsafe {
            submit(agent, queue, done, user_data, |agent| {
                let build = pointer::exclusive(message.cast_mut()).map(map_message::build_later);
                Ok(move || {
                    agent.submit_built(move || {
                        let message = build
                            .ok_or_else(|| Answer::missing("message"))
                            .and_then(|build| build());
                        message.map_err(|answer| CheckFailure {
                            reply: answer.reply().clone(),
                            reason: answer.reason().to_owned(),
                        })
                    })
                })
            })
        }
    })
}

/// Cancels a send, from any thread, at once and in every stage. done is still called: with RE_CANCELLED, with RE_UNCERTAIN
/// when the mail may have gone, or with the server's reply if that is there already.
///
/// @param job NULL, and one that has ended: nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_job_cancel(job: *const map_job) {
    guarded((), || {
        // SAFETY: NULL or a handle that is not freed meanwhile.
        if let Some(job) = unsafe { pointer::shared(job) } {
            job.watch.cancel();
        }
    });
}

/// What is being done now, as map_progress_stage() says; MAP_STAGE_CHECK while the message is put together. Ask it
/// by a timer of yours.
///
/// @param job NULL: MAP_STAGE_CHECK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_job_stage(job: *const map_job) -> map_stage {
    guarded(map_stage::MAP_STAGE_OTHER, || {
        // SAFETY: NULL or a handle that is not freed meanwhile.
        unsafe { progress(job) }.map_or(map_stage::MAP_STAGE_CHECK, |progress| progress.stage.into())
    })
}

/// How many octets of the message were given to the system to send, as map_progress_sent() says.
///
/// @param job NULL: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_job_sent(job: *const map_job) -> u64 {
    // SAFETY: NULL or a handle that is not freed meanwhile.
    guarded(0, || unsafe { progress(job) }.map_or(0, |progress| progress.sent))
}

/// How many octets it will be in all.
///
/// @param job NULL: MAP_SIZE_UNKNOWN.
/// @return MAP_SIZE_UNKNOWN while it cannot be told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_job_total(job: *const map_job) -> u64 {
    guarded(u64::MAX, || {
        // SAFETY: NULL or a handle that is not freed meanwhile.
        let progress = unsafe { progress(job) };
        progress.and_then(|progress| progress.total).unwrap_or(u64::MAX)
    })
}

/// Frees a job. Its send goes on, and done is called as if nothing had happened.
///
/// @param job may be NULL: nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_job_free(job: *mut map_job) {
    guarded((), || {
        // SAFETY: the caller passes NULL or a handle that it has not freed and no other thread uses.
        drop(unsafe { pointer::take(job) });
    });
}

/// The queue behind a handle, by a reference of its own: the handle may be freed inside a callback.
///
/// # Safety
/// `queue` is NULL or a handle that has not been freed.
unsafe fn behind(queue: *const map_queue) -> Option<Arc<Queue<Callback>>> {
    // SAFETY: as the caller vouches.
    unsafe { pointer::shared(queue) }.map(|queue| Arc::clone(&queue.queue))
}

/// # Safety
/// `job` is NULL or a handle that is not freed meanwhile.
unsafe fn progress(job: *const map_job) -> Option<Progress> {
    // SAFETY: as the caller vouches.
    unsafe { pointer::shared(job) }.map(|job| job.watch.progress())
}

/// Submits what `prepare` gives for an agent. The user's data is released unless it is queued.
///
/// # Safety
/// `agent` and `queue` are NULL or handles that have not been freed.
unsafe fn submit<S: FnOnce() -> Job>(
    agent: *const map_agent,
    queue: *mut map_queue,
    done: map_done_fn,
    user_data: UserData,
    prepare: impl FnOnce(Agent) -> Result<S, Answer>,
) -> Result<map_job, Answer> {
    // SAFETY: as the caller vouches.
    let queue = unsafe { behind(queue) }.ok_or_else(|| Answer::missing("queue"))?;
    let done = done.ok_or_else(|| Answer::missing("done"))?;
    if !queue.is_of_this_process() {
        return Err(carried_over_a_fork("queue"));
    }
    // SAFETY: as the caller vouches.
    let agent = unsafe { any_agent(agent) }?;
    if !agent.is_of_this_process() {
        return Err(carried_over_a_fork("agent"));
    }
    let submit = prepare(agent)?;
    let watch = queue
        .add(Callback { done, user_data }, submit)
        .map_err(|refused| Answer::misuse(refused.to_string()))?;
    Ok(map_job { watch })
}

fn carried_over_a_fork(what: &str) -> Answer {
    Answer::misuse(format!(
        "this {what} was used before a fork; make a new one in the child process"
    ))
}

/// Copies of the fields: a program that gives more than there is memory for is told so, and not ended.
fn owned(fields: Fields<'_>) -> Result<OwnedFields, Answer> {
    let copied = |name: &str, octets: &[u8]| -> Result<Vec<u8>, Answer> {
        let mut copy = Vec::new();
        copy.try_reserve_exact(octets.len())
            .map_err(|_| Answer::no_memory(name, octets.len()))?;
        copy.extend_from_slice(octets);
        Ok(copy)
    };
    Ok(OwnedFields {
        from: copied("from", fields.from)?,
        to: copied("to", fields.to)?,
        subject: copied("subject", fields.subject)?,
        content: copied("content", fields.content)?,
    })
}

fn dispatch(queue: &Queue<Callback>) -> usize {
    let waiting = queue.begin_round();
    let mut called = 0;
    while called < waiting {
        // A dispatch inside one takes those of the outer one; freeing the queue takes all.
        let Some(completion) = queue.take() else { break };
        called += 1;
        call(completion);
    }
    called
}

fn call(completion: Completion<Callback>) {
    let Completion {
        tag: Callback { done, user_data },
        report,
    } = completion;
    let answer = Answer::from(&report);
    let reply = map_reply::from(answer.reply().code());
    let report = pointer::give(map_report::new(report));
    remember(answer);
    // SAFETY: the program vouches for its function. The report is its to free from here on.
    unsafe { done(reply, report, user_data.data) };
    drop(user_data);
}

/// The header promises that threads may share them.
const _: () = {
    const fn shared_between_threads<T: Send + Sync>() {}
    shared_between_threads::<map_queue>();
    shared_between_threads::<map_job>();
};
