//! `GET /api/playbooks/content`.

use crate::{
    api::{AppState, extract::Query, problem::Problem},
    auth::policy::Action,
    domain::playbook::{Playbook, PlaybookId},
    store::{packages, playbooks},
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which playbook is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PlaybookContentQuery {
    /// The playbook's id: `builtin/ping.yml`.
    id: String,
}

/// A playbook and its text.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlaybookContent {
    /// The playbook.
    pub playbook: Playbook,
    /// Its file's text.
    pub content: String,
}

/// One playbook's text.
#[utoipa::path(
    get, path = "/api/playbooks/content", tag = "playbooks", params(PlaybookContentQuery),
    extensions(("x-permission" = json!(Action::ReadPlaybooks))),
    responses(
        (status = 200, body = PlaybookContent),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_playbook_content(
    State(state): State<AppState>,
    Query(query): Query<PlaybookContentQuery>,
) -> Result<Json<PlaybookContent>, Problem> {
    let id: PlaybookId = query.id.parse().map_err(|_| Problem::not_found("playbook"))?;
    state.refresh_library().await?;
    let mut connection = state.database.acquire().await?;
    let playbook = playbooks::get_playbook(&mut connection, &id).await?;
    let content = match playbook.version {
        Some(version) => packages::read_file(&mut connection, version, &playbook.entry_path).await?,
        None => None,
    };
    let content = content.ok_or_else(|| Problem::not_found("playbook"))?;
    Ok(Json(PlaybookContent {
        playbook,
        content: String::from_utf8_lossy(&content).into_owned(),
    }))
}
