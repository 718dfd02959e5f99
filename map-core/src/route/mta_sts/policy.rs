//! The policy, as a policy host publishes it.

use super::super::HostName;
use super::record::is_extension_name;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a domain says of its mail hosts ([RFC 8461 section 3.2]).
///
/// It reads and prints the text that a policy host publishes:
/// ```
/// use map_core::route::HostName;
/// use map_core::route::mta_sts::{StsMode, StsPolicy};
///
/// let text = "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmax_age: 604800\n";
/// let policy = StsPolicy::parse(text.as_bytes())?;
/// assert_eq!(policy.mode, StsMode::Enforce);
/// assert!(policy.matches(&HostName::parse("mx2.example.net")?));
/// assert!(!policy.matches(&HostName::parse("mx.evil.example")?));
/// assert_eq!(StsPolicy::parse(policy.to_string().as_bytes()), Ok(policy));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [RFC 8461 section 3.2]: https://www.rfc-editor.org/rfc/rfc8461#section-3.2
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StsPolicy {
    /// How serious it is.
    pub mode: StsMode,
    /// The mail hosts; at least one unless the mode is [`StsMode::None`], and at most 1,000.
    pub mx: Vec<MxPattern>,
    /// How long it may be remembered; at most 31,557,600 seconds.
    pub max_age: Duration,
}

/// How serious a policy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StsMode {
    /// A mail host that does not fit the policy must not be used.
    Enforce,
    /// The domain has no policy any more.
    None,
    /// A mail host that does not fit is used, and the failure reported.
    Testing,
}

impl StsMode {
    /// `enforce`, `none`, `testing`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::None => "none",
            Self::Testing => "testing",
        }
    }
}

impl FromStr for StsMode {
    type Err = StsPolicyError;

    fn from_str(text: &str) -> Result<Self, StsPolicyError> {
        [Self::Enforce, Self::None, Self::Testing]
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or(StsPolicyError::Mode)
    }
}

impl fmt::Display for StsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which mail hosts a policy allows.
///
/// ```text
/// sts-policy-mx-value = ["*."] Domain
/// ```
///
/// Its name may hold `_` as a [`HostName`] may, and have a final dot, which is dropped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MxPattern {
    /// All hosts whose names are this one with one label before it.
    Below(HostName),
    /// This host.
    Host(HostName),
}

impl MxPattern {
    /// Whether it stands for this mail host, named as in the MX record.
    // https://www.rfc-editor.org/rfc/rfc8461#section-4.1
    // > the mx pattern "*.example.com" matches "mail.example.com" but not "example.com" or "foo.bar.example.com".
    pub fn matches(&self, host: &HostName) -> bool {
        match self {
            Self::Below(parent) => host
                .as_ascii()
                .split_once('.')
                .is_some_and(|(_, behind_first_label)| behind_first_label == parent.as_ascii()),
            Self::Host(name) => host == name,
        }
    }

    fn name(&self) -> &HostName {
        match self {
            Self::Below(name) | Self::Host(name) => name,
        }
    }
}

impl FromStr for MxPattern {
    type Err = StsPolicyError;

    fn from_str(text: &str) -> Result<Self, StsPolicyError> {
        let (make, name): (fn(HostName) -> Self, _) = match text.strip_prefix("*.") {
            Some(parent) => (Self::Below, parent),
            None => (Self::Host, text),
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        HostName::parse(name).map(make).map_err(|_| StsPolicyError::Mx)
    }
}

impl fmt::Display for MxPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Below(parent) => write!(f, "*.{parent}"),
            Self::Host(name) => name.fmt(f),
        }
    }
}

/// Why a text is no policy; a phrase about the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StsPolicyError {
    /// A line is not a name, a colon and a value.
    #[error("has a line {0} that is not of the form \"name: value\"")]
    Line(usize),
    /// `max_age` is not a number of seconds within the limit.
    #[error("has a max_age that is not a number of seconds from 0 to 31557600")]
    MaxAge,
    /// A field that must be there is not.
    #[error("has no {0}")]
    Missing(&'static str),
    /// `mode` is none of the three.
    #[error("has a mode other than enforce, testing and none")]
    Mode,
    /// An `mx` is not the name of a mail host in A-labels, or `*.` and a name.
    #[error("has an mx that is not the name of a mail host")]
    Mx,
    /// It is not UTF-8.
    #[error("is not UTF-8 text")]
    NotUtf8,
    /// It names more than 1,000 mail hosts.
    #[error("has more than 1000 mx")]
    TooManyMx,
    /// `version` is not `STSv1`.
    #[error("has a version other than STSv1")]
    Version,
}

/// In seconds (RFC 8461 section 3.2).
const MAX_MAX_AGE: u64 = 31_557_600;

