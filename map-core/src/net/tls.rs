//! TLS over a transport: what is verified, by which rule, and what came of it.
//!
//! Direct to an MX host the certificate is not verified unless a policy asks for it (RFC 3207, RFC 7435: some
//! protection against listening beats none); DANE verifies by the DNS (`dane`), MTA-STS and relays by the platform's
//! certificate authorities (`pkix`). TLS 1.2 at least; SNI for names, and none for IP addresses, which RFC 6066
//! section 3 does not allow there.
//!
//! Sessions are never resumed. A mail host is met once in a while, so nothing would be gained, and a session that was
//! made under one rule must not be taken for verified under another.

mod dane;
mod diagnosis;
mod pkix;
mod session;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
mod verifier;
mod x509;

#[cfg(fuzzing)]
#[doc(hidden)]
pub use x509::read_all_of_a_certificate;

use super::{Transport, blocking};
use crate::route::{HostName, Tlsa};
use crate::text::quoted;
use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion};
use std::fmt;
use std::io;
use std::sync::Arc;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use verifier::{Rule, Verifier};

/// How a server's certificate is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// By TLSA records (RFC 7672).
    Dane {
        /// The usable records; at least one.
        tlsa: Vec<Tlsa>,
        /// The names of which a certificate under a trust anchor must carry one (RFC 7672 section 3.2.2).
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
    /// Where it was only observed ([`Verification::PkixObserved`]), why certificate authorities would have refused it.
    pub problem: Option<String>,
}

/// Why there is no TLS session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The name is none that a certificate can carry.
    #[error("{} is not a name that TLS can ask for", quoted(.0))]
    BadName(String),
    /// The server's certificate is not what the policy demands, and why: `is self-signed`, `expired on 2026-01-02`. Its
    /// operator, or who published the policy, can mend it.
    #[error("its certificate {0}")]
    Certificate(String),
    /// The handshake failed for another reason: no common version or cipher suite, an alert, an answer in the clear.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    /// The connection was lost in the handshake.
    #[error("the connection was lost in the TLS handshake: {0}")]
    Lost(#[source] io::Error),
    /// There are no certificate authorities to verify by: those of the platform were switched off, and no others given.
    #[error("no certificate authorities to verify by: {0}")]
    NoRoots(String),
}

/// What all TLS sessions of an agent share. Cheap to clone; clones share the platform's certificate authorities, which
/// are read once, when they are first asked.
#[derive(Clone)]
pub struct TlsSettings {
    provider: Arc<CryptoProvider>,
    extra_roots: Arc<[CertificateDer<'static>]>,
    platform_roots: bool,
    authorities: Arc<OnceCell<Arc<dyn ServerCertVerifier>>>,
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
            authorities: Arc::default(),
        }
    }
}

impl TlsSettings {
    /// The platform's certificate authorities and these. A server's own certificate among them is trusted as it is,
    /// for the names in it and until it expires.
    #[must_use]
    pub fn with_extra_roots(mut self, roots: Vec<CertificateDer<'static>>) -> Self {
        self.extra_roots = roots.into();
        self.authorities = Arc::default();
        self
    }

    /// Only the extra certificate authorities count.
    #[must_use]
    pub fn without_platform_roots(mut self) -> Self {
        self.platform_roots = false;
        self.authorities = Arc::default();
        self
    }

    fn config(&self, verifier: Arc<Verifier>) -> Result<ClientConfig, TlsError> {
        // https://www.rfc-editor.org/rfc/rfc8996#section-5: TLS 1.0 and 1.1 must not be used. rustls knows neither.
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Handshake(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    async fn verifier(&self, verification: &Verification, server_name: &str) -> Result<Verifier, TlsError> {
        let algorithms = self.provider.signature_verification_algorithms;
        let (rule, binds) = match verification {
            Verification::Dane { tlsa, names } => {
                (Rule::Dane(dane::Dane::new(tlsa, names, algorithms)), true)
            }
            Verification::Pkix => (self.authorities().await?, true),
            Verification::PkixObserved => match self.authorities().await {
                Ok(rule) => (rule, false),
                Err(error) => (Rule::Unknown(error.to_string()), false),
            },
            Verification::Unverified => (Rule::Nothing, false),
        };
        Ok(Verifier::new(rule, binds, server_name, algorithms))
    }

    async fn authorities(&self) -> Result<Rule, TlsError> {
        let verifier = self.authorities.get_or_try_init(|| async {
            let (provider, extra_roots) = (Arc::clone(&self.provider), Arc::clone(&self.extra_roots));
            let platform_roots = self.platform_roots;
            // It reads files: on another thread, so that a cancel is heard meanwhile.
            let verifier = blocking::start(move || pkix::verifier(&provider, &extra_roots, platform_roots));
            verifier
                .map_err(|error| TlsError::NoRoots(error.to_string()))?
                .await
                .map_err(|error| TlsError::NoRoots(error.to_string()))?
        });
        Ok(Rule::Authorities {
            verifier: Arc::clone(verifier.await?),
            extra_roots: Arc::clone(&self.extra_roots),
        })
    }
}

/// Makes a TLS session over `transport`. The caller sets the time limit.
///
/// What is written to the session counts as taken before it was sent: flush it.
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
    let verifier = Arc::new(settings.verifier(verification, server_name).await?);
    let config = settings.config(Arc::clone(&verifier))?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, transport)
        .await
        .map_err(|error| blame(error, verifier.refusal()))?;
    let problem = verifier.problem().map(|words| format!("its certificate {words}"));
    let by_which = match (verification, &problem) {
        (Verification::Dane { .. }, _) => Verified::Dane,
        (Verification::Pkix, _) | (Verification::PkixObserved, None) => Verified::Pkix,
        (Verification::PkixObserved, Some(_)) | (Verification::Unverified, _) => Verified::No,
    };
    let facts = facts(stream.get_ref().1, by_which, problem);
    Ok((Box::new(session::TlsTransport::new(stream)), facts))
}

fn facts(session: &ClientConnection, verified: Verified, problem: Option<String>) -> TlsFacts {
    TlsFacts {
        version: match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        },
        cipher_suite: session
            .negotiated_cipher_suite()
            .and_then(|suite| suite.suite().as_str())
            .unwrap_or("unknown")
            .replace("TLS13_", "TLS_"),
        verified,
        problem,
    }
}

/// rustls tells its own errors through `io::Error`; what remains is the system's. `refusal` is the verifier's.
fn blame(error: io::Error, refusal: Option<&str>) -> TlsError {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match (cause, refusal) {
        (None, _) if error.kind() == io::ErrorKind::UnexpectedEof => {
            TlsError::Lost(io::Error::new(error.kind(), "the server closed it"))
        }
        (None, _) => TlsError::Lost(error),
        (Some(_), Some(words)) => TlsError::Certificate(words.to_owned()),
        (Some(cause), None) => TlsError::Handshake(diagnosis::of_handshake(cause)),
    }
}
