//! The exchange: a machine without I/O.
//!
//! # Theory of operation
//!
//! A [`Connection`] is one SMTP session over a transport that somebody else owns. Octets, content, time and the
//! end of the transport are handed in; octets to write, a deadline and events come out. It knows no socket, no
//! clock and no thread, so every exchange there can be is also a text that a test can play.
//!
//! ```text
//!  TlsUse::Implicit
//!      │
//!      ▼   session               220                   250                        QUIT answered
//!  ExpectTls ────▶ ExpectGreeting ──▶ ExpectEhloReply ─────▶ (AUTH) ──▶ Ready ───────────────────▶ Closed
//!      ▲ │ session                     │ │   ▲ 5yz │             ▲        │ └ nothing left: QUIT,   ▲
//!  220 │ └─────────────────────────────┼─┼───┘     ▼             │        │   still in Ready        │
//!  ExpectStartTlsReply ◀── STARTTLS ───┘ │  ExpectHeloReply ─────┤        │ refused, unexpected,    │
//!      │                                 │                  250  │        │ timed out               │
//!      └─ 4yz or 5yz, not required ──────┼───────────────────────┘        ▼                         │
//!                                        ▼                        ExpectLastReply ─▶ ExpectQuitReply ┘
//!                                    refused …, as from Ready     (only if a DATA or AUTH is owed)
//! ```
//!
//! What leads to [`Ready`](Event::Ready), phase by phase; all else ends the session:
//!
//! | phase | what comes | then |
//! | --- | --- | --- |
//! | `ExpectGreeting` | 2yz | EHLO, `ExpectEhloReply`; with [`Hello::Helo`] in the clear HELO, `ExpectHeloReply` |
//! | `ExpectEhloReply` | 2yz, in the clear, STARTTLS wanted and offered | STARTTLS, `ExpectStartTlsReply` |
//! | | 2yz otherwise, unless TLS is required and there is none | AUTH |
//! | | 5yz, in the clear | HELO, `ExpectHeloReply` |
//! | `ExpectHeloReply` | 2yz, unless TLS is required | AUTH |
//! | `ExpectStartTlsReply` | 220 | [`Event::StartTls`], `ExpectTls` |
//! | | 4yz, 5yz but 421, unless TLS is required | AUTH, in the clear |
//! | `ExpectTls` | a session | what was said before is forgotten: EHLO, or with [`TlsUse::Implicit`] the greeting |
//! | AUTH | not asked for | `Ready` |
//! | | asked for, the peer verified, a mechanism in common | AUTH, `ExpectAuthReply` |
//! | `ExpectAuthReply` | 334 that makes sense | a response, `ExpectAuthReply`; before that of SCRAM [`Event::DeriveKey`] |
//! | | 500 to 504 or 534, not about the secret, and another mechanism in common | AUTH, `ExpectAuthReply` |
//! | | 235, and the server has proved what the mechanism asks of it | `Ready` |
//!
//! # Submissions and mail transactions
//!
//! What is submitted under one [`SubmissionId`] may have any number of recipients, and is served in transactions, each of
//! which is a mail transaction of SMTP: MAIL, up to 100 RCPT (RCPTMAX and RCPTDOMAINMAX of RFC 9422 make it fewer), and
//! the content.
//!
//! ```text
//! Envelope ── 354 ──────────────────▶ Content ── last block ──▶ EndMark ── sent ──▶ FinalReply ── reply ──▶ Over
//!    │ │ └─── RCPT accepted, BDAT ──▶    │                        │                                         ▲ ▲
//!    │ │                                 └─── a chunk is refused ─┴─▶ ChunkRefused ── all chunks answered ──┘ │
//!    │ └───── 354, nobody accepted ──▶ LoneDot ── sent ──▶ LoneDotReply ── reply ─────────────────────────────┤
//!    │                                                        │ MAIL was refused for its                      │
//!    │ ◀──────────────────────────────────────────────────────┘ parameters: once more                         │
//!    └── all answered, and nothing to send ───────────────────────────────────────────────────────────────────┘
//! ```
//!
//! In `Ready` transactions stand in a queue. The first one is where replies go; the second, if there is one, is an envelope
//! sent ahead with the first one's content, be it of the same submission or of the next.
//!
//! | a recipient | becomes | when |
//! | --- | --- | --- |
//! | to come | in its turn | MAIL of its transaction is accepted |
//! | in its turn | to come, its refusal kept | its RCPT is answered 452 or 552 after an accepted one of the transaction, as one too many |
//! | | to come, its refusal kept | its RCPT is answered 4yz after an accepted one of another domain, and none of its own |
//! | | to come | its RCPT is answered 501, 504 or 555 while it has parameters, which the next transaction leaves out |
//! | | over | its RCPT is refused otherwise; or its transaction ends, and shares its fate |
//! | to come | over | MAIL is refused, or the session ends before its turn: below |
//!
//! Every transaction decides somebody, or leaves something out for good: so transactions end. A final reply decides its
//! own transaction and nobody else.
//!
//! **Who had no turn.** If a transaction of the same submission was answered to its end, a session that is refused or closed
//! says nothing about those who wait: [`Outcome::NotAttempted`], and the same host may serve them in another session. So it
//! is with a MAIL that is refused where the same was accepted before, and when MAILMAX is reached. Who was put off as one
//! too many is [`Outcome::TooManyRecipients`], unless the end was our own choice, or the first in a later transaction to
//! be told so. Who was put off beside another domain is [`Outcome::Refused`] then.
//!
//! **One domain at a time.** Some large receivers accept the recipients of the first domain and defer all others. Where a
//! transaction ends so, the next ones have no more domains than it took, as if RCPTDOMAINMAX had said it. A host that defers
//! some domains and accepts others after them is not such a one: whom it defers again, it defers for itself.
//!
//! **DATA or BDAT** (RFC 3030) is decided by [`Chunking`], the body and the offer. BDAT is said when somebody is accepted
//! and never sent ahead; with PIPELINING many chunks may be unanswered. A refused chunk is the verdict: what was not begun
//! of the content is held back, and a chunk that was begun is finished, since the server would read what follows half a
//! chunk as the other half. Half of a last chunk is not finished, for it might deliver the message: the connection is
//! closed. RSET clears what is left.
//!
//! **What was sent is kept apart from what is owed.** A command waits in one queue until its last octet was given
//! to the system, and only then does its reply stand in the other. A reply that arrives while none is owed is one
//! that nobody asked for. That is why a 354 and a 250 in one read are never a success: the 250 comes before the
//! content was sent. With PIPELINING the sender may run ahead of the replies, because the server answers in order
//! and because nothing is sent ahead that depends on a reply; the content is, and waits.
//!
//! **The commit point** is the edge from `EndMark` to `FinalReply`: the last octet of the content's end mark, or of its
//! last chunk, was given to the system. `Content` is entered only if MAIL and at least one RCPT were accepted. Before the
//! edge the outcome of those whose turn it is is [`Outcome::Lost`], [`Outcome::Unexpected`], [`Outcome::Refused`] or
//! [`Outcome::NoBdat`]; after it only [`Outcome::Accepted`], [`Outcome::Refused`] and [`Outcome::NoBdat`] by the final
//! reply or that to a chunk, or [`Outcome::Uncertain`]. A chunk that is refused and a last one that is accepted
//! contradict each other, and are uncertain.
//!
//! **Every recipient gets one outcome**, told once, as soon as it is known: at the refusal of its RCPT already.
//! `Finished` follows the last of a submission, though replies to what was sent ahead may still be owed.
//!
//! **What is not told to whom.** Where TLS is required, nothing but EHLO, HELO, STARTTLS and QUIT is said in the clear;
//! `opening::greeted` is the one place that decides it. A secret is let go of in one place too,
//! `opening::authenticate`: within TLS, to a peer that has proved its name. It is overwritten when AUTH is over, and so
//! are the lines that carried it once they are sent. Nothing prints it: neither an event nor a `Debug`.
//!
//! **The clear ends at the 220** to STARTTLS. An octet that comes after it before the handshake is done, be it in the
//! same read, was put there to be taken for the server's first words within TLS: the session is lost.
//!
//! **Time.** Each reply has a deadline of its own, and many replies make days: so a transaction has one from its MAIL (or
//! from the last reply to the transaction before it) to its content, the content has a least rate while it waits to be
//! written, and all replies of a session, with what was slow of its contents, have one together, which is looked at where
//! no content has begun. None of them counts after the commit point, where the final reply has its time and nothing
//! shortens it.
//!
//! **Leaving.** QUIT is said before the transport is closed, and two seconds are waited for the answer, except
//! where the server would not take it for a command: before the greeting, around a handshake, within content, after a
//! DATA or a line of AUTH whose reply is owed, when what it says is not SMTP, and when the driver gives up.
//!
//! **Choices** where the RFCs leave them open:
//! - A negative reply that nobody asked for is taken as the answer to what is being sent, or would be next: it is
//!   the server's no. A positive one fails the session.
//! - A MAIL refused for its parameters, or an EHLO refused, stays the verdict if the second try is not answered. A RCPT
//!   refused for its own does not: those are only DSN's, and without them it was not asked.
//! - A MAIL refused, a RCPT accepted and a 354: no dot alone is sent, since it might deliver an empty message.
//! - STARTTLS is done by 220 and AUTH by 235 alone; with another 2yz the two sides would not agree where they are.
//! - HELO is never said within TLS, not even with [`Hello::Helo`]: a server that makes TLS knows EHLO.
//! - A 334 that comes although the first message went with AUTH, and makes no sense as an answer to it, asks for that
//!   message: it is said again, once. Where nothing is asked but to go on, what a 334 says and in how many lines is of no
//!   matter.
//! - One mechanism is tried. Another one follows only a reply that says the first is not taken, never a refusal of the
//!   secret; and a mechanism whose messages cannot carry a user name or secret as it is (a NUL in PLAIN) is not common.
//! - A SCRAM server that does not prove that it knows the password is [`ConnectionFailure::ServerNotAuthenticated`], whatever its verdict.
//! - A submission that had not begun when another one ended the session is `Lost`; a 421 refuses it too.
//! - What is sent ahead after a content in chunks has RSET before it, also if the chunks are accepted in the end. Where
//!   nothing is sent ahead, RSET follows only chunks that were refused.
//! - 500 to 504 to the first chunk, before or after its last octet, is a server that does not know BDAT. The connection
//!   is closed, since it may have read the chunk as commands.
//! - A last line without an end gets one under BDAT, as under DATA; a binary body is sent as it is.

