//! The cut test: for every flight plan the dialogue is cut behind every single octet of either side, in every way
//! a peer or a caller can cut it, and each recipient must get exactly the outcome that an oracle works out.
//!
//! The oracle knows nothing of the machine. It looks at the dialogue as it was up to the cut: which replies were
//! read whole, and which commands and contents were given to the system whole.
//!
//! One long file, since the plans, the dialogue they make and the oracle that reads it are one argument.

mod support;

use bytes::Bytes;
use map_core::smtp::{Abort, Authentication, Config, Hello, SecretKind, TlsSession, TlsUse};
use support::{Harness, Mail, NAMES, Pieces, config, describe};

#[test]
fn without_extensions() {
    cut_everywhere(&plans(Flight::Plain), 40_000);
}

#[test]
fn with_pipelining() {
    cut_everywhere(&plans(Flight::Pipelined), 40_000);
}

#[test]
fn with_pipelining_and_an_eager_server() {
    cut_everywhere(&plans(Flight::PipelinedEager), 40_000);
}

#[test]
fn through_tls_and_auth() {
    cut_everywhere(&secured(Flight::Plain), 20_000);
}

#[test]
fn through_tls_and_auth_with_pipelining() {
    let plans = [secured(Flight::Pipelined), secured(Flight::PipelinedEager)].concat();
    cut_everywhere(&plans, 30_000);
}

/// `at_least` so many cuts, or the plans have shrunk.
fn cut_everywhere(plans: &[Plan], at_least: usize) {
    let mut cuts = 0;
    let mut violations = Vec::new();
    for plan in plans {
        let dialogue = plan.dialogue();
        let turns = dialogue.turns();
        let octets: usize = turns.iter().map(|turn| turn.octets.len()).sum();
        for at in 0..=octets {
            // How octets are cut into pieces and how all ends are two things: the pieces need not meet each ending.
            for (pieces, endings) in [(Pieces::Whole, &ENDINGS[..]), (Pieces::Octets, &ENDINGS[..2])] {
                for ending in endings.iter().copied() {
                    let result = cut(plan, &dialogue, &turns, at, ending, pieces.clone());
                    let Some(result) = result else { continue };
                    cuts += 1;
                    if let Err(error) = result {
                        violations.push(format!(
                            "{plan:?}\n  {ending:?} behind octet {at} of {octets}: {error}"
                        ));
                    }
                }
            }
        }
    }
    println!("{cuts} cuts, {} violations", violations.len());
    let shown = violations.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(violations.is_empty(), "{} violations:\n{shown}", violations.len());
    assert!(cuts >= at_least, "only {cuts} cuts");
}

/// How a dialogue is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Cancel,
    Close,
    Deadline,
    /// Something that is not SMTP.
    Garbage,
    Reset,
    /// Neither side's octets move any more.
    Silence,
    /// 421, then closed.
    Shutdown,
}

const ENDINGS: [Ending; 7] = [
    Ending::Close,
    Ending::Silence,
    Ending::Cancel,
    Ending::Deadline,
    Ending::Garbage,
    Ending::Reset,
    Ending::Shutdown,
];

