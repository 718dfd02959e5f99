//! Exchanges as transcripts: every file below `transcripts/` is one, run through the machine whole, octet by
//! octet and in random pieces.
//!
//! A file reads as the dialogue would:
//!
//! ```text
//! # what the file shows
//! recipients: 2 1              one number for each message; 1 by default
//! size: 40                     octets the machine is told; unknown by default
//! content: hello\r\n           the content of every message; this one by default
//! hello: HELO                  how the session is opened; EHLO by default
//! tls: required                or opportunistic, implicit; it stays in the clear by default
//! user: somebody               with a password: or a token: for AUTH; nobody by default
//! nonce: abc                   of SCRAM; that of RFC 7677 by default
//! quit: never                  or on <quit>; at once by default
//! forms: binary/40 utf8+8bit 7bit      of each content, with their sizes if known; one of 7bit by default
//! chunking: prefer             or avoid; auto by default
//! chunk: 10                    octets of a chunk; 1 MiB by default
//! from: <>                     the reverse-path; <sender@client.example> by default
//! ret: FULL                    envid: require-tls: likewise
//! to two: x@other.example      another mailbox for this recipient of every message
//! notify two: NEVER            original two: likewise
//!
//! S: 220 mx.example            the server says
//! C: EHLO client.example       the client must write; lines that follow each other are one write
//! S(raw): 250 mx\n             octets as they stand, escapes \r \n \t \\ \xNN, {text*1000} for a repetition
//! C: MAIL FR<stall>            the system takes no more than that
//! <close> <reset> <timeout 300> <cancel> <deadline> <quit> <submit 1>
//! <tls> <tls unverified> <tls failed WHY>      the handshake that was asked for ends so
//!
//! => one: refused at RCPT (550 5.1.1)
//! => 2 one: accepted (250)     of the second message
//! => trail: 220 EHLO 250 …     what the driver is told, in order
//! => opened: 0 0               which forms of the contents were opened, in order
//! => open                      the connection is not over
//! ```

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use map_core::Mailbox;
use map_core::address::ReversePath;
use map_core::envelope::{BodyForm, EnvelopeParameters, Notify, OriginalRecipient};
use map_core::message::{BodyType, Needs};
use map_core::smtp::{
    Abort, Authentication, CHUNK_OCTETS, Chunking, Hello, SecretKind, SessionConfig, TlsSession, TlsUse,
};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use support::{Dice, Handshake, Harness, Mail, NAMES, Pieces, config, describe};

/// Runs of each file in random pieces.
const RANDOM_RUNS: u64 = 60;

#[test]
fn whole() {
    run_all(|_| vec![Pieces::Whole]);
}

#[test]
fn octet_by_octet() {
    run_all(|_| vec![Pieces::Octets]);
}

#[test]
fn in_random_pieces() {
    run_all(|place| {
        let seeds = (0..RANDOM_RUNS).map(|run| place as u64 * RANDOM_RUNS + run);
        seeds.map(|seed| Pieces::Random(Dice::new(seed))).collect()
    });
}

/// The rows that every stage must have a file for.
#[test]
fn every_stage_meets_everything_a_server_can_do() {
    let stages = [
        "greeting", "ehlo", "helo", "starttls", "auth", "mail", "rcpt", "data", "chunk", "content", "rset",
        "quit",
    ];
    let events = [
        "1yz",
        "2yz",
        "3yz",
        "421",
        "4yz",
        "5yz",
        "6yz",
        "closed",
        "malformed",
        "reset",
        "timeout",
        "unasked-421",
    ];
    let mut missing = String::new();
    for (stage, event) in stages
        .iter()
        .flat_map(|stage| events.map(|event| (*stage, event)))
    {
        // Nothing comes before the greeting: a 421 there is the greeting.
        if (stage, event) != ("greeting", "unasked-421")
            && !directory()
                .join(stage)
                .join(event)
                .with_extension("smtp")
                .exists()
        {
            writeln!(missing, "{stage}/{event}.smtp").unwrap();
        }
    }
    assert!(missing.is_empty(), "no transcript for:\n{missing}");
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
}

