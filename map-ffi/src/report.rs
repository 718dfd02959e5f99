//! The report of a send, field by field.

pub mod tls;

pub mod port25;

use self::port25::Port25Texts;
use self::tls::TlsTexts;
use crate::boundary::guarded;
use crate::pointer;
use crate::reply::{map_answer, map_reply};
use crate::text::{CBytes, LazyText, c_text, pointer_or_null};
use map_core::Report;
use map_core::delivery::{Attempt, AttemptOutcome, Delivered, RecipientReport, Stage};
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

/// What happened to a mail: a summary, the same for each recipient, every attempt. Freed by map_report_free().
///
/// It never changes, so any number of threads may read it at once. Every string in it is borrowed until the report is
/// freed.
#[derive(Debug)]
pub struct map_report {
    report: Report,
    summary: RecipientTexts,
    recipients: Vec<RecipientTexts>,
    attempts: Vec<AttemptTexts>,
    warnings: Vec<CString>,
    message_id: Option<CString>,
    port25: Option<Port25Texts>,
    transcript: LazyText,
}

/// The texts of a recipient's report, NUL-terminated.
#[derive(Debug)]
struct RecipientTexts {
    recipient: CString,
    text: CString,
    enhanced: Option<CString>,
    server_text: Option<Arc<CBytes>>,
    host: Option<CString>,
    address: Option<CString>,
    tls: Option<TlsTexts>,
    advice: CString,
}

/// The texts of an attempt, NUL-terminated.
#[derive(Debug)]
struct AttemptTexts {
    host: CString,
    address: Option<CString>,
    detail: CString,
    tls: Option<TlsTexts>,
}

impl map_report {
    /// The report as C reads it.
    pub(crate) fn new(report: Report) -> Self {
        // What a server said to many recipients the core keeps once, and so does this.
        let mut said = HashMap::new();
        let mut texts = |report: &RecipientReport| RecipientTexts::new(report, &mut said);
        Self {
            summary: texts(report.summary()),
            recipients: report.recipients().iter().map(texts).collect(),
            attempts: report.attempts().iter().map(AttemptTexts::new).collect(),
            warnings: report.warnings().iter().map(c_text).collect(),
            message_id: report.message_id().map(c_text),
            port25: report.port25().map(Port25Texts::new),
            transcript: LazyText::new(),
            report,
        }
    }

    /// The summary for MAP_SUMMARY, else a recipient's part, if there is that one.
    fn part(&self, recipient: usize) -> Option<(&RecipientReport, &RecipientTexts)> {
        match recipient {
            SUMMARY => Some((self.report.summary(), &self.summary)),
            index => self
                .report
                .recipients()
                .get(index)
                .zip(self.recipients.get(index)),
        }
    }
}

impl RecipientTexts {
    fn new(report: &RecipientReport, said: &mut HashMap<(*const u8, usize), Arc<CBytes>>) -> Self {
        let mut shared = |text: &[u8]| {
            let known = said.entry((text.as_ptr(), text.len()));
            Arc::clone(known.or_insert_with(|| Arc::new(CBytes::new(text))))
        };
        Self {
            recipient: c_text(report.recipient()),
            text: c_text(report.reply().to_string()),
            enhanced: report.enhanced().map(|enhanced| c_text(enhanced.to_string())),
            server_text: report.server_text().map(&mut shared),
            host: report.host().map(c_text),
            address: report.address().map(|address| c_text(address.to_string())),
            tls: report.tls().map(TlsTexts::new),
            advice: c_text(report.advice()),
        }
    }
}

impl AttemptTexts {
    fn new(attempt: &Attempt) -> Self {
        Self {
            host: c_text(attempt.host()),
            address: attempt.address().map(|address| c_text(address.to_string())),
            detail: c_text(attempt.detail()),
            tls: attempt.tls().map(TlsTexts::new),
        }
    }
}

/// MAP_SUMMARY of the header.
const SUMMARY: usize = usize::MAX;

/// What C reads where no SMTP reply code decided. Not 0: a hostile server can send 000.
const NO_CODE: i32 = -1;

