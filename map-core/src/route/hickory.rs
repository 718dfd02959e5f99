//! The real DNS, asked by hickory.
//!
//! hickory's own `Resolver` follows aliases by itself, and gives up on a long chain or a loop with an answer that
//! cannot be told from "no such record", which here would make a domain's trouble a permanent failure. So this asks
//! hickory's name server pool one question at a time, keeps the answers in hickory's cache, and walks the aliases
//! itself.

use super::system::{Stamp, SystemConfig};
use super::{Answer, Lookup, LookupError, Proof, Record, RecordType, Resolver};
use hickory_resolver::config::{NameServerConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer, RetryDnsHandle};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{DnsRequestOptions, DnsResponse, Message, Query, ResponseCode};
use hickory_resolver::proto::rr::domain::usage::{INVALID, LOCALHOST, ONION};
use hickory_resolver::proto::rr::{self, Name, RData};
use hickory_resolver::{NameServerPool, PoolContext, ResponseCache, TlsConfig, TtlConfig};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a name server may take for one try, UDP with its repeats and TCP together.
const TRY_TIMEOUT: Duration = Duration::from_secs(5);
/// Tries after the first. Two tries of five seconds tell in ten that nobody answers.
const RETRIES: usize = 1;
/// The longest chain of aliases that is followed.
const MAX_ALIASES: usize = 8;

/// Asks the DNS servers of this machine, or given ones.
///
/// Neither search domains nor the hosts file take part: a mail for `example.org` goes to the `example.org` of the DNS.
/// Answers are kept for as long as they say. The connections to the servers belong to the tokio runtime in which the
/// queries are made.
pub struct HickoryResolver {
    source: Source,
    client: Mutex<Option<Arc<Client>>>,
}

/// Where the addresses of the DNS servers come from.
#[derive(Debug)]
enum Source {
    Given(Vec<SocketAddr>),
    System(SystemConfig),
}

impl HickoryResolver {
    /// Asks the servers of the system's configuration (`/etc/resolv.conf` on Unix), which is read at the first query
    /// and again when it has changed.
    pub fn system() -> Self {
        Self::new(Source::System(SystemConfig::default()))
    }

    /// Asks these servers, over UDP and TCP.
    pub fn with_servers(servers: &[SocketAddr]) -> Self {
        Self::new(Source::Given(servers.to_vec()))
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            client: Mutex::new(None),
        }
    }

    /// The client of the configuration as it is now.
    fn client(&self) -> Result<Arc<Client>, LookupError> {
        let mut current = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = match &self.source {
            Source::Given(_) => Stamp::default(),
            Source::System(config) => config.stamp(),
        };
        if let Some(client) = &*current
            && client.stamp == stamp
        {
            return Ok(Arc::clone(client));
        }
        let servers = match &self.source {
            Source::Given(servers) if servers.is_empty() => Err("there is no DNS server in it".to_owned()),
            Source::Given(servers) => Ok(servers.iter().copied().map(name_server).collect()),
            Source::System(config) => config.name_servers(),
        };
        match (servers, &*current) {
            (Ok(servers), _) => {
                let client = Arc::new(Client::new(stamp, servers)?);
                *current = Some(Arc::clone(&client));
                Ok(client)
            }
            // The file is being rewritten, or the network manager took it away with the network: the servers of
            // before are the best guess until it is back.
            (Err(_), Some(client)) => Ok(Arc::clone(client)),
            (Err(why), None) => Err(LookupError::Configuration(why)),
        }
    }
}

impl Resolver for HickoryResolver {
    fn query<'a>(&'a self, name: &'a str, record_type: RecordType) -> Lookup<'a> {
        Box::pin(async move { self.client()?.query(name, record_type).await })
    }
}

impl fmt::Debug for HickoryResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HickoryResolver")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

fn name_server(server: SocketAddr) -> NameServerConfig {
    let mut config = NameServerConfig::udp_and_tcp(server.ip());
    for connection in &mut config.connections {
        connection.port = server.port();
    }
    config
}

type Pool = RetryDnsHandle<NameServerPool<TokioRuntimeProvider>>;

/// One configuration's servers, and what they have answered.
struct Client {
    stamp: Stamp,
    cache: ResponseCache,
    /// All servers: the fastest is asked first.
    all: Pool,
    /// Each server alone, in the order of the configuration.
    each: Vec<Pool>,
}

