//! The running world: one thread that owns all of its sockets.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use hickory_server::Server;
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::certificates::Authority;
use crate::dns::{Directory, Names};
use crate::host::{LiveHost, Seat, listen};
use crate::keys::Keys;
use crate::log::{Log, Mail, PolicyFetch, Session};
use crate::policy_host::PolicyHosts;
use crate::signals::without_signals;
use crate::world::{Listening, World};

/// Every sandbox of a machine takes its mail port here first, so that no other one gets it, at any address.
const RESERVED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 255, 255, 254));
/// Ports that are tried until one is free at all addresses.
const PORT_TRIES: u16 = 64;
/// A DNS client that is silent so long on TCP is left.
const DNS_TCP_TIMEOUT: Duration = Duration::from_secs(30);

/// A running world; dropping it stops it.
///
/// It belongs to the process that started it: in a child made by `fork` nothing answers.
///
/// # Example
/// ```
/// use map_sandbox::{Sandbox, World};
///
/// let sandbox = Sandbox::start(&World::example())?;
/// println!("DNS at {}, mail hosts at port {}", sandbox.dns_server(), sandbox.smtp_port());
/// assert!(sandbox.mails().is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Sandbox {
    ports: Ports,
    authority: Arc<Authority>,
    keys: Arc<Keys>,
    log: Log,
    commands: UnboundedSender<Command>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    /// The process that has the thread.
    process: u32,
}

/// Where a world is.
#[derive(Clone, Copy, Debug)]
struct Ports {
    dns_server: SocketAddr,
    smtp: u16,
    https: u16,
}

/// What the thread is asked for.
enum Command {
    SetWorld(Arc<World>, mpsc::Sender<io::Result<()>>),
    Stop,
}

impl Sandbox {
    /// Starts the world on free ports of loopback addresses; returns when it listens.
    ///
    /// # Errors
    /// When a socket cannot be bound or the thread cannot be started.
    pub fn start(world: &World) -> io::Result<Self> {
        let world = Arc::new(world.clone());
        let authority = Arc::new(Authority::new()?);
        let keys = Arc::new(Keys::new()?);
        let log = Log::default();
        let (commands, inbox) = unbounded_channel();
        let (started, start) = mpsc::channel();
        let thread = std::thread::Builder::new().name("map-sandbox".to_owned());
        let thread = without_signals(|| {
            let (authority, keys, log) = (Arc::clone(&authority), Arc::clone(&keys), log.clone());
            thread.spawn(move || run(&world, authority, keys, &log, inbox, &started))
        })?;
        let ports = start.recv().map_err(|_| gone())??;
        Ok(Self {
            ports,
            authority,
            keys,
            log,
            commands,
            thread: Mutex::new(Some(thread)),
            process: std::process::id(),
        })
    }

    /// Where its DNS listens (UDP and TCP).
    pub fn dns_server(&self) -> SocketAddr {
        self.ports.dns_server
    }

    /// The one port of all its mail hosts.
    pub fn smtp_port(&self) -> u16 {
        self.ports.smtp
    }

    /// The one port of all its policy hosts of MTA-STS, on 127.0.0.1.
    pub fn https_port(&self) -> u16 {
        self.ports.https
    }

    /// The certificate of its own authority, in PEM: whoever trusts it trusts the hosts whose certificates are good.
    pub fn certificate_authority(&self) -> &str {
        self.authority.pem()
    }

    /// The key of the root, as a DNSKEY record in the form of a zone file. It signs only in a world that has a `signed`
    /// line.
    pub fn trust_anchor(&self) -> String {
        self.keys.trust_anchor()
    }

    /// The mails taken so far, in order.
    pub fn mails(&self) -> Vec<Mail> {
        self.log.lock().mails.clone()
    }

    /// Waits until at least `count` mails were taken; what there is when the time is over or the world stopped.
    pub fn wait_for_mails(&self, count: usize, timeout: Duration) -> Vec<Mail> {
        self.log.wait_for_mails(count, timeout)
    }

    /// The mail after the first `seen` ones, as soon as it is there; nothing when the time is over before, or the
    /// world stopped.
    pub fn next_mail(&self, seen: usize, timeout: Duration) -> Option<Mail> {
        self.log.next_mail(seen, timeout)
    }

    /// The connections so far, in the order in which they were made.
    pub fn sessions(&self) -> Vec<Session> {
        self.log.lock().sessions()
    }

    /// The connections to policy hosts of MTA-STS so far.
    pub fn policy_fetches(&self) -> Vec<PolicyFetch> {
        self.log.lock().fetches()
    }

