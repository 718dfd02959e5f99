//! A DNS out of a table, for tests.

use super::{Answer, Lookup, LookupError, Proof, Record, RecordType, Resolver};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

/// Answers from what it was given; NXDOMAIN for names it was not given, NODATA for their other types.
#[derive(Debug, Default)]
pub(crate) struct FakeResolver {
    table: HashMap<(String, RecordType), Result<Vec<Record>, LookupError>>,
    asked: Mutex<Vec<(String, RecordType)>>,
}

impl FakeResolver {
    /// A DNS where no name exists.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds records as in a zone file: `("example.org", "MX 10 mx1.example.org.")`, `("mx1.example.org", "A 9.9.9.9")`.
    /// In place of data: `fails` (SERVFAIL), `silent`, `bogus`, `loops`, `nodata`, `nxdomain`.
    ///
    /// # Panics
    /// On what it cannot read.
    pub(crate) fn with(mut self, name: &str, record: &str) -> Self {
        let (record_type, data) = record.split_once(' ').expect("a type and data");
        let record_type = match record_type {
            "A" => RecordType::A,
            "AAAA" => RecordType::Aaaa,
            "MX" => RecordType::Mx,
            other => panic!("no record type {other:?}"),
        };
        let result = match data {
            "fails" => Err(LookupError::Failed("SERVFAIL".to_owned())),
            "silent" => Err(LookupError::NoAnswer),
            "bogus" => Err(LookupError::Bogus),
            "loops" => Err(LookupError::AliasLoop),
            "nodata" => Err(LookupError::NoData),
            "nxdomain" => Err(LookupError::NxDomain),
            data => Ok(vec![read_record(record_type, data)]),
        };
        let entry = self.table.entry((name.to_owned(), record_type));
        match (result, entry.or_insert_with(|| Ok(Vec::new()))) {
            (Ok(more), Ok(records)) => records.extend(more),
            (result, entry) => *entry = result,
        }
        self
    }

    /// What it was asked, in order.
    pub(crate) fn asked(&self) -> Vec<(String, RecordType)> {
        self.asked.lock().unwrap().clone()
    }
}

impl Resolver for FakeResolver {
    fn query<'a>(&'a self, name: &'a str, record_type: RecordType) -> Lookup<'a> {
        self.asked.lock().unwrap().push((name.to_owned(), record_type));
        let result = match self.table.get(&(name.to_owned(), record_type)) {
            Some(result) => result.clone(),
            None if self.table.keys().any(|(known, _)| known == name) => Err(LookupError::NoData),
            None => Err(LookupError::NxDomain),
        };
        let answer = result.map(|records| Answer {
            records,
            canonical_name: name.to_owned(),
            proof: Proof::Insecure,
            ttl: Duration::from_secs(60),
        });
        Box::pin(std::future::ready(answer))
    }
}

fn read_record(record_type: RecordType, data: &str) -> Record {
    match record_type {
        RecordType::A | RecordType::Aaaa => Record::Address(data.parse().expect("an address")),
        RecordType::Mx => {
            let (preference, exchange) = data.split_once(' ').expect("a preference and a name");
            let exchange = exchange.strip_suffix('.').unwrap_or(exchange).to_owned();
            Record::Mx {
                preference: preference.parse().expect("a preference"),
                exchange,
            }
        }
    }
}
