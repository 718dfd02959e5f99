//! SCRAM-SHA-256 (RFC 5802, RFC 7677), the client's side, without channel binding.
//!
//! The one file of the machine that computes more than texts. `ring` gives it the primitives: SHA-256, HMAC and
//! PBKDF2 are functions of octets, and know no socket, no clock and no TLS. Nothing here needs randomness either;
//! the client's nonce comes from the configuration.
//!
//! ```text
//! C: n,,n=user,r=CNONCE                  client-first: what is after `n,,` is its bare form
//! S: r=CNONCE SNONCE,s=SALT,i=COUNT      server-first
//! C: c=biws,r=CNONCE SNONCE,p=PROOF      client-final
//! S: v=SIGNATURE                         server-final: the server has known the password, too
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use std::fmt;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use zeroize::Zeroizing;

/// `y` and `n` of RFC 5802 section 6 tell whether the client could bind to a TLS channel: it cannot.
const GS2_HEADER: &str = "n,,";
/// [`GS2_HEADER`] in base64, as the client-final repeats it.
const CHANNEL_BINDING: &str = "biws";

/// How often the password is hashed: RFC 7677 section 4, <https://www.rfc-editor.org/rfc/rfc7677#section-4>, asks
/// for 4,096 at least. With fewer, a proof that somebody else gets hold of is soon worth the password. The upper end
/// is the most that is recommended for any store of passwords, and takes a slow processor a second; a server that asks
/// for more would have the client hang.
const ITERATIONS: RangeInclusive<u32> = 4_096..=600_000;

type Hash = [u8; digest::SHA256_OUTPUT_LEN];

/// What was said first, and is part of what will be signed.
#[derive(Debug)]
pub(super) struct ClientFirst {
    bare: String,
    nonce: String,
}

/// What is said next, but for the proof, which has to be computed.
#[derive(Debug)]
pub(super) struct ClientFinal {
    without_proof: String,
    auth_message: String,
}

/// A key that is to be made of a password, as a server asks for it; overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyDerivation {
    password: Zeroizing<String>,
    salt: Vec<u8>,
    iterations: NonZeroU32,
}

/// A key that was made of a password; overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct DerivedKey(Zeroizing<Hash>);

/// What the server has to say to prove that it knows the password.
#[derive(Debug)]
pub(super) struct ServerSignature {
    key: hmac::Key,
    auth_message: String,
}

/// A server-final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerFinal {
    /// The server does not accept the proof, and says so before its reply does.
    Error,
    /// Not a server-final.
    Malformed,
    /// It does not know the password.
    WrongSignature,
    /// It knows the password.
    Verified,
}

/// A server-first that cannot be one, or asks for what is not done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadServerFirst;

impl ClientFirst {
    /// `None` for a user name that `SASLprep` forbids, and for a nonce that is none.
    pub(super) fn new(user: &str, nonce: &str) -> Option<Self> {
        // RFC 5802 section 7: `printable = %x21-2B / %x2D-7E`, one at least.
        let is_printable = |octet: u8| octet.is_ascii_graphic() && octet != b',';
        if nonce.is_empty() || !nonce.bytes().all(is_printable) {
            return None;
        }
        let user = stringprep::saslprep(user).ok().filter(|user| !user.is_empty())?;
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Some(Self {
            bare: format!("n={user},r={nonce}"),
            nonce: nonce.to_owned(),
        })
    }

    /// The message.
    pub(super) fn message(&self) -> String {
        format!("{GS2_HEADER}{}", self.bare)
    }

    /// What a server-first asks to be computed before it can be answered.
    ///
    /// # Errors
    /// When the server-first is none, has another nonce than the client's before its own, asks for an extension, or
    /// for more or fewer iterations than are sensible; and for a password that `SASLprep` forbids.
    pub(super) fn read(
        self,
        server_first: &str,
        password: &str,
    ) -> Result<(KeyDerivation, ClientFinal), BadServerFirst> {
        let asked = ServerFirst::parse(server_first, &self.nonce).ok_or(BadServerFirst)?;
        let derivation = KeyDerivation {
            password: prepared(password).ok_or(BadServerFirst)?,
            salt: asked.salt,
            iterations: asked.iterations,
        };
        let without_proof = format!("c={CHANNEL_BINDING},r={}", asked.nonce);
        let auth_message = format!("{},{server_first},{without_proof}", self.bare);
        let client_final = ClientFinal {
            without_proof,
            auth_message,
        };
        Ok((derivation, client_final))
    }
}

