//! Real handshakes in memory, and what comes of them.

use super::testing::{Contents, HOST, Server, dane};
use super::*;
use rustls::version::{TLS12, TLS13};
use rustls::{SignatureScheme, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

impl Server {
    /// What a client that asks so comes to.
    async fn meets(&self, verification: Verification, settings: &TlsSettings) -> Result<TlsFacts, TlsError> {
        self.meets_as(HOST, verification, settings).await
    }

    async fn meets_as(
        &self,
        name: &str,
        verification: Verification,
        settings: &TlsSettings,
    ) -> Result<TlsFacts, TlsError> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let acceptor = self.acceptor();
        tokio::spawn(async move {
            if let Ok(mut stream) = acceptor.accept(theirs).await {
                let mut ping = [0; 4];
                let _ = stream.read_exact(&mut ping).await;
                let _ = stream.write_all(&ping).await;
                let _ = stream.flush().await;
            }
        });
        let (mut transport, facts) = handshake(Box::new(ours), name, &verification, settings).await?;
        transport.write_all(b"ping").await.expect("a session");
        transport.flush().await.expect("a session");
        let mut pong = [0; 4];
        transport.read_exact(&mut pong).await.expect("a session");
        assert_eq!(&pong, b"ping");
        Ok(facts)
    }

    async fn is_judged_by_dane(&self, record: crate::route::Tlsa) -> Result<(), String> {
        match self.meets(dane(vec![record]), &TlsSettings::default()).await {
            Ok(facts) => {
                assert_eq!((facts.verified, facts.problem), (Verified::Dane, None));
                Ok(())
            }
            Err(TlsError::Certificate(words)) => Err(words),
            Err(other) => panic!("{other}"),
        }
    }

    async fn is_judged_by_authorities(&self) -> Result<(), String> {
        let judged = match self.meets(Verification::Pkix, &self.trusted()).await {
            Ok(facts) => {
                assert_eq!((facts.verified, facts.problem), (Verified::Pkix, None));
                Ok(())
            }
            Err(TlsError::Certificate(words)) => Err(words),
            Err(other) => panic!("{other}"),
        };
        // To be observed changes nothing but that there is a session.
        let observed = self.meets(Verification::PkixObserved, &self.trusted()).await;
        let observed = observed.expect("a session, whatever the certificate");
        match &judged {
            Ok(()) => assert_eq!((observed.verified, observed.problem), (Verified::Pkix, None)),
            Err(words) => {
                let words = format!("its certificate {words}");
                assert_eq!((observed.verified, observed.problem), (Verified::No, Some(words)));
            }
        }
        judged
    }
}

/// Every way to make a certificate that a mail host is seen with.
fn hosts(version: &'static SupportedProtocolVersion) -> Vec<(&'static str, Server)> {
    let odd = Contents {
        is_odd: true,
        ..Contents::good()
    };
    let authority = Contents {
        is_authority: true,
        ..Contents::good()
    };
    let hosts = [
        ("issued", Server::good()),
        (
            "issued, wrong name",
            Server::issued(&Contents::named("other.example")),
        ),
        ("issued, expired", Server::issued(&Contents::good().expired())),
        (
            "issued, common name",
            Server::issued(&Contents::common_name_only(HOST)),
        ),
        (
            "issued, wrong common name",
            Server::issued(&Contents::common_name_only("other.example")),
        ),
        (
            "issued, wildcard",
            Server::issued(&Contents::named("*.example.test")),
        ),
        (
            "issued, wildcard for two labels",
            Server::issued(&Contents::named("*.test")),
        ),
        (
            "issued, wildcard in a label",
            Server::issued(&Contents::named("mx*.example.test")),
        ),
        ("self-signed", Server::self_signed(&Contents::good())),
        (
            "self-signed, wrong name",
            Server::self_signed(&Contents::named("other.example")),
        ),
        (
            "self-signed, expired",
            Server::self_signed(&Contents::good().expired()),
        ),
        (
            "self-signed, common name",
            Server::self_signed(&Contents::common_name_only(HOST)),
        ),
        ("self-signed, an authority", Server::self_signed(&authority)),
        ("self-signed, odd", Server::self_signed(&odd)),
        ("self-signed, version 1", Server::self_signed_v1(HOST)),
        (
            "self-signed, version 1, wrong name",
            Server::self_signed_v1("other.example"),
        ),
    ];
    hosts.map(|(title, server)| (title, server.only(version))).into()
}

