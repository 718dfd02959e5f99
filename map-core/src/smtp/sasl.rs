//! The mechanisms of AUTH: what each says, and what it makes of what the server says.
//!
//! RFC 4954 section 4, <https://www.rfc-editor.org/rfc/rfc4954#section-4>: a challenge is a 334 with a text in base64,
//! a response is a line in base64. A mechanism whose client speaks first may say so after AUTH at once, if the line is
//! not too long for a command; else it waits for an empty challenge. What servers make of that is read widely: a challenge
//! may be empty or prose where nothing is asked but to go on, and may have several lines; and one that has not seen the
//! message after AUTH is sent it again, once.
//!
//! | mechanism | says | then awaits |
//! | --- | --- | --- |
//! | SCRAM-SHA-256 | its nonce | the server's, and answers with a proof; the server's proof, and answers with nothing |
//! | PLAIN | user name and password | the verdict |
//! | LOGIN | nothing | two prompts, whatever they say: user name, password |
//! | XOAUTH2 | user name and token | the verdict; or an error as a challenge, which is answered with nothing |
//!
//! Whatever holds a secret is overwritten when it is dropped: the messages here, and the octets on their way.

use super::auth::{Authentication, SecretKind};
use super::scram::{self, ClientFinal, ClientFirst, DerivedKey, KeyDerivation, ServerFinal, ServerSignature};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use std::collections::VecDeque;
use std::fmt;
use zeroize::Zeroizing;

/// RFC 5321 section 4.5.3.1.4, <https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.4>:
/// > The maximum total length of a command line including the command word and the `<CRLF>` is 512 octets.
///
/// RFC 4954 section 4 makes no exception for AUTH with an initial response; the lines after it may be longer.
const MAX_COMMAND_LINE: usize = 512;

/// A way to prove who one is (SASL, RFC 4422) that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthMechanism {
    /// User name and password, each as it is asked for; never specified, and widely used.
    Login,
    /// User name and password in one message (RFC 4616).
    Plain,
    /// Both sides prove that they know the password, and neither tells it (RFC 7677).
    ScramSha256,
    /// User name and OAuth 2.0 access token, as large providers of mail want it.
    XOauth2,
}

/// What one run of a mechanism awaits of the server.
#[derive(Debug)]
pub(super) enum Awaits {
    /// The answer to the first message, which went with AUTH; or a challenge of a server that did not look for it there.
    AnswerToFirst(FirstMessage),
    /// A challenge that asks for the first message, whatever it says.
    Invitation(FirstMessage),
    /// LOGIN
    UserPrompt,
    /// LOGIN
    PasswordPrompt,
    /// SCRAM
    ServerFirst(ClientFirst),
    /// SCRAM: nothing of the server, but a key of the driver.
    Key(ClientFinal),
    /// SCRAM
    ServerFinal(Box<ServerSignature>),
    /// The verdict, or an error as a challenge.
    VerdictOnToken,
    /// The verdict.
    Verdict,
    /// The reply to follow a SCRAM error. The server has proved nothing.
    Refusal,
}

/// A message and what it makes us await.
pub(super) struct FirstMessage {
    message: Message,
    then: Box<Awaits>,
}

/// What may hold a secret.
type Message = Zeroizing<Vec<u8>>;

/// A line to send, and what is awaited then.
pub(super) type SaslStep = (Bytes, Awaits);

/// What follows a challenge.
pub(super) enum Answer {
    /// It takes a while to be computed.
    Derive(KeyDerivation, Awaits),
    Line(Bytes, Awaits),
}

impl From<SaslStep> for Answer {
    fn from((octets, awaits): SaslStep) -> Self {
        Self::Line(octets, awaits)
    }
}

/// What a 235 is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Success {
    /// The client has not said yet who it is.
    TooEarly,
    /// The server has not proved what it had to.
    Unproved,
    Verified,
}

/// Why a challenge is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadChallenge {
    Nonsense,
    /// The server does not know the password.
    Unproved,
}

impl AuthMechanism {
    /// By its registered name, in any case.
    pub(super) fn of_name(name: &[u8]) -> Option<Self> {
        [Self::Login, Self::Plain, Self::ScramSha256, Self::XOauth2]
            .into_iter()
            .find(|mechanism| mechanism.as_str().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Its registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Login => "LOGIN",
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::XOauth2 => "XOAUTH2",
        }
    }

