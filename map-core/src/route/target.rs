//! Which addresses mail may be sent to.
//!
//! An application that mails wherever a stranger's DNS points must not be steered into services that trust loopback
//! or the local link. The rule is asked about the address that is connected to, not about names. That an address is one
//! of this machine's own is known to who connects: [`crate::net::Connector::own_addresses`].

use super::{Policy, RouteError};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

impl Policy {
    /// Whether this address may be connected to.
    ///
    /// # Errors
    /// [`RouteError::ForbiddenTarget`].
    pub fn check(self, address: IpAddr) -> Result<(), RouteError> {
        let allowed = match reach(address) {
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

/// How far an address reaches; what is allowed least often last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// The Internet.
    Global,
    /// Private networks and other blocks that are not reached over the Internet.
    Private,
    /// This machine.
    Loopback,
    /// No single host, or the local link only: unspecified, link-local, multicast, broadcast.
    Never,
}
use Reach::{Global, Loopback, Never, Private};

/// An address and how many bits of it count.
type Block<A> = (A, u32, Reach);

const fn v4(address: [u8; 4], bits: u32, reach: Reach) -> Block<Ipv4Addr> {
    let [a, b, c, d] = address;
    (Ipv4Addr::new(a, b, c, d), bits, reach)
}

const fn v6(s: [u16; 8], bits: u32, reach: Reach) -> Block<Ipv6Addr> {
    let address = Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]);
    (address, bits, reach)
}

/// The IANA IPv4 Special-Purpose Address Registry as of 2024-10-22, and multicast. A block within another comes first; the
/// rest is the Internet.
const SPECIAL_V4: &[Block<Ipv4Addr>] = &[
    // "This network": Linux connects 0.0.0.0 to this machine.
    v4([0, 0, 0, 0], 8, Never),
    // Private-Use
    v4([10, 0, 0, 0], 8, Private),
    // Shared Address Space
    v4([100, 64, 0, 0], 10, Private),
    // Loopback
    v4([127, 0, 0, 0], 8, Loopback),
    // Link Local
    v4([169, 254, 0, 0], 16, Never),
    // Private-Use
    v4([172, 16, 0, 0], 12, Private),
    // Port Control Protocol Anycast; Traversal Using Relays around NAT Anycast
    v4([192, 0, 0, 9], 32, Global),
    v4([192, 0, 0, 10], 32, Global),
    // IETF Protocol Assignments
    v4([192, 0, 0, 0], 24, Private),
    // Documentation (TEST-NET-1)
    v4([192, 0, 2, 0], 24, Private),
    // AS112-v4
    v4([192, 31, 196, 0], 24, Global),
    // AMT
    v4([192, 52, 193, 0], 24, Global),
    // Deprecated (6to4 Relay Anycast)
    v4([192, 88, 99, 0], 24, Private),
    // Private-Use
    v4([192, 168, 0, 0], 16, Private),
    // Direct Delegation AS112 Service
    v4([192, 175, 48, 0], 24, Global),
    // Benchmarking
    v4([198, 18, 0, 0], 15, Private),
    // Documentation (TEST-NET-2, TEST-NET-3)
    v4([198, 51, 100, 0], 24, Private),
    v4([203, 0, 113, 0], 24, Private),
    // Multicast (not in the registry)
    v4([224, 0, 0, 0], 4, Never),
    // Limited Broadcast
    v4([255, 255, 255, 255], 32, Never),
    // Reserved
    v4([240, 0, 0, 0], 4, Private),
];