/// How far a delivery, or an attempt, came. Later versions may add stages. The order of the numbers is not the order of the
/// stages, which is that of the exchange: check, route, connect, greeting, hello, tls, auth, mail, rcpt, data, content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum map_stage {
    /// The client's checks; nothing was asked of anybody.
    MAP_STAGE_CHECK = 0,
    /// The DNS.
    MAP_STAGE_ROUTE = 1,
    /// Connecting.
    MAP_STAGE_CONNECT = 2,
    /// The server's greeting.
    MAP_STAGE_GREETING = 3,
    /// EHLO or HELO.
    MAP_STAGE_HELLO = 4,
    /// MAIL.
    MAP_STAGE_MAIL = 5,
    /// RCPT.
    MAP_STAGE_RCPT = 6,
    /// DATA.
    MAP_STAGE_DATA = 7,
    /// The content and its final reply.
    MAP_STAGE_CONTENT = 8,
    /// STARTTLS and the TLS handshake: after MAP_STAGE_HELLO, or after MAP_STAGE_CONNECT with implicit TLS.
    MAP_STAGE_TLS = 9,
    /// AUTH: in front of MAP_STAGE_MAIL.
    MAP_STAGE_AUTH = 10,
    /// None of these.
    MAP_STAGE_OTHER = 255,
}

/// Every stage with its name in the core, and its word.
const STAGES: [(map_stage, Stage, &CStr); 11] = [
    (map_stage::MAP_STAGE_CHECK, Stage::Check, c"check"),
    (map_stage::MAP_STAGE_ROUTE, Stage::Route, c"route"),
    (map_stage::MAP_STAGE_CONNECT, Stage::Connect, c"connect"),
    (map_stage::MAP_STAGE_GREETING, Stage::Greeting, c"greeting"),
    (map_stage::MAP_STAGE_HELLO, Stage::Hello, c"hello"),
    (map_stage::MAP_STAGE_MAIL, Stage::Mail, c"mail"),
    (map_stage::MAP_STAGE_RCPT, Stage::Rcpt, c"rcpt"),
    (map_stage::MAP_STAGE_DATA, Stage::Data, c"data"),
    (map_stage::MAP_STAGE_CONTENT, Stage::Content, c"content"),
    (map_stage::MAP_STAGE_TLS, Stage::Tls, c"tls"),
    (map_stage::MAP_STAGE_AUTH, Stage::Auth, c"auth"),
];

impl From<Stage> for map_stage {
    fn from(stage: Stage) -> Self {
        STAGES
            .iter()
            .find(|(_, core, _)| *core == stage)
            .map_or(Self::MAP_STAGE_OTHER, |(stage, _, _)| *stage)
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum map_attempt_outcome {
    /// The host took the mail.
    MAP_ATTEMPT_ACCEPTED = 0,
    /// It did not.
    MAP_ATTEMPT_FAILED = 1,
    /// Nobody knows, of one recipient at least.
    MAP_ATTEMPT_UNCERTAIN = 2,
    /// It took the mail for some of the recipients it was asked for, and not for the others.
    MAP_ATTEMPT_PARTIAL = 3,
}

impl From<AttemptOutcome> for map_attempt_outcome {
    fn from(outcome: AttemptOutcome) -> Self {
        match outcome {
            AttemptOutcome::Accepted => Self::MAP_ATTEMPT_ACCEPTED,
            AttemptOutcome::Failed => Self::MAP_ATTEMPT_FAILED,
            AttemptOutcome::Partial => Self::MAP_ATTEMPT_PARTIAL,
            // An outcome that C has no number for is claimed neither a success nor a failure.
            AttemptOutcome::Uncertain | _ => Self::MAP_ATTEMPT_UNCERTAIN,
        }
    }
}

/// Frees a report and every string borrowed from it.
///
/// @param report may be NULL: nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_free(report: *mut map_report) {
    guarded((), || {
        // SAFETY: the caller passes NULL or a handle that it has not freed and no other thread uses.
        drop(unsafe { pointer::take(report) });
    });
}

/// How many recipients the report speaks of: at least one.
///
/// @param report NULL has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_recipient_count(report: *const map_report) -> usize {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe { of_report(report, 0, |report| report.recipients.len()) }
}

/// The recipient's address as it was given, without outer blanks.
///
/// @param report    the report.
/// @param recipient 0 to map_report_recipient_count() - 1, or MAP_SUMMARY: the one that decided; empty for RE_PARTIAL, which
///                  is nobody's alone.
/// @return NULL if there is no such recipient. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_recipient(report: *const map_report, recipient: usize) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_recipient(report, recipient, ptr::null(), |_, texts| {
            texts.recipient.as_ptr()
        })
    }
}

