//! DKIM: a domain signs what it sends ([RFC 6376](https://www.rfc-editor.org/rfc/rfc6376)).
//!
//! A receiver looks the public key up in the DNS and knows that the message is as the domain sent it. Who sends straight
//! to the recipients' hosts, by no relay that signs, needs a signature for much of his mail to be let in.
//!
//! A [`DkimSigner`] signs with RSA or Ed25519 ([RFC 8463](https://www.rfc-editor.org/rfc/rfc8463)); both forms of
//! canonicalisation are `relaxed`, and the body is signed to its end. A binary body is encoded first. A body is read
//! once, in blocks, whatever its size.
//! [`Message::sign`](crate::message::Message::sign) signs one message; an agent signs what it sends for the domain of
//! each signer it was given ([`Config::add_dkim_signer`](crate::Config::add_dkim_signer)).
//!
//! The signature is our own work over ring. The library there is, mail-auth, would bring a second library of ciphers in
//! its current versions; the last one over ring (0.13) switches on features of the resolver by which every DNS look-up
//! needs the machine's CA certificates, and hashes a body that ends in a line of blanks otherwise than RFC 6376 has it.
//!
//! # Which fields
//!
//! A field that is listed once more than it stands there cannot be added on the way without breaking the signature, and
//! so readers cannot be shown another sender or subject than was signed.
//!
//! | fields | listed |
//! | --- | --- |
//! | From, Reply-To, To, Cc, Subject | once more than they stand there, even when they do not |
//! | Sender, Date, Message-ID, In-Reply-To, References, MIME-Version, Content-Type, Content-Transfer-Encoding | once more than they stand there, if they do |
//! | Resent-…, List-… | as often as they stand there |
//!
//! What hosts add by right (Received, a Date or a Message-ID where there was none) breaks nothing.

mod body;
mod file;
mod header;
mod key;

pub(crate) use body::BodyHash;

use crate::address::{Domain, MailboxError};
use crate::text::{named, quoted};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use header::{Fields, push_relaxed};
use key::Key;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Signs messages for a domain. Cheap to clone.
///
/// # Example
/// ```
/// use map_core::dkim::DkimSigner;
///
/// # let pem = "-----BEGIN PRIVATE KEY-----
/// # MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
/// # -----END PRIVATE KEY-----";
/// // The key was made by `openssl genpkey -algorithm ed25519`.
/// let signer = DkimSigner::from_pem("example.com".parse()?, "mail2026", pem)?;
///
/// // What belongs into the DNS, before the first message is sent.
/// assert_eq!(signer.record_name(), "mail2026._domainkey.example.com");
/// assert!(signer.record().starts_with("v=DKIM1; k=ed25519; p="));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct DkimSigner {
    domain: Domain,
    selector: Domain,
    key: Arc<Key>,
    expires_after: Option<Duration>,
    /// The file of the key, where others can read it.
    exposed: Option<Arc<Path>>,
}

/// Why nothing can be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DkimError {
    /// The message travels unchanged and has a CR or LF that is no line end, over which verifiers do not agree (RFC 6376
    /// section 5.3). Take an LF for a line end ([`Raw::unix_line_ends`](crate::message::Raw::unix_line_ends)), or encode the
    /// body.
    #[error(
        "the message has a CR or LF that is not a line end, and a signature over it is good for some verifiers only; \
         encode the body, or have its line ends made CRLF (unix_line_ends)"
    )]
    BareLineEnd,
    /// The private key needs a password, and nobody could give one. Store it without, readable by this program alone:
    /// `openssl pkey -in encrypted.pem -out key.pem`.
    #[error("the private key is encrypted; take its password off, and let nobody else read the file")]
    Encrypted,
    /// The file with the private key could not be read.
    #[error("the private key {} cannot be read: {error}", named(&.path.to_string_lossy()))]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Every user of this machine can write the file with the private key, so it is anybody's. Make a new key, and keep it
    /// where only the owner can write and read it: `chmod 600`. Found on Unix only.
    #[error(
        "everybody on this machine can write the private key {}, so it may be anybody's: make a new one, and let only its \
         owner read and write it (chmod 600)",
        named(&.path.to_string_lossy())
    )]
    FileOfEverybody {
        /// Which file.
        path: PathBuf,
    },
    /// It is a private key that no verifier could verify, or that ring does not take. Make an RSA key of 2,048 bits, or
    /// an Ed25519 key.
    #[error("the private key cannot sign: {0}")]
    Key(String),
    /// The message has no `From`, which every signature covers.
    #[error("a message without a header field From cannot be signed")]
    NoFrom,
    /// The text holds no private key in PEM: `-----BEGIN PRIVATE KEY-----` or `-----BEGIN RSA PRIVATE KEY-----`.
    #[error("there is no private key in PEM form")]
    NoKey,
    /// The system gave no random octets, or the key was found to be wrong while it signed.
    #[error("signing failed for lack of random octets")]
    Random,
    /// The message could not be read: one of its sources failed.
    #[error("the message cannot be read: {0}")]
    Read(#[from] io::Error),
    /// The selector is no name in the DNS: words of letters, digits and hyphens, with dots between them.
    #[error("{} is no DKIM selector: {error}", quoted(.selector))]
    Selector {
        /// The selector as it was given.
        selector: String,
        /// What is wrong with it.
        error: MailboxError,
    },
}

