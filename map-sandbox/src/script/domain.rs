//! The lines below `domain`.

use std::str::FromStr;

use hickory_server::proto::op::ResponseCode;
use hickory_server::proto::rr::rdata::{A, AAAA, CNAME, MX, TXT};
use hickory_server::proto::rr::{RData, RecordType};

use super::{Parsed, domain_name, duration, octets, one_word, split_word};
use crate::world::{DnsFailure, DnsFault, Entry, Signed, Spoil};

/// The records of a zone stand at its top, and an alias suffers no others beside it.
const CNAME_AT_TOP: &str = "a name with a `cname` cannot be the top of a zone";

impl Entry {
    pub(super) fn read_line(&mut self, word: &str, rest: &str) -> Parsed<()> {
        match word {
            "a" => {
                let address = one_word(word, rest)?
                    .parse()
                    .map_err(|_| format!("`{rest}` is no IPv4 address"))?;
                self.add(RData::A(A(address)))
            }
            "aaaa" => {
                let address = one_word(word, rest)?
                    .parse()
                    .map_err(|_| format!("`{rest}` is no IPv6 address"))?;
                self.add(RData::AAAA(AAAA(address)))
            }
            "cname" => {
                let (target, alone) = split_word(rest);
                match alone {
                    "" => {}
                    "alone" => self.cname_alone = true,
                    _ => {
                        return Err(format!(
                            "`{alone}` after the target: only `alone` can stand there"
                        ));
                    }
                }
                if self
                    .records
                    .iter()
                    .any(|record| matches!(record, RData::CNAME(_)))
                {
                    return Err("a name has one `cname` at most".to_owned());
                }
                if self.signed.is_some() {
                    return Err(CNAME_AT_TOP.to_owned());
                }
                self.add(RData::CNAME(CNAME(domain_name(target)?)))
            }
            "delay" => {
                self.delay = duration(one_word(word, rest)?)?;
                Ok(())
            }
            "mta-sts" => super::mta_sts::read_line(&mut self.mta_sts, rest),
            "mx" => {
                let (preference, exchange) = split_word(rest);
                let preference = preference
                    .parse()
                    .map_err(|_| format!("`{preference}` is no preference: `mx 10 mx.example.com`"))?;
                self.add(RData::MX(MX::new(
                    preference,
                    domain_name(one_word(word, exchange)?)?,
                )))
            }
            "signed" | "unsigned" => self.read_zone(word, rest),
            "ttl" => {
                self.ttl = one_word(word, rest)?
                    .parse()
                    .map_err(|_| format!("`{rest}` is no number of seconds"))?;
                Ok(())
            }
            "txt" => self.add(RData::TXT(text_record(rest)?)),
            _ => {
                let how = match word {
                    "bogus" => DnsFailure::Spoil(Spoil::Bogus),
                    "lapsed" => DnsFailure::Spoil(Spoil::Lapsed),
                    "stripped" => DnsFailure::Spoil(Spoil::Stripped),
                    "formerr" => DnsFailure::Code(ResponseCode::FormErr),
                    "notimp" => DnsFailure::Code(ResponseCode::NotImp),
                    "nxdomain" => DnsFailure::Code(ResponseCode::NXDomain),
                    "refused" => DnsFailure::Code(ResponseCode::Refused),
                    "servfail" => DnsFailure::Code(ResponseCode::ServFail),
                    "silent" => DnsFailure::Silent,
                    "truncate" => DnsFailure::Truncate,
                    _ => return Err(format!("a domain knows no `{word}`")),
                };
                let only = match rest {
                    "" => None,
                    _ => Some(
                        RecordType::from_str(&rest.to_ascii_uppercase())
                            .map_err(|_| format!("`{rest}` is no type of record"))?,
                    ),
                };
                self.faults.push(DnsFault { only, how });
                Ok(())
            }
        }
    }

    /// The name is the top of a zone.
    fn read_zone(&mut self, word: &str, rest: &str) -> Parsed<()> {
        let signed = match (word, rest) {
            ("unsigned", "") => Signed::No,
            ("signed", "" | "nsec") => Signed::Nsec,
            ("signed", "nsec3") => Signed::Nsec3,
            _ => {
                return Err(format!(
                    "`{word} {rest}`: a zone is signed with `nsec` or `nsec3`"
                ));
            }
        };
        let is_alias = |record: &RData| matches!(record, RData::CNAME(_));
        if self.records.iter().any(is_alias) {
            return Err(CNAME_AT_TOP.to_owned());
        }
        self.signed = Some(signed);
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "every statement ends in it")]
    fn add(&mut self, record: RData) -> Parsed<()> {
        self.records.push(record);
        Ok(())
    }
}

/// A TXT record holds strings of at most 255 octets.
fn text_record(text: &str) -> Parsed<TXT> {
    let text = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    let octets = octets(text)?;
    Ok(TXT::from_bytes(octets.chunks(255).collect()))
}