fn run_all(pieces: impl Fn(usize) -> Vec<Pieces>) {
    let mut files = Vec::new();
    collect(&directory(), &mut files);
    files.sort();
    assert!(!files.is_empty());
    let mut failures = String::new();
    for (place, path) in files.iter().enumerate() {
        let name = path.strip_prefix(directory()).unwrap().display();
        let text = std::fs::read_to_string(path).unwrap();
        let run = || {
            let transcript = Transcript::parse(&text)?;
            pieces(place)
                .into_iter()
                .try_for_each(|pieces| transcript.run(pieces))
        };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
            .unwrap_or_else(|_| Err("panicked, see above".to_owned()));
        if let Err(error) = result {
            writeln!(failures, "{name}: {error}").unwrap();
        }
    }
    assert!(
        failures.is_empty(),
        "of {} transcripts these fail:\n{failures}",
        files.len()
    );
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "smtp") {
            files.push(path);
        }
    }
}

/// A file, parsed.
struct Transcript {
    hello: Hello,
    tls: TlsUse,
    user: String,
    /// With it comes AUTH.
    secret: Option<(SecretKind, String)>,
    nonce: String,
    mails: Vec<Mail>,
    quit: bool,
    steps: Vec<Step>,
    outcomes: Vec<((usize, usize), String)>,
    trail: Option<String>,
    opened: Option<String>,
    chunk_octets: usize,
    open: bool,
}

#[derive(Debug)]
enum Step {
    Server(Vec<u8>),
    Client { octets: Vec<u8>, stall: bool },
    Close,
    Reset,
    Timeout(u64),
    Abort(Abort),
    Quit,
    Submit(usize),
    Tls(Result<TlsSession, String>),
}

impl Transcript {
    fn parse(text: &str) -> Result<Self, String> {
        let mut transcript = Self {
            hello: Hello::Ehlo,
            tls: TlsUse::Clear,
            user: String::new(),
            secret: None,
            nonce: "rOprNGfwEbeRWgbNEkqO".to_owned(),
            mails: Vec::new(),
            quit: true,
            steps: Vec::new(),
            outcomes: Vec::new(),
            trail: None,
            opened: None,
            chunk_octets: CHUNK_OCTETS,
            open: false,
        };
        let mut mail = MailKeys::default();
        if !text.starts_with("# ") {
            return Err("does not begin with a comment that says what it shows".to_owned());
        }
        let mut recipients = vec![1];
        let mut size = None;
        let mut content = b"hello\r\n".to_vec();
        for line in text.lines() {
            let (key, value) = line
                .split_once(": ")
                .unwrap_or((line.strip_suffix(':').unwrap_or(line), ""));
            match key {
                "recipients" if value == "none" => recipients.clear(),
                "recipients" => recipients = value.split(' ').map(|n| n.parse().unwrap()).collect(),
                "size" => size = Some(value.parse().unwrap()),
                "content" => content = unescape(value)?,
                "hello" if value == "HELO" => transcript.hello = Hello::Helo,
                "nonce" => value.clone_into(&mut transcript.nonce),
                "password" => transcript.secret = Some((SecretKind::Password, unescaped_text(value)?)),
                "tls" => transcript.tls = tls_use(value)?,
                "token" => transcript.secret = Some((SecretKind::Token, unescaped_text(value)?)),
                "user" => transcript.user = unescaped_text(value)?,
                "quit" if value == "never" => transcript.quit = false,
                "chunk" => transcript.chunk_octets = value.parse().unwrap(),
                "S" => transcript.server([value.as_bytes(), b"\r\n"].concat()),
                "S(raw)" => transcript.server(unescape(value)?),
                "C" => transcript.client(value)?,
                _ if line.starts_with("=> ") => transcript.expect(&line[3..])?,
                _ if line.starts_with('<') => transcript.steps.push(event(line)?),
                _ if line.is_empty() || line.starts_with('#') => {}
                _ if mail.reads(key, value)? => {}
                _ => return Err(format!("what is `{line}`?")),
            }
        }
        let content = Bytes::from(content);
        transcript.mails = recipients
            .iter()
            .map(|&recipients| mail.of(Mail::new(recipients, size, content.clone())))
            .collect();
        Ok(transcript)
    }

