//! What is forgotten when there is too much.

use super::super::record;
use super::*;
use crate::route::HostName;
use crate::route::fake::FakeResolver;

struct Memory {
    cache: Cache,
    id: StsId,
    now: Instant,
}

impl Memory {
    async fn new() -> Self {
        let resolver = FakeResolver::new().with("example", "TXT v=STSv1; id=1");
        let name = HostName::parse("example").expect("a name");
        Self {
            cache: Cache::default(),
            id: record::find(&resolver, &name).await.expect("a version"),
            now: Instant::now(),
        }
    }

    /// A second later, a fetch has come to this.
    fn fetched(&mut self, name: &str, result: Result<&str, FetchError>) {
        self.now += Duration::from_secs(1);
        let result = match result {
            Ok(text) => StsPolicy::parse(text.as_bytes()).map_err(Failure::from),
            Err(error) => Err(error.into()),
        };
        let _ = self
            .cache
            .fetched(&domain(name), self.id.clone(), result, self.now);
    }

    /// A second later, a delivery asks.
    fn known(&mut self, name: &str) -> Option<StsFinding> {
        self.now += Duration::from_secs(1);
        self.cache.known(&domain(name), &self.id, self.now)
    }

    fn knows(&self, name: &str) -> bool {
        self.cache.domains.contains_key(&domain(name))
    }
}

fn domain(name: &str) -> Domain {
    name.parse().expect("a domain")
}

const POLICY: &str = "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 86400\n";

#[tokio::test]
async fn those_go_first_that_were_not_asked_about_for_longest() {
    let mut memory = Memory::new().await;
    for number in 0..MAX_DOMAINS {
        memory.fetched(&format!("a{number}.example"), Ok(POLICY));
    }
    assert!(matches!(memory.known("a0.example"), Some(StsFinding::Policy(_))));
    let gone = memory.cache.without_record(
        &domain("a2.example"),
        &RecordError::Absent,
        memory.now,
        memory.now,
    );
    assert!(gone.policy().is_some());
    for number in 0..3 {
        memory.fetched(&format!("b{number}.example"), Ok(POLICY));
    }
    assert_eq!(memory.cache.domains.len(), MAX_DOMAINS);
    let known = ["a0", "a1", "a2", "a3", "a4", "a5", "b0", "b1", "b2"]
        .map(|name| memory.knows(&format!("{name}.example")));
    assert_eq!(known, [true, false, true, false, false, true, true, true, true]);
}

#[tokio::test]
async fn failures_and_policies_that_have_ended_go_before_policies() {
    let mut memory = Memory::new().await;
    memory.fetched("policy.example", Ok(POLICY));
    memory.fetched("ended.example", Ok(&POLICY.replace("86400", "1")));
    for number in 0..MAX_DOMAINS {
        memory.fetched(&format!("a{number}.example"), Err(FetchError::NoAddress));
    }
    assert_eq!(memory.cache.domains.len(), MAX_DOMAINS);
    assert!(memory.knows("policy.example"));
    assert!(!memory.knows("ended.example") && !memory.knows("a0.example"));
    assert!(memory.knows("a999.example"));
}

#[tokio::test]
async fn large_policies_have_a_limit_together() {
    let mut memory = Memory::new().await;
    let line = format!("mx:{}.{}\n", "a".repeat(30), "b".repeat(30));
    let lines = line.repeat(1_000);
    let large = POLICY.replace("mx: mx.example.com\n", &lines);
    assert!(large.len() < 64 * 1024 + 64);
    memory.fetched("small.example", Ok(POLICY));
    let weight = StsPolicy::parse(large.as_bytes()).expect("a policy").weight();
    let room = MAX_WEIGHT / weight;
    for number in 0..room {
        memory.fetched(&format!("a{number}.example"), Ok(&large));
    }
    assert!(memory.knows("small.example") && memory.knows("a0.example"));
    memory.fetched("more.example", Ok(&large));
    assert!(memory.cache.weight() <= MAX_WEIGHT);
    assert!(!memory.knows("small.example") && !memory.knows("a0.example"));
    assert!(memory.knows("a1.example") && memory.knows("more.example"));
}