#[tokio::test]
async fn without_verification_any_certificate_will_do() {
    let settings = TlsSettings::default();
    for (version, name) in [(&TLS12, "TLSv1.2"), (&TLS13, "TLSv1.3")] {
        for (title, server) in hosts(version) {
            let facts = server.impostor().meets(Verification::Unverified, &settings).await;
            let facts = facts.unwrap_or_else(|error| panic!("{title}: {error}"));
            assert_eq!((facts.verified, facts.problem), (Verified::No, None), "{title}");
            assert_eq!(facts.version, name);
            assert!(facts.cipher_suite.starts_with("TLS_"), "{}", facts.cipher_suite);
        }
    }
}

#[tokio::test]
async fn names_are_asked_for_and_addresses_are_not() {
    let server = Server::good();
    let settings = TlsSettings::default();
    for name in [HOST, "192.0.2.1", "2001:db8::1"] {
        let met = server.meets_as(name, Verification::Unverified, &settings).await;
        met.expect("a session");
    }
    let asked_for = server.asked_for.lock().expect("names").clone();
    let names: Vec<Option<&str>> = asked_for.iter().map(|asked| asked.name.as_deref()).collect();
    assert_eq!(names, [Some(HOST), None, None]);
}

#[tokio::test]
async fn a_key_that_cannot_be_verified_is_offered_to_be_shown_where_nothing_hangs_on_it() {
    let server = Server::good();
    let record = server.record(3, 1, 1);
    for (verification, is_offered) in [
        (Verification::Unverified, true),
        (Verification::PkixObserved, true),
        (Verification::Pkix, false),
        (dane(vec![record]), false),
    ] {
        let met = server.meets(verification, &server.trusted()).await;
        met.expect("a session");
        let asked = server.asked_for.lock().expect("clients").pop().expect("a client");
        assert_eq!(
            asked.schemes.contains(&SignatureScheme::ECDSA_NISTP521_SHA512),
            is_offered
        );
    }
}

