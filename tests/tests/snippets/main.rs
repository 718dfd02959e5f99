//! What the documents show is run as it stands there: a new snippet is a new test. Those in Rust are documentation
//! tests of this crate.

mod commands;

use map_core::protocol::{Command as MapCommand, CommandReader};
use map_sandbox::{Sandbox, World};
use map_tests::c_library::{InstalledLibrary, Program, project};
use map_tests::python::{python_with_mapagent, source};
use map_tests::snippets::{Snippet, documents, snippets, snippets_of};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

type TestResult = Result<(), Box<dyn Error>>;

/// Files that snippets attach or read.
const FILES: [(&str, &str); 4] = [
    ("report.pdf", "a report"),
    ("Отчёт.pdf", "a report"),
    ("dom.jpg", "a picture"),
    (
        "world.txt",
        "domain example.com\n  mx 10 mx.example.com\nhost mx.example.com 127.0.0.2\n",
    ),
];

/// Each has a test here, or, for Rust, among the documentation tests; `text` is for what nobody types.
const LANGUAGES: [&str; 9] = [
    "c", "console", "cpp", "map", "python", "rust", "sh", "text", "world",
];

fn of(languages: &[&str]) -> Result<Vec<Snippet>, Box<dyn Error>> {
    let mut found = snippets(&project())?;
    found.retain(|snippet| languages.contains(&snippet.language.as_str()));
    assert!(!found.is_empty(), "{languages:?} stands nowhere any more");
    Ok(found)
}

/// Runs all, and tells of all that fail.
fn each(snippets: &[Snippet], run: impl Fn(&Snippet) -> TestResult) -> TestResult {
    let failures: Vec<String> = snippets
        .iter()
        .filter_map(|snippet| {
            let why = run(snippet).err()?;
            Some(format!("{}: {why}", snippet.place))
        })
        .collect();
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures.join("\n").into())
    }
}

/// A folder with what snippets ask for.
fn folder() -> Result<TempDir, Box<dyn Error>> {
    let folder = TempDir::new()?;
    for (name, text) in FILES {
        fs::write(folder.path().join(name), text)?;
    }
    Ok(folder)
}

fn documents_world() -> PathBuf {
    source("snippets/documents.world")
}

fn must_succeed(output: &Output) -> TestResult {
    if output.status.success() {
        return Ok(());
    }
    let (printed, complaint) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    Err(format!("{}\n{printed}{complaint}", output.status).into())
}

#[test]
fn every_snippet_has_a_test() -> TestResult {
    let names: Vec<_> = documents(&project())?
        .iter()
        .filter_map(|path| Some(path.strip_prefix(project()).ok()?.display().to_string()))
        .collect();
    for name in [
        "README.md",
        "docs/guide.md",
        "map-py/README.md",
        "map-sandbox/python/README.md",
    ] {
        assert!(names.iter().any(|found| found == name), "{name} in {names:?}");
    }
    each(&snippets(&project())?, |snippet| {
        let language = snippet.language.as_str();
        if LANGUAGES.contains(&language) {
            Ok(())
        } else {
            Err(format!("nobody tests {language:?}").into())
        }
    })
}

