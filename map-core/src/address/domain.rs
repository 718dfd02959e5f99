//! What stands right of the `@`.

use super::error::{AddressPart, MailboxError};
use super::idna2008;
use super::literal::{self, AddressLiteral, excerpt};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::sync::Arc;

/// What stands right of the `@`: `Domain / address-literal`. The name in EHLO is one, too.
///
/// # Example
/// ```
/// use map_core::address::MailboxDomain;
///
/// let domain: MailboxDomain = "bücher.example".parse()?;
/// assert_eq!(domain.to_smtp(), "xn--bcher-kva.example");
/// let literal: MailboxDomain = "[ipv6:2001:db8:0::1]".parse()?;
/// assert_eq!(literal.to_smtp(), "[IPv6:2001:db8::1]");
/// # Ok::<(), map_core::address::MailboxError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MailboxDomain {
    /// `Domain`
    Domain(Domain),
    /// `address-literal`
    Literal(AddressLiteral),
}

/// A domain name: what a person reads, and what the DNS and the wire get (A-labels, lower case, no final dot).
///
/// ```text
/// Domain      = sub-domain *("." sub-domain)
/// sub-domain  = Let-dig [Ldh-str]
/// Ldh-str     = *( ALPHA / DIGIT / "-" ) Let-dig
/// ```
///
/// - A domain that is ASCII already is taken by this grammar and reaches the DNS as it is, in lower case. A label that
///   begins with `xn--` must be an A-label.
/// - Any other goes through IDNA: UTS 46, non-transitional, STD3 rules. That maps upper case, full width forms and
///   the full stops of East Asian keyboards (U+3002, U+FF0E, U+FF61); the result must then fit the grammar above.
///   Characters that UTS 46 would drop (soft hyphen, zero width space) are refused.
/// - What UTS 46 takes and IDNA 2008 forbids is refused, encoded or not, as
///   [RFC 5891 section 5.4](https://www.rfc-editor.org/rfc/rfc5891#section-5.4) demands of a look-up: typographic signs,
///   symbols and emoji above all. No registry gives out such a name.
/// - One label is enough (`localhost`); a number as the last one is not a domain (RFC 3696 section 2).
/// - 63 octets a label, 255 in all (RFC 5321 section 4.5.3.1.2), both counted as the wire carries them.
///
/// Two domains are equal when their A-labels are.
#[derive(Clone, Debug)]
pub struct Domain {
    ascii: Arc<str>,
    shown: Arc<str>,
}

/// RFC 5321 section 4.5.3.1.2, in octets.
const MAX: usize = 255;

/// What 255 octets in a DNS message (RFC 1035 section 2.3.4) are as text without the final dot.
const MAX_DNS: usize = 253;

/// RFC 1035 section 2.3.4, in octets.
const MAX_LABEL: usize = 63;

impl MailboxDomain {
    /// As it goes over the wire: A-labels or an address literal.
    pub fn to_smtp(&self) -> Cow<'_, str> {
        match self {
            Self::Domain(domain) => domain.as_ascii().into(),
            Self::Literal(literal) => literal.to_string().into(),
        }
    }

    pub(super) fn parse(text: &str, before: usize) -> Result<Self, MailboxError> {
        if text.starts_with('[') {
            text.parse().map(Self::Literal)
        } else {
            Domain::parse(text, before).map(Self::Domain)
        }
    }
}

impl FromStr for MailboxDomain {
    type Err = MailboxError;

    /// # Errors
    /// What is wrong with it.
    fn from_str(text: &str) -> Result<Self, MailboxError> {
        Self::parse(text, 0)
    }
}

impl fmt::Display for MailboxDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(f),
            Self::Literal(literal) => literal.fmt(f),
        }
    }
}

impl From<Domain> for MailboxDomain {
    fn from(domain: Domain) -> Self {
        Self::Domain(domain)
    }
}

impl From<AddressLiteral> for MailboxDomain {
    fn from(literal: AddressLiteral) -> Self {
        Self::Literal(literal)
    }
}

impl Domain {
    /// The A-label form, lower case, without a final dot.
    pub fn as_ascii(&self) -> &str {
        &self.ascii
    }

    /// Takes a host name as the DNS has it: the exchange of an MX record.
    ///
    /// Wider than the grammar of an address, because such names are looked up and never put into a command:
    /// real ones have underscores, or hyphens where none belong. ASCII only; a final dot is dropped.
    ///
    /// # Errors
    /// A name that is no host name at all, or an IP address written as a name.
    ///
    /// # Example
    /// ```
    /// use map_core::address::Domain;
    ///
    /// assert_eq!(Domain::from_dns("MX_1.example.com.")?.as_ascii(), "mx_1.example.com");
    /// assert!("mx_1.example.com".parse::<Domain>().is_err());
    /// # Ok::<(), map_core::address::MailboxError>(())
    /// ```
    pub fn from_dns(name: &str) -> Result<Self, MailboxError> {
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.len() > MAX_DNS {
            return Err(MailboxError::DomainTooLong(name.len()));
        }
        refuse_bare_address(name)?;
        labels(name, 0, |octet| {
            octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_')
        })?;
        let name: Arc<str> = name.to_ascii_lowercase().into();
        Ok(Self {
            ascii: Arc::clone(&name),
            shown: name,
        })
    }

