//! One conversation with one host, and what follows from it.

use super::host_attempt::{RetryAction, SessionProfile};
use super::{AttemptHeader, Delivery};
use crate::delivery::host_security::HostSecurity;
use crate::delivery::kept::Kept;
use crate::delivery::outcome::{Line, Stage};
use crate::delivery::progress::GroupMeter;
use crate::delivery::redaction::Redaction;
use crate::envelope::Envelope;
use crate::local::LocalError;
use crate::message::Message;
use crate::net::tls::{TlsError, TlsFacts};
use crate::net::{ContentSource, Observer, Transport, converse};
use crate::smtp::{
    self, BodyInfo, Capabilities, Chunking, Connection, ConnectionFailure, Event, ExchangeStage, Hello,
    Outcome, Reply, SubmissionId, TlsUse,
};
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// How one conversation went.
#[derive(Default)]
pub(super) struct Conversation {
    /// By the index of the recipient in the group.
    pub(super) outcomes: Vec<(usize, Outcome)>,
    pub(super) dialogue: Vec<Line>,
    pub(super) past_hello: bool,
    /// What the host offered in the end.
    pub(super) capabilities: Capabilities,
    /// The TLS session, if there was one.
    pub(super) tls: Option<TlsFacts>,
    /// There was nobody to verify a certificate by.
    pub(super) no_roots: bool,
    /// The host offered DSN and refused a command with parameters.
    pub(super) dsn_dropped: bool,
    /// A content was opened for the host.
    pub(super) content_begun: bool,
    /// Why the content could not be read.
    pub(super) unreadable: Option<LocalError>,
}

impl Delivery<'_> {
    /// `pending` are the indices of the recipients that it is for.
    pub(super) async fn converse(
        &mut self,
        header: &AttemptHeader,
        security: &HostSecurity,
        transport: Box<dyn Transport>,
        profile: SessionProfile,
        pending: &[usize],
    ) -> Conversation {
        let environment = self.environment;
        let chosen = environment.hello_name.choose(transport.local_addr());
        self.warn(chosen.warning);
        let relay = environment.relay.as_ref();
        let config = smtp::SessionConfig {
            hello_name: chosen.name,
            hello: profile.hello,
            deadlines: smtp::Deadlines {
                replies: self.replies_left,
                ..environment.deadlines
            },
            tls: profile.tls,
            auth: relay.and_then(|relay| relay.authentication(&mut rand::rng())),
            chunk_octets: smtp::CHUNK_OCTETS,
        };
        let recipients = pending
            .iter()
            .filter_map(|&index| self.recipients.get(index))
            .map(|recipient| self.message.envelope_recipient(&recipient.mailbox))
            .collect();
        let mut envelope = Envelope {
            reverse_path: self.message.reverse_path(),
            recipients,
            parameters: self.message.envelope_parameters().clone(),
        };
        if !profile.dsn {
            leave_out_dsn(&mut envelope);
        }
        let forms = self.message.body_forms();
        let mut observer = ConversationRecorder {
            header,
            meter: self.meter,
            sizes: forms.iter().map(|form| form.size).collect(),
            message: self.message,
            redaction: config.auth.as_ref().map(Redaction::new),
            kept: self.kept,
            last: None,
            read_error: ReadError::default(),
            conversation: Conversation::default(),
        };
        let peer = (profile.tls != TlsUse::Clear).then(|| security.peer(environment));
        let body = BodyInfo {
            forms,
            chunking: profile.chunking,
        };
        let now = Instant::now().into_std();
        let mut connection = Connection::new(config, now);
        connection.submit(SubmissionId(0), envelope, body, now);
        connection.quit(now);
        converse(
            &mut connection,
            transport,
            peer.as_ref(),
            &mut observer,
            &self.limits,
        )
        .await;
        self.replies_left = self.replies_left.saturating_sub(connection.waited());
        let mut conversation = observer.conversation;
        conversation.unreadable = observer.read_error.take();
        self.warn(self.missing_dsn(header, &conversation));
        for (index, _) in &mut conversation.outcomes {
            *index = pending.get(*index).copied().unwrap_or(usize::MAX);
        }
        conversation
    }

    /// Who asked for notifications has to know where none will come from.
    fn missing_dsn(&self, header: &AttemptHeader, conversation: &Conversation) -> Option<String> {
        if conversation.dsn_dropped {
            return Some(format!(
                "{} refused the parameters of a command, so no delivery status notifications (DSN) were asked for when it \
                 was sent again",
                header.host
            ));
        }
        let is_missed = conversation.past_hello && !conversation.capabilities.dsn;
        (is_missed && self.message.wishes_notifications()).then(|| {
            format!(
                "{} does not offer delivery status notifications (DSN), so none could be asked for",
                header.host
            )
        })
    }
}

