use super::*;
use crate::route::fake::FakeResolver;

const HOST: &str = "mx.example.org";
const TLSA: &str = "_25._tcp.mx.example.org";
const TARGET: &str = "real.example.net";
const TARGET_TLSA: &str = "_25._tcp.real.example.net";

fn host() -> HostName {
    HostName::parse(HOST).unwrap()
}

async fn ask(resolver: &FakeResolver) -> Dane {
    dane(resolver, &host(), 25).await
}

fn records(octet: u8, names: &[&str]) -> Dane {
    let tlsa = Tlsa {
        usage: 3,
        selector: 1,
        matching_type: 1,
        data: vec![octet; 32],
    };
    Dane::Records {
        tlsa: vec![tlsa],
        names: names.iter().map(|name| HostName::parse(name).unwrap()).collect(),
    }
}

fn signed() -> FakeResolver {
    FakeResolver::new()
        .with(HOST, "A 192.0.2.1")
        .with_secure(&[HOST, TLSA])
}

fn alias() -> FakeResolver {
    FakeResolver::new()
        .with(HOST, "CNAME real.example.net.")
        .with(TARGET, "A 192.0.2.1")
        .with_secure(&[HOST, TLSA])
}

#[tokio::test]
async fn proved_records_bind_the_host() {
    let dns = signed().with(TLSA, "TLSA 3 1 1 7");
    assert_eq!(ask(&dns).await, records(7, &[HOST]));
    let v6_only = FakeResolver::new()
        .with(HOST, "AAAA 2001:db8::1")
        .with(TLSA, "TLSA 3 1 1 7")
        .with_secure(&[HOST, TLSA]);
    assert_eq!(ask(&v6_only).await, records(7, &[HOST]));
}

#[tokio::test]
async fn the_port_is_in_the_name() {
    let dns = signed().with("_2525._tcp.mx.example.org", "TLSA 3 1 1 7");
    assert_eq!(ask(&dns).await, Dane::NotApplicable);
    let dns = dns.with_secure(&["_2525._tcp.mx.example.org"]);
    assert_eq!(dane(&dns, &host(), 2525).await, records(7, &[HOST]));
}

#[tokio::test]
async fn unusable_records_are_left_out_and_alone_demand_tls() {
    let pkix = signed().with(TLSA, "TLSA 1 1 1 7").with(TLSA, "TLSA 3 1 9 7");
    assert_eq!(ask(&pkix).await, Dane::UnusableOnly);
    let mixed = pkix.with(TLSA, "TLSA 3 1 1 8");
    assert_eq!(ask(&mixed).await, records(8, &[HOST]));
}

#[tokio::test]
async fn no_more_than_so_many_usable_records_are_looked_at() {
    let mut dns = signed();
    for octet in 0..100 {
        dns = dns.with(TLSA, &format!("TLSA 1 1 1 {octet}"));
    }
    for octet in 0..100 {
        dns = dns.with(TLSA, &format!("TLSA 2 0 1 {octet}"));
    }
    let Dane::Records { tlsa, .. } = ask(&dns).await else {
        panic!("no records");
    };
    assert_eq!(tlsa.len(), MAX_RECORDS);
    assert!(tlsa.iter().all(Tlsa::is_usable), "{tlsa:?}");
}

#[tokio::test]
async fn no_records_no_demand() {
    assert_eq!(ask(&signed()).await, Dane::NotApplicable);
    let no_data = signed().with(TLSA, "TLSA nodata");
    assert_eq!(ask(&no_data).await, Dane::NotApplicable);
    let not_proved = FakeResolver::new()
        .with(HOST, "A 192.0.2.1")
        .with(TLSA, "TLSA 3 1 1 7")
        .with_secure(&[HOST]);
    assert_eq!(ask(&not_proved).await, Dane::NotApplicable);
}

