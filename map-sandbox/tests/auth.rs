//! AUTH: who gets in by which mechanism, and what is recorded of it.

mod support;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use map_sandbox::Sandbox;
use ring::{digest, hmac, pbkdf2};
use support::{Client, PATIENCE, sandbox};

const NAME: &str = "mx.example.com";
const ADDRESS: &str = "127.0.0.2";
const ACCEPTED: &str = "235 2.7.0 Authentication succeeded";
const DENIED: &str = "535 5.7.8 Authentication credentials invalid";

fn world(lines: &str) -> Sandbox {
    sandbox(&format!("host {NAME} {ADDRESS}\n{lines}"))
}

/// A client under TLS, greeted, with the reply to its EHLO.
fn client(sandbox: &Sandbox) -> (Client, String) {
    let mut client = Client::starttls(sandbox, ADDRESS, NAME).expect("a good certificate");
    let offers = client.say("EHLO a.example");
    (client, offers)
}

fn encoded(text: impl AsRef<[u8]>) -> String {
    STANDARD.encode(text)
}

/// Each exchange as `MECHANISM user accepted in-clear`.
fn exchanges(sandbox: &Sandbox) -> Vec<String> {
    let sessions = sandbox.wait_for_quiet(PATIENCE);
    let all = sessions.iter().flat_map(|session| &session.authentications);
    all.map(|auth| {
        let user = auth.user.as_deref().unwrap_or("nobody");
        format!("{} {user} {} {}", auth.mechanism, auth.accepted, auth.in_clear)
    })
    .collect()
}

#[test]
fn each_mechanism_lets_in_who_knows_the_secret() {
    let sandbox = world("tls good\n auth ann s3cret\n auth bob t0ken XOAUTH2");
    let (mut ann, offers) = client(&sandbox);
    assert!(
        offers.ends_with(" | 250 AUTH SCRAM-SHA-256 PLAIN LOGIN XOAUTH2"),
        "{offers}"
    );
    assert_eq!(ann.say("AUTH PLAIN"), "334 ");
    assert_eq!(ann.say(&encoded("\0ann\0secret")), DENIED);
    assert_eq!(
        ann.say(&format!("auth plain {}", encoded("\0ann\0s3cret"))),
        ACCEPTED
    );
    assert_eq!(ann.say("AUTH LOGIN"), "503 5.5.1 No AUTH now");

    drop(ann);

    let (mut ann, _) = client(&sandbox);
    assert_eq!(ann.say("AUTH LOGIN"), "334 VXNlcm5hbWU6");
    assert_eq!(ann.say(&encoded("ann")), "334 UGFzc3dvcmQ6");
    assert_eq!(ann.say(&encoded("")), DENIED);
    assert_eq!(
        ann.say(&format!("AUTH LOGIN {}", encoded("ann"))),
        "334 UGFzc3dvcmQ6"
    );
    assert_eq!(ann.say(&encoded("s3cret")), ACCEPTED);

    let (mut bob, _) = client(&sandbox);
    assert_eq!(
        bob.say(&format!("AUTH PLAIN {}", encoded("\0bob\0t0ken"))),
        DENIED,
        "not by this one"
    );
    let bearer = |token: &str| encoded(format!("user=bob\x01auth=Bearer {token}\x01\x01"));
    assert!(
        bob.say(&format!("AUTH XOAUTH2 {}", bearer("wrong")))
            .starts_with("334 eyJzdGF0dXMiOiI0MDEi")
    );
    assert_eq!(bob.say(""), DENIED);
    assert_eq!(bob.say(&format!("AUTH XOAUTH2 {}", bearer("t0ken"))), ACCEPTED);
    drop((ann, bob));
    assert_eq!(
        exchanges(&sandbox),
        [
            "PLAIN ann false false",
            "PLAIN ann true false",
            "LOGIN nobody false false",
            "LOGIN ann false false",
            "LOGIN ann true false",
            "PLAIN bob false false",
            "XOAUTH2 bob false false",
            "XOAUTH2 bob true false",
        ]
    );
}

