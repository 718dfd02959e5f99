//! The guide quotes the sentences as they are printed.

use super::{Case, sentence};
use crate::delivery::protection::{Skip, TlsPolicy};
use crate::delivery::report::Stage;
use crate::delivery::verdict::{Cause, ConnectFailure, verdict};
use crate::message::{Reason, Unmet};
use crate::net::{NotAsked, Port25Evidence, Port25Finding, ProxyError};
use crate::protocol::{CheckFailure, MapReply};
use crate::route::{LookupError, RouteError};
use crate::smtp::{self, Abort, Loss, NoTls, Outcome, Reply, ReplyCode, Unfit};
use std::io::ErrorKind;
use std::sync::Arc;

const GUIDE: &str = include_str!("../../../../docs/guide.md");
const CHAPTER: &str = "\n## Will my mail arrive, and if not why\n";

/// A cause, who demanded TLS, whether it was with a relay.
type Row = (Cause, Option<TlsPolicy>, bool);

fn reply(code: u16, text: &str) -> Arc<Reply> {
    Arc::new(Reply::new(ReplyCode(code), vec![text.into()]))
}

fn refused(stage: smtp::Stage, code: u16, text: &str) -> Cause {
    Cause::Exchange(Outcome::Refused {
        stage,
        reply: reply(code, text),
    })
}

fn lost(stage: smtp::Stage, why: Loss) -> Cause {
    Cause::Exchange(Outcome::Lost { stage, why })
}

fn tls_fails(why: &str) -> Cause {
    lost(smtp::Stage::Tls, Loss::Tls(why.into()))
}

fn port25(failure: ConnectFailure, finding: Port25Finding) -> Cause {
    Cause::Unreachable(failure, Arc::new(Port25Evidence::with_finding(finding)))
}

fn direct() -> Vec<Cause> {
    let refused_by_host = ConnectFailure::Failed(ErrorKind::ConnectionRefused);
    vec![
        Cause::Exchange(Outcome::Accepted(reply(250, "2.0.0 queued as 4711"))),
        Cause::Check(CheckFailure {
            reply: MapReply::InvalidFormat("bob.example.org".to_owned()),
            reason: "the address has no @".to_owned(),
        }),
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
        lost(smtp::Stage::Greeting, Loss::TimedOut),
        lost(smtp::Stage::Greeting, Loss::NotSmtp),
        lost(smtp::Stage::Mail, Loss::Closed),
        Cause::GivenUp(Stage::Connect, Abort::Deadline),
        port25(refused_by_host, Port25Finding::BlockedHere),
        port25(refused_by_host, Port25Finding::BlockedOnTheWay { certain: true }),
        port25(
            ConnectFailure::TimedOut,
            Port25Finding::BlockedOnTheWay { certain: false },
        ),
        refused(smtp::Stage::Greeting, 554, "5.3.2 no service for you now"),
        refused(smtp::Stage::Rcpt, 450, "4.7.1 greylisted"),
        refused(smtp::Stage::Rcpt, 452, "4.2.2 mailbox full"),
        refused(smtp::Stage::Content, 554, "5.6.0 what is that"),
        Cause::Exchange(Outcome::Unfit(Unfit::TooLarge {
            size: 30_000_000,
            limit: 10_240_000,
        })),
        Cause::Exchange(Outcome::Unfit(Unfit::NeedsSmtpUtf8)),
        Cause::Unmet(Unmet {
            keyword: "SMTPUTF8",
            reason: Reason::Address("пётр@example.net".into()),
        }),
        Cause::Unmet(Unmet {
            keyword: "BINARYMIME",
            reason: Reason::Part("data.bin".into()),
        }),
        Cause::Skipped(Skip::NotProved),
        Cause::Exchange(Outcome::Unfit(Unfit::NeedsRequireTls)),
        Cause::Exchange(Outcome::Unserved),
        Cause::Unreadable(
            Stage::Content,
            "report.pdf ends after 10 octets, and had 20 when the message was made".into(),
        ),
        Cause::TlsDemanded(reply(530, "5.7.0 Must issue a STARTTLS command first")),
        refused(smtp::Stage::Rcpt, 550, "5.1.1 no such user"),
        refused(smtp::Stage::Mail, 550, "5.7.1 blocked, see the list"),
        refused(smtp::Stage::Content, 550, "5.7.23 SPF validation failed"),
        refused(smtp::Stage::Mail, 550, "5.7.25 no reverse DNS"),
        refused(smtp::Stage::Content, 550, "5.7.26 not authenticated"),
        Cause::Exchange(Outcome::Uncertain(Loss::TimedOut)),
        Cause::Exchange(Outcome::Uncertain(Loss::Closed)),
        Cause::GivenUp(Stage::Mail, Abort::Cancelled),
        Cause::Internal { content_begun: false },
        Cause::Internal { content_begun: true },
        Cause::Unsigned("the message cannot be read: Input/output error (os error 5)".into()),
        Cause::Misuse("the agent was carried over a fork".to_owned()),
    ]
}

