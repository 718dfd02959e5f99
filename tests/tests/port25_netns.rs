//! Every way in which filters and routes can keep a mail from leaving, in network namespaces: what is found of port 25.
//!
//! Each cause is made three times: for the mail host alone, for port 25 whatever the host, and for all of TCP. What the
//! first failure looks like is nearly the same; only probe hosts tell the three apart.

use map_tests::netns::{Internet, Place};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const PROGRAM: &str = env!("CARGO_BIN_EXE_in_netns");
/// Most rows wait, for a host that is silent.
const AT_ONCE: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}
use Family::{V4, V6};

impl Family {
    fn mail_host(self) -> &'static str {
        match self {
            V4 => "10.53.2.2",
            V6 => "fd53:2::2",
        }
    }
}

/// What one send printed, as `name: value` lines.
#[derive(Debug)]
struct Sent(String);

impl Sent {
    fn values(&self, name: &str) -> Vec<&str> {
        let prefix = format!("{name}: ");
        self.0
            .lines()
            .filter_map(|line| line.strip_prefix(&prefix))
            .collect()
    }

    fn value(&self, name: &str) -> &str {
        self.values(name).first().copied().unwrap_or_default()
    }
}

fn send(internet: &Internet, to: &[&str], more: &[&str]) -> Sent {
    let to: Vec<String> = to.iter().map(|address| format!("to={address}")).collect();
    let mut command = vec![PROGRAM, "send"];
    command.extend(to.iter().map(String::as_str));
    for probe_host in ["mail=10.53.3.2", "mail=10.53.3.3", "mail=10.53.3.4"] {
        command.push(probe_host);
    }
    for probe_host in ["mail=fd53:3::2", "mail=fd53:3::3", "mail=fd53:3::4"] {
        command.push(probe_host);
    }
    command.extend(["web=10.53.3.2", "web=10.53.3.3", "web=fd53:3::2", "web=fd53:3::3"]);
    command.extend(more);
    Sent(internet.at(Place::Client, &command))
}

fn is_possible() -> bool {
    let possible = Internet::is_possible();
    if !possible {
        eprintln!("SKIPPED: network namespaces need root, and leave to make them");
    }
    possible
}

