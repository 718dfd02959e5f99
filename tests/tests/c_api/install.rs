//! What `make install` leaves behind: names, links, what links with it, and what it exports.

use crate::{TestResult, library};
use map_tests::c_library::{InstalledLibrary, folder, project, run};
use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs a program that needs no network: it prints what the two empty fields of appendix A.2 give.
fn answers(program: &Path, environment: &[(&str, &Path)]) -> TestResult {
    let mut command = Command::new(program);
    command
        .args(["cxw@apple.com", "", "test", ""])
        .envs(environment.iter().copied());
    let output = command.output()?;
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.starts_with("RE_NO_EMPTY: <To, Content,>.\n"), "{printed}");
    Ok(())
}

/// What pkg-config says of a library, word by word.
fn pkg_config(library: &InstalledLibrary, arguments: &[&str]) -> Result<Vec<String>, Box<dyn Error>> {
    let mut command = Command::new("pkg-config");
    command
        .args(arguments)
        .arg("mapagent")
        .env("PKG_CONFIG_PATH", library.lib().join("pkgconfig"));
    Ok(words(&run(&mut command)?))
}

/// The words of what pkg-config prints for a shell: a backslash takes the character after it literally.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (character, words.last_mut()) {
            ('\\', Some(word)) => word.extend(characters.next()),
            (blank, _) if blank.is_whitespace() => words.push(String::new()),
            (character, Some(word)) => word.push(character),
            (_, None) => {}
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn the_shared_library_has_its_names() -> TestResult {
    let lib = library()?.lib();
    assert_eq!(
        fs::read_link(lib.join("libmapagent.so"))?,
        Path::new("libmapagent.so.0")
    );
    assert_eq!(
        fs::read_link(lib.join("libmapagent.so.0"))?,
        Path::new("libmapagent.so.0.1")
    );
    let dynamic = run(Command::new("readelf")
        .arg("-d")
        .arg(lib.join("libmapagent.so.0.1")))?;
    assert!(
        dynamic.contains("Library soname: [libmapagent.so.0]"),
        "{dynamic}"
    );
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
    assert!(
        !dynamic.contains("RPATH") && !dynamic.contains("RUNPATH"),
        "{dynamic}"
    );
    Ok(())
}

/// The names that the header declares are exported, and nothing else is: what else were there would clash with a host's.
#[test]
fn only_the_functions_of_the_header_are_exported() -> TestResult {
    let library = library()?;
    let committed = fs::read_to_string(project().join("map-ffi/symbols.txt"))?;
    let committed: Vec<_> = committed.lines().collect();

    // A line is "address type name"; others name the members of an archive.
    let names = |listing: &str| -> BTreeSet<String> {
        let name = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
            [_, _, name] => Some(name.to_owned()),
            _ => None,
        };
        listing.lines().filter_map(name).collect()
    };
    let listing = run(Command::new("nm")
        .args(["--dynamic", "--defined-only", "--extern-only"])
        .arg(library.lib().join("libmapagent.so")))?;
    let exported: Vec<_> = names(&listing).into_iter().collect();
    assert_eq!(
        exported, committed,
        "if the change is meant, write it into map-ffi/symbols.txt"
    );

    let header = fs::read_to_string(project().join("include/mapagent.h"))?;
    for name in &committed {
        assert!(
            header.contains(&format!("{name}(")),
            "{name} is not in the header"
        );
    }

    // A static library cannot hide what its objects share with each other; the rest of its names are mangled by Rust.
    let listing = run(Command::new("nm")
        .args(["--defined-only", "--extern-only", "--no-sort"])
        .arg(library.lib().join("libmapagent.a")))?;
    let ours: Vec<_> = names(&listing)
        .into_iter()
        .filter(|name| name.starts_with("map_"))
        .collect();
    assert_eq!(ours, committed);
    Ok(())
}

/// A function that no manual page names would be a function that nobody finds.
#[test]
fn every_exported_function_is_in_a_manual_page() -> TestResult {
    let mut pages = String::new();
    for page in fs::read_dir(project().join("docs/man"))? {
        pages += &fs::read_to_string(page?.path())?;
    }
    for name in fs::read_to_string(project().join("map-ffi/symbols.txt"))?.lines() {
        let named = |line: &str| {
            let mut words = line.split_whitespace();
            matches!(words.next(), Some(".Fn" | ".Fo")) && words.next() == Some(name)
        };
        assert!(pages.lines().any(named), "{name}");
    }
    Ok(())
}

