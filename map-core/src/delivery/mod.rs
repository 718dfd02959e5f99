//! One message over one route: attempts, verdict, report, transcript.

mod report;

pub use report::{Attempt, AttemptOutcome, Delivered, RecipientReport, Report, Stage};
