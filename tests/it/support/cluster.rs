//! A PostgreSQL of one test's own, to be stopped and started again.

use super::{database::TestDatabase, processes};
use admiral::{
    embedded::EmbeddedPostgres,
    process::{ProcessIdentity, ProcessTarget, Signal, Watch, signal},
};
use std::{fs, os::unix::fs::PermissionsExt as _};

/// Its server processes are ended with it.
pub struct PrivateCluster {
    folder: tempfile::TempDir,
    postgres: Option<EmbeddedPostgres>,
}

impl PrivateCluster {
    /// Made and started.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).expect("opened for passing");
        let mut cluster = Self { folder, postgres: None };
        cluster.start_again().await;
        cluster
    }

    /// Where it lies.
    pub fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Its one database, migrated.
    pub async fn database(&self) -> TestDatabase {
        TestDatabase::open(self.postgres.as_ref().expect("it runs").url()).await
    }

    /// Stops it as `pg_ctl stop -m immediate` does: connections break, and it starts with crash recovery.
    pub async fn stop_at_once(&mut self) {
        let server = self.server();
        self.postgres = None;
        signal(&ProcessTarget::Process(server), Signal::QUIT).expect("asked");
        Watch::new(server).expect("watched").exited().await;
    }

    /// Starts it where it was.
    pub async fn start_again(&mut self) {
        let started = EmbeddedPostgres::start(self.folder.path()).await;
        self.postgres = Some(started.expect("PostgreSQL starts"));
    }

    /// Every process of it stands still, and answers nothing.
    pub fn freeze(&self) {
        self.signal_all(Signal::STOP);
    }

    /// And goes on.
    pub fn thaw(&self) {
        self.signal_all(Signal::CONT);
    }

    fn server(&self) -> ProcessIdentity {
        let pid = self.postgres.as_ref().expect("it runs").server_pid();
        ProcessIdentity::of(pid).expect("it runs")
    }

    fn signal_all(&self, what: Signal) {
        for process in processes::working_in(&self.folder.path().join("postgres/data")) {
            let _ended_meanwhile = signal(&ProcessTarget::Process(process), what);
        }
    }
}

impl Drop for PrivateCluster {
    fn drop(&mut self) {
        self.signal_all(Signal::KILL);
    }
}