impl ClientFinal {
    /// The message, and what must come back.
    pub(super) fn proved_by(self, key: &DerivedKey) -> (String, ServerSignature) {
        let proof = proof(&key.0, &self.auth_message);
        let signature = ServerSignature {
            key: self::key(hmac_of(&key.0, "Server Key").as_slice()),
            auth_message: self.auth_message,
        };
        let message = format!("{},p={}", self.without_proof, STANDARD.encode(proof));
        (message, signature)
    }
}

impl KeyDerivation {
    /// Computes it. It may take a second, as long as the server wants it to: not where others wait.
    // `SaltedPassword := Hi(Normalize(password), salt, i)`
    pub fn derive(&self) -> DerivedKey {
        let mut key = Zeroizing::new(Hash::default());
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            self.iterations,
            &self.salt,
            self.password.as_bytes(),
            key.as_mut_slice(),
        );
        DerivedKey(key)
    }
}

/// Without the password.
impl fmt::Debug for KeyDerivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyDerivation")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// Not the key.
impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DerivedKey").finish_non_exhaustive()
    }
}

impl ServerSignature {
    /// RFC 5802 section 5, <https://www.rfc-editor.org/rfc/rfc5802#section-5>:
    /// > The client then authenticates the server by computing the ServerSignature and comparing it to the value
    /// > sent by the server.  If the two are different, the client MUST consider the authentication exchange to be
    /// > unsuccessful, and it might have to drop the connection.
    pub(super) fn check(&self, server_final: &str) -> ServerFinal {
        let value = server_final.split(',').next().unwrap_or_default();
        if value.starts_with("e=") {
            return ServerFinal::Error;
        }
        let signature = value
            .strip_prefix("v=")
            .and_then(|signature| STANDARD.decode(signature).ok());
        match signature {
            None => ServerFinal::Malformed,
            Some(signature) if hmac::verify(&self.key, self.auth_message.as_bytes(), &signature).is_ok() => {
                ServerFinal::Verified
            }
            Some(_) => ServerFinal::WrongSignature,
        }
    }
}

/// What the server asks the password to be hashed with.
struct ServerFirst<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: NonZeroU32,
}

impl<'a> ServerFirst<'a> {
    /// `r=…,s=…,i=…`, and extensions that may be ignored. One that may not, `m=`, comes first and is no nonce.
    fn parse(message: &'a str, client_nonce: &str) -> Option<Self> {
        let mut attributes = message.split(',');
        let nonce = attributes.next()?.strip_prefix("r=")?;
        // RFC 5802 section 5.1, https://www.rfc-editor.org/rfc/rfc5802#section-5.1
        // > The client MUST verify that the initial part of the nonce used in subsequent messages is the same as
        // > the nonce it initially specified.
        nonce
            .strip_prefix(client_nonce)
            .filter(|of_server| !of_server.is_empty())?;
        let salt = STANDARD.decode(attributes.next()?.strip_prefix("s=")?).ok()?;
        let iterations = attributes.next()?.strip_prefix("i=")?;
        let iterations = iterations
            .parse()
            .ok()
            .filter(|count| ITERATIONS.contains(count))?;
        Some(Self {
            nonce,
            salt,
            iterations: NonZeroU32::new(iterations)?,
        })
    }
}

/// The password as `SASLprep` (RFC 4013) has it; `None` if that forbids it.
pub(super) fn prepared(password: &str) -> Option<Zeroizing<String>> {
    let prepared = stringprep::saslprep(password)
        .ok()
        .filter(|password| !password.is_empty())?;
    Some(Zeroizing::new(prepared.into_owned()))
}

/// `ClientProof := ClientKey XOR HMAC(H(ClientKey), AuthMessage)`
fn proof(salted: &Hash, auth_message: &str) -> Vec<u8> {
    let client_key = hmac_of(salted, "Client Key");
    let stored_key = digest::digest(&digest::SHA256, &client_key);
    let signature = hmac::sign(&key(stored_key.as_ref()), auth_message.as_bytes());
    client_key
        .iter()
        .zip(signature.as_ref())
        .map(|(key, signature)| key ^ signature)
        .collect()
}

fn hmac_of(salted: &Hash, what: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(hmac::sign(&key(salted), what.as_bytes()).as_ref().to_vec())
}

