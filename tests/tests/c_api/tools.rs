//! The C programs under tools that watch their memory.

use crate::{RunningWorld, TestResult, assert_silent_success, library};

/// What is run under each tool; threads and large contents would only be slow there.
const DELIVERING: [&str; 4] = ["c/report.c", "c/session.c", "c/fork.c", "c/manners.c"];

#[test]
fn valgrind_finds_no_error_and_no_leak() -> TestResult {
    let valgrind = [
        "valgrind",
        "--quiet",
        "--leak-check=full",
        "--show-leak-kinds=definite,indirect,possible",
        "--errors-for-leak-kinds=definite,indirect,possible",
        "--error-exitcode=9",
    ];
    let library = library()?;
    let arguments = library.c(&["c/arguments.c"]).shared()?;
    assert_silent_success(&arguments.run_under(&valgrind, [""; 0])?);
    for source in DELIVERING {
        let program = library.c(&[source]).shared()?;
        let world = RunningWorld::for_delivery()?;
        assert_silent_success(&program.run_under(&valgrind, world.arguments())?);
    }
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
    let arguments = library.c(&["c/arguments.c"]).with(sanitizers).shared()?;
    assert_silent_success(&arguments.run([""; 0])?);
    for source in DELIVERING.into_iter().chain(["c/threads.c"]) {
        let program = library.c(&[source]).with(sanitizers).shared()?;
        let world = RunningWorld::for_delivery()?;
        assert_silent_success(&program.run(world.arguments())?);
    }
    let handles = library
        .cpp(&["cpp/handles.cpp", "cpp/header_one.cpp"])
        .with(sanitizers)
        .shared()?;
    let world = RunningWorld::for_delivery()?;
    assert_silent_success(&handles.run(world.arguments())?);
    Ok(())
}
