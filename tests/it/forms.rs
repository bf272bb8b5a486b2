//! Forms, environments and presets with the real Ansible: the playbook sees the right values, and nothing waits for a terminal.

use crate::support::{
    ansible::ansible_bins,
    server::{AdmiralServer, text},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Output};

/// Dropped in as it is: it asks at a terminal.
const PLAYBOOK: &str = r#"
- name: Ask and write
  hosts: all
  connection: local
  gather_facts: false
  vars_prompt:
    - {name: user, prompt: "Who are you?", private: no}
    - {name: pin, prompt: "And your PIN?"}
    - {name: home, prompt: "Where?", private: no, default: /srv}
  tasks:
    - name: Write what there is
      ansible.builtin.copy:
        dest: "OUT/{{ inventory_hostname }}.json"
        content: "{{ seen | to_json }}"
      vars:
        seen:
          user: "{{ user }}"
          pin: "{{ pin }}"
          home: "{{ home }}"
          version: "{{ version }}"
          replicas: "{{ replicas + 1 }}"
          ratio: "{{ ratio * 2 }}"
          tls: "{{ tls | ternary('on', 'off') }}"
          port: "{{ port | default('none') }}"
          zone: "{{ zone }}"
          parts: "{{ parts }}"
          password: "{{ password }}"
          upstream: "{{ upstream }}"
          certificate: "{{ lookup('file', certificate) }}"
          certificate_name: "{{ certificate | basename }}"
          domain: "{{ domain }}"
          of_the_preset: "{{ of_the_preset }}"
          nested: "{{ nested }}"
    - name: Look at the file
      ansible.builtin.stat: { path: "{{ certificate }}" }
      register: found
    - name: Judge it
      ansible.builtin.assert: { that: found.stat.mode == '0600' }
    - name: Without care
      ansible.builtin.debug: { msg: "{{ pin }} {{ password }} {{ of_the_preset }}" }
"#;

const FORM: &str = r"fields:
  - {name: user, type: text, label: User, required: true, pattern: '[a-z ]+|\{\{.*\}\}'}
  - {name: pin, type: secret, required: true, min: 4}
  - {name: home, type: text}
  - {name: version, type: text, required: true, pattern: '\d+\.\d+'}
  - {name: replicas, type: number, min: 1, max: 9, default: 2}
  - {name: ratio, type: number, default: 0.25}
  - {name: tls, type: boolean, default: false}
  - {name: port, type: number, default: 443, shown_when: {field: tls, equals: true}}
  - {name: zone, type: choice, choices: [eu, '{{ 6 * 7 }}'], default: eu}
  - {name: parts, type: multi_choice, choices: [web, db, '{{ 6 * 7 }}'], default: [web]}
  - {name: password, type: secret, required: true}
  - {name: upstream, type: server, required: true}
  - {name: certificate, type: file, required: true}
";

/// A folder that every account may write to, as a run that is granted it does.
fn writable_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

fn seen(folder: &Path, host: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join(format!("{host}.json"))).unwrap()).unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_of_answer_reaches_the_playbook() {
    for bin in ansible_bins() {
        let out = writable_folder();
        let server = AdmiralServer::start_with(&bin).await;
        server.add_local_servers(&["web1"]).await;
        let playbook = server.add_playbook("ask", &PLAYBOOK.replace("OUT", out.path().to_str().unwrap()));
        fs::write(server.folder.path().join("playbooks/ask/site.form.yml"), FORM).unwrap();
        let injection = format!("{{{{ lookup('pipe', 'touch {}/pwned') }}}}", out.path().display());
        let environment = server
            .post(
                "/api/environments",
                json!({"name": "staging", "variables": {"domain": injection, "zone": "eu", "replicas": 8},
                       "secret_variables": {"password": "of-the-environment"}}),
            )
            .await;
        let preset = server
            .post(
                "/api/presets",
                json!({"playbook": playbook, "name": "small", "variables": {"replicas": 3, "zone": "{{ 6 * 7 }}"},
                       "secret_variables": {"of_the_preset": injection}, "options": {"forks": 3, "writable_paths": [out.path()]}}),
            )
            .await;
        let deployment = server
            .post(
                "/api/deployments",
                json!({
                    "playbook": playbook, "all": true, "environment_id": environment["id"], "preset_id": preset["id"],
                    "variables": {
                        "user": injection, "pin": "0815-pin", "version": "1.10", "parts": ["db", "{{ 6 * 7 }}"], "upstream": ["web1"],
                        "nested": {"list": [injection, {"deep": injection}], "port": 1}, "port": 80,
                    },
                    "files": {"certificate": {"name": "server.pem", "content_base64": "ey4ubm90IGEgdGVtcGxhdGUuLn0="}},
                }),
            )
            .await;
        let id = text(&deployment, "id");
        let deployment = server.wait_for_end(&id).await;
        let output = server.output(&id).await;
        assert_eq!(deployment["status"], "completed", "{deployment}\n{output}");
        assert_eq!(
            seen(out.path(), "web1"),
            json!({
                "user": injection, "pin": "0815-pin", "home": "/srv", "version": "1.10", "replicas": number(&bin, "4"),
                "ratio": number(&bin, "0.5"), "tls": "off", "port": "none", "zone": "{{ 6 * 7 }}", "parts": ["db", "{{ 6 * 7 }}"],
                "password": "of-the-environment", "upstream": ["web1"], "certificate": "{..not a template..}",
                "certificate_name": "server.pem", "domain": injection, "of_the_preset": injection,
                "nested": {"list": [injection, {"deep": injection}], "port": 1},
            })
        );
        assert!(!out.path().join("pwned").exists(), "an answer was run as a template");
        assert_eq!(deployment["options"]["forks"], 3);
        assert_eq!(deployment["variable_sources"]["replicas"], "preset");
        assert_eq!(deployment["variable_sources"]["domain"], "environment");
        assert_eq!(deployment["variable_sources"]["ratio"], "form");
        assert_eq!(deployment["file_variables"], json!(["certificate"]));
        let answers = format!("{output}{deployment}{:?}", server.events(&id).await);
        for secret in ["0815-pin", "of-the-environment"] {
            assert!(!answers.contains(secret), "{secret}: {answers}");
        }
        assert!(output.contains("******** ********"), "the careless task ran: {output}");
    }
}

