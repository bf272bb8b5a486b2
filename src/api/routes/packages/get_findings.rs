//! `GET /api/packages/{id}/versions/{version_id}/findings`.

use super::version_of;
use crate::{
    api::{
        AppState,
        extract::{Path, Query},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{
        PackageId, VersionId,
        finding::{Finding, LintOutcome},
        validation::Invalid,
    },
    store::packages,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What is to be checked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GetFindings {
    /// A playbook, relative to the package; all of the package's when left out.
    entry: Option<String>,
}

/// What a check of a version brought up.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct VersionFindings {
    /// By path and line.
    pub data: Vec<Finding>,
    /// Whether `ansible-lint` is among those who looked.
    pub lint: LintOutcome,
}

/// Checks a version: missing pieces, the security scan, Ansible's own syntax check, `ansible-lint`. Takes seconds the first time.
#[utoipa::path(
    get, path = "/api/packages/{id}/versions/{version_id}/findings", tag = "packages",
    params(("id" = uuid::Uuid, Path), ("version_id" = uuid::Uuid, Path), GetFindings),
    extensions(("x-permission" = json!(Action::ReadPlaybooks))),
    responses(
        (status = 200, body = VersionFindings),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_findings(
    State(state): State<AppState>,
    Path((id, version_id)): Path<(PackageId, VersionId)>,
    Query(query): Query<GetFindings>,
) -> Result<Json<VersionFindings>, Problem> {
    let mut connection = state.database.acquire().await?;
    version_of(&mut connection, id, version_id).await?;
    let mut entries = packages::get_package(&mut connection, id).await?.entry_points;
    let files = packages::load_version_files(&mut connection, version_id).await?;
    drop(connection);
    if let Some(entry) = query.entry {
        if !files.iter().any(|file| file.path == entry) {
            return Err(Invalid::field("entry", "is no file of this version").into());
        }
        entries = vec![entry];
    }
    // An old version need not have the playbooks of today.
    entries.retain(|entry| files.iter().any(|file| file.path == *entry));
    let report = state
        .library
        .check(version_id, files, entries)
        .await
        .map_err(|error| Problem::internal(&error))?;
    Ok(Json(VersionFindings {
        data: report.findings,
        lint: report.lint,
    }))
}
