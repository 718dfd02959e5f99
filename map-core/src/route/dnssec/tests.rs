//! Answers as a forger would send them, and as an honest server does. The names stand in the root zone, whose key is
//! made here.

use super::*;
use crate::route::dns_server::{DnsServer, Question, Say, message};
use crate::route::{Answer, HickoryResolver, RecordType, Resolver};
use hickory_resolver::proto::dnssec::crypto::EcdsaSigningKey;
use hickory_resolver::proto::dnssec::rdata::{DNSKEY, DS, NSEC, NSEC3, SigInput};
use hickory_resolver::proto::dnssec::{
    Algorithm, DigestType, Nsec3HashAlgorithm, PublicKey, SigningKey, TBS,
};
use hickory_resolver::proto::rr::{DNSClass, Record, RecordType as Type};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The owner of a zone's key; of the root's, where nothing else is said.
struct Signer {
    zone: Name,
    key: EcdsaSigningKey,
    dnskey: DNSKEY,
}

/// What may be wrong with a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    Broken,
    Expired,
    NotYetValid,
}

impl Signer {
    fn new() -> Self {
        Self::of(Name::root())
    }

    fn of(zone: Name) -> Self {
        let key = EcdsaSigningKey::generate_pkcs8(Algorithm::ECDSAP256SHA256).unwrap();
        let key = EcdsaSigningKey::from_pkcs8(&key, Algorithm::ECDSAP256SHA256).unwrap();
        let dnskey = DNSKEY::from_key(&key.to_public_key().unwrap());
        Self { zone, key, dnskey }
    }

    fn anchors(&self) -> TrustAnchors {
        let key = base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            self.dnskey.public_key().public_bytes(),
        );
        format!(". 60 IN DNSKEY 257 3 13 {key}").parse().unwrap()
    }

    /// The records, which are one RRset, with a signature over that many labels.
    fn sign(&self, records: Vec<Record>, labels: u8, flaw: Flaw) -> Vec<Record> {
        const DAY: u32 = 24 * 60 * 60;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let now = u32::try_from(now).unwrap();
        let (inception, expiration) = match flaw {
            Flaw::Expired => (now - 2 * DAY, now - DAY),
            Flaw::NotYetValid => (now + DAY, now + 2 * DAY),
            Flaw::None | Flaw::Broken => (now - DAY, now + DAY),
        };
        let first = &records[0];
        let input = SigInput {
            type_covered: first.record_type(),
            algorithm: Algorithm::ECDSAP256SHA256,
            num_labels: labels,
            original_ttl: first.ttl,
            sig_expiration: SerialNumber::new(expiration),
            sig_inception: SerialNumber::new(inception),
            key_tag: self.dnskey.calculate_key_tag().unwrap(),
            signer_name: self.zone.clone(),
        };
        let tbs = TBS::from_input(&first.name, DNSClass::IN, &input, records.iter()).unwrap();
        let mut octets = self.key.sign(&tbs).unwrap();
        if flaw == Flaw::Broken {
            octets[5] ^= 1;
        }
        let signature = RData::DNSSEC(DNSSECRData::RRSIG(RRSIG::from_sig(input, octets)));
        let signature = Record::from_rdata(first.name.clone(), first.ttl, signature);
        records.into_iter().chain([signature]).collect()
    }

    /// One signed record.
    fn signed(&self, owner: &str, data: RData) -> Vec<Record> {
        let owner = name(owner);
        let labels = owner.num_labels();
        self.sign(vec![Record::from_rdata(owner, 60, data)], labels, Flaw::None)
    }

    fn nsec(&self, owner: &str, next: &str, types: &[Type]) -> Vec<Record> {
        let nsec = NSEC::new(name(next), types.iter().copied());
        self.signed(owner, RData::DNSSEC(DNSSECRData::NSEC(nsec)))
    }

    /// The NSEC3 record that covers this name, or another one that does not.
    fn nsec3(&self, covered: &str, covers: bool, opt_out: bool, iterations: u16) -> Vec<Record> {
        let hash = Nsec3HashAlgorithm::SHA1
            .hash(&[], &name(covered), iterations)
            .unwrap();
        let beside = |octet: &dyn Fn(u8) -> u8| {
            let mut hash = hash.as_ref().to_vec();
            let first = hash.first_mut().unwrap();
            *first = octet(*first);
            hash
        };
        let (before, after) = (
            beside(&|octet| octet.wrapping_sub(1)),
            beside(&|octet| octet.wrapping_add(1)),
        );
        let (owner, next) = if covers { (before, after) } else { (after, before) };
        let nsec3 = |hash| {
            NSEC3::new(
                Nsec3HashAlgorithm::SHA1,
                opt_out,
                iterations,
                Vec::new(),
                hash,
                [Type::A],
            )
        };
        let owner = nsec3(owner).next_hashed_owner_name_base32().unwrap().clone();
        let owner = Name::from_labels([owner.as_bytes()]).unwrap().to_ascii();
        self.signed(&owner, RData::DNSSEC(DNSSECRData::NSEC3(nsec3(next))))
    }

    /// Records made from `*.wild`.
    fn wildcard(&self, owner: &str, flaw: Flaw) -> Vec<Record> {
        let mut records = message(ResponseCode::NoError, &format!("{owner} A 192.0.2.1")).answers;
        records[0].name = name(owner);
        self.sign(records, 1, flaw)
    }

    fn keys(&self, flaw: Flaw) -> Message {
        let key = RData::DNSSEC(DNSSECRData::DNSKEY(self.dnskey.clone()));
        let keys = vec![Record::from_rdata(self.zone.clone(), 60, key)];
        answer(self.sign(keys, self.zone.num_labels(), flaw), Vec::new())
    }

    /// What the root says of `plain`: a delegation, and no DS record.
    fn plain(&self, question: &Question) -> Message {
        match (question.name.as_str(), question.record_type) {
            ("plain", Type::NS) => message(ResponseCode::NoError, "plain NS ns.plain."),
            ("plain", Type::DS) => answer(Vec::new(), {
                let mut records = self.soa();
                records.extend(self.nsec("plain.", "zzz.", &[Type::NS, Type::NSEC, Type::RRSIG]));
                records
            }),
            ("mx.plain", _) => message(ResponseCode::NoError, PLAIN_SOA),
            _ => answer(Vec::new(), self.soa()),
        }
    }

    fn soa(&self) -> Vec<Record> {
        let soa = message(ResponseCode::NoError, "x SOA ns. host. 1 3600 600 86400 30").answers;
        self.signed(".", soa[0].data.clone())
    }
}

