//! DNSSEC and DANE against Knot, asked directly, through Unbound, and through a forwarder that strips signatures.

use map_core::route::{
    Dane, HickoryResolver, HostName, LookupError, NotValidating, Policy, Proof, Record, RecordType, Resolver,
    RouteError, Tlsa, TrustAnchors, Validation, dane,
};
use map_tests::route_summary::route_summary;
use map_tests::signed_dns_lab::{SignedDnsLab, StrippingForwarder};
use std::net::SocketAddr;

const ZONE: &str = "
@                 MX     10 mx1
@                 TXT    \"v=one\" \" two\"
mx1               A      192.0.2.1
mx1               AAAA   2001:db8::1
_25._tcp.mx1      TLSA   3 1 1 1111111111111111111111111111111111111111111111111111111111111111
mx2               A      192.0.2.2
mx3               A      192.0.2.3
_25._tcp.mx3      TLSA   9 9 9 00ff
mx4               A      192.0.2.4
*._tcp.mx4        TLSA   2 0 1 4444444444444444444444444444444444444444444444444444444444444444
mx5               CNAME  mx1
mx6               CNAME  mx2
_25._tcp.mx6      TLSA   3 1 1 6666666666666666666666666666666666666666666666666666666666666666
mx7               CNAME  mx1.plain.test.
_25._tcp.mx7      TLSA   3 1 1 7777777777777777777777777777777777777777777777777777777777777777
mx8               A      192.0.2.8
_25._tcp.mx8      CNAME  _25._tcp.mx1
mx9               A      192.0.2.9
_25._tcp.mx9      CNAME  _25._tcp.mx1.bogus.test.
dangling          CNAME  no-such-name
nodata            TXT    \"neither MX nor address\"
below.empty       A      192.0.2.10
*.wild            MX     10 mx1
*.wild            A      192.0.2.11
own.wild          A      192.0.2.12
deep.one.wild     A      192.0.2.13
*.wild-alias      CNAME  mx1
moved             DNAME  wild
";

fn resolver(server: SocketAddr, anchors: &str) -> HickoryResolver {
    let anchors: TrustAnchors = anchors.parse().expect("the key of the lab's root");
    HickoryResolver::with_servers(&[server]).with_trust_anchors(anchors)
}

/// What a validated look-up gives, without the records.
async fn proof(
    resolver: &HickoryResolver,
    name: &str,
    record_type: RecordType,
) -> Result<Proof, LookupError> {
    let answer = resolver.query_validated(name, record_type).await?;
    Ok(answer.proof)
}