mod auth;
mod capabilities;
mod chunking;
mod codes;
mod command;
mod connection;
mod mail_transaction;
mod opening;
mod parameters;
mod parser;
mod ready;
mod reply;
mod sasl;
mod scram;
mod session_end;
mod stuffing;
mod submission;
mod transmit;

pub use auth::{Authentication, Secret, SecretKind};
pub use capabilities::{Capabilities, Limits};
pub use connection::Connection;
pub use parser::{ReplyError, ReplyParser};
pub use reply::{EnhancedStatusCode, Reply, ReplyCode, ReplyLine, Severity};
pub use sasl::AuthMechanism;
pub use scram::{DerivedKey, KeyDerivation};

use crate::address::MailboxDomain;
use crate::envelope::{BodyForm, BodyType};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Names a mail transaction on a connection; chosen by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubmissionId(pub u64);

/// What the machine must know of a body before it moves.
///
/// The default is one form of 7 bits whose size is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyInfo {
    /// At least one, in the order of preference: the first that the host can take is the one that is sent. An empty
    /// list is that of the default.
    pub forms: Vec<BodyForm>,
    /// When the content goes by BDAT.
    pub chunking: Chunking,
}

impl Default for BodyInfo {
    fn default() -> Self {
        BodyForm::default().into()
    }
}

