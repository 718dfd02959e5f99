//! What MAIL and RCPT carry after their paths.

use crate::envelope::BodyType;
use crate::envelope::{EnvelopeId, MAX_ORIGINAL_RECIPIENT, Notify, OriginalRecipient, Ret};
use std::fmt::Write as _;

/// What MAIL carries after the reverse-path. The empty one is what RFC 821 knew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MailParameters {
    /// `BODY=` (RFC 6152, RFC 3030); one of 7 bits is what there is without it.
    pub(super) body: BodyType,
    /// `SMTPUTF8` (RFC 6531).
    pub(super) smtputf8: bool,
    /// `REQUIRETLS` (RFC 8689).
    pub(super) require_tls: bool,
    /// `SIZE=`, in octets (RFC 1870).
    pub(super) size: Option<u64>,
    /// `RET=` (RFC 3461).
    pub(super) ret: Option<Ret>,
    /// `ENVID=` (RFC 3461).
    pub(super) envelope_id: Option<EnvelopeId>,
}

/// What RCPT carries after the forward-path.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RcptParameters<'a> {
    /// `NOTIFY=` (RFC 3461).
    pub(super) notify: Option<Notify>,
    /// `ORCPT=` (RFC 3461).
    pub(super) original: Option<&'a OriginalRecipient>,
}

impl MailParameters {
    /// The same without what the server can do without: the rest says what follows, or what must not happen to it.
    pub(super) fn indispensable(&self) -> Self {
        Self {
            size: None,
            ret: None,
            envelope_id: None,
            ..*self
        }
    }

    /// Adds each to the command, with a blank before it.
    pub(super) fn write(&self, line: &mut String) {
        // Writing to a String cannot fail.
        if let Some(octets) = self.size {
            let _ = write!(line, " SIZE={octets}");
        }
        line.push_str(match self.body {
            BodyType::SevenBit => "",
            BodyType::EightBit => " BODY=8BITMIME",
            BodyType::Binary => " BODY=BINARYMIME",
        });
        if self.smtputf8 {
            line.push_str(" SMTPUTF8");
        }
        if let Some(ret) = self.ret {
            let _ = write!(line, " RET={ret}");
        }
        if let Some(id) = &self.envelope_id {
            let _ = write!(line, " ENVID={}", id.to_xtext());
        }
        if self.require_tls {
            line.push_str(" REQUIRETLS");
        }
    }
}

impl RcptParameters<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.notify.is_none() && self.original.is_none()
    }

    /// Adds each to the command, with a blank before it.
    pub(super) fn write(&self, line: &mut String) {
        if let Some(notify) = self.notify {
            let _ = write!(line, " NOTIFY={notify}");
        }
        if let Some(original) = self.original {
            let parameter = original.to_parameter();
            // Escaped, a very long local part may not fit. The host then takes the recipient for the original one.
            if parameter.len() <= MAX_ORIGINAL_RECIPIENT {
                let _ = write!(line, " ORCPT={parameter}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Mailbox;

    #[test]
    fn what_does_not_fit_is_left_out() {
        let written = |local_part: &str| {
            let mailbox = Mailbox::try_from(format!("{local_part}@b.example").as_str()).unwrap();
            let original = OriginalRecipient::rfc822(&mailbox);
            let mut line = String::new();
            let parameters = RcptParameters {
                original: Some(&original),
                ..Default::default()
            };
            parameters.write(&mut line);
            line
        };
        assert_eq!(written("bob"), " ORCPT=rfc822;bob@b.example");
        assert!(written(&"x".repeat(240)).len() > 240);
        assert_eq!(written(&"=".repeat(240)), "");
    }
}
