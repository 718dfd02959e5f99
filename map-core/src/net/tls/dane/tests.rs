//! How much work a hostile host can make.

use super::super::testing::{Contents, HOST, Server, authority};
use super::super::verifier::{MAX_INTERMEDIATES, looked_at};
use super::*;
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the signatures that it verifies.
#[derive(Debug)]
struct Counting(AtomicUsize);

impl SignatureVerificationAlgorithm for Counting {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        self.0.fetch_add(1, Ordering::Relaxed);
        webpki::ring::ECDSA_P256_SHA256.verify_signature(key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        webpki::ring::ECDSA_P256_SHA256.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        webpki::ring::ECDSA_P256_SHA256.signature_alg_id()
    }
}

fn judge(server: &Server, tlsa: &[Tlsa]) -> Result<(), String> {
    judge_counting(server, tlsa).0
}

/// What is judged, and how many signatures were verified for it.
fn judge_counting(server: &Server, tlsa: &[Tlsa]) -> (Result<(), String>, usize) {
    let counting: &'static Counting = Box::leak(Box::new(Counting(AtomicUsize::new(0))));
    let algorithms = WebPkiSupportedAlgorithms {
        all: Box::leak(Box::new([counting as &dyn SignatureVerificationAlgorithm])),
        mapping: &[],
    };
    let names = [HostName::parse(HOST).expect("a host name")];
    let (end_entity, intermediates) = server.chain.split_first().expect("a certificate");
    let judged = Dane::new(tlsa, &names, algorithms).judge(Shown {
        end_entity,
        intermediates: &looked_at(intermediates),
        now: UnixTime::now(),
    });
    (judged, counting.0.load(Ordering::Relaxed))
}

#[test]
fn the_work_has_a_limit_however_many_records_and_certificates_there_are() {
    let mut server = Server::good();
    let strangers: Vec<Tlsa> = (0..600).map(|_| Server::good().record(2, 1, 0)).collect();
    server.chain.extend(vec![server.authority.clone(); 120]);
    let (judged, verified) = judge_counting(&server, &strangers);
    assert!(judged.is_err(), "{judged:?}");
    assert!((1..=100).contains(&verified), "{verified}");
    // Of a key that is there twice, and an issuer that all certificates have, one anchor is made.
    let record = server.record(2, 1, 0);
    assert_eq!(judge(&server, &[record.clone(), record.clone()]), Ok(()));
    let [end_entity, intermediates @ ..] = &server.chain[..] else {
        panic!("no certificate");
    };
    let shown = Shown {
        end_entity,
        intermediates,
        now: UnixTime::now(),
    };
    assert_eq!(anchors(&[&record, &record], shown).len(), 1);
    let strangers: Vec<&Tlsa> = strangers.iter().collect();
    assert_eq!(anchors(&strangers, shown).len(), MAX_ANCHORS);
}

#[test]
fn an_anchor_is_looked_for_among_the_first_certificates() {
    for (before, found) in [(MAX_INTERMEDIATES - 1, true), (MAX_INTERMEDIATES, false)] {
        let mut server = Server::issued(&Contents::good());
        let strangers = (0..before).map(|number| authority(&format!("Stranger {number}")).der().clone());
        server.chain.splice(1..1, strangers);
        let judged = judge(&server, &[server.record(2, 0, 1)]);
        assert_eq!(judged.is_ok(), found, "{before}: {judged:?}");
    }
}
