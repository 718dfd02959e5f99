//! A line of a reply in the forms in which somebody may have written a secret into it.

use std::ops::Range;
use zeroize::Zeroizing;

/// Octets that were read out of a line, each with the place where it was written.
pub(super) struct View {
    octets: Zeroizing<Vec<u8>>,
    /// Where in the line each octet begins, and where the last one ends.
    places: Vec<usize>,
}

impl View {
    /// The line as it is.
    pub(super) fn of(line: &[u8]) -> Self {
        Self {
            octets: Zeroizing::new(line.to_vec()),
            places: (0..=line.len()).collect(),
        }
    }

    /// With the escapes of each syntax undone, wherever there are any, and with those of all: a server may write what it
    /// quotes in two of them.
    pub(super) fn unescaped(&self) -> Vec<Self> {
        let syntaxes = [
            of_urls,
            of_forms,
            of_quoted_printable,
            of_programs,
            of_html,
            of_any,
        ];
        syntaxes
            .into_iter()
            .filter_map(|read| self.rewritten(read))
            .collect()
    }

    /// `read` tells what octet an escape at the beginning stands for, and how long it is. `None` if there is no escape.
    fn rewritten(&self, read: impl Fn(&[u8]) -> Option<(u8, usize)>) -> Option<Self> {
        let mut octets = Zeroizing::new(Vec::with_capacity(self.octets.len()));
        let mut places = Vec::with_capacity(self.places.len());
        let mut at = 0;
        let mut any = false;
        while let Some(first) = self.octets.get(at) {
            let rest = self.octets.get(at..).unwrap_or_default();
            let (octet, length) = match read(rest) {
                Some(escape) => {
                    any = true;
                    escape
                }
                None => (*first, 1),
            };
            octets.push(octet);
            places.push(self.places.get(at).copied().unwrap_or_default());
            at += length;
        }
        places.push(self.places.last().copied().unwrap_or_default());
        any.then_some(Self { octets, places })
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }

    pub(super) fn in_small_letters(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.octets.to_ascii_lowercase())
    }

    /// Where in the line these octets are written.
    pub(super) fn source(&self, octets: Range<usize>) -> Range<usize> {
        let place = |octet: usize| self.places.get(octet).or(self.places.last()).copied();
        place(octets.start).unwrap_or_default()..place(octets.end).unwrap_or_default()
    }

    /// With the padding that follows a run of base64.
    pub(super) fn with_padding(&self, run: Range<usize>) -> Range<usize> {
        let rest = self.octets.get(run.end..).unwrap_or_default();
        let padding = rest.iter().take_while(|octet| **octet == b'=').count();
        run.start..run.end + padding
    }

    /// Hexadecimal digits that stand together, or with a character or two between them as in `73:33`, or as numbers in a
    /// list as in `0x73, 0x33`; each with its place and value.
    pub(super) fn hex_digits(&self) -> Vec<Vec<(usize, u8)>> {
        let mut all = Vec::new();
        let mut digits: Vec<(usize, u8)> = Vec::new();
        // Octets since the last digit that belong to none.
        let mut between = 0;
        let mut places = 0..self.octets.len();
        while let Some(place) = places.next() {
            let rest = self.octets.get(place..).unwrap_or_default();
            if let [b'0', b'x' | b'X', high, low, ..] = rest
                && let (Some(high), Some(low)) = (hex_value(*high), hex_value(*low))
            {
                if between > MAX_BETWEEN {
                    all.push(std::mem::take(&mut digits));
                }
                digits.extend([(place, high), (place + 3, low)]);
                places = place + 4..self.octets.len();
                between = 0;
            } else if let Some(value) = rest.first().and_then(|digit| hex_value(*digit)) {
                if between > MAX_BETWEEN {
                    all.push(std::mem::take(&mut digits));
                }
                digits.push((place, value));
                between = 0;
            } else if matches!(rest, [b':' | b'-' | b' ' | b',', ..]) {
                between += 1;
            } else {
                all.push(std::mem::take(&mut digits));
            }
        }
        all.push(digits);
        all.retain(|digits| digits.len() > 1);
        all
    }
}

/// How many characters there may be between two digits: a comma and a blank.
const MAX_BETWEEN: usize = 2;

/// `%73`
fn of_urls(octets: &[u8]) -> Option<(u8, usize)> {
    match octets {
        [b'%', high, low, ..] => Some((octet(*high, *low)?, 3)),
        _ => None,
    }
}

/// `%73`, and `+` for a blank
fn of_forms(octets: &[u8]) -> Option<(u8, usize)> {
    match octets {
        [b'+', ..] => Some((b' ', 1)),
        _ => of_urls(octets),
    }
}

/// Any of them, but a `+` that may be one.
fn of_any(octets: &[u8]) -> Option<(u8, usize)> {
    let syntaxes = [of_urls, of_quoted_printable, of_programs, of_html];
    syntaxes.into_iter().find_map(|read| read(octets))
}

/// `=73`
fn of_quoted_printable(octets: &[u8]) -> Option<(u8, usize)> {
    match octets {
        [b'=', high, low, ..] => Some((octet(*high, *low)?, 3)),
        _ => None,
    }
}

