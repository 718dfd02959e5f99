//! Gives the Rust snippets of the documents to the documentation tests of this crate.

#[allow(
    dead_code,
    unreachable_pub,
    reason = "it is a module of the library, which uses all of it"
)]
#[path = "src/snippets.rs"]
mod snippets;

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    println!("cargo::rerun-if-changed=src/snippets.rs");
    println!("cargo::rerun-if-changed=snippets");
    for document in snippets::documents(&project)? {
        println!("cargo::rerun-if-changed={}", document.display());
    }
    // Compiled and not run: an example sends to where it says.
    let mut tests = String::new();
    for snippet in snippets::snippets(&project)? {
        if snippet.language == "rust" {
            let program = snippet.program(&project)?;
            write!(tests, "# {}\n\n```no_run\n{program}```\n\n", snippet.place)?;
        }
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("snippets.md"), tests)?;
    Ok(())
}
