//! The cut test: for every flight plan the dialogue is cut after every single octet of either side, in every way
//! a peer or a caller can cut it, and each recipient must get exactly the outcome that an oracle works out.
//!
//! The oracle knows nothing of the machine. It looks at the dialogue as it was up to the cut: which replies were
//! read whole, and which commands and contents were given to the system whole.
//!
#[path = "cut/oracle.rs"]
mod oracle;
#[path = "cut/plan.rs"]
mod plan;
mod support;

use bytes::Bytes;
use map_core::smtp::{Abort, Authentication, Chunking, Hello, SecretKind, SessionConfig, TlsSession, TlsUse};
use oracle::Seen;
use plan::{Auth, Dialogue, Flight, Plan, Session, Side, Turn, in_chunks, in_rounds, plans, secured};
use support::{Harness, Mail, Pieces, config, describe};

#[test]
fn without_extensions() {
    cut_everywhere(&plans(Flight::Plain), 40_000);
}

#[test]
fn with_pipelining() {
    cut_everywhere(&plans(Flight::Pipelined), 40_000);
}

#[test]
fn with_pipelining_and_an_eager_server() {
    cut_everywhere(&plans(Flight::PipelinedEager), 40_000);
}

#[test]
fn in_rounds_without_extensions() {
    cut_everywhere(&in_rounds(Flight::Plain), 20_000);
}

#[test]
fn in_rounds_with_pipelining() {
    let plans = [in_rounds(Flight::Pipelined), in_rounds(Flight::PipelinedEager)].concat();
    cut_everywhere(&plans, 40_000);
}

#[test]
fn in_chunks_without_pipelining() {
    cut_everywhere(&in_chunks(Flight::Plain), 20_000);
}

#[test]
fn in_chunks_with_pipelining() {
    let plans = [in_chunks(Flight::Pipelined), in_chunks(Flight::PipelinedEager)].concat();
    cut_everywhere(&plans, 40_000);
}

#[test]
fn through_tls_and_auth() {
    cut_everywhere(&secured(Flight::Plain), 20_000);
}

#[test]
fn through_tls_and_auth_with_pipelining() {
    let plans = [secured(Flight::Pipelined), secured(Flight::PipelinedEager)].concat();
    cut_everywhere(&plans, 30_000);
}

/// `at_least` so many cuts, or the plans have shrunk.
fn cut_everywhere(plans: &[Plan], at_least: usize) {
    let mut cuts = 0;
    let mut violations = Vec::new();
    for plan in plans {
        let dialogue = plan.dialogue();
        let turns = dialogue.turns();
        let octets: usize = turns.iter().map(|turn| turn.octets.len()).sum();
        for at in 0..=octets {
            // How octets are cut into pieces and how all ends are two things: the pieces need not meet each ending.
            for (pieces, endings) in [(Pieces::Whole, &ENDINGS[..]), (Pieces::Octets, &ENDINGS[..2])] {
                for ending in endings.iter().copied() {
                    let result = cut(plan, &dialogue, &turns, at, ending, pieces.clone());
                    let Some(result) = result else { continue };
                    cuts += 1;
                    if let Err(error) = result {
                        violations.push(format!(
                            "{plan:?}\n  {ending:?} after octet {at} of {octets}: {error}"
                        ));
                    }
                }
            }
        }
    }
    println!("{cuts} cuts, {} violations", violations.len());
    let shown = violations.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(violations.is_empty(), "{} violations:\n{shown}", violations.len());
    assert!(cuts >= at_least, "only {cuts} cuts");
}

/// How a dialogue is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Cancel,
    Close,
    Deadline,
    /// Something that is not SMTP.
    Garbage,
    Reset,
    /// Neither side's octets move any more.
    Silence,
    /// 421, then closed.
    Shutdown,
}

const ENDINGS: [Ending; 7] = [
    Ending::Close,
    Ending::Silence,
    Ending::Cancel,
    Ending::Deadline,
    Ending::Garbage,
    Ending::Reset,
    Ending::Shutdown,
];

