//! `POST /api/packages/{id}/check`.

use super::{create_version::ChangedFile, version_of};
use crate::{
    api::{
        AppState,
        extract::{JsonBody, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{PackageId, finding::Finding, playbook::PlaybookFile},
    playbooks::{
        review,
        versions::{self, FileChange},
    },
    store::packages,
};
use axum::{
    Json,
    extract::{DefaultBodyLimit, State},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// Longest edit, in bytes.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// An edit that is not saved yet.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckPackage {
    /// The version it is made on.
    base_version_id: Uuid,
    /// A playbook, relative to the package; all of the package's when left out.
    entry: Option<String>,
    /// May be empty.
    changes: Vec<ChangedFile>,
    /// Lets Ansible check the syntax too, and `ansible-lint` what it likes, if it is installed. Takes seconds.
    #[serde(default)]
    with_ansible: bool,
}

/// What a look at an edit brought up.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PackageFindings {
    /// By path and line.
    pub data: Vec<Finding>,
}

/// The endpoint, which takes larger bodies than others.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(check_package))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}

/// Looks at an edit without saving it: YAML, missing pieces, the security scan. Without Ansible nothing is run, and it is quick enough
/// for every pause in typing.
#[utoipa::path(
    post, path = "/api/packages/{id}/check", tag = "packages", request_body = CheckPackage,
    params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 200, body = PackageFindings),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn check_package(
    State(state): State<AppState>,
    Path(id): Path<PackageId>,
    JsonBody(body): JsonBody<CheckPackage>,
) -> Result<Json<PackageFindings>, Problem> {
    let mut connection = state.database.acquire().await?;
    version_of(&mut connection, id, body.base_version_id).await?;
    let mut entries = packages::get_package(&mut connection, id).await?.entry_points;
    let mut files = packages::load_version_files(&mut connection, body.base_version_id).await?;
    drop(connection);
    if !body.changes.is_empty() {
        let changes: Vec<FileChange> = body.changes.into_iter().map(Into::into).collect();
        versions::apply(&mut files, &changes)?;
    }
    // A playbook that the edit takes away is missed by nobody; with none left, all files are looked at.
    entries.retain(|entry| files.iter().any(|file| file.path == *entry));
    let entries = body.entry.map_or(entries, |entry| vec![entry]);
    let data = look_at(&state, files, entries, body.with_ansible).await?;
    Ok(Json(PackageFindings { data }))
}

/// What there is to say about playbooks among files that are not kept yet.
pub(super) async fn look_at(
    state: &AppState,
    files: Vec<PlaybookFile>,
    entries: Vec<String>,
    with_ansible: bool,
) -> Result<Vec<Finding>, Problem> {
    if with_ansible {
        let report = state.library.check_files(files, entries).await;
        return Ok(report.map_err(|error| Problem::internal(&error))?.findings);
    }
    tokio::task::spawn_blocking(move || review(&files, &entries))
        .await
        .map_err(|error| Problem::internal(&error))
}
