//! What the DNS and the hosts of a stranger say, within the process.

use super::{KIB, Pulse};
use map_core::net::{ConnectError, Connecting, Connector, Transport};
use map_core::route::{Answer, Lookup, LookupError, Proof, Record, RecordType, Resolver, Tlsa};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::fmt::{self, Write as _};
use std::future::{pending, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, Join, ReadHalf, SimplexStream,
    WriteHalf, join, simplex,
};
use tokio::runtime::{Handle, Runtime};
use tokio_rustls::TlsAcceptor;

/// What a domain's DNS and its host say.
pub(super) struct World {
    /// The MX records of each domain; a name that ends in a dot is the domain's own host of this name.
    pub(super) exchanges: Vec<String>,
    /// Of each host that is not `gone…`.
    pub(super) addresses: Vec<IpAddr>,
    /// All that the DNS says is signed.
    pub(super) is_signed: bool,
    pub(super) tlsa: Vec<Tlsa>,
    /// The TXT records for MTA-STS.
    pub(super) texts: Vec<Vec<u8>>,
    /// What the policy host says, header and all.
    pub(super) web: String,
    /// What every host shows.
    pub(super) tls: Option<Tls>,
    pub(super) ehlo: String,
    pub(super) rcpt: Rcpt,
    pub(super) way: Way,
    /// MTA-STS, DANE and the question whether port 25 is blocked are switched on, as they are unless somebody says
    /// otherwise.
    pub(super) is_standard: bool,
}

#[derive(Clone, Copy)]
pub(super) enum Rcpt {
    Accepted,
    /// Of each session the first is served, and for the others there is no room.
    OneOnly,
    /// The same in a few words: they are of other domains.
    OneDomain,
    Refused,
}

/// How what hosts say comes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Way {
    /// As fast as it is taken.
    Quick,
    /// Each octet by itself.
    OneByOne,
    /// There is a connection, and never an octet.
    Silent,
    /// There is no connection.
    Refused,
}

impl Default for World {
    fn default() -> Self {
        Self {
            exchanges: vec!["mx.example.org".to_owned()],
            addresses: vec![Ipv4Addr::new(9, 9, 9, 9).into()],
            is_signed: false,
            tlsa: Vec::new(),
            texts: Vec::new(),
            web: String::new(),
            tls: None,
            ehlo: "250 mx\r\n".to_owned(),
            rcpt: Rcpt::Accepted,
            way: Way::Quick,
            is_standard: false,
        }
    }
}

/// A domain with a policy, whose hosts speak TLS.
pub(super) fn with_policy(lines: &str) -> World {
    let policy = format!("version: STSv1\nmode: enforce\nmax_age: 86400\n{lines}");
    World {
        texts: vec![b"v=STSv1; id=1".to_vec()],
        web: page(&policy),
        tls: Some(Tls::new(["mta-sts.d0.example.org", "mx.example.org"], 0)),
        ehlo: "250-mx\r\n250 STARTTLS\r\n".to_owned(),
        is_standard: true,
        ..World::default()
    }
}

pub(super) fn page(text: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    )
}

/// A certificate, and who is to be trusted for it to be good.
pub(super) struct Tls {
    pub(super) authority: String,
    server: Arc<ServerConfig>,
}

impl Tls {
    /// For these names; and so many certificates are shown beside it, each of which has issued another.
    pub(super) fn new(names: impl IntoIterator<Item = impl Into<String>>, intermediates: usize) -> Self {
        let authority = |name: String| {
            let mut parameters = CertificateParams::default();
            parameters.distinguished_name.push(DnType::CommonName, name);
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            parameters
        };
        let key = KeyPair::generate().unwrap();
        let root = authority("Root".to_owned());
        let mut last = root.self_signed(&key).unwrap();
        let pem = last.pem();
        let mut issuer = Issuer::new(root, key);
        let mut chain: Vec<CertificateDer<'static>> = Vec::new();
        for number in 0..intermediates {
            let key = KeyPair::generate().unwrap();
            let parameters = authority(format!("CA {}", number / 3));
            last = parameters.signed_by(&key, &issuer).unwrap();
            chain.push(last.der().clone());
            issuer = Issuer::new(parameters, key);
        }
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        chain.push(own.der().clone());
        chain.reverse();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        Self {
            authority: pem,
            server: Arc::new(server),
        }
    }
}

