//! What ARCHITECTURE promises of modules and a compiler does not check.

use std::fs;
use std::path::{Path, PathBuf};

/// These read and write texts and octets: what they need of the world is handed to them.
const PURE: [&str; 3] = ["address", "protocol", "smtp"];

/// Crates and names by which a module would come to a socket, a clock, a runtime, the DNS or TLS, or to a module that
/// has them.
const FORBIDDEN: [&str; 27] = [
    "SystemTime::now",
    "Instant::now",
    "TcpListener",
    "TcpStream",
    "ToSocketAddrs",
    "UdpSocket",
    "UnixStream",
    "crate::agent",
    "crate::delivery",
    "crate::net",
    "crate::route",
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
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for module in PURE {
        let files = rust_files(&src.join(module));
        assert!(!files.is_empty(), "{module} is gone");
        for file in files {
            let source = fs::read_to_string(&file).expect("a readable source file");
            let found = forbidden_words(&source);
            assert!(found.is_empty(), "{}: {found:?}", file.display());
        }
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
    let code: Vec<&str> = source
        .lines()
        .filter_map(|line| line.split("//").next())
        .collect();
    FORBIDDEN
        .into_iter()
        .filter(|word| code.iter().any(|line| holds_word(line, word)))
        .collect()
}

fn holds_word(line: &str, word: &str) -> bool {
    let in_name = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(start, _)| {
        let (before, behind) = (line.get(..start), line.get(start + word.len()..));
        !before.is_some_and(|text| text.ends_with(in_name))
            && !behind.is_some_and(|text| text.starts_with(in_name))
    })
}
