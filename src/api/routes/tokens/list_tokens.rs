//! `GET /api/tokens`.

use crate::{
    api::{
        AppState,
        extract::{Actor, Query, page},
        page::Page,
        problem::Problem,
    },
    auth::policy::Action,
    domain::user::ApiToken,
    store::tokens,
};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which tokens.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListTokens {
    /// Counted from 1.
    page: Option<i64>,
    /// 1 to 500; 50 when not said.
    per_page: Option<i64>,
}

/// Lists one's own tokens; an admin sees everybody's.
#[utoipa::path(
    get, path = "/api/tokens", tag = "tokens", params(ListTokens), responses((status = 200, body = Page<ApiToken>))
)]
pub(super) async fn list_tokens(
    State(state): State<AppState>,
    actor: Actor,
    Query(query): Query<ListTokens>,
) -> Result<Json<Page<ApiToken>>, Problem> {
    actor.require(Action::OwnTokens)?;
    let request = page(query.page, query.per_page, 500)?;
    let owner = if actor.may(Action::ManageUsers) {
        None
    } else {
        Some(actor.user_id()?)
    };
    let mut connection = state.database.acquire().await?;
    Ok(Json(Page::new(
        tokens::list_tokens(&mut connection, owner, request).await?,
        request,
    )))
}
