//! `GET /api/packages/{id}/versions/{version_id}/file`.

use super::version_of;
use crate::{
    api::{
        AppState,
        extract::{Path, Query},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{PackageId, VersionId},
    store::packages,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A file above this size is not shown, in bytes.
const MAX_SHOWN: usize = 1024 * 1024;

/// Which file is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GetFile {
    /// Relative to the package.
    path: String,
}

/// One file of a version.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PackageFileContent {
    /// Relative to the package.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Bytes.
    pub size: i64,
    /// Its text; null when it is no UTF-8 or larger than 1 MiB.
    pub content: Option<String>,
}

/// One file of a version.
#[utoipa::path(
    get, path = "/api/packages/{id}/versions/{version_id}/file", tag = "packages",
    params(("id" = uuid::Uuid, Path), ("version_id" = uuid::Uuid, Path), GetFile),
    extensions(("x-permission" = json!(Action::ReadPlaybooks))),
    responses(
        (status = 200, body = PackageFileContent),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_file(
    State(state): State<AppState>,
    Path((id, version_id)): Path<(PackageId, VersionId)>,
    Query(query): Query<GetFile>,
) -> Result<Json<PackageFileContent>, Problem> {
    let mut connection = state.database.acquire().await?;
    version_of(&mut connection, id, version_id).await?;
    let manifest = packages::get_manifest(&mut connection, version_id).await?;
    let missing = || Problem::not_found("file");
    let entry = manifest
        .into_iter()
        .find(|entry| entry.path == query.path)
        .ok_or_else(missing)?;
    let content = packages::read_file(&mut connection, version_id, &entry.path)
        .await?
        .ok_or_else(missing)?;
    let size = content.len() as i64;
    let shown = (content.len() <= MAX_SHOWN && !content.contains(&0)).then_some(content);
    Ok(Json(PackageFileContent {
        path: entry.path,
        mode: entry.mode,
        size,
        content: shown.and_then(|content| String::from_utf8(content).ok()),
    }))
}
