//! The sentences for a person: what happened, and what to do next.
//!
//! By the codes alone, since many servers send nothing more; what the server wrote is quoted, escaped and capped. What a
//! sentence says about waiting is made of the verdict's `retry_after`, in one place.

mod secure;

use super::outcome::{Cause, ConnectFailure, Delivered, HostExcluded, MAX_SESSIONS, Stage, TlsPolicy};
use super::refusal::meaning;
use super::verdict::{Verdict, verdict};
use crate::local::LocalError;
use crate::message::{BodyType, LineTrouble, Reason, Unmet};
use crate::net::{NotAsked, Port25Evidence, Port25Finding, ProxyError};
use crate::protocol::MapReply;
use crate::route::{LookupError, RouteError};
use crate::smtp::{
    Abort, ConnectionFailure, ExchangeStage, NoTls, Outcome, Reply, ReplyCode, Severity, Unsupported,
};
use crate::text::{one_line, shown_line};
use std::io;
use std::time::Duration;

/// More characters of a server's text than this are not quoted in a sentence.
const QUOTED_CHARACTERS: usize = 200;

/// What a sentence is made from.
pub(super) struct Case<'a> {
    pub(super) verdict: &'a Verdict,
    pub(super) cause: &'a Cause,
    pub(super) recipient: &'a str,
    pub(super) domain: &'a str,
    pub(super) host: Option<&'a str>,
    /// The mail went to a relay, or was to.
    pub(super) relay: bool,
    /// What demanded TLS of the host.
    pub(super) policy: Option<TlsPolicy>,
    pub(super) attempts: usize,
    /// The message has other recipients as well.
    pub(super) has_others: bool,
}

/// What a person is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Advice {
    /// What happened and what to do about it. It says nothing about waiting.
    pub(super) what: String,
    /// What to do later, where another try may help.
    pub(super) later: Option<String>,
}

/// What happened and what to do next.
pub(super) fn advice(case: &Case<'_>) -> Advice {
    Advice {
        what: what(case),
        later: later(case),
    }
}

/// All that is said about waiting.
fn later(case: &Case<'_>) -> Option<String> {
    let pause = spelled(case.verdict.retry_after.filter(|_| case.verdict.transient)?);
    let wants_remedy = matches!(case.cause, Cause::Exchange(Outcome::Refused { stage, reply })
        if meaning(*stage, reply).wants_remedy());
    Some(if !verdict(case.cause, case.domain).transient {
        format!("Not every mail host of the domain was asked: try again in {pause}.")
    } else if wants_remedy {
        format!("Once that is put right, try again, after {pause} at the earliest.")
    } else {
        let complaint = complaint(case).map(|whom| format!("; if it stays so, {whom}"));
        format!("Try again in {pause}{}.", complaint.unwrap_or_default())
    })
}

/// What to do where another try meets the same.
fn complaint(case: &Case<'_>) -> Option<String> {
    let domain = || Some(format!("tell the administrator of {}", one_line(case.domain)));
    let host = || Some("tell its administrator".to_owned());
    match case.cause {
        Cause::Route(RouteError::Lookup(LookupError::NoAnswer | LookupError::Configuration(_))) => None,
        Cause::Route(_) | Cause::HostExcluded(_) => domain(),
        Cause::TlsDemanded(_) | Cause::Exchange(Outcome::NoBdat(_) | Outcome::Unexpected { .. }) => host(),
        Cause::Exchange(Outcome::NoTls(_) | Outcome::Lost { .. }) if is_about_tls(case.cause) => {
            match case.policy {
                Some(TlsPolicy::MtaSts) => domain(),
                Some(TlsPolicy::Dane) => host(),
                Some(TlsPolicy::Required) => {
                    Some("tell its administrator, or send without the requirement".to_owned())
                }
                Some(TlsPolicy::Relay) | None => None,
            }
        }
        _ => None,
    }
}

