//! Tables and round trips of commands, in a call and on a stream, and dialogues of the session.

use crate::protocol::{
    Command, CommandError, CommandReader, Keyword, ServerCommand, Session, Step, StreamError,
};
use proptest::prelude::*;

fn command(name: fn(Vec<u8>) -> Command, field: &str) -> Command {
    name(field.into())
}

#[test]
fn commands_print_and_are_read_as_map_has_them() {
    for (value, printed) in [
        (
            command(Command::From, "cxw@apple.com"),
            "CMD_FROM: <cxw@apple.com>.",
        ),
        (
            command(Command::To, "407184933@qq.com"),
            "CMD_TO: <407184933@qq.com>.",
        ),
        (command(Command::Subject, "test"), "CMD_SUBJECT: <test>."),
        (
            command(Command::Content, "test content."),
            "CMD_CONTENT: <test content.>.",
        ),
        (command(Command::Content, ""), "CMD_CONTENT: <>."),
        (command(Command::Content, ">."), "CMD_CONTENT: <>.>."),
        (
            command(Command::Content, ">.\nCMD_END.\n"),
            "CMD_CONTENT: <>.\nCMD_END.\n>.",
        ),
        (command(Command::Content, " \r\n\t"), "CMD_CONTENT: < \r\n\t>."),
        (command(Command::Content, "<<:>>"), "CMD_CONTENT: <<<:>>>."),
        (Command::End, "CMD_END."),
        (ServerCommand::Conn.into(), "CMD_SMTP_CONN."),
        (ServerCommand::Helo.into(), "CMD_SMTP_HELO."),
        (ServerCommand::From.into(), "CMD_SMTP_FROM."),
        (ServerCommand::To.into(), "CMD_SMTP_TO."),
        (ServerCommand::Data.into(), "CMD_SMTP_DATA."),
        (ServerCommand::Quit.into(), "CMD_SMTP_QUIT."),
        (ServerCommand::Auth.into(), "CMD_SMTP_AUTH."),
        (ServerCommand::Rset.into(), "CMD_SMTP_RSET."),
        (ServerCommand::Tls.into(), "CMD_SMTP_TLS."),
    ] {
        assert_eq!(value.to_string(), printed);
        assert_eq!(value.to_bytes(), printed.as_bytes());
        assert_eq!(printed.parse(), Ok(value), "{printed}");
    }
    assert_eq!(ServerCommand::Quit.to_string(), "CMD_SMTP_QUIT.");
}

#[test]
fn slips_are_read_as_what_they_mean() {
    for (text, value) in [
        ("CMD SUBJECT: <test>.", command(Command::Subject, "test")),
        (
            "CMD CONTENT: <test content.>.",
            command(Command::Content, "test content."),
        ),
        ("CMD_FROM:<a@b>.", command(Command::From, "a@b")),
        ("CMD_FROM:\t<a@b>.", command(Command::From, "a@b")),
        (" \tCMD_FROM: <a@b>. \r\n", command(Command::From, "a@b")),
        // The blank before ">" stays here; an address loses it in the checks.
        ("CMD_TO: <a@b >.", command(Command::To, "a@b ")),
        ("CMD_SMTPECONN.", ServerCommand::Conn.into()),
        ("CMD_SMTPEHELO.", ServerCommand::Helo.into()),
        ("CMD_SMTPEFROM.", ServerCommand::From.into()),
        ("CMD_SMTPETO.", ServerCommand::To.into()),
        ("CMD SMTP_DATA.", ServerCommand::Data.into()),
        ("CMD_END.\n", Command::End),
    ] {
        assert_eq!(text.parse(), Ok(value), "{text}");
    }
}

