//! The cut test over sockets: a mail host closes, resets, falls silent or stalls after every single octet of either
//! side, with deadlines of milliseconds, and a second host stands by.
//!
//! What is checked is soundness, so no timing can spoil it: never success for a mail that no host took, never a
//! plain failure for one that a host took, never a second host once the first had all of the content, never a hang.
//! (The exact oracle, without a network, is in `map-core/tests/cut.rs`.)

use map_core::agent::Timeout;
use map_core::delivery::Delivered;
use map_core::protocol::Fields;
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

/// What the first host offers and how it answers: each makes another flight plan or another verdict.
const PLANS: [(&str, &str); 5] = [
    ("no extension", "offer nothing"),
    ("PIPELINING", "offer PIPELINING, SIZE 100000"),
    ("HELO", "without ehlo"),
    (
        "content refused",
        "offer PIPELINING\n  on content reply 554 5.6.0 No",
    ),
    (
        "content deferred",
        "offer nothing\n  on content reply 451 4.3.0 Later",
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

fn world(plan: &str, cut: Option<Cut>) -> World {
    let cut = cut.map(|cut| cut.to_string()).unwrap_or_default();
    let script = format!(
        "domain example.test\n  mx 10 first.example.test\n  mx 20 second.example.test\n\
         host first.example.test 127.0.1.1\n  {plan}\n  {cut}\n\
         host second.example.test 127.0.1.2\n"
    );
    script.parse().expect("a world")
}

/// A sandbox and an agent that knows it.
struct Bench {
    sandbox: Sandbox,
    agent: Agent,
}

impl Bench {
    fn start() -> Self {
        let sandbox = Sandbox::start(&world("offer nothing", None)).expect("a sandbox");
        let mut config = Config::new();
        config.set_dns_servers(vec![sandbox.dns_server()]);
        config.set_smtp_port(sandbox.smtp_port()).expect("a port");
        config.set_hello_name(Some("client.test")).expect("a name");
        config.set_allow_loopback(true);
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
        Self {
            agent: Agent::new(config),
            sandbox,
        }
    }

    fn send(&self, plan: &str, cut: Option<Cut>) -> Sent {
        self.sandbox.set_world(&world(plan, cut)).expect("another world");
        self.sandbox.clear();
        let fields = Fields {
            from: b"alice@client.test",
            to: b"bob@example.test",
            subject: b"cut",
            content: CONTENT.as_bytes(),
        };
        let report = self.agent.submit(fields).wait_timeout(HANG).expect("no hang");
        let sessions = self.sandbox.wait_for_quiet(HANG);
        Sent {
            report,
            mails: self.sandbox.mails(),
            sessions,
        }
    }
}

struct Sent {
    report: Report,
    mails: Vec<Mail>,
    sessions: Vec<Session>,
}

impl Sent {
    /// What must never happen (DELIVERY 7 in short), as a sentence when it did.
    fn violation(&self) -> Option<&'static str> {
        let taken = self.mails.len();
        let first_had_it_all = self
            .sessions
            .iter()
            .any(|session| session.host == "first.example.test" && session.contents_complete > 0);
        let second_was_tried = self
            .sessions
            .iter()
            .any(|session| session.host == "second.example.test");
        let first_refused = self
            .report
            .attempts()
            .first()
            .is_some_and(|attempt| attempt.code().is_some());
        let summary = self.report.summary();
        let succeeded = summary.reply().code() == MapReplyCode::Success;
        match summary.delivered() {
            Delivered::Yes if taken == 0 => Some("delivered, and no host took it"),
            Delivered::No if taken > 0 => Some("not delivered, and a host took it"),
            Delivered::Yes if !succeeded => Some("delivered, and no success"),
            Delivered::No | Delivered::Unknown if succeeded => Some("success, and not delivered"),
            _ if taken > 1 => Some("taken twice"),
            _ if second_was_tried && first_had_it_all && !first_refused => {
                Some("a second host behind the commit point")
            }
            _ if self.mails.iter().any(|mail| !is_whole(mail)) => Some("taken, and not whole"),
            _ if self.sessions.iter().any(|session| !session.closed) => Some("a connection left open"),
            _ => None,
        }
    }
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
    let mut jobs: Vec<(&str, &str, Cut)> = Vec::new();
    for (name, plan) in PLANS {
        let sent = bench.send(plan, None);
        assert_eq!(sent.violation(), None, "{name}: {}", sent.report.transcript());
        let uncut = sent.sessions.first().expect("a session");
        assert_eq!(uncut.contents_complete, 1, "{name}: {}", sent.report.transcript());
        jobs.extend(cuts(uncut).into_iter().map(|cut| (name, plan, cut)));
    }
    drop(bench);

    let next = AtomicUsize::new(0);
    let outcomes: Mutex<BTreeMap<(&str, String), usize>> = Mutex::default();
    let violations: Mutex<Vec<String>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let bench = Bench::start();
                while let Some((name, plan, cut)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sent = bench.send(plan, Some(*cut));
                    let reply = sent.report.reply().to_string();
                    *outcomes
                        .lock()
                        .expect("unpoisoned")
                        .entry((name, reply))
                        .or_default() += 1;
                    if let Some(violation) = sent.violation() {
                        let transcript = sent.report.transcript();
                        let violation = format!("{name}, {cut}: {violation}\n{transcript}");
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
    for ((name, reply), count) in outcomes.into_inner().expect("unpoisoned") {
        println!("{count:6} {name}: {reply}");
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}
