//! The server is killed at named moments and started again; what it stores in the end is what an undisturbed twin stored.

use crate::support::{
    processes,
    server::{AdmiralServer, PATIENCE, text},
    stage::Stage,
};
use admiral::domain::{clock::SystemClock, deployment::DeploymentStatus};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

const HOSTS: [&str; 3] = ["local1", "local2", "local3"];

/// Some of everything, slow enough that its events come in several batches.
const TWIN: &str = r#"
- name: The same every time
  hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: Say
      ansible.builtin.debug: { msg: "this is {{ inventory_hostname }}" }
    - name: Change
      ansible.builtin.command: sleep 0.3
    - name: Fail to be rescued
      block:
        - ansible.builtin.fail: { msg: to be rescued }
      rescue:
        - name: Rescue
          ansible.builtin.debug: { msg: rescued }
    - name: Fail on one
      ansible.builtin.fail: { msg: as asked }
      when: inventory_hostname == "local2"
    - name: Change again
      ansible.builtin.command: sleep 0.3
"#;

const ENDLESS: &str = r"
- name: Until it is ended
  hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: Wait
      ansible.builtin.command: sleep 611
";

/// What a deployment leaves behind, without what differs between any two runs.
#[derive(Debug, PartialEq)]
struct Stored {
    deployment: Value,
    rows: Vec<Value>,
    /// Events by host, in order; hosts run side by side, so their events mix differently in any two runs.
    events: BTreeMap<String, Vec<Value>>,
    /// Lines of output, sorted for the same reason.
    output: Vec<String>,
}

async fn stored(server: &AdmiralServer, id: &str) -> Stored {
    let deployment = server.get(&format!("/api/deployments/{id}")).await;
    let rows = server.rows(id).await;
    for row in &rows {
        let (started, finished) = (row["started_at"].as_str(), row["finished_at"].as_str());
        assert!(started.is_none() || started <= finished, "{row}");
    }
    let events = server.events(id).await;
    let positions: Vec<i64> = events.iter().map(|event| event["position"].as_i64().unwrap()).collect();
    assert_eq!(
        positions,
        (1..=positions.len() as i64).collect::<Vec<_>>(),
        "no gap, no double"
    );
    assert_eq!(deployment["event_position"], json!(positions.len()));
    let sequence: Vec<i64> = events
        .iter()
        .filter_map(|event| event["payload"]["seq"].as_i64())
        .collect();
    assert_eq!(
        sequence,
        (1..=sequence.len() as i64).collect::<Vec<_>>(),
        "as the plugin wrote them"
    );
    let mut by_host: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for event in events {
        let host = event["host"].as_str().unwrap_or_default().to_owned();
        let payload = comparable(event["payload"].clone());
        by_host.entry(host).or_default().push(json!([event["kind"], payload]));
    }
    let mut output: Vec<String> = server.output(id).await.lines().map(without_ids).collect();
    output.sort();
    Stored {
        deployment: json!([
            deployment["status"],
            deployment["reason"],
            deployment["message"],
            deployment["counts"],
            deployment["event_position"],
            deployment["output_bytes"],
            deployment["warnings"],
        ]),
        rows: rows.into_iter().map(comparable).collect(),
        events: by_host,
        output,
    }
}

/// Without times and identifiers.
fn comparable(value: Value) -> Value {
    const DIFFERENT: [&str; 14] = [
        "ts",
        "seq",
        "position",
        "duration",
        "start",
        "end",
        "delta",
        "pid",
        "started_at",
        "finished_at",
        "last_event_at",
        "deployment_id",
        "server_id",
        "run_id",
    ];
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(name, _)| !DIFFERENT.contains(&name.as_str()))
            .map(|(name, value)| (name, comparable(value)))
            .collect(),
        Value::Array(values) => values.into_iter().map(comparable).collect(),
        Value::String(text) => Value::String(without_ids(&text)),
        other => other,
    }
}

/// The text with `ID` for every UUID, as in the paths of run folders.
fn without_ids(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        if rest
            .get(..36)
            .is_some_and(|head| head.contains('-') && uuid::Uuid::try_parse(head).is_ok())
        {
            out.push_str("ID");
            rest = &rest[36..];
        } else {
            let next = rest.chars().next().unwrap();
            out.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    out
}

async fn fleet() -> AdmiralServer {
    let server = AdmiralServer::start().await;
    server.add_local_servers(&HOSTS).await;
    server
}

/// The deployment that was launched last; the answer to its launch may have got lost.
async fn newest(server: &AdmiralServer, known: &BTreeSet<String>) -> String {
    let list = server.get("/api/deployments?per_page=100").await;
    let new: Vec<String> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|deployment| text(deployment, "id"))
        .filter(|id| !known.contains(id))
        .collect();
    assert_eq!(new.len(), 1, "one launch, one deployment: {list}");
    new[0].clone()
}