const PLAIN_SOA: &str = "authority: plain SOA ns.plain. host.plain. 1 3600 600 86400 30";

fn name(text: &str) -> Name {
    let mut name = Name::from_ascii(text).unwrap();
    name.set_fqdn(true);
    name
}

fn answer(answers: Vec<Record>, authorities: Vec<Record>) -> Message {
    let mut message = message(ResponseCode::NoError, "");
    message.answers = answers;
    message.authorities = authorities;
    message
}

/// A resolver that trusts the signer's key, and asks a server that gives this answer to every question for A records.
async fn resolver(signer: Signer, said: Message) -> HickoryResolver {
    let anchors = signer.anchors();
    let server = DnsServer::start(move |question| {
        Say::Message(match (question.name.as_str(), question.record_type) {
            ("", Type::DNSKEY) => signer.keys(Flaw::None),
            (_, Type::A) => said.clone(),
            _ => signer.plain(question),
        })
    })
    .await;
    HickoryResolver::with_servers(&[server.address]).with_trust_anchors(anchors)
}

async fn ask(resolver: &HickoryResolver, name: &str) -> Result<Proof, LookupError> {
    assert_eq!(resolver.validation().await, Validation::On);
    let answer: Result<Answer, LookupError> = resolver.query_validated(name, RecordType::A).await;
    answer.map(|answer| answer.proof)
}

const NSEC_TYPES: [Type; 3] = [Type::A, Type::NSEC, Type::RRSIG];

/// A wildcard answer for `name`, beside which this stands in the authority section.
async fn beside_a_wildcard(
    name: &str,
    flaw: Flaw,
    authority: impl Fn(&Signer) -> Vec<Record>,
) -> Result<Proof, LookupError> {
    let signer = Signer::new();
    let said = answer(signer.wildcard(name, flaw), authority(&signer));
    ask(&resolver(signer, said).await, name).await
}

