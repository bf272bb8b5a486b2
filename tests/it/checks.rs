//! What is said about playbooks before they are kept or launched: the review, Ansible's own syntax check, the real `ansible-lint`.

use crate::support::{ansible::lint_bin, launchpad::Launchpad};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

/// What the review warns of, and Ansible refuses.
const SITE: &str = "- name: Site\n  hosts: all\n  bogus: 1\n  tasks:\n    - ansible.builtin.shell: rm -rf /etc\n";
/// What only `ansible-lint` has something to say about.
const SOUND: &str = "- name: Site\n  hosts: all\n  tasks:\n    - ansible.builtin.ping:\n";

/// A library whose Ansible is the real one, with `ansible-lint` beside it.
async fn pad() -> Launchpad {
    let pad = Launchpad::with_real_ansible().await;
    symlink(lint_bin().join("ansible-lint"), pad.folder.path().join("ansible-lint")).unwrap();
    pad
}

fn rules(findings: &Value) -> Vec<&str> {
    let findings = findings.as_array().unwrap().iter();
    findings.map(|finding| finding["rule"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_edit_is_looked_at_before_it_is_kept() {
    let pad = pad().await;
    let (package, version) = pad.add_package("shop", &[("site.yml", SOUND)]).await;
    let path = format!("/api/packages/{package}/check");
    let edit = |with_ansible: bool| json!({"base_version_id": version, "changes": [{"path": "site.yml", "content": SITE}], "with_ansible": with_ansible});
    let (status, quick) = pad.call("POST", &path, Some(edit(false))).await;
    assert_eq!(status, 200, "{quick}");
    assert_eq!(rules(&quick["data"]), ["destructive_command"]);
    assert_eq!(pad.ansible_runs(), 0);
    let (status, whole) = pad.call("POST", &path, Some(edit(true))).await;
    assert_eq!(status, 200, "{whole}");
    let found = rules(&whole["data"]);
    for rule in ["destructive_command", "syntax"] {
        assert!(found.contains(&rule), "{rule}: {whole}");
    }
    let syntax = whole["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["rule"] == "syntax");
    let syntax = syntax.unwrap();
    assert_eq!(
        (&syntax["path"], &syntax["severity"]),
        (&json!("site.yml"), &json!("error"))
    );
    assert!(syntax["message"].as_str().unwrap().contains("bogus"), "{syntax}");
    // Nothing was kept.
    let (_, versions) = pad
        .call("GET", &format!("/api/packages/{package}/versions"), None)
        .await;
    assert_eq!(versions["meta"]["total"], 1, "{versions}");
}

#[tokio::test]
async fn a_file_is_looked_at_before_it_is_uploaded() {
    let pad = pad().await;
    let inspect = async |query: &str| {
        let path = format!("/api/packages/inspect?file_name=site.yml{query}");
        pad.upload(&path, SITE.as_bytes().to_vec()).await
    };
    let (status, quick) = inspect("").await;
    assert_eq!(
        (status, rules(&quick["findings"])),
        (200, vec!["destructive_command"]),
        "{quick}"
    );
    let (status, whole) = inspect("&with_ansible=true").await;
    assert_eq!(status, 200, "{whole}");
    assert!(rules(&whole["findings"]).contains(&"syntax"), "{whole}");
}

#[tokio::test]
async fn a_version_is_looked_at_once() {
    let pad = pad().await;
    let (package, version) = pad.add_package("shop", &[("site.yml", SOUND)]).await;
    let path = format!("/api/packages/{package}/versions/{version}/findings");
    let (status, first) = pad.call("GET", &path, None).await;
    assert_eq!(status, 200, "{first}");
    assert_eq!(
        (rules(&first["data"]), &first["lint"]),
        (vec!["lint.name[missing]"], &json!("ran"))
    );
    let runs = pad.ansible_runs();
    assert!(runs > 0);
    let (_, second) = pad.call("GET", &path, None).await;
    assert_eq!((second, pad.ansible_runs()), (first, runs));
    let (status, problem) = pad.call("GET", &format!("{path}?entry=gone.yml"), None).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("entry")));
}

/// `admiral playbooks check`, with the real Ansible and `ansible-lint`.
fn check(folder: &Path, path: &str) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_admiral"))
        .args(["playbooks", "check", path])
        .current_dir(folder)
        .env("ADMIRAL_ANSIBLE_BIN", lint_bin())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_shell_checks_a_playbook_or_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("site.yml"), SITE).unwrap();
    fs::write(folder.path().join("sound.yml"), SOUND).unwrap();
    let (code, found, said) = check(folder.path(), "site.yml");
    assert_eq!(code, 1, "{found}{said}");
    for part in ["site.yml:5:", "[destructive_command]", "[syntax]"] {
        assert!(found.contains(part), "{part}: {found}");
    }
    let (code, found, said) = check(folder.path(), "sound.yml");
    assert!(code == 0 && found.contains("[lint.name[missing]]"), "{found}{said}");
    let (code, found, _) = check(folder.path(), ".");
    assert_eq!(code, 1, "{found}");
    fs::write(folder.path().join("site.yml"), "- hosts: [\n").unwrap();
    let (code, found, _) = check(folder.path(), ".");
    assert!(
        code == 1 && found.contains("[yaml]") && found.contains("site.yml:"),
        "{found}"
    );
    let (code, _, said) = check(folder.path(), "gone.yml");
    assert!(code != 0 && said.contains("gone.yml"), "{said}");
}
