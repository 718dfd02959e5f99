//! Files that are there whole, or as they were.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Writes a file beside the one of that name and renames it when it is whole; what is not a regular file, a pipe or a
/// device, is written to as it is.
pub(super) fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    // A link stays, and what it names is replaced.
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        // One that names nothing would be lost.
        Err(error) if path.is_symlink() => return Err(error),
        Err(_) => path.to_owned(),
    };
    let there = match fs::metadata(&target) {
        Ok(there) => Some(there),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if there.as_ref().is_some_and(|there| !there.is_file()) {
        return write(&mut OpenOptions::new().write(true).open(&target)?);
    }
    // A file that may not be written to is not replaced either, although its folder would allow it.
    if there.is_some() {
        OpenOptions::new().write(true).open(&target)?;
    }
    // What nobody else may read is read by nobody else meanwhile.
    let mode = if there.is_some() { 0o600 } else { 0o666 };
    let (mut file, unfinished) = beside(&target, mode)?;
    write(&mut file)?;
    if let Some(there) = there {
        file.set_permissions(there.permissions())?;
    }
    // The data are on the disk before the name says so, or a loss of power could leave neither file.
    file.sync_all()?;
    unfinished.rename(&target)
}

/// A new file in the folder of another, and its name.
fn beside(target: &Path, mode: u32) -> io::Result<(File, Unfinished)> {
    const TRIES: usize = 100;
    let folder = target.parent().unwrap_or(Path::new(""));
    for _ in 0..TRIES {
        // Seeded anew by the system's random numbers in each thread, and another one at each call.
        let name = format!(".mapagent-{:016x}", RandomState::new().hash_one(target));
        let path = folder.join(name);
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path);
        match opened {
            Ok(file) => return Ok((file, Unfinished(Some(path)))),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// A file that is removed unless it gets its name.
struct Unfinished(Option<PathBuf>);

impl Unfinished {
    fn rename(mut self, target: &Path) -> io::Result<()> {
        if let Some(path) = &self.0 {
            fs::rename(path, target)?;
        }
        self.0 = None;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Nothing more can be done about one that cannot be removed; why it failed is said already.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;
    use std::io::Write;
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
    use std::process::Command;
    use std::thread;

    type TestResult = Result<(), Box<dyn Error>>;

    fn names(folder: &Path) -> io::Result<Vec<String>> {
        let mut names: Vec<_> = fs::read_dir(folder)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<_>>()?;
        names.sort_unstable();
        Ok(names)
    }

    #[test]
    fn a_failure_leaves_what_was_there() -> TestResult {
        let folder = tempfile::tempdir()?;
        let target = folder.path().join("there");
        fs::write(&target, "old")?;
        let failed = replace(&target, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("no more"))
        });
        assert!(failed.is_err_and(|error| error.to_string() == "no more"));
        assert_eq!(fs::read(&target)?, b"old");
        assert!(replace(&folder.path().join("new"), |_| Err(io::Error::other("no"))).is_err());
        assert_eq!(names(folder.path())?, ["there"]);
        Ok(())
    }

    #[test]
    fn a_file_is_replaced_with_its_permissions_and_through_links() -> TestResult {
        let folder = tempfile::tempdir()?;
        let (target, link) = (folder.path().join("there"), folder.path().join("link"));
        fs::write(&target, "old")?;
        fs::set_permissions(&target, fs::Permissions::from_mode(0o640))?;
        symlink("there", &link)?;
        let mut source = File::open(&target)?;
        replace(&link, |file| {
            io::copy(&mut source, file).and_then(|_| file.write_all(b" and new"))
        })?;
        assert_eq!(fs::read(&target)?, b"old and new");
        assert_eq!(fs::metadata(&target)?.permissions().mode() & 0o7777, 0o640);
        assert_eq!(names(folder.path())?, ["link", "there"]);
        assert!(link.is_symlink());
        Ok(())
    }

    #[test]
    fn a_pipe_is_written_to_as_it_is() -> TestResult {
        let folder = tempfile::tempdir()?;
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status()?.success());
        let reader = thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe)
        });
        replace(&pipe, |file| file.write_all(b"through"))?;
        assert_eq!(reader.join().map_err(|_| "the reader panicked")??, b"through");
        assert!(fs::metadata(&pipe)?.file_type().is_fifo());
        Ok(())
    }

    #[test]
    fn a_link_that_names_nothing_stays() -> TestResult {
        let folder = tempfile::tempdir()?;
        let link = folder.path().join("link");
        symlink("nowhere", &link)?;
        assert!(replace(&link, |_| Ok(())).is_err());
        assert!(link.is_symlink());
        Ok(())
    }
}
