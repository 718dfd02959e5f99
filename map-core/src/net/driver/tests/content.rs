//! The content on its way through the driver, over real sockets: in which form, in chunks, how far it is, and once more
//! for every round.

use crate::envelope::{BodyForm, Envelope, EnvelopeParameters};
use crate::message::{BodyType, Needs};
use crate::net::{CancelSignal, ContentSource, Limits, Observer, converse};
use crate::smtp::{
    BodyInfo, CHUNK_OCTETS, Chunking, Connection, Deadlines, Event, ExchangeStage, Hello, Outcome,
    SessionConfig, SubmissionId, TlsUse,
};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// A host that answers what it is told to, and keeps what it is sent.
struct Host {
    offer: &'static str,
    /// To the first chunk.
    on_chunk: &'static str,
}

/// What a host was sent.
#[derive(Debug, Default)]
struct Taken {
    mails: Vec<String>,
    /// As they were meant, without dots and chunks.
    contents: Vec<Vec<u8>>,
    /// How long each chunk was.
    chunks: Vec<usize>,
}

impl Host {
    async fn serve(self, listener: TcpListener) -> Taken {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut stream = BufReader::new(stream);
        let mut taken = Taken::default();
        let mut content = Vec::new();
        say(&mut stream, "220 mx.example\r\n").await;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.expect("a line") == 0 {
                return taken;
            }
            let reply = match line.get(..4) {
                Some("EHLO") => self.offer,
                Some("DATA") => {
                    say(&mut stream, "354 go on\r\n").await;
                    taken.contents.push(read_lines(&mut stream).await);
                    "250 queued\r\n"
                }
                Some("BDAT") => {
                    let words: Vec<&str> = line.split_whitespace().collect();
                    let octets = words[1].parse().expect("a length");
                    let mut chunk = vec![0; octets];
                    stream.read_exact(&mut chunk).await.expect("a chunk");
                    taken.chunks.push(octets);
                    content.extend(chunk);
                    if words.len() == 3 {
                        taken.contents.push(std::mem::take(&mut content));
                    }
                    if taken.chunks.len() == 1 {
                        self.on_chunk
                    } else {
                        "250 got it\r\n"
                    }
                }
                Some("MAIL") => {
                    taken.mails.push(line.trim_end().to_owned());
                    "250 ok\r\n"
                }
                Some("QUIT") => {
                    say(&mut stream, "221 bye\r\n").await;
                    return taken;
                }
                _ => "250 ok\r\n",
            };
            say(&mut stream, reply).await;
        }
    }
}

async fn say(stream: &mut BufReader<TcpStream>, reply: &str) {
    // Whoever has left needs no answer.
    let _ = stream.write_all(reply.as_bytes()).await;
}

async fn read_lines(stream: &mut BufReader<TcpStream>) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line).await.expect("a line");
        match line.strip_prefix(b".") {
            Some(b"\r\n") => return content,
            Some(rest) => content.extend(rest),
            None => content.extend(line),
        }
    }
}

/// Takes down what it is told of the contents.
struct Listener {
    content: Arc<[u8]>,
    opened: Vec<usize>,
    /// For each opening, what was told of it.
    sent: Vec<Vec<u64>>,
    outcomes: Vec<Outcome>,
    read: Arc<AtomicU64>,
}

/// Counts what is read of a content.
struct Counted {
    rest: io::Cursor<Arc<[u8]>>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let octets = Read::read(&mut self.rest, buffer)?;
        self.read.fetch_add(octets as u64, Ordering::Relaxed);
        Ok(octets)
    }
}

impl Observer for Listener {
    fn event(&mut self, event: Event) {
        assert!(!matches!(
            event,
            Event::OpenContent { .. } | Event::NeedContent(_)
        ));
        if let Event::Recipient { outcome, .. } = event {
            self.outcomes.push(outcome);
        }
    }

    fn open_content(&mut self, _: SubmissionId, form: usize) -> io::Result<ContentSource> {
        self.opened.push(form);
        self.sent.push(Vec::new());
        Ok(ContentSource::InMemory(Box::new(Counted {
            rest: io::Cursor::new(Arc::clone(&self.content)),
            read: Arc::clone(&self.read),
        })))
    }

    fn content_sent(&mut self, tx: SubmissionId, octets: u64) {
        assert_eq!(tx, SubmissionId(7));
        self.sent.last_mut().expect("an opening").push(octets);
    }
}

/// Sends a content to so many recipients of a host.
async fn send(host: Host, content: Vec<u8>, body: BodyInfo, recipients: usize) -> (Taken, Listener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let transport = TcpStream::connect(address).await.expect("a connection");
    let mailbox = |text: String| crate::Mailbox::try_from(text.as_str()).expect("a mailbox");
    let envelope = Envelope {
        reverse_path: mailbox("a@client.example".to_owned()).into(),
        recipients: (0..recipients)
            .map(|n| mailbox(format!("r{n}@mx.example")).into())
            .collect(),
        parameters: EnvelopeParameters::default(),
    };
    let config = SessionConfig {
        hello_name: "client.example.com".parse().expect("a name"),
        hello: Hello::Ehlo,
        deadlines: Deadlines::default(),
        tls: TlsUse::Clear,
        auth: None,
        chunk_octets: CHUNK_OCTETS,
    };
    let limits = Limits {
        cancel: CancelSignal::default(),
        total: None,
        content_start: Instant::now() + Duration::from_secs(3600),
    };
    let now = Instant::now().into_std();
    let mut connection = Connection::new(config, now);
    connection.submit(SubmissionId(7), envelope, body, now);
    connection.quit(now);
    let mut observer = Listener {
        content: content.into(),
        opened: Vec::new(),
        sent: Vec::new(),
        outcomes: Vec::new(),
        read: Arc::default(),
    };
    let conversation = converse(&mut connection, Box::new(transport), None, &mut observer, &limits);
    let (taken, ()) = tokio::join!(host.serve(listener), conversation);
    (taken, observer)
}

