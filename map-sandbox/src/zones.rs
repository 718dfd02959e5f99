//! The zones of a world that is signed: who signs a name, and what proves that another does not exist.
//!
//! Every domain with a `signed` or `unsigned` line is a zone of its own, and the root is one that is signed. A name in
//! none of the domain's zones is in an unsigned zone that is made for it, as high in the tree as there is nothing signed
//! below.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::Arc;

use hickory_server::proto::dnssec::Nsec3HashAlgorithm;
use hickory_server::proto::dnssec::rdata::{DNSSECRData, NSEC, NSEC3, NSEC3PARAM};
use hickory_server::proto::rr::rdata::{NS, SOA};
use hickory_server::proto::rr::{LowerName, Name, RData, Record, RecordType};

use crate::keys::{Key, Keys};
use crate::world::{Entry, Signed};

/// The zones by their tops.
#[derive(Debug)]
pub(crate) struct Zones {
    zones: HashMap<LowerName, Zone>,
    /// What a parent says of a zone: its DS record, if it is signed.
    delegations: HashMap<LowerName, RData>,
}

/// One zone.
#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) top: Name,
    signed: Signed,
    /// If it is signed.
    pub(crate) key: Option<Arc<Key>>,
    /// Its names with their types, in the order of NSEC, or by their hashes for NSEC3.
    owners: BTreeMap<Name, BTreeSet<RecordType>>,
    hashes: BTreeMap<Vec<u8>, BTreeSet<RecordType>>,
}

/// What is to be proved.
#[derive(Clone, Debug)]
pub(crate) enum Denial {
    /// The name has records, or others below it do, but not of this type.
    NoData,
    /// There is no such name below the closest one that exists.
    NoName { encloser: LowerName },
    /// No name that is closer than the wildcard's parent.
    NothingCloser { encloser: LowerName },
    /// That, and the wildcard has no such type.
    NoDataOfWildcard { encloser: LowerName },
}

impl Zones {
    /// The zones of these names, which get what belongs to the top of a zone; `None` when nothing is signed.
    ///
    /// # Errors
    /// Those of the cryptography, which there are none of.
    pub(crate) fn new(names: &mut HashMap<LowerName, Entry>, keys: &Keys) -> io::Result<Option<Self>> {
        let tops = tops(names);
        if tops.is_empty() {
            return Ok(None);
        }
        let mut zones = Self {
            zones: HashMap::new(),
            delegations: HashMap::new(),
        };
        for (top, signed) in tops {
            let entry = names.entry(top.clone()).or_insert_with(Entry::new);
            entry.records.push(RData::SOA(soa()));
            entry.records.push(RData::NS(NS(server())));
            let key = match signed {
                Signed::No => None,
                Signed::Nsec | Signed::Nsec3 => Some(keys.of(&top)?),
            };
            if let Some(key) = &key {
                entry.records.extend(key.dnskeys());
                if !top.is_root() {
                    zones.delegations.insert(top.clone(), key.ds(&top)?);
                }
            }
            if signed == Signed::Nsec3 {
                let param = NSEC3PARAM::new(Nsec3HashAlgorithm::SHA1, false, 0, Vec::new());
                entry.records.push(RData::DNSSEC(DNSSECRData::NSEC3PARAM(param)));
            }
            let zone = Zone {
                top: Name::from(top.clone()),
                signed,
                key,
                owners: BTreeMap::new(),
                hashes: BTreeMap::new(),
            };
            zones.zones.insert(top, zone);
        }
        zones.list_owners(names)?;
        Ok(Some(zones))
    }

    /// Where the records of this type and name are.
    pub(crate) fn of(&self, name: &LowerName, record_type: RecordType) -> Option<&Zone> {
        // It stands on the parent's side of the cut: https://www.rfc-editor.org/rfc/rfc4035#section-3.1.4.1
        let parental = record_type == RecordType::DS && self.zones.contains_key(name);
        let top = if parental {
            self.top_of(&name.base_name())
        } else {
            self.top_of(name)
        };
        self.zones.get(&top)
    }

    /// What the parent says of a signed zone.
    pub(crate) fn ds(&self, name: &LowerName) -> Option<&RData> {
        self.delegations.get(name)
    }

