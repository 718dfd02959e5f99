//! The version of the library that is running.

use crate::boundary::guarded;
use std::ffi::{CStr, c_char};

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => panic!("a version has no NUL inside"),
};

const NUMBER: u32 = number(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
    + number(env!("CARGO_PKG_VERSION_MINOR")) * 1_000
    + number(env!("CARGO_PKG_VERSION_PATCH"));

const fn number(digits: &str) -> u32 {
    match u32::from_str_radix(digits, 10) {
        Ok(number) => number,
        Err(_) => panic!("the parts of a version are numbers"),
    }
}

/// The version of the library that is running, such as "0.1.0".
///
/// MAPAGENT_VERSION is the version of the header the program was compiled with.
///
/// @return a static string; never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn map_version() -> *const c_char {
    guarded(VERSION.as_ptr(), || VERSION.as_ptr())
}

/// The version of the library that is running as a number that grows: major * 1000000 + minor * 1000 + patch.
///
/// MAPAGENT_VERSION_NUMBER is the same for the header.
#[unsafe(no_mangle)]
pub extern "C" fn map_version_number() -> u32 {
    guarded(NUMBER, || NUMBER)
}
