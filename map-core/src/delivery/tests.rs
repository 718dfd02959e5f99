//! Deliveries over a made-up network: a table for the DNS, a script for each address, and paused time.

mod bounds;
mod certificates;
mod domains;
#[cfg(feature = "tracing")]
mod events;
mod hosts;
mod limits;
mod places;
mod policies;
mod port25;
mod recipients;
mod relay;
mod replies;
mod shortage;
mod strangers;
mod tls;
mod ways;

use super::report::Asked;
use super::{
    Attempt, AttemptOutcome, BrokenTls, Delivered, Environment, HelloName, Meter, RecipientReport, Relay,
    Report, Stage, StsSource, TlsPolicy, deliver,
};
use crate::message::{Message, Options};
use crate::net::tls::{TlsSettings, Verified};
use crate::net::{
    CancelSignal, ConnectByName, ConnectError, Connecting, Connector, Limits, Places, Port25, ProxyError,
    Transport,
};
use crate::protocol::{self, Fields, MapReply};
use crate::route::mta_sts::{FetchError, FetchPolicy, Fetching, MtaSts};
use crate::route::{
    Answer, HostName, Lookup, LookupError, NotValidating, Policy, Proof, Record, RecordType, Resolver,
    Validation, ValidationLookup,
};
use crate::smtp::{Chunking, Deadlines, ReplyCode};
use certificates::Certificate;
use std::collections::{HashMap, HashSet, VecDeque};
use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream,
};
use tokio::time::Instant;

/// What lives at an address.
#[derive(Clone, Debug)]
enum Peer {
    /// `connect()` itself fails with this number.
    Errno(i32),
    /// `connect()` itself fails.
    Immediate(io::ErrorKind),
    /// The source address is not ours.
    NotOurs,
    /// The proxy fails.
    Proxy(ProxyError),
    /// Fails later.
    Later(io::ErrorKind),
    /// Never answers.
    Silent,
    /// Says these lines: a greeting, then one reply to each command; a content is read to its end mark.
    /// `close` closes, `hang` falls silent, `stop reading` does so at once; `tls …` makes a TLS session, see [`start_tls`].
    /// `sip OCTETS SECONDS` reads a content so slowly; `after SECONDS s 250 …` is a slow reply.
    Says(&'static [&'static str]),
}

const GOOD: Peer = Peer::Says(&[
    "220 ready",
    "250 hello",
    "250 ok",
    "250 ok",
    "354 go",
    "250 queued as 7",
    "221 bye",
]);

impl Transport for DuplexStream {
    fn local_addr(&self) -> Option<SocketAddr> {
        Some(SocketAddr::from(([192, 0, 2, 77], 40000)))
    }
}

/// A network of peers; remembers whom it was asked to connect to, and what each peer was told.
#[derive(Debug, Default)]
struct Network {
    /// On port 25.
    peers: HashMap<IpAddr, VecDeque<Peer>>,
    /// By name, behind a proxy that looks names up.
    names: HashMap<&'static str, Peer>,
    named: Mutex<Vec<String>>,
    /// Reached through a proxy.
    proxied: bool,
    /// On port 443.
    web: HashMap<IpAddr, Peer>,
    connected: Mutex<Vec<IpAddr>>,
    web_connected: Mutex<Vec<IpAddr>>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Connector for Arc<Network> {
    fn connect(&self, address: SocketAddr) -> Connecting<'_> {
        Box::pin(async move {
            let (address, port) = (address.ip(), address.port());
            if port == 443 {
                self.web_connected.lock().expect("unpoisoned").push(address);
                let peer = self.web.get(&address);
                return self
                    .meet(peer.unwrap_or_else(|| panic!("no web host lives at {address}")))
                    .await;
            }
            let before = {
                let mut connected = self.connected.lock().expect("unpoisoned");
                connected.push(address);
                connected.iter().filter(|other| **other == address).count() - 1
            };
            let peers = self
                .peers
                .get(&address)
                .unwrap_or_else(|| panic!("nothing lives at {address}"));
            self.meet(peers.get(before).or(peers.back()).expect("a peer"))
                .await
        })
    }

