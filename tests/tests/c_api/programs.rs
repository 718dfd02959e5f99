//! What programs in C and C++ see.

use crate::{RunningWorld, TestResult, assert_silent_success, library};
use map_core::MapReplyCode;
use map_tests::c_library::{folder, project};
use std::fs;

/// Compiles one C program and runs it in the world of `delivery.world`.
fn delivers(source: &str) -> Result<RunningWorld, Box<dyn std::error::Error>> {
    let program = library()?.c(&[source]).shared()?;
    let world = RunningWorld::for_delivery()?;
    assert_silent_success(&program.run(world.arguments())?);
    Ok(world)
}

#[test]
fn the_header_goes_with_regex_h_and_into_two_files_of_a_program() -> TestResult {
    let program = library()?.c(&["c/header_one.c", "c/header_two.c"]).shared()?;
    assert_silent_success(&program.run([""; 0])?);
    Ok(())
}

#[test]
fn what_should_not_be_passed_is_answered() -> TestResult {
    let program = library()?.c(&["c/arguments.c"]).shared()?;
    assert_silent_success(&program.run([""; 0])?);
    Ok(())
}

#[test]
fn every_part_of_a_report_can_be_read() -> TestResult {
    delivers("c/report.c")?;
    Ok(())
}

#[test]
fn a_report_tells_how_a_session_was_protected() -> TestResult {
    delivers("c/sealed.c")?;
    Ok(())
}

#[test]
fn threads_send_at_once() -> TestResult {
    let world = delivers("c/threads.c")?;
    let mut expected: Vec<_> = (0..32)
        .flat_map(|thread| (0..4).map(move |mail| format!("mail {thread}.{mail}")))
        .collect();
    expected.sort_unstable();
    assert_eq!(world.subjects(), expected);
    Ok(())
}

#[test]
fn an_ending_thread_still_sends() -> TestResult {
    let world = delivers("c/ending_thread.c")?;
    assert_eq!(world.subjects(), ["last will"]);
    Ok(())
}

#[test]
fn a_session_speaks_as_the_document_does() -> TestResult {
    let world = delivers("c/session.c")?;
    assert_eq!(world.subjects(), ["one", "two"]);
    Ok(())
}

#[test]
fn a_forked_child_sends_by_an_agent_of_its_own() -> TestResult {
    let world = delivers("c/fork.c")?;
    assert_eq!(
        world.subjects(),
        ["agent", "agent again", "child", "own", "parent", "parent again"]
    );
    Ok(())
}

#[test]
fn a_content_of_100_mebioctets_arrives_whole() -> TestResult {
    let world = delivers("c/large.c")?;
    let mails = world.sandbox.mails();
    let [mail] = &mails[..] else {
        return Err(format!("{} mails arrived", mails.len()).into());
    };
    let line = b".23456789.23456789.23456789.23456789.23456789.23456789.23456789\r\n";
    let header = mail
        .content
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or("no end of the header")?;
    let body = mail.content.get(header + 4..).unwrap_or_default();
    assert_eq!(body.len(), 100 * 1024 * 1024 / 64 * line.len());
    assert!(
        body.chunks(line.len()).all(|chunk| chunk == line),
        "a line is not what it was"
    );
    Ok(())
}

#[test]
fn the_host_program_is_left_alone() -> TestResult {
    delivers("c/manners.c")?;
    Ok(())
}

#[test]
fn signals_reach_the_program_that_waits_for_them() -> TestResult {
    let world = delivers("c/signals.c")?;
    assert_eq!(world.subjects(), ["after", "before"]);
    Ok(())
}

#[test]
fn a_program_whose_main_thread_left_ends() -> TestResult {
    let world = delivers("c/pthread_exit.c")?;
    assert_eq!(world.subjects(), ["agent", "default"]);
    Ok(())
}

#[test]
fn a_cancelled_thread_finishes_its_call() -> TestResult {
    delivers("c/cancelled_thread.c")?;
    Ok(())
}

#[test]
fn a_loop_sends_without_blocking() -> TestResult {
    let program = library()?.c(&["c/queue.c"]).with(["-pthread"]).shared()?;
    let world = RunningWorld::start(include_str!("silence.world"))?;
    assert_silent_success(&program.run(world.arguments())?);
    assert_eq!(world.subjects(), ["kept", "kept"]);
    let mails = world.sandbox.mails();
    let [first, second] = &mails[..] else {
        return Err("two mails arrived".into());
    };
    assert_eq!(first.content, second.content, "it is the same message");
    Ok(())
}

#[test]
fn a_loop_in_cpp_takes_functions_and_futures() -> TestResult {
    for exceptions in ["-fexceptions", "-fno-exceptions"] {
        let program = library()?
            .cpp(&["cpp/queue.cpp"])
            .with([exceptions, "-pthread"])
            .shared()?;
        let world = RunningWorld::for_delivery()?;
        assert_silent_success(&program.run(world.arguments())?);
        assert_eq!(world.subjects(), ["agent", "default", "message", "message"]);
    }
    Ok(())
}

