//! The one map from causes to MAP replies, and the one place that decides transient or permanent.

use super::outcome::{Cause, Delivered, HostExcluded, Stage};
use super::refusal::{RETRY, meaning};
use crate::local::LocalError;
use crate::message::{Reason, SMTPUTF8};
use crate::net::{GivenUp, Port25Finding};
use crate::protocol::MapReply;
use crate::route::{LookupError, RouteError};
use crate::smtp::{
    self, Abort, ConnectionFailure, EnhancedStatusCode, ExchangeStage, NoTls, Outcome, Reply, ReplyCode,
    Unsupported,
};
use std::sync::Arc;
use std::time::Duration;

/// What has to be known of a conversation to read an outcome of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Circumstances {
    /// It was one with a relay.
    pub(crate) relayed: bool,
    /// It was in the clear, although the host offered TLS, because that had failed.
    pub(crate) tls_left_out: bool,
    /// There was nobody to verify a certificate by.
    pub(crate) no_roots: bool,
}

/// One true reply, and what a report says beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) reply: MapReply,
    pub(crate) delivered: Delivered,
    pub(crate) transient: bool,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) enhanced: Option<EnhancedStatusCode>,
    pub(crate) stage: Stage,
    /// The server's words, where they decided.
    pub(crate) server: Option<Arc<Reply>>,
}

impl Verdict {
    /// A host that was not asked might have taken the message: what rests on the others alone is not for ever.
    pub(crate) fn leave_to_an_untried_host(&mut self) {
        let decided_here = self.delivered == Delivered::No && self.server.is_none();
        let has_nothing_to_do_with_hosts = matches!(
            self.reply,
            MapReply::Cancelled
                | MapReply::Internal
                | MapReply::Local(_)
                | MapReply::Misuse(_)
                | MapReply::PortBlocked
        );
        if decided_here && !has_nothing_to_do_with_hosts && !self.transient {
            self.transient = true;
            self.retry_after = Some(RETRY);
            self.enhanced = self
                .enhanced
                .map(|status| EnhancedStatusCode { class: 4, ..status });
        }
    }
}

/// What this machine is short of is often there again when other work is done.
const SHORTAGE: Duration = Duration::from_secs(60);

/// What a cause means. `domain` is the recipient's, as `RE_DNS_FAIL` prints it.
pub(crate) fn verdict(cause: &Cause, domain: &str) -> Verdict {
    if let Some((stage, error)) = cause.local() {
        return local(stage, error);
    }
    match cause {
        Cause::Check(failure) if matches!(failure.reply, MapReply::Local(_)) => transient_after(
            SHORTAGE,
            failure.reply.clone(),
            EnhancedStatusCode::SHORT_HERE,
            Stage::Check,
        ),
        Cause::Check(failure) => {
            let enhanced =
                matches!(failure.reply, MapReply::InvalidFormat(_)).then_some(EnhancedStatusCode::BAD_SYNTAX);
            permanent(failure.reply.clone(), enhanced, Stage::Check)
        }
        Cause::Connect(_) => transient(
            MapReply::ServerUnreach,
            EnhancedStatusCode::NO_ANSWER,
            Stage::Connect,
        ),
        Cause::Exchange(outcome) => exchange_verdict(outcome),
        Cause::GivenUp(stage, why) => given_up(*stage, *why),
        Cause::Internal { content_begun: false } | Cause::Unsigned(_) => {
            permanent(MapReply::Internal, None, Stage::Check)
        }
        Cause::Internal { content_begun: true } => Verdict {
            delivered: Delivered::Unknown,
            ..permanent(MapReply::Internal, None, Stage::Content)
        },
        Cause::LeftOver(None) => transient(
            MapReply::ServerUnreach,
            EnhancedStatusCode::TOO_MANY_RECIPIENTS,
            Stage::Mail,
        ),
        Cause::LeftOver(Some(reply)) => Verdict {
            server: Some(Arc::clone(reply)),
            ..transient(
                MapReply::BadReply(reply.code),
                EnhancedStatusCode::TOO_MANY_RECIPIENTS,
                Stage::Rcpt,
            )
        },
        Cause::Local(stage, error) => local(*stage, error),
        Cause::Misuse(how) => permanent(MapReply::Misuse(how.clone()), None, Stage::Check),
        Cause::NoRoots(_) => permanent(
            MapReply::ServerUnreach,
            Some(EnhancedStatusCode::NO_SECURITY),
            Stage::Tls,
        ),
        // https://www.rfc-editor.org/rfc/rfc5321#section-2.1 lets a relay fail later, and tell the sender by mail.
        Cause::Relayed(reply) => Verdict {
            delivered: Delivered::Unknown,
            server: Some(Arc::clone(reply)),
            ..permanent(MapReply::Success, reply.enhanced, Stage::Content)
        },
        // The recipient's domain has nothing to do with it.
        Cause::RelayNotFound(error) if error.is_transient() => transient(
            MapReply::ServerUnreach,
            EnhancedStatusCode::DNS_FAILURE,
            Stage::Route,
        ),
        Cause::RelayNotFound(_) => permanent(
            MapReply::ServerUnreach,
            Some(EnhancedStatusCode::NO_ROUTE),
            Stage::Route,
        ),
        Cause::Route(error) => route_verdict(error, domain),
        Cause::HostExcluded(HostExcluded::NotProved) => permanent(
            MapReply::ServerUnreach,
            Some(EnhancedStatusCode::NO_REQUIRETLS),
            Stage::Route,
        ),
        Cause::HostExcluded(_) => {
            transient(MapReply::ServerUnreach, EnhancedStatusCode::NO_TLS, Stage::Route)
        }
        Cause::TlsDemanded(reply) => Verdict {
            server: Some(Arc::clone(reply)),
            ..transient(
                MapReply::BadReply(reply.code),
                EnhancedStatusCode::NO_TLS,
                Stage::Mail,
            )
        },
        // The code that a server gives for it, so that a caller needs to know one way only.
        Cause::Unmet(unmet) => {
            let (code, enhanced) = match unmet.reason {
                Reason::Address(_) => (ReplyCode::MAILBOX_NAME, EnhancedStatusCode::NO_SMTPUTF8),
                _ if unmet.keyword == SMTPUTF8 => {
                    (ReplyCode::TRANSACTION_FAILED, EnhancedStatusCode::NO_UTF8_HEADER)
                }
                _ => (ReplyCode::TRANSACTION_FAILED, EnhancedStatusCode::NO_CONVERSION),
            };
            permanent(MapReply::BadReply(code), Some(enhanced), Stage::Mail)
        }
        Cause::Unreachable(_, evidence) => unreachable_verdict(evidence.finding()),
    }
}

