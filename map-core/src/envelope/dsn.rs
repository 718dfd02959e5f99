//! What a sender may ask of delivery status notifications: the parameters of RFC 3461, and of RFC 6533 for addresses
//! in any script.
//!
//! On the wire they are `xtext` (RFC 3461 section 4), which has no blank, no `=` and no line end:
//!
//! ```text
//! xtext   = *( xchar / hexchar )
//! xchar   = any ASCII CHAR between "!" (33) and "~" (126) inclusive, except for "+" and "="
//! hexchar = "+" 2HEXDIG      ; upper case
//! ```

use crate::address::Mailbox;
use std::fmt::{self, Write as _};
use std::ops::BitOr;
use std::str::FromStr;

/// The longest value of ENVID, in octets of xtext (RFC 3461 section 4.4).
const MAX_ENVELOPE_ID: usize = 100;
/// The longest value of ORCPT, in octets: RFC 3461 section 4.2 gives the parameter 500 in all.
pub(crate) const MAX_ORIGINAL_RECIPIENT: usize = 500 - "ORCPT=".len();

/// `RET`: how much of the message comes back with a notification that it could not be delivered (RFC 3461 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// `FULL`: all of it.
    Full,
    /// `HDRS`: its header section.
    Headers,
}

impl fmt::Display for Ret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        })
    }
}

impl FromStr for Ret {
    type Err = DsnError;

    /// `FULL` or `HDRS`, in any case.
    ///
    /// # Errors
    /// It is another word.
    fn from_str(text: &str) -> Result<Self, DsnError> {
        match text.to_ascii_uppercase().as_str() {
            "FULL" => Ok(Self::Full),
            "HDRS" => Ok(Self::Headers),
            _ => Err(DsnError::Keyword),
        }
    }
}

/// `ENVID`: a name for the message in its envelope, which comes back in every notification (RFC 3461 section 4.4).
///
/// # Example
/// ```
/// use map_core::envelope::EnvelopeId;
///
/// let id: EnvelopeId = "order 17+3".parse()?;
/// assert_eq!(id.to_string(), "order 17+3");
/// assert!("two\nlines".parse::<EnvelopeId>().is_err());
/// # Ok::<(), map_core::envelope::DsnError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EnvelopeId(Box<str>);

impl EnvelopeId {
    pub(crate) fn to_xtext(&self) -> String {
        xtext(&self.0)
    }
}

impl FromStr for EnvelopeId {
    type Err = DsnError;

