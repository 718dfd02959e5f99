//! Real mail servers on loopback: Exim, OpenSMTPD, Postfix.
//!
//! Each runs from the Debian package that `scripts/setup` has unpacked, in mounts and process ids of its own: nothing
//! of the machine is configured, nothing is installed, nothing stays. They take mail for `alice@example.test` and
//! `bob@example.test` from anybody, in the clear and, given a certificate, over TLS; a relay takes it from those who
//! log in. Beside a Postfix there may be a Dovecot, from which the two fetch their mail by IMAP and by POP3.

mod dovecot;
mod exim;
mod opensmtpd;
mod postfix;

use crate::certificates::{Authority, Identity};
use crate::isolated_server::{IsolatedServer, wait_until};
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// How long a server may take to start or to deliver. On an idle machine both are done in a fraction of a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// `vmail`, to whom the Maildirs belong.
const MAIL_UID: u32 = 5000;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Exim 4
    Exim,
    /// OpenSMTPD
    OpenSmtpd,
    /// Postfix
    Postfix,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Exim, Self::OpenSmtpd, Self::Postfix];
}

/// What is particular to one server.
struct Recipe {
    /// The Debian packages it comes from, the one that is named first at `/mnt/server`, another at `/mnt/` and its name.
    packages: Vec<&'static str>,
    /// The accounts it wants to find, beside root and `vmail`.
    accounts: Vec<&'static str>,
    /// Its configuration: file names below `/mnt/etc`, and texts.
    files: Vec<(&'static str, String)>,
    /// Shell commands that come before it.
    prepare: String,
    /// The server, in the foreground.
    command: &'static [&'static str],
    /// What of its own files is worth reading when something goes wrong.
    log: &'static str,
}

/// A running server; dropping it stops it and forgets its mail.
#[derive(Debug)]
pub struct MailServer {
    // Before the directory, which it uses to the end.
    isolated_server: IsolatedServer,
    dir: TempDir,
    kind: Kind,
    address: SocketAddr,
    log: &'static str,
}

/// Where a server listens, and what it is to be.
#[derive(Clone, Copy)]
struct Role<'a> {
    address: SocketAddr,
    /// TLS for those who ask for it by STARTTLS.
    identity: Option<&'a Identity>,
    /// Where a relay expects TLS from the first octet. It takes mail only from [`RELAY_USER`].
    implicit: Option<SocketAddr>,
    /// To whom a relay passes on what it takes; otherwise it delivers it itself.
    next: Option<SocketAddr>,
    /// Where its users fetch their mail.
    access: Option<Access>,
}

impl<'a> Role<'a> {
    fn new(identity: Option<&'a Identity>) -> Self {
        Self {
            address: unused_address(),
            identity,
            implicit: None,
            next: None,
            access: None,
        }
    }

    fn relay(identity: &'a Identity) -> (Self, SocketAddr) {
        let mut role = Self::new(Some(identity));
        let implicit = role.other_port();
        role.implicit = Some(implicit);
        (role, implicit)
    }

    fn other_port(&self) -> SocketAddr {
        SocketAddr::new(self.address.ip(), unused_port(self.address.ip()))
    }
}

/// Where the users of a server fetch their mail, over TLS from the first octet: as `alice` and `bob`, with
/// [`READER_PASSWORD`].
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// By IMAP.
    pub imap: SocketAddr,
    /// By POP3.
    pub pop3: SocketAddr,
}

/// The user of a relay.
pub const RELAY_USER: &str = "app";
/// The password of that user.
pub const RELAY_PASSWORD: &str = "pass word, \u{fc}mlaut";
/// The password by which those who have a mailbox fetch their mail.
pub const READER_PASSWORD: &str = "let me read";

impl MailServer {
    /// Starts a server and waits for its greeting. `None`, said on standard error, where this process may not make
    /// namespaces: that needs root.
    ///
    /// # Panics
    /// When the server is not there or does not start: with what it has written.
    pub fn start(kind: Kind) -> Option<Self> {
        Self::start_as(kind, &Role::new(None))
    }

