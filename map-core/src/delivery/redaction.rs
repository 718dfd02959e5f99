//! Keeps a secret out of what is written down of a conversation.
//!
//! No command is ever written down. But servers repeat what they do not understand (`500 5.5.1 Command unrecognized:
//! "AUTH PLAIN …"` is what Sendmail says), and a reply goes into the report.
//!
//! Nobody knows in which form a server repeats something, so a line is read as each of them ([`View`]): as it is, with
//! the escapes of each syntax undone (`%73`, `+` for a blank, `=73`, `\x73`, `\163`, `&#115;`, `&amp;`), as hexadecimal
//! and as base64, wherever the digits begin, with padding or without. In each the secret is looked for, in any case of
//! its letters, whole or as a piece of some length. What was found is replaced in the line itself. The cost is a constant
//! number of passes over the line.

use super::redaction_views::{View, base64_decoded, hex_decoded, is_base64, runs, standard_alphabet};
use crate::smtp::{Authentication, ExchangeStage, Reply, ReplyCode, ReplyLine};
use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use memchr::memmem;
use std::ops::Range;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What stands in the place of a secret.
const REDACTED: &[u8] = b"***";

/// A shorter secret is redacted only where it is a word of its own, and not if it is one that servers say anyway.
const LONG: usize = 6;

/// A shorter secret than this is a word of its own in the replies to AUTH as well: "a" stands in every other word, and
/// three asterisks in place of each would tell which letter it is.
const SHORTEST_WITHIN_WORDS: usize = 3;

/// A piece of a secret that is this long is redacted: lines are cut, and tokens are longer than lines.
const PIECE: usize = 12;

/// A run of base64 this long in a reply to AUTH that begins like a form is a form that was cut short.
const RUN: usize = 16;
const ALIKE: usize = 8;

/// As each client-final of SCRAM begins: its proof is worth a guess at the password.
const CLIENT_FINAL: &[u8] = b"c=biws,";
/// The same in base64, in small letters.
const CLIENT_FINAL_BASE64: &[u8] = b"yz1iaxdz";
/// What stands before the proof of SCRAM-SHA-256, and octets of it that make it one.
const PROOF: &[u8] = b"p=";
const PROOF_OCTETS: usize = 40;

/// How octets are written in hexadecimal: before each, and between two of them.
const HEX_LISTS: &[(&str, &str)] = &[
    ("", ""),
    ("", " "),
    ("", ":"),
    ("", "-"),
    ("", ","),
    ("", ", "),
    ("0x", " "),
    ("0x", ","),
    ("0x", ", "),
];

/// Words that servers say whoever logs in. One that is the password, too, betrays nothing where it stands; asterisks in
/// its place would.
const WORDS_OF_SERVERS: &[&str] = &[
    "a", "abuse", "again", "ahead", "all", "an", "and", "any", "are", "as", "at", "auth", "be", "been",
    "busy", "by", "bye", "close", "code", "data", "dns", "done", "email", "end", "error", "esmtp", "exim",
    "for", "from", "full", "go", "good", "has", "have", "helo", "ehlo", "hello", "here", "host", "how", "i",
    "id", "in", "input", "ip", "is", "it", "later", "limit", "line", "local", "login", "mail", "many", "may",
    "me", "meet", "more", "mx", "name", "need", "nice", "no", "not", "now", "of", "ok", "okay", "on", "only",
    "or", "out", "over", "plain", "queue", "quit", "quota", "rcpt", "ready", "relay", "retry", "rset",
    "sent", "size", "smtp", "spam", "start", "such", "take", "taken", "that", "the", "this", "to", "tls",
    "too", "try", "user", "valid", "via", "was", "we", "will", "with", "yes", "you", "your",
];

/// The secret of a conversation, ready to be looked for.
pub(super) struct Redaction {
    secret: Needle,
    /// The forms in base64 in which it goes over the wire, in small letters: a server that changes the case of a line
    /// leaves nothing that could be decoded, and much that could be guessed.
    forms: Vec<Needle>,
    /// How what is said in base64 begins before the secret comes.
    openings: Vec<Zeroizing<Vec<u8>>>,
    /// A short secret in other forms, which is redacted where it is a word of its own.
    words: Vec<Zeroizing<Vec<u8>>>,
}

/// Octets to be found in small letters.
struct Needle {
    whole: Zeroizing<Vec<u8>>,
    /// Every piece of it, sorted; none where the whole is no longer than one.
    pieces: Zeroizing<Vec<[u8; PIECE]>>,
}

impl Needle {
    fn new(octets: &[u8]) -> Self {
        let whole = Zeroizing::new(octets.to_ascii_lowercase());
        let mut pieces: Zeroizing<Vec<[u8; PIECE]>> =
            Zeroizing::new(Vec::with_capacity(whole.len().saturating_sub(PIECE - 1)));
        pieces.extend(
            whole
                .windows(PIECE)
                .filter_map(|window| <[u8; PIECE]>::try_from(window).ok()),
        );
        pieces.sort_unstable();
        pieces.dedup();
        Self { whole, pieces }
    }