/// Runs the rows, several at a time, and tells of all that are wrong.
fn check<R: Sync>(rows: &[R], row_is_right: impl Fn(&R) -> Result<(), String> + Sync) {
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = row_is_right(row) {
                        wrong.lock().expect("unpoisoned").push(why);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("unpoisoned");
    assert!(
        wrong.is_empty(),
        "{} rows are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn expect(row: &str, sent: &Sent, attempt: &str, finding: &str) -> Result<(), String> {
    let blocked = finding.contains("blocked");
    let reply = if blocked {
        "RE_PORT_BLOCKED."
    } else {
        "RE_SERVER_UNREACH."
    };
    let found = [
        sent.value("attempt"),
        sent.value("finding"),
        sent.value("reply"),
        sent.value("transient"),
    ];
    let expected = [attempt, finding, reply, if blocked { "false" } else { "true" }];
    if found == expected {
        Ok(())
    } else {
        Err(format!(
            "{row}: expected {expected:?}, found {found:?}\n{}",
            sent.0
        ))
    }
}

const REFUSED: &str = "connection refused";
const HOST: &str = "host unreachable";
const NETWORK: &str = "network unreachable";
const FORBIDDEN: &str = "permission denied";
const OTHER: &str = "uncategorized error";
const SILENT: &str = "no answer in time";

/// What a filter does to a SYN, and what the system makes of it.
const FILTERS: [(Family, &str, &str); 17] = [
    (V4, "reject with tcp reset", REFUSED),
    (V4, "reject", REFUSED),
    (V4, "reject with icmp port-unreachable", REFUSED),
    (V4, "reject with icmp admin-prohibited", HOST),
    (V4, "reject with icmp host-unreachable", HOST),
    (V4, "reject with icmp host-prohibited", HOST),
    (V4, "reject with icmp net-unreachable", NETWORK),
    (V4, "reject with icmp net-prohibited", NETWORK),
    (V4, "reject with icmp prot-unreachable", OTHER),
    (V4, "drop", SILENT),
    (V6, "reject with tcp reset", REFUSED),
    (V6, "reject", REFUSED),
    (V6, "reject with icmpv6 port-unreachable", REFUSED),
    (V6, "reject with icmpv6 admin-prohibited", FORBIDDEN),
    (V6, "reject with icmpv6 addr-unreachable", HOST),
    (V6, "reject with icmpv6 no-route", NETWORK),
    (V6, "drop", SILENT),
];

#[test]
fn a_filter_anywhere_on_the_way() {
    if !is_possible() {
        return;
    }
    let places = [
        (Place::Client, "output"),
        (Place::Router, "forward"),
        (Place::MailHost, "input"),
    ];
    let mut rows = Vec::new();
    for (family, what, errno) in FILTERS {
        for (place, hook) in places {
            for scope in ["mail host", "port", "everything"] {
                // Nobody else's port is blocked by a filter of the mail host's own.
                if place != Place::MailHost || scope == "port" {
                    rows.push((family, what, errno, place, hook, scope));
                }
            }
        }
    }
    check(&rows, |&(family, what, errno, place, hook, scope)| {
        let internet = Internet::new(PROGRAM);
        let (layer, nfproto) = match family {
            V4 => ("ip", "ipv4"),
            V6 => ("ip6", "ipv6"),
        };
        let which = match scope {
            "mail host" => format!("{layer} daddr {} tcp dport 25", family.mail_host()),
            "port" => "tcp dport 25".to_owned(),
            // The resets that a filter sends are TCP, too.
            _ => "tcp flags & (syn | ack) == syn".to_owned(),
        };
        internet.filter(place, hook, &format!("meta nfproto {nfproto} {which} {what}"));
        let sent = send(&internet, &[family.mail_host()], &[]);
        let finding = match (scope, place) {
            ("mail host", _) | (_, Place::MailHost) => "open",
            ("port", _) if errno == SILENT => "probably blocked on the way out",
            ("port", _) => "blocked on the way out",
            _ => "no network",
        };
        let row = format!("{family:?} {what} at {place:?} for {scope}");
        expect(&row, &sent, errno, finding)
    });
}

/// Changes of the client's own routes and rules, by `ip`.
#[test]
fn routes_of_the_client() {
    if !is_possible() {
        return;
    }
    let no_route = |kind: &str| format!("no route from here: {kind}");
    let here = |kind: &str| format!("refused by this machine: {kind}");
    let rows = [
        // To the mail host's network alone.
        (V4, "route add unreachable 10.53.2.0/24", no_route(HOST), "open"),
        (V4, "route add prohibit 10.53.2.0/24", here(FORBIDDEN), "open"),
        (
            V4,
            "route add blackhole 10.53.2.0/24",
            here("invalid input parameter"),
            "open",
        ),
        (V4, "route add throw 10.53.2.0/24", no_route(NETWORK), "open"),
        (V6, "-6 route add unreachable fd53:2::/64", no_route(HOST), "open"),
        (V6, "-6 route add prohibit fd53:2::/64", here(FORBIDDEN), "open"),
        (
            V6,
            "-6 route add blackhole fd53:2::/64",
            here("invalid input parameter"),
            "open",
        ),
        (V6, "-6 route add throw fd53:2::/64", no_route(NETWORK), "open"),
        // To anywhere.
        (V4, "route del default", no_route(NETWORK), "no network"),
        (V6, "-6 route del default", no_route(NETWORK), "no network"),
        (
            V4,
            "route replace prohibit default",
            here(FORBIDDEN),
            "no network",
        ),
        (
            V6,
            "-6 route replace prohibit default metric 1",
            here(FORBIDDEN),
            "no network",
        ),
        (V4, "link set eth0 down", no_route(NETWORK), "no network"),
        (V6, "link set eth0 down", no_route(NETWORK), "no network"),
        // For port 25: the proof that this machine is the one.
        (
            V4,
            "rule add ipproto tcp dport 25 prohibit",
            here(FORBIDDEN),
            "blocked here",
        ),
        (
            V6,
            "-6 rule add ipproto tcp dport 25 prohibit",
            here(FORBIDDEN),
            "blocked here",
        ),
    ];
    check(&rows, |(family, change, attempt, finding)| {
        let internet = Internet::new(PROGRAM);
        internet.ip(Place::Client, change);
        let sent = send(&internet, &[family.mail_host()], &[]);
        expect(&format!("{family:?} {change}"), &sent, attempt, finding)
    });
}

/// Hosts that are not there, or not reached from the router.
#[test]
fn hosts_that_are_away() {
    if !is_possible() {
        return;
    }
    let rows = [
        // A closed port.
        ("10.53.2.1", "", REFUSED),
        ("fd53:2::1", "", REFUSED),
        // Nobody answers for the address: on the client's own link, and on the router's.
        ("10.53.1.77", "", HOST),
        ("fd53:1::77", "", HOST),
        ("10.53.2.77", "", HOST),
        ("fd53:2::77", "", HOST),
        // What the router knows of the network.
        ("10.53.9.2", "", NETWORK),
        ("fd53:9::2", "", NETWORK),
        ("10.53.9.2", "route add unreachable 10.53.9.0/24", HOST),
        ("fd53:9::2", "-6 route add unreachable fd53:9::/64", NETWORK),
        ("10.53.9.2", "route add prohibit 10.53.9.0/24", HOST),
        ("fd53:9::2", "-6 route add prohibit fd53:9::/64", FORBIDDEN),
        ("10.53.9.2", "route add blackhole 10.53.9.0/24", SILENT),
        ("fd53:9::2", "-6 route add blackhole fd53:9::/64", SILENT),
    ];
    check(&rows, |(to, change, attempt)| {
        let internet = Internet::new(PROGRAM);
        if !change.is_empty() {
            internet.ip(Place::Router, change);
        }
        // A neighbour is given up after three seconds: the connection must not be given up before.
        let retry = "echo 3 >/proc/sys/net/ipv4/tcp_syn_retries";
        internet.at(Place::Client, &["sh", "-c", retry]);
        expect(
            &format!("{to} {change}"),
            &send(&internet, &[to], &[]),
            attempt,
            "open",
        )
    });
}

#[test]
fn one_family_may_do_what_the_other_may_not() {
    if !is_possible() {
        return;
    }
    let reject = |which: &str| format!("tcp dport 25 {which} reject with tcp reset");
    let (v4, v6) = (reject("meta nfproto ipv4"), reject("meta nfproto ipv6"));
    let v6_host = reject("ip6 daddr fd53:2::2");
    let rows = [
        (vec![], "RE_SUCCESS.", ""),
        (vec![&v4], "RE_SUCCESS.", ""),
        (vec![&v4, &v6], "RE_PORT_BLOCKED.", "blocked on the way out"),
        (vec![&v4, &v6_host], "RE_SERVER_UNREACH.", "open"),
    ];
    check(&rows, |(filters, reply, finding)| {
        let internet = Internet::new(PROGRAM);
        let rules: Vec<&str> = filters.iter().map(|rule| rule.as_str()).collect();
        internet.filter(Place::Router, "forward", &rules.join("\n"));
        let sent = send(&internet, &[V4.mail_host(), V6.mail_host()], &[]);
        if (sent.value("reply"), sent.value("finding")) == (*reply, *finding) {
            Ok(())
        } else {
            Err(format!("{rules:?}: expected {reply} {finding}\n{}", sent.0))
        }
    });
}

/// The client has three addresses of each family.
#[test]
fn the_source_address_is_what_the_mail_host_sees() {
    if !is_possible() {
        return;
    }
    let internet = Internet::new(PROGRAM);
    let rows = [
        (V4, "source=10.53.1.4", "ok for 10.53.1.4"),
        (V6, "source=fd53:1::3", "ok for fd53:1::3"),
        // The other family keeps the system's choice.
        (V4, "source=fd53:1::3", "ok for 10.53.1.2"),
    ];
    for (family, source, server) in rows {
        let sent = send(&internet, &[family.mail_host()], &[source]);
        let found = (sent.value("reply"), sent.value("server"));
        assert_eq!(found, ("RE_SUCCESS.", server), "{source}\n{}", sent.0);
    }
    for (family, source) in [(V4, "10.53.1.99"), (V6, "fd53:1::99")] {
        let sent = send(&internet, &[family.mail_host()], &[&format!("source={source}")]);
        let why = format!("the source address {source} is not one of this machine's");
        let found = [sent.value("reply"), sent.value("attempt"), sent.value("finding")];
        assert_eq!(found, ["RE_SERVER_UNREACH.", &why, ""], "{}", sent.0);
    }
}

/// Out through the router, which lets nobody else pass to port 25.
#[test]
fn a_proxy_is_a_way_around_a_blocked_port() {
    if !is_possible() {
        return;
    }
    let mut internet = Internet::new(PROGRAM);
    internet.proxy(None);
    internet.filter(Place::Router, "forward", "tcp dport 25 reject with tcp reset");
    let sent = send(&internet, &[V4.mail_host()], &[]);
    assert_eq!(sent.value("reply"), "RE_PORT_BLOCKED.", "{}", sent.0);
    let rows = [
        (V4, "proxy=socks5://10.53.1.1", "ok for 10.53.2.1"),
        (V6, "proxy=socks5://[fd53:1::1]:1080", "ok for fd53:2::1"),
        // The proxy knows the name by IPv4 only, whatever the DNS has here.
        (V6, "proxy=socks5h://10.53.1.1", "ok for 10.53.2.1"),
    ];
    for (family, proxy, server) in rows {
        let sent = send(&internet, &[family.mail_host()], &[proxy]);
        let found = (sent.value("reply"), sent.value("server"));
        assert_eq!(found, ("RE_SUCCESS.", server), "{proxy}\n{}", sent.0);
    }
}

#[test]
fn an_address_of_this_machine_is_refused_like_loopback() {
    if !is_possible() {
        return;
    }
    let mut internet = Internet::new(PROGRAM);
    internet.serve(Place::Client, PROGRAM);
    internet.ip(Place::Client, "addr add 9.1.2.3/32 dev eth0");
    // No interface has an address of these; all of them lead here.
    internet.ip(Place::Client, "route add local 9.2.0.0/16 dev lo");
    let own = [
        "10.53.1.2",
        "10.53.1.3",
        "9.1.2.3",
        "9.2.3.4",
        "fd53:1::2",
        "fd53:1::4",
    ];
    check(&own, |address| {
        let refused = send(&internet, &[address], &[]);
        let other = send(&internet, &[address, V4.mail_host()], &[]);
        let allowed = send(&internet, &[address], &["loopback=allow"]);
        let found = [
            refused.value("reply"),
            other.value("reply"),
            allowed.value("reply"),
        ];
        if found == ["RE_DNS_FAIL: <example.org>.", "RE_SUCCESS.", "RE_SUCCESS."] {
            Ok(())
        } else {
            Err(format!("{address}: {}{}{}", refused.0, other.0, allowed.0))
        }
    });
}

#[test]
fn a_proxy_tells_what_the_mail_host_did() {
    if !is_possible() {
        return;
    }
    let mut internet = Internet::new(PROGRAM);
    internet.proxy(None);
    let not_there = "the proxy could not be connected to (connection refused)";
    let rows = [
        ("10.53.2.1", "10.53.1.1", REFUSED),
        ("10.53.9.2", "10.53.1.1", NETWORK),
        ("10.53.2.77", "10.53.1.1", HOST),
        ("10.53.2.2", "10.53.1.1:1081", not_there),
    ];
    check(&rows, |(to, proxy, attempt)| {
        let sent = send(&internet, &[to], &[&format!("proxy=socks5://{proxy}")]);
        let found = [sent.value("reply"), sent.value("attempt"), sent.value("finding")];
        if found == ["RE_SERVER_UNREACH.", attempt, ""] {
            Ok(())
        } else {
            Err(format!("{to} by {proxy}: expected {attempt}\n{}", sent.0))
        }
    });
}

#[test]
fn a_proxy_that_wants_a_login_gets_the_right_one() {
    if !is_possible() {
        return;
    }
    let mut internet = Internet::new(PROGRAM);
    internet.proxy(Some(["alice", "s3:cret@"]));
    let sent = send(
        &internet,
        &[V4.mail_host()],
        &["proxy=socks5://alice:s3%3acret%40@10.53.1.1"],
    );
    assert_eq!(sent.value("reply"), "RE_SUCCESS.", "{}", sent.0);
    assert!(!sent.0.contains("cret"), "{}", sent.0);
    let rows = [
        (
            "proxy=socks5://alice:another@10.53.1.1",
            "the proxy refused the user or the password",
        ),
        (
            "proxy=socks5://10.53.1.1",
            "the proxy wants a way to log in that is not offered: most likely a user and a password",
        ),
    ];
    for (proxy, attempt) in rows {
        let sent = send(&internet, &[V4.mail_host()], &[proxy]);
        let found = [sent.value("reply"), sent.value("attempt"), sent.value("finding")];
        assert_eq!(found, ["RE_SERVER_UNREACH.", attempt, ""], "{}", sent.0);
        assert!(!sent.0.contains("another"), "{}", sent.0);
    }
}
