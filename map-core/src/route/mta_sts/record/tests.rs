use super::*;
use crate::route::fake::FakeResolver;
use proptest::prelude::*;

fn id(text: &str) -> StsId {
    StsId(text.into())
}

#[test]
fn records() {
    let longest = "a".repeat(32);
    let longest_id = format!("v=STSv1; id={longest}");
    let long_name = format!("v=STSv1; {longest}=1; id=1");
    let rows = [
        // RFC 8461 section 3.1
        ("v=STSv1; id=20160831085700Z;", Ok(id("20160831085700Z"))),
        // What the grammar allows.
        ("v=STSv1;id=1", Ok(id("1"))),
        ("v=STSv1\t; \tid=1 \t;\t ", Ok(id("1"))),
        ("v=STSv1; id=1 ", Ok(id("1"))),
        ("v=STSv1; ext.1-a_b=!:<>~; id=a1B2", Ok(id("a1B2"))),
        (&longest_id, Ok(id(&longest))),
        (&long_name, Ok(id("1"))),
        // The first counts.
        ("v=STSv1; id=1; id=2; v=STSv2", Ok(id("1"))),
        // Discarded.
        ("", Err(RecordError::Absent)),
        ("v=spf1 -all", Err(RecordError::Absent)),
        ("V=STSv1; id=1", Err(RecordError::Absent)),
        ("v=stsv1; id=1", Err(RecordError::Absent)),
        (" v=STSv1; id=1", Err(RecordError::Absent)),
        ("v = STSv1; id=1", Err(RecordError::Absent)),
        ("id=1; v=STSv1", Err(RecordError::Absent)),
        // No policy either, and somebody should learn of it.
        ("v=STSv1", Err(RecordError::Malformed)),
        ("v=STSv1 id=1", Err(RecordError::Malformed)),
        ("v=STSv10; id=1", Err(RecordError::Malformed)),
        ("v=STSv1;", Err(RecordError::Malformed)),
        ("v=STSv1; ;", Err(RecordError::Malformed)),
        ("v=STSv1;; id=1", Err(RecordError::Malformed)),
        ("v=STSv1; id=1;;", Err(RecordError::Malformed)),
        ("v=STSv1; id", Err(RecordError::Malformed)),
        ("v=STSv1; id=", Err(RecordError::Malformed)),
        ("v=STSv1; id =1", Err(RecordError::Malformed)),
        ("v=STSv1; id= 1", Err(RecordError::Malformed)),
        ("v=STSv1; ID=1", Err(RecordError::Malformed)),
        ("v=STSv1; id=2026-01-01", Err(RecordError::Malformed)),
        ("v=STSv1; id=1; id=2=3", Err(RecordError::Malformed)),
        ("v=STSv1; id=1; =x", Err(RecordError::Malformed)),
        ("v=STSv1; id=1; -x=x", Err(RecordError::Malformed)),
        ("v=STSv1; id=1; x=", Err(RecordError::Malformed)),
        ("v=STSv1; id=1; x=a b", Err(RecordError::Malformed)),
        ("v=STSv1; id=1; x=é", Err(RecordError::Malformed)),
        ("v=STSv1; id=1; x=a\n", Err(RecordError::Malformed)),
        ("\"v=STSv1; id=1\"", Err(RecordError::Absent)),
    ];
    for (text, expected) in rows {
        assert_eq!(choose(&[text.as_bytes()]), expected, "{text:?}");
    }
    for text in [format!("{longest_id}a"), format!("v=STSv1; a{longest}=1; id=1")] {
        assert_eq!(
            choose(&[text.as_bytes()]),
            Err(RecordError::Malformed),
            "{text:?}"
        );
    }
}

#[test]
fn exactly_one_record_counts() {
    let rows: [(&[&str], _); 6] = [
        (&[], Err(RecordError::Absent)),
        (&["v=STSv1; id=1", "v=spf1 -all"], Ok(id("1"))),
        (&["v=STSv1", "v=STSv2; id=2", "v=STSv1; id=1"], Ok(id("1"))),
        (&["v=STSv1; id=1", "v=STSv1; id=1"], Err(RecordError::Several)),
        // Not discarded, only malformed.
        (&["v=STSv1; id=1", "v=STSv1; x"], Err(RecordError::Several)),
        (
            &["google-site-verification=x", "v=STSv1,"],
            Err(RecordError::Malformed),
        ),
    ];
    for (texts, expected) in rows {
        let octets: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
        assert_eq!(choose(&octets), expected, "{texts:?}");
    }
}

#[tokio::test]
async fn what_the_dns_says() {
    let name = "_mta-sts.example.com";
    let host = HostName::parse(name).expect("a name");
    let rows = [
        ("TXT v=STSv1; id=1", Ok(id("1"))),
        (
            "TXT fails",
            Err(LookupError::Failed("SERVFAIL".to_owned()).into()),
        ),
        ("TXT silent", Err(LookupError::NoAnswer.into())),
        ("TXT loops", Err(LookupError::AliasLoop.into())),
        ("TXT nodata", Err(RecordError::Absent)),
        ("TXT nxdomain", Err(RecordError::Absent)),
        ("CNAME hoster.example.", Ok(id("2"))),
    ];
    for (record, expected) in rows {
        let resolver = FakeResolver::new()
            .with(name, record)
            .with("hoster.example", "TXT v=STSv1; id=2");
        assert_eq!(find(&resolver, &host).await, expected, "{record}");
        assert_eq!(resolver.asked(), [(name.to_owned(), RecordType::Txt)]);
    }
}

proptest! {
    /// No octets are too strange, and what is taken is a version.
    #[test]
    fn any_octets_are_judged(
        rest in prop::collection::vec(prop_oneof![any::<u8>(), Just(b';'), Just(b'='), Just(b' ')], 0..40),
    ) {
        let text = [b"v=STSv1; id=", rest.as_slice()].concat();
        for text in [rest, text] {
            if let Ok(StsId(id)) = choose(&[&text]) {
                prop_assert!((1..=32).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_alphanumeric()));
            }
        }
    }
}
