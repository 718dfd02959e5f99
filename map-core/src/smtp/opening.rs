//! The phases before [`Ready`]: who the two are, and over what they speak.

use super::capabilities::Capabilities;
use super::command::Command;
use super::connection::{Core, Phase};
use super::ready::Ready;
use super::sasl::{self, Answer, Awaits, BadChallenge, Success};
use super::scram::DerivedKey;
use super::session_end::SessionEnd;
use super::transmit::ExpectedReply;
use super::{
    AuthMechanism, Authentication, ConnectionFailure, Event, ExchangeStage, Hello, NoTls, Outcome, Reply,
    ReplyCode, Severity, TlsSession, TlsUse, Unsupported,
};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// What the session runs over.
#[derive(Clone, Copy, Debug)]
pub(super) enum Channel {
    Clear,
    Tls(TlsSession),
}

/// Nothing may be sent yet.
#[derive(Debug)]
pub(super) struct ExpectGreeting {
    channel: Channel,
}

#[derive(Debug)]
pub(super) struct ExpectEhloReply {
    channel: Channel,
}

/// HELO is sent in the clear only: after a handshake the server has shown that it knows EHLO.
#[derive(Debug)]
pub(super) struct ExpectHeloReply {
    /// The refusal of EHLO, if that was tried.
    ehlo: Option<Arc<Reply>>,
}

/// RFC 3207 section 4, <https://www.rfc-editor.org/rfc/rfc3207#section-4>:
/// > If the SMTP client is using pipelining as defined in RFC 2920, the STARTTLS command must be the last command in a
/// > group.
#[derive(Debug)]
pub(super) struct ExpectStartTlsReply {
    /// What the server offers in the clear, should it stay there.
    capabilities: Capabilities,
}

/// The driver makes a TLS session of the transport. There is nothing to write, and nothing may come.
#[derive(Debug)]
pub(super) struct ExpectTls {
    then: BehindTls,
}

/// AUTH is said, and its exchange goes on. Nothing may be sent after a line of it.
#[derive(Debug)]
pub(super) struct ExpectAuthReply {
    auth: Authentication,
    capabilities: Capabilities,
    /// Should the server not know the mechanism after all.
    others: VecDeque<AuthMechanism>,
    awaits: Awaits,
}

/// What a server says first after the handshake.
#[derive(Clone, Copy, Debug)]
enum BehindTls {
    /// Nothing: it greeted before, and EHLO is said again.
    EhloReply,
    Greeting,
}

impl ExpectGreeting {
    /// On a transport that is connected and in the clear.
    pub(super) fn begin(core: &mut Core, now: Instant) -> Phase {
        Self::over(Channel::Clear, core, now)
    }

    fn over(channel: Channel, core: &mut Core, now: Instant) -> Phase {
        core.outbox.expect_greeting(now);
        Phase::ExpectGreeting(Self { channel })
    }

    pub(super) fn handle_reply(self, reply: Arc<Reply>, core: &mut Core, now: Instant) -> Phase {
        let stage = ExchangeStage::Greeting;
        match (reply.severity(), self.channel, core.config.hello) {
            (Severity::PositiveCompletion, Channel::Clear, Hello::Helo) => {
                ExpectHeloReply::send(None, core, now)
            }
            (Severity::PositiveCompletion, channel, _) => ExpectEhloReply::send(channel, core, now),
            (severity, ..) if severity.is_negative() => {
                Phase::ExpectGreeting(self).end(&SessionEnd::Refused { stage, reply }, core, now)
            }
            _ => Phase::ExpectGreeting(self).end(&SessionEnd::Unexpected { stage, reply }, core, now),
        }
    }
}

impl ExpectEhloReply {
    fn send(channel: Channel, core: &mut Core, now: Instant) -> Phase {
        let ehlo = Command::Ehlo(&core.config.hello_name).to_octets();
        core.outbox.send(ehlo, ExpectedReply::Ehlo, now);
        Phase::ExpectEhloReply(Self { channel })
    }

