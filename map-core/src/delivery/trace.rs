//! The events of a delivery for programs that listen by the `tracing` crate (feature `tracing`).
//!
//! Target `mapagent`; level `DEBUG` for what happens, no level for content: neither fields nor contents are told.

use super::outcome::Attempt;
use crate::net::tls::{TlsError, TlsFacts};
use crate::smtp::Event;
use std::net::IpAddr;

const TARGET: &str = "mapagent";

pub(super) fn exchange(host: &str, address: Option<IpAddr>, event: &Event) {
    match event {
        Event::Sent { stage, .. } => {
            tracing::debug!(target: TARGET, host, ?address, ?stage, "sent");
        }
        Event::Received { stage, reply, .. } => {
            tracing::debug!(target: TARGET, host, ?address, ?stage, code = %reply.code, "received");
        }
        Event::Ready(capabilities) => {
            tracing::debug!(target: TARGET, host, ?address, ?capabilities, "ready");
        }
        _ => {}
    }
}

pub(super) fn handshake(host: &str, address: Option<IpAddr>, handshake: &Result<TlsFacts, TlsError>) {
    match handshake {
        Ok(facts) => tracing::debug!(
            target: TARGET,
            host,
            ?address,
            version = facts.version,
            cipher_suite = facts.cipher_suite,
            verified = facts.verified.as_str(),
            "tls"
        ),
        Err(error) => tracing::debug!(target: TARGET, host, ?address, %error, "no tls"),
    }
}

pub(super) fn attempt(attempt: &Attempt) {
    tracing::debug!(
        target: TARGET,
        host = attempt.host(),
        address = ?attempt.address(),
        stage = attempt.stage().as_str(),
        outcome = attempt.outcome().as_str(),
        detail = attempt.detail(),
        elapsed = ?attempt.duration(),
        "attempt over"
    );
}
