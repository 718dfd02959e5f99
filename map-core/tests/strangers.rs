//! What strangers can make an agent spend: whoever owns the DNS or the mail host of an address.
//!
//! A row of the table is a means that a stranger has. Each is used as one uses it as a rule, a hundred times as much and ten
//! thousand times as much (or as much as a protocol allows), by a world of the row's own: a DNS and hosts within the
//! process. What the sending costs has bounds that do not depend on how much it is: the memory that is held at a time, and
//! the time that another sending of the same agent waits for its turn. Both are counted, not timed by a clock: octets by
//! the allocator, and the processor's time of the agent's one thread.
//!
//! Adding a means is adding a row.

#![expect(
    unsafe_code,
    reason = "an allocator that counts and a clock of one thread, for this test alone"
)]

use map_core::address::Mailbox;
use map_core::message::{Message, Raw};
use map_core::net::{Connecting, Connector, Transport};
use map_core::route::{Answer, Lookup, LookupError, Proof, Record, RecordType, Resolver};
use map_core::{Agent, Config, Report};
use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

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
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a value of ours.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0);
    u64::try_from(time.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap()
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// How long another sending may wait for its turn. Without optimisation all takes many times as long.
const LONGEST_PAUSE: Duration = if cfg!(debug_assertions) {
    Duration::from_millis(200)
} else {
    Duration::from_millis(20)
};

/// A means, and what it may cost.
struct Row {
    means: &'static str,
    /// How much of it there is as a rule, and twice much more.
    amounts: [usize; 3],
    /// The recipients that the caller names.
    recipients: fn(usize) -> usize,
    world: fn(usize) -> World,
    /// What may be held, whatever the amount, in octets.
    bound: usize,
    /// What may be held beside that for each recipient of the caller's.
    for_each_recipient: usize,
}

const ONE: fn(usize) -> usize = |_| 1;
const AS_MANY: fn(usize) -> usize = |amount| amount;

const TABLE: [Row; 10] = [
    Row {
        means: "MX records that cannot be used",
        amounts: [1, 100, 4_000],
        recipients: ONE,
        world: |amount| World {
            exchanges: (0..amount).map(|number| format!("192.0.2.{number}")).collect(),
            ..World::default()
        },
        bound: 4 * MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "MX hosts without an address",
        amounts: [1, 100, 4_000],
        recipients: ONE,
        world: |amount| World {
            exchanges: (0..amount)
                .map(|number| format!("gone{number}.{}", "x".repeat(60)))
                .collect(),
            ..World::default()
        },
        bound: 4 * MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "addresses that mail must not be sent to",
        amounts: [1, 100, 4_000],
        recipients: ONE,
        world: |amount| World {
            addresses: (0..amount)
                .map(|number| [127, 0, (number >> 8).to_le_bytes()[0], number.to_le_bytes()[0]].into())
                .collect(),
            ..World::default()
        },
        bound: 4 * MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "domains, each with 64 MX records that cannot be used but the last",
        amounts: [1, 100, 5_000],
        recipients: AS_MANY,
        world: |_| World {
            exchanges: (1..64)
                .map(|number| format!("192.0.2.{number}"))
                .chain(["mx.".to_owned()])
                .collect(),
            ..World::default()
        },
        bound: 6 * MIB,
        for_each_recipient: 6 * KIB,
    },
    Row {
        means: "octets of a line of EHLO's answer",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            ehlo: format!("250-mx\r\n250-{}\r\n250 SIZE\r\n", "X".repeat(amount)),
            ..World::default()
        },
        bound: MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "lines of EHLO's answer",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            ehlo: format!(
                "250-mx\r\n{}250 SIZE\r\n",
                "250-X-KEYWORD AUTH=PLAIN\r\n".repeat(amount)
            ),
            ..World::default()
        },
        bound: MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "words behind LIMITS and AUTH",
        amounts: [1, 100, 10_000],
        recipients: ONE,
        world: |amount| World {
            ehlo: format!(
                "250-mx\r\n{}250 SIZE\r\n",
                format!("250-LIMITS{}\r\n", " RCPTMAX=9".repeat(190)).repeat(amount / 200)
                    + &format!("250-LIMITS{}\r\n", " RCPTMAX=9".repeat(amount % 200))
            ),
            ..World::default()
        },
        bound: MIB,
        for_each_recipient: 0,
    },
    Row {
        means: "answers to RCPT, of sixteen thousand octets each",
        amounts: [1, 100, 10_000],
        recipients: AS_MANY,
        world: |_| World {
            rcpt: Rcpt::Refused,
            ..World::default()
        },
        bound: 10 * MIB,
        for_each_recipient: 6 * KIB,
    },
    Row {
        means: "sessions, each for one recipient and with sixteen thousand octets for each other",
        amounts: [1, 100, 2_000],
        recipients: AS_MANY,
        world: |_| World {
            ehlo: "250-mx\r\n250 LIMITS MAILMAX=1\r\n".to_owned(),
            rcpt: Rcpt::OneOnly,
            ..World::default()
        },
        bound: 12 * MIB,
        for_each_recipient: 6 * KIB,
    },
    Row {
        means: "recipients put off in one session, with sixteen thousand octets for each",
        amounts: [1, 100, 2_000],
        recipients: AS_MANY,
        world: |_| World {
            rcpt: Rcpt::OneOnly,
            ..World::default()
        },
        bound: 12 * MIB,
        for_each_recipient: 6 * KIB,
    },
];

