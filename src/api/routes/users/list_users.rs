//! `GET /api/users`.

use crate::{
    api::{
        AppState,
        extract::{Query, page},
        page::Page,
        problem::Problem,
    },
    auth::policy::Action,
    domain::user::User,
    store::users,
};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which users.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListUsers {
    /// Counted from 1.
    page: Option<i64>,
    /// 1 to 500; 50 when not said.
    per_page: Option<i64>,
    /// Part of the name.
    search: Option<String>,
}

/// Lists users by name.
#[utoipa::path(
    get, path = "/api/users", tag = "users", params(ListUsers),
    extensions(("x-permission" = json!(Action::ManageUsers))),
    responses((status = 200, body = Page<User>), (status = 403, description = "Not an admin", body = Problem))
)]
pub(super) async fn list_users(
    State(state): State<AppState>,
    Query(query): Query<ListUsers>,
) -> Result<Json<Page<User>>, Problem> {
    let request = page(query.page, query.per_page, 500)?;
    let mut connection = state.database.acquire().await?;
    let rows = users::list_users(&mut connection, query.search.as_deref(), request).await?;
    Ok(Json(Page::new(rows, request)))
}