    fn by_name(&self) -> Option<&dyn ConnectByName> {
        (!self.names.is_empty()).then_some(self)
    }

    fn is_direct(&self) -> bool {
        !self.proxied
    }
}

impl ConnectByName for Arc<Network> {
    fn connect<'a>(&'a self, host: &'a HostName, port: u16) -> Connecting<'a> {
        Box::pin(async move {
            let named = match port {
                25 => host.to_string(),
                port => format!("{host}:{port}"),
            };
            self.named.lock().expect("unpoisoned").push(named);
            let peer = self.names.get(host.as_ascii());
            self.meet(peer.unwrap_or_else(|| panic!("nobody is named {host}")))
                .await
        })
    }
}

impl Network {
    async fn meet(&self, peer: &Peer) -> Result<Box<dyn Transport>, ConnectError> {
        match peer {
            Peer::Errno(number) => Err(ConnectError::Immediate(io::Error::from_raw_os_error(*number))),
            Peer::Immediate(kind) => Err(ConnectError::Immediate((*kind).into())),
            Peer::NotOurs => Err(ConnectError::SourceAddress {
                address: [192, 0, 2, 7].into(),
                error: io::ErrorKind::AddrNotAvailable.into(),
            }),
            Peer::Proxy(why) => Err((*why).into()),
            Peer::Later(kind) => Err(ConnectError::Later((*kind).into())),
            Peer::Silent => pending().await,
            Peer::Says(script) => {
                let (ours, theirs) = tokio::io::duplex(64 * 1024);
                tokio::spawn(serve(theirs, script, Arc::clone(&self.heard)));
                Ok(Box::new(ours))
            }
        }
    }
}

/// What a peer speaks over; told apart in what it heard, where words within TLS begin with `TLS `.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn serve(stream: DuplexStream, script: &'static [&'static str], heard: Arc<Mutex<Vec<String>>>) {
    let mut stream: BufReader<Box<dyn Stream>> = BufReader::new(Box::new(stream));
    let mut in_content = false;
    let mut speaks_first = true;
    let mut tls = "";
    for line in script {
        if *line == "stop reading" {
            return pending().await;
        }
        if let Some((octets, seconds)) = line.strip_prefix("sip ").and_then(|how| how.split_once(' ')) {
            sip(
                &mut stream,
                octets.parse().expect("octets"),
                seconds.parse().expect("seconds"),
            )
            .await;
            in_content = false;
            speaks_first = true;
            continue;
        }
        if let Some(how) = line.strip_prefix("tls ") {
            assert!(stream.buffer().is_empty(), "said before the handshake");
            let Some(session) = start_tls(stream.into_inner(), how).await else {
                return;
            };
            stream = BufReader::new(session);
            tls = "TLS ";
            continue;
        }
        if !speaks_first {
            loop {
                let mut command = String::new();
                if stream.read_line(&mut command).await.unwrap_or(0) == 0 {
                    return;
                }
                let ends = !in_content || command == ".\r\n";
                heard
                    .lock()
                    .expect("unpoisoned")
                    .push(format!("{tls}{}", command.trim_end()));
                if ends {
                    break;
                }
            }
        }
        speaks_first = false;
        match *line {
            "close" => return,
            "hang" => pending().await,
            reply => {
                let reply = match reply
                    .strip_prefix("after ")
                    .and_then(|rest| rest.split_once(" s "))
                {
                    Some((seconds, reply)) => {
                        let seconds = seconds.parse().expect("seconds");
                        tokio::time::sleep(Duration::from_secs(seconds)).await;
                        reply
                    }
                    None => reply,
                };
                in_content = reply.starts_with("354");
                let reply = format!("{}\r\n", reply.replace('|', "\r\n"));
                let written = stream.write_all(reply.as_bytes()).await;
                if written.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
        }
    }
    // Whatever follows is heard and not answered.
    let mut rest = String::new();
    while stream.read_line(&mut rest).await.unwrap_or(0) > 0 {
        let line = format!("{tls}{}", std::mem::take(&mut rest).trim_end());
        heard.lock().expect("unpoisoned").push(line);
    }
}

