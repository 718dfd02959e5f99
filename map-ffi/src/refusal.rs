//! Objects that remember what was refused of them, so that a program may look at the reply of each call or only at the
//! last one.

use crate::boundary::{Answer, replying};
use crate::pointer;
use crate::reply::map_reply;

/// What remembers that a piece or a setting of it was refused.
pub(crate) trait Refusing {
    /// What the header calls it.
    const NAME: &'static str;

    fn refused(&mut self) -> &mut Option<Answer>;

    /// It is not what it was.
    fn changed(&mut self) {}
}

/// Changes an object that is there, and remembers a refusal.
///
/// # Safety
/// `handle` is NULL or a handle that is used by this thread alone.
pub(crate) unsafe fn change<T: Refusing>(
    handle: *mut T,
    set: impl FnOnce(&mut T) -> Result<(), Answer>,
) -> map_reply {
    replying(|| {
        // SAFETY: as the caller vouches.
        let Some(object) = (unsafe { pointer::exclusive(handle) }) else {
            return Answer::missing(T::NAME);
        };
        object.changed();
        // Should a panic pass through here, this stays, and what is half changed is not used.
        let fault = Answer::with_advice(map_core::MapReply::Internal, "a fault inside the library");
        let before = object.refused().replace(fault);
        let answer = set(object);
        *object.refused() = before.or_else(|| answer.as_ref().err().cloned());
        answer.map_or_else(|answer| answer, |()| Answer::done())
    })
}
