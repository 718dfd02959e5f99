//! What a server offers and answers in a cut test, and the dialogue that it makes.

use super::support::NAMES;

/// What a server offers and answers, and what it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    flight: Flight,
    pub(crate) session: Session,
    /// The content goes by BDAT, in three chunks.
    pub(crate) chunked: bool,
    /// One recipient in each transaction.
    one_by_one: bool,
    pub(crate) mails: Vec<MailPlan>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Session {
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
pub(crate) enum Auth {
    Login,
    None,
    Plain,
    Scram,
    /// The server does not know the first mechanism that it offers.
    SecondTry,
}

#[derive(Clone, Debug)]
pub(crate) struct MailPlan {
    /// MAIL is refused with 555 first, for its SIZE; DATA after it is answered so.
    parameters_refused: Option<u16>,
    transactions: Vec<TransactionPlan>,
}

/// What is answered to one mail transaction.
#[derive(Clone, Debug)]
struct TransactionPlan {
    mail: u16,
    /// By index of the recipient.
    rcpts: Vec<(usize, u16)>,
    data: u16,
    /// To the chunks before the last.
    chunks: [u16; 2],
    content: u16,
}

const ALL_WELL: u16 = 250;

/// One transaction for everybody.
fn mail(rcpts: &[u16], content: u16) -> MailPlan {
    let rcpts: Vec<(usize, u16)> = rcpts.iter().copied().enumerate().collect();
    MailPlan {
        parameters_refused: None,
        transactions: vec![transaction(&rcpts, content)],
    }
}

fn transactions(transactions: &[TransactionPlan]) -> MailPlan {
    MailPlan {
        parameters_refused: None,
        transactions: transactions.to_vec(),
    }
}

fn transaction(rcpts: &[(usize, u16)], content: u16) -> TransactionPlan {
    TransactionPlan {
        mail: ALL_WELL,
        rcpts: rcpts.to_vec(),
        data: 354,
        chunks: [ALL_WELL; 2],
        content,
    }
}

impl MailPlan {
    fn but(mut self, change: impl Fn(&mut TransactionPlan)) -> Self {
        self.transactions.iter_mut().for_each(change);
        self
    }

    fn data(self, code: u16) -> Self {
        self.but(|transaction| transaction.data = code)
    }

    fn mail(self, code: u16) -> Self {
        self.but(|transaction| transaction.mail = code)
    }

    fn chunks(self, codes: [u16; 2]) -> Self {
        self.but(|transaction| transaction.chunks = codes)
    }

    fn parameters_refused(mut self, data: u16) -> Self {
        self.parameters_refused = Some(data);
        self
    }

    /// Everybody who is in some transaction.
    pub(crate) fn recipients(&self) -> usize {
        let last = self
            .transactions
            .iter()
            .flat_map(|transaction| &transaction.rcpts)
            .map(|(index, _)| index);
        last.max().map_or(0, |last| last + 1)
    }
}

/// How the commands fly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flight {
    Plain,
    Pipelined,
    PipelinedEager,
}

impl Flight {
    fn has_pipelining(self) -> bool {
        self != Self::Plain
    }
}

impl Plan {
    fn new(flight: Flight, mails: Vec<MailPlan>) -> Self {
        Self {
            flight,
            session: Session::Ehlo,
            chunked: false,
            one_by_one: false,
            mails,
        }
    }
}

pub(crate) fn plans(flight: Flight) -> Vec<Plan> {
    let mails = vec![
        vec![mail(&[250], 250)],
        vec![mail(&[250, 250, 250], 250)],
        vec![mail(&[250], 554)],
        vec![mail(&[550], 250)],
        vec![mail(&[251, 550, 450], 250)],
        vec![mail(&[550, 250, 450], 451)],
        vec![mail(&[550, 450, 550], 250)],
        vec![mail(&[550, 550], 250).data(554)],
        vec![mail(&[250, 550], 250).data(451)],
        vec![mail(&[503], 250).mail(550)],
        vec![mail(&[503, 503], 250).mail(451).data(503)],
        vec![mail(&[250], 250).parameters_refused(503)],
        vec![mail(&[250, 550], 250).parameters_refused(354)],
        vec![mail(&[503], 250).parameters_refused(503).mail(501).data(503)],
        vec![mail(&[250], 250), mail(&[250], 250)],
        vec![mail(&[250], 554), mail(&[250, 550, 250], 250), mail(&[250], 250)],
        vec![mail(&[550], 250), mail(&[250], 250)],
        vec![mail(&[250], 250).data(451), mail(&[250], 250)],
        vec![
            mail(&[503], 250).mail(550).data(503),
            mail(&[250], 451),
            mail(&[550], 250),
        ],
    ];
    let mut plans: Vec<Plan> = mails.into_iter().map(|mails| Plan::new(flight, mails)).collect();
    if flight.has_pipelining() {
        return plans;
    }
    for session in [Session::Fallback, Session::Helo] {
        let mails = vec![mail(&[250, 550, 250], 250), mail(&[250], 250)];
        plans.push(Plan {
            session,
            ..Plan::new(flight, mails)
        });
    }
    plans
}

