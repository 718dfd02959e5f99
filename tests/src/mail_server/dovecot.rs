//! Dovecot, beside a Postfix: it knows the users, and lets them fetch their mail.

use super::{READER_PASSWORD, RELAY_PASSWORD, RELAY_USER, Recipe, Role};
use std::fmt::Write as _;

/// Adds to a recipe what `role` needs of Dovecot.
pub(super) fn add(recipe: &mut Recipe, role: &Role<'_>) {
    recipe
        .packages
        .extend(["dovecot-core", "dovecot-imapd", "dovecot-pop3d"]);
    recipe.accounts.extend(["dovecot", "dovenull"]);
    recipe.prepare += PREPARE;
    let mut users = String::new();
    let mut configuration = MAIN.to_owned();
    if role.implicit.is_some() {
        let _ = writeln!(users, "{RELAY_USER}:{{PLAIN}}{RELAY_PASSWORD}::::::");
        configuration += LOGIN_TO_POSTFIX;
    }
    if let Some(access) = role.access {
        for reader in ["alice", "bob"] {
            let _ = writeln!(users, "{reader}:{{PLAIN}}{READER_PASSWORD}::::::");
        }
        configuration += ACCESS;
        for (protocol, address) in [("imap", access.imap), ("pop3", access.pop3)] {
            configuration += &listener(protocol, address);
        }
    } else {
        configuration += "protocols =\nssl = no\n";
    }
    recipe.files.push(("users", users));
    recipe.files.push(("dovecot.conf", configuration));
}

// Its programs and libraries are looked for where the packages would install them. It goes to the background once it
// listens.
const PREPARE: &str = "
mount -t overlay none -o lowerdir=/mnt/dovecot-core/usr:/mnt/dovecot-imapd/usr:/mnt/dovecot-pop3d/usr:/usr /usr
mkdir /mnt/dovecot-run /mnt/dovecot-state
dovecot -c /mnt/etc/dovecot.conf
";

const MAIN: &str = "
base_dir = /mnt/dovecot-run
state_dir = /mnt/dovecot-state
log_path = /mnt/dovecot-log
disable_plaintext_auth = no
auth_mechanisms = plain login scram-sha-256
passdb {
  driver = passwd-file
  args = username_format=%n /mnt/etc/users
}
userdb {
  driver = static
  args = uid=5000 gid=5000 home=/mnt/mail/%n
}
";

const LOGIN_TO_POSTFIX: &str = "
service auth {
  unix_listener /mnt/queue/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
";

const ACCESS: &str = "
protocols = imap pop3
mail_location = maildir:/mnt/mail/%n
ssl = required
ssl_cert = </mnt/etc/chain.pem
ssl_key = </mnt/etc/key.pem
";

/// TLS from the first octet, and nothing where the other ways in would be.
fn listener(protocol: &str, address: std::net::SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!(
        "
service {protocol}-login {{
  inet_listener {protocol} {{
    port = 0
  }}
  inet_listener {protocol}s {{
    address = {ip}
    port = {port}
    ssl = yes
  }}
}}
"
    )
}
