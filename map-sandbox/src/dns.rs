//! The DNS of a world: answers from its names, as a recursive resolver would, with the faults it asks for.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::{Edns, Header, HeaderCounts, Metadata, OpCode, ResponseCode};
use hickory_server::proto::rr::rdata::CNAME;
use hickory_server::proto::rr::{LowerName, Name, RData, Record, RecordType};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;

use crate::certificates::Authority;
use crate::keys::Keys;
use crate::tlsa;
use crate::world::{DnsFailure, DnsFault, Entry, World};
use crate::zones::{self, Denial, Zones};

/// A chain of aliases is followed so far; a loop of them ends at its second round in any case.
const MAX_CHAIN: usize = 32;
/// What fits the usual networks without fragments.
const UDP_PAYLOAD: u16 = 1232;

/// Answers queries from whatever world is set.
#[derive(Clone, Debug)]
pub(crate) struct Names(Arc<RwLock<Arc<Directory>>>);

impl Names {
    pub(crate) fn new(directory: Directory) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(directory))))
    }

    pub(crate) fn set(&self, directory: Directory) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(directory);
    }

    fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// All that the DNS knows of a world.
#[derive(Debug)]
pub(crate) struct Directory {
    names: HashMap<LowerName, Entry>,
    zones: Option<Zones>,
}

impl Directory {
    /// # Errors
    /// When a certificate that a TLSA record is made from cannot be made.
    pub(crate) fn new(world: &World, keys: &Keys, authority: &Authority, smtp_port: u16) -> io::Result<Self> {
        let mut names = world.names.clone();
        tlsa::publish(world, authority, smtp_port, &mut names)?;
        let zones = Zones::new(&mut names, keys)?;
        Ok(Self { names, zones })
    }

    /// The entry of a name, or of the wildcard that stands for it.
    fn find(&self, name: &LowerName) -> Found<'_> {
        if let Some(entry) = self.names.get(name) {
            return Found::Name(entry);
        }
        if self.zones.is_some() && self.is_above_another(name) {
            return Found::Empty;
        }
        let mut current = name.clone();
        while !current.is_root() {
            if let Some(entry) = self.names.get(&current.clone().into_wildcard()) {
                let encloser = current.base_name();
                return Found::Wildcard { entry, encloser };
            }
            current = current.base_name();
            // A name that exists stops the search, whatever wildcard stands above it:
            // https://www.rfc-editor.org/rfc/rfc4592#section-3.3.1
            let exists =
                self.names.contains_key(&current) || self.zones.is_some() && self.is_above_another(&current);
            if exists {
                break;
            }
        }
        if self.is_above_another(name) {
            return Found::Empty;
        }
        Found::Nothing { encloser: current }
    }

    /// Whether a name exists because others below it do.
    fn is_above_another(&self, name: &LowerName) -> bool {
        self.names
            .keys()
            .any(|other| other != name && name.zone_of(other))
    }

    /// What goes wrong with a query for this name and type.
    fn fault(&self, name: &LowerName, record_type: RecordType) -> Option<DnsFailure> {
        let own = |fault: &DnsFault| fault.only.is_none_or(|only| only == record_type);
        if let Some(fault) = self.faults(name).iter().copied().find(own) {
            return Some(fault.how);
        }
        // TLSA records stand two labels below the name that a script speaks of.
        let is_service = record_type == RecordType::TLSA
            && name.iter().count() > 2
            && name.iter().take(2).all(|label| label.starts_with(b"_"));
        let host = Some(name.base_name().base_name()).filter(|_| is_service)?;
        let of_host = |fault: &DnsFault| fault.only == Some(RecordType::TLSA);
        self.faults(&host)
            .iter()
            .copied()
            .find(of_host)
            .map(|fault| fault.how)
    }

    fn faults(&self, name: &LowerName) -> &[DnsFault] {
        self.find(name).entry().map_or(&[], |entry| &entry.faults)
    }
}

