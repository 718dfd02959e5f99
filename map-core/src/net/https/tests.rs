//! Policies from a web server in this process: over TCP on loopback, or in memory where time matters.

use crate::net::tls::TlsSettings;
use crate::net::tls::testing::{Contents, Server};
use crate::net::{
    ConnectByName, ConnectError, Connecting, Connector, HttpsFetcher, ProxyError, TcpConnector, Transport,
};
use crate::route::fake::FakeResolver;
use crate::route::mta_sts::{FetchError, FetchPolicy, MtaSts, StsFinding};
use crate::route::{HostName, LookupError, Policy, Resolver};
use bytes::Bytes;
use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

const HOST: &str = "mta-sts.example.test";
const POLICY: &str = "version: STSv1\r\nmode: enforce\r\nmx: mx.example.test\r\nmax_age: 86400\r\n";
const LOOPBACK: Policy = Policy {
    allow_loopback: true,
    public_only: false,
    require_mx: false,
};

/// A server that may be trusted to be the policy host.
fn good() -> Server {
    Server::issued(&Contents::named(HOST))
}

/// What a server does.
#[derive(Clone, Default)]
struct Site {
    /// None: it speaks in the clear.
    tls: Option<TlsAcceptor>,
    answer: Vec<u8>,
    then: Then,
    /// What was asked of it, after the name that TLS asked for.
    heard: Arc<Mutex<Vec<String>>>,
}

/// What a server does after its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Then {
    /// Ends the session as TLS demands.
    #[default]
    Close,
    /// Ends the connection and not the session.
    Cut,
    /// This again, without end.
    Repeat(&'static str, Duration),
    /// Keeps the connection.
    Stay,
}

impl Site {
    fn new(server: &Server, answer: impl Into<Vec<u8>>, then: Then) -> Self {
        Self {
            tls: Some(server.acceptor()),
            answer: answer.into(),
            then,
            heard: Arc::default(),
        }
    }

    async fn serve(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let Some(tls) = &self.tls else {
            // Whatever it is, this is the answer.
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(&self.answer).await;
            return;
        };
        let Ok(session) = tls.accept(stream).await else {
            return;
        };
        let name = session.get_ref().1.server_name().unwrap_or_default().to_owned();
        self.answer(session, name).await;
    }

    async fn answer(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, mut heard: String) {
        heard.push('\n');
        while !heard.ends_with("\r\n\r\n") {
            match stream.read_u8().await {
                Ok(octet) => heard.push(octet.into()),
                Err(_) => return,
            }
        }
        self.heard.lock().unwrap().push(heard);
        // The client may leave before it has heard everything.
        let _ = stream.write_all(&self.answer).await;
        let _ = stream.flush().await;
        match self.then {
            Then::Close => {
                let _ = stream.shutdown().await;
            }
            Then::Cut => {}
            Then::Repeat(text, every) => loop {
                // Of nothing it would make a millisecond.
                if !every.is_zero() {
                    sleep(every).await;
                }
                if stream.write_all(text.as_bytes()).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            },
            Then::Stay => pending().await,
        }
    }

    /// The port of loopback at which it listens from now on.
    async fn listen(self) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("its number").port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(self.clone().serve(stream));
            }
        });
        port
    }
}

fn resolver(addresses: &[&str]) -> Arc<FakeResolver> {
    let with = |resolver: FakeResolver, record: &&str| resolver.with(HOST, record);
    Arc::new(addresses.iter().fold(FakeResolver::new(), with))
}

fn host() -> HostName {
    HostName::parse(HOST).expect("a host name")
}

