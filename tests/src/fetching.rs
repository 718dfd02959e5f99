//! Reading one's mail: by IMAP and by POP3, with Python's `imaplib` and `poplib`.

use crate::certificates::Authority;
use crate::mail_server::{Access, READER_PASSWORD};
use crate::python::{frames, python, run};

/// All mails of a user, each with its line ends as the protocols have them, in an order that nobody promises.
#[derive(Debug)]
pub struct Fetched {
    /// What came by IMAP.
    pub by_imap: Vec<Vec<u8>>,
    /// What came by POP3.
    pub by_pop3: Vec<Vec<u8>>,
}

/// Fetches what there is for a user, in one session of each protocol.
///
/// # Panics
/// When a server does not give it, or its certificate is not by `authority`.
pub fn fetch(access: Access, authority: &Authority, user: &str) -> Fetched {
    let trusted = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(&trusted, authority.pem()).expect("a temporary file");
    let arguments = [
        access.imap.to_string(),
        access.pop3.to_string(),
        trusted.path().display().to_string(),
        user.to_owned(),
        READER_PASSWORD.to_owned(),
    ];
    let all = frames(&run(&python(), "fetch_mail.py", arguments, Vec::new()));
    // An empty one stands between the two.
    let mut both = all.split(Vec::is_empty).map(<[_]>::to_vec);
    let mut next = || both.next().expect("mails of both protocols");
    Fetched {
        by_imap: next(),
        by_pop3: next(),
    }
}

/// Without what the servers on its way have put before it.
///
/// # Panics
/// When none has.
pub fn without_trace(mail: &[u8]) -> &[u8] {
    const TRACE: [&[u8]; 4] = [b"Return-Path:", b"X-Original-To:", b"Delivered-To:", b"Received:"];
    let mut rest = mail;
    while TRACE.iter().any(|name| rest.starts_with(name)) {
        // To the end of the field: a line end that no blank follows.
        let end = rest
            .windows(3)
            .position(|octets| octets.starts_with(b"\r\n") && !matches!(octets[2], b' ' | b'\t'))
            .expect("a field ends");
        rest = &rest[end + 2..];
    }
    assert!(rest.len() < mail.len(), "no trace of its way");
    rest
}
