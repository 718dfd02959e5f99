//! What hosts show of themselves: certificates by an authority that every sandbox makes for itself.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;

/// Nobody's name: what a certificate with the wrong name is made for.
const OTHER_NAME: &str = "another-name.sandbox";

/// What is good or wrong about a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Quality {
    pub(crate) issuer: Issuer,
    pub(crate) expired: bool,
    pub(crate) wrong_name: bool,
}

/// Who vouches for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Issuer {
    /// The authority of the sandbox.
    #[default]
    Authority,
    /// Nobody else.
    Itself,
    /// An authority that nobody is told of.
    Stranger,
}

/// A certificate that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    pub(crate) names: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) quality: Quality,
}

/// A certificate with what belongs to it.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The certificate itself, then its issuer's, if that is another one.
    pub(crate) chain: Vec<Link>,
    key: PrivatePkcs8KeyDer<'static>,
}

/// One certificate of a chain.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) certificate: CertificateDer<'static>,
    /// `SubjectPublicKeyInfo`, in DER.
    pub(crate) public_key: Vec<u8>,
}

impl Identity {
    /// What a TLS server needs that shows this certificate.
    ///
    /// # Errors
    /// Those of rustls, which fits none of the certificates made here.
    pub(crate) fn server(&self, versions: Versions) -> io::Result<Arc<ServerConfig>> {
        let versions: &[_] = match versions {
            Versions::All => &[&rustls::version::TLS13, &rustls::version::TLS12],
            Versions::Tls12 => &[&rustls::version::TLS12],
        };
        let chain = self.chain.iter().map(|link| link.certificate.clone()).collect();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .and_then(|config| {
                config
                    .with_no_client_auth()
                    .with_single_cert(chain, PrivateKeyDer::from(self.key.clone_key()))
            })
            .map_err(io::Error::other)?;
        // Who resumes a session looks at no certificate, and here each connection shall show its own.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }
}

/// The versions of TLS that a host speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Versions {
    #[default]
    All,
    Tls12,
}

/// Makes certificates, each once.
pub(crate) struct Authority {
    own: CertifiedIssuer<'static, KeyPair>,
    stranger: CertifiedIssuer<'static, KeyPair>,
    pem: String,
    made: Mutex<HashMap<Wanted, Arc<Identity>>>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// # Errors
    /// When the system gives no random numbers.
    pub(crate) fn new() -> io::Result<Self> {
        let own = issuer("map-sandbox, the authority of a test double")?;
        let stranger = issuer("map-sandbox, an authority that nobody trusts")?;
        Ok(Self {
            pem: own.pem(),
            own,
            stranger,
            made: Mutex::default(),
        })
    }

    /// The authority's own certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// The same certificate for the same wish, so that no key changes with the world.
    ///
    /// # Errors
    /// A name that fits in no certificate.
    pub(crate) fn identity(&self, wanted: &Wanted) -> io::Result<Arc<Identity>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(identity) = made.get(wanted) {
            return Ok(Arc::clone(identity));
        }
        let identity = Arc::new(self.make(wanted).map_err(io::Error::other)?);
        made.insert(wanted.clone(), Arc::clone(&identity));
        Ok(identity)
    }

    fn make(&self, wanted: &Wanted) -> Result<Identity, rcgen::Error> {
        let (names, addresses) = if wanted.quality.wrong_name {
            (vec![OTHER_NAME.to_owned()], [].as_slice())
        } else {
            (wanted.names.clone(), wanted.addresses.as_slice())
        };
        let mut params = CertificateParams::new(names.clone())?;
        params
            .subject_alt_names
            .extend(addresses.iter().copied().map(SanType::IpAddress));
        params.distinguished_name = common_name(names.first().map_or("", String::as_str));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        if wanted.quality.expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate()?;
        let (certificate, issuer) = match wanted.quality.issuer {
            Issuer::Authority => (params.signed_by(&key, &self.own)?, Some(&self.own)),
            Issuer::Itself => (params.self_signed(&key)?, None),
            Issuer::Stranger => (params.signed_by(&key, &self.stranger)?, Some(&self.stranger)),
        };
        let mut chain = vec![Link {
            certificate: certificate.der().clone(),
            public_key: key.subject_public_key_info(),
        }];
        // A root is sent as well, or TLSA records of usage 2 could not be matched:
        // https://www.rfc-editor.org/rfc/rfc7672#section-3.1.2
        chain.extend(issuer.map(|issuer| Link {
            certificate: issuer.der().clone(),
            public_key: issuer.key().subject_public_key_info(),
        }));
        Ok(Identity {
            chain,
            key: PrivatePkcs8KeyDer::from(key.serialize_der()),
        })
    }
}

fn issuer(name: &str) -> io::Result<CertifiedIssuer<'static, KeyPair>> {
    let make = || {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.distinguished_name = common_name(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        CertifiedIssuer::self_signed(params, KeyPair::generate()?)
    };
    make().map_err(|error: rcgen::Error| io::Error::other(error))
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}
