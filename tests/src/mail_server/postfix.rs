//! Postfix.

use super::{Recipe, Role, dovecot};

pub(super) fn recipe(role: &Role<'_>) -> Recipe {
    // A name of its own for a relay: to its own name it would not pass on anything.
    let (name, domains) = match role {
        Role { next: Some(_), .. } => ("relay.example.test", ""),
        Role { access: Some(_), .. } => ("mx.example.test", "/./ here\n"),
        _ => ("mx.example.test", "/\\.test$/ here\n"),
    };
    let mut recipe = Recipe {
        packages: vec!["postfix"],
        accounts: vec!["postfix", "postdrop"],
        files: vec![
            ("master.cf", services(role)),
            ("domains", domains.to_owned()),
            ("mailboxes", "/^alice@/ alice/\n/^bob@/ bob/\n".to_owned()),
        ],
        prepare: PREPARE.to_owned(),
        command: &["/mnt/server/usr/lib/postfix/sbin/master", "-c", "/mnt/etc", "-d"],
        log: "log",
    };
    let mut main = format!("myhostname = {name}\n{MAIN}");
    if role.identity.is_some() {
        main += TLS;
    }
    if role.implicit.is_some() {
        main += RELAY;
    }
    if role.access.is_some() {
        main += ONE_MAILBOX;
        let others = "!/@example\\.test$/ alice@example.test\n";
        recipe.files.push(("aliases", others.to_owned()));
    }
    if let Some(next) = role.next {
        main += PASSING_ON;
        let transport = format!("/./ smtp:[{}]:{}\n", next.ip(), next.port());
        recipe.files.push(("next", transport));
    }
    recipe.files.push(("main.cf", main));
    if role.implicit.is_some() || role.access.is_some() {
        dovecot::add(&mut recipe, role);
    }
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

// A message to several domains is delivered once.
const ONE_MAILBOX: &str = "
virtual_alias_domains =
virtual_alias_maps = regexp:/mnt/etc/aliases
enable_original_recipient = no
";

const PASSING_ON: &str = "
transport_maps = regexp:/mnt/etc/next
smtp_host_lookup = native
smtp_tls_security_level = may
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
smtp      unix - - n - - smtp
anvil     unix - - n - 1 anvil
"
    )
}
