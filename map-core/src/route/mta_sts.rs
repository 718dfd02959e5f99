//! MTA-STS ([RFC 8461]): a domain's word that its mail hosts speak TLS and show certificates that can be verified.
//!
//! Without it, and without DANE, an attacker on the way can strip STARTTLS from a conversation or forge the MX records
//! of a domain, and read the mail. A domain that publishes a policy says in two places what to expect of its hosts: a
//! TXT record at `_mta-sts.DOMAIN` says that there is a policy and which version, and
//! `https://mta-sts.DOMAIN/.well-known/mta-sts.txt` is the policy. It names the mail hosts, by patterns, and a mode:
//!
//! | mode | what it leads to |
//! | --- | --- |
//! | `enforce` | Only hosts that the policy names are used, over TLS, with a certificate that a certificate authority vouches for. A host that does not fit is skipped; when none fits the failure is transient, and nothing was sent in the clear. |
//! | `testing` | The mail is delivered as if there were no policy, and what would have failed is reported. |
//! | `none` | As if there were no policy: how a domain takes its policy back. |
//!
//! Where DANE applies to a host, MTA-STS is not asked about it.
//!
//! A policy is remembered for as long as it says (`max_age`), so that an attacker who can suppress the TXT record or
//! the HTTPS answer must have done so since before the first mail to the domain. It is remembered **in memory only**:
//! an agent keeps no file, and a new process starts without knowledge. A program that lives long is protected better
//! than one that sends a single mail; DANE has no such gap. A policy that is in use is fetched again before it ends:
//! once a day, or when half of its time is over if that is sooner.
//!
//! A policy that cannot be had, where none is remembered, is as no policy: the RFC demands it, and a web server that is
//! down must not stop a domain's mail. [`StsFinding::problem`] then says so, for a warning.
//!
//! [RFC 8461]: https://www.rfc-editor.org/rfc/rfc8461

mod cache;
mod policy;
mod record;

pub use policy::{MxPattern, StsMode, StsPolicy, StsPolicyError};

use super::{HostName, LookupError, Resolver};
use crate::address::Domain;
use crate::wanted::Wanted;
use bytes::Bytes;
use cache::{Cache, Failure};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout};

/// How long the TXT record may take.
const RECORD_TIME: Duration = Duration::from_secs(15);

/// How long a policy may take in all: addresses, connection, handshake and answer.
// https://www.rfc-editor.org/rfc/rfc8461#section-3.3
// > A suggested timeout is one minute
//
// That is for queues. Here a caller waits for the reply, and has 300 seconds until the first octet of content by
// default; a web server that is well answers within one, and a failure is not repeated for five minutes.
const FETCH_TIME: Duration = Duration::from_secs(15);

/// Look-ups that are under way or wait for their turn, in all. Each that waits has a mail that waits for it, and there are
/// fewer of them than this wherever descriptors are counted.
const MAX_FLIGHTS: usize = 1024;

/// A look-up without an answer makes room for another after this time, if there is no room for both, and is made again when
/// there is. Hosts that are there answer well within it.
const GIVES_WAY: Duration = Duration::from_secs(2);

const TOO_MANY: &str = "too many others are looked up at the same time";

/// What MTA-STS says of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StsFinding {
    /// This policy is remembered and still holds, although the domain could not be asked for the current one.
    Kept {
        /// The policy.
        policy: Arc<StsPolicy>,
        /// As [`StsFinding::problem`] gives it.
        problem: String,
    },
    /// There is no policy to go by.
    NoPolicy {
        /// As [`StsFinding::problem`] gives it, where there may be a policy.
        problem: Option<String>,
    },
    /// The policy.
    Policy(Arc<StsPolicy>),
}

impl StsFinding {
    /// The policy to go by, of whatever mode.
    pub fn policy(&self) -> Option<&Arc<StsPolicy>> {
        match self {
            Self::Kept { policy, .. } | Self::Policy(policy) => Some(policy),
            Self::NoPolicy { .. } => None,
        }
    }

    /// What kept the current policy from being had, for a warning: a phrase that goes after "the MTA-STS policy of
    /// example.org could not be had:".
    pub fn problem(&self) -> Option<&str> {
        match self {
            Self::Kept { problem, .. } => Some(problem),
            Self::NoPolicy { problem } => problem.as_deref(),
            Self::Policy(_) => None,
        }
    }
}

