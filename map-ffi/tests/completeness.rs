//! What Rust programs can set and read, C, C++ and Python programs can, too. Names are compared, as they stand in the
//! sources.

use std::error::Error;
use std::fs;
use std::path::Path;

type TestResult = Result<(), Box<dyn Error>>;

/// They take an object of the caller's that answers by code of its own.
const ONLY_IN_RUST: [&str; 2] = ["set_connector", "set_resolver"];

/// Where a door has another name for a setting than the core: its C name, its Python name.
const OTHERWISE: [(&str, &str, &str); 6] = [
    ("add_dkim_signer", "add_dkim_signer", "dkim_signers"),
    ("parse_dns_servers", "set_dns_servers", "dns_servers"),
    ("parse_source_addresses", "set_source_address", "source_address"),
    ("set_deadline", "set_deadline_ms", "deadline"),
    ("set_timeout", "set_timeout_ms", "timeouts"),
    ("add_tls_roots", "add_tls_roots", "tls_roots"),
];

#[test]
fn every_setting_has_its_doors() -> TestResult {
    let settings = methods(&read("map-core/src/agent/config.rs")?, "Config", "&mut self");
    let (header, cpp) = (read("include/mapagent.h")?, read("include/mapagent.hpp")?);
    let stubs = read("map-py/python/mapagent/_native.pyi")?;
    let mut looked_at = 0;
    for setting in settings {
        if ONLY_IN_RUST.contains(&setting.as_str()) {
            continue;
        }
        let (c, python) = OTHERWISE
            .iter()
            .find(|(core, _, _)| *core == setting)
            .map_or((setting.as_str(), setting.as_str()), |(_, c, python)| (c, python));
        let python = python.strip_prefix("set_").unwrap_or(python);
        assert!(header.contains(&format!("map_config_{c}(")), "C has no {setting}");
        assert!(
            cpp.contains(&format!("map_config_{c}(get(), ")),
            "C++ has no {setting}"
        );
        // Once for `configure` and once for `Agent`; stubtest compares the stubs with what runs.
        let keyword = format!("\n    {python}: ");
        let keyword_of_agent = format!("\n        {python}: ");
        assert!(
            stubs.contains(&keyword) && stubs.contains(&keyword_of_agent),
            "Python has no {setting}"
        );
        looked_at += 1;
    }
    assert!(looked_at > 20, "the sources were not read: {looked_at}");
    Ok(())
}

#[test]
fn every_choice_has_its_doors() -> TestResult {
    let doors = [
        (
            "map-core/src/agent/config.rs",
            "Timeout",
            "map-ffi/src/config.rs",
            "map-py/src/config.rs",
        ),
        (
            "map-core/src/delivery/relay.rs",
            "RelaySecurity",
            "map-ffi/src/config/relay.rs",
            "map-py/src/relay.rs",
        ),
        (
            "map-core/src/message/multipart.rs",
            "Multipart",
            "map-ffi/src/message/part.rs",
            "map-py/src/message/part.rs",
        ),
        (
            "map-core/src/message/encode.rs",
            "TransferEncoding",
            "map-ffi/src/message/part.rs",
            "map-py/src/message/part.rs",
        ),
        (
            "map-core/src/message/part.rs",
            "Disposition",
            "map-ffi/src/message/part.rs",
            "map-py/src/message/part.rs",
        ),
        (
            "map-core/src/envelope.rs",
            "BodyType",
            "map-ffi/src/message/body.rs",
            "map-py/src/message.rs",
        ),
        (
            "map-core/src/message/raw.rs",
            "BlindCopies",
            "map-ffi/src/message/raw.rs",
            "map-py/src/message/keywords.rs",
        ),
        (
            "map-core/src/smtp.rs",
            "Chunking",
            "map-ffi/src/config/network.rs",
            "map-py/src/config.rs",
        ),
        (
            "map-core/src/smtp/auth.rs",
            "SecretKind",
            "map-ffi/src/config/relay.rs",
            "map-py/src/relay.rs",
        ),
    ];
    for (core, name, c, python) in doors {
        let variants = variants(&read(core)?, name);
        assert!(variants.len() >= 2, "{name} was not read");
        let (c, python) = (read(c)?, read(python)?);
        for variant in variants {
            let named = |source: &str| {
                let variant = format!("{name}::{variant}");
                source
                    .match_indices(&variant)
                    .any(|(at, _)| !continues(source, at + variant.len()))
            };
            assert!(named(&c), "C has no {name}::{variant}");
            assert!(named(&python), "Python has no {name}::{variant}");
        }
    }
    Ok(())
}

