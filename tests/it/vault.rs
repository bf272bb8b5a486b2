//! Files and values of `ansible-vault`, and the passwords that open them.

use crate::support::{
    ansible::ansible_bins,
    launchpad::Launchpad,
    server::{AdmiralServer, text},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

const DEFAULT: &str = "a password for everything";
const PROD: &str = "the-password-of-prod-7d1e";

/// `ansible-vault` with both passwords at hand.
fn ansible_vault(bin: &Path, passwords: &Path, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(bin.join("ansible-vault"))
        .arg(arguments[0])
        .arg("--vault-id")
        .arg(format!("default@{}", passwords.join("default").display()))
        .arg("--vault-id")
        .arg(format!("prod@{}", passwords.join("prod").display()))
        .args(&arguments[1..])
        .env_clear()
        .env("HOME", passwords)
        .env("PATH", std::env::var("PATH").unwrap())
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn encrypted(bin: &Path, passwords: &Path, id: &str, content: &str) -> String {
    ansible_vault(
        bin,
        passwords,
        &["encrypt", "--encrypt-vault-id", id, "--output", "-"],
        content,
    )
}

fn write(folder: &Path, path: &str, content: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A project with an encrypted playbook, file of variables, value and file to be copied.
fn write_project(bin: &Path, folder: &Path, passwords: &Path) {
    fs::write(passwords.join("default"), DEFAULT).unwrap();
    fs::write(passwords.join("prod"), format!("{PROD}\n")).unwrap();
    let value = ansible_vault(
        bin,
        passwords,
        &[
            "encrypt_string",
            "--encrypt-vault-id",
            "prod",
            "--stdin-name",
            "of_prod",
        ],
        "inline value",
    );
    write(folder, "group_vars/all/prod.yml", &value);
    write(
        folder,
        "group_vars/all/vault.yml",
        &encrypted(bin, passwords, "default", "of_default: from the file\n"),
    );
    write(
        folder,
        "files/secret.txt",
        &encrypted(bin, passwords, "prod", &format!("copied {PROD}")),
    );
    write(
        folder,
        "more.yml",
        &encrypted(
            bin,
            passwords,
            "default",
            "- hosts: all\n  connection: local\n  gather_facts: false\n  tasks:\n    - debug: { msg: 'from the playbook' }\n",
        ),
    );
    write(
        folder,
        "site.yml",
        "- import_playbook: more.yml\n\
         - hosts: all\n  connection: local\n  gather_facts: false\n  tasks:\n    \
         - debug: { msg: 'see: {{ of_prod }}, {{ of_default }}' }\n    \
         - copy: { src: secret.txt, dest: \"{{ playbook_dir }}/copy.txt\" }\n    \
         - debug: { msg: \"{{ lookup('file', playbook_dir ~ '/copy.txt') }}\" }\n",
    );
    assert!(
        fs::read_to_string(folder.join("group_vars/all/prod.yml"))
            .unwrap()
            .contains(";1.2;AES256;prod")
    );
    assert!(
        fs::read_to_string(folder.join("more.yml"))
            .unwrap()
            .starts_with("$ANSIBLE_VAULT;1.1;")
    );
}

async fn encrypted_projects_run(bin: &Path) {
    let server = AdmiralServer::start_with(bin).await;
    let passwords = tempfile::tempdir().unwrap();
    write_project(bin, &server.folder.path().join("playbooks/shop"), passwords.path());
    server.add_local_servers(&["h1"]).await;
    let body = json!({"playbook": "project/shop/site.yml", "all": true});

    let (status, problem) = server.request(Method::POST, "/api/deployments", Some(&body)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(problem["errors"][0]["field"], "playbook");
    let told = text(&problem["errors"][0], "message");
    for expected in [
        "`admiral vault-passwords add default`",
        "`admiral vault-passwords add prod`",
        "group_vars/all/",
    ] {
        assert!(told.contains(expected), "{told}");
    }

    let stored = server
        .post(
            "/api/vault-passwords",
            json!({"vault_id": "default", "password": DEFAULT}),
        )
        .await;
    assert_eq!(stored["package"], Value::Null);
    // For all packages with a wrong password, for this one with the right one.
    for (more, password) in [(vec![], "wrong-password-0417"), (vec!["--package", "shop"], PROD)] {
        let mut command = server.command();
        command.args(["vault-passwords", "add", "prod", "--password-env", "PROD_PASSWORD"]);
        command.args(more).env("PROD_PASSWORD", password);
        let added = command
            .env("ADMIRAL_PLAYBOOKS", server.folder.path().join("playbooks"))
            .output()
            .unwrap();
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    }
    let deployment = server.post("/api/deployments", body.clone()).await;
    let id = text(&deployment, "id");
    let deployment = server.wait_for_end(&id).await;
    let output = server.output(&id).await;
    assert_eq!(deployment["status"], "completed", "{deployment}\n{output}");
    for expected in [
        "see: inline value, from the file",
        "from the playbook",
        "copied ********",
    ] {
        assert!(output.contains(expected), "{expected}: {output}");
    }
    let events = json!(server.events(&id).await).to_string();
    assert!(events.contains("copied ********") && !events.contains(PROD), "{events}");

    // Forgotten, the same cannot be run again.
    let listed = server.get("/api/vault-passwords").await;
    for password in listed["data"].as_array().unwrap() {
        let path = format!("/api/vault-passwords/{}", text(password, "id"));
        let (status, _) = server.request(Method::DELETE, &path, None).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
    }
    let (status, problem) = server.request(Method::POST, "/api/deployments", Some(&body)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");

    // A password that the project brings along serves as well.
    let folder = server.folder.path().join("playbooks/shop");
    write(
        &folder,
        "ansible.cfg",
        "[defaults]\nvault_identity_list = default@.default, prod@./.prod\n",
    );
    write(&folder, ".default", DEFAULT);
    write(&folder, ".prod", PROD);
    let deployment = server.post("/api/deployments", body).await;
    assert_eq!(deployment["overridden_settings"], json!([]));
    let deployment = server.wait_for_end(&text(&deployment, "id")).await;
    assert_eq!(deployment["status"], "completed", "{deployment}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encrypted_projects_run_with_the_newest_ansible() {
    encrypted_projects_run(&ansible_bins()[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encrypted_projects_run_with_the_oldest_ansible() {
    encrypted_projects_run(ansible_bins().last().unwrap()).await;
}

#[tokio::test]
async fn passwords_are_stored_once_and_never_shown() {
    let pad = Launchpad::new().await;
    pad.write_playbook("shop/site.yml", "- hosts: all\n  tasks: []\n");
    let (_, packages) = pad.call("GET", "/api/packages", None).await;
    let package = packages["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|package| package["name"] == "shop")
        .unwrap()["id"]
        .clone();
    let add = |body: Value| pad.call("POST", "/api/vault-passwords", Some(body));
    let (status, first) = add(json!({"vault_id": "prod", "password": "one-secret"})).await;
    assert_eq!(status, 201, "{first}");
    let (status, problem) = add(json!({"vault_id": "prod", "password": "two-secret"})).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (409, &json!("vault_id")));
    let (status, second) = add(json!({"vault_id": "prod", "password": "three-secret", "package_id": package})).await;
    assert_eq!((status, &second["package"]["name"]), (201, &json!("shop")));
    for (body, field) in [
        (json!({"vault_id": "a@b", "password": "x"}), "vault_id"),
        (json!({"vault_id": "a", "password": " \n"}), "password"),
        (
            json!({"vault_id": "a", "password": "x", "package_id": first["id"]}),
            "package_id",
        ),
    ] {
        let (status, problem) = add(body).await;
        assert_eq!(
            (status, &problem["errors"][0]["field"]),
            (422, &json!(field)),
            "{problem}"
        );
    }
    let path = format!("/api/vault-passwords/{}", text(&first, "id"));
    let (status, changed) = pad.call("PATCH", &path, Some(json!({"password": "four-secret"}))).await;
    assert_eq!((status, &changed["vault_id"]), (200, &json!("prod")));
    let (_, list) = pad.call("GET", "/api/vault-passwords", None).await;
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
    let (_, audit) = pad.call("GET", "/api/audit", None).await;
    assert!(audit.to_string().contains("vault_password.update"), "{audit}");
    for answer in [first, second, changed, list, audit] {
        assert!(!answer.to_string().contains("-secret"), "{answer}");
    }
    assert_eq!(pad.call("DELETE", &path, None).await.0, 204);
    assert_eq!(pad.call("DELETE", &path, None).await.0, 404);
}
