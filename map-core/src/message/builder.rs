//! The builder: from what a person has to say to a [`Message`].

use super::address_list::{write_addresses, write_phrases};
use super::error::BuildError;
use super::header::write_field;
use super::multipart::Multipart;
use super::needs::{Demands, Reason};
use super::part::{ComposeTarget, Disposition, Part};
use super::reference::write_ids;
use super::resent::{necessary_sender, originator, recipients};
use super::sign::domains;
use super::unstructured::write_text;
use super::{
    Address, AddressList, Content, DisplayName, Field, Form, Message, MessageId, OriginationDate,
    ReferenceId, Resent, Subject,
};
use crate::address::Mailbox;
use crate::envelope::BodyType;
use mail_builder::headers::raw::Raw;
use std::collections::HashSet;
use std::sync::Arc;

/// Builds a [`Message`]. See the [module](super) for how it is used.
///
/// What can be wrong with a piece is said by the type of the piece when it is parsed; [`build`](Self::build) says what
/// is wrong with the whole. A method that takes a list adds to what is there.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Builder {
    envelope_from: Option<Mailbox>,
    from: AddressList,
    sender: Option<Address>,
    reply_to: AddressList,
    to: AddressList,
    cc: AddressList,
    bcc: AddressList,
    subject: Option<Subject>,
    date: Option<OriginationDate>,
    message_id: Option<MessageId>,
    in_reply_to: Vec<ReferenceId>,
    references: Vec<ReferenceId>,
    comments: Vec<Subject>,
    keywords: Vec<DisplayName>,
    fields: Vec<Field>,
    /// The oldest first.
    resent: Vec<Resent>,
    body_type: BodyType,
    text: Option<Content>,
    html: Option<Content>,
    inline: Vec<Part>,
    body: Option<Part>,
    attachments: Vec<Part>,
}

impl Builder {
    /// A message that says nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// `From:` who has written it. Several need a [`sender`](Self::sender).
    pub fn from(mut self, from: impl Into<AddressList>) -> Self {
        self.from.extend(from.into());
        self
    }

    /// `Sender:` who sends it for those who have written it. It is left out where it is the only one of these.
    pub fn sender(mut self, sender: impl Into<Address>) -> Self {
        self.sender = Some(sender.into());
        self
    }

    /// `Reply-To:` whom to answer.
    pub fn reply_to(mut self, reply_to: impl Into<AddressList>) -> Self {
        self.reply_to.extend(reply_to.into());
        self
    }

    /// `To:` whom it is for.
    pub fn to(mut self, to: impl Into<AddressList>) -> Self {
        self.to.extend(to.into());
        self
    }

    /// `Cc:` who gets a copy.
    pub fn cc(mut self, cc: impl Into<AddressList>) -> Self {
        self.cc.extend(cc.into());
        self
    }

    /// Who gets a copy without the others' knowing. It is in the envelope and never in the message.
    pub fn bcc(mut self, bcc: impl Into<AddressList>) -> Self {
        self.bcc.extend(bcc.into());
        self
    }

    /// Whom the mail hosts tell when they cannot deliver it; the sender if this is not called.
    pub fn envelope_from(mut self, mailbox: Mailbox) -> Self {
        self.envelope_from = Some(mailbox);
        self
    }

    /// `Subject:` what it is about.
    pub fn subject(mut self, subject: Subject) -> Self {
        self.subject = Some(subject);
        self
    }

    /// `Date:` when it was written; now if this is not called.
    pub fn date(mut self, date: OriginationDate) -> Self {
        self.date = Some(date);
        self
    }

    /// `Message-ID:`; made if this is not called.
    pub fn message_id(mut self, id: MessageId) -> Self {
        self.message_id = Some(id);
        self
    }

    /// `In-Reply-To:` what it answers.
    pub fn in_reply_to(mut self, ids: impl IntoIterator<Item = ReferenceId>) -> Self {
        self.in_reply_to.extend(ids);
        self
    }

    /// `References:` the thread it belongs to: the references of what it answers, and that one's `Message-ID` last.
    pub fn references(mut self, ids: impl IntoIterator<Item = ReferenceId>) -> Self {
        self.references.extend(ids);
        self
    }

    /// `Comments:` a remark about the message; each call is a field of its own.
    pub fn comments(mut self, comments: Subject) -> Self {
        self.comments.push(comments);
        self
    }