/// The reply of MAP.
///
/// @param report    the report.
/// @param recipient an index, or MAP_SUMMARY.
/// @return RE_MISUSE if there is no such recipient.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_reply(report: *const map_report, recipient: usize) -> map_reply {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_recipient(report, recipient, map_reply::RE_MISUSE, |part, _| {
            part.reply().code().into()
        })
    }
}

/// The reply as MAP prints it: "RE_BADREPLY: <554>."
///
/// @param report    the report.
/// @param recipient an index, or MAP_SUMMARY.
/// @return NULL if there is no such recipient. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_text(report: *const map_report, recipient: usize) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe { of_recipient(report, recipient, ptr::null(), |_, texts| texts.text.as_ptr()) }
}

/// A sentence for a person: what happened, and what to do next. English, UTF-8.
///
/// @param report    the report.
/// @param recipient an index, or MAP_SUMMARY.
/// @return NULL if there is no such recipient. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_advice(report: *const map_report, recipient: usize) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe { of_recipient(report, recipient, ptr::null(), |_, texts| texts.advice.as_ptr()) }
}

/// Is the mail with the recipient's server?
///
/// @param report    the report.
/// @param recipient an index, or MAP_SUMMARY.
/// @return MAP_YES; MAP_NO; MAP_UNKNOWN when only the server knows (RE_UNCERTAIN), when a relay has it, or if there is no
///         such recipient; of the summary also MAP_SOME, when some recipients have it and the others do not (RE_PARTIAL).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_delivered(report: *const map_report, recipient: usize) -> map_answer {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_recipient(report, recipient, map_answer::MAP_UNKNOWN, |part, _| {
            match part.delivered() {
                Delivered::No => map_answer::MAP_NO,
                Delivered::Some => map_answer::MAP_SOME,
                Delivered::Unknown => map_answer::MAP_UNKNOWN,
                Delivered::Yes => map_answer::MAP_YES,
            }
        })
    }
}

/// Did a relay accept the mail, which passes it on? map_report_delivered() is MAP_UNKNOWN then, because the recipient's own
/// server was not asked.
///
/// @param report    the report.
/// @param recipient an index, or MAP_SUMMARY.
/// @return false if there is no such recipient.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_is_relayed(report: *const map_report, recipient: usize) -> bool {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe { of_recipient(report, recipient, false, |part, _| part.relayed()) }
}

/// Is it worth sending the same mail again later, unchanged?
///
/// False for RE_UNCERTAIN and RE_PORT_BLOCKED, too, which want a decision first. The summary is about the whole: false as
/// soon as one recipient has or may have the mail, or cannot get it. Send it again to those for whom it is true, by
/// map_message_for_recipients().
///
/// @param report    the report.
/// @param recipient an index, or MAP_SUMMARY.
/// @return false if there is no such recipient.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_is_transient(report: *const map_report, recipient: usize) -> bool {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe { of_recipient(report, recipient, false, |part, _| part.transient()) }
}

/// How long to wait before sending again, if there is a hint.
///
/// @param report    the report.
/// @param recipient an index, or MAP_SUMMARY.
/// @return milliseconds; 0 if there is no hint or no such recipient.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_retry_after_ms(report: *const map_report, recipient: usize) -> u64 {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_recipient(report, recipient, 0, |part, _| {
            part.retry_after().map_or(0, milliseconds)
        })
    }
}

/// The SMTP reply code that decided, such as 250 or 550.
///
/// @param report    the report.
/// @param recipient an index, or MAP_SUMMARY.
/// @return -1 if none did, or if there is no such recipient.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_code(report: *const map_report, recipient: usize) -> i32 {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_recipient(report, recipient, NO_CODE, |part, _| {
            part.code().map_or(NO_CODE, |code| code.0.into())
        })
    }
}

/// The enhanced status code (RFC 3463), such as "5.1.1": the server's, or the library's own for a local failure.
///
/// @param report    the report.
/// @param recipient an index, or MAP_SUMMARY.
/// @return NULL if there is none, or no such recipient. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_enhanced(report: *const map_report, recipient: usize) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_recipient(report, recipient, ptr::null(), |_, texts| {
            pointer_or_null(texts.enhanced.as_ref())
        })
    }
}

