//! `GET /api/packages`.

use crate::{
    api::{AppState, problem::Problem},
    auth::policy::Action,
    domain::package::Package,
    store::packages,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// All packages.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PackageList {
    /// By origin and name.
    pub data: Vec<Package>,
}

/// The packages that playbooks come from.
#[utoipa::path(
    get, path = "/api/packages", tag = "packages",
    extensions(("x-permission" = json!(Action::ReadPlaybooks))),
    responses(
        (status = 200, body = PackageList),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_packages(State(state): State<AppState>) -> Result<Json<PackageList>, Problem> {
    state.refresh_library().await?;
    let data = packages::list_packages(&mut *state.database.acquire().await?).await?;
    Ok(Json(PackageList { data }))
}