#[test]
fn texts_that_are_no_command() {
    use CommandError as E;
    let unknown = |word: &str| E::Unknown(word.into());
    for (text, error) in [
        ("", E::Empty),
        (" \r\n", E::Empty),
        ("CMD_FROM", E::FieldMissing(Keyword::From)),
        ("CMD_FROM.", E::FieldMissing(Keyword::From)),
        ("CMD_FROM: a@b.", E::FieldMissing(Keyword::From)),
        ("CMD_FROM <a@b>.", unknown("CMD_FROM ")),
        ("CMD_FROM: <", E::Unended(Keyword::From)),
        ("CMD_FROM: <.", E::Unended(Keyword::From)),
        ("CMD_FROM: <a@b>", E::Unended(Keyword::From)),
        ("CMD_FROM: <a@b>. x", E::Unended(Keyword::From)),
        ("CMD_END", E::Unended(Keyword::End)),
        ("CMD_END..", E::Unended(Keyword::End)),
        ("CMD_END. CMD_END.", E::Unended(Keyword::End)),
        ("CMD_END: <>.", E::FieldUnexpected(Keyword::End)),
        (
            "CMD_SMTP_CONN: <x>.",
            E::FieldUnexpected(Keyword::Server(ServerCommand::Conn)),
        ),
        ("CMD_SMTPCONN.", unknown("CMD_SMTPCONN")),
        ("CMD_SMTPE_CONN.", unknown("CMD_SMTPE_CONN")),
        ("cmd_end.", unknown("cmd_end")),
        ("CMD-END.", unknown("CMD-END")),
        ("CMD  SUBJECT: <x>.", unknown("CMD  SUBJECT")),
        ("CMD_.", unknown("CMD_")),
        ("CMD_CC: <a@b>.", unknown("CMD_CC")),
        ("<>.", unknown("")),
        ("QUIT", unknown("QUIT")),
        (&"x".repeat(100), unknown(&"x".repeat(40))),
    ] {
        assert_eq!(text.parse::<Command>(), Err(error), "{text}");
    }
    assert_eq!(Command::parse(b"\xff\0."), Err(unknown("\u{fffd}\u{fffd}")));
}

fn read(reader: &mut CommandReader, stream: &[u8]) -> Vec<Result<String, StreamError>> {
    reader.push(stream);
    drain(reader)
}

fn drain(reader: &mut CommandReader) -> Vec<Result<String, StreamError>> {
    std::iter::from_fn(|| reader.pop())
        .map(|text| text.map(|text| String::from_utf8(text).unwrap()))
        .collect()
}

#[test]
fn only_what_could_be_the_end_is_escaped() {
    for (field, stream) in [
        ("test content.", "CMD_CONTENT: <test content.>.\n"),
        ("a >. b", "CMD_CONTENT: <a >. b>.\n"),
        ("a >.", "CMD_CONTENT: <a >.>.\n"),
        ("a >.\n", "CMD_CONTENT: <a >\\.\n>.\n"),
        ("a >.\r\n", "CMD_CONTENT: <a >\\.\r\n>.\n"),
        ("a >. \t\r\nb", "CMD_CONTENT: <a >\\. \t\r\nb>.\n"),
        ("a >\\.\n", "CMD_CONTENT: <a >\\\\.\n>.\n"),
        ("a >\\\\.\n>.\n", "CMD_CONTENT: <a >\\\\\\.\n>\\.\n>.\n"),
        (">.\n", "CMD_CONTENT: <>\\.\n>.\n"),
        (".\n", "CMD_CONTENT: <.\n>.\n"),
        ("a \\.\n", "CMD_CONTENT: <a \\.\n>.\n"),
        ("a >\\\n", "CMD_CONTENT: <a >\\\n>.\n"),
        ("a >\\", "CMD_CONTENT: <a >\\>.\n"),
        ("a >.\r", "CMD_CONTENT: <a >.\r>.\n"),
        ("a >.\r\r\n", "CMD_CONTENT: <a >.\r\r\n>.\n"),
        ("a >.\r \n", "CMD_CONTENT: <a >.\r \n>.\n"),
    ] {
        let value = command(Command::Content, field);
        assert_eq!(String::from_utf8(value.to_stream()).unwrap(), stream);
        let mut reader = CommandReader::new();
        assert_eq!(
            read(&mut reader, stream.as_bytes()),
            [Ok(value.to_string())],
            "{stream:?}"
        );
    }
}

#[test]
fn a_stream_holds_commands_blank_lines_and_words_of_no_meaning() {
    let stream = "\r\n  \nCMD_FROM: <a@b>. \t\r\n\nhello > .\n<x\n CMD_X: <1\n2>.\nA < B: <\nCMD_END.  \n";
    let expected = [
        "CMD_FROM: <a@b>.",
        "hello > .",
        "<x",
        "CMD_X: <1\n2>.",
        "A < B: <",
        "CMD_END.",
    ];
    assert_eq!(
        read(&mut CommandReader::new(), stream.as_bytes()),
        expected.map(|text| Ok(text.into()))
    );
}

