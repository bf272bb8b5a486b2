//! `POST /api/packages/{id}/versions`.

use super::author;
use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{PackageId, package::PackageVersion},
    playbooks::versions::{self, Basis, FileChange},
    store::StoreError,
};
use axum::{
    Json,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// Longest edit, in bytes.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// An edit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateVersion {
    /// The version it was made on.
    base_version_id: Uuid,
    /// For people; at most 2000 characters.
    #[serde(default)]
    comment: String,
    /// At least one.
    changes: Vec<ChangedFile>,
}

/// One file of an edit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangedFile {
    /// Relative to the package.
    path: String,
    /// What is in it from now on; null takes it away.
    content: Option<String>,
    /// Permission bits, 420 (0o644) or 493 (0o755); as before when left out.
    mode: Option<u32>,
}

impl From<ChangedFile> for FileChange {
    fn from(file: ChangedFile) -> Self {
        Self {
            path: file.path,
            content: file.content,
            mode: file.mode,
        }
    }
}

/// The endpoint, which takes larger bodies than others.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_version))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}

/// Saves an edit of a custom package as its new current version.
#[utoipa::path(
    post, path = "/api/packages/{id}/versions", tag = "packages", request_body = CreateVersion,
    params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 201, body = PackageVersion),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`version_conflict`: somebody saved since; `current` is their version. Nothing was saved", body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_version(
    actor: Actor,
    State(state): State<AppState>,
    Path(id): Path<PackageId>,
    JsonBody(body): JsonBody<CreateVersion>,
) -> Result<(StatusCode, Json<PackageVersion>), Problem> {
    let basis = Basis {
        version: body.base_version_id,
        comment: body.comment,
        author: author(&actor),
    };
    let changes: Vec<FileChange> = body.changes.into_iter().map(Into::into).collect();
    let mut transaction = state.database.begin().await?;
    let version = versions::save(&mut transaction, id, &basis, &changes).await?;
    actor
        .record(&mut transaction, actor.entry("package.save").object(id).after(&version))
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok((StatusCode::CREATED, Json(version)))
}