    pub(super) fn handle_reply(self, reply: Arc<Reply>, core: &mut Core, now: Instant) -> Phase {
        let stage = ExchangeStage::Ehlo;
        match (reply.severity(), self.channel) {
            (Severity::PositiveCompletion, channel) => {
                let mut capabilities = Capabilities::of_ehlo(&reply);
                // RFC 8689 section 2, https://www.rfc-editor.org/rfc/rfc8689#section-2: it is announced within TLS only,
                // and means nothing to a client that does not know who announces it.
                capabilities.require_tls &= matches!(channel, Channel::Tls(TlsSession { verified: true }));
                greeted(channel, capabilities, core, now)
            }
            // RFC 5321 section 3.2, https://www.rfc-editor.org/rfc/rfc5321#section-3.2: a server that does not
            // know EHLO still knows HELO.
            (Severity::PermanentNegative, Channel::Clear) => ExpectHeloReply::send(Some(reply), core, now),
            (severity, _) if severity.is_negative() => {
                Phase::ExpectEhloReply(self).end(&SessionEnd::Refused { stage, reply }, core, now)
            }
            _ => Phase::ExpectEhloReply(self).end(&SessionEnd::Unexpected { stage, reply }, core, now),
        }
    }
}

impl ExpectHeloReply {
    /// What an ending here means for everybody.
    pub(super) fn outcome(self, end: &SessionEnd) -> Outcome {
        match (end, self.ehlo) {
            // The server refused EHLO; that it did not go on to answer HELO decides nothing else.
            (SessionEnd::Lost(why), Some(reply)) if !matches!(why, ConnectionFailure::Aborted(_)) => {
                Outcome::Refused {
                    stage: ExchangeStage::Ehlo,
                    reply,
                }
            }
            _ => end.outcome(ExchangeStage::Helo),
        }
    }

    fn send(ehlo: Option<Arc<Reply>>, core: &mut Core, now: Instant) -> Phase {
        let helo = Command::Helo(&core.config.hello_name).to_octets();
        core.outbox.send(helo, ExpectedReply::Helo, now);
        Phase::ExpectHeloReply(Self { ehlo })
    }

    pub(super) fn handle_reply(self, reply: Arc<Reply>, core: &mut Core, now: Instant) -> Phase {
        let stage = ExchangeStage::Helo;
        match reply.severity() {
            Severity::PositiveCompletion => greeted(Channel::Clear, Capabilities::default(), core, now),
            Severity::TransientNegative | Severity::PermanentNegative => {
                Phase::ExpectHeloReply(self).end(&SessionEnd::Refused { stage, reply }, core, now)
            }
            _ => Phase::ExpectHeloReply(self).end(&SessionEnd::Unexpected { stage, reply }, core, now),
        }
    }
}

/// The server took EHLO or HELO. This is the one place where it is decided whether the clear is good enough.
fn greeted(channel: Channel, capabilities: Capabilities, core: &mut Core, now: Instant) -> Phase {
    match (channel, core.config.tls) {
        (Channel::Clear, TlsUse::Opportunistic | TlsUse::Required) if capabilities.starttls => {
            ExpectStartTlsReply::send(capabilities, core, now)
        }
        (Channel::Clear, TlsUse::Implicit | TlsUse::Required) => {
            Phase::leave(&Outcome::NoTls(NoTls::NotOffered), core, now)
        }
        // RFC 3207 section 4.2, https://www.rfc-editor.org/rfc/rfc3207#section-4.2
        // > A client MUST NOT attempt to start a TLS session if a TLS session is already active.
        (Channel::Clear, TlsUse::Clear | TlsUse::Opportunistic) | (Channel::Tls(_), _) => {
            authenticate(channel, capabilities, core, now)
        }
    }
}