fn lines(octets: usize) -> Vec<u8> {
    let mut lines =
        b".23456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n".repeat(octets / 63 + 1);
    lines.truncate(octets - 2);
    lines.extend(b"\r\n");
    // Not within a line end.
    let end = lines.len();
    lines[end - 4..end - 2].copy_from_slice(b"zz");
    lines
}

fn of(body_type: BodyType, size: usize) -> BodyForm {
    let needs = Needs {
        body_type,
        smtputf8: false,
    };
    BodyForm {
        needs,
        size: Some(size as u64),
    }
}

/// From nothing to everything, and never back.
fn assert_all_told(sent: &[u64], size: usize) {
    assert_eq!(sent.first(), Some(&0));
    assert!(sent.is_sorted(), "{sent:?}");
    assert_eq!(sent.last(), Some(&(size as u64)));
}

#[tokio::test]
async fn a_large_content_arrives_in_chunks() {
    let size = 5 * CHUNK_OCTETS + 3;
    let content = lines(size);
    let host = Host {
        offer: "250-mx.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n",
        on_chunk: "250 got it\r\n",
    };
    let body = BodyInfo {
        forms: vec![of(BodyType::SevenBit, size)],
        chunking: Chunking::Prefer,
    };
    let (taken, listener) = send(host, content.clone(), body, 1).await;
    assert!(matches!(listener.outcomes[..], [Outcome::Accepted(_)]));
    assert_eq!(taken.chunks, [&[CHUNK_OCTETS; 5][..], &[3]].concat());
    assert!(taken.contents == [content], "another content arrived");
    assert_all_told(&listener.sent[0], size);
    assert!(listener.sent[0].len() > 5, "told on the way");
}

#[tokio::test]
async fn a_binary_content_arrives_as_it_is() {
    let content: Vec<u8> = (0..=u8::MAX).cycle().take(CHUNK_OCTETS + 100).collect();
    let host = Host {
        offer: "250-mx.example\r\n250-BINARYMIME\r\n250 CHUNKING\r\n",
        on_chunk: "250 got it\r\n",
    };
    let forms = vec![
        of(BodyType::Binary, content.len()),
        of(BodyType::SevenBit, 9_999_999),
    ];
    let body = BodyInfo {
        forms,
        chunking: Chunking::Auto,
    };
    let (taken, listener) = send(host, content.clone(), body, 1).await;
    assert!(matches!(listener.outcomes[..], [Outcome::Accepted(_)]));
    assert_eq!(listener.opened, [0]);
    assert_eq!(taken.mails, ["MAIL FROM:<a@client.example> BODY=BINARYMIME"]);
    assert_eq!(taken.chunks, [CHUNK_OCTETS, 100]);
    assert!(taken.contents == [content], "another content arrived");
}

#[tokio::test]
async fn the_form_that_the_host_takes_is_opened() {
    let content = lines(1000);
    let host = Host {
        offer: "250-mx.example\r\n250-8BITMIME\r\n250 SIZE\r\n",
        on_chunk: "",
    };
    let forms = vec![
        of(BodyType::Binary, 900),
        of(BodyType::EightBit, 1000),
        of(BodyType::SevenBit, 1300),
    ];
    let body = BodyInfo {
        forms,
        chunking: Chunking::Auto,
    };
    let (taken, listener) = send(host, content.clone(), body, 1).await;
    assert_eq!(listener.opened, [1]);
    assert_eq!(
        taken.mails,
        ["MAIL FROM:<a@client.example> SIZE=1000 BODY=8BITMIME"]
    );
    assert_eq!(taken.contents, [content]);
    // The dots that were doubled are not counted.
    assert_all_told(&listener.sent[0], 1000);
}

#[tokio::test]
async fn every_round_reads_the_content_from_its_beginning() {
    let content = lines(300_000);
    let host = Host {
        offer: "250-mx.example\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=1\r\n",
        on_chunk: "",
    };
    let body = of(BodyType::SevenBit, 300_000).into();
    let (taken, listener) = send(host, content.clone(), body, 3).await;
    assert!(
        listener
            .outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Accepted(_)))
    );
    assert_eq!(listener.opened, [0, 0, 0]);
    assert!(
        taken.contents == [content.clone(), content.clone(), content],
        "another content arrived"
    );
    for sent in &listener.sent {
        assert_all_told(sent, 300_000);
    }
}

#[tokio::test]
async fn a_refused_chunk_ends_the_reading() {
    let size = 40 * CHUNK_OCTETS;
    let host = Host {
        offer: "250-mx.example\r\n250 CHUNKING\r\n",
        on_chunk: "552 5.3.4 too large\r\n",
    };
    let (taken, listener) = send(host, lines(size), of(BodyType::SevenBit, size).into(), 1).await;
    let [
        Outcome::Refused {
            stage: ExchangeStage::Content,
            reply,
        },
    ] = &listener.outcomes[..]
    else {
        panic!("{:?}", listener.outcomes);
    };
    assert_eq!(reply.code.0, 552);
    assert_eq!(taken.chunks, [CHUNK_OCTETS]);
    assert_eq!(listener.sent[0].last(), Some(&(CHUNK_OCTETS as u64)));
    let read = listener.read.load(Ordering::Relaxed);
    assert!(read <= 4 * CHUNK_OCTETS as u64, "{read} octets were read ahead");
}
