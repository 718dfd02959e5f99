//! The certificates of mail hosts, and the authority that is trusted here.

use crate::net::tls::TlsSettings;
use crate::route::Tlsa;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PublicKeyData, date_time_ymd,
};
use ring::digest;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::{Arc, LazyLock};
use tokio_rustls::TlsAcceptor;

pub(super) struct Certificate {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

struct All {
    authority: CertifiedIssuer<'static, KeyPair>,
    good: Certificate,
    wrong_name: Certificate,
    expired: Certificate,
    self_signed: Certificate,
}

/// The hosts that the good certificate is for.
const NAMES: [&str; 5] = [
    "mx1.example.org",
    "mx2.example.org",
    "relay.example.net",
    "localhost",
    "192.0.2.1",
];

static ALL: LazyLock<All> = LazyLock::new(|| {
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority =
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    let signed = |params: CertificateParams| {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &authority).expect("a certificate");
        Certificate {
            chain: vec![certificate.der().clone(), authority.der().clone()],
            key,
        }
    };
    let mut expired = named(&NAMES);
    expired.not_before = date_time_ymd(2001, 1, 1);
    expired.not_after = date_time_ymd(2002, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let certificate = named(&NAMES).self_signed(&key).expect("a certificate");
    All {
        good: signed(named(&NAMES)),
        wrong_name: signed(named(&["other.example"])),
        expired: signed(expired),
        self_signed: Certificate {
            chain: vec![certificate.der().clone()],
            key,
        },
        authority,
    }
});

fn named(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).expect("names")
}

/// Settings that trust the authority, and no other.
pub(super) fn trusted() -> TlsSettings {
    TlsSettings::default()
        .with_extra_roots(vec![ALL.authority.der().clone()])
        .without_platform_roots()
}

impl Certificate {
    /// `good`, `wrong-name`, `expired`, `self-signed`
    pub(super) fn named(name: &str) -> &'static Self {
        match name {
            "good" => &ALL.good,
            "wrong-name" => &ALL.wrong_name,
            "expired" => &ALL.expired,
            "self-signed" => &ALL.self_signed,
            other => panic!("no certificate {other:?}"),
        }
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .expect("a server");
        TlsAcceptor::from(Arc::new(config))
    }

    /// `3 1 1` of it.
    pub(super) fn tlsa(&self) -> Tlsa {
        let key = self.key.subject_public_key_info();
        Tlsa {
            usage: 3,
            selector: 1,
            matching_type: 1,
            data: digest::digest(&digest::SHA256, &key).as_ref().to_vec(),
        }
    }

    /// `2 0 1` of the authority.
    pub(super) fn anchor() -> Tlsa {
        Tlsa {
            usage: 2,
            selector: 0,
            matching_type: 1,
            data: digest::digest(&digest::SHA256, ALL.authority.der())
                .as_ref()
                .to_vec(),
        }
    }
}