fn leave_out_dsn(envelope: &mut Envelope) {
    envelope.parameters.ret = None;
    envelope.parameters.envelope_id = None;
    for recipient in &mut envelope.recipients {
        recipient.notify = None;
        recipient.original = None;
    }
}

/// What a session was, for what follows from it.
#[derive(Clone, Copy)]
pub(super) struct Session {
    pub(super) profile: SessionProfile,
    /// There was a TLS session.
    pub(super) is_tls: bool,
    /// The host refused what was asked of notifications.
    pub(super) dsn_dropped: bool,
}

impl Session {
    /// What one host's outcome for one recipient asks for next, while the recipient is not settled.
    pub(super) fn step_after(self, outcome: &Outcome) -> RetryAction {
        match outcome {
            Outcome::Accepted(_)
            | Outcome::Uncertain(_)
            | Outcome::Lost {
                why: ConnectionFailure::Aborted(_),
                ..
            } => RetryAction::Stop,
            outcome if self.tls_broke(outcome) => RetryAction::ClearHere,
            outcome if self.wants_helo(outcome) => RetryAction::HeloHere,
            // It may take one mail only in each session: asked for them again, it would never take this one.
            Outcome::NotAttempted if self.dsn_dropped => RetryAction::WithoutDsnHere,
            Outcome::NoBdat(_) if self.profile.chunking != Chunking::Avoid => RetryAction::DataHere,
            // Another address of a relay that may not be itself is no better.
            Outcome::Lost {
                why: ConnectionFailure::ServerNotAuthenticated,
                ..
            }
            | Outcome::NoBdat(_)
            | Outcome::Refused { .. }
            | Outcome::Unexpected { .. }
            | Outcome::Unsupported(_) => RetryAction::Host,
            // Another address may be another machine, and one that an attacker does not sit before.
            Outcome::Lost { .. }
            | Outcome::NoTls(_)
            | Outcome::TooManyRecipients(_)
            | Outcome::NotAttempted => RetryAction::Address,
        }
    }

    /// TLS was tried for lack of something worse, and did not come about; or it did, and the host was gone before it had
    /// answered EHLO: a server that does not like the end of a handshake of TLS 1.3 shows it only then.
    ///
    /// Octets that somebody wrote into the beginning of TLS end the session, and the host is tried in the clear, too:
    /// who can write there can as well strip STARTTLS, and this mail was never protected from him. Not to send it would
    /// protect nobody, and let him stop all mail by a single octet.
    fn tls_broke(self, outcome: &Outcome) -> bool {
        let is_broken = match outcome {
            Outcome::Lost {
                stage: ExchangeStage::StartTls | ExchangeStage::Tls,
                ..
            }
            | Outcome::Unexpected {
                stage: ExchangeStage::StartTls,
                ..
            } => true,
            Outcome::Lost {
                stage: ExchangeStage::Ehlo,
                why:
                    ConnectionFailure::Closed
                    | ConnectionFailure::NotSmtp
                    | ConnectionFailure::Reset(_)
                    | ConnectionFailure::Tls(_),
            } => self.is_tls,
            _ => false,
        };
        is_broken && self.profile.tls == TlsUse::Opportunistic
    }

    /// Never after a handshake, nor where one is required: HELO knows no STARTTLS.
    fn wants_helo(self, outcome: &Outcome) -> bool {
        // RFC 5321 section 3.2, https://www.rfc-editor.org/rfc/rfc5321#section-3.2: servers that know only HELO may
        // answer EHLO by closing; one that refuses it and then closes could not be asked with HELO there.
        let is_for_ehlo = match outcome {
            Outcome::Lost {
                stage: ExchangeStage::Ehlo | ExchangeStage::Helo,
                why: ConnectionFailure::Closed | ConnectionFailure::Reset(_),
            } => true,
            Outcome::Refused {
                stage: ExchangeStage::Ehlo,
                reply,
            } => reply.severity() == smtp::Severity::PermanentNegative,
            _ => false,
        };
        let in_the_clear = !self.is_tls && matches!(self.profile.tls, TlsUse::Clear | TlsUse::Opportunistic);
        is_for_ehlo && in_the_clear && self.profile.hello == Hello::Ehlo
    }
}