/// The future of [`FetchPolicy::fetch`].
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Bytes, FetchError>> + Send + 'a>>;

/// Fetches policies. A trait so that the rules of this module need no socket; [`crate::net::HttpsFetcher`] is the real
/// one.
pub trait FetchPolicy: Send + Sync + fmt::Debug {
    /// Gets `https://HOST/.well-known/mta-sts.txt`, the certificate verified for `host`. The caller sets the time limit
    /// and drops the future when it is over.
    fn fetch<'a>(&'a self, host: &'a HostName) -> Fetching<'a>;
}

/// Why a policy was not fetched; a phrase about the policy host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// What it answered is not HTTP, or not all of it came.
    #[error("the policy host {0}")]
    Broken(String),
    /// It could not be connected to.
    #[error("the policy host could not be connected to: {0}")]
    Connect(String),
    /// All of its addresses are loopback, link-local and the like.
    #[error("the policy host has no address that may be connected to")]
    ForbiddenTarget,
    /// This machine, or the proxy it is set to use, did not get as far as the policy host.
    #[error("the policy host was not asked: {0}")]
    Local(String),
    /// Its addresses could not be looked up.
    #[error("the address of the policy host could not be looked up: {0}")]
    Lookup(LookupError),
    /// What it sent is no text, but HTML or the like: somebody else's page.
    #[error("the policy host sent {0}, and a policy is text/plain")]
    MediaType(String),
    /// It has no address, or does not exist.
    #[error("the policy host has no address")]
    NoAddress,
    /// The status code of its answer, where that is not 200.
    #[error("the policy host answered {0}{redirect}", redirect = redirect(*.0))]
    Status(u16),
    /// It did not answer in time.
    #[error("the policy host did not answer in time")]
    TimedOut,
    /// There is no TLS session with it, or its certificate does not prove its name.
    #[error("the policy host cannot be trusted: {0}")]
    Tls(String),
    /// The policy has more than 64 KiB.
    #[error("the policy host sent more than 64 KiB")]
    TooLarge,
}

fn redirect(status: u16) -> &'static str {
    // https://www.rfc-editor.org/rfc/rfc8461#section-3.3
    // > HTTP 3xx redirects MUST NOT be followed
    match status {
        300..=399 => ", and a redirect must not be followed",
        _ => "",
    }
}

impl FetchError {
    /// Nothing was asked of the policy host, so that asking again at once is no burden to it.
    fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }
}

/// The policies an agent knows. One is shared by all of its deliveries.
///
/// # Example
/// ```
/// use map_core::address::Domain;
/// use map_core::route::mta_sts::{FetchPolicy, MtaSts, StsMode};
/// use map_core::route::{HostName, Resolver};
/// use std::sync::Arc;
///
/// # async fn example(
/// #     resolver: &Arc<dyn Resolver>,
/// #     fetcher: &Arc<dyn FetchPolicy>,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let known = MtaSts::new();
/// let domain: Domain = "example.org".parse()?;
/// let finding = known.policy(resolver, fetcher, &domain).await;
/// if let Some(policy) = finding.policy().filter(|policy| policy.mode == StsMode::Enforce) {
///     println!("mx1.example.org may be used: {}", policy.matches(&HostName::parse("mx1.example.org")?));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct MtaSts {
    shared: Arc<Shared>,
    places: FlightPlaces,
}

/// How many look-ups may be under way at the same time. One that nobody waits for any more goes on until another one wants
/// its place.
#[derive(Clone, Debug)]
pub(crate) struct FlightPlaces {
    /// For those in their first [`GIVES_WAY`].
    beginning: Arc<Semaphore>,
    /// For those that take longer.
    slow: Arc<Semaphore>,
    /// How many wait for a place for slow ones.
    wanted: Wanted,
}

impl FlightPlaces {
    /// So many, one half for those that begin; and one for each kind at least.
    pub(crate) fn new(count: usize) -> Self {
        let half = (count.min(MAX_FLIGHTS) / 2).max(1);
        Self {
            beginning: Arc::new(Semaphore::new(half)),
            slow: Arc::new(Semaphore::new(half)),
            wanted: Wanted::default(),
        }
    }
}

impl Default for FlightPlaces {
    fn default() -> Self {
        Self::new(MAX_FLIGHTS)
    }
}