/// A domain that is looked up for as long as the test wants, and by which the other sending is heard.
pub(super) const PULSE: &str = "pulse.example";
/// A domain whose host is as hosts are.
pub(super) const HONEST: &str = "honest.example";
const HONEST_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8));

pub(super) struct Dns {
    pub(super) world: Arc<World>,
    pub(super) pulse: Arc<Pulse>,
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dns")
    }
}

impl Dns {
    fn records(&self, name: &str, record_type: RecordType) -> Vec<Record> {
        if name.ends_with(HONEST) {
            return match record_type {
                RecordType::A => vec![Record::Address(HONEST_ADDRESS)],
                _ => Vec::new(),
            };
        }
        let world = &self.world;
        match record_type {
            RecordType::Mx => (0..)
                .zip(&world.exchanges)
                .map(|(preference, exchange)| Record::Mx {
                    preference,
                    exchange: match exchange.strip_suffix('.') {
                        Some(own) => format!("{own}.{name}"),
                        None => exchange.clone(),
                    },
                })
                .collect(),
            RecordType::A if !name.starts_with("gone") => {
                world.addresses.iter().copied().map(Record::Address).collect()
            }
            RecordType::Tlsa => world.tlsa.iter().cloned().map(Record::Tlsa).collect(),
            RecordType::Txt => world.texts.iter().cloned().map(Record::Txt).collect(),
            _ => Vec::new(),
        }
    }
}

impl Resolver for Dns {
    fn query<'a>(&'a self, name: &'a str, record_type: RecordType) -> Lookup<'a> {
        Box::pin(async move {
            self.pulse.mark();
            if name.ends_with(PULSE) {
                let mut last = super::thread_time();
                poll_fn(|context| {
                    self.pulse.beat(&mut last);
                    if self.pulse.stop.load(Ordering::Relaxed) {
                        return Poll::Ready(());
                    }
                    context.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
                return Err(LookupError::NxDomain);
            }
            let records = self.records(name, record_type);
            if records.is_empty() {
                return Err(LookupError::NoData);
            }
            let proof = if self.world.is_signed && !name.ends_with(HONEST) {
                Proof::Secure
            } else {
                Proof::Insecure
            };
            Ok(Answer {
                records,
                canonical_name: name.to_owned(),
                proof,
                first_proof: proof,
                ttl: Duration::from_secs(60),
            })
        })
    }

    fn query_validated<'a>(&'a self, name: &'a str, record_type: RecordType) -> Lookup<'a> {
        self.query(name, record_type)
    }
}

/// The hosts, in a thread of their own: what they do costs the agent nothing.
pub(super) struct Hosts {
    world: Arc<World>,
    handle: Handle,
}

impl Hosts {
    pub(super) fn new(world: Arc<World>, runtime: &Runtime) -> Self {
        Self {
            world,
            handle: runtime.handle().clone(),
        }
    }
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hosts")
    }
}

impl Connector for Hosts {
    fn connect(&self, address: SocketAddr) -> Connecting<'_> {
        let is_honest = address.ip() == HONEST_ADDRESS;
        let world = if is_honest {
            Arc::default()
        } else {
            Arc::clone(&self.world)
        };
        let room = match world.way {
            Way::Quick => 16 * KIB,
            Way::OneByOne => 1,
            Way::Silent => 16,
            Way::Refused => {
                let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
                return Box::pin(std::future::ready(Err(ConnectError::Later(refused))));
            }
        };
        // What the agent says has room, as it has in a socket: TLS stands still where each waits for the other to read.
        let (from_host, to_agent) = simplex(room);
        let (from_agent, to_host) = simplex(16 * KIB);
        let (ours, theirs) = (join(from_host, to_host), join(from_agent, to_agent));
        // It ends as it likes.
        drop(self.handle.spawn(async move {
            match address.port() {
                443 => serve_policy(theirs, &world).await,
                _ => serve(theirs, &world).await,
            }
        }));
        Box::pin(std::future::ready(Ok(Box::new(Pipe(ours)) as Box<dyn Transport>)))
    }
}

