//! A small Internet in network namespaces: a client, its router, a mail host and a host of probe hosts behind it.
//!
//! ```text
//! client 10.53.1.2, fd53:1::2 ── router ── mail host 10.53.2.2, fd53:2::2
//!                                      └── probe hosts 10.53.3.2 to .4, fd53:3::2 to ::4
//! ```
//!
//! The mail host takes mail on port 25; the probe hosts do so, too, and accept connections to port 443. Nothing in it
//! reaches the machine that it is on, nor any other.

use crate::isolated_server::wait_until;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// One of the namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where the mail is sent from.
    Client,
    /// Between the others.
    Router,
    /// Where it should go.
    MailHost,
    /// Hosts of others.
    ProbeHosts,
}

impl Place {
    const ALL: [Self; 4] = [Self::Client, Self::Router, Self::MailHost, Self::ProbeHosts];

    fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Router => "router",
            Self::MailHost => "mailhost",
            Self::ProbeHosts => "probes",
        }
    }
}

/// The namespaces, and the servers in them. All is removed with this value, also when a test panics.
#[derive(Debug)]
pub struct Internet {
    /// What the names of this one's namespaces begin with.
    prefix: String,
    servers: Vec<Child>,
}

/// `$1` is the prefix. Duplicate address detection would keep an IPv6 address from use for a second. A few answers by
/// ICMP a second are the most that a router gives, unless it is told otherwise; an unanswered SYN is repeated once, so
/// that the system gives up after three seconds.
const BUILD: &str = r#"
set -e
for place in client router mailhost probes; do
    ip netns add "$1-$place"
    ip -n "$1-$place" link set lo up
done
number=1
for place in client mailhost probes; do
    ip -n "$1-router" link add "to$number" type veth peer name eth0 netns "$1-$place"
    ip -n "$1-router" addr add "10.53.$number.1/24" dev "to$number"
    ip -n "$1-router" addr add "fd53:$number::1/64" dev "to$number" nodad
    ip -n "$1-router" link set "to$number" up
    for host in 2 3 4; do
        ip -n "$1-$place" addr add "10.53.$number.$host/24" dev eth0
        ip -n "$1-$place" addr add "fd53:$number::$host/64" dev eth0 nodad
    done
    ip -n "$1-$place" link set eth0 up
    ip -n "$1-$place" route add default via "10.53.$number.1"
    ip -n "$1-$place" -6 route add default via "fd53:$number::1"
    number=$((number + 1))
done
ip netns exec "$1-router" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
for place in client router mailhost; do
    ip netns exec "$1-$place" sh -c 'echo 0 >/proc/sys/net/ipv4/icmp_ratelimit; echo 0 >/proc/sys/net/ipv6/icmp/ratelimit'
done
ip netns exec "$1-client" sh -c 'echo 1 >/proc/sys/net/ipv4/tcp_syn_retries'
"#;

/// How long a server may take to start on a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(20);

impl Internet {
    /// Whether this process may make network namespaces: it needs root, and a container may forbid it even then.
    pub fn is_possible() -> bool {
        let may = |command: &[&str]| run(command, "").status.success();
        may(&["unshare", "--net", "true"]) && may(&["nft", "--version"]) && may(&["ip", "netns", "list"])
    }

    /// Builds it, with `server serve` running where somebody listens.
    ///
    /// # Panics
    /// When it cannot be built, with what the system said.
    pub fn new(server: &str) -> Self {
        static BUILT: AtomicU32 = AtomicU32::new(0);
        let number = BUILT.fetch_add(1, Ordering::Relaxed);
        let mut internet = Self {
            prefix: format!("map{}-{number}", std::process::id()),
            servers: Vec::new(),
        };
        succeed(&["sh", "-c", BUILD, "sh", &internet.prefix], "");
        for place in [Place::MailHost, Place::ProbeHosts] {
            internet.serve(place, server);
        }
        internet
    }

