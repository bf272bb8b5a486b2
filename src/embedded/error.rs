//! What can go wrong with the embedded PostgreSQL, with a hint at what to do about it.

use std::{io, path::PathBuf};

use crate::process::ProcessError;

/// Why there is no embedded PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No server binaries are installed.
    #[error(
        "find the PostgreSQL server: no initdb, pg_ctl and postgres (version {oldest} or newer) in {searched}; \
         install the Debian package `postgresql`, name their folder in ADMIRAL_PG_BIN, or set DATABASE_URL"
    )]
    NotInstalled {
        /// The oldest major version that will do.
        oldest: u32,
        /// Where we looked.
        searched: String,
    },
    /// The cluster belongs to a major version that is not installed.
    #[error(
        "use the cluster in {}: it was made by PostgreSQL {cluster}, installed is {installed}; \
         install the Debian package `postgresql-{cluster}`, or move the data with pg_upgrade", data.display()
    )]
    VersionMismatch {
        /// The cluster's folder.
        data: PathBuf,
        /// Its major version.
        cluster: u32,
        /// The major versions that were found.
        installed: String,
    },
    /// The user that PostgreSQL runs as cannot get to the data directory.
    #[error(
        "let PostgreSQL, which runs as user {user}, reach its data: {} cannot be passed through; \
         choose a data directory elsewhere, or `chmod o+x` that one", directory.display()
    )]
    NotTraversable {
        /// The directory that stops it.
        directory: PathBuf,
        /// The user.
        user: String,
    },
    /// There is no user that PostgreSQL could run as.
    #[error("run PostgreSQL: it refuses to run as root, and there is neither a user postgres nor nobody")]
    NoAccount,
    /// The account that this process runs as has no name, and PostgreSQL knows accounts by their names.
    #[error(
        "run PostgreSQL as user id {user}: no account has that id; add one, for example with `useradd --uid {user} admiral`"
    )]
    Nameless {
        /// The user id.
        user: u32,
    },
    /// The accounts of this machine could not be looked up.
    #[error("look up the accounts of this machine")]
    Accounts(#[source] io::Error),
    /// The cluster belongs to another account. Changing its owner would take it away from that account.
    #[error(
        "use {}: it belongs to user id {owner}, and PostgreSQL would run as {account} here; \
         run Admiral as the account that owns the data directory", path.display()
    )]
    Foreign {
        /// The folder of the other account.
        path: PathBuf,
        /// The id of the other account.
        owner: u32,
        /// The account that PostgreSQL would run as.
        account: String,
    },
    /// The folder for the socket belongs to somebody else.
    #[error("use {} for the socket: it is not a private folder of the user that PostgreSQL runs as", path.display())]
    SocketFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A file or a folder could not be handled.
    #[error("{action} {}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// One of PostgreSQL's programs could not be run.
    #[error("run a program of PostgreSQL")]
    Process(#[from] ProcessError),
    /// One of PostgreSQL's programs failed.
    #[error("run {program}: {output}")]
    Program {
        /// The program.
        program: &'static str,
        /// What it said.
        output: String,
    },
    /// PostgreSQL did not come up, or go down, in time.
    #[error("wait for PostgreSQL to {what} (its log is in {})", log.display())]
    Timeout {
        /// What it should have done.
        what: &'static str,
        /// Where its log lies.
        log: PathBuf,
    },
    /// Another process has been starting or stopping PostgreSQL for too long.
    #[error("lock {}: another Admiral has held it for too long", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
}

impl EmbeddedError {
    /// For `map_err` on file operations.
    pub(super) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
