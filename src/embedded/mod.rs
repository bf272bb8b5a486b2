//! A private PostgreSQL in the data directory, for whoever brings none.
//!
//! It runs from the installed server binaries, answers on a unix socket only, and is shared by all Admiral processes
//! of one data directory: the first one starts it, the last one stops it, and after a `kill -9` the next one finds it
//! running and takes it over.
//!
//! ```text
//! <data directory>/postgres/
//!     start.lock   held while the cluster is made, started or stopped
//!     users.lock   held shared by everyone who uses it; who gets it alone is the last one
//!     data/        the cluster
//!     socket/      mode 0700
//! ```
//!
//! There is no password: the kernel lets only root and the owner of `socket/` reach the socket, and PostgreSQL lets in only the account
//! that Admiral runs as (`access.rs`).

mod access;
mod account;
mod binaries;
mod cluster;
mod error;
mod lock;
mod postmaster;
mod socket;

use std::{
    env,
    path::{Path, PathBuf},
};

pub use error::EmbeddedError;

use self::{account::Account, binaries::Installation, cluster::Cluster, lock::Lock, postmaster::Postmaster};

/// The database in the cluster.
const DATABASE: &str = "admiral";
/// The superuser of the cluster.
const ROLE: &str = "admiral";
/// Only names the socket file: no TCP port is opened.
const PORT: u16 = 5432;

/// The folder of the server binaries that [`EmbeddedPostgres::start`] would use for a new cluster.
pub async fn find_programs() -> Result<PathBuf, EmbeddedError> {
    let explicit = env::var_os("ADMIRAL_PG_BIN").map(PathBuf::from);
    Ok(Installation::find(explicit.as_deref(), None).await?.folder().to_owned())
}

/// Whether a data directory holds a cluster, running or not.
pub fn has_cluster(data_directory: &Path) -> bool {
    data_directory.join("postgres/data/PG_VERSION").exists()
}

/// The address of the PostgreSQL of a data directory, if it is running. Nothing is made, locked or started, so it may end at any time.
pub fn running_url(data_directory: &Path) -> Result<Option<String>, EmbeddedError> {
    let cluster = Cluster::existing(data_directory)?;
    let running = Postmaster::find(&cluster)?.filter(Postmaster::is_ready);
    Ok(running.map(|postmaster| url(&postmaster.socket_folder)))
}

fn url(socket_folder: &Path) -> String {
    let host = socket::percent_encode(socket_folder);
    format!("postgres://{ROLE}@localhost:{PORT}/{DATABASE}?host={host}&sslmode=disable")
}

/// A use of the embedded PostgreSQL. Dropped without [`stop`](Self::stop), PostgreSQL goes on for the next user.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    cluster: Cluster,
    installation: Installation,
    socket_folder: PathBuf,
    users: Lock,
    server_pid: i32,
}

impl EmbeddedPostgres {
    /// Makes the cluster when there is none, starts PostgreSQL when it does not run, and waits until it answers.
    ///
    /// As root, PostgreSQL runs as `postgres`, or as `nobody` where there is no such user; then the data directory is
    /// opened for passing through (mode `o+x`), but not for reading.
    pub async fn start(data_directory: &Path) -> Result<Self, EmbeddedError> {
        let explicit = env::var_os("ADMIRAL_PG_BIN").map(PathBuf::from);
        Self::start_with(data_directory, explicit.as_deref()).await
    }

    /// The folder and the major version of the server binaries that a new cluster would run on; for those who only ask.
    pub async fn installed() -> Result<(PathBuf, u32), EmbeddedError> {
        let explicit = env::var_os("ADMIRAL_PG_BIN").map(PathBuf::from);
        let installation = Installation::find(explicit.as_deref(), None).await?;
        Ok((installation.folder().to_owned(), installation.major()))
    }

    /// As [`start`](Self::start), with the folder of the server binaries instead of what `ADMIRAL_PG_BIN` says.
    pub async fn start_with(data_directory: &Path, binaries: Option<&Path>) -> Result<Self, EmbeddedError> {
        let account = Account::for_server()?;
        let cluster = Cluster::open(data_directory, account)?;
        let _starting = Lock::exclusive(&cluster.start_lock()).await?;
        let installation = Installation::find(binaries, cluster.major_version()?).await?;
        cluster.make_if_missing(&installation).await?;
        let mut running = Postmaster::find(&cluster)?;
        if let Some(found) = running {
            running = found.until_ready(&cluster).await?;
        }
        let postmaster = match running {
            Some(postmaster) => {
                cluster.restrict_running(&installation).await?;
                postmaster
            }
            None => cluster.start(&installation).await?,
        };
        let users = Lock::shared(&cluster.users_lock()).await?;
        Ok(Self {
            cluster,
            installation,
            socket_folder: postmaster.socket_folder,
            users,
            server_pid: postmaster.pid,
        })
    }

    /// Where to connect, for sqlx. Whatever `PG*` variables say, it means this server.
    pub fn url(&self) -> String {
        url(&self.socket_folder)
    }

    /// The process id of the PostgreSQL server.
    pub fn server_pid(&self) -> i32 {
        self.server_pid
    }

    /// The folder of the server binaries in use; `pg_dump` and its like lie there too.
    pub fn binaries(&self) -> &Path {
        self.installation.folder()
    }

    /// Starts PostgreSQL again when it has died, as when it was killed for want of memory; whether that was so. For somebody who uses it:
    /// as long as anybody does, nobody else stops it.
    pub async fn revive(&self) -> Result<bool, EmbeddedError> {
        let _starting = Lock::exclusive(&self.cluster.start_lock()).await?;
        if let Some(running) = Postmaster::find(&self.cluster)?
            && running.until_ready(&self.cluster).await?.is_some()
        {
            return Ok(false);
        }
        self.cluster.start(&self.installation).await?;
        Ok(true)
    }

    /// Ends this use, and PostgreSQL with it when it was the last one. Returns whether PostgreSQL was stopped.
    pub async fn stop(self) -> Result<bool, EmbeddedError> {
        let _stopping = Lock::exclusive(&self.cluster.start_lock()).await?;
        if !self.users.try_make_exclusive()? {
            return Ok(false);
        }
        self.cluster.stop(&self.installation).await?;
        Ok(true)
    }
}
