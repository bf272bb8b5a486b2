//! What the real Ansible makes of our inventories and variable files.

use crate::support::ansible::ansible_bins;
use admiral::inventory::{InventoryHost, extra_vars::render_extra_vars, render_list};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

fn host(hostname: &str) -> InventoryHost {
    InventoryHost {
        hostname: hostname.to_owned(),
        name: hostname.to_owned(),
        ssh_host: "192.0.2.7".to_owned(),
        ssh_port: 2222,
        ssh_username: "deploy".to_owned(),
        private_key_file: None,
        server_id: 1,
        server_uuid: uuid::Uuid::from_u128(1),
        tags: Vec::new(),
        distro: None,
        architecture: None,
        metadata: Map::new(),
    }
}

fn rendered(hosts: &[InventoryHost]) -> Value {
    serde_json::to_value(render_list(hosts)).unwrap()
}

/// A folder with one Ansible's inventory, playbook and output.
struct Stage {
    bin: PathBuf,
    folder: TempDir,
}

impl Stage {
    fn new(bin: &Path, inventory: &Value) -> Self {
        let stage = Self {
            bin: bin.to_owned(),
            folder: tempfile::tempdir().unwrap(),
        };
        stage.write("inventory.json", &inventory.to_string());
        stage.write_program(
            "inventory",
            &format!("#!/bin/sh\nexec cat {}\n", stage.path("inventory.json").display()),
        );
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    fn write_program(&self, name: &str, content: &str) {
        self.write(name, content);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn read(&self, name: &str) -> Value {
        let text = fs::read_to_string(self.path(name)).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    fn run(&self, program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        Command::new(self.bin.join(program))
            .args(["-i", self.path("inventory").to_str().unwrap()])
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.bin.display()))
            .env("HOME", self.folder.path())
            .env("LC_ALL", "C.UTF-8")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs a playbook that must succeed.
    fn play(&self, playbook: &str, arguments: &[&str]) {
        self.write("site.yml", playbook);
        let output = self.run(
            "ansible-playbook",
            &[arguments, &["-c", "local", "site.yml"]].concat(),
            &[],
        );
        assert!(output.status.success(), "{}: {}", self.bin.display(), shown(&output));
    }
}

fn shown(output: &Output) -> String {
    format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The inventory as it would be if nothing were marked.
fn without_marks(value: &Value) -> Value {
    match value {
        Value::Object(entries) => match entries.get("__ansible_unsafe") {
            Some(text) => text.clone(),
            None => Value::Object(
                entries
                    .iter()
                    .map(|(key, item)| (key.clone(), without_marks(item)))
                    .collect(),
            ),
        },
        Value::Array(items) => items.iter().map(without_marks).collect(),
        other => other.clone(),
    }
}

const DUMP: &str = r#"
- hosts: all
  gather_facts: false
  tasks:
    - set_fact: { copied: "{{ nested }}" }
    - debug: { msg: "{{ server_name }} {{ tags }} {{ distro }} {{ region }} {{ copied }}" }
    - copy:
        dest: dump.json
        content: "{{ {'name': server_name, 'tags': tags, 'distro': distro, 'region': region, 'nested': nested,
          'architecture': architecture, 'user': ansible_user, 'host': ansible_host} | to_json }}"
"#;

#[test]
fn inventory_strings_are_not_templated() {
    for bin in ansible_bins() {
        let canary = tempfile::tempdir().unwrap();
        let canary = canary.path().join("canary");
        let evil = format!("{{{{ lookup('pipe', 'touch {}') }}}}", canary.display());
        let mut host = host("web1");
        host.name.clone_from(&evil);
        host.tags = vec![evil.clone(), "plain".to_owned()];
        host.distro = Some(evil.clone());
        host.architecture = Some(evil.clone());
        host.metadata = json!({
            "region": evil, "nested": {"deep": [evil, {"deeper": evil}], "number": 4, "nothing": null, "texts": ["0123", "no", "", "null"]},
            "ansible_python_interpreter": bin.join("python").to_str().unwrap(),
        })
        .as_object()
        .unwrap()
        .clone();
        // The address and the user are harmless here: marked or not, they have to work.
        let list = rendered(&[host.clone()]);
        let stage = Stage::new(&bin, &list);
        stage.play(DUMP, &[]);
        assert!(
            !canary.exists(),
            "{}: a string of the inventory ran a command",
            bin.display()
        );
        let expected = json!({
            "name": evil, "tags": [evil, "plain"], "distro": evil, "region": evil, "nested": host.metadata["nested"],
            "architecture": evil, "user": "deploy", "host": "192.0.2.7",
        });
        assert_eq!(stage.read("dump.json"), expected, "{}", bin.display());
        // The same without the marks does run it: the test can tell.
        let unmarked = Stage::new(&bin, &without_marks(&list));
        unmarked.write("site.yml", DUMP);
        unmarked.run("ansible-playbook", &["-c", "local", "site.yml"], &[]);
        assert!(canary.exists(), "{}: the canary is no canary", bin.display());
    }
}

