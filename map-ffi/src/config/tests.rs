//! Each setter of C sets what the core's sets, and nothing else.

use super::network::*;
use super::relay::*;
use super::tls::*;
use super::*;
use map_core::net::ProbeHosts;
use map_core::smtp::{Chunking, SecretKind};
use map_core::{RelayError, RelaySecurity};
use std::error::Error;

/// Of an authority that signed nothing.
const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBhjCCAS2gAwIBAgIUdMUiz7UvDfnD7k7hx1pFQG3Y8jgwCgYIKoZIzj0EAwIw\n\
GTEXMBUGA1UEAwwOVGVzdCBhdXRob3JpdHkwHhcNMjYxMTIyMDUyNTA4WhcNNDYx\n\
MTE3MDUyNTA4WjAZMRcwFQYDVQQDDA5UZXN0IGF1dGhvcml0eTBZMBMGByqGSM49\n\
AgEGCCqGSM49AwEHA0IABLVXPiahR9fcTXUo8rEFdYQcEnJXdDBv3/59s2mqvvb8\n\
lnEHy1wmyY/KNcNcDbvWReHn94nXO8XUL24JuQURnJmjUzBRMB0GA1UdDgQWBBSY\n\
sjrnh0Fo12eOmBH7p+ee1xl6ezAfBgNVHSMEGDAWgBSYsjrnh0Fo12eOmBH7p+ee\n\
1xl6ezAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIDG47be0uxrL\n\
QEoA6vAmZaxSPrIlrq7wjJHD2rb9pNkpAiAKbHm5kHU7rPEk/7LmSBA9skq9SBrv\n\
k8icIQrefM0Urg==\n\
-----END CERTIFICATE-----\n\
";
const ROOT_KEY: &str = ". 172800 IN DNSKEY 257 3 13 \
    KXX8lzMOgAB9pQn4OYmSzrP0rEVWrdXSu5vQ0DKhUvLNkmJrQtk7QZAzl+QW51cYSs2JiuQwJVEPK0yV6GXgWQ==";

/// A configuration that C made.
struct Handle(*mut map_config);

impl Handle {
    fn new() -> Self {
        Self(map_config_new())
    }

    /// All that it holds, secrets aside.
    fn shown(&self) -> String {
        // SAFETY: made by `new`, and freed only by `drop`.
        let config = unsafe { pointer::shared(self.0) };
        config.map_or_else(String::new, |config| format!("{:?}", config.config))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: made by `new`, and freed once.
        unsafe { map_config_free(self.0) };
    }
}

type Core = fn(&mut Config) -> Result<(), Box<dyn Error>>;

/// What C does to a configuration is what Rust does to one, and it is not nothing.
#[track_caller]
fn assert_same(c: impl FnOnce(*mut map_config) -> map_reply, core: Core) {
    let handle = Handle::new();
    let before = handle.shown();
    assert_eq!(c(handle.0), map_reply::RE_SUCCESS);
    let mut config = Config::new();
    core(&mut config).expect("a setting that can be");
    assert_eq!(handle.shown(), format!("{config:?}"));
    assert_ne!(handle.shown(), before);
}

#[test]
fn switches() {
    type Switch = (
        unsafe extern "C" fn(*mut map_config, i32) -> map_reply,
        bool,
        Core,
    );
    macro_rules! switch {
        ($c:ident, $core:ident, $value:literal) => {
            ($c, $value, |config| {
                config.$core($value);
                Ok(())
            })
        };
    }
    let switches: [Switch; 8] = [
        switch!(map_config_set_allow_loopback, set_allow_loopback, true),
        switch!(map_config_set_dane, set_dane, false),
        switch!(map_config_set_mta_sts, set_mta_sts, false),
        switch!(map_config_set_platform_roots, set_platform_roots, false),
        switch!(map_config_set_port25_check, set_port25_check, false),
        switch!(map_config_set_public_only, set_public_only, true),
        switch!(map_config_set_require_mx, set_require_mx, true),
        switch!(map_config_set_require_tls, set_require_tls, true),
    ];
    for (c, value, core) in switches {
        // SAFETY: a handle that is there.
        assert_same(|config| unsafe { c(config, value.into()) }, core);
    }
}

#[test]
fn chunking() {
    // SAFETY: handles that are there.
    unsafe {
        assert_same(
            |config| map_config_set_chunking(config, map_chunking::MAP_CHUNKING_PREFER as i32),
            |config| {
                config.set_chunking(Chunking::Prefer);
                Ok(())
            },
        );
        let handle = Handle::new();
        assert_eq!(map_config_set_chunking(handle.0, 3), map_reply::RE_MISUSE);
    }
}

#[test]
fn ports() {
    // SAFETY: handles that are there.
    unsafe {
        assert_same(
            |config| map_config_set_smtp_port(config, 2525),
            |config| Ok(config.set_smtp_port(2525)?),
        );
        assert_same(
            |config| map_config_set_https_port(config, 8443),
            |config| Ok(config.set_https_port(8443)?),
        );
    }
}