/// What a server offers and answers, and what it is sent.
#[derive(Clone, Debug)]
struct Plan {
    pipelining: bool,
    /// The server answers each command before it has read the next, however many were sent.
    eager: bool,
    session: Session,
    mails: Vec<MailPlan>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Session {
    Ehlo,
    /// EHLO is refused.
    Fallback,
    Helo,
    /// Within TLS from the beginning, and with AUTH.
    Implicit(Auth),
    /// STARTTLS is refused, and the session goes on in the clear.
    InTheClear,
    /// STARTTLS, and with AUTH.
    StartTls(Auth),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Auth {
    Login,
    None,
    Plain,
    Scram,
    /// The server does not know the first mechanism that it offers.
    SecondTry,
}

#[derive(Clone, Debug)]
struct MailPlan {
    /// MAIL is refused with 555 first, for its SIZE; DATA behind it is answered so.
    parameters_refused: Option<u16>,
    mail: u16,
    rcpts: Vec<u16>,
    data: u16,
    content: u16,
}

const ALL_WELL: u16 = 250;

fn mail(rcpts: &[u16], content: u16) -> MailPlan {
    MailPlan {
        parameters_refused: None,
        mail: ALL_WELL,
        rcpts: rcpts.to_vec(),
        data: 354,
        content,
    }
}

/// How the commands fly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flight {
    Plain,
    Pipelined,
    PipelinedEager,
}

fn plans(flight: Flight) -> Vec<Plan> {
    let mails = vec![
        vec![mail(&[250], 250)],
        vec![mail(&[250, 250, 250], 250)],
        vec![mail(&[250], 554)],
        vec![mail(&[550], 250)],
        vec![mail(&[251, 550, 450], 250)],
        vec![mail(&[550, 250, 450], 451)],
        vec![mail(&[550, 450, 550], 250)],
        vec![MailPlan {
            data: 554,
            ..mail(&[550, 550], 250)
        }],
        vec![MailPlan {
            data: 451,
            ..mail(&[250, 550], 250)
        }],
        vec![MailPlan {
            mail: 550,
            ..mail(&[503], 250)
        }],
        vec![MailPlan {
            mail: 451,
            data: 503,
            ..mail(&[503, 503], 250)
        }],
        vec![MailPlan {
            parameters_refused: Some(503),
            ..mail(&[250], 250)
        }],
        vec![MailPlan {
            parameters_refused: Some(354),
            ..mail(&[250, 550], 250)
        }],
        vec![MailPlan {
            parameters_refused: Some(503),
            mail: 501,
            data: 503,
            ..mail(&[503], 250)
        }],
        vec![mail(&[250], 250), mail(&[250], 250)],
        vec![mail(&[250], 554), mail(&[250, 550, 250], 250), mail(&[250], 250)],
        vec![mail(&[550], 250), mail(&[250], 250)],
        vec![
            MailPlan {
                data: 451,
                ..mail(&[250], 250)
            },
            mail(&[250], 250),
        ],
        vec![
            MailPlan {
                mail: 550,
                data: 503,
                ..mail(&[503], 250)
            },
            mail(&[250], 451),
            mail(&[550], 250),
        ],
    ];
    let pipelining = flight != Flight::Plain;
    let eager = flight == Flight::PipelinedEager;
    let of_mails = |mails| Plan {
        pipelining,
        eager,
        session: Session::Ehlo,
        mails,
    };
    let mut plans: Vec<Plan> = mails.into_iter().map(of_mails).collect();
    if pipelining {
        return plans;
    }
    for session in [Session::Fallback, Session::Helo] {
        let mails = vec![mail(&[250, 550, 250], 250), mail(&[250], 250)];
        plans.push(Plan {
            pipelining: false,
            eager: false,
            session,
            mails,
        });
    }
    plans
}

/// Every way to a session that is more than EHLO.
fn secured(flight: Flight) -> Vec<Plan> {
    let sessions = [
        Session::InTheClear,
        Session::StartTls(Auth::None),
        Session::StartTls(Auth::Login),
        Session::StartTls(Auth::SecondTry),
        Session::Implicit(Auth::None),
        Session::Implicit(Auth::Plain),
    ];
    let plan = |session| Plan {
        pipelining: flight != Flight::Plain,
        eager: flight == Flight::PipelinedEager,
        session,
        mails: vec![mail(&[250, 550], 250), mail(&[250], 554)],
    };
    let mut plans: Vec<Plan> = sessions.into_iter().map(plan).collect();
    if flight == Flight::Plain {
        // Once, and with little behind it: every cut hashes the password some thousand times.
        plans.push(Plan {
            mails: vec![mail(&[250], 250)],
            ..plan(Session::Implicit(Auth::Scram))
        });
    }
    plans
}

/// What a reply answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    /// The handshake, which stands as one octet of the server's.
    Tls,
    Auth,
    /// With the transaction behind it, from 0, as all below.
    Rset(usize),
    Mail(usize),
    Rcpt(usize, usize),
    Data(usize),
    Content(usize),
    LoneDot(usize),
    Quit,
}