    /// Waits until every connection is over; the connections when they are, or when the time is over.
    pub fn wait_for_quiet(&self, timeout: Duration) -> Vec<Session> {
        self.log.wait_for_quiet(timeout)
    }

    /// Forgets mails, sessions and policy fetches. A connection that is still open is forgotten, too.
    pub fn clear(&self) {
        self.log.clear();
    }

    /// Puts another world in the place of this one, at the same ports, and counts connections from 1 again.
    /// Mails and sessions stay, and a connection that is open goes on by the rules it began with.
    ///
    /// # Errors
    /// When a new address cannot be bound (the old world stays), or the world was stopped.
    pub fn set_world(&self, world: &World) -> io::Result<()> {
        if self.process != std::process::id() {
            return Err(gone());
        }
        let (done, answer) = mpsc::channel();
        self.commands
            .send(Command::SetWorld(Arc::new(world.clone()), done))
            .map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }

    /// Whether the world still answers: until it is stopped.
    pub fn is_running(&self) -> bool {
        !self.log.lock().is_stopped()
    }

    /// Stops the world, as dropping does; what was recorded stays. Whoever waits returns.
    pub fn stop(&self) {
        // A child made by fork has no such thread, and waiting for it would never end.
        if self.process != std::process::id() {
            return;
        }
        let _ = self.commands.send(Command::Stop);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop();
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the sandbox is not running")
}

type Started = mpsc::Sender<io::Result<Ports>>;

/// The life of the thread.
fn run(
    world: &Arc<World>,
    authority: Arc<Authority>,
    keys: Arc<Keys>,
    log: &Log,
    inbox: UnboundedReceiver<Command>,
    started: &Started,
) {
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| {
            runtime.block_on(async {
                let mut running = Running::start(world, authority, keys, log.clone()).await?;
                let _ = started.send(Ok(running.ports()));
                running.obey(inbox).await;
                Ok(())
            })
        });
    if let Err(error) = outcome {
        let _ = started.send(Err(error));
    }
    log.stop();
}

/// What runs in the thread.
struct Running {
    dns_server: SocketAddr,
    keys: Arc<Keys>,
    names: Names,
    hosts: Hosts,
    policy_hosts: PolicyHosts,
    /// Answers until it is dropped.
    _server: Server<Names>,
}

impl Running {
    async fn start(world: &World, authority: Arc<Authority>, keys: Arc<Keys>, log: Log) -> io::Result<Self> {
        let (udp, tcp) = bind_dns().await?;
        let dns_server = udp.local_addr()?;
        assert!(
            dns_server.ip().is_loopback(),
            "the DNS of a sandbox is for loopback"
        );
        let policy_hosts = PolicyHosts::start(world, &authority, log.clone()).await?;
        let hosts = Hosts::start(world, Arc::clone(&authority), log).await?;
        let names = Names::new(Directory::new(world, &keys, &authority, hosts.port)?);
        let mut server = Server::new(names.clone());
        server.register_socket(udp);
        server.register_listener(tcp, DNS_TCP_TIMEOUT, 64);
        Ok(Self {
            dns_server,
            keys,
            names,
            hosts,
            policy_hosts,
            _server: server,
        })
    }

    async fn obey(&mut self, mut inbox: UnboundedReceiver<Command>) {
        while let Some(Command::SetWorld(world, done)) = inbox.recv().await {
            let _ = done.send(self.set(world).await);
        }
    }

    async fn set(&mut self, world: Arc<World>) -> io::Result<()> {
        let policies = self.policy_hosts.prepare(&world, &self.hosts.authority)?;
        let directory = Directory::new(&world, &self.keys, &self.hosts.authority, self.hosts.port)?;
        self.hosts.set(&world).await?;
        self.policy_hosts.set(policies);
        self.names.set(directory);
        Ok(())
    }

    fn ports(&self) -> Ports {
        Ports {
            dns_server: self.dns_server,
            smtp: self.hosts.port,
            https: self.policy_hosts.port(),
        }
    }
}

/// One port for UDP and TCP.
async fn bind_dns() -> io::Result<(UdpSocket, TcpListener)> {
    let mut last = None;
    for _ in 0..PORT_TRIES {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(gone))
}

/// The mail hosts that listen.
struct Hosts {
    port: u16,
    authority: Arc<Authority>,
    log: Log,
    places: HashMap<IpAddr, Place>,
    _reservation: Socket,
}

