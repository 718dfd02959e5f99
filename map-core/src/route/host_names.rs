//! The addresses of hosts that somebody chose: a relay, a proxy.
//!
//! Whoever writes `mailhost` into the settings of a container means what every program there means by it. So the operating
//! system is asked, by `getaddrinfo`: its hosts file, its search domains, whatever else it is set up to ask. Where the
//! configuration names DNS servers, those are asked instead, for the name as it stands.
//!
//! A domain of mail is never looked up so: it goes to the DNS, fully qualified.

use super::{HostName, LookupError, MAX_ADDRESSES, Resolver, RouteError, find};
use crate::local::LocalError;
use crate::signals::without_signals;
use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use tokio::sync::watch;

/// Who is asked for the addresses of a relay or a proxy.
#[derive(Clone, Debug)]
pub struct HostNames(Asked);

#[derive(Clone, Debug)]
enum Asked {
    Dns(Arc<dyn Resolver>),
    System(Arc<System>),
}

type Addresses = Result<Vec<IpAddr>, LookupError>;

/// `getaddrinfo` cannot be interrupted, and may take as long as the slowest server it asks. So it runs in a thread of its
/// own that nobody has to wait for, and a name that is being asked for is not asked for again meanwhile: a system that
/// never answers keeps one thread for each name of the settings, however many mails wait.
#[derive(Debug)]
struct System {
    under_way: Mutex<HashMap<String, watch::Receiver<Option<Addresses>>>>,
    look_up: fn(&str) -> Addresses,
}

impl From<Arc<dyn Resolver>> for HostNames {
    /// These DNS servers, for the name as it stands.
    fn from(resolver: Arc<dyn Resolver>) -> Self {
        Self(Asked::Dns(resolver))
    }
}

impl HostNames {
    /// The operating system, as any program asks it.
    pub fn system() -> Self {
        Self::by(ask_the_system)
    }

    fn by(look_up: fn(&str) -> Addresses) -> Self {
        Self(Asked::System(Arc::new(System {
            under_way: Mutex::default(),
            look_up,
        })))
    }

    /// The addresses of a host in the order in which to try them; any address of it may be connected to. `is_absolute`:
    /// it was written with a final dot, so that no search domain is to be put after it.
    ///
    /// Cancel safe: whoever drops the future waits for nothing.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn addresses(
        &self,
        name: &HostName,
        is_absolute: bool,
    ) -> Result<Vec<IpAddr>, RouteError> {
        let system = match &self.0 {
            Asked::Dns(resolver) => return find::chosen_addresses(resolver.as_ref(), name).await.found,
            Asked::System(system) => system,
        };
        let dot = if is_absolute { "." } else { "" };
        match system.addresses(format!("{}{dot}", name.as_ascii())).await {
            Ok(addresses) if addresses.is_empty() => Err(RouteError::NoAddress),
            Err(LookupError::NoData | LookupError::NxDomain) => Err(RouteError::NoAddress),
            found => Ok(found?),
        }
    }
}

impl System {
    async fn addresses(&self, name: String) -> Addresses {
        let mut answer = self.ask(name)?;
        match answer.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().unwrap_or(Ok(Vec::new())),
            Err(_) => Err(LookupError::System("its look-up panicked".to_owned())),
        }
    }

    fn ask(&self, name: String) -> Result<watch::Receiver<Option<Addresses>>, LookupError> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is over has dropped its sender.
        under_way.retain(|_, answer| answer.has_changed().is_ok());
        if let Some(answer) = under_way.get(&name) {
            return Ok(answer.clone());
        }
        let (sender, answer) = watch::channel(None);
        let (look_up, asked) = (self.look_up, name.clone());
        let thread = thread::Builder::new().name(crate::agent::THREAD_NAME.to_owned());
        without_signals(|| thread.spawn(move || sender.send_replace(Some(look_up(&asked)))))
            .map_err(|error| LookupError::Local(LocalError::of_thread(&error)))?;
        under_way.insert(name, answer.clone());
        Ok(answer)
    }
}

fn ask_the_system(name: &str) -> Addresses {
    let hints = AddrInfoHints {
        socktype: SockType::Stream.into(),
        ..AddrInfoHints::default()
    };
    let found = getaddrinfo(Some(name), None, Some(hints)).map_err(|error| match error.kind() {
        // Of what an operating system says this is the one word that means no.
        LookupErrorKind::NoData | LookupErrorKind::NoName => LookupError::NxDomain,
        // That it had no socket to ask by is among these.
        kind => match (LocalError::of_another_socket(), kind) {
            (Some(shortage), _) => LookupError::Local(shortage),
            (None, LookupErrorKind::Again) => {
                LookupError::System("none of those it asks has answered, or not now".to_owned())
            }
            (None, _) => LookupError::System(error.to_string()),
        },
    })?;
    let mut addresses = Vec::new();
    // In the system's own order, which knows what this machine can reach (RFC 6724).
    for found in found.flatten() {
        let address = found.sockaddr.ip().to_canonical();
        if !addresses.contains(&address) && addresses.len() < MAX_ADDRESSES {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    fn name(text: &str) -> HostName {
        HostName::parse(text).expect("a name")
    }

    #[tokio::test]
    async fn what_is_being_asked_for_is_asked_for_once() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        /// Answers when somebody unparks it, which nobody does.
        fn never(_name: &str) -> Addresses {
            ASKED.fetch_add(1, Ordering::SeqCst);
            loop {
                thread::park();
            }
        }
        let names = HostNames::by(never);
        for _ in 0..50 {
            let host = name("mailhost");
            let asking = names.addresses(&host, false);
            let answer = tokio::time::timeout(Duration::from_millis(1), asking).await;
            assert!(answer.is_err(), "{answer:?}");
        }
        assert!(ASKED.load(Ordering::SeqCst) <= 1);
    }

    #[tokio::test]
    async fn what_the_system_says_is_told_apart() {
        fn answer(name: &str) -> Addresses {
            match name {
                "there" => Ok(vec![IpAddr::from([192, 0, 2, 1])]),
                "nothing" => Ok(Vec::new()),
                "dot." => Ok(vec![IpAddr::from([192, 0, 2, 2])]),
                "later" => Err(LookupError::System("not now".to_owned())),
                "panics" => panic!("a look-up that panics"),
                _ => Err(LookupError::NxDomain),
            }
        }
        let names = HostNames::by(answer);
        for _ in 0..2 {
            let found = names.addresses(&name("there"), false).await;
            assert_eq!(found, Ok(vec![IpAddr::from([192, 0, 2, 1])]));
        }
        assert!(names.addresses(&name("dot"), true).await.is_ok());
        for none in ["dot", "nothing", "unknown"] {
            let found = names.addresses(&name(none), false).await;
            assert_eq!(found, Err(RouteError::NoAddress), "{none}");
        }
        for unsure in ["later", "panics"] {
            let error = names
                .addresses(&name(unsure), false)
                .await
                .expect_err("no answer");
            assert!(error.is_transient(), "{unsure}: {error:?}");
        }
    }

    #[test]
    fn the_system_knows_its_own_addresses() {
        let found = ask_the_system("127.0.0.1").expect("an address is one");
        assert_eq!(found, [IpAddr::from([127, 0, 0, 1])]);
    }
}