impl From<BodyForm> for BodyInfo {
    fn from(form: BodyForm) -> Self {
        Self {
            forms: vec![form],
            chunking: Chunking::default(),
        }
    }
}

/// When a content goes by BDAT (RFC 3030) and not by DATA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Chunking {
    /// Where it is offered, for a binary body or one of 16 MiB and more.
    #[default]
    Auto,
    /// Only where there is no other way for a binary body.
    Avoid,
    /// Wherever it is offered.
    Prefer,
}

/// What a connection is told once.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The name in EHLO or HELO.
    pub hello_name: MailboxDomain,
    /// EHLO first, or HELO only (a new connection after the peer closed on EHLO).
    pub hello: Hello,
    /// How long each reply may take.
    pub deadlines: Deadlines,
    /// What is asked of the transport before any mail moves.
    pub tls: TlsUse,
    /// Who the client says it is, where mail is handed to a relay; `None` on the direct road.
    pub auth: Option<Authentication>,
    /// Octets of a chunk, where the content goes by BDAT: about four chunks are held in memory.
    pub chunk_octets: usize,
}

/// Few enough that memory stays small, and enough that waiting for a reply to each costs little.
pub const CHUNK_OCTETS: usize = 1024 * 1024;

/// What a session asks of its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsUse {
    /// It stays in the clear, whatever is offered.
    Clear,
    /// The transport is made a TLS one before anything is said (RFC 8314 section 3.3).
    Implicit,
    /// STARTTLS where it is offered (RFC 3207); in the clear where it is not, or is refused by a reply.
    Opportunistic,
    /// STARTTLS, or no mail.
    Required,
}

