//! `admiral deploy` on a local database, without a server: the database restarts in the middle, and the command goes on.

use crate::support::{
    ansible::ansible_bins,
    cluster::PrivateCluster,
    server::{AdmiralServer, PATIENCE},
};
use admiral::cli::instance::WORKER_SILENCE;
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

/// Waits for a file that the test makes when the database is back.
const PLAYBOOK: &str = "
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.command: echo begun
    - ansible.builtin.shell: until test -e {{ go_on }}; do sleep 0.1; done
    - ansible.builtin.command: echo done
";

/// Watches `admiral deploy` across a restart of the database, with the worker of another process or with its own.
async fn deploy_across_a_restart(with_server: bool) {
    let mut cluster = PrivateCluster::start().await;
    let mut server = AdmiralServer::start_on(cluster.database().await).await;
    let (key, _) = server.generate_key("fleet").await;
    for host in ["h1", "h2"] {
        server.add_server(host, "127.0.0.1", 1, "nobody", &key, &[]).await;
    }
    let playbook = server.add_playbook("long", PLAYBOOK);
    if !with_server {
        server.terminate();
    }
    // The playbook polls for a file here, and isolation is off so that it can see it.
    let signs = tempfile::tempdir().unwrap();
    let go_on = signs.path().join("go-on");
    let mut deploy = server
        .command()
        .args(["deploy", &playbook, "--all", "--json", "--playbooks"])
        .arg(server.folder.path().join("playbooks"))
        .arg("--var")
        .arg(format!("go_on={}", go_on.display()))
        .env("ADMIRAL_ANSIBLE_BIN", &ansible_bins()[0])
        .env("ADMIRAL_ISOLATION", "none")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(deploy.stdout.take().unwrap()).lines();
    // Both hosts are at the task that waits.
    let mut begun = 0;
    while begun < 2 {
        let line = lines.next().expect("it goes on").unwrap();
        begun += line.matches("\"runner_on_ok\"").count();
    }
    cluster.stop_at_once().await;
    // Without a worker of its own the command asks from time to time whether one is there, and must ask while the database is away.
    let asked_every = if with_server { WORKER_SILENCE } else { Duration::ZERO };
    let away = Instant::now();
    while away.elapsed() < asked_every + Duration::from_secs(2) {
        assert!(
            deploy.try_wait().unwrap().is_none(),
            "it ended while the database was away"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cluster.start_again().await;
    std::fs::write(&go_on, "").unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = deploy.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "it does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let mut said = String::new();
    std::io::Read::read_to_string(&mut deploy.stderr.take().unwrap(), &mut said).unwrap();
    assert_eq!(status.code(), Some(0), "{said}\n{}", rest.join("\n"));
    let last: Value = serde_json::from_str(rest.last().expect("it said more")).unwrap();
    assert!(last.to_string().contains("completed"), "{last}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_its_own_worker() {
    deploy_across_a_restart(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_worker_of_a_server() {
    deploy_across_a_restart(true).await;
}
