//! The agent behind `map_send`: the only global of the library.

use super::{Agent, Config};
use crate::delivery::Report;
use arc_swap::ArcSwapOption;
use std::sync::Arc;

// Never locked, so that a forked child can use it whatever the parent's threads did at the time.
static DEFAULT: ArcSwapOption<Agent> = ArcSwapOption::const_empty();

/// The agent behind [`send`], made at the first use; in a forked child made anew, with the same configuration.
pub fn default_agent() -> Agent {
    loop {
        let current = DEFAULT.load_full();
        let made = match &current {
            Some(agent) if agent.is_of_this_process() => return Agent::clone(agent),
            Some(agent) => Agent::new(agent.config().clone()),
            None => Agent::new(Config::new()),
        };
        let made = Arc::new(made);
        let previous = DEFAULT.compare_and_swap(&current, Some(Arc::clone(&made)));
        let unchanged = match (&*previous, &current) {
            (Some(previous), Some(current)) => Arc::ptr_eq(previous, current),
            (None, None) => true,
            _ => false,
        };
        if unchanged {
            return Agent::clone(&made);
        }
    }
}

/// Sets the configuration of the default agent from now on. Deliveries under way go on as they began.
pub fn configure_default(config: Config) {
    DEFAULT.store(Some(Arc::new(Agent::new(config))));
}

/// Ends the default agent, and its thread if nothing is under way: for the end of a program that wants to leave nothing
/// behind. The next use makes a new one, with the defaults.
pub fn close_default() {
    drop(DEFAULT.swap(None));
}

/// Sends one mail by the default agent and waits for what became of it.
///
/// # Example
///
/// ```no_run
/// let report = map_core::agent::send("cxw@apple.com", "407184933@qq.com", "test", "test content.");
/// assert_eq!(report.reply().to_string(), "RE_SUCCESS.");
/// ```
pub fn send(from: &str, to: &str, subject: &str, content: &str) -> Report {
    default_agent().send(from, to, subject, content)
}
