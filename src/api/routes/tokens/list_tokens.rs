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
use uuid::Uuid;

/// Which tokens.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListTokens {
    /// Only the tokens of this user.
    user_id: Option<Uuid>,
    /// Counted from 1.
    page: Option<i64>,
    /// 1 to 500; 50 when not said.
    per_page: Option<i64>,
}

/// Lists your own tokens; an admin gets the tokens of everybody, or of one user.
#[utoipa::path(
    get, path = "/api/tokens", tag = "tokens", params(ListTokens),
    extensions(("x-permission" = json!(Action::OwnTokens))),
    responses(
        (status = 200, body = Page<ApiToken>),
        (status = 403, description = "The tokens of another user, and you are not an admin", body = Problem),
    )
)]
pub(super) async fn list_tokens(
    State(state): State<AppState>,
    actor: Actor,
    Query(query): Query<ListTokens>,
) -> Result<Json<Page<ApiToken>>, Problem> {
    let request = page(query.page, query.per_page, 500)?;
    let owner = actor.owner_to_list(query.user_id)?;
    let mut connection = state.database.acquire().await?;
    Ok(Json(Page::new(
        tokens::list_tokens(&mut connection, owner, request).await?,
        request,
    )))
}
