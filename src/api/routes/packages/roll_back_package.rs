//! `POST /api/packages/{id}/rollback`.

use super::author;
use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{PackageId, package::PackageVersion},
    playbooks::versions::{self, Basis},
    store::StoreError,
};
use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Which version is wanted back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollBackPackage {
    /// The version whose files are wanted back.
    version_id: Uuid,
    /// The version that is current as far as the caller knows.
    base_version_id: Uuid,
    /// For people; at most 2000 characters.
    #[serde(default)]
    comment: String,
}

/// Makes a new version that equals an old one.
#[utoipa::path(
    post, path = "/api/packages/{id}/rollback", tag = "packages", request_body = RollBackPackage,
    params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 201, body = PackageVersion),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`version_conflict`: somebody saved since; `current` is their version", body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn roll_back_package(
    actor: Actor,
    State(state): State<AppState>,
    Path(id): Path<PackageId>,
    JsonBody(body): JsonBody<RollBackPackage>,
) -> Result<(StatusCode, Json<PackageVersion>), Problem> {
    let basis = Basis {
        version: body.base_version_id,
        comment: body.comment,
        author: author(&actor),
    };
    let mut transaction = state.database.begin().await?;
    let version = versions::roll_back(&mut transaction, id, &basis, body.version_id).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("package.rollback").object(id).after(&version),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok((StatusCode::CREATED, Json(version)))
}
