use super::*;
use crate::route::fake::FakeResolver;
use rand::SeedableRng;
use rand::rngs::SmallRng;

/// The hosts as `preference name`, or why there is none.
async fn route_with(
    dns: &FakeResolver,
    domain: &str,
    policy: Policy,
    seed: u64,
) -> Result<Route, RouteError> {
    let domain = domain.parse().unwrap();
    find_with(dns, &domain, &policy, &mut SmallRng::seed_from_u64(seed)).await
}

async fn route(dns: &FakeResolver, domain: &str) -> Result<Route, RouteError> {
    route_with(dns, domain, Policy::default(), 0).await
}

fn hosts(route: &Route) -> Vec<String> {
    route
        .hosts
        .iter()
        .map(|host| format!("{} {}", host.preference, host.target))
        .collect()
}

fn dropped(dropped: &[Dropped]) -> Vec<(&str, RouteError)> {
    dropped
        .iter()
        .map(|dropped| (dropped.what.as_str(), dropped.why.clone()))
        .collect()
}

fn servfail() -> RouteError {
    LookupError::Failed("SERVFAIL".to_owned()).into()
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Permanent,
    Transient,
}
use Kind::{Permanent, Transient};

#[tokio::test]
async fn domains_without_a_route() {
    let dns = FakeResolver::new()
        .with("null.test", "MX 0 .")
        .with("null.test", "A 9.9.9.9")
        .with("null10.test", "MX 10 .")
        .with("twice-null.test", "MX 0 .")
        .with("twice-null.test", "MX 10 .")
        .with("servfail.test", "MX fails")
        .with("servfail.test", "A 9.9.9.9")
        .with("bogus.test", "MX bogus")
        .with("bogus.test", "A 9.9.9.9")
        .with("silent.test", "MX silent")
        .with("silent.test", "A 9.9.9.9")
        .with("loop.test", "MX loops")
        .with("address.test", "MX 10 9.9.9.9.")
        .with("address.test", "A 9.9.9.9")
        .with("v6-address.test", "MX 10 2620:fe::fe.")
        .with("nonsense.test", "MX 10 mail host.")
        .with("nonsense.test", "A 9.9.9.9");
    let rows = [
        ("no-such-domain.test", LookupError::NxDomain.into(), Permanent),
        ("null.test", RouteError::NullMx, Permanent),
        ("null10.test", RouteError::NullMx, Permanent),
        ("twice-null.test", RouteError::NullMx, Permanent),
        ("servfail.test", servfail(), Transient),
        ("bogus.test", LookupError::Bogus.into(), Transient),
        ("silent.test", LookupError::NoAnswer.into(), Transient),
        ("loop.test", LookupError::AliasLoop.into(), Transient),
        ("address.test", RouteError::AddressAsExchange, Permanent),
        ("v6-address.test", RouteError::AddressAsExchange, Permanent),
        ("nonsense.test", RouteError::BadExchange, Permanent),
    ];
    for (domain, why, kind) in rows {
        let found = route(&dns, domain).await;
        assert_eq!(found, Err(why.clone()), "{domain}");
        assert_eq!(why.is_transient(), kind == Transient, "{domain}");
    }
    // After none of them was the domain's own address asked for.
    assert!(
        dns.asked()
            .iter()
            .all(|(_, record_type)| *record_type == RecordType::Mx)
    );
}