// One test, since what is counted is that of the whole process.
#[test]
fn what_a_stranger_has_a_lot_of_costs_little() {
    for row in TABLE {
        for amount in row.amounts {
            let count = (row.recipients)(amount);
            let costs = costs((row.world)(amount), count);
            let Costs { held, pause, total } = &costs;
            eprintln!(
                "{}: {amount}: {} KiB, longest pause {pause:?} of {total:?}",
                row.means,
                held / KIB
            );
            let bound = row.bound + count * row.for_each_recipient;
            assert!(
                *held <= bound,
                "{}: {amount} of them took {held} octets",
                row.means
            );
            assert!(
                *pause <= LONGEST_PAUSE,
                "{}: {amount} of them took {pause:?}",
                row.means
            );
        }
    }
}

/// What one sending came to.
struct Costs {
    /// Octets that were held at a time, beside those of the caller's.
    held: usize,
    /// How long another one of the same agent waited for its turn, at most.
    pause: Duration,
    /// The processor's time of the agent.
    total: Duration,
}

/// Sends a message to so many recipients in a world, while another one is being sent that wants its turn as often as it can
/// have it.
fn costs(world: World, recipients: usize) -> Costs {
    let pulse = Arc::new(Pulse::default());
    let mut config = Config::new();
    config.set_allow_loopback(false);
    config.set_port25_check(false);
    config.set_mta_sts(false);
    config.set_dane(false);
    config.set_hello_name(Some("client.example")).unwrap();
    let world = Arc::new(world);
    config.set_resolver(Arc::new(Dns {
        world: Arc::clone(&world),
        pulse: Arc::clone(&pulse),
    }));
    config.set_connector(Arc::new(Hosts(world)));
    let agent = Agent::new(config);
    let message = message(recipients, "example.org");
    let other = agent.submit_message(self::message(1, PULSE));
    while pulse.longest.load(Ordering::Relaxed) == 0 {
        std::thread::yield_now();
    }

    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    pulse.longest.store(0, Ordering::Relaxed);
    let began = pulse.now.load(Ordering::Relaxed);
    let report: Report = agent.send_message(message);
    let held = MOST.load(Ordering::Relaxed) - before;
    let total = pulse.now.load(Ordering::Relaxed) - began;
    pulse.stop.store(true, Ordering::Relaxed);
    drop(other.wait());
    assert_eq!(report.recipients().len(), recipients);
    assert!(
        report.warnings().len() <= 70,
        "{} warnings",
        report.warnings().len()
    );
    Costs {
        held,
        pause: Duration::from_nanos(pulse.longest.load(Ordering::Relaxed)),
        total: Duration::from_nanos(total),
    }
}

fn message(recipients: usize, domain: &str) -> Message {
    let to = (0..recipients).map(|number| format!("r{number}@d{number}.{domain}").parse().unwrap());
    let from: Mailbox = "alice@example.com".parse().unwrap();
    let octets: &[u8] = b"From: alice@example.com\r\nTo: undisclosed-recipients:;\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\nHello.\r\n";
    Raw::octets(octets).envelope(from, to).build().unwrap()
}

/// What a domain's DNS and its host say.
struct World {
    /// The MX records of each domain; a name that ends in a dot is the domain's own host of this name.
    exchanges: Vec<String>,
    /// Of each host that is not `gone…`.
    addresses: Vec<IpAddr>,
    ehlo: String,
    rcpt: Rcpt,
}

#[derive(Clone, Copy)]
enum Rcpt {
    Accepted,
    /// Of each session the first is served, and for the others there is no room.
    OneOnly,
    Refused,
}

impl Default for World {
    fn default() -> Self {
        Self {
            exchanges: vec!["mx.example.org".to_owned()],
            addresses: vec![Ipv4Addr::new(9, 9, 9, 9).into()],
            ehlo: "250 mx\r\n".to_owned(),
            rcpt: Rcpt::Accepted,
        }
    }
}

/// A domain that is looked up for as long as the test wants, and by which the other sending is heard.
const PULSE: &str = "pulse.example";

#[derive(Debug, Default)]
struct Pulse {
    stop: AtomicBool,
    /// The processor's time of the agent's thread when it was heard last, in nanoseconds.
    now: AtomicU64,
    /// The longest between two times.
    longest: AtomicU64,
}

impl Pulse {
    fn beat(&self, last: &mut u64) {
        let now = thread_time();
        self.longest.fetch_max(now - *last, Ordering::Relaxed);
        self.now.store(now, Ordering::Relaxed);
        *last = now;
    }
}

