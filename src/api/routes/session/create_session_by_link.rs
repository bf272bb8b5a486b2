//! `POST /api/session/link`.

use super::{Session, start_session};
use crate::{
    api::{
        AppState,
        extract::{Client, FromOwnPages, JsonBody},
        problem::Problem,
    },
    auth::{AuthError, links},
    domain::audit::AuditEntry,
    store::{StoreError, audit, users},
};
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

/// The secret of a sign-in link.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSessionByLink {
    /// As in `/sign-in?token=…`.
    #[schema(value_type = String, format = Password)]
    token: SecretString,
}

/// Signs in with a link that works once.
#[utoipa::path(
    post, path = "/api/session/link", tag = "session", request_body = CreateSessionByLink, security(()),
    responses(
        (status = 200, description = "Signed in; the session is in the cookie", body = Session),
        (status = 401, description = "`invalid_link`", body = Problem),
        (status = 403, description = "Sent by a foreign page", body = Problem),
        (status = 422, description = "A field is wrong", body = Problem),
        (status = 429, description = "Too many attempts", body = Problem),
    )
)]
pub(super) async fn create_session_by_link(
    State(state): State<AppState>,
    _: FromOwnPages,
    client: Client,
    headers: HeaderMap,
    JsonBody(body): JsonBody<CreateSessionByLink>,
) -> Result<Response, Problem> {
    let now = state.clock.now();
    state.sign_in_limiter.attempt(None, client.address, now)?;
    let mut transaction = state.database.begin().await?;
    let user_id = links::use_sign_in(&mut transaction, &body.token, now).await?;
    let user = users::get_user(&mut transaction, user_id).await?;
    if user.disabled {
        return Err(AuthError::InvalidLink.into());
    }
    let entry = AuditEntry {
        actor_id: Some(user.id),
        ..client.entry(&user.username, "session.create_by_link")
    };
    audit::record(&mut transaction, &entry.object(user.id)).await?;
    let response = start_session(&mut transaction, &state, StatusCode::OK, user, &client, &headers).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(response)
}
