//! Judgement by TLSA records: DANE for SMTP (RFC 7672), on the rules of RFC 6698 and RFC 7671.

use super::diagnosis;
use super::x509::{self, Certificate};
use crate::route::{HostName, Tlsa};
use ring::digest;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, Der, TrustAnchor, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use webpki::anchor_from_trusted_cert;

/// How many anchors a path is looked for to. A host has one record of usage 2 as a rule, or two while it changes.
const MAX_ANCHORS: usize = 32;

/// What the DNS says of a server.
#[derive(Debug)]
pub(super) struct Dane {
    tlsa: Vec<Tlsa>,
    names: Vec<HostName>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// What a server showed as far as it is looked at, and when.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) end_entity: &'a CertificateDer<'a>,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    pub(super) now: UnixTime,
}

impl Dane {
    pub(super) fn new(tlsa: &[Tlsa], names: &[HostName], algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self {
            tlsa: tlsa.to_vec(),
            names: names.to_vec(),
            algorithms,
        }
    }

    /// One record that vouches for the server is enough.
    ///
    /// All anchors are looked for by one search, which gives up after so many signatures: one search for each record
    /// and each certificate would let a hostile host, with a zone of its own, keep this machine busy for minutes.
    ///
    /// # Errors
    /// Why none does, as a person should read it after "its certificate".
    pub(super) fn judge(&self, shown: Shown<'_>) -> Result<(), String> {
        // https://www.rfc-editor.org/rfc/rfc7672#section-3.1.1: neither the names in the certificate nor its dates
        // count. The record binds the key to the host, as long as its signature in the DNS is valid.
        if self.of_usage(3).any(|record| matches(record, shown.end_entity)) {
            return Ok(());
        }
        let (itself, others): (Vec<&Tlsa>, Vec<&Tlsa>) = self
            .of_usage(2)
            .partition(|record| matches(record, shown.end_entity));
        let as_anchor = (!itself.is_empty()).then(|| self.judge_as_anchor(shown));
        if let Some(Ok(())) = as_anchor {
            return Ok(());
        }
        self.judge_path(anchors(&others, shown), shown)
            .or(as_anchor)
            .unwrap_or_else(|| Err("fits none of the TLSA records of the host".to_owned()))
    }

    fn of_usage(&self, usage: u8) -> impl Iterator<Item = &Tlsa> {
        self.tlsa.iter().filter(move |record| record.usage == usage)
    }

    /// The server shows the anchor itself: the path is empty, and what would be checked of its end remains.
    fn judge_as_anchor(&self, shown: Shown<'_>) -> Result<(), String> {
        let certificate = Certificate::read(shown.end_entity).ok_or_else(diagnosis::unreadable)?;
        diagnosis::judge_dates(&certificate, shown.now)?;
        self.judge_names(&certificate)
    }

    /// What the path from the server's certificate to one of the anchors is worth; `None` if there is none.
    fn judge_path(&self, anchors: Vec<TrustAnchor<'static>>, shown: Shown<'_>) -> Option<Result<(), String>> {
        // Without an anchor to look for, what else is wrong with the certificate is nobody's concern.
        if anchors.is_empty() {
            return None;
        }
        let roots = RootCertStore { roots: anchors };
        let path = ParsedCertificate::try_from(shown.end_entity).and_then(|parsed| {
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                &roots,
                shown.intermediates,
                shown.now,
                self.algorithms.all,
            )
        });
        match path {
            Ok(()) => {
                let certificate = Certificate::read(shown.end_entity).ok_or_else(diagnosis::unreadable);
                Some(certificate.and_then(|certificate| self.judge_names(&certificate)))
            }
            Err(Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            )) => None,
            Err(error) => Some(Err(diagnosis::of_certificate(
                &error,
                shown.end_entity,
                shown.intermediates,
                "",
            ))),
        }
    }

    // https://www.rfc-editor.org/rfc/rfc7672#section-3.2.3: the certificate must carry one of the names that the DNS
    // vouches for, as a `dNSName` or, where it has none, as its common name.
    fn judge_names(&self, certificate: &Certificate<'_>) -> Result<(), String> {
        let presented = certificate.host_names();
        let is_one_of_ours =
            |presented: &String| self.names.iter().any(|name| covers(presented, name.as_ascii()));
        if presented.iter().any(is_one_of_ours) {
            return Ok(());
        }
        let expected: Vec<&str> = self.names.iter().map(HostName::as_ascii).collect();
        Err(diagnosis::wrong_name(certificate, &expected.join(" or ")))
    }
}

/// A name in a certificate is this host's, or a wildcard for it: `*` as the whole first label, for one label.
fn covers(presented: &str, host: &str) -> bool {
    match presented.strip_prefix("*.") {
        Some(parent) => host
            .split_once('.')
            .is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)),
        None => presented.eq_ignore_ascii_case(host),
    }
}

/// The anchors that records of usage 2 name, each once, and no more than [`MAX_ANCHORS`].
fn anchors(records: &[&Tlsa], shown: Shown<'_>) -> Vec<TrustAnchor<'static>> {
    let mut anchors = Vec::new();
    for record in records {
        for anchor in anchors_of(record, shown) {
            if anchors.len() == MAX_ANCHORS {
                return anchors;
            }
            if !anchors.contains(&anchor) {
                anchors.push(anchor);
            }
        }
    }
    anchors
}

/// The anchors that a record of usage 2 names.
///
/// One that only its digest is known of must be shown by the server. One that is in the record whole need not be
/// (RFC 7671 section 5.2), be it a certificate or a bare key. A key has no name that a path could end in, so it stands
/// in for every issuer in the chain: its signature decides.
fn anchors_of(record: &Tlsa, shown: Shown<'_>) -> Vec<TrustAnchor<'static>> {
    let shown_anchors = shown
        .intermediates
        .iter()
        .filter(|certificate| matches(record, certificate))
        .filter_map(|certificate| anchor_from_trusted_cert(certificate).ok())
        .map(|anchor| anchor.to_owned());
    let mut anchors: Vec<TrustAnchor<'static>> = shown_anchors.collect();
    match (record.matching_type, record.selector) {
        (0, 0) => {
            let certificate = CertificateDer::from(record.data.as_slice());
            anchors.extend(anchor_from_trusted_cert(&certificate).map(|anchor| anchor.to_owned()));
        }
        (0, 1) => {
            let key = x509::contents(&record.data).unwrap_or_default();
            let issuers = std::iter::once(shown.end_entity)
                .chain(shown.intermediates)
                .filter_map(|certificate| Certificate::read(certificate).map(|read| read.issuer));
            anchors.extend(issuers.map(|issuer| TrustAnchor {
                subject: Der::from(issuer.to_vec()),
                subject_public_key_info: Der::from(key.to_vec()),
                name_constraints: None,
            }));
        }
        _ => {}
    }
    anchors
}

/// True when the certificate, or its key, is what the record says (RFC 6698 section 2.1).
fn matches(record: &Tlsa, certificate: &CertificateDer<'_>) -> bool {
    let selected: &[u8] = match record.selector {
        0 => certificate,
        1 => match Certificate::read(certificate) {
            Some(certificate) => certificate.key,
            None => return false,
        },
        _ => return false,
    };
    match record.matching_type {
        0 => selected == record.data,
        1 => digest::digest(&digest::SHA256, selected).as_ref() == record.data,
        2 => digest::digest(&digest::SHA512, selected).as_ref() == record.data,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
