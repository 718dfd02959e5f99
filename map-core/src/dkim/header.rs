//! Header fields, as a signature covers them.

use std::ops::Range;

/// A header section, field by field.
pub(super) struct Fields<'a> {
    octets: &'a [u8],
    /// Where each field stands, its line end included.
    places: Vec<Range<usize>>,
}

impl<'a> Fields<'a> {
    /// Takes a header section apart. Lines that are no field, of which a message has none, are left out.
    pub(super) fn parse(octets: &'a [u8]) -> Self {
        let mut places: Vec<Range<usize>> = Vec::new();
        let mut start = 0;
        for line in octets.split_inclusive(|&octet| octet == b'\n') {
            let end = start + line.len();
            match (line.first(), places.last_mut()) {
                (Some(b' ' | b'\t'), Some(field)) => field.end = end,
                _ => places.push(start..end),
            }
            start = end;
        }
        Self { octets, places }
    }

    /// Those of a name, the last one first: the order in which a signature takes them.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let octets = self.octets;
        self.places.iter().rev().filter_map(move |place| {
            let field = octets.get(place.clone())?;
            let (found, _) = name_and_value(field)?;
            found.eq_ignore_ascii_case(name.as_bytes()).then_some(field)
        })
    }
}

/// Appends a field in the `relaxed` form of [RFC 6376 section
/// 3.4.2](https://www.rfc-editor.org/rfc/rfc6376#section-3.4.2), without a line end.
pub(super) fn push_relaxed(out: &mut Vec<u8>, field: &[u8]) {
    let Some((name, value)) = name_and_value(field) else {
        return;
    };
    out.extend(name.to_ascii_lowercase());
    out.push(b':');
    let start = out.len();
    let mut blank = false;
    for &octet in value {
        match octet {
            b'\r' | b'\n' => {}
            b' ' | b'\t' => blank = true,
            _ => {
                if std::mem::take(&mut blank) && out.len() > start {
                    out.push(b' ');
                }
                out.push(octet);
            }
        }
    }
}

/// Blanks before the colon are an old form (RFC 5322 section 4.5).
fn name_and_value(field: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', field)?;
    let (name, rest) = field.split_at(colon);
    Some((name.trim_ascii_end(), rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relaxed(field: &str) -> String {
        let mut out = Vec::new();
        push_relaxed(&mut out, field.as_bytes());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fields_in_their_relaxed_form() {
        for (field, expected) in [
            // RFC 6376 section 3.4.5
            ("A: X\r\n", "a:X"),
            ("B : Y\t\r\n\tZ  \r\n", "b:Y Z"),
            ("Subject:\r\n", "subject:"),
            ("Subject: \r\n \t\r\n", "subject:"),
            ("To:a@x.example,\r\n  b@y.example", "to:a@x.example, b@y.example"),
            ("X:a:b  c\td", "x:a:b c d"),
            ("Subject: grüße", "subject:grüße"),
        ] {
            assert_eq!(relaxed(field), expected);
        }
    }

    #[test]
    fn fields_of_a_name_come_last_first() {
        let header = b"To: 1\r\nX-To: 2\r\nTO : 3\r\n 4\r\nSubject: to: 5\r\nto:6\r\n\r\n";
        let fields = Fields::parse(header);
        let named: Vec<_> = fields.named("To").collect();
        assert_eq!(named, [&b"to:6\r\n"[..], b"TO : 3\r\n 4\r\n", b"To: 1\r\n"]);
        assert_eq!(fields.named("Cc").count(), 0);
    }
}
