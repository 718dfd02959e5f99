//! The question whether port 25 is blocked, row by row.

use super::*;
use crate::net::{Family, NotAsked, Port25Finding, ProbeHosts};

const MAIL: [&str; 3] = ["w1.example.net", "w2.example.net", "w3.example.net"];
const WEB: [&str; 2] = ["www1.example.net", "www2.example.net"];

const REFUSED: Peer = Peer::Later(io::ErrorKind::ConnectionRefused);
const FILTERED: Peer = Peer::Later(io::ErrorKind::HostUnreachable);
const NO_ROUTE: Peer = Peer::Immediate(io::ErrorKind::NetworkUnreachable);
const FORBIDDEN: Peer = Peer::Immediate(io::ErrorKind::PermissionDenied);
const GREETS: Peer = Peer::Says(&["220 ready", "221 bye"]);
const ACCEPTS: Peer = Peer::Says(&["hang"]);

impl World {
    /// Adds probe hosts in one family: mail hosts and web hosts.
    fn with_probe_hosts(mut self, family: Family, mail: [Peer; 3], web: [Peer; 2]) -> Self {
        let (record_type, net) = match family {
            Family::V4 => (RecordType::A, "198.51.100."),
            Family::V6 => (RecordType::Aaaa, "2001:db8:1::"),
        };
        let hosts = MAIL.into_iter().zip(mail).map(|(name, peer)| (name, peer, true));
        let hosts = hosts.chain(WEB.into_iter().zip(web).map(|(name, peer)| (name, peer, false)));
        for (number, (name, peer, is_mail)) in (1..).zip(hosts) {
            let address: IpAddr = format!("{net}{number}").parse().expect("an address");
            self.zone
                .records
                .insert((name.to_owned(), record_type), Ok(vec![Record::Address(address)]));
            if is_mail {
                self.network.peers.insert(address, [peer].into());
            } else {
                self.network.web.insert(address, peer);
            }
        }
        self.port25
            .get_or_insert_with(|| Arc::new(Port25::new(ProbeHosts::new(MAIL, WEB).expect("probe hosts"))));
        self
    }

    fn with_web_host(mut self, address: &str, peer: Peer) -> Self {
        self.network
            .web
            .insert(address.parse().expect("an address"), peer);
        self
    }
}

impl Sent {
    #[track_caller]
    fn assert_finding(&self, finding: Port25Finding) {
        let evidence = self.report.port25().expect("evidence");
        assert_eq!(evidence.finding(), finding, "{evidence}");
        let blocked = matches!(
            finding,
            Port25Finding::BlockedHere | Port25Finding::BlockedOnTheWay { .. }
        );
        let reply = if blocked {
            "RE_PORT_BLOCKED."
        } else {
            "RE_SERVER_UNREACH."
        };
        self.assert(reply, Delivered::No, !blocked, Some("4.4.1"));
        assert_eq!(self.report.summary().stage(), Stage::Connect);
    }
}

const BLOCKED: Port25Finding = Port25Finding::BlockedOnTheWay { certain: true };
const PROBABLY_BLOCKED: Port25Finding = Port25Finding::BlockedOnTheWay { certain: false };

