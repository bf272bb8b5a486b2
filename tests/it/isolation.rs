//! Where runs cannot be isolated, nothing of others is run; and what a run may change of its controller is up to admins.

use crate::support::{
    ansible::ansible_bins,
    server::{AdmiralServer, Beginning, Terms, text},
    ssh_hosts::SshHosts,
};
use admiral::{
    auth::tokens::{self, TokenSpec},
    domain::{
        clock::{Clock as _, SystemClock, new_id},
        user::Role,
    },
    store::users,
};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

const LOCAL: &str = "- hosts: all\n  connection: local\n  gather_facts: false\n  tasks:\n    - ansible.builtin.command: touch {{ path }}\n";

/// A folder for `PATH` that has all programs of the system but bubblewrap.
fn programs_without_bubblewrap(folder: &Path) -> String {
    fs::create_dir(folder).unwrap();
    for system in ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"] {
        for entry in fs::read_dir(system).unwrap().flatten() {
            if entry.file_name() != "bwrap" {
                let _there_already = symlink(entry.path(), folder.join(entry.file_name()));
            }
        }
    }
    folder.to_string_lossy().into_owned()
}

async fn start(environment: &[(&str, &str)], arguments: &[&str]) -> AdmiralServer {
    AdmiralServer::start_at(Beginning {
        folder: tempfile::tempdir().unwrap(),
        ansible: &ansible_bins()[0],
        embedded: false,
        arguments,
        environment,
        terms: Terms::default(),
    })
    .await
}

async fn launch(server: &AdmiralServer, body: Value) -> (StatusCode, Value) {
    server.request(Method::POST, "/api/deployments", Some(&body)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_isolation_only_builtin_playbooks_are_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = programs_without_bubblewrap(&folder.path().join("programs"));
    let server = start(&[("PATH", &path)], &[]).await;
    assert!(server.log().contains("RUNS CANNOT BE ISOLATED"), "{}", server.log());
    let hosts = SshHosts::start();
    let (key, public) = server.generate_key("fleet").await;
    hosts.authorize(&public);
    let address = SshHosts::address(1);
    server
        .add_server("h1", &address, hosts.port, &hosts.user, &key, &[])
        .await;
    let workers = server.get("/api/workers").await;
    assert_eq!(workers["data"][0]["isolation"], "unavailable", "{workers}");

    let playbook = server.add_playbook("own", LOCAL);
    let planted = folder.path().join("planted");
    for body in [
        json!({"playbook": playbook, "all": true, "variables": {"path": planted}}),
        json!({"command": {"module": "ansible.builtin.command", "arguments": format!("touch {}", planted.display())}, "all": true}),
    ] {
        let (status, problem) = launch(&server, body).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::CONFLICT, &json!("isolation_unavailable")),
            "{problem}"
        );
    }
    // A look at what was uploaded would run it too.
    let script = format!(
        "- import_playbook: \"{{{{ lookup('ansible.builtin.pipe', 'touch {}') }}}}\"\n",
        planted.display()
    );
    let (status, looked_at) = server
        .upload(
            "/api/packages/inspect?file_name=look.yml&with_ansible=true",
            script.into_bytes(),
        )
        .await;
    assert!(
        status == StatusCode::OK
            && looked_at
                .to_string()
                .contains("isolation is required and does not work here"),
        "{status} {looked_at}"
    );
    assert!(!planted.exists());

    let (status, deployment) = launch(&server, json!({"playbook": "builtin/ping.yml", "all": true})).await;
    assert_eq!(status, StatusCode::CREATED, "{deployment}");
    let deployment = server.wait_for_end(&text(&deployment, "id")).await;
    assert_eq!(
        (&deployment["status"], &deployment["isolation"]),
        (&json!("completed"), &json!("none")),
        "{deployment}"
    );

    let doctor = server
        .command()
        .arg("doctor")
        .env("PATH", path_of(&folder))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(
        !doctor.status.success() && said.contains("runs cannot be isolated"),
        "{said}"
    );
    let strict = server
        .command()
        .args(["serve", "--isolation", "strict", "--listen", "127.0.0.1:0"])
        .env("PATH", path_of(&folder))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&strict.stderr);
    assert!(
        !strict.status.success() && said.contains("runs cannot be isolated on this machine"),
        "{said}"
    );
}

