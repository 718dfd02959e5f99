//! When to give up.

use crate::smtp::Abort;
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until};

/// The caller's word that a delivery should stop. Cheap to clone; given from any thread, heard by one delivery.
#[derive(Clone, Debug)]
pub struct CancelSignal(Arc<watch::Sender<bool>>);

impl Default for CancelSignal {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl CancelSignal {
    /// Gives the signal; more than once is the same as once.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// It has been given.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    async fn cancelled(&self) {
        // The sender lives in `self`, so waiting ends only with the signal.
        if self.0.subscribe().wait_for(|&cancelled| cancelled).await.is_err() {
            pending::<()>().await;
        }
    }
}

/// What bounds one delivery as a whole, beside the deadlines of each step.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The caller's cancel signal.
    pub cancel: CancelSignal,
    /// The caller's own total deadline; it rules over all, DNS included.
    pub total: Option<Instant>,
    /// When the first octet of content must have left.
    pub content_start: Instant,
}

impl Limits {
    /// Waits for `work`, or for the reason to give it up. Holds while no content has been sent.
    ///
    /// # Errors
    /// Why to give up.
    pub async fn bound<T>(&self, work: impl Future<Output = T>) -> Result<T, Abort> {
        tokio::select! {
            biased;
            why = self.reached(true) => Err(why),
            value = work => Ok(value),
        }
    }

    /// Waits for a place, or for the caller's reason to give up. Time that is waited so is not the host's, and does not
    /// count until the content.
    ///
    /// # Errors
    /// Why to give up.
    pub(crate) async fn place(&mut self, places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Abort> {
        let since = Instant::now();
        let place = Arc::clone(places).acquire_owned();
        tokio::select! {
            biased;
            why = self.reached(false) => Err(why),
            // It is an error only of places that are closed, and nobody closes them.
            Ok(place) = place => {
                self.content_start += since.elapsed();
                Ok(place)
            }
            else => Err(Abort::Deadline),
        }
    }

    /// The time left until content must start.
    pub(crate) fn left(&self) -> Duration {
        let deadline = self
            .total
            .map_or(self.content_start, |total| total.min(self.content_start));
        deadline.saturating_duration_since(Instant::now())
    }

    /// Completes when a limit is reached. `before_content` says whether [`Self::content_start`] still counts.
    pub(crate) async fn reached(&self, before_content: bool) -> Abort {
        let deadline = match (self.total, before_content) {
            (Some(total), true) => Some(total.min(self.content_start)),
            (None, true) => Some(self.content_start),
            (total, false) => total,
        };
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Abort::Cancelled,
            () = passed(deadline) => Abort::Deadline,
        }
    }
}

/// Completes at the deadline; never, if there is none.
pub(super) async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
