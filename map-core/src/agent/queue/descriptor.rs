//! A descriptor that is readable or not, as it is told.

use std::io;
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};

/// An `eventfd`: one number, one descriptor.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct Descriptor(nix::sys::eventfd::EventFd);

#[cfg(target_os = "linux")]
impl Descriptor {
    pub(super) fn new() -> io::Result<Self> {
        use nix::sys::eventfd::{EfdFlags, EventFd};
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self(EventFd::from_flags(flags)?))
    }

    /// Makes it readable.
    pub(super) fn raise(&self) {
        // It fails only for a number that is full, and that is readable.
        let _ = self.0.write(1);
    }

    /// Makes it unreadable.
    pub(super) fn lower(&self) {
        // It fails only for one that is not readable.
        let _ = self.0.read();
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Two connected sockets. Unlike a pipe they raise no SIGPIPE: both ends last as long as this does.
#[cfg(all(unix, not(target_os = "linux")))]
#[derive(Debug)]
pub(super) struct Descriptor {
    near: std::os::unix::net::UnixStream,
    far: std::os::unix::net::UnixStream,
}

#[cfg(all(unix, not(target_os = "linux")))]
impl Descriptor {
    pub(super) fn new() -> io::Result<Self> {
        let (near, far) = std::os::unix::net::UnixStream::pair()?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        Ok(Self { near, far })
    }

    /// Makes it readable.
    pub(super) fn raise(&self) {
        // It fails only for one that is full, and that is readable.
        let _ = io::Write::write(&mut &self.far, &[1]);
    }

    /// Makes it unreadable.
    pub(super) fn lower(&self) {
        let mut read = [0; 64];
        while matches!(io::Read::read(&mut &self.near, &mut read), Ok(1..)) {}
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.near.as_fd()
    }
}

/// There is none that every loop could poll: the wakeup function tells.
#[cfg(not(unix))]
#[derive(Debug)]
pub(super) struct Descriptor;

#[cfg(not(unix))]
impl Descriptor {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    #[allow(clippy::unused_self, reason = "as where there is one")]
    pub(super) fn raise(&self) {}

    #[allow(clippy::unused_self, reason = "as where there is one")]
    pub(super) fn lower(&self) {}
}