/// What is at an address.
enum Place {
    Server {
        seat: Seat,
        task: JoinHandle<()>,
    },
    /// Bound, but never listening: the port is refused, and nobody else can get it.
    Refused {
        _socket: Socket,
    },
    /// Listening with a full queue.
    Unanswered {
        _listener: Socket,
        _filler: Socket,
    },
}

impl Hosts {
    async fn start(world: &World, authority: Arc<Authority>, log: Log) -> io::Result<Self> {
        let mut last = None;
        for seed in 0..PORT_TRIES {
            let port = random_port(seed);
            let reservation = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            let outcome = match reservation.bind(&SocketAddr::new(RESERVED, port).into()) {
                Ok(()) => {
                    let places = HashMap::new();
                    let mut hosts = Self {
                        port,
                        authority: Arc::clone(&authority),
                        log: log.clone(),
                        places,
                        _reservation: reservation,
                    };
                    hosts.set(world).await.map(|()| hosts)
                }
                Err(error) => Err(error),
            };
            match outcome {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = Some(error),
                other => return other,
            }
        }
        Err(last.unwrap_or_else(gone))
    }

    /// Makes the hosts those of `world`. When an address cannot be bound nothing is changed.
    async fn set(&mut self, world: &World) -> io::Result<()> {
        let mut wanted: HashMap<IpAddr, (Listening, Arc<LiveHost>)> = HashMap::new();
        for host in &world.hosts {
            let live = Arc::new(LiveHost::new(host.clone(), &self.authority)?);
            for &address in &host.addresses {
                wanted.insert(address, (host.listening, Arc::clone(&live)));
            }
        }
        let mut opened = HashMap::new();
        for (&address, (listening, live)) in &wanted {
            if !self.places.contains_key(&address) {
                opened.insert(address, self.open(address, *listening, live)?);
            }
        }
        for (address, place) in std::mem::take(&mut self.places) {
            let kept = match wanted.get(&address) {
                Some((listening, live)) if place.is(*listening) => {
                    place.seat(live);
                    place
                }
                // The port is reserved, so that only the old place stood in the way of the new one.
                Some((listening, live)) => {
                    place.leave().await;
                    self.open(address, *listening, live)?
                }
                None => {
                    place.leave().await;
                    continue;
                }
            };
            opened.insert(address, kept);
        }
        self.places = opened;
        Ok(())
    }

    fn open(&self, address: IpAddr, listening: Listening, live: &Arc<LiveHost>) -> io::Result<Place> {
        assert!(address.is_loopback(), "the hosts of a sandbox are on loopback");
        let at = SocketAddr::new(address, self.port);
        let socket = Socket::new(Domain::for_address(at), Type::STREAM, None)?;
        // Connections of an earlier world that wait out their time do not block the port.
        socket.set_reuse_address(true)?;
        socket.bind(&at.into())?;
        match listening {
            Listening::Server => {
                socket.set_nonblocking(true)?;
                socket.listen(1024)?;
                let listener = TcpListener::from_std(socket.into())?;
                let seat = Seat::new(Arc::clone(live));
                let task = tokio::spawn(listen(listener, address, seat.clone(), self.log.clone()));
                Ok(Place::Server { seat, task })
            }
            Listening::Refused => Ok(Place::Refused { _socket: socket }),
            Listening::Unanswered => {
                // The kernel queues one connection more than it is told, and answers no further one.
                socket.listen(0)?;
                let filler = Socket::new(Domain::for_address(at), Type::STREAM, None)?;
                filler.connect_timeout(&at.into(), Duration::from_secs(1))?;
                Ok(Place::Unanswered {
                    _listener: socket,
                    _filler: filler,
                })
            }
        }
    }
}

impl Place {
    fn is(&self, listening: Listening) -> bool {
        match self {
            Self::Server { .. } => listening == Listening::Server,
            Self::Refused { .. } => listening == Listening::Refused,
            Self::Unanswered { .. } => listening == Listening::Unanswered,
        }
    }

    fn seat(&self, host: &Arc<LiveHost>) {
        if let Self::Server { seat, .. } = self {
            seat.set(Arc::clone(host));
        }
    }

    /// Returns when nothing listens any more.
    async fn leave(self) {
        if let Self::Server { task, .. } = self {
            task.abort();
            // The only error is that it was aborted.
            let _ = task.await;
        }
    }
}

/// A port below those that systems hand out to clients, so that no connection of anybody's is in the way.
fn random_port(seed: u16) -> u16 {
    // The keys of a `RandomState` are random; nothing here needs more than that.
    let random = std::hash::RandomState::new().hash_one(seed);
    10_240 + u16::try_from(random % 20_000).unwrap_or(seed)
}
