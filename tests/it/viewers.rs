//! Two viewers of one real run, one of them reconnecting in the middle, see the same.

use crate::support::server::{AdmiralServer, text};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const PLAYBOOK: &str = r#"
- name: Many small steps
  hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: Step
      ansible.builtin.command: "{{ 'false' if inventory_hostname == 'h3' and item == 4 else 'true' }}"
      loop: "{{ range(8) | list }}"
    - name: Pause
      ansible.builtin.command: sleep 1
    - name: Another step
      ansible.builtin.debug: { msg: "done" }
"#;

/// What one viewer has put together.
#[derive(Default)]
struct Viewer {
    rows: BTreeMap<String, Value>,
    events: Vec<i64>,
    deployment: Value,
    last_id: Option<String>,
    ended: bool,
}

impl Viewer {
    /// Follows the stream until it ends, or until `enough` events came.
    async fn follow(&mut self, server: &AdmiralServer, id: &str, enough: usize) {
        let answer = server
            .open(
                &format!("/api/deployments/{id}/stream?events=true"),
                self.last_id.as_deref(),
            )
            .await;
        assert!(answer.status().is_success(), "{}", answer.status());
        let mut body = answer.bytes_stream();
        let mut buffer = Vec::new();
        while let Some(bytes) = body.next().await {
            buffer.extend_from_slice(&bytes.expect("the stream is whole"));
            while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
                let message = String::from_utf8(buffer.drain(..end + 2).collect()).expect("UTF-8");
                self.apply(&message);
            }
            if self.ended || self.events.len() >= enough {
                return;
            }
        }
    }

    fn apply(&mut self, message: &str) {
        let field = |name: &str| {
            message
                .lines()
                .filter_map(|line| line.strip_prefix(name))
                .map(str::trim_start)
                .collect::<Vec<_>>()
                .join("\n")
        };
        let (kind, data, id) = (field("event:"), field("data:"), field("id:"));
        if !id.is_empty() {
            self.last_id = Some(id);
        }
        match kind.as_str() {
            "deployment" => self.deployment = serde_json::from_str(&data).unwrap(),
            "servers" => {
                let data: Value = serde_json::from_str(&data).unwrap();
                for row in data["rows"].as_array().unwrap() {
                    self.rows.insert(text(row, "host"), row.clone());
                }
            }
            "events" => {
                let data: Value = serde_json::from_str(&data).unwrap();
                self.events.extend(
                    data["events"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|event| event["position"].as_i64().unwrap()),
                );
            }
            "end" => self.ended = true,
            _ => assert!(message.starts_with(':'), "unknown message {message}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_that_reconnects_misses_nothing() {
    let server = AdmiralServer::start().await;
    let (key, _) = server.generate_key("viewers").await;
    for n in 1..=4 {
        server
            .add_server(&format!("h{n}"), "127.0.0.1", 1, "nobody", &key, &[])
            .await;
    }
    let playbook = server.add_playbook("steps", PLAYBOOK);
    let deployment = server
        .post("/api/deployments", json!({"playbook": playbook, "all": true}))
        .await;
    let id = text(&deployment, "id");

    let (mut steady, mut restless) = (Viewer::default(), Viewer::default());
    tokio::join!(steady.follow(&server, &id, usize::MAX), async {
        for enough in [1, 10, 30] {
            restless.follow(&server, &id, enough).await;
        }
        while !restless.ended {
            restless.follow(&server, &id, usize::MAX).await;
        }
    });

    let last = steady.deployment["event_position"].as_i64().unwrap();
    assert!(last > 30, "{}", steady.deployment);
    assert_eq!(steady.events, (1..=last).collect::<Vec<_>>());
    assert_eq!(restless.events, steady.events);
    assert_eq!(restless.rows, steady.rows);
    assert_eq!(restless.deployment, steady.deployment);
    let rows: BTreeMap<String, Value> = server
        .rows(&id)
        .await
        .into_iter()
        .map(|row| (text(&row, "host"), row))
        .collect();
    assert_eq!(steady.rows, rows);
    assert_eq!(steady.deployment, server.get(&format!("/api/deployments/{id}")).await);
}
