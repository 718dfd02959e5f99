//! The guide quotes the sentences as they are printed.
//!
//! What another part of the library says within a sentence is asked of that part, so that no sentence stands in the
//! guide which no delivery prints.

use crate::agent::CARRIED_OVER_A_FORK;
use crate::delivery::advice::{Advice, Case, advice};
use crate::delivery::outcome::{Attempt, Cause, ConnectFailure, HostExcluded, Stage, TlsPolicy};
use crate::delivery::report::Findings;
use crate::delivery::summary::summarize;
use crate::delivery::verdict::{Circumstances, verdict};
use crate::dkim::DkimError;
use crate::local::LocalError;
use crate::message::{Reason, SourceError, Unmet};
use crate::net::{NotAsked, Port25Evidence, Port25Finding, ProxyError, TlsRefusals, tls_refusals};
use crate::protocol::{Fields, check};
use crate::route::{LookupError, RouteError};
use crate::smtp::{Abort, ConnectionFailure, ExchangeStage, NoTls, Outcome, Reply, ReplyCode, Unsupported};
use std::io::{self, ErrorKind};
use std::sync::Arc;

const GUIDE: &str = include_str!("../../../../../docs/guide.md");
const CHAPTER: &str = "\n## Will my mail arrive, and if not why\n";

/// The recipient of most sentences, and one whom not every host can be told of.
const BOB: &str = "bob@example.org";
const PYOTR: &str = "пётр@example.org";

/// A cause, who demanded TLS, whether it was with a relay.
pub(super) type Row = (Cause, Option<TlsPolicy>, bool);

fn reply(code: u16, text: &str) -> Arc<Reply> {
    Arc::new(Reply::new(ReplyCode(code), vec![text.into()]))
}

fn refused(stage: ExchangeStage, code: u16, text: &str) -> Cause {
    Cause::Exchange(Outcome::Refused {
        stage,
        reply: reply(code, text),
    })
}

fn lost(stage: ExchangeStage, why: ConnectionFailure) -> Cause {
    Cause::Exchange(Outcome::Lost { stage, why })
}

fn tls_fails(why: &str) -> Cause {
    lost(ExchangeStage::Tls, ConnectionFailure::Tls(why.into()))
}

/// What the client's checks say of an address.
fn not_an_address(to: &str) -> Cause {
    let fields = Fields {
        from: b"anna@example.com",
        to: to.as_bytes(),
        subject: b"test",
        content: b"test content.",
    };
    check(fields).expect_err("no address").into()
}

fn unreadable() -> Cause {
    let shorter = SourceError::Shorter {
        name: "/home/anna/report.pdf".to_owned(),
        expected: 20,
        seen: 10,
    };
    let error = io::Error::new(ErrorKind::InvalidData, shorter);
    Cause::Local(Stage::Content, LocalError::of_data(&error, "the content"))
}

fn unsigned() -> Cause {
    Cause::Unsigned(DkimError::Random.to_string().into())
}

fn no_roots(why: &str) -> Cause {
    let lost = Outcome::Lost {
        stage: ExchangeStage::Tls,
        why: ConnectionFailure::Tls(why.into()),
    };
    let circumstances = Circumstances {
        no_roots: true,
        ..Circumstances::default()
    };
    Cause::of_exchange(lost, circumstances)
}

fn port25(failure: ConnectFailure, finding: Port25Finding) -> Cause {
    Cause::Unreachable(failure, Arc::new(Port25Evidence::with_finding(finding)))
}

fn needs_ascii(address: &str) -> Cause {
    Cause::Unmet(Unmet {
        keyword: "SMTPUTF8",
        reason: Reason::Address(address.into()),
    })
}

