//! Probe hosts, and how long their word is kept.

use super::*;
use crate::net::Connecting;
use crate::route::fake::FakeResolver;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Port 25 is silent, port 443 accepts; counts how often it was asked.
#[derive(Debug, Default)]
struct Blocked {
    asked: AtomicUsize,
    no_network: bool,
}

impl Connector for Blocked {
    fn connect(&self, address: SocketAddr) -> Connecting<'_> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let accepts = address.port() == WEB_PORT && !self.no_network;
        Box::pin(async move {
            if accepts {
                let (ours, _theirs) = tokio::io::duplex(1);
                Ok(Box::new(ours) as Box<dyn Transport>)
            } else {
                pending().await
            }
        })
    }
}

fn way(connector: &Arc<Blocked>) -> WayOut {
    let resolver = FakeResolver::new()
        .with("mx.example.net", "A 9.9.9.9")
        .with("local.example.net", "A 127.0.0.1")
        .with("www.example.net", "A 9.9.9.10");
    WayOut {
        resolver: Arc::new(resolver),
        connector: Arc::clone(connector) as Arc<dyn Connector>,
        policy: Policy::default(),
    }
}

fn port25(mail: &str) -> Port25 {
    Port25::new(ProbeHosts::new([mail], ["www.example.net"]).expect("probe hosts"))
}

const FAILED: [FailedAddress; 1] = [FailedAddress {
    address: IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    forbidden_here: false,
}];

#[test]
fn probe_hosts_are_read_as_a_person_writes_them() {
    let cases = [
        ("mx.example.net", Some("mx.example.net:25")),
        (" MX.example.net. ", Some("mx.example.net:25")),
        ("mx.example.net:2525", Some("mx.example.net:2525")),
        ("192.0.2.1", Some("[192.0.2.1]:25")),
        ("192.0.2.1:26", Some("[192.0.2.1]:26")),
        ("2001:db8::1", Some("[IPv6:2001:db8::1]:25")),
        ("[2001:db8::1]:26", Some("[IPv6:2001:db8::1]:26")),
        ("", None),
        ("two words", None),
        ("mx.example.net:0", None),
        ("mx.example.net:smtp", None),
        ("192.0.2.256", None),
    ];
    for (text, expected) in cases {
        let read = ProbeHost::parse(text, SMTP_PORT)
            .ok()
            .map(|probe_host| probe_host.to_string());
        assert_eq!(read.as_deref(), expected, "{text:?}");
    }
}

#[test]
fn the_default_has_three_and_two() {
    let probe_hosts = ProbeHosts::default();
    assert_eq!(
        probe_hosts,
        ProbeHosts::new(MAIL_WITNESSES, WEB_WITNESSES).expect("every name is one")
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_for_ten_minutes() {
    let connector = Arc::new(Blocked::default());
    let way = way(&connector);
    let port25 = port25("mx.example.net");
    assert_eq!(port25.recall(&FAILED), None);
    let blocked = Port25Finding::BlockedOnTheWay { certain: false };
    assert_eq!(
        port25.ask(&FAILED, &way, &Semaphore::new(1)).await.finding(),
        blocked
    );
    assert_eq!(connector.asked.load(Ordering::Relaxed), 2);
    tokio::time::advance(KEPT.checked_sub(Duration::from_secs(1)).expect("a duration")).await;
    assert_eq!(port25.recall(&FAILED).map(|kept| kept.finding()), Some(blocked));
    assert_eq!(
        port25.ask(&FAILED, &way, &Semaphore::new(1)).await.finding(),
        blocked
    );
    assert_eq!(connector.asked.load(Ordering::Relaxed), 2);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(port25.recall(&FAILED), None);
    port25.ask(&FAILED, &way, &Semaphore::new(1)).await;
    assert_eq!(connector.asked.load(Ordering::Relaxed), 4);
}

#[tokio::test(start_paused = true)]
async fn many_who_fail_together_ask_once_whatever_is_found() {
    for no_network in [false, true] {
        let connector = Arc::new(Blocked {
            no_network,
            ..Blocked::default()
        });
        let way = way(&connector);
        let port25 = port25("mx.example.net");
        let places = Semaphore::new(1);
        let place = places.acquire().await;
        let started = Instant::now();
        let asking = futures_util::future::join_all((0..20).map(|_| port25.ask(&FAILED, &way, &places)));
        let mut asking = std::pin::pin!(asking);
        assert!(futures_util::poll!(asking.as_mut()).is_pending());
        assert_eq!(
            connector.asked.load(Ordering::Relaxed),
            0,
            "there was no place for it"
        );
        drop(place);
        let answers = asking.await;
        assert!(
            answers
                .iter()
                .all(|answer| answer.finding() == answers[0].finding())
        );
        assert_eq!(connector.asked.load(Ordering::Relaxed), 2);
        assert_eq!(started.elapsed(), ANSWER_WAIT);
        assert_eq!(places.available_permits(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_network_that_was_away_is_asked_again() {
    let connector = Arc::new(Blocked {
        no_network: true,
        ..Blocked::default()
    });
    let way = way(&connector);
    let port25 = port25("mx.example.net");
    assert_eq!(
        port25.ask(&FAILED, &way, &Semaphore::new(1)).await.finding(),
        Port25Finding::NoNetwork
    );
    assert_eq!(port25.recall(&FAILED), None);
}

#[tokio::test(start_paused = true)]
async fn a_probe_host_that_cannot_be_asked_proves_nothing() {
    let connector = Arc::new(Blocked::default());
    let way = way(&connector);
    // No address, an address of this machine, and nobody at all.
    for mail in ["gone.example.net", "local.example.net"] {
        let evidence = port25(mail).ask(&FAILED, &way, &Semaphore::new(1)).await;
        assert_eq!(
            evidence.finding(),
            Port25Finding::NotAsked(NotAsked::NoProbeHost),
            "{evidence}"
        );
    }
    let nobody = Port25::new(ProbeHosts::new([], []).expect("none"));
    assert_eq!(
        nobody.ask(&FAILED, &way, &Semaphore::new(1)).await.finding(),
        Port25Finding::NotAsked(NotAsked::NoProbeHost)
    );
}
