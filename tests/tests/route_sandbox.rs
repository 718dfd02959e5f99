//! Every DNS case of a route, against the DNS of the sandbox.

use map_core::route::{HickoryResolver, LookupError, Policy, RouteError, addresses, find};
use map_sandbox::{Sandbox, World};
use map_tests::route_summary::route_summary;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Addresses of documentation, mostly: nothing is connected to.
const WORLD: &str = "
domain mx1.test
  a 192.0.2.1
  aaaa 2001:db8::1
domain mx2.test
  a 192.0.2.2

domain plain.test
  mx 20 mx2.test
  mx 10 mx1.test
domain implicit.test
  a 192.0.2.3
domain v6only.test
  aaaa 2001:db8::3
domain nothing.test
  txt neither MX nor address
domain null.test
  mx 0 .
  a 192.0.2.4
domain some-null.test
  mx 0 .
  mx 10 mx2.test
domain xn--bcher-kva.test
  mx 10 mx2.test

domain alias.test
  cname plain.test
domain alias-alone.test
  cname plain.test alone
domain implicit-alias.test
  cname implicit.test
domain dangling.test
  cname no-such-name.test
domain loop1.test
  cname loop2.test
domain loop2.test
  cname loop1.test
domain loop3.test
  cname loop4.test alone
domain loop4.test
  cname loop3.test alone
domain self.test
  cname self.test

domain servfail.test
  servfail
domain refused.test
  refused
domain notimp.test
  notimp
domain formerr.test
  formerr
domain mx-servfail.test
  a 192.0.2.5
  servfail mx
domain alias-of-servfail.test
  cname servfail.test

domain gone.test
  mx 10 no-such-host.test
  a 192.0.2.6
domain no-address.test
  mx 10 nothing.test
  a 192.0.2.6
domain half-gone.test
  mx 10 no-such-host.test
  mx 20 mx2.test
domain gone-and-failing.test
  mx 10 no-such-host.test
  mx 20 servfail.test
  a 192.0.2.6
domain implicit-failing.test
  servfail a
domain v6-fails.test
  a 192.0.2.7
  servfail aaaa
domain host-alias.test
  mx 10 mx-alias.test
domain mx-alias.test
  cname mx1.test
domain host-loop.test
  mx 10 loop1.test
domain address.test
  mx 10 192.0.2.1
  a 192.0.2.1
domain half-address.test
  mx 10 192.0.2.1
  mx 20 mx2.test

domain loopback.test
  a 127.0.0.1
  aaaa ::1
domain mapped.test
  aaaa ::ffff:127.0.0.1
domain half-loopback.test
  a 127.0.0.1
  a 192.0.2.8
domain link-local.test
  a 169.254.169.254
  aaaa fe80::1
domain unspecified.test
  a 0.0.0.0
domain multicast.test
  a 224.0.0.1
domain loopback-mx.test
  mx 10 loopback.test
domain private.test
  a 10.0.0.1

domain truncated.test
  mx 10 mx2.test
  truncate
domain even.test
  mx 10 mx1.test
  mx 10 mx2.test

domain silent.test
  silent
domain mx-silent.test
  a 192.0.2.9
  silent mx
domain v6-silent.test
  a 192.0.2.9
  silent aaaa
domain gone-and-silent.test
  mx 10 no-such-host.test
  mx 20 silent.test
";

/// `WORLD`, and what is too long to be written out: chains of aliases, answered at once and step by step, and 500 MX.
fn world() -> World {
    let mut world = WORLD.to_owned();
    for (chain, length, alone) in [("a", 8, ""), ("b", 9, ""), ("c", 8, " alone"), ("d", 9, " alone")] {
        for left in 1..=length {
            let target = if left == 1 {
                "plain".to_owned()
            } else {
                format!("{chain}{}", left - 1)
            };
            writeln!(world, "domain {chain}{left}.test\n  cname {target}.test{alone}").unwrap();
        }
    }
    world.push_str("domain many.test\n");
    for number in 0..500 {
        writeln!(
            world,
            "  mx {number} a-rather-long-name-of-a-mail-exchanger-{number}.test"
        )
        .unwrap();
    }
    world.parse().unwrap()
}

fn start() -> (Sandbox, HickoryResolver) {
    let sandbox = Sandbox::start(&world()).unwrap();
    let resolver = HickoryResolver::with_servers(&[sandbox.dns_server()]);
    (sandbox, resolver)
}

fn failed(code: &str) -> RouteError {
    LookupError::Failed(code.to_owned()).into()
}

