//! Texts of MTA-STS policies; the property tests of map-core run the same.
#![no_main]

#[path = "../../map-core/tests/support/parsers.rs"]
#[allow(dead_code, reason = "each target runs one of them")]
mod parsers;

libfuzzer_sys::fuzz_target!(|data: &[u8]| parsers::mta_sts(data));
