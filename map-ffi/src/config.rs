//! How an agent delivers.

pub mod network;

pub mod tls;

pub mod relay;

use crate::boundary::{Answer, guarded, making, replying};
use crate::dkim::map_dkim_signer;
use crate::pointer;
use crate::refusal::{Refusing, change};
use crate::reply::map_reply;
use map_core::agent::{ConfigError, Timeout};
use map_core::{Config, Relay};
use std::ffi::c_char;
use std::time::Duration;

/// How an agent delivers. Made by map_config_new(), freed by map_config_free().
///
/// A setting is checked when it is made. What was refused is remembered: no agent takes such a configuration, so that no
/// mail goes another way than the program meant, and map_agent_new() and map_configure_default() answer with the first
/// refusal. So a program may look at the reply of every call, or only at the last one. map_config_clear_errors() lets the
/// configuration be used without what was refused.
///
/// One thread at a time may change it. An agent takes a copy: changing or freeing it later does not matter to the agent.
#[derive(Debug)]
pub struct map_config {
    config: Config,
    /// The relay without its log-in, which comes by a call of its own.
    relay: Option<Relay>,
    refused: Option<Answer>,
}

impl map_config {
    /// What the handle stands for, unless something of it was refused.
    pub(crate) fn whole(&self) -> Result<&Config, Answer> {
        match &self.refused {
            None => Ok(&self.config),
            Some(refused) => Err(refused.clone()),
        }
    }
}

impl Refusing for map_config {
    const NAME: &'static str = "config";

    fn refused(&mut self) -> &mut Option<Answer> {
        &mut self.refused
    }
}

/// The deadlines of the exchange, for map_config_set_timeout_ms(). Later versions may add some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum map_timeout {
    /// Connecting to one address: 15 s.
    MAP_TIMEOUT_CONNECT = 0,
    /// The server's greeting: 300 s.
    MAP_TIMEOUT_GREETING = 1,
    /// The reply to EHLO or HELO: 300 s.
    MAP_TIMEOUT_HELLO = 2,
    /// The reply to MAIL: 300 s.
    MAP_TIMEOUT_MAIL = 3,
    /// The reply to RCPT: 300 s.
    MAP_TIMEOUT_RCPT = 4,
    /// The reply to DATA: 120 s.
    MAP_TIMEOUT_DATA = 5,
    /// The content, without progress: 180 s.
    MAP_TIMEOUT_CONTENT = 6,
    /// The final reply to the content: 600 s. Making it shorter makes RE_UNCERTAIN more frequent.
    MAP_TIMEOUT_FINAL_REPLY = 7,
    /// The reply to QUIT: 2 s.
    MAP_TIMEOUT_QUIT = 8,
    /// From the start to the first octet of content: 300 s. Where a host takes several mail transactions, each of the others
    /// has the same from its MAIL on.
    MAP_TIMEOUT_START = 9,
    /// The reply to STARTTLS: 60 s.
    MAP_TIMEOUT_STARTTLS = 10,
    /// The TLS handshake: 15 s.
    MAP_TIMEOUT_TLS = 11,
    /// The reply to AUTH and to each of its steps: 120 s.
    MAP_TIMEOUT_AUTH = 12,
    /// Each 64 KiB of the content, or what is left of it, until the host has taken it: 300 s.
    MAP_TIMEOUT_CONTENT_BLOCK = 13,
    /// All replies of a mail's hosts together, and what contents take beyond 8 KiB a second: 3600 s, and one second more for
    /// each recipient. After it no mail transaction begins any more; a content that has begun goes on. Recipients whose
    /// domains have the same hosts have it together.
    MAP_TIMEOUT_REPLIES = 14,
}

