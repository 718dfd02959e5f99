//! What a mail host answers by itself: RFC 5321's commands, their order and their limits.
//!
//! No socket and no clock here: octets are pushed in, what arrived is taken out, and for each arrival the host
//! has an answer of its own. The script may put another in its place; whichever is sent, its code decides how
//! the session goes on, as it does for the client.

mod chunk;
mod login;

use memchr::memmem;

use crate::auth::{Account, Awaited, Mechanism};
use crate::input::{Arrival, Content, Input};
use crate::log::{Authentication, Mail};
use crate::world::Host;
use chunk::Bdat;

/// Octets of a path with its brackets, and recipients: <https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1>. A local part
/// may fill the path, as most servers have it.
const MAX_PATH: usize = 256;
const MAX_RECIPIENTS: usize = 100;

/// Every verb that a host knows, and that a script can name.
const VERBS: &[&str] = &[
    "AUTH", "BDAT", "DATA", "EHLO", "ETRN", "EXPN", "HELO", "HELP", "MAIL", "NOOP", "QUIT", "RCPT", "RSET",
    "SAML", "SEND", "SOML", "STARTTLS", "TURN", "VRFY",
];

/// A point of a session at which a host speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    Greeting,
    /// The verb in capitals, one of [`VERBS`].
    Command(&'static str),
    /// A line that is no command.
    Unknown,
    /// What the client says to a challenge of AUTH.
    Response,
    /// The end mark of a content, or the end of its last chunk.
    Content,
}

impl Stage {
    /// As a script names it.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word {
            "content" => Some(Self::Content),
            "greeting" => Some(Self::Greeting),
            "response" => Some(Self::Response),
            "unknown" => Some(Self::Unknown),
            _ => verb(word).map(Self::Command),
        }
    }
}

fn verb(word: &str) -> Option<&'static str> {
    VERBS.iter().find(|verb| verb.eq_ignore_ascii_case(word)).copied()
}

/// A reply as it stands on the wire.
pub(crate) fn render(code: &str, lines: &[&str]) -> Vec<u8> {
    let mut rendered = String::new();
    for (index, line) in lines.iter().enumerate() {
        let last = index.saturating_add(1) == lines.len();
        let separator = match (last, line.is_empty()) {
            (false, _) => "-",
            // > Reply-code [ SP textstring ] CRLF
            // https://www.rfc-editor.org/rfc/rfc5321#section-4.2
            (true, true) => "",
            (true, false) => " ",
        };
        rendered.push_str(code);
        rendered.push_str(separator);
        rendered.push_str(line);
        rendered.push_str("\r\n");
    }
    rendered.into_bytes()
}

/// What arrived, and what the host itself has to say to it.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) stage: Stage,
    /// The path of MAIL and RCPT, what stands after the verb of other commands.
    pub(crate) argument: String,
    pub(crate) answer: Vec<u8>,
    effect: Effect,
}

/// What a positive reply brings about.
#[derive(Debug)]
enum Effect {
    None,
    Auth(Login),
    Begin {
        reverse_path: String,
        is_binary: bool,
    },
    /// A chunk behind which others follow.
    Chunk(Vec<u8>),
    Content(Vec<u8>),
    Data,
    End,
    Hello(String),
    Recipient(String),
    Reset,
    Secure,
}

/// An AUTH exchange, as far as it came.
#[derive(Clone, Debug)]
struct Login {
    /// As the client named it.
    mechanism: String,
    user: Option<String>,
    next: Option<Awaited>,
}

/// How a session goes on.
#[derive(Debug)]
pub(crate) enum Next {
    Go,
    /// The host takes this mail.
    Take(Mail),
    /// The host leaves.
    Leave,
    /// TLS begins.
    Secure,
}

