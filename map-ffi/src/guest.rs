//! What a call leaves as it found it in the thread that called.

use std::ffi::c_int;

/// Holds while the library is inside a call. The thread cannot be cancelled meanwhile, and has the `errno` of before again
/// when this is dropped.
pub(crate) struct Visit {
    cancellation: Option<c_int>,
    errno: c_int,
}

impl Visit {
    pub(crate) fn begin() -> Self {
        Self {
            cancellation: set_cancellation(CANCEL_DISABLE),
            errno: errno(),
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        set_errno(self.errno);
        if let Some(before) = self.cancellation {
            set_cancellation(before);
        }
    }
}

/// Of `pthread.h` of glibc and musl; the crate `libc` has it not.
const CANCEL_DISABLE: c_int = 1;

/// A thread that is cancelled is unwound from where it waits, and unwinding that is no panic's cannot pass Rust: it aborts
/// the program. With cancellation off the request waits, and takes effect at the next cancellation point of the program's.
#[cfg(target_os = "linux")]
fn set_cancellation(state: c_int) -> Option<c_int> {
    unsafe extern "C" {
        fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
    }
    let mut before = 0;
    // SAFETY: one of the two states that there are, and a place for the one of before.
    let failed = unsafe { pthread_setcancelstate(state, &raw mut before) };
    (failed == 0).then_some(before)
}

/// Where nobody has tried it nothing is changed.
#[cfg(not(target_os = "linux"))]
fn set_cancellation(_state: c_int) -> Option<c_int> {
    None
}

#[cfg(target_os = "linux")]
fn errno() -> c_int {
    // SAFETY: the place that every thread has.
    unsafe { *libc::__errno_location() }
}

#[cfg(target_os = "linux")]
fn set_errno(errno: c_int) {
    // SAFETY: the place that every thread has.
    unsafe { *libc::__errno_location() = errno };
}

#[cfg(not(target_os = "linux"))]
fn errno() -> c_int {
    0
}

#[cfg(not(target_os = "linux"))]
fn set_errno(_errno: c_int) {}

/// Runs `write`, which may write to a pipe that nobody reads any more: the error is told, and no SIGPIPE raised. (What is
/// written to sockets says so with each call, and there is no such way for pipes.)
pub(crate) fn without_sigpipe<T>(write: impl FnOnce() -> T) -> T {
    let _held = HeldSigpipe::hold();
    write()
}

/// SIGPIPE is blocked in this thread until this is dropped; one that was raised meanwhile is taken away then.
struct HeldSigpipe {
    before: libc::sigset_t,
    was_pending: bool,
}

impl HeldSigpipe {
    fn hold() -> Self {
        let mut before = empty_set();
        // SAFETY: two sets that were made empty.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &sigpipe(), &raw mut before) };
        Self {
            before,
            was_pending: is_pending(),
        }
    }
}

impl Drop for HeldSigpipe {
    fn drop(&mut self) {
        // One from elsewhere is the program's own.
        if !self.was_pending && is_pending() {
            take_away();
        }
        // SAFETY: the set that was in force before, and no place for the one of now.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut()) };
    }
}

fn empty_set() -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: a place for a set, which this fills whole.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

fn sigpipe() -> libc::sigset_t {
    let mut set = empty_set();
    // SAFETY: a set, and a signal that there is.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGPIPE) };
    set
}

fn is_pending() -> bool {
    let mut pending = empty_set();
    // SAFETY: a set, and a signal that there is.
    unsafe {
        libc::sigpending(&raw mut pending);
        libc::sigismember(&raw const pending, libc::SIGPIPE) == 1
    }
}

#[cfg(not(target_vendor = "apple"))]
fn take_away() {
    let at_once = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a set, no place for what is known of the signal, and a time.
    while unsafe { libc::sigtimedwait(&sigpipe(), std::ptr::null_mut(), &raw const at_once) } == -1
        && errno() == libc::EINTR
    {}
}

/// There is no such call. It is pending for this thread, or this would wait.
#[cfg(target_vendor = "apple")]
fn take_away() {
    let mut taken = 0;
    // SAFETY: a set, and a place for the number of the signal.
    unsafe { libc::sigwait(&sigpipe(), &raw mut taken) };
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_call_leaves_errno_and_cancellation_as_they_were() {
        set_errno(libc::ERANGE);
        {
            let _outer = Visit::begin();
            let inner = Visit::begin();
            set_errno(libc::EPERM);
            drop(inner);
            assert_eq!(errno(), libc::ERANGE);
            assert_eq!(set_cancellation(CANCEL_DISABLE), Some(CANCEL_DISABLE));
            set_errno(libc::EPERM);
        }
        assert_eq!(errno(), libc::ERANGE);
        assert_eq!(set_cancellation(0), Some(0), "it was on, and is again");
    }

    #[test]
    fn a_broken_pipe_raises_nothing_and_takes_nothing_of_the_programs() {
        let raise = || {
            // SAFETY: a signal that there is, to this thread.
            unsafe { libc::raise(libc::SIGPIPE) };
        };
        // The test's own runtime ignores it, and what is ignored is never pending.
        // SAFETY: a signal that there is, and its first action.
        let ignored = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        without_sigpipe(raise);
        assert!(!is_pending());
        without_sigpipe(|| {
            raise();
            without_sigpipe(raise);
            assert!(is_pending(), "the one of before is left");
        });
        assert!(!is_pending());
        // SAFETY: as above.
        unsafe { libc::signal(libc::SIGPIPE, ignored) };
    }
}
