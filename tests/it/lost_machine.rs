//! A machine dies with its server, its runs and its disk. Another one ends what it cannot go on with, and one click does the
//! rest.

use crate::support::{
    gate::Gate,
    processes,
    server::{AdmiralServer, PATIENCE, text},
    stage::Stage,
};
use admiral::{
    domain::{
        clock::new_id,
        deployment::{DeploymentStatus, HostStatus},
    },
    process::{ProcessIdentity, ProcessTarget, Signal, signal},
    store::runs,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Fails for one host and lets the others wait, until the gate is open.
const PLAYBOOK: &str = r"
- name: Everything
  hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: Work
      ansible.builtin.shell: |
        (exec 3< /dev/tcp/127.0.0.1/GATE) || { test {{ inventory_hostname }} != local1 && sleep 619; }
      args: { executable: /bin/bash }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_machine_did_not_finish_is_ended_once_and_retried_on_request() {
    let mut server = AdmiralServer::start().await;
    server.add_local_servers(&["local1", "local2", "local3"]).await;
    let mut gate = Gate::new();
    let playbook = server.add_playbook("gated", &PLAYBOOK.replace("GATE", &gate.port().to_string()));
    let deployment = server
        .post("/api/deployments", json!({"playbook": playbook, "all": true}))
        .await;
    let id = text(&deployment, "id");
    server
        .wait_for(&id, |deployment| {
            deployment["counts"]["running"] == 2 && deployment["counts"]["failed"] == 1
        })
        .await;

    // Everything of that machine is gone at once, and its disk with it.
    server.kill();
    let runs_folder = server.data.join("runs").to_string_lossy().into_owned();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = processes::mentioning(&runs_folder);
        if left.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "still there: {left:?}");
        for pid in left.into_keys() {
            if let Ok(identity) = ProcessIdentity::of(pid) {
                signal(&ProcessTarget::Process(identity), Signal::KILL).ok();
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let another = server.folder.path().join("another machine");
    let dead = std::mem::replace(&mut server.data, another);
    std::fs::create_dir(&server.data).unwrap();
    std::fs::copy(dead.join("key-ring.json"), server.data.join("key-ring.json")).unwrap();
    std::fs::rename(&dead, server.folder.path().join("out of reach")).unwrap();

    // As long as the lease holds, nobody may say that the run is lost.
    let (lease, lost_after) = (Duration::from_secs(30), Duration::from_mins(5));
    let mut connection = server.database.database.acquire().await.unwrap();
    let taken = runs::take_over_expired(&mut connection, new_id(), lease, lost_after, &[]).await;
    assert_eq!(taken.unwrap(), []);
    let time_goes_by = "UPDATE admiral.runs SET lease_expires_at = lease_expires_at - interval '10 minutes' \
                        WHERE status = 'running'";
    let expired = sqlx::query(time_goes_by).execute(&mut *connection).await.unwrap();
    assert_eq!(expired.rows_affected(), 1);

    server.start_again(&[]).await;
    let lost = server.wait_for_end(&id).await;
    assert_eq!(
        (&lost["status"], &lost["reason"]),
        (&json!("failed"), &json!("worker_lost")),
        "{lost}"
    );
    assert!(
        text(&lost, "message").contains("the worker that carried out the run disappeared"),
        "{lost}"
    );
    let statuses = |rows: Vec<Value>| rows.iter().map(|row| text(row, "status")).collect::<Vec<_>>();
    assert_eq!(statuses(server.rows(&id).await), ["failed", "failed", "failed"]);

    // Not started again by itself: not by this server, nor by the next.
    server.kill();
    server.start_again(&[]).await;
    let events = server.events(&id).await;
    let started = events
        .iter()
        .filter(|event| event["kind"] == "deployment_started")
        .count();
    assert_eq!(started, 1);
    let later = server.get(&format!("/api/deployments/{id}")).await;
    assert_eq!(
        (&later["status"], &later["event_position"]),
        (&json!("failed"), &json!(events.len()))
    );
    assert_eq!(server.get("/api/deployments").await["meta"]["total"], 1);

    gate.open();
    let retried = server.post(&format!("/api/deployments/{id}/retry"), json!({})).await;
    let retried = server.wait_for_end(&text(&retried, "id")).await;
    assert_eq!(retried["status"], "completed", "{retried}");
    assert_eq!(retried["counts"]["success"], 3, "{retried}");
    assert_eq!(retried["retry_of"], json!(id));
}

/// The machine was only out of reach: what it still does is over for everybody else, and may be done again by a retry.
#[tokio::test]
async fn a_run_that_was_given_up_is_stopped_where_it_still_goes_on() {
    let stage = Stage::set().await;
    let launched = stage
        .launch("while :; do on runner_on_start web1; sleep 0.05; done")
        .await;
    let worker = stage.worker();
    stage
        .until(launched, |_, rows| rows[0].status == HostStatus::Running)
        .await;
    let folder = stage.folder(launched);
    let started = folder.read_started().unwrap().unwrap();
    // As another worker ends it when the lease has run out.
    let mut transaction = stage.test.database.begin().await.unwrap();
    for statement in [
        "UPDATE admiral.deployments SET status = 'failed', reason = 'worker_lost', finished_at = now() WHERE id = $1",
        "UPDATE admiral.runs SET status = 'finished', finished_at = now(), owner = NULL, lease_expires_at = NULL \
         WHERE deployment_id = $1",
    ] {
        sqlx::query(statement)
            .bind(launched.id)
            .execute(&mut *transaction)
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    while started.supervisor.is_alive() {
        assert!(Instant::now() < deadline, "it goes on for ever");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!started.ansible.is_alive());
    worker.end().await;
    let (deployment, _) = stage.until_end(launched).await;
    assert_eq!(deployment.status, DeploymentStatus::Failed);
}
