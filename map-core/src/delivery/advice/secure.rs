//! Sentences about TLS and who demands it, about relays and logging in to them.

use super::{
    Case, connect_detail, host, is_about_tls, loss_at, loss_detail, nothing_sent, quoted, remedy_here,
};
use crate::delivery::outcome::{Cause, ConnectFailure, HostExcluded, TlsPolicy};
use crate::delivery::refusal::names_a_list;
use crate::route::RouteError;
use crate::smtp::{
    Abort, ConnectionFailure, EnhancedStatusCode, ExchangeStage, NoTls, Outcome, Reply, ReplyCode,
    Unsupported,
};
use crate::text::one_line;

/// Said wherever a relay did not come as far as AUTH: the first thing that its owner wants to know.
const NO_SECRET_LEFT: &str = "No user name and no password was sent.";

pub(super) fn no_roots(case: &Case<'_>, why: &str) -> String {
    format!(
        "{}: the certificate of {} had to be verified, and this machine trusts no certificate authority ({}). Install \
         those of the system, or name some in the settings.",
        nothing_sent(case),
        host(case),
        one_line(why)
    )
}

pub(super) fn relayed(case: &Case<'_>, reply: &Reply) -> String {
    format!(
        "The relay {} accepted the mail for {} and said {}. It was accepted by a relay, not yet by the recipient's \
         server: if it cannot be delivered from there, a notice comes by mail to the sender's address.",
        host(case),
        one_line(case.recipient),
        quoted(reply)
    )
}

pub(super) fn relay_not_found(case: &Case<'_>, error: &RouteError) -> String {
    if error.is_transient() {
        format!(
            "{}: the address of the relay {} cannot be found at the moment, because {error}. Check the network connection \
             and the DNS settings.",
            nothing_sent(case),
            host(case)
        )
    } else {
        format!(
            "{}: the relay {} has no address. Correct its name in the settings.",
            nothing_sent(case),
            host(case)
        )
    }
}

pub(super) fn relay_not_reached(case: &Case<'_>, failure: ConnectFailure) -> String {
    let next = remedy_here(failure).unwrap_or(match failure {
        ConnectFailure::Proxy(_) => "Ask the administrator of the proxy to allow connections to it",
        ConnectFailure::NoRoute(_) => "This machine has no way to it: check the network connection",
        ConnectFailure::Failed(_)
        | ConnectFailure::NotOurs(_)
        | ConnectFailure::RefusedHere(_)
        | ConnectFailure::TimedOut => {
            "Check its name and its port in the settings, and whether a firewall forbids the way to it"
        }
    });
    format!(
        "{}: the relay {} could not be reached ({}). {next}.",
        nothing_sent(case),
        host(case),
        connect_detail(failure)
    )
}

pub(super) fn skipped(case: &Case<'_>, skip: &HostExcluded) -> String {
    let domain = one_line(case.domain);
    let nothing = nothing_sent(case);
    match skip {
        HostExcluded::Dane(error) => format!(
            "{nothing}: the DNS has to say first how {} proves who it is (DANE), and that could not be found out, because \
             {error}.",
            host(case)
        ),
        HostExcluded::NotProved => format!(
            "{nothing}: the mail is to travel over verified TLS on its whole way, and neither DNSSEC nor an MTA-STS \
             policy proves that {} is a mail host of {domain}. Send it without REQUIRETLS, or not at all.",
            host(case)
        ),
        HostExcluded::NotInPolicy => format!(
            "{nothing}: the MX records of {domain} lead to {}, which the MTA-STS policy of {domain} does not name. The \
             policy is out of date, or somebody forged the records.",
            host(case)
        ),
    }
}

pub(super) fn tls_demanded(case: &Case<'_>, reply: &Reply) -> String {
    format!(
        "{} takes mail only over TLS and said {}, but no TLS session with it came about. {}.",
        host(case),
        quoted(reply),
        nothing_sent(case)
    )
}

