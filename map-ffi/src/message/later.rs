//! A message that is put together by another thread.

use super::{Draft, map_message};
use crate::boundary::Answer;
use map_core::message::Message;

/// Puts a message together, in any thread.
pub(crate) type BuildLater = Box<dyn FnOnce() -> Result<Message, Answer> + Send>;

impl map_message {
    /// What puts the message together as it is now. What is put together later, by this or by the message itself, is the
    /// same message, with the same Date and Message-ID, until it is changed.
    pub(crate) fn build_later(&mut self) -> BuildLater {
        if let Some(refused) = self.refused.clone() {
            return Box::new(|| Err(refused));
        }
        if let Some(message) = self.already_built() {
            return Box::new(|| Ok(message));
        }
        if let (Draft::Composed(builder), None) = (&self.draft, &self.settled) {
            self.settled = Some(Box::new((**builder).clone().settled()));
        }
        let draft = self.draft_to_build();
        let wishes = self.wishes.clone();
        Box::new(move || super::output::put_together(draft, &wishes))
    }

    /// The draft with what is settled of it.
    pub(super) fn draft_to_build(&self) -> Draft {
        match (&self.draft, &self.settled) {
            (Draft::Composed(_), Some(settled)) => Draft::Composed(settled.clone()),
            (draft, _) => draft.clone(),
        }
    }
}