pub(super) fn spelled(pause: Duration) -> String {
    let minutes = pause.as_secs().div_ceil(60);
    match (minutes / 60, minutes % 60) {
        (1, 0) => "1 hour".to_owned(),
        (hours, 0) if hours > 0 => format!("{hours} hours"),
        _ if minutes == 1 => "1 minute".to_owned(),
        _ => format!("{minutes} minutes"),
    }
}

/// Nothing was sent, as far as this recipient is concerned.
fn nothing_sent(case: &Case<'_>) -> &'static str {
    if case.has_others {
        "Nothing was sent to this recipient"
    } else {
        "Nothing was sent"
    }
}

/// For whom nothing was delivered, as the end of a sentence.
fn to_this_one(case: &Case<'_>) -> &'static str {
    if case.has_others { " to this recipient" } else { "" }
}

fn what(case: &Case<'_>) -> String {
    if let Some((_, error)) = case.cause.local() {
        return local(case, error);
    }
    match case.cause {
        Cause::Check(failure) => match failure.reply {
            MapReply::Local(_) => format!(
                "Nothing was sent: {}. {} Or send it as a file, which is read a block at a time.",
                failure.reason,
                LocalError::Memory.remedy()
            ),
            MapReply::NoEmpty(_) => {
                format!("Nothing was sent: {}. Fill in what is missing and send again.", failure.reason)
            }
            _ => format!("Nothing was sent: {}. Correct it and send again.", failure.reason),
        },
        Cause::Connect(failure) if case.relay => secure::relay_not_reached(case, *failure),
        Cause::Connect(failure) => no_connection(case, *failure),
        Cause::Exchange(outcome) => {
            secure::exchange(case, outcome).unwrap_or_else(|| exchange(case, outcome))
        }
        Cause::GivenUp(stage, why) => given_up(case, *stage, *why),
        Cause::Internal { content_begun: false } => {
            "Nothing was sent, because of a fault inside the library. Please report it with the transcript.".to_owned()
        }
        Cause::Internal { content_begun: true } => {
            "A fault inside the library ended it while the content was being sent: it may have arrived. Ask the \
             recipient before you send it again, and please report the fault with the transcript."
                .to_owned()
        }
        Cause::LeftOver(reply) => left_over(case, reply.as_deref()),
        Cause::Local(_, error) => local(case, error),
        Cause::Misuse(how) => format!("Nothing was sent: {how}."),
        Cause::NoRoots(why) => secure::no_roots(case, why),
        Cause::Relayed(reply) => secure::relayed(case, reply),
        Cause::RelayNotFound(error) => secure::relay_not_found(case, error),
        Cause::Route(error) => route(case, error),
        Cause::HostExcluded(skip) => secure::skipped(case, skip),
        Cause::TlsDemanded(reply) => secure::tls_demanded(case, reply),
        Cause::Unmet(Unmet {
            reason: Reason::Address(address),
            ..
        }) => only_ascii(case, address),
        Cause::Unmet(
            unmet @ Unmet {
                reason:
                    Reason::Line {
                        trouble: LineTrouble::BareLf,
                        ..
                    },
                ..
            },
        ) => format!(
            "{} cannot take the message as it is: {}. Send it with the setting unix_line_ends, which makes CR LF of its \
             line ends.",
            host(case),
            one_line(&unmet.to_string())
        ),
        Cause::Unmet(unmet) => format!(
            "{} cannot take the message as it is: {}. Send it in 7-bit lines, and if it is signed, sign it in that form.",
            host(case),
            one_line(&unmet.to_string())
        ),
        Cause::Unsigned(why) => {
            format!("Nothing was sent, since it could not be signed: {}.", one_line(why))
        }
        Cause::Unreachable(failure, evidence) => unreachable(case, *failure, evidence),
    }
}

fn left_over(case: &Case<'_>, reply: Option<&Reply>) -> String {
    let said = reply.map_or(String::new(), |reply| format!(" and said {}", quoted(reply)));
    format!(
        "{} takes few recipients at a time, and left this one over in each of {MAX_SESSIONS} sessions{said}. No more are \
         opened for one mail. Nothing was delivered to it.",
        host(case)
    )
}

/// What this machine or the data of the caller lacked, and what to do about it.
fn local(case: &Case<'_>, error: &LocalError) -> String {
    let to_this_one = to_this_one(case);
    let remedy = error.remedy();
    match error {
        LocalError::Data(what) => format!(
            "Nothing was delivered{to_this_one}, because the content could not be read to its end: {}. {remedy}",
            one_line(what)
        ),
        LocalError::TooManyAtOnce | LocalError::TooManyToOneHost => format!(
            "Time ran out before the mail had its turn, because there are {error}. Nothing was delivered{to_this_one}, and \
             neither the network nor a mail host is to blame. {remedy}"
        ),
        _ => format!(
            "Nothing was delivered{to_this_one}, and neither the network nor a mail host is to blame: this machine has \
             {error}. {remedy}"
        ),
    }
}

fn only_ascii(case: &Case<'_>, address: &str) -> String {
    let remedy = if address == case.recipient {
        "Ask the recipient for an ASCII address."
    } else {
        "Send the message with an ASCII address in its place."
    };
    let address = one_line(address);
    format!(
        "{} takes only addresses in ASCII, and {address} is not one. {remedy}",
        host(case)
    )
}

fn host<'a>(case: &Case<'a>) -> &'a str {
    case.host.unwrap_or("The mail host")
}

