//! Exim.

use super::Recipe;
use super::Role;

pub(super) fn recipe(role: &Role<'_>) -> Recipe {
    Recipe {
        packages: vec!["exim4-daemon-light"],
        accounts: vec!["Debian-exim"],
        files: vec![("exim.conf", configuration(role))],
        prepare: "chown Debian-exim: /mnt/spool /mnt/mail; chown -f Debian-exim /mnt/etc/key.pem || true"
            .to_owned(),
        command: &[
            "/mnt/server/usr/sbin/exim4",
            "-C",
            "/mnt/etc/exim.conf",
            "-bdf",
            "-q30m",
        ],
        log: "spool/mainlog",
    }
}

// Started with a configuration of our own it gives up root, so the Maildirs belong to its own user.
fn configuration(role: &Role<'_>) -> String {
    let address = role.address;
    let tls = if role.identity.is_some() {
        "tls_advertise_hosts = *\ntls_certificate = /mnt/etc/chain.pem\ntls_privatekey = /mnt/etc/key.pem"
    } else {
        "tls_advertise_hosts ="
    };
    format!(
        r"
primary_hostname = mx.example.test
exim_path = /mnt/server/usr/sbin/exim4
spool_directory = /mnt/spool
log_file_path = /mnt/spool/%slog
pid_file_path = /mnt/spool/exim.pid
exim_user = Debian-exim
exim_group = Debian-exim
never_users =
keep_environment =
disable_ipv6 = true
local_interfaces = {ip}
daemon_smtp_ports = {port}
smtp_accept_max = 0
smtp_accept_queue_per_connection = 0
host_lookup =
rfc1413_query_timeout = 0s
{tls}
chunking_advertise_hosts = *
smtputf8_advertise_hosts = *
accept_8bitmime = true
message_size_limit = 200M
domainlist local_domains = example.test
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = accept

begin acl
acl_rcpt:
  require message = 5.1.1 no such mailbox here
          verify = recipient
  accept domains = +local_domains
  deny message = relay not permitted

begin routers
local:
  driver = accept
  domains = +local_domains
  local_parts = alice : bob
  transport = maildir

begin transports
maildir:
  driver = appendfile
  directory = /mnt/mail/${{local_part_data}}
  create_directory
  maildir_format
  user = Debian-exim
",
        ip = address.ip(),
        port = address.port(),
    )
}
