//! Ansible itself calls our inventory script from a plain shell, and nothing is left behind however it ends.

use crate::support::{
    ansible::ansible_bins,
    processes,
    server::{AdmiralServer, PATIENCE, text},
    ssh_hosts::SshHosts,
};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ansible/inventory/admiral")
}

fn ansible(server: &AdmiralServer, bin: &Path) -> Command {
    let mut command = Command::new(bin.join("ansible"));
    command
        .arg("-i")
        .arg(script())
        .env("ADMIRAL_BIN", env!("CARGO_BIN_EXE_admiral"))
        .env("ADMIRAL_DATA_DIR", server.folder.path().join("data"))
        .env("DATABASE_URL", &server.database.url)
        .env("HOME", server.folder.path())
        // What Admiral trusts is enough; nothing is added to the known hosts of the person who runs the tests.
        .env("ANSIBLE_SSH_ARGS", "-o ControlMaster=no -o StrictHostKeyChecking=yes")
        .stdin(Stdio::null());
    command
}

/// Folders of decrypted keys that direct inventory calls made.
fn key_folders() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for parent in std::fs::read_dir("/dev/shm").expect("/dev/shm is there").flatten() {
        if parent.file_name().to_string_lossy().starts_with("admiral-") {
            for folder in std::fs::read_dir(parent.path()).into_iter().flatten().flatten() {
                if folder.file_name().to_string_lossy().starts_with("inv-") {
                    found.push(folder.path());
                }
            }
        }
    }
    found
}

fn wait_until_gone(before: &[PathBuf]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left: Vec<_> = key_folders()
            .into_iter()
            .filter(|folder| !before.contains(folder))
            .collect();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "left behind: {left:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

async fn fleet(hosts: &SshHosts) -> AdmiralServer {
    let server = AdmiralServer::start().await;
    let (key, public_key) = server.generate_key("fleet").await;
    hosts.authorize(&public_key);
    for n in 0..3 {
        let tags: &[&str] = if n == 0 { &["web"] } else { &["db", "east"] };
        server
            .add_server(
                &format!("host{n}"),
                &SshHosts::address(n),
                hosts.port,
                &hosts.user,
                &key,
                tags,
            )
            .await;
    }
    // Admiral meets the hosts, and trusts their keys from then on.
    let deployment = server
        .post("/api/deployments", json!({"playbook": "builtin/ping.yml", "all": true}))
        .await;
    let deployment = server.wait_for_end(&text(&deployment, "id")).await;
    assert_eq!(deployment["status"], "completed", "{deployment}");
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ansible_pings_the_fleet_through_the_inventory_script() {
    let hosts = SshHosts::start();
    let server = fleet(&hosts).await;
    for bin in ansible_bins() {
        let before = key_folders();
        let output = ansible(&server, &bin)
            .args(["all", "-m", "ping"])
            .output()
            .expect("ansible runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert_eq!(said.matches("\"ping\": \"pong\"").count(), 3, "{said}");
        wait_until_gone(&before);

        let output = ansible(&server, &bin)
            .args(["all", "--list-hosts"])
            .env("ANSIBLE_TAGS", "db,east")
            .output()
            .expect("ansible runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            said.contains("host1") && said.contains("host2") && !said.contains("host0"),
            "{said}"
        );
        wait_until_gone(&before);
    }
}

/// In a shell where `ADMIRAL_SERVER` is set, the inventory is the server's. Nothing is made here, and no key is handed out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_inventory_of_a_running_server_has_no_keys_and_makes_nothing() {
    let server = AdmiralServer::start().await;
    let (key, _) = server.generate_key("fleet").await;
    server
        .add_server("host0", "192.0.2.1", 22, "root", &key, &["web"])
        .await;
    server.add_server("host1", "192.0.2.2", 22, "root", &key, &["db"]).await;
    let nothing = server.folder.path().join("nothing");
    let remote = |program: &mut Command| {
        program
            .env("ADMIRAL_SERVER", &server.url)
            .env("ADMIRAL_TOKEN", server.token())
            .env("ADMIRAL_DATA_DIR", &nothing)
            .env_remove("DATABASE_URL")
            .output()
            .expect("it runs")
    };
    let before = key_folders();
    let output = remote(ansible(&server, &ansible_bins()[0]).args(["web", "--list-hosts"]));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("host0") && !said.contains("host1"), "{said}");
    let output = remote(ansible(&server, &ansible_bins()[0]).args([
        "host1",
        "-m",
        "debug",
        "-a",
        "var=hostvars[inventory_hostname]",
    ]));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("192.0.2.2") && !said.contains("private_key_file"),
        "{said}"
    );
    assert_eq!(key_folders(), before, "no key was opened");

    let admiral = |arguments: &[&str]| {
        let output = remote(
            Command::new(env!("CARGO_BIN_EXE_admiral"))
                .args(arguments)
                .stdin(Stdio::null()),
        );
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, listed, _) = admiral(&["inventory", "--list"]);
    assert!(code == Some(0) && listed.contains("host1"), "{listed}");
    let (code, host, _) = admiral(&["inventory", "--host", "host0"]);
    assert!(code == Some(0) && host.contains("192.0.2.1"), "{host}");
    let (code, printed, refused) = admiral(&["inventory", "--list", "--with-keys"]);
    assert_eq!((code, printed.as_str()), (Some(2), ""), "{refused}");
    assert!(refused.contains("a server hands no private key out"), "{refused}");
    let (code, _, lost) = admiral(&["inventory", "--list", "--server", "http://127.0.0.1:1"]);
    assert!(
        code == Some(1) && lost.contains("failed to reach http://127.0.0.1:1"),
        "{lost}"
    );
    assert!(!nothing.exists(), "no installation was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_ansible_leaves_nothing_behind() {
    let hosts = SshHosts::start();
    let server = fleet(&hosts).await;
    let before = key_folders();
    let mut child = ansible(&server, &ansible_bins()[0])
        .args(["all", "-m", "command", "-a", "sleep 300"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("ansible runs");
    let deadline = Instant::now() + PATIENCE;
    while key_folders().iter().all(|folder| before.contains(folder))
        || !processes::all()
            .values()
            .any(|process| process.command.contains("sleep 300"))
    {
        assert!(Instant::now() < deadline, "ansible did not get as far as its hosts");
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().expect("ansible runs");
    child.wait().expect("ansible was started");
    wait_until_gone(&before);
    Command::new("pkill").args(["-KILL", "-f", "sleep 300"]).status().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_selection_of_nothing_is_an_error_and_never_everything() {
    let hosts = SshHosts::start();
    let server = fleet(&hosts).await;
    for (name, value) in [
        ("ANSIBLE_SERVER_IDS", "999999"),
        ("ANSIBLE_TAGS", "web,db"),
        ("ANSIBLE_STATUS", "asleep"),
        ("ANSIBLE_TAGS", ""),
    ] {
        let output = server
            .command()
            .args(["inventory", "--list"])
            .env(name, value)
            .output()
            .expect("admiral runs");
        assert!(!output.status.success(), "{name}={value:?} was accepted");
        assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(!output.stderr.is_empty());
    }
    let output = server
        .command()
        .args(["inventory", "--host", "host0"])
        .output()
        .expect("admiral runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let variables: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(variables["ansible_host"]["__ansible_unsafe"], SshHosts::address(0));
}
