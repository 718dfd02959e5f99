//! What this machine, or what the caller gave, did not suffice for: `RE_LOCAL`.
//!
//! None of it is the fault of the network, of a host or of the library, and none of it says anything about them: another
//! host would fail for the same reason, so none is tried, and a connection that could not be made for lack of a
//! descriptor proves no blocked port.

use crate::message::SourceError;
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::IpAddr;

/// Why nothing could be sent that neither a host nor the network is to blame for. `Display` is what `RE_LOCAL` prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// `ENOBUFS`: the system has no buffer for a socket.
    #[error("no network buffers left")]
    Buffers,
    /// The caller's file, reader or key: which, and what is wrong with it.
    #[error("{0}")]
    Data(String),
    /// `EMFILE`: the process has as many descriptors as it may have.
    #[error("no file descriptors left in this process")]
    Descriptors,
    /// `ENFILE`: the machine has as many open files as it may have.
    #[error("no file descriptors left on this machine")]
    DescriptorsOfSystem,
    /// `ENOMEM`, or an allocation that failed.
    #[error("no memory left")]
    Memory,
    /// Every local port is taken by another connection to the same host.
    #[error("no local ports left")]
    Ports,
    /// `EAGAIN` of a new thread: the user or the machine has as many as it may have.
    #[error("no threads left")]
    Threads,
    /// The time that the caller gave a mail passed before its turn came to look up or to connect.
    #[error("too many mails under way at once in this program")]
    TooManyAtOnce,
    /// The same, and what it waited for was a session with one host, to which others have as many as one may have.
    #[error("too many mails under way at once to the same mail host")]
    TooManyToOneHost,
}

impl LocalError {
    /// What the system lacked, if that is what an error says.
    pub(crate) fn shortage(error: &io::Error) -> Option<Self> {
        // It may have come with the name of what could not be opened.
        let inner = error.get_ref();
        let told = inner.and_then(|inner| inner.downcast_ref::<Self>());
        let number = match inner.and_then(|inner| inner.downcast_ref::<SourceError>()) {
            Some(SourceError::File { number, .. } | SourceError::Reader { number, .. }) => *number,
            _ => error.raw_os_error(),
        };
        told.filter(|told| told.passes())
            .cloned()
            .or_else(|| by_number(number?))
            .or_else(|| (error.kind() == io::ErrorKind::OutOfMemory).then_some(Self::Memory))
    }

    /// What the system lacked to connect to that address.
    pub(crate) fn of_connecting(error: &io::Error, to: Option<IpAddr>) -> Option<Self> {
        let no_address = matches!(
            error.kind(),
            io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable
        );
        // Over IPv6 the same is said by a machine that has no address to send from.
        let no_port = no_address && to.is_some_and(|address| address.is_ipv4());
        Self::shortage(error).or(no_port.then_some(Self::Ports))
    }

