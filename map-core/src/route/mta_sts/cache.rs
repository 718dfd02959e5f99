//! What is remembered of domains. No clock in here: every call is told the time.

use super::record::{RecordError, StsId};
use super::{FetchError, StsFinding, StsMode, StsPolicy, StsPolicyError};
use crate::address::Domain;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Domains that are remembered; of more, those that were not asked about for longest go.
const MAX_DOMAINS: usize = 1_000;
/// What all policies may take in memory, in octets. Real ones take a few hundred each; as large a one as is read takes
/// more than a hundred thousand.
const MAX_WEIGHT: usize = 4 * 1024 * 1024;

// https://www.rfc-editor.org/rfc/rfc8461#section-3.3
// > In the case where the HTTPS GET fails, implementers SHOULD limit further attempts to a period of five minutes or
// > longer per version ID
const RETRY_AFTER: Duration = Duration::from_secs(5 * 60);

/// A look-up of a record that failed after so long is not repeated for [`RETRY_AFTER`], or each mail would wait for it.
/// One that failed sooner keeps no mail waiting.
const SLOW: Duration = Duration::from_secs(1);

// https://www.rfc-editor.org/rfc/rfc8461#section-3.3
// > MTAs SHOULD proactively refresh cached policies before they expire; a suggested refresh frequency is once per day.
const REFRESH_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Policies, and failures to get one, by domain.
#[derive(Debug, Default)]
pub(super) struct Cache {
    domains: HashMap<Domain, Entry>,
}

/// What is known of a domain.
#[derive(Debug)]
struct Entry {
    kept: Option<Kept>,
    failed: Option<Failed>,
    unanswered: Option<Unanswered>,
    used: Instant,
}

/// A policy that was fetched.
#[derive(Debug)]
struct Kept {
    policy: Arc<StsPolicy>,
    id: StsId,
    fetched: Instant,
}

/// A policy that was not fetched.
#[derive(Debug)]
struct Failed {
    id: StsId,
    at: Instant,
    problem: String,
}

/// A record that nobody could tell anything of, after a wait.
#[derive(Debug)]
struct Unanswered {
    at: Instant,
    problem: String,
}

/// Why a record led to no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("what was fetched {0}")]
    Policy(#[from] StsPolicyError),
}

impl Cache {
    /// What is known of a domain whose record says `id`; nothing if the policy is to be fetched.
    pub(super) fn known(&mut self, domain: &Domain, id: &StsId, now: Instant) -> Option<StsFinding> {
        let entry = self.domains.get_mut(domain)?;
        entry.used = now;
        if let Some(kept) = &entry.kept
            && now < kept.fetched + refresh_after(&kept.policy)
            && kept.id == *id
        {
            return Some(StsFinding::Policy(Arc::clone(&kept.policy)));
        }
        let failed = entry.failed.as_ref()?;
        (failed.id == *id && now < failed.at + RETRY_AFTER).then(|| entry.instead(&failed.problem, now))
    }

    /// Remembers what a fetch came to, and tells what to go by.
    pub(super) fn fetched(
        &mut self,
        domain: &Domain,
        id: StsId,
        result: Result<StsPolicy, Failure>,
        now: Instant,
    ) -> StsFinding {
        let entry = self.entry(domain, now);
        match result {
            Ok(policy) => {
                let policy = Arc::new(policy);
                entry.kept = Some(Kept {
                    policy: Arc::clone(&policy),
                    id,
                    fetched: now,
                });
                self.shrink(domain, MAX_DOMAINS, now);
                StsFinding::Policy(policy)
            }
            Err(failure) => {
                let problem = failure.to_string();
                if !matches!(&failure, Failure::Fetch(error) if error.is_local()) {
                    entry.failed = Some(Failed {
                        id,
                        at: now,
                        problem: problem.clone(),
                    });
                }
                entry.instead(&problem, now)
            }
        }
    }

    /// What to go by for a domain whose record need not be looked up again yet.
    pub(super) fn unanswered(&mut self, domain: &Domain, now: Instant) -> Option<StsFinding> {
        let entry = self.domains.get_mut(domain)?;
        let unanswered = entry.unanswered.as_ref()?;
        let finding = (now < unanswered.at + RETRY_AFTER).then(|| entry.instead(&unanswered.problem, now))?;
        entry.used = now;
        Some(finding)
    }

