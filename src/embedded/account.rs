//! The account that PostgreSQL runs as: our own, or, because it refuses to run as root, another one.

use std::{
    fs,
    os::unix::fs::{MetadataExt, lchown},
    path::Path,
};

use super::error::EmbeddedError;
use crate::process;

/// The accounts that PostgreSQL runs as when Admiral runs as root; the first one that exists is taken.
const SERVER_ACCOUNTS: [&str; 2] = ["postgres", "nobody"];

/// The account that the cluster belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) user: u32,
    pub(super) group: u32,
    /// Whether it is another account than our own.
    pub(super) is_other: bool,
    /// The name of our own account, the only one that may connect.
    pub(super) client: String,
}

impl Account {
    pub(super) fn for_server() -> Result<Self, EmbeddedError> {
        let own = rustix::process::geteuid().as_raw();
        let client = process::Account::by_id(own)
            .map_err(EmbeddedError::Accounts)?
            .ok_or(EmbeddedError::Nameless { user: own })?;
        if own != 0 {
            return Ok(Self {
                name: client.name.clone(),
                user: own,
                group: rustix::process::getegid().as_raw(),
                is_other: false,
                client: client.name,
            });
        }
        for name in SERVER_ACCOUNTS {
            let found = process::Account::by_name(name).map_err(EmbeddedError::Accounts)?;
            if let Some(server) = found.filter(|server| server.user != 0) {
                return Ok(Self {
                    name: server.name,
                    user: server.user,
                    group: server.group,
                    is_other: true,
                    client: client.name,
                });
            }
        }
        Err(EmbeddedError::NoAccount)
    }

    /// Gives a file or a folder to the account. Where the account can put a link in its place, only the link is given away.
    pub(super) fn own(&self, path: &Path) -> Result<(), EmbeddedError> {
        if self.is_other {
            lchown(path, Some(self.user), Some(self.group))
                .map_err(EmbeddedError::file("change the owner of", path))?;
        }
        Ok(())
    }

    /// Whether the account may pass through the folder, as its mode bits tell.
    pub(super) fn may_traverse(&self, folder: &Path) -> Result<bool, EmbeddedError> {
        let metadata = fs::metadata(folder).map_err(EmbeddedError::file("look at", folder))?;
        let bit = if metadata.uid() == self.user {
            0o100
        } else if metadata.gid() == self.group {
            0o010
        } else {
            0o001
        };
        Ok(metadata.mode() & bit != 0)
    }
}