    fn server(&mut self, octets: Vec<u8>) {
        if let Some(Step::Server(before)) = self.steps.last_mut() {
            before.extend(octets);
        } else {
            self.steps.push(Step::Server(octets));
        }
    }

    fn client(&mut self, line: &str) -> Result<(), String> {
        let (line, stall) = line
            .strip_suffix("<stall>")
            .map_or((line, false), |line| (line, true));
        let mut octets = unescape(line)?;
        if !stall {
            octets.extend(b"\r\n");
        }
        match self.steps.last_mut() {
            Some(Step::Client {
                octets: before,
                stall: last,
            }) if !*last => {
                before.extend(octets);
                *last = stall;
            }
            _ => self.steps.push(Step::Client { octets, stall }),
        }
        Ok(())
    }

    fn expect(&mut self, line: &str) -> Result<(), String> {
        if line == "open" {
            self.open = true;
            return Ok(());
        }
        let (who, what) = line.split_once(": ").ok_or("an outcome is `=> name: outcome`")?;
        match who {
            "trail" => self.trail = Some(what.to_owned()),
            "opened" => self.opened = Some(what.to_owned()),
            _ => self.expect_outcome(who, what)?,
        }
        Ok(())
    }

    fn expect_outcome(&mut self, who: &str, what: &str) -> Result<(), String> {
        let (tx, name) = who.split_once(' ').unwrap_or(("1", who));
        let index = NAMES
            .iter()
            .position(|known| *known == name)
            .ok_or("no such recipient")?;
        self.outcomes
            .push(((tx.parse().unwrap(), index), what.to_owned()));
        Ok(())
    }

    fn run(&self, pieces: Pieces) -> Result<(), String> {
        let whole = matches!(pieces, Pieces::Whole);
        let auth = self.secret.clone().map(|(kind, secret)| Authentication {
            user: self.user.clone(),
            secret: secret.into(),
            kind,
            nonce: self.nonce.clone(),
        });
        let config = SessionConfig {
            tls: self.tls,
            auth,
            chunk_octets: self.chunk_octets,
            ..config(self.hello)
        };
        let mut harness = Harness::with(config, pieces);
        if let Some((_, secret)) = &self.secret {
            harness.guard(traces(secret));
        }
        harness.take_events();
        for mail in &self.mails {
            harness.submit(mail.clone());
        }
        if self.quit {
            harness.quit();
        }
        let mut stalled = false;
        for (place, step) in self.steps.iter().enumerate() {
            match step {
                Step::Server(octets) => {
                    let spoken = place.checked_sub(1).and_then(|before| self.steps.get(before));
                    if matches!(spoken, Some(Step::Client { stall: false, .. }))
                        && !harness.offered().is_empty()
                    {
                        return Err(format!(
                            "writes more before step {place}: {}",
                            shown(&harness.offered())
                        ));
                    }
                    harness.receive(octets);
                }
                Step::Client { octets, stall } => {
                    stalled = *stall;
                    client_writes(&mut harness, octets, whole && !stall)
                        .map_err(|error| format!("step {place}: {error}"))?;
                }
                Step::Timeout(seconds) => {
                    let waited = harness.wait_for_timeout().as_secs();
                    if waited != *seconds {
                        return Err(format!("step {place}: waited {waited} s instead of {seconds}"));
                    }
                }
                Step::Close => harness.connection.handle_closed(None, harness.now),
                Step::Reset => {
                    let error = Some(std::io::ErrorKind::ConnectionReset);
                    harness.connection.handle_closed(error, harness.now);
                }
                Step::Abort(why) => harness.connection.abort(*why, harness.now),
                Step::Tls(_) if harness.handshake() != Handshake::Asked => {
                    return Err(format!("step {place}: asks for no handshake"));
                }
                Step::Tls(handshake) => harness.handle_tls(handshake.clone().map_err(Into::into)),
                Step::Quit => harness.quit(),
                Step::Submit(recipients) => {
                    let first = &self.mails[0];
                    let size = first.body.forms[0].size;
                    harness.submit(Mail::new(*recipients, size, first.content.clone()));
                }
            }
            harness.take_events();
        }
        if !stalled && !harness.offered().is_empty() {
            return Err(format!("writes more at the end: {}", shown(&harness.offered())));
        }
        self.compare(&harness)
    }

