//! Messages signed by a domain.

use super::{BodyType, Form, Message, Warning};
use crate::address::{Domain, Mailbox, MailboxDomain};
use crate::dkim::{BodyHash, DkimError, DkimSigner};
use std::io::{self, Read};
use std::sync::Arc;
use std::time::SystemTime;

impl Message {
    /// The same message with a `DKIM-Signature` in front. Several signers may sign it, one after the other: each signature
    /// stands by itself.
    ///
    /// It is read through once for each kind of host that it has [a form for](Self::for_host), a block at a time. What
    /// its files and readers give must be the same when it is sent, or the signature is no good.
    ///
    /// A form with binary bodies is left out, and all hosts get an encoded one: verifiers differ in what they make of a CR
    /// or LF that stands alone.
    ///
    /// # Errors
    /// It has no `From`, one of its sources cannot be read, or it travels unchanged and has a CR or LF alone.
    ///
    /// # Example
    /// ```
    /// use map_core::dkim::DkimSigner;
    /// use map_core::message::Builder;
    /// use std::io::Read;
    ///
    /// # let pem = "-----BEGIN PRIVATE KEY-----
    /// # MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
    /// # -----END PRIVATE KEY-----";
    /// let signer = DkimSigner::from_pem("example.com".parse()?, "mail2026", pem)?;
    /// let message = Builder::new()
    ///     .from("anna@example.com".parse::<map_core::Mailbox>()?)
    ///     .to("bob@example.net".parse::<map_core::Mailbox>()?)
    ///     .text("Who has written this can be known.".parse()?)
    ///     .build()?
    ///     .sign(&signer)?;
    /// let mut octets = String::new();
    /// message.open()?.read_to_string(&mut octets)?;
    /// assert!(octets.starts_with(
    ///     "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com;\r\n s=mail2026; t="
    /// ));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sign(&self, signer: &DkimSigner) -> Result<Self, DkimError> {
        self.sign_by_all(&[signer], &|| true)
    }

    /// Signs it by each of them, with one look through each form of it. Stops with an error once `goes_on` says so.
    pub(crate) fn sign_by_all(
        &self,
        signers: &[&DkimSigner],
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Self, DkimError> {
        let now = SystemTime::now();
        let mut warnings = self.warnings.to_vec();
        for path in signers.iter().filter_map(|signer| signer.exposed()) {
            let warning = Warning::KeyExposed(path.to_owned());
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        // https://www.rfc-editor.org/rfc/rfc6376#section-5.3
        // > In particular, bare CR or LF characters (used by some systems as a local line separator convention) MUST be
        // > converted to the SMTP-standard CRLF sequence before the message is signed.
        let is_binary = |form: &&Arc<Form>| form.demands.body_type() == BodyType::Binary;
        let binary = self.forms().take_while(is_binary).count();
        // A raw message has one form, and no other can be made of it.
        let left_out = binary.min(self.lesser.len());
        let mut forms = Vec::with_capacity(self.lesser.len() + 1);
        for form in self.forms().skip(left_out) {
            forms.push(Arc::new(form.signed(signers, now, goes_on)?));
        }
        let mut forms = forms.into_iter();
        Ok(Self {
            form: forms
                .next()
                .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?,
            lesser: forms.collect(),
            warnings: warnings.into(),
            ..self.clone()
        })
    }

    /// The domains of those in `From`.
    pub(crate) fn author_domains(&self) -> &[Domain] {
        &self.author_domains
    }
}

impl Form {
    fn signed(
        &self,
        signers: &[&DkimSigner],
        now: SystemTime,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Self, DkimError> {
        let mut reader = super::Source::open(self)?;
        // Of a raw message more of it may stand in the body.
        let mut header = Vec::new();
        let mut body = BodyHash::new();
        let mut line_ends = LineEnds::default();
        let mut in_body = false;
        let mut block = vec![0; 64 * 1024];
        loop {
            if !goes_on() {
                return Err(io::Error::from(io::ErrorKind::Interrupted).into());
            }
            let read = match reader.read(&mut block) {
                Ok(read) => block.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if read.is_empty() {
                break;
            }
            if !line_ends.are_pairs(read) {
                return Err(DkimError::BareLineEnd);
            }
            if in_body {
                body.update(read);
                continue;
            }
            // The end may be divided between two blocks.
            let looked_at = header.len().saturating_sub(HEADER_END.len());
            header.extend_from_slice(read);
            let behind = header.get(looked_at..).unwrap_or_default();
            if let Some(end) = memchr::memmem::find(behind, HEADER_END) {
                let end = looked_at + end + HEADER_END.len();
                body.update(header.get(end..).unwrap_or_default());
                header.truncate(end);
                in_body = true;
            }
        }
        if line_ends.after_cr {
            return Err(DkimError::BareLineEnd);
        }
        let body_hash = body.finish();
        let mut signatures = Vec::new();
        for signer in signers {
            signatures.extend(signer.signature(&header, body_hash.as_ref(), now)?);
        }
        signatures.extend_from_slice(&self.header);
        Ok(Self {
            header: signatures.into(),
            body: Arc::clone(&self.body),
            demands: self.demands.clone(),
        })
    }
}

/// Looks for a CR or LF that stands alone.
#[derive(Default)]
struct LineEnds {
    after_cr: bool,
}

impl LineEnds {
    /// True as long as there is none.
    fn are_pairs(&mut self, octets: &[u8]) -> bool {
        let mut rest = octets;
        while let Some(&first) = rest.first() {
            if std::mem::take(&mut self.after_cr) {
                if first != b'\n' {
                    return false;
                }
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else {
                return true;
            };
            if rest.get(end) == Some(&b'\n') {
                return false;
            }
            self.after_cr = true;
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        true
    }
}

const HEADER_END: &[u8] = b"\r\n\r\n";

/// The domains of mailboxes, each once. One at an address literal has none.
pub(super) fn domains<'a>(mailboxes: impl IntoIterator<Item = &'a Mailbox>) -> Arc<[Domain]> {
    let mut domains: Vec<Domain> = Vec::new();
    for mailbox in mailboxes {
        if let MailboxDomain::Domain(domain) = mailbox.domain()
            && !domains.contains(domain)
        {
            domains.push(domain.clone());
        }
    }
    domains.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{AddressList, Builder, Needs, Part, Raw, TransferEncoding};

    fn signer() -> DkimSigner {
        let pem = "-----BEGIN PRIVATE KEY-----\n\
            MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
            -----END PRIVATE KEY-----";
        DkimSigner::from_pem("x.example".parse().unwrap(), "s", pem).unwrap()
    }

    fn builder() -> Builder {
        let addresses = |text: &str| text.parse::<AddressList>().unwrap();
        Builder::new()
            .from(addresses("a@x.example"))
            .to(addresses("b@y.example"))
    }

    #[test]
    fn binary_bodies_are_encoded_before_they_are_signed() {
        let everything = Needs {
            body_type: BodyType::Binary,
            smtputf8: false,
        };
        let part = || Part::octets(&b"a\nb\rc\0\r\n"[..]);
        for message in [
            builder().attach(part()).body_type(BodyType::Binary),
            builder().attach(part().transfer_encoding(TransferEncoding::Binary)),
            builder().body(part().transfer_encoding(TransferEncoding::Binary)),
        ] {
            let message = message.build().unwrap();
            assert_eq!(message.needs().body_type, BodyType::Binary);
            let signed = message.sign(&signer()).unwrap();
            assert!(signed.needs().body_type < BodyType::Binary);
            let mut octets = String::new();
            let sent = signed.for_host(everything).unwrap();
            sent.open().unwrap().read_to_string(&mut octets).unwrap();
            assert!(octets.starts_with("DKIM-Signature: "));
            assert!(octets.contains("Content-Transfer-Encoding: base64"));
            assert_eq!(octets.matches('\n').count(), octets.matches("\r\n").count());
            assert!(
                signed
                    .forms()
                    .all(|form| form.header.starts_with(b"DKIM-Signature"))
            );
        }
    }

    #[test]
    fn a_line_end_alone_is_not_signed() {
        let header = "From: a@x.example\r\nTo: b@y.example\r\nDate: Sun, 22 Nov 2026 01:40:00 +0100\r\n\r\n";
        let raw = |body: &str| Raw::octets(format!("{header}{body}")).build().unwrap();
        for body in ["a\nb\r\n", "a\rb\r\n", "a\r\n\n", "a\r\r\n", "a\r"] {
            let error = raw(body).sign(&signer()).unwrap_err();
            assert!(matches!(error, DkimError::BareLineEnd), "{body:?}: {error}");
        }
        // Long lines and NUL are no trouble to verifiers.
        for body in ["a\r\n", "", &format!("{}\0\r\n", "x".repeat(2_000))] {
            assert!(raw(body).sign(&signer()).is_ok(), "{body:?}");
        }
        let unix = Raw::octets(format!("{header}a\nb\n"))
            .unix_line_ends()
            .build()
            .unwrap();
        assert!(unix.sign(&signer()).is_ok());
        // What a message in a message has is its own.
        let inner = builder().body(Part::message(raw("a\nb\r\n"))).build().unwrap();
        assert!(matches!(inner.sign(&signer()), Err(DkimError::BareLineEnd)));
    }

    #[test]
    fn line_ends_in_any_pieces() {
        for (text, pairs) in [
            (&b"a\r\nb\r\n\r\n"[..], true),
            (b"", true),
            (b"\n", false),
            (b"a\r\n\n", false),
            (b"\r\r\n", false),
            (b"\r", false),
        ] {
            for piece in 1..=text.len().max(1) {
                let mut line_ends = LineEnds::default();
                let seen = text.chunks(piece).all(|piece| line_ends.are_pairs(piece));
                assert_eq!(seen && !line_ends.after_cr, pairs, "{text:?} by {piece}");
            }
        }
    }
}
