//! `POST /api/keys/generate`.

use super::{check_name, store_key};
use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{key::PrivateKey, validation::Validator},
    store::StoreError,
    vault::ssh_key,
};
use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GenerateKey {
    /// Unique; 1 to 100 characters.
    name: String,
    /// Stands at the end of the public key; the name when not said.
    comment: Option<String>,
}

/// Makes an Ed25519 key. Only its public half is ever shown.
#[utoipa::path(
    post, path = "/api/keys/generate", tag = "keys", request_body = GenerateKey,
    extensions(("x-permission" = json!(Action::ChangeFleet))),
    responses(
        (status = 201, body = PrivateKey),
        (status = 403, description = "Not allowed", body = Problem),
        (status = 409, description = "The name is taken", body = Problem),
        (status = 422, description = "A field is wrong", body = Problem),
    )
)]
pub(super) async fn generate_key(
    State(state): State<AppState>,
    actor: Actor,
    JsonBody(body): JsonBody<GenerateKey>,
) -> Result<(StatusCode, Json<PrivateKey>), Problem> {
    let mut validator = Validator::new();
    let name = check_name(&mut validator, &body.name);
    let comment = body.comment.as_deref().unwrap_or(name);
    validator.check(
        comment.chars().count() <= 200 && !comment.chars().any(char::is_control),
        "comment",
        "must have at most 200 characters and no control characters",
    );
    validator.finish()?;
    let (private_key, parsed) = ssh_key::generate_ed25519(comment).map_err(|error| Problem::internal(&error))?;
    let mut transaction = state.database.begin().await?;
    let key = store_key(&mut transaction, &state, name, &parsed, &private_key, None).await?;
    actor
        .record(&mut transaction, actor.entry("key.generate").object(key.id).after(&key))
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok((StatusCode::CREATED, Json(key)))
}
