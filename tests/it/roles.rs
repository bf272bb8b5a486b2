//! Several processes share the work: each with its roles, on one database.

use crate::support::{
    fleet,
    server::{AdmiralServer, text, wait_for_exit},
    ssh_hosts::free_port,
    stage::Stage,
};
use admiral::domain::clock::new_id;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{
    process::Child,
    time::{Duration, Instant},
};

pub const PLAYBOOK: &str = "
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.debug: { msg: done }
";

/// A process that is ended with the test.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Waits until the API lists as many workers as wanted.
pub async fn until_workers(server: &AdmiralServer, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + crate::support::server::PATIENCE;
    loop {
        let workers = server.get("/api/workers").await["data"]
            .as_array()
            .expect("a list")
            .clone();
        if wanted(&workers) {
            return workers;
        }
        assert!(Instant::now() < deadline, "still {workers:?}\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_worker_and_scheduler_are_three_processes() {
    let server = AdmiralServer::start_roles("api").await;
    let (key, _) = server.generate_key("fleet").await;
    server.add_server("h1", "127.0.0.1", 1, "nobody", &key, &[]).await;
    let playbook = server.add_playbook("one", PLAYBOOK);
    assert!(server.get("/api/workers").await["data"].as_array().unwrap().is_empty());
    let deployment = server
        .post("/api/deployments", json!({"playbook": playbook, "all": true}))
        .await;
    let id = text(&deployment, "id");

    // On the same machine, with the same data directory.
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let _worker = Process(server.spawn_beside("data", &["--roles", "worker", "--listen", &listen]));
    let _scheduler = Process(server.spawn_beside("data", &["--roles", "scheduler"]));
    let ended = server.wait_for_end(&id).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    let workers = until_workers(&server, |workers| workers.len() == 1).await;
    assert_eq!(
        (&workers[0]["roles"], &workers[0]["status"]),
        (&json!(["worker"]), &json!("active"))
    );
    assert_eq!(workers[0]["max_runs"], 4);

    // The worker says whether it can do its work, and nothing else.
    let ask = async |path: &str| reqwest::get(format!("http://{listen}{path}")).await.unwrap().status();
    assert_eq!(ask("/api/health").await, StatusCode::OK);
    for path in ["/", "/api/workers", "/api/setup"] {
        assert_eq!(ask(path).await, StatusCode::NOT_FOUND, "{path}");
    }
    let listed = server.command().arg("workers").output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("0/4") && listed.contains("active"), "{listed}");
    // The first start's link is the API's to give.
    assert_eq!(
        server.log().matches("There is no account yet").count(),
        1,
        "{}",
        server.log()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_elsewhere_is_told_that_it_needs_the_key_ring() {
    let server = AdmiralServer::start_roles("api").await;
    let mut worker = Process(server.spawn_beside("elsewhere", &["--roles", "worker"]));
    assert_eq!(wait_for_exit(&mut worker.0).code(), Some(1));
    let log = server.log();
    assert!(log.contains("key-ring.json is missing"), "{log}");
    assert!(log.contains("needs a copy of it"), "{log}");

    // With the copy it works.
    let copied = std::fs::copy(
        server.folder.path().join("data/key-ring.json"),
        server.folder.path().join("elsewhere/key-ring.json"),
    );
    copied.expect("copied");
    let _worker = Process(server.spawn_beside("elsewhere", &["--roles", "worker"]));
    until_workers(&server, |workers| workers.len() == 1).await;
}

#[tokio::test]
async fn a_run_of_another_machine_with_the_same_path_is_left_alone() {
    let stage = Stage::set().await;
    let theirs = stage.launch("exit 0").await;
    let other = new_id();
    let mut connection = stage.test.database.acquire().await.unwrap();
    sqlx::query("INSERT INTO admiral.workers (id, name, home) VALUES ($1, 'other machine', $2)")
        .bind(other)
        .bind(new_id())
        .execute(&mut *connection)
        .await
        .unwrap();
    let folder = stage.data.path().join("data/runs").join(theirs.run_id.to_string());
    sqlx::query(
        "UPDATE admiral.runs SET status = 'running', owner = $1, run_folder = $2, \
             lease_expires_at = now() + interval '1 minute' WHERE id = $3",
    )
    .bind(other)
    .bind(folder.to_string_lossy())
    .bind(theirs.run_id)
    .execute(&mut *connection)
    .await
    .unwrap();

    // When the worker has carried out a run it has looked at all that was there when it began.
    let ours = fleet::launch(&stage.test.database, &["web3"], "stats '\"web3\":{\"ok\":1}'", |_| {}).await;
    let worker = stage.worker();
    stage.until_end(ours).await;
    worker.end().await;
    let owner: uuid::Uuid = sqlx::query_scalar("SELECT owner FROM admiral.runs WHERE id = $1 AND status = 'running'")
        .bind(theirs.run_id)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    assert_eq!(owner, other);
}