#[tokio::test]
async fn domains_with_a_route() {
    let dns = FakeResolver::new()
        .with("plain.test", "MX 20 mx2.plain.test.")
        .with("plain.test", "MX 10 mx1.plain.test.")
        .with("plain.test", "MX 0 mx0.elsewhere.test.")
        .with("implicit.test", "A 9.9.9.9")
        .with("v6only.test", "AAAA 2620:fe::fe")
        .with("some-null.test", "MX 0 .")
        .with("some-null.test", "MX 5 mx.test.")
        .with("some-bad.test", "MX 0 9.9.9.9.")
        .with("some-bad.test", "MX 5 mx.test.")
        .with("some-bad.test", "MX 7 mail host.")
        .with("same-twice.test", "MX 5 mx.test.")
        .with("same-twice.test", "MX 9 MX.test.")
        .with("xn--bcher-kva.test", "MX 10 mx.xn--bcher-kva.test.")
        .with("underscore.test", "MX 10 _dc-mx.1a2b.underscore.test.");
    let none: &[(&str, RouteError)] = &[];
    let rows = [
        (
            "plain.test",
            vec!["0 mx0.elsewhere.test", "10 mx1.plain.test", "20 mx2.plain.test"],
            none,
        ),
        (
            "PLAIN.test",
            vec!["0 mx0.elsewhere.test", "10 mx1.plain.test", "20 mx2.plain.test"],
            none,
        ),
        ("implicit.test", vec!["0 implicit.test"], none),
        ("v6only.test", vec!["0 v6only.test"], none),
        (
            "some-null.test",
            vec!["5 mx.test"],
            &[(".", RouteError::BadExchange)],
        ),
        (
            "some-bad.test",
            vec!["5 mx.test"],
            &[
                ("9.9.9.9", RouteError::AddressAsExchange),
                ("mail host", RouteError::BadExchange),
            ],
        ),
        ("same-twice.test", vec!["5 mx.test"], none),
        ("bücher.test", vec!["10 mx.xn--bcher-kva.test"], none),
        ("underscore.test", vec!["10 _dc-mx.1a2b.underscore.test"], none),
        ("[192.0.2.1]", vec!["0 [192.0.2.1]"], none),
        ("[IPv6:2001:db8::1]", vec!["0 [IPv6:2001:db8::1]"], none),
    ];
    for (domain, expected, left_out) in rows {
        let route = route(&dns, domain).await.unwrap();
        assert_eq!(hosts(&route), expected, "{domain}");
        assert_eq!(dropped(&route.dropped), left_out, "{domain}");
        let implicit = ["implicit.test", "v6only.test"].contains(&domain);
        assert!(
            route.hosts.iter().all(|host| host.implicit == implicit),
            "{domain}"
        );
    }
    let literals_asked = dns
        .asked()
        .iter()
        .any(|(name, _)| name.contains(['[', ':']) || name.starts_with("192"));
    assert!(!literals_asked, "an address literal is its own route");
}

#[tokio::test]
async fn require_mx() {
    let dns = FakeResolver::new()
        .with("implicit.test", "A 9.9.9.9")
        .with("plain.test", "MX 10 mx.test.")
        .with("servfail.test", "MX fails");
    let strict = Policy {
        require_mx: true,
        ..Policy::default()
    };
    assert_eq!(
        route_with(&dns, "implicit.test", strict, 0).await,
        Err(RouteError::NoMx)
    );
    assert_eq!(
        hosts(&route_with(&dns, "plain.test", strict, 0).await.unwrap()),
        ["10 mx.test"]
    );
    assert_eq!(
        route_with(&dns, "servfail.test", strict, 0).await,
        Err(servfail())
    );
    assert_eq!(
        hosts(&route_with(&dns, "[192.0.2.1]", strict, 0).await.unwrap()),
        ["0 [192.0.2.1]"]
    );
    assert!(!RouteError::NoMx.is_transient());
}

#[tokio::test]
async fn equal_preferences_are_shuffled_and_others_are_not() {
    let mut dns = FakeResolver::new()
        .with("even.test", "MX 5 first.test.")
        .with("even.test", "MX 20 last.test.");
    for host in ["a", "b", "c"] {
        dns = dns.with("even.test", &format!("MX 10 {host}.test."));
    }
    let mut orders = std::collections::BTreeMap::<Vec<String>, u32>::new();
    for seed in 0..600 {
        let route = route_with(&dns, "even.test", Policy::default(), seed)
            .await
            .unwrap();
        let mut order = hosts(&route);
        assert_eq!(order.remove(0), "5 first.test");
        assert_eq!(order.pop().unwrap(), "20 last.test");
        *orders.entry(order).or_default() += 1;
    }
    // The generator is seeded, so these counts are always the same.
    assert_eq!(orders.len(), 6, "every order of three occurs");
    assert!(
        orders.values().all(|count| (60..=140).contains(count)),
        "{orders:?}"
    );
    let once = route_with(&dns, "even.test", Policy::default(), 7).await;
    assert_eq!(once, route_with(&dns, "even.test", Policy::default(), 7).await);
}

#[tokio::test]
async fn a_zone_cannot_make_us_try_for_ever() {
    let mut dns = FakeResolver::new();
    for preference in (0..5000).rev() {
        dns = dns.with("hostile.test", &format!("MX {preference} mx{preference}.test."));
    }
    let route = route(&dns, "hostile.test").await.unwrap();
    assert_eq!(route.hosts.len(), MAX_HOSTS);
    assert_eq!(hosts(&route)[63], "63 mx63.test", "the preferred ones are kept");
    assert_eq!(
        dropped(&route.dropped),
        [("4936 more mail exchangers", RouteError::TooMany)]
    );
}