/// Three recipients and more transactions than one: who is put off, and who waits for lack of room.
pub(crate) fn in_rounds(flight: Flight) -> Vec<Plan> {
    let refused = |rcpts: &[(usize, u16)]| TransactionPlan {
        mail: 451,
        data: 503,
        ..transaction(rcpts, 250)
    };
    let data_refused = TransactionPlan {
        data: 451,
        ..transaction(&[(0, 250), (1, 552), (2, 550)], 250)
    };
    let put_off = [
        transactions(&[
            transaction(&[(0, 250), (1, 452), (2, 250)], 250),
            transaction(&[(1, 250)], 554),
        ]),
        // One is all that the host has room for.
        transactions(&[
            transaction(&[(0, 250), (1, 452), (2, 552)], 451),
            transaction(&[(1, 550)], 250),
            transaction(&[(2, 250)], 250),
        ]),
        transactions(&[data_refused, transaction(&[(1, 250)], 250)]),
        transactions(&[
            transaction(&[(0, 250), (1, 452), (2, 550)], 250),
            refused(&[(1, 503)]),
        ]),
        // The host counts the recipients of the session.
        transactions(&[
            transaction(&[(0, 250), (1, 552), (2, 550)], 250),
            transaction(&[(1, 552)], 250),
        ]),
        transactions(&[
            transaction(&[(0, 250), (1, 250), (2, 452)], 554),
            transaction(&[(2, 250)], 250),
        ]),
    ];
    let one_by_one = [
        transactions(&[
            transaction(&[(0, 250)], 250),
            transaction(&[(1, 250)], 554),
            transaction(&[(2, 250)], 250),
        ]),
        transactions(&[
            transaction(&[(0, 550)], 250),
            transaction(&[(1, 250)], 451),
            transaction(&[(2, 550)], 250),
        ]),
        // The MAIL that was accepted before is refused.
        transactions(&[
            transaction(&[(0, 250)], 250),
            refused(&[(1, 503)]),
            transaction(&[(2, 250)], 250),
        ]),
    ];
    let put_off = put_off.map(|mail| Plan::new(flight, vec![mail]));
    let one_by_one = one_by_one.map(|first| Plan {
        one_by_one: true,
        ..Plan::new(flight, vec![first, mail(&[250], 250)])
    });
    put_off.into_iter().chain(one_by_one).collect()
}

/// BDAT.
pub(crate) fn in_chunks(flight: Flight) -> Vec<Plan> {
    let mut mails = vec![
        vec![mail(&[250], 250)],
        vec![mail(&[250, 550, 250], 250)],
        vec![mail(&[250], 554), mail(&[250], 250)],
        vec![mail(&[550], 250), mail(&[250], 250)],
        vec![mail(&[250, 250, 450], 503).chunks([250, 452]), mail(&[250], 250)],
        vec![mail(&[250], 503).chunks([554, 503]), mail(&[250], 250)],
        // The server does not know BDAT.
        vec![mail(&[250, 550, 250], 503).chunks([502, 503])],
        vec![transactions(&[
            transaction(&[(0, 250), (1, 452), (2, 250)], 250),
            transaction(&[(1, 250)], 250),
        ])],
        vec![transactions(&[
            TransactionPlan {
                chunks: [250, 451],
                ..transaction(&[(0, 250), (1, 452), (2, 550)], 503)
            },
            transaction(&[(1, 250)], 250),
        ])],
    ];
    if flight == Flight::Pipelined {
        // It refuses a chunk and takes the last, which had left before.
        mails.push(vec![mail(&[250, 250, 550], 250).chunks([451, 503])]);
        mails.push(vec![mail(&[250], 250).chunks([502, 250])]);
    }
    let plan = |mails| Plan {
        chunked: true,
        ..Plan::new(flight, mails)
    };
    mails.into_iter().map(plan).collect()
}

