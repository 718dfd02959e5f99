//! The replies of MAP as C sees them.

use crate::boundary::{guarded, with_last};
use map_core::MapReplyCode;
use std::ffi::{CStr, c_char};

/// The replies of the Mail Agent Protocol. Every send ends in exactly one of them.
///
/// The numbers never change and are never used again. Later versions may add replies: handle a value that you do not
/// know as a failure of which nothing else is known, and print map_last_reply().
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum map_reply {
    /// The recipient's server accepted the mail; or, where map_config_set_relay() was called, the relay did: see
    /// map_report_is_relayed(). In other calls: done.
    RE_SUCCESS = 0,
    /// Fields are empty; map_last_reply() names them all.
    RE_NO_EMPTY = 1,
    /// An address is not one, or a field holds what no e-mail can carry.
    RE_INVALID_FORMAT = 2,
    /// The recipient's domain takes no mail, or its DNS is out of order.
    RE_DNS_FAIL = 3,
    /// There is nobody to talk to: no answer, refused, lost before the content was sent; or TLS was demanded and not to
    /// be had.
    RE_SERVER_UNREACH = 4,
    /// Outgoing port 25 is blocked here or by the provider.
    RE_PORT_BLOCKED = 5,
    /// The server answered with a reply code that was not the expected one.
    RE_BADREPLY = 6,
    /// The server refuses the mail: 550, or another permanent refusal for a reason of policy.
    RE_SERVICE_DENIED = 7,
    /// The whole content may have reached the server, and its final reply did not come. The mail may or may not be
    /// delivered: sending it again may deliver it twice.
    RE_UNCERTAIN = 64,
    /// The caller cancelled before the content was sent.
    RE_CANCELLED = 65,
    /// A fault inside the library; map_last_advice() says which.
    RE_INTERNAL = 66,
    /// The library was called wrongly; map_last_reply() says how.
    RE_MISUSE = 67,
    /// Some recipients have the mail and the others do not, for certain. Send it again to the others only, or some receive
    /// it twice: map_report_reply() says who has it.
    RE_PARTIAL = 68,
    /// This machine or the caller's data failed, not the network and not the library: no descriptor, thread, memory or
    /// space left, a file or a reader that cannot be read. map_last_reply() says what.
    RE_LOCAL = 69,
}

impl From<MapReplyCode> for map_reply {
    fn from(code: MapReplyCode) -> Self {
        match code {
            MapReplyCode::Success => Self::RE_SUCCESS,
            MapReplyCode::NoEmpty => Self::RE_NO_EMPTY,
            MapReplyCode::InvalidFormat => Self::RE_INVALID_FORMAT,
            MapReplyCode::DnsFail => Self::RE_DNS_FAIL,
            MapReplyCode::ServerUnreach => Self::RE_SERVER_UNREACH,
            MapReplyCode::PortBlocked => Self::RE_PORT_BLOCKED,
            MapReplyCode::BadReply => Self::RE_BADREPLY,
            MapReplyCode::ServiceDenied => Self::RE_SERVICE_DENIED,
            MapReplyCode::Uncertain => Self::RE_UNCERTAIN,
            MapReplyCode::Cancelled => Self::RE_CANCELLED,
            MapReplyCode::Misuse => Self::RE_MISUSE,
            MapReplyCode::Partial => Self::RE_PARTIAL,
            MapReplyCode::Local => Self::RE_LOCAL,
            // A code that the core has and C has not would be a fault of ours; the test below finds it.
            MapReplyCode::Internal | _ => Self::RE_INTERNAL,
        }
    }
}

/// The answer to a question that has no answer at times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum map_answer {
    /// No.
    MAP_NO = 0,
    /// Yes.
    MAP_YES = 1,
    /// It cannot be told.
    MAP_UNKNOWN = 2,
    /// For some recipients and not for the others; only map_report_delivered() of a summary says so.
    MAP_SOME = 3,
}