/// A look-up.
#[derive(Debug, Default)]
struct Flight {
    /// What it comes to, once it has.
    finding: watch::Sender<Option<StsFinding>>,
    /// It waits for a place.
    waits: AtomicBool,
}

/// What deliveries share with the look-ups that they began.
#[derive(Debug, Default)]
struct Shared {
    cache: Mutex<Cache>,
    /// The look-ups under way, by domain.
    flights: Mutex<HashMap<Domain, Arc<Flight>>>,
}

/// The names of a domain that MTA-STS knows of.
#[derive(Debug)]
struct Names {
    record: HostName,
    policy_host: HostName,
}

impl MtaSts {
    /// Knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Knows nothing, and shares these places with others.
    pub(crate) fn with_places(places: FlightPlaces) -> Self {
        let shared = Arc::default();
        Self { shared, places }
    }

    /// The policy of a domain, remembered or fetched.
    ///
    /// It takes at most 15 seconds for the record and 15 for the policy. Deliveries that ask at the same time share one
    /// look-up and what it comes to. It is a task of its own: it goes on when this future is dropped, so that a caller
    /// without patience leaves the answer to the next, and the next does not begin to wait from the start. Where too many
    /// are asked for at once, one that is silent for two seconds makes room for another, and is made again when there is
    /// room for it; or is broken off, if nobody waits for it any more.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub async fn policy(
        &self,
        resolver: &Arc<dyn Resolver>,
        fetcher: &Arc<dyn FetchPolicy>,
        domain: &Domain,
    ) -> StsFinding {
        let Some(names) = Names::of(domain) else {
            return StsFinding::NoPolicy { problem: None };
        };
        let Some(mut flight) = self.flight(resolver, fetcher, domain, names) else {
            return self.without_answer(domain, TOO_MANY);
        };
        let landed = flight.wait_for(Option::is_some).await;
        let finding = landed.ok().and_then(|finding| finding.clone());
        finding.unwrap_or_else(|| self.without_answer(domain, "its look-up was broken off"))
    }

    /// What to go by for a domain that there is no time to ask, and why there is none: as [`StsFinding::problem`].
    pub(crate) fn without_answer(&self, domain: &Domain, problem: &str) -> StsFinding {
        lock(&self.shared.cache).instead(domain, problem, Instant::now())
    }

    /// The same for one that the caller does not wait for any longer, and still has the future of.
    pub(crate) fn without_patience(&self, domain: &Domain) -> StsFinding {
        let flights = lock(&self.shared.flights);
        let waits = |flight: &Arc<Flight>| flight.waits.load(Ordering::Relaxed);
        let waits = flights.get(domain).is_some_and(waits);
        drop(flights);
        let problem = if waits {
            TOO_MANY
        } else {
            "there was no time left to wait for it"
        };
        self.without_answer(domain, problem)
    }

    /// A look-up is under way, whether somebody waits for it or not.
    pub(crate) fn is_looking_up(&self) -> bool {
        !lock(&self.shared.flights).is_empty()
    }

    /// Joins the look-up that is under way, or begins one; `None` if there are too many already.
    fn flight(
        &self,
        resolver: &Arc<dyn Resolver>,
        fetcher: &Arc<dyn FetchPolicy>,
        domain: &Domain,
        names: Names,
    ) -> Option<watch::Receiver<Option<StsFinding>>> {
        let mut flights = lock(&self.shared.flights);
        if let Some(flight) = flights.get(domain) {
            return Some(flight.finding.subscribe());
        }
        if flights.len() >= MAX_FLIGHTS {
            return None;
        }
        let flight = Arc::<Flight>::default();
        let finding = flight.finding.subscribe();
        flights.insert(domain.clone(), Arc::clone(&flight));
        let landing = Landing {
            shared: Arc::clone(&self.shared),
            domain: domain.clone(),
            flight,
        };
        let places = self.places.clone();
        let (resolver, fetcher) = (Arc::clone(resolver), Arc::clone(fetcher));
        tokio::spawn(async move {
            let (resolver, fetcher) = (resolver.as_ref(), fetcher.as_ref());
            let found = landing.fly(&places, resolver, fetcher, &names).await;
            if found.is_some() {
                landing.flight.finding.send_replace(found);
            }
        });
        Some(finding)
    }
}