    /// Those that a kind of secret is for, best first.
    fn of_kind(kind: SecretKind) -> &'static [Self] {
        match kind {
            SecretKind::Password => &[Self::ScramSha256, Self::Plain, Self::Login],
            SecretKind::Token => &[Self::XOauth2],
        }
    }

    /// Its messages can carry this user name and secret, and nothing else than these.
    fn can_carry(self, auth: &Authentication) -> bool {
        let secret = auth.secret.expose();
        let is_clean = |separator: char| !auth.user.contains(separator) && !secret.contains(separator);
        match self {
            Self::Login => true,
            Self::Plain => is_clean('\0'),
            Self::ScramSha256 => {
                ClientFirst::new(&auth.user, &auth.nonce).is_some() && scram::prepared(secret).is_some()
            }
            Self::XOauth2 => is_clean('\u{1}'),
        }
    }
}

/// The mechanisms that both sides have, in the order in which they are tried.
pub(super) fn common(auth: &Authentication, offered: &[AuthMechanism]) -> VecDeque<AuthMechanism> {
    AuthMechanism::of_kind(auth.kind)
        .iter()
        .copied()
        .filter(|mechanism| offered.contains(mechanism) && mechanism.can_carry(auth))
        .collect()
}

/// AUTH, with the first message after it if there is one and it fits.
pub(super) fn begin(mechanism: AuthMechanism, auth: &Authentication) -> SaslStep {
    let command = format!("AUTH {}", mechanism.as_str());
    let first = match mechanism {
        AuthMechanism::Login => None,
        AuthMechanism::Plain => Some(FirstMessage {
            message: concat(&["\0", &auth.user, "\0", auth.secret.expose()]),
            then: Box::new(Awaits::Verdict),
        }),
        AuthMechanism::ScramSha256 => ClientFirst::new(&auth.user, &auth.nonce).map(|first| FirstMessage {
            message: Zeroizing::new(first.message().into_bytes()),
            then: Box::new(Awaits::ServerFirst(first)),
        }),
        AuthMechanism::XOauth2 => Some(FirstMessage {
            message: concat(&[
                "user=",
                &auth.user,
                "\u{1}auth=Bearer ",
                auth.secret.expose(),
                "\u{1}\u{1}",
            ]),
            then: Box::new(Awaits::VerdictOnToken),
        }),
    };
    let Some(first) = first else {
        return (line(&command, None), Awaits::UserPrompt);
    };
    // RFC 4954 section 4, https://www.rfc-editor.org/rfc/rfc4954#section-4
    // > Note that the AUTH command is still subject to the line length limitations defined in [SMTP]. […] If use of
    // > the initial response argument would cause the AUTH command to exceed this length, the client MUST NOT use
    // > the initial response parameter
    let whole = line(&command, Some(&first.message));
    if whole.len() <= MAX_COMMAND_LINE {
        (whole, Awaits::AnswerToFirst(first))
    } else {
        (line(&command, None), Awaits::Invitation(first))
    }
}

impl Awaits {
    /// The answer to a 334 with these lines, in base64 as they came.
    ///
    /// # Errors
    /// When the mechanism cannot go on: the exchange is to be cancelled.
    pub(super) fn handle_challenge(
        self,
        lines: &[Vec<u8>],
        auth: &Authentication,
    ) -> Result<Answer, BadChallenge> {
        let turn = match self {
            Self::AnswerToFirst(FirstMessage { then, .. }) if then.is_meant_by(lines) => {
                return then.handle_challenge(lines, auth);
            }
            // Some servers say something there, which is of no use.
            Self::AnswerToFirst(FirstMessage { message, then })
            | Self::Invitation(FirstMessage { message, then }) => (response(&message), *then),
            // What the prompts say is never to be relied on: they are translated, and not always in base64.
            Self::UserPrompt => (response(auth.user.as_bytes()), Self::PasswordPrompt),
            Self::PasswordPrompt => (response(auth.secret.expose().as_bytes()), Self::Verdict),
            Self::ServerFirst(first) => {
                let said = challenge(lines, is_attribute).ok_or(BadChallenge::Nonsense)?;
                let (derivation, client_final) = first
                    .read(&said, auth.secret.expose())
                    .map_err(|_| BadChallenge::Nonsense)?;
                return Ok(Answer::Derive(derivation, Self::Key(client_final)));
            }
            Self::ServerFinal(signature) => {
                let said = challenge(lines, is_attribute).ok_or(BadChallenge::Nonsense)?;
                match signature.check(&said) {
                    ServerFinal::Error => (response(b""), Self::Refusal),
                    ServerFinal::Malformed => return Err(BadChallenge::Nonsense),
                    ServerFinal::Verified => (response(b""), Self::Verdict),
                    ServerFinal::WrongSignature => return Err(BadChallenge::Unproved),
                }
            }
            Self::VerdictOnToken => (response(b""), Self::Verdict),
            Self::Key(_) | Self::Verdict | Self::Refusal => return Err(BadChallenge::Nonsense),
        };
        Ok(turn.into())
    }