/// Takes down what happens in a conversation.
struct ConversationRecorder<'a> {
    #[cfg_attr(
        not(feature = "tracing"),
        expect(dead_code, reason = "only listeners ask where it happens")
    )]
    header: &'a AttemptHeader,
    meter: GroupMeter<'a>,
    /// Of the message's forms.
    sizes: Vec<Option<u64>>,
    message: &'a Message,
    /// What must not be written down, where there is something.
    redaction: Option<Redaction>,
    kept: &'a Kept,
    /// The last reply, as it came and as it is kept: it may be told of to thousands of recipients.
    last: Option<LastReply>,
    read_error: ReadError,
    conversation: Conversation,
}

/// Why a content cannot be read; known to whoever reads it first.
#[derive(Clone, Debug, Default)]
struct ReadError(Arc<Mutex<Option<LocalError>>>);

impl ReadError {
    fn take(&self) -> Option<LocalError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
        {
            let told = LocalError::of_data(error, "the content");
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
        }
        result
    }
}

/// A content that leaves word of what is wrong with it.
struct ErrorCapture {
    content: Box<dyn Read + Send>,
    read_error: ReadError,
}

impl Read for ErrorCapture {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_error.note(self.content.read(buffer))
    }
}

/// A reply as it came, and as it is kept.
struct LastReply {
    came: Arc<Reply>,
    in_auth: bool,
    kept: Arc<Reply>,
}

impl ConversationRecorder<'_> {
    /// A reply without secrets, and no more of it than a report has room for.
    fn kept(&mut self, stage: Option<ExchangeStage>, reply: Arc<Reply>) -> Arc<Reply> {
        let in_auth = stage == Some(ExchangeStage::Auth);
        if let Some(last) = &self.last
            && Arc::ptr_eq(&last.came, &reply)
            && last.in_auth == in_auth
        {
            return Arc::clone(&last.kept);
        }
        let came = Arc::clone(&reply);
        let redacted = match &self.redaction {
            Some(redaction) => redaction.reply(stage, reply),
            None => reply,
        };
        let kept = self.kept.reply(redacted);
        self.last = Some(LastReply {
            came,
            in_auth,
            kept: Arc::clone(&kept),
        });
        kept
    }
}

impl Observer for ConversationRecorder<'_> {
    fn event(&mut self, event: Event) {
        let event = event.map_replies(&mut |stage, reply| self.kept(stage, reply));
        #[cfg(feature = "tracing")]
        crate::delivery::trace::exchange(&self.header.host, self.header.address, &event);
        match event {
            Event::Sent { stage, .. } => self.kept.line(&mut self.conversation.dialogue, Line::Sent(stage)),
            Event::Received { stage, reply, .. } => {
                self.meter.pass(stage);
                self.kept
                    .line(&mut self.conversation.dialogue, Line::Received(stage, reply));
            }
            Event::Recipient { index, outcome, .. } => self.conversation.outcomes.push((index, outcome)),
            Event::Ready(capabilities) => {
                self.meter.reach(Stage::Mail);
                self.conversation.past_hello = true;
                self.conversation.capabilities = capabilities;
            }
            Event::DsnDropped(_) => self.conversation.dsn_dropped = true,
            Event::DeriveKey(_)
            | Event::Finished(_)
            | Event::NeedContent(_)
            | Event::OpenContent { .. }
            | Event::StartTls
            | Event::Closed => {}
        }
    }

    fn tls(&mut self, handshake: &Result<TlsFacts, TlsError>) {
        #[cfg(feature = "tracing")]
        crate::delivery::trace::handshake(&self.header.host, self.header.address, handshake);
        match handshake {
            Ok(facts) => self.conversation.tls = Some(facts.clone()),
            Err(error) => self.conversation.no_roots = matches!(error, TlsError::NoRoots(_)),
        }
    }

    fn content_failed(&mut self, error: &io::Error) {
        let mut told = self.read_error.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever read it has said more.
        told.get_or_insert_with(|| LocalError::of_data(error, "the content"));
    }

    fn open_content(&mut self, _tx: SubmissionId, form: usize) -> io::Result<ContentSource> {
        self.conversation.content_begun = true;
        self.meter.begin_content(self.sizes.get(form).copied().flatten());
        let message = self.message.clone();
        let read_error = self.read_error.clone();
        let open = move || -> io::Result<Box<dyn Read + Send>> {
            let content = read_error.note(message.open_form(form))?;
            Ok(Box::new(ErrorCapture { content, read_error }))
        };
        if self.message.is_in_memory() {
            open().map(ContentSource::InMemory)
        } else {
            Ok(ContentSource::Elsewhere(Box::new(open)))
        }
    }

    fn content_sent(&mut self, _tx: SubmissionId, octets: u64) {
        self.meter.content_sent(octets);
    }
}
