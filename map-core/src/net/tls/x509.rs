//! What has to be known of a certificate that no verifier accepts.
//!
//! Mail servers show certificates that the verifiers of the web refuse to read: of version 1, without alternative
//! names, with extensions that are wrong or unknown. A TLSA record can vouch for them all the same, and a person wants
//! to know what is wrong with them. So this reads only the places of the fields (RFC 5280 section 4.1), and not whether
//! what stands there is allowed. Nothing here makes a certificate trusted.

use rustls::pki_types::{CertificateDer, UnixTime};
use std::time::Duration;

/// The fields of a certificate, as DER.
#[derive(Debug)]
pub(super) struct Certificate<'a> {
    /// The contents of the issuer's name.
    pub(super) issuer: &'a [u8],
    /// The contents of the subject's name.
    subject: &'a [u8],
    /// The contents of the validity: two times.
    validity: &'a [u8],
    /// The `SubjectPublicKeyInfo`, with its tag.
    pub(super) key: &'a [u8],
    /// The contents of the extensions; empty if there are none.
    extensions: &'a [u8],
}

mod tag {
    pub(super) const INTEGER: u8 = 0x02;
    pub(super) const BIT_STRING: u8 = 0x03;
    pub(super) const OCTET_STRING: u8 = 0x04;
    pub(super) const OID: u8 = 0x06;
    pub(super) const UTF8_STRING: u8 = 0x0c;
    pub(super) const PRINTABLE_STRING: u8 = 0x13;
    pub(super) const TELETEX_STRING: u8 = 0x14;
    pub(super) const IA5_STRING: u8 = 0x16;
    pub(super) const UTC_TIME: u8 = 0x17;
    pub(super) const GENERALIZED_TIME: u8 = 0x18;
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const SET: u8 = 0x31;
    /// `dNSName` among the alternative names.
    pub(super) const DNS_NAME: u8 = 0x82;
    /// `version`
    pub(super) const VERSION: u8 = 0xa0;
    /// `extensions`
    pub(super) const EXTENSIONS: u8 = 0xa3;
}

/// 2.5.4.3, `commonName`
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
/// 1.2.840.113549.1.1.1, `rsaEncryption`
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
/// 2.5.29.17, `subjectAltName`
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 29, 17];

impl<'a> Certificate<'a> {
    /// `None` for what is not laid out as a certificate.
    pub(super) fn read(der: &'a CertificateDer<'_>) -> Option<Self> {
        let mut certificate = Reader(Reader(der).expect(tag::SEQUENCE)?);
        let mut fields = Reader(certificate.expect(tag::SEQUENCE)?);
        fields.skip_if(tag::VERSION);
        fields.expect(tag::INTEGER)?;
        fields.expect(tag::SEQUENCE)?;
        let issuer = fields.expect(tag::SEQUENCE)?;
        let validity = fields.expect(tag::SEQUENCE)?;
        let subject = fields.expect(tag::SEQUENCE)?;
        let key = fields.next().filter(|key| key.tag == tag::SEQUENCE)?.whole;
        let extensions = fields
            .find(|field| field.tag == tag::EXTENSIONS)
            .and_then(|field| Reader(field.contents).expect(tag::SEQUENCE))
            .unwrap_or_default();
        Some(Self {
            issuer,
            subject,
            validity,
            key,
            extensions,
        })
    }

