//! Exim, OpenSMTPD and Postfix take our mail, and give back what was written.

use map_tests::mail_server::{Kind, MailServer};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

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