#[tokio::test]
async fn a_wildcard_of_an_nsec_zone_needs_the_right_denial() {
    const SECURE: Result<Proof, LookupError> = Ok(Proof::Secure);
    const BOGUS: Result<Proof, LookupError> = Err(LookupError::Bogus);
    let rows = [
        ("any.wild", "*.wild", "own.wild", SECURE),
        ("one.any.wild", "*.wild", "own.wild", SECURE),
        // The last of its zone.
        ("zzz.wild", "own.wild", ".", SECURE),
        // The name exists, and the wildcard is not for it.
        ("own.wild", "*.wild", "own.wild", BOGUS),
        ("own.wild", "own.wild", "zzz.wild", BOGUS),
        // Between what is covered and the wildcard stands a name that exists.
        ("zzz.one.wild", "deep.one.wild", "own.wild", BOGUS),
        ("aaa.one.wild", "*.wild", "deep.one.wild", BOGUS),
        ("below.one.wild", "one.wild", "own.wild", BOGUS),
        // Another place of the zone.
        ("any.wild", "own.wild", "zzz.wild", BOGUS),
        ("any.wild", "xyz", ".", BOGUS),
    ];
    for (name, owner, next, expected) in rows {
        let proof = beside_a_wildcard(name, Flaw::None, |signer| signer.nsec(owner, next, &NSEC_TYPES)).await;
        assert_eq!(proof, expected, "{name} between {owner} and {next}");
    }
}

#[tokio::test]
async fn a_wildcard_without_a_proved_denial() {
    let nothing = beside_a_wildcard("any.wild", Flaw::None, |_| Vec::new()).await;
    assert_eq!(nothing, Err(LookupError::Bogus));
    let unsigned = beside_a_wildcard("any.wild", Flaw::None, |signer| {
        signer
            .nsec("*.wild", "own.wild", &NSEC_TYPES)
            .into_iter()
            .take(1)
            .collect()
    })
    .await;
    assert_eq!(unsigned, Err(LookupError::Bogus));
    // A delegation knows nothing of the names below it.
    let delegation = beside_a_wildcard("any.wild", Flaw::None, |signer| {
        signer.nsec("wild", "zzz", &[Type::NS, Type::NSEC, Type::RRSIG])
    })
    .await;
    assert_eq!(delegation, Err(LookupError::Bogus));
    // An unsigned record of an unsigned zone makes hickory forget to ask for a denial.
    let insecure = beside_a_wildcard("any.wild", Flaw::None, |_| {
        message(ResponseCode::NoError, "plain NS ns.plain.").answers
    })
    .await;
    assert_eq!(insecure, Err(LookupError::Bogus));
}

#[tokio::test]
async fn a_denial_by_another_zone() {
    for (owner, expected) in [("evil", Err(LookupError::Bogus)), ("", Ok(Proof::Secure))] {
        let root = Signer::new();
        let evil = Signer::of(name("evil"));
        let anchors = root.anchors();
        let digest = evil.dnskey.to_digest(&evil.zone, DigestType::SHA256).unwrap();
        let tag = evil.dnskey.calculate_key_tag().unwrap();
        let ds = DS::new(
            tag,
            Algorithm::ECDSAP256SHA256,
            DigestType::SHA256,
            digest.as_ref().to_vec(),
        );
        let ds = root.signed("evil", RData::DNSSEC(DNSSECRData::DS(ds)));
        // All names between `evil` and `zzz` do not exist, its owner says.
        let denier = if owner == "evil" { &evil } else { &root };
        let denial = denier.nsec("evil", "zzz", &NSEC_TYPES);
        let said = answer(root.wildcard("any.wild", Flaw::None), denial);
        let server = DnsServer::start(move |question| {
            Say::Message(match (question.name.as_str(), question.record_type) {
                ("", Type::DNSKEY) => root.keys(Flaw::None),
                ("evil", Type::DNSKEY) => evil.keys(Flaw::None),
                ("evil", Type::DS) => answer(ds.clone(), Vec::new()),
                ("any.wild", Type::A) => said.clone(),
                _ => answer(Vec::new(), root.soa()),
            })
        })
        .await;
        let resolver = HickoryResolver::with_servers(&[server.address]).with_trust_anchors(anchors);
        assert_eq!(ask(&resolver, "any.wild").await, expected, "by {owner:?}");
        let by_evil = server.asked().iter().any(|question| question.name == "evil");
        assert_eq!(by_evil, owner == "evil", "its signature is a good one");
    }
}