    /// Issuer and subject are the same: nobody else vouches for it.
    pub(super) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// The names of hosts in it: those of the alternative names, or else the common name.
    ///
    /// <https://www.rfc-editor.org/rfc/rfc7672#section-3.2.3>: a common name counts only where there is no `dNSName`.
    pub(super) fn host_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for extension in Reader(self.extensions) {
            let mut parts = Reader(extension.contents);
            if parts.expect(tag::OID) != Some(ALTERNATIVE_NAMES) {
                continue;
            }
            let value = parts.find(|part| part.tag == tag::OCTET_STRING);
            let alternatives = value.and_then(|value| Reader(value.contents).expect(tag::SEQUENCE));
            let hosts = Reader(alternatives.unwrap_or_default()).filter(|name| name.tag == tag::DNS_NAME);
            names.extend(hosts.map(|name| String::from_utf8_lossy(name.contents).into_owned()));
        }
        if names.is_empty() {
            names.extend(common_name(self.subject));
        }
        names
    }

    /// The common name of who issued it.
    pub(super) fn issuer_name(&self) -> Option<String> {
        common_name(self.issuer)
    }

    /// The length of an RSA key, in bits.
    pub(super) fn rsa_bits(&self) -> Option<usize> {
        let mut key = Reader(contents(self.key)?);
        let algorithm = Reader(key.expect(tag::SEQUENCE)?).expect(tag::OID)?;
        // The octet in front counts unused bits, of which a key has none.
        let key = key.expect(tag::BIT_STRING)?.strip_prefix(&[0])?;
        let modulus = Reader(Reader(key).expect(tag::SEQUENCE)?).expect(tag::INTEGER)?;
        let zeros = modulus.iter().take_while(|&&octet| octet == 0).count();
        (algorithm == RSA_ENCRYPTION).then(|| modulus.len().saturating_sub(zeros).saturating_mul(8))
    }

    /// The first and the last moment of its validity.
    pub(super) fn validity(&self) -> Option<(UnixTime, UnixTime)> {
        let mut times = Reader(self.validity);
        Some((time(&times.next()?)?, time(&times.next()?)?))
    }
}

/// What is in a `SEQUENCE`, the first of these octets.
pub(super) fn contents(sequence: &[u8]) -> Option<&[u8]> {
    Reader(sequence).expect(tag::SEQUENCE)
}

/// The most specific common name, which stands last.
fn common_name(name: &[u8]) -> Option<String> {
    let attributes = Reader(name)
        .filter(|set| set.tag == tag::SET)
        .flat_map(|set| Reader(set.contents));
    attributes
        .filter_map(|attribute| {
            let mut parts = Reader(attribute.contents);
            let is_common_name = parts.expect(tag::OID) == Some(COMMON_NAME);
            parts.next().filter(|value| is_common_name && is_text(value.tag))
        })
        .last()
        .map(|value| String::from_utf8_lossy(value.contents).into_owned())
}

fn is_text(tag: u8) -> bool {
    matches!(
        tag,
        tag::UTF8_STRING | tag::PRINTABLE_STRING | tag::TELETEX_STRING | tag::IA5_STRING
    )
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (RFC 5280 section 4.1.2.5).
fn time(element: &Element<'_>) -> Option<UnixTime> {
    let text = str::from_utf8(element.contents).ok()?.strip_suffix('Z')?;
    let (year, rest) = match element.tag {
        tag::UTC_TIME => {
            let (year, rest) = (number(text.get(..2)?)?, text.get(2..)?);
            // https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5.1
            // > Where YY is greater than or equal to 50, the year SHALL be interpreted as 19YY
            (if year >= 50 { 1900 + year } else { 2000 + year }, rest)
        }
        tag::GENERALIZED_TIME => (number(text.get(..4)?)?, text.get(4..)?),
        _ => return None,
    };
    let pair = |from: usize| {
        let number = number(rest.get(from..from + 2)?)?;
        i8::try_from(number).ok()
    };
    let (month, day, hour, minute, second) = (pair(0)?, pair(2)?, pair(4)?, pair(6)?, pair(8)?);
    let time = jiff::civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    let seconds = jiff::tz::Offset::UTC.to_timestamp(time).ok()?.as_second();
    // A certificate that began before 1970 began.
    Some(UnixTime::since_unix_epoch(Duration::from_secs(
        seconds.try_into().unwrap_or(0),
    )))
}

fn number(digits: &str) -> Option<i16> {
    let all_digits = digits.bytes().all(|octet| octet.is_ascii_digit());
    digits.parse().ok().filter(|_| all_digits)
}

/// One element of DER.
struct Element<'a> {
    tag: u8,
    contents: &'a [u8],
    whole: &'a [u8],
}

/// Elements one behind the other. Ends at the first that is none.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|element| element.tag == tag)
            .map(|element| element.contents)
    }

    fn skip_if(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            self.next();
        }
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let start = std::mem::take(&mut self.0);
        let (&tag, rest) = start.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            // TLS carries no certificate that needs more than three.
            if octets.is_empty() || octets.len() > 3 {
                return None;
            }
            let length = octets
                .iter()
                .fold(0, |length, &octet| length << 8 | usize::from(octet));
            (length, rest)
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        let (whole, _) = start.split_at_checked(start.len().checked_sub(rest.len())?)?;
        self.0 = rest;
        Some(Element { tag, contents, whole })
    }
}
