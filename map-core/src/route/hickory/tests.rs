use super::*;
use crate::route::dns_server::{DnsServer, Question, Say, message};
use hickory_resolver::proto::rr::RecordType as Type;
use tokio::net::UdpSocket;

fn resolver(servers: &[&DnsServer]) -> HickoryResolver {
    HickoryResolver::with_servers(&servers.iter().map(|server| server.address).collect::<Vec<_>>())
}

/// A server that gives every question the same answer.
async fn says(code: ResponseCode, records: &'static str) -> DnsServer {
    DnsServer::start(move |_| Say::Message(message(code, records))).await
}

fn mx(preference: u16, exchange: &str) -> Record {
    Record::Mx {
        preference,
        exchange: exchange.to_owned(),
    }
}

fn failed(what: &str) -> Result<Vec<Record>, LookupError> {
    Err(LookupError::Failed(what.to_owned()))
}

async fn records(resolver: &HickoryResolver, name: &str, of: RecordType) -> Result<Vec<Record>, LookupError> {
    resolver.query(name, of).await.map(|answer| answer.records)
}

/// An exchange with a blank and a dot inside of labels, which the DNS allows.
fn no_host_name() -> Message {
    let mut message = message(ResponseCode::NoError, "escaped.test MX 5 mx.test.");
    let exchange = Name::from_labels([&b"mail host"[..], b"a.b", b"test"]).unwrap();
    message.answers[0].data = RData::MX(rr::rdata::MX::new(5, exchange));
    message
}

#[tokio::test]
async fn positive_answers() {
    let server = DnsServer::start(|question| {
        Say::Message(message(
            ResponseCode::NoError,
            match (question.name.as_str(), question.record_type) {
                ("example.test", Type::MX) => {
                    "example.test MX 20 MX2.example.test.\n example.test MX 10 mx1.example.test."
                }
                ("null.test", Type::MX) => "null.test MX 0 .",
                ("xn--bcher-kva.test", Type::MX) => "xn--bcher-kva.test MX 5 xn--pst-qla.xn--bcher-kva.test.",
                ("escaped.test", Type::MX) => return Say::Message(no_host_name()),
                ("mx1.example.test", Type::A) => {
                    "mx1.example.test A 192.0.2.1\n mx1.example.test A 192.0.2.2"
                }
                ("mx1.example.test", Type::AAAA) => "mx1.example.test AAAA 2001:db8::1",
                _ => "",
            },
        ))
    })
    .await;
    let resolver = resolver(&[&server]);

    let answer = resolver.query("example.test", RecordType::Mx).await.unwrap();
    assert_eq!(answer.canonical_name, "example.test");
    assert_eq!(answer.ttl, Duration::from_secs(60));
    assert_eq!(answer.proof, Proof::Insecure);

    let address = |text: &str| Record::Address(text.parse().unwrap());
    let rows = [
        (
            "example.test",
            RecordType::Mx,
            vec![mx(20, "mx2.example.test"), mx(10, "mx1.example.test")],
        ),
        ("null.test", RecordType::Mx, vec![mx(0, "")]),
        (
            "xn--bcher-kva.test",
            RecordType::Mx,
            vec![mx(5, "xn--pst-qla.xn--bcher-kva.test")],
        ),
        (
            "escaped.test",
            RecordType::Mx,
            vec![mx(5, "mail\\040host.a\\.b.test")],
        ),
        (
            "mx1.example.test",
            RecordType::A,
            vec![address("192.0.2.1"), address("192.0.2.2")],
        ),
        ("mx1.example.test", RecordType::Aaaa, vec![address("2001:db8::1")]),
    ];
    for (name, record_type, expected) in rows {
        assert_eq!(
            records(&resolver, name, record_type).await,
            Ok(expected),
            "{name}"
        );
    }
}

