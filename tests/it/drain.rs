//! A worker that is drained finishes its runs and claims nothing more.

use crate::{
    roles::{PLAYBOOK, Process, until_workers},
    support::{
        gate::Gate,
        server::{AdmiralServer, text, wait_for_exit},
    },
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::process::Stdio;

/// Runs until the gate is open.
fn gated(gate: &Gate) -> String {
    format!(
        "
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.wait_for: {{ {}, timeout: 170 }}
",
        gate.condition()
    )
}

async fn launch(server: &AdmiralServer, playbook: &str) -> String {
    let body = json!({"playbook": playbook, "all": true, "options": {"allow_overlap": true}});
    text(&server.post("/api/deployments", body).await, "id")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_worker_finishes_its_runs_and_ends() {
    let server = AdmiralServer::start_roles("api,scheduler").await;
    let (key, _) = server.generate_key("fleet").await;
    server.add_server("h1", "127.0.0.1", 1, "nobody", &key, &[]).await;
    let mut gate = Gate::new();
    let slow = server.add_playbook("slow", &gated(&gate));
    let quick = server.add_playbook("quick", PLAYBOOK);
    let mut worker = Process(server.spawn_beside("data", &["--roles", "worker"]));
    let first = launch(&server, &slow).await;
    server
        .wait_for(&first, |deployment| deployment["counts"]["running"] == 1)
        .await;

    let mut drain = server.command();
    let drain = drain
        .arg("drain")
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let workers = until_workers(&server, |workers| workers[0]["status"] == "draining").await;
    assert_eq!(
        (&workers[0]["runs"], workers[0]["draining_since"].is_null()),
        (&json!(1), false)
    );
    let second = launch(&server, &quick).await;

    gate.open();
    let ended = server.wait_for_end(&first).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    let told = tokio::task::spawn_blocking(|| drain.wait_with_output())
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.status.success(), "{said}");
    assert!(said.contains("1 run goes on") && said.contains("is drained"), "{said}");
    assert_eq!(wait_for_exit(&mut worker.0).code(), Some(0), "{}", server.log());
    until_workers(&server, <[Value]>::is_empty).await;
    assert_eq!(
        server.get(&format!("/api/deployments/{second}")).await["status"],
        "pending"
    );

    // Its successor is another worker, and claims.
    let _worker = Process(server.spawn_beside("data", &["--roles", "worker"]));
    assert_eq!(server.wait_for_end(&second).await["status"], "completed");
    let audit = server.get("/api/audit?action=worker.drain").await;
    assert_eq!(audit["meta"]["total"], 1, "{audit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_drained_stays_and_may_claim_again() {
    let server = AdmiralServer::start().await;
    let (key, _) = server.generate_key("fleet").await;
    server.add_server("h1", "127.0.0.1", 1, "nobody", &key, &[]).await;
    let quick = server.add_playbook("quick", PLAYBOOK);
    let worker = until_workers(&server, |workers| workers.len() == 1).await.remove(0);
    assert_eq!(worker["roles"], json!(["api", "worker", "scheduler"]));
    let id = text(&worker, "id");

    let run = |arguments: &[&str]| {
        let output = server.command().args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        said
    };
    assert!(run(&["drain", "--no-wait", &id[..18]]).contains("claims nothing more"));
    until_workers(&server, |workers| workers[0]["status"] == "drained").await;
    let waiting = launch(&server, &quick).await;
    assert!(run(&["drain"]).contains("is drained"));
    assert_eq!(
        server.get(&format!("/api/deployments/{waiting}")).await["status"],
        "pending"
    );
    assert!(run(&["drain", "--undo"]).contains("claims runs again"));
    assert_eq!(server.wait_for_end(&waiting).await["status"], "completed");
    let (status, problem) = server
        .request(
            Method::POST,
            "/api/workers/00000000-0000-7000-8000-000000000000/drain",
            None,
        )
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
}
