//! What must become of a recipient, worked out from what was seen of the dialogue.

use super::Ending;
use super::plan::{Dialogue, Exchange, Of, is_unknown};

/// The oracle: what was seen of a dialogue up to a cut.
pub(crate) struct Seen<'a> {
    /// Exchanges whose reply was read whole.
    answered: &'a [Exchange],
    /// The exchange whose reply is the next.
    next: Option<&'a Exchange>,
    /// Commands and contents that were sent whole.
    sent: &'a [Exchange],
    pub(crate) within_reply: bool,
    dialogue: &'a Dialogue,
}

impl<'a> Seen<'a> {
    pub(crate) fn new(dialogue: &'a Dialogue, written: usize, read: usize) -> Self {
        let exchanges = &dialogue.exchanges;
        let whole = |octets: usize, length: fn(&Exchange) -> usize| {
            let mut sum = 0;
            let count = exchanges
                .iter()
                .take_while(|exchange| {
                    sum += length(exchange);
                    sum <= octets
                })
                .count();
            let used: usize = exchanges[..count].iter().map(length).sum();
            (count, octets > used)
        };
        let (answered, within_reply) = whole(read, |exchange| exchange.reply.len());
        let (sent, _) = whole(written, |exchange| exchange.command.len());
        Self {
            answered: &exchanges[..answered],
            next: exchanges.get(answered),
            sent: &exchanges[..sent],
            within_reply,
            dialogue,
        }
    }

    pub(crate) fn outcome(&self, tx: usize, index: usize, ending: Ending) -> String {
        let standing = self.standing(tx, index);
        match standing.verdict {
            Some(verdict) => verdict,
            None => self.without_verdict(tx, &standing, ending),
        }
    }

    fn all_of(&self, tx: usize, transaction: usize) -> impl Iterator<Item = &'a Exchange> {
        let is_of_round = move |exchange: &&Exchange| {
            exchange.of.submission() == Some(tx) && exchange.transaction == transaction
        };
        self.dialogue.exchanges.iter().filter(is_of_round)
    }

    /// What the replies say of a recipient.
    fn standing(&self, tx: usize, index: usize) -> Standing {
        let mut standing = Standing::default();
        let of_submission = |exchange: &&Exchange| exchange.of.submission() == Some(tx);
        for exchange in self.answered.iter().filter(of_submission) {
            let in_transaction = |of: Of| self.all_of(tx, exchange.transaction).any(|other| other.of == of);
            let last_is_sent = self
                .sent
                .iter()
                .any(|sent| sent.of == Of::Content(tx) && sent.transaction == exchange.transaction);
            standing.hear(exchange, index, in_transaction(Of::Rcpt(tx, index)), last_is_sent);
            let last = self.all_of(tx, exchange.transaction).last();
            if last.is_some_and(|last| std::ptr::eq(last, exchange)) {
                standing.end_round();
            }
        }
        standing
    }

    /// The client has closed, because BDAT is not known.
    fn has_no_bdat(&self) -> bool {
        self.answered.iter().any(|exchange| {
            let Some(tx) = exchange.of.submission() else {
                return false;
            };
            let chunks = || {
                self.all_of(tx, exchange.transaction)
                    .filter(|other| other.of == Of::Chunk(tx))
            };
            let is_refused = chunks().next().is_some_and(|first| is_unknown(first.code));
            let content_sent = self.sent.iter().any(|sent| sent.of == Of::Content(tx));
            match exchange.of {
                Of::Chunk(_) => is_refused && !content_sent,
                Of::Content(_) => is_refused && exchange.code >= 300,
                _ => false,
            }
        })
    }

    /// What the ending makes of a recipient without a verdict.
    fn without_verdict(&self, tx: usize, standing: &Standing, ending: Ending) -> String {
        if self.has_no_bdat() {
            return "unserved".to_owned();
        }
        let next = self.next.expect("with every reply read there is a verdict");
        let given_up = matches!(ending, Ending::Cancel | Ending::Deadline);
        let shutdown = ending == Ending::Shutdown;
        let why = match ending {
            Ending::Cancel => "cancelled",
            Ending::Close => "closed",
            Ending::Deadline => "deadline",
            Ending::Garbage | Ending::Shutdown if next.of == Of::Tls => "injected",
            Ending::Garbage => "not SMTP",
            Ending::Reset => "reset",
            Ending::Silence => "timed out",
            Ending::Shutdown => "421",
        };
        if standing.in_turn {
            let is_content =
                |sent: &Exchange| sent.of == Of::Content(tx) && sent.transaction == next.transaction;
            if let Some(refused) = &standing.chunk_refused {
                return refused.clone();
            }
            if self.sent.iter().any(is_content) && !shutdown {
                return format!("uncertain ({why})");
            }
        } else if let Some(kept) = standing.put_off.filter(|_| !given_up) {
            return format!("crowded ({kept})");
        } else if standing.served && matches!(ending, Ending::Close | Ending::Reset | Ending::Shutdown) {
            return "unserved".to_owned();
        } else if standing.past_mail {
            return if shutdown {
                "refused at MAIL (421)".to_owned()
            } else {
                format!("lost at MAIL ({why})")
            };
        }
        // A refusal that asked for another try stands when that is not answered, unless we gave up ourselves.
        let last_mail = self
            .answered
            .iter()
            .rev()
            .find(|exchange| exchange.of == Of::Mail(tx));
        let refused_for_parameters = last_mail.is_some_and(|exchange| exchange.code == 555);
        if refused_for_parameters && !given_up && !shutdown {
            return "refused at MAIL (555)".to_owned();
        }
        if next.of == Of::Helo && !given_up && !shutdown && self.answered.iter().any(|e| e.of == Of::Ehlo) {
            return "refused at EHLO (500)".to_owned();
        }
        let stage = self.stage(tx, next, refused_for_parameters, shutdown);
        if shutdown && next.of != Of::Tls {
            format!("refused at {stage} (421)")
        } else {
            format!("lost at {stage} ({why})")
        }
    }

    /// What was awaited, as a submission without a verdict sees it.
    fn stage(
        &self,
        tx: usize,
        next: &Exchange,
        refused_for_parameters: bool,
        shutdown: bool,
    ) -> &'static str {
        let asked = self.sent.len() > self.answered.len();
        match next.of.submission() {
            None => next.of.word(),
            // Replies to the first envelope are read, and what is awaited is the answer to the second MAIL. A 421
            // is told with the command it answers, if it answers one.
            Some(of) if of == tx && refused_for_parameters => match next.of {
                Of::Rcpt(..) | Of::Data(_) if shutdown && asked => next.of.word(),
                _ => "MAIL",
            },
            Some(of) if of == tx => next.of.word(),
            Some(_) => "MAIL",
        }
    }
}

