//! The one call.

use crate::agent::{core_agent, map_agent};
use crate::at_exit;
use crate::boundary::{Answer, replying};
use crate::config::map_config;
use crate::pointer::{self, Counted};
use crate::progress::{map_progress_fn, wait_telling};
use crate::reply::map_reply;
use crate::report::map_report;
use map_core::agent::{configure_default, default_agent};
use map_core::protocol::Fields;
use map_core::{Agent, Report};
use std::ffi::{c_char, c_void};

/// Sends one e-mail to the recipient's own mail server and waits for the reply.
///
/// The four strings are UTF-8 and NUL-terminated. NULL is an empty field. Nothing is sent unless all four are in order.
/// Any number of threads may call it at once. It can take minutes: see map_config_set_deadline_ms().
///
/// @param from    the sender's address: "cxw@apple.com".
/// @param to      the recipient's address.
/// @param subject one line.
/// @param content plain text, with any line ends.
/// @return RE_SUCCESS when the recipient's server, or the relay of map_config_set_relay(), has accepted the mail. Else
///         why not; map_last_reply() prints the reply with what it carries, map_last_advice() says what to do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_send(
    from: *const c_char,
    to: *const c_char,
    subject: *const c_char,
    content: *const c_char,
) -> map_reply {
    replying(|| {
        // SAFETY: NULL or NUL-terminated strings, which the caller leaves alone until this call returns.
        let fields = unsafe { fields(from, to, subject, content) };
        Answer::from(&shared_agent().submit(fields).wait())
    })
}

/// As map_send(), with the report of what happened.
///
/// @param from    the sender's address.
/// @param to      the recipient's address.
/// @param subject one line.
/// @param content plain text.
/// @param report  always written, whatever the reply is; free it with map_report_free(). It becomes NULL when there is no
///                report, which happens only with RE_INTERNAL and RE_MISUSE. May be NULL: no report is wanted.
/// @return as map_send().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_send_report(
    from: *const c_char,
    to: *const c_char,
    subject: *const c_char,
    content: *const c_char,
    report: *mut *mut map_report,
) -> map_reply {
    replying(|| {
        // SAFETY: NULL or NUL-terminated strings, which the caller leaves alone until this call returns; and a place for
        // the report.
        unsafe {
            deliver(
                || Ok((shared_agent(), fields(from, to, subject, content))),
                report,
            )
        }
    })
}

/// As map_send_report(), with the length of each string in octets, for strings that are not NUL-terminated.
///
/// A NUL inside a string is RE_INVALID_FORMAT: no e-mail can carry it. A string may be NULL if its length is 0.
///
/// @param from           the sender's address.
/// @param from_length    its length.
/// @param to             the recipient's address.
/// @param to_length      its length.
/// @param subject        one line.
/// @param subject_length its length.
/// @param content        plain text.
/// @param content_length its length.
/// @param report         as for map_send_report().
/// @return as map_send(), and RE_MISUSE for a length that no object in memory can have.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_send_report_n(
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
        // SAFETY: as many octets as said, which the caller leaves alone until this call returns; and a place for the report.
        unsafe { deliver(|| Ok((shared_agent(), counted_fields(texts)?)), report) }
    })
}

/// As map_agent_send(), with a function of yours that is told how far it is, and may cancel it.
///
/// @param agent     NULL: as map_send_report() does.
/// @param from      the sender's address.
/// @param to        the recipient's address.
/// @param subject   one line.
/// @param content   plain text.
/// @param progress  required.
/// @param user_data handed to it.
/// @param report    as for map_send_report().
/// @return as map_send().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_send_with_progress(
    agent: *const map_agent,
    from: *const c_char,
    to: *const c_char,
    subject: *const c_char,
    content: *const c_char,
    progress: map_progress_fn,
    user_data: *mut c_void,
    report: *mut *mut map_report,
) -> map_reply {
    replying(|| {
        // SAFETY: a handle that is not freed meanwhile; NULL or NUL-terminated strings, which the caller leaves alone until
        // this call returns; a function of the caller's with its data; and a place for the report.
        unsafe {
            report_of(report, || {
                let tell = progress.ok_or_else(|| Answer::missing("progress"))?;
                let job = any_agent(agent)?.submit(fields(from, to, subject, content));
                Ok(wait_telling(job, tell, user_data))
            })
        }
    })
}

