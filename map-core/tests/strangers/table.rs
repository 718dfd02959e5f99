//! The means of strangers.

use super::world::{Rcpt, Tls, Way, World, with_policy};
use super::{KIB, MIB};
use map_core::route::Tlsa;

/// A means, and what it may cost.
pub(super) struct Row {
    pub(super) means: &'static str,
    /// How much of it there is as a rule, and twice much more.
    pub(super) amounts: [usize; 3],
    /// The recipients that the caller names.
    pub(super) recipients: fn(usize) -> usize,
    pub(super) world: fn(usize) -> World,
    /// What may be held, whatever the amount, in octets.
    pub(super) bound: usize,
    /// What may be held beside that for each recipient of the caller's.
    pub(super) for_each_recipient: usize,
}

const ONE: fn(usize) -> usize = |_| 1;
const AS_MANY: fn(usize) -> usize = |amount| amount;

pub(super) const TABLE: &[Row] = &[
    Row {
        means: "MX records that cannot be used",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            exchanges: (0..amount).map(|number| format!("192.0.2.{number}")).collect(),
            ..World::default()
        },
        bound: 4 * MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "MX hosts without an address",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            exchanges: (0..amount)
                .map(|number| format!("gone{number}.{}", "x".repeat(60)))
                .collect(),
            ..World::default()
        },
        bound: 4 * MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "addresses that mail must not be sent to",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            addresses: (0..amount)
                .map(|number| [127, 0, (number >> 8).to_le_bytes()[0], number.to_le_bytes()[0]].into())
                .collect(),
            ..World::default()
        },
        bound: 4 * MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "domains, each with 64 MX records that cannot be used but the last",
        amounts: [1, 100, 10_000],
        recipients: AS_MANY,
        world: |_| World {
            exchanges: (1..64)
                .map(|number| format!("192.0.2.{number}"))
                .chain(["mx.".to_owned()])
                .collect(),
            ..World::default()
        },
        bound: 6 * MIB,
        for_each_recipient: 6 * KIB,
    },
    Row {
        means: "octets of a line of EHLO's answer",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            ehlo: format!("250-mx\r\n250-{}\r\n250 SIZE\r\n", "X".repeat(amount)),
            ..World::default()
        },
        bound: MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "lines of EHLO's answer",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            ehlo: format!(
                "250-mx\r\n{}250 SIZE\r\n",
                "250-X-KEYWORD AUTH=PLAIN\r\n".repeat(amount)
            ),
            ..World::default()
        },
        bound: MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "words after LIMITS and AUTH",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            ehlo: format!(
                "250-mx\r\n{}250 SIZE\r\n",
                format!("250-LIMITS{}\r\n", " RCPTMAX=9".repeat(190)).repeat(amount / 200)
                    + &format!("250-LIMITS{}\r\n", " RCPTMAX=9".repeat(amount % 200))
            ),
            ..World::default()
        },
        bound: MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "answers to RCPT, of sixteen thousand octets each",
        amounts: [1, 100, 10_000],
        recipients: AS_MANY,
        world: |_| World {
            rcpt: Rcpt::Refused,
            ..World::default()
        },
        bound: 10 * MIB,
        for_each_recipient: 6 * KIB,
    },
    Row {
        means: "sessions, each for one recipient and with sixteen thousand octets for each other",
        amounts: [1, 100, 10_000],
        recipients: AS_MANY,
        world: |_| World {
            ehlo: "250-mx\r\n250 LIMITS MAILMAX=1\r\n".to_owned(),
            rcpt: Rcpt::OneOnly,
            ..World::default()
        },
        bound: 12 * MIB,
        for_each_recipient: 6 * KIB,
    },
    Row {
        means: "recipients put off in one session, with sixteen thousand octets for each",
        amounts: [1, 100, 10_000],
        recipients: AS_MANY,
        world: |_| World {
            rcpt: Rcpt::OneOnly,
            ..World::default()
        },
        bound: 12 * MIB,
        for_each_recipient: 6 * KIB,
    },
    Row {
        means: "recipients that a host takes one by one, since they are of different domains",
        amounts: [1, 100, 10_000],
        recipients: AS_MANY,
        world: |_| World {
            rcpt: Rcpt::OneDomain,
            ..World::default()
        },
        bound: 12 * MIB,
        for_each_recipient: 6 * KIB,
    },
    Row {
        means: "TXT records of a domain",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            texts: (0..amount)
                .map(|number| format!("v=STSv1; id={number}").into_bytes())
                .collect(),
            is_standard: true,
            ..World::default()
        },
        bound: 4 * MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "fields of a TXT record",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            texts: vec![format!("v=STSv1;{} id=1", "a=b;".repeat(amount)).into_bytes()],
            is_standard: true,
            ..World::default()
        },
        bound: MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "patterns in a policy, for as many hosts as are used",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            exchanges: (0..64).map(|number| format!("mx{number}.example.org")).collect(),
            ..with_policy(&"mx:a\n".repeat(amount))
        },
        bound: 4 * MIB,
        for_each_recipient: 0,
    },
    // Each is a policy that is fetched over a TLS session of its own: more of them take many seconds, and no more at a time.
    Row {
        means: "domains, each with a policy of a thousand patterns",
        amounts: [1, 100, 300],
        recipients: AS_MANY,
        world: |amount| World {
            tls: Some(Tls::new(
                (0..amount).map(|number| format!("mta-sts.d{number}.example.org")),
                0,
            )),
            ..with_policy(&"mx:a\n".repeat(1_000))
        },
        bound: 48 * MIB,
        for_each_recipient: 24 * KIB,
    },
    Row {
        means: "hundreds of octets of a policy",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| {
            with_policy(&format!(
                "mx: mx.example.org\n{}",
                format!("x: {}\n", "y".repeat(96)).repeat(amount)
            ))
        },
        bound: 2 * MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "octets of where a policy host redirects to",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            web: format!(
                "HTTP/1.1 301 Moved\r\nLocation: https://x/{}\r\nContent-Length: 0\r\n\r\n",
                "x".repeat(amount)
            ),
            ..with_policy("")
        },
        bound: MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "answers of a policy host that none is the last",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            web: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(amount),
            ..with_policy("")
        },
        bound: MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "fields in the header of a policy",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            web: format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(amount)),
            ..with_policy("")
        },
        bound: MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "chunks of one octet in which a policy comes",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            web: format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
                "1\r\n\n\r\n".repeat(amount)
            ),
            ..with_policy("")
        },
        bound: 2 * MIB,
        for_each_recipient: 0,
    },
    // A certificate of more names is larger than the messages of TLS may be.
    Row {
        means: "names in a certificate, none of them the right one",
        amounts: [1, 100, 2_500],
        recipients: ONE,
        world: |amount| World {
            tls: Some(Tls::new(
                (0..amount).map(|number| format!("n{number}.example.com")),
                0,
            )),
            ..with_policy("mx: mx.example.org\n")
        },
        bound: 2 * MIB,
        for_each_recipient: 0,
    },
    // As above: so many certificates fit.
    Row {
        means: "certificates in a chain",
        amounts: [1, 15, 120],
        recipients: ONE,
        world: |amount| World {
            tls: Some(Tls::new(["mta-sts.d0.example.org", "mx.example.org"], amount)),
            ..with_policy("mx: mx.example.org\n")
        },
        bound: 2 * MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "TLSA records, none of them for the certificate",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            is_signed: true,
            tlsa: (0..amount)
                .map(|number| Tlsa {
                    usage: if number % 2 == 0 { 2 } else { 3 },
                    selector: 1,
                    matching_type: 2,
                    data: number.to_be_bytes().repeat(8),
                })
                .collect(),
            tls: Some(Tls::new(["mx.example.org"], 15)),
            ..with_policy("")
        },
        bound: 8 * MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "lines of EHLO's answer that come octet by octet",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            ehlo: format!("250-mx\r\n{}250 SIZE\r\n", "250-X\r\n".repeat(amount)),
            way: Way::OneByOne,
            ..World::default()
        },
        bound: MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "octets of a policy that come one by one, as do those of the host's session",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            way: Way::OneByOne,
            ..with_policy(&format!("mx: mx.example.org\nx: {}\n", "y".repeat(amount)))
        },
        bound: 2 * MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "domains whose hosts cannot be connected to",
        amounts: [1, 100, 10_000],
        recipients: AS_MANY,
        world: |_| World {
            exchanges: vec!["mx.".to_owned()],
            way: Way::Refused,
            is_standard: true,
            ..World::default()
        },
        bound: 12 * MIB,
        for_each_recipient: 8 * KIB,
    },
    Row {
        means: "domains whose hosts never say anything",
        amounts: [1, 100, 10_000],
        recipients: AS_MANY,
        world: |_| World {
            exchanges: vec!["mx.".to_owned()],
            way: Way::Silent,
            is_standard: true,
            ..World::default()
        },
        bound: 12 * MIB,
        for_each_recipient: 8 * KIB,
    },
];
