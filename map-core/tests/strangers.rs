//! What strangers can make an agent spend: whoever owns the DNS or the mail host of an address.
//!
//! A row of the table is a means that a stranger has. Each is used as one uses it as a rule, a hundred times as much and ten
//! thousand times as much (or as much as a protocol allows), by a world of the row's own: a DNS and hosts within the
//! process. What the sending costs has bounds that do not depend on how much it is: the memory that is held at a time, the
//! processor's time, the time that another sending of the same agent waits for its turn, and how long one takes that is
//! begun after it. All are counted, not timed by a clock: octets by the allocator, and the processor's time of the
//! agent's one thread.
//!
//! The bounds of time are those of an optimised build (`cargo test --release -p map-core --test strangers`); of any other
//! they are ten times as long.
//!
//! Adding a means is adding a row.

#![expect(unsafe_code, reason = "an allocator that counts, for this test alone")]

#[path = "strangers/table.rs"]
mod table;
#[path = "strangers/world.rs"]
mod world;

use map_core::address::Mailbox;
use map_core::message::{Message, Raw};
use map_core::{Agent, Config, MapReplyCode};
use nix::time::{ClockId, clock_gettime};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use table::{Row, TABLE};
use tokio::runtime::Runtime;
use world::{Dns, HONEST, Hosts, PULSE, Way, World};

/// The system's allocator, and how much is held at a time.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of the method of the same name.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of the method of the same name.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The processor's time that this thread has used, in nanoseconds. However busy the machine is otherwise, it does not count.
fn thread_time() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("there is such a clock");
    u64::try_from(Duration::from(time).as_nanos()).expect("it is no century")
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Without optimisation all takes many times as long.
const SLOWER: u32 = if cfg!(debug_assertions) { 10 } else { 1 };
/// How long another sending may wait for its turn.
const LONGEST_PAUSE: Duration = Duration::from_millis(20).saturating_mul(SLOWER);
/// How long one that is begun meanwhile may take to the end: it has some dozens of turns.
const LONGEST_TURNS: Duration = LONGEST_PAUSE.saturating_mul(50);
/// The processor's time that a sending may take of the agent's thread, whatever the amount, and for each recipient beside
/// that. Both are several times what is needed: what grows by the square of something is far beyond them.
const TIME: Duration = Duration::from_millis(100).saturating_mul(SLOWER);
const TIME_FOR_EACH: Duration = Duration::from_millis(1).saturating_mul(SLOWER);

