//! `POST /api/packages/{id}/versions/{version_id}/review`.

use super::{author, version_of};
use crate::{
    api::{
        AppState,
        extract::{Actor, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{PackageId, VersionId, package::PackageVersion},
    store::{StoreError, packages},
};
use axum::{Json, extract::State};

/// Accepts what was found in a version: its first launch asks no more.
#[utoipa::path(
    post, path = "/api/packages/{id}/versions/{version_id}/review", tag = "packages",
    params(("id" = uuid::Uuid, Path), ("version_id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::Launch))),
    responses(
        (status = 200, body = PackageVersion),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn review_version(
    actor: Actor,
    State(state): State<AppState>,
    Path((id, version_id)): Path<(PackageId, VersionId)>,
) -> Result<Json<PackageVersion>, Problem> {
    let mut transaction = state.database.begin().await?;
    version_of(&mut transaction, id, version_id).await?;
    packages::mark_reviewed(&mut transaction, version_id, &author(&actor)).await?;
    let version = packages::get_version(&mut transaction, version_id).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("package.review").object(id).after(&version),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(Json(version))
}
