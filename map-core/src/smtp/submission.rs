//! What the caller submitted: its recipients, what became of each, and which of them the next transaction takes.

use super::capabilities::Capabilities;
use super::parameters::{MailParameters, RcptParameters};
use super::session_end::SessionEnd;
use super::{
    BodyInfo, Chunking, ConnectionFailure, Event, ExchangeStage, Outcome, Reply, ReplyCode, Severity,
    SubmissionId, Unsupported,
};
use crate::address::{ForwardPath, MailboxDomain, ReversePath};
use crate::envelope::BodyType;
use crate::envelope::{BodyForm, Envelope, EnvelopeRecipient};
use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;

/// RFC 5321 section 4.5.3.1.8, <https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.8>:
/// > The minimum total number of recipients that MUST be buffered is 100 recipients.
const MAX_RECIPIENTS: usize = 100;
/// Octets of the replies that put recipients off and are kept until they have their turn. A server chooses how long they
/// are, and there may be thousands of them.
const REFUSALS: usize = 256 * 1024;
/// Octets of one such reply that are kept when there is no more room: what is quoted of it.
const REFUSAL: usize = 256;
/// A content of so many octets goes by BDAT where the caller leaves it to us.
const LARGE: u64 = 16 * 1024 * 1024;

/// A submission and how far each of its recipients is.
///
/// It is served in mail transactions: the first takes as many recipients as a host
/// may be given at once, and the next those whom the first left over, or could not take.
#[derive(Debug)]
pub(super) struct Submission {
    id: SubmissionId,
    envelope: Envelope,
    body: BodyInfo,
    /// By index in the envelope.
    turns: Vec<RecipientState>,
    /// How many of them have no outcome.
    open: usize,
    /// All before this one have theirs: with thousands of recipients, and few in a transaction, nobody is to be looked at
    /// in every transaction.
    first_open: usize,
    /// Those whose turn it was when their transaction began.
    in_turn: Vec<usize>,
    /// Of the body's forms, the one for this host.
    form: usize,
    offers: Offers,
    /// Recipients of one transaction, at most.
    room: usize,
    /// Domains of recipients of one transaction, at most.
    domains: usize,
    /// The same, as the server has announced it.
    announced_domains: usize,
    /// Of each recipient the first one of its domain, by index; found out where domains are limited.
    firsts: Vec<usize>,
    /// What defers a recipient beside one of another domain may mean how many domains there are.
    may_count_domains: bool,
    /// A limit of domains that was inferred has turned out not to be one.
    is_limit_lifted: bool,
    /// The server has answered a transaction of it to the end.
    served: bool,
    /// The server has accepted one of its recipients.
    welcome: bool,
    /// It was told that notifications are not asked for any more.
    told_of_dsn: bool,
    /// Octets of the replies that are kept of those who were put off.
    refusals: usize,
}

/// How far one recipient is.
#[derive(Clone, Debug)]
enum RecipientState {
    /// In a transaction to come, or in one whose MAIL is not accepted yet; with the refusal that put it off, if it was
    /// one too many.
    ToCome(Option<PutOff>),
    /// In the transaction whose MAIL was accepted: it shares its fate, unless its RCPT is refused.
    Now,
    /// Its outcome is told.
    Over,
}

/// The refusal of a RCPT that was not the last word.
#[derive(Clone, Debug)]
enum PutOff {
    /// It was one too many.
    TooManyRecipients(Arc<Reply>),
    /// It was of another domain than those before it.
    OtherDomain(Arc<Reply>),
}

impl PutOff {
    /// No other turn came.
    fn outcome(&self) -> Outcome {
        match self {
            Self::TooManyRecipients(reply) => Outcome::TooManyRecipients(Arc::clone(reply)),
            Self::OtherDomain(reply) => Outcome::Refused {
                stage: ExchangeStage::Rcpt,
                reply: Arc::clone(reply),
            },
        }
    }
}

