//! `admiral servers import`: an inventory as people have it, and then its playbooks, unchanged.

use crate::support::{
    ansible::ansible_bins,
    server::{AdmiralServer, text},
    shell::Shell,
    ssh_hosts::{SshHosts, whoami},
};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};

const SITE: &str = "\
- hosts: webservers
  gather_facts: false
  tasks:
    - ansible.builtin.assert:
        that: [http_port == 8080, region == 'eu', \"'eu_west' in group_names\"]
- hosts: db-servers:!webservers
  gather_facts: false
  tasks:
    - ansible.builtin.command: echo {{ groups['webservers'] | length }}
      changed_when: false
";

fn import(server: &AdmiralServer, folder: &Path, arguments: &[&str]) -> (bool, String, String) {
    let output = server
        .command()
        .args(["servers", "import", "-i", "hosts.ini"])
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder)
        .env("PATH", std::env::var_os("PATH").unwrap())
        .output()
        .unwrap();
    (
        output.status.success(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn folder_with_inventory(hosts: &SshHosts) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("group_vars")).unwrap();
    fs::create_dir_all(at(".ssh")).unwrap();
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(at(".ssh/fleet"))
        .status()
        .unwrap();
    assert!(made.success());
    hosts.authorize(&fs::read_to_string(at(".ssh/fleet.pub")).unwrap());
    let (port, user) = (hosts.port, whoami());
    fs::write(
        at("hosts.ini"),
        format!(
            "[webservers]\nweb1 ansible_host={}\nweb2 ansible_host={}\n\n[db-servers]\ndb1 ansible_host={}\n\n\
             [eu_west:children]\nwebservers\n\n\
             [all:vars]\nansible_port={port}\nansible_user={user}\nansible_ssh_private_key_file=~/.ssh/fleet\n\
             ansible_python_interpreter=/usr/bin/python3\n\n\
             [controllers]\nlocalhost ansible_connection=local\n",
            SshHosts::address(1),
            SshHosts::address(2),
            SshHosts::address(3)
        ),
    )
    .unwrap();
    fs::write(
        at("group_vars/webservers.yml"),
        "http_port: 8080\nansible_become_password: canary\n",
    )
    .unwrap();
    fs::write(at("group_vars/eu_west.yml"), "region: eu\n").unwrap();
    folder
}

#[tokio::test]
async fn an_inventory_is_shown_then_taken_over_and_its_playbooks_run_unchanged() {
    let ansible = ansible_bins().remove(0);
    let server = AdmiralServer::start_with(&ansible).await;
    let hosts = SshHosts::start();
    let folder = folder_with_inventory(&hosts);

    let (ok, stdout, stderr) = import(&server, folder.path(), &["--dry-run"]);
    assert!(ok, "{stderr}");
    assert!(
        stderr.contains("3 to create, 0 to change, 0 as they are, 1 skipped"),
        "{stderr}"
    );
    assert!(
        stdout.contains("fleet") && stdout.contains("connection local"),
        "{stdout}"
    );
    assert!(stdout.contains("ansible_become_password is left out"), "{stdout}");
    assert!(!format!("{stdout}{stderr}").contains("canary"));
    // Without a terminal to ask at, nothing is done either.
    let (_, _, stderr) = import(&server, folder.path(), &[]);
    assert!(stderr.contains("--yes"), "{stderr}");
    assert_eq!(server.get("/api/servers").await["meta"]["total"], 0);
    assert_eq!(server.get("/api/keys").await["meta"]["total"], 0);

    assert!(import(&server, folder.path(), &["--yes"]).0);
    let listed = server.get("/api/servers?sort=hostname").await;
    let web = &listed["data"][1];
    assert_eq!(
        (&web["hostname"], &web["tags"]),
        (&json!("web1"), &json!(["eu_west", "webservers"]))
    );
    assert_eq!(web["metadata"]["http_port"], 8080);
    assert_eq!(web["private_key"]["name"], "fleet");
    assert_eq!(web["ssh_port"], hosts.port);

    let playbook = server.add_playbook("shop", SITE);
    let launched = server
        .post("/api/deployments", json!({"playbook": playbook, "all": true}))
        .await;
    let ended = server.wait_for_end(&text(&launched, "id")).await;
    let log = server.output(&text(&launched, "id")).await;
    assert_eq!(
        (&ended["status"], &ended["counts"]["success"]),
        (&json!("completed"), &json!(3)),
        "{log}"
    );
    assert!(!log.contains("Invalid characters"), "{log}");

    // Again: nothing to do. Then one address moves and a tag of our own stays.
    let (_, _, stderr) = import(&server, folder.path(), &["--yes"]);
    assert!(
        stderr.contains("0 to create, 0 to change, 3 as they are, 1 skipped"),
        "{stderr}"
    );
    let path = format!("/api/servers/{}", text(web, "id"));
    let tags = json!({"tags": ["canary-fleet", "eu_west", "webservers"], "distro": "Debian 12"});
    server.request(reqwest::Method::PATCH, &path, Some(&tags)).await;
    let moved = fs::read_to_string(folder.path().join("hosts.ini"))
        .unwrap()
        .replace(&SshHosts::address(1), &SshHosts::address(9));
    fs::write(folder.path().join("hosts.ini"), moved).unwrap();
    let (_, stdout, stderr) = import(&server, folder.path(), &["--yes", "--output", "json"]);
    let report: Value = serde_json::from_str(&stdout).expect(&stderr);
    let of_web = report["servers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["hostname"] == "web1")
        .unwrap();
    assert_eq!(
        (&of_web["action"], &of_web["changes"]),
        (&json!("changed"), &json!(["ssh_host"]))
    );
    let web = server.get(&path).await;
    assert_eq!(
        (&web["ssh_host"], &web["distro"]),
        (&json!(SshHosts::address(9)), &json!("Debian 12"))
    );
    assert_eq!(web["tags"], tags["tags"]);
}

#[tokio::test]
async fn an_inventory_that_ansible_cannot_read_imports_nothing() {
    let ansible = ansible_bins().remove(0);
    let server = AdmiralServer::start_with(&ansible).await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hosts.ini"), "[web\nx=").unwrap();
    let (_, stdout, stderr) = import(&server, folder.path(), &["--yes"]);
    assert!(stderr.contains("hosts.ini"), "{stdout}{stderr}");
    assert_eq!(server.get("/api/servers").await["meta"]["total"], 0);
    let body = json!({"inventory": {"web": {"hosts": ["a"]}}});
    let (status, problem) = server
        .request(reqwest::Method::POST, "/api/servers/import", Some(&body))
        .await;
    assert_eq!(
        (status.as_u16(), &problem["errors"][0]["field"]),
        (422, &json!("inventory"))
    );
}

/// A folder with an inventory of one host, `web1`, and these files.
fn folder_of(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [("hosts.ini", "[web]\nweb1 ansible_host=192.0.2.1\n")]
        .iter()
        .chain(files)
    {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn encrypt(folder: &Path, file: &str) {
    let encrypted = Command::new(ansible_bins()[0].join("ansible-vault"))
        .args(["encrypt", "--vault-password-file", "password", file])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(encrypted.status.success(), "{encrypted:?}");
}

fn make_key(path: &Path, passphrase: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", passphrase, "-f"])
        .arg(path)
        .status()
        .unwrap();
    assert!(made.success());
}

async fn only_server(server: &AdmiralServer) -> Value {
    server.get("/api/servers").await["data"][0].clone()
}

#[tokio::test]
async fn what_is_encrypted_or_a_template_stays_where_it_is() {
    let server = AdmiralServer::start().await;
    let folder = folder_of(&[
        ("password", "open sesame\n"),
        (
            "group_vars/web/vault.yml",
            "---\ndb_password: canary\nodd: !unsafe '{{ canary }}'\n",
        ),
        ("group_vars/web/plain.yml", "base: /srv\napp_dir: '{{ base }}/app'\n"),
    ]);
    encrypt(folder.path(), "group_vars/web/vault.yml");
    let (ok, _, stderr) = import(&server, folder.path(), &["--yes"]);
    assert!(!ok && stderr.contains("--vault-password-file"), "{stderr}");
    assert_eq!(server.get("/api/servers").await["meta"]["total"], 0);

    let arguments = ["--yes", "--vault-password-file", "password"];
    let (ok, stdout, stderr) = import(&server, folder.path(), &arguments);
    assert!(ok, "{stderr}");
    assert!(
        stdout.contains("db_password is encrypted") && stdout.contains("app_dir holds a template"),
        "{stdout}"
    );
    let web = only_server(&server).await;
    assert_eq!(web["metadata"], json!({"base": "/srv"}));
    // What came along once goes, what somebody has set since stays.
    let path = format!("/api/servers/{}", text(&web, "id"));
    for (app_dir, after) in [
        ("{{ base }}/app", json!({"base": "/srv"})),
        ("/opt/app", json!({"base": "/srv", "app_dir": "/opt/app"})),
    ] {
        let metadata = json!({"metadata": {"base": "/srv", "app_dir": app_dir, "db_password": "canary"}});
        server.request(reqwest::Method::PATCH, &path, Some(&metadata)).await;
        assert!(import(&server, folder.path(), &arguments).0);
        assert_eq!(only_server(&server).await["metadata"], after);
    }
    // Which of its hosts' variables are secret is not to be told of a whole inventory.
    encrypt(folder.path(), "hosts.ini");
    let (ok, _, stderr) = import(&server, folder.path(), &arguments);
    assert!(!ok && stderr.contains("encrypted it as a whole"), "{stderr}");
}

#[tokio::test]
async fn what_ansible_cfg_says_of_all_hosts_comes_along() {
    let server = AdmiralServer::start().await;
    let folder = folder_of(&[
        (
            "ansible.cfg",
            "[defaults]\nremote_user = deploy\nremote_port = 2222\nprivate_key_file = keys/common\n",
        ),
        (
            "hosts.ini",
            "[web]\nweb1 ansible_host=192.0.2.1\nweb2 ansible_port=22 ansible_ssh_private_key_file='{{ inventory_dir }}/keys/own'\n",
        ),
    ]);
    for name in ["common", "own"] {
        make_key(&folder.path().join("keys").join(name), "");
    }
    let (ok, _, stderr) = import(&server, folder.path(), &["--yes"]);
    assert!(ok, "{stderr}");
    let listed = server.get("/api/servers?sort=hostname").await;
    let told = |index: usize| {
        let row = &listed["data"][index];
        (
            row["ssh_username"].clone(),
            row["ssh_port"].clone(),
            row["private_key"]["name"].clone(),
        )
    };
    assert_eq!(told(0), (json!("deploy"), json!(2222), json!("common")));
    assert_eq!(told(1), (json!("deploy"), json!(22), json!("own")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_and_passphrases_are_asked_for() {
    let server = AdmiralServer::start().await;
    let shell = Shell::with(&server, &ansible_bins()[0]);
    let folder = shell.folder.path();
    make_key(&folder.join("key"), "of the key");
    shell.write("password", "open sesame\n");
    shell.write("group_vars/all.yml", "canary: 1\n");
    encrypt(folder, "group_vars/all.yml");
    shell.write(
        "hosts.ini",
        "web1 ansible_host=192.0.2.1 ansible_ssh_private_key_file=key\n",
    );
    shell.write_program(
        "ask",
        "#!/bin/sh\nprintf 'The word? ' >/dev/tty\nread -r word </dev/tty\nprintf '%s\\n' \"$word\"\n",
    );
    let import = [
        "admiral",
        "servers",
        "import",
        "-i",
        "hosts.ini",
        "--vault-password-file",
        "bin/ask",
    ];
    let mut user = shell.sit_down(&import);
    // To read the inventory, and to tell what of it is secret.
    for _ in 0..2 {
        user.read("The word? ");
        user.write("open sesame\n");
    }
    user.read("passphrase of key");
    user.write("of the key\n");
    user.read("import these?");
    user.write("y\n");
    let (code, shown) = user.wait();
    assert_eq!(code, 0, "{shown}");
    let web = only_server(&server).await;
    assert_eq!(
        (&web["private_key"]["name"], &web["metadata"]),
        (&json!("key"), &json!({}))
    );

    // Now it is there, and its public half tells that.
    shell.write(
        "hosts.ini",
        "web2 ansible_host=192.0.2.2 ansible_ssh_private_key_file=key\n",
    );
    let arguments = [
        "admiral",
        "servers",
        "import",
        "-i",
        "hosts.ini",
        "--vault-password-file",
        "password",
        "--yes",
    ];
    let output = shell.run(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = server.get("/api/servers?search=web2").await;
    assert_eq!(listed["data"][0]["private_key"]["name"], "key");
}
