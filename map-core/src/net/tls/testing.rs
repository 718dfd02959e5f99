//! TLS servers in memory, with certificates made here.

use super::{TlsPeer, TlsSettings, Verification};
use crate::route::{HostName, Tlsa};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName, DnType, IsCa,
    KeyPair, PublicKeyData, SigningKey, date_time_ymd,
};
use ring::digest;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SignatureScheme, SupportedProtocolVersion};
use std::sync::{Arc, Mutex};
use tokio_rustls::TlsAcceptor;

pub(in crate::net) const HOST: &str = "mx1.example.test";

/// What is in a server's certificate.
#[derive(Clone, Debug)]
pub(in crate::net) struct Contents {
    pub(in crate::net) names: Vec<&'static str>,
    pub(in crate::net) common_name: Option<&'static str>,
    pub(in crate::net) is_authority: bool,
    pub(in crate::net) is_expired: bool,
    /// An extension that is critical and that nobody knows.
    pub(in crate::net) is_odd: bool,
}

impl Contents {
    pub(in crate::net) fn named(name: &'static str) -> Self {
        Self {
            names: vec![name],
            common_name: None,
            is_authority: false,
            is_expired: false,
            is_odd: false,
        }
    }

    pub(in crate::net) fn good() -> Self {
        Self::named(HOST)
    }

    pub(in crate::net) fn common_name_only(name: &'static str) -> Self {
        Self {
            names: Vec::new(),
            common_name: Some(name),
            ..Self::good()
        }
    }

    pub(in crate::net) fn expired(self) -> Self {
        Self {
            is_expired: true,
            ..self
        }
    }

    fn parameters(&self) -> CertificateParams {
        let names: Vec<String> = self.names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name = DistinguishedName::new();
        if let Some(name) = self.common_name {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        if self.is_expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        if self.is_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        if self.is_odd {
            let mut odd = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 32473, 1], vec![4, 1, 7]);
            odd.set_criticality(true);
            params.custom_extensions.push(odd);
        }
        params
    }
}

/// What a client asked for.
#[derive(Clone, Debug)]
pub(in crate::net) struct Asked {
    pub(in crate::net) name: Option<String>,
    pub(in crate::net) schemes: Vec<SignatureScheme>,
}

