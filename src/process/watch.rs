//! Waiting for a process that need not be a child.

use std::{io, os::fd::OwnedFd};

use rustix::{
    io::Errno,
    process::{PidfdFlags, pidfd_open},
};
use tokio::io::{Interest, unix::AsyncFd};

use super::{ProcessIdentity, signal::pid};

/// Tells when a process is over. Needs a Tokio runtime.
#[derive(Debug)]
pub struct Watch {
    descriptor: Option<AsyncFd<OwnedFd>>,
}

impl Watch {
    /// Begins to watch. A process that is gone already counts as exited.
    pub fn new(identity: ProcessIdentity) -> io::Result<Self> {
        let descriptor = match pidfd_open(pid(identity.pid)?, PidfdFlags::empty()) {
            Ok(descriptor) => descriptor,
            Err(Errno::SRCH) => return Ok(Self { descriptor: None }),
            Err(error) => return Err(error.into()),
        };
        // Compared after the pidfd was opened: from here on the pid cannot come to mean another process.
        if !identity.is_alive() {
            return Ok(Self { descriptor: None });
        }
        #[expect(
            deprecated,
            reason = "its successor is unsafe for file types that lie; an `OwnedFd` does not"
        )]
        let descriptor = AsyncFd::with_interest(descriptor, Interest::READABLE)?;
        Ok(Self {
            descriptor: Some(descriptor),
        })
    }

    /// Returns once the process has ended, reaped or not.
    pub async fn exited(&self) {
        if let Some(descriptor) = &self.descriptor {
            // An error means that the runtime is shutting down; there is nobody left to tell.
            let _ended = descriptor.readable().await;
        }
    }
}
