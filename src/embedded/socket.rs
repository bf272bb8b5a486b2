//! The folder of the socket: private, and short enough for the kernel.

use std::{
    fmt::Write,
    fs::{self, DirBuilder},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{PORT, account::Account, error::EmbeddedError};

/// An AF_UNIX path has 108 bytes, the last of which is 0; unix(7).
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// The socket's file in its folder.
pub(super) fn socket_file(folder: &Path) -> PathBuf {
    folder.join(format!(".s.PGSQL.{PORT}"))
}

/// PostgreSQL's lock on the socket; it begins with the pid, as `postmaster.pid` does.
pub(super) fn lock_file(folder: &Path) -> PathBuf {
    folder.join(format!(".s.PGSQL.{PORT}.lock"))
}

/// `socket/` beside the cluster, or a folder with a short name that comes from the cluster's when that is too long.
pub(super) fn folder_for(postgres_folder: &Path, user: u32, short_root: &Path) -> PathBuf {
    let beside = postgres_folder.join("socket");
    // PostgreSQL reads the folder from a configuration file that is UTF-8 to us.
    if beside.to_str().is_some() && socket_file(&beside).as_os_str().len() <= MAX_SOCKET_PATH_BYTES {
        return beside;
    }
    let digest = Sha256::digest(postgres_folder.as_os_str().as_bytes());
    short_root.join(format!("admiral-postgres-{user}-{}", hex::encode(&digest[..6])))
}

/// `/run` is only root's to write, and is not tidied up by age as `/tmp` is.
pub(super) fn short_root() -> &'static Path {
    if rustix::process::geteuid().is_root() {
        Path::new("/run")
    } else {
        Path::new("/tmp")
    }
}

/// Makes the folder, 0700 and the account's own. One that is there must be just that: others may write beside it.
pub(super) fn prepare(folder: &Path, account: &Account) -> Result<(), EmbeddedError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => account.own(folder)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(EmbeddedError::file("make", folder)(error)),
    }
    let metadata = fs::symlink_metadata(folder).map_err(EmbeddedError::file("look at", folder))?;
    let is_open_to_others = metadata.mode() & 0o077 != 0;
    if metadata.is_dir() && metadata.uid() == account.user && !is_open_to_others {
        return Ok(());
    }
    Err(EmbeddedError::SocketFolder {
        path: folder.to_owned(),
    })
}

/// As a value in the query of a URL: everything but letters, digits and `-._~` is encoded (RFC 3986).
pub(super) fn percent_encode(path: &Path) -> String {
    let mut encoded = String::new();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            encoded.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_too_long_gives_way_to_a_short_one_of_its_own() {
        let root = Path::new("/tmp");
        assert_eq!(
            folder_for(Path::new("/data/postgres"), 7, root),
            Path::new("/data/postgres/socket")
        );
        let long = PathBuf::from(format!("/{}/postgres", "x".repeat(90)));
        let other = PathBuf::from(format!("/{}/postgres", "y".repeat(90)));
        let short = folder_for(&long, 7, root);
        assert!(short.starts_with("/tmp/") && socket_file(&short).as_os_str().len() <= MAX_SOCKET_PATH_BYTES);
        assert_eq!(short, folder_for(&long, 7, root));
        assert_ne!(short, folder_for(&other, 7, root));
    }

    #[test]
    fn the_folder_survives_a_url() {
        assert_eq!(percent_encode(Path::new("/a b/ü&?%")), "%2Fa%20b%2F%C3%BC%26%3F%25");
    }
}
