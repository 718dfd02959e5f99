//! What is about amounts and time in an exchange, and would not read well as a transcript.

use bytes::Bytes;
use map_core::Mailbox;
use map_core::envelope::{Envelope, EnvelopeParameters};
use map_core::smtp::{
    Abort, Authentication, BodyInfo, CHUNK_OCTETS, Chunking, Connection, ConnectionFailure, Deadlines, Event,
    ExchangeStage, Hello, Outcome, SecretKind, SessionConfig, SubmissionId, TlsSession, TlsUse,
};
use std::io::IoSlice;
use std::time::{Duration, Instant};

const TX: SubmissionId = SubmissionId(1);

fn envelope(recipients: usize) -> Envelope {
    let mailbox = |name: String| Mailbox::try_from(name.as_str()).unwrap();
    Envelope {
        reverse_path: mailbox("a@client.example".to_owned()).into(),
        recipients: (0..recipients)
            .map(|index| mailbox(format!("r{index}@mx.example")).into())
            .collect(),
        parameters: EnvelopeParameters::default(),
    }
}

fn config() -> SessionConfig {
    SessionConfig {
        hello_name: "[192.0.2.1]".parse().unwrap(),
        hello: Hello::Ehlo,
        deadlines: Deadlines::default(),
        tls: TlsUse::Clear,
        auth: None,
        chunk_octets: CHUNK_OCTETS,
    }
}

fn connect(now: Instant) -> Connection {
    Connection::new(config(), now)
}

/// 220 to STARTTLS, and what is handed over with it.
fn go_ahead(with: &[u8], now: Instant) -> Connection {
    let tls = TlsUse::Opportunistic;
    let mut connection = Connection::new(SessionConfig { tls, ..config() }, now);
    connection.submit(TX, envelope(1), BodyInfo::default(), now);
    connection.handle_bytes(b"220 mx\r\n", now);
    write_all(&mut connection, now);
    connection.handle_bytes(b"250-mx\r\n250 STARTTLS\r\n", now);
    assert_eq!(write_all(&mut connection, now), b"STARTTLS\r\n");
    events(&mut connection);
    connection.handle_bytes(&[b"220 go ahead\r\n", with].concat(), now);
    connection
}

fn write_all(connection: &mut Connection, now: Instant) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let mut slices: Vec<IoSlice<'_>> = Vec::new();
        connection.poll_transmit(&mut slices);
        let octets: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        if octets.is_empty() {
            return all;
        }
        connection.transmitted(octets.len(), now);
        all.extend(octets);
    }
}

fn events(connection: &mut Connection) -> Vec<Event> {
    std::iter::from_fn(|| connection.poll_event()).collect()
}

fn wants_content(connection: &mut Connection) -> bool {
    events(connection).contains(&Event::NeedContent(TX))
}

/// A connection whose content has the word.
fn taking_content(now: Instant) -> Connection {
    let mut connection = connect(now);
    connection.submit(TX, envelope(1), BodyInfo::default(), now);
    connection.handle_bytes(b"220 mx\r\n", now);
    assert_eq!(write_all(&mut connection, now), b"EHLO [192.0.2.1]\r\n");
    connection.handle_bytes(b"250-mx\r\n250 PIPELINING\r\n", now);
    write_all(&mut connection, now);
    connection.handle_bytes(b"250 ok\r\n250 ok\r\n354 go on\r\n", now);
    connection
}

#[test]
fn content_is_asked_for_while_less_than_a_quarter_of_a_mebibyte_waits() {
    let now = Instant::now();
    let mut connection = taking_content(now);
    let block = Bytes::from(vec![b'x'; 64 * 1024]);
    for _ in 0..4 {
        assert!(wants_content(&mut connection));
        connection.handle_content(TX, block.clone(), false, now);
    }
    assert!(!wants_content(&mut connection), "256 KiB wait");
    connection.transmitted(1, now);
    assert!(wants_content(&mut connection));
    connection.transmitted(1, now);
    assert!(
        !wants_content(&mut connection),
        "one block is asked for, and not given yet"
    );
}

/// A connection that has been told to send its content by BDAT.
fn taking_chunks(now: Instant) -> Connection {
    let mut connection = connect(now);
    let body = BodyInfo {
        chunking: Chunking::Prefer,
        ..BodyInfo::default()
    };
    connection.submit(TX, envelope(1), body, now);
    connection.handle_bytes(b"220 mx\r\n", now);
    write_all(&mut connection, now);
    connection.handle_bytes(b"250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n", now);
    write_all(&mut connection, now);
    connection.handle_bytes(b"250 ok\r\n250 ok\r\n", now);
    connection
}

#[test]
fn less_than_four_chunks_are_held() {
    let now = Instant::now();
    let mut connection = taking_chunks(now);
    let block = Bytes::from(vec![b'x'; 64 * 1024]);
    let mut held = 0;
    while wants_content(&mut connection) {
        connection.handle_content(TX, block.clone(), false, now);
        held += block.len();
        assert!(held < 4 * CHUNK_OCTETS, "{held} octets");
    }
    assert!(
        held >= 2 * CHUNK_OCTETS,
        "one is gathered while another is written: {held}"
    );
    connection.transmitted(CHUNK_OCTETS, now);
    assert!(wants_content(&mut connection), "there is room again");
}