/// What an exchange came to, if that is about TLS or a log-in.
pub(super) fn exchange(case: &Case<'_>, outcome: &Outcome) -> Option<String> {
    let nothing = nothing_sent(case);
    Some(match outcome {
        Outcome::NoTls(NoTls::NotOffered) => no_session(case, "it does not offer STARTTLS"),
        Outcome::NoTls(NoTls::Refused(reply)) => {
            no_session(case, &format!("it refused STARTTLS and said {}", quoted(reply)))
        }
        Outcome::Lost {
            why: ConnectionFailure::ServerNotAuthenticated,
            ..
        } => format!(
            "{nothing}: the relay {} took the log-in, but did not prove that it knows the password. Somebody else \
             may be answering in its place: ask its administrator before you try again.",
            host(case)
        ),
        Outcome::Lost { stage, why } if case.policy.is_some() => {
            no_session(case, &format!("it {}", session_loss(*stage, why)?))
        }
        Outcome::Refused {
            stage: ExchangeStage::Auth,
            reply,
        } => login_refused(case, reply),
        Outcome::Refused {
            stage: ExchangeStage::Mail,
            reply,
        } if case.relay && reply.code == ReplyCode::SECURITY_REQUIRED => format!(
            "The relay {} takes mail only from users who log in, or only over TLS, and said {}. {nothing}: set a \
             user name and a password for it, and implicit TLS or STARTTLS.",
            host(case),
            quoted(reply)
        ),
        Outcome::Refused {
            stage: ExchangeStage::Rcpt,
            reply,
        } if case.relay && is_relaying_denied(reply) && !names_a_list(ExchangeStage::Rcpt, reply) => {
            format!(
                "The relay {} does not pass this mail on and said {}. Most likely it wants a user name and a password, or does \
             not take mail from this sender: ask its administrator.",
                host(case),
                quoted(reply)
            )
        }
        Outcome::Unsupported(Unsupported::NoAuthMechanism) => format!(
            "The relay {} offers no way to log in that can be used here. {nothing}: ask its administrator for \
             SCRAM-SHA-256, PLAIN or LOGIN for a password, or XOAUTH2 for a token.",
            host(case)
        ),
        Outcome::Unsupported(Unsupported::NotVerified) => format!(
            "{nothing}: the relay {} has not proved who it is. {NO_SECRET_LEFT}",
            host(case)
        ),
        _ => return None,
    })
}

/// TLS was demanded, and is not to be had.
fn no_session(case: &Case<'_>, what: &str) -> String {
    let domain = one_line(case.domain);
    let host = host(case);
    let nothing = nothing_sent(case);
    let fault = "The host is at fault, or somebody on the way.";
    match case.policy {
        Some(TlsPolicy::Dane) => format!(
            "{nothing}: the DNS demands TLS with {host} and says how it proves who it is (DANE), and {what}. {fault}"
        ),
        Some(TlsPolicy::MtaSts) => format!(
            "{nothing}: the MTA-STS policy of {domain} demands verified TLS with {host}, and {what}. {fault}"
        ),
        Some(TlsPolicy::Relay) => format!(
            "{nothing}: the relay {host} is set to verified TLS, and {what}. {NO_SECRET_LEFT} Check its name, its \
             port and its security in the settings, and whether its certificate is for that name and from an authority \
             that is trusted here."
        ),
        Some(TlsPolicy::Required) => {
            format!("{nothing}: verified TLS is required, and {host} does not give it: {what}. {fault}")
        }
        None => format!("{nothing}: TLS with {host} did not come about, because {what}."),
    }
}

fn login_refused(case: &Case<'_>, reply: &Reply) -> String {
    let host = host(case);
    let said = quoted(reply);
    let nothing = nothing_sent(case);
    let detail = reply
        .enhanced
        .filter(|status| status.subject == 7)
        .map(|status| status.detail);
    match (reply.code.0, detail) {
        _ if case.verdict.transient => format!(
            "The relay {host} could not check the user name and the password and said {said}. {nothing}."
        ),
        (534, _) | (_, Some(9)) => format!(
            "The relay {host} wants another way to log in and said {said}. {nothing}: most likely it takes a \
             password made for programs, or a token (XOAUTH2)."
        ),
        (535, _) | (_, Some(8)) => format!(
            "The relay {host} did not accept the user name or the password and said {said}. {nothing}: correct \
             them in the settings. Some providers want a password made for programs, or a token (XOAUTH2)."
        ),
        _ => format!(
            "The relay {host} refused the log-in and said {said}. {nothing}: ask its administrator what it minds."
        ),
    }
}

fn is_relaying_denied(reply: &Reply) -> bool {
    // 4.7.1 is greylisting, as a rule.
    reply.enhanced == Some(EnhancedStatusCode::NOT_AUTHORISED)
}

/// What the host did instead of making a TLS session, as a verb; `None` for a loss of another kind.
pub(super) fn session_loss(stage: ExchangeStage, why: &ConnectionFailure) -> Option<String> {
    match (stage, why) {
        (_, ConnectionFailure::Aborted(Abort::Cancelled | Abort::ContentUnreadable | Abort::Deadline)) => {
            None
        }
        // They say where themselves.
        (ExchangeStage::Tls, ConnectionFailure::Injected | ConnectionFailure::Tls(_)) => {
            Some(loss_detail(why))
        }
        (ExchangeStage::StartTls | ExchangeStage::Tls, _) => Some(loss_at(stage, why)),
        _ => None,
    }
}

/// The end of an attempt's phrase, where TLS did not come about and somebody demanded it.
pub(super) fn demanded(cause: &Cause, policy: Option<TlsPolicy>) -> String {
    match policy {
        Some(policy) if is_about_tls(cause) => format!("; TLS is required ({})", policy.as_str()),
        _ => String::new(),
    }
}
