//! What a world consists of: names with their records and faults, mail hosts with their rules.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use hickory_server::proto::op::ResponseCode;
use hickory_server::proto::rr::{LowerName, RData, RecordType};

use crate::auth::Account;
use crate::certificates::{Quality, Versions, Wanted};
use crate::smtp::Stage;

/// The world that is there when nobody wrote one.
const EXAMPLE: &str = include_str!("example.world");

/// The script of a world: its DNS and its mail hosts. The language is described at [the crate](crate).
///
/// # Example
/// ```
/// let world: map_sandbox::World = "
///     domain example.com
///       mx 10 mx.example.com
///     host mx.example.com 127.0.0.2
///       on rcpt nobody@example.com reply 550 5.1.1 No such user
/// ".parse()?;
/// # Ok::<(), map_sandbox::WorldError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct World {
    pub(crate) names: HashMap<LowerName, Entry>,
    pub(crate) hosts: Vec<Host>,
    /// By the name of the policy host.
    pub(crate) policies: HashMap<String, MtaSts>,
    pub(crate) tlsa: Vec<Tlsa>,
}

impl World {
    /// A small world to begin with: `example.com` takes every mail, others fail in the common ways.
    /// Its script is [`World::example_script`].
    ///
    /// # Panics
    /// Never: a test of this crate reads the script.
    pub fn example() -> Self {
        EXAMPLE.parse().expect("a test reads the example world")
    }

    pub(crate) fn host(&self, name: &str) -> Option<&Host> {
        let plain = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
        self.hosts.iter().find(|host| plain(&host.name) == plain(name))
    }

    /// The script of [`World::example`].
    pub fn example_script() -> &'static str {
        EXAMPLE
    }
}

/// A script that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct WorldError {
    /// Line of the script, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// All that the DNS knows of one name.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) records: Vec<RData>,
    /// The CNAME is answered without what it leads to, as a server does that does not know the target.
    pub(crate) cname_alone: bool,
    /// Seconds.
    pub(crate) ttl: u32,
    pub(crate) faults: Vec<DnsFault>,
    pub(crate) delay: Duration,
    pub(crate) mta_sts: Option<MtaSts>,
    /// The name is the top of a zone.
    pub(crate) signed: Option<Signed>,
}

/// How a zone is signed, which is to say how it proves that there is no such name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signed {
    No,
    Nsec,
    Nsec3,
}

impl Entry {
    pub(crate) fn new() -> Self {
        Self {
            records: Vec::new(),
            cname_alone: false,
            // Nothing may be remembered over a change of the world, unless a script asks for it.
            ttl: 0,
            faults: Vec::new(),
            delay: Duration::ZERO,
            mta_sts: None,
            signed: None,
        }
    }
}

/// How the DNS fails for one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DnsFault {
    /// For queries of this type only.
    pub(crate) only: Option<RecordType>,
    pub(crate) how: DnsFailure,
}

/// A way in which the DNS fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DnsFailure {
    /// Answers with this code and no record.
    Code(ResponseCode),
    /// Never answers.
    Silent,
    /// Answers with signatures that are no good.
    Spoil(Spoil),
    /// Answers over UDP that the answer does not fit.
    Truncate,
}

/// What is wrong with a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoil {
    /// It does not verify.
    Bogus,
    /// It was good until lately.
    Lapsed,
    /// It is not there.
    Stripped,
}

/// A TLSA record as the script wants it: <https://www.rfc-editor.org/rfc/rfc6698#section-2>
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tlsa {
    /// The domain or host whose line it is.
    pub(crate) owner: LowerName,
    /// Those of mail if the script says none.
    pub(crate) port: Option<u16>,
    pub(crate) usage: u8,
    pub(crate) selector: u8,
    pub(crate) matching_type: u8,
    pub(crate) data: TlsaData,
    /// Of the script, from 1.
    pub(crate) line: usize,
}

/// What a TLSA record is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TlsaData {
    Octets(Vec<u8>),
    /// The certificate of a host, with an error in it if it shall be wrong.
    Of {
        host: String,
        wrong: bool,
    },
}

/// The policy of a domain on TLS for its mail: <https://www.rfc-editor.org/rfc/rfc8461>
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MtaSts {
    /// Of the TXT record; made from the policy if the script says none.
    pub(crate) id: Option<String>,
    pub(crate) text: PolicyText,
    /// Seconds.
    pub(crate) max_age: u32,
    pub(crate) mx: Vec<String>,
    pub(crate) certificate: Quality,
    pub(crate) fault: Option<PolicyFault>,
}

/// What a policy is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PolicyText {
    Mode(String),
    Raw(Vec<u8>),
}

/// A way in which a policy host fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PolicyFault {
    /// Connections are refused.
    Down,
    /// The policy never ends, nearly.
    Huge,
    /// Never an answer.
    Stall,
    /// This status of HTTP.
    Status(u16),
}

impl MtaSts {
    pub(crate) fn new(text: PolicyText) -> Self {
        Self {
            id: None,
            text,
            max_age: 86400,
            mx: Vec::new(),
            certificate: Quality::default(),
            fault: None,
        }
    }

    /// The policy as it is served.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mode = match &self.text {
            PolicyText::Mode(mode) => mode,
            PolicyText::Raw(text) => return text.clone(),
        };
        let mut lines = vec!["version: STSv1".to_owned(), format!("mode: {mode}")];
        lines.extend(self.mx.iter().map(|mx| format!("mx: {mx}")));
        lines.extend([format!("max_age: {}", self.max_age), String::new()]);
        lines.join("\r\n").into_bytes()
    }

    /// Another one for another policy.
    pub(crate) fn id(&self) -> String {
        self.id.clone().unwrap_or_else(|| {
            let hash = ring::digest::digest(&ring::digest::SHA256, &self.text());
            let start = hash.as_ref().first_chunk().copied().unwrap_or_default();
            format!("{:016x}", u64::from_be_bytes(start))
        })
    }
}