impl Of {
    fn word(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::StartTls => "STARTTLS",
            Self::Tls => "TLS",
            Self::Auth => "AUTH",
            Self::Rset(_) => "RSET",
            Self::Mail(_) => "MAIL",
            Self::Rcpt(..) => "RCPT",
            Self::Data(_) => "DATA",
            Self::Content(_) | Self::LoneDot(_) => "content",
            Self::Quit => "QUIT",
        }
    }

    fn transaction(self) -> Option<usize> {
        match self {
            Self::Greeting
            | Self::Ehlo
            | Self::Helo
            | Self::StartTls
            | Self::Tls
            | Self::Auth
            | Self::Quit => None,
            Self::Rset(tx)
            | Self::Mail(tx)
            | Self::Rcpt(tx, _)
            | Self::Data(tx)
            | Self::Content(tx)
            | Self::LoneDot(tx) => Some(tx),
        }
    }
}

/// A command, or a content, and its reply.
#[derive(Clone, Debug)]
struct Exchange {
    of: Of,
    command: Vec<u8>,
    code: u16,
    reply: Vec<u8>,
    /// Written together with the one before it.
    joined: bool,
}

struct Dialogue {
    exchanges: Vec<Exchange>,
    eager: bool,
}

/// Octets of one side.
struct Turn {
    side: Side,
    octets: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Handshake,
    Server,
}

impl Plan {
    fn dialogue(&self) -> Dialogue {
        let mut script = Script {
            exchanges: Vec::new(),
            pipelining: self.pipelining,
        };
        script.open(self.session);
        let mut stale = false;
        for (tx, mail) in self.mails.iter().enumerate() {
            if stale {
                script.push(Of::Rset(tx), "RSET\r\n", 250, false);
            }
            if let Some(data) = mail.parameters_refused {
                let refused = MailPlan {
                    mail: 555,
                    rcpts: vec![503; mail.rcpts.len()],
                    data,
                    ..mail.clone()
                };
                script.transaction(tx, &refused, " SIZE=9", stale);
                stale = script.transaction(tx, mail, "", false);
            } else {
                stale = script.transaction(tx, mail, "", stale);
            }
        }
        let joined = script.pipelining && matches!(script.last(), Of::Content(_));
        script.push(Of::Quit, "QUIT\r\n", 221, joined);
        Dialogue {
            exchanges: script.exchanges,
            eager: self.eager,
        }
    }

    /// The size is told only where it is to be refused.
    fn size(&self, tx: usize) -> Option<u64> {
        self.mails[tx].parameters_refused.map(|_| 9)
    }
}

struct Script {
    exchanges: Vec<Exchange>,
    pipelining: bool,
}

impl Script {
    fn push(&mut self, of: Of, command: &str, code: u16, joined: bool) {
        // Some replies in two lines, so that a cut falls between them.
        let reply = match self.exchanges.len() % 3 {
            0 => format!("{code} said\r\n"),
            1 => format!("{code}\r\n"),
            _ => format!("{code}-said\r\n{code} twice\r\n"),
        };
        let command = command.as_bytes().to_vec();
        self.exchanges.push(Exchange {
            of,
            command,
            code,
            reply: reply.into_bytes(),
            joined,
        });
    }

    /// With a reply of its own.
    fn say(&mut self, of: Of, command: &str, code: u16, reply: &str) {
        self.push(of, command, code, false);
        self.exchanges.last_mut().unwrap().reply = reply.as_bytes().to_vec();
    }

    fn ehlo(&mut self, offer: &str) {
        let extension = if self.pipelining { "PIPELINING" } else { "HELP" };
        let reply = format!("250-mx.example\r\n250-{extension}\r\n{offer}250 SIZE\r\n");
        self.say(Of::Ehlo, "EHLO client.example\r\n", 250, &reply);
    }

