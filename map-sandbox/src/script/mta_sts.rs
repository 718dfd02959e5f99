//! The line `mta-sts`, and the records that follow from it.

use std::net::Ipv4Addr;

use hickory_server::proto::rr::rdata::{A, TXT};
use hickory_server::proto::rr::{LowerName, Name, RData};

use super::{Parsed, domain_name, host, octets, split_word};
use crate::policy_host::{DOWN, HERE};
use crate::world::{Entry, MtaSts, PolicyFault, PolicyText, World};

/// `MODE …`, `raw TEXT`, or what else is to be said of a policy that is there already.
pub(super) fn read_line(policy: &mut Option<MtaSts>, rest: &str) -> Parsed<()> {
    let (word, behind) = split_word(rest);
    let words = match word {
        "enforce" | "none" | "testing" => {
            *policy = Some(MtaSts::new(PolicyText::Mode(word.to_owned())));
            behind
        }
        "raw" => {
            *policy = Some(MtaSts::new(PolicyText::Raw(octets(behind)?)));
            return Ok(());
        }
        _ => rest,
    };
    let Some(policy) = policy else {
        return Err("`mta-sts` begins with enforce, testing, none or raw".to_owned());
    };
    let mut words = words.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let mut argument = || {
            words
                .next()
                .ok_or_else(|| format!("`{word}` needs something after it"))
        };
        match word {
            "certificate" => {
                let mut qualities = Vec::new();
                while let Some(quality) = words.next_if(|word| host::quality(&[word]).is_ok()) {
                    qualities.push(quality);
                }
                policy.certificate = host::quality(&qualities)?;
            }
            "down" => policy.fault = Some(PolicyFault::Down),
            "huge" => policy.fault = Some(PolicyFault::Huge),
            "id" => policy.id = Some(argument()?.to_owned()),
            "max_age" => {
                let seconds = argument()?;
                policy.max_age = seconds
                    .parse()
                    .map_err(|_| format!("`{seconds}` is no number of seconds"))?;
            }
            "mx" => {
                let pattern = argument()?;
                domain_name(pattern)?;
                policy.mx.push(pattern.to_owned());
            }
            "stall" => policy.fault = Some(PolicyFault::Stall),
            "status" => {
                let code = argument()?;
                let status = code.parse().ok().filter(|code| (200..600).contains(code));
                policy.fault = Some(PolicyFault::Status(
                    status.ok_or_else(|| format!("`{code}` is no status of HTTP"))?,
                ));
            }
            _ => return Err(format!("`mta-sts` knows no `{word}`")),
        }
    }
    Ok(())
}

impl World {
    /// Adds what the policies need in the DNS, where the script did not write it by hand.
    pub(super) fn publish_policies(&mut self) {
        for (domain, entry) in self.names.clone() {
            let Some(mut policy) = entry.mta_sts.clone() else {
                continue;
            };
            if policy.mx.is_empty() {
                policy.mx = exchanges(&domain, &entry);
            }
            let text = format!("v=STSv1; id={};", policy.id());
            self.publish(&domain, "_mta-sts", entry.ttl, RData::TXT(TXT::new(vec![text])));
            let at = match policy.fault {
                Some(PolicyFault::Down) => DOWN,
                _ => HERE,
            };
            self.publish(&domain, "mta-sts", entry.ttl, address(at));
            self.policies
                .insert(format!("mta-sts.{}", plain(&domain)), policy);
        }
    }

    fn publish(&mut self, domain: &LowerName, label: &str, ttl: u32, record: RData) {
        let Ok(name) = Name::from_ascii(label).and_then(|label| label.append_domain(domain)) else {
            // Too long for the DNS: then nobody can ask for it.
            return;
        };
        let entry = self.names.entry(LowerName::new(&name)).or_insert_with(|| {
            let mut entry = Entry::new();
            entry.ttl = ttl;
            entry
        });
        let stands_for_it = |other: &RData| match (other, &record) {
            (RData::CNAME(_), _) | (RData::A(_) | RData::AAAA(_), RData::A(_)) => true,
            (other, record) => other.record_type() == record.record_type(),
        };
        if !entry.records.iter().any(stands_for_it) {
            entry.records.push(record);
        }
    }
}

/// The hosts of the domain's MX records, or the domain itself.
fn exchanges(domain: &LowerName, entry: &Entry) -> Vec<String> {
    let exchanges = entry.records.iter().filter_map(|record| match record {
        RData::MX(mx) => Some(LowerName::new(&mx.exchange)),
        _ => None,
    });
    let mut exchanges: Vec<_> = exchanges.collect();
    if exchanges.is_empty() {
        exchanges.push(domain.clone());
    }
    exchanges.retain(|exchange| !exchange.is_root());
    exchanges.iter().map(plain).collect()
}

/// Without the dot at its end.
fn plain(name: &LowerName) -> String {
    name.to_string().trim_end_matches('.').to_owned()
}

fn address(address: Ipv4Addr) -> RData {
    RData::A(A(address))
}
