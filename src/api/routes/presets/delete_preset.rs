//! `DELETE /api/presets/{id}`.

use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::PresetId,
    store::{StoreError, presets},
};
use axum::{extract::State, http::StatusCode};

/// Deletes a preset. Deployments that were launched keep what they have.
#[utoipa::path(
    delete, path = "/api/presets/{id}", tag = "presets", params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 204, description = "Deleted"),
        (status = 403, description = "Not allowed", body = Problem),
        (status = 404, description = "No such preset", body = Problem),
    )
)]
pub(super) async fn delete_preset(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<PresetId>,
) -> Result<StatusCode, Problem> {
    let mut transaction = state.database.begin().await?;
    let (before, _) = presets::lock_preset(&mut transaction, id).await?;
    presets::delete_preset(&mut transaction, id).await?;
    let entry = actor.entry("preset.delete").object(id).before(&before);
    actor.record(&mut transaction, entry).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(StatusCode::NO_CONTENT)
}
