//! Signing in and out.

mod create_session;
mod create_session_by_link;
mod delete_session;
mod get_session;

use crate::{
    api::{
        AppState,
        extract::{Client, SESSION_COOKIE, session_cookie},
        problem::Problem,
    },
    auth,
    domain::user::User,
    store::Connection,
};
use axum::{
    Json,
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
}

/// Who is signed in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Who.
    pub user: User,
    /// When the session ends unless used before; null for a token.
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