/// What the server can be told beyond what it must be.
#[derive(Clone, Copy, Debug, Default)]
struct Offers {
    size: bool,
    dsn: bool,
    chunking: bool,
}

impl Submission {
    pub(super) fn new(id: SubmissionId, envelope: Envelope, body: BodyInfo) -> Self {
        let open = envelope.recipients.len();
        Self {
            id,
            envelope,
            body,
            turns: vec![RecipientState::ToCome(None); open],
            open,
            first_open: 0,
            in_turn: Vec::new(),
            form: 0,
            offers: Offers::default(),
            room: MAX_RECIPIENTS,
            domains: usize::MAX,
            announced_domains: usize::MAX,
            firsts: Vec::new(),
            may_count_domains: true,
            is_limit_lifted: false,
            served: false,
            welcome: false,
            told_of_dsn: false,
            refusals: 0,
        }
    }

    pub(super) fn id(&self) -> SubmissionId {
        self.id
    }

    pub(super) fn reverse_path(&self) -> &ReversePath {
        &self.envelope.reverse_path
    }

    pub(super) fn forward_path(&self, index: usize) -> Option<&ForwardPath> {
        Some(&self.envelope.recipients.get(index)?.forward_path)
    }

    /// The submission ends without having begun.
    pub(super) fn end(&mut self, outcome: &Outcome, events: &mut VecDeque<Event>) {
        self.finish_if_empty(events);
        self.decide_all(outcome, events);
    }

    /// A submission without recipients is finished as soon as it is looked at.
    fn finish_if_empty(&self, events: &mut VecDeque<Event>) {
        if self.turns.is_empty() {
            events.push_back(Event::Finished(self.id));
        }
    }

    /// Fits the submission to what the server offers: some recipients, or all, may get their outcome here.
    pub(super) fn plan(&mut self, capabilities: &Capabilities, events: &mut VecDeque<Event>) {
        self.finish_if_empty(events);
        if self.envelope.parameters.require_tls && !capabilities.require_tls {
            // RFC 8689 section 4.2.1, https://www.rfc-editor.org/rfc/rfc8689#section-4.2.1: such a message goes over
            // a verified session to a server that offers REQUIRETLS there, or not at all.
            self.decide_all(&Outcome::Unsupported(Unsupported::NeedsRequireTls), events);
        }
        match self.choose_form(capabilities) {
            Ok(form) => self.form = form,
            Err(unsupported) => self.decide_all(&Outcome::Unsupported(unsupported), events),
        }
        if !capabilities.smtputf8 {
            for index in 0..self.turns.len() {
                if self.sender_needs_utf8() || self.recipient_needs_utf8(index) {
                    self.decide(index, Outcome::Unsupported(Unsupported::NeedsSmtpUtf8), events);
                }
            }
        }
        self.offers = Offers {
            size: capabilities.size.is_some(),
            dsn: capabilities.dsn,
            chunking: capabilities.chunking,
        };
        let limit = |limit: Option<NonZeroU32>| limit.and_then(|limit| usize::try_from(limit.get()).ok());
        self.room =
            limit(capabilities.limits.rcpt_max).map_or(MAX_RECIPIENTS, |limit| limit.min(MAX_RECIPIENTS));
        self.announced_domains = limit(capabilities.limits.rcpt_domain_max).unwrap_or(usize::MAX);
        self.domains = self.announced_domains;
    }

