//! BDAT in a session: the command, its octets, and what they come to.

use super::{Chunks, Effect, Smtp, Stage, Transaction, Turn};

/// One BDAT command.
#[derive(Debug)]
pub(super) struct Bdat {
    pub(super) octets: usize,
    last: bool,
}

impl Smtp {
    /// Reads `BDAT SP chunk-size [ SP end-marker ]`; `None` for any other line, and where CHUNKING is not offered: what
    /// follows is then read as commands.
    pub(super) fn bdat(&self, line: &[u8]) -> Option<Bdat> {
        let line = std::str::from_utf8(line).ok()?;
        let mut words = line.split(' ');
        let is_bdat = self.offers.chunking && words.next()?.eq_ignore_ascii_case("BDAT");
        let octets = words.next()?.parse().ok().filter(|_| is_bdat)?;
        let last = match words.next() {
            None => false,
            Some(word) if word.eq_ignore_ascii_case("LAST") => true,
            Some(_) => return None,
        };
        words.next().is_none().then_some(Bdat { octets, last })
    }

    /// Its octets are there. They are read whatever comes of them:
    /// <https://www.rfc-editor.org/rfc/rfc3030#section-2>
    pub(super) fn chunk(&mut self, octets: Vec<u8>) -> Turn {
        let last = self.bdat.take().is_some_and(|bdat| bdat.last);
        let stage = if last {
            Stage::Content
        } else {
            Stage::Command("BDAT")
        };
        let argument = octets.len().to_string();
        let refuse = |code, enhanced, text: &str| Turn {
            effect: Effect::Chunk(Vec::new()),
            ..self.turn(stage, &argument, code, enhanced, text)
        };
        let transaction = match &self.transaction {
            None => return refuse("503", "5.5.1", "Say MAIL first"),
            Some(transaction) if transaction.forward_paths.is_empty() => {
                return refuse("503", "5.5.1", "No valid recipients");
            }
            Some(transaction) => transaction,
        };
        let Chunks::Taken(before) = &transaction.chunks else {
            return refuse("503", "5.5.1", "Say RSET first");
        };
        let limit = self.offers.size.filter(|&limit| limit > 0);
        let size = before.len().saturating_add(octets.len());
        if limit.is_some_and(|limit| u64::try_from(size).is_ok_and(|size| size > limit)) {
            return refuse("552", "5.3.4", "Message size exceeds the fixed maximum");
        }
        if last {
            let turn = self.turn(stage, "", "250", "2.0.0", "Ok: queued as sandbox");
            let content = [before.as_slice(), &octets].concat();
            Turn {
                effect: Effect::Content(content),
                ..turn
            }
        } else {
            let turn = self.turn(stage, &argument, "250", "2.0.0", "Ok");
            Turn {
                effect: Effect::Chunk(octets),
                ..turn
            }
        }
    }
}

impl Transaction {
    pub(super) fn add(&mut self, octets: Vec<u8>, taken: bool) {
        match &mut self.chunks {
            Chunks::Taken(chunks) if taken => chunks.extend(octets),
            chunks => *chunks = Chunks::Refused,
        }
    }

    pub(super) fn has_chunks(&self) -> bool {
        match &self.chunks {
            Chunks::Taken(chunks) => !chunks.is_empty(),
            Chunks::Refused => true,
        }
    }
}
