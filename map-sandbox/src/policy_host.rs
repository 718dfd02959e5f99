//! The policy hosts of MTA-STS: one HTTPS server that is all of them, by the name a client asks for.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use memchr::memmem;
use rustls::ServerConfig;
use rustls::server::ResolvesServerCertUsingSni;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::certificates::{Authority, Wanted};
use crate::log::Log;
use crate::world::{MtaSts, PolicyFault, World};

/// Where the server listens, and where nobody does.
pub(crate) const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
pub(crate) const DOWN: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 253);

/// Where a policy is, and where a redirection leads: to the same policy, for a client that follows it.
const PATH: &str = "/.well-known/mta-sts.txt";
const ELSEWHERE: &str = "/elsewhere.txt";

/// Octets of a request, at most.
const MAX_REQUEST: usize = 8192;
/// Octets that follow a huge policy; a client may stop at 64 KiB.
const HUGE: usize = 1024 * 1024;

/// All policy hosts, until they are dropped.
#[derive(Debug)]
pub(crate) struct PolicyHosts {
    port: u16,
    policies: Policies,
    task: JoinHandle<()>,
    /// Bound, but never listening: where the hosts are that are down.
    down: Option<Socket>,
}

/// By the name of the policy host.
type Policies = Arc<RwLock<HashMap<String, Arc<Policy>>>>;

#[derive(Debug)]
struct Policy {
    server: Arc<ServerConfig>,
    policy: MtaSts,
}

impl PolicyHosts {
    pub(crate) async fn start(world: &World, authority: &Authority, log: Log) -> io::Result<Self> {
        let listener = TcpListener::bind((HERE, 0)).await?;
        let port = listener.local_addr()?.port();
        let policies = Policies::default();
        let task = tokio::spawn(listen(listener, Arc::clone(&policies), log));
        let mut hosts = Self {
            port,
            policies,
            task,
            down: None,
        };
        let set = hosts.prepare(world, authority)?;
        hosts.set(set);
        Ok(hosts)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What can fail about setting another world.
    pub(crate) fn prepare(&mut self, world: &World, authority: &Authority) -> io::Result<Prepared> {
        let is_down = |policy: &MtaSts| policy.fault == Some(PolicyFault::Down);
        if self.down.is_none() && world.policies.values().any(is_down) {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.bind(&SocketAddr::from((DOWN, self.port)).into())?;
            self.down = Some(socket);
        }
        let mut policies = HashMap::new();
        for (name, policy) in &world.policies {
            let wanted = Wanted {
                names: vec![name.clone()],
                addresses: Vec::new(),
                quality: policy.certificate,
            };
            let server = authority
                .identity(&wanted)?
                .server(crate::certificates::Versions::All)?;
            let policy = policy.clone();
            policies.insert(name.clone(), Arc::new(Policy { server, policy }));
        }
        Ok(Prepared(policies))
    }

    pub(crate) fn set(&mut self, Prepared(policies): Prepared) {
        *self.policies.write().unwrap_or_else(PoisonError::into_inner) = policies;
    }
}

/// Policies that are ready to be served.
pub(crate) struct Prepared(HashMap<String, Arc<Policy>>);

impl Drop for PolicyHosts {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listener: TcpListener, policies: Policies, log: Log) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream, Arc::clone(&policies), log.clone()));
            }
            // As in the mail hosts.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// One connection. An error is the client's: it left, or refused the certificate.
async fn serve(stream: TcpStream, policies: Policies, log: Log) -> io::Result<()> {
    let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
    let name = start.client_hello().server_name().unwrap_or_default().to_owned();
    let fetch = log.open_fetch(&name);
    let policy = {
        let policies = policies.read().unwrap_or_else(PoisonError::into_inner);
        policies.get(&name.to_ascii_lowercase()).cloned()
    };
    let Some(policy) = policy else {
        // It has no certificate for that name, and says so by an alert.
        start.into_stream(nobody()?).await?;
        return Ok(());
    };
    let mut stream = start.into_stream(Arc::clone(&policy.server)).await?;
    let request = read_request(&mut stream).await?;
    let request = String::from_utf8_lossy(&request);
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    log.fetch(fetch, |fetch| fetch.path = Some(path));
    if policy.policy.fault == Some(PolicyFault::Stall) {
        // As long as the client waits.
        while stream.read(&mut [0; 64]).await? > 0 {}
        return Ok(());
    }
    let (status, reply) = answer(&policy.policy, &name, &request);
    log.fetch(fetch, |fetch| fetch.status = Some(status));
    stream.write_all(&reply).await?;
    stream.shutdown().await
}

/// A server that has no certificate.
fn nobody() -> io::Result<Arc<ServerConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
    Ok(Arc::new(config))
}

async fn read_request(stream: &mut TlsStream<TcpStream>) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    while memmem::find(&request, b"\r\n\r\n").is_none() && request.len() < MAX_REQUEST {
        if stream.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(request)
}

/// The status and all octets of the answer.
fn answer(policy: &MtaSts, name: &str, request: &str) -> (u16, Vec<u8>) {
    let mut lines = request.split("\r\n");
    let line = lines.next().unwrap_or_default();
    let host = lines.find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case("host").then(|| value.trim())
    });
    let host = host.unwrap_or_default();
    let is_for_us = host
        .split(':')
        .next()
        .is_some_and(|host| host.eq_ignore_ascii_case(name));
    let mut location = String::new();
    let mut body = policy.text();
    let status = match (line.split(' ').collect::<Vec<_>>().as_slice(), policy.fault) {
        _ if !is_for_us => 421,
        (["GET", PATH, _], Some(PolicyFault::Status(status))) => {
            if (300..400).contains(&status) {
                location = format!("Location: https://{host}{ELSEWHERE}\r\n");
            }
            // The policy comes all the same: a client that does not look at the status would take it.
            status
        }
        (["GET", PATH | ELSEWHERE, _], _) => 200,
        (["GET", ..], _) => 404,
        _ => 405,
    };
    let length = if policy.fault == Some(PolicyFault::Huge) {
        let line = b"more: and more\r\n";
        body.extend(line.iter().copied().cycle().take(HUGE));
        // The end of the stream ends it, so that a client has to count for itself.
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    let head = format!(
        "HTTP/1.1 {status} sandbox\r\nContent-Type: text/plain\r\n{length}{location}Connection: close\r\n\r\n"
    );
    let mut reply = head.into_bytes();
    reply.extend(body);
    (status, reply)
}
