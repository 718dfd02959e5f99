use super::*;
use proptest::prelude::*;

fn host(name: &str) -> HostName {
    HostName::parse(name).expect("a host name")
}

fn policy(mode: StsMode, mx: &[&str], seconds: u64) -> StsPolicy {
    StsPolicy {
        mode,
        mx: mx.iter().map(|mx| mx.parse().expect("a pattern")).collect(),
        max_age: Duration::from_secs(seconds),
    }
}

#[test]
fn policies() {
    let enforced = policy(StsMode::Enforce, &["mx.example.com"], 86_400);
    let rows = [
        // After RFC 8461 section 3.2 and appendix A.
        (
            "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmx: backupmx.example.com\r\nmax_age: 604800\r\n",
            policy(
                StsMode::Enforce,
                &["mail.example.com", "*.example.net", "backupmx.example.com"],
                604_800,
            ),
        ),
        (
            "version: STSv1\nmode: testing\nmx: mx1.example.com\nmx: mx.backup-example.com\nmax_age: 1296000\n",
            policy(
                StsMode::Testing,
                &["mx1.example.com", "mx.backup-example.com"],
                1_296_000,
            ),
        ),
        // RFC 8461 section 8.3: how a policy is taken back.
        (
            "version: STSv1\nmode: none\nmax_age: 86400",
            policy(StsMode::None, &[], 86_400),
        ),
        (
            "version: STSv1\nmode: none\nmx: a.example\nmax_age: 0",
            policy(StsMode::None, &["a.example"], 0),
        ),
        // Blanks, order, both ends of lines, no last one.
        (
            "max_age:86400\nmx:\t mx.example.com  \r\nmode:enforce \t\nversion:   STSv1",
            enforced.clone(),
        ),
        // Empty lines.
        (
            "\nversion: STSv1\n\r\nmode: enforce\nmx: mx.example.com\nmax_age: 86400\n\n \n",
            enforced.clone(),
        ),
        // Fields of another day.
        (
            "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 86400\nreports: naïve: a, b\nx.1-a_b: ~",
            enforced.clone(),
        ),
        // The first counts, whatever the others say.
        (
            "version: STSv1\nversion: STSv2\nmode: enforce\nmode: never\nmx: mx.example.com\nmax_age: 86400\nmax_age: x",
            enforced.clone(),
        ),
        // A final dot, upper case, underscores, a top-level domain.
        (
            "version: STSv1\nmode: enforce\nmx: MX.Example.COM.\nmx: _dc-mx.1.example\nmx: *.example\nmax_age: 31557600",
            policy(
                StsMode::Enforce,
                &["mx.example.com", "_dc-mx.1.example", "*.example"],
                31_557_600,
            ),
        ),
        (
            "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 0000086400",
            enforced,
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(StsPolicy::parse(text.as_bytes()), Ok(expected), "{text}");
    }
}

/// A policy with one of its lines replaced.
fn with(line: usize, text: &str) -> Vec<u8> {
    let mut lines = [
        "version: STSv1",
        "mode: enforce",
        "mx: mx.example.com",
        "max_age: 86400",
    ];
    lines[line] = text;
    lines.join("\r\n").into_bytes()
}

#[test]
fn texts_that_are_no_policy() {
    use StsPolicyError::{Line, MaxAge, Missing, Mode, Mx, NotUtf8, Version};
    let long_name = format!("{}: x", "a".repeat(33));
    let rows = [
        (0, "", Missing("version")),
        (0, "version: STSv2", Version),
        (0, "version: stsv1", Version),
        (0, "version: STSv1 STSv1", Version),
        (0, "Version: STSv1", Missing("version")),
        (0, "version : STSv1", Line(1)),
        (0, " version: STSv1", Line(1)),
        (0, "\u{feff}version: STSv1", Line(1)),
        (0, "version:", Line(1)),
        (0, "version: \t", Line(1)),
        (0, "version STSv1", Line(1)),
        (0, ": STSv1", Line(1)),
        (0, "version: STSv1\rmode: enforce", Line(1)),
        (0, "<!DOCTYPE html>", Line(1)),
        (1, "", Missing("mode")),
        (1, "mode: Enforce", Mode),
        (1, "mode: reject", Mode),
        (1, "mode: none enforce", Mode),
        (2, "", Missing("mx")),
        (2, "mx: *", Mx),
        (2, "mx: *.", Mx),
        (2, "mx: *mx.example.com", Mx),
        (2, "mx: mx.*.example.com", Mx),
        (2, "mx: *.*.example.com", Mx),
        (2, "mx: .example.com", Mx),
        (2, "mx: a.example, b.example", Mx),
        (2, "mx: bücher.example", Mx),
        (2, "mx: 192.0.2.1", Mx),
        (2, "mx: [192.0.2.1]", Mx),
        (2, "mx: mx.example.com..", Mx),
        (2, "mx: a.example\nmx: b c", Mx),
        (2, "mx: a\u{0}.example", Line(3)),
        (2, &long_name, Line(3)),
        (3, "", Missing("max_age")),
        (3, "max_age: 31557601", MaxAge),
        (3, "max_age: -1", MaxAge),
        (3, "max_age: +1", MaxAge),
        (3, "max_age: 1.5", MaxAge),
        (3, "max_age: 1d", MaxAge),
        (3, "max_age: 00000086400", MaxAge),
        (3, "max_age: 99999999999999999999", MaxAge),
        (3, "max_age: 86400\nx", Line(5)),
        (3, "max_age: 86400\nx: \u{7f}", Line(5)),
    ];
    for (line, text, why) in rows {
        assert_eq!(StsPolicy::parse(&with(line, text)), Err(why), "{text:?}");
    }
    assert_eq!(StsPolicy::parse(b""), Err(Missing("version")));
    let latin = [with(3, "max_age: 86400\nx: ").as_slice(), b"\xe9"].concat();
    assert_eq!(StsPolicy::parse(&latin), Err(NotUtf8));
}

#[test]
fn hosts_that_a_pattern_stands_for() {
    let rows = [
        ("mx.example.com", "mx.example.com", true),
        ("mx.example.com", "MX.EXAMPLE.com", true),
        ("Mx.Example.com.", "mx.example.com", true),
        ("mx.example.com", "mx2.example.com", false),
        ("mx.example.com", "a.mx.example.com", false),
        ("mx.example.com", "example.com", false),
        ("*.example.com", "mail.example.com", true),
        ("*.EXAMPLE.com.", "Mail.example.COM", true),
        ("*.example.com", "_dc-mx.example.com", true),
        ("*.example.com", "example.com", false),
        ("*.example.com", "foo.bar.example.com", false),
        ("*.example.com", "mailexample.com", false),
        ("*.example.com", "mail.example.com.evil.example", false),
        ("*.com", "example.com", true),
        ("*.com", "com", false),
        ("mx", "mx", true),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", true),
        ("*.xn--bcher-kva.example", "mx.XN--bcher-KVA.example", true),
    ];
    for (pattern, name, expected) in rows {
        let policy = policy(StsMode::Enforce, &["other.example", pattern], 1);
        assert_eq!(policy.matches(&host(name)), expected, "{pattern} {name}");
    }
    assert!(!policy(StsMode::None, &[], 1).matches(&host("mx.example.com")));
}

#[test]
fn a_policy_weighs_about_what_it_takes() {
    let all = policy(StsMode::Enforce, &["a.example", "*.example"], 1);
    assert_eq!(all.weight(), 2 * PATTERN_WEIGHT + "a.exampleexample".len());
    assert!(PATTERN_WEIGHT >= size_of::<MxPattern>() + 2 * size_of::<usize>());
}

fn any_name() -> impl Strategy<Value = HostName> {
    "[a-z0-9_]{1,8}(\\.[a-z0-9-]{1,8}){0,3}"
        .prop_filter_map("a host name", |name| HostName::parse(&name).ok())
}

fn any_pattern() -> impl Strategy<Value = MxPattern> {
    (any_name(), any::<bool>()).prop_map(|(name, below)| {
        if below {
            MxPattern::Below(name)
        } else {
            MxPattern::Host(name)
        }
    })
}

fn any_line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("version: STSv1".to_owned()),
        prop_oneof!["enforce", "testing", "none"].prop_map(|mode| format!("mode: {mode}")),
        any_pattern().prop_map(|pattern| format!("mx: {pattern}")),
        (0..=MAX_MAX_AGE).prop_map(|seconds| format!("max_age:{seconds}")),
        "[a-z_.]{0,4}:? ?\\PC{0,6}",
    ]
}

