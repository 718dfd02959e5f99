//! The end of the program: the thread of the shared agent is not left behind.

use map_core::agent::close_default;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

static ARRANGED: AtomicBool = AtomicBool::new(false);

/// Has the shared agent closed when the program ends. An idle worker ends and frees what it holds, so that tools that
/// watch memory have nothing to say; one that is busy is not waited for.
pub(crate) fn arrange() {
    if !ARRANGED.swap(true, Ordering::Relaxed) {
        // SAFETY: `close` may be called at any time and from any thread, and stays where it is: the library is linked
        // so that it is never unloaded. If there is no room for it, the worker ends with the process.
        let _ = unsafe { libc::atexit(close) };
    }
}

extern "C" fn close() {
    // A panic must not leave a function that C calls.
    let _ = panic::catch_unwind(close_default);
}