#[tokio::test]
async fn a_record_of_usage_3_vouches_for_any_certificate_with_its_key() {
    for version in [&TLS12, &TLS13] {
        for (title, server) in hosts(version) {
            for (selector, matching_type) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
                let record = server.record(3, selector, matching_type);
                assert!(record.is_usable(), "{record:?}");
                let judged = server.is_judged_by_dane(record.clone()).await;
                assert_eq!(judged, Ok(()), "{title}: 3 {selector} {matching_type}");

                let mut wrong = record;
                *wrong.data.last_mut().expect("data") ^= 1;
                let judged = server.is_judged_by_dane(wrong).await;
                let words = "fits none of the TLSA records of the host";
                assert_eq!(
                    judged,
                    Err(words.to_owned()),
                    "{title}: 3 {selector} {matching_type}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_record_of_usage_2_vouches_for_what_its_anchor_signed_with_its_name_and_in_time() {
    let stranger = Server::good();
    for version in [&TLS12, &TLS13] {
        for (title, server) in hosts(version) {
            let expected = match title {
                _ if title.ends_with("wrong name") || title.ends_with("wrong common name") => {
                    Err("is for other.example, not for mx1.example.test".to_owned())
                }
                _ if title.ends_with("expired") => Err("expired on 2002-01-01".to_owned()),
                "issued, wildcard for two labels" => {
                    Err("is for *.test, not for mx1.example.test".to_owned())
                }
                "issued, wildcard in a label" => {
                    Err("is for mx*.example.test, not for mx1.example.test".to_owned())
                }
                _ => Ok(()),
            };
            for (selector, matching_type) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
                let row = format!("{title}: 2 {selector} {matching_type}");
                let record = server.record(2, selector, matching_type);
                assert_eq!(server.is_judged_by_dane(record).await, expected, "{row}");

                let judged = server
                    .is_judged_by_dane(stranger.record(2, selector, matching_type))
                    .await;
                let words = "fits none of the TLSA records of the host";
                // An anchor that is in the record could be anybody's until its signature is looked for, and what else
                // is wrong comes first.
                assert!(
                    judged
                        .as_ref()
                        .is_err_and(|said| matching_type == 0 || said == words),
                    "{row}: {judged:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_anchor_in_the_record_need_not_be_shown_and_one_known_by_its_digest_must() {
    let server = Server::issued_by_another(&Contents::good());
    for (selector, matching_type) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
        let judged = server
            .is_judged_by_dane(server.record(2, selector, matching_type))
            .await;
        assert_eq!(
            judged.is_ok(),
            matching_type == 0,
            "2 {selector} {matching_type}: {judged:?}"
        );
    }
    // The certificate between is an anchor, too, and shown.
    let between = crate::route::Tlsa {
        usage: 2,
        selector: 0,
        matching_type: 0,
        data: server.chain[1].to_vec(),
    };
    assert_eq!(server.is_judged_by_dane(between).await, Ok(()));
}

#[tokio::test]
async fn an_anchor_that_did_not_sign_the_server_does_not_vouch() {
    let mut server = Server::good();
    let stranger = Server::good();
    // The stranger's authority is in the chain, and the record names it, but the server's certificate is another's.
    server.chain.push(stranger.authority.clone());
    let judged = server.is_judged_by_dane(stranger.record(2, 0, 1)).await;
    assert_eq!(
        judged,
        Err("fits none of the TLSA records of the host".to_owned())
    );
}

#[tokio::test]
async fn one_right_record_among_wrong_ones_is_enough() {
    let (server, stranger) = (Server::good(), Server::good());
    let records = [
        stranger.record(2, 0, 1),
        stranger.record(3, 1, 1),
        server.record(3, 1, 1),
        stranger.record(2, 1, 0),
    ];
    let met = server
        .meets(dane(records.to_vec()), &TlsSettings::default())
        .await;
    met.expect("a session");
}

#[tokio::test]
async fn any_name_that_the_dns_vouches_for_will_do_under_an_anchor() {
    let server = Server::issued(&Contents::named("example.test"));
    let names = |names: &[&str]| Verification::Dane {
        tlsa: vec![server.record(2, 0, 1)],
        names: names
            .iter()
            .map(|name| HostName::parse(name).expect("a host name"))
            .collect(),
    };
    let met = server
        .meets(names(&[HOST, "example.test"]), &TlsSettings::default())
        .await;
    met.expect("the recipient's domain is one of them");
    let error = server
        .meets(names(&[HOST, "example.org"]), &TlsSettings::default())
        .await;
    assert_eq!(
        error.expect_err("another's").to_string(),
        "its certificate is for example.test, not for mx1.example.test or example.org"
    );
}

#[tokio::test]
async fn whoever_shows_a_certificate_must_have_its_key() {
    let words = Err("is not the server's own: the handshake was not signed with its key".to_owned());
    for version in [&TLS12, &TLS13] {
        for (title, server) in hosts(version) {
            let record = server.record(3, 1, 1);
            let impostor = server.impostor();
            assert_eq!(impostor.is_judged_by_dane(record).await, words, "{title}");
        }
        let impostor = Server::good().only(version).impostor();
        assert_eq!(impostor.is_judged_by_authorities().await, words);
    }
}

#[tokio::test]
async fn authorities_vouch_for_name_and_date() {
    assert_eq!(Server::good().is_judged_by_authorities().await, Ok(()));
    let between = Server::issued_by_another(&Contents::good());
    assert_eq!(between.is_judged_by_authorities().await, Ok(()));
    let mut many = Contents::named("a.example");
    many.names
        .extend(["b.example", "c.example", "d.example", "e.example"]);
    let rows = [
        (
            Contents::named("mail.example.org"),
            "is for mail.example.org, not for mx1.example.test",
        ),
        (
            many,
            "is for a.example, b.example, c.example, 2 more, not for mx1.example.test",
        ),
        // RFC 9525 does not know it any more.
        (
            Contents::common_name_only(HOST),
            "is for mx1.example.test only by its common name, which does not count any more",
        ),
        (
            Contents::named("192.0.2.1"),
            "is for 192.0.2.1, not for mx1.example.test",
        ),
        (Contents::good().expired(), "expired on 2002-01-01"),
    ];
    for (contents, words) in rows {
        let judged = Server::issued(&contents).is_judged_by_authorities().await;
        assert_eq!(judged, Err(words.to_owned()));
    }
}

#[tokio::test]
async fn an_authority_that_expired_is_not_taken_for_the_server() {
    let server = Server::issued_by_an_expired(&Contents::good());
    let words =
        "is issued by an authority whose own certificate (Example Intermediate) expired on 2003-01-01";
    assert_eq!(server.is_judged_by_authorities().await, Err(words.to_owned()));
    let judged = server.is_judged_by_dane(server.record(2, 0, 0)).await;
    assert_eq!(judged, Err(words.to_owned()));
}

#[tokio::test]
async fn an_address_is_vouched_for_as_one() {
    let server = Server::issued(&Contents::named("192.0.2.1"));
    let settings = server.trusted();
    let met = server.meets_as("192.0.2.1", Verification::Pkix, &settings).await;
    assert_eq!(met.expect("a session").verified, Verified::Pkix);
    let error = server.meets_as("192.0.2.2", Verification::Pkix, &settings).await;
    assert_eq!(
        error.expect_err("another's").to_string(),
        "its certificate is for 192.0.2.1, not for 192.0.2.2"
    );
}

#[tokio::test]
async fn nobody_vouches_for_a_stranger() {
    let settings = Server::good().trusted();
    let authority = Contents {
        is_authority: true,
        ..Contents::good()
    };
    let issued = "is vouched for by no authority that is trusted here (issued by Example Authority)";
    let rows = [
        (Server::good(), issued),
        (Server::self_signed(&Contents::good()), "is self-signed"),
        (Server::self_signed(&authority), "is self-signed"),
        (Server::self_signed_v1(HOST), "is self-signed"),
    ];
    for (server, words) in rows {
        for settings in [&settings, &TlsSettings::default()] {
            let error = server
                .meets(Verification::Pkix, settings)
                .await
                .expect_err("a stranger");
            assert!(
                matches!(&error, TlsError::Certificate(said) if said == words),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn a_certificate_of_a_server_can_be_trusted_itself() {
    let authority = Contents {
        is_authority: true,
        ..Contents::good()
    };
    for contents in [&Contents::good(), &authority] {
        assert_eq!(
            Server::self_signed(contents).is_judged_by_authorities().await,
            Ok(())
        );
    }
    let rows = [
        (
            Contents {
                names: vec!["other.example"],
                ..authority.clone()
            },
            "is for other.example, not for mx1.example.test",
        ),
        (authority.expired(), "expired on 2002-01-01"),
    ];
    for (contents, words) in rows {
        let judged = Server::self_signed(&contents).is_judged_by_authorities().await;
        assert_eq!(judged, Err(words.to_owned()));
    }
}

#[tokio::test]
async fn without_authorities_nothing_is_verified_and_all_is_observed() {
    let server = Server::good();
    let settings = TlsSettings::default().without_platform_roots();
    let error = server
        .meets(Verification::Pkix, &settings)
        .await
        .expect_err("nobody");
    assert!(matches!(error, TlsError::NoRoots(_)), "{error}");
    let facts = server
        .meets(Verification::PkixObserved, &settings)
        .await
        .expect("a session");
    assert_eq!(facts.verified, Verified::No);
    let problem = facts.problem.expect("a problem");
    assert!(
        problem.starts_with("its certificate cannot be judged: no certificate"),
        "{problem}"
    );
}

/// Where the platform has no certificates, those of Mozilla stand in; beside them, the extra ones count.
#[test]
#[ignore = "run by the test below, in a process whose platform has no certificates"]
fn without_a_platform() {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let extra = [Server::good().authority.clone()];
    for (extra, more) in [(&[][..], 0), (&extra[..], 1)] {
        let verifier = pkix::verifier(&provider, extra, true).expect("a verifier");
        let expected = format!("({} roots)", webpki_roots::TLS_SERVER_ROOTS.len() + more);
        assert!(format!("{verifier:?}").contains(&expected), "{verifier:?}");
    }
}

#[test]
#[cfg(all(unix, not(target_vendor = "apple")))]
fn an_empty_platform_is_stood_in_for() {
    let empty = tempfile::tempdir().expect("a directory");
    let file = empty.path().join("none.pem");
    std::fs::write(&file, "").expect("an empty file");
    let child = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "net::tls::tests::without_a_platform"])
        .env("SSL_CERT_FILE", &file)
        .env("SSL_CERT_DIR", empty.path())
        .output()
        .expect("a process");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn clones_share_what_was_read_of_the_platform() {
    let settings = TlsSettings::default();
    let clone = settings.clone();
    let server = Server::good();
    let _ = server.meets(Verification::Pkix, &settings).await;
    assert!(clone.authorities.initialized());
    // Other roots, another verifier.
    let other = clone.with_extra_roots(vec![server.authority.clone()]);
    assert!(!other.authorities.initialized());
    server.meets(Verification::Pkix, &other).await.expect("a session");
}

async fn answers(octets: &'static [u8]) -> String {
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        let mut hello = [0; 512];
        let _ = theirs.read(&mut hello).await;
        let _ = theirs.write_all(octets).await;
    });
    let settings = TlsSettings::default();
    let made = handshake(Box::new(ours), HOST, &Verification::Unverified, &settings).await;
    made.expect_err("no TLS server").to_string()
}

#[tokio::test]
async fn failures_are_told_apart() {
    let alert = |alert: u8| -> &'static [u8] { Box::leak(Box::new([0x15, 3, 1, 0, 2, 2, alert])) };
    // A server that picks TLS 1.0, whatever it was offered.
    let mut old_hello = vec![0x16, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
    old_hello.extend([7; 32]);
    old_hello.extend([0, 0, 0x2f, 0]);
    let rows: [(&'static [u8], &str); 9] = [
        (alert(70), "it speaks only an older TLS than 1.2"),
        (old_hello.leak(), "it speaks only an older TLS than 1.2"),
        (alert(40), "it knows no cipher suite that is safe and known here"),
        (alert(71), "it knows no cipher suite that is safe and known here"),
        (alert(112), "it does not know the name it was asked for"),
        (alert(80), "it gave up with the alert InternalError"),
        (
            b"220 I would rather speak SMTP\r\n",
            "it answered in the clear instead of TLS",
        ),
        (
            b"554 5.7.0 TLS is broken\r\n",
            "it answered in the clear instead of TLS",
        ),
        (
            b"\x16\x03\x03\x00\x04\x02\x00\x00\x00",
            "it breaks the TLS protocol (received corrupt message of type MissingData(\"ProtocolVersion\"))",
        ),
    ];
    for (octets, words) in rows {
        assert_eq!(
            answers(octets).await,
            format!("the TLS handshake failed: {words}")
        );
    }
    assert_eq!(
        answers(b"").await,
        "the connection was lost in the TLS handshake: the server closed it"
    );
}

#[tokio::test]
async fn a_name_that_no_certificate_carries_is_refused_before_anything_is_said() {
    let (ours, mut theirs) = tokio::io::duplex(64);
    let settings = TlsSettings::default();
    let error = handshake(Box::new(ours), "not a name", &Verification::Pkix, &settings).await;
    assert!(matches!(error, Err(TlsError::BadName(_))));
    assert_eq!(
        theirs.read_u8().await.map_err(|error| error.kind()),
        Err(io::ErrorKind::UnexpectedEof)
    );
}
