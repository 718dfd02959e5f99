//! The MAP client session that a window or a script speaks.

use crate::agent::map_agent;
use crate::boundary::{Answer, guarded, making, remember, with_last};
use crate::pointer::{self, Counted};
use crate::report::map_report;
use crate::text::{Recent, c_text};
use map_core::agent::default_agent;
use map_core::protocol::{CheckedFields, Fields, Session, Step};
use map_core::{Agent, Report};
use std::ffi::{CString, c_char};
use std::ptr;

/// A MAP client session: takes the commands of the MAP document one by one, and answers as the document does.
///
/// Made by map_session_new(), freed by map_session_free(). One thread at a time may use it.
#[derive(Debug)]
pub struct map_session {
    agent: Option<Agent>,
    session: Session,
    replies: Recent<CString>,
    report: Option<map_report>,
}

/// Makes a session. It awaits CMD_FROM.
///
/// @param agent the agent to send by, which may be freed before the session; or NULL: as map_send() does.
/// @return free with map_session_free(); NULL only with RE_INTERNAL in map_last_reply().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_session_new(agent: *const map_agent) -> *mut map_session {
    making(|| {
        // SAFETY: NULL or a handle that is not freed meanwhile.
        let agent = unsafe { pointer::shared(agent) };
        Ok(map_session {
            agent: agent.map(map_agent::agent),
            session: Session::new(),
            replies: Recent::new(),
            report: None,
        })
    })
}

/// Frees a session, and the reply and the report borrowed from it.
///
/// @param session may be NULL: nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_session_free(session: *mut map_session) {
    guarded((), || {
        // SAFETY: the caller passes NULL or a handle that it has not freed and no other thread uses.
        drop(unsafe { pointer::take(session) });
    });
}

/// Gives the session its next command: "CMD_FROM: <cxw@apple.com>.", "CMD_TO: <...>.", "CMD_SUBJECT: <...>.",
/// "CMD_CONTENT: <...>.", "CMD_END."
///
/// Between "<" and the final ">." a field may hold anything, ">." included. CMD_END checks the fields, sends the mail and
/// waits; after it the session awaits CMD_FROM again. A command that is unknown or out of order is answered RE_MISUSE and
/// changes nothing.
///
/// @param session required.
/// @param command required; one command.
/// @return the reply as MAP prints it; empty when the command is in order and MAP is silent. Never NULL. Borrowed until
///         the session has been given sixteen more commands, or is freed. A reply that is not empty is this thread's last
///         reply, too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_session_command(
    session: *mut map_session,
    command: *const c_char,
) -> *const c_char {
    guarded(c"RE_INTERNAL.".as_ptr(), || {
        // SAFETY: a handle of the caller's, used by this thread alone; and a NUL-terminated string.
        let (session, command) = unsafe { (pointer::exclusive(session), pointer::string(command)) };
        answer(session, command.ok_or_else(|| Answer::missing("command")))
    })
}

/// As map_session_command(), with the command's length, for a command that is not NUL-terminated.
///
/// @param session required.
/// @param command one command.
/// @param length  its length in octets.
/// @return as map_session_command().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_session_command_n(
    session: *mut map_session,
    command: *const c_char,
    length: usize,
) -> *const c_char {
    guarded(c"RE_INTERNAL.".as_ptr(), || {
        // SAFETY: a handle of the caller's, used by this thread alone; and as many octets as said.
        let (session, command) = unsafe { (pointer::exclusive(session), pointer::counted(command, length)) };
        let command = match command {
            Counted::Octets(octets) => Ok(octets),
            Counted::Null => Err(Answer::missing("command")),
            Counted::TooLong => Err(Answer::misuse(format!("command cannot be {length} octets long"))),
        };
        answer(session, command)
    })
}

/// The report of the mail that the last CMD_END sent.
///
/// @param session NULL has none.
/// @return NULL if the session's last command sent no mail. Borrowed until the session's next command, or until it is freed:
///         do not free it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_session_report(session: *const map_session) -> *const map_report {
    guarded(ptr::null(), || {
        // SAFETY: NULL or a handle that is not freed or changed meanwhile.
        let session = unsafe { pointer::shared(session) };
        session
            .and_then(|session| session.report.as_ref())
            .map_or(ptr::null(), ptr::from_ref)
    })
}

/// Answers a command that is there in a session that is there; otherwise says what is missing.
fn answer(session: Option<&mut map_session>, command: Result<&[u8], Answer>) -> *const c_char {
    match (session, command) {
        (Some(session), Ok(command)) => session.command(command),
        (Some(session), Err(answer)) => {
            session.report = None;
            session.say(answer)
        }
        (None, _) => {
            remember(Answer::missing("session"));
            with_last(|last| last.map_or(c"", |(line, _)| line).as_ptr())
        }
    }
}

impl map_session {
    fn command(&mut self, command: &[u8]) -> *const c_char {
        self.report = None;
        match self.session.command(command) {
            Step::Continue => c"".as_ptr(),
            Step::Misuse(reply) => {
                let advice = reply.code().description();
                self.say(Answer::with_advice(reply, advice))
            }
            Step::CheckFailed(failure) => self.say(Answer::with_advice(failure.reply, failure.reason)),
            Step::Send(fields) => {
                let report = self.send(&fields);
                let answer = Answer::from(&report);
                self.report = Some(map_report::new(report));
                self.say(answer)
            }
        }
    }

    fn send(&self, fields: &CheckedFields) -> Report {
        let agent = self.agent.clone().unwrap_or_else(default_agent);
        let (from, to) = (fields.from.to_string(), fields.to.to_string());
        let fields = Fields {
            from: from.as_bytes(),
            to: to.as_bytes(),
            subject: fields.subject.as_str().as_bytes(),
            content: fields.content.as_str().as_bytes(),
        };
        agent.submit(fields).wait()
    }

    fn say(&mut self, answer: Answer) -> *const c_char {
        let reply = c_text(answer.reply().to_string());
        remember(answer);
        // Moving it moves the handle, not the text.
        let text = reply.as_ptr();
        self.replies.add(reply);
        text
    }
}

/// The header promises that a session may be handed from thread to thread.
const _: () = {
    const fn sent_between_threads<T: Send>() {}
    sent_between_threads::<map_session>();
};
