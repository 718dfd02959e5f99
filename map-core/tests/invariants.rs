//! What ARCHITECTURE promises of modules and a compiler does not check.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// These read and write texts and octets: what they need of the world is handed to them. With each the modules of this
/// crate that it may use, which are themselves of these: so none of them reaches another, by whatever way.
const PURE: [(&str, &[&str]); 6] = [
    ("address", &["text"]),
    ("content", &[]),
    ("envelope", &["address"]),
    ("protocol", &["address", "content", "smtp", "text"]),
    ("smtp", &["address", "envelope", "text"]),
    ("text", &[]),
];

/// Crates and names by which a module would come to a socket, a clock, a runtime, the DNS or TLS.
const FORBIDDEN: [&str; 23] = [
    "SystemTime::now",
    "Instant::now",
    "TcpListener",
    "TcpStream",
    "ToSocketAddrs",
    "UdpSocket",
    "UnixStream",
    "elapsed",
    "gethostname",
    "hickory_resolver",
    "jiff",
    "mail_builder",
    "native_tls",
    "openssl",
    "rand",
    "rustls",
    "socket2",
    "std::env",
    "std::fs",
    "std::process",
    "std::thread",
    "tokio",
    "tracing",
];

#[test]
fn pure_modules_know_no_socket_clock_runtime_dns_or_tls() {
    for (module, _) in PURE {
        for file in files_of(module) {
            let source = fs::read_to_string(&file).expect("a readable source file");
            let found = forbidden_words(&source);
            assert!(found.is_empty(), "{}: {found:?}", file.display());
        }
    }
}

#[test]
fn pure_modules_use_pure_modules_only() {
    for (module, allowed) in PURE {
        for used in allowed {
            assert!(
                PURE.iter().any(|(pure, _)| pure == used),
                "{module} may use {used}"
            );
        }
        for file in files_of(module) {
            let source = fs::read_to_string(&file).expect("a readable source file");
            let mut used = modules_used(&source);
            used.retain(|name| name != module && !allowed.contains(&name.as_str()));
            assert!(used.is_empty(), "{} uses {used:?}", file.display());
        }
    }
}

#[test]
fn the_walk_finds_each_module_that_is_used() {
    let table = [
        ("use crate::message::BodyType;", &["message"][..]),
        ("use crate::{net, text::{self, quoted}};", &["net", "text"]),
        (
            "use crate::{\n    route::{Mx, find},\n    Agent,\n};",
            &["Agent", "route"],
        ),
        ("let key = crate::dkim::DkimKey::file(path);", &["dkim"]),
        ("pub(crate) struct Crate; // crate::net", &[]),
        ("pub(in crate::smtp) fn f() {}", &["smtp"]),
    ];
    for (source, used) in table {
        assert_eq!(modules_used(source), used, "{source}");
    }
}

#[test]
fn the_search_finds_what_it_is_for() {
    assert_eq!(
        forbidden_words("use tokio::net::TcpStream;"),
        ["TcpStream", "tokio"]
    );
    assert_eq!(
        forbidden_words("let now = std::time::Instant::now(); // why"),
        ["Instant::now"]
    );
    assert_eq!(
        forbidden_words("use {std::io, hickory_resolver as dns};"),
        ["hickory_resolver"]
    );
    let clean = "//! no tokio here\n/// nor rustls\nlet operand = std::net::IpAddr::from(x); // nor socket2";
    assert!(forbidden_words(clean).is_empty());
}

/// The file of a module of the crate's root, and those in its folder.
fn files_of(module: &str) -> Vec<PathBuf> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (folder, file) = (src.join(module), src.join(format!("{module}.rs")));
    let mut files = if folder.is_dir() {
        rust_files(&folder)
    } else {
        Vec::new()
    };
    if file.is_file() {
        files.push(file);
    }
    assert!(!files.is_empty(), "{module} is gone");
    files
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The forbidden words that stand in the code, comments left out.
fn forbidden_words(source: &str) -> Vec<&'static str> {
    let code: Vec<&str> = code(source).collect();
    FORBIDDEN
        .into_iter()
        .filter(|word| code.iter().any(|line| holds_word(line, word)))
        .collect()
}

/// What the code names after `crate::`, in order and each once: modules, and items of the root.
fn modules_used(source: &str) -> Vec<String> {
    let code: String = code(source).flat_map(|line| [line, "\n"]).collect();
    let mut used = BTreeSet::new();
    for (start, path) in code.match_indices("crate::") {
        let rest = &code[start + path.len()..];
        match rest.strip_prefix('{') {
            None => used.extend(first_name(rest)),
            Some(group) => used.extend(names_of_group(group)),
        }
    }
    used.into_iter().collect()
}

/// The first name of each path between braces, up to the brace that ends them.
fn names_of_group(group: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut names = Vec::from_iter(first_name(group));
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.extend(first_name(&group[at + 1..])),
            _ => {}
        }
    }
    names
}

fn first_name(path: &str) -> Option<String> {
    let in_name = |character: &char| character.is_alphanumeric() || *character == '_';
    let name: String = path.trim_start().chars().take_while(in_name).collect();
    (!name.is_empty()).then_some(name)
}

/// The lines without their comments.
fn code(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(|line| line.split("//").next())
}

fn holds_word(line: &str, word: &str) -> bool {
    let in_name = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(start, _)| {
        let (before, behind) = (line.get(..start), line.get(start + word.len()..));
        !before.is_some_and(|text| text.ends_with(in_name))
            && !behind.is_some_and(|text| text.starts_with(in_name))
    })
}
