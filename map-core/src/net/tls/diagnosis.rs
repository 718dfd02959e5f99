//! What is wrong with a certificate or a handshake, in words that a person can act on.
//!
//! What is said of a certificate stands after "its certificate"; what is said of a handshake after "the TLS handshake
//! failed:". Names in a certificate are a stranger's text: they are shortened, and escaped.

use super::x509::Certificate;
use crate::text;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, OtherError, PeerIncompatible};
use std::fmt;

/// More names of a certificate than this say no more.
const MAX_NAMES: usize = 3;
/// The shortest RSA key that signatures are verified with, in bits.
const MIN_RSA_BITS: usize = 2048;
/// The longest name there is in the DNS.
const MAX_NAME: usize = 253;

/// Why a verifier refuses the certificate of a server that should be `expected`, which it showed with `others`.
pub(super) fn of_certificate(
    error: &Error,
    certificate: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    expected: &str,
) -> String {
    use CertificateError as E;
    let read = Certificate::read(certificate);
    let Error::InvalidCertificate(error) = error else {
        return format!("cannot be judged: {}", reason(error));
    };
    match error {
        E::Expired => "has expired".to_owned(),
        E::ExpiredContext { not_after, .. } => {
            let dates = read.and_then(|read| read.validity());
            of_dates(expired(*not_after), dates, others, |(_, until)| {
                until == *not_after
            })
        }
        E::NotValidYet => "is not valid yet".to_owned(),
        E::NotValidYetContext { not_before, .. } => {
            let dates = read.and_then(|read| read.validity());
            of_dates(not_valid_yet(*not_before), dates, others, |(from, _)| {
                from == *not_before
            })
        }
        E::NotValidForName | E::NotValidForNameContext { .. } => match read {
            // Whoever made it knows its name in it, and would not understand that it is not for that.
            Some(read) if read.host_names().iter().any(|name| name == expected) => {
                format!("is for {expected} only by its common name, which does not count any more")
            }
            Some(read) => wrong_name(&read, expected),
            None => format!("is not for {expected}"),
        },
        E::Revoked => "has been revoked".to_owned(),
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => "is not meant for servers".to_owned(),
        // Whatever else a verifier finds in a certificate that nobody but itself vouches for.
        _ if read.as_ref().is_some_and(Certificate::is_self_issued) => "is self-signed".to_owned(),
        // A bad signature is one by somebody who goes by the name of an authority that is trusted.
        E::UnknownIssuer | E::BadSignature => match read.and_then(|read| read.issuer_name()) {
            Some(issuer) => format!(
                "is vouched for by no authority that is trusted here (issued by {})",
                shown(&issuer)
            ),
            None => "is vouched for by no authority that is trusted here".to_owned(),
        },
        E::BadEncoding => unreadable(),
        E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "is signed by an algorithm that is not supported here".to_owned()
        }
        E::UnhandledCriticalExtension => "has a critical extension that is not known here".to_owned(),
        E::Other(OtherError(other)) => match other.downcast_ref::<webpki::Error>() {
            Some(webpki::Error::CaUsedAsEndEntity) => "is one of an authority, not of a server".to_owned(),
            Some(webpki::Error::UnsupportedCertVersion) => {
                "is older than X.509 version 3, and cannot be verified".to_owned()
            }
            Some(error) => format!("cannot be verified: {}", reason(error)),
            None => format!("cannot be verified: {}", reason(other)),
        },
        other => format!("cannot be verified: {}", reason(other)),
    }
}

/// A verifier says when, and not of which certificate of the chain: it is the server's if that has such dates.
fn of_dates(
    when: String,
    dates: Option<(UnixTime, UnixTime)>,
    others: &[CertificateDer<'_>],
    fits: impl Fn((UnixTime, UnixTime)) -> bool,
) -> String {
    if dates.is_none_or(&fits) {
        return when;
    }
    let mut between = others.iter().filter_map(Certificate::read);
    let name = between
        .find(|other| other.validity().is_some_and(&fits))
        .and_then(|other| other.subject_name());
    match name {
        Some(name) => format!(
            "is issued by an authority whose own certificate ({}) {when}",
            shown(&name)
        ),
        None => format!("is issued by an authority whose own certificate {when}"),
    }
}

/// Why the signature that a server made in the handshake does not convince.
pub(super) fn of_signature(error: &Error, certificate: &CertificateDer<'_>) -> String {
    let rsa_bits = Certificate::read(certificate).and_then(|read| read.rsa_bits());
    if let Some(bits) = rsa_bits.filter(|&bits| bits < MIN_RSA_BITS) {
        return format!("has a key that is too short to prove anything (RSA, {bits} bits)");
    }
    match error {
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            "is not the server's own: the handshake was not signed with its key".to_owned()
        }
        Error::InvalidCertificate(CertificateError::BadEncoding) => unreadable(),
        _ => "has a key of a kind that is not supported here".to_owned(),
    }
}

