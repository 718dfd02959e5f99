//! Messages that somebody else has signed, by S/MIME and by PGP: they travel unchanged, and the signature stays good.

use map_core::message::{BodyType, Message, Needs, Raw};
use map_core::protocol::MapReplyCode;
use map_core::{Agent, Config};
use map_sandbox::{Sandbox, World};
use map_tests::certificates::Authority;
use map_tests::fetching::fetch;
use map_tests::mail_server::MailServer;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;

/// What mail systems are known to change, in lines of 7 bits.
const ENCODED: &str = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
                       Gr=C3=BC=C3=9Fe,=20\r\n.\r\n..\r\nFrom here on\r\n\ttab and blank at the end \r\n\r\n\r\n";
/// And of 8 bits.
const AS_IT_STANDS: &str = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
                            Grüße, \r\n.\r\n..\r\nFrom here on\r\n\ttab and blank at the end \r\n\r\n\r\n";

/// A key of Anna's, and what signs and verifies with it.
trait Signer: Sized {
    fn new() -> Self;
    /// A whole message that holds a part, as the signing program gives it.
    fn signed(&self, part: &str) -> String;
    fn verifies(&self, message: &[u8]) -> bool;
}

fn output(directory: &Path, program: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed for this test: {error}"))
}

fn succeed(directory: &Path, program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = output(directory, program, arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {told}");
    output.stdout
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// S/MIME by OpenSSL.
struct Smime(TempDir);

impl Signer for Smime {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem \
                    -out certificate.pem -subj /CN=Anna -addext subjectAltName=email:anna@example.com";
        succeed(directory.path(), "openssl", &words(make));
        Self(directory)
    }

    /// The signed part has the line ends of mail, all around it has those of a file of Unix.
    fn signed(&self, part: &str) -> String {
        let directory = self.0.path();
        std::fs::write(directory.join("content"), part).unwrap();
        let sign = "smime -sign -in content -signer certificate.pem -inkey key.pem -to bob@example.test -subject signed";
        let mut sign = words(sign);
        sign.extend(["-from", "Anna <anna@example.com>"]);
        String::from_utf8(succeed(directory, "openssl", &sign)).unwrap()
    }

    fn verifies(&self, message: &[u8]) -> bool {
        let directory = self.0.path();
        std::fs::write(directory.join("received.eml"), message).unwrap();
        let verify = "smime -verify -in received.eml -CAfile certificate.pem -purpose any";
        output(directory, "openssl", &words(verify)).status.success()
    }
}

/// PGP/MIME ([RFC 3156](https://www.rfc-editor.org/rfc/rfc3156)) by `GnuPG`.
struct Pgp(TempDir);

impl Pgp {
    fn gpg<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
        [&["--homedir", ".", "--batch", "--quiet"], arguments].concat()
    }
}

impl Drop for Pgp {
    /// It has started an agent by itself.
    fn drop(&mut self) {
        output(
            self.0.path(),
            "gpgconf",
            &["--homedir", ".", "--kill", "gpg-agent"],
        );
    }
}

impl Signer for Pgp {
    fn new() -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        let make = "--passphrase= --quick-generate-key anna@example.com ed25519 sign never";
        succeed(this.0.path(), "gpg", &Self::gpg(&words(make)));
        this
    }

    fn signed(&self, part: &str) -> String {
        std::fs::write(self.0.path().join("content"), part).unwrap();
        let sign = "--armor --digest-algo SHA512 --output - --detach-sign content";
        let signature = succeed(self.0.path(), "gpg", &Self::gpg(&words(sign)));
        let signature = with_mail_line_ends(&String::from_utf8(signature).unwrap());
        format!(
            "From: Anna <anna@example.com>\r\nTo: bob@example.test\r\nSubject: signed\r\n\
             Date: Sun, 22 Nov 2026 09:00:00 +0000\r\nMessage-ID: <pgp@example.com>\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/signed; boundary=limit; micalg=pgp-sha512;\r\n \
             protocol=\"application/pgp-signature\"\r\n\r\n--limit\r\n{part}\r\n--limit\r\n\
             Content-Type: application/pgp-signature; name=signature.asc\r\n\r\n{signature}\r\n--limit--\r\n"
        )
    }

    fn verifies(&self, message: &[u8]) -> bool {
        let message = std::str::from_utf8(message).unwrap();
        let parts: Vec<&str> = message.split("\r\n--limit").collect();
        let [_, signed, signature, _] = parts.as_slice() else {
            panic!("{message}")
        };
        let write = |name: &str, text: &str| std::fs::write(self.0.path().join(name), text).unwrap();
        write("content", signed.strip_prefix("\r\n").unwrap());
        write("signature.asc", signature.split_once("\r\n\r\n").unwrap().1);
        let verify = Self::gpg(&["--verify", "signature.asc", "content"]);
        output(self.0.path(), "gpg", &verify).status.success()
    }
}