    /// The same for a server that offers STARTTLS and shows this certificate: Exim by `GnuTLS`, Postfix by OpenSSL.
    ///
    /// # Panics
    /// As [`Self::start`]; and for OpenSMTPD, whose STARTTLS fails with OpenSSL 3.
    pub fn start_with_tls(kind: Kind, identity: &Identity) -> Option<Self> {
        assert!(
            kind != Kind::OpenSmtpd,
            "the STARTTLS of this OpenSMTPD fails with OpenSSL 3"
        );
        Self::start_as(kind, &Role::new(Some(identity)))
    }

    /// A Postfix whose users fetch their mail from Dovecot. It takes mail for any domain: what is not for alice or bob
    /// goes to alice, a message to several of them once. Both show a certificate for `mx.example.test` and for their
    /// address.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_with_access(authority: &Authority) -> Option<(Self, Access)> {
        let mut role = Role::new(None);
        let identity = authority.certify(&["mx.example.test", &role.address.ip().to_string()]);
        role.identity = Some(&identity);
        let access = Access {
            imap: role.other_port(),
            pop3: role.other_port(),
        };
        role.access = Some(access);
        Some((Self::start_as(Kind::Postfix, &role)?, access))
    }

    /// A Postfix that takes mail only over TLS and only from [`RELAY_USER`], whom Dovecot knows by PLAIN, LOGIN and
    /// SCRAM-SHA-256. The address after it is the one with TLS from the first octet.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_relay(identity: &Identity) -> Option<(Self, SocketAddr)> {
        let (role, implicit) = Role::relay(identity);
        Some((Self::start_as(Kind::Postfix, &role)?, implicit))
    }

    /// The same, but what it takes it passes on to another server.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_relay_to(next: &Self, identity: &Identity) -> Option<(Self, SocketAddr)> {
        let (mut role, implicit) = Role::relay(identity);
        role.next = Some(next.address);
        Some((Self::start_as(Kind::Postfix, &role)?, implicit))
    }

    fn start_as(kind: Kind, role: &Role<'_>) -> Option<Self> {
        if !IsolatedServer::is_possible() {
            eprintln!("SKIPPED: {kind:?} needs namespaces, and these need root");
            return None;
        }
        let address = role.address;
        let recipe = match kind {
            Kind::Exim => exim::recipe(role),
            Kind::OpenSmtpd => opensmtpd::recipe(address),
            Kind::Postfix => postfix::recipe(role),
        };
        let dir = lay_out(&recipe, role.identity);
        let mut prepare = format!("mount --bind \"{}\" /mnt\n", dir.path().display());
        for (package, place) in recipe
            .packages
            .iter()
            .zip(["server"].iter().chain(&recipe.packages[1..]))
        {
            let unpacked = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../build/lab")
                .join(package);
            assert!(
                unpacked.join(".complete").exists(),
                "{package} is not unpacked in build/lab: run scripts/setup"
            );
            writeln!(
                prepare,
                "mkdir -p /mnt/{place}\nmount --bind \"{}\" /mnt/{place}",
                unpacked.display()
            )
            .expect("text");
        }
        prepare += "for file in passwd group resolv.conf; do mount --bind /mnt/etc/$file /etc/$file; done\n";
        prepare += &recipe.prepare;
        let isolated_server = IsolatedServer::start(&prepare, recipe.command, &dir.path().join("output"))
            .expect("unshare cannot be run: run scripts/setup");
        let mut server = Self {
            isolated_server,
            dir,
            kind,
            address,
            log: recipe.log,
        };
        let mut ended = false;
        let greeted = wait_until(PATIENCE, || {
            ended = matches!(server.isolated_server.ended(), Ok(Some(_)));
            ended || server.greets()
        });
        assert!(greeted && !ended, "{kind:?} does not start:\n{}", server.logs());
        Some(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Which server it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The Maildir of one of its users.
    pub fn maildir(&self, user: &str) -> PathBuf {
        self.dir.path().join("mail").join(user)
    }

    /// What it has delivered to a user so far, as it stands on the disk: octets exact, in no order.
    ///
    /// # Panics
    /// When the Maildir cannot be read.
    pub fn mails(&self, user: &str) -> Vec<Vec<u8>> {
        let Ok(entries) = fs::read_dir(self.maildir(user).join("new")) else {
            return Vec::new();
        };
        entries
            .map(|entry| fs::read(entry.expect("a readable Maildir").path()).expect("a readable mail"))
            .collect()
    }

    /// Waits until it has delivered `count` mails to a user.
    ///
    /// # Panics
    /// When it does not: with its log.
    pub fn wait_for_mails(&self, user: &str, count: usize) -> Vec<Vec<u8>> {
        let delivered = || fs::read_dir(self.maildir(user).join("new")).map_or(0, Iterator::count);
        assert!(
            wait_until(PATIENCE, || delivered() >= count),
            "{:?} has delivered {} mails of {count} to {user}:\n{}",
            self.kind,
            delivered(),
            self.logs()
        );
        self.mails(user)
    }

    /// What it has written: for the message of a test that fails.
    pub fn logs(&self) -> String {
        let own = |name: &str| {
            let octets = fs::read(self.dir.path().join(name)).unwrap_or_default();
            String::from_utf8_lossy(&octets).into_owned()
        };
        format!(
            "{}\n{}\n{}",
            self.isolated_server.output(),
            own(self.log),
            own("dovecot-log")
        )
    }

    fn greets(&self) -> bool {
        let Ok(mut connection) = TcpStream::connect(self.address) else {
            return false;
        };
        let mut first = [0; 4];
        connection.set_read_timeout(Some(PATIENCE)).is_ok()
            && connection.read_exact(&mut first).is_ok()
            && first == *b"220 "
    }
}

/// A loopback address that no other test uses, and a port that is free on it.
fn unused_address() -> SocketAddr {
    static SERVERS: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, high | 64, low, SERVERS.fetch_add(1, Ordering::Relaxed));
    let address = IpAddr::from(address);
    SocketAddr::new(address, unused_port(address))
}

