//! Keeps a secret out of what is written down of a conversation.
//!
//! No command is ever written down. But servers repeat what they do not understand (`500 5.5.1 Command unrecognized:
//! "AUTH PLAIN …"` is what Sendmail says), and a reply goes into the report.

use crate::smtp::{Authentication, Event, Loss, NoTls, Outcome, Reply, ReplyCode, Stage};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use memchr::memmem;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What stands in the place of a secret.
const REDACTED: &[u8] = b"***";

/// A shorter form is an everyday word, such as "ok": it is looked for only where the secret is said.
const LONG: usize = 6;

/// A run of base64 this long that begins like a form is a form that was cut short.
const RUN: usize = 16;
const ALIKE: usize = 8;

/// `c=biws` in base64, as each client-final of SCRAM begins: its proof is worth a guess at the password.
const CLIENT_FINAL: &[u8; ALIKE] = b"Yz1iaXdz";

/// The forms in which a secret goes over the wire.
pub(super) struct Redaction {
    /// The longest first: some hold others.
    forms: Vec<Zeroizing<Vec<u8>>>,
}

impl Redaction {
    pub(super) fn new(authentication: &Authentication) -> Self {
        let user = authentication.user.as_str();
        let secret = authentication.secret.expose();
        let encoded =
            |text: String| Zeroizing::new(BASE64_STANDARD.encode(Zeroizing::new(text)).into_bytes());
        let mut forms = vec![
            Zeroizing::new(secret.as_bytes().to_vec()),
            encoded(secret.to_owned()),
            // PLAIN (RFC 4616), also with the user as the identity to act as.
            encoded(format!("\0{user}\0{secret}")),
            encoded(format!("{user}\0{user}\0{secret}")),
            // XOAUTH2
            encoded(format!("user={user}\u{1}auth=Bearer {secret}\u{1}\u{1}")),
        ];
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        Self { forms }
    }

    pub(super) fn event(&self, event: Event) -> Event {
        match event {
            Event::Received { stage, tx, reply } => Event::Received {
                stage,
                tx,
                reply: self.reply(Some(stage), reply),
            },
            Event::Recipient { tx, index, outcome } => Event::Recipient {
                tx,
                index,
                outcome: self.outcome(outcome),
            },
            event => event,
        }
    }

    fn outcome(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Accepted(reply) => Outcome::Accepted(self.reply(None, reply)),
            Outcome::Refused { stage, reply } => Outcome::Refused {
                stage,
                reply: self.reply(Some(stage), reply),
            },
            Outcome::Unexpected { stage, reply } => Outcome::Unexpected {
                stage,
                reply: self.reply(Some(stage), reply),
            },
            Outcome::NoTls(NoTls::Refused(reply)) => Outcome::NoTls(NoTls::Refused(self.reply(None, reply))),
            Outcome::Lost { stage, why } => Outcome::Lost {
                stage,
                why: self.loss(Some(stage), why),
            },
            Outcome::Uncertain(why) => Outcome::Uncertain(self.loss(None, why)),
            Outcome::NoBdat(reply) => Outcome::NoBdat(self.reply(None, reply)),
            Outcome::Crowded(reply) => Outcome::Crowded(self.reply(None, reply)),
            outcome @ (Outcome::NoTls(NoTls::NotOffered) | Outcome::Unfit(_) | Outcome::Unserved) => outcome,
        }
    }

    fn loss(&self, stage: Option<Stage>, loss: Loss) -> Loss {
        match loss {
            Loss::Nonsense(reply) => Loss::Nonsense(self.reply(stage, reply)),
            loss => loss,
        }
    }

    fn reply(&self, stage: Option<Stage>, reply: Arc<Reply>) -> Arc<Reply> {
        // A challenge is no text, and what answers it is worth a guess at the secret.
        if reply.code == ReplyCode::AUTH_CHALLENGE {
            return Arc::new(Reply::new(reply.code, vec![Vec::new()]));
        }
        let in_auth = stage == Some(Stage::Auth);
        let lines: Vec<Vec<u8>> = reply
            .lines
            .iter()
            .map(|line| {
                let line = self.without_forms(line, if in_auth { 0 } else { LONG });
                if in_auth { self.without_runs(&line) } else { line }
            })
            .collect();
        if lines == reply.lines {
            return reply;
        }
        Arc::new(Reply::new(reply.code, lines))
    }

    /// Without what begins like a form, and was cut short.
    fn without_runs(&self, line: &[u8]) -> Vec<u8> {
        let mut redacted = Vec::with_capacity(line.len());
        for run in line.chunk_by(|one, other| is_base64(*one) == is_base64(*other)) {
            let prefixes = self.forms.iter().filter_map(|form| form.get(..ALIKE));
            let holds_one = || {
                prefixes
                    .chain([CLIENT_FINAL.as_slice()])
                    .any(|prefix| memmem::find(run, prefix).is_some())
            };
            let is_secret = run.len() >= RUN && holds_one();
            redacted.extend_from_slice(if is_secret { REDACTED } else { run });
        }
        redacted
    }

    fn without_forms(&self, line: &[u8], shortest: usize) -> Vec<u8> {
        let mut line = line.to_vec();
        for form in self.forms.iter().filter(|form| form.len() >= shortest) {
            let mut redacted = Vec::with_capacity(line.len());
            let mut rest = line.as_slice();
            while let Some(start) = memmem::find(rest, form) {
                let (before, found) = rest.split_at(start);
                redacted.extend_from_slice(before);
                redacted.extend_from_slice(REDACTED);
                rest = found.get(form.len()..).unwrap_or_default();
            }
            redacted.extend_from_slice(rest);
            line = redacted;
        }
        line
    }
}

