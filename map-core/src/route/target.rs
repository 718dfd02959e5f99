//! Which addresses mail may be sent to.
//!
//! An application that mails wherever a stranger's DNS points must not be steered into services that trust loopback
//! or the local link. The rule is asked about the address that is connected to, not about names.

use super::{Policy, RouteError};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

impl Policy {
    /// Whether this address may be connected to.
    ///
    /// # Errors
    /// [`RouteError::ForbiddenTarget`].
    pub fn check(self, address: IpAddr) -> Result<(), RouteError> {
        let reach = match address {
            IpAddr::V4(address) => reach_v4(address),
            IpAddr::V6(address) => reach_v6(address),
        };
        let allowed = match reach {
            Reach::Global => true,
            Reach::Loopback => self.allow_loopback,
            Reach::Never => false,
            Reach::Private => !self.public_only,
        };
        if allowed {
            Ok(())
        } else {
            Err(RouteError::ForbiddenTarget)
        }
    }
}

/// How far an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// The Internet.
    Global,
    /// This machine.
    Loopback,
    /// No single host, or the local link only: unspecified, link-local, multicast, broadcast.
    Never,
    /// Private networks and other blocks of RFC 6890 that are not reached over the Internet.
    Private,
}

#[expect(
    clippy::unnested_or_patterns,
    reason = "an alternative is one block of addresses"
)]
fn reach_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        [127, ..] => Reach::Loopback,
        // All of 0/8: "this host on this network" (RFC 6890), and Linux connects 0.0.0.0 to this machine.
        [0, ..] | [169, 254, ..] | [224..=239, ..] | [255, 255, 255, 255] => Reach::Never,
        // RFC 1918; shared address space (RFC 6598); IETF assignments, documentation, benchmarking, reserved (RFC 6890).
        [10, ..]
        | [172, 16..=31, ..]
        | [192, 168, ..]
        | [100, 64..=127, ..]
        | [192, 0, 0 | 2, _]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [198, 18 | 19, ..]
        | [240..=255, ..] => Reach::Private,
        _ => Reach::Global,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    if address.is_loopback() {
        return Reach::Loopback;
    }
    // An address that carries an IPv4 address ends at that one, by the kernel or by a translator on the way.
    if let Some(embedded) = embedded_v4(address) {
        return reach_v4(embedded);
    }
    match address.segments() {
        [0xfe80..=0xfebf | 0xff00..=0xffff, ..] => Reach::Never,
        // Unique local, the former site-local, documentation, discard-only, local-use translation (RFC 8215).
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..]
        | [0x2001, 0xdb8, ..]
        | [0x100, 0, 0, 0, ..]
        | [0x64, 0xff9b, 1, ..] => Reach::Private,
        _ => Reach::Global,
    }
}

fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    // IPv4-mapped `::ffff:a.b.c.d`; IPv4-compatible `::a.b.c.d`, which holds the unspecified address too; the
    // well-known prefix of NAT64 (RFC 6052 section 2.1); 6to4 (RFC 3056 section 2).
    let ([0, 0, 0, 0, 0, 0 | 0xffff, high, low]
    | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
    | [0x2002, high, low, ..]) = address.segments()
    else {
        return None;
    };
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    Some(Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reach_of_addresses() {
        let rows = [
            (
                Reach::Global,
                "9.9.9.9 126.255.255.255 128.0.0.1 169.253.1.1 172.15.0.1 172.32.0.1 100.63.0.1 223.1.1.1",
            ),
            (
                Reach::Global,
                "2620:fe::fe ::ffff:9.9.9.9 64:ff9b::9.9.9.9 2002:909:909::1 2001:470::1",
            ),
            (
                Reach::Loopback,
                "127.0.0.1 127.255.255.255 ::1 ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::127.0.0.1",
            ),
            (Reach::Loopback, "2002:7f00:1::1"),
            (
                Reach::Never,
                "0.0.0.0 0.1.2.3 169.254.169.254 224.0.0.1 239.255.255.255 255.255.255.255",
            ),
            (
                Reach::Never,
                ":: fe80::1 febf::1 ff02::1 ::ffff:0.0.0.0 ::ffff:169.254.0.1 ::ffff:224.0.0.1",
            ),
            (
                Reach::Never,
                "64:ff9b::169.254.169.254 2002:a9fe:a9fe::1 2002:e000:1::",
            ),
            (
                Reach::Private,
                "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 192.0.2.1 240.0.0.1",
            ),
            (
                Reach::Private,
                "198.51.100.1 203.0.113.1 198.18.0.1 ::ffff:10.0.0.1 64:ff9b::192.168.0.1 fd00::1",
            ),
            (
                Reach::Private,
                "fec0::1 2001:db8::1 64:ff9b:1::1 100::1 2002:a00:1::1",
            ),
        ];
        for (reach, addresses) in rows {
            for text in addresses.split(' ') {
                let found = match text.parse().unwrap() {
                    IpAddr::V4(address) => reach_v4(address),
                    IpAddr::V6(address) => reach_v6(address),
                };
                assert_eq!(found, reach, "{text}");
            }
        }
    }

    #[test]
    fn what_the_policy_allows() {
        let open = Policy::default();
        let public = Policy {
            public_only: true,
            ..open
        };
        let lab = Policy {
            allow_loopback: true,
            ..open
        };
        let lab_public = Policy {
            allow_loopback: true,
            ..public
        };
        let rows = [
            ("9.9.9.9", [true, true, true, true]),
            ("10.0.0.1", [true, false, true, false]),
            ("127.0.0.1", [false, false, true, true]),
            ("::ffff:127.0.0.1", [false, false, true, true]),
            ("0.0.0.0", [false, false, false, false]),
            ("fe80::1", [false, false, false, false]),
        ];
        for (text, allowed) in rows {
            let address = text.parse().unwrap();
            let found = [open, public, lab, lab_public].map(|policy| policy.check(address).is_ok());
            assert_eq!(found, allowed, "{text}");
        }
    }
}
