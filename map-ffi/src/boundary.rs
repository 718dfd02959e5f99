//! The wall between C and Rust: no panic passes it, and what a call had to say stays readable after it.

use crate::guest::Visit;
use crate::reply::map_reply;
use crate::text::{Recent, c_text};
use map_core::agent::ConfigError;
use map_core::net::{ProbeHostError, ProxyUrlError};
use map_core::text::named;
use map_core::{LocalError, MapReply, RelayError, Report};
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString};
use std::io;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a call has to say: a reply, and a sentence for a person.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    reply: MapReply,
    advice: String,
}

impl Answer {
    /// The call did what it was asked to, and there is nothing more to say.
    pub(crate) fn done() -> Self {
        Self {
            reply: MapReply::Success,
            advice: String::new(),
        }
    }

    /// The caller used the interface wrongly.
    pub(crate) fn misuse(what: impl Into<String>) -> Self {
        let what = what.into();
        Self {
            advice: format!("the program called the library wrongly: {what}"),
            reply: MapReply::Misuse(what),
        }
    }

    /// A field holds what no e-mail can carry; `shown` is what the reply prints of it.
    pub(crate) fn unfit(shown: &str, why: impl Into<String>) -> Self {
        Self::with_advice(MapReply::InvalidFormat(cut(shown)), why)
    }

    /// This machine, or what the caller gave, does not suffice; and what to do about it, a sentence.
    pub(crate) fn local(what: impl Into<String>, remedy: &str) -> Self {
        let what = what.into();
        Self {
            advice: format!("This machine or the data failed: {what}. {remedy}"),
            reply: MapReply::Local(what),
        }
    }

    /// A file or a function of the caller's cannot be read or written; `of` names it where the error does not.
    pub(crate) fn unreadable(error: &io::Error, of: &str) -> Self {
        let error = LocalError::of_data(error, of);
        Self::local(error.to_string(), error.remedy())
    }

    /// A file cannot be written.
    pub(crate) fn unwritable(error: &io::Error, path: &Path) -> Self {
        let what = LocalError::of_data(error, &named(&path.to_string_lossy()).to_string());
        let remedy = match what {
            LocalError::Data(_) => "Look at the file, its folder and the space that is left there.",
            _ => what.remedy(),
        };
        Self::local(what.to_string(), remedy)
    }

    /// There is no memory for a copy of an argument.
    pub(crate) fn no_memory(argument: &str, octets: usize) -> Self {
        Self::local(
            format!("no memory for the {octets} octets of {argument}"),
            "Let the process have more of it, or give the data as a file, which is read a block at a time.",
        )
    }

    /// A reply with the sentence that explains it.
    pub(crate) fn with_advice(reply: MapReply, advice: impl Into<String>) -> Self {
        Self {
            reply,
            advice: advice.into(),
        }
    }

    /// The reply.
    pub(crate) fn reply(&self) -> &MapReply {
        &self.reply
    }

    /// The sentence without what a report of the same reply says around it: a phrase.
    pub(crate) fn reason(&self) -> &str {
        self.advice.trim_end_matches('.')
    }

    /// An argument that is required is not there.
    pub(crate) fn missing(argument: &str) -> Self {
        Self::misuse(format!("{argument} is NULL"))
    }
}