/// Patterns of a policy. Each mail host is compared with all of them, and no domain has as many mail hosts.
const MAX_PATTERNS: usize = 1_000;

/// A pattern without the octets of its name: the place in the list, two counters and what the allocator adds.
const PATTERN_WEIGHT: usize = 64;

/// The first of each field that counts once.
#[derive(Default)]
struct Fields<'a> {
    version: Option<&'a str>,
    mode: Option<&'a str>,
    max_age: Option<&'a str>,
    mx: Vec<MxPattern>,
}

impl StsPolicy {
    /// Reads the text of a policy. Lines may end in LF or CRLF; empty ones are passed over, which the grammar does not
    /// ask for and real files need.
    ///
    /// # Errors
    /// What keeps it from being one.
    pub fn parse(text: &[u8]) -> Result<Self, StsPolicyError> {
        let text = str::from_utf8(text).map_err(|_| StsPolicyError::NotUtf8)?;
        let mut fields = Fields::default();
        for (line, number) in text.split('\n').zip(1..) {
            let line = line.strip_suffix('\r').unwrap_or(line).trim_end_matches(BLANKS);
            if !line.is_empty() {
                let (name, value) = field(line).ok_or(StsPolicyError::Line(number))?;
                fields.take(name, value)?;
            }
        }
        fields.finish()
    }

    /// Whether this mail host, named as in the MX record, is one of the policy's.
    pub fn matches(&self, host: &HostName) -> bool {
        self.mx.iter().any(|pattern| pattern.matches(host))
    }

    /// What it takes in memory, roughly, in octets.
    pub(super) fn weight(&self) -> usize {
        let names = self.mx.iter().map(|pattern| pattern.name().as_ascii().len());
        names.map(|octets| octets + PATTERN_WEIGHT).sum()
    }
}

/// As a policy host would publish it.
impl fmt::Display for StsPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version: STSv1\r\nmode: {}\r\n", self.mode)?;
        for pattern in &self.mx {
            write!(f, "mx: {pattern}\r\n")?;
        }
        write!(f, "max_age: {}\r\n", self.max_age.as_secs())
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

/// ```text
/// sts-policy-field-delim = ":" *WSP
/// sts-policy-ext-name    = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".")
/// sts-policy-ext-value   = sts-policy-vchar [*(%x20 / sts-policy-vchar) sts-policy-vchar]
/// sts-policy-vchar       = %x21-7E / UTF8-2 / UTF8-3 / UTF8-4
/// ```
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let value = value.trim_start_matches(BLANKS);
    let is_value = !value.is_empty() && !value.bytes().any(|octet| octet.is_ascii_control());
    (is_extension_name(name.as_bytes()) && is_value).then_some((name, value))
}

impl<'a> Fields<'a> {
    fn take(&mut self, name: &str, value: &'a str) -> Result<(), StsPolicyError> {
        let once = match name {
            "version" => &mut self.version,
            "mode" => &mut self.mode,
            "max_age" => &mut self.max_age,
            "mx" => {
                if self.mx.len() >= MAX_PATTERNS {
                    return Err(StsPolicyError::TooManyMx);
                }
                self.mx.push(value.parse()?);
                return Ok(());
            }
            // https://www.rfc-editor.org/rfc/rfc8461#section-3.2
            // > unknown fields SHALL be ignored. If any non-repeated field -- i.e., all fields excepting "mx" -- is
            // > duplicated, all entries except for the first SHALL be ignored.
            _ => return Ok(()),
        };
        once.get_or_insert(value);
        Ok(())
    }

    fn finish(self) -> Result<StsPolicy, StsPolicyError> {
        if self.version.ok_or(StsPolicyError::Missing("version"))? != "STSv1" {
            return Err(StsPolicyError::Version);
        }
        let mode = self.mode.ok_or(StsPolicyError::Missing("mode"))?.parse()?;
        let max_age = max_age(self.max_age.ok_or(StsPolicyError::Missing("max_age"))?)?;
        if self.mx.is_empty() && mode != StsMode::None {
            return Err(StsPolicyError::Missing("mx"));
        }
        Ok(StsPolicy {
            mode,
            mx: self.mx,
            max_age,
        })
    }
}

/// ```text
/// sts-policy-max-age-value = 1*10(DIGIT)
/// ```
fn max_age(value: &str) -> Result<Duration, StsPolicyError> {
    let is_number = value.len() <= 10 && value.bytes().all(|octet| octet.is_ascii_digit());
    value
        .parse()
        .ok()
        .filter(|seconds| is_number && *seconds <= MAX_MAX_AGE)
        .map(Duration::from_secs)
        .ok_or(StsPolicyError::MaxAge)
}

#[cfg(test)]
mod tests;
