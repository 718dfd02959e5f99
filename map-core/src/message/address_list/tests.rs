use super::super::encoded_word::looks_encoded;
use super::super::encoded_word::tests::decoded_word;
use super::write::quoted;
use super::*;
use proptest::prelude::*;

fn list(text: &str) -> AddressList {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn field(list: &AddressList) -> String {
    let mut out = Vec::new();
    write_addresses(&mut out, "To", list);
    String::from_utf8(out).unwrap()
}

/// The names and mailboxes as one text: `name|mailbox`, groups as `name{…}`.
fn shown(list: &AddressList) -> String {
    let one = |address: &Address| {
        let name = address.name.as_ref().map_or("", DisplayName::as_str);
        format!("{name}|{}", address.mailbox)
    };
    let entries = list.0.iter().map(|entry| match entry {
        Entry::Address(address) => one(address),
        Entry::Group(group) => {
            let members: Vec<_> = group.members.iter().map(one).collect();
            format!("{}{{{}}}", group.name.as_str(), members.join(" "))
        }
    });
    entries.collect::<Vec<_>>().join(" ")
}

#[test]
fn as_a_person_writes_them() {
    for (text, expected) in [
        ("a@x.example", "|a@x.example"),
        (" <a@x.example>\t", "|a@x.example"),
        (
            "Jürgen <jürgen@x.example>, 用户@例え.テスト (ü)",
            "Jürgen|jürgen@x.example ü|用户@例え.テスト",
        ),
        ("a@x.example, Bob <b@y.example>", "|a@x.example Bob|b@y.example"),
        ("a@x.example;b@y.example ;", "|a@x.example |b@y.example"),
        ("a@x.example,\r\n\tb@y.example,,\n,", "|a@x.example |b@y.example"),
        ("Bob<b@y.example>,c@z.example", "Bob|b@y.example |c@z.example"),
        ("John Q. Public <j@x.example>", "John Q. Public|j@x.example"),
        ("  two   blanks\t<j@x.example>", "two blanks|j@x.example"),
        ("\"two  blanks \" <j@x.example>", "two  blanks |j@x.example"),
        ("\"Doe, John\" <j@x.example>", "Doe, John|j@x.example"),
        ("\"a \\\"b\\\\\" c <j@x.example>", "a \"b\\ c|j@x.example"),
        ("\"a\"b\"c\" <j@x.example>", "abc|j@x.example"),
        ("\"bob@x.example\" <b@y.example>", "bob@x.example|b@y.example"),
        ("\"\" <a@x.example>", "|a@x.example"),
        ("Анна Müller <a@x.example>", "Анна Müller|a@x.example"),
        ("“Doe” [ext] <a@x.example>", "“Doe” [ext]|a@x.example"),
        ("=?utf-8?Q?x?= <a@x.example>", "=?utf-8?Q?x?=|a@x.example"),
        (
            "a@x.example (Anna (the boss\\))) , b@y.example",
            "Anna (the boss))|a@x.example |b@y.example",
        ),
        ("(to) Anna (A.) <(x)a@x.example(y)> (z)", "Anna|a@x.example"),
        ("a@x.example ()", "|a@x.example"),
        ("\"a b, <c>\"@x.example", "|\"a b, <c>\"@x.example"),
        ("<\"a>b\"@x.example>", "|\"a>b\"@x.example"),
        (
            "a@[IPv6:2001:db8::1], <b@[192.0.2.1]>",
            "|a@[IPv6:2001:db8::1] |b@[192.0.2.1]",
        ),
        ("a@Bücher.example", "|a@bücher.example"),
        ("undisclosed-recipients:;", "undisclosed-recipients{}"),
        (
            "Team A: a@x.example, Bob <b@y.example>;",
            "Team A{|a@x.example Bob|b@y.example}",
        ),
        (
            "\"x: y\":a@x.example;, c@z.example",
            "x: y{|a@x.example} |c@z.example",
        ),
        ("A:a@x.example;B:;c@z.example", "A{|a@x.example} B{} |c@z.example"),
    ] {
        let list = list(text);
        assert_eq!(shown(&list), expected, "{text:?}");
        assert_eq!(list.to_string().parse(), Ok(list), "{text:?}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_wrong_is_said() {
    for (text, error) in [
        ("", "there is no address"),
        (" ,;, ", "there is no address"),
        ("(Anna)", "there is no address"),
        (
            "Bob",
            "\"Bob\", which ends at position 3, is a name without an address (a name with a comma in it needs \
             quotation marks)",
        ),
        (
            "a@x.example b@y.example",
            "\"a@x.example b@y.example\": the character ' ' at position 12 is not allowed in a domain",
        ),
        (
            "a@x.example <b@y.example>",
            "\"a@x.example\" before an address in angle brackets has an @: a comma is missing, or the name needs quotation marks",
        ),
        (
            "Bob <b@y.example> c@z.example",
            "a comma is missing before position 19, after an address in angle brackets",
        ),
        (
            "<a@x.example> <b@y.example>",
            "a comma is missing before position 15, after an address in angle brackets",
        ),
        (
            "Bob <b@y.example",
            "the angle bracket that begins at position 5 does not end",
        ),
        (
            "Bob <\"b@y.example>",
            "the quotation mark that begins at position 6 does not end",
        ),
        (
            "\"Bob\\\" <b@y.example>",
            "the quotation mark that begins at position 1 does not end",
        ),
        (
            "b@y.example (Bob",
            "the comment that begins at position 13 does not end",
        ),
        (
            "b@[192.0.2.1",
            "the address literal that begins at position 3 does not end",
        ),
        (
            "Team: a@x.example",
            "the group that begins at position 1 does not end",
        ),
        (
            "A: a@x.example, B: b@y.example;;",
            "a group begins at position 17 before the one around it has ended with a semicolon",
        ),
        (
            ": a@x.example;",
            "the character ':' at position 1 needs quotation marks around the name it stands in",
        ),
        (
            "a@x.example: b@y.example;",
            "\"a@x.example\" before an address in angle brackets has an @: a comma is missing, or the name needs quotation marks",
        ),
        (
            "a\\b <a@x.example>",
            "the character '\\\\' at position 2 needs quotation marks around the name it stands in",
        ),
        (
            "a) <a@x.example>",
            "the character ')' at position 2 needs quotation marks around the name it stands in",
        ),
        (
            "a@x.example>",
            "the character '>' at position 12 needs quotation marks around the name it stands in",
        ),
        (
            "a\u{7} <a@x.example>",
            "the character '\\u{7}' at position 2 needs quotation marks around the name it stands in",
        ),
        (
            "a\0@x.example",
            "the character '\\0' at position 2 needs quotation marks around the name it stands in",
        ),
        ("<>", "\"\": there is no address"),
        ("<a@>", "\"a@\": there is no domain after the @"),
        ("<Bob>", "\"Bob\": there is no @ between a name and a domain"),
        (
            "<@r.example:a@x.example>",
            "\"@r.example:a@x.example\": there is no name before the @",
        ),
        (
            "\"two\r\nlines\" <a@x.example>",
            "the name \"two\\r\\nlines\" cannot stand in an e-mail: there is a line end at position 3, and this is one line",
        ),
        (
            "\"nul\0\" <a@x.example>",
            "the name \"nul\\0\" cannot stand in an e-mail: there is a NUL octet at position 3, which no e-mail can carry",
        ),
        (
            "a@x.example\r\nBcc: b@y.example",
            "\"a@x.example Bcc\" before an address in angle brackets has an @: a comma is missing, or the name needs quotation marks",
        ),
    ] {
        match text.parse::<AddressList>() {
            Ok(list) => panic!("{text:?} gives {list:?}"),
            Err(seen) => assert_eq!(seen.to_string(), error, "{text:?}"),
        }
    }
}

/// Reads `corpus.txt`, which says in its head what it is.
#[test]
fn the_corpus() {
    let mut lines = include_str!("corpus.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut cases = 0;
    while let Some(text) = lines.next() {
        let text = unescaped(text.strip_prefix("< ").unwrap());
        let outcome = unescaped(lines.next().unwrap());
        match (text.parse::<AddressList>(), outcome.split_at(2)) {
            (Ok(list), ("> ", entries)) => {
                assert_eq!(shown(&list), entries, "{text:?}");
                assert_eq!(list.to_string().parse(), Ok(list), "{text:?}");
            }
            (Err(error), ("! ", part)) => {
                let error = error.to_string();
                assert!(error.contains(part), "{text:?}: {error}");
            }
            (result, _) => panic!("{text:?}: {result:?}"),
        }
        cases += 1;
    }
    assert!(cases > 90);
}

fn unescaped(text: &str) -> String {
    let mut characters = text.chars();
    let mut plain = String::new();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next().unwrap() {
                'r' => '\r',
                'n' => '\n',
                't' => '\t',
                '0' => '\0',
                '\\' => '\\',
                other => panic!("{text:?} has \\{other}"),
            },
            _ => character,
        });
    }
    plain
}

#[test]
fn one_address_is_one() {
    assert_eq!(
        "Bob <b@y.example>".parse::<Address>().unwrap().to_string(),
        "Bob <b@y.example>"
    );
    for text in ["a@x.example, b@y.example", "A: a@x.example;", "A:;"] {
        assert_eq!(text.parse::<Address>(), Err(AddressListError::NotOne), "{text:?}");
    }
    assert_eq!("".parse::<Address>(), Err(AddressListError::Empty));
}

#[test]
fn as_they_go_out() {
    let long = "a-rather-long-name-of-a-mailbox@a-rather-long-domain.example";
    for (text, expected) in [
        ("a@x.example", "To: <a@x.example>\r\n"),
        (
            "Bob B. <b@Bücher.example>",
            "To: \"Bob B.\" <b@xn--bcher-kva.example>\r\n",
        ),
        (
            "Bob Bee <b@x.example>, c@z.example",
            "To: Bob Bee <b@x.example>, <c@z.example>\r\n",
        ),
        (
            "\"a\\\"b\\\\c\" <b@x.example>",
            "To: \"a\\\"b\\\\c\" <b@x.example>\r\n",
        ),
        ("\"a  b\" <b@x.example>", "To: =?utf-8?Q?a__b?= <b@x.example>\r\n"),
        ("\" a\" <b@x.example>", "To: =?utf-8?Q?_a?= <b@x.example>\r\n"),
        ("=?x <b@x.example>", "To: =?x <b@x.example>\r\n"),
        (
            "\"=?utf-8?Q?x?=\" <b@x.example>",
            "To: =?utf-8?B?PT91dGYtOD9RP3g/PQ==?= <b@x.example>\r\n",
        ),
        (
            "\"A department, of long names: a very long one, of which a line has room for not all\" <b@x.example>",
            "To: \"A department, of long names: a very long one, of which a line has room for not all\"\r\n <b@x.example>\r\n",
        ),
        (
            "\"a\u{7}\" <b@x.example>",
            "To: =?utf-8?Q?a=07?= <b@x.example>\r\n",
        ),
        (
            "Team: a@x.example, b@x.example;, c@x.example",
            "To: Team: <a@x.example>, <b@x.example>;, <c@x.example>\r\n",
        ),
        (
            "Büro: a@x.example;",
            "To: =?utf-8?B?QsO8cm8=?= : <a@x.example>;\r\n",
        ),
        (
            "undisclosed-recipients:;, é:;",
            "To: undisclosed-recipients:;, =?utf-8?B?w6k=?= :;\r\n",
        ),
        (
            "\"a@b\" <\"a b\"@[192.0.2.1]>",
            "To: \"a@b\" <\"a b\"@[192.0.2.1]>\r\n",
        ),
        (
            &format!("{long},{long}"),
            &format!("To: <{long}>,\r\n <{long}>\r\n"),
        ),
    ] {
        assert_eq!(field(&list(text)), expected, "{text:?}");
    }
    assert_eq!(field(&AddressList::default()), "");
}

/// Reads what [`write_addresses`] wrote: unfolds, decodes what is not quoted, and has the parser read the rest.
fn read_back(field: &str) -> AddressList {
    let value = field.strip_suffix("\r\n").unwrap().replace("\r\n ", " ");
    let value = value.strip_prefix("To:").unwrap();
    let mut text = String::new();
    // One run of encoded words at a time, its decoded text put between quotation marks.
    let mut run: Option<String> = None;
    for word in value.split(' ') {
        if looks_encoded(word) {
            run.get_or_insert_default().push_str(&decoded_word(word));
            continue;
        }
        if let Some(run) = run.take() {
            text.extend([" ", &quoted(&run), " "]);
        }
        text.push(' ');
        text.push_str(word);
    }
    list(&text)
}

fn name() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => "[A-Za-z]{1,12}",
        2 => prop::sample::select(vec![
            " ", "  ", "\t", ",", ";", ":", "@", "\"", "\\", "<", ">", "(", ")", "[", "]", ".", "=?", "?=", "_", "é", "Анна",
            "日本語", "😀", "\u{202e}", "\u{7}", "\u{1b}", "\u{7f}", "\u{85}", "\u{2028}", "\u{a0}", "=?utf-8?Q?x?=",
        ]).prop_map(str::to_owned),
        1 => "\\PC{1,40}",
        1 => "[ -~]{1,80}",
    ];
    prop::collection::vec(piece, 1..8)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("blank", |name| !name.trim().is_empty())
}

