//! Postfix.

use super::{RELAY_PASSWORD, RELAY_USER, Recipe, Role};

pub(super) fn recipe(role: &Role<'_>) -> Recipe {
    let mut recipe = Recipe {
        packages: &["postfix"],
        accounts: &["postfix", "postdrop"],
        files: vec![
            ("master.cf", services(role)),
            ("domains", "/\\.test$/ here\n".to_owned()),
            ("mailboxes", "/^alice@/ alice/\n/^bob@/ bob/\n".to_owned()),
        ],
        prepare: PREPARE.to_owned(),
        command: &["/mnt/server/usr/lib/postfix/sbin/master", "-c", "/mnt/etc", "-d"],
        log: "log",
    };
    let mut main = MAIN.to_owned();
    if role.identity.is_some() {
        main += TLS;
    }
    if role.implicit.is_some() {
        main += RELAY;
        recipe.packages = &["postfix", "dovecot-core"];
        recipe.accounts = &["postfix", "postdrop", "dovecot", "dovenull"];
        recipe.files.push(("dovecot.conf", DOVECOT.to_owned()));
        recipe
            .files
            .push(("users", format!("{RELAY_USER}:{{PLAIN}}{RELAY_PASSWORD}::::::\n")));
        recipe.prepare += DOVECOT_PREPARE;
    }
    recipe.files.push(("main.cf", main));
    recipe
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
virtual_mailbox_domains = regexp:/mnt/etc/domains
virtual_mailbox_base = /mnt/mail
virtual_mailbox_maps = regexp:/mnt/etc/mailboxes
virtual_uid_maps = static:5000
virtual_gid_maps = static:5000
virtual_mailbox_limit = 0
message_size_limit = 200000000
smtpd_relay_restrictions = reject_unauth_destination
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
";

// The `Received` line of a mail tells the protocol and the cipher suite.
const TLS: &str = "
smtpd_tls_security_level = may
smtpd_tls_chain_files = /mnt/etc/key.pem, /mnt/etc/chain.pem
smtpd_tls_received_header = yes
smtpd_tls_loglevel = 1
";

const RELAY: &str = "
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_authenticated_header = yes
smtpd_tls_auth_only = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject
";

// Its programs and libraries are looked for where the package would install them.
const DOVECOT_PREPARE: &str = "
mount -t overlay none -o lowerdir=/mnt/dovecot-core/usr:/usr /usr
mkdir /mnt/dovecot-run /mnt/dovecot-state
dovecot -c /mnt/etc/dovecot.conf
";

const DOVECOT: &str = "
base_dir = /mnt/dovecot-run
state_dir = /mnt/dovecot-state
log_path = /mnt/dovecot-log
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login scram-sha-256
passdb {
  driver = passwd-file
  args = /mnt/etc/users
}
userdb {
  driver = static
  args = uid=5000 gid=5000 home=/mnt/mail
}
service auth {
  unix_listener /mnt/queue/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
";

fn services(role: &Role<'_>) -> String {
    let address = role.address;
    let implicit = role.implicit.map_or_else(String::new, |address| {
        format!("{address} inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes")
    });
    format!(
        "
{address} inet n - n - - smtpd
{implicit}
tlsmgr    unix - - n 1000? 1 tlsmgr
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
