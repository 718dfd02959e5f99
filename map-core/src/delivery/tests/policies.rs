//! Who demands TLS, and what is sent where it is not to be had.

use super::tls::offers;
use super::*;
use crate::route::Tlsa;

const MX1: &str = "mx1.example.org";
pub(super) const ENFORCE: &str = "version: STSv1\nmode: enforce\nmx: mx1.example.org\nmax_age: 86400\n";
const ENFORCE_OTHER: &str = "version: STSv1\nmode: enforce\nmx: other.example.org\nmax_age: 86400\n";
const TESTING: &str = "version: STSv1\nmode: testing\nmx: mx1.example.org\nmax_age: 86400\n";
const TESTING_OTHER: &str = "version: STSv1\nmode: testing\nmx: other.example.org\nmax_age: 86400\n";
const NONE: &str = "version: STSv1\nmode: none\nmax_age: 86400\n";

impl World {
    /// A world where `mx1` behaves so, and is tried in the clear if that is what comes next.
    fn of(peer: Peer) -> Self {
        Self::new(&[&[(A, peer), (A, GOOD)]])
    }

    /// The records of a host, in a signed zone.
    fn with_tlsa(mut self, host: &str, records: Result<Vec<Tlsa>, LookupError>) -> Self {
        let name = format!("_25._tcp.{host}");
        let records = records.map(|records| records.into_iter().map(Record::Tlsa).collect());
        self.zone.insert(&name, RecordType::Tlsa, records);
        self.zone.secure.extend([name, host.to_owned()]);
        self
    }

    fn with_policy(mut self, policy: Result<&'static str, FetchError>) -> Self {
        let record = Record::Txt(b"v=STSv1; id=1;".to_vec());
        self.zone
            .insert("_mta-sts.example.org", RecordType::Txt, Ok(vec![record]));
        self.policy_host = Some(PolicyHost(policy, Duration::ZERO));
        self
    }

    /// Shares what is known of policies.
    fn knowing(mut self, known: &Arc<MtaSts>) -> Self {
        self.known_policies = Arc::clone(known);
        self
    }

    /// All that could be demanded of this host or of the recipient's domain.
    pub(super) fn with_all_demands(self, host: &str) -> Self {
        let world = self.with_policy(Ok(ENFORCE)).requiring_tls();
        let mut world = world.with_tlsa(host, Ok(good()));
        world.zone.secure.insert("example.org".to_owned());
        world
    }

    fn requiring_tls(mut self) -> Self {
        self.require_tls = true;
        self
    }
}

fn good() -> Vec<Tlsa> {
    vec![Certificate::named("good").tlsa()]
}

fn wrong() -> Vec<Tlsa> {
    vec![Certificate::named("self-signed").tlsa()]
}

fn unusable() -> Vec<Tlsa> {
    let pkix_only = Tlsa {
        usage: 1,
        ..Certificate::named("good").tlsa()
    };
    vec![pkix_only]
}

/// What hosts do when they are asked for TLS.
const NOT_OFFERED: &str = "not offered";
const REFUSED: &str = "refused";
const HOSTS: [&str; 8] = [
    NOT_OFFERED,
    REFUSED,
    "hangs",
    "breaks",
    "self-signed",
    "wrong-name",
    "expired",
    "good",
];

fn host(how: &str) -> Peer {
    match how {
        NOT_OFFERED => GOOD,
        REFUSED => Peer::Says(&[
            "220 r",
            "250-h|250 STARTTLS",
            "454 4.7.0 not now",
            "250 m",
            "250 r",
            "354 d",
            "250 ok",
            "221 b",
        ]),
        how => offers(how),
    }
}

/// How a mail went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Went {
    /// In the clear.
    Clear,
    /// Not at all: 4.7.5.
    Not,
    /// Over TLS.
    Tls(Verified),
}

#[track_caller]
fn assert_went(sent: &Sent, went: Went, policy: Option<TlsPolicy>, row: &str) {
    let summary = sent.report.summary();
    assert_eq!(summary.policy(), policy, "{row}");
    let mails = match went {
        Went::Clear => [1, 0],
        Went::Not => [0, 0],
        Went::Tls(_) => [0, 1],
    };
    assert_eq!(sent.mails(), mails, "{row}: {:?}", sent.heard);
    let verified = summary.tls().map(|facts| facts.verified);
    match went {
        Went::Clear => {
            sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
            assert_eq!(verified, None, "{row}");
        }
        Went::Not => {
            assert_eq!(sent.report.reply(), &MapReply::ServerUnreach, "{row}");
            let said_by_server = summary.code().is_some();
            assert_eq!(said_by_server, row.starts_with(REFUSED), "{row}");
            sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.7.5"));
            assert_eq!(verified, None, "{row}");
        }
        Went::Tls(how) => {
            sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
            assert_eq!(verified, Some(how), "{row}");
        }
    }
}