/// Dies at each of these moments, in a deployment of its own.
async fn dies_at(points: &[&str]) {
    let mut server = fleet().await;
    let playbook = server.add_playbook("twin", TWIN);
    let launch = json!({"playbook": playbook, "all": true});
    let id = text(&server.post("/api/deployments", launch.clone()).await, "id");
    server.wait_for_end(&id).await;
    let twin = stored(&server, &id).await;
    assert_eq!(twin.deployment[0], "failed");
    assert_eq!(twin.deployment[1], "hosts_failed");
    assert!(twin.events["local3"].len() > 8, "{:?}", twin.events);
    let mut known = BTreeSet::from([id]);
    server.kill();
    for point in points {
        server.start_again(&[("ADMIRAL_KILL_AT", point)]).await;
        server.post_regardless("/api/deployments", &launch).await;
        server.wait_for_death().await;
        server.start_again(&[]).await;
        let id = newest(&server, &known).await;
        server.wait_for_end(&id).await;
        assert_eq!(stored(&server, &id).await, twin, "{point}: {}", server.log());
        no_remains(&server, point).await;
        known.insert(id);
        server.kill();
    }
}

/// The run folder goes moments after the end is stored.
async fn no_remains(server: &AdmiralServer, point: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !server.run_folders().is_empty() {
        assert!(Instant::now() < deadline, "{point}: left {:?}", server.run_folders());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let runs = server.data.join("runs");
    let left = processes::mentioning(&runs.to_string_lossy());
    assert!(left.is_empty(), "{point}: {left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_while_a_run_begins_changes_nothing() {
    dies_at(&[
        "claim_before_commit",
        "claim_after_commit",
        "run_marked_started",
        "supervisor_spawned",
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_while_a_run_is_stored_changes_nothing() {
    dies_at(&[
        "ingest_before_commit:2",
        "ingest_after_commit:2",
        "exit_seen",
        "end_stored",
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_while_it_cancels_cancels_all_the_same() {
    let mut server = fleet().await;
    let playbook = server.add_playbook("endless", ENDLESS);
    let mut seen = Vec::new();
    for point in ["", "cancel_before_signal", "cancel_after_signal"] {
        server.kill();
        server.start_again(&[("ADMIRAL_KILL_AT", point)]).await;
        let deployment = server
            .post("/api/deployments", json!({"playbook": playbook, "all": true}))
            .await;
        let id = text(&deployment, "id");
        server
            .wait_for(&id, |deployment| deployment["counts"]["running"] == 3)
            .await;
        server
            .post_regardless(&format!("/api/deployments/{id}/cancel"), &json!({}))
            .await;
        if !point.is_empty() {
            server.wait_for_death().await;
            server.start_again(&[]).await;
        }
        server.wait_for_end(&id).await;
        let stored = stored(&server, &id).await;
        no_remains(&server, point).await;
        let own: Vec<&str> = stored.events[""]
            .iter()
            .filter_map(|event| event[0].as_str())
            .filter(|kind| kind.starts_with("cancel") || kind.starts_with("deployment") || kind.starts_with("warn"))
            .collect();
        assert_eq!(
            own,
            ["deployment_started", "cancel_requested", "deployment_finished"],
            "{point}"
        );
        // What Ansible still says between the signal and its end differs from one run to the next.
        let deployment = stored.deployment;
        seen.push((
            deployment[0].clone(),
            deployment[1].clone(),
            deployment[2].clone(),
            deployment[3].clone(),
            stored.rows,
        ));
    }
    assert_eq!(seen[0].0, "cancelled");
    assert_eq!(seen[0].1, "cancelled_by_user");
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
}

/// A viewer's side of a stream of server-sent events.
#[derive(Default)]
struct Viewer {
    positions: Vec<i64>,
    last_id: Option<String>,
    ended: bool,
}

impl Viewer {
    /// Reads until the stream ends or breaks; calls `after_events` each time that events have come.
    async fn read(&mut self, server: &AdmiralServer, path: &str, mut after_events: impl FnMut()) {
        let mut answer = server.open(path, self.last_id.as_deref()).await;
        let mut text = String::new();
        while let Ok(Some(part)) = answer.chunk().await {
            text.push_str(std::str::from_utf8(&part).unwrap());
            while let Some((message, rest)) = text.split_once("\n\n") {
                self.take(message);
                if message.contains("event: events") {
                    after_events();
                }
                text = rest.to_owned();
            }
        }
    }

    fn take(&mut self, message: &str) {
        let field = |name: &str| {
            message
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        if let Some(id) = field("id") {
            self.last_id = Some(id.to_owned());
        }
        if field("event") == Some("events") {
            let data: Value = serde_json::from_str(field("data").unwrap()).unwrap();
            let events = data["events"].as_array().unwrap();
            self.positions
                .extend(events.iter().map(|event| event["position"].as_i64().unwrap()));
        }
        self.ended |= field("event") == Some("end");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_on_while_the_server_is_dead_and_its_viewer_misses_nothing() {
    let mut server = fleet().await;
    let playbook = server.add_playbook("twin", &TWIN.replace("sleep 0.3", "sleep 2"));
    let deployment = server
        .post("/api/deployments", json!({"playbook": playbook, "all": true}))
        .await;
    let id = text(&deployment, "id");
    let path = format!("/api/deployments/{id}/stream?events=true");
    let mut viewer = Viewer::default();
    server
        .wait_for(&id, |deployment| deployment["counts"]["running"] == 3)
        .await;
    let events = server.run_folders()[0].join("events.jsonl");
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let pid = rustix::process::Pid::from_child(&server.process);
    let kill = || {
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
    };
    viewer.read(&server, &path, kill).await;
    server.wait_for_death().await;
    assert!(!viewer.ended && viewer.last_id.is_some());
    let before = size(&events);
    let deadline = Instant::now() + PATIENCE;
    while size(&events) == before {
        assert!(Instant::now() < deadline, "the run goes on without its server");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.start_again(&[]).await;
    viewer.read(&server, &path, || ()).await;
    assert!(viewer.ended, "the stream came to its end");
    let stored = stored(&server, &id).await;
    let all: Vec<i64> = (1..=stored.deployment[4].as_i64().unwrap()).collect();
    assert_eq!(viewer.positions, all);
    assert_eq!(stored.deployment[1], "hosts_failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_run_is_ended_by_its_timeout_while_the_server_is_dead() {
    let mut server = fleet().await;
    let playbook = server.add_playbook("endless", ENDLESS);
    let launch = json!({"playbook": playbook, "all": true, "options": {"timeout_seconds": 10}});
    let id = text(&server.post("/api/deployments", launch).await, "id");
    let deadline = Instant::now() + PATIENCE;
    while processes::supervisors(&server.data).is_empty() {
        assert!(Instant::now() < deadline, "the run did not begin: {}", server.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let folder = server.run_folders()[0].clone();
    server.kill();
    while !folder.join("exit.json").exists() {
        assert!(Instant::now() < deadline, "nobody ended the run");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let runs = server.data.join("runs");
    while !processes::mentioning(&runs.to_string_lossy()).is_empty() {
        assert!(Instant::now() < deadline, "something of the run is left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.start_again(&[]).await;
    server.wait_for_end(&id).await;
    let stored = stored(&server, &id).await;
    assert_eq!(
        (&stored.deployment[0], &stored.deployment[1]),
        (&json!("failed"), &json!("timed_out"))
    );
    assert!(
        stored
            .rows
            .iter()
            .all(|row| row["status"] != "running" && row["status"] != "pending"),
        "{:?}",
        stored.rows
    );
    no_remains(&server, "timeout").await;
}

/// A killed server is back sooner than a supervisor that it had just started can say so, on a machine that is overloaded.
#[tokio::test]
async fn a_run_is_taken_over_before_its_supervisor_has_spoken() {
    let stage = Stage::set().await;
    let gate = stage.data.path().join("gate");
    let slow = stage.data.path().join("bin/admiral");
    let script = format!(
        "#!/bin/sh\nuntil [ -e '{}' ]; do sleep 0.02; done\nexec '{}' \"$@\"\n",
        gate.display(),
        env!("CARGO_BIN_EXE_admiral")
    );
    std::fs::write(&slow, script).unwrap();
    std::fs::set_permissions(&slow, std::fs::Permissions::from_mode(0o700)).unwrap();
    let launched = stage
        .launch(r#"on runner_on_ok web1; stats '"web1":{"ok":1},"web2":{"ok":1}'"#)
        .await;
    let first = stage.worker_with(Arc::new(SystemClock), |config| config.admiral_binary = slow.clone());
    let log = stage.folder(launched).supervisor_log();
    let deadline = Instant::now() + PATIENCE;
    while !log.exists() {
        assert!(Instant::now() < deadline, "the supervisor was not started");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut connection = stage.test.database.acquire().await.unwrap();
    let owner = "SELECT owner FROM admiral.runs WHERE id = $1 AND status = 'running'";
    let before: Option<uuid::Uuid> = sqlx::query_scalar(owner)
        .bind(launched.run_id)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    first.abort().await;
    let second = stage.worker();
    loop {
        let now: Option<uuid::Uuid> = sqlx::query_scalar(owner)
            .bind(launched.run_id)
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        if now != before {
            break;
        }
        assert!(Instant::now() < deadline, "the run was not taken over");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!stage.folder(launched).started().exists());
    std::fs::write(&gate, "").unwrap();
    let (deployment, _) = stage.until_end(launched).await;
    second.end().await;
    assert_eq!(deployment.status, DeploymentStatus::Completed, "{deployment:#?}");
}
