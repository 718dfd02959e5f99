//! An agent of the caller's own.

use crate::boundary::{Answer, guarded, making, replying};
use crate::config::map_config;
use crate::pointer;
use crate::reply::map_reply;
use crate::report::map_report;
use crate::send::{counted_fields, deliver, fields};
use map_core::Agent;
use std::ffi::c_char;

/// Delivers mail by a configuration of its own. Made by map_agent_new(), freed by map_agent_free().
///
/// Any number of threads may use it at once; freeing it is for one thread, after the others are done with it. A child
/// that fork() or daemon() makes must not use an agent that its parent has sent by: it is answered RE_MISUSE there, and may
/// only free it. One that was made before and not used works in the process that uses it first. (map_send() and its kin
/// work in a child.)
#[derive(Debug)]
pub struct map_agent {
    agent: Agent,
}

impl map_agent {
    /// The agent, by a reference of its own, so that it outlives even a free at the wrong time.
    pub(crate) fn agent(&self) -> Agent {
        self.agent.clone()
    }
}

/// Makes an agent. It starts no thread and opens nothing before its first send.
///
/// @param config required; copied. What was refused of it is refused here.
/// @return free with map_agent_free(); NULL with the reason in map_last_reply().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_agent_new(config: *const map_config) -> *mut map_agent {
    making(|| {
        // SAFETY: a handle of the caller's, which nobody changes meanwhile, as the header asks.
        let config = unsafe { pointer::shared(config) }.ok_or_else(|| Answer::missing("config"))?;
        Ok(map_agent {
            agent: Agent::new(config.whole()?.clone()),
        })
    })
}

/// Frees an agent.
///
/// @param agent may be NULL: nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_agent_free(agent: *mut map_agent) {
    guarded((), || {
        // SAFETY: the caller passes NULL or a handle that it has not freed and no other thread uses.
        drop(unsafe { pointer::take(agent) });
    });
}

/// As map_send_report(), by this agent.
///
/// @param agent   required.
/// @param from    the sender's address.
/// @param to      the recipient's address.
/// @param subject one line.
/// @param content plain text.
/// @param report  as for map_send_report().
/// @return as map_send().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_agent_send(
    agent: *const map_agent,
    from: *const c_char,
    to: *const c_char,
    subject: *const c_char,
    content: *const c_char,
    report: *mut *mut map_report,
) -> map_reply {
    replying(|| {
        // SAFETY: a handle that is not freed meanwhile; NULL or NUL-terminated strings, which the caller leaves alone until
        // this call returns; and a place for the report.
        unsafe {
            deliver(
                || Ok((core_agent(agent)?, fields(from, to, subject, content))),
                report,
            )
        }
    })
}

/// As map_send_report_n(), by this agent.
///
/// @param agent          required.
/// @param from           the sender's address.
/// @param from_length    its length in octets.
/// @param to             the recipient's address.
/// @param to_length      its length.
/// @param subject        one line.
/// @param subject_length its length.
/// @param content        plain text.
/// @param content_length its length.
/// @param report         as for map_send_report().
/// @return as map_send_report_n().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_agent_send_n(
    agent: *const map_agent,
    from: *const c_char,
    from_length: usize,
    to: *const c_char,
    to_length: usize,
    subject: *const c_char,
    subject_length: usize,
    content: *const c_char,
    content_length: usize,
    report: *mut *mut map_report,
) -> map_reply {
    replying(|| {
        let texts = [
            (from, from_length),
            (to, to_length),
            (subject, subject_length),
            (content, content_length),
        ];
        // SAFETY: a handle that is not freed meanwhile; as many octets as said, which the caller leaves alone until this
        // call returns; and a place for the report.
        unsafe { deliver(|| Ok((core_agent(agent)?, counted_fields(texts)?)), report) }
    })
}

/// The agent behind a handle that is there.
///
/// # Safety
/// `agent` is NULL or a handle that has not been freed.
pub(crate) unsafe fn core_agent(agent: *const map_agent) -> Result<Agent, Answer> {
    // SAFETY: as the caller vouches.
    let agent = unsafe { pointer::shared(agent) }.ok_or_else(|| Answer::missing("agent"))?;
    Ok(agent.agent())
}

/// The header promises that threads may share an agent.
const _: () = {
    const fn shared_between_threads<T: Send + Sync>() {}
    shared_between_threads::<map_agent>();
};
