//! The only place where pointers that came from C are followed.

use std::ffi::{CStr, c_char};

/// The octets of a NUL-terminated string; `None` for NULL.
///
/// # Safety
/// `string` is NULL or points to a NUL-terminated string that nobody changes while `'a` lasts.
pub(crate) unsafe fn string<'a>(string: *const c_char) -> Option<&'a [u8]> {
    if string.is_null() {
        return None;
    }
    // SAFETY: not NULL, and the caller vouches for the rest.
    Some(unsafe { CStr::from_ptr(string) }.to_bytes())
}

/// Octets that a length counts.
pub(crate) enum Counted<'a> {
    /// The octets; none for NULL with length 0.
    Octets(&'a [u8]),
    /// NULL with a length that is not 0.
    Null,
    /// More than an object in memory can have.
    TooLong,
}

/// The octets at `data`, `length` of them.
///
/// # Safety
/// `data` is NULL or points to `length` octets that nobody changes while `'a` lasts.
pub(crate) unsafe fn counted<'a>(data: *const c_char, length: usize) -> Counted<'a> {
    if length > isize::MAX.unsigned_abs() {
        return Counted::TooLong;
    }
    match (data.is_null(), length) {
        (true, 0) => Counted::Octets(&[]),
        (true, _) => Counted::Null,
        // SAFETY: not NULL, no longer than an object can be, and the caller vouches for the rest.
        (false, _) => Counted::Octets(unsafe { std::slice::from_raw_parts(data.cast(), length) }),
    }
}

/// The objects of an array; `None` for NULL, or for more than an object in memory can have.
///
/// # Safety
/// `array` is NULL or points to `count` objects that nobody changes while `'a` lasts.
pub(crate) unsafe fn array<'a, T>(array: *const T, count: usize) -> Option<&'a [T]> {
    let octets = count.checked_mul(size_of::<T>())?;
    if array.is_null() || octets > isize::MAX.unsigned_abs() {
        return None;
    }
    // SAFETY: not NULL, no longer than an object can be, and the caller vouches for the rest.
    Some(unsafe { std::slice::from_raw_parts(array, count) })
}

/// The object behind a handle; `None` for NULL.
///
/// # Safety
/// `handle` is NULL or was made by [`give`], has not been freed and is changed by nobody while `'a` lasts.
pub(crate) unsafe fn shared<'a, T>(handle: *const T) -> Option<&'a T> {
    // SAFETY: what `as_ref` asks for is what the caller vouches for.
    unsafe { handle.as_ref() }
}

/// The object behind a handle, to change it; `None` for NULL.
///
/// # Safety
/// `handle` is NULL or was made by [`give`], has not been freed and is used by nobody else while `'a` lasts.
pub(crate) unsafe fn exclusive<'a, T>(handle: *mut T) -> Option<&'a mut T> {
    // SAFETY: what `as_mut` asks for is what the caller vouches for.
    unsafe { handle.as_mut() }
}

/// Writes an output, unless the caller does not want it.
///
/// # Safety
/// `place` is NULL or can be written.
pub(crate) unsafe fn write<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: not NULL, and the caller vouches for the rest. Nothing is dropped: what lies there may be uninitialised.
        unsafe { place.write(value) };
    }
}

/// Makes a handle out of an object: from here on it is C's to free.
pub(crate) fn give<T>(object: T) -> *mut T {
    Box::into_raw(Box::new(object))
}

/// Takes an object back from its handle; nothing for NULL.
///
/// # Safety
/// `handle` is NULL or was made by [`give`] and has not been freed.
pub(crate) unsafe fn take<T>(handle: *mut T) -> Option<Box<T>> {
    if handle.is_null() {
        return None;
    }
    // SAFETY: not NULL, made by `give` out of a box, and not freed before.
    Some(unsafe { Box::from_raw(handle) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr;

    #[test]
    fn null_is_nothing() {
        // SAFETY: NULL is allowed everywhere here.
        unsafe {
            assert!(string(ptr::null()).is_none());
            assert!(shared(ptr::null::<u8>()).is_none());
            assert!(exclusive(ptr::null_mut::<u8>()).is_none());
            assert!(take(ptr::null_mut::<u8>()).is_none());
            write(ptr::null_mut(), 1_u8);
            assert!(matches!(counted(ptr::null(), 0), Counted::Octets(&[])));
            assert!(matches!(counted(ptr::null(), 1), Counted::Null));
        }
    }

    #[test]
    fn an_absurd_length_is_not_followed() {
        let octet = [0_u8];
        // SAFETY: a length beyond every object is refused before the pointer is followed.
        let counted = unsafe { counted(octet.as_ptr().cast(), usize::MAX) };
        assert!(matches!(counted, Counted::TooLong));
    }

    #[test]
    fn a_handle_gives_its_object_back() {
        let handle = give(7_u8);
        // SAFETY: made just now, used by nobody else, freed once.
        unsafe {
            assert_eq!(shared(handle), Some(&7));
            if let Some(value) = exclusive(handle) {
                *value = 8;
            }
            assert_eq!(take(handle).map(|value| *value), Some(8));
        }
    }
}
