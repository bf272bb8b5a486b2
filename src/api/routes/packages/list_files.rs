//! `GET /api/packages/{id}/versions/{version_id}/files`.

use super::version_of;
use crate::{
    api::{AppState, extract::Path, problem::Problem},
    auth::policy::Action,
    domain::{PackageId, VersionId, package::PackageFile},
    store::packages,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The files of a version.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PackageFileList {
    /// By path.
    pub data: Vec<PackageFile>,
}

/// The files of a version, without their content.
#[utoipa::path(
    get, path = "/api/packages/{id}/versions/{version_id}/files", tag = "packages",
    params(("id" = uuid::Uuid, Path), ("version_id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::ReadPlaybooks))),
    responses(
        (status = 200, body = PackageFileList),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_files(
    State(state): State<AppState>,
    Path((id, version_id)): Path<(PackageId, VersionId)>,
) -> Result<Json<PackageFileList>, Problem> {
    let mut connection = state.database.acquire().await?;
    version_of(&mut connection, id, version_id).await?;
    let data = packages::list_files(&mut connection, version_id).await?;
    Ok(Json(PackageFileList { data }))
}