/// The deadline that a number from C names; an enumeration is never taken from C, because it may hold any number.
fn timeout(which: i32) -> Option<Timeout> {
    const ALL: [(map_timeout, Timeout); 15] = [
        (map_timeout::MAP_TIMEOUT_CONNECT, Timeout::Connect),
        (map_timeout::MAP_TIMEOUT_GREETING, Timeout::Greeting),
        (map_timeout::MAP_TIMEOUT_HELLO, Timeout::Hello),
        (map_timeout::MAP_TIMEOUT_MAIL, Timeout::Mail),
        (map_timeout::MAP_TIMEOUT_RCPT, Timeout::Rcpt),
        (map_timeout::MAP_TIMEOUT_DATA, Timeout::Data),
        (map_timeout::MAP_TIMEOUT_CONTENT, Timeout::Content),
        (map_timeout::MAP_TIMEOUT_FINAL_REPLY, Timeout::FinalReply),
        (map_timeout::MAP_TIMEOUT_QUIT, Timeout::Quit),
        (map_timeout::MAP_TIMEOUT_START, Timeout::Start),
        (map_timeout::MAP_TIMEOUT_STARTTLS, Timeout::StartTls),
        (map_timeout::MAP_TIMEOUT_TLS, Timeout::Tls),
        (map_timeout::MAP_TIMEOUT_AUTH, Timeout::Auth),
        (map_timeout::MAP_TIMEOUT_CONTENT_BLOCK, Timeout::ContentBlock),
        (map_timeout::MAP_TIMEOUT_REPLIES, Timeout::Replies),
    ];
    ALL.iter()
        .find(|(number, _)| *number as i32 == which)
        .map(|(_, timeout)| *timeout)
}

/// Makes a configuration with the defaults: the system's resolver, port 25, the deadlines of RFC 5321, no loopback.
///
/// @return free with map_config_free(); NULL only with RE_INTERNAL in map_last_reply().
#[unsafe(no_mangle)]
pub extern "C" fn map_config_new() -> *mut map_config {
    making(|| {
        Ok(map_config {
            config: Config::new(),
            relay: None,
            refused: None,
        })
    })
}

/// Frees a configuration.
///
/// @param config may be NULL: nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_free(config: *mut map_config) {
    guarded((), || {
        // SAFETY: the caller passes NULL or a handle that it has not freed.
        drop(unsafe { pointer::take(config) });
    });
}

/// Forgets what was refused so far, so that the configuration can be used without it.
///
/// @param config required.
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_clear_errors(config: *mut map_config) -> map_reply {
    replying(|| {
        // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
        let Some(config) = (unsafe { pointer::exclusive(config) }) else {
            return Answer::missing("config");
        };
        config.refused = None;
        Answer::done()
    })
}

/// Asks these DNS servers instead of the system's.
///
/// @param config  required.
/// @param servers IP addresses with or without a port, separated by commas or blanks: "127.0.0.1:5300, [::1]:53". An
///                empty string goes back to the system's resolver.
/// @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_dns_servers(
    config: *mut map_config,
    servers: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        set_text(config, "servers", servers, |config, servers| {
            config.parse_dns_servers(items(servers))
        })
    }
}

/// Connects to this port of the mail hosts instead of port 25: for tests, and for the sandbox.
///
/// @param config required.
/// @param port   1 to 65535.
/// @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_smtp_port(config: *mut map_config, port: i32) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe { set_port(config, port, Config::set_smtp_port) }
}

/// Introduces itself to mail hosts by this name (the argument of EHLO).
///
/// @param config required.
/// @param name   a domain name ("mail.example.org") or an address literal ("[192.0.2.1]"); an empty string goes back to
///               the machine's own name. Large receivers want a name whose address is the one you send from.
/// @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_hello_name(
    config: *mut map_config,
    name: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        set_text(config, "name", name, |config, name| {
            config.set_hello_name(unless_empty(name))
        })
    }
}

/// Sets how long one send may take in all, DNS included. Without it only the deadlines of map_config_set_timeout_ms()
/// hold, and a slow server can keep a send for many minutes.
///
/// @param config       required.
/// @param milliseconds at most a year; 0 for no deadline in all.
/// @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_deadline_ms(config: *mut map_config, milliseconds: u64) -> map_reply {
    let deadline = (milliseconds > 0).then(|| Duration::from_millis(milliseconds));
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe { change(config, |config| Ok(config.config.set_deadline(deadline)?)) }
}

