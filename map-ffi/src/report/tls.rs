//! How the session with a mail host was protected.

use super::{map_report, of_attempt, of_recipient};
use crate::boundary::guarded;
use crate::text::{c_text, pointer_or_null};
use map_core::TlsPolicy;
use map_core::net::tls::{TlsFacts, Verified};
use std::ffi::{CStr, CString, c_char};
use std::ptr;

/// The texts of a TLS session, NUL-terminated.
#[derive(Debug)]
pub(super) struct TlsTexts {
    version: CString,
    cipher_suite: CString,
    problem: Option<CString>,
}

impl TlsTexts {
    pub(super) fn new(facts: &TlsFacts) -> Self {
        Self {
            version: c_text(facts.version),
            cipher_suite: c_text(facts.cipher_suite.as_str()),
            problem: facts.problem.as_deref().map(c_text),
        }
    }
}

/// Has a mail host proved who it is, and how? Later versions may add some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum map_verified {
    /// No: the session was in the clear, or its certificate was not looked at.
    MAP_VERIFIED_NONE = 0,
    /// By a certificate for its name from an authority that is trusted.
    MAP_VERIFIED_PKIX = 1,
    /// By the signed TLSA records of its zone (DANE, RFC 7672).
    MAP_VERIFIED_DANE = 2,
}

/// Every way to verify with its name in the core, and its word.
const VERIFIED: [(map_verified, Verified, &CStr); 3] = [
    (map_verified::MAP_VERIFIED_NONE, Verified::No, c"none"),
    (map_verified::MAP_VERIFIED_PKIX, Verified::Pkix, c"pkix"),
    (map_verified::MAP_VERIFIED_DANE, Verified::Dane, c"dane"),
];

impl From<Option<&TlsFacts>> for map_verified {
    fn from(facts: Option<&TlsFacts>) -> Self {
        let known = |facts: &TlsFacts| VERIFIED.iter().find(|(_, core, _)| *core == facts.verified);
        // What C has no number for is not claimed to be a proof.
        facts
            .and_then(known)
            .map_or(Self::MAP_VERIFIED_NONE, |(verified, _, _)| *verified)
    }
}

/// What demanded a protected session with a mail host. Later versions may add some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum map_tls_policy {
    /// Nothing: TLS was used if it was offered.
    MAP_TLS_POLICY_NONE = 0,
    /// The TLSA records of the host (RFC 7672).
    MAP_TLS_POLICY_DANE = 1,
    /// The MTA-STS policy of the recipient's domain (RFC 8461).
    MAP_TLS_POLICY_MTA_STS = 2,
    /// The security of map_config_set_relay().
    MAP_TLS_POLICY_RELAY = 3,
    /// map_config_set_require_tls().
    MAP_TLS_POLICY_REQUIRED = 4,
    /// None of these.
    MAP_TLS_POLICY_OTHER = 255,
}

/// Every policy with its name in the core, and its word.
const POLICIES: [(map_tls_policy, TlsPolicy, &CStr); 4] = [
    (map_tls_policy::MAP_TLS_POLICY_DANE, TlsPolicy::Dane, c"dane"),
    (
        map_tls_policy::MAP_TLS_POLICY_MTA_STS,
        TlsPolicy::MtaSts,
        c"mta-sts",
    ),
    (map_tls_policy::MAP_TLS_POLICY_RELAY, TlsPolicy::Relay, c"relay"),
    (
        map_tls_policy::MAP_TLS_POLICY_REQUIRED,
        TlsPolicy::Required,
        c"required",
    ),
];

impl From<Option<TlsPolicy>> for map_tls_policy {
    fn from(policy: Option<TlsPolicy>) -> Self {
        let Some(policy) = policy else {
            return Self::MAP_TLS_POLICY_NONE;
        };
        POLICIES
            .iter()
            .find(|(_, core, _)| *core == policy)
            .map_or(Self::MAP_TLS_POLICY_OTHER, |(policy, _, _)| *policy)
    }
}

/// The TLS version of the session with the mail host that decided: "TLSv1.3" or "TLSv1.2".
///
/// @param report    the report.
/// @param recipient an index, or MAP_SUMMARY.
/// @return NULL for a session in the clear, or if there is no such recipient. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_tls_version(
    report: *const map_report,
    recipient: usize,
) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_recipient(report, recipient, ptr::null(), |_, texts| {
            texts.tls.as_ref().map_or(ptr::null(), |tls| tls.version.as_ptr())
        })
    }
}

/// The cipher suite of that session, as IANA names it: "TLS_AES_256_GCM_SHA384".
///
/// @param report    the report.
/// @param recipient an index, or MAP_SUMMARY.
/// @return NULL for a session in the clear, or if there is no such recipient. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_tls_cipher_suite(
    report: *const map_report,
    recipient: usize,
) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_recipient(report, recipient, ptr::null(), |_, texts| {
            texts
                .tls
                .as_ref()
                .map_or(ptr::null(), |tls| tls.cipher_suite.as_ptr())
        })
    }
}

/// Did the mail host that decided prove who it is?
///
/// @param report    the report.
/// @param recipient an index, or MAP_SUMMARY.
/// @return MAP_VERIFIED_NONE if there is no such recipient.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_tls_verified(
    report: *const map_report,
    recipient: usize,
) -> map_verified {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_recipient(report, recipient, map_verified::MAP_VERIFIED_NONE, |part, _| {
            part.tls().into()
        })
    }
}

