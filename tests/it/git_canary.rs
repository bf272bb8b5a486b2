//! A real server takes a project over ssh and one over https, runs what it took, and shows its secrets nowhere.

use crate::support::{
    git_hosts::{HttpsHost, KeyPair, TestRepository},
    processes,
    server::{AdmiralServer, PATIENCE, text},
    ssh_hosts::SshHosts,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

const TOKEN: &str = "canary-git-token-2b90d4";
const PASSPHRASE: &str = "canary-git-passphrase-e811";
const WEBHOOK_SECRET: &str = "canary-git-webhook-66ac";

fn play(marker: &str) -> String {
    format!(
        "- name: From a repository\n  hosts: all\n  gather_facts: false\n  roles: [said]\n  vars: {{ marker: {marker} }}\n"
    )
}

fn fill(repository: &TestRepository, marker: &str) -> String {
    repository.write("site.yml", &play(marker));
    repository.write(
        "roles/said/tasks/main.yml",
        "- ansible.builtin.debug: { msg: \"it says {{ marker }}\" }\n",
    );
    repository.commit(marker)
}

async fn until_synced(server: &AdmiralServer, project: &Value) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = server.get(&format!("/api/projects/{}", text(project, "id"))).await;
        if now["syncing"] == json!(false) {
            return now;
        }
        assert!(Instant::now() < deadline, "{now}\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_synced_is_run_and_its_secrets_are_found_nowhere() {
    let hosts = SshHosts::start();
    let (over_ssh, over_https) = (TestRepository::new("one"), TestRepository::new("two"));
    let commit = fill(&over_ssh, "marker-ssh");
    fill(&over_https, "marker-https");
    let https = HttpsHost::start(over_https.root(), "x-access-token", TOKEN);
    let mut server = AdmiralServer::start().await;
    server.kill();
    server
        .start_again(&[("ADMIRAL_GIT_CA_FILE", https.certificate().to_str().unwrap())])
        .await;
    let pair = KeyPair::new(PASSPHRASE);
    hosts.authorize(&pair.public());
    let private = pair.private();
    let middle = private.lines().nth(2).unwrap().to_owned();
    let canaries = [
        TOKEN.to_owned(),
        PASSPHRASE.to_owned(),
        WEBHOOK_SECRET.to_owned(),
        middle,
    ];

    let watching = Arc::new(AtomicBool::new(true));
    let exposed = Arc::new(Mutex::new(BTreeSet::new()));
    let watcher = std::thread::spawn({
        let (watching, exposed, canaries) = (watching.clone(), exposed.clone(), canaries.clone());
        move || {
            while watching.load(Ordering::Relaxed) {
                for canary in &canaries {
                    for process in processes::mentioning(canary).into_values() {
                        exposed.lock().unwrap().insert(process.command);
                    }
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    });
    let key = server
        .post(
            "/api/keys",
            json!({"name": "deploy", "private_key": private, "passphrase": PASSPHRASE}),
        )
        .await;
    let key = text(&key, "id");
    let ssh = server
        .post(
            "/api/projects",
            json!({"name": "one", "url": over_ssh.ssh_url(&hosts), "private_key_id": key, "webhook_kind": "gitlab", "webhook_secret": WEBHOOK_SECRET}),
        )
        .await;
    let tls = server
        .post(
            "/api/projects",
            json!({"name": "two", "url": https.url("two.git"), "token": TOKEN}),
        )
        .await;
    for project in [&ssh, &tls] {
        let synced = until_synced(&server, project).await;
        assert_eq!(synced["error"], json!(null), "the scheduler did it: {}", server.log());
    }
    server
        .add_server("web1", &SshHosts::address(0), hosts.port, &hosts.user, &key, &[])
        .await;
    for (name, marker) in [("one", "marker-ssh"), ("two", "marker-https")] {
        let deployment = server
            .post(
                "/api/deployments",
                json!({"playbook": format!("project/{name}/site.yml"), "all": true}),
            )
            .await;
        let id = text(&deployment, "id");
        let deployment = server.wait_for_end(&id).await;
        let output = server.output(&id).await;
        assert_eq!(deployment["status"], "completed", "{output}");
        assert!(output.contains(&format!("it says {marker}")), "{output}");
    }

    // The command line does the same.
    let admiral = |arguments: &[&str]| {
        let output = server.command().args(arguments).output().unwrap();
        let told = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        (output.status.success(), told)
    };
    let secret_file = pair.folder().join("token");
    std::fs::write(&secret_file, format!("{TOKEN}\n")).unwrap();
    let url = over_ssh.ssh_url(&hosts);
    let added = admiral(&[
        "projects",
        "add",
        "three",
        &url,
        "--ref",
        "main",
        "--key",
        "deploy",
        "--sync-every",
        "15m",
        "--webhook",
        "github",
        "--webhook-secret-file",
        secret_file.to_str().unwrap(),
    ]);
    assert!(
        added.0 && added.1.contains(&format!("synced three at {commit}")),
        "{}",
        added.1
    );
    let (_, listed) = admiral(&["projects", "list"]);
    assert!(listed.contains("three") && listed.contains(&commit[..12]), "{listed}");
    assert!(admiral(&["projects", "show", "three"]).1.contains("900"));
    let wrong = admiral(&["projects", "update", "three", "--ref", "no-such-branch"]);
    assert!(wrong.0, "{}", wrong.1);
    let (worked, told) = admiral(&["projects", "sync", "three"]);
    assert!(
        !worked && told.contains("a branch or a tag named no-such-branch"),
        "{told}"
    );
    assert!(admiral(&["projects", "remove", "three"]).0);
    assert!(!admiral(&["projects", "show", "three"]).0);
    let (_, doctor) = admiral(&["doctor"]);
    assert!(doctor.contains("git version"), "{doctor}");

    watching.store(false, Ordering::Relaxed);
    watcher.join().unwrap();
    // The test's own host is told the password of the token on its command line.
    let exposed: Vec<_> = exposed
        .lock()
        .unwrap()
        .iter()
        .filter(|command| !command.contains("git_https.py"))
        .cloned()
        .collect();
    assert!(exposed.is_empty(), "in the process table: {exposed:?}");
    let mut answers = String::new();
    for path in ["/api/projects", "/api/packages", "/api/keys", "/api/audit"] {
        answers.push_str(&server.get(path).await.to_string());
    }
    let dump = Command::new("pg_dump")
        .arg(&server.database.url)
        .output()
        .expect("pg_dump is installed");
    let dump = String::from_utf8_lossy(&dump.stdout).into_owned();
    assert!(dump.contains("marker-ssh") || dump.contains("git_projects"));
    for canary in &canaries {
        for (place, content) in [("answers", &answers), ("log", &server.log()), ("database", &dump)] {
            assert!(!content.contains(canary.as_str()), "{canary} is in the {place}");
            assert!(
                !content.contains(&hex::encode(canary)),
                "{canary} is in the {place}, as hexadecimal"
            );
        }
    }
    assert_eq!(
        std::fs::read_dir(server.data.join("git")).unwrap().count(),
        0,
        "repositories are gone from the disk"
    );
}