fn not_reached(case: &Case<'_>, failure: ConnectFailure) -> String {
    let what = connect_detail(failure);
    match case.attempts {
        0 | 1 => format!(
            "the mail host {} could not be reached ({what})",
            case.host.unwrap_or(case.domain)
        ),
        count => format!(
            "none of the mail hosts of {} could be reached in {count} attempts ({what})",
            case.domain
        ),
    }
}

/// What to do where the settings, the proxy or this machine is at fault, whoever was to be reached.
fn remedy_here(failure: ConnectFailure) -> Option<&'static str> {
    Some(match failure {
        ConnectFailure::NotOurs(_) => {
            "Set a source address that this machine has, or none: then the system chooses one"
        }
        ConnectFailure::Proxy(ProxyError::LoginRefused | ProxyError::NoMethod) => {
            "Correct the user and the password of the proxy in the settings"
        }
        ConnectFailure::Proxy(ProxyError::Refused(_))
        | ConnectFailure::Failed(_)
        | ConnectFailure::NoRoute(_)
        | ConnectFailure::TimedOut => return None,
        ConnectFailure::Proxy(_) => {
            "The mail host was not asked: look at the settings of the proxy, and whether it is running"
        }
        ConnectFailure::RefusedHere(_) => {
            "This machine's own rules forbid the connection: look at its firewall, or ask its administrator"
        }
    })
}

fn no_connection(case: &Case<'_>, failure: ConnectFailure) -> String {
    let next = remedy_here(failure).unwrap_or(match failure {
        ConnectFailure::NoRoute(_) => {
            "This machine has no way to it: check the network connection"
        }
        ConnectFailure::Proxy(_) => {
            "Ask the administrator of the proxy to allow connections to port 25 of mail hosts"
        }
        ConnectFailure::TimedOut => {
            "Either the host is down or outgoing port 25 is blocked, as many providers do: if other domains cannot be \
             reached either, ask the provider to open port 25"
        }
        ConnectFailure::Failed(_) | ConnectFailure::NotOurs(_) | ConnectFailure::RefusedHere(_) => {
            "The host may be down for now: if other domains cannot be reached either, ask the provider whether outgoing \
             port 25 is blocked"
        }
    });
    format!("{}: {}. {next}.", nothing_sent(case), not_reached(case, failure))
}

