//! The question whether outgoing port 25 is blocked.
//!
//! Providers block port 25 more often than mail hosts fail, and nearly nothing of that is told by the error of one
//! connection: a blocked port mostly looks like a host that is down. So when no address of the recipient could be
//! connected to, probe hosts are asked:
//!
//! ```text
//! connect() itself says EACCES or EPERM, and not so for port 443 there    blocked by this machine
//! else, in the family of the failure, all at once:
//!    A: mail hosts of large providers, port 25: one greets                not blocked, the recipient is unreachable
//!    A: none greets       B: web hosts, port 443: one connects            blocked on the way out
//!    A: none greets       B: none connects                                no network
//! ```
//!
//! An agent keeps an answer about the way out for [`KEPT`].

use super::{ConnectError, Connector, Transport};
use crate::local::LocalError;
use crate::route::{HostName, LookupError, Policy, Record, RecordType, Resolver, Target};
use crate::smtp::{ReplyCode, ReplyParser};
use crate::text::quoted;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(10 * 60);
/// How long a probe host may take to be found.
const LOOKUP_WAIT: Duration = Duration::from_secs(3);
/// How long a probe host may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// `connect()` itself answers at once; what comes later is no refusal by this machine.
const OWN_REFUSAL_WAIT: Duration = Duration::from_secs(1);
/// More of what a probe host says is not read for its greeting, in octets.
const GREETING_BLOCK: usize = 2_048;

const SMTP_PORT: u16 = 25;
const WEB_PORT: u16 = 443;

// Unrelated providers on three continents, so that no single outage, and no single country's filter, makes all fail.
const MAIL_WITNESSES: [&str; 3] = [
    "gmail-smtp-in.l.google.com",
    "outlook-com.olc.protection.outlook.com",
    "mx3.qq.com",
];
// Their MX hosts do not listen on port 443; their web hosts do.
const WEB_WITNESSES: [&str; 2] = ["www.google.com", "www.qq.com"];

/// A host that tells something about the way to the Internet by answering: a name or an address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeHost {
    host: Target,
    port: u16,
}

/// Not `host`, `host:port`, an IP address or `address:port`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not a host: write a name or an IP address, with :port after it if need be", quoted(.0))]
pub struct ProbeHostError(String);

impl ProbeHost {
    fn parse(text: &str, default_port: u16) -> Result<Self, ProbeHostError> {
        let error = || ProbeHostError(text.to_owned());
        let text = text.trim();
        let (host, port) = if let Ok(address) = text.parse::<SocketAddr>() {
            (Target::Address(address.ip()), address.port())
        } else if let Ok(address) = IpAddr::from_str(text.trim_matches(['[', ']'])) {
            (Target::Address(address), default_port)
        } else {
            let (name, port) = match text.split_once(':') {
                Some((name, port)) => (name, port.parse().map_err(|_| error())?),
                None => (text, default_port),
            };
            let name = name.strip_suffix('.').unwrap_or(name);
            (Target::Name(HostName::parse(name).map_err(|_| error())?), port)
        };
        if port == 0 {
            return Err(error());
        }
        Ok(Self { host, port })
    }
}

impl fmt::Display for ProbeHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Whom to ask: mail hosts that greet, and web hosts that accept a connection.
///
/// The default are MX hosts of three large providers, and web hosts of two.
///
/// # Example
/// ```
/// use map_core::net::ProbeHosts;
/// let probe_hosts = ProbeHosts::new(["mx.example.net", "192.0.2.25:25"], ["www.example.net"])?;
/// assert!(ProbeHosts::new(["two words"], []).is_err());
/// # Ok::<(), map_core::net::ProbeHostError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeHosts {
    mail: Vec<ProbeHost>,
    web: Vec<ProbeHost>,
}