impl Cause {
    /// What this machine or the data of the caller lacked, and at which stage, if that is what it says.
    pub(crate) fn local(&self) -> Option<(Stage, &LocalError)> {
        match self {
            Self::Local(stage, error) => Some((*stage, error)),
            Self::RelayNotFound(RouteError::Lookup(LookupError::Local(error)))
            | Self::Route(RouteError::Lookup(LookupError::Local(error)))
            | Self::HostExcluded(HostExcluded::Dane(LookupError::Local(error))) => {
                Some((Stage::Route, error))
            }
            _ => None,
        }
    }

    /// What the exchange with a host came to for one recipient.
    pub(crate) fn of_exchange(outcome: Outcome, circumstances: Circumstances) -> Self {
        match outcome {
            Outcome::Accepted(reply) if circumstances.relayed => Self::Relayed(reply),
            Outcome::Lost {
                why: ConnectionFailure::Tls(why),
                ..
            } if circumstances.no_roots => Self::NoRoots(why),
            Outcome::Refused {
                stage: ExchangeStage::Mail,
                reply,
            } if circumstances.tls_left_out && is_demand_for_tls(&reply) => Self::TlsDemanded(reply),
            outcome => Self::Exchange(outcome),
        }
    }
}

impl From<GivenUp> for Cause {
    fn from(given_up: GivenUp) -> Self {
        match given_up {
            // Nobody was asked for anything, so nothing is known of any host.
            GivenUp::NoPlace(lack) => Self::Local(Stage::Route, lack),
            GivenUp::Reached(why) => Self::GivenUp(Stage::Route, why),
        }
    }
}

fn permanent(reply: MapReply, enhanced: Option<EnhancedStatusCode>, stage: Stage) -> Verdict {
    Verdict {
        reply,
        delivered: Delivered::No,
        transient: false,
        retry_after: None,
        enhanced,
        stage,
        server: None,
    }
}

fn transient(reply: MapReply, enhanced: EnhancedStatusCode, stage: Stage) -> Verdict {
    transient_after(RETRY, reply, enhanced, stage)
}

fn transient_after(wait: Duration, reply: MapReply, enhanced: EnhancedStatusCode, stage: Stage) -> Verdict {
    Verdict {
        transient: true,
        retry_after: Some(wait),
        ..permanent(reply, Some(enhanced), stage)
    }
}

