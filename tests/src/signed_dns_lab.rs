//! A signed DNS of its own on loopback: Knot signs a root and zones below it, Unbound validates through it.

use crate::dns_lab::{Server, free_port, installed, loopback, write};
use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Knot and Unbound, running. They end with this value.
///
/// The root and `test.` (NSEC3) are signed. Below them the same zone file stands four times: signed with NSEC as
/// `nsec.test.` and with NSEC3 as `nsec3.test.`; unsigned, and known to be, as `plain.test.`; unsigned, although its
/// parent says that it is signed, as `bogus.test.`.
#[derive(Debug)]
pub struct SignedDnsLab {
    knot: Server,
    unbound: Server,
    anchors: String,
    _folder: tempfile::TempDir,
}

/// How a zone of Knot's is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signed {
    No,
    Nsec,
    Nsec3,
}

const ZONES: [(&str, Signed); 6] = [
    (".", Signed::Nsec),
    ("test.", Signed::Nsec3),
    ("nsec.test.", Signed::Nsec),
    ("nsec3.test.", Signed::Nsec3),
    ("plain.test.", Signed::No),
    ("bogus.test.", Signed::No),
];

impl SignedDnsLab {
    /// Starts both with this zone file; its SOA and NS records are added.
    ///
    /// # Panics
    /// When a package is missing (`scripts/setup` installs it) or a server does not start; with what it printed.
    pub fn start(zone: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("signed-dns-lab")
            .tempdir()
            .expect("a temporary folder");
        let path = folder.path();
        let address = loopback();
        let listen = free_port(address);
        let configuration = write(path, "knot.conf", &knot_conf(path, listen));
        fs::create_dir(path.join("db")).expect("a folder in the temporary folder");
        for (name, _) in ZONES.iter().filter(|(_, signed)| *signed != Signed::No) {
            keymgr(&configuration, name, &["generate", "ksk=yes", "zsk=yes"]);
        }
        for (name, _) in ZONES {
            let text = match name {
                "." => format!(
                    "test. NS ns.test.\nns.test. A 127.0.0.1\n{}",
                    ds(&configuration, "test.")
                ),
                "test." => delegations(&configuration),
                _ => zone.to_owned(),
            };
            write(path, &file(name), &format!("{}{text}\n", head(name)));
        }
        let knot = Server::start(&["knotd", "-c", &configuration], listen, path);
        let anchors = keymgr(&configuration, ".", &["dnskey"]).replace("DNSKEY", "60 IN DNSKEY");
        let unbound = {
            let listen = free_port(address);
            let anchors = write(path, "anchors", &anchors);
            let text = unbound_conf(path, listen, knot.address, &anchors);
            let configuration = write(path, "unbound.conf", &text);
            Server::start(&["unbound", "-d", "-c", &configuration], listen, path)
        };
        Self {
            knot,
            unbound,
            anchors,
            _folder: folder,
        }
    }

    /// Where Knot listens, over UDP and TCP.
    pub fn authority(&self) -> SocketAddr {
        self.knot.address
    }

    /// Where Unbound listens, over UDP and TCP.
    pub fn resolver(&self) -> SocketAddr {
        self.unbound.address
    }

    /// The key of the root, as a DNSKEY record.
    pub fn anchors(&self) -> &str {
        &self.anchors
    }
}

/// A forwarder as many home routers are: it knows nothing of the DO bit, and does not pass it on.
#[derive(Debug)]
pub struct StrippingForwarder {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl StrippingForwarder {
    /// Forwards over UDP, one question at a time.
    ///
    /// # Panics
    /// When there are no sockets to be had.
    pub fn start(upstream: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a UDP port");
        let address = socket.local_addr().expect("its number");
        let out = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a UDP port");
        out.connect(upstream).expect("a route to loopback");
        for socket in [&socket, &out] {
            let patience = Some(Duration::from_millis(100));
            socket.set_read_timeout(patience).expect("a time-out");
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((length, client)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                clear_do(&mut buffer[..length]);
                if out.send(&buffer[..length]).is_ok()
                    && let Ok(length) = out.recv(&mut buffer)
                {
                    // A client that is gone is no matter of the forwarder's.
                    let _ = socket.send_to(&buffer[..length], client);
                }
            }
        });
        Self {
            address,
            stop,
            thread: Some(thread),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for StrippingForwarder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It panicked if this fails, and has said so.
            let _ = thread.join();
        }
    }
}

