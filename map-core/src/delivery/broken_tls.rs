//! Mail hosts whose TLS broke lately.
//!
//! A handshake that stalls costs each mail its whole deadline before the clear is tried. A host is remembered only when
//! it was spoken with in the clear right after the failure, so that it was TLS that failed and not the network.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a host is spared another handshake.
const KEPT: Duration = Duration::from_secs(600);
/// How many hosts are remembered; the oldest gives way.
const HOSTS: usize = 256;

/// Shared by all deliveries of an agent. Where a policy demands TLS it is not asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct BrokenTls(Arc<Mutex<VecDeque<Broken>>>);

#[derive(Debug)]
struct Broken {
    host: Arc<str>,
    since: Instant,
}

impl BrokenTls {
    pub(super) fn remember(&self, host: &Arc<str>) {
        self.forget(host);
        let mut hosts = self.lock();
        if hosts.len() >= HOSTS {
            hosts.pop_front();
        }
        hosts.push_back(Broken {
            host: Arc::clone(host),
            since: Instant::now(),
        });
    }

    pub(super) fn forget(&self, host: &Arc<str>) {
        self.lock().retain(|broken| broken.host != *host);
    }

    pub(super) fn knows(&self, host: &str) -> bool {
        let mut hosts = self.lock();
        hosts.retain(|broken| broken.since.elapsed() < KEPT);
        hosts.iter().any(|broken| &*broken.host == host)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Broken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_host_is_remembered_for_a_while_and_the_oldest_gives_way() {
        let broken = BrokenTls::default();
        broken.remember(&"mx1.example.org".into());
        tokio::time::advance(KEPT / 2).await;
        broken.clone().remember(&"mx2.example.org".into());
        assert!(broken.knows("mx1.example.org") && broken.knows("mx2.example.org"));
        assert!(!broken.knows("mx3.example.org"));
        tokio::time::advance(KEPT / 2).await;
        assert!(!broken.knows("mx1.example.org") && broken.knows("mx2.example.org"));
        for number in 0..HOSTS {
            broken.remember(&format!("other{number}.example.org").into());
        }
        assert!(!broken.knows("mx2.example.org") && broken.knows("other0.example.org"));
        assert_eq!(broken.lock().len(), HOSTS);
    }
}
