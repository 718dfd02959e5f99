//! What a message wishes of the hosts that carry it, and who signs it.

use super::header::mailbox;
use super::{change, chosen, map_message, parse, text};
use crate::boundary::Answer;
use crate::dkim::map_dkim_signer;
use crate::pointer;
use crate::reply::map_reply;
use map_core::Mailbox;
use map_core::dkim::{DkimError, DkimSigner};
use map_core::envelope::{EnvelopeId, Notify, OriginalRecipient, Ret};
use map_core::message::Message;
use std::ffi::c_char;

/// How much of a message a notification of failure brings back, for map_message_set_ret(). Later versions may add some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum map_ret {
    /// All of it.
    MAP_RET_FULL = 1,
    /// Its header.
    MAP_RET_HEADERS = 2,
}

const RETS: [(i32, Ret); 2] = [
    (map_ret::MAP_RET_FULL as i32, Ret::Full),
    (map_ret::MAP_RET_HEADERS as i32, Ret::Headers),
];

/// What is done to a message once it is put together.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    EnvelopeId(EnvelopeId),
    Notify(Notify),
    NullReversePath,
    OriginalRecipient(Mailbox, OriginalRecipient),
    RequireTls,
    Ret(Ret),
    Sign(DkimSigner),
}

impl Wish {
    pub(super) fn grant(&self, message: Message) -> Result<Message, DkimError> {
        Ok(match self {
            Self::EnvelopeId(id) => message.envelope_id(id.clone()),
            Self::Notify(notify) => message.notify(*notify),
            Self::NullReversePath => message.null_reverse_path(),
            Self::OriginalRecipient(recipient, original) => {
                message.original_recipient(recipient, original.clone())
            }
            Self::RequireTls => message.require_tls(),
            Self::Ret(ret) => message.ret(*ret),
            Self::Sign(signer) => message.sign(signer)?,
        })
    }
}

/// Sends it from nobody (MAIL FROM:<>), so that nobody is told when it cannot be delivered: for notifications and automatic
/// answers, which must never be answered by another.
///
/// @param message required.
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_null_reverse_path(message: *mut map_message) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe { change(message, |message| message.wish(Ok(Wish::NullReversePath))) }
}

/// Asks the hosts for notifications, which come by mail to the envelope's sender. A host that does not offer them is given
/// the message all the same, and the report warns of it.
///
/// @param message required.
/// @param notify  "NEVER", or one to three of "SUCCESS,FAILURE,DELAY".
/// @return RE_SUCCESS; RE_INVALID_FORMAT for another word; RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_notify(
    message: *mut map_message,
    notify: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        change(message, |message| {
            message.wish(parse(text(notify, "notify")?, "notify").map(Wish::Notify))
        })
    }
}

/// Says which address the sender wrote for a recipient, where a list or an alias made another of it. It comes back in
/// notifications.
///
/// @param message   required.
/// @param recipient an address that the message goes to.
/// @param original  the type of the address and the address: "rfc822;list@example.com".
/// @return RE_SUCCESS; RE_INVALID_FORMAT, and map_last_advice() says what is wrong; RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_add_original_recipient(
    message: *mut map_message,
    recipient: *const c_char,
    original: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and two strings.
    unsafe {
        change(message, |message| {
            let recipient = mailbox(text(recipient, "recipient")?, "the recipient")?;
            let original = parse(text(original, "original")?, "original")?;
            message.wish(Ok(Wish::OriginalRecipient(recipient, original)))
        })
    }
}

/// Says how much of the message a notification of failure brings back.
///
/// @param message required.
/// @param ret     one of enum map_ret.
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_ret(message: *mut map_message, ret: i32) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe {
        change(message, |message| {
            message.wish(chosen(ret, "map_ret", &RETS).map(Wish::Ret))
        })
    }
}

/// Names the message for notifications.
///
/// @param message required.
/// @param id      printable ASCII.
/// @return RE_SUCCESS; RE_INVALID_FORMAT, and map_last_advice() says what is wrong; RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_envelope_id(
    message: *mut map_message,
    id: *const c_char,
) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks; and a string.
    unsafe {
        change(message, |message| {
            message.wish(parse(text(id, "id")?, "id").map(Wish::EnvelopeId))
        })
    }
}

/// Demands verified TLS on the whole way to each recipient (REQUIRETLS, RFC 8689). Where a host does not offer that, the
/// message is not delivered; few hosts do. map_config_set_require_tls() is about the next host only.
///
/// @param message required.
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_set_require_tls(message: *mut map_message) -> map_reply {
    // SAFETY: a handle of the caller's, used by this thread alone, as the header asks.
    unsafe { change(message, |message| message.wish(Ok(Wish::RequireTls))) }
}

/// Signs the message by DKIM when it is put together. Called again, each signer signs it.
///
/// @param message required.
/// @param signer  required; copied, and yours to free.
/// @return RE_SUCCESS, or RE_MISUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn map_message_sign(
    message: *mut map_message,
    signer: *const map_dkim_signer,
) -> map_reply {
    // SAFETY: handles of the caller's, used by this thread alone, as the header asks.
    unsafe {
        change(message, |message| {
            let signer = pointer::shared(signer).ok_or_else(|| Answer::missing("signer"));
            message.wish(signer.and_then(|signer| Ok(Wish::Sign(signer.whole()?.clone()))))
        })
    }
}

impl map_message {
    fn wish(&mut self, wish: Result<Wish, Answer>) -> Result<(), Answer> {
        self.wishes.push(wish?);
        Ok(())
    }
}
