//! Every endpoint × every role has an expected answer; a new endpoint without one fails.

use crate::support::{
    app::{ADMIN, ANONYMOUS, AUDITOR, As, OPERATOR, TestApp, VIEWER},
    server::PATIENCE,
};
use admiral::auth::policy::{Action, allows};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// An id that nothing has.
const NOBODY: &str = "00000000-0000-7000-8000-000000000000";

/// Who is let through; all others get 403, and nobody 401.
#[derive(Clone, Copy)]
enum Who {
    Everybody,
    SignedIn,
    Operators,
    Auditors,
    Admins,
}

impl Who {
    fn includes(self, who: As) -> bool {
        match self {
            Self::Everybody => true,
            Self::SignedIn => who != ANONYMOUS,
            Self::Operators => who == ADMIN || who == OPERATOR,
            Self::Auditors => who == ADMIN || who == AUDITOR,
            Self::Admins => who == ADMIN,
        }
    }
}

/// Method, path as in the document, who is let through, a body that passes the checks that come before the role.
fn table() -> Vec<(&'static str, &'static str, Who, Option<Value>)> {
    vec![
        ("get", "/api/health", Who::Everybody, None),
        ("get", "/api/openapi.json", Who::SignedIn, None),
        ("get", "/api/setup", Who::Everybody, None),
        (
            "post",
            "/api/setup",
            Who::Everybody,
            Some(json!({"token": "x", "username": "x", "password": "long enough to pass"})),
        ),
        ("get", "/api/session", Who::SignedIn, None),
        (
            "post",
            "/api/session",
            Who::Everybody,
            Some(json!({"username": "x", "password": "x"})),
        ),
        ("post", "/api/session/link", Who::Everybody, Some(json!({"token": "x"}))),
        ("delete", "/api/session", Who::SignedIn, None),
        ("get", "/api/sessions", Who::SignedIn, None),
        ("delete", "/api/sessions", Who::SignedIn, None),
        ("delete", "/api/sessions/{id}", Who::SignedIn, None),
        (
            "post",
            "/api/account/password",
            Who::SignedIn,
            Some(json!({"current_password": "x", "new_password": "x"})),
        ),
        ("get", "/api/users", Who::Admins, None),
        (
            "post",
            "/api/users",
            Who::Admins,
            Some(json!({"username": "new", "role": "viewer"})),
        ),
        ("patch", "/api/users/{id}", Who::Admins, Some(json!({}))),
        ("delete", "/api/users/{id}", Who::Admins, None),
        ("post", "/api/users/{id}/sign-in-link", Who::Admins, None),
        ("get", "/api/tokens", Who::SignedIn, None),
        ("post", "/api/tokens", Who::SignedIn, Some(json!({"name": "ci"}))),
        ("delete", "/api/tokens/{id}", Who::SignedIn, None),
        ("get", "/api/servers", Who::SignedIn, None),
        (
            "post",
            "/api/servers",
            Who::Operators,
            Some(json!({"hostname": "web-1", "ssh_host": "192.0.2.1"})),
        ),
        (
            "post",
            "/api/servers/import",
            Who::Operators,
            Some(json!({"inventory": {"_meta": {"hostvars": {}}}})),
        ),
        ("get", "/api/servers/{id}", Who::SignedIn, None),
        ("patch", "/api/servers/{id}", Who::Operators, Some(json!({}))),
        ("delete", "/api/servers/{id}", Who::Operators, None),
        ("delete", "/api/servers/{id}/host-keys", Who::Operators, None),
        ("get", "/api/server-tags", Who::SignedIn, None),
        ("get", "/api/keys", Who::SignedIn, None),
        (
            "post",
            "/api/keys",
            Who::Operators,
            Some(json!({"name": "k", "private_key": "x"})),
        ),
        ("post", "/api/keys/generate", Who::Operators, Some(json!({"name": "k"}))),
        ("get", "/api/keys/{id}", Who::SignedIn, None),
        ("patch", "/api/keys/{id}", Who::Operators, Some(json!({}))),
        ("delete", "/api/keys/{id}", Who::Operators, None),
        ("get", "/api/galaxy-servers", Who::SignedIn, None),
        (
            "post",
            "/api/galaxy-servers",
            Who::Admins,
            Some(json!({"name": "hub", "url": "https://hub.example.org/"})),
        ),
        ("patch", "/api/galaxy-servers/{id}", Who::Admins, Some(json!({}))),
        ("delete", "/api/galaxy-servers/{id}", Who::Admins, None),
        ("get", "/api/vault-passwords", Who::SignedIn, None),
        (
            "post",
            "/api/vault-passwords",
            Who::Operators,
            Some(json!({"vault_id": "prod", "password": "x"})),
        ),
        (
            "patch",
            "/api/vault-passwords/{id}",
            Who::Operators,
            Some(json!({"password": "x"})),
        ),
        ("delete", "/api/vault-passwords/{id}", Who::Operators, None),
        ("get", "/api/audit", Who::Auditors, None),
        ("get", "/metrics", Who::SignedIn, None),
        ("get", "/api/settings", Who::SignedIn, None),
        ("patch", "/api/settings", Who::Admins, Some(json!({}))),
        ("get", "/api/packages", Who::SignedIn, None),
        ("post", "/api/packages", Who::Operators, None),
        ("post", "/api/packages/inspect", Who::Operators, None),
        ("get", "/api/packages/{id}", Who::SignedIn, None),
        (
            "patch",
            "/api/packages/{id}",
            Who::Operators,
            Some(json!({"entry_points": ["site.yml"]})),
        ),
        ("delete", "/api/packages/{id}", Who::Operators, None),
        ("get", "/api/packages/{id}/versions", Who::SignedIn, None),
        (
            "post",
            "/api/packages/{id}/versions",
            Who::Operators,
            Some(json!({"base_version_id": NOBODY, "changes": []})),
        ),
        (
            "get",
            "/api/packages/{id}/versions/{version_id}/files",
            Who::SignedIn,
            None,
        ),
        (
            "get",
            "/api/packages/{id}/versions/{version_id}/file",
            Who::SignedIn,
            None,
        ),
        ("get", "/api/packages/{id}/diff", Who::SignedIn, None),
        (
            "post",
            "/api/packages/{id}/rollback",
            Who::Operators,
            Some(json!({"base_version_id": NOBODY, "version_id": NOBODY})),
        ),
        (
            "post",
            "/api/packages/{id}/versions/{version_id}/review",
            Who::Operators,
            None,
        ),
        (
            "get",
            "/api/packages/{id}/versions/{version_id}/findings",
            Who::SignedIn,
            None,
        ),
        (
            "post",
            "/api/packages/{id}/check",
            Who::Operators,
            Some(json!({"base_version_id": NOBODY, "changes": []})),
        ),
        ("get", "/api/playbooks", Who::SignedIn, None),
        ("get", "/api/playbooks/content", Who::SignedIn, None),
        ("get", "/api/playbooks/form", Who::SignedIn, None),
        (
            "post",
            "/api/forms/parse",
            Who::SignedIn,
            Some(json!({"text": "fields: []"})),
        ),
        ("get", "/api/presets", Who::SignedIn, None),
        (
            "post",
            "/api/presets",
            Who::Operators,
            Some(json!({"playbook": "builtin/ping.yml", "name": "x"})),
        ),
        ("patch", "/api/presets/{id}", Who::Operators, Some(json!({}))),
        ("delete", "/api/presets/{id}", Who::Operators, None),
        ("get", "/api/environments", Who::SignedIn, None),
        ("post", "/api/environments", Who::Operators, Some(json!({"name": "x"}))),
        ("patch", "/api/environments/{id}", Who::Operators, Some(json!({}))),
        ("delete", "/api/environments/{id}", Who::Operators, None),
        ("get", "/api/projects", Who::SignedIn, None),
        (
            "post",
            "/api/projects",
            Who::Operators,
            Some(json!({"name": "site", "url": "https://example.org/site.git"})),
        ),
        ("get", "/api/projects/{id}", Who::SignedIn, None),
        ("patch", "/api/projects/{id}", Who::Operators, Some(json!({}))),
        ("delete", "/api/projects/{id}", Who::Operators, None),
        ("post", "/api/projects/{id}/sync", Who::Operators, None),
        ("post", "/api/webhooks/{id}", Who::Everybody, Some(json!({}))),
        ("get", "/api/deployments", Who::SignedIn, None),
        (
            "post",
            "/api/deployments",
            Who::Operators,
            Some(json!({"playbook": "builtin/ping.yml", "all": true})),
        ),
        (
            "post",
            "/api/deployments/preview",
            Who::Operators,
            Some(json!({"playbook": "builtin/ping.yml", "all": true})),
        ),
        ("get", "/api/deployments/{id}", Who::SignedIn, None),
        ("get", "/api/deployments/{id}/servers", Who::SignedIn, None),
        ("get", "/api/deployments/{id}/runs", Who::SignedIn, None),
        ("get", "/api/deployments/{id}/events", Who::SignedIn, None),
        ("get", "/api/deployments/{id}/output", Who::SignedIn, None),
        ("get", "/api/deployments/{id}/stream", Who::SignedIn, None),
        ("post", "/api/deployments/{id}/cancel", Who::Operators, Some(json!({}))),
        ("post", "/api/deployments/{id}/retry", Who::Operators, Some(json!({}))),
        (
            "post",
            "/api/recordings",
            Who::Operators,
            Some(
                json!({"id": "00000000-0000-7000-8000-000000000000", "words": ["ansible-playbook", "a.yml"], "folder": "/",
                        "machine": "m", "playbook": "a.yml", "started_at": "2026-01-01T00:00:00Z", "kind": "playbook"}),
            ),
        ),
        ("put", "/api/recordings/{id}/events", Who::Operators, None),
        ("put", "/api/recordings/{id}/output", Who::Operators, None),
        ("post", "/api/recordings/{id}/finish", Who::Operators, Some(json!({}))),
        ("get", "/api/stream", Who::SignedIn, None),
        ("get", "/api/workers", Who::SignedIn, None),
        ("post", "/api/workers/{id}/drain", Who::Admins, None),
        ("delete", "/api/workers/{id}/drain", Who::Admins, None),
    ]
}

