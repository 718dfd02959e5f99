//! A private key in a file, and who else can get at it.

use super::DkimError;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use zeroize::Zeroizing;

/// No key is longer than this, in octets; a device has no end.
const LONGEST: u64 = 1024 * 1024;

/// A key that may be used.
pub(super) struct KeyFile {
    pub(super) pem: Zeroizing<Vec<u8>>,
    /// Others can read it.
    pub(super) is_exposed: bool,
}

/// Reads a file unless everybody could have written it. As OpenSSH does, it asks the open file and not the name,
/// which may lead elsewhere a moment later.
pub(super) fn read(path: &Path) -> Result<KeyFile, DkimError> {
    let unreadable = |error: io::Error| DkimError::File {
        path: path.to_owned(),
        error,
    };
    let file = File::open(path).map_err(unreadable)?;
    let access = access(&file).map_err(unreadable)?;
    if access == Access::WritableByAll {
        return Err(DkimError::FileOfEverybody {
            path: path.to_owned(),
        });
    }
    let mut pem = Zeroizing::new(Vec::new());
    file.take(LONGEST).read_to_end(&mut pem).map_err(unreadable)?;
    Ok(KeyFile {
        pem,
        is_exposed: access == Access::Shared,
    })
}

/// Who but its owner can open a file.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "permissions are lists of names there"))]
enum Access {
    Nobody,
    /// Its group, or all can read it.
    Shared,
    WritableByAll,
}

#[cfg(unix)]
fn access(file: &File) -> io::Result<Access> {
    use std::os::unix::fs::MetadataExt;
    let mode = file.metadata()?.mode();
    Ok(match mode {
        _ if mode & 0o002 != 0 => Access::WritableByAll,
        _ if mode & 0o077 != 0 => Access::Shared,
        _ => Access::Nobody,
    })
}

/// Whoever wants to know would have to read the lists of access of Windows, which a plain file's permissions do not show.
#[cfg(not(unix))]
fn access(_file: &File) -> io::Result<Access> {
    Ok(Access::Nobody)
}
