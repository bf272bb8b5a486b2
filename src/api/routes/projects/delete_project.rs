//! `DELETE /api/projects/{id}`.

use super::find;
use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::PackageId,
    store::{StoreError, packages, projects},
};
use axum::{extract::State, http::StatusCode};

/// Takes a git project, its playbooks and its secrets out of the library. What was launched from it stays as it is.
#[utoipa::path(
    delete, path = "/api/projects/{id}", tag = "projects", params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 204, description = "Deleted"),
        (status = 403, description = "Not allowed", body = Problem),
        (status = 404, description = "No such project", body = Problem),
    )
)]
pub(super) async fn delete_project(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<PackageId>,
) -> Result<StatusCode, Problem> {
    let mut transaction = state.database.begin().await?;
    let before = find(&mut transaction, id).await?;
    packages::delete_package(&mut transaction, id).await?;
    projects::delete_project(&mut transaction, id).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("project.delete").object(id).before(&before),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(StatusCode::NO_CONTENT)
}
