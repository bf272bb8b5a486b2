//! The accounts of this machine, as its name services tell them, and becoming one of them.

use std::{
    ffi::{CString, OsString},
    fs, io,
    os::{
        fd::{BorrowedFd, RawFd},
        unix::process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
};

use nix::unistd::{Uid, User, getgrouplist, setgroups, setresgid, setresuid};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

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

    /// Replaces this process by `program`, which runs as this account, with its groups, with exactly `environment`, and with no open files
    /// but the three standard ones.
    ///
    /// Only root may become another account. Returns only when something failed; the process may have given up its rights by then, so
    /// that the caller has to end. Call it before there are other threads.
    pub fn become_and_run(
        &self,
        program: &Path,
        arguments: impl IntoIterator<Item = OsString>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> io::Error {
        let prepared = close_on_exec().and_then(|()| self.become_permanently());
        if let Err(error) = prepared {
            return error;
        }
        run_instead(program, arguments, environment)
    }

    /// The groups come first, because they cannot be changed without root's rights.
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

/// Has all open files but the standard ones closed when this process becomes another program: root's shell may have opened them.
fn close_on_exec() -> io::Result<()> {
    let mut numbers: Vec<RawFd> = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        numbers.extend(entry?.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok()));
    }
    for number in numbers.into_iter().filter(|number| *number > 2) {
        #[expect(unsafe_code, reason = "there is no safe way to name a file that was inherited")]
        // SAFETY: The number was that of an open file a moment ago. It is used for one system call only, which fails if it is closed.
        let file = unsafe { BorrowedFd::borrow_raw(number) };
        match fcntl_setfd(file, FdFlags::CLOEXEC) {
            // The folder that was read above is closed.
            Ok(()) | Err(Errno::BADF) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
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
    use rustix::io::fcntl_getfd;

    #[test]
    fn inherited_files_are_closed_for_the_next_program() {
        let file = fs::File::open("/dev/null").expect("opened");
        fcntl_setfd(&file, FdFlags::empty()).expect("as a shell hands it on");
        close_on_exec().expect("closed");
        assert_eq!(fcntl_getfd(&file).expect("it is open here"), FdFlags::CLOEXEC);
    }

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
