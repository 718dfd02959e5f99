//! What runs inside the network namespaces of a test: `serve` is a host, `send …` sends one mail and prints what the
//! report says of it.

#![forbid(unsafe_code)]

use map_core::net::ProbeHosts;
use map_core::route::{Answer, Lookup, LookupError, Proof, Record, RecordType, Resolver};
use map_core::{Agent, Config};
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv6Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

type Anyhow = Result<(), Box<dyn Error>>;

fn main() -> Anyhow {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve"] => serve(),
        ["send", settings @ ..] => send(settings),
        _ => Err("usage: in_netns serve | in_netns send SETTING=VALUE…".into()),
    }
}

/// Takes mail at port 25, and any connection at port 443.
fn serve() -> Anyhow {
    let mail = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 25))?;
    let web = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 443))?;
    println!("ready");
    thread::spawn(move || {
        for connection in web.incoming() {
            drop(connection);
        }
    });
    for connection in mail.incoming() {
        let connection = connection?;
        thread::spawn(move || converse(&connection));
    }
    Ok(())
}

fn converse(connection: &TcpStream) -> std::io::Result<()> {
    let mut out = connection;
    let mut in_content = false;
    out.write_all(b"220 ready\r\n")?;
    for line in BufReader::new(connection).lines() {
        let line = line?;
        let reply = match line.get(..4) {
            _ if in_content && line != "." => continue,
            Some("DATA") => "354 go",
            Some("QUIT") => "221 bye",
            _ => "250 ok for",
        };
        in_content = reply.starts_with('3');
        let client = connection.peer_addr()?.ip().to_canonical();
        out.write_all(format!("{reply} {client}\r\n").as_bytes())?;
    }
    Ok(())
}

/// One domain and its mail host.
#[derive(Debug, Default)]
struct Table {
    addresses: Vec<IpAddr>,
}

impl Resolver for Table {
    fn query<'a>(&'a self, name: &'a str, record_type: RecordType) -> Lookup<'a> {
        let wanted = self.addresses.iter().filter(|address| match record_type {
            RecordType::A => address.is_ipv4(),
            RecordType::Aaaa => address.is_ipv6(),
            _ => false,
        });
        let records = match (name, record_type) {
            ("example.org", RecordType::Mx) => vec![Record::Mx {
                preference: 10,
                exchange: "mx.example.org".to_owned(),
            }],
            ("mx.example.org", _) => wanted.copied().map(Record::Address).collect(),
            _ => Vec::new(),
        };
        let answer = if records.is_empty() {
            Err(LookupError::NoData)
        } else {
            Ok(Answer {
                records,
                canonical_name: name.to_owned(),
                proof: Proof::Insecure,
                first_proof: Proof::Insecure,
                ttl: Duration::from_secs(60),
            })
        };
        Box::pin(std::future::ready(answer))
    }
}

/// Settings: `to`, `mail`, `web` (an address, repeatable), `source` (an address), `proxy` (a URL), `loopback`
/// (`allow`).
fn send(settings: &[&str]) -> Anyhow {
    let mut table = Table::default();
    let (mut mail, mut web) = (Vec::new(), Vec::new());
    let mut config = Config::new();
    for setting in settings {
        match setting.split_once('=').ok_or("SETTING=VALUE")? {
            ("to", address) => table.addresses.push(address.parse()?),
            ("mail", probe_host) => mail.push(probe_host),
            ("web", probe_host) => web.push(probe_host),
            ("source", address) => config.set_source_address(Some(address.parse()?))?,
            ("loopback", "allow") => config.set_allow_loopback(true),
            ("proxy", url) => config.set_proxy(Some(url.parse()?)),
            (name, _) => return Err(format!("no setting {name}").into()),
        }
    }
    config.set_resolver(Arc::new(table));
    config.set_hello_name(Some("client.example.com"))?;
    config.set_timeout(map_core::agent::Timeout::Connect, Duration::from_secs(5))?;
    config.set_port25_probe_hosts(Some(ProbeHosts::new(mail, web)?));
    let report = Agent::new(config).send("alice@example.com", "bob@example.org", "test", "test");
    println!("reply: {}", report.reply());
    println!("transient: {}", report.summary().transient());
    for attempt in report.attempts() {
        println!("attempt: {}", attempt.detail());
    }
    if let Some(evidence) = report.port25() {
        println!("finding: {}", evidence.finding().as_str());
        println!("evidence: {evidence}");
    }
    if let Some(text) = report.summary().server_text() {
        println!("server: {}", String::from_utf8_lossy(text));
    }
    println!("advice: {}", report.summary().advice());
    Ok(())
}
