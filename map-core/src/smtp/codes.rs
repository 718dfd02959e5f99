//! The reply codes and enhanced status codes that have a name here, one a line.

use super::{EnhancedStatusCode, ReplyCode};

/// RFC 5321 section 4.2.3, <https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3>.
impl ReplyCode {
    /// 220: the greeting.
    pub const SERVICE_READY: Self = Self(220);
    /// 235: the answer to AUTH, at its end (RFC 4954).
    pub const AUTHENTICATED: Self = Self(235);
    /// 250: done.
    pub const OK: Self = Self(250);
    /// 334: a challenge of AUTH (RFC 4954).
    pub const AUTH_CHALLENGE: Self = Self(334);
    /// 421: the server is about to close the connection; it may come as the answer to anything, and unasked.
    pub const SERVICE_NOT_AVAILABLE: Self = Self(421);
    /// 452: no room, or too many recipients at once.
    pub const INSUFFICIENT_STORAGE: Self = Self(452);
    /// 501: a parameter or argument the server cannot read.
    pub const PARAMETER_SYNTAX: Self = Self(501);
    /// 504: a parameter the server does not know.
    pub const PARAMETER_NOT_IMPLEMENTED: Self = Self(504);
    /// 530: STARTTLS or AUTH is wanted first (RFC 3207, RFC 4954).
    pub const SECURITY_REQUIRED: Self = Self(530);
    /// 534: the AUTH mechanism is too weak for the server's policy (RFC 4954).
    pub const MECHANISM_TOO_WEAK: Self = Self(534);
    /// 552: too much, of octets or, as RFC 821 had it, of recipients.
    pub const STORAGE_EXCEEDED: Self = Self(552);
    /// 555: parameters of MAIL or RCPT that the server does not know.
    pub const MAIL_PARAMETERS: Self = Self(555);
}

/// RFC 3463 and its registry, <https://www.iana.org/assignments/smtp-enhanced-status-codes>.
impl EnhancedStatusCode {
    /// 5.1.1: no such mailbox.
    pub const BAD_MAILBOX: Self = Self::new(5, 1, 1);
    /// 5.1.10: the domain says it takes no mail (RFC 7505).
    pub const NULL_MX: Self = Self::new(5, 1, 10);
    /// 5.7.1: delivery not authorised.
    pub const NOT_AUTHORISED: Self = Self::new(5, 7, 1);
}
