//! The C programs under tools that watch their memory.

use crate::{RunningWorld, TestResult, assert_silent_success, library};

#[test]
fn valgrind_finds_no_error_and_no_leak() -> TestResult {
    let valgrind = ["valgrind", "--quiet", "--error-exitcode=9"];
    let leaks = "--leak-check=full";
    // What the parent's worker held is lost to a child, which has no such thread: nothing can free it there.
    let no_leaks = "--leak-check=no";
    // No TLS: valgrind takes the tags that ring's assembly computes for uninitialised, though the peer finds them right.
    let programs = [
        ("c/arguments.c", leaks),
        ("c/report.c", leaks),
        ("c/session.c", leaks),
        ("c/fork.c", no_leaks),
    ];
    let library = library()?;
    for (source, leaks) in programs {
        let program = library.c(&[source]).shared()?;
        let world = RunningWorld::for_delivery()?;
        let tool = [&valgrind[..], &[leaks]].concat();
        assert_silent_success(&program.run_under(&tool, world.arguments())?);
    }
    Ok(())
}

/// The test above can fail.
#[test]
fn valgrind_still_sees_a_report_that_is_never_freed() -> TestResult {
    let valgrind = ["valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full"];
    let program = library()?.c(&["c/leak.c"]).shared()?;
    let output = program.run_under(&valgrind, [""; 0])?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(9) && complaint.contains("definitely lost"),
        "{complaint}"
    );
    Ok(())
}

#[test]
fn sanitizers_find_no_error_and_no_leak() -> TestResult {
    let sanitizers = [
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
        "-fno-omit-frame-pointer",
    ];
    let library = library()?;
    for source in [
        "c/arguments.c",
        "c/report.c",
        "c/sealed.c",
        "c/session.c",
        "c/threads.c",
        "c/manners.c",
    ] {
        let program = library.c(&[source]).with(sanitizers).shared()?;
        let world = RunningWorld::for_delivery()?;
        assert_silent_success(&program.run(world.arguments())?);
    }
    let queue = library
        .c(&["c/queue.c"])
        .with(sanitizers)
        .with(["-pthread"])
        .shared()?;
    let world = RunningWorld::start(include_str!("silence.world"))?;
    assert_silent_success(&queue.run(world.arguments())?);
    let handles = library
        .cpp(&["cpp/handles.cpp", "cpp/header_one.cpp"])
        .with(sanitizers)
        .shared()?;
    let world = RunningWorld::for_delivery()?;
    assert_silent_success(&handles.run(world.arguments())?);

    // As under valgrind: what the parent's worker held is lost to a child.
    let fork = library.c(&["c/fork.c"]).with(sanitizers).shared()?;
    let world = RunningWorld::for_delivery()?;
    assert_silent_success(&fork.run_under(&["env", "ASAN_OPTIONS=detect_leaks=0"], world.arguments())?);
    Ok(())
}
