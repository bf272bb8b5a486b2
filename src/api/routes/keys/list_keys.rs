//! `GET /api/keys`.

use crate::{
    api::{
        AppState,
        extract::{Query, page},
        page::Page,
        problem::Problem,
    },
    auth::policy::Action,
    domain::key::PrivateKey,
    store::keys,
};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which keys.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListKeys {
    /// Counted from 1.
    page: Option<i64>,
    /// 1 to 500; 50 when not said.
    per_page: Option<i64>,
    /// Part of the name, fingerprint or type.
    search: Option<String>,
}

/// Lists keys by name.
#[utoipa::path(
    get, path = "/api/keys", tag = "keys", params(ListKeys),
    extensions(("x-permission" = json!(Action::ReadFleet))),
    responses((status = 200, body = Page<PrivateKey>))
)]
pub(super) async fn list_keys(
    State(state): State<AppState>,
    Query(query): Query<ListKeys>,
) -> Result<Json<Page<PrivateKey>>, Problem> {
    let request = page(query.page, query.per_page, 500)?;
    let mut connection = state.database.acquire().await?;
    let rows = keys::list_keys(&mut connection, query.search.as_deref(), request).await?;
    Ok(Json(Page::new(rows, request)))
}