/// Listed once more than they stand there, even when they do not.
const SEALED: [&str; 5] = ["From", "Reply-To", "To", "Cc", "Subject"];
/// Listed once more than they stand there, if they do. A host may add the first ones where they are missing.
const SEALED_IF_PRESENT: [&str; 8] = [
    "Sender",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];
/// Listed as often as they stand there: who sends the message on adds his own. Receivers heed List-Unsubscribe only where
/// it is signed, <https://www.rfc-editor.org/rfc/rfc8058#section-4>.
const SIGNED: [&str; 14] = [
    "Resent-From",
    "Resent-Sender",
    "Resent-To",
    "Resent-Cc",
    "Resent-Date",
    "Resent-Message-ID",
    "List-Id",
    "List-Help",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Subscribe",
    "List-Post",
    "List-Owner",
    "List-Archive",
];

impl DkimSigner {
    /// A signer with a private key in PEM: PKCS#8 (`PRIVATE KEY`), RSA or Ed25519, or PKCS#1 (`RSA PRIVATE KEY`). The
    /// selector names the key among those of the domain.
    ///
    /// # Errors
    /// What is wrong with the selector or the key.
    pub fn from_pem(domain: Domain, selector: &str, pem: impl AsRef<[u8]>) -> Result<Self, DkimError> {
        // Not by the grammar of a domain: a selector may be a number.
        let selector = Domain::from_dns(selector).map_err(|error| DkimError::Selector {
            selector: selector.to_owned(),
            error,
        })?;
        Ok(Self {
            domain,
            selector,
            key: Arc::new(Key::from_pem(pem.as_ref())?),
            expires_after: None,
            exposed: None,
        })
    }

    /// The same with a key in a file, which is read here and not again.
    ///
    /// On Unix, a file that every user can write is refused, and one that others than its owner can read (or its group can
    /// write) is taken with a [warning](crate::message::Warning::KeyExposed) in what is signed with it, and so in the
    /// report. On other systems nobody looks.
    ///
    /// # Errors
    /// What is wrong with the selector, the file or the key.
    pub fn from_file(domain: Domain, selector: &str, path: impl AsRef<Path>) -> Result<Self, DkimError> {
        let path = path.as_ref();
        let file = file::read(path)?;
        let mut signer = Self::from_pem(domain, selector, file.pem)?;
        signer.exposed = file.is_exposed.then(|| path.into());
        Ok(signer)
    }

    /// Lets signatures be good for so long, one second at least; for ever if this is not called. Mail may wait for days
    /// in the queue of a relay.
    #[must_use]
    pub fn expires_after(mut self, time: Duration) -> Self {
        self.expires_after = Some(time);
        self
    }

    /// The domain that signs.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The name of the key among those of the domain.
    pub fn selector(&self) -> &str {
        self.selector.as_ascii()
    }

