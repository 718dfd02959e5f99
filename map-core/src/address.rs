//! Mailbox addresses by the grammar of RFC 5321 section 4.1.2. Holding the type is the proof.
//!
//! ```text
//! Mailbox        = Local-part "@" ( Domain / address-literal )
//! Local-part     = Dot-string / Quoted-string
//! Domain         = sub-domain *("." sub-domain)
//! Reverse-path   = Path / "<>"
//! Forward-path   = Path
//! Path           = "<" Mailbox ">"
//! ```
//!
//! What RFC 5321 leaves out is refused here too: comments, folding, the obsolete forms of RFC 5322, source routes,
//! a display name with angle brackets. Both sides may be typed in any script (RFC 6531): the DNS and the wire get the
//! A-labels of a domain, and a local part beyond ASCII goes as it is, to hosts that offer SMTPUTF8.
//!
//! This module knows no socket, no clock and no DNS: an address that parses may still lead nowhere.

mod domain;
mod error;
mod idna2008;
mod literal;
mod local_part;
mod mailbox;
mod path;

#[cfg(test)]
mod tests;

pub use domain::{Domain, MailboxDomain};
pub use error::{AddressPart, MailboxError};
pub use literal::AddressLiteral;
pub use local_part::LocalPart;
pub use mailbox::Mailbox;
pub use path::{ForwardPath, ReversePath};