#[tokio::test]
async fn a_host_without_an_address_is_not_one_without_records() {
    assert_eq!(ask(&FakeResolver::new()).await, Dane::NoAddress);
    let no_data = FakeResolver::new()
        .with(HOST, "A nodata")
        .with(HOST, "AAAA nodata")
        .with(TLSA, "TLSA 3 1 1 7")
        .with_secure(&[HOST, TLSA]);
    assert_eq!(ask(&no_data).await, Dane::NoAddress);
}

#[tokio::test]
async fn a_host_that_is_not_proved_is_not_asked_for_records() {
    let dns = FakeResolver::new()
        .with(HOST, "A 192.0.2.1")
        .with(TLSA, "TLSA fails");
    assert_eq!(ask(&dns).await, Dane::NotApplicable);
    assert!(!dns.asked().iter().any(|(_, asked)| *asked == RecordType::Tlsa));
}

#[tokio::test]
async fn a_failed_look_up_forbids_the_host() {
    for (how, why) in [
        ("bogus", LookupError::Bogus),
        ("silent", LookupError::NoAnswer),
        ("fails", LookupError::Failed("SERVFAIL".to_owned())),
        ("loops", LookupError::AliasLoop),
    ] {
        let of_the_records = signed().with(TLSA, &format!("TLSA {how}"));
        assert_eq!(ask(&of_the_records).await, Dane::Failed(why.clone()), "{how}");
        let of_the_address = FakeResolver::new()
            .with(HOST, "A nodata")
            .with(HOST, &format!("AAAA {how}"));
        assert_eq!(ask(&of_the_address).await, Dane::Failed(why.clone()), "{how}");
        let of_the_address = FakeResolver::new().with(HOST, &format!("A {how}"));
        assert_eq!(ask(&of_the_address).await, Dane::Failed(why), "{how}");
        // One family is enough to know whether the host's zone is signed.
        let of_one_family = signed()
            .with(HOST, &format!("AAAA {how}"))
            .with(TLSA, "TLSA 3 1 1 7");
        assert_eq!(ask(&of_one_family).await, records(7, &[HOST]), "{how}");
    }
}

#[tokio::test]
async fn a_proved_alias_is_looked_for_at_its_end_and_then_at_its_start() {
    let both = alias()
        .with(TLSA, "TLSA 3 1 1 7")
        .with(TARGET_TLSA, "TLSA 3 1 1 8")
        .with_secure(&[TARGET, TARGET_TLSA]);
    assert_eq!(ask(&both).await, records(8, &[TARGET, HOST]));
    let start = alias().with(TLSA, "TLSA 3 1 1 7").with_secure(&[TARGET]);
    assert_eq!(ask(&start).await, records(7, &[HOST]));
    let neither = alias().with_secure(&[TARGET]);
    assert_eq!(ask(&neither).await, Dane::NotApplicable);
    let failed = start.with(TARGET_TLSA, "TLSA fails");
    assert!(matches!(ask(&failed).await, Dane::Failed(_)));
}

#[tokio::test]
async fn a_proved_alias_to_an_unsigned_host_is_looked_for_at_its_start_only() {
    let dns = alias().with(TLSA, "TLSA 3 1 1 7").with(TARGET_TLSA, "TLSA fails");
    assert_eq!(ask(&dns).await, records(7, &[HOST]));
    assert_eq!(
        ask(&alias().with(TARGET_TLSA, "TLSA 3 1 1 8")).await,
        Dane::NotApplicable
    );
}

#[tokio::test]
async fn an_unsigned_alias_to_a_proved_host_demands_nothing() {
    let dns = FakeResolver::new()
        .with(HOST, "CNAME real.example.net.")
        .with(TARGET, "A 192.0.2.1")
        .with(TLSA, "TLSA 3 1 1 7")
        .with(TARGET_TLSA, "TLSA 3 1 1 8")
        .with_secure(&[TARGET, TLSA, TARGET_TLSA]);
    assert_eq!(ask(&dns).await, Dane::NotApplicable);
}