    /// Printable ASCII and blanks, at most 100 octets when it is sent, where a blank, a `+` and a `=` take three each.
    ///
    /// # Errors
    /// What it is instead.
    fn from_str(text: &str) -> Result<Self, DsnError> {
        check_printable(text)?;
        if xtext(text).len() > MAX_ENVELOPE_ID {
            return Err(DsnError::TooLong);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `NOTIFY`: of what a recipient's host is to tell the sender (RFC 3461 section 4.1).
///
/// Without it a host tells of failures, and of delays if it likes to.
///
/// # Example
/// ```
/// use map_core::envelope::{Notify, NotifyOn};
///
/// let notify = Notify::On(NotifyOn::SUCCESS | NotifyOn::DELAY);
/// assert_eq!(notify.to_string(), "SUCCESS,DELAY");
/// assert_eq!("delay,success".parse(), Ok(notify));
/// assert_eq!("NEVER".parse(), Ok(Notify::Never));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notify {
    /// Of nothing.
    Never,
    /// Of these.
    On(NotifyOn),
}

/// One to three of success, failure and delay; never none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NotifyOn(u8);

impl NotifyOn {
    /// It was delivered.
    pub const SUCCESS: Self = Self(1);
    /// It could not be delivered.
    pub const FAILURE: Self = Self(2);
    /// It has not been delivered yet.
    pub const DELAY: Self = Self(4);

    /// Each with its keyword, in the order of RFC 3461.
    const KEYWORDS: [(Self, &'static str); 3] = [
        (Self::SUCCESS, "SUCCESS"),
        (Self::FAILURE, "FAILURE"),
        (Self::DELAY, "DELAY"),
    ];

    /// True when all of `other` is asked for.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for NotifyOn {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// As it is sent: `NEVER`, or keywords with commas between them.
impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::On(on) = self else {
            return f.write_str("NEVER");
        };
        let asked = NotifyOn::KEYWORDS.iter().filter(|(one, _)| on.contains(*one));
        for (place, (_, keyword)) in asked.enumerate() {
            if place > 0 {
                f.write_char(',')?;
            }
            f.write_str(keyword)?;
        }
        Ok(())
    }
}

impl FromStr for Notify {
    type Err = DsnError;

    /// `NEVER`, or one to three of `SUCCESS`, `FAILURE` and `DELAY` with commas between them; in any case and order.
    ///
    /// # Errors
    /// It holds another word, or none, or NEVER beside another.
    fn from_str(text: &str) -> Result<Self, DsnError> {
        if text.eq_ignore_ascii_case("NEVER") {
            return Ok(Self::Never);
        }
        let mut all: Option<NotifyOn> = None;
        for word in text.split(',') {
            let one = NotifyOn::KEYWORDS
                .iter()
                .find(|(_, keyword)| word.trim_matches(' ').eq_ignore_ascii_case(keyword))
                .map(|(one, _)| *one)
                .ok_or(DsnError::Keyword)?;
            all = Some(all.map_or(one, |all| all | one));
        }
        all.map(Self::On).ok_or(DsnError::Keyword)
    }
}

/// `ORCPT`: the address that the sender wrote, if the recipient's is another one by now (RFC 3461 section 4.2).
///
/// # Example
/// ```
/// use map_core::envelope::OriginalRecipient;
///
/// let alias = map_core::Mailbox::try_from("team+list@example.com").unwrap();
/// let original = OriginalRecipient::rfc822(&alias);
/// assert_eq!(original.to_string(), "rfc822;team+list@example.com");
/// assert_eq!("rfc822;team+list@example.com".parse(), Ok(original));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginalRecipient {
    address_type: Box<str>,
    /// As a person writes it.
    address: Box<str>,
}

impl OriginalRecipient {
    /// A mailbox: of the type `rfc822`, or `utf-8` (RFC 6533) if its local part is not ASCII.
    pub fn rfc822(mailbox: &Mailbox) -> Self {
        let address_type = if mailbox.needs_smtputf8() { UTF_8 } else { "rfc822" };
        // A mailbox has no control characters. One that is too long for ORCPT once it is escaped is left out there.
        Self {
            address_type: address_type.into(),
            address: mailbox.to_smtp().into(),
        }
    }

    /// `addr-type ";" xtext`, with what is not ASCII in the form that every host takes.
    pub(crate) fn to_parameter(&self) -> String {
        let address = if self.address_type.eq_ignore_ascii_case(UTF_8) {
            utf8_address_as_xtext(&self.address)
        } else {
            xtext(&self.address)
        };
        format!("{};{address}", self.address_type)
    }
}

impl FromStr for OriginalRecipient {
    type Err = DsnError;

    /// `type;address`, the address as a person writes it: `rfc822;bob@example.com`. Of the type `utf-8` it may be in
    /// any script, of others it is ASCII.
    ///
    /// # Errors
    /// What it is instead.
    fn from_str(text: &str) -> Result<Self, DsnError> {
        let (address_type, address) = text.split_once(';').ok_or(DsnError::AddressType)?;
        if address_type.is_empty() || !address_type.bytes().all(is_type_octet) {
            return Err(DsnError::AddressType);
        }
        if address_type.eq_ignore_ascii_case(UTF_8) {
            if address.is_empty() {
                return Err(DsnError::Empty);
            }
            if address.chars().any(char::is_control) {
                return Err(DsnError::NotPrintable);
            }
        } else {
            check_printable(address)?;
        }
        let original = Self {
            address_type: address_type.into(),
            address: address.into(),
        };
        if original.to_parameter().len() > MAX_ORIGINAL_RECIPIENT {
            return Err(DsnError::TooLong);
        }
        Ok(original)
    }
}

/// `type;address`, as a person writes it.
impl fmt::Display for OriginalRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{}", self.address_type, self.address)
    }
}

