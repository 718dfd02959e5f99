//! Exim, OpenSMTPD and Postfix take our mail, and give back what was written.

use map_core::delivery::{Delivered, Report, Stage};
use map_core::protocol::{Fields, MapReplyCode};
use map_core::{Agent, Config};
use map_sandbox::{Sandbox, World};
use map_tests::c_library::InstalledLibrary;
use map_tests::mail_server::{Kind, MailServer};
use map_tests::python::{python, python_with_mapagent, source};
use map_tests::samples::{Sample, samples};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;

/// How many mails each server gets from each language.
const COUNT: usize = 200;

const ALICE: &str = "alice@example.test";

/// One connection to a server, spoken by hand.
struct Dialogue(BufReader<TcpStream>);

impl Dialogue {
    fn open(server: &MailServer) -> Self {
        Self(BufReader::new(TcpStream::connect(server.address()).unwrap()))
    }

    /// Reads a reply, of however many lines.
    fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let start = reply.len();
            assert!(
                self.0.read_line(&mut reply).unwrap() > 0,
                "closed after {reply:?}"
            );
            if reply.as_bytes().get(start + 3) != Some(&b'-') {
                return reply;
            }
        }
    }

    fn ask(&mut self, command: &str) -> String {
        self.0
            .get_mut()
            .write_all(format!("{command}\r\n").as_bytes())
            .unwrap();
        self.reply()
    }
}

fn servers_work(kind: Kind) {
    let Some(server) = MailServer::start(kind) else {
        return;
    };
    let mut dialogue = Dialogue::open(&server);
    assert!(dialogue.reply().starts_with("220 "));
    assert!(dialogue.ask("EHLO client.test").contains("SIZE"));
    assert!(dialogue.ask("MAIL FROM:<a@client.test>").starts_with("250"));
    let unknown = dialogue.ask("RCPT TO:<nobody@example.test>");
    assert!(unknown.starts_with("550"), "{unknown}");
    assert!(dialogue.ask("RCPT TO:<bob@example.test>").starts_with("250"));
    assert!(dialogue.ask("DATA").starts_with("354"));
    let taken = dialogue.ask("Subject: by hand\r\n\r\n..leading dot\r\n.");
    assert!(taken.starts_with("250"), "{taken}");
    assert!(dialogue.ask("QUIT").starts_with("221"));
    let mails = server.wait_for_mails("bob", 1);
    let mail = String::from_utf8(mails[0].clone()).unwrap();
    assert!(
        mail.contains("\nSubject: by hand\n") && mail.ends_with("\n\n.leading dot\n"),
        "{mail}"
    );
    assert!(server.mails("alice").is_empty());
}

/// A server, a zone that leads to it, and what is to be sent.
struct Post {
    server: MailServer,
    zone: Sandbox,
    samples: Vec<Sample>,
    /// The samples as files, for the other languages.
    directory: TempDir,
}

impl Post {
    fn open(kind: Kind) -> Option<Self> {
        let server = MailServer::start(kind)?;
        let world = format!(
            "domain example.test\n mx 10 mx.example.test\ndomain mx.example.test\n a {}\n",
            server.address().ip()
        );
        let zone = Sandbox::start(&world.parse::<World>().unwrap()).unwrap();
        let samples = samples(COUNT, 821);
        let directory = TempDir::new().unwrap();
        for (number, sample) in samples.iter().enumerate() {
            let write = |part: &str, text: &str| {
                fs::write(directory.path().join(format!("{number:03}.{part}")), text).unwrap();
            };
            write("subject", &sample.subject);
            write("content", &sample.content);
        }
        Some(Self {
            server,
            zone,
            samples,
            directory,
        })
    }

