//! The rules of looking up, fetching and remembering, by paused time.

use super::*;
use crate::route::fake::FakeResolver;
use crate::route::{Lookup, RecordType};
use futures_util::FutureExt;
use std::collections::VecDeque;
use tokio::time::advance;

const DOMAIN: &str = "example.com";
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

fn domain(name: &str) -> Domain {
    name.parse().expect("a domain")
}

fn just_before(time: Duration) -> Duration {
    time.saturating_sub(SECOND)
}

fn text(mode: &str, mx: &str, max_age: Duration) -> String {
    format!(
        "version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: {}\n",
        max_age.as_secs()
    )
}

fn parsed(text: &str) -> Arc<StsPolicy> {
    Arc::new(StsPolicy::parse(text.as_bytes()).expect("a policy"))
}

/// A DNS in which the record of [`DOMAIN`] says this version.
fn says(id: &str) -> FakeResolver {
    record(&format!("TXT v=STSv1; id={id};"))
}

fn record(record: &str) -> FakeResolver {
    FakeResolver::new().with("_mta-sts.example.com", record)
}

/// An answer, and how long it takes.
type Late = (Duration, Result<String, FetchError>);

/// Gives one answer after another, each after this time, and fails the test when there is none left.
#[derive(Clone, Debug, Default)]
struct Answers {
    left: Arc<Mutex<VecDeque<Late>>>,
    hosts: Arc<Mutex<Vec<String>>>,
}

impl Answers {
    fn new() -> Self {
        Self::default()
    }

    fn then(self, answer: Result<String, FetchError>) -> Self {
        self.after(Duration::ZERO, answer)
    }

    fn after(self, wait: Duration, answer: Result<String, FetchError>) -> Self {
        self.left.lock().unwrap().push_back((wait, answer));
        self
    }

    fn left(&self) -> usize {
        self.left.lock().unwrap().len()
    }
}

impl FetchPolicy for Answers {
    fn fetch<'a>(&'a self, host: &'a HostName) -> Fetching<'a> {
        self.hosts.lock().unwrap().push(host.to_string());
        let answer = self.left.lock().unwrap().pop_front();
        let (wait, answer) = answer.expect("one fetch less");
        Box::pin(async move {
            tokio::time::sleep(wait).await;
            answer.map(Bytes::from)
        })
    }
}

/// A DNS that does not answer at all.
#[derive(Clone, Debug)]
struct Mute;

impl Resolver for Mute {
    fn query<'a>(&'a self, _name: &'a str, _record_type: RecordType) -> Lookup<'a> {
        Box::pin(std::future::pending())
    }
}

struct Known(MtaSts);

