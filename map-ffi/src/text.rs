//! Texts on their way to C: NUL-terminated.

use std::ffi::{CStr, CString, c_char};

/// A text for C. A NUL inside, which C would take for the end, becomes U+FFFD.
pub(crate) fn c_text(text: impl Into<String>) -> CString {
    let text = text.into();
    CString::new(text).unwrap_or_else(|error| {
        let octets = error.into_vec();
        let text = String::from_utf8_lossy(&octets).replace('\0', "\u{FFFD}");
        CString::new(text).unwrap_or_default()
    })
}

/// The pointer that C gets for a text that may be absent.
pub(crate) fn pointer_or_null<T: AsRef<CStr>>(text: Option<&T>) -> *const c_char {
    text.map_or(std::ptr::null(), |text| text.as_ref().as_ptr())
}

/// Octets for C with their length, and a NUL behind them for those who forget it.
#[derive(Debug)]
pub(crate) struct CBytes(Vec<u8>);

impl CBytes {
    pub(crate) fn new(octets: &[u8]) -> Self {
        let mut terminated = Vec::with_capacity(octets.len().saturating_add(1));
        terminated.extend_from_slice(octets);
        terminated.push(0);
        Self(terminated)
    }

    /// Without the NUL behind.
    pub(crate) fn len(&self) -> usize {
        self.0.len().saturating_sub(1)
    }

    pub(crate) fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_inside_does_not_cut_a_text() {
        assert_eq!(c_text("a\0b").to_str(), Ok("a\u{FFFD}b"));
        assert_eq!(c_text("").to_bytes(), b"");
    }

    #[test]
    fn octets_keep_their_nul_and_get_one_more() {
        let octets = CBytes::new(b"a\0b");
        assert_eq!(octets.len(), 3);
        assert_eq!(octets.0, b"a\0b\0");
        assert_eq!(CBytes::new(b"").len(), 0);
    }
}