fn answer(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// What comes of fetching from this server over TCP.
async fn fetch_from(site: Site, settings: TlsSettings) -> Result<String, FetchError> {
    let port = site.listen().await;
    let fetcher = HttpsFetcher::new(
        resolver(&["A 127.0.0.1"]),
        Arc::new(TcpConnector::default()),
        LOOPBACK,
        settings,
        port,
    );
    text(fetcher.fetch(&host()).await)
}

fn text(policy: Result<Bytes, FetchError>) -> Result<String, FetchError> {
    policy.map(|policy| String::from_utf8(policy.to_vec()).expect("text"))
}

#[tokio::test]
async fn a_policy_is_asked_for_in_these_words() {
    let server = good();
    let site = Site::new(&server, answer("200 OK", POLICY), Then::Stay);
    let port = site.clone().listen().await;
    let fetcher = HttpsFetcher::new(
        resolver(&["A 127.0.0.1"]),
        Arc::new(TcpConnector::default()),
        LOOPBACK,
        server.trusted(),
        port,
    );
    let policy = fetcher.fetch(&host()).await.expect("a policy");
    assert_eq!(policy, POLICY);
    let heard = site.heard.lock().unwrap().join("");
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "{HOST}\nGET /.well-known/mta-sts.txt HTTP/1.1\r\nhost: {HOST}:{port}\r\naccept: text/plain\r\n\
         connection: close\r\nuser-agent: mapagent/{version}\r\n\r\n"
    );
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn answers_that_are_a_policy() {
    let server = good();
    let largest = "a".repeat(64 * 1024);
    let with_header = format!(
        "200 OK\r\nX-Long: {}\r\nContent-Type: Text/PLAIN ;charset=utf-8",
        "x".repeat(15 * 1024)
    );
    let rows = [
        (answer("200 OK", POLICY), Then::Close, POLICY),
        (answer("200 OK", POLICY), Then::Cut, POLICY),
        (answer("200 OK", POLICY), Then::Stay, POLICY),
        (answer("200", ""), Then::Stay, ""),
        (answer("200 OK", &largest), Then::Stay, &largest),
        (answer(&with_header, POLICY), Then::Stay, POLICY),
        // As long as the session lasts.
        (format!("HTTP/1.1 200 OK\r\n\r\n{POLICY}"), Then::Close, POLICY),
        (format!("HTTP/1.0 200 OK\r\n\r\n{POLICY}"), Then::Close, POLICY),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nvers\r\n8;x=y\r\nion: STS\r\n0\r\n\r\n".to_owned(),
            Then::Stay,
            "version: STS",
        ),
        (
            format!("HTTP/1.1 103 Early Hints\r\n\r\n{}", answer("200 OK", POLICY)),
            Then::Stay,
            POLICY,
        ),
    ];
    for (text, then, expected) in rows {
        let site = Site::new(&server, text.as_bytes(), then);
        let fetched = fetch_from(site, server.trusted()).await;
        assert_eq!(fetched.as_deref(), Ok(expected), "{text:.100} {then:?}");
    }
}

#[tokio::test]
async fn answers_that_are_none() {
    let server = good();
    let cut = "the policy host closed the connection before all of its answer had come";
    let too_large = "the policy host sent more than 64 KiB";
    let unreadable = "the policy host sent what cannot be read";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let large = "a".repeat(64 * 1024 + 1);
    let long_header = format!("200 OK\r\nX-Long: {}", "x".repeat(16 * 1024));
    let many_headers = format!("200 OK{}", "\r\nA: b".repeat(200));
    let again = |text| Then::Repeat(text, Duration::ZERO);
    let rows = [
        (
            answer("404 Not Found", POLICY),
            Then::Stay,
            "the policy host answered 404",
        ),
        (answer("500 Oops", ""), Then::Stay, "the policy host answered 500"),
        (
            answer("200 OK\r\nContent-Type: text/html; charset=utf-8", POLICY),
            Then::Stay,
            "the policy host sent text/html, and a policy is text/plain",
        ),
        (
            answer("203 Changed", POLICY),
            Then::Stay,
            "the policy host answered 203",
        ),
        (
            "HTTP/1.1 204 Empty\r\n\r\n".to_owned(),
            Then::Stay,
            "the policy host answered 204",
        ),
        (
            answer(&format!("301 Moved\r\nLocation: https://{HOST}/"), POLICY),
            Then::Stay,
            "the policy host answered 301, and a redirect must not be followed",
        ),
        (answer("200 OK", &large), Then::Stay, too_large),
        (format!("HTTP/1.1 200 OK\r\n\r\n{large}"), Then::Close, too_large),
        (chunked.to_owned(), again("4\r\nmore\r\n"), too_large),
        // A policy that lost its end may have lost mail hosts.
        (format!("HTTP/1.1 200 OK\r\n\r\n{POLICY}"), Then::Cut, cut),
        (
            format!("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{POLICY}"),
            Then::Close,
            cut,
        ),
        (
            format!("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{POLICY}"),
            Then::Cut,
            cut,
        ),
        (format!("{chunked}4\r\nmore\r\n"), Then::Close, cut),
        (format!("{chunked}4\r\nmore\r\n"), Then::Cut, cut),
        ("HTTP/1.1 200 OK\r\nContent-".to_owned(), Then::Close, cut),
        (String::new(), Then::Close, cut),
        (String::new(), Then::Cut, cut),
        (answer(&long_header, POLICY), Then::Stay, unreadable),
        (answer(&many_headers, POLICY), Then::Stay, unreadable),
        (
            "HTTP/1.1 200 OK\r\n".to_owned(),
            again("X-More: and more\r\n"),
            unreadable,
        ),
        ("HTTP/1.1 200 ".to_owned(), again("and so on "), unreadable),
        (format!("{chunked}1"), again("111111"), unreadable),
        (format!("{chunked}1;"), again("more more "), unreadable),
        (
            format!("{chunked}0\r\n"),
            again("X-More: and more\r\n"),
            unreadable,
        ),
        (format!("{chunked}more\r\n"), Then::Stay, unreadable),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n".to_owned(),
            Then::Stay,
            unreadable,
        ),
        (
            "220 mail.example.test ESMTP\r\n".to_owned(),
            Then::Stay,
            unreadable,
        ),
        (POLICY.to_owned(), Then::Close, unreadable),
    ];
    for (text, then, expected) in rows {
        let site = Site::new(&server, text.as_bytes(), then);
        let heard = Arc::clone(&site.heard);
        let error = fetch_from(site, server.trusted()).await.expect_err("no policy");
        assert!(
            error.to_string().starts_with(expected),
            "{text:.100} {then:?}: {error}"
        );
        assert_eq!(heard.lock().unwrap().len(), 1, "it was asked once");
    }
}