/// What the replies so far say of one recipient.
#[derive(Default)]
struct Standing {
    verdict: Option<String>,
    /// The refusal that left it to another transaction.
    put_off: Option<u16>,
    /// A transaction of its submission was answered to the end.
    served: bool,
    /// The MAIL of the transaction was accepted, ...
    past_mail: bool,
    /// ... and it has a part in that transaction.
    in_turn: bool,
    /// A recipient of the transaction was accepted.
    somebody: bool,
    /// One of whatever transaction was.
    welcome: bool,
    /// Chunks of the transaction that were answered.
    chunks: usize,
    /// What the first of them that was refused means.
    chunk_refused: Option<String>,
}

impl Standing {
    /// One reply. `takes_part`: there is a RCPT for the recipient in this transaction.
    fn hear(&mut self, exchange: &Exchange, index: usize, takes_part: bool, last_is_sent: bool) {
        let code = exchange.code;
        let refused = |word: &str| Some(format!("refused at {word} ({code})"));
        let verdict = match exchange.of {
            // May be repeated.
            Of::Mail(_) if code == 555 => None,
            Of::Mail(_) if code < 300 => {
                self.past_mail = true;
                self.in_turn = takes_part;
                None
            }
            Of::Mail(_) => match self.put_off {
                Some(kept) => Some(format!("crowded ({kept})")),
                None if self.served => Some("unserved".to_owned()),
                None => refused("MAIL"),
            },
            Of::Rcpt(_, of) if self.past_mail => {
                let says_too_many = matches!(code, 452 | 552);
                let (is_after_one, is_welcome) = (self.somebody, self.welcome);
                self.somebody |= code < 300;
                self.welcome |= code < 300;
                if of != index || code < 300 {
                    return;
                }
                self.in_turn = false;
                match (is_after_one, is_welcome) {
                    (true, _) if says_too_many => {
                        self.put_off = Some(code);
                        None
                    }
                    (false, true) if says_too_many => Some(format!("crowded ({code})")),
                    _ => refused("RCPT"),
                }
            }
            Of::Data(_) if self.in_turn && code >= 400 => refused("DATA"),
            Of::Chunk(_) => {
                self.chunks += 1;
                if code < 300 || self.chunk_refused.is_some() {
                    return;
                }
                self.chunk_refused = if self.chunks == 1 && is_unknown(code) {
                    Some(format!("no BDAT ({code})"))
                } else {
                    refused("content")
                };
                self.chunk_refused
                    .clone()
                    .filter(|_| self.in_turn && !last_is_sent)
            }
            Of::Content(_) if self.in_turn => match &self.chunk_refused {
                Some(_) if code < 300 => Some(format!("uncertain (nonsense {code})")),
                Some(earlier) => Some(earlier.clone()),
                None if code < 300 => Some(format!("accepted ({code})")),
                None => refused("content"),
            },
            _ => None,
        };
        self.verdict = self.verdict.take().or(verdict);
    }

    fn end_round(&mut self) {
        *self = Self {
            verdict: self.verdict.take(),
            put_off: self.put_off,
            served: true,
            welcome: self.welcome,
            ..Self::default()
        };
    }
}
