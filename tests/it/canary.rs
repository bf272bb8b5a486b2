//! A secret goes in, is used for real, and is found nowhere afterwards.

use crate::support::{
    ansible::ansible_bins,
    processes,
    server::{AdmiralServer, text},
    ssh_hosts::SshHosts,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::json;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const VARIABLE: &str = "canary-variable-5f1d2c";
const PASSPHRASE: &str = "canary-passphrase-93be07";
/// Given as if it were no secret; the form knows better.
const ANSWER: &str = "canary-answer-\"quoted\"-7c20aa";
const OF_THE_ENVIRONMENT: &str = "canary-environment-b1870d";
const OF_THE_PRESET: &str = "canary-preset-e44c19";
const FILE: &str = "canary-file-0d9a55";
const VAULT_PASSWORD: &str = "canary-vault-c40a81";

/// Uses the secret with and without care: a careless playbook must not put it into the database either.
const PLAYBOOK: &str = r#"
- name: Use a secret
  hosts: all
  gather_facts: false
  vars_files: [vault.yml]
  tasks:
    - name: With care
      ansible.builtin.shell: "test -n \"$SECRET\""
      environment: { SECRET: "{{ secret }}" }
      no_log: true
    - name: Without care
      ansible.builtin.debug: { msg: "the secret is {{ secret }}" }
    - name: Without care, all of them
      ansible.builtin.debug: { msg: "they are {{ [answer, of_the_environment, of_the_preset] }}" }
    - name: A file, with care
      ansible.builtin.copy: { content: "{{ lookup('file', certificate) | length }}", dest: ~/length }
      delegate_to: localhost
      connection: local
    - name: Without care of the vault either
      ansible.builtin.debug: { msg: "the vault opens with {{ vaulted }}" }
    - name: Long enough to be looked at
      ansible.builtin.command: sleep 2
    - name: Fail with it
      ansible.builtin.fail: { msg: "no good: {{ secret }}" }
      ignore_errors: true
"#;

const FORM: &str = "fields:
  - {name: answer, type: secret, required: true, pattern: 'canary-.*'}
  - {name: certificate, type: file, required: true}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_found_nowhere() {
    let hosts = SshHosts::start();
    let server = AdmiralServer::start().await;
    let keys = tempfile::tempdir().unwrap();
    let path = keys.path().join("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-C", "canary", "-N", PASSPHRASE, "-f"])
        .arg(&path)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    let private_key = std::fs::read_to_string(&path).unwrap();
    hosts.authorize(&std::fs::read_to_string(path.with_extension("pub")).unwrap());
    let plain_key = decrypted_form(&path);
    // A line from the middle of each form: what a leak would show.
    let canaries: Vec<String> = vec![
        VARIABLE.to_owned(),
        PASSPHRASE.to_owned(),
        ANSWER.to_owned(),
        OF_THE_ENVIRONMENT.to_owned(),
        OF_THE_PRESET.to_owned(),
        FILE.to_owned(),
        STANDARD.encode(FILE),
        VAULT_PASSWORD.to_owned(),
        middle_line(&private_key),
        middle_line(&plain_key),
    ];

    let key = server
        .post(
            "/api/keys",
            json!({"name": "canary", "private_key": private_key, "passphrase": PASSPHRASE}),
        )
        .await;
    let key = text(&key, "id");
    server
        .add_server("canary1", &SshHosts::address(0), hosts.port, &hosts.user, &key, &[])
        .await;
    let playbook = server.add_playbook("canary", PLAYBOOK);
    std::fs::write(server.folder.path().join("playbooks/canary/site.form.yml"), FORM).unwrap();
    let environment = server
        .post(
            "/api/environments",
            json!({"name": "production", "secret_variables": {"of_the_environment": OF_THE_ENVIRONMENT, "answer": "x"}}),
        )
        .await;
    let preset = server
        .post(
            "/api/presets",
            json!({"playbook": playbook, "name": "all", "secret_variables": {"of_the_preset": OF_THE_PRESET}}),
        )
        .await;

    std::fs::write(keys.path().join("vault"), VAULT_PASSWORD).unwrap();
    std::fs::write(keys.path().join("vault.yml"), format!("vaulted: {VAULT_PASSWORD}\n")).unwrap();
    let encrypted = Command::new(ansible_bins()[0].join("ansible-vault"))
        .args(["encrypt", "--vault-id", "canary@vault", "--output"])
        .arg(server.folder.path().join("playbooks/canary/vault.yml"))
        .arg("vault.yml")
        .current_dir(keys.path())
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(encrypted.success());
    server
        .post(
            "/api/vault-passwords",
            json!({"vault_id": "canary", "password": VAULT_PASSWORD}),
        )
        .await;

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
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    });
    let launch = json!({
        "playbook": playbook, "all": true, "secret_variables": {"secret": VARIABLE}, "variables": {"answer": ANSWER},
        "files": {"certificate": {"name": "server.pem", "content_base64": STANDARD.encode(FILE)}},
        "environment_id": environment["id"], "preset_id": preset["id"], "options": {"verbosity": 3, "diff": true},
    });
    let preview = server
        .request(Method::POST, "/api/deployments/preview", Some(&launch))
        .await
        .1;
    let deployment = server.post("/api/deployments", launch.clone()).await;
    let id = text(&deployment, "id");
    let deployment = server.wait_for_end(&id).await;
    watching.store(false, Ordering::Relaxed);
    watcher.join().unwrap();
    let output = server.output(&id).await;
    assert_eq!(deployment["status"], "completed", "{deployment}\n{output}");
    assert_eq!(
        deployment["secret_variables"],
        json!(["answer", "of_the_environment", "of_the_preset", "secret"])
    );
    assert!(
        output.matches("'********'").count() >= 3 || output.matches("\"********\"").count() >= 3,
        "the other careless task ran: {output}"
    );
    assert!(
        output.contains("the secret is ********"),
        "the careless task ran: {output}"
    );
    assert!(output.contains("the vault opens with ********"), "{output}");

    // `shell` with `environment` puts the secret into a remote process for a moment, which here is on the same machine:
    // that is the playbook's doing. Nothing that Admiral starts may show it.
    let exposed: Vec<_> = exposed
        .lock()
        .unwrap()
        .iter()
        .filter(|c| c.contains("ansible-playbook") || c.contains("admiral"))
        .cloned()
        .collect();
    let exposed: Vec<_> = exposed
        .into_iter()
        .filter(|c| !c.contains("AnsiballZ") && !c.contains("SECRET="))
        .collect();
    assert!(exposed.is_empty(), "in the process table: {exposed:?}");

    let mut answers = preview.to_string();
    for path in [
        format!("/api/deployments/{id}"),
        format!("/api/deployments/{id}/servers"),
        format!("/api/deployments/{id}/events?limit=5000"),
        "/api/deployments".to_owned(),
        "/api/keys".to_owned(),
        format!("/api/keys/{key}"),
        "/api/servers".to_owned(),
        "/api/environments".to_owned(),
        "/api/presets".to_owned(),
        format!("/api/playbooks/form?id={playbook}"),
        "/api/audit".to_owned(),
        "/api/vault-passwords".to_owned(),
    ] {
        answers.push_str(&server.get(&path).await.to_string());
    }
    let dump = Command::new("pg_dump")
        .arg(&server.database.url)
        .output()
        .expect("pg_dump is installed");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let dump = String::from_utf8_lossy(&dump.stdout).into_owned();
    assert!(dump.contains("canary1"), "the dump holds the data");

    for canary in &canaries {
        for (place, text) in [
            ("output", &output),
            ("API answers", &answers),
            ("log", &server.log()),
            ("database", &dump),
        ] {
            assert!(!text.contains(canary.as_str()), "{canary} is in the {place}");
            assert!(
                !text.contains(&hex_of(canary)),
                "{canary} is in the {place}, as hexadecimal"
            );
        }
    }
    let mut left = Vec::new();
    for root in [
        server.folder.path().to_owned(),
        PathBuf::from("/dev/shm"),
        PathBuf::from("/tmp"),
    ] {
        files_holding(&root, &canaries, &[keys.path()], &mut left);
    }
    assert!(left.is_empty(), "in files: {left:?}");
}

