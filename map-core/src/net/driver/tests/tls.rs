//! Whole conversations over TLS, through the driver, with a server in memory.

mod cut;
mod scram;

use crate::envelope::{Envelope, EnvelopeParameters};
use crate::net::tls::testing::{HOST, Server};
use crate::net::tls::{TlsError, TlsFacts, TlsPeer, Verification, Verified};
use crate::net::{CancelSignal, ContentSource, Limits, Observer, Transport, converse};
use crate::smtp::{
    Abort, Authentication, BodyInfo, Connection, ConnectionFailure, Deadlines, Event, ExchangeStage, Hello,
    Outcome, SessionConfig, SubmissionId, TlsUse,
};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, ReadBuf,
};
use tokio::time::{Instant, sleep};
use tokio_rustls::server::TlsStream;

/// More than a conversation ever says.
const ROOM: usize = 64 * 1024;

/// What a driver told.
#[derive(Default)]
struct Told {
    events: Vec<Event>,
    handshakes: Vec<Result<TlsFacts, String>>,
}

impl Told {
    fn outcome(&self) -> &Outcome {
        let mut outcomes = self.events.iter().filter_map(|event| match event {
            Event::Recipient { outcome, .. } => Some(outcome),
            _ => None,
        });
        let outcome = outcomes.next().expect("an outcome");
        assert!(outcomes.next().is_none(), "one outcome for one recipient");
        outcome
    }

    fn loss(&self) -> (ExchangeStage, &ConnectionFailure) {
        match self.outcome() {
            Outcome::Lost { stage, why } => (*stage, why),
            other => panic!("not lost: {other:?}"),
        }
    }

    fn is_accepted(&self) -> bool {
        matches!(self.outcome(), Outcome::Accepted(_))
    }
}

struct Listener {
    told: Told,
    content: Vec<u8>,
}

impl Observer for Listener {
    fn event(&mut self, event: Event) {
        assert!(!matches!(
            event,
            Event::StartTls | Event::Closed | Event::NeedContent(_) | Event::OpenContent { .. }
        ));
        self.told.events.push(event);
    }

    fn tls(&mut self, handshake: &Result<TlsFacts, TlsError>) {
        let told = match handshake {
            Ok(facts) => Ok(facts.clone()),
            Err(error) => Err(error.to_string()),
        };
        self.told.handshakes.push(told);
    }

    fn open_content(&mut self, _: SubmissionId, _form: usize) -> io::Result<ContentSource> {
        Ok(ContentSource::InMemory(Box::new(io::Cursor::new(
            self.content.clone(),
        ))))
    }
}

/// One message to one recipient.
struct Client<'a> {
    tls: TlsUse,
    peer: Option<&'a TlsPeer>,
    auth: Option<Authentication>,
    content: Vec<u8>,
    limits: Limits,
}

impl<'a> Client<'a> {
    fn of(tls: TlsUse, peer: &'a TlsPeer) -> Self {
        Self {
            tls,
            peer: Some(peer),
            auth: None,
            content: b"Subject: hello\r\n\r\n.a line\r\n".to_vec(),
            limits: Limits {
                cancel: CancelSignal::default(),
                total: None,
                content_start: Instant::now() + Duration::from_secs(3600),
            },
        }
    }

    fn with_content(mut self, octets: usize) -> Self {
        self.content =
            b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n".repeat(octets / 64 + 1);
        self.content.drain(..self.content.len() - octets);
        self
    }

