//! The DNS servers of one configuration, asked one question at a time, and what they have answered.

use super::LookupError;
use super::cache::Cache;
use super::question::Signatures;
use crate::local::LocalError;
use crate::text;
use hickory_resolver::config::{NameServerConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer, RetryDnsHandle};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{DnsRequestOptions, DnsResponse, Message, Query, ResponseCode};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::{self, Handle};

/// How long a name server may take for one try, UDP with its repeats and TCP together.
const TRY_TIMEOUT: Duration = Duration::from_secs(5);
/// Tries after the first. Two tries of five seconds tell in ten that nobody answers.
const RETRIES: usize = 1;

type Pool = RetryDnsHandle<NameServerPool<TokioRuntimeProvider>>;

/// One configuration's servers, and what they have answered.
pub(super) struct Servers {
    cache: Cache,
    configs: Vec<NameServerConfig>,
    context: Arc<PoolContext>,
    pools: Mutex<Option<Arc<Pools>>>,
}

/// The servers, with the connections of one runtime.
struct Pools {
    runtime: runtime::Id,
    /// All servers: the fastest is asked first.
    all: Pool,
    /// Each server alone, in the order of the configuration.
    each: Vec<Pool>,
}

impl Servers {
    /// # Errors
    /// [`LookupError::Configuration`].
    pub(super) fn new(servers: Vec<NameServerConfig>) -> Result<Self, LookupError> {
        let mut options = ResolverOpts::default();
        options.timeout = TRY_TIMEOUT;
        options.attempts = RETRIES;
        let tls = TlsConfig::new().map_err(|error| LookupError::Configuration(error.to_string()))?;
        let context = Arc::new(PoolContext::new(options, tls));
        Ok(Self {
            cache: Cache::default(),
            configs: servers,
            context,
            pools: Mutex::new(None),
        })
    }

    /// How many servers there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.configs.len()
    }

    /// The servers by connections of this runtime. Those of another are dead as soon as it ends, and a question that went
    /// over one would be lost.
    fn pools(&self) -> Arc<Pools> {
        let runtime = Handle::current().id();
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        match &*pools {
            Some(pools) if pools.runtime == runtime => Arc::clone(pools),
            _ => Arc::clone(pools.insert(Arc::new(self.connect(runtime)))),
        }
    }

    fn connect(&self, runtime: runtime::Id) -> Pools {
        let pool = |servers: Vec<NameServerConfig>, retries: usize| {
            let context = Arc::clone(&self.context);
            let pool = NameServerPool::from_config(servers, context, TokioRuntimeProvider::default());
            RetryDnsHandle::new(pool, retries)
        };
        let each = self.configs.iter();
        Pools {
            runtime,
            each: each.map(|server| pool(vec![server.clone()], 0)).collect(),
            all: pool(self.configs.clone(), RETRIES),
        }
    }

    /// The answer to one question: out of the cache, or from the servers.
    pub(super) async fn ask(&self, query: &Query, signatures: Signatures) -> Result<Message, NetError> {
        match self.cache.get(query, signatures, Instant::now()) {
            Some(known) => known,
            None => self.ask_anew(query, signatures).await,
        }
    }

    /// The same, never out of the cache.
    pub(super) async fn ask_anew(&self, query: &Query, signatures: Signatures) -> Result<Message, NetError> {
        let now = Instant::now();
        let result = self.ask_servers(query, signatures).await;
        self.cache.insert(query, signatures, &result, now);
        result
    }

    /// The pool takes the first reply for the last word, even if it is SERVFAIL or REFUSED and another server of the
    /// configuration would know better: they are asked in turn then, as the C library does it.
    async fn ask_servers(&self, query: &Query, signatures: Signatures) -> Result<Message, NetError> {
        let pools = self.pools();
        let first = ask_pool(&pools.all, query, signatures).await;
        if pools.each.len() > 1 && matches!(blame_in(&first), Some(LookupError::Failed(_))) {
            for server in &pools.each {
                let other = ask_pool(server, query, signatures).await;
                if blame_in(&other).is_none_or(|error| !error.is_transient()) {
                    return other;
                }
            }
        }
        first
    }
}

async fn ask_pool(pool: &Pool, query: &Query, signatures: Signatures) -> Result<Message, NetError> {
    let edns = match signatures {
        Signatures::Unwanted => Edns::With,
        Signatures::Wanted => Edns::WithSignatures,
    };
    let reply = ask_once(pool, query, edns).await;
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
    WithSignatures,
    Without,
}

async fn ask_once(pool: &Pool, query: &Query, edns: Edns) -> Result<Message, NetError> {
    let mut options = DnsRequestOptions::default();
    options.recursion_desired = true;
    options.use_edns = edns != Edns::Without;
    options.edns_set_dnssec_ok = edns == Edns::WithSignatures;
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

/// A server that is asked over UDP, and over TCP where UDP does not do.
pub(super) fn name_server(server: SocketAddr) -> NameServerConfig {
    let mut config = NameServerConfig::udp_and_tcp(server.ip());
    for connection in &mut config.connections {
        connection.port = server.port();
    }
    config
}

/// Whose fault it is that there is no answer.
pub(super) fn blame(error: NetError) -> LookupError {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => LookupError::NxDomain,
            // https://www.rfc-editor.org/rfc/rfc2308#section-2.2
            // > The authority section will contain an SOA record, or there will be no NS records there.
            // Else it is a referral: this server does not know, which is not the same as that there is nothing.
            ResponseCode::NoError if none.ns.is_some() && none.soa.is_none() => LookupError::referral(),
            ResponseCode::NoError => LookupError::NoData,
            code => LookupError::Failed(mnemonic(code)),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => LookupError::Failed(mnemonic(code)),
        NetError::Dns(DnsError::DnssecBogus) => LookupError::Bogus,
        NetError::ForeignClassRecord { .. }
        | NetError::Proto(_)
        | NetError::QueryCaseMismatch
        | NetError::Truncated => {
            // It may print what the message holds.
            let why = text::excerpt(error.to_string().as_bytes(), text::MAX_QUOTED);
            LookupError::Failed(format!("unusably ({why})"))
        }
        // hickory's pool keeps to itself what the system said when it gave no socket.
        NetError::Io(_) | NetError::NoConnections => {
            LocalError::of_another_socket().map_or(LookupError::NoAnswer, LookupError::Local)
        }
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
