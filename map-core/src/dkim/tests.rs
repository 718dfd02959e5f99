use super::*;
use crate::message::{Builder, Message, Raw};
use ring::signature::{ED25519, UnparsedPublicKey};
use std::io::Read;

/// The key of RFC 8463 appendix A.2, as OpenSSL writes one.
const ED25519_PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
    -----END PRIVATE KEY-----\n";
const ED25519_PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

fn signer() -> DkimSigner {
    DkimSigner::from_pem("example.com".parse().unwrap(), "brisbane", ED25519_PEM).unwrap()
}

fn octets(message: &Message) -> String {
    let mut octets = String::new();
    message.open().unwrap().read_to_string(&mut octets).unwrap();
    assert_eq!(message.size(), Some(octets.len() as u64));
    octets
}

/// The field in front, with its line end, and what stands after it.
fn divided(octets: &str) -> (&str, &str) {
    let end = octets
        .match_indices("\r\n")
        .find(|(place, _)| !octets[place + 2..].starts_with(' '));
    octets.split_at(end.unwrap().0 + 2)
}

/// The tags of the field, without blanks and line ends.
fn tags(field: &str) -> Vec<(String, String)> {
    let value = field.strip_prefix("DKIM-Signature: ").unwrap();
    let tag = |tag: &str| {
        let (name, value) = tag.split_once('=').unwrap();
        (name.trim().to_owned(), value.split_whitespace().collect())
    };
    value.split(';').map(tag).collect()
}

fn value<'a>(tags: &'a [(String, String)], name: &str) -> &'a str {
    &tags.iter().find(|(found, _)| found == name).unwrap().1
}

#[test]
fn what_is_signed_is_what_the_rfc_says() {
    let content = "From: Anna  <anna@example.com>\r\nto: b@y.example,\r\n\tc@z.example\r\nX-Other: 1\r\nSubject : A \r\n\
                   To: d@y.example\r\nDate: Sun, 22 Nov 2026 01:40:00 +0100\r\n\r\n Hi,\t you \r\n\r\n \r\n";
    let message = Raw::octets(content).build().unwrap().sign(&signer()).unwrap();
    let octets = octets(&message);
    let (field, behind) = divided(&octets);
    assert_eq!(behind, content);
    let tags = tags(field);
    let names: Vec<_> = tags.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["v", "a", "c", "d", "s", "t", "h", "bh", "b"]);
    assert_eq!(
        value(&tags, "h"),
        "From:From:Reply-To:To:To:To:Cc:Subject:Subject:Date:Date"
    );
    let body_hash = ring::digest::digest(&ring::digest::SHA256, b" Hi, you\r\n");
    assert_eq!(value(&tags, "bh"), STANDARD.encode(body_hash));

    let unfolded = field.trim_end().replace("\r\n", "");
    let (unsigned, _) = unfolded.rsplit_once("b=").unwrap();
    let signed = format!(
        "from:Anna <anna@example.com>\r\nto:d@y.example\r\nto:b@y.example, c@z.example\r\nsubject:A\r\n\
         date:Sun, 22 Nov 2026 01:40:00 +0100\r\n{}b=",
        unsigned.replace("DKIM-Signature: ", "dkim-signature:")
    );
    let hash = ring::digest::digest(&ring::digest::SHA256, signed.as_bytes());
    let public = STANDARD.decode(ED25519_PUBLIC).unwrap();
    let signature = STANDARD.decode(value(&tags, "b")).unwrap();
    UnparsedPublicKey::new(&ED25519, public)
        .verify(hash.as_ref(), &signature)
        .unwrap();
}