fn address() -> impl Strategy<Value = Address> {
    let mailbox = prop_oneof![
        "[a-z0-9.+]{1,20}@[a-z]{1,10}\\.example",
        "\"[ -!#-\\[\\]-~]{1,20}\"@[a-z]{1,10}\\.example",
        "[a-z]{1,60}@\\[192\\.0\\.2\\.[1-9]\\]",
        "[a-z]{1,5}@[а-я]{1,8}\\.example",
    ]
    // The reader of these tests takes it for an encoded word wherever it stands.
    .prop_filter("looks encoded", |text| !text.contains("=?"))
    .prop_filter_map("no mailbox", |text| text.parse().ok());
    (prop::option::of(name()), mailbox).prop_map(|(name, mailbox)| Address {
        name: name.map(|name| name.parse().unwrap()),
        mailbox,
    })
}

fn any_list() -> impl Strategy<Value = AddressList> {
    let entry = prop_oneof![
        4 => address().prop_map(Entry::Address),
        1 => (name(), prop::collection::vec(address(), 0..4)).prop_map(|(name, members)| {
            Entry::Group(Group { name: name.parse().unwrap(), members })
        }),
    ];
    prop::collection::vec(entry, 1..6).prop_map(AddressList)
}

proptest! {
    #[test]
    fn for_people_it_reads_back(list in any_list()) {
        prop_assert_eq!(list.to_string().parse(), Ok(list));
    }

    #[test]
    fn on_the_wire_it_reads_back(list in any_list()) {
        let field = field(&list);
        for line in field.strip_suffix("\r\n").unwrap().split("\r\n") {
            prop_assert!(line.len() <= 998 && line.bytes().all(|octet| (b' '..=b'~').contains(&octet)), "{line:?}");
            let longest = if line.contains("=?") { 76 } else { 78 };
            // An address stands whole, and so does a quoted name.
            prop_assert!(line.len() <= longest || line.contains(['@', '"']), "{line:?}");
        }
        prop_assert_eq!(read_back(&field), list);
    }

    #[test]
    fn any_text_is_a_list_or_an_error(text in "\\PC{0,60}|[a-c@<>\"\\\\(),;: \\[\\]]{0,40}") {
        if let Ok(list) = text.parse::<AddressList>() {
            prop_assert_eq!(list.to_string().parse(), Ok(list));
        }
    }
}
