//! Messages that somebody else has signed: they travel unchanged, and the signature stays good.

use map_core::message::{Message, Needs, Raw};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output};

fn openssl(directory: &Path, arguments: &[&str]) -> Output {
    Command::new("openssl")
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("the program openssl is needed for this test")
}

fn succeed(directory: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = openssl(directory, arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn verifies(directory: &Path, message: &[u8]) -> bool {
    std::fs::write(directory.join("received.eml"), message).unwrap();
    let arguments = [
        "smime",
        "-verify",
        "-in",
        "received.eml",
        "-CAfile",
        "certificate.pem",
        "-purpose",
        "any",
    ];
    openssl(directory, &arguments).status.success()
}

fn sent(message: &Message) -> Vec<u8> {
    let mut octets = Vec::new();
    message.open().unwrap().read_to_end(&mut octets).unwrap();
    assert_eq!(message.size(), Some(octets.len() as u64));
    octets
}

#[test]
fn an_smime_signature_stays_good() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let make = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "certificate.pem",
        "-subj",
        "/CN=Anna",
        "-addext",
        "subjectAltName=email:anna@example.com",
    ];
    succeed(directory, &make);
    let content = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
                   Gr=C3=BC=C3=9Fe,=20\r\n.\r\n..\r\nFrom here on\r\n\ttab and blank at the end \r\n\r\n\r\n";
    std::fs::write(directory.join("content"), content).unwrap();
    let sign = [
        "smime",
        "-sign",
        "-in",
        "content",
        "-signer",
        "certificate.pem",
        "-inkey",
        "key.pem",
        "-from",
        "Anna <anna@example.com>",
        "-to",
        "bob@example.net",
        "-subject",
        "signed",
    ];
    // The signed part has the line ends of mail, all around it has those of a file of Unix.
    let of_unix = String::from_utf8(succeed(directory, &sign)).unwrap();
    let signed = of_unix.replace("\r\n", "\n").replace('\n', "\r\n");

    let message = Raw::octets(signed.clone()).build().unwrap();
    assert_eq!(message.needs(), Needs::default());
    assert_eq!(message.from().to_string(), "anna@example.com");
    assert_eq!(message.recipients()[0].to_string(), "bob@example.net");
    assert_eq!(sent(&message), signed.as_bytes());
    assert!(verifies(directory, &sent(&message)));
    // It would not be so if one octet had changed.
    let changed = signed.replace("From here", "from here");
    assert!(!verifies(directory, changed.as_bytes()));

    let error = Raw::octets(of_unix.clone()).build().unwrap_err();
    assert!(
        error.to_string().starts_with("an LF without a CR in line 1,"),
        "{error}"
    );
    let message = Raw::octets(of_unix).unix_line_ends().build().unwrap();
    assert_eq!(message.needs(), Needs::default());
    assert_eq!(sent(&message), signed.as_bytes());
}
