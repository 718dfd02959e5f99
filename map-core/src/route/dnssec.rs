//! What DNSSEC proves of an answer.
//!
//! hickory's validator gives a verdict on each RRset of a message, and one on the message as a whole. Only the first
//! kind is used for what is there: the message's own verdict takes valid wildcard answers of NSEC zones for forged
//! ones, judges a chain of aliases by its first name, and can be talked out of asking for the denial after a wildcard
//! by an unsigned record beside it. So a chain is asked for link by link, hickory sees of a message only what belongs
//! to the link that was asked for, and the wildcard rules are [`wildcard`]'s.
//!
//! Where validation cannot work at all (a forwarder that leaves the signatures out, a wrong clock), everything would
//! look forged, and every signed domain would become undeliverable. Whether it works is found out by a probe: the keys
//! of the root, which must be signed by a key that is built in. If it does not, validation is off, and that is told.

use super::question::{DNAME, Signatures, signature, to_the_point};
use super::servers::{Servers, blame};
use super::wildcard::{self, rrsets};
use super::{LookupError, NotValidating, Proof, TrustAnchors, Validation};
use futures_util::stream::{self, Stream};
use hickory_resolver::net::dnssec::DnssecDnsHandle;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::dnssec::Proof as Verdict;
use hickory_resolver::proto::dnssec::rdata::{DNSSECRData, RRSIG};
use hickory_resolver::proto::op::{
    DnsRequest, DnsRequestOptions, DnsResponse, Message, OpCode, Query, ResponseCode,
};
use hickory_resolver::proto::rr::{self, Name, RData, SerialNumber};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// How long the probe may keep the first delivery waiting where nobody answers it.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long validation stays off before it is probed again.
const PROBE_AGAIN: Duration = Duration::from_secs(600);
/// The same when nobody answered the probe, which may have been a moment's trouble.
const PROBE_SILENT_AGAIN: Duration = Duration::from_secs(60);
/// How many verdicts are remembered. One takes some hundred octets as a rule and 2 KiB where names are as long as they
/// may be, so all of them a mebioctet; without one a signature is verified again, which takes a tenth of a millisecond.
const VERDICTS: usize = 512;

/// Validates what one configuration's servers answer.
pub(super) struct Validator {
    servers: Arc<Servers>,
    handle: DnssecDnsHandle<Signed>,
    anchors: TrustAnchors,
    probed: Mutex<Option<Probed>>,
}

/// One step from a name towards its records.
#[derive(Debug)]
pub(super) enum Link {
    Alias { target: Name, ttl: u32, proof: Proof },
    Records { records: Vec<rr::Record>, proof: Proof },
}

/// The last probe.
#[derive(Clone, Debug)]
struct Probed {
    at: Instant,
    validation: Validation,
}

impl Validator {
    pub(super) fn new(servers: Arc<Servers>, anchors: TrustAnchors) -> Self {
        let handle = DnssecDnsHandle::with_trust_anchor(Signed(Arc::clone(&servers)), Arc::clone(&anchors.0))
            .validation_cache_size(VERDICTS);
        Self {
            servers,
            handle,
            anchors,
            probed: Mutex::new(None),
        }
    }

    /// What the last probe found; `None` if there was none, or one that should be made again.
    pub(super) fn known(&self) -> Option<Validation> {
        current(self.probed.try_lock().ok()?.as_ref())
    }

    /// Whether validation works; probed if that is not known.
    pub(super) async fn validation(&self) -> Validation {
        let mut probed = self.probed.lock().await;
        if let Some(validation) = current(probed.as_ref()) {
            return validation;
        }
        let validation = self.probe().await;
        // A shortage says nothing about the DNS: with the next question it may be over.
        if matches!(validation, Validation::Off(NotValidating::Local(_))) {
            return validation;
        }
        *probed = Some(Probed {
            at: Instant::now(),
            validation: validation.clone(),
        });
        validation
    }

    /// Whether validation still works, after a failure of a look-up that began at `since`.
    ///
    /// Only an answer turns it off: servers that say nothing for a while, or are kept from it, do not make forged
    /// records acceptable.
    pub(super) async fn still_works(&self, since: Instant) -> Validation {
        let mut probed = self.probed.lock().await;
        if let Some(probed) = probed.as_ref().filter(|probed| probed.at >= since) {
            return probed.validation.clone();
        }
        let validation = match self.probe().await {
            Validation::Off(
                NotValidating::Local(_) | NotValidating::NoAnswer | NotValidating::Refused(_),
            ) => Validation::On,
            validation => validation,
        };
        *probed = Some(Probed {
            at: Instant::now(),
            validation: validation.clone(),
        });
        validation
    }

