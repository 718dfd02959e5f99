//! What a server offers, read from its answer to EHLO.

use super::{AuthMechanism, Reply};
use crate::envelope::BodyType;
use std::num::NonZeroU32;

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
    /// RFC 3030 section 2
    pub chunking: bool,
    /// RFC 3030 section 3; of no use without CHUNKING.
    pub binary_mime: bool,
    /// RFC 3461
    pub dsn: bool,
    /// RFC 8689. False wherever it must not be announced: in the clear, and to a client that does not know whom it
    /// speaks with.
    pub require_tls: bool,
    /// RFC 9422
    pub limits: Limits,
    /// RFC 3207
    pub starttls: bool,
    /// RFC 2034
    pub enhanced_status_codes: bool,
    /// RFC 4954: the mechanisms that are known here, in the server's order.
    pub auth: Vec<AuthMechanism>,
}

/// How much of something a server takes at a time, where it has said so (RFC 9422).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// `MAILMAX`: mail transactions in one session.
    pub mail_max: Option<NonZeroU32>,
    /// `RCPTMAX`: recipients in one mail transaction.
    pub rcpt_max: Option<NonZeroU32>,
    /// `RCPTDOMAINMAX`: domains of recipients in one mail transaction.
    pub rcpt_domain_max: Option<NonZeroU32>,
}

impl Capabilities {
    /// Reads the lines after the first: `ehlo-keyword *( SP ehlo-param )`, keywords in any case.
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
                b"BINARYMIME" => capabilities.binary_mime = true,
                b"CHUNKING" => capabilities.chunking = true,
                b"DSN" => capabilities.dsn = true,
                b"ENHANCEDSTATUSCODES" => capabilities.enhanced_status_codes = true,
                b"LIMITS" => words.for_each(|word| capabilities.limits.add(word)),
                b"PIPELINING" => capabilities.pipelining = true,
                b"REQUIRETLS" => capabilities.require_tls = true,
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

    /// True when the server takes such a body.
    pub fn takes(&self, body_type: BodyType) -> bool {
        match body_type {
            BodyType::SevenBit => true,
            BodyType::EightBit => self.eight_bit_mime,
            BodyType::Binary => self.binary_mime && self.chunking,
        }
    }
}

impl Limits {
    /// RFC 9422 section 3, <https://www.rfc-editor.org/rfc/rfc9422#section-3>: `name [ "=" value ]`. What is not known
    /// here, or makes no sense, limits nothing: the server still answers every command.
    fn add(&mut self, limit: &[u8]) {
        let mut parts = limit.splitn(2, |octet| *octet == b'=');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            return;
        };
        let value = std::str::from_utf8(value)
            .ok()
            .and_then(|value| value.parse().ok());
        match name.to_ascii_uppercase().as_slice() {
            b"MAILMAX" => self.mail_max = value,
            b"RCPTDOMAINMAX" => self.rcpt_domain_max = value,
            b"RCPTMAX" => self.rcpt_max = value,
            _ => {}
        }
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
    fn limits_that_make_sense() {
        type Row = (&'static str, [Option<u32>; 3]);
        let table: [Row; 8] = [
            ("LIMITS", [None; 3]),
            (
                "LIMITS RCPTMAX=20 MAILMAX=5 RCPTDOMAINMAX=1",
                [Some(5), Some(20), Some(1)],
            ),
            ("limits mailmax=5", [Some(5), None, None]),
            ("LIMITS RCPTMAX=0 MAILMAX=-1 RCPTDOMAINMAX=", [None; 3]),
            ("LIMITS RCPTMAX MAILMAX=many", [None; 3]),
            (
                "LIMITS RCPTMAX=99999999999 SIZE=3 MAILMAX=2",
                [Some(2), None, None],
            ),
            ("LIMITS RCPTMAX=3=4", [None; 3]),
            ("RCPTMAX=3", [None; 3]),
        ];
        for (line, [mail_max, rcpt_max, rcpt_domain_max]) in table {
            let limit = |limit: Option<u32>| limit.and_then(NonZeroU32::new);
            let expected = Limits {
                mail_max: limit(mail_max),
                rcpt_max: limit(rcpt_max),
                rcpt_domain_max: limit(rcpt_domain_max),
            };
            assert_eq!(read(&["mx", line]).limits, expected, "{line}");
        }
    }

    #[test]
    fn a_binary_body_needs_chunking_too() {
        let offers = |lines: &[&str]| {
            let capabilities = read(lines);
            [BodyType::SevenBit, BodyType::EightBit, BodyType::Binary]
                .map(|body_type| capabilities.takes(body_type))
        };
        assert_eq!(offers(&["mx"]), [true, false, false]);
        assert_eq!(offers(&["mx", "8BITMIME"]), [true, true, false]);
        assert_eq!(offers(&["mx", "8BITMIME", "BINARYMIME"]), [true, true, false]);
        assert_eq!(offers(&["mx", "CHUNKING", "BINARYMIME"]), [true, false, true]);
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
