//! The line `tlsa`.

use hickory_server::proto::rr::LowerName;

use super::Parsed;
use crate::world::{Tlsa, TlsaData};

/// `[port N] USAGE SELECTOR MATCHING`, then octets in hexadecimal, or `[wrong] [of HOST]`.
pub(super) fn read(owner: &LowerName, own: Option<&str>, line: usize, rest: &str) -> Parsed<Tlsa> {
    let usage = || "a TLSA record is written `tlsa 3 1 1 of HOST`, or with hexadecimal data".to_owned();
    let mut words: Vec<_> = rest.split_whitespace().collect();
    let mut port = None;
    if let ["port", number, rest @ ..] = words.as_slice() {
        port = Some(number.parse().map_err(|_| format!("`{number}` is no port"))?);
        words = rest.to_vec();
    }
    let [usage_field, selector, matching_type, what @ ..] = words.as_slice() else {
        return Err(usage());
    };
    let number = |text: &str| {
        text.parse()
            .map_err(|_| format!("`{text}` is no number up to 255"))
    };
    let of = |host: &str, wrong| TlsaData::Of {
        host: host.to_owned(),
        wrong,
    };
    let data = match (what, own) {
        ([], Some(own)) => of(own, false),
        (["wrong"], Some(own)) => of(own, true),
        (["of", host], _) => of(host, false),
        (["wrong", "of", host], _) => of(host, true),
        ([hex], _) => TlsaData::Octets(octets(hex).ok_or_else(usage)?),
        _ => return Err(usage()),
    };
    Ok(Tlsa {
        owner: owner.clone(),
        port,
        usage: number(usage_field)?,
        selector: number(selector)?,
        matching_type: number(matching_type)?,
        data,
        line,
    })
}

fn octets(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let octet = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(octet).collect()
}
