//! What we sign is verified by another implementation: dkimpy.

use map_core::dkim::DkimSigner;
use map_core::message::{BodyType, Builder, Message, Needs, Part, Raw, TransferEncoding};
use map_core::protocol::MapReplyCode;
use map_core::{Agent, Config, Mailbox};
use map_sandbox::{Sandbox, World};
use map_tests::built::generate;
use map_tests::mail_server::{Kind, MailServer};
use map_tests::python::{framed, python_with_mapagent, run};
use std::io::{Read, Write};
use std::process::Command;
use std::time::Duration;

const DOMAIN: &str = "sender.test";

fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl")
        .args(arguments)
        .output()
        .expect("the program openssl is needed for this test");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    String::from_utf8(output.stdout).unwrap()
}

fn signer(domain: &str, selector: &str, pem: &str) -> DkimSigner {
    DkimSigner::from_pem(domain.parse().unwrap(), selector, pem).unwrap()
}

/// One of each algorithm, with keys as `openssl genpkey` makes them.
fn signers(domain: &str) -> [DkimSigner; 2] {
    let rsa = openssl(&[
        "genpkey",
        "-quiet",
        "-algorithm",
        "RSA",
        "-pkeyopt",
        "rsa_keygen_bits:2048",
    ]);
    let ed25519 = openssl(&["genpkey", "-algorithm", "ED25519"]);
    [signer(domain, "rsa", &rsa), signer(domain, "2026.ed", &ed25519)]
}

fn octets(message: &Message) -> Vec<u8> {
    let mut octets = Vec::new();
    message.open().unwrap().read_to_end(&mut octets).unwrap();
    if let Some(size) = message.size() {
        assert_eq!(size, octets.len() as u64);
    }
    octets
}

/// What dkimpy says of the signatures of each message, the first one in the header first.
fn verdicts<'a>(signers: &[DkimSigner], messages: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let records = signers
        .iter()
        .map(|signer| format!("{}={}", signer.record_name(), signer.record()));
    let said = run(
        &python_with_mapagent(),
        "verify_dkim.py",
        records,
        framed(messages),
    );
    String::from_utf8(said)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

fn signed_by_both(message: &Message, signers: &[DkimSigner; 2]) -> Message {
    message.sign(&signers[0]).unwrap().sign(&signers[1]).unwrap()
}

#[track_caller]
fn assert_good(signers: &[DkimSigner], messages: &[Vec<u8>]) {
    let verdicts = verdicts(signers, messages.iter().map(Vec::as_slice));
    assert_eq!(verdicts.len(), messages.len());
    for (verdict, message) in verdicts.iter().zip(messages) {
        let begin = message.get(..4000).unwrap_or(message);
        assert_eq!(verdict, "good good", "{}", String::from_utf8_lossy(begin));
    }
}

#[test]
fn messages_of_every_structure_verify() {
    let directory = tempfile::tempdir().unwrap();
    let signers = signers("b.example");
    let mut messages = Vec::new();
    for given in generate(120, 6376, directory.path()) {
        let signed = signed_by_both(&given.message, &signers);
        // dkimpy takes an LF alone for a line end, and so no binary body for what it is.
        let offered = [BodyType::SevenBit, BodyType::EightBit];
        let forms = offered.map(|body_type| {
            signed
                .for_host(Needs {
                    body_type,
                    smtputf8: true,
                })
                .unwrap()
        });
        messages.extend(forms.iter().map(octets));
    }
    assert_good(&signers, &messages);
}

#[test]
fn odd_messages_verify() {
    let signers = signers(DOMAIN);
    let long_line = format!("{} {}\r\n", "x".repeat(600), "\t".repeat(300));
    let bodies = [
        "",
        "\r\n",
        "\r\n\r\n\r\n",
        " \t\r\n",
        "one line\r\n",
        " blank first\r\n",
        "blanks at the end \t \r\n\r\nand\tin  between\r\n",
        "a line of blanks at the end\r\n \t \r\n\r\n",
        "\r\n\r\nempty lines first\r\n",
        ".\r\n..\r\nFrom here\r\n",
        "Grüße, 日本\r\n",
        long_line.as_str(),
    ];
    let headers = [
        "From: a@sender.test\r\nTo: b@y.test\r\n",
        "Received: by x\r\n\tfor y\r\nFrom: =?utf-8?Q?=C3=A9?= <a@sender.test>\r\nTo:\r\n b@y.test,\r\n  c@y.test\r\n\
         SUBJECT: odd \t  \r\n \t case \r\nSubject:\r\nCc: d@y.test\r\nDate: Sun, 22 Nov 2026 01:40:00 +0100\r\n\
         List-Unsubscribe: <mailto:x@sender.test>\r\nResent-From: r@y.test\r\nResent-To: b@y.test\r\n",
        "From: Jürgen <jürgen@sender.test>\r\nTo: 用户@y.test\r\nSubject: Grüße\r\n",
    ];
    let mut messages = Vec::new();
    for header in headers {
        for body in bodies {
            let message = Raw::octets(format!("{header}\r\n{body}")).build().unwrap();
            messages.push(octets(&signed_by_both(&message, &signers)));
        }
    }
    assert_good(&signers, &messages);
}

