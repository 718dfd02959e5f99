//! A server that mail is handed to instead of the recipient's own.

use super::{change, map_config, port, text};
use crate::boundary::Answer;
use crate::reply::map_reply;
use map_core::smtp::SecretKind;
use map_core::{Relay, RelaySecurity};
use std::ffi::c_char;

/// How the connection to a relay is protected, for map_config_set_relay(). Later versions may add some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum map_relay_security {
    /// STARTTLS, the certificate verified, or nothing is sent. Usual at port 587.
    MAP_RELAY_STARTTLS = 1,
    /// TLS from the first octet, the certificate verified. Usual at port 465.
    MAP_RELAY_IMPLICIT_TLS = 2,
    /// STARTTLS where it works, the certificate not verified, and else in the clear. No log-in.
    MAP_RELAY_OPPORTUNISTIC = 3,
    /// In the clear, whatever the relay offers: for one on this machine or on a network that is trusted. No log-in.
    MAP_RELAY_CLEAR = 4,
}

/// What a secret is, for map_config_set_relay_login(). Later versions may add some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum map_secret_kind {
    /// A password: SCRAM-SHA-256, PLAIN or LOGIN, the first of these that the relay offers.
    MAP_SECRET_PASSWORD = 1,
    /// An OAuth 2.0 access token: XOAUTH2.
    MAP_SECRET_TOKEN = 2,
}

/// The protection that a number from C names; an enumeration is never taken from C, because it may hold any number.
fn security(number: i32) -> Result<RelaySecurity, Answer> {
    const ALL: [(map_relay_security, RelaySecurity); 4] = [
        (map_relay_security::MAP_RELAY_STARTTLS, RelaySecurity::StartTls),
        (
            map_relay_security::MAP_RELAY_IMPLICIT_TLS,
            RelaySecurity::Implicit,
        ),
        (
            map_relay_security::MAP_RELAY_OPPORTUNISTIC,
            RelaySecurity::Opportunistic,
        ),
        (map_relay_security::MAP_RELAY_CLEAR, RelaySecurity::Clear),
    ];
    ALL.iter()
        .find(|(known, _)| *known as i32 == number)
        .map(|(_, security)| *security)
        .ok_or_else(|| Answer::misuse(format!("{number} is not a map_relay_security")))
}

/// The same for what a secret is.
fn kind(number: i32) -> Result<SecretKind, Answer> {
    const ALL: [(map_secret_kind, SecretKind); 2] = [
        (map_secret_kind::MAP_SECRET_PASSWORD, SecretKind::Password),
        (map_secret_kind::MAP_SECRET_TOKEN, SecretKind::Token),
    ];
    ALL.iter()
        .find(|(known, _)| *known as i32 == number)
        .map(|(_, kind)| *kind)
        .ok_or_else(|| Answer::misuse(format!("{number} is not a map_secret_kind")))
}

/// Hands all mail to this relay (a smarthost) instead of the recipients' own mail hosts, without a log-in.
///
/// What it accepts is RE_SUCCESS, and map_report_is_relayed() tells that it is not with the recipient's server yet. No MX
/// record is looked up; port 25 and the rules about mail hosts (loopback, private ranges) do not count, and neither do DANE
/// and MTA-STS. A name is looked up as the operating system does for any program (hosts file, search domains), or by the
/// servers of map_config_set_dns_servers().
///
/// @param config   required.
/// @param host     its domain name or IP address; an empty string goes back to the recipients' own mail hosts.
/// @param port     1 to 65535. Not looked at if the host is empty.
/// @param security one of enum map_relay_security. Not looked at if the host is empty.
/// @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_relay(
    config: *mut map_config,
    host: *const c_char,
    port: i32,
    security: i32,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        change(config, |config| {
            config.relay = match text(host, "host")? {
                "" => None,
                host => Some(relay(host, port, security)?),
            };
            config.config.set_relay(config.relay.clone());
            Ok(())
        })
    }
}

fn relay(host: &str, number: i32, protection: i32) -> Result<Relay, Answer> {
    Ok(Relay::new(host, port(number)?, security(protection)?)?)
}

/// Logs in to the relay by AUTH, with the strongest mechanism that it offers and the kind of secret allows. If it offers
/// none, or refuses, nothing is sent.
///
/// Called after map_config_set_relay(), which forgets the log-in of the relay before. A secret goes only over a session
/// whose peer has proved who it is: the relay's security must be MAP_RELAY_STARTTLS or MAP_RELAY_IMPLICIT_TLS. It is in no
/// report, transcript or message. The library overwrites its own copies when they are freed; yours are yours to overwrite.
///
/// @param config required.
/// @param user   the user name.
/// @param secret the password or the token.
/// @param kind   one of enum map_secret_kind.
/// @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_config_set_relay_login(
    config: *mut map_config,
    user: *const c_char,
    secret: *const c_char,
    kind: i32,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and two strings.
    unsafe {
        change(config, |config| {
            let (user, secret) = (text(user, "user")?, text(secret, "secret")?);
            let relay = config
                .relay
                .clone()
                .ok_or_else(|| Answer::misuse("there is no relay yet to log in to"))?;
            let relay = relay.with_login(user, secret, self::kind(kind)?)?;
            config.config.set_relay(Some(relay));
            Ok(())
        })
    }
}
