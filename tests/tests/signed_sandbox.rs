//! The sandbox's signed zones and TLSA records, judged by the validator of the engine; and by delv, where it is there.

use map_core::route::{
    Dane, HickoryResolver, HostName, LookupError, Proof, Record, RecordType, Resolver, TrustAnchors,
    Validation, dane,
};
use map_sandbox::Sandbox;
use std::net::SocketAddr;
use std::process::Command;

/// Stands once in a zone with NSEC and once in one with NSEC3.
const ZONE: &str = "
domain ZONE
  SIGNED
  mx 10 mx1.ZONE
  mx 20 mx2.ZONE
  txt one
  mta-sts enforce
host mx1.ZONE HOST
  tls good
  tlsa 3 1 1
domain mx2.ZONE
  a 192.0.2.2
domain mx3.ZONE
  a 192.0.2.3
  tlsa 1 1 1 of mx1.ZONE
  tlsa 3 1 9 00ff
domain *._tcp.mx4.ZONE
  tlsa 2 0 1 of mx1.ZONE
domain mx4.ZONE
  a 192.0.2.4
domain mx5.ZONE
  cname mx1.ZONE
domain mx7.ZONE
  cname mx1.plain.example
domain _25._tcp.mx7.ZONE
  tlsa 3 1 1 7777777777777777777777777777777777777777777777777777777777777777
domain mx8.ZONE
  a 192.0.2.8
  servfail TLSA
domain mx9.ZONE
  a 192.0.2.9
  bogus TLSA
domain dangling.ZONE
  cname no-such-name.ZONE
domain nodata.ZONE
  txt neither MX nor address
domain nothing.ZONE
domain below.empty.ZONE
  a 192.0.2.10
domain *.wild.ZONE
  mx 10 mx1.ZONE
  a 192.0.2.11
domain own.wild.ZONE
  a 192.0.2.12
domain deep.one.wild.ZONE
  a 192.0.2.13
domain *.wild-alias.ZONE
  cname mx1.ZONE
domain bogus.ZONE
  bogus
  a 192.0.2.14
domain bogus-mx.ZONE
  bogus MX
  a 192.0.2.14
  mx 10 mx1.ZONE
domain lapsed.ZONE
  lapsed
  a 192.0.2.14
domain stripped.ZONE
  stripped
  a 192.0.2.14
domain insecure.ZONE
  unsigned
  mx 10 mx1.ZONE
domain name.insecure.ZONE
  a 192.0.2.15
";

const OTHERS: &str = "
domain plain.example
  mx 10 mx1.plain.example
host mx1.plain.example 127.0.0.4
  tls good
  tlsa 3 1 1
domain forged.example
  signed
  bogus DNSKEY
  mx 10 mx1.nsec.example
domain untrusted.example
  signed nsec3
  bogus DS
  mx 10 mx1.nsec.example
";

fn script() -> String {
    let zone = |name, signed, host| {
        ZONE.replace("ZONE", name)
            .replace("SIGNED", signed)
            .replace("HOST", host)
    };
    let nsec = zone("nsec.example", "signed", "127.0.0.2");
    let nsec3 = zone("nsec3.example", "signed nsec3", "127.0.0.3");
    format!("{nsec}{nsec3}{OTHERS}")
}

fn start(script: &str) -> Sandbox {
    Sandbox::start(&script.parse().expect("a world")).expect("loopback has free ports")
}

fn resolver(server: SocketAddr, anchor: &str) -> HickoryResolver {
    let anchors: TrustAnchors = anchor.parse().expect("a DNSKEY record");
    HickoryResolver::with_servers(&[server]).with_trust_anchors(anchors)
}

async fn proof(
    resolver: &HickoryResolver,
    name: &str,
    record_type: RecordType,
) -> Result<Proof, LookupError> {
    let answer = resolver.query_validated(name, record_type).await?;
    Ok(answer.proof)
}

fn host(name: &str) -> HostName {
    HostName::parse(name).expect("a host name")
}

/// Name, type, what is there; `None` for a name that does not exist.
const ROWS: [(&str, RecordType, Option<bool>); 23] = [
    ("", RecordType::Mx, Some(true)),
    ("", RecordType::Txt, Some(true)),
    ("", RecordType::Aaaa, Some(false)),
    ("mx1.", RecordType::A, Some(true)),
    ("mx5.", RecordType::A, Some(true)),
    ("mx5.", RecordType::Mx, Some(false)),
    ("_mta-sts.", RecordType::Txt, Some(true)),
    ("any.wild.", RecordType::Mx, Some(true)),
    ("one.any.wild.", RecordType::A, Some(true)),
    ("zzz.one.wild.", RecordType::A, None),
    ("own.wild.", RecordType::A, Some(true)),
    ("any.wild.", RecordType::Aaaa, Some(false)),
    ("own.wild.", RecordType::Mx, Some(false)),
    ("x.own.wild.", RecordType::Mx, None),
    ("any.wild-alias.", RecordType::A, Some(true)),
    ("any.wild-alias.", RecordType::Mx, Some(false)),
    ("nodata.", RecordType::Mx, Some(false)),
    ("nothing.", RecordType::Mx, Some(false)),
    ("empty.", RecordType::Mx, Some(false)),
    ("no-such-name.", RecordType::Mx, None),
    ("a.no-such-name.", RecordType::Mx, None),
    ("dangling.", RecordType::A, None),
    ("_25._tcp.mx2.", RecordType::Tlsa, None),
];

