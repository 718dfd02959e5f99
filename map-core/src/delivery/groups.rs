//! Recipients in groups that are served by the same hosts, and one report of them all.

use super::attempts::{Delivery, Served};
use super::progress::Meter;
use super::report::{Asked, RecipientReport, Report, worst};
use super::verdict::Cause;
use super::{Environment, rejected};
use crate::message::{BodyType, Message, Needs};
use crate::net::Limits;
use std::sync::Arc;

/// Delivers `message` to its recipients.
pub(crate) async fn deliver(
    message: &Message,
    asked: Arc<Asked>,
    environment: &Environment,
    limits: &Limits,
    meter: &Meter,
) -> Report {
    // What hosts offer is not known before they are asked, and 7-bit lines every one of them takes.
    let offered = Needs {
        body_type: BodyType::SevenBit,
        smtputf8: true,
    };
    let message = &match message.for_host(offered) {
        Ok(message) => message,
        Err(unmet) => return rejected(asked, &Cause::Unmet(unmet)),
    };
    let mut merged = Merged::default();
    for group in groups(message, environment) {
        let meter = meter.add_group(message.size());
        let delivery = Delivery::new(message, &group, environment, limits, meter);
        merged.add(delivery.run().await);
        meter.end();
    }
    merged.report(message, asked)
}

/// The places of the recipients of each group: those of one domain, or all where there is a relay.
fn groups(message: &Message, environment: &Environment) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let recipients = message.recipients();
    for (index, recipient) in recipients.iter().enumerate() {
        let belongs = |group: &&mut Vec<usize>| {
            environment.relay.is_some()
                || group
                    .first()
                    .and_then(|&first| recipients.get(first))
                    .is_some_and(|first| first.domain() == recipient.domain())
        };
        match groups.iter_mut().find(belongs) {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    groups
}

/// What became of the groups so far.
#[derive(Default)]
struct Merged {
    recipients: Vec<(usize, RecipientReport)>,
    served: Vec<Served>,
}

impl Merged {
    fn add(&mut self, mut served: Served) {
        self.recipients.append(&mut served.recipients);
        self.served.push(served);
    }

    fn report(mut self, message: &Message, asked: Arc<Asked>) -> Report {
        self.recipients.sort_by_key(|(index, _)| *index);
        let recipients: Vec<_> = self.recipients.into_iter().map(|(_, report)| report).collect();
        let Some(summary) = worst(&recipients).cloned() else {
            return rejected(asked, &Cause::Misuse("a message without a recipient".to_owned()));
        };
        let mut attempts = Vec::new();
        let mut warnings: Vec<String> = message.warnings().iter().map(ToString::to_string).collect();
        let mut port25 = None;
        for served in self.served {
            attempts.extend(served.attempts);
            for warning in served.warnings {
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
            port25 = port25.or(served.port25);
        }
        // Stable: within a group they are in order already.
        attempts.sort_by_key(|attempt| attempt.started);
        Report {
            asked,
            recipients,
            summary,
            attempts,
            message_id: Some(message.message_id().to_owned()).filter(|id| !id.is_empty()),
            warnings,
            port25,
        }
    }
}
