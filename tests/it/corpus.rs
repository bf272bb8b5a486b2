//! The corpus: projects as people have them, run plainly and through every door of Admiral, with the same outcome on every host.
//! What came in by several doors with the same files is run once.

use crate::support::{
    ansible::ansible_bins,
    doors::{Door, Doors},
    outcome::{self, Outcome},
    plain::{Access, FLEET, PlainRun},
    server::{AdmiralServer, PATIENCE, text},
    ssh_hosts::SshHosts,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// A project of the corpus.
struct Project {
    /// Its folder below `tests/playbooks/corpus`; its `README.md` says more.
    name: &'static str,
    /// What is special about it.
    shape: &'static str,
    /// Which of its playbooks are run, one after the other.
    entries: &'static [&'static str],
    /// On which hosts.
    hosts: &'static [&'static str],
    /// With which options.
    options: Options,
}

/// Options that a plain run and a deployment both know.
#[derive(Default, Clone, Copy)]
struct Options {
    tags: &'static [&'static str],
    skip_tags: &'static [&'static str],
    rehearse: bool,
}

impl Options {
    const NONE: Self = Self {
        tags: &[],
        skip_tags: &[],
        rehearse: false,
    };

    fn arguments(self) -> Vec<String> {
        let mut arguments = Vec::new();
        for (name, tags) in [("--tags", self.tags), ("--skip-tags", self.skip_tags)] {
            if !tags.is_empty() {
                arguments.push(format!("{name}={}", tags.join(",")));
            }
        }
        if self.rehearse {
            arguments.extend(["--check".to_owned(), "--diff".to_owned()]);
        }
        arguments
    }

    /// The rest of the controller is read-only to the run.
    fn json(self, writable: &Path) -> Value {
        json!({"writable_paths": [writable], "forks": 5, "accelerator": "none", "tags": self.tags, "skip_tags": self.skip_tags,
               "check": self.rehearse, "diff": self.rehearse})
    }
}

const fn project(
    name: &'static str,
    shape: &'static str,
    entries: &'static [&'static str],
    hosts: &'static [&'static str],
) -> Project {
    Project {
        name,
        shape,
        entries,
        hosts,
        options: Options::NONE,
    }
}

const SITE: &[&str] = &["site.yml"];
const ONE: &[&str] = &["web1"];
const PAIR: &[&str] = &["web1", "web2"];
const MIXED: &[&str] = &["web1", "db1"];
const ALL: &[&str] = &["web1", "web2", "db1"];

const ROLES_AND_PLUGINS: &[Project] = &[
    project("web-stack", "roles with dependencies", SITE, PAIR),
    project(
        "repeated-roles",
        "one role several times, argument specifications",
        &["deploy.yaml"],
        ONE,
    ),
    project(
        "collections-in-tree",
        "a collection in the tree, with a playbook",
        SITE,
        ONE,
    ),
    project("custom-modules", "modules in Python and in shell", &["main.yml"], ONE),
    project("plugin-garden", "filter, lookup, test and vars plugins", SITE, ONE),
    project(
        "actions-and-callbacks",
        "action, callback, strategy and connection plugins",
        SITE,
        ONE,
    ),
    project("own-ansible-cfg", "an ansible.cfg that matters", SITE, ONE),
    project(
        "playbooks-folder",
        "playbooks/ with roles at the root",
        &["playbooks/web.yml", "playbooks/database.yml"],
        MIXED,
    ),
    project(
        "role-repository",
        "the repository is a role, its playbook in tests/",
        &["tests/test.yml"],
        ONE,
    ),
    project(
        "galaxy-requirements",
        "a collection that requirements.yml asks for",
        SITE,
        ONE,
    ),
    project(
        "environment-and-become",
        "environment, module defaults, a become plugin",
        SITE,
        ONE,
    ),
];

const VARIABLES_AND_FILES: &[Project] = &[
    project(
        "layered-variables",
        "group_vars and host_vars beside the playbook",
        SITE,
        MIXED,
    ),
    project("variable-folders", "include_vars of folders, vars_files", SITE, ONE),
    project("vault-two-ids", "files and strings encrypted under two ids", SITE, ONE),
    project("jinja-heavy", "Jinja-heavy templates", SITE, ONE),
    project(
        "unicode-names",
        "unicode names, names with spaces",
        &["bücher und straße.yml"],
        ONE,
    ),
    project("windows-line-ends", "CR LF and a byte order mark", SITE, ONE),
    project(
        "file-zoo",
        "binary, empty, hidden, long-named and executable files",
        SITE,
        ONE,
    ),
    project("scripts", "the script module, programs of the project", SITE, ONE),
    project(
        "controller-lookups",
        "lookups that read and write beside the playbook",
        SITE,
        ONE,
    ),
    project("prompts", "vars_prompt with defaults", &["release.yml"], ONE),
    project(
        "several-entries",
        "several entry points",
        &["deploy.yml", "rollback.yml", "maintenance/backup.yaml"],
        MIXED,
    ),
];

