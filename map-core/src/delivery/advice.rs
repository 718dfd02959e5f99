//! The sentences for a person: what happened, and what to do next.
//!
//! By the codes alone, since many servers send nothing more; what the server wrote is quoted, escaped and capped.

#[cfg(test)]
mod guide_tests;
mod secure;

use super::attempts::MAX_SESSIONS;
use super::protection::{Skip, TlsPolicy};
use super::report::{Delivered, Stage};
use super::transcript::shown;
use super::verdict::{Cause, ConnectFailure, Verdict};
use crate::message::{BodyType, Reason, Unmet};
use crate::net::{NotAsked, Port25Evidence, Port25Finding, ProxyError};
use crate::protocol::MapReply;
use crate::route::{LookupError, RouteError};
use crate::smtp::{self, Abort, EnhancedStatusCode, Loss, NoTls, Outcome, Reply, ReplyCode, Unfit};
use crate::text::one_line;
use std::io;

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
}

/// What happened and what to do next.
pub(super) fn sentence(case: &Case<'_>) -> String {
    match case.cause {
        Cause::Check(failure) => match failure.reply {
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
        Cause::GivenUp(stage, why) => given_up(*stage, *why),
        Cause::Internal { content_begun: false } => {
            "Nothing was sent, because of a fault inside the library. Please report it with the transcript.".to_owned()
        }
        Cause::Internal { content_begun: true } => {
            "A fault inside the library ended it while the content was being sent: it may have arrived. Ask the \
             recipient before you send it again, and please report the fault with the transcript."
                .to_owned()
        }
        Cause::LeftOver(reply) => left_over(case, reply.as_deref()),
        Cause::Misuse(how) => format!("Nothing was sent: {how}."),
        Cause::NoRoots(why) => secure::no_roots(case, why),
        Cause::Relayed(reply) => secure::relayed(case, reply),
        Cause::RelayNotFound(error) => secure::relay_not_found(case, error),
        Cause::Route(error) => route(case, error),
        Cause::Skipped(skip) => secure::skipped(case, skip),
        Cause::TlsDemanded(reply) => secure::tls_demanded(case, reply),
        Cause::Unmet(Unmet {
            reason: Reason::Address(address),
            ..
        }) => only_ascii(case, address),
        Cause::Unmet(unmet) => format!(
            "{} cannot take the message as it is: {}. Send it in 7-bit lines, and if it is signed, sign it in that form.",
            host(case),
            one_line(&unmet.to_string())
        ),
        Cause::Unsigned(why) => {
            format!("Nothing was sent, since it could not be signed: {}.", one_line(why))
        }
        Cause::Unreadable(_, why) => format!(
            "The content could not be read to its end, so nothing was delivered: {}.",
            one_line(why)
        ),
        Cause::Unreachable(failure, evidence) => unreachable(case, *failure, evidence),
    }
}

fn left_over(case: &Case<'_>, reply: Option<&Reply>) -> String {
    let said = reply.map_or(String::new(), |reply| format!(" and said {}", quoted(reply)));
    format!(
        "{} takes few recipients at a time, and left this one over in each of {MAX_SESSIONS} sessions{said}. No more are \
         opened for one mail. Nothing was delivered to it: send to it again.",
        host(case)
    )
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
            "Correct the user and the password of the proxy in the settings, then send again"
        }
        ConnectFailure::Proxy(ProxyError::Refused(_))
        | ConnectFailure::Failed(_)
        | ConnectFailure::NoRoute(_)
        | ConnectFailure::TimedOut => return None,
        ConnectFailure::Proxy(_) => {
            "The mail host was not asked: look at the settings of the proxy, and whether it is running, then send again"
        }
        ConnectFailure::RefusedHere(_) => {
            "This machine's own rules forbid the connection: look at its firewall, or ask its administrator"
        }
    })
}

