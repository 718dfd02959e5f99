//! TLSA records, made from the certificates that hosts show.

use std::collections::HashMap;
use std::io;

use hickory_server::proto::rr::rdata::TLSA;
use hickory_server::proto::rr::{LowerName, RData};
use ring::digest;

use crate::certificates::{Authority, Identity};
use crate::world::{Entry, Host, Shown, TlsHow, Tlsa, TlsaData, World};

/// The port of mail, at which TLSA records are looked for: <https://www.rfc-editor.org/rfc/rfc7672#section-2.2.3>
const SMTP: u16 = 25;

/// Adds the records to the names they stand under.
///
/// # Errors
/// When a certificate cannot be made.
pub(crate) fn publish(
    world: &World,
    authority: &Authority,
    smtp_port: u16,
    names: &mut HashMap<LowerName, Entry>,
) -> io::Result<()> {
    for tlsa in &world.tlsa {
        let data = match &tlsa.data {
            TlsaData::Octets(octets) => octets.clone(),
            TlsaData::Of { host, wrong } => {
                let Some(host) = world.host(host) else { continue };
                let mut data = association(tlsa, &*identity(host, authority)?);
                if *wrong && let Some(octet) = data.last_mut() {
                    *octet ^= 1;
                }
                data
            }
        };
        let record = RData::TLSA(TLSA::new(
            tlsa.usage.into(),
            tlsa.selector.into(),
            tlsa.matching_type.into(),
            data,
        ));
        let ttl = names.get(&tlsa.owner).map_or(0, |entry| entry.ttl);
        for name in places(tlsa, smtp_port)? {
            let entry = names.entry(name).or_insert_with(|| Entry { ttl, ..Entry::new() });
            entry.records.push(record.clone());
        }
    }
    Ok(())
}

/// Where a record stands: at the service below a host, or just where the script wrote it.
fn places(tlsa: &Tlsa, smtp_port: u16) -> io::Result<Vec<LowerName>> {
    let is_service = tlsa
        .owner
        .iter()
        .next()
        .is_some_and(|label| label.starts_with(b"_") || label == b"*");
    if is_service {
        return Ok(vec![tlsa.owner.clone()]);
    }
    let ports = match tlsa.port {
        Some(port) => vec![port],
        None => vec![SMTP, smtp_port],
    };
    let name = |port| {
        let name = tlsa
            .owner
            .prepend_label("_tcp")?
            .prepend_label(format!("_{port}"))?;
        Ok(LowerName::new(&name))
    };
    ports
        .into_iter()
        .map(name)
        .collect::<Result<_, _>>()
        .map_err(|error: hickory_server::proto::ProtoError| io::Error::other(error))
}

/// What the host shows, or would show if it did TLS.
fn identity(host: &Host, authority: &Authority) -> io::Result<std::sync::Arc<Identity>> {
    let shown = host.tls.iter().find_map(|tls| match &tls.how {
        TlsHow::Session(shown) => Some(shown.clone()),
        TlsHow::Fault(_) => None,
    });
    authority.identity(&host.wanted(&shown.unwrap_or_else(Shown::default)))
}

/// <https://www.rfc-editor.org/rfc/rfc6698#section-2.1>
fn association(tlsa: &Tlsa, identity: &Identity) -> Vec<u8> {
    // 0 and 2 are about the issuer, which is the last of the chain.
    let link = match tlsa.usage {
        0 | 2 => identity.chain.last(),
        _ => identity.chain.first(),
    };
    let Some(link) = link else {
        return Vec::new();
    };
    let selected = match tlsa.selector {
        1 => link.public_key.as_slice(),
        _ => &link.certificate,
    };
    match tlsa.matching_type {
        0 => selected.to_vec(),
        2 => digest::digest(&digest::SHA512, selected).as_ref().to_vec(),
        _ => digest::digest(&digest::SHA256, selected).as_ref().to_vec(),
    }
}