#[tokio::test]
async fn only_a_host_that_proves_its_name_is_believed() {
    let of = |names: &[&'static str]| Contents {
        names: names.to_vec(),
        ..Contents::named(HOST)
    };
    let rows = [
        (
            Server::issued(&of(&["example.test", "mx.example.test"])),
            "is for example.test, mx.example.test, not for mta-sts.example.test",
        ),
        (
            Server::issued(&of(&["*.mta-sts.example.test", "*.test"])),
            "not for mta-sts.example.test",
        ),
        // https://www.rfc-editor.org/rfc/rfc8461#section-3.3
        // > Matching is performed only against the DNS-ID identifiers.
        (
            Server::issued(&Contents::common_name_only(HOST)),
            "only by its common name",
        ),
        (Server::issued(&of(&[HOST]).expired()), "expired"),
        (good().impostor(), "not the server's own"),
    ];
    for (server, expected) in rows {
        let error = refused(&server, server.trusted()).await;
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let strangers = [
        (good(), "no authority that is trusted"),
        (Server::self_signed(&of(&[HOST])), "is self-signed"),
    ];
    for (server, expected) in strangers {
        let error = refused(&server, good().trusted()).await;
        assert!(error.contains(expected), "{expected}: {error}");
    }

    for names in [&["a.example", HOST] as &[_], &["*.example.test"]] {
        let server = Server::issued(&of(names));
        let site = Site::new(&server, answer("200 OK", POLICY), Then::Stay);
        assert_eq!(fetch_from(site, server.trusted()).await.as_deref(), Ok(POLICY));
    }
}

/// Why this server is not believed, by these settings.
async fn refused(server: &Server, settings: TlsSettings) -> String {
    let site = Site::new(server, answer("200 OK", POLICY), Then::Stay);
    let heard = Arc::clone(&site.heard);
    let error = fetch_from(site, settings).await.expect_err("no policy");
    assert!(matches!(error, FetchError::Tls(_)), "{error}");
    assert_eq!(heard.lock().unwrap().len(), 0, "nothing was asked of it");
    error.to_string()
}

#[tokio::test]
async fn a_server_without_tls_is_not_believed() {
    let site = Site {
        answer: answer("200 OK", POLICY).into(),
        ..Site::default()
    };
    let error = fetch_from(site, good().trusted()).await.expect_err("no policy");
    assert!(matches!(error, FetchError::Tls(_)), "{error}");
}

/// A network in memory.
#[derive(Default)]
struct Net {
    ways: HashMap<IpAddr, Way>,
    /// The way to all names, where they are looked up behind it.
    by_name: Option<Way>,
    asked: Mutex<Vec<String>>,
}

/// What comes of connecting.
enum Way {
    Hangs,
    Later(io::ErrorKind),
    NoRoute,
    ProxyRefuses,
    Site(Site),
    /// It closes at once.
    Slams,
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net").finish_non_exhaustive()
    }
}

