//! Mail that is handed to a relay.

use super::tls::offers;
use super::*;
use crate::delivery::RelaySecurity;
use crate::smtp::SecretKind;
use base64::prelude::{BASE64_STANDARD, Engine as _};

const NAME: &str = "relay.example.net";
const USER: &str = "alice";
const SECRET: &str = "s3cret-and-more";
const PORT: u16 = 587;

/// A world where all mail goes to a relay that behaves so.
pub(super) fn world(security: RelaySecurity, peers: &[Peer]) -> World {
    // The recipient's own host takes nobody's mail.
    let mut world = World::new(&[&[(B, Peer::Says(&["554 go away"]))]]);
    let address = Record::Address(A.parse().expect("an address"));
    world.zone.insert(NAME, RecordType::A, Ok(vec![address]));
    world
        .network
        .peers
        .insert(A.parse().expect("an address"), peers.iter().cloned().collect());
    world.relay = Some(Relay::new(NAME, PORT, security).expect("a relay"));
    world
}

pub(super) fn with_login(mut world: World, kind: SecretKind) -> World {
    let relay = world.relay.take().expect("a relay");
    world.relay = Some(relay.with_login(USER, SECRET, kind).expect("a log-in"));
    world
}

/// A relay that takes the log-in by these lines, and then the mail.
pub(super) fn logs_in(security: RelaySecurity, offer: &'static str, auth: &[&'static str]) -> Peer {
    let mut says = match security {
        RelaySecurity::Implicit => vec!["tls good", "220 r"],
        _ => vec!["220 r", "250-h|250 STARTTLS", "220 go", "tls good"],
    };
    says.push(offer);
    says.extend(auth);
    if auth.last().is_some_and(|reply| reply.starts_with('2')) {
        says.extend(["250 m", "250 r", "354 d", "250 2.0.0 queued as 7", "221 b"]);
    } else {
        says.push("221 b");
    }
    Peer::Says(says.leak())
}

pub(super) const PLAIN: &str = "250-h|250 AUTH PLAIN";
const LOGIN: &str = "250-h|250 AUTH LOGIN";
const XOAUTH2: &str = "250-h|250 AUTH XOAUTH2";

/// The secret, and each form it goes over the wire in.
pub(super) fn forms() -> Vec<String> {
    let mut forms = vec![SECRET.to_owned()];
    let texts = [
        SECRET.to_owned(),
        format!("\0{USER}\0{SECRET}"),
        format!("user={USER}\u{1}auth=Bearer {SECRET}\u{1}\u{1}"),
    ];
    forms.extend(texts.map(|text| BASE64_STANDARD.encode(text)));
    forms
}