struct Dns {
    world: Arc<World>,
    pulse: Arc<Pulse>,
}

impl std::fmt::Debug for Dns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dns")
    }
}

impl Resolver for Dns {
    fn query<'a>(&'a self, name: &'a str, record_type: RecordType) -> Lookup<'a> {
        Box::pin(async move {
            if name.ends_with(PULSE) {
                let mut last = thread_time();
                poll_fn(|context| {
                    self.pulse.beat(&mut last);
                    if self.pulse.stop.load(Ordering::Relaxed) {
                        return Poll::Ready(());
                    }
                    context.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
                return Err(LookupError::NxDomain);
            }
            let world = &self.world;
            let records = match record_type {
                RecordType::Mx => (0..)
                    .zip(&world.exchanges)
                    .map(|(preference, exchange)| Record::Mx {
                        preference,
                        exchange: match exchange.strip_suffix('.') {
                            Some(own) => format!("{own}.{name}"),
                            None => exchange.clone(),
                        },
                    })
                    .collect(),
                RecordType::A if !name.starts_with("gone") => {
                    world.addresses.iter().copied().map(Record::Address).collect()
                }
                _ => Vec::new(),
            };
            if records.is_empty() {
                return Err(LookupError::NoData);
            }
            Ok(Answer {
                records,
                canonical_name: name.to_owned(),
                proof: Proof::Insecure,
                first_proof: Proof::Insecure,
                ttl: Duration::from_secs(60),
            })
        })
    }

    fn query_validated<'a>(&'a self, name: &'a str, record_type: RecordType) -> Lookup<'a> {
        self.query(name, record_type)
    }
}

struct Hosts(Arc<World>);

impl std::fmt::Debug for Hosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hosts")
    }
}

impl Connector for Hosts {
    fn connect(&self, _address: SocketAddr) -> Connecting<'_> {
        let (ours, theirs) = tokio::io::duplex(16 * KIB);
        tokio::spawn(serve(theirs, Arc::clone(&self.0)));
        Box::pin(std::future::ready(Ok(Box::new(Pipe(ours)) as Box<dyn Transport>)))
    }
}

/// One session, until it is over.
async fn serve(stream: DuplexStream, world: Arc<World>) -> std::io::Result<()> {
    let mut stream = BufReader::with_capacity(KIB, stream);
    let mut command = String::new();
    let mut recipients = 0;
    let mut accepted = 0;
    stream.write_all(b"220 mx\r\n").await?;
    loop {
        command.clear();
        if stream.read_line(&mut command).await? == 0 {
            return Ok(());
        }
        match command.get(..4) {
            Some("EHLO") => stream.write_all(world.ehlo.as_bytes()).await?,
            Some("RCPT") => {
                recipients += 1;
                let accepts = match world.rcpt {
                    Rcpt::Accepted => true,
                    Rcpt::OneOnly => accepted == 0,
                    Rcpt::Refused => false,
                };
                accepted += usize::from(accepts);
                if accepts {
                    stream.write_all(b"250 ok\r\n").await?;
                } else {
                    // Each unlike any other.
                    let mut line = String::new();
                    write!(line, "452-4.5.3 {recipients} {:p} ", &raw const stream).unwrap();
                    line.extend(std::iter::repeat_n('x', 2000 - line.len()));
                    line.push_str("\r\n");
                    for _ in 0..8 {
                        stream.write_all(line.as_bytes()).await?;
                    }
                    stream.write_all(b"452 no\r\n").await?;
                }
            }
            Some("DATA") if accepted == 0 => stream.write_all(b"554 nobody\r\n").await?,
            Some("DATA") => {
                stream.write_all(b"354 go\r\n").await?;
                while command != ".\r\n" {
                    command.clear();
                    if stream.read_line(&mut command).await? == 0 {
                        return Ok(());
                    }
                }
                accepted = 0;
                stream.write_all(b"250 taken\r\n").await?;
            }
            Some("QUIT") => return stream.write_all(b"221 bye\r\n").await,
            _ => stream.write_all(b"250 ok\r\n").await?,
        }
    }
}

/// One end of a connection.
#[derive(Debug)]
struct Pipe(DuplexStream);

impl Transport for Pipe {
    fn local_addr(&self) -> Option<SocketAddr> {
        Some(SocketAddr::from(([192, 0, 2, 77], 40000)))
    }
}

mod pipe {
    use super::Pipe;
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    impl AsyncRead for Pipe {
        fn poll_read(
            self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.get_mut().0).poll_read(context, buffer)
        }
    }

    impl AsyncWrite for Pipe {
        fn poll_write(
            self: Pin<&mut Self>,
            context: &mut Context<'_>,
            octets: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.get_mut().0).poll_write(context, octets)
        }

        fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.get_mut().0).poll_flush(context)
        }

        fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.get_mut().0).poll_shutdown(context)
        }
    }
}
