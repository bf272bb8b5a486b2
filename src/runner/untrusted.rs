//! Opens files that a run could have put there: never through a link, never waiting, and only if they are regular files.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::AsRawFd as _,
    path::Path,
};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};

use super::account::RunAccount;
use crate::process::guarded;

/// Opens a regular file that Admiral or one of its runs made, for reading. The folder that it lies in must be Admiral's alone.
///
/// Errors: `NotFound`; `InvalidData` for anything that is not such a file, with a message that says what it is.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    if !guarded("regular_files") {
        return File::open(path);
    }
    let refuse = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("it is {what}"));
    // Opened as a mere path first: opening a pipe may wait, and opening a device may do something.
    let found = openat(
        CWD,
        path,
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let stat = fstat(&found)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {}
        FileType::Symlink => return Err(refuse("a link")),
        FileType::Directory => return Err(refuse("a folder")),
        _ => return Err(refuse("no regular file")),
    }
    if !RunAccount::may_own(stat.st_uid) {
        return Err(refuse("another account's file"));
    }
    let itself = format!("/proc/self/fd/{}", found.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(openat(CWD, itself, flags, Mode::empty())?.into())
}

/// Reads a whole file, unless it is larger than `max_bytes`.
pub(super) fn read_regular(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        let message = format!("it is larger than {max_bytes} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(bytes)
}
