//! Sending a message.

use super::map_message;
use crate::agent::{core_agent, map_agent};
use crate::boundary::{Answer, replying};
use crate::pointer;
use crate::progress::{map_progress_fn, wait_telling};
use crate::reply::map_reply;
use crate::report::map_report;
use crate::send::{any_agent, report_of, shared_agent};
use map_core::{Agent, Job};
use std::ffi::c_void;

/// Sends a message to all of its recipients, each once, and waits for what became of it. As map_send() does, it delivers to
/// the recipients' own mail servers, or to the relay of map_config_set_relay().
///
/// @param message required. It is put together as map_message_build() does; nothing is sent if something of it was
///                refused.
/// @param report  always written; free it with map_report_free(). It has a part for each recipient. It becomes NULL when
///                there was nothing to send: the reply is that of map_message_build(), RE_MISUSE or RE_INTERNAL. May be
///                NULL: no report is wanted.
/// @return RE_SUCCESS when the message was accepted for all recipients; RE_PARTIAL when it was for some and certainly not
///         for the others; RE_UNCERTAIN when that cannot be said of one; else the reply of the one it went worst for.
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
                let job = submit(|| any_agent(agent), message)?;
                Ok(wait_telling(job, tell, user_data))
            })
        }
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