/// One session as the host sees it.
#[derive(Debug)]
pub(crate) struct Smtp {
    host: String,
    enhanced: bool,
    offers: Offers,
    input: Input,
    hello: Option<String>,
    /// The last reply to EHLO offered it.
    pipelining: bool,
    /// After a negative greeting nothing but QUIT is served.
    turned_away: bool,
    transaction: Option<Transaction>,
    /// STARTTLS leads to a handshake.
    knows_tls: bool,
    requires_tls: bool,
    /// The version of TLS, once it began.
    tls: Option<String>,
    accounts: Vec<Account>,
    requires_auth: bool,
    exchange: Option<Login>,
    /// The BDAT command whose octets come now.
    bdat: Option<Bdat>,
    /// Exchanges that are over and were not asked for yet.
    authentications: Vec<Authentication>,
    /// Who logged in.
    user: Option<String>,
}

#[derive(Debug)]
struct Offers {
    /// The reply to EHLO, without its first line.
    lines: Vec<String>,
    /// Nothing is added to them.
    by_hand: bool,
    body: bool,
    binary: bool,
    chunking: bool,
    dsn: bool,
    require_tls: bool,
    utf8: bool,
    starttls: bool,
    /// `Some(0)` when no limit is said.
    size: Option<u64>,
}

#[derive(Debug)]
struct Transaction {
    reverse_path: String,
    forward_paths: Vec<String>,
    /// A recipient was named, taken or not.
    tried: bool,
    /// It was announced as binary.
    is_binary: bool,
    /// What came by BDAT so far.
    chunks: Chunks,
}

/// The beginning of a content that comes by BDAT.
#[derive(Debug)]
enum Chunks {
    Taken(Vec<u8>),
    /// One was refused: there is nothing to add to.
    Refused,
}

impl Smtp {
    /// One that knows TLS makes a handshake after STARTTLS.
    pub(crate) fn new(host: &Host, knows_tls: bool) -> Self {
        let offer = |keyword: &str| host.offers.iter().find(|offer| offer.keyword == keyword);
        Self {
            host: host.name.clone(),
            enhanced: offer("ENHANCEDSTATUSCODES").is_some(),
            offers: Offers {
                lines: host.offers.iter().map(|offer| offer.line.clone()).collect(),
                by_hand: host.offers_by_hand,
                body: offer("8BITMIME").is_some(),
                binary: offer("BINARYMIME").is_some(),
                chunking: offer("CHUNKING").is_some() && !host.lacks_bdat,
                dsn: offer("DSN").is_some(),
                require_tls: offer("REQUIRETLS").is_some(),
                utf8: offer("SMTPUTF8").is_some(),
                starttls: offer("STARTTLS").is_some(),
                size: offer("SIZE").map(|offer| offer.parameter().parse().unwrap_or(0)),
            },
            input: Input::default(),
            hello: None,
            pipelining: false,
            turned_away: false,
            transaction: None,
            knows_tls,
            requires_tls: host.requires_tls,
            tls: None,
            accounts: host.accounts.clone(),
            requires_auth: host.requires_auth,
            exchange: None,
            bdat: None,
            authentications: Vec::new(),
            user: None,
        }
    }

    /// The AUTH exchanges that ended since this was asked last.
    pub(crate) fn authentications(&mut self) -> Vec<Authentication> {
        std::mem::take(&mut self.authentications)
    }

    /// The handshake is complete.
    pub(crate) fn secured(&mut self, version: String) {
        // > Upon completion of the TLS handshake, the SMTP protocol is reset to the initial state (the state in SMTP
        // > after a server issues a 220 service ready greeting). The server MUST discard any knowledge obtained from
        // > the client, such as the argument to the EHLO command, which was not obtained from the TLS negotiation
        // > itself.
        // https://www.rfc-editor.org/rfc/rfc3207#section-4.2
        self.input = Input::default();
        self.hello = None;
        self.pipelining = false;
        self.transaction = None;
        self.user = None;
        self.tls = Some(version);
    }

