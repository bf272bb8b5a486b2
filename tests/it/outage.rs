//! The database goes away in the middle and comes back: the run goes on, the API says so at once, and nothing is lost or doubled.

#![expect(clippy::print_stderr, reason = "shows how long it took, which no test may assert")]

use crate::support::{
    cluster::PrivateCluster,
    database::TestDatabase,
    library::library,
    processes,
    server::{AdmiralServer, PASSWORD, PATIENCE, text},
};
use admiral::{
    api::{AppState, local::LocalApi, state::ApiConfig},
    domain::clock::SystemClock,
    process::{ProcessIdentity, ProcessTarget, Signal, signal},
    vault::{KeyRing, Vault},
};
use futures_util::StreamExt as _;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Some seconds of work, with events all along.
const PLAYBOOK: &str = "
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.command: sleep 0.3
      loop: '{{ range(12) | list }}'
      changed_when: item % 2 == 0
    - ansible.builtin.debug: { msg: done }
";

/// Asks until the server notices that its database is gone; then every answer is 503, and comes soon.
async fn until_unavailable(server: &AdmiralServer) {
    let deadline = Instant::now() + PATIENCE;
    while server.request(reqwest::Method::GET, "/api/servers", None).await.0 != StatusCode::SERVICE_UNAVAILABLE {
        assert!(Instant::now() < deadline, "{}", server.log());
    }
}

async fn positions(server: &AdmiralServer, id: &str) -> Vec<i64> {
    let events = server.get(&format!("/api/deployments/{id}/events?limit=1000")).await;
    let events = events["data"].as_array().unwrap_or_else(|| panic!("{events}")).clone();
    events.iter().map(|event| event["position"].as_i64().unwrap()).collect()
}