/// Reads a content to its end mark, so many octets at a time.
async fn sip(stream: &mut BufReader<Box<dyn Stream>>, octets: usize, seconds: u64) {
    let mut end = Vec::new();
    while !end.ends_with(b"\r\n.\r\n") {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let mut sip = vec![0; octets];
        // Not by the buffer, which would take more.
        let read = stream.get_mut().read(&mut sip).await.unwrap_or(0);
        if read == 0 {
            return;
        }
        end.extend_from_slice(&sip[..read]);
        end.drain(..end.len().saturating_sub(5));
    }
}

/// `good`, `wrong-name`, `expired`, `self-signed`: a session with that certificate. `breaks`: an alert. `hangs`: never a
/// word. `nonsense`: no TLS. `closes`.
async fn start_tls(mut stream: Box<dyn Stream>, how: &str) -> Option<Box<dyn Stream>> {
    let mut hello = [0; 2048];
    match how {
        "breaks" => {
            let _ = stream.read(&mut hello).await;
            // The alert protocol_version.
            let _ = stream.write_all(&[0x15, 3, 1, 0, 2, 2, 70]).await;
            None
        }
        "closes" => {
            let _ = stream.read(&mut hello).await;
            None
        }
        "hangs" => pending().await,
        "nonsense" => {
            let _ = stream.read(&mut hello).await;
            let _ = stream.write_all(b"500 what?\r\n").await;
            None
        }
        name => {
            let acceptor = Certificate::named(name).acceptor();
            match acceptor.accept(stream).await {
                Ok(session) => Some(Box::new(session)),
                Err(_) => None,
            }
        }
    }
}

/// A DNS of MX records and addresses by name.
#[derive(Debug)]
struct Zone {
    records: HashMap<(String, RecordType), Result<Vec<Record>, LookupError>>,
    /// Names whose records are signed, and those at whose records a validator finds something wrong.
    secure: HashSet<String>,
    bogus: HashSet<(String, RecordType)>,
    /// Names that a validator finds to have no address, whatever others find.
    without_address: HashSet<String>,
    validation: Validation,
    /// The question after which the signatures are missing.
    stripped_after: Option<(String, RecordType)>,
    asked: Arc<Mutex<Vec<(String, RecordType)>>>,
}

impl Default for Zone {
    fn default() -> Self {
        Self {
            records: HashMap::new(),
            secure: HashSet::new(),
            bogus: HashSet::new(),
            without_address: HashSet::new(),
            validation: Validation::On,
            stripped_after: None,
            asked: Arc::default(),
        }
    }
}

impl Zone {
    fn insert(&mut self, name: &str, record_type: RecordType, records: Result<Vec<Record>, LookupError>) {
        self.records.insert((name.to_owned(), record_type), records);
    }

    fn validation_now(&self) -> Validation {
        let asked = self.asked.lock().expect("unpoisoned");
        match &self.stripped_after {
            Some(question) if asked.contains(question) => Validation::Off(NotValidating::NoSignatures),
            _ => self.validation.clone(),
        }
    }
}

impl Resolver for Zone {
    fn query_validated<'a>(&'a self, name: &'a str, record_type: RecordType) -> Lookup<'a> {
        Box::pin(async move {
            let answer = self.query(name, record_type).await;
            if self.validation_now() != Validation::On {
                return answer;
            }
            let is_address = matches!(record_type, RecordType::A | RecordType::Aaaa);
            if is_address && self.without_address.contains(name) {
                return Err(LookupError::NxDomain);
            }
            if self.bogus.contains(&(name.to_owned(), record_type)) {
                return Err(LookupError::Bogus);
            }
            let is_secure = self.secure.contains(name);
            let proof = if is_secure { Proof::Secure } else { Proof::Insecure };
            answer.map(|answer| Answer {
                proof,
                first_proof: proof,
                ..answer
            })
        })
    }

