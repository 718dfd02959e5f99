//! What is done around each opening of a message.

use super::{Form, Message, Source};
use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

type Opened = io::Result<Box<dyn Read + Send>>;
type OpenHook = Arc<dyn Fn(&dyn Fn() -> Opened) -> Opened + Send + Sync>;

impl Message {
    /// The same message with `hook` in charge of each opening: it is given what opens the content, and is called in the
    /// thread that wants it. So what is only known of one send can be made known to the message's readers.
    #[must_use]
    pub fn with_open_hook(
        &self,
        hook: impl Fn(&dyn Fn() -> Opened) -> Opened + Send + Sync + 'static,
    ) -> Self {
        let hook: OpenHook = Arc::new(hook);
        let hooked = |form: &Arc<Form>| {
            Arc::new(Form {
                header: Arc::clone(&form.header),
                body: Arc::new(HookedBody {
                    body: Arc::clone(&form.body),
                    hook: Arc::clone(&hook),
                }),
                demands: form.demands.clone(),
            })
        };
        Self {
            form: hooked(&self.form),
            lesser: self.lesser.iter().map(hooked).collect(),
            ..self.clone()
        }
    }
}

struct HookedBody {
    body: Arc<dyn Source>,
    hook: OpenHook,
}

impl Source for HookedBody {
    fn open(&self) -> Opened {
        (self.hook)(&|| self.body.open())
    }

    fn octets(&self) -> Option<u64> {
        self.body.octets()
    }

    fn is_in_memory(&self) -> bool {
        self.body.is_in_memory()
    }
}

impl fmt::Debug for HookedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.body.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{AddressList, Builder, Part};
    use std::sync::Mutex;

    #[test]
    fn every_opening_goes_through_it() {
        let seen: Arc<Mutex<Vec<&str>>> = Arc::default();
        let note = |what| {
            let seen = Arc::clone(&seen);
            move || seen.lock().unwrap().push(what)
        };
        let opened = note("opened");
        let addresses: AddressList = "a@example.com".parse().unwrap();
        let message = Builder::new()
            .from(addresses.clone())
            .to(addresses)
            .body(Part::reader(Some(1), move || {
                opened();
                Ok(Box::new(&b"x"[..]))
            }))
            .build()
            .unwrap();
        let read = |message: &Message| {
            let mut octets = Vec::new();
            message.open().unwrap().read_to_end(&mut octets).unwrap();
            octets
        };
        let plain = read(&message);
        let (before, after) = (note("before"), note("after"));
        let hook = message.with_open_hook(move |open| {
            before();
            let opened = open();
            after();
            opened
        });
        assert_eq!(read(&hook), plain);
        assert_eq!((hook.size(), hook.is_in_memory()), (message.size(), false));
        for form in 0..hook.body_forms().len() {
            hook.open_form(form).unwrap();
        }
        let seen = seen.lock().unwrap();
        let (first, rest) = seen.split_first().unwrap();
        assert_eq!(*first, "opened");
        assert!(!rest.is_empty() && rest.chunks(3).all(|three| three == ["before", "opened", "after"]));
    }
}
