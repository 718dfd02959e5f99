//! What an agent sends is signed for the domain of its author.

use crate::delivery::{Cause, Stage};
use crate::dkim::{DkimError, DkimSigner};
use crate::local::LocalError;
use crate::message::Message;
use crate::net::{Limits, blocking};
use tokio::time::Instant;

/// The message with a signature of each signer that is for a domain in its `From`.
///
/// A message is read through to be signed, and that may take a while: it is done in a thread of its own, so that other
/// deliveries go on.
pub(super) async fn signed(
    message: &Message,
    signers: &[DkimSigner],
    limits: &Limits,
) -> Result<Message, Cause> {
    let domains = message.author_domains();
    let fitting: Vec<DkimSigner> = signers
        .iter()
        .filter(|signer| domains.iter().any(|domain| signer.is_for(domain)))
        .cloned()
        .collect();
    if fitting.is_empty() {
        return Ok(message.clone());
    }
    let message = message.clone();
    let cancel = limits.cancel.clone();
    let deadline = limits
        .total
        .map_or(limits.content_start, |total| total.min(limits.content_start));
    // Who has given up waiting wants the thread to end, too.
    let goes_on = move || !cancel.is_cancelled() && Instant::now() < deadline;
    let signing = blocking::start(move || {
        let signers: Vec<&DkimSigner> = fitting.iter().collect();
        message.sign_by_all(&signers, &goes_on)
    });
    let signing = signing.map_err(|no_thread| Cause::Local(Stage::Check, no_thread))?;
    match limits.bound(signing).await {
        Ok(Ok(signed)) => signed.map_err(|error| match error {
            DkimError::Read(error) => Cause::Local(Stage::Check, LocalError::of_data(&error, "the content")),
            error @ DkimError::BareLineEnd => Cause::Local(Stage::Check, LocalError::Data(error.to_string())),
            error => Cause::Unsigned(error.to_string().into()),
        }),
        // It panicked.
        Ok(Err(_)) => Err(Cause::Internal { content_begun: false }),
        Err(why) => Err(Cause::GivenUp(Stage::Check, why)),
    }
}