fn direct() -> Vec<Cause> {
    let refused_by_host = ConnectFailure::Failed(ErrorKind::ConnectionRefused);
    vec![
        Cause::Exchange(Outcome::Accepted(reply(250, "2.0.0 queued as 4711"))),
        not_an_address("bob.example.org"),
        Cause::Route(RouteError::Lookup(LookupError::NxDomain)),
        Cause::Route(RouteError::NoMailHost),
        Cause::Route(RouteError::NullMx),
        Cause::Route(RouteError::ForbiddenTarget),
        Cause::Route(RouteError::Lookup(LookupError::Failed("SERVFAIL".to_owned()))),
        Cause::Route(RouteError::Lookup(LookupError::Bogus)),
        Cause::Route(RouteError::Lookup(LookupError::NoAnswer)),
        Cause::Connect(refused_by_host),
        Cause::Connect(ConnectFailure::TimedOut),
        Cause::Connect(ConnectFailure::NoRoute(ErrorKind::NetworkUnreachable)),
        port25(refused_by_host, Port25Finding::Open),
        port25(ConnectFailure::TimedOut, Port25Finding::NoNetwork),
        port25(
            ConnectFailure::TimedOut,
            Port25Finding::NotAsked(NotAsked::NoTime),
        ),
        lost(ExchangeStage::Greeting, ConnectionFailure::TimedOut),
        lost(ExchangeStage::Greeting, ConnectionFailure::NotSmtp),
        lost(ExchangeStage::Mail, ConnectionFailure::Closed),
        lost(ExchangeStage::Mail, ConnectionFailure::OutOfTime),
        Cause::GivenUp(Stage::Connect, Abort::Deadline),
        port25(refused_by_host, Port25Finding::BlockedHere),
        port25(refused_by_host, Port25Finding::BlockedOnTheWay { certain: true }),
        port25(
            ConnectFailure::TimedOut,
            Port25Finding::BlockedOnTheWay { certain: false },
        ),
        refused(ExchangeStage::Greeting, 554, "5.3.2 no service for you now"),
        refused(ExchangeStage::Rcpt, 450, "4.7.1 greylisted"),
        refused(ExchangeStage::Rcpt, 452, "4.2.2 mailbox full"),
        refused(ExchangeStage::Content, 554, "5.6.0 what is that"),
        Cause::Exchange(Outcome::Unsupported(Unsupported::TooLarge {
            size: 30_000_000,
            limit: 10_240_000,
        })),
        needs_ascii("пётр@example.net"),
        Cause::Unmet(Unmet {
            keyword: "BINARYMIME",
            reason: Reason::Part("data.bin".into()),
        }),
        Cause::HostExcluded(HostExcluded::NotProved),
        Cause::Exchange(Outcome::Unsupported(Unsupported::NeedsRequireTls)),
        Cause::Exchange(Outcome::NotAttempted),
        unreadable(),
        Cause::LeftOver(Some(reply(452, "4.5.3 Too many recipients"))),
        Cause::Local(Stage::Connect, LocalError::Descriptors),
        Cause::Local(Stage::Route, LocalError::TooManyAtOnce),
        Cause::Local(Stage::Route, LocalError::TooManyToOneHost),
        Cause::TlsDemanded(reply(530, "5.7.0 Must issue a STARTTLS command first")),
        refused(
            ExchangeStage::Greeting,
            554,
            "5.7.1 Client host [192.0.2.1] blocked using zen.example.org",
        ),
        refused(ExchangeStage::Ehlo, 550, "5.7.1 not you"),
        refused(ExchangeStage::Rcpt, 450, "4.7.28 too many mails"),
        refused(ExchangeStage::Rcpt, 550, "5.7.28 too many mails"),
        refused(ExchangeStage::Rcpt, 550, "5.1.1 no such user"),
        refused(ExchangeStage::Mail, 550, "5.7.1 blocked, see the list"),
        refused(ExchangeStage::Content, 550, "5.7.23 SPF validation failed"),
        refused(ExchangeStage::Mail, 550, "5.7.25 no reverse DNS"),
        refused(ExchangeStage::Content, 550, "5.7.26 not authenticated"),
        Cause::Exchange(Outcome::Uncertain(ConnectionFailure::TimedOut)),
        Cause::Exchange(Outcome::Uncertain(ConnectionFailure::Closed)),
        Cause::GivenUp(Stage::Mail, Abort::Cancelled),
        Cause::Internal { content_begun: false },
        Cause::Internal { content_begun: true },
        unsigned(),
        Cause::Misuse(CARRIED_OVER_A_FORK.to_owned()),
    ]
}

fn protected(tls: &TlsRefusals) -> Vec<Row> {
    let demanded = |cause, policy| (cause, Some(policy), false);
    vec![
        demanded(
            Cause::Exchange(Outcome::NoTls(NoTls::NotOffered)),
            TlsPolicy::Required,
        ),
        demanded(tls_fails(&tls.expired), TlsPolicy::Required),
        demanded(
            Cause::Exchange(Outcome::NoTls(NoTls::NotOffered)),
            TlsPolicy::Dane,
        ),
        demanded(tls_fails(&tls.not_in_dns), TlsPolicy::Dane),
        demanded(
            Cause::HostExcluded(HostExcluded::Dane(LookupError::Failed("SERVFAIL".to_owned()))),
            TlsPolicy::Dane,
        ),
        demanded(tls_fails(&tls.of_another), TlsPolicy::MtaSts),
        demanded(Cause::HostExcluded(HostExcluded::NotInPolicy), TlsPolicy::MtaSts),
        demanded(no_roots(&tls.no_roots), TlsPolicy::MtaSts),
    ]
}

fn relayed(tls: &TlsRefusals) -> Vec<Row> {
    let with_relay = |cause| (cause, Some(TlsPolicy::Relay), true);
    vec![
        with_relay(Cause::Relayed(reply(250, "2.0.0 queued as 4711"))),
        with_relay(Cause::RelayNotFound(RouteError::NoMailHost)),
        with_relay(Cause::Connect(ConnectFailure::TimedOut)),
        with_relay(tls_fails(&tls.of_another)),
        with_relay(refused(ExchangeStage::Auth, 535, "5.7.8 authentication failed")),
        with_relay(refused(
            ExchangeStage::Auth,
            534,
            "5.7.9 application-specific password required",
        )),
        with_relay(refused(
            ExchangeStage::Auth,
            454,
            "4.7.0 temporary authentication failure",
        )),
        with_relay(Cause::Exchange(Outcome::Unsupported(
            Unsupported::NoAuthMechanism,
        ))),
        with_relay(lost(
            ExchangeStage::Auth,
            ConnectionFailure::ServerNotAuthenticated,
        )),
        (
            refused(ExchangeStage::Mail, 530, "5.7.0 authentication required"),
            None,
            true,
        ),
        (
            refused(ExchangeStage::Rcpt, 554, "5.7.1 relay access denied"),
            None,
            true,
        ),
    ]
}