async fn kinds(server: &AdmiralServer, id: &str) -> Vec<String> {
    let events = server.get(&format!("/api/deployments/{id}/events?limit=1000")).await;
    let mut kinds: Vec<String> = events["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| format!("{} {}", event["kind"], event["host"]))
        .collect();
    kinds.sort();
    kinds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_on_while_the_database_is_away() {
    let mut cluster = PrivateCluster::start().await;
    let server = AdmiralServer::start_on(cluster.database().await).await;
    let (key, _) = server.generate_key("fleet").await;
    for host in ["h1", "h2"] {
        server.add_server(host, "127.0.0.1", 1, "nobody", &key, &[]).await;
    }
    let playbook = server.add_playbook("long", PLAYBOOK);
    let body = json!({"playbook": playbook, "all": true});
    let id = text(&server.post("/api/deployments", body.clone()).await, "id");
    server
        .wait_for(&id, |deployment| deployment["event_position"].as_i64() >= Some(6))
        .await;
    let viewer = server
        .open(&format!("/api/deployments/{id}/stream?events=true"), None)
        .await;
    let viewer = tokio::spawn(async move {
        let mut text = String::new();
        let mut body = viewer.bytes_stream();
        while let Some(bytes) = body.next().await {
            text.push_str(&String::from_utf8_lossy(&bytes.expect("the stream lives on")));
        }
        text
    });

    cluster.stop_at_once().await;
    until_unavailable(&server).await;
    let client = Client::new();
    let console_before = client.get(&server.url).send().await.unwrap().status();
    for path in [
        "/api/servers",
        "/api/session",
        "/api/stream",
        &format!("/api/deployments/{id}/stream"),
    ] {
        let asked = Instant::now();
        let answer = server.open(path, None).await;
        eprintln!("{path}: {} after {:?}", answer.status(), asked.elapsed());
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert!(answer.headers().contains_key("retry-after"), "{path}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], "unavailable", "{problem}");
        assert!(problem["request_id"].is_string(), "{problem}");
    }
    let asked = Instant::now();
    let sign_in = client
        .post(format!("{}/api/session", server.url))
        .header("origin", &server.url)
        .json(&json!({"username": "admin", "password": PASSWORD}));
    assert_eq!(sign_in.send().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    eprintln!("signing in is refused after {:?}", asked.elapsed());
    let health = client.get(format!("{}/api/health", server.url)).send().await.unwrap();
    assert_eq!(health.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(health.headers().contains_key("retry-after"));
    let health: Value = health.json().await.unwrap();
    assert_eq!(
        (&health["status"], &health["database"]),
        (&json!("degraded"), &json!("unavailable"))
    );
    // The console itself needs no database: it loads as ever.
    let console = client
        .get(format!("{}/deployments/{id}", server.url))
        .send()
        .await
        .unwrap();
    assert_eq!(console.status(), console_before);
    assert_ne!(console.headers()["content-type"], "application/problem+json");

    // The run ends while nobody can be told.
    let runs = server.folder.path().join("data/runs");
    let run = std::fs::read_dir(&runs)
        .unwrap()
        .flatten()
        .next()
        .expect("its folder")
        .path();
    let deadline = Instant::now() + PATIENCE;
    while !run.join("exit.json").exists() {
        assert!(Instant::now() < deadline, "the run does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    cluster.start_again().await;
    let back = Instant::now();
    let deadline = back + PATIENCE;
    let ended = loop {
        let (status, deployment) = server
            .request(reqwest::Method::GET, &format!("/api/deployments/{id}"), None)
            .await;
        if status.is_success() && !deployment["finished_at"].is_null() {
            break deployment;
        }
        assert!(
            status.is_success() || status == StatusCode::SERVICE_UNAVAILABLE,
            "{status} {deployment}"
        );
        assert!(Instant::now() < deadline, "{deployment}\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    eprintln!("all is caught up {:?} after the database is back", back.elapsed());
    assert_eq!(
        (&ended["status"], &ended["warnings"]),
        (&json!("completed"), &json!([])),
        "{ended}"
    );
    let last = ended["event_position"].as_i64().unwrap();
    assert_eq!(positions(&server, &id).await, (1..=last).collect::<Vec<_>>());
    let twin = text(&server.post("/api/deployments", body).await, "id");
    server.wait_for_end(&twin).await;
    assert_eq!(kinds(&server, &id).await, kinds(&server, &twin).await);

    // The stream that was open all the time has everything, once.
    let seen = tokio::time::timeout(PATIENCE, viewer)
        .await
        .expect("the stream ends")
        .unwrap();
    let mut streamed = Vec::new();
    for data in seen.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let data: Value = serde_json::from_str(data).unwrap();
        let events = data["events"].as_array().cloned().unwrap_or_default();
        streamed.extend(events.iter().map(|event| event["position"].as_i64().unwrap()));
    }
    assert_eq!(streamed, (1..=last).collect::<Vec<_>>());
    // A run's folder is removed after its end was told.
    let deadline = Instant::now() + PATIENCE;
    while std::fs::read_dir(&runs).unwrap().next().is_some() {
        assert!(
            Instant::now() < deadline,
            "{:?}",
            std::fs::read_dir(&runs).unwrap().collect::<Vec<_>>()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_answers_nothing_is_told_from_a_slow_one() {
    let cluster = PrivateCluster::start().await;
    let server = AdmiralServer::start_on(cluster.database().await).await;
    cluster.freeze();
    let asked = Instant::now();
    let (status, problem) = server.request(reqwest::Method::GET, "/api/servers", None).await;
    eprintln!(
        "the first request that meets silence: {status} after {:?}",
        asked.elapsed()
    );
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("unavailable"))
    );
    let asked = Instant::now();
    until_unavailable(&server).await;
    eprintln!("the next one: after {:?}", asked.elapsed());
    cluster.thaw();
    let deadline = Instant::now() + PATIENCE;
    while !server
        .request(reqwest::Method::GET, "/api/servers", None)
        .await
        .0
        .is_success()
    {
        assert!(Instant::now() < deadline, "{}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedded_database_that_was_killed_is_started_again() {
    let mut server = AdmiralServer::start_embedded().await;
    let killed = processes::working_in(&server.folder.path().join("data/postgres/data"));
    assert!(!killed.is_empty());
    for process in &killed {
        let _ended_with_another = signal(&ProcessTarget::Process(*process), Signal::KILL);
    }
    let asked = Instant::now();
    while !server
        .request(reqwest::Method::GET, "/api/servers", None)
        .await
        .0
        .is_success()
        || killed.iter().any(ProcessIdentity::is_alive)
    {
        assert!(asked.elapsed() < PATIENCE, "{}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    eprintln!("the embedded database is back after {:?}", asked.elapsed());
    let (status, took) = tokio::task::block_in_place(|| server.terminate());
    assert!(status.success(), "{status} {took:?}\n{}", server.log());
    let left = processes::working_in(&server.folder.path().join("data/postgres/data"));
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn when_all_connections_are_in_use_the_api_says_so() {
    let test = TestDatabase::create().await;
    let state = AppState::new(
        test.database.with_patience(Duration::from_millis(700)),
        Arc::new(Vault::new(KeyRing::generate().unwrap())),
        library(),
        Arc::new(SystemClock),
        ApiConfig::default(),
    );
    let api = LocalApi::new(state);
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(test.database.acquire().await.unwrap());
    }
    let answer = api.request("GET", "/api/servers", None).await;
    assert_eq!(answer.status, 503);
    let problem: Value = answer.json().await.unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("in use"), "{problem}");
    let health: Value = api.request("GET", "/api/health", None).await.json().await.unwrap();
    assert_eq!(health["database"], "busy");
    // Who has connections of its own is not held up.
    test.database.sibling(1).ping().await.unwrap();
    drop(held);
    assert_eq!(api.request("GET", "/api/servers", None).await.status, 200);
}