impl ProbeHosts {
    /// Mail hosts (port 25 unless said otherwise) and web hosts (port 443 unless said otherwise).
    ///
    /// # Errors
    /// A text that names no host.
    pub fn new<'a>(
        mail: impl IntoIterator<Item = &'a str>,
        web: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ProbeHostError> {
        let parse = |port| move |text| ProbeHost::parse(text, port);
        Ok(Self {
            mail: mail.into_iter().map(parse(SMTP_PORT)).collect::<Result<_, _>>()?,
            web: web.into_iter().map(parse(WEB_PORT)).collect::<Result<_, _>>()?,
        })
    }
}

impl Default for ProbeHosts {
    fn default() -> Self {
        let probe_host = |port| {
            move |name: &&str| {
                let host = HostName::parse(name).ok().map(Target::Name);
                host.map(|host| ProbeHost { host, port })
            }
        };
        Self {
            mail: MAIL_WITNESSES.iter().filter_map(probe_host(SMTP_PORT)).collect(),
            web: WEB_WITNESSES.iter().filter_map(probe_host(WEB_PORT)).collect(),
        }
    }
}

/// The two families of addresses: a port may be blocked in one and open in the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

impl Family {
    fn record_type(self) -> RecordType {
        match self {
            Self::V4 => RecordType::A,
            Self::V6 => RecordType::Aaaa,
        }
    }
}

impl From<IpAddr> for Family {
    fn from(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// What the question came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Port25Finding {
    /// This machine forbids it: `connect()` itself said so, and only for this port.
    BlockedHere,
    /// Somebody between this machine and the Internet blocks it.
    BlockedOnTheWay {
        /// Every probe host was refused. A port that swallows everything is only probably blocked.
        certain: bool,
    },
    /// Nothing is reached at all, whatever the port.
    NoNetwork,
    /// Nobody was asked, or nobody could say.
    NotAsked(NotAsked),
    /// A probe host greeted: it is the recipient's host that cannot be reached.
    Open,
}

/// Why the question was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotAsked {
    /// The time left did not allow it.
    NoTime,
    /// No probe host has an address in the family that failed.
    NoProbeHost,
    /// It is switched off.
    SwitchedOff,
}

impl Port25Finding {
    /// `blocked here`, `blocked on the way out`, `probably blocked on the way out`, `no network`, `open`, or
    /// `not asked` with the reason.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BlockedHere => "blocked here",
            Self::BlockedOnTheWay { certain: true } => "blocked on the way out",
            Self::BlockedOnTheWay { certain: false } => "probably blocked on the way out",
            Self::NoNetwork => "no network",
            Self::NotAsked(NotAsked::NoTime) => "not asked for lack of time",
            Self::NotAsked(NotAsked::NoProbeHost) => "not asked for lack of a probe host",
            Self::NotAsked(NotAsked::SwitchedOff) => "not asked because that is switched off",
            Self::Open => "open",
        }
    }

    /// Which of two families' findings is told. Where one family is open, mail can leave; where one is blocked, that
    /// is what can be remedied; and nothing is said of a network whose other half could not be asked.
    fn weight(self) -> u8 {
        match self {
            Self::Open => 5,
            Self::BlockedHere => 4,
            Self::BlockedOnTheWay { certain: true } => 3,
            Self::BlockedOnTheWay { certain: false } => 2,
            Self::NotAsked(_) => 1,
            Self::NoNetwork => 0,
        }
    }
}

/// What one host said, or that it said nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeReport {
    probe_host: ProbeHost,
    is_mail: bool,
    address: Option<IpAddr>,
    said: ProbeResult,
}

/// How a probe host answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProbeResult {
    /// It accepted the connection; of a mail host more is wanted.
    Connected,
    /// It greeted; with any code.
    Greeted(ReplyCode),
    /// It has no address in the family, or none was found in time: nothing was asked.
    NoAddress,
    /// It said something else, or closed.
    NotSmtp,
    /// Refused by it, on the way or here.
    Refused(io::ErrorKind),
    /// No answer in time.
    Silent,
}

