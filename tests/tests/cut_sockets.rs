//! The cut test over sockets: a mail host closes, resets, falls silent or stalls after every single octet of either
//! side, with deadlines of milliseconds, and a second host stands by. One mail goes to one recipient; another to three,
//! of whom the host wants one at another time, by DATA or by BDAT.
//!
//! What is checked is soundness, for each recipient, so no timing can spoil it: never success for a mail that no host
//! took, never a plain failure for one that a host took, never a second host once the first had all of the content,
//! never a hang.
//! (The exact oracle, without a network, is in `map-core/tests/cut.rs`.)

use map_core::agent::Timeout;
use map_core::delivery::{Delivered, RecipientReport};
use map_core::message::{AddressList, Builder, Message};
use map_core::protocol::Fields;
use map_core::smtp::Chunking;
use map_core::{Agent, Config, MapReplyCode, Report};
use map_sandbox::{Mail, Sandbox, Session, World};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Nothing here takes that long; whoever waits so long has met a hang.
const HANG: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(50);
const CONTENT: &str = ".first\r\nsecond\r\n..\r\nlast";
const WORKERS: usize = 24;

const ONE: &[&str] = &["bob@example.test"];
const THREE: &[&str] = &["bob@example.test", "carol@example.test", "dave@example.test"];
/// The one of the three that the first host does not take with the others.
const PUT_OFF: &str = "carol@example.test";

/// What the first host offers and how it answers: each makes another flight plan or another verdict.
#[derive(Clone, Copy, Debug)]
struct Plan {
    name: &'static str,
    script: &'static str,
    recipients: &'static [&'static str],
    /// The first host takes contents that are whole.
    takes: bool,
}

const fn plan(
    name: &'static str,
    script: &'static str,
    recipients: &'static [&'static str],
    takes: bool,
) -> Plan {
    Plan {
        name,
        script,
        recipients,
        takes,
    }
}

const PLANS: [Plan; 9] = [
    plan("no extension", "offer nothing", ONE, true),
    plan("PIPELINING", "offer PIPELINING, SIZE 100000", ONE, true),
    plan("HELO", "without ehlo", ONE, true),
    plan(
        "content refused",
        "offer PIPELINING\n  on content reply 554 5.6.0 No",
        ONE,
        false,
    ),
    plan(
        "content deferred",
        "offer nothing\n  on content reply 451 4.3.0 Later",
        ONE,
        false,
    ),
    plan("BDAT", "offer CHUNKING", ONE, true),
    plan(
        "three, one deferred",
        "offer PIPELINING\n  on rcpt carol@example.test reply 450 4.2.0 Later",
        THREE,
        true,
    ),
    plan(
        "three, one too many",
        "offer PIPELINING\n  on rcpt 2 carol@example.test reply 452 4.5.3 Too many",
        THREE,
        true,
    ),
    plan(
        "three, one too many, BDAT",
        "offer PIPELINING, CHUNKING\n  on rcpt 2 carol@example.test reply 452 4.5.3 Too many",
        THREE,
        true,
    ),
];

#[derive(Clone, Copy, Debug)]
struct Cut {
    stop: &'static str,
    side: &'static str,
    after: usize,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cut {} after {} {}", self.stop, self.side, self.after)
    }
}

fn world(plan: Plan, cut: Option<Cut>) -> World {
    let cut = cut.map(|cut| cut.to_string()).unwrap_or_default();
    let script = format!(
        "domain example.test\n  mx 10 first.example.test\n  mx 20 second.example.test\n\
         host first.example.test 127.0.1.1\n  {}\n  {cut}\n\
         host second.example.test 127.0.1.2\n",
        plan.script
    );
    script.parse().expect("a world")
}

/// A sandbox and an agent that knows it.
struct Bench {
    sandbox: Sandbox,
    agent: Agent,
    /// To all three.
    message: Message,
}

impl Bench {
    fn start() -> Self {
        let sandbox = Sandbox::start(&world(PLANS[0], None)).expect("a sandbox");
        let mut config = Config::new();
        config.set_dns_servers(vec![sandbox.dns_server()]);
        config.set_smtp_port(sandbox.smtp_port()).expect("a port");
        config.set_hello_name(Some("client.test")).expect("a name");
        config.set_allow_loopback(true);
        config.set_chunking(Chunking::Prefer);
        let timeouts = [
            Timeout::Greeting,
            Timeout::Hello,
            Timeout::Mail,
            Timeout::Rcpt,
            Timeout::Data,
            Timeout::Content,
            Timeout::FinalReply,
            Timeout::Quit,
        ];
        for timeout in timeouts {
            config.set_timeout(timeout, STEP).expect("a duration");
        }
        let message = Builder::new()
            .from("alice@client.test".parse::<AddressList>().expect("a sender"))
            .to(THREE.join(", ").parse::<AddressList>().expect("recipients"))
            .text(CONTENT.parse().expect("a text"))
            .build()
            .expect("a message");
        Self {
            agent: Agent::new(config),
            sandbox,
            message,
        }
    }

    fn send(&self, plan: Plan, cut: Option<Cut>) -> Sent {
        self.sandbox.set_world(&world(plan, cut)).expect("another world");
        self.sandbox.clear();
        let job = if plan.recipients == ONE {
            self.agent.submit(Fields {
                from: b"alice@client.test",
                to: ONE[0].as_bytes(),
                subject: b"cut",
                content: CONTENT.as_bytes(),
            })
        } else {
            self.agent.submit_message(self.message.clone())
        };
        let report = job.wait_timeout(HANG).expect("no hang");
        let sessions = self.sandbox.wait_for_quiet(HANG);
        Sent {
            plan,
            report,
            mails: self.sandbox.mails(),
            sessions,
        }
    }
}