fn is_base64(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::SecretKind;

    fn redaction(kind: SecretKind) -> Redaction {
        Redaction::new(&Authentication {
            user: "alice".to_owned(),
            secret: "s3cret".into(),
            kind,
            nonce: "n".to_owned(),
        })
    }

    #[test]
    fn a_server_that_repeats_a_secret_is_not_repeated() {
        let plain = BASE64_STANDARD.encode("\0alice\0s3cret");
        let rows = [
            (
                format!("5.5.1 Command unrecognized: \"AUTH PLAIN {plain}\""),
                "5.5.1 Command unrecognized: \"AUTH PLAIN ***\"",
            ),
            (format!("{plain}{plain}"), "******"),
            ("no s3cret, s3cret".to_owned(), "no ***, ***"),
            (BASE64_STANDARD.encode("s3cret"), "***"),
            (
                BASE64_STANDARD.encode("user=alice\u{1}auth=Bearer s3cret\u{1}\u{1}"),
                "***",
            ),
            ("nothing of it".to_owned(), "nothing of it"),
        ];
        for (said, written) in rows {
            let reply = Arc::new(Reply::new(
                ReplyCode(500),
                vec![b"first".to_vec(), said.into_bytes()],
            ));
            let event = Event::Received {
                stage: Stage::Auth,
                tx: None,
                reply: Arc::clone(&reply),
            };
            let Event::Received { reply: seen, .. } = redaction(SecretKind::Password).event(event) else {
                panic!("another event");
            };
            assert_eq!(seen.lines[1], written.as_bytes());
            assert_eq!((seen.code, &seen.lines[0]), (reply.code, &reply.lines[0]));
        }
    }

    fn seen(secret: &str, stage: Stage, code: u16, said: &str) -> Vec<u8> {
        let redaction = Redaction::new(&Authentication {
            user: "alice".to_owned(),
            secret: secret.into(),
            kind: SecretKind::Password,
            nonce: "n".to_owned(),
        });
        let reply = Arc::new(Reply::new(ReplyCode(code), vec![said.as_bytes().to_vec()]));
        redaction.reply(Some(stage), reply).lines.concat()
    }

    #[test]
    fn a_form_that_was_cut_short_is_not_repeated() {
        let plain = BASE64_STANDARD.encode("\0alice\0s3cret-and-more");
        let client_final = BASE64_STANDARD.encode("c=biws,r=nonce,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
        for form in [plain, client_final] {
            let cut = form.get(..RUN).expect("long enough");
            let said = format!("what is \"AUTH {cut}...\"?");
            let written = b"what is \"AUTH ***...\"?".to_vec();
            assert_eq!(seen("s3cret-and-more", Stage::Auth, 500, &said), written);
            assert_eq!(seen("s3cret-and-more", Stage::Quit, 500, &said), said.as_bytes());
        }
        let other = "id AAAABBBBCCCCDDDDEEEE";
        assert_eq!(seen("s3cret", Stage::Auth, 500, other), other.as_bytes());
    }

    #[test]
    fn no_challenge_is_repeated() {
        assert_eq!(seen("s3cret", Stage::Auth, 334, "cj1uLHM9QUFBQSxpPTQwOTY="), b"");
    }

    #[test]
    fn a_short_secret_garbles_no_other_reply() {
        assert_eq!(seen("ok", Stage::Auth, 535, "ok is wrong"), b"*** is wrong");
        assert_eq!(seen("ok", Stage::Rcpt, 250, "2.1.5 ok"), b"2.1.5 ok");
        assert_eq!(seen("s3cret", Stage::Rcpt, 250, "s3cret"), b"***");
    }

    #[test]
    fn every_reply_of_an_outcome_is_looked_through() {
        let reply = Arc::new(Reply::new(ReplyCode(535), vec![b"s3cret".to_vec()]));
        let stage = Stage::Auth;
        let outcomes = [
            Outcome::Accepted(Arc::clone(&reply)),
            Outcome::Refused {
                stage,
                reply: Arc::clone(&reply),
            },
            Outcome::Unexpected {
                stage,
                reply: Arc::clone(&reply),
            },
            Outcome::NoTls(NoTls::Refused(Arc::clone(&reply))),
            Outcome::Lost {
                stage,
                why: Loss::Nonsense(Arc::clone(&reply)),
            },
            Outcome::Uncertain(Loss::Nonsense(Arc::clone(&reply))),
        ];
        for outcome in outcomes {
            let redacted = redaction(SecretKind::Token).outcome(outcome.clone());
            // "s3cret" as the octets that `Debug` shows.
            let octets = format!("{:?}", b"s3cret");
            assert!(format!("{outcome:?}").contains(octets.trim_matches(['[', ']'])));
            assert!(!format!("{redacted:?}").contains(octets.trim_matches(['[', ']'])));
        }
    }
}
