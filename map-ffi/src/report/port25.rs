//! What was found when it was asked whether outgoing port 25 is blocked.

use super::{map_report, milliseconds, of_report};
use crate::text::{c_text, pointer_or_null};
use map_core::net::{Port25Evidence, Port25Finding};
use std::ffi::{CString, c_char};
use std::ptr;

/// The texts of the evidence, NUL-terminated.
#[derive(Debug)]
pub(super) struct Port25Texts {
    all: CString,
    probes: Vec<CString>,
}

impl Port25Texts {
    pub(super) fn new(evidence: &Port25Evidence) -> Self {
        Self {
            all: c_text(evidence.to_string()),
            probes: evidence
                .probes()
                .iter()
                .map(|probe| c_text(probe.to_string()))
                .collect(),
        }
    }
}

/// Is outgoing port 25 blocked? Later versions may add answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum map_port25 {
    /// There was no reason to ask, nobody could be asked, or nobody could say; map_report_port25_text() has the reason.
    MAP_PORT25_NOT_ASKED = 0,
    /// It is open: it is the recipient's host that cannot be reached.
    MAP_PORT25_OPEN = 1,
    /// This machine forbids it, and only this port.
    MAP_PORT25_BLOCKED_HERE = 2,
    /// Somebody between this machine and the Internet blocks it.
    MAP_PORT25_BLOCKED = 3,
    /// Most likely somebody on the way blocks it: some who should answer are silent.
    MAP_PORT25_PROBABLY_BLOCKED = 4,
    /// Nothing is reached at all, whatever the port.
    MAP_PORT25_NO_NETWORK = 5,
}

impl From<Port25Finding> for map_port25 {
    fn from(finding: Port25Finding) -> Self {
        match finding {
            Port25Finding::BlockedHere => Self::MAP_PORT25_BLOCKED_HERE,
            Port25Finding::BlockedOnTheWay { certain: true } => Self::MAP_PORT25_BLOCKED,
            Port25Finding::BlockedOnTheWay { certain: false } => Self::MAP_PORT25_PROBABLY_BLOCKED,
            Port25Finding::NoNetwork => Self::MAP_PORT25_NO_NETWORK,
            Port25Finding::Open => Self::MAP_PORT25_OPEN,
            // A finding that C has no number for is claimed neither open nor blocked.
            Port25Finding::NotAsked(_) | _ => Self::MAP_PORT25_NOT_ASKED,
        }
    }
}

/// What was found when it was asked whether outgoing port 25 is blocked: on the way to port 25 of the recipient's own
/// hosts, when no address of theirs could be connected to and loopback is not allowed.
///
/// @param report NULL has nothing to say.
/// @return MAP_PORT25_NOT_ASKED, too, when there was no reason to ask: map_report_port25_text() is NULL then, and has the
///         reason else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_port25(report: *const map_report) -> map_port25 {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_report(report, map_port25::MAP_PORT25_NOT_ASKED, |report| {
            report
                .report
                .port25()
                .map_or(map_port25::MAP_PORT25_NOT_ASKED, |evidence| {
                    evidence.finding().into()
                })
        })
    }
}

/// The same with all that it rests on, in a line for a person.
///
/// @param report the report.
/// @return NULL when there was no reason to ask. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_port25_text(report: *const map_report) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_report(report, ptr::null(), |report| {
            pointer_or_null(report.port25.as_ref().map(|texts| &texts.all))
        })
    }
}

/// How old the answer was when it was used: an agent keeps one for ten minutes.
///
/// @param report NULL has none.
/// @return milliseconds; 0 when it was asked for this mail, and when there was no reason to ask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_port25_age_ms(report: *const map_report) -> u64 {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_report(report, 0, |report| {
            report
                .report
                .port25()
                .map_or(0, |evidence| milliseconds(evidence.age()))
        })
    }
}

/// How many hosts were asked about port 25.
///
/// @param report NULL has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_port25_probe_count(report: *const map_report) -> usize {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_report(report, 0, |report| {
            report.port25.as_ref().map_or(0, |texts| texts.probes.len())
        })
    }
}

/// What one of them said: "mx.example.net:25 [192.0.2.1] gave no answer in time".
///
/// @param report    the report.
/// @param probe 0 to map_report_port25_probe_count() - 1.
/// @return NULL if there is no such probe. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_port25_probe(report: *const map_report, probe: usize) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_report(report, ptr::null(), |report| {
            let texts = report.port25.as_ref();
            pointer_or_null(texts.and_then(|texts| texts.probes.get(probe)))
        })
    }
}
