//! What is asked of a DNS server, and what of its answer is to the point.

use hickory_resolver::proto::dnssec::rdata::{DNSSECRData, RRSIG};
use hickory_resolver::proto::op::{Message, Query};
use hickory_resolver::proto::rr::{self, RData};

/// RFC 6672; hickory has no type of its own for its records.
pub(super) const DNAME: rr::RecordType = rr::RecordType::DNAME;

/// Whether signatures are wanted with an answer: the DO bit of RFC 3225.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Signatures {
    Unwanted,
    Wanted,
}

/// Without what is beside the point: hickory would validate it too, which costs look-ups in zones that have nothing to
/// do with the question, and would judge the whole by it.
pub(super) fn to_the_point(mut message: Message, query: &Query) -> Message {
    if message.answers.is_empty() {
        return message;
    }
    let of_type = |record: &rr::Record, types: &[rr::RecordType]| match signature(record) {
        Some(signature) => types.contains(&signature.input().type_covered),
        None => types.contains(&record.record_type()),
    };
    let denials = [rr::RecordType::NSEC, rr::RecordType::NSEC3, rr::RecordType::SOA];
    message
        .answers
        .retain(|record| record.name == *query.name() || of_type(record, &[DNAME]));
    if query.query_type() != rr::RecordType::NS {
        message.authorities.retain(|record| of_type(record, &denials));
    }
    message.additionals.clear();
    message
}

/// The signature that this record is.
pub(super) fn signature(record: &rr::Record) -> Option<&RRSIG> {
    match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(signature)) => Some(signature),
        _ => None,
    }
}