    /// Where it stands in `octets`, which are in small letters, whole or in pieces.
    fn find(&self, octets: &[u8], mut found: impl FnMut(Range<usize>)) {
        if self.pieces.is_empty() {
            for start in memmem::find_iter(octets, self.whole.as_slice()) {
                found(start..start + self.whole.len());
            }
            return;
        }
        for (start, window) in octets.windows(PIECE).enumerate() {
            if self
                .pieces
                .binary_search_by(|piece| piece.as_slice().cmp(window))
                .is_ok()
            {
                found(start..start + PIECE);
            }
        }
    }

    fn is_in(&self, octets: &[u8]) -> bool {
        let mut is_in = false;
        self.find(octets, |_| is_in = true);
        is_in
    }
}

impl Redaction {
    pub(super) fn new(authentication: &Authentication) -> Self {
        let user = authentication.user.as_str();
        let secret = authentication.secret.expose();
        let encoded =
            |text: String| Zeroizing::new(BASE64_STANDARD_NO_PAD.encode(Zeroizing::new(text)).into_bytes());
        let alone = encoded(secret.to_owned());
        let messages = [
            // PLAIN (RFC 4616), also with the user as the identity to act as.
            encoded(format!("\0{user}\0{secret}")),
            encoded(format!("{user}\0{user}\0{secret}")),
            // XOAUTH2
            encoded(format!("user={user}\u{1}auth=Bearer {secret}\u{1}\u{1}")),
        ];
        let mut forms: Vec<Needle> = messages.iter().map(|form| Needle::new(form)).collect();
        let mut words = Vec::new();
        match secret.len() {
            0 | 1 => {}
            2..LONG => {
                words.push(Zeroizing::new(alone.to_ascii_lowercase()));
                let lists = HEX_LISTS.iter();
                words.extend(lists.map(|(before, between)| hex(secret.as_bytes(), before, between)));
            }
            _ => forms.push(Needle::new(&alone)),
        }
        let openings = if user.is_empty() {
            Vec::new()
        } else {
            [
                format!("\0{user}\0"),
                format!("{user}\0{user}\0"),
                format!("user={user}\u{1}auth="),
            ]
            .map(|opening| Zeroizing::new(opening.into_bytes().to_ascii_lowercase()))
            .into()
        };
        Self {
            secret: Needle::new(secret.as_bytes()),
            forms,
            openings,
            words,
        }
    }

    /// `stage` is what it answers, if that is known.
    pub(super) fn reply(&self, stage: Option<ExchangeStage>, reply: Arc<Reply>) -> Arc<Reply> {
        // A challenge is no text, and what answers it is worth a guess at the secret.
        if reply.code == ReplyCode::AUTH_CHALLENGE {
            return Arc::new(Reply::new(reply.code, vec![Vec::new()]));
        }
        let in_auth = stage == Some(ExchangeStage::Auth);
        let lines = reply.lines.iter().map(|line| self.line(line, in_auth));
        let mut seen = Reply::new(reply.code, lines.collect());
        let overruled = reply.overruled.iter().map(|line| ReplyLine {
            code: line.code,
            text: match line.code {
                ReplyCode::AUTH_CHALLENGE => Vec::new(),
                _ => self.line(&line.text, in_auth),
            },
        });
        seen.overruled = overruled.collect();
        if seen == *reply { reply } else { Arc::new(seen) }
    }

    fn line(&self, line: &[u8], in_auth: bool) -> Vec<u8> {
        let mut marks = Marks(vec![false; line.len()]);
        let plain = View::of(line);
        for view in std::iter::once(&plain).chain(&plain.unescaped()) {
            self.mark_text(view, in_auth, &mut marks);
            self.mark_base64(view, in_auth, &mut marks);
            self.mark_hex(view, in_auth, &mut marks);
        }
        // What it says of the verdict is no secret of anybody's.
        marks.clear(..status_code(line));
        marks.redacted(line)
    }

    /// The secret as it is, and what says itself that it is one.
    fn mark_text(&self, view: &View, in_auth: bool, marks: &mut Marks) {
        let octets = view.in_small_letters();
        self.find_secret(&octets, in_auth, false, |range| marks.set(view.source(range)));
        // As a word, lest what stands beside it go, too.
        for word in runs(&octets, |octet| {
            !matches!(octet, b' ' | b'\t' | b'"' | b'\'' | b'<' | b'>')
        }) {
            let found = octets
                .get(word.clone())
                .and_then(|word| memmem::find(word, CLIENT_FINAL));
            if let Some(start) = found {
                marks.set(view.source(word.start + start..word.end));
            }
        }
        for run in runs(&octets, |octet| is_base64(octet) || octet == b'=') {
            let found = octets.get(run.clone()).and_then(|run| memmem::find(run, PROOF));
            if let Some(proof) = found.map(|start| run.start + start + PROOF.len())
                && run.end - proof >= PROOF_OCTETS
            {
                marks.set(view.source(proof..run.end));
            }
        }
    }

