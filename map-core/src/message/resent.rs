//! `Resent-…`: a message given to the mail once more, as it is, by somebody who is not its author.

use super::address_list::write_addresses;
use super::error::BuildError;
use super::reference::write_ids;
use super::{Address, AddressList, MessageId, OriginationDate};
use crate::address::Mailbox;

/// Who sends a message once more, to whom and when: a set of `Resent-…` fields.
///
/// It stands before everything else in the header, a later set before an earlier one, and the envelope is its own: the
/// message goes to the recipients named here and to nobody else.
///
/// [RFC 5322 section 3.6.6](https://www.rfc-editor.org/rfc/rfc5322#section-3.6.6)
///
/// # Example
/// ```
/// use map_core::message::Resent;
///
/// let resent = Resent {
///     from: "Bob <bob@example.com>".parse()?,
///     to: "carol@example.com, dave@example.com".parse()?,
///     ..Resent::default()
/// };
/// # Ok::<(), map_core::message::AddressListError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Resent {
    /// Who resends it.
    pub from: AddressList,
    /// Who does it for them; required when they are several.
    pub sender: Option<Address>,
    /// To whom.
    pub to: AddressList,
    /// Who gets a copy.
    pub cc: AddressList,
    /// Who gets a copy that the others do not know of.
    pub bcc: AddressList,
    /// When; now if absent.
    pub date: Option<OriginationDate>,
    /// The identifier of this resending; made if absent.
    pub message_id: Option<MessageId>,
}

impl Resent {
    /// Who is told when it cannot be delivered, and who gets it.
    pub(super) fn envelope(&self) -> Result<(Mailbox, Vec<Mailbox>), BuildError> {
        let from = originator(&self.from, self.sender.as_ref(), "Resent-From")?;
        let to = recipients([&self.to, &self.cc, &self.bcc]);
        if to.is_empty() {
            return Err(BuildError::NoRecipient);
        }
        Ok((from, to))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let date = self.date.clone().unwrap_or_else(OriginationDate::now);
        out.extend_from_slice(format!("Resent-Date: {date}\r\n").as_bytes());
        write_addresses(out, "Resent-From", &self.from);
        if let Some(sender) = necessary_sender(&self.from, self.sender.as_ref()) {
            write_addresses(out, "Resent-Sender", &sender.clone().into());
        }
        write_addresses(out, "Resent-To", &self.to);
        write_addresses(out, "Resent-Cc", &self.cc);
        let author = || self.from.mailboxes().next().map(Mailbox::to_smtp);
        let made = || MessageId::generate(&author().unwrap_or_default());
        let id = self.message_id.clone().unwrap_or_else(made);
        write_ids(out, "Resent-Message-ID", &[id]);
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = &Mailbox> {
        let sender = self.sender.iter().map(|sender| &sender.mailbox);
        let lists = [&self.from, &self.to, &self.cc];
        lists.into_iter().flat_map(AddressList::mailboxes).chain(sender)
    }
}

/// Who sends: the one in Sender, or else the only one in From.
pub(super) fn originator(
    from: &AddressList,
    sender: Option<&Address>,
    field: &'static str,
) -> Result<Mailbox, BuildError> {
    if from.0.iter().any(|entry| matches!(entry, super::Entry::Group(_))) {
        return Err(BuildError::Group(field));
    }
    let mut authors = from.mailboxes();
    match (authors.next(), authors.next(), sender) {
        (None, _, _) => Err(BuildError::NoFrom(field)),
        (Some(_), _, Some(sender)) => Ok(sender.mailbox.clone()),
        (Some(author), None, None) => Ok(author.clone()),
        (Some(_), Some(_), None) => Err(BuildError::NoSender(field)),
    }
}

/// The sender, unless it is the author.
// https://www.rfc-editor.org/rfc/rfc5322#section-3.6.2
// > If the originator of the message can be indicated by a single mailbox and the author and transmitter are identical,
// > the "Sender:" field SHOULD NOT be used.
pub(super) fn necessary_sender<'a>(from: &AddressList, sender: Option<&'a Address>) -> Option<&'a Address> {
    let alone = from.addresses().count() == 1;
    sender.filter(|sender| !alone || from.mailboxes().any(|author| *author != sender.mailbox))
}

/// Every mailbox once, in the order of their first standing.
pub(super) fn recipients<'a>(lists: impl IntoIterator<Item = &'a AddressList>) -> Vec<Mailbox> {
    unique(lists.into_iter().flat_map(AddressList::mailboxes).cloned())
}

/// Every mailbox once, in the order of their first standing.
pub(super) fn unique(mailboxes: impl IntoIterator<Item = Mailbox>) -> Vec<Mailbox> {
    let mut seen = std::collections::HashSet::new();
    mailboxes
        .into_iter()
        .filter(|mailbox| seen.insert(mailbox.clone()))
        .collect()
}
