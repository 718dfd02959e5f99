//! Octets into the reply parser, in several pieces; the property tests of map-core run the same.
#![no_main]

#[path = "../../map-core/tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| support::storm::replies(data));
