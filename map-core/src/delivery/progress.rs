//! How far a delivery is, for whoever waits for it.

use super::outcome::Stage;
use crate::smtp::ExchangeStage;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What is being done now; where several hosts are spoken with at the same time, the furthest of it.
    pub stage: Stage,
    /// Octets of content that were given to the system to send, over all hosts that the message goes to. Fewer than before
    /// when a content has to begin anew: with another host, or for recipients that one transaction has no room for.
    pub sent: u64,
    /// What `sent` comes to when all of it is sent, in octets; `None` while it is not known to how many hosts the message
    /// goes, and for a message whose length cannot be known ahead.
    pub total: Option<u64>,
}

/// What a delivery writes down of its progress. It is read by other threads.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    groups: Mutex<Vec<Gauge>>,
    /// No other group will be added.
    complete: AtomicBool,
    content_begun: AtomicBool,
    /// The message is still being put together.
    preparing: AtomicBool,
}

/// The progress with one group of recipients.
#[derive(Clone, Copy, Debug)]
struct Gauge {
    stage: Stage,
    sent: u64,
    size: Option<u64>,
    over: bool,
}

/// One group's part of a [`Meter`].
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupMeter<'a> {
    meter: &'a Meter,
    group: usize,
}

impl Meter {
    /// A content has been opened for a host, so it may have left.
    pub(crate) fn content_begun(&self) -> bool {
        self.content_begun.load(Ordering::Relaxed)
    }

    /// Whether the message is still being put together, which is `Stage::Check`.
    pub(crate) fn set_preparing(&self, preparing: bool) {
        self.preparing.store(preparing, Ordering::Relaxed);
    }

    pub(crate) fn progress(&self) -> Progress {
        self.of_groups(&self.lock())
    }

    /// The same without waiting; nothing while the delivery is writing it down.
    pub(crate) fn try_progress(&self) -> Option<Progress> {
        match self.groups.try_lock() {
            Ok(groups) => Some(self.of_groups(&groups)),
            Err(TryLockError::Poisoned(groups)) => Some(self.of_groups(&groups.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn of_groups(&self, groups: &[Gauge]) -> Progress {
        let under_way = groups.iter().filter(|group| !group.over).map(|group| group.stage);
        let furthest = under_way
            .max()
            .or_else(|| groups.iter().map(|group| group.stage).max());
        let sizes = groups
            .iter()
            .try_fold(0_u64, |sum, group| sum.checked_add(group.size?));
        Progress {
            stage: furthest.unwrap_or_else(|| {
                if self.preparing.load(Ordering::Relaxed) {
                    Stage::Check
                } else {
                    Stage::Route
                }
            }),
            sent: groups
                .iter()
                .fold(0, |sum: u64, group| sum.saturating_add(group.sent)),
            total: sizes.filter(|_| self.complete.load(Ordering::Relaxed)),
        }
    }

    /// Another group, to which a content of `size` octets goes.
    pub(super) fn add_group(&self, size: Option<u64>) -> GroupMeter<'_> {
        let mut groups = self.lock();
        groups.push(Gauge {
            stage: Stage::Route,
            sent: 0,
            size,
            over: false,
        });
        GroupMeter {
            meter: self,
            group: groups.len() - 1,
        }
    }

    /// It is known to whom the content goes.
    pub(super) fn complete(&self) {
        self.complete.store(true, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Gauge>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GroupMeter<'_> {
    /// A content has been opened for a host, be it for another group.
    pub(super) fn content_begun(self) -> bool {
        self.meter.content_begun()
    }

    pub(super) fn reach(self, stage: Stage) {
        self.change(|gauge| gauge.stage = stage);
    }

    /// A reply came; what is done next follows from it.
    pub(super) fn pass(self, stage: ExchangeStage) {
        match stage {
            ExchangeStage::Greeting => self.reach(Stage::Hello),
            ExchangeStage::StartTls => self.reach(Stage::Tls),
            ExchangeStage::Mail => self.reach(Stage::Rcpt),
            _ => {}
        }
    }

    /// A content of `size` octets goes out from its beginning.
    pub(super) fn begin_content(self, size: Option<u64>) {
        self.meter.content_begun.store(true, Ordering::Relaxed);
        self.change(|gauge| {
            gauge.stage = Stage::Content;
            gauge.sent = 0;
            gauge.size = size;
        });
    }

    /// So much of it was given to the system, in octets.
    pub(super) fn content_sent(self, octets: u64) {
        self.change(|gauge| gauge.sent = octets);
    }

    /// Nothing more is done for this group.
    pub(super) fn end(self) {
        self.change(|gauge| {
            gauge.over = true;
            // What it did not get, it does not get any more.
            gauge.size = Some(gauge.sent);
        });
    }

    fn change(self, change: impl FnOnce(&mut Gauge)) {
        if let Some(gauge) = self.meter.lock().get_mut(self.group) {
            change(gauge);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(stage: Stage, sent: u64, total: Option<u64>) -> Progress {
        Progress { stage, sent, total }
    }

    #[test]
    fn the_groups_make_one_progress() {
        let meter = Meter::default();
        assert_eq!(meter.progress(), progress(Stage::Route, 0, None));
        let one = meter.add_group(Some(100));
        let other = meter.add_group(Some(100));
        other.reach(Stage::Connect);
        assert_eq!(meter.progress(), progress(Stage::Connect, 0, None));
        meter.complete();
        assert_eq!(meter.progress(), progress(Stage::Connect, 0, Some(200)));
        assert!(!meter.content_begun());
        one.begin_content(Some(130));
        assert!(meter.content_begun());
        one.content_sent(70);
        assert_eq!(meter.progress(), progress(Stage::Content, 70, Some(230)));
        one.end();
        other.begin_content(Some(100));
        other.content_sent(100);
        assert_eq!(meter.progress(), progress(Stage::Content, 170, Some(170)));
        other.begin_content(None);
        assert_eq!(meter.progress(), progress(Stage::Content, 70, None));
    }

    #[test]
    fn what_is_over_does_not_hide_what_is_being_done() {
        let meter = Meter::default();
        let one = meter.add_group(Some(1));
        let other = meter.add_group(Some(1));
        one.begin_content(Some(1));
        other.reach(Stage::Connect);
        one.end();
        assert_eq!(meter.progress().stage, Stage::Connect);
        other.end();
        assert_eq!(meter.progress().stage, Stage::Content);
    }
}