    /// The first form that the server can take, or why it can take none.
    fn choose_form(&self, capabilities: &Capabilities) -> Result<usize, Unsupported> {
        let fits = |form: &BodyForm| {
            capabilities.takes(form.needs.body_type) && (capabilities.smtputf8 || !form.needs.smtputf8)
        };
        let limit = capabilities.size_limit().unwrap_or(u64::MAX);
        let is_small = |form: &BodyForm| form.size.is_none_or(|size| size <= limit);
        let by_bdat = |form: &BodyForm| form.needs.body_type == BodyType::Binary;
        let any = [BodyForm::default()];
        let forms: &[BodyForm] = if self.body.forms.is_empty() {
            &any
        } else {
            &self.body.forms
        };
        let first = |fits: &dyn Fn(&BodyForm) -> bool| forms.iter().position(fits);
        let avoided = || first(&|form| fits(form) && is_small(form) && !by_bdat(form));
        let avoided = (self.body.chunking == Chunking::Avoid).then(avoided).flatten();
        if let Some(form) = avoided.or_else(|| first(&|form| fits(form) && is_small(form))) {
            return Ok(form);
        }
        // RFC 1870 section 4, https://www.rfc-editor.org/rfc/rfc1870#section-4
        // > Any attempt by a client to transfer a message which is larger than this fixed upper limit will
        // > fail.
        if let Some(BodyForm { size: Some(size), .. }) = forms.iter().find(|form| fits(form)) {
            return Err(Unsupported::TooLarge { size: *size, limit });
        }
        // What the least demanding form needs is what there is no way around.
        let needs = forms.last().copied().unwrap_or_default().needs;
        if needs.smtputf8 && !capabilities.smtputf8 {
            Err(Unsupported::NeedsSmtpUtf8)
        } else {
            Err(Unsupported::NeedsBodyType(needs.body_type))
        }
    }

    fn sender_needs_utf8(&self) -> bool {
        match self.reverse_path() {
            ReversePath::Mailbox(mailbox) => mailbox.needs_smtputf8(),
            ReversePath::Null => false,
        }
    }

    fn recipient_needs_utf8(&self, index: usize) -> bool {
        self.forward_path(index)
            .is_some_and(|path| path.0.needs_smtputf8())
    }

    /// Which of the body's forms is sent, as an index.
    pub(super) fn form(&self) -> usize {
        self.form
    }

    fn chosen(&self) -> BodyForm {
        self.body.forms.get(self.form).copied().unwrap_or_default()
    }

    pub(super) fn body_type(&self) -> BodyType {
        self.chosen().needs.body_type
    }

    /// True when the content goes by BDAT.
    pub(super) fn goes_by_bdat(&self) -> bool {
        let form = self.chosen();
        let is_asked_for = match self.body.chunking {
            Chunking::Auto => form.size.is_some_and(|size| size >= LARGE),
            Chunking::Avoid => false,
            Chunking::Prefer => true,
        };
        self.offers.chunking && (is_asked_for || form.needs.body_type == BodyType::Binary)
    }

    /// For the MAIL of a transaction with these recipients.
    pub(super) fn mail_parameters(&self, recipients: &[usize]) -> MailParameters {
        let form = self.chosen();
        let wishes = &self.envelope.parameters;
        let dsn = self.offers.dsn;
        MailParameters {
            body: form.needs.body_type,
            smtputf8: form.needs.smtputf8
                || self.sender_needs_utf8()
                || recipients.iter().any(|index| self.recipient_needs_utf8(*index)),
            require_tls: wishes.require_tls,
            size: form.size.filter(|_| self.offers.size),
            ret: wishes.ret.filter(|_| dsn),
            envelope_id: wishes.envelope_id.clone().filter(|_| dsn),
        }
    }

