//! The real DNS, asked by hickory.
//!
//! hickory's own `Resolver` follows aliases by itself, and gives up on a long chain or a loop with an answer that
//! cannot be told from "no such record", which here would make a domain's trouble a permanent failure. So this asks
//! hickory's name server pool one question at a time, keeps the answers in hickory's cache, and walks the aliases
//! itself.

use super::dnssec::{Link, Validator};
use super::question::Signatures;
use super::servers::{Servers, blame, name_server};
use super::system::{Stamp, SystemConfig};
use super::{
    Answer, Lookup, LookupError, NotValidating, Proof, Record, RecordType, Resolver, Tlsa, TrustAnchors,
    Validation, ValidationLookup,
};
use hickory_resolver::config::NameServerConfig;
use hickory_resolver::proto::op::{Message, Query, ResponseCode};
use hickory_resolver::proto::rr::domain::usage::{INVALID, LOCALHOST, ONION};
use hickory_resolver::proto::rr::{self, Name, RData};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long all questions after one validated answer may take together.
const VALIDATION_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest chain of aliases that is followed.
const MAX_ALIASES: usize = 8;

/// Asks the DNS servers of this machine, or given ones.
///
/// Neither search domains nor the hosts file take part: a mail for `example.org` goes to the `example.org` of the DNS.
/// Answers are kept for as long as they say. The connections to the servers belong to the tokio runtime in which the
/// queries are made; in another one they are made anew, and the answers stay.
pub struct HickoryResolver {
    source: Source,
    anchors: TrustAnchors,
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

    /// Trusts these keys of the root, instead of those that are built in, for DNSSEC.
    #[must_use]
    pub fn with_trust_anchors(self, anchors: TrustAnchors) -> Self {
        Self { anchors, ..self }
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            anchors: TrustAnchors::default(),
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
                let client = Arc::new(Client::new(stamp, servers, self.anchors.clone())?);
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

    /// The first such query of a configuration also probes whether validation can work. A validated answer takes a
    /// few questions more than a plain one: for a domain without signatures usually two, the keys of the zones above
    /// being known after the first.
    fn query_validated<'a>(&'a self, name: &'a str, record_type: RecordType) -> Lookup<'a> {
        Box::pin(async move { self.client()?.query_validated(name, record_type).await })
    }

    fn validation(&self) -> ValidationLookup<'_> {
        Box::pin(async move {
            match self.client() {
                Ok(client) => client.validator.validation().await,
                Err(error) => Validation::Off(NotValidating::Refused(error.to_string())),
            }
        })
    }
}

impl fmt::Debug for HickoryResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HickoryResolver")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// One configuration's servers, and the configuration by which they were chosen.
struct Client {
    stamp: Stamp,
    servers: Arc<Servers>,
    validator: Validator,
}

impl Client {
    fn new(stamp: Stamp, servers: Vec<NameServerConfig>, anchors: TrustAnchors) -> Result<Self, LookupError> {
        let servers = Arc::new(Servers::new(servers)?);
        Ok(Self {
            stamp,
            validator: Validator::new(Arc::clone(&servers), anchors),
            servers,
        })
    }

    /// The validated answer; where validation cannot work, the plain one.
    async fn query_validated(&self, name: &str, record_type: RecordType) -> Result<Answer, LookupError> {
        let plain = || self.query(name, record_type);
        let validation = match self.validator.known() {
            Some(validation) => validation,
            // Both at once: where the probe fails, nothing has been lost by it.
            None => match tokio::join!(self.validator.validation(), plain()) {
                // What demands TLS is not to be missed for lack of a descriptor.
                (Validation::Off(NotValidating::Local(error)), _) => return Err(LookupError::Local(error)),
                (Validation::Off(_), answer) => return answer,
                (Validation::On, _) => Validation::On,
            },
        };
        if let Validation::Off(_) = validation {
            return plain().await;
        }
        let started = Instant::now();
        let validated = timeout(VALIDATION_TIMEOUT, self.walk_validated(name, record_type)).await;
        let error = match validated.unwrap_or(Err(LookupError::NoAnswer)) {
            Err(error @ (LookupError::Bogus | LookupError::Failed(_) | LookupError::NoAnswer)) => error,
            result => return result,
        };
        // The machine may have come to another network since, behind the same configuration.
        match tokio::join!(self.validator.still_works(started), plain()) {
            (Validation::Off(_), answer) => answer,
            (Validation::On, _) => Err(error),
        }
    }