/// What there is of a name.
enum Found<'d> {
    /// Nothing but names below it.
    Empty,
    Name(&'d Entry),
    /// Nothing at all; the closest name above that exists.
    Nothing {
        encloser: LowerName,
    },
    /// A wildcard below the closest name above that exists.
    Wildcard {
        entry: &'d Entry,
        encloser: LowerName,
    },
}

impl<'d> Found<'d> {
    fn entry(&self) -> Option<&'d Entry> {
        match self {
            Self::Name(entry) | Self::Wildcard { entry, .. } => Some(entry),
            Self::Empty | Self::Nothing { .. } => None,
        }
    }
}

#[async_trait::async_trait]
impl RequestHandler for Names {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut response: R,
    ) -> ResponseInfo {
        let directory = self.directory();
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.recursion_available = true;
        let unsent = ResponseInfo::from(Header {
            metadata,
            counts: HeaderCounts::default(),
        });

        let dnssec = request.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok);
        let mut answer = Answer::new(&directory, dnssec);
        match request.request_info() {
            Ok(info) if request.metadata.op_code == OpCode::Query => {
                let (name, record_type) = (info.query.name(), info.query.query_type());
                if let Some(entry) = directory.find(name).entry() {
                    tokio::time::sleep(entry.delay).await;
                }
                match directory.fault(name, record_type) {
                    Some(DnsFailure::Silent) => return unsent,
                    Some(DnsFailure::Truncate) if info.protocol == Protocol::Udp => {
                        metadata.truncation = true;
                    }
                    Some(DnsFailure::Code(code)) => answer.code = code,
                    _ => answer.look_up(name, record_type, info.query.original().name()),
                }
            }
            Ok(_) => answer.code = ResponseCode::NotImp,
            Err(_) => answer.code = ResponseCode::FormErr,
        }
        metadata.response_code = answer.code;

        let edns = request.edns.as_ref().map(|asked| {
            let mut edns = Edns::new();
            edns.set_dnssec_ok(dnssec);
            edns.set_max_payload(asked.max_payload().clamp(512, UDP_PAYLOAD));
            edns
        });
        let mut builder = MessageResponseBuilder::from_message_request(request);
        if let Some(edns) = &edns {
            builder.edns(edns);
        }
        let message = builder.build(metadata, &answer.records, &answer.authorities, [], []);
        response.send_response(message).await.unwrap_or(unsent)
    }
}

/// What is sent back.
struct Answer<'d> {
    directory: &'d Directory,
    code: ResponseCode,
    records: Vec<Record>,
    /// With an answer that has no record of the type asked for, and what proves things.
    authorities: Vec<Record>,
    /// Signatures are wanted.
    dnssec: bool,
}

impl<'d> Answer<'d> {
    fn new(directory: &'d Directory, dnssec: bool) -> Self {
        Self {
            directory,
            code: ResponseCode::NoError,
            records: Vec::new(),
            authorities: Vec::new(),
            dnssec,
        }
    }

    /// Follows aliases to the records of the type, or to what is in their place.
    fn look_up(&mut self, name: &LowerName, record_type: RecordType, asked: &Name) {
        let directory = self.directory;
        let mut owner = asked.clone();
        let mut key = name.clone();
        let mut seen = Vec::new();
        loop {
            let found = directory.find(&key);
            // The fault of a target shows in the answer for its alias, as it does behind a resolver.
            match directory.fault(&key, record_type) {
                Some(DnsFailure::Code(ResponseCode::NXDomain)) => {
                    self.code = ResponseCode::NXDomain;
                    return self.deny(&key, record_type, &Found::Empty);
                }
                Some(DnsFailure::Code(code)) if !seen.is_empty() => {
                    *self = Self::new(directory, self.dnssec);
                    self.code = code;
                    return;
                }
                _ => {}
            }
            let Some(entry) = found.entry() else {
                if matches!(found, Found::Nothing { .. }) {
                    self.code = ResponseCode::NXDomain;
                }
                return self.deny(&key, record_type, &found);
            };
            let fits = |data: &&RData| record_type == RecordType::ANY || data.record_type() == record_type;
            let zones = directory.zones.as_ref().filter(|_| record_type == RecordType::DS);
            let all = entry.records.iter().chain(zones.and_then(|zones| zones.ds(&key)));
            let record = |data: &RData| Record::from_rdata(owner.clone(), entry.ttl, data.clone());
            let fitting: Vec<_> = all.filter(fits).map(record).collect();
            if !fitting.is_empty() {
                return self.answer(&key, &fitting, &found);
            }
            let alias = entry.records.iter().find_map(|data| match data {
                RData::CNAME(target) => Some(target.0.clone()),
                _ => None,
            });
            let Some(target) = alias else {
                return self.deny(&key, record_type, &found);
            };
            let alias = Record::from_rdata(owner, entry.ttl, RData::CNAME(CNAME(target.clone())));
            self.answer(&key, &[alias], &found);
            seen.push(key);
            owner = target;
            key = LowerName::new(&owner);
            if entry.cname_alone || seen.contains(&key) || seen.len() > MAX_CHAIN {
                return;
            }
        }
    }