    fn top_of(&self, name: &LowerName) -> LowerName {
        let mut top = name.clone();
        while !top.is_root() && !self.zones.contains_key(&top) {
            top = top.base_name();
        }
        top
    }

    fn list_owners(&mut self, names: &HashMap<LowerName, Entry>) -> io::Result<()> {
        let mut owned: Vec<(LowerName, Name, BTreeSet<RecordType>)> = Vec::new();
        for (name, entry) in names {
            let types: BTreeSet<_> = entry.records.iter().map(RData::record_type).collect();
            owned.push((self.top_of(name), Name::from(name.clone()), types));
        }
        for top in self.zones.keys().filter(|top| !top.is_root()) {
            let mut types = BTreeSet::from([RecordType::NS]);
            types.extend(self.delegations.contains_key(top).then_some(RecordType::DS));
            owned.push((self.top_of(&top.base_name()), Name::from(top.clone()), types));
        }
        for (top, name, types) in owned {
            if let Some(zone) = self.zones.get_mut(&top) {
                zone.own(name, types)?;
            }
        }
        Ok(())
    }
}

impl Zone {
    fn own(&mut self, name: Name, mut types: BTreeSet<RecordType>) -> io::Result<()> {
        let is_delegation = types.contains(&RecordType::NS) && name != self.top;
        // A delegation is not signed, but what vouches for it is.
        let is_signed = !is_delegation || types.contains(&RecordType::DS);
        match self.signed {
            Signed::No => {}
            Signed::Nsec => {
                types.extend([RecordType::NSEC, RecordType::RRSIG]);
                self.owners.insert(name, types);
            }
            Signed::Nsec3 => {
                let mut above = name.base_name();
                while self.top.zone_of(&above) && above.num_labels() > self.top.num_labels() {
                    self.hashes.entry(hash(&above)?).or_default();
                    above = above.base_name();
                }
                if is_signed && !types.is_empty() {
                    types.insert(RecordType::RRSIG);
                }
                self.hashes.insert(hash(&name)?, types);
            }
        }
        Ok(())
    }

    pub(crate) fn soa(&self, ttl: u32) -> Record {
        Record::from_rdata(self.top.clone(), ttl, RData::SOA(soa()))
    }

    /// The records that prove it, not signed yet.
    pub(crate) fn deny(&self, name: &LowerName, denial: &Denial) -> Vec<Record> {
        let mut records = match self.signed {
            Signed::No => Vec::new(),
            Signed::Nsec => self.deny_by_name(name, denial),
            Signed::Nsec3 => self.deny_by_hash(name, denial).unwrap_or_default(),
        };
        records.sort();
        records.dedup();
        records
    }

    /// <https://www.rfc-editor.org/rfc/rfc4035#section-3.1.3>
    fn deny_by_name(&self, name: &LowerName, denial: &Denial) -> Vec<Record> {
        let names = match denial {
            Denial::NoData | Denial::NothingCloser { .. } => vec![Name::from(name.clone())],
            Denial::NoName { encloser } | Denial::NoDataOfWildcard { encloser } => {
                vec![Name::from(name.clone()), wildcard(encloser)]
            }
        };
        // The last one that does not come after the name is the name's own, or leaves no room for it.
        names.iter().filter_map(|name| self.nsec(name)).collect()
    }

    fn nsec(&self, name: &Name) -> Option<Record> {
        let (owner, types) = self.owners.range(..=name).next_back()?;
        let behind = (std::ops::Bound::Excluded(owner), std::ops::Bound::Unbounded);
        let next = self
            .owners
            .range(behind)
            .next()
            .map_or(&self.top, |(next, _)| next);
        let nsec = NSEC::new(next.clone(), types.iter().copied());
        Some(Record::from_rdata(
            owner.clone(),
            0,
            RData::DNSSEC(DNSSECRData::NSEC(nsec)),
        ))
    }

    /// <https://www.rfc-editor.org/rfc/rfc5155#section-7.2>
    fn deny_by_hash(&self, name: &LowerName, denial: &Denial) -> io::Result<Vec<Record>> {
        let names = match denial {
            Denial::NoData => vec![Name::from(name.clone())],
            Denial::NothingCloser { encloser } => vec![next_closer(name, encloser)],
            Denial::NoName { encloser } | Denial::NoDataOfWildcard { encloser } => {
                let own = Name::from(encloser.clone());
                vec![own, next_closer(name, encloser), wildcard(encloser)]
            }
        };
        names
            .iter()
            .filter_map(|name| self.nsec3(name).transpose())
            .collect()
    }

