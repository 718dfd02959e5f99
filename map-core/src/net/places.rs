//! How much the process may have open at the same time, and who has how much of it.
//!
//! ```text
//! a session:   the send's own share ──> one of those to its address, and one of the process's sessions with it
//! a look-up:   the send's own share ──> one of the process's that begin ──after GIVES_WAY──> one of those that are slow
//! ```
//!
//! Without places, a thousand sends at once open what a thousand sends need, and most fail. With one queue for all, the
//! mail hosts and zones of a few mails that say nothing take every place and keep it. So a send has a part of the places
//! only, and a look-up that has no answer after a while makes room for one that may have it at once.
//!
//! The send's own share is always taken first. What waits for a place holds none that others may want: of two that are
//! needed, the one at hand is given back while the other has to be waited for.

use super::Limits;
use crate::local::LocalError;
use crate::route::HostName;
use crate::route::mta_sts::FlightPlaces;
use crate::smtp::Abort;
use crate::wanted::Wanted;
use std::collections::HashMap;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

/// The library has this part of the descriptors that the process may open; the rest is the program's.
const SHARE: u64 = 4;

/// Sockets that are open at once while a host is looked up: a few questions, each to more than one server. Such a question
/// lasts for milliseconds as a rule, so this is what several look-ups have on the average.
const FOR_A_LOOK_UP: u64 = 3;

/// Sessions in all, however many descriptors there are.
const MAX_SESSIONS: u64 = 200;

/// Sessions with one address: receivers take more of them for an attack.
pub(crate) const MAX_SESSIONS_WITH_ONE: usize = 5;

/// A send has this part of the places for sessions and for slow look-ups, and one of each at least.
const SHARE_OF_A_SEND: usize = 8;

/// The same of the places for look-ups that begin, which are soon free again.
const BEGINNINGS_OF_A_SEND: usize = 4;

/// A look-up without an answer leaves its place after this time. Servers that are there answer within much less, also one
/// after another; a server that is not is asked again by then.
pub(crate) const GIVES_WAY: Duration = Duration::from_secs(2);

/// And a slow one after this time, if another one waits for that; it is made again when its turn comes.
const STAYS: Duration = Duration::from_secs(20);

/// What all agents of a process share. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    sessions: Pool,
    hosts: Arc<Hosts>,
    /// For look-ups of a host or domain in their first [`GIVES_WAY`].
    beginning: Pool,
    /// For those that take longer.
    slow: Pool,
    /// How many wait for a place for slow ones.
    slow_wanted: Wanted,
    /// For the look-ups of MTA-STS policies, which are no mail's own.
    pub(crate) policies: FlightPlaces,
    /// For the question whether port 25 is blocked: one at a time.
    pub(crate) port25: Arc<Semaphore>,
}

/// Places of one kind, and how many of them one send may have.
#[derive(Clone, Debug)]
struct Pool {
    places: Arc<Semaphore>,
    of_a_send: usize,
}

/// Those of a process, and what they were counted by.
struct OfProcess {
    process: u32,
    descriptors: Option<u64>,
    places: Places,
}

// Tried only, never waited for: in a forked child it stays locked if a thread of the parent had it at the time.
static OF_THE_PROCESS: Mutex<Option<OfProcess>> = Mutex::new(None);

/// How often the lock is tried. It is held for as long as it takes to make the places, once.
const TRIES: usize = 1000;

