//! A message of any size takes the memory of a few blocks.

use map_core::message::{AddressList, BodyType, Builder, Part};
use map_core::protocol::MapReplyCode;
use map_core::{Agent, Config};
use map_tests::memory::peak;
use map_tests::sink::{Sink, Takes};
use std::path::Path;
use std::process;
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// An agent that sends to whoever listens on loopback.
fn agent(sink: &Sink) -> Agent {
    let mut config = Config::new();
    config.set_smtp_port(sink.address().port()).unwrap();
    config.set_hello_name(Some("client.test")).unwrap();
    config.set_deadline(Some(Duration::from_secs(300))).unwrap();
    config.set_allow_loopback(true);
    Agent::new(config)
}

/// Sends a file: how much it was on the wire, whether in chunks, and the peak of the memory of this process.
fn send(agent: &Agent, sink: &Sink, file: &Path, body_type: BodyType) -> (u64, bool, u64) {
    let message = Builder::new()
        .from("a@sender.test".parse::<AddressList>().unwrap())
        .to("bob@[127.0.0.1]".parse::<AddressList>().unwrap())
        .subject("a file".parse().unwrap())
        .text("attached".parse().unwrap())
        .attach(Part::file(file).unwrap())
        .body_type(body_type)
        .build()
        .unwrap();
    let size = message.size().unwrap();
    let job = agent.submit_message(message);
    let taken = sink.taken();
    let (octets, in_chunks, peak) = (taken.octets, taken.in_chunks, peak(process::id()));
    taken.answer();
    let report = job.wait();
    assert_eq!(
        report.reply().code(),
        MapReplyCode::Success,
        "{}",
        report.transcript()
    );
    assert_eq!(octets, size, "{in_chunks} {}", report.transcript());
    (octets, in_chunks, peak)
}

/// Both a small file, to know what the idle library takes, and a large one.
#[test]
fn a_large_file_takes_no_more_memory_than_a_small_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, size: u64| {
        let path = directory.path().join(name);
        std::fs::File::create(&path).unwrap().set_len(size).unwrap();
        path
    };
    // Before anything large was sent, and so the same for all: a peak never gets lower again.
    let mut idle = None;
    let (small, large) = (file("small.bin", 1000), file("large.bin", 128 * MIB));
    for (takes, body_type) in [
        (Takes::Data, BodyType::SevenBit),
        (Takes::Chunks, BodyType::SevenBit),
        (Takes::Chunks, BodyType::Binary),
    ] {
        let sink = Sink::start(takes);
        let agent = agent(&sink);
        let (_, _, with_small) = send(&agent, &sink, &small, body_type);
        let idle = *idle.get_or_insert(with_small);
        let (octets, in_chunks, peak) = send(&agent, &sink, &large, body_type);
        let shown = format!(
            "{takes:?}, {body_type:?}: idle {} MiB, peak {} MiB",
            idle / MIB,
            peak / MIB
        );
        println!("{shown}");
        assert!(octets >= 128 * MIB, "{shown}");
        assert_eq!(in_chunks, takes == Takes::Chunks, "{shown}");
        assert!(peak - idle < 32 * MIB, "{shown}");
    }
}
