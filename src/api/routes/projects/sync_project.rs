//! `POST /api/projects/{id}/sync`.

use super::find;
use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{PackageId, project::Project},
};
use axum::{Json, extract::State};

/// Syncs a git project now and waits for that. The answer is the project also when the sync failed: its `error` says why.
#[utoipa::path(
    post, path = "/api/projects/{id}/sync", tag = "projects", params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 200, body = Project),
        (status = 403, description = "Not allowed", body = Problem),
        (status = 404, description = "No such project", body = Problem),
    )
)]
pub(super) async fn sync_project(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<PackageId>,
) -> Result<Json<Project>, Problem> {
    state.sync_project(id).await?;
    let mut connection = state.database.acquire().await?;
    let project = find(&mut connection, id).await?;
    actor
        .record(&mut connection, actor.entry("project.sync").object(id).after(&project))
        .await?;
    Ok(Json(project))
}
