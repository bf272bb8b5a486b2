//! A project's own `ansible.cfg` holds, but for what Admiral must own.

use crate::support::{
    ansible::ansible_bins,
    launchpad::Launchpad,
    server::{AdmiralServer, text},
    ssh_hosts::SshHosts,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

const CONFIGURATION: &str = "\
[defaults]
inventory = inventory/hosts.ini ; the team's own
roles_path = ./our-roles
library = ./our-modules
filter_plugins: ./our-filters
callback_plugins = ./our-callbacks
callbacks_enabled = counting
stdout_callback = lines
private_key_file = ~/.ssh/id_of_nobody
host_key_checking = False
retry_files_enabled = False
log_path = ./ansible.log
FORKS = 3
timeout = 7
gathering = explicit
hash_behaviour = merge
force_valid_group_names = always
interpreter_python = auto_silent
fact_caching = jsonfile
fact_caching_connection = ./.facts
remote_user = deploy
remote_tmp = /tmp/.ours-${USER}
vars_plugins_enabled =
  host_group_vars
jinja2_extensions = jinja2.ext.do

[privilege_escalation]
become = False
become_user = admin
become_method = su
become_ask_pass = True

[inventory]
enable_plugins = yaml, ini, auto

[ssh_connection]
ssh_args = -o ControlMaster=auto -o ProxyJump=bastion
control_path = %(directory)s/%%h-%%r
pipelining = False
retries = 3

[diff]
always = True
";

/// Prints what holds: of Ansible's own settings, and of everything that is found by them.
const PLAYBOOK: &str = r#"
- name: Everything of the project's
  hosts: all
  connection: local
  vars:
    merged: { b: 2 }
    settings:
      [DEFAULT_TIMEOUT, DEFAULT_GATHERING, DEFAULT_HASH_BEHAVIOUR, DEFAULT_REMOTE_USER, DEFAULT_BECOME, DEFAULT_BECOME_USER,
       DEFAULT_BECOME_METHOD, CACHE_PLUGIN, DIFF_ALWAYS, VARIABLE_PLUGINS_ENABLED, DEFAULT_JINJA2_EXTENSIONS, INTERPRETER_PYTHON,
       DEFAULT_STDOUT_CALLBACK, RETRY_FILES_ENABLED, DEFAULT_STRATEGY, DEFAULT_TRANSPORT, TRANSFORM_INVALID_GROUP_CHARS]
  roles: [greeting]
  tasks:
    - name: What holds
      ansible.builtin.debug:
        msg: "{{ item }} is {{ lookup('ansible.builtin.config', item) }}"
      loop: '{{ settings }}'
      run_once: true
    - name: Variables of groups
      ansible.builtin.debug: { msg: '{{ from_group }} {{ merged }}' }
    - name: Facts are kept in the project
      ansible.builtin.set_fact: { kept: '{{ inventory_hostname }}', cacheable: true }
    - name: The files are there
      ansible.builtin.debug: { msg: "{{ query('fileglob', playbook_dir ~ '/.facts/*') | length }}" }
"#;

const MODULE: &str = "#!/usr/bin/python3\nfrom ansible.module_utils.basic import AnsibleModule\n\
    module = AnsibleModule(argument_spec={'name': {}})\nmodule.exit_json(changed=True, msg='hello ' + module.params['name'])\n";
const FILTER: &str =
    "class FilterModule:\n    def filters(self):\n        return {'loudly': lambda text: text.upper()}\n";
const LINES: &str = r"
DOCUMENTATION = 'name: lines\ntype: stdout\nshort_description: lines\ndescription: lines\n'
from ansible.plugins.callback import CallbackBase
class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'stdout'
    CALLBACK_NAME = 'lines'
    def v2_runner_on_ok(self, result):
        found = result._result.get('msg', result._result.get('ansible_facts'))
        if 'results' in result._result:
            found = [item.get('msg') for item in result._result['results']]
        self._display.display('LINE %s %s %s' % (result._host.get_name(), result._task.get_name(), found))
    def v2_playbook_on_stats(self, stats):
        for host in sorted(stats.processed):
            self._display.display('LINE %s %s' % (host, sorted(stats.summarize(host).items())))
";
const COUNTING: &str = r"
DOCUMENTATION = 'name: counting\ntype: notification\nshort_description: counts\ndescription: counts\n'
from ansible.plugins.callback import CallbackBase
class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'notification'
    CALLBACK_NAME = 'counting'
    CALLBACK_NEEDS_ENABLED = True
    tasks = 0
    def v2_playbook_on_task_start(self, task, is_conditional):
        self.tasks += 1
    def v2_playbook_on_stats(self, stats):
        self._display.display('LINE counted %d' % self.tasks)
";

fn write(folder: &Path, path: &str, content: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, content).expect("a file");
}