    fn parse(text: &str, before: usize) -> Result<Self, MailboxError> {
        if text.is_empty() {
            return Err(MailboxError::EmptyDomain);
        }
        refuse_bare_address(text)?;
        if text.is_ascii() {
            grammar(text, before)?;
            let ascii = text.to_ascii_lowercase();
            for label in ascii.split('.').filter(|label| label.starts_with("xn--")) {
                a_label(label)?;
            }
            return Ok(Self {
                ascii: ascii.into(),
                shown: text.into(),
            });
        }
        for (position, character) in (before + 1..).zip(text.chars()) {
            if is_invisible(character) {
                return Err(MailboxError::Invisible { character, position });
            }
            // UTS 46 with STD3 rules refuses these as well, without saying which it was.
            if character.is_ascii() && !(character.is_ascii_alphanumeric() || matches!(character, '.' | '-'))
            {
                return Err(MailboxError::Character {
                    character,
                    position,
                    part: AddressPart::Domain,
                });
            }
        }
        // Lengths and dots are judged below, where each has its own error.
        let (typed, length) = (text.as_bytes(), DnsLength::Ignore);
        let ascii = Uts46::new()
            .to_ascii(typed, AsciiDenyList::STD3, Hyphens::CheckFirstLast, length)
            .map_err(|_| MailboxError::Idna(excerpt(text)))?;
        refuse_bare_address(&ascii)?;
        grammar(&ascii, before)?;
        let (shown, _) =
            Uts46::new().to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast);
        for label in shown.split('.').filter(|label| !label.is_ascii()) {
            u_label(label)?;
        }
        Ok(Self {
            ascii: ascii.as_ref().into(),
            shown: shown.into(),
        })
    }
}

impl PartialEq for Domain {
    fn eq(&self, other: &Self) -> bool {
        self.ascii == other.ascii
    }
}

impl Eq for Domain {}

impl std::hash::Hash for Domain {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.ascii.hash(state);
    }
}

/// In its own script: as it was typed if that was ASCII, else as UTS 46 writes it.
impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl FromStr for Domain {
    type Err = MailboxError;

    /// # Errors
    /// What is wrong with it.
    fn from_str(text: &str) -> Result<Self, MailboxError> {
        Self::parse(text, 0)
    }
}

/// Checks that a label that begins with `xn--`, in small letters, is the encoded form of a label in another script.
// https://www.rfc-editor.org/rfc/rfc5891#section-5.3
// > the label MUST be rejected if the resulting label is not identical to the original.
fn a_label(label: &str) -> Result<(), MailboxError> {
    let (shown, valid) =
        Uts46::new().to_unicode(label.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    if valid.is_err() || shown.is_ascii() {
        return Err(MailboxError::FalseALabel(excerpt(label)));
    }
    u_label(&shown)
}

/// Checks a label in another script, which UTS 46 has mapped, by the rules of IDNA 2008.
fn u_label(label: &str) -> Result<(), MailboxError> {
    // https://www.rfc-editor.org/rfc/rfc5891#section-5.4
    // > Labels containing "--" (two consecutive hyphens) in the third and fourth character positions.
    let mut behind_two = label.chars().skip(2);
    if (behind_two.next(), behind_two.next()) == (Some('-'), Some('-')) {
        return Err(MailboxError::Idna(excerpt(label)));
    }
    match idna2008::forbidden(label) {
        Some(character) => Err(MailboxError::DomainCharacter {
            character,
            label: excerpt(label),
        }),
        None => Ok(()),
    }
}

/// Checks an ASCII text against the grammar of [`Domain`].
fn grammar(text: &str, before: usize) -> Result<(), MailboxError> {
    if text.len() > 1 && text.ends_with('.') {
        return Err(MailboxError::TrailingDot);
    }
    labels(text, before, |octet| {
        octet.is_ascii_alphanumeric() || octet == b'-'
    })?;
    if let Some(label) = text
        .split('.')
        .find(|label| label.starts_with('-') || label.ends_with('-'))
    {
        return Err(MailboxError::Hyphen(label.into()));
    }
    // https://www.rfc-editor.org/rfc/rfc3696#section-2
    // > There is an additional rule that essentially requires that top-level domain names not be all-numeric.
    match text.rsplit('.').next() {
        Some(last) if last.bytes().all(|octet| octet.is_ascii_digit()) => {
            Err(MailboxError::NumericTopLevel(last.into()))
        }
        _ if text.len() > MAX => Err(MailboxError::DomainTooLong(text.len())),
        _ => Ok(()),
    }
}

/// Checks that labels are there, not too long and of allowed octets.
fn labels(text: &str, before: usize, allowed: fn(u8) -> bool) -> Result<(), MailboxError> {
    let mut position = before + 1;
    for label in text.split('.') {
        if label.is_empty() {
            return Err(MailboxError::EmptyLabel(position));
        }
        for character in label.chars() {
            if !u8::try_from(character).is_ok_and(allowed) {
                return Err(MailboxError::Character {
                    character,
                    position,
                    part: AddressPart::Domain,
                });
            }
            position += 1;
        }
        if label.len() > MAX_LABEL {
            return Err(MailboxError::LabelTooLong(excerpt(label)));
        }
        position += 1;
    }
    Ok(())
}

fn refuse_bare_address(text: &str) -> Result<(), MailboxError> {
    let address = text.parse::<Ipv4Addr>().map(IpAddr::from).ok();
    match address.or_else(|| literal::ipv6(text).map(IpAddr::from)) {
        Some(address) => Err(MailboxError::BareAddress(address)),
        None => Ok(()),
    }
}

/// What UTS 46 drops. The variation selectors that come with every emoji are not among them: the emoji is what is said.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{200b}' | '\u{2060}' | '\u{2064}'
            | '\u{feff}' | '\u{1bca0}'..='\u{1bca3}'
    )
}