/// A TLS session that the driver made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsSession {
    /// The peer has proved who it is. No secret is told to one that has not.
    pub verified: bool,
}

/// How the session is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hello {
    /// EHLO, and HELO when that is refused.
    Ehlo,
    /// HELO at once.
    Helo,
}

/// How long each step may take (RFC 5321 section 4.5.3.2): from the moment it was sent and the replies before it
/// were read to the last octet of its reply, however many lines that has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Greeting.
    pub greeting: Duration,
    /// EHLO and HELO.
    pub hello: Duration,
    /// STARTTLS, until its reply.
    pub starttls: Duration,
    /// The TLS handshake as a whole.
    pub tls: Duration,
    /// AUTH, each of its steps.
    pub auth: Duration,
    /// MAIL.
    pub mail: Duration,
    /// RCPT.
    pub rcpt: Duration,
    /// DATA.
    pub data: Duration,
    /// A mail transaction from its MAIL, or from the last reply to the one before, to the first octet of its content,
    /// however many replies that takes.
    pub start: Duration,
    /// Content without progress: nothing written, and no block handed over.
    pub content: Duration,
    /// Each [`CONTENT_BLOCK_OCTETS`] of the content, or what is left of it, while it waits to be written: the least rate.
    pub content_block: Duration,
    /// The final reply, from the end mark on.
    pub final_reply: Duration,
    /// QUIT; also for all that is waited for once a session has failed.
    pub quit: Duration,
    /// All replies of the session together, and what its contents took beyond [`CONTENT_RATE`]. After that no content begins
    /// any more; one that has begun goes on.
    pub replies: Duration,
}

/// Of how much content [`Deadlines::content_block`] is the time. With its default that is 1.7 kbit/s, which the slowest
/// links of satellites reach; without, a host that takes an octet every three minutes is waited for through years.
pub const CONTENT_BLOCK_OCTETS: u64 = 64 * 1024;

/// Octets of content in a second, on the average of a session, that count for nothing in [`Deadlines::replies`]: 64 kbit/s,
/// one channel of ISDN. So what a session may take grows with its mail transactions and their sizes, and a link that is as
/// slow has no end but that of the mail; a slower one still has what replies leave. Without, a host that takes one recipient
/// at a time, and reads its content at the rate of [`Deadlines::content_block`], is waited for through weeks.
pub const CONTENT_RATE: u64 = 8 * 1024;

impl Default for Deadlines {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Self {
            greeting: minutes(5),
            hello: minutes(5),
            starttls: minutes(1),
            tls: Duration::from_secs(15),
            auth: minutes(2),
            mail: minutes(5),
            rcpt: minutes(5),
            data: minutes(2),
            start: minutes(5),
            content: minutes(3),
            content_block: minutes(5),
            final_reply: minutes(10),
            quit: Duration::from_secs(2),
            replies: minutes(60),
        }
    }
}

/// A step of the exchange: what was sent, or what a reply answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExchangeStage {
    /// The server's greeting; nothing is sent for it.
    Greeting,
    /// EHLO
    Ehlo,
    /// HELO
    Helo,
    /// STARTTLS
    StartTls,
    /// The TLS handshake; no command and no reply.
    Tls,
    /// AUTH
    Auth,
    /// MAIL
    Mail,
    /// RCPT
    Rcpt,
    /// DATA
    Data,
    /// BDAT with a chunk that is not the last, and its reply. In an outcome it counts as `Content`.
    Chunk,
    /// The content with its end mark, or the last chunk, and the final reply.
    Content,
    /// RSET
    Rset,
    /// QUIT
    Quit,
}

