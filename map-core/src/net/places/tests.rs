//! Who has a place, and who has to wait for one.

use super::*;
use crate::net::CancelSignal;
use futures_util::poll;
use std::future::pending;
use tokio::time::Instant;

fn limits(total: Option<Duration>) -> Limits {
    let now = Instant::now();
    Limits {
        cancel: CancelSignal::default(),
        total: total.map(|total| now + total),
        content_start: now + Duration::from_secs(300),
    }
}

fn peer(number: u8) -> Peer {
    Peer::Address(SocketAddr::from(([192, 0, 2, number], 25)))
}

async fn session(send: &PlacesOfSend, number: u8) -> SessionPlace {
    let place = send.session(&mut limits(None), peer(number)).await;
    place.expect("a place")
}

fn too_many<T>() -> Result<T, GivenUp> {
    Err(GivenUp::NoPlace(LocalError::TooManyAtOnce))
}

#[test]
fn there_are_places_for_a_quarter_and_one_at_least() {
    let rows = [
        (Some(0), [1, 1, 1]),
        (Some(16), [2, 1, 1]),
        (Some(256), [32, 5, 2]),
        (Some(1024), [128, 21, 10]),
        (Some(4096), [200, 85, 42]),
    ];
    for (descriptors, expected) in rows {
        let places = Places::among(descriptors);
        let free =
            [&places.sessions, &places.beginning, &places.slow].map(|pool| pool.places.available_permits());
        assert_eq!(free, expected, "{descriptors:?}");
    }
    let parts = Places::among(Some(1024));
    assert_eq!(
        [&parts.sessions, &parts.beginning, &parts.slow].map(|pool| pool.of_a_send),
        [16, 5, 1]
    );
}

#[test]
fn all_agents_of_a_process_share_them() {
    let [one, other] = [Places::of_this_process(), Places::of_this_process()];
    assert!(Arc::ptr_eq(&one.sessions.places, &other.sessions.places));
    assert!(Arc::ptr_eq(&one.hosts, &other.hosts));
    // As a child finds them that was forked while its parent had them all.
    *OF_THE_PROCESS.lock().expect("nobody panics with it") = Some(OfProcess {
        process: std::process::id() + 1,
        descriptors: descriptors(),
        places: one.clone(),
    });
    let of_child = Places::of_this_process();
    assert!(!Arc::ptr_eq(&of_child.sessions.places, &one.sessions.places));
    assert!(Arc::ptr_eq(
        &of_child.sessions.places,
        &Places::of_this_process().sessions.places
    ));
    // As a child finds them that was forked while a thread of its parent looked at them.
    let _held = OF_THE_PROCESS.lock().expect("nobody panics with it");
    let alone = Places::of_this_process();
    assert!(!Arc::ptr_eq(&alone.sessions.places, &of_child.sessions.places));
}

#[tokio::test(start_paused = true)]
async fn who_waits_hears_the_callers_limits_and_no_other() {
    let places = Arc::new(Semaphore::new(1));
    let first = limits(None).place(&places).await.expect("there is one");

    let mut waiting = limits(Some(Duration::from_secs(10)));
    assert_eq!(waiting.place(&places).await.map(drop), Err(Abort::Deadline));

    let mut waiting = limits(None);
    waiting.cancel.cancel();
    assert_eq!(waiting.place(&places).await.map(drop), Err(Abort::Cancelled));

    // Time to the first octet of content is not used up by waiting.
    let mut waiting = limits(None);
    let before = waiting.content_start;
    let leave = async {
        tokio::time::sleep(Duration::from_secs(1000)).await;
        drop(first);
    };
    let (place, ()) = tokio::join!(waiting.place(&places), leave);
    assert!(place.is_ok());
    assert_eq!(waiting.content_start, before + Duration::from_secs(1000));
}

#[tokio::test(start_paused = true)]
async fn a_send_leaves_places_for_others() {
    let places = Places::with(16, 1, 1);
    let [one, other] = [places.of_a_send(), places.of_a_send()];
    let held = [session(&one, 1).await, session(&one, 2).await];
    let mut short = limits(Some(Duration::from_secs(1)));
    assert_eq!(one.session(&mut short, peer(3)).await.map(drop), too_many());
    // What it waits for is its own: all others have theirs at once.
    let mut third = limits(None);
    let mut third = pin!(one.session(&mut third, peer(3)));
    assert!(poll!(third.as_mut()).is_pending());
    drop(session(&other, 3).await);
    drop(held);
    assert!(poll!(third.as_mut()).is_ready());
}