#[tokio::test]
async fn answers_without_records() {
    let soa = "authority: test SOA ns.test. host.test. 1 2 3 4 30";
    let ns = "authority: test NS ns.test.";
    let both = "authority: test NS ns.test.\n authority: test SOA ns.test. host.test. 1 2 3 4 30";
    let rows = [
        (ResponseCode::NoError, soa, Err(LookupError::NoData)),
        (ResponseCode::NoError, both, Err(LookupError::NoData)),
        (ResponseCode::NoError, "", Err(LookupError::NoData)),
        (
            ResponseCode::NoError,
            ns,
            failed("with a referral to other servers"),
        ),
        (ResponseCode::NXDomain, soa, Err(LookupError::NxDomain)),
        (ResponseCode::NXDomain, "", Err(LookupError::NxDomain)),
        (ResponseCode::ServFail, "", failed("SERVFAIL")),
        (ResponseCode::Refused, "", failed("REFUSED")),
        (ResponseCode::FormErr, "", failed("FORMERR")),
        (ResponseCode::NotImp, "", failed("NOTIMP")),
        (ResponseCode::Unknown(14), "", failed("UNKNOWN(14)")),
        (
            ResponseCode::Unknown(14),
            "example.test MX 5 mx.test.",
            failed("UNKNOWN(14)"),
        ),
        (
            ResponseCode::ServFail,
            "example.test MX 5 mx.test.",
            failed("SERVFAIL"),
        ),
        (
            ResponseCode::NoError,
            "other.test MX 5 mx.test.",
            failed("with records that were not asked for"),
        ),
        (
            ResponseCode::NoError,
            "example.test A 192.0.2.1",
            failed("with records that were not asked for"),
        ),
    ];
    for (code, said, expected) in rows {
        let server = says(code, said).await;
        let found = records(&resolver(&[&server]), "example.test", RecordType::Mx).await;
        assert_eq!(found, expected, "{code:?} {said:?}");
    }
}

/// The names `a0`, `a1`, … are aliases, each of the next; the last has an MX record.
fn chain(length: usize, at: usize) -> String {
    if at == length {
        format!("a{at}.test MX 5 mx.test.")
    } else {
        format!("a{at}.test CNAME a{}.test.", at + 1)
    }
}

fn number(question: &Question) -> usize {
    question
        .name
        .trim_start_matches('a')
        .trim_end_matches(".test")
        .parse()
        .unwrap()
}

#[tokio::test]
async fn chains_of_aliases() {
    for (length, leads_on) in [(1, true), (7, true), (8, true), (9, false), (20, false)] {
        let one_by_one = DnsServer::start(move |question| {
            Say::Message(message(ResponseCode::NoError, &chain(length, number(question))))
        })
        .await;
        let at_once = DnsServer::start(move |question| {
            let all: Vec<String> = (number(question)..=length).map(|at| chain(length, at)).collect();
            Say::Message(message(ResponseCode::NoError, &all.join("\n")))
        })
        .await;
        let backwards = DnsServer::start(move |question| {
            let all: Vec<String> = (number(question)..=length)
                .rev()
                .map(|at| chain(length, at))
                .collect();
            Say::Message(message(ResponseCode::NoError, &all.join("\n")))
        })
        .await;
        for server in [one_by_one, at_once, backwards] {
            let found = resolver(&[&server]).query("a0.test", RecordType::Mx).await;
            if leads_on {
                let answer = found.unwrap();
                assert_eq!(answer.records, [mx(5, "mx.test")], "{length}");
                assert_eq!(answer.canonical_name, format!("a{length}.test"));
            } else {
                assert_eq!(found.unwrap_err(), LookupError::AliasLoop, "{length}");
                assert!(server.asked().len() <= MAX_ALIASES + 1);
            }
        }
    }
}

