//! Hands one mail to a relay by its name, in a world of its own that it also serves, and prints what the report says:
//! `by_name RELAY [dns-servers] [cancel] [deadline]`. It is run in namespaces, where nobody else has port 53.

#![forbid(unsafe_code)]

use map_core::protocol::Fields;
use map_core::{Agent, Config, Relay, RelaySecurity};
use map_sandbox::{Sandbox, World};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

const WORLD: &str = "
host mailhost.corp.example 127.0.0.2
host relay.example 127.0.0.3
domain broken.example
  servfail
domain silent.example
  silent
";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (relay, options) = arguments.split_first().ok_or("by_name RELAY [OPTION…]")?;
    let is_set = |option: &str| options.iter().any(|set| set == option);
    let sandbox = Sandbox::start(&WORLD.parse::<World>()?)?;
    serve_dns(sandbox.dns_server())?;

    let mut config = Config::new();
    config.set_relay(Some(Relay::new(
        relay,
        sandbox.smtp_port(),
        RelaySecurity::Clear,
    )?));
    config.set_hello_name(Some("client.example"))?;
    if is_set("dns-servers") {
        config.set_dns_servers(vec![sandbox.dns_server()]);
    }
    if is_set("deadline") {
        config.set_deadline(Some(Duration::from_millis(300)))?;
    }
    let agent = Agent::new(config);
    let job = agent.submit(Fields {
        from: b"alice@example.com",
        to: b"bob@example.org",
        subject: b"test",
        content: b"test",
    });
    let (cancel, mut calls) = (job.cancel_signal(), 0);
    let report = job.wait_with(|_| {
        calls += 1;
        if is_set("cancel") && calls == 3 {
            cancel.cancel();
        }
    });
    // Neither does the end of the agent wait for whoever is still asked.
    drop(agent);
    println!("reply: {}", report.reply());
    println!("transient: {}", report.summary().transient());
    println!("stage: {}", report.summary().stage().as_str());
    for attempt in report.attempts() {
        let address = attempt.address().map(|address| address.to_string());
        println!("attempt: {} {}", attempt.host(), address.unwrap_or_default());
    }
    println!("advice: {}", report.summary().advice());
    Ok(())
}

/// Answers at the port where the system asks.
fn serve_dns(server: SocketAddr) -> Result<(), Box<dyn Error>> {
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53))?;
    thread::spawn(move || {
        let mut query = [0; 4096];
        while let Ok((octets, client)) = udp.recv_from(&mut query) {
            let query = query[..octets].to_vec();
            let Ok(udp) = udp.try_clone() else { return };
            thread::spawn(move || ask(&udp, &query, server, client));
        }
    });
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 53))?;
    thread::spawn(move || {
        for client in tcp.incoming().flatten() {
            thread::spawn(move || pass_on(client, server));
        }
    });
    Ok(())
}

fn ask(udp: &UdpSocket, query: &[u8], server: SocketAddr, client: SocketAddr) -> std::io::Result<()> {
    let upstream = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    upstream.send_to(query, server)?;
    let mut answer = [0; 4096];
    let octets = upstream.recv(&mut answer)?;
    udp.send_to(&answer[..octets], client)?;
    Ok(())
}

fn pass_on(mut client: TcpStream, server: SocketAddr) -> std::io::Result<()> {
    let mut upstream = TcpStream::connect(server)?;
    let mut length = [0; 2];
    client.read_exact(&mut length)?;
    let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
    client.read_exact(&mut query)?;
    upstream.write_all(&length)?;
    upstream.write_all(&query)?;
    std::io::copy(&mut upstream, &mut client)?;
    Ok(())
}
