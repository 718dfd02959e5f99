//! A Python `str` as the octets that the core checks.

use crate::config::value_error;
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::borrow::Cow;

/// The UTF-8 octets of a text, borrowed where it has them.
///
/// A lone surrogate has no UTF-8 form. It is passed on in the shape that UTF-8 forbids, so that the core finds an
/// ill-formed field and answers `RE_INVALID_FORMAT`: what cannot be mailed is a reply, not an exception.
pub(crate) fn octets<'a>(text: &'a Bound<'_, PyString>) -> PyResult<Cow<'a, [u8]>> {
    match text.to_str() {
        Ok(text) => Ok(Cow::Borrowed(text.as_bytes())),
        Err(_) => text
            .call_method1("encode", ("utf-8", "surrogatepass"))?
            .extract::<Vec<u8>>()
            .map(Cow::Owned),
    }
}

/// A setting that is a text.
///
/// # Errors
/// `TypeError` for what is no `str`. `ValueError` for a lone surrogate; Python's own exception for that carries the whole
/// text, which may be a secret.
pub(crate) fn text<'a>(value: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    value
        .cast::<PyString>()?
        .to_str()
        .map_err(|_| value_error("a lone surrogate is no character"))
}

/// Octets of a peer as a `str`: what is not UTF-8 is shown as `\xNN`.
pub(crate) fn shown<'py>(py: Python<'py>, octets: &[u8]) -> PyResult<Bound<'py, PyString>> {
    let octets = pyo3::types::PyBytes::new(py, octets);
    PyString::from_encoded_object(&octets, Some(c"utf-8"), Some(c"backslashreplace"))
}
