//! The six scenarios of MAP appendix A from Rust, compared with the canonical texts.

use map_core::delivery::Delivered;
use map_core::{Agent, Config, MapReplyCode};
use map_sandbox::{Sandbox, World};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn canonical(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("canonical").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(canonical(name)).expect("a canonical text")
}

#[test]
fn the_scenarios_are_printed_as_the_document_prints_them() {
    let world: World = read("appendix-a.world").parse().expect("a world");
    let sandbox = Sandbox::start(&world).expect("a sandbox");
    let mut config = Config::new();
    config.set_dns_servers(vec![sandbox.dns_server()]);
    config.set_smtp_port(sandbox.smtp_port()).expect("a port");
    config.set_allow_loopback(true);
    let agent = Agent::new(config);

    let scenarios = [
        ("A.1", "407184933@qq.com", "test content.", MapReplyCode::Success),
        ("A.2", "", "", MapReplyCode::NoEmpty),
        (
            "A.3",
            "407184933qq.com",
            "test content.",
            MapReplyCode::InvalidFormat,
        ),
        (
            "A.4",
            "407184933@qqqqq12372.com",
            "test content.",
            MapReplyCode::DnsFail,
        ),
        ("A.5", "cxw@gwu.edu", "test content.", MapReplyCode::BadReply),
        (
            "A.6",
            "cxw@outlook.com",
            "test content.",
            MapReplyCode::ServiceDenied,
        ),
    ];
    for (name, to, content, code) in scenarios {
        let report = agent.send("cxw@apple.com", to, "test", content);
        assert_eq!(report.transcript(), read(&format!("{name}.txt")), "{name}");
        assert_eq!(report.reply().code(), code, "{name}");
        let delivered = if code == MapReplyCode::Success {
            Delivered::Yes
        } else {
            Delivered::No
        };
        assert_eq!(report.summary().delivered(), delivered, "{name}");
    }

    let mails = sandbox.wait_for_mails(1, Duration::from_secs(10));
    assert_eq!(mails.len(), 1, "A.1 alone is delivered");
    let mail = mails.first().expect("a mail");
    assert_eq!(mail.reverse_path, "cxw@apple.com");
    assert_eq!(mail.forward_paths, ["407184933@qq.com"]);
    let text = String::from_utf8(mail.content.clone()).expect("7 bit");
    for field in [
        "From: <cxw@apple.com>\r\n",
        "To: <407184933@qq.com>\r\n",
        "Subject: test\r\n",
        "Date: ",
        "Message-ID: <",
    ] {
        assert!(text.contains(field), "{field} in\n{text}");
    }
    assert!(text.ends_with("\r\n\r\ntest content.\r\n"), "{text}");
}
