//! `DkimSigner`.

use crate::config::{seconds, value_error};
use crate::message::of_file;
use crate::text::text;
use map_core::address::{Domain, MailboxError};
use map_core::dkim::DkimError;
use map_core::text::quoted;
use pyo3::exceptions::{PyOSError, PyTypeError};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::time::Duration;

/// A domain's private key, to sign messages by DKIM.
///
/// domain: that signs.
/// selector: the name of the key among those of the domain.
/// key: the private key in PEM, RSA or Ed25519.
/// key_file: the same in a file, which is read now; one that every user can write is refused, and one that others can read is a warning in the report.
/// expires_after: seconds that a signature is good for, one at least; for ever when None. Mail may wait for days in the queue of a relay.
///
/// Raises ValueError for a key that is none, and OSError for a file that cannot be read; the key is in no message or repr.
#[pyclass(frozen, module = "mapagent")]
pub(crate) struct DkimSigner(map_core::dkim::DkimSigner);

#[pymethods]
impl DkimSigner {
    #[new]
    #[pyo3(signature = (domain, selector, *, key=None, key_file=None, expires_after=None))]
    fn new(
        domain: &str,
        selector: &str,
        key: Option<&Bound<'_, PyAny>>,
        key_file: Option<PathBuf>,
        expires_after: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let parsed: Result<Domain, MailboxError> = domain.parse();
        let domain = parsed.map_err(|error| value_error(format_args!("{}: {error}", quoted(domain))))?;
        let signer = match (key, key_file) {
            (Some(key), None) => map_core::dkim::DkimSigner::from_pem(domain, selector, text(key)?),
            (None, Some(path)) => map_core::dkim::DkimSigner::from_file(domain, selector, path),
            _ => return Err(value_error("a signer has one key: key or key_file")),
        };
        let signer = signer.map_err(|error| match error {
            DkimError::File { path, error } => match error.raw_os_error() {
                Some(number) => of_file(number, &error.to_string(), &path),
                None => PyOSError::new_err(error.to_string()),
            },
            error => value_error(error),
        })?;
        Ok(Self(match expires_after {
            Some(time) => {
                let time = seconds(time, "expires_after")?;
                if time < Duration::from_secs(1) {
                    return Err(value_error("expires_after is one second at least"));
                }
                signer.expires_after(time)
            }
            None => signer,
        }))
    }

    /// The domain that signs.
    #[getter]
    fn domain(&self) -> String {
        self.0.domain().to_string()
    }

    /// The name of the key among those of the domain.
    #[getter]
    fn selector(&self) -> &str {
        self.0.selector()
    }

    /// As the signature names it: "rsa-sha256" or "ed25519-sha256".
    #[getter]
    fn algorithm(&self) -> &'static str {
        self.0.algorithm()
    }

    /// Where verifiers look for the public key: selector._domainkey.domain.
    #[getter]
    fn record_name(&self) -> String {
        self.0.record_name()
    }

    /// The text of the TXT record that belongs there.
    #[getter]
    fn record(&self) -> String {
        self.0.record()
    }

    fn __repr__(&self) -> String {
        format!(
            "<mapagent.DkimSigner {} {}>",
            self.record_name(),
            self.algorithm()
        )
    }

    #[expect(clippy::unused_self, reason = "Python calls it on an instance")]
    fn __reduce__(&self) -> PyResult<Py<PyAny>> {
        Err(PyTypeError::new_err(
            "a DkimSigner cannot be pickled: it holds a secret",
        ))
    }
}

impl DkimSigner {
    pub(crate) fn signer(&self) -> &map_core::dkim::DkimSigner {
        &self.0
    }
}
