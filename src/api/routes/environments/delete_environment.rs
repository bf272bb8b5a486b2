//! `DELETE /api/environments/{id}`.

use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::EnvironmentId,
    store::{StoreError, environments},
};
use axum::{extract::State, http::StatusCode};

/// Deletes an environment. Deployments that were launched keep what they have.
#[utoipa::path(
    delete, path = "/api/environments/{id}", tag = "environments", params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 204, description = "Deleted"),
        (status = 403, description = "Not allowed", body = Problem),
        (status = 404, description = "No such environment", body = Problem),
    )
)]
pub(super) async fn delete_environment(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<EnvironmentId>,
) -> Result<StatusCode, Problem> {
    let mut transaction = state.database.begin().await?;
    let (before, _) = environments::lock_environment(&mut transaction, id).await?;
    environments::delete_environment(&mut transaction, id).await?;
    let entry = actor.entry("environment.delete").object(id).before(&before);
    actor.record(&mut transaction, entry).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(StatusCode::NO_CONTENT)
}