impl Client {
    fn new(stamp: Stamp, servers: Vec<NameServerConfig>) -> Result<Self, LookupError> {
        let mut options = ResolverOpts::default();
        options.timeout = TRY_TIMEOUT;
        options.attempts = RETRIES;
        let cache = ResponseCache::new(options.cache_size, TtlConfig::from_opts(&options));
        let tls = TlsConfig::new().map_err(|error| LookupError::Configuration(error.to_string()))?;
        let context = Arc::new(PoolContext::new(options, tls));
        let pool = |servers: Vec<NameServerConfig>, retries: usize| {
            let pool =
                NameServerPool::from_config(servers, Arc::clone(&context), TokioRuntimeProvider::default());
            RetryDnsHandle::new(pool, retries)
        };
        let each = servers
            .iter()
            .map(|server| pool(vec![server.clone()], 0))
            .collect();
        Ok(Self {
            stamp,
            cache,
            all: pool(servers, RETRIES),
            each,
        })
    }

    /// Asks, and follows aliases.
    async fn query(&self, name: &str, record_type: RecordType) -> Result<Answer, LookupError> {
        // What is too long for a name of the DNS does not exist in it.
        let mut name = fully_qualified(name).ok_or(LookupError::NxDomain)?;
        let wanted = match record_type {
            RecordType::A => rr::RecordType::A,
            RecordType::Aaaa => rr::RecordType::AAAA,
            RecordType::Mx => rr::RecordType::MX,
        };
        let mut aliases = 0;
        let mut ttl = u32::MAX;
        loop {
            if let Some(result) = special_use(&name, record_type) {
                return result;
            }
            let message = self
                .ask(&Query::query(name.clone(), wanted))
                .await
                .map_err(blame)?;
            let asked = aliases;
            // The answer section holds as much of the chain as the server knew.
            while let Some((target, alias_ttl)) = alias(&message, &name) {
                aliases += 1;
                if aliases > MAX_ALIASES {
                    return Err(LookupError::AliasLoop);
                }
                ttl = ttl.min(alias_ttl);
                name = target;
            }
            let found = message.answers.iter().filter(|record| record.name == name);
            let mut records = Vec::new();
            for (record, value) in
                found.filter_map(|record| Some((record, value(&record.data, record_type)?)))
            {
                ttl = ttl.min(record.ttl);
                records.push(value);
            }
            if !records.is_empty() {
                return Ok(Answer {
                    records,
                    canonical_name: without_final_dot(&name),
                    proof: Proof::Insecure,
                    ttl: Duration::from_secs(ttl.into()),
                });
            }
            // https://www.rfc-editor.org/rfc/rfc2308#section-1
            // > "QNAME" - the name in the query section of an answer, or where this resolves to a CNAME, or CNAME
            // > chain, the data field of the last CNAME.
            if message.metadata.response_code == ResponseCode::NXDomain {
                return Err(LookupError::NxDomain);
            }
            if aliases == asked {
                return Err(LookupError::Failed(
                    "with records that were not asked for".to_owned(),
                ));
            }
        }
    }

    /// The answer to one question: out of the cache, or from the servers.
    async fn ask(&self, query: &Query) -> Result<Message, NetError> {
        let now = Instant::now();
        if let Some(known) = self.cache.get(query, now) {
            return known;
        }
        let result = self.ask_servers(query).await;
        // The cache keeps answers, positive and negative, and no failures.
        self.cache.insert(query.clone(), result.clone(), now);
        result
    }

    /// The pool takes the first reply for the last word, even if it is SERVFAIL or REFUSED and another server of the
    /// configuration would know better: they are asked in turn then, as the C library does it.
    async fn ask_servers(&self, query: &Query) -> Result<Message, NetError> {
        let first = ask_pool(&self.all, query).await;
        if self.each.len() > 1 && matches!(blame_in(&first), Some(LookupError::Failed(_))) {
            for server in &self.each {
                let other = ask_pool(server, query).await;
                if blame_in(&other).is_none_or(|error| !error.is_transient()) {
                    return other;
                }
            }
        }
        first
    }
}

async fn ask_pool(pool: &Pool, query: &Query) -> Result<Message, NetError> {
    let reply = ask_once(pool, query, Edns::With).await;
    // https://www.rfc-editor.org/rfc/rfc6891#section-7
    // > Responders that choose not to implement the protocol extensions defined in this document MUST respond with a
    // > return code (RCODE) of FORMERR to messages containing an OPT record in the additional section
    if matches!(
        reply,
        Err(NetError::Dns(DnsError::ResponseCode(ResponseCode::FormErr)))
    ) {
        return ask_once(pool, query, Edns::Without).await;
    }
    reply
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edns {
    With,
    Without,
}

async fn ask_once(pool: &Pool, query: &Query, edns: Edns) -> Result<Message, NetError> {
    let mut options = DnsRequestOptions::default();
    options.recursion_desired = true;
    options.use_edns = edns == Edns::With;
    // Two questions that differ in the case of their letters are the same to every server, and not to a forger who
    // has to guess them.
    options.case_randomization = true;
    pool.lookup(query.clone(), options)
        .first_answer()
        .await
        .and_then(accept)
}

/// hickory passes codes on that it does not know, as if they were answers.
fn accept(response: DnsResponse) -> Result<Message, NetError> {
    match response.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => Ok(response.into_message()),
        code => Err(DnsError::ResponseCode(code).into()),
    }
}

