//! A DNS out of a table, for tests.

use super::{Answer, Lookup, LookupError, Proof, Record, RecordType, Resolver, Tlsa};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Answers from what it was given; NXDOMAIN for names it was not given, NODATA for their other types.
/// Its clones share what they were asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeResolver {
    table: HashMap<(String, RecordType), Result<Vec<Record>, LookupError>>,
    aliases: HashMap<String, String>,
    secure: HashSet<String>,
    asked: Arc<Mutex<Vec<(String, RecordType)>>>,
}

impl FakeResolver {
    /// A DNS where no name exists.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds records as in a zone file: `("example.org", "MX 10 mx1.example.org.")`, `("mx1.example.org", "A 9.9.9.9")`.
    /// `CNAME` makes the name an alias for all types. In place of data: `fails` (SERVFAIL), `silent`, `bogus`, `loops`, `nodata`, `nxdomain`.
    ///
    /// # Panics
    /// On what it cannot read.
    pub(crate) fn with(mut self, name: &str, record: &str) -> Self {
        let (record_type, data) = record.split_once(' ').expect("a type and data");
        if record_type == "CNAME" {
            let target = data.strip_suffix('.').expect("a name with its final dot");
            self.aliases.insert(name.to_owned(), target.to_owned());
            return self;
        }
        let record_type = match record_type {
            "A" => RecordType::A,
            "AAAA" => RecordType::Aaaa,
            "MX" => RecordType::Mx,
            "TLSA" => RecordType::Tlsa,
            "TXT" => RecordType::Txt,
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

    /// What these names hold is proved by DNSSEC.
    pub(crate) fn with_secure(mut self, names: &[&str]) -> Self {
        self.secure.extend(names.iter().map(|name| (*name).to_owned()));
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
        let canonical = self.aliases.get(name).map_or(name, String::as_str);
        let result = match self.table.get(&(canonical.to_owned(), record_type)) {
            Some(result) => result.clone(),
            None if self.table.keys().any(|(known, _)| known == canonical) => Err(LookupError::NoData),
            None => Err(LookupError::NxDomain),
        };
        let proof = |proved: bool| if proved { Proof::Secure } else { Proof::Insecure };
        let is_secure = |name: &str| self.secure.contains(name);
        let answer = result.map(|records| Answer {
            records,
            canonical_name: canonical.to_owned(),
            proof: proof(is_secure(name) && is_secure(canonical)),
            first_proof: proof(is_secure(name)),
            ttl: Duration::from_secs(60),
        });
        Box::pin(std::future::ready(answer))
    }
}

fn read_record(record_type: RecordType, data: &str) -> Record {
    match record_type {
        RecordType::A | RecordType::Aaaa => Record::Address(data.parse().expect("an address")),
        RecordType::Tlsa => {
            let fields: Vec<u8> = data
                .split(' ')
                .map(|field| field.parse().expect("a number"))
                .collect();
            let [usage, selector, matching_type, octet] = fields[..] else {
                panic!("three numbers, and one of which the digest is made");
            };
            let data = vec![octet; 32];
            Record::Tlsa(Tlsa {
                usage,
                selector,
                matching_type,
                data,
            })
        }
        RecordType::Txt => Record::Txt(data.into()),
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