/// A text without the blanks around it, and not without end.
fn cut(text: &str) -> String {
    const MAX_SHOWN: usize = 320;
    let text = text.trim();
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

impl From<&Report> for Answer {
    fn from(report: &Report) -> Self {
        Self {
            reply: report.reply().clone(),
            advice: report.summary().advice().to_owned(),
        }
    }
}

impl From<ConfigError> for Answer {
    fn from(error: ConfigError) -> Self {
        Self::misuse(error.to_string())
    }
}

impl From<ProxyUrlError> for Answer {
    fn from(error: ProxyUrlError) -> Self {
        Self::misuse(error.to_string())
    }
}

impl From<RelayError> for Answer {
    fn from(error: RelayError) -> Self {
        Self::misuse(error.to_string())
    }
}

impl From<ProbeHostError> for Answer {
    fn from(error: ProbeHostError) -> Self {
        Self::misuse(error.to_string())
    }
}

/// What the last call of this thread had to say, as C reads it.
struct Last {
    line: CString,
    advice: CString,
}

thread_local! {
    static LAST: RefCell<Recent<Last>> = const { RefCell::new(Recent::new()) };
    /// How many exported functions this thread is inside of.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// What the panic that is being caught said.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs the body of an exported function that answers with a reply, and remembers the answer for this thread.
pub(crate) fn replying(body: impl FnOnce() -> Answer) -> map_reply {
    let said = catch(|| {
        let answer = body();
        let reply = map_reply::from(answer.reply.code());
        remember(answer);
        reply
    });
    match said {
        Ok(reply) => reply,
        Err(fault) => {
            remember_fault(&fault);
            map_reply::RE_INTERNAL
        }
    }
}

/// Runs the body of an exported function that makes something: a handle, or an answer that says why there is none.
pub(crate) fn making<T>(body: impl FnOnce() -> Result<T, Answer>) -> *mut T {
    let mut made = std::ptr::null_mut();
    replying(|| match body() {
        Ok(object) => {
            made = crate::pointer::give(object);
            Answer::done()
        }
        Err(answer) => answer,
    });
    made
}

/// Runs the body of an exported function that only reads or frees; its fallback after a panic.
pub(crate) fn guarded<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch(body).unwrap_or_else(|fault| {
        remember_fault(&fault);
        fallback
    })
}

/// This thread's last reply as MAP prints it, and the sentence with it.
pub(crate) fn with_last<T>(read: impl Fn(Option<(&CStr, &CStr)>) -> T) -> T {
    LAST.try_with(|last| {
        read(
            last.borrow()
                .newest()
                .map(|last| (last.line.as_c_str(), last.advice.as_c_str())),
        )
    })
    // A thread that is ending, in a destructor of the host's, has forgotten.
    .unwrap_or_else(|_| read(None))
}

/// A panic caught at the boundary; what it said.
struct Fault(String);

fn catch<T>(body: impl FnOnce() -> T) -> Result<T, Fault> {
    let _visit = Visit::begin();
    install_panic_hook();
    DEPTH.with(|depth| depth.set(depth.get().saturating_add(1)));
    // Unwind safety: what the body was changing is given up by the fallback, and handles of C's are changed only by
    // assignments that are done or not done.
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    DEPTH.with(|depth| depth.set(depth.get().saturating_sub(1)));
    result.map_err(|_| {
        Fault(
            PANIC
                .try_with(RefCell::take)
                .ok()
                .flatten()
                .unwrap_or_else(|| "a panic".to_owned()),
        )
    })
}

/// Makes an answer the last one of this thread.
pub(crate) fn remember(answer: Answer) {
    keep(Last {
        line: c_text(answer.reply.to_string()),
        advice: c_text(answer.advice),
    });
}

fn keep(last: Last) {
    // In a thread that is ending there is no place left to remember in, and nobody to read it.
    let _ = LAST.try_with(|recent| recent.borrow_mut().add(last));
}

fn remember_fault(fault: &Fault) {
    // Spelled here, because printing a reply may be what panicked.
    keep(Last {
        line: c"RE_INTERNAL.".to_owned(),
        advice: c_text(format!(
            "a fault inside the library, please report it: {}",
            fault.0
        )),
    });
}

/// A library must not write to the standard error of its host, and a panic does. The hook belongs to this library's own
/// copy of the Rust runtime; where a host written in Rust shares that copy, the host's own panics go where they went.
fn install_panic_hook() {
    // An atomic and not a `Once`: a child forked while another thread is inside a `Once` would wait for ever.
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if INSTALLED.swap(true, Ordering::Relaxed) {
        return;
    }
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        if !panics_here_are_ours() {
            return previous(info);
        }
        // A panic inside of this hook would abort the host program.
        let _ = PANIC.try_with(|said| *said.borrow_mut() = Some(info.to_string()));
    }));
}

/// Inside of an exported function, or in a worker: what panics there is the library, and the report says so.
fn panics_here_are_ours() -> bool {
    const WORKER: &str = "mapagent";
    DEPTH.with(Cell::get) > 0 || std::thread::current().name() == Some(WORKER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last() -> (String, String) {
        let text = |text: &CStr| text.to_string_lossy().into_owned();
        with_last(|last| last.map(|(line, advice)| (text(line), text(advice)))).unwrap_or_default()
    }

    #[test]
    fn a_panic_becomes_a_reply_that_says_what_and_where() {
        assert_eq!(replying(|| panic!("the sky fell")), map_reply::RE_INTERNAL);
        let (line, advice) = last();
        assert_eq!(line, "RE_INTERNAL.");
        assert!(
            advice.contains("the sky fell") && advice.contains("boundary.rs"),
            "{advice}"
        );
    }

    #[test]
    fn a_panic_of_a_getter_becomes_its_fallback() {
        assert_eq!(guarded(7, || panic!("again")), 7);
        assert_eq!(last().0, "RE_INTERNAL.");
    }

    #[test]
    fn a_panic_while_making_gives_no_handle() {
        let made: *mut u8 = making(|| panic!("not made"));
        assert!(made.is_null());
        assert_eq!(last().0, "RE_INTERNAL.");
    }

    #[test]
    fn misuse_says_what_is_wrong() {
        let made: *mut u8 = making(|| Err(Answer::missing("config")));
        assert!(made.is_null());
        let (line, advice) = last();
        assert_eq!(line, "RE_MISUSE: <config is NULL>.");
        assert!(advice.ends_with("config is NULL"), "{advice}");
    }

    #[test]
    fn panics_of_the_host_are_not_ours() {
        let in_thread = |name: &str| {
            let thread = std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(panics_here_are_ours);
            thread.ok().and_then(|thread| thread.join().ok())
        };
        assert!(!panics_here_are_ours());
        assert!(guarded(false, panics_here_are_ours));
        assert_eq!(in_thread("mapagent"), Some(true));
        assert_eq!(in_thread("host"), Some(false));
    }

    #[test]
    fn each_thread_remembers_its_own() {
        replying(|| Answer::missing("config"));
        std::thread::spawn(|| assert_eq!(last(), Default::default()))
            .join()
            .ok();
        assert_eq!(last().0, "RE_MISUSE: <config is NULL>.");
    }

    /// `printf("%d %s", map_send(...), map_last_advice())`: the arguments may be evaluated in any order.
    #[test]
    fn a_text_outlives_the_call_that_sets_the_next() {
        let reply = || with_last(|last| last.map_or(std::ptr::null(), |(line, _)| line.as_ptr()));
        replying(|| Answer::missing("config"));
        let first = reply();
        for _ in 1..Recent::<Last>::KEPT {
            replying(Answer::done);
            // SAFETY: a text of this thread's, which is kept for so many calls.
            assert_eq!(unsafe { CStr::from_ptr(first) }, c"RE_MISUSE: <config is NULL>.");
        }
        assert_ne!(reply(), first);
    }
}