#[tokio::test]
async fn what_is_proved_of_an_answer() {
    let lab = SignedDnsLab::start(ZONE);
    let no_data = Err(LookupError::NoData);
    let nx_domain = Err(LookupError::NxDomain);
    let rows = [
        ("", RecordType::Mx, Ok(())),
        ("", RecordType::Txt, Ok(())),
        ("mx1.", RecordType::A, Ok(())),
        ("mx5.", RecordType::Aaaa, Ok(())),
        ("any.wild.", RecordType::Mx, Ok(())),
        ("one.any.wild.", RecordType::A, Ok(())),
        ("zzz.one.wild.", RecordType::A, nx_domain.clone()),
        ("own.wild.", RecordType::A, Ok(())),
        ("any.wild.", RecordType::Aaaa, no_data.clone()),
        ("own.wild.", RecordType::Mx, no_data.clone()),
        ("x.own.wild.", RecordType::Mx, nx_domain.clone()),
        ("any.wild-alias.", RecordType::A, Ok(())),
        ("any.wild-alias.", RecordType::Mx, no_data.clone()),
        ("own.moved.", RecordType::A, Ok(())),
        ("any.moved.", RecordType::Mx, Ok(())),
        ("nodata.", RecordType::Mx, no_data.clone()),
        ("empty.", RecordType::Mx, no_data.clone()),
        ("no-such-name.", RecordType::Mx, nx_domain.clone()),
        ("a.no-such-name.", RecordType::Mx, nx_domain.clone()),
        ("dangling.", RecordType::A, nx_domain.clone()),
        ("_25._tcp.mx2.", RecordType::Tlsa, nx_domain.clone()),
    ];
    for server in [lab.authority(), lab.resolver()] {
        let resolver = resolver(server, lab.anchors());
        assert_eq!(resolver.validation().await, Validation::On, "{server}");
        for (zone, proved) in [
            ("nsec.test", Proof::Secure),
            ("nsec3.test", Proof::Secure),
            ("plain.test", Proof::Insecure),
        ] {
            for (name, record_type, expected) in &rows {
                let name = format!("{name}{zone}");
                assert_eq!(
                    proof(&resolver, &name, *record_type).await,
                    expected.clone().map(|()| proved),
                    "{name} {record_type:?} by {server}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_should_be_signed_and_is_not() {
    let lab = SignedDnsLab::start(ZONE);
    let bogus = [(lab.authority(), LookupError::Bogus), {
        let failed = LookupError::Failed("SERVFAIL".to_owned());
        (lab.resolver(), failed)
    }];
    for (server, error) in bogus {
        let resolver = resolver(server, lab.anchors());
        for (name, record_type) in [
            ("bogus.test", RecordType::Mx),
            ("mx1.bogus.test", RecordType::A),
            ("no-such-name.bogus.test", RecordType::Mx),
            ("nodata.bogus.test", RecordType::Mx),
            ("any.wild.bogus.test", RecordType::Mx),
        ] {
            let answer = proof(&resolver, name, record_type).await;
            assert_eq!(answer, Err(error.clone()), "{name} by {server}");
        }
        // The road of a mail in the clear asks for no proof; the servers that are asked may refuse it all the same.
        let route_summary = route_summary(&resolver, "bogus.test", Policy::default()).await;
        let is_refused = route_summary.as_ref().is_err_and(RouteError::is_transient);
        assert_eq!(is_refused, server == lab.resolver(), "{route_summary:?}");
        assert_eq!(resolver.validation().await, Validation::On);
    }
}

#[tokio::test]
async fn what_dane_demands() {
    let lab = SignedDnsLab::start(ZONE);
    let record = |usage, selector, octet| Tlsa {
        usage,
        selector,
        matching_type: 1,
        data: vec![octet; 32],
    };
    for server in [lab.authority(), lab.resolver()] {
        let resolver = resolver(server, lab.anchors());
        for zone in ["nsec.test", "nsec3.test"] {
            let name = |host: &str| HostName::parse(&format!("{host}.{zone}")).unwrap();
            let records = |tlsa, names: &[&str]| Dane::Records {
                tlsa: vec![tlsa],
                names: names.iter().map(|host| name(host)).collect(),
            };
            let rows = [
                ("mx1", records(record(3, 1, 0x11), &["mx1"])),
                ("mx2", Dane::NotApplicable),
                ("mx3", Dane::UnusableOnly),
                ("mx4", records(record(2, 0, 0x44), &["mx4"])),
                ("mx5", records(record(3, 1, 0x11), &["mx1", "mx5"])),
                ("mx6", records(record(3, 1, 0x66), &["mx6"])),
                ("mx7", records(record(3, 1, 0x77), &["mx7"])),
                ("mx8", records(record(3, 1, 0x11), &["mx8"])),
                ("no-such-name", Dane::NoAddress),
            ];
            for (host, expected) in rows {
                let demand = dane(&resolver, &name(host), 25).await;
                assert_eq!(demand, expected, "{host}.{zone} by {server}");
            }
            let forged = dane(&resolver, &name("mx9"), 25).await;
            assert!(
                matches!(&forged, Dane::Failed(why) if why.is_transient()),
                "{forged:?}"
            );
        }
        let host = |name: &str| HostName::parse(name).unwrap();
        let unsigned = dane(&resolver, &host("mx1.plain.test"), 25).await;
        assert_eq!(unsigned, Dane::NotApplicable, "by {server}");
        let forged = dane(&resolver, &host("mx1.bogus.test"), 25).await;
        assert!(
            matches!(&forged, Dane::Failed(why) if why.is_transient()),
            "{forged:?}"
        );
    }
}

#[tokio::test]
async fn a_forwarder_without_signatures_switches_validation_off_and_nothing_else() {
    let lab = SignedDnsLab::start(ZONE);
    for upstream in [lab.authority(), lab.resolver()] {
        let forwarder = StrippingForwarder::start(upstream);
        let resolver = resolver(forwarder.address(), lab.anchors());
        for domain in ["nsec.test", "nsec3.test", "plain.test", "any.wild.nsec.test"] {
            let route_summary = route_summary(&resolver, domain, Policy::default()).await;
            let hosts = route_summary.map(|hosts| hosts.len());
            assert_eq!(hosts, Ok(1), "{domain} by way of {upstream}");
        }
        let off = Validation::Off(NotValidating::NoSignatures);
        assert_eq!(resolver.validation().await, off);
        let host = HostName::parse("mx1.nsec.test").unwrap();
        assert_eq!(dane(&resolver, &host, 25).await, Dane::NotApplicable);
    }
}

#[tokio::test]
async fn another_root_switches_validation_off() {
    let lab = SignedDnsLab::start(ZONE);
    // The keys of the Internet's root are built in.
    let resolver = HickoryResolver::with_servers(&[lab.authority()]);
    let off = Validation::Off(NotValidating::OtherKeys);
    assert_eq!(resolver.validation().await, off);
    assert_eq!(
        proof(&resolver, "nsec.test", RecordType::Mx).await,
        Ok(Proof::Insecure)
    );
    assert_eq!(
        proof(&resolver, "bogus.test", RecordType::Mx).await,
        Ok(Proof::Insecure)
    );
}

#[tokio::test]
async fn records_of_the_new_types() {
    let lab = SignedDnsLab::start(ZONE);
    let resolver = resolver(lab.resolver(), lab.anchors());
    let text = resolver.query("nsec.test", RecordType::Txt).await.unwrap();
    assert_eq!(text.records, [Record::Txt(b"v=one two".to_vec())]);
    let tlsa = resolver
        .query("_25._tcp.mx3.nsec.test", RecordType::Tlsa)
        .await
        .unwrap();
    let expected = Tlsa {
        usage: 9,
        selector: 9,
        matching_type: 9,
        data: vec![0, 0xff],
    };
    assert_eq!(tlsa.records, [Record::Tlsa(expected)]);
    assert_eq!(tlsa.proof, Proof::Insecure, "nothing was validated");
}