/// What the server said in the reply that decided: its own octets, lines joined by a line feed.
///
/// It may hold anything, NUL and terminal escapes included. Do not print it as it is, and do not trust it.
///
/// @param report    the report.
/// @param recipient an index, or MAP_SUMMARY.
/// @param length    becomes the length in octets when there is a text, and is left alone when there is none. May be NULL.
/// @return NULL if there is none, or no such recipient. A NUL follows the octets. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_server_text(
    report: *const map_report,
    recipient: usize,
    length: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile; NULL or a place for the length.
    unsafe {
        of_recipient(report, recipient, ptr::null(), |_, texts| {
            let Some(text) = &texts.server_text else {
                return ptr::null();
            };
            pointer::write(length, text.len());
            text.as_ptr()
        })
    }
}

/// How far the mail came.
///
/// @param report    the report.
/// @param recipient an index, or MAP_SUMMARY.
/// @return MAP_STAGE_OTHER if there is no such recipient.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_stage(report: *const map_report, recipient: usize) -> map_stage {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_recipient(report, recipient, map_stage::MAP_STAGE_OTHER, |part, _| {
            part.stage().into()
        })
    }
}

/// The name of the mail host that decided.
///
/// @param report    the report.
/// @param recipient an index, or MAP_SUMMARY.
/// @return NULL if none did, or if there is no such recipient. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_host(report: *const map_report, recipient: usize) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_recipient(report, recipient, ptr::null(), |_, texts| {
            pointer_or_null(texts.host.as_ref())
        })
    }
}

/// The address of the mail host that decided, such as "192.0.2.1" or "2001:db8::1".
///
/// @param report    the report.
/// @param recipient an index, or MAP_SUMMARY.
/// @return NULL if none did, or if there is no such recipient. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_address(report: *const map_report, recipient: usize) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_recipient(report, recipient, ptr::null(), |_, texts| {
            pointer_or_null(texts.address.as_ref())
        })
    }
}

/// The Message-ID of the mail, without its angle brackets.
///
/// @param report the report.
/// @return NULL if no mail was made of the fields. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_message_id(report: *const map_report) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_report(report, ptr::null(), |report| {
            pointer_or_null(report.message_id.as_ref())
        })
    }
}

/// The dialogue as the MAP document prints it, "C:", "S:" and "SS:" at the head of its lines, each ended by a line feed.
/// What servers said is escaped. Made at the first call.
///
/// @param report the report.
/// @return NULL only if report is. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_transcript(report: *const map_report) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_report(report, ptr::null(), |report| {
            report
                .transcript
                .get_or_make(|| c_text(report.report.transcript()))
        })
    }
}

/// How many warnings there are: what is odd but did not decide.
///
/// @param report NULL has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_warning_count(report: *const map_report) -> usize {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe { of_report(report, 0, |report| report.warnings.len()) }
}

/// One warning, for a person.
///
/// @param report  the report.
/// @param warning 0 to map_report_warning_count() - 1.
/// @return NULL if there is no such warning. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_warning(report: *const map_report, warning: usize) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_report(report, ptr::null(), |report| {
            pointer_or_null(report.warnings.get(warning))
        })
    }
}

/// How many addresses of mail hosts were tried.
///
/// @param report NULL has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_attempt_count(report: *const map_report) -> usize {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe { of_report(report, 0, |report| report.attempts.len()) }
}

/// The name of the mail host of an attempt. The attempts stand in the order in which they were made.
///
/// @param report  the report.
/// @param attempt 0 to map_report_attempt_count() - 1.
/// @return NULL if there is no such attempt. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_attempt_host(report: *const map_report, attempt: usize) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe { of_attempt(report, attempt, ptr::null(), |_, texts| texts.host.as_ptr()) }
}

/// The address of an attempt.
///
/// @param report  the report.
/// @param attempt an index.
/// @return NULL if no address was found for the host, or if there is no such attempt. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_attempt_address(
    report: *const map_report,
    attempt: usize,
) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_attempt(report, attempt, ptr::null(), |_, texts| {
            pointer_or_null(texts.address.as_ref())
        })
    }
}

/// How an attempt ended, for a person: a phrase.
///
/// @param report  the report.
/// @param attempt an index.
/// @return NULL if there is no such attempt. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_attempt_detail(
    report: *const map_report,
    attempt: usize,
) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe { of_attempt(report, attempt, ptr::null(), |_, texts| texts.detail.as_ptr()) }
}