/// What a message can be given, and what can be asked of it: where it stands, whose method it is, and how C calls it.
const OF_MESSAGES: [(&str, &str, &[&str]); 6] = [
    ("message/builder.rs", "Builder", &["message"]),
    ("message/raw.rs", "Raw", &["message"]),
    ("message/part.rs", "Part", &["part"]),
    ("message.rs", "Message", &["message"]),
    ("message/envelope.rs", "Message", &["message"]),
    ("dkim.rs", "DkimSigner", &["dkim_signer"]),
];

/// Where C has another name than the core: the type, its method, the C function.
const CALLED_OTHERWISE: [(&str, &str, &str); 6] = [
    ("DkimSigner", "expires_after", "map_dkim_signer_set_expiry"),
    ("Builder", "field", "map_message_add_field"),
    ("Message", "message_id", "map_message_id"),
    ("Message", "needs", "map_message_body_type"),
    ("Message", "recipients", "map_message_recipient"),
    ("Message", "warnings", "map_message_warning"),
];

/// What C has in another form: the message for one host and its octets are written and sent, the reverse path is set.
/// How deep a part is nested is checked by whatever takes one.
const WITHOUT_DOORS: [(&str, &str); 9] = [
    // Submitting does it.
    ("Builder", "settled"),
    ("DkimSigner", "algorithm"),
    ("DkimSigner", "domain"),
    ("DkimSigner", "selector"),
    ("Message", "for_host"),
    ("Message", "from"),
    ("Message", "open"),
    ("Message", "reverse_path"),
    ("Part", "check_nesting"),
];

/// The same for Python, of its keywords and properties.
const CALLED_OTHERWISE_IN_PYTHON: [(&str, &str, &str); 7] = [
    ("Builder", "attach", "attachments"),
    ("Builder", "field", "headers"),
    ("Builder", "from", "from_"),
    ("Message", "needs", "needs_smtputf8"),
    ("Message", "original_recipient", "original_recipients"),
    ("Part", "file_name", "filename"),
    // With `to`, in place of what the header says.
    ("Raw", "envelope", "from_"),
];

#[test]
fn every_piece_of_a_message_has_its_doors() -> TestResult {
    let (header, cpp) = (read("include/mapagent.h")?, read("include/mapagent.hpp")?);
    let stubs = read("map-py/python/mapagent/_native.pyi")?;
    for (path, class, handles) in OF_MESSAGES {
        let source = read(&format!("map-core/src/{path}"))?;
        let mut asked = methods(&source, class, "mut self");
        asked.extend(methods(&source, class, "self"));
        asked.extend(methods(&source, class, "&self"));
        assert!(asked.len() >= 4, "{class} was not read: {asked:?}");
        for method in asked {
            if WITHOUT_DOORS.contains(&(class, method.as_str())) {
                continue;
            }
            let otherwise = CALLED_OTHERWISE
                .iter()
                .find(|(known, name, _)| *known == class && *name == method);
            let names = match otherwise {
                Some((_, _, function)) => vec![(*function).to_owned()],
                None => handles
                    .iter()
                    .flat_map(|handle| {
                        ["", "set_", "add_"].map(|verb| format!("map_{handle}_{verb}{method}"))
                    })
                    .collect(),
            };
            let has = |source: &str, behind: &str| {
                names
                    .iter()
                    .any(|name| source.contains(&format!("{name}{behind}")))
            };
            assert!(has(&header, "("), "C has no {class}::{method}: {names:?}");
            let in_cpp = has(&cpp, "(") || has(&cpp, ",") || has(&cpp, "_n(");
            assert!(in_cpp, "C++ has no {class}::{method}: {names:?}");
            assert!(
                in_python(&stubs, class, &method),
                "Python has no {class}::{method}"
            );
        }
    }
    Ok(())
}

