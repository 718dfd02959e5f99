//! Octets of strangers and callers into what reads them, and what holds whatever the octets are. Shared by the property
//! tests and the fuzz targets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use map_core::Mailbox;
use map_core::dkim::DkimSigner;
use map_core::message::{AddressList, BlindCopies, BodyType, Builder, Message, Raw};
use map_core::net::{ConnectError, Connecting, Connector, SocksConnector, Transport};
use map_core::protocol::{Command, CommandReader, StreamError};
use map_core::route::mta_sts::{StsMode, StsPolicy};
use map_core::route::{HostName, HostNames};
use std::io::{self, Cursor, Read};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// A message that is ready. The first octet chooses how it is taken, the others are the message.
///
/// Read in pieces it is what it is in one; what is taken travels unchanged, in lines that a host of its needs can take;
/// and a blind copy that is to be removed is not in it.
pub(crate) fn raw(data: &[u8]) {
    let Some((&how, octets)) = data.split_first() else {
        return;
    };
    let unix = how & 1 != 0;
    let blind_copies = match how >> 1 & 3 {
        0 => BlindCopies::Refuse,
        1 => BlindCopies::Remove,
        _ => BlindCopies::Keep,
    };
    let options = |mut raw: Raw| {
        raw = raw.blind_copies(blind_copies);
        if unix {
            raw = raw.unix_line_ends();
        }
        if how & 8 != 0 {
            raw = raw.envelope(mailbox("a@example.com"), [mailbox("b@example.net")]);
        }
        if how & 16 != 0 {
            raw = raw.strict();
        }
        raw.build()
    };
    let whole = options(Raw::octets(octets.to_vec()));
    let piece = usize::from(how >> 5) + 1;
    let shared: Arc<[u8]> = octets.into();
    let in_pieces = options(Raw::reader(move || {
        Ok(Box::new(InPieces(Cursor::new(Arc::clone(&shared)), piece)))
    }));
    match (&whole, &in_pieces) {
        (Ok(whole), Ok(in_pieces)) => assert_eq!(read(whole), read(in_pieces), "in pieces of {piece}"),
        (Err(whole), Err(in_pieces)) => assert_eq!(whole.to_string(), in_pieces.to_string()),
        _ => panic!("{whole:?} in one, {in_pieces:?} in pieces of {piece}"),
    }
    let Ok(message) = whole else { return };
    let sent = read(&message);
    assert!(!message.recipients().is_empty(), "it goes to somebody");
    assert!(message.size().is_none_or(|size| size == sent.len() as u64));
    let is_changed = unix || blind_copies == BlindCopies::Remove;
    assert!(is_changed || sent.starts_with(octets), "it travels unchanged");
    assert!(
        is_changed || sent.len() <= octets.len() + 2,
        "but for a last line end"
    );
    if blind_copies == BlindCopies::Remove {
        let header = sent
            .split(|&octet| octet == b'\n')
            .take_while(|line| !line.is_empty() && line != b"\r");
        for line in header {
            assert!(
                !line.to_ascii_lowercase().starts_with(b"bcc:"),
                "nobody sees a blind copy"
            );
        }
    }
    // Nothing is left of a message that was a blind copy alone.
    if message.needs().body_type < BodyType::Binary && !sent.is_empty() {
        has_lines(&sent);
    }
}

/// An address list as a person writes it. What is taken is written so that the same recipients are read from it.
pub(crate) fn address_list(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(list) = text.parse::<AddressList>() else {
        return;
    };
    let recipients: Vec<Mailbox> = list.mailboxes().cloned().collect();
    let built = Builder::new()
        .from(mailbox("a@example.com"))
        .to(list)
        .text("Hi".parse().expect("a text"));
    let Ok(message) = built.build() else {
        assert!(recipients.is_empty(), "{recipients:?} can be written to");
        return;
    };
    for recipient in message.recipients() {
        let again: Mailbox = recipient
            .to_string()
            .parse()
            .expect("a mailbox is printed as one");
        assert_eq!(&again, recipient);
        assert!(recipients.contains(recipient), "{recipient} was named");
    }
    let sent = read(&message);
    has_lines(&sent);
    match Raw::octets(sent).build() {
        Ok(read) => assert_eq!(read.recipients(), message.recipients()),
        Err(error) => panic!("{error}"),
    }
}