/// Why certificate authorities would have refused the certificate of that host, where that was only observed (MTA-STS in its
/// testing mode): the session was made all the same. For a person.
///
/// @param report    the report.
/// @param recipient an index, or MAP_SUMMARY.
/// @return NULL if there was nothing to say, or if there is no such recipient. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_tls_problem(
    report: *const map_report,
    recipient: usize,
) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_recipient(report, recipient, ptr::null(), |_, texts| {
            pointer_or_null(texts.tls.as_ref().and_then(|tls| tls.problem.as_ref()))
        })
    }
}

/// What demanded TLS of the mail host that decided, whether it came to a session or not.
///
/// @param report    the report.
/// @param recipient an index, or MAP_SUMMARY.
/// @return MAP_TLS_POLICY_NONE if there is no such recipient.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_tls_policy(
    report: *const map_report,
    recipient: usize,
) -> map_tls_policy {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_recipient(
            report,
            recipient,
            map_tls_policy::MAP_TLS_POLICY_NONE,
            |part, _| part.policy().into(),
        )
    }
}

/// The TLS version of an attempt: "TLSv1.3" or "TLSv1.2".
///
/// @param report  the report.
/// @param attempt an index.
/// @return NULL for a session in the clear, or if there is no such attempt. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_attempt_tls_version(
    report: *const map_report,
    attempt: usize,
) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_attempt(report, attempt, ptr::null(), |_, texts| {
            texts.tls.as_ref().map_or(ptr::null(), |tls| tls.version.as_ptr())
        })
    }
}

/// The cipher suite of an attempt, as IANA names it.
///
/// @param report  the report.
/// @param attempt an index.
/// @return NULL for a session in the clear, or if there is no such attempt. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_attempt_tls_cipher_suite(
    report: *const map_report,
    attempt: usize,
) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_attempt(report, attempt, ptr::null(), |_, texts| {
            texts
                .tls
                .as_ref()
                .map_or(ptr::null(), |tls| tls.cipher_suite.as_ptr())
        })
    }
}

/// Did the mail host of an attempt prove who it is?
///
/// @param report  the report.
/// @param attempt an index.
/// @return MAP_VERIFIED_NONE if there is no such attempt.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_attempt_tls_verified(
    report: *const map_report,
    attempt: usize,
) -> map_verified {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_attempt(report, attempt, map_verified::MAP_VERIFIED_NONE, |part, _| {
            part.tls().into()
        })
    }
}

/// Why certificate authorities would have refused the certificate of an attempt, where that was only observed (MTA-STS in its
/// testing mode): the session was made all the same. For a person.
///
/// @param report  the report.
/// @param attempt an index.
/// @return NULL if there was nothing to say, or if there is no such attempt. Borrowed until the report is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_attempt_tls_problem(
    report: *const map_report,
    attempt: usize,
) -> *const c_char {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_attempt(report, attempt, ptr::null(), |_, texts| {
            pointer_or_null(texts.tls.as_ref().and_then(|tls| tls.problem.as_ref()))
        })
    }
}

/// What demanded TLS of the mail host of an attempt, whether it came to a session or not.
///
/// @param report  the report.
/// @param attempt an index.
/// @return MAP_TLS_POLICY_NONE if there is no such attempt.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_report_attempt_tls_policy(
    report: *const map_report,
    attempt: usize,
) -> map_tls_policy {
    // SAFETY: NULL or a report that is not freed meanwhile.
    unsafe {
        of_attempt(report, attempt, map_tls_policy::MAP_TLS_POLICY_NONE, |part, _| {
            part.policy().into()
        })
    }
}

/// A word for a map_verified: "none", "pkix", "dane".
///
/// @param verified any number.
/// @return a static string; never NULL, "other" for a number that is none of them.
#[unsafe(no_mangle)]
pub extern "C" fn map_verified_name(verified: i32) -> *const c_char {
    guarded(c"other".as_ptr(), || {
        VERIFIED
            .iter()
            .find(|(known, _, _)| *known as i32 == verified)
            .map_or(c"other", |(_, _, word)| word)
            .as_ptr()
    })
}

/// A word for a map_tls_policy: "none", "dane", "mta-sts", "relay", "required".
///
/// @param policy any number.
/// @return a static string; never NULL, "other" for a number that is none of them.
#[unsafe(no_mangle)]
pub extern "C" fn map_tls_policy_name(policy: i32) -> *const c_char {
    guarded(c"other".as_ptr(), || {
        if policy == map_tls_policy::MAP_TLS_POLICY_NONE as i32 {
            return c"none".as_ptr();
        }
        POLICIES
            .iter()
            .find(|(known, _, _)| *known as i32 == policy)
            .map_or(c"other", |(_, _, word)| word)
            .as_ptr()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_core() {
        for (verified, core, word) in VERIFIED {
            let facts = TlsFacts {
                version: "TLSv1.3",
                cipher_suite: String::new(),
                verified: core,
                problem: None,
            };
            assert_eq!(map_verified::from(Some(&facts)), verified);
            assert_eq!(word.to_str(), Ok(core.as_str()));
            // SAFETY: a static string.
            let named = unsafe { CStr::from_ptr(map_verified_name(verified as i32)) };
            assert_eq!(named, word);
        }
        for (policy, core, word) in POLICIES {
            assert_eq!(map_tls_policy::from(Some(core)), policy);
            assert_eq!(word.to_str(), Ok(core.as_str()));
            // SAFETY: a static string.
            let named = unsafe { CStr::from_ptr(map_tls_policy_name(policy as i32)) };
            assert_eq!(named, word);
        }
    }
}