#[test]
fn what_this_machine_lacks_is_named() -> TestResult {
    let program = library()?.c(&["c/shortage.c"]).shared()?;
    let world = RunningWorld::for_delivery()?;
    let folder = tempfile::tempdir()?;
    let [dns, port] = world.arguments();
    assert_silent_success(&program.run([dns, port, folder.path().display().to_string()])?);
    let subjects = world.subjects();
    assert!(
        subjects
            .iter()
            .all(|subject| subject == "enough" || subject == "s"),
        "{subjects:?}"
    );
    Ok(())
}

#[test]
fn what_there_is_no_memory_for_is_an_error() -> TestResult {
    let world = delivers("c/memory.c")?;
    assert_eq!(world.subjects(), ["s"]);
    Ok(())
}

#[test]
fn what_a_host_takes_for_granted_holds() -> TestResult {
    let program = library()?.c(&["c/guest.c"]).shared()?;
    let world = RunningWorld::for_delivery()?;
    let folder = tempfile::tempdir()?;
    let [dns, port] = world.arguments();
    assert_silent_success(&program.run([dns, port, folder.path().display().to_string()])?);
    assert_eq!(world.subjects(), ["child", "child", "child", "parent"]);
    Ok(())
}

#[test]
fn the_library_stays_loaded_behind_its_worker() -> TestResult {
    let library = library()?;
    let program = library.c(&["c/dlclose.c"]).with(["-ldl"]).program()?;
    let world = RunningWorld::for_delivery()?;
    let [dns, port] = world.arguments();
    let shared = library.lib().join("libmapagent.so.0").display().to_string();
    assert_silent_success(&program.run([shared, dns, port])?);
    assert_eq!(world.sandbox.mails().len(), 3);
    Ok(())
}

#[test]
fn handles_of_cpp_move_and_free_themselves() -> TestResult {
    for exceptions in ["-fexceptions", "-fno-exceptions"] {
        let program = library()?
            .cpp(&["cpp/handles.cpp", "cpp/header_one.cpp"])
            .with([exceptions])
            .shared()?;
        let world = RunningWorld::for_delivery()?;
        assert_silent_success(&program.run(world.arguments())?);
        assert_eq!(
            world.subjects(),
            ["default", "from C++", "message", "message", "message", "told"]
        );
    }
    Ok(())
}

/// The C programs are C++ programs, too: the header has no word in it that only C knows.
#[test]
fn the_c_header_serves_cpp() -> TestResult {
    let program = library()?.cpp(&["c/appendix_a.c"]).with(["-x", "c++"]).shared();
    // `-x` counts for the files after it only, and g++ takes `.c` for C++ anyway.
    let world = RunningWorld::start(include_str!("../../canonical/appendix-a.world"))?;
    let [dns, port] = world.arguments();
    let output = program?.run([
        dns.as_str(),
        &port,
        "cxw@apple.com",
        "407184933@qq.com",
        "test",
        "test content.",
    ])?;
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        fs::read_to_string(folder().join("canonical/A.1.txt"))?
    );
    Ok(())
}

#[test]
fn the_scenarios_of_appendix_a_print_their_canonical_dialogue() -> TestResult {
    let scenarios = [
        ("A.1", "407184933@qq.com", "test content.", MapReplyCode::Success),
        ("A.2", "", "", MapReplyCode::NoEmpty),
        (
            "A.3",
            "407184933qq.com",
            "test content.",
            MapReplyCode::InvalidFormat,
        ),
        (
            "A.4",
            "407184933@qqqqq12372.com",
            "test content.",
            MapReplyCode::DnsFail,
        ),
        ("A.5", "cxw@gwu.edu", "test content.", MapReplyCode::BadReply),
        (
            "A.6",
            "cxw@outlook.com",
            "test content.",
            MapReplyCode::ServiceDenied,
        ),
    ];
    let program = library()?.c(&["c/appendix_a.c"]).shared()?;
    let world = RunningWorld::start(include_str!("../../canonical/appendix-a.world"))?;
    let [dns, port] = world.arguments();
    for (name, to, content, reply) in scenarios {
        let output = program.run([dns.as_str(), &port, "cxw@apple.com", to, "test", content])?;
        let dialogue = fs::read_to_string(folder().join(format!("canonical/{name}.txt")))?;
        assert_eq!(String::from_utf8_lossy(&output.stdout), dialogue, "{name}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}");
        assert_eq!(output.status.code(), Some(reply as i32), "{name}");
    }
    Ok(())
}

