//! OpenSMTPD.

use super::Recipe;
use std::net::SocketAddr;

pub(super) fn recipe(address: SocketAddr) -> Recipe {
    Recipe {
        packages: vec!["opensmtpd"],
        accounts: vec!["opensmtpd", "opensmtpq"],
        files: vec![("smtpd.conf", configuration(address))],
        prepare: PREPARE.to_owned(),
        command: &["/mnt/server/usr/sbin/smtpd", "-d", "-f", "/mnt/etc/smtpd.conf"],
        log: "output",
    }
}

// These paths are compiled into it.
const PREPARE: &str = "
mount -t tmpfs none /usr/libexec
cp -r /mnt/server/usr/libexec/opensmtpd /usr/libexec/
mount -t tmpfs none /var/spool
mkdir -m 711 /var/spool/smtpd
mount -t tmpfs none /var/lib
mkdir -p /var/lib/opensmtpd/empty
mount -t tmpfs none /run
";

fn configuration(address: SocketAddr) -> String {
    format!(
        r#"
table aliases {{ alice = vmail, bob = vmail }}
table accounts {{ vmail = "5000:5000:/mnt/mail" }}
table mailboxes {{ "alice@example.test", "bob@example.test" }}
smtp max-message-size 200M
listen on {ip} port {port} hostname mx.example.test
action "local" maildir "/mnt/mail/%{{rcpt.user}}" virtual <aliases> userbase <accounts>
match from any for rcpt-to <mailboxes> action "local"
"#,
        ip = address.ip(),
        port = address.port(),
    )
}
