//! Who the client says it is, and the secret that proves it.

use std::fmt;
use zeroize::Zeroizing;

/// A user name and its secret, for AUTH (RFC 4954).
#[derive(Clone, Debug)]
pub struct Authentication {
    /// The user name.
    pub user: String,
    /// What proves it.
    pub secret: Secret,
    /// What the secret is, which says which mechanisms can use it.
    pub kind: SecretKind,
    /// Printable ASCII without commas that no other connection uses: SCRAM's client nonce (RFC 5802 section 5.1).
    pub nonce: String,
}

/// What a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SecretKind {
    /// A password: SCRAM-SHA-256, PLAIN or LOGIN, the first of these that the server offers.
    Password,
    /// An OAuth 2.0 access token: XOAUTH2.
    Token,
}

/// A password or a token. It is never shown, and is overwritten when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self(secret.into())
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        secret.to_owned().into()
    }
}

/// `Secret(…)`, whatever it is.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
