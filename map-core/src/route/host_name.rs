//! The name of a mail host as the DNS gives it.

use super::RouteError;
use crate::address::Domain;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The name of a mail host: A-labels, lower case, without a final dot.
///
/// Wider than [`Domain`]: labels may hold `_`. RFC 5321 has no such names, but large DNS hosters generate them for MX
/// records (`_dc-mx.3f2a.example.com`), other mailers deliver there, and nobody could act on a refusal.
///
/// The name `mail.example.org` and the addresses `192.0.2.1` and `2001:db8::1` cannot be confused: what reads as an
/// address is no host name.
///
/// ```
/// use map_core::route::{HostName, RouteError};
///
/// assert_eq!(HostName::parse("MX1.Example.ORG").unwrap().as_ascii(), "mx1.example.org");
/// assert_eq!(HostName::parse("192.0.2.1"), Err(RouteError::AddressAsExchange));
/// assert_eq!(HostName::parse("mail host.example"), Err(RouteError::BadExchange));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostName(Arc<str>);

/// RFC 1035 section 2.3.4, as text without the final dot.
const MAX_NAME: usize = 253;
/// RFC 1035 section 2.3.4.
const MAX_LABEL: usize = 63;

impl HostName {
    /// Reads the exchange of an MX record, without its final dot.
    ///
    /// # Errors
    /// [`RouteError::AddressAsExchange`] for an IP address, [`RouteError::BadExchange`] for what is no host name.
    pub fn parse(exchange: &str) -> Result<Self, RouteError> {
        if reads_as_address(exchange) {
            return Err(RouteError::AddressAsExchange);
        }
        if exchange.len() > MAX_NAME || !exchange.split('.').all(is_label) {
            return Err(RouteError::BadExchange);
        }
        Ok(Self(exchange.to_ascii_lowercase().into()))
    }

    /// As it goes to the DNS and to TLS.
    pub fn as_ascii(&self) -> &str {
        &self.0
    }
}

impl From<&Domain> for HostName {
    fn from(domain: &Domain) -> Self {
        Self(domain.as_ascii().into())
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
}

/// No top-level domain is a number, so a last label of digits is an IPv4 address, or a slip in writing one.
fn reads_as_address(exchange: &str) -> bool {
    let bare = exchange
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(exchange);
    let last = bare.rsplit('.').next().unwrap_or_default();
    bare.parse::<IpAddr>().is_ok() || (!last.is_empty() && last.bytes().all(|octet| octet.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What is taken is a name and nothing else, and reads back as itself.
        #[test]
        fn whatever_is_taken_is_harmless(text in "\\PC{0,12}|[a-zA-Z0-9_.-]{0,260}|[0-9.]{0,20}|[0-9a-f:.]{0,40}") {
            if let Ok(host) = HostName::parse(&text) {
                let name = host.as_ascii();
                prop_assert!(name.bytes().all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.')));
                prop_assert!(name.parse::<IpAddr>().is_err());
                prop_assert_eq!(HostName::parse(name), Ok(host.clone()));
            }
        }
    }

    #[test]
    fn exchanges() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        let names = [
            "mx1.example.org",
            "mx",
            "_dc-mx.3f2a.example.org",
            "xn--bcher-kva.example",
            "4.3.example",
            &longest,
        ];
        for name in names {
            assert_eq!(
                HostName::parse(name).map(|host| host.to_string()),
                Ok(name.to_owned()),
                "{name}"
            );
        }
        let too_long = format!("{longest}a");
        let long_label = format!("{label}a.example");
        let others = [
            ("", RouteError::BadExchange),
            ("a..example", RouteError::BadExchange),
            ("mx.example.", RouteError::BadExchange),
            ("-mx.example", RouteError::BadExchange),
            ("mx-.example", RouteError::BadExchange),
            ("mx\\032a.example", RouteError::BadExchange),
            ("mx\r\n.example", RouteError::BadExchange),
            ("bücher.example", RouteError::BadExchange),
            ("10 mx.example", RouteError::BadExchange),
            (&too_long, RouteError::BadExchange),
            (&long_label, RouteError::BadExchange),
            ("192.0.2.1", RouteError::AddressAsExchange),
            ("[192.0.2.1]", RouteError::AddressAsExchange),
            ("2001:db8::1", RouteError::AddressAsExchange),
            ("192.0.2.256", RouteError::AddressAsExchange),
            ("1", RouteError::AddressAsExchange),
        ];
        for (exchange, why) in others {
            assert_eq!(HostName::parse(exchange), Err(why), "{exchange:?}");
        }
    }
}
