//! The DNS of a world: answers from its names, as a recursive resolver would, with the faults it asks for.

use std::sync::{Arc, PoisonError, RwLock};

use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::{Edns, Header, HeaderCounts, Metadata, OpCode, ResponseCode};
use hickory_server::proto::rr::rdata::SOA;
use hickory_server::proto::rr::{LowerName, Name, RData, Record, RecordType};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;

use crate::world::{DnsFailure, Entry, World};

/// A chain of aliases is followed so far; a loop of them ends at its second round in any case.
const MAX_CHAIN: usize = 32;
/// What fits the usual networks without fragments.
const UDP_PAYLOAD: u16 = 1232;

/// Answers queries from whatever world is set.
#[derive(Clone, Debug)]
pub(crate) struct Names(Arc<RwLock<Arc<World>>>);

impl Names {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self(Arc::new(RwLock::new(world)))
    }

    pub(crate) fn set(&self, world: Arc<World>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = world;
    }

    fn world(&self) -> Arc<World> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait::async_trait]
impl RequestHandler for Names {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut response: R,
    ) -> ResponseInfo {
        let world = self.world();
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.recursion_available = true;
        let unsent = ResponseInfo::from(Header {
            metadata,
            counts: HeaderCounts::default(),
        });

        let mut answer = Answer::default();
        match request.request_info() {
            Ok(info) if request.metadata.op_code == OpCode::Query => {
                let (name, record_type) = (info.query.name(), info.query.query_type());
                let entry = find(&world, name);
                if let Some(entry) = entry {
                    tokio::time::sleep(entry.delay).await;
                }
                match entry.and_then(|entry| failure(entry, record_type)) {
                    Some(DnsFailure::Silent) => return unsent,
                    Some(DnsFailure::Truncate) if info.protocol == Protocol::Udp => {
                        metadata.truncation = true;
                    }
                    Some(DnsFailure::Code(code)) => answer.code = code,
                    _ => answer = Answer::look_up(&world, name, record_type, info.query.original().name()),
                }
            }
            Ok(_) => answer.code = ResponseCode::NotImp,
            Err(_) => answer.code = ResponseCode::FormErr,
        }
        metadata.response_code = answer.code;

        let edns = request.edns.as_ref().map(|asked| {
            let mut edns = Edns::new();
            edns.set_max_payload(asked.max_payload().clamp(512, UDP_PAYLOAD));
            edns
        });
        let mut builder = MessageResponseBuilder::from_message_request(request);
        if let Some(edns) = &edns {
            builder.edns(edns);
        }
        let message = builder.build(metadata, &answer.records, [], &answer.soa, []);
        response.send_response(message).await.unwrap_or(unsent)
    }
}

/// What is sent back.
struct Answer {
    code: ResponseCode,
    records: Vec<Record>,
    /// With an answer that has no record of the type asked for.
    soa: Option<Record>,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            code: ResponseCode::NoError,
            records: Vec::new(),
            soa: None,
        }
    }
}

impl Answer {
    fn look_up(world: &World, name: &LowerName, record_type: RecordType, asked: &Name) -> Self {
        let mut answer = Self::default();
        let mut owner = asked.clone();
        let mut seen = vec![name.clone()];
        loop {
            let Some(entry) = find(world, &LowerName::new(&owner)) else {
                if !is_above_another(world, &LowerName::new(&owner)) {
                    answer.code = ResponseCode::NXDomain;
                }
                answer.soa = Some(soa());
                return answer;
            };
            // The fault of a target shows in the answer for its alias, as it does behind a resolver.
            match failure(entry, record_type) {
                Some(DnsFailure::Code(ResponseCode::NXDomain)) => {
                    answer.code = ResponseCode::NXDomain;
                    answer.soa = Some(soa());
                    return answer;
                }
                Some(DnsFailure::Code(code)) if seen.len() > 1 => {
                    return Self {
                        code,
                        ..Self::default()
                    };
                }
                _ => {}
            }
            let record = |data: &RData| Record::from_rdata(owner.clone(), entry.ttl, data.clone());
            let fits = |data: &&RData| record_type == RecordType::ANY || data.record_type() == record_type;
            let found: Vec<_> = entry.records.iter().filter(fits).map(record).collect();
            if !found.is_empty() {
                answer.records.extend(found);
                return answer;
            }
            let Some(RData::CNAME(target)) =
                entry.records.iter().find(|data| matches!(data, RData::CNAME(_)))
            else {
                answer.soa = Some(soa());
                return answer;
            };
            answer.records.push(record(&RData::CNAME(target.clone())));
            owner = target.0.clone();
            let key = LowerName::new(&owner);
            if entry.cname_alone || seen.contains(&key) || seen.len() > MAX_CHAIN {
                return answer;
            }
            seen.push(key);
        }
    }
}

/// The entry of a name, or of the wildcard that stands for it.
fn find<'w>(world: &'w World, name: &LowerName) -> Option<&'w Entry> {
    if let Some(entry) = world.names.get(name) {
        return Some(entry);
    }
    let mut current = name.clone();
    while !current.is_root() {
        if let Some(entry) = world.names.get(&current.clone().into_wildcard()) {
            return Some(entry);
        }
        current = current.base_name();
        // A name that exists stops the search, whatever wildcard stands above it:
        // https://www.rfc-editor.org/rfc/rfc4592#section-3.3.1
        if world.names.contains_key(&current) {
            return None;
        }
    }
    None
}

/// Whether a name exists because others below it do.
fn is_above_another(world: &World, name: &LowerName) -> bool {
    world
        .names
        .keys()
        .any(|other| other != name && name.zone_of(other))
}

fn failure(entry: &Entry, record_type: RecordType) -> Option<DnsFailure> {
    let applies = |only: Option<RecordType>| only.is_none_or(|only| only == record_type);
    entry
        .faults
        .iter()
        .find(|fault| applies(fault.only))
        .map(|fault| fault.how)
}

/// All names are one zone, so that every denial can name its authority.
fn soa() -> Record {
    let name = |text: &str| Name::from_ascii(text).unwrap_or_else(|_| Name::root());
    let data = SOA::new(
        name("ns.sandbox."),
        name("postmaster.sandbox."),
        1,
        3600,
        600,
        86400,
        0,
    );
    Record::from_rdata(Name::root(), 0, RData::SOA(data))
}
