//! What is told to listeners by the `tracing` crate.

use super::relay::{PLAIN, forms, logs_in, with_login, world};
use crate::delivery::RelaySecurity;
use crate::smtp::SecretKind;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes every event down, with all of its fields.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<String>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a `String` cannot fail.
        let _ = write!(self.0, "{field}={value:?} ");
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "mapagent"
    }

    fn event(&self, event: &Event<'_>) {
        let mut heard = self.0.lock().expect("unpoisoned");
        event.record(&mut Fields(&mut heard));
        heard.push('\n');
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_told_whether_the_log_in_is_taken_or_refused() {
    let echo: &[&str] = &["535 5.7.8 no: AGFsaWNlAHMzY3JldC1hbmQtbW9yZQ== s3cret-and-more"];
    for auth in [&["235 welcome"][..], echo] {
        let listener = Listener::default();
        let guard = tracing::subscriber::set_default(listener.clone());
        let peer = logs_in(RelaySecurity::Implicit, PLAIN, auth);
        with_login(world(RelaySecurity::Implicit, &[peer]), SecretKind::Password)
            .send()
            .await;
        drop(guard);
        let heard = listener.0.lock().expect("unpoisoned").clone();
        for told in ["message=tls ", "stage=Auth", "message=attempt over"] {
            assert!(heard.contains(told), "{told} in {heard}");
        }
        for form in forms() {
            assert!(!heard.contains(&form), "{heard}");
        }
    }
}
