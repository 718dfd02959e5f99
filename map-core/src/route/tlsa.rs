//! The TLSA record.

/// A TLSA record (RFC 6698 section 2.1): which certificate or key a TLS server must show.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tlsa {
    /// 0 PKIX-TA, 1 PKIX-EE, 2 DANE-TA, 3 DANE-EE.
    pub usage: u8,
    /// 0 the whole certificate, 1 its `SubjectPublicKeyInfo`.
    pub selector: u8,
    /// 0 the octets themselves, 1 their SHA-256, 2 their SHA-512.
    pub matching_type: u8,
    /// What it must match.
    pub data: Vec<u8>,
}

impl Tlsa {
    /// True when SMTP can use the record.
    // https://www.rfc-editor.org/rfc/rfc7672#section-3.1.3
    // > SMTP client treatment of TLSA RRs with certificate usages PKIX-TA(0) or PKIX-EE(1) is undefined. [...] SMTP
    // > clients SHOULD treat such TLSA records as unusable.
    pub fn is_usable(&self) -> bool {
        let length_fits = match self.matching_type {
            0 => !self.data.is_empty(),
            1 => self.data.len() == 32,
            2 => self.data.len() == 64,
            _ => false,
        };
        matches!(self.usage, 2 | 3) && matches!(self.selector, 0 | 1) && length_fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dane_usages_with_known_parameters_are_usable() {
        let cases = [
            ((3, 1, 1, 32), true),
            ((3, 0, 1, 32), true),
            ((2, 0, 1, 32), true),
            ((2, 1, 2, 64), true),
            ((3, 1, 0, 91), true),
            ((0, 0, 1, 32), false),
            ((1, 1, 1, 32), false),
            ((4, 1, 1, 32), false),
            ((3, 2, 1, 32), false),
            ((3, 1, 3, 32), false),
            ((3, 1, 1, 31), false),
            ((3, 1, 2, 32), false),
            ((3, 1, 0, 0), false),
        ];
        for ((usage, selector, matching_type, length), usable) in cases {
            let record = Tlsa {
                usage,
                selector,
                matching_type,
                data: vec![7; length],
            };
            assert_eq!(record.is_usable(), usable, "{record:?}");
        }
    }
}
