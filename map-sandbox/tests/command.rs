//! The command, as a program that starts it sees it.
#![cfg(feature = "cli")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
    smtp_port: u16,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_map-sandbox"));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn start(arguments: &[&str]) -> Running {
    let mut child = command().args(arguments).spawn().expect("the command starts");
    let mut out = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    out.read_line(&mut line).expect("the first line");
    let words: Vec<_> = line.split_whitespace().collect();
    let ["dns", dns, "smtp", smtp_port, "https", https_port] = words.as_slice() else {
        panic!("{line}")
    };
    assert!(dns.starts_with("127.0.0.1:"), "{line}");
    let smtp_port = smtp_port.parse().expect("a port");
    assert!(https_port.parse::<u16>().is_ok(), "{https_port}");
    Running {
        child,
        out,
        smtp_port,
    }
}

fn send(running: &Running, content: &[u8]) {
    send_after(running, "", content);
}

fn send_after(running: &Running, command: &str, content: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.2", running.smtp_port)).expect("the host listens");
    let envelope = "MAIL FROM:<a@b.example>\r\nRCPT TO:<d@e.example>\r\nDATA\r\n";
    write!(stream, "HELO c.example\r\n{command}{envelope}").expect("sent");
    stream.write_all(content).expect("sent");
    stream.write_all(b".\r\nQUIT\r\n").expect("sent");
    let mut replies = String::new();
    stream.read_to_string(&mut replies).expect("replies");
    assert!(replies.ends_with("221 2.0.0 Bye\r\n"), "{replies}");
}

#[test]
fn it_shows_mails_until_standard_input_ends() {
    let mut running = start(&["--until-stdin-closes"]);
    send(&running, b"Subject: x\r\n\r\nbell\x07\r\n");
    let lines: Vec<_> = (0..5).map(|_| next_line(&mut running)).collect();
    let expected = "mx.example.com took a mail from <a@b.example> to <d@e.example> (c.example)";
    assert_eq!(lines, [expected, "  Subject: x", "  ", "  bell\\u{7}", ""]);
    drop(running.child.stdin.take());
    assert!(running.child.wait().expect("it ends").success());
    assert_eq!(next_line(&mut running), "");
}

#[test]
fn it_shows_mails_as_json_until_a_signal() {
    let mut running = start(&["--json"]);
    send(&running, "Grüße \"\r\n".as_bytes());
    send(&running, b"\xFF\r\n");
    let first = next_line(&mut running);
    assert_eq!(
        first,
        r#"{"content":"Grüße \"\r\n","forward_paths":["d@e.example"],"hello":"c.example","host":"mx.example.com","reverse_path":"a@b.example"}"#
    );
    assert!(next_line(&mut running).contains(r#""content_base64":"/w0K""#));
    let id = running.child.id().to_string();
    assert!(
        // The shell's own: there need not be a program of that name.
        Command::new("sh")
            .args(["-c", "kill -TERM \"$1\"", "sh", &id])
            .status()
            .expect("sh")
            .success()
    );
    assert!(running.child.wait().expect("it ends").success());
}

fn next_line(running: &mut Running) -> String {
    let mut line = String::new();
    running.out.read_line(&mut line).expect("a line");
    line.trim_end_matches('\n').to_owned()
}

#[test]
fn it_reads_a_world_and_says_what_is_wrong_with_it() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().display().to_string();
    file.write_all(b"host mx.one.example 127.0.0.2\n")
        .expect("written");
    let running = start(&[&path]);
    let stream = TcpStream::connect(("127.0.0.2", running.smtp_port)).expect("the host listens");
    let mut greeting = String::new();
    BufReader::new(stream)
        .read_line(&mut greeting)
        .expect("a greeting");
    assert!(greeting.starts_with("220 mx.one.example"), "{greeting}");

    file.write_all(b"  on mail\n").expect("written");
    for (path, expected) in [
        (
            path.as_str(),
            format!("map-sandbox: {path}: line 2: the rule does not say what is to be done\n"),
        ),
        (
            "/nowhere",
            "map-sandbox: /nowhere: No such file or directory (os error 2)\n".to_owned(),
        ),
    ] {
        let output = command().arg(path).output().expect("the command starts");
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn it_writes_down_whom_to_trust() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name| folder.path().join(name).display().to_string();
    let (authority, anchor) = (path("ca.pem"), path("root.key"));
    let running = start(&["--certificate-authority", &authority, "--trust-anchor", &anchor]);
    let authority = std::fs::read_to_string(&authority).expect("it is written before the first line");
    assert!(
        authority.starts_with("-----BEGIN CERTIFICATE-----"),
        "{authority}"
    );
    let anchor = std::fs::read_to_string(&anchor).expect("it is written before the first line");
    assert!(
        anchor.starts_with(". 0 IN DNSKEY 257 3 13 ") && anchor.ends_with("==\n"),
        "{anchor}"
    );
    drop(running);
    let output = command()
        .args(["--trust-anchor", "/nowhere/x"])
        .output()
        .expect("the command starts");
    assert_eq!(output.status.code(), Some(1));
    let error = "map-sandbox: /nowhere/x: No such file or directory (os error 2)\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), error);
}

#[test]
fn it_shows_how_a_mail_came() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(b"host mx.example.com 127.0.0.2\n auth ann s3cret PLAIN clear\n")
        .expect("written");
    let path = file.path().display().to_string();
    for (arguments, expected) in [
        (
            &[path.as_str()][..],
            "mx.example.com took a mail from <a@b.example> to <d@e.example> (c.example, ann)",
        ),
        (&[&path, "--json"], r#""user":"ann""#),
    ] {
        let mut running = start(arguments);
        send_after(&running, "AUTH PLAIN AGFubgBzM2NyZXQ=\r\n", b"x\r\n");
        assert!(next_line(&mut running).contains(expected));
    }
}

#[test]
fn it_prints_the_example_world() {
    let output = command()
        .arg("--print-example")
        .output()
        .expect("the command starts");
    assert_eq!(output.stdout, map_sandbox::World::example_script().as_bytes());
}