    /// What to go by for a domain without a record to go by, for a look-up that began at `began`.
    pub(super) fn without_record(
        &mut self,
        domain: &Domain,
        why: &RecordError,
        began: Instant,
        now: Instant,
    ) -> StsFinding {
        if matches!(why, RecordError::Lookup(_)) && now >= began + SLOW {
            self.entry(domain, now).unanswered = Some(Unanswered {
                at: now,
                problem: why.to_string(),
            });
        }
        match self.instead(domain, &why.to_string(), now) {
            StsFinding::NoPolicy { .. } if *why == RecordError::Absent => {
                StsFinding::NoPolicy { problem: None }
            }
            finding => finding,
        }
    }

    /// What to go by when a domain was not asked to the end.
    // https://www.rfc-editor.org/rfc/rfc8461#section-3.1
    // > the absence of a usable TXT record is not by itself sufficient to remove a sender's previously cached policy
    pub(super) fn instead(&mut self, domain: &Domain, problem: &str, now: Instant) -> StsFinding {
        match self.domains.get_mut(domain) {
            Some(entry) if entry.unexpired(now).is_some() => {
                entry.used = now;
                entry.instead(problem, now)
            }
            _ => StsFinding::NoPolicy {
                problem: Some(problem.to_owned()),
            },
        }
    }

    fn entry(&mut self, domain: &Domain, now: Instant) -> &mut Entry {
        if !self.domains.contains_key(domain) {
            self.shrink(domain, MAX_DOMAINS - 1, now);
        }
        let entry = self.domains.entry(domain.clone()).or_insert_with(|| Entry {
            kept: None,
            failed: None,
            unanswered: None,
            used: now,
        });
        entry.used = now;
        entry
    }

    /// Forgets until at most so many domains are left, and not too large policies; never this one.
    fn shrink(&mut self, current: &Domain, domains: usize, now: Instant) {
        while self.domains.len() > domains || self.weight() > MAX_WEIGHT {
            let others = self.domains.iter().filter(|(domain, _)| *domain != current);
            // A policy is protection, and a failure is none: whoever makes up domains to have policies forgotten must
            // at least publish as many.
            let Some((least, _)) =
                others.min_by_key(|(_, entry)| (entry.unexpired(now).is_some(), entry.used))
            else {
                return;
            };
            let least = least.clone();
            self.domains.remove(&least);
        }
    }

    fn weight(&self) -> usize {
        let policies = self.domains.values().filter_map(|entry| entry.kept.as_ref());
        policies.map(|kept| kept.policy.weight()).sum()
    }
}

impl Entry {
    fn unexpired(&self, now: Instant) -> Option<&Arc<StsPolicy>> {
        let kept = self.kept.as_ref()?;
        (now < kept.fetched + kept.policy.max_age).then_some(&kept.policy)
    }

    /// What to go by when the current policy could not be had.
    // https://www.rfc-editor.org/rfc/rfc8461#section-3.3
    // > if no "live" policy can be discovered via DNS or fetched via HTTPS, but a valid (non-expired) policy exists in
    // > the sender's cache, the sender MUST apply that cached policy.
    fn instead(&self, problem: &str, now: Instant) -> StsFinding {
        match self.unexpired(now) {
            // > MTAs SHOULD alert administrators [...] when such attempts fail, unless the cached policy mode is
            // > "none".
            Some(policy) if policy.mode == StsMode::None => StsFinding::Policy(Arc::clone(policy)),
            Some(policy) => StsFinding::Kept {
                policy: Arc::clone(policy),
                problem: format!("{problem}; the policy that is remembered still holds"),
            },
            None => StsFinding::NoPolicy {
                problem: Some(problem.to_owned()),
            },
        }
    }
}

fn refresh_after(policy: &StsPolicy) -> Duration {
    REFRESH_AFTER.min(policy.max_age / 2)
}

#[cfg(test)]
mod tests;
