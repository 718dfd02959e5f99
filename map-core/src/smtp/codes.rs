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
    /// 450: the mailbox cannot take mail now: busy, or greylisting.
    pub const MAILBOX_BUSY: Self = Self(450);
    /// 451: an error in the server; often greylisting.
    pub const LOCAL_ERROR: Self = Self(451);
    /// 452: no room, or too many recipients at once.
    pub const INSUFFICIENT_STORAGE: Self = Self(452);
    /// 501: a parameter or argument the server cannot read.
    pub const PARAMETER_SYNTAX: Self = Self(501);
    /// 504: a parameter the server does not know.
    pub const PARAMETER_NOT_IMPLEMENTED: Self = Self(504);
    /// 521: the host takes no mail (RFC 7504).
    pub const NO_MAIL_HERE: Self = Self(521);
    /// 530: STARTTLS or AUTH is wanted first (RFC 3207, RFC 4954).
    pub const SECURITY_REQUIRED: Self = Self(530);
    /// 534: the AUTH mechanism is too weak for the server's policy (RFC 4954).
    pub const MECHANISM_TOO_WEAK: Self = Self(534);
    /// 535: the user name or secret is wrong (RFC 4954).
    pub const CREDENTIALS_INVALID: Self = Self(535);
    /// 550: no such mailbox, or not allowed.
    pub const MAILBOX_UNAVAILABLE: Self = Self(550);
    /// 551: the mailbox is elsewhere.
    pub const USER_NOT_LOCAL: Self = Self(551);
    /// 552: too much, of octets or, as RFC 821 had it, of recipients.
    pub const STORAGE_EXCEEDED: Self = Self(552);
    /// 553: the name of the mailbox is not allowed.
    pub const MAILBOX_NAME: Self = Self(553);
    /// 554: the mail transaction failed; as a greeting, no service.
    pub const TRANSACTION_FAILED: Self = Self(554);
    /// 555: parameters of MAIL or RCPT that the server does not know.
    pub const MAIL_PARAMETERS: Self = Self(555);
    /// 556: the domain takes no mail (RFC 7504).
    pub const DOMAIN_TAKES_NO_MAIL: Self = Self(556);
}

/// RFC 3463 and its registry, <https://www.iana.org/assignments/smtp-enhanced-status-codes>.
impl EnhancedStatusCode {
    /// 4.3.0: other or undefined mail system status (RFC 3463 section 3.4), for now: this machine is short of something.
    pub const SHORT_HERE: Self = Self::new(4, 3, 0);
    /// 4.4.1: no answer from host (RFC 3463 section 3.5).
    pub const NO_ANSWER: Self = Self::new(4, 4, 1);
    /// 4.4.2: bad connection (RFC 3463 section 3.5).
    pub const CONNECTION_LOST: Self = Self::new(4, 4, 2);
    /// 4.4.3: directory server failure (RFC 3463 section 3.5).
    pub const DNS_FAILURE: Self = Self::new(4, 4, 3);
    /// 4.5.0: other or undefined protocol status (RFC 3463 section 3.6).
    pub const PROTOCOL_ERROR: Self = Self::new(4, 5, 0);
    /// 4.5.3: too many recipients (RFC 3463 section 3.6).
    pub const TOO_MANY_RECIPIENTS: Self = Self::new(4, 5, 3);
    /// 4.7.5: cryptographic failure (RFC 3463 section 3.8), for now.
    pub const NO_TLS: Self = Self::new(4, 7, 5);
    /// 5.1.1: no such mailbox.
    pub const BAD_MAILBOX: Self = Self::new(5, 1, 1);
    /// 5.1.2: bad destination system address (RFC 3463 section 3.2).
    pub const BAD_DOMAIN: Self = Self::new(5, 1, 2);
    /// 5.1.3: bad destination mailbox address syntax (RFC 3463 section 3.2).
    pub const BAD_SYNTAX: Self = Self::new(5, 1, 3);
    /// 5.1.10: the domain says it takes no mail (RFC 7505).
    pub const NULL_MX: Self = Self::new(5, 1, 10);
    /// 5.3.0: other or undefined mail system status (RFC 3463 section 3.4), until somebody changes what was to be sent.
    pub const UNREADABLE_HERE: Self = Self::new(5, 3, 0);
    /// 5.3.4: message too big for system (RFC 3463 section 3.4).
    pub const TOO_BIG: Self = Self::new(5, 3, 4);
    /// 5.4.4: unable to route (RFC 3463 section 3.5).
    pub const NO_ROUTE: Self = Self::new(5, 4, 4);
    /// 5.4.6: routing loop detected (RFC 3463 section 3.5): the nearest code for "that target is no mail host but yourself".
    pub const REFUSED_TARGET: Self = Self::new(5, 4, 6);
    /// 5.6.3: conversion required but not supported (RFC 3463 section 3.7).
    pub const NO_CONVERSION: Self = Self::new(5, 6, 3);
    /// 5.6.7: Non-ASCII addresses not permitted for that recipient (RFC 6531 section 3.5).
    pub const NO_SMTPUTF8: Self = Self::new(5, 6, 7);
    /// 5.6.9: UTF-8 header message cannot be transferred to one or more recipients (RFC 6531 section 3.5).
    pub const NO_UTF8_HEADER: Self = Self::new(5, 6, 9);
    /// 5.7.1: delivery not authorised.
    pub const NOT_AUTHORISED: Self = Self::new(5, 7, 1);
    /// 5.7.5: cryptographic failure (RFC 3463 section 3.8), until somebody changes a setting.
    pub const NO_SECURITY: Self = Self::new(5, 7, 5);
    /// 5.7.10: encryption needed (RFC 5248).
    pub const ENCRYPTION_NEEDED: Self = Self::new(5, 7, 10);
    /// 5.7.30: REQUIRETLS support required (RFC 8689 section 8.2).
    pub const NO_REQUIRETLS: Self = Self::new(5, 7, 30);
}
