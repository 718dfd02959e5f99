//! What protects a session, and whom it trusts.

use super::{map_config, set_text, switch};
use crate::reply::map_reply;
use map_core::Config;
use std::ffi::c_char;

/// Sends only over TLS, and only to a mail host that has proved who it is: by DANE where its zone has TLSA records, else
/// by a certificate for the name of the MX record from an authority that is trusted. By default TLS is used where it is
/// offered, and the certificate is verified only where DANE or MTA-STS asks for it.
///
/// Many hosts of the Internet have a certificate for another name: much mail cannot be delivered with it, and is
/// RE_SERVER_UNREACH. A relay's own security counts instead.
///
/// @param config  required.
/// @param require 0 for no (the default), anything else for yes.
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_require_tls(config: *mut map_config, require: i32) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe { switch(config, require, Config::set_require_tls) }
}

/// Verifies mail hosts by DANE (RFC 7672), the signed records of their zones.
///
/// @param config required.
/// @param on     0 for no, anything else for yes (the default).
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_dane(config: *mut map_config, on: i32) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe { switch(config, on, Config::set_dane) }
}

/// Follows the MTA-STS policies (RFC 8461) of recipients' domains.
///
/// @param config required.
/// @param on     0 for no, anything else for yes (the default).
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_mta_sts(config: *mut map_config, on: i32) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe { switch(config, on, Config::set_mta_sts) }
}

/// Trusts these certificate authorities, too: for relays, MTA-STS and map_config_set_require_tls(). Each call adds some.
///
/// @param config required.
/// @param pem    the text of one or more certificates in PEM, not the name of a file.
/// @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_add_tls_roots(config: *mut map_config, pem: *const c_char) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe { set_text(config, "pem", pem, Config::add_tls_roots) }
}

/// Trusts the certificate authorities of the platform, too. Where it has none to offer, those that Mozilla trusts stand in.
///
/// @param config required.
/// @param trust  0 for no, anything else for yes (the default).
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_platform_roots(config: *mut map_config, trust: i32) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe { switch(config, trust, Config::set_platform_roots) }
}