/// One run; `None` where this ending makes no sense.
fn cut(
    plan: &Plan,
    dialogue: &Dialogue,
    turns: &[Turn],
    at: usize,
    ending: Ending,
    pieces: Pieces,
) -> Option<Result<(), String>> {
    let mut left = at;
    let mut written = 0;
    let mut read = 0;
    let mut harness = begin(plan, pieces);
    for turn in turns {
        let now = left.min(turn.octets.len());
        left -= now;
        let octets = &turn.octets[..now];
        match turn.side {
            Side::Server => {
                read += now;
                harness.receive(octets);
            }
            Side::Handshake => {
                read += now;
                if !octets.is_empty() {
                    harness.handle_tls(Ok(TlsSession { verified: true }));
                }
            }
            Side::Client => {
                written += now;
                if let Err(error) = write(&mut harness, octets) {
                    return Some(Err(error));
                }
            }
        }
        if now < turn.octets.len() {
            break;
        }
    }
    let seen = Seen::new(dialogue, written, read);
    if seen.within_reply && matches!(ending, Ending::Garbage | Ending::Shutdown) {
        return None;
    }
    end(&mut harness, ending);
    Some(compare(plan, &seen, &harness, ending))
}

fn begin(plan: &Plan, pieces: Pieces) -> Harness {
    let hello = if plan.session == Session::Helo {
        Hello::Helo
    } else {
        Hello::Ehlo
    };
    let (tls, auth) = match plan.session {
        Session::Ehlo | Session::Fallback | Session::Helo => (TlsUse::Clear, Auth::None),
        Session::Implicit(auth) => (TlsUse::Implicit, auth),
        Session::InTheClear => (TlsUse::Opportunistic, Auth::None),
        Session::StartTls(auth) => (TlsUse::Required, auth),
    };
    let login = Authentication {
        user: "user".to_owned(),
        secret: "pencil".into(),
        kind: SecretKind::Password,
        nonce: "rOprNGfwEbeRWgbNEkqO".to_owned(),
    };
    let config = SessionConfig {
        tls,
        auth: (auth != Auth::None).then_some(login),
        chunk_octets: 3,
        ..config(hello)
    };
    let mut harness = Harness::with(config, pieces);
    for (tx, mail) in plan.mails.iter().enumerate() {
        let content = Bytes::from_static(b"hi\r\n.x\r\n");
        let mut mail = Mail::new(mail.recipients(), plan.size(tx), content);
        if plan.chunked {
            mail.body.chunking = Chunking::Prefer;
        }
        harness.submit(mail);
    }
    harness.quit();
    harness
}

fn write(harness: &mut Harness, octets: &[u8]) -> Result<(), String> {
    let mut rest = octets;
    while !rest.is_empty() {
        let offered = harness.offered();
        let ready = offered.len().min(rest.len());
        if ready == 0 || offered[..ready] != rest[..ready] {
            return Err(format!(
                "writes `{}` instead of `{}`",
                offered.escape_ascii(),
                rest.escape_ascii()
            ));
        }
        let taken = harness.pieces.next(ready);
        harness.transmit(taken);
        rest = &rest[taken..];
    }
    Ok(())
}

fn end(harness: &mut Harness, ending: Ending) {
    let now = harness.now;
    match ending {
        Ending::Cancel => harness.connection.abort(Abort::Cancelled, now),
        Ending::Close => harness.connection.handle_closed(None, now),
        Ending::Deadline => harness.connection.abort(Abort::Deadline, now),
        Ending::Garbage => harness.receive(b"<html>\r\n"),
        Ending::Reset => harness
            .connection
            .handle_closed(Some(std::io::ErrorKind::ConnectionReset), now),
        Ending::Shutdown => {
            harness.receive(b"421 bye\r\n");
            harness.connection.handle_closed(None, now);
        }
        Ending::Silence => {
            // The wait for the reply, and for the answer to QUIT. More would be a hang.
            for _ in 0..2 {
                if harness.connection.poll_deadline().is_some() {
                    harness.wait_for_timeout();
                }
            }
        }
    }
    harness.take_events();
}

fn compare(plan: &Plan, seen: &Seen<'_>, harness: &Harness, ending: Ending) -> Result<(), String> {
    if !harness.is_closed() {
        return Err("is not closed".to_owned());
    }
    for (tx, mail) in plan.mails.iter().enumerate() {
        for index in 0..mail.recipients() {
            let expected = seen.outcome(tx, index, ending);
            let told = harness
                .outcome(tx + 1, index)
                .map_or("nothing".to_owned(), describe);
            if told != expected {
                return Err(format!(
                    "recipient {index} of {tx}: expected {expected}, was told {told}"
                ));
            }
        }
    }
    Ok(())
}