/// This thread's last reply as MAP prints it, with what it carries: "RE_BADREPLY: <554>."
///
/// Set by every function that returns a map_reply and by every function named ..._new.
///
/// @return never NULL; empty if there was no call yet. Borrowed until this thread ends, or has made sixteen more calls
///         that set it: so it may stand beside such a call among the arguments of one printf().
#[unsafe(no_mangle)]
pub extern "C" fn map_last_reply() -> *const c_char {
    guarded(c"".as_ptr(), || {
        with_last(|last| last.map_or(c"", |(line, _)| line).as_ptr())
    })
}

/// A sentence for a person about this thread's last reply: what happened, and what to do next. English, UTF-8.
///
/// Set together with map_last_reply().
///
/// @return never NULL; empty if there is nothing to say. Borrowed as map_last_reply() is.
#[unsafe(no_mangle)]
pub extern "C" fn map_last_advice() -> *const c_char {
    guarded(c"".as_ptr(), || {
        with_last(|last| last.map_or(c"", |(_, advice)| advice).as_ptr())
    })
}

/// The name of a reply: "RE_SUCCESS".
///
/// @param reply any number, so that a value from a newer library can be passed, too.
/// @return a static string; never NULL, "RE_UNKNOWN" for a number that is no reply.
#[unsafe(no_mangle)]
pub extern "C" fn map_reply_name(reply: i32) -> *const c_char {
    guarded(c"RE_UNKNOWN".as_ptr(), || {
        known(reply).map_or(c"RE_UNKNOWN", |known| known.name).as_ptr()
    })
}

/// What a reply means, in a sentence for a person. map_last_advice() and map_report_advice() say more, because they know the
/// case.
///
/// @param reply any number, so that a value from a newer library can be passed, too.
/// @return a static string; never NULL, also for a number that is no reply.
#[unsafe(no_mangle)]
pub extern "C" fn map_reply_text(reply: i32) -> *const c_char {
    let unknown = c"A reply that this version of the library does not know.";
    guarded(unknown.as_ptr(), || {
        known(reply).map_or(unknown, |known| known.text).as_ptr()
    })
}

/// May the same mail succeed if it is sent again later, unchanged? This is what the number alone can tell.
///
/// RE_DNS_FAIL, RE_SERVER_UNREACH, RE_BADREPLY, RE_SERVICE_DENIED and RE_LOCAL have temporary and lasting causes, so the
/// answer for them is MAP_UNKNOWN: ask map_report_is_transient(). For RE_UNCERTAIN and RE_PARTIAL it is MAP_NO, because
/// sending again may deliver twice; for RE_PORT_BLOCKED it is MAP_NO, because somebody has to open the port first.
///
/// @param reply any number.
/// @return MAP_NO or MAP_UNKNOWN; MAP_UNKNOWN for a number that is no reply. No reply is always worth a repeat, so
///         MAP_YES does not occur today: compare with MAP_NO before giving up.
#[unsafe(no_mangle)]
pub extern "C" fn map_reply_is_transient(reply: i32) -> map_answer {
    const LASTING: [MapReplyCode; 9] = [
        MapReplyCode::Success,
        MapReplyCode::NoEmpty,
        MapReplyCode::InvalidFormat,
        MapReplyCode::PortBlocked,
        MapReplyCode::Uncertain,
        MapReplyCode::Cancelled,
        MapReplyCode::Internal,
        MapReplyCode::Misuse,
        MapReplyCode::Partial,
    ];
    guarded(map_answer::MAP_UNKNOWN, || {
        if LASTING.iter().any(|code| *code as i32 == reply) {
            map_answer::MAP_NO
        } else {
            map_answer::MAP_UNKNOWN
        }
    })
}

/// One reply for C. Literals, because they are there before the first call: what the first call made would be made under a
/// lock, and a child forked while another thread holds it would wait for ever.
struct Known {
    code: MapReplyCode,
    name: &'static CStr,
    text: &'static CStr,
}

fn known(reply: i32) -> Option<&'static Known> {
    ALL.iter().find(|known| known.code as i32 == reply)
}

