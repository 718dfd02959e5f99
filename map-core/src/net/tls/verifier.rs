//! The verifier of one handshake.

use super::dane::{Dane, Shown};
use super::diagnosis;
use super::x509::Certificate;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme};
use std::sync::{Arc, OnceLock};
use webpki::RawPublicKeyEntity;

/// Judges by one rule, and remembers in words what is wrong.
#[derive(Debug)]
pub(super) struct Verifier {
    rule: Rule,
    /// A session is made only where the judgement is good.
    binds: bool,
    /// The server's name, for words.
    server_name: String,
    algorithms: WebPkiSupportedAlgorithms,
    problem: OnceLock<String>,
}

/// What is judged by.
#[derive(Debug)]
pub(super) enum Rule {
    /// Certificate authorities, and certificates of servers that are trusted as such.
    Authorities {
        verifier: Arc<dyn ServerCertVerifier>,
        extra_roots: Arc<[CertificateDer<'static>]>,
    },
    Dane(Dane),
    /// Who answers is not known, so a signature of theirs proves nothing, either: a server whose certificate nobody
    /// can read still gets an encrypted channel.
    Nothing,
    /// There is nothing to judge by, and why.
    Unknown(String),
}

/// How many of the certificates that a server shows besides its own are looked at. A chain has two or three.
pub(super) const MAX_INTERMEDIATES: usize = 16;
/// And how many of them that are of one name. An authority whose key is changed, or that another one vouches for, has two.
const MAX_OF_ONE_NAME: usize = 3;

/// Signature schemes that cannot be verified here, for sessions where nothing hangs on it: a server that has only such
/// a key would refuse the handshake if they were not offered.
const UNVERIFIABLE: [SignatureScheme; 2] = [SignatureScheme::ECDSA_NISTP521_SHA512, SignatureScheme::ED448];

impl Verifier {
    pub(super) fn new(
        rule: Rule,
        binds: bool,
        server_name: &str,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        Self {
            rule,
            binds,
            server_name: server_name.to_owned(),
            algorithms,
            problem: OnceLock::new(),
        }
    }

    /// What is wrong with the certificate that was shown, after "its certificate".
    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.get().map(String::as_str)
    }

    /// The same, if it was why the handshake ended.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.problem().filter(|_| self.binds)
    }

    fn judge(
        &self,
        shown: Shown<'_>,
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
    ) -> Result<(), Judgement> {
        match &self.rule {
            Rule::Authorities {
                verifier,
                extra_roots,
            } => {
                let Shown {
                    end_entity,
                    intermediates,
                    now,
                } = shown;
                let judged =
                    verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
                match judged {
                    Ok(_) => Ok(()),
                    Err(_) if extra_roots.contains(end_entity) => {
                        judge_pinned(shown, server_name, &self.server_name)
                    }
                    Err(error) => Err(Judgement {
                        words: diagnosis::of_certificate(
                            &error,
                            end_entity,
                            intermediates,
                            &self.server_name,
                        ),
                        error,
                    }),
                }
            }
            Rule::Dane(dane) => dane.judge(shown).map_err(|words| Judgement {
                words,
                error: CertificateError::ApplicationVerificationFailure.into(),
            }),
            Rule::Nothing => Ok(()),
            Rule::Unknown(why) => Err(Judgement {
                words: format!("cannot be judged: {why}"),
                error: CertificateError::UnknownIssuer.into(),
            }),
        }
    }

    /// Keeps the words, and lets only what binds end the handshake.
    fn conclude<T>(&self, judged: Result<(), Judgement>, good: T) -> Result<T, Error> {
        match judged {
            Ok(()) => Ok(good),
            Err(judgement) => {
                // The first problem is the one to mend.
                let _ = self.problem.set(judgement.words);
                if self.binds {
                    Err(judgement.error)
                } else {
                    Ok(good)
                }
            }
        }
    }

    fn conclude_signature(
        &self,
        certificate: &CertificateDer<'_>,
        verified: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        let judged = match verified {
            Ok(_) => Ok(()),
            Err(error) => Err(Judgement {
                words: diagnosis::of_signature(&error, certificate),
                error,
            }),
        };
        self.conclude(judged, HandshakeSignatureValid::assertion())
    }

    /// Verifies with a key alone. TLS 1.2 does not say which curve a scheme means, so several may be tried.
    fn verify_tls12_with_bare_key(
        &self,
        message: &[u8],
        key: &SubjectPublicKeyInfoDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = RawPublicKeyEntity::try_from(key).map_err(|_| CertificateError::BadEncoding)?;
        let known = self
            .algorithms
            .mapping
            .iter()
            .find(|(scheme, _)| *scheme == signature.scheme);
        let mut last = Error::from(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme);
        for &algorithm in known.map(|(_, algorithms)| *algorithms).unwrap_or_default() {
            match key.verify_signature(algorithm, message, signature.signature()) {
                Ok(()) => return Ok(HandshakeSignatureValid::assertion()),
                Err(webpki::Error::InvalidSignatureForPublicKey) => {
                    return Err(CertificateError::BadSignature.into());
                }
                Err(error) => last = Error::General(error.to_string()),
            }
        }
        Err(last)
    }
}

/// The key of a certificate that rustls cannot read.
fn bare_key<'a>(certificate: &'a CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'a>> {
    if ParsedCertificate::try_from(certificate).is_ok() {
        return None;
    }
    Certificate::read(certificate).map(|read| SubjectPublicKeyInfoDer::from(read.key))
}

