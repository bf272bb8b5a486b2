//! `POST /api/packages/inspect`.

use super::{
    check_package::look_at,
    upload::{self, UploadedFile},
};
use crate::{
    api::{
        AppState,
        extract::{Query, RawBody},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{finding::Finding, package::PackageFile, playbook::Outline},
    playbooks::{archive, find_entry_points},
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What is known about the file.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct InspectPackageQuery {
    /// What the file is called; the end of its name tells what it is.
    #[serde(default)]
    #[param(required)]
    file_name: String,
    /// Lets Ansible check the syntax too, and `ansible-lint` what it likes, if it is installed. Takes seconds.
    #[serde(default)]
    with_ansible: bool,
}

/// What is in an upload.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PackageInspection {
    /// What the package might be called.
    pub suggested_name: String,
    /// All files by path, as they would be kept.
    pub files: Vec<PackageFile>,
    /// Its playbooks by path; may be none, and then it cannot be kept.
    pub entry_points: Vec<EntryPoint>,
    /// What a review of all of them brought up.
    pub findings: Vec<Finding>,
}

/// A playbook of an upload.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EntryPoint {
    /// Relative to the package.
    pub path: String,
    /// What its text tells.
    pub outline: Outline,
}

/// Looks into a file that might be uploaded. Keeps nothing of it.
#[utoipa::path(
    post, path = "/api/packages/inspect", tag = "packages", params(InspectPackageQuery),
    request_body(content = UploadedFile, content_type = "application/octet-stream"),
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 200, body = PackageInspection),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Larger than 64 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`file` says why it cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn inspect_package(
    State(state): State<AppState>,
    Query(query): Query<InspectPackageQuery>,
    body: RawBody,
) -> Result<Json<PackageInspection>, Problem> {
    let snapshot = upload::read(&query.file_name, body).await?;
    let looked = tokio::task::spawn_blocking(move || (find_entry_points(&snapshot.files), snapshot));
    let (found, snapshot) = looked.await.map_err(|error| Problem::internal(&error))?;
    let entries: Vec<String> = found.iter().map(|(path, _)| path.clone()).collect();
    let files = snapshot.manifest.into_iter().zip(&snapshot.files);
    let files = files
        .map(|(entry, file)| PackageFile {
            path: entry.path,
            mode: entry.mode,
            size: file.content.len() as i64,
            digest: entry.digest,
        })
        .collect();
    Ok(Json(PackageInspection {
        suggested_name: archive::suggest_name(&query.file_name),
        files,
        entry_points: found
            .into_iter()
            .map(|(path, outline)| EntryPoint { path, outline })
            .collect(),
        findings: look_at(&state, snapshot.files, entries, query.with_ansible).await?,
    }))
}
