//! `GET /api/packages/{id}`.

use crate::{
    api::{AppState, extract::Path, problem::Problem},
    auth::policy::Action,
    domain::{PackageId, package::Package},
    store::packages,
};
use axum::{Json, extract::State};

/// One package.
#[utoipa::path(
    get, path = "/api/packages/{id}", tag = "packages", params(("id" = uuid::Uuid, Path)),
    extensions(("x-permission" = json!(Action::ReadPlaybooks))),
    responses(
        (status = 200, body = Package),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_package(
    State(state): State<AppState>,
    Path(id): Path<PackageId>,
) -> Result<Json<Package>, Problem> {
    state.refresh_library().await?;
    let package = packages::get_package(&mut *state.database.acquire().await?, id).await?;
    Ok(Json(package))
}