/// Nothing was sent: no content that could not be read to its end has passed the commit point.
fn local(stage: Stage, error: &LocalError) -> Verdict {
    let reply = MapReply::Local(error.to_string());
    if error.passes() {
        transient_after(SHORTAGE, reply, EnhancedStatusCode::SHORT_HERE, stage)
    } else {
        permanent(reply, Some(EnhancedStatusCode::UNREADABLE_HERE), stage)
    }
}

fn route_verdict(error: &RouteError, domain: &str) -> Verdict {
    let dns_fail = MapReply::DnsFail(domain.to_owned());
    match error {
        RouteError::Lookup(LookupError::NoAnswer | LookupError::Configuration(_)) => transient(
            MapReply::ServerUnreach,
            EnhancedStatusCode::DNS_FAILURE,
            Stage::Route,
        ),
        error if error.is_transient() => transient(dns_fail, EnhancedStatusCode::DNS_FAILURE, Stage::Route),
        RouteError::NullMx => permanent(dns_fail, Some(EnhancedStatusCode::NULL_MX), Stage::Route),
        RouteError::ForbiddenTarget => {
            permanent(dns_fail, Some(EnhancedStatusCode::REFUSED_TARGET), Stage::Route)
        }
        _ => permanent(dns_fail, Some(EnhancedStatusCode::BAD_DOMAIN), Stage::Route),
    }
}

fn unreachable_verdict(finding: Port25Finding) -> Verdict {
    match finding {
        // Time does not open a port: somebody has to decide on another way first.
        Port25Finding::BlockedHere | Port25Finding::BlockedOnTheWay { .. } => permanent(
            MapReply::PortBlocked,
            Some(EnhancedStatusCode::NO_ANSWER),
            Stage::Connect,
        ),
        Port25Finding::NoNetwork | Port25Finding::NotAsked(_) | Port25Finding::Open => transient(
            MapReply::ServerUnreach,
            EnhancedStatusCode::NO_ANSWER,
            Stage::Connect,
        ),
    }
}

fn given_up(stage: Stage, why: Abort) -> Verdict {
    match why {
        // Nothing was wrong with the mail, and nothing of it was sent: the caller may send it again.
        Abort::Cancelled => permanent(MapReply::Cancelled, None, stage),
        Abort::ContentUnreadable => local(stage, &LocalError::unreadable_content()),
        Abort::Deadline => {
            let enhanced = match stage {
                Stage::Route => EnhancedStatusCode::DNS_FAILURE,
                Stage::Check | Stage::Connect | Stage::Greeting => EnhancedStatusCode::NO_ANSWER,
                _ => EnhancedStatusCode::CONNECTION_LOST,
            };
            transient(MapReply::ServerUnreach, enhanced, stage)
        }
    }
}

fn exchange_verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Accepted(reply) => Verdict {
            delivered: Delivered::Yes,
            server: Some(Arc::clone(reply)),
            ..permanent(MapReply::Success, reply.enhanced, Stage::Content)
        },
        Outcome::Refused { stage, reply } => refused(*stage, reply),
        Outcome::Unexpected { stage, reply } => Verdict {
            server: Some(Arc::clone(reply)),
            ..transient(
                MapReply::BadReply(reply.code),
                EnhancedStatusCode::PROTOCOL_ERROR,
                (*stage).into(),
            )
        },
        Outcome::Unsupported(what) => unsupported(*what),
        Outcome::NoTls(why) => Verdict {
            server: match why {
                NoTls::NotOffered => None,
                NoTls::Refused(reply) => Some(Arc::clone(reply)),
            },
            ..transient(MapReply::ServerUnreach, EnhancedStatusCode::NO_TLS, Stage::Tls)
        },
        Outcome::Lost {
            stage,
            why: ConnectionFailure::Aborted(why),
        } => given_up((*stage).into(), *why),
        Outcome::Lost {
            stage: ExchangeStage::Greeting,
            why: ConnectionFailure::TimedOut,
        } => transient(
            MapReply::ServerUnreach,
            EnhancedStatusCode::NO_ANSWER,
            Stage::Greeting,
        ),
        Outcome::Lost {
            stage: ExchangeStage::StartTls | ExchangeStage::Tls,
            ..
        } => transient(MapReply::ServerUnreach, EnhancedStatusCode::NO_TLS, Stage::Tls),
        Outcome::Lost {
            stage,
            why: ConnectionFailure::ServerNotAuthenticated,
        } => permanent(
            MapReply::ServerUnreach,
            Some(EnhancedStatusCode::NO_SECURITY),
            (*stage).into(),
        ),
        Outcome::Lost { stage, .. } => transient(
            MapReply::ServerUnreach,
            EnhancedStatusCode::CONNECTION_LOST,
            (*stage).into(),
        ),
        Outcome::NoBdat(reply) => Verdict {
            server: Some(Arc::clone(reply)),
            ..transient(
                MapReply::BadReply(reply.code),
                EnhancedStatusCode::PROTOCOL_ERROR,
                Stage::Content,
            )
        },
        Outcome::TooManyRecipients(reply) => Verdict {
            server: Some(Arc::clone(reply)),
            ..transient(
                MapReply::BadReply(reply.code),
                EnhancedStatusCode::TOO_MANY_RECIPIENTS,
                Stage::Rcpt,
            )
        },
        Outcome::NotAttempted => transient(
            MapReply::ServerUnreach,
            EnhancedStatusCode::CONNECTION_LOST,
            Stage::Mail,
        ),
        Outcome::Uncertain(loss) => Verdict {
            delivered: Delivered::Unknown,
            server: match loss {
                ConnectionFailure::ImplausibleReply(reply) => Some(Arc::clone(reply)),
                _ => None,
            },
            ..permanent(
                MapReply::Uncertain,
                Some(EnhancedStatusCode::CONNECTION_LOST),
                Stage::Content,
            )
        },
    }
}