#[tokio::test]
async fn a_wildcard_with_a_bad_signature() {
    for flaw in [Flaw::Broken, Flaw::Expired, Flaw::NotYetValid] {
        let proof = beside_a_wildcard("any.wild", flaw, |signer| {
            signer.nsec("*.wild", "own.wild", &NSEC_TYPES)
        })
        .await;
        assert_eq!(proof, Err(LookupError::Bogus), "{flaw:?}");
    }
}

#[tokio::test]
async fn a_wildcard_of_an_nsec3_zone_needs_the_right_denial() {
    let rows = [
        ("any.wild", "any.wild", true, false, 0, Ok(Proof::Secure)),
        ("one.any.wild", "any.wild", true, false, 5, Ok(Proof::Secure)),
        ("any.wild", "any.wild", true, true, 0, Ok(Proof::Insecure)),
        ("any.wild", "any.wild", true, false, 101, Ok(Proof::Insecure)),
        ("any.wild", "any.wild", false, false, 0, Err(LookupError::Bogus)),
        // The next closer name may exist.
        (
            "one.any.wild",
            "one.any.wild",
            true,
            false,
            0,
            Err(LookupError::Bogus),
        ),
    ];
    for (name, covered, covers, opt_out, iterations, expected) in rows {
        let proof = beside_a_wildcard(name, Flaw::None, |signer| {
            signer.nsec3(covered, covers, opt_out, iterations)
        })
        .await;
        assert_eq!(
            proof, expected,
            "{name} {covered} {covers} {opt_out} {iterations}"
        );
    }
}

#[tokio::test]
async fn a_denial_by_records_of_an_unsigned_zone() {
    for code in [ResponseCode::NoError, ResponseCode::NXDomain] {
        let mut said = message(
            code,
            "authority: plain SOA ns.plain. host.plain. 1 3600 600 86400 30",
        );
        said.metadata.response_code = code;
        let resolver = resolver(Signer::new(), said).await;
        assert_eq!(ask(&resolver, "mx").await, Err(LookupError::Bogus), "{code}");
        let expected = match code {
            ResponseCode::NXDomain => LookupError::NxDomain,
            _ => LookupError::NoData,
        };
        assert_eq!(ask(&resolver, "mx.plain").await, Err(expected), "{code}");
    }
}

#[tokio::test]
async fn an_alias_made_from_a_dname() {
    let dname = |target: &str| {
        let mut octets = Vec::new();
        for label in &name(target) {
            octets.push(u8::try_from(label.len()).unwrap());
            octets.extend_from_slice(label);
        }
        octets.push(0);
        RData::Unknown {
            code: Type::DNAME,
            rdata: hickory_resolver::proto::rr::rdata::NULL::with(octets),
        }
    };
    // Labels of the signature; none is no signature.
    for (alias_to, labels, proved) in [
        ("mx.new", Some(1), true),
        ("mx.evil", Some(1), false),
        ("mx.new", None, false),
        // A wildcard's.
        ("mx.new", Some(0), false),
    ] {
        let signer = Signer::new();
        let moved = vec![Record::from_rdata(name("old"), 60, dname("new"))];
        let moved = match labels {
            Some(labels) => signer.sign(moved, labels, Flaw::None),
            None => moved,
        };
        let alias = message(ResponseCode::NoError, &format!("mx.old CNAME {alias_to}.")).answers;
        let said = answer(moved.into_iter().chain(alias).collect(), Vec::new());
        let target = message(ResponseCode::NoError, &format!("{alias_to} A 192.0.2.1")).answers;
        let target = answer(signer.sign(target, 2, Flaw::None), Vec::new());
        let anchors = signer.anchors();
        let server = DnsServer::start(move |question| {
            Say::Message(match (question.name.as_str(), question.record_type) {
                ("", Type::DNSKEY) => signer.keys(Flaw::None),
                ("mx.old", Type::A) => said.clone(),
                (_, Type::A) => target.clone(),
                _ => signer.plain(question),
            })
        })
        .await;
        let resolver = HickoryResolver::with_servers(&[server.address]).with_trust_anchors(anchors);
        let expected = if proved {
            Ok(Proof::Secure)
        } else {
            Err(LookupError::Bogus)
        };
        assert_eq!(ask(&resolver, "mx.old").await, expected, "{alias_to} {labels:?}");
    }
}

