//! The exchange with a proxy, over octets in memory.

use super::*;
use crate::route::Resolver;
use crate::route::fake::FakeResolver;
use std::collections::VecDeque;
use std::sync::Mutex;
use tokio::io::duplex;

fn names(resolver: FakeResolver) -> HostNames {
    let resolver: Arc<dyn Resolver> = Arc::new(resolver);
    resolver.into()
}

/// A proxy: what it says, each after it has heard as many octets as stand before it.
type Script = Vec<(Vec<u8>, Vec<u8>)>;

/// Meets a scripted proxy; remembers where it was looked for and what it was told.
#[derive(Debug)]
struct ToProxy {
    scripts: Mutex<VecDeque<Result<Script, io::ErrorKind>>>,
    asked: Mutex<Vec<SocketAddr>>,
}

impl ToProxy {
    fn new(scripts: impl IntoIterator<Item = Result<Script, io::ErrorKind>>) -> Arc<Self> {
        Arc::new(Self {
            scripts: Mutex::new(scripts.into_iter().collect()),
            asked: Mutex::default(),
        })
    }
}

impl Connector for ToProxy {
    fn connect(&self, address: SocketAddr) -> Connecting<'_> {
        self.asked.lock().expect("unpoisoned").push(address);
        let script = self
            .scripts
            .lock()
            .expect("unpoisoned")
            .pop_front()
            .expect("a script");
        Box::pin(async move {
            let script = script.map_err(|kind| ConnectError::Later(kind.into()))?;
            let (ours, mut theirs) = duplex(4096);
            tokio::spawn(async move {
                for (heard, said) in script {
                    let mut octets = vec![0; heard.len()];
                    theirs.read_exact(&mut octets).await.expect("what the script has");
                    assert_eq!(octets, heard);
                    theirs.write_all(&said).await.expect("room");
                }
            });
            Ok(Box::new(ours) as Box<dyn Transport>)
        })
    }
}

async fn through(proxy: &str, script: Script, destination: &str) -> Result<Box<dyn Transport>, ConnectError> {
    let to_proxy = ToProxy::new([Ok(script)]);
    let proxy: Proxy = proxy.parse().expect("a proxy");
    let connector = SocksConnector::new(proxy, to_proxy, names(FakeResolver::new()));
    if let Ok(address) = destination.parse::<SocketAddr>() {
        return Connector::connect(&connector, address).await;
    }
    let name = HostName::parse(destination).expect("a name");
    let by_name = connector.by_name().expect("a proxy that looks up names");
    by_name.connect(&name, 25).await
}

const HERE: &str = "socks5://127.0.0.1";
const BY_PROXY: &str = "socks5h://127.0.0.1";
const LOGIN: &str = "socks5://us%40er:pass%3aword@127.0.0.1";

/// The exchange up to a reply to CONNECT 192.0.2.1:25.
fn answering(reply: &[u8]) -> Script {
    vec![
        (vec![5, 1, 0], vec![5, 0]),
        (vec![5, 1, 0, 1, 192, 0, 2, 1, 0, 25], reply.to_vec()),
    ]
}

#[tokio::test]
async fn what_goes_to_the_proxy_and_what_comes_behind_it() {
    let accepted = [5, 0, 0, 1, 203, 0, 113, 9, 0x9c, 0x40];
    let greeting = b"220 mx.example.org\r\n";
    let with_greeting = |reply: &[u8]| [reply, greeting].concat();
    let mut v6 = vec![5, 1, 0, 4];
    v6.extend("2001:db8::1".parse::<Ipv6Addr>().expect("an address").octets());
    v6.extend([0, 25]);
    let mut name = vec![5, 1, 0, 3, 15];
    name.extend(b"mx1.example.org");
    name.extend([0, 25]);
    let mut login = vec![1, 5];
    login.extend(b"us@er");
    login.push(9);
    login.extend(b"pass:word");
    let named_reply = [&[5, 0, 0, 3, 3][..], b"abc", &[0, 0]].concat();
    let unspecified = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let ours = Some("192.0.2.77:40000");
    let rows: [(&str, Script, &str, Option<&str>); 7] = [
        (
            HERE,
            answering(&with_greeting(&accepted)),
            "192.0.2.1:25",
            Some("203.0.113.9:40000"),
        ),
        (
            HERE,
            answering(&with_greeting(&unspecified)),
            "192.0.2.1:25",
            ours,
        ),
        (
            HERE,
            answering(&with_greeting(&named_reply)),
            "192.0.2.1:25",
            ours,
        ),
        (
            HERE,
            vec![(vec![5, 1, 0], vec![5, 0]), (v6, with_greeting(&accepted))],
            "[2001:db8::1]:25",
            Some("203.0.113.9:40000"),
        ),
        (
            BY_PROXY,
            vec![(vec![5, 1, 0], vec![5, 0]), (name, with_greeting(&accepted))],
            "mx1.example.org",
            Some("203.0.113.9:40000"),
        ),
        (
            LOGIN,
            vec![
                (vec![5, 2, 0, 2], vec![5, 2]),
                (login, vec![1, 0]),
                (vec![5, 1, 0, 1, 192, 0, 2, 1, 0, 25], with_greeting(&accepted)),
            ],
            "192.0.2.1:25",
            Some("203.0.113.9:40000"),
        ),
        // A login that the proxy does not ask for stays here.
        (
            LOGIN,
            vec![
                (vec![5, 2, 0, 2], vec![5, 0]),
                (vec![5, 1, 0, 1, 192, 0, 2, 1, 0, 25], with_greeting(&accepted)),
            ],
            "192.0.2.1:25",
            Some("203.0.113.9:40000"),
        ),
    ];
    for (proxy, script, destination, local) in rows {
        let mut transport = through(proxy, script, destination).await.expect("a connection");
        let mut heard = vec![0; greeting.len()];
        transport.read_exact(&mut heard).await.expect("a greeting");
        assert_eq!(heard, greeting, "the mail host's first octet is ours");
        assert_eq!(
            transport.local_addr(),
            local.map(|local| local.parse().expect("an address")),
            "{proxy} {destination}"
        );
    }
}

