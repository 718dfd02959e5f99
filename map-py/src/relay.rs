//! `Relay`.

use crate::config::{port, value_error};
use crate::text::text;
use map_core::RelaySecurity;
use map_core::smtp::SecretKind;
use map_core::text::quoted;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// A mail server that all mail is handed to instead of the recipients' own mail hosts (a smarthost).
///
/// host: its domain name or IP address. A name is looked up as the operating system does for any program (hosts file,
///     search domains), or by the dns_servers of the Agent.
/// port: usual are 587 with "starttls" and 465 with "implicit".
/// security: "starttls": STARTTLS, the certificate verified, or nothing is sent; "implicit": TLS from the first octet,
///     verified as well; "opportunistic": STARTTLS where it works, not verified, else in the clear; "clear": for a relay
///     on this machine or on a network that is trusted.
/// user: logs in by AUTH, with either a password (SCRAM-SHA-256, PLAIN or LOGIN, the first of these that the relay
///     offers) or an OAuth 2.0 access token (XOAUTH2). The secret goes only over verified TLS: "starttls" or "implicit".
///
/// Raises ValueError for a relay that cannot be; the secret is in no message, repr or report.
#[pyclass(frozen, module = "mapagent")]
pub(crate) struct Relay(map_core::Relay);

/// Every protection with its word.
const SECURITY: [(&str, RelaySecurity); 4] = [
    ("starttls", RelaySecurity::StartTls),
    ("implicit", RelaySecurity::Implicit),
    ("opportunistic", RelaySecurity::Opportunistic),
    ("clear", RelaySecurity::Clear),
];

#[pymethods]
impl Relay {
    #[new]
    #[pyo3(signature = (host, port, security="starttls", *, user=None, password=None, token=None))]
    fn new(
        host: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = port)] port: u16,
        security: &str,
        user: Option<&Bound<'_, PyAny>>,
        password: Option<&Bound<'_, PyAny>>,
        token: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let relay = map_core::Relay::new(text(host)?, port, protection(security)?).map_err(value_error)?;
        let (user, secret, kind) = match (user, password, token) {
            (None, None, None) => return Ok(Self(relay)),
            (Some(user), Some(password), None) => (user, password, SecretKind::Password),
            (Some(user), None, Some(token)) => (user, token, SecretKind::Token),
            _ => {
                return Err(value_error(
                    "a log-in is a user and one secret, a password or a token",
                ));
            }
        };
        relay
            .with_login(text(user)?, text(secret)?, kind)
            .map(Self)
            .map_err(value_error)
    }

    /// Its port.
    #[getter]
    fn port(&self) -> u16 {
        self.0.port()
    }

    /// How the connection to it is protected: "starttls", "implicit", "opportunistic" or "clear".
    #[getter]
    fn security(&self) -> &'static str {
        SECURITY
            .iter()
            .find(|(_, security)| *security == self.0.security())
            .map_or("other", |(word, _)| word)
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<mapagent.Relay {} {}>", self.0, self.security())
    }

    #[expect(clippy::unused_self, reason = "Python calls it on an instance")]
    fn __reduce__(&self) -> PyResult<Py<PyAny>> {
        Err(PyTypeError::new_err(
            "a Relay cannot be pickled: it may hold a secret",
        ))
    }
}

impl Relay {
    pub(crate) fn relay(&self) -> &map_core::Relay {
        &self.0
    }
}

fn protection(word: &str) -> PyResult<RelaySecurity> {
    SECURITY
        .iter()
        .find(|(known, _)| *known == word)
        .map(|(_, security)| *security)
        .ok_or_else(|| {
            let known: Vec<_> = SECURITY.iter().map(|(known, _)| *known).collect();
            value_error(format_args!(
                "there is no security {}; there are {}",
                quoted(word),
                known.join(", ")
            ))
        })
}
