//! The API as its clients meet it: over loopback, on a database of its own, with a clock that tests move.

use super::database::TestDatabase;
use admiral::{
    api::{self, AppState, state::ApiConfig},
    auth::{self, tokens::TokenSpec},
    domain::{
        clock::{Clock, SystemClock, new_id},
        user::Role,
    },
    store::{Database, users},
    vault::{KeyRing, Vault},
};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// Stands still until a test moves it.
pub struct TestClock(Mutex<DateTime<Utc>>);

impl TestClock {
    /// Moves the clock forward.
    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// Who sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As {
    /// Nobody.
    Anonymous,
    /// A user of that role, by token.
    Role(Role),
}

pub const ADMIN: As = As::Role(Role::Admin);
pub const OPERATOR: As = As::Role(Role::Operator);
pub const VIEWER: As = As::Role(Role::Viewer);
pub const AUDITOR: As = As::Role(Role::Auditor);
pub const ANONYMOUS: As = As::Anonymous;

/// A running server with one user and one token per role.
pub struct TestApp {
    pub database: Database,
    pub clock: Arc<TestClock>,
    pub base: String,
    pub client: reqwest::Client,
    pub state: AppState,
    tokens: Vec<(Role, SecretString)>,
    _shutdown: tokio_util::sync::DropGuard,
}

impl TestApp {
    /// With one user per role, named after it.
    pub async fn start() -> Self {
        let app = Self::start_empty().await;
        app.with_users().await
    }

    /// With no user at all.
    pub async fn start_empty() -> Self {
        let TestDatabase { database, .. } = TestDatabase::create().await;
        let clock = Arc::new(TestClock(Mutex::new(SystemClock.now())));
        let vault = Arc::new(Vault::new(KeyRing::generate().expect("randomness")));
        let state = AppState::new(
            database.clone(),
            vault,
            super::library::library(),
            clock.clone(),
            ApiConfig::default(),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let shutdown = CancellationToken::new();
        tokio::spawn(api::serve(listener, state.clone(), shutdown.clone()));
        Self {
            database,
            clock,
            base,
            client: reqwest::Client::builder().no_proxy().build().expect("a client"),
            state,
            tokens: Vec::new(),
            _shutdown: shutdown.drop_guard(),
        }
    }

    async fn with_users(mut self) -> Self {
        let mut connection = self.database.acquire().await.unwrap();
        for role in Role::ALL {
            let user = users::insert_user(&mut connection, new_id(), role.as_str(), *role, None)
                .await
                .unwrap();
            let spec = TokenSpec {
                user_id: user.id,
                name: "tests",
                role: *role,
                expires_at: None,
                made_with: None,
            };
            let (token, _) = auth::tokens::create(&mut connection, spec, self.clock.now())
                .await
                .unwrap();
            self.tokens.push((*role, token));
        }
        self
    }

    /// The token of `who`; anonymous has none.
    pub fn token(&self, who: As) -> Option<&str> {
        let As::Role(role) = who else {
            return None;
        };
        let (_, token) = self
            .tokens
            .iter()
            .find(|(of, _)| *of == role)
            .expect("a token for each role");
        Some(token.expose_secret())
    }

    /// A request as `who`, with a JSON body if there is one.
    pub async fn send(&self, who: As, method: Method, path: &str, body: Option<Value>) -> Response {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(token) = self.token(who) {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.expect("the server answers")
    }

    /// A request as `who`, with plain bytes.
    pub async fn send_bytes(&self, who: As, method: Method, path: &str, bytes: Vec<u8>) -> Response {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .header("Content-Type", "application/octet-stream")
            .body(bytes);
        if let As::Role(role) = who {
            let token = self.tokens.iter().find(|(of, _)| *of == role).map(|(_, token)| token);
            request = request.bearer_auth(token.expect("a token for each role").expose_secret());
        }
        request.send().await.expect("the server answers")
    }

    /// GET.
    pub async fn get(&self, who: As, path: &str) -> Response {
        self.send(who, Method::GET, path, None).await
    }

    /// POST.
    pub async fn post(&self, who: As, path: &str, body: Value) -> Response {
        self.send(who, Method::POST, path, Some(body)).await
    }

    /// PATCH.
    pub async fn patch(&self, who: As, path: &str, body: Value) -> Response {
        self.send(who, Method::PATCH, path, Some(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, who: As, path: &str) -> Response {
        self.send(who, Method::DELETE, path, None).await
    }

    /// A user of `role` with a password.
    pub async fn add_user(&self, username: &str, role: Role, password: &str) -> uuid::Uuid {
        let hash = auth::passwords::hash(SecretString::from(password)).await.unwrap();
        let mut connection = self.database.acquire().await.unwrap();
        users::insert_user(&mut connection, new_id(), username, role, Some(&hash))
            .await
            .unwrap()
            .id
    }

    /// Signs in; the answer.
    pub async fn sign_in(&self, username: &str, password: &str) -> Response {
        let body = serde_json::json!({ "username": username, "password": password });
        self.post(ANONYMOUS, "/api/session", body).await
    }

    /// A request with a session's cookie and `headers`.
    pub async fn with_cookie(&self, cookie: &str, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .header("cookie", cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.expect("the server answers")
    }
}

/// The session's cookie in an answer, as `name=value`.
pub fn cookie(response: &Response) -> String {
    let header = response
        .headers()
        .get("set-cookie")
        .expect("a cookie")
        .to_str()
        .unwrap();
    header.split(';').next().unwrap().to_owned()
}

/// Status and JSON body.
pub async fn json(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, response.json().await.expect("a JSON body"))
}

/// The fields that a problem names.
pub fn fields(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().map_or(Vec::new(), |errors| {
        errors.iter().filter_map(|error| error["field"].as_str()).collect()
    })
}
