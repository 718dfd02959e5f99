//! Fetching an MTA-STS policy over HTTPS ([RFC 8461 section 3.3]).
//!
//! One GET on a connection of its own, made by the connector that mails go through. HTTP/1.1 is hyper's; in here is
//! what the RFC adds: the certificate must be verified, only a 200 counts, nothing is followed, remembered or kept open.
//!
//! [RFC 8461 section 3.3]: https://www.rfc-editor.org/rfc/rfc8461#section-3.3

use super::tls::{TlsError, TlsSettings, Verification, handshake};
use super::{ConnectByName, ConnectError, Connector, Transport, is_localhost};
use crate::route::mta_sts::{FetchError, FetchPolicy, Fetching};
use crate::route::{self, HostName, MxHost, Policy, Proof, Resolver, RouteError, Target};
use crate::text::excerpt;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long one address may take to connect, so that a dead one leaves time for the next.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// The largest policy, in octets.
// https://www.rfc-editor.org/rfc/rfc8461#section-3.3
// > a suggested maximum policy size is 64 kilobytes
const MAX_POLICY: usize = 64 * 1024;
/// The largest header of an answer, status line included, and the largest trailer, in octets.
const MAX_HEADER: usize = 16 * 1024;

/// How much of a media type that is none of a policy is given back, in characters.
const MAX_SHOWN: usize = 100;

const PATH: &str = "/.well-known/mta-sts.txt";
const AGENT: &str = concat!("mapagent/", env!("CARGO_PKG_VERSION"));
pub(crate) const HTTPS_PORT: u16 = 443;

/// Fetches MTA-STS policies.
#[derive(Clone, Debug)]
pub struct HttpsFetcher {
    resolver: Arc<dyn Resolver>,
    connector: Arc<dyn Connector>,
    policy: Policy,
    tls: TlsSettings,
    port: u16,
}

impl HttpsFetcher {
    /// Finds policy hosts by `resolver`, unless `connector` finds them itself, and connects to `port` of those of their
    /// addresses that `policy` allows. Their certificates are verified by the authorities of `tls`.
    pub fn new(
        resolver: Arc<dyn Resolver>,
        connector: Arc<dyn Connector>,
        policy: Policy,
        tls: TlsSettings,
        port: u16,
    ) -> Self {
        Self {
            resolver,
            connector,
            policy,
            tls,
            port,
        }
    }

    async fn connect(&self, host: &HostName) -> Result<Box<dyn Transport>, FetchError> {
        if let Some(connector) = self.connector.by_name() {
            // Of the targets that are not allowed, only those that are named so can be told here.
            if is_localhost(host.as_ascii()) && !self.policy.allow_loopback {
                return Err(FetchError::ForbiddenTarget);
            }
            let connecting = ConnectByName::connect(connector, host, self.port);
            return connecting.await.map_err(|error| blame_connect(&error));
        }
        let mut failure = FetchError::NoAddress;
        for (number, address) in self.addresses(host).await?.into_iter().enumerate() {
            let connecting = self.connector.connect(SocketAddr::new(address, self.port));
            let error = match timeout(CONNECT_TIME, connecting).await {
                Ok(Ok(transport))
                    if self
                        .connector
                        .leads_here(transport.as_ref(), address, self.policy) =>
                {
                    FetchError::ForbiddenTarget
                }
                Ok(Ok(transport)) => return Ok(transport),
                Ok(Err(error)) => blame_connect(&error),
                Err(_elapsed) => FetchError::TimedOut,
            };
            // What a host did says more than that this machine has no way to its other address.
            if number == 0 || matches!(failure, FetchError::Local(_)) {
                failure = error;
            }
        }
        Err(failure)
    }

    async fn addresses(&self, host: &HostName) -> Result<Vec<IpAddr>, FetchError> {
        let host = MxHost {
            target: Target::Name(host.clone()),
            implicit: true,
            preference: 0,
            proof: Proof::Insecure,
        };
        let found = route::addresses(self.resolver.as_ref(), &host, &self.policy).await;
        let found = self.connector.leave_out_own(found, self.policy);
        found.found.map_err(|error| match error {
            RouteError::ForbiddenTarget => FetchError::ForbiddenTarget,
            RouteError::Lookup(error) => FetchError::Lookup(error),
            _ => FetchError::NoAddress,
        })
    }
}

