//! What the DNS of a world answers, asked through a real resolver and by bare datagrams.

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use hickory_resolver::Resolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use support::sandbox;

const WORLD: &str = "
    domain qq.com
      mx 10 mx1.qq.com
      mx 20 mx2.qq.com
      txt \"v=spf1 -all\"
      ttl 300
    host mx1.qq.com 127.0.0.2 ::1
    domain mx2.qq.com
      a 192.0.2.7
      aaaa 2001:db8::7
    domain null.example
      mx 0 .
    domain empty.example
    domain alias.example
      cname second.example
    domain second.example
      cname qq.com
    domain alone.example
      cname qq.com alone
    domain dangling.example
      cname nothing.example
    domain to-broken.example
      cname servfail.example
    domain loop1.example
      cname loop2.example
    domain loop2.example
      cname loop1.example
    domain *.wild.example
      mx 5 mx1.qq.com
    domain known.wild.example
    domain servfail.example
      servfail
    domain refused.example
      refused
    domain gone.example
      a 192.0.2.1
      nxdomain
    domain notimp.example
      notimp
    domain formerr.example
      formerr
    domain half.example
      mx 10 mx1.qq.com
      servfail a
    domain silent.example
      silent
    domain truncated.example
      truncate
      mx 10 mx1.qq.com
    domain slow.example
      delay 80ms
      a 192.0.2.2
    domain long.example
      txt LONG
";

