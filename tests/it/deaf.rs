//! Without notifications, or with a connection that listens and is cut again and again, looking from time to time does.

#![expect(clippy::print_stderr, reason = "shows how long it took, which no test may assert")]

use crate::{
    roles::PLAYBOOK,
    support::{
        database::TestDatabase,
        proxy::DeafProxy,
        server::{AdmiralServer, PATIENCE, text},
    },
};
use futures_util::StreamExt as _;
use serde_json::json;
use std::time::{Duration, Instant};

const LONG: &str = "
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.command: sleep 170
";

/// How long it took from a launch to the start, from the end to a viewer's knowledge of it, and from a cancel to the end.
async fn measure(server: &AdmiralServer) -> [Duration; 3] {
    let (key, _) = server.generate_key("fleet").await;
    server.add_server("h1", "127.0.0.1", 1, "nobody", &key, &[]).await;
    let quick = server.add_playbook("quick", PLAYBOOK);
    let long = server.add_playbook("long", LONG);

    let body = json!({"playbook": quick, "all": true});
    let id = text(&server.post("/api/deployments", body).await, "id");
    // The launch itself takes as long as the syntax check.
    let launched = Instant::now();
    let mut stream = server
        .open(&format!("/api/deployments/{id}/stream"), None)
        .await
        .bytes_stream();
    server
        .wait_for(&id, |deployment| !deployment["started_at"].is_null())
        .await;
    let claimed = launched.elapsed();
    server.wait_for_end(&id).await;
    let ended = Instant::now();
    let mut seen = String::new();
    while !seen.contains("event: end") {
        let bytes = tokio::time::timeout(PATIENCE, stream.next())
            .await
            .expect("the viewer is told");
        seen.push_str(&String::from_utf8_lossy(&bytes.expect("more").expect("whole")));
    }
    let told = ended.elapsed();

    let body = json!({"playbook": long, "all": true});
    let id = text(&server.post("/api/deployments", body).await, "id");
    server
        .wait_for(&id, |deployment| deployment["counts"]["running"] == 1)
        .await;
    let asked = Instant::now();
    server.post(&format!("/api/deployments/{id}/cancel"), json!({})).await;
    let deployment = server.wait_for_end(&id).await;
    assert_eq!(deployment["status"], "cancelled", "{deployment}");
    [claimed, told, asked.elapsed()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_goes_on_where_no_notification_arrives() {
    let direct = TestDatabase::create().await;
    let proxy = DeafProxy::start(&direct.url).await;
    let server = AdmiralServer::start_on(TestDatabase::open(proxy.url.clone()).await).await;
    let [claimed, told, cancelled] = measure(&server).await;
    eprintln!("deaf: claimed after {claimed:?}, a viewer knows after {told:?}, cancelled after {cancelled:?}");
    assert!(told < Duration::from_secs(30), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_goes_on_while_the_connection_that_listens_is_cut() {
    let server = AdmiralServer::start().await;
    let database = server.database.database.clone();
    let cutting = tokio::spawn(async move {
        let mut cut = 0_usize;
        loop {
            let mut connection = database.acquire().await.expect("a connection");
            let pids: Vec<bool> = sqlx::query_scalar(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND query LIKE 'LISTEN%'",
            )
            .fetch_all(&mut *connection)
            .await
            .expect("asked");
            cut += pids.len();
            drop(connection);
            if cut > 10_000 {
                return cut;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let [claimed, told, cancelled] = measure(&server).await;
    cutting.abort();
    eprintln!("cut: claimed after {claimed:?}, a viewer knows after {told:?}, cancelled after {cancelled:?}");
    assert!(told < Duration::from_secs(30), "{told:?}");
}
