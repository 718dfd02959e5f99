//! The command `map-sandbox`: starts a mail world, says where it is, and shows each mail that arrives.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use map_core::text::one_line;
use map_sandbox::{Mail, Sandbox, World};
use serde_json::json;

/// A mail world on loopback: DNS, mail hosts, faults. A test double, and nothing to receive real mail with.
///
/// The first line on standard output says where it is: `dns 127.0.0.1:PORT smtp PORT https PORT`, the last for the
/// policy hosts of MTA-STS. Each mail follows as it arrives. The world ends with SIGINT or SIGTERM.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The script of the world; a small world with common faults if none is given
    world: Option<PathBuf>,
    /// Writes the certificate of the world's own authority there, in PEM, before the first line is printed
    #[arg(long, value_name = "FILE")]
    certificate_authority: Option<PathBuf>,
    /// Writes the key of the DNS root there, a DNSKEY record, before the first line is printed
    #[arg(long, value_name = "FILE")]
    trust_anchor: Option<PathBuf>,
    /// Shows each mail as one JSON object a line; a content that is no UTF-8 stands in `content_base64`
    #[arg(long)]
    json: bool,
    /// Prints the script of the small world, to begin one's own with, and ends
    #[arg(long)]
    print_example: bool,
    /// Ends also when standard input does, as it does with the program that started this one
    #[arg(long)]
    until_stdin_closes: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("map-sandbox: {}", one_line(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut out = io::stdout().lock();
    if arguments.print_example {
        out.write_all(World::example_script().as_bytes())?;
        return Ok(());
    }
    let world = match &arguments.world {
        None => World::example(),
        Some(path) => {
            let name = path.display();
            let script = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
            script.parse().map_err(|error| format!("{name}: {error}"))?
        }
    };
    let sandbox = Arc::new(Sandbox::start(&world)?);
    stop_on_signals(Arc::clone(&sandbox))?;
    if arguments.until_stdin_closes {
        let sandbox = Arc::clone(&sandbox);
        std::thread::spawn(move || {
            // An error ends it as well: nothing can be waited for then.
            let _ = io::copy(&mut io::stdin().lock().by_ref(), &mut io::sink());
            sandbox.stop();
        });
    }
    let trust_anchor = format!("{}\n", sandbox.trust_anchor());
    for (path, text) in [
        (&arguments.certificate_authority, sandbox.certificate_authority()),
        (&arguments.trust_anchor, trust_anchor.as_str()),
    ] {
        if let Some(path) = path {
            std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    let (dns, smtp, https) = (sandbox.dns_server(), sandbox.smtp_port(), sandbox.https_port());
    writeln!(out, "dns {dns} smtp {smtp} https {https}")?;
    out.flush()?;
    let mut seen = 0;
    while let Some(mail) = sandbox.next_mail(seen, Duration::MAX) {
        let text = if arguments.json {
            as_json(&mail)
        } else {
            as_text(&mail)
        };
        out.write_all(text.as_bytes())?;
        out.flush()?;
        seen += 1;
    }
    Ok(())
}

/// The handlers are there when this returns.
fn stop_on_signals(sandbox: Arc<Sandbox>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let guard = runtime.enter();
    #[cfg(unix)]
    let ended = {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
    };
    #[cfg(not(unix))]
    let ended = async {
        // An error means that there is no such signal here.
        let _ = tokio::signal::ctrl_c().await;
    };
    drop(guard);
    std::thread::spawn(move || {
        runtime.block_on(ended);
        sandbox.stop();
    });
    Ok(())
}

fn as_json(mail: &Mail) -> String {
    let mut object = json!({
        "host": mail.host,
        "hello": mail.hello,
        "reverse_path": mail.reverse_path,
        "forward_paths": mail.forward_paths,
    });
    for (key, value) in [("tls", &mail.tls), ("user", &mail.user)] {
        if let Some(value) = value {
            object[key] = value.as_str().into();
        }
    }
    match str::from_utf8(&mail.content) {
        Ok(text) => object["content"] = text.into(),
        Err(_) => object["content_base64"] = STANDARD.encode(&mail.content).into(),
    }
    format!("{object}\n")
}

fn as_text(mail: &Mail) -> String {
    let paths: Vec<_> = mail
        .forward_paths
        .iter()
        .map(|path| format!("<{}>", shown(path)))
        .collect();
    let (host, from) = (shown(&mail.host), shown(&mail.reverse_path));
    let how = [Some(&mail.hello), mail.tls.as_ref(), mail.user.as_ref()];
    let how: Vec<_> = how.into_iter().flatten().map(|text| shown(text)).collect();
    let (to, how) = (paths.join(" "), how.join(", "));
    let mut text = format!("{host} took a mail from <{from}> to {to} ({how})\n");
    let content = String::from_utf8_lossy(&mail.content);
    for line in content.split_terminator('\n') {
        text.push_str("  ");
        text.push_str(&shown(line.strip_suffix('\r').unwrap_or(line)));
        text.push('\n');
    }
    text.push('\n');
    text
}

/// A mail may come from anywhere: what would steer a terminal is escaped, and so is what is not seen. A tab does neither.
fn shown(text: &str) -> String {
    let pieces: Vec<String> = text.split('\t').map(one_line).collect();
    pieces.join("\t")
}