/// Names that are never asked for in the DNS.
///
/// `localhost` is this machine ([RFC 6761 section 6.3]), `invalid` does not exist ([section 6.4]), `onion` must not
/// leak into the DNS ([RFC 7686]).
///
/// [RFC 6761 section 6.3]: https://www.rfc-editor.org/rfc/rfc6761#section-6.3
/// [section 6.4]: https://www.rfc-editor.org/rfc/rfc6761#section-6.4
/// [RFC 7686]: https://www.rfc-editor.org/rfc/rfc7686#section-2
fn special_use(name: &Name, record_type: RecordType) -> Option<Result<Answer, LookupError>> {
    if INVALID.zone_of(name) || ONION.zone_of(name) {
        return Some(Err(LookupError::NxDomain));
    }
    if !LOCALHOST.zone_of(name) {
        return None;
    }
    let address: IpAddr = match record_type {
        RecordType::A => Ipv4Addr::LOCALHOST.into(),
        RecordType::Aaaa => Ipv6Addr::LOCALHOST.into(),
        RecordType::Mx => return Some(Err(LookupError::NoData)),
    };
    Some(Ok(Answer {
        records: vec![Record::Address(address)],
        canonical_name: without_final_dot(name),
        proof: Proof::Insecure,
        ttl: Duration::MAX,
    }))
}

fn fully_qualified(name: &str) -> Option<Name> {
    let mut name = Name::from_ascii(name).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// In lower case: the case in which an answer comes is that of the question, which is random.
fn without_final_dot(name: &Name) -> String {
    let mut text = name.to_lowercase().to_ascii();
    if text.ends_with('.') {
        text.pop();
    }
    text
}

/// Where the name leads to, and how long that may be kept.
fn alias(message: &Message, name: &Name) -> Option<(Name, u32)> {
    message
        .answers
        .iter()
        .filter(|record| record.name == *name)
        .find_map(|record| match &record.data {
            RData::CNAME(target) => Some((target.0.clone(), record.ttl)),
            _ => None,
        })
}

/// The record, if it is of the type that was asked for.
fn value(data: &RData, record_type: RecordType) -> Option<Record> {
    match (record_type, data) {
        (RecordType::A, RData::A(address)) => Some(Record::Address(address.0.into())),
        (RecordType::Aaaa, RData::AAAA(address)) => Some(Record::Address(address.0.into())),
        (RecordType::Mx, RData::MX(mx)) => Some(Record::Mx {
            preference: mx.preference,
            exchange: without_final_dot(&mx.exchange),
        }),
        _ => None,
    }
}

/// Whose fault it is that there is no answer.
fn blame(error: NetError) -> LookupError {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => LookupError::NxDomain,
            // https://www.rfc-editor.org/rfc/rfc2308#section-2.2
            // > The authority section will contain an SOA record, or there will be no NS records there.
            // Else it is a referral: this server does not know, which is not the same as that there is nothing.
            ResponseCode::NoError if none.ns.is_some() && none.soa.is_none() => {
                LookupError::Failed("with a referral to other servers".to_owned())
            }
            ResponseCode::NoError => LookupError::NoData,
            code => LookupError::Failed(mnemonic(code)),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => LookupError::Failed(mnemonic(code)),
        NetError::Dns(DnsError::DnssecBogus) => LookupError::Bogus,
        NetError::ForeignClassRecord { .. }
        | NetError::Proto(_)
        | NetError::QueryCaseMismatch
        | NetError::Truncated => LookupError::Failed(format!("unusably ({error})")),
        // Nothing came back: time-outs, refused or broken connections.
        _ => LookupError::NoAnswer,
    }
}

fn blame_in<T>(result: &Result<T, NetError>) -> Option<LookupError> {
    result.as_ref().err().cloned().map(blame)
}

/// `SERVFAIL`, `REFUSED`: as operators and their tools write it.
fn mnemonic(code: ResponseCode) -> String {
    format!("{code:?}").to_uppercase()
}

#[cfg(test)]
#[path = "hickory_tests.rs"]
mod tests;
