//! The whole address.

use super::{LocalPart, MailboxDomain, MailboxError};
use std::fmt;
use std::str::FromStr;

/// An e-mail address that the grammar of RFC 5321 section 4.1.2 allows.
///
/// ```text
/// Mailbox = Local-part "@" ( Domain / address-literal )
/// ```
///
/// Parsing trims blanks and tabs at both ends, nothing else. Two mailboxes are equal when they name the same one:
/// quoting and the case and script of the domain make no difference, the case of the local part does.
///
/// # Example
/// ```
/// use map_core::Mailbox;
///
/// let mailbox: Mailbox = " anna@Bücher.example\t".parse()?;
/// assert_eq!(mailbox.to_string(), "anna@bücher.example");
/// assert_eq!(mailbox.to_smtp(), "anna@xn--bcher-kva.example");
/// assert_eq!(mailbox, "\"anna\"@XN--bcher-kva.example".parse()?);
///
/// let error = "407184933qq.com".parse::<Mailbox>().unwrap_err();
/// assert_eq!(error.to_string(), "there is no @ between a name and a domain");
/// # Ok::<(), map_core::address::MailboxError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mailbox {
    local_part: LocalPart,
    domain: MailboxDomain,
}

/// In octets; with its brackets, the 256 of RFC 5321 section 4.5.3.1.3.
const MAX: usize = 254;

/// In octets; a domain of 254 A-label octets can be typed in far more octets of UTF-8, but not in more than this.
const MAX_TYPED: usize = 16 * MAX;

impl Mailbox {
    /// Left of the `@`.
    pub fn local_part(&self) -> &LocalPart {
        &self.local_part
    }

    /// Right of the `@`.
    pub fn domain(&self) -> &MailboxDomain {
        &self.domain
    }

    /// As it goes between the `<` and `>` of MAIL and RCPT: least quoting, A-labels. It is ASCII unless it
    /// [needs SMTPUTF8](Self::needs_smtputf8).
    pub fn to_smtp(&self) -> String {
        format!("{}@{}", self.local_part, self.domain.to_smtp())
    }

    /// True when the local part is not ASCII, and so every host on the way must offer SMTPUTF8 (RFC 6531). A domain
    /// never needs it.
    pub fn needs_smtputf8(&self) -> bool {
        !self.local_part.as_str().is_ascii()
    }
}

impl FromStr for Mailbox {
    type Err = MailboxError;

    /// # Errors
    /// What is wrong with it.
    fn from_str(text: &str) -> Result<Self, MailboxError> {
        let is_blank = |character| matches!(character, ' ' | '\t');
        let unindented = text.trim_start_matches(is_blank);
        let before = text.len() - unindented.len();
        let address = unindented.trim_end_matches(is_blank);
        if address.is_empty() {
            return Err(MailboxError::Empty);
        }
        if address.len() > MAX_TYPED {
            return Err(MailboxError::TooLong(address.len()));
        }
        if address.ends_with('>') && address.contains('<') {
            return Err(MailboxError::DisplayName);
        }
        let (local_part, domain) = LocalPart::take(address, before)?;
        let at = before + address.chars().count() - domain.chars().count();
        let mailbox = Self {
            local_part,
            domain: MailboxDomain::parse(domain, at)?,
        };
        let octets = mailbox.to_smtp().len();
        if octets > MAX {
            Err(MailboxError::TooLong(octets))
        } else {
            Ok(mailbox)
        }
    }
}

impl TryFrom<&str> for Mailbox {
    type Error = MailboxError;

    fn try_from(text: &str) -> Result<Self, MailboxError> {
        text.parse()
    }
}

/// As a person reads it: the domain in its own script, the local part with the least quoting. Parsed again, it is
/// an equal mailbox.
impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_part, self.domain)
    }
}