/// No connection to any address, and port 25 was thought of.
fn unreachable(case: &Case<'_>, failure: ConnectFailure, evidence: &Port25Evidence) -> String {
    // A block by this machine and one by the provider are lifted by different people; a relay helps with both.
    const RELAY: &str = "send through a relay, such as your provider's mail server on port 587 or 465";
    let over = match evidence.families() {
        [family] => format!(" over {family}"),
        _ => String::new(),
    };
    let proof = |mail: &str| {
        format!("the mail servers of other providers {mail} either, while their web servers answered")
    };
    let nothing = nothing_sent(case);
    match evidence.finding() {
        Port25Finding::BlockedHere => format!(
            "{nothing}: this machine forbids connections to port 25{over}, where mail hosts listen. Allow them \
             in its firewall or security settings, ask its administrator, or {RELAY}."
        ),
        Port25Finding::BlockedOnTheWay { certain: true } => format!(
            "{nothing}: outgoing port 25 is blocked{over}, by a firewall here or by the provider: {}. Ask your \
             Internet or hosting provider to open port 25, or {RELAY}.",
            proof("could not be connected to")
        ),
        Port25Finding::BlockedOnTheWay { certain: false } => format!(
            "{nothing}: outgoing port 25 is most likely blocked{over}, by a firewall here or by the provider: \
             {}. Ask your Internet or hosting provider to open port 25, or {RELAY}.",
            proof("did not answer")
        ),
        Port25Finding::NoNetwork => format!(
            "{nothing}: this machine has no working connection to the Internet{over}: {}, and neither mail servers nor \
             web servers of other providers answered. Check the network connection.",
            not_reached(case, failure)
        ),
        Port25Finding::NotAsked(NotAsked::NoTime) => format!(
            "{nothing}: {}, and there was no time left to find out whether outgoing port 25 is blocked. Set a longer \
             deadline if that was short.",
            not_reached(case, failure)
        ),
        Port25Finding::NotAsked(NotAsked::NoProbeHost) => format!(
            "{} No other host could be asked whether outgoing port 25 is blocked.",
            no_connection(case, failure)
        ),
        Port25Finding::NotAsked(NotAsked::SwitchedOff) => format!(
            "{} Nobody was asked whether outgoing port 25 is blocked, because that question is switched off.",
            no_connection(case, failure)
        ),
        Port25Finding::Open => format!(
            "{nothing}: {}. Outgoing port 25 is not blocked, another provider's mail server answered: the host is down \
             or out of reach for now.",
            not_reached(case, failure)
        ),
    }
}

fn connect_detail(failure: ConnectFailure) -> String {
    match failure {
        ConnectFailure::Failed(kind) => kind.to_string(),
        ConnectFailure::NoRoute(kind) => format!("no route from here: {kind}"),
        ConnectFailure::NotOurs(address) => {
            format!("the source address {address} is not one of this machine's")
        }
        ConnectFailure::Proxy(why) => format!("the proxy {why}"),
        ConnectFailure::RefusedHere(kind) => format!("refused by this machine: {kind}"),
        ConnectFailure::TimedOut => "no answer in time".to_owned(),
    }
}

fn route(case: &Case<'_>, error: &RouteError) -> String {
    let domain = one_line(case.domain);
    let nothing = nothing_sent(case);
    match error {
        RouteError::Lookup(LookupError::NxDomain) => {
            format!("The domain {domain} does not exist. Check the spelling of the address.")
        }
        RouteError::Lookup(LookupError::NoAnswer) => format!(
            "{nothing}: no DNS server answered when asked for {domain}. Check the network connection and the DNS \
             settings."
        ),
        RouteError::Lookup(LookupError::Configuration(why)) => format!(
            "{nothing}: this machine does not know which DNS server to ask ({}). Check its DNS settings.",
            one_line(why)
        ),
        RouteError::NullMx => {
            format!("The domain {domain} declares that it accepts no mail at all. Check the address.")
        }
        RouteError::ForbiddenTarget if domain.starts_with('[') => {
            format!("{nothing}: {domain} is an address that mail must not be sent to. Check the address.")
        }
        RouteError::ForbiddenTarget => format!(
            "The mail host of {domain} has only addresses that mail must not be sent to, such as this machine itself. \
             Its administrator must correct the DNS."
        ),
        error if error.is_transient() => {
            format!("{nothing}: the mail host of {domain} cannot be found at the moment, because {error}.")
        }
        error => format!("The domain {domain} takes no mail: {error}. Check the spelling of the address."),
    }
}