impl Names {
    /// A name too long for the DNS has no records.
    fn of(domain: &Domain) -> Option<Self> {
        let below = |label: &str| HostName::parse(&format!("{label}.{}", domain.as_ascii())).ok();
        Some(Self {
            record: below("_mta-sts")?,
            policy_host: below("mta-sts")?,
        })
    }
}

/// A look-up that is under way until this is dropped, however it ends.
struct Landing {
    shared: Arc<Shared>,
    domain: Domain,
    flight: Arc<Flight>,
}

impl Landing {
    /// Looks up once there is a place; `None` if nobody waits for that any more.
    async fn fly(
        &self,
        places: &FlightPlaces,
        resolver: &dyn Resolver,
        fetcher: &dyn FetchPolicy,
        names: &Names,
    ) -> Option<StsFinding> {
        let place = self.place(&places.beginning).await?;
        {
            let mut looking_up = pin!(self.look_up(resolver, fetcher, names));
            if let Ok(found) = timeout(GIVES_WAY, looking_up.as_mut()).await {
                return Some(found);
            }
            if let Ok(_slow) = Arc::clone(&places.slow).try_acquire_owned() {
                drop(place);
                return self.unless_unwanted(places, looking_up).await;
            }
            // Its sockets are closed before another one has the place.
        }
        drop(place);
        let wish = places.wanted.wish();
        let _slow = self.place(&places.slow).await?;
        drop(wish);
        self.unless_unwanted(places, self.look_up(resolver, fetcher, names))
            .await
    }

    /// Waits for a place as long as somebody waits for this.
    async fn place(&self, places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        self.flight.waits.store(true, Ordering::Relaxed);
        let place = tokio::select! {
            biased;
            place = Arc::clone(places).acquire_owned() => place.ok()?,
            () = self.deserted() => return None,
        };
        self.flight.waits.store(false, Ordering::Relaxed);
        Some(place)
    }

    /// Goes on until nobody waits for this any more, and another one waits for the place.
    async fn unless_unwanted(
        &self,
        places: &FlightPlaces,
        looking_up: impl Future<Output = StsFinding>,
    ) -> Option<StsFinding> {
        let unwanted = async {
            loop {
                self.flight.finding.closed().await;
                places.wanted.is_wanted().await;
                if self.end_if_deserted() {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            found = looking_up => Some(found),
            () = unwanted => None,
        }
    }

    /// Completes when nobody waits any more, and ends it.
    async fn deserted(&self) {
        loop {
            self.flight.finding.closed().await;
            if self.end_if_deserted() {
                return;
            }
        }
    }

    /// Whoever asks from then on begins another look-up.
    fn end_if_deserted(&self) -> bool {
        let mut flights = lock(&self.shared.flights);
        // Who joins it does so after this lock.
        let deserted = self.flight.finding.receiver_count() == 0;
        if deserted {
            flights.remove(&self.domain);
        }
        deserted
    }

    async fn look_up(&self, resolver: &dyn Resolver, fetcher: &dyn FetchPolicy, names: &Names) -> StsFinding {
        let cache = || lock(&self.shared.cache);
        let began = Instant::now();
        let unanswered = cache().unanswered(&self.domain, began);
        if let Some(finding) = unanswered {
            return finding;
        }
        let looked_up = timeout(RECORD_TIME, record::find(resolver, &names.record)).await;
        let id = match looked_up.unwrap_or(Err(LookupError::NoAnswer.into())) {
            Ok(id) => id,
            Err(why) => return cache().without_record(&self.domain, &why, began, Instant::now()),
        };
        let known = cache().known(&self.domain, &id, Instant::now());
        if let Some(finding) = known {
            return finding;
        }
        let policy = fetch(fetcher, &names.policy_host).await;
        cache().fetched(&self.domain, id, policy, Instant::now())
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut flights = lock(&self.shared.flights);
        let current = flights.get(&self.domain);
        // After it was deserted there may be another one.
        if current.is_some_and(|current| Arc::ptr_eq(current, &self.flight)) {
            flights.remove(&self.domain);
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half done by a panic in there.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn fetch(fetcher: &dyn FetchPolicy, policy_host: &HostName) -> Result<StsPolicy, Failure> {
    let text = timeout(FETCH_TIME, fetcher.fetch(policy_host))
        .await
        .unwrap_or(Err(FetchError::TimedOut))?;
    Ok(StsPolicy::parse(&text)?)
}

#[cfg(test)]
mod tests;
