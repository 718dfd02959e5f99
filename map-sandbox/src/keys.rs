//! The keys that sign a world's zones, and the signatures they make.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use hickory_server::proto::dnssec::crypto::EcdsaSigningKey;
use hickory_server::proto::dnssec::rdata::sig::SigInput;
use hickory_server::proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS, RRSIG};
use hickory_server::proto::dnssec::{Algorithm, DigestType, SigningKey, TBS};
use hickory_server::proto::rr::{DNSClass, LowerName, Name, RData, Record, RecordType, SerialNumber};

use crate::world::Spoil;

/// Seconds around now in which a signature holds.
const BEFORE: u32 = 3600;
const BEHIND: u32 = 86400;
/// So long ago is one that has lapsed, in seconds.
const LAPSED: u32 = 30 * 86400;

/// The keys of a sandbox's zones. They stay when the world changes.
#[derive(Debug)]
pub(crate) struct Keys {
    root: Arc<Key>,
    /// Validators may believe the root's own key without a signature, so that no other zone can have it.
    others: Mutex<HashMap<LowerName, Arc<Key>>>,
}

impl Keys {
    /// # Errors
    /// When the system gives no random numbers.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            root: Arc::new(Key::new()?),
            others: Mutex::default(),
        })
    }

    /// The DNSKEY record of the root, as text.
    pub(crate) fn trust_anchor(&self) -> String {
        format!(". 0 IN DNSKEY {}", self.root.entry.record())
    }

    /// # Errors
    /// As [`Keys::new`].
    pub(crate) fn of(&self, zone: &LowerName) -> io::Result<Arc<Key>> {
        if zone.is_root() {
            return Ok(Arc::clone(&self.root));
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = others.get(zone) {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(Key::new()?);
        others.insert(zone.clone(), Arc::clone(&key));
        Ok(key)
    }
}

/// The keys of a zone: one that its parent or a trust anchor vouches for, and one that it vouches for, which signs all
/// else. With one alone a signature over the keys would prove nothing.
#[derive(Debug)]
pub(crate) struct Key {
    entry: Pair,
    zone: Pair,
}

struct Pair {
    private: EcdsaSigningKey,
    public: DNSKEY,
    tag: u16,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair")
            .field("tag", &self.tag)
            .finish_non_exhaustive()
    }
}

impl Pair {
    fn new(is_entry: bool) -> io::Result<Self> {
        let algorithm = Algorithm::ECDSAP256SHA256;
        let pair = EcdsaSigningKey::generate_pkcs8(algorithm).map_err(io::Error::other)?;
        let private = EcdsaSigningKey::from_pkcs8(&pair, algorithm).map_err(io::Error::other)?;
        let public = DNSKEY::new(
            true,
            is_entry,
            false,
            private.to_public_key().map_err(io::Error::other)?,
        );
        let tag = public.calculate_key_tag().map_err(io::Error::other)?;
        Ok(Self { private, public, tag })
    }

    fn record(&self) -> RData {
        RData::DNSSEC(DNSSECRData::DNSKEY(self.public.clone()))
    }
}

impl Key {
    fn new() -> io::Result<Self> {
        Ok(Self {
            entry: Pair::new(true)?,
            zone: Pair::new(false)?,
        })
    }

    /// The DNSKEY records of its zone.
    pub(crate) fn dnskeys(&self) -> [RData; 2] {
        [self.entry.record(), self.zone.record()]
    }

    /// The DS record by which a parent vouches for the zone.
    pub(crate) fn ds(&self, zone: &Name) -> io::Result<RData> {
        let Pair { private, public, tag } = &self.entry;
        let digest_type = DigestType::SHA256;
        let digest = public.to_digest(zone, digest_type).map_err(io::Error::other)?;
        let ds = DS::new(*tag, private.algorithm(), digest_type, digest.as_ref().to_vec());
        Ok(RData::DNSSEC(DNSSECRData::DS(ds)))
    }

    /// The signature over an RRset, which has one at least; `labels` are those of the name it stands under in its zone,
    /// without a wildcard's.
    pub(crate) fn sign(
        &self,
        zone: &Name,
        rrset: &[Record],
        labels: u8,
        spoil: Option<Spoil>,
    ) -> Option<Record> {
        let first = rrset.first()?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        // Times of signatures are counted round: https://www.rfc-editor.org/rfc/rfc4034#section-3.1.5
        let mut now = u32::try_from(now & u64::from(u32::MAX)).unwrap_or_default();
        match spoil {
            Some(Spoil::Stripped) => return None,
            Some(Spoil::Lapsed) => now = now.wrapping_sub(LAPSED),
            Some(Spoil::Bogus) | None => {}
        }
        let pair = match first.record_type() {
            RecordType::DNSKEY => &self.entry,
            _ => &self.zone,
        };
        let input = SigInput {
            type_covered: first.record_type(),
            algorithm: pair.private.algorithm(),
            num_labels: labels,
            original_ttl: first.ttl,
            sig_expiration: SerialNumber::new(now.wrapping_add(BEHIND)),
            sig_inception: SerialNumber::new(now.wrapping_sub(BEFORE)),
            key_tag: pair.tag,
            signer_name: zone.clone(),
        };
        let signed = TBS::from_input(&first.name, DNSClass::IN, &input, rrset.iter()).ok()?;
        let mut signature = pair.private.sign(&signed).ok()?;
        if spoil == Some(Spoil::Bogus)
            && let Some(octet) = signature.last_mut()
        {
            *octet ^= 1;
        }
        let rrsig = RData::DNSSEC(DNSSECRData::RRSIG(RRSIG::from_sig(input, signature)));
        Some(Record::from_rdata(first.name.clone(), first.ttl, rrsig))
    }
}