/// A server: what it shows, and what it can sign with.
#[derive(Debug)]
pub(in crate::net) struct Server {
    /// Who vouches for it: an authority, or itself.
    pub(in crate::net) authority: CertificateDer<'static>,
    authority_key: Vec<u8>,
    pub(in crate::net) chain: Vec<CertificateDer<'static>>,
    public_key: Vec<u8>,
    signing_key: KeyPair,
    versions: Vec<&'static SupportedProtocolVersion>,
    pub(in crate::net) asked_for: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    fn new(
        authority: (CertificateDer<'static>, Vec<u8>),
        chain: Vec<CertificateDer<'static>>,
        key: KeyPair,
    ) -> Self {
        Self {
            authority: authority.0,
            authority_key: authority.1,
            chain,
            public_key: key.subject_public_key_info(),
            signing_key: key,
            versions: rustls::ALL_VERSIONS.to_vec(),
            asked_for: Arc::default(),
        }
    }

    /// With a certificate that an authority issued, which is shown, too.
    pub(in crate::net) fn issued(contents: &Contents) -> Self {
        let authority = authority("Example Authority");
        let key = KeyPair::generate().expect("a key");
        let certificate = contents
            .parameters()
            .signed_by(&key, &authority)
            .expect("a certificate");
        let chain = vec![certificate.der().clone(), authority.der().clone()];
        let known = (authority.der().clone(), authority.key().subject_public_key_info());
        Self::new(known, chain, key)
    }

    /// The same, with a second authority between, and the first one not shown.
    pub(in crate::net) fn issued_by_another(contents: &Contents) -> Self {
        Self::issued_through(CertificateParams::new(Vec::new()).expect("no names"), contents)
    }

    /// The same, and the certificate of the one between has expired.
    pub(in crate::net) fn issued_by_an_expired(contents: &Contents) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2003, 1, 1);
        Self::issued_through(params, contents)
    }

    fn issued_through(mut params: CertificateParams, contents: &Contents) -> Self {
        let root = authority("Example Root");
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "Example Intermediate");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let between = CertifiedIssuer::signed_by(params, KeyPair::generate().expect("a key"), &root)
            .expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let certificate = contents
            .parameters()
            .signed_by(&key, &between)
            .expect("a certificate");
        let chain = vec![certificate.der().clone(), between.der().clone()];
        let known = (root.der().clone(), root.key().subject_public_key_info());
        Self::new(known, chain, key)
    }

    pub(in crate::net) fn self_signed(contents: &Contents) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = contents.parameters().self_signed(&key).expect("a certificate");
        let known = (certificate.der().clone(), key.subject_public_key_info());
        Self::new(known, vec![certificate.der().clone()], key)
    }

    /// X.509 version 1: a common name, and no extensions.
    pub(in crate::net) fn self_signed_v1(common_name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let fields = fields_v1(common_name, &key.subject_public_key_info());
        let signature = key.sign(&fields).expect("a signature");
        let certificate = certificate_of(&fields, &signature);
        let known = (certificate.clone(), key.subject_public_key_info());
        Self::new(known, vec![certificate], key)
    }

    pub(in crate::net) fn good() -> Self {
        Self::issued(&Contents::good())
    }

    /// Shows the same certificate, and has not its key.
    pub(in crate::net) fn impostor(mut self) -> Self {
        self.signing_key = KeyPair::generate().expect("a key");
        self
    }

    pub(in crate::net) fn only(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.versions = vec![version];
        self
    }

    pub(in crate::net) fn acceptor(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.signing_key.serialize_der()));
        let key = rustls::crypto::ring::sign::any_supported_type(&key).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .expect("versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Shows {
                certified: Arc::new(CertifiedKey::new(self.chain.clone(), key)),
                asked_for: Arc::clone(&self.asked_for),
            }));
        TlsAcceptor::from(Arc::new(config))
    }

    /// Why a client that asks so makes no session with it, as the report tells it.
    async fn refused(&self, name: &str, verification: Verification, settings: &TlsSettings) -> String {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let acceptor = self.acceptor();
        let (session, _) = tokio::join!(
            super::handshake(Box::new(ours), name, &verification, settings),
            acceptor.accept(theirs)
        );
        session.expect_err("a refusal").to_string()
    }

    /// Settings that trust who vouches for this server, and nobody else.
    pub(in crate::net) fn trusted(&self) -> TlsSettings {
        TlsSettings::default()
            .with_extra_roots(vec![self.authority.clone()])
            .without_platform_roots()
    }

    pub(in crate::net) fn peer(&self, verification: Verification) -> TlsPeer {
        TlsPeer {
            server_name: HOST.to_owned(),
            verification,
            settings: self.trusted(),
        }
    }

    /// The record that says what is true of this server: of who vouches for it, for usage 2.
    pub(in crate::net) fn record(&self, usage: u8, selector: u8, matching_type: u8) -> Tlsa {
        let selected = match (usage, selector) {
            (2, 0) => self.authority.to_vec(),
            (2, _) => self.authority_key.clone(),
            (_, 0) => self.chain[0].to_vec(),
            _ => self.public_key.clone(),
        };
        let data = match matching_type {
            0 => selected,
            1 => digest::digest(&digest::SHA256, &selected).as_ref().to_vec(),
            _ => digest::digest(&digest::SHA512, &selected).as_ref().to_vec(),
        };
        Tlsa {
            usage,
            selector,
            matching_type,
            data,
        }
    }
}

/// What is said of servers that cannot be verified, each out of a handshake.
#[derive(Debug)]
pub(crate) struct TlsRefusals {
    pub(crate) expired: String,
    pub(crate) not_in_dns: String,
    pub(crate) of_another: String,
    /// There is nobody to verify by.
    pub(crate) no_roots: String,
}