    fn send_from_rust(&self) {
        let mut config = Config::new();
        config.set_dns_servers(vec![self.zone.dns_server()]);
        config.set_smtp_port(self.server.address().port()).unwrap();
        config.set_hello_name(Some("client.test")).unwrap();
        config.set_deadline(Some(Duration::from_secs(120))).unwrap();
        config.set_allow_loopback(true);
        let agent = Agent::new(config);
        let numbered: Vec<_> = self.samples.iter().enumerate().collect();
        // Several at once: Exim keeps each client a fifth of a second waiting for the reply to QUIT.
        for some in numbered.chunks(8) {
            let jobs = some.iter().map(|(number, sample)| {
                agent.submit(Fields {
                    from: format!("case-{number:03}@sender.test").as_bytes(),
                    to: ALICE.as_bytes(),
                    subject: sample.subject.as_bytes(),
                    content: sample.content.as_bytes(),
                })
            });
            for job in jobs.collect::<Vec<_>>() {
                let report = job.wait();
                assert_eq!(report.reply().code(), MapReplyCode::Success, "{}", told(&report));
                assert_eq!(report.summary().delivered(), Delivered::Yes);
            }
        }

        let report = agent.send("a@sender.test", ALICE, "NUL", "a\0b");
        assert_eq!(
            report.reply().code(),
            MapReplyCode::InvalidFormat,
            "{}",
            told(&report)
        );
        assert!(report.attempts().is_empty());

        let report = agent.send("a@sender.test", "nobody@example.test", "test", "test");
        let summary = report.summary();
        assert_eq!(
            report.reply().code(),
            MapReplyCode::ServiceDenied,
            "{}",
            told(&report)
        );
        assert_eq!(summary.code().map(|code| code.0), Some(550));
        assert_eq!(summary.stage(), Stage::Rcpt);
        assert_eq!(summary.delivered(), Delivered::No);
        assert!(!summary.transient());
    }

    /// What a program of another language needs to do the same.
    fn arguments(&self) -> [OsString; 4] {
        [
            self.zone.dns_server().to_string().into(),
            self.server.address().port().to_string().into(),
            self.directory.path().into(),
            COUNT.to_string().into(),
        ]
    }

    fn assert_sent(&self, output: &Output) {
        assert!(
            output.status.success(),
            "{}\n{}",
            String::from_utf8_lossy(&output.stderr),
            self.server.logs()
        );
    }

    /// What was delivered is what was given, and nothing else was.
    fn compare(&self) {
        self.server.wait_for_mails("alice", COUNT);
        let output = Command::new(python())
            .arg(source("python/compare_maildir.py"))
            .arg(self.server.maildir("alice"))
            .arg(self.directory.path())
            .arg(COUNT.to_string())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(self.server.mails("bob").is_empty());
    }
}

fn told(report: &Report) -> String {
    format!("{}\n{}", report.summary().advice(), report.transcript())
}

fn from_rust(kind: Kind) {
    let Some(post) = Post::open(kind) else { return };
    post.send_from_rust();
    post.compare();
}

fn from_c(kind: Kind) {
    let Some(post) = Post::open(kind) else { return };
    let library = InstalledLibrary::in_folder(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let program = library.c(&["c/send_many.c"]).shared().unwrap();
    post.assert_sent(&program.run(post.arguments()).unwrap());
    post.compare();
}

fn from_python(kind: Kind) {
    let Some(post) = Post::open(kind) else { return };
    let program = Command::new(python_with_mapagent())
        .arg(source("python/send_many.py"))
        .args(post.arguments())
        .output();
    post.assert_sent(&program.unwrap());
    post.compare();
}

#[test]
fn exim_answers_by_hand() {
    servers_work(Kind::Exim);
}

#[test]
fn opensmtpd_answers_by_hand() {
    servers_work(Kind::OpenSmtpd);
}

#[test]
fn postfix_answers_by_hand() {
    servers_work(Kind::Postfix);
}

#[test]
fn exim_takes_mail_from_rust() {
    from_rust(Kind::Exim);
}

#[test]
fn opensmtpd_takes_mail_from_rust() {
    from_rust(Kind::OpenSmtpd);
}

#[test]
fn postfix_takes_mail_from_rust() {
    from_rust(Kind::Postfix);
}

#[test]
fn exim_takes_mail_from_python() {
    from_python(Kind::Exim);
}

#[test]
fn opensmtpd_takes_mail_from_python() {
    from_python(Kind::OpenSmtpd);
}

#[test]
fn postfix_takes_mail_from_python() {
    from_python(Kind::Postfix);
}

#[test]
fn exim_takes_mail_from_c() {
    from_c(Kind::Exim);
}

#[test]
fn opensmtpd_takes_mail_from_c() {
    from_c(Kind::OpenSmtpd);
}

#[test]
fn postfix_takes_mail_from_c() {
    from_c(Kind::Postfix);
}