/// One row for each host, by what it must come to.
async fn table(world: impl Fn(Peer) -> World, policy: Option<TlsPolicy>, rows: [Went; 8]) {
    for (how, went) in HOSTS.into_iter().zip(rows) {
        let sent = world(host(how)).send().await;
        assert_went(&sent, went, policy, how);
        if policy.is_some() && went == Went::Not {
            assert_eq!(sent.connected, [A], "{how}: no try in the clear");
        }
    }
}

const UNVERIFIED: Went = Went::Tls(Verified::No);
const PKIX: Went = Went::Tls(Verified::Pkix);
const DANE: Went = Went::Tls(Verified::Dane);

#[tokio::test(start_paused = true)]
async fn without_a_policy_mail_goes() {
    use Went::Clear;
    let rows = [
        Clear, Clear, Clear, Clear, UNVERIFIED, UNVERIFIED, UNVERIFIED, UNVERIFIED,
    ];
    table(World::of, None, rows).await;
}

#[tokio::test(start_paused = true)]
async fn required_tls_is_verified_or_nothing_is_sent() {
    use Went::Not;
    let rows = [Not, Not, Not, Not, Not, Not, Not, PKIX];
    table(
        |peer| World::of(peer).requiring_tls(),
        Some(TlsPolicy::Required),
        rows,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn dane_wants_the_certificate_of_the_record_whatever_else_is_wrong_with_it() {
    use Went::Not;
    let matching = |how: &'static str| {
        move |peer| World::of(peer).with_tlsa(MX1, Ok(vec![Certificate::named(how).tlsa()]))
    };
    let rows = [Not, Not, Not, Not, Not, Not, Not, DANE];
    table(matching("good"), Some(TlsPolicy::Dane), rows).await;
    let rows = [Not, Not, Not, Not, DANE, Not, Not, Not];
    table(matching("self-signed"), Some(TlsPolicy::Dane), rows).await;
    let rows = [Not, Not, Not, Not, Not, DANE, Not, Not];
    table(matching("wrong-name"), Some(TlsPolicy::Dane), rows).await;
    let rows = [Not, Not, Not, Not, Not, Not, DANE, Not];
    table(matching("expired"), Some(TlsPolicy::Dane), rows).await;
}

#[tokio::test(start_paused = true)]
async fn unusable_records_want_tls_of_any_kind() {
    use Went::Not;
    let world = |peer| World::of(peer).with_tlsa(MX1, Ok(unusable()));
    let rows = [Not, Not, Not, Not, UNVERIFIED, UNVERIFIED, UNVERIFIED, UNVERIFIED];
    table(world, Some(TlsPolicy::Dane), rows).await;
    // Verified or nothing: they verify nothing.
    let rows = [Not, Not, Not, Not, Not, Not, Not, PKIX];
    table(
        |peer| world(peer).requiring_tls(),
        Some(TlsPolicy::Required),
        rows,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn mta_sts_that_is_enforced_wants_a_verified_certificate() {
    use Went::Not;
    let rows = [Not, Not, Not, Not, Not, Not, Not, PKIX];
    table(
        |peer| World::of(peer).with_policy(Ok(ENFORCE)),
        Some(TlsPolicy::MtaSts),
        rows,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn mta_sts_in_testing_delivers_and_says_what_would_have_failed() {
    for how in HOSTS {
        let sent = World::of(host(how)).with_policy(Ok(TESTING)).send().await;
        let (went, warning) = match how {
            "good" => (PKIX, None),
            "self-signed" | "wrong-name" | "expired" => (UNVERIFIED, Some("and that of mx1.example.org ")),
            _ => (
                Went::Clear,
                Some("demands TLS, and the session with mx1.example.org was in the clear"),
            ),
        };
        assert_went(&sent, went, None, how);
        let warnings = sent.report.warnings();
        let warned = warnings
            .iter()
            .filter(|said| said.contains("is in testing"))
            .count();
        assert_eq!(warned, usize::from(warning.is_some()), "{how}: {warnings:?}");
        if let Some(warning) = warning {
            assert!(
                warnings.iter().any(|said| said.contains(warning)),
                "{how}: {warnings:?}"
            );
        }
    }
    let sent = World::of(offers("good"))
        .with_policy(Ok(TESTING_OTHER))
        .send()
        .await;
    assert_went(&sent, PKIX, None, "good");
    let warnings = sent.report.warnings();
    assert!(
        warnings[0].contains("it does not name mx1.example.org"),
        "{warnings:?}"
    );
}

/// No connection is needed to see that a host must not be used.
#[tokio::test(start_paused = true)]
async fn a_host_that_is_ruled_out_is_skipped_for_the_next() {
    let servfail = || Err(LookupError::Failed("SERVFAIL".to_owned()));
    let two = || World::new(&[&[(A, offers("good"))], &[(B, offers("good"))]]);
    let mut bogus = World::of(offers("good")).with_tlsa(MX1, Ok(good()));
    bogus
        .zone
        .bogus
        .insert((format!("_25._tcp.{MX1}"), RecordType::Tlsa));
    let rows = [
        (
            "SERVFAIL",
            World::of(offers("good")).with_tlsa(MX1, servfail()),
            TlsPolicy::Dane,
        ),
        ("bogus", bogus, TlsPolicy::Dane),
        (
            "mismatch",
            World::of(offers("good")).with_policy(Ok(ENFORCE_OTHER)),
            TlsPolicy::MtaSts,
        ),
        (
            "SERVFAIL, and a policy that would do",
            World::of(offers("good"))
                .with_tlsa(MX1, servfail())
                .with_policy(Ok(ENFORCE)),
            TlsPolicy::Dane,
        ),
    ];
    for (row, world, policy) in rows {
        let sent = world.send().await;
        assert_went(&sent, Went::Not, Some(policy), row);
        assert_eq!(sent.connected, [""; 0], "{row}");
        let attempt = &sent.report.attempts()[0];
        assert_eq!((attempt.stage(), attempt.policy()), (Stage::Route, Some(policy)));
        let advice = sent.report.summary().advice();
        assert!(advice.contains(MX1), "{advice}");
    }
    let sent = two().with_tlsa(MX1, servfail()).send().await;
    assert_went(&sent, UNVERIFIED, None, "the second host");
    assert_eq!(sent.connected, [B]);
    assert_eq!(sent.report.attempts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn dane_goes_before_mta_sts_and_is_not_rescued_by_it() {
    // The policy does not name the host, and nobody asks it.
    let sent = World::of(offers("wrong-name"))
        .with_tlsa(MX1, Ok(vec![Certificate::named("wrong-name").tlsa()]))
        .with_policy(Ok(ENFORCE_OTHER))
        .send()
        .await;
    assert_went(&sent, DANE, Some(TlsPolicy::Dane), "DANE");
    // The policy would be content.
    let sent = World::of(offers("good"))
        .with_tlsa(MX1, Ok(wrong()))
        .with_policy(Ok(ENFORCE))
        .send()
        .await;
    assert_went(&sent, Went::Not, Some(TlsPolicy::Dane), "mismatch");
    let sent = World::of(offers("expired"))
        .with_tlsa(MX1, Ok(unusable()))
        .with_policy(Ok(ENFORCE))
        .send()
        .await;
    assert_went(&sent, UNVERIFIED, Some(TlsPolicy::Dane), "unusable");
    // Each host by itself: the second has no records.
    let sent = World::new(&[&[(A, offers("good"))], &[(B, offers("good"))]])
        .with_tlsa(MX1, Ok(wrong()))
        .with_policy(Ok(
            "version: STSv1\nmode: enforce\nmx: mx2.example.org\nmax_age: 86400\n",
        ))
        .send()
        .await;
    assert_went(&sent, PKIX, Some(TlsPolicy::MtaSts), "the second host");
    assert_eq!(sent.connected, [A, B]);
}

#[tokio::test(start_paused = true)]
async fn mta_sts_is_named_before_the_setting_that_asks_for_the_same() {
    let sent = World::of(offers("good"))
        .with_policy(Ok(ENFORCE))
        .requiring_tls()
        .send()
        .await;
    assert_went(&sent, PKIX, Some(TlsPolicy::MtaSts), "both");
    let sent = World::of(offers("expired"))
        .with_policy(Ok(TESTING))
        .requiring_tls()
        .send()
        .await;
    assert_went(&sent, Went::Not, Some(TlsPolicy::Required), "testing");
    let sent = World::of(offers("good"))
        .with_tlsa(MX1, Ok(good()))
        .requiring_tls()
        .send()
        .await;
    assert_went(&sent, DANE, Some(TlsPolicy::Dane), "DANE proves it, too");
}

/// Both mails have a deadline that comes before the look-up of a policy host that is silent ends.
#[tokio::test(start_paused = true)]
async fn a_silent_policy_host_leaves_a_mail_most_of_its_time() {
    let known = Arc::new(MtaSts::new());
    let world = || {
        let mut world = World::of(host("good")).with_policy(Ok(ENFORCE)).knowing(&known);
        world.policy_host = Some(PolicyHost(Ok(ENFORCE), Duration::from_secs(600)));
        world.deadline = Some(Duration::from_secs(9));
        world
    };
    let could_not = "the MTA-STS policy of example.org could not be had: ";
    let rows = [
        (3, "there was no time left to wait for it"),
        (0, "the policy host did not answer in time"),
    ];
    for (waited, problem) in rows {
        let started = Instant::now();
        let sent = world().send().await;
        assert_eq!(started.elapsed(), Duration::from_secs(waited));
        assert_went(&sent, UNVERIFIED, None, problem);
        assert_eq!(sent.report.warnings(), [format!("{could_not}{problem}")]);
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}

/// The look-up of a policy has a place of its own.
#[tokio::test(start_paused = true)]
async fn a_policy_is_waited_for_without_a_place_that_others_want() {
    let places = Places::with(1, 1, 1);
    let mut world = World::of(host("good")).with_policy(Ok(ENFORCE));
    world.policy_host = Some(PolicyHost(Ok(ENFORCE), Duration::from_secs(600)));
    world.places = places.clone();
    let mut sending = std::pin::pin!(world.send());
    let second = tokio::time::timeout(Duration::from_secs(1), sending.as_mut()).await;
    assert!(second.is_err(), "it waits for the policy");
    let other = places.of_a_send();
    let mut limits = Limits {
        cancel: CancelSignal::default(),
        total: None,
        content_start: Instant::now() + Duration::from_secs(300),
    };
    let started = Instant::now();
    let looking_up = other.look_up(&mut limits, |_| std::future::ready(7));
    tokio::select! {
        biased;
        _ = sending => panic!("it waits for the policy"),
        found = looking_up => assert_eq!(found, Ok(7)),
    }
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_remembered_policy_stands_where_there_is_no_time_for_the_current_one() {
    let known = Arc::new(MtaSts::new());
    let world = || {
        World::of(host(NOT_OFFERED))
            .with_policy(Ok(ENFORCE))
            .knowing(&known)
    };
    assert_went(
        &world().send().await,
        Went::Not,
        Some(TlsPolicy::MtaSts),
        "fetched",
    );
    let mut newer = world();
    let record = Record::Txt(b"v=STSv1; id=2;".to_vec());
    newer
        .zone
        .insert("_mta-sts.example.org", RecordType::Txt, Ok(vec![record]));
    newer.policy_host = Some(PolicyHost(Ok(NONE), Duration::from_secs(600)));
    newer.deadline = Some(Duration::from_secs(9));
    let sent = newer.send().await;
    assert_went(&sent, Went::Not, Some(TlsPolicy::MtaSts), "remembered");
    let followed = "the remembered MTA-STS policy of example.org was followed, ";
    assert!(sent.report.warnings()[0].starts_with(followed));
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_none_or_cannot_be_had_demands_nothing() {
    let sent = World::of(host(NOT_OFFERED)).with_policy(Ok(NONE)).send().await;
    assert_went(&sent, Went::Clear, None, "none");
    assert_eq!(sent.report.warnings(), [""; 0]);
    let sent = World::of(host(NOT_OFFERED))
        .with_policy(Err(FetchError::Status(404)))
        .send()
        .await;
    assert_went(&sent, Went::Clear, None, "404");
    let warnings = sent.report.warnings();
    assert!(
        warnings[0].starts_with("the MTA-STS policy of example.org could not be had: ")
            && warnings.len() == 1,
        "{warnings:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_trust_anchor_vouches_for_the_recipients_domain_only_if_the_mx_set_is_proved() {
    // The certificate carries the names of hosts, and not of mail.example.net, which is the MX host here.
    let world = |proved: bool| {
        let mut world = World::new(&[&[(A, offers("good"))]]);
        let mx = Record::Mx {
            preference: 1,
            exchange: "mail.example.net".to_owned(),
        };
        let address = Record::Address(A.parse().expect("an address"));
        world.zone.insert("mx1.example.org", RecordType::Mx, Ok(vec![mx]));
        world
            .zone
            .insert("mail.example.net", RecordType::A, Ok(vec![address]));
        if proved {
            world.zone.secure.insert(MX1.to_owned());
        }
        world.recipient = "bob@mx1.example.org";
        world.with_tlsa("mail.example.net", Ok(vec![Certificate::anchor()]))
    };
    let sent = world(true).send().await;
    assert_went(&sent, DANE, Some(TlsPolicy::Dane), "proved");
    let sent = world(false).send().await;
    assert_went(&sent, Went::Not, Some(TlsPolicy::Dane), "not proved");
}

#[tokio::test(start_paused = true)]
async fn records_that_nobody_signed_bind_nobody() {
    let mut world = World::of(host(NOT_OFFERED)).with_tlsa(MX1, Ok(good()));
    world.zone.secure.clear();
    let sent = world.send().await;
    assert_went(&sent, Went::Clear, None, "unsigned");
    assert!(!sent.asked.iter().any(|(_, asked)| *asked == RecordType::Tlsa));
}

#[tokio::test(start_paused = true)]
async fn a_forged_mx_set_is_not_used() {
    let mut world = World::of(offers("good"));
    world
        .zone
        .bogus
        .insert(("example.org".to_owned(), RecordType::Mx));
    let sent = world.send().await;
    sent.assert("RE_DNS_FAIL: <example.org>.", Delivered::No, true, Some("4.4.3"));
    assert_eq!(sent.connected, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn where_validation_cannot_work_mail_goes_and_the_report_says_so_once() {
    let world = |why: NotValidating| {
        let mut world = World::new(&[&[(A, Peer::Says(&["421 busy"]))], &[(B, host(NOT_OFFERED))]])
            .with_tlsa("mx2.example.org", Ok(good()));
        world.zone.validation = Validation::Off(why);
        world
    };
    let warning = "DNSSEC cannot be validated here, so DANE was not used: the DNS server leaves signatures out; \
                   use one that supports DNSSEC";
    let sent = world(NotValidating::NoSignatures).send().await;
    assert_went(&sent, Went::Clear, None, "stripped");
    assert_eq!(sent.report.warnings(), [warning]);
    // A world of loopback has no root, and needs not be told.
    let mut lab = world(NotValidating::NoSignatures);
    lab.policy.allow_loopback = true;
    assert_eq!(lab.send().await.report.warnings(), [warning]);
    let mut lab = world(NotValidating::Refused("REFUSED".to_owned()));
    lab.policy.allow_loopback = true;
    assert_eq!(lab.send().await.report.warnings(), [""; 0]);
    let sent = world(NotValidating::Refused("REFUSED".to_owned())).send().await;
    assert_eq!(sent.report.warnings().len(), 1);
    // Switched off: nobody asks, and nobody wonders.
    let mut off = world(NotValidating::NoSignatures);
    off.dane = false;
    assert_eq!(off.send().await.report.warnings(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn signatures_that_stop_between_the_mx_set_and_a_host_are_missed_in_the_report_once() {
    let busy = Peer::Says(&["421 busy"]);
    let mut world = World::new(&[&[(A, busy)], &[(B, host(NOT_OFFERED))]])
        .with_tlsa(MX1, Ok(good()))
        .with_policy(Ok(TESTING));
    world.zone.stripped_after = Some((MX1.to_owned(), RecordType::A));
    let sent = world.send().await;
    assert_went(&sent, Went::Clear, None, "stripped");
    let warnings = sent.report.warnings().iter();
    let warned = warnings.filter(|said| said.starts_with("DNSSEC cannot be validated here"));
    assert_eq!(warned.count(), 1, "{:?}", sent.report.warnings());
}

#[tokio::test(start_paused = true)]
async fn a_forged_address_of_a_host_that_has_none_is_not_used() {
    let forged = |hosts: &[&[(&str, Peer)]]| {
        let mut world = World::new(hosts);
        world.zone.without_address.insert(MX1.to_owned());
        world
    };
    let sent = forged(&[&[(A, offers("good"))]]).send().await;
    sent.assert("RE_DNS_FAIL: <example.org>.", Delivered::No, false, Some("5.1.2"));
    assert_eq!(sent.connected, [""; 0]);
    let sent = forged(&[&[(A, offers("good"))], &[(B, GOOD)]]).send().await;
    assert_went(&sent, Went::Clear, None, "the second host");
    assert_eq!(sent.connected, [B]);
    assert_eq!(
        sent.report.attempts()[0].detail(),
        "its mail exchanger has no address"
    );
    // The domain's own address, where there is no MX record.
    let mut implicit = forged(&[&[(A, GOOD)]]);
    implicit.recipient = "bob@mx1.example.org";
    let sent = implicit.send().await;
    sent.assert(
        "RE_DNS_FAIL: <mx1.example.org>.",
        Delivered::No,
        false,
        Some("5.1.2"),
    );
    assert_eq!(
        sent.report.attempts()[0].detail(),
        "it has neither a mail exchanger nor an address"
    );
    // A proxy may know of an address where the DNS here has none.
    let mut proxied = forged(&[&[]]);
    proxied.network.proxied = true;
    proxied.network.names = [(MX1, GOOD)].into_iter().collect();
    let sent = proxied.send().await;
    sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
    assert_eq!(sent.named, [MX1]);
}

#[tokio::test(start_paused = true)]
async fn dane_that_is_switched_off_is_not_asked_for() {
    let mut world = World::of(host(NOT_OFFERED)).with_tlsa(MX1, Ok(good()));
    world.dane = false;
    let sent = world.send().await;
    assert_went(&sent, Went::Clear, None, "off");
    assert!(!sent.asked.iter().any(|(_, asked)| *asked == RecordType::Tlsa));
}

#[tokio::test(start_paused = true)]
async fn an_address_literal_has_no_policy_but_the_setting() {
    let world = |how| {
        let mut world = World::of(host(how)).with_policy(Ok(ENFORCE));
        world.recipient = "bob@[192.0.2.1]";
        world
    };
    let sent = world("expired").send().await;
    assert_went(&sent, UNVERIFIED, None, "literal");
    assert_eq!(sent.asked, []);
    let sent = world("good").requiring_tls().send().await;
    assert_went(&sent, PKIX, Some(TlsPolicy::Required), "literal");
    let sent = world("wrong-name").requiring_tls().send().await;
    assert_went(&sent, Went::Not, Some(TlsPolicy::Required), "literal");
}

#[tokio::test(start_paused = true)]
async fn an_attacker_who_writes_into_the_handshake_gains_nothing_where_tls_is_demanded() {
    let injects = Peer::Says(&["220 r", "250-h|250 STARTTLS", "220 go|250 injected", "hang"]);
    let sent = World::of(injects).requiring_tls().send().await;
    assert_went(&sent, Went::Not, Some(TlsPolicy::Required), "injected");
    assert_eq!(sent.connected, [A]);
}

/// A negative after the answer to EHLO, before STARTTLS is said, is nobody's refusal for good.
#[tokio::test(start_paused = true)]
async fn a_negative_that_nobody_asked_for_does_not_settle_where_tls_is_demanded() {
    let injects = || Peer::Says(&["220 r", "250-h|250 STARTTLS|550 5.7.1 injected", "221 b"]);
    let sent = World::of(injects()).with_policy(Ok(ENFORCE)).send().await;
    sent.assert("RE_SERVICE_DENIED.", Delivered::No, true, Some("5.7.1"));
    let two = World::new(&[&[(A, injects())], &[(B, offers("good"))]]);
    let sent = two.requiring_tls().send().await;
    assert_went(&sent, PKIX, Some(TlsPolicy::Required), "the next host");
    assert_eq!(sent.connected, [A, B]);
}

#[tokio::test(start_paused = true)]
async fn a_demand_is_taken_to_every_address_and_every_host() {
    let sent = World::new(&[
        &[(A, host(NOT_OFFERED)), (A6, offers("expired"))],
        &[(B, host(REFUSED)), (C, offers("good"))],
    ])
    .requiring_tls()
    .send()
    .await;
    assert_went(&sent, PKIX, Some(TlsPolicy::Required), "the last address");
    assert_eq!(sent.connected, [A, A6, B, C]);
    let details: Vec<&str> = sent
        .report
        .attempts()
        .iter()
        .map(super::Attempt::detail)
        .collect();
    assert_eq!(details[0], "does not offer STARTTLS; TLS is required (required)");
    assert_eq!(
        details[2],
        "refused STARTTLS: \"454 4.7.0 not now\"; TLS is required (required)"
    );
    assert!(
        details[1].ends_with("; TLS is required (required)"),
        "{details:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_sentence_names_host_policy_and_what_is_wrong() {
    let rows: [(World, &[&str]); 4] = [
        (
            World::of(offers("good")).with_tlsa(MX1, Ok(wrong())),
            &[MX1, "DANE", "certificate"],
        ),
        (
            World::of(host(NOT_OFFERED)).with_policy(Ok(ENFORCE)),
            &[MX1, "MTA-STS policy of example.org", "does not offer STARTTLS"],
        ),
        (
            World::of(offers("hangs")).requiring_tls(),
            &[
                MX1,
                "verified TLS is required",
                "did not answer in time in the TLS handshake",
            ],
        ),
        (
            World::of(host(NOT_OFFERED)).with_policy(Ok(ENFORCE_OTHER)),
            &[MX1, "which the MTA-STS policy of example.org does not name"],
        ),
    ];
    for (world, words) in rows {
        let sent = world.send().await;
        let advice = sent.report.summary().advice();
        for word in words {
            assert!(advice.contains(word), "{word:?} in {advice}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_trusts_no_authority_is_told_so_and_no_host_is_blamed() {
    let mut world = World::of(offers("good")).requiring_tls();
    world.tls = TlsSettings::default().without_platform_roots();
    let sent = world.send().await;
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, false, Some("5.7.5"));
    assert_eq!(sent.mails(), [0, 0]);
    let advice = sent.report.summary().advice();
    assert!(
        advice.contains("this machine trusts no certificate authority") && !advice.contains("administrator"),
        "{advice}"
    );
    // DANE needs none.
    let mut world = World::of(offers("good")).with_tlsa(MX1, Ok(good()));
    world.tls = TlsSettings::default().without_platform_roots();
    assert_went(&world.send().await, DANE, Some(TlsPolicy::Dane), "no roots");
}

/// What is skipped was not connected to, and says nothing of the port.
#[tokio::test(start_paused = true)]
async fn a_host_that_is_ruled_out_does_not_keep_port_25_from_being_asked_about() {
    let refused = Peer::Later(io::ErrorKind::ConnectionRefused);
    let sent = World::new(&[&[(A, offers("good"))], &[(B, refused)]])
        .with_tlsa(MX1, Err(LookupError::Failed("SERVFAIL".to_owned())))
        .send()
        .await;
    assert_eq!(sent.connected, [B]);
    assert!(sent.report.port25().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_remembered_holds_while_the_current_one_cannot_be_had() {
    let known = Arc::new(MtaSts::new());
    let first = World::of(offers("good")).with_policy(Ok(ENFORCE)).knowing(&known);
    assert_went(&first.send().await, PKIX, Some(TlsPolicy::MtaSts), "first");
    let mut second = World::of(host(NOT_OFFERED))
        .with_policy(Err(FetchError::TimedOut))
        .knowing(&known);
    let newer = Record::Txt(b"v=STSv1; id=2;".to_vec());
    second
        .zone
        .insert("_mta-sts.example.org", RecordType::Txt, Ok(vec![newer]));
    let sent = second.send().await;
    assert_went(&sent, Went::Not, Some(TlsPolicy::MtaSts), "second");
    let warnings = sent.report.warnings();
    assert!(
        warnings[0].starts_with("the remembered MTA-STS policy of example.org was followed"),
        "{warnings:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_dns_about_tlsa_records_is_not_asked_for_ever() {
    let hosts: [&[(&str, Peer)]; 7] = [&[(A, GOOD)]; 7];
    let mut world = World::new(&hosts);
    for number in 1..=6 {
        world = world.with_tlsa(&format!("mx{number}.example.org"), Err(LookupError::NoAnswer));
    }
    let sent = world.send().await;
    assert_eq!(sent.report.attempts().len(), 5);
    sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.7.5"));
}
