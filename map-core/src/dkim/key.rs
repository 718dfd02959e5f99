//! Private keys: what signs.

use super::DkimError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::error::KeyRejected;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use zeroize::Zeroizing;

/// A private key of one of the two kinds that verifiers know.
pub(super) enum Key {
    /// RFC 8463.
    Ed25519(Ed25519KeyPair),
    /// RFC 8301.
    Rsa(RsaKeyPair),
}

impl Key {
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, DkimError> {
        if memchr::memmem::find(pem, b"ENCRYPTED").is_some() {
            return Err(DkimError::Encrypted);
        }
        let der = Zeroizing::new(PrivateKeyDer::from_pem_slice(pem).map_err(|_| DkimError::NoKey)?);
        match &*der {
            PrivateKeyDer::Pkcs1(der) => rsa(RsaKeyPair::from_der(der.secret_pkcs1_der())),
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                // Without its public half is how OpenSSL writes one.
                match Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
                    Ok(pair) => Ok(Self::Ed25519(pair)),
                    Err(_) => rsa(RsaKeyPair::from_pkcs8(der)),
                }
            }
            _ => Err(DkimError::Key(WRONG_KIND.to_owned())),
        }
    }

    /// The value of `a=`.
    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "ed25519-sha256",
            Self::Rsa(_) => "rsa-sha256",
        }
    }

    pub(super) fn sign(&self, data: &[u8]) -> Result<Vec<u8>, DkimError> {
        match self {
            // https://www.rfc-editor.org/rfc/rfc8463#section-3
            // > The Ed25519-SHA256 signing algorithm computes a message hash as defined in Section 3 of [RFC6376] using
            // > SHA-256 [FIPS-180-4-2015] as the hash-alg.  It signs the hash with the PureEdDSA variant Ed25519
            Self::Ed25519(pair) => Ok(pair.sign(digest(&SHA256, data).as_ref()).as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data, &mut signature)
                    .map_err(|_| DkimError::Random)?;
                Ok(signature)
            }
        }
    }

    /// The text of the DNS record that verifiers look up.
    pub(super) fn record(&self) -> String {
        match self {
            // https://www.rfc-editor.org/rfc/rfc8463#section-4
            Self::Ed25519(pair) => {
                format!(
                    "v=DKIM1; k=ed25519; p={}",
                    STANDARD.encode(pair.public_key().as_ref())
                )
            }
            Self::Rsa(pair) => {
                let public = subject_public_key_info(pair.public().as_ref());
                format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(public))
            }
        }
    }
}

const WRONG_KIND: &str = "it is neither an RSA nor an Ed25519 key";

fn rsa(pair: Result<RsaKeyPair, KeyRejected>) -> Result<Key, DkimError> {
    pair.map(Key::Rsa).map_err(|rejected| {
        DkimError::Key(match rejected.to_string().as_str() {
            "TooSmall" => "an RSA key needs 2,048 bits at least".to_owned(),
            "TooLarge" => "an RSA key may have 4,096 bits at most".to_owned(),
            "WrongAlgorithm" => WRONG_KIND.to_owned(),
            other => format!("it is malformed ({other})"),
        })
    })
}

/// `SubjectPublicKeyInfo` around an `RSAPublicKey`: the form that `p=` has in every record there is, whatever RFC 6376
/// section 3.6.1 says.
fn subject_public_key_info(rsa_public_key: &[u8]) -> Vec<u8> {
    // AlgorithmIdentifier { rsaEncryption, NULL }
    const ALGORITHM: [u8; 15] = [
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    const SEQUENCE: u8 = 0x30;
    const BIT_STRING: u8 = 0x03;
    let key = der(BIT_STRING, &[&[0], rsa_public_key].concat());
    der(SEQUENCE, &[&ALGORITHM[..], &key].concat())
}

/// A value with its tag and length.
fn der(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|octet| *octet == 0).collect();
    let mut out = vec![tag];
    match (significant.as_slice(), u8::try_from(significant.len())) {
        ([short @ ..=0x7f], _) => out.push(*short),
        (long, count) => {
            // A length has eight octets at most.
            out.push(0x80 | count.unwrap_or_default());
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(value);
    out
}