    /// `Keywords:` words to find it by.
    pub fn keywords(mut self, keywords: impl IntoIterator<Item = DisplayName>) -> Self {
        self.keywords.extend(keywords);
        self
    }

    /// A header field of one's own.
    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// Sends the message once more in somebody's name. Called again, it goes on from there: the last set stands first in
    /// the header, and says who gets the message.
    pub fn resent(mut self, resent: Resent) -> Self {
        self.resent.push(resent);
        self
    }

    /// The plain text.
    pub fn text(mut self, text: Content) -> Self {
        self.text = Some(text);
        self
    }

    /// The same in HTML. With a plain text beside it a reader shows what it can.
    pub fn html(mut self, html: Content) -> Self {
        self.html = Some(html);
        self
    }

    /// Something that stands in the HTML, which refers to it by its [`content_id`](Part::content_id).
    pub fn inline(mut self, part: Part) -> Self {
        self.inline.push(part);
        self
    }

    /// An attachment.
    pub fn attach(mut self, part: Part) -> Self {
        self.attachments.push(part);
        self
    }

    /// A body of one's own making, in place of text and HTML.
    pub fn body(mut self, body: Part) -> Self {
        self.body = Some(body);
        self
    }

    /// What bodies may be left as they are for a host that takes it: with [`BodyType::EightBit`] texts, with
    /// [`BodyType::Binary`] data too. [`Message::for_host`] gives the encoded form for any other host.
    pub fn body_type(mut self, body_type: BodyType) -> Self {
        self.body_type = body_type;
        self
    }

    /// Sets the `Date` and the `Message-ID` now where they are missing, so that everything that is built from copies of this
    /// is one message.
    pub fn settled(mut self) -> Self {
        self.date.get_or_insert_with(OriginationDate::now);
        if let (None, Ok(author)) = (
            &self.message_id,
            originator(&self.from, self.sender.as_ref(), "From"),
        ) {
            self.message_id = Some(MessageId::generate(&author.to_smtp()));
        }
        self
    }

    /// Puts it together. Texts are looked through, those in files too, and nothing else is read.
    ///
    /// # Errors
    /// What is missing or does not fit together.
    pub fn build(mut self) -> Result<Message, BuildError> {
        let author = originator(&self.from, self.sender.as_ref(), "From")?;
        let (from, to) = match self.resent.last() {
            Some(last) => last.envelope()?,
            None => (author.clone(), recipients([&self.to, &self.cc, &self.bcc])),
        };
        if to.is_empty() {
            return Err(BuildError::NoRecipient);
        }
        for resent in &self.resent {
            resent.envelope()?;
        }
        let body = self.take_body()?;
        let id = self
            .message_id
            .take()
            .unwrap_or_else(|| MessageId::generate(&author.to_smtp()));
        let from = self.envelope_from.take().unwrap_or(from);
        let addresses = self.addresses_demand(&from);
        let header = self.header(&id);

        let form = |target| -> Result<Form, BuildError> {
            let composed = body.compose(target)?;
            let mut demands = addresses.clone();
            demands.add(composed.demands);
            let header = [header.as_slice(), &composed.header, b"\r\n"].concat();
            Ok(Form {
                header: header.into(),
                body: composed.body,
                demands,
            })
        };
        let first = form(ComposeTarget {
            body_type: self.body_type,
            wished: BodyType::Binary,
            depth: 0,
        })?;
        // What a host gets that does not take the first.
        let mut lesser: Vec<Arc<Form>> = Vec::new();
        let mut least = first.demands.body_type();
        for offered in [BodyType::EightBit, BodyType::SevenBit] {
            if offered < least {
                let other = form(ComposeTarget {
                    body_type: offered.min(self.body_type),
                    wished: offered,
                    depth: 0,
                })?;
                if other.demands.body_type() < least {
                    least = other.demands.body_type();
                    lesser.push(Arc::new(other));
                }
            }
        }
        // After composing, which refuses what is nested too deeply.
        let mut warnings = Vec::new();
        body.warnings(&mut warnings);
        Ok(Message {
            from,
            to: to.into(),
            id: id.as_str().into(),
            author_domains: domains(self.from.mailboxes()),
            form: Arc::new(first),
            lesser: lesser.into(),
            warnings: warnings.into(),
            wishes: Arc::default(),
            depth: body.depth(),
        })
    }

