//! Runs through Mitogen: over real SSH, with what Ansible would have done without it, and refused where it cannot.

use crate::{
    parity::counters_equal_the_recap,
    support::{
        ansible::ansible_bins,
        launchpad::{Launchpad, real_ansible_playbook},
        processes,
        server::{AdmiralServer, PATIENCE, text},
        ssh_hosts::SshHosts,
        stage::Stage,
    },
};
use admiral::domain::deployment::{Accelerator, DeploymentStatus, Reason};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::{path::Path, process::Command, time::Instant};

/// A fleet of `count` real SSH hosts on a server with this Ansible.
async fn fleet(ansible: &Path, count: usize) -> (SshHosts, AdmiralServer) {
    let hosts = SshHosts::start();
    let server = AdmiralServer::start_with(ansible).await;
    let (key, public_key) = server.generate_key("fleet").await;
    hosts.authorize(&public_key);
    for n in 0..count {
        let address = SshHosts::address(n);
        server
            .add_server(&format!("host{n:02}"), &address, hosts.port, &hosts.user, &key, &[])
            .await;
    }
    (hosts, server)
}

async fn launch(server: &AdmiralServer, playbook: &str, options: Value) -> String {
    let deployment = server
        .post(
            "/api/deployments",
            json!({"playbook": playbook, "all": true, "options": options}),
        )
        .await;
    text(&deployment, "id")
}

