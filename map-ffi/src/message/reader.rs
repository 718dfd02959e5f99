//! Data that functions of the program give.

use crate::boundary::Answer;
use std::ffi::c_void;
use std::io::{self, Read};
use std::sync::Arc;

/// Begins a stream: a pointer of yours that is handed to the other functions, or NULL if it cannot be begun. See
/// map_part_reader_new().
pub type map_open_fn = Option<unsafe extern "C" fn(user_data: *mut c_void) -> *mut c_void>;

/// Puts at most size octets into the buffer and returns how many; 0 at the end; a negative number if reading failed, and
/// then the mail is not sent.
pub type map_read_fn =
    Option<unsafe extern "C" fn(stream: *mut c_void, buffer: *mut c_void, size: usize) -> isize>;

/// Ends a stream.
pub type map_close_fn = Option<unsafe extern "C" fn(stream: *mut c_void)>;

/// Releases what a pointer of yours stands for. May be called in a thread of the library that other mails wait for: it must
/// not wait, and not send by the same agent.
pub type map_release_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// The functions of a program, and its pointer for them.
#[derive(Debug)]
pub(super) struct Callbacks {
    open: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    read: unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> isize,
    close: map_close_fn,
    user_data: UserData,
}

/// The pointer with the function that releases what it stands for.
#[derive(Debug)]
struct UserData {
    pointer: *mut c_void,
    release: map_release_fn,
}

// SAFETY: nothing here follows the pointer: it is handed to the program's functions, which the header says may be called
// from any thread and at once.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

impl Callbacks {
    /// Whatever it gives, `release` is called once.
    pub(super) fn new(
        open: map_open_fn,
        read: map_read_fn,
        close: map_close_fn,
        user_data: *mut c_void,
        release: map_release_fn,
    ) -> Result<Self, Answer> {
        let user_data = UserData {
            pointer: user_data,
            release,
        };
        Ok(Self {
            open: open.ok_or_else(|| Answer::missing("open"))?,
            read: read.ok_or_else(|| Answer::missing("read"))?,
            close,
            user_data,
        })
    }

    /// What begins streams.
    pub(super) fn opener(self) -> impl Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'static {
        let callbacks = Arc::new(self);
        move || {
            let callbacks = Arc::clone(&callbacks);
            // SAFETY: the program vouches for its function, and that its pointer lives until it is released.
            let stream = unsafe { (callbacks.open)(callbacks.user_data.pointer) };
            if stream.is_null() {
                return Err(io::Error::other(
                    "the function that opens the data reported a failure",
                ));
            }
            Ok(Box::new(Stream { callbacks, stream }))
        }
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the program vouches for its function; it is called once, after every other.
            unsafe { release(self.pointer) };
        }
    }
}

/// A stream that is open.
struct Stream {
    callbacks: Arc<Callbacks>,
    stream: *mut c_void,
}

// SAFETY: nothing here follows the pointer: it is handed to the program's functions, one at a time, which the header says
// may be called from any thread.
unsafe impl Send for Stream {}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        // SAFETY: the program vouches for its function, which writes no further than it is told.
        let read = unsafe { (self.callbacks.read)(self.stream, buffer.as_mut_ptr().cast(), buffer.len()) };
        match usize::try_from(read) {
            Ok(read) if read <= buffer.len() => Ok(read),
            Ok(_) => Err(io::Error::other(
                "the function that reads the data claims more octets than there is room for",
            )),
            Err(_) => Err(io::Error::other(
                "the function that reads the data reported a failure",
            )),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(close) = self.callbacks.close {
            // SAFETY: the program vouches for its function; the stream is not used after it.
            unsafe { close(self.stream) };
        }
    }
}
