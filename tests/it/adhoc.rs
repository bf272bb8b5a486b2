//! One module on the targets, launched as a deployment.

use crate::support::{
    launchpad::Launchpad,
    server::{AdmiralServer, text},
};
use serde_json::json;

#[tokio::test]
async fn a_command_is_frozen_once_and_can_be_retried() {
    let pad = Launchpad::new().await;
    let server = pad.add_server("web-1", &[], "active", true).await;
    let body = json!({ "command": { "module": "command", "arguments": "uptime -p" }, "server_ids": [server] });
    let launched = pad.launch(body.clone()).await;
    assert_eq!(
        (&launched["kind"], &launched["playbook"]),
        (&json!("adhoc"), &json!("command"))
    );
    assert_eq!(launched["name"], "command uptime -p");
    assert_eq!(
        launched["command"],
        json!({ "kind": "module", "module": "command", "arguments": "uptime -p" })
    );
    let again = pad.launch(body.clone()).await;
    assert_eq!(again["version"]["id"], launched["version"]["id"]);
    // No list shows what they are made of.
    let (_, packages) = pad.call("GET", "/api/packages", None).await;
    assert!(!packages.to_string().contains(".adhoc"), "{packages}");
    let (_, playbooks) = pad.call("GET", "/api/playbooks?search=adhoc", None).await;
    assert_eq!(playbooks["data"], json!([]));

    let both = json!({ "playbook": "builtin/ping.yml", "command": { "module": "ping" }, "server_ids": [server] });
    let wrong = json!({ "command": { "module": "include_tasks", "arguments": "x.yml" }, "server_ids": [server] });
    for (body, field) in [(both, "command"), (wrong, "command.module")] {
        let (status, problem) = pad.call("POST", "/api/deployments", Some(body)).await;
        assert_eq!(
            (status, &problem["errors"][0]["field"]),
            (422, &json!(field)),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn a_command_has_rows_as_a_playbook_does() {
    let server = AdmiralServer::start().await;
    server.add_local_servers(&["h1", "h2"]).await;
    let body = json!({
        "command": { "module": "ansible.builtin.debug", "arguments": "msg='hello from {{ inventory_hostname }}'" },
        "all": true,
    });
    let launched = server.post("/api/deployments", body).await;
    let id = text(&launched, "id");
    let ended = server.wait_for_end(&id).await;
    assert_eq!(
        (&ended["status"], &ended["counts"]["success"]),
        (&json!("completed"), &json!(2)),
        "{ended}"
    );
    let log = server.output(&id).await;
    assert!(log.contains("hello from h1") && log.contains("hello from h2"), "{log}");
}