#[test]
fn what_stands_between_fences_is_found() {
    let text = "# A\n\n```c\nint a;\n```\n- b\n\n  <!-- snippet within main.c -->\n  ```c\n  int b;\n\n    int c;\n  ```\n";
    let found = snippets_of("a.md", text).expect("snippets");
    let seen: Vec<_> = found
        .iter()
        .map(|snippet| {
            (
                snippet.place.as_str(),
                snippet.within.as_deref(),
                snippet.text.as_str(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("a.md:3", None, "int a;\n"),
            ("a.md:9", Some("main.c"), "int b;\n\n  int c;\n")
        ]
    );
    for wrong in ["a\n\n    code\n", "```c\nint a;\n"] {
        assert!(snippets_of("a.md", wrong).is_err(), "{wrong}");
    }
}

fn compiled(library: &InstalledLibrary, snippet: &Snippet, folder: &Path) -> Result<Program, Box<dyn Error>> {
    let file = folder.join(format!("snippet.{}", snippet.language));
    fs::write(&file, snippet.program(&project())?)?;
    let file = file.display().to_string();
    let world = source("snippets/into_the_world.c").display().to_string();
    Ok(if snippet.language == "c" {
        library.c(&[&file, &world]).shared()?
    } else {
        library.cpp(&[&file, &world]).shared()?
    })
}

#[test]
fn c_and_cpp() -> TestResult {
    let library = InstalledLibrary::in_folder(Path::new(env!("CARGO_TARGET_TMPDIR")))?;
    let world: World = fs::read_to_string(documents_world())?.parse()?;
    let sandbox = Sandbox::start(&world)?;
    let dns = format!("SNIPPET_DNS={}", sandbox.dns_server());
    let port = format!("SNIPPET_SMTP_PORT={}", sandbox.smtp_port());
    each(&of(&["c", "cpp"])?, |snippet| {
        let folder = folder()?;
        let program = compiled(&library, snippet, folder.path())?;
        let there = format!("--chdir={}", folder.path().display());
        must_succeed(&program.run_under(&["env", &there, &dns, &port], [""; 0])?)
    })?;
    let sent = sandbox.mails().len();
    assert!(
        sent >= 2,
        "the README and the guide send mails, and {sent} arrived"
    );
    Ok(())
}

#[test]
fn python() -> TestResult {
    let snippets = of(&["python"])?;
    each(&snippets, |snippet| {
        let folder = folder()?;
        let program = snippet.program(&project())?;
        let mut command = Command::new("timeout");
        command
            .arg("120")
            .arg(python_with_mapagent())
            .args(["-W", "error"]);
        if program.contains("def test_") {
            fs::write(folder.path().join("test_snippet.py"), program)?;
            command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_snippet.py"]);
        } else {
            fs::write(folder.path().join("snippet.py"), program)?;
            command
                .arg(source("python/run_snippet.py"))
                .arg(documents_world())
                .arg("snippet.py");
        }
        must_succeed(&command.current_dir(folder.path()).stdin(Stdio::null()).output()?)
    })?;
    let folder = TempDir::new()?;
    for (number, snippet) in snippets.iter().enumerate() {
        let program = format!("# {}\n{}", snippet.place, snippet.program(&project())?);
        fs::write(folder.path().join(format!("snippet_{number}.py")), program)?;
    }
    let types = Command::new(python_with_mapagent())
        .args(["-m", "mypy", "--check-untyped-defs", "--cache-dir=/dev/null", "."])
        .current_dir(folder.path())
        .output()?;
    must_succeed(&types)
}

#[test]
fn worlds() -> TestResult {
    each(&of(&["world"])?, |snippet| {
        Sandbox::start(&snippet.text.parse()?)?;
        Ok(())
    })
}

#[test]
fn map_on_a_stream() -> TestResult {
    each(&of(&["map"])?, |snippet| {
        let mut reader = CommandReader::new();
        reader.push(snippet.text.as_bytes());
        reader.finish();
        while let Some(command) = reader.pop() {
            MapCommand::parse(&command?)?;
        }
        Ok(())
    })
}

#[test]
fn commands_of_a_shell() -> TestResult {
    each(&of(&["console", "sh"])?, |snippet| {
        commands::lines(snippet)
            .iter()
            .try_for_each(|line| commands::check(line))
    })
}

/// No name of ours is on a package index: whoever found one there would get a stranger's.
#[test]
fn what_is_installed_comes_from_this_repository() -> TestResult {
    for document in documents(&project())? {
        let text = fs::read_to_string(&document)?;
        for (at, _) in text.match_indices("pip install ") {
            let what = text.get(at + "pip install ".len()..).unwrap_or_default();
            assert!(
                what.starts_with("./map-"),
                "{}: pip install {}",
                document.display(),
                what.lines().next().unwrap_or_default()
            );
        }
    }
    Ok(())
}