    fn compare(&self, harness: &Harness) -> Result<(), String> {
        let told: Vec<_> = harness
            .outcomes()
            .iter()
            .map(|(who, outcome)| (*who, describe(outcome)))
            .collect();
        let mut expected = self.outcomes.clone();
        expected.sort();
        if told != expected {
            return Err(format!("expected {expected:?}, was told {told:?}"));
        }
        if let Some(trail) = &self.trail
            && *trail != harness.trail()
        {
            return Err(format!(
                "expected the trail {trail}, was told {}",
                harness.trail()
            ));
        }
        let opened: Vec<String> = harness.opened().iter().map(ToString::to_string).collect();
        if let Some(expected) = &self.opened
            && *expected != opened.join(" ")
        {
            return Err(format!("opened the forms {opened:?}"));
        }
        if harness.is_closed() == self.open {
            return Err(format!("closed: {}", harness.is_closed()));
        }
        Ok(())
    }
}

/// What is said of every message.
#[derive(Default)]
struct MailKeys {
    forms: Vec<BodyForm>,
    chunking: Chunking,
    null_reverse_path: bool,
    from: Option<Mailbox>,
    parameters: EnvelopeParameters,
    mailboxes: Vec<(usize, Mailbox)>,
    notify: Vec<(usize, Notify)>,
    originals: Vec<(usize, OriginalRecipient)>,
}

impl MailKeys {
    /// False if it is no such key.
    fn reads(&mut self, key: &str, value: &str) -> Result<bool, String> {
        let (key, name) = key.split_once(' ').unwrap_or((key, ""));
        let index = NAMES.iter().position(|known| *known == name);
        match (key, index) {
            ("forms", None) => self.forms = value.split(' ').map(form).collect::<Result<_, _>>()?,
            ("chunking", None) if value == "prefer" => self.chunking = Chunking::Prefer,
            ("chunking", None) if value == "avoid" => self.chunking = Chunking::Avoid,
            ("from", None) if value == "<>" => self.null_reverse_path = true,
            ("from", None) => self.from = Some(parsed(value)?),
            ("ret", None) => self.parameters.ret = Some(parsed(value)?),
            ("envid", None) => self.parameters.envelope_id = Some(parsed(value)?),
            ("require-tls", None) => self.parameters.require_tls = true,
            ("to", Some(index)) => self.mailboxes.push((index, parsed(value)?)),
            ("notify", Some(index)) => self.notify.push((index, parsed(value)?)),
            ("original", Some(index)) => self.originals.push((index, parsed(value)?)),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn of(&self, mut mail: Mail) -> Mail {
        if !self.forms.is_empty() {
            mail.body.forms.clone_from(&self.forms);
        }
        mail.body.chunking = self.chunking;
        if self.null_reverse_path {
            mail.envelope.reverse_path = ReversePath::Null;
        }
        if let Some(from) = &self.from {
            mail.envelope.reverse_path = from.clone().into();
        }
        mail.envelope.parameters = self.parameters.clone();
        let recipients = &mut mail.envelope.recipients;
        for (index, mailbox) in &self.mailboxes {
            recipients[*index] = mailbox.clone().into();
        }
        for (index, notify) in &self.notify {
            recipients[*index].notify = Some(*notify);
        }
        for (index, original) in &self.originals {
            recipients[*index].original = Some(original.clone());
        }
        mail
    }
}

/// `[utf8+](7bit|8bit|binary)[/size]`
fn form(text: &str) -> Result<BodyForm, String> {
    let (kind, size) = text.split_once('/').unwrap_or((text, ""));
    let (smtputf8, kind) = kind
        .strip_prefix("utf8+")
        .map_or((false, kind), |kind| (true, kind));
    let body_type = match kind {
        "7bit" => BodyType::SevenBit,
        "8bit" => BodyType::EightBit,
        "binary" => BodyType::Binary,
        _ => return Err(format!("what is the form `{text}`?")),
    };
    Ok(BodyForm {
        needs: Needs { body_type, smtputf8 },
        size: size.parse().ok(),
    })
}

fn parsed<T: FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|error: T::Err| format!("{text}: {}", error.to_string()))
}