/// Sets one deadline of the exchange.
///
/// @param config       required.
/// @param which        one of enum map_timeout.
/// @param milliseconds 1 to a year.
/// @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_timeout_ms(
    config: *mut map_config,
    which: i32,
    milliseconds: u64,
) -> map_reply {
    let duration = Duration::from_millis(milliseconds);
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe {
        change(config, |config| {
            let which =
                timeout(which).ok_or_else(|| Answer::misuse(format!("{which} is not a map_timeout")))?;
            Ok(config.config.set_timeout(which, duration)?)
        })
    }
}

/// Allows mail hosts on this machine, by loopback addresses or by those of its interfaces: for tests, for the sandbox, and
/// for programs on the recipient's own mail server. Refused by default, because a program that mails wherever a stranger's
/// DNS points must not be steered into services that trust the machine itself.
///
/// @param config required.
/// @param allow  0 for no, anything else for yes.
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_allow_loopback(config: *mut map_config, allow: i32) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe { switch(config, allow, Config::set_allow_loopback) }
}

/// Refuses mail hosts in private address ranges, too.
///
/// @param config      required.
/// @param public_only 0 for no (the default), anything else for yes.
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_public_only(config: *mut map_config, public_only: i32) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe { switch(config, public_only, Config::set_public_only) }
}

/// Takes a domain without an MX record for one that receives no mail: the letter of MAP 3.5. By default its own address
/// is tried, as RFC 5321 section 5.1 says.
///
/// @param config  required.
/// @param require 0 for no (the default), anything else for yes.
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_require_mx(config: *mut map_config, require: i32) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe { switch(config, require, Config::set_require_mx) }
}

/// Signs by DKIM what is sent from the signer's domain, or from one below it, by the domain of From. Called again, each
/// signer signs: one with RSA, which every verifier knows, and one with Ed25519.
///
/// @param config required.
/// @param signer required; copied, and yours to free.
/// @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_add_dkim_signer(
    config: *mut map_config,
    signer: *const map_dkim_signer,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, and one that nobody changes, as the header asks.
    unsafe {
        change(config, |config| {
            let signer = pointer::shared(signer).ok_or_else(|| Answer::missing("signer"))?;
            config.config.add_dkim_signer(signer.whole()?.clone());
            Ok(())
        })
    }
}

/// Changes what is yes or no.
///
/// # Safety
/// As [`change`].
unsafe fn switch(config: *mut map_config, on: i32, set: fn(&mut Config, bool)) -> map_reply {
    // SAFETY: as the caller vouches.
    unsafe {
        change(config, |config| {
            set(&mut config.config, on != 0);
            Ok(())
        })
    }
}

/// Changes a port.
///
/// # Safety
/// As [`change`].
unsafe fn set_port(
    config: *mut map_config,
    number: i32,
    set: fn(&mut Config, u16) -> Result<(), ConfigError>,
) -> map_reply {
    // SAFETY: as the caller vouches.
    unsafe { change(config, |config| Ok(set(&mut config.config, port(number)?)?)) }
}

/// Changes what is given as a text.
///
/// # Safety
/// As [`change`]; `string` is NULL or points to a NUL-terminated string that nobody changes meanwhile.
unsafe fn set_text<E: Into<Answer>>(
    config: *mut map_config,
    argument: &str,
    string: *const c_char,
    set: impl FnOnce(&mut Config, &str) -> Result<(), E>,
) -> map_reply {
    // SAFETY: as the caller vouches.
    unsafe {
        change(config, |config| {
            set(&mut config.config, text(string, argument)?).map_err(Into::into)
        })
    }
}

fn port(number: i32) -> Result<u16, Answer> {
    u16::try_from(number).map_err(|_| Answer::misuse(format!("{number} is not a port: 1 to 65535")))
}

/// A text that is there.
///
/// # Safety
/// `string` is NULL or points to a NUL-terminated string that nobody changes while `'a` lasts.
pub(crate) unsafe fn text<'a>(string: *const c_char, argument: &str) -> Result<&'a str, Answer> {
    // SAFETY: as the caller vouches.
    let octets = unsafe { pointer::string(string) }.ok_or_else(|| Answer::missing(argument))?;
    std::str::from_utf8(octets).map_err(|_| Answer::misuse(format!("{argument} is not UTF-8")))
}

/// The empty text stands for what was there before anybody set it.
fn unless_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// What commas or blanks separate.
fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', ' ', '\t']).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests;