impl ProbeReport {
    fn is_greeting(&self) -> bool {
        matches!(self.said, ProbeResult::Greeted(_))
    }

    /// `host:port`
    pub fn probe_host(&self) -> String {
        self.probe_host.to_string()
    }

    /// The address that was asked.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// How it answered.
    pub fn said(&self) -> ProbeResult {
        self.said
    }
}

impl fmt::Display for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            probe_host, address, ..
        } = self;
        write!(f, "{probe_host}")?;
        if let (Some(address), Target::Name(_)) = (address, &probe_host.host) {
            write!(f, " [{address}]")?;
        }
        match self.said {
            ProbeResult::Connected => f.write_str(" accepted the connection"),
            ProbeResult::Greeted(code) => write!(f, " greeted with {code}"),
            ProbeResult::NoAddress => f.write_str(" has no address to ask"),
            ProbeResult::NotSmtp => f.write_str(" connected but did not greet"),
            ProbeResult::Refused(kind) => write!(f, " was refused ({kind})"),
            ProbeResult::Silent => f.write_str(" gave no answer in time"),
        }
    }
}

/// The answer, and what it rests on.
///
/// `Display` gives it all in one line: `blocked on the way out (IPv4): mx.example.net:25 [192.0.2.1] was refused
/// (connection refused); …`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port25Evidence {
    finding: Port25Finding,
    families: Vec<Family>,
    probes: Vec<ProbeReport>,
    age: Duration,
}

impl Port25Evidence {
    /// A finding, and nothing that it rests on.
    #[cfg(test)]
    pub(crate) fn with_finding(finding: Port25Finding) -> Self {
        Self {
            finding,
            families: Vec::new(),
            probes: Vec::new(),
            age: Duration::ZERO,
        }
    }

    /// The question could not be asked.
    pub(crate) fn not_asked(why: NotAsked) -> Self {
        Self {
            finding: Port25Finding::NotAsked(why),
            families: Vec::new(),
            probes: Vec::new(),
            age: Duration::ZERO,
        }
    }

    /// The answer.
    pub fn finding(&self) -> Port25Finding {
        self.finding
    }

    /// The families of addresses for which the answer holds.
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// What each host that was asked said.
    pub fn probes(&self) -> &[ProbeReport] {
        &self.probes
    }

    /// How old the answer was when it was used: an agent keeps one for ten minutes.
    pub fn age(&self) -> Duration {
        self.age
    }

    /// The one evidence of all families.
    fn join(family_probes: Vec<FamilyProbe>) -> Self {
        let weights = family_probes
            .iter()
            .map(|family_probe| family_probe.finding.weight());
        let finding = weights
            .max()
            .and_then(|weight| {
                family_probes
                    .iter()
                    .find(|family_probe| family_probe.finding.weight() == weight)
            })
            .map_or(Port25Finding::NotAsked(NotAsked::NoProbeHost), |family_probe| {
                family_probe.finding
            });
        let mut joined = Self {
            finding,
            families: Vec::new(),
            probes: Vec::new(),
            age: Duration::ZERO,
        };
        for family_probe in family_probes {
            if family_probe.finding == finding {
                joined.families.push(family_probe.family);
            }
            joined.age = joined.age.max(family_probe.probed.elapsed());
            joined.probes.extend(family_probe.probes);
        }
        joined
    }
}

impl fmt::Display for Port25Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.finding.as_str())?;
        for (index, family) in self.families.iter().enumerate() {
            write!(f, "{}{family}", if index == 0 { " (" } else { ", " })?;
        }
        if !self.families.is_empty() {
            f.write_str(")")?;
        }
        for (index, probe) in self.probes.iter().enumerate() {
            write!(f, "{} {probe}", if index == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

/// The way to the network, shared by those who ask.
#[derive(Clone, Debug)]
pub(crate) struct WayOut {
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) policy: Policy,
}

/// An address that could not be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FailedAddress {
    pub(crate) address: IpAddr,
    /// `connect()` itself said EACCES or EPERM.
    pub(crate) forbidden_here: bool,
}