#[tokio::test]
async fn what_is_proved_of_an_answer() {
    let sandbox = start(&script());
    let resolver = resolver(sandbox.dns_server(), &sandbox.trust_anchor());
    assert_eq!(resolver.validation().await, Validation::On);
    for zone in ["nsec.example", "nsec3.example"] {
        for (name, record_type, there) in ROWS {
            let name = format!("{name}{zone}");
            let expected = match there {
                Some(true) => Ok(Proof::Secure),
                Some(false) => Err(LookupError::NoData),
                None => Err(LookupError::NxDomain),
            };
            assert_eq!(
                proof(&resolver, &name, record_type).await,
                expected,
                "{name} {record_type:?}"
            );
        }
        for name in ["insecure", "name.insecure", "mx7"] {
            let name = format!("{name}.{zone}");
            let record_type = if name.starts_with("insecure") {
                RecordType::Mx
            } else {
                RecordType::A
            };
            assert_eq!(
                proof(&resolver, &name, record_type).await,
                Ok(Proof::Insecure),
                "{name}"
            );
        }
    }
    for (name, record_type, expected) in [
        ("plain.example", RecordType::Mx, Ok(Proof::Insecure)),
        ("plain.example", RecordType::Aaaa, Err(LookupError::NoData)),
        (
            "no-such-name.plain.example",
            RecordType::A,
            Err(LookupError::NxDomain),
        ),
        ("example", RecordType::A, Err(LookupError::NoData)),
        ("no-such-name.example", RecordType::A, Err(LookupError::NxDomain)),
        ("no-such-name", RecordType::A, Err(LookupError::NxDomain)),
    ] {
        assert_eq!(proof(&resolver, name, record_type).await, expected, "{name}");
    }
}

#[tokio::test]
async fn what_is_forged_is_not_believed() {
    let sandbox = start(&script());
    let resolver = resolver(sandbox.dns_server(), &sandbox.trust_anchor());
    for zone in ["nsec.example", "nsec3.example"] {
        for (name, record_type) in [
            ("bogus", RecordType::A),
            ("bogus", RecordType::Mx),
            ("bogus-mx", RecordType::Mx),
            ("lapsed", RecordType::A),
            ("stripped", RecordType::A),
            ("stripped", RecordType::Mx),
            ("_25._tcp.mx9", RecordType::Tlsa),
        ] {
            let name = format!("{name}.{zone}");
            let answer = proof(&resolver, &name, record_type).await;
            assert_eq!(answer, Err(LookupError::Bogus), "{name} {record_type:?}");
        }
        let other_type = proof(&resolver, &format!("bogus-mx.{zone}"), RecordType::A).await;
        assert_eq!(other_type, Ok(Proof::Secure));
    }
    for name in [
        "forged.example",
        "untrusted.example",
        "no-such-name.forged.example",
    ] {
        assert_eq!(
            proof(&resolver, name, RecordType::Mx).await,
            Err(LookupError::Bogus),
            "{name}"
        );
    }
    assert_eq!(resolver.validation().await, Validation::On);
}

#[tokio::test]
async fn what_dane_demands() {
    let sandbox = start(&script());
    let resolver = resolver(sandbox.dns_server(), &sandbox.trust_anchor());
    for zone in ["nsec.example", "nsec3.example"] {
        let of = |name: &str| host(&format!("{name}.{zone}"));
        let shown = async |name: &str| match dane(&resolver, &of(name), 25).await {
            Dane::Records { tlsa, names } => {
                let fields: Vec<_> = tlsa
                    .iter()
                    .map(|tlsa| (tlsa.usage, tlsa.selector, tlsa.data.len()))
                    .collect();
                let names: Vec<_> = names.iter().map(ToString::to_string).collect();
                format!("{fields:?} {}", names.join(" "))
            }
            other => format!("{other:?}"),
        };
        assert_eq!(shown("mx1").await, format!("[(3, 1, 32)] mx1.{zone}"));
        assert_eq!(shown("mx2").await, "NotApplicable");
        assert_eq!(shown("mx3").await, "UnusableOnly");
        assert_eq!(shown("mx4").await, format!("[(2, 0, 32)] mx4.{zone}"));
        assert_eq!(shown("mx5").await, format!("[(3, 1, 32)] mx1.{zone} mx5.{zone}"));
        assert_eq!(shown("mx7").await, format!("[(3, 1, 32)] mx7.{zone}"));
        for (name, why) in [("mx8", "SERVFAIL"), ("mx9", "Bogus")] {
            let failed = shown(name).await;
            assert!(failed.starts_with("Failed(") && failed.contains(why), "{failed}");
        }
        // At the port of the sandbox as well, for a client that goes by it.
        let port = sandbox.smtp_port();
        assert!(matches!(
            dane(&resolver, &of("mx1"), port).await,
            Dane::Records { .. }
        ));
    }
    let plain = dane(&resolver, &host("mx1.plain.example"), 25).await;
    assert_eq!(plain, Dane::NotApplicable);
}