/// `man map_last_reply` finds what `man map_send` shows.
#[test]
fn every_exported_function_has_a_page_of_its_own_name() -> TestResult {
    let pages = library()?.prefix().join("share/man/man3");
    for name in fs::read_to_string(project().join("map-ffi/symbols.txt"))?.lines() {
        let page = fs::read_to_string(pages.join(format!("{name}.3")))
            .map_err(|error| format!("{name}: {error}"))?;
        let page = match page.strip_prefix(".so man3/") {
            Some(target) => fs::read_to_string(pages.join(target.trim_end()))?,
            None => page,
        };
        let listed = |line: &str| {
            line.strip_prefix(".Nm ")
                .is_some_and(|rest| rest.trim_end_matches(" ,") == name)
        };
        assert!(page.lines().any(listed), "{name}");
    }
    Ok(())
}

#[test]
fn pkg_config_links_the_shared_library() -> TestResult {
    let scratch = TempDir::new()?;
    library()?;
    // A blank, as the home folder of many a person has one.
    let folder = scratch.path().join("a folder");
    fs::create_dir(&folder)?;
    let library = InstalledLibrary::in_folder(&folder)?;
    assert_eq!(pkg_config(&library, &["--modversion"])?, [VERSION]);
    let program = TempDir::new()?;
    let program = program.path().join("program");
    run(Command::new("gcc")
        .arg(project().join("examples/c/send.c"))
        .arg("-o")
        .arg(&program)
        .args(pkg_config(&library, &["--cflags", "--libs"])?))?;
    answers(&program, &[("LD_LIBRARY_PATH", &library.lib())])
}

#[test]
fn pkg_config_links_the_static_library() -> TestResult {
    let library = library()?;
    let folder = TempDir::new()?;
    let program = folder.path().join("program");
    let libraries = pkg_config(&library, &["--static", "--libs"])?;
    let one_static = libraries.iter().flat_map(|word| match word.as_str() {
        "-lmapagent" => vec!["-Wl,-Bstatic", "-lmapagent", "-Wl,-Bdynamic"],
        word => vec![word],
    });
    run(Command::new("gcc")
        .arg(project().join("examples/c/send.c"))
        .arg("-o")
        .arg(&program)
        .args(pkg_config(&library, &["--cflags"])?)
        .args(one_static))?;
    assert!(
        !run(Command::new("readelf").arg("-d").arg(&program))?.contains("libmapagent"),
        "linked shared"
    );
    answers(&program, &[])
}

/// The tree is made under a DESTDIR, moved as packages are, and found where it then is.
#[test]
fn cmake_links_both_from_a_tree_that_was_moved() -> TestResult {
    library()?;
    let scratch = TempDir::new()?;
    let (stage, moved) = (scratch.path().join("stage"), scratch.path().join("moved"));
    run(Command::new("flock")
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("installed.lock"))
        .arg(project().join("scripts/install"))
        .envs([
            ("PREFIX", Path::new("/usr")),
            ("LIBDIR", Path::new("/usr/lib/somewhere")),
            ("DESTDIR", &stage),
        ])
        .env("PROFILE", "dev"))?;
    assert!(stage.join("usr/share/man/man3/map_send.3").is_file());
    fs::rename(stage.join("usr"), &moved)?;

    let build = scratch.path().join("build");
    run(Command::new("cmake")
        .arg("-S")
        .arg(folder().join("cmake"))
        .arg("-B")
        .arg(&build)
        .arg(format!("-DCMAKE_PREFIX_PATH={}", moved.display()))
        .arg(format!(
            "-Dmapagent_DIR={}",
            moved.join("lib/somewhere/cmake/mapagent").display()
        ))
        .arg("-DWANTED=0.1")
        .arg(format!(
            "-DSOURCE={}",
            project().join("examples/c/send.c").display()
        )))?;
    run(Command::new("cmake").arg("--build").arg(&build))?;
    for program in ["shared", "static"] {
        answers(&build.join(program), &[])?;
    }

    let refused = run(Command::new("cmake")
        .arg("-S")
        .arg(folder().join("cmake"))
        .arg("-B")
        .arg(scratch.path().join("other"))
        .arg(format!(
            "-Dmapagent_DIR={}",
            moved.join("lib/somewhere/cmake/mapagent").display()
        ))
        .arg("-DWANTED=1.0")
        .arg("-DSOURCE=none.c"));
    assert!(refused.is_err(), "a version that is not there was found");
    Ok(())
}
