//! Built messages as two parsers that are not ours see them: Python's `email` package, and mail-parser.

use map_core::message::{BodyType, Message, Needs};
use map_tests::built::{Given, assert_mail_parser_sees, assert_python_sees, generate};
use std::io::Read;

const COUNT: usize = 300;
const SEED: u64 = 5322;

fn octets(message: &Message) -> Vec<u8> {
    let mut octets = Vec::new();
    message.open().unwrap().read_to_end(&mut octets).unwrap();
    if let Some(size) = message.size() {
        assert_eq!(size, octets.len() as u64);
    }
    octets
}

/// Every message as it is, and those that need something as they are for a host that offers as little as will do.
fn all_forms(given: &[Given]) -> Vec<(usize, Vec<u8>)> {
    let mut forms = Vec::new();
    for (number, given) in given.iter().enumerate() {
        let least = Needs {
            body_type: BodyType::SevenBit,
            ..given.message.needs()
        };
        let seven_bit = octets(&given.message.for_host(least).unwrap());
        if !least.smtputf8 {
            check_seven_bit(&seven_bit);
        }
        forms.push((number, seven_bit));
        if given.message.needs() != least {
            forms.push((number, octets(&given.message)));
        }
    }
    forms
}

fn check_seven_bit(octets: &[u8]) {
    for line in octets.split_inclusive(|&octet| octet == b'\n') {
        let line = line
            .strip_suffix(b"\r\n")
            .expect("a line that does not end in CRLF");
        assert!(line.len() <= 998, "a line of {}", line.len());
        assert!(
            line.is_ascii() && !line.iter().any(|octet| b"\r\n\0".contains(octet)),
            "{:?}",
            String::from_utf8_lossy(line)
        );
    }
}

#[test]
fn python_sees_what_was_put_in() {
    let directory = tempfile::tempdir().unwrap();
    let given = generate(COUNT, SEED, directory.path());
    assert_python_sees(&given, &all_forms(&given));
}

#[test]
fn mail_parser_sees_what_was_put_in() {
    let directory = tempfile::tempdir().unwrap();
    let given = generate(COUNT, SEED, directory.path());
    assert_mail_parser_sees(&given, &all_forms(&given));
}

/// What is generated is worth reading.
#[test]
fn the_messages_are_of_all_kinds() {
    let directory = tempfile::tempdir().unwrap();
    let given = generate(COUNT, SEED, directory.path());
    let all: String = given.iter().map(|given| given.seen.to_string()).collect();
    for kind in [
        "text/plain",
        "text/html",
        "multipart/mixed",
        "multipart/alternative",
        "multipart/related",
        "multipart/parallel",
        "multipart/digest",
        "message/rfc822",
        "application/x-own",
    ] {
        assert!(all.matches(kind).count() >= 10, "{kind}");
    }
    for body_type in [BodyType::SevenBit, BodyType::EightBit, BodyType::Binary] {
        let of_it = given
            .iter()
            .filter(|given| given.message.needs().body_type == body_type);
        assert!(of_it.count() >= 10, "{body_type:?}");
    }
    assert!(
        given
            .iter()
            .filter(|given| given.message.needs().smtputf8)
            .count()
            >= 10
    );
    assert!(
        given
            .iter()
            .all(|given| !String::from_utf8_lossy(&octets(&given.message)).contains("secret.example"))
    );
}