/// Stubtest compares the stubs with what runs.
fn in_python(stubs: &str, of: &str, method: &str) -> bool {
    // Made of keywords, it is put together at once.
    if method == "build" {
        return true;
    }
    let name = CALLED_OTHERWISE_IN_PYTHON
        .iter()
        .find(|(known, name, _)| *known == of && *name == method)
        .map_or(method, |(_, _, name)| name);
    // Where the keywords stand that are looked for: those of one maker, or of any.
    let (made, maker) = match of {
        "Builder" => ("Message:", "def __new__("),
        "Raw" => ("Message:", "def raw("),
        "Message" => ("Message:", ""),
        "Part" => ("Part:", ""),
        _ => ("DkimSigner:", ""),
    };
    let class = class(stubs, made);
    let (_, keywords) = class.split_once(maker).unwrap_or_default();
    let end = if maker.is_empty() { "\nclass " } else { ") ->" };
    let keywords = keywords.split(end).next().unwrap_or_default();
    keywords.contains(&format!("\n        {name}: ")) || class.contains(&format!("def {name}(self"))
}

/// What a report answers: the core's name, a C function, a Python property.
type Answers<'a> = &'a [(&'a str, &'a str, &'a str)];

const OF_RECIPIENT: Answers<'_> = &[
    ("recipient", "map_report_recipient", "recipient"),
    ("reply", "map_report_reply", "reply"),
    ("delivered", "map_report_delivered", "delivered"),
    ("transient", "map_report_is_transient", "transient"),
    ("retry_after", "map_report_retry_after_ms", "retry_after"),
    ("code", "map_report_code", "code"),
    ("enhanced", "map_report_enhanced", "enhanced"),
    ("server_text", "map_report_server_text", "server_text"),
    ("stage", "map_report_stage", "stage"),
    ("host", "map_report_host", "host"),
    ("address", "map_report_address", "address"),
    ("tls", "map_report_tls_version", "tls"),
    ("policy", "map_report_tls_policy", "tls_policy"),
    ("relayed", "map_report_is_relayed", "relayed"),
    ("advice", "map_report_advice", "advice"),
];

const OF_ATTEMPT: Answers<'_> = &[
    ("host", "map_report_attempt_host", "host"),
    ("address", "map_report_attempt_address", "address"),
    ("stage", "map_report_attempt_stage", "stage"),
    ("outcome", "map_report_attempt_outcome", "outcome"),
    ("detail", "map_report_attempt_detail", "detail"),
    ("code", "map_report_attempt_code", "code"),
    ("duration", "map_report_attempt_duration_ms", "duration"),
    ("tls", "map_report_attempt_tls_version", "tls"),
    ("policy", "map_report_attempt_tls_policy", "tls_policy"),
];

const OF_REPORT: Answers<'_> = &[
    // The summary is the report itself in Python, and an index in C.
    ("summary", "MAP_SUMMARY", "reply"),
    ("recipients", "map_report_recipient_count", "recipients"),
    ("reply", "map_report_reply", "reply"),
    ("attempts", "map_report_attempt_count", "attempts"),
    ("message_id", "map_report_message_id", "message_id"),
    ("warnings", "map_report_warning_count", "warnings"),
    ("port25", "map_report_port25", "port25"),
    ("transcript", "map_report_transcript", "transcript"),
];

const OF_PORT25: Answers<'_> = &[
    ("finding", "map_report_port25", "finding"),
    // The text names them.
    ("families", "map_report_port25_text", "__str__"),
    ("probes", "map_report_port25_probe_count", "probes"),
    ("age", "map_report_port25_age_ms", "age"),
];

