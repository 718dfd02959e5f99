//! AUTH as a host sees it: what a client's responses prove (<https://www.rfc-editor.org/rfc/rfc4954>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};

/// Rounds of the password's hash: the fewest that <https://www.rfc-editor.org/rfc/rfc7677#section-4> allows.
const ITERATIONS: std::num::NonZeroU32 = std::num::NonZeroU32::new(4096).expect("it is not zero");

/// Who may log in at a host, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) secret: String,
    pub(crate) mechanisms: Vec<Mechanism>,
    /// Without TLS, too.
    pub(crate) in_clear: bool,
}

/// A way to say who one is. They stand in the order in which they are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mechanism {
    ScramSha256,
    Plain,
    Login,
    Xoauth2,
}

impl Mechanism {
    pub(crate) const ALL: [Self; 4] = [Self::ScramSha256, Self::Plain, Self::Login, Self::Xoauth2];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::Xoauth2 => "XOAUTH2",
        }
    }

    /// In any case.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }
}

/// An exchange under way: what the next response is.
#[derive(Clone, Debug)]
pub(crate) enum Awaited {
    /// Nothing that could still prove anything: a rule went on with an exchange that was over.
    Lost,
    /// What is said to an error, before the reply.
    Denied {
        user: String,
    },
    LoginUser,
    LoginPassword {
        user: String,
    },
    Plain,
    ScramFirst,
    ScramFinal(Box<Scram>),
    /// What is said to the proof that the host, too, knows the secret.
    ScramEnd {
        user: String,
    },
    Xoauth2,
}

/// What both sides of a SCRAM exchange have said, and who it is about.
#[derive(Clone, Debug)]
pub(crate) struct Scram {
    user: String,
    gs2_header: String,
    client_first_bare: String,
    server_first: String,
    nonce: String,
    salt: [u8; 16],
}

/// What follows from a response.
#[derive(Debug)]
pub(crate) enum Step {
    Accepted {
        user: String,
    },
    Cancelled,
    Challenge {
        challenge: Vec<u8>,
        next: Awaited,
    },
    Denied {
        user: String,
    },
    Malformed,
    /// The system gives no random numbers.
    Unavailable,
}

impl Awaited {
    /// The first of a mechanism, with what is said to get it.
    pub(crate) fn first(mechanism: Mechanism) -> (Self, &'static [u8]) {
        match mechanism {
            Mechanism::Login => (Self::LoginUser, b"Username:"),
            Mechanism::Plain => (Self::Plain, b""),
            Mechanism::ScramSha256 => (Self::ScramFirst, b""),
            Mechanism::Xoauth2 => (Self::Xoauth2, b""),
        }
    }

    /// Who it is about, if that is known.
    pub(crate) fn user(&self) -> Option<&str> {
        match self {
            Self::Denied { user } | Self::LoginPassword { user } | Self::ScramEnd { user } => Some(user),
            Self::ScramFinal(scram) => Some(&scram.user),
            Self::Lost | Self::LoginUser | Self::Plain | Self::ScramFirst | Self::Xoauth2 => None,
        }
    }

    /// Takes a line in the place of a command.
    pub(crate) fn line(self, line: &str, accounts: &[&Account]) -> Step {
        // > If the client wishes to cancel the authentication exchange, it issues a line with a single "*".
        // https://www.rfc-editor.org/rfc/rfc4954#section-4
        if line == "*" {
            return Step::Cancelled;
        }
        match STANDARD.decode(line) {
            Ok(response) => self.response(response, accounts).unwrap_or(Step::Malformed),
            Err(_) => Step::Malformed,
        }
    }