    /// As [`Self::query`], link by link.
    async fn walk_validated(&self, name: &str, record_type: RecordType) -> Result<Answer, LookupError> {
        let mut name = fully_qualified(name).ok_or(LookupError::NxDomain)?;
        let mut aliases = 0;
        let mut ttl = u32::MAX;
        let mut so_far: Option<Walked> = None;
        loop {
            if let Some(result) = special_use(&name, record_type) {
                return result;
            }
            match self
                .validator
                .link(&Query::query(name.clone(), wanted(record_type)))
                .await?
            {
                Link::Alias {
                    target,
                    ttl: alias_ttl,
                    proof,
                } => {
                    aliases += 1;
                    if aliases > MAX_ALIASES {
                        return Err(LookupError::AliasLoop);
                    }
                    ttl = ttl.min(alias_ttl);
                    so_far = Some(Walked::then(so_far, proof));
                    name = target;
                }
                Link::Records { records, proof } => {
                    let ttl = records.iter().fold(ttl, |ttl, record| ttl.min(record.ttl));
                    let walked = Walked::then(so_far, proof);
                    return Ok(Answer {
                        records: records
                            .iter()
                            .filter_map(|record| value(&record.data, record_type))
                            .collect(),
                        canonical_name: without_final_dot(&name),
                        proof: walked.all,
                        first_proof: walked.first,
                        ttl: Duration::from_secs(ttl.into()),
                    });
                }
            }
        }
    }

    /// Asks, and follows aliases.
    async fn query(&self, name: &str, record_type: RecordType) -> Result<Answer, LookupError> {
        // What is too long for a name of the DNS does not exist in it.
        let mut name = fully_qualified(name).ok_or(LookupError::NxDomain)?;
        let mut aliases = 0;
        let mut ttl = u32::MAX;
        loop {
            if let Some(result) = special_use(&name, record_type) {
                return result;
            }
            let query = Query::query(name.clone(), wanted(record_type));
            let message = self
                .servers
                .ask(&query, Signatures::Unwanted)
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
                    first_proof: Proof::Insecure,
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
}

/// What is proved of a chain of aliases, link by link.
#[derive(Clone, Copy, Debug)]
struct Walked {
    first: Proof,
    all: Proof,
}

impl Walked {
    fn then(so_far: Option<Self>, link: Proof) -> Self {
        match so_far {
            None => Self {
                first: link,
                all: link,
            },
            Some(Self {
                first,
                all: Proof::Secure,
            }) => Self { first, all: link },
            Some(insecure) => insecure,
        }
    }
}

fn wanted(record_type: RecordType) -> rr::RecordType {
    match record_type {
        RecordType::A => rr::RecordType::A,
        RecordType::Aaaa => rr::RecordType::AAAA,
        RecordType::Mx => rr::RecordType::MX,
        RecordType::Tlsa => rr::RecordType::TLSA,
        RecordType::Txt => rr::RecordType::TXT,
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
        _ => return Some(Err(LookupError::NoData)),
    };
    Some(Ok(Answer {
        records: vec![Record::Address(address)],
        canonical_name: without_final_dot(name),
        proof: Proof::Insecure,
        first_proof: Proof::Insecure,
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
        (RecordType::Tlsa, RData::TLSA(tlsa)) => Some(Record::Tlsa(Tlsa {
            usage: tlsa.cert_usage.into(),
            selector: tlsa.selector.into(),
            matching_type: tlsa.matching.into(),
            data: tlsa.cert_data.clone(),
        })),
        (RecordType::Txt, RData::TXT(txt)) => Some(Record::Txt(txt.txt_data.concat())),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