#[test]
fn patterns_have_a_limit() {
    let policy = |patterns: usize| {
        let lines = "mx: a.example\n".repeat(patterns);
        StsPolicy::parse(format!("version: STSv1\nmode: enforce\nmax_age: 1\n{lines}").as_bytes())
    };
    assert_eq!(
        policy(MAX_PATTERNS).map(|policy| policy.mx.len()),
        Ok(MAX_PATTERNS)
    );
    let refused = policy(MAX_PATTERNS + 1).expect_err("one too many");
    assert_eq!(refused, StsPolicyError::TooManyMx);
    assert_eq!(refused.to_string(), format!("has more than {MAX_PATTERNS} mx"));
}

proptest! {
    /// Octets of any kind are judged, and what is taken prints as what is read again the same.
    #[test]
    fn what_is_taken_reads_back(
        lines in prop::collection::vec(any_line(), 0..10),
        octets in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let text = lines.join("\n");
        for text in [text.as_bytes(), &octets, &[text.as_bytes(), &octets].concat()] {
            if let Ok(policy) = StsPolicy::parse(text) {
                prop_assert_eq!(StsPolicy::parse(policy.to_string().as_bytes()), Ok(policy));
            }
        }
    }

    #[test]
    fn what_prints_reads_back(
        mode in prop_oneof![Just(StsMode::Enforce), Just(StsMode::Testing), Just(StsMode::None)],
        mx in prop::collection::vec(any_pattern(), 1..10),
        seconds in 0..=MAX_MAX_AGE,
    ) {
        let policy = StsPolicy { mode, mx, max_age: Duration::from_secs(seconds) };
        prop_assert_eq!(StsPolicy::parse(policy.to_string().as_bytes()), Ok(policy));
    }
}