#[test]
fn extra_variables_keep_their_types_and_are_not_templated() {
    for bin in ansible_bins() {
        let canary = tempfile::tempdir().unwrap();
        let canary = canary.path().join("canary");
        let evil = format!("{{{{ lookup('pipe', 'touch {}') }}}}", canary.display());
        let values = json!({
            "text": evil, "integer": 42, "large": 9_007_199_254_740_993_i64, "negative": -7, "float": 1.5, "exponent": 1e100,
            "yes_text": "yes", "number_text": "0123", "null_text": "null", "true": true, "null": null, "empty": "", "texts": ["~", "on", "12:30:45", "2026-01-01", "1e5", "0x1F", ".inf", "<<", "=", "1_000", "{", "{%", "#x"],
            "list": [1, "two", [evil], {}], "object": {"key: with }": evil, "\"": "'", "1": 1, "yes": "no"},
            "odd": "line\nbreak\r\ttab \\ \" ' # : {} [] & * ! | > % @ ` é 😀 \u{7f}\u{85}\u{2028}\u{feff}",
        });
        let variables = json!({ "values": values }).as_object().unwrap().clone();
        let password = format!("{evil} \"hunter2\"\n");
        let secret = BTreeMap::from([("password".to_owned(), SecretString::from(password.as_str()))]);
        let stage = Stage::new(&bin, &rendered(&[host("web1")]));
        stage.write("vars.yml", render_extra_vars(&variables, &secret).expose_secret());
        let playbook = r#"
- hosts: all
  gather_facts: false
  vars: { ansible_python_interpreter: "{{ ansible_playbook_python }}" }
  tasks:
    - debug: { var: values }
    - copy: { dest: dump.json, content: "{{ {'values': values, 'password': password} | to_json }}" }
"#;
        stage.play(playbook, &["-e", "@vars.yml"]);
        assert!(!canary.exists(), "{}: a variable ran a command", bin.display());
        assert_eq!(
            stage.read("dump.json"),
            json!({"values": values, "password": password}),
            "{}",
            bin.display()
        );
        // The same as plain JSON does run it: the test can tell.
        stage.write("vars.yml", &json!({"values": values, "password": password}).to_string());
        stage.run("ansible-playbook", &["-c", "local", "-e", "@vars.yml", "site.yml"], &[]);
        assert!(canary.exists(), "{}: the canary is no canary", bin.display());
    }
}

#[test]
fn connection_variables_work_though_marked() {
    for bin in ansible_bins() {
        let mut first = host("web1");
        first.private_key_file = Some("/nonexistent/key file".to_owned());
        first.ssh_host = "2001:db8::7".to_owned();
        first.ssh_username = "deploy+x".to_owned();
        let stage = Stage::new(&bin, &rendered(&[first]));
        stage.write_program("ssh", "#!/bin/sh\nprintf '%s\\n' \"$@\" >> arguments\nexit 255\n");
        let ssh = stage.path("ssh");
        let environment = [
            ("ANSIBLE_SSH_EXECUTABLE", ssh.to_str().unwrap()),
            ("ANSIBLE_SSH_RETRIES", "0"),
        ];
        let output = stage.run("ansible", &["all", "-m", "raw", "-a", "true"], &environment);
        assert_eq!(output.status.code(), Some(4), "{}: {}", bin.display(), shown(&output));
        let arguments = fs::read_to_string(stage.path("arguments")).unwrap();
        for expected in [
            "2001:db8::7",
            "Port=2222",
            "User=\"deploy+x\"",
            "IdentityFile=\"/nonexistent/key file\"",
        ] {
            assert!(
                arguments.lines().any(|argument| argument == expected),
                "{}: no {expected} in\n{arguments}",
                bin.display()
            );
        }
    }
}

#[test]
fn group_names_are_accepted() {
    for bin in ansible_bins() {
        let mut first = host("web1");
        first.tags = ["web", "Web", "eu-west 1", "9lives", "größe", "{{ x }}", "all", "../x"]
            .map(str::to_owned)
            .to_vec();
        first.distro = Some("Ubuntu 22.04".to_owned());
        let mut second = host("all-in-one.example.org");
        second.tags = vec!["WEB".to_owned()];
        second.distro = Some("all".to_owned());
        let third = host("lonely");
        let stage = Stage::new(&bin, &rendered(&[first, second, third]));
        let output = stage.run(
            "ansible-inventory",
            &["--list"],
            &[("ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS", "never")],
        );
        assert!(output.status.success(), "{}: {}", bin.display(), shown(&output));
        let errors = String::from_utf8_lossy(&output.stderr);
        // The one warning there is: Ansible's own word for what a server's tags are called.
        let warnings: Vec<_> = errors.lines().filter(|line| line.contains("[WARNING]")).collect();
        let tags = "[WARNING]: Found variable using reserved name";
        assert!(
            warnings.iter().all(|line| line.starts_with(tags)),
            "{}: {errors}",
            bin.display()
        );
        let list: Value = serde_json::from_slice(&output.stdout).unwrap();
        let hosts = |group: &str| {
            let mut hosts: Vec<_> = list[group]["hosts"]
                .as_array()
                .unwrap()
                .iter()
                .map(|host| host.as_str().unwrap())
                .collect();
            hosts.sort_unstable();
            hosts
        };
        assert_eq!(hosts("tag_web"), ["all-in-one.example.org", "web1"]);
        assert_eq!(hosts("group_all"), ["all-in-one.example.org"]);
        assert_eq!(hosts("ungrouped"), ["lonely"]);
        for group in [
            "ubuntu_22_04",
            "tag_eu_west_1",
            "tag_9lives",
            "tag_gr__e",
            "tag____x___",
            "tag_all",
            "tag____x",
        ] {
            assert_eq!(hosts(group), ["web1"], "{group}");
        }
        assert_eq!(list["_meta"]["hostvars"].as_object().unwrap().len(), 3);
    }
}
