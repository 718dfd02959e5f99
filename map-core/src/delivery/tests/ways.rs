//! Other ways to mail hosts than the straight one: a proxy that looks names up, a source address.

use super::*;

/// Two mail hosts that only the proxy can find.
fn world(names: &[(&'static str, Peer)]) -> World {
    let mut world = World::new(&[&[], &[]]);
    world.network.names = names.iter().cloned().collect();
    world.network.proxied = true;
    world
}

#[tokio::test(start_paused = true)]
async fn names_are_left_to_the_proxy() {
    let sent = world(&[
        ("mx1.example.org", Peer::Later(io::ErrorKind::HostUnreachable)),
        ("mx2.example.org", GOOD),
    ])
    .send()
    .await;
    sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
    assert_eq!(sent.named, ["mx1.example.org", "mx2.example.org"]);
    assert!(sent.connected.is_empty());
    let summary = sent.report.summary();
    assert_eq!(
        (summary.host(), summary.address()),
        (Some("mx2.example.org"), None)
    );
    let transcript = sent.report.transcript();
    assert!(
        transcript.contains("S: CMD_SMTP_CONN.\nS: CMD_SMTP_CONN.\nSS: 220 ready\n"),
        "{transcript}"
    );
}

#[tokio::test(start_paused = true)]
async fn helo_goes_to_the_same_name() {
    let sent = world(&[
        ("mx1.example.org", Peer::Says(&["220 r", "close"])),
        ("mx2.example.org", GOOD),
    ])
    .send()
    .await;
    sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
    assert_eq!(
        sent.named,
        ["mx1.example.org", "mx1.example.org", "mx2.example.org"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_name_of_this_machine_is_not_given_to_the_proxy() {
    for name in ["localhost", "mail.localhost"] {
        let mut world = world(&[("never", GOOD)]);
        let mx = Record::Mx {
            preference: 1,
            exchange: name.to_owned(),
        };
        let domain = ("example.org".to_owned(), RecordType::Mx);
        world.zone.records.insert(domain, Ok(vec![mx]));
        let sent = world.send().await;
        sent.assert("RE_DNS_FAIL: <example.org>.", Delivered::No, false, Some("5.4.6"));
        assert!(sent.named.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_fails_is_named_and_no_other_host_is_tried() {
    let rows = [
        (ProxyError::Silent, "the proxy did not answer in time", 1),
        (ProxyError::LoginRefused, "correct the user and the password", 1),
        (ProxyError::NoMethod, "correct the user and the password", 1),
        (ProxyError::NotSocks, "did not speak socks5", 1),
        (
            ProxyError::Unreachable(io::ErrorKind::ConnectionRefused),
            "the proxy could not be connected to (connection refused)",
            1,
        ),
        // It may allow another host.
        (ProxyError::Refused(2), "its rules do not allow it", 2),
    ];
    for (why, words, attempts) in rows {
        let sent = world(&[
            ("mx1.example.org", Peer::Proxy(why)),
            ("mx2.example.org", Peer::Proxy(why)),
        ])
        .send()
        .await;
        sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.4.1"));
        assert_eq!(sent.report.attempts().len(), attempts, "{why:?}");
        assert_eq!(sent.report.port25(), None);
        let advice = sent.report.summary().advice().to_lowercase();
        assert!(advice.contains(words), "{advice}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_behind_a_proxy_is_not_this_machines() {
    let sent = world(&[
        ("mx1.example.org", Peer::Silent),
        ("mx2.example.org", Peer::Later(io::ErrorKind::ConnectionRefused)),
    ])
    .send()
    .await;
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.4.1"));
    assert_eq!(sent.report.port25(), None);
    // The same by addresses that were looked up here.
    let mut world = World::new(&[&[(A, Peer::Later(io::ErrorKind::ConnectionRefused))]]);
    world.network.proxied = true;
    let sent = world.send().await;
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.4.1"));
    assert_eq!(
        (sent.report.port25(), sent.connected.as_slice()),
        (None, &[A.to_owned()][..])
    );
}

#[tokio::test(start_paused = true)]
async fn a_source_address_of_somebody_elses_is_named() {
    let sent = World::new(&[&[(A, Peer::NotOurs)], &[(B, Peer::NotOurs)]])
        .send()
        .await;
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.4.1"));
    assert_eq!(sent.report.port25(), None, "the port is not the reason");
    let advice = sent.report.summary().advice();
    assert!(
        advice.contains("the source address 192.0.2.7 is not one of this machine's"),
        "{advice}"
    );
    let detail = sent.report.attempts()[0].detail();
    assert_eq!(
        detail,
        "the source address 192.0.2.7 is not one of this machine's"
    );

    let sent = World::new(&[&[(A, Peer::NotOurs), (A6, GOOD)]]).send().await;
    sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_our_address_gives_the_other_family_one_turn() {
    let refuses = Peer::Says(&["220 r", "250 h", "550 5.7.25 no reverse name", "221 b"]);
    let sent = World::new(&[&[(A, refuses.clone()), (A6, GOOD), (B, GOOD)]])
        .send()
        .await;
    sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
    assert_eq!(sent.connected, [A, A6]);

    let sent = World::new(&[&[(A, refuses.clone()), (A6, refuses.clone())], &[(B, GOOD)]])
        .send()
        .await;
    sent.assert("RE_SERVICE_DENIED.", Delivered::No, false, Some("5.7.25"));
    assert_eq!(sent.connected, [A, A6]);

    let sent = World::new(&[&[(A, refuses)], &[(B, GOOD)]]).send().await;
    sent.assert("RE_SERVICE_DENIED.", Delivered::No, false, Some("5.7.25"));
    assert_eq!(sent.connected, [A]);
}