#[tokio::test]
async fn unsigned_names_whose_servers_fail_at_other_types() {
    // At NS, also where the zone begins; or at everything, below that.
    let fails_at_ns: fn(&Question) -> bool = |question| question.record_type == Type::NS;
    let fails_at_all: fn(&Question) -> bool = |question| question.name == "mx.plain";
    for fails in [fails_at_ns, fails_at_all] {
        let signer = Signer::new();
        let anchors = signer.anchors();
        let server = DnsServer::start(move |question| {
            Say::Message(match (question.name.as_str(), question.record_type) {
                ("", Type::DNSKEY) => signer.keys(Flaw::None),
                (name, Type::A) => message(ResponseCode::NoError, &format!("{name} A 192.0.2.1")),
                _ if fails(question) => message(ResponseCode::ServFail, ""),
                _ => signer.plain(question),
            })
        })
        .await;
        let resolver = HickoryResolver::with_servers(&[server.address]).with_trust_anchors(anchors);
        assert_eq!(ask(&resolver, "mx.plain").await, Ok(Proof::Insecure));
        assert_eq!(ask(&resolver, "plain").await, Ok(Proof::Insecure));
        // The root is signed, and says nothing of a zone `mx`.
        assert_eq!(ask(&resolver, "mx").await, Err(LookupError::Bogus));
    }
}

#[tokio::test]
async fn what_is_beside_the_point_is_not_asked_for() {
    let signer = Signer::new();
    let anchors = signer.anchors();
    let server = DnsServer::start(move |question| {
        let mut said = answer(
            signer.signed("mx", RData::A(rr::rdata::A::new(192, 0, 2, 1))),
            Vec::new(),
        );
        said.authorities = message(ResponseCode::NoError, "mx NS ns.elsewhere.").answers;
        said.additionals = message(ResponseCode::NoError, "ns.elsewhere A 192.0.2.2").answers;
        Say::Message(match (question.name.as_str(), question.record_type) {
            ("", Type::DNSKEY) => signer.keys(Flaw::None),
            ("mx", Type::A) => said,
            _ => signer.plain(question),
        })
    })
    .await;
    let resolver = HickoryResolver::with_servers(&[server.address]).with_trust_anchors(anchors);
    assert_eq!(ask(&resolver, "mx").await, Ok(Proof::Secure));
    let asked: Vec<_> = server.asked().into_iter().map(|question| question.name).collect();
    assert_eq!(asked, ["", "mx"]);
}

#[tokio::test]
async fn a_domain_without_signatures_costs_two_questions_more() {
    let signer = Signer::new();
    let anchors = signer.anchors();
    let server = DnsServer::start(move |question| {
        Say::Message(match (question.name.as_str(), question.record_type) {
            ("", Type::DNSKEY) => signer.keys(Flaw::None),
            ("plain", Type::A) => message(ResponseCode::NoError, "plain A 192.0.2.1"),
            _ => signer.plain(question),
        })
    })
    .await;
    let resolver = HickoryResolver::with_servers(&[server.address]).with_trust_anchors(anchors);
    assert_eq!(ask(&resolver, "plain").await, Ok(Proof::Insecure));
    let types: Vec<_> = server
        .asked()
        .iter()
        .map(|question| question.record_type)
        .collect();
    assert_eq!(types, [Type::DNSKEY, Type::A, Type::NS, Type::DS]);
}

#[tokio::test]
async fn why_validation_cannot_work() {
    type Keys = fn(&Signer) -> Message;
    let refused = LookupError::Failed("REFUSED".to_owned()).to_string();
    let rows: [(Keys, NotValidating); 6] = [
        (|signer| signer.keys(Flaw::Expired), NotValidating::Clock),
        (|signer| signer.keys(Flaw::NotYetValid), NotValidating::Clock),
        (|signer| signer.keys(Flaw::Broken), NotValidating::BadSignature),
        (|_| Signer::new().keys(Flaw::None), NotValidating::OtherKeys),
        (
            |signer| {
                let mut keys = signer.keys(Flaw::None);
                keys.answers.truncate(1);
                keys
            },
            NotValidating::NoSignatures,
        ),
        (
            |_| message(ResponseCode::Refused, ""),
            NotValidating::Refused(refused),
        ),
    ];
    for (keys, expected) in rows {
        let signer = Signer::new();
        let anchors = signer.anchors();
        let server = DnsServer::start(move |question| {
            Say::Message(match (question.name.as_str(), question.record_type) {
                ("", Type::DNSKEY) => keys(&signer),
                _ => message(ResponseCode::NoError, "mx A 192.0.2.1"),
            })
        })
        .await;
        let resolver = HickoryResolver::with_servers(&[server.address]).with_trust_anchors(anchors);
        let answer = resolver.query_validated("mx", RecordType::A).await.unwrap();
        assert_eq!(answer.proof, Proof::Insecure, "{expected:?}");
        assert_eq!(resolver.validation().await, Validation::Off(expected));
    }
}