impl FetchPolicy for HttpsFetcher {
    fn fetch<'a>(&'a self, host: &'a HostName) -> Fetching<'a> {
        Box::pin(async move {
            let transport = self.connect(host).await?;
            let (session, _) = handshake(transport, host.as_ascii(), &Verification::Pkix, &self.tls)
                .await
                .map_err(|error| blame_tls(&error))?;
            let authority = match self.port {
                HTTPS_PORT => host.to_string(),
                port => format!("{host}:{port}"),
            };
            get(session, &authority).await
        })
    }
}

fn blame_connect(error: &ConnectError) -> FetchError {
    match error {
        ConnectError::Later(error) => FetchError::Connect(error.kind().to_string()),
        ConnectError::Immediate(_) | ConnectError::Proxy(_) | ConnectError::SourceAddress { .. } => {
            FetchError::Local(error.to_string())
        }
    }
}

fn blame_tls(error: &TlsError) -> FetchError {
    let told = error.to_string();
    match error {
        TlsError::NoRoots(_) => FetchError::Local(told),
        TlsError::Lost(_) => FetchError::Connect(told),
        _ => FetchError::Tls(told),
    }
}

async fn get(session: Box<dyn Transport>, authority: &str) -> Result<Bytes, FetchError> {
    let request = Request::get(PATH)
        .header(HOST, authority)
        .header(ACCEPT, "text/plain")
        .header(CONNECTION, "close")
        .header(USER_AGENT, AGENT)
        .body(Empty::<Bytes>::new())
        // Names of hosts and these texts make a request.
        .map_err(|error| FetchError::Local(error.to_string()))?;
    let (mut sender, connection) = http1::Builder::new()
        .max_header_size(MAX_HEADER)
        .handshake(TokioIo::new(session))
        .await
        .map_err(|error| broken(&error))?;
    let mut exchange = pin!(async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| broken(&error))?;
        policy_of(response).await
    });
    tokio::select! {
        biased;
        policy = &mut exchange => policy,
        // It has read all there is; what it makes of that is told by the exchange.
        _ = connection => exchange.await,
    }
}

async fn policy_of(response: Response<Incoming>) -> Result<Bytes, FetchError> {
    // https://www.rfc-editor.org/rfc/rfc8461#section-3.3
    // > Policies fetched via HTTPS are only valid if the HTTP response code is 200 (OK).
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    // https://www.rfc-editor.org/rfc/rfc8461#section-3.3
    // > senders SHOULD validate that the media type is "text/plain" to guard against cases where web servers allow
    // > untrusted users to host non-text content (typically, HTML or images) at a user-defined path.
    // A server that names no type has none for what its users bring.
    if let Some(content_type) = response.headers().get(CONTENT_TYPE) {
        let octets = content_type.as_bytes();
        let media_type = octets
            .split(|octet| *octet == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii();
        if !media_type.eq_ignore_ascii_case(b"text/plain") {
            return Err(FetchError::MediaType(excerpt(media_type, MAX_SHOWN)));
        }
    }
    let body = Limited::new(response.into_body(), MAX_POLICY).collect().await;
    match body {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(match error.downcast_ref() {
            Some(error) => broken(error),
            // All other errors are those of the limit.
            None => FetchError::TooLarge,
        }),
    }
}

fn broken(error: &hyper::Error) -> FetchError {
    // Where HTTP says how much there is, hyper misses the rest; where it ends with the session, rustls misses its end.
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    let is_cut = cause.is_some_and(|cause| {
        matches!(
            cause.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof
        )
    });
    if is_cut || error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return FetchError::Broken("closed the connection before all of its answer had come".to_owned());
    }
    let cause = error.source().map(|cause| format!(" ({cause})"));
    let cause = cause.unwrap_or_default();
    FetchError::Broken(format!("sent what cannot be read: {error}{cause}"))
}

#[cfg(test)]
mod tests;