fn given_up(case: &Case<'_>, stage: Stage, why: Abort) -> String {
    let doing = match stage {
        Stage::Check | Stage::Route => "the mail host was being looked up",
        Stage::Connect => "the mail host was being connected to",
        Stage::Greeting => "the mail host kept silent after the connection was made",
        Stage::Hello | Stage::Tls | Stage::Auth | Stage::Mail | Stage::Rcpt | Stage::Data => {
            "the mail host was slow to answer"
        }
        Stage::Content => "the content was being sent",
    };
    let to_this_one = to_this_one(case);
    match why {
        Abort::Cancelled => {
            format!("You cancelled it: nothing was delivered{to_this_one}, and it can be sent again.")
        }
        Abort::ContentUnreadable => local(case, &LocalError::unreadable_content()),
        Abort::Deadline => format!(
            "Time ran out while {doing}: nothing was delivered{to_this_one}. Set a longer deadline if that was short."
        ),
    }
}

fn exchange(case: &Case<'_>, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted(reply) => format!(
            "{} accepted the mail for {} and said {}. It is in the recipient's server now.",
            host(case),
            one_line(case.recipient),
            quoted(reply)
        ),
        Outcome::Refused { stage, reply } => refused(case, *stage, reply),
        Outcome::Unexpected { reply, .. } => format!(
            "{} broke the protocol: it said {} where that cannot be. Nothing was delivered{}.",
            host(case),
            quoted(reply),
            to_this_one(case)
        ),
        Outcome::Unsupported(Unsupported::NoAuthMechanism | Unsupported::NotVerified) | Outcome::NoTls(_) => {
            format!(
                "{}: {} {}.",
                nothing_sent(case),
                host(case),
                exchange_detail(outcome)
            )
        }
        Outcome::Unsupported(Unsupported::NeedsBodyType(_)) => format!(
            "{} takes no mail with such a body: it {}. {}: send it in a 7-bit encoding.",
            host(case),
            exchange_detail(outcome),
            nothing_sent(case)
        ),
        Outcome::Unsupported(Unsupported::NeedsRequireTls) => format!(
            "The mail is to travel over verified TLS on its whole way, and {} does not promise that: it {}. {}: send \
             it without REQUIRETLS, or not at all.",
            host(case),
            exchange_detail(outcome),
            nothing_sent(case)
        ),
        Outcome::Unsupported(Unsupported::NeedsSmtpUtf8) => only_ascii(case, case.recipient),
        Outcome::Unsupported(Unsupported::TooLarge { size, limit }) => format!(
            "The mail has {size} octets and {} takes at most {limit}. Make it smaller, or send a link instead.",
            host(case)
        ),
        Outcome::Lost {
            stage,
            why: ConnectionFailure::Aborted(why),
        } => given_up(case, (*stage).into(), *why),
        Outcome::Lost { stage, why } => format!(
            "Nothing was delivered{}: {} {}.",
            to_this_one(case),
            host(case),
            lost(*stage, why)
        ),
        Outcome::NoBdat(reply) => format!(
            "{} offers CHUNKING and refused to use it: it said {}. Nothing was delivered{}.",
            host(case),
            quoted(reply),
            to_this_one(case)
        ),
        Outcome::TooManyRecipients(reply) => format!(
            "{} takes no more recipients in one go and said {}. The others are not affected.",
            host(case),
            quoted(reply)
        ),
        Outcome::NotAttempted => format!(
            "{} ended the session before it was this recipient's turn. Nothing was delivered to it.",
            host(case)
        ),
        Outcome::Uncertain(why) => format!(
            "Nobody can say whether {} has the mail: all of it was sent, and then {}. It may have arrived: ask the \
             recipient before you send it again, or it may arrive twice.",
            host(case),
            uncertain_detail(why)
        ),
    }
}