/// The clock jumps ahead whenever nothing happens, so this takes no time.
#[tokio::test(start_paused = true)]
async fn a_probe_that_nobody_answers_costs_five_seconds_once() {
    let signer = Signer::new();
    let anchors = signer.anchors();
    let server = DnsServer::start(|question| match question.record_type {
        Type::A => Say::Message(message(ResponseCode::NoError, "mx A 192.0.2.1")),
        _ => Say::Nothing,
    })
    .await;
    let resolver = HickoryResolver::with_servers(&[server.address]).with_trust_anchors(anchors);
    let start = Instant::now();
    for _ in 0..2 {
        let answer = resolver.query_validated("mx", RecordType::A).await.unwrap();
        assert_eq!(answer.proof, Proof::Insecure);
    }
    let off = Validation::Off(NotValidating::NoAnswer);
    assert_eq!(resolver.validation().await, off);
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

/// A server whose answers change: signed at first, then as `later` says.
async fn changing(later: impl Fn(&Question) -> Say + Send + Sync + 'static) -> HickoryResolver {
    let signer = Signer::new();
    let anchors = signer.anchors();
    let probes = AtomicUsize::new(0);
    let server = DnsServer::start(
        move |question| match (question.name.as_str(), question.record_type) {
            ("", Type::DNSKEY) if probes.fetch_add(1, Ordering::SeqCst) == 0 => {
                Say::Message(signer.keys(Flaw::None))
            }
            _ => later(question),
        },
    )
    .await;
    let resolver = HickoryResolver::with_servers(&[server.address]).with_trust_anchors(anchors);
    assert_eq!(resolver.validation().await, Validation::On);
    resolver
}

#[tokio::test]
async fn validation_goes_off_when_the_signatures_stop() {
    let key = RData::DNSSEC(DNSSECRData::DNSKEY(Signer::new().dnskey));
    let resolver = changing(move |question| {
        Say::Message(match question.record_type {
            Type::A => message(ResponseCode::NoError, "mx A 192.0.2.1"),
            Type::DNSKEY => answer(
                vec![Record::from_rdata(Name::root(), 60, key.clone())],
                Vec::new(),
            ),
            _ => message(ResponseCode::NoError, ""),
        })
    })
    .await;
    let answer = resolver.query_validated("mx", RecordType::A).await.unwrap();
    assert_eq!(answer.proof, Proof::Insecure);
    let off = Validation::Off(NotValidating::NoSignatures);
    assert_eq!(resolver.validation().await, off);
}

#[tokio::test]
async fn validation_stays_on_when_the_keys_are_withheld() {
    let resolver = changing(|question| {
        Say::Message(match question.record_type {
            Type::A => message(ResponseCode::NoError, "mx A 192.0.2.1"),
            _ => message(ResponseCode::ServFail, ""),
        })
    })
    .await;
    let answer = resolver.query_validated("mx", RecordType::A).await;
    assert_eq!(answer.unwrap_err(), LookupError::Bogus);
    assert_eq!(resolver.validation().await, Validation::On);
}

#[tokio::test(start_paused = true)]
async fn validation_is_probed_again_after_a_while() {
    let probed = |validation| {
        Some(Probed {
            at: Instant::now(),
            validation,
        })
    };
    let rows = [
        (Validation::On, u64::MAX),
        (Validation::Off(NotValidating::NoAnswer), 60),
        (Validation::Off(NotValidating::NoSignatures), 600),
    ];
    for (validation, seconds) in rows {
        let last = probed(validation.clone());
        assert_eq!(current(last.as_ref()), Some(validation.clone()));
        tokio::time::advance(Duration::from_secs(seconds.min(100_000) - 1)).await;
        assert_eq!(current(last.as_ref()), Some(validation.clone()), "{validation:?}");
        tokio::time::advance(Duration::from_secs(1)).await;
        let still = (seconds == u64::MAX).then_some(validation);
        assert_eq!(current(last.as_ref()), still);
    }
    assert_eq!(current(None), None);
}
