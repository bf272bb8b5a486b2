//! `POST /api/setup`.

use crate::{
    api::{
        AppState,
        extract::{Client, FromOwnPages, JsonBody},
        problem::Problem,
        routes::session::{Session, start_session},
        routes::users::check_username,
    },
    auth::{first_account::LinkFile, links, passwords},
    domain::{audit::AuditEntry, clock::new_id, user::Role, validation::Validator},
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

/// The first admin.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompleteSetup {
    /// The token in the link `/setup?token=…`, which the first start writes into the data directory.
    #[schema(value_type = String, format = Password)]
    token: SecretString,
    /// 1 to 64 of `a-z A-Z 0-9 . _ @ -`.
    username: String,
    /// 12 to 1024 characters.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Makes the first admin and signs them in. Works once.
#[utoipa::path(
    post, path = "/api/setup", tag = "setup", request_body = CompleteSetup, security(()),
    responses(
        (status = 201, description = "Signed in; the session is in the cookie", body = Session),
        (status = 401, description = "`invalid_link`", body = Problem),
        (status = 403, description = "Sent by a foreign page", body = Problem),
        (status = 409, description = "There are users already", body = Problem),
        (status = 422, description = "A field is wrong", body = Problem),
        (status = 429, description = "Too many attempts", body = Problem),
    )
)]
pub(super) async fn complete_setup(
    State(state): State<AppState>,
    _: FromOwnPages,
    client: Client,
    headers: HeaderMap,
    JsonBody(body): JsonBody<CompleteSetup>,
) -> Result<Response, Problem> {
    let mut validator = Validator::new();
    check_username(&mut validator, &body.username);
    passwords::check_new(&mut validator, "password", &body.password);
    validator.finish()?;
    let now = state.clock.now();
    state.sign_in_limiter.attempt(None, client.address, now)?;
    let password_hash = passwords::hash(body.password).await?;
    let mut transaction = state.database.begin().await?;
    users::lock_users(&mut transaction).await?;
    if users::any_user(&mut transaction).await? {
        return Err(Problem::conflict("this server is set up already; sign in instead"));
    }
    links::use_setup(&mut transaction, &body.token, now).await?;
    let user = users::insert_user(
        &mut transaction,
        new_id(),
        &body.username,
        Role::Admin,
        Some(&password_hash),
    )
    .await?;
    let entry = AuditEntry {
        actor_id: Some(user.id),
        ..client.entry(&user.username, "user.setup")
    };
    audit::record(&mut transaction, &entry.object(user.id).after(&user)).await?;
    let response = start_session(&mut transaction, &state, StatusCode::CREATED, user, &client, &headers).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    if let Some(Err(error)) = state.first_link.as_ref().map(LinkFile::remove) {
        // The link no longer works, so this is only untidy.
        tracing::warn!(%error, "the file with the link for the first account could not be removed");
    }
    Ok(response)
}
