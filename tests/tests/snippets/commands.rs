//! Commands of a shell: that the names, folders and options in them exist. They are not run; most install or build.

use crate::TestResult;
use map_tests::c_library::{project, run};
use map_tests::python::python_with_mapagent;
use map_tests::snippets::Snippet;
use std::fs;
use std::process::Command;

/// The system's, which are not ours to check.
const OF_THE_SYSTEM: [&str; 4] = ["cc", "chmod", "export", "openssl"];

/// The commands of a snippet, one a line; what a console prints is none.
pub(crate) fn lines(snippet: &Snippet) -> Vec<String> {
    let lines = snippet.text.lines();
    let commands: Vec<&str> = if snippet.language == "console" {
        lines.filter_map(|line| line.strip_prefix("$ ")).collect()
    } else {
        lines.collect()
    };
    commands
        .into_iter()
        .flat_map(|line| line.split("&&"))
        .map(str::to_owned)
        .collect()
}

/// Checks one command.
pub(crate) fn check(line: &str) -> TestResult {
    let mut words = words(line);
    // Variables before the command.
    while words.first().is_some_and(|word| is_assignment(word)) {
        words.remove(0);
    }
    let Some((program, arguments)) = words.split_first() else {
        return Ok(());
    };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let name = program.rsplit('/').next().unwrap_or_default();
    match (name, arguments.as_slice()) {
        ("make", [target, ..]) => make(target),
        ("cargo", arguments) => cargo(arguments),
        ("pip", ["install", folders @ ..]) => folders
            .iter()
            .try_for_each(|folder| there_is(&format!("{folder}/pyproject.toml"))),
        ("python", ["-m", "mapagent", arguments @ ..]) | ("mapagent", arguments) => mapagent(arguments),
        ("python3", ["-m", "venv", ..]) | ("send", []) => Ok(()),
        ("python", [program, ..]) => there_is(&format!("examples/scenarios/{program}")),
        ("map-sandbox", arguments) => map_sandbox(arguments),
        (name, _) if OF_THE_SYSTEM.contains(&name) => Ok(()),
        _ => Err(format!("nobody knows how to check: {line}").into()),
    }
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && name
                .chars()
                .all(|letter| letter == '_' || letter.is_ascii_uppercase())
    })
}

/// The words of a line, without quotation marks, up to a comment.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            '#' if !is_quoted && word.is_none() => break,
            ' ' if !is_quoted => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

fn make(target: &str) -> TestResult {
    let makefile = fs::read_to_string(project().join("Makefile"))?;
    let mut rules = makefile.lines().filter_map(|line| line.split_once(':'));
    if rules.any(|(targets, _)| targets.split(' ').any(|found| found == target)) {
        Ok(())
    } else {
        Err(format!("the Makefile has no {target}").into())
    }
}

fn there_is(path: &str) -> TestResult {
    if project().join(path).exists() {
        Ok(())
    } else {
        Err(format!("there is no {path}").into())
    }
}

fn cargo(arguments: &[&str]) -> TestResult {
    let (ours, theirs) = match arguments.iter().position(|argument| *argument == "--") {
        Some(end) => (&arguments[..end], &arguments[end + 1..]),
        None => (arguments, &[][..]),
    };
    if let ["fuzz", "run" | "cmin", target] = ours {
        return there_is(&format!("fuzz/fuzz_targets/{target}.rs"));
    }
    let mut packages = Vec::new();
    for pair in ours.windows(2) {
        if let ["-p" | "--path", package] = pair {
            there_is(&format!("{package}/Cargo.toml"))?;
            packages.push(*package);
        }
    }
    match (ours, packages.as_slice()) {
        (["run", ..], ["map-sandbox"]) => map_sandbox(theirs),
        (["doc" | "install" | "nextest" | "test", ..], [_]) => Ok(()),
        _ => Err(format!("nobody knows how to check: cargo {}", arguments.join(" ")).into()),
    }
}

/// The command's own parser has the word.
fn mapagent(arguments: &[&str]) -> TestResult {
    let parse = "import sys; from mapagent.__main__ import _parser; _parser().parse_args(sys.argv[1:])";
    run(Command::new(python_with_mapagent())
        .args(["-c", parse])
        .args(arguments))?;
    Ok(())
}

/// Its options are fields of its arguments.
fn map_sandbox(arguments: &[&str]) -> TestResult {
    let source = fs::read_to_string(project().join("map-sandbox/src/main.rs"))?;
    for argument in arguments {
        let Some(option) = argument.strip_prefix("--") else {
            continue;
        };
        if !source.contains(&format!("    {}: ", option.replace('-', "_"))) {
            return Err(format!("map-sandbox has no option --{option}").into());
        }
    }
    Ok(())
}

#[test]
fn what_is_not_there_is_found() {
    for right in [
        "make demo  # shows it",
        "A=1 mapagent send --relay x --relay-user y A B C D",
        "cargo run --quiet -p map-sandbox -- --print-example",
        "",
    ] {
        assert!(check(right).is_ok(), "{right}");
    }
    for wrong in [
        "make nothing",
        "pip install mapagent",
        "mapagent send --relai x A B C D",
        "mapagent deliver",
        "cargo run -p map-sandbox -- --print-exemple",
        "cargo install --path map-nothing",
        "rm -rf .",
    ] {
        assert!(check(wrong).is_err(), "{wrong}");
    }
}
