//! A client that speaks octet by octet what a test says.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::op::{Edns, Message, Query};
use hickory_resolver::proto::rr::{Name, RecordType};
use map_sandbox::Sandbox;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Longer than anything here takes; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Starts the world of a script.
pub(crate) fn sandbox(script: &str) -> Sandbox {
    let world = script
        .parse()
        .unwrap_or_else(|error| panic!("{error} in {script}"));
    Sandbox::start(&world).expect("loopback has free ports")
}

/// One query by TCP, and all of its answer.
pub(crate) fn ask(sandbox: &Sandbox, name: &str, record_type: RecordType, dnssec: bool) -> Message {
    let mut query = Message::query();
    query.add_query(Query::query(Name::from_ascii(name).expect("a name"), record_type));
    let mut edns = Edns::new();
    edns.set_dnssec_ok(dnssec);
    query.set_edns(edns);
    let query = query.to_vec().expect("a query");
    let mut stream = TcpStream::connect(sandbox.dns_server()).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let length = u16::try_from(query.len()).expect("a short query").to_be_bytes();
    stream
        .write_all(&[&length, query.as_slice()].concat())
        .expect("it is sent");
    let mut length = [0; 2];
    stream.read_exact(&mut length).expect("an answer");
    let mut answer = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut answer).expect("an answer");
    Message::from_vec(&answer).expect("a message")
}

/// The data of the answer's records of one type, as text.
pub(crate) fn data(message: &Message, record_type: RecordType) -> Vec<String> {
    let of_type = message
        .answers
        .iter()
        .filter(|record| record.record_type() == record_type);
    of_type.map(|record| record.data.to_string()).collect()
}

/// One connection to a mail host.
pub(crate) struct Client {
    stream: Stream,
    buffer: Vec<u8>,
}

