//! The terminal that a user sits at, while its input goes to a program of its own terminal.

use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    process::getpgrp,
    termios::{OptionalActions, Termios, Winsize, isatty, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr},
};

/// The controlling terminal of this process. It gets its modes back when this is dropped, on whatever way.
#[derive(Debug)]
pub(super) struct Terminal {
    descriptor: OwnedFd,
    /// Its modes as they were found.
    modes: Termios,
    is_raw: bool,
}

impl Terminal {
    /// The controlling terminal; without one the terminal behind `output`. `None` when that is no terminal.
    pub(super) fn open(output: BorrowedFd<'_>) -> Option<Self> {
        if !isatty(output) {
            return None;
        }
        let descriptor: OwnedFd = match OpenOptions::new().read(true).write(true).open("/dev/tty") {
            Ok(file) => file.into(),
            Err(_) => output.try_clone_to_owned().ok()?,
        };
        let modes = tcgetattr(&descriptor).ok()?;
        Some(Self {
            descriptor,
            modes,
            is_raw: false,
        })
    }

    /// Its modes as they were found.
    pub(super) fn modes(&self) -> &Termios {
        &self.modes
    }

    /// Its size.
    pub(super) fn size(&self) -> io::Result<Winsize> {
        Ok(tcgetwinsize(&self.descriptor)?)
    }

    /// Whether what is typed comes to us as it is.
    pub(super) fn is_raw(&self) -> bool {
        self.is_raw
    }

    /// Takes what is typed as it is, if we are in the foreground: from the background nobody may.
    pub(super) fn take_input(&mut self) {
        if self.is_raw || !self.is_ours() {
            return;
        }
        let mut raw = self.modes.clone();
        raw.make_raw();
        self.is_raw = tcsetattr(&self.descriptor, OptionalActions::Now, &raw).is_ok();
    }

    /// Gives the terminal its modes back.
    pub(super) fn restore(&mut self) {
        if std::mem::take(&mut self.is_raw) && self.is_ours() {
            // It may be gone; there is nobody to tell.
            let _ = tcsetattr(&self.descriptor, OptionalActions::Now, &self.modes);
        }
    }

    /// Whether we are its foreground. One that is not our controlling terminal has none to ask for.
    fn is_ours(&self) -> bool {
        tcgetpgrp(&self.descriptor).map_or(true, |foreground| foreground == getpgrp())
    }
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.restore();
    }
}

/// Whether this process has a controlling terminal and is in its foreground: then the terminal's signals come to its children too.
pub(super) fn is_in_foreground() -> bool {
    File::open("/dev/tty").is_ok_and(|terminal| tcgetpgrp(&terminal).is_ok_and(|foreground| foreground == getpgrp()))
}
