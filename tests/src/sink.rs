//! A mail host that takes anything from anybody and keeps nothing.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// How long a content may take to come.
const PATIENCE: Duration = Duration::from_secs(300);

/// By which command it takes content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// DATA alone.
    Data,
    /// BDAT as well, and binary bodies.
    Chunks,
}

/// What it has taken of one message and not answered yet.
#[derive(Debug)]
pub struct Taken {
    /// The octets of the content, without what transparency adds.
    pub octets: u64,
    /// True if they came by BDAT.
    pub in_chunks: bool,
    go_on: SyncSender<()>,
}

impl Taken {
    /// Lets it answer 250.
    pub fn answer(self) {
        // A client that has gone hears nothing.
        let _ = self.go_on.send(());
    }
}

/// The running host; it ends with the process.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    contents: Receiver<Taken>,
}

impl Sink {
    /// Starts it on a loopback address.
    ///
    /// # Panics
    /// When the system gives no port.
    pub fn start(takes: Takes) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        let address = listener.local_addr().expect("the address of a listener");
        let (announce, contents) = sync_channel(0);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let announce = announce.clone();
                // A client that breaks off ends its session, and its report says so.
                thread::spawn(move || Session::new(connection, takes, announce).and_then(Session::run));
            }
        });
        Self { address, contents }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the end of the next content. While nobody says [`Taken::answer`], its client waits.
    ///
    /// # Panics
    /// When none comes for minutes.
    pub fn taken(&self) -> Taken {
        self.contents
            .recv_timeout(PATIENCE)
            .expect("nobody sends anything")
    }
}

struct Session {
    input: BufReader<TcpStream>,
    output: TcpStream,
    takes: Takes,
    announce: SyncSender<Taken>,
}

impl Session {
    fn new(connection: TcpStream, takes: Takes, announce: SyncSender<Taken>) -> io::Result<Self> {
        Ok(Self {
            output: connection.try_clone()?,
            input: BufReader::with_capacity(1 << 16, connection),
            takes,
            announce,
        })
    }

    fn run(mut self) -> io::Result<()> {
        self.say("220 sink.test ready")?;
        let (mut command, mut chunks) = (String::new(), 0);
        loop {
            command.clear();
            if self.input.read_line(&mut command)? == 0 {
                return Ok(());
            }
            let words: Vec<&str> = command.split_whitespace().collect();
            let verb = words.first().copied().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => self.say(match self.takes {
                    Takes::Data => "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE",
                    Takes::Chunks => {
                        "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250 SIZE"
                    }
                })?,
                "DATA" => {
                    self.say("354 go on")?;
                    let octets = self.content()?;
                    self.finish(octets, false)?;
                }
                "BDAT" => {
                    let size = words.get(1).and_then(|size| size.parse().ok()).unwrap_or_default();
                    chunks += io::copy(&mut (&mut self.input).take(size), &mut io::sink())?;
                    if words.len() > 2 {
                        self.finish(std::mem::take(&mut chunks), true)?;
                    } else {
                        self.say("250 more")?;
                    }
                }
                "QUIT" => return self.say("221 bye"),
                _ => self.say("250 ok")?,
            }
        }
    }

    fn say(&mut self, reply: &str) -> io::Result<()> {
        self.output.write_all(format!("{reply}\r\n").as_bytes())
    }

    fn finish(&mut self, octets: u64, in_chunks: bool) -> io::Result<()> {
        let (go_on, wait) = sync_channel(1);
        let taken = Taken {
            octets,
            in_chunks,
            go_on,
        };
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.announce.send(taken).map_err(|_| io::ErrorKind::BrokenPipe)?;
        wait.recv().map_err(gone)?;
        self.say(&format!("250 taken {octets} octets"))
    }

    /// Content by DATA, up to the line with a dot: its length, without the dots that were doubled.
    fn content(&mut self) -> io::Result<u64> {
        let (mut octets, mut line) = (0, Vec::with_capacity(1 << 10));
        loop {
            line.clear();
            if self.input.read_until(b'\n', &mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line == b".\r\n" {
                return Ok(octets);
            }
            octets += (line.len() - usize::from(line.starts_with(b"."))) as u64;
        }
    }
}
