//! How many wait for something that others hold and may give up.

use std::sync::Arc;
use tokio::sync::watch;

/// Shared by those who wait and those who hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted(Arc<watch::Sender<usize>>);

impl Wanted {
    /// Somebody waits, until this is dropped.
    pub(crate) fn wish(&self) -> Wish<'_> {
        self.0.send_modify(|wishes| *wishes += 1);
        Wish(self)
    }

    /// Completes as soon as somebody waits.
    pub(crate) async fn is_wanted(&self) {
        // The sender lives in `self`.
        let _ = self.0.subscribe().wait_for(|&wishes| wishes > 0).await;
    }
}

#[derive(Debug)]
#[must_use = "it is over when it is dropped"]
pub(crate) struct Wish<'a>(&'a Wanted);

impl Drop for Wish<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|wishes| *wishes -= 1);
    }
}
