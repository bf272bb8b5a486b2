//! More workers beside a server: processes of their own on its database, each with a data directory of its own.

use super::server::{AdmiralServer, PATIENCE, wait_for_exit};
use std::{
    path::PathBuf,
    process::{Child, Command},
    time::{Duration, Instant},
};

/// A running worker; told to stop on drop.
pub struct WorkerProcess {
    /// Its data directory, beside the server's.
    pub data: PathBuf,
    process: Child,
}

impl WorkerProcess {
    /// Starts one, with the server's key ring, and waits until it is known to the database.
    pub async fn start(server: &AdmiralServer, name: &str) -> Self {
        let before = count(server).await;
        let data = server.folder.path().join(name);
        std::fs::create_dir(&data).expect("the folder is writable");
        std::fs::copy(server.data.join("key-ring.json"), data.join("key-ring.json")).expect("the key ring is there");
        let process = server.spawn_beside(name, &["--roles", "worker,scheduler"]);
        let worker = Self { data, process };
        let deadline = Instant::now() + PATIENCE;
        while count(server).await <= before {
            assert!(Instant::now() < deadline, "no worker appears: {}", server.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        worker
    }
}

async fn count(server: &AdmiralServer) -> i64 {
    let mut connection = server.database.database.acquire().await.expect("a connection");
    sqlx::query_scalar("SELECT count(*) FROM admiral.workers")
        .fetch_one(&mut *connection)
        .await
        .expect("a number")
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        Command::new("kill")
            .args(["-TERM", &self.process.id().to_string()])
            .status()
            .ok();
        wait_for_exit(&mut self.process);
    }
}