#[tokio::test]
async fn an_answer_without_mx_records_is_no_empty_list() {
    let dns = FakeResolver::new().with("odd.test", "MX 5 mx.test.");
    let answer = Answer {
        records: Vec::new(),
        ..dns.query("odd.test", RecordType::Mx).await.unwrap()
    };
    let why = mx_route(&answer, &mut SmallRng::seed_from_u64(0)).unwrap_err();
    assert!(why.is_transient());
}

async fn host_with(dns: &FakeResolver, name: &str, policy: Policy, implicit: bool) -> HostAddresses {
    let target = match name.parse() {
        Ok(address) => Target::Address(address),
        Err(_) => Target::Name(HostName::parse(name).unwrap()),
    };
    let host = MxHost {
        target,
        implicit,
        preference: 0,
        proof: Proof::Insecure,
    };
    addresses(dns, &host, &policy).await
}

fn texts(found: &Result<Vec<IpAddr>, RouteError>) -> Result<Vec<String>, RouteError> {
    found
        .clone()
        .map(|addresses| addresses.iter().map(ToString::to_string).collect())
}

#[tokio::test]
async fn hosts_with_addresses() {
    let dns = FakeResolver::new()
        .with("v4.test", "A 9.9.9.9")
        .with("v6.test", "AAAA 2620:fe::fe")
        .with("both.test", "A 9.9.9.1")
        .with("both.test", "A 9.9.9.2")
        .with("both.test", "A 9.9.9.3")
        .with("both.test", "AAAA 2620:fe::1")
        .with("both.test", "AAAA 2620:fe::2")
        .with("mostly-v6.test", "A 9.9.9.1")
        .with("mostly-v6.test", "AAAA 2620:fe::1")
        .with("mostly-v6.test", "AAAA 2620:fe::2")
        .with("same-twice.test", "A 9.9.9.1")
        .with("same-twice.test", "A 9.9.9.1")
        .with("v6-fails.test", "A 9.9.9.1")
        .with("v6-fails.test", "AAAA fails")
        .with("v4-silent.test", "A silent")
        .with("v4-silent.test", "AAAA 2620:fe::1")
        .with("some-forbidden.test", "A 127.0.0.1")
        .with("some-forbidden.test", "A 9.9.9.1")
        .with("some-forbidden.test", "AAAA ::1");
    let none: &[(&str, RouteError)] = &[];
    let rows = [
        ("v4.test", vec!["9.9.9.9"], none),
        ("v6.test", vec!["2620:fe::fe"], none),
        (
            "both.test",
            vec!["9.9.9.1", "2620:fe::1", "9.9.9.2", "2620:fe::2", "9.9.9.3"],
            none,
        ),
        (
            "mostly-v6.test",
            vec!["9.9.9.1", "2620:fe::1", "2620:fe::2"],
            none,
        ),
        ("same-twice.test", vec!["9.9.9.1"], none),
        (
            "v6-fails.test",
            vec!["9.9.9.1"],
            &[("any AAAA record", servfail())],
        ),
        (
            "v4-silent.test",
            vec!["2620:fe::1"],
            &[("any A record", RouteError::Lookup(LookupError::NoAnswer))],
        ),
        (
            "some-forbidden.test",
            vec!["9.9.9.1"],
            &[
                ("127.0.0.1", RouteError::ForbiddenTarget),
                ("::1", RouteError::ForbiddenTarget),
            ],
        ),
        ("9.9.9.9", vec!["9.9.9.9"], none),
    ];
    for (name, expected, left_out) in rows {
        let found = host_with(&dns, name, Policy::default(), false).await;
        assert_eq!(
            texts(&found.found),
            Ok(expected.into_iter().map(str::to_owned).collect()),
            "{name}"
        );
        assert_eq!(dropped(&found.dropped), left_out, "{name}");
    }
}

