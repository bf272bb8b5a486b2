//! Signing in, and what happens to those who should not.

use crate::support::app::{ADMIN, ANONYMOUS, TestApp, cookie, json};
use admiral::{
    auth::{
        OneTimeLink,
        first_account::{self, FirstAccount},
    },
    domain::{clock::Clock as _, user::Role},
};
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::json as body;

const PASSWORD: &str = "correct horse battery";

#[tokio::test]
async fn a_session_begins_slides_and_ends() {
    let app = TestApp::start_empty().await;
    app.add_user("ada", Role::Operator, PASSWORD).await;
    let response = app.sign_in("ada", PASSWORD).await;
    assert_eq!(response.status(), 200);
    let header = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        header.contains("HttpOnly") && header.contains("SameSite=Lax") && !header.contains("Secure"),
        "{header}"
    );
    let token = cookie(&response);
    let (_, session) = json(response).await;
    assert_eq!(session["user"]["username"], "ada");
    // Used every eleven hours it lives on, but for seven days at most.
    for hours in (11..168).step_by(11) {
        app.clock.advance(TimeDelta::hours(11));
        assert_eq!(
            app.with_cookie(&token, Method::GET, "/api/session", &[]).await.status(),
            200,
            "{hours}"
        );
    }
    app.clock.advance(TimeDelta::hours(4));
    assert_eq!(
        app.with_cookie(&token, Method::GET, "/api/session", &[]).await.status(),
        401
    );
    // Unused for twelve hours it ends.
    let token = cookie(&app.sign_in("ada", PASSWORD).await);
    app.clock.advance(TimeDelta::hours(12));
    assert_eq!(
        app.with_cookie(&token, Method::GET, "/api/session", &[]).await.status(),
        401
    );
    // Signing in again ends the session that the browser came with.
    let old = cookie(&app.sign_in("ada", PASSWORD).await);
    let again = app
        .client
        .post(format!("{}/api/session", app.base))
        .header("cookie", &old)
        .json(&body!({"username": "ada", "password": PASSWORD}))
        .send()
        .await
        .unwrap();
    let new = cookie(&again);
    assert_eq!(
        app.with_cookie(&old, Method::GET, "/api/session", &[]).await.status(),
        401
    );
    // Signing out ends it.
    let origin = [("origin", app.base.as_str())];
    assert_eq!(
        app.with_cookie(&new, Method::DELETE, "/api/session", &origin)
            .await
            .status(),
        204
    );
    assert_eq!(
        app.with_cookie(&new, Method::GET, "/api/session", &[]).await.status(),
        401
    );
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_or_disabled_user_look_the_same() {
    let app = TestApp::start().await;
    app.add_user("ada", Role::Operator, PASSWORD).await;
    let off = app.add_user("off", Role::Operator, PASSWORD).await;
    assert_eq!(
        app.patch(ADMIN, &format!("/api/users/{off}"), body!({"disabled": true}))
            .await
            .status(),
        200
    );
    let mut answers = Vec::new();
    for (username, password) in [
        ("ada", "wrong"),
        ("nobody", PASSWORD),
        ("off", PASSWORD),
        ("viewer", ""),
    ] {
        let (status, mut problem) = json(app.sign_in(username, password).await).await;
        assert_eq!((status, problem["code"].as_str()), (401, Some("invalid_credentials")));
        problem.as_object_mut().unwrap().remove("request_id");
        answers.push(problem);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    let (_, log) = json(app.get(ADMIN, "/api/audit?outcome=failure").await).await;
    assert_eq!(log["meta"]["total"], 4);
    assert!(!log.to_string().contains(PASSWORD));
}

#[tokio::test]
async fn guessing_is_slowed_down_per_account() {
    let app = TestApp::start_empty().await;
    app.add_user("ada", Role::Operator, PASSWORD).await;
    for _ in 0..10 {
        assert_eq!(app.sign_in("ada", "wrong").await.status(), 401);
    }
    let refused = app.sign_in("ada", PASSWORD).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "900");
    assert_eq!(json(refused).await.1["code"], "too_many_requests");
    app.clock.advance(TimeDelta::minutes(15));
    assert_eq!(app.sign_in("ada", PASSWORD).await.status(), 200);
}