#[tokio::test]
async fn every_endpoint_answers_every_role_as_expected() {
    let app = TestApp::start().await;
    let document: Value = serde_json::from_str(&admiral::api::openapi_document()).unwrap();
    let mut documented = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            documented.insert((method.clone(), path.clone()));
        }
    }
    let table = table();
    let expected: BTreeSet<_> = table
        .iter()
        .map(|(method, path, ..)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(
        documented, expected,
        "the table of roles and the OpenAPI document differ"
    );

    for (method, path, who, body) in table {
        let real = path.replace("{id}", NOBODY).replace("{version_id}", NOBODY);
        for role in [ANONYMOUS, VIEWER, OPERATOR, AUDITOR, ADMIN] {
            let verb = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let response = app.send(role, verb, &real, body.clone()).await;
            let status = response.status().as_u16();
            // A stream has no end to wait for.
            let is_stream = response
                .headers()
                .get("content-type")
                .is_some_and(|kind| kind == "text/event-stream");
            let body: Value = if is_stream {
                Value::Null
            } else {
                response.json().await.unwrap_or_default()
            };
            let code = body["code"].as_str().unwrap_or_default().to_owned();
            let told = format!("{method} {path} as {role:?}: {status} {body}");
            if who.includes(role) {
                assert!(status != 403 && code != "unauthenticated" && status < 500, "{told}");
            } else if role == ANONYMOUS {
                assert_eq!((status, code.as_str()), (401, "unauthenticated"), "{told}");
            } else {
                assert_eq!((status, code.as_str()), (403, "forbidden"), "{told}");
            }
        }
    }
}