impl Places {
    /// The same for every agent; made anew in a forked child, to which nobody would give back what the parent's threads
    /// had taken, and for agents that come after the limit was changed.
    pub(crate) fn of_this_process() -> Self {
        let (process, descriptors) = (std::process::id(), descriptors());
        for _ in 0..TRIES {
            let mut of_the_process = match OF_THE_PROCESS.try_lock() {
                Ok(kept) => kept,
                Err(TryLockError::Poisoned(kept)) => kept.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    thread::yield_now();
                    continue;
                }
            };
            if let Some(known) = of_the_process
                .as_ref()
                .filter(|known| known.process == process && known.descriptors == descriptors)
            {
                return known.places.clone();
            }
            let places = Self::among(descriptors);
            *of_the_process = Some(OfProcess {
                process,
                descriptors,
                places: places.clone(),
            });
            return places;
        }
        // Such a child's agents share nothing.
        Self::among(descriptors)
    }

    /// Half of the share for connections, and half for look-ups; one of each kind at least.
    pub(crate) fn among(descriptors: Option<u64>) -> Self {
        let share = descriptors.map_or(u64::MAX, |descriptors| descriptors / SHARE);
        let look_ups = share / 2 / FOR_A_LOOK_UP;
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Self::with(
            count((share / 2).min(MAX_SESSIONS)),
            count(look_ups / 2),
            count(look_ups / 4),
        )
    }

    /// So many for sessions, for look-ups that begin, and for slow ones; for policies as many as for slow look-ups.
    pub(crate) fn with(sessions: usize, beginning: usize, slow: usize) -> Self {
        Self {
            sessions: Pool::new(sessions, SHARE_OF_A_SEND),
            hosts: Arc::default(),
            beginning: Pool::new(beginning, BEGINNINGS_OF_A_SEND),
            slow: Pool::new(slow, SHARE_OF_A_SEND),
            slow_wanted: Wanted::default(),
            policies: FlightPlaces::new(slow),
            port25: Arc::new(Semaphore::new(1)),
        }
    }

    /// What a send that begins now may have of them.
    pub(crate) fn of_a_send(&self) -> PlacesOfSend {
        PlacesOfSend {
            sessions: self.sessions.of_a_send(),
            hosts: Arc::clone(&self.hosts),
            beginning: self.beginning.of_a_send(),
            slow: self.slow.of_a_send(),
            slow_wanted: self.slow_wanted.clone(),
        }
    }
}

impl Pool {
    fn new(count: usize, share_of_a_send: usize) -> Self {
        let count = count.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(count)),
            of_a_send: (count / share_of_a_send).max(1),
        }
    }

    fn of_a_send(&self) -> Portion {
        Portion {
            own: Arc::new(Semaphore::new(self.of_a_send)),
            all: Arc::clone(&self.places),
        }
    }
}

/// What one send may have of the places at the same time.
#[derive(Debug)]
pub(crate) struct PlacesOfSend {
    sessions: Portion,
    hosts: Arc<Hosts>,
    beginning: Portion,
    slow: Portion,
    slow_wanted: Wanted,
}

/// Where a session goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Peer {
    Address(SocketAddr),
    /// A proxy finds the address.
    Name(HostName, u16),
}

/// Why a mail did not get what it needs a place for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GivenUp {
    /// The time passed before there was a place.
    NoPlace(LocalError),
    /// The caller cancelled; or the time passed with a place.
    Reached(Abort),
}

/// A place for a session, until this is dropped.
#[derive(Debug)]
pub(crate) struct SessionPlace {
    _place: Place,
    _at_host: AtHost,
}

impl PlacesOfSend {
    /// Waits for a place for a session with this peer.
    ///
    /// # Errors
    /// Why to give up.
    pub(crate) async fn session(&self, limits: &mut Limits, peer: Peer) -> Result<SessionPlace, GivenUp> {
        let own = taken(limits, &self.sessions.own, LocalError::TooManyAtOnce).await?;
        let mut at_host = Hosts::at(&self.hosts, peer);
        let with_host = Arc::clone(&at_host.sessions);
        let all = loop {
            let permit = taken(limits, &with_host, LocalError::TooManyToOneHost).await?;
            if let Ok(all) = Arc::clone(&self.sessions.all).try_acquire_owned() {
                at_host.permit = Some(permit);
                break all;
            }
            drop(permit);
            let all = taken(limits, &self.sessions.all, LocalError::TooManyAtOnce).await?;
            if let Ok(permit) = Arc::clone(&with_host).try_acquire_owned() {
                at_host.permit = Some(permit);
                break all;
            }
        };
        Ok(SessionPlace {
            _place: Place { _all: all, _own: own },
            _at_host: at_host,
        })
    }

    /// Looks something up once there is a place for it. What `work` makes is told the time that is left until the content
    /// must start. It is made again where it was slow and had to make room.
    ///
    /// # Errors
    /// Why to give up.
    pub(crate) async fn look_up<F: Future>(
        &self,
        limits: &mut Limits,
        work: impl Fn(Duration) -> F,
    ) -> Result<F::Output, GivenUp> {
        {
            let place = self.beginning.place(limits).await?;
            let mut working = pin!(work(limits.left()));
            let beginning = limits.bound(timeout(GIVES_WAY, working.as_mut()));
            if let Ok(found) = beginning.await.map_err(GivenUp::Reached)? {
                return Ok(found);
            }
            if let Some(_slow) = self.slow.free_place() {
                drop(place);
                if let Some(found) = self.unless_unwanted(limits, working).await? {
                    return Ok(found);
                }
            }
        }
        loop {
            let wish = self.slow_wanted.wish();
            let [mut of_slow, mut of_turn] = [limits.clone(), limits.clone()];
            let _slow = tokio::select! {
                biased;
                slow = self.slow.place(&mut of_slow) => slow?,
                found = self.another_turn(&mut of_turn, &work) => {
                    *limits = of_turn;
                    return found;
                }
            };
            *limits = of_slow;
            drop(wish);
            let working = work(limits.left());
            if let Some(found) = self.unless_unwanted(limits, working).await? {
                return Ok(found);
            }
        }
    }

