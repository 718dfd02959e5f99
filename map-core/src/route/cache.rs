//! What the DNS has answered, for as long as it says, and never much of it.
//!
//! Who owns a domain chooses how many names lead on from it and how much is answered about each; one mail may be led to
//! megabytes. So what is kept is weighed by the octet: of an answer only what is used, in the form in which it
//! travelled, which is the smallest there is.

use super::question::{Signatures, to_the_point};
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::RecordType;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What all answers together may take, in octets. The MX, addresses, TXT and TLSA records of a usual domain and its
/// hosts take 2 to 4 KiB with signatures and with [`ENTRY`], so that some hundreds of domains are at hand.
pub(super) const MOST: usize = 2 * 1024 * 1024;

/// A larger answer is not kept, in octets. Real ones are nearly always below 4 KiB, and whoever sends more would push out
/// what others are asked for.
pub(super) const LARGEST: usize = 8 * 1024;

/// What an answer takes beside its own octets and the question's, at most: places in the tables.
const ENTRY: usize = 512;

// https://www.rfc-editor.org/rfc/rfc8767#section-4
// > capping the value on the order of days to weeks
// The shorter the better: what is wrong should not outlive the day. The same for denials.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a server that failed is not asked the same again.
// https://www.rfc-editor.org/rfc/rfc9520#section-3.2
// > Resolvers MUST cache resolution failures for at least 1 second. […] SHOULD employ an exponential or linear backoff
// Silence is not kept: it may be this machine's own network, and who has just mended it must not be told otherwise.
const FAILURE: Duration = Duration::from_secs(30);

type Answered = Result<Message, NetError>;
type Key = (Query, Signatures);

/// Answers, denials and failures, by question.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: Mutex<Entries>,
}

/// What is kept. Of too much, what was not asked for the longest goes.
#[derive(Debug, Default)]
struct Entries {
    kept: HashMap<Key, Kept>,
    /// The questions in the order in which they were last asked, by [`Kept::turn`].
    turns: BTreeMap<u64, Key>,
    next_turn: u64,
    weight: usize,
}

#[derive(Debug)]
struct Kept {
    what: What,
    at: Instant,
    until: Instant,
    turn: u64,
}

#[derive(Debug)]
enum What {
    /// The records, as a message.
    Answer(Box<[u8]>),
    /// That there is nothing, with what proves it, as a message.
    Denial(Box<[u8]>),
    /// A server said that it failed.
    Failure(ResponseCode),
}

impl Cache {
    /// What was answered, the TTLs counted down.
    pub(super) fn get(&self, query: &Query, signatures: Signatures, now: Instant) -> Option<Answered> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(&(query.clone(), signatures), now)
    }

    /// Keeps what was answered at `now`, if it may be kept.
    pub(super) fn insert(&self, query: &Query, signatures: Signatures, answered: &Answered, now: Instant) {
        let found = worth_keeping(query, signatures, answered);
        let key = (query.clone(), signatures);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.remove(&key);
        if let Some((what, time)) = found {
            entries.insert(key, what, now, time.min(LONGEST));
        }
    }
}

impl Entries {
    fn get(&mut self, key: &Key, now: Instant) -> Option<Answered> {
        let turn = self.take_turn();
        let kept = self.kept.get_mut(key)?;
        if now >= kept.until {
            self.remove(key);
            return None;
        }
        if let Some(key) = self.turns.remove(&kept.turn) {
            kept.turn = turn;
            self.turns.insert(turn, key);
        }
        let age = now.saturating_duration_since(kept.at).as_secs();
        kept.what.answer(&key.0, u32::try_from(age).unwrap_or(u32::MAX))
    }

    fn insert(&mut self, key: Key, what: What, now: Instant, time: Duration) {
        let kept = Kept {
            at: now,
            until: now + time,
            turn: self.take_turn(),
            what,
        };
        self.weight += weight(&key, &kept);
        self.turns.insert(kept.turn, key.clone());
        self.kept.insert(key, kept);
        while self.weight > MOST
            && let Some((_, oldest)) = self.turns.pop_first()
        {
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(kept) = self.kept.remove(key) {
            self.turns.remove(&kept.turn);
            self.weight -= weight(key, &kept);
        }
    }

    fn take_turn(&mut self) -> u64 {
        self.next_turn += 1;
        self.next_turn
    }
}

/// What it takes, in octets.
fn weight((query, _): &Key, kept: &Kept) -> usize {
    let octets = match &kept.what {
        What::Answer(octets) | What::Denial(octets) => octets.len(),
        What::Failure(_) => 0,
    };
    // A name is held twice, each time as its labels and their ends.
    ENTRY + 4 * query.name().len() + octets
}

/// What of it is used later, and how long it may be kept.
fn worth_keeping(query: &Query, signatures: Signatures, answered: &Answered) -> Option<(What, Duration)> {
    match answered {
        Ok(message) => {
            let mut message = match signatures {
                Signatures::Unwanted => of_type(message.clone(), query.query_type()),
                Signatures::Wanted => to_the_point(message.clone(), query),
            };
            message.additionals.clear();
            message.edns = None;
            let records = message.answers.iter().chain(&message.authorities);
            let time = records.map(|record| record.ttl).min()?;
            Some((What::Answer(small(&message)?), seconds(time)?))
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
            // https://www.rfc-editor.org/rfc/rfc2308#section-5
            // > Negative responses without SOA records SHOULD NOT be cached
            let time = seconds(none.negative_ttl?)?;
            let mut message = Message::response(0, OpCode::Query);
            message.metadata.response_code = none.response_code;
            if let (Signatures::Wanted, Some(proof)) = (signatures, &none.authorities) {
                message.authorities.extend(proof.iter().cloned());
            }
            Some((What::Denial(small(&message)?), time))
        }
        Err(NetError::Dns(DnsError::ResponseCode(code))) => Some((What::Failure(*code), FAILURE)),
        Err(_) => None,
    }
}

fn of_type(mut message: Message, wanted: RecordType) -> Message {
    message
        .answers
        .retain(|record| [wanted, RecordType::CNAME].contains(&record.record_type()));
    message.authorities.clear();
    message
}

fn small(message: &Message) -> Option<Box<[u8]>> {
    let octets = message.to_vec().ok()?;
    (octets.len() <= LARGEST).then(|| octets.into_boxed_slice())
}

/// Nothing, for what must not be kept at all.
fn seconds(ttl: u32) -> Option<Duration> {
    // https://www.rfc-editor.org/rfc/rfc2181#section-8
    // > Implementations should treat TTL values received with the most significant bit set as if the entire value
    // > received was zero.
    (1..=i32::MAX.cast_unsigned())
        .contains(&ttl)
        .then(|| Duration::from_secs(ttl.into()))
}

impl What {
    /// `age` is in seconds.
    fn answer(&self, query: &Query, age: u32) -> Option<Answered> {
        match self {
            Self::Answer(octets) => Some(Ok(aged(octets, age)?)),
            Self::Denial(octets) => {
                let message = aged(octets, age)?;
                let mut none = NoRecords::new(query.clone(), message.metadata.response_code);
                none.authorities = Some(message.authorities.into());
                Some(Err(DnsError::NoRecordsFound(none).into()))
            }
            Self::Failure(code) => Some(Err(DnsError::ResponseCode(*code).into())),
        }
    }
}

fn aged(octets: &[u8], age: u32) -> Option<Message> {
    let mut message = Message::from_vec(octets).ok()?;
    for record in message.answers.iter_mut().chain(&mut message.authorities) {
        record.decrement_ttl(age);
    }
    Some(message)
}

#[cfg(test)]
mod tests;
