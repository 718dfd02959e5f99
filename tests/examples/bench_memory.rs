//! The most memory that a process needs to send a file of 1 KiB (that is what its library takes when it does nothing),
//! 10 MiB, 100 MiB and 2 GiB: ours by DATA and BDAT, beside lettre and libcurl. Called by `scripts/bench-memory`.
//!
//! The peak is read from the kernel when a mail host has taken the last octet and has not answered yet, while the sender
//! waits for its answer. It is the resident memory of the whole process: program, libraries, heap.

use map_tests::memory::peak;
use map_tests::sink::{Sink, Takes};
use std::error::Error;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const SIZES: [(&str, u64); 4] = [
    ("1 KiB", KIB),
    ("10 MiB", 10 * MIB),
    ("100 MiB", 100 * MIB),
    ("2 GiB", 2048 * MIB),
];

/// A way to send a file.
struct Sender {
    name: &'static str,
    takes: Takes,
    /// The program and its arguments, given the port and the file.
    command: fn(&Path, u16, &Path) -> Vec<OsString>,
}

const SENDERS: [Sender; 5] = [
    Sender {
        name: "mapagent, DATA",
        takes: Takes::Data,
        command: |examples, port, file| ours(examples, "data", port, file),
    },
    Sender {
        name: "mapagent, BDAT",
        takes: Takes::Chunks,
        command: |examples, port, file| ours(examples, "bdat", port, file),
    },
    Sender {
        name: "mapagent, BDAT, binary body",
        takes: Takes::Chunks,
        command: |examples, port, file| ours(examples, "binary", port, file),
    },
    Sender {
        name: "libcurl (the program curl), DATA",
        takes: Takes::Data,
        command: |_, port, file| {
            let url = format!("smtp://127.0.0.1:{port}/client.test");
            let form = format!(
                "=@{};type=application/octet-stream;encoder=base64",
                file.display()
            );
            let arguments =
                "--silent --show-error --mail-from a@sender.test --mail-rcpt bob@sink.test -F =attached -F";
            let mut all: Vec<OsString> = vec!["curl".into(), url.into()];
            all.extend(arguments.split(' ').map(Into::into));
            all.push(form.into());
            all
        },
    },
    Sender {
        name: "lettre, DATA",
        takes: Takes::Data,
        command: |examples, port, file| {
            let program = examples.join("send_file_lettre").into();
            vec![program, port.to_string().into(), file.into()]
        },
    },
];

fn ours(examples: &Path, way: &str, port: u16, file: &Path) -> Vec<OsString> {
    let program = examples.join("send_file").into();
    vec![program, way.into(), port.to_string().into(), file.into()]
}

/// The peak of one run, in octets.
fn run(sender: &Sender, examples: &Path, file: &Path) -> Result<u64, Box<dyn Error>> {
    let sink = Sink::start(sender.takes);
    let command = (sender.command)(examples, sink.address().port(), file);
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .spawn()?;
    let taken = sink.taken();
    let peak = peak(child.id());
    let (octets, in_chunks) = (taken.octets, taken.in_chunks);
    taken.answer();
    let status = child.wait()?;
    let whole = octets >= file.metadata()?.len() && in_chunks == (sender.takes == Takes::Chunks);
    if status.success() && whole {
        Ok(peak)
    } else {
        Err(format!(
            "{}: {status}, {octets} octets, in chunks: {in_chunks}",
            sender.name
        )
        .into())
    }
}

/// Octets that no encoding makes shorter, the same at every run.
fn file(directory: &Path, size: u64) -> std::io::Result<PathBuf> {
    let path = directory.join(format!("{size}.bin"));
    let mut draw = map_tests::samples::Draw(size);
    let block: Vec<u8> = (0..MIB)
        .map(|_| u8::try_from(draw.below(256)).unwrap_or_default())
        .collect();
    let mut out = File::create(&path)?;
    let mut left = size;
    while left > 0 {
        let some = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        out.write_all(&block[..some])?;
        left -= some as u64;
    }
    Ok(path)
}

fn main() -> Result<(), Box<dyn Error>> {
    let own = std::env::current_exe()?;
    let examples = own.parent().ok_or("a program in a folder")?;
    let directory = tempfile::tempdir()?;
    let names: Vec<&str> = SIZES.iter().map(|(name, _)| *name).collect();
    println!("Peak resident memory of the sending process, MiB:\n");
    println!("| sender | {} |", names.join(" | "));
    println!("| --- |{}", " --- |".repeat(names.len()));
    let mut rows: Vec<String> = SENDERS
        .iter()
        .map(|sender| format!("| {} |", sender.name))
        .collect();
    for (_, size) in SIZES {
        // One file at a time: together they would need more room.
        let file = file(directory.path(), size)?;
        for (sender, row) in SENDERS.iter().zip(&mut rows) {
            let peak = run(sender, examples, &file)?;
            eprintln!("{}: {size} octets, peak {} KiB", sender.name, peak / KIB);
            // One digit after the point.
            let tenths = peak * 10 / MIB;
            write!(row, " {}.{} |", tenths / 10, tenths % 10)?;
        }
        std::fs::remove_file(file)?;
    }
    for row in rows {
        println!("{row}");
    }
    Ok(())
}