/// What became of one recipient of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 2yz to the content.
    Accepted(Arc<Reply>),
    /// A 4yz or 5yz decided. For a submission that had not begun, a 421 to another one: the stage is `Mail`.
    Refused {
        /// What it answered.
        stage: ExchangeStage,
        /// The reply.
        reply: Arc<Reply>,
    },
    /// Before the commit point, a reply that cannot stand where it stood: 1yz, 6yz, a 2yz or 3yz nobody asked for.
    Unexpected {
        /// What was awaited.
        stage: ExchangeStage,
        /// The reply.
        reply: Arc<Reply>,
    },
    /// Decided here: the host cannot take this message.
    Unsupported(Unsupported),
    /// TLS was required, and the host does not begin it. Nothing of the mail was sent.
    NoTls(NoTls),
    /// The conversation ended before the commit point, and no reply decides.
    Lost {
        /// What was awaited.
        stage: ExchangeStage,
        /// How it ended.
        why: ConnectionFailure,
    },
    /// After the commit point, and no final reply that can be believed (RFC 1047).
    Uncertain(ConnectionFailure),
    /// The host offers BDAT and does not know it: it refused the first chunk so, and has none of the content. On another
    /// connection and with [`Chunking::Avoid`] the same host may take it.
    NoBdat(Arc<Reply>),
    /// 452 or 552 to its RCPT, where the host had accepted others of this submission: it was one too many, and no other
    /// turn came in this session. The same host may serve it in another one.
    TooManyRecipients(Arc<Reply>),
    /// The session ended before it was this one's turn, and not for its sake: others of the submission were served, or it
    /// was to be tried once more without parameters. The same host may serve it in another session.
    NotAttempted,
}

/// Why there is no TLS session, found before a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTls {
    /// The answer to EHLO does not offer STARTTLS, or the server knows only HELO.
    NotOffered,
    /// STARTTLS was refused.
    Refused(Arc<Reply>),
}

/// Why a host cannot take a message, found before asking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// It offers no AUTH mechanism that the client has.
    NoAuthMechanism,
    /// AUTH was asked for and the session's peer is not verified: no secret has left.
    NotVerified,
    /// It takes no body of this type, and there is no form of the message that needs less.
    NeedsBodyType(BodyType),
    /// REQUIRETLS is asked for and not offered, or this is no TLS session with a peer that has proved who it is.
    NeedsRequireTls,
    /// An address, or the header, is not ASCII and SMTPUTF8 is not offered.
    NeedsSmtpUtf8,
    /// Larger than the host's SIZE.
    TooLarge {
        /// The message, in octets.
        size: u64,
        /// What the host announced, in octets.
        limit: u64,
    },
}

/// How a conversation ended without a reply that decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionFailure {
    /// The driver gave up: the caller cancelled, the total deadline passed, the content could not be read.
    Aborted(Abort),
    /// The peer closed.
    Closed,
    /// A reply that is one, but cannot be believed there.
    ImplausibleReply(Arc<Reply>),
    /// Octets came in the clear between the 220 to STARTTLS and the handshake (CVE-2021-38371).
    Injected,
    /// What came is not SMTP, or breaks a limit.
    NotSmtp,
    /// The system reported an error.
    Reset(io::ErrorKind),
    /// No answer in time.
    TimedOut,
    /// All that was waited for took longer than [`Deadlines::replies`] together, and no content had begun.
    OutOfTime,
    /// The TLS handshake failed; why, for a person.
    Tls(Arc<str>),
    /// AUTH: the server did not prove that it knows the password, as SCRAM wants it to (RFC 5802 section 5).
    ServerNotAuthenticated,
}

/// Why the driver gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Abort {
    /// The caller cancelled.
    Cancelled,
    /// The content could not be read.
    ContentUnreadable,
    /// The caller's total deadline, or the one to the first octet of content.
    Deadline,
}