/// One mail host.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) listening: Listening,
    /// The lines of the EHLO reply after the first.
    pub(crate) offers: Vec<Offer>,
    /// The script wrote them: nothing is added to them.
    pub(crate) offers_by_hand: bool,
    pub(crate) tls: Vec<Tls>,
    pub(crate) requires_tls: bool,
    pub(crate) accounts: Vec<Account>,
    pub(crate) requires_auth: bool,
    /// BDAT is unknown to it, whatever it offers: the octets after it are commands.
    pub(crate) lacks_bdat: bool,
    pub(crate) rules: Vec<Rule>,
    pub(crate) cuts: Vec<Cut>,
}

impl Host {
    pub(crate) fn new(name: String, addresses: Vec<IpAddr>, listening: Listening) -> Self {
        let offers = ["PIPELINING", "SIZE 10240000", "8BITMIME", "ENHANCEDSTATUSCODES"];
        Self {
            name,
            addresses,
            listening,
            offers: offers.into_iter().map(Offer::new).collect(),
            offers_by_hand: false,
            tls: Vec::new(),
            requires_tls: false,
            accounts: Vec::new(),
            requires_auth: false,
            lacks_bdat: false,
            rules: Vec::new(),
            cuts: Vec::new(),
        }
    }
}

impl Host {
    /// Which of its `tls` lines holds for its nth connection.
    pub(crate) fn tls(&self, connection: usize) -> Option<usize> {
        let of = |wanted| self.tls.iter().position(|tls| tls.connection == wanted);
        of(Some(connection)).or_else(|| of(None))
    }

    /// The certificate for one of its `tls` lines.
    pub(crate) fn wanted(&self, shown: &Shown) -> Wanted {
        let own = || vec![self.name.trim_end_matches('.').to_owned()];
        Wanted {
            names: if shown.names.is_empty() {
                own()
            } else {
                shown.names.clone()
            },
            addresses: self.addresses.clone(),
            quality: shown.quality,
        }
    }
}

/// How a host does TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tls {
    pub(crate) connection: Option<usize>,
    /// From the first octet, without STARTTLS.
    pub(crate) implicit: bool,
    pub(crate) how: TlsHow,
}

/// What comes of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TlsHow {
    Fault(TlsFault),
    Session(Shown),
}

/// A way in which a handshake fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsFault {
    /// The end of the stream after the `ClientHello`.
    Break,
    /// Text in the place of a `ServerHello`.
    Garbage,
    /// The alert of a server that knows only older versions.
    Old,
    /// A reset after the `ClientHello`.
    Reset,
    /// Never an octet.
    Stall,
}

/// What a TLS server shows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) quality: Quality,
    /// The host's own name if there are none.
    pub(crate) names: Vec<String>,
    pub(crate) versions: Versions,
}

/// What is found at the addresses of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listening {
    /// A mail server.
    Server,
    /// Nothing: connections are refused.
    Refused,
    /// Something that never completes a connection.
    Unanswered,
}

/// One extension as EHLO shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// In capitals.
    pub(crate) keyword: String,
    /// The line as the script wrote it.
    pub(crate) line: String,
}

impl Offer {
    pub(crate) fn new(line: &str) -> Self {
        let keyword = line
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_ascii_uppercase();
        Self {
            keyword,
            line: line.to_owned(),
        }
    }

    /// What stands after the keyword.
    pub(crate) fn parameter(&self) -> &str {
        self.line.split_whitespace().nth(1).unwrap_or_default()
    }
}

/// When a host does something else than it would by itself, and what.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) connection: Option<usize>,
    pub(crate) stage: Stage,
    /// Only the nth time in a connection, from 1.
    pub(crate) nth: Option<usize>,
    pub(crate) argument: Option<Pattern>,
    pub(crate) actions: Vec<Action>,
}

impl Rule {
    /// How many conditions it has: of several rules that fit, the one with the most counts.
    pub(crate) fn weight(&self) -> usize {
        usize::from(self.connection.is_some())
            + usize::from(self.nth.is_some())
            + usize::from(self.argument.is_some())
    }
}

/// An argument, in any case; one `*` stands for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_ascii_lowercase())
    }

    pub(crate) fn fits(&self, argument: &str) -> bool {
        let argument = argument.to_ascii_lowercase();
        match self.0.split_once('*') {
            None => argument == self.0,
            Some((before, behind)) => argument
                .strip_prefix(before)
                .is_some_and(|rest| rest.ends_with(behind)),
        }
    }
}

/// One step of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// What the host would answer by itself.
    Answer,
    Delay(Duration),
    /// From here on a pause before each octet.
    Drip(Duration),
    /// Octets as they are.
    Raw(Vec<u8>),
    /// A well-formed reply.
    Reply(Vec<u8>),
    /// The end of what the host does.
    Stop(Stop),
}

/// How a host stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The end of the stream, in good order.
    Close,
    /// A reset (RST).
    Reset,
    /// The connection stays, and nothing more is said.
    Silent,
    /// The connection stays, and nothing more is read.
    Stall,
}

/// A stop at an exact octet of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) connection: Option<usize>,
    pub(crate) stop: Stop,
    pub(crate) after: After,
}

/// What a cut counts, in octets over the whole connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    Received(usize),
    Sent(usize),
}