#[test]
fn a_chunk_that_moves_gives_the_server_time_for_the_one_before() {
    let start = Instant::now();
    let after = |seconds: u64| start + Duration::from_secs(seconds);
    let mut connection = taking_chunks(start);
    let chunk = Bytes::from(vec![b'x'; CHUNK_OCTETS]);
    connection.handle_content(TX, chunk.clone(), false, start);
    connection.handle_content(TX, chunk, true, start);
    let command = "BDAT 1048576\r\n".len();
    connection.transmitted(command + CHUNK_OCTETS, after(10));
    assert_eq!(
        connection.poll_deadline(),
        Some(after(190)),
        "the reply to the first"
    );
    connection.transmitted(100, after(100));
    assert_eq!(connection.poll_deadline(), Some(after(280)), "the second moves");
    write_all(&mut connection, after(200));
    assert_eq!(
        connection.poll_deadline(),
        Some(after(800)),
        "all is sent: ten minutes for what is still to be said"
    );
    connection.handle_bytes(b"250 got it\r\n", after(700));
    assert_eq!(connection.poll_deadline(), Some(after(1300)));
}

#[test]
fn an_empty_block_is_an_answer_too() {
    let now = Instant::now();
    let mut connection = taking_content(now);
    assert!(wants_content(&mut connection));
    connection.handle_content(TX, Bytes::new(), false, now);
    assert!(wants_content(&mut connection));
    connection.handle_content(TX, Bytes::new(), true, now);
    assert!(!wants_content(&mut connection));
    assert_eq!(write_all(&mut connection, now), b".\r\n");
}

#[test]
fn a_large_content_leaves_in_writes_of_many_slices() {
    let now = Instant::now();
    let mut connection = taking_content(now);
    assert!(wants_content(&mut connection));
    let line = b".0123456789\r\n";
    connection.handle_content(TX, Bytes::from(line.repeat(1000)), true, now);
    let mut slices = Vec::new();
    connection.poll_transmit(&mut slices);
    assert_eq!(slices.len(), 256);
    let wire = write_all(&mut connection, now);
    assert_eq!(
        wire,
        [b"..0123456789\r\n".repeat(1000), b".\r\n".to_vec()].concat()
    );
}

#[test]
fn a_hundred_recipients_go_in_one_write() {
    let now = Instant::now();
    let mut connection = connect(now);
    connection.submit(TX, envelope(100), BodyInfo::default(), now);
    connection.handle_bytes(b"220 mx\r\n", now);
    write_all(&mut connection, now);
    connection.handle_bytes(b"250-mx\r\n250 PIPELINING\r\n", now);
    let mut slices = Vec::new();
    connection.poll_transmit(&mut slices);
    assert_eq!(slices.len(), 102);
    assert!(slices.last().is_some_and(|last| **last == *b"DATA\r\n"));
    write_all(&mut connection, now);
    connection.handle_bytes(&b"250 ok\r\n".repeat(51), now);
    connection.handle_bytes(&b"550 no\r\n".repeat(50), now);
    let refused: Vec<usize> = events(&mut connection)
        .iter()
        .filter_map(|event| match event {
            Event::Recipient {
                index,
                outcome:
                    Outcome::Refused {
                        stage: ExchangeStage::Rcpt,
                        ..
                    },
                ..
            } => Some(*index),
            _ => None,
        })
        .collect();
    assert_eq!(refused, (50..100).collect::<Vec<_>>());
}

#[test]
fn a_block_that_was_not_asked_for_ends_the_transaction() {
    let now = Instant::now();
    let mut connection = connect(now);
    connection.submit(TX, envelope(1), BodyInfo::default(), now);
    connection.handle_content(TX, Bytes::from_static(b"too early"), true, now);
    let why = ConnectionFailure::Aborted(Abort::ContentUnreadable);
    let outcome = Outcome::Lost {
        stage: ExchangeStage::Greeting,
        why,
    };
    let expected = [
        Event::Recipient {
            tx: TX,
            index: 0,
            outcome,
        },
        Event::Finished(TX),
        Event::Closed,
    ];
    assert_eq!(events(&mut connection), expected);
}

#[test]
fn a_block_for_a_transaction_that_has_ended_is_dropped() {
    let now = Instant::now();
    let mut connection = taking_content(now);
    assert!(wants_content(&mut connection));
    connection.handle_content(SubmissionId(9), Bytes::from_static(b"whose?"), true, now);
    connection.handle_content(TX, Bytes::from_static(b"mine\r\n"), true, now);
    assert_eq!(write_all(&mut connection, now), b"mine\r\n.\r\n");
    connection.handle_content(TX, Bytes::from_static(b"more"), true, now);
    assert_eq!(write_all(&mut connection, now), b"");
    connection.handle_bytes(b"250 ok\r\n", now);
    assert!(events(&mut connection).contains(&Event::Finished(TX)));
}

