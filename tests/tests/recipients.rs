//! The table of several recipients: how a host answers each RCPT, how it answers the content, what the next host does,
//! and whether another domain has the same hosts; every combination, over sockets, against an oracle.
//!
//! The oracle is a few lines that walk the two hosts recipient by recipient. It shares nothing with the library but
//! the rules of the exchange.

use map_core::delivery::Delivered;
use map_core::message::{AddressList, Builder, Message};
use map_core::{Agent, Config, MapReplyCode, Report};
use map_sandbox::{Mail, Sandbox, World};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const HANG: Duration = Duration::from_secs(60);
const WORKERS: usize = 16;
const RECIPIENTS: [&str; 3] = ["ann@one.example", "bob@one.example", "cat@one.example"];
const OTHER: &str = "dan@two.example";

/// How the first host answers to one RCPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rcpt {
    Accepts,
    Forwards,
    Defers,
    Refuses,
    Shuts,
    Closes,
}

const RCPTS: [Rcpt; 6] = [
    Rcpt::Accepts,
    Rcpt::Forwards,
    Rcpt::Defers,
    Rcpt::Refuses,
    Rcpt::Shuts,
    Rcpt::Closes,
];

/// How the first host answers to what comes after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Taken,
    Deferred,
    Refused,
    Shut,
    /// Lost before the content.
    ClosedAtData,
    /// Lost after all of it.
    Closed,
}

const CONTENTS: [Content; 6] = [
    Content::Taken,
    Content::Deferred,
    Content::Refused,
    Content::Shut,
    Content::ClosedAtData,
    Content::Closed,
];

#[derive(Clone, Copy, Debug)]
struct Case {
    rcpts: [Rcpt; 3],
    content: Content,
    second_takes: bool,
    /// The other domain has the same hosts.
    shared: bool,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, ann) in RCPTS.into_iter().enumerate() {
        for bob in RCPTS {
            for cat in RCPTS {
                for content in CONTENTS {
                    for second_takes in [true, false] {
                        cases.push(Case {
                            rcpts: [ann, bob, cat],
                            content,
                            second_takes,
                            shared: (cases.len() + number) % 2 == 0,
                        });
                    }
                }
            }
        }
    }
    cases
}

impl Case {
    fn world(self) -> World {
        let mut script = String::from("domain one.example\n mx 10 mx1.one.example\n mx 20 mx2.one.example\n");
        let exchange = if self.shared { "one" } else { "two" };
        let _ = writeln!(script, "domain two.example\n mx 1 mx1.{exchange}.example");
        if self.shared {
            let _ = writeln!(script, " mx 2 mx2.one.example");
        }
        let _ = writeln!(
            script,
            "host mx1.two.example 127.0.1.3\nhost mx1.one.example 127.0.1.1"
        );
        for (recipient, rcpt) in RECIPIENTS.into_iter().zip(self.rcpts) {
            let _ = match rcpt {
                Rcpt::Accepts => continue,
                Rcpt::Forwards => writeln!(script, " on rcpt {recipient} reply 251 2.1.5 Will forward"),
                Rcpt::Defers => writeln!(script, " on rcpt {recipient} reply 450 4.2.0 Not now"),
                Rcpt::Refuses => writeln!(script, " on rcpt {recipient} reply 550 5.1.1 Nobody"),
                Rcpt::Shuts => writeln!(script, " on rcpt {recipient} reply 421 4.3.2 Closing"),
                Rcpt::Closes => writeln!(script, " on rcpt {recipient} close"),
            };
        }
        let _ = match self.content {
            Content::Taken => Ok(()),
            Content::Deferred => writeln!(script, " on content reply 451 4.3.0 Later"),
            Content::Refused => writeln!(script, " on content reply 554 5.6.0 No"),
            Content::Shut => writeln!(script, " on content reply 421 4.3.2 Closing"),
            Content::ClosedAtData => writeln!(script, " on data close"),
            Content::Closed => writeln!(script, " on content close"),
        };
        let _ = writeln!(script, "host mx2.one.example 127.0.1.2");
        if !self.second_takes {
            let _ = writeln!(script, " on rcpt reply 450 4.2.0 Not now either");
        }
        script.parse().expect("a world")
    }
}

/// What a recipient may expect: whether it is delivered, and if not, whether a repeat may help; and the host it is
/// with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Delivered(&'static str),
    Transient,
    Permanent,
    Unknown,
}

/// The oracle: of those who go to the first host's connection, in the order of RCPT.
fn expected(case: Case) -> Vec<Verdict> {
    let mut group: Vec<Rcpt> = case.rcpts.to_vec();
    if case.shared {
        group.push(Rcpt::Accepts);
    }
    let ended_at = group
        .iter()
        .position(|rcpt| matches!(rcpt, Rcpt::Shuts | Rcpt::Closes));
    let mut verdicts = Vec::new();
    for (place, rcpt) in group.iter().enumerate() {
        let reached = ended_at.is_none_or(|end| place < end);
        let here = match rcpt {
            Rcpt::Refuses if reached => Verdict::Permanent,
            Rcpt::Accepts | Rcpt::Forwards if ended_at.is_none() => match case.content {
                Content::Taken => Verdict::Delivered("mx1.one.example"),
                Content::Refused => Verdict::Permanent,
                Content::Closed => Verdict::Unknown,
                Content::Deferred | Content::Shut | Content::ClosedAtData => Verdict::Transient,
            },
            _ => Verdict::Transient,
        };
        verdicts.push(match here {
            Verdict::Transient if case.second_takes => Verdict::Delivered("mx2.one.example"),
            here => here,
        });
    }
    if !case.shared {
        verdicts.push(Verdict::Delivered("mx1.two.example"));
    }
    verdicts
}