/// All of them.
pub(super) fn rows() -> Vec<Row> {
    let tls = tls_refusals("mx.example.org");
    let of_direct = direct().into_iter().map(|cause| (cause, None, false));
    of_direct.chain(protected(&tls)).chain(relayed(&tls)).collect()
}

/// What a person is told of a mail to two recipients, of whom one was greylisted: the summary, and that one's own.
fn of_several() -> [String; 2] {
    let accepted = Cause::Exchange(Outcome::Accepted(reply(250, "2.0.0 queued as 4711")));
    let causes = [
        ("alice@example.org", accepted),
        (
            "bob@example.org",
            refused(ExchangeStage::Rcpt, 450, "4.7.1 greylisted"),
        ),
    ];
    let mut reports = causes.map(|(recipient, cause)| {
        let findings = Findings {
            recipient: recipient.to_owned(),
            domain: "example.org".to_owned(),
            causes: &[(cause, Some(0))],
            untried: false,
            relay: false,
            content_begun: true,
            port25: None,
            has_others: true,
        };
        findings.report(&[Attempt::at("mx.example.org")])
    });
    let summary = summarize(&mut reports).expect("there are two");
    [&summary, &reports[1]].map(|report| report.advice().to_owned())
}

fn sentences() -> Vec<String> {
    let of_bob = rows().into_iter().map(|row| told(&row, BOB));
    let of_pyotr = [told(&(needs_ascii(PYOTR), None, false), PYOTR)];
    of_bob.chain(of_pyotr).chain(of_several()).collect()
}

fn told((cause, policy, relay): &Row, recipient: &str) -> String {
    let Advice { what, later } = advice(&Case {
        verdict: &verdict(cause, "example.org"),
        cause,
        recipient,
        domain: "example.org",
        host: Some("mx.example.org"),
        relay: *relay,
        policy: *policy,
        attempts: 1,
        has_others: false,
    });
    [what].into_iter().chain(later).collect::<Vec<_>>().join(" ")
}

/// The quotations of the chapter, each on one line.
fn quotations() -> Vec<String> {
    let (_, chapter) = GUIDE.split_once(CHAPTER).expect("the chapter");
    let chapter = chapter
        .split_once("\n## ")
        .map_or(chapter, |(chapter, _)| chapter);
    let mut quotations = Vec::new();
    let mut within = false;
    for line in chapter.lines() {
        match (line.strip_prefix("> "), quotations.last_mut()) {
            (Some(text), Some(last)) if within => {
                *last = format!("{last} {text}");
            }
            (Some(text), _) => quotations.push(text.to_owned()),
            (None, _) => {}
        }
        within = line.starts_with("> ");
    }
    quotations
}

#[test]
fn the_guide_quotes_what_is_printed() {
    let printed = sentences();
    let quoted = quotations();
    let missing: Vec<&String> = printed
        .iter()
        .filter(|sentence| !quoted.contains(sentence))
        .collect();
    let invented: Vec<&String> = quoted
        .iter()
        .filter(|quotation| !printed.contains(quotation))
        .collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "the guide does not quote {missing:#?}\nand nobody prints {invented:#?}"
    );
}

fn told_of_a_relay(cause: &Cause) -> String {
    told(&(cause.clone(), None, true), BOB)
}

#[test]
fn a_relay_is_not_blamed_for_what_is_at_fault_here() {
    let rows = [
        (
            ConnectFailure::NotOurs([192, 0, 2, 1].into()),
            "Set a source address",
        ),
        (
            ConnectFailure::Proxy(ProxyError::LoginRefused),
            "Correct the user and the password of the proxy",
        ),
        (
            ConnectFailure::Proxy(ProxyError::NoMethod),
            "Correct the user and the password of the proxy",
        ),
        (
            ConnectFailure::Proxy(ProxyError::Silent),
            "look at the settings of the proxy",
        ),
        (
            ConnectFailure::Proxy(ProxyError::Refused(2)),
            "Ask the administrator of the proxy",
        ),
    ];
    for (failure, words) in rows {
        let told = told_of_a_relay(&Cause::Connect(failure));
        assert!(told.contains(words) && !told.contains("its port"), "{told}");
    }
}

#[test]
fn a_relay_that_greylists_does_not_want_a_log_in() {
    let told = told_of_a_relay(&refused(ExchangeStage::Rcpt, 450, "4.7.1 greylisted"));
    assert!(!told.contains("user name"), "{told}");
}

#[test]
fn a_record_that_cannot_be_read_broke_the_tls_session() {
    let told = told_of_a_relay(&lost(
        ExchangeStage::Mail,
        ConnectionFailure::Reset(std::io::ErrorKind::InvalidData),
    ));
    assert!(told.contains("broke the TLS session"), "{told}");
}