fn unused_port(address: IpAddr) -> u16 {
    let probe = TcpListener::bind((address, 0)).expect("a free port on loopback");
    probe.local_addr().expect("the address of a listener").port()
}

/// The directory that the server sees as `/mnt`.
fn lay_out(recipe: &Recipe, identity: Option<&Identity>) -> TempDir {
    let dir = TempDir::new().expect("a directory for temporary files");
    let root = dir.path();
    // Daemons look into it that are not root.
    fs::set_permissions(root, Permissions::from_mode(0o755)).expect("permissions");
    for name in ["etc", "server", "mail", "spool"] {
        fs::create_dir(root.join(name)).expect("a directory");
    }
    chown(root.join("mail"), Some(MAIL_UID), Some(MAIL_UID)).expect("owner of the Maildirs");
    let mut passwd = vec![
        "root:x:0:0::/:/bin/sh".to_owned(),
        "nobody:x:65534:65534::/:/bin/false".to_owned(),
    ];
    let mut group = vec!["root:x:0:".to_owned(), "nogroup:x:65534:".to_owned()];
    for (account, id) in ["vmail"].iter().chain(&recipe.accounts).zip(MAIL_UID..) {
        passwd.push(format!("{account}:x:{id}:{id}::/:/bin/false"));
        group.push(format!("{account}:x:{id}:"));
    }
    let write = |name: &str, text: &str| {
        fs::write(root.join("etc").join(name), text).expect("a file of the configuration");
    };
    write("passwd", &(passwd.join("\n") + "\n"));
    write("group", &(group.join("\n") + "\n"));
    // They ask for the name of the client; a resolver that is not there says at once that it is not.
    write(
        "resolv.conf",
        "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    );
    for (name, text) in &recipe.files {
        write(name, text);
    }
    if let Some(identity) = identity {
        write("chain.pem", &identity.chain);
        write("key.pem", &identity.key);
    }
    dir
}