    fn mark_base64(&self, view: &View, in_auth: bool, marks: &mut Marks) {
        for run in runs(view.octets(), is_base64) {
            let octets = view.octets().get(run.clone()).unwrap_or_default();
            if self.is_secret_in_base64(octets, in_auth) {
                marks.set(view.source(view.with_padding(run)));
            }
        }
    }

    fn is_secret_in_base64(&self, run: &[u8], in_auth: bool) -> bool {
        let small = Zeroizing::new(standard_alphabet(run));
        let holds = |needle: &[u8]| memmem::find(&small, needle).is_some();
        if holds(CLIENT_FINAL_BASE64) || self.forms.iter().any(|form| form.is_in(&small)) {
            return true;
        }
        let is_cut_short = || {
            self.forms
                .iter()
                .any(|form| form.whole.get(..ALIKE).is_some_and(holds))
        };
        if in_auth && run.len() >= RUN && is_cut_short() {
            return true;
        }
        (0..4).any(|offset| {
            let decoded = base64_decoded(run, offset);
            let mut found = false;
            self.find_secret(&decoded, in_auth, true, |_| found = true);
            found
                || memmem::find(&decoded, CLIENT_FINAL).is_some()
                || self.openings.iter().any(|opening| decoded.starts_with(opening))
        })
    }

    fn mark_hex(&self, view: &View, in_auth: bool, marks: &mut Marks) {
        for digits in view.hex_digits() {
            for offset in 0..2 {
                let decoded = hex_decoded(&digits, offset);
                let mut mark = |range: Range<usize>| {
                    let first = digits.get(range.start * 2 + offset);
                    let last = digits.get((range.end * 2 + offset).saturating_sub(1));
                    if let (Some((first, _)), Some((last, _))) = (first, last) {
                        marks.set(view.source(*first..last + 1));
                    }
                };
                self.find_secret(&decoded, in_auth, true, &mut mark);
                if let Some(start) = memmem::find(&decoded, CLIENT_FINAL) {
                    mark(start..decoded.len());
                }
            }
        }
    }

    /// Where the secret stands in octets that are in small letters. `decoded`: they were not text before.
    fn find_secret(&self, octets: &[u8], in_auth: bool, decoded: bool, mut found: impl FnMut(Range<usize>)) {
        let secret = &self.secret;
        let length = secret.whole.len();
        if length >= LONG || (in_auth && length >= SHORTEST_WITHIN_WORDS) {
            return secret.find(octets, found);
        }
        // What is decoded of any text whatever would hold a short one by chance: the words stand for that.
        if length == 0 || decoded {
            return;
        }
        let is_common = || {
            WORDS_OF_SERVERS
                .iter()
                .any(|word| word.as_bytes() == secret.whole.as_slice())
        };
        if in_auth || !is_common() {
            find_words(octets, &secret.whole, &mut found);
        }
        for word in &self.words {
            find_words(octets, word, &mut found);
        }
    }
}

/// Where it stands and is no part of a longer word.
fn find_words(octets: &[u8], word: &[u8], found: &mut impl FnMut(Range<usize>)) {
    let is_letter =
        |octet: Option<&u8>| octet.is_some_and(|octet| octet.is_ascii_alphanumeric() || !octet.is_ascii());
    for start in memmem::find_iter(octets, word) {
        let end = start + word.len();
        let before = start.checked_sub(1).and_then(|before| octets.get(before));
        if !is_letter(before) && !is_letter(octets.get(end)) {
            found(start..end);
        }
    }
}

/// How many octets at the beginning of a line are an enhanced status code, which the verdict rests on.
fn status_code(line: &[u8]) -> usize {
    let word = line.split(|octet| *octet == b' ').next().unwrap_or_default();
    let is_code = word.split(|octet| *octet == b'.').count() == 3
        && word
            .split(|octet| *octet == b'.')
            .all(|number| (1..=3).contains(&number.len()) && number.iter().all(u8::is_ascii_digit));
    if is_code { word.len() } else { 0 }
}

/// In small letters.
fn hex(octets: &[u8], before: &str, between: &str) -> Zeroizing<Vec<u8>> {
    let numbers = octets.iter().map(|octet| format!("{before}{octet:02x}"));
    Zeroizing::new(numbers.collect::<Vec<_>>().join(between).into_bytes())
}

/// Which octets of a line are redacted.
struct Marks(Vec<bool>);

impl Marks {
    fn set(&mut self, range: Range<usize>) {
        if let Some(marks) = self.0.get_mut(range) {
            marks.fill(true);
        }
    }

    fn clear(&mut self, range: std::ops::RangeTo<usize>) {
        if let Some(marks) = self.0.get_mut(range) {
            marks.fill(false);
        }
    }

    fn redacted(&self, line: &[u8]) -> Vec<u8> {
        let mut redacted = Vec::with_capacity(line.len());
        let mut is_within = false;
        for (octet, marked) in line.iter().zip(&self.0) {
            match (*marked, is_within) {
                (true, false) => redacted.extend_from_slice(REDACTED),
                (true, true) => {}
                (false, _) => redacted.push(*octet),
            }
            is_within = *marked;
        }
        redacted
    }
}

#[cfg(test)]
mod tests;