struct Sent {
    plan: Plan,
    report: Report,
    mails: Vec<Mail>,
    sessions: Vec<Session>,
}

impl Sent {
    /// What must never happen, as a sentence when it did.
    fn violation(&self) -> Option<String> {
        let reports = self.report.recipients();
        if reports.len() != self.plan.recipients.len() {
            return Some("a recipient without a report".to_owned());
        }
        let of_recipients = self.plan.recipients.iter().zip(reports);
        let of_one = of_recipients.into_iter().find_map(|(name, report)| {
            self.violation_for(name, report)
                .map(|what| format!("{name}: {what}"))
        });
        of_one.or_else(|| {
            let what = if self.mails.iter().any(|mail| !is_whole(mail)) {
                "taken, and not whole"
            } else if self.sessions.iter().any(|session| !session.closed) {
                "a connection left open"
            } else {
                return None;
            };
            Some(what.to_owned())
        })
    }

    fn violation_for(&self, name: &str, report: &RecipientReport) -> Option<&'static str> {
        let taken = self
            .mails
            .iter()
            .filter(|mail| mail.forward_paths.iter().any(|path| path == name));
        let taken = taken.count();
        let succeeded = report.reply().code() == MapReplyCode::Success;
        match report.delivered() {
            Delivered::Yes if taken == 0 => Some("delivered, and no host took it"),
            Delivered::No if taken > 0 => Some("not delivered, and a host took it"),
            Delivered::Yes if !succeeded => Some("delivered, and no success"),
            Delivered::No | Delivered::Unknown if succeeded => Some("success, and not delivered"),
            _ if report.recipient() != name => Some("the report of somebody else"),
            _ if taken > 1 => Some("taken twice"),
            _ if self.plan.takes && self.first_had_all_for(name) && self.second_was_asked_for(name) => {
                Some("a second host after the commit point")
            }
            _ => None,
        }
    }

    /// The first host had all of a content that was for this recipient.
    fn first_had_all_for(&self, name: &str) -> bool {
        let sessions = self
            .sessions
            .iter()
            .filter(|session| session.host == "first.example.test");
        sessions.into_iter().any(|session| {
            transactions(session)
                .iter()
                .take(session.contents_complete)
                .any(|recipients| {
                    let was_put_off = name == PUT_OFF && recipients.len() > 1;
                    recipients.iter().any(|recipient| recipient == name) && !was_put_off
                })
        })
    }

    fn second_was_asked_for(&self, name: &str) -> bool {
        let sessions = self
            .sessions
            .iter()
            .filter(|session| session.host == "second.example.test");
        sessions
            .flat_map(transactions)
            .any(|recipients| recipients.iter().any(|recipient| recipient == name))
    }
}

/// The recipients that were named in each transaction of a session.
fn transactions(session: &Session) -> Vec<Vec<String>> {
    let heard = String::from_utf8_lossy(&session.received);
    let mut transactions: Vec<Vec<String>> = Vec::new();
    for line in heard.lines() {
        if line.starts_with("MAIL FROM:") {
            transactions.push(Vec::new());
        } else if let (Some(path), Some(last)) = (line.strip_prefix("RCPT TO:<"), transactions.last_mut()) {
            last.push(path.trim_end_matches('>').to_owned());
        }
    }
    transactions
}

fn is_whole(mail: &Mail) -> bool {
    mail.content
        .ends_with(format!("\r\n\r\n{CONTENT}\r\n").as_bytes())
}

/// Every octet of either side, every way to stop.
fn cuts(uncut: &Session) -> Vec<Cut> {
    let sides = [("sent", uncut.sent.len()), ("received", uncut.received.len())];
    let stops = ["close", "reset", "silent", "stall"];
    let mut cuts = Vec::new();
    for (side, octets) in sides {
        for after in 0..=octets {
            cuts.extend(stops.map(|stop| Cut { stop, side, after }));
        }
    }
    cuts
}

#[test]
fn no_cut_makes_a_reply_lie() {
    let bench = Bench::start();
    let mut jobs: Vec<(Plan, Cut)> = Vec::new();
    for plan in PLANS {
        let sent = bench.send(plan, None);
        let (name, transcript) = (plan.name, sent.report.transcript());
        assert_eq!(sent.violation(), None, "{name}: {transcript}");
        let uncut = sent.sessions.first().expect("a session");
        assert!(uncut.contents_complete > 0, "{name}: {transcript}");
        jobs.extend(cuts(uncut).into_iter().map(|cut| (plan, cut)));
    }
    drop(bench);

    let next = AtomicUsize::new(0);
    let outcomes: Mutex<BTreeMap<(&str, String), usize>> = Mutex::default();
    let violations: Mutex<Vec<String>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let bench = Bench::start();
                while let Some((plan, cut)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sent = bench.send(*plan, Some(*cut));
                    let reports = sent.report.recipients();
                    let replies: Vec<String> =
                        reports.iter().map(|report| report.reply().to_string()).collect();
                    *outcomes
                        .lock()
                        .expect("unpoisoned")
                        .entry((plan.name, replies.join(" ")))
                        .or_default() += 1;
                    if let Some(violation) = sent.violation() {
                        let transcript = sent.report.transcript();
                        let violation = format!("{}, {cut}: {violation}\n{transcript}", plan.name);
                        violations.lock().expect("unpoisoned").push(violation);
                    }
                }
            });
        }
    });

    let violations = violations.into_inner().expect("unpoisoned");
    println!(
        "{} cuts over sockets, {} violations",
        jobs.len(),
        violations.len()
    );
    for ((name, replies), count) in outcomes.into_inner().expect("unpoisoned") {
        println!("{count:6} {name}: {replies}");
    }
    let shown: Vec<String> = violations.into_iter().take(10).collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
}