    /// Up to the first MAIL.
    fn open(&mut self, session: Session) {
        if let Session::Implicit(_) = session {
            self.say(Of::Tls, "", 0, "~");
        }
        self.push(Of::Greeting, "", 220, false);
        match session {
            Session::Ehlo => self.ehlo(""),
            Session::Fallback => {
                self.push(Of::Ehlo, "EHLO client.example\r\n", 500, false);
                self.push(Of::Helo, "HELO client.example\r\n", 250, false);
            }
            Session::Helo => self.push(Of::Helo, "HELO client.example\r\n", 250, false),
            Session::Implicit(auth) => {
                self.ehlo(auth.offer());
                self.authenticate(auth);
            }
            Session::InTheClear => {
                self.ehlo("250-STARTTLS\r\n");
                self.push(Of::StartTls, "STARTTLS\r\n", 454, false);
            }
            Session::StartTls(auth) => {
                self.ehlo("250-STARTTLS\r\n250-AUTH PLAIN\r\n");
                self.push(Of::StartTls, "STARTTLS\r\n", 220, false);
                self.say(Of::Tls, "", 0, "~");
                self.ehlo(auth.offer());
                self.authenticate(auth);
            }
        }
    }

    fn authenticate(&mut self, auth: Auth) {
        const PLAIN: &str = "AUTH PLAIN AHVzZXIAcGVuY2ls\r\n";
        const FIRST: &str = "AUTH SCRAM-SHA-256 biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8=\r\n";
        match auth {
            Auth::None => {}
            Auth::Login => {
                self.say(Of::Auth, "AUTH LOGIN\r\n", 334, "334 VXNlcm5hbWU6\r\n");
                self.say(Of::Auth, "dXNlcg==\r\n", 334, "334 UGFzc3dvcmQ6\r\n");
                self.push(Of::Auth, "cGVuY2ls\r\n", 235, false);
            }
            Auth::Plain => self.push(Of::Auth, PLAIN, 235, false),
            Auth::SecondTry => {
                self.push(Of::Auth, FIRST, 504, false);
                self.push(Of::Auth, PLAIN, 235, false);
            }
            // RFC 7677 section 3.
            Auth::Scram => {
                let server_first = "334 cj1yT3ByTkdmd0ViZVJXZ2JORWtxTyVodllEcFdVYTJSYVRDQWZ1eEZJbGopaE5sRiRrMCxzPVcyMlphSjBTTlk3\
                                    c29Fc1VFamI2Z1E9PSxpPTQwOTY=\r\n";
                let client_final = "Yz1iaXdzLHI9ck9wck5HZndFYmVSV2diTkVrcU8laHZZRHBXVWEyUmFUQ0FmdXhGSWxqKWhObEYkazAscD1kSHpiWmFw\
                                    V0lrNGpVaE4rVXRlOXl0YWc5empmTUhnc3FtbWl6N0FuZFZRPQ==\r\n";
                let server_final = "334 dj02cnJpVFJCaTIzV3BSUi93dHVwK21NaFVaVW4vZEI1bkxUSlJzamw5NUc0PQ==\r\n";
                self.say(Of::Auth, FIRST, 334, server_first);
                self.say(Of::Auth, client_final, 334, server_final);
                self.push(Of::Auth, "\r\n", 235, false);
            }
        }
    }

    fn last(&self) -> Of {
        self.exchanges.last().unwrap().of
    }

