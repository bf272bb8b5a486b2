//! More workers beside a server: processes of their own on its database, each with a data directory of its own.

use super::{
    ansible::ansible_bins,
    server::{AdmiralServer, PATIENCE},
    ssh_hosts::free_port,
};
use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A running worker; told to stop on drop.
pub struct WorkerProcess {
    /// Holds `data/` and `worker.log`.
    pub folder: TempDir,
    /// Its process.
    pub process: Child,
}

impl WorkerProcess {
    /// Starts one, with the server's key ring, and waits until it is known to the database.
    pub async fn start(server: &AdmiralServer) -> Self {
        let before = Self::count(server).await;
        let folder = tempfile::Builder::new()
            .prefix("admiral-worker-")
            .tempdir()
            .expect("a temporary folder can be made");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("the folder is writable");
        std::fs::copy(
            server.folder.path().join("data/key-ring.json"),
            data.join("key-ring.json"),
        )
        .expect("the key ring is there");
        let log = std::fs::File::create(folder.path().join("worker.log")).expect("the folder is writable");
        let process = Command::new(env!("CARGO_BIN_EXE_admiral"))
            .args(["serve", "--listen", &format!("127.0.0.1:{}", free_port())])
            .env("ADMIRAL_DATA_DIR", &data)
            .env("DATABASE_URL", &server.database.url)
            .env("ADMIRAL_ANSIBLE_BIN", &ansible_bins()[0])
            .env("ADMIRAL_LOG", "info,admiral=debug")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .spawn()
            .expect("the worker starts");
        let worker = Self { folder, process };
        let deadline = Instant::now() + PATIENCE;
        while Self::count(server).await <= before {
            assert!(Instant::now() < deadline, "no worker appears: {}", worker.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        worker
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("worker.log")).unwrap_or_default()
    }

    async fn count(server: &AdmiralServer) -> i64 {
        let mut connection = server.database.database.acquire().await.expect("a connection");
        sqlx::query_scalar("SELECT count(*) FROM admiral.workers")
            .fetch_one(&mut *connection)
            .await
            .expect("a number")
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        let pid = self.process.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().ok();
        let deadline = Instant::now() + Duration::from_secs(30);
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