/// The message needs what the host does not offer.
fn unsupported(what: Unsupported) -> Verdict {
    // The code that a server gives for it, so that a caller needs to know one way only.
    let (code, enhanced) = match what {
        Unsupported::NoAuthMechanism | Unsupported::NotVerified => {
            return permanent(
                MapReply::ServerUnreach,
                Some(EnhancedStatusCode::NO_SECURITY),
                Stage::Auth,
            );
        }
        Unsupported::NeedsRequireTls => {
            return permanent(
                MapReply::ServerUnreach,
                Some(EnhancedStatusCode::NO_REQUIRETLS),
                Stage::Mail,
            );
        }
        Unsupported::NeedsBodyType(_) => (ReplyCode::TRANSACTION_FAILED, EnhancedStatusCode::NO_CONVERSION),
        Unsupported::NeedsSmtpUtf8 => (ReplyCode::MAILBOX_NAME, EnhancedStatusCode::NO_SMTPUTF8),
        Unsupported::TooLarge { .. } => (ReplyCode::STORAGE_EXCEEDED, EnhancedStatusCode::TOO_BIG),
    };
    permanent(MapReply::BadReply(code), Some(enhanced), Stage::Mail)
}

fn refused(stage: ExchangeStage, reply: &Arc<Reply>) -> Verdict {
    let is_permanent = is_5yz(reply)
        && match stage {
            // A host that takes no mail from anybody now says so at the door; another host may, or this one later.
            // A refused RSET says nothing of the mail that waits for its turn on the connection.
            // A refusal of STARTTLS itself is `NoTls`: what is left is one that nobody asked for, which anybody on the
            // way can write after the answer to EHLO, in the clear.
            ExchangeStage::Greeting
            | ExchangeStage::Ehlo
            | ExchangeStage::Helo
            | ExchangeStage::Rset
            | ExchangeStage::StartTls => false,
            _ => true,
        };
    let map_reply = if is_denial(reply) {
        MapReply::ServiceDenied
    } else {
        MapReply::BadReply(reply.code)
    };
    Verdict {
        transient: !is_permanent,
        retry_after: (!is_permanent).then(|| meaning(stage, reply).retry_after()),
        server: Some(Arc::clone(reply)),
        ..permanent(map_reply, reply.enhanced, stage.into())
    }
}

/// MAP 3.5.7: 550, or a 5yz whose enhanced status code says policy.
fn is_denial(reply: &Reply) -> bool {
    reply.code.0 == 550 || (is_5yz(reply) && is_policy(reply))
}

fn is_5yz(reply: &Reply) -> bool {
    reply.severity() == smtp::Severity::PermanentNegative
}

fn is_policy(reply: &Reply) -> bool {
    reply.enhanced.is_some_and(|status| status.subject == 7)
}

// What a server says that wants STARTTLS first: https://www.rfc-editor.org/rfc/rfc3207#section-4
fn is_demand_for_tls(reply: &Reply) -> bool {
    // Encryption needed (RFC 5248 section 2.4 and its registry).
    reply.code == ReplyCode::SECURITY_REQUIRED
        || (is_5yz(reply) && reply.enhanced == Some(EnhancedStatusCode::ENCRYPTION_NEEDED))
}

