//! A server that is told to stop does so soon, whatever is under way, and what was under way goes on.

#![expect(clippy::print_stderr, reason = "shows how long it took, which no test may assert")]

use crate::support::{
    cluster::PrivateCluster,
    gate::Gate,
    processes,
    server::{AdmiralServer, text},
};
use futures_util::{StreamExt as _, future::join_all};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{io::Write as _, net::TcpStream, time::Duration};

const STREAMS: usize = 60;
/// What is promised is 5 seconds; machines that run other tests as well are slow.
const FAR_TOO_LONG: Duration = Duration::from_secs(30);

fn gated(gate: &Gate) -> String {
    format!(
        "
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {{ msg: begun }}
    - ansible.builtin.wait_for: {{ {}, timeout: 170 }}
    - ansible.builtin.debug: {{ msg: done }}
",
        gate.condition()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_closed_with_a_hint_and_runs_go_on() {
    let mut server = AdmiralServer::start_embedded().await;
    let (key, _) = server.generate_key("fleet").await;
    server.add_server("h1", "127.0.0.1", 1, "nobody", &key, &[]).await;
    let mut gate = Gate::new();
    let playbook = server.add_playbook("gated", &gated(&gate));
    let body = json!({"playbook": playbook, "all": true});
    let id = text(&server.post("/api/deployments", body).await, "id");
    server
        .wait_for(&id, |deployment| deployment["event_position"].as_i64() >= Some(5))
        .await;

    let path = format!("/api/deployments/{id}/stream?events=true");
    let streams = join_all((0..STREAMS).map(|n| server.open(if n == 0 { "/api/stream" } else { &path }, None))).await;
    assert!(streams.iter().all(|stream| stream.status() == StatusCode::OK));
    let reading = streams.into_iter().map(|stream| {
        tokio::spawn(async move {
            let mut text = String::new();
            let mut body = stream.bytes_stream();
            while let Some(bytes) = body.next().await {
                text.push_str(&String::from_utf8_lossy(&bytes.expect("it ends as a stream does")));
            }
            text
        })
    });
    let reading: Vec<_> = reading.collect();
    // One that never finishes what it asks.
    let mut hanging = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    hanging
        .write_all(b"POST /api/session HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        .unwrap();

    let cluster = server.folder.path().join("data/postgres/data");
    assert!(!processes::working_in(&cluster).is_empty());
    let (status, took) = tokio::task::block_in_place(|| server.terminate());
    eprintln!("with {STREAMS} streams, a request that hangs and a run: {took:?}");
    assert!(
        status.success() && took < FAR_TOO_LONG,
        "{status} {took:?}\n{}",
        server.log()
    );
    let left = processes::working_in(&cluster);
    assert!(left.is_empty(), "the embedded PostgreSQL has ended: {left:?}");

    for (n, text) in join_all(reading).await.into_iter().enumerate() {
        let text = text.unwrap();
        let last = text.trim_end().rsplit("\n\n").next().unwrap();
        assert!(last.contains("event: closing") && last.contains("retry: "), "{last}");
        // Where to go on: what was delivered last.
        let ids: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
        assert_eq!(last.contains("id: "), n != 0);
        let delivered = ids.iter().rev().nth(1).copied().unwrap_or("0");
        assert!(n == 0 || ids.last() == Some(&delivered), "{text}");
    }

    gate.open();
    server.start_again(&[]).await;
    let ended = server.wait_for_end(&id).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    let last = ended["event_position"].as_i64().unwrap();
    let events = server.get(&format!("/api/deployments/{id}/events?limit=1000")).await;
    let positions: Vec<i64> = events["data"]
        .as_array()
        .unwrap_or_else(|| panic!("{events}"))
        .iter()
        .map(|event: &Value| event["position"].as_i64().unwrap())
        .collect();
    assert_eq!(positions, (1..=last).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_answers_nothing_does_not_hold_up_the_end() {
    let cluster = PrivateCluster::start().await;
    let mut server = AdmiralServer::start_on(cluster.database().await).await;
    let stream = server.open("/api/stream", None).await;
    assert_eq!(stream.status(), StatusCode::OK);
    cluster.freeze();
    let (status, took) = tokio::task::block_in_place(|| server.terminate());
    eprintln!("with a database that answers nothing: {took:?}");
    cluster.thaw();
    assert!(
        status.success() && took < FAR_TOO_LONG,
        "{status} {took:?}\n{}",
        server.log()
    );
}