    fn validation(&self) -> ValidationLookup<'_> {
        Box::pin(std::future::ready(self.validation_now()))
    }

    fn query<'a>(&'a self, name: &'a str, record_type: RecordType) -> Lookup<'a> {
        Box::pin(async move {
            let question = (name.to_owned(), record_type);
            self.asked.lock().expect("unpoisoned").push(question.clone());
            match self.records.get(&question) {
                Some(Ok(records)) => Ok(Answer {
                    records: records.clone(),
                    canonical_name: name.to_owned(),
                    proof: Proof::Insecure,
                    first_proof: Proof::Insecure,
                    ttl: Duration::from_secs(60),
                }),
                // As long as the resolver waits before it says so.
                Some(Err(LookupError::NoAnswer)) => {
                    tokio::time::sleep(Duration::from_secs(10)).await;
                    Err(LookupError::NoAnswer)
                }
                Some(Err(error)) => Err(error.clone()),
                None if self.records.keys().any(|(known, _)| known == name) => Err(LookupError::NoData),
                None => Err(LookupError::NxDomain),
            }
        })
    }
}

/// A world of one domain, `example.org`, and the mail host(s) behind it.
struct World {
    zone: Zone,
    network: Network,
    deadline: Option<Duration>,
    cancel: CancelSignal,
    deadlines: Deadlines,
    policy: Policy,
    smtp_port: u16,
    port25: Option<Arc<Port25>>,
    require_tls: bool,
    dane: bool,
    policy_host: Option<PolicyHost>,
    known_policies: Arc<MtaSts>,
    broken_tls: BrokenTls,
    tls: TlsSettings,
    relay: Option<Relay>,
    recipient: &'static str,
    chunking: Chunking,
    meter: Arc<Meter>,
    places: Places,
}