/// Every way to a session that is more than EHLO.
pub(crate) fn secured(flight: Flight) -> Vec<Plan> {
    let sessions = [
        Session::InTheClear,
        Session::StartTls(Auth::None),
        Session::StartTls(Auth::Login),
        Session::StartTls(Auth::SecondTry),
        Session::Implicit(Auth::None),
        Session::Implicit(Auth::Plain),
    ];
    let plan = |session| Plan {
        session,
        ..Plan::new(flight, vec![mail(&[250, 550], 250), mail(&[250], 554)])
    };
    let mut plans: Vec<Plan> = sessions.into_iter().map(plan).collect();
    if flight == Flight::Plain {
        // Once, and with little after it: every cut hashes the password some thousand times.
        plans.push(Plan {
            mails: vec![mail(&[250], 250)],
            ..plan(Session::Implicit(Auth::Scram))
        });
    }
    plans
}

/// What a reply answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    /// The handshake, which stands as one octet of the server's.
    Tls,
    Auth,
    /// With the submission after it, from 0, as all below.
    Rset(usize),
    Mail(usize),
    Rcpt(usize, usize),
    Data(usize),
    /// Before the last.
    Chunk(usize),
    Content(usize),
    LoneDot(usize),
    Quit,
}

impl Of {
    pub(crate) fn word(self) -> &'static str {
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
            Self::Chunk(_) | Self::Content(_) | Self::LoneDot(_) => "content",
            Self::Quit => "QUIT",
        }
    }

    pub(crate) fn submission(self) -> Option<usize> {
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
            | Self::Chunk(tx)
            | Self::Content(tx)
            | Self::LoneDot(tx) => Some(tx),
        }
    }
}

/// A command, or a content, and its reply.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) of: Of,
    /// Of its submission, from 0.
    pub(crate) transaction: usize,
    pub(crate) command: Vec<u8>,
    pub(crate) code: u16,
    pub(crate) reply: Vec<u8>,
    /// Written together with the one before it.
    joined: bool,
}

pub(crate) struct Dialogue {
    pub(crate) exchanges: Vec<Exchange>,
    eager: bool,
}

/// Octets of one side.
pub(crate) struct Turn {
    pub(crate) side: Side,
    pub(crate) octets: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Handshake,
    Server,
}

impl Plan {
    pub(crate) fn dialogue(&self) -> Dialogue {
        let mut script = Script {
            exchanges: Vec::new(),
            flight: self.flight,
            chunked: self.chunked,
            one_by_one: self.one_by_one,
            transaction: 0,
            closed: false,
        };
        script.open(self.session);
        let mut stale = false;
        for (tx, mail) in self.mails.iter().enumerate() {
            let mut served = false;
            for (number, transaction) in mail.transactions.iter().enumerate() {
                script.transaction = number;
                if stale {
                    let joined = script.is_after_content();
                    script.push(Of::Rset(tx), "RSET\r\n", 250, joined);
                }
                if let (0, Some(data)) = (number, mail.parameters_refused) {
                    let refused = TransactionPlan {
                        mail: 555,
                        rcpts: transaction.rcpts.iter().map(|(index, _)| (*index, 503)).collect(),
                        data,
                        ..transaction.clone()
                    };
                    script.submission(tx, &refused, " SIZE=9", stale);
                    stale = false;
                }
                stale = script.submission(tx, transaction, "", stale);
                if script.closed {
                    return script.dialogue();
                }
                if transaction.mail >= 300 && served {
                    break;
                }
                served = true;
            }
        }
        let joined = script.is_after_content();
        script.push(Of::Quit, "QUIT\r\n", 221, joined);
        script.dialogue()
    }

    /// The size is told only where it is to be refused.
    pub(crate) fn size(&self, tx: usize) -> Option<u64> {
        self.mails[tx].parameters_refused.map(|_| 9)
    }
}

