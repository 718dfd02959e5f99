//! What has to be known of a certificate that no verifier accepts.
//!
//! Mail servers show certificates that the verifiers of the web refuse to read: of version 1, without alternative
//! names, with extensions that are wrong or unknown. A TLSA record can vouch for them all the same, and a person wants
//! to know what is wrong with them. So this reads only the places of the fields (RFC 5280 section 4.1), and not whether
//! what stands there is allowed. Nothing here makes a certificate trusted.

use rustls::pki_types::{CertificateDer, UnixTime};
use std::net::IpAddr;
use std::time::Duration;

/// The fields of a certificate, as DER.
#[derive(Debug)]
pub(super) struct Certificate<'a> {
    /// The contents of the issuer's name.
    pub(super) issuer: &'a [u8],
    /// The contents of the subject's name.
    pub(super) subject: &'a [u8],
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
    /// `iPAddress` among them.
    pub(super) const IP_ADDRESS: u8 = 0x87;
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
        let hosts = self.alternative_names().filter(|name| name.tag == tag::DNS_NAME);
        let mut names: Vec<String> = hosts.map(|name| text(name.contents)).collect();
        if names.is_empty() {
            names.extend(common_name(self.subject));
        }
        names
    }

    /// The addresses of hosts in it.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        self.alternative_names()
            .filter(|name| name.tag == tag::IP_ADDRESS)
            .filter_map(|name| match name.contents.len() {
                4 => <[u8; 4]>::try_from(name.contents).map(IpAddr::from).ok(),
                _ => <[u8; 16]>::try_from(name.contents).map(IpAddr::from).ok(),
            })
            .collect()
    }

    fn alternative_names(&self) -> impl Iterator<Item = Element<'a>> {
        Reader(self.extensions)
            .filter_map(|extension| {
                let mut parts = Reader(extension.contents);
                let is_ours = parts.expect(tag::OID) == Some(ALTERNATIVE_NAMES);
                let value = parts.find(|part| is_ours && part.tag == tag::OCTET_STRING)?;
                contents(value.contents)
            })
            .flat_map(Reader)
    }

    /// The common name of whom it is for.
    pub(super) fn subject_name(&self) -> Option<String> {
        common_name(self.subject)
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

/// Reads all that is ever read of a certificate.
#[cfg(any(fuzzing, test))]
#[cfg_attr(
    not(fuzzing),
    expect(unreachable_pub, reason = "only the fuzz target is elsewhere")
)]
pub fn read_all_of_a_certificate(octets: &[u8]) {
    let der = CertificateDer::from(octets);
    let Some(certificate) = Certificate::read(&der) else {
        return;
    };
    for part in [certificate.issuer, certificate.subject, certificate.key] {
        assert!(part.len() < octets.len(), "a part is smaller than the whole");
    }
    let names = certificate.host_names();
    let octets_of_names: usize = names.iter().map(String::len).sum();
    // What is not UTF-8 takes three octets for each of its own.
    assert!(
        octets_of_names <= 3 * octets.len(),
        "names are no longer than what they stand in"
    );
    assert!(certificate.addresses().len() <= octets.len() / 4);
    assert!(certificate.rsa_bits().is_none_or(|bits| bits <= 8 * octets.len()));
    let _ = (
        certificate.is_self_issued(),
        certificate.issuer_name(),
        certificate.validity(),
    );
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
        .map(|value| text(value.contents))
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
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

/// Elements one after the other. Ends at the first that is none.
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

#[cfg(test)]
mod tests {
    use super::super::testing::{Contents, HOST, Server, certificate_with_key, der, rsa_key};
    use super::*;
    use proptest::prelude::*;
    use rustls::server::ParsedCertificate;

    fn read(server: &Server) -> Certificate<'_> {
        Certificate::read(&server.chain[0]).expect("a certificate")
    }

    #[test]
    fn fields_are_found_where_a_verifier_finds_them() {
        let server = Server::issued(&Contents::good());
        let parsed = ParsedCertificate::try_from(&server.chain[0]).expect("a certificate");
        let ours = read(&server);
        assert_eq!(ours.key, &parsed.subject_public_key_info()[..]);
        assert_eq!(ours.host_names(), [HOST]);
        assert_eq!(ours.issuer_name().as_deref(), Some("Example Authority"));
        assert!(!ours.is_self_issued());
        let anchor = webpki::anchor_from_trusted_cert(&server.authority).expect("an anchor");
        assert_eq!(ours.issuer, &anchor.subject[..]);
    }

    #[test]
    fn a_common_name_counts_only_without_alternative_ones() {
        let both = Contents {
            common_name: Some("common.example"),
            ..Contents::good()
        };
        assert_eq!(read(&Server::self_signed(&both)).host_names(), [HOST]);
        let common = Server::self_signed(&Contents::common_name_only("common.example"));
        assert_eq!(read(&common).host_names(), ["common.example"]);
        let address = Server::self_signed(&Contents::named("192.0.2.1"));
        let address = read(&address);
        assert_eq!(
            address.addresses(),
            ["192.0.2.1".parse::<IpAddr>().expect("an address")]
        );
        let old = Server::self_signed_v1("old.example");
        assert_eq!(read(&old).host_names(), ["old.example"]);
        assert!(read(&old).is_self_issued());
    }

    #[test]
    fn times_are_read_in_both_forms() {
        let seconds = |tag: u8, text: &str| {
            let element = der(tag, &[text.as_bytes()]);
            let element = Reader(&element).next().expect("an element");
            time(&element).map(|time| time.as_secs())
        };
        assert_eq!(seconds(tag::UTC_TIME, "700101000001Z"), Some(1));
        assert_eq!(seconds(tag::UTC_TIME, "490101000000Z"), Some(2_493_072_000));
        assert_eq!(seconds(tag::UTC_TIME, "500101000000Z"), Some(0), "in 1950");
        assert_eq!(
            seconds(tag::GENERALIZED_TIME, "20500101000000Z"),
            Some(2_524_608_000)
        );
        for (tag, text) in [
            (tag::UTC_TIME, "260229000000Z"),
            (tag::UTC_TIME, "2601010000Z"),
            (tag::UTC_TIME, "260101000000"),
            (tag::UTC_TIME, "+60101000000Z"),
            (tag::GENERALIZED_TIME, "2026010100\u{e9}0Z"),
            (tag::INTEGER, "260101000000Z"),
        ] {
            assert_eq!(seconds(tag, text), None, "{text}");
        }
    }

    #[test]
    fn the_length_of_an_rsa_key_is_known() {
        for bits in [1024, 2048, 4096] {
            let certificate = certificate_with_key(&rsa_key(bits));
            let read = Certificate::read(&certificate).expect("a certificate");
            assert_eq!(read.rsa_bits(), Some(bits));
        }
        assert_eq!(read(&Server::good()).rsa_bits(), None);
    }

    /// The seeds of the fuzz target, and what it found.
    #[test]
    fn the_corpus_of_the_fuzzer_holds() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/certificates");
        let mut runs = 0;
        for file in std::fs::read_dir(directory).expect("the corpus") {
            read_all_of_a_certificate(&std::fs::read(file.expect("a file").path()).expect("its octets"));
            runs += 1;
        }
        assert!(runs >= 5, "only {runs} files in the corpus");
    }

    proptest! {
        #[test]
        fn nonsense_is_no_certificate_and_does_no_harm(
            position in any::<prop::sample::Index>(),
            octet: u8,
            cut in any::<prop::sample::Index>(),
        ) {
            let server = Server::self_signed_v1(HOST);
            let good = Server::self_signed(&Contents::good());
            for certificate in [&server.chain[0], &good.chain[0]] {
                let mut octets = certificate.to_vec();
                let position = position.index(octets.len());
                octets[position] = octet;
                for octets in [&octets[..], &octets[..cut.index(octets.len())]] {
                    read_all_of_a_certificate(octets);
                }
            }
        }
    }
}