/// The client must write these octets now; in one write, if `at_once`.
fn client_writes(harness: &mut Harness, octets: &[u8], at_once: bool) -> Result<(), String> {
    let mut rest = octets;
    while !rest.is_empty() {
        let offered = harness.offered();
        let agree = offered.iter().zip(rest).take_while(|(a, b)| a == b).count();
        if agree == 0 || agree < offered.len().min(rest.len()) || (at_once && offered != rest) {
            return Err(format!("writes {} instead of {}", shown(&offered), shown(rest)));
        }
        let taken = harness.pieces.next(agree);
        harness.transmit(taken);
        rest = &rest[taken..];
    }
    Ok(())
}

fn event(line: &str) -> Result<Step, String> {
    let word = line.trim_start_matches('<').trim_end_matches('>');
    let (word, number) = word.split_once(' ').unwrap_or((word, ""));
    Ok(match word {
        "cancel" => Step::Abort(Abort::Cancelled),
        "close" => Step::Close,
        "deadline" => Step::Abort(Abort::Deadline),
        "quit" => Step::Quit,
        "reset" => Step::Reset,
        "submit" => Step::Submit(number.parse().map_err(|_| "<submit RECIPIENTS>")?),
        "tls" => Step::Tls(handshake(number)?),
        "timeout" => Step::Timeout(number.parse().map_err(|_| "<timeout SECONDS>")?),
        "unreadable" => Step::Abort(Abort::ContentUnreadable),
        _ => return Err(format!("what is `{line}`?")),
    })
}

fn tls_use(word: &str) -> Result<TlsUse, String> {
    Ok(match word {
        "implicit" => TlsUse::Implicit,
        "opportunistic" => TlsUse::Opportunistic,
        "required" => TlsUse::Required,
        _ => return Err(format!("what is TLS `{word}`?")),
    })
}

fn handshake(how: &str) -> Result<Result<TlsSession, String>, String> {
    Ok(match how {
        "" => Ok(TlsSession { verified: true }),
        "unverified" => Ok(TlsSession { verified: false }),
        _ => Err(how
            .strip_prefix("failed ")
            .ok_or("<tls>, <tls unverified> or <tls failed WHY>")?
            .to_owned()),
    })
}

/// `\r \n \t \\ \xNN`, and `{text*N}` for a text N times.
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        rest = &rest[next.len_utf8()..];
        match next {
            '\\' => {
                let (escape, after) = rest.split_at(1);
                rest = after;
                match escape {
                    "r" => octets.push(b'\r'),
                    "n" => octets.push(b'\n'),
                    "t" => octets.push(b'\t'),
                    "\\" => octets.push(b'\\'),
                    "x" => {
                        octets.push(u8::from_str_radix(&rest[..2], 16).map_err(|error| error.to_string())?);
                        rest = &rest[2..];
                    }
                    _ => return Err(format!("what is `\\{escape}`?")),
                }
            }
            '{' => {
                let (repetition, after) = rest.split_once('}').ok_or("a { without }")?;
                let (text, times) = repetition.rsplit_once('*').ok_or("a repetition is {text*N}")?;
                rest = after;
                let times: usize = times.parse().map_err(|_| "a repetition is {text*N}")?;
                octets.extend(unescape(text)?.repeat(times));
            }
            _ => octets.extend(next.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Ok(octets)
}

/// The secret, and what of it is the same in the base64 of any message that holds it.
fn traces(secret: &str) -> Vec<String> {
    let in_base64 = (0..3).map(|shift| {
        let encoded = STANDARD_NO_PAD.encode("x".repeat(shift) + secret);
        let end = encoded.len() - 1;
        encoded[if shift == 0 { 0 } else { shift + 1 }..end].to_owned()
    });
    std::iter::once(secret.to_owned()).chain(in_base64).collect()
}

fn unescaped_text(escaped: &str) -> Result<String, String> {
    String::from_utf8(unescape(escaped)?).map_err(|error| error.to_string())
}

fn shown(octets: &[u8]) -> String {
    if octets.is_empty() {
        "nothing".to_owned()
    } else {
        format!("`{}`", octets.escape_ascii())
    }
}