struct Bench {
    sandbox: Sandbox,
    agent: Agent,
    message: Message,
}

impl Bench {
    fn start(first: Case) -> Self {
        let sandbox = Sandbox::start(&first.world()).expect("a sandbox");
        let mut config = Config::new();
        config.set_dns_servers(vec![sandbox.dns_server()]);
        config.set_smtp_port(sandbox.smtp_port()).expect("a port");
        config.set_hello_name(Some("client.test")).expect("a name");
        config.set_allow_loopback(true);
        let to = format!("{}, {OTHER}", RECIPIENTS.join(", "));
        let message = Builder::new()
            .from("eve@client.test".parse::<AddressList>().expect("a sender"))
            .to(to.parse::<AddressList>().expect("recipients"))
            .text("Hello.".parse().expect("a text"))
            .build()
            .expect("a message");
        Self {
            agent: Agent::new(config),
            sandbox,
            message,
        }
    }

    fn violations(&self, case: Case) -> Vec<String> {
        self.sandbox.set_world(&case.world()).expect("another world");
        self.sandbox.clear();
        let job = self.agent.submit_message(self.message.clone());
        let report = job.wait_timeout(HANG).expect("no hang");
        self.sandbox.wait_for_quiet(HANG);
        let mails = self.sandbox.mails();
        let mut violations = Vec::new();
        for (place, expected) in expected(case).into_iter().enumerate() {
            if let Err(why) = check(&report, place, expected, &mails) {
                violations.push(format!("{case:?}: {why}\n{}", report.transcript()));
            }
        }
        if let Err(why) = check_summary(&report) {
            violations.push(format!("{case:?}: {why}\n{}", report.transcript()));
        }
        violations
    }
}

/// The summary is what all of them come to.
fn check_summary(report: &Report) -> Result<(), String> {
    let all = report.recipients();
    let count = |delivered| all.iter().filter(|one| one.delivered() == delivered).count();
    let (have, perhaps) = (count(Delivered::Yes), count(Delivered::Unknown));
    let expected = match (have, perhaps) {
        (_, 1..) => Delivered::Unknown,
        (0, _) => Delivered::No,
        (have, _) if have == all.len() => Delivered::Yes,
        _ => Delivered::Some,
    };
    let summary = report.summary();
    let is_partial = summary.reply().code() == MapReplyCode::Partial;
    let transient =
        expected == Delivered::No && all.iter().all(map_core::delivery::RecipientReport::transient);
    if summary.delivered() != expected || is_partial != (expected == Delivered::Some) {
        return Err(format!(
            "the summary is {:?}: {}",
            summary.delivered(),
            summary.reply()
        ));
    }
    if summary.transient() != transient || summary.retry_after().is_some() != transient {
        return Err(format!("the summary is transient: {}", summary.transient()));
    }
    Ok(())
}

fn check(report: &Report, place: usize, expected: Verdict, mails: &[Mail]) -> Result<(), String> {
    let recipient = report
        .recipients()
        .get(place)
        .ok_or("a recipient without a report")?;
    let name = RECIPIENTS.get(place).copied().unwrap_or(OTHER);
    let given = match (recipient.delivered(), recipient.transient()) {
        (Delivered::Yes, _) => Verdict::Delivered(match recipient.host() {
            Some("mx1.one.example") => "mx1.one.example",
            Some("mx2.one.example") => "mx2.one.example",
            Some("mx1.two.example") => "mx1.two.example",
            host => return Err(format!("{name} is with {host:?}")),
        }),
        (Delivered::Unknown, _) => Verdict::Unknown,
        (Delivered::No, true) => Verdict::Transient,
        (Delivered::No, false) => Verdict::Permanent,
        (Delivered::Some, _) => return Err(format!("{name} is said to be several")),
    };
    if recipient.recipient() != name || given != expected {
        return Err(format!("{name} is {given:?} and should be {expected:?}"));
    }
    let is_success = recipient.reply().code() == MapReplyCode::Success;
    if is_success != matches!(expected, Verdict::Delivered(_)) {
        return Err(format!("{name} has the reply {}", recipient.reply()));
    }
    let holders: Vec<&str> = mails
        .iter()
        .filter(|mail| mail.forward_paths.iter().any(|path| path == name))
        .map(|mail| mail.host.as_str())
        .collect();
    let should_hold: &[&str] = match &expected {
        Verdict::Delivered(host) => &[host],
        Verdict::Permanent | Verdict::Transient | Verdict::Unknown => &[],
    };
    if holders != should_hold {
        return Err(format!("the mail to {name} is with {holders:?}"));
    }
    Ok(())
}

#[test]
fn every_recipient_has_the_verdict_that_is_true_for_it() {
    let cases = cases();
    let next = AtomicUsize::new(0);
    let violations: Mutex<Vec<String>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let bench = Bench::start(cases[0]);
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = bench.violations(*case);
                    violations.lock().expect("unpoisoned").extend(found);
                }
            });
        }
    });
    let violations = violations.into_inner().expect("unpoisoned");
    println!(
        "{} cases of several recipients, {} violations",
        cases.len(),
        violations.len()
    );
    let shown: Vec<String> = violations.into_iter().take(5).collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
}
