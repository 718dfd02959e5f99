//! A DNS server on loopback that says what a test tells it to, right or wrong.

use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::{self, Name, RData};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// What was asked, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// In lower case, without a final dot.
    pub(crate) name: String,
    pub(crate) record_type: rr::RecordType,
    pub(crate) tcp: bool,
    pub(crate) edns: bool,
}

/// What to say to it; the header's identifier and the question are filled in.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    Nothing,
    Message(Message),
    /// As `Message`, with the question's name in lower case whatever the case in which it was asked.
    LowerCase(Message),
    /// These octets as they are, after the identifier.
    Octets(&'static [u8]),
}

/// A running server; it ends with the test's runtime.
#[derive(Debug)]
pub(crate) struct DnsServer {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Question>>>,
}

impl DnsServer {
    /// Answers over UDP and TCP.
    pub(crate) async fn start(script: impl Fn(&Question) -> Say + Send + Sync + 'static) -> Self {
        loop {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let address = udp.local_addr().unwrap();
            // The same port may be taken for TCP: another one then.
            let Ok(tcp) = TcpListener::bind(address).await else {
                continue;
            };
            let asked = Arc::default();
            let script = Arc::new(Script {
                say: script,
                asked: Arc::clone(&asked),
            });
            tokio::spawn(serve_udp(udp, Arc::clone(&script)));
            tokio::spawn(serve_tcp(tcp, script));
            return Self { address, asked };
        }
    }

    /// The questions so far.
    pub(crate) fn asked(&self) -> Vec<Question> {
        self.asked.lock().unwrap().clone()
    }
}

/// A message with this code and these records, one a line: `owner TYPE data`; after `authority:` they go into the
/// authority section. TTL 60.
pub(crate) fn message(code: ResponseCode, records: &str) -> Message {
    let mut message = Message::new(0, MessageType::Response, OpCode::Query);
    message.metadata.response_code = code;
    message.metadata.recursion_available = true;
    for line in records.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.strip_prefix("authority:") {
            Some(line) => message.authorities.push(record(line)),
            None => message.answers.push(record(line)),
        }
    }
    message
}

fn record(line: &str) -> rr::Record {
    let mut words = line.split_whitespace();
    let mut owner = Name::from_ascii(words.next().unwrap()).unwrap();
    owner.set_fqdn(true);
    let record_type: rr::RecordType = words.next().unwrap().parse().unwrap();
    let data = words.collect::<Vec<_>>().join(" ");
    rr::Record::from_rdata(owner, 60, RData::try_from_str(record_type, &data).unwrap())
}

struct Script<F> {
    say: F,
    asked: Arc<Mutex<Vec<Question>>>,
}

impl<F: Fn(&Question) -> Say> Script<F> {
    fn answer(&self, query: &[u8], tcp: bool) -> Option<Vec<u8>> {
        let query = Message::from_vec(query).ok()?;
        let asked = query.queries.first()?;
        let name = asked
            .name()
            .to_ascii()
            .to_ascii_lowercase()
            .trim_end_matches('.')
            .to_owned();
        let edns = query.edns.is_some();
        let question = Question {
            name,
            record_type: asked.query_type(),
            tcp,
            edns,
        };
        self.asked.lock().unwrap().push(question.clone());
        let (mut message, asked) = match (self.say)(&question) {
            Say::Nothing => return None,
            Say::Octets(octets) => return Some([&query.metadata.id.to_be_bytes(), octets].concat()),
            Say::Message(message) => (message, asked.clone()),
            Say::LowerCase(message) => (message, {
                let mut lower = asked.clone();
                lower.set_name(asked.name().to_lowercase());
                lower
            }),
        };
        message.metadata.id = query.metadata.id;
        message.queries = vec![asked];
        Some(message.to_vec().unwrap())
    }
}

async fn serve_udp<F: Fn(&Question) -> Say>(socket: UdpSocket, script: Arc<Script<F>>) {
    let mut buffer = [0; 4096];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
        if let Some(answer) = script.answer(&buffer[..length], false) {
            socket.send_to(&answer, peer).await.unwrap();
        }
    }
}

async fn serve_tcp<F: Fn(&Question) -> Say + Send + Sync + 'static>(
    listener: TcpListener,
    script: Arc<Script<F>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve_connection(stream, Arc::clone(&script)));
    }
}

async fn serve_connection<F: Fn(&Question) -> Say>(mut stream: TcpStream, script: Arc<Script<F>>) {
    while let Ok(length) = stream.read_u16().await {
        let mut query = vec![0; length.into()];
        if stream.read_exact(&mut query).await.is_err() {
            return;
        }
        if let Some(answer) = script.answer(&query, true) {
            let length = u16::try_from(answer.len()).unwrap();
            if stream.write_u16(length).await.is_err() || stream.write_all(&answer).await.is_err() {
                return;
            }
        }
    }
}