fn write_project(folder: &Path) {
    for (path, content) in [
        ("ansible.cfg", CONFIGURATION),
        ("site.yml", PLAYBOOK),
        ("our-modules/greet.py", MODULE),
        ("our-filters/loud.py", FILTER),
        ("our-callbacks/lines.py", LINES),
        ("our-callbacks/counting.py", COUNTING),
        (
            "our-roles/greeting/tasks/main.yml",
            "- name: Greet\n  greet: { name: \"{{ inventory_hostname | loudly }}\" }\n",
        ),
        ("group_vars/all.yml", "from_group: found\nmerged: { a: 1 }\n"),
        (
            "inventory/hosts.ini",
            "h1 ansible_python_interpreter=/usr/bin/python3\nh2 ansible_python_interpreter=/usr/bin/python3\n",
        ),
    ] {
        write(folder, path, content);
    }
}

/// The lines that the project's own callbacks print, without what tells of the folder the project lies in.
fn lines(output: &str) -> Vec<String> {
    let mut lines: Vec<String> = output
        .lines()
        .filter_map(|line| line.split_once("LINE ").map(|(_, rest)| rest))
        .map(|line| line.trim_end_matches("\u{1b}[0m").to_owned())
        .collect();
    // Hosts of one task finish in any order.
    lines.sort();
    lines
}

fn overridden(deployment: &Value) -> Vec<(String, String, String)> {
    deployment["overridden_settings"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|setting| {
            assert!(!text(setting, "reason").is_empty());
            (text(setting, "section"), text(setting, "key"), text(setting, "value"))
        })
        .collect()
}

