//! SSH host keys are trusted on first use, kept, and a changed one is refused until somebody forgets the old one.

use crate::support::{
    server::{AdmiralServer, text},
    ssh_hosts::SshHosts,
};
use reqwest::Method;
use serde_json::{Value, json};

async fn ping(server: &AdmiralServer) -> (Value, Vec<Value>) {
    let deployment = server
        .post("/api/deployments", json!({"playbook": "builtin/ping.yml", "all": true}))
        .await;
    let id = text(&deployment, "id");
    (server.wait_for_end(&id).await, server.rows(&id).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_host_key_is_refused_until_it_is_forgotten() {
    let mut hosts = SshHosts::start();
    let server = AdmiralServer::start().await;
    let (key, public_key) = server.generate_key("fleet").await;
    hosts.authorize(&public_key);
    let id = server
        .add_server("web1", &SshHosts::address(0), hosts.port, &hosts.user, &key, &["web"])
        .await;

    let (deployment, _) = ping(&server).await;
    assert_eq!(deployment["status"], "completed", "{deployment}");
    let trusted = server.get(&format!("/api/servers/{id}")).await["host_keys"].clone();
    assert_eq!(trusted.as_array().map(Vec::len), Some(1), "{trusted}");

    hosts.replace_host_key();
    let (deployment, rows) = ping(&server).await;
    assert_eq!(deployment["reason"], "hosts_unreachable", "{deployment}");
    assert_eq!(rows[0]["status"], "unreachable");
    let message = text(&rows[0], "error_message");
    assert!(message.contains("host key") && message.contains("web1"), "{message}");
    assert_eq!(
        server.get(&format!("/api/servers/{id}")).await["host_keys"],
        trusted,
        "the old key stays"
    );

    let (status, answer) = server
        .request(Method::DELETE, &format!("/api/servers/{id}/host-keys"), None)
        .await;
    assert!(status.is_success(), "{answer}");
    let (deployment, _) = ping(&server).await;
    assert_eq!(deployment["status"], "completed", "{deployment}");
    assert_ne!(server.get(&format!("/api/servers/{id}")).await["host_keys"], trusted);
}
