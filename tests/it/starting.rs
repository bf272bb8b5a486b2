//! A server that starts while its database is not there yet.

use crate::support::{
    cluster::PrivateCluster,
    database::TestDatabase,
    server::{PATIENCE, wait_for_exit},
    ssh_hosts::free_port,
};
use reqwest::StatusCode;
use serde_json::Value;
use std::{
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// `admiral serve` on a database that may not be there, with a service manager that records every message.
struct Starting {
    folder: tempfile::TempDir,
    process: Child,
    notices: UnixDatagram,
    heard: Vec<String>,
    url: String,
}

impl Starting {
    fn begin(database_url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let notices = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        notices.set_nonblocking(true).unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_admiral"))
            .args(["serve", "--roles", "scheduler", "--listen", &address])
            .env("ADMIRAL_DATA_DIR", folder.path().join("data"))
            .env("DATABASE_URL", database_url)
            .env("NOTIFY_SOCKET", folder.path().join("notify"))
            .env("WATCHDOG_USEC", "900000")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self {
            folder,
            process,
            notices,
            heard: Vec::new(),
            url: format!("http://{address}"),
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Waits until the service manager has been told this.
    async fn until_told(&mut self, what: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut buffer = [0; 4096];
            while let Ok(length) = self.notices.recv(&mut buffer) {
                self.heard.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
            if self.heard.iter().any(|heard| heard.contains(what)) {
                return;
            }
            assert!(Instant::now() < deadline, "{what}: {:?}: {}", self.heard, self.log());
            assert!(self.process.try_wait().unwrap().is_none(), "it ended: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn ask(&self, path: &str) -> (StatusCode, Value) {
        let answer = reqwest::get(format!("{}{path}", self.url)).await.unwrap();
        let retry_after = answer.headers().contains_key("retry-after");
        let status = answer.status();
        assert_eq!(status == StatusCode::SERVICE_UNAVAILABLE, retry_after);
        (status, answer.json().await.unwrap())
    }

    fn terminate(&mut self) -> Option<i32> {
        Command::new("kill")
            .arg(self.process.id().to_string())
            .status()
            .unwrap();
        wait_for_exit(&mut self.process).code()
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[tokio::test]
async fn a_server_waits_for_a_database_that_is_late() {
    let mut cluster = PrivateCluster::start().await;
    let database = cluster.database().await;
    cluster.stop_at_once().await;
    let mut server = Starting::begin(&database.url);
    server.until_told("STATUS=waiting for the database: ").await;
    assert!(!server.heard.iter().any(|heard| heard.contains("READY=1")));
    let (status, health) = server.ask("/api/health").await;
    assert_eq!(
        (status, health["database"].as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("unavailable"))
    );
    let (status, problem) = server.ask("/api/servers").await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("unavailable"))
    );

    cluster.start_again().await;
    server.until_told("READY=1").await;
    assert_eq!(server.ask("/api/health").await.0, StatusCode::OK);
    server.until_told("WATCHDOG=1").await;
    // Each reason is said once, not at every attempt.
    let log = server.log();
    let mut reasons: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once("reason="))
        .map(|(_, reason)| reason)
        .collect();
    let said = reasons.len();
    reasons.dedup();
    assert!(said > 0 && reasons.len() == said, "{log}");
    assert_eq!(server.terminate(), Some(0), "{}", server.log());
    // Messages that were sent before the end can still be read.
    let mut buffer = [0; 4096];
    while let Ok(length) = server.notices.recv(&mut buffer) {
        server
            .heard
            .push(String::from_utf8_lossy(&buffer[..length]).into_owned());
    }
    assert!(
        server.heard.iter().any(|heard| heard.contains("STOPPING=1")),
        "{:?}",
        server.heard
    );
}

#[tokio::test]
async fn trouble_that_passes_is_waited_for_and_sigterm_ends_the_wait() {
    let port = free_port();
    for (url, reason) in [
        (format!("postgres://a@127.0.0.1:{port}/a"), "refused"),
        ("postgres://a@database.invalid/a".to_owned(), "lookup"),
        (
            "postgres://a@localhost/a?host=/no/such/folder".to_owned(),
            "No such file",
        ),
    ] {
        let mut server = Starting::begin(&url);
        server.until_told("STATUS=waiting for the database: ").await;
        let log = server.log();
        assert!(log.contains(reason), "{reason}: {log}");
        assert_eq!(server.terminate(), Some(0), "{}", server.log());
    }
}

#[tokio::test]
async fn a_database_with_too_many_clients_is_waited_for() {
    let test = TestDatabase::create().await;
    let role = format!("late_{}", admiral::domain::clock::new_id().simple());
    let run = async |statement: String| {
        let mut connection = test.database.acquire().await.unwrap();
        sqlx::query(&statement).execute(&mut *connection).await.unwrap();
    };
    run(format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 0")).await;
    run(format!("GRANT postgres TO {role}")).await;
    let (_, place) = test.url.split_once('@').unwrap();
    let mut server = Starting::begin(&format!("postgres://{role}@{place}"));
    server.until_told("STATUS=waiting for the database: ").await;
    assert!(server.log().contains("too many connections"), "{}", server.log());
    run(format!("ALTER ROLE {role} CONNECTION LIMIT -1")).await;
    server.until_told("READY=1").await;
    assert_eq!(server.terminate(), Some(0), "{}", server.log());
}

#[tokio::test]
async fn a_database_that_is_not_there_or_not_ours_is_an_error_soon() {
    let base = std::env::var("ADMIRAL_TEST_DATABASE_URL").expect("`make test` sets it");
    let (_, query) = base.split_once('?').unwrap();
    let mut servers: Vec<_> = [
        "postgres://postgres@localhost/no_such_database?",
        "postgres://no_such_role@localhost/x?",
    ]
    .map(|url| Starting::begin(&format!("{url}{query}")))
    .into();
    for server in &mut servers {
        server.until_told("STATUS=waiting for the database: ").await;
    }
    for server in &mut servers {
        assert_eq!(wait_for_exit(&mut server.process).code(), Some(1));
        let log = server.log();
        assert!(log.contains("does not exist") && log.contains("hint:"), "{log}");
    }
    let mut server = Starting::begin("mysql://a@b/c");
    assert_eq!(wait_for_exit(&mut server.process).code(), Some(1));
    assert!(!Path::new(&server.folder.path().join("data/postgres")).exists());
}