/// AUTH, if that is asked for; then mail may move. This is the one place where a secret is let go of: only into TLS,
/// and only to a server that has proved its name.
fn authenticate(channel: Channel, capabilities: Capabilities, core: &mut Core, now: Instant) -> Phase {
    // From here on the phase has it, and it is gone when AUTH is over.
    let Some(auth) = core.config.auth.take() else {
        return Ready::begin(capabilities, core, now);
    };
    if !matches!(channel, Channel::Tls(TlsSession { verified: true })) {
        return Phase::leave(&Outcome::Unsupported(Unsupported::NotVerified), core, now);
    }
    let mut mechanisms = sasl::common(&auth, &capabilities.auth);
    match mechanisms.pop_front() {
        None => Phase::leave(&Outcome::Unsupported(Unsupported::NoAuthMechanism), core, now),
        Some(first) => ExpectAuthReply::send(first, mechanisms, auth, capabilities, core, now),
    }
}

impl ExpectStartTlsReply {
    fn send(capabilities: Capabilities, core: &mut Core, now: Instant) -> Phase {
        core.outbox
            .send(Command::StartTls.to_octets(), ExpectedReply::StartTls, now);
        Phase::ExpectStartTlsReply(Self { capabilities })
    }

    pub(super) fn handle_reply(self, reply: Arc<Reply>, core: &mut Core, now: Instant) -> Phase {
        let stage = ExchangeStage::StartTls;
        match (reply.code, reply.severity(), core.config.tls) {
            (ReplyCode::SERVICE_READY, ..) => ExpectTls::begin(BehindTls::EhloReply, core, now),
            (ReplyCode::SERVICE_NOT_AVAILABLE, ..) => {
                Phase::ExpectStartTlsReply(self).end(&SessionEnd::Refused { stage, reply }, core, now)
            }
            (_, severity, TlsUse::Opportunistic) if severity.is_negative() => {
                authenticate(Channel::Clear, self.capabilities, core, now)
            }
            (_, severity, _) if severity.is_negative() => {
                Phase::leave(&Outcome::NoTls(NoTls::Refused(reply)), core, now)
            }
            _ => Phase::ExpectStartTlsReply(self).end(&SessionEnd::Unexpected { stage, reply }, core, now),
        }
    }
}

impl ExpectAuthReply {
    fn send(
        mechanism: AuthMechanism,
        others: VecDeque<AuthMechanism>,
        auth: Authentication,
        capabilities: Capabilities,
        core: &mut Core,
        now: Instant,
    ) -> Phase {
        let (octets, awaits) = sasl::begin(mechanism, &auth);
        core.outbox.send(octets, ExpectedReply::Auth, now);
        Phase::ExpectAuthReply(Self {
            auth,
            capabilities,
            others,
            awaits,
        })
    }

    pub(super) fn handle_reply(mut self, reply: Arc<Reply>, core: &mut Core, now: Instant) -> Phase {
        let stage = ExchangeStage::Auth;
        match (reply.code, reply.severity()) {
            (ReplyCode::AUTH_CHALLENGE, _) => self.handle_challenge(reply, core, now),
            (ReplyCode::AUTHENTICATED, _) if self.awaits.success() == Success::Verified => {
                Ready::begin(self.capabilities, core, now)
            }
            (ReplyCode::AUTHENTICATED, _) if self.awaits.success() == Success::Unproved => {
                Phase::leave(&unproved(), core, now)
            }
            // The server offers it and does not take it; that says nothing of the secret.
            _ if says_not_implemented(&reply) && !self.awaits.has_heard_no() => {
                match self.others.pop_front() {
                    Some(next) => Self::send(next, self.others, self.auth, self.capabilities, core, now),
                    None => {
                        Phase::ExpectAuthReply(self).end(&SessionEnd::Refused { stage, reply }, core, now)
                    }
                }
            }
            (_, severity) if severity.is_negative() => {
                Phase::ExpectAuthReply(self).end(&SessionEnd::Refused { stage, reply }, core, now)
            }
            _ => Phase::ExpectAuthReply(self).end(&SessionEnd::Unexpected { stage, reply }, core, now),
        }
    }