#[test]
fn fields_are_listed_once_more_than_they_stand_there() {
    let listed = |header: &str| {
        let content = format!("{header}\r\nbody\r\n");
        let message = Raw::octets(content)
            .envelope("a@x.example".parse().unwrap(), ["b@y.example".parse().unwrap()])
            .build()
            .unwrap();
        let octets = octets(&message.sign(&signer()).unwrap());
        value(&tags(divided(&octets).0), "h").to_owned()
    };
    assert_eq!(
        listed("From: a@x.example\r\n"),
        "From:From:Reply-To:To:Cc:Subject"
    );
    assert_eq!(
        listed(
            "Received: x\r\nResent-From: r@x.example\r\nLIST-ID: <l>\r\nFrom: a@x.example\r\nCc: b@y.example\r\n\
             Message-ID: <1@x>\r\nMime-version: 1.0\r\nReturn-Path: <a@x.example>\r\n"
        ),
        "From:From:Reply-To:To:Cc:Cc:Subject:Message-ID:Message-ID:MIME-Version:MIME-Version:Resent-From:List-Id"
    );
    let without = Raw::octets("To: b@y.example\r\n\r\n")
        .envelope("a@x.example".parse().unwrap(), ["b@y.example".parse().unwrap()])
        .build()
        .unwrap();
    assert!(matches!(without.sign(&signer()), Err(DkimError::NoFrom)));
}

#[test]
fn the_field_is_folded() {
    let label = "d".repeat(63);
    let domain = format!("{label}.{label}.{label}.example");
    for (domain, longest) in [("example.com", 78), (domain.as_str(), 3 + domain.len() + 1)] {
        let signer = DkimSigner::from_pem(domain.parse().unwrap(), &label, ED25519_PEM).unwrap();
        let message = Builder::new()
            .from("a@example.com".parse::<crate::Mailbox>().unwrap())
            .to("b@y.example".parse::<crate::Mailbox>().unwrap())
            .text("text".parse().unwrap())
            .build()
            .unwrap();
        let octets = octets(&message.sign(&signer).unwrap());
        let (field, _) = divided(&octets);
        let lines: Vec<_> = field.trim_end().split("\r\n").collect();
        assert!(lines.len() > 4, "{field}");
        assert_eq!(value(&tags(field), "d"), domain);
        assert!(lines.iter().all(|line| line.len() <= longest), "{field}");
        assert!(lines.iter().skip(1).all(|line| line.starts_with(' ')), "{field}");
    }
}

#[test]
fn a_signature_may_expire() {
    let body = BodyHash::new().finish();
    let at = |time: Duration| SystemTime::UNIX_EPOCH + time;
    let times = |signer: &DkimSigner, now: SystemTime| {
        let field = signer
            .signature(b"From: a@x.example\r\n\r\n", body.as_ref(), now)
            .unwrap();
        let tags = tags(std::str::from_utf8(&field).unwrap());
        let end = tags
            .iter()
            .find(|(name, _)| name == "x")
            .map(|(_, value)| value.clone());
        (value(&tags, "t").to_owned(), end)
    };
    let now = at(Duration::from_millis(1_000_500));
    assert_eq!(times(&signer(), now), ("1000".to_owned(), None));
    let expires = |seconds| signer().expires_after(Duration::from_secs(seconds));
    assert_eq!(
        times(&expires(86_400), now),
        ("1000".to_owned(), Some("87400".to_owned()))
    );
    // RFC 6376 section 3.5: it must be later than t=.
    assert_eq!(times(&expires(0), now).1.as_deref(), Some("1001"));
    assert!(times(&expires(u64::MAX), now).1.is_some());
}

#[test]
fn every_form_is_signed() {
    let message = Builder::new()
        .from("a@example.com".parse::<crate::Mailbox>().unwrap())
        .to("b@y.example".parse::<crate::Mailbox>().unwrap())
        .text("Grüße".parse().unwrap())
        .body_type(crate::message::BodyType::EightBit)
        .build()
        .unwrap();
    let signed = message.sign(&signer()).unwrap();
    assert_eq!(signed.needs(), message.needs());
    let lesser = signed.for_host(crate::message::Needs::default()).unwrap();
    let fields = [octets(&signed), octets(&lesser)].map(|octets| tags(divided(&octets).0));
    assert_ne!(value(&fields[0], "bh"), value(&fields[1], "bh"));

    let twice = octets(&signed.sign(&signer()).unwrap());
    let (first, behind) = divided(&twice);
    assert_eq!(value(&tags(first), "h"), value(&tags(divided(behind).0), "h"));
}