    /// What the host says first.
    pub(crate) fn greet(&self) -> Turn {
        Turn {
            stage: Stage::Greeting,
            argument: String::new(),
            answer: render("220", &[&format!("{} ESMTP sandbox, a test double", self.host)]),
            effect: Effect::None,
        }
    }

    pub(crate) fn push(&mut self, octets: &[u8]) {
        self.input.push(octets);
    }

    /// The next thing that arrived whole.
    pub(crate) fn poll(&mut self) -> Option<Turn> {
        let exchange = self.exchange.take();
        self.input.expect_responses(exchange.is_some());
        let Some(arrival) = self.input.poll() else {
            self.exchange = exchange;
            return None;
        };
        Some(match arrival {
            Arrival::Line(line) => match exchange {
                Some(exchange) => self.response(exchange, &line),
                None => match self.bdat(&line) {
                    Some(bdat) => {
                        self.input.expect_chunk(bdat.octets);
                        self.bdat = Some(bdat);
                        return self.poll();
                    }
                    None => self.command(&line),
                },
            },
            Arrival::Chunk(octets) => self.chunk(octets),
            Arrival::LongLine => self.turn(Stage::Unknown, "", "500", "5.5.2", "Line too long"),
            Arrival::Content(content) => self.content(content),
        })
    }

    /// Whether the client sent more than it may before it has the reply to `turn`.
    pub(crate) fn is_ahead(&self, turn: &Turn) -> bool {
        // > The EHLO, DATA, VRFY, EXPN, TURN, QUIT, and NOOP commands can only appear as the last command in a group
        // https://www.rfc-editor.org/rfc/rfc2920#section-3.1
        // The same holds for STARTTLS and AUTH, behind which something else than commands begins.
        let last = matches!(
            turn.stage,
            Stage::Response
                | Stage::Command(
                    "AUTH"
                        | "DATA"
                        | "EHLO"
                        | "EXPN"
                        | "HELO"
                        | "NOOP"
                        | "QUIT"
                        | "STARTTLS"
                        | "TURN"
                        | "VRFY"
                )
        );
        !self.input.is_empty() && (last || !self.pipelining)
    }

    /// Whether a content that ends now would be somebody's mail.
    pub(crate) fn has_recipients(&self) -> bool {
        self.transaction
            .as_ref()
            .is_some_and(|transaction| !transaction.forward_paths.is_empty())
    }

