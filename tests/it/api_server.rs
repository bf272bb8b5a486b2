//! What every answer has in common, and how the server behaves when something is wrong.

use crate::support::app::{ADMIN, ANONYMOUS, OPERATOR, TestApp, VIEWER, json};
use admiral::{api::local::LocalApi, domain::audit::AuditEntry, store::audit};
use reqwest::Method;
use serde_json::{Value, json as body};

#[tokio::test]
async fn every_answer_carries_its_id_and_the_security_headers() {
    let app = TestApp::start().await;
    for path in ["/api/health", "/api/nothing", "/"] {
        let response = app.get(ANONYMOUS, path).await;
        let headers = response.headers().clone();
        assert!(
            headers["content-security-policy"]
                .to_str()
                .unwrap()
                .contains("script-src 'self';")
        );
        assert_eq!(headers["x-content-type-options"], "nosniff");
        let id = headers["x-request-id"].to_str().unwrap().to_owned();
        if path == "/api/nothing" {
            assert_eq!(headers["content-type"], "application/problem+json");
            let (status, problem) = json(response).await;
            assert_eq!((status, problem["code"].as_str()), (404, Some("not_found")));
            assert_eq!(problem["request_id"], body!(id));
        }
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_the_same_form() {
    let app = TestApp::start().await;
    let response = app.send(OPERATOR, Method::PUT, "/api/servers", None).await;
    assert!(response.headers()["allow"].to_str().unwrap().contains("POST"));
    let (status, problem) = json(response).await;
    assert_eq!((status, problem["code"].as_str()), (405, Some("method_not_allowed")));
    let url = format!("{}/api/session", app.base);
    let post = |kind: &'static str, text: String| app.client.post(&url).header("content-type", kind).body(text).send();
    for (kind, text, status, code) in [
        ("text/plain", "{}".to_owned(), 415, "unsupported_media_type"),
        ("application/json", "{\"username\": ".to_owned(), 400, "malformed_body"),
        (
            "application/json",
            "{\"username\": \"x\", \"password\": \"x\"} x".to_owned(),
            400,
            "malformed_body",
        ),
        ("application/json", "[]".to_owned(), 422, "validation_failed"),
        (
            "application/json; charset=utf-8",
            format!("\"{}\"", "x".repeat(2 << 20)),
            413,
            "payload_too_large",
        ),
    ] {
        let (got, problem) = json(post(kind, text).await.unwrap()).await;
        assert_eq!((got, problem["code"].as_str()), (status, Some(code)), "{problem}");
    }
}

#[tokio::test]
async fn health_says_when_the_database_is_gone() {
    let app = TestApp::start().await;
    let (status, health) = json(app.get(ANONYMOUS, "/api/health").await).await;
    assert_eq!(
        (status, health["status"].as_str(), health["database"].as_str()),
        (200, Some("ok"), Some("ok"))
    );
    app.database.close().await;
    let (status, health) = json(app.get(ANONYMOUS, "/api/health").await).await;
    assert_eq!((status, health["status"].as_str()), (503, Some("degraded")));
    assert_eq!(health["database"], "unavailable");
    let (status, problem) = json(app.get(VIEWER, "/api/servers").await).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("unavailable")));
}

#[tokio::test]
async fn the_audit_log_takes_no_change() {
    let app = TestApp::start().await;
    let mut connection = app.database.acquire().await.unwrap();
    audit::record(&mut connection, &AuditEntry::by_name("tests", "test.try"))
        .await
        .unwrap();
    for statement in [
        "UPDATE admiral.audit_log SET actor_name = 'x'",
        "DELETE FROM admiral.audit_log",
        "TRUNCATE admiral.audit_log",
    ] {
        let refused = sqlx::query(statement).execute(&mut *connection).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
}

#[tokio::test]
async fn the_local_command_line_has_an_admins_powers() {
    let app = TestApp::start().await;
    let local = LocalApi::new(app.state.clone()).named("root@here");
    let response = local
        .request("POST", "/api/users", Some(body!({"username": "ada", "role": "admin"})))
        .await;
    assert_eq!(response.status, 201);
    let response = local.request("GET", "/api/users?search=ada", None).await;
    assert_eq!(response.content_type.as_deref(), Some("application/json"));
    let list: Value = response.json().await.unwrap();
    assert_eq!(list["meta"]["total"], 1);
    let (_, log) = json(app.get(ADMIN, "/api/audit?action=user.create").await).await;
    assert_eq!(log["data"][0]["actor_name"], "root@here");
    assert_eq!(local.request("GET", "not a path", None).await.status, 400);
}

#[tokio::test]
async fn pages_of_the_console_are_answered_without_signing_in() {
    let app = TestApp::start().await;
    for path in ["/", "/deployments/5", "/setup?token=x"] {
        let status = app.get(ANONYMOUS, path).await.status().as_u16();
        // 503 with a hint while the console is not part of the build.
        assert!(status == 200 || status == 503, "{path}: {status}");
    }
    assert_eq!(app.get(ANONYMOUS, "/assets/none.js").await.status(), 404);
    assert_eq!(app.post(ANONYMOUS, "/", body!({})).await.status(), 405);
}