/// Commands on a stream, in pieces of a length that the first octet says: the same as in one, and what is read of a
/// command and written again is read as the same.
pub(crate) fn stream(data: &[u8]) {
    const LIMIT: usize = 256;
    let Some((&piece, octets)) = data.split_first() else {
        return;
    };
    let whole = commands(octets, octets.len().max(1), LIMIT);
    assert_eq!(commands(octets, usize::from(piece) + 1, LIMIT), whole);
    for command in whole.into_iter().flatten() {
        let Ok(command) = Command::parse(&command) else {
            continue;
        };
        let written = command.to_stream();
        // Blanks that were left out, and escapes, may make it longer than it was.
        let again = commands(&written, written.len().max(1), written.len());
        let [Ok(again)] = &again[..] else {
            panic!("{command:?} became {again:?}");
        };
        assert_eq!(Command::parse(again).as_ref(), Ok(&command));
    }
}

fn commands(octets: &[u8], piece: usize, limit: usize) -> Vec<Result<Vec<u8>, StreamError>> {
    let mut reader = CommandReader::with_limit(limit);
    let mut commands = Vec::new();
    for piece in octets.chunks(piece) {
        reader.push(piece);
        commands.extend(std::iter::from_fn(|| reader.pop()));
    }
    reader.finish();
    commands.extend(std::iter::from_fn(|| reader.pop()));
    for command in commands.iter().flatten() {
        assert!(command.len() <= limit, "no command is longer than the limit");
    }
    commands
}

/// A body to sign: its hash is that of another reading of RFC 6376 section 3.4.4, over what is sent.
pub(crate) fn dkim(data: &[u8]) {
    static SIGNER: LazyLock<DkimSigner> = LazyLock::new(|| {
        let pem = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                   -----END PRIVATE KEY-----";
        let domain = "example.com".parse().expect("a domain");
        DkimSigner::from_pem(domain, "mail", pem).expect("a key")
    });
    let mut octets =
        b"From: a@example.com\r\nTo: b@example.net\r\nDate: Sun, 22 Nov 2026 01:40:00 +0100\r\n\r\n".to_vec();
    octets.extend_from_slice(data);
    let Ok(message) = Raw::octets(octets).build() else {
        return;
    };
    let Ok(signed) = message.sign(&SIGNER) else { return };
    let sent = read(&signed);
    let end = sent
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("an end of the header");
    let (header, body) = sent.split_at(end + 4);
    let header = String::from_utf8_lossy(header).replace("\r\n ", "");
    let hash = header.split("bh=").nth(1).and_then(|rest| rest.split(';').next());
    let expected = ring::digest::digest(&ring::digest::SHA256, &relaxed(body));
    assert_eq!(
        hash.map(str::trim),
        Some(&STANDARD.encode(expected)[..]),
        "{body:?}"
    );
}