    /// What this machine lacks now for one socket more.
    pub(crate) fn of_another_socket() -> Option<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None);
        socket.err().and_then(|error| Self::shortage(&error))
    }

    /// What a thread that could not be started lacked.
    pub(crate) fn of_thread(error: &io::Error) -> Self {
        Self::shortage(error).unwrap_or(Self::Threads)
    }

    /// Why data of the caller's cannot be read or written; `of` names it where the error does not.
    pub fn of_data(error: &io::Error, of: &str) -> Self {
        let inner = error.get_ref();
        let is_named = inner.is_some_and(|inner| inner.is::<Self>() || inner.is::<SourceError>());
        match Self::shortage(error) {
            Some(shortage) => shortage,
            None if is_named => Self::Data(error.to_string()),
            None => Self::Data(format!("{of}: {}", in_words(error))),
        }
    }

    /// Of a content of which nothing more is known.
    pub(crate) fn unreadable_content() -> Self {
        Self::Data("the content could not be read to its end".to_owned())
    }

    /// What to do about it, a sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Buffers => {
                "This machine has too many connections, or too little memory for them: send less at once."
            }
            Self::Data(_) => {
                "See to it that what is named there can be read to its end, and is what it was, and send it again."
            }
            Self::Descriptors => {
                "Close what is not needed, or let the process have more of them (ulimit -n, RLIMIT_NOFILE, \
                 LimitNOFILE of systemd)."
            }
            Self::DescriptorsOfSystem => "Close what is not needed, or raise fs.file-max.",
            Self::Memory => {
                "Let the process have more memory (ulimit -v, the limit of its container), or send less at once."
            }
            Self::Ports => {
                "Too many connections to the same host are open or were closed a moment ago: send less at once, or \
                 widen net.ipv4.ip_local_port_range."
            }
            Self::Threads => {
                "Let the user or the container have more of them (ulimit -u, pids.max, TasksMax of systemd)."
            }
            Self::TooManyAtOnce => {
                "Send fewer at once, set a longer deadline, or let the process have more descriptors (ulimit -n, \
                 RLIMIT_NOFILE, LimitNOFILE of systemd)."
            }
            Self::TooManyToOneHost => {
                "Send fewer to the same host at once, set a longer deadline, or send one message to several recipients."
            }
        }
    }

    /// It may be better in a moment, without anybody's doing.
    pub(crate) fn passes(&self) -> bool {
        !matches!(self, Self::Data(_))
    }
}

#[cfg(unix)]
fn by_number(number: i32) -> Option<LocalError> {
    match number {
        libc::EMFILE => Some(LocalError::Descriptors),
        libc::ENFILE => Some(LocalError::DescriptorsOfSystem),
        libc::ENOBUFS => Some(LocalError::Buffers),
        libc::ENOMEM => Some(LocalError::Memory),
        _ => None,
    }
}

/// What other systems call these is not known here; memory has a kind of its own.
#[cfg(not(unix))]
fn by_number(_number: i32) -> Option<LocalError> {
    None
}

/// An error of the system without its number: "No such file or directory".
pub(crate) fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    match (error.raw_os_error(), text.rfind(" (os error ")) {
        (Some(_), Some(number)) => text.get(..number).unwrap_or(&text).to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_system_lacks_is_a_shortage() {
        let of = |number| LocalError::shortage(&io::Error::from_raw_os_error(number));
        assert_eq!(of(libc::EMFILE), Some(LocalError::Descriptors));
        assert_eq!(of(libc::ENFILE), Some(LocalError::DescriptorsOfSystem));
        assert_eq!(of(libc::ENOMEM), Some(LocalError::Memory));
        assert_eq!(of(libc::ENOBUFS), Some(LocalError::Buffers));
        for other in [
            libc::ECONNREFUSED,
            libc::EACCES,
            libc::EHOSTUNREACH,
            libc::ETIMEDOUT,
            libc::EADDRNOTAVAIL,
        ] {
            assert_eq!(of(other), None, "{other}");
        }
        let passed_on = io::Error::other(LocalError::Threads);
        assert_eq!(LocalError::shortage(&passed_on), Some(LocalError::Threads));
    }

    #[test]
    fn no_address_is_no_port_over_ipv4_only() {
        let error = io::Error::from_raw_os_error(libc::EADDRNOTAVAIL);
        let of = |address: Option<&str>| {
            LocalError::of_connecting(
                &error,
                address.map(|address| address.parse().expect("an address")),
            )
        };
        assert_eq!(of(Some("192.0.2.1")), Some(LocalError::Ports));
        assert_eq!(of(Some("2001:db8::1")), None);
        assert_eq!(of(None), None);
    }

    #[test]
    fn data_is_named_and_no_number_shown() {
        let missing = io::Error::from_raw_os_error(libc::ENOENT);
        let told = LocalError::of_data(&missing, "the reader");
        assert_eq!(told.to_string(), "the reader: No such file or directory");
        let wrapped = io::Error::new(missing.kind(), told.clone());
        assert_eq!(LocalError::of_data(&wrapped, "the content"), told);
        let shortage = io::Error::from_raw_os_error(libc::EMFILE);
        assert_eq!(LocalError::of_data(&shortage, "x"), LocalError::Descriptors);
    }
}
