//! A certificate authority of the tests' own, and what it signs.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData, date_time_ymd,
};
use ring::digest::{SHA256, digest};
use std::fmt::Write as _;

/// A private certificate authority.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A server's certificate and its key.
#[derive(Debug)]
pub struct Identity {
    /// The certificates that the server shows, as PEM: its own, then its authority's.
    pub chain: String,
    /// Its private key, as PEM.
    pub key: String,
    certificate: Vec<u8>,
    public_key: Vec<u8>,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one, with a key of its own.
    ///
    /// # Panics
    /// When the library cannot make one.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "authority of the tests");
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    /// Its own certificate, as PEM: for those who shall trust it.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names.
    ///
    /// # Panics
    /// When the library cannot make one.
    pub fn certify(&self, names: &[&str]) -> Identity {
        self.sign(names, false)
    }

    /// The same, years after its end.
    ///
    /// # Panics
    /// When the library cannot make one.
    pub fn certify_expired(&self, names: &[&str]) -> Identity {
        self.sign(names, true)
    }

    fn sign(&self, names: &[&str], expired: bool) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        if expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Identity {
            chain: format!("{}{}", certificate.pem(), self.0.pem()),
            key: key.serialize_pem(),
            certificate: certificate.der().to_vec(),
            public_key: key.subject_public_key_info(),
        }
    }

    /// The data of a TLSA record `2 1 1`, or `2 0 1` for another selector, that names this authority.
    pub fn tlsa(&self, selector: u8) -> String {
        record(2, selector, self.0.der(), &self.0.key().subject_public_key_info())
    }
}

impl Identity {
    /// The data of a TLSA record `3 1 1`, or `3 0 1` for another selector, that names this certificate.
    pub fn tlsa(&self, selector: u8) -> String {
        record(3, selector, &self.certificate, &self.public_key)
    }
}

fn record(usage: u8, selector: u8, certificate: &[u8], key: &[u8]) -> String {
    let selected = if selector == 0 { certificate } else { key };
    let mut text = format!("{usage} {selector} 1 ");
    for octet in digest(&SHA256, selected).as_ref() {
        write!(text, "{octet:02x}").expect("text");
    }
    text
}
