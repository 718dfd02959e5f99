//! What holds whatever arrives, in whatever order the machine is driven.

mod support;

use map_core::smtp::Outcome;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use support::{Dice, storm};

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_operations_keeps_the_promises(data in vec(any::<u8>(), 0..300)) {
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
    let mut dice = Dice::new(7);
    let mut reached = BTreeMap::<&str, usize>::new();
    for _ in 0..8_000 {
        let data: Vec<u8> = (0..200).map(|_| u8::try_from(dice.below(256)).unwrap()).collect();
        for outcome in storm::operations(&data) {
            let word = match outcome {
                Outcome::Accepted(_) => "accepted",
                Outcome::Lost { .. } => "lost",
                Outcome::NoTls(_) => "no TLS",
                Outcome::Refused { .. } => "refused",
                Outcome::Uncertain(_) => "uncertain",
                Outcome::Unexpected { .. } => "unexpected",
                Outcome::Unfit(_) => "unfit",
            };
            *reached.entry(word).or_default() += 1;
        }
    }
    println!("{reached:?}");
    assert!(
        reached.len() == 6 && reached.values().all(|count| *count >= 20),
        "{reached:?}"
    );
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
