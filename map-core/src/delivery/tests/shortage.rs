//! What this machine lacks is nobody else's fault, and proves nothing about anybody.

use super::*;
use crate::local::LocalError;
use crate::net::{NotAsked, Port25Finding, ProbeHosts};

const NO_DESCRIPTOR: Peer = Peer::Errno(libc::EMFILE);
const ACCEPTS: Peer = Peer::Says(&["hang"]);
const REFUSED: Peer = Peer::Later(io::ErrorKind::ConnectionRefused);

#[tokio::test(start_paused = true)]
async fn a_shortage_ends_it_and_no_other_host_is_tried() {
    let rows = [
        (
            libc::EMFILE,
            "no file descriptors left in this process",
            "ulimit -n",
        ),
        (
            libc::ENFILE,
            "no file descriptors left on this machine",
            "fs.file-max",
        ),
        (libc::ENOMEM, "no memory left", "memory"),
        (libc::ENOBUFS, "no network buffers left", "send less at once"),
        (libc::EADDRNOTAVAIL, "no local ports left", "ip_local_port_range"),
    ];
    for (number, what, remedy) in rows {
        let mut world = World::new(&[&[(A, Peer::Errno(number)), (B, GOOD)], &[(C, GOOD)]]);
        world.port25 = Some(Arc::new(Port25::new(ProbeHosts::default())));
        let sent = world.send().await;
        sent.assert(
            &format!("RE_LOCAL: <{what}>."),
            Delivered::No,
            true,
            Some("4.3.0"),
        );
        assert_eq!(sent.connected.len(), 1, "{what}");
        assert_eq!(sent.report.attempts().len(), 1);
        assert!(
            sent.report.port25().is_none(),
            "the network was suspected of {what}"
        );
        let summary = sent.report.summary();
        assert_eq!(summary.stage(), Stage::Connect);
        assert!(summary.advice().contains(remedy), "{}", summary.advice());
        assert!(!summary.advice().contains("firewall"), "{}", summary.advice());
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_met_before_is_not_blamed() {
    for before in [REFUSED, Peer::Says(&["421 busy"])] {
        let world = World::new(&[&[(A, before)], &[(B, NO_DESCRIPTOR)], &[(C, GOOD)]]);
        let sent = world.send().await;
        let reply = "RE_LOCAL: <no file descriptors left in this process>.";
        sent.assert(reply, Delivered::No, true, Some("4.3.0"));
        assert_eq!(sent.connected, [A, B]);
    }
}

#[tokio::test(start_paused = true)]
async fn over_ipv6_no_address_is_no_way() {
    let no_address = Peer::Errno(libc::EADDRNOTAVAIL);
    let sent = World::new(&[&[(A6, no_address), (A, GOOD)]]).send().await;
    assert_eq!(sent.report.reply(), &MapReply::Success);
}

#[tokio::test(start_paused = true)]
async fn a_question_to_the_dns_that_was_not_asked_says_nothing_of_the_domain() {
    let short = || Err(LookupError::Local(LocalError::Descriptors));
    let reply = "RE_LOCAL: <no file descriptors left in this process>.";
    let questions = [
        ("example.org", RecordType::Mx),
        ("mx1.example.org", RecordType::A),
        ("mx1.example.org", RecordType::Aaaa),
    ];
    for (name, record_type) in questions {
        let mut world = World::new(&[&[(A, REFUSED)], &[(B, GOOD)]]);
        world.zone.insert(name, record_type, short());
        if record_type != RecordType::Mx {
            world
                .zone
                .records
                .remove(&("mx1.example.org".to_owned(), RecordType::A));
            world.zone.insert(name, record_type, short());
        }
        let sent = world.send().await;
        sent.assert(reply, Delivered::No, true, Some("4.3.0"));
        assert!(sent.connected.is_empty(), "{name} {record_type:?}");
        assert_eq!(sent.report.summary().stage(), Stage::Route);
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_host_that_could_not_be_asked_proves_no_block() {
    let probe_hosts = |mail: Peer, web: Peer| {
        let mut world = World::new(&[&[(A, REFUSED)]]);
        for (name, address, peer, is_mail) in [
            ("w1.example.net", "198.51.100.1", REFUSED, true),
            ("w2.example.net", "198.51.100.2", mail, true),
            ("www1.example.net", "198.51.100.3", web, false),
        ] {
            let address: IpAddr = address.parse().expect("an address");
            world
                .zone
                .insert(name, RecordType::A, Ok(vec![Record::Address(address)]));
            if is_mail {
                world.network.peers.insert(address, [peer].into());
            } else {
                world.network.web.insert(address, peer);
            }
        }
        let names = ProbeHosts::new(["w1.example.net", "w2.example.net"], ["www1.example.net"]);
        world.port25 = Some(Arc::new(Port25::new(names.expect("probe hosts"))));
        world
    };
    let finding = |sent: &Sent| sent.report.port25().expect("evidence").finding();
    let asked = probe_hosts(REFUSED, ACCEPTS).send().await;
    assert_eq!(finding(&asked), Port25Finding::BlockedOnTheWay { certain: true });
    for (mail, web) in [(NO_DESCRIPTOR, ACCEPTS), (REFUSED, NO_DESCRIPTOR)] {
        let sent = probe_hosts(mail, web).send().await;
        assert_eq!(finding(&sent), Port25Finding::NotAsked(NotAsked::NoProbeHost));
        sent.assert("RE_SERVER_UNREACH.", Delivered::No, true, Some("4.4.1"));
    }

    // `connect()` forbids port 25 of a host, and whether it forbids another could not be seen.
    let forbidden = Peer::Immediate(io::ErrorKind::PermissionDenied);
    let mut world = probe_hosts(Peer::Says(&["220 ready", "221 bye"]), ACCEPTS);
    let host: IpAddr = A.parse().expect("an address");
    world.network.peers.insert(host, [forbidden].into());
    world.network.web.insert(host, NO_DESCRIPTOR);
    assert_eq!(finding(&world.send().await), Port25Finding::Open);
}
