//! The name in EHLO.

use crate::address::{AddressLiteral, Domain, MailboxDomain};
use std::net::{IpAddr, SocketAddr};

/// Suffixes that mean nothing outside the network they are used in (RFC 6762, 8375, and the names reserved by
/// RFC 6761 and ICANN for private use).
const PRIVATE_SUFFIXES: [&str; 12] = [
    "local",
    "localdomain",
    "localhost",
    "lan",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "corp",
    "private",
    "invalid",
    "test",
];

/// How a client names itself.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum HelloName {
    /// As configured.
    Fixed(MailboxDomain),
    /// The machine's own fully qualified name; where it has none, the socket's own address as a literal.
    #[default]
    OfMachine,
}

/// The name for one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChosenName {
    pub(super) name: MailboxDomain,
    /// For the report, when the name will not please a careful server.
    pub(super) warning: Option<String>,
}

impl HelloName {
    /// The name to use on a connection from `local`.
    pub(super) fn choose(&self, local: Option<SocketAddr>) -> ChosenName {
        match self {
            Self::Fixed(name) => ChosenName {
                name: name.clone(),
                warning: None,
            },
            Self::OfMachine => match qualified(&gethostname::gethostname().to_string_lossy()) {
                Some(name) => ChosenName {
                    name: MailboxDomain::Domain(name),
                    warning: None,
                },
                None => by_address(local),
            },
        }
    }
}

/// The host name if other hosts could know it by that.
fn qualified(host_name: &str) -> Option<Domain> {
    let domain: Domain = host_name.trim_end_matches('.').parse().ok()?;
    let name = domain.as_ascii();
    let private = PRIVATE_SUFFIXES.iter().any(|suffix| {
        name.strip_suffix(suffix)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    (name.contains('.') && !private).then_some(domain)
}

// https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.1
// > In situations in which the SMTP client system does not have a meaningful domain name [...], the client SHOULD send
// > an address literal
fn by_address(local: Option<SocketAddr>) -> ChosenName {
    let address = local.map_or(IpAddr::from([127, 0, 0, 1]), |address| {
        address.ip().to_canonical()
    });
    let warning = is_private(address).then(|| {
        format!(
            "this machine has no public name, so it called itself [{address}], which many servers distrust: \
             set the EHLO name to one that the DNS knows"
        )
    });
    ChosenName {
        name: MailboxDomain::Literal(AddressLiteral(address)),
        warning,
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            // RFC 6598: shared by the customers of one provider.
            let is_shared = first == 100 && second & 0b1100_0000 == 64;
            address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || is_shared
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_public_qualified_name_is_used() {
        let cases = [
            ("mail.example.com", true),
            ("mail.example.com.", true),
            ("localhost", false),
            ("localhost.localdomain", false),
            ("printer.local", false),
            ("nas.lan", false),
            ("box.home.arpa", false),
            ("vm.europe-west1.internal", false),
            ("debian", false),
            ("under_score.example.com", false),
            ("", false),
        ];
        for (host_name, usable) in cases {
            assert_eq!(qualified(host_name).is_some(), usable, "{host_name:?}");
        }
    }

    #[test]
    fn without_a_name_the_socket_names_itself() {
        let cases = [
            ("192.0.2.7:5000", "[192.0.2.7]", false),
            ("10.0.0.7:5000", "[10.0.0.7]", true),
            ("100.64.0.7:5000", "[100.64.0.7]", true),
            ("100.128.0.7:5000", "[100.128.0.7]", false),
            ("[2001:db8::7]:5000", "[IPv6:2001:db8::7]", false),
            ("[::ffff:192.0.2.7]:5000", "[192.0.2.7]", false),
            ("127.0.0.1:5000", "[127.0.0.1]", true),
        ];
        for (local, name, warned) in cases {
            let chosen = by_address(local.parse().ok());
            assert_eq!(chosen.name.to_string(), name);
            assert_eq!(chosen.warning.is_some(), warned, "{local}");
        }
    }

    #[test]
    fn a_configured_name_is_used_as_it_is() {
        let name: MailboxDomain = "relay.example.net".parse().expect("a domain");
        let chosen = HelloName::Fixed(name.clone()).choose(None);
        assert_eq!(chosen, ChosenName { name, warning: None });
    }
}
