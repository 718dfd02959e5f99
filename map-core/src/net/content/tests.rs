//! Contents that come from elsewhere, through the driver, with a server in memory.

use crate::envelope::{Envelope, EnvelopeParameters};
use crate::net::{CancelSignal, ContentSource, Limits, Observer, converse};
use crate::smtp::{
    Abort, BodyInfo, Connection, ConnectionFailure, Deadlines, Event, ExchangeStage, Hello, Outcome,
    SessionConfig, SubmissionId, TlsUse,
};
use std::io::{self, Read};
use std::sync::{Arc, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::Notify;
use tokio::time::Instant;

type Open = Box<dyn FnOnce() -> io::Result<Box<dyn Read + Send>> + Send>;

struct Listener {
    open: Option<Open>,
    outcomes: Vec<Outcome>,
}

impl Observer for Listener {
    fn event(&mut self, event: Event) {
        if let Event::Recipient { outcome, .. } = event {
            self.outcomes.push(outcome);
        }
    }

    fn open_content(&mut self, _: SubmissionId, _form: usize) -> io::Result<ContentSource> {
        Ok(ContentSource::Elsewhere(
            self.open.take().expect("it is opened once"),
        ))
    }
}

/// Takes a mail, and gives what came of its content.
async fn serve(mut stream: DuplexStream) -> Vec<u8> {
    let replies: &[&[u8]] = &[b"250 mx", b"250 ok", b"250 ok", b"354 go on"];
    let mut replies = replies.iter();
    stream.write_all(b"220 mx\r\n").await.expect("room");
    let mut content = Vec::new();
    loop {
        let mut octets = [0; 4096];
        let read = stream.read(&mut octets).await.unwrap_or(0);
        if read == 0 {
            return content;
        }
        let reply = if let Some(reply) = replies.next() {
            reply
        } else {
            content.extend_from_slice(&octets[..read]);
            match &content[..] {
                [.., b'\r', b'\n', b'.', b'\r', b'\n'] => &b"250 taken"[..],
                [.., b'\r', b'\n', b'Q', b'U', b'I', b'T', b'\r', b'\n'] => b"221 bye",
                _ => continue,
            }
        };
        stream.write_all(&[reply, b"\r\n"].concat()).await.expect("room");
    }
}

/// One mail with this content: what came of it, and what the server had of the content.
async fn send(open: Open, cancel: CancelSignal) -> (Outcome, Vec<u8>) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let server = tokio::spawn(serve(theirs));
    let config = SessionConfig {
        hello_name: "client.example.com".parse().expect("a name"),
        hello: Hello::Ehlo,
        deadlines: Deadlines::default(),
        tls: TlsUse::Clear,
        auth: None,
        chunk_octets: crate::smtp::CHUNK_OCTETS,
    };
    let mailbox = |text: &str| crate::Mailbox::try_from(text).expect("a mailbox");
    let envelope = Envelope {
        reverse_path: mailbox("a@client.example").into(),
        recipients: vec![mailbox("b@mx.example").into()],
        parameters: EnvelopeParameters::default(),
    };
    let now = Instant::now().into_std();
    let mut connection = Connection::new(config, now);
    connection.submit(SubmissionId(0), envelope, BodyInfo::default(), now);
    connection.quit(now);
    let mut listener = Listener {
        open: Some(open),
        outcomes: Vec::new(),
    };
    let limits = Limits {
        cancel,
        total: None,
        content_start: Instant::now() + Duration::from_secs(3600),
    };
    converse(&mut connection, Box::new(ours), None, &mut listener, &limits).await;
    let content = server.await.expect("the server ends");
    (listener.outcomes.pop().expect("an outcome"), content)
}

#[tokio::test]
async fn a_content_from_elsewhere_arrives_whole() {
    let line = b"a line of the content\r\n";
    let content = line.repeat(20_000);
    let open = content.clone();
    let (outcome, seen) = send(
        Box::new(move || Ok(Box::new(io::Cursor::new(open)))),
        CancelSignal::default(),
    )
    .await;
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    assert!(
        seen.starts_with(&[&content[..], b".\r\n"].concat()),
        "{} octets",
        seen.len()
    );
}

/// Whoever lets go of it waits until the other end is dropped, and says where he was.
struct Sticky {
    rest: &'static [u8],
    until: mpsc::Receiver<()>,
    gone: mpsc::Sender<ThreadId>,
}

impl Read for Sticky {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Read::read(&mut self.rest, buffer)
    }
}

impl Drop for Sticky {
    fn drop(&mut self) {
        let _ = self.until.recv();
        let _ = self.gone.send(thread::current().id());
    }
}

#[tokio::test]
async fn nobody_waits_with_a_reader_that_is_let_go_of() {
    let (release, until) = mpsc::channel();
    let (gone, seen) = mpsc::channel();
    let sticky = Sticky {
        rest: b"hello\r\n",
        until,
        gone,
    };
    let (outcome, _) = send(Box::new(move || Ok(Box::new(sticky))), CancelSignal::default()).await;
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    drop(release);
    assert_ne!(seen.recv().expect("it is let go of"), thread::current().id());
}

/// Whoever reads it waits until the other end is dropped.
struct Stuck {
    begun: Arc<Notify>,
    until: mpsc::Receiver<()>,
}

impl Read for Stuck {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.begun.notify_one();
        let _ = self.until.recv();
        Ok(0)
    }
}

#[tokio::test]
async fn nobody_waits_with_a_content_that_does_not_come() {
    let (release, until) = mpsc::channel();
    let begun = Arc::new(Notify::new());
    let stuck = Stuck {
        begun: Arc::clone(&begun),
        until,
    };
    let cancel = CancelSignal::default();
    let giving_up = async {
        begun.notified().await;
        // Another mail goes meanwhile, on the same thread.
        let other = send(
            Box::new(|| Ok(Box::new(&b"hello\r\n"[..]))),
            CancelSignal::default(),
        )
        .await;
        cancel.cancel();
        other
    };
    let (stuck, other) = tokio::join!(
        send(Box::new(move || Ok(Box::new(stuck))), cancel.clone()),
        giving_up
    );
    assert!(matches!(other.0, Outcome::Accepted(_)), "{other:?}");
    let lost = Outcome::Lost {
        stage: ExchangeStage::Content,
        why: ConnectionFailure::Aborted(Abort::Cancelled),
    };
    assert_eq!(stuck, (lost, Vec::new()));
    drop(release);
}

#[tokio::test]
async fn a_content_that_cannot_be_read_is_given_up_before_its_end() {
    let unreadable = Outcome::Lost {
        stage: ExchangeStage::Content,
        why: ConnectionFailure::Aborted(Abort::ContentUnreadable),
    };
    let fails: [Open; 3] = [
        Box::new(|| Err(io::ErrorKind::NotFound.into())),
        Box::new(|| panic!("a reader of the caller's panicked")),
        Box::new(|| Ok(Box::new(Read::chain(&b"half a \r\n"[..], Fails)))),
    ];
    for open in fails {
        let (outcome, seen) = send(open, CancelSignal::default()).await;
        assert_eq!(outcome, unreadable);
        assert!(!seen.ends_with(b".\r\n"), "{seen:?}");
    }
}

struct Fails;

impl Read for Fails {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}
