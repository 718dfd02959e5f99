//! Messages that programs in C make.

use crate::{RunningWorld, TestResult, assert_silent_success, library};
use map_core::MapReplyCode;
use map_tests::c_library::{folder, project};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What Python's `email` package sees in one message; it finds nothing wrong with it.
fn read_by_python(message: &[u8]) -> Result<Value, Box<dyn std::error::Error>> {
    let python = std::env::var_os("MAPAGENT_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let mut child = Command::new(python)
        .arg(folder().join("python/read_built.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("no standard input")?;
    stdin.write_all(&u32::try_from(message.len())?.to_be_bytes())?;
    stdin.write_all(message)?;
    drop(stdin);
    let output = child.wait_with_output()?;
    let mut read: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(read["found"], json!([]));
    Ok(read["seen"].take())
}

#[test]
fn what_c_puts_in_python_takes_out() -> TestResult {
    let program = library()?.c(&["c/message.c"]).shared()?;
    let scratch = TempDir::new()?;
    let file = scratch.path().join("Bericht.pdf");
    fs::write(&file, "%PDF")?;
    let output = program.run([&file])?;
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success(), "{}", output.status);

    let text = String::from_utf8(output.stdout.clone())?;
    assert!(text.contains("\r\nDate: Sat, 21 Nov 2026 21:09:59 -0330\r\n"));
    assert!(text.starts_with("DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com;"));
    assert!(!text.contains("hidden@example.org") && !text.contains("bounces@example.com"));

    let seen = read_by_python(&output.stdout)?;
    for (field, value) in [
        ("message_id", json!("report.17@example.com")),
        ("subject", json!("Grüße aus Köln")),
        ("references", json!(["first@example.net", "question@example.net"])),
        ("in_reply_to", json!(["question@example.net"])),
        ("comments", json!(["one remark"])),
        ("keywords", json!(["weather", "Köln"])),
        ("fields", json!(["a value"])),
        (
            "from",
            json!([
                ["", "Анна", "anna@example.com"],
                ["", "Doe, John", "john@example.com"]
            ]),
        ),
        ("sender", json!([["", "Office", "office@example.com"]])),
        ("reply_to", json!([["", "", "answers@example.com"]])),
        (
            "to",
            json!([
                ["", "", "bob@example.net"],
                ["Team", "", "carol@example.net"],
                ["Team", "Dave", "dave@example.net"],
                ["", "Zoë", "zoe@example.net"]
            ]),
        ),
        ("cc", json!([["", "", "cc@example.org"]])),
    ] {
        assert_eq!(seen[field], value, "{field}");
    }
    check_parts(&seen["body"]);
    Ok(())
}

fn check_parts(body: &Value) {
    assert_eq!(body["type"], "multipart/mixed");
    let parts = &body["parts"];
    let alternative = &parts[0];
    assert_eq!(alternative["type"], "multipart/alternative");
    assert_eq!(alternative["parts"][0]["text"], "Schön war's.\nBis bald!\n");
    let related = &alternative["parts"][1];
    assert_eq!(related["type"], "multipart/related");
    assert_eq!(
        related["parts"][0]["text"],
        "<p>Schön</p><img src=\"cid:logo@example.com\">\n"
    );
    let zs = "7a".repeat(100_000);
    for (part, described) in [
        (
            &related["parts"][1],
            json!({
                "type": "image/png", "disposition": "inline", "name": "logo.png", "id": "logo@example.com",
                "description": "Our logo", "octets": "89504e470d0a1a0a002e2e2e",
            }),
        ),
        (
            &parts[1],
            json!({
                "type": "application/pdf", "disposition": "attachment", "name": "Bericht.pdf", "id": null,
                "description": null, "octets": "25504446",
            }),
        ),
        (
            &parts[2],
            json!({
                "type": "application/octet-stream", "disposition": "attachment", "name": "Отчёт за март.bin",
                "id": null, "description": null, "octets": "610062",
            }),
        ),
        (
            &parts[3],
            json!({
                "type": "application/octet-stream", "disposition": "attachment", "name": "stream.dat", "id": null,
                "description": null, "octets": zs,
            }),
        ),
        (
            &parts[4],
            json!({
                "type": "text/calendar", "disposition": "inline", "name": null, "id": null, "description": null,
                "text": "BEGIN:VCALENDAR\n",
            }),
        ),
    ] {
        assert_eq!(*part, described);
    }
    let parallel = &parts[5];
    assert_eq!(parallel["type"], "multipart/parallel");
    assert_eq!(parallel["parts"][0]["message"]["subject"], "inner");
    assert_eq!(parallel["parts"][0]["message"]["body"]["text"], "inside\n");
    assert_eq!(parallel["parts"][1]["text"], "<p>beside</p>\n");
}

#[test]
fn what_a_message_refuses_is_said_and_never_left_out() -> TestResult {
    let program = library()?.c(&["c/message_refusals.c"]).shared()?;
    let scratch = TempDir::new()?;
    assert_silent_success(&program.run([scratch.path()])?);
    Ok(())
}

#[test]
fn a_message_goes_to_all_of_its_recipients() -> TestResult {
    let program = library()?.c(&["c/message_send.c"]).shared()?;
    let world = RunningWorld::for_delivery()?;
    let [dns, port] = world.arguments();
    let scratch = TempDir::new()?;
    let file = scratch.path().join("large.bin");
    fs::write(&file, vec![b'x'; 3 << 20])?;
    let file = file.display().to_string();
    assert_silent_success(&program.run([dns, port, file])?);
    assert_eq!(world.subjects(), ["large", "rest", "shared", "two"]);
    Ok(())
}

#[test]
fn a_send_is_cancelled_in_every_silence() -> TestResult {
    let program = library()?.c(&["c/cancel.c"]).shared()?;
    let world = RunningWorld::start(include_str!("silence.world"))?;
    assert_silent_success(&program.run(world.arguments())?);
    Ok(())
}

/// What a user copies first is compiled as it stands, and sends what it was given.
#[test]
fn the_example_of_a_message_sends_it() -> TestResult {
    let example = project().join("examples/c/message.c").display().to_string();
    let program = library()?.c(&[&example]).shared()?;
    let world = RunningWorld::for_delivery()?;
    let [dns, port] = world.arguments();
    let scratch = TempDir::new()?;
    let file = scratch.path().join("Отчёт.pdf");
    fs::write(&file, "%PDF")?;
    let file = file.display().to_string();
    let to = "Bob <bob@taken.example>, bob@refusing.example";
    let output = program.run([
        "-d",
        &dns,
        "-p",
        &port,
        "Alice <alice@sender.example>",
        to,
        "The report",
        &file,
    ])?;
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(MapReplyCode::Partial as i32),
        "{printed}"
    );
    for line in [
        "bob@taken.example: RE_SUCCESS.",
        "bob@refusing.example: RE_SERVICE_DENIED.",
    ] {
        assert!(
            printed.lines().any(|printed| printed == line),
            "{line} in {printed}"
        );
    }
    let mails = world.sandbox.mails();
    let [mail] = &mails[..] else {
        return Err(format!("{} mails arrived", mails.len()).into());
    };
    let seen = read_by_python(&mail.content)?;
    assert_eq!(seen["body"]["parts"][1]["name"], "Отчёт.pdf");
    assert_eq!(seen["body"]["parts"][1]["octets"], "25504446");
    Ok(())
}
