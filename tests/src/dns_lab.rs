//! Real DNS servers on loopback: Knot, which is the authority for a zone, and Unbound, which resolves through it.
//!
//! They need no root: both listen on ports of their own, on an address of `127/8` that no other test uses.

use crate::isolated_server::wait_until;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long a server may take to start on a busy machine.
const START: Duration = Duration::from_secs(20);

/// Knot and Unbound, running. They end with this value; or with the thread that started them, when the test is killed.
#[derive(Debug)]
pub struct DnsLab {
    knot: Server,
    unbound: Server,
    _folder: tempfile::TempDir,
}

impl DnsLab {
    /// Starts both with this zone file for `test.`; its SOA and NS records are added.
    ///
    /// Besides, `bogus.test.` is a zone without the signatures that Unbound expects there, and `lame.` one that Knot
    /// refuses to answer for.
    ///
    /// # Panics
    /// When a package is missing (`scripts/setup` installs it) or a server does not start; with what it printed.
    pub fn start(zone: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("dns-lab")
            .tempdir()
            .expect("a temporary folder");
        let path = folder.path();
        let address = loopback();
        let knot = {
            let listen = free_port(address);
            write(path, "test.zone", &format!("{}{zone}\n", head("test.")));
            write(
                path,
                "bogus.test.zone",
                &format!("{}@ 60 IN MX 10 mx.test.\n", head("bogus.test.")),
            );
            let configuration = write(path, "knot.conf", &knot_conf(path, listen));
            Server::start(&["knotd", "-c", &configuration], listen, path)
        };
        let unbound = {
            let listen = free_port(address);
            let configuration = write(path, "unbound.conf", &unbound_conf(path, listen, knot.address));
            Server::start(&["unbound", "-d", "-c", &configuration], listen, path)
        };
        Self {
            knot,
            unbound,
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
}

/// A server that ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start(command: &[&str], address: SocketAddr, folder: &Path) -> Self {
        let name = command[0];
        let program = installed(name).unwrap_or_else(|| panic!("{name} is not installed: run scripts/setup"));
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).expect("a log file");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(program)
            .args(&command[1..])
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output)
            .spawn()
            .expect("setpriv of util-linux");
        let mut server = Self { child, address };
        let ended = |child: &mut Child| !matches!(child.try_wait(), Ok(None));
        wait_until(START, || answers(address) || ended(&mut server.child));
        if ended(&mut server.child) || !answers(address) {
            let log = fs::read_to_string(log).unwrap_or_default();
            panic!("{name} does not answer at {address}:\n{log}");
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to be done about it here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Daemons are not on every user's search path.
pub(crate) fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// An address of this process, and in it of this call, alone.
pub(crate) fn loopback() -> Ipv4Addr {
    static CALLS: AtomicU32 = AtomicU32::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let [.., call] = CALLS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Ipv4Addr::new(127, 128 | (call & 0x7f), high, low)
}

/// A port that is free for UDP and TCP.
pub(crate) fn free_port(address: Ipv4Addr) -> SocketAddr {
    loop {
        let udp = UdpSocket::bind((address, 0)).expect("a UDP port");
        let socket = udp.local_addr().expect("its number");
        if TcpListener::bind(socket).is_ok() {
            return socket;
        }
    }
}

/// Whether there is any reply to a question: `. IN NS`.
fn answers(server: SocketAddr) -> bool {
    const QUERY: [u8; 17] = *b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01";
    let ask = || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        socket.connect(server)?;
        socket.send(&QUERY)?;
        let mut reply = [0; 512];
        let length = socket.recv(&mut reply)?;
        Ok::<_, std::io::Error>(length >= 12 && reply[..2] == QUERY[..2])
    };
    ask().unwrap_or(false)
}

pub(crate) fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("a file in the temporary folder");
    path.to_str().expect("a path in UTF-8").to_owned()
}

fn head(zone: &str) -> String {
    format!(
        "$ORIGIN {zone}\n@ 60 IN SOA ns.test. host.test. 1 3600 600 86400 30\n@ 60 IN NS ns.test.\n$TTL 60\n"
    )
}

fn knot_conf(folder: &Path, listen: SocketAddr) -> String {
    format!(
        r#"
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
template:
  - id: default
    storage: {folder}
    file: "%s.zone"
    zonefile-load: whole
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: test.
  - domain: bogus.test.
"#,
        folder = folder.display(),
        ip = listen.ip(),
        port = listen.port(),
    )
}

fn unbound_conf(folder: &Path, listen: SocketAddr, knot: SocketAddr) -> String {
    let stub = |zone: &str| {
        format!(
            "stub-zone:\n  name: \"{zone}\"\n  stub-addr: {}@{}\n",
            knot.ip(),
            knot.port()
        )
    };
    format!(
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
  trust-anchor: "bogus.test. DS 12345 13 2 {digest}"
remote-control:
  control-enable: no
{test}{bogus}{lame}
"#,
        folder = folder.display(),
        ip = listen.ip(),
        port = listen.port(),
        digest = "5a".repeat(32),
        test = stub("test."),
        bogus = stub("bogus.test."),
        lame = stub("lame."),
    )
}