impl Known {
    async fn ask(&self, resolver: &(impl Resolver + Clone + 'static), answers: &Answers) -> StsFinding {
        self.ask_for(DOMAIN, resolver, answers).await
    }

    async fn ask_for(
        &self,
        name: &str,
        resolver: &(impl Resolver + Clone + 'static),
        answers: &Answers,
    ) -> StsFinding {
        let resolver: Arc<dyn Resolver> = Arc::new(resolver.clone());
        let answers: Arc<dyn FetchPolicy> = Arc::new(answers.clone());
        self.0.policy(&resolver, &answers, &domain(name)).await
    }

    /// With a policy of version 1.
    async fn with(text: &str) -> Self {
        let known = Self(MtaSts::new());
        let answers = Answers::new().then(Ok(text.to_owned()));
        let finding = known.ask(&says("1"), &answers).await;
        assert_eq!(finding, StsFinding::Policy(parsed(text)));
        known
    }
}

fn kept(text: &str, problem: &str) -> StsFinding {
    StsFinding::Kept {
        policy: parsed(text),
        problem: format!("{problem}; the policy that is remembered still holds"),
    }
}

fn none(problem: &str) -> StsFinding {
    StsFinding::NoPolicy {
        problem: Some(problem.to_owned()),
    }
}

const NOTHING: StsFinding = StsFinding::NoPolicy { problem: None };
const FAILED_404: &str = "the policy host answered 404";

#[tokio::test(start_paused = true)]
async fn the_policy_host_is_asked_for_a_domain_with_a_record() {
    let policy = text("enforce", "mx.example.com", HOUR);
    let resolver = FakeResolver::new().with("_mta-sts.xn--bcher-kva.example", "TXT v=STSv1; id=1");
    let answers = Answers::new().then(Ok(policy.clone()));
    let finding = Known(MtaSts::new())
        .ask_for("bücher.example", &resolver, &answers)
        .await;
    assert_eq!(finding, StsFinding::Policy(parsed(&policy)));
    assert_eq!(*answers.hosts.lock().unwrap(), ["mta-sts.xn--bcher-kva.example"]);
    assert_eq!(resolver.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_record_nothing_is_fetched() {
    let rows = [
        ("TXT nodata", NOTHING),
        ("TXT nxdomain", NOTHING),
        ("TXT v=spf1 -all", NOTHING),
        (
            "TXT fails",
            none("its record could not be looked up: the DNS server answered SERVFAIL"),
        ),
        ("TXT v=STSv1; id=?", none("its record cannot be read")),
    ];
    for (record_text, expected) in rows {
        let finding = Known(MtaSts::new())
            .ask(&record(record_text), &Answers::new())
            .await;
        assert_eq!(finding, expected, "{record_text}");
    }
    let twice = says("1").with("_mta-sts.example.com", "TXT v=STSv1; id=2");
    let finding = Known(MtaSts::new()).ask(&twice, &Answers::new()).await;
    assert_eq!(finding, none("it has more than one record, so that none counts"));
}

/// RFC 1035 allows 253 octets; a domain that is near it has no room for the labels in front.
#[tokio::test(start_paused = true)]
async fn a_domain_too_long_for_a_record_is_not_asked_for() {
    let label = "a".repeat(60);
    let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    assert_eq!("_mta-sts.".len() + longest.len(), 253);
    let known = Known(MtaSts::new());
    let finding = known.ask_for(&longest, &Mute, &Answers::new()).await;
    assert_ne!(finding, NOTHING, "it is asked for, and nobody answers");
    for name in [format!("a{longest}"), format!("{longest}.example")] {
        let finding = known.ask_for(&name, &Mute, &Answers::new()).await;
        assert_eq!(finding, NOTHING, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_remembered_while_its_version_is_the_same() {
    let year = Duration::from_secs(31_557_600);
    for (max_age, fetched_again_after) in [(year, 24 * HOUR), (24 * HOUR, 12 * HOUR), (MINUTE, MINUTE / 2)] {
        let old = text("enforce", "old.example.com", max_age);
        let new = text("enforce", "new.example.com", max_age);
        let known = Known::with(&old).await;
        advance(just_before(fetched_again_after)).await;
        let finding = known.ask(&says("1"), &Answers::new()).await;
        assert_eq!(finding, StsFinding::Policy(parsed(&old)));

        // Before it ends, so that an attacker has to keep it from being fetched for long.
        advance(SECOND).await;
        let answers = Answers::new().then(Ok(new.clone()));
        let finding = known.ask(&says("1"), &answers).await;
        assert_eq!(finding, StsFinding::Policy(parsed(&new)));
        assert_eq!(answers.left(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_cannot_be_renewed_holds_until_its_end() {
    let policy = text("enforce", "mx.example.com", HOUR);
    let known = Known::with(&policy).await;
    advance(just_before(HOUR)).await;
    let answers = Answers::new().then(Err(FetchError::Status(404)));
    let finding = known.ask(&says("1"), &answers).await;
    assert_eq!(finding, kept(&policy, FAILED_404));

    advance(SECOND).await;
    assert_eq!(known.ask(&says("1"), &answers).await, none(FAILED_404));
    advance(5 * MINUTE).await;
    let answers = Answers::new().then(Err(FetchError::NoAddress));
    let problem = "the policy host has no address";
    assert_eq!(known.ask(&says("1"), &answers).await, none(problem));
}

#[tokio::test(start_paused = true)]
async fn a_new_version_is_fetched() {
    let old = text("testing", "old.example.com", 24 * HOUR);
    let new = text("enforce", "new.example.com", 24 * HOUR);
    let known = Known::with(&old).await;
    let answers = Answers::new().then(Ok(new.clone()));
    let finding = known.ask(&says("2"), &answers).await;
    assert_eq!(finding, StsFinding::Policy(parsed(&new)));
    let finding = known.ask(&says("2"), &Answers::new()).await;
    assert_eq!(finding, StsFinding::Policy(parsed(&new)));
}

#[tokio::test(start_paused = true)]
async fn a_new_version_that_is_not_to_be_had_leaves_the_old_one() {
    let old = text("enforce", "old.example.com", 24 * HOUR);
    let new = text("enforce", "new.example.com", 24 * HOUR);
    let known = Known::with(&old).await;
    let answers = Answers::new().then(Err(FetchError::Status(404)));
    assert_eq!(known.ask(&says("2"), &answers).await, kept(&old, FAILED_404));
    // Not again for five minutes …
    advance(just_before(5 * MINUTE)).await;
    assert_eq!(known.ask(&says("2"), &answers).await, kept(&old, FAILED_404));
    // … unless it is another version; and that of before is still known.
    let finding = known.ask(&says("1"), &answers).await;
    assert_eq!(finding, StsFinding::Policy(parsed(&old)));
    let answers = answers.then(Ok("<html>".to_owned()));
    let problem = "what was fetched has a line 1 that is not of the form \"name: value\"";
    assert_eq!(known.ask(&says("3"), &answers).await, kept(&old, problem));

    advance(5 * MINUTE).await;
    let answers = answers.then(Ok(new.clone()));
    let finding = known.ask(&says("3"), &answers).await;
    assert_eq!(finding, StsFinding::Policy(parsed(&new)));
    // What failed before is past: nothing is told any more.
    assert_eq!(known.ask(&says("3"), &answers).await.problem(), None);
}

/// An attacker who can suppress the record must not take the policy away.
#[tokio::test(start_paused = true)]
async fn a_policy_outlives_its_record() {
    let rows = [
        ("TXT nodata", "it has no record any more"),
        ("TXT nxdomain", "it has no record any more"),
        ("TXT v=STSv1; no", "its record cannot be read"),
        (
            "TXT silent",
            "its record could not be looked up: no DNS server answered",
        ),
    ];
    for (record_text, problem) in rows {
        let policy = text("enforce", "mx.example.com", HOUR);
        let known = Known::with(&policy).await;
        advance(just_before(HOUR)).await;
        let finding = known.ask(&record(record_text), &Answers::new()).await;
        assert_eq!(finding, kept(&policy, problem), "{record_text}");
        advance(SECOND).await;
        let finding = known.ask(&record(record_text), &Answers::new()).await;
        assert_eq!(finding.policy(), None, "{record_text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_not_repeated_for_five_minutes() {
    let known = Known(MtaSts::new());
    let answers = Answers::new().then(Err(FetchError::Status(404)));
    assert_eq!(known.ask(&says("1"), &answers).await, none(FAILED_404));
    advance(just_before(5 * MINUTE)).await;
    assert_eq!(known.ask(&says("1"), &answers).await, none(FAILED_404));
    // It says nothing of a domain that has taken its record away.
    assert_eq!(known.ask(&FakeResolver::new(), &answers).await, NOTHING);

    advance(SECOND).await;
    let policy = text("enforce", "mx.example.com", HOUR);
    let answers = answers.then(Ok(policy.clone()));
    let finding = known.ask(&says("1"), &answers).await;
    assert_eq!(finding, StsFinding::Policy(parsed(&policy)));
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_this_machine_is_no_failure_of_the_policy_host() {
    let known = Known(MtaSts::new());
    let policy = text("enforce", "mx.example.com", HOUR);
    let answers = Answers::new()
        .then(Err(FetchError::Local("no network".to_owned())))
        .then(Ok(policy.clone()));
    let finding = known.ask(&says("1"), &answers).await;
    let problem = "the policy host was not asked: no network";
    assert_eq!(finding, none(problem));
    let finding = known.ask(&says("1"), &answers).await;
    assert_eq!(finding, StsFinding::Policy(parsed(&policy)));
}

#[tokio::test(start_paused = true)]
async fn a_policy_of_mode_none_is_remembered_and_no_cause_for_alarm() {
    let policy = text("none", "mx.example.com", HOUR);
    let known = Known::with(&policy).await;
    for resolver in [says("1"), FakeResolver::new(), record("TXT fails")] {
        let finding = known.ask(&resolver, &Answers::new()).await;
        assert_eq!(finding, StsFinding::Policy(parsed(&policy)));
    }
    let answers = Answers::new().then(Err(FetchError::TooLarge));
    let finding = known.ask(&says("2"), &answers).await;
    assert_eq!(finding, StsFinding::Policy(parsed(&policy)));
}

#[tokio::test(start_paused = true)]
async fn deliveries_at_once_share_one_fetch() {
    let rows = [
        Ok(text("enforce", "mx.example.com", HOUR)),
        // Not remembered for those who come later, and good for those who are there.
        Ok(text("enforce", "mx.example.com", Duration::ZERO)),
        Err(FetchError::Status(404)),
    ];
    for answer in rows {
        let known = Known(MtaSts::new());
        let answers = Answers::new().after(Duration::from_secs(3), answer.clone());
        let resolver = says("1");
        let (one, other, third) = tokio::join!(
            known.ask(&resolver, &answers),
            known.ask(&resolver, &answers),
            async {
                tokio::time::sleep(Duration::from_secs(2)).await;
                known.ask(&resolver, &answers).await
            }
        );
        assert_eq!(one.policy().is_some(), answer.is_ok());
        assert_eq!((&one, &one), (&other, &third));
        assert_eq!(answers.left(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_must_not_be_remembered_is_not() {
    let policy = text("enforce", "mx.example.com", Duration::ZERO);
    let known = Known::with(&policy).await;
    advance(Duration::from_millis(1)).await;
    assert_eq!(known.ask(&FakeResolver::new(), &Answers::new()).await, NOTHING);
    let answers = Answers::new().then(Ok(policy.clone()));
    let finding = known.ask(&says("1"), &answers).await;
    assert_eq!(finding, StsFinding::Policy(parsed(&policy)));
    assert_eq!(answers.left(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_this_machine_is_shared_by_those_who_wait() {
    let known = Known(MtaSts::new());
    let local = FetchError::Local("the proxy did not answer".to_owned());
    let answers = Answers::new().after(10 * SECOND, Err(local.clone()));
    let resolver = says("1");
    let started = Instant::now();
    let asking = (0..10).map(|_| known.ask(&resolver, &answers));
    let findings = futures_util::future::join_all(asking).await;
    assert_eq!(started.elapsed(), 10 * SECOND);
    assert_eq!(findings, vec![none(&local.to_string()); 10]);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_was_waited_for_in_vain_is_not_looked_up_for_five_minutes() {
    let problem = "its record could not be looked up: no DNS server answered";
    let policy = text("enforce", "mx.example.com", 24 * HOUR);
    let rows = [
        (Known(MtaSts::new()), none(problem)),
        (Known::with(&policy).await, kept(&policy, problem)),
    ];
    for (known, expected) in rows {
        let gave_up = timeout(2 * SECOND, known.ask(&Mute, &Answers::new())).await;
        assert!(gave_up.is_err());
        tokio::time::sleep((RECORD_TIME + 5 * MINUTE).saturating_sub(3 * SECOND)).await;
        let finding = timeout(SECOND, known.ask(&Mute, &Answers::new())).await;
        assert_eq!(finding, Ok(expected));

        advance(SECOND).await;
        let new = text("enforce", "new.example.com", HOUR);
        let answers = Answers::new().then(Ok(new.clone()));
        let finding = known.ask(&says("2"), &answers).await;
        assert_eq!(finding, StsFinding::Policy(parsed(&new)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_gives_up_leaves_its_fetch_to_the_next() {
    let policy = text("enforce", "mx.example.com", HOUR);
    let known = Known(MtaSts::new());
    let answers = Answers::new().after(10 * SECOND, Ok(policy.clone()));
    let resolver = says("1");
    let started = Instant::now();
    let (first, second) = tokio::join!(timeout(2 * SECOND, known.ask(&resolver, &answers)), async {
        tokio::time::sleep(SECOND).await;
        known.ask(&resolver, &answers).await
    });
    assert!(first.is_err());
    assert_eq!(second, StsFinding::Policy(parsed(&policy)));
    assert_eq!(started.elapsed(), 10 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_remembered_though_nobody_waited_for_it() {
    let known = Known(MtaSts::new());
    let answers = Answers::new().after(10 * MINUTE, Err(FetchError::Status(404)));
    let resolver = says("1");
    assert!(timeout(2 * SECOND, known.ask(&resolver, &answers)).await.is_err());
    tokio::time::sleep(FETCH_TIME).await;
    let started = Instant::now();
    let problem = "the policy host did not answer in time";
    assert_eq!(known.ask(&resolver, &answers).await, none(problem));
    assert_eq!(started.elapsed(), Duration::ZERO);
}

/// A fault of a resolver or fetcher must neither hang those who wait nor those who come.
#[tokio::test(start_paused = true)]
async fn a_look_up_that_is_broken_off_leaves_what_is_remembered() {
    let policy = text("enforce", "mx.example.com", HOUR);
    let broken_off = "its look-up was broken off";
    let panics = Answers::new();
    let known = Known(MtaSts::new());
    for _ in 0..2 {
        assert_eq!(known.ask(&says("1"), &panics).await, none(broken_off));
    }
    let known = Known::with(&policy).await;
    for _ in 0..2 {
        assert_eq!(known.ask(&says("2"), &panics).await, kept(&policy, broken_off));
    }
}

#[tokio::test(start_paused = true)]
async fn domains_do_not_wait_for_each_other() {
    let slow = Answers::new().after(10 * MINUTE, Err(FetchError::TooLarge));
    let quick = Answers::new().then(Ok(text("enforce", "mx.example.org", HOUR)));
    let known = Known(MtaSts::new());
    let other_dns = FakeResolver::new().with("_mta-sts.example.org", "TXT v=STSv1; id=1");
    let started = Instant::now();
    let resolver = says("1");
    let (_, took) = tokio::join!(known.ask(&resolver, &slow), async {
        tokio::task::yield_now().await;
        assert_eq!(slow.left(), 0, "the other one is being fetched");
        let finding = known.ask_for("example.org", &other_dns, &quick).await;
        assert!(matches!(finding, StsFinding::Policy(_)));
        started.elapsed()
    });
    assert_eq!(took, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_waited_for_longer_than_its_time() {
    let known = Known(MtaSts::new());
    let started = Instant::now();
    let finding = known.ask(&Mute, &Answers::new()).await;
    let problem = "its record could not be looked up: no DNS server answered";
    assert_eq!(finding, none(problem));
    assert_eq!(started.elapsed(), RECORD_TIME);

    let known = Known(MtaSts::new());
    let started = Instant::now();
    let answers = Answers::new().after(FETCH_TIME + SECOND, Ok(String::new()));
    let finding = known.ask(&says("1"), &answers).await;
    let problem = "the policy host did not answer in time";
    assert_eq!(finding, none(problem));
    assert_eq!(started.elapsed(), FETCH_TIME);
    // That was a failure like any other.
    assert_eq!(known.ask(&says("1"), &answers).await, none(problem));
}

/// Asks for the policies of as many domains, whose DNS is silent, and waits for as long.
async fn flood(known: &Known, domains: usize, patience: Duration) {
    let ask = async |number| {
        let name = format!("d{number}.example");
        let _ = timeout(patience, known.ask_for(&name, &Mute, &Answers::new())).await;
    };
    futures_util::future::join_all((0..domains).map(ask)).await;
}

impl Known {
    /// One place for look-ups that begin, and one for slow ones.
    fn with_two_places() -> (Self, FlightPlaces) {
        let places = FlightPlaces::new(2);
        (Self(MtaSts::with_places(places.clone())), places)
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_up_keeps_its_place_when_nobody_waits_for_it_any_more() {
    let (known, places) = Known::with_two_places();
    let free = || [&places.beginning, &places.slow].map(|places| places.available_permits());
    flood(&known, 1, SECOND).await;
    assert_eq!(free(), [0, 1]);
    tokio::time::sleep(GIVES_WAY).await;
    assert_eq!(free(), [1, 0]);
    assert!(known.0.is_looking_up());
    tokio::time::sleep(RECORD_TIME).await;
    assert_eq!(free(), [1, 1]);
    assert!(!known.0.is_looking_up());
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_for_its_turn_ends_with_those_who_wait_for_it() {
    let (known, places) = Known::with_two_places();
    let place = places.beginning.acquire().await;
    flood(&known, 10, SECOND).await;
    tokio::task::yield_now().await;
    assert!(!known.0.is_looking_up());
    drop(place);
    let policy = text("enforce", "mx.example.com", HOUR);
    let answers = Answers::new().then(Ok(policy.clone()));
    let finding = known.ask(&says("1"), &answers).await;
    assert_eq!(finding, StsFinding::Policy(parsed(&policy)));
}

#[tokio::test(start_paused = true)]
async fn silent_domains_make_room_for_others() {
    let policy = text("enforce", "mx.example.com", HOUR);
    let (known, _) = Known::with_two_places();
    let started = Instant::now();
    let answers = Answers::new().after(SECOND, Ok(policy.clone()));
    let silent = 10;
    let resolver = says("1");
    let ((), (finding, took)) = tokio::join!(flood(&known, silent, 60 * SECOND), async {
        tokio::task::yield_now().await;
        let finding = known.ask(&resolver, &answers).await;
        (finding, started.elapsed())
    });
    assert_eq!(finding, StsFinding::Policy(parsed(&policy)));
    assert_eq!(took, 10 * GIVES_WAY + SECOND);
}

/// A policy host that needs three seconds, beside silent ones that have the places for slow look-ups.
#[tokio::test(start_paused = true)]
async fn who_waits_for_a_slow_policy_has_it_when_there_is_a_place() {
    let policy = text("enforce", "mx.example.com", HOUR);
    let (known, places) = Known::with_two_places();
    let answers = Answers::new()
        .after(3 * SECOND, Ok(policy.clone()))
        .after(3 * SECOND, Ok(policy.clone()));
    let started = Instant::now();
    let resolver = says("1");
    let ((), (finding, took)) = tokio::join!(flood(&known, 1, 60 * SECOND), async {
        tokio::task::yield_now().await;
        let finding = known.ask(&resolver, &answers).await;
        (finding, started.elapsed())
    });
    assert_eq!(finding, StsFinding::Policy(parsed(&policy)));
    assert_eq!(took, RECORD_TIME + 3 * SECOND);
    assert!(
        places.wanted.is_wanted().now_or_never().is_none(),
        "nobody waits any more"
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_nobody_waits_for_gives_its_place_up_first() {
    let policy = text("enforce", "mx.example.com", HOUR);
    let (known, _) = Known::with_two_places();
    flood(&known, 1, SECOND).await;
    tokio::time::sleep(GIVES_WAY).await;
    let answers = Answers::new()
        .after(3 * SECOND, Ok(policy.clone()))
        .after(3 * SECOND, Ok(policy.clone()));
    let started = Instant::now();
    let finding = known.ask(&says("1"), &answers).await;
    assert_eq!(finding, StsFinding::Policy(parsed(&policy)));
    assert_eq!(started.elapsed(), GIVES_WAY + 3 * SECOND);
    assert!(!known.0.is_looking_up());
}

#[tokio::test(start_paused = true)]
async fn a_flood_takes_no_policy_away_that_is_remembered() {
    let policy = text("enforce", "mx.example.com", HOUR);
    let (known, _) = Known::with_two_places();
    let newer = text("enforce", "mx2.example.com", HOUR);
    let answers = Answers::new()
        .then(Ok(policy.clone()))
        .after(10 * SECOND, Ok(newer.clone()));
    known.ask(&says("1"), &answers).await;
    let ((), ()) = tokio::join!(flood(&known, 1, 60 * SECOND), async {
        tokio::task::yield_now().await;
        let resolver = says("2");
        let mut asking = pin!(known.ask(&resolver, &answers));
        let patience = timeout(2 * GIVES_WAY + SECOND, asking.as_mut()).await;
        assert!(patience.is_err(), "there is no place for it");
        let problem = "too many others are looked up at the same time";
        let finding = known.0.without_patience(&domain(DOMAIN));
        assert_eq!(finding, kept(&policy, problem));
    });
    // That was no failure of the policy host's: it is asked again at once.
    let answers = Answers::new().then(Ok(newer.clone()));
    assert_eq!(
        known.ask(&says("2"), &answers).await,
        StsFinding::Policy(parsed(&newer))
    );
}

#[tokio::test(start_paused = true)]
async fn look_ups_under_way_are_bounded() {
    let known = Known::with(&text("enforce", "mx.example.com", HOUR)).await;
    let ((), ()) = tokio::join!(flood(&known, 2 * MAX_FLIGHTS, SECOND), async {
        tokio::task::yield_now().await;
        assert_eq!(lock(&known.0.shared.flights).len(), MAX_FLIGHTS);
        let finding = known.ask_for("example.org", &says("1"), &Answers::new()).await;
        let problem = "too many others are looked up at the same time";
        assert_eq!(finding, none(problem));
        let finding = known.ask(&says("2"), &Answers::new()).await;
        assert_eq!(finding, kept(&text("enforce", "mx.example.com", HOUR), problem));
    });
}

#[test]
fn phrases() {
    let rows = [
        (
            FetchError::Status(301),
            "the policy host answered 301, and a redirect must not be followed",
        ),
        (FetchError::Status(404), "the policy host answered 404"),
        (FetchError::Status(299), "the policy host answered 299"),
        (FetchError::Status(400), "the policy host answered 400"),
    ];
    for (error, phrase) in rows {
        assert_eq!(error.to_string(), phrase);
    }
}