#[tokio::test]
async fn hosts_without_addresses() {
    let dns = FakeResolver::new()
        .with("nodata.test", "MX 10 mx.test.")
        .with("half-gone.test", "A nxdomain")
        .with("half-gone.test", "AAAA nodata")
        .with("half-down.test", "A nodata")
        .with("half-down.test", "AAAA fails")
        .with("down.test", "A fails")
        .with("down.test", "AAAA silent")
        .with("silent.test", "A silent")
        .with("silent.test", "AAAA silent")
        .with("loop.test", "A loops")
        .with("loop.test", "AAAA loops")
        .with("bogus.test", "A bogus")
        .with("bogus.test", "AAAA bogus")
        .with("loopback.test", "A 127.0.0.1")
        .with("loopback.test", "AAAA ::1")
        .with("mapped.test", "AAAA ::ffff:127.0.0.1")
        .with("forbidden-and-down.test", "A 127.0.0.1")
        .with("forbidden-and-down.test", "AAAA fails");
    let rows = [
        ("gone.test", RouteError::NoAddress, Permanent),
        ("nodata.test", RouteError::NoAddress, Permanent),
        ("half-gone.test", RouteError::NoAddress, Permanent),
        ("half-down.test", servfail(), Transient),
        ("down.test", servfail(), Transient),
        ("silent.test", LookupError::NoAnswer.into(), Transient),
        ("loop.test", LookupError::AliasLoop.into(), Transient),
        ("bogus.test", LookupError::Bogus.into(), Transient),
        ("loopback.test", RouteError::ForbiddenTarget, Permanent),
        ("mapped.test", RouteError::ForbiddenTarget, Permanent),
        ("forbidden-and-down.test", servfail(), Transient),
        ("127.0.0.1", RouteError::ForbiddenTarget, Permanent),
        ("fe80::1", RouteError::ForbiddenTarget, Permanent),
    ];
    for (name, why, kind) in rows {
        let found = host_with(&dns, name, Policy::default(), false).await.found;
        assert_eq!(found, Err(why.clone()), "{name}");
        assert_eq!(why.is_transient(), kind == Transient, "{name}");
    }
    // The same for the domain itself says that the domain takes no mail, and keeps what is soft apart.
    let implicit = [
        ("gone.test", RouteError::NoMailHost),
        ("nodata.test", RouteError::NoMailHost),
        ("half-down.test", servfail()),
        ("loopback.test", RouteError::ForbiddenTarget),
    ];
    for (name, why) in implicit {
        assert_eq!(
            host_with(&dns, name, Policy::default(), true).await.found,
            Err(why),
            "{name}"
        );
    }
}

#[tokio::test]
async fn the_policy_is_asked_about_addresses() {
    let dns = FakeResolver::new()
        .with("loopback.test", "A 127.0.0.1")
        .with("private.test", "A 10.0.0.1")
        .with("private.test", "A 9.9.9.9");
    let lab = Policy {
        allow_loopback: true,
        ..Policy::default()
    };
    let public = Policy {
        public_only: true,
        ..Policy::default()
    };
    let found = host_with(&dns, "loopback.test", lab, false).await;
    assert_eq!(texts(&found.found), Ok(vec!["127.0.0.1".to_owned()]));
    let found = host_with(&dns, "private.test", Policy::default(), false).await;
    assert_eq!(
        texts(&found.found),
        Ok(vec!["10.0.0.1".to_owned(), "9.9.9.9".to_owned()])
    );
    let found = host_with(&dns, "private.test", public, false).await;
    assert_eq!(texts(&found.found), Ok(vec!["9.9.9.9".to_owned()]));
    assert_eq!(
        dropped(&found.dropped),
        [("10.0.0.1", RouteError::ForbiddenTarget)]
    );
}

#[tokio::test]
async fn a_host_cannot_make_us_try_for_ever() {
    let mut dns = FakeResolver::new();
    for n in 0..1000 {
        dns = dns.with("hostile.test", &format!("AAAA 2620:fe::{n:x}"));
    }
    let found = host_with(&dns, "hostile.test", Policy::default(), false).await;
    assert_eq!(found.found.unwrap().len(), MAX_ADDRESSES);
    assert_eq!(
        dropped(&found.dropped),
        [("968 more addresses", RouteError::TooMany)]
    );
}

#[test]
fn errors_of_several_hosts() {
    let nx = || RouteError::from(LookupError::NxDomain);
    let silent = || RouteError::from(LookupError::NoAnswer);
    let rows = [
        (vec![], None),
        (vec![nx(), RouteError::NoAddress], Some(nx())),
        (vec![RouteError::NoAddress, nx()], Some(RouteError::NoAddress)),
        (
            vec![nx(), RouteError::ForbiddenTarget],
            Some(RouteError::ForbiddenTarget),
        ),
        (vec![RouteError::ForbiddenTarget, nx(), silent()], Some(silent())),
        (vec![nx(), servfail(), silent()], Some(servfail())),
    ];
    for (errors, joined) in rows {
        assert_eq!(RouteError::most_relevant(&errors), joined, "{errors:?}");
    }
}