    /// Adds records of one name, each type of them signed.
    fn answer(&mut self, name: &LowerName, records: &[Record], found: &Found<'_>) {
        let mut types: Vec<_> = records.iter().map(Record::record_type).collect();
        types.sort_unstable();
        types.dedup();
        for record_type in types {
            let of_type = |record: &&Record| record.record_type() == record_type;
            let rrset: Vec<_> = records.iter().filter(of_type).cloned().collect();
            let labels = match found {
                Found::Wildcard { encloser, .. } => encloser.num_labels(),
                _ => name.num_labels(),
            };
            let signature = self.signature(name, record_type, &rrset, labels);
            self.records.extend(rrset);
            self.records.extend(signature);
        }
        if let (Found::Wildcard { encloser, .. }, Some(first)) = (found, records.first()) {
            let encloser = encloser.clone();
            self.prove(name, first.record_type(), &Denial::NothingCloser { encloser });
        }
    }

    /// Says that there is no such record.
    fn deny(&mut self, name: &LowerName, record_type: RecordType, found: &Found<'_>) {
        let Some(zones) = &self.directory.zones else {
            self.authorities
                .push(Record::from_rdata(Name::root(), 0, RData::SOA(zones::soa())));
            return;
        };
        let Some(zone) = zones.of(name, record_type) else {
            return;
        };
        let soa = zone.soa(0);
        let signature = self.signature(
            name,
            record_type,
            std::slice::from_ref(&soa),
            zone.top.num_labels(),
        );
        self.authorities.push(soa);
        self.authorities.extend(signature);
        let denial = match found {
            Found::Empty | Found::Name(_) => Denial::NoData,
            Found::Nothing { encloser } => Denial::NoName {
                encloser: encloser.clone(),
            },
            Found::Wildcard { encloser, .. } => Denial::NoDataOfWildcard {
                encloser: encloser.clone(),
            },
        };
        self.prove(name, record_type, &denial);
    }

    fn prove(&mut self, name: &LowerName, record_type: RecordType, denial: &Denial) {
        let zone = self
            .directory
            .zones
            .as_ref()
            .and_then(|zones| zones.of(name, record_type));
        let Some(zone) = zone.filter(|_| self.dnssec) else {
            return;
        };
        for record in zone.deny(name, denial) {
            let labels = record.name.num_labels();
            let signature = self.signature(name, record_type, std::slice::from_ref(&record), labels);
            self.authorities.push(record);
            self.authorities.extend(signature);
        }
    }

    /// The signature over what is said to a query for this name and type.
    fn signature(
        &self,
        name: &LowerName,
        record_type: RecordType,
        rrset: &[Record],
        labels: u8,
    ) -> Option<Record> {
        let zone = self.directory.zones.as_ref()?.of(name, record_type)?;
        let key = zone.key.as_ref().filter(|_| self.dnssec)?;
        let spoil = match self.directory.fault(name, record_type) {
            Some(DnsFailure::Spoil(spoil)) => Some(spoil),
            _ => None,
        };
        key.sign(&zone.top, rrset, labels, spoil)
    }
}