#[tokio::test]
async fn aliases_that_lead_nowhere() {
    let (ok, nx) = (ResponseCode::NoError, ResponseCode::NXDomain);
    let rows = [
        // Loops, in one message and over several.
        (
            ok,
            "a.test CNAME b.test.\n b.test CNAME a.test.",
            "",
            Err(LookupError::AliasLoop),
        ),
        (ok, "a.test CNAME a.test.", "", Err(LookupError::AliasLoop)),
        (
            ok,
            "a.test CNAME b.test.",
            "b.test CNAME a.test.",
            Err(LookupError::AliasLoop),
        ),
        // The target does not exist, and the server knows it, or another server has to say it.
        (nx, "a.test CNAME b.test.", "", Err(LookupError::NxDomain)),
        (ok, "a.test CNAME gone.test.", "", Err(LookupError::NxDomain)),
        // The target exists without such a record; is down; never speaks.
        (ok, "a.test CNAME b.test.", "", Err(LookupError::NoData)),
        (ok, "a.test CNAME down.test.", "", failed("SERVFAIL")),
    ];
    for (code, first, second, expected) in rows {
        let server = DnsServer::start(move |question| {
            Say::Message(match question.name.as_str() {
                "a.test" => message(code, first),
                "b.test" => message(ResponseCode::NoError, second),
                "gone.test" => message(ResponseCode::NXDomain, ""),
                _ => message(ResponseCode::ServFail, ""),
            })
        })
        .await;
        assert_eq!(
            records(&resolver(&[&server]), "a.test", RecordType::Mx).await,
            expected,
            "{first}"
        );
    }
}

