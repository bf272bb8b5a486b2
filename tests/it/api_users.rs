//! Users and their tokens.

use crate::support::app::{ADMIN, ANONYMOUS, OPERATOR, TestApp, VIEWER, cookie, fields, json};
use admiral::domain::user::Role;
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json as body};

const PASSWORD: &str = "correct horse battery";

async fn with_token(app: &TestApp, token: &str) -> u16 {
    let request = app.client.get(format!("{}/api/servers", app.base)).bearer_auth(token);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn users_are_made_changed_and_deleted() {
    let app = TestApp::start().await;
    let new = body!({"username": "ada", "role": "operator", "password": PASSWORD});
    let (status, user) = json(app.post(ADMIN, "/api/users", new.clone()).await).await;
    assert_eq!(
        (status, user["role"].as_str(), user["disabled"].as_bool()),
        (201, Some("operator"), Some(false))
    );
    assert!(!user.to_string().contains("argon2"));
    let (status, problem) = json(app.post(ADMIN, "/api/users", new).await).await;
    assert_eq!((status, fields(&problem)), (409, vec!["username"]));
    let bad = body!({"username": "a b", "role": "operator", "password": "short"});
    assert_eq!(
        fields(&json(app.post(ADMIN, "/api/users", bad).await).await.1),
        ["username", "password"]
    );
    let (status, problem) = json(
        app.post(ADMIN, "/api/users", body!({"username": "x", "role": "god"}))
            .await,
    )
    .await;
    assert_eq!((status, fields(&problem)), (422, vec!["role"]));

    let path = format!("/api/users/{}", user["id"].as_str().unwrap());
    let session = cookie(&app.sign_in("ada", PASSWORD).await);
    let (_, changed) = json(app.patch(ADMIN, &path, body!({"role": "viewer"})).await).await;
    assert_eq!(changed["role"], "viewer");
    assert_eq!(
        app.with_cookie(&session, Method::GET, "/api/servers", &[])
            .await
            .status(),
        200
    );
    assert_eq!(
        app.patch(ADMIN, &path, body!({"password": "another long one"}))
            .await
            .status(),
        200
    );
    assert_eq!(
        app.with_cookie(&session, Method::GET, "/api/servers", &[])
            .await
            .status(),
        401
    );
    assert_eq!(app.sign_in("ada", PASSWORD).await.status(), 401);
    assert_eq!(app.sign_in("ada", "another long one").await.status(), 200);
    assert_eq!(app.patch(ADMIN, &path, body!({"username": "eve"})).await.status(), 422);
    assert_eq!(app.delete(ADMIN, &path).await.status(), 204);
    assert_eq!(app.delete(ADMIN, &path).await.status(), 404);

    let (_, list) = json(app.get(ADMIN, "/api/users?search=ERA&per_page=1").await).await;
    assert_eq!(list["data"][0]["username"], "operator");
    let (_, log) = json(app.get(ADMIN, "/api/audit?search=user.").await).await;
    assert!(!log.to_string().contains("argon2") && !log.to_string().contains(PASSWORD));
    assert_eq!(log["data"][0]["action"], "user.delete");
}

#[tokio::test]
async fn an_admin_always_remains() {
    let app = TestApp::start().await;
    let (_, list) = json(app.get(ADMIN, "/api/users?search=admin").await).await;
    let path = format!("/api/users/{}", list["data"][0]["id"].as_str().unwrap());
    assert_eq!(app.patch(ADMIN, &path, body!({"role": "viewer"})).await.status(), 409);
    assert_eq!(app.patch(ADMIN, &path, body!({"disabled": true})).await.status(), 409);
    assert_eq!(app.delete(ADMIN, &path).await.status(), 409);
    assert_eq!(app.get(ADMIN, "/api/users").await.status(), 200);
    app.add_user("second", Role::Admin, PASSWORD).await;
    assert_eq!(app.patch(ADMIN, &path, body!({"role": "viewer"})).await.status(), 200);
    assert_eq!(app.get(ADMIN, "/api/users").await.status(), 403);
}

#[tokio::test]
async fn tokens_expire_are_revoked_and_are_ones_own() {
    let app = TestApp::start().await;
    let (status, made) = json(
        app.post(OPERATOR, "/api/tokens", body!({"name": "ci", "expires_in_days": 2}))
            .await,
    )
    .await;
    assert_eq!(status, 201);
    let token = made["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("adm_"));
    assert_eq!(with_token(&app, &token).await, 200);
    assert_eq!(with_token(&app, &format!("{token}x")).await, 401);
    assert_eq!(with_token(&app, token.trim_start_matches("adm_")).await, 401);
    let (_, list) = json(app.get(OPERATOR, "/api/tokens").await).await;
    assert_eq!(list["data"][0]["name"], "ci");
    assert!(list["data"][0]["last_used_at"].is_string());
    assert!(!list.to_string().contains(&token));
    app.clock.advance(TimeDelta::days(2));
    assert_eq!(with_token(&app, &token).await, 401);

    let (_, made) = json(app.post(OPERATOR, "/api/tokens", body!({"name": "ci"})).await).await;
    let token = made["token"].as_str().unwrap();
    let path = format!("/api/tokens/{}", made["api_token"]["id"].as_str().unwrap());
    assert_eq!(app.delete(VIEWER, &path).await.status(), 404);
    let (_, others) = json(app.get(VIEWER, "/api/tokens").await).await;
    assert_eq!(others["meta"]["total"], 1);
    assert_eq!(with_token(&app, token).await, 200);
    assert_eq!(app.delete(OPERATOR, &path).await.status(), 204);
    assert_eq!(with_token(&app, token).await, 401);
    for wrong in [
        body!({"name": "", "expires_in_days": 0}),
        body!({"name": " ", "expires_in_days": 4000}),
    ] {
        let (status, problem) = json(app.post(OPERATOR, "/api/tokens", wrong).await).await;
        assert_eq!((status, fields(&problem)), (422, vec!["name", "expires_in_days"]));
    }
}

#[tokio::test]
async fn a_disabled_user_is_out_at_once() {
    let app = TestApp::start().await;
    let id = app.add_user("ada", Role::Viewer, PASSWORD).await;
    let session = cookie(&app.sign_in("ada", PASSWORD).await);
    assert_eq!(app.get(VIEWER, "/api/servers").await.status(), 200);
    let (_, list) = json(app.get(ADMIN, "/api/users?search=viewer").await).await;
    let viewer = list["data"][0]["id"].as_str().unwrap().to_owned();
    for id in [id.to_string(), viewer] {
        assert_eq!(
            app.patch(ADMIN, &format!("/api/users/{id}"), body!({"disabled": true}))
                .await
                .status(),
            200
        );
        assert_eq!(
            app.post(ADMIN, &format!("/api/users/{id}/sign-in-link"), Value::Null)
                .await
                .status(),
            409
        );
    }
    assert_eq!(
        app.with_cookie(&session, Method::GET, "/api/servers", &[])
            .await
            .status(),
        401
    );
    assert_eq!(app.get(VIEWER, "/api/servers").await.status(), 401);
    assert_eq!(app.get(ANONYMOUS, "/api/servers").await.status(), 401);
}
