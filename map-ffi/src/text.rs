//! Texts on their way to C: NUL-terminated.

use std::collections::VecDeque;
use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

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
    text.map_or(ptr::null(), |text| text.as_ref().as_ptr())
}

/// What was said last, and before that: who asks for a text in the same expression in which the next one is set, in the
/// arguments of one `printf`, may hold the pointer to the one before.
#[derive(Debug)]
pub(crate) struct Recent<T>(VecDeque<T>);

impl<T> Recent<T> {
    /// As many as calls can be expected in one expression.
    pub(crate) const KEPT: usize = 16;

    pub(crate) const fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(crate) fn newest(&self) -> Option<&T> {
        self.0.back()
    }

    pub(crate) fn add(&mut self, said: T) {
        if self.0.len() >= Self::KEPT {
            self.0.pop_front();
        }
        self.0.push_back(said);
    }
}

/// Octets for C with their length, and a NUL after them for those who forget it.
#[derive(Debug)]
pub(crate) struct CBytes(Vec<u8>);

impl CBytes {
    pub(crate) fn new(octets: &[u8]) -> Self {
        let mut terminated = Vec::with_capacity(octets.len().saturating_add(1));
        terminated.extend_from_slice(octets);
        terminated.push(0);
        Self(terminated)
    }

    /// Without the NUL after.
    pub(crate) fn len(&self) -> usize {
        self.0.len().saturating_sub(1)
    }

    pub(crate) fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

/// A text that is made when it is first asked for, without a lock: a child forked while another thread is making it would
/// wait for ever. Threads that come first together make it each, and all get the one that was put down first.
#[derive(Debug)]
pub(crate) struct LazyText(AtomicPtr<c_char>);

impl LazyText {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// The text, which lives as long as `self` and never changes.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> CString) -> *const c_char {
        let there = self.0.load(Ordering::Acquire);
        if !there.is_null() {
            return there;
        }
        let text = make().into_raw();
        match self
            .0
            .compare_exchange(ptr::null_mut(), text, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => text,
            Err(first) => {
                // SAFETY: from `into_raw` just above, and nobody else has seen it.
                drop(unsafe { CString::from_raw(text) });
                first
            }
        }
    }
}

impl Drop for LazyText {
    fn drop(&mut self) {
        let text = *self.0.get_mut();
        if !text.is_null() {
            // SAFETY: from `into_raw` in `get_or_make`, put down once and freed nowhere else.
            drop(unsafe { CString::from_raw(text) });
        }
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

    #[test]
    fn a_lazy_text_is_made_once_and_stays_where_it_is() {
        let text = LazyText::new();
        let first = text.get_or_make(|| c"first".to_owned());
        assert_eq!(text.get_or_make(|| c"second".to_owned()), first);
        // SAFETY: lives as long as `text`.
        assert_eq!(unsafe { CStr::from_ptr(first) }, c"first");
    }

    /// The second finds the text missing, and the first puts its own down while the second still makes one.
    #[test]
    fn of_two_that_make_a_lazy_text_at_once_the_first_wins() {
        let text = LazyText::new();
        let mut inner = ptr::null();
        let outer = text.get_or_make(|| {
            inner = text.get_or_make(|| c"first".to_owned());
            c"second".to_owned()
        });
        assert_eq!(outer, inner);
        // SAFETY: lives as long as `text`.
        assert_eq!(unsafe { CStr::from_ptr(outer) }, c"first");
    }
}
