//! How the session with a mail host has to be protected, and who says so.

/// What demanded a protected session with a mail host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsPolicy {
    /// The TLSA records of the host (RFC 7672).
    Dane,
    /// The MTA-STS policy of the recipient's domain (RFC 8461).
    MtaSts,
    /// The settings of the relay.
    Relay,
    /// [`Config::set_require_tls`](crate::Config::set_require_tls).
    Required,
}

impl TlsPolicy {
    /// `dane`, `mta-sts`, `relay`, `required`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dane => "dane",
            Self::MtaSts => "mta-sts",
            Self::Relay => "relay",
            Self::Required => "required",
        }
    }
}
