//! `GET /api/packages/{id}/versions`.

use crate::{
    api::{
        AppState,
        extract::{Path, Query, page},
        page::Page,
        problem::Problem,
    },
    auth::policy::Action,
    domain::{PackageId, package::PackageVersion},
    store::packages,
};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which versions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListVersions {
    /// Counted from 1.
    page: Option<i64>,
    /// 1 to 500; 50 when not said.
    per_page: Option<i64>,
}

/// A package's versions, the newest first.
#[utoipa::path(
    get, path = "/api/packages/{id}/versions", tag = "packages", params(("id" = uuid::Uuid, Path), ListVersions),
    extensions(("x-permission" = json!(Action::ReadPlaybooks))),
    responses(
        (status = 200, body = Page<PackageVersion>),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_versions(
    State(state): State<AppState>,
    Path(id): Path<PackageId>,
    Query(query): Query<ListVersions>,
) -> Result<Json<Page<PackageVersion>>, Problem> {
    let request = page(query.page, query.per_page, 500)?;
    let mut connection = state.database.acquire().await?;
    packages::get_package(&mut connection, id).await?;
    let rows = packages::list_versions(&mut connection, id, request).await?;
    Ok(Json(Page::new(rows, request)))
}