    async fn sends(self, transport: impl Transport + 'static) -> Told {
        let now = Instant::now().into_std();
        let config = SessionConfig {
            hello_name: "client.example.com".parse().expect("a name"),
            hello: Hello::Ehlo,
            deadlines: Deadlines::default(),
            tls: self.tls,
            auth: self.auth,
            chunk_octets: crate::smtp::CHUNK_OCTETS,
        };
        let mailbox = |text: &str| crate::Mailbox::try_from(text).expect("a mailbox");
        let envelope = Envelope {
            reverse_path: mailbox("a@client.example").into(),
            recipients: vec![mailbox("b@example.test").into()],
            parameters: EnvelopeParameters::default(),
        };
        let mut connection = Connection::new(config, now);
        connection.submit(SubmissionId(1), envelope, BodyInfo::default(), now);
        connection.quit(now);
        let mut listener = Listener {
            told: Told::default(),
            content: self.content,
        };
        converse(
            &mut connection,
            Box::new(transport),
            self.peer,
            &mut listener,
            &self.limits,
        )
        .await;
        assert_eq!(connection.poll_event(), None, "nothing is left to tell");
        listener.told
    }
}

/// What a server learned.
#[derive(Debug, Default)]
struct Notes {
    commands: Vec<String>,
    /// The whole content, up to its end mark.
    content: Option<Vec<u8>>,
    /// The client said `close_notify` before it closed.
    closed_well: bool,
}