#[test]
fn every_answer_of_a_report_has_its_doors() -> TestResult {
    let mut core = String::new();
    for file in [
        "delivery/outcome.rs",
        "delivery/report.rs",
        "delivery/transcript.rs",
        "net/port25.rs",
    ] {
        core += &read(&format!("map-core/src/{file}"))?;
    }
    let header = read("include/mapagent.h")?;
    let stubs = read("map-py/python/mapagent/_native.pyi")?;
    for (name, answers) in [
        ("RecipientReport", OF_RECIPIENT),
        ("Attempt", OF_ATTEMPT),
        ("Report", OF_REPORT),
        ("Port25Evidence", OF_PORT25),
    ] {
        let asked = methods(&core, name, "&self");
        assert!(asked.len() >= 4, "{name} was not read: {asked:?}");
        for question in asked {
            let (_, c, python) = answers
                .iter()
                .find(|(known, _, _)| *known == question)
                .ok_or_else(|| {
                    format!("{name}::{question} has no doors yet: give it some, and name them here")
                })?;
            assert!(
                header.contains(&format!("{c}(")) || header.contains(&format!("#define {c} ")),
                "C has no {name}::{question}"
            );
            // What recipients and the whole have in common is in a class of its own.
            let in_class = |name: &str| class(&stubs, name).contains(&format!("def {python}(self)"));
            assert!(
                in_class(name)
                    || python.starts_with("__")
                    || (name.ends_with("Report") && in_class("Outcome")),
                "Python has no {name}::{question}"
            );
        }
    }
    Ok(())
}

/// C++ reads attempts by the functions of C.
#[test]
fn every_function_of_a_report_is_in_cpp() -> TestResult {
    let (header, cpp) = (read("include/mapagent.h")?, read("include/mapagent.hpp")?);
    let functions: Vec<_> = header
        .split("map_report_")
        .skip(1)
        .filter_map(|rest| rest.split_once("(const map_report *")?.0.into())
        .filter(|name| !name.contains(char::is_whitespace) && !name.starts_with("attempt_"))
        .collect();
    assert!(functions.len() > 20, "the header was not read: {functions:?}");
    for name in functions {
        assert!(
            cpp.contains(&format!("map_report_{name}(get()")),
            "C++ has no map_report_{name}"
        );
    }
    Ok(())
}

#[test]
fn every_fact_of_a_tls_session_has_its_doors() -> TestResult {
    let core = read("map-core/src/net/tls.rs")?;
    let header = read("include/mapagent.h")?;
    let stubs = read("map-py/python/mapagent/_native.pyi")?;
    let facts = core
        .split_once("pub struct TlsFacts {\n")
        .and_then(|(_, rest)| rest.split("\n}\n").next())
        .unwrap_or_default();
    let facts: Vec<_> = facts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub ")?.split(':').next())
        .collect();
    assert!(facts.len() >= 3, "the sources were not read: {facts:?}");
    for fact in facts {
        for door in [
            format!("map_report_tls_{fact}("),
            format!("map_report_attempt_tls_{fact}("),
        ] {
            assert!(header.contains(&door), "C has no {door}");
        }
        assert!(
            class(&stubs, "TlsSession").contains(&format!("def {fact}(self)")),
            "Python has no {fact}"
        );
    }
    Ok(())
}

/// The body of a class in the stubs.
fn class<'a>(stubs: &'a str, name: &str) -> &'a str {
    let (_, rest) = stubs.split_once(&format!("\nclass {name}")).unwrap_or_default();
    rest.split("\nclass ").next().unwrap_or_default()
}

fn read(path: &str) -> Result<String, Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    Ok(fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?)
}

/// The public methods of a type whose first parameter is `receiver`.
fn methods(source: &str, class: &str, receiver: &str) -> Vec<String> {
    let start = format!("\nimpl {class} {{\n");
    let blocks = source.split(&start).skip(1);
    let bodies = blocks.map(|block| block.split("\n}\n").next().unwrap_or_default());
    let public = bodies.flat_map(|body| body.split("\n    pub fn ").skip(1));
    public
        .filter_map(|method| {
            let (name, rest) = method.split_once('(')?;
            let name = name.split('<').next()?;
            rest.trim_start().starts_with(receiver).then(|| name.to_owned())
        })
        .collect()
}

/// The names of an enumeration's variants.
fn variants(source: &str, name: &str) -> Vec<String> {
    let body = source
        .split_once(&format!("pub enum {name} {{\n"))
        .and_then(|(_, rest)| rest.split("\n}\n").next())
        .unwrap_or_default();
    body.lines()
        .map(str::trim)
        .filter_map(|line| line.strip_suffix(','))
        .filter(|line| line.chars().all(char::is_alphanumeric))
        .map(str::to_owned)
        .collect()
}

/// A name that is there goes on, and is another one.
fn continues(source: &str, at: usize) -> bool {
    source
        .get(at..)
        .and_then(|rest| rest.chars().next())
        .is_some_and(|next| next.is_alphanumeric() || next == '_')
}
