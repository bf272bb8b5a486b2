//! The plain `ansible-playbook`, as somebody runs it in a shell: what Admiral's runs are compared with.

use super::{
    outcome::{Outcome, Results, without_project, written},
    ssh_hosts::{SshHosts, whoami},
};
use crate::parity::read_recap;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Writes down what a plain run's tasks do.
const RESULTS_PLUGIN: &str = include_str!("corpus_results.py");

/// The fleet that the corpus is run on: each host with its tags.
pub const FLEET: [(&str, &[&str]); 3] = [("web1", &["web"]), ("web2", &["web"]), ("db1", &["db"])];

/// Whatever a plain run is told.
#[derive(Debug)]
pub struct PlainRun<'a> {
    /// The `bin` folder of the Ansible to run.
    pub ansible: &'a Path,
    /// The project, as it is in the corpus.
    pub project: &'a Path,
    /// Where it is copied to, and what it writes.
    pub folder: &'a Path,
    /// The playbook, relative to the project.
    pub entry: &'a str,
    /// Names of the hosts.
    pub hosts: &'a [&'a str],
    /// More arguments.
    pub arguments: &'a [String],
    /// How hosts are reached that are not `connection: local`.
    pub ssh: &'a Access,
}

/// How hosts are reached.
#[derive(Debug, Clone)]
pub struct Access {
    /// The daemon's port.
    pub port: u16,
    /// The private key's file.
    pub key: PathBuf,
}

impl PlainRun<'_> {
    /// Runs it to its end.
    pub fn run(&self) -> Outcome {
        let (project, output) = (self.folder.join("project"), self.folder.join("out"));
        fs::create_dir_all(&output).expect("the folder is ours");
        copy(self.project, &project);
        let inventory = self.folder.join("inventory.json");
        fs::write(&inventory, self.inventory().to_string()).expect("the folder is ours");
        if project.join("collections/requirements.yml").exists() {
            let requirements = [
                "collection",
                "install",
                "-r",
                "collections/requirements.yml",
                "-p",
                "collections",
            ];
            let installed = self
                .command("ansible-galaxy", &project)
                .args(requirements)
                .output()
                .expect("it starts");
            assert!(
                installed.status.success(),
                "{}",
                String::from_utf8_lossy(&installed.stderr)
            );
        }
        let plugins = project.join(self.entry).with_file_name("callback_plugins");
        fs::create_dir_all(&plugins).expect("the folder is ours");
        fs::write(plugins.join("corpus_results.py"), RESULTS_PLUGIN).expect("the folder is ours");
        let results = self.folder.join("results.jsonl");
        let ran = self
            .command("ansible-playbook", &project)
            .env("CORPUS_RESULTS", &results)
            .arg("--inventory")
            .arg(&inventory)
            .arg("--extra-vars")
            .arg(json!({ "output_dir": output }).to_string())
            .args(self.arguments)
            .arg(self.entry)
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(
            said.contains("PLAY RECAP"),
            "{}: {said}\n{}",
            self.project.display(),
            String::from_utf8_lossy(&ran.stderr)
        );
        Outcome {
            status: match ran.status.code() {
                Some(0) => "completed".to_owned(),
                Some(2) => "failed: hosts_failed".to_owned(),
                Some(4) => "failed: hosts_unreachable".to_owned(),
                other => format!("ended with {other:?}: {said}"),
            },
            recap: read_recap(&said),
            results: read_results(&results),
            written: written(&output),
        }
    }

    fn command(&self, program: &str, project: &Path) -> Command {
        let mut command = Command::new(self.ansible.join(program));
        command
            .current_dir(project)
            .env_clear()
            .env("HOME", std::env::home_dir().expect("there is a home"))
            .env("LANG", "C.UTF-8")
            .env(
                "PATH",
                format!("{}:/usr/local/bin:/usr/bin:/bin", self.ansible.display()),
            )
            .stdin(Stdio::null());
        command
    }

    /// What Admiral's inventory says about the same hosts.
    fn inventory(&self) -> Value {
        let mut inventory = json!({ "all": { "hosts": {}, "children": {} } });
        for (number, (host, tags)) in FLEET.iter().enumerate() {
            if !self.hosts.contains(host) {
                continue;
            }
            inventory["all"]["hosts"][host] = json!({
                "ansible_host": SshHosts::address(number + 1), "ansible_port": self.ssh.port, "ansible_user": whoami(),
                "ansible_ssh_private_key_file": self.ssh.key, "ansible_python_interpreter": "/usr/bin/python3",
                "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
            });
            for tag in *tags {
                for group in [(*tag).to_owned(), format!("tag_{tag}")] {
                    inventory["all"]["children"][group]["hosts"][host] = Value::Null;
                }
            }
        }
        inventory
    }
}

fn read_results(file: &Path) -> Results {
    let mut results = Results::new();
    for line in fs::read_to_string(file).unwrap_or_default().lines() {
        let line: Value = serde_json::from_str(line).expect("the plugin writes JSON");
        let field = |name: &str| line[name].as_str().expect("the plugin writes all fields").to_owned();
        let status = match (field("status"), line["changed"] == true) {
            (status, true) if status == "ok" => "changed".to_owned(),
            (status, _) => status,
        };
        results
            .entry(field("host"))
            .or_default()
            .push((without_project(&field("task")), status));
    }
    results
}

/// Copies a folder with the modes that are in it.
pub fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp")
        .arg("-r")
        .arg("--preserve=mode")
        .arg(from)
        .arg(to)
        .status();
    assert!(copied.expect("cp runs").success());
}
