//! The local time zone, without a lock.
//!
//! jiff's own look-up keeps a lock and a table made at the first use in globals. Another thread that is in there at
//! the moment of a `fork` leaves them as they are in the child, which then waits for it for ever. So the zone is read
//! here from where jiff reads it, and remembered by each thread for itself.

use jiff::tz::TimeZone;

/// The zone of this machine, or of the variable `TZ`; unknown where neither can be read.
#[cfg(unix)]
pub(super) fn local() -> TimeZone {
    use std::cell::RefCell;
    use std::time::{Duration, Instant};

    // A change of the zone is seen this late; until then a message costs no file.
    const REMEMBERED: Duration = Duration::from_secs(60);
    thread_local! {
        static ZONE: RefCell<Option<(Instant, TimeZone)>> = const { RefCell::new(None) };
    }
    let current = || match std::env::var_os("TZ") {
        Some(setting) => unix::named(&setting, |path| std::fs::read(path)),
        None => unix::machine(|path| std::fs::read(path)),
    };
    ZONE.try_with(|zone| {
        let mut zone = zone.borrow_mut();
        match &*zone {
            Some((read, known)) if read.elapsed() < REMEMBERED => known.clone(),
            _ => zone.insert((Instant::now(), current())).1.clone(),
        }
    })
    // A thread that is ending remembers nothing any more.
    .unwrap_or_else(|_| current())
}

/// The zone of this machine; there is no `fork` to mind here.
#[cfg(not(unix))]
pub(super) fn local() -> TimeZone {
    TimeZone::system()
}

#[cfg(unix)]
mod unix {
    use jiff::tz::TimeZone;
    use std::ffi::OsStr;
    use std::io;
    use std::path::Path;

    const MACHINE: &str = "/etc/localtime";
    const DATABASE: &str = "/usr/share/zoneinfo";

    pub(super) fn machine(read: impl Fn(&Path) -> io::Result<Vec<u8>>) -> TimeZone {
        file(Path::new(MACHINE), read).unwrap_or_else(TimeZone::unknown)
    }

    /// What `TZ` says: a file, a name in the database, or a rule of POSIX such as `CET-1CEST,M3.5.0,M10.5.0/3`. Empty
    /// is UTC, and a colon in front counts for nothing.
    pub(super) fn named(setting: &OsStr, read: impl Fn(&Path) -> io::Result<Vec<u8>>) -> TimeZone {
        let Some(setting) = setting.to_str() else {
            return TimeZone::unknown();
        };
        let name = setting.strip_prefix(':').unwrap_or(setting);
        if name.is_empty() {
            return TimeZone::UTC;
        }
        // Joined to the database, an absolute path stays what it is.
        file(&Path::new(DATABASE).join(name), read)
            .or_else(|| TimeZone::posix(name).ok())
            .unwrap_or_else(TimeZone::unknown)
    }

    fn file(path: &Path, read: impl Fn(&Path) -> io::Result<Vec<u8>>) -> Option<TimeZone> {
        TimeZone::tzif("Local", &read(path).ok()?).ok()
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use jiff::Timestamp;

        /// A `TZif` file (RFC 9636) of one zone, two hours east of Greenwich.
        fn two_hours_east() -> Vec<u8> {
            let mut block = b"TZif2".to_vec();
            block.extend([0; 15]);
            for count in [0_u32, 0, 0, 0, 1, 4] {
                block.extend(count.to_be_bytes());
            }
            block.extend(7200_i32.to_be_bytes());
            block.extend(b"\0\0+02\0");
            let mut tzif = block.repeat(2);
            tzif.extend(b"\n<+02>-2\n");
            tzif
        }

        fn only(path: &'static str) -> impl Fn(&Path) -> io::Result<Vec<u8>> {
            move |asked| {
                if asked == Path::new(path) {
                    Ok(two_hours_east())
                } else {
                    Err(io::ErrorKind::NotFound.into())
                }
            }
        }

        /// Its offset at the epoch, in seconds; none when it is unknown.
        fn offset(zone: &TimeZone) -> Option<i32> {
            (!zone.is_unknown()).then(|| zone.to_offset(Timestamp::UNIX_EPOCH).seconds())
        }

        #[test]
        fn the_machine_s() {
            assert_eq!(offset(&machine(only(MACHINE))), Some(7200));
            assert_eq!(offset(&machine(only("/elsewhere"))), None);
            assert_eq!(offset(&machine(|_| Ok(b"no zone".to_vec()))), None);
        }

        #[test]
        fn as_tz_says() {
            for (setting, exists, expected) in [
                ("Europe/Berlin", "/usr/share/zoneinfo/Europe/Berlin", Some(7200)),
                (":Europe/Berlin", "/usr/share/zoneinfo/Europe/Berlin", Some(7200)),
                ("/srv/zone", "/srv/zone", Some(7200)),
                (":/srv/zone", "/srv/zone", Some(7200)),
                ("", MACHINE, Some(0)),
                (":", MACHINE, Some(0)),
                ("CET-1CEST,M3.5.0,M10.5.0/3", MACHINE, Some(3600)),
                ("EST5", MACHINE, Some(-5 * 3600)),
                ("Nowhere/Land", MACHINE, None),
            ] {
                assert_eq!(
                    offset(&named(OsStr::new(setting), only(exists))),
                    expected,
                    "{setting}"
                );
            }
        }

        #[test]
        fn here_it_is_what_jiff_says() {
            let now = Timestamp::now();
            assert_eq!(
                super::super::local().to_offset(now),
                TimeZone::system().to_offset(now)
            );
        }
    }
}