/// Asks, and remembers the answers; one for an agent.
#[derive(Debug)]
pub(crate) struct Port25 {
    probe_hosts: ProbeHosts,
    kept: Mutex<Vec<FamilyProbe>>,
    /// Deliveries that fail together ask once.
    asking: tokio::sync::Mutex<()>,
}

/// What was found for one family.
#[derive(Clone, Debug)]
struct FamilyProbe {
    family: Family,
    finding: Port25Finding,
    probes: Vec<ProbeReport>,
    probed: Instant,
}

impl Port25 {
    pub(crate) fn new(probe_hosts: ProbeHosts) -> Self {
        Self {
            probe_hosts,
            kept: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// What is known of the families of these addresses without asking anybody.
    pub(crate) fn recall(&self, failed: &[FailedAddress]) -> Option<Port25Evidence> {
        self.recall_since(failed, None)
    }

    /// The same, or whatever was found since that time.
    fn recall_since(&self, failed: &[FailedAddress], since: Option<Instant>) -> Option<Port25Evidence> {
        if failed.iter().any(|failed| failed.forbidden_here) {
            return None;
        }
        let mut families: Vec<Family> = failed.iter().map(|failed| failed.address.into()).collect();
        families.sort_unstable();
        families.dedup();
        let kept: Option<Vec<_>> = families
            .into_iter()
            .map(|family| self.kept(family, since))
            .collect();
        kept.map(Port25Evidence::join)
    }

    /// Finds out why these addresses could not be connected to. Takes [`OWN_REFUSAL_WAIT`], [`LOOKUP_WAIT`] and
    /// [`ANSWER_WAIT`] at most, once it has the one place of the process; the wait for that, and for others of the agent that
    /// ask, is the caller's to bound. Who waited for others that asked takes their answer, whatever it is.
    pub(crate) async fn ask(
        &self,
        failed: &[FailedAddress],
        way: &WayOut,
        places: &Semaphore,
    ) -> Port25Evidence {
        let since = Some(Instant::now());
        let _one_at_a_time = self.asking.lock().await;
        if let Some(answer) = self.recall_since(failed, since) {
            return answer;
        }
        // It is an error only of places that are closed, and nobody closes them.
        let _place = places.acquire().await;
        let of = |family| {
            let addresses = failed.iter().copied();
            let addresses: Vec<_> = addresses
                .filter(|failed| Family::from(failed.address) == family)
                .collect();
            self.ask_family(family, addresses, since, way)
        };
        let (v4, v6) = tokio::join!(of(Family::V4), of(Family::V6));
        Port25Evidence::join(v4.into_iter().chain(v6).collect())
    }

    async fn ask_family(
        &self,
        family: Family,
        failed: Vec<FailedAddress>,
        since: Option<Instant>,
        way: &WayOut,
    ) -> Option<FamilyProbe> {
        let forbidden = failed.iter().find(|failed| failed.forbidden_here);
        if let Some(forbidden) = forbidden
            && let Some(probe) = own_refusal(forbidden.address, way).await
        {
            return Some(FamilyProbe {
                family,
                finding: Port25Finding::BlockedHere,
                probes: vec![probe],
                probed: Instant::now(),
            });
        }
        failed.first()?;
        if let Some(kept) = self.kept(family, since) {
            return Some(kept);
        }
        let family_probe = self.probe_family(family, way).await;
        self.keep(&family_probe);
        Some(family_probe)
    }

    async fn probe_family(&self, family: Family, way: &WayOut) -> FamilyProbe {
        let mail = self.probe_hosts.mail.iter().map(|probe_host| (probe_host, true));
        let web = self.probe_hosts.web.iter().map(|probe_host| (probe_host, false));
        let mut asked = JoinSet::new();
        for (index, (probe_host, is_mail)) in mail.chain(web).enumerate() {
            let (probe_host, way) = (probe_host.clone(), way.clone());
            asked.spawn(async move { (index, probe(probe_host, is_mail, family, &way).await) });
        }
        let mut answers = Vec::new();
        let mut fell_short = false;
        while let Some(answer) = asked.join_next().await {
            // A resolver or connector of the caller's may panic; its probe host has said nothing then.
            let Ok((index, probe)) = answer else { continue };
            let Ok(probe) = probe else {
                fell_short = true;
                continue;
            };
            let greeted = probe.is_greeting();
            answers.push((index, probe));
            if greeted {
                break;
            }
        }
        answers.sort_by_key(|(index, _)| *index);
        let probes: Vec<_> = answers.into_iter().map(|(_, probe)| probe).collect();
        let finding = match finding(&probes) {
            // Whoever could not be asked, because this machine lacked something, might have said something else.
            _ if fell_short && !probes.iter().any(ProbeReport::is_greeting) => {
                Port25Finding::NotAsked(NotAsked::NoProbeHost)
            }
            finding => finding,
        };
        FamilyProbe {
            family,
            finding,
            probes,
            probed: Instant::now(),
        }
    }

    /// Of what was found before `since`, only what is true of a network as such: a cable that is plugged in again, or a
    /// probe host whose name is found after all, would make a liar of the rest.
    fn kept(&self, family: Family, since: Option<Instant>) -> Option<FamilyProbe> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |family_probe: &&FamilyProbe| {
            let lasts = matches!(
                family_probe.finding,
                Port25Finding::Open | Port25Finding::BlockedOnTheWay { .. }
            );
            family_probe.family == family
                && (lasts && family_probe.probed.elapsed() < KEPT
                    || since.is_some_and(|since| family_probe.probed >= since))
        };
        kept.iter().find(is_fresh).cloned()
    }

    fn keep(&self, family_probe: &FamilyProbe) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|other| other.family != family_probe.family);
        kept.push(family_probe.clone());
    }

    /// A connection to port 25 has been made: what was found of a block does not hold any more.
    pub(crate) fn connected(&self, address: IpAddr) {
        let family = Family::from(address);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|family_probe| {
            family_probe.family != family || family_probe.finding == Port25Finding::Open
        });
    }
}