/// Neither the report in any form nor what is made from it holds the secret.
#[track_caller]
fn assert_no_secret(sent: &Sent) {
    let report = &sent.report;
    let mut shown = format!("{report:?}{report:#?}{}", report.transcript());
    shown += report.summary().advice();
    for attempt in report.attempts() {
        shown += attempt.detail();
    }
    for warning in report.warnings() {
        shown += warning;
    }
    shown += &String::from_utf8_lossy(report.summary().server_text().unwrap_or_default());
    for form in forms() {
        assert!(!shown.contains(&form), "{form}");
        // As the octets of a reply are shown by `Debug`.
        let octets = format!("{:?}", form.as_bytes());
        assert!(!shown.contains(octets.trim_matches(['[', ']'])), "{form}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_relay_accepts_is_a_success_that_is_not_an_arrival() {
    for security in [RelaySecurity::StartTls, RelaySecurity::Implicit] {
        let peer = logs_in(security, PLAIN, &["235 2.7.0 welcome"]);
        let sent = with_login(world(security, &[peer]), SecretKind::Password)
            .send()
            .await;
        sent.assert("RE_SUCCESS.", Delivered::Unknown, false, Some("2.0.0"));
        let summary = sent.report.summary();
        assert!(summary.relayed());
        assert_eq!(summary.host(), Some(NAME));
        assert_eq!(summary.policy(), Some(TlsPolicy::Relay));
        assert_eq!(summary.tls().map(|facts| facts.verified), Some(Verified::Pkix));
        assert_eq!(sent.report.attempts()[0].outcome(), AttemptOutcome::Accepted);
        let advice = summary.advice();
        assert!(
            advice.contains("accepted by a relay, not yet by the recipient's server"),
            "{advice}"
        );
        assert_eq!(
            (sent.connected.as_slice(), sent.mails()),
            (&[A.to_owned()][..], [0, 1])
        );
        let plain = BASE64_STANDARD.encode(format!("\0{USER}\0{SECRET}"));
        assert!(
            sent.heard.contains(&format!("TLS AUTH PLAIN {plain}")),
            "{:?}",
            sent.heard
        );
        let transcript = sent.report.transcript();
        assert!(
            transcript.contains("S: CMD_SMTP_AUTH.\nSS: 235 2.7.0 welcome\n"),
            "{transcript}"
        );
        assert_no_secret(&sent);
    }
}

#[tokio::test(start_paused = true)]
async fn the_challenges_of_a_log_in_are_not_shown() {
    let challenges = ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 welcome"];
    let peer = logs_in(RelaySecurity::StartTls, LOGIN, &challenges);
    let sent = with_login(world(RelaySecurity::StartTls, &[peer]), SecretKind::Password)
        .send()
        .await;
    sent.assert("RE_SUCCESS.", Delivered::Unknown, false, Some("2.0.0"));
    let transcript = sent.report.transcript();
    assert!(
        transcript.contains("SS: 334\n") && !transcript.contains("VXNl"),
        "{transcript}"
    );
    assert_no_secret(&sent);
}

#[tokio::test(start_paused = true)]
async fn a_log_in_that_is_refused_is_told_as_that() {
    /// Replies to AUTH, the MAP reply, whether it is transient, the status, words of the sentence.
    type Row = (
        &'static [&'static str],
        &'static str,
        bool,
        Option<&'static str>,
        &'static str,
    );
    let rows: [Row; 6] = [
        (
            &["535 no"],
            "RE_BADREPLY: <535>.",
            false,
            None,
            "did not accept the user name or the password",
        ),
        (
            &["535 5.7.8 Authentication credentials invalid"],
            "RE_SERVICE_DENIED.",
            false,
            Some("5.7.8"),
            "did not accept the user name or the password",
        ),
        (
            &["534 5.7.9 too weak"],
            "RE_SERVICE_DENIED.",
            false,
            Some("5.7.9"),
            "wants another way to log in",
        ),
        (
            &["454 4.7.0 later"],
            "RE_BADREPLY: <454>.",
            true,
            Some("4.7.0"),
            "could not check",
        ),
        (
            &["501 5.5.2 what?"],
            "RE_BADREPLY: <501>.",
            false,
            Some("5.5.2"),
            "refused the log-in",
        ),
        (
            &[
                "500 5.5.1 Command unrecognized: \"AUTH PLAIN AGFsaWNlAHMzY3JldC1hbmQtbW9yZQ==\" s3cret-and-more",
            ],
            "RE_BADREPLY: <500>.",
            false,
            Some("5.5.1"),
            "\"AUTH PLAIN ***\" ***",
        ),
    ];
    for (auth, reply, transient, enhanced, words) in rows {
        let peer = logs_in(RelaySecurity::Implicit, PLAIN, auth);
        let sent = with_login(world(RelaySecurity::Implicit, &[peer]), SecretKind::Password)
            .send()
            .await;
        sent.assert(reply, Delivered::No, transient, enhanced);
        let summary = sent.report.summary();
        assert_eq!(summary.stage(), Stage::Auth);
        assert!(!summary.relayed());
        assert!(summary.advice().contains(words), "{}", summary.advice());
        assert!(summary.advice().contains(NAME));
        assert_eq!((sent.mails(), sent.connected.len()), ([0, 0], 1), "{auth:?}");
        assert_no_secret(&sent);
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_takes_any_password_is_not_believed() {
    // It says yes to SCRAM without a proof that it knows the password.
    let peer = logs_in(
        RelaySecurity::Implicit,
        "250-h|250 AUTH SCRAM-SHA-256",
        &["235 ok"],
    );
    let mut two = world(RelaySecurity::Implicit, &[peer]);
    let addresses = [A, C].map(|address| Record::Address(address.parse().expect("an address")));
    two.zone.insert(NAME, RecordType::A, Ok(addresses.into()));
    two.network
        .peers
        .insert(C.parse().expect("an address"), [GOOD].into());
    let sent = with_login(two, SecretKind::Password).send().await;
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, false, Some("5.7.5"));
    assert_eq!(sent.connected.len(), 1, "the other address is no better");
    assert_eq!(
        (sent.mails(), sent.report.summary().stage()),
        ([0, 0], Stage::Auth)
    );
    let advice = sent.report.summary().advice();
    assert!(
        advice.contains("did not prove that it knows the password"),
        "{advice}"
    );
    assert_no_secret(&sent);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_offers_no_fitting_mechanism_wants_another_setting() {
    let peer = logs_in(RelaySecurity::Implicit, XOAUTH2, &[]);
    let sent = with_login(world(RelaySecurity::Implicit, &[peer]), SecretKind::Password)
        .send()
        .await;
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, false, Some("5.7.5"));
    assert_eq!(sent.report.summary().stage(), Stage::Auth);
    assert_eq!(sent.mails(), [0, 0]);
    assert_no_secret(&sent);

    let peer = logs_in(RelaySecurity::Implicit, XOAUTH2, &["235 welcome"]);
    let sent = with_login(world(RelaySecurity::Implicit, &[peer]), SecretKind::Token)
        .send()
        .await;
    sent.assert("RE_SUCCESS.", Delivered::Unknown, false, Some("2.0.0"));
    assert_no_secret(&sent);
}

#[tokio::test(start_paused = true)]
async fn no_secret_goes_to_a_relay_that_is_not_who_it_should_be() {
    let implicit =
        |how: &str| Peer::Says(vec![&*format!("tls {how}").leak(), "220 r", PLAIN, "235 ok"].leak());
    let stripped = Peer::Says(&["220 r", "250-h|250 AUTH PLAIN", "235 ok"]);
    let refuses = Peer::Says(&["220 r", "250-h|250-AUTH PLAIN|250 STARTTLS", "454 no", "235 ok"]);
    let injects = Peer::Says(&[
        "220 r",
        "250-h|250 STARTTLS",
        "220 go|250-h|250 AUTH PLAIN",
        "235 ok",
    ]);
    let mut rows = vec![
        (RelaySecurity::StartTls, GOOD),
        (RelaySecurity::StartTls, stripped),
        (RelaySecurity::StartTls, refuses),
        (RelaySecurity::StartTls, injects),
    ];
    for how in ["self-signed", "wrong-name", "expired", "breaks", "hangs"] {
        rows.push((RelaySecurity::StartTls, offers(how)));
        rows.push((RelaySecurity::Implicit, implicit(how)));
    }
    for (security, peer) in rows {
        let sent = with_login(world(security, std::slice::from_ref(&peer)), SecretKind::Password)
            .send()
            .await;
        sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.7.5"));
        let summary = sent.report.summary();
        assert_eq!(summary.policy(), Some(TlsPolicy::Relay), "{peer:?}");
        assert!(
            summary
                .advice()
                .contains("No user name and no password was sent.")
                && summary.advice().contains(NAME),
            "{}",
            summary.advice()
        );
        assert!(
            !sent.heard.iter().any(|line| line.contains("AUTH")),
            "{:?}",
            sent.heard
        );
        assert_eq!((sent.mails(), sent.connected.len()), ([0, 0], 1), "{peer:?}");
        assert_no_secret(&sent);
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_is_above_all_other_demands() {
    for security in [RelaySecurity::Clear, RelaySecurity::Opportunistic] {
        let sent = world(security, &[GOOD]).send().await;
        sent.assert("RE_SUCCESS.", Delivered::Unknown, false, None);
        assert_eq!((sent.mails(), sent.report.summary().policy()), ([1, 0], None));
    }
    // STARTTLS is offered, and only one of the two uses it.
    let sent = world(RelaySecurity::Opportunistic, &[offers("expired")])
        .send()
        .await;
    assert_eq!(sent.mails(), [0, 1]);
    let offers_in_vain = Peer::Says(&[
        "220 r",
        "250-h|250 STARTTLS",
        "250 m",
        "250 r",
        "354 d",
        "250 ok",
        "221 b",
    ]);
    let sent = world(RelaySecurity::Clear, &[offers_in_vain]).send().await;
    assert_eq!(sent.mails(), [1, 0]);
    let sent = world(RelaySecurity::Clear, &[GOOD])
        .with_all_demands(NAME)
        .send()
        .await;
    sent.assert("RE_SUCCESS.", Delivered::Unknown, false, None);
    assert_eq!(sent.mails(), [1, 0]);
    let asked: Vec<RecordType> = sent.asked.iter().map(|(_, record_type)| *record_type).collect();
    assert_eq!(asked, [RecordType::A, RecordType::Aaaa], "{:?}", sent.asked);
}

#[tokio::test(start_paused = true)]
async fn the_ladder_of_a_relay_that_need_not_prove_itself_is_the_same() {
    let sent = world(RelaySecurity::Opportunistic, &[offers("breaks"), GOOD])
        .send()
        .await;
    sent.assert("RE_SUCCESS.", Delivered::Unknown, false, None);
    assert_eq!((sent.mails(), sent.connected.len()), ([1, 0], 2));
}

#[tokio::test(start_paused = true)]
async fn a_relay_may_be_anywhere() {
    for host in ["127.0.0.1", "localhost", "169.254.1.1"] {
        let mut world = World::new(&[]);
        let address = if host == "localhost" { "127.0.0.1" } else { host };
        world
            .network
            .peers
            .insert(address.parse().expect("an address"), [GOOD].into());
        world.relay = Some(Relay::new(host, 25, RelaySecurity::Clear).expect("a relay"));
        let sent = world.send().await;
        sent.assert("RE_SUCCESS.", Delivered::Unknown, false, None);
        assert_eq!(
            (sent.connected.as_slice(), sent.asked.len()),
            (&[address.to_owned()][..], 0)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_by_name_is_left_to_a_proxy_that_looks_names_up() {
    let mut world = world(RelaySecurity::Clear, &[]);
    world.network.names = [(NAME, GOOD)].into();
    world.network.proxied = true;
    let sent = world.send().await;
    sent.assert("RE_SUCCESS.", Delivered::Unknown, false, None);
    assert_eq!(
        (sent.named.as_slice(), sent.asked.len()),
        (&[format!("{NAME}:{PORT}")][..], 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_is_not_there_is_a_matter_of_settings() {
    let mut gone = world(RelaySecurity::Clear, &[GOOD]);
    gone.zone.records.remove(&(NAME.to_owned(), RecordType::A));
    let sent = gone.send().await;
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, false, Some("5.4.4"));
    assert!(
        sent.report
            .summary()
            .advice()
            .contains("Correct its name in the settings")
    );

    let mut failing = world(RelaySecurity::Clear, &[GOOD]);
    for record_type in [RecordType::A, RecordType::Aaaa] {
        failing
            .zone
            .insert(NAME, record_type, Err(LookupError::Failed("SERVFAIL".to_owned())));
    }
    let sent = failing.send().await;
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.4.3"));

    let sent = world(RelaySecurity::Clear, &[Peer::Silent]).send().await;
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.4.1"));
    assert_eq!(sent.report.port25(), None);
    let advice = sent.report.summary().advice();
    assert!(
        advice.contains("the relay relay.example.net could not be reached (no answer in time)")
            && !advice.contains("port 25"),
        "{advice}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_wants_a_log_in_says_so() {
    let wants = Peer::Says(&["220 r", "250 h", "530 5.7.0 Authentication required", "221 b"]);
    let sent = world(RelaySecurity::Clear, &[wants]).send().await;
    sent.assert("RE_SERVICE_DENIED.", Delivered::No, false, Some("5.7.0"));
    let advice = sent.report.summary().advice();
    assert!(
        advice.contains("set a user name and a password for it"),
        "{advice}"
    );
    let denies = Peer::Says(&[
        "220 r",
        "250 h",
        "250 m",
        "554 5.7.1 Relay access denied",
        "221 b",
    ]);
    let sent = world(RelaySecurity::Clear, &[denies]).send().await;
    sent.assert("RE_SERVICE_DENIED.", Delivered::No, false, Some("5.7.1"));
    let advice = sent.report.summary().advice();
    assert!(advice.contains("does not pass this mail on"), "{advice}");
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_a_relay_may_have_is_uncertain() {
    let lost = Peer::Says(&["220 r", "250 h", "250 m", "250 r", "354 d", "close"]);
    let sent = world(RelaySecurity::Clear, &[lost]).send().await;
    sent.assert("RE_UNCERTAIN.", Delivered::Unknown, false, Some("4.4.2"));
    assert!(!sent.report.summary().relayed());
    assert_eq!(sent.connected, [A]);
}