    fn nsec3(&self, name: &Name) -> io::Result<Option<Record>> {
        let hash = hash(name)?;
        let before = self.hashes.range(..=hash.clone()).next_back();
        let Some((owner, types)) = before.or_else(|| self.hashes.last_key_value()) else {
            return Ok(None);
        };
        let behind = (
            std::ops::Bound::Excluded(owner.clone()),
            std::ops::Bound::Unbounded,
        );
        let next = self
            .hashes
            .range(behind)
            .next()
            .or_else(|| self.hashes.first_key_value());
        let next = next.map(|(next, _)| next.clone()).unwrap_or_default();
        let types = types.iter().copied();
        let nsec3 = NSEC3::new(Nsec3HashAlgorithm::SHA1, false, 0, Vec::new(), next, types);
        let label = base32(owner);
        let owner = self
            .top
            .prepend_label(label.as_bytes())
            .map_err(io::Error::other)?;
        Ok(Some(Record::from_rdata(
            owner,
            0,
            RData::DNSSEC(DNSSECRData::NSEC3(nsec3)),
        )))
    }
}

/// The tops of all zones; none when nothing is signed.
fn tops(names: &HashMap<LowerName, Entry>) -> HashMap<LowerName, Signed> {
    let said = names
        .iter()
        .filter_map(|(name, entry)| Some((name.clone(), entry.signed?)));
    let mut tops: HashMap<LowerName, Signed> = said.collect();
    let signed: Vec<_> = tops
        .iter()
        .filter(|(_, signed)| **signed != Signed::No)
        .map(|(top, _)| top.clone())
        .collect();
    if signed.is_empty() {
        return HashMap::new();
    }
    let said: Vec<_> = tops.keys().cloned().collect();
    for name in names.keys() {
        if said.iter().any(|top| top.zone_of(name)) {
            continue;
        }
        let mut line: Vec<_> = ancestors(name).collect();
        line.reverse();
        let is_free = |top: &&LowerName| !signed.iter().any(|signed| top.zone_of(signed));
        if let Some(top) = line.iter().find(is_free) {
            tops.insert(top.clone(), Signed::No);
        }
    }
    tops.entry(LowerName::new(&Name::root())).or_insert(Signed::Nsec);
    tops
}

/// The name and those above it, without the root.
fn ancestors(name: &LowerName) -> impl Iterator<Item = LowerName> {
    let start = Some(name.clone()).filter(|name| !name.is_root());
    std::iter::successors(start, |name| {
        Some(name.base_name()).filter(|name| !name.is_root())
    })
}

fn hash(name: &Name) -> io::Result<Vec<u8>> {
    let digest = Nsec3HashAlgorithm::SHA1
        .hash(&[], name, 0)
        .map_err(io::Error::other)?;
    Ok(digest.as_ref().to_vec())
}

/// In the alphabet that keeps the order: <https://www.rfc-editor.org/rfc/rfc4648#section-7>
fn base32(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    // SHA-1 has 160 bits, which are 32 digits and no rest.
    let digits = octets.chunks(5).flat_map(|five| {
        let number = five
            .iter()
            .fold(0_u64, |number, octet| number << 8 | u64::from(*octet));
        (0..8)
            .rev()
            .map(move |digit| usize::try_from(number >> (5 * digit) & 31).unwrap_or_default())
    });
    digits
        .filter_map(|digit| ALPHABET.get(digit).copied().map(char::from))
        .collect()
}

fn wildcard(encloser: &LowerName) -> Name {
    // The longest name is too long for a wildcard below it; then there is none.
    encloser
        .prepend_label("*")
        .unwrap_or_else(|_| Name::from(encloser.clone()))
}

/// The name, cut to one label more than the closest that exists.
fn next_closer(name: &LowerName, encloser: &LowerName) -> Name {
    name.trim_to(encloser.iter().count().saturating_add(1))
}

fn server() -> Name {
    name("ns.sandbox.")
}

/// The same of every zone.
pub(crate) fn soa() -> SOA {
    SOA::new(server(), name("postmaster.sandbox."), 1, 3600, 600, 86400, 0)
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap_or_else(|_| Name::root())
}
