//! The Python door: `mapagent._native`, the Rust half of the package `mapagent`. Nothing but translation.
//!
//! What Python programmers see is documented where they look: in the docstrings and in `_native.pyi`.

#![forbid(unsafe_code)]
#![allow(
    clippy::doc_markdown,
    reason = "docstrings are read in Python, where backticks are no markup"
)]

mod agent;
mod config;
mod dkim;
mod mailbox;
mod message;
mod port25;
mod relay;
mod report;
mod session;
mod text;
mod tls;

/// The private half of `mapagent`; import that instead.
// Sound without the GIL: what the classes hold is `Sync` by Rust's own check, and what is not frozen is borrowed at run
// time, an exception telling who comes second.
#[pyo3::pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::agent::{Agent, configure, restore_default, saved_default, send_message, send_report};
    #[pymodule_export]
    use crate::dkim::DkimSigner;
    #[pymodule_export]
    use crate::mailbox::Mailbox;
    #[pymodule_export]
    use crate::message::{HeaderWriter, Message, Part, Progress, parse_addresses, seven_bit};
    #[pymodule_export]
    use crate::port25::Port25Evidence;
    #[pymodule_export]
    use crate::relay::Relay;
    #[pymodule_export]
    use crate::report::{Attempt, Outcome, RecipientReport, Report};
    #[pymodule_export]
    use crate::session::StreamSession;
    #[pymodule_export]
    use crate::tls::TlsSession;

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the name Python expects")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    /// How often a progress is told while a send is under way, in seconds.
    #[pymodule_export]
    const PROGRESS_INTERVAL: f64 = map_core::agent::PROGRESS_INTERVAL.as_secs_f64();

    use pyo3::prelude::*;

    /// A text without what could end its line or steer a terminal: what the command prints.
    #[pyfunction]
    fn one_line(text: &str) -> String {
        map_core::text::one_line(text)
    }

    /// The same, cut where an argument is repeated in an error.
    #[pyfunction]
    fn named(text: &str) -> String {
        map_core::text::named(text).to_string()
    }

    /// Every reply as `(name, number)`: what `mapagent.Reply` is tested against.
    #[pyfunction]
    fn replies() -> Vec<(&'static str, i32)> {
        map_core::MapReplyCode::ALL
            .iter()
            .map(|code| (code.name(), *code as i32))
            .collect()
    }
}
