//! Watching a send go, and cancelling it.

use crate::boundary::guarded;
use crate::pointer;
use crate::report::map_stage;
use map_core::{Job, Progress, Report};
use std::ffi::c_void;

/// How far a send is. It belongs to the library and lasts as long as the call of the function that it was handed to.
#[derive(Debug)]
pub struct map_progress {
    progress: Progress,
}

/// Is told how far a send is, in the thread that called: at once, then every MAP_PROGRESS_INTERVAL_MS milliseconds
/// whether that has changed or not, and once more at the end if it has changed since. Returns 0 to go on, anything else
/// to cancel the send, at any time and while a host is silent too. The send then ends at once, and the function is not
/// called again: see RE_CANCELLED and RE_UNCERTAIN. It must not leave by longjmp() or an exception.
pub type map_progress_fn =
    Option<unsafe extern "C" fn(progress: *const map_progress, user_data: *mut c_void) -> i32>;

/// What is being done now; where several hosts are spoken with at the same time, the furthest of it.
///
/// @param progress NULL: MAP_STAGE_CHECK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_progress_stage(progress: *const map_progress) -> map_stage {
    guarded(map_stage::MAP_STAGE_OTHER, || {
        // SAFETY: NULL, or what the library handed out and takes back after this call.
        let progress = unsafe { pointer::shared(progress) };
        progress.map_or(map_stage::MAP_STAGE_CHECK, |progress| {
            progress.progress.stage.into()
        })
    })
}

/// How many octets of the message were given to the system to send, over all hosts that it goes to. Fewer than before when
/// it has to begin anew with another host.
///
/// @param progress NULL: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_progress_sent(progress: *const map_progress) -> u64 {
    guarded(0, || {
        // SAFETY: as for `map_progress_stage`.
        unsafe { pointer::shared(progress) }.map_or(0, |progress| progress.progress.sent)
    })
}

/// How many octets it will be in all.
///
/// @param progress NULL: MAP_SIZE_UNKNOWN.
/// @return MAP_SIZE_UNKNOWN while it cannot be told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_progress_total(progress: *const map_progress) -> u64 {
    guarded(u64::MAX, || {
        // SAFETY: as for `map_progress_stage`.
        let progress = unsafe { pointer::shared(progress) };
        progress
            .and_then(|progress| progress.progress.total)
            .unwrap_or(u64::MAX)
    })
}

/// Waits for the report and tells how far it is, until the function cancels the send.
///
/// # Safety
/// The function may be called with `user_data` by this thread.
pub(crate) unsafe fn wait_telling(
    job: Job,
    tell: unsafe extern "C" fn(*const map_progress, *mut c_void) -> i32,
    user_data: *mut c_void,
) -> Report {
    let cancel = job.cancel_signal();
    job.wait_with(|&progress| {
        if cancel.is_cancelled() {
            return;
        }
        let progress = map_progress { progress };
        // SAFETY: the program vouches for its function.
        if unsafe { tell(&raw const progress, user_data) } != 0 {
            cancel.cancel();
        }
    })
}
