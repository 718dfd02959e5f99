//! A server that mail is handed to instead of the recipient's own.

use crate::address::Domain;
use crate::route::{HostName, Target};
use crate::smtp::{Authentication, Secret, SecretKind};
use rand::Rng;
use rand::distr::{Alphanumeric, SampleString};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A mail server that passes mail on to the recipient's (a smarthost): the provider's or the company's own.
///
/// What it accepted is `RE_SUCCESS`, and the report says that it is not with the recipient's server yet.
///
/// # Example
/// ```
/// use map_core::{Relay, RelaySecurity};
/// use map_core::smtp::SecretKind;
///
/// let relay = Relay::new("mail.example.net", 465, RelaySecurity::Implicit)?
///     .with_login("alice", "s3cret", SecretKind::Password)?;
/// assert_eq!(relay.to_string(), "mail.example.net:465");
/// assert!(!format!("{relay:?}").contains("s3cret"));
/// let mut config = map_core::Config::new();
/// config.set_relay(Some(relay));
/// # Ok::<(), map_core::RelayError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Relay {
    host: Target,
    /// It was written with a final dot.
    is_absolute: bool,
    port: u16,
    security: RelaySecurity,
    login: Option<Login>,
}

/// How the connection to a relay is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RelaySecurity {
    /// Not at all, whatever the relay offers: for one on this machine or on a network that is trusted.
    Clear,
    /// TLS from the first octet, the certificate verified (port 465, RFC 8314 section 3.3).
    Implicit,
    /// STARTTLS where it works, the certificate not verified, and else in the clear.
    Opportunistic,
    /// STARTTLS, the certificate verified, or nothing is sent (port 587).
    StartTls,
}

/// Why a relay cannot be used as it was given. It does not repeat a user name or a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// Neither a domain name nor an IP address; it is not shown, since a URL may hold a secret.
    #[error(
        "that is not a relay: write its domain name or its IP address alone, without a user name or a port"
    )]
    Host,
    /// Empty, or with control characters, which no mechanism of AUTH can carry.
    #[error("the user name or the secret for the relay is empty or holds control characters")]
    Login,
    /// A secret goes only to a relay that has proved who it is.
    #[error("a secret is sent only over verified TLS: choose implicit TLS or STARTTLS for the relay")]
    LoginInClear,
    /// 0
    #[error("port 0 is not a port to connect to")]
    Port,
}

#[derive(Clone, Debug)]
struct Login {
    user: String,
    secret: Secret,
    kind: SecretKind,
}

impl Relay {
    /// A relay at this host (a domain name, or an IP address with or without brackets; `localhost` is this machine, or
    /// that of the proxy if there is one) and port, which mail is handed to without a log-in.
    ///
    /// A name is looked up as the operating system does for any program: hosts file, search domains, whatever it is set up
    /// to ask. Where the configuration names DNS servers, those are asked instead; a proxy that is given names looks it up
    /// itself.
    ///
    /// Port and protection are independent of each other; usual are 465 with [`RelaySecurity::Implicit`] and 587 with
    /// [`RelaySecurity::StartTls`].
    ///
    /// # Errors
    /// [`RelayError::Host`], [`RelayError::Port`].
    pub fn new(host: &str, port: u16, security: RelaySecurity) -> Result<Self, RelayError> {
        let target = target(host.trim()).ok_or(RelayError::Host)?;
        if port == 0 {
            return Err(RelayError::Port);
        }
        Ok(Self {
            host: target,
            is_absolute: host.trim().ends_with('.'),
            port,
            security,
            login: None,
        })
    }

