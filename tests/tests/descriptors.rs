//! An agent in a process that may open few descriptors: it waits for its own, and leaves some to the program.

#![cfg(unix)]

use map_core::{Agent, Config, MapReplyCode};
use map_sandbox::{Sandbox, World};
use std::collections::BTreeMap;
use std::process::Command;

const MAILS: usize = 1_000;
const DESCRIPTORS: usize = 256;
/// What the program itself has open meanwhile.
const OF_THE_PROGRAM: usize = DESCRIPTORS / 2;
/// The child's side: where the world is.
const WORLD: &str = "MAPAGENT_TEST_WORLD";

/// One host gets few connections at once, so there are enough hosts for all that the agent may have.
const HOSTS: usize = 8;

fn script() -> String {
    let host = |number: usize| {
        format!(
            "domain d{number}.example\n  mx 10 mx.d{number}.example\nhost mx.d{number}.example 127.0.0.{}\n  \
             on mail delay 300ms then answer\n",
            number + 2
        )
    };
    (0..HOSTS).map(host).collect()
}

#[test]
fn a_thousand_mails_at_once_wait_for_their_turn() {
    if let Ok(world) = std::env::var(WORLD) {
        return send_all(&world);
    }
    let world: World = script().parse().expect("a world");
    let sandbox = Sandbox::start(&world).expect("a sandbox");
    let child = Command::new("sh")
        .args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &DESCRIPTORS.to_string()])
        .arg(std::env::current_exe().expect("this program"))
        .args([
            "--exact",
            "a_thousand_mails_at_once_wait_for_their_turn",
            "--nocapture",
        ])
        .env(WORLD, format!("{} {}", sandbox.dns_server(), sandbox.smtp_port()))
        .status()
        .expect("a shell");
    assert!(child.success());
    assert_eq!(sandbox.mails().len(), MAILS);
}

fn send_all(world: &str) {
    let (dns, port) = world.split_once(' ').expect("where it is");
    let mut config = Config::new();
    config.parse_dns_servers([dns]).expect("a server");
    config
        .set_smtp_port(port.parse().expect("a number"))
        .expect("a port");
    config.set_allow_loopback(true);
    config.set_mta_sts(false);
    let open = || std::fs::File::open("/dev/null");
    let held: Vec<_> = (0..OF_THE_PROGRAM)
        .map(|_| open().expect("there are enough"))
        .collect();
    let agent = Agent::new(config);
    let jobs: Vec<_> = (0..MAILS)
        .map(|number| {
            agent.submit(map_core::protocol::Fields {
                from: b"alice@a.example",
                to: format!("r{number}@d{}.example", number % HOSTS).as_bytes(),
                subject: b"s",
                content: b"c",
            })
        })
        .collect();
    let mut replies: BTreeMap<String, usize> = BTreeMap::new();
    for job in jobs {
        let report = job.wait();
        let said = match report.reply().code() {
            MapReplyCode::Success => "sent".to_owned(),
            _ => format!("{} {}", report.reply(), report.summary().advice()),
        };
        *replies.entry(said).or_default() += 1;
    }
    drop(held);
    assert_eq!(replies, BTreeMap::from([("sent".to_owned(), MAILS)]));
}
