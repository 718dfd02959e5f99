//! The time that chunks take counts in what a session is waited for.

use map_core::Mailbox;
use map_core::envelope::{BodyForm, Envelope, EnvelopeParameters};
use map_core::smtp::{
    BodyInfo, CONTENT_RATE, Chunking, Connection, Deadlines, Hello, SessionConfig, SubmissionId, TlsUse,
};
use std::time::{Duration, Instant};

const TX: SubmissionId = SubmissionId(1);

/// All that waits is sent.
fn send(connection: &mut Connection, now: Instant) {
    let mut slices = Vec::new();
    connection.poll_transmit(&mut slices);
    let octets = slices.iter().map(|slice| slice.len()).sum();
    connection.transmitted(octets, now);
}

#[test]
fn the_replies_to_chunks_count_as_far_as_they_are_slow() {
    let chunk = usize::try_from(CONTENT_RATE).unwrap();
    let mut now = Instant::now();
    let config = SessionConfig {
        hello_name: "client.example".parse().unwrap(),
        hello: Hello::Ehlo,
        deadlines: Deadlines::default(),
        tls: TlsUse::Clear,
        auth: None,
        chunk_octets: chunk,
    };
    let envelope = Envelope {
        reverse_path: Mailbox::try_from("a@client.example").unwrap().into(),
        recipients: vec![Mailbox::try_from("b@mx.example").unwrap().into()],
        parameters: EnvelopeParameters::default(),
    };
    let mut connection = Connection::new(config, now);
    let body = BodyInfo {
        chunking: Chunking::Prefer,
        ..BodyForm::default().into()
    };
    connection.submit(TX, envelope, body, now);
    let opening: [&[u8]; 4] = [
        b"220 mx.example\r\n",
        b"250-mx.example\r\n250 CHUNKING\r\n",
        b"250 ok\r\n",
        b"250 ok\r\n",
    ];
    for reply in opening {
        send(&mut connection, now);
        connection.handle_bytes(reply, now);
    }
    let line = "x".repeat(62) + "\r\n";
    let mut counted = Duration::ZERO;
    for number in 1..=10_u32 {
        while connection.poll_event().is_some() {}
        let block = line.repeat(chunk / line.len());
        connection.handle_content(TX, block.into(), false, now);
        send(&mut connection, now);
        let (_, octets) = connection.content_sent().unwrap();
        if octets == 0 {
            // A chunk is kept until it is known whether it is the last.
            continue;
        }
        now += Duration::from_secs(170);
        connection.handle_bytes(b"250 ok\r\n", now);
        counted = connection.waited();
        let sent = Duration::from_secs(octets / CONTENT_RATE);
        assert!(
            counted + sent >= Duration::from_secs(170) * (number - 1),
            "{number}: {counted:?}"
        );
        // The caller has nothing to send yet, which is not the host's time.
        now += Duration::from_secs(1000);
    }
    assert!(counted >= Duration::from_secs(9 * 169), "{counted:?}");
    assert!(counted <= Duration::from_secs(10 * 170), "{counted:?}");
}