fn counters(rows: &[Value]) -> Vec<(String, Vec<i64>)> {
    let names = [
        "ok",
        "changed_count",
        "failed",
        "skipped",
        "rescued",
        "ignored",
        "unreachable",
    ];
    rows.iter()
        .map(|row| {
            let counts = names.iter().map(|name| row[*name].as_i64().unwrap()).collect();
            (text(row, "host"), counts)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_are_the_same_with_and_without() {
    let newest = &ansible_bins()[0];
    let stock = counters_equal_the_recap(newest, "none").await;
    let accelerated = counters_equal_the_recap(newest, "mitogen").await;
    for (case, recap) in &stock {
        assert_eq!(recap, &accelerated[case], "{case}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_equal_the_recap_of_the_oldest_ansible() {
    counters_equal_the_recap(ansible_bins().last().expect("at least one"), "mitogen").await;
}

/// What a playbook does in earnest, with a word that nobody may see and a module that is deprecated.
const WORK: &str = r#"
# Everything at once.
#
# admiral:
#   accelerator: mitogen
- name: Work in earnest
  hosts: all
  tasks:
    - name: Who runs this
      ansible.builtin.shell: cat /proc/$PPID/cmdline | tr '\0' ' '
      register: parent
    - name: Says it
      ansible.builtin.debug: { msg: "parent={{ parent.stdout }}" }
    - name: A module of its own, which is deprecated
      old_ways:
    - name: Keeps a secret
      ansible.builtin.command: echo the-{{ 'can' + 'ary' }}-{{ 40 + 2 }}
      no_log: true
    - name: A file
      ansible.builtin.template: { src: greeting.j2, dest: "{{ work }}/{{ inventory_hostname }}", mode: "0640" }
      notify: Handled
    - name: The same file again
      ansible.builtin.template: { src: greeting.j2, dest: "{{ work }}/{{ inventory_hostname }}", mode: "0640" }
    - name: Skipped
      ansible.builtin.command: "false"
      when: false
    - name: Items
      ansible.builtin.command: "echo {{ item }}"
      loop: [one, two]
    - name: Elsewhere
      ansible.builtin.command: echo elsewhere
      delegate_to: "{{ groups.all | last }}"
    - name: On the controller
      ansible.builtin.command: echo here
      delegate_to: localhost
    - name: Waits for a job
      ansible.builtin.command: echo done
      async: 60
      poll: 1
    - name: Starts a job
      ansible.builtin.command: echo started
      async: 60
      poll: 0
      register: job
    - name: Collects it
      ansible.builtin.async_status: { jid: "{{ job.ansible_job_id }}" }
      register: collected
      until: collected is finished
      retries: 60
      delay: 1
    - name: Connects anew
      ansible.builtin.meta: reset_connection
    - name: Fails
      ansible.builtin.command: sh -c 'echo no luck >&2; exit 3'
      ignore_errors: true
    - block:
        - name: Fails too
          ansible.builtin.command: "false"
      rescue:
        - name: Rescues
          ansible.builtin.command: "true"
  handlers:
    - name: Handled
      ansible.builtin.command: "true"
- name: Each at its own pace
  hosts: all
  strategy: free
  gather_facts: false
  tasks:
    - name: Who runs this, freely
      ansible.builtin.shell: cat /proc/$PPID/cmdline | tr '\0' ' '
      register: parent
    - name: Says it, freely
      ansible.builtin.debug: { msg: "freely={{ parent.stdout }}" }
- name: Without
  hosts: all
  strategy: ansible.builtin.linear
  gather_facts: false
  tasks:
    - name: Who runs this, unaccelerated
      ansible.builtin.shell: cat /proc/$PPID/cmdline | tr '\0' ' '
      register: parent
    - name: Says it, unaccelerated
      ansible.builtin.debug: { msg: "without={{ parent.stdout }}" }
- name: Over a connection that Mitogen does not know
  hosts: all
  connection: own_way
  gather_facts: false
  tasks:
    - name: Who runs this, over it
      ansible.builtin.shell: cat /proc/$PPID/cmdline | tr '\0' ' '
      register: parent
    - name: Says it, over it
      ansible.builtin.debug: { msg: "foreign={{ parent.stdout }}" }
"#;

const OWN_WAY: &str = r#"
DOCUMENTATION = """
name: own_way
short_description: As local, under another name
description: As local, under another name.
author: tests
options: {}
"""
from ansible.plugins.connection.local import Connection as Local


class Connection(Local):
    transport = "own_way"
"#;

const OLD_WAYS: &str = r#"#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule(argument_spec={})
module.deprecate("these ways are old", version="9.9", collection_name="mine.own")
module.exit_json(changed=False)
"#;

async fn work_in_earnest(ansible: &Path) {
    let (_hosts, server) = fleet(ansible, 3).await;
    let playbook = server.add_playbook("work", WORK);
    let beside = server.folder.path().join("playbooks/work");
    std::fs::create_dir_all(beside.join("library")).unwrap();
    std::fs::write(beside.join("library/old_ways.py"), OLD_WAYS).unwrap();
    std::fs::create_dir(beside.join("connection_plugins")).unwrap();
    std::fs::write(beside.join("connection_plugins/own_way.py"), OWN_WAY).unwrap();
    std::fs::create_dir(beside.join("templates")).unwrap();
    std::fs::write(beside.join("templates/greeting.j2"), "hello {{ inventory_hostname }}\n").unwrap();

    let listed = server.get("/api/playbooks?search=work").await;
    assert_eq!(listed["data"][0]["outline"]["accelerator"], "mitogen", "{listed}");
    let mut seen = Vec::new();
    for accelerator in [Value::Null, json!("none")] {
        let work = tempfile::tempdir().unwrap();
        let body = json!({"playbook": playbook, "all": true, "variables": {"work": work.path()},
                          "options": {"accelerator": accelerator}});
        let launched = server.post("/api/deployments", body).await;
        let id = text(&launched, "id");
        let deployment = server.wait_for_end(&id).await;
        let output = server.output(&id).await;
        assert_eq!(deployment["status"], "completed", "{deployment}\n{output}");
        let frozen = if accelerator.is_null() { "mitogen" } else { "none" };
        assert_eq!(deployment["options"]["accelerator"], frozen);
        assert_eq!(
            std::fs::read_to_string(work.path().join("host01")).unwrap(),
            "hello host01\n"
        );
        // Mitogen's interpreter runs modules in itself, and says so in its name.
        let accelerated = accelerator.is_null();
        for (label, expected) in [
            ("parent", accelerated),
            ("freely", accelerated),
            ("without", false),
            ("foreign", false),
        ] {
            let lines: Vec<&str> = output
                .lines()
                .filter(|line| line.contains(&format!("\"{label}=")))
                .collect();
            assert_eq!(lines.len(), 3, "{label}: {output}");
            assert!(
                lines.iter().all(|line| line.contains("(mitogen:") == expected),
                "{label}: {lines:?}"
            );
        }
        // The playbook's own deprecations are shown, Mitogen's are not.
        assert!(output.contains("these ways are old"), "{output}");
        assert!(!output.contains("strategy plugins"), "{output}");
        assert!(!output.contains("_loader"), "{output}");
        assert!(!output.contains("the-canary-42"), "{output}");
        let events = server.get(&format!("/api/deployments/{id}/events?limit=5000")).await;
        assert!(!events.to_string().contains("the-canary-42"));
        seen.push(counters(&server.rows(&id).await));
    }
    assert_eq!(seen[0], seen[1], "with Mitogen and without");
    let servers = server.get("/api/servers").await;
    for known in servers["data"].as_array().unwrap() {
        assert_eq!(known["host_keys"].as_array().map(Vec::len), Some(1), "{known}");
    }
    assert_nothing_is_left(&server).await;
}

/// No process of a run, wherever it went.
async fn assert_nothing_is_left(server: &AdmiralServer) {
    let runs = server.folder.path().join("data/runs");
    let needle = runs.to_string_lossy().into_owned();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = processes::mentioning(&needle);
        if left.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "still there: {left:?}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_playbook_in_earnest_with_the_newest_ansible() {
    work_in_earnest(&ansible_bins()[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_playbook_in_earnest_with_the_oldest_ansible() {
    work_in_earnest(ansible_bins().last().expect("at least one")).await;
}

const CHECKED: &str = r#"
- hosts: all
  gather_facts: false
  tasks:
    - name: Would write
      ansible.builtin.copy: { content: "hello\n", dest: "{{ work }}/{{ inventory_hostname }}" }
    - name: Cannot be predicted
      ansible.builtin.command: touch {{ work }}/touched
    - name: Becomes what Mitogen does not know
      ansible.builtin.command: "true"
      become: true
      become_method: "{{ method }}"
      become_user: nobody
      check_mode: false
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_mode_changes_nothing_and_what_only_shows_at_run_time_is_said() {
    let (_hosts, server) = fleet(&ansible_bins()[0], 1).await;
    let playbook = server.add_playbook("checked", CHECKED);
    let work = tempfile::tempdir().unwrap();
    let body = json!({"playbook": playbook, "all": true,
                      "variables": {"work": work.path(), "method": "runas"},
                      "options": {"accelerator": "mitogen", "check": true, "diff": true}});
    let launched = server.post("/api/deployments", body).await;
    let id = text(&launched, "id");
    let deployment = server.wait_for_end(&id).await;
    let rows = server.rows(&id).await;
    let output = server.output(&id).await;
    assert_eq!(deployment["reason"], "hosts_failed", "{output}");
    assert!(output.contains("+hello"), "{output}");
    assert_eq!(rows[0]["skipped"], 1, "{output}");
    assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 0);
    let message = text(&rows[0], "error_message");
    assert!(
        message.contains("Mitogen has no way to connect or to become another user with 'runas'"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_host_key_is_refused_through_mitogen_as_well() {
    let (mut hosts, server) = fleet(&ansible_bins()[0], 1).await;
    let options = json!({"accelerator": "mitogen"});
    let id = launch(&server, "builtin/ping.yml", options.clone()).await;
    let deployment = server.wait_for_end(&id).await;
    assert_eq!(deployment["status"], "completed", "{}", server.output(&id).await);
    let trusted = server.get("/api/servers").await["data"][0]["host_keys"].clone();
    assert_eq!(trusted.as_array().map(Vec::len), Some(1), "{trusted}");

    hosts.replace_host_key();
    let id = launch(&server, "builtin/ping.yml", options).await;
    let deployment = server.wait_for_end(&id).await;
    assert_eq!(deployment["reason"], "hosts_unreachable", "{deployment}");
    let message = text(&server.rows(&id).await[0], "error_message");
    assert!(message.contains("the SSH host key of host00 changed"), "{message}");
    assert_eq!(server.get("/api/servers").await["data"][0]["host_keys"], trusted);
    assert_nothing_is_left(&server).await;
}

const STUBBORN: &str = r#"
- name: Work that does not want to end
  hosts: all
  gather_facts: false
  tasks:
    - name: Ignore the polite signal and sleep
      ansible.builtin.shell: "trap '' TERM; sleep 611"
      args: { executable: /bin/bash }
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_ends_mitogens_processes() {
    const HOSTS: usize = 5;
    let (_hosts, server) = fleet(&ansible_bins()[0], HOSTS).await;
    let playbook = server.add_playbook("stubborn", STUBBORN);
    let id = launch(&server, &playbook, json!({"accelerator": "mitogen"})).await;
    let data = server.folder.path().join("data");
    let deadline = Instant::now() + PATIENCE;
    let started = loop {
        let sleeping = processes::all()
            .values()
            .filter(|process| process.command.starts_with("sleep 611"))
            .count();
        if let ([supervisor], true) = (&processes::supervisors(&data)[..], sleeping >= HOSTS) {
            break processes::tree(*supervisor);
        }
        assert!(Instant::now() < deadline, "{}", server.output(&id).await);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    let run = std::fs::read_dir(data.join("runs")).unwrap().next().unwrap().unwrap();
    let spec: Value = serde_json::from_slice(&std::fs::read(run.path().join("spec.json")).unwrap()).unwrap();
    let secrets = text(&spec, "secrets_folder");
    let sockets = std::fs::read_dir(run.path().join("work/sockets"))
        .unwrap()
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            name.to_string_lossy().starts_with("mitogen-")
        });
    assert_eq!(
        sockets.count(),
        1,
        "Mitogen's socket is where the supervisor removes it: {:?}",
        std::process::Command::new("find")
            .arg(run.path().join("work/sockets"))
            .output()
    );

    let (status, _) = server
        .request(Method::POST, &format!("/api/deployments/{id}/cancel"), Some(&json!({})))
        .await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let deployment = server.wait_for_end(&id).await;
    assert_eq!(deployment["status"], "cancelled", "{deployment}");
    let all = processes::all();
    let left: Vec<_> = started.iter().filter_map(|pid| all.get(pid)).collect();
    assert!(left.is_empty(), "still there: {left:?}");
    for row in server.rows(&id).await {
        assert_eq!(row["status"], "cancelled", "{row}");
    }
    assert!(!Path::new(&secrets).exists(), "{secrets} is left");
    assert_nothing_is_left(&server).await;
    // What still sleeps belongs to the hosts: a command that already executes remotely goes on.
    Command::new("pkill").args(["-KILL", "-f", "^sleep 611"]).status().ok();
}

fn refusal(answer: &Value) -> String {
    let errors = answer["errors"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(errors.len(), 1, "{answer}");
    format!("{}: {}", text(&errors[0], "field"), text(&errors[0], "message"))
}

const PLAIN: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n";

#[tokio::test]
async fn what_mitogen_cannot_do_is_refused_at_launch() {
    let pad = Launchpad::with_real_ansible().await;
    pad.add_server("web1", &[], "active", true).await;
    pad.write_playbook("plain.yml", PLAIN);
    pad.write_playbook("asks.yml", &format!("# admiral:\n#   accelerator: mitogen\n{PLAIN}"));
    pad.write_playbook(
        "debug.yml",
        &PLAIN.replace("hosts: all", "hosts: all\n  strategy: debug"),
    );
    pad.write_playbook(
        "asks-debug.yml",
        &format!(
            "# admiral:\n#   accelerator: mitogen\n{}",
            PLAIN.replace("hosts: all", "hosts: all\n  strategy: debug")
        ),
    );
    pad.write_playbook(
        "becomes.yml",
        &PLAIN.replace("hosts: all", "hosts: all\n  become: true\n  become_method: runas"),
    );
    let body = |playbook: &str, accelerator: Option<&str>| json!({"playbook": format!("project/{playbook}"), "all": true, "options": {"accelerator": accelerator}});
    for (playbook, accelerator, frozen) in [
        ("plain.yml", None, "none"),
        ("plain.yml", Some("mitogen"), "mitogen"),
        ("asks.yml", None, "mitogen"),
        ("asks.yml", Some("none"), "none"),
        ("asks-debug.yml", Some("none"), "none"),
    ] {
        let deployment = pad.launch(body(playbook, accelerator)).await;
        assert_eq!(
            deployment["options"]["accelerator"], frozen,
            "{playbook} {accelerator:?}"
        );
    }
    for (playbook, accelerator, expected) in [
        ("debug.yml", Some("mitogen"), "has the strategy debug"),
        ("becomes.yml", Some("mitogen"), "becomes another user with runas"),
        (
            "asks-debug.yml",
            None,
            "launch with the accelerator none to run it without",
        ),
    ] {
        let (status, answer) = pad
            .call("POST", "/api/deployments", Some(body(playbook, accelerator)))
            .await;
        assert_eq!(status, 422, "{answer}");
        let refusal = refusal(&answer);
        assert!(
            refusal.starts_with("options.accelerator: mitogen cannot do this: ") && refusal.contains(expected),
            "{refusal}"
        );
    }
    // What a server says counts where somebody becomes another user.
    pad.execute("UPDATE admiral.servers SET metadata = '{\"ansible_become_method\": \"machinectl\"}'")
        .await;
    let mut becoming = body("plain.yml", Some("mitogen"));
    becoming["options"]["become"] = json!(true);
    let (status, answer) = pad.call("POST", "/api/deployments", Some(becoming)).await;
    assert_eq!(status, 422, "{answer}");
    assert!(
        refusal(&answer).contains("web1 becomes another user with machinectl"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_retry_keeps_the_accelerator_and_is_judged_anew() {
    let pad = Launchpad::with_real_ansible().await;
    pad.add_server("web1", &[], "active", true).await;
    pad.write_playbook("plain.yml", PLAIN);
    let body = json!({"playbook": "project/plain.yml", "all": true,
                      "options": {"accelerator": "mitogen", "priority": 7, "allow_overlap": true}});
    let id = text(&pad.launch(body).await, "id");
    pad.execute("UPDATE admiral.deployment_servers SET status = 'failed'")
        .await;
    pad.execute("UPDATE admiral.deployments SET status = 'failed', finished_at = now()")
        .await;
    let (status, again) = pad.call("POST", &format!("/api/deployments/{id}/retry"), None).await;
    assert_eq!(status, 201, "{again}");
    for (option, expected) in [
        ("accelerator", json!("mitogen")),
        ("priority", json!(7)),
        ("allow_overlap", json!(true)),
    ] {
        assert_eq!(again["options"][option], expected, "{option}");
    }
    pad.execute(
        "UPDATE admiral.servers SET metadata = '{\"ansible_become_method\": \"machinectl\", \"ansible_become\": true}'",
    )
    .await;
    let (status, answer) = pad.call("POST", &format!("/api/deployments/{id}/retry"), None).await;
    assert_eq!(status, 422, "{answer}");
    assert!(refusal(&answer).starts_with("options.accelerator: "), "{answer}");
}

/// Says of itself that it is run by a Python of the system, which has no Mitogen.
fn ansible_run_by(python: &str, version: &str) -> String {
    format!(
        "case \"$1\" in --version) echo 'ansible-playbook [core {version}]'; echo '  python version = 3.11.2 (main) [GCC] ({python})';; \
         *) exec '{}' \"$@\" ;; esac",
        real_ansible_playbook().display()
    )
}

#[tokio::test]
async fn mitogen_has_to_be_there_and_to_fit() {
    let real = real_ansible_playbook();
    let with_mitogen = real.with_file_name("python").display().to_string();
    for (python, version, expected) in [
        (
            "/usr/bin/python3",
            "2.19.14",
            "Mitogen is not installed for the Ansible at",
        ),
        (
            with_mitogen.as_str(),
            "2.99.0",
            "is not known to work with ansible-core 2.99.0",
        ),
    ] {
        let pad = Launchpad::with_ansible(&ansible_run_by(python, version)).await;
        pad.add_server("web1", &[], "active", true).await;
        pad.write_playbook("plain.yml", PLAIN);
        let body = |accelerator| json!({"playbook": "project/plain.yml", "all": true, "options": {"accelerator": accelerator}});
        let (status, answer) = pad.call("POST", "/api/deployments", Some(body("mitogen"))).await;
        assert_eq!(status, 422, "{answer}");
        let refusal = refusal(&answer);
        assert!(
            refusal.starts_with("options.accelerator: ") && refusal.contains(expected),
            "{refusal}"
        );
        pad.launch(body("none")).await;
    }
}

#[tokio::test]
async fn a_worker_without_mitogen_says_so() {
    // The stand-in for `ansible-playbook` names no Python when it is asked for its version.
    let stage = Stage::set().await;
    let launched = crate::support::fleet::launch(&stage.test.database, &["web1"], "exit 0", |new| {
        new.options.accelerator = Some(Accelerator::Mitogen);
    })
    .await;
    let worker = stage.worker();
    let (deployment, _) = stage.until_end(launched).await;
    worker.end().await;
    assert_eq!(deployment.status, DeploymentStatus::Failed);
    assert_eq!(deployment.reason, Some(Reason::LaunchError));
    let message = deployment.message.unwrap_or_default();
    assert!(
        message.contains("failed to accelerate the run") && message.contains("does not say which Python runs it"),
        "{message}"
    );
}

#[tokio::test]
async fn front_matter_that_cannot_be_read_is_that_playbooks_error() {
    let pad = Launchpad::new().await;
    pad.add_server("web1", &[], "active", true).await;
    pad.write_playbook("good.yml", PLAIN);
    pad.write_playbook(
        "bad.yml",
        &format!("# Fast.\n# admiral:\n#   accelerator: warp\n{PLAIN}"),
    );
    let (_, list) = pad.call("GET", "/api/playbooks?origin=project", None).await;
    let playbooks = list["data"].as_array().unwrap();
    assert_eq!(playbooks.len(), 2, "{list}");
    assert_eq!(playbooks[0]["outline"]["description"], "Fast.");
    let error = text(&playbooks[0]["outline"], "error");
    assert!(error.contains("warp") && error.contains("line 3"), "{error}");
    assert_eq!(playbooks[1]["outline"]["error"], Value::Null);
    let body = json!({"playbook": "project/bad.yml", "all": true});
    let (status, answer) = pad.call("POST", "/api/deployments", Some(body)).await;
    assert_eq!(status, 422, "{answer}");
    assert!(refusal(&answer).starts_with("playbook: the front matter"), "{answer}");
}
