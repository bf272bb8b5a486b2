//! Signing in and out.

mod create_session;
mod create_session_by_link;
mod delete_session;
mod get_session;

use crate::{
    api::{
        AppState,
        body_memory::FREE,
        extract::{Client, SESSION_COOKIE, session_cookie},
        problem::Problem,
    },
    auth,
    domain::user::{Role, User},
    store::{Connection, users},
};
use axum::{
    Json,
    extract::DefaultBodyLimit,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use zeroize::Zeroizing;

/// `/api/session`, `/api/session/link`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(
            get_session::get_session,
            create_session::create_session,
            delete_session::delete_session
        ))
        .routes(routes!(create_session_by_link::create_session_by_link))
        // Anybody may send these, so they stay within the part of a body that does not count.
        .layer(DefaultBodyLimit::max(FREE))
}

/// Who is signed in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Who.
    pub user: User,
    /// The role that applies: the user's own, or the lower one of the token that made the request.
    pub role: Role,
    /// Whether the user has a password; without one they sign in by links.
    pub has_password: bool,
    /// When the session ends unless it is used before, or when the token stops working; null for a token that never does.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Begins a session in `connection`'s transaction. The answer is to be sent only once that is committed.
pub(super) async fn start_session(
    connection: &mut Connection,
    state: &AppState,
    status: StatusCode,
    user: User,
    client: &Client,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let session = auth::sessions::start(
        connection,
        &user,
        session_cookie(headers).as_ref(),
        client.address_text().as_deref(),
        client.user_agent.as_deref(),
        state.clock.now(),
    )
    .await?;
    let cookie = set_cookie(
        session.token.expose_secret(),
        session.max_age_seconds,
        state.config.secure_cookies,
    )?;
    let body = Json(Session {
        role: user.role,
        has_password: users::get_password_hash(connection, user.id).await?.is_some(),
        user,
        expires_at: Some(session.expires_at),
    });
    Ok((status, [(header::SET_COOKIE, cookie)], body).into_response())
}

fn set_cookie(value: &str, max_age_seconds: i64, secure: bool) -> Result<HeaderValue, Problem> {
    let secure = if secure { "; Secure" } else { "" };
    let text = Zeroizing::new(format!(
        "{SESSION_COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_seconds}{secure}"
    ));
    let mut cookie = HeaderValue::from_str(&text).map_err(|error| Problem::internal(&error))?;
    cookie.set_sensitive(true);
    Ok(cookie)
}
