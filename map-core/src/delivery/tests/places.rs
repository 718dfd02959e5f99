//! Many mails at once, and few places for them.

use super::*;
use crate::delivery::RelaySecurity;
use futures_util::future::join;
use std::pin::pin;

/// What a mail waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Site {
    RouteOfDomain,
    AddressOfRelay,
    AddressOfHost,
    Session,
}

const SITES: [Site; 4] = [
    Site::RouteOfDomain,
    Site::AddressOfRelay,
    Site::AddressOfHost,
    Site::Session,
];

/// Sends a mail that never gets the place that it needs there.
async fn send_and_wait_at(site: Site, change: impl FnOnce(&mut World)) -> Sent {
    let mut world = World::new(&[&[(A, GOOD)]]);
    world.places = Places::with(1, 1);
    let places = match site {
        Site::Session => Arc::clone(&world.places.sessions),
        _ => Arc::clone(&world.places.look_ups),
    };
    if site == Site::AddressOfRelay {
        let relay = Relay::new("relay.example.net", 25, RelaySecurity::Clear);
        world.relay = Some(relay.expect("a relay"));
    }
    change(&mut world);
    let first = Arc::clone(&places).try_acquire_owned().expect("a place");
    let mut sending = pin!(world.send());
    assert!(futures_util::poll!(sending.as_mut()).is_pending());
    if site != Site::AddressOfHost {
        return sending.await;
    }
    // Who came second has the place that the first one gives back, and keeps it.
    let second = pin!(join(places.acquire_owned(), pending::<()>()));
    let first = async {
        drop(first);
        pending::<()>().await;
    };
    tokio::select! {
        biased;
        sent = sending => sent,
        _ = second => unreachable!("it never ends"),
        () = first => unreachable!("it never ends"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_before_its_turn_is_no_fault_of_a_host() {
    for site in SITES {
        let sent = send_and_wait_at(site, |world| world.deadline = Some(Duration::from_secs(30))).await;
        let reply = "RE_LOCAL: <too many mails under way at once in this program>.";
        sent.assert(reply, Delivered::No, true, Some("4.3.0"));
        let summary = sent.report.summary();
        assert_eq!(summary.stage(), Stage::Route, "{site:?}");
        for words in [
            "Time ran out before the mail had its turn",
            "Send fewer at once",
            "ulimit -n",
        ] {
            assert!(summary.advice().contains(words), "{}", summary.advice());
        }
        assert!(!summary.advice().contains("looked up"), "{}", summary.advice());
        assert!(sent.connected.is_empty(), "{site:?}");
        let asked = sent.asked.iter().any(|(name, _)| name == "mx1.example.org");
        assert_eq!(asked, site == Site::Session, "{site:?}");
        let route_asked = sent.asked.iter().any(|(name, _)| name == "example.org");
        assert_eq!(
            route_asked,
            matches!(site, Site::AddressOfHost | Site::Session),
            "{site:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cancelled_before_its_turn_is_cancelled() {
    for site in SITES {
        let cancel = CancelSignal::default();
        let sending = send_and_wait_at(site, |world| world.cancel = cancel.clone());
        let mut sending = pin!(sending);
        assert!(futures_util::poll!(sending.as_mut()).is_pending());
        cancel.cancel();
        let sent = sending.await;
        sent.assert("RE_CANCELLED.", Delivered::No, false, None);
        assert!(sent.connected.is_empty(), "{site:?}");
    }
}