    /// Has `server serve` running there, too.
    ///
    /// # Panics
    /// When it does not start.
    pub fn serve(&mut self, place: Place, server: &str) {
        let mut child = Command::new("setpriv")
            .args([
                "--pdeathsig",
                "KILL",
                "ip",
                "netns",
                "exec",
                &self.name(place),
                server,
                "serve",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("setpriv of util-linux");
        let output = child.stdout.take().expect("a pipe");
        self.servers.push(child);
        let mut ready = String::new();
        BufReader::new(output).read_line(&mut ready).expect("a line");
        assert_eq!(ready, "ready\n", "the server at {place:?}");
    }

    /// Starts a SOCKS5 proxy at the router, port 1080, where `mx.example.org` is found to be the mail host; with a user
    /// and a password, or without.
    ///
    /// # Panics
    /// When it is not there or does not start.
    pub fn proxy(&mut self, login: Option<[&str; 2]>) {
        // In a mount namespace of its own, so that nobody else sees its hosts file.
        const START: &str = r#"
hosts=$1 && shift && mount --make-rprivate / && mount -t tmpfs none /mnt && printf '%s\n' "$hosts" >/mnt/hosts &&
mount --bind /mnt/hosts /etc/hosts && exec "$@""#;
        const HOSTS: &str = "10.53.2.2 mx.example.org";
        let program = microsocks();
        let mut child = Command::new("setpriv");
        child.args([
            "--pdeathsig",
            "KILL",
            "ip",
            "netns",
            "exec",
            &self.name(Place::Router),
        ]);
        child.args(["unshare", "--mount", "sh", "-c", START, "sh", HOSTS]);
        child.arg(program).args(["-i", "::", "-p", "1080"]);
        if let Some([user, password]) = login {
            child.args(["-u", user, "-P", password]);
        }
        let child = child.stdin(Stdio::null()).spawn().expect("setpriv of util-linux");
        let sockets = format!("/proc/{}/net/tcp6", child.id());
        self.servers.push(child);
        // Port 1080 and the state of a listener, as the kernel prints them.
        let listens = |table: String| {
            table
                .lines()
                .any(|line| line.contains(":0438 ") && line.contains(" 0A "))
        };
        let started = wait_until(START_PATIENCE, || fs::read_to_string(&sockets).is_ok_and(listens));
        assert!(started, "the proxy does not listen");
    }

    fn name(&self, place: Place) -> String {
        format!("{}-{}", self.prefix, place.word())
    }

    /// Runs a command there; it must succeed. Gives what it printed.
    ///
    /// # Panics
    /// When it fails, with what it said.
    pub fn at(&self, place: Place, command: &[&str]) -> String {
        let name = self.name(place);
        succeed(&[&["ip", "netns", "exec", &name], command].concat(), "")
    }

    /// Changes a route, a rule or a link there: the arguments of an `ip` command.
    ///
    /// # Panics
    /// When it is not accepted.
    pub fn ip(&self, place: Place, arguments: &str) {
        let name = self.name(place);
        let mut command = vec!["ip", "-n", &name];
        command.extend(arguments.split(' '));
        succeed(&command, "");
    }

    /// Filters what leaves (`output`), passes (`forward`) or enters (`input`) there by this rule of nftables.
    ///
    /// # Panics
    /// When nftables does not accept it.
    pub fn filter(&self, place: Place, hook: &str, rule: &str) {
        let name = self.name(place);
        let ruleset = format!(
            "table inet filter {{\n chain {hook} {{\n type filter hook {hook} priority 0;\n {rule}\n }}\n}}\n"
        );
        succeed(&["ip", "netns", "exec", &name, "nft", "-f", "-"], &ruleset);
    }
}

impl Drop for Internet {
    fn drop(&mut self) {
        for server in &mut self.servers {
            // It may have ended by itself; there is nothing to be done about it here.
            let _ = server.kill();
            let _ = server.wait();
        }
        for place in Place::ALL {
            run(&["ip", "netns", "delete", &self.name(place)], "");
        }
    }
}

fn microsocks() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../build/lab/microsocks");
    assert!(
        package.join(".complete").exists(),
        "microsocks is not unpacked in build/lab: run scripts/setup"
    );
    package.join("usr/bin/microsocks")
}

fn succeed(command: &[&str], input: &str) -> String {
    let output = run(command, input);
    assert!(
        output.status.success(),
        "{command:?} {input}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn run(command: &[&str], input: &str) -> Output {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut child = Command::new(command[0])
        .args(&command[1..])
        // Not on every user's search path.
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}: run scripts/setup", command[0]));
    let mut stdin = child.stdin.take().expect("a pipe");
    // A command that does not read its input may be gone already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("a status")
}
