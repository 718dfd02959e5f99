//! Many mails at once, and few places for them.

use super::recipients::message_to;
use super::*;
use crate::delivery::RelaySecurity;
use crate::net::Peer as Host;
use futures_util::future::join_all;
use std::fmt::Write as _;
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

/// Sends a mail that has no place there for half a minute.
async fn send_and_wait_at(site: Site, change: impl FnOnce(&mut World)) -> Sent {
    let mut world = World::new(&[&[(A, GOOD)]]);
    let places = Places::with(1, 1, 1);
    world.places = places.clone();
    if site == Site::AddressOfRelay {
        let relay = Relay::new("relay.example.net", 25, RelaySecurity::Clear);
        world.relay = Some(relay.expect("a relay"));
    }
    change(&mut world);
    let holders: Vec<_> = (0..20).map(|_| places.of_a_send()).collect();
    let mut sending = pin!(world.send());
    if site == Site::Session {
        let elsewhere = Host::Address(SocketAddr::from(([192, 0, 2, 99], 25)));
        let _session = holders[0].session(&mut limits(), elsewhere).await;
        return sending.await;
    }
    // One of them has the place for slow ones, and each of the others takes its turn for two seconds.
    let crowd = holders.iter().map(async |holder| {
        let _ = holder.look_up(&mut limits(), |_| pending::<()>()).await;
    });
    let mut crowd = pin!(join_all(crowd));
    if site == Site::AddressOfHost {
        // The mail is first to come, and then everybody comes between.
        let first = places.of_a_send();
        let mut of_first = limits();
        let mut first = pin!(first.look_up(&mut of_first, |_| tokio::task::yield_now()));
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        assert!(futures_util::poll!(sending.as_mut()).is_pending());
        assert!(futures_util::poll!(crowd.as_mut()).is_pending());
        assert!(first.await.is_ok());
    } else {
        assert!(futures_util::poll!(crowd.as_mut()).is_pending());
    }
    tokio::select! {
        biased;
        sent = sending => sent,
        _ = crowd => unreachable!("it never ends"),
    }
}

fn limits() -> Limits {
    Limits {
        cancel: CancelSignal::default(),
        total: None,
        content_start: Instant::now() + Duration::from_secs(300),
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
        tokio::time::sleep(Duration::from_secs(1)).await;
        cancel.cancel();
        let sent = sending.await;
        sent.assert("RE_CANCELLED.", Delivered::No, false, None);
        assert!(sent.connected.is_empty(), "{site:?}");
    }
}

/// A mail to as many domains, each with a host of its own that behaves so; `None` where its DNS says nothing.
async fn hostile(places: Places, number: u8, domains: u8, host: Option<Peer>) -> Sent {
    let mut world = World::new(&[&[(A, GOOD)]]);
    world.places = places;
    let mut recipients = String::new();
    for domain in 0..domains {
        let name = format!("d{domain}.example");
        let _ = write!(recipients, "bob@{name}, ");
        match &host {
            Some(peer) => {
                let address = format!("198.51.{number}.{domain}");
                world.add_domain(&name, &[(&address, peer.clone())]);
            }
            None => world
                .zone
                .insert(&name, RecordType::Mx, Err(LookupError::NoAnswer)),
        }
    }
    world.send_message(&message_to(&recipients)).await
}

/// An honest mail that is sent when all of these have begun; they must not end before it.
async fn honest_beside(hostile: impl Future<Output = Vec<Sent>>, places: &Places) -> Sent {
    let mut hostile = pin!(hostile);
    let begun = tokio::time::sleep(Duration::from_secs(1));
    tokio::select! {
        biased;
        _ = hostile.as_mut() => panic!("the hostile ones have ended"),
        () = begun => {}
    }
    let mut world = World::new(&[&[(B, GOOD)]]);
    world.places = places.clone();
    tokio::select! {
        biased;
        _ = hostile => panic!("the hostile ones have ended"),
        sent = world.send() => sent,
    }
}

#[tokio::test(start_paused = true)]
async fn silent_zones_hold_up_no_other_mail() {
    // As with 256 and with 1024 descriptors.
    for descriptors in [256, 1024] {
        let places = Places::among(Some(descriptors));
        let since = Instant::now();
        let mails = (0..20).map(|number| hostile(places.clone(), number, 60, None));
        let sent = honest_beside(join_all(mails), &places).await;
        sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
        assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
    }
}

const TARPIT: Peer = Peer::Says(&["220 r", "hang"]);

#[tokio::test(start_paused = true)]
async fn tarpits_of_a_few_mails_leave_places_for_others() {
    let places = Places::with(16, 32, 16);
    let mails = (0..7).map(|number| hostile(places.clone(), number, 8, Some(TARPIT)));
    let sent = honest_beside(join_all(mails), &places).await;
    sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);
}

#[tokio::test(start_paused = true)]
async fn one_tarpit_has_few_sessions_however_many_mails_it_is_sent() {
    let places = Places::with(8, 32, 16);
    let mails = (0..30).map(|_| {
        let mut world = World::new(&[&[(A, TARPIT)]]);
        world.places = places.clone();
        world.send()
    });
    let sent = honest_beside(join_all(mails), &places).await;
    sent.assert("RE_SUCCESS.", Delivered::Yes, false, None);

    let to_it = (0..30).map(|number| {
        let mut world = World::new(&[&[(A, TARPIT)]]);
        world.places = places.clone();
        world.deadline = Some(Duration::from_secs(60));
        async move { (number, world.send().await) }
    });
    for (number, sent) in join_all(to_it).await {
        let reply = sent.report.reply().to_string();
        if number < 5 {
            assert_eq!(reply, "RE_SERVER_UNREACH.", "{number}");
        } else {
            let why = "RE_LOCAL: <too many mails under way at once to the same mail host>.";
            assert_eq!(reply, why, "{number}");
            assert!(sent.connected.is_empty());
        }
    }
}