    /// The validated answer to one question.
    ///
    /// # Errors
    /// Negative answers that are proved, or come from a zone that is proved to be unsigned; [`LookupError::Bogus`] for
    /// anything else that is not proved.
    pub(super) async fn link(&self, query: &Query) -> Result<Link, LookupError> {
        let result = self.handle.lookup(query.clone(), options()).first_answer().await;
        let (message, denial) = match result {
            Ok(response) => (response.into_message(), Verdict::Secure),
            Err(NetError::Dns(DnsError::Nsec { response, proof, .. })) => (response.into_message(), proof),
            // A denial that comes without the records that prove it.
            Err(NetError::Dns(DnsError::NoRecordsFound(_))) => return Err(LookupError::Bogus),
            Err(error) => return Err(blame(error)),
        };
        let name = query.name();
        let of_type = |record_type| -> Vec<rr::Record> {
            rrsets(&message.answers, name, record_type).cloned().collect()
        };
        let records = of_type(query.query_type());
        if !records.is_empty() {
            let proof = proof_of(&message, name, &records)?;
            return Ok(Link::Records { records, proof });
        }
        let aliases = of_type(rr::RecordType::CNAME);
        if let Some(alias) = aliases.first()
            && let RData::CNAME(target) = &alias.data
        {
            let target = target.0.clone();
            let proof = match proof_of(&message, name, &aliases) {
                Err(_) if follows_from_dname(&message, name, &target) => Proof::Secure,
                proof => proof?,
            };
            return Ok(Link::Alias {
                target,
                ttl: alias.ttl,
                proof,
            });
        }
        Err(denied(&message, name, denial))
    }

    /// Asks for the root's keys, past the cache.
    async fn probe(&self) -> Validation {
        let query = Query::query(Name::root(), rr::RecordType::DNSKEY);
        let message = match timeout(PROBE_TIMEOUT, self.servers.ask_anew(&query, Signatures::Wanted)).await {
            Ok(Ok(message)) => message,
            Ok(Err(error)) => {
                return Validation::Off(match blame(error) {
                    LookupError::Local(error) => NotValidating::Local(error),
                    LookupError::NoAnswer => NotValidating::NoAnswer,
                    other => NotValidating::Refused(other.to_string()),
                });
            }
            Err(_) => return Validation::Off(NotValidating::NoAnswer),
        };
        let validated = self.handle.lookup(query, options()).first_answer().await;
        // hickory accepts keys that are all built in without any signature. A signature is looked for here: that they
        // come through is what the probe is made for.
        let is_proved = |record: &rr::Record| signature(record).is_some() && record.proof.is_secure();
        if validated.is_ok_and(|response| response.answers.iter().any(is_proved)) {
            return Validation::On;
        }
        Validation::Off(self.why_not(&message))
    }

    /// Why the keys of the root could not be validated.
    fn why_not(&self, message: &Message) -> NotValidating {
        let signatures: Vec<&RRSIG> = message.answers.iter().filter_map(signature).collect();
        let is_trusted = |record: &rr::Record| match &record.data {
            RData::DNSSEC(DNSSECRData::DNSKEY(key)) => self.anchors.0.contains(key.public_key()),
            _ => false,
        };
        if signatures.is_empty() {
            NotValidating::NoSignatures
        } else if !message.answers.iter().any(is_trusted) {
            NotValidating::OtherKeys
        } else if !signatures.iter().any(|signature| is_valid_now(signature)) {
            NotValidating::Clock
        } else {
            NotValidating::BadSignature
        }
    }
}

fn current(probed: Option<&Probed>) -> Option<Validation> {
    let probed = probed?;
    let again = match &probed.validation {
        Validation::On => return Some(Validation::On),
        Validation::Off(NotValidating::NoAnswer) => PROBE_SILENT_AGAIN,
        Validation::Off(_) => PROBE_AGAIN,
    };
    (probed.at.elapsed() < again).then(|| probed.validation.clone())
}

fn options() -> DnsRequestOptions {
    let mut options = DnsRequestOptions::default();
    options.use_edns = true;
    options.edns_set_dnssec_ok = true;
    options
}

/// What is proved of these records, which are an RRset of the message's answers.
fn proof_of(message: &Message, name: &Name, records: &[rr::Record]) -> Result<Proof, LookupError> {
    let all = |verdict: Verdict| records.iter().all(|record| record.proof == verdict);
    match records.first() {
        Some(first) if all(Verdict::Secure) => wildcard::check(message, name, first.record_type()),
        Some(_) if all(Verdict::Insecure) => Ok(Proof::Insecure),
        _ => Err(LookupError::Bogus),
    }
}

/// True for an alias that the server made from a DNAME: nobody signs it.
// https://www.rfc-editor.org/rfc/rfc6672#section-5.3.1
// > In any response, a signed DNAME RR indicates a non-terminal redirection of the query. There might or might not be
// > a server-synthesized CNAME in the answer section; if there is, the CNAME will never be signed.
fn follows_from_dname(message: &Message, name: &Name, target: &Name) -> bool {
    message.answers.iter().any(|record| {
        let RData::Unknown { code, rdata } = &record.data else {
            return false;
        };
        let owner = &record.name;
        let is_above = owner.num_labels() < name.num_labels() && owner.zone_of(name);
        // A wildcard DNAME is not followed: its owner would have been expanded.
        let is_proved =
            *code == DNAME && record.proof.is_secure() && wildcard::is_not_expanded(message, owner, DNAME);
        is_above && is_proved && redirected(name, owner, &rdata.anything).as_ref() == Some(target)
    })
}

