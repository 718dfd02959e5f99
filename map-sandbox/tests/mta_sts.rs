//! The policies of MTA-STS: their records, their hosts, and how these fail.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use hickory_resolver::proto::rr::RecordType;
use map_sandbox::Sandbox;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use support::{ask, data, sandbox, trusting};

const HOST: &str = "mta-sts.example.com";
const PATH: &str = "/.well-known/mta-sts.txt";

fn world(lines: &str) -> Sandbox {
    sandbox(&format!(
        "domain example.com\n mx 10 mx1.example.com\n mx 20 mx2.example.com\n{lines}"
    ))
}

fn txt(sandbox: &Sandbox, name: &str) -> Vec<String> {
    data(&ask(sandbox, name, RecordType::TXT, false), RecordType::TXT)
}

/// Where the DNS says that the host is.
fn address(sandbox: &Sandbox) -> SocketAddr {
    let addresses = data(&ask(sandbox, HOST, RecordType::A, false), RecordType::A);
    let address: IpAddr = addresses[0].parse().expect("an address");
    SocketAddr::new(address, sandbox.https_port())
}

/// The whole answer to a request for the policy, head and body.
fn get(sandbox: &Sandbox, host: &str, path: &str) -> std::io::Result<(String, String)> {
    let socket = TcpStream::connect(address(sandbox))?;
    socket.set_read_timeout(Some(Duration::from_millis(500)))?;
    let name = ServerName::try_from(host.to_owned()).expect("a name");
    let connection = ClientConnection::new(trusting(sandbox), name).expect("a client");
    let mut stream = StreamOwned::new(connection, socket);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    Ok((head.to_owned(), body.to_owned()))
}

fn failure(sandbox: &Sandbox) -> String {
    get(sandbox, HOST, PATH).map_or_else(|error| error.to_string(), |(head, _)| head)
}

#[test]
fn a_policy_is_announced_and_served() {
    for (line, policy) in [
        (
            "mta-sts enforce",
            "version: STSv1\r\nmode: enforce\r\nmx: mx1.example.com\r\nmx: mx2.example.com\r\nmax_age: 86400\r\n",
        ),
        (
            "mta-sts testing max_age 5 mx *.example.com mx b.example",
            "version: STSv1\r\nmode: testing\r\nmx: *.example.com\r\nmx: b.example\r\nmax_age: 5\r\n",
        ),
        (
            "mta-sts none\n mta-sts mx a.example\n mta-sts max_age 7",
            "version: STSv1\r\nmode: none\r\nmx: a.example\r\nmax_age: 7\r\n",
        ),
        (
            "mta-sts raw version: STSv1\\nnonsense",
            "version: STSv1\nnonsense",
        ),
    ] {
        let sandbox = world(line);
        let (head, body) = get(&sandbox, HOST, PATH).expect("a good certificate");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("\r\nContent-Type: text/plain\r\n"), "{head}");
        assert!(
            head.contains(&format!("\r\nContent-Length: {}\r\n", policy.len())),
            "{head}"
        );
        assert_eq!(body, policy);
        let record = txt(&sandbox, "_mta-sts.example.com.");
        let [record] = record.as_slice() else {
            panic!("{record:?}")
        };
        let id = record
            .strip_prefix("v=STSv1; id=")
            .and_then(|rest| rest.strip_suffix(';'));
        assert!(
            id.is_some_and(|id| id.len() == 16 && id.bytes().all(|c| c.is_ascii_alphanumeric())),
            "{record}"
        );
        let fetches = sandbox.policy_fetches();
        assert_eq!(fetches.len(), 1);
        assert_eq!(
            (
                fetches[0].host.as_str(),
                fetches[0].path.as_deref(),
                fetches[0].status
            ),
            (HOST, Some(PATH), Some(200))
        );
        sandbox.clear();
        assert!(sandbox.policy_fetches().is_empty());
    }
}

#[test]
fn the_id_follows_the_policy_or_the_script() {
    let id = |line| txt(&world(line), "_mta-sts.example.com.").concat();
    assert_eq!(id("mta-sts enforce"), id("mta-sts enforce status 404"));
    assert_ne!(id("mta-sts enforce"), id("mta-sts testing"));
    assert_ne!(id("mta-sts enforce"), id("mta-sts enforce mx a.example"));
    assert_eq!(id("mta-sts enforce id 7"), "v=STSv1; id=7;");
}

