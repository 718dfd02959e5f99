//! No secret in any output: what a log-in proves who one is by is in nothing that a C program can print.

use crate::{RunningWorld, TestResult, library};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use map_core::MapReplyCode;
use std::process::Output;
use std::time::Duration;

const SECRET: &str = "s3cret-0f-alice";
const LONG: Duration = Duration::from_secs(60);

/// `MAP_SECRET_PASSWORD` and `MAP_SECRET_TOKEN`.
const PASSWORD: &str = "1";
const TOKEN: &str = "2";

/// A secret in clear, and in base64 wherever it may stand in a longer text: there are three alignments.
fn shapes(secret: &str) -> Vec<Vec<u8>> {
    let octets = secret.as_bytes();
    let mut shapes = vec![octets.to_vec()];
    shapes.extend((0_usize..3).map(|before| {
        let message = [vec![0; before], octets.to_vec()].concat();
        let encoded = BASE64_STANDARD.encode(message).into_bytes();
        // Without the characters that share bits with what stands before or after.
        let (from, to) = ((before * 8).div_ceil(6), (before + octets.len()) * 8 / 6);
        encoded.get(from..to).unwrap_or_default().to_vec()
    }));
    shapes
}

fn shows(printed: &[u8]) -> bool {
    shapes(SECRET)
        .iter()
        .any(|shape| printed.windows(shape.len()).any(|window| window == shape))
}

#[test]
fn the_search_finds_a_secret_wherever_it_stands() {
    for before in 0..6 {
        let message = format!("\0{}\0{SECRET}\u{1}\u{1}", "u".repeat(before));
        let line = format!("AUTH PLAIN {}", BASE64_STANDARD.encode(message));
        assert!(shows(line.as_bytes()), "{line}");
    }
    assert!(shows(format!("the secret {SECRET} of alice").as_bytes()));
    assert!(!shows(
        BASE64_STANDARD.encode("\0alice\0another secret").as_bytes()
    ));
}

/// A relay that knows alice by `secret`.
fn relay(mechanism: &str, secret: &str, rule: &str) -> Result<RunningWorld, Box<dyn std::error::Error>> {
    RunningWorld::start(&format!(
        "host relay.example 127.0.0.2\n  tls good\n  auth alice {secret} {mechanism}\n  {rule}\n"
    ))
}

/// Whether what the program said holds the secret, and what the host saw of the log-ins.
fn assert_silent(output: &Output, world: &RunningWorld, expected: &[(&str, bool)]) {
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(!shows(&said), "{}", String::from_utf8_lossy(&said));
    let sessions = world.sandbox.wait_for_quiet(LONG);
    let seen: Vec<_> = sessions
        .iter()
        .flat_map(|session| &session.authentications)
        .map(|one| (one.mechanism.as_str(), one.accepted))
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_report_shows_no_secret_of_a_relay() -> TestResult {
    let program = library()?.c(&["c/secrets.c"]).shared()?;
    let echo = format!("on auth reply 535 5.7.8 {SECRET} is wrong");
    let cases = [
        ("SCRAM-SHA-256", PASSWORD),
        ("PLAIN", PASSWORD),
        ("LOGIN", PASSWORD),
        ("XOAUTH2", TOKEN),
    ];
    for (mechanism, kind) in cases {
        for (known, rule, reply) in [
            (SECRET, "# no rule", MapReplyCode::Success),
            ("another", "# no rule", MapReplyCode::ServiceDenied),
            ("another", echo.as_str(), MapReplyCode::ServiceDenied),
        ] {
            let world = relay(mechanism, known, rule)?;
            let [dns, port] = world.arguments();
            let authority = world.sandbox.certificate_authority();
            let output = program.run([dns.as_str(), &port, authority, "alice", SECRET, kind])?;
            let printed = String::from_utf8_lossy(&output.stdout);
            assert_eq!(
                output.status.code(),
                Some(reply as i32),
                "{mechanism}: {printed}{}",
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(printed.contains("CMD_SMTP_AUTH"), "{printed}");
            let taken = reply == MapReplyCode::Success;
            assert_silent(&output, &world, &[(mechanism, taken), (mechanism, taken)]);
        }
    }
    Ok(())
}
