//! Cancelling ends everything that the run started.

use crate::support::{
    processes,
    server::{AdmiralServer, text},
    ssh_hosts::SshHosts,
};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::time::{Duration, Instant};

const HOSTS: usize = 20;

/// Long work on every host that does not listen to SIGTERM, neither there nor on the controller.
const STUBBORN: &str = r#"
- name: Work that does not want to end
  hosts: all
  gather_facts: false
  tasks:
    - name: Ignore the polite signal and sleep
      ansible.builtin.shell: "trap '' TERM; sleep 600"
      args: { executable: /bin/bash }
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_leaves_no_process_no_key_and_no_socket() {
    let hosts = SshHosts::start();
    let server = AdmiralServer::start().await;
    let (key, public_key) = server.generate_key("fleet").await;
    hosts.authorize(&public_key);
    for n in 0..HOSTS {
        server
            .add_server(
                &format!("host{n:02}"),
                &SshHosts::address(n),
                hosts.port,
                &hosts.user,
                &key,
                &[],
            )
            .await;
    }
    let playbook = server.add_playbook("stubborn", STUBBORN);
    let deployment = server
        .post(
            "/api/deployments",
            json!({"playbook": playbook, "all": true, "options": {"forks": 20}}),
        )
        .await;
    let id = text(&deployment, "id");

    // All twenty sleep: then everything that can be running is running.
    let data = server.folder.path().join("data");
    let deadline = Instant::now() + crate::support::server::PATIENCE;
    let (supervisor, started) = loop {
        let supervisors = processes::supervisors(&data);
        if let [supervisor] = supervisors[..] {
            let tree = processes::tree(supervisor);
            let sleeping = processes::all()
                .values()
                .filter(|p| p.command.starts_with("sleep 600"))
                .count();
            if sleeping >= HOSTS && tree.len() > HOSTS {
                break (supervisor, tree);
            }
        }
        assert!(
            Instant::now() < deadline,
            "the hosts did not all begin: {}",
            server.output(&id).await
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let secrets = secrets_of(supervisor);
    assert!(!secrets.is_empty(), "the run keeps its keys somewhere");

    let asked = Instant::now();
    let (status, _) = server
        .request(Method::POST, &format!("/api/deployments/{id}/cancel"), Some(&json!({})))
        .await;
    assert_eq!(status, StatusCode::ACCEPTED);
    // The grace is 10 seconds; 5 more are allowed. The wait itself is generous, the figure is checked afterwards.
    let left = loop {
        let all = processes::all();
        let left: Vec<_> = started.iter().filter(|pid| all.contains_key(pid)).collect();
        if left.is_empty() {
            break asked.elapsed();
        }
        assert!(
            asked.elapsed() < Duration::from_mins(1),
            "still there: {:?}",
            left.iter().map(|pid| &all[pid]).collect::<Vec<_>>()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(
        left < Duration::from_secs(15),
        "it took {left:?} until everything was gone"
    );

    let deployment = server.wait_for_end(&id).await;
    assert_eq!(deployment["status"], "cancelled");
    assert_eq!(deployment["reason"], "cancelled_by_user");
    let rows = server.rows(&id).await;
    assert_eq!(rows.len(), HOSTS);
    for row in rows {
        assert_eq!(row["status"], "cancelled", "{row}");
        assert!(!row["finished_at"].is_null(), "{row}");
    }
    for folder in secrets {
        assert!(!std::path::Path::new(&folder).exists(), "{folder} is left");
    }
    // The run's own marker finds what ancestry would not: processes that the callback's path was handed to.
    assert!(processes::mentioning(&data.join("runs").to_string_lossy()).is_empty());
    let (status, problem) = server
        .request(Method::POST, &format!("/api/deployments/{id}/cancel"), Some(&json!({})))
        .await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    // What still sleeps belongs to the hosts, not to the controller: a command that already executes remotely goes on.
    std::process::Command::new("pkill")
        .args(["-KILL", "-f", "^sleep 600"])
        .status()
        .ok();
}

/// Folders outside the run folder that hold the run's keys and sockets, as its specification says.
fn secrets_of(supervisor: i32) -> Vec<String> {
    let command = &processes::all()[&supervisor].command;
    let folder = command.split(" supervise ").nth(1).expect("the run folder").trim();
    let spec: serde_json::Value =
        serde_json::from_slice(&std::fs::read(format!("{folder}/spec.json")).expect("the run has a spec")).unwrap();
    vec![text(&spec, "secrets_folder"), text(&spec, "control_path_folder")]
}
