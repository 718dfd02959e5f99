//! What a report says beside its verdict: each thing once, and no more of it than a person reads.
//!
//! What there is to be said depends on strangers: a zone may name thousands of hosts that cannot be used, and a message
//! may have thousands of recipients, each with such a zone.

use crate::route::Dropped;
use crate::text::one_line;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Warnings that are kept; of the others only the number is.
const MAX_WARNINGS: usize = 64;
/// Octets of one warning that are kept: it may quote names and reasons that strangers chose.
const MAX_OCTETS: usize = 1024;
/// Different warnings that are told apart. What comes after them is not even counted, so that a set of a few dozen KiB is
/// enough to know what was said before.
const MAX_COUNTED: usize = 4096;
/// Hosts of a domain, or addresses of a host, that are named when they are left out; of the others only the number is.
const MAX_NAMED: usize = 4;

/// Warnings in the order in which they came, within bounds.
#[derive(Clone, Debug, Default)]
pub(super) struct Warnings {
    kept: Vec<String>,
    /// Of those that were left out, too.
    seen: HashSet<u64>,
    is_overfull: bool,
}

impl Warnings {
    pub(super) fn add(&mut self, warning: &str) {
        let mut warning = one_line(beginning(warning));
        warning.truncate(beginning(&warning).len());
        if self.is_new(hash(&warning)) && self.kept.len() < MAX_WARNINGS {
            self.kept.push(warning);
        }
    }

    /// What one look-up left out; `what` are all of them, such as "mail exchangers of example.org".
    pub(super) fn leave_out(&mut self, dropped: &[Dropped], of: &str, what: &str) {
        for dropped in dropped.iter().take(MAX_NAMED) {
            self.add(&format!("{}{of} was left out: {}", dropped.what, dropped.why));
        }
        if let Some(more) = dropped.len().checked_sub(MAX_NAMED).filter(|more| *more > 0) {
            self.add(&format!("… and {more} more {what} were left out"));
        }
    }

    /// Adds what another delivery had to say.
    pub(super) fn merge(&mut self, other: &Self) {
        for warning in &other.kept {
            self.add(warning);
        }
        for &hash in &other.seen {
            self.is_new(hash);
        }
        self.is_overfull |= other.is_overfull;
    }

    /// Those that are kept, and how many are not.
    pub(super) fn into_vec(self) -> Vec<String> {
        let left_out = self.seen.len().saturating_sub(self.kept.len());
        let at_least = if self.is_overfull { "at least " } else { "" };
        let mut warnings = self.kept;
        if left_out > 0 {
            warnings.push(format!("… and {at_least}{left_out} more warnings were left out"));
        }
        warnings
    }

    fn is_new(&mut self, hash: u64) -> bool {
        if self.seen.len() < MAX_COUNTED {
            return self.seen.insert(hash);
        }
        self.is_overfull |= !self.seen.contains(&hash);
        false
    }
}

/// The same for every set, so that sets can be put together. Who finds two warnings of one hash hides one of his own.
fn hash(warning: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    warning.hash(&mut hasher);
    hasher.finish()
}

fn beginning(warning: &str) -> &str {
    let mut end = warning.len().min(MAX_OCTETS);
    while !warning.is_char_boundary(end) {
        end -= 1;
    }
    warning.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::RouteError;

    #[test]
    fn each_is_said_once_and_the_rest_is_counted() {
        let mut warnings = Warnings::default();
        for round in 0..3 {
            for number in 0..MAX_WARNINGS + 58 {
                warnings.add(&format!("{number} is odd"));
            }
            assert_eq!(warnings.kept.len(), MAX_WARNINGS, "{round}");
        }
        let mut other = Warnings::default();
        other.add("1 is odd");
        other.add("something else");
        warnings.merge(&other);
        let said = warnings.into_vec();
        assert_eq!(said.len(), MAX_WARNINGS + 1);
        assert_eq!(
            said.last().map(String::as_str),
            Some("… and 59 more warnings were left out")
        );

        let mut few = Warnings::default();
        few.add("one");
        few.add("one");
        assert_eq!(few.into_vec(), ["one"]);
    }

    #[test]
    fn a_hundred_times_the_bounds_takes_no_more_than_the_bounds() {
        let mut warnings = Warnings::default();
        let long = "x".repeat(100 * MAX_OCTETS);
        for number in 0..100 * MAX_COUNTED {
            warnings.add(&format!("{number}{}", if number < 100 { &long } else { "" }));
        }
        assert_eq!(warnings.seen.len(), MAX_COUNTED);
        let octets: usize = warnings.kept.iter().map(String::len).sum();
        assert!(octets <= MAX_WARNINGS * MAX_OCTETS, "{octets}");
        let said = warnings.into_vec();
        let left_out = MAX_COUNTED - MAX_WARNINGS;
        assert_eq!(
            said.last().cloned(),
            Some(format!("… and at least {left_out} more warnings were left out"))
        );
    }

    #[test]
    fn what_a_stranger_s_zone_names_is_summed_up() {
        let dropped: Vec<_> = (0..62)
            .map(|number| Dropped {
                what: format!("192.0.2.{number}"),
                why: RouteError::ForbiddenTarget,
            })
            .collect();
        let mut warnings = Warnings::default();
        warnings.leave_out(&dropped, " of mx.example", "addresses of mx.example");
        let said = warnings.into_vec();
        assert_eq!(said.len(), MAX_NAMED + 1);
        assert!(
            said[0].starts_with("192.0.2.0 of mx.example was left out: "),
            "{said:?}"
        );
        assert_eq!(
            said[MAX_NAMED],
            "… and 58 more addresses of mx.example were left out"
        );
    }

    #[test]
    fn a_warning_is_one_line_and_no_more_than_its_beginning() {
        let mut warnings = Warnings::default();
        warnings.add("mx\u{1b}[2J\nS: RE_SUCCESS.");
        warnings.add(&"ü".repeat(MAX_OCTETS));
        let said = warnings.into_vec();
        assert_eq!(said[0], "mx\\u{1b}[2J\\nS: RE_SUCCESS.");
        assert_eq!(said[1].len(), MAX_OCTETS);
    }
}