fn path_of(folder: &tempfile::TempDir) -> String {
    folder.path().join("programs").to_string_lossy().into_owned()
}

/// An operator's token.
async fn operator(server: &AdmiralServer) -> String {
    let mut connection = server.database.database.acquire().await.unwrap();
    let user = users::insert_user(&mut connection, new_id(), "operator", Role::Operator, None)
        .await
        .unwrap();
    let spec = TokenSpec {
        user_id: user.id,
        name: "tests",
        role: Role::Operator,
        expires_at: None,
        made_with: None,
    };
    let (token, _) = tokens::create(&mut connection, spec, SystemClock.now()).await.unwrap();
    token.expose_secret().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_admins_open_the_controller_to_a_run() {
    let server = start(&[], &[]).await;
    server.add_local_servers(&["h1"]).await;
    let playbook = server.add_playbook("own", LOCAL);
    let outside = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::set_permissions(outside.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let body = |path: &str, options: Value| json!({"playbook": playbook, "all": true, "variables": {"path": outside.path().join(path)}, "options": options});

    let token = operator(&server).await;
    for options in [
        json!({"controller": "writable"}),
        json!({"writable_paths": [outside.path()]}),
    ] {
        let request = reqwest::Client::new().post(format!("{}/api/deployments", server.url));
        let answer = request
            .bearer_auth(&token)
            .json(&body("x", options))
            .send()
            .await
            .unwrap();
        assert_eq!(
            answer.status(),
            StatusCode::FORBIDDEN,
            "{}",
            answer.text().await.unwrap()
        );
    }
    for (path, options, isolation, written) in [
        ("read-only", json!({}), "strict", false),
        ("granted", json!({"writable_paths": [outside.path()]}), "strict", true),
        ("open", json!({"controller": "writable"}), "controller_writable", true),
    ] {
        let deployment = server.post("/api/deployments", body(path, options)).await;
        let deployment = server.wait_for_end(&text(&deployment, "id")).await;
        assert_eq!(deployment["isolation"], isolation);
        assert_eq!(deployment["status"] == "completed", written, "{deployment}");
        assert_eq!(outside.path().join(path).exists(), written, "{path}");
    }
    // Nobody opens Admiral's own data, or the system's.
    for path in [
        server.data.as_path(),
        server.folder.path(),
        Path::new("/run"),
        Path::new("/no/such/folder"),
    ] {
        let deployment = server
            .post("/api/deployments", body("x", json!({"writable_paths": [path]})))
            .await;
        let deployment = server.wait_for_end(&text(&deployment, "id")).await;
        assert_eq!(deployment["reason"], "launch_error", "{deployment}");
        let message = text(&deployment, "message");
        assert!(
            message.contains("failed to open") && message.contains(&*path.to_string_lossy()),
            "{message}"
        );
    }
    for path in ["relative", "/", "/srv/../etc", ""] {
        let (status, problem) = launch(&server, body("x", json!({"writable_paths": [path]}))).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_can_do_without_isolation() {
    let server = start(&[], &["--isolation", "none"]).await;
    assert!(server.log().contains("ISOLATION IS OFF"), "{}", server.log());
    server.add_local_servers(&["h1"]).await;
    let outside = tempfile::tempdir().unwrap();
    let playbook = server.add_playbook("own", LOCAL);
    let path = outside.path().join("file");
    let deployment = server
        .post(
            "/api/deployments",
            json!({"playbook": playbook, "all": true, "variables": {"path": path}}),
        )
        .await;
    let deployment = server.wait_for_end(&text(&deployment, "id")).await;
    assert_eq!(
        (&deployment["status"], &deployment["isolation"]),
        (&json!("completed"), &json!("none")),
        "{deployment}"
    );
    assert!(path.exists());
    let workers = server.get("/api/workers").await;
    assert_eq!(workers["data"][0]["isolation"], "none", "{workers}");
}
