//! The reply codes and enhanced status codes that have a name here, one a line.

use super::{EnhancedStatusCode, ReplyCode};

/// RFC 5321 section 4.2.3, <https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3>.
impl ReplyCode {
    /// 220: the greeting.
    pub const SERVICE_READY: Self = Self(220);
    /// 221: the answer to QUIT.
    pub const SERVICE_CLOSING: Self = Self(221);
    /// 235: the answer to AUTH, at its end (RFC 4954).
    pub const AUTHENTICATED: Self = Self(235);
    /// 250: done.
    pub const OK: Self = Self(250);
    /// 334: a challenge of AUTH (RFC 4954).
    pub const AUTH_CHALLENGE: Self = Self(334);
    /// 354: the answer to DATA.
    pub const START_MAIL_INPUT: Self = Self(354);
    /// 421: the server is about to close the connection; it may come as the answer to anything, and unasked.
    pub const SERVICE_NOT_AVAILABLE: Self = Self(421);
    /// 501: a parameter or argument the server cannot read.
    pub const PARAMETER_SYNTAX: Self = Self(501);
    /// 504: a parameter the server does not know.
    pub const PARAMETER_NOT_IMPLEMENTED: Self = Self(504);
    /// 530: STARTTLS or AUTH is wanted first (RFC 3207, RFC 4954).
    pub const SECURITY_REQUIRED: Self = Self(530);
    /// 534: the AUTH mechanism is too weak for the server's policy (RFC 4954).
    pub const MECHANISM_TOO_WEAK: Self = Self(534);
    /// 550: no such mailbox, or a refusal for reasons of policy.
    pub const MAILBOX_UNAVAILABLE: Self = Self(550);
    /// 552: too large, too many recipients, or a full mailbox.
    pub const STORAGE_EXCEEDED: Self = Self(552);
    /// 553: a mailbox name that is not allowed.
    pub const MAILBOX_NAME: Self = Self(553);
    /// 554: a failure with no better number; as a greeting, "no SMTP service here".
    pub const TRANSACTION_FAILED: Self = Self(554);
    /// 555: parameters of MAIL or RCPT that the server does not know.
    pub const MAIL_PARAMETERS: Self = Self(555);
}

/// RFC 3463 and its registry, <https://www.iana.org/assignments/smtp-enhanced-status-codes>.
impl EnhancedStatusCode {
    /// 4.2.2: mailbox full, for now.
    pub const MAILBOX_FULL_FOR_NOW: Self = Self::new(4, 2, 2);
    /// 4.4.1: no answer from the host.
    pub const NO_ANSWER: Self = Self::new(4, 4, 1);
    /// 4.4.2: the connection was lost.
    pub const BAD_CONNECTION: Self = Self::new(4, 4, 2);
    /// 4.4.3: the DNS failed.
    pub const DIRECTORY_FAILURE: Self = Self::new(4, 4, 3);
    /// 4.7.1: delivery not authorised, for now: as a rule greylisting.
    pub const NOT_AUTHORISED_FOR_NOW: Self = Self::new(4, 7, 1);
    /// 5.1.1: no such mailbox.
    pub const BAD_MAILBOX: Self = Self::new(5, 1, 1);
    /// 5.1.2: no such mail domain.
    pub const BAD_SYSTEM: Self = Self::new(5, 1, 2);
    /// 5.1.10: the domain says it takes no mail (RFC 7505).
    pub const NULL_MX: Self = Self::new(5, 1, 10);
    /// 5.2.2: mailbox full.
    pub const MAILBOX_FULL: Self = Self::new(5, 2, 2);
    /// 5.3.4: message too big for the system.
    pub const MESSAGE_TOO_BIG: Self = Self::new(5, 3, 4);
    /// 5.4.6: a routing loop; here, a target that is refused.
    pub const ROUTING_LOOP: Self = Self::new(5, 4, 6);
    /// 5.6.7: an address needs SMTPUTF8 (RFC 6531).
    pub const NEEDS_SMTPUTF8: Self = Self::new(5, 6, 7);
    /// 5.7.1: delivery not authorised.
    pub const NOT_AUTHORISED: Self = Self::new(5, 7, 1);
    /// 5.7.23: SPF failed (RFC 7372).
    pub const SPF_FAILED: Self = Self::new(5, 7, 23);
    /// 5.7.25: no matching reverse DNS (RFC 7372).
    pub const REVERSE_DNS_FAILED: Self = Self::new(5, 7, 25);
    /// 5.7.26: several checks of the sender failed, as a rule DMARC (RFC 7372).
    pub const AUTHENTICATION_FAILED: Self = Self::new(5, 7, 26);
}