fn refused(case: &Case<'_>, stage: ExchangeStage, reply: &Reply) -> String {
    let verb = match (reply.severity(), stage) {
        (Severity::TransientNegative, _) => "did not take the mail now",
        (_, ExchangeStage::Greeting | ExchangeStage::Ehlo | ExchangeStage::Helo) => {
            "turned this machine away"
        }
        _ => "refused the mail",
    };
    debug_assert_eq!(
        case.verdict.delivered,
        Delivered::No,
        "a refusal is not a delivery"
    );
    let remedy = meaning(stage, reply).remedy(case.relay);
    let blank = if remedy.is_empty() { "" } else { " " };
    format!("{} {verb} and said {}.{blank}{remedy}", host(case), quoted(reply))
}

/// An attempt's end as a phrase. `policy` is what demanded TLS.
pub(super) fn detail(cause: &Cause, policy: Option<TlsPolicy>) -> String {
    match cause {
        Cause::Check(failure) => failure.reason.clone(),
        Cause::Connect(failure) | Cause::Unreachable(failure, _) => connect_detail(*failure),
        Cause::Exchange(outcome) => {
            let demanded = secure::demanded(cause, policy);
            format!("{}{demanded}", exchange_detail(outcome))
        }
        Cause::GivenUp(_, why) => loss_detail(&ConnectionFailure::Aborted(*why)),
        Cause::Internal { .. } => "a fault inside the library".to_owned(),
        Cause::LeftOver(_) => "left this recipient over in each session".to_owned(),
        Cause::Local(Stage::Connect | Stage::Route, error) => format!("was left: this machine has {error}"),
        Cause::Local(_, error) => format!("was left because the content could not be read: {error}"),
        Cause::Misuse(how) => how.clone(),
        Cause::NoRoots(why) => format!("could not be verified: {why}"),
        Cause::Relayed(reply) => format!("accepted as a relay: {}", quoted(reply)),
        Cause::RelayNotFound(RouteError::NoAddress) => "has no address".to_owned(),
        Cause::Route(error) | Cause::RelayNotFound(error) => error.to_string(),
        Cause::HostExcluded(HostExcluded::Dane(error)) => {
            format!("was left out, because what DANE demands of it could not be found out: {error}")
        }
        Cause::HostExcluded(HostExcluded::NotInPolicy) => {
            "was left out, because the MTA-STS policy does not name it".to_owned()
        }
        Cause::HostExcluded(HostExcluded::NotProved) => {
            "was left out, because nothing proves that it is a host of the domain, as REQUIRETLS demands"
                .to_owned()
        }
        Cause::TlsDemanded(reply) => format!("takes mail only over TLS: said {}", quoted(reply)),
        Cause::Unmet(unmet) => format!("does not offer {}", unmet.keyword),
        Cause::Unsigned(why) => format!("could not be signed: {why}"),
    }
}