    /// What follows the key that was asked for.
    ///
    /// # Errors
    /// Itself, where none was asked for.
    pub(super) fn handle_key(self, key: &DerivedKey) -> Result<SaslStep, Self> {
        match self {
            Self::Key(client_final) => {
                let (message, signature) = client_final.proved_by(key);
                Ok((
                    response(message.as_bytes()),
                    Self::ServerFinal(Box::new(signature)),
                ))
            }
            other => Err(other),
        }
    }

    /// The challenge is one that the mechanism has here, not one that only asks to go on.
    fn is_meant_by(&self, lines: &[Vec<u8>]) -> bool {
        match self {
            Self::ServerFirst(_) | Self::ServerFinal(_) => challenge(lines, is_attribute).is_some(),
            // The error is told as JSON, by all who offer it.
            Self::VerdictOnToken => challenge(lines, |text| text.starts_with('{')).is_some(),
            Self::PasswordPrompt | Self::UserPrompt => true,
            Self::AnswerToFirst(_) | Self::Invitation(_) | Self::Key(_) | Self::Refusal | Self::Verdict => {
                false
            }
        }
    }

    /// A refusal now is one of the secret, whatever its code says.
    pub(super) fn has_heard_no(&self) -> bool {
        matches!(self, Self::Refusal)
    }

    /// What a 235 is worth now.
    pub(super) fn success(&self) -> Success {
        match self {
            Self::AnswerToFirst(first) => first.then.success(),
            Self::Invitation(_) | Self::UserPrompt | Self::PasswordPrompt => Success::TooEarly,
            Self::ServerFirst(_) | Self::Key(_) | Self::ServerFinal(_) | Self::Refusal => Success::Unproved,
            Self::VerdictOnToken | Self::Verdict => Success::Verified,
        }
    }
}

/// Not what it says.
impl fmt::Debug for FirstMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstMessage")
            .field("then", &self.then)
            .finish_non_exhaustive()
    }
}

/// What the lines of a challenge say, if it is what is looked for: all of them as one, or the last that is.
fn challenge(lines: &[Vec<u8>], is_one: impl Fn(&str) -> bool) -> Option<String> {
    let decode = |text: &[u8]| {
        let octets = STANDARD.decode(text.trim_ascii()).ok()?;
        String::from_utf8(octets).ok().filter(|text| is_one(text))
    };
    let all: Vec<u8> = lines.iter().flat_map(|line| line.trim_ascii()).copied().collect();
    decode(&all).or_else(|| lines.iter().rev().find_map(|line| decode(line)))
}

/// RFC 5802 section 5.1: the messages of SCRAM are attributes, each a letter, `=` and a value.
fn is_attribute(text: &str) -> bool {
    let mut octets = text.bytes();
    octets.next().is_some_and(|letter| letter.is_ascii_alphabetic()) && octets.next() == Some(b'=')
}

fn response(message: &[u8]) -> Bytes {
    line("", Some(message))
}

/// The command, a message in base64 after a blank, CRLF; in one piece of memory that is overwritten at its end.
fn line(command: &str, message: Option<&[u8]>) -> Bytes {
    let message = message.unwrap_or_default();
    let separator = if command.is_empty() || message.is_empty() {
        ""
    } else {
        " "
    };
    let before = command.len() + separator.len();
    let length = base64::encoded_len(message.len(), true).unwrap_or(usize::MAX / 2);
    let mut octets = Zeroizing::new(Vec::with_capacity(before + length + 2));
    octets.extend(command.bytes());
    octets.extend(separator.bytes());
    octets.resize(before + length, 0);
    // It fits: the length was asked for.
    let _ = STANDARD.encode_slice(message, octets.get_mut(before..).unwrap_or_default());
    octets.extend(b"\r\n");
    Bytes::from_owner(octets)
}

/// In one piece of memory, without others left behind as it grows.
fn concat(parts: &[&str]) -> Message {
    let mut message = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    for part in parts {
        message.extend(part.bytes());
    }
    message
}
