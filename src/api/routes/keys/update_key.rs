//! `PATCH /api/keys/{id}`.

use super::check_name;
use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{PrivateKeyId, key::PrivateKey, validation::Validator},
    store::{StoreError, keys},
};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::ToSchema;

/// Changes to a key; what is not there stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateKey {
    /// Unique; 1 to 100 characters.
    name: Option<String>,
}

/// Renames a key.
#[utoipa::path(
    patch, path = "/api/keys/{id}", tag = "keys", request_body = UpdateKey, params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::ChangeFleet))),
    responses(
        (status = 200, body = PrivateKey),
        (status = 403, description = "Not allowed", body = Problem),
        (status = 404, description = "No such key", body = Problem),
        (status = 409, description = "The name is taken", body = Problem),
        (status = 422, description = "A field is wrong", body = Problem),
    )
)]
pub(super) async fn update_key(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<PrivateKeyId>,
    JsonBody(body): JsonBody<UpdateKey>,
) -> Result<Json<PrivateKey>, Problem> {
    let mut validator = Validator::new();
    let name = body.name.as_deref().map(|name| check_name(&mut validator, name));
    validator.finish()?;
    let mut transaction = state.database.begin().await?;
    let before = keys::get_key(&mut transaction, id).await?;
    let Some(name) = name else { return Ok(Json(before)) };
    let after = keys::rename_key(&mut transaction, id, name).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("key.update").object(id).before(&before).after(&after),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(Json(after))
}
