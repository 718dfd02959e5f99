//! How much memory a process takes, as the kernel tells.

use std::fs;

/// The most memory, in octets, that a process has had resident so far, all of it counted; that of this process is of
/// `std::process::id()`.
///
/// # Panics
/// When the process is not there, or the kernel is not Linux.
pub fn peak(process: u32) -> u64 {
    let status =
        fs::read_to_string(format!("/proc/{process}/status")).expect("a process that runs, on Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
    kibibytes
        .and_then(|number| number.parse::<u64>().ok())
        .expect("a number")
        * 1024
}
