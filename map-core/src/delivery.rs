//! One message to its recipients: groups, attempts, verdicts, report, transcript.
//!
//! ```text
//! Message ──> groups of recipients with the same hosts, served at the same time (groups)
//!     group ──> MX hosts, MTA-STS policy ──> for each host: addresses, DANE   (protection)
//!                 └─ for each address, until there is a session: connect, with TLS, in the clear, with HELO
//!                       └─ converse: per recipient an smtp::Outcome = a Cause   (attempts)
//!                            and what follows for that recipient
//!             all Causes of a recipient ──> the one that decides ──> Verdict  (verdict)
//!             Verdicts, attempts, dialogue ──> Report                         (report, advice, transcript)
//! ```
//!
//! [`verdict`] is the one place that maps causes to MAP replies and decides transient or permanent.

mod advice;
mod attempts;
mod broken_tls;
mod groups;
mod hello;
mod host_security;
mod kept;
mod outcome;
mod port25;
mod progress;
mod redaction;
mod redaction_views;
mod refusal;
mod relay;
mod report;
mod summary;
#[cfg(feature = "tracing")]
mod trace;
mod transcript;
mod verdict;
mod warnings;

#[cfg(test)]
mod tests;

pub use hello::HelloName;
pub use outcome::{Attempt, AttemptOutcome, Delivered, Stage, TlsPolicy};
pub use progress::Progress;
pub use relay::{Relay, RelayError, RelaySecurity};
pub use report::{RecipientReport, Report};

pub(crate) use broken_tls::BrokenTls;
pub(crate) use groups::deliver;
pub(crate) use host_security::StsSource;
pub(crate) use outcome::Cause;
pub(crate) use progress::Meter;
pub(crate) use report::{Asked, rejected};

use crate::net::tls::TlsSettings;
use crate::net::{Connector, Places, Port25};
use crate::route::{HostNames, Policy, Resolver};
use crate::smtp;
use std::sync::Arc;
use std::time::Duration;

/// What deliveries of one agent share: the way to the network and the agent's settings.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) resolver: Arc<dyn Resolver>,
    /// Who knows the address of the relay.
    pub(crate) host_names: HostNames,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) policy: Policy,
    pub(crate) smtp_port: u16,
    pub(crate) hello_name: HelloName,
    pub(crate) connect_timeout: Duration,
    pub(crate) deadlines: smtp::Deadlines,
    pub(crate) places: Places,
    pub(crate) chunking: smtp::Chunking,
    /// `None` when the question whether port 25 is blocked is switched off.
    pub(crate) port25: Option<Arc<Port25>>,
    pub(crate) tls: TlsSettings,
    pub(crate) require_tls: bool,
    pub(crate) dane: bool,
    /// `None` when MTA-STS is switched off.
    pub(crate) mta_sts: Option<StsSource>,
    pub(crate) broken_tls: BrokenTls,
    /// Whom all mail is handed to, if not the recipients' own hosts.
    pub(crate) relay: Option<Relay>,
}

impl Environment {
    /// Something is being looked up that is nobody's delivery, to be known to the next.
    pub(crate) fn learns(&self) -> bool {
        self.mta_sts
            .as_ref()
            .is_some_and(|source| source.known.is_looking_up())
    }
}