async fn serve_policy(stream: Connection, world: &World) -> io::Result<()> {
    let Some(tls) = &world.tls else {
        return Ok(());
    };
    let stream = TlsAcceptor::from(Arc::clone(&tls.server)).accept(stream).await?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(world.web.as_bytes()).await?;
    stream.shutdown().await
}

type Connection = Join<ReadHalf<SimplexStream>, WriteHalf<SimplexStream>>;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// One session, until it is over.
async fn serve(stream: Connection, world: &World) -> io::Result<()> {
    if world.way == Way::Silent {
        let _held = stream;
        return pending().await;
    }
    let mut stream = BufReader::with_capacity(KIB, Box::new(stream) as Box<dyn Stream>);
    let mut command = String::new();
    let mut recipients = 0;
    let mut accepted = 0;
    stream.write_all(b"220 mx\r\n").await?;
    loop {
        command.clear();
        if stream.read_line(&mut command).await? == 0 {
            return Ok(());
        }
        match command.get(..4) {
            Some("EHLO") => stream.write_all(world.ehlo.as_bytes()).await?,
            Some("STAR") => {
                stream.write_all(b"220 go\r\n").await?;
                let Some(tls) = &world.tls else {
                    return Ok(());
                };
                let acceptor = TlsAcceptor::from(Arc::clone(&tls.server));
                let session = acceptor.accept(stream.into_inner()).await?;
                stream = BufReader::with_capacity(KIB, Box::new(session) as Box<dyn Stream>);
            }
            Some("RCPT") => {
                recipients += 1;
                let accepts = match world.rcpt {
                    Rcpt::Accepted => true,
                    Rcpt::OneOnly | Rcpt::OneDomain => accepted == 0,
                    Rcpt::Refused => false,
                };
                accepted += usize::from(accepts);
                if accepts {
                    stream.write_all(b"250 ok\r\n").await?;
                } else if let Rcpt::OneDomain = world.rcpt {
                    stream
                        .write_all(b"451 4.3.0 multiple domains in one message\r\n")
                        .await?;
                } else {
                    // Each unlike any other.
                    let mut line = String::new();
                    write!(line, "452-4.5.3 {recipients} {:p} ", &raw const stream).unwrap();
                    line.extend(std::iter::repeat_n('x', 2000 - line.len()));
                    line.push_str("\r\n");
                    for _ in 0..8 {
                        stream.write_all(line.as_bytes()).await?;
                    }
                    stream.write_all(b"452 no\r\n").await?;
                }
            }
            Some("DATA") if accepted == 0 => stream.write_all(b"554 nobody\r\n").await?,
            Some("DATA") => {
                stream.write_all(b"354 go\r\n").await?;
                stream.flush().await?;
                while command != ".\r\n" {
                    command.clear();
                    if stream.read_line(&mut command).await? == 0 {
                        return Ok(());
                    }
                }
                accepted = 0;
                stream.write_all(b"250 taken\r\n").await?;
            }
            Some("QUIT") => return stream.write_all(b"221 bye\r\n").await,
            _ => stream.write_all(b"250 ok\r\n").await?,
        }
        stream.flush().await?;
    }
}

/// One end of a connection.
#[derive(Debug)]
struct Pipe(Connection);

impl Transport for Pipe {
    fn local_addr(&self) -> Option<SocketAddr> {
        Some(SocketAddr::from(([192, 0, 2, 77], 40000)))
    }
}

mod pipe {
    use super::Pipe;
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    impl AsyncRead for Pipe {
        fn poll_read(
            self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.get_mut().0).poll_read(context, buffer)
        }
    }

    impl AsyncWrite for Pipe {
        fn poll_write(
            self: Pin<&mut Self>,
            context: &mut Context<'_>,
            octets: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.get_mut().0).poll_write(context, octets)
        }

        fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.get_mut().0).poll_flush(context)
        }

        fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.get_mut().0).poll_shutdown(context)
        }
    }
}