fn decrypted_form(path: &Path) -> String {
    let copy = path.with_file_name("plain");
    std::fs::copy(path, &copy).unwrap();
    let status = Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", PASSPHRASE, "-N", "", "-f"])
        .arg(&copy)
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::read_to_string(copy).unwrap()
}

fn middle_line(key: &str) -> String {
    let lines: Vec<&str> = key.lines().collect();
    lines[lines.len() - 3].to_owned()
}

fn hex_of(text: &str) -> String {
    hex::encode(text)
}

fn files_holding(folder: &Path, needles: &[String], except: &[&Path], found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else {
            continue;
        };
        if except.contains(&path.as_path()) {
            continue;
        }
        if kind.is_dir() {
            // Other tests' folders are theirs to check, and the cluster's files were looked into as a dump.
            let name = entry.file_name().to_string_lossy().into_owned();
            let others = name.starts_with("admiral-it-") || name.starts_with("admiral-test");
            let ours = folder != Path::new("/tmp") || name.starts_with("admiral") && !others;
            if ours {
                files_holding(&path, needles, except, found);
            }
        } else if kind.is_file() && std::fs::metadata(&path).is_ok_and(|data| data.len() < 64 << 20) {
            let content = std::fs::read(&path).unwrap_or_default();
            if needles
                .iter()
                .any(|needle| content.windows(needle.len()).any(|window| window == needle.as_bytes()))
            {
                found.push(path);
            }
        }
    }
}
