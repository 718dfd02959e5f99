//! What holds whatever arrives, in whatever order the machine is driven.

mod support;

use map_core::smtp::Outcome;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;
use support::{Dice, storm};

/// First octets of storms that require TLS, have a secret, or both; the low half varies the server.
const TLS_KINDS: [u8; 24] = [
    0x70, 0x74, 0x75, 0x80, 0x84, 0x86, 0x97, 0xa0, 0xa6, 0xb0, 0xb1, 0xb4, 0xb5, 0xb6, 0xc0, 0xc4, 0xd0,
    0xd4, 0xd5, 0xe0, 0xe6, 0xf0, 0xf4, 0xf6,
];

/// Of those with a server that takes chunks, or few recipients at a time.
const CHUNK_KINDS: [u8; 5] = [0x08, 0x09, 0x0a, 0x0b, 0x0c];

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_operations_keeps_the_promises(data in vec(any::<u8>(), 0..300)) {
        storm::operations(&data);
    }

    /// The harness looks at every octet that is written: whatever a server says, and whenever, nothing of a mail and
    /// nothing of a secret leaves in the clear where TLS is required, and no secret to a peer without a name.
    #[test]
    fn required_tls_is_never_talked_out_of(kind in select(TLS_KINDS.as_slice()), data in vec(any::<u8>(), 0..300)) {
        let data = [vec![kind], data].concat();
        storm::operations(&data);
    }

    #[test]
    fn rounds_and_chunks_keep_them_too(kind in select(CHUNK_KINDS.as_slice()), data in vec(any::<u8>(), 0..300)) {
        let data = [vec![kind], data].concat();
        storm::operations(&data);
    }

    #[test]
    fn any_octets_are_read_alike_in_any_pieces(data in vec(any::<u8>(), 0..200)) {
        storm::replies(&data);
    }

    #[test]
    fn what_nearly_is_a_reply_is_read_alike_in_any_pieces(data in "([2-5][05]{2}[ -]?[a-z.0-9 ]{0,8}\r?\n?){0,20}") {
        storm::replies(data.as_bytes());
    }
}

/// A storm that never comes to the content would prove little.
#[test]
fn storms_reach_every_outcome() {
    let reached = reached(12_000, |dice| match dice.below(2) {
        0 => u8::try_from(dice.below(256)).unwrap(),
        _ => CHUNK_KINDS[dice.below(CHUNK_KINDS.len())],
    });
    assert!(
        reached.len() == 9 && reached.values().all(|count| *count >= 20),
        "{reached:?}"
    );
}

/// Nor would one that never comes to TLS.
#[test]
fn storms_get_through_tls_and_auth() {
    let reached = reached(5_000, |dice| TLS_KINDS[dice.below(TLS_KINDS.len())]);
    for word in ["accepted", "lost", "no TLS", "refused", "unexpected", "unfit"] {
        assert!(reached.get(word).is_some_and(|count| *count >= 20), "{reached:?}");
    }
}

/// What became of the recipients of so many storms.
fn reached(storms: usize, first: impl Fn(&mut Dice) -> u8) -> BTreeMap<&'static str, usize> {
    let mut dice = Dice::new(7);
    let mut reached = BTreeMap::new();
    for _ in 0..storms {
        let mut data: Vec<u8> = (0..200).map(|_| u8::try_from(dice.below(256)).unwrap()).collect();
        data[0] = first(&mut dice);
        for outcome in storm::operations(&data) {
            let word = match outcome {
                Outcome::Accepted(_) => "accepted",
                Outcome::TooManyRecipients(_) => "crowded",
                Outcome::Lost { .. } => "lost",
                Outcome::NoBdat(_) => "no BDAT",
                Outcome::NoTls(_) => "no TLS",
                Outcome::Refused { .. } => "refused",
                Outcome::Uncertain(_) => "uncertain",
                Outcome::Unexpected { .. } => "unexpected",
                Outcome::Unsupported(_) => "unfit",
                Outcome::NotAttempted => "unserved",
            };
            *reached.entry(word).or_default() += 1;
        }
    }
    println!("{reached:?}");
    reached
}

/// The seeds of the fuzz targets, and what they found.
#[test]
fn the_corpus_of_the_fuzzers_holds() {
    let mut runs = 0;
    let mut replay = |target: &str, run: fn(&[u8])| {
        let directory = format!("{}/../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
        for file in std::fs::read_dir(directory).unwrap() {
            run(&std::fs::read(file.unwrap().path()).unwrap());
            runs += 1;
        }
    };
    replay("operations", |data| drop(storm::operations(data)));
    replay("replies", storm::replies);
    assert!(runs >= 20, "only {runs} files in the corpus");
}
