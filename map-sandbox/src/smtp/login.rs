//! AUTH in a session: the command, the responses, and what follows from both.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Effect, Login, Smtp, Stage, Turn};
use crate::auth::{Account, Awaited, Mechanism, Step};

impl Smtp {
    /// <https://www.rfc-editor.org/rfc/rfc4954#section-4>
    pub(super) fn auth(&self, stage: Stage, argument: &str) -> Turn {
        let (name, initial) = match argument.split_once(' ') {
            Some((name, initial)) => (name, Some(initial)),
            None => (argument, None),
        };
        let login = |user, next| Login {
            mechanism: name.to_ascii_uppercase(),
            user,
            next,
        };
        let refuse = |code, enhanced, text: &str| Turn {
            effect: Effect::Auth(login(None, None)),
            ..self.turn(stage, argument, code, enhanced, text)
        };
        if self.user.is_some() || self.transaction.is_some() || self.hello.is_none() {
            return refuse("503", "5.5.1", "No AUTH now");
        }
        let known: Vec<_> = self
            .accounts
            .iter()
            .flat_map(|account| &account.mechanisms)
            .collect();
        let mechanism = Mechanism::from_name(name).filter(|mechanism| known.contains(&mechanism));
        let Some(mechanism) = mechanism else {
            return refuse("504", "5.5.4", "No such mechanism");
        };
        if !self.mechanisms().contains(&mechanism) {
            return refuse("538", "5.7.11", "Encryption required for this mechanism");
        }
        let (awaited, challenge) = Awaited::first(mechanism);
        let Some(initial) = initial else {
            return Turn {
                stage,
                argument: argument.to_owned(),
                answer: challenge_reply(challenge),
                effect: Effect::Auth(login(None, Some(awaited))),
            };
        };
        // > If the client is transmitting an initial response of zero length, it MUST instead transmit the response as
        // > a single equals sign ("=").
        // https://www.rfc-editor.org/rfc/rfc4954#section-4
        let initial = if initial == "=" { "" } else { initial };
        self.step(stage, argument, login(None, Some(awaited)), initial)
    }

    pub(super) fn response(&self, exchange: Login, line: &[u8]) -> Turn {
        let line = String::from_utf8_lossy(line);
        self.step(Stage::Response, &line, exchange, &line)
    }

    fn step(&self, stage: Stage, argument: &str, mut login: Login, line: &str) -> Turn {
        let awaited = login.next.take().unwrap_or(Awaited::Lost);
        let accounts: Vec<_> = self.usable_accounts().collect();
        let (code, enhanced, text) = match awaited.line(line, &accounts) {
            Step::Challenge { challenge, next } => {
                if let Some(user) = next.user() {
                    login.user = Some(user.to_owned());
                }
                login.next = Some(next);
                return Turn {
                    stage,
                    argument: argument.to_owned(),
                    answer: challenge_reply(&challenge),
                    effect: Effect::Auth(login),
                };
            }
            Step::Accepted { user } => {
                login.user = Some(user);
                ("235", "2.7.0", "Authentication succeeded")
            }
            Step::Denied { user } => {
                login.user = login.user.or(Some(user).filter(|user| !user.is_empty()));
                ("535", "5.7.8", "Authentication credentials invalid")
            }
            Step::Cancelled => ("501", "5.7.0", "Authentication cancelled"),
            Step::Malformed => ("501", "5.5.2", "Cannot decode the response"),
            Step::Unavailable => ("454", "4.7.0", "Temporary authentication failure"),
        };
        Turn {
            effect: Effect::Auth(login),
            ..self.turn(stage, argument, code, enhanced, text)
        }
    }

    /// The accounts that may be used now.
    fn usable_accounts(&self) -> impl Iterator<Item = &Account> {
        let is_secure = self.tls.is_some();
        self.accounts
            .iter()
            .filter(move |account| is_secure || account.in_clear)
    }

    /// The mechanisms that may be used now.
    pub(super) fn mechanisms(&self) -> Vec<Mechanism> {
        let mut mechanisms: Vec<_> = self
            .usable_accounts()
            .flat_map(|account| account.mechanisms.iter().copied())
            .collect();
        mechanisms.sort_unstable();
        mechanisms.dedup();
        mechanisms
    }
}

/// A challenge of AUTH, as it stands on the wire.
fn challenge_reply(challenge: &[u8]) -> Vec<u8> {
    // > continue-req    = "334" SP [base64] CRLF
    // https://www.rfc-editor.org/rfc/rfc4954#section-8
    let mut reply = b"334 ".to_vec();
    reply.extend(STANDARD.encode(challenge).into_bytes());
    reply.extend(b"\r\n");
    reply
}