#[tokio::test]
async fn a_key_stays_when_the_world_changes() {
    let sandbox = start("domain a.example\n signed\n a 192.0.2.1");
    let resolver = resolver(sandbox.dns_server(), &sandbox.trust_anchor());
    assert_eq!(
        proof(&resolver, "a.example", RecordType::A).await,
        Ok(Proof::Secure)
    );
    let next = "domain a.example\n a 192.0.2.2\ndomain b.example\n signed nsec3\n a 192.0.2.3";
    sandbox
        .set_world(&next.parse().expect("a world"))
        .expect("the same addresses");
    let anew = self::resolver(sandbox.dns_server(), &sandbox.trust_anchor());
    assert_eq!(
        proof(&anew, "a.example", RecordType::A).await,
        Ok(Proof::Insecure)
    );
    assert_eq!(proof(&anew, "b.example", RecordType::A).await, Ok(Proof::Secure));
}

#[tokio::test]
async fn a_world_without_a_signed_line_has_no_signatures() {
    let sandbox =
        start("domain a.example\n a 192.0.2.1\n unsigned\nhost mx.a.example 127.0.0.2\n tlsa 3 1 1");
    let resolver = resolver(sandbox.dns_server(), &sandbox.trust_anchor());
    let validation = resolver.validation().await;
    assert!(matches!(validation, Validation::Off(_)), "{validation:?}");
    assert_eq!(
        proof(&resolver, "a.example", RecordType::A).await,
        Ok(Proof::Insecure)
    );
    let tlsa = resolver
        .query("_25._tcp.mx.a.example", RecordType::Tlsa)
        .await
        .expect("it is there");
    assert!(matches!(tlsa.records.as_slice(), [Record::Tlsa(tlsa)] if tlsa.data.len() == 32));
}

#[tokio::test]
async fn the_root_can_be_the_only_zone() {
    let sandbox =
        start("domain .\n signed\ndomain a.example\n mx 10 mx.b.example\nhost mx.b.example 127.0.0.2");
    let resolver = resolver(sandbox.dns_server(), &sandbox.trust_anchor());
    assert_eq!(resolver.validation().await, Validation::On);
    for (name, record_type, expected) in [
        ("a.example", RecordType::Mx, Ok(Proof::Secure)),
        ("mx.b.example", RecordType::A, Ok(Proof::Secure)),
        ("mx.b.example", RecordType::Aaaa, Err(LookupError::NoData)),
        ("c.example", RecordType::A, Err(LookupError::NxDomain)),
    ] {
        assert_eq!(proof(&resolver, name, record_type).await, expected, "{name}");
    }
}

/// The second opinion.
#[test]
fn delv_comes_to_the_same() {
    let sandbox = start(&script());
    let anchor = sandbox.trust_anchor();
    let key = anchor.split_whitespace().last().expect("a key");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let anchors = folder.path().join("anchors");
    std::fs::write(
        &anchors,
        format!("trust-anchors {{ . static-key 257 3 13 \"{key}\"; }};\n"),
    )
    .expect("written");
    let port = sandbox.dns_server().port().to_string();
    let delv = |name: &str, record_type: &str| {
        let mut delv = Command::new("delv");
        let output = delv
            .args(["@127.0.0.1", "-p", &port, "+root=.", "-a"])
            .arg(&anchors)
            .args([name, record_type])
            .output();
        output.map(|output| {
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
        })
    };
    for zone in ["nsec.example", "nsec3.example"] {
        for (name, record_type, there) in ROWS {
            let name = format!("{name}{zone}");
            let said = delv(&name, &format!("{record_type:?}").to_uppercase()).expect("delv");
            let expected: &[&str] = match there {
                Some(true) => &["; fully validated"],
                Some(false) => &["ncache nxrrset", "fully validated"],
                None => &["ncache nxdomain", "fully validated"],
            };
            assert!(
                expected.iter().all(|text| said.contains(text)),
                "{name} {record_type:?}: {said}"
            );
        }
        for name in ["bogus", "lapsed", "stripped"] {
            let said = delv(&format!("{name}.{zone}"), "A").expect("delv");
            assert!(
                !said.contains("fully validated") && !said.contains("unsigned answer"),
                "{said}"
            );
        }
        let said = delv(&format!("name.insecure.{zone}"), "A").expect("delv");
        assert!(said.contains("; unsigned answer"), "{said}");
    }
    for zone in ["forged.example", "untrusted.example"] {
        let said = delv(zone, "MX").expect("delv");
        assert!(said.contains("broken trust chain"), "{said}");
    }
}
