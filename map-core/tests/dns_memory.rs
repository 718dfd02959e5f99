//! What the DNS of strangers says is not held for long, however much it is: counted by the octet.

#![expect(unsafe_code, reason = "an allocator that counts, for this test alone")]

use map_core::route::{HickoryResolver, Record, RecordType, Resolver};
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The system's allocator, and how much is held at a time.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of the method of the same name.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of the method of the same name.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What an agent may hold of the DNS: its answers, its verdicts on signatures, and connections to the servers.
const MOST: usize = 4 * 1024 * 1024;
/// Mail hosts of each domain.
const HOSTS: usize = 64;
/// What a message over TCP may have, less the header and the question.
const ROOM: usize = 65_000;

/// A server that answers every question with as much as a message holds. Its threads end with the process.
fn serve() -> SocketAddr {
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().expect("its number")) {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().expect("its number");
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, peer)) = udp.recv_from(&mut buffer) {
            // Too long for a datagram.
            let (header, question) = head(&buffer[..length], 0x83, 0);
            let _ = udp.send_to(&[header, question].concat(), peer);
        }
    });
    thread::spawn(move || {
        for stream in tcp.incoming().flatten() {
            thread::spawn(move || answer_all(stream));
        }
    });
    address
}

fn answer_all(mut stream: TcpStream) {
    let mut length = [0; 2];
    while stream.read_exact(&mut length).is_ok() {
        let mut query = vec![0; u16::from_be_bytes(length).into()];
        if stream.read_exact(&mut query).is_err() {
            return;
        }
        let message = answer(&query);
        let length = u16::try_from(message.len()).expect("a message");
        if stream
            .write_all(&[&length.to_be_bytes()[..], &message].concat())
            .is_err()
        {
            return;
        }
    }
}

/// The header, and the question as it was asked.
fn head(query: &[u8], flags: u8, answers: u16) -> (Vec<u8>, Vec<u8>) {
    let mut end = 12;
    while query[end] != 0 {
        end += usize::from(query[end]) + 1;
    }
    let mut header = vec![query[0], query[1], flags, 0x80, 0, 1];
    header.extend(answers.to_be_bytes());
    header.extend([0; 4]);
    (header, query[12..end + 5].to_vec())
}

fn answer(query: &[u8]) -> Vec<u8> {
    let (_, question) = head(query, 0x81, 0);
    let record_type = question[question.len() - 3];
    let data = |number: u16| -> Vec<u8> {
        let [high, low] = number.to_be_bytes();
        match record_type {
            1 => vec![9, 9, high, low],
            28 => [&[0x26, 0x20][..], &[0; 12], &[high, low]].concat(),
            // A label, and the name that was asked for.
            _ => [&[0, 5, 3][..], format!("m{number:02}").as_bytes(), &[0xc0, 12]].concat(),
        }
    };
    let record = |number: u16| {
        let data = data(number);
        let length = u16::try_from(data.len()).expect("short").to_be_bytes();
        [
            &[0xc0, 12, 0, record_type, 0, 1, 0, 0, 14, 16][..],
            &length,
            &data,
        ]
        .concat()
    };
    let count = if record_type == 15 {
        HOSTS
    } else {
        ROOM / record(0).len()
    };
    let count = u16::try_from(count).expect("few");
    let (header, question) = head(query, 0x81, count);
    let mut message = [header, question].concat();
    message.extend((0..count).flat_map(record));
    message
}

#[test]
fn the_answers_about_many_domains_are_let_go() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let resolver = HickoryResolver::with_servers(&[serve()]);
    // Connections and tables are there after the first answer.
    runtime
        .block_on(resolver.query("first.example", RecordType::Mx))
        .expect("an answer");
    let before = HELD.load(Ordering::Relaxed);
    let mut answered = 0;
    for domain in 0..12 {
        let domain = format!("d{domain}.example");
        let hosts = runtime
            .block_on(resolver.query(&domain, RecordType::Mx))
            .expect("an answer");
        assert_eq!(hosts.records.len(), HOSTS);
        for host in hosts.records {
            let Record::Mx { exchange, .. } = host else {
                panic!("{host:?}");
            };
            for family in [RecordType::A, RecordType::Aaaa] {
                let found = runtime
                    .block_on(resolver.query(&exchange, family))
                    .expect("an answer");
                assert!(found.records.len() > 2000, "{}", found.records.len());
                answered += ROOM;
            }
        }
        let held = HELD.load(Ordering::Relaxed).saturating_sub(before);
        assert!(held < MOST, "{held} octets are held of {answered}");
    }
    assert!(answered > 20 * MOST);
}