    /// `None` when the response does not have its form.
    fn response(self, response: Vec<u8>, accounts: &[&Account]) -> Option<Step> {
        let text = String::from_utf8(response).ok()?;
        let account = |mechanism: Mechanism, user: &str| {
            let fits = |a: &&&Account| a.user == user && a.mechanisms.contains(&mechanism);
            accounts.iter().find(fits).copied()
        };
        let decide = |mechanism: Mechanism, user: &str, secret: &str| {
            let user = user.to_owned();
            match account(mechanism, &user) {
                Some(account) if account.secret == secret => Step::Accepted { user },
                _ => Step::Denied { user },
            }
        };
        Some(match self {
            Self::Lost => Step::Denied { user: String::new() },
            Self::Denied { user } => Step::Denied { user },
            Self::LoginUser => Step::Challenge {
                challenge: b"Password:".to_vec(),
                next: Self::LoginPassword { user: text },
            },
            Self::LoginPassword { user } => decide(Mechanism::Login, &user, &text),
            Self::Plain => {
                // > message   = [authzid] UTF8NUL authcid UTF8NUL passwd
                // https://www.rfc-editor.org/rfc/rfc4616#section-2
                let mut parts = text.split('\0');
                let (acts_for, user, secret) = (parts.next()?, parts.next()?, parts.next()?);
                if parts.next().is_some() || user.is_empty() || secret.is_empty() {
                    return None;
                }
                if !acts_for.is_empty() && acts_for != user {
                    return Some(Step::Denied {
                        user: user.to_owned(),
                    });
                }
                decide(Mechanism::Plain, user, secret)
            }
            Self::ScramFirst => scram_first(&text)?,
            Self::ScramFinal(scram) => {
                let account = account(Mechanism::ScramSha256, &scram.user);
                scram.last(
                    &text,
                    account.map_or("", |account| &account.secret),
                    account.is_some(),
                )?
            }
            Self::ScramEnd { user } if text.is_empty() => Step::Accepted { user },
            Self::ScramEnd { .. } => return None,
            Self::Xoauth2 => {
                let mut user = "";
                let mut token = "";
                for part in text.strip_suffix("\x01\x01")?.split('\x01') {
                    match part.split_once('=')? {
                        ("user", name) => user = name,
                        ("auth", bearer) => token = bearer.strip_prefix("Bearer ")?,
                        _ => {}
                    }
                }
                match decide(Mechanism::Xoauth2, user, token) {
                    // An error is a challenge there, which the client has to answer before it gets the reply.
                    Step::Denied { user } => Step::Challenge {
                        challenge: br#"{"status":"401","schemes":"bearer","scope":"mail"}"#.to_vec(),
                        next: Self::Denied { user },
                    },
                    step => step,
                }
            }
        })
    }
}

/// <https://www.rfc-editor.org/rfc/rfc5802#section-7>
fn scram_first(text: &str) -> Option<Step> {
    let mut parts = text.splitn(3, ',');
    let (binding, acts_for, bare) = (parts.next()?, parts.next()?, parts.next()?);
    // Binding to the TLS session is not offered.
    if !matches!(binding, "n" | "y") {
        return None;
    }
    let mut attributes = bare.split(',');
    let user = attributes.next()?.strip_prefix("n=")?;
    let client_nonce = attributes.next()?.strip_prefix("r=")?;
    let user = user.replace("=2C", ",").replace("=3D", "=");
    if user.is_empty() || client_nonce.is_empty() || !(acts_for.is_empty() || acts_for == format!("a={user}"))
    {
        return None;
    }
    let (mut salt, mut nonce) = ([0; 16], [0; 18]);
    let random = SystemRandom::new();
    if random
        .fill(&mut salt)
        .and_then(|()| random.fill(&mut nonce))
        .is_err()
    {
        return Some(Step::Unavailable);
    }
    let nonce = format!("{client_nonce}{}", STANDARD.encode(nonce));
    let server_first = format!("r={nonce},s={},i={ITERATIONS}", STANDARD.encode(salt));
    Some(Step::Challenge {
        challenge: server_first.clone().into_bytes(),
        next: Awaited::ScramFinal(Box::new(Scram {
            user,
            gs2_header: format!("{binding},{acts_for},"),
            client_first_bare: bare.to_owned(),
            server_first,
            nonce,
            salt,
        })),
    })
}

