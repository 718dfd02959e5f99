//! A relay by its name, as the operating system finds it: with a hosts file and a resolver configuration of the test's own.

use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_by_name");

/// What stands in `/etc` of the machine is hidden from the program, and seen by nobody else.
const PREPARE: &str = r#"
set -e
ip link set lo up
mount --make-rprivate /
mount -t tmpfs none /mnt
printf '%s\n' "$1" >/mnt/hosts
printf 'search corp.example\nnameserver 127.0.0.1\noptions timeout:30 attempts:1\n' >/mnt/resolv.conf
printf 'hosts: files dns\n' >/mnt/nsswitch.conf
for file in hosts resolv.conf nsswitch.conf; do
    touch "/etc/$file"
    mount --bind "/mnt/$file" "/etc/$file"
done
shift
exec "$@"
"#;

fn may_make_namespaces() -> bool {
    Command::new("unshare")
        .args(["--net", "--mount", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What the program printed, as `name: value` lines.
struct Sent(String);

impl Sent {
    fn value(&self, name: &str) -> &str {
        let prefix = format!("{name}: ");
        let line = self.0.lines().find_map(|line| line.strip_prefix(&prefix));
        line.unwrap_or_default()
    }

    #[track_caller]
    fn assert(&self, reply: &str, transient: &str, attempt: &str) {
        let found = ["reply", "transient", "attempt"].map(|name| self.value(name));
        assert_eq!(found, [reply, transient, attempt], "{}", self.0);
    }
}

fn send(hosts: &str, arguments: &[&str]) -> Sent {
    let output = Command::new("unshare")
        .args(["--net", "--mount", "sh", "-c", PREPARE, "sh", hosts, PROGRAM])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("unshare of util-linux");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {complaint}");
    Sent(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_relay_is_found_as_by_any_program() {
    if !may_make_namespaces() {
        println!("skipped: this process may not make namespaces");
        return;
    }
    // The hosts file, also where it shadows the DNS; a search domain; the DNS.
    let mailhost = "127.0.0.3 mailhost relay.corp.example";
    send(mailhost, &["mailhost"]).assert("RE_SUCCESS.", "false", "mailhost 127.0.0.3");
    send(mailhost, &["relay.corp.example"]).assert("RE_SUCCESS.", "false", "relay.corp.example 127.0.0.3");
    send("", &["mailhost"]).assert("RE_SUCCESS.", "false", "mailhost 127.0.0.2");
    send("", &["relay.example"]).assert("RE_SUCCESS.", "false", "relay.example 127.0.0.3");
    // With a final dot a name is whole.
    send("", &["mailhost."]).assert("RE_SERVER_UNREACH.", "false", "mailhost ");
    // Nobody knows it, or nobody can say.
    let unknown = send(mailhost, &["nowhere"]);
    unknown.assert("RE_SERVER_UNREACH.", "false", "nowhere ");
    assert!(
        unknown
            .value("advice")
            .contains("the relay nowhere has no address"),
        "{}",
        unknown.0
    );
    let broken = send(mailhost, &["broken.example"]);
    broken.assert("RE_SERVER_UNREACH.", "true", "broken.example ");
    assert!(
        broken.value("advice").contains("cannot be found at the moment"),
        "{}",
        broken.0
    );
}

#[test]
fn the_dns_servers_of_the_configuration_are_asked_instead() {
    if !may_make_namespaces() {
        println!("skipped: this process may not make namespaces");
        return;
    }
    let hosts = "127.0.0.2 mailhost relay.example";
    let by_dns = |name| send(hosts, &[name, "dns-servers"]);
    by_dns("mailhost").assert("RE_SERVER_UNREACH.", "false", "mailhost ");
    by_dns("relay.example").assert("RE_SUCCESS.", "false", "relay.example 127.0.0.3");
}

/// The system asks for a minute, and cannot be interrupted.
#[test]
fn nobody_waits_for_a_system_that_does_not_answer() {
    if !may_make_namespaces() {
        println!("skipped: this process may not make namespaces");
        return;
    }
    let cancelled = send("", &["silent.example", "cancel"]);
    assert_eq!(
        (cancelled.value("reply"), cancelled.value("stage")),
        ("RE_CANCELLED.", "route"),
        "{}",
        cancelled.0
    );
    let late = send("", &["silent.example", "deadline"]);
    assert_eq!(
        (late.value("reply"), late.value("transient"), late.value("stage")),
        ("RE_SERVER_UNREACH.", "true", "route"),
        "{}",
        late.0
    );
}