/// Those of the certificates that a server shows besides its own among which a path is looked for.
///
/// All this happens in the agent's one thread, and where each may have issued each, there are as many paths as there are
/// orders to put them in: a search gives up after two hundred thousand steps, which take seconds.
pub(super) fn looked_at<'a>(intermediates: &'a [CertificateDer<'_>]) -> Vec<CertificateDer<'a>> {
    let mut subjects: Vec<&[u8]> = Vec::new();
    let mut looked_at = Vec::new();
    for certificate in intermediates.iter().take(MAX_INTERMEDIATES) {
        // Whether there is such a one that a verifier can read is for it to say.
        let subject = Certificate::read(certificate).map_or(&[][..], |read| read.subject);
        if subjects.iter().filter(|other| **other == subject).count() < MAX_OF_ONE_NAME {
            subjects.push(subject);
            looked_at.push(CertificateDer::from(certificate.as_ref()));
        }
    }
    looked_at
}

/// A judgement that is not good.
struct Judgement {
    words: String,
    /// For rustls, which tells the server by an alert.
    error: Error,
}

/// A server's own certificate is among those that are trusted: name and date remain to be checked.
fn judge_pinned(shown: Shown<'_>, server_name: &ServerName<'_>, expected: &str) -> Result<(), Judgement> {
    let certificate = Certificate::read(shown.end_entity);
    let dates = match &certificate {
        Some(certificate) => diagnosis::judge_dates(certificate, shown.now),
        None => Err(diagnosis::unreadable()),
    };
    dates.map_err(|words| Judgement {
        words,
        error: CertificateError::Expired.into(),
    })?;
    ParsedCertificate::try_from(shown.end_entity)
        .and_then(|parsed| rustls::client::verify_server_name(&parsed, server_name))
        .map_err(|error| Judgement {
            words: diagnosis::of_certificate(&error, shown.end_entity, &[], expected),
            error,
        })
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let intermediates = looked_at(intermediates);
        let shown = Shown {
            end_entity,
            intermediates: &intermediates,
            now,
        };
        let judged = self.judge(shown, server_name, ocsp_response);
        self.conclude(judged, ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = match (&self.rule, bare_key(certificate)) {
            (Rule::Nothing, _) => return Ok(HandshakeSignatureValid::assertion()),
            (_, Some(key)) => self.verify_tls12_with_bare_key(message, &key, signature),
            (_, None) => verify_tls12_signature(message, certificate, signature, &self.algorithms),
        };
        self.conclude_signature(certificate, verified)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = match (&self.rule, bare_key(certificate)) {
            (Rule::Nothing, _) => return Ok(HandshakeSignatureValid::assertion()),
            (_, Some(key)) => verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms),
            (_, None) => verify_tls13_signature(message, certificate, signature, &self.algorithms),
        };
        self.conclude_signature(certificate, verified)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.algorithms.supported_schemes();
        if !self.binds {
            schemes.extend(UNVERIFIABLE);
        }
        schemes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    /// Certificates of authorities, each with a key of its own, one of which has issued the one after it.
    fn authorities(names: impl Iterator<Item = String>) -> Vec<CertificateDer<'static>> {
        let mut certificates = Vec::new();
        let mut issuer: Option<Issuer<'static, KeyPair>> = None;
        for name in names {
            let key = KeyPair::generate().expect("a key");
            let mut parameters = CertificateParams::default();
            parameters.distinguished_name.push(DnType::CommonName, name);
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let certificate = match &issuer {
                Some(issuer) => parameters.signed_by(&key, issuer),
                None => parameters.self_signed(&key),
            };
            certificates.push(certificate.expect("a certificate").der().clone());
            issuer = Some(Issuer::new(parameters, key));
        }
        certificates
    }

    #[test]
    fn few_of_one_name_and_few_in_all_are_looked_at() {
        let of_one_name = authorities((0..100).map(|_| "Any CA".to_owned()));
        assert_eq!(looked_at(&of_one_name), of_one_name[..MAX_OF_ONE_NAME]);
        let different = authorities((0..100).map(|number| format!("CA {number}")));
        assert_eq!(looked_at(&different), different[..MAX_INTERMEDIATES]);
        let nonsense = vec![CertificateDer::from(vec![0x30, 0]); 100];
        assert_eq!(looked_at(&nonsense).len(), MAX_OF_ONE_NAME);
    }

    /// Where each may have issued each, a search through ten of them takes seconds, and is given up.
    #[test]
    fn a_search_for_a_path_comes_to_its_end() {
        let intermediates = authorities((0..20).map(|_| "Any CA".to_owned()));
        let issuer = {
            let mut parameters = CertificateParams::default();
            parameters.distinguished_name.push(DnType::CommonName, "Any CA");
            Issuer::new(parameters, KeyPair::generate().expect("a key"))
        };
        let host = CertificateParams::new(vec!["mx.example".to_owned()]).expect("parameters");
        let end_entity = host
            .signed_by(&KeyPair::generate().expect("a key"), &issuer)
            .expect("a certificate");
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(authorities(std::iter::once("Root".to_owned())).remove(0))
            .expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let authorities =
            rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let rule = Rule::Authorities {
            verifier: authorities.build().expect("a verifier"),
            extra_roots: Arc::new([]),
        };
        let verifier = Verifier::new(
            rule,
            true,
            "mx.example",
            provider.signature_verification_algorithms,
        );
        let name = ServerName::try_from("mx.example").expect("a name");
        let judged =
            verifier.verify_server_cert(end_entity.der(), &intermediates, &name, &[], UnixTime::now());
        assert_eq!(
            judged.err(),
            Some(Error::InvalidCertificate(CertificateError::UnknownIssuer))
        );
    }
}