impl Net {
    fn new(ways: impl IntoIterator<Item = (&'static str, Way)>) -> Self {
        let ways = ways
            .into_iter()
            .map(|(address, way)| (address.parse().expect("an address"), way));
        Self {
            ways: ways.collect(),
            ..Self::default()
        }
    }

    async fn go(&self, way: &Way) -> Result<Box<dyn Transport>, ConnectError> {
        match way {
            Way::Hangs => pending().await,
            Way::Later(kind) => Err(ConnectError::Later((*kind).into())),
            Way::NoRoute => Err(ConnectError::Immediate(io::ErrorKind::NetworkUnreachable.into())),
            Way::ProxyRefuses => Err(ProxyError::Refused(2).into()),
            Way::Site(site) => {
                let (ours, theirs) = tokio::io::duplex(16 * 1024);
                tokio::spawn(site.clone().serve(theirs));
                Ok(Box::new(ours))
            }
            Way::Slams => Ok(Box::new(tokio::io::duplex(1).0)),
        }
    }
}

impl Connector for Net {
    fn connect(&self, address: SocketAddr) -> Connecting<'_> {
        self.asked.lock().unwrap().push(address.to_string());
        Box::pin(self.go(&self.ways[&address.ip()]))
    }

    fn by_name(&self) -> Option<&dyn ConnectByName> {
        self.by_name.is_some().then_some(self)
    }
}

impl ConnectByName for Net {
    fn connect<'a>(&'a self, host: &'a HostName, port: u16) -> Connecting<'a> {
        self.asked.lock().unwrap().push(format!("{host}:{port}"));
        Box::pin(self.go(self.by_name.as_ref().expect("a way")))
    }
}

/// What comes of fetching over this network, and how long it took.
async fn fetch_over(
    net: &Arc<Net>,
    addresses: &[&str],
    policy: Policy,
    settings: TlsSettings,
) -> (Result<String, FetchError>, Duration) {
    let fetcher = HttpsFetcher::new(resolver(addresses), Arc::clone(net) as _, policy, settings, 443);
    let started = Instant::now();
    let policy = fetcher.fetch(&host()).await;
    (text(policy), started.elapsed())
}

fn policy_at(server: &Server) -> Way {
    Way::Site(Site::new(server, answer("200 OK", POLICY), Then::Stay))
}

