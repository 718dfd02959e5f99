//! Programs in Python, and how lists of octets go in and out of them.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// The interpreter that `make test` names, or this machine's own: enough for what needs no module of ours.
pub fn python() -> OsString {
    std::env::var_os("MAPAGENT_TEST_PYTHON").unwrap_or_else(|| "python3".into())
}

/// An interpreter that has our module, and the tools of `.venv`.
///
/// # Panics
/// When there is none.
pub fn python_with_mapagent() -> OsString {
    let private = source("../.venv/bin/python");
    std::env::var_os("MAPAGENT_TEST_PYTHON").unwrap_or_else(|| {
        assert!(
            private.exists(),
            "{} is not there: run scripts/python-env",
            private.display()
        );
        private.into()
    })
}

/// A file of this crate.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Runs a program of this crate's `python/`: what it prints. It must succeed.
///
/// # Panics
/// When it does not, with what it said.
pub fn run<A: AsRef<OsStr>>(
    interpreter: &OsStr,
    program: &str,
    arguments: impl IntoIterator<Item = A>,
    input: Vec<u8>,
) -> Vec<u8> {
    let mut child = Command::new(interpreter)
        .arg(source("python").join(program))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python is needed for this test");
    let mut stdin = child.stdin.take().expect("a pipe");
    let writer = thread::spawn(move || stdin.write_all(&input));
    let mut output = Vec::new();
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_to_end(&mut output).expect("what it prints");
    assert!(child.wait().expect("a status").success(), "{program} fails");
    let written = writer.join().expect("a thread that does not panic");
    assert!(written.is_ok(), "{program} does not read its input: {written:?}");
    output
}

/// Each after its length: four octets, the most significant first.
///
/// # Panics
/// When one is longer than such a number can tell.
pub fn framed<'a>(frames: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut all = Vec::new();
    for frame in frames {
        let length = u32::try_from(frame.len()).expect("less than 4 GiB");
        all.extend_from_slice(&length.to_be_bytes());
        all.extend_from_slice(frame);
    }
    all
}

/// The reverse of [`framed`].
///
/// # Panics
/// When the last is cut short.
pub fn frames(mut octets: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while !octets.is_empty() {
        let (length, behind) = octets.split_first_chunk::<4>().expect("a length cut short");
        let (frame, behind) = behind.split_at(u32::from_be_bytes(*length) as usize);
        frames.push(frame.to_vec());
        octets = behind;
    }
    frames
}
