//! Who signs messages.

use crate::boundary::{Answer, guarded, making, replying};
use crate::config::text;
use crate::pointer;
use crate::reply::map_reply;
use crate::text::c_text;
use map_core::address::Domain;
use map_core::dkim::{DkimError, DkimSigner};
use map_core::text::{named, quoted};
use std::ffi::{CString, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::time::Duration;

/// A domain's private key, to sign messages by DKIM: for map_config_add_dkim_signer() and map_message_sign(). Made by
/// map_dkim_signer_new() or map_dkim_signer_file_new(), freed by map_dkim_signer_free().
///
/// One thread at a time may change it; any number may read it and sign by it.
#[derive(Debug)]
pub struct map_dkim_signer {
    signer: DkimSigner,
    record_name: CString,
    record: CString,
    /// Why its expiry was refused, if the last one was.
    refused: Option<Answer>,
}

impl map_dkim_signer {
    fn new(signer: DkimSigner) -> Self {
        Self {
            record_name: c_text(signer.record_name()),
            record: c_text(signer.record()),
            signer,
            refused: None,
        }
    }

    /// What the handle stands for, unless something of it was refused.
    pub(crate) fn whole(&self) -> Result<&DkimSigner, Answer> {
        match &self.refused {
            None => Ok(&self.signer),
            Some(refused) => Err(refused.clone()),
        }
    }
}

impl From<DkimError> for Answer {
    fn from(error: DkimError) -> Self {
        match error {
            DkimError::File { path, error } => {
                Self::unreadable(&error, &named(&path.to_string_lossy()).to_string())
            }
            DkimError::Read(error) => Self::unreadable(&error, "the message"),
            error => Self::misuse(error.to_string()),
        }
    }
}

/// Makes a signer with a key in memory.
///
/// @param domain   that signs: "example.com".
/// @param selector the name of the key among those of the domain: "mail2026".
/// @param pem      the private key in PEM, RSA or Ed25519: "-----BEGIN PRIVATE KEY-----...". It is in no output.
/// @return free with map_dkim_signer_free(); NULL with the reason in map_last_reply().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_dkim_signer_new(
    domain: *const c_char,
    selector: *const c_char,
    pem: *const c_char,
) -> *mut map_dkim_signer {
    making(|| {
        // SAFETY: three strings.
        let (domain, selector, pem) = unsafe {
            (
                text(domain, "domain")?,
                text(selector, "selector")?,
                text(pem, "pem")?,
            )
        };
        let signer = DkimSigner::from_pem(self::domain(domain)?, selector, pem)?;
        Ok(map_dkim_signer::new(signer))
    })
}

/// Makes a signer with a key in a file, which is read now and not again.
///
/// @param domain   as for map_dkim_signer_new().
/// @param selector as for map_dkim_signer_new().
/// @param path     of the file with the private key in PEM. One that every user can write is refused; one that others can
///                 read is a warning in the report of what is signed with it.
/// @return as map_dkim_signer_new().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_dkim_signer_file_new(
    domain: *const c_char,
    selector: *const c_char,
    path: *const c_char,
) -> *mut map_dkim_signer {
    making(|| {
        // SAFETY: three strings.
        let (domain, selector, path) = unsafe {
            (
                text(domain, "domain")?,
                text(selector, "selector")?,
                pointer::string(path).ok_or_else(|| Answer::missing("path"))?,
            )
        };
        let path = Path::new(OsStr::from_bytes(path));
        let signer = DkimSigner::from_file(self::domain(domain)?, selector, path)?;
        Ok(map_dkim_signer::new(signer))
    })
}

/// Frees a signer.
///
/// @param signer may be NULL: nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_dkim_signer_free(signer: *mut map_dkim_signer) {
    guarded((), || {
        // SAFETY: the caller passes NULL or a handle that it has not freed and no other thread uses.
        drop(unsafe { pointer::take(signer) });
    });
}

/// Lets signatures expire. Mail may wait for days in the queue of a relay. Without it they are good for ever. Where it was
/// refused, nobody signs by this signer until it is called again and is not.
///
/// @param signer  required.
/// @param seconds one or more.
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_dkim_signer_set_expiry(signer: *mut map_dkim_signer, seconds: u64) -> map_reply {
    replying(|| {
        // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
        let Some(signer) = (unsafe { pointer::exclusive(signer) }) else {
            return Answer::missing("signer");
        };
        if seconds == 0 {
            let refused = Answer::misuse("a signature is good for one second at least");
            signer.refused = Some(refused.clone());
            return refused;
        }
        signer.signer = signer.signer.clone().expires_after(Duration::from_secs(seconds));
        signer.refused = None;
        Answer::done()
    })
}

/// Where verifiers look for the public key: "mail2026._domainkey.example.com".
///
/// @param signer NULL has none.
/// @return NULL without a signer. Borrowed until the signer is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_dkim_signer_record_name(signer: *const map_dkim_signer) -> *const c_char {
    guarded(ptr::null(), || {
        // SAFETY: NULL or a handle that is not freed meanwhile.
        unsafe { pointer::shared(signer) }.map_or(ptr::null(), |signer| signer.record_name.as_ptr())
    })
}

/// The text of the TXT record that belongs there: "v=DKIM1; k=...".
///
/// @param signer NULL has none.
/// @return NULL without a signer. Borrowed until the signer is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_dkim_signer_record(signer: *const map_dkim_signer) -> *const c_char {
    guarded(ptr::null(), || {
        // SAFETY: NULL or a handle that is not freed meanwhile.
        unsafe { pointer::shared(signer) }.map_or(ptr::null(), |signer| signer.record.as_ptr())
    })
}

fn domain(text: &str) -> Result<Domain, Answer> {
    let parsed: Result<Domain, _> = text.parse();
    parsed.map_err(|error| Answer::misuse(format!("{} is not a domain: {error}", quoted(text))))
}