    /// What began may be in a cache by now. Never completes if it takes as long again.
    async fn another_turn<F: Future>(
        &self,
        limits: &mut Limits,
        work: &impl Fn(Duration) -> F,
    ) -> Result<F::Output, GivenUp> {
        {
            let _place = self.beginning.place(limits).await?;
            let working = timeout(GIVES_WAY, work(limits.left()));
            if let Ok(found) = limits.bound(working).await.map_err(GivenUp::Reached)? {
                return Ok(found);
            }
        }
        pending().await
    }

    /// Goes on with a slow one; `None` if it had its time, and another one waits for its place.
    async fn unless_unwanted<T>(
        &self,
        limits: &Limits,
        working: impl Future<Output = T>,
    ) -> Result<Option<T>, GivenUp> {
        let unwanted = async {
            sleep(STAYS).await;
            self.slow_wanted.is_wanted().await;
        };
        tokio::select! {
            biased;
            found = limits.bound(working) => found.map(Some).map_err(GivenUp::Reached),
            () = unwanted => Ok(None),
        }
    }
}

/// Places of one kind, as a send has them.
#[derive(Debug)]
struct Portion {
    own: Arc<Semaphore>,
    all: Arc<Semaphore>,
}

/// Free again when it is dropped.
#[derive(Debug)]
struct Place {
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
}

impl Portion {
    async fn place(&self, limits: &mut Limits) -> Result<Place, GivenUp> {
        let own = taken(limits, &self.own, LocalError::TooManyAtOnce).await?;
        let all = taken(limits, &self.all, LocalError::TooManyAtOnce).await?;
        Ok(Place { _all: all, _own: own })
    }

    /// One that nobody waits for.
    fn free_place(&self) -> Option<Place> {
        let own = Arc::clone(&self.own).try_acquire_owned().ok()?;
        let all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        Some(Place { _all: all, _own: own })
    }
}

async fn taken(
    limits: &mut Limits,
    places: &Arc<Semaphore>,
    lack: LocalError,
) -> Result<OwnedSemaphorePermit, GivenUp> {
    limits.place(places).await.map_err(|why| match why {
        Abort::Deadline => GivenUp::NoPlace(lack),
        why => GivenUp::Reached(why),
    })
}

/// The sessions with each host, as long as somebody has one or waits for one.
#[derive(Debug, Default)]
struct Hosts(Mutex<HashMap<Peer, AtOneHost>>);

#[derive(Debug)]
struct AtOneHost {
    sessions: Arc<Semaphore>,
    /// Those who have one or wait for one.
    users: usize,
}

/// Somebody who has a session with a host, or waits for one.
#[derive(Debug)]
struct AtHost {
    hosts: Arc<Hosts>,
    peer: Peer,
    sessions: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Hosts {
    fn at(hosts: &Arc<Self>, peer: Peer) -> AtHost {
        let mut all = hosts.0.lock().unwrap_or_else(PoisonError::into_inner);
        let host = all.entry(peer.clone()).or_insert_with(|| AtOneHost {
            sessions: Arc::new(Semaphore::new(MAX_SESSIONS_WITH_ONE)),
            users: 0,
        });
        host.users += 1;
        AtHost {
            hosts: Arc::clone(hosts),
            peer,
            sessions: Arc::clone(&host.sessions),
            permit: None,
        }
    }
}

impl Drop for AtHost {
    fn drop(&mut self) {
        self.permit = None;
        let mut all = self.hosts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = all.get_mut(&self.peer) {
            host.users -= 1;
            if host.users == 0 {
                all.remove(&self.peer);
                // What many hosts at once made of the table is not kept.
                if all.is_empty() {
                    all.shrink_to_fit();
                }
            }
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
mod tests;