const MX1: &str = "10 mx1.test [192.0.2.1, 2001:db8::1]";
const MX2: &str = "20 mx2.test [192.0.2.2]";

#[tokio::test]
async fn domains_with_a_road() {
    let (_sandbox, resolver) = start();
    let rows = [
        ("plain.test", vec![MX1, MX2]),
        ("Plain.TEST", vec![MX1, MX2]),
        ("implicit.test", vec!["0 implicit.test [192.0.2.3]"]),
        ("v6only.test", vec!["0 v6only.test [2001:db8::3]"]),
        ("some-null.test", vec!["10 mx2.test [192.0.2.2]"]),
        ("bücher.test", vec!["10 mx2.test [192.0.2.2]"]),
        ("alias.test", vec![MX1, MX2]),
        ("alias-alone.test", vec![MX1, MX2]),
        ("implicit-alias.test", vec!["0 implicit-alias.test [192.0.2.3]"]),
        ("a1.test", vec![MX1, MX2]),
        ("a8.test", vec![MX1, MX2]),
        ("c8.test", vec![MX1, MX2]),
        ("half-gone.test", vec![MX2]),
        ("v6-fails.test", vec!["0 v6-fails.test [192.0.2.7]"]),
        (
            "host-alias.test",
            vec!["10 mx-alias.test [192.0.2.1, 2001:db8::1]"],
        ),
        ("half-address.test", vec![MX2]),
        ("half-loopback.test", vec!["0 half-loopback.test [192.0.2.8]"]),
        ("private.test", vec!["0 private.test [10.0.0.1]"]),
        ("truncated.test", vec!["10 mx2.test [192.0.2.2]"]),
        ("[192.0.2.1]", vec!["0 [192.0.2.1] [192.0.2.1]"]),
        ("[IPv6:2001:db8::1]", vec!["0 [IPv6:2001:db8::1] [2001:db8::1]"]),
    ];
    for (domain, expected) in rows {
        let expected = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(
            route_summary(&resolver, domain, Policy::default()).await,
            Ok(expected),
            "{domain}"
        );
    }
}

#[tokio::test]
async fn domains_that_take_no_mail() {
    let (_sandbox, resolver) = start();
    let nx_domain = || RouteError::from(LookupError::NxDomain);
    let rows = [
        ("no-such-domain.test", nx_domain()),
        ("dangling.test", nx_domain()),
        ("nothing.test", RouteError::NoMailHost),
        ("null.test", RouteError::NullMx),
        ("gone.test", RouteError::NoAddress),
        ("no-address.test", RouteError::NoAddress),
        ("address.test", RouteError::AddressAsExchange),
        ("loopback.test", RouteError::ForbiddenTarget),
        ("loopback-mx.test", RouteError::ForbiddenTarget),
        ("mapped.test", RouteError::ForbiddenTarget),
        ("link-local.test", RouteError::ForbiddenTarget),
        ("unspecified.test", RouteError::ForbiddenTarget),
        ("multicast.test", RouteError::ForbiddenTarget),
        ("[127.0.0.1]", RouteError::ForbiddenTarget),
        ("[IPv6:::1]", RouteError::ForbiddenTarget),
        ("localhost", RouteError::ForbiddenTarget),
        ("example.invalid", nx_domain()),
    ];
    for (domain, why) in rows {
        assert!(!why.is_transient(), "{domain}");
        assert_eq!(
            route_summary(&resolver, domain, Policy::default()).await,
            Err(why),
            "{domain}"
        );
    }
}

#[tokio::test]
async fn failures_of_the_dns() {
    let (_sandbox, resolver) = start();
    let alias_loop = || RouteError::from(LookupError::AliasLoop);
    let rows = [
        ("servfail.test", failed("SERVFAIL")),
        ("refused.test", failed("REFUSED")),
        ("notimp.test", failed("NOTIMP")),
        ("formerr.test", failed("FORMERR")),
        ("mx-servfail.test", failed("SERVFAIL")),
        ("alias-of-servfail.test", failed("SERVFAIL")),
        ("gone-and-failing.test", failed("SERVFAIL")),
        ("implicit-failing.test", failed("SERVFAIL")),
        ("b9.test", alias_loop()),
        ("d9.test", alias_loop()),
        ("loop1.test", alias_loop()),
        ("loop3.test", alias_loop()),
        ("self.test", alias_loop()),
        ("host-loop.test", alias_loop()),
    ];
    for (domain, why) in rows {
        assert!(why.is_transient(), "{domain}");
        assert_eq!(
            route_summary(&resolver, domain, Policy::default()).await,
            Err(why),
            "{domain}"
        );
    }
}