    /// This was said to `turn` first, if anything was.
    pub(crate) fn replied(&mut self, turn: Turn, said: &[u8]) -> Next {
        let class = said.first().copied();
        if turn.stage == Stage::Greeting {
            // > A server taking this approach MUST still wait for the client to send a QUIT […] before closing the
            // > connection and SHOULD respond to any intervening commands with "503 bad sequence of commands".
            // https://www.rfc-editor.org/rfc/rfc5321#section-3.1
            self.turned_away = matches!(class, Some(b'4' | b'5'));
        }
        let positive = class == Some(b'2');
        match turn.effect {
            Effect::Auth(login) if said.starts_with(b"334") => self.exchange = Some(login),
            Effect::Auth(login) => {
                let accepted = said.starts_with(b"235");
                if accepted {
                    self.user.clone_from(&login.user);
                }
                self.authentications.push(Authentication {
                    mechanism: login.mechanism,
                    user: login.user,
                    in_clear: self.tls.is_none(),
                    accepted,
                });
            }
            Effect::Data if class == Some(b'3') => self.input.expect_content(),
            Effect::Content(content) => {
                let transaction = self.transaction.take();
                if positive && let Some(transaction) = transaction {
                    return Next::Take(Mail {
                        host: self.host.clone(),
                        hello: self.hello.clone().unwrap_or_default(),
                        reverse_path: transaction.reverse_path,
                        forward_paths: transaction.forward_paths,
                        content,
                        tls: self.tls.clone(),
                        user: self.user.clone(),
                    });
                }
            }
            Effect::Chunk(octets) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.add(octets, positive);
                }
            }
            Effect::Begin {
                reverse_path,
                is_binary,
            } if positive => {
                self.transaction = Some(Transaction {
                    reverse_path,
                    forward_paths: Vec::new(),
                    tried: false,
                    is_binary,
                    chunks: Chunks::Taken(Vec::new()),
                });
            }
            Effect::Hello(name) if positive => {
                self.hello = Some(name);
                self.pipelining = memmem::find(said, b"PIPELINING").is_some();
                self.transaction = None;
            }
            Effect::Recipient(path) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.tried = true;
                    if positive {
                        transaction.forward_paths.push(path);
                    }
                }
            }
            Effect::Reset if positive => self.transaction = None,
            Effect::End if positive => return Next::Leave,
            // > 220 Ready to start TLS
            // https://www.rfc-editor.org/rfc/rfc3207#section-4
            Effect::Secure if said.starts_with(b"220") => return Next::Secure,
            _ => {}
        }
        // > After detecting the need to shut down the SMTP service and returning a 421 response code.
        // https://www.rfc-editor.org/rfc/rfc5321#section-3.8
        if said.starts_with(b"421") {
            Next::Leave
        } else {
            Next::Go
        }
    }

    fn turn(&self, stage: Stage, argument: &str, code: &str, enhanced: &str, text: &str) -> Turn {
        let text = if self.enhanced {
            format!("{enhanced} {text}")
        } else {
            text.to_owned()
        };
        Turn {
            stage,
            argument: argument.to_owned(),
            answer: render(code, &[&text]),
            effect: Effect::None,
        }
    }

    fn command(&self, line: &[u8]) -> Turn {
        let text = String::from_utf8_lossy(line);
        let (word, argument) = text.split_once(' ').unwrap_or((&text, ""));
        let argument = argument.trim_end_matches([' ', '\t']);
        let Some(verb) = verb(word) else {
            // Some texts print SOML and SAML so.
            return if matches!(word.to_ascii_uppercase().as_str(), "SMOL" | "SMAL") {
                self.turn(Stage::Unknown, &text, "502", "5.5.1", "Command not implemented")
            } else {
                self.turn(Stage::Unknown, &text, "500", "5.5.2", "Command unrecognized")
            };
        };
        let stage = Stage::Command(verb);
        let stage_turn = |code, enhanced, text: &str| self.turn(stage, argument, code, enhanced, text);
        if self.turned_away && verb != "QUIT" {
            return stage_turn("503", "5.5.1", "No service here, only QUIT");
        }
        // > A SMTP server that is not publicly referenced may choose to require that the client perform a TLS negotiation
        // > before accepting any commands. In this case, the server SHOULD return the reply code: 530 Must issue a
        // > STARTTLS command first […] to every command other than NOOP, EHLO, STARTTLS, or QUIT.
        // https://www.rfc-editor.org/rfc/rfc3207#section-4
        let may_precede_tls = matches!(verb, "EHLO" | "NOOP" | "QUIT" | "STARTTLS");
        if self.requires_tls && self.tls.is_none() && !may_precede_tls {
            return stage_turn("530", "5.7.0", "Must issue a STARTTLS command first");
        }
        match verb {
            "HELO" | "EHLO" => self.hello(stage, argument),
            "MAIL" => self.mail(stage, argument),
            "RCPT" => self.rcpt(stage, argument),
            "DATA" | "RSET" | "QUIT" | "STARTTLS" | "TURN" if !argument.is_empty() => {
                stage_turn("501", "5.5.4", "This command takes no argument")
            }
            "DATA" => self.data(stage),
            "RSET" => Turn {
                effect: Effect::Reset,
                ..stage_turn("250", "2.0.0", "Ok")
            },
            "VRFY" | "EXPN" if argument.is_empty() => stage_turn("501", "5.5.4", "Whom or which list?"),
            // > A server MUST NOT return a 250 code in response to a VRFY or EXPN command unless it has actually
            // > verified the address.
            // https://www.rfc-editor.org/rfc/rfc5321#section-3.5.3
            "VRFY" => stage_turn("252", "2.5.2", "Cannot verify, but will take mail for it and try"),
            "EXPN" => stage_turn("252", "2.5.2", "Cannot expand, but will take mail for it and try"),
            "HELP" => self.help(stage, argument),
            "NOOP" => stage_turn("250", "2.0.0", "Ok"),
            "QUIT" => Turn {
                effect: Effect::End,
                ..stage_turn("221", "2.0.0", "Bye")
            },
            "STARTTLS" if self.tls.is_some() => stage_turn("503", "5.5.1", "TLS is there already"),
            "STARTTLS" if self.knows_tls => Turn {
                effect: Effect::Secure,
                ..stage_turn("220", "2.0.0", "Ready to start TLS")
            },
            // > 454 TLS not available due to temporary reason
            // https://www.rfc-editor.org/rfc/rfc3207#section-4
            "STARTTLS" if self.offers.starttls => stage_turn("454", "4.7.0", "TLS not available"),
            "AUTH" if !self.accounts.is_empty() => self.auth(stage, argument),
            _ => stage_turn("502", "5.5.1", "Command not implemented"),
        }
    }

    fn hello(&self, stage: Stage, name: &str) -> Turn {
        if name.is_empty() || name.contains(' ') {
            return self.turn(stage, name, "501", "5.5.4", "Say your name");
        }
        let mut lines = vec![self.host.clone()];
        if stage == Stage::Command("EHLO") {
            lines.extend(self.offers());
        }
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        Turn {
            stage,
            argument: name.to_owned(),
            answer: render("250", &lines),
            effect: Effect::Hello(name.to_owned()),
        }
    }

    /// What EHLO shows now.
    fn offers(&self) -> Vec<String> {
        let mut lines = self.offers.lines.clone();
        if !self.offers.by_hand {
            let mechanisms: Vec<_> = self.mechanisms().into_iter().map(Mechanism::name).collect();
            lines.extend(self.knows_tls.then(|| "STARTTLS".to_owned()));
            lines.extend((!mechanisms.is_empty()).then(|| format!("AUTH {}", mechanisms.join(" "))));
        }
        // > The server MUST NOT return the STARTTLS extension in response to an EHLO command received after a TLS
        // > handshake has completed
        // https://www.rfc-editor.org/rfc/rfc3207#section-4.2
        lines.retain(|line| self.tls.is_none() || !line.eq_ignore_ascii_case("STARTTLS"));
        lines
    }

    fn mail(&self, stage: Stage, argument: &str) -> Turn {
        let (path, parameters) = match path_argument(argument, "FROM:") {
            Ok(parsed) => parsed,
            Err(why) => return self.turn(stage, argument, "501", "5.5.4", why),
        };
        let refuse = |code, enhanced, text: &str| self.turn(stage, path, code, enhanced, text);
        if self.hello.is_none() {
            return refuse("503", "5.5.1", "Say HELO or EHLO first");
        }
        if self.transaction.is_some() {
            return refuse("503", "5.5.1", "A transaction is open already");
        }
        if self.requires_auth && self.user.is_none() {
            return refuse("530", "5.7.0", "Authentication required");
        }
        if !path.is_empty()
            && let Err(why) = self.check_path(path)
        {
            return refuse("501", "5.1.7", why);
        }
        let mut is_binary = false;
        for parameter in parameters.split_ascii_whitespace() {
            let (keyword, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match (keyword.to_ascii_uppercase().as_str(), self.offers.size) {
                ("SIZE", Some(limit)) => match value.parse::<u64>() {
                    Ok(size) if limit > 0 && size > limit => {
                        return refuse("552", "5.3.4", "Message size exceeds the fixed maximum");
                    }
                    Ok(_) => {}
                    Err(_) => return refuse("501", "5.5.4", "SIZE takes a number"),
                },
                ("BODY", _) if self.offers.binary && value.eq_ignore_ascii_case("BINARYMIME") => {
                    is_binary = true;
                }
                ("BODY", _) if self.offers.body => {
                    if !value.eq_ignore_ascii_case("7BIT") && !value.eq_ignore_ascii_case("8BITMIME") {
                        return refuse("501", "5.5.4", "BODY takes 7BIT or 8BITMIME");
                    }
                }
                // Who else wrote it is no matter of a test double's: https://www.rfc-editor.org/rfc/rfc4954#section-5
                ("AUTH", _) if !self.accounts.is_empty() => {}
                ("RET" | "ENVID", _) if self.offers.dsn && !value.is_empty() => {}
                ("REQUIRETLS", _) if self.offers.require_tls && value.is_empty() => {
                    // https://www.rfc-editor.org/rfc/rfc8689#section-3
                    if self.tls.is_none() {
                        return refuse("530", "5.7.10", "REQUIRETLS wants TLS");
                    }
                }
                ("SMTPUTF8", _) if self.offers.utf8 && value.is_empty() => {}
                _ => return refuse("555", "5.5.4", "Parameter not recognized or not implemented"),
            }
        }
        Turn {
            effect: Effect::Begin {
                reverse_path: path.to_owned(),
                is_binary,
            },
            ..self.turn(stage, path, "250", "2.1.0", "Ok")
        }
    }

    fn rcpt(&self, stage: Stage, argument: &str) -> Turn {
        let (path, parameters) = match path_argument(argument, "TO:") {
            Ok(parsed) => parsed,
            Err(why) => return self.turn(stage, argument, "501", "5.5.4", why),
        };
        let recipient = |code, enhanced, text: &str| Turn {
            effect: Effect::Recipient(path.to_owned()),
            ..self.turn(stage, path, code, enhanced, text)
        };
        let Some(transaction) = &self.transaction else {
            return recipient("503", "5.5.1", "Say MAIL first");
        };
        if !path.eq_ignore_ascii_case("postmaster")
            && let Err(why) = self.check_path(path)
        {
            return recipient("501", "5.1.3", why);
        }
        let is_known = |parameter: &str| {
            let keyword = parameter
                .split('=')
                .next()
                .unwrap_or_default()
                .to_ascii_uppercase();
            self.offers.dsn && matches!(keyword.as_str(), "NOTIFY" | "ORCPT")
        };
        if !parameters.split_ascii_whitespace().all(is_known) {
            return recipient("555", "5.5.4", "Parameter not recognized or not implemented");
        }
        // > The correct reply code for this condition is 452.
        // https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.10
        if transaction.forward_paths.len() >= MAX_RECIPIENTS {
            return recipient("452", "4.5.3", "Too many recipients");
        }
        recipient("250", "2.1.5", "Ok")
    }

    fn check_path(&self, path: &str) -> Result<(), &'static str> {
        if path.len() > MAX_PATH.saturating_sub(2) {
            return Err("Path too long");
        }
        if !path.is_ascii() && !self.offers.utf8 {
            return Err("Only ASCII is possible here");
        }
        // Source routes are accepted and ignored: https://www.rfc-editor.org/rfc/rfc5321#appendix-C
        let mailbox = match path.strip_prefix('@') {
            Some(routed) => routed.split_once(':').map_or("", |(_, mailbox)| mailbox),
            None => path,
        };
        match mailbox.rsplit_once('@') {
            Some((local, domain)) if !local.is_empty() && is_domain(domain) => Ok(()),
            _ => Err("Not a mailbox"),
        }
    }

    fn data(&self, stage: Stage) -> Turn {
        match &self.transaction {
            None => self.turn(stage, "", "503", "5.5.1", "Say MAIL first"),
            // https://www.rfc-editor.org/rfc/rfc3030#section-3: a binary body comes by BDAT, and the two do not mix.
            Some(transaction) if transaction.is_binary || transaction.has_chunks() => {
                self.turn(stage, "", "503", "5.5.1", "Say BDAT")
            }
            Some(transaction) if !transaction.forward_paths.is_empty() => Turn {
                stage,
                argument: String::new(),
                // Only 2yz, 4yz and 5yz carry an enhanced code: https://www.rfc-editor.org/rfc/rfc2034#section-3
                answer: render("354", &["End data with <CR><LF>.<CR><LF>"]),
                effect: Effect::Data,
            },
            // > If there was no MAIL, or no RCPT, command, or all such commands were rejected, the server MAY return a
            // > "command out of sequence" (503) or "no valid recipients" (554) reply in response to the DATA command.
            // https://www.rfc-editor.org/rfc/rfc5321#section-3.3
            Some(transaction) if transaction.tried => Turn {
                effect: Effect::Data,
                ..self.turn(stage, "", "554", "5.5.1", "No valid recipients")
            },
            Some(_) => Turn {
                effect: Effect::Data,
                ..self.turn(stage, "", "503", "5.5.1", "Say RCPT first")
            },
        }
    }

    fn content(&self, content: Content) -> Turn {
        let limit = self.offers.size.filter(|&limit| limit > 0);
        let size = u64::try_from(content.octets.len()).unwrap_or(u64::MAX);
        let turn = if !self.has_recipients() {
            self.turn(Stage::Content, "", "554", "5.5.1", "No valid recipients")
        } else if limit.is_some_and(|limit| size > limit) {
            self.turn(
                Stage::Content,
                "",
                "552",
                "5.3.4",
                "Message size exceeds the fixed maximum",
            )
        } else if content.long_line {
            self.turn(
                Stage::Content,
                "",
                "554",
                "5.6.0",
                "A line is longer than 1000 octets",
            )
        } else {
            self.turn(Stage::Content, "", "250", "2.0.0", "Ok: queued as sandbox")
        };
        Turn {
            effect: Effect::Content(content.octets),
            ..turn
        }
    }

    fn help(&self, stage: Stage, topic: &str) -> Turn {
        if topic.is_empty() {
            let answer = render("214", &["This is a test double. It knows", &VERBS.join(" ")]);
            return Turn {
                stage,
                argument: String::new(),
                answer,
                effect: Effect::None,
            };
        }
        match verb(topic) {
            Some(verb) => self.turn(
                stage,
                topic,
                "214",
                "2.0.0",
                &format!("{verb}: see RFC 5321 section 4.1"),
            ),
            None => self.turn(stage, topic, "504", "5.5.4", "No help for that"),
        }
    }
}

