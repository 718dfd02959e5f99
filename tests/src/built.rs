//! Messages that the builder makes, of every kind, and what readers that are not ours see in them.

mod by_mail_parser;
mod generate;

pub use by_mail_parser::read_by_mail_parser;
pub use generate::{Given, generate};

use crate::python::{framed, python, run};
use serde_json::Value;

/// What Python's `email` package sees in each, told as in `python/read_built.py`.
///
/// # Panics
/// When it fails.
pub fn read_by_python(messages: &[&[u8]]) -> Vec<Value> {
    let output = run::<&str>(&python(), "read_built.py", [], framed(messages.iter().copied()));
    let output = String::from_utf8(output).expect("JSON");
    let seen: Vec<Value> = output
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(seen.len(), messages.len());
    seen
}

/// In these octets, each after the number of what was given, Python's `email` package sees what was put in, and
/// nothing to complain about.
///
/// # Panics
/// When it sees anything else.
pub fn assert_python_sees(given: &[Given], messages: &[(usize, Vec<u8>)]) {
    let octets: Vec<&[u8]> = messages.iter().map(|(_, octets)| octets.as_slice()).collect();
    let mut differences = Vec::new();
    for ((number, _), seen) in messages.iter().zip(read_by_python(&octets)) {
        for found in seen["found"].as_array().expect("a list") {
            differences.push(format!("message {number}: {found}"));
        }
        let place = format!("message {number}");
        compare(&given[*number].seen, &seen["seen"], &place, &mut differences);
    }
    assert_none(&differences);
}

/// The same for mail-parser.
///
/// # Panics
/// When it sees anything else.
pub fn assert_mail_parser_sees(given: &[Given], messages: &[(usize, Vec<u8>)]) {
    let mut differences = Vec::new();
    for (number, octets) in messages {
        let seen = read_by_mail_parser(octets);
        let place = format!("message {number}");
        compare(&given[*number].seen, &seen, &place, &mut differences);
    }
    assert_none(&differences);
}

/// Notes where two trees differ.
pub fn compare(expected: &Value, seen: &Value, place: &str, differences: &mut Vec<String>) {
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

/// There is nothing among these.
///
/// # Panics
/// When there is.
pub fn assert_none(differences: &[String]) {
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
