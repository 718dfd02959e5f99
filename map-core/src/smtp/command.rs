//! The commands as octets. Their arguments are types that cannot hold a CR, LF or NUL.

use super::parameters::{MailParameters, RcptParameters};
use crate::address::{ForwardPath, MailboxDomain, ReversePath};
use bytes::Bytes;

/// A command of RFC 5321 section 4.1.1.
#[derive(Debug)]
pub(super) enum Command<'a> {
    Data,
    Ehlo(&'a MailboxDomain),
    Helo(&'a MailboxDomain),
    Mail(&'a ReversePath, &'a MailParameters),
    Quit,
    Rcpt(&'a ForwardPath, RcptParameters<'a>),
    Rset,
    StartTls,
}

impl Command<'_> {
    /// The command line with its CRLF.
    pub(super) fn to_octets(&self) -> Bytes {
        match self {
            Self::Data => Bytes::from_static(b"DATA\r\n"),
            Self::Ehlo(name) => format!("EHLO {}\r\n", name.to_smtp()).into(),
            Self::Helo(name) => format!("HELO {}\r\n", name.to_smtp()).into(),
            Self::Mail(reverse_path, parameters) => mail(reverse_path, parameters).into(),
            Self::Quit => Bytes::from_static(b"QUIT\r\n"),
            Self::Rcpt(forward_path, parameters) => rcpt(forward_path, *parameters).into(),
            Self::Rset => Bytes::from_static(b"RSET\r\n"),
            Self::StartTls => Bytes::from_static(b"STARTTLS\r\n"),
        }
    }
}

fn mail(reverse_path: &ReversePath, parameters: &MailParameters) -> String {
    let mut line = format!("MAIL FROM:{}", reverse_path.to_smtp());
    parameters.write(&mut line);
    line.push_str("\r\n");
    line
}

fn rcpt(forward_path: &ForwardPath, parameters: RcptParameters<'_>) -> String {
    let mut line = format!("RCPT TO:{}", forward_path.to_smtp());
    parameters.write(&mut line);
    line.push_str("\r\n");
    line
}
