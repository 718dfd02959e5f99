//! Messages as a parser that is not ours sees them: Python's `email` package.

use map_core::Mailbox;
use map_core::message::{Content, Message, Options, Subject};
use map_tests::samples::{Sample, normalised, samples};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;

/// What Python says of one message.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    from: String,
    to: String,
    subject: String,
    text: String,
    defects: String,
}

fn framed(octets: &[u8]) -> Vec<u8> {
    let length = u32::try_from(octets.len()).unwrap();
    [&length.to_be_bytes(), octets].concat()
}

fn next_frame(rest: &mut &[u8]) -> String {
    let (length, behind) = rest.split_first_chunk::<4>().expect("Python stopped early");
    let (frame, behind) = behind.split_at(u32::from_be_bytes(*length) as usize);
    *rest = behind;
    String::from_utf8(frame.to_vec()).unwrap()
}

/// Has all messages parsed by one interpreter: `MAPAGENT_TEST_PYTHON`, or `python3`.
fn parse_by_python(messages: &[Vec<u8>]) -> Vec<Seen> {
    let python = std::env::var_os("MAPAGENT_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let mut child = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/parse_messages.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python is needed for this test");
    let mut stdin = child.stdin.take().unwrap();
    let input: Vec<u8> = messages.iter().flat_map(|message| framed(message)).collect();
    let writer = thread::spawn(move || stdin.write_all(&input));
    let mut output = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
    assert!(child.wait().unwrap().success());
    writer.join().unwrap().unwrap();

    let mut rest = output.as_slice();
    let seen = messages
        .iter()
        .map(|_| Seen {
            from: next_frame(&mut rest),
            to: next_frame(&mut rest),
            subject: next_frame(&mut rest),
            text: next_frame(&mut rest),
            defects: next_frame(&mut rest),
        })
        .collect();
    assert!(rest.is_empty());
    seen
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