/// What a text is that is no value of a DSN parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DsnError {
    /// Before the `;` stands no word that could be a type of addresses.
    #[error("the address has no type, as in `rfc822;bob@example.com`")]
    AddressType,
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// It is none of the words that may stand there.
    #[error("it is none of the keywords of RFC 3461")]
    Keyword,
    /// It holds a control character, a line end or something beyond ASCII.
    #[error("it holds what is not printable ASCII")]
    NotPrintable,
    /// More than RFC 3461 lets a host be sent.
    #[error("it is too long")]
    TooLong,
}

/// The type of addresses in any script (RFC 6533 section 3).
const UTF_8: &str = "utf-8";

/// RFC 3461 section 4.4, <https://www.rfc-editor.org/rfc/rfc3461#section-4.4>: before it is encoded, it consists of
/// graphic characters and white space of ASCII.
fn check_printable(text: &str) -> Result<(), DsnError> {
    if text.is_empty() {
        return Err(DsnError::Empty);
    }
    if text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        Ok(())
    } else {
        Err(DsnError::NotPrintable)
    }
}

fn xtext(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'+' | b'=' => push_hexchar(&mut encoded, octet),
            b'!'..=b'~' => encoded.push(char::from(octet)),
            _ => push_hexchar(&mut encoded, octet),
        }
    }
    encoded
}

fn push_hexchar(encoded: &mut String, octet: u8) {
    // Writing to a String cannot fail.
    let _ = write!(encoded, "+{octet:02X}");
}

/// `utf-8-addr-xtext` (RFC 6533 section 3): characters that are not ASCII, and those that xtext or this form itself
/// gives a meaning, as `\x{HEX}`. It needs no SMTPUTF8 of the host.
fn utf8_address_as_xtext(address: &str) -> String {
    let mut encoded = String::with_capacity(address.len());
    for character in address.chars() {
        match character {
            '+' | '=' | '\\' => push_embedded(&mut encoded, character),
            '!'..='~' => encoded.push(character),
            _ => push_embedded(&mut encoded, character),
        }
    }
    encoded
}

fn push_embedded(encoded: &mut String, character: char) {
    let _ = write!(encoded, "\\x{{{:02X}}}", u32::from(character));
}

