//! What stands around a content: who it is from and for, what is asked of the hosts, and what a host must offer.
//!
//! [`message`](crate::message) makes it and [`smtp`](crate::smtp) says it, so it stands below both, and below everything
//! that has a clock, randomness, a file or a socket.

mod dsn;

pub(crate) use dsn::MAX_ORIGINAL_RECIPIENT;
pub use dsn::{DsnError, EnvelopeId, Notify, NotifyOn, OriginalRecipient, Ret};

use crate::address::{ForwardPath, Mailbox, ReversePath};

/// `MAIL` and `RCPT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// `MAIL FROM:`
    pub reverse_path: ReversePath,
    /// `RCPT TO:`, in order, as many as there are.
    pub recipients: Vec<EnvelopeRecipient>,
    /// What is wished of the transaction as a whole.
    pub parameters: EnvelopeParameters,
}

/// One `RCPT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeRecipient {
    /// `RCPT TO:`
    pub forward_path: ForwardPath,
    /// `NOTIFY=`, where DSN is offered.
    pub notify: Option<Notify>,
    /// `ORCPT=`, where DSN is offered.
    pub original: Option<OriginalRecipient>,
}

impl From<ForwardPath> for EnvelopeRecipient {
    fn from(forward_path: ForwardPath) -> Self {
        Self {
            forward_path,
            notify: None,
            original: None,
        }
    }
}

impl From<Mailbox> for EnvelopeRecipient {
    fn from(mailbox: Mailbox) -> Self {
        ForwardPath::from(mailbox).into()
    }
}

/// What is wished of a transaction as a whole. The default wishes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvelopeParameters {
    /// `RET=`, where DSN is offered.
    pub ret: Option<Ret>,
    /// `ENVID=`, where DSN is offered.
    pub envelope_id: Option<EnvelopeId>,
    /// `REQUIRETLS` (RFC 8689): on the whole way verified TLS, or no mail.
    pub require_tls: bool,
}

/// What a body asks of a host: the values of the parameter `BODY` of MAIL, the least demanding first.
///
/// [RFC 6152](https://www.rfc-editor.org/rfc/rfc6152), [RFC 3030](https://www.rfc-editor.org/rfc/rfc3030)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BodyType {
    /// `7BIT`: ASCII in lines of at most 998 octets, which every host takes.
    #[default]
    SevenBit,
    /// `8BITMIME`: any octet but NUL in lines of at most 998.
    EightBit,
    /// `BINARYMIME`: anything, which needs CHUNKING as well.
    Binary,
}

/// What a host must offer for a message, or what it does offer.
///
/// # Example
/// ```
/// use map_core::envelope::{BodyType, Needs};
///
/// let offered = Needs { body_type: BodyType::EightBit, smtputf8: false };
/// assert!(Needs::default().met_by(offered));
/// assert!(!Needs { smtputf8: true, ..offered }.met_by(offered));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// `8BITMIME`, or `BINARYMIME` with `CHUNKING`.
    pub body_type: BodyType,
    /// `SMTPUTF8`.
    pub smtputf8: bool,
}

impl Needs {
    /// True when a host that offers so much will do.
    pub fn met_by(self, offered: Self) -> bool {
        self.body_type <= offered.body_type && (!self.smtputf8 || offered.smtputf8)
    }
}

/// One way to send a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BodyForm {
    /// What a host must offer to be sent this one.
    pub needs: Needs,
    /// Octets before dot-stuffing, if known (RFC 1870).
    pub size: Option<u64>,
}