#[tokio::test(start_paused = true)]
async fn one_address_has_five_sessions_whoever_wants_them() {
    let places = Places::with(64, 1, 1);
    let mut held = Vec::new();
    for _ in 0..MAX_SESSIONS_WITH_ONE {
        held.push(session(&places.of_a_send(), 1).await);
    }
    let sixth = places.of_a_send();
    let mut short = limits(Some(Duration::from_secs(1)));
    assert_eq!(
        sixth.session(&mut short, peer(1)).await.map(drop),
        Err(GivenUp::NoPlace(LocalError::TooManyToOneHost))
    );
    let mut waiting = limits(None);
    let mut waiting = pin!(sixth.session(&mut waiting, peer(1)));
    assert!(poll!(waiting.as_mut()).is_pending());
    drop(session(&places.of_a_send(), 2).await);
    held.pop();
    assert!(poll!(waiting.as_mut()).is_ready());

    // A name that a proxy looks up is a host, and another port is another one.
    let name = |port| Peer::Name(HostName::parse("mx.example.org").expect("a name"), port);
    for _ in 0..MAX_SESSIONS_WITH_ONE {
        let place = places.of_a_send().session(&mut limits(None), name(25)).await;
        held.push(place.expect("a place"));
    }
    let mut sixth = limits(Some(Duration::from_secs(1)));
    let sixth = places.of_a_send().session(&mut sixth, name(25)).await;
    assert!(sixth.is_err());
    let other = places.of_a_send().session(&mut limits(None), name(465)).await;
    assert!(other.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_others_keeps_nobody_from_its_host() {
    let places = Places::with(1, 1, 1);
    let held = session(&places.of_a_send(), 2).await;
    let sends: Vec<_> = (0..MAX_SESSIONS_WITH_ONE).map(|_| places.of_a_send()).collect();
    let waiting = sends.iter().map(|send| session(send, 1));
    let mut waiting = Box::pin(futures_util::future::join_all(waiting));
    assert!(poll!(waiting.as_mut()).is_pending());
    // None of them has a session with the host.
    let mut short = limits(Some(Duration::from_secs(1)));
    let sixth = places.of_a_send().session(&mut short, peer(1)).await;
    assert_eq!(sixth.map(drop), too_many());
    drop(held);
    let first = tokio::time::timeout(Duration::from_secs(1), waiting).await;
    assert!(first.is_err(), "one has the place, and the others wait for it");
    drop(session(&places.of_a_send(), 1).await);
}

/// A zone that takes three seconds, beside silent ones that nobody ends.
#[tokio::test(start_paused = true)]
async fn a_slow_look_up_has_its_turn_beside_silent_ones() {
    let places = Places::with(1, 2, 1);
    let sends: Vec<_> = (0..8).map(|_| places.of_a_send()).collect();
    let silent = sends.iter().map(async |send| {
        let _ = send.look_up(&mut limits(None), |_| pending::<()>()).await;
    });
    let mut silent = pin!(futures_util::future::join_all(silent));
    assert!(poll!(silent.as_mut()).is_pending());
    let since = Instant::now();
    let honest = places.of_a_send();
    let mut of_honest = limits(None);
    let looking_up = honest.look_up(&mut of_honest, |_| sleep(Duration::from_secs(3)));
    tokio::select! {
        biased;
        _ = silent => panic!("they are silent"),
        found = looking_up => assert_eq!(found, Ok(())),
    }
    assert!(since.elapsed() < 9 * STAYS, "{:?}", since.elapsed());
}

/// A zone whose second answer is in a cache needs no place for slow ones.
#[tokio::test(start_paused = true)]
async fn a_look_up_that_waits_has_another_turn() {
    let places = Places::with(1, 1, 1);
    let silent = places.of_a_send();
    let mut of_silent = limits(None);
    let mut silent = pin!(silent.look_up(&mut of_silent, |_| pending::<()>()));
    assert!(poll!(silent.as_mut()).is_pending());
    let honest = places.of_a_send();
    let mut of_honest = limits(None);
    let made = std::cell::Cell::new(0);
    let since = Instant::now();
    let looking_up = honest.look_up(&mut of_honest, |_| {
        made.set(made.get() + 1);
        sleep(Duration::from_secs(if made.get() == 1 { 3 } else { 0 }))
    });
    tokio::select! {
        biased;
        _ = silent => panic!("it is silent"),
        found = looking_up => assert_eq!(found, Ok(())),
    }
    assert_eq!((made.get(), since.elapsed()), (2, 2 * GIVES_WAY));
}

/// Whatever way a wait or a session ends.
#[tokio::test(start_paused = true)]
async fn every_place_is_given_back() {
    let places = Places::with(8, 4, 1);
    let held = session(&places.of_a_send(), 1).await;
    let one = places.of_a_send();
    let first = session(&one, 1).await;
    {
        let mut dropped = limits(None);
        let mut dropped = pin!(one.session(&mut dropped, peer(2)));
        assert!(poll!(dropped.as_mut()).is_pending());
    }
    let mut cancelled = limits(None);
    cancelled.cancel.cancel();
    let cancelled = places.of_a_send().session(&mut cancelled, peer(3)).await;
    assert_eq!(cancelled.map(drop), Err(GivenUp::Reached(Abort::Cancelled)));
    drop((held, first));
    assert_eq!(one.sessions.own.available_permits(), 1);
    let looked_up = one.look_up(&mut limits(None), |_| async { 7 }).await;
    assert_eq!(looked_up, Ok(7));
    for seconds in [1, 3] {
        let mut short = limits(Some(Duration::from_secs(seconds)));
        let silent = one.look_up(&mut short, |_| pending::<()>()).await;
        assert_eq!(silent, Err(GivenUp::Reached(Abort::Deadline)));
    }
    for (pool, all) in [(&places.sessions, 8), (&places.beginning, 4), (&places.slow, 1)] {
        assert_eq!(pool.places.available_permits(), all);
    }
    assert!(places.hosts.0.lock().expect("unpoisoned").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_is_silent_makes_room() {
    let places = Places::with(1, 2, 1);
    // One is slow and stays so, the others have to wait for its place.
    let sends: Vec<_> = (0..20).map(|_| places.of_a_send()).collect();
    let mut silent = futures_util::stream::FuturesUnordered::new();
    for send in &sends {
        silent.push(async {
            let mut limits = limits(None);
            let _ = send.look_up(&mut limits, |_| pending::<()>()).await;
        });
    }
    let honest = places.of_a_send();
    let mut of_honest = limits(None);
    let quick = |_| tokio::time::sleep(Duration::from_millis(100));
    let looking_up = honest.look_up(&mut of_honest, quick);
    let since = Instant::now();
    tokio::select! {
        biased;
        _ = futures_util::StreamExt::next(&mut silent) => panic!("it is silent"),
        found = looking_up => assert_eq!(found, Ok(())),
    }
    assert!(since.elapsed() < 11 * GIVES_WAY, "{:?}", since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_slow_look_up_is_made_again_where_it_had_to_make_room() {
    let places = Places::with(1, 1, 1);
    let slow = || tokio::time::sleep(Duration::from_secs(5));
    // Where there is room, it goes on as it began.
    let since = Instant::now();
    let alone = places.of_a_send().look_up(&mut limits(None), |_| slow()).await;
    assert_eq!((alone, since.elapsed()), (Ok(()), Duration::from_secs(5)));

    let since = Instant::now();
    let [first, second] = [places.of_a_send(), places.of_a_send()];
    let [mut limits_first, mut limits_second] = [limits(None), limits(None)];
    let made = std::cell::Cell::new(0);
    let second = second.look_up(&mut limits_second, |_| {
        made.set(made.get() + 1);
        slow()
    });
    let (one, other) = tokio::join!(first.look_up(&mut limits_first, |_| slow()), second);
    assert_eq!((one, other), (Ok(()), Ok(())));
    // It began at 2 s, gave way at 4 and took another turn, had its place at 5, and then its five seconds.
    assert_eq!((made.get(), since.elapsed()), (3, Duration::from_secs(10)));
    // A second that it waited for its place, as before it began, is not its own.
    assert_eq!(
        limits_second.content_start,
        since + Duration::from_secs(300 + 2 + 1)
    );
}