/// How an attempt ended.
///
/// @param report  the report.
/// @param attempt an index.
/// @return MAP_ATTEMPT_UNCERTAIN if there is no such attempt.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_attempt_outcome(
    report: *const map_report,
    attempt: usize,
) -> map_attempt_outcome {
    let unknown = map_attempt_outcome::MAP_ATTEMPT_UNCERTAIN;
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe { of_attempt(report, attempt, unknown, |attempt, _| attempt.outcome().into()) }
}

/// How far an attempt came.
///
/// @param report  the report.
/// @param attempt an index.
/// @return MAP_STAGE_OTHER if there is no such attempt.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_attempt_stage(report: *const map_report, attempt: usize) -> map_stage {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_attempt(report, attempt, map_stage::MAP_STAGE_OTHER, |attempt, _| {
            attempt.stage().into()
        })
    }
}

/// The SMTP reply code that ended an attempt.
///
/// @param report  the report.
/// @param attempt an index.
/// @return -1 if none did, or if there is no such attempt.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_attempt_code(report: *const map_report, attempt: usize) -> i32 {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_attempt(report, attempt, NO_CODE, |attempt, _| {
            attempt.code().map_or(NO_CODE, |code| code.0.into())
        })
    }
}

/// How long an attempt took.
///
/// @param report  the report.
/// @param attempt an index.
/// @return milliseconds; 0 if there is no such attempt.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_attempt_duration_ms(report: *const map_report, attempt: usize) -> u64 {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe { of_attempt(report, attempt, 0, |attempt, _| milliseconds(attempt.duration())) }
}

/// A word for a stage: "check", "route", "connect", "greeting", "hello", "tls", "auth", "mail", "rcpt", "data", "content".
///
/// @param stage any number.
/// @return a static string; never NULL, "other" for a number that is none of the stages.
#[unsafe(no_mangle)]
pub extern "C" fn map_stage_name(stage: i32) -> *const c_char {
    guarded(c"other".as_ptr(), || {
        STAGES
            .iter()
            .find(|(known, _, _)| *known as i32 == stage)
            .map_or(c"other", |(_, _, word)| word)
            .as_ptr()
    })
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Reads from a report that is there.
///
/// # Safety
/// `report` is NULL or a report that is not freed meanwhile.
unsafe fn of_report<T: Copy>(
    report: *const map_report,
    fallback: T,
    read: impl FnOnce(&map_report) -> T,
) -> T {
    guarded(fallback, || {
        // SAFETY: as the caller vouches.
        unsafe { pointer::shared(report) }.map_or(fallback, read)
    })
}

/// Reads from a recipient's part that is there.
///
/// # Safety
/// As [`of_report`].
unsafe fn of_recipient<T: Copy>(
    report: *const map_report,
    recipient: usize,
    fallback: T,
    read: impl FnOnce(&RecipientReport, &RecipientTexts) -> T,
) -> T {
    let read = |report: &map_report| {
        report
            .part(recipient)
            .map_or(fallback, |(part, texts)| read(part, texts))
    };
    // SAFETY: as the caller vouches.
    unsafe { of_report(report, fallback, read) }
}

/// Reads from an attempt that is there.
///
/// # Safety
/// As [`of_report`].
unsafe fn of_attempt<T: Copy>(
    report: *const map_report,
    attempt: usize,
    fallback: T,
    read: impl FnOnce(&Attempt, &AttemptTexts) -> T,
) -> T {
    let read = |report: &map_report| {
        let attempt = report
            .report
            .attempts()
            .get(attempt)
            .zip(report.attempts.get(attempt));
        attempt.map_or(fallback, |(attempt, texts)| read(attempt, texts))
    };
    // SAFETY: as the caller vouches.
    unsafe { of_report(report, fallback, read) }
}

/// The header promises that threads may share a report.
const _: () = {
    const fn shared_between_threads<T: Send + Sync>() {}
    shared_between_threads::<map_report>();
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_for_stages_are_those_of_the_core() {
        for (stage, core, word) in STAGES {
            assert_eq!(map_stage::from(core), stage);
            assert_eq!(word.to_str(), Ok(core.as_str()));
            // SAFETY: a static string.
            assert_eq!(unsafe { CStr::from_ptr(map_stage_name(stage as i32)) }, word);
        }
        // SAFETY: a static string.
        assert_eq!(unsafe { CStr::from_ptr(map_stage_name(-1)) }, c"other");
    }
}