    /// RFC 3461 section 5.2.2, <https://www.rfc-editor.org/rfc/rfc3461#section-5.2.2>: a host that does not offer DSN
    /// is sent the message without what is asked of it.
    pub(super) fn rcpt_parameters(&self, index: usize) -> RcptParameters<'_> {
        match self.envelope.recipients.get(index) {
            Some(recipient) if self.offers.dsn => RcptParameters {
                notify: recipient.notify,
                original: recipient.original.as_ref(),
            },
            _ => RcptParameters::default(),
        }
    }

    /// The server refused a command for its parameters: from now on it is told only what it must be.
    pub(super) fn drop_optional_parameters(&mut self, events: &mut VecDeque<Event>) {
        self.tell_of_dsn(events);
        self.offers.size = false;
        self.offers.dsn = false;
    }

    /// Notifications are wished for, and from the next transaction on not asked for any more.
    fn tell_of_dsn(&mut self, events: &mut VecDeque<Event>) {
        let Envelope {
            recipients,
            parameters,
            ..
        } = &self.envelope;
        let of_all = parameters.ret.is_some() || parameters.envelope_id.is_some();
        let of_one =
            |recipient: &EnvelopeRecipient| recipient.notify.is_some() || recipient.original.is_some();
        if self.offers.dsn && !self.told_of_dsn && (of_all || recipients.iter().any(of_one)) {
            self.told_of_dsn = true;
            events.push_back(Event::DsnDropped(self.id));
        }
    }

    /// The recipients of the next transaction; empty if nobody waits for one.
    pub(super) fn next_transaction(&mut self) -> Vec<usize> {
        let are_domains_limited = self.domains < usize::MAX;
        if are_domains_limited && self.firsts.is_empty() {
            self.firsts = firsts_of_domains(&self.envelope.recipients);
        }
        let mut domains = Vec::new();
        let mut recipients = Vec::new();
        for (index, turn) in self.turns.iter().enumerate().skip(self.first_open) {
            if recipients.len() >= self.room {
                break;
            }
            if !matches!(turn, RecipientState::ToCome(_)) {
                continue;
            }
            if are_domains_limited {
                let domain = self.firsts.get(index).copied().unwrap_or(index);
                if !domains.contains(&domain) {
                    if domains.len() >= self.domains {
                        continue;
                    }
                    domains.push(domain);
                }
            }
            recipients.push(index);
        }
        recipients
    }

    /// True when no recipient of `others` is of this one's domain.
    pub(super) fn is_of_other_domain(&self, index: usize, others: &[usize]) -> bool {
        let domain = |index: usize| self.forward_path(index).map(|path| path.0.domain());
        let domain_of_this = domain(index);
        others.iter().all(|other| domain(*other) != domain_of_this)
    }

    /// So many domains the host takes at once, as it seems.
    pub(super) fn limit_domains(&mut self, domains: usize) {
        self.domains = self.domains.min(domains.max(1));
    }

    /// Within the limit of domains that was inferred, nobody was accepted: so others may have been deferred for
    /// themselves. Once only, or a host could have each of them named in every transaction.
    pub(super) fn doubt_limit_of_domains(&mut self) {
        if self.domains < self.announced_domains && !self.is_limit_lifted {
            self.is_limit_lifted = true;
            self.domains = self.announced_domains;
        }
    }

    /// The host defers some domains and takes others after them: who is deferred again is so for itself.
    pub(super) fn set_domains_do_not_count(&mut self) {
        self.may_count_domains = false;
    }

    /// False when it is known that the host does not defer recipients for the domains of others.
    pub(super) fn may_count_domains(&self) -> bool {
        self.may_count_domains
    }

    /// So many recipients the host takes at once, as it turned out.
    pub(super) fn limit_room(&mut self, recipients: usize) {
        self.room = recipients.max(1);
    }

    /// MAIL was accepted for a transaction.
    pub(super) fn begin_turns(&mut self, recipients: &[usize]) {
        let turns = &self.turns;
        self.in_turn
            .retain(|index| matches!(turns.get(*index), Some(RecipientState::Now)));
        for index in recipients {
            if let Some(turn @ RecipientState::ToCome(_)) = self.turns.get_mut(*index) {
                *turn = RecipientState::Now;
                self.in_turn.push(*index);
            }
        }
    }

    /// This recipient was one too many: it takes part in another transaction.
    pub(super) fn put_off_as_one_too_many(&mut self, index: usize, refusal: &Arc<Reply>) {
        let refusal = PutOff::TooManyRecipients(self.kept(refusal));
        self.put_off(index, Some(refusal));
    }

    /// This recipient was deferred beside one of another domain: it takes part in another transaction.
    pub(super) fn put_off_for_its_domain(&mut self, index: usize, refusal: &Arc<Reply>) {
        let refusal = PutOff::OtherDomain(self.kept(refusal));
        self.put_off(index, Some(refusal));
    }

    /// A refusal, or the beginning of it where there is no more room.
    fn kept(&mut self, refusal: &Arc<Reply>) -> Arc<Reply> {
        let octets: usize = refusal.lines.iter().map(Vec::len).sum();
        if self.refusals + octets <= REFUSALS || octets <= REFUSAL {
            self.refusals = self.refusals.saturating_add(octets);
            Arc::clone(refusal)
        } else {
            Arc::new(refusal.beginning(REFUSAL))
        }
    }

    /// This recipient was refused for what we said after it, which says nothing of it: it takes part in another transaction.
    pub(super) fn put_off_for_parameters(&mut self, index: usize, events: &mut VecDeque<Event>) {
        // Now, and not when they are dropped: the session may end before.
        self.tell_of_dsn(events);
        self.put_off(index, None);
    }

    fn put_off(&mut self, index: usize, refusal: Option<PutOff>) {
        if let Some(turn @ RecipientState::Now) = self.turns.get_mut(index) {
            *turn = RecipientState::ToCome(refusal);
        }
    }

    /// A recipient was accepted.
    pub(super) fn mark_recipient_accepted(&mut self) {
        self.welcome = true;
    }

    /// The server has accepted one of its recipients, in whatever transaction.
    pub(super) fn is_welcome(&self) -> bool {
        self.welcome
    }

    /// The server answered a transaction to its end, whatever it said.
    pub(super) fn set_served(&mut self) {
        self.served = true;
    }

    /// MAIL was refused.
    ///
    /// The same MAIL was accepted before if a transaction was served: then it is the session that takes no more, and not the
    /// message that is refused.
    pub(super) fn refuse_mail(&mut self, reply: &Arc<Reply>, events: &mut VecDeque<Event>) {
        for index in 0..self.turns.len() {
            let outcome = match self.turns.get(index) {
                Some(RecipientState::ToCome(Some(refusal))) => refusal.outcome(),
                Some(RecipientState::ToCome(None)) if self.served => Outcome::NotAttempted,
                _ => Outcome::Refused {
                    stage: ExchangeStage::Mail,
                    reply: Arc::clone(reply),
                },
            };
            self.decide(index, outcome, events);
        }
    }

    /// The host has said that it takes no more mail transactions in this session.
    pub(super) fn leave_unserved(&mut self, events: &mut VecDeque<Event>) {
        for index in 0..self.turns.len() {
            let outcome = match self.turns.get(index) {
                Some(RecipientState::ToCome(Some(refusal @ PutOff::OtherDomain(_)))) => refusal.outcome(),
                Some(RecipientState::ToCome(_)) => Outcome::NotAttempted,
                _ => continue,
            };
            self.decide(index, outcome, events);
        }
    }

    /// The session ends. `transaction` is what that means for those whose transaction it was; `past_mail`: its MAIL was
    /// accepted, so that the others had no part in it.
    pub(super) fn end_session(
        &mut self,
        end: &SessionEnd,
        transaction: &Outcome,
        past_mail: bool,
        events: &mut VecDeque<Event>,
    ) {
        let for_bystander = end.for_bystander();
        let is_for_another_session = match end {
            SessionEnd::Lost(why) => {
                self.served && matches!(why, ConnectionFailure::Closed | ConnectionFailure::Reset(_))
            }
            SessionEnd::Refused { .. } => self.served,
            SessionEnd::NoBdat(_) => true,
            SessionEnd::Unexpected { .. } => false,
        };
        let is_our_choice = matches!(
            end,
            SessionEnd::Lost(ConnectionFailure::Aborted(_)) | SessionEnd::NoBdat(_)
        );
        for index in 0..self.turns.len() {
            let outcome = match self.turns.get(index) {
                None | Some(RecipientState::Over) => continue,
                Some(RecipientState::ToCome(Some(refusal))) if !is_our_choice => refusal.outcome(),
                Some(RecipientState::ToCome(_)) if is_for_another_session => Outcome::NotAttempted,
                Some(RecipientState::ToCome(_)) if past_mail => for_bystander.clone(),
                Some(RecipientState::ToCome(_) | RecipientState::Now) => transaction.clone(),
            };
            self.decide(index, outcome, events);
        }
    }

    /// True when every recipient has its outcome.
    pub(super) fn is_decided(&self) -> bool {
        self.open == 0
    }

    /// Everybody whose turn it is gets this outcome.
    pub(super) fn decide_transaction(&mut self, outcome: &Outcome, events: &mut VecDeque<Event>) {
        for index in std::mem::take(&mut self.in_turn) {
            if matches!(self.turns.get(index), Some(RecipientState::Now)) {
                self.decide(index, outcome.clone(), events);
            }
        }
    }

    /// Every recipient without an outcome gets this one.
    pub(super) fn decide_all(&mut self, outcome: &Outcome, events: &mut VecDeque<Event>) {
        for index in 0..self.turns.len() {
            self.decide(index, outcome.clone(), events);
        }
    }

    /// The one place where an outcome is told, so that it is told once, and `Finished` after the last.
    pub(super) fn decide(&mut self, index: usize, outcome: Outcome, events: &mut VecDeque<Event>) {
        let Some(turn) = self.turns.get_mut(index) else {
            return;
        };
        if matches!(
            std::mem::replace(turn, RecipientState::Over),
            RecipientState::Over
        ) {
            return;
        }
        self.open = self.open.saturating_sub(1);
        while matches!(self.turns.get(self.first_open), Some(RecipientState::Over)) {
            self.first_open += 1;
        }
        events.push_back(Event::Recipient {
            tx: self.id,
            index,
            outcome,
        });
        if self.is_decided() {
            events.push_back(Event::Finished(self.id));
        }
    }
}

