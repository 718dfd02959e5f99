//! Exim.

use super::Recipe;
use std::net::SocketAddr;

pub(super) fn recipe(address: SocketAddr) -> Recipe {
    Recipe {
        package: "exim4-daemon-light",
        accounts: &["Debian-exim"],
        files: vec![("exim.conf", configuration(address))],
        prepare: "chown Debian-exim: /mnt/spool /mnt/mail",
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
fn configuration(address: SocketAddr) -> String {
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
tls_advertise_hosts =
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
