//! Address literals: RFC 5321 section 4.1.3.

use super::MailboxError;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An IP address in place of a domain: `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
///
/// ```text
/// address-literal       = "[" ( IPv4-address-literal / IPv6-address-literal / General-address-literal ) "]"
/// IPv4-address-literal  = Snum 3("." Snum)
/// Snum                  = 1*3DIGIT                 ; 0 to 255, decimal, zeros in front allowed
/// IPv6-address-literal  = "IPv6:" IPv6-addr        ; the tag in any case
/// IPv6-addr             = IPv6-full / IPv6-comp / IPv6v4-full / IPv6v4-comp
/// ```
///
/// A General-address-literal is recognised and refused: no tag but `IPv6` is registered.
/// `Display` prints the form of RFC 5952, which is one of the above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressLiteral(pub IpAddr);

impl FromStr for AddressLiteral {
    type Err = MailboxError;

    /// # Errors
    /// What is wrong with it.
    fn from_str(text: &str) -> Result<Self, MailboxError> {
        let malformed = || MailboxError::AddressLiteral(excerpt(text));
        let inside = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .ok_or_else(malformed)?;
        if let Some(address) = ipv4(inside) {
            return Ok(Self(address.into()));
        }
        let (tag, content) = inside.split_once(':').ok_or_else(malformed)?;
        if tag.eq_ignore_ascii_case("IPv6") {
            return ipv6(content)
                .map(|address| Self(address.into()))
                .ok_or_else(malformed);
        }
        if let Some(address) = ipv6(inside) {
            return Err(MailboxError::UntaggedIpv6(address));
        }
        if is_general(tag, content) {
            Err(MailboxError::GeneralAddressLiteral(tag.into()))
        } else {
            Err(malformed())
        }
    }
}

impl fmt::Display for AddressLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "[{address}]"),
            IpAddr::V6(address) => write!(f, "[IPv6:{address}]"),
        }
    }
}

/// `IPv4-address-literal`, without its brackets.
///
/// The standard library's parser takes no zeros in front, because elsewhere they have meant octal; here they are
/// decimal: <https://www.rfc-editor.org/rfc/rfc5321#section-4.1.3>
/// > representing a decimal integer value in the range 0 through 255
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut numbers = text.split('.').map(snum);
    let octets = [
        numbers.next()??,
        numbers.next()??,
        numbers.next()??,
        numbers.next()??,
    ];
    numbers.next().is_none().then(|| octets.into())
}

fn snum(text: &str) -> Option<u8> {
    let digits = (1..=3).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// `IPv6-addr`.
pub(super) fn ipv6(text: &str) -> Option<Ipv6Addr> {
    // The IPv4 tail of the mixed forms stands for two groups.
    let (text, tail) = match text.rsplit_once(':') {
        Some((head, tail)) if tail.contains('.') => {
            let [a, b, c, d] = ipv4(tail)?.octets();
            let head = if head.ends_with(':') {
                text.strip_suffix(tail)?
            } else {
                head
            };
            (head, vec![u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])])
        }
        _ => (text, vec![]),
    };
    let Some((left, right)) = text.split_once("::") else {
        let all: Vec<u16> = groups(text)?.into_iter().chain(tail).collect();
        return <[u16; 8]>::try_from(all).ok().map(Ipv6Addr::from);
    };
    let left = groups(left)?;
    let right: Vec<u16> = groups(right)?.into_iter().chain(tail).collect();
    // https://www.rfc-editor.org/rfc/rfc5321#section-4.1.3
    // > The "::" represents at least 2 16-bit groups of zeros.
    let zeros = 8_usize
        .checked_sub(left.len() + right.len())
        .filter(|zeros| *zeros >= 2)?;
    let all: Vec<u16> = left
        .into_iter()
        .chain(std::iter::repeat_n(0, zeros))
        .chain(right)
        .collect();
    <[u16; 8]>::try_from(all).ok().map(Ipv6Addr::from)
}

/// `[ IPv6-hex *( ":" IPv6-hex ) ]`, `None` when a group is not 1 to 4 hexadecimal digits.
fn groups(text: &str) -> Option<Vec<u16>> {
    if text.is_empty() {
        return Some(vec![]);
    }
    text.split(':')
        .map(|group| {
            let hex = (1..=4).contains(&group.len()) && group.bytes().all(|octet| octet.is_ascii_hexdigit());
            hex.then(|| u16::from_str_radix(group, 16).ok())?
        })
        .collect()
}

/// `General-address-literal = Standardized-tag ":" 1*dcontent`
fn is_general(tag: &str, content: &str) -> bool {
    let ldh = tag
        .bytes()
        .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    let dcontent = |octet: u8| matches!(octet, 33..=90 | 94..=126);
    ldh && tag
        .bytes()
        .next_back()
        .is_some_and(|octet| octet.is_ascii_alphanumeric())
        && !content.is_empty()
        && content.bytes().all(dcontent)
}

/// Enough of a text to recognise it by.
pub(super) fn excerpt(text: &str) -> String {
    const CHARACTERS: usize = 80;
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into(),
    }
}
