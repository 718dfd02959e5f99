//! The thread of a sandbox takes none of the signals of the program that is being tested: see the module of this name in
//! `map-core`, on which a test double does not depend.

/// Runs `start` with signals blocked in this thread: a thread that it starts inherits that from its first moment on.
///
/// Those that a fault of the thread itself raises stay as they are. What happens when one is raised while it is blocked is
/// undefined by POSIX (Linux ends the process, and a handler of the program's that would have said why is not called).
#[cfg(unix)]
pub(crate) fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    use nix::sys::signal::{SigSet, SigmaskHow, Signal};

    const OF_FAULTS: [Signal; 6] = [
        Signal::SIGBUS,
        Signal::SIGFPE,
        Signal::SIGILL,
        Signal::SIGSEGV,
        Signal::SIGSYS,
        Signal::SIGTRAP,
    ];
    struct Restore(Option<SigSet>);
    impl Drop for Restore {
        fn drop(&mut self) {
            // It fails for no set that was in force before.
            let _ = self.0.map(|before| before.thread_set_mask());
        }
    }
    let mut blocked = SigSet::all();
    for signal in OF_FAULTS {
        blocked.remove(signal);
    }
    let _restore = Restore(blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok());
    start()
}

/// There are no such signals.
#[cfg(not(unix))]
pub(crate) fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    start()
}