/// What all say together.
fn finding(probes: &[ProbeReport]) -> Port25Finding {
    let said = |is_mail: bool| {
        let of_kind = probes.iter().filter(move |probe| probe.is_mail == is_mail);
        of_kind
            .map(|probe| probe.said)
            .filter(|said| *said != ProbeResult::NoAddress)
    };
    let refused = |said| matches!(said, ProbeResult::Refused(_));
    if said(true).any(|said| matches!(said, ProbeResult::Greeted(_))) {
        Port25Finding::Open
    } else if said(true).next().is_none() || said(false).next().is_none() {
        Port25Finding::NotAsked(NotAsked::NoProbeHost)
    } else if said(false).any(|said| said == ProbeResult::Connected) {
        Port25Finding::BlockedOnTheWay {
            certain: said(true).all(refused),
        }
    } else {
        Port25Finding::NoNetwork
    }
}

/// `connect()` refused port 25 of `address`: unless it refuses port 443 of it, too, this machine reaches the address
/// and forbids the port. (A `prohibit` route, as an example, refuses both.)
async fn own_refusal(address: IpAddr, way: &WayOut) -> Option<ProbeReport> {
    let connecting = way.connector.connect(SocketAddr::new(address, WEB_PORT));
    let said = match timeout(OWN_REFUSAL_WAIT, connecting).await {
        Ok(Err(error)) if error.is_forbidden_here() || fell_short(&error, address) => return None,
        Ok(Err(error)) => ProbeResult::Refused(error.kind()),
        Ok(Ok(_)) => ProbeResult::Connected,
        Err(_elapsed) => ProbeResult::Silent,
    };
    let probe_host = ProbeHost {
        host: Target::Address(address),
        port: WEB_PORT,
    };
    Some(ProbeReport {
        probe_host,
        is_mail: false,
        address: Some(address),
        said,
    })
}