fn key(octets: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn first() -> ClientFirst {
        ClientFirst::new("user", NONCE).unwrap()
    }

    fn answer(server_first: &str, password: &str) -> Option<(String, ServerSignature)> {
        let (derivation, client_final) = first().read(server_first, password).ok()?;
        Some(client_final.proved_by(&derivation.derive()))
    }

    /// RFC 7677 section 3, <https://www.rfc-editor.org/rfc/rfc7677#section-3>.
    #[test]
    fn the_exchange_of_rfc_7677() {
        assert_eq!(first().message(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (client_final, signature) = answer(SERVER_FIRST, "pencil").unwrap();
        assert_eq!(
            client_final,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(signature.check(SERVER_FINAL), ServerFinal::Verified);
    }

    #[test]
    fn what_a_server_says_last() {
        let (_, signature) = answer(SERVER_FIRST, "pencil").unwrap();
        let table = [
            (
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=,x=y",
                ServerFinal::Verified,
            ),
            (
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=",
                ServerFinal::Malformed,
            ),
            (
                "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
                ServerFinal::WrongSignature,
            ),
            (
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl9",
                ServerFinal::WrongSignature,
            ),
            ("v=", ServerFinal::WrongSignature),
            ("e=invalid-proof", ServerFinal::Error),
            ("", ServerFinal::Malformed),
            ("ok", ServerFinal::Malformed),
        ];
        for (server_final, expected) in table {
            assert_eq!(signature.check(server_final), expected, "{server_final}");
        }
    }

    /// Another password leads to another proof and another signature.
    #[test]
    fn a_server_that_knows_another_password_is_found_out() {
        let (_, signature) = answer(SERVER_FIRST, "pencils").unwrap();
        assert_eq!(signature.check(SERVER_FINAL), ServerFinal::WrongSignature);
    }

    #[test]
    fn what_is_no_server_first() {
        let nonce = "r=rOprNGfwEbeRWgbNEkqOx";
        let table = [
            (format!("{nonce},s=AAAA,i=4096"), true),
            (format!("{nonce},s=AAAA,i=4096,x=new"), true),
            (format!("{nonce},s=AAAA,i=4095"), false),
            (format!("{nonce},s=AAAA,i=1"), false),
            (format!("{nonce},s=AAAA,i=0"), false),
            (format!("{nonce},s=AAAA,i=-1"), false),
            (format!("{nonce},s=AAAA,i=600000"), true),
            (format!("{nonce},s=AAAA,i=600001"), false),
            (format!("{nonce},s=AAAA,i=4294967295"), false),
            (format!("{nonce},s=AAAA,i=99999999999999999999"), false),
            (format!("{nonce},s=AAAA,i="), false),
            (format!("{nonce},s=AAAA"), false),
            (format!("{nonce},s=*,i=4096"), false),
            (format!("{nonce},i=4096,s=AAAA"), false),
            (format!("m=must,{nonce},s=AAAA,i=4096"), false),
            ("r=rOprNGfwEbeRWgbNEkqO,s=AAAA,i=4096".to_owned(), false),
            ("r=another,s=AAAA,i=4096".to_owned(), false),
            ("r=,s=AAAA,i=4096".to_owned(), false),
            (String::new(), false),
            ("e=no-resources".to_owned(), false),
        ];
        for (message, expected) in table {
            assert_eq!(answer(&message, "pencil").is_some(), expected, "{message}");
        }
    }

    #[test]
    fn names_are_prepared_and_escaped() {
        let bare = |user: &str| ClientFirst::new(user, "x").map(|first| first.bare);
        assert_eq!(bare("a=b,c").as_deref(), Some("n=a=3Db=2Cc,r=x"));
        // RFC 4013 section 3: a soft hyphen is nothing, a Roman numeral is its letters.
        assert_eq!(bare("I\u{ad}X").as_deref(), Some("n=IX,r=x"));
        assert_eq!(bare("\u{2168}").as_deref(), Some("n=IX,r=x"));
        for forbidden in ["", "\u{7}", "a\0b", "\u{627}1"] {
            assert_eq!(bare(forbidden), None, "{}", forbidden.escape_unicode());
        }
        for nonce in ["", "a,b", "a b", "ü"] {
            assert!(ClientFirst::new("user", nonce).is_none(), "{nonce}");
        }
        assert_eq!(prepared("pen\u{ad}cil").unwrap().as_str(), "pencil");
        assert!(prepared("\u{7}").is_none());
    }
}
