//! Certificates, as they are read where no verifier takes them; a test of map-core runs the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| map_core::net::tls::read_all_of_a_certificate(data));