/// The clock jumps ahead whenever nothing happens, so this takes no time.
#[tokio::test(start_paused = true)]
async fn silence_is_told_within_ten_seconds() {
    let silent = DnsServer::start(|_| Say::Nothing).await;
    let start = tokio::time::Instant::now();
    let found = records(&resolver(&[&silent]), "example.test", RecordType::Mx).await;
    assert_eq!(found, Err(LookupError::NoAnswer));
    assert!(
        start.elapsed() <= Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    assert!(silent.asked().len() >= 2, "asked only once");
}

#[tokio::test(start_paused = true)]
async fn nobody_there() {
    let closed = UdpSocket::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let resolver = HickoryResolver::with_servers(&[closed]);
    assert_eq!(
        records(&resolver, "example.test", RecordType::Mx).await,
        Err(LookupError::NoAnswer)
    );
    let none = HickoryResolver::with_servers(&[]);
    assert!(matches!(
        records(&none, "example.test", RecordType::Mx).await,
        Err(LookupError::Configuration(_))
    ));
}

fn many_records() -> String {
    let line = |n| format!("many.test MX {n} a-rather-long-name-of-a-mail-exchanger-{n}.test.");
    (0..600).map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_truncated_answer_is_asked_for_over_tcp() {
    let server = DnsServer::start(|question| {
        Say::Message(if question.tcp {
            message(ResponseCode::NoError, &many_records())
        } else {
            message(ResponseCode::NoError, "many.test MX 0 only.one.test.").truncate()
        })
    })
    .await;
    let found = records(&resolver(&[&server]), "many.test", RecordType::Mx)
        .await
        .unwrap();
    assert_eq!(found.len(), 600);
    assert_eq!(
        server
            .asked()
            .iter()
            .map(|question| question.tcp)
            .collect::<Vec<_>>(),
        [false, true]
    );
}

/// A part of the MX records must never pass for all of them.
#[tokio::test]
async fn a_truncated_answer_and_no_other_is_a_failure() {
    let server = DnsServer::start(|_| {
        Say::Message(message(ResponseCode::NoError, "many.test MX 0 only.one.test.").truncate())
    })
    .await;
    let found = records(&resolver(&[&server]), "many.test", RecordType::Mx).await;
    assert!(
        matches!(&found, Err(LookupError::Failed(what)) if what.contains("truncated")),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_server_that_changes_the_case_is_asked_over_tcp() {
    let answer = |question: &Question| {
        let message = message(
            ResponseCode::NoError,
            "averylongnameindeed.example.test MX 5 mx.test.",
        );
        if question.tcp {
            Say::Message(message)
        } else {
            Say::LowerCase(message)
        }
    };
    let server = DnsServer::start(answer).await;
    let found = records(
        &resolver(&[&server]),
        "averylongnameindeed.example.test",
        RecordType::Mx,
    )
    .await;
    assert_eq!(found, Ok(vec![mx(5, "mx.test")]));
    assert!(server.asked().iter().any(|question| question.tcp));
}

#[tokio::test]
async fn octets_that_are_no_answer() {
    for octets in [&b"no DNS message"[..], b"", &[0xff; 600]] {
        let server = DnsServer::start(|_| Say::Octets(octets)).await;
        let found = records(&resolver(&[&server]), "example.test", RecordType::Mx).await;
        assert!(
            found.as_ref().is_err_and(LookupError::is_transient),
            "{octets:?}: {found:?}"
        );
    }
}

#[tokio::test]
async fn a_server_without_edns_is_asked_without() {
    let server = DnsServer::start(|question| {
        Say::Message(if question.edns {
            message(ResponseCode::FormErr, "")
        } else {
            message(ResponseCode::NoError, "example.test MX 5 mx.test.")
        })
    })
    .await;
    let found = records(&resolver(&[&server]), "example.test", RecordType::Mx).await;
    assert_eq!(found, Ok(vec![mx(5, "mx.test")]));
}

#[tokio::test]
async fn another_server_may_know_better() {
    let good = says(ResponseCode::NoError, "example.test MX 5 mx.test.").await;
    let gone = says(ResponseCode::NXDomain, "").await;
    let refusing = says(ResponseCode::Refused, "").await;
    let failing = says(ResponseCode::ServFail, "").await;
    let referring = says(ResponseCode::NoError, "authority: test NS ns.test.").await;
    let babbling = DnsServer::start(|_| Say::Octets(b"no DNS message")).await;
    let silent = DnsServer::start(|_| Say::Nothing).await;
    let rows = [
        (vec![&referring, &good], Ok(vec![mx(5, "mx.test")])),
        (vec![&babbling, &good], Ok(vec![mx(5, "mx.test")])),
        (vec![&refusing, &good], Ok(vec![mx(5, "mx.test")])),
        (vec![&refusing, &failing, &good], Ok(vec![mx(5, "mx.test")])),
        (vec![&failing, &refusing, &gone], Err(LookupError::NxDomain)),
        (vec![&silent, &good], Ok(vec![mx(5, "mx.test")])),
        (vec![&failing, &failing], failed("SERVFAIL")),
    ];
    for (servers, expected) in rows {
        let found = records(&resolver(&servers), "example.test", RecordType::Mx).await;
        assert_eq!(found, expected, "{servers:?}");
    }
}

#[tokio::test]
async fn answers_and_failures_are_kept() {
    let negative = "authority: test SOA ns.test. host.test. 1 2 3 4 30";
    let rows = [
        (ResponseCode::NoError, "example.test MX 5 mx.test.", 1),
        (ResponseCode::NoError, negative, 1),
        (ResponseCode::NXDomain, negative, 1),
    ];
    for (code, said, times) in rows {
        let server = says(code, said).await;
        let resolver = resolver(&[&server]);
        let first = records(&resolver, "example.test", RecordType::Mx).await;
        assert_eq!(records(&resolver, "example.test", RecordType::Mx).await, first);
        assert_eq!(server.asked().len(), times, "{said}");
    }
    let server = says(ResponseCode::ServFail, "").await;
    let resolver = resolver(&[&server]);
    assert_eq!(
        records(&resolver, "example.test", RecordType::Mx).await,
        failed("SERVFAIL")
    );
    let before = server.asked().len();
    assert_eq!(
        records(&resolver, "example.test", RecordType::Mx).await,
        failed("SERVFAIL")
    );
    assert_eq!(server.asked().len(), before);
}

#[tokio::test]
async fn names_that_are_never_asked_for() {
    let server = says(ResponseCode::ServFail, "").await;
    let resolver = resolver(&[&server]);
    let loopback = |text: &str| Ok(vec![Record::Address(text.parse().unwrap())]);
    let too_long = vec!["a".repeat(63); 5].join(".");
    let rows = [
        ("localhost", RecordType::A, loopback("127.0.0.1")),
        ("mail.localhost", RecordType::Aaaa, loopback("::1")),
        ("localhost", RecordType::Mx, Err(LookupError::NoData)),
        ("example.invalid", RecordType::Mx, Err(LookupError::NxDomain)),
        ("example.onion", RecordType::A, Err(LookupError::NxDomain)),
        (too_long.as_str(), RecordType::Mx, Err(LookupError::NxDomain)),
    ];
    for (name, record_type, expected) in rows {
        assert_eq!(records(&resolver, name, record_type).await, expected, "{name}");
    }
    assert_eq!(server.asked(), []);
}

#[tokio::test]
async fn an_alias_of_a_name_that_is_never_asked_for() {
    let server = says(ResponseCode::NoError, "a.test CNAME mail.localhost.").await;
    let found = records(&resolver(&[&server]), "a.test", RecordType::A).await;
    assert_eq!(found, Ok(vec![Record::Address(Ipv4Addr::LOCALHOST.into())]));
}

#[cfg(all(unix, not(any(target_os = "android", target_vendor = "apple"))))]
#[test]
fn the_configuration_is_read_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("resolv.conf");
    let resolver = HickoryResolver::new(Source::System(SystemConfig::at(&path)));

    let missing = resolver.client().err().unwrap();
    assert!(
        matches!(&missing, LookupError::Configuration(why) if why.contains("resolv.conf")),
        "{missing}"
    );
    std::fs::write(&path, "search example.test\n").unwrap();
    let empty = resolver.client().err().unwrap();
    assert!(
        matches!(&empty, LookupError::Configuration(why) if why.contains("nameserver")),
        "{empty}"
    );

    std::fs::write(&path, "nameserver 192.0.2.1\n").unwrap();
    let first = resolver.client().unwrap();
    assert_eq!(first.servers.count(), 1);
    assert!(
        Arc::ptr_eq(&first, &resolver.client().unwrap()),
        "made anew without need"
    );

    std::fs::write(&path, "nameserver 192.0.2.1\nnameserver 192.0.2.2\n").unwrap();
    let second = resolver.client().unwrap();
    assert_eq!(second.servers.count(), 2);

    // Replaced by a rename, as network managers do it.
    let other = folder.path().join("other");
    std::fs::write(&other, "nameserver 192.0.2.3\n").unwrap();
    std::fs::rename(&other, &path).unwrap();
    let third = resolver.client().unwrap();
    assert_eq!(third.servers.count(), 1);

    std::fs::remove_file(&path).unwrap();
    assert!(
        Arc::ptr_eq(&third, &resolver.client().unwrap()),
        "the last good one is kept"
    );
}

#[test]
fn a_query_may_move_between_threads() {
    fn check<T: Send>(_: &T) {}
    let resolver = HickoryResolver::with_servers(&[]);
    let (domain, policy) = ("example.test".parse().unwrap(), crate::route::Policy::default());
    check(&crate::route::find(&resolver, &domain, &policy));
}

/// The connections of one runtime end with it; the next must not be handed their remains.
#[test]
fn a_resolver_outlives_the_runtime_it_was_used_in() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let (tell, told) = std::sync::mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = std::thread::spawn(move || {
        runtime().block_on(async {
            let server = DnsServer::start(|question| {
                let name = &question.name;
                let all = message(ResponseCode::NoError, &format!("{name} MX 5 mx.test."));
                Say::Message(if question.tcp { all } else { all.truncate() })
            })
            .await;
            tell.send(server.address).unwrap();
            stopped.await.unwrap();
        });
    });
    let resolver = HickoryResolver::with_servers(&[told.recv().unwrap()]);
    for name in ["first.test", "second.test", "third.test"] {
        let found = runtime().block_on(records(&resolver, name, RecordType::Mx));
        assert_eq!(found, Ok(vec![mx(5, "mx.test")]), "{name}");
    }
    stop.send(()).unwrap();
    server.join().unwrap();
}