    /// Logs in by AUTH (RFC 4954), with the strongest mechanism that the relay offers and the kind of secret allows. If
    /// the relay offers none, or refuses, nothing is sent.
    ///
    /// # Errors
    /// [`RelayError::LoginInClear`] unless the security is [`RelaySecurity::Implicit`] or [`RelaySecurity::StartTls`];
    /// [`RelayError::Login`].
    pub fn with_login(
        mut self,
        user: &str,
        secret: impl Into<Secret>,
        kind: SecretKind,
    ) -> Result<Self, RelayError> {
        if !self.security.is_verified() {
            return Err(RelayError::LoginInClear);
        }
        let secret = secret.into();
        // RFC 4616 section 2 forbids NUL, the framing of XOAUTH2 the rest, and RFC 4013 section 2.3 all of them.
        let is_fit = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
        if !is_fit(user) || !is_fit(secret.expose()) {
            return Err(RelayError::Login);
        }
        self.login = Some(Login {
            user: user.to_owned(),
            secret,
            kind,
        });
        Ok(self)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How the connection to it is protected.
    pub fn security(&self) -> RelaySecurity {
        self.security
    }

    pub(super) fn host(&self) -> &Target {
        &self.host
    }

    /// Its name is not to be completed by the system's search domains.
    pub(super) fn is_absolute(&self) -> bool {
        self.is_absolute
    }

    /// The addresses of a relay that needs no look-up: given as an address, or this machine by its name.
    pub(super) fn addresses(&self) -> Option<Vec<IpAddr>> {
        match &self.host {
            Target::Address(address) => Some(vec![*address]),
            // https://www.rfc-editor.org/rfc/rfc6761#section-6.3
            // > Name resolution APIs and libraries SHOULD recognize localhost names as special and SHOULD always return
            // > the IP loopback address for address queries
            Target::Name(name) if crate::net::is_localhost(name.as_ascii()) => {
                Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
            }
            Target::Name(_) => None,
        }
    }

    /// What one connection is told of the log-in.
    pub(super) fn authentication(&self, rng: &mut impl Rng) -> Option<Authentication> {
        // https://www.rfc-editor.org/rfc/rfc5802#section-5.1
        // > It is important that this value be different for each authentication
        self.login.as_ref().map(|login| Authentication {
            user: login.user.clone(),
            secret: login.secret.clone(),
            kind: login.kind,
            nonce: Alphanumeric.sample_string(rng, NONCE),
        })
    }
}

/// Characters of a nonce: 142 bits.
const NONCE: usize = 24;

impl RelaySecurity {
    /// Nothing is sent unless the relay has proved who it is.
    fn is_verified(self) -> bool {
        match self {
            Self::Implicit | Self::StartTls => true,
            Self::Clear | Self::Opportunistic => false,
        }
    }
}

/// Host and port, as a person writes them.
impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Target::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            Target::Address(address) => write!(f, "{address}:{}", self.port),
            Target::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

fn target(text: &str) -> Option<Target> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Some(Target::Address(address.to_canonical()));
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    match name.parse::<Domain>() {
        Ok(domain) => Some(Target::Name((&domain).into())),
        // A name with `_` in it.
        Err(_) => HostName::parse(name).ok().map(Target::Name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_is_a_name_or_an_address() {
        let cases = [
            ("mail.example.net", Some("mail.example.net:587")),
            (" Mail.Example.NET. ", Some("mail.example.net:587")),
            ("bücher.example", Some("xn--bcher-kva.example:587")),
            ("mail_host", Some("mail_host:587")),
            ("localhost", Some("localhost:587")),
            ("192.0.2.1", Some("192.0.2.1:587")),
            ("[192.0.2.1]", Some("192.0.2.1:587")),
            ("::ffff:192.0.2.1", Some("192.0.2.1:587")),
            ("2001:db8::1", Some("[2001:db8::1]:587")),
            ("[2001:db8::1]", Some("[2001:db8::1]:587")),
            ("mail.example.net:587", None),
            ("300.1.1.1", None),
            ("two words", None),
            ("", None),
        ];
        for (host, shown) in cases {
            let relay = Relay::new(host, 587, RelaySecurity::StartTls);
            let expected = shown.map(str::to_owned).ok_or(RelayError::Host);
            assert_eq!(relay.map(|relay| relay.to_string()), expected, "{host:?}");
        }
        let url = "smtps://alice:s3cret@mail.example.net";
        let error = Relay::new(url, 465, RelaySecurity::Implicit).expect_err("a URL");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("alice"), "{shown}");
        let error = Relay::new("mail.example.net", 0, RelaySecurity::Clear).expect_err("no port");
        assert_eq!(error, RelayError::Port);
    }

    #[test]
    fn a_secret_goes_only_to_who_proves_himself() {
        let cases = [
            (RelaySecurity::Clear, Some(RelayError::LoginInClear)),
            (RelaySecurity::Implicit, None),
            (RelaySecurity::Opportunistic, Some(RelayError::LoginInClear)),
            (RelaySecurity::StartTls, None),
        ];
        for (security, error) in cases {
            let relay = Relay::new("mail.example.net", 587, security).expect("a relay");
            let with_login = relay.with_login("alice", "s3cret", SecretKind::Password);
            assert_eq!(with_login.err(), error, "{security:?}");
        }
    }

    #[test]
    fn a_login_is_what_auth_can_carry() {
        let relay = Relay::new("mail.example.net", 465, RelaySecurity::Implicit).expect("a relay");
        let rows = [
            ("", "s"),
            ("u", ""),
            ("u\0", "s"),
            ("u", "s\0"),
            ("u\r\n", "s"),
            ("u", "s\u{1}x"),
        ];
        for (user, secret) in rows {
            let error = relay
                .clone()
                .with_login(user, secret, SecretKind::Password)
                .expect_err("unfit");
            assert_eq!(error, RelayError::Login, "{user:?} {secret:?}");
        }
        for (user, secret) in [("u", " p a s s "), ("jörg@example.org", "pässwörd")] {
            let fit = relay.clone().with_login(user, secret, SecretKind::Token);
            assert!(fit.is_ok(), "{user:?}");
        }
    }

    #[test]
    fn every_connection_has_a_nonce_of_its_own_and_no_secret_is_shown() {
        let relay = Relay::new("mail.example.net", 465, RelaySecurity::Implicit)
            .and_then(|relay| relay.with_login("alice", "s3cret", SecretKind::Password))
            .expect("a relay");
        let nonce = || relay.authentication(&mut rand::rng()).expect("a log-in").nonce;
        let (one, other) = (nonce(), nonce());
        assert_ne!(one, other);
        assert!(one.len() == NONCE && one.bytes().all(|octet| octet.is_ascii_alphanumeric()));
        let shown = format!("{relay:?} {relay} {:?}", relay.authentication(&mut rand::rng()));
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn this_machine_needs_no_look_up() {
        let addresses = |host| {
            Relay::new(host, 25, RelaySecurity::Clear)
                .expect("a relay")
                .addresses()
        };
        let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        assert_eq!(addresses("localhost").as_deref(), Some(&loopback[..]));
        assert_eq!(addresses("127.0.0.1").as_deref(), Some(&loopback[..1]));
        assert_eq!(addresses("mail.example.net"), None);
    }
}