/// Every reply, in the words of the core.
static ALL: [Known; 14] = [
    Known {
        code: MapReplyCode::Success,
        name: c"RE_SUCCESS",
        text: c"The recipient's mail server, or the relay that was set, accepted the message.",
    },
    Known {
        code: MapReplyCode::NoEmpty,
        name: c"RE_NO_EMPTY",
        text: c"Sender, recipient, subject and content must all be filled in; nothing was sent.",
    },
    Known {
        code: MapReplyCode::InvalidFormat,
        name: c"RE_INVALID_FORMAT",
        text: c"An address is not a valid one, or a text holds what no e-mail can carry; nothing was sent.",
    },
    Known {
        code: MapReplyCode::DnsFail,
        name: c"RE_DNS_FAIL",
        text: c"The recipient's domain takes no mail, or its name could not be looked up; nothing was \
            sent.",
    },
    Known {
        code: MapReplyCode::ServerUnreach,
        name: c"RE_SERVER_UNREACH",
        text: c"No mail server of the recipient's domain could be talked to; nothing was sent.",
    },
    Known {
        code: MapReplyCode::PortBlocked,
        name: c"RE_PORT_BLOCKED",
        text: c"This computer or its Internet provider blocks outgoing mail (TCP port 25); nothing was \
            sent.",
    },
    Known {
        code: MapReplyCode::BadReply,
        name: c"RE_BADREPLY",
        text: c"The recipient's mail server did not accept the message; its reply code says why.",
    },
    Known {
        code: MapReplyCode::ServiceDenied,
        name: c"RE_SERVICE_DENIED",
        text: c"The recipient's mail server refused the message, mostly for a reason of policy: an unknown \
            mailbox, or a sending address it does not trust.",
    },
    Known {
        code: MapReplyCode::Uncertain,
        name: c"RE_UNCERTAIN",
        text: c"The whole message may have reached the recipient's mail server, which then fell silent; \
            sending it again may deliver it twice.",
    },
    Known {
        code: MapReplyCode::Cancelled,
        name: c"RE_CANCELLED",
        text: c"The sending was cancelled before the message was handed over; nothing was sent.",
    },
    Known {
        code: MapReplyCode::Internal,
        name: c"RE_INTERNAL",
        text: c"There is a fault in the mail library itself; the report says where.",
    },
    Known {
        code: MapReplyCode::Misuse,
        name: c"RE_MISUSE",
        text: c"The library was called in a way it does not allow; nothing was sent.",
    },
    Known {
        code: MapReplyCode::Partial,
        name: c"RE_PARTIAL",
        text: c"Some of the recipients have the message and the others do not; send it again to the others \
            only, or some receive it twice.",
    },
    Known {
        code: MapReplyCode::Local,
        name: c"RE_LOCAL",
        text: c"Something on this computer failed, not the network and not the recipient: a file could not \
            be read, or no memory, space, thread or open file was left; nothing was delivered.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(text: *const c_char) -> String {
        // SAFETY: a static string.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }

    fn name(reply: i32) -> String {
        owned(map_reply_name(reply))
    }

    #[test]
    fn every_reply_of_the_core_has_its_number_its_name_and_its_text_in_c() {
        for code in MapReplyCode::ALL {
            let reply = map_reply::from(code);
            assert_eq!(reply as i32, code as i32);
            assert_eq!(format!("{reply:?}"), code.name());
            assert_eq!(name(reply as i32), code.name());
            assert_eq!(owned(map_reply_text(reply as i32)), code.description());
        }
    }

    #[test]
    fn what_somebody_may_have_is_never_worth_a_repeat_of_the_whole() {
        for reply in [
            map_reply::RE_SUCCESS,
            map_reply::RE_UNCERTAIN,
            map_reply::RE_PARTIAL,
        ] {
            assert_eq!(map_reply_is_transient(reply as i32), map_answer::MAP_NO);
        }
        assert_eq!(
            map_reply_is_transient(map_reply::RE_LOCAL as i32),
            map_answer::MAP_UNKNOWN
        );
    }

    #[test]
    fn a_number_that_is_no_reply_is_said_to_be_none() {
        for number in [-1, 8, 63, 70, i32::MIN, i32::MAX] {
            assert_eq!(name(number), "RE_UNKNOWN");
            assert_eq!(map_reply_is_transient(number), map_answer::MAP_UNKNOWN);
        }
    }
}