#[tokio::test(start_paused = true)]
async fn any_failure_with_probe_hosts() {
    let silent = || [Peer::Silent, Peer::Silent, Peer::Silent];
    let rows = [
        // One greets.
        (
            [Peer::Silent, GREETS, Peer::Silent],
            [Peer::Silent, Peer::Silent],
            Port25Finding::Open,
        ),
        (
            [REFUSED, REFUSED, GREETS],
            [ACCEPTS, ACCEPTS],
            Port25Finding::Open,
        ),
        (
            [Peer::Says(&["554 no", "221 b"]), REFUSED, REFUSED],
            [REFUSED, REFUSED],
            Port25Finding::Open,
        ),
        (
            [Peer::Says(&["421-busy|421 later"]), REFUSED, REFUSED],
            [REFUSED, REFUSED],
            Port25Finding::Open,
        ),
        // None greets, one connects.
        ([REFUSED, FILTERED, REFUSED], [Peer::Silent, ACCEPTS], BLOCKED),
        ([FORBIDDEN, FORBIDDEN, FORBIDDEN], [ACCEPTS, ACCEPTS], BLOCKED),
        (silent(), [ACCEPTS, ACCEPTS], PROBABLY_BLOCKED),
        (
            [REFUSED, REFUSED, Peer::Silent],
            [ACCEPTS, REFUSED],
            PROBABLY_BLOCKED,
        ),
        // Something on the way accepts in their place.
        (
            [
                Peer::Says(&["close"]),
                Peer::Says(&["hang"]),
                Peer::Says(&["SSH-2.0-x"]),
            ],
            [ACCEPTS, ACCEPTS],
            PROBABLY_BLOCKED,
        ),
        // None at all.
        (silent(), [Peer::Silent, Peer::Silent], Port25Finding::NoNetwork),
        (
            [REFUSED, REFUSED, REFUSED],
            [REFUSED, Peer::Silent],
            Port25Finding::NoNetwork,
        ),
        (
            [NO_ROUTE, NO_ROUTE, NO_ROUTE],
            [NO_ROUTE, NO_ROUTE],
            Port25Finding::NoNetwork,
        ),
    ];
    for failure in [Peer::Silent, REFUSED, FILTERED, NO_ROUTE] {
        for (mail, web, finding) in &rows {
            let world = World::new(&[&[(A, failure.clone())]]);
            let sent = world
                .with_probe_hosts(Family::V4, mail.clone(), web.clone())
                .send()
                .await;
            sent.assert_finding(*finding);
            let evidence = sent.report.port25().expect("evidence");
            assert_eq!(evidence.families(), [Family::V4], "{evidence}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_finding_has_its_sentence() {
    let blocked = "ask your internet or hosting provider to open port 25, or send through a relay";
    let rows = [
        (
            [GREETS, REFUSED, REFUSED],
            [ACCEPTS, ACCEPTS],
            "port 25 is not blocked",
        ),
        ([REFUSED, REFUSED, REFUSED], [ACCEPTS, ACCEPTS], blocked),
        (
            [Peer::Silent, REFUSED, REFUSED],
            [ACCEPTS, ACCEPTS],
            "most likely blocked over ipv4",
        ),
        (
            [REFUSED, REFUSED, REFUSED],
            [REFUSED, REFUSED],
            "no working connection to the internet over ipv4",
        ),
    ];
    for (mail, web, words) in rows {
        let world = World::new(&[&[(A, Peer::Silent)]]);
        let sent = world.with_probe_hosts(Family::V4, mail, web).send().await;
        let advice = sent.report.summary().advice().to_lowercase();
        assert!(advice.contains(words), "{advice}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_host_that_greets_is_told_goodbye() {
    let world = World::new(&[&[(A, Peer::Silent)]]);
    let sent = world
        .with_probe_hosts(
            Family::V4,
            [GREETS, REFUSED, REFUSED],
            [Peer::Silent, Peer::Silent],
        )
        .send()
        .await;
    assert_eq!(sent.heard, ["QUIT"]);
    let evidence = sent.report.port25().expect("evidence").to_string();
    assert!(
        evidence.starts_with("open (IPv4): w1.example.net:25 [198.51.100.1] greeted with 220"),
        "{evidence}"
    );
}

#[tokio::test(start_paused = true)]
async fn this_machine_forbids_the_port_but_not_the_host() {
    for web_host in [ACCEPTS, REFUSED, Peer::Silent, NO_ROUTE] {
        // Were the probe hosts asked, they would greet.
        let sent = World::new(&[&[(A, FORBIDDEN)]])
            .with_probe_hosts(Family::V4, [GREETS, GREETS, GREETS], [ACCEPTS, ACCEPTS])
            .with_web_host(A, web_host)
            .send()
            .await;
        sent.assert_finding(Port25Finding::BlockedHere);
        assert_eq!(sent.connected, [A], "no probe host was needed");
        assert_eq!(sent.web_connected, [A]);
        let advice = sent.report.summary().advice();
        assert!(
            advice.contains("this machine forbids connections to port 25"),
            "{advice}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_that_forbids_the_host_is_no_block_of_the_port() {
    let world = || World::new(&[&[(A, FORBIDDEN)]]).with_web_host(A, FORBIDDEN);
    let sent = world()
        .with_probe_hosts(Family::V4, [GREETS, GREETS, GREETS], [ACCEPTS, ACCEPTS])
        .send()
        .await;
    sent.assert_finding(Port25Finding::Open);
    let sent = world()
        .with_probe_hosts(
            Family::V4,
            [FORBIDDEN, FORBIDDEN, FORBIDDEN],
            [FORBIDDEN, FORBIDDEN],
        )
        .send()
        .await;
    sent.assert_finding(Port25Finding::NoNetwork);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_came_later_proves_nothing_of_this_machine() {
    // What IPv6 makes of an administrator's prohibition anywhere on the way.
    let later = Peer::Later(io::ErrorKind::PermissionDenied);
    let sent = World::new(&[&[(A6, later)]])
        .with_probe_hosts(Family::V6, [GREETS, GREETS, GREETS], [ACCEPTS, ACCEPTS])
        .send()
        .await;
    sent.assert_finding(Port25Finding::Open);
}

/// What probe hosts answer: mail hosts, web hosts.
type Heard = ([Peer; 3], [Peer; 2]);

/// The recipient's addresses, the probe hosts in IPv4 and IPv6, what is found, and for which families.
type Row<'a> = (&'a [(&'a str, Peer)], Heard, Heard, Port25Finding, &'a [Family]);

#[tokio::test(start_paused = true)]
async fn probe_hosts_are_heard_in_the_family_that_failed() {
    let blocked = || ([REFUSED, REFUSED, REFUSED], [ACCEPTS, ACCEPTS]);
    let open = || ([GREETS, GREETS, GREETS], [ACCEPTS, ACCEPTS]);
    let none = || ([NO_ROUTE, NO_ROUTE, NO_ROUTE], [NO_ROUTE, NO_ROUTE]);
    let v4 = [Family::V4];
    let v6 = [Family::V6];
    let both = [Family::V4, Family::V6];
    let rows: [Row<'_>; 7] = [
        (&[(A, Peer::Silent)], blocked(), open(), BLOCKED, &v4),
        (&[(A6, Peer::Silent)], blocked(), open(), Port25Finding::Open, &v6),
        (&[(A6, Peer::Silent)], open(), blocked(), BLOCKED, &v6),
        (
            &[(A, REFUSED), (A6, REFUSED)],
            blocked(),
            blocked(),
            BLOCKED,
            &both,
        ),
        // Mail can leave by one of them, and the host may be back there later.
        (
            &[(A, REFUSED), (A6, REFUSED)],
            blocked(),
            open(),
            Port25Finding::Open,
            &v6,
        ),
        (&[(A, REFUSED), (A6, REFUSED)], none(), blocked(), BLOCKED, &v6),
        // A machine without IPv6.
        (&[(A, REFUSED), (A6, NO_ROUTE)], blocked(), open(), BLOCKED, &v4),
    ];
    for (host, (mail4, web4), (mail6, web6), finding, families) in rows {
        let sent = World::new(&[host])
            .with_probe_hosts(Family::V4, mail4, web4)
            .with_probe_hosts(Family::V6, mail6, web6)
            .send()
            .await;
        sent.assert_finding(finding);
        assert_eq!(sent.report.port25().expect("evidence").families(), families);
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_not_asked_where_it_makes_no_sense() {
    let open = || ([GREETS, GREETS, GREETS], [ACCEPTS, ACCEPTS]);
    let ask = |hosts: &[&[(&str, Peer)]]| {
        let (mail, web) = open();
        World::new(hosts).with_probe_hosts(Family::V4, mail, web)
    };
    // Somebody was connected to, whatever came of it.
    let sent = ask(&[&[(A, Peer::Silent)], &[(B, Peer::Says(&["close"]))]])
        .send()
        .await;
    assert_eq!((sent.report.port25(), sent.connected.len()), (None, 2));
    let sent = ask(&[&[(A, Peer::Silent)], &[(B, Peer::Says(&["554 no"]))]])
        .send()
        .await;
    assert_eq!((sent.report.port25(), sent.connected.len()), (None, 2));
    let sent = ask(&[&[(A, Peer::Silent)], &[(B, GOOD)]]).send().await;
    assert_eq!((sent.report.port25(), sent.connected.len()), (None, 2));
    // A laboratory, and a port that nobody blocks.
    let mut world = ask(&[&[(A, REFUSED)]]);
    world.policy.allow_loopback = true;
    let sent = world.send().await;
    assert_eq!((sent.report.port25(), sent.connected.len()), (None, 1));
    let mut world = ask(&[&[(A, REFUSED)]]);
    world.smtp_port = 2525;
    let sent = world.send().await;
    assert_eq!((sent.report.port25(), sent.connected.len()), (None, 1));
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_asked_is_said() {
    // Switched off.
    let sent = World::new(&[&[(A, REFUSED)]]).send().await;
    sent.assert_finding(Port25Finding::NotAsked(NotAsked::SwitchedOff));
    assert!(sent.report.summary().advice().contains("switched off"));
    // Nobody in that family.
    let sent = World::new(&[&[(A6, REFUSED)]])
        .with_probe_hosts(Family::V4, [GREETS, GREETS, GREETS], [ACCEPTS, ACCEPTS])
        .send()
        .await;
    sent.assert_finding(Port25Finding::NotAsked(NotAsked::NoProbeHost));
    assert_eq!(sent.connected, [A6]);
    // The deadline ends the connection, or the question.
    for seconds in [10, 17] {
        let mut world = World::new(&[&[(A, Peer::Silent)]]).with_probe_hosts(
            Family::V4,
            [Peer::Silent, Peer::Silent, Peer::Silent],
            [ACCEPTS, ACCEPTS],
        );
        world.deadline = Some(Duration::from_secs(seconds));
        let started = Instant::now();
        let sent = world.send().await;
        assert_eq!(started.elapsed(), Duration::from_secs(seconds));
        sent.assert_finding(Port25Finding::NotAsked(NotAsked::NoTime));
        let advice = sent.report.summary().advice();
        assert!(advice.contains("no time left"), "{advice}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_question_ends_with_the_callers_patience() {
    let world = World::new(&[&[(A, REFUSED)]]).with_probe_hosts(
        Family::V4,
        [Peer::Silent, Peer::Silent, Peer::Silent],
        [ACCEPTS, ACCEPTS],
    );
    let cancel = world.cancel.clone();
    let started = Instant::now();
    let (sent, ()) = tokio::join!(world.send(), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        cancel.cancel();
    });
    assert_eq!(started.elapsed(), Duration::from_secs(2));
    assert_eq!(sent.report.reply(), &MapReply::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_used_again_even_when_there_is_no_time_to_ask() {
    let world = || {
        World::new(&[&[(A, Peer::Silent)]]).with_probe_hosts(
            Family::V4,
            [REFUSED, REFUSED, REFUSED],
            [ACCEPTS, ACCEPTS],
        )
    };
    let first = world();
    let port25 = first.port25.clone();
    first.send().await.assert_finding(BLOCKED);

    let mut second = world();
    second.port25.clone_from(&port25);
    second.deadline = Some(Duration::from_secs(5));
    let sent = second.send().await;
    sent.assert_finding(BLOCKED);
    assert_eq!(sent.connected, [A], "no probe host was asked again");
    assert_eq!(
        sent.report.port25().expect("evidence").age(),
        Duration::from_secs(5)
    );

    // A connection disproves it.
    let mut third = World::new(&[&[(A, GOOD)]]);
    third.port25.clone_from(&port25);
    third
        .send()
        .await
        .assert("RE_SUCCESS.", Delivered::Yes, false, None);
    let mut fourth = World::new(&[&[(A, REFUSED)]]).with_probe_hosts(
        Family::V4,
        [GREETS, GREETS, GREETS],
        [ACCEPTS, ACCEPTS],
    );
    fourth.port25 = port25;
    fourth.send().await.assert_finding(Port25Finding::Open);
}

#[tokio::test(start_paused = true)]
async fn a_blocked_port_is_no_better_for_hosts_that_were_not_tried() {
    let addresses = [
        "192.0.2.11",
        "192.0.2.12",
        "192.0.2.13",
        "192.0.2.14",
        "192.0.2.15",
        "192.0.2.16",
    ];
    let host: Vec<(&str, Peer)> = addresses.iter().map(|address| (*address, Peer::Silent)).collect();
    let sent = World::new(&[&host])
        .with_probe_hosts(Family::V4, [REFUSED, REFUSED, REFUSED], [ACCEPTS, ACCEPTS])
        .send()
        .await;
    sent.assert_finding(BLOCKED);
}
