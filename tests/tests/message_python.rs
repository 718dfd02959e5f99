//! Messages as a parser that is not ours sees them: Python's `email` package.

use map_core::Mailbox;
use map_core::message::{Content, Message, Options, Subject};
use map_tests::python::{framed, frames, python, run};
use map_tests::samples::{Sample, normalised, samples};
use std::io::Read;

/// What Python says of one message.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    from: String,
    to: String,
    subject: String,
    text: String,
    defects: String,
}

/// Has all messages parsed by one interpreter.
fn parse_by_python(messages: &[Vec<u8>]) -> Vec<Seen> {
    let input = framed(messages.iter().map(Vec::as_slice));
    let output = frames(&run::<&str>(&python(), "parse_messages.py", [], input));
    assert_eq!(output.len(), messages.len() * 5);
    let mut texts = output.into_iter().map(|text| String::from_utf8(text).unwrap());
    let mut next = || texts.next().unwrap();
    messages
        .iter()
        .map(|_| Seen {
            from: next(),
            to: next(),
            subject: next(),
            text: next(),
            defects: next(),
        })
        .collect()
}

fn composed(from: &Mailbox, to: &Mailbox, sample: &Sample) -> Vec<u8> {
    let message = Message::text(
        from.clone(),
        to.clone(),
        &Subject::parse(sample.subject.as_bytes()).unwrap(),
        Content::parse(sample.content.as_bytes()).unwrap(),
        Options::default(),
    );
    let mut octets = Vec::new();
    message.open().unwrap().read_to_end(&mut octets).unwrap();
    octets
}

#[test]
fn python_reads_what_was_given() {
    let senders = [
        "a@b.example",
        "first.last+tag@Bücher.example",
        "\"a b\\\"c, <d>\"@[192.0.2.1]",
    ];
    let senders = senders.map(|text| text.parse::<Mailbox>().unwrap());
    let recipient: Mailbox = "postmaster@[IPv6:2001:db8::25]".parse().unwrap();
    let samples = samples(600, 5322);
    let from = |number: usize| &senders[number % senders.len()];

    let messages: Vec<_> = samples
        .iter()
        .enumerate()
        .map(|(number, sample)| composed(from(number), &recipient, sample))
        .collect();
    let seen = parse_by_python(&messages);

    for (number, (sample, seen)) in samples.iter().zip(seen).enumerate() {
        let expected = Seen {
            from: from(number).to_smtp(),
            to: recipient.to_smtp(),
            subject: sample.subject.clone(),
            text: normalised(&sample.content),
            defects: String::new(),
        };
        let seen = Seen {
            text: seen.text.replace("\r\n", "\n"),
            ..seen
        };
        assert_eq!(seen, expected, "{}", String::from_utf8_lossy(&messages[number]));
    }
}
