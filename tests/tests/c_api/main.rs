//! The C and C++ interfaces, used as their users do: compiled by real compilers, linked with the installed library, run.

mod install;
mod messages;
mod programs;
mod secrets;
mod tools;

use map_sandbox::{Sandbox, World};
use map_tests::c_library::InstalledLibrary;
use std::error::Error;
use std::path::Path;
use std::process::Output;

type TestResult = Result<(), Box<dyn Error>>;

/// The library that the sources of now give.
fn library() -> Result<InstalledLibrary, Box<dyn Error>> {
    Ok(InstalledLibrary::in_folder(Path::new(env!(
        "CARGO_TARGET_TMPDIR"
    )))?)
}

/// A running world, and how a program finds it.
struct RunningWorld {
    sandbox: Sandbox,
}

impl RunningWorld {
    fn start(script: &str) -> Result<Self, Box<dyn Error>> {
        let script: World = script.parse()?;
        Ok(Self {
            sandbox: Sandbox::start(&script)?,
        })
    }

    /// The world of `delivery.world`.
    fn for_delivery() -> Result<Self, Box<dyn Error>> {
        Self::start(include_str!("delivery.world"))
    }

    /// The first two arguments of a program: DNS server and port.
    fn arguments(&self) -> [String; 2] {
        [
            self.sandbox.dns_server().to_string(),
            self.sandbox.smtp_port().to_string(),
        ]
    }

    /// The subjects of the mails that arrived, sorted.
    fn subjects(&self) -> Vec<String> {
        let subject = |content: &[u8]| {
            let content = String::from_utf8_lossy(content);
            content
                .lines()
                .find_map(|line| line.strip_prefix("Subject: "))
                .unwrap_or_default()
                .to_owned()
        };
        let mut subjects: Vec<_> = self
            .sandbox
            .mails()
            .iter()
            .map(|mail| subject(&mail.content))
            .collect();
        subjects.sort_unstable();
        subjects
    }
}

/// Checks that a program ended well and had nothing to say.
#[track_caller]
fn assert_silent_success(output: &Output) {
    let (printed, complaint) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && printed.is_empty() && complaint.is_empty(),
        "{}\n{printed}{complaint}",
        output.status
    );
}
