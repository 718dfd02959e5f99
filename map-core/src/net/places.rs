//! How much of the process an agent may use at the same time.

use std::sync::Arc;
use tokio::sync::Semaphore;

/// An agent has this part of the descriptors that the process may open; the rest is the program's.
const SHARE: u64 = 4;

/// Sockets that are open at once while a host is looked up: a few questions, each to more than one server. Such a question
/// lasts for milliseconds as a rule, so this is what several look-ups have on the average.
const FOR_A_LOOK_UP: u64 = 3;

/// Places of an agent that deliveries wait for, first come, first served. Without them, a thousand sends at once open
/// what a thousand sends need, and most fail.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// One for each connection to a mail host.
    pub(crate) sessions: Arc<Semaphore>,
    /// One for each host or domain that is looked up, and for each question whether port 25 is blocked.
    pub(crate) look_ups: Arc<Semaphore>,
}

impl Places {
    /// By the limit that the process has now.
    pub(crate) fn of_this_process() -> Self {
        Self::among(descriptors())
    }

    /// So many of each.
    #[cfg(test)]
    pub(crate) fn with(sessions: usize, look_ups: usize) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self {
            sessions: places(sessions),
            look_ups: places(look_ups),
        }
    }

    /// Half of the share for connections, and half for look-ups; one of each at least.
    fn among(descriptors: Option<u64>) -> Self {
        let share = descriptors.map_or(u64::MAX, |descriptors| descriptors / SHARE);
        let places = |count: u64| {
            let most = Semaphore::MAX_PERMITS;
            let count = usize::try_from(count).unwrap_or(most);
            Arc::new(Semaphore::new(count.clamp(1, most)))
        };
        Self {
            sessions: places(share / 2),
            look_ups: places(share / 2 / FOR_A_LOOK_UP),
        }
    }
}

/// `None` where there is no limit, or none that can be asked for.
#[cfg(unix)]
fn descriptors() -> Option<u64> {
    use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    (soft != RLIM_INFINITY).then_some(soft)
}

/// Sockets are handles there, of which a process has millions.
#[cfg(not(unix))]
fn descriptors() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{CancelSignal, Limits};
    use crate::smtp::Abort;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn there_are_places_for_a_quarter_and_one_at_least() {
        let rows = [
            (Some(0), 1, 1),
            (Some(16), 2, 1),
            (Some(256), 32, 10),
            (Some(1024), 128, 42),
            (Some(4096), 512, 170),
        ];
        for (descriptors, sessions, look_ups) in rows {
            let places = Places::among(descriptors);
            assert_eq!(places.sessions.available_permits(), sessions, "{descriptors:?}");
            assert_eq!(places.look_ups.available_permits(), look_ups, "{descriptors:?}");
        }
    }

    fn limits(total: Option<Duration>) -> Limits {
        let now = Instant::now();
        Limits {
            cancel: CancelSignal::default(),
            total: total.map(|total| now + total),
            content_start: now + Duration::from_secs(3),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_hears_the_callers_limits_and_no_other() {
        let places = Places::among(Some(0)).sessions;
        let first = limits(None).place(&places).await.expect("there is one");

        let mut waiting = limits(Some(Duration::from_secs(10)));
        assert_eq!(waiting.place(&places).await.map(drop), Err(Abort::Deadline));

        let mut waiting = limits(None);
        waiting.cancel.cancel();
        assert_eq!(waiting.place(&places).await.map(drop), Err(Abort::Cancelled));

        // Time to the first octet of content is not used up by waiting.
        let mut waiting = limits(None);
        let before = waiting.content_start;
        let leave = async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            drop(first);
        };
        let (place, ()) = tokio::join!(waiting.place(&places), leave);
        assert!(place.is_ok());
        assert_eq!(waiting.content_start, before + Duration::from_secs(100));
    }
}
