//! Passwords, sessions, API tokens and sign-in links, and how each of them ends.

#![expect(
    clippy::print_stderr,
    reason = "shows how long streams went on, which no test may assert"
)]

use crate::support::{
    app::{ADMIN, ANONYMOUS, As, OPERATOR, TestApp, VIEWER, cookie, fields, json},
    server::AdmiralServer,
};
use admiral::{
    auth::{self, tokens::TokenSpec},
    domain::{
        clock::{Clock as _, new_id},
        user::Role,
    },
    store::{
        links,
        notifications::{Listener, Notification},
        users,
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use reqwest::{Method, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json as body};
use std::time::{Duration, Instant};
use uuid::Uuid;

const PASSWORD: &str = "correct horse battery";
const NEW_PASSWORD: &str = "another long password";
const PATIENCE: Duration = Duration::from_mins(2);

/// The credentials of a request.
#[derive(Debug, Clone)]
enum With {
    Cookie(String),
    Token(String),
}

impl With {
    async fn send(&self, app: &TestApp, method: Method, path: &str, body: Option<Value>) -> Response {
        let request = app.client.request(method, format!("{}{path}", app.base));
        let request = match self {
            Self::Cookie(cookie) => request.header("cookie", cookie).header("origin", &app.base),
            Self::Token(token) => request.bearer_auth(token),
        };
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        request.send().await.expect("the server answers")
    }

    async fn works(&self, app: &TestApp) -> bool {
        match self
            .send(app, Method::GET, "/api/servers", None)
            .await
            .status()
            .as_u16()
        {
            200 => true,
            401 => false,
            other => panic!("{other}"),
        }
    }
}

async fn session(app: &TestApp, username: &str, password: &str) -> With {
    let response = app.sign_in(username, password).await;
    assert_eq!(response.status(), 200);
    With::Cookie(cookie(&response))
}

async fn token(app: &TestApp, with: &With, wanted: Value) -> (With, Value) {
    let (status, made) = json(with.send(app, Method::POST, "/api/tokens", Some(wanted)).await).await;
    assert_eq!(status, 201, "{made}");
    let token = made["token"].as_str().unwrap().to_owned();
    (With::Token(token), made["api_token"].clone())
}

async fn link(app: &TestApp, id: Uuid) -> String {
    let path = format!("/api/users/{id}/sign-in-link");
    let (status, link) = json(app.post(ADMIN, &path, body!({})).await).await;
    assert_eq!(status, 201, "{link}");
    let path = link["url_path"].as_str().unwrap();
    path.strip_prefix("/sign-in?token=").unwrap().to_owned()
}

async fn by_link(app: &TestApp, link: &str) -> Response {
    app.post(ANONYMOUS, "/api/session/link", body!({ "token": link })).await
}

async fn change_password(app: &TestApp, with: &With, wanted: Value) -> (u16, Value) {
    json(
        with.send(app, Method::POST, "/api/account/password", Some(wanted))
            .await,
    )
    .await
}

async fn audited(app: &TestApp, action: &str) -> Vec<Value> {
    let (_, log) = json(app.get(ADMIN, &format!("/api/audit?action={action}")).await).await;
    assert!(!log.to_string().contains(PASSWORD) && !log.to_string().contains(NEW_PASSWORD));
    log["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_reset_ends_sessions_tokens_and_links() {
    let app = TestApp::start().await;
    let id = app.add_user("ada", Role::Operator, PASSWORD).await;
    let path = format!("/api/users/{id}");
    let sessions = [
        session(&app, "ada", PASSWORD).await,
        session(&app, "ada", PASSWORD).await,
    ];
    let (made, _) = token(&app, &sessions[0], body!({"name": "ci"})).await;
    let (made_with_it, _) = token(&app, &made, body!({"name": "more"})).await;
    let all: Vec<&With> = sessions.iter().chain([&made, &made_with_it]).collect();
    let unused = link(&app, id).await;
    for with in &all {
        assert!(with.works(&app).await);
    }
    let reset = app.patch(ADMIN, &path, body!({ "password": NEW_PASSWORD })).await;
    assert_eq!(reset.status(), 200);
    for with in &all {
        assert!(!with.works(&app).await, "{with:?}");
    }
    assert_eq!(by_link(&app, &unused).await.status(), 401);
    assert_eq!(app.sign_in("ada", PASSWORD).await.status(), 401);
    assert!(session(&app, "ada", NEW_PASSWORD).await.works(&app).await);
    // Other users are not affected.
    assert_eq!(app.get(OPERATOR, "/api/servers").await.status(), 200);

    // Disabling a user suspends their tokens and ends the rest.
    let again = session(&app, "ada", NEW_PASSWORD).await;
    let (suspended, _) = token(&app, &again, body!({"name": "ci"})).await;
    let unused = link(&app, id).await;
    for (disabled, works) in [(true, false), (false, true)] {
        assert_eq!(
            app.patch(ADMIN, &path, body!({ "disabled": disabled })).await.status(),
            200
        );
        assert_eq!(suspended.works(&app).await, works);
        assert!(!again.works(&app).await);
    }
    assert_eq!(by_link(&app, &unused).await.status(), 401);
}

#[tokio::test]
async fn a_reset_also_ends_a_session_that_is_just_beginning() {
    let app = TestApp::start().await;
    let id = app.add_user("ada", Role::Operator, PASSWORD).await;
    let checked = auth::sign_in::check_password(
        &app.database,
        &app.state.sign_in_limiter,
        "ada",
        SecretString::from(PASSWORD),
        None,
        app.clock.now(),
    )
    .await
    .unwrap();
    let path = format!("/api/users/{id}");
    let reset = app.patch(ADMIN, &path, body!({ "password": NEW_PASSWORD })).await;
    assert_eq!(reset.status(), 200);
    let mut transaction = app.database.begin().await.unwrap();
    let confirmed = auth::sign_in::confirm(&mut transaction, checked).await;
    assert!(
        matches!(confirmed, Err(auth::AuthError::InvalidCredentials)),
        "{confirmed:?}"
    );

    // The other way round, the reset waits for a session that is just beginning.
    let with = session(&app, "ada", NEW_PASSWORD).await;
    let mut transaction = app.database.begin().await.unwrap();
    users::hold_user(&mut transaction, id).await.unwrap();
    let reset = app.patch(ADMIN, &path, body!({ "password": PASSWORD }));
    let mut reset = std::pin::pin!(reset);
    assert!(
        tokio::time::timeout(Duration::from_millis(300), &mut reset)
            .await
            .is_err(),
        "it waits"
    );
    assert!(with.works(&app).await);
    transaction.commit().await.unwrap();
    assert_eq!(reset.await.status(), 200);
    assert!(!with.works(&app).await);
}

#[tokio::test]
async fn a_reset_and_a_sign_in_by_link_at_the_same_time_do_not_block_each_other() {
    let app = TestApp::start().await;
    let id = app.add_user("ada", Role::Operator, PASSWORD).await;
    let unused = link(&app, id).await;
    // These are the locks of a reset, in its order.
    let mut reset = app.database.begin().await.unwrap();
    sqlx::query("UPDATE admiral.users SET updated_at = now() WHERE id = $1")
        .bind(id)
        .execute(&mut *reset)
        .await
        .unwrap();
    let mut signing_in = std::pin::pin!(by_link(&app, &unused));
    assert!(
        tokio::time::timeout(Duration::from_millis(300), &mut signing_in)
            .await
            .is_err(),
        "it waits"
    );
    links::delete_sign_in_links(&mut reset, id).await.unwrap();
    reset.commit().await.unwrap();
    assert_eq!(signing_in.await.status(), 401);
}

#[tokio::test]
async fn users_change_their_own_password() {
    let app = TestApp::start().await;
    let id = app.add_user("ada", Role::Viewer, PASSWORD).await;
    let (mine, other) = (
        session(&app, "ada", PASSWORD).await,
        session(&app, "ada", PASSWORD).await,
    );
    let (kept, _) = token(&app, &mine, body!({"name": "ci"})).await;
    let unused = link(&app, id).await;
    for (wanted, field) in [
        (body!({"new_password": NEW_PASSWORD}), "current_password"),
        (
            body!({"current_password": "wrong", "new_password": NEW_PASSWORD}),
            "current_password",
        ),
        (
            body!({"current_password": PASSWORD, "new_password": "short"}),
            "new_password",
        ),
        (
            body!({"current_password": PASSWORD, "new_password": PASSWORD}),
            "new_password",
        ),
        (
            body!({"current_password": PASSWORD, "new_password": NEW_PASSWORD, "role": "admin"}),
            "role",
        ),
    ] {
        let (status, problem) = change_password(&app, &mine, wanted).await;
        assert_eq!((status, fields(&problem)), (422, vec![field]), "{problem}");
    }
    assert!(other.works(&app).await && kept.works(&app).await);
    let (status, changed) = change_password(
        &app,
        &mine,
        body!({"current_password": PASSWORD, "new_password": NEW_PASSWORD, "keep_tokens": true}),
    )
    .await;
    assert_eq!(
        (status, &changed),
        (200, &body!({"sessions_ended": 1, "tokens_revoked": 0}))
    );
    assert!(mine.works(&app).await && !other.works(&app).await && kept.works(&app).await);
    assert_eq!(by_link(&app, &unused).await.status(), 401);
    assert_eq!(app.sign_in("ada", PASSWORD).await.status(), 401);

    // A token that changes the password stays valid; the other tokens do not, unless they are to be kept.
    let (another, _) = token(&app, &mine, body!({"name": "another"})).await;
    let (status, changed) = change_password(
        &app,
        &kept,
        body!({"current_password": NEW_PASSWORD, "new_password": PASSWORD}),
    )
    .await;
    assert_eq!(
        (status, &changed),
        (200, &body!({"sessions_ended": 1, "tokens_revoked": 1}))
    );
    assert!(kept.works(&app).await && !another.works(&app).await && !mine.works(&app).await);

    let entries = audited(&app, "user.change_password").await;
    let outcomes: Vec<_> = entries.iter().map(|entry| entry["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["success", "success", "failure"]);
    assert!(entries.iter().all(|entry| entry["actor_name"] == "ada"));

    // An admin cannot reset their own password either.
    let admin = app.add_user("root", Role::Admin, PASSWORD).await;
    let with = session(&app, "root", PASSWORD).await;
    let path = format!("/api/users/{admin}");
    let own = with
        .send(&app, Method::PATCH, &path, Some(body!({ "password": NEW_PASSWORD })))
        .await;
    assert_eq!(own.status(), 409);
    assert!(with.works(&app).await);
}

#[tokio::test]
async fn guessing_the_current_password_is_slowed_down_apart_from_signing_in() {
    let app = TestApp::start().await;
    app.add_user("ada", Role::Viewer, PASSWORD).await;
    let mine = session(&app, "ada", PASSWORD).await;
    // An empty field does not count.
    let empty = body!({"current_password": "", "new_password": NEW_PASSWORD});
    for _ in 0..12 {
        let (status, problem) = change_password(&app, &mine, empty.clone()).await;
        assert_eq!((status, fields(&problem)), (422, vec!["current_password"]), "{problem}");
    }
    let guess = body!({"current_password": "wrong", "new_password": NEW_PASSWORD});
    for _ in 0..10 {
        assert_eq!(change_password(&app, &mine, guess.clone()).await.0, 422);
    }
    let right = body!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    let refused = mine
        .send(&app, Method::POST, "/api/account/password", Some(right.clone()))
        .await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (429, &"900".parse().unwrap())
    );
    // A stolen session cannot be used to block signing in.
    assert_eq!(app.sign_in("ada", PASSWORD).await.status(), 200);
    app.clock.advance(TimeDelta::minutes(15));
    assert_eq!(change_password(&app, &mine, right).await.0, 200);
}

#[tokio::test]
async fn a_user_without_a_password_chooses_one_after_using_a_link() {
    let app = TestApp::start().await;
    let (_, user) = json(
        app.post(ADMIN, "/api/users", body!({"username": "eve", "role": "viewer"}))
            .await,
    )
    .await;
    let id = user["id"].as_str().unwrap().parse().unwrap();
    let late = With::Cookie(cookie(&by_link(&app, &link(&app, id).await).await));
    let (by_token, _) = token(&app, &late, body!({"name": "ci"})).await;
    app.clock.advance(TimeDelta::minutes(15));
    let choose = body!({ "new_password": NEW_PASSWORD });
    for with in [&late, &by_token] {
        let (status, problem) = change_password(&app, with, choose.clone()).await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (403, Some("fresh_sign_in_required"))
        );
    }
    let fresh = With::Cookie(cookie(&by_link(&app, &link(&app, id).await).await));
    assert_eq!(change_password(&app, &fresh, choose).await.0, 200);
    assert_eq!(app.sign_in("eve", NEW_PASSWORD).await.status(), 200);
    assert!(!late.works(&app).await && !by_token.works(&app).await);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_owner_or_an_admin() {
    let app = TestApp::start().await;
    let id = app.add_user("ada", Role::Viewer, PASSWORD).await;
    app.add_user("eve", Role::Operator, PASSWORD).await;
    let sign_in = app
        .client
        .post(format!("{}/api/session", app.base))
        .header("user-agent", "Mozilla/5.0 (X11) Example/1.0")
        .json(&body!({"username": "ada", "password": PASSWORD}));
    let mine = With::Cookie(cookie(&sign_in.send().await.unwrap()));
    let other = session(&app, "ada", PASSWORD).await;
    let foreign = session(&app, "eve", PASSWORD).await;
    app.clock.advance(TimeDelta::minutes(5));
    let list = async |with: &With, path: &str| json(with.send(&app, Method::GET, path, None).await).await;
    let (_, sessions) = list(&mine, "/api/sessions").await;
    let sessions = sessions["data"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    let current = sessions.iter().find(|session| session["current"] == true).unwrap();
    assert_eq!(
        (&current["user_agent"], &current["address"], &current["username"]),
        (
            &body!("Mozilla/5.0 (X11) Example/1.0"),
            &body!("127.0.0.1"),
            &body!("ada")
        )
    );
    assert_ne!(current["last_seen_at"], current["created_at"]);
    assert_eq!(sessions[0]["id"], current["id"], "the one used last comes first");
    let other_id = sessions[1]["id"].as_str().unwrap();
    assert!(!sessions[1].to_string().contains("hash"));

    // Other users neither see nor end them.
    assert_eq!(list(&foreign, &format!("/api/sessions?user_id={id}")).await.0, 403);
    let path = format!("/api/sessions/{other_id}");
    assert_eq!(foreign.send(&app, Method::DELETE, &path, None).await.status(), 404);
    let all = format!("/api/sessions?user_id={id}");
    assert_eq!(foreign.send(&app, Method::DELETE, &all, None).await.status(), 403);
    assert!(other.works(&app).await);
    // The owner ends one session, or all others.
    assert_eq!(mine.send(&app, Method::DELETE, &path, None).await.status(), 204);
    assert_eq!(mine.send(&app, Method::DELETE, &path, None).await.status(), 404);
    assert!(!other.works(&app).await && mine.works(&app).await);
    let (one, two) = (
        session(&app, "ada", PASSWORD).await,
        session(&app, "ada", PASSWORD).await,
    );
    let (status, ended) = json(mine.send(&app, Method::DELETE, "/api/sessions", None).await).await;
    assert_eq!((status, &ended), (200, &body!({"sessions_ended": 2})));
    assert!(!one.works(&app).await && !two.works(&app).await && mine.works(&app).await);
    // An admin sees and ends all of them.
    let (_, everybody) = json(app.get(ADMIN, "/api/sessions").await).await;
    assert_eq!(everybody["meta"]["total"], 2);
    let (_, of_ada) = json(app.get(ADMIN, &all).await).await;
    assert_eq!(
        (&of_ada["meta"]["total"], &of_ada["data"][0]["current"]),
        (&body!(1), &body!(false))
    );
    let (status, ended) = json(app.delete(ADMIN, &all).await).await;
    assert_eq!((status, &ended), (200, &body!({"sessions_ended": 1})));
    assert!(!mine.works(&app).await && foreign.works(&app).await);
    assert_eq!(
        app.delete(ADMIN, &format!("/api/sessions?user_id={}", Uuid::nil()))
            .await
            .status(),
        404
    );

    assert_eq!(audited(&app, "session.revoke").await.len(), 1);
    let bulk = audited(&app, "user.revoke_sessions").await;
    assert_eq!(
        (bulk[0]["actor_name"].as_str(), &bulk[0]["object_id"]),
        (Some("admin"), &body!(id))
    );
}

/// A new user with the role `of`, and a token of theirs with the role `role` that expires after `days`.
async fn maker(app: &TestApp, of: Role, role: Role, days: Option<i64>) -> (Uuid, With) {
    let name = format!("{of}-{role}-{}", new_id());
    let user_id = app.add_user(&name, of, PASSWORD).await;
    let spec = TokenSpec {
        user_id,
        name: "maker",
        role,
        expires_at: days.map(|days| app.clock.now() + TimeDelta::days(days)),
        made_with: None,
    };
    let mut connection = app.database.acquire().await.unwrap();
    let (token, _) = auth::tokens::create(&mut connection, spec, app.clock.now())
        .await
        .unwrap();
    (user_id, With::Token(token.expose_secret().to_owned()))
}

#[tokio::test]
async fn a_token_never_exceeds_its_maker() {
    use Role::{Admin, Auditor, Operator, Viewer};
    let app = TestApp::start().await;
    for (owner, role, days, wanted_role, wanted_days, expected) in [
        (Admin, Admin, None, None, None, Ok((Admin, None))),
        (Admin, Admin, None, Some(Viewer), Some(3), Ok((Viewer, Some(3)))),
        (Admin, Operator, Some(10), None, None, Ok((Operator, Some(10)))),
        (Admin, Operator, Some(10), None, Some(10), Ok((Operator, Some(10)))),
        (Admin, Operator, Some(10), None, Some(9), Ok((Operator, Some(9)))),
        (Admin, Operator, Some(10), Some(Viewer), None, Ok((Viewer, Some(10)))),
        (Admin, Operator, Some(10), None, Some(11), Err("expires_in_days")),
        (Admin, Operator, Some(10), Some(Admin), None, Err("role")),
        (Admin, Operator, Some(10), Some(Auditor), None, Err("role")),
        // The owner was demoted after the token was made.
        (Operator, Admin, None, None, None, Ok((Operator, None))),
        (Operator, Admin, None, Some(Admin), None, Err("role")),
        (Operator, Auditor, Some(1), None, None, Ok((Viewer, Some(1)))),
        (Auditor, Operator, Some(1), Some(Auditor), None, Err("role")),
        (Viewer, Viewer, Some(1), Some(Operator), Some(2), Err("role")),
    ] {
        let told = format!("{owner} {role} {days:?} {wanted_role:?} {wanted_days:?}");
        let (_, maker) = maker(&app, owner, role, days).await;
        let mut wanted = body!({"name": "child"});
        if let Some(role) = wanted_role {
            wanted["role"] = body!(role);
        }
        if let Some(days) = wanted_days {
            wanted["expires_in_days"] = body!(days);
        }
        let (status, made) = json(maker.send(&app, Method::POST, "/api/tokens", Some(wanted)).await).await;
        match expected {
            Ok((role, days)) => {
                let made = &made["api_token"];
                let end = days.map(|days| app.clock.now() + TimeDelta::days(days));
                assert_eq!((status, &made["role"]), (201, &body!(role)), "{told}: {made}");
                let given: Option<DateTime<Utc>> = serde_json::from_value(made["expires_at"].clone()).unwrap();
                // The database keeps microseconds.
                assert_eq!(
                    given.map(|given| given.timestamp_micros()),
                    end.map(|end| end.timestamp_micros()),
                    "{told}"
                );
            }
            Err(field) => {
                assert_eq!(status, 422, "{told}: {made}");
                assert!(fields(&made).contains(&field), "{told}: {made}");
            }
        }
    }
    // In its last day a token makes others that expire with it.
    let (_, maker) = maker(&app, Admin, Admin, Some(1)).await;
    app.clock.advance(TimeDelta::hours(20));
    let day = body!({"name": "child", "expires_in_days": 1});
    let (status, problem) = json(maker.send(&app, Method::POST, "/api/tokens", Some(day)).await).await;
    assert_eq!((status, fields(&problem)), (422, vec!["expires_in_days"]));
    let (child, _) = token(&app, &maker, body!({"name": "child"})).await;
    assert!(child.works(&app).await);
    app.clock.advance(TimeDelta::hours(5));
    assert!(!child.works(&app).await && !maker.works(&app).await);
}

#[tokio::test]
async fn a_token_loses_rights_with_its_owner_and_gains_none() {
    let app = TestApp::start().await;
    let id = app.add_user("ada", Role::Admin, PASSWORD).await;
    let with = session(&app, "ada", PASSWORD).await;
    let (admin, listed) = token(&app, &with, body!({"name": "all"})).await;
    let (viewer, _) = token(&app, &with, body!({"name": "metrics", "role": "viewer"})).await;
    assert_eq!((&listed["role"], &listed["made_with"]), (&body!("admin"), &Value::Null));
    let users = async |with: &With| with.send(&app, Method::GET, "/api/users", None).await.status().as_u16();
    let change = async |role: &str| {
        let path = format!("/api/users/{id}");
        assert_eq!(app.patch(ADMIN, &path, body!({ "role": role })).await.status(), 200);
    };
    assert_eq!((users(&admin).await, users(&viewer).await), (200, 403));
    change("viewer").await;
    let (low, _) = token(&app, &with, body!({"name": "low"})).await;
    assert_eq!((users(&admin).await, users(&low).await), (403, 403));
    let (_, own) = json(admin.send(&app, Method::GET, "/api/session", None).await).await;
    assert_eq!(own["role"], "viewer");
    change("admin").await;
    assert_eq!(
        (users(&admin).await, users(&viewer).await, users(&low).await),
        (200, 403, 403)
    );
}

#[tokio::test]
async fn revoking_a_token_revokes_those_made_with_it() {
    let app = TestApp::start().await;
    app.add_user("ada", Role::Operator, PASSWORD).await;
    let with = session(&app, "ada", PASSWORD).await;
    let (stolen, listed) = token(&app, &with, body!({"name": "stolen"})).await;
    let (child, made) = token(&app, &stolen, body!({"name": "child"})).await;
    let (grandchild, _) = token(&app, &child, body!({"name": "grandchild"})).await;
    let (other, _) = token(&app, &with, body!({"name": "other"})).await;
    assert_eq!(made["made_with"], listed["id"]);
    let path = format!("/api/tokens/{}", listed["id"].as_str().unwrap());
    assert_eq!(with.send(&app, Method::DELETE, &path, None).await.status(), 204);
    for gone in [&stolen, &child, &grandchild] {
        assert!(!gone.works(&app).await);
    }
    assert!(other.works(&app).await && with.works(&app).await);
    assert_eq!(
        audited(&app, "token.revoke").await[0]["after"],
        body!({"tokens_made_with_it_revoked": 2})
    );
}

/// Reads a stream to its end in the background.
fn reading(response: Response) -> tokio::task::JoinHandle<()> {
    assert_eq!(response.status(), 200);
    tokio::spawn(async move {
        let mut body = response.bytes_stream();
        while body.next().await.is_some() {}
    })
}

/// Each way of losing the right to read a stream is announced to all processes at once, and ends the stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_end_with_the_right_to_read_them() {
    let app = TestApp::start().await;
    let steady = reading(app.get(VIEWER, "/api/stream").await);
    let mut listener = Listener::connect(&app.database).await.unwrap();
    for cause in [
        "disabled",
        "deleted",
        "signed out",
        "session revoked",
        "password reset",
        "password changed elsewhere",
        "token revoked",
        "token's maker revoked",
        "user with token deleted",
    ] {
        let id = app.add_user("ada", Role::Operator, PASSWORD).await;
        let path = format!("/api/users/{id}");
        let (with, elsewhere) = (
            session(&app, "ada", PASSWORD).await,
            session(&app, "ada", PASSWORD).await,
        );
        let (maker, made) = token(&app, &with, body!({"name": "maker"})).await;
        let (by_token, _) = token(&app, &maker, body!({"name": "child"})).await;
        let reader = if cause.contains("token") { &by_token } else { &with };
        let streams = [
            reading(reader.send(&app, Method::GET, "/api/stream", None).await),
            reading(reader.send(&app, Method::GET, "/api/stream", None).await),
        ];
        let began = Instant::now();
        let done = match cause {
            "disabled" => app.patch(ADMIN, &path, body!({"disabled": true})).await,
            "deleted" | "user with token deleted" => app.delete(ADMIN, &path).await,
            "signed out" => with.send(&app, Method::DELETE, "/api/session", None).await,
            "session revoked" => elsewhere.send(&app, Method::DELETE, "/api/sessions", None).await,
            "password reset" => app.patch(ADMIN, &path, body!({ "password": NEW_PASSWORD })).await,
            "password changed elsewhere" => {
                let wanted = body!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
                elsewhere
                    .send(&app, Method::POST, "/api/account/password", Some(wanted))
                    .await
            }
            _ => {
                let path = format!("/api/tokens/{}", made["id"].as_str().unwrap());
                with.send(&app, Method::DELETE, &path, None).await
            }
        };
        assert!(done.status().is_success(), "{cause}: {}", done.status());
        let heard = async { while listener.recv().await != (Notification::AccessChanged { user_id: id }) {} };
        tokio::time::timeout(PATIENCE, heard).await.expect(cause);
        for stream in streams {
            tokio::time::timeout(PATIENCE, stream).await.expect(cause).unwrap();
        }
        eprintln!("{cause}: streams ended after {:?}", began.elapsed());
        app.delete(ADMIN, &path).await;
    }
    assert!(!steady.is_finished(), "the streams of other users go on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_end_when_the_session_or_the_token_expires() {
    let app = TestApp::start().await;
    let id = app.add_user("ada", Role::Viewer, PASSWORD).await;
    let with = session(&app, "ada", PASSWORD).await;
    let (by_token, _) = token(&app, &with, body!({"name": "short", "expires_in_days": 1})).await;
    // They expire in a second, on a clock that stands still.
    let soon = app.clock.now() + TimeDelta::seconds(1);
    let mut connection = app.database.acquire().await.unwrap();
    for table in ["sessions", "api_tokens"] {
        sqlx::query(&format!(
            "UPDATE admiral.{table} SET expires_at = $1 WHERE user_id = $2"
        ))
        .bind(soon)
        .bind(id)
        .execute(&mut *connection)
        .await
        .unwrap();
    }
    let mut streams = Vec::new();
    for reader in [&with, &by_token] {
        streams.push(reading(reader.send(&app, Method::GET, "/api/stream", None).await));
    }
    let demoted = app
        .patch(ADMIN, &format!("/api/users/{id}"), body!({"role": "auditor"}))
        .await;
    assert_eq!(demoted.status(), 200);
    assert!(
        streams.iter().all(|stream| !stream.is_finished()),
        "an auditor may see it too"
    );
    app.clock.advance(TimeDelta::seconds(2));
    for stream in streams {
        tokio::time::timeout(PATIENCE, stream).await.unwrap().unwrap();
    }
    assert!(!with.works(&app).await && !by_token.works(&app).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_streams_of_a_user_are_limited() {
    let app = TestApp::start().await;
    let open = async |who: As| app.get(who, "/api/stream").await;
    let mut streams = Vec::new();
    for _ in 0..100 {
        streams.push(open(VIEWER).await);
    }
    assert!(streams.iter().all(|stream| stream.status() == 200));
    let refused = open(VIEWER).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (429, &"2".parse().unwrap())
    );
    assert_eq!(open(OPERATOR).await.status(), 200);
    // There is room again when a reader has left.
    streams.pop();
    let deadline = Instant::now() + PATIENCE;
    while open(VIEWER).await.status() != 200 {
        assert!(Instant::now() < deadline, "the place is not free again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_changes_passwords_and_ends_sessions() {
    let server = AdmiralServer::start_roles("api").await;
    let run = |arguments: &[&str]| {
        let output = server.command().args(arguments).output().expect("the command runs");
        let (out, err) = (output.stdout, output.stderr);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (output.status.success(), text(out), text(err))
    };
    let file = |name: &str, text: &str| {
        let path = server.folder.path().join(name);
        std::fs::write(&path, format!("{text}\n")).expect("a file");
        path.to_string_lossy().into_owned()
    };
    let (old, new) = (file("old", PASSWORD), file("new", NEW_PASSWORD));
    let (added, ..) = run(&["users", "add", "ada", "--role", "viewer", "--password-file", &old]);
    assert!(added);
    let client = reqwest::Client::new();
    let sign_in = async |password: &str| {
        let request = client.post(format!("{}/api/session", server.url));
        let body = body!({"username": "ada", "password": password});
        request.json(&body).send().await.expect("an answer").status().as_u16()
    };
    for _ in 0..3 {
        assert_eq!(sign_in(PASSWORD).await, 200);
    }
    // The local command line cannot make a token that exceeds its owner.
    let (made, ..) = run(&["tokens", "add", "ci", "--user", "ada", "--role", "admin"]);
    assert!(!made);
    let (made, token, _) = run(&["tokens", "add", "ci", "--user", "ada"]);
    assert!(made);
    let token = file("token", token.trim());
    let remote = ["--server", &server.url, "--token-file", &token];
    let remotely = |arguments: &[&str]| run(&[&remote[..], arguments].concat());

    let (listed, own, _) = remotely(&["sessions", "list", "--output", "json"]);
    assert!(listed);
    let own: Value = serde_json::from_str(&own).unwrap();
    assert_eq!(own.as_array().unwrap().len(), 3);
    let id = own[0]["id"].as_str().unwrap();
    assert!(remotely(&["sessions", "revoke", id]).0);
    let (again, _, said) = remotely(&["sessions", "revoke", id]);
    assert!(!again && said.contains("there is no session"), "{said}");
    let (whose, _, said) = run(&["sessions", "revoke", "--all"]);
    assert!(!whose && said.contains("--user"), "{said}");
    let (ended, _, said) = run(&["sessions", "revoke", "--all", "--user", "ada"]);
    assert!(ended && said.contains("sessions ended: 2"), "{said}");
    let (listed, all, _) = run(&["sessions", "list"]);
    assert!(listed && all.contains("admin") && !all.contains("ada"), "{all}");

    assert_eq!(sign_in(PASSWORD).await, 200);
    let change = |current: &str, new: &str| {
        remotely(&[
            "password",
            "--current-password-file",
            current,
            "--new-password-file",
            new,
        ])
    };
    let (changed, _, said) = change(&new, &new);
    assert!(!changed && said.contains("new_password"), "{said}");
    let (changed, _, said) = change(&token, &new);
    assert!(
        !changed && said.contains("current_password is not your current password"),
        "{said}"
    );
    let (changed, _, said) = change(&old, &new);
    assert!(
        changed && said.contains("sessions ended: 1, tokens revoked: 0"),
        "{said}"
    );
    assert_eq!((sign_in(PASSWORD).await, sign_in(NEW_PASSWORD).await), (401, 200));
    let (locally, _, said) = run(&["password"]);
    assert!(!locally && said.contains("admiral users set"), "{said}");
    let (reset, _, said) = run(&["users", "set", "ada", "--password-file", &old]);
    assert!(reset && said.contains("sign-in links are revoked"), "{said}");
    assert!(!remotely(&["sessions", "list"]).0, "the token was revoked too");
}