/// Clears the flags of the OPT record, which is the last of a query: the root as name, type 41, a class, four octets of
/// flags, an option list.
fn clear_do(query: &mut [u8]) {
    if let Some(opt) = query.windows(3).rposition(|octets| octets == [0, 0, 41]) {
        query[opt + 7] = 0;
    }
}

fn keymgr(configuration: &str, zone: &str, command: &[&str]) -> String {
    let program = installed("keymgr").expect("keymgr is not installed: run scripts/setup");
    let output = Command::new(program)
        .args(["-c", configuration, zone])
        .args(command)
        .output()
        .expect("keymgr of Knot");
    assert!(output.status.success(), "keymgr {zone} {command:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The DS record with SHA-256.
fn ds(configuration: &str, zone: &str) -> String {
    let records = keymgr(configuration, zone, &["ds"]);
    let record = records.lines().find(|line| line.contains(" 13 2 "));
    record.expect("a DS record with SHA-256").to_owned()
}

/// The zone `test.`.
fn delegations(configuration: &str) -> String {
    let mut text = "ns A 127.0.0.1\n".to_owned();
    for (name, signed) in ZONES.iter().skip(2) {
        writeln!(text, "{name} NS ns.test.").expect("text");
        if *signed != Signed::No {
            writeln!(text, "{}", ds(configuration, name)).expect("text");
        }
    }
    writeln!(text, "bogus.test. DS 12345 13 2 {}", "5a".repeat(32)).expect("text");
    text
}

fn head(zone: &str) -> String {
    format!(
        "$ORIGIN {zone}\n@ 60 IN SOA ns.test. host.test. 1 3600 600 86400 30\n@ 60 IN NS ns.test.\n$TTL 60\n"
    )
}

fn file(zone: &str) -> String {
    format!("{zone}zone")
}

fn knot_conf(folder: &Path, listen: SocketAddr) -> String {
    let mut text = format!(
        r"
server:
    rundir: {folder}
    listen: {ip}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: notice
database:
    storage: {folder}/db
policy:
  - id: nsec
    algorithm: ecdsap256sha256
    manual: on
    single-type-signing: on
  - id: nsec3
    algorithm: ecdsap256sha256
    manual: on
    single-type-signing: on
    nsec3: on
    nsec3-iterations: 0
template:
  - id: default
    storage: {folder}
    zonefile-load: whole
    zonefile-sync: -1
    journal-content: none
zone:
",
        folder = folder.display(),
        ip = listen.ip(),
        port = listen.port(),
    );
    for (name, signed) in ZONES {
        let policy = match signed {
            Signed::No => "",
            Signed::Nsec => "    dnssec-signing: on\n    dnssec-policy: nsec\n",
            Signed::Nsec3 => "    dnssec-signing: on\n    dnssec-policy: nsec3\n",
        };
        writeln!(text, "  - domain: {name}\n    file: {:?}\n{policy}", file(name)).expect("text");
    }
    text
}

fn unbound_conf(folder: &Path, listen: SocketAddr, knot: SocketAddr, anchors: &str) -> String {
    let mut text = format!(
        r#"
server:
  chroot: ""
  username: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  verbosity: 1
  interface: {ip}@{port}
  access-control: 0.0.0.0/0 allow
  do-not-query-localhost: no
  do-ip6: no
  num-threads: 1
  local-zone: "test." nodefault
  module-config: "validator iterator"
  trust-anchor-file: {anchors:?}
remote-control:
  control-enable: no
"#,
        folder = folder.display(),
        ip = listen.ip(),
        port = listen.port(),
    );
    for (name, _) in ZONES {
        writeln!(
            text,
            "stub-zone:\n  name: {name:?}\n  stub-addr: {}@{}",
            knot.ip(),
            knot.port()
        )
        .expect("text");
    }
    text
}
