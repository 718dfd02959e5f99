//! The resolver configuration of this machine, and whether it has changed since it was read.

pub(super) use platform::{Stamp, SystemConfig};

#[cfg(all(unix, not(any(target_os = "android", target_vendor = "apple"))))]
mod platform {
    use hickory_resolver::config::NameServerConfig;
    use hickory_resolver::system_conf::parse_resolv_conf;
    use std::os::unix::fs::MetadataExt;
    use std::path::PathBuf;

    /// Where the configuration stands.
    #[derive(Clone, Debug)]
    pub(in super::super) struct SystemConfig(PathBuf);

    /// Changes when the file may have changed: device, inode, size, and the times of modification and of change in
    /// nanoseconds, so that a file replaced by a rename or rewritten in place is seen. `None` without a file.
    pub(in super::super) type Stamp = Option<[i128; 7]>;

    impl Default for SystemConfig {
        fn default() -> Self {
            Self("/etc/resolv.conf".into())
        }
    }

    impl SystemConfig {
        #[cfg(test)]
        pub(in super::super) fn at(path: impl Into<PathBuf>) -> Self {
            Self(path.into())
        }

        /// Cheap enough to be taken at every look-up.
        pub(in super::super) fn stamp(&self) -> Stamp {
            let file = std::fs::metadata(&self.0).ok()?;
            Some([
                file.dev().into(),
                file.ino().into(),
                file.size().into(),
                file.mtime().into(),
                file.mtime_nsec().into(),
                file.ctime().into(),
                file.ctime_nsec().into(),
            ])
        }

        /// The name servers of this machine; at least one.
        ///
        /// # Errors
        /// Why there is none, for a person.
        pub(in super::super) fn name_servers(&self) -> Result<Vec<NameServerConfig>, String> {
            let path = self.0.display();
            let text = std::fs::read(&self.0).map_err(|error| format!("{path}: {error}"))?;
            let (config, _) = parse_resolv_conf(text).map_err(|error| format!("{path}: {error}"))?;
            Ok(config.name_servers().to_vec())
        }
    }
}

#[cfg(not(all(unix, not(any(target_os = "android", target_vendor = "apple")))))]
mod platform {
    use hickory_resolver::config::NameServerConfig;
    use hickory_resolver::system_conf::read_system_conf;
    use std::time::{Duration, Instant};

    /// Where the configuration is no file, it is read again twice a minute.
    const READ_AGAIN: Duration = Duration::from_secs(30);

    /// The configuration that the system's own interface gives.
    #[derive(Clone, Debug)]
    pub(in super::super) struct SystemConfig(Instant);

    /// The count of half minutes.
    pub(in super::super) type Stamp = u64;

    impl Default for SystemConfig {
        fn default() -> Self {
            Self(Instant::now())
        }
    }

    impl SystemConfig {
        pub(in super::super) fn stamp(&self) -> Stamp {
            self.0.elapsed().as_secs() / READ_AGAIN.as_secs()
        }

        pub(in super::super) fn name_servers(&self) -> Result<Vec<NameServerConfig>, String> {
            let (config, _) = read_system_conf().map_err(|error| error.to_string())?;
            if config.name_servers().is_empty() {
                return Err("it names no DNS server".to_owned());
            }
            Ok(config.name_servers().to_vec())
        }
    }
}
