//! Sending a message, and watching it go.

use super::map_message;
use crate::agent::{core_agent, map_agent};
use crate::boundary::{Answer, guarded, replying};
use crate::pointer;
use crate::reply::map_reply;
use crate::report::{map_report, map_stage};
use crate::send::{report_of, shared_agent};
use map_core::{Agent, Job, Progress, Report};
use std::ffi::c_void;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

/// How far a send is. It belongs to the library and lasts as long as the call of the function that it was handed to.
#[derive(Debug)]
pub struct map_progress {
    progress: Progress,
}

/// Is told how far a send is, whenever that has changed, at most ten times a second, in the thread that called. Returns 0
/// to go on, anything else to cancel the send, which then ends at once: see RE_CANCELLED and RE_UNCERTAIN. It must not
/// leave by longjmp() or an exception.
pub type map_progress_fn =
    Option<unsafe extern "C" fn(progress: *const map_progress, user_data: *mut c_void) -> i32>;

/// Sends a message to all of its recipients, each once, and waits for what became of it. As map_send() does, it delivers to
/// the recipients' own mail servers, or to the relay of map_config_set_relay().
///
/// @param message required. It is put together as map_message_build() does; nothing is sent if something of it was
///                refused.
/// @param report  always written; free it with map_report_free(). It has a part for each recipient. It becomes NULL when
///                there was nothing to send: the reply is that of map_message_build(), RE_MISUSE or RE_INTERNAL. May be
///                NULL: no report is wanted.
/// @return RE_SUCCESS when the message was accepted for all recipients; else the reply of the one it went worst for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_send_message(
    message: *mut map_message,
    report: *mut *mut map_report,
) -> map_reply {
    replying(|| {
        // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a place for the report.
        unsafe {
            report_of(report, || {
                let job = submit(|| Ok(shared_agent()), message)?;
                Ok(job.wait())
            })
        }
    })
}

/// As map_send_message(), by this agent.
///
/// @param agent   required.
/// @param message as for map_send_message().
/// @param report  as for map_send_message().
/// @return as map_send_message().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_agent_send_message(
    agent: *const map_agent,
    message: *mut map_message,
    report: *mut *mut map_report,
) -> map_reply {
    replying(|| {
        // SAFETY: handles that are not freed meanwhile, the message used by this thread alone, as the header asks; and a
        // place for the report.
        unsafe {
            report_of(report, || {
                let job = submit(|| core_agent(agent), message)?;
                Ok(job.wait())
            })
        }
    })
}

/// As map_agent_send_message(), with a function of yours that is told how far it is, and may cancel it.
///
/// @param agent     NULL: as map_send_message() does.
/// @param message   as for map_send_message().
/// @param progress  required.
/// @param user_data handed to it.
/// @param report    as for map_send_message().
/// @return as map_send_message().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_send_message_with_progress(
    agent: *const map_agent,
    message: *mut map_message,
    progress: map_progress_fn,
    user_data: *mut c_void,
    report: *mut *mut map_report,
) -> map_reply {
    replying(|| {
        // SAFETY: as for `map_agent_send_message`.
        unsafe {
            report_of(report, || {
                let tell = progress.ok_or_else(|| Answer::missing("progress"))?;
                let agent = || {
                    if agent.is_null() {
                        Ok(shared_agent())
                    } else {
                        core_agent(agent)
                    }
                };
                let job = submit(agent, message)?;
                Ok(wait_telling(job, |progress| {
                    let progress = map_progress { progress };
                    // SAFETY: the program vouches for its function.
                    tell(&raw const progress, user_data) == 0
                }))
            })
        }
    })
}

/// What is being done now; where several hosts are spoken with at the same time, the furthest of it.
///
/// @param progress NULL: MAP_STAGE_CHECK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_progress_stage(progress: *const map_progress) -> map_stage {
    guarded(map_stage::MAP_STAGE_OTHER, || {
        // SAFETY: NULL, or what the library handed out and takes back behind this call.
        let progress = unsafe { pointer::shared(progress) };
        progress.map_or(map_stage::MAP_STAGE_CHECK, |progress| {
            progress.progress.stage.into()
        })
    })
}

/// How many octets of the message were given to the system to send, over all hosts that it goes to. Fewer than before when
/// it has to begin anew with another host.
///
/// @param progress NULL: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_progress_sent(progress: *const map_progress) -> u64 {
    guarded(0, || {
        // SAFETY: as for `map_progress_stage`.
        unsafe { pointer::shared(progress) }.map_or(0, |progress| progress.progress.sent)
    })
}

/// How many octets it will be in all.
///
/// @param progress NULL: MAP_SIZE_UNKNOWN.
/// @return MAP_SIZE_UNKNOWN while it cannot be told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_progress_total(progress: *const map_progress) -> u64 {
    guarded(u64::MAX, || {
        // SAFETY: as for `map_progress_stage`.
        let progress = unsafe { pointer::shared(progress) };
        progress
            .and_then(|progress| progress.progress.total)
            .unwrap_or(u64::MAX)
    })
}

/// Starts a send; the agent is asked for only when there is something to send.
///
/// # Safety
/// `message` is NULL or a handle that is used by this thread alone.
unsafe fn submit(
    agent: impl FnOnce() -> Result<Agent, Answer>,
    message: *mut map_message,
) -> Result<Job, Answer> {
    // SAFETY: as the caller vouches.
    let message = unsafe { pointer::exclusive(message) }.ok_or_else(|| Answer::missing("message"))?;
    let message = message.build()?;
    Ok(agent()?.submit_message(message))
}

/// Waits for the report and tells of every change that is seen, ten times a second, until `tell` cancels the send.
fn wait_telling(job: Job, mut tell: impl FnMut(Progress) -> bool) -> Report {
    const LOOK: Duration = Duration::from_millis(100);

    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut job = pin!(job);
    let mut last = None;
    let mut goes_on = true;
    loop {
        let polled = job.as_mut().poll(&mut context);
        let now = job.progress();
        if goes_on && last.replace(now) != Some(now) && !tell(now) {
            goes_on = false;
            job.cancel();
        }
        if let Poll::Ready(report) = polled {
            return report;
        }
        thread::park_timeout(LOOK);
    }
}