#[test]
fn the_last_line_end_may_be_missing_but_not_the_end_of_a_field() {
    for (stream, expected) in [
        ("", vec![]),
        ("\n ", vec![]),
        ("CMD_END.", vec![Ok("CMD_END.".into())]),
        ("CMD_TO: <a@b>.", vec![Ok("CMD_TO: <a@b>.".into())]),
        ("CMD_TO: <a@b>. \r", vec![Ok("CMD_TO: <a@b>.".into())]),
        ("CMD_TO: <a@b>", vec![Err(StreamError::Unended)]),
        ("CMD_TO: <a@b>\\.", vec![Err(StreamError::Unended)]),
        ("CMD_TO: <", vec![Err(StreamError::Unended)]),
        ("CMD_TO", vec![Ok("CMD_TO".into())]),
    ] {
        let mut reader = CommandReader::new();
        assert_eq!(read(&mut reader, stream.as_bytes()), []);
        reader.finish();
        assert_eq!(drain(&mut reader), expected, "{stream:?}");
        assert_eq!(
            read(&mut reader, b"CMD_END.\n"),
            [Ok("CMD_END.".into())],
            "not as new"
        );
    }
}

#[test]
fn a_command_too_long_is_told_of_and_skipped() {
    let too_long = Err(StreamError::TooLong(20));
    for (stream, expected) in [
        ("CMD_SUBJECT: <12345>.\n", None),
        ("CMD_SUBJECT: <1234>.\n", Some("CMD_SUBJECT: <1234>.")),
        ("CMD_SUBJECT: <1234>.\r\n", Some("CMD_SUBJECT: <1234>.")),
        ("CMD_CONTENT: <1234\n56\nCMD_END.\n78 >\\.\n9>. \r\n", None),
        ("CMD_CONTENT: <\n\n\n\n\n\n\n>\n.\n>.\n", None),
        ("a line of no meaning, and < a bracket: <\n", None),
        ("CMD_CCCCCCCCCCCCCCCCCCCCCCCCCC", None),
    ] {
        let mut reader = CommandReader::with_limit(20);
        let first = expected.map_or(too_long.clone(), |text| Ok(text.into()));
        let mut found = read(&mut reader, stream.as_bytes());
        if !stream.ends_with('\n') {
            found.extend(read(&mut reader, b": <x>.\n"));
        }
        found.extend(read(&mut reader, b"CMD_END.\n"));
        assert_eq!(found, [first, Ok("CMD_END.".into())], "{stream:?}");
    }
}

#[test]
fn a_skipped_command_is_not_told_of_twice_at_the_end() {
    let mut reader = CommandReader::with_limit(20);
    assert_eq!(
        read(&mut reader, b"CMD_CONTENT: <12345678"),
        [Err(StreamError::TooLong(20))]
    );
    reader.finish();
    assert_eq!(drain(&mut reader), []);
}

fn misuse(step: &Step) -> String {
    assert!(matches!(step, Step::Misuse(_)), "{step:?}");
    step.reply().unwrap().to_string()
}

#[test]
fn the_dialogue_of_scenario_a1_ends_in_fields_to_send() {
    let mut session = Session::new();
    for text in [
        "CMD_FROM: <cxw@apple.com>.",
        "CMD_TO: <407184933@qq.com>.",
        "CMD SUBJECT: <test>.",
        "CMD_CONTENT: <test content.>.",
    ] {
        assert!(
            matches!(session.command(text.as_bytes()), Step::Continue),
            "{text}"
        );
    }
    assert_eq!(session.expected(), Keyword::End);
    let Step::Send(fields) = session.command(b"CMD_END.") else {
        panic!("not sent")
    };
    assert_eq!(fields.from.to_smtp(), "cxw@apple.com");
    assert_eq!(fields.to.to_smtp(), "407184933@qq.com");
    assert_eq!(
        (fields.subject.as_str(), fields.content.as_str()),
        ("test", "test content.")
    );
    assert_eq!(session.expected(), Keyword::From);
}

#[test]
fn failed_checks_are_answered_and_the_session_is_as_new() {
    let mut session = Session::new();
    for (to, content, printed) in [
        ("", "", "RE_NO_EMPTY: <To, Content,>."),
        ("407184933qq.com", "x", "RE_INVALID_FORMAT: <407184933qq.com>."),
    ] {
        for text in [
            "CMD_FROM: <cxw@apple.com>.",
            &format!("CMD_TO: <{to}>."),
            "CMD_SUBJECT: <test>.",
        ] {
            assert!(session.command(text.as_bytes()).reply().is_none());
        }
        assert!(
            session
                .command(format!("CMD_CONTENT: <{content}>.").as_bytes())
                .reply()
                .is_none()
        );
        let step = session.command(b"CMD_END.");
        assert!(matches!(step, Step::CheckFailed(_)));
        assert_eq!(step.reply().unwrap().to_string(), printed);
        assert_eq!(session.expected(), Keyword::From);
    }
}

