//! What a server offers, read from its answer to EHLO.

use super::{AuthMechanism, Reply};

/// What the server announced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one keyword, announced or not"
)]
pub struct Capabilities {
    /// RFC 2920
    pub pipelining: bool,
    /// RFC 1870: announced at all, and a limit in octets unless none or 0.
    pub size: Option<Option<u64>>,
    /// RFC 6152
    pub eight_bit_mime: bool,
    /// RFC 6531
    pub smtputf8: bool,
    /// RFC 3030
    pub chunking: bool,
    /// RFC 3207
    pub starttls: bool,
    /// RFC 2034
    pub enhanced_status_codes: bool,
    /// RFC 4954: the mechanisms that are known here, in the server's order.
    pub auth: Vec<AuthMechanism>,
}

impl Capabilities {
    /// Reads the lines behind the first: `ehlo-keyword *( SP ehlo-param )`, keywords in any case.
    pub(super) fn of_ehlo(reply: &Reply) -> Self {
        let mut capabilities = Self::default();
        for line in reply.lines.iter().skip(1) {
            let mut words = line
                .split(|octet| matches!(octet, b' ' | b'\t'))
                .filter(|word| !word.is_empty());
            let Some(keyword) = words.next() else { continue };
            match keyword.to_ascii_uppercase().as_slice() {
                // `AUTH=LOGIN` is how it was written before there was an RFC, and some servers still do.
                [b'A', b'U', b'T', b'H', b'=', mechanism @ ..] => {
                    capabilities.add_mechanisms(std::iter::once(mechanism).chain(words));
                }
                b"AUTH" => capabilities.add_mechanisms(words),
                b"8BITMIME" => capabilities.eight_bit_mime = true,
                b"CHUNKING" => capabilities.chunking = true,
                b"ENHANCEDSTATUSCODES" => capabilities.enhanced_status_codes = true,
                b"PIPELINING" => capabilities.pipelining = true,
                b"SIZE" => capabilities.size = Some(words.next().and_then(size_limit)),
                b"SMTPUTF8" => capabilities.smtputf8 = true,
                b"STARTTLS" => capabilities.starttls = true,
                _ => {}
            }
        }
        capabilities
    }

    fn add_mechanisms<'a>(&mut self, names: impl Iterator<Item = &'a [u8]>) {
        for mechanism in names.filter_map(AuthMechanism::of_name) {
            if !self.auth.contains(&mechanism) {
                self.auth.push(mechanism);
            }
        }
    }

    /// The largest message the server takes, in octets, if it named a limit.
    pub fn size_limit(&self) -> Option<u64> {
        self.size.flatten()
    }
}

/// RFC 1870 section 3, <https://www.rfc-editor.org/rfc/rfc1870#section-3>:
/// > A parameter value of 0 (zero) indicates that no fixed maximum message size is in force.
///
/// What is no number names no limit either: the server still judges the message itself.
fn size_limit(parameter: &[u8]) -> Option<u64> {
    std::str::from_utf8(parameter)
        .ok()?
        .parse()
        .ok()
        .filter(|limit| *limit > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::ReplyCode;

    fn read(lines: &[&str]) -> Capabilities {
        Capabilities::of_ehlo(&Reply::new(
            ReplyCode::OK,
            lines.iter().map(|line| (*line).into()).collect(),
        ))
    }

    #[test]
    fn keywords_in_any_case_and_with_parameters() {
        let capabilities = read(&[
            "mx.example",
            "Pipelining",
            "size 1000",
            "8bitmime",
            "STARTTLS",
            "SMTPUTF8 x",
            "AUTH PLAIN",
        ]);
        assert!(capabilities.pipelining && capabilities.eight_bit_mime && capabilities.starttls);
        assert!(capabilities.smtputf8 && !capabilities.chunking && !capabilities.enhanced_status_codes);
        assert_eq!(capabilities.size, Some(Some(1000)));
    }

    #[test]
    fn mechanisms_in_the_new_and_the_old_form() {
        use AuthMechanism::{Login, Plain, ScramSha256, XOauth2};
        type Row = (&'static [&'static str], &'static [AuthMechanism]);
        let table: [Row; 7] = [
            (&["AUTH"], &[]),
            (&["AUTH PLAIN LOGIN"], &[Plain, Login]),
            (&["auth xoauth2 scram-sha-256 cram-md5"], &[XOauth2, ScramSha256]),
            (&["AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-1"], &[]),
            (&["AUTH=LOGIN PLAIN"], &[Login, Plain]),
            (&["AUTH PLAIN", "AUTH=LOGIN PLAIN"], &[Plain, Login]),
            (&["AUTH=", "AUTHPLAIN"], &[]),
        ];
        for (lines, expected) in table {
            let lines: Vec<&str> = std::iter::once("mx").chain(lines.iter().copied()).collect();
            assert_eq!(read(&lines).auth, expected, "{lines:?}");
        }
    }

    #[test]
    fn the_first_line_is_the_name_of_the_host() {
        assert_eq!(read(&["PIPELINING"]), Capabilities::default());
    }

    #[test]
    fn a_size_without_a_limit() {
        let table = [
            ("SIZE", Some(None)),
            ("SIZE 0", Some(None)),
            ("SIZE 12a", Some(None)),
            ("SIZE 99999999999999999999", Some(None)),
            ("SIZE 1", Some(Some(1))),
            ("SIZES 1", None),
        ];
        for (line, expected) in table {
            assert_eq!(read(&["mx", line]).size, expected, "{line}");
        }
    }
}
