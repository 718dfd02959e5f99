//! What a report keeps of what hosts say.
//!
//! A host chooses how much it says: 16 KiB in each reply, a reply to each recipient, in each session. A report keeps what
//! a person may want to read of it, and counts the rest.

use super::outcome::{Attempt, Line};
use crate::smtp::Reply;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Octets of the replies that one report keeps whole. Those of a message to ten thousand recipients, each answered with a
/// line of its own, fit in it.
const WHOLE: usize = 2 * 1024 * 1024;
/// Octets of what it keeps of those after, when that is full.
const BEGINNINGS: usize = 1024 * 1024;
/// Octets of one of these: more than is quoted in a sentence.
const BEGINNING: usize = 512;
/// Lines of dialogue that one report keeps.
const MAX_LINES: usize = 64 * 1024;
/// Attempts that one report tells of.
const MAX_ATTEMPTS: usize = 4096;
/// What a reply takes beside its text, roughly, in octets; and what each of its lines does.
const REPLY_WEIGHT: usize = 128;
const LINE_WEIGHT: usize = 48;

/// What is kept so far for one report. Its deliveries share it.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Hosts say the same to many recipients: it is kept once.
    replies: HashSet<Arc<Reply>>,
    whole: usize,
    beginnings: usize,
    /// Replies of which not all is kept.
    cut: usize,
    lines: usize,
    lines_left_out: usize,
    attempts: usize,
    attempts_left_out: usize,
}

impl Kept {
    /// The same reply as it is kept: whole, or its beginning, or its code alone.
    pub(super) fn reply(&self, reply: Arc<Reply>) -> Arc<Reply> {
        let mut state = self.lock();
        if let Some(known) = state.replies.get(&reply) {
            return Arc::clone(known);
        }
        let weight = weight(&reply);
        if state.whole + weight <= WHOLE {
            state.whole += weight;
            state.replies.insert(Arc::clone(&reply));
            return reply;
        }
        let beginning = Arc::new(reply.beginning(BEGINNING));
        if let Some(known) = state.replies.get(&beginning) {
            let known = Arc::clone(known);
            state.cut += usize::from(known != reply);
            return known;
        }
        let weight = self::weight(&beginning);
        if state.beginnings + weight <= BEGINNINGS {
            state.beginnings += weight;
            state.cut += usize::from(beginning != reply);
            state.replies.insert(Arc::clone(&beginning));
            return beginning;
        }
        state.cut += 1;
        Arc::new(reply.beginning(0))
    }

    /// Adds a line to a dialogue, while there is room.
    pub(super) fn line(&self, dialogue: &mut Vec<Line>, line: Line) {
        let mut state = self.lock();
        if state.lines < MAX_LINES {
            state.lines += 1;
            dialogue.push(line);
        } else {
            state.lines_left_out += 1;
        }
    }

    /// Of these attempts the ones that are told of.
    pub(super) fn attempts(&self, mut attempts: Vec<Attempt>) -> Vec<Attempt> {
        let mut state = self.lock();
        let all = attempts.len();
        attempts.truncate(MAX_ATTEMPTS - state.attempts);
        state.attempts += attempts.len();
        state.attempts_left_out += all - attempts.len();
        attempts
    }

    /// What is not kept, for the report.
    pub(super) fn remarks(&self) -> Vec<String> {
        let state = self.lock();
        let mut remarks = Vec::new();
        if state.cut > 0 {
            let cut = state.cut;
            remarks.push(format!(
                "the hosts said more than a report keeps: of {cut} replies only the beginning, or the code, is in it"
            ));
        }
        if state.lines_left_out > 0 {
            let lines = state.lines_left_out;
            remarks.push(format!(
                "the dialogues are longer than a report keeps: {lines} lines were left out"
            ));
        }
        if state.attempts_left_out > 0 {
            let attempts = state.attempts_left_out;
            remarks.push(format!("… and {attempts} more attempts were left out"));
        }
        remarks
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn weight(reply: &Reply) -> usize {
    let overruled = reply.overruled.iter().map(|line| &line.text);
    let lines = reply
        .lines
        .iter()
        .chain(overruled)
        .map(|line| LINE_WEIGHT + line.len());
    REPLY_WEIGHT + lines.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::{ExchangeStage, ReplyCode};

    /// As long as a reply may be, and unlike any other.
    fn long(number: usize) -> Arc<Reply> {
        let line = format!("4.5.3 {number} {}", "x".repeat(2000)).into_bytes();
        Arc::new(Reply::new(ReplyCode(452), vec![line; 8]))
    }

    #[test]
    fn what_hosts_say_to_thousands_is_kept_as_far_as_there_is_room() {
        let kept = Kept::default();
        let replies: Vec<_> = (0..20_000).map(|number| kept.reply(long(number))).collect();
        let total: usize = kept.lock().replies.iter().map(|reply| weight(reply)).sum();
        assert!(total <= WHOLE + BEGINNINGS, "{total}");
        // The first as it is, the last with nothing but what decides.
        assert_eq!(replies[0], long(0));
        assert!(
            replies
                .iter()
                .all(|reply| reply.code == ReplyCode(452) && reply.enhanced.is_some())
        );
        let last = replies.last().expect("a reply");
        assert!(last.lines.concat().is_empty(), "{last:?}");
        let beginnings = replies
            .iter()
            .filter(|reply| reply.lines.concat().len() == BEGINNING);
        assert!(beginnings.count() > 1000);
        let whole = replies.iter().filter(|reply| reply.lines.len() == 8).count();
        assert_eq!(
            kept.remarks(),
            [format!(
                "the hosts said more than a report keeps: of {} replies only the beginning, or the code, is in it",
                20_000 - whole
            )]
        );
    }

    #[test]
    fn the_same_is_kept_once() {
        let kept = Kept::default();
        let first = kept.reply(long(7));
        for _ in 0..1000 {
            assert!(Arc::ptr_eq(&kept.reply(long(7)), &first));
        }
        assert_eq!(kept.remarks(), [""; 0]);
    }

    #[test]
    fn lines_beyond_those_kept_are_counted() {
        let kept = Kept::default();
        let mut dialogue = Vec::new();
        for _ in 0..MAX_LINES + 3 {
            kept.line(&mut dialogue, Line::Sent(ExchangeStage::Rcpt));
        }
        assert_eq!(dialogue.len(), MAX_LINES);
        assert_eq!(
            kept.remarks(),
            ["the dialogues are longer than a report keeps: 3 lines were left out"]
        );
    }
}
