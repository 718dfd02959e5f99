//! The certificate authorities that are trusted.

use super::TlsError;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls_platform_verifier::Verifier;
use std::sync::Arc;

/// The platform's own judgement with extra roots; the roots of Mozilla where the platform has none to offer.
///
/// Reads the platform's certificates from files.
///
/// # Errors
/// There are none.
pub(super) fn verifier(
    provider: &Arc<CryptoProvider>,
    extra_roots: &[CertificateDer<'static>],
    platform_roots: bool,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    if platform_roots && let Some(verifier) = platform(provider, extra_roots) {
        return Ok(Arc::new(verifier));
    }
    let mut roots = RootCertStore::empty();
    if platform_roots {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for root in extra_roots {
        roots
            .add(root.clone())
            .map_err(|error| TlsError::NoRoots(error.to_string()))?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| TlsError::NoRoots(error.to_string()))?;
    Ok(verifier)
}

/// `None` where the platform has nothing to judge by.
fn platform(provider: &Arc<CryptoProvider>, extra_roots: &[CertificateDer<'static>]) -> Option<Verifier> {
    // Asked alone first: with roots of our own beside it, an empty store of the platform's looks like a full one.
    let alone = Verifier::new(Arc::clone(provider)).ok()?;
    if extra_roots.is_empty() {
        return Some(alone);
    }
    Verifier::new_with_extra_roots(extra_roots.iter().cloned(), Arc::clone(provider)).ok()
}