fn protected() -> Vec<Row> {
    let demanded = |cause, policy| (cause, Some(policy), false);
    vec![
        demanded(
            Cause::Exchange(Outcome::NoTls(NoTls::NotOffered)),
            TlsPolicy::Required,
        ),
        demanded(tls_fails("its certificate is expired"), TlsPolicy::Required),
        demanded(
            Cause::Exchange(Outcome::NoTls(NoTls::NotOffered)),
            TlsPolicy::Dane,
        ),
        demanded(
            tls_fails("no TLSA record vouches for its certificate"),
            TlsPolicy::Dane,
        ),
        demanded(
            Cause::Skipped(Skip::Dane(LookupError::Failed("SERVFAIL".to_owned()))),
            TlsPolicy::Dane,
        ),
        demanded(
            tls_fails("its certificate is for other.example, not for mx.example.org"),
            TlsPolicy::MtaSts,
        ),
        demanded(Cause::Skipped(Skip::NotInPolicy), TlsPolicy::MtaSts),
        demanded(
            Cause::NoRoots("no root certificates were found".into()),
            TlsPolicy::MtaSts,
        ),
    ]
}

fn relayed() -> Vec<Row> {
    let with_relay = |cause| (cause, Some(TlsPolicy::Relay), true);
    vec![
        with_relay(Cause::Relayed(reply(250, "2.0.0 queued as 4711"))),
        with_relay(Cause::RelayNotFound(RouteError::NoMailHost)),
        with_relay(Cause::Connect(ConnectFailure::TimedOut)),
        with_relay(tls_fails(
            "its certificate is for other.example, not for mx.example.org",
        )),
        with_relay(refused(smtp::Stage::Auth, 535, "5.7.8 authentication failed")),
        with_relay(refused(
            smtp::Stage::Auth,
            534,
            "5.7.9 application-specific password required",
        )),
        with_relay(refused(
            smtp::Stage::Auth,
            454,
            "4.7.0 temporary authentication failure",
        )),
        with_relay(Cause::Exchange(Outcome::Unfit(Unfit::NoAuthMechanism))),
        with_relay(lost(smtp::Stage::Auth, Loss::Unproved)),
        (
            refused(smtp::Stage::Mail, 530, "5.7.0 authentication required"),
            None,
            true,
        ),
        (
            refused(smtp::Stage::Rcpt, 554, "5.7.1 relay access denied"),
            None,
            true,
        ),
    ]
}

fn sentences() -> Vec<String> {
    let of_direct = direct().into_iter().map(|cause| (cause, None, false));
    of_direct
        .chain(protected())
        .chain(relayed())
        .map(|(cause, policy, relay)| {
            sentence(&Case {
                verdict: &verdict(&cause, "example.org"),
                cause: &cause,
                recipient: "bob@example.org",
                domain: "example.org",
                host: Some("mx.example.org"),
                relay,
                policy,
                attempts: 1,
            })
        })
        .collect()
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
    for sentence in &printed {
        assert!(
            quoted.contains(sentence),
            "the guide does not quote:\n> {sentence}"
        );
    }
    for quotation in &quoted {
        assert!(printed.contains(quotation), "nobody prints:\n> {quotation}");
    }
}

fn told_of_a_relay(cause: &Cause) -> String {
    sentence(&Case {
        verdict: &verdict(cause, "example.org"),
        cause,
        recipient: "bob@example.org",
        domain: "example.org",
        host: Some("mx.example.org"),
        relay: true,
        policy: None,
        attempts: 1,
    })
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
    let told = told_of_a_relay(&refused(smtp::Stage::Rcpt, 450, "4.7.1 greylisted"));
    assert!(!told.contains("user name"), "{told}");
}

#[test]
fn a_record_that_cannot_be_read_broke_the_tls_session() {
    let told = told_of_a_relay(&lost(
        smtp::Stage::Mail,
        Loss::Reset(std::io::ErrorKind::InvalidData),
    ));
    assert!(told.contains("broke the TLS session"), "{told}");
}