#[test]
fn without_mx_records_the_domain_is_its_own_host() {
    for (record, mx) in [("a 192.0.2.1", "mx: example.com\r\n"), ("mx 0 .", "")] {
        let sandbox = sandbox(&format!("domain example.com\n {record}\n mta-sts enforce"));
        let (_, body) = get(&sandbox, HOST, PATH).expect("a good certificate");
        assert_eq!(
            body,
            format!("version: STSv1\r\nmode: enforce\r\n{mx}max_age: 86400\r\n")
        );
    }
}

#[test]
fn what_the_script_writes_by_hand_stays() {
    let sandbox = world(
        "mta-sts enforce\ndomain _mta-sts.example.com\n txt v=STSv1; id=1; x=y\n\
         domain mta-sts.example.com\n cname provider.example\ndomain provider.example\n a 192.0.2.1",
    );
    assert_eq!(txt(&sandbox, "_mta-sts.example.com."), ["v=STSv1; id=1; x=y"]);
    let answer = ask(&sandbox, "mta-sts.example.com.", RecordType::A, false);
    assert_eq!(data(&answer, RecordType::CNAME), ["provider.example."]);
    assert_eq!(data(&answer, RecordType::A), ["192.0.2.1"]);
}

#[test]
fn a_policy_host_fails_as_the_script_says() {
    for (line, expected) in [
        ("down", "Connection refused"),
        ("status 404", "HTTP/1.1 404 "),
        ("status 500", "HTTP/1.1 500 "),
        ("status 301", "HTTP/1.1 301 "),
        (
            "certificate self-signed",
            "invalid peer certificate: UnknownIssuer",
        ),
        (
            "certificate wrong-name",
            "invalid peer certificate: certificate not valid for name",
        ),
        (
            "certificate expired",
            "invalid peer certificate: certificate expired",
        ),
        ("stall", "Resource temporarily unavailable"),
    ] {
        let sandbox = world(&format!("mta-sts enforce {line}"));
        let failure = failure(&sandbox);
        assert!(failure.starts_with(expected), "{line}: {failure}");
        assert_eq!(txt(&sandbox, "_mta-sts.example.com.").len(), 1);
        let got: Vec<_> = sandbox
            .policy_fetches()
            .into_iter()
            .map(|fetch| fetch.status)
            .collect();
        let status = expected
            .strip_prefix("HTTP/1.1 ")
            .map(|code| code.trim().parse().expect("a status"));
        assert_eq!(got, if line == "down" { vec![] } else { vec![status] }, "{line}");
    }
}

#[test]
fn a_redirection_leads_to_the_policy() {
    let sandbox = world("mta-sts enforce status 302");
    let (head, body) = get(&sandbox, HOST, PATH).expect("a good certificate");
    assert!(
        head.contains(&format!("\r\nLocation: https://{HOST}/elsewhere.txt\r\n")),
        "{head}"
    );
    let (head, elsewhere) = get(&sandbox, HOST, "/elsewhere.txt").expect("a good certificate");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(body, elsewhere);
    assert!(body.contains("mode: enforce"));
}

#[test]
fn a_huge_policy_has_no_length() {
    let sandbox = world("mta-sts enforce huge");
    let (head, body) = get(&sandbox, HOST, PATH).expect("a good certificate");
    assert!(!head.contains("Content-Length"), "{head}");
    assert!(body.starts_with("version: STSv1\r\nmode: enforce\r\n"));
    assert!(body.len() > 1024 * 1024);
}

#[test]
fn only_the_policy_is_served_and_only_under_its_name() {
    let sandbox = world("mta-sts enforce");
    let (head, _) = get(&sandbox, HOST, "/").expect("a good certificate");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    let error = get(&sandbox, "mta-sts.example.org", PATH).expect_err("no such host");
    assert_eq!(error.to_string(), "received fatal alert: AccessDenied");
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}

#[test]
fn another_world_has_other_policies() {
    let sandbox = world("mta-sts enforce");
    let port = sandbox.https_port();
    let next = "domain example.com\n mta-sts testing mx a.example"
        .parse()
        .expect("a world");
    sandbox.set_world(&next).expect("the same addresses");
    assert_eq!(sandbox.https_port(), port);
    let (_, body) = get(&sandbox, HOST, PATH).expect("a good certificate");
    assert!(body.contains("mode: testing\r\nmx: a.example"));
    let next = "domain example.com\n mta-sts enforce down"
        .parse()
        .expect("a world");
    sandbox.set_world(&next).expect("the same addresses");
    assert!(failure(&sandbox).starts_with("Connection refused"));
    sandbox
        .set_world(&"".parse().expect("a world"))
        .expect("the same addresses");
    let answer = ask(&sandbox, "mta-sts.example.com.", RecordType::A, false);
    assert!(answer.answers.is_empty());
}