impl Scram {
    /// <https://www.rfc-editor.org/rfc/rfc5802#section-3>
    fn last(self, text: &str, secret: &str, is_known: bool) -> Option<Step> {
        let (without_proof, proof) = text.rsplit_once(",p=")?;
        let mut attributes = without_proof.split(',');
        let binding = STANDARD.decode(attributes.next()?.strip_prefix("c=")?).ok()?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        let proof = STANDARD.decode(proof).ok()?;
        let user = self.user;
        if binding != self.gs2_header.as_bytes() || nonce != self.nonce {
            return Some(Step::Denied { user });
        }
        let mut salted = [0; digest::SHA256_OUTPUT_LEN];
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::derive(algorithm, ITERATIONS, &self.salt, secret.as_bytes(), &mut salted);
        let said = format!("{},{},{without_proof}", self.client_first_bare, self.server_first);
        let client_key = mac(&salted, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
        let signature = mac(stored_key.as_ref(), said.as_bytes());
        let shown: Vec<u8> = proof.iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        if !is_known || proof.len() != salted.len() || shown != client_key.as_ref() {
            return Some(Step::Denied { user });
        }
        let server_key = mac(&salted, b"Server Key");
        let signature = mac(server_key.as_ref(), said.as_bytes());
        // SMTP has no place for it in the reply that accepts: https://www.rfc-editor.org/rfc/rfc4954#section-4
        Some(Step::Challenge {
            challenge: format!("v={}", STANDARD.encode(signature)).into_bytes(),
            next: Awaited::ScramEnd { user },
        })
    }
}

fn mac(key: &[u8], octets: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of <https://www.rfc-editor.org/rfc/rfc7677#section-3>.
    fn scram() -> Scram {
        let mut salt = [0; 16];
        salt.copy_from_slice(&STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64"));
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        Scram {
            user: "user".to_owned(),
            gs2_header: "n,,".to_owned(),
            client_first_bare: "n=user,r=rOprNGfwEbeRWgbNEkqO".to_owned(),
            server_first: format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"),
            nonce: nonce.to_owned(),
            salt,
        }
    }

    const FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                         p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    #[test]
    fn the_example_of_the_standard_is_accepted() {
        let Some(Step::Challenge { challenge, next }) = scram().last(FINAL, "pencil", true) else {
            panic!("no challenge")
        };
        assert_eq!(challenge, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert!(matches!(next.response(Vec::new(), &[]), Some(Step::Accepted { user }) if user == "user"));
    }

    #[test]
    fn a_proof_is_of_this_secret_this_exchange_and_this_user() {
        let denied = |text: &str, secret, is_known| {
            matches!(scram().last(text, secret, is_known), Some(Step::Denied { .. }))
        };
        assert!(denied(FINAL, "pencils", true));
        assert!(denied(FINAL, "pencil", false));
        assert!(denied(&FINAL.replace("hNlF", "hNlG"), "pencil", true));
        assert!(denied(&FINAL.replace("biws", "eSws"), "pencil", true));
        assert!(denied(&FINAL.replace("p=dHzb", "p="), "pencil", true));
        assert!(denied(
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=",
            "pencil",
            true
        ));
        assert!(scram().last("c=biws", "pencil", true).is_none());
    }

    #[test]
    fn the_first_message_of_scram_has_its_form() {
        for wrong in [
            "",
            "n,,",
            "p=tls-unique,,n=u,r=x",
            "n,,m=x,n=u,r=x",
            "n,,n=,r=x",
            "n,,n=u",
            "n,a=other,n=u,r=x",
        ] {
            assert!(scram_first(wrong).is_none(), "{wrong}");
        }
        let Some(Step::Challenge { challenge, next }) = scram_first("n,,n=a=2Cb=3D,r=x") else {
            panic!("no challenge")
        };
        assert!(challenge.starts_with(b"r=x"));
        assert_eq!(next.user(), Some("a,b="));
    }
}
