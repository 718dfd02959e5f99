//! Answers that were made from a wildcard, and the proof that they may have been.

use super::{LookupError, Proof};
use hickory_resolver::proto::dnssec::rdata::{DNSSECRData, NSEC, NSEC3, RRSIG};
use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

/// RFC 9276 section 3.2 lets validators choose; hickory has the same limit.
const MAX_ITERATIONS: u16 = 100;

/// What is proved of an RRset of the answers whose signature was verified.
///
/// Without the second half of the proof, a signature over `*.example.org` could be shown for any name below
/// `example.org`, also for one that has records of its own.
///
/// # Errors
/// [`LookupError::Bogus`] for an answer made from a wildcard without proof that the name has no records of its own.
pub(super) fn check(message: &Message, name: &Name, record_type: RecordType) -> Result<Proof, LookupError> {
    let signature = verified(&message.answers, name, record_type).ok_or(LookupError::Bogus)?;
    if is_whole(signature, name) {
        return Ok(Proof::Secure);
    }
    // https://www.rfc-editor.org/rfc/rfc4035#section-5.3.4
    // > If the number of labels in an RRset's owner name is greater than the Labels field of the covering RRSIG RR,
    // > then the RRset and its covering RRSIG RR were created as a result of wildcard expansion. [...] it
    // > must take additional steps to verify the non-existence of an exact match or closer wildcard match for the
    // > query.
    let closest_encloser = signature.input().num_labels;
    let next_closer = name.trim_to(usize::from(closest_encloser).saturating_add(1));
    let zone = &signature.input().signer_name;
    let authorities = &message.authorities;
    let nsec = authorities.iter().any(|record| {
        let RData::DNSSEC(DNSSECRData::NSEC(nsec)) = &record.data else {
            return false;
        };
        is_of_zone(authorities, record, zone) && denies(&record.name, nsec, name, &next_closer)
    });
    if nsec {
        return Ok(Proof::Secure);
    }
    authorities
        .iter()
        .filter(|record| is_of_zone(authorities, record, zone))
        .find_map(|record| match &record.data {
            RData::DNSSEC(DNSSECRData::NSEC3(nsec3)) if record.name.base_name() == *zone => {
                hashed_denial(&record.name, nsec3, &next_closer)
            }
            _ => None,
        })
        .ok_or(LookupError::Bogus)
}

/// True when the RRset has a verified signature over this very name.
pub(super) fn is_not_expanded(message: &Message, name: &Name, record_type: RecordType) -> bool {
    verified(&message.answers, name, record_type).is_some_and(|signature| is_whole(signature, name))
}

/// The records of one name and type.
pub(super) fn rrsets<'a>(
    section: &'a [Record],
    name: &Name,
    record_type: RecordType,
) -> impl Iterator<Item = &'a Record> {
    section
        .iter()
        .filter(move |record| record.name == *name && record.record_type() == record_type)
}

/// The signature by which hickory verified the RRset: it marks that one.
fn verified<'a>(section: &'a [Record], name: &Name, record_type: RecordType) -> Option<&'a RRSIG> {
    rrsets(section, name, RecordType::RRSIG).find_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(signature))
            if record.proof.is_secure() && signature.input().type_covered == record_type =>
        {
            Some(signature)
        }
        _ => None,
    })
}

/// Neither count counts the root or a leading asterisk.
fn is_whole(signature: &RRSIG, name: &Name) -> bool {
    signature.input().num_labels >= name.num_labels()
}

/// A denial by the zone that made the answer: its parent knows nothing of the names in it.
fn is_of_zone(authorities: &[Record], record: &Record, zone: &Name) -> bool {
    record.proof.is_secure()
        && verified(authorities, &record.name, record.record_type())
            .is_some_and(|signature| signature.input().signer_name == *zone)
}

/// True when the NSEC record proves that `next_closer`, an ancestor of `name` or `name` itself, does not exist.
// https://www.rfc-editor.org/rfc/rfc4035#section-5.4
// > If the requested RR name would appear after an authenticated NSEC RR's owner name and before the name listed in
// > that NSEC RR's Next Domain Name field according to the canonical DNS name order [...], then no RRsets with the
// > requested name exist in the zone.
fn denies(owner: &Name, nsec: &NSEC, name: &Name, next_closer: &Name) -> bool {
    let next = nsec.next_domain_name();
    let is_last = next <= owner;
    let covers = owner < name && (name < next || is_last && next.zone_of(name));
    // A delegation, or a DNAME, says nothing of the names below it (RFC 6840 section 4.1).
    let is_beyond = nsec.is_ancestor_delegation() && owner.zone_of(name);
    // The names below `next_closer` stand together in the order, and `name` is among them: if any existed, the one
    // before the gap or the one after it would be one of them.
    covers && !is_beyond && !next_closer.zone_of(owner) && !next_closer.zone_of(next)
}

/// What the NSEC3 record proves, if it covers the hash of `next_closer`.
// https://www.rfc-editor.org/rfc/rfc5155#section-8.8
// > Validators MUST verify that there is an NSEC3 RR that covers the "next closer" name to QNAME present in the
// > response.
fn hashed_denial(owner: &Name, nsec3: &NSEC3, next_closer: &Name) -> Option<Proof> {
    if nsec3.iterations() > MAX_ITERATIONS {
        return Some(Proof::Insecure);
    }
    let algorithm = nsec3.hash_algorithm();
    let digest = algorithm
        .hash(nsec3.salt(), next_closer, nsec3.iterations())
        .ok()?;
    // In base 32, in which owner names are written, the order is the same. The record does the conversion.
    let hash = NSEC3::new(algorithm, false, 0, Vec::new(), digest.as_ref().to_vec(), []);
    let hash = hash
        .next_hashed_owner_name_base32()?
        .as_bytes()
        .to_ascii_lowercase();
    let next = nsec3
        .next_hashed_owner_name_base32()?
        .as_bytes()
        .to_ascii_lowercase();
    let owner = owner.iter().next()?.to_ascii_lowercase();
    let covers = if owner < next {
        owner < hash && hash < next
    } else {
        owner < hash || hash < next
    };
    // https://www.rfc-editor.org/rfc/rfc5155#section-9.2
    // > The AD bit [...] MUST NOT be set when returning a response containing a closest (provable) encloser proof in
    // > which the NSEC3 RR that covers the "next closer" name has the Opt-Out bit set.
    let proof = if nsec3.opt_out() {
        Proof::Insecure
    } else {
        Proof::Secure
    };
    covers.then_some(proof)
}