/// The server should be `name`.
pub(crate) fn tls_refusals(name: &'static str) -> TlsRefusals {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let good = Server::issued(&Contents::named(name));
    let by_authorities = |server: Server| {
        let settings = server.trusted();
        runtime.block_on(server.refused(name, Verification::Pkix, &settings))
    };
    let by_dns = dane(vec![Server::good().record(3, 1, 1)]);
    let nobody = TlsSettings::default().without_platform_roots();
    TlsRefusals {
        expired: by_authorities(Server::issued(&Contents::named(name).expired())),
        not_in_dns: runtime.block_on(good.refused(name, by_dns, &nobody)),
        of_another: by_authorities(Server::issued(&Contents::named("other.example"))),
        no_roots: runtime.block_on(good.refused(name, Verification::Pkix, &nobody)),
    }
}

pub(in crate::net) fn dane(tlsa: Vec<Tlsa>) -> Verification {
    Verification::Dane {
        tlsa,
        names: vec![HostName::parse(HOST).expect("a host name")],
    }
}

pub(super) fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

/// Shows this key, and is signed by nobody.
pub(super) fn certificate_with_key(key: &[u8]) -> CertificateDer<'static> {
    certificate_of(&fields_v1(HOST, key), &[7; 64])
}

/// Looks like an RSA key of that length.
pub(super) fn rsa_key(bits: usize) -> Vec<u8> {
    let algorithm = der(0x06, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]]);
    let algorithm = der(0x30, &[&algorithm, &[5, 0]]);
    // The zero in front keeps it positive.
    let modulus = der(0x02, &[&[0], &vec![0xc1; bits / 8]]);
    let key = der(0x30, &[&modulus, &[2, 3, 1, 0, 1]]);
    der(0x30, &[&algorithm, &der(0x03, &[&[0], &key])])
}

fn fields_v1(common_name: &str, public_key: &[u8]) -> Vec<u8> {
    let common_name = der(0x0c, &[common_name.as_bytes()]);
    let attribute = der(0x30, &[&der(0x06, &[&[0x55, 4, 3]]), &common_name]);
    let name = der(0x30, &[&der(0x31, &[&attribute])]);
    let from = der(0x17, &[b"200101000000Z"]);
    let until = der(0x18, &[b"20990101000000Z"]);
    let validity = der(0x30, &[&from, &until]);
    let serial = der(0x02, &[&[1]]);
    der(0x30, &[&serial, &ecdsa(), &name, &validity, &name, public_key])
}

fn certificate_of(fields: &[u8], signature: &[u8]) -> CertificateDer<'static> {
    let signature = der(0x03, &[&[0], signature]);
    der(0x30, &[fields, &ecdsa(), &signature]).into()
}

/// `ecdsa-with-SHA256`
fn ecdsa() -> Vec<u8> {
    der(0x30, &[&der(0x06, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]])])
}

pub(super) fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let length = u16::try_from(contents.len())
        .expect("a short element")
        .to_be_bytes();
    let mut element = vec![tag];
    match length {
        [0, short] if short < 0x80 => element.push(short),
        [0, short] => element.extend([0x81, short]),
        long => element.extend([&[0x82][..], &long].concat()),
    }
    element.extend(contents);
    element
}

/// Shows one certificate, whether its key fits or not.
#[derive(Debug)]
struct Shows {
    certified: Arc<CertifiedKey>,
    asked_for: Arc<Mutex<Vec<Asked>>>,
}

impl ResolvesServerCert for Shows {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_owned);
        let schemes = hello.signature_schemes().to_vec();
        let asked = Asked { name, schemes };
        self.asked_for.lock().expect("a client").push(asked);
        assert!(hello.alpn().is_none(), "nothing but SMTP is meant");
        Some(Arc::clone(&self.certified))
    }
}