fn with_mail_line_ends(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

fn sent(message: &Message) -> Vec<u8> {
    let mut octets = Vec::new();
    message.open().unwrap().read_to_end(&mut octets).unwrap();
    assert_eq!(message.size(), Some(octets.len() as u64));
    octets
}

/// What the message composes is what was signed, and it says what that needs.
fn stays_good<S: Signer>() {
    let key = S::new();
    for (part, body_type) in [(ENCODED, BodyType::SevenBit), (AS_IT_STANDS, BodyType::EightBit)] {
        let signed = with_mail_line_ends(&key.signed(part));
        let message = Raw::octets(signed.clone()).build().unwrap();
        let smtputf8 = false;
        assert_eq!(message.needs(), Needs { body_type, smtputf8 });
        assert_eq!(message.from().to_string(), "anna@example.com");
        assert_eq!(message.recipients()[0].to_string(), "bob@example.test");
        assert_eq!(sent(&message), signed.as_bytes());
        assert!(key.verifies(&sent(&message)));
        // It would not be so if one octet had changed.
        for (given, changed) in [("From here", "from here"), ("e,", "e, "), ("\r\n.\r\n", "\r\n")] {
            let changed = signed.replacen(given, changed, 1);
            assert!(
                changed != signed && !key.verifies(changed.as_bytes()),
                "{changed}"
            );
        }
    }
}

#[test]
fn an_smime_signature_stays_good() {
    stays_good::<Smime>();
}

#[test]
fn a_pgp_signature_stays_good() {
    stays_good::<Pgp>();
}

#[test]
fn line_ends_of_unix_are_refused_or_made_those_of_mail() {
    let of_unix = Smime::new().signed(ENCODED);
    let error = Raw::octets(of_unix.clone()).build().unwrap_err();
    assert!(
        error.to_string().starts_with("an LF without a CR in line 1,"),
        "{error}"
    );
    let signed = with_mail_line_ends(&of_unix);
    let message = Raw::octets(of_unix).unix_line_ends().build().unwrap();
    assert_eq!(message.needs(), Needs::default());
    assert_eq!(sent(&message), signed.as_bytes());
}

#[test]
fn signatures_are_good_when_they_have_arrived() {
    let authority = Authority::new();
    let Some((server, access)) = MailServer::start_with_access(&authority) else {
        return;
    };
    let world = format!(
        "domain example.test\n mx 10 mx.example.test\ndomain mx.example.test\n a {}\n",
        server.address().ip()
    );
    let zone = Sandbox::start(&world.parse::<World>().unwrap()).unwrap();
    let mut config = Config::new();
    config.set_dns_servers(vec![zone.dns_server()]);
    config.set_smtp_port(server.address().port()).unwrap();
    config.set_hello_name(Some("client.test")).unwrap();
    config.set_deadline(Some(Duration::from_secs(120))).unwrap();
    config.set_allow_loopback(true);
    let agent = Agent::new(config);

    let (smime, pgp) = (Smime::new(), Pgp::new());
    for part in [ENCODED, AS_IT_STANDS] {
        for signed in [smime.signed(part), pgp.signed(part)] {
            let message = Raw::octets(with_mail_line_ends(&signed)).build().unwrap();
            let report = agent.send_message(message);
            let transcript = report.transcript();
            assert_eq!(report.reply().code(), MapReplyCode::Success, "{transcript}");
        }
    }
    server.wait_for_mails("bob", 4);
    let fetched = fetch(access, &authority, "bob");
    assert_eq!(fetched.by_imap, fetched.by_pop3);
    let is_pgp = |mail: &[u8]| String::from_utf8_lossy(mail).contains("application/pgp-signature");
    for mail in &fetched.by_imap {
        let good = if is_pgp(mail) {
            pgp.verifies(mail)
        } else {
            smime.verifies(mail)
        };
        assert!(good, "{}", String::from_utf8_lossy(mail));
    }
    assert_eq!(fetched.by_imap.len(), 4);
    assert_eq!(fetched.by_imap.iter().filter(|mail| is_pgp(mail)).count(), 2);
}
