//! Postfix.

use super::Recipe;
use std::net::SocketAddr;

pub(super) fn recipe(address: SocketAddr) -> Recipe {
    Recipe {
        package: "postfix",
        accounts: &["postfix", "postdrop"],
        files: vec![("main.cf", MAIN.to_owned()), ("master.cf", services(address))],
        prepare: PREPARE,
        command: &["/mnt/server/usr/lib/postfix/sbin/master", "-c", "/mnt/etc", "-d"],
        log: "log",
    }
}

// What `postfix start` would make, were it installed.
const PREPARE: &str = "
export LD_LIBRARY_PATH=/mnt/server/usr/lib/postfix MAIL_CONFIG=/mnt/etc
mkdir /mnt/data /mnt/queue
chown postfix /mnt/data
cd /mnt/queue
mkdir -m 755 pid
mine='active bounce corrupt defer deferred flush hold incoming private saved trace'
mkdir -m 700 $mine
chown postfix $mine
mkdir -m 710 public
mkdir -m 730 maildrop
chown postfix:postdrop public maildrop
cd /
";

// A loopback address of the machine's 127.0.0.0/8 that no interface lists cannot stand in `inet_interfaces`; the
// service of `master.cf` names it.
const MAIN: &str = "
compatibility_level = 3.6
config_directory = /mnt/etc
queue_directory = /mnt/queue
data_directory = /mnt/data
daemon_directory = /mnt/server/usr/lib/postfix/sbin
command_directory = /mnt/server/usr/sbin
shlib_directory = /mnt/server/usr/lib/postfix
meta_directory = /mnt/etc
import_environment = MAIL_CONFIG LD_LIBRARY_PATH
mail_owner = postfix
setgid_group = postdrop
maillog_file = /mnt/log
maillog_file_prefixes = /mnt
myhostname = mx.example.test
mydomain = example.test
mydestination =
mynetworks =
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
alias_database =
biff = no
virtual_mailbox_domains = example.test
virtual_mailbox_base = /mnt/mail
virtual_mailbox_maps = inline:{ {alice@example.test=alice/}, {bob@example.test=bob/} }
virtual_uid_maps = static:5000
virtual_gid_maps = static:5000
virtual_mailbox_limit = 0
message_size_limit = 200000000
smtpd_relay_restrictions = reject_unauth_destination
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
";

fn services(address: SocketAddr) -> String {
    format!(
        "
{address} inet n - n - - smtpd
postlog   unix-dgram n - n - 1 postlogd
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
proxymap  unix - - n - - proxymap
error     unix - - n - - error
retry     unix - - n - - error
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
"
    )
}
