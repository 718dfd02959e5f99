//! Which keys are trusted for DNSSEC, and whether validation by them works here.

use crate::local::LocalError;
use crate::text::named;
use hickory_resolver::proto::dnssec::TrustAnchors as RootKeys;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The keys of the root of the DNS that are trusted; by default those of the Internet, which are built in.
///
/// ```
/// use map_core::route::TrustAnchors;
///
/// let text = ". 172800 IN DNSKEY 257 3 13 \
///     KXX8lzMOgAB9pQn4OYmSzrP0rEVWrdXSu5vQ0DKhUvLNkmJrQtk7QZAzl+QW51cYSs2JiuQwJVEPK0yV6GXgWQ==";
/// assert!(text.parse::<TrustAnchors>().is_ok());
/// assert!("nonsense".parse::<TrustAnchors>().is_err());
/// ```
#[derive(Clone, Default)]
pub struct TrustAnchors(pub(super) Arc<RootKeys>);

/// Why a text holds no trust anchors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustAnchorError {
    /// No DNSKEY record of the root among the records.
    #[error("there is no DNSKEY record of the root in it")]
    NoRootKey,
    /// Not DNSKEY records in the form of a zone file; the reason.
    #[error("it is not a list of DNSKEY records: {}", named(.0))]
    Syntax(String),
}

/// DNSKEY records in the form of a zone file, as `dig . DNSKEY` prints them.
impl FromStr for TrustAnchors {
    type Err = TrustAnchorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let keys = RootKeys::from_str(text).map_err(|error| TrustAnchorError::Syntax(error.to_string()))?;
        if keys.is_empty() {
            return Err(TrustAnchorError::NoRootKey);
        }
        Ok(Self(Arc::new(keys)))
    }
}

impl fmt::Debug for TrustAnchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustAnchors")
            .field("root_keys", &self.0.len())
            .finish()
    }
}

/// Whether a resolver validates by DNSSEC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validation {
    /// It does.
    On,
    /// It cannot, here and now: nothing is proved, and DANE (RFC 7672) protects no delivery.
    Off(NotValidating),
}

/// Why DNSSEC validation cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotValidating {
    /// The signature of the root's keys does not verify.
    #[error("the keys of the DNS root come with a bad signature")]
    BadSignature,
    /// The signature of the root's keys is not valid yet, or not any more, by this machine's clock.
    #[error("by this machine's clock the signatures of the DNS root are not valid; set the clock")]
    Clock,
    /// This machine lacks what the question for the root's keys needs: it was not asked, and nothing is known.
    #[error("this machine has {0}")]
    Local(LocalError),
    /// Nobody answered the question for the root's keys.
    #[error("no DNS server answered the question for the keys of the root")]
    NoAnswer,
    /// A server or forwarder on the way leaves signatures out.
    #[error("the DNS server leaves signatures out; use one that supports DNSSEC")]
    NoSignatures,
    /// The root has other keys than those that are trusted: another root, or newer keys.
    #[error("the keys of the DNS root are not those that are trusted")]
    OtherKeys,
    /// The question for the root's keys failed, or the configuration did; the reason.
    #[error("the keys of the DNS root cannot be asked for: {0}")]
    Refused(String),
    /// The resolver is one that never validates.
    #[error("the resolver does not support DNSSEC")]
    Unsupported,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_root_and_nothing_else() {
        let key = "IN DNSKEY 257 3 13 \
            KXX8lzMOgAB9pQn4OYmSzrP0rEVWrdXSu5vQ0DKhUvLNkmJrQtk7QZAzl+QW51cYSs2JiuQwJVEPK0yV6GXgWQ==";
        let read = |text: &str| text.parse::<TrustAnchors>().map(|anchors| anchors.0.len());
        assert_eq!(read(&format!("; the root\n. 60 {key}\n")), Ok(1));
        assert_eq!(read(&format!(". {key}\n")), Ok(1));
        assert_eq!(
            read(&format!("test. 60 {key}\n")),
            Err(TrustAnchorError::NoRootKey)
        );
        assert_eq!(read(""), Err(TrustAnchorError::NoRootKey));
        assert!(matches!(
            read(". 60 IN A 192.0.2.1"),
            Err(TrustAnchorError::Syntax(_))
        ));
        assert!(matches!(
            read(". 60 IN DNSKEY 257 3 13 ?"),
            Err(TrustAnchorError::Syntax(_))
        ));
    }

    #[test]
    fn the_internets_root_is_built_in() {
        assert_eq!(
            format!("{:?}", TrustAnchors::default()),
            "TrustAnchors { root_keys: 2 }"
        );
    }
}