// One test, since what is counted is that of the whole process.
#[test]
fn what_a_stranger_has_a_lot_of_costs_little() {
    let mut faults = Vec::new();
    for row in TABLE {
        for amount in row.amounts {
            let count = (row.recipients)(amount);
            let world = Arc::new((row.world)(amount));
            let time = (world.way != Way::Silent).then(|| time(&world, count));
            let costs = costs(&world, count);
            eprintln!(
                "{}: {amount}: {} KiB, {time:?}, longest pause {:?}, another send {:?}",
                row.means,
                costs.held / KIB,
                costs.pause,
                costs.turns
            );
            faults.extend(judge(row, amount, &costs, time.unwrap_or_default()));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// What is more than it may be.
fn judge(row: &Row, amount: usize, costs: &Costs, time: Duration) -> Vec<String> {
    let count = (row.recipients)(amount);
    let times = [
        (
            "of the processor",
            time,
            TIME + TIME_FOR_EACH * u32::try_from(count).unwrap(),
        ),
        ("at a time", costs.pause, LONGEST_PAUSE),
        ("of another send's time", costs.turns, LONGEST_TURNS),
    ];
    let too_long = times.into_iter().filter(|(_, took, bound)| took > bound);
    let mut faults: Vec<String> = too_long
        .map(|(what, took, _)| format!("{took:?} {what}"))
        .collect();
    if costs.held > row.bound + count * row.for_each_recipient {
        faults.push(format!("{} octets", costs.held));
    }
    faults
        .iter()
        .map(|fault| format!("{}: {amount} of them take {fault}", row.means))
        .collect()
}

/// What one sending came to.
struct Costs {
    /// Octets that were held at a time, beside those of the caller's.
    held: usize,
    /// How long another one of the same agent waited for its turn, at most.
    pause: Duration,
    /// How long another one took that was begun after it, all its turns.
    turns: Duration,
}

fn agent(world: &Arc<World>, pulse: &Arc<Pulse>, hosts: &Runtime) -> Agent {
    let mut config = Config::new();
    config.set_allow_loopback(false);
    config.set_port25_check(world.is_standard);
    config.set_mta_sts(world.is_standard);
    config.set_dane(world.is_standard);
    config.set_platform_roots(false);
    if let Some(tls) = &world.tls {
        config.add_tls_roots(&tls.authority).unwrap();
    }
    config.set_hello_name(Some("client.example")).unwrap();
    config.set_resolver(Arc::new(Dns {
        world: Arc::clone(world),
        pulse: Arc::clone(pulse),
    }));
    config.set_connector(Arc::new(Hosts::new(Arc::clone(world), hosts)));
    Agent::new(config)
}

fn hosts() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).build().unwrap()
}

/// The processor's time of the agent's thread that a message to so many recipients takes.
fn time(world: &Arc<World>, recipients: usize) -> Duration {
    let pulse = Arc::new(Pulse::default());
    let hosts = hosts();
    let agent = agent(world, &pulse, &hosts);
    // By a look-up before it and one after it.
    let now = || {
        assert!(is_sent(&agent.send_message(message(1, HONEST))));
        pulse.now.load(Ordering::Relaxed)
    };
    let before = now();
    let report = agent.send_message(message(recipients, "example.org"));
    let after = now();
    assert_eq!(report.recipients().len(), recipients);
    let warnings = report.warnings().len();
    assert!(warnings <= 70, "{warnings} warnings");
    Duration::from_nanos(after - before)
}

/// Sends a message to so many recipients in a world, while another one is being sent that wants its turn as often as it can
/// have it, and one after it to a host that nothing is wrong with.
fn costs(world: &Arc<World>, recipients: usize) -> Costs {
    let pulse = Arc::new(Pulse::default());
    let hosts = hosts();
    let agent = agent(world, &pulse, &hosts);
    let message = message(recipients, "example.org");
    let honest = self::message(1, HONEST);
    let other = agent.submit_message(self::message(1, PULSE));
    while pulse.longest.load(Ordering::Relaxed) == 0 {
        std::thread::yield_now();
    }

    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    pulse.longest.store(0, Ordering::Relaxed);
    let began = pulse.now.load(Ordering::Relaxed);
    let hostile = agent.submit_message(message);
    let honest = agent.submit_message(honest).wait();
    let turns = pulse.now.load(Ordering::Relaxed) - began;
    if world.way == Way::Silent {
        hostile.cancel();
    }
    let report = hostile.wait();
    let held = MOST.load(Ordering::Relaxed) - before;
    pulse.stop.store(true, Ordering::Relaxed);
    drop(other.wait());
    assert!(is_sent(&honest));
    assert_eq!(report.recipients().len(), recipients);
    Costs {
        held,
        pause: Duration::from_nanos(pulse.longest.load(Ordering::Relaxed)),
        turns: Duration::from_nanos(turns),
    }
}

fn is_sent(report: &map_core::Report) -> bool {
    report.reply().code() == MapReplyCode::Success
}

fn message(recipients: usize, domain: &str) -> Message {
    let to = (0..recipients).map(|number| format!("r{number}@d{number}.{domain}").parse().unwrap());
    let from: Mailbox = "alice@example.com".parse().unwrap();
    let octets: &[u8] = b"From: alice@example.com\r\nTo: undisclosed-recipients:;\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\nHello.\r\n";
    Raw::octets(octets).envelope(from, to).build().unwrap()
}

#[derive(Debug, Default)]
struct Pulse {
    stop: AtomicBool,
    /// The processor's time of the agent's thread when it was heard last, in nanoseconds.
    now: AtomicU64,
    /// The longest between two times.
    longest: AtomicU64,
}

impl Pulse {
    fn mark(&self) -> u64 {
        let now = thread_time();
        self.now.store(now, Ordering::Relaxed);
        now
    }

    fn beat(&self, last: &mut u64) {
        let now = self.mark();
        self.longest.fetch_max(now - *last, Ordering::Relaxed);
        *last = now;
    }
}