#[test]
fn large_messages_verify() {
    const LINES: usize = 200_000;
    let signers = signers(DOMAIN);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for line in 0..LINES {
        writeln!(file, "{line}\t of  a large file \r").unwrap();
    }
    file.write_all(&b"\r\n".repeat(LINES)).unwrap();
    file.flush().unwrap();
    let builder = || {
        Builder::new()
            .from("a@sender.test".parse::<Mailbox>().unwrap())
            .to("b@y.test".parse::<Mailbox>().unwrap())
    };
    let part = |encoding| Part::file(file.path()).unwrap().transfer_encoding(encoding);
    let attached = builder().attach(part(TransferEncoding::Base64)).build().unwrap();
    let alone = builder().body(part(TransferEncoding::SevenBit)).build().unwrap();
    let messages = [attached, alone].map(|message| octets(&signed_by_both(&message, &signers)));
    assert!(messages.iter().all(|message| message.len() > 5_000_000));
    assert_good(&signers, &messages);
}

/// What would be of no use if nothing could break it.
#[test]
fn what_is_changed_does_not_verify() {
    let signers = signers(DOMAIN);
    let message = Raw::octets(
        "Subject: pay 10\r\nFrom: a@sender.test\r\nTo: b@y.test\r\nX-Note: free\r\nContent-Type: text/plain\r\n\r\n\
         one two\r\nthree\r\n",
    );
    let signed = octets(&signed_by_both(&message.build().unwrap(), &signers));
    let signed = String::from_utf8(signed).unwrap();
    let changed = [
        ("pay 10", "pay 11", false),
        ("a@sender.test", "b@sender.test", false),
        ("one two", "one  two", true),
        ("three\r\n", "three\r\n\r\n", true),
        ("one two", "onetwo", false),
        ("three", "Three", false),
        ("three\r\n", "three\r\nfour\r\n", false),
        ("free", "to change", true),
        ("pay 10", "pay \r\n\t10 ", true),
        // Another field of the name, in front or after.
        ("Subject:", "Subject: other\r\nSubject:", false),
        ("X-Note:", "From: c@sender.test\r\nX-Note:", false),
        ("X-Note:", "Cc: c@sender.test\r\nX-Note:", false),
        ("X-Note:", "Reply-To: c@sender.test\r\nX-Note:", false),
        ("X-Note:", "Content-Type: text/html\r\nX-Note:", false),
        // What hosts add.
        (
            "X-Note:",
            "Date: Sun, 22 Nov 2026 01:40:00 +0100\r\nX-Note:",
            true,
        ),
        ("X-Note:", "Message-ID: <1@y.test>\r\nX-Note:", true),
        ("DKIM-Signature:", "Received: by y.test\r\nDKIM-Signature:", true),
    ];
    let messages: Vec<_> = changed
        .iter()
        .map(|(from, to, _)| signed.replacen(from, to, 1))
        .collect();
    let verdicts = verdicts(&signers, messages.iter().map(String::as_bytes));
    for ((from, to, good), verdict) in changed.iter().zip(verdicts) {
        let expected = if *good { "good good" } else { "bad bad" };
        assert_eq!(verdict, expected, "{from:?} to {to:?}");
    }
}

#[test]
fn keys_of_every_form_are_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    let path = path.to_str().unwrap();
    let pkcs8 = openssl(&[
        "genpkey",
        "-quiet",
        "-algorithm",
        "RSA",
        "-pkeyopt",
        "rsa_keygen_bits:3072",
    ]);
    std::fs::write(path, &pkcs8).unwrap();
    let pkcs1 = openssl(&["rsa", "-in", path, "-traditional"]);
    assert!(pkcs1.contains("BEGIN RSA PRIVATE KEY"), "{pkcs1}");
    let public = openssl(&["pkey", "-in", path, "-pubout"]);
    let public: String = public.lines().filter(|line| !line.starts_with('-')).collect();
    let signers = [pkcs8, pkcs1].map(|pem| signer(DOMAIN, "s", &pem));
    for signer in signers {
        assert_eq!(signer.algorithm(), "rsa-sha256");
        assert_eq!(signer.record(), format!("v=DKIM1; k=rsa; p={public}"));
    }
}