    /// One attempt; true when it leaves a MAIL at the server.
    fn transaction(&mut self, tx: usize, mail: &MailPlan, parameters: &str, behind_rset: bool) -> bool {
        let ahead = self.pipelining;
        let joined = ahead && (behind_rset || matches!(self.last(), Of::Content(_)));
        let command = format!("MAIL FROM:<sender@client.example>{parameters}\r\n");
        self.push(Of::Mail(tx), &command, mail.mail, joined);
        let mail_accepted = mail.mail < 300;
        if !mail_accepted && !ahead {
            return false;
        }
        for (index, code) in mail.rcpts.iter().enumerate() {
            self.push(
                Of::Rcpt(tx, index),
                &format!("RCPT TO:<{}@mx.example>\r\n", NAMES[index]),
                *code,
                ahead,
            );
        }
        let somebody = mail.rcpts.iter().any(|code| *code < 300);
        if !somebody && !ahead {
            return true;
        }
        self.push(Of::Data(tx), "DATA\r\n", mail.data, ahead);
        if mail.data != 354 {
            return mail_accepted;
        }
        if mail_accepted && somebody {
            self.push(Of::Content(tx), "hi\r\n..x\r\n.\r\n", mail.content, false);
        } else {
            self.push(Of::LoneDot(tx), ".\r\n", 554, false);
        }
        false
    }
}

impl Auth {
    fn offer(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Login => "250-AUTH LOGIN\r\n",
            Self::Plain => "250-AUTH LOGIN PLAIN\r\n",
            Self::Scram => "250-AUTH SCRAM-SHA-256\r\n",
            Self::SecondTry => "250-AUTH PLAIN SCRAM-SHA-256\r\n",
        }
    }
}

impl Dialogue {
    fn turns(&self) -> Vec<Turn> {
        let mut turns = Vec::new();
        let mut group: Vec<&Exchange> = Vec::new();
        for exchange in &self.exchanges {
            if !exchange.joined || self.eager {
                Self::write(&group, &mut turns);
                group.clear();
            }
            group.push(exchange);
        }
        Self::write(&group, &mut turns);
        turns
    }

    fn write(group: &[&Exchange], turns: &mut Vec<Turn>) {
        let commands = group
            .iter()
            .flat_map(|exchange| exchange.command.clone())
            .collect();
        let replies = group.iter().flat_map(|exchange| exchange.reply.clone()).collect();
        let answers = match group.first() {
            Some(exchange) if exchange.of == Of::Tls => Side::Handshake,
            _ => Side::Server,
        };
        turns.push(Turn {
            side: Side::Client,
            octets: commands,
        });
        turns.push(Turn {
            side: answers,
            octets: replies,
        });
    }
}

/// One run; `None` where this ending makes no sense.
fn cut(
    plan: &Plan,
    dialogue: &Dialogue,
    turns: &[Turn],
    at: usize,
    ending: Ending,
    pieces: Pieces,
) -> Option<Result<(), String>> {
    let mut left = at;
    let mut written = 0;
    let mut read = 0;
    let mut harness = begin(plan, pieces);
    for turn in turns {
        let now = left.min(turn.octets.len());
        left -= now;
        let octets = &turn.octets[..now];
        match turn.side {
            Side::Server => {
                read += now;
                harness.receive(octets);
            }
            Side::Handshake => {
                read += now;
                if !octets.is_empty() {
                    harness.handle_tls(Ok(TlsSession { verified: true }));
                }
            }
            Side::Client => {
                written += now;
                if let Err(error) = write(&mut harness, octets) {
                    return Some(Err(error));
                }
            }
        }
        if now < turn.octets.len() {
            break;
        }
    }
    let seen = Seen::new(dialogue, written, read);
    if seen.within_reply && matches!(ending, Ending::Garbage | Ending::Shutdown) {
        return None;
    }
    end(&mut harness, ending);
    Some(compare(plan, &seen, &harness, ending))
}

