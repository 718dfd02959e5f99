//! What reads octets of strangers and callers, fed with anything; and the seeds of its fuzz targets.

#[path = "support/parsers.rs"]
mod parsers;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// What messages, lists, commands and policies are made of, so that chance finds the way past the first check.
const PIECES: [&[u8]; 40] = [
    b"From: a@example.com\r\n",
    b"To: b@example.net\r\n",
    b"Date: Sun, 22 Nov 2026 01:40:00 +0100\r\n",
    b"Bcc: c@example.org\r\n",
    b"Message-ID: <a@b>\r\n",
    b"Content-Transfer-Encoding: 8bit\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b".",
    b"..",
    b"a@example.com",
    b"<b@example.net>",
    b"\"quoted, name\"",
    b"(a comment)",
    b",",
    b";",
    b"a group:",
    b"\xc3\xbc",
    b"=?utf-8?Q?a?=",
    b"\\",
    b"CMD_FROM: <",
    b"CMD_CONTENT: <",
    b"CMD_END.\n",
    b">.",
    b">\\.",
    b"version: STSv1\r\n",
    b"mode: enforce\n",
    b"mode: none\r\n",
    b"mx: *.example.com\r\n",
    b"mx: mx.example.com\n",
    b"max_age: 86400\r\n",
    b"\x05\x00",
    b"\x05\x02",
    b"\x01\x00",
    b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00",
    b"\x05\x00\x00\x03\x02ab\x00\x19",
    b"220 mx\r\n",
];

fn octets() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        select(&PIECES[..]).prop_map(<[u8]>::to_vec),
        vec(any::<u8>(), 0..8)
    ];
    (any::<u8>(), vec(piece, 0..30)).prop_map(|(first, pieces)| {
        let mut octets = vec![first];
        octets.extend(pieces.concat());
        octets
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_message_that_is_ready_travels_as_it_is(data in octets()) {
        parsers::raw(&data);
    }

    #[test]
    fn an_address_list_is_written_as_it_was_read(data in octets()) {
        parsers::address_list(data.get(1..).unwrap_or_default());
    }

    #[test]
    fn a_stream_is_the_same_in_any_pieces(data in octets()) {
        parsers::stream(&data);
    }

    #[test]
    fn a_body_is_signed_as_it_is_sent(data in octets()) {
        parsers::dkim(&data);
    }

    #[test]
    fn a_policy_is_read_again_as_it_is_printed(data in octets()) {
        parsers::mta_sts(data.get(1..).unwrap_or_default());
    }

    #[test]
    fn a_proxy_is_read_no_further_than_its_answer(data in octets()) {
        parsers::socks(&data);
    }
}

/// The seeds of the fuzz targets, and what they found.
#[test]
fn the_corpus_of_the_fuzzers_holds() {
    let replay = |target: &str, run: fn(&[u8])| {
        let directory = format!("{}/../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
        let mut runs = 0;
        for file in std::fs::read_dir(directory).unwrap() {
            run(&std::fs::read(file.unwrap().path()).unwrap());
            runs += 1;
        }
        assert!(runs >= 5, "only {runs} files in the corpus of {target}");
    };
    replay("raw", parsers::raw);
    replay("address_lists", parsers::address_list);
    replay("streams", parsers::stream);
    replay("dkim", parsers::dkim);
    replay("mta_sts", parsers::mta_sts);
    replay("socks", parsers::socks);
}