fn exchange_detail(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted(reply) => format!("accepted: {}", quoted(reply)),
        Outcome::Refused { stage, reply } => format!("said {} {}", quoted(reply), awaiting(*stage)),
        Outcome::Unexpected { stage, reply } => {
            format!("broke the protocol: said {} {}", quoted(reply), awaiting(*stage))
        }
        Outcome::Unsupported(Unsupported::NoAuthMechanism) => "offers no usable AUTH mechanism".to_owned(),
        Outcome::Unsupported(Unsupported::NotVerified) => "has not proved who it is".to_owned(),
        Outcome::NoTls(NoTls::NotOffered) => "does not offer STARTTLS".to_owned(),
        Outcome::NoTls(NoTls::Refused(reply)) => format!("refused STARTTLS: {}", quoted(reply)),
        Outcome::NoBdat(reply) => format!("offers CHUNKING and refused BDAT: {}", quoted(reply)),
        Outcome::TooManyRecipients(reply) => format!("takes no more recipients: {}", quoted(reply)),
        Outcome::NotAttempted => "ended the session before this recipient's turn".to_owned(),
        Outcome::Unsupported(Unsupported::NeedsBodyType(BodyType::Binary)) => {
            "does not offer BINARYMIME and CHUNKING".to_owned()
        }
        Outcome::Unsupported(Unsupported::NeedsBodyType(_)) => "does not offer 8BITMIME".to_owned(),
        Outcome::Unsupported(Unsupported::NeedsRequireTls) => "does not offer REQUIRETLS".to_owned(),
        Outcome::Unsupported(Unsupported::NeedsSmtpUtf8) => "takes no address outside ASCII".to_owned(),
        Outcome::Unsupported(Unsupported::TooLarge { limit, .. }) => format!("takes at most {limit} octets"),
        Outcome::Lost { stage, why } => lost(*stage, why),
        Outcome::Uncertain(why) => format!("all was sent, then {}", uncertain_detail(why)),
    }
}

/// TLS did not come about.
fn is_about_tls(cause: &Cause) -> bool {
    match cause {
        Cause::Exchange(Outcome::NoTls(_)) => true,
        Cause::Exchange(Outcome::Lost { stage, why }) => secure::session_loss(*stage, why).is_some(),
        _ => false,
    }
}

fn lost(stage: ExchangeStage, why: &ConnectionFailure) -> String {
    secure::session_loss(stage, why).unwrap_or_else(|| loss_at(stage, why))
}

/// What the host did, and where, as a verb.
fn loss_at(stage: ExchangeStage, why: &ConnectionFailure) -> String {
    let command = awaiting(stage).strip_prefix("to ");
    match (why, command) {
        (ConnectionFailure::TimedOut, None) if stage == ExchangeStage::Greeting => {
            "sent no greeting in time".to_owned()
        }
        (ConnectionFailure::TimedOut, Some("the content")) => "stopped taking the content".to_owned(),
        (ConnectionFailure::TimedOut, Some(command)) => format!("did not answer {command} in time"),
        (ConnectionFailure::OutOfTime, _) => loss_detail(why),
        (ConnectionFailure::Closed | ConnectionFailure::Reset(_), None)
            if stage == ExchangeStage::Greeting =>
        {
            format!("{} before its greeting", loss_detail(why))
        }
        (ConnectionFailure::Closed | ConnectionFailure::Reset(_), Some("the content")) => {
            format!("{} while the content was being sent", loss_detail(why))
        }
        (ConnectionFailure::Closed | ConnectionFailure::Reset(_), Some(command)) => {
            format!("{} before it answered {command}", loss_detail(why))
        }
        _ => format!("{} {}", loss_detail(why), awaiting(stage)),
    }
}

/// Why there is no TLS session, where a handshake was begun: a remark for the transcript.
pub(super) fn no_session(cause: &Cause) -> Option<String> {
    match cause {
        Cause::NoRoots(why) => Some(format!("no TLS session: {why}")),
        Cause::Exchange(Outcome::Lost {
            stage: ExchangeStage::Tls,
            why,
        }) => match why {
            ConnectionFailure::Aborted(_) => None,
            ConnectionFailure::Tls(why) => Some(format!("no TLS session: {why}")),
            why => Some(format!(
                "no TLS session: the host {}",
                lost(ExchangeStage::Tls, why)
            )),
        },
        _ => None,
    }
}

