//! Subjects and contents of the kinds that mail systems are known to change, the same at every run.

/// One message's texts. Neither is empty by the rules of the protocol, and neither holds what no e-mail can carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// A subject.
    pub subject: String,
    /// A content, with line ends of every kind.
    pub content: String,
}

/// `count` samples; the first ones are made by hand, the others of pieces drawn from `seed`.
///
/// # Example
/// ```
/// use map_tests::samples::samples;
///
/// assert_eq!(samples(200, 1), samples(200, 1));
/// assert_ne!(samples(200, 1), samples(200, 2));
/// ```
pub fn samples(count: usize, seed: u64) -> Vec<Sample> {
    let mut draw = Draw(seed);
    let long_line = "0123456789".repeat(1000);
    let by_hand = SUBJECTS
        .iter()
        .cycle()
        .zip(CONTENTS.iter().cycle())
        .take(SUBJECTS.len().max(CONTENTS.len()))
        .map(|(subject, content)| Sample {
            subject: (*subject).to_owned(),
            content: content.replace("<long>", &long_line),
        });
    let drawn = std::iter::from_fn(|| {
        let subject_pieces = draw.below(12) + 1;
        let content_pieces = draw.below(30) + 1;
        Some(Sample {
            subject: draw.text(subject_pieces, &[WORDS, MARKS, BLANKS]),
            content: draw.text(
                content_pieces,
                &[WORDS, MARKS, BLANKS, LINE_ENDS, LINE_ENDS, LINE_STARTS],
            ),
        })
    });
    by_hand.chain(drawn).take(count).collect()
}

/// What a text that reached its reader may differ in from what was sent: its line ends, and the last of them.
pub fn normalised(content: &str) -> String {
    let mut text = content.replace("\r\n", "\n").replace('\r', "\n");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

const SUBJECTS: &[&str] = &[
    "test",
    "=?utf-8?Q?=C3=A9?=",
    "=?utf-8?B?w6k=?= and =?iso-8859-1?Q?=E9?=",
    "a =? b ?= c",
    "Grüße aus Köln: schön war's, nicht wahr? Und nächstes Jahr sind wir wieder da",
    "Привет, мир! Это длинная тема письма, которая не помещается в одну строку заголовка",
    "مرحبا بالعالم",
    "\u{202e}right to left\u{202c} שלום",
    "日本語の件名、とても長いので、いくつもの符号化語に分けなければならない件名",
    "👩‍👩‍👧‍👦 family 🏳️‍🌈 flag 🇩🇪 e\u{301}",
    "  two blanks at both ends  ",
    "\ttab\tinside\t",
    "many      blanks        between  words and   then some more of them     to the end",
    "one_word_without_a_blank_that_is_much_longer_than_any_line_of_a_header_should_be_and_goes_on_and_on_and_on",
    "[ticket #17] Re: \"quoted\" <angle> (comment), semi; colon: @ \\ back",
    "Bcc: x@y.example",
    "bell \u{7} escape \u{1b}[31m delete \u{7f} form \u{c} feed \u{b}",
    "next\u{85}line \u{2028} separator \u{2029} \u{560a}\u{760d} \u{10a}\u{10d}",
    "\u{feff}byte order mark",
    "_under_score=20?",
];

const CONTENTS: &[&str] = &[
    "test content.",
    ".",
    ".\n..\n...\r\n.leading\r.dots",
    "a\r\n.\r\nMAIL FROM:<x@y.example>\r\nRCPT TO:<x@y.example>\r\nDATA\r\n",
    "a\n.\nb\r.\rc\n.\r\nd\r\n.\ne",
    "\n\n\nempty lines before and after\r\n\r\n\r\n",
    "<long>",
    "short\n<long>é<long>\nshort",
    "blanks at the end   \nand a tab\t\n \n\t\nlast ",
    "From the start\n>From there\n From here\nFrom: not a field",
    "=\n=3D\n==\na=\n=20",
    "Viele Grüße aus dem schönen alten Köln am Rhein, wo es meistens regnet.\n-- \nMüller",
    "Привет, мир!\r\nВторая строка.\rТретья строка",
    "مرحبا\nשלום\n\u{202e}abc\u{202c}",
    "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪e\u{301}\n",
    "日本語\n.\n한국어\n",
    "control \u{1}\u{2}\u{7}\u{8}\u{b}\u{c}\u{e}\u{1b}\u{1f}\u{7f} octets",
    "next\u{85}line\u{2028}separator\u{2029}paragraph\u{560a}\u{760d}",
    "\u{feff}byte order mark",
    "Content-Type: text/html\r\n\r\n<b>not a header</b>",
    "--boundary\r\nbegin 644 file\r\nend\r\n",
];

const WORDS: &[&str] = &[
    "a",
    "word",
    "Words",
    "100%",
    "don't",
    "x=y",
    "é",
    "straße",
    "слово",
    "שלום",
    "مرحبا",
    "漢字",
    "😀",
    "👍🏽",
    "ﬁ",
    "a-quite-long-word-that-fills-a-good-part-of-a-line",
    "\u{1f1e9}\u{1f1ea}",
    "İstanbul",
    "\u{10ffff}",
    "\u{e000}",
];
const MARKS: &[&str] = &[
    "=?utf-8?Q?x?=",
    "=?utf-8?B?eA==?=",
    "=?",
    "?=",
    "=",
    "_",
    "?",
    "\"",
    "\\",
    "<a@b>",
    "(c)",
    ",",
    ";",
    ":",
    "\u{7}",
    "\u{1b}[0m",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{560a}",
    "\u{760d}",
    "\u{ad}",
    "\u{200b}",
    "%0d%0a",
    "\\r\\n",
];
const BLANKS: &[&str] = &[" ", " ", " ", "  ", "\t", "          ", "\u{a0}", "\u{3000}"];
const LINE_ENDS: &[&str] = &["\n", "\r\n", "\r", "\n\n", "\r\r\n"];
const LINE_STARTS: &[&str] = &[
    "\n.",
    "\n..",
    "\n.\n",
    "\r\n.\r\n",
    "\r.\r",
    "\nFrom ",
    " \n",
    "\t\r\n",
    "\n\u{c}",
];

/// Numbers that look drawn (the generator known as `SplitMix64`).
pub struct Draw(pub u64);

impl Draw {
    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 32).map_or(0, |number| number % bound.max(1))
    }

    /// One of the pieces.
    pub fn piece(&mut self, pieces: &[&'static str]) -> &'static str {
        let drawn = self.below(pieces.len());
        pieces.get(drawn).copied().unwrap_or_default()
    }

    /// A text of so many pieces, one of them a word, so that it is never blank.
    fn text(&mut self, pieces: usize, kinds: &[&'static [&'static str]]) -> String {
        let word = self.below(pieces);
        (0..pieces)
            .map(|number| {
                let kind = self.below(kinds.len());
                self.piece(if number == word {
                    WORDS
                } else {
                    kinds.get(kind).copied().unwrap_or(WORDS)
                })
            })
            .collect()
    }
}
