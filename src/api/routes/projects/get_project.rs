//! `GET /api/projects/{id}`.

use super::find;
use crate::{
    api::{AppState, extract::Path, problem::Problem},
    auth::policy::Action,
    domain::{PackageId, project::Project},
};
use axum::{Json, extract::State};

/// One git project.
#[utoipa::path(
    get, path = "/api/projects/{id}", tag = "projects", params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::ReadPlaybooks))),
    responses(
        (status = 200, body = Project),
        (status = 404, description = "No such project", body = Problem),
    )
)]
pub(super) async fn get_project(
    State(state): State<AppState>,
    Path(id): Path<PackageId>,
) -> Result<Json<Project>, Problem> {
    Ok(Json(find(&mut *state.database.acquire().await?, id).await?))
}