/// What the host did, as a verb.
fn loss_detail(why: &ConnectionFailure) -> String {
    match why {
        ConnectionFailure::Aborted(Abort::Cancelled) => "was left because the caller cancelled".to_owned(),
        ConnectionFailure::Aborted(Abort::ContentUnreadable) => {
            "was left because the content could not be read".to_owned()
        }
        ConnectionFailure::Aborted(Abort::Deadline) => "was left because the time was over".to_owned(),
        ConnectionFailure::Closed => "closed the connection".to_owned(),
        ConnectionFailure::ImplausibleReply(reply) => format!("said {}", quoted(reply)),
        ConnectionFailure::NotSmtp => "said something that is not SMTP".to_owned(),
        ConnectionFailure::Reset(io::ErrorKind::ConnectionReset) => "cut the connection".to_owned(),
        // What rustls makes of a record that cannot be read.
        ConnectionFailure::Reset(io::ErrorKind::InvalidData) => "broke the TLS session".to_owned(),
        ConnectionFailure::Reset(kind) => format!("was lost ({kind})"),
        ConnectionFailure::OutOfTime => {
            "had not finished when the time that one mail may take was over".to_owned()
        }
        ConnectionFailure::TimedOut => "did not answer in time".to_owned(),
        ConnectionFailure::Injected => "said something in the clear before the TLS handshake".to_owned(),
        ConnectionFailure::Tls(why) => format!("made no TLS session ({why})"),
        ConnectionFailure::ServerNotAuthenticated => "did not prove that it knows the password".to_owned(),
    }
}

fn uncertain_detail(why: &ConnectionFailure) -> String {
    match why {
        ConnectionFailure::Aborted(_) => "it was given up before the final answer came".to_owned(),
        ConnectionFailure::OutOfTime | ConnectionFailure::TimedOut => {
            "no final answer came in time".to_owned()
        }
        ConnectionFailure::ImplausibleReply(reply) => {
            format!("the answer was {}, which means neither yes nor no", quoted(reply))
        }
        ConnectionFailure::NotSmtp => "the answer was not SMTP".to_owned(),
        ConnectionFailure::Closed
        | ConnectionFailure::Reset(_)
        | ConnectionFailure::Injected
        | ConnectionFailure::Tls(_)
        | ConnectionFailure::ServerNotAuthenticated => {
            "the connection was lost before the final answer".to_owned()
        }
    }
}

fn awaiting(stage: ExchangeStage) -> &'static str {
    match stage {
        ExchangeStage::Greeting => "as greeting",
        ExchangeStage::Ehlo => "to EHLO",
        ExchangeStage::Helo => "to HELO",
        ExchangeStage::StartTls => "to STARTTLS",
        ExchangeStage::Tls => "in the TLS handshake",
        ExchangeStage::Auth => "to AUTH",
        ExchangeStage::Mail => "to MAIL",
        ExchangeStage::Rcpt => "to RCPT",
        ExchangeStage::Data => "to DATA",
        ExchangeStage::Chunk | ExchangeStage::Content => "to the content",
        ExchangeStage::Rset => "to RSET",
        ExchangeStage::Quit => "to QUIT",
    }
}

/// `"550 5.1.1 No such user"`
fn quoted(reply: &Reply) -> String {
    // A challenge of AUTH is no text.
    let lines = reply
        .lines
        .iter()
        .filter(|_| reply.code != ReplyCode::AUTH_CHALLENGE);
    let said: Vec<String> = lines.map(|line| shown_line(line)).collect();
    let said = said.join(" ");
    let mut text: String = said.trim().chars().take(QUOTED_CHARACTERS).collect();
    if said.trim().chars().nth(QUOTED_CHARACTERS).is_some() {
        text.push('…');
    }
    let blank = if text.is_empty() { "" } else { " " };
    format!("\"{}{blank}{text}\"", reply.code)
}

#[cfg(test)]
mod tests;