async fn a_project_runs_as_with_plain_ansible(bin: &Path) {
    let server = AdmiralServer::start_with(bin).await;
    write_project(&server.folder.path().join("playbooks/shop"));
    server.add_local_servers(&["h1", "h2"]).await;

    let plain = tempfile::tempdir().unwrap();
    write_project(plain.path());
    let run = Command::new(bin.join("ansible-playbook"))
        .arg("site.yml")
        .current_dir(plain.path())
        .env_clear()
        .env("HOME", plain.path())
        .env("PATH", std::env::var("PATH").unwrap())
        .env("LANG", "C.UTF-8")
        // What would ask is not asked of the plain run either.
        .env("ANSIBLE_BECOME_ASK_PASS", "False")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let plain_output = String::from_utf8_lossy(&run.stdout).into_owned();
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{plain_output}{errors}");
    let expected = lines(&plain_output);
    assert!(expected.iter().any(|line| line.contains("hello H1")), "{plain_output}");
    assert!(
        expected.iter().any(|line| line.starts_with("counted")),
        "{plain_output}"
    );

    let deployment = server
        .post(
            "/api/deployments",
            json!({"playbook": "project/shop/site.yml", "all": true}),
        )
        .await;
    let expected_overridden = [
        ("defaults", "inventory", "inventory/hosts.ini"),
        ("defaults", "private_key_file", "~/.ssh/id_of_nobody"),
        ("defaults", "host_key_checking", "False"),
        (
            "ssh_connection",
            "ssh_args",
            "-o ControlMaster=auto -o ProxyJump=bastion",
        ),
        ("ssh_connection", "control_path", "%(directory)s/%%h-%%r"),
        ("defaults", "log_path", "./ansible.log"),
        ("privilege_escalation", "become_ask_pass", "True"),
        ("defaults", "forks", "3"),
    ];
    let expected_overridden = expected_overridden.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
    assert_eq!(overridden(&deployment), expected_overridden);
    let deployment = server.wait_for_end(&text(&deployment, "id")).await;
    let output = server.output(&text(&deployment, "id")).await;
    assert_eq!(deployment["status"], "completed", "{deployment}\n{output}");
    assert_eq!(lines(&output), expected, "{output}");
    assert_eq!(overridden(&deployment), expected_overridden);
    // The events are recorded all the same.
    assert_eq!(deployment["counts"]["success"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_runs_as_with_the_newest_ansible() {
    a_project_runs_as_with_plain_ansible(&ansible_bins()[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_runs_as_with_the_oldest_ansible() {
    a_project_runs_as_with_plain_ansible(ansible_bins().last().expect("at least one")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_connections_stay_admirals() {
    let hosts = SshHosts::start();
    let server = AdmiralServer::start().await;
    let (key, public_key) = server.generate_key("ours").await;
    hosts.authorize(&public_key);
    server
        .add_server("web1", &SshHosts::address(0), hosts.port, &hosts.user, &key, &[])
        .await;
    let folder = server.folder.path().join("playbooks/web");
    write(
        &folder,
        "site.yml",
        "- hosts: all\n  tasks:\n    - ansible.builtin.command: echo reached\n      register: said\n    - ansible.builtin.debug: { msg: \"{{ said.stdout }}\" }\n",
    );
    write(
        &folder,
        "ansible.cfg",
        "[DEFAULT]\nssh_executable = /bin/false\n[defaults]\nprivate_key_file = /nonexistent\nremote_user = nobody-there\n\
         remote_port = 1\ninventory = /nonexistent\nask_pass = True\nlocal_tmp = /nonexistent\ntransport = paramiko\n\
         [connection]\nssh_agent = auto\n\
         [ssh_connection]\nssh_args = -o ProxyCommand=/bin/false\nssh_common_args = -o UserKnownHostsFile=/nonexistent\n\
         ssh_extra_args = -F /nonexistent\nsftp_extra_args = -x\ncontrol_path = /nonexistent/%%C\ncontrol_path_dir = /nonexistent\n\
         transfer_method = piped\n",
    );
    let deployment = server
        .post(
            "/api/deployments",
            json!({"playbook": "project/web/site.yml", "all": true}),
        )
        .await;
    let keys: Vec<String> = overridden(&deployment).into_iter().map(|(_, key, _)| key).collect();
    let expected = [
        "inventory",
        "private_key_file",
        "ssh_agent",
        "ssh_args",
        "ssh_common_args",
        "ssh_extra_args",
        "sftp_extra_args",
        "ssh_executable",
        "control_path",
        "control_path_dir",
        "local_tmp",
        "ask_pass",
        "transport",
    ];
    assert_eq!(keys, expected);
    let deployment = server.wait_for_end(&text(&deployment, "id")).await;
    let output = server.output(&text(&deployment, "id")).await;
    assert_eq!(deployment["status"], "completed", "{deployment}\n{output}");
    assert!(output.contains("reached"), "{output}");
}

#[tokio::test]
async fn a_broken_configuration_is_refused_with_its_line() {
    let pad = Launchpad::new().await;
    pad.add_server("web1", &[], "active", true).await;
    pad.write_playbook("shop/site.yml", "- hosts: all\n  tasks: []\n");
    pad.write_playbook("shop/ansible.cfg", "[defaults]\nforks = 5\nroles_path\n");
    let body = json!({"playbook": "project/shop/site.yml", "all": true});
    let (status, problem) = pad.call("POST", "/api/deployments", Some(body)).await;
    assert_eq!(status, 422, "{problem}");
    let told = problem["errors"][0].to_string();
    assert!(
        told.contains("\"playbook\"") && told.contains("ansible.cfg, line 3"),
        "{problem}"
    );
    assert_eq!(pad.number("SELECT count(*) FROM admiral.deployments").await, 0);
}

/// A look at a package carries some of it out: lookups in names of files, a vault's password that is a script.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_at_a_project_shows_it_nothing_of_admirals() {
    let server = AdmiralServer::start().await;
    server.add_local_servers(&["h1"]).await;
    let folder = server.folder.path().join("playbooks");
    let (ring, planted) = (server.data.join("key-ring.json"), server.folder.path().join("planted"));
    assert!(ring.exists());
    let look = format!("touch {}; test -e {}", planted.display(), ring.display());
    write(
        &folder,
        "lookup/site.yml",
        &format!(
            "- hosts: all\n  tasks:\n    - import_tasks: \"{{{{ lookup('ansible.builtin.pipe', '{look} && echo shown.yml || echo hidden.yml') }}}}\"\n"
        ),
    );
    write(&folder, "script/site.yml", "- hosts: all\n  tasks: []\n");
    write(
        &folder,
        "script/ansible.cfg",
        "[defaults]\nvault_password_file = ./password.sh\n",
    );
    // One that fails fails the check.
    write(
        &folder,
        "script/password.sh",
        &format!("#!/bin/sh\n{look} && exit 3\necho password\n"),
    );
    fs::set_permissions(folder.join("script/password.sh"), Permissions::from_mode(0o755)).unwrap();

    let body = |name: &str| json!({"playbook": format!("project/{name}/site.yml"), "all": true});
    let (status, problem) = server
        .request(Method::POST, "/api/deployments", Some(&body("lookup")))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert!(
        problem.to_string().contains("hidden.yml") && !problem.to_string().contains("shown.yml"),
        "{problem}"
    );
    assert!(!planted.exists(), "it changes nothing either");
    let packages = server.get("/api/packages").await;
    for package in packages["data"].as_array().unwrap() {
        let name = text(package, "name");
        if !["lookup", "script"].contains(&name.as_str()) {
            continue;
        }
        let (id, version) = (text(package, "id"), text(&package["current_version"], "id"));
        let found = server
            .get(&format!("/api/packages/{id}/versions/{version}/findings"))
            .await;
        assert_eq!(found.to_string().contains("hidden.yml"), name == "lookup", "{found}");
        assert!(
            !found.to_string().contains("shown.yml") && !found.to_string().contains("password.sh"),
            "{found}"
        );
    }
    assert!(!planted.exists(), "it changes nothing either");
    let deployment = server.post("/api/deployments", body("script")).await;
    server.wait_for_end(&text(&deployment, "id")).await;
}