struct Script {
    exchanges: Vec<Exchange>,
    flight: Flight,
    chunked: bool,
    one_by_one: bool,
    /// Of what is pushed.
    transaction: usize,
    /// The client has closed.
    closed: bool,
}

impl Script {
    fn dialogue(self) -> Dialogue {
        Dialogue {
            exchanges: self.exchanges,
            eager: self.flight == Flight::PipelinedEager,
        }
    }

    /// Something that is written after the content at once.
    fn is_after_content(&self) -> bool {
        self.flight.has_pipelining() && matches!(self.last(), Of::Content(_))
    }

    fn push(&mut self, of: Of, command: &str, code: u16, joined: bool) {
        // Some replies in two lines, so that a cut falls between them.
        let reply = match self.exchanges.len() % 3 {
            0 => format!("{code} said\r\n"),
            1 => format!("{code}\r\n"),
            // The last line decides, and only if it is negative.
            _ if code >= 400 => format!("250-said\r\n{code} twice\r\n"),
            _ => format!("{code}-said\r\n{code} twice\r\n"),
        };
        let command = command.as_bytes().to_vec();
        self.exchanges.push(Exchange {
            of,
            transaction: self.transaction,
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
        let extension = if self.flight.has_pipelining() {
            "PIPELINING"
        } else {
            "HELP"
        };
        let chunking = if self.chunked { "250-CHUNKING\r\n" } else { "" };
        let limits = if self.one_by_one {
            "250-LIMITS RCPTMAX=1\r\n"
        } else {
            ""
        };
        let reply = format!("250-mx.example\r\n250-{extension}\r\n{chunking}{limits}{offer}250 SIZE\r\n");
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

    /// One attempt; true when it leaves a MAIL at the server, or may.
    fn submission(
        &mut self,
        tx: usize,
        transaction: &TransactionPlan,
        parameters: &str,
        after_rset: bool,
    ) -> bool {
        let ahead = self.flight.has_pipelining();
        let joined = ahead && (after_rset || self.is_after_content());
        let command = format!("MAIL FROM:<sender@client.example>{parameters}\r\n");
        self.push(Of::Mail(tx), &command, transaction.mail, joined);
        let mail_accepted = transaction.mail < 300;
        if !mail_accepted && !ahead {
            return false;
        }
        for (index, code) in &transaction.rcpts {
            let command = format!("RCPT TO:<{}@mx.example>\r\n", NAMES[*index]);
            self.push(Of::Rcpt(tx, *index), &command, *code, ahead);
        }
        let somebody = transaction.rcpts.iter().any(|(_, code)| *code < 300);
        if self.chunked {
            return mail_accepted && (!somebody || self.chunks(tx, transaction));
        }
        if !somebody && !ahead {
            return true;
        }
        self.push(Of::Data(tx), "DATA\r\n", transaction.data, ahead);
        if transaction.data != 354 {
            return mail_accepted;
        }
        if mail_accepted && somebody {
            self.push(Of::Content(tx), "hi\r\n..x\r\n.\r\n", transaction.content, false);
        } else {
            self.push(Of::LoneDot(tx), ".\r\n", 554, false);
        }
        false
    }

    /// The content by BDAT; true when RSET goes before what follows.
    fn chunks(&mut self, tx: usize, transaction: &TransactionPlan) -> bool {
        // With PIPELINING all fly at once. Only a server that answers each as it comes keeps the others back.
        let all_at_once = self.flight == Flight::Pipelined;
        let mut joined = false;
        for (place, (octets, code)) in ["hi\r", "\n.x"].into_iter().zip(transaction.chunks).enumerate() {
            self.push(Of::Chunk(tx), &format!("BDAT 3\r\n{octets}"), code, joined);
            joined = self.flight.has_pipelining();
            if code >= 300 && !all_at_once {
                self.closed = place == 0 && is_unknown(code);
                return true;
            }
        }
        self.push(
            Of::Content(tx),
            "BDAT 2 LAST\r\n\r\n",
            transaction.content,
            joined,
        );
        self.flight.has_pipelining() || transaction.content >= 300
    }
}

/// A server that does not know BDAT says one of these to the first.
pub(crate) fn is_unknown(code: u16) -> bool {
    (500..=504).contains(&code)
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
    pub(crate) fn turns(&self) -> Vec<Turn> {
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