/// The client's last message of SCRAM, and what the host must prove with its own.
fn scram(secret: &str, first: &str, challenge: &str) -> (String, String) {
    let part = |key: &str| {
        let found = challenge.split(',').find_map(|part| part.strip_prefix(key));
        found.expect("it is there").to_owned()
    };
    let rounds = part("i=").parse().expect("a number");
    let salt = STANDARD.decode(part("s=")).expect("base64");
    let mut salted = [0; 32];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        rounds,
        &salt,
        secret.as_bytes(),
        &mut salted,
    );
    let mac = |key: &[u8], text: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::sign(&key, text.as_bytes())
    };
    let last = format!("c=biws,r={}", part("r="));
    let said = format!("{first},{challenge},{last}");
    let client_key = mac(&salted, "Client Key");
    let stored = digest::digest(&digest::SHA256, client_key.as_ref());
    let signature = mac(stored.as_ref(), &said);
    let proof: Vec<u8> = client_key
        .as_ref()
        .iter()
        .zip(signature.as_ref())
        .map(|(a, b)| a ^ b)
        .collect();
    let server = mac(mac(&salted, "Server Key").as_ref(), &said);
    (
        format!("{last},p={}", encoded(proof)),
        format!("v={}", encoded(server)),
    )
}

#[test]
fn scram_proves_the_secret_both_ways() {
    let sandbox = world("tls good\n auth ann s3cret SCRAM-SHA-256");
    for (secret, is_right) in [("s3cret", true), ("secret", false)] {
        let (mut client, offers) = client(&sandbox);
        assert!(offers.ends_with(" | 250 AUTH SCRAM-SHA-256"), "{offers}");
        let first = "n=ann,r=fyko";
        let challenge = client.say(&format!("AUTH SCRAM-SHA-256 {}", encoded(format!("n,,{first}"))));
        let challenge = STANDARD
            .decode(challenge.strip_prefix("334 ").expect("a challenge"))
            .expect("base64");
        let challenge = String::from_utf8(challenge).expect("text");
        let (last, proof) = scram(secret, first, &challenge);
        let reply = client.say(&encoded(last));
        if is_right {
            assert_eq!(reply, format!("334 {}", encoded(proof)));
            assert_eq!(client.say(""), ACCEPTED);
        } else {
            assert_eq!(reply, DENIED);
        }
    }
    let expected = ["SCRAM-SHA-256 ann true false", "SCRAM-SHA-256 ann false false"];
    assert_eq!(exchanges(&sandbox), expected);
}

#[test]
fn no_secret_is_asked_for_in_the_clear() {
    let sandbox = world("tls good\n auth ann s3cret");
    let mut client = Client::greeted(&sandbox, ADDRESS);
    assert_eq!(client.say("AUTH PLAIN"), "503 5.5.1 No AUTH now");
    assert!(!client.say("EHLO a.example").contains("AUTH"));
    let command = format!("AUTH PLAIN {}", encoded("\0ann\0s3cret"));
    assert_eq!(
        client.say(&command),
        "538 5.7.11 Encryption required for this mechanism"
    );
    drop(client);
    assert_eq!(
        exchanges(&sandbox),
        ["PLAIN nobody false true", "PLAIN nobody false true"]
    );
    let received = &sandbox.sessions()[0].received_in_clear;
    assert!(String::from_utf8_lossy(received).contains(&encoded("\0ann\0s3cret")));
}

#[test]
fn a_script_can_ask_for_it_all_the_same() {
    let sandbox = world("auth ann s3cret PLAIN clear\n auth bob x LOGIN");
    let mut client = Client::greeted(&sandbox, ADDRESS);
    assert!(client.say("EHLO a.example").ends_with(" | 250 AUTH PLAIN"));
    assert!(client.say("AUTH LOGIN").starts_with("538 "));
    assert_eq!(
        client.say(&format!("AUTH PLAIN {}", encoded("\0ann\0s3cret"))),
        ACCEPTED
    );
    drop(client);
    assert_eq!(
        exchanges(&sandbox),
        ["LOGIN nobody false true", "PLAIN ann true true"]
    );
}

