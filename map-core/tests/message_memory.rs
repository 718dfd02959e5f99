//! A message of any size takes the memory of a few blocks: counted, not timed.

#![expect(unsafe_code, reason = "an allocator that counts, for this test alone")]

use map_core::Mailbox;
use map_core::dkim::DkimSigner;
use map_core::message::{BodyType, Builder, Message, Part, Raw, TransferEncoding};
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The system's allocator, and how much is held at a time.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
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

/// How many octets more than before were held at a time while `work` was done.
fn most_held<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let result = work();
    (result, MOST.load(Ordering::Relaxed) - before)
}

/// Reads it all, by blocks as the driver of a connection does.
fn read_through(message: &Message) -> u64 {
    let mut reader = message.open().unwrap();
    let mut block = vec![0; 64 * 1024];
    let mut octets = 0;
    loop {
        match reader.read(&mut block).unwrap() {
            0 => return octets,
            read => octets += read as u64,
        }
    }
}

const SIZE: u64 = 256 * 1024 * 1024;
/// The block it is read by, what an encoder holds, and the header.
const FEW_BLOCKS: usize = 256 * 1024;

/// That of RFC 8463 appendix A.2.
const SIGNING_KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----";

fn builder() -> Builder {
    Builder::new()
        .from("a@x.example".parse::<Mailbox>().unwrap())
        .to("b@y.example".parse::<Mailbox>().unwrap())
        .text("The text before.".parse().unwrap())
}

// One test, since what is counted is that of the whole process.
#[test]
fn a_large_message_takes_the_memory_of_a_few_blocks() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(SIZE).unwrap();

    let part = || Part::file(file.path()).unwrap();
    for (part, expected) in [
        (part(), SIZE.div_ceil(3) * 4 + SIZE.div_ceil(57) * 2),
        (part().transfer_encoding(TransferEncoding::Binary), SIZE),
    ] {
        let (octets, held) = most_held(|| {
            let message = builder().attach(part).build().unwrap();
            let octets = read_through(&message);
            assert_eq!(message.size(), Some(octets));
            octets
        });
        assert!(
            (expected..expected + 2000).contains(&octets),
            "{octets} are not {expected}"
        );
        assert!(held < FEW_BLOCKS, "{held} octets were held");
    }

    // Of a reader nobody knows the length; it is read once for each host, and not one octet further than it must.
    let given = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&given);
    let (octets, held) = most_held(|| {
        let counted = Arc::clone(&counted);
        let reader = Part::reader(None, move || {
            let inner = io::repeat(b'x').take(SIZE / 8);
            Ok(Box::new(Counted {
                inner,
                given: Arc::clone(&counted),
            }))
        });
        let message = builder()
            .attach(reader.transfer_encoding(TransferEncoding::QuotedPrintable))
            .build()
            .unwrap();
        assert_eq!(message.size(), None);
        read_through(&message)
    });
    assert!(
        octets > SIZE / 8 && held < FEW_BLOCKS,
        "{octets} octets, {held} held"
    );
    assert_eq!(given.load(Ordering::Relaxed), SIZE / 8);

    // What is signed is read through for it.
    let signer = DkimSigner::from_pem("x.example".parse().unwrap(), "s", SIGNING_KEY).unwrap();
    let (octets, held) = most_held(|| {
        let message = builder().attach(part()).build().unwrap().sign(&signer).unwrap();
        let octets = read_through(&message);
        assert_eq!(message.size(), Some(octets));
        octets
    });
    assert!(octets > SIZE && held < FEW_BLOCKS, "{octets} octets, {held} held");

    // A message that is ready, of one line and no end.
    file.write_all(b"From: a@x.example\r\nTo: b@y.example\r\n\r\n")
        .unwrap();
    let (octets, held) = most_held(|| {
        let message = Raw::file(file.path()).unwrap().build().unwrap();
        assert_eq!(message.needs().body_type, BodyType::Binary);
        read_through(&message)
    });
    assert_eq!(octets, SIZE);
    assert!(held < FEW_BLOCKS, "{held} octets were held");
}

/// Counts what it gives.
struct Counted<R> {
    inner: R,
    given: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        self.given.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
