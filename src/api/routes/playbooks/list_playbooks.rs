//! `GET /api/playbooks`.

use crate::{
    api::{AppState, extract::Query, problem::Problem},
    auth::policy::Action,
    domain::playbook::{Playbook, PlaybookOrigin},
    store::playbooks::{self, PlaybookListFilter},
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which playbooks are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListPlaybooksQuery {
    /// Part of the id, the name, the description or the category.
    search: Option<String>,
    /// Only this origin's.
    origin: Option<PlaybookOrigin>,
}

/// The library.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlaybookList {
    /// Built-in first, then custom, then projects, each by path.
    pub data: Vec<Playbook>,
}

/// The playbooks that can be launched.
#[utoipa::path(
    get, path = "/api/playbooks", tag = "playbooks", params(ListPlaybooksQuery),
    extensions(("x-permission" = json!(Action::ReadPlaybooks))),
    responses(
        (status = 200, body = PlaybookList),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_playbooks(
    State(state): State<AppState>,
    Query(query): Query<ListPlaybooksQuery>,
) -> Result<Json<PlaybookList>, Problem> {
    state.refresh_library().await?;
    let filter = PlaybookListFilter {
        search: query.search,
        origin: query.origin,
    };
    let data = playbooks::list_playbooks(&mut *state.database.acquire().await?, &filter).await?;
    Ok(Json(PlaybookList { data }))
}