/// `\x73`, `\u0073`, `\163`, `\"`
fn of_programs(octets: &[u8]) -> Option<(u8, usize)> {
    match octets {
        [b'\\', b'x' | b'X', high, low, ..] => Some((octet(*high, *low)?, 4)),
        [b'\\', b'u' | b'U', b'0', b'0', high, low, ..] => Some((octet(*high, *low)?, 6)),
        [
            b'\\',
            high @ b'0'..=b'3',
            middle @ b'0'..=b'7',
            low @ b'0'..=b'7',
            ..,
        ] => Some(((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'), 4)),
        [b'\\', quoted, ..] if quoted.is_ascii_punctuation() => Some((*quoted, 2)),
        _ => None,
    }
}

/// `&#115;`, `&#x73;`, `&amp;`
fn of_html(octets: &[u8]) -> Option<(u8, usize)> {
    match octets {
        [b'&', b'#', rest @ ..] => {
            let (prefix, rest, radix) = match rest {
                [b'x' | b'X', rest @ ..] => (3, rest, 16),
                _ => (2, rest, 10),
            };
            let length = rest.iter().take(5).position(|octet| *octet == b';')?;
            let number = std::str::from_utf8(rest.get(..length)?).ok()?;
            Some((u8::from_str_radix(number, radix).ok()?, prefix + length + 1))
        }
        [b'&', rest @ ..] => ENTITIES.iter().find_map(|(name, octet)| {
            let is_this = rest.get(..name.len())?.eq_ignore_ascii_case(name);
            is_this.then_some((*octet, name.len() + 1))
        }),
        _ => None,
    }
}

/// The characters of ASCII that have a name in HTML and may stand in a secret.
const ENTITIES: &[(&[u8], u8)] = &[
    (b"amp;", b'&'),
    (b"apos;", b'\''),
    (b"ast;", b'*'),
    (b"bsol;", b'\\'),
    (b"colon;", b':'),
    (b"comma;", b','),
    (b"commat;", b'@'),
    (b"dollar;", b'$'),
    (b"equals;", b'='),
    (b"excl;", b'!'),
    (b"grave;", b'`'),
    (b"gt;", b'>'),
    (b"hat;", b'^'),
    (b"lbrace;", b'{'),
    (b"lcub;", b'{'),
    (b"lbrack;", b'['),
    (b"lsqb;", b'['),
    (b"lowbar;", b'_'),
    (b"lpar;", b'('),
    (b"lt;", b'<'),
    (b"nbsp;", b' '),
    (b"num;", b'#'),
    (b"percnt;", b'%'),
    (b"period;", b'.'),
    (b"plus;", b'+'),
    (b"quest;", b'?'),
    (b"quot;", b'"'),
    (b"rbrace;", b'}'),
    (b"rcub;", b'}'),
    (b"rbrack;", b']'),
    (b"rsqb;", b']'),
    (b"rpar;", b')'),
    (b"semi;", b';'),
    (b"sol;", b'/'),
    (b"verbar;", b'|'),
    (b"vert;", b'|'),
];

fn octet(high: u8, low: u8) -> Option<u8> {
    Some(hex_value(high)? << 4 | hex_value(low)?)
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// What the digits say from the one at `offset` on, in small letters.
pub(super) fn hex_decoded(digits: &[(usize, u8)], offset: usize) -> Zeroizing<Vec<u8>> {
    let digits = digits.get(offset..).unwrap_or_default();
    let octets = digits.chunks_exact(2).map(|pair| match pair {
        [(_, high), (_, low)] => (high << 4 | low).to_ascii_lowercase(),
        _ => 0,
    });
    Zeroizing::new(octets.collect())
}

/// A digit of base64, in its own alphabet or in that of URLs; padding is none.
pub(super) fn is_base64(octet: u8) -> bool {
    base64_value(octet).is_some()
}

fn base64_value(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// What a run says from the digit at `offset` on, in small letters.
pub(super) fn base64_decoded(run: &[u8], offset: usize) -> Zeroizing<Vec<u8>> {
    let mut decoded = Zeroizing::new(Vec::with_capacity(run.len()));
    let mut bits = 0_u16;
    let mut count = 0_u32;
    for value in run.iter().skip(offset).filter_map(|digit| base64_value(*digit)) {
        bits = bits << 6 | u16::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            let [_, octet] = (bits >> count).to_be_bytes();
            decoded.push(octet.to_ascii_lowercase());
        }
    }
    decoded
}

/// A run of base64 in small letters, and in the alphabet that is not that of URLs.
pub(super) fn standard_alphabet(run: &[u8]) -> Vec<u8> {
    run.iter()
        .map(|octet| match octet {
            b'-' => b'+',
            b'_' => b'/',
            octet => octet.to_ascii_lowercase(),
        })
        .collect()
}

/// Where octets of a kind stand together.
pub(super) fn runs(octets: &[u8], is_one: impl Fn(u8) -> bool) -> Vec<Range<usize>> {
    let mut start = 0;
    let chunks = octets.chunk_by(|one, other| is_one(*one) == is_one(*other));
    chunks
        .filter_map(|chunk| {
            let range = start..start + chunk.len();
            start = range.end;
            chunk.first().is_some_and(|first| is_one(*first)).then_some(range)
        })
        .collect()
}