/// Why there was no handshake.
pub(super) fn of_handshake(error: &Error) -> String {
    use AlertDescription as Alert;
    match error {
        Error::AlertReceived(Alert::ProtocolVersion)
        | Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        )
        | Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion) => {
            "it speaks only an older TLS than 1.2".to_owned()
        }
        Error::AlertReceived(Alert::HandshakeFailure | Alert::InsufficientSecurity) => {
            "it knows no cipher suite that is safe and known here".to_owned()
        }
        Error::AlertReceived(Alert::UnrecognisedName) => {
            "it does not know the name it was asked for".to_owned()
        }
        Error::AlertReceived(Alert::CertificateRequired) => "it asks for a certificate of ours".to_owned(),
        Error::AlertReceived(alert) => format!("it gave up with the alert {alert:?}"),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "it answered in the clear instead of TLS".to_owned()
        }
        Error::NoCertificatesPresented => "it showed no certificate".to_owned(),
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerMisbehaved(_)
        | Error::PeerIncompatible(_)
        | Error::PeerSentOversizedRecord
        | Error::DecryptError => format!("it breaks the TLS protocol ({})", reason(error)),
        other => reason(other),
    }
}

/// What others say of an error. They may print what the peer chose, and however much of it.
fn reason(error: &impl fmt::Display) -> String {
    text::excerpt(error.to_string().as_bytes(), text::MAX_QUOTED)
}

/// The certificate is valid at this moment.
///
/// # Errors
/// Why it is not.
pub(super) fn judge_dates(certificate: &Certificate<'_>, now: UnixTime) -> Result<(), String> {
    let (from, until) = certificate.validity().ok_or_else(unreadable)?;
    if now < from {
        Err(not_valid_yet(from))
    } else if now > until {
        Err(expired(until))
    } else {
        Ok(())
    }
}

pub(super) fn unreadable() -> String {
    "cannot be read".to_owned()
}

pub(super) fn wrong_name(certificate: &Certificate<'_>, expected: &str) -> String {
    let mut names = certificate.host_names();
    names.extend(certificate.addresses().iter().map(ToString::to_string));
    let mut list: Vec<String> = names.iter().take(MAX_NAMES).map(|name| shown(name)).collect();
    if names.len() > MAX_NAMES {
        list.push(format!("{} more", names.len() - MAX_NAMES));
    }
    if list.is_empty() {
        format!("carries no name of a host, so not {expected}")
    } else {
        format!("is for {}, not for {expected}", list.join(", "))
    }
}

fn expired(not_after: UnixTime) -> String {
    format!("expired on {}", day(not_after))
}

fn not_valid_yet(not_before: UnixTime) -> String {
    format!("is not valid before {}", day(not_before))
}

fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => jiff::tz::Offset::UTC.to_datetime(time).date().to_string(),
        Err(_) => "a day out of all calendars".to_owned(),
    }
}

fn shown(name: &str) -> String {
    text::excerpt(name.as_bytes(), MAX_NAME)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Contents, Server, certificate_with_key, rsa_key};
    use super::*;

    #[test]
    fn a_name_of_a_stranger_does_no_harm_to_a_terminal() {
        let server = Server::self_signed(&Contents::common_name_only("\u{1b}[2J\n."));
        let read = Certificate::read(&server.chain[0]).expect("a certificate");
        assert_eq!(
            wrong_name(&read, "mx.example"),
            "is for \\u{1b}[2J\\n., not for mx.example"
        );
    }

    #[test]
    fn a_key_that_is_too_short_is_not_called_stolen() {
        let bad = Error::InvalidCertificate(CertificateError::BadSignature);
        let short = certificate_with_key(&rsa_key(1024));
        assert_eq!(
            of_signature(&bad, &short),
            "has a key that is too short to prove anything (RSA, 1024 bits)"
        );
        let long = certificate_with_key(&rsa_key(2048));
        assert_eq!(
            of_signature(&bad, &long),
            "is not the server's own: the handshake was not signed with its key"
        );
    }
}