/// All at once, since each waits for its ten seconds.
#[tokio::test]
async fn silence_of_the_dns() {
    let (_sandbox, resolver) = start();
    let go = |domain| route_summary(&resolver, domain, Policy::default());
    let (silent, mx_silent, v6_silent, gone_and_silent) = tokio::join!(
        go("silent.test"),
        go("mx-silent.test"),
        go("v6-silent.test"),
        go("gone-and-silent.test"),
    );
    let no_answer = RouteError::from(LookupError::NoAnswer);
    assert!(no_answer.is_transient());
    assert_eq!(silent, Err(no_answer.clone()));
    assert_eq!(
        mx_silent,
        Err(no_answer.clone()),
        "no fall back to the domain's own address"
    );
    assert_eq!(v6_silent, Ok(vec!["0 v6-silent.test [192.0.2.9]".to_owned()]));
    assert_eq!(gone_and_silent, Err(no_answer));
}

#[tokio::test]
async fn policies() {
    let (_sandbox, resolver) = start();
    let lab = Policy {
        allow_loopback: true,
        ..Policy::default()
    };
    let public = Policy {
        public_only: true,
        ..Policy::default()
    };
    let strict = Policy {
        require_mx: true,
        ..Policy::default()
    };
    let ok = |host: &str| Ok(vec![host.to_owned()]);
    let rows = [
        ("loopback.test", lab, ok("0 loopback.test [127.0.0.1, ::1]")),
        ("[127.0.0.1]", lab, ok("0 [127.0.0.1] [127.0.0.1]")),
        ("localhost", lab, ok("0 localhost [127.0.0.1, ::1]")),
        ("link-local.test", lab, Err(RouteError::ForbiddenTarget)),
        ("unspecified.test", lab, Err(RouteError::ForbiddenTarget)),
        ("private.test", public, Err(RouteError::ForbiddenTarget)),
        ("implicit.test", strict, Err(RouteError::NoMx)),
        ("some-null.test", strict, ok("10 mx2.test [192.0.2.2]")),
    ];
    for (domain, policy, expected) in rows {
        assert_eq!(
            route_summary(&resolver, domain, policy).await,
            expected,
            "{domain} {policy:?}"
        );
    }
}

#[tokio::test]
async fn many_mail_exchangers() {
    let (_sandbox, resolver) = start();
    let route = find(&resolver, &"many.test".parse().unwrap(), &Policy::default())
        .await
        .unwrap();
    let names: Vec<String> = route.hosts.iter().map(|host| host.target.to_string()).collect();
    let expected: Vec<String> = (0..map_core::route::MAX_HOSTS)
        .map(|number| format!("a-rather-long-name-of-a-mail-exchanger-{number}.test"))
        .collect();
    assert_eq!(names, expected);
    assert_eq!(route.dropped[0].why, RouteError::TooMany);
}

#[tokio::test]
async fn equal_preferences_take_turns() {
    let (_sandbox, resolver) = start();
    let mut first = BTreeSet::new();
    for _ in 0..64 {
        let route = find(&resolver, &"even.test".parse().unwrap(), &Policy::default())
            .await
            .unwrap();
        first.insert(route.hosts[0].target.to_string());
    }
    assert_eq!(first.into_iter().collect::<Vec<_>>(), ["mx1.test", "mx2.test"]);
}

#[tokio::test]
async fn what_was_left_out_is_told() {
    let (_sandbox, resolver) = start();
    let policy = Policy::default();
    let rows = [
        ("some-null.test", ".", RouteError::BadExchange),
        ("half-address.test", "192.0.2.1", RouteError::AddressAsExchange),
        ("half-loopback.test", "127.0.0.1", RouteError::ForbiddenTarget),
        ("v6-fails.test", "any AAAA record", failed("SERVFAIL")),
    ];
    for (domain, what, why) in rows {
        let route = find(&resolver, &domain.parse().unwrap(), &policy).await.unwrap();
        let mut dropped = route.dropped.clone();
        dropped.extend(addresses(&resolver, &route.hosts[0], &policy).await.dropped);
        let [dropped] = &dropped[..] else {
            panic!("{domain}: {dropped:?}")
        };
        assert_eq!((dropped.what.as_str(), &dropped.why), (what, &why));
    }
}