/// The recipient needs no other host: the message is taken, or may be, or was refused for good.
pub(crate) fn settles(cause: &Cause) -> bool {
    match cause {
        // Another host would fail for the same reason.
        cause if cause.local().is_some() => true,
        Cause::Exchange(Outcome::Refused { .. }) => !verdict(cause, "").transient,
        Cause::Exchange(
            Outcome::Accepted(_)
            | Outcome::Uncertain(_)
            | Outcome::Lost {
                why: ConnectionFailure::Aborted(_),
                ..
            },
        )
        | Cause::GivenUp(..)
        | Cause::Relayed(_) => true,
        _ => false,
    }
}

/// Refused for a reason of policy at a stage where only our address can be meant (greeting, EHLO, MAIL): the other
/// address family of the same host may be welcome.
pub(crate) fn is_refusal_of_our_address(cause: &Cause) -> bool {
    matches!(cause, Cause::Exchange(Outcome::Refused { stage, reply })
        if matches!(stage, ExchangeStage::Greeting | ExchangeStage::Ehlo | ExchangeStage::Helo | ExchangeStage::Mail)
            && is_5yz(reply)
            && is_policy(reply))
}

/// Which of a recipient's causes decides; its index.
pub(crate) fn deciding(causes: &[Cause], domain: &str) -> Option<usize> {
    let verdicts: Vec<Verdict> = causes.iter().map(|cause| verdict(cause, domain)).collect();
    let ranks = causes
        .iter()
        .zip(&verdicts)
        .map(|(cause, verdict)| rank(cause, verdict));
    // The earliest of equals: the host that the domain prefers.
    ranks
        .enumerate()
        .max_by_key(|&(index, rank)| (rank, std::cmp::Reverse(index)))
        .map(|(index, _)| index)
}

/// An uncertain attempt; else a 2yz; else a permanent refusal; else the transient one that came furthest; else the
/// furthest. (A backup host's 554 greeting must not make a greylisted mail permanent.) A target that was found and
/// refused tells a person more than a name that was not found.
fn rank(cause: &Cause, verdict: &Verdict) -> (u8, Stage, bool) {
    let class = match cause {
        Cause::Exchange(Outcome::Uncertain(_)) => 5,
        Cause::Exchange(Outcome::Accepted(_)) | Cause::Relayed(_) => 4,
        Cause::Exchange(Outcome::Refused { .. }) if !verdict.transient => 3,
        // What was seen of the hosts until then says more than that no turn came for the next one.
        Cause::Local(_, LocalError::TooManyAtOnce | LocalError::TooManyToOneHost) => 1,
        // What ended it here is what somebody can do something about.
        _ if matches!(verdict.reply, MapReply::Cancelled | MapReply::Local(_)) => 2,
        _ if verdict.transient => 1,
        _ => 0,
    };
    (
        class,
        verdict.stage,
        matches!(cause, Cause::Route(RouteError::ForbiddenTarget)),
    )
}

impl From<ExchangeStage> for Stage {
    fn from(stage: ExchangeStage) -> Self {
        match stage {
            ExchangeStage::Greeting => Self::Greeting,
            ExchangeStage::Ehlo | ExchangeStage::Helo => Self::Hello,
            ExchangeStage::StartTls | ExchangeStage::Tls => Self::Tls,
            ExchangeStage::Auth => Self::Auth,
            ExchangeStage::Mail | ExchangeStage::Rset => Self::Mail,
            ExchangeStage::Rcpt => Self::Rcpt,
            ExchangeStage::Data => Self::Data,
            ExchangeStage::Chunk | ExchangeStage::Content | ExchangeStage::Quit => Self::Content,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_did_not_come_hides_no_word_of_a_host() {
        let greylisted = Arc::new(Reply::new(ReplyCode::LOCAL_ERROR, vec![b"4.7.1 later".to_vec()]));
        let seen = [
            Cause::Exchange(Outcome::Refused {
                stage: ExchangeStage::Rcpt,
                reply: greylisted,
            }),
            Cause::Connect(super::super::outcome::ConnectFailure::TimedOut),
        ];
        for seen in seen {
            for lack in [LocalError::TooManyAtOnce, LocalError::TooManyToOneHost] {
                let causes = [seen.clone(), Cause::Local(Stage::Route, lack)];
                assert_eq!(deciding(&causes, "example.org"), Some(0), "{causes:?}");
            }
            let shortage = [seen, Cause::Local(Stage::Connect, LocalError::Descriptors)];
            assert_eq!(deciding(&shortage, "example.org"), Some(1), "{shortage:?}");
        }
    }
}
