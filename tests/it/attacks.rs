//! Hostile playbooks, run for real: each tries to get at something that is not its own, and must not.
//!
//! Each playbook of `tests/playbooks/attacks` prints `BREACH` when it gets through; what it may have done outside is looked at here.
//! The guards are then taken away one at a time, and the same playbooks have to get through: so the tests are known to notice.

use crate::support::{
    ansible::{ansible_bins, ansible_for_all},
    server::{AdmiralServer, Beginning, PATIENCE, Terms, text},
    ssh_hosts::SshHosts,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// User and group of the account `games`, which Debian has and nobody uses: PostgreSQL runs only as one that the system knows.
const ACCOUNT: (u32, u32) = (5, 60);
/// In a file that no run may read.
const CANARY: &str = "canary-7f3a91c2";
/// In the secrets of one run that another one looks for.
const NEEDLE: &str = "needle-4be01d77";
/// Attacks on what lies outside; all of them are tried at the same time, beside a run that has something to lose.
const OUTWARD: [&str; 13] = [
    "read-data",
    "walk-up",
    "processes",
    "system",
    "namespaces",
    "database",
    "neighbours",
    "links",
    "pipes",
    "folders",
    "host-keys",
    "sparse",
    "memory-folder",
];
/// Attacks that take more of the machine than they may, and what the message names.
const GREEDY: [(&str, &str); 5] = [
    ("fork-bomb", "processes"),
    ("memory", "memory"),
    ("disk", "disk space"),
    ("big-file", "one of its files"),
    ("deep", "nested folders"),
];
/// Guards that the server itself has.
const OF_SERVER: [&str; 4] = ["account", "host_key_scan", "regular_files", "seclusion"];
const LIMITS: [&str; 8] = [
    "--run-memory",
    "400M",
    "--run-processes",
    "150",
    "--run-file-size",
    "40M",
    "--run-disk",
    "150M",
];

/// Where attacks take place: a server on its own PostgreSQL, and around it what must stay as it is.
struct Ground {
    server: AdmiralServer,
    hosts: SshHosts,
    victim: PathBuf,
    victim_folder: PathBuf,
    tmp_canary: tempfile::NamedTempFile,
    forged_key: String,
}

impl Ground {
    /// As root, or as an account that has nothing else.
    async fn prepare(account: Option<(u32, u32)>, arguments: &[&str], guards_off: &str) -> Self {
        // The server refuses to run anything where its own trial of the guards fails.
        let of_server: Vec<&str> = guards_off
            .split(',')
            .filter(|guard| OF_SERVER.contains(guard))
            .collect();
        // Not among the temporary files, which a run has for itself anyway.
        let folder = tempfile::Builder::new()
            .prefix("attacks-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap();
        let ansible = match account {
            Some(_) => ansible_for_all(folder.path()),
            None => ansible_bins()[0].clone(),
        };
        let server = AdmiralServer::start_at(Beginning {
            folder,
            ansible: &ansible,
            embedded: true,
            arguments,
            environment: &[
                ("ADMIRAL_GUARDS_OFF", &of_server.join(",")),
                ("ADMIRAL_RUN_GUARDS_OFF", guards_off),
            ],
            terms: Terms {
                account,
                open_files: None,
            },
        })
        .await;
        let root = server.folder.path();
        let (victim, victim_folder) = (root.join("victim"), root.join("victims"));
        fs::create_dir(&victim_folder).unwrap();
        for file in [&victim, &victim_folder.join("file"), &server.data.join("canary")] {
            fs::write(file, CANARY).unwrap();
            chown(file, account.map(|(user, _)| user), account.map(|(_, group)| group)).unwrap();
        }
        // Anybody outside may write there.
        fs::set_permissions(&victim_folder, fs::Permissions::from_mode(0o777)).unwrap();
        let tmp_canary = tempfile::Builder::new().prefix("canary").tempfile().unwrap();
        fs::write(tmp_canary.path(), CANARY).unwrap();
        fs::set_permissions(tmp_canary.path(), fs::Permissions::from_mode(0o644)).unwrap();

        let hosts = SshHosts::start();
        let (key, _) = server.generate_key("fleet").await;
        server
            .add_server("h1", &SshHosts::address(1), hosts.port, "root", &key, &[])
            .await;
        let playbooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/playbooks/attacks");
        for entry in fs::read_dir(playbooks).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().replace(".yml", "");
            server.add_playbook(&name, &fs::read_to_string(entry.path()).unwrap());
        }
        let (_, forged) = admiral::vault::ssh_key::generate_ed25519("").unwrap();
        Self {
            server,
            hosts,
            victim,
            victim_folder,
            tmp_canary,
            forged_key: forged.public_key_line,
        }
    }

    async fn launch(&self, attack: &str) -> String {
        let body = json!({
            "name": attack, "playbook": format!("project/{attack}/site.yml"), "all": true,
            "options": {"allow_overlap": true, "timeout_seconds": 150},
            "variables": {
                "data": self.server.data, "server_pid": self.server.process.id(), "victim": self.victim,
                "victim_folder": self.victim_folder, "tmp_canary": self.tmp_canary.path(), "needle": NEEDLE, "pause": 100,
                "forged_host": format!("[{}]:{}", SshHosts::address(1), self.hosts.port), "forged_key": self.forged_key,
            },
        });
        text(&self.server.post("/api/deployments", body).await, "id")
    }

    /// Has Ansible check the syntax of a playbook whose imports run commands; everything that is shown of it.
    async fn attack_by_syntax(&self) -> String {
        let script = format!(
            "cat {data}/canary /proc/{pid}/root{data}/canary {tmp}; touch {data}/written-from-a-run {folder}/written-from-a-run",
            data = self.server.data.display(),
            pid = self.server.process.id(),
            tmp = self.tmp_canary.path().display(),
            folder = self.victim_folder.display(),
        );
        let playbook = self.server.add_playbook(
            "by-syntax",
            &format!("- import_playbook: \"{{{{ lookup('ansible.builtin.pipe', '({script}; true) 2>&1') }}}}\"\n"),
        );
        let body = json!({"playbook": playbook, "all": true});
        let (status, refusal) = self.server.request(Method::POST, "/api/deployments", Some(&body)).await;
        assert!(status.is_client_error(), "{status} {refusal}");
        let uploaded = std::fs::read(self.server.folder.path().join("playbooks/by-syntax/site.yml")).unwrap();
        let path = "/api/packages/inspect?file_name=look.yml&with_ansible=true";
        let (status, looked_at) = self.server.upload(path, uploaded).await;
        assert_eq!(status, StatusCode::OK, "{looked_at}");
        format!("{refusal}\n{looked_at}\n")
    }

    /// A run that holds secrets and goes on until it is cancelled.
    async fn launch_victim(&self) -> String {
        let playbook = self.server.add_playbook(
            "victim",
            "- hosts: all\n  connection: local\n  gather_facts: false\n  tasks:\n    - ansible.builtin.shell: sleep 600\n      \
             environment: { HELD: '{{ held }}' }\n",
        );
        let body = json!({"playbook": playbook, "all": true, "options": {"allow_overlap": true},
                          "secret_variables": {"held": format!("{NEEDLE}-of-another")}});
        let id = text(&self.server.post("/api/deployments", body).await, "id");
        self.server
            .wait_for(&id, |deployment| deployment["event_position"].as_i64().unwrap_or(0) > 3)
            .await;
        id
    }

    /// How an attack ended: the deployment, and everything that is shown of it.
    async fn outcome(&self, id: &str) -> (Value, String) {
        let deployment = self.server.wait_for_end(id).await;
        let path = format!("/api/deployments/{id}/events?limit=500");
        let (_, events) = self.server.request(Method::GET, &path, None).await;
        let mut shown = format!("{deployment}\n{}\n", self.server.output(id).await);
        collect_said(&events, &mut shown);
        (deployment, shown)
    }

    /// Waits until nothing of any run is left.
    async fn wait_until_cleared(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.server.run_folders().is_empty() {
            assert!(
                Instant::now() < deadline,
                "{:?} are left: {}",
                self.server.run_folders(),
                self.server.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What an attack changed outside, in words; empty when nothing.
    async fn damage(&mut self) -> Vec<String> {
        let mut damage = Vec::new();
        let intact = |file: &Path| fs::read_to_string(file).is_ok_and(|text| text == CANARY);
        for file in [
            &self.victim,
            &self.victim_folder.join("file"),
            &self.server.data.join("canary"),
        ] {
            if file.is_symlink() || !intact(file) {
                damage.push(format!("{} was changed", file.display()));
            }
        }
        if fs::read_dir(&self.victim_folder).map_or(0, Iterator::count) != 1 {
            damage.push("something was written into the victim's folder".to_owned());
        }
        for folder in [
            self.server.data.clone(),
            self.server.data.join("builtin-playbooks"),
            "/etc".into(),
            "/usr/bin".into(),
        ] {
            if folder.join("written-from-a-run").exists() {
                damage.push(format!("something was written into {}", folder.display()));
            }
        }
        if self.server.process.try_wait().unwrap().is_some() {
            damage.push("the server is gone".to_owned());
        }
        let log = self.server.log();
        if log.contains("FORGED LINE") || log.contains(CANARY) {
            damage.push("the server's log says what a run wanted it to say".to_owned());
        }
        let trusted = self.server.get("/api/servers").await["data"][0]["host_keys"].to_string();
        let forged = self.forged_key.split(' ').nth(1).unwrap();
        if trusted.contains(&forged[forged.len() - 20..]) || trusted != "[]" {
            damage.push(format!("host keys are trusted: {trusted}"));
        }
        damage
    }
}

/// What commands printed, as events have it. Not the commands themselves: they name what they would say.
fn collect_said(value: &Value, said: &mut String) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if matches!(name.as_str(), "stdout" | "stderr") => {
                        said.push_str(text);
                        said.push('\n');
                    }
                    value => collect_said(value, said),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_said(value, said)),
        _ => {}
    }
}

/// Whether what is shown of an attack says that it got through.
fn breaches(shown: &str) -> Vec<&str> {
    let telling = [CANARY, "BREACH", "FORGED"];
    shown
        .lines()
        .filter(|line| telling.iter().any(|word| line.contains(word)))
        .collect()
}

async fn nothing_gets_out(account: Option<(u32, u32)>) {
    let mut ground = Ground::prepare(account, &[&LIMITS[..], &["--max-runs", "5"]].concat(), "").await;
    let victim = ground.launch_victim().await;
    let mut attacks = Vec::new();
    for attack in OUTWARD.into_iter().chain(["forge"]) {
        attacks.push((attack, ground.launch(attack).await));
    }
    let mut wrong = Vec::new();
    let shown = ground.attack_by_syntax().await;
    wrong.extend(breaches(&shown).iter().map(|breach| format!("by-syntax: {breach}")));
    assert!(
        shown.contains("Permission denied") || shown.contains("No such file"),
        "{shown}"
    );
    for (attack, id) in attacks {
        let (deployment, shown) = ground.outcome(&id).await;
        for breach in breaches(&shown) {
            wrong.push(format!("{attack}: {breach}"));
        }
        let expected = if attack == "forge" { "failed" } else { "completed" };
        if deployment["status"] != expected || deployment["isolation"] != "strict" {
            wrong.push(format!("{attack} did not end as it should: {deployment}\n{shown}"));
        }
    }
    // The neighbour has lost nothing, and nothing of the attacks is left.
    let neighbour = ground.server.get(&format!("/api/deployments/{victim}")).await;
    assert_eq!(neighbour["status"], "running", "{neighbour}");
    ground
        .server
        .post(&format!("/api/deployments/{victim}/cancel"), json!({"force": true}))
        .await;
    assert_eq!(ground.server.wait_for_end(&victim).await["status"], "cancelled");
    ground.wait_until_cleared().await;

    let mut greedy = Vec::new();
    for (attack, what) in GREEDY {
        greedy.push((attack, what, ground.launch(attack).await));
    }
    for (attack, what, id) in greedy {
        let (deployment, shown) = ground.outcome(&id).await;
        let message = deployment["message"].as_str().unwrap_or_default();
        if deployment["reason"] != "resource_limit" || !message.contains(what) {
            wrong.push(format!("{attack} was not stopped: {deployment}\n{shown}"));
        }
    }
    ground.wait_until_cleared().await;
    wrong.extend(ground.damage().await);
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), ground.server.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_gets_out_of_a_run_of_roots() {
    nothing_gets_out(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_gets_out_of_a_run_of_a_service_account() {
    nothing_gets_out(Some(ACCOUNT)).await;
}

/// One guard gone, and the attack that it is there against gets through.
struct Gap {
    guard: &'static str,
    /// Guards that stand behind it, and are taken away too.
    with: &'static str,
    attack: &'static str,
    account: Option<(u32, u32)>,
}

const GAPS: [Gap; 10] = [
    Gap {
        guard: "seclusion",
        with: "",
        attack: "by-syntax",
        account: Some(ACCOUNT),
    },
    Gap {
        guard: "process_namespace",
        with: "",
        attack: "processes",
        account: None,
    },
    Gap {
        guard: "account",
        with: "",
        attack: "read-data",
        account: None,
    },
    Gap {
        guard: "hidden",
        with: "",
        attack: "read-data",
        account: Some(ACCOUNT),
    },
    Gap {
        guard: "own_folders",
        with: "",
        attack: "read-data",
        account: Some(ACCOUNT),
    },
    Gap {
        guard: "read_only",
        with: "",
        attack: "read-data",
        account: None,
    },
    Gap {
        guard: "control_folder",
        with: "",
        attack: "forge",
        account: Some(ACCOUNT),
    },
    Gap {
        guard: "regular_files",
        with: ",control_folder",
        attack: "links",
        account: Some(ACCOUNT),
    },
    Gap {
        guard: "host_key_scan",
        with: "",
        attack: "host-keys",
        account: None,
    },
    Gap {
        guard: "limits",
        with: "",
        attack: "deep",
        account: None,
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_guard_is_missed_when_it_is_gone() {
    let mut unnoticed = Vec::new();
    for gap in GAPS {
        let off = format!("{}{}", gap.guard, gap.with);
        let mut ground = Ground::prepare(gap.account, &LIMITS, &off).await;
        if gap.attack == "by-syntax" {
            let shown = ground.attack_by_syntax().await;
            if breaches(&shown).is_empty() && ground.damage().await.is_empty() {
                unnoticed.push(format!("{} by {}: {shown}", gap.guard, gap.attack));
            }
            continue;
        }
        let id = if gap.attack == "deep" {
            // Long enough to be stopped if anybody looked.
            let body = json!({"playbook": "project/deep/site.yml", "all": true, "variables": {"pause": 4}});
            text(&ground.server.post("/api/deployments", body).await, "id")
        } else {
            ground.launch(gap.attack).await
        };
        let (deployment, shown) = ground.outcome(&id).await;
        let stopped = gap.attack == "deep" && deployment["reason"] == "resource_limit";
        let got_through =
            !breaches(&shown).is_empty() || !ground.damage().await.is_empty() || gap.attack == "deep" && !stopped;
        if !got_through {
            unnoticed.push(format!("{} by {}: {deployment}\n{shown}", gap.guard, gap.attack));
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}

/// Without isolation a run can put anything in the place of its own files: still nothing is followed, and nothing waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_not_followed_even_without_isolation() {
    let mut ground = Ground::prepare(Some(ACCOUNT), &["--isolation", "none"], "").await;
    let mut attacks = Vec::new();
    for attack in ["links", "pipes", "folders", "host-keys"] {
        attacks.push((attack, ground.launch(attack).await));
    }
    for (attack, id) in attacks {
        let (deployment, shown) = ground.outcome(&id).await;
        assert_eq!(breaches(&shown), Vec::<&str>::new(), "{attack}");
        assert_eq!(deployment["isolation"], "none");
    }
    let (status, _) = ground.server.request(Method::GET, "/api/health", None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(ground.damage().await, Vec::<String>::new());
}