/// The path between the brackets, and the parameters after them.
fn path_argument<'a>(argument: &'a str, prefix: &str) -> Result<(&'a str, &'a str), &'static str> {
    let usage = "Wrong argument";
    let (start, rest) = argument.split_at_checked(prefix.len()).ok_or(usage)?;
    if !start.eq_ignore_ascii_case(prefix) {
        return Err(usage);
    }
    // > spaces are not permitted on either side of the colon
    // https://www.rfc-editor.org/rfc/rfc5321#section-3.3
    let rest = rest.strip_prefix('<').ok_or(usage)?;
    let mut quoted = false;
    let mut escaped = false;
    for (position, character) in rest.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => {
                let (path, behind) = rest.split_at(position);
                let behind = behind.strip_prefix('>').unwrap_or_default();
                return if behind.is_empty() || behind.starts_with(' ') {
                    Ok((path, behind))
                } else {
                    Err(usage)
                };
            }
            ' ' if !quoted => return Err(usage),
            character if character.is_control() => return Err(usage),
            _ => {}
        }
    }
    Err(usage)
}

/// A domain or an address literal, by its characters.
fn is_domain(text: &str) -> bool {
    if let Some(literal) = text.strip_prefix('[') {
        return literal.len() > 1 && literal.ends_with(']');
    }
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || !c.is_ascii())
    };
    text.len() <= 255 && text.split('.').all(label)
}