fn begin(plan: &Plan, pieces: Pieces) -> Harness {
    let hello = if plan.session == Session::Helo {
        Hello::Helo
    } else {
        Hello::Ehlo
    };
    let (tls, auth) = match plan.session {
        Session::Ehlo | Session::Fallback | Session::Helo => (TlsUse::Clear, Auth::None),
        Session::Implicit(auth) => (TlsUse::Implicit, auth),
        Session::InTheClear => (TlsUse::Opportunistic, Auth::None),
        Session::StartTls(auth) => (TlsUse::Required, auth),
    };
    let login = Authentication {
        user: "user".to_owned(),
        secret: "pencil".into(),
        kind: SecretKind::Password,
        nonce: "rOprNGfwEbeRWgbNEkqO".to_owned(),
    };
    let config = Config {
        tls,
        auth: (auth != Auth::None).then_some(login),
        ..config(hello)
    };
    let mut harness = Harness::with(config, pieces);
    for (tx, mail) in plan.mails.iter().enumerate() {
        let content = Bytes::from_static(b"hi\r\n.x\r\n");
        harness.submit(Mail::new(mail.rcpts.len(), plan.size(tx), content));
    }
    harness.quit();
    harness
}

fn write(harness: &mut Harness, octets: &[u8]) -> Result<(), String> {
    let mut rest = octets;
    while !rest.is_empty() {
        let offered = harness.offered();
        let ready = offered.len().min(rest.len());
        if ready == 0 || offered[..ready] != rest[..ready] {
            return Err(format!(
                "writes `{}` instead of `{}`",
                offered.escape_ascii(),
                rest.escape_ascii()
            ));
        }
        let taken = harness.pieces.next(ready);
        harness.transmit(taken);
        rest = &rest[taken..];
    }
    Ok(())
}

fn end(harness: &mut Harness, ending: Ending) {
    let now = harness.now;
    match ending {
        Ending::Cancel => harness.connection.abort(Abort::Cancelled, now),
        Ending::Close => harness.connection.handle_closed(None, now),
        Ending::Deadline => harness.connection.abort(Abort::Deadline, now),
        Ending::Garbage => harness.receive(b"<html>\r\n"),
        Ending::Reset => harness
            .connection
            .handle_closed(Some(std::io::ErrorKind::ConnectionReset), now),
        Ending::Shutdown => {
            harness.receive(b"421 bye\r\n");
            harness.connection.handle_closed(None, now);
        }
        Ending::Silence => {
            // The wait for the reply, and for the answer to QUIT. More would be a hang.
            for _ in 0..2 {
                if harness.connection.poll_deadline().is_some() {
                    harness.wait_for_timeout();
                }
            }
        }
    }
    harness.take_events();
}

fn compare(plan: &Plan, seen: &Seen<'_>, harness: &Harness, ending: Ending) -> Result<(), String> {
    if !harness.is_closed() {
        return Err("is not closed".to_owned());
    }
    for (tx, mail) in plan.mails.iter().enumerate() {
        for index in 0..mail.rcpts.len() {
            let expected = seen.outcome(tx, index, ending);
            let told = harness
                .outcome(tx + 1, index)
                .map_or("nothing".to_owned(), describe);
            if told != expected {
                return Err(format!(
                    "recipient {index} of {tx}: expected {expected}, was told {told}"
                ));
            }
        }
    }
    Ok(())
}

/// The oracle: what was seen of a dialogue up to a cut.
struct Seen<'a> {
    /// Exchanges whose reply was read whole.
    answered: &'a [Exchange],
    /// The exchange whose reply is the next.
    next: Option<&'a Exchange>,
    /// Commands and contents that were sent whole.
    sent: &'a [Exchange],
    within_reply: bool,
}

impl<'a> Seen<'a> {
    fn new(dialogue: &'a Dialogue, written: usize, read: usize) -> Self {
        let exchanges = &dialogue.exchanges;
        let whole = |octets: usize, length: fn(&Exchange) -> usize| {
            let mut sum = 0;
            let count = exchanges
                .iter()
                .take_while(|exchange| {
                    sum += length(exchange);
                    sum <= octets
                })
                .count();
            let used: usize = exchanges[..count].iter().map(length).sum();
            (count, octets > used)
        };
        let (answered, within_reply) = whole(read, |exchange| exchange.reply.len());
        let (sent, _) = whole(written, |exchange| exchange.command.len());
        Self {
            answered: &exchanges[..answered],
            next: exchanges.get(answered),
            sent: &exchanges[..sent],
            within_reply,
        }
    }

