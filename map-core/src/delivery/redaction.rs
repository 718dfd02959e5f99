//! Keeps a secret out of what is written down of a conversation.
//!
//! No command is ever written down. But servers repeat what they do not understand (`500 5.5.1 Command unrecognized:
//! "AUTH PLAIN …"` is what Sendmail says), and a reply goes into the report.

use crate::smtp::{Authentication, Event, Loss, NoTls, Outcome, Reply};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use memchr::memmem;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What stands in the place of a secret.
const REDACTED: &[u8] = b"***";

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
                reply: self.reply(reply),
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
            Outcome::Accepted(reply) => Outcome::Accepted(self.reply(reply)),
            Outcome::Refused { stage, reply } => Outcome::Refused {
                stage,
                reply: self.reply(reply),
            },
            Outcome::Unexpected { stage, reply } => Outcome::Unexpected {
                stage,
                reply: self.reply(reply),
            },
            Outcome::NoTls(NoTls::Refused(reply)) => Outcome::NoTls(NoTls::Refused(self.reply(reply))),
            Outcome::Lost { stage, why } => Outcome::Lost {
                stage,
                why: self.loss(why),
            },
            Outcome::Uncertain(why) => Outcome::Uncertain(self.loss(why)),
            outcome @ (Outcome::NoTls(NoTls::NotOffered) | Outcome::Unfit(_)) => outcome,
        }
    }

    fn loss(&self, loss: Loss) -> Loss {
        match loss {
            Loss::Nonsense(reply) => Loss::Nonsense(self.reply(reply)),
            loss => loss,
        }
    }

    fn reply(&self, reply: Arc<Reply>) -> Arc<Reply> {
        let is_clean = |line: &Vec<u8>| self.forms.iter().all(|form| memmem::find(line, form).is_none());
        if reply.lines.iter().all(is_clean) {
            return reply;
        }
        let lines = reply.lines.iter().map(|line| self.line(line)).collect();
        Arc::new(Reply::new(reply.code, lines))
    }

    fn line(&self, line: &[u8]) -> Vec<u8> {
        let mut line = line.to_vec();
        for form in &self.forms {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::{ReplyCode, SecretKind, Stage};

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