#[test]
fn what_is_no_exchange_is_refused() {
    let sandbox = world("tls good\n auth ann s3cret PLAIN, login");
    let (mut client, offers) = client(&sandbox);
    assert!(offers.ends_with(" | 250 AUTH PLAIN LOGIN"), "{offers}");
    for (command, responses, reply) in [
        ("AUTH", &[][..], "504 5.5.4 No such mechanism"),
        ("AUTH CRAM-MD5", &[], "504 5.5.4 No such mechanism"),
        ("AUTH XOAUTH2", &[], "504 5.5.4 No such mechanism"),
        ("AUTH PLAIN !", &[], "501 5.5.2 Cannot decode the response"),
        ("AUTH PLAIN =", &[], "501 5.5.2 Cannot decode the response"),
        ("AUTH PLAIN AGFubg==", &[], "501 5.5.2 Cannot decode the response"),
        ("AUTH PLAIN", &["*"], "501 5.7.0 Authentication cancelled"),
        ("AUTH LOGIN", &["YQ==", "*"], "501 5.7.0 Authentication cancelled"),
    ] {
        let mut last = client.say(command);
        for response in responses {
            assert!(last.starts_with("334 "), "{command}: {last}");
            last = client.say(response);
        }
        assert_eq!(last, reply, "{command}");
    }
    // Longer than any command may be.
    assert_eq!(client.say("AUTH PLAIN"), "334 ");
    assert_eq!(
        client.say(&encoded([b'x'; 6000])),
        "501 5.5.2 Cannot decode the response"
    );
    assert_eq!(
        client.say(&format!("NOOP {}", "x".repeat(6000))),
        "500 5.5.2 Line too long"
    );
    client.say("MAIL FROM:<>");
    assert_eq!(client.say("AUTH PLAIN"), "503 5.5.1 No AUTH now");
}

#[test]
fn a_host_can_require_auth_and_a_mail_tells_whose_it_is() {
    let sandbox = world("tls good\n auth ann s3cret\n require auth");
    let (mut client, _) = client(&sandbox);
    assert_eq!(client.say("MAIL FROM:<>"), "530 5.7.0 Authentication required");
    assert_eq!(
        client.say(&format!("AUTH PLAIN {}", encoded("ann\0ann\0s3cret"))),
        ACCEPTED
    );
    assert_eq!(client.say("MAIL FROM:<> AUTH=<>"), "250 2.1.0 Ok");
    client.say("RCPT TO:<b@example.com>");
    client.say("DATA");
    assert!(client.say("x\r\n.").starts_with("250 "));
    assert_eq!(sandbox.mails()[0].user.as_deref(), Some("ann"));
}

#[test]
fn rules_change_the_course_of_an_exchange() {
    let sandbox = world(
        "tls good\n auth ann s3cret\n on connection 1 response 2 reply 334 ZZ then delay 1ms\n \
         on connection 2 auth PLAIN* reply 454 4.7.0 Later\n on connection 3 auth reply 235 Welcome",
    );
    let (mut first, _) = client(&sandbox);
    assert_eq!(first.say("AUTH LOGIN"), "334 VXNlcm5hbWU6");
    assert_eq!(first.say(&encoded("ann")), "334 UGFzc3dvcmQ6");
    assert_eq!(first.say(&encoded("s3cret")), "334 ZZ");
    assert_eq!(first.say(""), DENIED);
    let (mut second, _) = client(&sandbox);
    assert_eq!(
        second.say(&format!("AUTH PLAIN {}", encoded("\0ann\0s3cret"))),
        "454 4.7.0 Later"
    );
    assert_eq!(second.say("AUTH LOGIN"), "334 VXNlcm5hbWU6");
    let (mut third, _) = client(&sandbox);
    assert_eq!(
        third.say(&format!("AUTH PLAIN {}", encoded("\0ann\0wrong"))),
        "235 Welcome"
    );
    drop((first, second, third));
    let expected = [
        "LOGIN ann false false",
        "PLAIN ann false false",
        "PLAIN ann true false",
    ];
    assert_eq!(exchanges(&sandbox), expected);
}
