//! What a message wishes of the hosts that carry it: it stands in the envelope, and nothing of it in the content.

use super::Message;
use crate::address::{ForwardPath, Mailbox, ReversePath};
use crate::envelope::{EnvelopeId, EnvelopeParameters, EnvelopeRecipient, Notify, OriginalRecipient, Ret};
use std::collections::HashSet;
use std::sync::Arc;

/// Why there is no [message for some of the recipients](Message::for_recipients).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipientsError {
    /// Nobody was named.
    #[error("nobody is named that the message is to be sent to")]
    Nobody,
    /// This mailbox is none of the message's recipients.
    #[error("{0} is not a recipient of the message")]
    NotARecipient(String),
}

/// The wishes of a message. None is the default.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    null_reverse_path: bool,
    notify: Option<Notify>,
    originals: Vec<(Mailbox, OriginalRecipient)>,
    parameters: EnvelopeParameters,
}

/// What the hosts on the way are asked for.
///
/// Whether a mail was delivered, failed or waits can be told by delivery status notifications (DSN, [RFC
/// 3461](https://www.rfc-editor.org/rfc/rfc3461)), to the envelope's sender. A host that does not offer them is given the
/// message all the same, and the report warns of it.
///
/// # Example
/// ```
/// use map_core::message::Builder;
/// use map_core::envelope::{Notify, NotifyOn, Ret};
///
/// let message = Builder::new()
///     .from("anna@example.com".parse::<map_core::Mailbox>()?)
///     .to("bob@example.net".parse::<map_core::Mailbox>()?)
///     .text("Did you get this?".parse()?)
///     .build()?
///     .notify(Notify::On(NotifyOn::SUCCESS | NotifyOn::FAILURE))
///     .ret(Ret::Headers)
///     .envelope_id("question 17".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl Message {
    /// Gives it `<>` as its reverse-path: nobody is told when it cannot be delivered. That is for notifications and
    /// automatic answers, which must never be answered by another ([RFC 5321 section
    /// 4.5.5](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.5)).
    #[must_use]
    pub fn null_reverse_path(mut self) -> Self {
        self.wishes().null_reverse_path = true;
        self
    }

    /// Asks for notifications of each recipient: `NOTIFY`.
    #[must_use]
    pub fn notify(mut self, notify: Notify) -> Self {
        self.wishes().notify = Some(notify);
        self
    }

    /// Says for one recipient which address the sender wrote, where a list or an alias made another of it: `ORCPT`. It
    /// comes back in notifications. For a mailbox that is no recipient it counts for nothing.
    #[must_use]
    pub fn original_recipient(mut self, recipient: &Mailbox, original: OriginalRecipient) -> Self {
        let originals = &mut self.wishes().originals;
        originals.retain(|(known, _)| known != recipient);
        originals.push((recipient.clone(), original));
        self
    }

    /// Says how much of the message a notification of failure brings back: `RET`.
    #[must_use]
    pub fn ret(mut self, ret: Ret) -> Self {
        self.wishes().parameters.ret = Some(ret);
        self
    }

    /// Names it for notifications: `ENVID`.
    #[must_use]
    pub fn envelope_id(mut self, id: EnvelopeId) -> Self {
        self.wishes().parameters.envelope_id = Some(id);
        self
    }

    /// Demands verified TLS on the whole way to each recipient: `REQUIRETLS` ([RFC
    /// 8689](https://www.rfc-editor.org/rfc/rfc8689)). Where a host does not offer that, the message is not delivered; few
    /// hosts do.
    #[must_use]
    pub fn require_tls(mut self) -> Self {
        self.wishes().parameters.require_tls = true;
        self
    }

    /// The same message for some of its recipients: the same content and Message-ID, the same requests to the hosts, and
    /// an envelope that names these alone, in the order of the message and each once. The content names whom it named
    /// before, and no blind copies.
    ///
    /// It is how a message is sent again to those who do not have it yet. Whoever is left out gets no second copy.
    ///
    /// # Errors
    /// A mailbox that is no recipient of the message, or none at all.
    ///
    /// # Example
    /// ```
    /// use map_core::Agent;
    /// use map_core::message::{AddressList, Builder};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let message = Builder::new()
    ///     .from("anna@example.com".parse::<AddressList>()?)
    ///     .to("bob@example.net, carol@example.org".parse::<AddressList>()?)
    ///     .text("Hello.".parse()?)
    ///     .build()?;
    /// # let mut config = map_core::Config::default();
    /// # config.parse_dns_servers(["127.0.0.1:9"])?;
    /// # config.set_deadline(Some(std::time::Duration::from_millis(200)))?;
    /// # let agent = Agent::new(config);
    /// let report = agent.send_message(message.clone());
    /// // The report has the recipients in the order of the message.
    /// let pairs = message.recipients().iter().zip(report.recipients());
    /// let worth_it: Vec<_> = pairs.filter(|(_, fate)| fate.transient()).map(|(to, _)| to).collect();
    /// if !worth_it.is_empty() {
    ///     let rest = message.for_recipients(worth_it)?;
    ///     assert_eq!(rest.message_id(), message.message_id());
    ///     // After the longest retry_after of these: agent.send_message(rest)
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn for_recipients<'a>(
        &self,
        recipients: impl IntoIterator<Item = &'a Mailbox>,
    ) -> Result<Self, RecipientsError> {
        let wanted: HashSet<&Mailbox> = recipients.into_iter().collect();
        let known: HashSet<&Mailbox> = self.to.iter().collect();
        if let Some(stranger) = wanted.iter().find(|mailbox| !known.contains(*mailbox)) {
            return Err(RecipientsError::NotARecipient(stranger.to_string()));
        }
        if wanted.is_empty() {
            return Err(RecipientsError::Nobody);
        }
        let rest = self.to.iter().filter(|mailbox| wanted.contains(mailbox));
        Ok(Self {
            to: rest.cloned().collect(),
            ..self.clone()
        })
    }

    /// The argument of MAIL: [`from`](Self::from), unless it is to be [`<>`](Self::null_reverse_path).
    pub fn reverse_path(&self) -> ReversePath {
        if self.wishes.null_reverse_path {
            ReversePath::Null
        } else {
            ReversePath::Mailbox(self.from.clone())
        }
    }

    /// What goes with MAIL.
    pub(crate) fn envelope_parameters(&self) -> &EnvelopeParameters {
        &self.wishes.parameters
    }

    /// Something is wished of notifications.
    pub(crate) fn wishes_notifications(&self) -> bool {
        let Wishes {
            notify,
            originals,
            parameters,
            ..
        } = &*self.wishes;
        let of_all = parameters.ret.is_some() || parameters.envelope_id.is_some() || notify.is_some();
        of_all || !originals.is_empty()
    }

    /// The RCPT of one of its recipients.
    pub(crate) fn envelope_recipient(&self, recipient: &Mailbox) -> EnvelopeRecipient {
        let mut originals = self.wishes.originals.iter();
        EnvelopeRecipient {
            forward_path: ForwardPath(recipient.clone()),
            notify: self.wishes.notify,
            original: originals
                .find(|(known, _)| known == recipient)
                .map(|(_, original)| original.clone()),
        }
    }

    fn wishes(&mut self) -> &mut Wishes {
        Arc::make_mut(&mut self.wishes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Builder, Needs};
    use super::*;
    use crate::envelope::NotifyOn;

    fn message() -> Message {
        Builder::new()
            .from("a@x.example".parse::<Mailbox>().unwrap())
            .to("b@y.example, c@y.example"
                .parse::<super::super::AddressList>()
                .unwrap())
            .build()
            .unwrap()
    }

    #[test]
    fn nothing_is_wished_by_itself() {
        let message = message();
        let recipient = &message.recipients()[0];
        assert_eq!(message.envelope_parameters(), &EnvelopeParameters::default());
        let plain = EnvelopeRecipient::from(ForwardPath(recipient.clone()));
        assert_eq!(message.envelope_recipient(recipient), plain);
        assert_eq!(
            message.reverse_path(),
            ReversePath::Mailbox(message.from().clone())
        );
    }

    #[test]
    fn the_rest_of_the_recipients_get_the_same_message() {
        let recipients: super::super::AddressList = "b@y.example, c@y.example".parse().unwrap();
        let blind: super::super::AddressList = "d@y.example".parse().unwrap();
        let message = Builder::new()
            .from("a@x.example".parse::<Mailbox>().unwrap())
            .to(recipients)
            .bcc(blind)
            .text("Hello.".parse().unwrap())
            .build()
            .unwrap();
        let [b, c, d] = message.recipients() else { panic!() };
        let original: OriginalRecipient = "rfc822;list@z.example".parse().unwrap();
        let message = message
            .clone()
            .notify(Notify::Never)
            .original_recipient(d, original.clone())
            .null_reverse_path()
            .require_tls();
        let octets = |message: &Message| {
            let mut octets = String::new();
            std::io::Read::read_to_string(&mut message.open().unwrap(), &mut octets).unwrap();
            octets
        };
        // In the order of the message, and each once.
        let rest = message.for_recipients([d, b, d]).unwrap();
        assert_eq!(rest.recipients(), [b.clone(), d.clone()]);
        assert_eq!(rest.message_id(), message.message_id());
        assert_eq!(octets(&rest), octets(&message));
        assert!(!octets(&rest).contains("d@y.example"));
        assert_eq!(rest.envelope_parameters(), message.envelope_parameters());
        assert_eq!(rest.reverse_path(), ReversePath::Null);
        let of_d = rest.envelope_recipient(d);
        assert_eq!(
            (of_d.notify, of_d.original),
            (Some(Notify::Never), Some(original))
        );
        // Whoever was left out is no recipient any more.
        let error = rest.for_recipients([c]).unwrap_err();
        assert_eq!(error.to_string(), "c@y.example is not a recipient of the message");
        let nobody = rest.for_recipients([]).unwrap_err();
        assert_eq!(nobody, RecipientsError::Nobody);
        assert_eq!(
            message
                .for_recipients(message.recipients())
                .unwrap()
                .recipients()
                .len(),
            3
        );
    }

    #[test]
    fn wishes_stay_with_the_message() {
        let unwishing = message();
        let [b, c] = unwishing.recipients() else { panic!() };
        let notify = Notify::On(NotifyOn::SUCCESS | NotifyOn::DELAY);
        let original: OriginalRecipient = "rfc822;list@z.example".parse().unwrap();
        let message = unwishing
            .clone()
            .notify(Notify::Never)
            .notify(notify)
            .original_recipient(b, "rfc822;wrong@z.example".parse().unwrap())
            .original_recipient(b, original.clone())
            .ret(Ret::Full)
            .envelope_id("17".parse().unwrap())
            .require_tls()
            .null_reverse_path();
        let message = message.for_host(Needs::default()).unwrap();
        assert_eq!(message.reverse_path(), ReversePath::Null);
        assert_eq!(message.from(), unwishing.from());
        let parameters = EnvelopeParameters {
            ret: Some(Ret::Full),
            envelope_id: Some("17".parse().unwrap()),
            require_tls: true,
        };
        assert_eq!(message.envelope_parameters(), &parameters);
        let of_b = message.envelope_recipient(b);
        assert_eq!((of_b.notify, of_b.original), (Some(notify), Some(original)));
        let of_c = message.envelope_recipient(c);
        assert_eq!((of_c.notify, of_c.original), (Some(notify), None));
        // The one that they were added to has none.
        assert_eq!(unwishing.envelope_parameters(), &EnvelopeParameters::default());
    }
}
