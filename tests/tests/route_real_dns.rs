//! The cases of a route against Knot, asked directly, and against Unbound that resolves through it.

use map_core::route::{HickoryResolver, LookupError, Policy, RouteError, find};
use map_tests::dns_lab::DnsLab;
use map_tests::route_summary::route_summary;
use std::fmt::Write;

/// What `test.` holds. Addresses are those of documentation: nothing is connected to.
const ZONE: &str = "
ns              A      127.0.0.1
plain           MX     20 mx2
plain           MX     10 mx1
mx1             A      192.0.2.1
mx1             AAAA   2001:db8::1
mx2             A      192.0.2.2
implicit        A      192.0.2.3
v6only          AAAA   2001:db8::3
null            MX     0 .
null            A      192.0.2.4
nodata          TXT    \"neither MX nor address\"
alias           CNAME  plain
implicit-alias  CNAME  implicit
dangling        CNAME  no-such-name
loop1           CNAME  loop2
loop2           CNAME  loop1
self            CNAME  self
host-alias      MX     10 mx-alias
mx-alias        CNAME  mx1
gone            MX     10 no-such-host
gone            A      192.0.2.5
some-gone       MX     10 no-such-host
some-gone       MX     20 mx2
address         MX     10 192.0.2.1.
address         A      192.0.2.6
some-null       MX     0 .
some-null       MX     5 mx1
loopback        A      127.0.0.1
loopback        AAAA   ::1
*.wild          MX     10 mx1
xn--bcher-kva   MX     10 mx1
";

/// `ZONE`, and what is too long to be written out: chains `a8` (8 aliases) and `b9` (9), and 500 MX records.
fn zone() -> String {
    let mut zone = ZONE.to_owned();
    for (chain, length) in [("a", 8), ("b", 9)] {
        for left in 1..=length {
            let target = if left == 1 {
                "plain".to_owned()
            } else {
                format!("{chain}{}", left - 1)
            };
            writeln!(zone, "{chain}{left} CNAME {target}").unwrap();
        }
    }
    for number in 0..500 {
        writeln!(
            zone,
            "many MX {number} a-rather-long-name-of-a-mail-exchanger-{number}"
        )
        .unwrap();
    }
    zone
}

#[tokio::test]
async fn the_cases_of_a_route() {
    let lab = DnsLab::start(&zone());
    let mx1 = "10 mx1.test [192.0.2.1, 2001:db8::1]";
    let mx2 = "20 mx2.test [192.0.2.2]";
    let good = [
        ("plain.test", vec![mx1, mx2]),
        ("PLAIN.Test", vec![mx1, mx2]),
        ("implicit.test", vec!["0 implicit.test [192.0.2.3]"]),
        ("v6only.test", vec!["0 v6only.test [2001:db8::3]"]),
        ("alias.test", vec![mx1, mx2]),
        ("implicit-alias.test", vec!["0 implicit-alias.test [192.0.2.3]"]),
        ("a8.test", vec![mx1, mx2]),
        (
            "host-alias.test",
            vec!["10 mx-alias.test [192.0.2.1, 2001:db8::1]"],
        ),
        ("some-gone.test", vec![mx2]),
        ("some-null.test", vec!["5 mx1.test [192.0.2.1, 2001:db8::1]"]),
        ("any.wild.test", vec![mx1]),
        ("bücher.test", vec![mx1]),
        ("[192.0.2.9]", vec!["0 [192.0.2.9] [192.0.2.9]"]),
    ];
    let permanent = [
        ("no-such-domain.test", RouteError::Lookup(LookupError::NxDomain)),
        ("null.test", RouteError::NullMx),
        ("nodata.test", RouteError::NoMailHost),
        ("dangling.test", RouteError::Lookup(LookupError::NxDomain)),
        ("gone.test", RouteError::NoAddress),
        ("address.test", RouteError::AddressAsExchange),
        ("loopback.test", RouteError::ForbiddenTarget),
    ];
    for server in [lab.authority(), lab.resolver()] {
        let resolver = HickoryResolver::with_servers(&[server]);
        for (domain, expected) in &good {
            let expected = expected.iter().map(|host| (*host).to_owned()).collect();
            assert_eq!(
                route_summary(&resolver, domain, Policy::default()).await,
                Ok(expected),
                "{domain} by {server}"
            );
        }
        for (domain, why) in &permanent {
            assert_eq!(
                route_summary(&resolver, domain, Policy::default()).await.as_ref(),
                Err(why),
                "{domain} by {server}"
            );
            assert!(!why.is_transient(), "{domain}");
        }
    }
}

#[tokio::test]
async fn what_the_dns_cannot_say_now() {
    let lab = DnsLab::start(&zone());
    let failed = |code: &str| RouteError::Lookup(LookupError::Failed(code.to_owned()));
    let alias_loop = || RouteError::Lookup(LookupError::AliasLoop);
    // Unbound gives a loop up itself, and cannot get a word out of a server that refuses.
    let rows = [
        ("b9.test", alias_loop(), alias_loop()),
        ("loop1.test", alias_loop(), failed("SERVFAIL")),
        ("self.test", alias_loop(), failed("SERVFAIL")),
        ("example.lame", failed("REFUSED"), failed("SERVFAIL")),
    ];
    let knot = HickoryResolver::with_servers(&[lab.authority()]);
    let unbound = HickoryResolver::with_servers(&[lab.resolver()]);
    for (domain, by_knot, by_unbound) in rows {
        assert_eq!(
            route_summary(&knot, domain, Policy::default()).await,
            Err(by_knot.clone()),
            "{domain}"
        );
        assert_eq!(
            route_summary(&unbound, domain, Policy::default()).await,
            Err(by_unbound.clone()),
            "{domain}"
        );
        assert!(by_knot.is_transient() && by_unbound.is_transient(), "{domain}");
    }
    // Only Unbound knows that there should be signatures.
    assert_eq!(
        route_summary(&unbound, "bogus.test", Policy::default()).await,
        Err(failed("SERVFAIL"))
    );
}

#[tokio::test]
async fn an_answer_too_long_for_udp() {
    let lab = DnsLab::start(&zone());
    for server in [lab.authority(), lab.resolver()] {
        let resolver = HickoryResolver::with_servers(&[server]);
        let route = find(&resolver, &"many.test".parse().unwrap(), &Policy::default())
            .await
            .unwrap();
        assert_eq!(route.hosts.len(), map_core::route::MAX_HOSTS);
        assert_eq!(
            route.hosts[0].target.to_string(),
            "a-rather-long-name-of-a-mail-exchanger-0.test"
        );
        assert_eq!(route.dropped[0].what, "436 more mail exchangers");
    }
}