/// RFC 6376 section 3.4.4, step by step over the whole body.
fn relaxed(body: &[u8]) -> Vec<u8> {
    let text: Vec<char> = body.iter().map(|&octet| char::from(octet)).collect();
    let text: String = text.into_iter().collect();
    let mut lines: Vec<String> = Vec::new();
    for line in text.split("\r\n") {
        let mut reduced = String::new();
        for character in line.chars() {
            match character {
                ' ' | '\t' if reduced.ends_with(' ') => {}
                ' ' | '\t' => reduced.push(' '),
                other => reduced.push(other),
            }
        }
        lines.push(reduced.strip_suffix(' ').unwrap_or(&reduced).to_owned());
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    let lines = lines.into_iter().map(|line| line + "\r\n").collect::<String>();
    lines
        .chars()
        .filter_map(|character| u8::try_from(character).ok())
        .collect()
}

/// The text of an MTA-STS policy: what is read of it is within its limits, and is read again from how it is printed.
pub(crate) fn mta_sts(data: &[u8]) {
    let Ok(policy) = StsPolicy::parse(data) else {
        return;
    };
    assert!(policy.max_age.as_secs() <= 31_557_600);
    assert!(policy.mode == StsMode::None || !policy.mx.is_empty());
    assert_eq!(
        StsPolicy::parse(policy.to_string().as_bytes()).as_ref(),
        Ok(&policy)
    );
    for pattern in &policy.mx {
        let below = pattern.to_string().replacen("*.", "mx.", 1);
        // One label in front of the longest name there is makes a name that is none.
        if let Ok(host) = HostName::parse(&below) {
            assert!(policy.matches(&host), "{host} is one of {pattern}");
        }
    }
}

/// What a SOCKS proxy answers. The first octet says whether we have a login and in what pieces it comes. No more is read
/// than the answer has, and what follows it is the host's.
pub(crate) fn socks(data: &[u8]) {
    /// Method, login, and a reply with the longest name.
    const LONGEST_ANSWER: usize = 2 + 2 + 4 + 1 + 255 + 2;
    static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime")
    });
    let Some((&how, answers)) = data.split_first() else {
        return;
    };
    let login = if how & 1 == 0 { "" } else { "alice:secret@" };
    let proxy = format!("socks5://{login}192.0.2.1").parse().expect("a proxy");
    let script = Arc::new(Mutex::new(Cursor::new(answers.to_vec())));
    let connector = Scripted(Arc::clone(&script), usize::from(how >> 4) + 1);
    let socks = SocksConnector::new(proxy, Arc::new(connector), HostNames::system());
    RUNTIME.block_on(async {
        let connected = Connector::connect(&socks, SocketAddr::from(([198, 51, 100, 1], 25))).await;
        let read = script.lock().expect("nobody panicked").position();
        let read = usize::try_from(read).expect("a length");
        assert!(read <= LONGEST_ANSWER, "{read} octets were read");
        let Ok(mut host) = connected else { return };
        assert_eq!(answers.first(), Some(&5), "a proxy of SOCKS5");
        let mut rest = Vec::new();
        host.read_to_end(&mut rest).await.expect("the script can be read");
        assert_eq!(Some(&rest[..]), answers.get(read..), "what follows is the host's");
    });
}

fn mailbox(text: &str) -> Mailbox {
    text.parse().expect("a mailbox")
}

fn read(message: &Message) -> Vec<u8> {
    let mut octets = Vec::new();
    message
        .open()
        .and_then(|mut reader| reader.read_to_end(&mut octets))
        .expect("it can be read");
    octets
}

/// Lines of at most 998 octets, each with its end, and no bare CR or LF.
fn has_lines(octets: &[u8]) {
    assert!(octets.ends_with(b"\r\n"));
    let mut rest = octets;
    while let Some(end) = rest.iter().position(|octet| matches!(octet, b'\r' | b'\n')) {
        assert!(end <= 998, "a line of {end} octets");
        let (line, after) = rest.split_at(end);
        rest = after
            .strip_prefix(b"\r\n")
            .unwrap_or_else(|| panic!("bare after {line:?}"));
    }
}

/// At most so many octets a read.
struct InPieces(Cursor<Arc<[u8]>>, usize);

impl Read for InPieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = buffer.len().min(self.1);
        Read::read(&mut self.0, &mut buffer[..piece])
    }
}

/// A transport on which a script is said, whatever is sent.
#[derive(Clone, Debug)]
struct Scripted(Arc<Mutex<Cursor<Vec<u8>>>>, usize);

impl Connector for Scripted {
    fn connect(&self, _: SocketAddr) -> Connecting<'_> {
        let transport: Result<Box<dyn Transport>, ConnectError> = Ok(Box::new(self.clone()));
        Box::pin(std::future::ready(transport))
    }
}

impl Transport for Scripted {
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }
}

impl AsyncRead for Scripted {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut piece = vec![0; buffer.remaining().min(self.1)];
        let read = Read::read(&mut *self.0.lock().expect("nobody panicked"), &mut piece)?;
        buffer.put_slice(&piece[..read]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