/// The name with the owner of the DNAME replaced by its target.
fn redirected(name: &Name, owner: &Name, target: &[u8]) -> Option<Name> {
    use hickory_resolver::proto::serialize::binary::{BinDecodable, BinDecoder};
    let target = Name::read(&mut BinDecoder::new(target)).ok()?;
    let kept = name.num_labels().checked_sub(owner.num_labels())?;
    let labels = name.iter().take(kept.into()).chain(target.iter());
    let mut redirected = Name::from_labels(labels).ok()?;
    redirected.set_fqdn(true);
    Some(redirected)
}

/// The negative answer, if it can be believed.
fn denied(message: &Message, name: &Name, denial: Verdict) -> LookupError {
    // hickory believes a denial without NSEC when all records in it are unsigned, whatever their names: those of some
    // unsigned zone would do for any name. Only a record of the name itself, or of one above it, says that the zone
    // is unsigned.
    let unsigned = |record: &rr::Record| record.proof.is_insecure() && record.name.zone_of(name);
    let authorities = &message.authorities;
    let is_proved = match denial {
        Verdict::Secure if authorities.iter().all(|record| record.proof.is_insecure()) => {
            authorities.is_empty() || authorities.iter().any(unsigned)
        }
        // RFC 9276 section 3.2: NSEC3 with very many iterations counts as unsigned.
        Verdict::Secure | Verdict::Insecure => true,
        Verdict::Bogus | Verdict::Indeterminate => false,
    };
    let has = |wanted| authorities.iter().any(|record| record.record_type() == wanted);
    match message.metadata.response_code {
        _ if !is_proved => LookupError::Bogus,
        ResponseCode::NXDomain => LookupError::NxDomain,
        ResponseCode::NoError if has(rr::RecordType::NS) && !has(rr::RecordType::SOA) => {
            LookupError::referral()
        }
        ResponseCode::NoError => LookupError::NoData,
        code => blame(DnsError::ResponseCode(code).into()),
    }
}

fn is_valid_now(signature: &RRSIG) -> bool {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    // https://www.rfc-editor.org/rfc/rfc4034#section-3.1.5
    // > all comparisons involving these fields MUST use "Serial number arithmetic", as defined in [RFC1982]
    let [.., b3, b2, b1, b0] = now.to_be_bytes();
    let now = SerialNumber::new(u32::from_be_bytes([b3, b2, b1, b0]));
    let input = signature.input();
    input.sig_inception <= now && now <= input.sig_expiration
}

/// The servers, as hickory's validator asks them.
#[derive(Clone)]
struct Signed(Arc<Servers>);

impl DnsHandle for Signed {
    type Response = Pin<Box<dyn Stream<Item = Result<DnsResponse, NetError>> + Send>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let Self(servers) = self.clone();
        Box::pin(stream::once(async move {
            let query = request.queries.first().ok_or(NetError::Message("no question"))?;
            let message = match query.query_type() {
                rr::RecordType::NS => name_servers(&servers, query).await?,
                _ => servers.ask(query, Signatures::Wanted).await?,
            };
            Ok(DnsResponse::from_message(to_the_point(message, query))?)
        }))
    }
}

/// The NS records of a name, from which hickory guesses that a zone begins there; the proof is in the DS records.
///
/// Many load balancers answer A and fail at NS. A failure is therefore taken for a zone whose DS records can be asked
/// for, and else for no zone. The domains without signatures stay deliverable by it; where there should be signatures
/// a wrong guess proves nothing, no more than NS records of a forger's would.
async fn name_servers(servers: &Servers, query: &Query) -> Result<Message, NetError> {
    let result = servers.ask(query, Signatures::Wanted).await;
    if !failed(&result) {
        return result;
    }
    let ds = Query::query(query.name().clone(), rr::RecordType::DS);
    if failed(&servers.ask(&ds, Signatures::Wanted).await) {
        let none = NoRecords::new(query.clone(), ResponseCode::NoError);
        return Err(DnsError::NoRecordsFound(none).into());
    }
    let server = RData::NS(rr::rdata::NS(Name::root()));
    let mut message = Message::response(0, OpCode::Query);
    message.add_query(query.clone());
    message.add_answer(rr::Record::from_rdata(query.name().clone(), 0, server));
    Ok(message)
}

fn failed(result: &Result<Message, NetError>) -> bool {
    matches!(result, Err(error) if blame(error.clone()).is_transient())
}

#[cfg(test)]
mod tests;
