//! The commands as octets. Their arguments are types that cannot hold a CR, LF or NUL.

use crate::address::{ForwardPath, MailboxDomain, ReversePath};
use bytes::Bytes;

/// A command of RFC 5321 section 4.1.1.
#[derive(Debug)]
pub(super) enum Command<'a> {
    Data,
    Ehlo(&'a MailboxDomain),
    Helo(&'a MailboxDomain),
    Mail(&'a ReversePath, Parameters),
    Quit,
    Rcpt(&'a ForwardPath),
    Rset,
    StartTls,
}

/// What MAIL carries behind the reverse-path. The empty one is what RFC 821 knew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    /// `SIZE=`, in octets (RFC 1870).
    pub(super) size: Option<u64>,
    /// `SMTPUTF8` (RFC 6531).
    pub(super) smtputf8: bool,
}

impl Parameters {
    /// The same without what the server can do without: `SIZE` is a courtesy, `SMTPUTF8` says what follows.
    pub(super) fn indispensable(self) -> Self {
        Self { size: None, ..self }
    }
}

impl Command<'_> {
    /// The command line with its CRLF.
    pub(super) fn to_octets(&self) -> Bytes {
        match self {
            Self::Data => Bytes::from_static(b"DATA\r\n"),
            Self::Ehlo(name) => format!("EHLO {}\r\n", name.to_smtp()).into(),
            Self::Helo(name) => format!("HELO {}\r\n", name.to_smtp()).into(),
            Self::Mail(reverse_path, parameters) => mail(reverse_path, *parameters).into(),
            Self::Quit => Bytes::from_static(b"QUIT\r\n"),
            Self::Rcpt(forward_path) => format!("RCPT TO:{}\r\n", forward_path.to_smtp()).into(),
            Self::Rset => Bytes::from_static(b"RSET\r\n"),
            Self::StartTls => Bytes::from_static(b"STARTTLS\r\n"),
        }
    }
}

fn mail(reverse_path: &ReversePath, parameters: Parameters) -> String {
    use std::fmt::Write as _;
    let mut line = format!("MAIL FROM:{}", reverse_path.to_smtp());
    if let Some(octets) = parameters.size {
        // Writing to a String cannot fail.
        let _ = write!(line, " SIZE={octets}");
    }
    if parameters.smtputf8 {
        line.push_str(" SMTPUTF8");
    }
    line.push_str("\r\n");
    line
}
