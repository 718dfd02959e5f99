//! Messages signed by a domain.

use super::{Form, Message, Warning};
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
    /// # Errors
    /// It has no `From`, or one of its sources cannot be read.
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
        let signed = |form: &Form| form.signed(signers, now, goes_on).map(Arc::new);
        let mut warnings = self.warnings.to_vec();
        for path in signers.iter().filter_map(|signer| signer.exposed()) {
            let warning = Warning::KeyExposed(path.to_owned());
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        let lesser: Result<Vec<_>, _> = self.lesser.iter().map(|form| signed(form)).collect();
        Ok(Self {
            form: signed(&self.form)?,
            lesser: lesser?.into(),
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
