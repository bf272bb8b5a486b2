//! The accounts of this machine, as its name services tell them, and becoming one of them.

use std::{
    ffi::{CString, OsString},
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use nix::unistd::{Uid, User, getgrouplist, setgroups, setresgid, setresuid};

/// An account of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its user id.
    pub user: u32,
    /// The id of its primary group.
    pub group: u32,
    /// Its home directory, which may not exist.
    pub home: PathBuf,
    /// Its shell.
    pub shell: PathBuf,
}

impl Account {
    /// The account with this name; `None` when there is no such account.
    pub fn by_name(name: &str) -> io::Result<Option<Self>> {
        Ok(User::from_name(name)?.map(Self::from))
    }

    /// The account with this user id; `None` when there is no such account.
    pub fn by_id(user: u32) -> io::Result<Option<Self>> {
        Ok(User::from_uid(Uid::from_raw(user))?.map(Self::from))
    }

    /// Replaces this process by `program`, which runs as this account, with its groups and with exactly `environment`.
    ///
    /// Only root may become another account. Returns only when something failed; the process may have given up its rights by then, so
    /// that the caller has to end. Call it before there are other threads.
    pub fn become_and_run(
        &self,
        program: &Path,
        arguments: impl IntoIterator<Item = OsString>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> io::Error {
        if let Err(error) = self.become_permanently() {
            return error;
        }
        run_instead(program, arguments, environment)
    }

    /// Groups first: without root's rights they could not be changed any more.
    fn become_permanently(&self) -> io::Result<()> {
        let name = CString::new(self.name.as_str())?;
        let (user, group) = (self.user.into(), self.group.into());
        setgroups(&getgrouplist(&name, group)?)?;
        setresgid(group, group, group)?;
        setresuid(user, user, user)?;
        Ok(())
    }
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self {
            name: user.name,
            user: user.uid.as_raw(),
            group: user.gid.as_raw(),
            home: user.dir,
            shell: user.shell,
        }
    }
}

/// Replaces this process by `program` with exactly `environment`. Returns only when that failed.
pub fn run_instead(
    program: &Path,
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> io::Error {
    Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment)
        .exec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_name_and_by_number() {
        let root = Account::by_name("root").expect("asked").expect("every machine has it");
        assert_eq!((root.user, root.group), (0, 0));
        assert_eq!(Account::by_id(0).expect("asked"), Some(root));
        assert_eq!(Account::by_name("no-such-account").expect("asked"), None);
        assert_eq!(Account::by_name("ro\0ot").expect("asked"), None);
        assert_eq!(Account::by_id(4_000_000_000).expect("asked"), None);
    }
}