#[tokio::test]
async fn refusals_are_audited() {
    let app = TestApp::start().await;
    assert_eq!(app.get(VIEWER, "/api/users").await.status(), 403);
    let records: Value = app
        .get(AUDITOR, "/api/audit?outcome=denied")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(records["meta"]["total"], 1);
    assert_eq!(records["data"][0]["actor_name"], "viewer");
    assert_eq!(records["data"][0]["action"], "user.manage");
    assert_eq!(records["data"][0]["address"], "127.0.0.1");
}

/// Operations that are open to everybody; all others name the permission that they need.
const OPEN: [(&str, &str); 6] = [
    ("get", "/api/health"),
    ("get", "/api/setup"),
    ("post", "/api/session"),
    ("post", "/api/session/link"),
    ("post", "/api/setup"),
    ("post", "/api/webhooks/{id}"),
];

/// Walks every operation of the document. A caller without the permission is refused at once, although the announced body is large and never
/// sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_role_is_checked_before_the_body_is_read() {
    let app = TestApp::start().await;
    let document: Value = serde_json::from_str(&admiral::api::openapi_document()).unwrap();
    let mut walked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let told = format!("{method} {path}");
            let permission = &operation["x-permission"];
            if OPEN.contains(&(method.as_str(), path.as_str())) {
                assert_eq!(
                    (permission, &operation["security"]),
                    (&Value::Null, &json!([{}])),
                    "{told}"
                );
                continue;
            }
            let action: Action = permission.as_str().unwrap_or_default().parse().unwrap_or_else(|_| {
                panic!("{told} declares no `x-permission`");
            });
            walked += 1;
            for role in [ANONYMOUS, VIEWER, OPERATOR, AUDITOR] {
                let expected = match role {
                    As::Anonymous => "401",
                    As::Role(role) if !allows(role, action) => "403",
                    As::Role(_) => continue,
                };
                let authorization = app
                    .token(role)
                    .map(|token| format!("authorization: Bearer {token}\r\n"))
                    .unwrap_or_default();
                let mut stream = TcpStream::connect(app.base.trim_start_matches("http://"))
                    .await
                    .unwrap();
                let head = format!(
                    "{} {} HTTP/1.1\r\nhost: x\r\n{authorization}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    method.to_uppercase(),
                    path.replace("{id}", NOBODY).replace("{version_id}", NOBODY),
                    60 * 1024 * 1024,
                );
                stream.write_all(head.as_bytes()).await.unwrap();
                let mut answer = [0; 12];
                let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer)).await;
                read.unwrap_or_else(|_| panic!("{told} as {role:?} waits for the body"))
                    .unwrap();
                assert_eq!(String::from_utf8_lossy(&answer[9..]), expected, "{told} as {role:?}");
            }
        }
    }
    assert!(walked > 80, "{walked}");
}
