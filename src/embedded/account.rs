//! The user that PostgreSQL runs as: ourselves, or, as it refuses root, another one.

use std::{
    fs,
    os::unix::fs::{MetadataExt, chown},
    path::Path,
};

use super::error::EmbeddedError;

/// Whom the cluster belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) user: u32,
    pub(super) group: u32,
    /// Whether it is another one than our own.
    pub(super) is_other: bool,
}

impl Account {
    pub(super) fn for_server() -> Result<Self, EmbeddedError> {
        let user = rustix::process::geteuid().as_raw();
        if user != 0 {
            let group = rustix::process::getegid().as_raw();
            return Ok(Self {
                name: user.to_string(),
                user,
                group,
                is_other: false,
            });
        }
        let passwd =
            fs::read_to_string("/etc/passwd").map_err(EmbeddedError::file("read", Path::new("/etc/passwd")))?;
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| find(&passwd, name))
            .ok_or(EmbeddedError::NoAccount)
    }

    /// Gives a file or a folder to the account.
    pub(super) fn own(&self, path: &Path) -> Result<(), EmbeddedError> {
        if self.is_other {
            chown(path, Some(self.user), Some(self.group)).map_err(EmbeddedError::file("change the owner of", path))?;
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

/// One line of passwd(5), by name.
fn find(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [found, _, user, group, ..] = fields[..] else {
            return None;
        };
        let (user, group) = (user.parse().ok()?, group.parse().ok()?);
        (found == name && user != 0).then(|| Account {
            name: name.to_owned(),
            user,
            group,
            is_other: true,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_their_whole_name_and_root_is_none() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nmypostgres:x:7:8::/:/bin/sh\npostgres:x:101:104:,,,:/:/bin/bash\n";
        let found = find(passwd, "postgres").expect("it is there");
        assert_eq!((found.user, found.group), (101, 104));
        assert_eq!(find(passwd, "root"), None);
        assert_eq!(find(passwd, "nobody"), None);
    }
}
