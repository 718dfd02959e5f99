//! The way to mail hosts, and what is asked about it.

use super::{change, items, map_config, set_port, set_text, switch, text, unless_empty};
use crate::boundary::Answer;
use crate::reply::map_reply;
use map_core::Config;
use map_core::net::ProbeHosts;
use map_core::smtp::Chunking;
use std::ffi::c_char;

/// When a content goes in chunks (BDAT, RFC 3030) to a host that offers it, for map_config_set_chunking(). Later versions may
/// add some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum map_chunking {
    /// For a binary body, and for one of 16 MiB and more. The default.
    MAP_CHUNKING_AUTO = 0,
    /// Only where there is no other way for a binary body.
    MAP_CHUNKING_AVOID = 1,
    /// Always.
    MAP_CHUNKING_PREFER = 2,
}

/// Sets when a content goes in chunks and not by DATA.
///
/// @param config required.
/// @param which  one of enum map_chunking.
/// @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_chunking(config: *mut map_config, which: i32) -> map_reply {
    const ALL: [(map_chunking, Chunking); 3] = [
        (map_chunking::MAP_CHUNKING_AUTO, Chunking::Auto),
        (map_chunking::MAP_CHUNKING_AVOID, Chunking::Avoid),
        (map_chunking::MAP_CHUNKING_PREFER, Chunking::Prefer),
    ];
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe {
        change(config, |config| {
            let (_, chunking) = ALL
                .iter()
                .find(|(known, _)| *known as i32 == which)
                .ok_or_else(|| Answer::misuse(format!("{which} is not a map_chunking")))?;
            config.config.set_chunking(*chunking);
            Ok(())
        })
    }
}

/// Connects from these addresses of this machine, where it has several and mail should leave by the one that has a
/// reverse name or is listed for the domain. Not for the DNS.
///
/// Whether the machine has an address is seen when a connection is made, and the attempt in the report says so.
///
/// @param config    required.
/// @param addresses an IPv4 address, an IPv6 address, or one of each, separated by commas or blanks:
///                  "192.0.2.1, 2001:db8::1". A family without one keeps the system's choice, and so do both with an
///                  empty string.
/// @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_source_address(
    config: *mut map_config,
    addresses: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        set_text(config, "addresses", addresses, |config, addresses| {
            config.parse_source_addresses(items(addresses))
        })
    }
}

/// Connects to mail hosts through a SOCKS5 proxy. It is not used for the DNS, and no probe host is asked about port 25, since
/// the way is not this machine's.
///
/// @param config required.
/// @param url    "socks5://user:password@host:port": addresses of mail hosts are looked up here; "socks5h://...": by the
///               proxy, whose rules alone keep mail away from addresses that it must not be sent to. User and password,
///               and the port (1080), may be left out; % and two hexadecimal digits stand for an octet of user or
///               password, which is in no output. An empty string: no proxy.
/// @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_proxy(config: *mut map_config, url: *const c_char) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        set_text(config, "url", url, |config, url| {
            let proxy = unless_empty(url).map(str::parse).transpose();
            proxy.map(|proxy| config.set_proxy(proxy))
        })
    }
}

/// Asks probe hosts whether outgoing port 25 is blocked, when no mail host could be connected to: mail and web hosts of large
/// providers, which get no mail. Without it a blocked port is RE_SERVER_UNREACH and never RE_PORT_BLOCKED.
///
/// @param config required.
/// @param on     0 for no, anything else for yes (the default).
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_port25_check(config: *mut map_config, on: i32) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe { switch(config, on, Config::set_port25_check) }
}

/// Asks these probe hosts instead.
///
/// @param config required.
/// @param mail   mail hosts, which must greet: names or IP addresses, with ":port" if it is not 25, separated by commas
///               or blanks.
/// @param web    web hosts, which must accept a connection; the port is 443 if none is said. Two empty strings go back to
///               hosts of large providers.
/// @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_port25_probe_hosts(
    config: *mut map_config,
    mail: *const c_char,
    web: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and two strings.
    unsafe {
        change(config, |config| {
            let (mail, web) = (text(mail, "mail")?, text(web, "web")?);
            let probe_hosts = if mail.is_empty() && web.is_empty() {
                None
            } else {
                Some(ProbeHosts::new(items(mail), items(web))?)
            };
            config.config.set_port25_probe_hosts(probe_hosts);
            Ok(())
        })
    }
}

/// Trusts these keys of the DNS root for DNSSEC instead of those that are built in: for tests, and for a private root.
///
/// @param config  required.
/// @param records one or more DNSKEY records in the form of a zone file, as "dig . DNSKEY" prints them.
/// @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_dns_trust_anchor(
    config: *mut map_config,
    records: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe { set_text(config, "records", records, Config::set_dns_trust_anchor) }
}

/// Fetches MTA-STS policies at this port instead of port 443: for tests, and for the sandbox.
///
/// @param config required.
/// @param port   1 to 65535.
/// @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_https_port(config: *mut map_config, port: i32) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe { set_port(config, port, Config::set_https_port) }
}
