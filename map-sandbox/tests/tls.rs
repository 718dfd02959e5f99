//! Hosts that know TLS: what their certificates are worth, how handshakes fail, and what is recorded of both.

mod support;

use hickory_resolver::proto::rr::{RData, RecordType};
use map_sandbox::{Sandbox, Session};
use ring::digest;
use rustls::pki_types::CertificateDer;
use support::{Client, PATIENCE, ask, sandbox, trusting};

const NAME: &str = "mx.example.com";
const ADDRESS: &str = "127.0.0.2";

fn world(lines: &str) -> Sandbox {
    sandbox(&format!("host {NAME} {ADDRESS}\n{lines}"))
}

fn session(sandbox: &Sandbox) -> Session {
    let mut sessions = sandbox.wait_for_quiet(PATIENCE);
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    assert!(sessions[0].closed, "{sessions:?}");
    sessions.remove(0)
}

/// What a client that trusts the sandbox finds wrong with STARTTLS.
fn failure(sandbox: &Sandbox) -> String {
    match Client::starttls(sandbox, ADDRESS, NAME) {
        Ok(_) => "nothing".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_mail_arrives_over_tls() {
    for (line, version) in [("tls good", "TLSv1.3"), ("tls good 1.2", "TLSv1.2")] {
        let sandbox = world(line);
        let mut client = Client::greeted(&sandbox, ADDRESS);
        assert!(client.say("EHLO a.example").ends_with(" | 250 STARTTLS"));
        assert_eq!(client.say("STARTTLS"), "220 2.0.0 Ready to start TLS");
        let mut client = client
            .secure(trusting(&sandbox), NAME)
            .expect("a good certificate");
        assert_eq!(client.say("MAIL FROM:<>"), "503 5.5.1 Say HELO or EHLO first");
        assert!(!client.say("EHLO b.example").contains("STARTTLS"));
        assert_eq!(client.say("STARTTLS"), "503 5.5.1 TLS is there already");
        client.send("MAIL FROM:<>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n");
        for code in ["250", "250", "354"] {
            assert!(client.reply().starts_with(code));
        }
        client.send("x\r\n.\r\n");
        assert_eq!(client.reply(), "250 2.0.0 Ok: queued as sandbox");
        assert_eq!(client.say("QUIT"), "221 2.0.0 Bye");
        assert_eq!(
            client.rest(),
            (String::new(), false),
            "close_notify comes before the end"
        );
        client.close_notify();
        drop(client);

        let mails = sandbox.mails();
        assert_eq!(mails[0].tls.as_deref(), Some(version));
        assert_eq!(mails[0].hello, "b.example");
        let session = session(&sandbox);
        assert_eq!(session.tls.as_deref(), Some(version));
        assert_eq!(session.server_name.as_deref(), Some(NAME));
        assert_eq!(session.tls_error, None);
        assert!(session.received.ends_with(b"\r\nx\r\n.\r\nQUIT\r\n"));
        assert_eq!(session.received_in_clear, b"EHLO a.example\r\nSTARTTLS\r\n");
        assert!(session.sent.ends_with(b"\r\n221 2.0.0 Bye\r\n"));
        assert!(!session.mail_in_clear() && session.close_notify);
        assert!(session.wire_received > session.received.len() + 200);
        assert!(session.wire_sent > session.sent.len() + 200);
        assert_eq!((session.contents_complete, session.contents_accepted), (1, 1));
        assert_eq!(session.sent_ahead, 0);
    }
}

#[test]
fn each_certificate_is_refused_for_its_own_reason() {
    for (line, expected) in [
        ("tls good", "nothing"),
        ("tls expired", "invalid peer certificate: certificate expired"),
        ("tls self-signed", "invalid peer certificate: UnknownIssuer"),
        ("tls untrusted", "invalid peer certificate: UnknownIssuer"),
        (
            "tls wrong-name",
            "invalid peer certificate: certificate not valid for name",
        ),
        (
            "tls wrong-name expired",
            "invalid peer certificate: certificate expired",
        ),
        (
            "tls good for other.example",
            "invalid peer certificate: certificate not valid for name",
        ),
        ("tls good for other.example, mx.example.com", "nothing"),
        ("tls connection 1 good\ntls expired", "nothing"),
    ] {
        let sandbox = world(line);
        let failure = failure(&sandbox);
        assert!(failure.starts_with(expected), "{line}: {failure}");
        let session = session(&sandbox);
        assert_eq!(session.tls_error.is_some(), expected != "nothing", "{session:?}");
        assert_eq!(session.server_name.as_deref(), Some(NAME));
        assert!(!session.mail_in_clear());
    }
}

#[test]
fn an_address_stands_in_the_certificate_too() {
    let sandbox = world("tls good");
    let client = Client::starttls(&sandbox, ADDRESS, ADDRESS);
    client.map(drop).expect("the address is in the certificate");
    assert_eq!(
        session(&sandbox).server_name,
        None,
        "no server name is an address"
    );
}

/// The record of each usage, selector and matching type is made from what the handshake shows.
#[test]
fn tlsa_records_are_those_of_the_certificates() {
    let sandbox = world(
        "tls good\n tlsa 3 0 0\n tlsa 3 0 1\n tlsa 2 0 0\n tlsa 3 1 1\n tlsa 2 1 2\n tlsa 3 1 1 wrong\n tlsa 1 9 9\n\
         domain _25._tcp.other.example\n tlsa 3 1 1 0aFF\ndomain other.example\n tlsa port 465 3 1 1 of mx.example.com",
    );
    let client = Client::starttls(&sandbox, ADDRESS, NAME).expect("a good certificate");
    let [own, issuer] = client.certificates().try_into().expect("two certificates");
    let hex = |octets: &[u8]| {
        octets
            .iter()
            .map(|octet| format!("{octet:02X}"))
            .collect::<Vec<_>>()
            .concat()
    };
    let key = |certificate: &[u8]| {
        let certificate = CertificateDer::from(certificate);
        let certificate = webpki::EndEntityCert::try_from(&certificate).expect("DER");
        certificate.subject_public_key_info().to_vec()
    };
    let sha256 = |octets: &[u8]| hex(digest::digest(&digest::SHA256, octets).as_ref());
    let sha512 = |octets: &[u8]| hex(digest::digest(&digest::SHA512, octets).as_ref());
    let mut expected = vec![
        format!("3 0 0 {}", hex(&own)),
        format!("3 0 1 {}", sha256(&own)),
        format!("2 0 0 {}", hex(&issuer)),
        format!("3 1 1 {}", sha256(&key(&own))),
        format!("2 1 2 {}", sha512(&key(&issuer))),
    ];
    expected.sort();
    for port in [25, sandbox.smtp_port()] {
        let found = tlsa(&sandbox, &format!("_{port}._tcp.mx.example.com."));
        let (known, others): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|record| expected.contains(record));
        assert_eq!(known, expected);
        let [unusable, wrong] = others.as_slice() else {
            panic!("{others:?}")
        };
        assert_eq!(*unusable, format!("1 9 9 {}", sha256(&own)));
        assert!(
            wrong.starts_with("3 1 1 ") && wrong.len() == expected[3].len(),
            "{wrong}"
        );
    }
    assert_eq!(tlsa(&sandbox, "_25._tcp.other.example."), ["3 1 1 0AFF"]);
    assert_eq!(
        tlsa(&sandbox, "_465._tcp.other.example."),
        [format!("3 1 1 {}", sha256(&key(&own)))]
    );
}

fn tlsa(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let answer = ask(sandbox, name, RecordType::TLSA, false);
    let mut records: Vec<_> = answer
        .answers
        .iter()
        .filter_map(|record| match &record.data {
            RData::TLSA(tlsa) => {
                let fields = [tlsa.cert_usage.into(), tlsa.selector.into(), tlsa.matching.into()];
                let [usage, selector, matching]: [u8; 3] = fields;
                let data: Vec<_> = tlsa
                    .cert_data
                    .iter()
                    .map(|octet| format!("{octet:02X}"))
                    .collect();
                Some(format!("{usage} {selector} {matching} {}", data.concat()))
            }
            _ => None,
        })
        .collect();
    records.sort();
    records
}

#[test]
fn tls_from_the_first_octet() {
    let sandbox = world("tls implicit good\n on greeting reply 220 go then drip 1ms then answer");
    let client = Client::connect(&sandbox, ADDRESS);
    let mut client = client
        .secure(trusting(&sandbox), NAME)
        .expect("a good certificate");
    assert_eq!(client.reply(), "220 go");
    assert!(client.reply().starts_with("220 mx.example.com"));
    assert!(!client.say("EHLO a.example").contains("STARTTLS"));
    drop(client);
    let session = session(&sandbox);
    assert_eq!(session.received, b"EHLO a.example\r\n");
    assert!(session.received_in_clear.is_empty());
    assert!(!session.close_notify);
}

#[test]
fn a_handshake_fails_as_the_script_says() {
    for (line, expected) in [
        (
            "tls break",
            "peer closed connection without sending TLS close_notify|unexpected end of file",
        ),
        ("tls reset", "Connection reset by peer"),
        ("tls old", "received fatal alert: ProtocolVersion"),
        (
            "tls garbage",
            "received corrupt message of type InvalidContentType",
        ),
    ] {
        let sandbox = world(line);
        let failure = failure(&sandbox);
        assert!(
            expected.split('|').any(|text| failure.contains(text)),
            "{line}: {failure}"
        );
        let session = session(&sandbox);
        assert_eq!(
            (session.tls, session.server_name.as_deref()),
            (None, Some(NAME)),
            "{line}"
        );
        assert_eq!(session.received_in_clear, b"EHLO client.example\r\nSTARTTLS\r\n");
    }
}

#[test]
fn a_handshake_can_stall() {
    for line in ["tls stall", "tls good\n on starttls answer then silent"] {
        let sandbox = world(line);
        let mut client = Client::greeted(&sandbox, ADDRESS);
        client.say("EHLO client.example");
        client.say("STARTTLS");
        // A ClientHello that asks for nothing much: a record with a handshake message of 42 octets.
        client.send(b"\x16\x03\x01\x00\x2e\x01\x00\x00\x2a\x03\x03");
        client.send([7; 32]);
        client.send(b"\x00\x00\x02\x13\x01\x01\x00");
        assert_eq!(client.silence(std::time::Duration::from_millis(50)), "");
    }
}

#[test]
fn what_is_said_behind_the_220_leaves_before_the_handshake() {
    let sandbox = world("tls good\n on starttls raw 220 go\\r\\n250 injected\\r\\n");
    let mut client = Client::greeted(&sandbox, ADDRESS);
    assert_eq!(client.say("STARTTLS"), "220 go");
    assert_eq!(client.reply(), "250 injected");
    let mut client = client
        .secure(trusting(&sandbox), NAME)
        .expect("a good certificate");
    assert!(client.say("EHLO a.example").starts_with("250-mx.example.com"));
}

#[test]
fn starttls_can_be_refused_hidden_and_unanswered() {
    let sandbox = world(
        "tls good\n offer PIPELINING\n on connection 2 starttls reply 454 4.7.0 Not now\n on connection 3 starttls silent",
    );
    let mut client = Client::greeted(&sandbox, ADDRESS);
    assert_eq!(client.say("EHLO a"), "250-mx.example.com | 250 PIPELINING");
    assert_eq!(client.say("STARTTLS x"), "501 This command takes no argument");
    assert_eq!(client.say("STARTTLS"), "220 Ready to start TLS");
    client
        .secure(trusting(&sandbox), NAME)
        .map(drop)
        .expect("hidden, but there");
    let mut client = Client::greeted(&sandbox, ADDRESS);
    assert_eq!(client.say("STARTTLS"), "454 4.7.0 Not now");
    assert_eq!(client.say("EHLO a"), "250-mx.example.com | 250 PIPELINING");
    let mut client = Client::greeted(&sandbox, ADDRESS);
    client.send("STARTTLS\r\n");
    assert_eq!(client.silence(std::time::Duration::from_millis(50)), "");
}

#[test]
fn without_a_tls_line_a_220_is_only_a_reply() {
    let sandbox = world("on starttls reply 220 go");
    let mut client = Client::greeted(&sandbox, ADDRESS);
    assert_eq!(client.say("STARTTLS"), "220 go");
    assert_eq!(client.say("NOOP"), "250 2.0.0 Ok");
}

#[test]
fn commands_sent_behind_starttls_are_forgotten() {
    let sandbox = world("tls good");
    let mut client = Client::greeted(&sandbox, ADDRESS);
    client.send("STARTTLS\r\nEHLO smuggled.example\r\nMAIL FROM:<>\r\n");
    assert_eq!(client.reply(), "220 2.0.0 Ready to start TLS");
    let mut client = client
        .secure(trusting(&sandbox), NAME)
        .expect("a good certificate");
    assert_eq!(client.say("RCPT TO:<a@example.com>"), "503 5.5.1 Say MAIL first");
    assert_eq!(client.say("MAIL FROM:<>"), "503 5.5.1 Say HELO or EHLO first");
    drop(client);
    let session = session(&sandbox);
    assert_eq!(session.sent_ahead, 1);
    assert!(session.mail_in_clear());
}

#[test]
fn a_host_can_require_tls() {
    let sandbox = world("tls good\n require tls");
    let mut client = Client::greeted(&sandbox, ADDRESS);
    assert!(client.say("EHLO a.example").starts_with("250-"));
    for command in ["MAIL FROM:<>", "HELO a.example", "VRFY a"] {
        assert_eq!(
            client.say(command),
            "530 5.7.0 Must issue a STARTTLS command first"
        );
    }
    assert_eq!(client.say("NOOP"), "250 2.0.0 Ok");
    assert_eq!(client.say("STARTTLS"), "220 2.0.0 Ready to start TLS");
    let mut client = client
        .secure(trusting(&sandbox), NAME)
        .expect("a good certificate");
    client.say("EHLO a.example");
    assert_eq!(client.say("MAIL FROM:<>"), "250 2.1.0 Ok");
}

/// With what a whole session takes on the wire, every octet of it can be the last.
#[test]
fn a_cut_counts_what_tls_adds() {
    let whole = {
        let sandbox = world("tls good 1.2");
        let mut client = Client::starttls(&sandbox, ADDRESS, NAME).expect("a good certificate");
        client.say("EHLO a.example");
        client.say("QUIT");
        client.rest();
        drop(client);
        session(&sandbox).wire_sent
    };
    for cut in ["close", "reset"] {
        // Signatures differ in length, by a few octets at most.
        for octets in (0..whole - 40).step_by(61) {
            let sandbox = world(&format!("tls good 1.2\n cut {cut} after sent {octets}"));
            talk_until_the_end(&sandbox);
            let session = session(&sandbox);
            assert_eq!(session.wire_sent, octets);
        }
    }
}

#[test]
fn a_client_that_speaks_no_tls_is_left() {
    let sandbox = world("tls good");
    let mut client = Client::greeted(&sandbox, ADDRESS);
    assert_eq!(client.say("STARTTLS"), "220 2.0.0 Ready to start TLS");
    client.send("EHLO a.example\r\n");
    client.all();
    drop(client);
    let session = session(&sandbox);
    assert!(
        session
            .tls_error
            .is_some_and(|why| why.contains("InvalidContentType"))
    );
    assert_eq!(session.tls, None);
    assert_eq!(session.received_in_clear, b"STARTTLS\r\n");
}

/// As far as a client comes.
fn talk_until_the_end(sandbox: &Sandbox) {
    let mut client = Client::connect(sandbox, ADDRESS);
    for command in ["EHLO a.example\r\n", "STARTTLS\r\n"] {
        if client.reply_if_any(false).is_none() {
            return;
        }
        client.send_if_open(command);
    }
    if client.reply_if_any(false).is_none() {
        return;
    }
    if let Ok(mut client) = client.secure(trusting(sandbox), NAME) {
        client.send_if_open("EHLO a.example\r\nQUIT\r\n");
        assert!(!client.all().contains("221 "));
    }
}
