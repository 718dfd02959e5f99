//! Subjects and contents that mail systems have been seen to spoil.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use std::iter;

/// What somebody wants to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Not empty, no line ends.
    pub subject: String,
    /// Not empty; any line ends.
    pub content: String,
}

/// `count` cases: the known ones first, then mixtures of their parts. Always the same.
pub fn cases(count: usize) -> Vec<Case> {
    let mut random = StdRng::seed_from_u64(5321);
    let contents = contents();
    let known = contents.into_iter().zip(SUBJECTS.iter().cycle());
    let mut cases: Vec<Case> = known
        .map(|(content, subject)| Case {
            subject: (*subject).to_owned(),
            content,
        })
        .collect();
    cases.extend(iter::repeat_with(|| mixture(&mut random)).take(count.saturating_sub(cases.len())));
    cases.truncate(count);
    cases
}

/// A content as a mail can carry it: CR, LF and CRLF are line ends, written as LF here, and the last line has one.
pub fn normalised(content: &str) -> String {
    let mut text = content.replace("\r\n", "\n").replace('\r', "\n");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

const SUBJECTS: &[&str] = &[
    "test",
    "two  blanks,   three blanks",
    ".",
    "Grüße aus München",
    "Subject: a header in a subject",
    "=?utf-8?q?not_an_encoded_word?=",
    "=?utf-8?b?",
    "a word that =?looks like one?= and = ? others",
    "日本語の件名はとても長くなることがありますので、途中で折り返さなければなりませんが、文字の途中では折り返せません",
    "مرحبا بالعالم: עברית \u{202e}rtl\u{202c} end",
    "👩‍👩‍👧‍👦 family, 🇩🇪 flag, e\u{301} combining",
    "\"quoted\" <angle@brackets.example>, (comment); colon: semi;",
    "back\\slash and per%cent and under_score? yes=no",
    "a line that is longer than seventy-eight characters and that has to be folded somewhere between its words, once or twice",
    "é",
    "x",
    "\u{feff}mark, \u{200b}zero width, \u{a0}no-break",
    "tab\tin the middle",
    "\u{85}next line, \u{2028}line, \u{2029}paragraph separators",
    "\u{560a}\u{760d} narrowed to eight bits these are line ends",
    "ends with an equals sign =",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 outside the first plane \u{10ffff}",
];

/// Parts of lines and contents.
const PIECES: &[&str] = &[
    ".",
    "..",
    "...",
    ". ",
    ".QUIT",
    "QUIT",
    "RSET",
    "MAIL FROM:<x@example.test>",
    "From the beginning",
    ">From",
    "-- ",
    "--boundary",
    "Content-Type: text/html",
    "=",
    "=3D",
    "=20",
    "=\t",
    "trailing blank ",
    "trailing tab\t",
    " leading blank",
    "\tleading tab",
    "plain words",
    "ümläüte",
    "ελληνικά",
    "кириллица",
    "שלום עולם",
    "مرحبا",
    "漢字かな交じり文",
    "한국어",
    "🙂",
    "👩🏽‍🚀",
    "\u{202e}gnp.exe\u{202c}",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\u{560a}",
    "\u{760d}",
    "\u{b}",
    "\u{c}",
    "\u{1b}[31m",
    "\u{1}",
    "\u{7f}",
    "\u{1c}",
    "\u{fffd}",
    "\u{10ffff}",
    ">.",
    "CMD_END.",
];

const LINE_ENDS: &[&str] = &["\r\n", "\n", "\r", "\n\n", "\r\n\r\n", "\n\r"];

fn contents() -> Vec<String> {
    let mut contents: Vec<String> = [
        "test content.",
        ".",
        "..",
        ".\r\n",
        ".\n.\n.\n",
        "\r\n.\r\n",
        "one\r\n.\r\ntwo",
        "one\n.\ntwo",
        "one\r.\rtwo",
        "one\n.\r\ntwo",
        "one\r\n.\ntwo",
        "one\r\r\n.\r\r\ntwo",
        "one\r\n.\r\nMAIL FROM:<thief@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\ntwo",
        ".leading dot",
        "..two leading dots\r\n...three\r\n.\r\n....four",
        "\r\n\r\n\r\nempty lines before and behind\r\n\r\n\r\n",
        "\n\nempty lines before and behind\n\n",
        "\r\rempty lines before and behind\r\r",
        "no end of line",
        "an end of line\r\n",
        "blanks at the ends of lines  \r\n\t\r\n \r\nand of the text  ",
        "From me to you\r\nFrom the second line on",
        "Subject: not a header\r\n\r\nnot a body",
        "=?utf-8?q?not_an_encoded_word?=",
        "=E9 =\r\n=\r\n==",
        "é",
        "\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}\u{b}\u{c}\u{e}\u{1b}\u{1c}\u{1d}\u{1e}\u{1f}\u{7f}",
        "\u{85}\u{2028}\u{2029}\u{560a}\u{760d}\u{feff}",
        "👩‍👩‍👧‍👦 🇩🇪 👋🏿 e\u{301}",
        "עברית \u{202e}rtl\u{202c} العربية \u{200f}.\u{200f}",
        "--\r\n-- \r\n--=_boundary--",
    ]
    .map(str::to_owned)
    .into();
    contents.extend([
        "x".repeat(10_000),
        ".".repeat(10_000),
        " ".repeat(9_999) + "x",
        "é".repeat(10_000),
        "🙂".repeat(2_500) + "\r\n.\r\n" + &"=".repeat(10_000),
        "ten words of a line that goes on and on, ".repeat(250),
        format!("{}\r\n.{}\r\n", "y".repeat(998), "z".repeat(998)),
        format!("{}\r\n{}\r\n{}", "a".repeat(76), "b".repeat(77), "c".repeat(78)),
        "a short line\r\n".repeat(5_000),
        "\n".repeat(500) + "one word among empty lines" + &"\n".repeat(500),
        "日本語の本文。\r\n".repeat(1_000),
    ]);
    contents
}

fn mixture(random: &mut StdRng) -> Case {
    let subject = (0..random.random_range(0..6)).fold("mixed".to_owned(), |subject, _| {
        let part = SUBJECTS.choose(random).copied().unwrap_or_default();
        subject + " " + part
    });
    let content = (0..random.random_range(0..40)).fold("mixed".to_owned(), |content, _| {
        let part = if random.random_ratio(2, 5) {
            LINE_ENDS
        } else {
            PIECES
        };
        content + part.choose(random).copied().unwrap_or_default()
    });
    Case { subject, content }
}