fn agent(dns: std::net::SocketAddr, port: u16, signers: &[DkimSigner]) -> Agent {
    let mut config = Config::new();
    config.set_dns_servers(vec![dns]);
    config.set_smtp_port(port).unwrap();
    config.set_hello_name(Some("client.test")).unwrap();
    config.set_deadline(Some(Duration::from_secs(120))).unwrap();
    config.set_allow_loopback(true);
    for signer in signers {
        config.add_dkim_signer(signer.clone());
    }
    Agent::new(config)
}

#[test]
fn an_agent_signs_for_the_domains_it_has_keys_for() {
    let world = "domain y.test\n mx 10 mx.y.test\nhost mx.y.test 127.0.0.2\n";
    let sandbox = Sandbox::start(&world.parse::<World>().unwrap()).unwrap();
    let signers = signers(DOMAIN);
    let agent = agent(sandbox.dns_server(), sandbox.smtp_port(), &signers);
    for (from, expected) in [
        ("a@sender.test", "good good"),
        ("a@sub.Sender.test", "good good"),
        ("a@othersender.test", ""),
        ("a@[192.0.2.1]", ""),
    ] {
        sandbox.clear();
        let report = agent.send(from, "b@y.test", "Grüße", "text \n\n");
        assert_eq!(
            report.reply().code(),
            MapReplyCode::Success,
            "{}",
            report.transcript()
        );
        let mails = sandbox.wait_for_mails(1, Duration::from_secs(20));
        assert_eq!(
            verdicts(&signers, [mails[0].content.as_slice()]),
            [expected],
            "{from}"
        );
    }

    // The one in From, and not the one in the envelope.
    sandbox.clear();
    let message = Builder::new()
        .from("a@sender.test".parse::<Mailbox>().unwrap())
        .envelope_from("bounces@other.test".parse().unwrap())
        .to("b@y.test".parse::<Mailbox>().unwrap())
        .attach(Part::octets(&b"data"[..]))
        .build()
        .unwrap();
    let report = agent.send_message(message);
    assert_eq!(
        report.reply().code(),
        MapReplyCode::Success,
        "{}",
        report.transcript()
    );
    let mails = sandbox.wait_for_mails(1, Duration::from_secs(20));
    assert_eq!(mails[0].reverse_path, "bounces@other.test");
    assert_eq!(verdicts(&signers, [mails[0].content.as_slice()]), ["good good"]);
}

/// A host gets the form that it takes, and that has a signature of its own.
#[test]
fn each_form_of_a_message_is_signed() {
    let world = "domain eight.test\n mx 10 mx.eight.test\nhost mx.eight.test 127.0.0.2\n offer 8BITMIME\n\
                 domain seven.test\n mx 10 mx.seven.test\nhost mx.seven.test 127.0.0.3\n offer nothing\n";
    let sandbox = Sandbox::start(&world.parse::<World>().unwrap()).unwrap();
    let signers = signers(DOMAIN);
    let agent = agent(sandbox.dns_server(), sandbox.smtp_port(), &signers);
    let message = Builder::new()
        .from("a@sender.test".parse::<Mailbox>().unwrap())
        .to("b@eight.test".parse::<Mailbox>().unwrap())
        .to("b@seven.test".parse::<Mailbox>().unwrap())
        .text("Grüße\n".parse().unwrap())
        .body_type(BodyType::EightBit)
        .build()
        .unwrap();
    let report = agent.send_message(message);
    assert_eq!(
        report.reply().code(),
        MapReplyCode::Success,
        "{}",
        report.transcript()
    );
    let mails = sandbox.wait_for_mails(2, Duration::from_secs(20));
    let mut ascii: Vec<_> = mails.iter().map(|mail| mail.content.is_ascii()).collect();
    ascii.sort_unstable();
    assert_eq!(ascii, [false, true]);
    let contents: Vec<_> = mails.iter().map(|mail| mail.content.clone()).collect();
    assert_good(&signers, &contents);
}