/// A server's side of a transport.
struct Smtp<S> {
    stream: BufReader<S>,
    notes: Arc<Mutex<Notes>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Smtp<S> {
    fn over(stream: S, notes: &Arc<Mutex<Notes>>) -> Self {
        Self {
            stream: BufReader::new(stream),
            notes: Arc::clone(notes),
        }
    }

    async fn say(&mut self, reply: &str) -> io::Result<()> {
        self.stream.write_all(reply.as_bytes()).await?;
        self.stream.flush().await
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            self.note(|notes| notes.closed_well = true);
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(line)
    }

    fn note(&self, note: impl FnOnce(&mut Notes)) {
        note(&mut self.notes.lock().expect("notes"));
    }

    /// Answers commands as a server would, until DATA has been answered.
    async fn envelope(&mut self) -> io::Result<()> {
        loop {
            let line = self.line().await?;
            self.note(|notes| notes.commands.push(line.trim_end().to_owned()));
            match line.get(..4).unwrap_or_default() {
                "EHLO" => self.say("250-mx.example\r\n250 PIPELINING\r\n").await?,
                "DATA" => return self.say("354 go on\r\n").await,
                _ => self.say("250 ok\r\n").await?,
            }
        }
    }

    async fn content(&mut self) -> io::Result<()> {
        let mut content = Vec::new();
        while !content.ends_with(b"\r\n.\r\n") {
            if self.stream.read_until(b'\n', &mut content).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.note(|notes| notes.content = Some(content));
        Ok(())
    }

    async fn leave(&mut self) -> io::Result<()> {
        let quit = self.line().await?;
        self.note(|notes| notes.commands.push(quit.trim_end().to_owned()));
        self.say("221 bye\r\n").await?;
        self.line().await.map(|_| ())
    }

    async fn whole_session(&mut self) -> io::Result<()> {
        self.envelope().await?;
        self.content().await?;
        self.say("250 queued\r\n").await?;
        self.leave().await
    }
}

type Tls = Smtp<TlsStream<DuplexStream>>;

/// Greets in the clear, and answers up to STARTTLS.
async fn up_to_starttls(theirs: DuplexStream, notes: &Arc<Mutex<Notes>>) -> io::Result<Smtp<DuplexStream>> {
    let mut clear = Smtp::over(theirs, notes);
    clear.say("220 mx.example\r\n").await?;
    clear.line().await?;
    clear
        .say("250-mx.example\r\n250-SIZE 1\r\n250 STARTTLS\r\n")
        .await?;
    assert_eq!(clear.line().await?, "STARTTLS\r\n");
    Ok(clear)
}

/// The same, and the handshake.
async fn with_starttls(
    theirs: DuplexStream,
    acceptor: tokio_rustls::TlsAcceptor,
    notes: &Arc<Mutex<Notes>>,
) -> io::Result<Tls> {
    let mut clear = up_to_starttls(theirs, notes).await?;
    clear.say("220 go ahead\r\n").await?;
    let stream = acceptor.accept(clear.stream.into_inner()).await?;
    Ok(Smtp::over(stream, notes))
}

/// A server that does in TLS what `session` says, for a client that requires TLS by STARTTLS.
async fn meet<F>(
    client: Client<'_>,
    server: &Server,
    room: usize,
    session: impl FnOnce(Tls) -> F,
) -> (Told, Notes)
where
    F: Future<Output = io::Result<()>>,
{
    let (ours, theirs) = tokio::io::duplex(room);
    let notes = Arc::default();
    let serve = async {
        let tls = with_starttls(theirs, server.acceptor(), &notes)
            .await
            .expect("a session");
        // How it ends is the client's affair.
        let _ = session(tls).await;
    };
    let (told, ()) = tokio::join!(client.sends(ours), serve);
    (
        told,
        Arc::into_inner(notes)
            .expect("one left")
            .into_inner()
            .expect("notes"),
    )
}

fn unverified(server: &Server) -> TlsPeer {
    server.peer(Verification::Unverified)
}

#[tokio::test(start_paused = true)]
async fn a_mail_goes_over_a_session_that_starttls_began() {
    let server = Server::good();
    let peer = server.peer(Verification::Pkix);
    let client = Client::of(TlsUse::Required, &peer);
    let (told, notes) = meet(client, &server, ROOM, |mut tls| async move {
        tls.whole_session().await
    })
    .await;
    assert!(told.is_accepted(), "{:?}", told.outcome());
    let expected = [
        "EHLO client.example.com",
        "MAIL FROM:<a@client.example>",
        "RCPT TO:<b@example.test>",
        "DATA",
        "QUIT",
    ];
    assert_eq!(
        notes.commands, expected,
        "EHLO once more, and no SIZE, which was said in the clear"
    );
    assert_eq!(
        notes.content.as_deref(),
        Some(&b"Subject: hello\r\n\r\n..a line\r\n.\r\n"[..])
    );
    assert!(notes.closed_well, "close_notify comes before the end");
    let [Ok(facts)] = &told.handshakes[..] else {
        panic!("{:?}", told.handshakes);
    };
    assert_eq!(facts.verified, Verified::Pkix);
    let asked_for = server.asked_for.lock().expect("names").clone();
    assert_eq!(asked_for.len(), 1);
    assert_eq!(asked_for[0].name.as_deref(), Some(HOST));
}

#[tokio::test(start_paused = true)]
async fn a_mail_goes_over_a_session_from_the_first_octet_on() {
    let server = Server::good();
    let peer = server.peer(Verification::Pkix);
    let (ours, theirs) = tokio::io::duplex(ROOM);
    let notes = Arc::default();
    let serve = async {
        let stream = server.acceptor().accept(theirs).await.expect("a session");
        let mut tls = Smtp::over(stream, &notes);
        // The greeting may come in one read with the end of the handshake.
        tls.say("220 mx.example\r\n").await.expect("a greeting");
        let _ = tls.whole_session().await;
    };
    let (told, ()) = tokio::join!(Client::of(TlsUse::Implicit, &peer).sends(ours), serve);
    assert!(told.is_accepted(), "{:?}", told.outcome());
    assert!(notes.lock().expect("notes").closed_well);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_does_not_fit_ends_the_conversation() {
    let server = Server::good();
    let mut peer = server.peer(Verification::Pkix);
    peer.server_name = "mx2.example.test".to_owned();
    let (ours, theirs) = tokio::io::duplex(ROOM);
    let notes = Arc::default();
    let client = Client::of(TlsUse::Required, &peer).sends(ours);
    let (told, session) = tokio::join!(client, with_starttls(theirs, server.acceptor(), &notes));
    let words = "its certificate is for mx1.example.test, not for mx2.example.test";
    assert_eq!(
        told.loss(),
        (ExchangeStage::Tls, &ConnectionFailure::Tls(words.into()))
    );
    assert_eq!(told.handshakes, [Err(words.to_owned())]);
    // The server is told why, too.
    let error = session.err().expect("an alert");
    assert!(error.to_string().contains("BadCertificate"), "{error}");
    assert_eq!(
        notes.lock().expect("notes").commands,
        [""; 0],
        "nothing was said in the clear"
    );
}

/// A server that answers the handshake with these octets, or with silence, and closes or does not.
async fn breaks_the_handshake(octets: &[u8], closes: bool) -> Told {
    let server = Server::good();
    let peer = unverified(&server);
    let (ours, theirs) = tokio::io::duplex(ROOM);
    let notes = Arc::default();
    let serve = async {
        let mut clear = up_to_starttls(theirs, &notes).await.expect("STARTTLS");
        clear.say("220 go ahead\r\n").await.expect("a reply");
        let mut hello = [0; 1024];
        let read = clear.stream.read(&mut hello).await.expect("a ClientHello");
        assert!(read > 100);
        clear.stream.write_all(octets).await.expect("room");
        if !closes {
            let _ = clear.stream.read_to_end(&mut Vec::new()).await;
        }
    };
    let (told, ()) = tokio::join!(Client::of(TlsUse::Opportunistic, &peer).sends(ours), serve);
    told
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_breaks_is_told_with_its_reason() {
    for (octets, words) in [
        (
            &b"454 4.7.0 not now\r\n"[..],
            "it answered in the clear instead of TLS",
        ),
        (
            &[0x15, 3, 3, 0, 2, 2, 40],
            "it knows no cipher suite that is safe and known here",
        ),
    ] {
        let told = breaks_the_handshake(octets, true).await;
        let words = format!("the TLS handshake failed: {words}");
        assert_eq!(
            told.loss(),
            (ExchangeStage::Tls, &ConnectionFailure::Tls(words.as_str().into()))
        );
        assert_eq!(told.handshakes, [Err(words)]);
    }
    let told = breaks_the_handshake(b"", true).await;
    assert_eq!(told.loss(), (ExchangeStage::Tls, &ConnectionFailure::Closed));
    assert_eq!(told.handshakes.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_stalls_is_given_up_in_time() {
    // Silent from the start, and in the middle of a record.
    for octets in [&b""[..], &[0x16, 3, 3, 0, 90, 2]] {
        let start = Instant::now();
        let told = breaks_the_handshake(octets, false).await;
        assert_eq!(told.loss(), (ExchangeStage::Tls, &ConnectionFailure::TimedOut));
        assert_eq!(start.elapsed().as_secs(), Deadlines::default().tls.as_secs());
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_does_not_outlive_the_caller() {
    let server = Server::good();
    let peer = unverified(&server);
    for cancels in [true, false] {
        let (ours, mut theirs) = tokio::io::duplex(ROOM);
        let mut client = Client::of(TlsUse::Implicit, &peer);
        let signal = client.limits.cancel.clone();
        if !cancels {
            client.limits.total = Some(Instant::now() + Duration::from_secs(3));
        }
        let start = Instant::now();
        let serve = async {
            let mut hello = [0; 1024];
            theirs.read_exact(&mut hello[..5]).await.expect("a ClientHello");
            if cancels {
                sleep(Duration::from_secs(3)).await;
                signal.cancel();
            }
            let _ = theirs.read_to_end(&mut Vec::new()).await;
        };
        let (told, ()) = tokio::join!(client.sends(ours), serve);
        let why = if cancels {
            Abort::Cancelled
        } else {
            Abort::Deadline
        };
        assert_eq!(
            told.loss(),
            (ExchangeStage::Tls, &ConnectionFailure::Aborted(why))
        );
        assert_eq!(start.elapsed().as_secs(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_asks_for_tls_with_nobody_ends_safely() {
    let server = Server::good();
    let peer = unverified(&server);
    let (ours, mut theirs) = tokio::io::duplex(ROOM);
    let mut client = Client::of(TlsUse::Implicit, &peer);
    client.peer = None;
    let told = client.sends(ours).await;
    assert!(
        matches!(told.loss(), (ExchangeStage::Tls, ConnectionFailure::Tls(_))),
        "{:?}",
        told.outcome()
    );
    assert_eq!(
        theirs.read_to_end(&mut Vec::new()).await.ok(),
        Some(0),
        "nothing was said"
    );
}

/// Gives out one octet at a time, so that what was written together is read apart.
#[derive(Debug)]
struct Octetwise(DuplexStream);

impl AsyncRead for Octetwise {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut octet = [0];
        let mut one = ReadBuf::new(&mut octet);
        let polled = Pin::new(&mut self.0).poll_read(context, &mut one);
        buffer.put_slice(one.filled());
        polled
    }
}

impl AsyncWrite for Octetwise {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl Transport for Octetwise {
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_said_in_the_clear_behind_the_220_is_not_believed() {
    let server = Server::good();
    let peer = unverified(&server);
    for octetwise in [false, true] {
        let (ours, theirs) = tokio::io::duplex(ROOM);
        let notes = Arc::default();
        let serve = async {
            let mut clear = up_to_starttls(theirs, &notes).await.expect("STARTTLS");
            let injected = "220 go ahead\r\n250 mx.example\r\n250 ok\r\n";
            clear.say(injected).await.expect("room");
            let mut hello = Vec::new();
            let _ = clear.stream.read_to_end(&mut hello).await;
            hello
        };
        let client = Client::of(TlsUse::Required, &peer);
        let (told, hello) = if octetwise {
            tokio::join!(client.sends(Octetwise(ours)), serve)
        } else {
            tokio::join!(client.sends(ours), serve)
        };
        assert_eq!(told.loss(), (ExchangeStage::Tls, &ConnectionFailure::Injected));
        assert_eq!(hello, b"", "no handshake is begun");
        assert!(told.handshakes.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_without_close_notify_is_one_that_ends() {
    let server = Server::good();
    let peer = unverified(&server);
    // After the final reply.
    let client = Client::of(TlsUse::Required, &peer);
    let (told, _) = meet(client, &server, ROOM, |mut tls| async move {
        tls.envelope().await?;
        tls.content().await?;
        tls.say("250 queued\r\n").await
    })
    .await;
    assert!(told.is_accepted(), "{:?}", told.outcome());
    // Within the content, before its end was sent.
    let client = Client::of(TlsUse::Required, &peer).with_content(1024 * 1024);
    let (told, _) = meet(client, &server, ROOM, |mut tls| async move {
        tls.envelope().await?;
        tls.line().await.map(|_| ())
    })
    .await;
    let (stage, why) = told.loss();
    assert_eq!(stage, ExchangeStage::Content);
    assert!(
        matches!(
            why,
            ConnectionFailure::Closed | ConnectionFailure::Reset(io::ErrorKind::BrokenPipe)
        ),
        "{why:?}"
    );
    // After the content, before its reply.
    let client = Client::of(TlsUse::Required, &peer);
    let (told, notes) = meet(client, &server, ROOM, |mut tls| async move {
        tls.envelope().await?;
        tls.content().await
    })
    .await;
    assert!(notes.content.is_some());
    assert_eq!(told.outcome(), &Outcome::Uncertain(ConnectionFailure::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_reply_counts_whatever_comes_behind_it_in_the_same_read() {
    let server = Server::good();
    let peer = unverified(&server);
    // An alert in the clear, which is no record of this session; and something that is no record at all.
    for nonsense in [&[0x15, 3, 3, 0, 2, 2, 80][..], b"421 too late for the clear\r\n"] {
        let client = Client::of(TlsUse::Required, &peer);
        let (told, _) = meet(client, &server, ROOM, |mut tls| async move {
            tls.envelope().await?;
            tls.content().await?;
            tls.say("250 queued\r\n").await?;
            tls.stream.get_mut().get_mut().0.write_all(nonsense).await
        })
        .await;
        assert!(told.is_accepted(), "{:?}", told.outcome());
    }
    // In the place of the reply it is the end, with a reason.
    let client = Client::of(TlsUse::Required, &peer);
    let (told, _) = meet(client, &server, ROOM, |mut tls| async move {
        tls.envelope().await?;
        tls.content().await?;
        tls.stream.get_mut().get_mut().0.write_all(b"421 bye\r\n").await?;
        tls.line().await.map(|_| ())
    })
    .await;
    assert_eq!(
        told.outcome(),
        &Outcome::Uncertain(ConnectionFailure::Reset(io::ErrorKind::InvalidData))
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_is_left_in_time_and_heard_meanwhile() {
    let server = Server::good();
    let peer = unverified(&server);
    let client = || Client::of(TlsUse::Required, &peer).with_content(1024 * 1024);
    let start = Instant::now();
    let (told, _) = meet(client(), &server, 1024, |mut tls| async move {
        tls.envelope().await?;
        // Holds the connection, and takes nothing from it.
        sleep(Duration::from_secs(3600)).await;
        Ok(())
    })
    .await;
    assert_eq!(
        told.loss(),
        (ExchangeStage::Content, &ConnectionFailure::TimedOut)
    );
    assert_eq!(start.elapsed().as_secs(), 3600);

    let (told, _) = meet(client(), &server, 1024, |mut tls| async move {
        tls.envelope().await?;
        sleep(Duration::from_secs(60)).await;
        tls.say("552 5.3.4 too big\r\n").await?;
        sleep(Duration::from_secs(60)).await;
        Ok(())
    })
    .await;
    let Outcome::Refused { stage, reply } = told.outcome() else {
        panic!("{:?}", told.outcome());
    };
    assert_eq!(
        (*stage, reply.code.to_string()),
        (ExchangeStage::Content, "552".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_written_after_a_silence_leaves_at_once() {
    let server = Server::good();
    let peer = unverified(&server);
    let client = Client::of(TlsUse::Required, &peer);
    let start = Instant::now();
    let (told, _) = meet(client, &server, ROOM, |mut tls| async move {
        tls.line().await?;
        tls.say("250 mx.example\r\n").await?;
        // Nothing is said to MAIL until QUIT comes.
        tls.line().await?;
        assert_eq!(tls.line().await?, "QUIT\r\n");
        tls.say("451 late\r\n221 bye\r\n").await
    })
    .await;
    assert_eq!(told.loss(), (ExchangeStage::Mail, &ConnectionFailure::TimedOut));
    assert_eq!(start.elapsed().as_secs(), Deadlines::default().mail.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_late_and_talks_of_keys_meanwhile_gets_everything() {
    let server = Server::good();
    let peer = unverified(&server);
    for room in [100, 5000, ROOM] {
        let client = Client::of(TlsUse::Required, &peer).with_content(1024 * 1024);
        let (told, notes) = meet(client, &server, room, |mut tls| async move {
            tls.envelope().await?;
            sleep(Duration::from_secs(100)).await;
            let mut content = Vec::new();
            while !content.ends_with(b"\r\n.\r\n") {
                // rustls takes 32 of them in a row.
                if content.len() % (64 * 1024) < 64 {
                    let (_, session) = tls.stream.get_mut().get_mut();
                    session.refresh_traffic_keys().expect("new keys");
                    tls.stream.get_mut().flush().await?;
                }
                tls.stream.read_until(b'\n', &mut content).await?;
            }
            tls.note(|notes| notes.content = Some(content));
            tls.say("250 queued\r\n").await?;
            tls.leave().await
        })
        .await;
        assert!(told.is_accepted(), "{:?}", told.outcome());
        assert_eq!(notes.content.map(|content| content.len()), Some(1024 * 1024 + 3));
    }
}