/// The answer in words: the records, or why there are none.
async fn ask(server: SocketAddr, name: &str, record_type: RecordType) -> String {
    let mut at = NameServerConfig::udp_and_tcp(server.ip());
    for connection in &mut at.connections {
        connection.port = server.port();
    }
    let config = ResolverConfig::from_parts(None, vec![], vec![at]);
    let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.options_mut().use_hosts_file = ResolveHosts::Never;
    builder.options_mut().timeout = Duration::from_secs(5);
    let resolver = builder.build().expect("a resolver");
    match resolver.lookup(name, record_type).await {
        Ok(lookup) => {
            let words =
                |record: &hickory_resolver::proto::rr::Record| format!("{} {}", record.name, record.data);
            let mut records: Vec<_> = lookup.answers().iter().map(words).collect();
            records.sort();
            records.join(", ")
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => format!("none: {}", none.response_code),
        Err(NetError::Dns(DnsError::ResponseCode(code))) => format!("code: {code}"),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn a_resolver_understands_every_answer() {
    let sandbox = sandbox(WORLD);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let table = [
        (
            "qq.com.",
            RecordType::MX,
            "qq.com. 10 mx1.qq.com., qq.com. 20 mx2.qq.com.",
        ),
        ("QQ.Com.", RecordType::TXT, "qq.com. v=spf1 -all"),
        ("mx1.qq.com.", RecordType::A, "mx1.qq.com. 127.0.0.2"),
        ("mx1.qq.com.", RecordType::AAAA, "mx1.qq.com. ::1"),
        ("mx2.qq.com.", RecordType::A, "mx2.qq.com. 192.0.2.7"),
        ("mx2.qq.com.", RecordType::AAAA, "mx2.qq.com. 2001:db8::7"),
        ("null.example.", RecordType::MX, "null.example. 0 ."),
        ("empty.example.", RecordType::MX, "none: No Error"),
        ("example.", RecordType::MX, "none: No Error"),
        ("nothing.example.", RecordType::MX, "none: Non-Existent Domain"),
        (
            "loop1.example.",
            RecordType::CNAME,
            "loop1.example. loop2.example.",
        ),
        ("a.wild.example.", RecordType::MX, "a.wild.example. 5 mx1.qq.com."),
        (
            "a.b.wild.example.",
            RecordType::MX,
            "a.b.wild.example. 5 mx1.qq.com.",
        ),
        ("a.wild.example.", RecordType::A, "none: No Error"),
        ("known.wild.example.", RecordType::MX, "none: No Error"),
        (
            "a.known.wild.example.",
            RecordType::MX,
            "none: Non-Existent Domain",
        ),
        ("gone.example.", RecordType::A, "none: Non-Existent Domain"),
        ("dangling.example.", RecordType::MX, "none: Non-Existent Domain"),
        ("half.example.", RecordType::MX, "half.example. 10 mx1.qq.com."),
        (
            "truncated.example.",
            RecordType::MX,
            "truncated.example. 10 mx1.qq.com.",
        ),
        ("slow.example.", RecordType::A, "slow.example. 192.0.2.2"),
    ];
    for (name, record_type, expected) in table {
        assert_eq!(
            runtime.block_on(ask(sandbox.dns_server(), name, record_type)),
            expected,
            "{name} {record_type}"
        );
    }
    for name in ["alias.example.", "alone.example."] {
        let answer = runtime.block_on(ask(sandbox.dns_server(), name, RecordType::MX));
        assert!(
            answer.contains("qq.com. 10 mx1.qq.com.") && answer.contains("20 mx2.qq.com."),
            "{name} {answer}"
        );
    }
}

/// One datagram there, one back.
fn datagram(
    server: SocketAddr,
    name: &str,
    record_type: RecordType,
    payload: Option<u16>,
) -> Option<Message> {
    let mut query = Message::new(4711, MessageType::Query, OpCode::Query);
    query.metadata.recursion_desired = true;
    query.add_query(Query::query(Name::from_ascii(name).expect("a name"), record_type));
    if let Some(payload) = payload {
        let mut edns = Edns::new();
        edns.set_max_payload(payload);
        query.set_edns(edns);
    }
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket
        .set_read_timeout(Some(Duration::from_millis(500)))
        .expect("a time-out");
    socket
        .send_to(&query.to_vec().expect("a query"), server)
        .expect("sent");
    let mut buffer = [0; 4096];
    let (count, _) = socket.recv_from(&mut buffer).ok()?;
    let answer = Message::from_vec(&buffer[..count]).expect("a message");
    assert_eq!(answer.metadata.id, 4711);
    assert!(answer.metadata.recursion_desired && answer.metadata.recursion_available);
    Some(answer)
}

#[test]
fn faults_are_seen_on_the_wire() {
    let sandbox = sandbox(WORLD);
    let ask = |name, record_type| datagram(sandbox.dns_server(), name, record_type, None);
    for (name, record_type, code) in [
        ("servfail.example.", RecordType::MX, ResponseCode::ServFail),
        ("to-broken.example.", RecordType::MX, ResponseCode::ServFail),
        ("refused.example.", RecordType::MX, ResponseCode::Refused),
        ("notimp.example.", RecordType::MX, ResponseCode::NotImp),
        ("formerr.example.", RecordType::MX, ResponseCode::FormErr),
        ("half.example.", RecordType::A, ResponseCode::ServFail),
        ("half.example.", RecordType::AAAA, ResponseCode::NoError),
        ("nothing.example.", RecordType::MX, ResponseCode::NXDomain),
    ] {
        let answer = ask(name, record_type).expect("an answer");
        assert_eq!(answer.metadata.response_code, code, "{name} {record_type}");
        assert!(answer.answers.is_empty(), "{name} {record_type}");
        let negative = matches!(code, ResponseCode::NoError | ResponseCode::NXDomain);
        assert_eq!(
            answer.authorities.len(),
            usize::from(negative),
            "an SOA for a negative answer: {name}"
        );
    }
    assert!(ask("silent.example.", RecordType::MX).is_none());
    let truncated = ask("truncated.example.", RecordType::MX).expect("an answer");
    assert!(truncated.metadata.truncation && truncated.answers.is_empty());
}

#[test]
fn aliases_are_followed_in_one_answer() {
    let sandbox = sandbox(WORLD);
    let owners = |name| -> Vec<_> {
        let answer = datagram(sandbox.dns_server(), name, RecordType::MX, None).expect("an answer");
        answer
            .answers
            .iter()
            .map(|record| format!("{} {}", record.name, record.record_type()))
            .collect()
    };
    assert_eq!(
        owners("ALIAS.example."),
        [
            "ALIAS.example. CNAME",
            "second.example. CNAME",
            "qq.com. MX",
            "qq.com. MX"
        ]
    );
    assert_eq!(owners("alone.example."), ["alone.example. CNAME"]);
    assert_eq!(
        owners("loop1.example."),
        ["loop1.example. CNAME", "loop2.example. CNAME"]
    );
    assert_eq!(owners("dangling.example."), ["dangling.example. CNAME"]);
}

#[test]
fn times_to_live_are_those_of_the_script() {
    let sandbox = sandbox(WORLD);
    for (name, seconds) in [("qq.com.", 300), ("null.example.", 0)] {
        let answer = datagram(sandbox.dns_server(), name, RecordType::MX, None).expect("an answer");
        assert_eq!(answer.answers[0].ttl, seconds, "{name}");
    }
}

#[test]
fn an_answer_that_is_too_long_says_so() {
    let sandbox = sandbox(&WORLD.replace("LONG", &"x".repeat(900)));
    let ask = |payload| {
        datagram(sandbox.dns_server(), "long.example.", RecordType::TXT, payload).expect("an answer")
    };
    assert!(ask(None).metadata.truncation);
    let whole = ask(Some(4096));
    assert!(!whole.metadata.truncation);
    assert_eq!(whole.answers.len(), 1);
    assert!(whole.edns.is_some_and(|edns| edns.max_payload() == 1232));
}