/// The IANA IPv6 Special-Purpose Address Registry as of 2024-10-22, with the block of RFC 9780 (2025); and multicast
/// and what was site-local. A block within another comes first; the rest is the Internet, 6to4 among it.
const SPECIAL_V6: &[Block<Ipv6Addr>] = &[
    // Loopback; Unspecified Address
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128, Loopback),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, Never),
    // IPv4-mapped; IPv4-translated (RFC 2765, not in the registry); IPv4-IPv6 Translation, and for local use. Judged by
    // the IPv4 address in them, too.
    v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, Global),
    v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, Private),
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, Global),
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, Private),
    // Discard-Only; Dummy IPv6 Prefix
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64, Private),
    v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64, Private),
    // Port Control Protocol Anycast, Traversal Using Relays around NAT Anycast, DNS-SD Service Registration Protocol
    // Anycast
    v6([0x2001, 1, 0, 0, 0, 0, 0, 1], 128, Global),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 2], 128, Global),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 3], 128, Global),
    // AMT; AS112-v6; ORCHIDv2; Drone Remote ID Protocol Entity Tags
    v6([0x2001, 3, 0, 0, 0, 0, 0, 0], 32, Global),
    v6([0x2001, 4, 0x112, 0, 0, 0, 0, 0], 48, Global),
    v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28, Global),
    v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28, Global),
    // IETF Protocol Assignments: TEREDO, Benchmarking, Deprecated (previously ORCHID) and what is not assigned
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, Private),
    // Documentation
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, Private),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, Private),
    // Segment Routing (SRv6) SIDs
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, Private),
    // Unique-Local; what was site-local (RFC 3879)
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, Private),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, Private),
    // Link-Local Unicast; multicast (not in the registry)
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, Never),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, Never),
];

fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let mut blocks = SPECIAL_V4.iter();
    let block = blocks.find(|(block, bits, _)| {
        let differing = u32::from(address) ^ u32::from(*block);
        differing.leading_zeros() >= *bits
    });
    block.map_or(Global, |(_, _, reach)| *reach)
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let mut blocks = SPECIAL_V6.iter();
    let block = blocks.find(|(block, bits, _)| {
        let differing = u128::from(address) ^ u128::from(*block);
        differing.leading_zeros() >= *bits
    });
    let reach = block.map_or(Global, |(_, _, reach)| *reach);
    // An address that carries an IPv4 address ends at that one, by the kernel or by a translator on the way.
    match embedded_v4(address) {
        Some(embedded) if reach < Loopback => reach.max(reach_v4(embedded)),
        _ => reach,
    }
}

fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match address.segments() {
        // IPv4-mapped and IPv4-translated; IPv4-compatible; the prefixes of NAT64 in their usual form (RFC 6052 section
        // 2.2, RFC 8215).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0 | 1, 0, 0, 0, high, low]
        // 6to4 (RFC 3056 section 2).
        | [0x2002, high, low, ..] => (high, low),
        // The second with the length of its own prefix: eight bits in the midst are none of the address.
        [0x64, 0xff9b, 1, high, middle, low, ..] => {
            let ([_, c], [d, _]) = (middle.to_be_bytes(), low.to_be_bytes());
            (high, u16::from_be_bytes([c, d]))
        }
        // Teredo: the client's address, with each bit inverted (RFC 4380 section 4).
        [0x2001, 0, .., high, low] => (!high, !low),
        _ => return None,
    };
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
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
                "fec0::1 2001:db8::1 64:ff9b:1::9.9.9.9 100::1 2002:a00:1::1",
            ),
            // The ends of blocks, and what is beside them.
            (
                Reach::Private,
                "192.88.99.1 192.0.0.8 192.0.0.11 198.19.255.255 240.0.0.1 255.255.255.254 100.127.255.255",
            ),
            (
                Reach::Private,
                "3fff:: 3fff:fff:ffff::1 5f00::1 2001:2::1 2001:10::1 2001:1ff:ffff::1 2001:1::4 100:0:0:1::1",
            ),
            (
                Reach::Private,
                "::ffff:0:9.9.9.9 2001:0:909:909::f6f6:f6f6 64:ff9b:1:909:9:900::",
            ),
            (
                Reach::Global,
                "192.88.98.1 192.88.100.1 192.0.0.9 192.0.0.10 192.31.196.1 192.175.48.1 198.20.0.1 223.255.255.255",
            ),
            (
                Reach::Global,
                "3fff:1000::1 5f01::1 2001:200::1 2001:1::1 2001:3::1 2001:4:112::1 2001:20::1 2620:4f:8000::1 101::1",
            ),
            // Of a translation and of a tunnel, what is at its end.
            (
                Reach::Loopback,
                "::ffff:0:127.0.0.1 64:ff9b:1::127.0.0.1 64:ff9b:1:7f00:0:100:: 2001:0:909:909::80ff:fffe",
            ),
            (Reach::Never, "64:ff9b:1::169.254.169.254 ::ffff:0:0.0.0.0"),
        ];
        for (reach, addresses) in rows {
            for text in addresses.split(' ') {
                assert_eq!(super::reach(text.parse().unwrap()), reach, "{text}");
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