/// As map_send_with_progress(), with the length of each string in octets, as map_send_report_n() takes them.
///
/// @param agent          NULL: as map_send_report_n() does.
/// @param from           the sender's address.
/// @param from_length    its length in octets.
/// @param to             the recipient's address.
/// @param to_length      its length.
/// @param subject        one line.
/// @param subject_length its length.
/// @param content        plain text.
/// @param content_length its length.
/// @param progress       required.
/// @param user_data      handed to it.
/// @param report         as for map_send_report().
/// @return as map_send_report_n().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_send_with_progress_n(
    agent: *const map_agent,
    from: *const c_char,
    from_length: usize,
    to: *const c_char,
    to_length: usize,
    subject: *const c_char,
    subject_length: usize,
    content: *const c_char,
    content_length: usize,
    progress: map_progress_fn,
    user_data: *mut c_void,
    report: *mut *mut map_report,
) -> map_reply {
    replying(|| {
        let texts = [
            (from, from_length),
            (to, to_length),
            (subject, subject_length),
            (content, content_length),
        ];
        // SAFETY: as for `map_send_with_progress`, and as many octets as said.
        unsafe {
            report_of(report, || {
                let tell = progress.ok_or_else(|| Answer::missing("progress"))?;
                let job = any_agent(agent)?.submit(counted_fields(texts)?);
                Ok(wait_telling(job, tell, user_data))
            })
        }
    })
}

/// Sets how map_send(), map_send_report() and map_send_report_n() deliver from now on, in all threads. Calls under way
/// keep what they began with.
///
/// @param config required; copied. What was refused of it is refused here.
/// @return RE_SUCCESS, or why not, and nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_configure_default(config: *const map_config) -> map_reply {
    replying(|| {
        // SAFETY: a handle of the caller's, which nobody changes meanwhile, as the header asks.
        let Some(config) = (unsafe { pointer::shared(config) }) else {
            return Answer::missing("config");
        };
        match config.whole() {
            Ok(config) => {
                at_exit::arrange();
                configure_default(config.clone());
                Answer::done()
            }
            Err(refused) => refused,
        }
    })
}

/// Sends, writes the report and answers.
///
/// # Safety
/// `report` is NULL or can be written.
pub(crate) unsafe fn deliver<'a>(
    prepare: impl FnOnce() -> Result<(Agent, Fields<'a>), Answer>,
    report: *mut *mut map_report,
) -> Answer {
    // SAFETY: as the caller vouches.
    unsafe {
        report_of(report, || {
            let (agent, fields) = prepare()?;
            Ok(agent.submit(fields).wait())
        })
    }
}

/// Writes the report of a send and answers. The report is NULL until there is one, even if a panic passes through here.
///
/// # Safety
/// `report` is NULL or can be written.
pub(crate) unsafe fn report_of(
    report: *mut *mut map_report,
    send: impl FnOnce() -> Result<Report, Answer>,
) -> Answer {
    // SAFETY: as the caller vouches.
    unsafe { pointer::write(report, std::ptr::null_mut()) };
    let outcome = match send() {
        Ok(outcome) => outcome,
        Err(answer) => return answer,
    };
    let answer = Answer::from(&outcome);
    if !report.is_null() {
        // SAFETY: as the caller vouches.
        unsafe { pointer::write(report, pointer::give(map_report::new(outcome))) };
    }
    answer
}

/// The four fields of a call; NULL is an empty one.
///
/// # Safety
/// Each is NULL or points to a NUL-terminated string that nobody changes while `'a` lasts.
pub(crate) unsafe fn fields<'a>(
    from: *const c_char,
    to: *const c_char,
    subject: *const c_char,
    content: *const c_char,
) -> Fields<'a> {
    // SAFETY: as the caller vouches.
    let field = |string| unsafe { pointer::string(string) }.unwrap_or_default();
    Fields {
        from: field(from),
        to: field(to),
        subject: field(subject),
        content: field(content),
    }
}

/// The four fields of a call from strings with their lengths in octets, in the order of [`Fields`]; NULL is an empty one.
///
/// # Safety
/// Each is NULL or points to as many octets as said, which nobody changes while `'a` lasts.
pub(crate) unsafe fn counted_fields<'a>(texts: [(*const c_char, usize); 4]) -> Result<Fields<'a>, Answer> {
    let [from, to, subject, content] = texts;
    let field = |name: &str, (data, length)| {
        // SAFETY: as the caller vouches.
        match unsafe { pointer::counted(data, length) } {
            Counted::Octets(octets) => Ok(octets),
            Counted::Null => Err(Answer::misuse(format!(
                "{name} is NULL and its length is {length}"
            ))),
            Counted::TooLong => Err(Answer::misuse(format!("{name} cannot be {length} octets long"))),
        }
    };
    Ok(Fields {
        from: field("from", from)?,
        to: field("to", to)?,
        subject: field("subject", subject)?,
        content: field("content", content)?,
    })
}

/// The agent behind a handle, or that of the calls without one for NULL.
///
/// # Safety
/// `agent` is NULL or a handle that has not been freed.
pub(crate) unsafe fn any_agent(agent: *const map_agent) -> Result<Agent, Answer> {
    if agent.is_null() {
        Ok(shared_agent())
    } else {
        // SAFETY: as the caller vouches.
        unsafe { core_agent(agent) }
    }
}

/// The agent of the calls without a handle.
pub(crate) fn shared_agent() -> Agent {
    at_exit::arrange();
    default_agent()
}
