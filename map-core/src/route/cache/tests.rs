use super::*;
use crate::route::dns_server::message;
use hickory_resolver::proto::rr::rdata::{A, SOA};
use hickory_resolver::proto::rr::{Name, RData, Record};

const PLAIN: Signatures = Signatures::Unwanted;
const SIGNED: Signatures = Signatures::Wanted;

fn query(name: &str, record_type: RecordType) -> Query {
    let mut name = Name::from_ascii(name).expect("a name");
    name.set_fqdn(true);
    Query::query(name, record_type)
}

fn answer(records: &str) -> Message {
    message(ResponseCode::NoError, records)
}

fn denial(code: ResponseCode, ttl: Option<u32>) -> Answered {
    let mut none = NoRecords::new(query("example.test", RecordType::MX), code);
    none.negative_ttl = ttl;
    let soa = SOA::new(Name::root(), Name::root(), 1, 2, 3, 4, 5);
    let record = Record::from_rdata(Name::root(), 300, RData::SOA(soa));
    none.authorities = Some([record].into());
    Err(DnsError::NoRecordsFound(none).into())
}

/// So many address records.
fn addresses(name: &Name, count: u16) -> Message {
    let mut message = message(ResponseCode::NoError, "");
    for number in 0..count {
        let [high, low] = number.to_be_bytes();
        message.answers.push(Record::from_rdata(
            name.clone(),
            3600,
            RData::A(A::new(10, 0, high, low)),
        ));
    }
    message
}

fn after(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn an_answer_is_kept_as_long_as_its_shortest_record_says() {
    let (cache, now) = (Cache::default(), Instant::now());
    let asked = query("example.test", RecordType::MX);
    let mut said = message(
        ResponseCode::NoError,
        "example.test MX 5 mx.test.\nexample.test MX 6 mx2.test.",
    );
    said.answers[0].ttl = 7;
    cache.insert(&asked, PLAIN, &Ok(said), now);
    let kept = cache
        .get(&asked, PLAIN, now + after(6))
        .expect("kept")
        .expect("an answer");
    let ttls: Vec<u32> = kept.answers.iter().map(|record| record.ttl).collect();
    assert_eq!(ttls, [1, 54]);
    assert!(cache.get(&asked, PLAIN, now + after(7)).is_none());
    assert!(
        cache
            .get(&query("example.test", RecordType::TXT), PLAIN, now)
            .is_none()
    );
    assert!(cache.get(&asked, SIGNED, now).is_none(), "without the signatures");
}

#[test]
fn nothing_is_kept_for_longer_than_a_day_and_nothing_that_must_not_be() {
    let now = Instant::now();
    let day = after(24 * 60 * 60);
    let asked = query("example.test", RecordType::MX);
    let with_ttl = |ttl| {
        let mut said = message(ResponseCode::NoError, "example.test MX 5 mx.test.");
        said.answers[0].ttl = ttl;
        Ok(said)
    };
    let rows = [
        (with_ttl(0), None),
        (with_ttl(86_400 * 30), Some(day)),
        (with_ttl(u32::MAX), None),
        (denial(ResponseCode::NXDomain, Some(30)), Some(after(30))),
        (denial(ResponseCode::NoError, Some(86_400 * 30)), Some(day)),
        (denial(ResponseCode::NXDomain, None), None),
        (
            Err(DnsError::ResponseCode(ResponseCode::ServFail).into()),
            Some(FAILURE),
        ),
        (Err(NetError::Timeout), None),
    ];
    for (said, time) in rows {
        for signatures in [PLAIN, SIGNED] {
            let cache = Cache::default();
            cache.insert(&asked, signatures, &said, now);
            let kept = |age| cache.get(&asked, signatures, now + age).is_some();
            match time {
                None => assert!(!kept(Duration::ZERO), "{said:?}"),
                Some(time) => {
                    assert!(kept(time.saturating_sub(after(1))), "{said:?}");
                    assert!(!kept(time), "{said:?}");
                }
            }
        }
    }
}

#[test]
fn what_is_kept_says_the_same() {
    let (cache, now) = (Cache::default(), Instant::now());
    let asked = query("example.test", RecordType::MX);
    let codes = [
        ("NXDOMAIN", denial(ResponseCode::NXDomain, Some(60))),
        ("NOERROR", denial(ResponseCode::NoError, Some(60))),
        (
            "SERVFAIL",
            Err(DnsError::ResponseCode(ResponseCode::ServFail).into()),
        ),
    ];
    for (code, said) in codes {
        for signatures in [PLAIN, SIGNED] {
            cache.insert(&asked, signatures, &said, now);
            match cache.get(&asked, signatures, now).expect("kept") {
                Err(NetError::Dns(DnsError::ResponseCode(kept))) => {
                    assert_eq!(format!("{kept:?}").to_uppercase(), code);
                }
                Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
                    assert_eq!(format!("{:?}", none.response_code).to_uppercase(), code);
                    let proof = none.authorities.expect("what proves it");
                    assert_eq!(proof.len(), usize::from(signatures == SIGNED));
                }
                other => panic!("{code}: {other:?}"),
            }
        }
    }
}

#[test]
fn only_what_is_used_is_kept() {
    let (cache, now) = (Cache::default(), Instant::now());
    let asked = query("example.test", RecordType::MX);
    let said = Ok(answer(
        "example.test CNAME other.test.
         other.test MX 5 mx.test.
         other.test TXT noise
         authority: test NS ns.test.",
    ));
    for signatures in [PLAIN, SIGNED] {
        cache.insert(&asked, signatures, &said, now);
    }
    let kept = |signatures| {
        cache
            .get(&asked, signatures, now)
            .expect("kept")
            .expect("an answer")
    };
    let types: Vec<String> = kept(PLAIN)
        .answers
        .iter()
        .map(|record| record.record_type().to_string())
        .collect();
    assert_eq!(types, ["CNAME", "MX"]);
    assert!(kept(PLAIN).authorities.is_empty());
    // Link by link: what is behind the alias is asked for by its own name.
    assert_eq!(kept(SIGNED).answers.len(), 1);
}

impl Cache {
    fn weight(&self) -> usize {
        let entries = self.entries.lock().expect("no panic");
        assert_eq!(entries.kept.len(), entries.turns.len());
        let all: usize = entries.kept.iter().map(|(key, kept)| weight(key, kept)).sum();
        assert_eq!(all, entries.weight);
        all
    }
}

#[test]
fn a_hundred_times_the_bound_leaves_no_more_than_the_bound() {
    let (cache, now) = (Cache::default(), Instant::now());
    let used = query("used.test", RecordType::A);
    cache.insert(&used, PLAIN, &Ok(addresses(used.name(), 1)), now);
    let mut fed = 0;
    for number in 0_usize.. {
        let asked = query(&format!("mx{number}.example.test"), RecordType::A);
        // Of 16 octets at least, and from what a usual host has to what fills a message.
        let count = [1, 50, 200, 4000][number % 4];
        let said = Ok(addresses(asked.name(), count));
        fed += 16 * usize::from(count);
        cache.insert(&asked, PLAIN, &said, now);
        let is_kept = cache.get(&asked, PLAIN, now).is_some();
        assert_eq!(is_kept, count <= 200, "{count} addresses");
        if number % 1000 == 0 {
            assert!(cache.weight() <= MOST);
        }
        assert!(cache.get(&used, PLAIN, now).is_some(), "what is used stays");
        if fed > 100 * MOST {
            break;
        }
    }
    let weight = cache.weight();
    assert!((MOST / 2..=MOST).contains(&weight), "{weight}");
}