#[test]
fn texts() {
    let pem = std::ffi::CString::new(AUTHORITY).expect("no NUL");
    let key = std::ffi::CString::new(ROOT_KEY).expect("no NUL");
    // SAFETY: handles that are there, and strings that outlive the calls.
    unsafe {
        assert_same(
            |config| map_config_set_dns_servers(config, c"192.0.2.1:5300, [::1]:53".as_ptr()),
            |config| Ok(config.parse_dns_servers(["192.0.2.1:5300", "[::1]:53"])?),
        );
        assert_same(
            |config| map_config_set_hello_name(config, c"mail.example.org".as_ptr()),
            |config| Ok(config.set_hello_name(Some("mail.example.org"))?),
        );
        assert_same(
            |config| map_config_set_source_address(config, c"192.0.2.1 2001:db8::1".as_ptr()),
            |config| Ok(config.parse_source_addresses(["192.0.2.1", "2001:db8::1"])?),
        );
        assert_same(
            |config| map_config_set_proxy(config, c"socks5h://proxy.example".as_ptr()),
            |config| {
                config.set_proxy(Some("socks5h://proxy.example".parse()?));
                Ok(())
            },
        );
        assert_same(
            |config| {
                map_config_set_port25_probe_hosts(
                    config,
                    c"mx.example, 192.0.2.1".as_ptr(),
                    c"www.example".as_ptr(),
                )
            },
            |config| {
                config.set_port25_probe_hosts(Some(ProbeHosts::new(
                    ["mx.example", "192.0.2.1"],
                    ["www.example"],
                )?));
                Ok(())
            },
        );
        assert_same(
            |config| map_config_set_dns_trust_anchor(config, key.as_ptr()),
            |config| Ok(config.set_dns_trust_anchor(ROOT_KEY)?),
        );
        assert_same(
            |config| map_config_add_tls_roots(config, pem.as_ptr()),
            |config| Ok(config.add_tls_roots(AUTHORITY)?),
        );
    }
}

#[test]
fn times() {
    // SAFETY: handles that are there.
    unsafe {
        assert_same(
            |config| map_config_set_deadline_ms(config, 1500),
            |config| Ok(config.set_deadline(Some(Duration::from_millis(1500)))?),
        );
        assert_same(
            |config| map_config_set_timeout_ms(config, map_timeout::MAP_TIMEOUT_AUTH as i32, 1500),
            |config| Ok(config.set_timeout(Timeout::Auth, Duration::from_millis(1500))?),
        );
        assert_same(
            |config| map_config_set_timeout_ms(config, map_timeout::MAP_TIMEOUT_TLS as i32, 1500),
            |config| Ok(config.set_timeout(Timeout::Tls, Duration::from_millis(1500))?),
        );
        assert_same(
            |config| map_config_set_timeout_ms(config, map_timeout::MAP_TIMEOUT_STARTTLS as i32, 1500),
            |config| Ok(config.set_timeout(Timeout::StartTls, Duration::from_millis(1500))?),
        );
        assert_same(
            |config| map_config_set_timeout_ms(config, map_timeout::MAP_TIMEOUT_REPLIES as i32, 1500),
            |config| Ok(config.set_timeout(Timeout::Replies, Duration::from_millis(1500))?),
        );
    }
}

#[test]
fn relays() {
    let relay = |security| Relay::new("mail.example.net", 587, security);
    let securities = [
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
    let shown = |relay: Result<Relay, RelayError>| {
        let mut config = Config::new();
        config.set_relay(Some(relay.expect("a relay")));
        format!("{config:?}")
    };
    for (number, security) in securities {
        let handle = Handle::new();
        // SAFETY: a handle that is there.
        let reply =
            unsafe { map_config_set_relay(handle.0, c"mail.example.net".as_ptr(), 587, number as i32) };
        assert_eq!(reply, map_reply::RE_SUCCESS);
        assert_eq!(handle.shown(), shown(relay(security)));
    }
    let kinds = [
        (map_secret_kind::MAP_SECRET_PASSWORD, SecretKind::Password),
        (map_secret_kind::MAP_SECRET_TOKEN, SecretKind::Token),
    ];
    let handle = Handle::new();
    let number = map_relay_security::MAP_RELAY_STARTTLS as i32;
    for (kind_number, kind) in kinds {
        // SAFETY: a handle that is there.
        let replies = unsafe {
            [
                map_config_set_relay(handle.0, c"mail.example.net".as_ptr(), 587, number),
                map_config_set_relay_login(
                    handle.0,
                    c"alice".as_ptr(),
                    c"s3cret".as_ptr(),
                    kind_number as i32,
                ),
            ]
        };
        assert_eq!(replies, [map_reply::RE_SUCCESS; 2]);
        let login =
            relay(RelaySecurity::StartTls).and_then(|relay| relay.with_login("alice", "s3cret", kind));
        assert_eq!(handle.shown(), shown(login));
        assert!(handle.shown().contains("alice") && !handle.shown().contains("s3cret"));
    }
    // Another relay is not told the secret of the one before, and none is none.
    // SAFETY: a handle that is there.
    unsafe { map_config_set_relay(handle.0, c"mail.example.net".as_ptr(), 587, number) };
    assert_eq!(handle.shown(), shown(relay(RelaySecurity::StartTls)));
    // SAFETY: a handle that is there.
    unsafe { map_config_set_relay(handle.0, c"".as_ptr(), 0, 0) };
    assert_eq!(handle.shown(), format!("{:?}", Config::new()));
}
