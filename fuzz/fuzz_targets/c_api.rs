//! Functions of the C interface in any order; a test of map-ffi runs the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mapagent::storm::program(data));