#[tokio::test(start_paused = true)]
async fn the_next_address_is_tried_where_one_cannot_be_connected_to() {
    let server = good();
    let rows = [
        (Way::Hangs, Duration::from_secs(5)),
        (Way::Later(io::ErrorKind::ConnectionRefused), Duration::ZERO),
        (Way::NoRoute, Duration::ZERO),
    ];
    for (way, expected) in rows {
        let net = Arc::new(Net::new([
            ("192.0.2.1", way),
            ("2001:db8::1", policy_at(&server)),
        ]));
        let addresses = ["A 192.0.2.1", "AAAA 2001:db8::1"];
        let (fetched, took) = fetch_over(&net, &addresses, Policy::default(), server.trusted()).await;
        assert_eq!((fetched.as_deref(), took), (Ok(POLICY), expected));
        assert_eq!(*net.asked.lock().unwrap(), ["192.0.2.1:443", "[2001:db8::1]:443"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_cannot_be_connected_to_is_told_so() {
    let refused = || Way::Later(io::ErrorKind::ConnectionRefused);
    let rows = [
        ([Way::Hangs, Way::NoRoute], FetchError::TimedOut),
        ([Way::NoRoute, Way::Hangs], FetchError::TimedOut),
        (
            [Way::NoRoute, refused()],
            FetchError::Connect("connection refused".to_owned()),
        ),
        (
            [refused(), Way::Hangs],
            FetchError::Connect("connection refused".to_owned()),
        ),
        (
            [Way::NoRoute, Way::NoRoute],
            FetchError::Local("this machine refused to connect: network unreachable".to_owned()),
        ),
        (
            [Way::ProxyRefuses, Way::NoRoute],
            FetchError::Local("this machine refused to connect: network unreachable".to_owned()),
        ),
    ];
    for ([v4, v6], expected) in rows {
        let net = Arc::new(Net::new([("192.0.2.1", v4), ("2001:db8::1", v6)]));
        let addresses = ["A 192.0.2.1", "AAAA 2001:db8::1"];
        let (fetched, _) = fetch_over(&net, &addresses, Policy::default(), TlsSettings::default()).await;
        assert_eq!(fetched, Err(expected));
    }
    let net = Arc::new(Net::new([("192.0.2.1", Way::Slams)]));
    let (fetched, _) = fetch_over(&net, &["A 192.0.2.1"], Policy::default(), good().trusted()).await;
    assert!(matches!(fetched, Err(FetchError::Connect(_))), "{fetched:?}");
}

/// A stranger's DNS must not lead into this machine.
#[tokio::test]
async fn forbidden_addresses_are_not_connected_to() {
    let rows: [(&[&str], FetchError); 6] = [
        (&["A 127.0.0.1", "AAAA ::1"], FetchError::ForbiddenTarget),
        (&["A 169.254.169.254"], FetchError::ForbiddenTarget),
        (&["A nxdomain"], FetchError::NoAddress),
        (&["A nodata", "AAAA nodata"], FetchError::NoAddress),
        (
            &["A nodata", "AAAA silent"],
            FetchError::Lookup(LookupError::NoAnswer),
        ),
        (&["CNAME localhost."], FetchError::NoAddress),
    ];
    for (addresses, expected) in rows {
        let net = Arc::new(Net::default());
        let (fetched, _) = fetch_over(&net, addresses, Policy::default(), TlsSettings::default()).await;
        assert_eq!(fetched, Err(expected), "{addresses:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_looks_up_names_is_given_the_name() {
    let server = good();
    let net = Arc::new(Net {
        by_name: Some(policy_at(&server)),
        ..Net::default()
    });
    let (fetched, _) = fetch_over(&net, &[], Policy::default(), server.trusted()).await;
    assert_eq!(fetched.as_deref(), Ok(POLICY));
    assert_eq!(*net.asked.lock().unwrap(), [format!("{HOST}:443")]);

    let net = Arc::new(Net {
        by_name: Some(Way::ProxyRefuses),
        ..Net::default()
    });
    let (fetched, _) = fetch_over(&net, &[], Policy::default(), server.trusted()).await;
    let told = "the proxy refused the connection: its rules do not allow it";
    assert_eq!(fetched, Err(FetchError::Local(told.to_owned())));
}

#[tokio::test]
async fn a_proxy_is_not_asked_for_the_machine_itself() {
    let localhost = HostName::parse("mta-sts.localhost").expect("a host name");
    let rows = [
        (Policy::default(), FetchError::ForbiddenTarget),
        (LOOPBACK, FetchError::Connect("connection refused".to_owned())),
    ];
    for (policy, expected) in rows {
        let net = Arc::new(Net {
            by_name: Some(Way::Later(io::ErrorKind::ConnectionRefused)),
            ..Net::default()
        });
        let fetcher = HttpsFetcher::new(resolver(&[]), net, policy, TlsSettings::default(), 443);
        assert_eq!(fetcher.fetch(&localhost).await, Err(expected));
    }
}

/// Whatever a server does, an answer of some kind is there in time.
#[tokio::test(start_paused = true)]
async fn a_server_that_takes_its_time_is_left() {
    let server = good();
    let drip = Then::Repeat("x", Duration::from_secs(1));
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmore\r\n";
    let sites = [
        Way::Site(Site::new(&server, "", Then::Stay)),
        Way::Site(Site::new(&server, "HTTP/1.1 200 OK\r\nX: ", drip)),
        Way::Site(Site::new(&server, head, drip)),
        Way::Site(Site::new(&server, head, Then::Stay)),
        Way::Site(Site::new(&server, chunked, Then::Stay)),
        Way::Site(Site::new(
            &server,
            "",
            Then::Repeat("HTTP/1.1 100 Wait\r\n\r\n", Duration::from_secs(1)),
        )),
        Way::Hangs,
    ];
    for (number, way) in sites.into_iter().enumerate() {
        let records = FakeResolver::new().with("_mta-sts.example.test", "TXT v=STSv1; id=1");
        let records: Arc<dyn Resolver> = Arc::new(records);
        let fetcher: Arc<dyn FetchPolicy> = Arc::new(HttpsFetcher::new(
            resolver(&["A 192.0.2.1"]),
            Arc::new(Net::new([("192.0.2.1", way)])),
            Policy::default(),
            server.trusted(),
            443,
        ));
        let domain = "example.test".parse().expect("a domain");
        let started = Instant::now();
        let finding = MtaSts::new().policy(&records, &fetcher, &domain).await;
        let StsFinding::NoPolicy {
            problem: Some(problem),
        } = finding
        else {
            panic!("{number}: {finding:?}");
        };
        assert_eq!(problem, "the policy host did not answer in time", "{number}");
        assert!(started.elapsed() <= Duration::from_secs(15), "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_is_waited_for() {
    let server = good();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{POLICY}",
        POLICY.len() + 10
    );
    let site = Site::new(&server, head, Then::Repeat("#", Duration::from_secs(1)));
    let net = Arc::new(Net::new([("192.0.2.1", Way::Site(site))]));
    let (fetched, took) = fetch_over(&net, &["A 192.0.2.1"], Policy::default(), server.trusted()).await;
    assert_eq!(fetched, Ok(format!("{POLICY}##########")));
    assert_eq!(took, Duration::from_secs(10));
}