#[test]
fn what_is_not_in_order_says_so_and_loses_nothing() {
    let in_order = [
        "CMD_FROM: <a@b>.",
        "CMD_TO: <c@d>.",
        "CMD_SUBJECT: <s>.",
        "CMD_CONTENT: <c>.",
        "CMD_END.",
    ];
    let mut session = Session::new();
    for (place, text) in in_order.iter().enumerate() {
        let expected = session.expected();
        let next = format!("; {expected} is expected next>.");
        for (other_place, other) in in_order.iter().enumerate() {
            if other_place == place {
                continue;
            }
            let said = misuse(&session.command(other.replace('<', "<other").as_bytes()));
            let how = if other_place < place {
                "was given already"
            } else {
                "comes too early"
            };
            assert!(said.contains(how) && said.ends_with(&next), "{said}");
        }
        let said = misuse(&session.command(b"CMD_SMTP_CONN."));
        assert!(
            said.starts_with("RE_MISUSE: <CMD_SMTP_CONN is for the server to say;"),
            "{said}"
        );
        let said = misuse(&session.command(b"CMD_CC: <x>."));
        assert!(
            said.starts_with("RE_MISUSE: <there is no command \"CMD_CC\";") && said.ends_with(&next),
            "{said}"
        );
        assert!(misuse(&session.command(b"")).contains("there is no command;"));
        assert!(!misuse(&session.command(b"\n\x1b[2J\xff.")).contains(char::is_control));
        assert_eq!(session.expected(), expected);
        match session.command(text.as_bytes()) {
            Step::Send(fields) => {
                assert_eq!(
                    (fields.from.to_smtp(), fields.to.to_smtp()),
                    ("a@b".into(), "c@d".into())
                );
                assert_eq!((fields.subject.as_str(), fields.content.as_str()), ("s", "c"));
            }
            step => assert!(matches!(step, Step::Continue) && place < 4, "{step:?}"),
        }
    }
}

#[test]
fn a_cleared_session_begins_again() {
    let mut session = Session::new();
    assert!(session.command(b"CMD_FROM: <a@b>.").reply().is_none());
    session.clear();
    assert_eq!(session.expected(), Keyword::From);
}

fn any_field() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            ">", "\\", ".", ">.", ">\\.", "\n", "\r", "\r\n", ">.\n", ">\\.\r\n", " ", "\t", "<", ": <", "CMD_END.\n",
        ]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        1 => any_field().prop_map(Command::From),
        1 => any_field().prop_map(Command::To),
        1 => any_field().prop_map(Command::Subject),
        4 => any_field().prop_map(Command::Content),
        1 => Just(Command::End),
        1 => Just(Command::Server(ServerCommand::Tls)),
    ]
}

proptest! {
    #[test]
    fn every_command_comes_back_from_a_call(command in any_command()) {
        prop_assert_eq!(Command::parse(&command.to_bytes()), Ok(command));
    }

    #[test]
    fn every_command_comes_back_from_a_stream_in_any_pieces(
        commands in prop::collection::vec(any_command(), 1..5),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        last_line_end in any::<bool>(),
    ) {
        let mut stream: Vec<u8> = commands.iter().flat_map(Command::to_stream).collect();
        if !last_line_end {
            stream.pop();
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
        cuts.push(stream.len());
        cuts.sort_unstable();
        let (mut reader, mut start) = (CommandReader::new(), 0);
        for cut in cuts {
            reader.push(&stream[start..cut]);
            start = cut;
        }
        reader.finish();
        let found: Vec<_> = std::iter::from_fn(|| reader.pop()).map(|text| Command::parse(&text.unwrap())).collect();
        prop_assert_eq!(found, commands.into_iter().map(Ok).collect::<Vec<_>>());
    }

    #[test]
    fn whatever_comes_nothing_panics(stream in any_field(), limit in 0_usize..40) {
        let mut reader = CommandReader::with_limit(limit);
        let mut session = Session::new();
        reader.push(&stream);
        reader.finish();
        while let Some(text) = reader.pop() {
            if let Ok(text) = text {
                prop_assert!(text.len() <= limit);
                let _ = session.command(&text);
            }
        }
        let _ = session.command(&stream);
    }
}
