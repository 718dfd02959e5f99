//! Verification by TLSA records: DANE for SMTP (RFC 7672), on the rules of RFC 6698 and RFC 7671.

use crate::route::{HostName, Tlsa};
use ring::digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// Accepts a server whose certificate one of the records vouches for.
#[derive(Debug)]
pub(super) struct DaneVerifier {
    tlsa: Vec<Tlsa>,
    names: Vec<ServerName<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl DaneVerifier {
    pub(super) fn new(tlsa: &[Tlsa], names: &[HostName], algorithms: WebPkiSupportedAlgorithms) -> Self {
        let names = names
            .iter()
            .filter_map(|name| ServerName::try_from(name.as_ascii().to_owned()).ok())
            .collect();
        Self {
            tlsa: tlsa.to_vec(),
            names,
            algorithms,
        }
    }

    // https://www.rfc-editor.org/rfc/rfc7672#section-3.1.1
    // > the certificate presented by the server [...] SMTP client MUST NOT check the certificate's name or its
    // > expiration date: "the validity period of the TLSA record" and the name of its owner take their place.
    fn is_end_entity(record: &Tlsa, end_entity: &CertificateDer<'_>) -> bool {
        record.usage == 3 && matches(record, end_entity)
    }

    // https://www.rfc-editor.org/rfc/rfc7672#section-3.1.2
    // > the TLSA record publishes the digest of [...] a trust anchor [which] MUST be included in the server's
    // > certificate message
    fn is_anchored(
        &self,
        record: &Tlsa,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> bool {
        record.usage == 2
            && intermediates
                .iter()
                .filter(|certificate| matches(record, certificate))
                .any(|anchor| self.leads_to(anchor, end_entity, intermediates, now))
    }

    /// The path from the server's certificate to the anchor holds, and the certificate carries one of the names.
    fn leads_to(
        &self,
        anchor: &CertificateDer<'_>,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> bool {
        let (Ok(certificate), Ok(anchor)) = (
            EndEntityCert::try_from(end_entity),
            anchor_from_trusted_cert(anchor),
        ) else {
            return false;
        };
        let path = certificate.verify_for_usage(
            self.algorithms.all,
            std::slice::from_ref(&anchor),
            intermediates,
            now,
            KeyUsage::server_auth(),
            None,
            None,
        );
        path.is_ok()
            && self
                .names
                .iter()
                .any(|name| certificate.verify_is_valid_for_subject_name(name).is_ok())
    }
}

/// True when the certificate, or its key, is what the record says (RFC 6698 section 2.1).
fn matches(record: &Tlsa, certificate: &CertificateDer<'_>) -> bool {
    let key;
    let selected: &[u8] = match record.selector {
        0 => certificate,
        1 => match EndEntityCert::try_from(certificate) {
            Ok(certificate) => {
                key = certificate.subject_public_key_info();
                &key
            }
            Err(_) => return false,
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

impl ServerCertVerifier for DaneVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let vouched = self.tlsa.iter().any(|record| {
            Self::is_end_entity(record, end_entity)
                || self.is_anchored(record, end_entity, intermediates, now)
        });
        if vouched {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::General(
                "no TLSA record of the host vouches for it".to_owned(),
            ))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
