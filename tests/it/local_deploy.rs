//! `admiral deploy` on a local database, without a server: the database restarts in the middle, and the command goes on.

use crate::support::{
    ansible::ansible_bins,
    cluster::PrivateCluster,
    gate::Gate,
    server::{AdmiralServer, PATIENCE, wait_for_exit},
};
use admiral::cli::instance::WORKER_SILENCE;
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    sync::mpsc,
    time::{Duration, Instant},
};

/// Waits for a gate that the test opens when the database is back.
const PLAYBOOK: &str = "
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.command: echo begun
    - ansible.builtin.wait_for: { host: 127.0.0.1, port: '{{ gate }}', sleep: 1, timeout: 600 }
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
    let mut gate = Gate::new();
    let mut deploy = server
        .command()
        .args(["deploy", &playbook, "--all", "--json", "--playbooks"])
        .arg(server.folder.path().join("playbooks"))
        .arg("--var")
        .arg(format!("gate={}", gate.port()))
        .env("ADMIRAL_ANSIBLE_BIN", &ansible_bins()[0])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(deploy.stdout.take().unwrap()).lines();
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || said.map(Result::unwrap).try_for_each(|line| sender.send(line)));
    // Both hosts are at the task that waits.
    let mut begun = 0;
    while begun < 2 {
        let line = lines.recv_timeout(PATIENCE).expect("it goes on");
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
    gate.open();
    let mut rest = Vec::new();
    while let Ok(line) = lines.recv_timeout(PATIENCE) {
        rest.push(line);
    }
    let status = wait_for_exit(&mut deploy);
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