fn firsts_of_domains(recipients: &[EnvelopeRecipient]) -> Vec<usize> {
    let mut known: HashMap<&MailboxDomain, usize> = HashMap::new();
    let recipients = recipients.iter().enumerate();
    recipients
        .map(|(index, recipient)| *known.entry(recipient.forward_path.0.domain()).or_insert(index))
        .collect()
}

/// RFC 5321 section 4.1.1.11, <https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.11>, names 555; servers
/// that do not know a parameter at all answer 501 or 504.
pub(super) fn names_a_parameter(code: ReplyCode) -> bool {
    matches!(
        code,
        ReplyCode::PARAMETER_SYNTAX | ReplyCode::PARAMETER_NOT_IMPLEMENTED | ReplyCode::MAIL_PARAMETERS
    )
}

/// Too many recipients, when others were accepted before it.
///
/// RFC 5321 section 4.5.3.1.10, <https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.10>:
/// > Clients SHOULD treat a 552 code in this case as a temporary, rather than permanent, failure
///
/// 452 and 552 are also said of a full mailbox and of a message that is too large; then the enhanced status code, if
/// there is one, says so.
pub(super) fn says_too_many_recipients(reply: &Reply) -> bool {
    let status = reply.enhanced.map(|status| (status.subject, status.detail));
    match reply.code {
        ReplyCode::INSUFFICIENT_STORAGE => matches!(status, None | Some((5, 3))),
        ReplyCode::STORAGE_EXCEEDED => !matches!(status, Some((2, _) | (3, 4))),
        _ => false,
    }
}

/// What RFC 3030 leaves of a server that offers BDAT and answers the first one so: it does not know it.
pub(super) fn does_not_know_bdat(reply: &Reply) -> bool {
    reply.severity() == Severity::PermanentNegative && (500..=504).contains(&reply.code.0)
}
