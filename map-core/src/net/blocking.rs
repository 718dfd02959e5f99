//! Work that may wait, in threads beside the worker's.

use crate::local::LocalError;
use std::panic::{self, AssertUnwindSafe};
use tokio::task::{JoinHandle, spawn_blocking};

/// Starts work that may wait in a thread of its own.
///
/// # Errors
/// [`LocalError::Threads`]: the system gives none. tokio panics then; what it was changing is a queue, in which the work
/// waits for a thread that may come.
pub(crate) fn start<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, LocalError> {
    panic::catch_unwind(AssertUnwindSafe(|| spawn_blocking(work))).map_err(|_| LocalError::Threads)
}