/// What the driver learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A command, a chunk, or the content with its end mark, was given to the system whole.
    ///
    /// Told in the logical order command, reply, command, reply: what was sent ahead is told when the replies
    /// before it were read, or when the session ends. A dot alone is told as `Content`.
    Sent {
        /// Which.
        stage: ExchangeStage,
        /// The submission it belongs to, if any.
        tx: Option<SubmissionId>,
    },
    /// A reply was read whole.
    Received {
        /// What it answers; for one that nobody asked for, what was being sent or would have been next.
        stage: ExchangeStage,
        /// The submission it belongs to, if any.
        tx: Option<SubmissionId>,
        /// The reply.
        reply: Arc<Reply>,
    },
    /// The session is open: EHLO or HELO was accepted, and TLS and AUTH are done as asked. With what the server offers in
    /// the state in which it is now.
    Ready(Capabilities),
    /// Compute this key and call [`Connection::handle_key`]; the rest goes on meanwhile, and nothing is awaited of the
    /// server. It may take a second of a processor's time: AUTH by SCRAM, with as many iterations as the server wants.
    DeriveKey(KeyDerivation),
    /// Make the transport a TLS one and call [`Connection::handle_tls`]; once at most. Until then nothing is to be
    /// written, and what is read in the clear is to be handed over, never kept for the time after the handshake.
    StartTls,
    /// The content of the submission is wanted from its beginning: [`NeedContent`](Self::NeedContent) follows, as often
    /// as there is room for a block. A submission of many recipients opens its content more than once.
    OpenContent {
        /// The submission.
        tx: SubmissionId,
        /// Which of the [`forms`](BodyInfo::forms) of its body, as an index.
        form: usize,
    },
    /// Call [`Connection::handle_content`] once.
    NeedContent(SubmissionId),
    /// The server refused a command for its parameters: from the next transaction on nothing is asked of DSN any more,
    /// although it is offered and something is wished. Told once at most. A host that took one transaction only would be
    /// asked in vain in every session: the next one had better not begin with it.
    DsnDropped(SubmissionId),
    /// One recipient's outcome; exactly one for each before `Finished`.
    Recipient {
        /// The submission.
        tx: SubmissionId,
        /// Its index in the envelope.
        index: usize,
        /// What became of it.
        outcome: Outcome,
    },
    /// Every recipient of the submission has its outcome. Replies to what was sent ahead may follow.
    Finished(SubmissionId),
    /// Nothing more will happen: close the transport.
    Closed,
}

impl Event {
    /// The same event with other replies, made of those in it and of what they answer, where that is told.
    pub(crate) fn map_replies(
        self,
        map: &mut dyn FnMut(Option<ExchangeStage>, Arc<Reply>) -> Arc<Reply>,
    ) -> Self {
        match self {
            Self::Received { stage, tx, reply } => Self::Received {
                stage,
                tx,
                reply: map(Some(stage), reply),
            },
            Self::Recipient { tx, index, outcome } => Self::Recipient {
                tx,
                index,
                outcome: outcome.map_replies(map),
            },
            event => event,
        }
    }
}

impl Outcome {
    /// As [`Event::map_replies`].
    pub(crate) fn map_replies(
        self,
        map: &mut dyn FnMut(Option<ExchangeStage>, Arc<Reply>) -> Arc<Reply>,
    ) -> Self {
        match self {
            Self::Accepted(reply) => Self::Accepted(map(None, reply)),
            Self::Refused { stage, reply } => Self::Refused {
                stage,
                reply: map(Some(stage), reply),
            },
            Self::Unexpected { stage, reply } => Self::Unexpected {
                stage,
                reply: map(Some(stage), reply),
            },
            Self::NoTls(NoTls::Refused(reply)) => Self::NoTls(NoTls::Refused(map(None, reply))),
            Self::Lost {
                stage,
                why: ConnectionFailure::ImplausibleReply(reply),
            } => Self::Lost {
                stage,
                why: ConnectionFailure::ImplausibleReply(map(Some(stage), reply)),
            },
            Self::Uncertain(ConnectionFailure::ImplausibleReply(reply)) => {
                Self::Uncertain(ConnectionFailure::ImplausibleReply(map(None, reply)))
            }
            Self::NoBdat(reply) => Self::NoBdat(map(None, reply)),
            Self::TooManyRecipients(reply) => Self::TooManyRecipients(map(None, reply)),
            outcome @ (Self::Lost { .. }
            | Self::NoTls(NoTls::NotOffered)
            | Self::Uncertain(_)
            | Self::Unsupported(_)
            | Self::NotAttempted) => outcome,
        }
    }
}