/// This machine lacked what a connection needs, which says nothing about the network.
fn fell_short(error: &ConnectError, to: IpAddr) -> bool {
    match error {
        ConnectError::Immediate(error) | ConnectError::Later(error) => {
            LocalError::of_connecting(error, Some(to)).is_some()
        }
        ConnectError::Proxy(_) => false,
        ConnectError::SourceAddress { error, .. } => LocalError::shortage(error).is_some(),
    }
}

/// This machine could not ask.
struct NotAbleToAsk;

async fn probe(
    probe_host: ProbeHost,
    is_mail: bool,
    family: Family,
    way: &WayOut,
) -> Result<ProbeReport, NotAbleToAsk> {
    let address = timeout(LOOKUP_WAIT, find_address(&probe_host.host, family, way)).await;
    let address = address.unwrap_or(Ok(None))?;
    let said = match address {
        None => ProbeResult::NoAddress,
        Some(address) => {
            let address = SocketAddr::new(address, probe_host.port);
            timeout(ANSWER_WAIT, hear_probe_host(address, is_mail, way))
                .await
                .unwrap_or(Ok(ProbeResult::Silent))?
        }
    };
    Ok(ProbeReport {
        probe_host,
        is_mail,
        address,
        said,
    })
}

/// A filtering resolver may send a probe host's name to this machine, whose own mail server would greet.
async fn find_address(host: &Target, family: Family, way: &WayOut) -> Result<Option<IpAddr>, NotAbleToAsk> {
    let own = way.connector.own_addresses();
    let fits = |address: &IpAddr| {
        Family::from(*address) == family
            && way.policy.check(*address).is_ok()
            && !own.contains(&address.to_canonical())
    };
    match host {
        Target::Address(address) => Ok(Some(*address).filter(fits)),
        Target::Name(name) => {
            let answer = way.resolver.query(name.as_ascii(), family.record_type()).await;
            if let Err(LookupError::Local(_)) = answer {
                return Err(NotAbleToAsk);
            }
            let mut addresses = answer
                .into_iter()
                .flat_map(|answer| answer.records)
                .filter_map(|record| match record {
                    Record::Address(address) => Some(address),
                    _ => None,
                });
            Ok(addresses.find(fits))
        }
    }
}

async fn hear_probe_host(
    address: SocketAddr,
    is_mail: bool,
    way: &WayOut,
) -> Result<ProbeResult, NotAbleToAsk> {
    match way.connector.connect(address).await {
        Ok(transport) if is_mail => Ok(greeting(transport).await),
        Ok(_) => Ok(ProbeResult::Connected),
        Err(error) if fell_short(&error, address.ip()) => Err(NotAbleToAsk),
        Err(error) => Ok(refusal(&error)),
    }
}

fn refusal(error: &ConnectError) -> ProbeResult {
    match error.kind() {
        io::ErrorKind::TimedOut => ProbeResult::Silent,
        kind => ProbeResult::Refused(kind),
    }
}

async fn greeting(mut transport: Box<dyn Transport>) -> ProbeResult {
    let mut parser = ReplyParser::default();
    let mut block = [0; GREETING_BLOCK];
    loop {
        let Ok(octets @ 1..) = transport.read(&mut block).await else {
            return ProbeResult::NotSmtp;
        };
        let mut octets = block.get(..octets).unwrap_or_default();
        match parser.parse(&mut octets) {
            Ok(None) => {}
            Ok(Some(greeting)) => {
                // Said for politeness: the greeting is all that was wanted, so a failure here means nothing.
                let _ = transport.write_all(b"QUIT\r\n").await;
                let _ = transport.shutdown().await;
                return ProbeResult::Greeted(greeting.code);
            }
            Err(_) => return ProbeResult::NotSmtp,
        }
    }
}

#[cfg(test)]
mod tests;
