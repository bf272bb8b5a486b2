//! `POST /api/session`.

use super::{Session, start_session};
use crate::{
    api::{
        AppState,
        extract::{Client, FromOwnPages, JsonBody},
        problem::Problem,
    },
    auth::{AuthError, passwords, sign_in},
    domain::{
        audit::{AuditEntry, AuditOutcome},
        validation::Invalid,
    },
    store::{StoreError, audit},
};
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

/// Name and password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSession {
    /// The user's name.
    username: String,
    /// Their password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Signs in with name and password.
#[utoipa::path(
    post, path = "/api/session", tag = "session", request_body = CreateSession, security(()),
    responses(
        (status = 200, description = "Signed in; the session is in the cookie", body = Session),
        (status = 401, description = "`invalid_credentials`", body = Problem),
        (status = 403, description = "Sent by a foreign page", body = Problem),
        (status = 422, description = "A field is wrong", body = Problem),
        (status = 429, description = "Too many attempts", body = Problem),
    )
)]
pub(super) async fn create_session(
    State(state): State<AppState>,
    _: FromOwnPages,
    client: Client,
    headers: HeaderMap,
    JsonBody(body): JsonBody<CreateSession>,
) -> Result<Response, Problem> {
    if body.username.len() > 64 {
        return Err(Invalid::field("username", "must have at most 64 characters").into());
    }
    if body.password.expose_secret().len() > 4 * passwords::LONGEST {
        return Err(Invalid::field("password", "is too long").into());
    }
    let now = state.clock.now();
    let checked = sign_in::check_password(
        &state.database,
        &state.sign_in_limiter,
        &body.username,
        body.password,
        client.address,
        now,
    )
    .await;
    let refused = |error| {
        // Attempts past the limit are not recorded: the log must not grow as fast as somebody can guess.
        let entry = matches!(error, AuthError::InvalidCredentials).then(|| {
            client
                .entry(&body.username, "session.create")
                .outcome(AuditOutcome::Failure)
        });
        let mut problem = Problem::from(error);
        problem.audit = entry.map(Box::new);
        problem
    };
    let checked = checked.map_err(refused)?;
    let mut transaction = state.database.begin().await?;
    let user = sign_in::confirm(&mut transaction, checked).await.map_err(refused)?;
    let entry = AuditEntry {
        actor_id: Some(user.id),
        ..client.entry(&user.username, "session.create")
    };
    audit::record(&mut transaction, &entry.object(user.id)).await?;
    let response = start_session(&mut transaction, &state, StatusCode::OK, user, &client, &headers).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(response)
}
