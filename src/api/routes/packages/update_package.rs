//! `PATCH /api/packages/{id}`.

use crate::{
    api::{
        AppState,
        extract::{Actor, JsonBody, Path},
        problem::Problem,
    },
    auth::policy::Action,
    domain::{PackageId, package::Package},
    playbooks::versions,
    store::{StoreError, packages},
};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::ToSchema;

/// What changes about a package.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdatePackage {
    /// The files that are its playbooks, at least one.
    entry_points: Vec<String>,
}

/// Says which files of a custom package are its playbooks.
#[utoipa::path(
    patch, path = "/api/packages/{id}", tag = "packages", request_body = UpdatePackage, params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::EditPlaybooks))),
    responses(
        (status = 200, body = Package),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It was not uploaded", body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn update_package(
    actor: Actor,
    State(state): State<AppState>,
    Path(id): Path<PackageId>,
    JsonBody(body): JsonBody<UpdatePackage>,
) -> Result<Json<Package>, Problem> {
    let mut transaction = state.database.begin().await?;
    let before = packages::get_package(&mut transaction, id).await?;
    versions::choose_entry_points(&mut transaction, id, &body.entry_points).await?;
    let after = packages::get_package(&mut transaction, id).await?;
    actor
        .record(
            &mut transaction,
            actor.entry("package.update").object(id).before(&before).after(&after),
        )
        .await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(Json(after))
}
