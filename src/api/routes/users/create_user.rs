//! `POST /api/users`.

use super::check_username;
use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody},
        problem::Problem,
    },
    auth::{passwords, policy::Action},
    domain::{
        clock::new_id,
        user::{Role, User},
        validation::Validator,
    },
    store::{StoreError, users},
};
use axum::{Json, extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

/// A new user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// 1 to 64 of `a-z A-Z 0-9 . _ @ -`.
    username: String,
    /// What they may do.
    role: Role,
    /// 12 to 1024 characters; without one they sign in by link.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
}

/// Adds a user.
#[utoipa::path(
    post, path = "/api/users", tag = "users", request_body = CreateUser,
    extensions(("x-permission" = json!(Action::ManageUsers))),
    responses(
        (status = 201, body = User),
        (status = 403, description = "Not an admin", body = Problem),
        (status = 409, description = "The name is taken", body = Problem),
        (status = 422, description = "A field is wrong", body = Problem),
    )
)]
pub(super) async fn create_user(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<CreateUser>,
) -> Result<(StatusCode, Json<User>), Problem> {
    let mut validator = Validator::new();
    check_username(&mut validator, &body.username);
    if let Some(password) = &body.password {
        passwords::check_new(&mut validator, "password", password);
    }
    validator.finish()?;
    let password_hash = match body.password {
        Some(password) => Some(passwords::hash(password).await?),
        None => None,
    };
    let mut transaction = state.database.begin().await?;
    let user = users::insert_user(
        &mut transaction,
        new_id(),
        &body.username,
        body.role,
        password_hash.as_deref(),
    )
    .await?;
    actor
        .record(
            &mut transaction,
            actor.entry("user.create").object(user.id).after(&user),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok((StatusCode::CREATED, Json(user)))
}