    /// The one part that the body is.
    fn take_body(&mut self) -> Result<Part, BuildError> {
        let inline = std::mem::take(&mut self.inline);
        let attachments = std::mem::take(&mut self.attachments);
        check_content_ids(&inline)?;
        let text = self.text.take().map(Part::text);
        let html = self.html.take().map(Part::html);
        if html.is_none() && !inline.is_empty() {
            return Err(BuildError::InlineWithoutHtml);
        }
        let html = html.map(|html| {
            if inline.is_empty() {
                return html;
            }
            let shown = inline
                .into_iter()
                .map(|part| presented(part, Disposition::Inline));
            Part::multipart(Multipart::Related, std::iter::once(html).chain(shown))
        });
        let body = match (self.body.take(), text, html) {
            (Some(body), None, None) => Some(body),
            (Some(_), _, _) => return Err(BuildError::TwoBodies),
            (None, Some(text), Some(html)) => Some(Part::multipart(Multipart::Alternative, [text, html])),
            (None, text, html) => text.or(html),
        };
        if attachments.is_empty() {
            return Ok(body.unwrap_or_else(|| Part::text(Content::empty())));
        }
        let attached = attachments
            .into_iter()
            .map(|part| presented(part, Disposition::Attachment));
        Ok(Part::multipart(
            Multipart::Mixed,
            body.into_iter().chain(attached),
        ))
    }

    /// Everything but what describes the body.
    fn header(&self, id: &MessageId) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        for resent in self.resent.iter().rev() {
            resent.write(&mut out);
        }
        let date = self.date.clone().unwrap_or_else(OriginationDate::now);
        write_field(&mut out, "Date", &Raw::new(date.to_string()));
        write_addresses(&mut out, "From", &self.from);
        if let Some(sender) = necessary_sender(&self.from, self.sender.as_ref()) {
            write_addresses(&mut out, "Sender", &sender.clone().into());
        }
        write_addresses(&mut out, "Reply-To", &self.reply_to);
        if self.to.is_empty() && self.cc.is_empty() {
            // Legal without, and yet taken for a mark of spam.
            out.extend_from_slice(b"To: undisclosed-recipients:;\r\n");
        }
        write_addresses(&mut out, "To", &self.to);
        write_addresses(&mut out, "Cc", &self.cc);
        if let Some(subject) = &self.subject {
            write_text(&mut out, "Subject", subject.as_str());
        }
        write_ids(&mut out, "Message-ID", std::slice::from_ref(id));
        write_ids(&mut out, "In-Reply-To", &self.in_reply_to);
        write_ids(&mut out, "References", &self.references);
        for comments in &self.comments {
            write_text(&mut out, "Comments", comments.as_str());
        }
        write_phrases(&mut out, "Keywords", &self.keywords);
        for field in &self.fields {
            field.write(&mut out);
        }
        write_field(&mut out, "MIME-Version", &Raw::new("1.0"));
        out
    }

    /// SMTPUTF8, for the first address that needs it of every host: the sender's in the envelope, and those in the header.
    /// A blind copy needs it of its own host only.
    fn addresses_demand(&self, from: &Mailbox) -> Demands {
        let lists = [&self.from, &self.reply_to, &self.to, &self.cc];
        let shown = lists.into_iter().flat_map(AddressList::mailboxes);
        let sender = self.sender.iter().map(|sender| &sender.mailbox);
        let resent = self.resent.iter().flat_map(Resent::addresses);
        let mut all = std::iter::once(from).chain(shown).chain(sender).chain(resent);
        Demands {
            body: None,
            smtputf8: all
                .find(|mailbox| mailbox.needs_smtputf8())
                .map(|mailbox| Reason::Address(mailbox.to_string().into())),
        }
    }
}

/// What stands in the HTML must be referred to, and by a name of its own.
fn check_content_ids(inline: &[Part]) -> Result<(), BuildError> {
    let mut seen = HashSet::new();
    for part in inline {
        let id = part.content_id.as_ref().ok_or(BuildError::NoContentId)?;
        if !seen.insert(id) {
            return Err(BuildError::ContentIdTwice(id.to_string()));
        }
    }
    Ok(())
}

/// The part as it is to be shown unless it says so itself.
fn presented(mut part: Part, disposition: Disposition) -> Part {
    part.disposition.get_or_insert(disposition);
    part
}

#[cfg(test)]
mod tests;