#[test]
fn progress_moves_the_deadline_of_the_content_and_not_that_of_a_reply() {
    let start = Instant::now();
    let after = |seconds: u64| start + Duration::from_secs(seconds);
    let mut connection = taking_content(start);
    connection.handle_content(TX, Bytes::from_static(b"0123456789"), true, start);
    assert_eq!(connection.poll_deadline(), Some(after(180)));
    connection.transmitted(3, after(100));
    assert_eq!(connection.poll_deadline(), Some(after(280)));
    connection.transmitted(0, after(150));
    assert_eq!(connection.poll_deadline(), Some(after(280)), "nothing moved");
    write_all(&mut connection, after(200));
    assert_eq!(
        connection.poll_deadline(),
        Some(after(800)),
        "ten minutes from the end mark"
    );
    connection.handle_bytes(b"250-slow\r\n", after(700));
    connection.quit(after(750));
    write_all(&mut connection, after(760));
    assert_eq!(
        connection.poll_deadline(),
        Some(after(800)),
        "one deadline for the whole reply"
    );
    connection.handle_bytes(b"250 reply\r\n", after(790));
    assert_eq!(
        connection.poll_deadline(),
        Some(after(792)),
        "QUIT was sent before, and is waited for from now"
    );
}

#[test]
fn an_idle_connection_has_no_deadline() {
    let now = Instant::now();
    let mut connection = connect(now);
    assert_eq!(connection.poll_deadline(), Some(now + Duration::from_secs(300)));
    connection.handle_bytes(b"220 mx\r\n", now);
    write_all(&mut connection, now);
    connection.handle_bytes(b"250 mx\r\n", now);
    assert_eq!(connection.poll_deadline(), None);
    let later = now + Duration::from_secs(1000);
    connection.submit(TX, envelope(1), BodyInfo::default(), later);
    assert_eq!(connection.poll_deadline(), Some(later + Duration::from_secs(300)));
}

#[test]
fn a_handshake_has_one_deadline_and_nothing_to_write() {
    let start = Instant::now();
    let after = |seconds: u64| start + Duration::from_secs(seconds);
    let mut connection = go_ahead(b"", start);
    assert!(events(&mut connection).contains(&Event::StartTls));
    connection.submit(SubmissionId(2), envelope(1), BodyInfo::default(), after(3));
    connection.quit(after(4));
    connection.handle_bytes(b"", after(5));
    assert_eq!(connection.poll_deadline(), Some(after(15)));
    assert_eq!(write_all(&mut connection, after(6)), b"");
    connection.handle_tls(Ok(TlsSession { verified: false }), after(14));
    assert_eq!(write_all(&mut connection, after(14)), b"EHLO [192.0.2.1]\r\n");
    assert_eq!(connection.poll_deadline(), Some(after(314)));
}

/// What a driver has not begun, it shall not begin.
#[test]
fn no_handshake_is_asked_for_when_something_stood_behind_the_220() {
    let now = Instant::now();
    let mut connection = go_ahead(b"2", now);
    let events = events(&mut connection);
    assert!(!events.contains(&Event::StartTls), "{events:?}");
    assert_eq!(events.last(), Some(&Event::Closed));
}

#[test]
fn a_handshake_that_comes_too_late_changes_nothing() {
    let now = Instant::now();
    let mut connection = go_ahead(b"", now);
    connection.abort(Abort::Cancelled, now);
    events(&mut connection);
    connection.handle_tls(Ok(TlsSession { verified: true }), now);
    assert_eq!(events(&mut connection), []);
    assert_eq!(write_all(&mut connection, now), b"");
}

#[test]
fn no_debug_prints_a_secret_in_the_queue_or_in_the_configuration() {
    let now = Instant::now();
    let auth = Authentication {
        user: "somebody".to_owned(),
        secret: "pencil-case".into(),
        kind: SecretKind::Password,
        nonce: "nonce".to_owned(),
    };
    let config = SessionConfig {
        tls: TlsUse::Implicit,
        auth: Some(auth),
        ..config()
    };
    let hidden = |printed: &str| {
        // In the clear, as octets, and in base64 of PLAIN's message.
        !["pencil-case", "112, 101, 110, 99", "AHNvbWVib2R5AHBlbmNpbC1jYXNl"]
            .iter()
            .any(|secret| printed.contains(secret))
    };
    assert!(hidden(&format!("{config:?}")));
    let mut connection = Connection::new(config, now);
    connection.handle_tls(Ok(TlsSession { verified: true }), now);
    connection.handle_bytes(b"220 mx\r\n", now);
    write_all(&mut connection, now);
    connection.handle_bytes(b"250-mx\r\n250 AUTH PLAIN\r\n", now);
    assert!(hidden(&format!("{connection:?}")), "{connection:?}");
    connection.transmitted(20, now);
    assert!(hidden(&format!("{connection:#?}")), "{connection:?}");
    let written = String::from_utf8(write_all(&mut connection, now)).unwrap();
    assert!(
        written.contains("AHBlbmNpbC1jYXNl"),
        "it was in the queue: {written}"
    );
    assert!(hidden(&format!("{:?}", events(&mut connection))));
}
