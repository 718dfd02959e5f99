//! Built messages as two parsers that are not ours see them: Python's `email` package, and mail-parser.

mod by_mail_parser;
mod generate;

use generate::{Given, generate};
use map_core::message::{BodyType, Message, Needs};
use serde_json::Value;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;

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

/// Every message as it is, and those that need something as they are for a host that offers nothing.
fn all_forms(given: &[Given]) -> Vec<(usize, Vec<u8>)> {
    let mut forms = Vec::new();
    for (number, given) in given.iter().enumerate() {
        let plain = given.message.for_host(Needs::default()).unwrap();
        let seven_bit = octets(&plain);
        check_seven_bit(&seven_bit);
        forms.push((number, seven_bit));
        if given.message.needs() != Needs::default() {
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

/// Has all messages read by one interpreter: `MAPAGENT_TEST_PYTHON`, or `python3`.
fn read_by_python(messages: &[(usize, Vec<u8>)]) -> Vec<Value> {
    let python = std::env::var_os("MAPAGENT_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let mut child = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/read_built.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python is needed for this test");
    let mut stdin = child.stdin.take().unwrap();
    let framed = |octets: &Vec<u8>| {
        [
            &u32::try_from(octets.len()).unwrap().to_be_bytes(),
            octets.as_slice(),
        ]
        .concat()
    };
    let input: Vec<u8> = messages.iter().flat_map(|(_, octets)| framed(octets)).collect();
    let writer = thread::spawn(move || stdin.write_all(&input));
    let mut output = String::new();
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    assert!(child.wait().unwrap().success());
    writer.join().unwrap().unwrap();
    output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn python_sees_what_was_put_in() {
    let directory = tempfile::tempdir().unwrap();
    let given = generate(COUNT, SEED, directory.path());
    let forms = all_forms(&given);
    let seen = read_by_python(&forms);
    assert_eq!(seen.len(), forms.len());
    let mut differences = Vec::new();
    for ((number, _), seen) in forms.iter().zip(seen) {
        for found in seen["found"].as_array().unwrap() {
            differences.push(format!("message {number}: {found}"));
        }
        compare(
            &given[*number].seen,
            &seen["seen"],
            &format!("message {number}"),
            &mut differences,
        );
    }
    none_of(&differences);
}

#[test]
fn mail_parser_sees_what_was_put_in() {
    let directory = tempfile::tempdir().unwrap();
    let given = generate(COUNT, SEED, directory.path());
    let mut differences = Vec::new();
    for (number, octets) in all_forms(&given) {
        let seen = by_mail_parser::read(&octets);
        compare(
            &given[number].seen,
            &seen,
            &format!("message {number}"),
            &mut differences,
        );
    }
    none_of(&differences);
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
            .all(|given| !String::from_utf8_lossy(&octets(&given.message)).contains("secret.example"))
    );
}

/// Notes where two trees differ.
fn compare(expected: &Value, seen: &Value, place: &str, differences: &mut Vec<String>) {
    match (expected, seen) {
        (Value::Object(one), Value::Object(other)) => {
            for name in one
                .keys()
                .chain(other.keys().filter(|name| !one.contains_key(*name)))
            {
                compare(
                    &expected[name],
                    &seen[name],
                    &format!("{place}.{name}"),
                    differences,
                );
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                compare(one, other, &format!("{place}[{index}]"), differences);
            }
        }
        _ if expected == seen => {}
        _ => differences.push(format!("{place}: {expected} is read as {seen}")),
    }
}

fn none_of(differences: &[String]) {
    let shown: Vec<_> = differences
        .iter()
        .take(20)
        .map(|difference| difference.chars().take(500).collect::<String>())
        .collect();
    assert!(
        differences.is_empty(),
        "{} differences: {shown:#?}",
        differences.len()
    );
}