#[test]
fn what_cannot_be_read_is_not_signed() {
    let failing = crate::message::Part::reader(Some(10), || Err(io::Error::other("gone")));
    let message = Builder::new()
        .from("a@example.com".parse::<crate::Mailbox>().unwrap())
        .to("b@y.example".parse::<crate::Mailbox>().unwrap())
        .attach(failing)
        .build()
        .unwrap();
    let error = message.sign(&signer()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the message cannot be read: the program's own reader failed: gone"
    );
    let stopped = Raw::octets("From: a@x.example\r\nTo: b@y.example\r\n\r\n")
        .build()
        .unwrap();
    let error = stopped.sign_by_all(&[&signer()], &|| false).unwrap_err();
    assert!(matches!(error, DkimError::Read(_)), "{error}");
}

#[test]
fn a_signer_is_for_its_domain_and_those_below() {
    for (domain, is) in [
        ("example.com", true),
        ("EXAMPLE.com", true),
        ("mail.example.com", true),
        ("badexample.com", false),
        ("com", false),
        ("example.com.example.net", false),
    ] {
        assert_eq!(signer().is_for(&domain.parse().unwrap()), is, "{domain}");
    }
}

#[test]
fn the_record_has_the_public_key() {
    let signer = signer();
    assert_eq!(signer.record_name(), "brisbane._domainkey.example.com");
    assert_eq!(signer.record(), format!("v=DKIM1; k=ed25519; p={ED25519_PUBLIC}"));
    let signer = DkimSigner::from_pem("bücher.example".parse().unwrap(), "2026", ED25519_PEM).unwrap();
    assert_eq!(signer.record_name(), "2026._domainkey.xn--bcher-kva.example");
}

#[test]
fn the_key_is_not_shown() {
    let shown = format!("{:?}", signer());
    assert_eq!(
        shown,
        "DkimSigner { domain: \"example.com\", selector: \"brisbane\", algorithm: \"ed25519-sha256\", \
         expires_after: None, .. }"
    );
}

const ELLIPTIC_PEM: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg9DXT/e7b4tUWOZVi
BXDv7ub4OASiIoX599drRoDSNxOhRANCAATa+cDRnWeAkm97jd/cJnRZxTaU9gqA
aAGAa1mRUjQs7tMBR02/YUkC8ralBC9tTJxNSetuTJZIg75eG11nHmUl
-----END PRIVATE KEY-----";
const SMALL_RSA_PEM: &str = "-----BEGIN PRIVATE KEY-----
MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBAOFsJEEAmP21fvyo
yYbhMo8ZVwEO6pmIxqRmJ3WVooVxvJKr2quCFvzxzr9bY++QbgNoUWVAP9nw7X9H
SN7Rzw9UdrZsXyJODJGwJFRo/En4xpidSKrrh4NBNiqmLXj4zHrh9JpVtN+/+KhO
wIeQxYD3+txfmj7TETqxh0vLiyw9AgMBAAECgYEA3dsEw0THTct2s0ubK7gvfk6+
Jjh8A6dteRdg9oTScutBYEjq6aka3s9NX1+et4Q6AfiFQ1U8gk5wL7gEq+dqFB93
sDvmSBRQgKh6GjYnPjFFGwG65MCsOPOiZVSAt2czp4YNNTnOTU8zBI4VXFQxvuwh
JTwdB149sxeStqUzJ7ECQQDypsqZejLVvXWrXdTbdLpJG9pntm68HePccVUl+wbL
XRD+6AJIKv+/rtICwg1CiQYQ9HK3UAu+LuKxOBCva9JLAkEA7dK3b0tZ9KW1gO4t
cPqQv3NRo1yk00/tyivZbS92McXpNJXUJbg0YD3R6SSF223LWrqVbCSHJdHPw7Qp
WFEmlwJAfJ9zMG4VS7dZhuDTIL8Lqd63RkrpBo6nZ6GBZNdPPwUWZITOHziOT2k/
DRGS89giGHUjschXr56u6OvtjdrnjwJAbm+4UM0745iDtXBk157zUoQZd/PQcnQe
ZxB/se0lRK2zwoCE+FMWt05dyJb2NdRBZ0tXkdVQkOZiRW3G+UUN1wJBAKfQeH3d
nL3m8tm7aUZgCZcOCIsyUrkX4PzBocia6dxS5gihaLNEF8rsRRwZZEpoFKgb0sbk
7MRFTtxZjKPpomc=
-----END PRIVATE KEY-----";

