//! TLS over a transport: what is verified, by which rule, and what came of it.
//!
//! Direct to an MX host the certificate is not verified unless a policy asks for it (RFC 3207, RFC 7435: some
//! protection against listening beats none); DANE verifies by the DNS (`dane`), MTA-STS and relays by the platform's
//! certificate authorities (`pkix`). TLS 1.2 at least, SNI always.

mod dane;
mod pkix;
mod session;
#[cfg(test)]
mod tests;

use super::Transport;
use crate::route::{HostName, Tlsa};
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ProtocolVersion};
use std::fmt;
use std::io;
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// How a server's certificate is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// By TLSA records (RFC 7672).
    Dane {
        /// The usable records; at least one.
        tlsa: Vec<Tlsa>,
        /// The names of which a certificate under a trust anchor must carry one (RFC 7672 section 3.2.3).
        names: Vec<HostName>,
    },
    /// By certificate authorities, for the server's name.
    Pkix,
    /// The same, and whatever the judgement is, the session is made (MTA-STS, mode `testing`).
    PkixObserved,
    /// Not at all.
    Unverified,
}

/// What a conversation makes a TLS session of its transport by.
#[derive(Clone, Debug)]
pub struct TlsPeer {
    /// The name that the server is asked for (SNI), and that its certificate must carry where that is verified by
    /// certificate authorities.
    pub server_name: String,
    /// How its certificate is verified.
    pub verification: Verification,
    /// What all sessions share.
    pub settings: TlsSettings,
}

/// How a session was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verified {
    /// By TLSA records.
    Dane,
    /// Not at all.
    No,
    /// By certificate authorities.
    Pkix,
}

impl Verified {
    /// `dane`, `none`, `pkix`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dane => "dane",
            Self::No => "none",
            Self::Pkix => "pkix",
        }
    }
}

/// What is known of a TLS session, for the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// The cipher suite as IANA names it.
    pub cipher_suite: String,
    /// How the certificate was verified.
    pub verified: Verified,
}

/// Why there is no TLS session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The name is none that a certificate can carry.
    #[error("{0:?} is not a name that TLS can ask for")]
    BadName(String),
    /// The server's certificate is not what the policy demands.
    #[error("its certificate does not fit: {0}")]
    Certificate(String),
    /// The handshake failed for another reason: no common version or cipher suite, an alert, nonsense.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    /// The connection was lost in the handshake.
    #[error("the connection was lost in the TLS handshake: {0}")]
    Lost(#[source] io::Error),
    /// This machine has no certificate authorities to verify by.
    #[error("no certificate authorities to verify by: {0}")]
    NoRoots(String),
}

/// What all TLS sessions of an agent share. Cheap to clone.
#[derive(Clone)]
pub struct TlsSettings {
    provider: Arc<CryptoProvider>,
    extra_roots: Arc<[CertificateDer<'static>]>,
    platform_roots: bool,
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSettings")
            .field("extra_roots", &self.extra_roots.len())
            .field("platform_roots", &self.platform_roots)
            .finish_non_exhaustive()
    }
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            extra_roots: Arc::new([]),
            platform_roots: true,
        }
    }
}

impl TlsSettings {
    /// The platform's certificate authorities and these.
    #[must_use]
    pub fn with_extra_roots(mut self, roots: Vec<CertificateDer<'static>>) -> Self {
        self.extra_roots = roots.into();
        self
    }

    /// Only the extra certificate authorities count.
    #[must_use]
    pub fn without_platform_roots(mut self) -> Self {
        self.platform_roots = false;
        self
    }

    fn config(&self, verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, TlsError> {
        // https://www.rfc-editor.org/rfc/rfc8996#section-5
        // > TLS 1.1 MUST NOT be used. (The versions of rustls begin with 1.2.)
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Handshake(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(config)
    }

    fn verifier(&self, verification: &Verification) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
        let algorithms = self.provider.signature_verification_algorithms;
        Ok(match verification {
            Verification::Dane { tlsa, names } => Arc::new(dane::DaneVerifier::new(tlsa, names, algorithms)),
            Verification::Pkix => pkix::verifier(&self.provider, &self.extra_roots, self.platform_roots)?,
            Verification::PkixObserved | Verification::Unverified => {
                Arc::new(pkix::AcceptAny::new(algorithms))
            }
        })
    }
}

impl Verification {
    fn when_it_holds(&self) -> Verified {
        match self {
            Self::Dane { .. } => Verified::Dane,
            Self::Pkix => Verified::Pkix,
            Self::PkixObserved | Self::Unverified => Verified::No,
        }
    }
}

/// Makes a TLS session over `transport`. The caller sets the time limit.
///
/// # Errors
/// Why there is none; the transport is gone then.
pub async fn handshake(
    transport: Box<dyn Transport>,
    server_name: &str,
    verification: &Verification,
    settings: &TlsSettings,
) -> Result<(Box<dyn Transport>, TlsFacts), TlsError> {
    let name = ServerName::try_from(server_name.to_owned())
        .map_err(|_| TlsError::BadName(server_name.to_owned()))?;
    let config = settings.config(settings.verifier(verification)?)?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, transport)
        .await
        .map_err(blame)?;
    let (_, session) = stream.get_ref();
    let facts = TlsFacts {
        version: match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        },
        cipher_suite: session
            .negotiated_cipher_suite()
            .and_then(|suite| suite.suite().as_str())
            .unwrap_or("unknown")
            .replace("TLS13_", "TLS_"),
        verified: verification.when_it_holds(),
    };
    Ok((Box::new(session::TlsTransport::new(stream)), facts))
}

/// rustls tells its own errors through `io::Error`; what remains is the system's.
fn blame(error: io::Error) -> TlsError {
    let Some(cause) = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<rustls::Error>())
    else {
        return TlsError::Lost(error);
    };
    match cause {
        rustls::Error::InvalidCertificate(why) => TlsError::Certificate(why.to_string()),
        rustls::Error::General(why) => TlsError::Certificate(why.clone()),
        other => TlsError::Handshake(other.to_string()),
    }
}