#[tokio::test]
async fn changes_by_cookie_come_from_our_own_pages_only() {
    let app = TestApp::start().await;
    app.add_user("ada", Role::Operator, PASSWORD).await;
    let token = cookie(&app.sign_in("ada", PASSWORD).await);
    for (headers, expected) in [
        (vec![], 403),
        (vec![("origin", "http://evil.example")], 403),
        (vec![("origin", "null")], 403),
        (vec![("sec-fetch-site", "cross-site")], 403),
        (vec![("sec-fetch-site", "same-origin")], 404),
        (vec![("origin", app.base.as_str())], 404),
    ] {
        let path = "/api/servers/00000000-0000-7000-8000-000000000000";
        let response = app.with_cookie(&token, Method::DELETE, path, &headers).await;
        let (status, problem) = json(response).await;
        assert_eq!(status, expected, "{headers:?}");
        assert_eq!(
            problem["code"],
            if expected == 403 {
                "origin_mismatch"
            } else {
                "not_found"
            }
        );
        assert_eq!(
            app.with_cookie(&token, Method::GET, "/api/servers", &headers)
                .await
                .status(),
            200
        );
    }
    // A foreign page may not sign its visitor in, either.
    let response = app
        .client
        .post(format!("{}/api/session", app.base))
        .header("origin", "http://evil.example")
        .json(&body!({"username": "ada", "password": PASSWORD}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 403);
    let (_, log) = json(app.get(ADMIN, "/api/audit?action=session.foreign_origin").await).await;
    assert_eq!(log["meta"]["total"], 4);
}

async fn new_link(app: &TestApp) -> OneTimeLink {
    match first_account::prepare(&app.database, &*app.clock).await.unwrap() {
        FirstAccount::NewLink(link) => link,
        other => panic!("{other:?}"),
    }
}

async fn renewed_link(app: &TestApp) -> Option<OneTimeLink> {
    let mut transaction = app.database.begin().await.unwrap();
    let link = first_account::renew_link(&mut transaction, app.clock.now())
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    link
}

fn token_of(link: &OneTimeLink) -> String {
    link.url_path().strip_prefix("/setup?token=").unwrap().to_owned()
}

#[tokio::test]
async fn the_first_admin_is_made_once() {
    let app = TestApp::start_empty().await;
    let state = |app: &TestApp| app.client.get(format!("{}/api/setup", app.base)).send();
    assert_eq!(json(state(&app).await.unwrap()).await.1, body!({"needed": true}));
    let older = token_of(&new_link(&app).await);
    // The next start makes no other one.
    let again = first_account::prepare(&app.database, &*app.clock).await.unwrap();
    assert!(matches!(again, FirstAccount::EarlierLink { .. }), "{again:?}");
    let token = token_of(&renewed_link(&app).await.expect("there is no account yet"));
    let setup = |token: String, password: &str| body!({"token": token, "username": "root", "password": password});

    let (status, problem) = json(app.post(ANONYMOUS, "/api/setup", setup(token.clone(), "short")).await).await;
    assert_eq!(
        (status, problem["errors"][0]["field"].as_str()),
        (422, Some("password"))
    );
    assert_eq!(
        app.post(ANONYMOUS, "/api/setup", setup(older, PASSWORD)).await.status(),
        401
    );
    let response = app.post(ANONYMOUS, "/api/setup", setup(token.clone(), PASSWORD)).await;
    assert_eq!(response.status(), 201);
    let session = cookie(&response);
    assert_eq!(json(response).await.1["user"]["role"], "admin");
    assert_eq!(
        app.with_cookie(&session, Method::GET, "/api/users", &[]).await.status(),
        200
    );
    assert_eq!(
        app.post(ANONYMOUS, "/api/setup", setup(token, PASSWORD)).await.status(),
        409
    );
    assert_eq!(json(state(&app).await.unwrap()).await.1, body!({"needed": false}));
    let after = first_account::prepare(&app.database, &*app.clock).await.unwrap();
    assert!(matches!(after, FirstAccount::Exists), "{after:?}");
    assert!(renewed_link(&app).await.is_none());
}

#[tokio::test]
async fn a_setup_link_ends_after_a_day() {
    let app = TestApp::start_empty().await;
    let token = token_of(&new_link(&app).await);
    app.clock.advance(TimeDelta::hours(24));
    let request = body!({"token": token, "username": "root", "password": PASSWORD});
    assert_eq!(app.post(ANONYMOUS, "/api/setup", request).await.status(), 401);
    new_link(&app).await;
}

#[tokio::test]
async fn a_sign_in_link_works_once_and_for_half_an_hour() {
    let app = TestApp::start().await;
    let id = app.add_user("ada", Role::Viewer, PASSWORD).await;
    let make = async || {
        let (status, link) = json(
            app.post(ADMIN, &format!("/api/users/{id}/sign-in-link"), body!({}))
                .await,
        )
        .await;
        assert_eq!(status, 201);
        link["url_path"]
            .as_str()
            .unwrap()
            .strip_prefix("/sign-in?token=")
            .unwrap()
            .to_owned()
    };
    let older = make().await;
    let token = make().await;
    let using = |token: &str| app.post(ANONYMOUS, "/api/session/link", body!({"token": token}));
    assert_eq!(using(&older).await.status(), 401);
    let response = using(&token).await;
    assert_eq!(response.status(), 200);
    assert_eq!(json(response).await.1["user"]["username"], "ada");
    assert_eq!(json(using(&token).await).await.1["code"], "invalid_link");
    let late = make().await;
    app.clock.advance(TimeDelta::minutes(30));
    assert_eq!(using(&late).await.status(), 401);
}