/// Every type there is has a name of these. RFC 3461 section 4.2, <https://www.rfc-editor.org/rfc/rfc3461#section-4.2>,
/// would have any atom, but the type is not encoded, and `=` and `+` have a meaning where it stands.
fn is_type_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelope_ids_as_xtext() {
        let table = [
            ("QQ314159", Ok("QQ314159")),
            ("a b", Ok("a+20b")),
            ("1+1=2", Ok("1+2B1+3D2")),
            ("~!", Ok("~!")),
            ("", Err(DsnError::Empty)),
            ("a\tb", Err(DsnError::NotPrintable)),
            ("a\r\nRCPT TO:<x@y>", Err(DsnError::NotPrintable)),
            ("a\0", Err(DsnError::NotPrintable)),
            ("\u{e4}", Err(DsnError::NotPrintable)),
            ("\u{7f}", Err(DsnError::NotPrintable)),
        ];
        for (text, expected) in table {
            let id = text.parse::<EnvelopeId>();
            assert_eq!(
                id.map(|id| id.to_xtext()),
                expected.map(str::to_owned),
                "{text:?}"
            );
        }
    }

    #[test]
    fn an_envelope_id_is_as_long_as_it_is_sent() {
        assert!("x".repeat(100).parse::<EnvelopeId>().is_ok());
        assert_eq!("x".repeat(101).parse::<EnvelopeId>(), Err(DsnError::TooLong));
        assert!("=".repeat(33).parse::<EnvelopeId>().is_ok());
        assert_eq!("=".repeat(34).parse::<EnvelopeId>(), Err(DsnError::TooLong));
    }

    #[test]
    fn keywords_of_notify() {
        let all = NotifyOn::SUCCESS | NotifyOn::FAILURE | NotifyOn::DELAY;
        let table = [
            ("never", Ok(Notify::Never), "NEVER"),
            ("Success", Ok(Notify::On(NotifyOn::SUCCESS)), "SUCCESS"),
            (
                "DELAY,FAILURE",
                Ok(Notify::On(NotifyOn::FAILURE | NotifyOn::DELAY)),
                "FAILURE,DELAY",
            ),
            (
                "failure, delay, success",
                Ok(Notify::On(all)),
                "SUCCESS,FAILURE,DELAY",
            ),
            ("SUCCESS,SUCCESS", Ok(Notify::On(NotifyOn::SUCCESS)), "SUCCESS"),
            ("", Err(DsnError::Keyword), ""),
            ("NEVER,DELAY", Err(DsnError::Keyword), ""),
            ("SUCCESS,", Err(DsnError::Keyword), ""),
            ("SUCCESS\r\n", Err(DsnError::Keyword), ""),
        ];
        for (text, expected, sent) in table {
            let notify = text.parse::<Notify>();
            assert_eq!(notify, expected, "{text:?}");
            assert_eq!(notify.map_or(String::new(), |notify| notify.to_string()), sent);
        }
    }

    #[test]
    fn original_recipients_as_a_person_writes_them_and_as_they_are_sent() {
        let table = [
            ("rfc822;bob@example.com", Ok("rfc822;bob@example.com")),
            ("RFC822;bob+tag@example.com", Ok("RFC822;bob+2Btag@example.com")),
            ("rfc822;\"a b\"@example.com", Ok("rfc822;\"a+20b\"@example.com")),
            ("x400;/C=de/;", Ok("x400;/C+3Dde/;")),
            (
                "utf-8;\u{e4}+b@example.com",
                Ok("utf-8;\\x{E4}\\x{2B}b@example.com"),
            ),
            (
                "UTF-8;\u{1f600}\\ @example.com",
                Ok("UTF-8;\\x{1F600}\\x{5C}\\x{20}@example.com"),
            ),
            ("bob@example.com", Err(DsnError::AddressType)),
            (";bob@example.com", Err(DsnError::AddressType)),
            ("a b;bob@example.com", Err(DsnError::AddressType)),
            ("a=b;bob@example.com", Err(DsnError::AddressType)),
            ("a+20b;bob@example.com", Err(DsnError::AddressType)),
            ("x-a4;bob@example.com", Ok("x-a4;bob@example.com")),
            ("rfc822;", Err(DsnError::Empty)),
            ("utf-8;", Err(DsnError::Empty)),
            ("rfc822;\u{e4}@example.com", Err(DsnError::NotPrintable)),
            ("rfc822;bob@example.com\r\nDATA", Err(DsnError::NotPrintable)),
            ("utf-8;bob@example.com\r\nDATA", Err(DsnError::NotPrintable)),
            ("utf-8;\u{85}", Err(DsnError::NotPrintable)),
        ];
        for (text, expected) in table {
            let original = text.parse::<OriginalRecipient>();
            let sent = original.clone().map(|original| original.to_parameter());
            assert_eq!(sent, expected.map(str::to_owned), "{text:?}");
            if let Ok(original) = original {
                assert_eq!(original.to_string(), text);
            }
        }
        let long = |octets: usize| format!("rfc822;{}", "x".repeat(octets)).parse::<OriginalRecipient>();
        assert!(long(487).is_ok());
        assert_eq!(long(488), Err(DsnError::TooLong));
    }

    #[test]
    fn the_longest_mailboxes_of_rfc_5321_fit() {
        let label = "d".repeat(45);
        let domain = [label.as_str(); 4].join(".");
        for local_part in ["x".repeat(64), format!("\"{}\"", " ".repeat(62))] {
            let mailbox = Mailbox::try_from(format!("{local_part}@{domain}").as_str()).unwrap();
            let sent = OriginalRecipient::rfc822(&mailbox).to_parameter();
            assert!(sent.len() <= MAX_ORIGINAL_RECIPIENT, "{sent}");
        }
    }
}