#[tokio::test]
async fn the_host_is_blamed_for_what_the_host_did() {
    let rows = [
        (3, io::ErrorKind::NetworkUnreachable),
        (4, io::ErrorKind::HostUnreachable),
        (5, io::ErrorKind::ConnectionRefused),
        (6, io::ErrorKind::TimedOut),
    ];
    for (code, kind) in rows {
        let script = answering(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]);
        let error = through(HERE, script, "192.0.2.1:25").await.expect_err("refused");
        assert!(
            matches!(&error, ConnectError::Later(error) if error.kind() == kind),
            "{code}: {error:?}"
        );
    }
}

#[tokio::test]
async fn the_proxy_is_blamed_for_what_the_proxy_did() {
    let hello = || vec![5, 1, 0];
    let rows: [(&str, Script, ProxyError); 16] = [
        (
            HERE,
            answering(&[5, 1, 0, 1, 0, 0, 0, 0, 0, 0]),
            ProxyError::Refused(1),
        ),
        (
            HERE,
            answering(&[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]),
            ProxyError::Refused(2),
        ),
        (
            HERE,
            answering(&[5, 7, 0, 1, 0, 0, 0, 0, 0, 0]),
            ProxyError::Refused(7),
        ),
        (
            HERE,
            answering(&[5, 8, 0, 1, 0, 0, 0, 0, 0, 0]),
            ProxyError::Refused(8),
        ),
        (
            HERE,
            answering(&[5, 99, 0, 1, 0, 0, 0, 0, 0, 0]),
            ProxyError::Refused(99),
        ),
        (HERE, answering(&[5, 0, 0, 9, 0, 0]), ProxyError::NotSocks),
        (
            HERE,
            answering(&[4, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
            ProxyError::NotSocks,
        ),
        (HERE, answering(&[5, 0, 0, 1, 0, 0]), ProxyError::Closed),
        (HERE, answering(&[]), ProxyError::Closed),
        (HERE, vec![(hello(), vec![])], ProxyError::Closed),
        (
            HERE,
            vec![(hello(), b"HTTP/1.1 400".to_vec())],
            ProxyError::NotSocks,
        ),
        (HERE, vec![(hello(), vec![5, 0xff])], ProxyError::NoMethod),
        // It chose what was not offered.
        (HERE, vec![(hello(), vec![5, 2])], ProxyError::NotSocks),
        (HERE, vec![(hello(), vec![5, 1])], ProxyError::NotSocks),
        (
            LOGIN,
            vec![(vec![5, 2, 0, 2], vec![5, 2]), (vec![1], vec![1, 1])],
            ProxyError::LoginRefused,
        ),
        (
            LOGIN,
            vec![(vec![5, 2, 0, 2], vec![5, 2]), (vec![1], vec![5, 0])],
            ProxyError::NotSocks,
        ),
    ];
    for (proxy, script, expected) in rows {
        let error = through(proxy, script, "192.0.2.1:25")
            .await
            .expect_err("no connection");
        assert!(
            matches!(&error, ConnectError::Proxy(found) if *found == expected),
            "{expected:?}: {error:?}"
        );
        let said = format!("{error} {error:?}");
        assert!(!said.contains("pass:word"), "{said}");
    }
}

#[tokio::test]
async fn a_proxy_is_looked_for_at_all_its_addresses() {
    let resolver = || {
        FakeResolver::new()
            .with("proxy.example.net", "A 192.0.2.50")
            .with("proxy.example.net", "AAAA 2001:db8::50")
    };
    let ask = async |proxy: &str, to_proxy: &Arc<ToProxy>| {
        let to_proxy = Arc::clone(to_proxy) as Arc<dyn Connector>;
        let connector = SocksConnector::new(proxy.parse().expect("a proxy"), to_proxy, names(resolver()));
        let address = "192.0.2.1:25".parse().expect("an address");
        Connector::connect(&connector, address).await
    };
    let refused = || Err(io::ErrorKind::ConnectionRefused);
    let accepted = || Ok(answering(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));

    let to_proxy = ToProxy::new([refused(), accepted()]);
    ask("socks5://Proxy.example.net:1081", &to_proxy)
        .await
        .expect("a connection");
    let asked: Vec<_> = to_proxy
        .asked
        .lock()
        .expect("unpoisoned")
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(asked, ["192.0.2.50:1081", "[2001:db8::50]:1081"]);

    let to_proxy = ToProxy::new([refused(), accepted()]);
    ask("socks5://localhost", &to_proxy).await.expect("a connection");
    let asked: Vec<_> = to_proxy
        .asked
        .lock()
        .expect("unpoisoned")
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(asked, ["127.0.0.1:1080", "[::1]:1080"]);

    let rows = [
        (
            "socks5://proxy.example.net",
            ProxyError::Unreachable(io::ErrorKind::ConnectionRefused),
        ),
        ("socks5://gone.example.net", ProxyError::NoAddress),
    ];
    for (proxy, expected) in rows {
        let to_proxy = ToProxy::new([refused(), refused()]);
        let error = ask(proxy, &to_proxy).await.expect_err("no connection");
        assert!(
            matches!(&error, ConnectError::Proxy(found) if *found == expected),
            "{error:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_proxy_is_not_a_silent_host() {
    let silent_proxy = vec![(vec![5, 1, 0], vec![]), (vec![0; 99], vec![])];
    let started = tokio::time::Instant::now();
    let error = through(HERE, silent_proxy, "192.0.2.1:25")
        .await
        .expect_err("silent");
    assert!(
        matches!(error, ConnectError::Proxy(ProxyError::Silent)),
        "{error:?}"
    );
    assert_eq!(started.elapsed(), PROXY_WAIT);
    // Once it is asked for the host, the wait is the host's.
    let mut silent_host = answering(&[]);
    silent_host.push((vec![0; 99], vec![]));
    let waiting = through(HERE, silent_host, "192.0.2.1:25");
    assert!(timeout(PROXY_WAIT * 6, waiting).await.is_err());
}

#[test]
fn proxies_are_read_from_urls() {
    let rows = [
        ("socks5://127.0.0.1", Ok("socks5://127.0.0.1:1080")),
        (
            "SOCKS5h://Proxy.Example.net:9050/",
            Ok("socks5h://proxy.example.net:9050"),
        ),
        ("socks5://[::1]:1081", Ok("socks5://[::1]:1081")),
        ("socks5://[::1]", Ok("socks5://[::1]:1080")),
        ("socks5://us%40er:p%25%3a@w@h", Ok("socks5://us@er:***@h:1080")),
        ("socks5://us%40er:p%25%3a%40w@h", Ok("socks5://us@er:***@h:1080")),
        ("socks5://us%0aer:secret@h", Ok("socks5://us\\ner:***@h:1080")),
        ("socks5://user:@h", Err(ProxyUrlError::Login)),
        ("socks5://user@h", Err(ProxyUrlError::Login)),
        ("socks5://user:%zz@h", Err(ProxyUrlError::Login)),
        ("socks5://user:%+1@h", Err(ProxyUrlError::Login)),
        ("socks5://user:secret%e@h", Err(ProxyUrlError::Login)),
        ("socks5://user:%é@h", Err(ProxyUrlError::Login)),
        ("http://127.0.0.1", Err(ProxyUrlError::Scheme)),
        ("127.0.0.1:1080", Err(ProxyUrlError::Scheme)),
        ("socks5://", Err(ProxyUrlError::Host)),
        ("socks5://h:0", Err(ProxyUrlError::Host)),
        ("socks5://h:99999", Err(ProxyUrlError::Host)),
        ("socks5://::1", Err(ProxyUrlError::Host)),
        ("socks5://two words", Err(ProxyUrlError::Host)),
    ];
    for (text, expected) in rows {
        let read = text.parse::<Proxy>().map(|proxy| proxy.to_string());
        assert_eq!(read, expected.map(str::to_owned), "{text}");
    }
}

#[test]
fn a_long_login_is_refused() {
    let long = "a".repeat(256);
    for text in [format!("socks5://{long}:p@h"), format!("socks5://u:{long}@h")] {
        assert_eq!(text.parse::<Proxy>(), Err(ProxyUrlError::Login));
    }
    let longest = "a".repeat(255);
    assert!(format!("socks5://{longest}:{longest}@h").parse::<Proxy>().is_ok());
}
