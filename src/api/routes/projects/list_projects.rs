//! `GET /api/projects`.

use super::shown;
use crate::{
    api::{
        AppState,
        extract::{Query, page},
        page::Page,
        problem::Problem,
    },
    auth::policy::Action,
    domain::project::Project,
    store::projects,
};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which projects.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListProjects {
    /// Counted from 1.
    page: Option<i64>,
    /// 1 to 500; 50 when not said.
    per_page: Option<i64>,
}

/// Lists git projects by name.
#[utoipa::path(
    get, path = "/api/projects", tag = "projects", params(ListProjects),
    extensions(("x-permission" = json!(Action::ReadPlaybooks))),
    responses((status = 200, body = Page<Project>))
)]
pub(super) async fn list_projects(
    State(state): State<AppState>,
    Query(query): Query<ListProjects>,
) -> Result<Json<Page<Project>>, Problem> {
    let request = page(query.page, query.per_page, 500)?;
    let mut connection = state.database.acquire().await?;
    let (rows, total) = projects::list_projects(&mut connection, request).await?;
    Ok(Json(Page::new((rows.into_iter().map(shown).collect(), total), request)))
}
