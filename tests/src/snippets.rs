//! The snippets of the documents: what stands between fences there. Each is a test, by its language.
//!
//! A snippet that is no whole program names the file of `tests/snippets` that makes one of it, in a comment on the line
//! before its fence: `<!-- snippet within main.c -->`. It takes the place of the line `SNIPPET` there.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// One snippet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// The document and the line of the fence: `docs/guide.md:350`.
    pub place: String,
    /// What stands after the fence: `c`, `python`; empty where nothing does.
    pub language: String,
    /// The file that makes a program of it.
    pub within: Option<String>,
    /// What stands between the fences.
    pub text: String,
}

/// Folders that hold no documents of ours.
const NOT_OURS: [&str; 4] = ["build", "corpus", "node_modules", "target"];

/// Every README, and what is in `docs`.
///
/// # Errors
/// When they cannot be read.
pub fn documents(project: &Path) -> io::Result<Vec<PathBuf>> {
    let mut documents = vec![project.join("CONTRIBUTING.md")];
    gather(project, &mut documents)?;
    documents.sort_unstable();
    Ok(documents)
}

fn gather(folder: &Path, documents: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            if !name.starts_with('.') && !NOT_OURS.contains(&&*name) {
                gather(&path, documents)?;
            }
        } else if name == "README.md" || (folder.ends_with("docs") && name.ends_with(".md")) {
            documents.push(path);
        }
    }
    Ok(())
}

/// All snippets of all documents, in order.
///
/// # Errors
/// When a document cannot be read, and for code that stands in one without a fence: no test would see it.
pub fn snippets(project: &Path) -> io::Result<Vec<Snippet>> {
    let mut all = Vec::new();
    for document in documents(project)? {
        let name = document.strip_prefix(project).unwrap_or(&document);
        all.extend(snippets_of(
            &name.display().to_string(),
            &fs::read_to_string(&document)?,
        )?);
    }
    Ok(all)
}

/// The snippets of one document.
///
/// # Errors
/// As [`snippets`].
pub fn snippets_of(document: &str, text: &str) -> io::Result<Vec<Snippet>> {
    let mut snippets = Vec::new();
    let mut lines = text.lines().enumerate();
    let mut before = "";
    while let Some((number, line)) = lines.next() {
        let place = || format!("{document}:{}", number + 1);
        let margin = line.len() - line.trim_start().len();
        if let Some(language) = line.trim_start().strip_prefix("```") {
            let within = before
                .trim()
                .strip_prefix("<!-- snippet within ")
                .and_then(|rest| rest.strip_suffix(" -->"));
            let mut text = String::new();
            let mut is_closed = false;
            for (_, line) in lines.by_ref() {
                if line.trim() == "```" {
                    is_closed = true;
                    break;
                }
                let blanks = line.len() - line.trim_start().len();
                text.push_str(line.get(margin.min(blanks)..).unwrap_or_default());
                text.push('\n');
            }
            if !is_closed {
                return Err(io::Error::other(format!("{}: no end of the fence", place())));
            }
            snippets.push(Snippet {
                place: place(),
                language: language.trim().to_owned(),
                within: within.map(str::to_owned),
                text,
            });
        } else if margin >= 4 && before.trim().is_empty() && !line.trim().is_empty() {
            return Err(io::Error::other(format!(
                "{}: code without a fence is no snippet that a test could see",
                place()
            )));
        }
        before = line;
    }
    Ok(snippets)
}

impl Snippet {
    /// The whole program.
    ///
    /// # Errors
    /// When the file that it is to be put in cannot be read, or has no line `SNIPPET`.
    pub fn program(&self, project: &Path) -> io::Result<String> {
        let Some(name) = &self.within else {
            return Ok(self.text.clone());
        };
        let blame = |what: String| io::Error::other(format!("{}: {what}", self.place));
        let frame = fs::read_to_string(project.join("tests/snippets").join(name))
            .map_err(|error| blame(format!("{name}: {error}")))?;
        let line = frame
            .lines()
            .find(|line| line.trim() == "SNIPPET")
            .ok_or_else(|| blame(format!("{name} has no line SNIPPET")))?;
        let margin = line.trim_end_matches("SNIPPET");
        let text: Vec<String> = self
            .text
            .lines()
            .map(|line| format!("{margin}{line}").trim_end().to_owned())
            .collect();
        Ok(frame.replacen(line, &text.join("\n"), 1))
    }
}