/// What a client speaks over.
enum Stream {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Clear(socket) => socket,
            Self::Tls(stream) => &stream.sock,
        }
    }

    fn set_read_timeout(&self, time: Option<Duration>) -> std::io::Result<()> {
        self.socket().set_read_timeout(time)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.write(octets),
            Self::Tls(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Clear(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// A TLS client that trusts this sandbox and nobody else.
pub(crate) fn trusting(sandbox: &Sandbox) -> Arc<ClientConfig> {
    let certificate =
        CertificateDer::from_pem_slice(sandbox.certificate_authority().as_bytes()).expect("PEM");
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions");
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

impl Client {
    pub(crate) fn connect(sandbox: &Sandbox, address: &str) -> Self {
        let address: IpAddr = address.parse().expect("an address");
        let at = SocketAddr::new(address, sandbox.smtp_port());
        // Not `connect_timeout`: it asks the socket again and may meet the reset of a host that stops at once.
        let stream = TcpStream::connect(at).expect("the host listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        Self {
            stream: Stream::Clear(stream),
            buffer: Vec::new(),
        }
    }

    /// Begins TLS; the error is the client's own.
    pub(crate) fn secure(self, config: Arc<ClientConfig>, name: &str) -> std::io::Result<Self> {
        let Stream::Clear(mut socket) = self.stream else {
            panic!("TLS is there already")
        };
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut connection = ClientConnection::new(config, name).expect("a client");
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(Self {
            stream: Stream::Tls(Box::new(StreamOwned::new(connection, socket))),
            buffer: Vec::new(),
        })
    }

    /// Greeting, EHLO, STARTTLS and the handshake.
    pub(crate) fn starttls(sandbox: &Sandbox, address: &str, name: &str) -> std::io::Result<Self> {
        let mut client = Self::greeted(sandbox, address);
        client.say("EHLO client.example");
        assert_eq!(client.say("STARTTLS"), "220 2.0.0 Ready to start TLS");
        client.secure(trusting(sandbox), name)
    }

    /// What the host showed of itself.
    pub(crate) fn certificates(&self) -> Vec<Vec<u8>> {
        let Stream::Tls(stream) = &self.stream else {
            panic!("no TLS")
        };
        let shown = stream.conn.peer_certificates().unwrap_or_default();
        shown.iter().map(|certificate| certificate.to_vec()).collect()
    }

    /// Ends TLS in good order.
    pub(crate) fn close_notify(&mut self) {
        let Stream::Tls(stream) = &mut self.stream else {
            panic!("no TLS")
        };
        stream.conn.send_close_notify();
        stream.flush().expect("the host reads");
    }

    /// Connects and reads the greeting.
    pub(crate) fn greeted(sandbox: &Sandbox, address: &str) -> Self {
        let mut client = Self::connect(sandbox, address);
        assert_eq!(client.reply().get(..3), Some("220"));
        client
    }

    pub(crate) fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).expect("the host reads");
    }

    /// Sends a command and reads its reply, lines joined by ` | `.
    pub(crate) fn say(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n"));
        self.reply()
    }

    /// The next whole reply, lines joined by ` | `.
    pub(crate) fn reply(&mut self) -> String {
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            let last = line.as_bytes().get(3) != Some(&b'-');
            lines.push(line);
            if last {
                return lines.join(" | ");
            }
        }
    }

    fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let rest = self.buffer.split_off(end + 2);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.truncate(end);
                return String::from_utf8(line).expect("text");
            }
            let mut part = [0; 4096];
            let count = self.stream.read(&mut part).expect("a reply");
            assert!(
                count > 0,
                "the host left after {:?}",
                String::from_utf8_lossy(&self.buffer)
            );
            self.buffer.extend_from_slice(&part[..count]);
        }
    }

    /// Like [`Self::send`], to a host that may be gone.
    pub(crate) fn send_if_open(&mut self, octets: &str) {
        let _ = self.stream.write_all(octets.as_bytes());
    }

    /// The next reply, or nothing when the host ends the connection (or is silent, if that may be).
    pub(crate) fn reply_if_any(&mut self, may_be_silent: bool) -> Option<String> {
        let patience = if may_be_silent {
            Duration::from_millis(40)
        } else {
            PATIENCE
        };
        self.stream.set_read_timeout(Some(patience)).expect("a time-out");
        loop {
            let text = String::from_utf8_lossy(&self.buffer);
            let lines: Vec<_> = text.split_inclusive("\r\n").collect();
            let last = |line: &&str| line.ends_with("\r\n") && line.as_bytes().get(3) != Some(&b'-');
            if let Some(end) = lines.iter().position(last) {
                let reply = lines[..=end].concat();
                self.buffer.drain(..reply.len());
                return Some(reply);
            }
            let mut part = [0; 4096];
            match self.stream.read(&mut part) {
                Ok(0) => return None,
                Ok(count) => self.buffer.extend_from_slice(&part[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) if may_be_silent && error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) => panic!("neither an end nor a reset: {error}"),
            }
        }
    }

    /// All that comes until the host ends the stream, and whether it was a reset.
    pub(crate) fn rest(&mut self) -> (String, bool) {
        let mut part = [0; 4096];
        let reset = loop {
            match self.stream.read(&mut part) {
                Ok(0) => break false,
                Ok(count) => self.buffer.extend_from_slice(&part[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break true,
                Err(error) => panic!("neither an end nor a reset: {error}"),
            }
        };
        (
            String::from_utf8(std::mem::take(&mut self.buffer)).expect("text"),
            reset,
        )
    }

    /// All that comes until the connection is over, in whatever way.
    pub(crate) fn all(&mut self) -> String {
        let mut part = [0; 4096];
        while let Ok(count) = self.stream.read(&mut part) {
            if count == 0 {
                break;
            }
            self.buffer.extend_from_slice(&part[..count]);
        }
        String::from_utf8_lossy(&std::mem::take(&mut self.buffer)).into_owned()
    }

    /// What comes within `time`, when the host then still holds the connection.
    pub(crate) fn silence(&mut self, time: Duration) -> String {
        self.stream.set_read_timeout(Some(time)).expect("a time-out");
        let mut part = [0; 4096];
        loop {
            match self.stream.read(&mut part) {
                Ok(0) => panic!("the host closed"),
                Ok(count) => self.buffer.extend_from_slice(&part[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
                Err(error) => panic!("the host did not hold the connection: {error}"),
            }
        }
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        String::from_utf8(std::mem::take(&mut self.buffer)).expect("text")
    }
}
