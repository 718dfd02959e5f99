//! The committed header is the one that the sources give.
//!
//! With `MAPAGENT_WRITE_HEADER` set, as `make header` does, it is written instead of compared.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[test]
fn the_committed_header_is_the_one_that_the_sources_give() -> Result<(), Box<dyn Error>> {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../include/mapagent.h");
    let made = make_header()?;
    if env::var_os("MAPAGENT_WRITE_HEADER").is_some() {
        fs::write(&committed, made)?;
        return Ok(());
    }
    let difference = made
        .lines()
        .zip(fs::read_to_string(&committed)?.lines())
        .position(|(made, is)| made != is);
    assert!(
        fs::read_to_string(&committed)? == made,
        "include/mapagent.h is out of date from line {} on: run `make header` and read what changed",
        difference.map_or(0, |line| line + 1)
    );
    Ok(())
}

#[test]
fn the_comments_of_the_header_speak_c() -> Result<(), Box<dyn Error>> {
    let made = make_header()?;
    for rust in [
        "# Safety",
        "# Errors",
        "# Panics",
        "Option",
        "Result<",
        "`None`",
        "[`",
        "&str",
        "# Example",
    ] {
        let line = made.lines().find(|line| line.contains(rust));
        assert!(line.is_none(), "{rust} in {line:?}");
    }
    for (number, line) in made.lines().enumerate() {
        assert!(line.chars().count() <= 125, "line {} is long: {line}", number + 1);
    }
    Ok(())
}

/// Every exported function has a comment, is in the header, and runs its body inside the panic boundary.
#[test]
fn every_exported_function_is_in_the_header_and_behind_the_boundary() -> Result<(), Box<dyn Error>> {
    let header = make_header()?;
    let mut functions = 0;
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))? {
        let source = fs::read_to_string(&path)?;
        for exported in source.split("#[unsafe(no_mangle)]").skip(1) {
            let name = exported
                .split("fn ")
                .nth(1)
                .and_then(|rest| rest.split('(').next())
                .unwrap_or_default();
            assert!(name.starts_with("map_"), "{name} in {}", path.display());
            assert!(
                header.contains(&format!(" {name}(")) || header.contains(&format!("*{name}(")),
                "{name}"
            );
            let body = exported.split_once(" {\n").map_or("", |(_, body)| body);
            let body = body.split("\n}\n").next().unwrap_or_default();
            let guards = [
                "guarded(",
                "replying(",
                "making(",
                "of_report(",
                "of_recipient(",
                "of_attempt(",
                "change(",
                "switch(",
                "set_port(",
                "set_text(",
                "add_addresses(",
                "add_part(",
                "of_built(",
            ];
            assert!(
                guards.iter().any(|guard| body.contains(guard)),
                "{name} has no panic boundary"
            );
            functions += 1;
        }
    }
    assert_eq!(
        functions,
        header.matches("\nMAP_API").count(),
        "a function is missing on one side"
    );
    assert!(functions > 40, "the sources were not read: {functions}");
    Ok(())
}

/// The files of a folder and of those in it.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(sources(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

fn make_header() -> Result<String, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml"))?;
    config.after_includes = config
        .after_includes
        .map(|text| text.replace("@VERSION@", &version_macros()));
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        .with_src(root.join("src/lib.rs"))
        .generate()?;
    let mut header = Vec::new();
    bindings.write(&mut header);
    Ok(String::from_utf8(header)?)
}

fn version_macros() -> String {
    let (major, minor, patch) = (
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
        env!("CARGO_PKG_VERSION_PATCH"),
    );
    format!(
        "#define MAPAGENT_VERSION_MAJOR {major}\n\
         #define MAPAGENT_VERSION_MINOR {minor}\n\
         #define MAPAGENT_VERSION_PATCH {patch}\n\
         #define MAPAGENT_VERSION \"{major}.{minor}.{patch}\"\n\
         #define MAPAGENT_VERSION_NUMBER \\\n    \
             (MAPAGENT_VERSION_MAJOR * 1000000 + MAPAGENT_VERSION_MINOR * 1000 + MAPAGENT_VERSION_PATCH)"
    )
}