const FLOW: &[Project] = &[
    project("dynamic-includes", "dynamic includes", SITE, MIXED),
    project("import-chain", "import_playbook over folders", SITE, MIXED),
    project(
        "delegation",
        "delegated and local actions, run_once, delegated facts",
        SITE,
        ALL,
    ),
    project(
        "rescue-and-always",
        "block, rescue, always, ignored and redefined failures",
        SITE,
        MIXED,
    ),
    project(
        "handler-chains",
        "handlers that listen, are flushed, and notify others",
        SITE,
        ONE,
    ),
    project("async-jobs", "async and poll", SITE, ONE),
    project("rolling-update", "serial and max_fail_percentage; it fails", SITE, ALL),
    project("free-strategy", "strategies free and host_pinned", SITE, PAIR),
    Project {
        options: Options {
            tags: &["packages", "config", "other"],
            skip_tags: &["slow"],
            ..Options::NONE
        },
        ..project("tags-and-skip", "tags, always and never", SITE, ONE)
    },
    Project {
        options: Options {
            rehearse: true,
            ..Options::NONE
        },
        ..project("check-mode", "check mode with differences", SITE, ONE)
    },
    project("dynamic-hosts", "add_host and group_by", SITE, MIXED),
];

const SIZE_AND_AGE: &[Project] = &[
    project("two-thousand-tasks", "2,000 tasks", SITE, ONE),
    project("sixty-plays", "a playbook with 60 plays", &["all.yml"], MIXED),
    project(
        "old-school",
        "key=value arguments and with_* loops",
        &["playbook.yml"],
        ONE,
    ),
    project("facts-and-discovery", "gathered, local and cached facts", SITE, MIXED),
    project("over-ssh", "files there and back over SSH", SITE, PAIR),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_and_plugins_run_as_plainly() {
    every_door_gives_the_plain_outcome(&ansible_bins()[0], ROLES_AND_PLUGINS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn variables_and_files_run_as_plainly() {
    every_door_gives_the_plain_outcome(ansible_bins().last().expect("at least one"), VARIABLES_AND_FILES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flow_control_runs_as_plainly() {
    every_door_gives_the_plain_outcome(&ansible_bins()[0], FLOW).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_and_old_projects_run_as_plainly() {
    every_door_gives_the_plain_outcome(ansible_bins().last().expect("at least one"), SIZE_AND_AGE).await;
}

#[test]
fn the_corpus_is_run_as_a_whole() {
    let parts = [ROLES_AND_PLUGINS, VARIABLES_AND_FILES, FLOW, SIZE_AND_AGE];
    let mut all: Vec<&str> = parts
        .iter()
        .flat_map(|part| part.iter())
        .map(|project| project.name)
        .collect();
    all.sort_unstable();
    let mut there: Vec<String> = std::fs::read_dir(corpus())
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    there.sort();
    assert_eq!(all, there);
    assert!(there.len() >= 25, "{}", there.len());
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/playbooks/corpus")
}

/// What a project's secrets are encrypted with, by vault id.
fn passwords(project: &str) -> BTreeMap<String, String> {
    let file = corpus().join(format!("{project}.passwords.json"));
    std::fs::read(file).map_or_else(|_| BTreeMap::new(), |text| serde_json::from_slice(&text).unwrap())
}

/// A deployment that was launched.
struct Launched {
    label: String,
    /// Which of the plain runs it should equal.
    plain: usize,
    id: String,
    output: PathBuf,
}

async fn every_door_gives_the_plain_outcome(ansible: &Path, projects: &'static [Project]) {
    let server = AdmiralServer::start_with(ansible).await;
    let hosts = SshHosts::start();
    let (access, servers, key) = register_fleet(&server, &hosts).await;

    for (id, password) in projects.iter().flat_map(|project| passwords(project.name)) {
        let password = json!({"vault_id": id, "password": password});
        server.post("/api/vault-passwords", password).await;
    }

    // The plain runs take their turn while the server is at work.
    let folder = server.folder.path().join("plain");
    let ansible = ansible.to_owned();
    let plain = tokio::task::spawn_blocking(move || run_plainly(&ansible, &folder, projects, &access));

    let mut doors = Doors {
        server: &server,
        hosts: &hosts,
        key,
        repositories: Vec::new(),
    };
    let (mut launched, mut wrong) = (Vec::new(), Vec::new());
    let mut digests: HashMap<&str, String> = HashMap::new();
    for door in Door::ALL {
        let mut plain = 0;
        for (index, project) in projects.iter().enumerate() {
            let source = corpus().join(project.name);
            let brought = doors.bring_in(door, &source, project.name, project.entries).await;
            let ids = match brought {
                Ok(ids) => ids,
                Err(reason) => {
                    wrong.push(format!("{} by {door:?}: {reason}", project.name));
                    plain += project.entries.len();
                    continue;
                }
            };
            // A run is made of a version alone. So the same files by another door run the same: one project shows it, and all are compared.
            let digest = doors.digest(&ids[0]).await;
            let is_same = digests.get(project.name) == Some(&digest);
            digests.entry(project.name).or_insert(digest);
            if is_same && index > 0 {
                plain += project.entries.len();
                continue;
            }
            for (entry, playbook) in project.entries.iter().zip(ids) {
                let label = format!("{} ({}), {entry} by {door:?}", project.name, project.shape);
                let output = server.folder.path().join(format!("{door:?}-{plain}"));
                std::fs::create_dir(&output).unwrap();
                // As root, runs have accounts of their own.
                std::fs::set_permissions(&output, std::fs::Permissions::from_mode(0o777)).unwrap();
                let wanted: Vec<&str> = project
                    .hosts
                    .iter()
                    .map(|host| servers[*host].as_str().unwrap())
                    .collect();
                let body = json!({"name": label, "playbook": playbook, "server_ids": wanted,
                                  "variables": {"output_dir": output}, "options": project.options.json(&output),
                                  "acknowledge": true});
                let (status, answer) = server.request(Method::POST, "/api/deployments", Some(&body)).await;
                if status == StatusCode::CREATED {
                    launched.push(Launched {
                        label,
                        plain,
                        id: text(&answer, "id"),
                        output,
                    });
                } else {
                    wrong.push(format!("{label}: {answer}"));
                }
                plain += 1;
            }
        }
    }
    let mut outcomes = Vec::new();
    for launched in launched {
        let ended = wait_for_end(&server, &launched.id).await;
        let outcome = outcome::of_deployment(&server, &ended, &launched.output).await;
        outcomes.push((launched, outcome, ended["warnings"].clone()));
    }
    let plain = plain.await.unwrap();
    for (launched, outcome, warnings) in outcomes {
        let differences = outcome.differences(&plain[launched.plain]);
        wrong.extend(
            differences
                .into_iter()
                .map(|difference| format!("{}: {difference}", launched.label)),
        );
        if warnings != json!([]) {
            wrong.push(format!("{}: warnings {warnings}", launched.label));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Waits for as long as something happens: two thousand tasks take their time on a busy machine.
async fn wait_for_end(server: &AdmiralServer, id: &str) -> Value {
    let (mut last, mut deadline) = (Value::Null, Instant::now() + PATIENCE);
    loop {
        let deployment = server.get(&format!("/api/deployments/{id}")).await;
        if !deployment["finished_at"].is_null() {
            return deployment;
        }
        if deployment != last {
            (last, deadline) = (deployment, Instant::now() + PATIENCE);
        }
        assert!(Instant::now() < deadline, "nothing happens any more: {last}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn run_plainly(ansible: &Path, folder: &Path, projects: &[Project], ssh: &Access) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for project in projects {
        let mut arguments = project.options.arguments();
        for (id, password) in passwords(project.name) {
            let file = folder.with_file_name(format!("{id}.password"));
            std::fs::write(&file, password).unwrap();
            arguments.push(format!("--vault-id={id}@{}", file.display()));
        }
        for entry in project.entries {
            let outcome = PlainRun {
                ansible,
                project: &corpus().join(project.name),
                folder: &folder.join(outcomes.len().to_string()),
                entry,
                hosts: project.hosts,
                arguments: &arguments,
                ssh,
            }
            .run();
            assert!(!outcome.results.is_empty(), "{} did nothing", project.name);
            outcomes.push(outcome);
        }
    }
    outcomes
}

/// Registers the fleet; gives how it is reached, the id of each server by name, and that of their key.
async fn register_fleet(server: &AdmiralServer, hosts: &SshHosts) -> (Access, Value, String) {
    let key = server.folder.path().join("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .status();
    assert!(made.unwrap().success());
    hosts.authorize(&std::fs::read_to_string(key.with_extension("pub")).unwrap());
    let private = std::fs::read_to_string(&key).unwrap();
    let stored = server
        .post("/api/keys", json!({"name": "fleet", "private_key": private}))
        .await;
    let mut servers = json!({});
    for (number, (name, tags)) in FLEET.iter().enumerate() {
        let (address, key) = (SshHosts::address(number + 1), text(&stored, "id"));
        servers[name] = json!(
            server
                .add_server(name, &address, hosts.port, &hosts.user, &key, tags)
                .await
        );
    }
    let access = Access { port: hosts.port, key };
    (access, servers, text(&stored, "id"))
}