/// What the policy host of the domain gives, and after how long.
#[derive(Debug)]
struct PolicyHost(Result<&'static str, FetchError>, Duration);

impl FetchPolicy for PolicyHost {
    fn fetch<'a>(&'a self, host: &'a HostName) -> Fetching<'a> {
        assert_eq!(host.as_ascii(), "mta-sts.example.org");
        let policy = self.0.clone().map(|text| text.as_bytes().into());
        Box::pin(async move {
            // Time is paused in these tests, and goes on by itself.
            tokio::time::sleep(self.1).await;
            policy
        })
    }
}

impl World {
    /// Hosts `mx1`, `mx2`, … of rising preference, each with its addresses and who lives there.
    fn new(hosts: &[&[(&str, Peer)]]) -> Self {
        let mut zone = Zone::default();
        let mut network = Network::default();
        let mut exchanges = Vec::new();
        for (number, addresses) in (1_u16..).zip(hosts) {
            let exchange = format!("mx{number}.example.org");
            exchanges.push(Record::Mx {
                preference: number,
                exchange: exchange.clone(),
            });
            for (address, peer) in *addresses {
                let address: IpAddr = address.parse().expect("an address");
                let record_type = if address.is_ipv4() {
                    RecordType::A
                } else {
                    RecordType::Aaaa
                };
                let records = zone
                    .records
                    .entry((exchange.clone(), record_type))
                    .or_insert(Ok(Vec::new()));
                let records = records.as_mut().expect("records");
                if !records.contains(&Record::Address(address)) {
                    records.push(Record::Address(address));
                }
                network.peers.entry(address).or_default().push_back(peer.clone());
            }
        }
        zone.records
            .insert(("example.org".to_owned(), RecordType::Mx), Ok(exchanges));
        Self {
            zone,
            network,
            deadline: None,
            cancel: CancelSignal::default(),
            deadlines: Deadlines::default(),
            policy: Policy::default(),
            smtp_port: 25,
            port25: None,
            require_tls: false,
            dane: true,
            policy_host: None,
            known_policies: Arc::new(MtaSts::new()),
            broken_tls: BrokenTls::default(),
            tls: certificates::trusted(),
            relay: None,
            chunking: Chunking::default(),
            meter: Arc::default(),
            // Of its own: what waits for the places of another test would see its own time fly.
            places: Places::among(Some(4096)),
            recipient: "bob@example.org",
        }
    }

    /// Another domain with one mail host of its own.
    fn add_domain(&mut self, domain: &str, addresses: &[(&str, Peer)]) {
        let exchange = format!("mx1.{domain}");
        let mx = Record::Mx {
            preference: 1,
            exchange: exchange.clone(),
        };
        self.zone.insert(domain, RecordType::Mx, Ok(vec![mx]));
        let addresses = addresses.iter().map(|(address, peer)| {
            let address: IpAddr = address.parse().expect("an address");
            self.network
                .peers
                .entry(address)
                .or_default()
                .push_back(peer.clone());
            Record::Address(address)
        });
        let addresses = addresses.collect();
        self.zone.insert(&exchange, RecordType::A, Ok(addresses));
    }

    async fn send(self) -> Sent {
        let fields = Fields {
            from: b"alice@example.com",
            to: self.recipient.as_bytes(),
            subject: b"greeting",
            content: b"Hello.",
        };
        let checked = protocol::check(fields).expect("a fit mail");
        let message = Message::text(
            checked.from,
            checked.to,
            &checked.subject,
            checked.content,
            Options::default(),
        );
        self.deliver(&message, Asked::new(fields)).await
    }

    async fn send_message(self, message: &Message) -> Sent {
        self.deliver(message, Asked::of(message)).await
    }

    async fn deliver(self, message: &Message, asked_for: Asked) -> Sent {
        let network = Arc::new(self.network);
        let asked = Arc::clone(&self.zone.asked);
        let resolver: Arc<dyn Resolver> = Arc::new(self.zone);
        let environment = Environment {
            host_names: Arc::clone(&resolver).into(),
            resolver,
            connector: Arc::new(Arc::clone(&network)),
            policy: self.policy,
            smtp_port: self.smtp_port,
            hello_name: HelloName::Fixed("client.example.com".parse().expect("a domain")),
            connect_timeout: Duration::from_secs(15),
            deadlines: self.deadlines,
            places: self.places,
            chunking: self.chunking,
            port25: self.port25,
            tls: self.tls,
            require_tls: self.require_tls,
            dane: self.dane,
            mta_sts: self.policy_host.map(|host| StsSource {
                known: self.known_policies,
                fetcher: Arc::new(host),
            }),
            broken_tls: self.broken_tls,
            relay: self.relay,
        };
        let now = Instant::now();
        let limits = Limits {
            cancel: self.cancel,
            total: self.deadline.map(|deadline| now + deadline),
            content_start: now + Duration::from_secs(300),
        };
        let report = deliver(message, asked_for.into(), &environment, &limits, &self.meter).await;
        let texts = |addresses: &Mutex<Vec<IpAddr>>| {
            let addresses = addresses.lock().expect("unpoisoned");
            addresses.iter().map(ToString::to_string).collect()
        };
        let connected = texts(&network.connected);
        let web_connected = texts(&network.web_connected);
        let named = network.named.lock().expect("unpoisoned").clone();
        let heard = network.heard.lock().expect("unpoisoned").clone();
        let asked = asked.lock().expect("unpoisoned").clone();
        Sent {
            report,
            connected,
            web_connected,
            named,
            heard,
            asked,
        }
    }
}

struct Sent {
    report: Report,
    connected: Vec<String>,
    web_connected: Vec<String>,
    named: Vec<String>,
    heard: Vec<String>,
    asked: Vec<(String, RecordType)>,
}

impl Sent {
    /// The MAIL commands that hosts heard, in the clear and within TLS.
    fn mails(&self) -> [usize; 2] {
        ["MAIL ", "TLS MAIL "].map(|mail| self.heard.iter().filter(|line| line.starts_with(mail)).count())
    }

    #[track_caller]
    fn assert(&self, reply: &str, delivered: Delivered, transient: bool, enhanced: Option<&str>) {
        let summary = self.report.summary();
        assert_eq!(summary.reply().to_string(), reply, "{}", self.report.transcript());
        assert_eq!(summary.delivered(), delivered);
        assert_eq!(summary.transient(), transient);
        assert_eq!(
            summary.enhanced().map(|status| status.to_string()).as_deref(),
            enhanced
        );
        assert_eq!(
            summary.retry_after().is_some(),
            transient,
            "a hint goes with what is worth a repeat"
        );
        assert!(!summary.advice().is_empty());
    }
}

const A: &str = "192.0.2.1";
const B: &str = "192.0.2.2";
const C: &str = "192.0.2.3";
const A6: &str = "2001:db8::1";