/// What a user copies first is compiled as it stands, and does what it says.
#[test]
fn the_examples_compile_and_say_what_happened() -> TestResult {
    let library = library()?;
    let example = |name: &str| project().join("examples").join(name).display().to_string();
    let world = RunningWorld::for_delivery()?;
    let [dns, port] = world.arguments();

    for program in [
        library.c(&[&example("c/send.c")]).shared()?,
        library.c(&[&example("c/loop.c")]).shared()?,
        library.cpp(&[&example("cpp/send.cpp")]).shared()?,
    ] {
        let output = program.run(["alice@sender.example", "bob", "s", "c"])?;
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.starts_with("RE_INVALID_FORMAT: <bob>.\n"), "{printed}");
        assert!(printed.lines().count() >= 2, "{printed}");
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(program.run([""; 0])?.status.code(), Some(2));
    }

    let relay = library.c(&[&example("c/relay.c")]).shared()?;
    assert_eq!(
        relay.run([""; 0])?.status.code(),
        Some(MapReplyCode::Misuse as i32)
    );

    let report = library.c(&[&example("c/report.c")]).shared()?;
    let options = [
        "-d",
        dns.as_str(),
        "-p",
        &port,
        "-t",
        "60",
        "-n",
        "client.example",
        "-l",
    ];
    let mail = ["alice@sender.example", "bob@greylisting.example", "s", "c"];
    let output = report.run(options.into_iter().chain(mail))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    for line in [
        "RE_BADREPLY: <451>.",
        "delivered: no",
        "worth another try later",
        "wait for: 900 s",
    ] {
        assert!(
            printed.lines().any(|printed| printed == line),
            "{line} in {printed}"
        );
    }
    assert!(
        printed.contains("attempt: mx.greylisting.example [127.0.0.4], "),
        "{printed}"
    );
    assert_eq!(output.status.code(), Some(MapReplyCode::BadReply as i32));
    Ok(())
}

#[test]
fn the_example_of_a_relay_hands_over_a_mail() -> TestResult {
    let example = project().join("examples/c/relay.c").display().to_string();
    let relay = library()?.c(&[&example]).shared()?;
    let world = RunningWorld::start(
        "host relay.example 127.0.0.2\n  tls good\n  auth alice s3cret-0f-alice\n  require auth\n",
    )?;
    let [dns, port] = world.arguments();
    let scratch = tempfile::TempDir::new()?;
    let authority = scratch.path().join("authority.pem");
    fs::write(&authority, world.sandbox.certificate_authority())?;
    let authority = authority.display().to_string();
    let mail = [
        "alice@sender.example",
        "bob@elsewhere.example",
        "by a relay",
        "content",
    ];
    let arguments = ["-d", &dns, "-c", &authority, "relay.example", &port, "alice"];
    for (secret, reply, sentence) in [
        (
            "s3cret-0f-alice",
            MapReplyCode::Success,
            "The relay passes it on.",
        ),
        ("wrong", MapReplyCode::ServiceDenied, "RE_SERVICE_DENIED."),
    ] {
        let environment = format!("MAPAGENT_RELAY_SECRET={secret}");
        let output = relay.run_under(&["env", &environment], arguments.iter().chain(&mail))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(reply as i32), "{printed}");
        assert!(printed.lines().any(|line| line == sentence), "{printed}");
        assert!(printed.contains(", verified by pkix"), "{printed}");
    }
    assert_eq!(world.subjects(), ["by a relay"]);
    Ok(())
}

/// The programs that stand in the headers and the manual compile as they stand.
#[test]
fn the_programs_in_headers_and_manual_compile() -> TestResult {
    let library = library()?;
    let document = |name: &str| fs::read_to_string(project().join(name));
    let program = |text: &str| -> Option<String> {
        let from = text.find("#include <mapagent.h")?;
        let text = text.get(from..)?;
        text.find("\n}\n")
            .and_then(|end| text.get(..end + 3))
            .map(str::to_owned)
    };
    // In the headers a program is part of a comment, indented by five columns.
    let commented = |text: &str| {
        let comment = text
            .lines()
            .map_while(|line| line.strip_prefix(" *").or(line.strip_prefix("/*")));
        let lines: Vec<_> = comment
            .map(|line| line.strip_prefix("     ").unwrap_or_default())
            .collect();
        lines.join("\n")
    };
    let documents = [
        ("map_send.3", document("docs/man/map_send.3")?, "c"),
        ("mapagent.h", commented(&document("include/mapagent.h")?), "c"),
        (
            "mapagent.hpp",
            commented(&document("include/mapagent.hpp")?),
            "cpp",
        ),
    ];
    let scratch = tempfile::TempDir::new()?;
    for (name, text, language) in documents {
        let program = program(&text).ok_or_else(|| format!("there is no program in {name}"))?;
        let source = scratch.path().join(format!("{name}.{language}"));
        fs::write(&source, program)?;
        let source = source.display().to_string();
        let sources = [source.as_str()];
        match language {
            "c" => library.c(&sources).shared()?,
            _ => library.cpp(&sources).shared()?,
        };
    }
    Ok(())
}
