//! Why a text is no mailbox.

use crate::text::quoted;
use std::fmt;
use std::net::IpAddr;

/// Why a text is no mailbox. Each cause says what is wrong; its documentation says what to do about it.
///
/// A position counts characters from 1, in the text as it was given, outer blanks included.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MailboxError {
    /// What stands in brackets is no IP address in a form of RFC 5321 section 4.1.3. Write `[192.0.2.1]` or
    /// `[IPv6:2001:db8::1]`; each IPv4 number has at most three digits, and `::` stands for two groups at least.
    #[error("{} is not an address literal such as [192.0.2.1] or [IPv6:2001:db8::1]", quoted(.0))]
    AddressLiteral(String),
    /// A backslash before a character beyond ASCII. RFC 6531 section 3.3 allows it before ASCII only: leave it away.
    #[error("there is a backslash before {character:?}, at position {position}, and none is allowed there")]
    Backslash {
        /// Before which character.
        character: char,
        /// Where that is: characters from 1.
        position: usize,
    },
    /// An IP address stands where a domain name belongs. Put it in brackets, as the text says.
    #[error("{0} is an IP address, not a domain name; to mail to it, write {lit}", lit = super::AddressLiteral(*.0))]
    BareAddress(IpAddr),
    /// A character that the grammar does not allow there. In a local part, most can be had by quoting it:
    /// `"john smith"@example.com`. A comma or a second `@` in the domain mostly means that several addresses
    /// were given where one belongs.
    #[error("the character {character:?} at position {position} is not allowed in {part}")]
    Character {
        /// Which.
        character: char,
        /// Where: characters from 1.
        position: usize,
        /// In what.
        part: AddressPart,
    },
    /// A display name or angle brackets around the address. Give the address alone.
    #[error("the address is in angle brackets; give it alone, without them and without a name")]
    DisplayName,
    /// The domain is longer than 255 octets as the wire carries it (RFC 5321 section 4.5.3.1.2).
    #[error("the domain is {0} octets long, and 255 are allowed")]
    DomainTooLong(usize),
    /// A character that no domain name may have by IDNA 2008 (RFC 5892): a typographic sign, a symbol, an emoji, or a
    /// letter that must not stand there. Mostly it was pasted or typed by a keyboard that corrects: type the domain again.
    #[error("the character {character:?} cannot stand in a domain name, as it does in {}", quoted(.label))]
    DomainCharacter {
        /// Which.
        character: char,
        /// Between which dots, in its own script.
        label: String,
    },
    /// Nothing but blanks and tabs, or nothing at all.
    #[error("there is no address")]
    Empty,
    /// Nothing right of the `@`.
    #[error("there is no domain after the @")]
    EmptyDomain,
    /// Two dots in a row in a domain, or one at its beginning.
    #[error("there is a dot too many in the domain, at position {0}")]
    EmptyLabel(usize),
    /// Nothing left of the `@`.
    #[error("there is no name before the @")]
    EmptyLocalPart,
    /// `[tag:…]` with a tag other than `IPv6`: the General-address-literal of RFC 5321, for which no tag is
    /// registered. There is no such network to deliver to.
    #[error("there is no network known as {} to deliver to; an address literal is IPv4 or IPv6", quoted(.0))]
    GeneralAddressLiteral(String),
    /// A label of the domain begins with `xn--`, as the encoded form of a name in another script does, and is the encoded
    /// form of none (RFC 5891 section 5.4). Type the domain in its own script.
    #[error("{} begins as a domain name in another script does when it is encoded, and is not one", quoted(.0))]
    FalseALabel(String),
    /// A label of the domain begins or ends with a hyphen.
    #[error("{} begins or ends with a hyphen, which no part of a domain may", quoted(.0))]
    Hyphen(String),
    /// The domain has characters beyond ASCII that IDNA cannot turn into a name for the DNS: unassigned
    /// or disallowed characters, a mix of writing directions, a label that grows longer than 63 octets.
    #[error("{} is not a domain name in any script", quoted(.0))]
    Idna(String),
    /// A character that nobody sees, such as a soft hyphen, a zero width space, a no-break space or one that changes the
    /// direction of writing. Mostly it was pasted: type the address again. UTS 46 would drop some of them from a domain;
    /// a name that is not quite the one that was given is refused instead.
    #[error("there is an invisible character, {character:?}, at position {position}")]
    Invisible {
        /// Which.
        character: char,
        /// Where: characters from 1.
        position: usize,
    },
    /// A label of the domain is longer than 63 octets (RFC 1035 section 2.3.4).
    #[error("{} is longer than the 63 octets allowed between two dots of a domain", quoted(.0))]
    LabelTooLong(String),
    /// A dot at the beginning or the end of the local part, or two in a row. Some providers hand out such names;
    /// quoted, they can be mailed: `"john..smith"@example.com`.
    #[error("there is a dot too many before the @, at position {0}")]
    LocalPartDot(usize),
    /// The local part is longer than 252 octets, which is all that a path of 256 leaves to it. More than the 64 of RFC 5321
    /// section 4.5.3.1.1 are for the recipient's host to judge.
    #[error("what stands before the @ is {0} octets long, and 252 are allowed")]
    LocalPartTooLong(usize),
    /// No `@`.
    #[error("there is no @ between a name and a domain")]
    NoAt,
    /// The last label of the domain is a number. No top-level domain is one (RFC 3696 section 2), so the address
    /// is a mistyped IP address or misses its end.
    #[error("no domain ends in a number as this one does, {}", quoted(.0))]
    NumericTopLevel(String),
    /// A quoted string without its closing quote.
    #[error("the quotation mark at position {0} is not closed")]
    QuoteNotClosed(usize),
    /// The whole address is longer than 254 octets, which with its brackets are the 256 of RFC 5321 section
    /// 4.5.3.1.3.
    #[error("the address is {0} octets long, and 254 are allowed")]
    TooLong(usize),
    /// A domain that ends in a dot. That is the DNS's way of writing, not the mail's: leave the dot away.
    #[error("the domain ends in a dot")]
    TrailingDot,
    /// An IPv6 address in brackets without its tag. Write it as the text says.
    #[error("the IPv6 address lacks its tag; write [IPv6:{0}]")]
    UntaggedIpv6(std::net::Ipv6Addr),
}

/// What a character stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressPart {
    /// Right of the `@`.
    Domain,
    /// Left of the `@`, not quoted.
    LocalPart,
    /// Left of the `@`, between quotation marks.
    QuotedString,
}

impl fmt::Display for AddressPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Domain => "a domain",
            Self::LocalPart => "the part before the @ unless it is quoted",
            Self::QuotedString => "a quoted part before the @",
        })
    }
}