#[test]
fn what_cannot_be_signed_is_not_sent() {
    let world = "domain y.test\n mx 10 mx.y.test\nhost mx.y.test 127.0.0.2\n";
    let sandbox = Sandbox::start(&world.parse::<World>().unwrap()).unwrap();
    let agent = agent(sandbox.dns_server(), sandbox.smtp_port(), &signers(DOMAIN));
    let message = |part: Part| {
        Builder::new()
            .from("a@sender.test".parse::<Mailbox>().unwrap())
            .to("b@y.test".parse::<Mailbox>().unwrap())
            .attach(part)
            .build()
            .unwrap()
    };
    let gone = Part::reader(Some(4), || Err(std::io::Error::other("the disk is gone")));
    let report = agent.send_message(message(gone));
    assert_eq!(report.reply().code(), MapReplyCode::Local);
    let advice = report.summary().advice();
    assert!(advice.contains("reader failed: the disk is gone."), "{advice}");

    // A message without an end can be cancelled while it is read to be signed.
    let (begun, has_begun) = std::sync::mpsc::channel();
    let endless = Part::reader(None, move || {
        let _ = begun.send(());
        Ok(Box::new(std::io::repeat(b'x')))
    });
    let job = agent.submit_message(message(endless.transfer_encoding(TransferEncoding::Base64)));
    has_begun.recv_timeout(Duration::from_secs(20)).unwrap();
    job.cancel();
    let report = job.wait_timeout(Duration::from_secs(20)).expect("a report");
    assert_eq!(report.reply().code(), MapReplyCode::Cancelled);

    // Nor does anybody wait for one that gives nothing: neither the caller nor who closes the agent.
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (_goes_on, waits) = std::sync::mpsc::channel::<()>();
    let waits = std::sync::Mutex::new(waits);
    let silent = Part::reader(None, move || {
        let _ = begun.send(());
        let _ = waits.lock().unwrap().recv();
        Ok(Box::new(std::io::empty()))
    });
    let job = agent.submit_message(message(silent.transfer_encoding(TransferEncoding::Base64)));
    has_begun.recv_timeout(Duration::from_secs(20)).unwrap();
    job.cancel();
    let report = job.wait_timeout(Duration::from_secs(20)).expect("a report");
    assert_eq!(report.reply().code(), MapReplyCode::Cancelled);
    let (closed, is_closed) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        drop(agent);
        let _ = closed.send(());
    });
    is_closed.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(sandbox.sessions().is_empty());
}

#[test]
fn signatures_stay_good_through_postfix() {
    let Some(server) = MailServer::start(Kind::Postfix) else {
        return;
    };
    let world = format!(
        "domain example.test\n mx 10 mx.example.test\ndomain mx.example.test\n a {}\n",
        server.address().ip()
    );
    let zone = Sandbox::start(&world.parse::<World>().unwrap()).unwrap();
    let signers = signers(DOMAIN);
    let agent = agent(zone.dns_server(), server.address().port(), &signers);
    let builder = || {
        Builder::new()
            .from(
                "\"Anna, A.\" <a@sender.test>"
                    .parse::<map_core::message::AddressList>()
                    .unwrap(),
            )
            .to("Bob <bob@example.test>"
                .parse::<map_core::message::AddressList>()
                .unwrap())
            .subject(
                "Grüße aus Köln, in einer Zeile, die so lang ist, dass sie gefaltet werden muss"
                    .parse()
                    .unwrap(),
            )
    };
    let text = "From here \n.\n..\n\ttab \n\n \n";
    let messages = [
        builder().text(text.parse().unwrap()).build().unwrap(),
        builder()
            .text(text.parse().unwrap())
            .html("<p>ü</p>".parse().unwrap())
            .attach(Part::octets(
                (0..=255).cycle().take(3_000_000).collect::<Vec<u8>>(),
            ))
            .build()
            .unwrap(),
        Raw::octets(format!(
            "From: a@sender.test\r\nTo: bob@example.test\r\nDate: Sun, 22 Nov 2026 01:40:00 +0100\r\n\r\n{}",
            text.replace('\n', "\r\n")
        ))
        .build()
        .unwrap(),
    ];
    let count = messages.len();
    for message in messages {
        let report = agent.send_message(message);
        let told = || format!("{}\n{}", report.transcript(), server.logs());
        assert_eq!(report.reply().code(), MapReplyCode::Success, "{}", told());
    }
    assert_good(&signers, &server.wait_for_mails("bob", count));
}