/// Results of templates are native types from ansible-core 2.19 on, and text before.
fn number(bin: &Path, text: &str) -> Value {
    let version = std::process::Command::new(bin.join("ansible-playbook"))
        .arg("--version")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&version.stdout).into_owned();
    let minor = told
        .split("core 2.")
        .nth(1)
        .and_then(|rest| rest.split('.').next())
        .unwrap();
    if minor.parse::<u32>().unwrap() >= 19 {
        serde_json::from_str(text).unwrap()
    } else {
        json!(text)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_playbook_that_asks_never_waits() {
    let out = writable_folder();
    let server = AdmiralServer::start().await;
    server.add_local_servers(&["web1"]).await;
    let asking = "- hosts: all\n  connection: local\n  gather_facts: false\n  vars_prompt:\n    - {name: user, private: no}\n    - name: pin\n    - {name: home, private: no, default: /srv}\n  tasks:\n    - ansible.builtin.copy: {dest: 'OUT/{{ inventory_hostname }}.json', content: '{{ [user, pin, home] | to_json }}'}\n";
    let playbook = server.add_playbook("asking", &asking.replace("OUT", out.path().to_str().unwrap()));
    let (status, problem) = server
        .request(
            Method::POST,
            "/api/deployments",
            Some(&json!({"playbook": playbook, "all": true})),
        )
        .await;
    assert_eq!(status, 422);
    let fields: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| text(e, "field"))
        .collect();
    assert_eq!(fields, ["variables.user", "secret_variables.pin"]);

    // The command line says the same, and what to do about it.
    let run = |arguments: &[&str]| {
        let mut command = server.command();
        command.arg("--playbooks").arg(server.folder.path().join("playbooks"));
        command.args(arguments).output().unwrap()
    };
    let refused = run(&["deploy", &playbook, "--all", "--detach"]);
    assert_eq!(refused.status.code(), Some(1));
    let what = told(&refused);
    for part in [
        "variables.user",
        "secret_variables.pin",
        "--var NAME=VALUE",
        "--secret-var NAME=@FILE",
    ] {
        assert!(what.contains(part), "{part} in {what}");
    }
    let pin = out.path().join("pin");
    fs::write(&pin, "4711-pin\n").unwrap();
    let pin = format!("pin=@{}", pin.display());
    let added = run(&[
        "environments",
        "add",
        "staging",
        "--var",
        "user=somebody",
        "--secret-var",
        &pin,
    ]);
    assert!(added.status.success(), "{}", told(&added));
    let changed = run(&[
        "environments",
        "update",
        "staging",
        "--unset",
        "user",
        "--var",
        "home=/opt",
    ]);
    assert!(changed.status.success(), "{}", told(&changed));
    let added = run(&[
        "presets", "add", &playbook, "mine", "--var", "user=ada", "--forks", "2", "--check",
    ]);
    assert!(added.status.success(), "{}", told(&added));
    let listed = told(&run(&["presets", "list"])) + &told(&run(&["environments", "list"]));
    for part in ["mine", "user", "staging", "home", "pin"] {
        assert!(listed.contains(part), "{part} in {listed}");
    }
    assert!(!listed.contains("4711"));
    let file = out.path().join("notes.txt");
    fs::write(&file, "notes").unwrap();
    let file = format!("notes={}", file.display());
    let deployed = run(&[
        "deploy",
        &playbook,
        "--all",
        "--environment",
        "staging",
        "--preset",
        "mine",
        "--file",
        &file,
        "--diff",
        "--json",
    ]);
    assert_eq!(deployed.status.code(), Some(0), "{}", told(&deployed));
    let deployment = server.get("/api/deployments?per_page=1").await["data"][0].take();
    assert_eq!(deployment["file_variables"], json!(["notes"]));
    let options = &deployment["options"];
    assert_eq!(
        (&options["forks"], &options["check"], &options["diff"]),
        (&json!(2), &json!(true), &json!(true))
    );
    assert!(!out.path().join("web1.json").exists(), "the preset says to check only");

    let deployment = server
        .post(
            "/api/deployments",
            json!({"playbook": playbook, "all": true, "variables": {"user": "ada"}, "secret_variables": {"pin": "4711-pin"},
                   "options": {"writable_paths": [out.path()]}}),
        )
        .await;
    let deployment = server.wait_for_end(&text(&deployment, "id")).await;
    assert_eq!(deployment["status"], "completed", "{deployment}");
    assert_eq!(seen(out.path(), "web1"), json!(["ada", "4711-pin", "/srv"]));
    for (command, name) in [("environments", "staging"), ("presets", "mine")] {
        let mut arguments = vec![command, "remove"];
        if command == "presets" {
            arguments.push(&playbook);
        }
        arguments.push(name);
        let removed = run(&arguments);
        assert!(removed.status.success(), "{}", told(&removed));
    }
}