fn no_connection(case: &Case<'_>, failure: ConnectFailure) -> String {
    let next = remedy_here(failure).unwrap_or(match failure {
        ConnectFailure::NoRoute(_) => {
            "This machine has no way to it: check the network connection, then send again"
        }
        ConnectFailure::Proxy(_) => {
            "Ask the administrator of the proxy to allow connections to port 25 of mail hosts"
        }
        ConnectFailure::TimedOut => {
            "Either the host is down or outgoing port 25 is blocked, as many providers do: try again later; if other \
             domains cannot be reached either, ask the provider to open port 25"
        }
        ConnectFailure::Failed(_) | ConnectFailure::NotOurs(_) | ConnectFailure::RefusedHere(_) => {
            "The host may be down for now: try again later; if other domains cannot be reached either, ask the \
             provider whether outgoing port 25 is blocked"
        }
    });
    format!("Nothing was sent: {}. {next}.", not_reached(case, failure))
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
    match evidence.finding() {
        Port25Finding::BlockedHere => format!(
            "Nothing was sent: this machine forbids connections to port 25{over}, where mail hosts listen. Allow them \
             in its firewall or security settings, ask its administrator, or {RELAY}."
        ),
        Port25Finding::BlockedOnTheWay { certain: true } => format!(
            "Nothing was sent: outgoing port 25 is blocked{over}, by a firewall here or by the provider: {}. Ask your \
             Internet or hosting provider to open port 25, or {RELAY}.",
            proof("could not be connected to")
        ),
        Port25Finding::BlockedOnTheWay { certain: false } => format!(
            "Nothing was sent: outgoing port 25 is most likely blocked{over}, by a firewall here or by the provider: \
             {}. Ask your Internet or hosting provider to open port 25, or {RELAY}.",
            proof("did not answer")
        ),
        Port25Finding::NoNetwork => format!(
            "Nothing was sent: this machine has no working connection to the Internet{over}: {}, and neither mail \
             servers nor web servers of other providers answered. Check the network connection, then send again.",
            not_reached(case, failure)
        ),
        Port25Finding::NotAsked(NotAsked::NoTime) => format!(
            "Nothing was sent: {}, and there was no time left to find out whether outgoing port 25 is blocked. Send it \
             again, with a longer deadline if that was short.",
            not_reached(case, failure)
        ),
        Port25Finding::NotAsked(NotAsked::NoWitness) => format!(
            "{} No other host could be asked whether outgoing port 25 is blocked.",
            no_connection(case, failure)
        ),
        Port25Finding::NotAsked(NotAsked::SwitchedOff) => format!(
            "{} Nobody was asked whether outgoing port 25 is blocked, because that question is switched off.",
            no_connection(case, failure)
        ),
        Port25Finding::Open => format!(
            "Nothing was sent: {}. Outgoing port 25 is not blocked, another provider's mail server answered: the host \
             is down or out of reach for now. Try again later.",
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
    match error {
        RouteError::Lookup(LookupError::NxDomain) => {
            format!("The domain {domain} does not exist. Check the spelling of the address.")
        }
        RouteError::Lookup(LookupError::NoAnswer) => format!(
            "Nothing was sent: no DNS server answered when asked for {domain}. Check the network connection and the \
             DNS settings, then send again."
        ),
        RouteError::Lookup(LookupError::Configuration(why)) => format!(
            "Nothing was sent: this machine does not know which DNS server to ask ({}). Check its DNS settings.",
            one_line(why)
        ),
        RouteError::NullMx => {
            format!("The domain {domain} declares that it accepts no mail at all. Check the address.")
        }
        RouteError::ForbiddenTarget if domain.starts_with('[') => {
            format!(
                "Nothing was sent: {domain} is an address that mail must not be sent to. Check the address."
            )
        }
        RouteError::ForbiddenTarget => format!(
            "The mail host of {domain} has only addresses that mail must not be sent to, such as this machine itself. \
             Its administrator must correct the DNS."
        ),
        error if error.is_transient() => format!(
            "Nothing was sent: the mail host of {domain} cannot be found at the moment, because {error}. Try again \
             later; if it stays so, tell the administrator of {domain}."
        ),
        error => format!("The domain {domain} takes no mail: {error}. Check the spelling of the address."),
    }
}

fn given_up(stage: Stage, why: Abort) -> String {
    let doing = match stage {
        Stage::Check | Stage::Route => "the mail host was being looked up",
        Stage::Connect => "the mail host was being connected to",
        Stage::Greeting => "the mail host kept silent after the connection was made",
        Stage::Hello | Stage::Tls | Stage::Auth | Stage::Mail | Stage::Rcpt | Stage::Data => {
            "the mail host was slow to answer"
        }
        Stage::Content => "the content was being sent",
    };
    match why {
        Abort::Cancelled => "You cancelled it: nothing was delivered, and it can be sent again.".to_owned(),
        Abort::ContentUnreadable => {
            "The content could not be read to its end, so nothing was delivered.".to_owned()
        }
        Abort::Deadline => format!(
            "Time ran out while {doing}: nothing was delivered. Send it again, with a longer deadline if that was short."
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
            "{} broke the protocol: it said {} where that cannot be. Nothing was delivered; try again later, and tell \
             its administrator if it stays so.",
            host(case),
            quoted(reply)
        ),
        Outcome::Unfit(Unfit::NoAuthMechanism | Unfit::NotVerified) | Outcome::NoTls(_) => {
            format!("Nothing was sent: {} {}.", host(case), exchange_detail(outcome))
        }
        Outcome::Unfit(Unfit::NeedsBodyType(_)) => format!(
            "{} takes no mail with such a body: it {}. Nothing was sent: send it in a 7-bit encoding.",
            host(case),
            exchange_detail(outcome)
        ),
        Outcome::Unfit(Unfit::NeedsRequireTls) => format!(
            "The mail is to travel over verified TLS on its whole way, and {} does not promise that: it {}. Nothing was \
             sent: send it without REQUIRETLS, or not at all.",
            host(case),
            exchange_detail(outcome)
        ),
        Outcome::Unfit(Unfit::NeedsSmtpUtf8) => only_ascii(case, case.recipient),
        Outcome::Unfit(Unfit::TooLarge { size, limit }) => format!(
            "The mail has {size} octets and {} takes at most {limit}. Make it smaller, or send a link instead.",
            host(case)
        ),
        Outcome::Lost {
            stage,
            why: Loss::Aborted(why),
        } => given_up((*stage).into(), *why),
        Outcome::Lost { stage, why } => format!(
            "Nothing was delivered: {} {}. Try again later.",
            host(case),
            lost(*stage, why)
        ),
        Outcome::NoBdat(reply) => format!(
            "{} offers CHUNKING and refused to use it: it said {}. Nothing was delivered; try again later, and tell its \
             administrator if it stays so.",
            host(case),
            quoted(reply)
        ),
        Outcome::Crowded(reply) => format!(
            "{} takes no more recipients in one go and said {}. The others are not affected: send to this one again.",
            host(case),
            quoted(reply)
        ),
        Outcome::Unserved => format!(
            "{} ended the session before it was this recipient's turn. Nothing was delivered to it; try again later.",
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

fn refused(case: &Case<'_>, stage: smtp::Stage, reply: &Reply) -> String {
    let verb = if case.verdict.transient {
        "did not take the mail now"
    } else {
        "refused the mail"
    };
    let meaning = reply
        .enhanced
        .and_then(|status| by_status(status, case.verdict.transient))
        .unwrap_or_else(|| by_code(reply.code.0, stage, case.verdict.transient));
    debug_assert_eq!(
        case.verdict.delivered,
        Delivered::No,
        "a refusal is not a delivery"
    );
    format!("{} {verb} and said {}. {meaning}", host(case), quoted(reply))
}

/// What an enhanced status code means for the person who sends (RFC 3463, 7372, 7504, 7505 and the IANA registry).
fn by_status(status: EnhancedStatusCode, transient: bool) -> Option<&'static str> {
    Some(match (status.subject, status.detail) {
        (1, 1) => "There is no such mailbox: check the part before the @.",
        (1, 2) => "It does not know the recipient's domain: check the part behind the @.",
        (1, 3) => "It finds the recipient's address ill-formed: check it.",
        (1, 6) => "The mailbox has moved and left no new address: ask the recipient for it.",
        (1, 7 | 8) => "It does not accept the sender's address: use one that exists and can receive mail.",
        (1, 10) => "The recipient's domain declares that it accepts no mail: check the address.",
        (2, 1) => "The mailbox is disabled: reach the recipient in another way.",
        (2, 2) => {
            "The recipient's mailbox is full: try again in a few days, or tell the recipient in another way."
        }
        (2, 3) | (3, 4) => "The mail is too large for it: make it smaller, or send a link instead.",
        (3, 1) => "Its disk is full: try again later.",
        (3, 2) => "It takes no mail at the moment: try again later.",
        (4, 4) => "It cannot find a way to the recipient: check the part behind the @.",
        (5, 3) => "It takes no more recipients in one go: send to the rest separately.",
        (7, 1) if transient => {
            "Most likely it lets strangers wait (greylisting): send the same mail again in 15 minutes."
        }
        (7, 1) => {
            "Its policy forbids this mail: often the sending address is on a block list, or has no static IP address \
             or reverse name. Send from another network, or ask its administrator."
        }
        (7, 20..=22) => "It demands a valid DKIM signature: ask the administrator of the sender's domain.",
        (7, 23 | 24) => {
            "The sender's domain does not allow this machine to send for it (SPF): send from a machine that the domain \
             lists, or have this one listed."
        }
        (7, 25) => {
            "This machine's IP address has no matching reverse name in the DNS: ask the provider to set one, or send \
             from a network that has it."
        }
        (7, 26) => {
            "The mail cannot be shown to come from the sender's domain (SPF, DKIM, DMARC): send from a machine that \
             the domain authorises."
        }
        (7, 27) => "The sender's domain declares that it accepts no mail: use a sender's address that can.",
        (7, 28) if transient => "Too many mails came from here lately: wait before sending more.",
        (7, _) if transient => "Its policy makes this mail wait: try again later.",
        (7, _) => "Its policy forbids this mail: ask its administrator, or send from another network.",
        _ => return None,
    })
}

fn by_code(code: u16, stage: smtp::Stage, transient: bool) -> &'static str {
    match (code, stage) {
        (421, _) => "It is busy or closing down: try again later.",
        (450 | 451, smtp::Stage::Rcpt) => {
            "Most likely it lets strangers wait (greylisting), or the mailbox is busy: send the same mail again in 15 \
             minutes."
        }
        (452, _) => "It is short of room: try again later.",
        (550, smtp::Stage::Rcpt) => {
            "Most likely there is no such mailbox, or it takes no mail from this network: check the address."
        }
        (550 | 553 | 554, smtp::Stage::Mail) => {
            "It does not accept this sender or this network: often for want of a static IP address or a reverse name. \
             Send from another network, or ask its administrator."
        }
        (551, _) => "The mailbox is elsewhere: its words may name the new address.",
        (552, smtp::Stage::Rcpt) => "The recipient's mailbox is full: try again in a few days.",
        (552, _) => {
            "The mail is too large, or the mailbox is full: make it smaller or try again in a few days."
        }
        (553, _) => "It finds the recipient's address not allowed: check it.",
        (530 | 535, _) => "It takes mail only from users who log in: it is no mail exchanger for strangers.",
        (_, smtp::Stage::Greeting | smtp::Stage::Ehlo | smtp::Stage::Helo) => {
            "It turns this machine away at the door: often for want of a static IP address or a reverse name. Try \
             again later, or send from another network."
        }
        (_, smtp::Stage::Content) if !transient => {
            "It read the mail and does not want it, most likely taking it for spam: change the content, or ask its \
             administrator."
        }
        _ if transient => "Try again later.",
        _ => "Ask its administrator what it minds.",
    }
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
        Cause::GivenUp(_, why) => loss_detail(&Loss::Aborted(*why)),
        Cause::Internal { .. } => "a fault inside the library".to_owned(),
        Cause::LeftOver(_) => "left this recipient over in each session".to_owned(),
        Cause::Misuse(how) => how.clone(),
        Cause::NoRoots(why) => format!("could not be verified: {why}"),
        Cause::Relayed(reply) => format!("accepted as a relay: {}", quoted(reply)),
        Cause::RelayNotFound(RouteError::NoAddress) => "has no address".to_owned(),
        Cause::Route(error) | Cause::RelayNotFound(error) => error.to_string(),
        Cause::Skipped(Skip::Dane(error)) => {
            format!("was left out, because what DANE demands of it could not be found out: {error}")
        }
        Cause::Skipped(Skip::NotInPolicy) => {
            "was left out, because the MTA-STS policy does not name it".to_owned()
        }
        Cause::Skipped(Skip::NotProved) => {
            "was left out, because nothing proves that it is a host of the domain, as REQUIRETLS demands"
                .to_owned()
        }
        Cause::TlsDemanded(reply) => format!("takes mail only over TLS: said {}", quoted(reply)),
        Cause::Unmet(unmet) => format!("does not offer {}", unmet.keyword),
        Cause::Unreadable(_, why) => format!("was left because the content could not be read: {why}"),
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
        Outcome::Unfit(Unfit::NoAuthMechanism) => "offers no usable AUTH mechanism".to_owned(),
        Outcome::Unfit(Unfit::NotVerified) => "has not proved who it is".to_owned(),
        Outcome::NoTls(NoTls::NotOffered) => "does not offer STARTTLS".to_owned(),
        Outcome::NoTls(NoTls::Refused(reply)) => format!("refused STARTTLS: {}", quoted(reply)),
        Outcome::NoBdat(reply) => format!("offers CHUNKING and refused BDAT: {}", quoted(reply)),
        Outcome::Crowded(reply) => format!("takes no more recipients: {}", quoted(reply)),
        Outcome::Unserved => "ended the session before this recipient's turn".to_owned(),
        Outcome::Unfit(Unfit::NeedsBodyType(BodyType::Binary)) => {
            "does not offer BINARYMIME and CHUNKING".to_owned()
        }
        Outcome::Unfit(Unfit::NeedsBodyType(_)) => "does not offer 8BITMIME".to_owned(),
        Outcome::Unfit(Unfit::NeedsRequireTls) => "does not offer REQUIRETLS".to_owned(),
        Outcome::Unfit(Unfit::NeedsSmtpUtf8) => "takes no address outside ASCII".to_owned(),
        Outcome::Unfit(Unfit::TooLarge { limit, .. }) => format!("takes at most {limit} octets"),
        Outcome::Lost { stage, why } => lost(*stage, why),
        Outcome::Uncertain(why) => format!("all was sent, then {}", uncertain_detail(why)),
    }
}

fn lost(stage: smtp::Stage, why: &Loss) -> String {
    secure::session_loss(stage, why).unwrap_or_else(|| loss_at(stage, why))
}

/// What the host did, and where, as a verb.
fn loss_at(stage: smtp::Stage, why: &Loss) -> String {
    let command = awaiting(stage).strip_prefix("to ");
    match (why, command) {
        (Loss::TimedOut, None) if stage == smtp::Stage::Greeting => "sent no greeting in time".to_owned(),
        (Loss::TimedOut, Some("the content")) => "stopped taking the content".to_owned(),
        (Loss::TimedOut, Some(command)) => format!("did not answer {command} in time"),
        (Loss::Closed | Loss::Reset(_), None) if stage == smtp::Stage::Greeting => {
            format!("{} before its greeting", loss_detail(why))
        }
        (Loss::Closed | Loss::Reset(_), Some("the content")) => {
            format!("{} while the content was being sent", loss_detail(why))
        }
        (Loss::Closed | Loss::Reset(_), Some(command)) => {
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
            stage: smtp::Stage::Tls,
            why,
        }) => match why {
            Loss::Aborted(_) => None,
            Loss::Tls(why) => Some(format!("no TLS session: {why}")),
            why => Some(format!(
                "no TLS session: the host {}",
                lost(smtp::Stage::Tls, why)
            )),
        },
        _ => None,
    }
}

/// What the host did, as a verb.
fn loss_detail(why: &Loss) -> String {
    match why {
        Loss::Aborted(Abort::Cancelled) => "was left because the caller cancelled".to_owned(),
        Loss::Aborted(Abort::ContentUnreadable) => {
            "was left because the content could not be read".to_owned()
        }
        Loss::Aborted(Abort::Deadline) => "was left because the time was over".to_owned(),
        Loss::Closed => "closed the connection".to_owned(),
        Loss::Nonsense(reply) => format!("said {}", quoted(reply)),
        Loss::NotSmtp => "said something that is not SMTP".to_owned(),
        Loss::Reset(io::ErrorKind::ConnectionReset) => "cut the connection".to_owned(),
        // What rustls makes of a record that cannot be read.
        Loss::Reset(io::ErrorKind::InvalidData) => "broke the TLS session".to_owned(),
        Loss::Reset(kind) => format!("was lost ({kind})"),
        Loss::TimedOut => "did not answer in time".to_owned(),
        Loss::Injected => "said something in the clear before the TLS handshake".to_owned(),
        Loss::Tls(why) => format!("made no TLS session ({why})"),
        Loss::Unproved => "did not prove that it knows the password".to_owned(),
    }
}

fn uncertain_detail(why: &Loss) -> String {
    match why {
        Loss::Aborted(_) => "it was given up before the final answer came".to_owned(),
        Loss::TimedOut => "no final answer came in time".to_owned(),
        Loss::Nonsense(reply) => format!("the answer was {}, which means neither yes nor no", quoted(reply)),
        Loss::NotSmtp => "the answer was not SMTP".to_owned(),
        Loss::Closed | Loss::Reset(_) | Loss::Injected | Loss::Tls(_) | Loss::Unproved => {
            "the connection was lost before the final answer".to_owned()
        }
    }
}

fn awaiting(stage: smtp::Stage) -> &'static str {
    match stage {
        smtp::Stage::Greeting => "as greeting",
        smtp::Stage::Ehlo => "to EHLO",
        smtp::Stage::Helo => "to HELO",
        smtp::Stage::StartTls => "to STARTTLS",
        smtp::Stage::Tls => "in the TLS handshake",
        smtp::Stage::Auth => "to AUTH",
        smtp::Stage::Mail => "to MAIL",
        smtp::Stage::Rcpt => "to RCPT",
        smtp::Stage::Data => "to DATA",
        smtp::Stage::Chunk | smtp::Stage::Content => "to the content",
        smtp::Stage::Rset => "to RSET",
        smtp::Stage::Quit => "to QUIT",
    }
}

/// `"550 5.1.1 No such user"`
fn quoted(reply: &Reply) -> String {
    // A challenge of AUTH is no text.
    let lines = reply
        .lines
        .iter()
        .filter(|_| reply.code != ReplyCode::AUTH_CHALLENGE);
    let said: Vec<String> = lines.map(|line| shown(line)).collect();
    let said = said.join(" ");
    let mut text: String = said.trim().chars().take(QUOTED_CHARACTERS).collect();
    if said.trim().chars().nth(QUOTED_CHARACTERS).is_some() {
        text.push('…');
    }
    let blank = if text.is_empty() { "" } else { " " };
    format!("\"{}{blank}{text}\"", reply.code)
}