    fn handle_challenge(self, reply: Arc<Reply>, core: &mut Core, now: Instant) -> Phase {
        let outcome = match self.awaits.handle_challenge(&reply.lines, &self.auth) {
            Ok(Answer::Line(octets, awaits)) => {
                core.outbox.send(octets, ExpectedReply::Auth, now);
                return Phase::ExpectAuthReply(Self { awaits, ..self });
            }
            // Until it is there nothing is awaited of the server, and no time of its is running out.
            Ok(Answer::Derive(derivation, awaits)) => {
                core.events.push_back(Event::DeriveKey(derivation));
                return Phase::ExpectAuthReply(Self { awaits, ..self });
            }
            Err(BadChallenge::Nonsense) => Outcome::Unexpected {
                stage: ExchangeStage::Auth,
                reply,
            },
            Err(BadChallenge::Unproved) => unproved(),
        };
        // RFC 4954 section 4, https://www.rfc-editor.org/rfc/rfc4954#section-4
        // > If the client wishes to cancel the authentication exchange, it issues a line with a single "*".
        core.end_waiting(&outcome);
        Phase::take_leave_after(Bytes::from_static(b"*\r\n"), ExpectedReply::Auth, core, now)
    }
}

impl ExpectAuthReply {
    /// The key that was asked for.
    pub(super) fn handle_key(self, key: &DerivedKey, core: &mut Core, now: Instant) -> Phase {
        let awaits = match self.awaits.handle_key(key) {
            Ok((octets, awaits)) => {
                core.outbox.restart(now);
                core.outbox.send(octets, ExpectedReply::Auth, now);
                awaits
            }
            Err(awaits) => awaits,
        };
        Phase::ExpectAuthReply(Self { awaits, ..self })
    }
}

/// The mechanism is not taken: 500 to 504 is what servers say to what they do not have, and 534 to what is too weak for
/// them.
///
/// Large providers say 534 5.7.9 where they want a password made for programs. No other mechanism helps there or after
/// X.7.8, which is about the secret, too; and a second failed log-in counts against the user.
fn says_not_implemented(reply: &Reply) -> bool {
    let is_about_the_secret = reply
        .enhanced
        .is_some_and(|status| status.subject == 7 && matches!(status.detail, 8 | 9));
    let ReplyCode(code) = reply.code;
    (matches!(code, 500..=504) || reply.code == ReplyCode::MECHANISM_TOO_WEAK) && !is_about_the_secret
}

fn unproved() -> Outcome {
    Outcome::Lost {
        stage: ExchangeStage::Auth,
        why: ConnectionFailure::ServerNotAuthenticated,
    }
}

impl ExpectTls {
    /// RFC 8314 section 3.3, <https://www.rfc-editor.org/rfc/rfc8314#section-3.3>:
    /// > When a TCP connection is established for the "submissions" service (default port 465), a TLS handshake
    /// > begins immediately.
    pub(super) fn begin_implicit(core: &mut Core, now: Instant) -> Phase {
        Self::begin(BehindTls::Greeting, core, now)
    }

    fn begin(then: BehindTls, core: &mut Core, now: Instant) -> Phase {
        core.outbox.restart(now);
        core.events.push_back(Event::StartTls);
        Phase::ExpectTls(Self { then })
    }

    /// RFC 3207 section 4.2, <https://www.rfc-editor.org/rfc/rfc3207#section-4.2>:
    /// > The client MUST discard any knowledge obtained from the server, such as the list of SMTP service
    /// > extensions, which was not obtained from the TLS negotiation itself. The client SHOULD send an EHLO
    /// > command as the first command after a successful TLS negotiation.
    pub(super) fn handle_session(self, session: TlsSession, core: &mut Core, now: Instant) -> Phase {
        let channel = Channel::Tls(session);
        match self.then {
            BehindTls::EhloReply => ExpectEhloReply::send(channel, core, now),
            BehindTls::Greeting => ExpectGreeting::over(channel, core, now),
        }
    }

    /// Nothing can be said any more, neither in the clear nor within TLS: there is no QUIT.
    pub(super) fn end(end: &SessionEnd, core: &mut Core) -> Phase {
        // A driver that has not begun the handshake shall not begin it now.
        core.events.retain(|event| *event != Event::StartTls);
        core.end_waiting(&end.outcome(ExchangeStage::Tls));
        Phase::close(core)
    }
}