    /// The algorithm as the signature names it: `rsa-sha256` or `ed25519-sha256`.
    pub fn algorithm(&self) -> &'static str {
        self.key.algorithm()
    }

    /// Where verifiers look for the public key: `selector._domainkey.domain`.
    pub fn record_name(&self) -> String {
        format!(
            "{}._domainkey.{}",
            self.selector.as_ascii(),
            self.domain.as_ascii()
        )
    }

    /// The text of the TXT record that belongs there. It has to be divided into strings of at most 255 octets, which
    /// most DNS servers do by themselves.
    pub fn record(&self) -> String {
        self.key.record()
    }

    /// The file of the key, where others than its owner can read it.
    pub(crate) fn exposed(&self) -> Option<&Path> {
        self.exposed.as_deref()
    }

    /// True for a domain that it can sign for: its own, and those below it.
    pub(crate) fn is_for(&self, domain: &Domain) -> bool {
        domain
            .as_ascii()
            .strip_suffix(self.domain.as_ascii())
            .is_some_and(|above| above.is_empty() || above.ends_with('.'))
    }

    /// The field `DKIM-Signature` for a header section and the hash of a body, with its line end.
    pub(crate) fn signature(
        &self,
        header: &[u8],
        body_hash: &[u8],
        now: SystemTime,
    ) -> Result<Vec<u8>, DkimError> {
        let fields = Fields::parse(header);
        if fields.named("From").next().is_none() {
            return Err(DkimError::NoFrom);
        }
        let mut names: Vec<&str> = Vec::new();
        let mut data = Vec::with_capacity(4096);
        let lists = [
            (&SEALED[..], true, true),
            (&SEALED_IF_PRESENT, true, false),
            (&SIGNED, false, false),
        ];
        for (list, sealed, always) in lists {
            for name in list {
                let before = names.len();
                for field in fields.named(name) {
                    names.push(name);
                    push_relaxed(&mut data, field);
                    data.extend_from_slice(b"\r\n");
                }
                // One that is not there adds nothing to what is signed.
                if sealed && (always || names.len() > before) {
                    names.push(name);
                }
            }
        }

        let mut field = self.unsigned(&names, body_hash, now);
        // https://www.rfc-editor.org/rfc/rfc6376#section-3.7
        // > The DKIM-Signature header field that exists (verifying) or will be inserted (signing) in the message, with
        // > the value of the "b=" tag […] deleted (i.e., treated as the empty string), canonicalized using the header
        // > canonicalization algorithm specified in the "c=" tag, and without a trailing CRLF.
        push_relaxed(&mut data, field.text.as_bytes());
        field.base64(&self.key.sign(&data)?);
        Ok(field.finish())
    }

    /// The field up to its last tag, `b=`.
    fn unsigned(&self, names: &[&str], body_hash: &[u8], now: SystemTime) -> SignatureField {
        let mut field = SignatureField::new();
        field.tag("v=1;");
        field.tag(&format!("a={};", self.key.algorithm()));
        field.tag("c=relaxed/relaxed;");
        field.tag(&format!("d={};", self.domain.as_ascii()));
        field.tag(&format!("s={};", self.selector.as_ascii()));
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        field.tag(&format!("t={};", now.as_secs()));
        if let Some(time) = self.expires_after {
            let end = now.as_secs().saturating_add(time.as_secs().max(1));
            field.tag(&format!("x={end};"));
        }
        for (index, name) in names.iter().enumerate() {
            let behind = if index + 1 == names.len() { ';' } else { ':' };
            if index == 0 {
                field.tag(&format!("h={name}{behind}"));
            } else {
                field.goes_on(&format!("{name}{behind}"));
            }
        }
        field.tag("bh=");
        field.base64(body_hash);
        field.goes_on(";");
        field.tag("b=");
        field
    }
}

/// The key is not shown.
impl fmt::Debug for DkimSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DkimSigner")
            .field("domain", &self.domain.as_ascii())
            .field("selector", &self.selector.as_ascii())
            .field("algorithm", &self.key.algorithm())
            .field("expires_after", &self.expires_after)
            .finish_non_exhaustive()
    }
}

/// A field `DKIM-Signature` under way, folded where its grammar has `FWS`.
struct SignatureField {
    text: String,
    column: usize,
}

impl SignatureField {
    fn new() -> Self {
        let text = "DKIM-Signature:".to_owned();
        Self {
            column: text.len(),
            text,
        }
    }

    /// Begins a tag.
    fn tag(&mut self, text: &str) {
        if self.column + 1 + text.len() > LINE {
            self.fold();
        } else {
            self.push(" ");
        }
        self.push(text);
    }

    /// Goes on with a tag.
    fn goes_on(&mut self, text: &str) {
        if self.column + text.len() > LINE {
            self.fold();
        }
        self.push(text);
    }

    fn base64(&mut self, octets: &[u8]) {
        let text = STANDARD.encode(octets);
        let mut rest = text.as_str();
        while !rest.is_empty() {
            if self.column >= LINE {
                self.fold();
            }
            let (line, behind) = rest.split_at(rest.len().min(LINE - self.column));
            self.push(line);
            rest = behind;
        }
    }

    fn finish(self) -> Vec<u8> {
        let mut octets = self.text.into_bytes();
        octets.extend_from_slice(b"\r\n");
        octets
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.len();
    }

    fn fold(&mut self) {
        self.text.push_str("\r\n ");
        self.column = 1;
    }
}

/// RFC 5322 section 2.1.1, in octets without the line end.
const LINE: usize = 78;

#[cfg(test)]
mod tests;
