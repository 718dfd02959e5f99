//! One message over one route: attempts, verdict, report, transcript.
//!
//! ```text
//! Message ──> route::find ──> for each host: route::addresses
//!                                 └─ for each address: connect, converse      (attempts)
//!                                       └─ per recipient an smtp::Outcome = a Cause
//!             all Causes of a recipient ──> the one that decides ──> Verdict  (verdict)
//!             Verdicts, attempts, dialogue ──> Report                         (report, advice, transcript)
//! ```
//!
//! [`verdict`] is the one place that maps causes to MAP replies and decides transient or permanent.

mod advice;
mod attempts;
mod hello;
mod port25;
mod protection;
mod relay;
mod report;
#[cfg(feature = "tracing")]
mod trace;
mod transcript;
mod verdict;

#[cfg(test)]
mod tests;

pub use hello::HelloName;
pub use protection::TlsPolicy;
pub use relay::{Relay, RelayError, RelaySecurity};
pub use report::{Attempt, AttemptOutcome, Delivered, RecipientReport, Report, Stage};

pub(crate) use attempts::{Progress, deliver};
pub(crate) use report::{Asked, rejected};
pub(crate) use verdict::Cause;

use crate::net::{Connector, Port25};
use crate::route::{Policy, Resolver};
use crate::smtp;
use std::sync::Arc;
use std::time::Duration;

/// What deliveries of one agent share: the way to the network and the agent's settings.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) policy: Policy,
    pub(crate) smtp_port: u16,
    pub(crate) hello_name: HelloName,
    pub(crate) connect_timeout: Duration,
    pub(crate) deadlines: smtp::Deadlines,
    /// `None` when the question whether port 25 is blocked is switched off.
    pub(crate) port25: Option<Arc<Port25>>,
}