#[test]
fn keys_that_cannot_sign() {
    let error = |pem: &str| {
        let signer = DkimSigner::from_pem("example.com".parse().unwrap(), "s", pem);
        signer.expect_err(pem).to_string()
    };
    let wrong = "the private key cannot sign: it is neither an RSA nor an Ed25519 key";
    for (pem, expected) in [
        ("", "there is no private key in PEM form"),
        ("nonsense", "there is no private key in PEM form"),
        (
            &ED25519_PEM.replace("PRIVATE", "PUBLIC"),
            "there is no private key in PEM form",
        ),
        (
            &ED25519_PEM.replace("MC4C", "M*4C"),
            "there is no private key in PEM form",
        ),
        (
            &ED25519_PEM.replace("PRIVATE", "ENCRYPTED PRIVATE"),
            "the private key is encrypted; take its password off, and let nobody else read the file",
        ),
        (ELLIPTIC_PEM, wrong),
        (&ELLIPTIC_PEM.replace("PRIVATE", "EC PRIVATE"), wrong),
        (
            SMALL_RSA_PEM,
            "the private key cannot sign: an RSA key needs 2,048 bits at least",
        ),
        (
            &ED25519_PEM.replace("MC4C", "MC4D"),
            "the private key cannot sign: it is malformed (InvalidEncoding)",
        ),
    ] {
        assert_eq!(error(pem), expected, "{pem}");
    }
}

#[test]
fn selectors_are_names() {
    for selector in ["s", "2026", "20260101.mail", "s_1"] {
        let signer = DkimSigner::from_pem("example.com".parse().unwrap(), selector, ED25519_PEM).unwrap();
        assert_eq!(signer.selector(), selector);
    }
    for selector in ["", "a b", "a;b", "a\r\n", "a..b", "ü", &"s".repeat(64)] {
        let error = DkimSigner::from_pem("example.com".parse().unwrap(), selector, ED25519_PEM);
        assert!(matches!(error, Err(DkimError::Selector { .. })), "{selector}");
    }
}

#[test]
fn keys_in_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    let from_file = || DkimSigner::from_file("example.com".parse().unwrap(), "s", &path);
    let error = from_file().unwrap_err();
    assert!(error.to_string().contains("key.pem cannot be read: "), "{error}");
    std::fs::write(&path, ED25519_PEM).unwrap();
    assert_eq!(from_file().unwrap().record(), signer().record());
}

/// Who can write the key signs in the domain's name, and so does who can read it.
#[cfg(unix)]
#[test]
fn a_key_is_its_owners() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    std::fs::write(&path, ED25519_PEM).unwrap();
    let with_mode = |mode| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        DkimSigner::from_file("example.com".parse().unwrap(), "s", &path)
    };
    let message = Builder::new()
        .from("a@example.com".parse::<crate::Mailbox>().unwrap())
        .to("b@example.net".parse::<crate::Mailbox>().unwrap())
        .text("c".parse().unwrap())
        .build()
        .unwrap();
    for mode in [0o600, 0o400] {
        let signer = with_mode(mode).unwrap();
        assert_eq!(message.sign(&signer).unwrap().warnings(), [], "{mode:o}");
    }
    for mode in [0o640, 0o644, 0o660, 0o604] {
        let key = with_mode(mode).unwrap();
        let signed = message.sign(&key).and_then(|message| message.sign(&key)).unwrap();
        let [warning] = signed.warnings() else {
            panic!("{mode:o}: {:?}", signed.warnings());
        };
        let said = warning.to_string();
        assert!(said.contains("key.pem") && said.contains("chmod 600"), "{said}");
    }
    for mode in [0o602, 0o666, 0o646] {
        let error = with_mode(mode).unwrap_err();
        assert!(
            matches!(error, DkimError::FileOfEverybody { .. }),
            "{mode:o}: {error}"
        );
        assert!(error.to_string().contains("key.pem"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_key_has_an_end() {
    let error = DkimSigner::from_file("example.com".parse().unwrap(), "s", "/dev/zero").unwrap_err();
    assert!(
        matches!(error, DkimError::FileOfEverybody { .. } | DkimError::NoKey),
        "{error}"
    );
}