    fn outcome(&self, tx: usize, index: usize, ending: Ending) -> String {
        self.verdict(tx, index)
            .unwrap_or_else(|| self.without_verdict(tx, ending))
    }

    /// What the replies say of a recipient, if they say it all.
    fn verdict(&self, tx: usize, index: usize) -> Option<String> {
        let mut mail_accepted = false;
        let mut verdict = None;
        for exchange in self
            .answered
            .iter()
            .filter(|exchange| exchange.of.transaction() == Some(tx))
        {
            let code = exchange.code;
            let refused = |word: &str| Some(format!("refused at {word} ({code})"));
            match exchange.of {
                Of::Mail(_) => {
                    mail_accepted = code < 300;
                    let may_be_repeated = code == 555;
                    if !mail_accepted && !may_be_repeated {
                        verdict = verdict.or_else(|| refused("MAIL"));
                    }
                }
                Of::Rcpt(_, of) if of == index && mail_accepted && code >= 400 => {
                    verdict = verdict.or_else(|| refused("RCPT"));
                }
                Of::Data(_) if mail_accepted && code >= 400 => verdict = verdict.or_else(|| refused("DATA")),
                Of::Content(_) if code < 300 => {
                    verdict = verdict.or_else(|| Some(format!("accepted ({code})")));
                }
                Of::Content(_) => verdict = verdict.or_else(|| refused("content")),
                _ => {}
            }
        }
        verdict
    }

    /// What the ending makes of a recipient without one.
    fn without_verdict(&self, tx: usize, ending: Ending) -> String {
        let next = self.next.expect("with every reply read there is a verdict");
        let given_up = matches!(ending, Ending::Cancel | Ending::Deadline);
        let shutdown = ending == Ending::Shutdown;
        let why = match ending {
            Ending::Cancel => "cancelled",
            Ending::Close => "closed",
            Ending::Deadline => "deadline",
            Ending::Garbage | Ending::Shutdown if next.of == Of::Tls => "injected",
            Ending::Garbage => "not SMTP",
            Ending::Reset => "reset",
            Ending::Silence => "timed out",
            Ending::Shutdown => "421",
        };
        let content_sent = self.sent.iter().any(|exchange| exchange.of == Of::Content(tx));
        if content_sent && !shutdown {
            return format!("uncertain ({why})");
        }
        // A refusal that asked for another try stands when that is not answered, unless we gave up ourselves.
        let last_mail = self
            .answered
            .iter()
            .rev()
            .find(|exchange| exchange.of == Of::Mail(tx));
        let refused_for_parameters = last_mail.is_some_and(|exchange| exchange.code == 555);
        if refused_for_parameters && !given_up && !shutdown {
            return "refused at MAIL (555)".to_owned();
        }
        if next.of == Of::Helo && !given_up && !shutdown && self.answered.iter().any(|e| e.of == Of::Ehlo) {
            return "refused at EHLO (500)".to_owned();
        }
        let stage = self.stage(tx, next, refused_for_parameters, shutdown);
        if shutdown && next.of != Of::Tls {
            format!("refused at {stage} (421)")
        } else {
            format!("lost at {stage} ({why})")
        }
    }

    /// What was awaited, as a transaction without a verdict sees it.
    fn stage(
        &self,
        tx: usize,
        next: &Exchange,
        refused_for_parameters: bool,
        shutdown: bool,
    ) -> &'static str {
        let asked = self.sent.len() > self.answered.len();
        match next.of.transaction() {
            None => next.of.word(),
            // Replies to the first envelope are read, and what is awaited is the answer to the second MAIL. A 421
            // is told with the command it answers, if it answers one.
            Some(of) if of == tx && refused_for_parameters => match next.of {
                Of::Rcpt(..) | Of::Data(_) if shutdown && asked => next.of.word(),
                _ => "MAIL",
            },
            Some(of) if of == tx => next.of.word(),
            Some(_) => "MAIL",
        }
    }
}
